/*
 * How long a session may last: its longest time from the accept, with a
 * warning before and extensions by operator and user, and its idle time.
 *
 * Times are kept as boot time; `ends_wall_ms` in the row is what a restarted
 * engine goes by.  A session keeps the longest time it began with; idle and
 * warn are the application's of today.
 *
 * Only the gateway knows when the last byte moved, so an idle session is ended
 * by asking it: "stop it if it has been quiet so long".  One that moved
 * meanwhile answers with its byte counts and goes on.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { ASK_AGAIN_MS = 2000 };

const struct site_application *limit_application(const struct world *w,
						 const struct session *s)
{
	const struct pool *p = world_machine(w, s->row.machine)->pool;

	/* A pool that left the site before a restart does not know its own. */
	for (size_t i = 0; p->removed && i < w->spec.application_count; i++)
		if (strcmp(w->spec.applications[i].name, s->row.application) == 0)
			return &w->spec.applications[i];
	return &p->application;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t idle_due_ms(const struct session *s, int64_t idle_ms)
{
	int64_t again_ms = s->asked_ms ? s->asked_ms + ASK_AGAIN_MS : 0;
	int64_t at = s->moved_ms + idle_ms;

	return at > again_ms ? at : again_ms;
}

void limit_arm(struct world *w, struct session *s)
{
	const struct site_application *a = limit_application(w, s);
	int64_t at = INT64_MAX;

	if (s->stopping) {
		at = s->asked_ms ? INT64_MAX : w->now_ms + ASK_AGAIN_MS;
	} else if (s->row.state == SESSION_ACTIVE) {
		if (s->ends_ms && !PLANTED(L8_NEVER_ENDS))
			at = s->ends_ms;
		if (s->ends_ms && a->warn_ms && !s->warned)
			at = sooner(at, s->ends_ms - a->warn_ms);
		if (a->idle_ms && !PLANTED(L8_IDLE_FOR_EVER))
			at = sooner(at, idle_due_ms(s, a->idle_ms));
		if (s->away && !PLANTED(L1_LINGERS_ON))
			at = sooner(at, s->lingers_ms);
	}
	if (at == INT64_MAX)
		timer_stop(&w->timers, &s->timer);
	else
		timer_set(&w->timers, &s->timer, at);
}

void limit_begin(struct world *w, struct session *s)
{
	const struct site_application *a = limit_application(w, s);

	s->moved_ms = w->now_ms;
	if (a->longest_ms) {
		s->ends_ms = w->now_ms + a->longest_ms;
		s->row.ends_wall_ms = w->wall_ms + a->longest_ms;
	}
	limit_arm(w, s);
}

void limit_resume(struct world *w, struct session *s)
{
	int64_t left = s->row.ends_wall_ms - w->wall_ms;
	int64_t most = s->row.ends_wall_ms - s->row.accepted_wall_ms;

	/* Its gateway will say when a byte last moved. */
	s->moved_ms = w->now_ms;
	/* A wall clock that jumped back gives nobody more than he had. */
	if (s->row.ends_wall_ms && !PLANTED(L8_RESTART_FORGETS))
		s->ends_ms = w->now_ms + (left < most ? left : most);
	if (s->ends_ms && s->ends_ms < w->now_ms)
		s->ends_ms = w->now_ms;
	limit_arm(w, s);
}

void limit_moved(struct world *w, struct session *s, int64_t quiet_ms)
{
	int64_t at = quiet_ms > 0 ? w->now_ms - quiet_ms : w->now_ms;

	/* The timer, when it fires too early, sets itself anew. */
	if (at > s->moved_ms || quiet_ms > 0)
		s->moved_ms = at;
	if (quiet_ms > 0)
		limit_arm(w, s);
}

/* quiet_ms > 0: only if no byte has moved so long.  False: not now. */
static bool tell(struct world *w, struct effects *fx, struct session *s,
		 int64_t quiet_ms, const char *text)
{
	struct effect *e;

	/* Nobody to ask: a machine without a connection is idle. */
	if (s->away || (s->returning && !s->held)) {
		session_dismiss(fx, s, "stopped", text);
		session_finish(w, fx, s, SESSION_CLOSED, text);
		return true;
	}
	bool all = joins_stop(w, fx, s, quiet_ms, text);
	if (s->row.gateway >= WORLD_GATEWAYS_MAX) {	/* its own is over */
		s->asked_ms = all ? w->now_ms : s->asked_ms;
		return all;
	}
	if (!w->gateways[s->row.gateway].up)
		return false;
	e = effects_add(fx, EFFECT_STOP);
	e->gateway = s->row.gateway;
	e->session = s->row.id;
	e->ms = quiet_ms;
	e->text = effects_text(fx, "%s", text);
	if (all)
		s->asked_ms = w->now_ms;
	return all;
}

void limit_stop(struct world *w, struct effects *fx, struct session *s,
		const char *text)
{
	s->stopping = true;
	s->asked_ms = 0;
	TEXT_SET(s->stop_text, text);
	share_note(w, s);
	tell(w, fx, s, 0, text);
	if (!session_is_final(s))
		limit_arm(w, s);
}

static void notice_at(struct world *w, struct effects *fx,
		      const struct session *s, uint32_t gateway, uint64_t id,
		      const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_NOTICE);

	e->gateway = gateway;
	e->session = id;
	e->ms = s->ends_ms > w->now_ms ? s->ends_ms - w->now_ms : 0;
	e->text = effects_text(fx, "%s", text);
}

/* To all of its connections. */
static void notice(struct world *w, struct effects *fx, const struct session *s,
		   const char *text)
{
	if (!s->away && s->row.gateway < WORLD_GATEWAYS_MAX)
		notice_at(w, fx, s, s->row.gateway, s->row.id, text);
	LIST_EACH(&s->joins, it) {
		const struct join *j = LIST_ENTRY(it, struct join, link);

		notice_at(w, fx, s, j->row.gateway, j->row.id, text);
	}
}

static void warn(struct world *w, struct effects *fx, struct session *s)
{
	char left[16], text[80];

	s->warned = true;
	text_duration(left, sizeof(left), s->ends_ms - w->now_ms);
	snprintf(text, sizeof(text), "the session ends in %s", left);
	notice(w, fx, s, text);
	world_event(w, fx, SEVERITY_WARN, false, "LIMIT", "user", s->row.user,
		    "session/%llu on %s ends in %s",
		    (unsigned long long)s->row.id, s->row.machine_name, left);
}

void limit_on_timer(struct world *w, struct effects *fx, struct session *s)
{
	const struct site_application *a = limit_application(w, s);
	char text[64], after[16];

	if (s->stopping) {
		tell(w, fx, s, 0, s->stop_text);
	} else if (s->ends_ms && w->now_ms >= s->ends_ms) {
		limit_stop(w, fx, s, "its longest time is over");
	} else if (s->away && w->now_ms >= s->lingers_ms) {
		char why[ROW_TEXT_SIZE + 32];

		snprintf(why, sizeof(why), "%s; nobody came back in %s",
			 s->row.end_text,
			 text_duration(after, sizeof(after), a->linger_ms));
		session_finish(w, fx, s, SESSION_LOST, why);
		return;
	} else {
		if (s->ends_ms && a->warn_ms && !s->warned &&
		    w->now_ms >= s->ends_ms - a->warn_ms)
			warn(w, fx, s);
		if (a->idle_ms && w->now_ms >= idle_due_ms(s, a->idle_ms)) {
			snprintf(text, sizeof(text), "idle for %s",
				 text_duration(after, sizeof(after), a->idle_ms));
			if (!tell(w, fx, s, a->idle_ms, text))
				s->asked_ms = w->now_ms;
		}
	}
	if (session_is_final(s))
		return;
	limit_arm(w, s);
}

const char *limit_extend(struct world *w, struct effects *fx, struct session *s,
			 int64_t ms)
{
	if (!s->row.ends_wall_ms)
		return "has no end to put off";
	if (s->stopping)
		return "is being ended";
	if (ms <= 0 || ms > SITE_DURATION_MAX_MS)
		return "can be extended by at most 30 days";
	s->ends_ms += ms;
	s->row.ends_wall_ms += ms;
	s->warned = false;
	world_save_session(w, s);
	limit_arm(w, s);
	notice(w, fx, s, "the session was extended");
	return NULL;
}

void limit_on_extend(struct world *w, struct effects *fx,
		     const struct event *ev)
{
	struct session *s = session_of_message(w, ev);
	int64_t ms = ev->session.took_ms, left;

	s = s ? s : join_session_of(w, ev);
	if (!s)
		return;
	const struct site_listener *l =
		world_listener(w, slice_of(s->row.listener));
	left = (l ? l->extend_ms : 0) - s->row.extended_ms;
	if (PLANTED(L8_EXTENDS_FREELY))
		left = ms;
	if (ms > left)
		ms = left;
	if (ms <= 0) {
		notice(w, fx, s, l && l->extend_ms ?
			"it was extended as far as its listener allows" :
			"its listener does not let users extend sessions");
		return;
	}
	const char *no = limit_extend(w, fx, s, ms);
	if (no) {
		notice(w, fx, s, no);
		return;
	}
	char by[16];
	s->row.extended_ms += ms;
	world_event(w, fx, SEVERITY_INFO, false, "LIMIT", "user", s->row.user,
		    "extended session/%llu by %s", (unsigned long long)s->row.id,
		    text_duration(by, sizeof(by), ms));
}
