/*
 * The steps of a change, each a function that looks whether it is done and orders
 * what is missing; see change.c for what they are.  A step that fails says why to
 * change_fail and is not done.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/internal.h"

/* A new node that can not be counted on: true with why. */
static bool is_broken(const struct world *w, const struct pair *p, char *why,
		      size_t why_size)
{
	const struct machine *m = world_machine(w, p->new);

	if (!p->new)
		return false;
	/* One that is ready has its failures behind it. */
	if (m && m->row.wish == WISH_RUN &&
	    (m->row.state == MACHINE_READY ||
	     (m->row.failures < CHANGE_FAILURES &&
	      m->row.state != MACHINE_QUARANTINED)))
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
		if (change_is_live(ch) && old) {
			p->new = p->old;
			if (ch->row.kind == CHANGE_MOVE && !h)
				h = placement_choose(w, c->pool, old->row.vcpus,
						     old->row.memory_mib, NULL,
						     old->host, why, sizeof(why));
			if (ch->row.kind == CHANGE_MOVE &&
			    !takes(h, old->row.vcpus, old->row.memory_mib, why,
				   sizeof(why))) {
				change_fail(w, fx, ch, why);
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
			change_fail(w, fx, ch, why);
			return false;
		}
		TEXT_SET(p->host, h->spec.name);
		struct machine *m = cluster_create(w, fx, c, h, p->slot,
						   ch->row.to_vcpus,
						   ch->row.to_memory_mib);
		m->row.change = ch->row.id;
		p->new = m->row.id;
	}
	change_write_pairs(w, ch);
	return true;
}

static bool step_create(struct world *w, struct effects *fx, struct change *ch)
{
	char why[ROW_TEXT_SIZE];

	for (uint32_t i = 0; i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];
		const struct machine *m = world_machine(w, p->new);

		if (is_broken(w, p, why, sizeof(why))) {
			change_fail(w, fx, ch, why);
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
			change_fail(w, fx, ch, why);
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
	return ch->row.strategy == STRATEGY_MOVE || change_is_live(ch);
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
	struct pair *p = c && c->change ? change_pair_of_old(c->change, m->row.id) : NULL;
	char why[ROW_TEXT_SIZE];

	m->node->started = false;	/* in part, perhaps: started again at need */
	if (!p)
		return;
	pool_unbalance(w, m->pool);
	if (good) {
		p->stopped = true;
	} else if (c->change->row.state == CHANGE_RUNNING) {
		snprintf(why, sizeof(why), "stop on %s: %.120s", m->row.name, text);
		change_fail(w, fx, c->change, why);
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
		job_start(w, fx, m, JOB_MIGRATE, EFFECT_DOMAIN_MIGRATE, CHANGE_LIVE_MS)
			->host = effects_text(fx, "%s", h->spec.name);
	} else if (m->row.vcpus != vcpus || m->row.memory_mib != memory_mib) {
		if (ch->row.state == CHANGE_RUNNING &&
		    !placement_fits(m->host, vcpus, memory_mib, m)) {
			change_fail(w, fx, ch, "its host has no room for it to grow");
			return false;
		}
		p->vcpus = m->row.vcpus;
		p->memory_mib = m->row.memory_mib;
		m->row.vcpus = vcpus;
		m->row.memory_mib = memory_mib;
		job_start(w, fx, m, JOB_RESIZE, EFFECT_DOMAIN_RESIZE, CHANGE_LIVE_MS);
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
	change_fail(w, fx, ch, why);
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
bool change_step_is_done(struct world *w, struct effects *fx, struct change *ch)
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
		       all_new(w, fx, ch, !change_is_live(ch));
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
bool change_is_undone(struct world *w, struct effects *fx, struct change *ch)
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
