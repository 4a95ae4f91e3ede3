/*
 * stats_read: what each of our machines uses.  One bulk call for all that is
 * known, on a thread of its own: libvirt does not wait for a domain that is
 * busy (NOWAIT), but for a QEMU that freezes in the middle of being asked it
 * does, until that thaws or ends.  A read that has waited STATS_WAIT_MS for it
 * tells what libvirt knows without QEMU (processor time, size) beside what was
 * last read of the rest.
 */
#ifndef REMUDA_HYPERVISOR_STATS_H
#define REMUDA_HYPERVISOR_STATS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/hypervisor/queue.h"

enum { STATS_WAIT_MS = 1000 };

struct stats_sample {
	char uuid[37];
	uint64_t machine, incarnation;
	int64_t at_ms;		/* CLOCK_BOOTTIME */
	int64_t cpu_ms;		/* never goes back within an incarnation */
	uint32_t vcpus;
	uint64_t memory_mib;	/* the guest has */
	uint64_t rss_mib;	/* QEMU holds */
	uint64_t read_bytes, written_bytes;	/* of all disks */
	uint64_t in_bytes, out_bytes;	/* as the guest sees them */
};

struct stats {
	pthread_mutex_t lock;
	bool looking;		/* the bulk call is under way */
	uint64_t generation;	/* of the connection it began on */
	int64_t since_ms;	/* when it began */
	uint64_t looks;		/* bulk calls that have ended */
	struct stats_sample *last;	/* in the order of uuids */
	size_t count;
};

void stats_init(struct stats *s);
void stats_fini(struct stats *s);
/* The run function of a stats_read. */
enum job_next stats_read(struct job *job);

#endif
