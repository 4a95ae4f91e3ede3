/*
 * Clusters in a gateway (spec 3.2, 3.3; decisions.md 23): machines that serve one
 * address together.  The engine says which nodes there are and which of them
 * may serve; here their health is known, each transaction gets its node and,
 * when that fails before the first byte of an answer, another.
 *
 * A transaction is one client's connection.  A node is a machine in one
 * incarnation: another one is another node (S6).
 *
 *     cluster.c      the table, the engine's messages, counts
 *     balance.c      the choice of a node (pure)
 *     health.c       is it well: checks of our own, and what transactions meet
 *     transaction.c  a client, from accept to close
 *     attempt.c      the client at one node, until that answers or fails
 */
#ifndef REMUDA_GATEWAY_CLUSTER_H
#define REMUDA_GATEWAY_CLUSTER_H

#include "engine/gateway/balance.h"
#include "engine/gateway/internal.h"

enum {
	CLUSTERS_MAX = 1024,
	WAITING_MAX = 4096,		/* clients of a cluster without a node */
	REPLAY_MAX = 64 * 1024,		/* longer requests are not kept */
	REPLAYS_MAX = 3,		/* of one that nodes took and died of */
	HEALTH_MAX = 256,		/* request and expect of a check */
	HEALTH_ANSWER_MAX = 16 * 1024,	/* that much of its answer is looked at */
	WHY_MAX = 96,
};

/* Times in ms. */
struct health {
	uint32_t request_length, expect_length;
	uint8_t request[HEALTH_MAX], expect[HEALTH_MAX];
	int64_t interval, timeout;
	uint32_t fall, rise;
};

/* Since the gateway began.  A client that goes away by itself before its answer
 * has ended is in transactions only. */
struct tally {
	uint64_t transactions, answered, replayed, failed, reset, refused;
	uint64_t bytes_in, bytes_out;
	uint32_t open, waiting;
};

struct cluster {
	struct grave grave;
	struct list link;		/* clusters.all */
	char name[NAME_MAX_BYTES];
	bool named;			/* the present engine knows it */
	enum wire_balance balance;
	uint32_t busy;
	bool replay;
	enum wire_identity identity;	/* NONE or PROXY */
	int64_t wait_ms, half_close_ms, drain_ms;
	struct health health;
	/* In order of their machines' ids; the two arrays belong together. */
	struct node *nodes[BALANCE_NODES_MAX];
	struct balance_node loads[BALANCE_NODES_MAX];
	uint32_t node_count, turn;
	struct balance_set bits;	/* given to nodes */
	struct list transactions;	/* all of them, oldest first */
	struct list line;		/* those without a node */
	struct timer serve;		/* looks who of the line may have one */
	struct tally tally, told;
};

struct node {
	struct grave grave;
	struct cluster *cluster;
	uint32_t place;			/* in its cluster's arrays */
	uint64_t machine, incarnation;
	char name[NAME_MAX_BYTES];
	bool named;			/* the present engine knows it */
	bool tcp;
	struct sockaddr_storage address;
	socklen_t address_length;
	enum wire_node part;
	struct list transactions;	/* struct transaction.at */
	/* health.c */
	bool known, up;			/* known: a check has ended */
	uint32_t good, bad;		/* checks in a row */
	uint32_t troubles, unreached;	/* failed there since a good check */
	bool again;			/* trouble while a check was under way */
	struct end check;		/* closed: none is under way */
	bool connected;			/* the check is, so its answer counts */
	struct timer timer;		/* its deadline, or the next one */
	struct timer alarm;		/* trouble, looked at after the turn */
	int64_t checked_ms;		/* the last one began */
	char why[WHY_MAX];		/* it is not up, or "" */
	struct timer drain;		/* DRAINING: what is left is cut then */
	bool cutting;
	uint32_t cut;			/* then, and not told yet */
	/* What the engine knows. */
	enum { TOLD_NOTHING, TOLD_UP, TOLD_DOWN } told;
	uint64_t begun, failed;		/* transactions here; that failed here */
	uint64_t told_sum;
};

enum transaction_state {
	TRANSACTION_WAITING,	/* has no node */
	TRANSACTION_DIALING,	/* connecting to one */
	TRANSACTION_ASKING,	/* replayable: what the client says is kept */
	TRANSACTION_FLOWING,	/* bytes flow; no way back */
	TRANSACTION_LEAVING,	/* only the client is left, it has yet to close */
	TRANSACTION_GONE,
	TRANSACTION_STATES
};

struct transaction {
	struct grave grave;
	struct transaction *next_unused;
	int state;			/* enum transaction_state */
	struct list link;		/* cluster.transactions, clusters.leaving */
	struct list at;			/* node.transactions or cluster.line */
	struct list silent;		/* clusters.silent, till it says something */
	uint64_t id;
	struct cluster *cluster;	/* NULL: leaving */
	struct node *node;		/* NULL: waiting, leaving; or the node is gone
					 * and the rest of its answer is passed on */
	struct listener *listener;
	struct end client, machine;
	struct relay relay;
	struct timer timer;
	struct sockaddr_storage peer;
	int64_t opened_ms;
	int64_t wait_until;		/* 0: did not wait since it had a node */
	struct chunk *kept;		/* ASKING: what the client has said */
	uint32_t sent;			/* of that, to the present node */
	struct balance_set tried;
	bool moved;			/* it has had a node before */
	uint8_t deaths;			/* nodes that took it and failed */
	uint8_t silent_ends;		/* nodes that closed after the client had */
	bool unanswered;		/* the node closed first, without a byte */
	bool hardened;			/* keepalive set on the node's side */
	uint64_t counted[2];		/* bytes that are in the tally */
};

/* ---- cluster.c ------------------------------------------------------------ */

/* What a node's load says follows from its part and its health. */
void node_reload(struct gateway *g, struct node *n);
struct balance_node *node_load(const struct node *n);
/* What it may not have yet: its state, if it is not as it was told. */
void node_tell(struct gateway *g, struct node *n);
/* How many transactions were cut, if it was not told. */
void node_tell_cut(struct gateway *g, struct node *n);
/* Its counts, if they are not as they were told. */
void node_tell_counts(struct gateway *g, struct node *n);

/* ---- health.c --------------------------------------------------------------- */

void health_start(struct gateway *g, struct node *n);
void health_stop(struct gateway *g, struct node *n);
/* A transaction failed there.  unreached: it could not even connect. */
void health_trouble(struct gateway *g, struct node *n, bool unreached);

/* ---- transaction.c ------------------------------------------------------------ */

/* How a transaction ends, and what the client sees of it. */
enum transaction_end {
	END_ANSWERED,		/* in order */
	END_FAILED,		/* without a byte of an answer: reset */
	END_SILENT,		/* failed, but closed in order by the node */
	END_RESET,		/* within an answer: reset */
	END_REFUSED,		/* it got no node: closed */
	END_LEFT,		/* the client went away */
};
void transaction_move(struct transaction *t, enum transaction_state to);
void transaction_end(struct gateway *g, struct transaction *t,
		     enum transaction_end how);
/* Its node is done with it, or it with its node; the stream stays open. */
void transaction_leave_node(struct gateway *g, struct transaction *t);
/* Gives it a node or a place in the line. */
void transaction_place(struct gateway *g, struct transaction *t);
/* Bytes both ways from here on.  n bytes of an answer, or 0, are in scratch. */
void transaction_flow(struct gateway *g, struct transaction *t, size_t n);
/* Gives nodes to those of the line that may have one. */
void transaction_serve_line(struct gateway *g, struct cluster *c);
/* The node is not to be waited for: what it has not begun to answer goes to
 * others; gone: the rest is cut. */
void transaction_rescue(struct gateway *g, struct node *n, bool gone);
/* Every FLOW_SWEEPS seconds. */
void transaction_sweep(struct gateway *g, struct transaction *t);

/* ---- attempt.c ---------------------------------------------------------------- */

enum attempt { ATTEMPT_BEGUN, ATTEMPT_FAILED, ATTEMPT_NO_MEANS };
/* FAILED: the node's fault, another may be tried.  NO_MEANS: ours (descriptors,
 * ports); the node is not to blame. */
enum attempt attempt_begin(struct gateway *g, struct transaction *t,
			   struct node *n);
/* ASKING: moves what can move, looks for an answer. */
void attempt_pump(struct gateway *g, struct transaction *t);
void attempt_ready(struct gateway *g, struct watch *w, uint32_t events);

enum attempt_fault {
	FAULT_UNREACHED,	/* it could not connect */
	FAULT_DIED,		/* it took the request and failed */
	FAULT_IDLE,		/* it closed before anything was asked */
	FAULT_TAKEN,		/* it is well no more, or dropped */
};
/* Over at this node: on to another, or the end. */
void attempt_failed(struct gateway *g, struct transaction *t,
		    enum attempt_fault fault, const char *why);
/* Is that errno of a connect about us, not about whom we connect to? */
bool attempt_own_fault(int error);

#endif
