/* Clusters: nodes, their deaths, changes by each strategy and their undoing. */
#include "tests/unit/cluster_lab.h"

static void test_begin(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	club_wait(&b, 1000);
	is_text(club_nodes(&b), "payroll-01@hv1:serving payroll-02@hv2:serving",
		"two nodes on two hosts serve");
	ok(club_cluster(&b)->vip_held, "its address is held");
	is_int(cluster_serving(club_cluster(&b)), 2, "both count as serving");
	club_close(&b);
}

static void kill_node(struct club *b, const char *name)
{
	struct machine *m = club_machine(b, name);

	club_step(b, (struct event){
		.kind = EVENT_DOMAIN_HINT,
		.hint = { .host = slice_of(m->host->spec.name),
			  .uuid = slice_of(m->row.uuid), .hint = HINT_STOPPED } });
}

static void test_death(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	struct machine *m = club_machine(&b, "payroll-01");
	TEXT_SET(b.silent, "hv1");	/* its poll has yet to say so */
	kill_node(&b, "payroll-01");
	is_text(club_nodes(&b), "payroll-01@hv1:out payroll-02@hv2:serving",
		"out of the rotation at the hint, before any poll");
	struct ledger_row before = b.ledger[m->row.ledger];
	is_int(before.end_wall_ms, 0, "its interval is open until it is known");
	b.silent[0] = '\0';
	/* The poll does not show it. */
	struct host *h = m->host;
	b.now_ms += 10;
	club_step(&b, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = h->poll_call } });
	ok(b.ledger[before.id].end_wall_ms != 0 && b.ledger[before.id].estimated,
	   "then it ends, marked as estimated");
	club_wait(&b, 10000);
	is_text(club_nodes(&b), "payroll-01@hv1:serving payroll-02@hv2:serving",
		"and it is made anew in its place");
	is_int(club_machine(&b, "payroll-01")->row.incarnation, 1,
	       "another incarnation of it");
	club_close(&b);
}

static void test_host_lost(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.silent, "hv1");
	club_host(&b, "hv1", false);
	is_text(club_nodes(&b), "payroll-01@hv1:serving payroll-02@hv2:serving",
		"unknown is not dead: a node that answers goes on");
	TEXT_SET(b.ill, "payroll-01");
	for (uint32_t g = 0; g < 2; g++)
		club_step(&b, (struct event){
			.kind = EVENT_NODE_STATE,
			.node = { .gateway = g,
				  .machine = club_machine(&b, "payroll-01")->row.id,
				  .text = SLICE("timed out") } });
	is_text(club_nodes(&b),
		"payroll-01@hv1:out payroll-02@hv2:serving payroll-03@hv3:serving",
		"one that does not is replaced elsewhere at once");
	b.silent[0] = '\0';
	b.ill[0] = '\0';
	club_host(&b, "hv1", true);
	club_wait(&b, 10000);
	is_text(club_nodes(&b), "payroll-02@hv2:serving payroll-03@hv3:serving",
		"the old one is destroyed when its host is back");
	club_close(&b);
}

static void test_strategy(enum site_strategy strategy, const char *name)
{
	struct club b;

	club_defaults(&b);
	b.app.hooks = 1u << SITE_HOOK_START | 1u << SITE_HOOK_STOP;
	b.cluster.strategy = strategy;
	club_open(&b);
	club_wait(&b, 1000);
	club_resize(&b, 0, 2, 256, 0, "");
	club_wait(&b, 20000);
	is_int(b.change.state, CHANGE_DONE, "%s: a resize is done (%s)", name,
	       b.change.text);
	struct cluster *c = club_cluster(&b);
	is_int(c->row.vcpus, 2, "%s: and the cluster's size is the new one", name);
	is_text(club_nodes(&b), strategy == STRATEGY_LIVE ?
		"payroll-01@hv1:serving payroll-02@hv2:serving" :
		"payroll-03@hv3:serving payroll-04@hv1:serving",
		"%s: by the right machines", name);
	LIST_EACH(&c->pool->machines, it)
		is_int(LIST_ENTRY(it, struct machine, pool_link)->row.memory_mib,
		       256, "%s: of the new size", name);
	ok(!c->change && list_empty(&b.w.changes), "%s: nothing is under way", name);
	club_close(&b);
}

static void test_mapping(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	club_resize(&b, 0, 2, 0, 0, "payroll-01>payroll-07 payroll-02>hv1");
	ok(strstr(b.change.pairs, "payroll-01>payroll-07") &&
	   strstr(b.change.pairs, "payroll-02>payroll-03"),
	   "who takes over from whom is kept: %s", b.change.pairs);
	is_text(club_nodes(&b), "payroll-03@hv1:serving payroll-07@hv3:serving",
		"at the places that were named");
	club_resize(&b, 0, 1, 0, 0, "payroll-03>payroll-07");
	ok(!club_cluster(&b)->change, "a name that is taken is refused");
	club_close(&b);
}

static void test_grow_shrink(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	club_resize(&b, 4, 0, 0, 0, "");
	is_text(club_nodes(&b),
		"payroll-01@hv1:serving payroll-02@hv2:serving payroll-03@hv3:serving payroll-04@hv1:serving",
		"two nodes more, spread");
	club_resize(&b, 1, 0, 0, 0, "");
	club_wait(&b, 5000);
	is_text(club_nodes(&b), "payroll-01@hv1:serving", "and three fewer");
	club_close(&b);
}

/* A change that fails at a step ends with the old nodes serving. */
static void failing(const char *what, struct club *b)
{
	club_wait(b, 400000);
	is_int(b->change.state, CHANGE_FAILED, "%s: it fails (%s)", what,
	       b->change.text);
	is_text(club_nodes(b), "payroll-01@hv1:serving payroll-02@hv2:serving",
		"%s: the old nodes serve, nothing is left over", what);
	struct cluster *c = club_cluster(b);
	is_int(c->row.vcpus, 1, "%s: the size is the one before", what);
	ok(!c->change && !c->row.pin_vcpus, "%s: and is not asked for again", what);
	club_close(b);
}

static void test_failures(void)
{
	struct club b;

	club_defaults(&b);
	for (int i = 0; i < CLUB_HOSTS; i++)
		b.hosts[i].memory_mib = 200;
	club_open(&b);
	club_resize(&b, 0, 2, 256, 0, "");
	failing("place", &b);

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.no_create, "payroll-03");
	club_resize(&b, 0, 2, 0, 0, "");
	failing("create", &b);

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.ill, "payroll-04");
	club_resize(&b, 0, 2, 0, 0, "");
	is_text(club_nodes(&b),
		"payroll-01@hv1:serving payroll-02@hv2:serving payroll-03@hv3:checked payroll-04@hv1:checked",
		"nothing joins before all are healthy");
	failing("check", &b);

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.busy, "payroll-01");
	b.cluster.drain_ms = 3000;
	club_resize(&b, 0, 2, 0, 0, "");
	is_int(b.change.step, STEP_TRANSFER, "it waits for the old to drain");
	TEXT_SET(b.ill, "payroll-03");
	kill_node(&b, "payroll-03");
	b.busy[0] = '\0';
	b.ill[0] = '\0';
	failing("transfer", &b);

	club_defaults(&b);
	b.app.hooks = 1u << SITE_HOOK_START | 1u << SITE_HOOK_STOP;
	b.cluster.strategy = STRATEGY_MOVE;
	club_open(&b);
	TEXT_SET(b.no_stop, "payroll-02");
	club_resize(&b, 0, 2, 0, 0, "");
	failing("move, stop", &b);

	club_defaults(&b);
	b.cluster.strategy = STRATEGY_LIVE;
	club_open(&b);
	TEXT_SET(b.no_live, "payroll-02");
	club_resize(&b, 0, 2, 0, 0, "");
	failing("live", &b);
}

static void test_cancel(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.ill, "payroll-04");
	club_resize(&b, 0, 2, 0, 0, "");
	club_command(&b, COMMAND_CHANGE_CANCEL, "", (struct event){
		.command.session = b.change.id });
	club_wait(&b, 10000);
	is_int(b.change.state, CHANGE_CANCELLED, "a change is cancelled: %s",
	       b.change.text);
	is_text(club_nodes(&b), "payroll-01@hv1:serving payroll-02@hv2:serving",
		"with the old nodes serving");
	club_close(&b);
}

static void test_drain_times_out(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.busy, "payroll-01");
	club_resize(&b, 1, 0, 0, 0, "");
	club_resize(&b, 2, 0, 0, 0, "");
	club_wait(&b, 6000);
	is_int(b.change.state, CHANGE_DONE, "a node that does not drain leaves in the end");
	club_close(&b);
}

static void test_drain_is_cut(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.busy, "payroll-02");
	club_resize(&b, 1, 0, 0, 0, "");
	club_wait(&b, 3500);
	is_text(club_nodes(&b), "payroll-01@hv1:serving payroll-02@hv2:draining",
		"gateways cut what has not ended, and have a moment for it");
	const struct machine *m = club_machine(&b, "payroll-02");
	for (uint32_t g = 0; g < 2; g++) {
		struct event ev = { .node = { .gateway = g, .machine = m->row.id,
					      .incarnation = m->row.incarnation,
					      .cut = 3 - g } };

		ev.kind = EVENT_NODE_CUT;
		club_step(&b, ev);
		ev.kind = EVENT_NODE_COUNT;
		club_step(&b, ev);
	}
	ok(club_said(&b, "NODE machine/payroll-02", "3 transactions were cut") &&
	   club_said(&b, "NODE machine/payroll-02", "2 transactions were cut"),
	   "what was cut is told");
	is_int(club_severity(&b, 0, "NODE machine/payroll-02 its time"), SEVERITY_WARN,
	       "as a warning");
	is_text(club_nodes(&b), "payroll-01@hv1:serving", "and the node goes");
	club_close(&b);
}

/* An engine that finds a node draining goes on with it. */
static void test_drain_over_restart(void)
{
	struct club b, d;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.busy, "payroll-02");
	club_resize(&b, 1, 0, 0, 0, "");
	struct machine_row machines[8];
	struct world_rows rows = { .machines = machines,
				   .clusters = &club_cluster(&b)->row,
				   .cluster_count = 1, .changes = &b.change,
				   .change_count = 1 };
	LIST_EACH(&club_cluster(&b)->pool->machines, it)
		machines[rows.machine_count++] =
			LIST_ENTRY(it, struct machine, pool_link)->row;
	club_defaults(&d);
	TEXT_SET(d.busy, "payroll-02");
	d.now_ms = b.now_ms + 500;
	d.wall_ms = b.wall_ms + 500;
	club_open_with(&d, &rows);
	club_wait(&d, 1000);
	is_text(club_nodes(&d), "payroll-01@hv1:serving payroll-02@hv2:draining",
		"an engine's restart cuts nothing");
	club_wait(&d, 6000);
	is_text(club_nodes(&d), "payroll-01@hv1:serving", "and it ends in its time");
	club_close(&b);
	club_close(&d);
}

static void test_move(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	club_command(&b, COMMAND_NODE_MOVE, "payroll-01", (struct event){
		.command = { .host = SLICE("hv3"), .strategy = STRATEGY_LIVE } });
	is_text(club_nodes(&b), "payroll-01@hv3:serving payroll-02@hv2:serving",
		"a node migrates");
	is_text(club_machine(&b, "payroll-01")->row.host, "hv3", "its row says so");
	b.unknown = true;
	club_command(&b, COMMAND_NODE_MOVE, "payroll-01", (struct event){
		.command = { .host = SLICE("hv1"), .strategy = STRATEGY_LIVE } });
	club_wait(&b, 10000);
	is_int(b.change.state, CHANGE_FAILED,
	       "one of unknown outcome, still where it was: %s", b.change.text);
	is_text(club_nodes(&b), "payroll-01@hv3:serving payroll-02@hv2:serving",
		"and nothing else");
	b.unknown = false;
	club_command(&b, COMMAND_HOST_DRAIN, "hv3", (struct event){ 0 });
	club_wait(&b, 10000);
	is_text(club_nodes(&b), "payroll-02@hv2:serving payroll-03@hv1:serving",
		"a host is drained by failover");
	club_close(&b);
}

/* What cannot leave a drained host at once leaves it when it can. */
static void test_drain_later(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.ill, "payroll-03");
	club_resize(&b, 3, 0, 0, 0, "");
	is_int(b.change.step, STEP_CHECK, "a change is under way");
	club_command(&b, COMMAND_HOST_DRAIN, "hv1", (struct event){ 0 });
	ok(strstr(club_nodes(&b), "payroll-01@hv1:serving"), "a node stays for now");
	b.ill[0] = '\0';
	const struct machine *m = club_machine(&b, "payroll-03");
	for (uint32_t g = 0; g < 2; g++)
		club_step(&b, (struct event){
			.kind = EVENT_NODE_STATE,
			.node = { .gateway = g, .machine = m->row.id, .up = true,
				  .incarnation = m->row.incarnation,
				  .text = SLICE("") } });
	club_wait(&b, 20000);
	is_text(club_nodes(&b),
		"payroll-02@hv2:serving payroll-03@hv3:serving payroll-04@hv2:serving",
		"it leaves when that change is over");
	is_text(b.decision.text, "host hv1 is drained", "and it is known why");
	is_text(b.decision.source, "operator/ops1", "and who wanted it");
	club_close(&b);
}

static void test_drain_nowhere(void)
{
	struct club b;

	club_defaults(&b);
	for (int i = 1; i < CLUB_HOSTS; i++)
		b.hosts[i].memory_mib = 64;
	club_open(&b);
	club_wait(&b, 1000);
	is_int(cluster_serving(club_cluster(&b)), 2, "two nodes on the only host with room");
	club_command(&b, COMMAND_HOST_DRAIN, "hv1", (struct event){ 0 });
	uint64_t id = b.change.id;
	club_wait(&b, 3600000);
	is_int((int)b.change.id, (int)id, "nowhere to go: it is not tried again and again");
	is_int(cluster_serving(club_cluster(&b)), 2, "and both serve");
	club_host(&b, "hv2", true);
	world_host(&b.w, SLICE("hv2"))->spec.memory_mib = 4096;
	club_wait(&b, 300000);
	ok(!strstr(club_nodes(&b), "@hv1"), "when there is room they go: %s", club_nodes(&b));
	club_close(&b);
}

/* An address that is lost is an alarm; one that is let go is none. */
static void test_address(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	club_vip(&b, false, "interface br0 has no carrier");
	is_int(club_severity(&b, 0, "VIP"), SEVERITY_FAIL, "a loss is a failure");
	club_vip(&b, true, "");
	is_int(club_severity(&b, 0, "VIP"), SEVERITY_INFO, "what is held again is none");
	club_vip(&b, true, "02:00:00:00:00:01 says that it has it");
	is_int(club_severity(&b, 0, "VIP"), SEVERITY_WARN, "one that is disputed is a warning");
	int from = b.logged;
	TEXT_SET(b.cluster.ip, "127.0.0.51");
	club_apply(&b, NULL);
	ok(club_said(&b, "VIP", "127.0.0.50:80 to 127.0.0.51:80"), "it moves");
	for (int i = from; i < b.logged; i++)
		ok(b.severity[i] == SEVERITY_INFO, "no alarm: %s", b.log[i]);
	ok(club_cluster(&b)->vip_held, "and is held there");
	from = b.logged;
	club_vip(&b, false, "10.0.0.9 has it");
	is_int(club_severity(&b, from, "VIP"), SEVERITY_FAIL, "but not for ever");
	club_vip(&b, true, "");
	TEXT_SET(b.cluster.interface, "br1");
	club_apply(&b, NULL);
	club_vip(&b, false, "it moves from br0 to br1");
	is_int(club_severity(&b, from, "VIP"), SEVERITY_INFO, "another interface");
	club_vip(&b, false, "interface br1 is not there");
	is_int(club_severity(&b, from, "VIP"), SEVERITY_FAIL, "that is not there");
	club_vip(&b, true, "");
	from = b.logged;
	club_command(&b, COMMAND_SITE_CLOSE, "", (struct event){ 0 });
	is_int(club_severity(&b, from, "VIP"), SEVERITY_INFO, "a site that closes lets it go");
	ok(!club_cluster(&b)->vip_held, "which is seen");
	club_close(&b);
}

/* What gateways are told follows the site file, whatever of it changed. */
static void test_elsewhere(void)
{
	struct club b;

	club_defaults(&b);
	b.app.port = 7007;
	club_open(&b);
	int from = b.logged, told = b.node_sets;
	b.cluster.port = 81;
	club_apply(&b, NULL);
	ok(club_said(&b, "VIP", "127.0.0.50:80 to 127.0.0.50:81"), "another port is told");
	is_int(club_severity(&b, from, "NODE"), -1, "no node leaves for it");
	b.app.port = 7008;
	told = b.node_sets;
	club_apply(&b, NULL);
	is_int(b.node_sets - told, 4, "two gateways hear where two nodes serve now");
	is_int(cluster_serving(club_cluster(&b)), 2, "and they serve");
	club_close(&b);
}

static void test_gateways(void)
{
	struct club b;

	club_defaults(&b);
	club_open(&b);
	club_step(&b, (struct event){ .kind = EVENT_GATEWAY_LOST,
				      .gateway = { .index = 1 } });
	is_int(cluster_serving(club_cluster(&b)), 2, "a gateway dies: the nodes serve");
	club_gateway(&b, 1, true);
	ok(club_machine(&b, "payroll-01")->node->views[1].told,
	   "its successor is told of them");
	club_close(&b);
}

static void test_spread_sites(void)
{
	struct club b;
	char why[ROW_TEXT_SIZE];

	club_defaults(&b);
	club_open(&b);
	struct pool *p = club_cluster(&b)->pool;
	p->spec.placement.spread = SPREAD_SITES;
	struct host *h = placement_choose(&b.w, p, 1, 128, NULL, NULL, why, sizeof(why));
	is_text(h ? h->spec.name : why, "hv3", "the other site, where none is");
	world_host(&b.w, SLICE("hv3"))->disk_short = true;
	h = placement_choose(&b.w, p, 1, 128, NULL, NULL, why, sizeof(why));
	is_text(h ? h->spec.name : why, "hv1", "not where the disk is nearly full");
	world_host(&b.w, SLICE("hv1"))->disk_short = world_host(&b.w, SLICE("hv2"))->disk_short = true;
	h = placement_choose(&b.w, p, 1, 128, NULL, NULL, why, sizeof(why));
	is_text(h ? h->spec.name : why, "hv3", "but where it is on all, as before");
	for (size_t i = 0; i < b.w.host_count; i++)
		b.w.hosts[i]->disk_short = false;
	world_host(&b.w, SLICE("hv3"))->draining = true;
	h = placement_choose(&b.w, p, 1, 128, NULL, NULL, why, sizeof(why));
	is_text(h ? h->spec.name : why, "hv1", "else the first with fewest");
	h = placement_choose(&b.w, p, 1, 8192, NULL, NULL, why, sizeof(why));
	ok(!h && strstr(why, "1 are drained, 2 are full"), "no room: %s", why);
	b.w.spec.reserve = true;
	h = placement_choose(&b.w, p, 1, 3900, NULL, NULL, why, sizeof(why));
	ok(h, "reserve: 3900 of 12288 MiB leave room for one host's loss");
	h = placement_choose(&b.w, p, 1, 128, NULL, NULL, why, sizeof(why));
	ok(h, "and so does a small one");
	b.w.hosts[1]->spec.memory_mib = b.w.hosts[2]->spec.memory_mib = 200;
	h = placement_choose(&b.w, p, 1, 3900, NULL, NULL, why, sizeof(why));
	ok(!h && strstr(why, "reserve"), "where the others could not take it: %s", why);
	club_close(&b);
}

static void keep(void *arg, const char *sentence)
{
	char *out = arg;

	snprintf(out + strlen(out), 4000 - strlen(out), "%s\n", sentence);
}

static void test_whatif(void)
{
	struct club b;
	char said[4000] = "", again[4000] = "";

	club_defaults(&b);
	club_open(&b);
	const struct host *h = world_host(&b.w, SLICE("hv1"));
	whatif_host_down(&b.w, h, keep, said);
	whatif_host_down(&b.w, h, keep, again);
	is_text(again, said, "the same question has the same answer");
	ok(strstr(said, "1 of 2 nodes would be lost, 1 would go on serving") &&
	   strstr(said, "1 would be made at once on hv3"), "%s", said);
	TEXT_SET(b.silent, "hv1");
	TEXT_SET(b.ill, "payroll-01");
	club_host(&b, "hv1", false);
	for (uint32_t g = 0; g < 2; g++)
		club_step(&b, (struct event){
			.kind = EVENT_NODE_STATE,
			.node = { .gateway = g, .text = SLICE("gone"),
				  .machine = club_machine(&b, "payroll-01")->row.id } });
	ok(strstr(club_nodes(&b), "payroll-03@hv3:serving"),
	   "and what then happens is what was said");
	club_close(&b);
}

static void test_ledger(void)
{
	struct club b;
	int64_t sum = 0;

	club_defaults(&b);
	club_open(&b);
	int64_t began_ms = b.now_ms;
	club_wait(&b, 3600000);
	club_resize(&b, 0, 2, 0, STRATEGY_LIVE, "");
	club_wait(&b, 3600000);
	club_resize(&b, 1, 0, 0, 0, "");
	club_wait(&b, 5000);
	for (int i = 1; i < 200; i++)
		if (b.ledger[i].vcpus == 1 && b.ledger[i].end_wall_ms)
			sum += b.ledger[i].length_ms;
	is_int(sum, 2 * 3600000, "two nodes of 1 vCPU for an hour");
	for (int i = 1; i < 200; i++)
		ok(!b.ledger[i].id || !b.ledger[i].estimated ||
		   !b.ledger[i].end_wall_ms, "interval %d is no estimate", i),
		i = b.ledger[i + 1].id ? i : 200;
	(void)began_ms;
	club_close(&b);
}

int main(void)
{
	test_begin();
	test_death();
	test_host_lost();
	test_strategy(STRATEGY_FAILOVER, "failover");
	test_strategy(STRATEGY_SHUTDOWN, "shutdown");
	test_strategy(STRATEGY_MOVE, "move");
	test_strategy(STRATEGY_LIVE, "live");
	test_mapping();
	test_grow_shrink();
	test_failures();
	test_cancel();
	test_drain_times_out();
	test_drain_is_cut();
	test_drain_over_restart();
	test_move();
	test_drain_later();
	test_drain_nowhere();
	test_address();
	test_elsewhere();
	test_gateways();
	test_spread_sites();
	test_whatif();
	test_ledger();
	return tap_done();
}
