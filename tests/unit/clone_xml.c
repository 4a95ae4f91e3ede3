/*
 * Operators' domains as what machines are made from: what is read out of one,
 * what is refused with which words, and that a clone has nothing that only one
 * may have.  The XML is what libvirt 9 prints of an inactive domain.
 */
#include "engine/hypervisor/clone_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/domain_xml.h"
#include "tests/tap.h"

#define UUID "12345678-1234-4234-8234-123456789abc"
#define SOURCE "6f0c1f6e-0000-4000-8000-0000000000aa"

static const struct host_site site = {
	.site = "lab", .key = "0123456789abcdef0123456789abcdef",
	.key_length = 32,
};

#define DISK(dev, file, more)                                                  \
	"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"   \
	"<source file='" file "'/><target dev='" dev "' bus='virtio'/>" more   \
	"</disk>"
#define DOMAIN(os, devices)                                                    \
	"<domain type='qemu'><name>web</name><uuid>" SOURCE "</uuid>"          \
	"<memory>131072</memory><os><type>hvm</type>" os "</os><devices>"      \
	devices "</devices></domain>"

static const char full[] =
	"<domain type='kvm' id='4'><name>web</name><uuid>" SOURCE "</uuid>"
	"<genid>" SOURCE "</genid>"
	"<metadata><r:machine xmlns:r='" METADATA_URI "' site='lab' uuid='" SOURCE
	"' incarnation='9' machine='9' hmac='00'/>"
	"<app:note xmlns:app='urn:operator'>keep me</app:note></metadata>"
	"<memory unit='KiB'>131072</memory><currentMemory>131072</currentMemory>"
	"<vcpu>2</vcpu><sysinfo type='smbios'><system><entry name='uuid'>" SOURCE
	"</entry></system></sysinfo>"
	"<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type>"
	"<loader readonly='yes' type='pflash'>/usr/share/OVMF/CODE.fd</loader>"
	"<nvram template='/usr/share/OVMF/VARS.fd'>/var/nvram/web.fd</nvram>"
	"<smbios mode='sysinfo'/></os><cpu mode='host-passthrough'/><devices>"
	DISK("vda", "/srv/web.qcow2", "<backingStore type='file'><format type='raw'/>"
	     "<source file='/srv/base.raw'/></backingStore><wwn>5000c50015ea71ac</wwn>"
	     "<address type='pci' slot='0x04'/>")
	"<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
	"<source file='/srv/install.iso'/><target dev='sda' bus='sata'/>"
	"<readonly/></disk>"
	"<disk type='file' device='disk'><source file='/srv/data.raw'/>"
	"<target dev='vdb' bus='virtio'/></disk>"
	"<interface type='network'><mac address='52:54:00:11:22:33'/>"
	"<source network='default'/><target dev='vnet7'/><model type='virtio'/>"
	"</interface><interface type='user'><mac address='52:54:00:11:22:34'/></interface>"
	"<serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/>"
	"<protocol type='raw'/><log file='/var/log/web.log'/><target port='0'/></serial>"
	"<console type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/>"
	"<target type='serial' port='0'/></console>"
	"<channel type='unix'><source mode='bind' path='/run/web.agent'/>"
	"<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
	"<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
	"<graphics type='vnc' port='5901' autoport='no' websocket='5701' "
	"listen='127.0.0.1'/>"
	"<vsock model='virtio'><cid auto='no' address='7'/></vsock>"
	"</devices></domain>";

static struct domain_spec spec_of(const char *xml, int disks, bool nvram)
{
	struct domain_spec spec = {
		.kind = HOST_QEMU, .kvm = true, .name = "mail-01",
		.mark = { .uuid = UUID, .incarnation = 3, .machine = 7 },
		.template = slice_of(xml), .cloned = (char *)xml,
		.channel_count = 1, .channels = { "remuda.app" },
	};

	for (; spec.disk_count < disks; spec.disk_count++)
		snprintf(spec.disks[spec.disk_count], DOMAIN_PATH_MAX,
			 "/state/a&b/mail-01.1-%d.qcow2", spec.disk_count);
	if (nvram)
		TEXT_SET(spec.nvram, "/state/a&b/mail-01.1.fd");
	return spec;
}

static size_t count_of(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static void test_read(void)
{
	static struct clone_source source;
	struct error err = { "" };

	is_int(clone_read(full, &source, &err), 0, "read: %s", err.text);
	is_int(source.disk_count, 2, "two disks are written, a medium is not");
	is_text(source.disks[0].path, "/srv/web.qcow2", "the first");
	is_text(source.disks[0].format, "qcow2", "its format");
	is_text(source.disks[1].path, "/srv/data.raw", "the second");
	is_text(source.disks[1].format, "raw", "without a driver it is raw");
	is_text(source.nvram, "/var/nvram/web.fd", "the firmware's variables");
}

static void test_clone(void)
{
	static const char *const gone[] = {
		SOURCE, "/srv/web.qcow2", "/srv/data.raw", "/srv/base.raw",
		"/var/nvram/web.fd", "52:54:00", "vnet7", "4555", "web.log",
		"/run/web.agent", "5901", "5701", "5000c50015ea71ac", "sysinfo",
		"<name>web</name>", "id=\"4\"", "hmac=\"00\"", "address=\"7\"",
	};
	static const char *const kept[] = {
		"/srv/install.iso", "network=\"default\"", "keep me", "vda", "vdb",
		"com.redhat.spice.0", "slot=\"0x04\"", "<vcpu>2</vcpu>",
		"host-passthrough", "autoport=\"yes\"", "auto=\"yes\"",
		"/usr/share/OVMF/VARS.fd", "<name>mail-01</name>", "<genid/>",
		"remuda.app", "<on_reboot>destroy</on_reboot>",
	};
	static struct clone_source again;
	static struct domain_spec spec;
	struct error err = { "" };
	struct metadata mark;

	spec = spec_of(full, 2, true);
	char *xml = domain_xml_build(&spec, &site, &err);
	if (!xml)
		tap_bail("%s", err.text);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		ok(!strstr(xml, gone[i]), "the original's %s is not in it", gone[i]);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		ok(strstr(xml, kept[i]), "%s is", kept[i]);
	is_int(count_of(xml, "org.qemu.guest_agent.0"), 1,
	       "an agent's port that is there is not added again");
	is_int(count_of(xml, METADATA_URI), 1, "one mark of ours");
	is_int(clone_read(xml, &again, &err), 0, "it reads again: %s", err.text);
	is_int(again.disk_count, 2, "with its own disks");
	is_text(again.disks[0].path, spec.disks[0], "the first");
	is_text(again.disks[1].path, spec.disks[1], "and the second");
	is_text(again.disks[1].format, "qcow2", "an overlay, whatever it is on");
	is_text(again.nvram, spec.nvram, "its own variables, to the byte");
	const char *at = strstr(xml, "<remuda:machine");
	char *text = at ? strndup(at, (size_t)(strstr(at, "/>") + 2 - at)) : NULL;
	ok(text && metadata_verify(text, &site, UUID, &mark, &err),
	   "its mark is signed: %s", err.text);
	free(text);
	xmlFree(xml);
}

/* Without KVM a processor that only KVM has would be refused by libvirt. */
static void test_emulated(void)
{
	static struct domain_spec spec;
	struct error err = { "" };

	spec = spec_of(full, 2, true);
	spec.kvm = false;
	spec.memory_mib = spec.max_memory_mib = 256;
	char *xml = domain_xml_build(&spec, &site, &err);
	ok(xml && strstr(xml, "type=\"qemu\"") && !strstr(xml, "host-passthrough"),
	   "a KVM domain is emulated where there is no KVM");
	ok(xml && strstr(xml, "<memory unit=\"MiB\">256</memory>") &&
	   !strstr(xml, "currentMemory"), "with the pool's memory");
	xmlFree(xml);
}

static void test_refused(void)
{
#define ONE DISK("vda", "/srv/web.qcow2", "")
	static const struct {
		const char *xml, *what;
	} bad[] = {
		{ DOMAIN("", ONE "<hostdev mode='subsystem' type='pci'/>"), "<hostdev>" },
		{ DOMAIN("", ONE "<filesystem type='mount'/>"), "<filesystem>" },
		{ DOMAIN("", ONE "<shmem name='x'/>"), "<shmem>" },
		{ DOMAIN("", ONE "<lease/>"), "<lease>" },
		{ DOMAIN("", ONE "<interface type='hostdev'/>"), "type hostdev" },
		{ DOMAIN("", ONE "<interface type='user'/><interface type='vdpa'/>"), "type vdpa" },
		{ DOMAIN("", DISK("vda", "/a", "<shareable/>")), "disk vda is shared" },
		{ DOMAIN("", ONE "<disk type='block' device='disk'><source dev='/dev/sdz'/>"
			 "<target dev='vdc'/></disk>"), "disk vdc is of type block" },
		{ DOMAIN("", "<disk type='network' device='lun'><target dev='sda'/></disk>"),
		  "disk sda is of type network" },
		{ DOMAIN("", "<disk type='file'><target dev='vdq'/></disk>"),
		  "disk vdq has no file" },
		{ DOMAIN("", DISK("vda", "relative.qcow2", "")), "disk vda has no file" },
		{ DOMAIN("", ""), "no disk to clone" },
		{ DOMAIN("", DISK("sda", "/a.iso", "<readonly/>")), "no disk to clone" },
		{ DOMAIN("", ONE ONE ONE ONE ONE ONE ONE ONE ONE), "more than 8 disks" },
		{ DOMAIN("<loader type='pflash'>/c</loader>", ONE), "start it once" },
		{ "<domain", "XML" },
		{ "", "XML" },
	};
	static struct clone_source source;
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		int rc = clone_read(bad[i].xml, &source, &err);

		ok(rc < 0 && strstr(err.text, bad[i].what), "refused: %s", err.text);
	}
	is_int(clone_read(DOMAIN("", ONE ONE ONE ONE ONE ONE ONE ONE), &source, &err),
	       0, "eight disks are not too many");
	is_int(source.disk_count, 8, "all of them");
}

int main(void)
{
	xml_init();
	test_read();
	test_clone();
	test_emulated();
	test_refused();
	return tap_done();
}
