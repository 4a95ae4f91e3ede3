/*
 * A relay: two ends and the bytes between them, both ways, either end raw or
 * framed.  The owner decides what the ends' states mean (`settle`) and what
 * the control frames of a framed end mean (`frame`); the relay only moves
 * bytes, in order, each to the other end and nowhere else (S8).
 */
#ifndef REMUDA_GATEWAY_RELAY_H
#define REMUDA_GATEWAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/gateway/end.h"

struct relay;

enum relay_way {
	RELAY_PASS,	/* bytes go to the other end and are counted */
	RELAY_DROP,	/* bytes are read and forgotten */
	RELAY_OFF,	/* nothing is read */
};

struct relay_ops {
	/* A control frame of end `from`; its DATA before it were passed on.
	 * False ends this reading: what follows stays in the end. */
	bool (*frame)(struct gateway *g, struct relay *r, int from,
		      const struct native_header *h, const uint8_t *payload);
	/* After every pump. */
	void (*settle)(struct gateway *g, struct relay *r);
};

struct relay {
	struct end *end[2];		/* 0 asked, 1 serves */
	enum relay_way way[2];		/* for bytes from that end */
	uint64_t bytes[2];		/* taken from that end and passed */
	int64_t moved_ms;		/* when a byte last moved or an end ended */
	bool ended[2];			/* that was noticed */
	bool running;
	const struct relay_ops *ops;
	struct list run;		/* there is more to do at once */
};

void relay_start(struct gateway *g, struct relay *r, struct end *asked,
		 struct end *serving, const struct relay_ops *ops);
/* Passes on what was read of a raw end before its relay began. */
void relay_feed(struct gateway *g, struct relay *r, int from);
/* Bytes its owner took from end `from`: counted and put to the other. */
void relay_give(struct gateway *g, struct relay *r, int from,
		const uint8_t *bytes, size_t n);
/* No more callbacks.  The ends stay as they are. */
void relay_stop(struct relay *r);
/* Moves what can move, then settles. */
void relay_pump(struct gateway *g, struct relay *r);

#endif
