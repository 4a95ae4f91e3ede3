/*
 * Verbs about clusters, their nodes and the changes made to them.  Changes become
 * one EVENT_COMMAND; a dry run is the core's own answer to the same command.
 */
#include <stdio.h>
#include <string.h>

#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

/* Steps a command that may begin a change of one of the cluster's; if it does,
 * its yes brings the number, also when the change is over with the step. */
static void step(const struct verb_call *a, struct event *ev,
		 const struct cluster *c)
{
	uint64_t next = a->sh->world.next_change;
	struct control *ctl = a->c->control;
	struct reply *r;

	verb_step(a, ev);
	r = map_get(&ctl->replies, ctl->next_reply);
	if (r && c && ((c->change && c->change->row.id == next) ||
		       c->over.id == next))
		r->change = next;
}

static const struct cluster *named(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct cluster *c = world_cluster(&a->sh->world, slice_of(name));

	if (!c)
		verb_not_found(a, "cluster", name);
	return c;
}

bool verb_strategy(const struct verb_call *a, int *strategy)
{
	const char *word = verb_text(a, "strategy");

	*strategy = 0;
	if (!word[0])
		return true;
	for (int s = STRATEGY_FAILOVER; s <= STRATEGY_LIVE; s++)
		if (strcmp(word, strategy_name((enum site_strategy)s)) == 0)
			*strategy = s;
	if (!*strategy)
		control_error(a->c, a->id, "usage", NULL,
			      "\"strategy\" is failover, shutdown, move or live",
			      NULL);
	return *strategy != 0;
}

/* ---- clusters ----------------------------------------------------------------- */

static void run_cluster_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.cluster_count; i++)
		json_array_append_new(items, show_cluster(a->sh,
						a->sh->world.clusters[i]));
	control_items(a->c, a->id, "cluster_list", items);
}

static void add_nodes(const struct shell *sh, const struct cluster *c,
		      json_t *items)
{
	LIST_EACH(&c->pool->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		if (m->node)
			json_array_append_new(items, show_node(sh, m));
	}
}

static void run_cluster_show(const struct verb_call *a)
{
	const struct cluster *c = named(a);
	json_t *o, *nodes;

	if (!c)
		return;
	o = show_cluster(a->sh, c);
	nodes = json_array();
	add_nodes(a->sh, c, nodes);
	json_object_set_new(o, "node_list", nodes);
	json_object_set_new(o, "change_now", c->change ?
			    show_change(&c->change->row) : json_null());
	verb_item(a, "cluster", o);
}

/* A number of the request within what a size may be; false: answered. */
static bool take_size(const struct verb_call *a, const char *key, int64_t most,
		      uint64_t *out)
{
	int64_t n = verb_int(a, key, 0);
	char text[80];

	*out = (uint64_t)n;
	if (n >= 0 && n <= most)
		return true;
	snprintf(text, sizeof(text), "\"%s\" is a number up to %lld", key,
		 (long long)most);
	control_error(a->c, a->id, "usage", NULL, text, NULL);
	return false;
}

static void run_cluster_resize(const struct verb_call *a)
{
	struct event ev = { .command = { .verb = COMMAND_CLUSTER_RESIZE } };
	uint64_t nodes, vcpus, memory_mib;

	if (!take_size(a, "nodes", SITE_NODES_MAX, &nodes) ||
	    !take_size(a, "vcpus", 256, &vcpus) ||
	    !take_size(a, "memory_mib", 4 << 20, &memory_mib) ||
	    !verb_strategy(a, &ev.command.strategy))
		return;
	if (!nodes && !vcpus && !memory_mib) {
		control_error(a->c, a->id, "usage", NULL,
			      "resize to what? nodes, vcpus or memory_mib", NULL);
		return;
	}
	ev.command.size = (struct site_size){ (uint32_t)nodes, (uint32_t)vcpus,
					      memory_mib };
	ev.command.mapping = slice_of(verb_text(a, "mapping"));
	step(a, &ev, world_cluster(&a->sh->world,
				   slice_of(verb_text(a, "name"))));
}

static void run_cluster_replace(const struct verb_call *a)
{
	struct event ev = { .command = { .verb = COMMAND_CLUSTER_REPLACE } };

	if (!verb_strategy(a, &ev.command.strategy))
		return;
	ev.command.mapping = slice_of(verb_text(a, "mapping"));
	step(a, &ev, world_cluster(&a->sh->world,
				   slice_of(verb_text(a, "name"))));
}

/* Site file, calendar and rules may begin one, as soon as they may. */
static void let_decide(const struct verb_call *a, enum command_verb verb)
{
	struct event ev = { .command = { .verb = verb } };

	step(a, &ev, world_cluster(&a->sh->world,
				   slice_of(verb_text(a, "name"))));
}

static void run_cluster_reset(const struct verb_call *a)
{
	let_decide(a, COMMAND_CLUSTER_RESET);
}

static void run_cluster_pause(const struct verb_call *a)
{
	verb_command(a, COMMAND_CLUSTER_PAUSE);
}

static void run_cluster_resume(const struct verb_call *a)
{
	let_decide(a, COMMAND_CLUSTER_RESUME);
}

/* ---- nodes ---------------------------------------------------------------------- */

static void run_node_list(const struct verb_call *a)
{
	const char *only = verb_text(a, "cluster");
	const struct world *w = &a->sh->world;
	json_t *items = json_array();

	for (size_t i = 0; i < w->cluster_count; i++)
		if (!only[0] || strcmp(only, w->clusters[i]->spec.name) == 0)
			add_nodes(a->sh, w->clusters[i], items);
	control_items(a->c, a->id, "node_list", items);
}

static void run_node_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct machine *m = world_machine_by_name(&a->sh->world,
							slice_of(name));

	if (m && m->node)
		verb_item(a, "node", show_node(a->sh, m));
	else
		verb_not_found(a, "node", name);
}

static void run_node_move(const struct verb_call *a)
{
	struct event ev = { .command = { .verb = COMMAND_NODE_MOVE } };
	const struct world *w = &a->sh->world;
	const struct machine *m = world_machine_by_name(w,
					slice_of(verb_text(a, "name")));

	if (!verb_strategy(a, &ev.command.strategy))
		return;
	ev.command.host = slice_of(verb_text(a, "host"));
	step(a, &ev, m ? machine_cluster(w, m) : NULL);
}

/* ---- changes ---------------------------------------------------------------------- */

static void add_change(void *items, const struct change_row *row)
{
	json_array_append_new(items, show_change(row));
}

static void run_change_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;

	verb_query(a, &q);
	int rc = db_query_changes(a->sh->db, &q, add_change, items, &err);
	verb_page(a, "change_list", rc, items, q.next, &err);
}

static void run_change_show(const struct verb_call *a)
{
	uint64_t id = (uint64_t)verb_int(a, "change", 0);
	struct db_query q = { .before_id = id + 1, .limit = 1, .scan = 1 };
	json_t *items = json_array(), *item;
	struct error err;
	char number[32];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	if (id && db_query_changes(a->sh->db, &q, add_change, items, &err) < 0)
		json_array_clear(items);
	item = json_array_get(items, 0);
	if (item && (uint64_t)json_integer_value(json_object_get(item, "id")) == id)
		verb_item(a, "change", json_incref(item));
	else
		verb_not_found(a, "change", number);
	json_decref(items);
}

static void run_change_cancel(const struct verb_call *a)
{
	struct control *ctl = a->c->control;
	struct event ev = { .command = {
		.verb = COMMAND_CHANGE_CANCEL,
		.session = (uint64_t)verb_int(a, "change", 0) } };

	verb_step(a, &ev);
	struct reply *r = map_get(&ctl->replies, ctl->next_reply);
	if (r && !ev.command.dry_run)
		r->change = ev.command.session;
}

const struct verb verbs_cluster[] = {
	{ "cluster.list", run_cluster_list, false, "" },
	{ "cluster.show", run_cluster_show, false, "name " },
	{ "cluster.resize", run_cluster_resize, true,
	  "name nodes vcpus memory_mib strategy mapping dry_run " },
	{ "cluster.replace", run_cluster_replace, true,
	  "name strategy mapping dry_run " },
	{ "cluster.reset", run_cluster_reset, true, "name dry_run " },
	{ "cluster.pause", run_cluster_pause, true, "name dry_run " },
	{ "cluster.resume", run_cluster_resume, true, "name dry_run " },
	{ "node.list", run_node_list, false, "cluster " },
	{ "node.show", run_node_show, false, "name " },
	{ "node.move", run_node_move, true, "name host strategy dry_run " },
	{ "change.list", run_change_list, false,
	  "cluster user state search since_ms until_ms limit before " },
	{ "change.show", run_change_show, false, "change " },
	{ "change.cancel", run_change_cancel, true, "change dry_run " },
	{ .name = NULL },
};
