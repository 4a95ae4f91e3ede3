/*
 * From dirty to proven clean (spec 1.5, decisions.md 11).  A machine begins on
 * its pool's rung, and one that fails falls to the next:
 *
 *     clean     the hook confirmed this session and nonce
 *     revert    the domain ended, its image restored on new overlays
 *     rebuild   domain and image ended, to be made anew
 *
 * `none` is not climbed: such a machine keeps nothing.  A machine without a
 * fitting image has no rung revert.  A failing rebuild is tried again, and the
 * third time quarantined.  Only here does an incarnation end and the next begin.
 */
#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { OVERLAYS_MAX = 16 };

enum rung clean_below(const struct machine *m)
{
	/* Each try leaves overlays; many tries are no quick way any more. */
	return image_fits(m) && m->row.wish != WISH_RETIRE &&
	       machine_is_isolated(m) && volumes_overlays(m) <= OVERLAYS_MAX ?
		       RUNG_REVERT : RUNG_REBUILD;
}

enum rung clean_first_rung(const struct machine *m)
{
	enum site_recycle recycle = m->pool->spec.recycle;

	if (recycle == RECYCLE_REBUILD || machine_is_outdated(m))
		return RUNG_REBUILD;
	if (m->created && recycle == RECYCLE_NONE)
		return RUNG_NONE;
	/* The hook confirms a session; without one there is nothing to confirm. */
	if (m->created && recycle == RECYCLE_CLEAN && m->row.session &&
	    hook_defined(m, HOOK_CLEAN))
		return RUNG_CLEAN;
	return clean_below(m);
}

/* The evidence is in: the next incarnation begins, nothing of the user left. */
static void become_clean(struct effects *fx, struct machine *m)
{
	if (m->row.rung == RUNG_REVERT)
		image_restored(fx, m);
	else if (!PLANTED(S1_SAME_INCARNATION))
		m->row.incarnation = (m->row.built > m->row.incarnation ?
				      m->row.built : m->row.incarnation) + 1;
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

/* Clean with a domain running: every way but the rebuild. */
static void clean_running(struct world *w, struct effects *fx,
			  struct machine *m, const char *how)
{
	CHECK("S4", m->created || m->row.rung == RUNG_REVERT, "%s has no domain to be clean", m->row.name);
	m->row.clean_ms = w->now_ms - m->state_ms;
	become_clean(fx, m);
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
	if (s && session_is_held(s) && !PLANTED(S2_NOT_LET_GO))
		return;
	/* The fast way: neither an accept nor a byte went in. */
	if (m->row.rung == RUNG_CLEAN && s && s->untouched && !m->touched) {
		clean_running(w, fx, m, "untouched");
		return;
	}
	switch ((enum rung)m->row.rung) {
	case RUNG_NONE:
		clean_running(w, fx, m, "keeps nothing of a user");
		return;
	case RUNG_CLEAN:
		if (m->host->state == HOST_UP)
			hook_start(w, fx, m, HOOK_CLEAN);
		return;
	case RUNG_REVERT:
		/* The site or the operator may have changed their minds since. */
		if (clean_below(m) == RUNG_REVERT) {
			if (m->host->state == HOST_UP)
				image_restore(w, fx, m);
			return;
		}
		m->row.rung = RUNG_REBUILD;
		world_save_machine(w, m);
		/* fall through */
	case RUNG_REBUILD:
		if (m->row.image == IMAGE_MADE)
			world_save_machine(w, m);
		image_doubt(m);
		if (m->host->state == HOST_UP)
			job_start(w, fx, m, JOB_DESTROY, EFFECT_DOMAIN_DESTROY,
				  60000)->ok = !PLANTED(S11_IMAGE_STAYS);
		return;
	}
}

static void rebuilt(struct world *w, struct effects *fx, struct machine *m)
{
	m->created = m->seen = m->agent_up = m->prepared = false;
	image_forget(m);
	m->row.clean_ms = w->now_ms - m->state_ms;
	m->row.created_wall_ms = 0;
	become_clean(fx, m);
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

/* The rung failed: the next one. */
static void fall(struct world *w, struct effects *fx, struct machine *m,
		 const char *text)
{
	bool hook = m->row.rung == RUNG_CLEAN;

	if (!hook)
		image_doubt(m);
	m->row.rung = clean_below(m);
	world_event(w, fx, SEVERITY_WARN, false, "CLEAN", "machine", m->row.name,
		    "%s failed, %s: %s", hook ? "the clean hook" : "the revert",
		    m->row.rung == RUNG_REVERT ? "reverting" : "rebuilding", text);
	TEXT_SET(m->row.reason, text);
	world_save_machine(w, m);
	machine_kick(w, fx, m);
}

void clean_on_job(struct world *w, struct effects *fx, struct machine *m,
		  enum call_result result, const char *text)
{
	bool done = result == CALL_OK ||
		    (PLANTED(S5_UNKNOWN_IS_DONE) && result == CALL_UNKNOWN);

	switch ((enum rung)m->row.rung) {
	case RUNG_CLEAN:
		if (result != CALL_OK) {
			fall(w, fx, m, text);
			return;
		}
		m->row.failures = 0;
		clean_running(w, fx, m, "clean, confirmed");
		return;
	case RUNG_REVERT:
		if (!done || !image_proven(m)) {
			fall(w, fx, m, done ? "nothing proves it" : text);
			return;
		}
		m->row.failures = 0;
		if (!m->ledger)
			ledger_open(w, fx, m);
		clean_running(w, fx, m, "reverted to its image");
		return;
	case RUNG_REBUILD:
		if (!done) {
			machine_fail(w, fx, m, text);
			return;
		}
		/* The domain is over; its disks may take their time. */
		if (!PLANTED(S10_NEVER_CLOSED))
			ledger_close(w, fx, m, false);
		if (!volumes_delete(w, fx, m))
			rebuilt(w, fx, m);
		return;
	case RUNG_NONE:
		break;
	}
	CHECK("", false, "%s has a job on rung none", m->row.name);
}
