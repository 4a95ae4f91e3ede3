/*
 * Rules that scale: what a function sees of its inputs, what its wish becomes,
 * and that one which loops, grows, breaks out or talks nonsense is answered with
 * a text within its deadline, costing nothing but itself.
 */
#include <signal.h>

#include "tests/unit/rules_harness.h"

/* Each body is the scale function of rule r-NUMBER of a cluster; those with
 * pool, of a pool. */
struct wish {
	const char *body;
	bool pool;
	const char *inputs;
	const char *want;	/* as show() prints it; "~": a part of the text */
};

#define INPUTS "nodes=2 cpu=87 low=-3 cpu_history=80,82,90 cluster=payroll one=7, " \
	"zone=12:30 mixed=1,x, why= big=123456789012345678 huge=12345678901234567890"

static const struct wish wishes[] = {
	/* inputs */
	{ "assert(now.nodes == 2 and math.type(now.nodes) == 'integer')", false, INPUTS,
	  "ok" },
	{ "assert(#now.cpu_history == 3 and now.cpu_history[3] == 90)", false, INPUTS,
	  "ok" },
	{ "assert(now.cluster == 'payroll' and now.zone == '12:30' and now.why == '')",
	  false, INPUTS, "ok" },
	{ "assert(now.low == -3 and #now.one == 1 and now.one[1] == 7)", false, INPUTS,
	  "ok" },
	{ "assert(now.mixed[1] == 1 and now.mixed[2] == 'x' and #now.mixed == 2)", false,
	  INPUTS, "ok" },
	{ "assert(now.big == 123456789012345678 and now.huge == '12345678901234567890')",
	  false, INPUTS, "ok" },
	{ "assert(#now.cpu_history == 1 and now.cpu_history[1] == 7)", false,
	  "cpu_history=7", "ok" },
	{ "assert(now.none == nil and next(now) == nil)", false, "", "ok" },
	{ "return nil", false, "a==b", "ok" },
	{ "return nil", false, "nodes", "no ~its inputs cannot be read: \"nodes\"" },
	{ "return nil", false, "=3", "no ~its inputs cannot be read: \"=3\"" },
	/* wishes */
	{ "", false, "", "ok" },
	{ "return {}", false, "", "ok" },
	{ "return { why = 'as it is' }", false, "", "ok: as it is" },
	{ "return { nodes = now.nodes + 1, why = 'cpu is ' .. now.cpu }", false, INPUTS,
	  "ok nodes=3: cpu is 87" },
	{ "return { nodes = 4 / 2, vcpus = 256, memory = '2 GiB' }", false, "",
	  "ok nodes=2 vcpus=256 memory=2048" },
	{ "return { memory = 512 }", false, "", "ok memory=512" },
	{ "return { serve = 0, spare = 3 }", true, "", "ok serve=0 spare=3" },
	{ "return { why = ('x'):rep(300) .. '\\n' }", false, "", "ok: "
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
	{ "return { why = 'a\\27[2J' }", false, "", "ok: a\\x1b[2J" },
	/* what is no wish */
	{ "return 3", false, "", "no ~it returned a number; write return { nodes = 3, why = "
	  "\"...\" }, or return nil for no wish" },
	{ "return true", false, "", "no ~it returned a boolean" },
	{ "return { 3 }", false, "", "no ~it returned a list" },
	{ "return { node = 3, zzz = 1 }", false, "", "no ~nothing can be wished by the name "
	  "'node'; did you mean 'nodes'?" },
	{ "return { nodes = 2.5 }", false, "", "no ~it wishes nodes = 2.5: write a whole "
	  "number from 1 to 64" },
	{ "return { nodes = 0 }", false, "", "no ~it wishes nodes = 0: write a whole" },
	{ "return { nodes = 65 }", false, "", "no ~it wishes nodes = 65: write a whole" },
	{ "return { nodes = '3' }", false, "", "no ~it wishes nodes = \"3\": write a whole" },
	{ "return { nodes = 0/0 }", false, "", "no ~it wishes nodes = " },
	{ "return { nodes = math.huge }", false, "", "no ~it wishes nodes = inf: write" },
	{ "return { nodes = {} }", false, "", "no ~it wishes nodes = a table: write" },
	{ "return { nodes = 3, vcpus = 257 }", false, "", "no ~it wishes vcpus = 257: write "
	  "a whole number from 1 to 256" },
	{ "return { memory = '2 GB' }", false, "", "no ~it wishes memory = \"2 GB\": write a "
	  "whole number from 16 to 4194304 MiB; a text such as \"2 GiB\" is good too" },
	{ "return { memory = '2 GiB\\0' }", false, "", "no ~it wishes memory = " },
	{ "return { memory = 15 }", false, "", "no ~it wishes memory = 15: write" },
	{ "return { serve = 3 }", false, "", "no ~it wishes 'serve', which a cluster has "
	  "not; wish nodes, vcpus and memory" },
	{ "return { nodes = 3 }", true, "", "no ~it wishes 'nodes', which a pool has not; "
	  "wish serve and spare" },
	{ "return { spare = -1 }", true, "", "no ~it wishes spare = -1: write a whole" },
	{ "return { why = 3 }", false, "", "no ~'why' must be a text, not a number" },
	{ "return { nodes = 3, why = {} }", false, "", "no ~'why' must be a text, not a "
	  "table" },
	/* mistakes */
	{ "return { nodes = now.node + 1 }", false, INPUTS, "no ~attempt to perform "
	  "arithmetic on a nil value (field 'node')" },
	{ "error('my own words')", false, "", "no ~my own words" },
	{ "error({})", false, "", "no ~error with a table value" },
	{ "return { nodes = math.random(3) }", false, "", "no ~attempt to call a nil value "
	  "(field 'random')" },
	{ "return { nodes = os.time() }", false, "", "no ~'os' is not available here" },
	{ "io.open('/etc/passwd')", false, "", "no ~'io' is not available here" },
	{ "require 'lib.x'", false, "", "no ~must run when the site file loads" },
	{ "local nap = sleep", false, "", "no ~'sleep' is not available here" },
	{ "machine:exec{'x'}", false, "", "no ~'machine' is not defined" },
	{ "pool 'x' { }", false, "", "no ~'pool' is a statement of the site file; a hook "
	  "cannot declare" },
	{ "coroutine.yield({ nodes = 3 })", false, "", "no ~attempt to yield from outside a "
	  "coroutine" },
	{ "return setmetatable({}, { __index = function() return 3 end })", false, "", "ok" },
	{ "return setmetatable({}, { __pairs = error })", false, "", "ok" },
	/* what grows */
	{ "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", false, "",
	  "no not enough memory: Lua may use 16 MiB here" },
	{ "local s = 'x' while true do s = s .. s end", false, "", "no not enough memory: Lua "
	  "may use 16 MiB here" },
	{ "local function f() return f() + 1 end f()", false, "", "no not enough "
	  "memory: Lua may use 16 MiB here" },
	{ "return { why = ('x'):rep(1 << 40) }", false, "", "no ~" },
	{ "return load(string.char(27) .. 'Lua')()", false, "", "no ~attempt to call a nil" },
	{ "debug.sethook()", false, "", "no ~'debug' is not available here" },
	{ "setmetatable({}, { __gc = function() while true do end end })", false, "",
	  "no ~__gc is not allowed" },
	{ "getmetatable('').__index = nil", false, "", "no ~attempt to index a string value" },
};

/* Those that do not end. */
static const char *const endless[] = {
	"while true do end",
	"while true do pcall(function() while true do end end) end",
	"while true do pcall(error, 'x') end",
	"string.find(('a'):rep(30), ('a?'):rep(30) .. ('a'):rep(30))",
	"xpcall(error, function() while true do end end)",
	"coroutine.wrap(function() while true do end end)()",
	"local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) "
	"while true do pcall(function() return t[1] end) end",
	"table.sort(setmetatable({}, { __len = function() return 1e8 end, __index = "
	"function() return 1 end }), function() return true end)",
	"while true do pcall(string.rep, 'x', 1e9) end",
	"local t <close> = setmetatable({}, { __close = function() while true do end end })",
	"for i = 1, math.huge do end",
	"local t = {} while true do t[1] = {} end",
	"local n = 0 for k in pairs(setmetatable({}, { __pairs = function() return "
	"function() n = n + 1 return n end end })) do end",
};

enum { WISHES = sizeof(wishes) / sizeof(wishes[0]),
       ENDLESS = sizeof(endless) / sizeof(endless[0]), DEADLINE = 150 };

static char *site_text(void)
{
	size_t size = 1 << 16, used = 0;
	char *text = malloc(size);

	if (!text)
		tap_bail("out of memory");
	used += (size_t)snprintf(text, size, "site \"s\"\n"
		"application \"r-0\" { endpoint = \"tcp:80\" }\n"
		"pool \"p\" { application = \"r-0\", serve = 1, kernel = \"k\" }\n"
		"cluster \"c\" { application = \"r-0\", vip = \"127.0.0.9\", port = 1, "
		"nodes = 1, kernel = \"k\" }\n"
		"local calls = 0\n"
		"rule \"counts\" { cluster = \"c\", scale = function(now)\n"
		" calls = calls + 1 now.nodes = 9 return { nodes = calls } end }\n"
		"rule \"walks\" { cluster = \"c\", scale = function(now)\n"
		" local t = { z = 1, a = 2, [3] = 'c', [1.5] = 'b', [true] = 'x', m = 4 }\n"
		" local out = {} for k, v in pairs(t) do out[#out + 1] = tostring(k) .. v "
		"t.z = nil end\n"
		" for k in pairs(now) do out[#out + 1] = k end\n"
		" return { why = table.concat(out, ' ') } end }\n");
	for (int i = 0; i < WISHES; i++)
		used += (size_t)snprintf(text + used, size - used,
			"rule \"r-%d\" { %s, scale = function(now) %s end }\n", i,
			wishes[i].pool ? "pool = \"p\"" : "cluster = \"c\"",
			wishes[i].body);
	for (int i = 0; i < ENDLESS; i++)
		used += (size_t)snprintf(text + used, size - used,
			"rule \"e-%d\" { cluster = \"c\", every = 60, scale = function(now) "
			"%s end }\n", i, endless[i]);
	return text;
}

static void test_wishes(struct role *r)
{
	for (int i = 0; i < WISHES; i++) {
		const struct wish *w = &wishes[i];
		const char *part = strchr(w->want, '~');
		char name[16];

		snprintf(name, sizeof(name), "r-%d", i);
		role_rule(r, 100, name, w->inputs, 20000);
		const char *got = role_wish(r, 100);
		if (part)
			ok(strncmp(got, w->want, (size_t)(part - w->want)) == 0 &&
			   strstr(got, part + 1), "%s: %s", w->body, got);
		else
			is_text(got, w->want, "%.100s", w->body);
	}
	role_rule(r, 101, "r-0", "nodes=3", 20000);
	is_text(role_wish(r, 101), "no site.lua:13: assertion failed!",
		"a failure says at which line");
	role_rule(r, 102, "none", "", 20000);
	is_text(role_wish(r, 102), "no there is no rule \"none\"", "an unknown rule");
}

static void test_endless(struct role *r)
{
	for (int i = 0; i < ENDLESS; i++) {
		int64_t start = test_now_ms();
		char name[16], want[80];

		snprintf(name, sizeof(name), "e-%d", i);
		role_rule(r, 200, name, "", DEADLINE);
		role_rule(r, 201, "r-14", INPUTS, 20000);
		is_text(role_wish(r, 201), "ok nodes=3: cpu is 87", "another rule is well "
			"beside: %s", endless[i]);
		const char *got = role_wish(r, 200);
		int64_t took = test_now_ms() - start;
		snprintf(want, sizeof(want), "no rule %s did not finish within 150 ms; it "
			 "was computing", name);
		ok(strstr(got, want) == got, "%s", got);
		ok(took >= DEADLINE, "  not before its deadline");
		tap_note("after %lld ms", (long long)took);
	}
}

/* Whatever a run leaves behind, and whichever process runs it. */
static void test_same(struct role *r, const char *site)
{
	char first[1000];
	int same = 0;

	for (uint64_t i = 0; i < 3; i++) {
		role_rule(r, 300 + i, "counts", "nodes=1", 20000);
		is_text(role_wish(r, 300 + i), "ok nodes=1", "each run is the first");
	}
	role_rule(r, 310, "walks", "b=1 zz=2 c=3 a=4", 20000);
	TEXT_SET(first, role_wish(r, 310));
	is_text(first, "ok: truex 1.5b 3c a2 m4 a b c zz", "pairs has an order");
	for (int i = 0; i < 8; i++) {
		struct role other;

		role_start(&other);
		role_must_load(&other, site, NULL);
		role_rule(&other, 1, "walks", "zz=2 a=4 b=1 c=3", 20000);
		same += strcmp(role_wish(&other, 1), first) == 0;
		role_stop(&other);
	}
	is_int(same, 8, "the same in eight other processes");
}

/* 200 at once: 64 run, the others wait; all are answered. */
static void test_many(struct role *r)
{
	enum { MANY = 200 };
	bool seen[MANY] = { false };
	struct message m;

	for (uint64_t i = 0; i < MANY; i++)
		role_rule(r, 1000 + i, "r-14", INPUTS, 30000);
	for (int i = 0; i < MANY; i++) {
		role_next(r, &m, 20000);
		if (m.type != WIRE_TYPE_rule_done || m.request < 1000 ||
		    m.request >= 1000 + MANY || seen[m.request - 1000] ||
		    strcmp(role_show_wish(&m), "ok nodes=3: cpu is 87") != 0)
			tap_bail("%s", role_show_wish(&m));
		seen[m.request - 1000] = true;
	}
	ok(role_is_quiet(r, 50), "%d runs at once are answered once each", MANY);
}

static void test_alone(void)
{
	struct role r;

	role_start(&r);
	role_rule(&r, 1, "load", "", 1000);
	is_text(role_wish(&r, 1), "no no site file is loaded", "before a site");
	role_stop(&r);
}

int main(void)
{
	struct role r;
	char *site = site_text();

	test_alone();
	role_start(&r);
	role_must_load(&r, site, NULL);
	test_wishes(&r);
	test_same(&r, site);
	test_many(&r);
	test_endless(&r);
	is_int(role_stop(&r), 0, "the role ends with the engine");
	free(site);
	return tap_done();
}
