/*
 * How a change begins: who takes over from whom, and what stands against it.  All
 * is decided before anything is done, so a dry run is the same code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

bool cluster_is_member(const struct machine *m)
{
	return m->row.wish == WISH_RUN && m->row.state != MACHINE_QUARANTINED &&
	       m->row.state != MACHINE_HELD && m->row.state != MACHINE_RETIRING &&
	       m->row.state != MACHINE_GONE && !m->node->lost;
}

/* Members, those in rotation first: the last ones are the first to go. */
static uint32_t members(const struct cluster *c, struct machine **out)
{
	uint32_t n = 0;

	for (int serving = 1; serving >= 0; serving--)
		LIST_EACH(&c->pool->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (cluster_is_member(m) && n < CHANGE_PAIRS_MAX &&
			    (m->row.node == NODE_SERVING && m->node->up) == serving)
				out[n++] = m;
		}
	return n;
}

static bool fits(const struct machine *m, const struct change_wish *wish)
{
	return m->row.vcpus == wish->size.vcpus &&
	       m->row.memory_mib == wish->size.memory_mib &&
	       !machine_is_outdated(m);
}

/* Is that machine to be replaced, or changed as it runs? */
static bool is_touched(const struct machine *m, const struct change_wish *wish)
{
	switch (wish->kind) {
	case CHANGE_REPLACE:
		return !wish->outdated_only || machine_is_outdated(m);
	case CHANGE_MOVE:
		return wish->machine ? m == wish->machine :
				       m->host == wish->leave;
	case CHANGE_RESIZE:
	case CHANGE_KINDS:
		break;
	}
	return !fits(m, wish);
}

/* "a>c b>d": where a's transactions go.  c is a machine's name that is still
 * free (its slot), or a host's. */
static bool map_one(const struct world *w, const struct cluster *c,
		    struct slice to, struct pair *p, char *why, size_t why_size)
{
	const struct host *h = world_host(w, to);
	size_t prefix = strlen(c->spec.name);
	char text[ROW_NAME_SIZE], *end;

	if (h) {
		TEXT_SET(p->host, h->spec.name);
		return true;
	}
	text_copy_slice(text, sizeof(text), to);
	unsigned long long slot = strncmp(text, c->spec.name, prefix) == 0 &&
					     text[prefix] == '-' ?
				     strtoull(text + prefix + 1, &end, 10) : 0;
	if (!slot || *end || slot > SITE_MACHINES_MAX) {
		snprintf(why, why_size,
			 "\"%.60s\" is neither a host nor a name for a new node of %s (such as %s-%02u)",
			 text, c->spec.name, c->spec.name, c->pool->free_slot);
		return false;
	}
	if (map_get(&c->pool->slots, slot)) {
		snprintf(why, why_size, "%.60s is there already; name one that is free",
			 text);
		return false;
	}
	p->slot = (uint32_t)slot;
	return true;
}

static bool map_pairs(const struct world *w, const struct cluster *c,
		      struct change *ch, struct slice mapping, char *why,
		      size_t why_size)
{
	const char *at = mapping.ptr, *end = mapping.ptr + mapping.length;

	while (at < end) {
		const char *stop = memchr(at, ' ', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *arrow = memchr(at, '>', (size_t)(stop - at));
		struct pair *found = NULL;

		for (uint32_t i = 0; arrow && i < ch->pair_count; i++) {
			const struct machine *m =
				world_machine(w, ch->pairs[i].old);

			if (m && ch->pairs[i].wants_new &&
			    slice_is((struct slice){ at, (uint32_t)(arrow - at) },
				     m->row.name))
				found = &ch->pairs[i];
		}
		if (!found) {
			snprintf(why, why_size,
				 "\"%.*s\" is no OLD>NEW with an old node that this change replaces",
				 (int)(stop - at < 80 ? stop - at : 80), at);
			return false;
		}
		struct slice to = { arrow + 1, (uint32_t)(stop - arrow - 1) };
		if (!map_one(w, c, to, found, why, why_size))
			return false;
		at = stop + (stop < end);
	}
	return true;
}

static void add_pair(struct change *ch, struct machine *old, bool wants_new,
		     const struct change_wish *wish)
{
	struct pair *p = &ch->pairs[ch->pair_count++];

	*p = (struct pair){ .old = old ? old->row.id : 0,
			    .wants_new = wants_new };
	if (old)
		TEXT_SET(p->from, old->host->spec.name);
	if (wish->host)
		TEXT_SET(p->host, wish->host->spec.name);
}

static void make_pairs(const struct cluster *c, struct change *ch,
		       const struct change_wish *wish)
{
	struct machine *old[CHANGE_PAIRS_MAX];
	uint32_t n = members(c, old), nodes = wish->size.nodes;

	for (uint32_t i = 0; i < n || i < nodes; i++) {
		struct machine *m = i < n ? old[i] : NULL;

		if (ch->pair_count == CHANGE_PAIRS_MAX)
			return;
		if (i >= nodes)
			add_pair(ch, m, false, wish);
		else if (!m || is_touched(m, wish))
			add_pair(ch, m, true, wish);
	}
}

/* What the strategy cannot do, said before anything begins. */
static bool strategy_refuses(const struct cluster *c, const struct change *ch,
			     const struct change_wish *wish, char *why,
			     size_t why_size)
{
	const uint32_t hooks = c->pool->application.hooks;

	if (ch->row.strategy == STRATEGY_MOVE &&
	    !(hooks & 1u << SITE_HOOK_START && hooks & 1u << SITE_HOOK_STOP)) {
		snprintf(why, why_size,
			 "strategy move needs the hooks start and stop of application %s",
			 c->spec.application);
		return true;
	}
	if (ch->row.strategy == STRATEGY_LIVE && wish->kind == CHANGE_REPLACE) {
		snprintf(why, why_size,
			 "strategy live keeps the machines: nothing would be made anew");
		return true;
	}
	return false;
}

struct change *change_start(struct world *w, struct effects *fx,
			    struct cluster *c, const struct change_wish *wish,
			    char *why, size_t why_size)
{
	struct change *ch = calloc(1, sizeof(*ch));

	CHECK("", ch, "out of memory");
	ch->cluster = c;
	ch->row = (struct change_row){
		.kind = wish->kind, .state = CHANGE_RUNNING, .step = STEP_PLACE,
		.strategy = wish->strategy ? wish->strategy : c->spec.strategy,
		.decision = wish->decision,
		.from_nodes = c->row.nodes, .from_vcpus = c->row.vcpus,
		.from_memory_mib = c->row.memory_mib,
		.to_nodes = wish->size.nodes, .to_vcpus = wish->size.vcpus,
		.to_memory_mib = wish->size.memory_mib,
		.started_wall_ms = w->wall_ms, .step_wall_ms = w->wall_ms,
	};
	TEXT_SET(ch->row.cluster, c->spec.name);
	TEXT_SET(ch->row.who, wish->who);
	make_pairs(c, ch, wish);
	if (strategy_refuses(c, ch, wish, why, why_size) ||
	    !map_pairs(w, c, ch, wish->mapping, why, why_size)) {
		free(ch);
		return NULL;
	}
	if (wish->dry_run) {
		snprintf(why, why_size, "%u node%s would be made, changed or taken away by strategy %s",
			 ch->pair_count, ch->pair_count == 1 ? "" : "s",
			 strategy_name((enum site_strategy)ch->row.strategy));
		free(ch);
		return NULL;
	}
	ch->row.id = w->next_change++;
	ch->timer.kind = TIMER_CHANGE;
	list_add_tail(&w->changes, &ch->link);
	c->change = ch;
	c->row.nodes = wish->size.nodes;
	c->row.vcpus = wish->size.vcpus;
	c->row.memory_mib = wish->size.memory_mib;
	cluster_save(w, fx, c);
	world_event(w, fx, SEVERITY_INFO, false, "CHANGE", "cluster", c->spec.name,
		    "change %llu by %s: %u x %u vCPU %llu MiB -> %u x %u vCPU %llu MiB, strategy %s",
		    (unsigned long long)ch->row.id, ch->row.who,
		    ch->row.from_nodes, ch->row.from_vcpus,
		    (unsigned long long)ch->row.from_memory_mib,
		    ch->row.to_nodes, ch->row.to_vcpus,
		    (unsigned long long)ch->row.to_memory_mib,
		    strategy_name((enum site_strategy)ch->row.strategy));
	change_begin(w, fx, ch);
	return ch;
}

const char *strategy_name(enum site_strategy strategy)
{
	switch (strategy) {
	case STRATEGY_FAILOVER:
		return "failover";
	case STRATEGY_SHUTDOWN:
		return "shutdown";
	case STRATEGY_MOVE:
		return "move";
	case STRATEGY_LIVE:
		return "live";
	}
	return "none";
}

/* ---- after a restart of the engine ---------------------------------------------------- */

static uint64_t id_of(const struct world *w, const char *name, size_t length)
{
	const struct machine *m = world_machine_by_name(
		w, (struct slice){ name, (uint32_t)length });

	return m ? m->row.id : 0;
}

/* "old>new" and "stays=stays", one after the other. */
static void read_pairs(const struct world *w, struct change *ch)
{
	const char *at = ch->row.pairs;

	while (*at && ch->pair_count < CHANGE_PAIRS_MAX) {
		size_t length = strcspn(at, " "), old = strcspn(at, ">=");
		struct pair *p = &ch->pairs[ch->pair_count];

		if (old < length) {
			p->old = id_of(w, at, old);
			p->new = id_of(w, at + old + 1, length - old - 1);
			p->wants_new = length > old + 1;
			const struct machine *m = world_machine(w, p->old);
			if (m)
				TEXT_SET(p->from, m->host->spec.name);
			ch->pair_count++;
		}
		at += length;
		at += *at == ' ';
	}
}

void change_restore(struct world *w, struct effects *fx,
		    const struct change_row *row)
{
	struct cluster *c = world_cluster(w, slice_of(row->cluster));
	struct change *ch;

	if (!c || c->change)
		return;
	ch = calloc(1, sizeof(*ch));
	CHECK("", ch, "out of memory");
	ch->row = *row;
	ch->cluster = c;
	ch->timer.kind = TIMER_CHANGE;
	list_add_tail(&w->changes, &ch->link);
	c->change = ch;
	read_pairs(w, ch);
	change_resume(w, fx, ch);
}
