/*
 * How much room is left where the site's volumes and RAM images lie
 * (decisions.md 36).  Blocks; worker threads only.
 */
#ifndef REMUDA_HYPERVISOR_ROOM_H
#define REMUDA_HYPERVISOR_ROOM_H

#include <stdint.h>

#include "engine/hypervisor/host.h"

/* Free MiB of the host's storage; -1 when nobody can say. */
int64_t room_left_mib(virConnectPtr conn, const struct host_facts *facts,
		      const struct host_site *site);

#endif
