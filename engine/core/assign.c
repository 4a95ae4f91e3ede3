/*
 * The assigner: a free machine for an allowed request.  The session's row is
 * saved in the same turn, so it is durable before any role hears of it (S3).
 * Then, one after the other: the accept hook where identity is "agent", the
 * machine's channels where it has any, and the session goes to its gateway,
 * which makes the machine accept before a byte of the user's reaches it.
 */
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

struct machine *assign_choose(const struct pool *p)
{
	if (list_empty(&p->ready) || p->removed)
		return NULL;
	LIST_EACH(&p->ready, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, ready_link);

		/* The look behind the first is for the time of a roll only. */
		if (!p->rolling || !machine_is_outdated(m))
			return m;
	}
	return LIST_ENTRY(p->ready.next, struct machine, ready_link);
}

void assign_await(struct world *w, struct machine *m)
{
	m->deadline_ms = w->now_ms + m->pool->application.accept_deadline_ms +
			 GATEWAY_GRACE_MS;
	if (!PLANTED(L1_NO_DEADLINE))
		timer_set(&w->timers, &m->timer, m->deadline_ms);
}

static void tell_gateway(struct world *w, struct effects *fx,
			 struct machine *m, struct session *s)
{
	struct effect *e = effects_add(fx, EFFECT_ASSIGN);
	e->gateway = s->row.gateway;
	e->conn = s->row.conn;
	e->session = s->row.id;
	e->machine = m->row.id;
	e->incarnation = m->row.incarnation;
	e->call = s->port_fd;
	e->ms = m->pool->application.accept_deadline_ms;
	s->told = s->held = true;
	assign_await(w, m);
	s->port_fd = 0;
	if (PLANTED(A1_BEFORE_ACCEPT))
		access_begin(w, m, s);
}

static void open_channel(struct world *w, struct effects *fx,
			 struct machine *m, struct session *s)
{
	struct effect *e;

	if (m->pool->application.endpoint != ENDPOINT_CHANNEL) {
		tell_gateway(w, fx, m, s);
		return;
	}
	m->job = JOB_OPEN;
	m->opens++;
	e = effects_add(fx, EFFECT_CHANNEL_OPEN);
	e->machine = m->row.id;
	e->call = call_new(w, CALL_KIND_OPEN, m, m->host, 5000)->id;
	e->incarnation = m->row.built;
	e->text = SLICE("remuda.session");
}

void assign_again(struct world *w, struct effects *fx, struct machine *m,
		  struct session *s)
{
	open_channel(w, fx, m, s);
}

struct session *assign_session(struct world *w, struct effects *fx,
			       const struct request *r, struct machine *m,
			       uint64_t nonce, const char *ticket)
{
	struct session_row row = {
		.id = w->next_session++,
		.machine = m->row.id,
		.incarnation = m->row.incarnation,
		.nonce = nonce,
		.gateway = ticket ? WORLD_GATEWAYS_MAX : r->gateway,
		.conn = ticket ? 0 : r->conn,
		.state = SESSION_ASSIGNED,
		.connections = 1,
		.requested_wall_ms = r->row.requested_wall_ms,
		.assigned_wall_ms = w->wall_ms,
		.wait_ms = w->now_ms - r->requested_ms,
		.clean_ms = -1,
	};

	CHECK("S16", r->row.user[0] && r->pool == m->pool,
	      "a machine for a request that was not admitted");
	CHECK("S4", machine_is_free(m), "%s is not free", m->row.name);
	CHECK("S1", m->bound_incarnation != m->row.incarnation,
	      "%s had a user in incarnation %llu already", m->row.name,
	      (unsigned long long)m->row.incarnation);
	TEXT_SET(row.machine_name, m->row.name);
	TEXT_SET(row.pool, m->pool->spec.name);
	TEXT_SET(row.user, r->row.user);
	TEXT_SET(row.application, r->row.application);
	TEXT_SET(row.listener, r->row.listener);
	TEXT_SET(row.peer, r->row.peer);
	/* Of several sessions the first stands for the request id. */
	if (!ticket || !r->tries)
		TEXT_SET(row.request_key, r->row.request_key);
	if (ticket)
		TEXT_SET(row.ticket, ticket);
	struct session *s = session_new(w, &row);
	s->assigned_ms = w->now_ms;
	if (!PLANTED(S3_NOT_SAVED))
		world_save_session(w, s);

	m->bound_incarnation = m->row.incarnation;
	m->row.session = s->row.id;
	m->row.dirty = !PLANTED(S5_USER_BUT_CLEAN);
	m->row.sessions++;
	m->touched = false;
	machine_move(w, fx, m, MACHINE_RESERVED, "for %s", row.user);
	world_event(w, fx, SEVERITY_INFO, true, "ASSIGN", "user", row.user,
		    "-> %s for %s in %lld ms", m->row.name, row.application,
		    (long long)row.wait_ms);
	return s;
}

void assign_accept(struct world *w, struct effects *fx, struct machine *m,
		   struct session *s)
{
	if (m->pool->application.identity == IDENTITY_AGENT)
		hook_start(w, fx, m, HOOK_ACCEPT);
	else
		open_channel(w, fx, m, s);
}

void assign(struct world *w, struct effects *fx, struct request *r,
	    struct machine *m)
{
	struct session *s = assign_session(w, fx, r, m,
					   r->nonces[r->tries % ASSIGN_TRIES],
					   NULL);

	request_assigned(w, fx, r, s);
	assign_accept(w, fx, m, s);
}

static void refuse(struct effects *fx, const struct session *s,
		   const char *machine, const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_REFUSE);

	e->gateway = s->row.gateway;
	e->conn = s->row.conn;
	e->word = SLICE("not_accepted");
	e->text = effects_text(fx, "%s did not accept: %s", machine, text);
}

void assign_failed(struct world *w, struct effects *fx, struct session *s,
		   const char *text)
{
	struct request *r = s->request;
	char machine[ROW_NAME_SIZE];

	TEXT_SET(machine, s->row.machine_name);
	if (s->returning) {
		refuse(fx, s, machine, text);
		linger_failed(w, fx, s);
		return;
	}
	s->request = NULL;
	session_finish(w, fx, s, SESSION_FAILED, text);
	if (r) {
		request_again(w, fx, r, machine, text);
		return;
	}
	if (s->row.gateway >= WORLD_GATEWAYS_MAX)
		return;	/* nobody has come with its ticket */
	refuse(fx, s, machine, text);
}

/* No byte of the client's, and what a hook touched the machine knows. */
static void failed(struct world *w, struct effects *fx, struct session *s,
		   const char *text)
{
	s->untouched = !s->returning;
	assign_failed(w, fx, s, text);
}

void assign_on_job(struct world *w, struct effects *fx, struct machine *m,
		   enum call_result result, const char *text)
{
	struct session *s = world_session(w, m->row.session);

	CHECK("S2", s && m->hook == HOOK_ACCEPT);
	if (result == CALL_OK)
		open_channel(w, fx, m, s);
	else
		failed(w, fx, s, text);
}

void assign_on_opened(struct world *w, struct effects *fx, struct machine *m,
		      const struct call *c, const struct event *ev)
{
	struct session *s = world_session(w, m->row.session);
	char text[ROW_TEXT_SIZE];

	CHECK("S2", s && m->job == JOB_OPEN && m->opens > 0);
	m->opens--;
	if (ev->done.result != CALL_OK || !ev->done.has_fd) {
		snprintf(text, sizeof(text), "its port could not be opened: %.*s",
			 (int)ev->done.text.length, ev->done.text.ptr);
		if (ev->done.has_fd)
			effects_add(fx, EFFECT_DROP_FD)->call = c->id;
		m->job = JOB_NONE;
		failed(w, fx, s, text);
		return;
	}
	s->port_fd = c->id;
	if (m->opens == 0) {
		m->job = JOB_NONE;
		tell_gateway(w, fx, m, s);
	}
}
