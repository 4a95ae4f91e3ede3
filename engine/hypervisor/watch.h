/*
 * The end of a QEMU process on this machine, seen at once by a pidfd
 * (decisions.md 30); libvirt's own event is the second source, the poll the
 * third.  The role is a child subreaper: QEMUs of a user's daemon that this
 * process started become its children, and are reaped here.
 */
#ifndef REMUDA_HYPERVISOR_WATCH_H
#define REMUDA_HYPERVISOR_WATCH_H

#include <pthread.h>
#include <stdbool.h>

#include "engine/base/list.h"

struct role;
struct host_facts;

enum { WATCH_MAX = 4096, WATCH_SWEEP_MS = 5000 };

struct watches {
	pthread_mutex_t lock;
	struct list fresh;	/* waiting for the main thread */
	struct list active;	/* main thread only */
	int count;		/* both lists */
	int unreaped;		/* zombie seen by the last sweep, or 0 */
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
/* Main thread: takes up what was added. */
void watch_take_mail(struct role *role);
/* Main thread, every WATCH_SWEEP_MS: reaps orphans other than QEMUs. */
void watch_sweep(struct role *role);

#endif
