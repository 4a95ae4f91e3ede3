/* See overlay.h.  Runs on worker threads. */
#include "engine/hypervisor/overlay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/clone.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/xml.h"

/* Is it written to?  CD-ROMs and shared seeds are not. */
static bool is_written(xmlNodePtr disk)
{
	char device[16] = "disk";

	xml_get_attribute(disk, "device", device, sizeof(device));
	return !xml_child(disk, "readonly") && strcmp(device, "disk") == 0;
}

static bool is_own(const char *path, const struct host_site *site,
		   const char *machine)
{
	size_t folder = strlen(site->storage), name = strlen(machine);

	return folder && strncmp(path, site->storage, folder) == 0 &&
	       path[folder] == '/' && !strchr(path + folder + 1, '/') &&
	       strncmp(path + folder + 1, machine, name) == 0 &&
	       path[folder + 1 + name] == '.';
}

int overlay_read(xmlNodePtr root, const struct host_site *site,
		 const char *machine, struct overlay_disks *out,
		 struct error *err)
{
	xmlNodePtr devices = xml_child(root, "devices");

	out->count = 0;
	if (xml_path(root, "os/nvram"))
		return error_set(err, "its firmware's variables are written in place and cannot go back with the RAM");
	for (xmlNodePtr d = xml_child(devices, "disk"); d; d = xml_next(d, "disk")) {
		char target[16] = "?", path[DOMAIN_PATH_MAX] = "";

		if (!is_written(d))
			continue;
		xml_get_attribute(xml_child(d, "target"), "dev", target,
				  sizeof(target));
		xml_get_attribute(xml_child(d, "source"), "file", path,
				  sizeof(path));
		if (!is_own(path, site, machine) || out->count == DOMAIN_DISKS_MAX)
			return error_set(err, "its disk %s is written in place and cannot go back with the RAM",
					 target);
		TEXT_SET(out->paths[out->count], path);
		out->count++;
	}
	return 0;
}

int overlay_freeze(const struct overlay_disks *disks, struct error *err)
{
	for (int i = 0; i < disks->count; i++)
		if (chmod(disks->paths[i], 0444) < 0)
			return error_errno(err, "%s cannot be made read-only",
					   disks->paths[i]);
	return 0;
}

/* The disk's source, format and no memory of what was behind it. */
static void set_source(struct xml_builder *b, xmlNodePtr disk, const char *path)
{
	xmlNodePtr driver = xml_child(disk, "driver");

	xml_set(b, xml_child(disk, "source"), "file", path);
	xml_remove(disk, "backingStore");
	if (!driver)
		driver = xml_add(b, disk, "driver", NULL);
	xml_set(b, driver, "name", "qemu");
	xml_set(b, driver, "type", "qcow2");
}

static enum wire_result make_one(struct job *job, struct storage *st,
				 xmlNodePtr disk, struct slice *names,
				 struct error *err)
{
	struct xml_builder b = { .err = err };
	struct storage_file backing = { .capacity = 0 };
	struct storage_volume made;
	char name[STORAGE_NAME_MAX];

	if (!clone_next_name(names, name)) {
		error_set(err, "the image has more disks than overlays were named");
		return WIRE_FAILED;
	}
	xml_get_attribute(xml_child(disk, "source"), "file", backing.path,
			  sizeof(backing.path));
	xml_get_attribute(xml_child(disk, "driver"), "type", backing.format,
			  sizeof(backing.format));
	enum wire_result result = storage_look(st, &backing, err);
	if (result == WIRE_OK)
		result = storage_overlay(st, name, &backing, 0, &made, err);
	if (result != WIRE_OK)
		return result;
	clone_tell_made(job, job->m.domain_restore.machine, &made);
	set_source(&b, disk, made.key);
	return b.failed ? WIRE_FAILED : WIRE_OK;
}

enum wire_result overlay_make(struct job *job, struct storage *st,
			      xmlNodePtr root, struct error *err)
{
	xmlNodePtr devices = xml_child(root, "devices");
	struct slice names = job->m.domain_restore.disks;
	enum wire_result result = WIRE_OK;

	for (xmlNodePtr d = xml_child(devices, "disk"); d && result == WIRE_OK;
	     d = xml_next(d, "disk"))
		if (is_written(d))
			result = make_one(job, st, d, &names, err);
	if (result == WIRE_OK && names.length) {
		error_set(err, "more overlays were named than the image has disks");
		result = WIRE_FAILED;
	}
	return result;
}

enum wire_result overlay_drop(struct job *job, struct storage *st,
			      struct error *err)
{
	struct slice list = job->m.domain_restore.drop;
	enum wire_result result = WIRE_OK;
	char item[STORAGE_NAME_MAX];

	/* NAME/INODE/SINCE: see WIRE_domain_restore. */
	while (result == WIRE_OK && clone_next_name(&list, item)) {
		struct storage_volume v = { .inode = 0 };
		int64_t since_ms = 0;
		char *slash = strchr(item, '/');

		if (!slash || sscanf(slash, "/%" SCNu64 "/%" SCNd64, &v.inode,
				     &since_ms) != 2) {
			error_set(err, "\"%s\" names no volume to drop", item);
			return WIRE_FAILED;
		}
		*slash = '\0';
		TEXT_SET(v.name, item);
		if (v.inode &&
		    snprintf(v.key, sizeof(v.key), "%s/%s",
			     job->role->host.site.storage,
			     item) >= (int)sizeof(v.key)) {
			error_set(err, "the path of %s is too long", item);
			return WIRE_FAILED;
		}
		result = storage_delete(st, &v, since_ms, err);
	}
	return result;
}
