/* Clusters, their nodes and rules as JSON; see show.h. */
#include <string.h>

#include "engine/core/policy.h"
#include "engine/loop/show.h"

#define SET(o, key, value) json_object_set_new_nocheck(o, key, value)

static const char *const balances[] = { "", "least_sessions", "round_robin",
					"first_free" };
static const char *const parts[NODE_STATES] = {
	[NODE_NONE] = "out", [NODE_CHECKED] = "checked",
	[NODE_SERVING] = "serving", [NODE_DRAINING] = "draining",
};

static json_t *size_of(const struct site_size *s)
{
	return show_size(s->nodes, s->vcpus, s->memory_mib);
}

/* The wall time of a boot time of the core. */
static json_t *boot_time(const struct shell *sh, int64_t boot_ms)
{
	const struct world *w = &sh->world;

	return boot_ms ? show_time(w->wall_ms - w->now_ms + boot_ms) :
			 json_null();
}

/* ---- clusters --------------------------------------------------------------- */

/* One word of how it is. */
static const char *state_of(const struct cluster *c, uint32_t serving)
{
	return !serving ? "down" : c->change ? "changing" :
	       serving < c->row.nodes ? "short" : "serving";
}

static json_t *pin_of(const struct cluster_row *row)
{
	json_t *pin;

	if (!row->pin_nodes && !row->pin_vcpus && !row->pin_memory_mib)
		return json_null();
	pin = show_size(row->pin_nodes, row->pin_vcpus, row->pin_memory_mib);
	SET(pin, "who", show_text(row->pin_who));
	SET(pin, "since", show_time(row->pin_wall_ms));
	return pin;
}

static json_t *calendar_of(const struct cluster *c)
{
	json_t *o;

	if (!c->entry)
		return json_null();
	o = size_of(&c->calendar);
	SET(o, "text", show_text(c->entry->text));
	return o;
}

static void set_counts(json_t *o, const struct cluster *c)
{
	struct cluster_counts n = cluster_counts(c);

	SET(o, "transactions", show_number(n.transactions));
	SET(o, "answered", show_number(n.answered));
	SET(o, "replayed", show_number(n.replayed));
	SET(o, "failed", show_number(n.failed));
	SET(o, "reset", show_number(n.reset));
	SET(o, "refused", show_number(n.refused));
	SET(o, "bytes_in", show_number(n.bytes_in));
	SET(o, "bytes_out", show_number(n.bytes_out));
	SET(o, "open", show_number(n.open));
	SET(o, "waiting", show_number(n.waiting));
}

static void set_use(json_t *o, const struct cluster *c)
{
	struct cluster_use use = cluster_use(c);
	json_t *history = json_array();

	for (uint32_t i = 0; i < use.history_count; i++)
		json_array_append_new(history, show_number(use.history[i]));
	SET(o, "cpu_permille", use.history_count ?
	    show_number(use.cpu_permille) : json_null());
	SET(o, "cpu_busiest_permille", use.history_count ?
	    show_number(use.busiest_permille) : json_null());
	SET(o, "cpu_history", history);
}

static json_t *rules_of(const struct shell *sh, const struct cluster *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sh->world.rule_count; i++)
		if (strcmp(sh->world.rules[i]->spec.cluster, c->spec.name) == 0)
			json_array_append_new(list, show_text(
				sh->world.rules[i]->spec.name));
	return list;
}

static void set_spec(json_t *o, const struct cluster *c)
{
	const struct site_cluster *s = &c->spec;

	SET(o, "name", show_text(s->name));
	SET(o, "application", show_text(s->application));
	SET(o, "vip", s->prefix ? json_sprintf("%s/%u", s->ip, s->prefix) :
				  json_string(s->ip));
	SET(o, "address", json_sprintf(strchr(s->ip, ':') ? "[%s]:%u" : "%s:%u",
				       s->ip, s->port));
	SET(o, "interface", show_text(s->interface));
	SET(o, "port", show_number(s->port));
	SET(o, "balance", json_string(balances[s->balance]));
	SET(o, "replay", json_boolean(s->replay));
	SET(o, "strategy", json_string(strategy_name(s->strategy)));
	SET(o, "site_size", size_of(&s->size));
	SET(o, "min", size_of(&s->min));
	SET(o, "max", size_of(&s->max));
	SET(o, "cool_up_ms", json_integer(s->cool_up_ms));
	SET(o, "cool_down_ms", json_integer(s->cool_down_ms));
	SET(o, "origin", json_sprintf("%s:%u", s->place.file, s->place.line));
}

json_t *show_cluster(const struct shell *sh, const struct cluster *c)
{
	struct policy_size says = policy_decide(&sh->world, c);
	uint32_t serving = cluster_serving(c);
	json_t *o = json_object();

	set_spec(o, c);
	SET(o, "ref", json_sprintf("cluster/%s", c->spec.name));
	SET(o, "state", json_string(state_of(c, serving)));
	SET(o, "nodes", show_number(c->row.nodes));
	SET(o, "vcpus", show_number(c->row.vcpus));
	SET(o, "memory_mib", show_number(c->row.memory_mib));
	SET(o, "serving", show_number(serving));
	SET(o, "machines", show_number(pool_total(c->pool)));
	SET(o, "reason", show_text(c->reason));
	SET(o, "paused", json_boolean(c->row.paused));
	SET(o, "source", show_text(says.source));
	SET(o, "pin", pin_of(&c->row));
	SET(o, "calendar", calendar_of(c));
	SET(o, "rules", rules_of(sh, c));
	SET(o, "change", show_id(c->change ? c->change->row.id : 0));
	SET(o, "decision", c->last.id ? show_decision(sh, &c->last) :
					json_null());
	SET(o, "grown", show_time(c->row.grown_wall_ms));
	SET(o, "shrunk", show_time(c->row.shrunk_wall_ms));
	SET(o, "vip_held", json_boolean(c->vip_held));
	SET(o, "vip_text", show_text(c->vip_text));
	set_counts(o, c);
	set_use(o, c);
	SET(o, "removed", json_boolean(c->removed));
	return o;
}

/* ---- nodes -------------------------------------------------------------------- */

/* Its part in the change under way: whom it replaces, or who replaces it. */
static void set_part(const struct world *w, json_t *o, const struct machine *m)
{
	const struct cluster *c = machine_cluster(w, m);
	const struct change *ch = c && c->change ? c->change :
				  show_find_change(w, m->row.change);
	const char *role = NULL;
	const struct machine *other = NULL;

	for (uint32_t i = 0; ch && i < ch->pair_count; i++) {
		const struct pair *p = &ch->pairs[i];

		if (p->old == m->row.id && p->new == m->row.id) {
			role = "changing";
		} else if (p->new == m->row.id) {
			role = "new";
			other = world_machine(w, p->old);
		} else if (p->old == m->row.id) {
			role = "old";
			other = world_machine(w, p->new);
		}
	}
	SET(o, "change", role ? show_number(ch->row.id) : json_null());
	SET(o, "role", role ? json_string(role) : json_null());
	SET(o, "partner", other ? show_text(other->row.name) : json_null());
}

static void set_node_use(json_t *o, const struct machine *m)
{
	const struct usage *u = m->usage;
	bool known = u && u->at_ms;

	SET(o, "cpu_permille", u && u->count ?
	    show_number(u->cpu_permille[0]) : json_null());
	SET(o, "memory_used_mib", known ? show_number(u->memory_mib) : json_null());
	SET(o, "rss_mib", known ? show_number(u->rss_mib) : json_null());
}

json_t *show_node(const struct shell *sh, const struct machine *m)
{
	const struct node *n = m->node;
	uint64_t transactions = 0, failed = 0;
	json_t *o = json_object();
	char address[160];

	for (int g = 0; g < CLUSTER_GATEWAYS_MAX; g++) {
		transactions += n->views[g].transactions;
		failed += n->views[g].failed;
	}
	shell_machine_address(m, address, sizeof(address));
	SET(o, "name", show_text(m->row.name));
	SET(o, "ref", json_sprintf("machine/%s", m->row.name));
	SET(o, "cluster", show_text(m->row.pool));
	SET(o, "host", show_text(m->row.host));
	SET(o, "site", show_text(m->host->spec.site));
	SET(o, "address", show_text(address));
	SET(o, "state", json_string(sm_name(&machine_table, m->row.state)));
	SET(o, "part", json_string(parts[m->row.node]));
	SET(o, "up", json_boolean(n->up));
	SET(o, "text", show_text(n->text[0] || m->row.state == MACHINE_READY ?
				 n->text : m->row.reason));
	SET(o, "since", n->since_ms ? boot_time(sh, n->since_ms) :
				      show_time(m->row.since_wall_ms));
	SET(o, "open", show_number(n->open));
	SET(o, "transactions", show_number(transactions));
	SET(o, "failed", show_number(failed));
	SET(o, "vcpus", show_number(m->row.vcpus));
	SET(o, "memory_mib", show_number(m->row.memory_mib));
	set_node_use(o, m);
	set_part(&sh->world, o, m);
	SET(o, "incarnation", show_number(m->row.incarnation));
	SET(o, "removed", json_boolean(m->row.state == MACHINE_GONE));
	return o;
}

/* ---- rules ---------------------------------------------------------------------- */

json_t *show_rule(const struct shell *sh, const struct rule *r)
{
	bool of_cluster = r->spec.cluster[0] != '\0';
	json_t *o = json_object();

	SET(o, "name", show_text(r->spec.name));
	SET(o, "ref", json_sprintf("rule/%s", r->spec.name));
	SET(o, "object", json_sprintf("%s/%s", of_cluster ? "cluster" : "pool",
		of_cluster ? r->spec.cluster : r->spec.pool));
	SET(o, "state", json_string(r->disabled ? "off" :
				    r->failures ? "failing" : "on"));
	SET(o, "failures", show_number(r->failures));
	SET(o, "running", json_boolean(r->call != 0));
	SET(o, "every_ms", json_integer(r->spec.every_ms));
	SET(o, "deadline_ms", json_integer(r->spec.deadline_ms));
	SET(o, "next", timer_is_set(&r->timer) && !r->disabled ?
	    boot_time(sh, r->timer.at_ms) : json_null());
	SET(o, "version", show_text(r->spec.version));
	SET(o, "origin", json_sprintf("%s:%u", r->spec.place.file,
				      r->spec.place.line));
	json_t *last = r->last.source[0] ? show_decision(sh, &r->last) :
					   json_null();
	json_t *sentence = json_object_get(last, "sentence");
	SET(o, "last", last);
	SET(o, "last_time", show_time(r->last.wall_ms));
	SET(o, "last_sentence", sentence ? json_incref(sentence) : json_null());
	SET(o, "removed", json_false());
	return o;
}
