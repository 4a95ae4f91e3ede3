/*
 * A transaction: one client's connection to a cluster, from accept to close; see
 * cluster.h.  Nobody is asked: the engine has said what may serve.
 *
 *     WAITING   in the cluster's line, oldest first, for wait_ms at most
 *     DIALING   at a node                              (attempt.c)
 *     ASKING    the same, what the client says is kept (attempt.c)
 *     FLOWING   bytes both ways, as in a session (relay.c)
 *     LEAVING   only the client is left; it is read until it closes, because
 *               closing on unread bytes would reset the last ones it got
 *
 * A client that goes away is not a failure of anybody and is not counted as an
 * end.  Keeping a request costs a chunk while it waits for its answer, nothing
 * afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/base/sm.h"
#include "engine/gateway/cluster.h"

enum {
	LEAVING_MS = 3000,
	NO_MEANS_MS = 100,	/* out of descriptors or ports: later again */
	SILENT_MS = 1000,	/* whoever has something to say has said it */
};

#define AT_ALL_TIMES (SM_TO(TRANSACTION_LEAVING) | SM_TO(TRANSACTION_GONE))

static const struct sm_state transaction_states[TRANSACTION_STATES] = {
	[TRANSACTION_WAITING] = { "waiting",
				  SM_TO(TRANSACTION_DIALING) | AT_ALL_TIMES,
				  SM_INITIAL, "it has no node" },
	[TRANSACTION_DIALING] = { "dialing",
				  SM_TO(TRANSACTION_WAITING) |
					  SM_TO(TRANSACTION_ASKING) |
					  SM_TO(TRANSACTION_FLOWING) |
					  AT_ALL_TIMES,
				  0, "nothing of the client was read" },
	[TRANSACTION_ASKING] = { "asking",
				 SM_TO(TRANSACTION_WAITING) |
					 SM_TO(TRANSACTION_FLOWING) |
					 AT_ALL_TIMES,
				 0, "all the client said is kept, no answer came" },
	[TRANSACTION_FLOWING] = { "flowing", AT_ALL_TIMES, 0,
				  "no other node can take over" },
	[TRANSACTION_LEAVING] = { "leaving", SM_TO(TRANSACTION_GONE), 0,
				  "counted; nothing but a client yet to close" },
	[TRANSACTION_GONE] = { "gone", 0, SM_FINAL, "freed at the turn's end" },
};

static const struct sm_table transaction_table = {
	"transaction", transaction_states, TRANSACTION_STATES };

static void settle(struct gateway *g, struct relay *r);

static const struct relay_ops transaction_ops = { .settle = settle };

void transaction_move(struct transaction *t, enum transaction_state to)
{
	sm_move(&transaction_table, &t->state, to, "");
}

/* ---- the end ----------------------------------------------------------------- */

static void bury(struct gateway *g, struct grave *grave)
{
	struct transaction *t = POLL_OWNER(grave, struct transaction, grave);

	memset(t, 0, sizeof(*t));
	t->next_unused = g->clusters.unused;
	g->clusters.unused = t;
}

static void close_client(struct gateway *g, struct transaction *t, bool abort)
{
	transaction_move(t, TRANSACTION_GONE);
	end_close(g, &t->client, abort);
	poll_timer_stop(&g->poll, &t->timer);
	list_remove(&t->link);
	list_remove(&t->silent);
	g->clusters.open--;
	g->conn_count--;
	listener_unref(g, t->listener);
	grave_add(&g->poll, &t->grave, bury);
}

static void linger(struct gateway *g, struct transaction *t)
{
	if (end_linger(g, &t->client))
		close_client(g, t, false);
}

void transaction_leave_node(struct gateway *g, struct transaction *t)
{
	struct node *n = t->node;

	if (!n)
		return;
	list_remove(&t->at);
	node_load(n)->open--;
	t->node = NULL;
	/* Somebody waits for a node that drains. */
	if (n->part == WIRE_NODE_DRAINING && !node_load(n)->open && !n->cutting)
		node_tell_counts(g, n);
	/* A node that was busy may be free now. */
	if (n->cluster->balance == WIRE_BALANCE_FIRST_FREE &&
	    n->cluster->tally.waiting)
		poll_timer_set(&g->poll, &n->cluster->serve, g->poll.now_ms);
}

static void leave_line(struct gateway *g, struct transaction *t)
{
	list_remove(&t->at);
	t->cluster->tally.waiting--;
	poll_timer_stop(&g->poll, &t->timer);
}

static void count_end(struct transaction *t, enum transaction_end how)
{
	struct tally *tally = &t->cluster->tally;

	switch (how) {
	case END_ANSWERED:
		tally->answered++;
		return;
	case END_FAILED:
	case END_SILENT:
		tally->failed++;
		return;
	case END_RESET:
		tally->reset++;
		return;
	case END_REFUSED:
		tally->refused++;
		return;
	case END_LEFT:
		return;
	}
}

void transaction_end(struct gateway *g, struct transaction *t,
		     enum transaction_end how)
{
	bool in_order = how == END_ANSWERED || how == END_SILENT ||
			how == END_REFUSED;

	if (t->state == TRANSACTION_GONE)
		return;
	if (t->state == TRANSACTION_LEAVING) {
		close_client(g, t, true);
		return;
	}
	count_end(t, how);
	relay_stop(&t->relay);
	if (t->node)
		transaction_leave_node(g, t);
	else if (list_linked(&t->at))
		leave_line(g, t);
	end_close(g, &t->machine, !in_order);
	chunk_give(&g->stores, t->kept);
	t->kept = NULL;
	list_remove(&t->link);
	t->cluster = NULL;
	if (!in_order || t->client.out_dead || t->client.error) {
		close_client(g, t, true);
		return;
	}
	transaction_move(t, TRANSACTION_LEAVING);
	list_add_tail(&g->clusters.leaving, &t->link);
	poll_timer_set(&g->poll, &t->timer, g->poll.now_ms + LEAVING_MS);
	linger(g, t);
}

/* ---- a node for it ------------------------------------------------------------ */

static int choose(struct transaction *t, uint32_t *turn)
{
	struct cluster *c = t->cluster;

	return balance_choose(c->balance, c->busy, c->loads, c->node_count,
			      &t->tried, turn);
}

/* What its waiting in vain is called. */
static enum transaction_end in_vain(const struct transaction *t)
{
	return t->moved ? END_FAILED : END_REFUSED;
}

static void enter_line(struct gateway *g, struct transaction *t)
{
	struct cluster *c = t->cluster;

	if (!t->wait_until)
		t->wait_until = g->poll.now_ms + c->wait_ms;
	if (t->wait_until <= g->poll.now_ms || c->tally.waiting >= WAITING_MAX) {
		transaction_end(g, t, in_vain(t));
		return;
	}
	/* In order of coming, also those that had a node before. */
	struct list *after = c->line.prev;
	while (after != &c->line &&
	       LIST_ENTRY(after, struct transaction, at)->id > t->id)
		after = after->prev;
	list_add_head(after, &t->at);
	c->tally.waiting++;
	poll_timer_set(&g->poll, &t->timer, t->wait_until);
}

/* False: there were no means, for nobody. */
static bool place(struct gateway *g, struct transaction *t)
{
	struct cluster *c = t->cluster;
	int at;

	while ((at = choose(t, &c->turn)) >= 0) {
		switch (attempt_begin(g, t, c->nodes[at])) {
		case ATTEMPT_BEGUN:
			return true;
		case ATTEMPT_FAILED:
			break;
		case ATTEMPT_NO_MEANS:
			poll_timer_set(&g->poll, &c->serve,
				       g->poll.now_ms + NO_MEANS_MS);
			enter_line(g, t);
			return false;
		}
	}
	enter_line(g, t);
	return true;
}

void transaction_place(struct gateway *g, struct transaction *t)
{
	place(g, t);
}

void transaction_serve_line(struct gateway *g, struct cluster *c)
{
	LIST_EACH(&c->line, it) {
		struct transaction *t = LIST_ENTRY(it, struct transaction, at);
		uint32_t turn = c->turn;

		if (choose(t, &turn) < 0) {
			/* It would take any: there is none for the others. */
			if (balance_empty(&t->tried))
				return;
			continue;
		}
		leave_line(g, t);
		if (!place(g, t))
			return;
	}
}

/* ---- bytes --------------------------------------------------------------------- */

static void count_bytes(struct transaction *t)
{
	struct tally *tally = &t->cluster->tally;

	tally->bytes_in += t->relay.bytes[0] - t->counted[0];
	tally->bytes_out += t->relay.bytes[1] - t->counted[1];
	memcpy(t->counted, t->relay.bytes, sizeof(t->counted));
}

void transaction_flow(struct gateway *g, struct transaction *t, size_t n)
{
	struct chunk *k = t->kept;

	transaction_move(t, TRANSACTION_FLOWING);
	poll_timer_stop(&g->poll, &t->timer);
	relay_start(g, &t->relay, &t->client, &t->machine, &transaction_ops);
	if (k) {
		t->relay.bytes[0] = k->end;
		end_put(g, &t->machine, k->bytes + t->sent, k->end - t->sent);
		chunk_give(&g->stores, k);
		t->kept = NULL;
	}
	relay_give(g, &t->relay, 1, g->stores.scratch, n);
	relay_pump(g, &t->relay);
}

/* Both directions have ended and all was written. */
static bool all_done(const struct end *a, const struct end *b)
{
	return a->in_ended && b->in_ended && (a->out_ended || a->out_dead) &&
	       (b->out_ended || b->out_dead) && end_idle(a) && end_idle(b);
}

/* The node's side broke, or the node is gone. */
static void lost(struct gateway *g, struct transaction *t, bool trouble)
{
	struct node *n = t->node;

	if (n) {
		n->failed++;
		if (trouble)
			health_trouble(g, n, false);
	}
	transaction_end(g, t, t->relay.bytes[1] ? END_RESET : END_FAILED);
}

static void over(struct gateway *g, struct transaction *t)
{
	if (!t->unanswered) {
		transaction_end(g, t, END_ANSWERED);
		return;
	}
	if (t->node) {
		t->node->failed++;
		health_trouble(g, t->node, false);
	}
	transaction_end(g, t, END_SILENT);
}

/* When it ends if no byte moves until then. */
static int64_t quiet_deadline(const struct gateway *g,
			      const struct transaction *t)
{
	bool closed = t->machine.in_ended && end_idle(&t->client);

	return t->relay.moved_ms + (closed ? g->limits.machine_close_ms :
					     t->cluster->half_close_ms);
}

static void settle(struct gateway *g, struct relay *r)
{
	struct transaction *t = POLL_OWNER(r, struct transaction, relay);
	const struct end *client = &t->client, *machine = &t->machine;

	count_bytes(t);
	if (machine->in_ended && !client->in_ended && !r->bytes[1])
		t->unanswered = r->bytes[0] != 0;
	if (client->error || client->out_dead) {
		transaction_end(g, t, machine->in_ended && end_idle(client) ?
				END_ANSWERED : END_LEFT);
	} else if (machine->error && end_idle(client)) {
		lost(g, t, true);
	} else if (all_done(client, machine) ||
		   (machine->in_ended && machine->out_dead && end_idle(client))) {
		over(g, t);
	} else if (client->in_ended || machine->in_ended) {
		int64_t due = quiet_deadline(g, t);

		if (!t->timer.slot || due < t->timer.at_ms)
			poll_timer_set(&g->poll, &t->timer, due);
	}
}

/* ---- time ---------------------------------------------------------------------- */

static void flow_late(struct gateway *g, struct transaction *t)
{
	int64_t due = quiet_deadline(g, t);

	if (due > g->poll.now_ms)
		poll_timer_set(&g->poll, &t->timer, due);
	else if (t->relay.bytes[1])
		over(g, t);
	else
		lost(g, t, false);
}

static void on_timer(struct gateway *g, struct timer *timer)
{
	struct transaction *t = POLL_OWNER(timer, struct transaction, timer);

	switch ((enum transaction_state)t->state) {
	case TRANSACTION_WAITING:
		transaction_end(g, t, in_vain(t));
		break;
	case TRANSACTION_DIALING:
		attempt_failed(g, t, FAULT_UNREACHED, "no connection in time");
		break;
	case TRANSACTION_ASKING:
		lost(g, t, false);
		break;
	case TRANSACTION_FLOWING:
		flow_late(g, t);
		break;
	case TRANSACTION_LEAVING:
		close_client(g, t, true);
		break;
	case TRANSACTION_GONE:
	case TRANSACTION_STATES:
		break;
	}
}

void transaction_sweep(struct gateway *g, struct transaction *t)
{
	bool at_node = t->state == TRANSACTION_ASKING ||
		       t->state == TRANSACTION_FLOWING;
	bool silent = at_node && flow_silent(g, &t->machine);

	if (at_node && !t->hardened && t->machine.tcp)
		flow_keepalive(t->machine.watch.fd);
	t->hardened = at_node;
	if (flow_silent(g, &t->client))
		transaction_end(g, t, END_LEFT);
	else if (silent && t->state == TRANSACTION_ASKING)
		attempt_failed(g, t, FAULT_DIED, "the node is silent");
	else if (silent)
		lost(g, t, true);
}

/* ---- nodes that fail ------------------------------------------------------------- */

static void rescue(struct gateway *g, struct transaction *t, struct node *n,
		   bool gone)
{
	/* An answer that has come already is one. */
	if (t->state == TRANSACTION_ASKING) {
		t->machine.readable = true;
		attempt_pump(g, t);
	}
	if (t->node != n)
		return;
	if (t->state != TRANSACTION_FLOWING) {
		attempt_failed(g, t, FAULT_TAKEN, n->why);
		return;
	}
	if (!gone)
		return;
	t->machine.readable = true;
	relay_pump(g, &t->relay);
	if (t->node != n)
		return;
	if (t->machine.in_ended)
		transaction_leave_node(g, t);
	else
		lost(g, t, false);
}

void transaction_rescue(struct gateway *g, struct node *n, bool gone)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&n->transactions)) {
		struct list *it = n->transactions.next;

		list_remove(it);
		list_add_tail(&now, it);
	}
	while (!list_empty(&now)) {
		struct transaction *t = LIST_ENTRY(now.next, struct transaction,
						   at);

		list_remove(&t->at);
		list_add_tail(&n->transactions, &t->at);
		rescue(g, t, n, gone);
	}
}

/* ---- the client -------------------------------------------------------------------- */

static void client_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct transaction *t = POLL_OWNER(w, struct transaction, client.watch);

	end_note(&t->client, events);
	end_note_error(&t->client, events);
	if (events & EPOLLIN)
		list_remove(&t->silent);
	switch ((enum transaction_state)t->state) {
	case TRANSACTION_WAITING:
	case TRANSACTION_DIALING:
		if (t->client.error)
			transaction_end(g, t, END_LEFT);
		break;
	case TRANSACTION_ASKING:
		if (t->client.error)
			transaction_end(g, t, END_LEFT);
		else
			attempt_pump(g, t);
		break;
	case TRANSACTION_FLOWING:
		relay_pump(g, &t->relay);
		break;
	case TRANSACTION_LEAVING:
		linger(g, t);
		break;
	case TRANSACTION_GONE:
	case TRANSACTION_STATES:
		break;
	}
}

bool transaction_evict(struct gateway *g)
{
	struct transaction *t = LIST_ENTRY(g->clusters.silent.next,
					   struct transaction, silent);

	if (list_empty(&g->clusters.silent) ||
	    g->poll.now_ms - t->opened_ms < SILENT_MS)
		return false;
	t->listener->evicted++;
	transaction_end(g, t, END_LEFT);
	return true;
}

static struct transaction *take(struct gateway *g)
{
	struct transaction *t = g->clusters.unused;

	if (!t) {
		t = calloc(1, sizeof(*t));
		CHECK("", t, "out of memory");
		return t;
	}
	g->clusters.unused = t->next_unused;
	t->next_unused = NULL;
	return t;
}

void transaction_new(struct gateway *g, struct listener *l, int fd,
		     const struct sockaddr_storage *peer)
{
	struct cluster *c = l->cluster;
	struct transaction *t = take(g);

	if (end_open(g, &t->client, fd, false, false, client_ready) < 0) {
		log_error("listener %s: %s", l->name, strerror(errno));
		bury(g, &t->grave);
		return;
	}
	t->client.tcp = l->tcp;
	t->machine.watch.fd = -1;
	t->id = ++g->next_conn;
	t->cluster = c;
	t->listener = l;
	t->timer.fire = on_timer;
	t->opened_ms = g->poll.now_ms;
	t->peer = *peer;
	l->refs++;
	g->conn_count++;
	g->clusters.open++;
	list_add_tail(&c->transactions, &t->link);
	list_add_tail(&g->clusters.silent, &t->silent);
	c->tally.transactions++;
	if (c->balance != WIRE_BALANCE_FIRST_FREE || !c->tally.waiting) {
		transaction_place(g, t);
		return;
	}
	/* Nobody overtakes those that wait for a free node. */
	enter_line(g, t);
	poll_timer_set(&g->poll, &c->serve, g->poll.now_ms);
}
