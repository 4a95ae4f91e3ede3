/* See clone_xml.h. */
#include "engine/hypervisor/clone_xml.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"

/* A disk the guest writes to: not a medium, not read-only. */
static bool is_written(const xmlNode *disk)
{
	char device[16];

	if (xml_get_attribute(disk, "device", device, sizeof(device)) &&
	    strcmp(device, "disk") != 0 && strcmp(device, "lun") != 0)
		return false;
	return !xml_child(disk, "readonly");
}

static int read_disk(const xmlNode *disk, struct storage_file *file,
		     struct error *err)
{
	char type[16] = "file", dev[32] = "?";

	xml_get_attribute(xml_child(disk, "target"), "dev", dev, sizeof(dev));
	xml_get_attribute(disk, "type", type, sizeof(type));
	if (strcmp(type, "file") != 0)
		return error_set(err, "its disk %s is of type %s: only files can be cloned; convert it with qemu-img, or write a template",
				 dev, type);
	if (xml_child(disk, "shareable"))
		return error_set(err, "its disk %s is shared with other domains; take <shareable/> out, or write a template",
				 dev);
	if (!xml_get_attribute(xml_child(disk, "source"), "file", file->path,
			       sizeof(file->path)) || file->path[0] != '/')
		return error_set(err, "its disk %s has no file; detach it", dev);
	if (!xml_get_attribute(xml_child(disk, "driver"), "type", file->format,
			       sizeof(file->format)))
		TEXT_SET(file->format, "raw");	/* as libvirt has it */
	return 0;
}

/* Firmware that keeps variables must have its file: libvirt would make one
 * for each clone in a place of its own and leave it there. */
static int check_firmware(const xmlNode *os, const char *nvram,
			  struct error *err)
{
	char text[16] = "";

	xml_get_attribute(os, "firmware", text, sizeof(text));
	if (!text[0])
		xml_get_attribute(xml_child(os, "loader"), "type", text,
				  sizeof(text));
	if ((strcmp(text, "efi") != 0 && strcmp(text, "pflash") != 0) || nvram[0])
		return 0;
	return error_set(err, "its firmware has no file for its variables yet; start it once and shut it off");
}

/* Devices that are one piece of the host. */
static int check_devices(const xmlNode *devices, struct error *err)
{
	static const struct {
		const char *name, *what;
	} refused[] = {
		{ "hostdev", "a device of the host" },
		{ "filesystem", "a folder of the host" },
		{ "shmem", "memory shared with others" },
		{ "lease", "a lock lease" },
	};
	char type[16];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (xml_child(devices, refused[i].name))
			return error_set(err, "it has %s (<%s>), which its clones cannot share; detach it, or write a template",
					 refused[i].what, refused[i].name);
	for (const xmlNode *nic = xml_child(devices, "interface"); nic;
	     nic = xml_next(nic, "interface"))
		if (xml_get_attribute(nic, "type", type, sizeof(type)) &&
		    (strcmp(type, "hostdev") == 0 || strcmp(type, "vdpa") == 0))
			return error_set(err, "it has an interface of type %s, a device of the host; use a network or a bridge",
					 type);
	return 0;
}

int clone_read(const char *xml, struct clone_source *out, struct error *err)
{
	xmlDocPtr doc = xml_parse(slice_of(xml), err);
	int rc;

	*out = (struct clone_source){ 0 };
	if (!doc)
		return -1;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xmlNodePtr devices = xml_child(root, "devices");
	rc = check_devices(devices, err);
	for (const xmlNode *d = xml_child(devices, "disk"); d && rc == 0;
	     d = xml_next(d, "disk")) {
		if (!is_written(d))
			continue;
		if (out->disk_count == CLONE_DISKS_MAX)
			rc = error_set(err, "it has more than %d disks",
				       CLONE_DISKS_MAX);
		else
			rc = read_disk(d, &out->disks[out->disk_count++], err);
	}
	if (rc == 0 && out->disk_count == 0)
		rc = error_set(err, "it has no disk to clone; write a template");
	xml_get_text(xml_path(root, "os/nvram"), out->nvram,
		     sizeof(out->nvram));
	if (rc == 0)
		rc = check_firmware(xml_child(root, "os"), out->nvram, err);
	xmlFreeDoc(doc);
	return rc;
}

static void unset(xmlNodePtr node, const char *attribute)
{
	if (node)
		xmlUnsetProp(node, BAD_CAST attribute);
}

static void replace_disk(struct xml_builder *b, xmlNodePtr disk,
			 const char *path)
{
	xmlNodePtr driver = xml_child(disk, "driver");

	/* A chain written down is that of the original. */
	xml_remove(disk, "backingStore");
	xml_remove(disk, "source");
	xmlNodePtr source = xml_add(b, disk, "source", NULL);
	xml_set(b, source, "file", path);
	if (!driver) {
		driver = xml_add(b, disk, "driver", NULL);
		xml_set(b, driver, "name", "qemu");
	}
	xml_set(b, driver, "type", "qcow2");
	/* Two domains with one serial are one disk to what reads it. */
	xml_remove(disk, "wwn");
}

/* A channel, console or serial line with a place of its own on the host. */
static void unbind_lines(struct xml_builder *b, xmlNodePtr devices,
			 const char *name)
{
	char type[16];

	for (xmlNodePtr line = xml_child(devices, name); line;
	     line = xml_next(line, name)) {
		if (!xml_get_attribute(line, "type", type, sizeof(type)) ||
		    strcmp(type, "spicevmc") == 0 ||
		    strcmp(type, "qemu-vdagent") == 0)
			continue;
		xml_remove(line, "source");
		xml_remove(line, "protocol");
		xml_remove(line, "log");
		if (strcmp(name, "channel") != 0)
			xml_set(b, line, "type", "pty");
		else
			xml_set(b, line, "type", "unix");
	}
}

static void unbind_graphics(struct xml_builder *b, xmlNodePtr devices)
{
	for (xmlNodePtr g = xml_child(devices, "graphics"); g;
	     g = xml_next(g, "graphics")) {
		unset(g, "port");
		unset(g, "tlsPort");
		unset(g, "websocket");
		unset(g, "socket");
		xml_set(b, g, "autoport", "yes");
	}
}

static void unbind_identity(struct xml_builder *b, xmlNodePtr root,
			    xmlNodePtr devices, const char *nvram)
{
	xmlNodePtr os = xml_child(root, "os");
	xmlNodePtr variables = xml_child(os, "nvram");
	xmlNodePtr genid = xml_child(root, "genid");

	if (variables && nvram[0])
		xml_set_text(b, variables, nvram);
	else if (os)
		xml_remove(os, "nvram");
	if (genid)	/* libvirt makes a new one */
		xml_set_text(b, genid, "");
	/* It may repeat the uuid, and must then be the domain's own. */
	xml_remove(root, "sysinfo");
	if (os)
		xml_remove(os, "smbios");
	for (xmlNodePtr v = xml_child(devices, "vsock"); v;
	     v = xml_next(v, "vsock")) {
		xmlNodePtr cid = xml_child(v, "cid");

		unset(cid, "address");
		xml_set(b, cid, "auto", "yes");
	}
}

void clone_unbind(struct xml_builder *b, xmlNodePtr root,
		  const char (*disks)[STORAGE_KEY_MAX], int disk_count,
		  const char *nvram)
{
	xmlNodePtr devices = xml_child(root, "devices");
	int i = 0;

	for (xmlNodePtr d = xml_child(devices, "disk"); d; d = xml_next(d, "disk"))
		if (is_written(d) && i < disk_count)
			replace_disk(b, d, disks[i++]);
	for (xmlNodePtr nic = xml_child(devices, "interface"); nic;
	     nic = xml_next(nic, "interface"))
		xml_remove(nic, "target");
	unbind_lines(b, devices, "channel");
	unbind_lines(b, devices, "serial");
	unbind_lines(b, devices, "console");
	unbind_lines(b, devices, "parallel");
	unbind_graphics(b, devices);
	unbind_identity(b, root, devices, nvram);
}
