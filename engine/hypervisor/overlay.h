/*
 * The disks of a machine with an image.  What prepare wrote becomes read-only
 * backing when it is saved; each restore gets an overlay of its own on it, and
 * the one before is unlinked.  A disk that is not a volume of the machine's own
 * cannot go back with its RAM: such a machine is not saved.
 */
#ifndef REMUDA_HYPERVISOR_OVERLAY_H
#define REMUDA_HYPERVISOR_OVERLAY_H

#include <libvirt/libvirt.h>
#include <libxml/tree.h>

#include "engine/hypervisor/domain_xml.h"
#include "engine/hypervisor/storage.h"

struct error;
struct job;

struct overlay_disks {
	int count;
	char paths[DOMAIN_DISKS_MAX][DOMAIN_PATH_MAX];
};

/* The written disks of a domain; -1 with err when one is not the machine's own
 * volume in the site's folder, or its firmware writes variables. */
int overlay_read(xmlNodePtr root, const struct host_site *site,
		 const char *machine, struct overlay_disks *out,
		 struct error *err);
/* Nobody writes to them any more. */
int overlay_freeze(const struct overlay_disks *disks, struct error *err);
/*
 * For a domain_restore: makes the overlays it names, one for each disk, telling
 * the engine of each (volume_made), and puts them into the XML.
 */
enum wire_result overlay_make(struct job *job, struct storage *st,
			      xmlNodePtr root, struct error *err);
/* Deletes the volumes it drops; the domain has ended. */
enum wire_result overlay_drop(struct job *job, struct storage *st,
			      struct error *err);

#endif
