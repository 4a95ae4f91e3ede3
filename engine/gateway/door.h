/*
 * A front door: how one protocol asks for a machine and is answered.  What all
 * doors share (the PROXY header of a load balancer, TLS, the deadline, the
 * crowd of strangers, leaving) is in door.c and crowd.c; a door reads what the
 * client says and says things to it, nothing else.
 *
 *     accept -> [PROXY header] -> [TLS handshake] -> door->read ... DOOR_ASKED
 *            -> engine -> door->waiting ... -> dial -> door->greeting, bytes
 *
 * Bytes that the client sent behind its request stay in client.in (or in the
 * kernel) and reach the machine after the greeting, in order.
 *
 * Cost of a stranger, user space: struct caller, struct opening, and from its
 * first byte on struct asking and at most DOOR_REQUEST_MAX bytes of what it
 * said: together at most DOOR_STRANGER_MAX, checked in door.c.  TLS begins to
 * cost when a whole ClientHello has come (tls.h).
 */
#ifndef REMUDA_GATEWAY_DOOR_H
#define REMUDA_GATEWAY_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/text.h"
#include "engine/wire/message.h"

struct gateway;
struct caller;
struct greeting;

enum {
	DOOR_REQUEST_MAX = 8192 + 512,
	DOOR_STRANGER_MAX = 12 * 1024,
};

enum door_step {
	DOOR_MORE,	/* what has come is not whole */
	DOOR_AGAIN,	/* a part was taken: look at the rest */
	DOOR_ASKED,	/* caller->asking says what is wanted */
	DOOR_OVER,	/* it was refused or closed */
};

struct door {
	const char *name;
	const char *alpn;	/* TLS: its protocol's name, or NULL */
	bool framed;		/* the client speaks native frames */
	/* Reads client.in of an OPENING caller and consumes what it took.
	 * NULL: nothing is asked, the listener says it all. */
	enum door_step (*read)(struct gateway *g, struct caller *c);
	/* Instead of read: looks at the socket itself, which keeps its bytes. */
	void (*pump)(struct gateway *g, struct caller *c);
	/* The client did something while the engine decides. */
	void (*wait)(struct gateway *g, struct caller *c);
	/* Its place in the queue; NULL: the protocol cannot say. */
	void (*waiting)(struct gateway *g, struct caller *c,
			const struct wire_session_waiting *w);
	/* One of the tickets it asked for; NULL: it cannot ask for any. */
	void (*ticket)(struct gateway *g, struct caller *c,
		       const struct message *m);
	/* What is written once the machine accepted (malloc'd), or NULL. */
	struct greeting *(*greeting)(const struct caller *c,
				     const struct message *assign);
	/* Writes a refusal; the caller closes.  NULL: closing says it. */
	void (*refuse)(struct gateway *g, struct caller *c, const char *code,
		       struct slice text);
};

/* NULL for a number that is no door. */
const struct door *door_of(uint8_t wire_door);

extern const struct door door_direct, door_native, door_connect, door_socks5,
	door_ssh;

/* What a door's read begins with: an empty asking, kept in the caller. */
struct asking *door_asking(struct caller *c);
struct greeting *door_greeting(const void *bytes, size_t length);
/* The usual wait: a raw client that left without a byte is let go. */
void door_wait(struct gateway *g, struct caller *c);

/* A new caller: asks at once, or begins to listen to it. */
void door_open(struct gateway *g, struct caller *c);
/* An OPENING caller has something to say. */
void door_pump(struct gateway *g, struct caller *c);
/* Its time to ask is over. */
void door_timer(struct gateway *g, struct caller *c);

#endif
