/*
 * Gateway roles: life and death, adoption, and the engine's messages to them.
 * A gateway outlives its engine: it keeps its sessions and the records of
 * those that ended meanwhile, and is adopted by the next.  One that dies loses
 * everything; the fresh one counts its connections from 1 again.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/planted.h"
#include "engine/sim/internal.h"

enum { GATEWAY_RESTART_MS = 200, RECORDS_MAX = 1000 };

static bool is_of_session(enum event_kind kind)
{
	return kind == EVENT_ACCEPTED || kind == EVENT_FAILED ||
	       kind == EVENT_ENDED || kind == EVENT_BYTES ||
	       kind == EVENT_CANCEL || kind == EVENT_EXTEND;
}

/* The same message once more: the core must not mind. */
static struct post *again(struct sim *s, const struct post *p)
{
	return is_of_session(p->ev.kind) && sim_fault(s, SIM_SAID_TWICE, 0) ?
		       post_copy(p) : NULL;
}

void gateway_post(struct sim *s, uint32_t gateway, struct post *p)
{
	struct sim_gateway *g = &s->gateways[gateway];

	p->gateway = gateway;
	if (p->durable && !p->record)
		p->record = ++g->next_record;
	if (g->linked) {
		if (p->durable)
			array_add(&g->sent, post_copy(p));
		int64_t at = s->now_ms + sim_between(s, 0, s->swarm.latency_ms);

		if (at < g->stalled_ms)
			at = g->stalled_ms;
		struct post *copy = again(s, p);
		post_send(s, p, &g->out_ms, at - s->now_ms);
		if (copy)
			post_send(s, copy, &g->out_ms, sim_between(s, 0, 3));
	} else if (p->durable && g->records.count < RECORDS_MAX) {
		array_add(&g->records, p);
	} else {
		free(p);
	}
}

/* A gateway hears which of its records are stored. */
static void stored(struct sim *s, struct item *it)
{
	uint32_t gateway = (uint32_t)it->a & 0xff;
	struct sim_gateway *g = &s->gateways[gateway];

	if (g->epoch != it->a >> 8)
		return;
	while (g->sent.count &&
	       ((struct post *)g->sent.items[0])->record <= it->b) {
		free(g->sent.items[0]);
		array_remove(&g->sent, 0);
	}
}

void gateways_stored(struct sim *s)
{
	for (uint32_t i = 0; i < s->swarm.gateways; i++) {
		struct sim_gateway *g = &s->gateways[i];
		int64_t at = s->now_ms + sim_between(s, 0, s->swarm.latency_ms);

		if (!g->stepped || !g->linked)
			continue;
		if (at < g->in_ms)
			at = g->in_ms;
		g->in_ms = at;
		sim_at(s, at, stored, NULL, g->epoch << 8 | i, g->stepped);
		g->stepped = 0;
	}
}

/* The next engine gets them again, before all that came later. */
static void recall_sent(struct sim_gateway *g)
{
	struct array later = g->records;

	g->records = g->sent;
	g->sent = (struct array){ 0 };
	if (PLANTED(S10_NOT_RESENT))
		array_free(&g->records);
	for (size_t i = 0; i < later.count; i++)
		array_add(&g->records, later.items[i]);
	free(later.items);
}

static void send_records(struct sim *s, uint32_t gateway)
{
	struct array records = s->gateways[gateway].records;

	s->gateways[gateway].records = (struct array){ 0 };
	for (size_t i = 0; i < records.count; i++)
		gateway_post(s, gateway, records.items[i]);
	free(records.items);
}

static void report(struct sim *s, uint32_t gateway)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *c = s->conns.items[i];
		struct post *p;

		if (c->gateway != gateway || c->state < CONN_ACCEPTING ||
		    c->state > CONN_DRAINING)
			continue;
		if (!store_session(s, conn_session(c)))
			sim_broken(s, "S3", "gateway %u holds session/%llu, which has no row",
				   gateway, (unsigned long long)conn_session(c));
		p = post_new(s, EVENT_GATEWAY_SESSION);
		p->ev.held.gateway = gateway;
		p->ev.held.conn = c->id;
		p->ev.held.session = c->session;
		p->ev.held.machine = c->machine;
		p->ev.held.incarnation = c->incarnation;
		p->ev.held.flowing = c->accepted;
		p->ev.held.bytes_in = c->bytes_in;
		p->ev.held.bytes_out = c->bytes_out;
		p->ev.held.quiet_ms = c->accepted ? s->now_ms - c->moved_ms : 0;
		gateway_post(s, gateway, p);
	}
}

/* Says hello, what it holds, and that this was all. */
static void hello(struct sim *s, uint32_t gateway, bool fresh)
{
	struct sim_gateway *g = &s->gateways[gateway];
	struct post *p = post_new(s, EVENT_GATEWAY_UP);

	g->linked = true;
	p->ev.gateway.index = gateway;
	p->ev.gateway.fresh = fresh;
	gateway_post(s, gateway, p);
	if (s->swarm.records_first)
		send_records(s, gateway);
	report(s, gateway);
	if (gateway == 0)
		resource_report(s);
	nodes_gateway_linked(s, gateway);
	p = post_new(s, EVENT_GATEWAY_READY);
	p->ev.gateway.index = gateway;
	gateway_post(s, gateway, p);
	send_records(s, gateway);
	for (size_t i = 0; i < s->conns.count; i++) {
		struct conn *c = s->conns.items[i];

		if (c->gateway == gateway && c->state == CONN_REQUESTED)
			conn_request(s, c);
	}
}

static void comes_up(struct sim *s, struct item *it)
{
	struct sim_gateway *g = &s->gateways[it->a];

	if (g->start != it->b || !s->running || g->linked)
		return;
	if (s->now_ms < g->stalled_ms) {
		sim_at(s, g->stalled_ms, comes_up, NULL, it->a, it->b);
		return;
	}
	bool fresh = !g->alive;
	if (fresh) {
		g->alive = true;
		g->next_conn = 0;
	}
	hello(s, (uint32_t)it->a, fresh);
}

void gateway_start(struct sim *s, uint32_t gateway)
{
	struct sim_gateway *g = &s->gateways[gateway];
	int64_t at = s->now_ms + sim_between(s, 1, 500);

	g->start++;
	/* What the old engine sent is read before the new one is listened to. */
	if (at <= g->in_ms)
		at = g->in_ms + 1;
	sim_at(s, at, comes_up, NULL, gateway, g->start);
}

void gateway_unlink(struct sim *s, uint32_t gateway)
{
	s->gateways[gateway].linked = false;
	s->gateways[gateway].stepped = 0;
	recall_sent(&s->gateways[gateway]);
	for (size_t i = 0; i < s->conns.count; i++) {
		struct conn *c = s->conns.items[i];

		if (c->gateway == gateway)
			c->requested = false;
	}
}

static void restarts(struct sim *s, struct item *it)
{
	if (s->gateways[it->a].start == it->b && s->running)
		gateway_start(s, (uint32_t)it->a);
}

void gateway_die(struct sim *s, uint32_t gateway)
{
	struct sim_gateway *g = &s->gateways[gateway];
	bool linked = g->linked;
	struct post *p;

	if (!g->alive)
		return;
	for (size_t i = 0; i < s->conns.count; i++) {
		struct conn *c = s->conns.items[i];

		if (c->gateway != gateway)
			continue;
		if (c->state == CONN_FLOWING)
			conn_cut(s, c);
		c->state = CONN_GONE;
	}
	array_free(&g->records);
	array_free(&g->sent);
	g->next_record = g->stepped = 0;
	g->alive = g->linked = false;
	g->epoch++;
	g->stalled_ms = 0;
	nodes_gateway_died(s, gateway);
	if (gateway == 0) {
		array_free(&s->ports);
		s->target_machine = 0;
		s->target_known = false;
	}
	if (!s->running)
		return;
	if (linked) {
		p = post_new(s, EVENT_GATEWAY_LOST);
		p->ev.gateway.index = gateway;
		post_send(s, p, &g->out_ms, 1);
	}
	sim_at(s, g->out_ms + GATEWAY_RESTART_MS, restarts, NULL, gateway,
	       ++g->start);
}

/* ---- what the engine says ---------------------------------------------------- */

static void confirmed(struct sim *s, const struct order *o)
{
	struct conn *c = conn_of_session(s, o->e.gateway, o->e.session);
	const struct session_row *row =
		c ? store_session(s, conn_session(c)) : NULL;

	if (!c || c->state != CONN_CONFIRMING)
		return;
	if (o->e.ok && (!row || !row->cleaned_wall_ms))
		sim_broken(s, "S3", "session/%llu is confirmed before it is saved as clean",
			   (unsigned long long)o->e.session);
	c->state = CONN_GONE;
}

static void handle(struct sim *s, struct order *o)
{
	struct conn *c;

	switch (o->e.kind) {
	case EFFECT_ASSIGN:
		conn_assign(s, o);
		return;
	case EFFECT_TICKET:
		c = conn_by_id(s, o->e.gateway, o->e.conn);
		if (c && c->state == CONN_REQUESTED)
			tickets_come(s, c, o);
		return;
	case EFFECT_REFUSE:
		c = conn_by_id(s, o->e.gateway, o->e.conn);
		if (c && c->state == CONN_REQUESTED)
			conn_refuse(s, c);
		return;
	case EFFECT_STOP:
		c = conn_of_session(s, o->e.gateway, o->e.session);
		if (c && c->state <= CONN_FLOWING)
			conn_stop(s, c, o->e.ms);
		return;
	case EFFECT_CONFIRMED:
		confirmed(s, o);
		return;
	case EFFECT_RESOURCE_PORT:
		resource_port(s, o);
		return;
	case EFFECT_RESOURCE_CLOSE:
		resource_close(s, o);
		return;
	case EFFECT_RESOURCE_TARGET:
		text_copy_slice(s->target_resource, sizeof(s->target_resource),
				o->e.resource);
		s->target_machine = o->e.machine;
		s->target_known = o->e.ok;
		return;
	case EFFECT_NODE_SET:
	case EFFECT_NODE_DROP:
		nodes_order(s, o);
		return;
	default:	/* WAITING is for people */
		return;
	}
}

static void arrives(struct sim *s, struct item *it)
{
	struct order *o = it->arg;
	struct sim_gateway *g = &s->gateways[o->e.gateway];

	if (!g->alive || g->epoch != o->epoch)
		return;
	if (s->now_ms < g->stalled_ms) {
		it->arg = NULL;
		sim_at(s, g->stalled_ms, arrives, o, 0, 0);
		return;
	}
	handle(s, o);
}

void gateway_order(struct sim *s, struct order *o)
{
	struct sim_gateway *g = &s->gateways[o->e.gateway];
	int64_t at = s->now_ms + sim_between(s, 0, s->swarm.latency_ms);

	if (!g->linked) {	/* the shell has nobody to send it to */
		free(o);
		return;
	}
	if (at < g->in_ms)
		at = g->in_ms;
	g->in_ms = at;
	o->epoch = g->epoch;
	sim_at(s, at, arrives, o, 0, 0);
}
