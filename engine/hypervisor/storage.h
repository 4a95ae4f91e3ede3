/*
 * Remuda's volumes, through libvirt's storage API (decisions.md 28): one
 * directory pool remuda-SITE of ours on each connection, and files in it.
 *
 *   MACHINE.BUILT.qcow2     disk of a machine's build (-2, -3: further disks)
 *   MACHINE.BUILT.N.qcow2   overlay of its incarnation N on that
 *   MACHINE.BUILT-seed.iso  cloud-init data
 *   MACHINE.BUILT.ram       RAM image
 *
 * Nothing here decides what may go: what is deleted was named by a row, by
 * key and inode, and something else found under that name stays.  All calls
 * block; worker threads only.
 */
#ifndef REMUDA_HYPERVISOR_STORAGE_H
#define REMUDA_HYPERVISOR_STORAGE_H

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/text.h"
#include "engine/wire/message.h"

struct error;
struct host_facts;
struct host_site;

enum {
	STORAGE_NAME_MAX = 128,
	STORAGE_KEY_MAX = 1024,
	STORAGE_STAMP_MAX = 64,
	STORAGE_FORMAT_MAX = 16,
	/* Stands for the inode of a file on another machine, where it cannot
	 * be read: such a volume is known by its key alone. */
	STORAGE_INODE_REMOTE = 1,
};

/* The site's pool, running. */
struct storage {
	virConnectPtr conn;	/* borrowed */
	virStoragePoolPtr pool;
	bool local;
	char name[80];
};

struct storage_volume {
	char name[STORAGE_NAME_MAX];
	char key[STORAGE_KEY_MAX];	/* libvirt's; the path of the file */
	uint64_t inode;
};

/* Any file of the host that machines are made from. */
struct storage_file {
	char path[STORAGE_KEY_MAX];
	char format[STORAGE_FORMAT_MAX];	/* "qcow2", "raw" ... */
	uint64_t capacity;			/* bytes a guest sees */
	/* Changes when the file is written: time of the last change and size. */
	char stamp[STORAGE_STAMP_MAX];
};

/*
 * Finds the pool, makes and starts it when missing.  A pool of that name
 * over another directory is not ours: refused, and nothing is changed.
 */
enum wire_result storage_open(struct storage *st, virConnectPtr conn,
			      const struct host_facts *facts,
			      const struct host_site *site, struct error *err);
void storage_close(struct storage *st);

/*
 * The three ways to make a volume.  All refuse a name that is taken; on
 * WIRE_OK out tells what was made, on WIRE_UNKNOWN it may be there.
 * overlay: qcow2 on backing (its path and format must be set, capacity may);
 * capacity in bytes, never less than the backing's own.
 */
enum wire_result storage_overlay(struct storage *st, const char *name,
				 const struct storage_file *backing,
				 uint64_t capacity, struct storage_volume *out,
				 struct error *err);
/* A raw file holding bytes. */
enum wire_result storage_bytes(struct storage *st, const char *name,
			       struct slice bytes, struct storage_volume *out,
			       struct error *err);
/* A full copy as qcow2 or raw, grown to capacity when that is more. */
enum wire_result storage_copy(struct storage *st, const char *name,
			      const char *format,
			      const struct storage_file *from,
			      uint64_t capacity, struct storage_volume *out,
			      struct error *err);

/* Which file a volume is. */
enum wire_result storage_read(const struct storage *st, virStorageVolPtr vol,
			      struct storage_volume *out, struct error *err);

/*
 * Done when no file with this key and inode is there (any more).  inode 0: its
 * making was intended and perhaps done (key unknown): then a file of that name
 * goes only if it is younger than since_wall_ms.
 */
enum wire_result storage_delete(struct storage *st,
				const struct storage_volume *v,
				int64_t since_wall_ms, struct error *err);

/* Fills format, capacity and stamp of file->path; WIRE_FAILED with a reason
 * that names the path when it is not there. */
enum wire_result storage_look(struct storage *st, struct storage_file *file,
			      struct error *err);

#endif
