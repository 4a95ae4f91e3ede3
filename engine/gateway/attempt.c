/*
 * A transaction at one node, until its answer begins (decisions.md 23).
 *
 *     DIALING   nothing was said to the node: any failure is another node's turn
 *     ASKING    with replay: what the client says is kept and sent; the first
 *               byte of an answer, or of the client beyond REPLAY_MAX, ends the
 *               keeping (transaction_flow)
 *
 * A node fails by not connecting, by a reset, or by closing without an answer.
 * Then the same bytes go to a node that the transaction has not tried yet.
 *
 * Two things look like a failure and may be none.  A client may close, or only
 * end its side, and be waiting: nothing tells which, and a server may close
 * when its client did.  So a node that closes in order after the client has
 * ended is believed when a second one does the same: that is how the service
 * behaves, and the end is passed on.  And a node may close a connection on which
 * nothing was asked for long: that is nobody's fault.
 *
 * A request may kill whoever takes it.  It is sent to at most REPLAYS_MAX nodes
 * after the first; those that could not be reached do not count.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/cluster.h"
#include "engine/wire/proxy_v2.h"

/* One byte more than is kept shows that the request is longer. */
enum { ASKED_MAX = REPLAY_MAX + 1 };

bool attempt_own_fault(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM || error == EADDRNOTAVAIL;
}

static bool has_asked(const struct transaction *t)
{
	return t->kept && t->kept->end;
}

static size_t proxy_header(const struct gateway *g, const struct transaction *t,
			   uint8_t out[PROXY_V2_MAX])
{
	struct sockaddr_storage own;
	char id[48], incarnation[24];
	struct proxy_v2 p = {
		.listener = slice_of(t->listener->name),
		.application = slice_of(t->cluster->name),
	};

	snprintf(id, sizeof(id), "transaction/%u-%llu", g->index,
		 (unsigned long long)t->id);
	snprintf(incarnation, sizeof(incarnation), "%llu",
		 (unsigned long long)t->node->incarnation);
	p.unique_id = slice_of(id);
	p.incarnation = slice_of(incarnation);
	if (listener_address(t->listener, t->client.watch.fd, &own)) {
		p.source = (const struct sockaddr *)&t->peer;
		p.destination = (const struct sockaddr *)&own;
	}
	return proxy_v2_encode(&p, out, PROXY_V2_MAX);
}

void attempt_failed(struct gateway *g, struct transaction *t,
		    enum attempt_fault fault, const char *why)
{
	struct node *n = t->node;
	bool again = true;

	log_debug("transaction/%llu: node %s: %s", (unsigned long long)t->id,
		  n->name, why);
	balance_add(&t->tried, node_load(n)->bit);
	if (fault == FAULT_DIED || fault == FAULT_IDLE)
		again = ++t->deaths <= REPLAYS_MAX;
	if (fault != FAULT_IDLE)
		n->failed++;
	transaction_leave_node(g, t);
	end_close(g, &t->machine, true);
	poll_timer_stop(&g->poll, &t->timer);
	if (fault == FAULT_UNREACHED || fault == FAULT_DIED)
		health_trouble(g, n, fault == FAULT_UNREACHED);
	transaction_move(t, TRANSACTION_WAITING);
	if (again)
		transaction_place(g, t);
	else
		transaction_end(g, t, fault == FAULT_IDLE ? END_ANSWERED :
							    END_FAILED);
}

/* The node closed in order and said nothing. */
static void closed_silently(struct gateway *g, struct transaction *t)
{
	if (!t->client.in_ended)
		attempt_failed(g, t, has_asked(t) ? FAULT_DIED : FAULT_IDLE,
			       "closed without an answer");
	else if (!has_asked(t) || ++t->silent_ends == 2)
		transaction_end(g, t, END_ANSWERED);
	else
		attempt_failed(g, t, FAULT_DIED, "closed without an answer");
}

/* Looks for an answer; true when it is no longer ASKING this node. */
static bool hear(struct gateway *g, struct transaction *t)
{
	struct end *e = &t->machine;
	size_t n;

	if (!e->readable)
		return false;
	n = end_receive(e, g->stores.scratch, END_READ_MAX);
	if (n)
		transaction_flow(g, t, n);
	else if (e->error)
		attempt_failed(g, t, FAULT_DIED, strerror(e->error));
	else if (e->in_ended)
		closed_silently(g, t);
	else
		return false;
	return true;
}

/* The node does not take any more; it may have answered before. */
static void not_taken(struct gateway *g, struct transaction *t, int error)
{
	size_t n = end_receive(&t->machine, g->stores.scratch, END_READ_MAX);

	t->machine.out_dead = true;
	t->machine.out_error = error;
	if (n)
		transaction_flow(g, t, n);
	else
		attempt_failed(g, t, FAULT_DIED, strerror(error));
}

/* Sends what is kept and was not sent to this node; false when some is left,
 * or the attempt is over. */
static bool send_kept(struct gateway *g, struct transaction *t)
{
	struct end *e = &t->machine;
	struct chunk *k = t->kept;

	while (k && t->sent < k->end) {
		ssize_t n;

		if (!e->writable)
			return false;
		n = end_send(e, k->bytes + t->sent, k->end - t->sent);
		if (n >= 0) {
			t->sent += (uint32_t)n;
		} else if (errno == EAGAIN) {
			e->writable = false;
		} else if (errno != EINTR) {
			not_taken(g, t, errno);
			return false;
		}
	}
	return true;
}

/* Room behind what is kept: a small chunk first, a big one for a long request. */
static size_t make_room(struct gateway *g, struct transaction *t)
{
	struct chunk *k = t->kept;

	if (!k)
		k = t->kept = chunk_take(&g->stores, CHUNK_SMALL);
	if (k->end == k->size) {
		struct chunk *big = chunk_take(&g->stores, CHUNK_BIG);

		big->end = k->end;
		memcpy(big->bytes, k->bytes, k->end);
		chunk_give(&g->stores, k);
		k = t->kept = big;
	}
	return (k->size < ASKED_MAX ? k->size : ASKED_MAX) - k->end;
}

/* One reading of the client; false when nothing came. */
static bool listen_to_client(struct gateway *g, struct transaction *t)
{
	struct end *e = &t->client;
	size_t room, n;

	if (!e->readable || e->in_ended)
		return false;
	room = make_room(g, t);
	n = end_receive(e, t->kept->bytes + t->kept->end, room);
	t->kept->end += (uint32_t)n;
	return n != 0;
}

/* The client's end follows its last byte. */
static void pass_end(struct gateway *g, struct transaction *t)
{
	if (!t->client.in_ended || t->machine.out_ended)
		return;
	t->machine.out_ended = true;
	if (end_shut(&t->machine) < 0)
		t->machine.out_dead = true;
	poll_timer_set(&g->poll, &t->timer,
		       g->poll.now_ms + t->cluster->half_close_ms);
}

void attempt_pump(struct gateway *g, struct transaction *t)
{
	if (hear(g, t) || !end_flush(g, &t->machine))
		return;
	do {
		if (!send_kept(g, t))
			return;
		if (t->kept && t->kept->end > REPLAY_MAX) {
			transaction_flow(g, t, 0);
			return;
		}
	} while (listen_to_client(g, t));
	if (t->client.error)
		transaction_end(g, t, END_LEFT);
	else
		pass_end(g, t);
}

static void connected(struct gateway *g, struct transaction *t)
{
	poll_timer_stop(&g->poll, &t->timer);
	t->wait_until = 0;
	t->sent = 0;
	if (!t->cluster->replay) {
		transaction_flow(g, t, 0);
		return;
	}
	transaction_move(t, TRANSACTION_ASKING);
	attempt_pump(g, t);
}

void attempt_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct transaction *t = POLL_OWNER(w, struct transaction, machine.watch);
	int error;

	end_note(&t->machine, events);
	switch ((enum transaction_state)t->state) {
	case TRANSACTION_DIALING:
		error = dial_outcome(g, &t->machine, events);
		if (error > 0)
			attempt_failed(g, t, FAULT_UNREACHED, strerror(error));
		else if (error == 0)
			connected(g, t);
		break;
	case TRANSACTION_ASKING:
		attempt_pump(g, t);
		break;
	case TRANSACTION_FLOWING:
		relay_pump(g, &t->relay);
		break;
	case TRANSACTION_WAITING:
	case TRANSACTION_LEAVING:
	case TRANSACTION_GONE:
	case TRANSACTION_STATES:
		break;
	}
}

/* It goes to that node, whatever becomes of it. */
static void enter(struct transaction *t, struct node *n)
{
	t->node = n;
	list_add_tail(&n->transactions, &t->at);
	node_load(n)->open++;
	n->begun++;
	if (t->moved)
		t->cluster->tally.replayed++;
	t->moved = true;
	t->hardened = false;
}

static enum attempt refused(struct gateway *g, struct transaction *t, int error)
{
	struct node *n = t->node;

	log_debug("transaction/%llu: node %s: %s", (unsigned long long)t->id,
		  n->name, strerror(error));
	balance_add(&t->tried, node_load(n)->bit);
	n->failed++;
	transaction_leave_node(g, t);
	end_close(g, &t->machine, true);
	health_trouble(g, n, true);
	return ATTEMPT_FAILED;
}

enum attempt attempt_begin(struct gateway *g, struct transaction *t,
			   struct node *n)
{
	uint8_t header[PROXY_V2_MAX];
	bool done = false;
	int fd = dial_connect(&n->address, n->address_length, &done);
	size_t length = 0;

	if (fd >= 0 &&
	    end_open(g, &t->machine, fd, false, false, attempt_ready) < 0)
		fd = -1;
	if (fd < 0 && attempt_own_fault(errno))
		return ATTEMPT_NO_MEANS;
	enter(t, n);
	if (fd < 0)
		return refused(g, t, errno);
	t->machine.tcp = n->tcp;
	if (t->cluster->identity == WIRE_IDENTITY_PROXY) {
		length = proxy_header(g, t, header);
		end_put_raw(g, &t->machine, header, length);
	}
	if (t->machine.out_dead)
		return refused(g, t, t->machine.out_error);
	transaction_move(t, TRANSACTION_DIALING);
	/* Writing has told whether a connect in progress stands. */
	if (end_idle(&t->machine) && (done || length))
		connected(g, t);
	else
		poll_timer_set(&g->poll, &t->timer,
			       g->poll.now_ms + t->cluster->health.timeout);
	return ATTEMPT_BEGUN;
}
