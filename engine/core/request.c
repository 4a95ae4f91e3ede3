/*
 * A request's way: allowed or refused, then a machine or a place in the line,
 * then a session.  By the time it reaches the core its user is authenticated;
 * nothing is reserved before it is also allowed (S16).
 *
 * A request stays with its session until the machine has accepted: one that
 * does not accept, with no byte of the client's gone in, costs the client
 * nothing but time, the request goes to another machine.
 *
 * A request id belongs to one session for ever: a repeated request is told
 * which, and never takes a second machine (S7).  Only a session that failed
 * before any byte went in gives the id free again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

/* ---- request ids ------------------------------------------------------------ */

static void key_name(char out[ROW_USER_SIZE + ROW_KEY_SIZE],
		     const struct request *r)
{
	snprintf(out, ROW_USER_SIZE + ROW_KEY_SIZE, "%s\n%s", r->row.user,
		 r->row.request_key);
}

static void key_drop(struct world *w, struct request *r)
{
	char name[ROW_USER_SIZE + ROW_KEY_SIZE];

	key_name(name, r);
	if (r->row.request_key[0] && dict_get(&w->keys, name) == r)
		dict_remove(&w->keys, name);
}

/* Until the store knows: this session has the request id. */
static void note_key(struct world *w, const struct request *r, struct session *s)
{
	char name[ROW_USER_SIZE + ROW_KEY_SIZE];

	if (!r->row.request_key[0])
		return;
	key_name(name, r);
	dict_put(&w->turn_keys, name, s);
}

/* What the id stands for by now: the world knows more than the store. */
static const struct session_row *newest(const struct world *w,
					const struct session_row *prior)
{
	const struct session *s = prior ? world_session(w, prior->id) : NULL;

	return s ? &s->row : prior;
}

/* The session the id has taken, or NULL.  One of this very turn is not in the
 * store yet. */
static const struct session_row *taken_by(struct world *w, const char *name,
					  const struct request *old,
					  const struct session_row *prior)
{
	const struct session *s = old && old->session ?
					  world_session(w, old->session) :
					  dict_get(&w->turn_keys, name);

	prior = s ? &s->row : newest(w, prior);
	return prior && prior->state != SESSION_FAILED ? prior : NULL;
}

/* An earlier request of the same user with the same id. */
static bool is_repeated(struct world *w, struct effects *fx, struct request *r,
			const struct session_row *prior, struct refusal *no)
{
	char name[ROW_USER_SIZE + ROW_KEY_SIZE];

	key_name(name, r);
	struct request *old = dict_get(&w->keys, name);
	prior = taken_by(w, name, old, prior);
	if (prior && !PLANTED(S7_PRIOR_IGNORED)) {
		TEXT_SET(no->code, "duplicate");
		no->session = prior->id;
		snprintf(no->text, sizeof(no->text),
			 "request %.60s already took session/%llu on %s: %s",
			 r->row.request_key, (unsigned long long)prior->id,
			 prior->machine_name,
			 sm_name(&session_table, prior->state));
		return true;
	}
	/* The newer connection takes the place over. */
	if (old && (old->seat || share_follows(old)))
		request_refuse(w, fx, old, "superseded",
			       "the same request came again on another connection");
	dict_put(&w->keys, name, r);
	return false;
}

/* ---- beginning and end --------------------------------------------------------- */

static struct request *request_new(struct world *w, const struct event *ev)
{
	struct request *r = calloc(1, sizeof(*r));

	CHECK("", r, "out of memory");
	r->row.id = w->next_request++;
	text_copy_slice(r->row.user, sizeof(r->row.user), ev->request.user);
	text_copy_slice(r->row.application, sizeof(r->row.application),
			ev->request.application);
	text_copy_slice(r->row.listener, sizeof(r->row.listener),
			ev->request.listener);
	text_copy_slice(r->row.peer, sizeof(r->row.peer), ev->request.peer);
	text_copy_slice(r->row.request_key, sizeof(r->row.request_key),
			ev->request.key);
	r->row.requested_wall_ms = w->wall_ms;
	r->gateway = ev->request.gateway;
	r->conn = ev->request.conn;
	r->nonces[0] = ev->request.nonce;
	for (int i = 1; i < ASSIGN_TRIES; i++)
		r->nonces[i] = ev->request.more_nonces[i - 1];
	r->count = ev->request.grants ? ev->request.count : 1;
	r->requested_ms = r->deadline_ms = w->now_ms;
	r->timer.kind = TIMER_REQUEST;
	r->changed = w->turn;
	if (ev->request.grants) {
		CHECK("S25", r->count >= 1 && r->count <= COUNT_MAX);
		r->grants = calloc(r->count, sizeof(*r->grants));
		CHECK("", r->grants, "out of memory");
		memcpy(r->grants, ev->request.grants,
		       r->count * sizeof(*r->grants));
	}
	map_put(&w->requests, r->row.id, r);
	map_put(&w->conns, world_conn_key(r->gateway, r->conn), r);
	return r;
}

static void request_free(struct world *w, struct request *r)
{
	uint64_t conn = world_conn_key(r->gateway, r->conn);

	if (map_get(&w->conns, conn) == r)
		map_remove(&w->conns, conn);
	key_drop(w, r);
	share_leave(w, r);
	token_let_go(w, r);
	timer_stop(&w->timers, &r->timer);
	map_remove(&w->requests, r->row.id);
	if (r->grants)	/* tickets are secrets */
		memset(r->grants, 0, r->count * sizeof(*r->grants));
	free(r->grants);
	free(r);
}

static void save_request(struct world *w, struct effects *fx, struct request *r,
			 enum request_state state, const char *code,
			 const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_REQUEST);

	r->row.state = state;
	r->row.decided_wall_ms = w->wall_ms;
	r->row.wait_ms = w->now_ms - r->requested_ms;
	TEXT_SET(r->row.code, code);
	TEXT_SET(r->row.text, text);
	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->request = r->row;
}

static void request_end(struct world *w, struct effects *fx, struct request *r,
			enum request_state state, const char *code,
			const char *text)
{
	queue_leave(w, r, false);
	r->row.session = 0;
	save_request(w, fx, r, state, code, text);
	request_free(w, r);
}

static void refuse(struct world *w, struct effects *fx, struct request *r,
		   const struct refusal *no)
{
	struct effect *e = effects_add(fx, EFFECT_REFUSE);

	e->gateway = r->gateway;
	e->conn = r->conn;
	e->session = no->session;
	e->word = effects_text(fx, "%s", no->code);
	e->text = effects_text(fx, "%s", no->text);
	world_event(w, fx, SEVERITY_WARN, false, "REFUSE", "user", r->row.user,
		    "%s: %s", r->row.application, no->text);
	request_end(w, fx, r, REQUEST_REFUSED, no->code, no->text);
}

void request_refuse(struct world *w, struct effects *fx, struct request *r,
		    const char *code, const char *text)
{
	struct refusal no = { .session = 0 };

	TEXT_SET(no.code, code);
	TEXT_SET(no.text, text);
	refuse(w, fx, r, &no);
}

/* ---- arrival ---------------------------------------------------------------------- */

/* Rights, without limits: a user who comes back holds his machine already. */
bool request_is_entitled(struct world *w, const struct request *r,
			 struct refusal *no)
{
	struct decision d = admit_decide(w, r->row.user, r->row.application,
					 r->row.listener);

	if (!r->row.user[0])
		d.verdict = VERDICT_NO_LISTENER;
	if (!verdict_allows(d.verdict) &&
	    !(PLANTED(S16_NOT_ADMITTED) && d.verdict == VERDICT_NOT_LISTED)) {
		TEXT_SET(no->code, verdict_code(d.verdict));
		verdict_text(d.verdict, r->row.user, r->row.application,
			     r->row.listener, no->text, sizeof(no->text));
		return false;
	}
	return true;
}

/* Policy before anything is reserved.  Returns true when allowed. */
static bool admit(struct world *w, struct request *r, struct refusal *no)
{
	return request_is_entitled(w, r, no) && admit_within_limits(w, r, no) && queue_has_room(w, r, no);
}

static void take_or_wait(struct world *w, struct effects *fx, struct request *r,
			 int64_t wait_ms)
{
	r->deadline_ms = w->now_ms + wait_ms;
	share_lead(w, r);
	if (queue_is_empty(w, r) && queue_can_give(w, r))
		queue_give(w, fx, r);
	else if (wait_ms > 0)
		queue_enter(w, fx, r, false);
	else
		request_refuse(w, fx, r, "no_machine",
			       r->count > 1 ?
			       "not as many machines are free and the request would not wait" :
			       "no machine is free and the request would not wait");
}

static int64_t wait_of(const struct world *w, const struct event *ev)
{
	const struct site_listener *l = world_listener(w, ev->request.listener);
	int64_t wait_ms = ev->request.wait_ms;

	return wait_ms < 0 || wait_ms > l->wait_ms ? l->wait_ms : wait_ms;
}

void request_alone(struct world *w, struct effects *fx, struct request *r)
{
	struct refusal no = { .session = 0 };

	if (admit(w, r, &no))
		take_or_wait(w, fx, r, r->deadline_ms - w->now_ms);
	else
		refuse(w, fx, r, &no);
}

/* It has no limit to keep but its user's rights: it takes no machine. */
static void joins(struct world *w, struct effects *fx, struct request *r,
		  const struct event *ev)
{
	struct refusal no = { .session = 0 };

	if (request_is_entitled(w, r, &no) &&
	    token_hold(w, r, ev->request.token, &no))
		share_enter(w, fx, r, wait_of(w, ev));
	else
		refuse(w, fx, r, &no);
}

void request_on_event(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct refusal no = { .session = 0 };

	CHECK("S16", ev->request.nonce != 0, "a request without its nonce");
	if (map_get(&w->conns,
		    world_conn_key(ev->request.gateway, ev->request.conn)))
		return;	/* one request a connection: the gateway repeats itself */
	struct request *r = request_new(w, ev);
	struct session *back = linger_find(w, r);
	if (back && request_is_entitled(w, r, &no)) {
		if (token_hold(w, r, ev->request.token, &no))
			linger_return(w, fx, back, r);
		else
			refuse(w, fx, r, &no);
		return;
	}
	bool repeated = r->row.request_key[0] && !PLANTED(S7_KEY_IGNORED) &&
			is_repeated(w, fx, r, ev->request.prior, &no);
	if (!repeated && share_wants(w, r))
		joins(w, fx, r, ev);
	else if (repeated || !token_hold(w, r, ev->request.token, &no) ||
		 !admit(w, r, &no))
		refuse(w, fx, r, &no);
	else
		take_or_wait(w, fx, r, wait_of(w, ev));
}

void request_on_refused(struct world *w, struct effects *fx,
			const struct event *ev)
{
	struct request *r = request_new(w, ev);
	char code[32], text[ROW_TEXT_SIZE];

	text_copy_slice(code, sizeof(code), ev->request.code);
	text_copy_slice(text, sizeof(text), ev->request.text);
	if (ev->request.alarm.length)
		world_event(w, fx, SEVERITY_FAIL, false, "ALARM", "user",
			    r->row.user, "%.*s", (int)ev->request.alarm.length,
			    ev->request.alarm.ptr);
	if (!ev->request.quiet) {
		request_refuse(w, fx, r, code, text);
		return;
	}
	struct effect *e = effects_add(fx, EFFECT_REFUSE);
	e->gateway = r->gateway;
	e->conn = r->conn;
	e->word = effects_text(fx, "%s", code);
	e->text = effects_text(fx, "%s", text);
	request_free(w, r);
}

void request_on_cancel(struct world *w, struct effects *fx, uint32_t gateway,
		       uint64_t conn)
{
	struct request *r = map_get(&w->conns, world_conn_key(gateway, conn));

	if (!r)
		return;	/* refused meanwhile: the gateway answers */
	if (r->session) {	/* assigned meanwhile: the gateway declines */
		r->gone = true;
		return;
	}
	request_end(w, fx, r, REQUEST_CANCELLED, "cancelled",
		    "the client went away while it waited");
}

void request_on_timer(struct world *w, struct effects *fx, struct request *r)
{
	char text[ROW_TEXT_SIZE];

	if (share_follows(r)) {
		request_refuse(w, fx, r, "timeout",
			       "the session it was to join did not begin in time");
		return;
	}
	queue_why_late(w, r, text, sizeof(text));
	request_refuse(w, fx, r, "timeout", text);
}

/* ---- with its session -------------------------------------------------------------- */

void request_assigned(struct world *w, struct effects *fx, struct request *r,
		      struct session *s)
{
	if (r->seat)
		r->waited = true;
	queue_leave(w, r, true);
	note_key(w, r, s);
	timer_stop(&w->timers, &r->timer);
	token_spend(w, fx, r);
	r->row.session = r->session = s->row.id;
	r->tries++;
	s->request = r;
	/* What was assigned at once stands in its session's row. */
	if (r->waited)
		save_request(w, fx, r, REQUEST_ASSIGNED, "", "");
}

void request_settled(struct world *w, struct session *s)
{
	struct request *r = s->request;

	s->request = NULL;
	if (r)
		request_free(w, r);
}

void request_returned(struct world *w, struct effects *fx, struct request *r)
{
	token_spend(w, fx, r);
	request_free(w, r);
}

void request_granted(struct world *w, struct effects *fx, struct request *r,
		     uint64_t first)
{
	token_spend(w, fx, r);
	r->waited = list_linked(&r->wait_link);
	queue_leave(w, r, true);
	note_key(w, r, world_session(w, first));
	r->row.session = first;
	if (r->waited)
		save_request(w, fx, r, REQUEST_ASSIGNED, "", "");
	request_free(w, r);
}

void request_again(struct world *w, struct effects *fx, struct request *r,
		   const char *machine, const char *text)
{
	char why[ROW_TEXT_SIZE];

	r->session = r->row.session = 0;
	snprintf(why, sizeof(why), "%s did not accept: %.120s", machine, text);
	if (r->gone) {
		request_end(w, fx, r, REQUEST_CANCELLED, "cancelled",
			    "the client went away while its machine was made to accept");
		return;
	}
	bool more = ((r->tries < ASSIGN_TRIES && r->nonces[r->tries]) ||
		     PLANTED(S7_ALWAYS_AGAIN)) && queue_find(w, r);
	struct machine *m = more && queue_is_empty(w, r) ? queue_machine(w, r) :
							   NULL;
	if (m) {
		assign(w, fx, r, m);
	} else if (more && r->deadline_ms > w->now_ms) {
		queue_enter(w, fx, r, true);
	} else {
		request_refuse(w, fx, r, "not_accepted", why);
		return;
	}
	world_event(w, fx, SEVERITY_WARN, false, "AGAIN", "user", r->row.user,
		    "goes to another machine: %s", why);
}
