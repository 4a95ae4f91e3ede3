/*
 * The end of a machine on another host, at once (decisions.md 30): a port of its
 * own through libvirt's stream, on which nobody ever says anything and whose end
 * of file is the end of its QEMU.  Here it is a pidfd (watch.h); there libvirt's
 * own event comes when its daemon has given up waiting for the process to be
 * reaped, some 200 ms later and with some inits 2 s.
 *
 * Only an orderly end of file counts: a stream that breaks is one more thing
 * that is not known of a host.
 */
#ifndef REMUDA_HYPERVISOR_LIFELINE_H
#define REMUDA_HYPERVISOR_LIFELINE_H

#include "engine/hypervisor/known.h"

struct role;

#define LIFELINE_PORT "remuda.lifeline"

enum {
	LIFELINE_MAX = 10000,
	LIFELINE_JUNK_MAX = 64 * 1024,	/* what a guest may say into it */
};

/* A running domain of ours was met: opens its line, if it has that port. */
void lifeline_want(struct role *role, const struct host_facts *facts,
		   const struct known_domain *d);
/* The connection is lost: nothing more will be heard on any line. */
void lifelines_drop(void);

#endif
