/*
 * What this process has learned about domains, so that calls need not ask
 * again: whose they are (checked signature) and where their ports lie.  A
 * cache: it may be empty at any time, and the poll prunes it.
 *
 * Ownership is remembered for one domain id of one connection: libvirt reuses
 * ids only after its daemon restarts.  Ports outlive a lost connection, so
 * that channel_open works while the daemon hangs.
 */
#ifndef REMUDA_HYPERVISOR_KNOWN_H
#define REMUDA_HYPERVISOR_KNOWN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/hypervisor/domain_xml.h"

enum { KNOWN_BUCKETS = 1024, KNOWN_MAX = 20000 };

struct known_domain {
	char uuid[37];
	int id;			/* libvirt's, -1 when not running */
	uint64_t generation;	/* of the connection that said so */
	enum wire_owner owner;
	bool ours;		/* owner is OURS */
	uint64_t machine, incarnation;
	bool detailed;		/* ports and process were looked up */
	int port_count;
	struct domain_port ports[DOMAIN_CHANNELS_MAX];
	int64_t touched_ms;
};

struct known {
	pthread_mutex_t lock;
	struct list buckets[KNOWN_BUCKETS];
	int count;
};

void known_init(struct known *k);
void known_fini(struct known *k);
/* Copies the entry; false when there is none. */
bool known_get(struct known *k, const char *uuid, struct known_domain *out);
/* The same, if it was learned of this id in this generation. */
bool known_get_current(struct known *k, const char *uuid, int id,
		       uint64_t generation, struct known_domain *out);
/* Adds or replaces; a full table forgets nothing and learns nothing. */
void known_put(struct known *k, const struct known_domain *d);
void known_forget(struct known *k, const char *uuid);
/* Marks as seen now. */
void known_touch(struct known *k, const char *uuid);
/* Forgets what was last touched before that time. */
void known_prune(struct known *k, int64_t before_ms);

#endif
