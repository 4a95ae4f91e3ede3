/* Nodes of a cluster are found well, or not: checks, and what transactions meet. */
#include "tests/unit/gateway_nodes.h"

/* Answers a check, or fails it. */
static void check_node(uint64_t machine, bool well)
{
	char said[6];
	int fd = lab_accept(nodes[machine].fd);

	lab_read(fd, said, 6);
	lab_says(fd, well ? "all is well" : "I am ill");
	close(fd);
}

static void test_health(void)
{
	fresh(WIRE_BALANCE_LEAST, 0);
	settings.health_fall = 3;
	settings.health_rise = 2;
	settings.health_interval_ms = 30;
	cluster_tell();
	node_deaf(1);
	node_hark(1);
	nodes[1].up = -1;
	node_part(1, 1, WIRE_NODE_SERVING);
	check_node(1, true);
	CLUSTER_UNTIL(nodes[1].up == 0);
	ok(!strcmp(nodes[1].why, "1 of 2 good checks"),
	   "a state is told after the first check: %s", nodes[1].why);
	check_node(1, true);
	CLUSTER_UNTIL(nodes[1].up == 1);
	ok(!nodes[1].why[0], "up after two");
	check_node(1, false);
	check_node(1, false);
	check_node(1, true);
	check_node(1, false);
	check_node(1, false);
	is_int(nodes[1].up, 1, "two failed ones are not three in a row");
	check_node(1, false);
	CLUSTER_UNTIL(nodes[1].up == 0);
	ok(!strcmp(nodes[1].why, "check: not the expected answer"),
	   "three are: %s", nodes[1].why);
	check_node(1, true);
	check_node(1, false);
	check_node(1, true);
	is_int(nodes[1].up, 0, "two good ones in a row");
	check_node(1, true);
	CLUSTER_UNTIL(nodes[1].up == 1);
	ok(true, "bring it back");
	node_deaf(1);
	CLUSTER_UNTIL(nodes[1].up == 0);
	ok(!strcmp(nodes[1].why, "check: Connection refused"),
	   "nobody listens: %s", nodes[1].why);
}

/* A connection is enough. */
static void test_connect_check(void)
{
	fresh(WIRE_BALANCE_LEAST, 0);
	settings.health_request = settings.health_expect = (struct slice){ 0 };
	cluster_tell();
	node_hark(1);
	nodes[1].up = -1;
	node_part(1, 7, WIRE_NODE_SERVING);
	CLUSTER_UNTIL(nodes[1].up == 1);
	int fd = lab_accept(nodes[1].fd);
	is_int(lab_end(fd), 0, "a check that only connects, and says goodbye");
	close(fd);
	ok(client_served(1), "it serves");
	counted("one", 1, 1, 0, 0, 0, 0);
}

static void test_passive(void)
{
	struct pair p;

	fresh(WIRE_BALANCE_LEAST, 0);
	settings.health_fall = 1000;
	cluster_tell();
	node_join(1, 1);
	node_deaf(1);
	/* No check comes by itself, and a thousand would have to fail. */
	int clients[3];
	for (int i = 0; i < 3; i++)
		clients[i] = client_asks("question");
	CLUSTER_UNTIL(nodes[1].up == 0);
	ok(true, "three that cannot connect take a node out: %s", nodes[1].why);
	node_join(2, 1);
	for (int i = 0; i < 3; i++) {
		p = (struct pair){ clients[i], node_take(2) };
		lab_hears(p.node, "question");
		if (!finish(p))
			tap_bail("not answered");
	}
	node_leave_all();
	node_join(1, 2);
	node_join(2, 2);
	node_part(2, 2, WIRE_NODE_DRAINING);
	/* Resets alone never do: a client could make a node reset. */
	for (int i = 0; i < 10; i++) {
		p = begin(1);
		lab_says(p.node, "part");
		lab_hears(p.client, "part");
		lab_reset(p.node);
		is_int(lab_end(p.client), ECONNRESET, "cut within an answer");
		close(p.client);
	}
	node_answer_check(1);
	ok(client_served(1), "a node that resets is asked, and stays");
	is_int(nodes[1].up, 1, "for its checks are good");
	counted("fourteen", 14, 4, 3, 0, 10, 0);
}

/* The listening socket of a node may close without its connections. */
static void test_troubled(void)
{
	struct pair p[3];

	fresh(WIRE_BALANCE_LEAST, 0);
	settings.health_fall = 1000;
	cluster_tell();
	node_join(1, 3);
	for (int i = 0; i < 3; i++)
		p[i] = begin(1);
	node_deaf(1);
	for (int i = 0; i < 3; i++)
		lab_reset(p[i].node);
	CLUSTER_UNTIL(nodes[1].up == 0);
	ok(!strcmp(nodes[1].why, "check: Connection refused"),
	   "several that failed and one check are enough: %s", nodes[1].why);
	node_join(2, 3);
	for (int i = 0; i < 3; i++) {
		p[i].node = node_take(2);
		lab_hears(p[i].node, "question");
	}
	ok(finish(p[0]) + finish(p[1]) + finish(p[2]) == 3,
	   "all three are answered by another");
	counted("three replays", 3, 3, 3, 0, 0, 0);
}

int main(void)
{
	cluster_start((struct gateway_limits){ .machine_close_ms = 400 });
	test_health();
	test_connect_check();
	test_passive();
	test_troubled();
	lab_stop(&lab);
	return tap_done();
}
