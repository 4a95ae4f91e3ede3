/*
 * The judge of clusters; like oracle.c it believes only rows that were committed,
 * words that left and what the fakes hold to be true.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

static unsigned long long ull(uint64_t n)
{
	return n;
}

/* A word about a node leaves for a gateway. */
void oracle_node(struct sim *s, const struct effect *e)
{
	const struct machine_row *row = store_machine(s, e->machine);
	const struct machine *m = world_machine(&s->world, e->machine);

	if (e->kind == EFFECT_NODE_DROP || !m)
		return;
	if (!row || row->node != m->row.node)
		sim_broken(s, "S3", "gateway %u is told of node %s before it is saved so",
			   e->gateway, m->row.name);
	/* What changed again in this turn is told again, behind this word. */
	if (m->row.node != e->code)
		return;
	if (row->incarnation != e->incarnation)
		sim_broken(s, "S6", "node %s is told with incarnation %llu, it is at %llu",
			   row->name, ull(e->incarnation), ull(row->incarnation));
	if (row->state != MACHINE_READY)
		sim_broken(s, "S14", "node %s is in rotation in state %s", row->name,
			   sm_name(&machine_table, row->state));
	if (e->code == NODE_SERVING &&
	    !map_get(&s->were_up, e->machine << 20 ^ e->incarnation))
		sim_broken(s, "S14", "node %s serves and no gateway ever found it healthy",
			   row->name);
	if (e->code == NODE_DRAINING)
		oracle_drain(s, m);
}

/* Make before break: what a change drains has its successors in rotation, those
 * that live and that nobody takes away meanwhile. */
void oracle_drain(struct sim *s, const struct machine *m)
{
	const struct cluster *c = machine_cluster(&s->world, m);
	const struct change *ch = c ? c->change : NULL;
	bool old = false;

	if (!ch || ch->row.state != CHANGE_RUNNING || m->row.wish != WISH_RUN ||
	    ch->row.strategy != STRATEGY_FAILOVER)
		return;
	for (uint32_t i = 0; i < ch->pair_count; i++)
		old |= ch->pairs[i].old == m->row.id &&
		       ch->pairs[i].new != m->row.id;
	for (uint32_t i = 0; old && i < ch->pair_count; i++) {
		const struct machine *new =
			world_machine(&s->world, ch->pairs[i].new);

		if (new && new->row.wish == WISH_RUN &&
		    new->row.state != MACHINE_CLEANING &&
		    new->row.node != NODE_SERVING)
			sim_broken(s, "S14", "%s is drained before %s serves",
				   m->row.name, new->row.name);
	}
}

/* The engine has been told that a domain ended: its node is out by now. */
void oracle_hint(struct sim *s, uint64_t machine)
{
	const struct machine *m = world_machine(&s->world, machine);
	const struct life *l = life_of_machine(s, machine);

	if (m && m->node && !(l && l->state == DOMAIN_RUNNING) &&
	    m->row.node != NODE_NONE)
		sim_broken(s, "S14", "node %s is in rotation after the hint that it ended",
			   m->row.name);
}

static struct ledger_row *ledger_of(const struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->store.ledgers.count; i++) {
		struct ledger_row *row = s->store.ledgers.items[i];

		if (row->id == id)
			return row;
	}
	return NULL;
}

void oracle_ledger(struct sim *s, const struct ledger_row *row)
{
	const struct ledger_row *old = ledger_of(s, row->id);

	uptime_ledger(s, row);
	if (old && old->end_wall_ms)
		sim_broken(s, "S10", "interval %llu of %s was closed and changes",
			   ull(row->id), row->machine_name);
	if (row->end_wall_ms && (row->end_wall_ms < row->start_wall_ms ||
				 row->length_ms < 0))
		sim_broken(s, "S10", "interval %llu of %s ends before it begins",
			   ull(row->id), row->machine_name);
	for (size_t i = 0; !old && i < s->store.ledgers.count; i++) {
		const struct ledger_row *r = s->store.ledgers.items[i];

		if (r->machine == row->machine && !r->end_wall_ms)
			sim_broken(s, "S10", "%s has two open intervals",
				   row->machine_name);
	}
}

/* A machine is saved for the first time, or wakes: is there room (S11)? */
void oracle_placed(struct sim *s, const struct machine_row *row)
{
	const struct host *h = world_host(&s->world, slice_of(row->host));
	uint64_t used = row->memory_mib;

	/* An operator may hold a machine where it is full. */
	if (!h || !h->spec.memory_mib || row->wish == WISH_HOLD)
		return;
	for (size_t i = 0; i < s->store.machine_list.count; i++) {
		const struct machine_row *r = s->store.machine_list.items[i];
		const struct machine *m = world_machine(&s->world, r->id);

		if (r->id != row->id && strcmp(r->host, row->host) == 0 && m &&
		    placement_counts(m->row.state) &&
		    /* Without a domain it goes from disk, and takes none. */
		    (m->row.state != MACHINE_RETIRING || m->created))
			used += r->memory_mib;
	}
	if (used > h->spec.memory_mib)
		sim_broken(s, "S11", "%s on %s makes %llu MiB of %llu", row->name,
			   row->host, ull(used), ull(h->spec.memory_mib));
}

void oracle_change(struct sim *s, const struct change_row *row)
{
	const struct cluster *c = world_cluster(&s->world, slice_of(row->cluster));

	if (!c || strncmp(row->who, "rule/", 5) != 0 ||
	    row->state != CHANGE_RUNNING || row->step != STEP_PLACE ||
	    s->site_ms == s->now_ms)	/* bounds may be younger than the wish */
		return;
	if (row->to_nodes > c->spec.max.nodes || row->to_vcpus > c->spec.max.vcpus ||
	    row->to_nodes < c->spec.min.nodes)
		sim_broken(s, "S15", "%s makes %u nodes of %u vCPU, allowed are %u to %u of %u",
			   row->who, row->to_nodes, row->to_vcpus,
			   c->spec.min.nodes, c->spec.max.nodes,
			   c->spec.max.vcpus);
}

static bool was_said(const struct sim *s, const char *noun, const char *name,
		     const char *what)
{
	char key[ROW_NAME_SIZE * 2];

	snprintf(key, sizeof(key), "%s/%.63s/%s", noun, name, what);
	for (size_t i = 0; i < s->store.override_count; i++)
		if (strcmp(s->store.overrides[i].key, key) == 0)
			return s->store.overrides[i].value != 0;
	return false;
}

/* A turn is told: what an operator said holds because it is saved. */
void oracle_words(struct sim *s)
{
	for (size_t i = 0; i < s->world.host_count; i++) {
		const struct host *h = s->world.hosts[i];

		if (h->draining != was_said(s, "host", h->spec.name, "draining"))
			sim_broken(s, "S3", "host %s is%s drained, as saved it is%s",
				   h->spec.name, h->draining ? "" : " not",
				   h->draining ? " not" : "");
	}
	for (size_t i = 0; i < s->world.rule_count; i++) {
		const struct rule *r = s->world.rules[i];

		if (r->disabled != was_said(s, "rule", r->spec.name, "disabled"))
			sim_broken(s, "S3", "rule %s is %s, as saved it is not",
				   r->spec.name, r->disabled ? "off" : "on");
	}
}

/* ---- at rest ----------------------------------------------------------------------- */

static char text[300];

static const char *node_missing(const struct sim *s, const struct machine *m)
{
	for (uint32_t g = 0; g < s->swarm.gateways; g++) {
		const struct sim_node *found = NULL;

		for (size_t i = 0; i < s->nodes.count; i++) {
			const struct sim_node *n = s->nodes.items[i];

			if (n->gateway == g && n->machine == m->row.id)
				found = n;
		}
		if ((m->row.node != NODE_NONE) == (found != NULL) &&
		    (!found || (found->incarnation == m->row.incarnation &&
				found->part == m->row.node)))
			continue;
		snprintf(text, sizeof(text), "node %s is %d, at gateway %u it is %d",
			 m->row.name, m->row.node, g, found ? found->part : 0);
		return text;
	}
	return NULL;
}

static const char *cluster_missing(const struct sim *s, const struct cluster *c)
{
	uint32_t parked = c->pool->counts[MACHINE_HELD] +
			  c->pool->counts[MACHINE_QUARANTINED];

	if (c->change) {
		snprintf(text, sizeof(text), "change %llu of %s is at step %s: %s",
			 ull(c->change->row.id), c->spec.name,
			 change_step_name((enum change_step)c->change->row.step),
			 c->change->row.text);
		return text;
	}
	LIST_EACH(&c->pool->machines, it) {
		const char *no = node_missing(
			s, LIST_ENTRY(it, struct machine, pool_link));

		if (no)
			return no;
	}
	if (cluster_serving(c) == c->row.nodes || c->reason[0] || parked ||
	    c->pool->closing)
		return NULL;
	size_t used = (size_t)snprintf(text, sizeof(text), "%u of %u nodes of %s serve",
				       cluster_serving(c), c->row.nodes,
				       c->spec.name);
	LIST_EACH(&c->pool->machines, it) {
		const struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		if (used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used,
				", %s %s part %d up %d down %d ended %d lost %d started %d",
				m->row.name, sm_name(&machine_table, m->row.state),
				m->row.node, m->node->up, m->node->down,
				m->node->ended, m->node->lost, m->node->started);
	}
	return text;
}

static const char *ledgers_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->store.ledgers.count; i++) {
		const struct ledger_row *r = s->store.ledgers.items[i];
		const struct machine *m = world_machine(&s->world, r->machine);

		if (r->end_wall_ms || (m && m->row.ledger == r->id &&
				       life_of_machine(s, r->machine)))
			continue;
		snprintf(text, sizeof(text), "interval %llu of %s (%s, created %d, ledger %llu) is open, it has no domain",
			 ull(r->id), r->machine_name,
			 m ? sm_name(&machine_table, m->row.state) : "gone",
			 m ? m->created : 0, m ? ull(m->row.ledger) : 0);
		return text;
	}
	return NULL;
}

const char *nodes_missing(const struct sim *s, const char **name)
{
	const char *no;

	*name = "S10";
	if ((no = ledgers_missing(s)))
		return no;
	*name = "S13";
	bool wanted = false;
	for (size_t i = 0; i < s->world.cluster_count; i++)
		wanted |= !s->world.clusters[i]->pool->closing;
	if (s->vip_held != wanted)
		return s->vip_held ? "an address is held that no cluster has" :
				     "a cluster's address is not held";
	*name = "L6";
	for (size_t i = 0; i < s->world.cluster_count; i++)
		if ((no = cluster_missing(s, s->world.clusters[i])))
			return no;
	return NULL;
}
