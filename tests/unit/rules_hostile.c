/*
 * Hooks that do not want to end, grow without bound, or break out: each is
 * stopped at its deadline and costs nothing but itself.  And processes that
 * die under the role.
 */
#include <dirent.h>
#include <signal.h>

#include "tests/unit/rules_harness.h"

/* Each hostile hook is the prepare hook of application h-NUMBER. */
static const struct {
	const char *body;
	const char *want;	/* a part of the answer; NULL: late */
} hostile[] = {
	{ "while true do end", NULL },
	{ "while true do pcall(function() while true do end end) end", NULL },
	{ "while true do pcall(error, 'x') end", NULL },
	{ "string.find(('a'):rep(30), ('a?'):rep(30) .. ('a'):rep(30))", NULL },
	{ "xpcall(error, function() while true do end end)", NULL },
	{ "coroutine.wrap(function() while true do end end)()", NULL },
	{ "while true do local c = coroutine.create(function() while true do end "
	  "end) coroutine.resume(c) end", NULL },
	{ "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] "
	  "end }) while true do pcall(function() return t[1] end) end", NULL },
	{ "table.sort(setmetatable({}, { __len = function() return 1e8 end, "
	  "__index = function() return 1 end }), function() return true end)",
	  NULL },
	{ "while true do load('x = 1')() end", NULL },
	{ "while true do pcall(string.rep, 'x', 1e9) end", NULL },
	{ "repeat until false", NULL },
	{ "goto a ::a:: goto a", NULL },
	{ "for i = 1, math.huge do end", NULL },
	{ "local s = '' while true do s = ('x'):rep(100) end", NULL },
	{ "local t <close> = setmetatable({}, { __close = function() while true do "
	  "end end })", NULL },
	{ "return setmetatable({}, { __tostring = function() while true do end "
	  "end }) ..  tostring(m)", "attempt to concatenate" },
	{ "m:log(setmetatable({}, { __tostring = function() while true do end "
	  "end }))", NULL },
	{ "return false, setmetatable({}, { __tostring = function() while true do "
	  "end end })", NULL },
	{ "error(setmetatable({}, { __tostring = function() while true do end "
	  "end }))", "error with a table value" },
	{ "setmetatable({}, { __gc = function() while true do end end })",
	  "__gc is not allowed" },
	{ "local mt = {} setmetatable({}, mt) mt.__gc = function() while true do "
	  "end end for i = 1, 1e5 do local x = {} end error('fine')", "fine" },
	{ "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
	  "not enough memory" },
	{ "local s = 'x' while true do s = s .. s end", "not enough memory" },
	{ "local function f() return f() + 1 end f()", "not enough memory" },
	{ "local t = {} for i = 1, 1e7 do t[i] = function() return i end end",
	  "not enough memory" },
	{ "string.rep('x', 1 << 60)", "resulting string too large" },
	{ "('x'):rep(1e9)", "not enough memory" },
	{ "table.concat(setmetatable({}, { __len = function() return 1e9 end, "
	  "__index = function() return 'xxxxxxxx' end }))", "not enough memory" },
	{ "table.unpack({}, 1, 1e8)", "too many results to unpack" },
	{ "string.pack('!16i16', 1) string.format('%099999d', 1)", "invalid" },
	{ "('x'):rep(200000):find(('(x)'):rep(40))", "too many captures" },
	{ "local f = '%' .. ('1'):rep(1000) .. 'd' f:format(1)", "invalid" },
	{ "return load(('('):rep(1e6))()", "attempt to call a nil value" },
	{ "return load(string.char(27) .. 'Lua')()", "attempt to call a nil value" },
	{ "local f = load('return 1', 'x', 'b') return f()",
	  "returned a number" },
	{ "getmetatable('').__index = nil", "attempt to index a string value" },
	{ "setmetatable(_G, nil)", "cannot change a protected metatable" },
	{ "debug.sethook()", "'debug' is not available here" },
	{ "os.exit(1)", "'os' is not available here" },
	{ "io.popen('ls')", "'io' is not available here" },
	{ "collectgarbage('stop')", "'collectgarbage' is not available here" },
	{ "dofile('/etc/passwd')", "'dofile' is not available here" },
	{ "require('/etc/passwd')", "require needs the name of a module" },
	{ "math.randomseed(1)", "attempt to call a nil value" },
	{ "m.name = nil m.x = 1", "machine cannot be changed" },
	{ "m:exec{'x', input = ('y'):rep(100000)}", "at most 60000 go in one step" },
	{ "local a = {} for i = 1, 60000 do a[i] = 'w' end m:exec(a)",
	  "at most 60000 go in one step" },
	{ "m:exec{'a\\0b'}", "word 1 must be a text" },
	{ "m:exec{}", "write machine:exec{" },
	{ "m:exec(nil)", "write machine:exec{" },
	{ "m:write('relative', 'x')", "write machine:write(" },
	{ "m:write('/x\\0y', 'x')", "write machine:write(" },
	{ "m:tcp(70000)", "needs a port from 1 to 65535" },
	{ "local nap = sleep nap(-1)", "a time must be seconds" },
	{ "local nap = sleep nap(0/0)", "a time must be seconds" },
	{ "local nap = sleep nap('1 year')", "a time must be seconds" },
	{ "return nil, nil, error(nil)", "error with a nil value" },
	{ "coroutine.yield()", "attempt to yield from outside a coroutine" },
	{ "coroutine.wrap(coroutine.wrap)(1)", "bad argument #1" },
	{ "return 'yes'", "returned a string" },
};

enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]), DEADLINE = 150 };

static char *hostile_site(void)
{
	size_t size = 1 << 16, used = 0;
	char *text = malloc(size);

	if (!text)
		tap_bail("out of memory");
	used += (size_t)snprintf(text, size, "site \"s\"\n"
		"application \"good\" { endpoint = \"channel\",\n"
		" prepare = function(m) m:exec{\"x\"} end,\n"
		" ready = function(m) local nap = sleep nap(60) end,\n"
		" clean = function(m) end }\n"
		"application \"chatty\" { endpoint = \"channel\",\n"
		" prepare = function(m) while true do m:log(\"x\") end end,\n"
		" ready = function(m) for i = 1, 600 do m:log(i) end end }\n");
	for (int i = 0; i < HOSTILE; i++)
		used += (size_t)snprintf(text + used, size - used,
			"application \"h-%d\" { endpoint = \"channel\",\n"
			" prepare = function(m) %s end }\n", i, hostile[i].body);
	return text;
}

/* One hostile hook, and a good one that runs while it does. */
static void test_one(struct role *r, int i)
{
	struct message m;
	char name[16];
	int64_t start = test_now_ms();
	const char *got = NULL;
	char kept[600] = "";
	bool good = false;

	snprintf(name, sizeof(name), "h-%d", i);
	role_hook(r, 100, WIRE_HOOK_PREPARE, name,
		  hostile[i].want ? 20000 : DEADLINE);
	role_hook(r, 101, WIRE_HOOK_PREPARE, "good", 10000);
	while (!got || !good) {
		role_next(r, &m, 5000);
		if (m.request == 101 && m.type == WIRE_TYPE_hook_step) {
			role_result(r, &m, true, 0, NULL, NULL, NULL);
		} else if (m.request == 101) {
			good = m.type == WIRE_TYPE_hook_done && m.hook_done.ok;
			if (!good)
				tap_bail("the good hook: %s %.*s",
					 wire_type_name(m.type),
					 (int)m.hook_lost.text.length,
					 m.hook_lost.text.ptr);
		} else if (m.type == WIRE_TYPE_hook_lost) {
			text_copy_slice(kept, sizeof(kept), m.hook_lost.text);
			got = "lost";
		} else if (m.type == WIRE_TYPE_hook_done) {
			text_copy_slice(kept, sizeof(kept), m.hook_done.text);
			got = m.hook_done.ok ? "done" : "no";
		} else {
			tap_bail("%s: a %s", hostile[i].body,
				 wire_type_name(m.type));
		}
	}
	int64_t took = test_now_ms() - start;
	if (!hostile[i].want) {
		is_text(got, "lost", "late: %s", hostile[i].body);
		ok(strstr(kept, "prepare of mail-01 did not finish within 150 ms; "
			  "it was computing") == kept, "  and says so: %s", kept);
		ok(took >= DEADLINE && took < DEADLINE + RULES_GRACE_MS + 400,
		   "  at its deadline: %lld ms", (long long)took);
	} else {
		is_text(got, "no", "stopped: %s", hostile[i].body);
		ok(strstr(kept, hostile[i].want), "  because: %s", kept);
	}
	ok(good, "  while another hook was well");
}

static void test_place(struct role *r)
{
	role_hook(r, 200, WIRE_HOOK_PREPARE, "h-0", DEADLINE);
	is_text(role_answer(r, 200, 5000), "lost: prepare of mail-01 did not finish "
		"within 150 ms; it was computing at site.lua:10",
		"a late hook says at which line");
	role_hook(r, 201, WIRE_HOOK_READY, "good", DEADLINE);
	struct message m;
	role_step(r, &m, WIRE_STEP_SLEEP);
	is_text(role_answer(r, 201, 5000), "lost: ready of mail-01 did not finish "
		"within 150 ms; it waited for a sleep", "or for what it waited");
	role_hook(r, 202, WIRE_HOOK_PREPARE, "good", 10000);
	role_step(r, &m, WIRE_STEP_EXEC);
	struct message stop = { .type = WIRE_TYPE_hook_kill, .request = 202 };
	role_send(r, &stop);
	is_text(role_answer(r, 202, 1000), "lost: prepare of mail-01 was ended by "
		"the engine", "hook_kill");
	role_result(r, &m, true, 0, NULL, NULL, NULL);	/* too late: ignored */
	role_send(r, &stop);
	ok(role_is_quiet(r, 50), "a hook that is over says nothing more");
}

/* The living children of a process, from /proc; last: the pid of one. */
static int children_of(pid_t parent, pid_t *last)
{
	DIR *dir = opendir("/proc");
	int count = 0;

	for (struct dirent *e; dir && (e = readdir(dir));) {
		char path[300];
		int pid = (int)strtol(e->d_name, NULL, 10), ppid = 0;
		char state = 'Z';

		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		FILE *f = fopen(path, "r");
		if (f && fscanf(f, "%*d (%*[^)]) %c %d", &state, &ppid) == 2 &&
		    ppid == parent && state != 'Z') {
			*last = pid;
			count++;
		}
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return count;
}

/* Waits until a process has that many children; returns one of them, or 0. */
static pid_t await_children(pid_t parent, int count)
{
	int64_t end = test_now_ms() + 10000;
	pid_t pid = 0;

	while (children_of(parent, &pid) != count) {
		if (test_now_ms() > end)
			tap_bail("process %d has not %d children", (int)parent,
				 count);
		poll(NULL, 0, 5);
	}
	return pid;
}

static void test_chatty(struct role *r)
{
	struct message m;
	int lines = 0;

	role_hook(r, 300, WIRE_HOOK_READY, "chatty", 10000);
	for (;; lines++) {
		role_next(r, &m, 5000);
		if (m.type != WIRE_TYPE_hook_step)
			break;
		if (lines == RULES_LOGS_MAX - 1)
			ok(slice_is(m.hook_step.path, "further lines of this hook "
				    "are dropped"), "the last line says so");
	}
	is_int(lines, RULES_LOGS_MAX, "log lines of one hook are bounded");
	is_int(m.type, WIRE_TYPE_hook_done, "the hook goes on");
}

/* An engine that does not read: the role keeps its deadlines all the same, and
 * what it has to say waits. */
static void test_deaf_engine(struct role *r)
{
	enum { HOOKS = 16 };
	struct message m;
	pid_t zygote = await_children(r->pid, 1);
	int lines = 0, lost = 0;

	for (uint64_t i = 0; i < HOOKS; i++)
		role_hook(r, 310 + i, WIRE_HOOK_PREPARE, "chatty", 3000);
	pid_t child = await_children(zygote, HOOKS);
	ok(child > 0, "%d endless chatterers run", HOOKS);
	await_children(zygote, 0);
	is_int(children_of(zygote, &child), 0,
	       "and are stopped while the engine does not read");
	role_hook(r, 330, WIRE_HOOK_CLEAN, "good", 10000);
	for (bool done = false; lost < HOOKS || !done;) {
		role_next(r, &m, 5000);
		lines += m.type == WIRE_TYPE_hook_step;
		lost += m.type == WIRE_TYPE_hook_lost;
		done = done || (m.type == WIRE_TYPE_hook_done && m.request == 330);
	}
	ok(lines > 100 && lines <= HOOKS * RULES_LOGS_MAX,
	   "%d lines came, %d hooks are answered, the next one ran", lines, lost);
}

/* 200 hooks at once: 64 run, the others wait; all are answered. */
static void test_many(struct role *r)
{
	enum { MANY = 200 };
	struct message m, first[RULES_HOOKS_MAX];
	int running = 0, answered = 0;

	for (uint64_t i = 0; i < MANY; i++)
		role_hook(r, 1000 + i, WIRE_HOOK_PREPARE, "good", 30000);
	for (; running < RULES_HOOKS_MAX; running++) {
		role_next(r, &first[running], 10000);
		if (first[running].type != WIRE_TYPE_hook_step)
			tap_bail("a %s", wire_type_name(first[running].type));
	}
	ok(role_is_quiet(r, 300), "%d hooks run, no more", running);
	role_hook(r, 2000, WIRE_HOOK_CLEAN, "good", 100);
	is_text(role_answer(r, 2000, 2000), "lost: clean of mail-01 found no free "
		"place within 100 ms: 64 hooks and rules run already",
		"one more does not find a place in time");
	for (int i = 0; i < running; i++)
		role_result(r, &first[i], true, 0, NULL, NULL, NULL);
	while (answered < MANY) {
		role_next(r, &m, 10000);
		if (m.type == WIRE_TYPE_hook_step)
			role_result(r, &m, true, 0, NULL, NULL, NULL);
		else if (m.type == WIRE_TYPE_hook_done && m.hook_done.ok)
			answered++;
		else
			tap_bail("a %s", wire_type_name(m.type));
	}
	is_int(answered, MANY, "all are done at last");
}

static void test_deaths(struct role *r)
{
	struct message m;
	pid_t zygote = await_children(r->pid, 1);

	role_hook(r, 400, WIRE_HOOK_PREPARE, "good", 20000);
	role_step(r, &m, WIRE_STEP_EXEC);
	pid_t child = await_children(zygote, 1);
	ok(child > 0, "a hook has a process of its own");
	kill(child, SIGKILL);
	is_text(role_answer(r, 400, 2000), "lost: prepare of mail-01 ended without "
		"an answer: its process died", "a killed hook is lost");
	role_hook(r, 401, WIRE_HOOK_CLEAN, "good", 5000);
	is_text(role_answer(r, 401, 5000), "done", "the next one runs");

	role_hook(r, 402, WIRE_HOOK_PREPARE, "good", 20000);
	role_step(r, &m, WIRE_STEP_EXEC);
	kill(zygote, SIGKILL);
	is_text(role_answer(r, 402, 2000), "lost: prepare of mail-01 ended without "
		"an answer: its process died", "a killed zygote takes its hooks");
	role_hook(r, 403, WIRE_HOOK_CLEAN, "good", 5000);
	is_text(role_answer(r, 403, 5000), "done", "and comes back by itself");
	ok(await_children(r->pid, 1) != zygote, "as another process");

	/* One that does not answer is replaced when a hook is late by it. */
	zygote = await_children(r->pid, 1);
	kill(zygote, SIGSTOP);
	role_hook(r, 404, WIRE_HOOK_CLEAN, "good", 200);
	is_text(role_answer(r, 404, 5000), "lost: clean of mail-01 was not started "
		"within 200 ms", "a stopped zygote");
	role_hook(r, 405, WIRE_HOOK_CLEAN, "good", 5000);
	is_text(role_answer(r, 405, 5000), "done", "is replaced");

	zygote = await_children(r->pid, 1);
	role_hook(r, 406, WIRE_HOOK_PREPARE, "h-0", 60000);
	child = await_children(zygote, 1);
	ok(child > 0, "an endless hook runs");
	is_int(role_stop(r), 0, "the engine goes: the role ends");
	int64_t end = test_now_ms() + 5000;
	while ((kill(child, 0) == 0 || kill(zygote, 0) == 0) &&
	       test_now_ms() < end)
		poll(NULL, 0, 5);
	ok(kill(child, 0) < 0 && kill(zygote, 0) < 0, "and leaves no process");
}

int main(void)
{
	struct role r;
	char *site = hostile_site();

	role_start(&r);
	role_must_load(&r, site, NULL);
	free(site);
	for (int i = 0; i < HOSTILE; i++)
		test_one(&r, i);
	test_place(&r);
	test_chatty(&r);
	test_deaf_engine(&r);
	test_many(&r);
	test_deaths(&r);
	return tap_done();
}
