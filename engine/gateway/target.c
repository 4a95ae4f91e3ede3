/*
 * Targets: where resources are served; see resource.h.
 *
 * A channel belongs to one exchange at a time; the others wait in the order
 * they came.  Whatever breaks the order of frames on a channel costs the
 * channel: it is closed, reported, and the engine brings another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/resource.h"

struct target *target_find(struct gateway *g, const char *resource)
{
	LIST_EACH(&g->targets, it) {
		struct target *t = LIST_ENTRY(it, struct target, link);

		if (!strcmp(t->resource, resource))
			return t;
	}
	return NULL;
}

static void bury_target(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct target, grave));
}

/* The channel cannot be trusted, or is closed: the engine brings another. */
void target_lost(struct gateway *g, struct target *t, const char *why)
{
	struct message m = {
		.type = WIRE_TYPE_resource_target_lost,
		.incarnation = t->incarnation,
		.resource_target_lost = { .resource = slice_of(t->resource),
					  .machine = t->machine_id,
					  .text = slice_of(why) },
	};

	if (t->end.watch.fd < 0)
		return;
	log_warn("resource %s: its channel is lost: %s", t->resource, why);
	end_close(g, &t->end, false);
	engine_link_send(g, &m, true);
	if (t->current && t->current->port)
		exchange_end(g, t->current, "lost", why);
	else if (t->current)
		exchange_free(g, t->current);
	while (!list_empty(&t->waiting))
		exchange_end(g, LIST_ENTRY(t->waiting.next, struct exchange, link),
			     "unavailable", "the resource is not served now");
}

void target_next(struct gateway *g, struct target *t)
{
	struct native_builder b;
	struct exchange *x;

	if (t->current || list_empty(&t->waiting) || t->end.watch.fd < 0)
		return;
	x = LIST_ENTRY(t->waiting.next, struct exchange, link);
	list_remove(&x->link);
	t->current = x;
	exchange_move(x, EXCHANGE_ACCEPTING);
	x->serving = &t->end;
	if (getrandom(&x->nonce, sizeof(x->nonce), 0) != sizeof(x->nonce))
		check_fail("", __FILE__, __LINE__, "getrandom", "no randomness");
	native_begin(&b, NATIVE_ACCEPT, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, x->id);
	native_put_u64(&b, NATIVE_TAG_NONCE, x->nonce);
	native_put_text(&b, NATIVE_TAG_USER, x->port->user);
	native_put_text(&b, NATIVE_TAG_APPLICATION, t->resource);
	native_put_u64(&b, NATIVE_TAG_INCARNATION, t->incarnation);
	poll_timer_set(&g->poll, &x->timer,
		  g->poll.now_ms + g->limits.resource_accept_ms);
	exchange_announce(g, x);
	if (!end_put_frame(g, &t->end, &b) || t->end.out_dead)
		target_lost(g, t, "the channel closed");
}

static void await_echo(struct gateway *g, struct target *t, struct exchange *x)
{
	char text[200];

	switch (dial_hunt(g, &t->end, x->id, x->nonce, &x->skipped, text,
			     sizeof(text))) {
	case ACCEPT_MORE:
		break;
	case ACCEPT_ECHOED:
		exchange_flow(g, x);
		break;
	case ACCEPT_REFUSED:
	case ACCEPT_BROKEN:
		target_lost(g, t, text);
		break;
	}
}

/* Between exchanges nothing is expected of a target. */
static void drain_idle(struct gateway *g, struct target *t)
{
	while (t->end.readable) {
		ssize_t n = recv(t->end.watch.fd, g->stores.scratch,
				 END_READ_MAX, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			t->end.readable = false;
		} else if (n <= 0) {
			target_lost(g, t, "the channel closed");
			return;
		}
	}
}

static void target_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct target *t = POLL_OWNER(w, struct target, end.watch);
	struct exchange *x = t->current;

	end_note(&t->end, events);
	if (!x) {
		drain_idle(g, t);
	} else if (x->state == EXCHANGE_ACCEPTING) {
		end_flush(g, &t->end);
		await_echo(g, t, x);
	} else {
		relay_pump(g, &x->relay);
	}
}

static void target_free(struct gateway *g, struct target *t)
{
	struct exchange *x = t->current;

	list_remove(&t->link);
	end_close(g, &t->end, false);
	if (x && x->port)
		exchange_end(g, x, "lost", "the resource moved");
	else if (x)
		exchange_free(g, x);
	while (!list_empty(&t->exchanges))
		exchange_end(g, LIST_ENTRY(t->exchanges.next, struct exchange,
					   link), "lost", "the resource moved");
	grave_add(&g->poll, &t->grave, bury_target);
}

/* Who waited for the old target waits for the new one. */
static void hand_over(struct gateway *g, struct target *old, struct target *t)
{
	while (!list_empty(&old->waiting)) {
		struct exchange *x = LIST_ENTRY(old->waiting.next,
						struct exchange, link);

		if (!t) {
			exchange_end(g, x, "unavailable",
				     "the resource is not served now");
			continue;
		}
		list_remove(&x->link);
		x->target = t;
		if (t->endpoint == WIRE_ENDPOINT_CHANNEL)
			list_add_tail(&t->waiting, &x->link);
		else
			exchange_dial(g, x);
	}
}

static int parse(const struct wire_resource_target *w, struct target *t)
{
	char source[NAME_MAX_BYTES];

	if (t->endpoint == WIRE_ENDPOINT_TCP)
		t->address_length = dial_parse(w->address, &t->address);
	else if (t->endpoint == WIRE_ENDPOINT_UNIX)
		t->address_length = dial_parse_unix(w->address, &t->address);
	if (!t->address_length)
		return -1;
	if (!w->source.length)
		return 0;
	/* Any port of that address: the kernel chooses. */
	if (snprintf(source, sizeof(source), "%s%.*s%s:1",
		     memchr(w->source.ptr, ':', w->source.length) ? "[" : "",
		     (int)w->source.length, w->source.ptr,
		     memchr(w->source.ptr, ':', w->source.length) ? "]" : "") >=
	    (int)sizeof(source))
		return -1;
	t->source_length = dial_parse(slice_of(source), &t->source);
	dial_any_port(&t->source);
	return t->source_length ? 0 : -1;
}

/* An engine that was restarted tells again what is known: nobody is cut. */
static bool is_the_same(const struct target *t, const struct message *m)
{
	const struct wire_resource_target *w = &m->resource_target;
	struct target other = { .endpoint = w->endpoint };

	return w->endpoint != WIRE_ENDPOINT_CHANNEL &&
	       t->endpoint == w->endpoint && t->machine_id == w->machine &&
	       t->incarnation == m->incarnation && t->identity == w->identity &&
	       parse(w, &other) == 0 &&
	       t->address_length == other.address_length &&
	       t->source_length == other.source_length &&
	       !memcmp(&t->address, &other.address, sizeof(other.address)) &&
	       !memcmp(&t->source, &other.source, sizeof(other.source));
}

static struct target *target_new(struct gateway *g, struct message *m)
{
	const struct wire_resource_target *w = &m->resource_target;
	struct target *t = calloc(1, sizeof(*t));
	int fd = -1;

	CHECK("", t, "out of memory");
	list_init(&t->waiting);
	list_init(&t->exchanges);
	t->end.watch.fd = -1;
	t->machine_id = w->machine;
	t->incarnation = m->incarnation;
	t->endpoint = w->endpoint;
	t->identity = w->identity;
	if (!text_copy_slice(t->resource, sizeof(t->resource), w->resource))
		goto bad;
	if (t->endpoint != WIRE_ENDPOINT_CHANNEL) {
		if (parse(w, t) < 0)
			goto bad;
	} else if ((fd = wire_take_fd(m, 0)) < 0 ||
		   end_open(g, &t->end, fd, true, true, target_ready) < 0) {
		goto bad;
	}
	list_add_tail(&g->targets, &t->link);
	return t;
bad:
	log_error("resource %s: not a target this gateway can use", t->resource);
	free(t);
	return NULL;
}

void target_on_message(struct gateway *g, struct message *m)
{
	const struct wire_resource_target *w = &m->resource_target;
	char name[NAME_MAX_BYTES];
	struct target *old, *t = NULL;

	text_copy_slice(name, sizeof(name), w->resource);
	old = target_find(g, name);
	if (old && is_the_same(old, m))
		return;
	if (old)
		list_remove(&old->link);
	if (w->endpoint)
		t = target_new(g, m);
	if (old) {
		hand_over(g, old, t);
		target_free(g, old);
	}
	if (t)
		target_next(g, t);
}

void target_close_all(struct gateway *g)
{
	port_close_all(g);
	LIST_EACH(&g->targets, it)
		target_free(g, LIST_ENTRY(it, struct target, link));
}
