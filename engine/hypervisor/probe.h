/*
 * tcp_probe: one non-blocking connect(2) from the host to a machine's address,
 * on the main thread's poll.  Needs no libvirt.
 */
#ifndef REMUDA_HYPERVISOR_PROBE_H
#define REMUDA_HYPERVISOR_PROBE_H

#include <stdint.h>

#include "engine/base/list.h"

struct job;
struct role;

enum { PROBE_MAX = 1024, PROBE_TIMEOUT_MAX_MS = 60 * 1000 };

struct probes {
	struct list active;
	int count;
};

void probe_init(struct probes *p);
void probe_fini(struct role *role);
/* Main thread.  Takes the job and has its call answered. */
void probe_start(struct role *role, struct job *job);
/* Main thread: ends what is over time; returns the next deadline or
 * INT64_MAX. */
int64_t probe_expire(struct role *role, int64_t now_ms);

#endif
