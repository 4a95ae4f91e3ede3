/*
 * What all front doors share; see door.h.  Owner: the gateway's loop.
 *
 * A stranger gets one deadline from accept to a complete request, whatever
 * stands before it: a load balancer's PROXY header, a TLS handshake, the door's
 * own protocol.  Bytes do not move it.
 */
#include "engine/gateway/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"
#include "engine/wire/proxy_v1.h"
#include "engine/wire/proxy_v2.h"

enum {
	FIN_GRACE_MS = 2000,	/* closed without a word, while waiting */
	PROXY_HEADER_MAX = 1024,
};

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
	case WIRE_DOOR_SSH: return &door_ssh;
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
	if (e->tls) {
		/* Bytes or close_notify?  Only reading tells. */
		end_fill(g, e, DOOR_REQUEST_MAX);
		if (e->error)
			caller_cancel(g, c);
	} else {
		ioctl(e->watch.fd, FIONREAD, &waiting);
	}
	if (waiting || e->in || e->error)
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
	if (c->listener->user_source == WIRE_USER_CERTIFICATE &&
	    !(c->client.tls &&
	      tls_user(c->client.tls, door_asking(c)->user, USER_MAX))) {
		c->listener->turned_away++;
		caller_refuse(g, c, "not_authenticated",
			      SLICE("the certificate names no user: its CN must be one"));
		return;
	}
	caller_request(g, c);
	c->door->wait(g, c);
}

static bool is_proxy(const struct caller *c)
{
	const struct listener *l = c->listener;
	struct address a = network_address_of((const struct sockaddr *)&c->peer);

	for (size_t i = 0; i < l->proxy_count; i++)
		if (network_holds(&l->proxies[i], &a))
			return true;
	return false;
}

void door_open(struct gateway *g, struct caller *c)
{
	int64_t limit = c->listener->opening_ms;

	bool proxied = is_proxy(c);

	if (!c->door->read && !c->listener->tls && !proxied) {
		c->state = CALLER_REQUESTED;
		caller_request(g, c);
		return;
	}
	c->state = CALLER_OPENING;
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + limit);
	crowd_enter(g, c, !proxied);
	c->opening->proxied = proxied;
	c->opening->encrypted = c->listener->tls;
}

static void turn_away(struct gateway *g, struct caller *c, const char *why)
{
	char name[32];

	c->listener->turned_away++;
	log_debug("%s: %s", caller_name(name, c), why);
	/* What OpenSSL said is on its way; the rest is read bare. */
	tls_free(c->client.tls);
	c->client.tls = NULL;
	caller_linger(g, c);
}

static void take_source(struct caller *c, const struct proxy_v2_info *info)
{
	struct sockaddr_in *in = (void *)&c->peer;
	struct sockaddr_in6 *in6 = (void *)&c->peer;

	/* A balancer's own check, or one that does not know: it is itself. */
	if (info->local || info->family == AF_UNSPEC)
		return;
	memset(&c->peer, 0, sizeof(c->peer));
	c->peer.ss_family = info->family;
	if (info->family == AF_INET) {
		memcpy(&in->sin_addr, info->source, 4);
		in->sin_port = htons(info->source_port);
	} else {
		memcpy(&in6->sin6_addr, info->source, 16);
		in6->sin6_port = htons(info->source_port);
	}
}

/*
 * The header of a load balancer, which stands before everything else; true when
 * it is over.  It is looked at in the kernel and taken out whole, so that not a
 * byte of what follows is missing there.
 */
static bool unwrap(struct gateway *g, struct caller *c)
{
	struct proxy_v2_info info;
	struct error err = { "" };
	uint8_t head[PROXY_HEADER_MAX];
	struct end *e = &c->client;
	ssize_t n = recv(e->watch.fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	int size = 0;

	if (n > 0)
		size = head[0] == 'P' ?
		       proxy_v1_decode(head, (size_t)n, &info, &err) :
		       proxy_v2_decode(head, (size_t)n, &info, &err);
	if (size < 0 || (size == 0 && n == PROXY_HEADER_MAX)) {
		turn_away(g, c, size < 0 ? err.text : "the PROXY header is too long");
		return false;
	}
	if (size == 0) {
		if (e->error || e->hangup)
			caller_cancel(g, c);
		return false;
	}
	if (recv(e->watch.fd, head, (size_t)size, MSG_DONTWAIT) != size) {
		caller_cancel(g, c);
		return false;
	}
	take_source(c, &info);
	c->opening->proxied = false;
	crowd_file(g, c);
	return true;
}

/* The TLS handshake; true when it is over and well. */
static bool encrypt(struct gateway *g, struct caller *c)
{
	struct end *e = &c->client;
	const char *why = "that is not TLS";
	bool want_write = false;
	int got = 1;

	if (!e->tls) {
		got = tls_hello(e->watch.fd);
		if (got > 0)
			e->tls = tls_new(c->listener, e->watch.fd);
		if (got > 0 && !e->tls)
			got = -1;
	}
	if (got > 0)
		got = tls_accept(e->tls, &want_write, &why);
	if (got > 0) {
		c->opening->encrypted = false;
		tls_log_kernel(c->listener, e->tls);
		return true;
	}
	if (got < 0)
		turn_away(g, c, why);
	else if (e->error || (e->hangup && !e->tls))
		caller_cancel(g, c);
	return false;
}

void door_pump(struct gateway *g, struct caller *c)
{
	struct end *e = &c->client;
	enum door_step step = DOOR_AGAIN;

	if (c->opening->proxied && !unwrap(g, c))
		return;
	if (c->opening->encrypted && !encrypt(g, c))
		return;
	if (!c->door->read) {
		asked(g, c);
		return;
	}
	if (c->door->pump) {
		c->door->pump(g, c);
		return;
	}
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
	if (c->door->refuse && !c->opening->encrypted && !c->opening->proxied)
		c->door->refuse(g, c, "timeout",
				SLICE("no complete request in time"));
	caller_close(g, c, false);
}
