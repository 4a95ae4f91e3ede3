/* See domain_xml.h.  Pure: no libvirt calls, no files, no clock. */
#include "engine/hypervisor/domain_xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/clone_xml.h"
#include "engine/hypervisor/xml.h"
#include "engine/wire/message.h"

static void set_number(struct xml_builder *b, xmlNodePtr parent,
		       const char *name, uint64_t value, const char *unit)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	xmlNodePtr node = xml_replace(b, parent, name, text);
	if (unit)
		xml_set(b, node, "unit", unit);
}

static void set_vcpus(struct xml_builder *b, xmlNodePtr root,
		      const struct domain_spec *spec)
{
	char text[24];

	xml_remove(root, "vcpus");
	set_number(b, root, "vcpu", spec->max_vcpus, NULL);
	if (spec->max_vcpus == spec->vcpus)
		return;
	snprintf(text, sizeof(text), "%u", spec->vcpus);
	xml_set(b, xml_child(root, "vcpu"), "current", text);
	/* Those there at the start could not be taken away without this. */
	xmlNodePtr list = xml_add(b, root, "vcpus", NULL);
	for (uint32_t i = 0; i < spec->max_vcpus; i++) {
		xmlNodePtr one = xml_add(b, list, "vcpu", NULL);

		snprintf(text, sizeof(text), "%u", i);
		xml_set(b, one, "id", text);
		xml_set(b, one, "enabled", i < spec->vcpus ? "yes" : "no");
		xml_set(b, one, "hotpluggable", i > 0 ? "yes" : "no");
	}
}

/* The size in a <domain>, where the spec has one. */
static void set_size(struct xml_builder *b, xmlNodePtr root,
		     const struct domain_spec *spec)
{
	if (spec->memory_mib) {
		xml_remove(root, "currentMemory");
		set_number(b, root, "memory", spec->max_memory_mib, "MiB");
	}
	if (spec->max_memory_mib > spec->memory_mib)
		set_number(b, root, "currentMemory", spec->memory_mib, "MiB");
	if (spec->vcpus)
		set_vcpus(b, root, spec);
}

/* <name type='type'/> */
static xmlNodePtr add_typed(struct xml_builder *b, xmlNodePtr parent,
			    const char *name, const char *attribute,
			    const char *value)
{
	xmlNodePtr node = xml_add(b, parent, name, NULL);

	xml_set(b, node, attribute, value);
	return node;
}

/* Only where it is needed: a guest may be without a driver for it. */
static void add_balloon(struct xml_builder *b, xmlNodePtr devices,
			const struct domain_spec *spec)
{
	xml_remove(devices, "memballoon");
	add_typed(b, devices, "memballoon", "model",
		  spec->max_memory_mib > spec->memory_mib ? "virtio" : "none");
}

static bool has_port(xmlNodePtr devices, const char *name)
{
	for (xmlNodePtr c = xml_child(devices, "channel"); c;
	     c = xml_next(c, "channel")) {
		char have[DOMAIN_CHANNEL_NAME_MAX];

		if (xml_get_attribute(xml_child(c, "target"), "name", have,
				      sizeof(have)) &&
		    strcmp(have, name) == 0)
			return true;
	}
	return false;
}

static void add_port(struct xml_builder *b, xmlNodePtr devices,
		     const char *name)
{
	if (b->failed || has_port(devices, name))
		return;
	xmlNodePtr channel = add_typed(b, devices, "channel", "type", "unix");
	xmlNodePtr target = add_typed(b, channel, "target", "type", "virtio");
	xml_set(b, target, "name", name);
}

static void add_ports(struct xml_builder *b, xmlNodePtr devices,
		      const struct domain_spec *spec)
{
	add_port(b, devices, DOMAIN_AGENT_PORT);
	for (int i = 0; i < spec->channel_count; i++)
		add_port(b, devices, spec->channels[i]);
}

static xmlNodePtr add_disk(struct xml_builder *b, xmlNodePtr devices,
			   const char *path, const char *format,
			   const char *dev)
{
	xmlNodePtr disk = add_typed(b, devices, "disk", "type", "file");

	xml_set(b, disk, "device", "disk");
	xmlNodePtr driver = add_typed(b, disk, "driver", "name", "qemu");
	xml_set(b, driver, "type", format);
	xml_set(b, driver, "cache", "writeback");
	xml_set(b, driver, "discard", "unmap");
	add_typed(b, disk, "source", "file", path);
	xmlNodePtr target = add_typed(b, disk, "target", "dev", dev);
	xml_set(b, target, "bus", "virtio");
	return disk;
}

/* Of machines made from an image, and the seed of any. */
static void add_own_disks(struct xml_builder *b, xmlNodePtr devices,
			  const struct domain_spec *spec)
{
	if (spec->disk_count && !spec->cloned)
		add_disk(b, devices, spec->disks[0], "qcow2", "vda");
	if (spec->seed[0])
		xml_add(b, add_disk(b, devices, spec->seed, "raw", "vdy"),
			"readonly", NULL);
}

/*
 * The data disk.  A session's data is as durable as the guest's own flushes
 * make it (cache none where the file system has direct I/O is the operator's
 * choice, in a template: a tmpfs pool has none and the boot would fail).
 */
static void add_volume(struct xml_builder *b, xmlNodePtr devices,
		       const char *path)
{
	xml_add(b, add_disk(b, devices, path, "raw", "vdz"), "serial", "data");
}

static void drop_marks(xmlNodePtr metadata)
{
	xmlNodePtr at = metadata->children;

	while (at) {
		xmlNodePtr next = at->next;

		if (at->ns && strcmp((const char *)at->ns->href,
				     METADATA_URI) == 0) {
			xmlUnlinkNode(at);
			xmlFreeNode(at);
		}
		at = next;
	}
}

void domain_xml_mark(struct xml_builder *b, xmlNodePtr root,
		     const struct host_site *site, const struct metadata *mark)
{
	xmlNodePtr metadata = xml_child(root, "metadata");

	if (!metadata)
		metadata = xml_add(b, root, "metadata", NULL);
	if (b->failed)
		return;
	/* A template may be the dump of a machine of ours. */
	for (xmlNodePtr md = metadata; md; md = xml_next(md, "metadata"))
		drop_marks(md);
	if (metadata_add(metadata, site, mark, b->err) < 0)
		b->failed = true;
}

static void add_boot(struct xml_builder *b, xmlNodePtr root,
		     const struct domain_spec *spec)
{
	xmlNodePtr os = xml_add(b, root, "os", NULL);
	xmlNodePtr type = xml_add(b, os, "type", "hvm");

	if (spec->kind == HOST_QEMU) {
		xml_set(b, type, "arch", "x86_64");
		xml_set(b, type, "machine", "q35");
	}
	if (spec->kernel[0])
		xml_add(b, os, "kernel", spec->kernel);
	if (spec->initrd[0])
		xml_add(b, os, "initrd", spec->initrd);
	if (spec->cmdline[0])
		xml_add(b, os, "cmdline", spec->cmdline);
}

static void add_platform(struct xml_builder *b, xmlNodePtr root,
			 const struct domain_spec *spec)
{
	xmlNodePtr features = xml_add(b, root, "features", NULL);

	xml_add(b, features, "acpi", NULL);
	xml_add(b, features, "apic", NULL);
	add_typed(b, features, "vmport", "state", "off");
	if (spec->kvm)
		add_typed(b, root, "cpu", "mode", "host-passthrough");
	xmlNodePtr clock = add_typed(b, root, "clock", "offset", "utc");
	xmlNodePtr timer = add_typed(b, clock, "timer", "name", "hpet");
	xml_set(b, timer, "present", "no");
}

static void add_devices(struct xml_builder *b, xmlNodePtr root,
			const struct domain_spec *spec)
{
	xmlNodePtr devices = xml_add(b, root, "devices", NULL);

	xmlNodePtr usb = add_typed(b, devices, "controller", "type", "usb");
	xml_set(b, usb, "model", "none");
	add_typed(b, devices, "controller", "type", "virtio-serial");
	add_typed(b, devices, "serial", "type", "pty");
	add_typed(b, devices, "console", "type", "pty");
	add_ports(b, devices, spec);
	add_own_disks(b, devices, spec);
	if (spec->volume[0])
		add_volume(b, devices, spec->volume);
	add_balloon(b, devices, spec);
	xmlNodePtr rng = add_typed(b, devices, "rng", "model", "virtio");
	xmlNodePtr backend = xml_add(b, rng, "backend", "/dev/urandom");
	xml_set(b, backend, "model", "random");
}

static void build_fresh(struct xml_builder *b, xmlNodePtr root,
			const struct domain_spec *spec,
			const struct host_site *site)
{
	xml_set(b, root, "type", spec->kind == HOST_TEST ? "test" :
				 spec->kvm ? "kvm" : "qemu");
	xml_add(b, root, "name", spec->name);
	xml_add(b, root, "uuid", spec->mark.uuid);
	domain_xml_mark(b, root, site, &spec->mark);
	set_size(b, root, spec);
	add_boot(b, root, spec);
	if (spec->kind != HOST_TEST)
		add_platform(b, root, spec);
	xml_add(b, root, "on_poweroff", "destroy");
	xml_add(b, root, "on_reboot", "destroy");
	xml_add(b, root, "on_crash", "destroy");
	if (spec->kind != HOST_TEST)
		add_devices(b, root, spec);
}

/* A processor mode that only KVM has would make TCG refuse the domain. */
static void without_kvm(struct xml_builder *b, xmlNodePtr root)
{
	xmlNodePtr cpu = xml_child(root, "cpu");
	char mode[32];

	xml_set(b, root, "type", "qemu");
	if (cpu && xml_get_attribute(cpu, "mode", mode, sizeof(mode)) &&
	    strncmp(mode, "host-", 5) == 0)
		xml_remove(root, "cpu");
}

/*
 * Network cards have addresses of the machine's own: the same each time it is made,
 * so that neighbours and leases that know it go on knowing it, and no other
 * machine's.  40 bits of a hash (FNV-1a) of its uuid and the card's place, locally
 * administered and unicast (RFC 7042 2.1).
 */
static void set_addresses(struct xml_builder *b, xmlNodePtr devices,
			  const char *uuid)
{
	unsigned place = 0;

	for (xmlNodePtr nic = xml_child(devices, "interface"); nic;
	     nic = xml_next(nic, "interface")) {
		uint64_t hash = (0xcbf29ce484222325 ^ place++) * 0x100000001b3;
		char text[18];

		for (const char *c = uuid; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
		snprintf(text, sizeof(text), "52:%02x:%02x:%02x:%02x:%02x",
			 (unsigned)(hash >> 56), (unsigned)(hash >> 48) & 0xff,
			 (unsigned)(hash >> 40) & 0xff,
			 (unsigned)(hash >> 32) & 0xff,
			 (unsigned)(hash >> 24) & 0xff);
		xml_remove(nic, "mac");
		xmlNodePtr mac = xml_add(b, nic, "mac", NULL);
		xml_set(b, mac, "address", text);
	}
}

static void build_from_template(struct xml_builder *b, xmlNodePtr root,
				const struct domain_spec *spec,
				const struct host_site *site)
{
	char type[16];

	xmlUnsetProp(root, BAD_CAST "id");
	if (spec->cloned)
		clone_unbind(b, root, spec->disks, spec->disk_count,
			     spec->nvram);
	if (!xml_get_attribute(root, "type", type, sizeof(type)))
		xml_set(b, root, "type", spec->kvm ? "kvm" : "qemu");
	else if (strcmp(type, "kvm") == 0 && !spec->kvm)
		without_kvm(b, root);
	xml_replace(b, root, "name", spec->name);
	xml_replace(b, root, "uuid", spec->mark.uuid);
	domain_xml_mark(b, root, site, &spec->mark);
	set_size(b, root, spec);
	xml_replace(b, root, "on_reboot", "destroy");
	if (spec->kind == HOST_TEST)
		return;
	xmlNodePtr devices = xml_child(root, "devices");
	if (!devices)
		devices = xml_add(b, root, "devices", NULL);
	if (b->failed)
		return;
	set_addresses(b, devices, spec->mark.uuid);
	if (spec->max_memory_mib > spec->memory_mib)
		add_balloon(b, devices, spec);
	add_ports(b, devices, spec);
	add_own_disks(b, devices, spec);
	if (spec->volume[0])
		add_volume(b, devices, spec->volume);
}

char *domain_xml_build(const struct domain_spec *spec,
		       const struct host_site *site, struct error *err)
{
	bool fresh = spec->template.length == 0;
	struct xml_builder b = { .err = err };
	xmlDocPtr doc = fresh ? xml_document("domain", err) :
				xml_parse(spec->template, err);
	char *text = NULL;

	if (!doc)
		return fresh ? NULL : (error_wrap(err, "template"), NULL);
	xmlNodePtr root = xmlDocGetRootElement(doc);
	if (!root || !xml_is(root, "domain")) {
		error_set(err, "template: its root element is not <domain>");
		b.failed = true;
	} else if (fresh) {
		build_fresh(&b, root, spec, site);
	} else {
		build_from_template(&b, root, spec, site);
	}
	if (!b.failed)
		text = xml_print(doc, err);
	xmlFreeDoc(doc);
	return text;
}
