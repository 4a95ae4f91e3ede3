/* Why a cluster has its size: calendar over a year, rules, cool-downs, decisions. */
#include "tests/unit/cluster_lab.h"

#include "engine/core/calendar.h"
#include "engine/core/policy.h"

enum { DEC = 1 << 12, MAY = 1 << 5 };

static void test_dates(void)
{
	int year, month, mday, bad = 0;

	/* Every day of 800 years, against counting. */
	int64_t day = calendar_day(1800, 1, 1);
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	for (int y = 1800; y < 2600; y++)
		for (int m = 1; m <= 12; m++) {
			bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
			int n = days[m - 1] + (m == 2 && leap);

			for (int d = 1; d <= n; d++, day++) {
				calendar_date(day, &year, &month, &mday);
				bad += year != y || month != m || mday != d ||
				       calendar_day(y, m, d) != day;
			}
		}
	is_int(bad, 0, "dates of 800 years");
	struct calendar_time t = calendar_local(1700000000000, 3600);
	is_int(t.year * 10000 + t.month * 100 + t.mday, 20231114, "a day");
	is_int(t.minute, 23 * 60 + 13, "a minute, an hour east");
	is_int(t.weekday, 1, "a Tuesday");
}

static void test_entries(void)
{
	struct site_calendar night = { .weekdays = 1 << 4, .from_minute = 22 * 60,
				       .until_minute = 6 * 60 };
	struct site_calendar feast = { .from_day = (int32_t)calendar_day(2028, 2, 29),
				       .until_day = (int32_t)calendar_day(2028, 2, 29) };
	int64_t friday = calendar_day(2026, 11, 27);
	struct calendar_time t = { .day = friday, .minute = 23 * 60, .month = 11 };

	ok(calendar_holds(&night, &t), "Friday at 23");
	t.day++;
	ok(!calendar_holds(&night, &t), "Saturday at 23: no");
	t.minute = 5 * 60 + 59;
	ok(calendar_holds(&night, &t), "Saturday at 5:59 is Friday's night");
	t.minute = 6 * 60;
	ok(!calendar_holds(&night, &t), "6:00 is morning");
	t.day = calendar_day(2028, 2, 29);
	ok(calendar_holds(&feast, &t), "a leap day is a day");
	t.day = calendar_day(2028, 3, 1);
	ok(!calendar_holds(&feast, &t), "and the day after it another");
}

/* Central Europe, 2028: summer time from 26 March to 29 October, 1:00 UTC. */
static int32_t offset_of(int64_t wall_ms)
{
	int64_t from = calendar_day(2028, 3, 26) * 86400 + 3600;
	int64_t until = calendar_day(2028, 10, 29) * 86400 + 3600;
	int64_t s = wall_ms / 1000;

	return s >= from && s < until ? 7200 : 3600;
}

/* The engine's own code over a year, hour by hour: sizes as written. */
static void test_year(void)
{
	static struct site_calendar entries[] = {
		{ .text = "Dec,May", .months = DEC | MAY,
		  .size = { .vcpus = 4, .memory_mib = 512 } },
		{ .text = "Mon-Fri 08:00-18:00", .weekdays = 0x1f,
		  .from_minute = 480, .until_minute = 1080, .size.nodes = 4 },
		{ .text = "2028-02-29", .size.nodes = 6 },
	};
	struct club b;
	int wrong = 0, checked = 0, days_of_six = 0;

	entries[2].from_day = entries[2].until_day =
		(int32_t)calendar_day(2028, 2, 29);
	club_defaults(&b);
	b.cluster.calendar = entries;
	b.cluster.calendar_count = 3;
	b.wall_ms = calendar_day(2027, 12, 31) * 86400000ll;
	b.offset_s = offset_of(b.wall_ms);
	club_open(&b);
	struct cluster *c = club_cluster(&b);
	/* A look each hour, with the offset of that moment. */
	for (int hour = 0; hour < 367 * 24; hour++) {
		int64_t next_ms = (b.wall_ms / 3600000 + 1) * 3600000;

		b.offset_s = offset_of(next_ms);
		club_jump(&b, next_ms + 60000 - b.wall_ms);
		club_wait(&b, 5000);
		struct calendar_time t = calendar_local(b.wall_ms, b.offset_s);
		uint32_t nodes = t.year == 2028 && t.month == 2 && t.mday == 29 ? 6 :
				 t.weekday < 5 && t.minute >= 480 &&
						 t.minute < 1080 ? 4 : 2;
		uint32_t vcpus = t.month == 12 || t.month == 5 ? 4 : 1;

		checked++;
		days_of_six += nodes == 6;
		wrong += c->row.nodes != nodes || c->row.vcpus != vcpus ||
			 cluster_serving(c) != nodes;
	}
	is_int(wrong, 0, "sizes as written at each of %d hours", checked);
	is_int(days_of_six, 24, "24 of them on the leap day");
	ok(strstr(b.decision.inputs, "month="), "decisions say when: %s", b.decision.inputs);
	club_close(&b);
}

static void wish(struct club *b, struct event ev)
{
	ev.kind = EVENT_RULE_DONE;
	ev.rule.call = b->rule_call;
	if (!ev.rule.serve)
		ev.rule.serve = ev.rule.spare = -1;
	b->rule_call = 0;
	club_step(b, ev);
}

static void open_with_rule(struct club *b)
{
	club_defaults(b);
	b->rule = (struct site_rule){ .name = "load", .cluster = "payroll",
				      .every_ms = 30000, .deadline_ms = 1000,
				      .version = "v1" };
	club_open(b);
	club_wait(b, 2000);
}

static void test_rule(void)
{
	struct club b;

	open_with_rule(&b);
	ok(b.rule_call != 0, "it is run");
	const struct rule *r = world_rule(&b.w, SLICE("load"));
	ok(strstr(r->inputs, "cluster=payroll nodes=2 vcpus=1") &&
	   strstr(r->inputs, " cpu=0 ") && strstr(r->inputs, " hour="),
	   "with inputs: %s", r->inputs);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 3 },
					   .text = SLICE("cpu 90 over 80") } });
	is_int(club_cluster(&b)->row.nodes, 3, "its wish is granted");
	is_int(b.decision.outcome, DECISION_CHANGED, "and stored: changed");
	is_text(b.decision.text, "cpu 90 over 80", "with its reason");
	is_text(b.decision.source, "rule/load", "and source");
	is_int(b.decision.change, b.change.id, "and the change");
	club_wait(&b, 30000);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 4 } } });
	is_int(club_cluster(&b)->row.nodes, 3, "the next one waits for the cool-down");
	is_int(b.decision.outcome, DECISION_HELD_BACK, "held back: %s", b.decision.text);
	int before = b.decisions;
	club_wait(&b, 20000);
	is_int(b.decisions, before, "which is said once");
	ok(r->last.wall_ms == b.wall_ms - 20000, "one that is not stored has its time");
	club_wait(&b, 70000);
	is_int(club_cluster(&b)->row.nodes, 4, "then it is granted");
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 50 } } });
	club_wait(&b, 70000);
	is_int(club_cluster(&b)->row.nodes, 8, "S15: never above max");
	club_close(&b);
}

static void test_shrink(void)
{
	struct club b;

	open_with_rule(&b);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 4 } } });
	wish(&b, (struct event){ .rule = { .ok = true } });
	club_wait(&b, 30000);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 1 } } });
	club_wait(&b, 500000);
	is_int(club_cluster(&b)->row.nodes, 4, "shrinking has a cool-down of its own");
	club_wait(&b, 200000);
	is_int(club_cluster(&b)->row.nodes, 1, "and comes after it");
	club_close(&b);
}

static void test_broken(void)
{
	struct club b;
	int alarms = 0;

	open_with_rule(&b);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 3 } } });
	for (int i = 0; i < 5; i++) {
		club_wait(&b, 30000);
		if (b.rule_call)
			wish(&b, (struct event){ .rule.text = SLICE("site.lua:9: nil") });
	}
	for (int i = 0; i < b.logged; i++)
		alarms += strncmp(b.log[i], "RULE rule/load", 14) == 0;
	is_int(alarms, 1, "a broken rule raises one alarm");
	is_int(club_cluster(&b)->row.nodes, 3, "and its last good wish stays");
	ok(!b.rule_call, "it is not run any more");
	club_command(&b, COMMAND_RULE_ENABLE, "load", (struct event){ 0 });
	club_wait(&b, 30000);
	ok(b.rule_call, "until it is enabled");
	club_wait(&b, 7000);
	is_text(world_rule(&b.w, SLICE("load"))->last.text, "no answer in time",
		"one that never answers has failed");
	club_close(&b);
}

static void test_operator(void)
{
	struct club b;

	open_with_rule(&b);
	club_resize(&b, 5, 0, 0, 0, "");
	is_int(club_cluster(&b)->row.nodes, 5, "an operator's size");
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 3 } } });
	is_int(club_cluster(&b)->row.nodes, 5, "holds over a rule's wish");
	club_command(&b, COMMAND_CLUSTER_RESET, "payroll", (struct event){ 0 });
	club_wait(&b, 700000);
	is_int(club_cluster(&b)->row.nodes, 3, "until it is reset");
	club_command(&b, COMMAND_CLUSTER_PAUSE, "payroll", (struct event){ 0 });
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 6 } } });
	club_wait(&b, 100000);
	is_int(club_cluster(&b)->row.nodes, 3, "paused: nothing changes");
	int before = b.decisions;
	club_command(&b, COMMAND_RULE_RUN, "load", (struct event){
		.command.dry_run = true });
	if (!b.rule_call)
		club_wait(&b, 30000);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 7 } } });
	is_int(b.decisions, before + 1, "a dry run is stored");
	is_int(club_cluster(&b)->row.nodes, 3, "and does nothing");
	club_close(&b);
}

/* After a restart the size is what it was, not what the site file says. */
static void test_restart(void)
{
	struct club b, d;

	open_with_rule(&b);
	wish(&b, (struct event){ .rule = { .ok = true, .size = { .nodes = 4 } } });
	struct machine_row machines[8];
	struct ledger_row ledgers[8];
	struct world_rows rows = { .machines = machines, .ledgers = ledgers,
				   .clusters = &club_cluster(&b)->row,
				   .cluster_count = 1 };
	LIST_EACH(&club_cluster(&b)->pool->machines, it) {
		const struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		ledgers[rows.ledger_count++] = b.ledger[m->row.ledger];
		machines[rows.machine_count++] = m->row;
	}
	club_defaults(&d);
	d.rule = b.rule;
	d.now_ms = b.now_ms + 5000;
	d.wall_ms = b.wall_ms + 5000;
	club_open_with(&d, &rows);
	is_int(club_cluster(&d)->row.nodes, 4, "the size is the one decided");
	is_int(cluster_serving(club_cluster(&d)), 4, "and its nodes serve on");
	is_int(d.logged ? club_said(&d, "NODE", "leaves") : -1, 0,
	       "none of them left the rotation for it");
	club_close(&b);
	club_close(&d);
}

/* A restart in the middle of a change: it goes on and ends. */
static void test_restart_in_change(void)
{
	struct club b, d;

	club_defaults(&b);
	club_open(&b);
	TEXT_SET(b.ill, "payroll-03");
	club_resize(&b, 0, 2, 256, 0, "");
	is_int(b.change.step, STEP_CHECK, "a change is under way");
	struct machine_row machines[8];
	struct world_rows rows = { .machines = machines,
				   .clusters = &club_cluster(&b)->row,
				   .cluster_count = 1, .changes = &b.change,
				   .change_count = 1 };
	LIST_EACH(&club_cluster(&b)->pool->machines, it)
		machines[rows.machine_count++] =
			LIST_ENTRY(it, struct machine, pool_link)->row;
	club_defaults(&d);
	d.now_ms = b.now_ms + 5000;
	d.wall_ms = b.wall_ms + 5000;
	club_open_with(&d, &rows);
	club_wait(&d, 30000);
	is_int(d.change.state, CHANGE_DONE, "after a restart it is done (%s)",
	       d.change.text);
	is_text(club_nodes(&d), "payroll-03@hv3:serving payroll-04@hv1:serving",
		"by the nodes it had made");
	club_close(&b);
	club_close(&d);
}

/* The same site a little later, by an engine that has only what was saved. */
static void reopen(struct club *b)
{
	struct override_row words[sizeof(b->words) / sizeof(b->words[0])];
	struct world_rows rows = { .overrides = words,
				   .override_count = b->word_count };
	struct site_rule rule = b->rule;
	int64_t now_ms = b->now_ms + 5000, wall_ms = b->wall_ms + 5000;

	memcpy(words, b->words, sizeof(words));
	club_close(b);
	club_defaults(b);
	b->rule = rule;
	b->now_ms = now_ms;
	b->wall_ms = wall_ms;
	memcpy(b->words, words, sizeof(words));
	b->word_count = rows.override_count;
	club_open_with(b, &rows);
}

/* What an operator said of a host and of a rule is as durable as its answer. */
static void test_restart_keeps_words(void)
{
	struct club b;

	open_with_rule(&b);
	wish(&b, (struct event){ .rule.ok = true });
	club_command(&b, COMMAND_HOST_DRAIN, "hv1", (struct event){
		.command.dry_run = true });
	club_command(&b, COMMAND_RULE_DISABLE, "load", (struct event){
		.command.dry_run = true });
	is_int((int)b.word_count, 0, "a dry run says nothing that is kept");
	club_command(&b, COMMAND_HOST_DRAIN, "hv1", (struct event){ 0 });
	club_command(&b, COMMAND_RULE_DISABLE, "load", (struct event){ 0 });
	reopen(&b);
	club_wait(&b, 60000);
	ok(world_host(&b.w, SLICE("hv1"))->draining, "a drained host stays so");
	ok(!strstr(club_nodes(&b), "@hv1"), "no node is made there: %s",
	   club_nodes(&b));
	ok(world_rule(&b.w, SLICE("load"))->disabled, "a disabled rule too");
	ok(!b.rule_call, "it is not run");
	club_apply(&b, NULL);
	ok(world_host(&b.w, SLICE("hv1"))->draining &&
	   world_rule(&b.w, SLICE("load"))->disabled,
	   "a site that says nothing of it changes nothing");
	club_command(&b, COMMAND_HOST_UNDRAIN, "hv1", (struct event){ 0 });
	club_command(&b, COMMAND_RULE_ENABLE, "load", (struct event){ 0 });
	is_int((int)b.word_count, 0, "taken back, nothing is left of it");
	reopen(&b);
	club_wait(&b, 5000);
	ok(!world_host(&b.w, SLICE("hv1"))->draining, "not drained any more");
	ok(b.rule_call, "and the rule is run");
	club_close(&b);
}

int main(void)
{
	test_dates();
	test_entries();
	test_year();
	test_rule();
	test_shrink();
	test_broken();
	test_operator();
	test_restart();
	test_restart_in_change();
	test_restart_keeps_words();
	return tap_done();
}
