/*
 * The table of clusters and their nodes; see cluster.h.
 *
 * It is what the engine last said.  When the engine dies everything goes on with
 * it: nodes are checked and chosen, and nothing is forgotten.  The next engine
 * names clusters and nodes again; those of the same incarnation it finds as
 * they are, with their transactions.  What it has not named some seconds after
 * the adoption is dropped, as listeners are.
 *
 * What the engine is told is the newest only: a state or a count that could not
 * be sent is looked at again the next second, so nothing queues up behind a slow
 * engine (S18).
 */
#include "engine/gateway/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/log.h"

void cluster_table_init(struct gateway *g)
{
	list_init(&g->clusters.all);
	list_init(&g->clusters.leaving);
	list_init(&g->clusters.silent);
	map_init(&g->clusters.nodes);
}

struct cluster *cluster_named(struct gateway *g, struct slice name)
{
	LIST_EACH(&g->clusters.all, it) {
		struct cluster *c = LIST_ENTRY(it, struct cluster, link);

		if (slice_is(name, c->name))
			return c;
	}
	return NULL;
}

/* ---- nodes ----------------------------------------------------------------- */

struct balance_node *node_load(const struct node *n)
{
	return &n->cluster->loads[n->place];
}

void node_reload(struct gateway *g, struct node *n)
{
	struct balance_node *load = node_load(n);

	load->serves = n->up && n->part == WIRE_NODE_SERVING;
	load->doubted = n->troubles || n->bad;
	if (load->serves)
		poll_timer_set(&g->poll, &n->cluster->serve, g->poll.now_ms);
}

void node_tell(struct gateway *g, struct node *n)
{
	struct message m = {
		.type = WIRE_TYPE_node_state,
		.incarnation = n->incarnation,
		.node_state = { .machine = n->machine, .up = n->up,
				.open = node_load(n)->open,
				.text = slice_of(n->why) },
	};
	int now = n->up ? TOLD_UP : TOLD_DOWN;

	if (!n->known || !n->named || (int)n->told == now || !link_up(g) ||
	    g->engine_full)
		return;
	n->told = now;
	engine_link_send(g, &m, false);
}

/* Before its counts: those may be the end of the node. */
void node_tell_cut(struct gateway *g, struct node *n)
{
	struct message m = {
		.type = WIRE_TYPE_node_cut,
		.incarnation = n->incarnation,
		.node_cut = { .machine = n->machine, .cut = n->cut },
	};

	if (!n->cut || !n->named || !link_up(g) || g->engine_full)
		return;
	n->cut = 0;
	engine_link_send(g, &m, false);
}

/* Makes room at its place, in order of machines' ids. */
static void enter(struct cluster *c, struct node *n, uint8_t bit)
{
	uint32_t at = c->node_count++;

	for (; at && c->nodes[at - 1]->machine > n->machine; at--) {
		c->nodes[at] = c->nodes[at - 1];
		c->loads[at] = c->loads[at - 1];
		c->nodes[at]->place = at;
	}
	c->nodes[at] = n;
	c->loads[at] = (struct balance_node){ .bit = bit };
	n->place = at;
	balance_add(&c->bits, bit);
}

static void leave(struct cluster *c, struct node *n)
{
	uint8_t bit = node_load(n)->bit;

	c->node_count--;
	for (uint32_t at = n->place; at < c->node_count; at++) {
		c->nodes[at] = c->nodes[at + 1];
		c->loads[at] = c->loads[at + 1];
		c->nodes[at]->place = at;
	}
	/* The next node of that bit is another one. */
	balance_remove(&c->bits, bit);
	LIST_EACH(&c->transactions, it)
		balance_remove(&LIST_ENTRY(it, struct transaction, link)->tried,
			       bit);
}

static uint64_t ends_badly(const struct cluster *c)
{
	return c->tally.failed + c->tally.reset;
}

/* Its time to drain is over.  The engine sees to that too, if there is one. */
static void on_drain(struct gateway *g, struct timer *t)
{
	struct node *n = POLL_OWNER(t, struct node, drain);
	uint32_t open = node_load(n)->open;
	uint64_t before = ends_badly(n->cluster);

	n->cutting = true;
	transaction_rescue(g, n, true);
	n->cutting = false;
	n->cut += (uint32_t)(ends_badly(n->cluster) - before);
	log_warn("cluster %s: node %s: its time to drain is over: %u transactions, %u cut",
		 n->cluster->name, n->name, open, n->cut);
	node_tell_cut(g, n);
	node_tell_counts(g, n);
}

/* Told again it has no more time than it had. */
static void take_part(struct gateway *g, struct node *n, enum wire_node part)
{
	if (part != WIRE_NODE_DRAINING)
		poll_timer_stop(&g->poll, &n->drain);
	else if (n->part != WIRE_NODE_DRAINING)
		poll_timer_set(&g->poll, &n->drain,
			       g->poll.now_ms + n->cluster->drain_ms);
	n->part = part;
}

static struct node *node_new(struct gateway *g, struct cluster *c,
			     const struct message *m)
{
	const struct wire_node_set *w = &m->node_set;
	int bit = balance_free_bit(&c->bits);
	struct node *n;

	if (bit < 0) {
		log_error("cluster %s: more than %d nodes", c->name,
			  BALANCE_NODES_MAX);
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	CHECK("", n, "out of memory");
	n->cluster = c;
	n->machine = w->machine;
	n->incarnation = m->incarnation;
	n->check.watch.fd = -1;
	n->drain.fire = on_drain;
	text_copy_slice(n->name, sizeof(n->name), w->machine_name);
	list_init(&n->transactions);
	enter(c, n, (uint8_t)bit);
	map_put(&g->clusters.nodes, n->machine, n);
	return n;
}

static void bury_node(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct node, grave));
}

static void node_drop(struct gateway *g, struct node *n, const char *why)
{
	log_info("cluster %s: node %s dropped: %s", n->cluster->name, n->name,
		 why);
	health_stop(g, n);
	poll_timer_stop(&g->poll, &n->drain);
	n->up = false;
	node_reload(g, n);
	transaction_rescue(g, n, true);
	CHECK("S14", list_empty(&n->transactions), "a dropped node serves");
	leave(n->cluster, n);
	map_remove(&g->clusters.nodes, n->machine);
	grave_add(&g->poll, &n->grave, bury_node);
}

/* Its address as it is told now; false when it is none. */
static bool take_address(struct node *n, struct slice text, bool *changed)
{
	struct sockaddr_storage address;
	socklen_t length = text.length && text.ptr[0] == '/' ?
		dial_parse_unix(text, &address) : dial_parse(text, &address);

	*changed = length != n->address_length ||
		   memcmp(&address, &n->address, length);
	n->address = address;
	n->address_length = length;
	n->tcp = address.ss_family != AF_UNIX;
	return length != 0;
}

static bool is_part(uint8_t part)
{
	return part >= WIRE_NODE_CHECKED && part <= WIRE_NODE_DRAINING;
}

static void on_node_set(struct gateway *g, const struct message *m)
{
	const struct wire_node_set *w = &m->node_set;
	struct cluster *c = cluster_named(g, w->cluster);
	struct node *n = map_get(&g->clusters.nodes, w->machine);
	bool changed;

	if (!c || !w->machine || !is_part(w->node)) {
		log_error("node %.*s: not a node this gateway can serve",
			  (int)w->machine_name.length, w->machine_name.ptr);
		return;
	}
	if (n && n->incarnation > m->incarnation)
		return;
	if (n && (n->incarnation != m->incarnation || n->cluster != c)) {
		node_drop(g, n, "its machine has another life");
		n = NULL;
	}
	if (!n)
		n = node_new(g, c, m);
	if (!n)
		return;
	n->named = true;
	take_part(g, n, w->node);
	n->told = TOLD_NOTHING;
	n->told_sum = 0;
	if (!take_address(n, w->address, &changed)) {
		node_drop(g, n, "its address is neither IP:PORT nor a path");
		return;
	}
	if (changed)
		health_start(g, n);
	node_reload(g, n);
	node_tell(g, n);
}

static void on_node_drop(struct gateway *g, const struct message *m)
{
	struct node *n = map_get(&g->clusters.nodes, m->node_drop.machine);
	char why[WHY_MAX];

	/* Of an older life: it is not this node that is gone. */
	if (!n || n->incarnation > m->incarnation)
		return;
	text_copy_slice(why, sizeof(why), m->node_drop.text);
	node_drop(g, n, why);
}

/* ---- clusters ---------------------------------------------------------------- */

static void bury_cluster(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct cluster, grave));
}

static void on_serve(struct gateway *g, struct timer *t)
{
	transaction_serve_line(g, POLL_OWNER(t, struct cluster, serve));
}

static struct cluster *cluster_new(struct gateway *g, struct slice name)
{
	struct cluster *c = calloc(1, sizeof(*c));

	CHECK("", c, "out of memory");
	text_copy_slice(c->name, sizeof(c->name), name);
	list_init(&c->transactions);
	list_init(&c->line);
	c->serve.fire = on_serve;
	list_add_tail(&g->clusters.all, &c->link);
	g->clusters.count++;
	return c;
}

static void cluster_drop(struct gateway *g, struct cluster *c, const char *why)
{
	log_info("cluster %s dropped: %s", c->name, why);
	listener_on_cluster(g, c, false);
	while (!list_empty(&c->transactions)) {
		struct transaction *t = LIST_ENTRY(c->transactions.next,
						   struct transaction, link);

		transaction_end(g, t, t->relay.bytes[1] ? END_RESET :
				t->moved || t->node ? END_FAILED : END_REFUSED);
	}
	while (c->node_count)
		node_drop(g, c->nodes[0], "with its cluster");
	poll_timer_stop(&g->poll, &c->serve);
	list_remove(&c->link);
	g->clusters.count--;
	grave_add(&g->poll, &c->grave, bury_cluster);
}

static bool sensible(const struct wire_cluster_set *w)
{
	return w->name.length && w->name.length < NAME_MAX_BYTES &&
	       w->balance >= WIRE_BALANCE_LEAST &&
	       w->balance <= WIRE_BALANCE_FIRST_FREE &&
	       (w->identity == WIRE_IDENTITY_NONE ||
		w->identity == WIRE_IDENTITY_PROXY) &&
	       w->health_request.length <= HEALTH_MAX &&
	       w->health_expect.length <= HEALTH_MAX &&
	       w->drain_ms >= 0 && w->health_interval_ms > 0 && w->health_timeout_ms > 0 &&
	       w->health_fall && w->health_rise;
}

static void take_health(struct health *h, const struct wire_cluster_set *w)
{
	h->request_length = w->health_request.length;
	h->expect_length = w->health_expect.length;
	memcpy(h->request, w->health_request.ptr, h->request_length);
	memcpy(h->expect, w->health_expect.ptr, h->expect_length);
	h->interval = w->health_interval_ms;
	h->timeout = w->health_timeout_ms;
	h->fall = w->health_fall;
	h->rise = w->health_rise;
}

static void count_cluster(struct gateway *g, struct cluster *c)
{
	struct tally *t = &c->tally;

	t->open = 0;
	for (uint32_t i = 0; i < c->node_count; i++)
		t->open += c->loads[i].open;
	struct message m = {
		.type = WIRE_TYPE_cluster_count,
		.cluster_count = {
			.name = slice_of(c->name),
			.transactions = t->transactions,
			.answered = t->answered, .replayed = t->replayed,
			.failed = t->failed, .reset = t->reset,
			.refused = t->refused, .bytes_in = t->bytes_in,
			.bytes_out = t->bytes_out, .open = t->open,
			.waiting = t->waiting,
		},
	};

	if (!c->named || !link_up(g) || g->engine_full ||
	    !memcmp(t, &c->told, sizeof(*t)))
		return;
	c->told = *t;
	engine_link_send(g, &m, false);
}

static void on_set(struct gateway *g, const struct message *m)
{
	const struct wire_cluster_set *w = &m->cluster_set;
	struct cluster *c = cluster_named(g, w->name);

	if (!sensible(w) || (!c && g->clusters.count >= CLUSTERS_MAX)) {
		log_error("cluster %.*s: not a cluster this gateway can serve",
			  (int)w->name.length, w->name.ptr);
		return;
	}
	if (!c)
		c = cluster_new(g, w->name);
	c->named = true;
	c->balance = w->balance;
	c->busy = w->busy;
	c->replay = w->replay;
	c->identity = w->identity;
	c->wait_ms = w->wait_ms;
	c->drain_ms = w->drain_ms;
	c->half_close_ms = w->half_close_ms > 0 ? w->half_close_ms :
						  g->limits.half_close_ms;
	take_health(&c->health, w);
	memset(&c->told, 0, sizeof(c->told));
	count_cluster(g, c);	/* an engine that is new has none of it */
	listener_on_cluster(g, c, true);
	poll_timer_set(&g->poll, &c->serve, g->poll.now_ms);
}

bool cluster_table_on_message(struct gateway *g, const struct message *m)
{
	struct cluster *c;

	switch (m->type) {
	case WIRE_TYPE_cluster_set:
		on_set(g, m);
		return true;
	case WIRE_TYPE_cluster_drop:
		c = cluster_named(g, m->cluster_drop.name);
		if (c)
			cluster_drop(g, c, "the engine says so");
		return true;
	case WIRE_TYPE_node_set:
		on_node_set(g, m);
		return true;
	case WIRE_TYPE_node_drop:
		on_node_drop(g, m);
		return true;
	}
	return false;
}

/* ---- counts -------------------------------------------------------------------- */

void node_tell_counts(struct gateway *g, struct node *n)
{
	uint32_t open = node_load(n)->open;
	/* Odd weights: a sum that stays is counts that stay. */
	uint64_t sum = n->begun + 1000003 * n->failed + 1000000007ull * open;
	struct message m = {
		.type = WIRE_TYPE_node_count,
		.incarnation = n->incarnation,
		.node_count = { .machine = n->machine, .open = open,
				.transactions = n->begun,
				.failed = n->failed },
	};

	if (sum == n->told_sum || !n->named || !link_up(g) || g->engine_full)
		return;
	n->told_sum = sum;
	engine_link_send(g, &m, false);
}

void cluster_table_tick(struct gateway *g, int64_t second)
{
	LIST_EACH(&g->clusters.all, it) {
		struct cluster *c = LIST_ENTRY(it, struct cluster, link);

		LIST_EACH(&c->transactions, at) {
			struct transaction *t =
				LIST_ENTRY(at, struct transaction, link);

			if ((int64_t)(t->id % FLOW_SWEEPS) ==
			    second % FLOW_SWEEPS)
				transaction_sweep(g, t);
		}
		for (uint32_t i = 0; i < c->node_count; i++) {
			node_tell(g, c->nodes[i]);
			node_tell_cut(g, c->nodes[i]);
			node_tell_counts(g, c->nodes[i]);
		}
		count_cluster(g, c);
	}
}

/* ---- engines come and go ----------------------------------------------------------- */

bool cluster_table_serve(const struct gateway *g)
{
	LIST_EACH(&g->clusters.all, it) {
		const struct cluster *c = LIST_ENTRY(it, struct cluster, link);

		for (uint32_t i = 0; i < c->node_count; i++)
			if (c->loads[i].serves || c->loads[i].open)
				return true;
	}
	return false;
}

void cluster_table_forget_engine(struct gateway *g)
{
	LIST_EACH(&g->clusters.all, it) {
		struct cluster *c = LIST_ENTRY(it, struct cluster, link);

		c->named = false;
		for (uint32_t i = 0; i < c->node_count; i++)
			c->nodes[i]->named = false;
	}
}

void cluster_table_drop_stale(struct gateway *g)
{
	LIST_EACH(&g->clusters.all, it) {
		struct cluster *c = LIST_ENTRY(it, struct cluster, link);

		if (!c->named) {
			cluster_drop(g, c, "the new engine does not have it");
			continue;
		}
		for (uint32_t i = c->node_count; i-- > 0;)
			if (!c->nodes[i]->named)
				node_drop(g, c->nodes[i],
					  "the new engine does not have it");
	}
}

void cluster_table_close_all(struct gateway *g)
{
	LIST_EACH(&g->clusters.all, it)
		cluster_drop(g, LIST_ENTRY(it, struct cluster, link),
			     "the gateway stops");
	LIST_EACH(&g->clusters.leaving, it)
		transaction_end(g, LIST_ENTRY(it, struct transaction, link),
				END_LEFT);
}

void cluster_table_fini(struct gateway *g)
{
	while (g->clusters.unused) {
		struct transaction *t = g->clusters.unused;

		g->clusters.unused = t->next_unused;
		free(t);
	}
	map_fini(&g->clusters.nodes);
}
