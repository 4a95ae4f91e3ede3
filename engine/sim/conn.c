/*
 * A client's connection at its gateway, from request to end, as the gateway
 * role has it: requested, accepting, flowing, draining, confirming, gone.
 * After a machine that did not accept it waits for the engine's word again.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum {
	CONFIRM_WAIT_MS = 60000,
	LIMIT_SLACK_MS = 120000,	/* gateways stall, engines are restarted */
};

struct conn *conn_by_id(const struct sim *s, uint32_t gateway, uint64_t id)
{
	/* The newest of that number: a fresh gateway counts from 1 again. */
	for (size_t i = s->conns.count; i-- > 0;) {
		struct conn *c = s->conns.items[i];

		if (c->gateway == gateway && c->id == id)
			return c;
	}
	return NULL;
}

struct conn *conn_of_session(const struct sim *s, uint32_t gateway,
			     uint64_t session)
{
	for (size_t i = s->conns.count; i-- > 0;) {
		struct conn *c = s->conns.items[i];

		if (c->gateway == gateway && session && c->session == session &&
		    c->state != CONN_GONE)
			return c;
	}
	return NULL;
}

uint64_t conn_session(const struct conn *c)
{
	return c->of ? c->of : c->session;
}

/* Timers name a connection by its place in the list of all. */
static struct conn *conn_at(const struct sim *s, uint64_t index)
{
	return s->conns.items[index];
}

static uint64_t index_of(const struct sim *s, const struct conn *c)
{
	size_t i = s->conns.count;

	while (s->conns.items[--i] != c)
		;
	return i;
}

/* When a stalled gateway gets to it. */
static int64_t when(const struct sim *s, const struct conn *c, int64_t delay_ms)
{
	int64_t at = s->now_ms + delay_ms;
	int64_t stalled_ms = s->gateways[c->gateway].stalled_ms;

	return at > stalled_ms ? at : stalled_ms;
}

/* True when the gateway is not running: the item comes again then. */
static bool stalled(struct sim *s, struct item *it)
{
	const struct conn *c = conn_at(s, it->a);
	int64_t until_ms = s->gateways[c->gateway].stalled_ms;

	if (c->state == CONN_GONE || s->now_ms >= until_ms)
		return false;
	sim_at(s, until_ms, it->run, NULL, it->a, it->b);
	return true;
}

void conn_request(struct sim *s, struct conn *c)
{
	struct post *p = post_new(s, c->authentic ? EVENT_REQUEST :
						    EVENT_REFUSED);

	p->ev.request.gateway = c->gateway;
	p->ev.request.conn = c->id;
	p->ev.request.listener = post_text(p, c->listener);
	p->ev.request.application = post_text(p, c->application);
	p->ev.request.user = post_text(p, c->user);
	p->ev.request.peer = post_text(p, "192.0.2.1:1");
	p->ev.request.key = post_text(p, c->key);
	p->ev.request.token = post_text(p, c->token);
	p->ev.request.wait_ms = c->wait_ms;
	if (!c->authentic) {
		p->ev.request.code = post_text(p, "not_authenticated");
		p->ev.request.text = post_text(p, "wrong password");
	}
	if (c->claim[0]) {
		free(p);
		p = post_new(s, EVENT_CLAIM);
		p->ev.claim.gateway = c->gateway;
		p->ev.claim.conn = c->id;
		p->ev.claim.listener = post_text(p, c->listener);
		p->ev.claim.peer = post_text(p, "192.0.2.1:2");
		p->ev.claim.hash = post_text(p, c->claim);
	}
	c->requested = true;
	/* A request told to another engine begins anew. */
	c->tries = 0;
	c->tried = 0;
	gateway_post(s, c->gateway, p);
}

static void leaves(struct sim *s, struct item *it)
{
	struct conn *c = conn_at(s, it->a);
	struct post *p;

	if (stalled(s, it) || c->state != CONN_REQUESTED)
		return;
	c->state = CONN_GONE;
	if (!c->requested)
		return;
	p = post_new(s, EVENT_CANCEL);
	p->ev.request.gateway = c->gateway;
	p->ev.request.conn = c->id;
	gateway_post(s, c->gateway, p);
}

/* Somebody who asked before asks again, mostly one of the last. */
static void repeat_client(struct sim *s, struct conn *c)
{
	int64_t n = (int64_t)s->conns.count - 1, back = n;	/* but itself */
	const struct conn *old;

	if (sim_chance(s, 70) && back > 5)
		back = 5;
	old = s->conns.items[n - sim_between(s, 1, back)];
	c->listener = old->listener;
	c->application = old->application;
	c->user = sim_chance(s, 90) ? old->user : c->user;
	TEXT_SET(c->key, old->key);
}

static void draw_client(struct sim *s, struct conn *c)
{
	const struct site_spec *site = &s->site;

	c->listener = site->listeners[sim_between(s, 0, LISTENERS_MAX - 1)].name;
	c->user = site_user_name((uint32_t)sim_between(s, 0, USERS - 1));
	c->application = sim_chance(s, 5) ? "nothing" :
		site->applications[sim_between(
			s, 0, (int64_t)site->application_count - 1)].name;
	c->authentic = !sim_chance(s, 5);
	c->wait_ms = sim_chance(s, 30) ? -1 :
		     sim_chance(s, 20) ? 0 : sim_between(s, 500, 40000);
	if (sim_fault(s, SIM_CLIENT_REPEATS, 0) && s->conns.count > 1)
		repeat_client(s, c);
	else if (sim_chance(s, 30))
		tokens_draw_client(s, c);
	else if (sim_chance(s, 15))
		tickets_draw_client(s, c);
	else if (sim_chance(s, 40))
		snprintf(c->key, sizeof(c->key), "key-%llu",
			 (unsigned long long)++s->next_key);
}

struct conn *conn_open(struct sim *s, uint32_t gateway)
{
	struct sim_gateway *g = &s->gateways[gateway];
	struct conn *c;

	if (!g->alive || !g->linked)
		return NULL;	/* nobody listens */
	c = calloc(1, sizeof(*c));
	CHECK("", c, "out of memory");
	c->id = ++g->next_conn;
	c->gateway = gateway;
	c->since_ms = s->now_ms;
	array_add(&s->conns, c);
	return c;
}

void conn_arrive(struct sim *s)
{
	uint32_t gateway = (uint32_t)sim_between(s, 0, s->swarm.gateways - 1);
	struct conn *c = conn_open(s, gateway);

	if (!c)
		return;
	draw_client(s, c);
	conn_request(s, c);
	if (sim_fault(s, SIM_CLIENT_LEAVES, 0))
		sim_at(s, s->now_ms + sim_between(s, 0, 10000), leaves, NULL,
		       s->conns.count - 1, 0);
}

/* The client of a connection that was lost knocks again, perhaps elsewhere. */
static void comes_back(struct sim *s, struct item *it)
{
	const struct conn *old = conn_at(s, it->a);
	uint32_t gateway = (uint32_t)sim_between(s, 0, s->swarm.gateways - 1);
	struct sim_gateway *g = &s->gateways[gateway];
	struct conn *c;

	if (s->settling || !g->alive || !g->linked)
		return;
	c = calloc(1, sizeof(*c));
	CHECK("", c, "out of memory");
	*c = (struct conn){ .id = ++g->next_conn, .gateway = gateway,
			    .since_ms = s->now_ms, .listener = old->listener,
			    .user = old->user, .application = old->application,
			    .authentic = true, .wait_ms = old->wait_ms };
	TEXT_SET(c->key, old->key);
	array_add(&s->conns, c);
	conn_request(s, c);
	if (sim_fault(s, SIM_CLIENT_LEAVES, 0))
		sim_at(s, s->now_ms + sim_between(s, 0, 1000), leaves, NULL,
		       s->conns.count - 1, 0);
}

void conn_cut(struct sim *s, struct conn *c)
{
	if (c->linger_ms && c->accepted && sim_chance(s, 70))
		sim_at(s, s->now_ms + sim_between(s, 1, c->linger_ms * 3 / 2),
		       comes_back, NULL, index_of(s, c), 0);
}

/* ---- the session ---------------------------------------------------------- */

static struct post *session_post(struct sim *s, const struct conn *c,
				 enum event_kind kind)
{
	struct post *p = post_new(s, kind);

	p->ev.session.gateway = c->gateway;
	p->ev.session.session = c->session;
	p->ev.session.machine = c->machine;
	p->ev.session.incarnation = c->incarnation;
	p->ev.session.bytes_in = c->bytes_in;
	p->ev.session.bytes_out = c->bytes_out;
	return p;
}

static void not_accepted(struct sim *s, struct conn *c, const char *why)
{
	struct post *p = session_post(s, c, EVENT_FAILED);

	p->durable = true;
	p->ev.session.touched = c->touched;
	p->ev.session.text = post_text(p, why);
	gateway_post(s, c->gateway, p);
	c->session = c->of = 0;
	c->state = CONN_REQUESTED;
	c->since_ms = s->now_ms;
	/* A client that has gone meanwhile is noticed now. */
	if (c->cut)
		sim_at(s, when(s, c, 0), leaves, NULL, index_of(s, c), 0);
}

/* The engine never said that the machine is clean. */
static void unconfirmed(struct sim *s, struct item *it)
{
	struct conn *c = conn_at(s, it->a);

	if (c->state != CONN_CONFIRMING || c->session != it->b)
		return;
	if (s->swarm.calm)
		sim_broken(s, "L1", "session/%llu was not confirmed in %d s",
			   (unsigned long long)c->session,
			   CONFIRM_WAIT_MS / 1000);
	c->state = CONN_GONE;
}

static void ended(struct sim *s, struct item *it)
{
	struct conn *c = conn_at(s, it->a);
	struct life *l = life_by_id(s, c->life);
	bool drained;
	struct post *p;

	if (stalled(s, it) || c->state != CONN_DRAINING || c->session != it->b)
		return;
	drained = c->channel && c->accepted && l &&
		  l->state == DOMAIN_RUNNING && c->how != END_MACHINE &&
		  !sim_fault(s, SIM_UNDRAINED, c->machine);
	if (drained)
		l->port = 0;
	p = session_post(s, c, EVENT_ENDED);
	p->durable = true;
	p->ev.session.how = c->how;
	p->ev.session.confirm = c->confirm;
	p->ev.session.drained = drained;
	p->ev.session.text = post_text(p, "");
	if (c->how == END_CLOSED || c->how == END_STOPPED)
		map_put(&s->closed, c->session, (void *)(uintptr_t)(
			s->gateways[c->gateway].epoch + 1));
	gateway_post(s, c->gateway, p);
	if (c->how == END_LOST)
		conn_cut(s, c);
	c->state = c->confirm ? CONN_CONFIRMING : CONN_GONE;
	c->since_ms = s->now_ms;
	if (c->confirm)
		sim_at(s, s->now_ms + CONFIRM_WAIT_MS, unconfirmed, NULL, it->a,
		       c->session);
}

void conn_finish(struct sim *s, struct conn *c, enum session_end how)
{
	c->how = how;
	c->confirm = how == END_CLOSED && sim_chance(s, 40);
	c->state = CONN_DRAINING;
	sim_at(s, when(s, c, c->channel ? sim_between(s, 0, 50) : 0), ended,
	       NULL, index_of(s, c), c->session);
}

void conn_stop(struct sim *s, struct conn *c, int64_t quiet_ms)
{
	if (c->state == CONN_FLOWING && s->now_ms - c->moved_ms < quiet_ms)
		gateway_post(s, c->gateway, session_post(s, c, EVENT_BYTES));
	else
		conn_finish(s, c, END_STOPPED);
}

/* An engine that runs on a steady clock ends it in time.  What the user asks
 * for counts as granted. */
static void check_limit(struct sim *s, const struct conn *c)
{
	if (c->ends_ms && s->now_ms > c->ends_ms + LIMIT_SLACK_MS &&
	    !s->swarm.permille[SIM_WALL_JUMP])
		sim_broken(s, "L8", "session/%llu flows %lld ms after its longest time",
			   (unsigned long long)c->session,
			   (long long)(s->now_ms - c->ends_ms));
}

static void ask_more(struct sim *s, struct conn *c)
{
	struct post *p = session_post(s, c, EVENT_EXTEND);

	p->ev.session.took_ms = sim_between(s, 1000, 20000);
	gateway_post(s, c->gateway, p);
}

/* When a byte of its session last moved, on any connection. */
static int64_t moved_ms(const struct sim *s, const struct conn *c)
{
	int64_t last = c->moved_ms;

	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *d = s->conns.items[i];

		if (conn_session(d) == conn_session(c) && d->moved_ms > last)
			last = d->moved_ms;
	}
	return last;
}

/* Bytes flow now and then; at some time the client has had enough. */
static void flows(struct sim *s, struct item *it)
{
	struct conn *c = conn_at(s, it->a);
	struct life *l = life_by_id(s, c->life);
	struct post *p;

	if (stalled(s, it) || c->state != CONN_FLOWING || c->session != it->b)
		return;
	check_limit(s, c);
	if (c->silent && l && l->state == DOMAIN_RUNNING) {
		int64_t quiet_ms = s->now_ms - moved_ms(s, c);

		if (quiet_ms > c->idle_ms + LIMIT_SLACK_MS)
			sim_broken(s, "L8", "session/%llu is idle for %lld ms",
				   (unsigned long long)conn_session(c),
				   (long long)quiet_ms);
		sim_at(s, s->now_ms + 5000, flows, NULL, it->a, it->b);
		return;
	}
	if (!l || l->state != DOMAIN_RUNNING ||
	    (!c->stays && sim_chance(s, 30))) {
		bool lost = sim_fault(s, SIM_SESSION_LOST, c->machine);

		conn_finish(s, c, !l ? END_MACHINE : lost ? END_LOST : END_CLOSED);
		return;
	}
	oracle_touch(s, l, conn_session(c));
	l->residue = conn_session(c);
	l->used = true;
	if (c->channel)
		l->port = c->session;
	c->bytes_in += (uint64_t)sim_between(s, 1, 1000);
	c->bytes_out += (uint64_t)sim_between(s, 0, 5000);
	c->moved_ms = s->now_ms;
	c->silent = c->idle_ms && sim_chance(s, 10);
	if (sim_chance(s, c->stays ? 30 : 5))
		ask_more(s, c);
	p = session_post(s, c, EVENT_BYTES);
	gateway_post(s, c->gateway, p);
	sim_at(s, s->now_ms + sim_between(s, 10, 5000), flows, NULL, it->a,
	       it->b);
}

static void accepts(struct sim *s, struct item *it)
{
	struct conn *c = conn_at(s, it->a);
	const struct life *l = life_by_id(s, c->life);

	if (stalled(s, it) || c->state != CONN_ACCEPTING || c->session != it->b)
		return;
	if (!l || l->state != DOMAIN_RUNNING) {
		not_accepted(s, c, "the machine closed");
		return;
	}
	c->accepted = true;
	map_put(&s->accepted, c->session, s);
	c->state = CONN_FLOWING;
	c->moved_ms = s->now_ms;
	c->ends_ms = c->longest_ms ?
		s->now_ms + c->longest_ms + site_extend_ms(s, c->listener) : 0;
	for (size_t i = 0; c->ends_ms && i < s->conns.count; i++) {
		const struct conn *d = s->conns.items[i];

		if (d != c && conn_session(d) == conn_session(c) && d->ends_ms &&
		    d->ends_ms < c->ends_ms)
			c->ends_ms = d->ends_ms;	/* he came back to it */
	}
	c->stays = c->longest_ms && sim_chance(s, 30);
	s->result->coverage.accepted++;
	gateway_post(s, c->gateway, session_post(s, c, EVENT_ACCEPTED));
	sim_at(s, s->now_ms + sim_between(s, 1, 3000), flows, NULL, it->a,
	       it->b);
}

static void gives_up(struct sim *s, struct item *it)
{
	struct conn *c = conn_at(s, it->a);

	if (!stalled(s, it) && c->state == CONN_ACCEPTING && c->session == it->b)
		not_accepted(s, c, "no accept in time");
}

/* Connects, writes the header or the ACCEPT frame: the machine is touched. */
static void dial(struct sim *s, struct conn *c, int64_t accept_ms)
{
	struct life *l = life_by_id(s, c->life);
	uint64_t index = index_of(s, c);

	if (!l || l->state != DOMAIN_RUNNING ||
	    sim_fault(s, SIM_ACCEPT_FAIL, c->machine)) {
		not_accepted(s, c, "connection refused");
		return;
	}
	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *d = s->conns.items[i];

		if (d != c && d->life == c->life && conn_session(d) != conn_session(c) &&
		    d->state >= CONN_ACCEPTING && d->state <= CONN_DRAINING)
			sim_broken(s, "S2", "session/%llu dials %s while session/%llu lives there",
				   (unsigned long long)c->session, l->name,
				   (unsigned long long)d->session);
	}
	oracle_touch(s, l, conn_session(c));
	c->touched = true;
	l->residue = conn_session(c);
	l->used = true;
	if (c->channel)
		l->port = c->session;
	if (sim_fault(s, SIM_ACCEPT_NEVER, c->machine))
		return;
	if (sim_fault(s, SIM_ACCEPT_LATE, c->machine)) {
		sim_at(s, when(s, c, accept_ms + sim_between(s, 0, 12000)),
		       accepts, NULL, index, c->session);
		return;
	}
	if (!sim_fault(s, SIM_ACCEPT_FAIL, c->machine))
		sim_at(s, when(s, c, sim_between(s, 1, 300)), accepts, NULL,
		       index, c->session);
	sim_at(s, when(s, c, accept_ms), gives_up, NULL, index, c->session);
}

void conn_assign(struct sim *s, const struct order *o)
{
	struct conn *c = conn_by_id(s, o->e.gateway, o->e.conn);
	const struct life *l;

	if (!c || c->state != CONN_REQUESTED) {	/* the client has gone */
		struct conn none = { .gateway = o->e.gateway,
				     .session = o->e.join ? o->e.join :
							    o->e.session,
				     .machine = o->e.machine,
				     .incarnation = o->e.incarnation };
		struct post *p = session_post(s, &none, EVENT_FAILED);

		p->durable = true;
		p->ev.session.text = post_text(p, "the client has gone");
		gateway_post(s, o->e.gateway, p);
		return;
	}
	l = o->channel ? life_by_id(s, o->life) :
			 life_of_machine(s, o->e.machine);
	c->session = o->e.join ? o->e.join : o->e.session;
	c->of = o->e.join ? o->e.session : 0;
	c->machine = o->e.machine;
	c->incarnation = o->e.incarnation;
	c->life = l ? l->id : 0;
	c->channel = o->channel;
	c->longest_ms = o->longest_ms;
	c->idle_ms = o->idle_ms;
	c->linger_ms = o->linger_ms;
	c->silent = c->stays = false;
	c->accepted = c->touched = c->confirm = false;
	c->bytes_in = c->bytes_out = 0;
	c->state = CONN_ACCEPTING;
	c->since_ms = s->now_ms;
	dial(s, c, o->e.ms);
}

void conn_refuse(struct sim *s, struct conn *c)
{
	(void)s;
	c->state = CONN_GONE;
}

void conns_extended(struct sim *s, uint64_t session, int64_t ms)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		struct conn *c = s->conns.items[i];

		if (conn_session(c) == session && c->ends_ms)
			c->ends_ms += ms;
	}
}

void conns_life_ended(struct sim *s, const struct life *l)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		struct conn *c = s->conns.items[i];

		if (c->life != l->id)
			continue;
		/* A channel ends at once; TCP may not notice for long. */
		if (c->state == CONN_FLOWING && (c->channel || sim_chance(s, 50)))
			conn_finish(s, c, END_MACHINE);
	}
	resource_ports_lost(s, l);
}
