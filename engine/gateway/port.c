/*
 * Ports: the guest's side of a resource; see resource.h.
 *
 * Between exchanges the stream may hold anything: bytes of an earlier session
 * that nobody read, DATA of an exchange that was just cut.  Whole frames are
 * stepped over; where no frame is recognised the reader slides byte by byte to
 * the next CONNECT.  That cannot raise anyone's rights: whatever is read here
 * acts for the port's user and no other.
 *
 * A machine with an address of its own needs no port: see visitor.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/resource.h"

enum { SKIP_MAX = 1024 * 1024 };

static void bury(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct port, grave));
}

/* The ports of one machine. */
struct seat {
	struct list ports;
};

void port_free(struct gateway *g, struct port *p)
{
	struct seat *seat = map_get(&g->seats, p->machine_id);

	if (!list_linked(&p->link))
		return;
	p->pumping = true;
	if (p->exchange) {
		/* Cut in the middle: never to be taken for an end. */
		p->failed = true;
		exchange_end(g, p->exchange, NULL, "the port was closed");
	}
	visitor_unbind(g, p);
	end_close(g, &p->end, p->failed);
	list_remove(&p->link);
	if (seat && list_empty(&seat->ports)) {
		map_remove(&g->seats, p->machine_id);
		free(seat);
	}
	grave_add(&g->poll, &p->grave, bury);
}

static void sit(struct gateway *g, struct port *p)
{
	struct seat *seat = map_get(&g->seats, p->machine_id);

	if (!seat) {
		seat = malloc(sizeof(*seat));
		CHECK("", seat, "out of memory");
		list_init(&seat->ports);
		map_put(&g->seats, p->machine_id, seat);
	}
	list_add_tail(&seat->ports, &p->link);
}

void port_on_close(struct gateway *g, uint64_t machine, uint64_t session)
{
	struct seat *seat = map_get(&g->seats, machine);
	struct port *p = NULL;

	do {
		p = NULL;
		if (seat)
			LIST_EACH(&seat->ports, it)
				if (LIST_ENTRY(it, struct port, link)->session ==
				    session)
					p = LIST_ENTRY(it, struct port, link);
		if (p)
			port_free(g, p);
		seat = map_get(&g->seats, machine);
	} while (p);
}

void port_close_all(struct gateway *g)
{
	for (size_t i = 0; i < g->seats.size;) {
		struct seat *seat = g->seats.slots[i].value;

		if (!g->seats.slots[i].key) {
			i++;
			continue;
		}
		port_free(g, LIST_ENTRY(seat->ports.next, struct port, link));
	}
	map_fini(&g->seats);
}

void port_report(struct gateway *g, const struct port *p, uint64_t exchange,
		 bool allowed, const uint64_t bytes[2], const char *text)
{
	char peer[PEER_MAX];
	struct message m = {
		.type = WIRE_TYPE_resource_used,
		.incarnation = p->incarnation,
		.resource_used = {
			.session = p->session, .machine = p->machine_id,
			.resource = slice_of(p->resource),
			.user = slice_of(p->user), .allowed = allowed,
			.bytes_in = bytes[0], .bytes_out = bytes[1],
			.text = slice_of(text), .exchange = exchange,
		},
	};

	visitor_name(peer, &p->address);
	m.resource_used.peer = slice_of(peer);
	engine_link_send(g, &m, true);
}

static void put_nonce(struct gateway *g, struct port *p, enum native_type type,
		      uint64_t nonce)
{
	struct native_builder b;

	native_begin(&b, type, 0);
	native_put_u64(&b, NATIVE_TAG_NONCE, nonce);
	if (!end_put_frame(g, &p->end, &b))
		p->end.error = EPIPE;
}

void port_accepted(struct gateway *g, struct port *p)
{
	if (p->kind == PORT_CHANNEL)
		put_nonce(g, p, NATIVE_ACCEPT, p->nonce);
}

void port_confirm(struct gateway *g, struct port *p, uint64_t nonce)
{
	put_nonce(g, p, NATIVE_CONFIRMED, nonce);
}

void port_error(struct gateway *g, struct port *p, const char *code,
		const char *text)
{
	if (p->kind == PORT_CHANNEL)
		native_door_error(g, &p->end, code, slice_of(text), &p->nonce);
	else
		p->failed = true;
}

void port_release(struct gateway *g, struct port *p)
{
	p->exchange = NULL;
	if (p->kind == PORT_VISITOR) {
		if (!p->pumping)
			port_free(g, p);
		return;
	}
	p->end.in_ended = p->end.out_ended = false;
	if (p->end.out_dead && !p->end.error)
		p->end.error = p->end.out_error;
	if (!p->pumping)
		port_pump(g, p);
}

static void on_connect(struct gateway *g, struct port *p, const uint8_t *payload,
		       size_t n)
{
	static const uint64_t none[2];
	char resource[NAME_MAX_BYTES];

	if (p->exchange)
		exchange_end(g, p->exchange, NULL, "the guest began anew");
	if (native_get_u64(payload, n, NATIVE_TAG_NONCE, &p->nonce) < 0 ||
	    native_get_text(payload, n, NATIVE_TAG_RESOURCE, resource,
			    sizeof(resource)) < 0)
		return;
	if (strcmp(resource, p->resource)) {
		port_error(g, p, "no_resource",
			   "this port serves another resource");
	} else if (!p->allowed) {
		port_report(g, p, 0, false, none, "denied by the access table");
		port_error(g, p, "denied", "this user may not use the resource");
	} else {
		exchange_begin(g, p);
	}
}

static void on_deallocate(struct gateway *g, struct port *p,
			  const uint8_t *payload, size_t n)
{
	uint64_t nonce;

	if (native_get_u64(payload, n, NATIVE_TAG_NONCE, &nonce) < 0)
		return;
	if (p->exchange && nonce == p->nonce)
		exchange_end(g, p->exchange, NULL, "the guest gave up");
	port_confirm(g, p, nonce);
}

/* Skips the payload of a DATA frame nobody waits for. */
static void skip_data(struct gateway *g, struct port *p)
{
	size_t n = p->end.in->end - p->end.in->start;

	if (n > p->end.data_left)
		n = p->end.data_left;
	p->end.data_left -= (uint32_t)n;
	end_consume(g, &p->end, n);
}

/* One step through what was read; false when more bytes are needed, or the
 * guest's DATA has to wait for the accept. */
static bool step(struct gateway *g, struct port *p)
{
	struct end *e = &p->end;
	struct native_header h;
	const uint8_t *payload;
	uint8_t copy[NATIVE_CONTROL_MAX];

	if (!e->in)
		return false;
	if (e->data_left) {
		skip_data(g, p);
		return true;
	}
	int got = end_peek(e, &h, &payload);
	if (got == 0)
		return false;
	if (got < 0) {
		p->skipped++;
		end_consume(g, e, 1);
		return true;
	}
	if (h.type == NATIVE_DATA) {
		if (p->exchange)
			return false;
		end_consume(g, e, NATIVE_HEADER_SIZE);
		e->data_left = h.length;
		return true;
	}
	memcpy(copy, payload, h.length);
	end_consume(g, e, NATIVE_HEADER_SIZE + h.length);
	if (h.type == NATIVE_CONNECT)
		on_connect(g, p, copy, h.length);
	else if (h.type == NATIVE_DEALLOCATE)
		on_deallocate(g, p, copy, h.length);
	return true;
}

/* Everything but a flowing exchange. */
void port_pump(struct gateway *g, struct port *p)
{
	struct end *e = &p->end;
	bool more = true;

	p->pumping = true;
	while (more && e->watch.fd >= 0 &&
	       (!p->exchange || p->exchange->state != EXCHANGE_FLOWING)) {
		/* No answer is queued behind one that is not read. */
		if (!end_flush(g, e))
			break;
		more = step(g, p);
		if (!more && e->readable) {
			size_t had = e->in ? e->in->end - e->in->start : 0;

			end_fill(g, e, CHUNK_SMALL);
			more = e->in && e->in->end - e->in->start > had;
		}
	}
	p->pumping = false;
	if (e->watch.fd < 0)
		return;
	if (p->skipped > SKIP_MAX) {
		log_warn("machine %llu, resource %s: the port sends no frames",
			 (unsigned long long)p->machine_id, p->resource);
		port_free(g, p);
	} else if (e->in_ended || e->error || e->out_dead) {
		if (!p->exchange || p->exchange->state != EXCHANGE_FLOWING)
			port_free(g, p);
	}
}

static void port_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct port *p = POLL_OWNER(w, struct port, end.watch);

	end_note(&p->end, events);
	if (p->exchange && p->exchange->state == EXCHANGE_FLOWING)
		relay_pump(g, &p->exchange->relay);
	else if (p->kind == PORT_CHANNEL)
		port_pump(g, p);
}

/* The way the engine gave: a visitor is none. */
static struct port *find(struct gateway *g, const struct wire_resource_port *w)
{
	struct seat *seat = map_get(&g->seats, w->machine);

	if (!seat)
		return NULL;
	LIST_EACH(&seat->ports, it) {
		struct port *p = LIST_ENTRY(it, struct port, link);

		if (p->kind != PORT_VISITOR && p->session == w->session &&
		    slice_is(w->resource, p->resource))
			return p;
	}
	return NULL;
}

struct port *port_visitor_of(struct gateway *g, const struct port *home)
{
	struct seat *seat = map_get(&g->seats, home->machine_id);

	LIST_EACH(&seat->ports, it) {
		struct port *p = LIST_ENTRY(it, struct port, link);

		if (p->home == home)
			return p;
	}
	return NULL;
}

/* The site's access table changed. */
static void change(struct gateway *g, struct port *p, bool allowed)
{
	struct port *v;

	p->allowed = allowed;
	if (allowed)
		return;
	if (p->exchange)
		exchange_end(g, p->exchange, "denied",
			     "this user may not use the resource any more");
	while ((v = port_visitor_of(g, p))) {
		v->failed = true;
		port_free(g, v);
	}
}

static struct port *port_new(const struct message *m)
{
	const struct wire_resource_port *w = &m->resource_port;
	struct port *p = calloc(1, sizeof(*p));

	CHECK("", p, "out of memory");
	p->end.watch.fd = -1;
	p->machine_id = w->machine;
	p->session = w->session;
	p->incarnation = m->incarnation;
	p->allowed = w->allowed;
	text_copy_slice(p->resource, sizeof(p->resource), w->resource);
	text_copy_slice(p->user, sizeof(p->user), w->user);
	return p;
}

void port_on_message(struct gateway *g, struct message *m)
{
	const struct wire_resource_port *w = &m->resource_port;
	struct port *p = find(g, w);
	int fd = wire_take_fd(m, 0);

	if (fd < 0 && !w->address.length) {
		if (p)
			change(g, p, w->allowed);
		return;
	}
	if (!w->machine || w->resource.length >= NAME_MAX_BYTES ||
	    w->user.length >= USER_MAX) {
		log_error("resource port without a machine or a fit name");
		if (fd >= 0)
			close(fd);
		return;
	}
	if (p)
		port_free(g, p);
	p = port_new(m);
	if (fd < 0 ? visitor_bind(g, p, w->address) < 0 :
		     end_open(g, &p->end, fd, true, true, port_ready) < 0) {
		log_error("resource port of machine %llu: %s",
			  (unsigned long long)w->machine, strerror(errno));
		free(p);
		return;
	}
	sit(g, p);
}

int port_visit(struct gateway *g, struct port *p, int fd)
{
	if (end_open(g, &p->end, fd, false, false, port_ready) < 0)
		return -1;
	p->end.tcp = true;
	sit(g, p);
	return 0;
}

/* What the ports and exchanges are, for a new engine. */
void port_report_all(struct gateway *g)
{
	for (size_t i = 0; i < g->seats.size; i++) {
		struct seat *seat = g->seats.slots[i].value;

		if (!g->seats.slots[i].key)
			continue;
		LIST_EACH(&seat->ports, it) {
			struct port *p = LIST_ENTRY(it, struct port, link);
			struct message m = {
				.type = WIRE_TYPE_resource_held,
				.incarnation = p->incarnation,
				.resource_held = { p->machine_id, p->session,
						   slice_of(p->resource) },
			};

			if (p->kind != PORT_VISITOR)
				engine_link_send(g, &m, false);
			if (p->exchange)
				exchange_announce(g, p->exchange);
		}
	}
}
