/*
 * Subscriptions: the full state once (long topics: walk.c), then what changed, at
 * most five times a second whatever the rate of turns.  Objects carry the turn of their last
 * change; each client the turn it has seen.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/loop/control.h"
#include "engine/loop/show.h"
#include "engine/loop/subscribe.h"
#include "engine/loop/walk.h"

enum topic { POOLS, MACHINES, SESSIONS, REQUESTS, HOSTS, GATEWAYS, EVENTS, SITE,
	     CLUSTERS, NODES, CHANGES, RULES, TOPICS };

static const char *const topic_names[TOPICS] = {
	[POOLS] = "pools", [MACHINES] = "machines", [SESSIONS] = "sessions",
	[REQUESTS] = "requests", [HOSTS] = "hosts", [GATEWAYS] = "gateways",
	[EVENTS] = "events", [SITE] = "site", [CLUSTERS] = "clusters",
	[NODES] = "nodes", [CHANGES] = "changes", [RULES] = "rules",
};

/* 0 for a topic that does not exist. */
unsigned subscription_topic(const char *name)
{
	for (int i = 0; i < TOPICS; i++)
		if (strcmp(topic_names[i], name) == 0)
			return 1u << i;
	return 0;
}

unsigned subscription_all(void)
{
	return (1u << TOPICS) - 1;
}

static void add(json_t *items, json_t *item)
{
	json_array_append_new(items, item);
}

static void add_pools(struct control_client *c, json_t *items)
{
	const struct shell *sh = c->control->shell;

	for (size_t i = 0; i < sh->world.pool_count; i++)
		if (c->full || sh->world.pools[i]->changed >= c->seen_turn)
			add(items, show_pool(sh, sh->world.pools[i]));
}

static void add_requests(struct control_client *c, json_t *items)
{
	const struct shell *sh = c->control->shell;

	LIST_EACH(&sh->world.waiting, it) {
		const struct request *r =
			LIST_ENTRY(it, struct request, wait_link);

		if (c->full || r->changed >= c->seen_turn)
			add(items, show_request(sh, r));
	}
	if (!c->full)
		json_array_extend(items, c->control->ended_requests);
}

static void add_hosts(struct control_client *c, json_t *items)
{
	const struct shell *sh = c->control->shell;

	for (size_t i = 0; i < sh->world.host_count; i++)
		if (c->full || sh->world.hosts[i]->changed >= c->seen_turn)
			add(items, show_host(sh, sh->world.hosts[i]));
}

static void add_gateways(struct control_client *c, json_t *items)
{
	const struct shell *sh = c->control->shell;

	for (uint32_t i = 0; i < sh->gateway_count; i++)
		if (c->full || sh->world.gateways[i].changed >= c->seen_turn)
			add(items, show_gateway(sh, i));
}

static void add_events(struct control_client *c, json_t *items)
{
	const struct control *ctl = c->control;
	uint64_t from = c->full ? 0 : c->seen_event;

	if (ctl->event_count > CONTROL_EVENTS &&
	    from < ctl->event_count - CONTROL_EVENTS)
		from = ctl->event_count - CONTROL_EVENTS;
	for (uint64_t i = from; i < ctl->event_count; i++)
		add(items, show_event(&ctl->events[i % CONTROL_EVENTS]));
}

/* Clusters and rules are forgotten by the world when a site without them is
 * applied: then their topic begins anew. */
static bool begins_anew(const struct control_client *c, enum topic topic)
{
	return c->full || ((topic == CLUSTERS || topic == RULES) &&
			   c->control->shell->site_turn >= c->seen_turn);
}

static void add_clusters(struct control_client *c, json_t *items)
{
	const struct world *w = &c->control->shell->world;

	for (size_t i = 0; i < w->cluster_count; i++) {
		const struct cluster *k = w->clusters[i];

		/* How many serve is its pool's to say. */
		if (begins_anew(c, CLUSTERS) || k->changed >= c->seen_turn ||
		    k->pool->changed >= c->seen_turn)
			add(items, show_cluster(c->control->shell, k));
	}
}

static void add_nodes(struct control_client *c, json_t *items)
{
	const struct world *w = &c->control->shell->world;

	for (size_t i = 0; i < w->cluster_count; i++) {
		const struct cluster *k = w->clusters[i];
		/* Who takes over from whom may be news to all of them. */
		bool all = c->full || k->changed >= c->seen_turn;

		if (!all && k->pool->changed < c->seen_turn)
			continue;
		LIST_EACH(&k->pool->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (m->node && (all || m->changed >= c->seen_turn))
				add(items, show_node(c->control->shell, m));
		}
	}
	if (!c->full)
		json_array_extend(items, c->control->gone_nodes);
}

static void add_changes(struct control_client *c, json_t *items)
{
	LIST_EACH(&c->control->shell->world.changes, it)
		if (c->full)
			add(items, show_change(&LIST_ENTRY(it, struct change,
							   link)->row));
	if (!c->full)
		json_array_extend(items, c->control->saved_changes);
}

/* The core does not mark them; they are few, and their text tells. */
static void add_rules(struct control_client *c, json_t *items)
{
	const struct shell *sh = c->control->shell;

	for (size_t i = 0; i < sh->world.rule_count; i++) {
		const struct rule *r = sh->world.rules[i];
		uint64_t state = r->last.id * 31 + (uint64_t)r->last.wall_ms * 7 +
				 (uint64_t)r->timer.at_ms * 3 +
				 r->failures * 2 + r->disabled;

		if (begins_anew(c, RULES) || i >= CONTROL_RULES ||
		    c->seen_rules[i] != state)
			add(items, show_rule(sh, r));
		if (i < CONTROL_RULES)
			c->seen_rules[i] = state;
	}
}

static json_t *line_of(const char *topic, bool full, json_t *items)
{
	return json_pack("{s:s, s:b, s:o, s:I}", "topic", topic, "full", full,
			 "items", items, "time_ms",
			 (json_int_t)shell_wall_ms());
}

void subscription_send_changes(struct control_client *c, const char *topic,
			       json_t *items)
{
	control_send(c, line_of(topic, false, items));
}

void subscription_send_part(struct control_client *c, const char *topic,
			    bool full, bool more, json_t *items)
{
	json_t *line = line_of(topic, full, items);

	json_object_set_new(line, "more", json_boolean(more));
	control_send(c, line);
}

static void send_items(struct control_client *c, enum topic topic,
		       const json_t *items)
{
	const char *name = topic_names[topic];
	bool whole = begins_anew(c, topic);
	size_t n = json_array_size(items), at = 0;

	for (bool first = true; (at < n || (first && whole)) && !c->closing;
	     first = false) {
		json_t *part = json_array();

		for (size_t i = 0; i < CONTROL_PART && at < n; i++, at++)
			json_array_append(part, json_array_get(items, at));
		if (whole)
			subscription_send_part(c, name, first, at < n, part);
		else
			subscription_send_changes(c, name, part);
	}
}

/* What has ended at once, the others as they are read. */
static void send_long(struct control_client *c, enum topic topic,
		      enum walk_topic walk, const json_t *ended)
{
	if (c->full) {
		walk_begin(c, walk);
		return;
	}
	send_items(c, topic, ended);
	walk_add(c, walk);
}

static void send_short(struct control_client *c, enum topic topic)
{
	json_t *items = json_array();

	switch (topic) {
	case POOLS:
		add_pools(c, items);
		break;
	case REQUESTS:
		add_requests(c, items);
		break;
	case HOSTS:
		add_hosts(c, items);
		break;
	case GATEWAYS:
		add_gateways(c, items);
		break;
	case EVENTS:
		add_events(c, items);
		break;
	case SITE:
		if (c->full || c->control->shell->site_turn >= c->seen_turn)
			add(items, show_info(c->control->shell));
		break;
	case CLUSTERS:
		add_clusters(c, items);
		break;
	case NODES:
		add_nodes(c, items);
		break;
	case CHANGES:
		add_changes(c, items);
		break;
	case RULES:
		add_rules(c, items);
		break;
	case MACHINES:
	case SESSIONS:
	case TOPICS:
		break;
	}
	send_items(c, topic, items);
	json_decref(items);
}

static void send_topic(struct control_client *c, enum topic topic)
{
	if (topic == MACHINES)
		send_long(c, topic, WALK_MACHINES, c->control->gone_machines);
	else if (topic == SESSIONS)
		send_long(c, topic, WALK_SESSIONS, c->control->ended_sessions);
	else
		send_short(c, topic);
}

void subscription_flush(struct control_client *c)
{
	const struct shell *sh = c->control->shell;

	if (!c->topics || c->closing)
		return;
	for (int t = 0; t < TOPICS && !c->closing; t++)
		if (c->topics & 1u << t)
			send_topic(c, (enum topic)t);
	c->full = false;
	c->seen_turn = sh->world.turn;
	c->seen_event = c->control->event_count;
	if (!c->closing && shell_now_ms() - c->said_ms >= 900)
		control_send(c, json_pack("{s:s, s:I}", "topic", "tick",
					  "time_ms",
					  (json_int_t)shell_wall_ms()));
}

static bool anybody_subscribes(const struct control *ctl)
{
	LIST_EACH(&ctl->clients, it)
		if (LIST_ENTRY(it, struct control_client, link)->topics)
			return true;
	return false;
}

/* Objects that end are remembered for the next flush: the world forgets them. */
void control_on_turn(struct shell *sh)
{
	struct control *ctl = sh->control;

	if (!anybody_subscribes(ctl))
		return;
	LIST_EACH(&sh->world.save_sessions, it) {
		const struct session *s =
			LIST_ENTRY(it, struct session, save_link);

		if (sm_is_final(&session_table, s->row.state))
			add(ctl->ended_sessions, show_session_row(&s->row));
	}
	LIST_EACH(&sh->world.gone, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, gone_link);

		add(ctl->gone_machines, show_machine(sh, m));
		if (m->node)
			add(ctl->gone_nodes, show_node(sh, m));
	}
	for (size_t i = 0; i < sh->fx.count; i++) {
		const struct effect *e = &sh->fx.items[i];

		if (e->kind == EFFECT_SAVE_REQUEST)
			add(ctl->ended_requests,
			    show_request_row(&e->row->request, 0, 0));
		else if (e->kind == EFFECT_SAVE_CHANGE)
			add(ctl->saved_changes, show_change(&e->row->change));
	}
}
