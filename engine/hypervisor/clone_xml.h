/*
 * An operator's domain as what machines are made from (spec 1.2a): which of its
 * files a clone needs of its own, and its XML without what is bound to it.
 * Pure: no libvirt calls, no files.
 */
#ifndef REMUDA_HYPERVISOR_CLONE_XML_H
#define REMUDA_HYPERVISOR_CLONE_XML_H

#include "engine/hypervisor/storage.h"
#include "engine/hypervisor/xml.h"

enum { CLONE_DISKS_MAX = 8 };

struct clone_source {
	int disk_count;		/* that a guest writes, in XML order */
	struct storage_file disks[CLONE_DISKS_MAX];	/* path and format */
	char nvram[STORAGE_KEY_MAX];	/* firmware's variables, or "" */
};

/* Reads the inactive XML of a domain.  -1 with the device and the fix when it
 * has what cannot be cloned: host devices, disks that are no plain files,
 * folders of the host. */
int clone_read(const char *xml, struct clone_source *out, struct error *err);

/*
 * Takes out of a <domain> what only one may have: addresses, sockets, tty and
 * tap names, identities.  Its i-th written disk becomes disks[i] (qcow2), its
 * variables nvram (a path, or "" for none).
 */
void clone_unbind(struct xml_builder *b, xmlNodePtr root,
		  const char (*disks)[STORAGE_KEY_MAX], int disk_count,
		  const char *nvram);

#endif
