/*
 * No transaction is lost (spec 3.3): every way a node can fail before the first
 * byte of its answer, and what cannot be replayed.
 */
#include "tests/unit/gateway_nodes.h"

#include "engine/gateway/cluster.h"

static char request[REPLAY_MAX + 8192];

/* Reads n bytes of what clients say; true when they are the request's. */
static bool takes(int fd, size_t n)
{
	static char got[sizeof(request)];

	return lab_read(fd, got, n) && !memcmp(got, request, n);
}

/* Ends a transaction that node answers to client. */
static void answers(int node, int client, const char *what)
{
	ok(lab_says(node, "answer") && lab_hears(client, "answer"), "%s", what);
	close(node);
	is_int(lab_end(client), 0, "and nothing but that");
	close(client);
}

/* Two nodes, of which the first fails. */
static void two_nodes(void)
{
	node_leave_all();
	settings = settings_usual;
	settings.balance = WIRE_BALANCE_FIRST_FREE;
	settings.busy = 100;
	cluster_tell();
	node_join(1, 1);
	node_join(2, 1);
}

static void test_reset(void)
{
	two_nodes();
	int client = client_asks("question");
	int node = node_take(1);
	ok(lab_hears(node, "question"), "the first node has the request");
	lab_reset(node);
	node = node_take(2);
	ok(lab_hears(node, "question"), "it resets: the second has the same bytes");
	answers(node, client, "the client sees its answer");
	counted("one replay", 1, 1, 1, 0, 0, 0);
}

static void test_closed(void)
{
	two_nodes();
	int client = client_asks("quest");
	int node = node_take(1);
	ok(lab_hears(node, "quest"), "a part of a request");
	close(node);
	node = node_take(2);
	lab_says(client, "ion");
	ok(lab_hears(node, "question"), "closed: the second node has all of it");
	answers(node, client, "and answers");
	counted("one replay", 1, 1, 1, 0, 0, 0);
}

static void test_not_there(void)
{
	two_nodes();
	node_deaf(1);
	int client = client_asks("question");
	int node = node_take(2);
	lab_hears(node, "question");
	answers(node, client, "a node where nobody listens is passed over");
	counted("one replay", 1, 1, 1, 0, 0, 0);
}

static void test_dropped(void)
{
	two_nodes();
	int asking = client_asks("question"), within, done;
	int node = node_take(1), other;
	lab_hears(node, "question");
	within = client_asks("question");
	int half = node_take(1);
	lab_hears(half, "question");
	lab_says(half, "part of an ");
	ok(lab_hears(within, "part of an "), "an answer has begun");
	done = client_asks("question");
	int whole = node_take(1);
	lab_hears(whole, "question");
	lab_says(whole, "the whole answer");
	close(whole);
	node_leave(1, "its machine is dead");
	other = node_take(2);
	ok(lab_hears(other, "question"), "a dropped node: what it had not answered");
	answers(other, asking, "is answered by another");
	is_int(lab_end(within), ECONNRESET, "what it was answering is cut");
	is_int(lab_end(half), ECONNRESET, "at both ends");
	ok(lab_hears(done, "the whole answer"), "what it had answered is there");
	is_int(lab_end(done), 0, "to its end");
	close(within);
	close(half);
	close(done);
	close(node);
	counted("one of each", 3, 2, 1, 0, 1, 0);
}

/* The kernel of a frozen machine accepts, and nobody answers. */
static void test_frozen(void)
{
	enum { MANY = 20 };
	int clients[MANY];
	unsigned good = 0;

	two_nodes();
	settings.health_interval_ms = 200;
	settings.health_timeout_ms = 300;
	settings.health_fall = 2;
	cluster_tell();
	node_leave(1, "to be checked more often");
	node_join(1, 2);
	for (int i = 0; i < MANY; i++)
		clients[i] = client_asks("question");
	int64_t from = lab_now_ms();
	for (int i = 0; i < MANY; i++) {
		int node = node_take(2);

		if (lab_hears(node, "question") && lab_says(node, "answer"))
			good += lab_hears(clients[i], "answer");
		close(node);
		close(clients[i]);
	}
	tap_note("%d transactions of a frozen node answered %lld ms later", MANY,
		 (long long)(lab_now_ms() - from));
	is_int(good, MANY, "a frozen node: all is answered by another");
	CLUSTER_UNTIL(nodes[1].up == 0);
	ok(strstr(nodes[1].why, "no answer within 300 ms") != NULL,
	   "it is told why: %s", nodes[1].why);
	counted("each once more", MANY, MANY, MANY, 0, 0, 0);
	/* What the frozen node has in its backlog is nobody's any more. */
	node_deaf(1);
	node_leave(1, "frozen");
}

static void test_half_close(void)
{
	two_nodes();
	int client = client_asks("question");
	shutdown(client, SHUT_WR);
	int node = node_take(1);
	ok(lab_hears(node, "question"), "a request with its end");
	is_int(lab_end(node), 0, "comes with its end");
	close(node);
	node = node_take(2);
	ok(lab_hears(node, "question"), "its node dies: the request comes again");
	is_int(lab_end(node), 0, "with its end");
	answers(node, client, "and is answered");
	counted("one replay", 1, 1, 1, 0, 0, 0);

	two_nodes();
	client = client_asks("question");
	close(client);
	node = node_take(1);
	lab_hears(node, "question");
	is_int(lab_end(node), 0, "a client that closed looks the same");
	close(node);
	node = node_take(2);
	lab_hears(node, "question");
	close(node);
	counted("two nodes that close then are how the service is", 1, 1, 1, 0,
		0, 0);

	two_nodes();
	client = lab_dial(door);
	close(client);
	node = lab_accept(nodes[1].fd);
	is_int(lab_end(node), 0, "a client that never said anything");
	close(node);
	counted("one that never said anything", 1, 1, 0, 0, 0, 0);
}

/* Sends n bytes of the request, in parts. */
static int asks_much(size_t n)
{
	int client = lab_dial(door);

	for (size_t done = 0; done < n; done += 5000)
		lab_write(client, request + done,
			  n - done < 5000 ? n - done : 5000);
	return client;
}

static void test_long(void)
{
	static const size_t sizes[] = { 4615, 4616, 4617, 60000, REPLAY_MAX };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		two_nodes();
		int client = asks_much(sizes[i]);
		int node = node_take(1);
		ok(takes(node, sizes[i]), "a request of %zu bytes", sizes[i]);
		lab_reset(node);
		node = node_take(2);
		ok(takes(node, sizes[i]), "comes again byte for byte");
		answers(node, client, "and is answered");
	}
	counted("each once more", 5, 5, 5, 0, 0, 0);

	two_nodes();
	int client = asks_much(sizeof(request));
	int node = node_take(1);
	ok(takes(node, sizeof(request)), "a longer one is passed on");
	answers(node, client, "and answered");
	client = asks_much(sizeof(request));
	node = node_take(1);
	ok(takes(node, sizeof(request)), "when its node dies");
	lab_reset(node);
	is_int(lab_end(client), ECONNRESET, "the client is reset");
	close(client);
	struct wire_cluster_count c = cluster_counted(2);
	ok(c.answered == 1 && c.failed == 1 && !c.replayed && !c.reset,
	   "and that is counted as failed");
	is_int(c.bytes_in, 2 * sizeof(request), "with all its bytes");
}

static void test_early_answer(void)
{
	two_nodes();
	int client = lab_dial(door);
	lab_write(client, request, 1000);
	int node = node_take(1);
	ok(takes(node, 1000), "a node that answers");
	lab_says(node, "early ");
	ok(lab_hears(client, "early "), "before the whole request has come");
	lab_write(client, request + 1000, 50000);
	static char rest[50000];
	ok(lab_read(node, rest, sizeof(rest)) &&
		   !memcmp(rest, request + 1000, sizeof(rest)),
	   "gets the rest");
	answers(node, client, "and ends its answer");
	counted("one", 1, 1, 0, 0, 0, 0);

	client = client_asks("question");
	node = node_take(1);
	lab_says(node, "half of an");
	ok(lab_hears(client, "half of an"), "a node that dies within its answer");
	lab_reset(node);
	is_int(lab_end(client), ECONNRESET, "resets the client");
	close(client);
	counted("that is a reset", 1, 0, 0, 0, 1, 0);
}

static void test_client_gone(void)
{
	two_nodes();
	int client = client_asks("question");
	int node = node_take(1);
	lab_hears(node, "question");
	lab_reset(client);
	is_int(lab_end(node), ECONNRESET, "a client that resets is passed on");
	close(node);
	counted("and is nobody's failure", 1, 0, 0, 0, 0, 0);
	ok(!lab_poll(nodes[2].fd, POLLIN, 50), "nothing is replayed for it");
}

static void test_nobody_left(void)
{
	two_nodes();
	settings.wait_ms = 300;
	cluster_tell();
	int client = client_asks("question");
	lab_reset(node_take(1));
	lab_reset(node_take(2));
	/* Both are well, as their checks say; neither is asked again. */
	node_answer_check(1);
	node_answer_check(2);
	int64_t from = lab_now_ms();
	is_int(lab_end(client), ECONNRESET, "all have failed: the client is reset");
	ok(lab_now_ms() - from < LAB_WAIT_MS, "after the wait for another");
	close(client);
	counted("that failed", 1, 0, 1, 1, 0, 0);
	settings.wait_ms = 30000;
	cluster_tell();
	client = client_asks("question");
	lab_reset(node_take(1));
	lab_reset(node_take(2));
	CLUSTER_UNTIL(counts.waiting == 1);
	node_join(3, 1);
	int node = node_take(3);
	lab_hears(node, "question");
	answers(node, client, "a node that comes in time has it");
	counted("two replays", 1, 1, 2, 0, 0, 0);
}

/* A request that kills whoever takes it must not kill them all. */
static void test_poison(void)
{
	two_nodes();
	for (uint64_t i = 3; i <= NODES; i++)
		node_join(i, 1);
	int client = client_asks("poison");
	for (uint64_t i = 1; i <= REPLAYS_MAX + 1; i++)
		lab_reset(node_take(i));
	is_int(lab_end(client), ECONNRESET, "after %d nodes it is enough",
	       REPLAYS_MAX + 1);
	close(client);
	counted("that failed", 1, 0, REPLAYS_MAX, 1, 0, 0);
	/* Those that cannot be reached cost nothing and do not count. */
	node_leave_all();
	for (uint64_t i = 1; i <= NODES; i++)
		node_join(i, 2);
	for (uint64_t i = 1; i < NODES; i++)
		node_deaf(i);
	client = client_asks("question");
	int node = node_take(NODES);
	lab_hears(node, "question");
	answers(node, client, "seven that are gone do not matter");
	counted("seven replays", 1, 1, NODES - 1, 0, 0, 0);
}

static void test_idle(void)
{
	two_nodes();
	int client = lab_dial(door);
	int node = lab_accept(nodes[1].fd);
	close(node);
	node = lab_accept(nodes[2].fd);
	lab_says(client, "at last");
	ok(lab_hears(node, "at last"),
	   "a node that closes before anything was asked is replaced");
	answers(node, client, "unseen");
	counted("one replay", 1, 1, 1, 0, 0, 0);
	CLUSTER_UNTIL(nodes[1].count.transactions == 1);
	is_int(nodes[1].count.failed, 0, "and has not failed");
}

/* The node speaks first. */
static void test_banner(void)
{
	two_nodes();
	int client = lab_dial(door);
	int node = lab_accept(nodes[1].fd);
	lab_says(node, "220 ready\r\n");
	ok(lab_hears(client, "220 ready\r\n"), "a service that speaks first");
	lab_says(client, "QUIT");
	ok(lab_hears(node, "QUIT"), "is answered");
	answers(node, client, "and goes on");
	counted("one", 1, 1, 0, 0, 0, 0);
}

static void test_without_replay(void)
{
	two_nodes();
	settings.replay = 0;
	cluster_tell();
	int client = client_asks("question");
	int node = node_take(1);
	lab_hears(node, "question");
	lab_reset(node);
	is_int(lab_end(client), ECONNRESET, "without replay a reset is passed on");
	close(client);
	counted("and counted", 1, 0, 0, 1, 0, 0);
	client = client_asks("question");
	node = node_take(2);	/* 1 is doubted until its check */
	lab_hears(node, "question");
	close(node);
	is_int(lab_end(client), 0, "so is an end without an answer");
	close(client);
	counted("and counted, too", 1, 0, 0, 1, 0, 0);
	node_answer_check(1);
	node_answer_check(2);
	node_deaf(1);
	client = client_asks("question");
	node = node_take(2);
	lab_hears(node, "question");
	answers(node, client,
		"a node that cannot be reached was told nothing: another has it");
	counted("replayed", 1, 1, 1, 0, 0, 0);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(request); i++)
		request[i] = (char)("question"[i % 8] + i / 1000 % 7);
	cluster_start((struct gateway_limits){ .machine_close_ms = 400 });
	test_reset();
	test_closed();
	test_not_there();
	test_dropped();
	test_frozen();
	test_half_close();
	test_long();
	test_early_answer();
	test_client_gone();
	test_nobody_left();
	test_poison();
	test_idle();
	test_banner();
	test_without_replay();
	lab_stop(&lab);
	return tap_done();
}
