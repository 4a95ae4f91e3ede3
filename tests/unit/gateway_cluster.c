/*
 * Clusters in a gateway: balance, the line, drain, lives of machines, counts,
 * the engine's death.  How transactions are replayed: gateway_replay; how nodes
 * are found well or not: gateway_health.
 */
#include "tests/unit/gateway_nodes.h"

#include <sys/resource.h>

#include "engine/gateway/cluster.h"
#include "engine/wire/proxy_v2.h"

static int door_listen;

static void test_balance(void)
{
	struct pair open[4];

	fresh(WIRE_BALANCE_ROUND_ROBIN, 0);
	node_join(1, 1);
	node_join(2, 1);
	/* In turn, of which the first is anybody's. */
	int first = client_asks("question");
	struct pollfd p[2] = { { .fd = nodes[1].fd, .events = POLLIN },
			       { .fd = nodes[2].fd, .events = POLLIN } };
	poll(p, 2, LAB_WAIT_MS);
	uint64_t at = p[0].revents ? 1 : 2;
	open[0] = (struct pair){ first, node_take(at) };
	lab_hears(open[0].node, "question");
	for (int i = 1; i < 4; i++)
		open[i] = begin(at = 3 - at);
	ok(true, "each in turn");
	for (int i = 0; i < 4; i++)
		ok(finish(open[i]), "is answered");
	struct wire_cluster_count c = cluster_counted(4);
	ok(c.answered == 4 && c.bytes_in == 32 && c.bytes_out == 24 &&
		   !c.replayed && !c.failed && !c.reset && !c.refused,
	   "four were answered, their bytes counted");
	CLUSTER_UNTIL(nodes[1].count.transactions == 2 &&
		      nodes[2].count.transactions == 2);
	ok(!nodes[1].count.failed && !nodes[2].count.open, "two at each node");

	fresh(WIRE_BALANCE_LEAST, 0);
	node_join(1, 2);
	node_join(2, 2);
	node_part(2, 2, WIRE_NODE_CHECKED);
	open[0] = begin(1);
	open[1] = begin(1);
	node_part(2, 2, WIRE_NODE_SERVING);
	open[2] = begin(2);
	open[3] = begin(2);
	CLUSTER_UNTIL(nodes[1].count.open == 2 && nodes[2].count.open == 2 &&
		      counts.open == 4);
	ok(true, "fewest open: both have two");
	for (int i = 0; i < 4; i++)
		ok(finish(open[i]), "all are answered");
	counted("four", 4, 4, 0, 0, 0, 0);
}

static void test_first_free(void)
{
	fresh(WIRE_BALANCE_FIRST_FREE, 1);
	node_join(2, 1);
	node_join(1, 1);
	struct pair a = begin(1), b = begin(2);
	int c = client_asks("question");
	CLUSTER_UNTIL(counts.waiting == 1);
	ok(counts.open == 2, "both nodes are busy: the third waits");
	int d = client_asks("question");
	ok(finish(b), "the second node is free again");
	struct pair next = { c, node_take(2) };
	lab_hears(next.node, "question");
	ok(finish(next), "and serves who waits, in order");
	next = (struct pair){ d, node_take(2) };
	lab_hears(next.node, "question");
	ok(finish(a), "the first too");
	ok(finish(next) && client_served(1), "and whoever comes then");
	counted("five", 5, 5, 0, 0, 0, 0);
}

static void test_waiting(void)
{
	fresh(WIRE_BALANCE_LEAST, 0);
	int client = client_asks("question");
	CLUSTER_UNTIL(counts.waiting == 1);
	node_part(1, 1, WIRE_NODE_CHECKED);
	node_answer_check(1);
	CLUSTER_UNTIL(nodes[1].up == 1);
	ok(!lab_poll(nodes[1].fd, POLLIN, 50),
	   "a node that is only checked gets nothing");
	node_part(1, 1, WIRE_NODE_SERVING);
	struct pair p = { client, node_take(1) };
	lab_hears(p.node, "question");
	ok(finish(p), "who waits is served as soon as it serves");
	counted("one", 1, 1, 0, 0, 0, 0);

	node_leave_all();
	settings.wait_ms = 200;
	cluster_tell();
	client = client_asks("question");
	is_int(lab_end(client), 0, "waiting ends by a close, not a reset");
	close(client);
	settings.wait_ms = 0;
	cluster_tell();
	client = client_asks("question");
	is_int(lab_end(client), 0, "without a wait at once");
	close(client);
	counted("both refused", 2, 0, 0, 0, 0, 2);

	settings.wait_ms = 30000;
	cluster_tell();
	client = client_asks("question");
	CLUSTER_UNTIL(counts.waiting == 1);
	lab_reset(client);
	counted("a client that goes away is not", 1, 0, 0, 0, 0, 0);
}

static void test_line_is_bounded(void)
{
	static int clients[WAITING_MAX];
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < 3 * WAITING_MAX) {
		tap_note("not tried: only %llu descriptors",
			 (unsigned long long)r.rlim_cur);
		return;
	}
	fresh(WIRE_BALANCE_LEAST, 0);
	for (int i = 0; i < WAITING_MAX; i++)
		clients[i] = client_asks("q");
	CLUSTER_UNTIL(counts.waiting == WAITING_MAX);
	int more = client_asks("q");
	is_int(lab_end(more), 0, "the line is full: refused at once");
	close(more);
	for (int i = 0; i < WAITING_MAX; i++)
		lab_reset(clients[i]);
	counted("one refused", WAITING_MAX + 1, 0, 0, 0, 0, 1);
}

static void test_drain(void)
{
	fresh(WIRE_BALANCE_LEAST, 0);
	node_join(1, 1);
	struct pair old = begin(1);
	node_join(2, 1);
	node_part(1, 1, WIRE_NODE_DRAINING);
	ok(client_served(2) && client_served(2) && client_served(2),
	   "new transactions go elsewhere");
	CLUSTER_UNTIL(nodes[1].count.open == 1);
	ok(finish(old), "the open one ends in peace");
	CLUSTER_UNTIL(nodes[1].count.open == 0);
	node_leave(1, "drained");
	counted("nothing was replayed", 4, 4, 0, 0, 0, 0);
}

/* What has not ended when the time to drain is over is cut, without a word of the
 * engine; what was not answered yet goes elsewhere. */
static void test_drain_ends(void)
{
	fresh(WIRE_BALANCE_LEAST, 0);
	node_join(1, 1);
	struct pair asking = begin(1), answered = begin(1);
	lab_says(answered.node, "an");
	ok(lab_hears(answered.client, "an"), "an answer has begun");
	node_join(2, 1);
	settings.drain_ms = 300;
	cluster_tell();
	int64_t from_ms = lab_now_ms();
	node_part(1, 1, WIRE_NODE_DRAINING);
	/* Told again, by an engine that has begun anew: that is no more time. */
	settings.drain_ms = NEVER_MS;
	cluster_tell();
	node_part(1, 1, WIRE_NODE_DRAINING);
	is_int(lab_end(answered.client), ECONNRESET, "which is cut");
	ok(lab_now_ms() - from_ms >= 300, "not before its time");
	close(answered.client);
	close(answered.node);
	close(asking.node);
	asking.node = node_take(2);
	ok(lab_hears(asking.node, "question") && finish(asking),
	   "one that was not answered yet is by another node");
	CLUSTER_UNTIL(nodes[1].cut == 1 && nodes[1].count.open == 0);
	ok(client_served(2), "the others serve");
	counted("the cut one is counted", 3, 2, 1, 0, 1, 0);
	node_leave(1, "drained");

	/* Back in rotation: nothing is cut any more. */
	fresh(WIRE_BALANCE_LEAST, 0);
	node_join(1, 2);
	struct pair p = begin(1);
	settings.drain_ms = 300;
	cluster_tell();
	node_part(1, 2, WIRE_NODE_DRAINING);
	node_part(1, 2, WIRE_NODE_SERVING);
	ok(!lab_poll(p.client, POLLIN, 600), "one that stays keeps what it has");
	ok(finish(p), "and ends it");
	counted("in peace", 1, 1, 0, 0, 0, 0);
}

static void test_lives(void)
{
	fresh(WIRE_BALANCE_LEAST, 0);
	node_join(1, 5);
	struct pair p = begin(1);
	/* Words of and about the life before change nothing (S6). */
	node_part(1, 4, WIRE_NODE_DRAINING);
	nodes[1].incarnation = 4;
	node_leave(1, "an old death");
	nodes[1].incarnation = 5;	/* it is still there */
	ok(client_served(1), "what is said of an older life is not heard");
	node_deaf(1);
	node_hark(1);
	nodes[1].up = -1;
	node_part(1, 6, WIRE_NODE_SERVING);
	is_int(lab_end(p.node), ECONNRESET, "a newer one ends the older");
	node_answer_check(1);
	CLUSTER_UNTIL(nodes[1].up == 1);
	close(p.node);
	p.node = node_take(1);
	lab_hears(p.node, "question");
	ok(finish(p), "whose transaction goes to the new one: another node");
	counted("one replay", 2, 2, 1, 0, 0, 0);
}

static void test_proxy(void)
{
	struct proxy_v2_info info;
	uint8_t header[PROXY_V2_MAX];
	struct sockaddr_in own;
	socklen_t length = sizeof(own);
	size_t rest;
	char said[6];

	fresh(WIRE_BALANCE_LEAST, 0);
	settings.identity = WIRE_IDENTITY_PROXY;
	cluster_tell();
	nodes[1].up = -1;
	node_part(1, 9, WIRE_NODE_SERVING);
	int fd = lab_accept(nodes[1].fd);
	lab_read(fd, header, PROXY_V2_PREFIX);
	rest = (size_t)header[14] << 8 | header[15];
	lab_read(fd, header + PROXY_V2_PREFIX, rest);
	proxy_v2_decode(header, PROXY_V2_PREFIX + rest, &info, NULL);
	ok(info.local, "a check says that it is one: LOCAL");
	lab_read(fd, said, 6);
	lab_says(fd, "well");
	close(fd);
	CLUSTER_UNTIL(nodes[1].up == 1);
	int client = client_asks("question");
	fd = lab_accept(nodes[1].fd);
	lab_read(fd, header, PROXY_V2_PREFIX);
	rest = (size_t)header[14] << 8 | header[15];
	lab_read(fd, header + PROXY_V2_PREFIX, rest);
	proxy_v2_decode(header, PROXY_V2_PREFIX + rest, &info, NULL);
	getsockname(client, (struct sockaddr *)&own, &length);
	ok(!info.local && info.checked, "a transaction has a header, CRC right");
	is_int(info.source_port, ntohs(own.sin_port), "with the client's port");
	is_int(info.destination_port, door, "and the door's");
	ok(slice_is(info.application, "payroll"), "its cluster");
	ok(slice_is(info.incarnation, "9"), "the node's incarnation");
	ok(lab_hears(fd, "question"), "then the request");
	ok(finish((struct pair){ client, fd }), "and an answer");
	counted("one", 1, 1, 0, 0, 0, 0);
}

/* A node at a path. */
static void test_unix(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/remuda-cluster-XXXXXX";
	struct message m = {
		.type = WIRE_TYPE_node_set, .incarnation = 1,
		.node_set = { .cluster = settings.name, .machine = 3,
			      .machine_name = SLICE("payroll-03"),
			      .node = WIRE_NODE_SERVING },
	};

	fresh(WIRE_BALANCE_LEAST, 0);
	if (!mkdtemp(dir))
		tap_bail("mkdtemp");
	snprintf(un.sun_path, sizeof(un.sun_path), "%.40s/node.sock", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), tcp = nodes[3].fd;
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 8) < 0)
		tap_bail("%s: %s", un.sun_path, strerror(errno));
	m.node_set.address = slice_of(un.sun_path);
	nodes[3] = (struct node_lab){ .fd = fd, .incarnation = 1, .up = -1 };
	lab_send(&lab, &m);
	node_answer_check(3);
	CLUSTER_UNTIL(nodes[3].up == 1);
	ok(client_served(3), "a node on a unix socket");
	struct pair p = begin(3);
	node_leave(3, "gone");
	node_join(1, 10);
	close(p.node);
	p.node = node_take(1);
	lab_hears(p.node, "question");
	ok(finish(p), "is as good as any");
	counted("two", 2, 2, 1, 0, 0, 0);
	close(fd);
	unlink(un.sun_path);
	rmdir(dir);
	nodes[3].fd = tcp;
}

static uint8_t stream_byte(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint8_t)(*state >> 33);
}

static void feed(int fd, uint64_t seed, size_t total)
{
	static uint8_t block[1 << 16];

	while (total) {
		size_t n = total < sizeof(block) ? total : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = stream_byte(&seed);
		if (!lab_write(fd, block, n))
			break;
		total -= n;
	}
	shutdown(fd, SHUT_WR);
}

static size_t check(int fd, uint64_t seed)
{
	static uint8_t block[1 << 16];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			if (block[i] != stream_byte(&seed))
				return total;
	return total;
}

static void test_bulk(void)
{
	enum { BULK = 20 * 1024 * 1024 };
	pid_t feeders[2], checker;
	int status;

	fresh(WIRE_BALANCE_LEAST, 0);
	node_join(1, 11);
	struct pair p = begin(1);
	for (int i = 0; i < 2; i++) {
		fflush(stdout);
		feeders[i] = fork();
		if (feeders[i] == 0) {
			feed(i ? p.node : p.client, 7 + (uint64_t)i, BULK);
			_exit(0);
		}
	}
	checker = fork();
	if (checker == 0)
		_exit(check(p.node, 7) == BULK ? 0 : 1);
	is_int(check(p.client, 8), BULK, "20 MB out, byte for byte");
	waitpid(checker, &status, 0);
	is_int(status, 0, "20 MB in at the same time, byte for byte");
	waitpid(feeders[0], &status, 0);
	waitpid(feeders[1], &status, 0);
	close(p.client);
	close(p.node);
	struct wire_cluster_count c = cluster_counted(1);
	ok(c.answered == 1 && c.bytes_in == BULK + 8 && c.bytes_out == BULK,
	   "answered, its bytes counted exactly");
}

/* Knocks as an engine of that term; what the gateway says of sessions: none. */
static void adopt(uint64_t term)
{
	lab.engine = lab_knock(&lab, term, lab_key);
	struct message m = lab_expect(&lab, WIRE_TYPE_gateway_hello);
	is_int(m.gateway_hello.fresh, 0, "an engine of term %u adopts it",
	       (unsigned)term);
	lab_expect(&lab, WIRE_TYPE_gateway_ready);
}

static void lose_engine(void)
{
	close(lab.engine);
	lab.engine = -1;
}

static void test_adoption(void)
{
	fresh(WIRE_BALANCE_FIRST_FREE, 10);
	node_join(1, 20);
	node_join(2, 20);
	struct pair live = begin(1), other;
	node_part(1, 20, WIRE_NODE_CHECKED);
	other = begin(2);
	node_part(1, 20, WIRE_NODE_SERVING);
	ok(client_served(1), "before the engine dies");
	counts_told = 0;
	lose_engine();
	ok(client_served(1), "without it new clients are served");
	struct pair asking = begin(1);
	lab_reset(asking.node);
	asking.node = node_take(2);
	lab_hears(asking.node, "question");
	ok(finish(asking), "and replayed");
	node_answer_check(1);
	/* An engine that dies before it has named anything. */
	adopt(30);
	lose_engine();
	int64_t until = lab_now_ms() + 1200;
	unsigned asked = 0, served = 0;
	for (; lab_now_ms() < until; asked++)
		served += client_served(1);
	is_int(served, asked, "an engine that dies at once takes nothing along");
	adopt(31);
	lab_offer(&lab, 6, "payroll", door_listen, WIRE_DOOR_CLUSTER,
		  WIRE_USER_FIXED, "", "payroll");
	cluster_tell();
	nodes[1].up = -1;
	node_part(1, 20, WIRE_NODE_SERVING);
	CLUSTER_UNTIL(nodes[1].up == 1);
	ok(!lab_poll(nodes[1].fd, POLLIN, 20),
	   "the next engine is told its state without another check");
	CLUSTER_UNTIL(counts_told && counts.transactions);
	ok(lab_says(live.node, "an") && lab_hears(live.client, "an"),
	   "a transaction lives through all of it");
	/* Node 2 it does not have. */
	until = lab_now_ms() + LAB_WAIT_MS;
	while (!lab_poll(nodes[1].fd, POLLIN, 10) && lab_now_ms() < until)
		;
	is_int(lab_end(other.node), ECONNRESET,
	       "a node it does not name is dropped");
	close(other.node);
	other.node = node_take(1);
	lab_hears(other.node, "question");
	ok(finish(other), "what was there is answered elsewhere");
	ok(finish(live), "and the old one ends");
	nodes[2].incarnation = 0;
	counted("over three engines", 5 + asked, 5 + asked, 2, 0, 0, 0);
}

static void test_cluster_drop(void)
{
	struct message m = { .type = WIRE_TYPE_cluster_drop,
			     .cluster_drop = { SLICE("payroll") } };

	struct pair p = begin(1);
	lab_send(&lab, &m);
	is_int(lab_end(p.client), ECONNRESET, "a dropped cluster cuts its clients");
	close(p.client);
	close(p.node);
	nodes[1].incarnation = 0;
	int client = client_asks("question");
	ok(!lab_poll(client, POLLIN, 50), "who comes then waits in the kernel");
	settings = settings_usual;
	cluster_tell();
	node_join(1, 21);
	p = (struct pair){ client, node_take(1) };
	lab_hears(p.node, "question");
	ok(finish(p), "for it to be there again");
}

/* What makes no sense changes nothing. */
static void test_nonsense(void)
{
	struct message m = {
		.type = WIRE_TYPE_node_set, .incarnation = 1,
		.node_set = { .cluster = SLICE("nowhere"), .machine = 4,
			      .machine_name = SLICE("x-04"),
			      .address = SLICE("127.0.0.1:1"),
			      .node = WIRE_NODE_SERVING } };

	lab_send(&lab, &m);
	m.node_set.cluster = SLICE("payroll");
	m.node_set.address = SLICE("somewhere");
	lab_send(&lab, &m);
	m.node_set.address = SLICE("127.0.0.1:1");
	m.node_set.node = 9;
	lab_send(&lab, &m);
	settings.health_interval_ms = 0;
	cluster_tell();
	settings = settings_usual;
	settings.balance = 77;
	cluster_tell();
	settings = settings_usual;
	ok(client_served(1), "clusters and nodes that make no sense are not heard");
}

/* Few descriptors: a cluster's clients never take all of them. */
static void test_crowded(void)
{
	enum { DESCRIPTORS = 256, MANY = 200 };
	struct rlimit few = { DESCRIPTORS, DESCRIPTORS };
	int clients[MANY], silent[4];
	unsigned in = 0;
	uint16_t users;

	for (int i = 1; i <= NODES; i++)
		if (nodes[i].fd >= 0)
			close(nodes[i].fd);
	memset(&counts, 0, sizeof(counts));
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		tap_bail("setrlimit: %s", strerror(errno));
	cluster_start((struct gateway_limits){ .stale_ms = 0 });
	users = lab_door(&lab, 9, "desk", WIRE_DOOR_DIRECT, WIRE_USER_FIXED,
			 "kiosk", "mail");
	for (int i = 0; i < 4; i++)
		silent[i] = lab_dial(door);
	CLUSTER_UNTIL(counts.waiting == 4);
	for (int i = 0; i < MANY; i++)
		clients[i] = client_asks("question");
	for (int i = 0; i < 4; i++)
		is_int(lab_end(silent[i]), ECONNRESET,
		       "who says nothing makes way for who comes");
	CLUSTER_UNTIL(counts.waiting > 4 && counts.transactions >= 4 + counts.waiting);
	in = counts.waiting;
	ok(in < MANY, "%u clients of a cluster are let in, others wait outside", in);
	int user = lab_dial(users);
	struct message m;
	do {
		if (!lab_next(&lab, &m, LAB_WAIT_MS))
			tap_bail("no request");
	} while (m.type != WIRE_TYPE_session_request);
	ok(true, "there is room for users");
	close(user);
	for (unsigned i = 0; i < in; i++)
		lab_reset(clients[i]);
	CLUSTER_UNTIL(counts.transactions > 4 + in);
	ok(true, "those outside come in when others leave");
	for (unsigned i = in; i < MANY; i++)
		close(clients[i]);
	for (int i = 0; i < 4; i++)
		close(silent[i]);
	lab_stop(&lab);
}

int main(void)
{
	cluster_start((struct gateway_limits){ .machine_close_ms = 400,
					       .stale_ms = 800 });
	/* A socket that an engine keeps, to give it to a gateway again. */
	door_listen = lab_listen(&door);
	lab_offer(&lab, 5, "payroll", door_listen, WIRE_DOOR_CLUSTER,
		  WIRE_USER_FIXED, "", "payroll");
	test_balance();
	test_first_free();
	test_waiting();
	test_drain();
	test_drain_ends();
	test_lives();
	test_proxy();
	test_unix();
	test_bulk();
	test_line_is_bounded();
	test_adoption();
	test_cluster_drop();
	test_nonsense();
	lab_stop(&lab);
	close(door_listen);
	test_crowded();
	return tap_done();
}
