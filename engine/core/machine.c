/*
 * One machine: its states, the one mover, how it fails, dies and is sent to be
 * cleaned, and what must hold in each state.  What it does next: life.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static const struct sm_state states[MACHINE_STATES] = {
	[MACHINE_DEFINED] = {
		.name = "defined", .flags = SM_INITIAL,
		.allowed = SM_TO(MACHINE_BOOTING) | SM_TO(MACHINE_RETIRING),
		.holds = "has a row, no domain; waits for a boot slot or back-off" },
	[MACHINE_BOOTING] = {
		.name = "booting",
		.allowed = SM_TO(MACHINE_PREPARING) | SM_TO(MACHINE_CLEANING),
		.holds = "domain being created, then waiting for its agent" },
	[MACHINE_PREPARING] = {
		.name = "preparing",
		.allowed = SM_TO(MACHINE_READY) | SM_TO(MACHINE_SAVING) |
			   SM_TO(MACHINE_CLEANING),
		.holds = "prepare hook, then ready hook until it agrees" },
	[MACHINE_READY] = {
		.name = "ready",
		.allowed = SM_TO(MACHINE_RESERVED) | SM_TO(MACHINE_CLEANING) |
			   SM_TO(MACHINE_HELD) | SM_TO(MACHINE_RETIRING) |
			   SM_TO(MACHINE_SAVING),
		.holds = "clean, application running, no session" },
	[MACHINE_SAVING] = {
		.name = "saving",
		.allowed = SM_TO(MACHINE_SAVED) | SM_TO(MACHINE_CLEANING),
		.holds = "no user since prepare; RAM going to disk, or its "
			 "domain ends because its image is there" },
	[MACHINE_SAVED] = {
		.name = "saved",
		.allowed = SM_TO(MACHINE_WAKING) | SM_TO(MACHINE_CLEANING) |
			   SM_TO(MACHINE_RETIRING),
		.holds = "clean, RAM image on disk, no domain" },
	[MACHINE_WAKING] = {
		.name = "waking",
		.allowed = SM_TO(MACHINE_READY) | SM_TO(MACHINE_CLEANING),
		.holds = "being restored from its image" },
	[MACHINE_RESERVED] = {
		.name = "reserved",
		.allowed = SM_TO(MACHINE_IN_SESSION) | SM_TO(MACHINE_CLEANING),
		.holds = "has a durable session; has not accepted yet" },
	[MACHINE_IN_SESSION] = {
		.name = "in_session",
		.allowed = SM_TO(MACHINE_CLEANING),
		.holds = "accepted its session's user; bytes may flow" },
	[MACHINE_CLEANING] = {
		.name = "cleaning",
		.allowed = SM_TO(MACHINE_READY) | SM_TO(MACHINE_DEFINED) |
			   SM_TO(MACHINE_HELD) | SM_TO(MACHINE_RETIRING) |
			   SM_TO(MACHINE_QUARANTINED),
		.holds = "dirty; climbing the rung in row.rung" },
	[MACHINE_HELD] = {
		.name = "held",
		.allowed = SM_TO(MACHINE_CLEANING) | SM_TO(MACHINE_RETIRING),
		.holds = "an operator's, out of the pool for debugging" },
	[MACHINE_QUARANTINED] = {
		.name = "quarantined",
		.allowed = SM_TO(MACHINE_CLEANING) | SM_TO(MACHINE_RETIRING),
		.holds = "failed three times in a row; left for an operator" },
	[MACHINE_RETIRING] = {
		.name = "retiring", .allowed = SM_TO(MACHINE_GONE),
		.holds = "domain being destroyed for good" },
	[MACHINE_GONE] = {
		.name = "gone", .flags = SM_FINAL,
		.holds = "no domain, no row; only history remembers it" },
};

const struct sm_table machine_table = { .kind = "machine", .states = states,
					.count = MACHINE_STATES };

static bool state_boots(int state)
{
	return state == MACHINE_BOOTING || state == MACHINE_PREPARING;
}

/* The daily round of a session: logged for debugging only. */
static bool state_is_routine(int state)
{
	return state == MACHINE_READY || state == MACHINE_RESERVED ||
	       state == MACHINE_IN_SESSION || state == MACHINE_CLEANING;
}

struct machine *machine_new(struct world *w, const struct machine_row *row,
			    struct pool *pool)
{
	struct machine *m = calloc(1, sizeof(*m));

	CHECK("", m, "out of memory");
	m->row = *row;
	m->pool = pool;
	m->host = world_host(w, slice_of(row->host));
	CHECK("", m->host, "%s is on host %s, which is not there", row->name,
	      row->host);
	if (pool->spec.cluster)
		m->node = node_new(m);
	list_init(&m->calls);
	list_init(&m->volumes);
	m->bound_incarnation = UINT64_MAX;
	m->state_ms = w->now_ms;
	m->timer.kind = TIMER_MACHINE;
	map_put(&w->machines, row->id, m);

	pool_add(pool, m);
	pool->leaving += machine_is_leaving(m);
	list_add_tail(&m->host->machines, &m->host_link);
	if (state_boots(row->state))
		m->host->booting++;
	return m;
}

bool machine_is_leaving(const struct machine *m)
{
	return m->row.wish == WISH_RETIRE && m->row.state != MACHINE_RETIRING &&
	       m->row.state != MACHINE_GONE && m->row.state != MACHINE_HELD &&
	       m->row.state != MACHINE_QUARANTINED;
}

void machine_want(struct machine *m, enum machine_wish wish)
{
	m->pool->leaving -= machine_is_leaving(m);
	m->row.wish = wish;
	m->pool->leaving += machine_is_leaving(m);
}

bool machine_is_free(const struct machine *m)
{
	return m->row.state == MACHINE_READY && m->row.wish == WISH_RUN &&
	       m->seen && !m->row.dirty && m->job == JOB_NONE &&
	       m->host->state == HOST_UP && !m->pool->removed &&
	       machine_is_isolated(m);
}

bool machine_is_isolated(const struct machine *m)
{
	return !m->pool->spec.untrusted || host_isolates(m->host);
}

void machine_check_isolated(const struct machine *m)
{
	CHECK("A4", machine_is_isolated(m), "untrusted %s would run on %s, which does not isolate it",
	      m->row.name, m->host->spec.name);
}

void machine_update_ready(struct world *w, struct machine *m)
{
	bool want = machine_is_free(m);

	if (want == list_linked(&m->ready_link))
		return;
	if (want) {
		list_add_tail(&m->pool->ready, &m->ready_link);
		m->pool->ready_count++;
	} else {
		list_remove(&m->ready_link);
		m->pool->ready_count--;
	}
	pool_unbalance(w, m->pool);
}

/* What the row of its session says as well (apply.c's catch_up reads it there):
 * reserved, in session, and clean again where a session's end is all of that. */
static bool is_covered(const struct machine *m, int from, int to)
{
	return to == MACHINE_RESERVED || to == MACHINE_IN_SESSION ||
	       (m->covered && (to == MACHINE_CLEANING ||
			       (from == MACHINE_CLEANING && to == MACHINE_READY)));
}

void machine_move(struct world *w, struct effects *fx, struct machine *m,
		  enum machine_state to, const char *fmt, ...)
{
	int from = m->row.state;
	char why[ROW_TEXT_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	bool routine = state_is_routine(from) && state_is_routine(to);
	if (!routine || w->log_routine) {
		struct effect *log = effects_add(fx, EFFECT_LOG);

		log->transient = routine;
		log->text = effects_text(
			fx, "machine %s: %s -> %s (%s) %lld ms", m->row.name,
			sm_name(&machine_table, from),
			sm_name(&machine_table, to), why,
			(long long)(w->now_ms - m->state_ms));
	}
	m->pool->leaving -= machine_is_leaving(m);
	sm_move(&machine_table, &m->row.state, to, m->row.name);
	m->pool->leaving += machine_is_leaving(m);
	TEXT_SET(m->row.reason, why);
	m->pool->counts[from]--;
	m->pool->counts[to]++;
	list_remove(&m->state_link);
	list_add_tail(&m->pool->in_state[to], &m->state_link);
	if (state_boots(from) && !state_boots(to))
		m->host->booting--;
	else if (!state_boots(from) && state_boots(to))
		m->host->booting++;
	list_remove(&m->boot_link);
	m->row.since_wall_ms = w->wall_ms;
	m->state_ms = w->now_ms;
	m->deadline_ms = 0;
	m->retry_ms = 0;
	timer_stop(&w->timers, &m->timer);
	machine_update_ready(w, m);
	pool_unbalance(w, m->pool);
	if (is_covered(m, from, to))
		world_save_machine_late(w, m);
	else
		world_save_machine(w, m);
	if (placement_counts(from) && !placement_counts(to))
		placement_eased(w);
	if (to == MACHINE_GONE) {
		CHECK("S11", list_empty(&m->volumes), "%s is gone and has volumes",
		      m->row.name);
		effects_add(fx, EFFECT_DELETE_MACHINE)->machine = m->row.id;
		list_add_tail(&w->gone, &m->gone_link);
	}
	machine_check(w, m);
}

bool machine_expects_domain(const struct machine *m)
{
	return m->created && m->row.state != MACHINE_CLEANING &&
	       m->row.state != MACHINE_SAVING &&
	       m->row.state != MACHINE_RETIRING &&
	       m->row.state != MACHINE_QUARANTINED &&
	       m->row.state != MACHINE_GONE;
}

void machine_begin_clean(struct world *w, struct effects *fx,
			 struct machine *m, enum rung rung, const char *why)
{
	machine_cancel_calls(w, fx, m);
	resource_machine_lost(w, fx, m);
	m->row.dirty = true;
	m->row.rung = rung;
	m->covered = rung == RUNG_NONE && world_session(w, m->row.session);
	machine_move(w, fx, m, MACHINE_CLEANING, "%s", why);
	machine_kick(w, fx, m);
}

void machine_fail(struct world *w, struct effects *fx, struct machine *m,
		  const char *why)
{
	m->row.failures++;
	m->created = m->created && m->row.state != MACHINE_BOOTING;
	world_event(w, fx, SEVERITY_FAIL, false, "FAIL", "machine", m->row.name, "%s", why);
	if (m->row.state != MACHINE_CLEANING)
		machine_begin_clean(w, fx, m, RUNG_REBUILD, why);
	else
		machine_cancel_calls(w, fx, m);
	if (m->row.state == MACHINE_CLEANING && m->row.failures >= FAILURES_MAX) {
		machine_cancel_calls(w, fx, m);
		session_cleaned(w, fx, m, false, why);
		m->row.session = 0;
		machine_move(w, fx, m, MACHINE_QUARANTINED, "%u failures: %s",
			     m->row.failures, why);
		world_event(w, fx, SEVERITY_FAIL, false, "QUARANT", "machine", m->row.name,
			    "out of the pool after %u failures: %s",
			    m->row.failures, why);
		machine_kick(w, fx, m);
		return;
	}
	if (m->job == JOB_NONE)
		machine_back_off(w, m);
	world_save_machine(w, m);
}

/* A doubled pause for each failure in a row: 2, 4 s. */
void machine_back_off(struct world *w, struct machine *m)
{
	if (m->row.failures)
		m->retry_ms = w->now_ms + (1000ll << m->row.failures);
	machine_arm(w, m);
}

void machine_died(struct world *w, struct effects *fx, struct machine *m,
		  const char *why, bool blame)
{
	struct session *s = world_session(w, m->row.session);

	if (m->row.state == MACHINE_READY &&
	    w->now_ms - m->state_ms > HEALTHY_MS)
		m->row.failures = 0;
	m->created = m->seen = m->agent_up = m->prepared = false;
	/* When exactly nobody saw; a poll or a hint says that it was. */
	ledger_close(w, fx, m, true);
	/* A node that served well gets its place back without a pause. */
	if (m->node && w->now_ms - m->state_ms > HEALTHY_MS)
		blame = false;
	if (blame && (state_boots(m->row.state) ||
		      m->row.state == MACHINE_READY)) {
		machine_fail(w, fx, m, why);
	} else if (s && !session_is_final(s) && !s->told) {
		assign_failed(w, fx, s, why);
	} else if (s && !session_is_final(s)) {
		session_dismiss(fx, s, "machine_lost", why);
		session_finish(w, fx, s, SESSION_LOST, why);
	} else {
		machine_begin_clean(w, fx, m, RUNG_REBUILD, why);
	}
}

void machine_moved(struct world *w, struct effects *fx, struct machine *m,
		   struct host *to)
{
	bool boots = state_boots(m->row.state);

	list_remove(&m->host_link);
	m->host->booting -= boots;
	m->host->changed = w->turn;
	m->host = to;
	to->booting += boots;
	list_add_tail(&to->machines, &m->host_link);
	TEXT_SET(m->row.host, to->spec.name);
	m->moved_ms = w->now_ms;
	m->trust_poll = to->poll;	/* those on their way were asked before */
	ledger_change(w, fx, m);
	machine_update_ready(w, m);	/* that host may answer, or not */
	world_event(w, fx, SEVERITY_INFO, false, "MOVE", "machine", m->row.name,
		    "runs on %s now", to->spec.name);
	world_save_machine(w, m);
}

void machine_cancel_calls(struct world *w, struct effects *fx,
			  struct machine *m)
{
	if (m->job == JOB_HOOK)
		effects_add(fx, EFFECT_HOOK_KILL)->call = m->call;
	/* Nobody will hear whether it ended the life before. */
	if (m->job == JOB_RESTORE)
		ledger_doubt(fx, m);
	machine_forget_calls(w, m);
}

/* Their answers, should they come, are dropped. */
void machine_forget_calls(struct world *w, struct machine *m)
{
	LIST_EACH(&m->calls, it)
		call_free(w, LIST_ENTRY(it, struct call, machine_link));
	m->job = JOB_NONE;
	m->call = m->step_call = m->step = 0;
	m->opens = 0;
}

/* What each state promises; the table's .holds says the same in words. */
void machine_check(const struct world *w, const struct machine *m)
{
	const struct session *s = world_session(w, m->row.session);
	int state = m->row.state;

	if (state == MACHINE_READY)
		CHECK("S4", !m->row.dirty && !m->row.session,
		      "%s is ready and dirty", m->row.name);
	if (list_linked(&m->ready_link))
		CHECK("S4", machine_is_free(m), "%s is offered in state %s",
		      m->row.name, sm_name(&machine_table, state));
	if (state == MACHINE_RESERVED || state == MACHINE_IN_SESSION) {
		CHECK("S2", s && s->row.machine == m->row.id,
		      "%s has no session of its own", m->row.name);
		CHECK("S1", s->row.incarnation == m->row.incarnation,
		      "%s serves incarnation %llu at %llu", m->row.name,
		      (unsigned long long)s->row.incarnation,
		      (unsigned long long)m->row.incarnation);
		CHECK("S5", m->row.dirty, "%s has a user and counts as clean",
		      m->row.name);
	}
	if (state == MACHINE_SAVED)
		CHECK("S4", !m->row.dirty && !m->created && !m->row.session &&
			    m->row.image == IMAGE_MADE,
		      "%s is saved and has no image, or a domain", m->row.name);
	if (state == MACHINE_SAVING || state == MACHINE_WAKING)
		CHECK("S4", !m->row.dirty && !m->row.session,
		      "%s is %s and dirty", m->row.name,
		      sm_name(&machine_table, state));
	if (state == MACHINE_READY)
		CHECK("S6", m->row.built <= m->row.incarnation,
		      "%s is offered in an incarnation before its domain's",
		      m->row.name);
	if (state == MACHINE_CLEANING)
		CHECK("S5", m->row.dirty, "%s is cleaned and counts as clean",
		      m->row.name);
}
