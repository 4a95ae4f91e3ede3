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
	if (m->host != m->pool->host)
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

/* One that is held or in session is not waited for with a machine more: it
 * would come and go for ever. */
static bool can_be_replaced(const struct pool *p)
{
	LIST_EACH(&p->in_state[MACHINE_READY], it)
		if (machine_is_outdated(LIST_ENTRY(it, struct machine,
						   state_link)))
			return true;
	return false;
}

uint32_t roll_surge(const struct pool *p)
{
	/* Where nothing is free but the spare ones, one more makes room. */
	return p->rolling && !p->roll_paused && p->spare > 0 &&
			       p->ready_count <= p->spare && can_be_replaced(p) ?
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

/* Counts what is left to replace, and ends the roll when that is nothing.  One
 * that is held is made anew when it is released; one that leaves, leaves. */
static uint32_t outdated_left(const struct pool *p)
{
	uint32_t left = 0;

	LIST_EACH(&p->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		left += m->row.wish == WISH_RUN && machine_is_outdated(m);
	}
	return left;
}

void roll_begin(struct world *w, struct effects *fx, struct pool *p)
{
	uint32_t left = outdated_left(p);

	if (left && !p->rolling)
		world_event(w, fx, SEVERITY_INFO, false, "ROLL", "pool",
			    p->spec.name, "%u machine%s of an earlier version: free ones are replaced first, those in session when it ends",
			    left, left == 1 ? "" : "s");
	p->rolling = left > 0;
	p->outdated = left;
	pool_unbalance(w, p);
}

/* A new version may be what a quarantined machine was waiting for. */
static void retry_quarantined(struct world *w, struct effects *fx,
			      struct pool *p)
{
	LIST_EACH(&p->in_state[MACHINE_QUARANTINED], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);

		if (!machine_is_outdated(m) || m->row.wish != WISH_RUN)
			continue;
		/* Where the pool is no more, it stays outdated for ever. */
		if (m->host != p->host) {
			machine_retire(w, fx, m);
			continue;
		}
		m->row.failures = 0;
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "a new version: tried again");
	}
}

static void replace(struct world *w, struct effects *fx, struct machine *m)
{
	if (m->host != m->pool->host)
		machine_retire(w, fx, m);
	else
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "of an earlier version");
}

/* On disk they serve nobody and can never be woken: all at once, paused or
 * not when somebody waits. */
static void replace_saved(struct world *w, struct effects *fx, struct pool *p)
{
	LIST_EACH(&p->in_state[MACHINE_SAVED], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);

		if (machine_is_outdated(m) && m->row.wish == WISH_RUN &&
		    (!p->roll_paused || p->waiting_count))
			replace(w, fx, m);
	}
}

void roll_step(struct world *w, struct effects *fx, struct pool *p)
{
	if (!p->rolling || p->removed || p->closing)
		return;
	if (!p->roll_paused)
		retry_quarantined(w, fx, p);
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
	p->outdated = outdated_left(p);
	if (p->outdated)
		return;
	p->rolling = false;
	world_event(w, fx, SEVERITY_INFO, false, "ROLL", "pool", p->spec.name,
		    "every machine is of the new version");
}
