/*
 * See storage.h: the pool, making and deleting.  Files of the operator's that
 * machines are made from are looked at in storage_look.c.
 */
#include "engine/hypervisor/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/host.h"
#include "engine/hypervisor/storage_internal.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

enum {
	/* A file's birth is stamped by the kernel's coarse clock. */
	BIRTH_SLACK_MS = 1000,
};

char *storage_pool_xml(const char *name, const char *directory,
		       struct error *err)
{
	struct xml_builder b = { .err = err };
	xmlDocPtr doc = xml_document("pool", err);

	if (!doc)
		return NULL;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xml_set(&b, root, "type", "dir");
	xml_add(&b, root, "name", name);
	xml_add(&b, xml_add(&b, root, "target", NULL), "path", directory);
	char *text = b.failed ? NULL : xml_print(doc, err);
	xmlFreeDoc(doc);
	return text;
}

/*
 * Transient: it leaves no definition in the daemon's configuration, and is
 * made anew when the daemon has forgotten it.  On this machine the engine made
 * the folder, with its owner; elsewhere libvirt makes it.
 */
static enum wire_result make_pool(struct storage *st, const char *directory,
				  struct error *err)
{
	char *xml = storage_pool_xml(st->name, directory, err);

	if (!xml)
		return WIRE_FAILED;
	st->pool = virStoragePoolCreateXML(st->conn, xml, st->local ? 0 :
					   VIR_STORAGE_POOL_CREATE_WITH_BUILD);
	enum wire_result result = st->pool ? WIRE_OK :
		virt_error(err, "cannot make the storage pool");
	xmlFree(xml);
	/* Another host of the site may be the same daemon. */
	if (!st->pool)
		st->pool = virStoragePoolLookupByName(st->conn, st->name);
	return st->pool ? WIRE_OK : result;
}

/* A pool of that name must be a directory pool over our directory. */
static enum wire_result check_pool(const struct storage *st,
				   const char *directory, struct error *err)
{
	char type[16] = "", path[STORAGE_KEY_MAX] = "";
	char *xml = virStoragePoolGetXMLDesc(st->pool, 0);

	if (!xml)
		return virt_error(err, "cannot read the storage pool");
	xmlDocPtr doc = xml_parse(slice_of(xml), err);
	free(xml);
	if (!doc)
		return WIRE_FAILED;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xml_get_attribute(root, "type", type, sizeof(type));
	xml_get_text(xml_path(root, "target/path"), path, sizeof(path));
	xmlFreeDoc(doc);
	if (strcmp(type, "dir") == 0 && strcmp(path, directory) == 0)
		return WIRE_OK;
	error_set(err, "a storage pool %s of type %s over %s exists that is not this site's (it wants %s); rename the site, or remove that pool with virsh pool-destroy and pool-undefine",
		  st->name, type, path, directory);
	return WIRE_FAILED;
}

/* An operator may have defined it, and it may be stopped. */
static enum wire_result start_pool(struct storage *st, struct error *err)
{
	if (virStoragePoolIsActive(st->pool) == 1 ||
	    virStoragePoolCreate(st->pool, 0) == 0 ||
	    virStoragePoolIsActive(st->pool) == 1)
		return WIRE_OK;
	return virt_error(err, "cannot start the storage pool");
}

enum wire_result storage_open(struct storage *st, virConnectPtr conn,
			      const struct host_facts *facts,
			      const struct host_site *site, struct error *err)
{
	enum wire_result result = WIRE_OK;

	*st = (struct storage){ .conn = conn, .local = facts->local };
	if (facts->kind == HOST_TEST || !site->storage[0]) {
		error_set(err, "this host has no storage for machines made from a domain or an image");
		return WIRE_FAILED;
	}
	snprintf(st->name, sizeof(st->name), "remuda-%s", site->site);
	st->pool = virStoragePoolLookupByName(conn, st->name);
	if (!st->pool && !virt_error_is(VIR_ERR_NO_STORAGE_POOL))
		result = virt_error(err, "cannot look for the storage pool");
	else if (!st->pool)
		result = make_pool(st, site->storage, err);
	if (result == WIRE_OK)
		result = check_pool(st, site->storage, err);
	if (result == WIRE_OK)
		result = start_pool(st, err);
	if (result != WIRE_OK) {
		storage_close(st);
		error_wrap(err, "storage of site %s", site->site);
	}
	return result;
}

void storage_close(struct storage *st)
{
	if (st->pool)
		virStoragePoolFree(st->pool);
	st->pool = NULL;
}

static char *volume_xml(const char *name, const char *format, uint64_t capacity,
			const struct storage_file *backing, struct error *err)
{
	struct xml_builder b = { .err = err };
	xmlDocPtr doc = xml_document("volume", err);
	char bytes[24];

	if (!doc)
		return NULL;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xml_add(&b, root, "name", name);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)capacity);
	xml_set(&b, xml_add(&b, root, "capacity", bytes), "unit", "bytes");
	/* A copy is filled as it is made; the rest grows by use. */
	xml_set(&b, xml_add(&b, root, "allocation", "0"), "unit", "bytes");
	xmlNodePtr target = xml_add(&b, root, "target", NULL);
	xml_set(&b, xml_add(&b, target, "format", NULL), "type", format);
	xmlNodePtr permissions = xml_add(&b, target, "permissions", NULL);
	xml_add(&b, permissions, "mode", "0600");
	if (backing) {
		xmlNodePtr store = xml_add(&b, root, "backingStore", NULL);

		xml_add(&b, store, "path", backing->path);
		xml_set(&b, xml_add(&b, store, "format", NULL), "type",
			backing->format);
	}
	char *text = b.failed ? NULL : xml_print(doc, err);
	xmlFreeDoc(doc);
	return text;
}

/* What was made, by the words of the file system where that is ours. */
enum wire_result storage_read(const struct storage *st, virStorageVolPtr vol,
			      struct storage_volume *out, struct error *err)
{
	const char *name = virStorageVolGetName(vol);
	const char *key = virStorageVolGetKey(vol);
	struct stat file;

	*out = (struct storage_volume){ .inode = STORAGE_INODE_REMOTE };
	if (!key || !name || !text_copy(out->key, sizeof(out->key), key) ||
	    !TEXT_SET(out->name, name)) {
		error_set(err, "a volume without key or name");
		return WIRE_UNKNOWN;
	}
	if (!st->local)
		return WIRE_OK;
	if (lstat(key, &file) < 0) {
		error_errno(err, "volume %s cannot be seen", key);
		return WIRE_UNKNOWN;
	}
	out->inode = file.st_ino;
	return WIRE_OK;
}

static enum wire_result check_name_free(struct storage *st, const char *name,
					struct error *err)
{
	virStorageVolPtr vol = virStorageVolLookupByName(st->pool, name);

	if (!vol && virt_error_is(VIR_ERR_NO_STORAGE_VOL))
		return WIRE_OK;
	if (!vol) {
		virt_error(err, "cannot look for the volume");
		return WIRE_FAILED;
	}
	virStorageVolFree(vol);
	error_set(err, "the pool %s has a volume %s that no machine owns; look with `remuda gc --dry-run`",
		  st->name, name);
	return WIRE_FAILED;
}

/* from and backing: at most one. */
static enum wire_result make(struct storage *st, const char *name,
			     const char *format, uint64_t capacity,
			     const struct storage_file *backing,
			     virStorageVolPtr from, virStorageVolPtr *vol,
			     struct storage_volume *out, struct error *err)
{
	enum wire_result result = check_name_free(st, name, err);
	char *xml = result == WIRE_OK ?
		volume_xml(name, format, capacity, backing, err) : NULL;

	*vol = NULL;
	if (!xml)
		return WIRE_FAILED;
	*vol = from ? virStorageVolCreateXMLFrom(st->pool, xml, from, 0) :
		      virStorageVolCreateXML(st->pool, xml, 0);
	if (!*vol) {
		char what[STORAGE_NAME_MAX + 32];

		snprintf(what, sizeof(what), "cannot make the volume %s", name);
		result = virt_error(err, what);
	}
	xmlFree(xml);
	return *vol ? storage_read(st, *vol, out, err) : result;
}

enum wire_result storage_overlay(struct storage *st, const char *name,
				 const struct storage_file *backing,
				 uint64_t capacity, struct storage_volume *out,
				 struct error *err)
{
	struct storage_file seen = *backing;
	virStorageVolPtr vol;

	/* libvirt wants a size said, even where it is the backing's. */
	if (!seen.capacity && storage_look(st, &seen, err) != WIRE_OK)
		return WIRE_FAILED;
	if (capacity < seen.capacity)
		capacity = seen.capacity;
	enum wire_result result = make(st, name, "qcow2", capacity, backing,
				       NULL, &vol, out, err);
	if (vol)
		virStorageVolFree(vol);
	return result;
}

static enum wire_result upload(struct storage *st, virStorageVolPtr vol,
			       struct slice bytes, struct error *err)
{
	virStreamPtr stream = virStreamNew(st->conn, 0);
	uint32_t sent = 0;

	if (!stream)
		return virt_error(err, "no stream");
	if (virStorageVolUpload(vol, stream, 0, bytes.length, 0) < 0)
		goto failed;
	while (sent < bytes.length) {
		int n = virStreamSend(stream, bytes.ptr + sent,
				      bytes.length - sent);

		if (n < 0) {
			virStreamAbort(stream);
			goto failed;
		}
		sent += (uint32_t)n;
	}
	if (virStreamFinish(stream) < 0)
		goto failed;
	virStreamFree(stream);
	return WIRE_OK;
failed:
	virt_error(err, "cannot fill the volume");
	virStreamFree(stream);
	return WIRE_FAILED;
}

enum wire_result storage_bytes(struct storage *st, const char *name,
			       struct slice bytes, struct storage_volume *out,
			       struct error *err)
{
	virStorageVolPtr vol;
	enum wire_result result = make(st, name, "raw", bytes.length, NULL,
				       NULL, &vol, out, err);

	if (result == WIRE_OK)
		result = upload(st, vol, bytes, err);
	if (vol)
		virStorageVolFree(vol);
	return result;
}

enum wire_result storage_copy(struct storage *st, const char *name,
			      const char *format,
			      const struct storage_file *from,
			      uint64_t capacity, struct storage_volume *out,
			      struct error *err)
{
	struct storage_source source;
	virStorageVolPtr vol = NULL;
	enum wire_result result = storage_source_open(st, from->path, &source,
						      err);

	if (result != WIRE_OK)
		return result;
	result = make(st, name, format, source.capacity, NULL, source.volume,
		      &vol, out, err);
	if (result == WIRE_OK && capacity > source.capacity &&
	    virStorageVolResize(vol, capacity, 0) < 0)
		result = virt_error(err, "cannot grow the volume");
	if (vol)
		virStorageVolFree(vol);
	storage_source_close(&source);
	return result;
}

/* When the file came to be, in ms since 1970; where the file system does not
 * say: when it last changed, which is not before. */
static int64_t birth_ms(const char *path)
{
	struct statx x;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_CTIME,
		  &x) < 0)
		return INT64_MAX;
	const struct statx_timestamp *t =
		x.stx_mask & STATX_BTIME ? &x.stx_btime : &x.stx_ctime;
	return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* Is the file at key the volume the row speaks of?  *there: a file is there. */
static bool is_volume(const struct storage_volume *v, const char *key,
		      int64_t since_wall_ms, bool *there)
{
	struct stat file;

	*there = lstat(key, &file) == 0 || errno != ENOENT;
	if (!*there)
		return false;
	if (v->inode)
		return file.st_ino == v->inode && S_ISREG(file.st_mode);
	return birth_ms(key) >= since_wall_ms - BIRTH_SLACK_MS;
}

static enum wire_result delete_found(const struct storage *st,
				     const struct storage_volume *v,
				     virStorageVolPtr vol, int64_t since_wall_ms,
				     struct error *err)
{
	const char *key = virStorageVolGetKey(vol);
	bool there = true;

	if (!key || (v->key[0] && strcmp(key, v->key) != 0) ||
	    (st->local && !is_volume(v, key, since_wall_ms, &there))) {
		if (there)
			log_warn("volume %s is another file than we made; left alone",
				 v->name);
		else	/* libvirt has not noticed yet */
			virStoragePoolRefresh(st->pool, 0);
		return WIRE_OK;
	}
	if (virStorageVolDelete(vol, 0) < 0 &&
	    !virt_error_is(VIR_ERR_NO_STORAGE_VOL)) {
		char what[STORAGE_NAME_MAX + 32];

		snprintf(what, sizeof(what), "cannot delete the volume %s",
			 v->name);
		return virt_error(err, what);
	}
	return WIRE_OK;
}

enum wire_result storage_delete(struct storage *st,
				const struct storage_volume *v,
				int64_t since_wall_ms, struct error *err)
{
	virStorageVolPtr vol = virStorageVolLookupByName(st->pool, v->name);
	bool there = true;

	if (!vol && virt_error_is(VIR_ERR_NO_STORAGE_VOL)) {
		if (st->local && v->key[0] && (!is_volume(v, v->key, 0, &there)))
			return WIRE_OK;
		/* There, or not to be seen from here: libvirt may have missed it. */
		if (virStoragePoolRefresh(st->pool, 0) < 0)
			return virt_error(err, "cannot look into the storage pool");
		vol = virStorageVolLookupByName(st->pool, v->name);
	}
	if (!vol && virt_error_is(VIR_ERR_NO_STORAGE_VOL))
		return WIRE_OK;
	if (!vol)
		return virt_error(err, "cannot look for the volume");
	enum wire_result result = delete_found(st, v, vol, since_wall_ms, err);
	virStorageVolFree(vol);
	return result;
}
