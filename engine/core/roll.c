/*
 * Rolling change (spec 1.7): a site whose pool is made of something else -
 * another image, another prepare hook - makes its machines outdated.  Free ones
 * are replaced first, few at a time and never below `spare`; those in session
 * are rebuilt when it ends.  An operator may pause it.  roll_decide is the pure
 * choice; who waits for a machine comes before any replacement.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

bool machine_is_outdated(const struct machine *m)
{
	if (!placement_allows(m->pool, m->host))
		return true;	/* its pool has moved */
	return m->row.version[0] && m->pool->spec.version[0] &&
	       strcmp(m->row.version, m->pool->spec.version) != 0;
}

static uint32_t being_made(const struct pool *p)
{
	return p->counts[MACHINE_DEFINED] + p->counts[MACHINE_BOOTING] +
	       p->counts[MACHINE_PREPARING] + p->counts[MACHINE_SAVING] +
	       p->counts[MACHINE_WAKING] + p->counts[MACHINE_CLEANING];
}

uint32_t roll_surge(const struct pool *p)
{
	/* One more makes room, so that `spare` stay free while one is made. */
	return p->rolling && !p->roll_paused && p->spare > 0 &&
			       p->outdated_ready > 0 ?
		       1 : 0;
}

/* How many may be under way at once, less those that are. */
static uint32_t room(const struct pool *p)
{
	uint32_t alive = pool_alive(p), making = being_made(p);
	uint32_t batch = alive / 4 > 1 ? alive / 4 : 1;

	if (PLANTED(R2_ROLL_AT_ONCE) && p->rolling)
		return alive;
	if (!p->rolling || p->roll_paused || p->removed || p->closing ||
	    p->waiting_count || making >= batch)
		return 0;
	return batch - making;
}

uint32_t roll_decide(const struct pool *p)
{
	uint32_t free = p->ready_count, most = room(p);

	if (PLANTED(R2_ROLL_AT_ONCE))
		return most;
	if (most && free > p->spare)
		return free - p->spare < most ? free - p->spare : most;
	/* At max there is no room for one more: then spare gives way. */
	return most && free && being_made(p) == 0 && pool_total(p) >= p->max + p->spec.saved ?
		       1 : 0;
}

static void replace(struct world *w, struct effects *fx, struct machine *m)
{
	if (!placement_allows(m->pool, m->host) ||
	    (m->row.state == MACHINE_SAVED && !placement_lets_wake(m)))
		machine_retire(w, fx, m);	/* its successor has a place elsewhere */
	else
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "of an earlier version");
}

/* A new version may be what a quarantined machine was waiting for. */
static void retry_quarantined(struct world *w, struct effects *fx,
			      struct pool *p)
{
	LIST_EACH(&p->in_state[MACHINE_QUARANTINED], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);

		if (!machine_is_outdated(m) || m->row.wish != WISH_RUN)
			continue;
		m->row.failures = 0;
		replace(w, fx, m);
	}
}

/* Those that are parked are made anew when they are put back. */
static bool is_due(const struct machine *m)
{
	return machine_is_outdated(m) && m->row.wish == WISH_RUN &&
	       m->row.state != MACHINE_RETIRING &&
	       m->row.state != MACHINE_QUARANTINED;
}

static void count_outdated(struct pool *p)
{
	p->outdated = p->outdated_ready = 0;
	LIST_EACH(&p->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		p->outdated += is_due(m);
		p->outdated_ready += is_due(m) && m->row.state == MACHINE_READY;
	}
}

void roll_begin(struct world *w, struct effects *fx, struct pool *p)
{
	if (p->spec.cluster) {	/* its nodes are replaced by a change (policy.c) */
		pool_unbalance(w, p);
		return;
	}
	if (!p->removed && !p->closing && !p->roll_paused)
		retry_quarantined(w, fx, p);
	count_outdated(p);
	if (p->outdated && !p->rolling)
		world_event(w, fx, SEVERITY_INFO, false, "ROLL", "pool",
			    p->spec.name, "%u machine%s of an earlier version: free ones are replaced first, those in session when it ends",
			    p->outdated, p->outdated == 1 ? "" : "s");
	p->rolling = p->outdated > 0;
	pool_unbalance(w, p);
}

/* On disk they serve nobody and can never be woken: all at once; while paused
 * only when somebody waits, or one of them stands for a machine that should run. */
static void replace_saved(struct world *w, struct effects *fx, struct pool *p)
{
	LIST_EACH(&p->in_state[MACHINE_SAVED], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);

		if (machine_is_outdated(m) && m->row.wish == WISH_RUN &&
		    (!p->roll_paused || p->waiting_count ||
		     pool_alive(p) - p->counts[MACHINE_SAVED] < pool_target(p)))
			replace(w, fx, m);
	}
}

void roll_step(struct world *w, struct effects *fx, struct pool *p)
{
	if (!p->rolling || p->removed || p->closing)
		return;
	replace_saved(w, fx, p);
	uint32_t most = room(p), free = roll_decide(p);
	LIST_EACH(&p->in_state[MACHINE_READY], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);
		bool offered = machine_is_free(m);

		if (most == 0 || PLANTED(R1_ROLL_FORGOTTEN))
			break;
		/* One that cannot be given to anybody is no loss. */
		if (!machine_is_outdated(m) || m->job != JOB_NONE ||
		    (offered && free == 0))
			continue;
		free -= offered;
		most--;
		replace(w, fx, m);
	}
	uint32_t surge = roll_surge(p);
	count_outdated(p);
	if (surge != roll_surge(p))
		pool_unbalance(w, p);
	if (p->outdated)
		return;
	p->rolling = false;
	p->shrink_now = true;	/* the one more that made room has done so */
	pool_unbalance(w, p);
	world_event(w, fx, SEVERITY_INFO, false, "ROLL", "pool", p->spec.name,
		    "every machine is of the new version");
}
