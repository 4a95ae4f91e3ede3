/*
 * The crowd: connections that have not asked for anything yet, of all doors of
 * this gateway.  Bounded as a whole and for each source (IPv4 address, IPv6
 * /64, local uid); where it is full, who came first goes first: an honest
 * client needs a few round trips, so the oldest is the least likely to be one.
 */
#ifndef REMUDA_GATEWAY_CROWD_H
#define REMUDA_GATEWAY_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/base/map.h"

struct gateway;
struct caller;
struct source;

struct crowd {
	struct list all;	/* struct opening, oldest first */
	uint32_t count;
	struct map sources;	/* key of a source -> struct source */
};

/* What a caller has while it is in the crowd. */
struct opening {
	struct caller *caller;
	struct list all, same;	/* crowd.all, source's */
	struct source *source;	/* NULL: a load balancer's, not known yet */
	uint8_t step;		/* the door's own */
	bool proxied;		/* a PROXY header has to come first */
	bool encrypted;		/* a TLS handshake has to come */
};

/* Makes c->opening and counts it; somebody else may have to go. */
void crowd_enter(struct gateway *g, struct caller *c, bool source_known);
/* The caller's source is known now. */
void crowd_file(struct gateway *g, struct caller *c);
/* Frees c->opening; does nothing without one. */
void crowd_leave(struct gateway *g, struct caller *c);
/* Lets the oldest go to make room for a connection; false: there is none. */
bool crowd_evict(struct gateway *g);

#endif
