/*
 * From dirty to proven clean (spec 1.5, decisions.md 11).  A machine climbs
 * the rungs of its pool: the clean hook confirmed for its session and nonce,
 * or its domain destroyed; a rung that fails falls to the next.  Only here does
 * an incarnation end and the next begin.
 */
#include "engine/base/check.h"
#include "engine/core/internal.h"

/* The evidence is in: the next incarnation begins, nothing of the user left. */
static void become_clean(struct machine *m)
{
	if (!PLANTED(S1_SAME_INCARNATION))
		m->row.incarnation++;
	m->row.dirty = false;
	m->touched = false;
}

static void next_state(struct world *w, struct effects *fx, struct machine *m,
		       const char *how)
{
	m->row.session = 0;
	if (m->row.wish == WISH_RETIRE)
		machine_move(w, fx, m, MACHINE_RETIRING, "%s, then taken away",
			     how);
	else if (m->row.wish == WISH_HOLD)
		machine_move(w, fx, m, MACHINE_HELD, "%s, then held", how);
	else
		machine_move(w, fx, m, MACHINE_READY, "%s", how);
	machine_kick(w, fx, m);
}

/* Clean with its domain still running: rungs clean and none, the fast way. */
static void clean_in_place(struct world *w, struct effects *fx,
			   struct machine *m, const char *how)
{
	CHECK("S4", m->created, "%s has no domain to be clean", m->row.name);
	m->row.clean_ms = w->now_ms - m->state_ms;
	become_clean(m);
	session_cleaned(w, fx, m, true, how);
	next_state(w, fx, m, how);
}

void clean_kick(struct world *w, struct effects *fx, struct machine *m)
{
	const struct session *s = world_session(w, m->row.session);

	CHECK("S5", m->row.dirty);
	/* What its session could reach is cut first (A1). */
	if (!access_cut(w, fx, m))
		return;
	/* A machine its gateway may still be connected to is nobody else's. */
	if (s && s->held && !PLANTED(S2_NOT_LET_GO))
		return;
	/* The fast way: neither an accept nor a byte went in. */
	if (m->row.rung == RUNG_CLEAN && s && s->untouched && !m->touched) {
		clean_in_place(w, fx, m, "untouched");
		return;
	}
	switch ((enum rung)m->row.rung) {
	case RUNG_NONE:
		clean_in_place(w, fx, m, "keeps nothing of a user");
		return;
	case RUNG_CLEAN:
		if (m->host->state == HOST_UP)
			hook_start(w, fx, m, HOOK_CLEAN);
		return;
	case RUNG_REVERT:
	case RUNG_REBUILD:
		if (m->host->state == HOST_UP)
			job_start(w, fx, m, JOB_DESTROY, EFFECT_DOMAIN_DESTROY,
				  60000);
		return;
	}
}

static void rebuilt(struct world *w, struct effects *fx, struct machine *m)
{
	m->created = m->seen = m->agent_up = m->prepared = false;
	m->row.clean_ms = w->now_ms - m->state_ms;
	m->row.created_wall_ms = 0;
	become_clean(m);
	session_cleaned(w, fx, m, true, "machine destroyed, to be made anew");
	m->row.session = 0;
	if (m->row.wish == WISH_RETIRE) {
		machine_move(w, fx, m, MACHINE_RETIRING, "destroyed");
	} else {
		machine_move(w, fx, m, MACHINE_DEFINED, "destroyed; anew");
		machine_back_off(w, m);
	}
	machine_kick(w, fx, m);
}

void clean_on_job(struct world *w, struct effects *fx, struct machine *m,
		  enum call_result result, const char *text)
{
	if (m->row.rung == RUNG_CLEAN) {
		if (result == CALL_OK) {
			m->row.failures = 0;
			clean_in_place(w, fx, m, "clean, confirmed");
			return;
		}
		world_event(w, fx, SEVERITY_WARN, false, "CLEAN", "machine", m->row.name,
			    "the clean hook failed, rebuilding: %s", text);
		m->row.rung = RUNG_REBUILD;
		TEXT_SET(m->row.reason, text);
		world_save_machine(w, m);
		machine_kick(w, fx, m);
		return;
	}
	if (result == CALL_OK ||
	    (PLANTED(S5_UNKNOWN_IS_DONE) && result == CALL_UNKNOWN)) {
		if (!volumes_delete(w, fx, m))
			rebuilt(w, fx, m);
	} else {
		machine_fail(w, fx, m, text);
	}
}
