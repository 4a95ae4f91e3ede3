/*
 * Sessions: one user on one machine, from assignment to a final state, and
 * the bookkeeping until the machine is clean again.  Every message about a
 * session carries (machine, incarnation); one that does not match the row is
 * of another life and changes nothing (S6).
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static const struct sm_state states[SESSION_STATES] = {
	[SESSION_ASSIGNED] = {
		.name = "assigned", .flags = SM_INITIAL,
		.allowed = SM_TO(SESSION_ACTIVE) | SM_TO(SESSION_CLOSED) |
			   SM_TO(SESSION_LOST) | SM_TO(SESSION_FAILED),
		.holds = "row durable, machine reserved, no byte yet" },
	[SESSION_ACTIVE] = {
		.name = "active",
		.allowed = SM_TO(SESSION_CLOSED) | SM_TO(SESSION_LOST),
		.holds = "the machine accepted, bytes may flow" },
	[SESSION_CLOSED] = { .name = "closed", .flags = SM_FINAL,
			     .holds = "ended in order" },
	[SESSION_LOST] = { .name = "lost", .flags = SM_FINAL,
			   .holds = "client, machine or gateway vanished" },
	[SESSION_FAILED] = { .name = "failed", .flags = SM_FINAL,
			     .holds = "the machine never accepted" },
};

const struct sm_table session_table = { .kind = "session", .states = states,
					.count = SESSION_STATES };

bool session_is_final(const struct session *s)
{
	return sm_is_final(&session_table, s->row.state);
}

static void count(struct world *w, const struct session *s, int change)
{
	admit_count(w, s->row.user, s->row.application, s->row.listener, change,
		    0);
}

struct session *session_new(struct world *w, const struct session_row *row)
{
	struct session *s = calloc(1, sizeof(*s));

	CHECK("", s, "out of memory");
	s->row = *row;
	s->changed = w->turn;
	s->timer.kind = TIMER_SESSION;
	s->nonce = row->nonce;
	list_init(&s->joins);
	s->own_in = row->bytes_in - row->past_in;
	s->own_out = row->bytes_out - row->past_out;
	map_put(&w->sessions, row->id, s);
	if (!session_is_final(s)) {
		list_add_tail(&w->live, &s->live_link);
		count(w, s, 1);
		share_add(w, s);
		if (row->gateway < WORLD_GATEWAYS_MAX && !row->lingers_wall_ms) {
			w->gateways[row->gateway].sessions++;
			w->gateways[row->gateway].changed = w->turn;
		}
	}
	return s;
}

static void stop(struct effects *fx, uint32_t gateway, uint64_t session,
		 const char *text)
{
	if (gateway >= WORLD_GATEWAYS_MAX)
		return;	/* nobody has come with its ticket */
	struct effect *e = effects_add(fx, EFFECT_STOP);

	e->gateway = gateway;
	e->session = session;
	e->text = effects_text(fx, "%s", text);
}

static void refuse(struct effects *fx, const struct session *s,
		   const char *code, const char *text)
{
	if (s->row.gateway >= WORLD_GATEWAYS_MAX)
		return;
	struct effect *e = effects_add(fx, EFFECT_REFUSE);

	e->gateway = s->row.gateway;
	e->conn = s->row.conn;
	e->word = effects_text(fx, "%s", code);
	e->text = effects_text(fx, "%s: %s", s->row.machine_name, text);
}

/* Ends it at its gateway, whatever the connection is doing there: a session
 * held is stopped, a connection back to waiting for our word is refused. */
void session_dismiss(struct effects *fx, const struct session *s,
		     const char *code, const char *text)
{
	if (s->away)
		return;	/* that connection's number may be another's by now */
	stop(fx, s->row.gateway, s->row.id, text);
	refuse(fx, s, code, text);
}

void session_end_now(struct world *w, struct effects *fx, struct session *s,
		     const char *text)
{
	if (s->told) {
		limit_stop(w, fx, s, text);
		return;
	}
	/* One its gateway has not heard of ends here and now. */
	session_dismiss(fx, s, "stopped", text);
	session_finish(w, fx, s, SESSION_CLOSED, text);
}

void session_let_go(struct world *w, struct effects *fx, struct session *s)
{
	struct machine *m = world_machine(w, s->row.machine);

	s->held = false;
	share_note(w, s);
	if (session_is_final(s) && m && m->row.session == s->row.id &&
	    m->row.state == MACHINE_CLEANING)
		machine_kick(w, fx, m);	/* waited for just that */
}

bool session_is_held(const struct session *s)
{
	return s->held || !list_empty(&s->joins);
}

/* The session a gateway's message is about, if its epoch is right. */
static struct session *of_epoch(struct world *w, const struct event *ev)
{
	struct session *s = world_session(w, ev->session.session);

	if (!s || s->row.gateway != ev->session.gateway ||
	    s->row.machine != ev->session.machine ||
	    s->row.incarnation != ev->session.incarnation)
		return NULL;
	return s;
}

struct session *session_of_message(struct world *w, const struct event *ev)
{
	struct session *s = of_epoch(w, ev);

	return s && (!session_is_final(s) || PLANTED(S9_END_TWICE)) ? s : NULL;
}

void session_on_accepted(struct world *w, struct effects *fx,
			 const struct event *ev)
{
	struct session *s = session_of_message(w, ev);

	if (join_on_accepted(w, ev))
		return;
	if (s && s->returning) {
		linger_accepted(w, fx, s);
		return;
	}
	if (!s || s->row.state != SESSION_ASSIGNED || s->away) {
		/* A late accept is fenced here; its machine counts as dirty. */
		if (!s || s->away)
			stop(fx, ev->session.gateway, ev->session.session,
			     "accepted too late");
		return;
	}
	struct machine *m = world_machine(w, s->row.machine);
	CHECK("S2", m && m->row.session == s->row.id);
	sm_move(&session_table, &s->row.state, SESSION_ACTIVE, m->row.name);
	s->row.accept_ms = w->now_ms - s->assigned_ms;
	s->row.accepted_wall_ms = w->wall_ms;
	limit_begin(w, s);
	share_note(w, s);
	request_settled(w, s);
	world_save_session_late(w, s);
	m->row.failures = 0;
	machine_move(w, fx, m, MACHINE_IN_SESSION, "%s", s->row.user);
	access_begin(w, m, s);
}

void session_drop_port(struct effects *fx, struct session *s)
{
	if (s->port_fd)
		effects_add(fx, EFFECT_DROP_FD)->call = s->port_fd;
	s->port_fd = 0;
}

void session_finish(struct world *w, struct effects *fx, struct session *s,
		    enum session_state final, const char *text)
{
	struct machine *m = world_machine(w, s->row.machine);

	CHECK("S9", !session_is_final(s));
	CHECK("S2", m && m->row.session == s->row.id);
	sm_move(&session_table, &s->row.state, final, s->row.machine_name);
	s->row.ended_wall_ms = w->wall_ms;
	TEXT_SET(s->row.end_text, text);
	timer_stop(&w->timers, &s->timer);
	list_remove(&s->live_link);
	share_remove(w, s);
	joins_dismiss(fx, s, text);
	ticket_forget(w, s);
	request_settled(w, s);
	count(w, s, -1);
	if (s->row.gateway < WORLD_GATEWAYS_MAX && !s->away) {
		w->gateways[s->row.gateway].sessions--;
		w->gateways[s->row.gateway].changed = w->turn;
	}
	list_remove(&s->away_link);
	s->away = s->returning = false;
	s->row.lingers_wall_ms = 0;
	world_save_session(w, s);
	access_end(s);
	session_drop_port(fx, s);
	world_event(w, fx, final == SESSION_CLOSED ? SEVERITY_INFO : SEVERITY_WARN,
		    true, final == SESSION_CLOSED ? "LEAVE" : "LOST",
		    "user", s->row.user, "left %s%s%s", m->row.name, text[0] ? ": " : "",
		    text);
	enum rung rung = clean_first_rung(m);
	bool in_place = rung == RUNG_CLEAN || rung == RUNG_NONE;
	/* Unread bytes may stand in a port that was not drained. */
	if (in_place && s->told && !s->drained && !s->untouched &&
	    !PLANTED(S4_PORT_UNDRAINED) &&
	    m->pool->application.endpoint == ENDPOINT_CHANNEL)
		rung = clean_below(m);
	/* Nobody came for it: nothing was said to the machine. */
	if (s->row.ticket[0] && m->created && !m->touched)
		rung = RUNG_CLEAN;
	/* Its gateway may be at it still. */
	if (in_place && session_is_held(s) && !PLANTED(S2_NOT_LET_GO))
		rung = clean_below(m);
	machine_begin_clean(w, fx, m, rung,
			    final == SESSION_CLOSED ? "session ended" : text);
}

void session_on_failed(struct world *w, struct effects *fx,
		       const struct event *ev)
{
	struct session *s = of_epoch(w, ev);
	char text[ROW_TEXT_SIZE];

	if (join_on_failed(w, fx, ev) || !s)
		return;
	text_copy_slice(text, sizeof(text), ev->session.text);
	session_let_go(w, fx, s);
	if (!session_is_final(s) && !s->away && !s->returning)
		s->untouched = !ev->session.touched;
	if (PLANTED(L1_CLIENT_FORGOTTEN)) {
		if (!session_is_final(s))
			session_finish(w, fx, s, SESSION_FAILED, text);
	} else if (s->row.state == SESSION_ASSIGNED || s->returning) {
		assign_failed(w, fx, s, text);
	} else {
		/* Its client waits for our word, also when we gave it up before. */
		refuse(fx, s, "not_accepted", text);
		if (session_of_message(w, ev) && !s->away)
			session_finish(w, fx, s, SESSION_LOST, text);
	}
}

void session_count_bytes(struct session *s)
{
	s->row.bytes_in = s->row.past_in + s->own_in;
	s->row.bytes_out = s->row.past_out + s->own_out;
	LIST_EACH(&s->joins, it) {
		const struct join *j = LIST_ENTRY(it, struct join, link);

		s->row.bytes_in += j->in;
		s->row.bytes_out += j->out;
	}
}

/* Counts of its own present connection. */
static void count_own(struct session *s, uint64_t in, uint64_t out)
{
	s->own_in = in;
	s->own_out = out;
	session_count_bytes(s);
}

void session_left(struct world *w, struct effects *fx, struct session *s,
		  enum session_end how, const char *text)
{
	if (how == END_LOST && linger_begin(w, fx, s, text))
		return;
	session_finish(w, fx, s, how == END_CLOSED || how == END_STOPPED ?
				 SESSION_CLOSED : SESSION_LOST, text);
}

void session_on_ended(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct session *s = of_epoch(w, ev);
	bool given_up = s && s->away && s->held;
	char text[ROW_TEXT_SIZE];

	if (join_on_ended(w, fx, ev))
		return;
	if (s)
		session_let_go(w, fx, s);
	s = session_of_message(w, ev);
	/* Away: it was thought lost, and its gateway knows that it ended. */
	if (!s || (s->away && given_up))
		return;
	if (s->away && ev->session.how != END_CLOSED &&
	    ev->session.how != END_STOPPED)
		return;
	if (!s->away)
		count_own(s, ev->session.bytes_in, ev->session.bytes_out);
	if (join_goes_on(w, fx, s, ev->session.confirm))
		return;
	s->confirm = ev->session.confirm;
	s->end_gateway = s->row.gateway;
	s->end_id = s->row.id;
	s->drained = ev->session.drained;
	text_copy_slice(text, sizeof(text), ev->session.text);
	session_left(w, fx, s, ev->session.how, text);
}

void session_give_up(struct world *w, struct effects *fx, struct machine *m)
{
	struct session *s = world_session(w, m->row.session);

	CHECK("S2", s && !session_is_final(s));
	if (s->row.ticket[0]) {
		session_finish(w, fx, s, SESSION_FAILED,
			       "its ticket was not used in time");
		return;
	}
	session_dismiss(fx, s, "not_accepted", "no accept in time");
	session_finish(w, fx, s, SESSION_FAILED, "no accept in time");
}

void session_on_bytes(struct world *w, const struct event *ev)
{
	struct session *s = world_session(w, ev->session.session);

	if (join_on_bytes(w, ev) || !s || session_is_final(s) || s->away)
		return;
	if (s->own_in != ev->session.bytes_in ||
	    s->own_out != ev->session.bytes_out)
		limit_moved(w, s, 0);
	count_own(s, ev->session.bytes_in, ev->session.bytes_out);
	s->changed = w->turn;	/* shown; saved with the session's end */
}

void session_cleaned(struct world *w, struct effects *fx, struct machine *m,
		     bool clean, const char *text)
{
	struct session *s = world_session(w, m->row.session);

	if (!s || list_linked(&s->done_link))
		return;
	CHECK("S9", session_is_final(s), "%s cleaned under its live session",
	      m->row.name);
	if (clean) {
		s->row.clean_ms = w->wall_ms - s->row.ended_wall_ms;
		s->row.cleaned_wall_ms = w->wall_ms;
	}
	joins_forget(w, fx, s);
	world_save_session(w, s);
	list_add_tail(&w->done, &s->done_link);
	if (s->confirm) {
		struct effect *e = effects_add(fx, EFFECT_CONFIRMED);

		e->gateway = s->end_gateway;
		e->session = s->end_id;
		e->ok = clean;
		e->text = effects_text(fx, "%s", text);
	}
}
