/*
 * A world that answers by itself, for tests of clusters: three hosts of two sites,
 * one cluster, two gateways.  Whatever the core asks for is done at once, unless a
 * test has said that it fails, hangs or is ill.  What happened is found in the
 * world and in the list of events.
 */
#ifndef REMUDA_TESTS_CLUSTER_LAB_H
#define REMUDA_TESTS_CLUSTER_LAB_H

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"
#include "tests/tap.h"

#define CLUB_UNUSED __attribute__((unused))

enum { CLUB_HOSTS = 3, CLUB_WALL = 1700000000 };

struct club {
	struct world w;
	struct effects fx;
	int64_t now_ms, wall_ms;
	int32_t offset_s;
	struct site_cluster cluster;	/* change before club_open */
	struct site_application app;
	struct site_host hosts[CLUB_HOSTS];
	struct site_rule rule;		/* name "" = none */
	bool reserve;
	/* What goes wrong. */
	char ill[64];			/* this node's checks fail */
	char no_create[64];		/* creates of this machine fail */
	char no_live[64];		/* its migration or resize fails; */
	bool unknown;			/* or nobody knows what came of it */
	char no_stop[64];		/* its stop hook says no */
	char silent[64];		/* this host answers nothing */
	char busy[64];			/* this node never drains */
	bool gateways_silent;
	uint64_t rule_call;		/* of the last RULE_RUN */
	char log[200][320];		/* events: "CHANGE cluster/payroll text" */
	int severity[200];
	int logged;
	struct ledger_row ledger[200];	/* as saved, by id */
	struct change_row change;	/* the last that was saved */
	struct decision_row decision;
	int decisions;
	int node_sets;			/* words to gateways about nodes */
	struct override_row words[8];	/* of operators, as saved */
	size_t word_count;
};

CLUB_UNUSED static void club_defaults(struct club *b)
{
	memset(b, 0, sizeof(*b));
	b->now_ms = 1000000;
	b->wall_ms = CLUB_WALL * 1000ll;
	for (int i = 0; i < CLUB_HOSTS; i++) {
		snprintf(b->hosts[i].name, SITE_NAME_SIZE, "hv%d", i + 1);
		TEXT_SET(b->hosts[i].uri, "test:///default");
		TEXT_SET(b->hosts[i].site, i < 2 ? "north" : "south");
		b->hosts[i].boot_parallel = 4;
		b->hosts[i].memory_mib = 4096;
	}
	TEXT_SET(b->app.name, "payroll");
	b->app.endpoint = ENDPOINT_TCP;
	b->app.identity = IDENTITY_NONE;
	b->app.prepare_deadline_ms = b->app.ready_deadline_ms = 5000;
	struct site_cluster *c = &b->cluster;
	TEXT_SET(c->name, "payroll");
	TEXT_SET(c->application, "payroll");
	TEXT_SET(c->ip, "127.0.0.50");
	c->port = 80;
	c->size = c->min = (struct site_size){ 2, 1, 128 };
	c->min.nodes = 1;
	c->max = (struct site_size){ 8, 4, 1024 };
	c->balance = BALANCE_LEAST;
	c->replay = true;
	c->wait_ms = 5000;
	c->drain_ms = 3000;
	c->health = (struct site_health){ .interval_ms = 1000, .timeout_ms = 1000,
					  .fall = 2, .rise = 1 };
	c->strategy = STRATEGY_FAILOVER;
	c->cool_up_ms = 60000;
	c->cool_down_ms = 600000;
}

CLUB_UNUSED static void *club_one(const void *item, size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		tap_bail("out of memory");
	return memcpy(p, item, size);
}

CLUB_UNUSED static struct site_spec club_site(struct club *b)
{
	struct site_pool pool = {
		.cluster = true, .serve = b->cluster.size.nodes,
		.max = b->cluster.max.nodes, .vcpus = b->cluster.size.vcpus,
		.memory_mib = b->cluster.size.memory_mib,
		.recycle = RECYCLE_REBUILD, .boot_deadline_ms = 20000,
		.shrink_after_ms = 5000,
		.placement = { .hosts.all = true, .spread = SPREAD_HOSTS },
	};
	struct site_cluster cluster = b->cluster;

	if (cluster.calendar_count)
		cluster.calendar = club_one(cluster.calendar,
					    cluster.calendar_count *
						    sizeof(*cluster.calendar));
	TEXT_SET(pool.name, "payroll");
	TEXT_SET(pool.application, "payroll");
	TEXT_SET(pool.host, "hv1");
	return (struct site_spec){
		.name = "lab", .reserve = b->reserve, .stats_ms = 10000,
		.hosts = club_one(b->hosts, sizeof(b->hosts)),
		.host_count = CLUB_HOSTS,
		.applications = club_one(&b->app, sizeof(b->app)),
		.application_count = 1,
		.pools = club_one(&pool, sizeof(pool)), .pool_count = 1,
		.clusters = club_one(&cluster, sizeof(cluster)), .cluster_count = 1,
		.rules = club_one(&b->rule, sizeof(b->rule)),
		.rule_count = b->rule.name[0] != '\0',
	};
}

static void club_step(struct club *b, struct event ev);

static void club_done(struct club *b, uint64_t call, enum call_result result)
{
	club_step(b, (struct event){ .kind = EVENT_CALL_DONE,
				     .done = { .call = call, .result = result,
					       .text = SLICE("said the lab") } });
}

static bool club_is(const struct machine *m, const char *name)
{
	return m && strcmp(m->row.name, name) == 0;
}

/* A poll of a host shows every domain that ought to be there. */
static void club_poll(struct club *b, const struct effect *e)
{
	char name[SITE_NAME_SIZE];

	text_copy_slice(name, sizeof(name), e->host);
	struct host *h = world_host(&b->w, slice_of(name));
	uint64_t call = e->call;

	if (strcmp(name, b->silent) == 0)
		return;
	for (size_t i = 0; i < b->w.machines.size; i++) {
		struct machine *m = b->w.machines.slots[i].key ?
					    b->w.machines.slots[i].value : NULL;

		if (!m || !m->created || m->host != h ||
		    m->row.state == MACHINE_RETIRING)
			continue;
		club_step(b, (struct event){
			.kind = EVENT_DOMAIN_SEEN,
			.domain = { .host = slice_of(name), .poll = h->poll,
				    .machine = m->row.id, .ours = true,
				    .incarnation = m->row.built,
				    .uuid = slice_of(m->row.uuid),
				    .state = DOMAIN_RUNNING } });
	}
	club_done(b, call, CALL_OK);
}

static void club_node(struct club *b, const struct effect *e, struct machine *m)
{
	uint64_t incarnation = e->incarnation;
	uint32_t gateway = e->gateway;
	bool ill = club_is(m, b->ill);

	b->node_sets++;
	if (b->gateways_silent)
		return;
	club_step(b, (struct event){
		.kind = EVENT_NODE_STATE,
		.node = { .gateway = gateway, .machine = m->row.id,
			  .incarnation = incarnation, .up = !ill,
			  .open = club_is(m, b->busy) ? 3 : 0,
			  .text = ill ? SLICE("connection refused") : SLICE("") } });
}

static void club_act(struct club *b, const struct effect *e)
{
	struct machine *m = world_machine(&b->w, e->machine);
	bool silent = m && strcmp(m->host->spec.name, b->silent) == 0;
	uint64_t call = e->call;

	switch (e->kind) {
	case EFFECT_HOST_POLL:
		club_poll(b, e);
		return;
	case EFFECT_DOMAIN_CREATE:
		if (!silent)
			club_done(b, call, club_is(m, b->no_create) ? CALL_FAILED :
								      CALL_OK);
		return;
	case EFFECT_DOMAIN_DESTROY:
	case EFFECT_AGENT_PING:
		if (!silent)
			club_done(b, call, CALL_OK);
		return;
	case EFFECT_DOMAIN_RESIZE:
	case EFFECT_DOMAIN_MIGRATE:
		club_done(b, call, b->unknown ? CALL_UNKNOWN :
			  club_is(m, b->no_live) ? CALL_FAILED : CALL_OK);
		return;
	case EFFECT_STATS_READ:
		club_done(b, call, CALL_OK);
		return;
	case EFFECT_HOOK_RUN:
		club_step(b, (struct event){
			.kind = EVENT_HOOK_DONE,
			.hook = { .call = call,
				  .ok = !(e->hook == HOOK_STOP &&
					  club_is(m, b->no_stop)),
				  .text = SLICE("it says no") } });
		return;
	case EFFECT_NODE_SET:
		club_node(b, e, m);
		return;
	case EFFECT_VIP:
		club_step(b, (struct event){ .kind = EVENT_VIP,
					     .vip = { .cluster = e->text,
						      .held = e->ok } });
		return;
	case EFFECT_RULE_RUN:
		b->rule_call = call;
		return;
	default:
		return;
	}
}

static void club_forget(struct club *b, struct slice key)
{
	for (size_t i = 0; i < b->word_count; i++)
		if (slice_is(key, b->words[i].key))
			b->words[i--] = b->words[--b->word_count];
}

static void club_keep(struct club *b, const struct effect *e)
{
	switch (e->kind) {
	case EFFECT_SAVE_OVERRIDE:
		club_forget(b, slice_of(e->row->override.key));
		if (b->word_count < sizeof(b->words) / sizeof(b->words[0]))
			b->words[b->word_count++] = e->row->override;
		return;
	case EFFECT_DELETE_OVERRIDE:
		club_forget(b, e->text);
		return;
	case EFFECT_SAVE_EVENT:
		if (b->logged == 200)
			return;
		b->severity[b->logged] = e->row->event.severity;
		snprintf(b->log[b->logged++], sizeof(b->log[0]), "%s %s %s",
			 e->row->event.kind, e->row->event.object,
			 e->row->event.text);
		return;
	case EFFECT_SAVE_LEDGER:
		if (e->row->ledger.id < 200)
			b->ledger[e->row->ledger.id] = e->row->ledger;
		return;
	case EFFECT_SAVE_CHANGE:
		b->change = e->row->change;
		return;
	case EFFECT_SAVE_DECISION:
		b->decision = e->row->decision;
		b->decisions++;
		return;
	default:
		return;
	}
}

/* Steps one event, then answers all that it led to, as turns of their own. */
static void club_step(struct club *b, struct event ev)
{
	struct effects mine;

	ev.now_ms = b->now_ms;
	ev.wall_ms = b->wall_ms;
	ev.offset_s = b->offset_s;
	effects_init(&mine);
	engine_step(&b->w, &ev, &mine);
	world_check(&b->w);
	for (size_t i = 0; i < mine.count; i++)
		club_keep(b, &mine.items[i]);
	struct effects none;
	effects_init(&none);
	world_end_turn(&b->w, &none);
	effects_fini(&none);
	for (size_t i = 0; i < mine.count; i++)
		club_act(b, &mine.items[i]);
	effects_fini(&mine);
}

/* Time goes on; every deadline on the way fires. */
CLUB_UNUSED static void club_wait(struct club *b, int64_t ms)
{
	int64_t until_ms = b->now_ms + ms, next_ms;

	while ((next_ms = world_next_deadline(&b->w)) <= until_ms) {
		if (next_ms > b->now_ms) {
			b->wall_ms += next_ms - b->now_ms;
			b->now_ms = next_ms;
		}
		club_step(b, (struct event){ .kind = EVENT_TICK });
	}
	b->wall_ms += until_ms - b->now_ms;
	b->now_ms = until_ms;
}

/* An engine that slept: what was due meanwhile is due at once, then. */
CLUB_UNUSED static void club_jump(struct club *b, int64_t ms)
{
	b->now_ms += ms;
	b->wall_ms += ms;
	club_step(b, (struct event){ .kind = EVENT_TICK });
	club_wait(b, 100);
}

CLUB_UNUSED static void club_host(struct club *b, const char *name, bool up)
{
	club_step(b, (struct event){
		.kind = EVENT_HOST_STATE,
		.host = { .host = slice_of(name), .up = up, .cpus = 8,
			  .memory_mib = 4096,
			  .text = up ? SLICE("") : SLICE("cut off") } });
}

CLUB_UNUSED static void club_gateway(struct club *b, uint32_t index, bool fresh)
{
	club_step(b, (struct event){ .kind = EVENT_GATEWAY_UP,
				     .gateway = { index, fresh, { 0 } } });
	club_step(b, (struct event){ .kind = EVENT_GATEWAY_READY,
				     .gateway = { .index = index } });
}

CLUB_UNUSED static void club_apply(struct club *b, const struct world_rows *rows)
{
	struct site_spec spec = club_site(b);

	club_step(b, (struct event){ .kind = EVENT_SITE,
				     .site = { .spec = &spec, .rows = rows } });
}

CLUB_UNUSED static void club_open_with(struct club *b,
				       const struct world_rows *rows)
{
	world_init(&b->w, 0x1234, 1);
	club_apply(b, rows);
	for (int i = 0; i < CLUB_HOSTS; i++)
		club_host(b, b->hosts[i].name, true);
	club_gateway(b, 0, true);
	club_gateway(b, 1, true);
}

CLUB_UNUSED static void club_open(struct club *b)
{
	club_open_with(b, NULL);
}

CLUB_UNUSED static void club_close(struct club *b)
{
	world_fini(&b->w);
}

CLUB_UNUSED static struct cluster *club_cluster(struct club *b)
{
	return world_cluster(&b->w, SLICE("payroll"));
}

CLUB_UNUSED static struct machine *club_machine(struct club *b, const char *name)
{
	return world_machine_by_name(&b->w, slice_of(name));
}

/* "payroll-01@hv1:serving payroll-02@hv2:serving", in order of slot. */
CLUB_UNUSED static const char *club_nodes(struct club *b)
{
	static const char *const parts[] = { "out", "checked", "serving",
					     "draining" };
	static char out[2000];
	size_t used = 0;

	out[0] = '\0';
	LIST_EACH(&club_cluster(b)->pool->machines, it) {
		const struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s@%s:%s",
					 used ? " " : "", m->row.name,
					 m->host->spec.name, parts[m->row.node]);
	}
	return out;
}

CLUB_UNUSED static void club_command(struct club *b, enum command_verb verb,
				     const char *name, struct event more)
{
	more.kind = EVENT_COMMAND;
	more.command.verb = verb;
	more.command.reply = 7;
	more.command.name = slice_of(name);
	more.command.who = SLICE("ops1");
	club_step(b, more);
}

CLUB_UNUSED static void club_resize(struct club *b, uint32_t nodes,
				    uint32_t vcpus, uint64_t memory_mib,
				    enum site_strategy strategy, const char *map)
{
	club_command(b, COMMAND_CLUSTER_RESIZE, "payroll", (struct event){
		.command = { .size = { nodes, vcpus, memory_mib },
			     .strategy = strategy, .mapping = slice_of(map) } });
}

/* Is there an event that begins so, and holds that? */
CLUB_UNUSED static bool club_said(const struct club *b, const char *begins,
				  const char *holds)
{
	for (int i = 0; i < b->logged; i++)
		if (strncmp(b->log[i], begins, strlen(begins)) == 0 &&
		    strstr(b->log[i], holds))
			return true;
	return false;
}

/* Of the newest event that begins so; -1: there is none since `from`. */
CLUB_UNUSED static int club_severity(const struct club *b, int from,
				     const char *begins)
{
	for (int i = b->logged; i-- > from;)
		if (strncmp(b->log[i], begins, strlen(begins)) == 0)
			return b->severity[i];
	return -1;
}

CLUB_UNUSED static void club_vip(struct club *b, bool held, const char *text)
{
	club_step(b, (struct event){ .kind = EVENT_VIP,
				     .vip = { .cluster = SLICE("payroll"),
					      .held = held,
					      .text = slice_of(text) } });
}

#endif
