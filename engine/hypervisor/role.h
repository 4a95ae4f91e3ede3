/*
 * What the files of the hypervisor role share: one struct role per process.
 * Private to engine/hypervisor and its tests.
 */
#ifndef REMUDA_HYPERVISOR_ROLE_H
#define REMUDA_HYPERVISOR_ROLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/hypervisor/host.h"
#include "engine/hypervisor/known.h"
#include "engine/hypervisor/migrate.h"
#include "engine/hypervisor/probe.h"
#include "engine/hypervisor/queue.h"
#include "engine/hypervisor/stats.h"
#include "engine/hypervisor/watch.h"

/*
 * A descriptor of the main thread's epoll.  Only the main thread adds, calls
 * and removes sources; `ready` may free its own source.
 */
struct source {
	int fd;
	void (*ready)(struct role *role, struct source *source);
};

struct role {
	int engine_fd;
	int epoll_fd;
	int wake_fd;		/* eventfd: something waits for the main thread */
	int child_fd;		/* signalfd: SIGCHLD */
	pthread_mutex_t send_lock;
	struct queue queue;
	struct host host;
	struct known known;
	struct watches watches;
	struct probes probes;
	struct stats stats;
	struct moves moves;
};

/* CLOCK_MONOTONIC in milliseconds. */
int64_t role_now_ms(void);
/* Makes the main thread look at its mail (any thread). */
void role_wake(struct role *role);
int role_add_source(struct role *role, struct source *source, uint32_t events,
		    struct error *err);
void role_remove_source(struct role *role, struct source *source);

#endif
