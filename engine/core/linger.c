/*
 * Linger: a session that lost its connection keeps its machine for a while, so
 * that its user finds it again as he left it.
 *
 *     connected  --lost-->  away  --same user asks-->  returning  --accepted-->  connected
 *                            |                             |
 *                         deadline                       failed: away again, same deadline
 *
 * Session and machine stay what they are: the session is active, its row the
 * same, the machine in session and nobody else's.  There is no second accept by
 * hook; a channel is opened anew and its ACCEPT carries a fresh nonce, since an
 * echo of the lost connection may stand in the port.
 *
 * Who is the same user: same user, application and request id (or none both
 * times); where connections are shared, any request of his for it.  A session given up while it returned waits until its gateway let go.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static void count_at_gateway(struct world *w, const struct session *s, int n)
{
	struct gateway *g = &w->gateways[s->row.gateway];

	if (s->row.gateway >= WORLD_GATEWAYS_MAX)
		return;
	g->sessions += (uint32_t)n;
	g->changed = w->turn;
}

static void go_away(struct world *w, struct session *s)
{
	s->away = true;
	s->returning = false;
	s->away_ms = w->now_ms;
	s->asked_ms = 0;	/* the connection that was asked to stop is gone */
	list_add_tail(&w->away, &s->away_link);
	count_at_gateway(w, s, -1);
	share_note(w, s);
	limit_arm(w, s);
}

bool linger_begin(struct world *w, struct effects *fx, struct session *s,
		  const char *text)
{
	struct machine *m = world_machine(w, s->row.machine);
	int64_t linger_ms = limit_application(w, s)->linger_ms;
	char left[16];

	if (s->returning) {
		linger_failed(w, fx, s);
		return true;
	}
	if (!linger_ms || s->row.state != SESSION_ACTIVE || s->stopping ||
	    m->pool->closing)
		return false;
	s->row.lingers_wall_ms = w->wall_ms + linger_ms;
	s->lingers_ms = w->now_ms + linger_ms;
	s->row.past_in = s->row.bytes_in;
	s->row.past_out = s->row.bytes_out;
	s->own_in = s->own_out = 0;
	TEXT_SET(s->row.end_text, text);
	go_away(w, s);
	world_save_session(w, s);
	world_event(w, fx, SEVERITY_WARN, false, "LINGER", "user", s->row.user,
		    "session/%llu on %s waits %s for him: %s",
		    (unsigned long long)s->row.id, m->row.name,
		    text_duration(left, sizeof(left), linger_ms), text);
	return true;
}

struct session *linger_find(const struct world *w, const struct request *r)
{
	LIST_EACH(&w->away, it) {
		struct session *s = LIST_ENTRY(it, struct session, away_link);

		if (s->held || s->stopping || r->grants || PLANTED(S26_RETURN_UNSEEN) ||
		    strcmp(s->row.application, r->row.application) != 0 ||
		    (!s->share &&
		     strcmp(s->row.request_key, r->row.request_key) != 0))
			continue;
		if (strcmp(s->row.user, r->row.user) == 0 ||
		    PLANTED(S26_ANYBODY_RETURNS))
			return s;
	}
	return NULL;
}

void linger_return(struct world *w, struct effects *fx, struct session *s,
		   struct request *r)
{
	struct machine *m = world_machine(w, s->row.machine);

	CHECK("S26", s->away && !s->stopping && m->row.session == s->row.id &&
			     m->row.state == MACHINE_IN_SESSION);
	list_remove(&s->away_link);
	s->away = false;
	s->returning = true;
	s->drained = false;
	s->row.gateway = r->gateway;
	s->row.conn = r->conn;
	s->row.connections++;
	s->nonce = r->nonces[0];
	TEXT_SET(s->row.peer, r->row.peer);
	count_at_gateway(w, s, 1);
	world_save_session(w, s);
	request_returned(w, fx, r);
	limit_arm(w, s);
	assign_again(w, fx, m, s);
}

void linger_adopted(struct world *w, struct session *s)
{
	list_remove(&s->away_link);
	s->away = false;
	s->returning = true;
	count_at_gateway(w, s, 1);
	limit_arm(w, s);
}

void linger_accepted(struct world *w, struct effects *fx, struct session *s)
{
	struct machine *m = world_machine(w, s->row.machine);

	s->returning = false;
	share_note(w, s);
	s->row.lingers_wall_ms = s->lingers_ms = 0;
	s->row.end_text[0] = '\0';
	m->deadline_ms = 0;
	machine_arm(w, m);
	limit_moved(w, s, 0);
	limit_arm(w, s);
	world_save_session(w, s);
	world_event(w, fx, SEVERITY_INFO, false, "RETURN", "user", s->row.user,
		    "is back in session/%llu on %s",
		    (unsigned long long)s->row.id, m->row.name);
}

void linger_failed(struct world *w, struct effects *fx, struct session *s)
{
	struct machine *m = world_machine(w, s->row.machine);

	/* Answers of calls still under way are dropped with what they bring. */
	machine_forget_calls(w, m);
	session_drop_port(fx, s);
	m->deadline_ms = 0;
	machine_arm(w, m);
	go_away(w, s);
	world_save_session(w, s);
}

void linger_give_up(struct world *w, struct effects *fx, struct session *s)
{
	session_dismiss(fx, s, "not_accepted", "no accept in time");
	linger_failed(w, fx, s);
}

void linger_resume(struct world *w, struct session *s)
{
	int64_t left = s->row.lingers_wall_ms - w->wall_ms;
	int64_t most = limit_application(w, s)->linger_ms;

	/* A wall clock that jumped back keeps the machine no longer than ever. */
	s->lingers_ms = w->now_ms + (left < 0 ? 0 : left > most ? most : left);
	s->away = true;
	s->away_ms = w->now_ms;
	list_add_tail(&w->away, &s->away_link);
}
