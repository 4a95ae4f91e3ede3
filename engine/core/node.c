/*
 * A machine's part in its cluster (cluster.h).  node_kick compares the part it
 * should have with the one it has (row.node, durable) and tells the gateways;
 * kicking twice does no harm.  It runs at the end of each step for the pools that
 * changed (cluster_balance), never in the middle of a machine's move.
 *
 *     NONE      not ready, ended, or it has left
 *     CHECKED   ready; gateways look at its health, nothing goes there
 *     SERVING   in rotation; a gateway by itself avoids it while its checks fail
 *     DRAINING  leaving: no new transactions, those it has may end
 *
 * S14: into SERVING only what is ready and healthy; what is dead leaves at the
 * first hint, for coming back costs nothing.  S6: every word to a gateway carries
 * (machine, incarnation).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { CUT_MS = 2000 };

struct cluster *machine_cluster(const struct world *w, const struct machine *m)
{
	return m->node ? world_cluster(w, slice_of(m->pool->spec.name)) : NULL;
}

struct node *node_new(struct machine *m)
{
	struct node *n = calloc(1, sizeof(*n));

	CHECK("", n, "out of memory");
	n->timer.kind = TIMER_NODE;
	n->machine = m;
	/* Found in rotation: its application was started. */
	n->started = n->checked = m->row.node != NODE_NONE;
	n->found_draining = m->row.node == NODE_DRAINING;
	return n;
}

void node_free(struct world *w, struct node *n)
{
	if (!n)
		return;
	timer_stop(&w->timers, &n->timer);
	free(n);
}

/* ---- words to the gateways -------------------------------------------------- */

static void tell(struct effects *fx, struct machine *m, uint32_t gateway)
{
	struct node_view *v = &m->node->views[gateway];
	int part = m->row.node;

	if (part == NODE_NONE && !v->told)
		return;
	struct effect *e = effects_add(fx, part == NODE_NONE ? EFFECT_NODE_DROP :
							       EFFECT_NODE_SET);
	e->gateway = gateway;
	e->machine = m->row.id;
	e->incarnation = m->row.incarnation;
	e->code = part;
	e->text = effects_text(fx, "%s", part == NODE_NONE ? m->row.reason : "");
	if (part == NODE_NONE) {
		*v = (struct node_view){ 0 };
		return;
	}
	/* Draining ends by a count that is younger than this word. */
	if (!v->told || part == NODE_DRAINING)
		v->known = false;
	v->told = true;
	v->node = part;
}

void node_tell_gateway(struct world *w, struct effects *fx, uint32_t gateway)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (!m->node)
				continue;
			m->node->views[gateway] = (struct node_view){ 0 };
			tell(fx, m, gateway);
			node_look(w, fx, m);
		}
}

void node_tell_again(const struct world *w, struct effects *fx,
		     const struct cluster *c)
{
	LIST_EACH(&c->pool->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		for (uint32_t g = 0; m->node && g < WORLD_GATEWAYS_MAX; g++)
			if (w->gateways[g].up && m->node->views[g].told)
				tell(fx, m, g);
	}
}

void node_forget_gateway(struct world *w, struct effects *fx, uint32_t gateway)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (!m->node)
				continue;
			m->node->views[gateway] = (struct node_view){ 0 };
			node_look(w, fx, m);
		}
}

static const char *const part_names[NODE_STATES] = { "out", "checked", "serving",
						     "draining" };

static void set_part(struct world *w, struct effects *fx, struct machine *m,
		     enum node_state to, const char *why)
{
	int from = m->row.node;

	CHECK("S14", to != NODE_SERVING || (m->row.state == MACHINE_READY &&
					    m->created && !m->node->ended),
	      "%s would serve in state %s", m->row.name,
	      sm_name(&machine_table, m->row.state));
	m->row.node = to;
	m->node->since_ms = w->now_ms;
	m->node->found_draining = false;
	effects_add(fx, EFFECT_LOG)->text = effects_text(
		fx, "node %s: %s -> %s (%s)", m->row.name, part_names[from],
		part_names[to], why);
	if (from == NODE_SERVING || to == NODE_SERVING)
		world_event(w, fx, SEVERITY_INFO, false, "NODE", "machine",
			    m->row.name, "%s: %s",
			    to == NODE_SERVING ? "serves" : "leaves the rotation", why);
	for (uint32_t g = 0; g < WORLD_GATEWAYS_MAX; g++)
		if (w->gateways[g].up)
			tell(fx, m, g);
	if (to == NODE_NONE)	/* what was said is of the life that ends */
		m->node->up = m->node->down = m->node->checked = false;
	if (to != NODE_DRAINING)
		timer_stop(&w->timers, &m->node->timer);
	world_save_machine(w, m);
	pool_unbalance(w, m->pool);
}

/* ---- what gateways say --------------------------------------------------------- */

/* Sums the views; true when something changed that others look at. */
static bool sum_views(const struct world *w, struct node *n)
{
	bool up = true, said = false, was = n->up, down = n->down;
	uint32_t open = 0, before = n->open;

	n->text[0] = '\0';
	n->down = n->sick;
	for (uint32_t g = 0; g < WORLD_GATEWAYS_MAX; g++) {
		const struct node_view *v = &n->views[g];

		if (!w->gateways[g].up || !v->told)
			continue;
		said = true;
		open += v->open;
		if (v->known && v->up)
			continue;
		up = false;
		n->down = n->down || v->known;
		if (v->known && !n->text[0])
			TEXT_SET(n->text, v->text);
	}
	n->up = said && up && !n->sick;
	n->open = open;
	if (n->sick)
		TEXT_SET(n->text, n->sick_text);
	if (n->down && !down)
		n->down_ms = w->now_ms;
	return n->up != was || n->down != down || open != before;
}

void node_look(struct world *w, struct effects *fx, struct machine *m)
{
	struct node *n = m->node;
	bool was = n->up;

	if (!sum_views(w, n))
		return;
	m->changed = m->pool->changed = w->turn;
	if (was != n->up && m->row.node == NODE_SERVING)
		world_event(w, fx, n->up ? SEVERITY_INFO : SEVERITY_WARN, false,
			    "NODE", "machine", m->row.name, "%s%s%s",
			    n->up ? "healthy again" : "not healthy",
			    n->text[0] ? ": " : "", n->text);
	n->checked = n->checked || n->up;
	pool_unbalance(w, m->pool);
}

static struct machine *node_of_message(struct world *w, const struct event *ev)
{
	struct machine *m = world_machine(w, ev->node.machine);

	return m && m->node && m->row.incarnation == ev->node.incarnation &&
	       ev->node.gateway < WORLD_GATEWAYS_MAX &&
	       m->node->views[ev->node.gateway].told ? m : NULL;
}

void node_on_state(struct world *w, struct effects *fx, const struct event *ev)
{
	struct machine *m = node_of_message(w, ev);

	if (!m)
		return;
	struct node_view *v = &m->node->views[ev->node.gateway];
	v->known = true;
	v->up = ev->node.up;
	v->open = ev->node.open;
	text_copy_slice(v->text, sizeof(v->text), ev->node.text);
	node_look(w, fx, m);
	pool_unbalance(w, m->pool);
}

void node_on_count(struct world *w, struct effects *fx, const struct event *ev)
{
	struct machine *m = node_of_message(w, ev);

	if (!m)
		return;
	struct node_view *v = &m->node->views[ev->node.gateway];
	v->open = ev->node.open;
	v->transactions = ev->node.transactions;
	v->failed = ev->node.failed;
	node_look(w, fx, m);
	pool_unbalance(w, m->pool);
}

/* It may be out of the rotation by now: that is told all the same. */
void node_on_cut(struct world *w, struct effects *fx, const struct event *ev)
{
	const struct machine *m = world_machine(w, ev->node.machine);

	if (m && m->node && m->row.incarnation == ev->node.incarnation)
		world_event(w, fx, SEVERITY_WARN, false, "NODE", "machine",
			    m->row.name,
			    "its time to drain is over: %u transaction%s cut",
			    ev->node.cut, ev->node.cut == 1 ? " was" : "s were");
}

void node_set_ended(struct world *w, struct machine *m, bool ended)
{
	if (m->node->ended == ended || m->row.state != MACHINE_READY)
		return;
	m->node->ended = ended;
	pool_unbalance(w, m->pool);
}

/* ---- which part it should have ---------------------------------------------------- */

/* By an engine that has not met a gateway yet nothing is known of it. */
static bool is_drained(const struct world *w, const struct machine *m)
{
	bool said = !m->node->found_draining;

	for (uint32_t g = 0; g < WORLD_GATEWAYS_MAX; g++) {
		const struct node_view *v = &m->node->views[g];

		if (!w->gateways[g].up || !v->told)
			continue;
		if (!v->known || v->open)
			return false;
		said = true;
	}
	return said;
}

static enum node_state part_of_leaving(const struct world *w, struct machine *m,
				       const char **why)
{
	if (m->row.node != NODE_SERVING && m->row.node != NODE_DRAINING)
		return NODE_NONE;
	if (m->row.node == NODE_DRAINING && is_drained(w, m)) {
		*why = "its transactions have ended";
		return NODE_NONE;
	}
	if (m->row.node == NODE_DRAINING && !timer_is_set(&m->node->timer)) {
		*why = "its time to drain is over";
		return NODE_NONE;
	}
	*why = "leaving";
	return NODE_DRAINING;
}

static enum node_state part_wanted(const struct world *w, struct machine *m,
				   const char **why)
{
	const struct cluster *c = machine_cluster(w, m);

	*why = m->row.reason;
	if (!c || m->row.state != MACHINE_READY || !m->created)
		return NODE_NONE;
	if (m->node->ended) {
		*why = "its domain ended";
		return NODE_NONE;
	}
	if (m->node->lost) {
		*why = "its host is lost";
		return NODE_NONE;
	}
	if (m->row.wish != WISH_RUN || change_drains(c, m))
		return part_of_leaving(w, m, why);
	if (!m->node->started)
		return NODE_NONE;
	if (m->row.node == NODE_SERVING || m->row.node == NODE_DRAINING) {
		*why = "stays";
		return NODE_SERVING;
	}
	*why = m->node->up ? "healthy" : "ready";
	return (m->node->up || PLANTED(S14_SERVES_UNCHECKED)) &&
			       !change_holds_back(c, m) ? NODE_SERVING :
							  NODE_CHECKED;
}

/* Strategy move: the application is started where it is to serve. */
static bool starts_here(struct world *w, struct effects *fx, struct machine *m)
{
	struct node *n = m->node;
	const struct cluster *c = machine_cluster(w, m);

	if (n->started || m->row.state != MACHINE_READY || m->job != JOB_NONE ||
	    m->row.wish != WISH_RUN || !c || change_drains(c, m) ||
	    change_waits_to_start(w, c, m))
		return n->started;
	if (!hook_defined(m, HOOK_START)) {
		n->started = true;
		return true;
	}
	if (m->host->state == HOST_UP && m->retry_ms <= w->now_ms)
		hook_start(w, fx, m, HOOK_START);
	return false;
}

/* Gateways cut what has not ended in time; one that hangs has a moment more. */
static void drain(struct world *w, struct machine *m)
{
	const struct cluster *c = machine_cluster(w, m);

	m->node->since_ms = w->now_ms;
	timer_set(&w->timers, &m->node->timer,
		  w->now_ms + (c ? c->spec.drain_ms + CUT_MS : 0));
}

void node_kick(struct world *w, struct effects *fx, struct machine *m)
{
	const char *why;

	if (m->row.node == NODE_DRAINING && !m->node->since_ms)
		drain(w, m);	/* found so: its time begins anew */
	starts_here(w, fx, m);
	enum node_state to = part_wanted(w, m, &why);
	bool same = (int)to == m->row.node;
	if (!same && to == NODE_DRAINING)
		drain(w, m);
	if (!same)
		set_part(w, fx, m, to, why);
	if (to == NODE_NONE && m->row.state == MACHINE_READY)
		machine_kick(w, fx, m);	/* nobody is connected to it any more */
	else if (same)
		return;
	else if (to != NODE_DRAINING)
		node_check_guest(w, fx, m);
}

void node_on_timer(struct world *w, struct effects *fx, struct node *n)
{
	struct machine *m = n->machine;

	pool_unbalance(w, m->pool);
	if (m->row.node != NODE_DRAINING)
		node_check_guest(w, fx, m);
}

/* ---- the guest's own word on its health (hook health) ------------------------------- */

void node_check_guest(struct world *w, struct effects *fx, struct machine *m)
{
	const struct cluster *c = machine_cluster(w, m);

	if (!c || !hook_defined(m, HOOK_HEALTH) ||
	    m->row.state != MACHINE_READY || m->row.node == NODE_NONE ||
	    m->row.node == NODE_DRAINING)
		return;
	if (m->job == JOB_NONE && m->node->started && m->host->state == HOST_UP)
		hook_start(w, fx, m, HOOK_HEALTH);
	if (!timer_is_set(&m->node->timer))
		timer_set(&w->timers, &m->node->timer,
			  w->now_ms + c->spec.health.interval_ms);
}

static void on_health(struct world *w, struct effects *fx, struct machine *m,
		      bool good, const char *text)
{
	const struct cluster *c = machine_cluster(w, m);
	struct node *n = m->node;
	uint32_t limit = !c ? 1 : good ? c->spec.health.rise : c->spec.health.fall;

	n->in_a_row = good == n->last_good ? n->in_a_row + 1 : 1;
	n->last_good = good;
	if (n->in_a_row >= limit) {
		n->sick = !good;
		TEXT_SET(n->sick_text, good ? "" : text);
	}
	node_look(w, fx, m);
}

void node_on_job(struct world *w, struct effects *fx, struct machine *m,
		 enum call_result result, const char *text)
{
	struct node *n = m->node;

	switch (m->hook) {
	case HOOK_START:
		if (result == CALL_OK) {
			n->started = true;
		} else {
			TEXT_SET(n->text, text);
			machine_fail(w, fx, m, text);
			return;
		}
		break;
	case HOOK_STOP:
		change_on_stopped(w, fx, m, result == CALL_OK, text);
		break;
	case HOOK_HEALTH:
		on_health(w, fx, m, result == CALL_OK, text);
		break;
	case HOOK_PREPARE:
	case HOOK_READY:
	case HOOK_ACCEPT:
	case HOOK_CLEAN:
		break;
	}
	machine_kick(w, fx, m);
}
