/*
 * Clusters under test: what gateway_lab.h has, nodes that are sockets of the test,
 * and the counts as the gateway last told them.
 *
 * Checks ask "check\n" and want "well"; node_take answers those that come before
 * the transaction it waits for.  They come at node_set, and when something failed
 * at a node; by themselves only where a test asks for a short interval.
 */
#ifndef REMUDA_TESTS_GATEWAY_NODES_H
#define REMUDA_TESTS_GATEWAY_NODES_H

#include "tests/unit/gateway_lab.h"

enum { NODES = 8, NEVER_MS = 3600 * 1000 };

static struct lab lab;
static uint16_t door;

struct node_lab {
	int fd;			/* listening; -1: nobody listens */
	uint16_t port;
	uint64_t incarnation;	/* 0: not a node now */
	int up;			/* as told last; -1: not told */
	char why[128];
	struct wire_node_count count;
	unsigned cut;		/* as told last, since it joined */
};

/* By machine number; 0 is none. */
static struct node_lab nodes[NODES + 1];
static struct wire_cluster_count counts;
static unsigned counts_told;

/* How the cluster is; tests change a field and call cluster_tell. */
static struct wire_cluster_set settings;

static const struct wire_cluster_set settings_usual = {
	.name = { "payroll", 7 }, .balance = WIRE_BALANCE_ROUND_ROBIN,
	.replay = 1, .wait_ms = 30000, .drain_ms = NEVER_MS,
	.identity = WIRE_IDENTITY_NONE,
	.health_request = { "check\n", 6 }, .health_expect = { "well", 4 },
	.health_interval_ms = NEVER_MS, .health_timeout_ms = LAB_WAIT_MS,
	.health_fall = 1, .health_rise = 1,
};

static inline void cluster_tell(void)
{
	struct message m = { .type = WIRE_TYPE_cluster_set,
			     .cluster_set = settings };

	lab_send(&lab, &m);
}

/* Takes in what the gateway says; false when nothing came in time. */
static inline bool cluster_hear(int64_t ms)
{
	struct message m;

	if (!lab_next(&lab, &m, ms))
		return false;
	switch (m.type) {
	case WIRE_TYPE_node_state: {
		struct node_lab *n = &nodes[m.node_state.machine];

		/* Of a node that was dropped meanwhile. */
		if (m.incarnation != n->incarnation)
			break;
		n->up = m.node_state.up;
		text_copy_slice(n->why, sizeof(n->why), m.node_state.text);
		break;
	}
	case WIRE_TYPE_node_count:
		nodes[m.node_count.machine].count = m.node_count;
		break;
	case WIRE_TYPE_node_cut:
		nodes[m.node_cut.machine].cut = m.node_cut.cut;
		break;
	case WIRE_TYPE_cluster_count:
		counts = m.cluster_count;
		counts_told++;
		break;
	}
	return true;
}

/* Hears until the condition holds. */
#define CLUSTER_UNTIL(condition)                                               \
	do {                                                                   \
		int64_t until_ms = lab_now_ms() + LAB_WAIT_MS;                 \
		while (!(condition) && lab_now_ms() < until_ms)                \
			cluster_hear(100);                                     \
		if (!(condition))                                              \
			tap_bail("line %d: not so: %s", __LINE__, #condition); \
	} while (0)

/* The counts once everything has ended that was begun since last time. */
static inline struct wire_cluster_count cluster_counted(uint64_t transactions)
{
	static struct wire_cluster_count before;
	struct wire_cluster_count d;

	CLUSTER_UNTIL(counts.transactions - before.transactions ==
			      transactions && !counts.open && !counts.waiting);
	d = counts;
	d.transactions -= before.transactions;
	d.answered -= before.answered;
	d.replayed -= before.replayed;
	d.failed -= before.failed;
	d.reset -= before.reset;
	d.refused -= before.refused;
	d.bytes_in -= before.bytes_in;
	d.bytes_out -= before.bytes_out;
	before = counts;
	return d;
}

/* Everything that can be counted of `transactions` that have ended. */
static inline void counted(const char *what, uint64_t transactions,
			   uint64_t answered, uint64_t replayed,
			   uint64_t failed, uint64_t reset, uint64_t refused)
{
	struct wire_cluster_count c = cluster_counted(transactions);

	ok(c.answered == answered && c.replayed == replayed &&
		   c.failed == failed && c.reset == reset &&
		   c.refused == refused,
	   "%s: answered %llu, replayed %llu, failed %llu, reset %llu, refused %llu",
	   what, (unsigned long long)c.answered,
	   (unsigned long long)c.replayed, (unsigned long long)c.failed,
	   (unsigned long long)c.reset, (unsigned long long)c.refused);
}

static inline void node_part(uint64_t machine, uint64_t incarnation,
			     enum wire_node part)
{
	char name[32], address[32];
	struct message m = {
		.type = WIRE_TYPE_node_set, .incarnation = incarnation,
		.node_set = { .cluster = settings.name, .machine = machine,
			      .node = (uint8_t)part },
	};

	snprintf(name, sizeof(name), "payroll-%02u", (unsigned)machine);
	snprintf(address, sizeof(address), "127.0.0.1:%u",
		 nodes[machine].port);
	m.node_set.machine_name = slice_of(name);
	m.node_set.address = slice_of(address);
	nodes[machine].incarnation = incarnation;
	lab_send(&lab, &m);
}

/* Nobody listens there any more; the port stays the node's. */
static inline void node_deaf(uint64_t machine)
{
	close(nodes[machine].fd);
	nodes[machine].fd = -1;
}

static inline void node_hark(uint64_t machine)
{
	nodes[machine].fd = lab_listen(&nodes[machine].port);
}

/* Answers a check if fd is one. */
static inline bool node_checked(int fd)
{
	char first[7] = "";
	bool check;

	if (!lab_poll(fd, POLLIN, LAB_WAIT_MS))
		tap_bail("a connection that says nothing");
	check = recv(fd, first, 6, MSG_PEEK) == 6 && !strcmp(first, "check\n");
	if (check) {
		lab_read(fd, first, 6);
		lab_says(fd, "all is well");
		close(fd);
	}
	return check;
}

/* The next transaction at a node, which has said something. */
static inline int node_take(uint64_t machine)
{
	int fd;

	do
		fd = lab_accept(nodes[machine].fd);
	while (node_checked(fd));
	return fd;
}

/* Waits for a check and answers it. */
static inline void node_answer_check(uint64_t machine)
{
	if (!node_checked(lab_accept(nodes[machine].fd)))
		tap_bail("a transaction came where a check was expected");
}

/* A node that serves and is well. */
static inline void node_join(uint64_t machine, uint64_t incarnation)
{
	struct node_lab *n = &nodes[machine];

	/* Checks of its life before may stand in its backlog. */
	if (n->fd >= 0)
		node_deaf(machine);
	node_hark(machine);
	n->up = -1;
	memset(&n->count, 0, sizeof(n->count));
	n->cut = 0;
	node_part(machine, incarnation, WIRE_NODE_SERVING);
	node_answer_check(machine);
	CLUSTER_UNTIL(n->up == 1);
}

static inline void node_leave(uint64_t machine, const char *why)
{
	struct message m = {
		.type = WIRE_TYPE_node_drop,
		.incarnation = nodes[machine].incarnation,
		.node_drop = { settings.name, machine, slice_of(why) },
	};

	lab_send(&lab, &m);
	nodes[machine].incarnation = 0;
}

static inline void node_leave_all(void)
{
	for (uint64_t i = 1; i <= NODES; i++)
		if (nodes[i].incarnation)
			node_leave(i, "the test is over");
}

/* A client that has said something. */
static inline int client_asks(const char *what)
{
	int fd = lab_dial(door);

	lab_says(fd, what);
	return fd;
}

/* A whole transaction at that node. */
static inline bool client_served(uint64_t machine)
{
	int client = client_asks("question"), node = node_take(machine);
	bool served = lab_hears(node, "question") && lab_says(node, "answer") &&
		      lab_hears(client, "answer");

	close(node);
	served = served && lab_end(client) == 0;
	close(client);
	return served;
}

/* The usual cluster with that balance, and no node. */
static inline void fresh(enum wire_balance balance, uint32_t busy)
{
	node_leave_all();
	settings = settings_usual;
	settings.balance = (uint8_t)balance;
	settings.busy = busy;
	cluster_tell();
}

/* An open transaction. */
struct pair {
	int client, node;
};

static inline struct pair begin(uint64_t machine)
{
	struct pair p = { .client = client_asks("question") };

	p.node = node_take(machine);
	if (!lab_hears(p.node, "question"))
		tap_bail("no question");
	return p;
}

/* Its orderly end, with an answer. */
static inline bool finish(struct pair p)
{
	bool good = lab_says(p.node, "answer") && lab_hears(p.client, "answer");

	close(p.node);
	good = good && lab_end(p.client) == 0;
	close(p.client);
	return good;
}

static inline void cluster_start(struct gateway_limits limits)
{
	settings = settings_usual;
	lab_start(&lab, limits);
	/* Not before: the gateway would hold them open. */
	for (int i = 1; i <= NODES; i++)
		nodes[i].fd = lab_listen(&nodes[i].port);
	lab_greet(&lab);
	door = lab_door(&lab, 5, "payroll", WIRE_DOOR_CLUSTER, WIRE_USER_FIXED,
			"", "payroll");
	cluster_tell();
}

#endif
