/*
 * Clusters in the simulator: what gateways hold of their nodes, rules that wish,
 * domains that migrate or change size, addresses, and an operator who resizes.
 * The site has at most one cluster, "web", beside its pools.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum { LOOK_MS = 1000, STALE_MS = 10000, CALENDAR = 2 };

/* ---- the site ------------------------------------------------------------------ */

static void draw_calendar(struct sim *s, struct site_cluster *c)
{
	c->calendar = site_room(CALENDAR, sizeof(*c->calendar));
	c->calendar_count = CALENDAR;
	for (int i = 0; i < CALENDAR; i++) {
		struct site_calendar *e = &c->calendar[i];
		int minute = (int)sim_between(s, 0, 1439);

		snprintf(e->text, sizeof(e->text), "entry %d", i);
		e->from_minute = (uint16_t)minute;
		e->until_minute = (uint16_t)((minute + 3) % 1440);
		e->size.nodes = (uint32_t)sim_between(s, 1, c->max.nodes);
	}
}

static void draw_sizes(struct sim *s, struct site_cluster *c)
{
	c->min = (struct site_size){ 1, 1, 128 };
	c->max = (struct site_size){ (uint32_t)sim_between(s, 2, 4), 4, 512 };
	c->size = (struct site_size){ (uint32_t)sim_between(s, 1, 2), 1, 128 };
}

/* Strategy move has its hooks, as loading a site checks. */
static enum site_strategy draw_strategy(struct sim *s)
{
	enum site_strategy strategy = (enum site_strategy)sim_between(
		s, STRATEGY_FAILOVER, STRATEGY_LIVE);

	for (size_t i = 0; i < s->site.application_count; i++)
		if (strategy == STRATEGY_MOVE &&
		    strcmp(s->site.applications[i].name, "web") == 0 &&
		    !s->site.applications[i].agent)
			return STRATEGY_FAILOVER;
	return strategy;
}

void nodes_draw_site(struct sim *s)
{
	struct site_spec *site = &s->site;

	site->clusters = site_room(1, sizeof(*site->clusters));
	site->rules = site_room(1, sizeof(*site->rules));
	if (s->swarm.tiny || !sim_chance(s, 50))
		return;
	struct site_application *a = &site->applications[site->application_count++];
	struct site_pool *p = &site->pools[site->pool_count++];
	struct site_cluster *c = &site->clusters[0];

	site->cluster_count = 1;
	TEXT_SET(a->name, "web");
	a->endpoint = ENDPOINT_TCP;
	a->identity = IDENTITY_NONE;
	a->agent = sim_chance(s, 50);
	a->hooks = sim_chance(s, 50) ? 1u << SITE_HOOK_READY : 0;
	if (a->agent)
		a->hooks |= 1u << SITE_HOOK_START | 1u << SITE_HOOK_STOP;
	a->prepare_deadline_ms = a->ready_deadline_ms = 10000;
	a->accept_deadline_ms = a->clean_deadline_ms = 5000;
	a->half_close_ms = 300000;
	TEXT_SET(c->name, "web");
	TEXT_SET(c->application, "web");
	TEXT_SET(c->ip, "127.0.0.50");
	draw_sizes(s, c);
	c->drain_ms = sim_between(s, 1, 10) * 1000;
	c->health = (struct site_health){ .interval_ms = 1000, .timeout_ms = 1000,
					  .fall = 1, .rise = 1 };
	c->strategy = draw_strategy(s);
	c->cool_up_ms = sim_between(s, 1, 30) * 1000;
	c->cool_down_ms = sim_between(s, 1, 60) * 1000;
	if (sim_chance(s, 50))
		draw_calendar(s, c);
	*p = (struct site_pool){ .cluster = true, .serve = c->size.nodes,
				 .max = c->max.nodes, .vcpus = 1,
				 .memory_mib = 128, .recycle = RECYCLE_REBUILD,
				 .boot_deadline_ms = 20000,
				 .shrink_after_ms = 5000, .version = "v1" };
	TEXT_SET(p->name, "web");
	TEXT_SET(p->application, "web");
	TEXT_SET(p->host, s->hosts[0].name);
	p->placement.hosts.all = true;
	p->placement.spread = (enum site_spread)sim_between(s, SPREAD_NONE,
							    SPREAD_SITES);
	for (uint32_t i = 0; i < s->swarm.hosts; i++) {
		TEXT_SET(site->hosts[i].site, i ? "south" : "north");
		site->hosts[i].memory_mib = sim_chance(s, 50) ? 2048 : 4096;
	}
	site->rule_count = sim_chance(s, 60);
	site->rules[0] = (struct site_rule){ .name = "load", .cluster = "web",
					     .every_ms = sim_between(s, 2, 20) * 1000,
					     .deadline_ms = 1000, .version = "r1" };
}

void nodes_change_site(struct sim *s)
{
	struct site_cluster *c = &s->site.clusters[0];

	draw_sizes(s, c);
	c->strategy = draw_strategy(s);
	for (size_t i = 0; i < c->calendar_count; i++)
		if (c->calendar[i].size.nodes > c->max.nodes)
			c->calendar[i].size.nodes = c->max.nodes;
}

/* ---- gateways -------------------------------------------------------------------- */

static struct sim_node *node_of(const struct sim *s, uint32_t gateway,
				uint64_t machine)
{
	for (size_t i = 0; i < s->nodes.count; i++) {
		struct sim_node *n = s->nodes.items[i];

		if (n->gateway == gateway && n->machine == machine)
			return n;
	}
	return NULL;
}

static bool answers(const struct sim *s, const struct sim_node *n)
{
	const struct life *l = life_of_machine(s, n->machine);

	return l && l->state == DOMAIN_RUNNING &&
	       l->incarnation == n->incarnation && s->now_ms >= n->ill_ms;
}

static void say_state(struct sim *s, struct sim_node *n)
{
	struct post *p = post_new(s, EVENT_NODE_STATE);

	n->told = true;
	n->told_up = n->up;
	p->ev.node.gateway = n->gateway;
	p->ev.node.machine = n->machine;
	p->ev.node.incarnation = n->incarnation;
	p->ev.node.up = n->up;
	p->ev.node.open = n->open;
	p->ev.node.text = post_text(p, n->up ? "" : "no answer");
	if (n->up)	/* from now on it may serve (S14) */
		map_put(&s->were_up, n->machine << 20 ^ n->incarnation, s);
	gateway_post(s, n->gateway, p);
}

static void say_count(struct sim *s, const struct sim_node *n)
{
	struct post *p = post_new(s, EVENT_NODE_COUNT);

	p->ev.node.gateway = n->gateway;
	p->ev.node.machine = n->machine;
	p->ev.node.incarnation = n->incarnation;
	p->ev.node.open = n->open;
	gateway_post(s, n->gateway, p);
}

static void say_cut(struct sim *s, const struct sim_node *n)
{
	struct post *p = post_new(s, EVENT_NODE_CUT);

	p->ev.node.gateway = n->gateway;
	p->ev.node.machine = n->machine;
	p->ev.node.incarnation = n->incarnation;
	p->ev.node.cut = n->open;
	gateway_post(s, n->gateway, p);
}

void nodes_order(struct sim *s, const struct order *o)
{
	struct sim_node *n = node_of(s, o->e.gateway, o->e.machine);

	if (o->e.kind == EFFECT_NODE_DROP) {
		if (n && n->incarnation == o->e.incarnation) {
			for (size_t i = 0; i < s->nodes.count; i++)
				if (s->nodes.items[i] == n)
					array_remove(&s->nodes, i);
			free(n);
		}
		return;
	}
	if (o->e.kind != EFFECT_NODE_SET)
		return;
	if (n && n->incarnation > o->e.incarnation)
		sim_broken(s, "S6", "gateway %u is told of an earlier life of machine %llu",
			   o->e.gateway, (unsigned long long)o->e.machine);
	bool fresh = !n;
	if (fresh) {
		n = calloc(1, sizeof(*n));
		CHECK("", n, "out of memory");
		array_add(&s->nodes, n);
	}
	if (fresh || n->incarnation != o->e.incarnation)
		*n = (struct sim_node){ .gateway = o->e.gateway,
					.machine = o->e.machine,
					.incarnation = o->e.incarnation };
	bool was_draining = n->part == NODE_DRAINING;
	n->part = (int)o->e.code;
	n->told = false;	/* each word about a node is answered once */
	n->link = s->gateways[n->gateway].links;
	if (n->part == NODE_DRAINING) {
		n->open = (uint32_t)sim_between(s, 0, 2);
		n->drained_ms = s->now_ms + sim_between(s, 0, 15000);
		if (!was_draining)
			n->cut_ms = s->now_ms + s->site.clusters[0].drain_ms;
	}
}

/* A cluster's transactions at one gateway, now and then. */
static void say_cluster(struct sim *s, uint32_t gateway)
{
	struct post *p = post_new(s, EVENT_CLUSTER_COUNT);
	uint64_t n = ++s->gateways[gateway].transactions;

	p->ev.count.gateway = gateway;
	p->ev.count.cluster = post_text(p, "web");
	p->ev.count.counts = (struct cluster_counts){ .transactions = n,
						      .answered = n };
	gateway_post(s, gateway, p);
}

/* What a domain uses, as its host would say when it is asked. */
void nodes_stats(struct sim *s, const struct effect *e)
{
	for (size_t i = 0; i < s->lives.count; i++) {
		const struct life *l = s->lives.items[i];
		struct sim_host *h = &s->hosts[l->host];
		struct post *p;

		if (!l->ours || !h->up || !slice_is(e->host, h->name) ||
		    sim_chance(s, 20))
			continue;
		p = post_new(s, EVENT_STATS);
		p->ev.stats.machine = l->machine;
		p->ev.stats.incarnation = l->incarnation;
		p->ev.stats.at_ms = s->now_ms;
		p->ev.stats.cpu_ms = sim_between(s, 0, s->now_ms);
		post_send(s, p, &h->out_ms, 1);
	}
}

/* Once a second each gateway looks at its nodes. */
static void look(struct sim *s, struct item *it)
{
	(void)it;
	for (uint32_t g = 0; g < s->swarm.gateways; g++)
		if (s->gateways[g].linked && sim_chance(s, 10))
			say_cluster(s, g);
	for (size_t i = 0; i < s->nodes.count; i++) {
		struct sim_node *n = s->nodes.items[i];
		const struct sim_gateway *g = &s->gateways[n->gateway];

		if (!g->alive || s->now_ms < g->stalled_ms)
			continue;
		if (sim_fault(s, SIM_NODE_ILL, n->machine))
			n->ill_ms = s->now_ms + sim_between(s, 1000, 30000);
		n->up = answers(s, n);
		if (!n->told || n->up != n->told_up)
			say_state(s, n);
		if (n->open && n->part == NODE_DRAINING && s->now_ms >= n->cut_ms)
			say_cut(s, n);
		if (n->open && (s->now_ms >= n->drained_ms || s->now_ms >= n->cut_ms)) {
			n->open = 0;
			say_count(s, n);
		}
	}
	sim_at(s, s->now_ms + LOOK_MS, look, NULL, 0, 0);
}

void nodes_start(struct sim *s)
{
	if (s->site.cluster_count)
		sim_at(s, s->now_ms + LOOK_MS, look, NULL, 0, 0);
}

void nodes_gateway_died(struct sim *s, uint32_t gateway)
{
	for (size_t i = s->nodes.count; i-- > 0;) {
		struct sim_node *n = s->nodes.items[i];

		if (n->gateway == gateway) {
			array_remove(&s->nodes, i);
			free(n);
		}
	}
}

/* Some time after an adoption: what the engine did not name is dropped. */
static void drop_stale(struct sim *s, struct item *it)
{
	if (s->gateways[it->a].links != it->b || !s->gateways[it->a].linked)
		return;
	for (size_t i = s->nodes.count; i-- > 0;) {
		struct sim_node *n = s->nodes.items[i];

		if (n->gateway == it->a && n->link != it->b) {
			array_remove(&s->nodes, i);
			free(n);
		}
	}
}

void nodes_gateway_linked(struct sim *s, uint32_t gateway)
{
	for (size_t i = 0; i < s->nodes.count; i++) {
		struct sim_node *n = s->nodes.items[i];

		if (n->gateway == gateway)
			n->told = false;
	}
	sim_at(s, s->now_ms + STALE_MS, drop_stale, NULL, gateway,
	       ++s->gateways[gateway].links);
}

/* ---- rules ------------------------------------------------------------------------- */

void nodes_rule_run(struct sim *s, const struct effect *e)
{
	struct post *p;

	if (!s->rules_up || sim_fault(s, SIM_RULE_SILENT, 0))
		return;
	p = post_new(s, EVENT_RULE_DONE);
	p->ev.rule.call = e->call;
	p->ev.rule.ok = !sim_fault(s, SIM_RULE_FAILS, 0);
	p->ev.rule.serve = p->ev.rule.spare = -1;
	p->ev.rule.text = post_text(p, "a wish");
	if (sim_chance(s, 70))
		p->ev.rule.size.nodes = (uint32_t)sim_between(s, 1, 6);
	if (sim_chance(s, 20))
		p->ev.rule.size.vcpus = (uint32_t)sim_between(s, 1, 8);
	if (s->settling)	/* it has made up its mind */
		p->ev.rule.size = (struct site_size){ .nodes = 2 };
	post_send(s, p, &s->rules_out_ms, sim_between(s, 0, s->swarm.latency_ms));
}

/* ---- addresses ------------------------------------------------------------------------ */

void nodes_vip(struct sim *s, const struct effect *e)
{
	struct post *p = post_new(s, EVENT_VIP);

	s->vip_held = e->ok;
	p->ev.vip.cluster = post_text(p, "web");
	p->ev.vip.held = e->ok;
	post_send(s, p, NULL, sim_between(s, 1, 50));
}

/* ---- domains ---------------------------------------------------------------------------- */

const char *nodes_migrate(struct sim *s, const struct order *o)
{
	struct life *l = life_on(s, o->uuid, o->host);
	char to[ROW_NAME_SIZE];

	text_copy_slice(to, sizeof(to), o->e.host);
	if (!l || l->state != DOMAIN_RUNNING ||
	    l->incarnation != o->e.incarnation)
		return "no such domain running";
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		if (strcmp(s->hosts[i].name, to) == 0 && s->hosts[i].up) {
			uint32_t from = l->host;

			if (from != i && life_on(s, o->uuid, i))
				return "domain exists there";
			l->host = i;
			if (from != i && sim_fault(s, SIM_MIGRATE_TWIN, l->machine))
				life_new(s, from, l->machine, l->uuid, l->name,
					 true)->incarnation = l->incarnation;
			return NULL;
		}
	return "no connection to the other host";
}

/* ---- an operator ------------------------------------------------------------------------- */

static const struct machine_row *some_node(struct sim *s)
{
	const struct array *machines = &s->store.machine_list;
	const struct machine_row *last = NULL;

	for (size_t i = 0; i < machines->count; i++) {
		const struct machine_row *row = machines->items[i];

		if (strcmp(row->pool, "web") != 0 || row->wish != WISH_RUN)
			continue;
		/* One that is no node yet is refused: that is rarely worth a try. */
		if (row->state != MACHINE_READY && sim_chance(s, 80))
			continue;
		last = row;
		if (sim_chance(s, 50))
			break;
	}
	return last;
}

void nodes_operator(struct sim *s, struct post *p)
{
	const struct machine_row *node = some_node(s);
	const char *host = s->hosts[sim_between(s, 0, s->swarm.hosts - 1)].name;

	p->ev.command.verb = (enum command_verb)sim_between(
		s, COMMAND_CLUSTER_RESIZE, COMMAND_RULE_DISABLE);
	p->ev.command.dry_run = sim_chance(s, 10);
	p->ev.command.strategy = (int)sim_between(s, 0, STRATEGY_LIVE);
	if (sim_chance(s, 30))
		p->ev.command.verb = COMMAND_NODE_MOVE;
	switch (p->ev.command.verb) {
	case COMMAND_CLUSTER_RESIZE:
		p->ev.command.size.nodes = (uint32_t)sim_between(s, 0, 4);
		p->ev.command.size.vcpus = (uint32_t)sim_between(s, 0, 2);
		/* fall through */
	case COMMAND_CLUSTER_RESET:
	case COMMAND_CLUSTER_PAUSE:
	case COMMAND_CLUSTER_RESUME:
	case COMMAND_CLUSTER_REPLACE:
		p->ev.command.name = post_text(p, "web");
		return;
	case COMMAND_NODE_MOVE:
		if (sim_chance(s, 80))
			p->ev.command.strategy = STRATEGY_LIVE;
		/* To where it is nothing moves: that is refused, and rarely tried. */
		for (uint32_t i = 0; node && i < s->swarm.hosts && sim_chance(s, 80); i++)
			if (strcmp(s->hosts[i].name, node->host) != 0)
				host = s->hosts[i].name;
		p->ev.command.name = post_text(p, node ? node->name : "web-99");
		p->ev.command.host = post_text(p, host);
		return;
	case COMMAND_CHANGE_CANCEL:
		p->ev.command.session = s->store.change.id;
		return;
	case COMMAND_HOST_FENCE:
		/* Fencing one that runs would be the operator's lie. */
		p->ev.command.verb = COMMAND_HOST_UNDRAIN;
		/* fall through */
	case COMMAND_HOST_DRAIN:
	case COMMAND_HOST_UNDRAIN:
		p->ev.command.name = post_text(p, host);
		return;
	case COMMAND_RULE_RUN:
		p->ev.command.verb = COMMAND_RULE_ENABLE;	/* answered at once */
		/* fall through */
	default:
		p->ev.command.name = post_text(p, "load");
		return;
	}
}
