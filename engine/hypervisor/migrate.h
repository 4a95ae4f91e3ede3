/*
 * domain_migrate: a running machine to another host, with its memory, while it
 * works.  One migration at a time leaves a host: two would share the way and
 * each take longer than both in turn.
 */
#ifndef REMUDA_HYPERVISOR_MIGRATE_H
#define REMUDA_HYPERVISOR_MIGRATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/hypervisor/queue.h"

enum {
	MIGRATE_MS = 60 * 1000,		/* when the call names no bound */
	MIGRATE_ABORT_MS = 500,		/* between two tries to end one */
	MIGRATE_ABORTS = 60,
};

struct moves {
	pthread_mutex_t lock;
	uint64_t count;		/* migrations begun */
	bool running;		/* number `count` is under way */
	char uuid[37];		/* of the last one */
};

void moves_init(struct moves *m);
void moves_fini(struct moves *m);
/* Is that domain on its way, or has it just gone?  Its QEMU ends here then. */
bool moves_has(struct moves *m, const char *uuid);
/* It is here (again): its next end is one. */
void moves_forget(struct moves *m, const char *uuid);

/* Ends a migration of this domain that this process did not begin: the role that
 * did has died, and the engine takes the machine to be where it was. */
void migrate_end_strange(struct role *role, virDomainPtr domain,
			 const char *uuid);

/*
 * The run function of the job.  Its time is counted from the call's arrival, so
 * one that waited too long behind another is not begun.  Peer to peer: this host's daemon opens the
 * other's.  OK: it runs there.  FAILED: it runs here still.  UNKNOWN: neither
 * is certain, and a poll of both hosts must say.  Refused is what cannot work
 * there: a disk in the site's own storage, which is this host's alone.
 */
enum job_next domain_migrate(struct job *job);

#endif
