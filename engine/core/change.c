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

bool change_is_live(const struct change *ch)
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

void change_write_pairs(const struct world *w, struct change *ch)
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
		return CHANGE_FAILURES * (c->pool->spec.boot_deadline_ms +
					 a->prepare_deadline_ms +
					 a->ready_deadline_ms) + STEP_MS;
	case STEP_CHECK:
		return CHECK_MS + (c->spec.health.interval_ms +
				   c->spec.health.timeout_ms) *
					  (c->spec.health.rise + 1);
	case STEP_TRANSFER:
		return c->spec.drain_ms + STEP_MS +
		       (change_is_live(ch) ? CHANGE_LIVE_MS : 0) +
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
	c->over = ch->row;
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

void change_fail(struct world *w, struct effects *fx, struct change *ch,
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

struct pair *change_pair_of_old(struct change *ch, uint64_t machine)
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
	       change_pair_of_old(c->change, m->row.id);
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

/* ---- going on ---------------------------------------------------------------------- */

void change_kick(struct world *w, struct effects *fx, struct change *ch)
{
	if (ch->row.state == CHANGE_UNDOING) {
		if (change_is_undone(w, fx, ch))
			finish(w, fx, ch, ch->cancelled ? CHANGE_CANCELLED :
							  CHANGE_FAILED);
		return;
	}
	while (change_step_is_done(w, fx, ch)) {
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
	change_fail(w, fx, ch, why);
}
