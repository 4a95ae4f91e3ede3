/*
 * What all front doors share; see door.h.  Owner: the gateway's loop.
 *
 * A stranger gets one deadline from accept to a complete request, whatever
 * stands before it: a load balancer's PROXY header, a TLS handshake, the door's
 * own protocol.  Bytes do not move it.
 */
#include "engine/gateway/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"

enum { FIN_GRACE_MS = 2000 };	/* closed without a word, while waiting */

_Static_assert(sizeof(struct caller) + sizeof(struct opening) +
		       sizeof(struct asking) + sizeof(struct chunk) +
		       DOOR_REQUEST_MAX <= DOOR_STRANGER_MAX,
	       "a stranger costs more than door.h says");

const struct door *door_of(uint8_t wire_door)
{
	switch (wire_door) {
	case WIRE_DOOR_DIRECT: return &door_direct;
	case WIRE_DOOR_NATIVE: return &door_native;
	case WIRE_DOOR_CONNECT: return &door_connect;
	case WIRE_DOOR_SOCKS5: return &door_socks5;
	}
	return NULL;
}

struct asking *door_asking(struct caller *c)
{
	if (!c->asking) {
		c->asking = calloc(1, sizeof(*c->asking));
		CHECK("", c->asking, "out of memory");
		c->asking->wait_ms = -1;
		c->asking->count = 1;
	}
	return c->asking;
}

struct greeting *door_greeting(const void *bytes, size_t length)
{
	struct greeting *greeting = malloc(sizeof(*greeting) + length);

	CHECK("", greeting, "out of memory");
	greeting->length = length;
	memcpy(greeting->bytes, bytes, length);
	return greeting;
}

void door_wait(struct gateway *g, struct caller *c)
{
	struct end *e = &c->client;
	int waiting = 0;

	if (e->error) {
		caller_cancel(g, c);
		return;
	}
	if (!e->hangup || c->client_fin)
		return;
	/* A FIN behind bytes is a question with a half-close.  One without may
	 * still be a program that only listens: it gets a little time. */
	ioctl(e->watch.fd, FIONREAD, &waiting);
	if (waiting || e->in)
		return;
	c->client_fin = true;
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + FIN_GRACE_MS);
}

/* The request is complete: the engine's turn. */
static void asked(struct gateway *g, struct caller *c)
{
	poll_timer_stop(&g->poll, &c->timer);
	crowd_leave(g, c);
	caller_move(c, CALLER_REQUESTED);
	caller_request(g, c);
	c->door->wait(g, c);
}

void door_open(struct gateway *g, struct caller *c)
{
	int64_t limit = c->listener->opening_ms;

	if (!c->door->read) {
		c->state = CALLER_REQUESTED;
		caller_request(g, c);
		return;
	}
	c->state = CALLER_OPENING;
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + limit);
	crowd_enter(g, c, true);
}

void door_pump(struct gateway *g, struct caller *c)
{
	struct end *e = &c->client;
	enum door_step step = DOOR_AGAIN;

	end_flush(g, e);
	end_fill(g, e, DOOR_REQUEST_MAX);
	while (step == DOOR_AGAIN && e->in)
		step = c->door->read(g, c);
	if (step == DOOR_ASKED)
		asked(g, c);
	else if (step != DOOR_OVER && (e->in_ended || e->error))
		caller_cancel(g, c);
}

void door_timer(struct gateway *g, struct caller *c)
{
	c->listener->turned_away++;
	/* Written if it can be, and closed: no stranger gets more time. */
	if (c->door->refuse)
		c->door->refuse(g, c, "timeout",
				SLICE("no complete request in time"));
	caller_close(g, c, false);
}
