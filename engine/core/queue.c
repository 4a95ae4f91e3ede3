/*
 * Requests: who may have a machine, who waits for one, who is told no.  By the
 * time a request reaches the core its user is authenticated; nothing is
 * reserved before it is also allowed (S16).  A request key belongs to one
 * request for ever: a repeated one never takes a second machine (S7).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

static void save_request(struct effects *fx, const struct request *r)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_REQUEST);

	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->request = r->row;
}

/* Ends a request in a final state and forgets it. */
static void request_end(struct world *w, struct effects *fx, struct request *r,
			enum request_state state, const char *code,
			const char *text)
{
	r->row.state = state;
	r->row.decided_wall_ms = w->wall_ms;
	r->row.wait_ms = w->now_ms - r->requested_ms;
	TEXT_SET(r->row.code, code);
	TEXT_SET(r->row.text, text);
	/* What was assigned at once stands in its session's row. */
	if (state != REQUEST_ASSIGNED || list_linked(&r->wait_link))
		save_request(fx, r);
	if (list_linked(&r->wait_link)) {
		list_remove(&r->wait_link);
		r->pool->waiting_count--;
		admit_count(w, r->row.user, r->row.application,
			    r->row.listener, 0, -1);
		pool_unbalance(w, r->pool);
	}
	list_remove(&r->key_link);
	timer_stop(&w->timers, &r->timer);
	map_remove(&w->requests, r->row.id);
	free(r);
}

void queue_refuse(struct world *w, struct effects *fx, struct request *r,
		  const char *code, const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_REFUSE);

	e->gateway = r->gateway;
	e->conn = r->conn;
	e->word = effects_text(fx, "%s", code);
	e->text = effects_text(fx, "%s", text);
	world_event(w, fx, SEVERITY_WARN, false, "REFUSE", "user", r->row.user,
		    "%s: %s", r->row.application, text);
	map_remove(&w->conns, world_conn_key(r->gateway, r->conn));
	request_end(w, fx, r, REQUEST_REFUSED, code, text);
}

/* The pool that serves an application and has a machine, or can make one. */
static struct pool *choose_pool(const struct world *w, const char *application)
{
	struct pool *best = NULL, *refusing = NULL;
	char why[ROW_TEXT_SIZE];

	for (size_t i = 0; i < w->pool_count; i++) {
		struct pool *p = w->pools[i];

		if (p->removed || p->closing || p->spec.keep ||
		    strcmp(p->spec.application, application) != 0)
			continue;
		if (p->ready_count)
			return p;
		if (pool_refuses(p, why, sizeof(why)))
			refusing = p;
		else if (!best || p->waiting_count < best->waiting_count)
			best = p;
	}
	return best ? best : refusing;
}

/* Policy before anything is reserved.  Returns true when allowed. */
static bool admit(struct world *w, struct request *r, struct refusal *no)
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
	if (!admit_within_limits(w, r, no))
		return false;
	if (!(r->pool = choose_pool(w, r->row.application))) {
		TEXT_SET(no->code, "no_application");
		snprintf(no->text, sizeof(no->text),
			 "no pool serves application \"%.60s\"",
			 r->row.application);
	} else if (pool_refuses(r->pool, no->text, sizeof(no->text))) {
		/* The pool's reason is the request's. */
	} else if (r->pool->waiting_count >= QUEUE_MAX) {
		TEXT_SET(no->code, "queue_full");
		snprintf(no->text, sizeof(no->text),
			 "%d requests wait for pool %s already; try again later",
			 QUEUE_MAX, r->pool->spec.name);
	} else {
		return true;
	}
	return false;
}

/* An earlier request of the same user with the same key, live in memory. */
static bool is_repeated(struct world *w, struct effects *fx, struct request *r,
			const struct session_row *prior, struct refusal *no)
{
	TEXT_SET(no->code, "duplicate");
	LIST_EACH(&w->live, it) {
		const struct session *s =
			LIST_ENTRY(it, struct session, live_link);

		if (strcmp(s->row.request_key, r->row.request_key) == 0 &&
		    strcmp(s->row.user, r->row.user) == 0) {
			prior = &s->row;
			break;
		}
	}
	/* One that came and went in this very turn is not in the store yet. */
	LIST_EACH(&w->save_sessions, it) {
		const struct session *s =
			LIST_ENTRY(it, struct session, save_link);

		if (!prior && strcmp(s->row.request_key, r->row.request_key) == 0 &&
		    strcmp(s->row.user, r->row.user) == 0)
			prior = &s->row;
	}
	if (prior && !PLANTED(S7_PRIOR_IGNORED)) {
		snprintf(no->text, sizeof(no->text),
			 "request %.60s already took session/%llu on %s: %s",
			 r->row.request_key, (unsigned long long)prior->id,
			 prior->machine_name,
			 sm_name(&session_table, prior->state));
		return true;
	}
	LIST_EACH(&w->keyed, it) {
		struct request *old = LIST_ENTRY(it, struct request, key_link);

		/* The newer connection takes the place over. */
		if (old != r &&
		    strcmp(old->row.request_key, r->row.request_key) == 0 &&
		    strcmp(old->row.user, r->row.user) == 0) {
			queue_refuse(w, fx, old, "superseded",
				     "the same request came again on another connection");
			break;
		}
	}
	return false;
}

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
	r->nonce = ev->request.nonce;
	r->requested_ms = w->now_ms;
	r->timer.kind = TIMER_REQUEST;
	r->changed = w->turn;
	map_put(&w->requests, r->row.id, r);
	map_put(&w->conns, world_conn_key(r->gateway, r->conn), r);
	return r;
}

/* Tells everybody behind `from` their new place. */
static void tell_places(struct world *w, struct effects *fx, struct pool *p)
{
	uint32_t place = 0;

	LIST_EACH(&p->waiting, it) {
		struct request *r = LIST_ENTRY(it, struct request, wait_link);
		struct effect *e = effects_add(fx, EFFECT_WAITING);

		e->gateway = r->gateway;
		e->conn = r->conn;
		e->place = ++place;
		e->ms = r->deadline_ms - w->now_ms;
		r->changed = w->turn;
		if (place == 100)
			break;	/* those far behind hear when they come near */
	}
}

static void request_wait(struct world *w, struct effects *fx, struct request *r,
			 int64_t wait_ms)
{
	struct pool *p = r->pool;

	r->deadline_ms = w->now_ms + wait_ms;
	timer_set(&w->timers, &r->timer, r->deadline_ms);
	list_add_tail(&p->waiting, &r->wait_link);
	p->waiting_count++;
	admit_count(w, r->row.user, r->row.application, r->row.listener, 0, 1);
	if (r->row.request_key[0])
		list_add_tail(&w->keyed, &r->key_link);
	struct effect *e = effects_add(fx, EFFECT_WAITING);
	e->gateway = r->gateway;
	e->conn = r->conn;
	e->place = p->waiting_count;
	e->ms = wait_ms;
	world_event(w, fx, SEVERITY_INFO, true, "WAIT", "user", r->row.user,
		    "waits for %s, place %u", r->row.application,
		    p->waiting_count);
	pool_unbalance(w, p);
}

void queue_on_request(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	const struct site_listener *l =
		world_listener(w, ev->request.listener);
	struct refusal no;

	CHECK("S16", ev->request.nonce != 0, "a request without its nonce");
	if (map_get(&w->conns,
		    world_conn_key(ev->request.gateway, ev->request.conn)))
		return;	/* one request a connection: the gateway repeats itself */
	struct request *r = request_new(w, ev);
	if ((r->row.request_key[0] && !PLANTED(S7_KEY_IGNORED) &&
	     is_repeated(w, fx, r, ev->request.prior, &no)) ||
	    !admit(w, r, &no)) {
		queue_refuse(w, fx, r, no.code, no.text);
		return;
	}
	struct machine *m = r->pool->waiting_count ? NULL :
						     assign_choose(r->pool);
	int64_t wait_ms = ev->request.wait_ms;
	if (wait_ms < 0 || wait_ms > l->wait_ms)
		wait_ms = l->wait_ms;
	if (m)
		assign(w, fx, r, m);
	else if (wait_ms > 0)
		request_wait(w, fx, r, wait_ms);
	else
		queue_refuse(w, fx, r, "no_machine",
			     "no machine is free and the request would not wait");
}

void queue_on_refused(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct request *r = request_new(w, ev);
	char code[32], text[ROW_TEXT_SIZE];

	text_copy_slice(code, sizeof(code), ev->request.code);
	text_copy_slice(text, sizeof(text), ev->request.text);
	queue_refuse(w, fx, r, code, text);
}

void queue_on_cancel(struct world *w, struct effects *fx, uint32_t gateway,
		     uint64_t conn)
{
	struct request *r = map_get(&w->conns, world_conn_key(gateway, conn));

	if (!r)
		return;	/* assigned or refused meanwhile: the gateway answers */
	map_remove(&w->conns, world_conn_key(gateway, conn));
	request_end(w, fx, r, REQUEST_CANCELLED, "cancelled",
		    "the client went away while it waited");
}

void queue_on_timer(struct world *w, struct effects *fx, struct request *r)
{
	char waited[16], text[ROW_TEXT_SIZE];
	struct pool *p = r->pool;

	snprintf(text, sizeof(text),
		 "no machine of pool %s became free in %s: %u in use, %u being made ready, max %u",
		 p->spec.name,
		 text_duration(waited, sizeof(waited), w->now_ms - r->requested_ms),
		 pool_busy(p),
		 p->counts[MACHINE_BOOTING] + p->counts[MACHINE_PREPARING] +
			 p->counts[MACHINE_CLEANING] + p->counts[MACHINE_DEFINED],
		 p->max);
	queue_refuse(w, fx, r, "timeout", text);
}

void queue_serve(struct world *w, struct effects *fx, struct pool *p)
{
	bool moved = false;

	while (!list_empty(&p->waiting)) {
		struct machine *m = assign_choose(p);

		if (!m)
			break;
		assign(w, fx, LIST_ENTRY(p->waiting.next, struct request,
					 wait_link), m);
		moved = true;
	}
	if (moved)
		tell_places(w, fx, p);
}

void queue_drop_gateway(struct world *w, struct effects *fx, uint32_t gateway)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->waiting, it) {
			struct request *r =
				LIST_ENTRY(it, struct request, wait_link);

			if (r->gateway == gateway)
				queue_on_cancel(w, fx, gateway, r->conn);
		}
}

void queue_drop_user(struct world *w, struct effects *fx, const char *user,
		     const char *code, const char *text)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->waiting, it) {
			struct request *r =
				LIST_ENTRY(it, struct request, wait_link);

			if (strcmp(r->row.user, user) == 0)
				queue_refuse(w, fx, r, code, text);
		}
}

/* The request became a session: forget it without a refusal. */
void queue_assigned(struct world *w, struct effects *fx, struct request *r,
		    uint64_t session)
{
	r->row.session = session;
	map_remove(&w->conns, world_conn_key(r->gateway, r->conn));
	request_end(w, fx, r, REQUEST_ASSIGNED, "", "");
}
