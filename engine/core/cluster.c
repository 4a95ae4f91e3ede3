/*
 * A cluster: as many nodes as it is to have, its virtual address, what gateways
 * are told of it and say (cluster.h).  A node that dies is made anew in its place
 * by the life of its machine; a node whose host is lost is replaced elsewhere, and
 * the old machine is destroyed when its host is back.  Unknown is not dead: one
 * that owns a disk, or still answers, is not replaced (spec 3.4).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum {
	LOST_MS = 5000,		/* a host silent so long: what comes up there does not */
	SICK_MS = 60000,	/* a node that is not healthy so long is made anew */
};

struct cluster *world_cluster(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->cluster_count; i++)
		if (slice_is(name, w->clusters[i]->spec.name))
			return w->clusters[i];
	return NULL;
}

static struct cluster *cluster_of_pool(const struct world *w,
				       const struct pool *p)
{
	for (size_t i = 0; i < w->cluster_count; i++)
		if (w->clusters[i]->pool == p)
			return w->clusters[i];
	return NULL;
}

uint32_t cluster_serving(const struct cluster *c)
{
	uint32_t n = 0;

	LIST_EACH(&c->pool->in_state[MACHINE_READY], it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, state_link);

		n += m->node && m->row.node == NODE_SERVING && m->node->up;
	}
	return n;
}

static void add_counts(struct cluster_counts *sum, const struct cluster_counts *a)
{
	sum->transactions += a->transactions;
	sum->answered += a->answered;
	sum->replayed += a->replayed;
	sum->failed += a->failed;
	sum->reset += a->reset;
	sum->refused += a->refused;
	sum->bytes_in += a->bytes_in;
	sum->bytes_out += a->bytes_out;
	sum->open += a->open;
	sum->waiting += a->waiting;
}

struct cluster_counts cluster_counts(const struct cluster *c)
{
	struct cluster_counts sum = c->past;

	for (uint32_t g = 0; g < WORLD_GATEWAYS_MAX; g++)
		add_counts(&sum, &c->by_gateway[g]);
	return sum;
}

/* ---- gateways ---------------------------------------------------------------------- */

static void tell_gateway(struct effects *fx, struct cluster *c, uint32_t gateway)
{
	struct effect *e = effects_add(fx, EFFECT_CLUSTER_SET);

	e->gateway = gateway;
	e->text = effects_text(fx, "%s", c->spec.name);
	c->told[gateway] = true;
}

void clusters_on_gateway(struct world *w, struct effects *fx, uint32_t gateway,
			 bool fresh)
{
	for (size_t i = 0; i < w->cluster_count; i++) {
		struct cluster *c = w->clusters[i];

		if (fresh) {
			/* Another process counts from 0 again. */
			c->by_gateway[gateway].open = 0;
			c->by_gateway[gateway].waiting = 0;
			add_counts(&c->past, &c->by_gateway[gateway]);
			c->by_gateway[gateway] = (struct cluster_counts){ 0 };
			cluster_save(w, fx, c);
		}
		tell_gateway(fx, c, gateway);
		pool_unbalance(w, c->pool);
	}
	node_tell_gateway(w, fx, gateway);
}

void clusters_on_gateway_lost(struct world *w, struct effects *fx,
			      uint32_t gateway)
{
	for (size_t i = 0; i < w->cluster_count; i++) {
		struct cluster *c = w->clusters[i];

		c->told[gateway] = false;
		c->by_gateway[gateway].open = 0;
		c->by_gateway[gateway].waiting = 0;
		c->changed = w->turn;
	}
	node_forget_gateway(w, fx, gateway);
}

void cluster_on_count(struct world *w, const struct event *ev)
{
	struct cluster *c = world_cluster(w, ev->count.cluster);

	if (!c || ev->count.gateway >= WORLD_GATEWAYS_MAX)
		return;
	c->by_gateway[ev->count.gateway] = ev->count.counts;
	c->changed = w->turn;
}

/* One that is lost is a failure, unless it was to be let go.  Held with a text:
 * something is wrong with it all the same. */
static enum severity vip_severity(const struct cluster *c, bool held,
				  const char *text)
{
	if (held)
		return text[0] ? SEVERITY_WARN : SEVERITY_INFO;
	return c->vip_moves || !c->vip_wanted ? SEVERITY_INFO : SEVERITY_FAIL;
}

void cluster_on_vip(struct world *w, struct effects *fx, const struct event *ev)
{
	struct cluster *c = world_cluster(w, ev->vip.cluster);

	if (!c)
		return;
	char text[ROW_TEXT_SIZE];
	text_copy_slice(text, sizeof(text), ev->vip.text);
	if (c->vip_held != ev->vip.held || strcmp(text, c->vip_text) != 0)
		world_event(w, fx, vip_severity(c, ev->vip.held, text), false,
			    "VIP", "cluster", c->spec.name, "%s %s%s%s",
			    c->spec.ip, ev->vip.held ? "is held" : "is not held",
			    text[0] ? ": " : "", text);
	c->vip_moves = false;
	c->vip_held = ev->vip.held;
	TEXT_SET(c->vip_text, text);
	c->changed = w->turn;
}

static void want_vip(struct world *w, struct effects *fx, struct cluster *c,
		     bool want)
{
	if (c->vip_wanted == want || (!want && PLANTED(S13_VIP_STAYS)))
		return;
	c->vip_wanted = want;
	struct effect *e = effects_add(fx, EFFECT_VIP);
	e->text = effects_text(fx, "%s", c->spec.name);
	e->ok = want;
	c->changed = w->turn;
}

/* ---- nodes ------------------------------------------------------------------------------ */

struct machine *cluster_create(struct world *w, struct effects *fx,
			       struct cluster *c, struct host *h, uint32_t slot,
			       uint32_t vcpus, uint64_t memory_mib)
{
	return pool_create(w, fx, c->pool, h, slot, vcpus, memory_mib);
}

static bool owns_disk(const struct pool *p)
{
	return p->spec.keep || p->spec.volume_mib;
}

/* Its host does not answer and neither does it: whatever becomes of it, it does
 * not serve.  One with a disk of its own may still write there: only an operator
 * can say that it does not (host fence). */
static bool is_lost(const struct world *w, const struct machine *m)
{
	if (m->host->state != HOST_NOT_ANSWERING || owns_disk(m->pool))
		return false;
	return m->row.state == MACHINE_READY ? m->node->down :
			w->now_ms - m->host->silent_ms >= LOST_MS;
}

static void look_for_lost(struct world *w, struct effects *fx, struct cluster *c)
{
	LIST_EACH(&c->pool->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		if (!m->node || m->node->lost || m->row.wish != WISH_RUN ||
		    !is_lost(w, m))
			continue;
		m->node->lost = true;
		world_event(w, fx, SEVERITY_WARN, false, "NODE", "machine",
			    m->row.name,
			    "host %s does not answer and neither does it: replaced; destroyed when the host is back",
			    m->host->spec.name);
		machine_retire(w, fx, m);
	}
}

/* One that has not been well for long is made anew; one at a time, for what ails
 * all of them at once is seldom cured so.  In a change they are its business. */
static void look_for_sick(struct world *w, struct effects *fx, struct cluster *c)
{
	struct machine *worst = NULL;

	LIST_EACH(&c->pool->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		if (!cluster_is_member(m))
			continue;
		if (m->row.state != MACHINE_READY)
			return;
		if (m->node->down && m->host->state == HOST_UP &&
		    m->job == JOB_NONE && w->now_ms - m->node->down_ms >= SICK_MS &&
		    (!worst || m->node->down_ms < worst->node->down_ms))
			worst = m;
	}
	if (worst) {
		char why[ROW_TEXT_SIZE];

		snprintf(why, sizeof(why), "not healthy for %d s: %s",
			 SICK_MS / 1000, worst->node->text);
		machine_fail(w, fx, worst, why);
	}
}

static uint32_t count_members(const struct cluster *c)
{
	uint32_t n = 0;

	LIST_EACH(&c->pool->machines, it)
		n += cluster_is_member(
			LIST_ENTRY(it, struct machine, pool_link));
	return n;
}

static struct host *place(const struct world *w, const struct cluster *c,
			  char *why, size_t why_size)
{
	uint32_t most = 2 * c->spec.max.nodes + 2;

	if (pool_total(c->pool) >= most) {
		snprintf(why, why_size,
			 "%u machines are there, %u of them quarantined; release or delete those",
			 pool_total(c->pool), c->pool->counts[MACHINE_QUARANTINED]);
		return NULL;
	}
	return placement_choose(w, c->pool, c->row.vcpus, c->row.memory_mib, NULL,
				NULL, why, why_size);
}

static void grow(struct world *w, struct effects *fx, struct cluster *c,
		 uint32_t n)
{
	char why[ROW_TEXT_SIZE];

	for (; n; n--) {
		struct host *h = place(w, c, why, sizeof(why));
		if (!h) {
			if (strcmp(c->reason, why) != 0)
				world_event(w, fx, SEVERITY_FAIL, false, "PLACE",
					    "cluster", c->spec.name,
					    "%u node%s short: %s", n,
					    n == 1 ? "" : "s", why);
			TEXT_SET(c->reason, why);
			c->pool->lacks_room = true;
			return;
		}
		cluster_create(w, fx, c, h, 0, c->row.vcpus, c->row.memory_mib);
	}
	c->reason[0] = '\0';
}

/* The one to go when there are too many: what serves least, then the newest. */
static struct machine *surplus(const struct cluster *c)
{
	struct machine *worst = NULL;
	int rank_of_worst = -1;

	LIST_EACH(&c->pool->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, pool_link);
		int rank = m->row.state != MACHINE_READY ? 2 : !m->node->up;

		if (cluster_is_member(m) && rank >= rank_of_worst) {
			worst = m;
			rank_of_worst = rank;
		}
	}
	return worst;
}

void cluster_balance(struct world *w, struct effects *fx, struct pool *p)
{
	struct cluster *c = cluster_of_pool(w, p);

	LIST_EACH(&p->machines, it)
		if (LIST_ENTRY(it, struct machine, pool_link)->node)
			node_kick(w, fx, LIST_ENTRY(it, struct machine, pool_link));
	if (!c || p->removed || p->closing) {
		LIST_EACH(&p->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (m->row.wish != WISH_RETIRE)
				machine_retire(w, fx, m);
		}
		if (c)
			want_vip(w, fx, c, false);
		return;
	}
	want_vip(w, fx, c, true);
	look_for_lost(w, fx, c);
	if (c->change) {
		change_kick(w, fx, c->change);
		return;
	}
	look_for_sick(w, fx, c);
	uint32_t n = count_members(c);
	if (n < c->row.nodes)
		grow(w, fx, c, c->row.nodes - n);
	for (; n > c->row.nodes; n--)
		machine_retire(w, fx, surplus(c));
	policy_kick(w, fx, c);
}

/* ---- the site ------------------------------------------------------------------------------ */

static struct cluster *cluster_new(struct world *w, const char *name)
{
	struct cluster *c = calloc(1, sizeof(*c));

	CHECK("", c, "out of memory");
	TEXT_SET(c->spec.name, name);
	TEXT_SET(c->row.name, name);
	w->clusters = realloc(w->clusters,
			      (w->cluster_count + 1) * sizeof(*w->clusters));
	CHECK("", w->clusters, "out of memory");
	w->clusters[w->cluster_count++] = c;
	return c;
}

/* Gateways forget it; what is left of its machines is its pool's. */
static void drop(struct world *w, struct effects *fx, size_t i)
{
	struct cluster *c = w->clusters[i];

	if (c->change)
		change_abandon(w, fx, c->change);
	want_vip(w, fx, c, false);
	for (uint32_t g = 0; g < WORLD_GATEWAYS_MAX; g++)
		if (c->told[g]) {
			struct effect *e = effects_add(fx, EFFECT_CLUSTER_DROP);

			e->gateway = g;
			e->text = effects_text(fx, "%s", c->spec.name);
		}
	w->clusters[i] = w->clusters[--w->cluster_count];
	free(c);
}

/* Its address, or the place of that, is another now. */
static void move_vip(struct world *w, struct effects *fx, struct cluster *c,
		     const struct site_cluster *to)
{
	const struct site_cluster *from = &c->spec;
	bool same_ip = strcmp(from->ip, to->ip) == 0;
	bool same = same_ip && from->prefix == to->prefix &&
		    strcmp(from->interface, to->interface) == 0;

	if (!c->vip_wanted || (same && from->port == to->port))
		return;
	world_event(w, fx, SEVERITY_INFO, false, "VIP", "cluster", from->name,
		    "moves from %s:%u%s%s to %s:%u%s%s", from->ip, from->port,
		    from->interface[0] ? " on " : "", from->interface, to->ip,
		    to->port, to->interface[0] ? " on " : "", to->interface);
	c->vip_moves = !same && c->vip_held;
	if (!same_ip)	/* the rest its holder sees by itself */
		want_vip(w, fx, c, false);
}

void apply_clusters(struct world *w, struct effects *fx)
{
	for (size_t i = 0; i < w->cluster_count; i++) {
		w->clusters[i]->removed = true;
		w->clusters[i]->entry = NULL;	/* of the spec before */
	}
	for (size_t i = 0; i < w->spec.cluster_count; i++) {
		const struct site_cluster *spec = &w->spec.clusters[i];
		struct cluster *c = world_cluster(w, slice_of(spec->name));

		if (!c)
			c = cluster_new(w, spec->name);
		c->removed = false;
		c->pool = world_pool(w, slice_of(spec->name));
		CHECK("", c->pool && c->pool->spec.cluster,
		      "cluster %s: unchecked site", spec->name);
		move_vip(w, fx, c, spec);
		c->spec = *spec;
		for (uint32_t g = 0; g < WORLD_GATEWAYS_MAX; g++)
			if (w->gateways[g].up)
				tell_gateway(fx, c, g);
		node_tell_again(w, fx, c);
		c->changed = w->turn;
		pool_unbalance(w, c->pool);
	}
	for (size_t i = w->cluster_count; i-- > 0;)
		if (w->clusters[i]->removed)
			drop(w, fx, i);
}

void clusters_fini(struct world *w)
{
	LIST_EACH(&w->changes, it)
		free(LIST_ENTRY(it, struct change, link));
	for (size_t i = 0; i < w->cluster_count; i++)
		free(w->clusters[i]);
	free(w->clusters);
}

/* What it was, as saved; a new cluster begins as the site says. */
void cluster_restore(struct world *w, struct effects *fx,
		     const struct cluster_row *row)
{
	struct cluster *c = world_cluster(w, slice_of(row->name));

	if (!c) {	/* an engine that died may not have let go of its address */
		effects_add(fx, EFFECT_VIP)->text =
			effects_text(fx, "%s", row->name);
		return;
	}
	c->row = *row;
	c->past = (struct cluster_counts){ .transactions = row->transactions,
					   .replayed = row->replayed,
					   .failed = row->failed,
					   .reset = row->reset };
	policy_restore_cluster(w, c);
}

void clusters_begin(struct world *w, struct effects *fx)
{
	for (size_t i = 0; i < w->cluster_count; i++) {
		struct cluster *c = w->clusters[i];

		if (c->row.nodes)
			continue;
		c->row.nodes = c->spec.size.nodes;
		c->row.vcpus = c->spec.size.vcpus;
		c->row.memory_mib = c->spec.size.memory_mib;
		cluster_save(w, fx, c);
	}
}
