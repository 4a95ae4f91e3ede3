/*
 * Exchanges: a guest and a resource, from CONNECT to the last byte; see
 * resource.h.
 *
 *     WAITING -> ACCEPTING -> FLOWING -> DRAINING -> (next)      channel
 *                DIALING   -> FLOWING -> (gone)                  tcp, unix
 *
 * A channel target serves one exchange at a time, like a session: ACCEPT with
 * a number and a nonce of its own, the echo, bytes, DEALLOCATE, CONFIRMED.
 * Only after CONFIRMED does the next one begin, so no byte of one user's
 * exchange can reach another's.  A channel that does not keep to this is
 * closed and reported; the engine brings a new one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/base/sm.h"
#include "engine/gateway/resource.h"
#include "engine/wire/proxy_v2.h"

static const struct sm_state exchange_states[EXCHANGE_STATES] = {
	[EXCHANGE_WAITING] = { "waiting",
			       SM_TO(EXCHANGE_ACCEPTING) |
				       SM_TO(EXCHANGE_DIALING) |
				       SM_TO(EXCHANGE_GONE),
			       SM_INITIAL, "the channel serves another" },
	[EXCHANGE_DIALING] = { "dialing",
			       SM_TO(EXCHANGE_FLOWING) | SM_TO(EXCHANGE_GONE),
			       0, "connecting to a tcp target" },
	[EXCHANGE_ACCEPTING] = { "accepting",
				 SM_TO(EXCHANGE_FLOWING) |
					 SM_TO(EXCHANGE_DRAINING) |
					 SM_TO(EXCHANGE_GONE),
				 0, "the target knows the user" },
	[EXCHANGE_FLOWING] = { "flowing",
			       SM_TO(EXCHANGE_DRAINING) | SM_TO(EXCHANGE_GONE),
			       0, "the target accepted" },
	[EXCHANGE_DRAINING] = { "draining", SM_TO(EXCHANGE_GONE), 0,
				"no guest; the channel is being emptied" },
	[EXCHANGE_GONE] = { "gone", 0, SM_FINAL, "freed at the turn's end" },
};

static const struct sm_table exchange_table = { "exchange", exchange_states,
						EXCHANGE_STATES };

static bool on_frame(struct gateway *g, struct relay *r, int from,
		     const struct native_header *h, const uint8_t *payload);
static void settle(struct gateway *g, struct relay *r);

static const struct relay_ops exchange_ops = { .frame = on_frame,
					       .settle = settle };

void exchange_move(struct exchange *x, enum exchange_state to)
{
	sm_move(&exchange_table, &x->state, to, "");
}

static void bury_exchange(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct exchange, grave));
}

void exchange_free(struct gateway *g, struct exchange *x)
{
	struct target *t = x->target;

	relay_stop(&x->relay);
	poll_timer_stop(&g->poll, &x->timer);
	end_close(g, &x->dialed, x->cut);
	list_remove(&x->link);
	exchange_move(x, EXCHANGE_GONE);
	grave_add(&g->poll, &x->grave, bury_exchange);
	if (t->current == x)
		t->current = NULL;
}

/* The target's part, once the guest's is over. */
static void release_target(struct gateway *g, struct exchange *x)
{
	struct target *t = x->target;
	struct end *e = &t->end;

	if (t->current != x) {
		exchange_free(g, x);
		return;
	}
	if (e->watch.fd < 0 || e->error || e->out_dead) {
		exchange_free(g, x);
		target_lost(g, t, "the channel closed");
		return;
	}
	/* Accepting counts too: the echo may be on its way. */
	exchange_move(x, EXCHANGE_DRAINING);
	relay_start(g, &x->relay, e, e, &exchange_ops);
	x->relay.way[0] = RELAY_OFF;
	x->relay.way[1] = RELAY_DROP;
	e->in_fresh = e->in != NULL;
	poll_timer_set(&g->poll, &x->timer, g->poll.now_ms + g->limits.drain_ms);
	if (!end_put_pair(g, e, NATIVE_DEALLOCATE, x->id, x->nonce)) {
		exchange_free(g, x);
		target_lost(g, t, "it does not read");
		return;
	}
	relay_pump(g, &x->relay);
}

void exchange_end(struct gateway *g, struct exchange *x, const char *code,
		  const char *text)
{
	struct port *p = x->port;

	relay_stop(&x->relay);
	x->port = NULL;
	x->cut = *text != '\0';
	p->exchange = NULL;
	port_report(g, p, x->id, true, x->relay.bytes, text);
	if (code)
		port_error(g, p, code, text);
	list_remove(&x->link);
	if (x->state == EXCHANGE_WAITING)
		exchange_free(g, x);
	else
		release_target(g, x);
	port_release(g, p);
}

static void exchange_late(struct gateway *g, struct timer *t)
{
	struct exchange *x = POLL_OWNER(t, struct exchange, timer);
	struct target *target = x->target;
	int64_t due = x->relay.moved_ms + g->limits.half_close_ms;

	switch ((enum exchange_state)x->state) {
	case EXCHANGE_DIALING:
		exchange_end(g, x, "unavailable", "the resource does not answer");
		break;
	case EXCHANGE_ACCEPTING:
		target_lost(g, target, "no accept in time");
		break;
	case EXCHANGE_FLOWING:
		if (due > g->poll.now_ms)
			poll_timer_set(&g->poll, t, due);
		else
			exchange_end(g, x, "timeout",
				     "nothing moved after one side had ended");
		break;
	case EXCHANGE_DRAINING:
		target_lost(g, target, "it did not confirm an exchange's end");
		break;
	case EXCHANGE_WAITING:
	case EXCHANGE_GONE:
	case EXCHANGE_STATES:
		break;
	}
}

void exchange_flow(struct gateway *g, struct exchange *x)
{
	struct port *p = x->port;

	poll_timer_stop(&g->poll, &x->timer);
	exchange_move(x, EXCHANGE_FLOWING);
	port_accepted(g, p);
	p->end.in_fresh = p->end.in != NULL;
	x->serving->in_ended = x->serving->out_ended = false;
	relay_start(g, &x->relay, &p->end, x->serving, &exchange_ops);
	relay_pump(g, &x->relay);
}

static size_t proxy_header(const struct exchange *x, uint8_t *out)
{
	const struct port *p = x->port;
	char id[32], incarnation[24];
	struct proxy_v2 header = {
		.authority = slice_of(p->user),
		.application = slice_of(p->resource),
	};

	snprintf(id, sizeof(id), "session/%llu", (unsigned long long)p->session);
	snprintf(incarnation, sizeof(incarnation), "%llu",
		 (unsigned long long)p->incarnation);
	header.unique_id = slice_of(id);
	header.incarnation = slice_of(incarnation);
	if (p->kind == PORT_VISITOR) {
		header.source = (const struct sockaddr *)&p->address;
		header.destination = (const struct sockaddr *)&p->door;
	}
	return proxy_v2_encode(&header, out, PROXY_V2_MAX);
}

static void dialed_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct exchange *x = POLL_OWNER(w, struct exchange, dialed.watch);
	int error = 0;
	socklen_t length = sizeof(error);

	end_note(&x->dialed, events);
	if (x->state == EXCHANGE_FLOWING) {
		relay_pump(g, &x->relay);
		return;
	}
	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error && !x->dialed.writable)
		return;
	if (!error && !end_flush(g, &x->dialed))
		return;
	if (x->dialed.out_dead)
		error = x->dialed.out_error;
	if (error)
		exchange_end(g, x, "unavailable", strerror(error));
	else
		exchange_flow(g, x);
}

void exchange_dial(struct gateway *g, struct exchange *x)
{
	struct target *t = x->target;
	uint8_t header[PROXY_V2_MAX];
	bool done = false;
	int fd = dial_connect_from(&t->source, t->source_length, &t->address,
				   t->address_length, &done);
	socklen_t length = sizeof(x->own);
	size_t n = 0;

	list_add_tail(&t->exchanges, &x->link);
	exchange_move(x, EXCHANGE_DIALING);
	x->serving = &x->dialed;
	if (fd < 0 ||
	    end_open(g, &x->dialed, fd, false, false, dialed_ready) < 0) {
		exchange_end(g, x, "unavailable", strerror(errno));
		return;
	}
	x->dialed.tcp = t->endpoint == WIRE_ENDPOINT_TCP;
	getsockname(fd, (struct sockaddr *)&x->own, &length);
	exchange_announce(g, x);
	poll_timer_set(&g->poll, &x->timer,
		  g->poll.now_ms + g->limits.resource_accept_ms);
	if (t->identity == WIRE_IDENTITY_PROXY)
		n = proxy_header(x, header);
	if (n)
		end_put_raw(g, &x->dialed, header, n);
	/* epoll tells whether the connect has succeeded. */
	x->dialed.writable = false;
}

void exchange_announce(struct gateway *g, const struct exchange *x)
{
	const struct port *p = x->port;
	char own[PEER_MAX], peer[PEER_MAX];
	struct message m = {
		.type = WIRE_TYPE_resource_opened,
		.incarnation = p->incarnation,
		.resource_opened = { .exchange = x->id, .session = p->session,
				     .machine = p->machine_id,
				     .resource = slice_of(p->resource) },
	};

	if (x->state == EXCHANGE_WAITING)
		return;
	visitor_name(own, &x->own);
	visitor_name(peer, &p->address);
	m.resource_opened.own = slice_of(own);
	m.resource_opened.peer = slice_of(peer);
	engine_link_send(g, &m, false);
}

void exchange_begin(struct gateway *g, struct port *p)
{
	struct target *t = target_find(g, p->resource);
	struct exchange *x;

	if (!t || (t->endpoint == WIRE_ENDPOINT_CHANNEL && t->end.watch.fd < 0)) {
		static const uint64_t none[2];

		port_report(g, p, 0, true, none, "the resource is not served now");
		port_error(g, p, "unavailable", "the resource is not served now");
		return;
	}
	x = calloc(1, sizeof(*x));
	CHECK("", x, "out of memory");
	x->port = p;
	x->target = t;
	x->dialed.watch.fd = -1;
	x->timer.fire = exchange_late;
	x->state = EXCHANGE_WAITING;
	x->id = (uint64_t)1 << 63 | (uint64_t)(g->index & 0x7fff) << 48 |
		++g->next_exchange;
	p->exchange = x;
	if (t->endpoint != WIRE_ENDPOINT_CHANNEL) {
		exchange_dial(g, x);
		return;
	}
	list_add_tail(&t->waiting, &x->link);
	target_next(g, t);
}

/* Only notes what was said: acting waits for settle, when the ends are whole. */
static bool on_frame(struct gateway *g, struct relay *r, int from,
		     const struct native_header *h, const uint8_t *payload)
{
	struct exchange *x = POLL_OWNER(r, struct exchange, relay);
	uint64_t session = 0, nonce = 0;

	(void)g;
	native_get_u64(payload, h->length, NATIVE_TAG_SESSION, &session);
	native_get_u64(payload, h->length, NATIVE_TAG_NONCE, &nonce);
	if (from == 0) {
		/* Of an earlier exchange: nothing to us. */
		if (h->type != NATIVE_CONNECT && nonce != x->port->nonce)
			return true;
		x->aborted = h->type == NATIVE_DEALLOCATE;
		if (!x->aborted)
			r->end[0]->error = EPROTO;
		return false;
	}
	bool ours = session == x->id && nonce == x->nonce;
	if (x->state == EXCHANGE_DRAINING) {
		x->drained = h->type == NATIVE_CONFIRMED && ours;
		return !x->drained;
	}
	if (h->type == NATIVE_ERROR && ours &&
	    native_get_text(payload, h->length, NATIVE_TAG_TEXT, x->why,
			    sizeof(x->why)) == 0)
		r->end[1]->error = ECONNABORTED;
	else
		r->end[1]->error = EPROTO;
	return false;
}

static void settle_drain(struct gateway *g, struct exchange *x)
{
	struct target *t = x->target;

	if (t->end.error || t->end.out_dead) {
		target_lost(g, t, "the channel closed");
	} else if (x->drained) {
		exchange_free(g, x);
		t->end.in_ended = t->end.out_ended = false;
		target_next(g, t);
	}
}

static bool all_done(const struct end *a, const struct end *b)
{
	return a->in_ended && b->in_ended && (a->out_ended || a->out_dead) &&
	       (b->out_ended || b->out_dead) && end_idle(a) && end_idle(b);
}

static void settle(struct gateway *g, struct relay *r)
{
	struct exchange *x = POLL_OWNER(r, struct exchange, relay);
	struct end *guest = r->end[0], *serving = r->end[1];
	struct port *p = x->port;
	uint64_t nonce;

	if (x->state == EXCHANGE_DRAINING) {
		settle_drain(g, x);
		return;
	}
	nonce = p->nonce;
	if (x->aborted) {
		p->pumping = true;
		exchange_end(g, x, NULL, "the guest gave up");
		port_confirm(g, p, nonce);
		p->pumping = false;
		port_pump(g, p);
	} else if (guest->error == EPROTO) {
		guest->error = 0;
		exchange_end(g, x, "protocol", "the guest broke the protocol");
	} else if (guest->error || guest->out_dead) {
		exchange_end(g, x, NULL, "the guest's port closed");
	} else if (serving->error && end_idle(guest)) {
		exchange_end(g, x, "lost", x->why[0] ? x->why
			     : "the connection to the resource was lost");
	} else if (all_done(guest, serving) ||
		   (serving->in_ended && serving->out_dead && end_idle(guest))) {
		exchange_end(g, x, NULL, "");
	} else if ((guest->in_ended || serving->in_ended) && !x->timer.slot) {
		poll_timer_set(&g->poll, &x->timer,
			  r->moved_ms + g->limits.half_close_ms);
	}
}

