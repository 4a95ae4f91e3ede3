/*
 * What machines are made from: files of the operator's, read through libvirt
 * so that it works on every host, and never changed.  A file that lies in no
 * pool gets a transient one over its folder for as long as the look takes;
 * ending such a pool deletes nothing.
 */
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/hypervisor/storage_internal.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

static enum wire_result open_folder(struct storage *st, const char *path,
				    struct storage_source *source,
				    struct error *err)
{
	static atomic_uint number;
	char folder[STORAGE_KEY_MAX], name[128];
	const char *slash = strrchr(path, '/');

	text_copy_slice(folder, sizeof(folder),
			(struct slice){ path, slash == path ? 1 :
					(uint32_t)(slash - path) });
	/* Unique: several processes of a site may look at once. */
	snprintf(name, sizeof(name), "%s-look-%d-%u", st->name, (int)getpid(),
		 atomic_fetch_add(&number, 1));
	char *xml = storage_pool_xml(name, folder, err);
	if (!xml)
		return WIRE_FAILED;
	source->temporary = virStoragePoolCreateXML(st->conn, xml, 0);
	xmlFree(xml);
	if (!source->temporary) {
		virt_error(err, "its folder cannot be read");
		return WIRE_FAILED;
	}
	return WIRE_OK;
}

enum wire_result storage_source_open(struct storage *st, const char *path,
				     struct storage_source *source,
				     struct error *err)
{
	virStorageVolInfo info;
	enum wire_result result = WIRE_OK;

	*source = (struct storage_source){ 0 };
	if (path[0] != '/') {
		error_set(err, "%s is not an absolute path", path);
		return WIRE_FAILED;
	}
	source->volume = virStorageVolLookupByPath(st->conn, path);
	if (!source->volume)
		result = open_folder(st, path, source, err);
	if (!source->volume && result == WIRE_OK)
		source->volume = virStorageVolLookupByPath(st->conn, path);
	if (result == WIRE_OK && (!source->volume ||
				  virStorageVolGetInfo(source->volume, &info) < 0)) {
		virt_error(err, "it is not there");
		result = WIRE_FAILED;
	}
	if (result != WIRE_OK) {
		storage_source_close(source);
		error_wrap(err, "%s", path);
		return result;
	}
	source->capacity = info.capacity;
	return WIRE_OK;
}

void storage_source_close(struct storage_source *source)
{
	if (source->volume)
		virStorageVolFree(source->volume);
	if (source->temporary) {
		virStoragePoolDestroy(source->temporary);
		virStoragePoolFree(source->temporary);
	}
	*source = (struct storage_source){ 0 };
}

static enum wire_result read_file(struct storage_file *file, const char *xml,
				  struct error *err)
{
	char mtime[32] = "?", size[24] = "?";
	xmlDocPtr doc = xml_parse(slice_of(xml), err);

	if (!doc)
		return WIRE_FAILED;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xmlNodePtr format = xml_path(root, "target/format");
	bool ok = xml_get_attribute(format, "type", file->format,
				    sizeof(file->format));
	xml_get_text(xml_path(root, "target/timestamps/mtime"), mtime,
		     sizeof(mtime));
	xml_get_text(xml_path(root, "physical"), size, sizeof(size));
	snprintf(file->stamp, sizeof(file->stamp), "%s/%s", mtime, size);
	xmlFreeDoc(doc);
	if (ok)
		return WIRE_OK;
	error_set(err, "its format is not known");
	return WIRE_FAILED;
}

enum wire_result storage_look(struct storage *st, struct storage_file *file,
			      struct error *err)
{
	struct storage_source source;
	enum wire_result result = storage_source_open(st, file->path, &source,
						      err);

	if (result != WIRE_OK)
		return result;
	char *xml = virStorageVolGetXMLDesc(source.volume, 0);
	if (!xml) {
		virt_error(err, "it cannot be read");
		result = WIRE_FAILED;
	} else {
		result = read_file(file, xml, err);
	}
	free(xml);
	file->capacity = source.capacity;
	storage_source_close(&source);
	if (result != WIRE_OK)
		error_wrap(err, "%s", file->path);
	return result;
}
