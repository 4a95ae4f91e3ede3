/*
 * The lines before the applications: who enters, who is served from which
 * pool, who is told which place.  The order itself is line.h's.
 *
 * A request has a home, the pool that grows for it; any free machine of its
 * application serves it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

enum {
	TELL_MS = 200,		/* between two tellings of a long line */
	TELL_AT_ONCE = 100,	/* a line not longer than this is told at once */
};

/* ---- pools and lines ------------------------------------------------------- */

static struct line *line_of(const struct world *w, const char *application)
{
	return dict_get(&w->lines, application);
}

static void lines_forget(struct world *w)
{
	for (size_t i = 0; i < w->line_count; i++) {
		timer_stop(&w->timers, &w->line_list[i]->timer);
		line_free(w->line_list[i]);
	}
	free(w->line_list);
	w->line_list = NULL;
	w->line_count = 0;
	dict_clear(&w->lines);
}

static struct line *line_make(struct world *w, const char *application)
{
	struct line *l = line_of(w, application);

	if (l)
		return l;
	l = line_new(application);
	dict_put(&w->lines, application, l);
	w->line_list = realloc(w->line_list,
			       (w->line_count + 1) * sizeof(*w->line_list));
	CHECK("", w->line_list, "out of memory");
	w->line_list[w->line_count++] = l;
	return l;
}

static void line_add_pool(struct line *l, struct pool *p)
{
	l->pools = realloc(l->pools, (l->pool_count + 1) * sizeof(*l->pools));
	CHECK("", l->pools, "out of memory");
	l->pools[l->pool_count++] = p;
	p->line = l;
}

/* The pool with a free machine, or with most room to grow. */
static struct pool *choose_home(const struct line *l, uint32_t count)
{
	struct pool *best = NULL, *refusing = NULL;
	int64_t best_room = INT64_MIN;
	char why[ROW_TEXT_SIZE];

	for (size_t i = 0; l && i < l->pool_count; i++) {
		struct pool *p = l->pools[i];
		int64_t room = (int64_t)p->max - pool_busy(p) - p->waiting_count;

		if (p->closing || p->max < count)
			continue;
		if (p->ready_count >= count)
			return p;
		if (pool_refuses(p, why, sizeof(why))) {
			refusing = p;
		} else if (room > best_room) {
			best = p;
			best_room = room;
		}
	}
	return best ? best : refusing;
}

bool queue_find(struct world *w, struct request *r)
{
	r->line = line_of(w, r->row.application);
	r->pool = choose_home(r->line, r->count);
	return r->pool != NULL;
}

bool queue_has_room(struct world *w, struct request *r, struct refusal *no)
{
	if (!queue_find(w, r) && r->line && r->count > 1) {
		TEXT_SET(no->code, "count");
		snprintf(no->text, sizeof(no->text),
			 "no pool of application %s may have %u machines; ask for fewer",
			 r->line->application, r->count);
		return false;
	}
	if (!r->pool) {
		TEXT_SET(no->code, "no_application");
		snprintf(no->text, sizeof(no->text),
			 "no pool serves application \"%.60s\"",
			 r->row.application);
		return false;
	}
	/* The pool's reason is the request's. */
	if (pool_refuses(r->pool, no->text, sizeof(no->text))) {
		TEXT_SET(no->code, "refused");
		return false;
	}
	if (r->line->count >= QUEUE_MAX) {
		TEXT_SET(no->code, "queue_full");
		snprintf(no->text, sizeof(no->text),
			 "%d requests wait for application %s already; try again later",
			 QUEUE_MAX, r->line->application);
		return false;
	}
	return true;
}

bool queue_is_empty(const struct world *w, const struct request *r)
{
	(void)w;
	return r->line->count == 0;
}

struct machine *queue_machine(struct world *w, struct request *r)
{
	(void)w;
	for (size_t i = 0; i < r->line->pool_count; i++) {
		struct machine *m = assign_choose(r->line->pools[i]);

		if (m) {
			r->pool = m->pool;
			return m;
		}
	}
	return NULL;
}

static uint32_t machines_free(const struct line *l)
{
	uint32_t n = 0;

	for (size_t i = 0; i < l->pool_count; i++)
		n += l->pools[i]->ready_count;
	return n;
}

bool queue_can_give(const struct world *w, const struct request *r)
{
	(void)w;
	return machines_free(r->line) >=
	       (PLANTED(S25_SOME_ARE_ENOUGH) ? 1 : r->count);
}

void queue_give(struct world *w, struct effects *fx, struct request *r)
{
	if (r->grants)
		ticket_grant(w, fx, r);
	else
		assign(w, fx, r, queue_machine(w, r));
}

/* ---- in and out ----------------------------------------------------------------- */

static void line_moved(struct world *w, struct line *l)
{
	if (!list_linked(&l->moved_link))
		list_add_tail(&w->moved_lines, &l->moved_link);
}

/* In its line and at its home, without being counted again. */
static void stand(struct world *w, struct request *r, bool first)
{
	line_add(r->line, r, admit_member(w, r->row.user)->priority, first);
	r->home = r->pool;
	r->home->waiting_count += r->count;
	pool_unbalance(w, r->pool);
	line_moved(w, r->line);
}

void queue_enter(struct world *w, struct effects *fx, struct request *r,
		 bool again)
{
	list_add_tail(&w->waiting, &r->wait_link);
	w->waiting_count++;
	admit_count(w, r->row.user, r->row.application, r->row.listener, 0,
		    (int)r->count);
	r->told_place = 0;
	r->changed = w->turn;
	timer_set(&w->timers, &r->timer, r->deadline_ms);
	stand(w, r, again);
	world_event(w, fx, SEVERITY_INFO, true, "WAIT", "user", r->row.user,
		    "waits for %s with %u others", r->row.application,
		    r->line->count - 1);
}

static void leave_line(struct world *w, struct request *r, bool served)
{
	if (served)
		line_serve(r->line, r);
	else
		line_remove(r->line, r);
	r->home->waiting_count -= r->count;
	pool_unbalance(w, r->home);
	line_moved(w, r->line);
}

void queue_leave(struct world *w, struct request *r, bool served)
{
	if (!list_linked(&r->wait_link))
		return;
	if (r->seat)	/* not while lines are made anew */
		leave_line(w, r, served);
	list_remove(&r->wait_link);
	w->waiting_count--;
	admit_count(w, r->row.user, r->row.application, r->row.listener, 0,
		    -(int)r->count);
}

void queue_serve(struct world *w, struct effects *fx, struct line *l)
{
	struct request *r;

	while (l && (r = line_next(l, machines_free(l))))
		queue_give(w, fx, r);
}

void queue_drop_gateway(struct world *w, struct effects *fx, uint32_t gateway)
{
	LIST_EACH(&w->waiting, it) {
		struct request *r = LIST_ENTRY(it, struct request, wait_link);

		if (r->gateway == gateway)
			request_on_cancel(w, fx, gateway, r->conn);
	}
	shares_drop_gateway(w, fx, gateway);
}

void queue_drop_user(struct world *w, struct effects *fx, const char *user,
		     const char *code, const char *text)
{
	LIST_EACH(&w->waiting, it) {
		struct request *r = LIST_ENTRY(it, struct request, wait_link);

		if (strcmp(r->row.user, user) == 0)
			request_refuse(w, fx, r, code, text);
	}
	shares_drop_user(w, fx, user, code, text);
}

void queue_why_late(const struct world *w, const struct request *r, char *out,
		    size_t out_size)
{
	uint32_t busy = 0, made = 0, max = 0;
	char waited[16];

	for (size_t i = 0; i < r->line->pool_count; i++) {
		const struct pool *p = r->line->pools[i];

		busy += pool_busy(p);
		made += p->counts[MACHINE_BOOTING] +
			p->counts[MACHINE_PREPARING] +
			p->counts[MACHINE_CLEANING] + p->counts[MACHINE_DEFINED];
		max += p->max;
	}
	snprintf(out, out_size,
		 "no machine of pool %s became free in %s: %u in use, %u being made ready, max %u",
		 r->home->spec.name,
		 text_duration(waited, sizeof(waited), w->now_ms - r->requested_ms),
		 busy, made, max);
}

/* ---- the site has changed ---------------------------------------------------------- */

void queue_index(struct world *w, struct effects *fx)
{
	LIST_EACH(&w->waiting, it) {
		struct request *r = LIST_ENTRY(it, struct request, wait_link);

		line_remove(r->line, r);
	}
	lines_forget(w);
	for (size_t i = 0; i < w->pool_count; i++) {
		struct pool *p = w->pools[i];

		p->line = NULL;
		p->waiting_count = 0;
		if (!p->removed && !p->spec.keep && !p->spec.cluster)
			line_add_pool(line_make(w, p->spec.application), p);
	}
	LIST_EACH(&w->waiting, it) {
		struct request *r = LIST_ENTRY(it, struct request, wait_link);

		if (queue_find(w, r))
			stand(w, r, false);
		else
			request_refuse(w, fx, r, "no_application",
				       "no pool serves that application any more");
	}
}

void queue_clear(struct world *w)
{
	LIST_EACH(&w->waiting, it) {
		struct request *r = LIST_ENTRY(it, struct request, wait_link);

		line_remove(r->line, r);
	}
	lines_forget(w);
}

/* ---- places -------------------------------------------------------------------------- */

struct telling {
	struct world *w;
	struct effects *fx;
};

/* Near the front every step is told; far behind, a tenth of the way. */
static bool worth_telling(const struct request *r)
{
	uint32_t was = r->told_place, is = r->place;
	uint32_t step = was > is ? was - is : is - was;

	return !was || (is <= TELL_AT_ONCE ? step != 0 : step > was / 10);
}

static bool tell_one(void *arg, struct request *r, uint32_t place)
{
	struct telling *t = arg;

	if (r->place != place)
		r->changed = t->w->turn;
	r->place = place;
	if (!worth_telling(r))
		return true;
	struct effect *e = effects_add(t->fx, EFFECT_WAITING);
	e->gateway = r->gateway;
	e->conn = r->conn;
	e->place = r->told_place = place;
	e->ms = r->deadline_ms - t->w->now_ms;
	return true;
}

/* A long line costs a walk only now and then, however busy it is. */
static void tell(struct world *w, struct effects *fx, struct line *l)
{
	struct telling t = { w, fx };

	if (l->count > TELL_AT_ONCE && w->now_ms < l->told_ms + TELL_MS) {
		timer_set(&w->timers, &l->timer, l->told_ms + TELL_MS);
		return;
	}
	l->told_ms = w->now_ms;
	timer_stop(&w->timers, &l->timer);
	line_walk(l, tell_one, &t);
}

void queue_on_line_timer(struct world *w, struct line *l)
{
	line_moved(w, l);
}

void queue_tell(struct world *w, struct effects *fx)
{
	while (!list_empty(&w->moved_lines)) {
		struct line *l = LIST_ENTRY(w->moved_lines.next, struct line,
					    moved_link);

		list_remove(&l->moved_link);
		if (l->count)
			tell(w, fx, l);
	}
}
