/*
 * Hooks as scripts see them: every step, every answer, every error text; the
 * modules of scripts/lib; a bundle replaced under a hook.
 */
#include "tests/unit/rules_harness.h"

static const char site[] =
	"site \"s\"\n"
	"local try = require \"lib.try\"\n"
	"local service = require \"lib.service\"\n"
	"local shell = require \"lib.shell\"\n"
	"application \"steps\" { endpoint = \"channel\", identity = \"agent\",\n"
	"  prepare = function(m, s)\n"				/* 6 */
	"    assert(s == nil)\n"
	"    local r = m:exec{\"/bin/cat\", \"a b\", input = \"in\", timeout = 2.5}\n"
	"    assert(r.code == 0 and r.out == \"out\\0x\" and r.err == \"warn\")\n"
	"    assert(m:exec{\"/bin/false\", check = false}.code == 1)\n"
	"    m:write(\"/etc/motd\", \"hi\", tonumber(\"600\", 8))\n"
	"    m:log(\"on \" .. m.name .. \" \" .. m.index .. \"\\27[m\")\n"
	"    assert(m:tcp(25, 3) == true and m:tcp(26) == false)\n"
	"    m:wait_port(80, \"10 s\")\n"
	"    local nap = sleep nap(0) nap(0.25)"
	"    assert(m:sign_host_key(\"ssh-ed25519 A\\n\") == \"cert\")\n"
	"    assert(m.pool == \"mail\" and m.application == \"steps\")\n"
	"    assert(m.address == \"10.0.7.1\")\n"
	"  end,\n"
	"  ready = function(m) return false, \"not \" .. m.name end,\n"
	"  accept = function(m, s)\n"				/* 20 */
	"    m:confirm{\"/bin/accept\", s.user, timeout = \"5 s\"}\n"
	"    return s.id == 4711 and s.listener == \"door\" and s.ssh_keys == \"k\\n\"\n"
	"  end,\n"
	"  clean = function(m, s) m:exec{\"/bin/clean\"} end,\n"
	"}\n"
	"application \"bad\" { endpoint = \"channel\",\n"
	"  prepare = function(m)\n"				/* 27 */
	"    m:exec{\"/bin/one\"}\n"
	"    m:exec{\"/bin/two\", \"x\"}\n"
	"  end,\n"
	"  ready = function(m)\n"				/* 31 */
	"    return 1\n"
	"  end,\n"
	"  clean = function(m, s) return m:wait_port(99, 0.2) end,\n"
	"}\n"
	"application \"typo\" { endpoint = \"channel\", identity = \"agent\",\n"
	"  prepare = function(m) m:exce{\"x\"} end,\n"		/* 37 */
	"  ready = function(m) m.exec{\"x\"} end,\n"
	"  accept = function(m, s) return s.usr end,\n"
	"  clean = function(m) m:exec{\"x\", timout = 3} end,\n"
	"}\n"
	"application \"lib\" { endpoint = \"channel\",\n"
	"  prepare = function(m)\n"
	"    service.start(m, \"mail\")\n"
	"    try.again(3, \"1 s\", function() m:exec{\"/bin/probe\"} end)\n"
	"    assert(shell.output(m, \"echo \" .. shell.quote(\"it's\")) == \"it's\")\n"
	"  end,\n"
	"  ready = function(m)\n"				/* 48 */
	"    try.again(2, 1, function() return m:tcp(25) end)\n"
	"  end,\n"
	"  clean = function(m) require \"lib.late\" end,\n"
	"}\n"
	"application \"caught\" { endpoint = \"channel\",\n"
	"  prepare = function(m)\n"				/* 54 */
	"    local good, why = pcall(m.exec, m, {\"/bin/x\"})\n"
	"    return good, why\n"
	"  end,\n"
	"  ready = function(m) site \"again\" end,\n"
	"  clean = function(m) m:write(\"/x\", (\"x\"):rep(70000)) end,\n"
	"}\n"
	"application \"none\" { endpoint = \"channel\" }\n";

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 16);

	if (!f || !text || fread(text, 1, (1 << 16) - 1, f) == 0)
		tap_bail("%s cannot be read; run from the top folder", path);
	fclose(f);
	return text;
}

static struct module_text modules[4];

static void read_modules(void)
{
	static const char *const names[] = { "try", "service", "shell" };
	static char full[3][32], path[3][64];

	for (int i = 0; i < 3; i++) {
		snprintf(full[i], sizeof(full[i]), "lib.%s", names[i]);
		snprintf(path[i], sizeof(path[i]), "scripts/lib/%s.lua", names[i]);
		modules[i] = (struct module_text){ full[i], path[i],
						   slurp(path[i]) };
	}
}

static void test_steps(struct role *r)
{
	struct message m;

	role_hook(r, 11, WIRE_HOOK_PREPARE, "steps", 20000);
	role_step(r, &m, WIRE_STEP_EXEC);
	is_int(m.request, 11, "the call is the hook's");
	is_int(m.incarnation, 7, "so is the incarnation");
	is_int(m.hook_step.step, 1, "steps count from 1");
	is_int(m.hook_step.argv.length, 13, "argv has two words");
	ok(memcmp(m.hook_step.argv.ptr, "/bin/cat\0a b\0", 13) == 0, "NUL-ended");
	ok(slice_is(m.hook_step.input, "in"), "input");
	is_int(m.hook_step.ms, 2500, "timeout");
	struct message result = { .type = WIRE_TYPE_step_result, .request = 11,
				  .incarnation = 6 };
	result.step_result = (struct wire_step_result){
		.step = 1, .ok = 1, .out = { "old", 3 } };
	role_send(r, &result);	/* of another incarnation: ignored */
	result.incarnation = 7;
	result.step_result.step = 9;
	role_send(r, &result);	/* of no step: ignored */
	result.step_result.step = 1;
	result.step_result.out = (struct slice){ "out\0x", 5 };
	result.step_result.errout = SLICE("warn");
	role_send(r, &result);
	role_step(r, &m, WIRE_STEP_EXEC);
	is_int(m.hook_step.ms, 20000, "timeout by default: the hook's deadline");
	role_result(r, &m, true, 1, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_WRITE);
	ok(slice_is(m.hook_step.path, "/etc/motd"), "path");
	ok(slice_is(m.hook_step.input, "hi"), "text");
	is_int(m.hook_step.mode, 0600, "mode");
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_LOG);
	ok(slice_is(m.hook_step.path, "on mail-01 1\\x1b[m"), "log, displayable");
	role_step(r, &m, WIRE_STEP_TCP);
	is_int(m.hook_step.port, 25, "port");
	is_int(m.hook_step.ms, 3000, "its seconds");
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_TCP);
	role_result(r, &m, false, 0, NULL, NULL, "refused");
	role_step(r, &m, WIRE_STEP_TCP);
	is_int(m.hook_step.port, 80, "wait_port asks for the port");
	role_result(r, &m, false, 0, NULL, NULL, "refused");
	role_step(r, &m, WIRE_STEP_SLEEP);
	ok(m.hook_step.ms > 0, "and pauses");
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_TCP);
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_SLEEP);
	is_int(m.hook_step.ms, 250, "sleep");
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_SIGN);
	ok(slice_is(m.hook_step.input, "ssh-ed25519 A"), "a key without its line end");
	role_result(r, &m, true, 0, "cert", NULL, NULL);
	is_text(role_answer(r, 11, 5000), "done", "prepare is done");
}

static void test_answers(struct role *r)
{
	struct message m;

	role_hook(r, 21, WIRE_HOOK_READY, "steps", 5000);
	is_text(role_answer(r, 21, 5000), "no: not mail-01", "false, \"why\"");
	role_hook(r, 22, WIRE_HOOK_ACCEPT, "steps", 5000);
	role_step(r, &m, WIRE_STEP_CONFIRM);
	ok(memcmp(m.hook_step.argv.ptr, "/bin/accept\0anna\0", 17) == 0, "words");
	is_int(m.hook_step.ms, 5000, "timeout as text");
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	is_text(role_answer(r, 22, 5000), "done", "accepted");
	role_hook(r, 23, WIRE_HOOK_ACCEPT, "steps", 5000);
	role_step(r, &m, WIRE_STEP_CONFIRM);
	role_result(r, &m, false, 0, NULL, NULL, "the nonce\x1b differs");
	is_text(role_answer(r, 23, 5000), "no: site.lua:21: confirm /bin/accept: "
		"the nonce\\x1b differs", "not confirmed");
	for (int hook = WIRE_HOOK_PREPARE; hook <= WIRE_HOOK_ACCEPT; hook++) {
		role_hook(r, 30 + (unsigned)hook, (enum wire_hook)hook, "none", 5000);
		is_text(role_answer(r, 30 + (unsigned)hook, 5000), "done",
			"a hook that is not there is done");
	}
	role_hook(r, 35, WIRE_HOOK_CLEAN, "none", 5000);
	is_text(role_answer(r, 35, 5000), "no: there is no clean hook",
		"but clean is not");
	role_hook(r, 36, WIRE_HOOK_CLEAN, "nowhere", 5000);
	is_text(role_answer(r, 36, 5000), "no: there is no clean hook",
		"nor for an unknown application");
}

static void answer_once(struct role *r, uint64_t call, enum wire_hook hook,
			const char *application, const char *want)
{
	role_hook(r, call, hook, application, 5000);
	is_text(role_answer(r, call, 5000), want, "%s %d", application,
		(int)hook);
}

static void test_errors(struct role *r)
{
	struct message m;

	role_hook(r, 41, WIRE_HOOK_PREPARE, "bad", 5000);
	role_step(r, &m, WIRE_STEP_EXEC);
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	role_step(r, &m, WIRE_STEP_EXEC);
	role_result(r, &m, true, 3, "out", "it broke\n\n", NULL);
	is_text(role_answer(r, 41, 5000),
		"no: site.lua:29: exec /bin/two: exit 3: it broke", "exit status");
	role_hook(r, 42, WIRE_HOOK_PREPARE, "bad", 5000);
	role_step(r, &m, WIRE_STEP_EXEC);
	role_result(r, &m, false, 0, NULL, NULL, "the agent is gone");
	is_text(role_answer(r, 42, 5000),
		"no: site.lua:28: exec /bin/one: the agent is gone", "no agent");
	answer_once(r, 43, WIRE_HOOK_READY, "bad", "no: site.lua:31: ready "
		    "returned a number; return true, false or false, \"why\"");
	role_hook(r, 44, WIRE_HOOK_CLEAN, "bad", 5000);
	role_step(r, &m, WIRE_STEP_TCP);
	role_result(r, &m, false, 0, NULL, NULL, "refused");
	is_text(role_answer(r, 44, 5000), "no: site.lua:34: port 99 did not "
		"answer within 200 ms: refused", "wait_port gives up");
	answer_once(r, 45, WIRE_HOOK_PREPARE, "typo", "no: site.lua:37: machine "
		    "has no 'exce'; did you mean 'exec'?");
	answer_once(r, 46, WIRE_HOOK_READY, "typo",
		    "no: site.lua:38: write machine:exec with a colon");
	answer_once(r, 47, WIRE_HOOK_ACCEPT, "typo", "no: site.lua:39: session "
		    "has no 'usr'; did you mean 'user'?");
	answer_once(r, 48, WIRE_HOOK_CLEAN, "typo", "no: site.lua:40: "
		    "machine:exec{} has no option 'timout'; did you mean "
		    "'timeout'?");
	role_hook(r, 49, WIRE_HOOK_PREPARE, "caught", 5000);
	role_step(r, &m, WIRE_STEP_EXEC);
	role_result(r, &m, true, 1, "said on out", NULL, NULL);
	ok(strstr(role_answer(r, 49, 5000), "exec /bin/x: exit 1: said on out"),
	   "a caught error is a text");
	answer_once(r, 50, WIRE_HOOK_READY, "caught", "no: site.lua:58: 'site' is "
		    "a statement of the site file; a hook cannot declare");
	answer_once(r, 51, WIRE_HOOK_CLEAN, "caught", "no: site.lua:59: "
		    "machine:write: 70002 bytes, at most 60000 go in one step; "
		    "put large files into the image or the initrd");
	answer_once(r, 52, WIRE_HOOK_CLEAN, "lib", "no: site.lua:51: require "
		    "\"lib.late\" must run when the site file loads, not in a "
		    "hook; write it at the top of the file");
}

/* Answers one exec whose words, joined by spaces, must be these. */
static void expect_exec(struct role *r, const char *words, int64_t code,
			const char *out)
{
	struct message m;
	char got[300];

	role_step(r, &m, WIRE_STEP_EXEC);
	text_copy_slice(got, sizeof(got), (struct slice){
			m.hook_step.argv.ptr, m.hook_step.argv.length - 1 });
	for (uint32_t i = 0; i + 1 < m.hook_step.argv.length && i < 299; i++)
		if (!got[i])
			got[i] = ' ';
	is_text(got, words, "exec %s", words);
	role_result(r, &m, true, code, out, NULL, NULL);
}

static void test_library(struct role *r)
{
	struct message m;

	role_hook(r, 61, WIRE_HOOK_PREPARE, "lib", 20000);
	expect_exec(r, "/bin/sh -c test -d /run/systemd/system", 1, NULL);
	expect_exec(r, "/bin/sh -c command -v rc-service >/dev/null", 0, NULL);
	expect_exec(r, "rc-service mail start", 0, NULL);
	expect_exec(r, "/bin/probe", 1, NULL);
	role_step(r, &m, WIRE_STEP_SLEEP);
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	expect_exec(r, "/bin/probe", 0, NULL);
	expect_exec(r, "/bin/sh -c echo 'it'\\''s'", 0, "it's\n");
	is_text(role_answer(r, 61, 5000), "done", "lib.service, try, shell");
	role_hook(r, 62, WIRE_HOOK_READY, "lib", 20000);
	for (int i = 0; i < 2; i++) {
		role_step(r, &m, WIRE_STEP_TCP);
		role_result(r, &m, false, 0, NULL, NULL, "refused");
		if (i == 1)
			break;
		role_step(r, &m, WIRE_STEP_SLEEP);
		role_result(r, &m, true, 0, NULL, NULL, NULL);
	}
	is_text(role_answer(r, 62, 5000), "no: site.lua:49: gave up after 2 "
		"tries: it said no", "try.again gives up");
}

/* A hook that runs finishes with the site it began with. */
static void test_replaced(struct role *r)
{
	static const char next[] =
		"site \"s\"\n"
		"application \"steps\" { endpoint = \"channel\",\n"
		"  clean = function(m) return false, \"new\" end }\n";
	struct message m;

	role_hook(r, 71, WIRE_HOOK_CLEAN, "steps", 20000);
	role_step(r, &m, WIRE_STEP_EXEC);
	role_must_load(r, next, NULL);
	answer_once(r, 72, WIRE_HOOK_CLEAN, "steps", "no: new");
	struct outcome o = role_evaluate(r, "site \"s\" {", NULL);
	ok(!o.done, "a broken site is refused");
	answer_once(r, 73, WIRE_HOOK_CLEAN, "steps", "no: new");
	role_result(r, &m, true, 0, NULL, NULL, NULL);
	is_text(role_answer(r, 71, 5000), "done", "the old hook ends well");
}

static void test_speed(struct role *r)
{
	enum { RUNS = 300 };
	int64_t start = test_now_ms();
	int good = 0;

	for (uint64_t i = 0; i < RUNS; i++) {
		role_hook(r, 1000 + i, WIRE_HOOK_CLEAN, "steps", 5000);
		good += strcmp(role_answer(r, 1000 + i, 5000), "no: new") == 0;
	}
	is_int(good, RUNS, "%d hooks one after another", RUNS);
	tap_note("%.2f ms for each, from hook_run to hook_done",
		 (double)(test_now_ms() - start) / RUNS);
}

int main(void)
{
	struct role r;

	read_modules();
	role_start(&r);
	role_hook(&r, 1, WIRE_HOOK_PREPARE, "steps", 1000);
	is_text(role_answer(&r, 1, 1000), "no: no site file is loaded",
		"no site, no hook");
	role_must_load(&r, site, modules);
	test_steps(&r);
	test_answers(&r);
	test_errors(&r);
	test_library(&r);
	test_replaced(&r);
	test_speed(&r);
	is_int(role_stop(&r), 0, "the role ends with the engine");
	for (int i = 0; i < 3; i++)
		free((void *)modules[i].text);
	return tap_done();
}
