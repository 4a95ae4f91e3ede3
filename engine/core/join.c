/*
 * Further connections of a session (decisions.md 16): a user's browser, psql's
 * cancel request, git over http.  They are on the session's machine under the
 * session's user and take no machine, no place in a line and no part of a limit.
 *
 * To a gateway a join is a session of its own on that machine and incarnation;
 * only the core knows whose it is.  The row is saved before its gateway hears of
 * it, so an engine that starts tells a join from what it never knew.  The
 * session's own connection may be the first to go: its gateway is none then.
 * The last one to go ends the session, or it lingers.
 *
 * A join of a session that is over stays until its gateway let go of it: until
 * then nothing in the machine is cleaned (session_is_held).
 */
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static void count_at_gateway(struct world *w, uint32_t gateway, int n)
{
	w->gateways[gateway].sessions += (uint32_t)n;
	w->gateways[gateway].changed = w->turn;
}

static struct join *join_new(struct world *w, struct session *s,
			     const struct join_row *row)
{
	struct join *j = calloc(1, sizeof(*j));

	CHECK("", j, "out of memory");
	j->row = *row;
	j->timer.kind = TIMER_JOIN;
	map_put(&w->joins, row->id, j);
	list_add_tail(&w->join_list, &j->all_link);
	list_add_tail(&s->joins, &j->link);
	s->join_count++;
	count_at_gateway(w, row->gateway, 1);
	s->changed = w->turn;
	return j;
}

static void join_free(struct world *w, struct effects *fx, struct session *s,
		      struct join *j)
{
	effects_add(fx, EFFECT_DELETE_JOIN)->session = j->row.id;
	count_at_gateway(w, j->row.gateway, -1);
	map_remove(&w->joins, j->row.id);
	timer_stop(&w->timers, &j->timer);
	list_remove(&j->all_link);
	list_remove(&j->link);
	s->join_count--;
	s->changed = w->turn;
	free(j);
}

/* Its gateway says in time whether the machine accepted it, or is asked to end it. */
static void await(struct world *w, const struct session *s, struct join *j)
{
	const struct machine *m = world_machine(w, s->row.machine);

	timer_set(&w->timers, &j->timer,
		  w->now_ms + m->pool->application.accept_deadline_ms +
			  GATEWAY_GRACE_MS);
}

void join_begin(struct world *w, struct effects *fx, struct session *s,
		struct request *r)
{
	struct machine *m = world_machine(w, s->row.machine);
	struct join_row row = { .id = w->next_session++, .session = s->row.id,
				.gateway = r->gateway, .conn = r->conn,
				.joined_wall_ms = w->wall_ms };
	struct effect *e;

	CHECK("S28", m && m->row.session == s->row.id &&
			     m->row.state == MACHINE_IN_SESSION,
	      "session/%llu is joined and not on its machine",
	      (unsigned long long)s->row.id);
	TEXT_SET(row.listener, r->row.listener);
	TEXT_SET(row.peer, r->row.peer);
	await(w, s, join_new(w, s, &row));
	s->row.connections++;
	world_save_session(w, s);
	e = effects_add(fx, EFFECT_SAVE_JOIN);
	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->join = row;
	e = effects_add(fx, EFFECT_ASSIGN);
	e->gateway = row.gateway;
	e->conn = row.conn;
	e->session = s->row.id;
	e->join = row.id;
	e->machine = m->row.id;
	e->incarnation = m->row.incarnation;
	e->ms = m->pool->application.accept_deadline_ms;
	limit_moved(w, s, 0);
	world_event(w, fx, SEVERITY_INFO, true, "JOIN", "user", s->row.user,
		    "joins session/%llu on %s: %u connections",
		    (unsigned long long)s->row.id, m->row.name,
		    s->join_count + (s->row.gateway < WORLD_GATEWAYS_MAX));
	request_returned(w, fx, r);
}

void join_restore(struct world *w, struct effects *fx, const struct join_row *row)
{
	struct session *s = world_session(w, row->session);

	if (!s) {
		effects_add(fx, EFFECT_DELETE_JOIN)->session = row->id;
		return;
	}
	join_new(w, s, row);
	/* What its row counts is of all of them; each will tell its own. */
	s->own_in = s->own_out = 0;
}

/* ---- what gateways say ------------------------------------------------------ */

static struct join *find(const struct world *w, uint64_t id, uint32_t gateway,
			 uint64_t machine, uint64_t incarnation,
			 struct session **s)
{
	struct join *j = map_get(&w->joins, id);

	*s = j ? world_session(w, j->row.session) : NULL;
	return *s && j->row.gateway == gateway && (*s)->row.machine == machine &&
	       (*s)->row.incarnation == incarnation ? j : NULL;
}

static struct join *of_message(const struct world *w, const struct event *ev,
			       struct session **s)
{
	return find(w, ev->session.session, ev->session.gateway,
		    ev->session.machine, ev->session.incarnation, s);
}

struct session *join_session_of(struct world *w, const struct event *ev)
{
	struct session *s;

	return of_message(w, ev, &s) && !session_is_final(s) ? s : NULL;
}

/* It is gone; nobody is left when its session goes on with no connection. */
static void drop(struct world *w, struct effects *fx, struct session *s,
		 struct join *j, enum session_end how, const char *text)
{
	struct machine *m = world_machine(w, s->row.machine);

	s->row.past_in += j->in;
	s->row.past_out += j->out;
	join_free(w, fx, s, j);
	world_save_session(w, s);
	if (session_is_final(s)) {
		if (m && m->row.session == s->row.id &&
		    m->row.state == MACHINE_CLEANING)
			machine_kick(w, fx, m);	/* waited for just that */
	} else if (list_empty(&s->joins) && !PLANTED(S28_NOBODY_LEFT) &&
		   s->row.gateway >= WORLD_GATEWAYS_MAX) {
		session_left(w, fx, s, how, text);
	}
}

static void stop(struct effects *fx, const struct join *j, int64_t quiet_ms,
		 const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_STOP);

	e->gateway = j->row.gateway;
	e->session = j->row.id;
	e->ms = quiet_ms;
	e->text = effects_text(fx, "%s", text);
}

static void refuse(struct effects *fx, const struct session *s,
		   const struct join *j, const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_REFUSE);

	e->gateway = j->row.gateway;
	e->conn = j->row.conn;
	e->word = SLICE("not_accepted");
	e->text = effects_text(fx, "%s: %s", s->row.machine_name, text);
}

bool join_on_accepted(struct world *w, const struct event *ev)
{
	struct session *s;
	struct join *j = of_message(w, ev, &s);

	if (j)
		timer_stop(&w->timers, &j->timer);
	return j != NULL;
}

void join_on_timer(struct world *w, struct effects *fx, struct join *j)
{
	struct session *s = world_session(w, j->row.session);

	stop(fx, j, 0, "no accept in time");
	refuse(fx, s, j, "no accept in time");
	await(w, s, j);
}

bool join_on_failed(struct world *w, struct effects *fx, const struct event *ev)
{
	char text[ROW_TEXT_SIZE];
	struct session *s;
	struct join *j = of_message(w, ev, &s);

	if (!j)
		return false;
	text_copy_slice(text, sizeof(text), ev->session.text);
	refuse(fx, s, j, text);
	drop(w, fx, s, j, END_CLOSED, text);
	return true;
}

static void unconfirmed(struct effects *fx, const struct session *s,
			uint32_t gateway, uint64_t id)
{
	struct effect *e = effects_add(fx, EFFECT_CONFIRMED);

	e->gateway = gateway;
	e->session = id;
	e->text = effects_text(fx, "session/%llu goes on with other connections",
			       (unsigned long long)s->row.id);
}

bool join_on_ended(struct world *w, struct effects *fx, const struct event *ev)
{
	char text[ROW_TEXT_SIZE];
	struct session *s;
	struct join *j = of_message(w, ev, &s);

	if (!j)
		return false;
	j->in = ev->session.bytes_in;
	j->out = ev->session.bytes_out;
	session_count_bytes(s);
	text_copy_slice(text, sizeof(text), ev->session.text);
	bool last = s->join_count == 1 && s->row.gateway >= WORLD_GATEWAYS_MAX;
	if (ev->session.confirm && last) {
		s->confirm = true;
		s->end_gateway = j->row.gateway;
		s->end_id = j->row.id;
	} else if (ev->session.confirm) {
		unconfirmed(fx, s, j->row.gateway, j->row.id);
	}
	drop(w, fx, s, j, ev->session.how, text);
	return true;
}

bool join_on_bytes(struct world *w, const struct event *ev)
{
	struct join *j = map_get(&w->joins, ev->session.session);
	struct session *s = j ? world_session(w, j->row.session) : NULL;

	if (!s || session_is_final(s))
		return j != NULL;
	if (j->in != ev->session.bytes_in || j->out != ev->session.bytes_out)
		limit_moved(w, s, 0);
	j->in = ev->session.bytes_in;
	j->out = ev->session.bytes_out;
	session_count_bytes(s);
	s->changed = w->turn;
	return true;
}

bool join_on_held(struct world *w, struct effects *fx, const struct event *ev)
{
	struct session *s;
	struct join *j = find(w, ev->held.session, ev->held.gateway,
			      ev->held.machine, ev->held.incarnation, &s);

	(void)fx;
	if (!j)
		return false;
	j->reported = true;
	j->row.conn = ev->held.conn;
	j->in = ev->held.bytes_in;
	j->out = ev->held.bytes_out;
	if (!ev->held.flowing)
		await(w, s, j);
	if (session_is_final(s))
		return false;	/* it is to be stopped */
	session_count_bytes(s);
	limit_moved(w, s, ev->held.quiet_ms);
	return true;
}

/* ---- its session ------------------------------------------------------------- */

bool join_goes_on(struct world *w, struct effects *fx, struct session *s,
		  bool confirm)
{
	if (list_empty(&s->joins) || s->row.gateway >= WORLD_GATEWAYS_MAX ||
	    PLANTED(S28_FIRST_CLOSE_ENDS))
		return false;
	if (confirm)
		unconfirmed(fx, s, s->row.gateway, s->row.id);
	count_at_gateway(w, s->row.gateway, -1);
	s->row.past_in += s->own_in;
	s->row.past_out += s->own_out;
	s->own_in = s->own_out = 0;
	s->row.gateway = WORLD_GATEWAYS_MAX;
	s->row.conn = 0;
	s->held = false;
	world_save_session(w, s);
	return true;
}

bool joins_stop(struct world *w, struct effects *fx, struct session *s,
		int64_t quiet_ms, const char *text)
{
	bool all = true;

	LIST_EACH(&s->joins, it) {
		const struct join *j = LIST_ENTRY(it, struct join, link);

		if (w->gateways[j->row.gateway].up)
			stop(fx, j, quiet_ms, text);
		else
			all = false;
	}
	return all;
}

void joins_dismiss(struct effects *fx, struct session *s, const char *text)
{
	LIST_EACH(&s->joins, it) {
		const struct join *j = LIST_ENTRY(it, struct join, link);

		stop(fx, j, 0, text);
		refuse(fx, s, j, text);
	}
}

void joins_forget(struct world *w, struct effects *fx, struct session *s)
{
	LIST_EACH(&s->joins, it)
		join_free(w, fx, s, LIST_ENTRY(it, struct join, link));
}

void joins_on_report(struct world *w, uint32_t gateway)
{
	LIST_EACH(&w->join_list, it) {
		struct join *j = LIST_ENTRY(it, struct join, all_link);

		if (j->row.gateway == gateway)
			j->reported = false;
	}
}

void joins_lose(struct world *w, struct effects *fx, uint32_t gateway,
		bool unreported_only, const char *why)
{
	LIST_EACH(&w->join_list, it) {
		struct join *j = LIST_ENTRY(it, struct join, all_link);

		if (j->row.gateway != gateway || (unreported_only && j->reported))
			continue;
		drop(w, fx, world_session(w, j->row.session), j, END_LOST, why);
	}
}

void joins_fini(struct world *w)
{
	LIST_EACH(&w->join_list, it)
		free(LIST_ENTRY(it, struct join, all_link));
	map_fini(&w->joins);
}
