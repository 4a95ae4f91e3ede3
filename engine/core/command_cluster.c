/*
 * An operator's commands about clusters, changes, rules and hosts.  A dry run is
 * the same code up to its first change.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/internal.h"
#include "engine/core/policy.h"

static struct slice name_of(const struct event *ev)
{
	return ev->command.name;
}

static void not_found(struct effects *fx, const struct event *ev,
		      const char *noun)
{
	char text[ROW_TEXT_SIZE];

	snprintf(text, sizeof(text), "there is no %s \"%.*s\"", noun,
		 (int)(name_of(ev).length < 80 ? name_of(ev).length : 80),
		 name_of(ev).ptr);
	command_reply(fx, ev, false, "not_found", text);
}

static void refuse(struct effects *fx, const struct event *ev, const char *text)
{
	command_reply(fx, ev, false, "refused", text);
}

static void who_of(const struct event *ev, char *out, size_t size)
{
	text_copy_slice(out, size, ev->command.who);
}

/* ---- clusters ----------------------------------------------------------------------- */

/* The size asked for, whole; false when it is refused, which is answered. */
static bool whole_size(struct effects *fx, const struct event *ev,
		       const struct cluster *c, struct site_size *size)
{
	const struct site_size *max = &c->spec.max, *ask = &ev->command.size;
	char text[ROW_TEXT_SIZE];

	*size = (struct site_size){
		ask->nodes ? ask->nodes : c->row.nodes,
		ask->vcpus ? ask->vcpus : c->row.vcpus,
		ask->memory_mib ? ask->memory_mib : c->row.memory_mib };
	if (size->nodes <= max->nodes && size->vcpus <= max->vcpus &&
	    size->memory_mib <= max->memory_mib)
		return true;
	snprintf(text, sizeof(text),
		 "cluster %s may have at most %u nodes of %u vCPU and %llu MiB (max_nodes, max_vcpus, max_memory in the site file)",
		 c->spec.name, max->nodes, max->vcpus,
		 (unsigned long long)max->memory_mib);
	refuse(fx, ev, text);
	return false;
}

static bool is_busy(struct effects *fx, const struct event *ev,
		    const struct cluster *c)
{
	char text[ROW_TEXT_SIZE];

	if (!c->change)
		return false;
	snprintf(text, sizeof(text),
		 "change %llu of cluster %s is under way (%s); wait for it or cancel it",
		 (unsigned long long)c->change->row.id, c->spec.name,
		 change_step_name((enum change_step)c->change->row.step));
	command_reply(fx, ev, false, "busy", text);
	return true;
}

/* Whether a change failed with its first step: that is the answer. */
static bool is_lost(struct effects *fx, const struct event *ev,
		    const struct cluster *c)
{
	const struct change_row *row = c->change ? &c->change->row : &c->over;
	char text[2 * ROW_TEXT_SIZE];

	if (row->state == CHANGE_RUNNING || row->state == CHANGE_DONE)
		return false;
	snprintf(text, sizeof(text), "change %llu of cluster %s failed: %s",
		 (unsigned long long)row->id, c->spec.name, row->text);
	refuse(fx, ev, text);
	return true;
}

/* Starts what the wish says with a decision of the operator's behind it. */
static void start(struct world *w, struct effects *fx, const struct event *ev,
		  struct cluster *c, struct change_wish *wish, const char *reason)
{
	char why[ROW_TEXT_SIZE] = "", text[ROW_TEXT_SIZE], who[ROW_USER_SIZE];
	struct decision_row d = { .outcome = DECISION_CHANGED };

	who_of(ev, who, sizeof(who));
	snprintf(d.source, sizeof(d.source), "operator/%.60s", who);
	snprintf(d.object, sizeof(d.object), "cluster/%s", c->spec.name);
	policy_say(&wish->size, d.wish, sizeof(d.wish));
	TEXT_SET(d.text, reason);
	wish->who = d.source;
	wish->dry_run = ev->command.dry_run;
	if (!wish->dry_run)
		d.id = wish->decision = w->next_decision++;
	struct change *ch = change_start(w, fx, c, wish, why, sizeof(why));
	if (!ch) {
		command_reply(fx, ev, wish->dry_run && why[0] != '\0',
			      wish->dry_run ? "" : "refused", why);
		return;
	}
	d.change = ch->row.id;
	policy_save(w, fx, &d);
	c->last = d;
	uint64_t id = ch->row.id;
	change_kick(w, fx, ch);
	if (is_lost(fx, ev, c))
		return;
	snprintf(text, sizeof(text), "change %llu of cluster %s has begun: %s",
		 (unsigned long long)id, c->spec.name, d.wish);
	command_done(w, fx, ev, "cluster", c->spec.name, text);
	pool_unbalance(w, c->pool);
}

static void resize(struct world *w, struct effects *fx, const struct event *ev,
		   struct cluster *c)
{
	struct site_size now = { c->row.nodes, c->row.vcpus, c->row.memory_mib };
	struct change_wish wish = {
		.kind = CHANGE_RESIZE, .mapping = ev->command.mapping,
		.strategy = (enum site_strategy)ev->command.strategy };

	if (is_busy(fx, ev, c) || !whole_size(fx, ev, c, &wish.size))
		return;
	bool same = memcmp(&now, &wish.size, sizeof(now)) == 0;
	if (!ev->command.dry_run) {
		c->row.pin_nodes = ev->command.size.nodes ?
			ev->command.size.nodes : c->row.pin_nodes;
		c->row.pin_vcpus = ev->command.size.vcpus ?
			ev->command.size.vcpus : c->row.pin_vcpus;
		c->row.pin_memory_mib = ev->command.size.memory_mib ?
			ev->command.size.memory_mib : c->row.pin_memory_mib;
		who_of(ev, c->row.pin_who, sizeof(c->row.pin_who));
		c->row.pin_wall_ms = w->wall_ms;
		cluster_save(w, fx, c);
	}
	if (same) {
		command_reply(fx, ev, true, "", "it has that size already");
		return;
	}
	start(w, fx, ev, c, &wish, "an operator asked for that size");
}

static void reset(struct world *w, struct effects *fx, const struct event *ev,
		  struct cluster *c)
{
	if (ev->command.dry_run) {
		command_reply(fx, ev, true, "", "site file, calendar and rules would decide again");
		return;
	}
	c->row.pin_nodes = c->row.pin_vcpus = 0;
	c->row.pin_memory_mib = 0;
	c->row.pin_who[0] = '\0';
	c->retry_ms = 0;
	cluster_save(w, fx, c);
	pool_unbalance(w, c->pool);
	command_done(w, fx, ev, "cluster", c->spec.name,
		     "site file, calendar and rules decide again");
}

static void set_paused(struct world *w, struct effects *fx,
		       const struct event *ev, struct cluster *c, bool paused)
{
	if (!ev->command.dry_run) {
		c->row.paused = paused;
		cluster_save(w, fx, c);
		pool_unbalance(w, c->pool);
	}
	command_done(w, fx, ev, "cluster", c->spec.name,
		     paused ? "calendar and rules change nothing until it is resumed" :
			      "calendar and rules decide again");
}

static void replace(struct world *w, struct effects *fx, const struct event *ev,
		    struct cluster *c)
{
	struct change_wish wish = {
		.kind = CHANGE_REPLACE, .mapping = ev->command.mapping,
		.strategy = (enum site_strategy)ev->command.strategy,
		.size = { c->row.nodes, c->row.vcpus, c->row.memory_mib } };

	if (!is_busy(fx, ev, c))
		start(w, fx, ev, c, &wish, "an operator wants its nodes anew");
}

static void cluster_command(struct world *w, struct effects *fx,
			    const struct event *ev)
{
	struct cluster *c = world_cluster(w, name_of(ev));

	if (!c || c->removed)
		not_found(fx, ev, "cluster");
	else if (ev->command.verb == COMMAND_CLUSTER_RESIZE)
		resize(w, fx, ev, c);
	else if (ev->command.verb == COMMAND_CLUSTER_RESET)
		reset(w, fx, ev, c);
	else if (ev->command.verb == COMMAND_CLUSTER_REPLACE)
		replace(w, fx, ev, c);
	else
		set_paused(w, fx, ev, c,
			   ev->command.verb == COMMAND_CLUSTER_PAUSE);
}

static void node_move(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct machine *m = world_machine_by_name(w, name_of(ev));
	struct cluster *c = m ? machine_cluster(w, m) : NULL;
	const struct host *h = world_host(w, ev->command.host);
	struct change_wish wish = {
		.kind = CHANGE_MOVE, .machine = m, .host = h,
		.strategy = (enum site_strategy)ev->command.strategy };

	if (!c || !cluster_is_member(m)) {
		not_found(fx, ev, "node of a cluster");
		return;
	}
	if (ev->command.host.length && (!h || h->removed)) {
		refuse(fx, ev, "there is no such host");
		return;
	}
	if (h && (!placement_allows(m->pool, h) || h == m->host)) {
		refuse(fx, ev, h == m->host ? "it is there already" :
			       "its cluster may not be on that host (hosts, labels, sites)");
		return;
	}
	wish.size = (struct site_size){ c->row.nodes, c->row.vcpus,
					c->row.memory_mib };
	if (!is_busy(fx, ev, c))
		start(w, fx, ev, c, &wish, "an operator moves a node");
}

static void change_command(struct world *w, struct effects *fx,
			   const struct event *ev)
{
	struct change *found = NULL;
	char text[ROW_TEXT_SIZE], who[ROW_USER_SIZE];

	LIST_EACH(&w->changes, it) {
		struct change *ch = LIST_ENTRY(it, struct change, link);

		if (ch->row.id == ev->command.session)
			found = ch;
	}
	if (!found) {
		snprintf(text, sizeof(text), "no change %llu is under way",
			 (unsigned long long)ev->command.session);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	if (!change_may_be_cancelled(found)) {
		refuse(fx, ev, found->row.state == CHANGE_UNDOING ?
			       "it is being undone already" :
			       "it is too late: its old nodes are being taken away");
		return;
	}
	who_of(ev, who, sizeof(who));
	snprintf(text, sizeof(text), "change %llu is being undone",
		 (unsigned long long)found->row.id);
	command_done(w, fx, ev, "cluster", found->row.cluster, text);
	if (!ev->command.dry_run)
		change_cancel(w, fx, found, who);
}

/* ---- hosts --------------------------------------------------------------------------- */

/* Clusters with nodes there move them, one change each. */
static void drain(struct world *w, struct effects *fx, const struct event *ev,
		  struct host *h)
{
	uint32_t nodes = 0, moving = 0, busy = 0;
	char text[ROW_TEXT_SIZE], why[ROW_TEXT_SIZE], source[ROW_USER_SIZE + 16];
	char who[ROW_USER_SIZE];

	who_of(ev, who, sizeof(who));
	snprintf(source, sizeof(source), "operator/%.60s", who);
	if (!ev->command.dry_run) {
		h->draining = true;
		override_say(w, fx, ev, "host", h->spec.name, "draining", 1);
	}
	for (size_t i = 0; i < w->cluster_count; i++) {
		struct cluster *c = w->clusters[i];
		uint32_t here = 0;

		LIST_EACH(&c->pool->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			here += m->host == h && cluster_is_member(m);
		}
		nodes += here;
		if (!here || ev->command.dry_run)
			continue;
		struct change_wish wish = {
			.kind = CHANGE_MOVE, .leave = h, .who = source,
			.strategy = (enum site_strategy)ev->command.strategy,
			.size = { c->row.nodes, c->row.vcpus, c->row.memory_mib } };
		if (c->change)
			busy++;
		else if (change_start(w, fx, c, &wish, why, sizeof(why)))
			moving++;
		pool_unbalance(w, c->pool);
	}
	snprintf(text, sizeof(text),
		 "host %s: no machine is made there; %u cluster nodes %s%s", h->spec.name,
		 nodes, ev->command.dry_run ? "would move" : "move",
		 busy ? ", some when the changes under way are over" : "");
	command_done(w, fx, ev, "host", h->spec.name, text);
}

static void undrain(struct world *w, struct effects *fx, const struct event *ev,
		    struct host *h)
{
	if (!ev->command.dry_run) {
		h->draining = false;
		override_take_back(w, fx, "host", h->spec.name, "draining");
		for (size_t i = 0; i < w->pool_count; i++)
			pool_unbalance(w, w->pools[i]);
	}
	command_done(w, fx, ev, "host", h->spec.name,
		     "machines are made there again");
}

/* An operator knows that the host is off: what was there is dead. */
static void fence(struct world *w, struct effects *fx, const struct event *ev,
		  struct host *h)
{
	uint32_t n = 0;
	char text[ROW_TEXT_SIZE];

	if (h->state != HOST_NOT_ANSWERING) {
		refuse(fx, ev, "it answers: fence is for a host that is off; drain it");
		return;
	}
	LIST_EACH(&h->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, host_link);

		if (m->row.state == MACHINE_GONE || m->row.state == MACHINE_RETIRING)
			continue;
		n++;
		if (ev->command.dry_run)
			continue;
		machine_want(m, WISH_RETIRE);
		if (m->node)
			m->node->lost = true;
		if (machine_expects_domain(m))
			machine_died(w, fx, m, "its host was fenced", false);
		pool_unbalance(w, m->pool);
	}
	snprintf(text, sizeof(text), "host %s: %u machines there %s dead and made elsewhere where they may be",
		 h->spec.name, n, ev->command.dry_run ? "would count as" : "count as");
	command_done(w, fx, ev, "host", h->spec.name, text);
}

static void host_command(struct world *w, struct effects *fx,
			 const struct event *ev)
{
	struct host *h = world_host(w, name_of(ev));

	if (!h || h->removed) {
		not_found(fx, ev, "host");
	} else if (ev->command.verb == COMMAND_HOST_DRAIN) {
		drain(w, fx, ev, h);
	} else if (ev->command.verb == COMMAND_HOST_FENCE) {
		fence(w, fx, ev, h);
	} else {
		undrain(w, fx, ev, h);
	}
	if (h)
		h->changed = w->turn;
}

/* ---- rules ------------------------------------------------------------------------------ */

static void rule_switch(struct world *w, struct effects *fx,
			const struct event *ev, struct rule *r, bool off)
{
	if (!ev->command.dry_run) {
		r->disabled = off;
		r->failures = 0;
		if (off)
			override_say(w, fx, ev, "rule", r->spec.name, "disabled", 1);
		else
			override_take_back(w, fx, "rule", r->spec.name,
					   "disabled");
	}
	struct cluster *c = world_cluster(w, slice_of(r->spec.cluster));
	if (c)
		pool_unbalance(w, c->pool);
	command_done(w, fx, ev, "rule", r->spec.name,
		     off ? "it is not run, and its wish does not count" :
			   "it is run again");
}

static void rule_command(struct world *w, struct effects *fx,
			 const struct event *ev)
{
	struct rule *r = world_rule(w, name_of(ev));

	if (!r) {
		not_found(fx, ev, "rule");
		return;
	}
	if (ev->command.verb == COMMAND_RULE_RUN) {
		if (r->call)
			command_reply(fx, ev, false, "busy", "it is running just now");
		else
			rule_run(w, fx, r, ev->command.dry_run, ev->command.reply);
		return;
	}
	rule_switch(w, fx, ev, r, ev->command.verb == COMMAND_RULE_DISABLE);
}

void command_cluster(struct world *w, struct effects *fx, const struct event *ev)
{
	switch (ev->command.verb) {
	case COMMAND_CLUSTER_RESIZE:
	case COMMAND_CLUSTER_RESET:
	case COMMAND_CLUSTER_PAUSE:
	case COMMAND_CLUSTER_RESUME:
	case COMMAND_CLUSTER_REPLACE:
		cluster_command(w, fx, ev);
		return;
	case COMMAND_NODE_MOVE:
		node_move(w, fx, ev);
		return;
	case COMMAND_CHANGE_CANCEL:
		change_command(w, fx, ev);
		return;
	case COMMAND_HOST_DRAIN:
	case COMMAND_HOST_UNDRAIN:
	case COMMAND_HOST_FENCE:
		host_command(w, fx, ev);
		return;
	case COMMAND_RULE_RUN:
	case COMMAND_RULE_ENABLE:
	case COMMAND_RULE_DISABLE:
		rule_command(w, fx, ev);
		return;
	default:
		return;
	}
}
