/*
 * Calls waiting for a thread.  The main thread must never block, so each call
 * becomes a job on one of these lanes, each with threads of its own:
 *
 *   HOST    one thread: the bulk poll, and the answers of stats_read
 *   DOMAIN  four threads: calls about one domain; at most one at a time per
 *           domain, and at most three agent calls, so that guests that do not
 *           answer never keep a create or destroy from a thread
 *   STATS   one thread: the bulk statistics, which a frozen QEMU may hold up
 *   MOVE    one thread: live migrations, one after another
 *   STREAM  one thread: opens and ends streams, on the connection whose events
 *           (also those of streams) libvirt's event loop serves
 *   LOCAL   two threads: what works without libvirt, also when that hangs
 *
 * Each thread but the local ones has a libvirt connection of its own (its
 * line, host.h): libvirt 9.0 is not safe with two calls in progress on one.
 * So what belongs to a connection (job->domain) lives for one run.
 *
 * A job that waits for the guest returns JOB_AGAIN with its due_ms and is
 * run again at that time; in between it occupies no thread and no domain.
 * Jobs that are due run in the order of their due times, then of arrival.
 */
#ifndef REMUDA_HYPERVISOR_QUEUE_H
#define REMUDA_HYPERVISOR_QUEUE_H

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/wire/message.h"

struct role;

enum job_lane { JOB_HOST, JOB_DOMAIN, JOB_STATS, JOB_MOVE, JOB_STREAM, JOB_LOCAL,
		JOB_LANES };
enum job_next { JOB_DONE, JOB_AGAIN };

enum {
	QUEUE_CALLS_MAX = 2048,		/* jobs at which calls are refused */
	QUEUE_JOBS_MAX = 2 * QUEUE_CALLS_MAX, /* and refusals, hints dropped */
	QUEUE_THREADS_MAX = 4,		/* per lane */
	QUEUE_AGENT_MAX = 3,
	QUEUE_ABANDONED_MAX = 32,
	QUEUE_NO_LINE = -1,
};

struct job {
	struct list link;
	struct role *role;
	enum job_next (*run)(struct job *job);
	enum job_lane lane;
	bool agent;
	char uuid[VIR_UUID_STRING_BUFLEN];	/* the domain, or "" */
	atomic_bool answered;	/* who sets it may answer the call */
	int64_t arrived_ms;
	int64_t started_ms;	/* of the present run */
	int64_t due_ms;
	int64_t deadline_ms;	/* 0: not set yet */
	int64_t pause_ms;	/* between two looks */
	int step;		/* of a call made of several, starts at 0 */
	int64_t number;		/* guest pid or file handle */
	int64_t number2;
	uint32_t evidence;	/* of a restore or a destroy: enum wire_evidence */
	int line;		/* of the thread that runs it */
	virDomainPtr domain;	/* of this run, or NULL */
	struct message m;	/* slices point into packet */
	uint8_t packet[];	/* room for one when made with it */
};

struct lane {
	struct list jobs;	/* ordered by due_ms */
	pthread_cond_t changed;
	struct job *running[QUEUE_THREADS_MAX];
	pthread_t threads[QUEUE_THREADS_MAX];
	uint32_t epochs[QUEUE_THREADS_MAX];	/* of the thread in charge */
	int thread_count;
	int first_line;		/* of its threads, or QUEUE_NO_LINE */
	int started;
	int ended;
};

struct queue {
	pthread_mutex_t lock;
	struct lane lanes[JOB_LANES];
	int jobs;
	int abandoned;		/* threads that hang for good, or for long */
	bool stopping;
};

/* Aborts when memory is exhausted. */
struct job *job_new(struct role *role, enum job_lane lane,
		    enum job_next (*run)(struct job *job), bool with_packet);
/* Closes what the job still holds. */
void job_free(struct job *job);
/* Sets due_ms and pause_ms for a look at growing distances [first, last]. */
enum job_next job_again(struct job *job, int64_t first_ms, int64_t last_ms);

void queue_init(struct queue *q);
int queue_start(struct queue *q, struct error *err);
/* Takes the job; false when the queue holds limit jobs or is stopping: then
 * the job stays the caller's. */
bool queue_add(struct queue *q, struct job *job, int limit);
/*
 * The connection is dead: waits grace_ms for the libvirt calls in progress,
 * answers what still hangs with WIRE_UNKNOWN, and puts new threads in place of
 * theirs.  When QUEUE_ABANDONED_MAX threads hang the process ends: the engine
 * starts another.
 */
void queue_abandon(struct queue *q, int64_t grace_ms);
/*
 * Drops what waits and waits at most wait_ms for what runs.  Returns true when
 * every thread has ended and been joined; only then call queue_fini.
 */
bool queue_stop(struct queue *q, int64_t wait_ms);
void queue_fini(struct queue *q);

#endif
