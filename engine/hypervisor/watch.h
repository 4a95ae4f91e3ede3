/*
 * The end of a QEMU process on this machine, seen at once by a pidfd
 * (decisions.md 30); libvirt's own event is the second source, the poll the
 * third.  The role is a child subreaper: the daemon that libvirt starts for a
 * user, and its QEMUs, become children of this process and are reaped here at
 * once: libvirt waits up to 40 s for a QEMU that has ended but is not reaped.
 */
#ifndef REMUDA_HYPERVISOR_WATCH_H
#define REMUDA_HYPERVISOR_WATCH_H

#include <pthread.h>
#include <stdbool.h>

#include "engine/base/list.h"

struct role;
struct host_facts;

enum { WATCH_MAX = 4096, WATCH_SWEEP_MS = 1000 };

struct watches {
	pthread_mutex_t lock;
	struct list fresh;	/* waiting for the main thread */
	struct list active;	/* main thread only */
	int count;		/* both lists */
};

void watch_init(struct watches *w);
void watch_fini(struct role *role);
/*
 * Finds the QEMU process of a running domain and watches it (any thread).
 * Watching twice does nothing.  False when it cannot be found or watched: then
 * the events and the poll have to do.
 */
bool watch_domain(struct role *role, const struct host_facts *facts,
		  const char *uuid, const char *name);
/*
 * Kills the QEMU process of a domain that is ours, and waits for its end.  For a
 * machine whose RAM and disks are thrown away in any case: libvirt's own way asks
 * politely and looks again after 200 ms.  False, and nothing lost, when it cannot
 * be found or may not be killed (another user's).
 */
bool watch_kill(const struct host_facts *facts, const char *uuid,
		const char *name);
/* Main thread: takes up what was added. */
void watch_take_mail(struct role *role);
/*
 * Main thread: reaps orphans; after SIGCHLD and every WATCH_SWEEP_MS (one that
 * ended behind a child of libvirt's own is not seen before).
 */
void watch_reap(void);

#endif
