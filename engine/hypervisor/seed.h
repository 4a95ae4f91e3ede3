/*
 * The seed of cloud-init's NoCloud source: an ISO 9660 image labelled "cidata"
 * with user-data, meta-data and, when given, network-config
 * (cloudinit.readthedocs.io, datasource NoCloud).  Written in memory by
 * libisofs, with Joliet and Rock Ridge names; no file and no other program.
 */
#ifndef REMUDA_HYPERVISOR_SEED_H
#define REMUDA_HYPERVISOR_SEED_H

#include <stddef.h>

#include "engine/base/text.h"

struct error;

/* The image in malloc'd memory; NULL with err.  Any thread. */
char *seed_build(struct slice user_data, struct slice meta_data,
		 struct slice network_config, size_t *length, struct error *err);

#endif
