/*
 * Images: a machine saved to disk right after prepare (spec 1.5, 1.6).  It is
 * what the rung `revert` goes back to and what the cold tier consists of.
 *
 *     preparing -> saving -> saved -> waking -> ready
 *                   ^                            |
 *                   `---- put to sleep again ----'
 *
 * An image is restored only on evidence: a row that says it was made, of what
 * the pool's machines are built from now.  Each restore begins an incarnation
 * of its own, durable before the call, so that a domain of an earlier try is
 * never taken for this one.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { SAVE_MS = 180000, RESTORE_MS = 60000, SLEEP_MS = 60000 };

static bool is_current(const struct machine *m)
{
	return !machine_is_outdated(m) || PLANTED(S6_IMAGE_OF_ANOTHER_BUILD);
}

bool image_fits(const struct machine *m)
{
	return m->row.image == IMAGE_MADE && is_current(m);
}

bool image_wanted(const struct machine *m)
{
	const struct pool *p = m->pool;

	if (image_fits(m) || m->row.wish != WISH_RUN || p->removed ||
	    p->closing || !is_current(m) || !machine_is_isolated(m))
		return false;
	/* Elsewhere a machine is wanted running first. */
	return p->spec.recycle == RECYCLE_REVERT ||
	       (p->spec.saved && pool_running(p) >= pool_target(p));
}

/* Nobody has used it since it was built: only so it is what prepare left. */
static bool is_unused(const struct machine *m)
{
	return (m->created && m->row.incarnation == m->row.built &&
		m->bound_incarnation != m->row.incarnation) ||
	       PLANTED(S4_IMAGE_OF_A_USER);
}

bool image_possible(const struct machine *m)
{
	return m->row.image == IMAGE_NONE && is_current(m) && is_unused(m);
}

void image_doubt(struct machine *m)
{
	if (m->row.image == IMAGE_MADE)
		m->row.image = IMAGE_DOUBT;
}

void image_forget(struct machine *m)
{
	m->row.image = IMAGE_NONE;
	m->row.image_key[0] = '\0';
}

void image_save(struct world *w, struct effects *fx, struct machine *m)
{
	CHECK("S4", is_unused(m), "an image of %s, which had a user",
	      m->row.name);
	CHECK("S11", m->row.image == IMAGE_NONE, "%s would lose an image",
	      m->row.name);
	m->row.image = IMAGE_DOUBT;
	m->row.image_built = m->row.built;
	machine_move(w, fx, m, MACHINE_SAVING, "prepared; its image is made");
	job_start(w, fx, m, JOB_SAVE, EFFECT_DOMAIN_SAVE, SAVE_MS);
}

void image_sleep(struct world *w, struct effects *fx, struct machine *m)
{
	CHECK("S4", image_fits(m), "%s sleeps without an image", m->row.name);
	machine_cancel_calls(w, fx, m);
	resource_machine_lost(w, fx, m);
	machine_move(w, fx, m, MACHINE_SAVING, "not needed now; its image is kept");
	machine_kick(w, fx, m);
}

/* Saving is begun where it is decided; what is left to do here is the sleep. */
static void kick_saving(struct world *w, struct effects *fx, struct machine *m)
{
	if (m->row.image == IMAGE_MADE && m->host->state == HOST_UP)
		job_start(w, fx, m, JOB_DESTROY, EFFECT_DOMAIN_DESTROY, SLEEP_MS);
}

void image_wake(struct world *w, struct effects *fx, struct machine *m,
		const char *why)
{
	machine_move(w, fx, m, MACHINE_WAKING, "%s", why);
	machine_kick(w, fx, m);
}

void image_restore(struct world *w, struct effects *fx, struct machine *m)
{
	uint64_t last = m->row.built > m->row.incarnation ? m->row.built :
							    m->row.incarnation;

	CHECK("S6", image_fits(m), "the image of %s is not of what is wanted",
	      m->row.name);
	machine_check_isolated(m);
	m->created = m->seen = m->paused = false;
	m->evidence = 0;
	m->row.built = last + !PLANTED(S1_REVERT_SAME_LIFE);
	world_save_machine(w, m);
	if (!PLANTED(S4_NO_OVERLAY))
		volumes_overlay(w, fx, m);
	job_start(w, fx, m, JOB_RESTORE, EFFECT_DOMAIN_RESTORE, RESTORE_MS);
}

bool image_proven(const struct machine *m)
{
	return ((m->evidence & EVIDENCE_ALL) == EVIDENCE_ALL &&
		volumes_are_fresh(m)) ||
	       PLANTED(S4_RESTORE_UNPROVEN);
}

void image_restored(struct effects *fx, struct machine *m)
{
	CHECK("S4", image_proven(m), "%s came back without evidence: %u",
	      m->row.name, m->evidence);
	m->created = m->seen = m->agent_up = m->prepared = true;
	m->trust_poll = m->host->poll;
	m->row.incarnation = m->row.built;
	volumes_forget_old(fx, m);
}

void image_kick(struct world *w, struct effects *fx, struct machine *m)
{
	if (m->row.state == MACHINE_SAVING) {
		kick_saving(w, fx, m);
	} else if (m->row.state == MACHINE_WAKING) {
		if (!image_fits(m) || !machine_is_isolated(m))
			machine_begin_clean(w, fx, m, RUNG_REBUILD,
					    "the site changed while it was woken");
		else if (m->host->state == HOST_UP)
			image_restore(w, fx, m);
	} else if (m->row.wish == WISH_RETIRE || !machine_is_isolated(m)) {
		machine_move(w, fx, m, MACHINE_RETIRING, "not needed any more");
		machine_kick(w, fx, m);
	} else if (m->row.wish == WISH_HOLD && !image_fits(m)) {
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "to be held, and its image is outdated");
	} else if (m->row.wish == WISH_HOLD) {
		image_wake(w, fx, m, "woken to be held");
	} else {
		pool_unbalance(w, m->pool);	/* which wakes or replaces it */
	}
}

static void saved(struct world *w, struct effects *fx, struct machine *m)
{
	m->created = m->seen = m->agent_up = false;
	ledger_close(w, fx, m, false);
	m->trust_poll = m->host->poll;
	machine_move(w, fx, m, MACHINE_SAVED, "on disk");
	machine_kick(w, fx, m);
}

static void woken(struct world *w, struct effects *fx, struct machine *m)
{
	image_restored(fx, m);
	if (!m->ledger)
		ledger_open(w, fx, m);
	m->pool->wake_ms = w->now_ms - m->state_ms;
	machine_move(w, fx, m, MACHINE_READY, "woken");
	world_event(w, fx, SEVERITY_INFO, false, "READY", "machine", m->row.name,
		    "woken in %lld ms", (long long)m->pool->wake_ms);
	machine_kick(w, fx, m);
}

void image_on_job(struct world *w, struct effects *fx, struct machine *m,
		  enum call_result result, const char *text)
{
	char why[ROW_TEXT_SIZE];
	bool saving = m->row.state == MACHINE_SAVING;

	if (saving && result == CALL_OK) {
		m->row.image = IMAGE_MADE;
		saved(w, fx, m);
	} else if (!saving && result == CALL_OK && image_proven(m)) {
		woken(w, fx, m);
	} else {
		image_doubt(m);
		snprintf(why, sizeof(why), "%s: %s",
			 saving ? "could not be saved" : "could not be woken",
			 result == CALL_OK ? "nothing proves it" : text);
		machine_fail(w, fx, m, why);
	}
}
