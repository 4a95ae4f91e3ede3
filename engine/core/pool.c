/*
 * Pool sizing (spec 1.1): `serve` machines are kept, `spare` of them free and
 * ready, `max` bounds growth.  Refill counts what is free or on its way to be,
 * on the event, never total machines.  Below them `saved` sleep on disk: they
 * are woken when those that run do not suffice, and made good by a boot.
 * pool_decide (how many) and decide_tier (which run) are the pure choices; the
 * rest carries them out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

uint32_t pool_total(const struct pool *p)
{
	uint32_t n = 0;

	for (int s = 0; s < MACHINE_STATES; s++)
		if (s != MACHINE_GONE)
			n += p->counts[s];
	return n;
}

/* With a user, or still with what a user left. */
uint32_t pool_busy(const struct pool *p)
{
	return p->counts[MACHINE_RESERVED] + p->counts[MACHINE_IN_SESSION];
}

/* Serving now or able to serve again by itself. */
uint32_t pool_alive(const struct pool *p)
{
	return pool_total(p) - p->counts[MACHINE_RETIRING] -
	       p->counts[MACHINE_QUARANTINED] - p->counts[MACHINE_HELD] -
	       p->leaving;
}

bool pool_refuses(const struct pool *p, char *why, size_t why_size)
{
	const struct host *h = p->host;

	if (!p->spec.untrusted || !h->known || host_isolates(h))
		return false;
	snprintf(why, why_size,
		 "untrusted machines need %s%s%s on host %s%s%.90s; use a host with both, or take untrusted out",
		 h->kvm ? "" : "KVM", h->kvm || h->isolated ? "" : " and ",
		 h->isolated ? "" : "a security label each", h->spec.name,
		 h->isolated ? "" : ": ", h->isolated ? "" : h->labels);
	return true;
}

/* Not now: it has no machines at all. */
static bool is_off(const struct pool *p)
{
	char why[ROW_TEXT_SIZE];

	return p->removed || p->closing || pool_refuses(p, why, sizeof(why));
}

uint32_t pool_target(const struct pool *p)
{
	uint32_t needed = pool_busy(p) + p->spare + p->waiting_count;
	uint32_t target = p->serve > needed ? p->serve : needed;

	if (is_off(p))
		return 0;
	target += roll_surge(p);
	return target > p->max ? p->max : target;
}

static uint32_t cold_target(const struct pool *p)
{
	return is_off(p) ? 0 : p->spec.saved;
}

uint32_t pool_running(const struct pool *p)
{
	uint32_t n = pool_busy(p) + p->counts[MACHINE_READY] +
		     p->counts[MACHINE_CLEANING] + p->counts[MACHINE_WAKING];

	return n > p->leaving ? n - p->leaving : 0;
}

int pool_decide(const struct pool *p, char *why, size_t why_size)
{
	uint32_t alive = pool_alive(p), total = pool_total(p);
	uint32_t target = pool_target(p) + cold_target(p);
	uint32_t most = p->max + p->spec.saved;

	/* A host that was never met can neither be trusted nor blamed. */
	if (p->spec.untrusted && !p->host->known && !p->removed && !p->closing) {
		snprintf(why, why_size, "host %s has not said yet whether it isolates machines",
			 p->host->spec.name);
		return 0;
	}
	if (alive < target) {
		uint32_t room = most > total ? most - total : 0;
		uint32_t n = target - alive < room ? target - alive : room;

		snprintf(why, why_size,
			 n < target - alive ? "%u of %u wanted, max %u leaves no room"
					    : "%u of %u wanted",
			 alive, target, p->max);
		return (int)n;
	}
	why[0] = '\0';
	if (!pool_refuses(p, why, why_size) && alive > target)
		snprintf(why, why_size, "%u is more than the %u wanted", alive,
			 target);
	return -(int)(alive - target);
}

/* How many of the saved to wake (+), of the running to save (-). */
static int decide_tier(const struct pool *p)
{
	uint32_t running = pool_running(p), target = pool_target(p);
	uint32_t sleeping = p->counts[MACHINE_SAVED] + p->counts[MACHINE_SAVING];
	uint32_t cold = cold_target(p);

	if (running < target)
		return (int)(target - running);
	if (running == target || sleeping >= cold)
		return 0;
	return -(int)(running - target < cold - sleeping ? running - target :
							   cold - sleeping);
}

void pool_unbalance(struct world *w, struct pool *p)
{
	p->changed = w->turn;
	if (!p->unbalanced) {
		p->unbalanced = true;
		list_add_tail(&w->balance, &p->balance_link);
	}
}

void pool_add(struct pool *p, struct machine *m)
{
	uint32_t slot = m->row.slot;

	struct machine *below = map_get(&p->slots, slot - 1);

	map_put(&p->slots, slot, m);
	/* In order of slot: the list is what people see.  The slot below is
	 * taken but where saved rows come in another order. */
	struct list *at = below ? &below->pool_link : p->machines.prev;
	while (at != &p->machines &&
	       LIST_ENTRY(at, struct machine, pool_link)->row.slot > slot)
		at = at->prev;
	list_add_head(at, &m->pool_link);
	list_add_tail(&p->in_state[m->row.state], &m->state_link);
	p->counts[m->row.state]++;
}

void pool_remove(struct pool *p, struct machine *m)
{
	list_remove(&m->pool_link);
	list_remove(&m->state_link);
	p->counts[m->row.state]--;
	map_remove(&p->slots, m->row.slot);
	if (m->row.slot < p->free_slot)
		p->free_slot = m->row.slot;
}

static uint32_t free_slot(struct pool *p)
{
	while (map_get(&p->slots, p->free_slot))
		p->free_slot++;
	return p->free_slot;
}

struct machine *pool_create(struct world *w, struct effects *fx,
			    struct pool *p, struct host *h, uint32_t slot,
			    uint32_t vcpus, uint64_t memory_mib)
{
	struct machine_row row = { .id = w->next_machine++,
				   .slot = slot ? slot : free_slot(p),
				   .state = MACHINE_DEFINED,
				   .wish = WISH_RUN,
				   .vcpus = vcpus, .memory_mib = memory_mib,
				   .since_wall_ms = w->wall_ms };

	if (p->spec.keep && p->max == 1)
		snprintf(row.name, sizeof(row.name), "%.50s-%u", p->spec.name,
			 row.slot);
	else
		snprintf(row.name, sizeof(row.name), "%.50s-%02u", p->spec.name,
			 row.slot);
	TEXT_SET(row.pool, p->spec.name);
	TEXT_SET(row.host, h->spec.name);
	TEXT_SET(row.reason, "new");
	world_uuid(w, row.id, row.uuid);
	struct machine *m = machine_new(w, &row, p);
	world_save_machine(w, m);
	effects_add(fx, EFFECT_LOG)->text = effects_text(
		fx, "machine %s: defined for pool %s on %s", row.name,
		p->spec.name, h->spec.name);
	machine_kick(w, fx, m);
	return m;
}

/* Where the pool may be in several places, where there is room. */
static bool create_one(struct world *w, struct effects *fx, struct pool *p)
{
	struct host *h = p->host;

	if (placement_applies(p))
		h = placement_choose(w, p, p->spec.vcpus, p->spec.memory_mib,
				     NULL, NULL, p->reason, sizeof(p->reason));
	p->lacks_room |= !h;
	if (h)
		pool_create(w, fx, p, h, 0, p->spec.vcpus, p->spec.memory_mib);
	return h;
}

/* The first of that state, of those that may go; the list has the one longest
 * in it first. */
static struct machine *first_of(const struct world *w, const struct pool *p,
				enum machine_state state, bool idle_only)
{
	LIST_EACH(&p->in_state[state], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);

		if (m->row.wish != WISH_RUN)
			continue;
		return idle_only && w->now_ms - m->state_ms <
					    p->spec.shrink_after_ms ? NULL : m;
	}
	return NULL;
}

/* Least loss first: what has not booted, what is saved beyond the tier, then
 * what idles longest. */
static struct machine *choose_victim(const struct world *w,
				     const struct pool *p, bool idle_only)
{
	static const enum machine_state order[] = { MACHINE_DEFINED,
		MACHINE_BOOTING, MACHINE_PREPARING, MACHINE_SAVED,
		MACHINE_READY };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		bool surplus = order[i] == MACHINE_SAVED &&
			       p->counts[MACHINE_SAVED] > cold_target(p);

		if (order[i] == MACHINE_SAVED && !surplus)
			continue;
		struct machine *m = first_of(w, p, order[i],
					     idle_only && !surplus);
		if (m)
			return m;
	}
	return NULL;
}

void machine_retire(struct world *w, struct effects *fx, struct machine *m)
{
	machine_want(m, WISH_RETIRE);
	world_save_machine(w, m);
	machine_update_ready(w, m);
	if (m->row.state == MACHINE_BOOTING || m->row.state == MACHINE_PREPARING)
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "not needed any more");
	else
		machine_kick(w, fx, m);
}

/* A saved machine takes no memory; others may have it by now.  One that need not
 * be saved makes way for another elsewhere.  Is it one more that will run? */
static bool wake(struct world *w, struct effects *fx, struct pool *p,
		 struct machine *m)
{
	if (placement_lets_wake(m)) {
		image_wake(w, fx, m, p->waiting_count ? "a request waits" :
							"too few run");
		return true;
	}
	if (p->counts[MACHINE_SAVED] > cold_target(p) &&
	    placement_choose(w, p, p->spec.vcpus, p->spec.memory_mib, NULL, NULL,
			     p->reason, sizeof(p->reason))) {
		machine_retire(w, fx, m);
		return true;
	}
	p->lacks_room = true;
	snprintf(p->reason, sizeof(p->reason),
		 "%s is saved on %s, where there is no room to wake it",
		 m->row.name, m->host->spec.name);
	return false;
}

/* Wakes what is wanted; puts to sleep what idles.  What is left to do. */
static int balance_tiers(struct world *w, struct effects *fx, struct pool *p,
			 bool idle_only)
{
	int tier = decide_tier(p);

	LIST_EACH(&p->in_state[MACHINE_SAVED], it) {
		struct machine *m = LIST_ENTRY(it, struct machine, state_link);

		if (tier <= 0 || PLANTED(L3_SLEEPS_ON))
			break;
		if (m->row.wish != WISH_RUN || m->host->state != HOST_UP ||
		    !image_fits(m) || !machine_is_isolated(m))
			continue;
		tier -= wake(w, fx, p, m);
	}
	for (; tier < 0; tier++) {
		struct machine *m = first_of(w, p, MACHINE_READY, idle_only);

		if (!m || m->host->state != HOST_UP || m->job != JOB_NONE)
			break;
		if (image_fits(m))
			image_sleep(w, fx, m);
		else if (image_possible(m))
			image_save(w, fx, m);
		else
			machine_retire(w, fx, m);	/* one is made in its place */
	}
	return tier;
}

static void pool_balance(struct world *w, struct effects *fx, struct pool *p)
{
	p->lacks_room = false;
	if (p->spec.cluster) {
		cluster_balance(w, fx, p);
		return;
	}
	queue_serve(w, fx, p->line);
	int n = pool_decide(p, p->reason, sizeof(p->reason));
	if (p->base_text[0] && !p->removed)
		TEXT_SET(p->reason, p->base_text);
	if (n > 0 || p->counts[MACHINE_DEFINED])
		host_is_full(w, p->host, p->reason, sizeof(p->reason));

	while (n > 0 && create_one(w, fx, p))
		n--;
	/* Above `serve` a burst may come again: wait till machines idle. */
	bool idle_only = !is_off(p) && pool_alive(p) > p->serve && !p->shrink_now;
	for (; n < 0; n++) {
		struct machine *m = choose_victim(w, p, idle_only);

		if (!m)
			break;
		machine_retire(w, fx, m);
	}
	int tier = balance_tiers(w, fx, p, idle_only);
	if ((n < 0 || tier < 0) && idle_only)
		timer_set(&w->timers, &p->shrink_timer,
			  w->now_ms + p->spec.shrink_after_ms);
	p->shrink_now = p->shrink_now && (n < 0 || tier < 0);
	roll_step(w, fx, p);
}

void pools_balance(struct world *w, struct effects *fx)
{
	while (!list_empty(&w->balance)) {
		struct pool *p = LIST_ENTRY(w->balance.next, struct pool,
					    balance_link);

		list_remove(&p->balance_link);
		p->unbalanced = false;
		pool_balance(w, fx, p);
		host_kick_waiting(w, fx, p->host);
	}
	/* A boot slot freed by one pool may be another pool's. */
	for (size_t i = 0; i < w->host_count; i++)
		host_kick_waiting(w, fx, w->hosts[i]);
}

void pool_free(struct pool *p)
{
	map_fini(&p->slots);
	free(p);
}

void pools_forget_empty(struct world *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->pool_count; i++) {
		struct pool *p = w->pools[i];

		if (p->removed && list_empty(&p->machines) &&
		    !p->waiting_count) {
			list_remove(&p->balance_link);
			timer_stop(&w->timers, &p->shrink_timer);
			base_forget(w, p);
			pool_free(p);
		} else {
			w->pools[kept++] = p;
		}
	}
	w->pool_count = kept;
}
