/*
 * The rules of scripts/rules: what each wishes from what it is told, twice the
 * same; options that make no sense are errors of the site file.
 */
#include "tests/unit/rules_harness.h"

static const char site[] =
	"site \"s\"\n"
	"application \"a\" { endpoint = \"tcp:80\" }\n"
	"pool \"p\" { application = \"a\", serve = 1, kernel = \"k\" }\n"
	"cluster \"c\" { application = \"a\", vip = \"127.0.0.9\", port = 1, nodes = 1,\n"
	"    kernel = \"k\" }\n"
	"local month = require \"rules.calendar\"\n"
	"rule \"load\" { cluster = \"c\", scale = require \"rules.load\" {\n"
	"    up = 80, down = 20, open = 50 } }\n"
	"rule \"plain\" { cluster = \"c\", scale = require \"rules.load\" { looks = 1, step = 2 } }\n"
	"rule \"least\" { cluster = \"c\", scale = require \"rules.load\" {\n"
	"    least = month { { when = \"first day\", nodes = 5 } } } }\n"
	"rule \"month\" { cluster = \"c\", scale = month {\n"
	"    { when = \"last Fri\", nodes = 6 }, { when = \"2nd Tue\", from = 20, nodes = 2 },\n"
	"    { when = \"day 15\", month = 4, vcpus = 4, memory = \"8 GiB\" },\n"
	"    { when = \"last workday\", month = 1, nodes = 7 },\n"
	"    { when = \"first workday\", month = 8, nodes = 8 },\n"
	"    { when = \"last day\", month = 2, nodes = 9 },\n"
	"    { when = \"5th Mon\", month = 3, nodes = 10 } } }\n"
	"rule \"spare\" { pool = \"p\", scale = require \"rules.spare_by_hour\" {\n"
	"    minutes = 6, least = 1, most = 10 } }\n"
	"rule \"all\" { pool = \"p\", scale = require \"rules.spare_by_hour\" {} }\n"
	"rule \"night\" { cluster = \"c\", scale = require \"rules.night_shrink\" {\n"
	"    night = { nodes = 1 }, day = { nodes = 3 }, busy = 20, weekend = true } }\n"
	"rule \"noon\" { pool = \"p\", scale = require \"rules.night_shrink\" {\n"
	"    from = 12, till = 13, night = { serve = 2, spare = 0 } } }\n";

#define HOURS " hour_sessions=0,0,0,0,0,0,0,2,40,90,30,20,10,10,20,20,10,5,1,0,0,0,0,1"

static const struct {
	const char *rule, *inputs, *want;
} table[] = {
	/* load: up */
	{ "load", "nodes=2 serving=2 max_nodes=4 min_nodes=1 open=3 cpu_history=85,90,80",
	  "ok nodes=3: cpu 85%, at least 80% in 3 looks" },
	{ "load", "nodes=2 serving=2 max_nodes=4 open=3 cpu_history=95,95,79,95",
	  "ok nodes=2: cpu 89%" },
	{ "load", "nodes=4 serving=4 max_nodes=4 cpu_history=99,99,99",
	  "ok nodes=4: cpu 99%, at least 80% in 3 looks" },
	{ "load", "nodes=2 serving=2 max_nodes=4 open=101 cpu_history=1,1,1",
	  "ok nodes=3: 101 open, more than 50 for each node" },
	{ "load", "nodes=2 serving=2 max_nodes=4 open=100 cpu_history=30,30,30",
	  "ok nodes=2: cpu 30%" },
	{ "load", "nodes=2 serving=2 max_nodes=4 open=9 waiting=1 cpu_history=1,1,1",
	  "ok nodes=3: 1 wait for a node" },
	{ "plain", "nodes=2 serving=2 max_nodes=9 cpu_history=90",
	  "ok nodes=4: cpu 90%, at least 80% in 1 looks" },
	/* load: not yet */
	{ "load", "nodes=3 serving=2 max_nodes=4 cpu_history=99,99,99",
	  "ok nodes=3: 2 of 3 nodes serve: wait for the rest" },
	{ "load", "nodes=3 serving=3 max_nodes=4 cpu_history=99,99",
	  "ok nodes=3: too little is known of the processors" },
	{ "load", "nodes=3", "ok nodes=3: too little is known of the processors" },
	/* load: down, with hysteresis */
	{ "load", "nodes=3 serving=3 min_nodes=1 max_nodes=4 open=9 cpu_history=20,10,5",
	  "ok nodes=2: cpu 11%, at most 20% in 3 looks" },
	{ "load", "nodes=3 serving=3 min_nodes=1 max_nodes=4 open=9 cpu_history=21,10,5",
	  "ok nodes=3: cpu 12%" },
	{ "load", "nodes=3 serving=3 max_nodes=4 open=101 cpu_history=5,5,5",
	  "ok nodes=3: cpu 5%" },
	{ "load", "nodes=3 serving=3 min_nodes=3 max_nodes=4 cpu_history=5,5,5",
	  "ok nodes=3: cpu 5%, at most 20% in 3 looks" },
	{ "load", "nodes=1 serving=1 max_nodes=4 cpu_history=0,0,0", "ok nodes=1: cpu 0%" },
	{ "plain", "nodes=2 serving=2 max_nodes=4 cpu_history=20", "ok nodes=1: cpu 20%, at "
	  "most 20% in 1 looks" },
	/* load: with a rule below it */
	{ "least", "nodes=2 serving=2 max_nodes=8 cpu_history=50,50,50 year=2026 month=12 day=1 "
	  "weekday=2 hour=9", "ok nodes=5: at least 5 now; cpu 50%" },
	{ "least", "nodes=2 serving=2 max_nodes=8 cpu_history=50,50,50 year=2026 month=12 day=2 "
	  "weekday=3 hour=9", "ok nodes=2: cpu 50%" },
	/* calendar; 2026-11-27 is the last Friday of its month */
	{ "month", "year=2026 month=11 day=27 weekday=5 hour=0", "ok nodes=6: last Fri" },
	{ "month", "year=2026 month=11 day=20 weekday=5 hour=0", "ok" },
	{ "month", "year=2026 month=11 day=26 weekday=4 hour=0", "ok" },
	{ "month", "year=2026 month=10 day=30 weekday=5 hour=0", "ok nodes=6: last Fri" },
	{ "month", "year=2026 month=12 day=8 weekday=2 hour=20", "ok nodes=2: 2nd Tue" },
	{ "month", "year=2026 month=12 day=8 weekday=2 hour=19", "ok" },
	{ "month", "year=2026 month=12 day=1 weekday=2 hour=20", "ok" },
	{ "month", "year=2026 month=12 day=15 weekday=2 hour=20", "ok" },
	{ "month", "year=2026 month=4 day=15 weekday=3 hour=1",
	  "ok vcpus=4 memory=8192: day 15" },
	{ "month", "year=2026 month=5 day=15 weekday=5 hour=1", "ok" },
	/* 2027-01-31 is a Sunday, the 29th the last Friday and working day */
	{ "month", "year=2027 month=1 day=29 weekday=5 hour=1", "ok nodes=7: last workday" },
	{ "month", "year=2027 month=1 day=28 weekday=4 hour=1", "ok" },
	{ "month", "year=2028 month=1 day=31 weekday=1 hour=1", "ok nodes=7: last workday" },
	/* 2026-08-01 is a Saturday */
	{ "month", "year=2026 month=8 day=3 weekday=1 hour=1", "ok nodes=8: first workday" },
	{ "month", "year=2026 month=8 day=1 weekday=6 hour=1", "ok" },
	{ "month", "year=2027 month=8 day=2 weekday=1 hour=1", "ok nodes=8: first workday" },
	{ "month", "year=2028 month=8 day=1 weekday=2 hour=1", "ok nodes=8: first workday" },
	{ "month", "year=2028 month=2 day=29 weekday=2 hour=1", "ok nodes=9: last day" },
	{ "month", "year=2028 month=2 day=28 weekday=1 hour=1", "ok" },
	{ "month", "year=2027 month=2 day=28 weekday=7 hour=1", "ok nodes=9: last day" },
	{ "month", "year=2100 month=2 day=28 weekday=7 hour=1", "ok nodes=9: last day" },
	{ "month", "year=2026 month=3 day=30 weekday=1 hour=1", "ok nodes=10: 5th Mon" },
	{ "month", "year=2027 month=3 day=29 weekday=1 hour=1", "ok nodes=10: 5th Mon" },
	{ "month", "year=2025 month=3 day=24 weekday=1 hour=1", "ok" },
	/* spare by hour: sessions * 6 minutes * 150 %, rounded up */
	{ "spare", "hour=8 minute=0 max=20" HOURS,
	  "ok spare=6: 40 sessions usually begin in hour 8" },
	{ "spare", "hour=8 minute=44 max=20" HOURS,
	  "ok spare=6: 40 sessions usually begin in hour 8" },
	{ "spare", "hour=8 minute=45 max=20" HOURS,
	  "ok spare=10: 90 sessions usually begin in hour 9" },
	{ "spare", "hour=9 minute=59 max=20" HOURS,
	  "ok spare=10: 90 sessions usually begin in hour 9" },
	{ "spare", "hour=10 minute=0 max=20" HOURS,
	  "ok spare=5: 30 sessions usually begin in hour 10" },
	{ "spare", "hour=3 minute=0 max=20" HOURS,
	  "ok spare=1: 0 sessions usually begin in hour 3" },
	{ "spare", "hour=23 minute=50 max=20" HOURS,
	  "ok spare=1: 1 sessions usually begin in hour 23" },
	{ "all", "hour=9 minute=0 max=8" HOURS,
	  "ok spare=8: 90 sessions usually begin in hour 9" },
	{ "spare", "hour=8 minute=0 max=20", "ok" },
	/* night */
	{ "night", "hour=22 weekday=3 open=20", "ok nodes=1: night" },
	{ "night", "hour=5 weekday=3 open=0", "ok nodes=1: night" },
	{ "night", "hour=6 weekday=3 open=0", "ok nodes=3: day" },
	{ "night", "hour=21 weekday=3 open=0", "ok nodes=3: day" },
	{ "night", "hour=12 weekday=6 open=0", "ok nodes=1: night" },
	{ "night", "hour=23 weekday=3 open=21", "ok nodes=3: night, but 21 in use" },
	{ "night", "hour=23 weekday=3 open=0 waiting=1", "ok nodes=3: night, but 0 in use" },
	{ "noon", "hour=12 weekday=3 busy=0", "ok serve=2 spare=0: night" },
	{ "noon", "hour=12 weekday=3 busy=1", "ok" },
	{ "noon", "hour=13 weekday=3 busy=0", "ok" },
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

#define HEAD "site \"s\"\n"
static const struct {
	const char *lua, *want;
} mistakes[] = {
	{ HEAD "require \"rules.load\" { up = 20, down = 20 }\n",
	  "rules.load: down must be less than up" },
	{ HEAD "require \"rules.calendar\" { { when = \"last Friday\", nodes = 1 } }\n",
	  "rules.calendar: when = \"last Friday\": write \"last Fri\", \"first workday\" or "
	  "\"day 15\"" },
	{ HEAD "require \"rules.calendar\" { { when = \"3rd workday\" } }\n",
	  "rules.calendar: when = \"3rd workday\": write \"last Fri\", \"first workday\" or "
	  "\"day 15\"" },
	{ HEAD "require \"rules.calendar\" { { when = \"day 32\" } }\n",
	  "rules.calendar: when = \"day 32\": write \"last Fri\", \"first workday\" or \"day "
	  "15\"" },
	{ HEAD "require \"rules.calendar\" { { nodes = 3 } }\n",
	  "rules.calendar: when = \"nil\": write \"last Fri\", \"first workday\" or \"day 15\"" },
	{ HEAD "require \"rules.night_shrink\" { from = 1 }\n",
	  "rules.night_shrink: write night = { nodes = 1 }" },
};

/* All rows again in another process: another seed, the same wishes. */
static void test_again(void)
{
	struct role r;
	int same = 0;

	role_start(&r);
	struct outcome o = role_load_shipped(&r, site);
	struct message use = { .type = WIRE_TYPE_bundle_use };
	use.bundle_use.hash = SLICE("h1");
	role_send(&r, &use);
	for (int i = ROWS - 1; i >= 0; i--) {
		role_rule(&r, 1, table[i].rule, table[i].inputs, 20000);
		same += strcmp(role_wish(&r, 1), table[i].want) == 0;
	}
	is_int(same, ROWS, "another process wishes the same, in another order");
	free(o.json);
	role_stop(&r);
}

int main(void)
{
	struct message use = { .type = WIRE_TYPE_bundle_use };
	struct role r;

	role_start(&r);
	struct outcome o = role_load_shipped(&r, site);
	if (!ok(o.done, "a site with every rule loads"))
		tap_bail("%s:%u: %s; %s", o.file, o.line, o.text, o.hint);
	free(o.json);
	use.bundle_use.hash = SLICE("h1");
	role_send(&r, &use);
	for (int i = 0; i < ROWS; i++) {
		role_rule(&r, 1, table[i].rule, table[i].inputs, 20000);
		is_text(role_wish(&r, 1), table[i].want, "%s %.60s", table[i].rule,
			table[i].inputs);
	}
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		o = role_load_shipped(&r, mistakes[i].lua);
		ok(!o.done, "refused");
		is_text(o.text, mistakes[i].want, "  text");
		is_text(o.file, "site.lua", "  in the site file");
		is_int(o.line, 2, "  at its line");
	}
	test_again();
	is_int(role_stop(&r), 0, "the role ends");
	return tap_done();
}
