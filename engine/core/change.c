/*
 * A change of a cluster's nodes (spec 3.6): one operation with steps, level by
 * level.  change_kick looks whether the present step is done and goes on to the
 * next; kicking twice does no harm.  What it wants of machines (made, draining,
 * held back, started) it does not order: node.c asks change_drains and its like.
 *
 *     PLACE     a host for each new node; their machines are defined
 *     CREATE    made, booted, prepared
 *     CHECK     healthy by the gateways' checks
 *     JOIN      in rotation, beside the old
 *     TRANSFER  the old leave it, by the strategy
 *     VERIFY    the new are still healthy
 *     FREE      the old are destroyed
 *
 * failover  the old drain, then leave
 * shutdown  the old are ended; what they had in hand is replayed
 * move      the old drain, their application is stopped, the new ones' started
 *           (so CHECK and JOIN come within TRANSFER)
 * live      the machine stays: it migrates, its size changes while it runs
 *
 * Until FREE everything can be undone: new machines go, the old serve again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum {
	CHECK_MS = 60000,	/* beyond the checks' own intervals */
	STEP_MS = 60000,	/* what needs no user's patience */
	UNDO_MS = 120000,
	LIVE_MS = 120000,	/* a migration, a resize */
	FAILURES_FATAL = 2,	/* of a new machine */
};

static const char *const step_names[CHANGE_STEPS] = {
	[STEP_PLACE] = "place", [STEP_CREATE] = "create", [STEP_CHECK] = "check",
	[STEP_JOIN] = "join", [STEP_TRANSFER] = "transfer",
	[STEP_VERIFY] = "verify", [STEP_FREE] = "free", [STEP_END] = "end",
};

const char *change_step_name(enum change_step step)
{
	return step_names[step];
}

bool change_is_final(const struct change_row *row)
{
	return row->state != CHANGE_RUNNING && row->state != CHANGE_UNDOING;
}

static bool is_live(const struct change *ch)
{
	return ch->row.strategy == STRATEGY_LIVE;
}

/* ---- rows ------------------------------------------------------------------------ */

static const char *machine_name(const struct world *w, uint64_t id)
{
	const struct machine *m = world_machine(w, id);

	return m ? m->row.name : "";
}

static void save(struct world *w, struct effects *fx, struct change *ch)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_CHANGE);

	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->change = ch->row;
	ch->cluster->changed = w->turn;
}

static void write_pairs(const struct world *w, struct change *ch)
{
	char *out = ch->row.pairs;
	size_t used = 0, size = sizeof(ch->row.pairs);

	out[0] = '\0';
	for (uint32_t i = 0; i < ch->pair_count && used < size; i++) {
		const struct pair *p = &ch->pairs[i];

		used += (size_t)snprintf(out + used, size - used, "%s%s%c%s",
					 i ? " " : "", machine_name(w, p->old),
					 p->old && p->old == p->new ? '=' : '>',
					 machine_name(w, p->new));
	}
}

void cluster_save(struct world *w, struct effects *fx, struct cluster *c)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_CLUSTER);

	/* Of gateways that are no more; those that are count for themselves. */
	c->row.transactions = c->past.transactions;
	c->row.replayed = c->past.replayed;
	c->row.failed = c->past.failed;
	c->row.reset = c->past.reset;
	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->cluster = c->row;
	c->changed = w->turn;
}

/* ---- steps: entering, failing, ending ------------------------------------------------ */

static int64_t step_deadline(const struct change *ch)
{
	const struct cluster *c = ch->cluster;
	const struct site_application *a = &c->pool->application;

	switch ((enum change_step)ch->row.step) {
	case STEP_CREATE:
		return FAILURES_FATAL * (c->pool->spec.boot_deadline_ms +
					 a->prepare_deadline_ms +
					 a->ready_deadline_ms) + STEP_MS;
	case STEP_CHECK:
		return CHECK_MS + (c->spec.health.interval_ms +
				   c->spec.health.timeout_ms) *
					  (c->spec.health.rise + 1);
	case STEP_TRANSFER:
		return c->spec.drain_ms + STEP_MS +
		       (is_live(ch) ? LIVE_MS : 0) +
		       (ch->row.strategy == STRATEGY_MOVE ?
				2 * a->prepare_deadline_ms + CHECK_MS : 0);
	case STEP_PLACE:
	case STEP_JOIN:
	case STEP_VERIFY:
	case STEP_FREE:
	case STEP_END:
	case CHANGE_STEPS:
		break;
	}
	return STEP_MS;
}

static void enter(struct world *w, struct effects *fx, struct change *ch,
		  enum change_step step)
{
	ch->row.step = step;
	ch->row.step_wall_ms = w->wall_ms;
	ch->step_ms = w->now_ms;
	ch->row.text[0] = '\0';
	timer_set(&w->timers, &ch->timer, w->now_ms + step_deadline(ch));
	effects_add(fx, EFFECT_LOG)->text = effects_text(
		fx, "change %llu of %s: %s", (unsigned long long)ch->row.id,
		ch->row.cluster, step_names[step]);
	save(w, fx, ch);
	pool_unbalance(w, ch->cluster->pool);
}

static void finish(struct world *w, struct effects *fx, struct change *ch,
		   enum change_state final)
{
	static const char *const words[CHANGE_STATES] = {
		[CHANGE_DONE] = "done", [CHANGE_FAILED] = "failed",
		[CHANGE_CANCELLED] = "cancelled",
	};
	struct cluster *c = ch->cluster;
	char took[16];

	ch->row.state = final;
	ch->row.ended_wall_ms = w->wall_ms;
	timer_stop(&w->timers, &ch->timer);
	for (uint32_t i = 0; i < ch->pair_count; i++) {
		struct machine *m = world_machine(w, ch->pairs[i].new);

		if (m && m->row.change == ch->row.id) {
			m->row.change = 0;
			world_save_machine(w, m);
		}
	}
	text_duration(took, sizeof(took),
		      ch->row.ended_wall_ms - ch->row.started_wall_ms);
	world_event(w, fx, final == CHANGE_DONE ? SEVERITY_INFO : SEVERITY_FAIL,
		    false, "CHANGE", "cluster", c->spec.name,
		    "change %llu %s in %s: %u x %u vCPU %llu MiB -> %u x %u vCPU %llu MiB%s%s",
		    (unsigned long long)ch->row.id, words[final], took,
		    ch->row.from_nodes, ch->row.from_vcpus,
		    (unsigned long long)ch->row.from_memory_mib,
		    ch->row.to_nodes, ch->row.to_vcpus,
		    (unsigned long long)ch->row.to_memory_mib,
		    ch->row.text[0] ? ": " : "", ch->row.text);
	save(w, fx, ch);
	c->change = NULL;
	list_remove(&ch->link);
	policy_changed(w, fx, c, &ch->row);
	free(ch);
	pool_unbalance(w, c->pool);
}

static void undo(struct world *w, struct effects *fx, struct change *ch,
		 const char *why)
{
	struct cluster *c = ch->cluster;

	ch->row.state = CHANGE_UNDOING;
	TEXT_SET(ch->row.text, why);
	c->row.nodes = ch->row.from_nodes;
	c->row.vcpus = ch->row.from_vcpus;
	c->row.memory_mib = ch->row.from_memory_mib;
	cluster_save(w, fx, c);
	for (uint32_t i = 0; i < ch->pair_count; i++) {
		struct pair *p = &ch->pairs[i];
		struct machine *m = world_machine(w, p->new);

		if (m && p->new != p->old)
			machine_retire(w, fx, m);
	}
	timer_set(&w->timers, &ch->timer, w->now_ms + UNDO_MS);
	save(w, fx, ch);
	pool_unbalance(w, c->pool);
}

static void fail(struct world *w, struct effects *fx, struct change *ch,
		 const char *why)
{
	char text[ROW_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s: %.180s", step_names[ch->row.step], why);
	undo(w, fx, ch, text);
}

void change_cancel(struct world *w, struct effects *fx, struct change *ch,
		   const char *who)
{
	char text[ROW_TEXT_SIZE];

	snprintf(text, sizeof(text), "cancelled by %s at step %s", who,
		 step_names[ch->row.step]);
	ch->cancelled = true;
	undo(w, fx, ch, text);
}

void change_abandon(struct world *w, struct effects *fx, struct change *ch)
{
	TEXT_SET(ch->row.text, "the cluster left the site");
	finish(w, fx, ch, CHANGE_CANCELLED);
}

bool change_may_be_cancelled(const struct change *ch)
{
	return ch->row.state == CHANGE_RUNNING && ch->row.step < STEP_FREE &&
	       !(ch->row.strategy == STRATEGY_SHUTDOWN &&
		 ch->row.step > STEP_TRANSFER);
}

void change_begin(struct world *w, struct effects *fx, struct change *ch)
{
	enter(w, fx, ch, STEP_PLACE);
}

void change_resume(struct world *w, struct effects *fx, struct change *ch)
{
	(void)fx;
	ch->step_ms = w->now_ms;
	timer_set(&w->timers, &ch->timer, w->now_ms +
		  (ch->row.state == CHANGE_UNDOING ? UNDO_MS : step_deadline(ch)));
	pool_unbalance(w, ch->cluster->pool);
}

/* ---- what node.c asks ------------------------------------------------------------------ */

static const struct pair *pair_of_new(const struct change *ch, uint64_t machine)
{
	for (uint32_t i = 0; i < ch->pair_count; i++)
		if (ch->pairs[i].new == machine && ch->pairs[i].old != machine)
			return &ch->pairs[i];
	return NULL;
}

static struct pair *pair_of_old(struct change *ch, uint64_t machine)
{
	for (uint32_t i = 0; i < ch->pair_count; i++)
		if (ch->pairs[i].old == machine && ch->pairs[i].new != machine)
			return &ch->pairs[i];
	return NULL;
}

bool change_drains(const struct cluster *c, const struct machine *m)
{
	return c->change && c->change->row.state == CHANGE_RUNNING &&
	       c->change->row.step >=
		       (PLANTED(S14_BREAKS_FIRST) ? STEP_CREATE : STEP_TRANSFER) &&
	       pair_of_old(c->change, m->row.id);
}

bool change_holds_back(const struct cluster *c, const struct machine *m)
{
	return c->change && m->row.change == c->change->row.id &&
	       pair_of_new(c->change, m->row.id) &&
	       (c->change->row.state == CHANGE_UNDOING ||
		c->change->row.step < STEP_JOIN);
}

bool change_waits_to_start(const struct world *w, const struct cluster *c,
			   const struct machine *m)
{
	const struct change *ch = c->change;
	const struct pair *p = ch ? pair_of_new(ch, m->row.id) : NULL;

	(void)w;
	if (!p || ch->row.strategy != STRATEGY_MOVE)
		return false;
	return ch->row.state == CHANGE_UNDOING || ch->row.step < STEP_TRANSFER ||
	       (p->old && !p->stopped);
}

/* ---- the steps ---------------------------------------------------------------------------- */

/* A new node that can not be counted on: true with why. */
static bool is_broken(const struct world *w, const struct pair *p, char *why,
		      size_t why_size)
{
	const struct machine *m = world_machine(w, p->new);

	if (!p->new)
		return false;
	if (m && m->row.failures < FAILURES_FATAL &&
	    m->row.state != MACHINE_QUARANTINED && m->row.wish == WISH_RUN)
		return false;
	snprintf(why, why_size, "%s: %.120s", m ? m->row.name : "a new machine",
		 m ? m->row.reason : "is gone");
	return true;
}

/* A new node that was ready and is not any more. */
static bool has_fallen(const struct world *w, const struct pair *p, char *why,
		       size_t why_size)
{
	const struct machine *m = world_machine(w, p->new);

	if (!p->new || (m && m->row.state == MACHINE_READY && !m->node->ended))
		return false;
	snprintf(why, why_size, "%s fell: %.120s", m ? m->row.name : "a new machine",
		 m && m->row.state != MACHINE_READY ? m->row.reason :
						      "its domain ended");
	return true;
}

/* The host that was chosen or named is there and has room; else false with why,
 * which says already why none was chosen. */
static bool takes(const struct host *h, uint32_t vcpus, uint64_t memory_mib,
		  char *why, size_t why_size)
{
	if (!h || placement_fits(h, vcpus, memory_mib, NULL))
		return h;
	snprintf(why, why_size, "host %s has no room for %u vCPU and %llu MiB",
		 h->spec.name, vcpus, (unsigned long long)memory_mib);
	return false;
}

static bool step_place(struct world *w, struct effects *fx, struct change *ch)
{
	struct cluster *c = ch->cluster;
	char why[ROW_TEXT_SIZE] = "its host has left the site";

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		struct pair *p = &ch->pairs[i];
		struct machine *old = world_machine(w, p->old);
		struct host *h = p->host[0] ? world_host(w, slice_of(p->host)) :
					      NULL;

		if (p->old && !p->wants_new)
			continue;
		if (is_live(ch) && old) {
			p->new = p->old;
			if (ch->row.kind == CHANGE_MOVE && !h)
				h = placement_choose(w, c->pool, old->row.vcpus,
						     old->row.memory_mib, NULL,
						     old->host, why, sizeof(why));
			if (ch->row.kind == CHANGE_MOVE &&
			    !takes(h, old->row.vcpus, old->row.memory_mib, why,
				   sizeof(why))) {
				fail(w, fx, ch, why);
				return false;
			}
			if (h)
				TEXT_SET(p->host, h->spec.name);
			continue;
		}
		if (!h)
			h = placement_choose(w, c->pool, ch->row.to_vcpus,
					     ch->row.to_memory_mib, NULL, NULL,
					     why, sizeof(why));
		if (!takes(h, ch->row.to_vcpus, ch->row.to_memory_mib, why,
			   sizeof(why))) {
			fail(w, fx, ch, why);
			return false;
		}
		TEXT_SET(p->host, h->spec.name);
		struct machine *m = cluster_create(w, fx, c, h, p->slot,
						   ch->row.to_vcpus,
						   ch->row.to_memory_mib);
		m->row.change = ch->row.id;
		p->new = m->row.id;
	}
	write_pairs(w, ch);
	return true;
}

static bool step_create(struct world *w, struct effects *fx, struct change *ch)
{
	char why[ROW_TEXT_SIZE];

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];
		const struct machine *m = world_machine(w, p->new);

		if (is_broken(w, p, why, sizeof(why))) {
			fail(w, fx, ch, why);
			return false;
		}
		if (p->new && m->row.state != MACHINE_READY) {
			snprintf(ch->row.text, sizeof(ch->row.text),
				 "%s is %s", m->row.name,
				 sm_name(&machine_table, m->row.state));
			return false;
		}
	}
	return true;
}

/* All new nodes are healthy, or in rotation. */
static bool all_new(struct world *w, struct effects *fx, struct change *ch,
		    bool serving)
{
	char why[ROW_TEXT_SIZE];

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];
		const struct machine *m = world_machine(w, p->new);

		if (has_fallen(w, p, why, sizeof(why))) {
			fail(w, fx, ch, why);
			return false;
		}
		if (!p->new || (m->node->up &&
				(!serving || m->row.node == NODE_SERVING)))
			continue;
		snprintf(ch->row.text, sizeof(ch->row.text), "%s: %s",
			 m->row.name, m->node->text[0] ? m->node->text :
							 "its health is not known yet");
		return false;
	}
	return true;
}

static bool starts_late(const struct change *ch)
{
	return ch->row.strategy == STRATEGY_MOVE || is_live(ch);
}

/* failover and the first half of move: none of the old is in rotation. */
static bool old_left(const struct world *w, struct change *ch)
{
	for (uint32_t i = 0; i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];
		const struct machine *m = world_machine(w, p->old);

		if (!m || p->old == p->new || m->row.node == NODE_NONE)
			continue;
		snprintf(ch->row.text, sizeof(ch->row.text),
			 "%s has %u transactions to end", m->row.name,
			 m->node->open);
		return false;
	}
	return true;
}

static bool shut_down(struct world *w, struct effects *fx, struct change *ch)
{
	for (uint32_t i = 0; i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];
		struct machine *m = world_machine(w, p->old);

		if (!m || p->old == p->new || m->row.wish == WISH_RETIRE)
			continue;
		m->node->ended = true;	/* out at once: not drained */
		machine_retire(w, fx, m);
	}
	return old_left(w, ch);
}

/* Stops the application of each old node that has left. */
static bool stop_old(struct world *w, struct effects *fx, struct change *ch)
{
	bool all = true;

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		struct pair *p = &ch->pairs[i];
		struct machine *m = world_machine(w, p->old);

		if (!m || p->stopped || p->old == p->new)
			continue;
		if (m->row.state != MACHINE_READY || m->node->ended ||
		    !hook_defined(m, HOOK_STOP)) {
			p->stopped = true;	/* nothing runs there */
			continue;
		}
		all = false;
		if (m->job == JOB_NONE && m->host->state == HOST_UP)
			hook_start(w, fx, m, HOOK_STOP);
		snprintf(ch->row.text, sizeof(ch->row.text),
			 "stopping the application on %s", m->row.name);
	}
	return all;
}

void change_on_stopped(struct world *w, struct effects *fx, struct machine *m,
		       bool good, const char *text)
{
	struct cluster *c = machine_cluster(w, m);
	struct pair *p = c && c->change ? pair_of_old(c->change, m->row.id) : NULL;
	char why[ROW_TEXT_SIZE];

	m->node->started = false;	/* in part, perhaps: started again at need */
	if (!p)
		return;
	pool_unbalance(w, m->pool);
	if (good) {
		p->stopped = true;
	} else if (c->change->row.state == CHANGE_RUNNING) {
		snprintf(why, sizeof(why), "stop on %s: %.120s", m->row.name, text);
		fail(w, fx, c->change, why);
	}
}

static bool move_over(struct world *w, struct effects *fx, struct change *ch)
{
	return old_left(w, ch) && stop_old(w, fx, ch) && all_new(w, fx, ch, true);
}

/* The machine that stays gets its new place, then its new size. */
static bool live_one(struct world *w, struct effects *fx, struct change *ch,
		     struct pair *p, uint32_t vcpus, uint64_t memory_mib,
		     const char *place)
{
	struct machine *m = world_machine(w, p->old);
	struct host *h = world_host(w, slice_of(place));

	if (!m || m->row.state != MACHINE_READY)
		return true;
	if (m->job != JOB_NONE || m->going || m->host->state != HOST_UP)
		return false;
	if (h && m->host != h) {
		m->going = h;
		job_start(w, fx, m, JOB_MIGRATE, EFFECT_DOMAIN_MIGRATE, LIVE_MS)
			->host = effects_text(fx, "%s", h->spec.name);
	} else if (m->row.vcpus != vcpus || m->row.memory_mib != memory_mib) {
		if (ch->row.state == CHANGE_RUNNING &&
		    !placement_fits(m->host, vcpus, memory_mib, m)) {
			fail(w, fx, ch, "its host has no room for it to grow");
			return false;
		}
		p->vcpus = m->row.vcpus;
		p->memory_mib = m->row.memory_mib;
		m->row.vcpus = vcpus;
		m->row.memory_mib = memory_mib;
		job_start(w, fx, m, JOB_RESIZE, EFFECT_DOMAIN_RESIZE, LIVE_MS);
	} else {
		return true;
	}
	snprintf(ch->row.text, sizeof(ch->row.text), "%s: %s", m->row.name,
		 m->going ? "migrating" : "its size changes");
	return false;
}

static bool live_over(struct world *w, struct effects *fx, struct change *ch)
{
	bool all = true;

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		struct pair *p = &ch->pairs[i];

		if (p->old && p->old == p->new)
			all &= live_one(w, fx, ch, p, ch->row.to_vcpus,
					ch->row.to_memory_mib, p->host);
		if (ch->row.state != CHANGE_RUNNING)
			return false;	/* it failed */
	}
	return all && old_left(w, ch) && all_new(w, fx, ch, false);
}

void change_on_live(struct world *w, struct effects *fx, struct machine *m,
		    enum job job, enum call_result result, const char *text)
{
	struct cluster *c = machine_cluster(w, m);
	struct change *ch = c ? c->change : NULL;
	char why[ROW_TEXT_SIZE];

	pool_unbalance(w, m->pool);
	if (job == JOB_MIGRATE && result == CALL_UNKNOWN) {
		host_poll(w, fx, m->host);	/* host.c finds out where it is */
		host_poll(w, fx, m->going);
		return;
	}
	if (job == JOB_MIGRATE && result == CALL_OK)
		machine_moved(w, fx, m, m->going);
	m->going = NULL;
	if (job == JOB_RESIZE && result == CALL_OK)
		ledger_change(w, fx, m);
	if (job == JOB_RESIZE && result != CALL_OK)
		for (uint32_t i = 0; ch && i < ch->pair_count; i++)
			if (ch->pairs[i].old == m->row.id && ch->pairs[i].vcpus) {
				m->row.vcpus = ch->pairs[i].vcpus;
				m->row.memory_mib = ch->pairs[i].memory_mib;
			}
	world_save_machine(w, m);
	if (result == CALL_OK || !ch || ch->row.state != CHANGE_RUNNING)
		return;
	snprintf(why, sizeof(why), "%s: %.120s", m->row.name, text);
	fail(w, fx, ch, why);
}

static bool step_transfer(struct world *w, struct effects *fx, struct change *ch)
{
	switch ((enum site_strategy)ch->row.strategy) {
	case STRATEGY_FAILOVER:
		return all_new(w, fx, ch, true) && old_left(w, ch);
	case STRATEGY_SHUTDOWN:
		return all_new(w, fx, ch, true) && shut_down(w, fx, ch);
	case STRATEGY_MOVE:
		return move_over(w, fx, ch);
	case STRATEGY_LIVE:
		return live_over(w, fx, ch);
	}
	return false;
}

static void step_free(struct world *w, struct effects *fx, struct change *ch)
{
	for (uint32_t i = 0; i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];
		struct machine *m = world_machine(w, p->old);

		if (m && p->old != p->new && m->row.wish != WISH_RETIRE)
			machine_retire(w, fx, m);
	}
}

/* True when the step is done; it may have failed instead. */
static bool step_is_done(struct world *w, struct effects *fx, struct change *ch)
{
	switch ((enum change_step)ch->row.step) {
	case STEP_PLACE:
		return step_place(w, fx, ch);
	case STEP_CREATE:
		return step_create(w, fx, ch);
	case STEP_CHECK:
		return starts_late(ch) || all_new(w, fx, ch, false);
	case STEP_JOIN:
		return starts_late(ch) || all_new(w, fx, ch, true);
	case STEP_TRANSFER:
		return step_transfer(w, fx, ch);
	case STEP_VERIFY:
		return (ch->row.strategy == STRATEGY_SHUTDOWN) ||
		       all_new(w, fx, ch, !is_live(ch));
	case STEP_FREE:
		step_free(w, fx, ch);
		return true;
	case STEP_END:
	case CHANGE_STEPS:
		break;
	}
	return true;
}

/* The new are out, the old in rotation or dead. */
static bool is_undone(struct world *w, struct effects *fx, struct change *ch)
{
	bool all = true;

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		struct pair *p = &ch->pairs[i];
		const struct machine *old = world_machine(w, p->old);
		const struct machine *new = world_machine(w, p->new);

		if (old && p->old == p->new)
			all &= live_one(w, fx, ch, p, ch->row.from_vcpus,
					ch->row.from_memory_mib, p->from);
		else if (new && new->row.node != NODE_NONE)
			all = false;
		if (old && old->row.state == MACHINE_READY &&
		    old->row.wish == WISH_RUN && !old->node->ended &&
		    old->row.node != NODE_SERVING)
			all = false;
	}
	return all;
}

void change_kick(struct world *w, struct effects *fx, struct change *ch)
{
	if (ch->row.state == CHANGE_UNDOING) {
		if (is_undone(w, fx, ch))
			finish(w, fx, ch, ch->cancelled ? CHANGE_CANCELLED :
							  CHANGE_FAILED);
		return;
	}
	while (step_is_done(w, fx, ch)) {
		if (ch->row.step + 1 == STEP_END) {
			ch->row.text[0] = '\0';
			finish(w, fx, ch, CHANGE_DONE);
			return;
		}
		enter(w, fx, ch, (enum change_step)(ch->row.step + 1));
	}
}

void change_on_timer(struct world *w, struct effects *fx, struct change *ch)
{
	char why[ROW_TEXT_SIZE];

	if (ch->row.state == CHANGE_UNDOING) {
		/* What cannot be had back is the cluster's to replace. */
		finish(w, fx, ch, ch->cancelled ? CHANGE_CANCELLED :
						  CHANGE_FAILED);
		return;
	}
	snprintf(why, sizeof(why), "not done in time%s%.150s",
		 ch->row.text[0] ? "; " : "", ch->row.text);
	fail(w, fx, ch, why);
}
