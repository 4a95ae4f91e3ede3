/* Words to commands and commands to requests. */
#include "console/cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/error.h"
#include "tests/tap.h"

enum { WORDS = 24 };

/* Splits at blanks; "_" stands for an empty word. */
static int split(char *line, char **argv)
{
	int argc = 1;

	argv[0] = (char *)"remuda";
	for (char *p; argc < WORDS && (p = strsep(&line, " "));)
		argv[argc++] = strcmp(p, "_") ? p : (char *)"";
	argv[argc] = NULL;
	return argc;
}

/* The requests of a line, joined; or its error. */
static void asks(const char *line, const char *want)
{
	char copy[256], *argv[WORDS + 1], got[1024] = "";
	struct error err = { "" };
	size_t used = 0;
	struct cli_call call;
	int argc;

	snprintf(copy, sizeof(copy), "%s", line);
	argc = split(copy, argv);
	if (cli_parse(&call, argc, argv, &err) == 0 && call.command &&
	    call.command->control) {
		int last = call.command->arguments[0].many ? call.word_count
							   : 1;

		for (int i = 0; i < last; i++) {
			json_t *request = cli_request(&call, i, &err);
			char *text = request ? json_dumps(request,
							  JSON_COMPACT |
								  JSON_SORT_KEYS)
					     : strdup(err.text);

			used += (size_t)snprintf(got + used,
						 sizeof(got) - used, "%s",
						 text);
			free(text);
			json_decref(request);
		}
	} else {
		snprintf(got, sizeof(got), "%s", err.text);
	}
	is_text(got, want, "%s", line);
	cli_call_fini(&call);
}

static void is_command(const char *line, const char *noun, const char *verb)
{
	char copy[256], *argv[WORDS + 1];
	struct error err = { "" };
	struct cli_call call;

	snprintf(copy, sizeof(copy), "%s", line);
	ok(cli_parse(&call, split(copy, argv), argv, &err) == 0, "%s: %s",
	   line, err.text);
	ok(call.command, "%s is a command", line);
	if (call.command) {
		is_text(call.command->noun ? call.command->noun : "", noun,
			"its noun");
		is_text(call.command->verb, verb, "its verb");
	}
	cli_call_fini(&call);
}

static void test_requests(void)
{
	asks("pool scale mail 5",
	     "{\"name\":\"mail\",\"serve\":5,\"verb\":\"pool.scale\"}");
	asks("-n --max=9 pool --serve 0 scale pool/mail",
	     "{\"dry_run\":true,\"max\":9,\"name\":\"mail\",\"serve\":0,"
	     "\"verb\":\"pool.scale\"}");
	asks("machine hold a machine/b",
	     "{\"name\":\"a\",\"verb\":\"machine.hold\"}"
	     "{\"name\":\"b\",\"verb\":\"machine.hold\"}");
	asks("session end 4711 session/12",
	     "{\"session\":4711,\"verb\":\"session.end\"}"
	     "{\"session\":12,\"verb\":\"session.end\"}");
	asks("session end 999999999999999999",
	     "{\"session\":999999999999999999,\"verb\":\"session.end\"}");
	asks("session end 9999999999999999999",
	     "ID is a number, not \"9999999999999999999\"");
	asks("ps --history --app mail --limit 5",
	     "{\"application\":\"mail\",\"history\":true,\"limit\":5,"
	     "\"verb\":\"session.list\"}");
	asks("ls --pool mail", "{\"pool\":\"mail\",\"verb\":\"machine.list\"}");
	asks("event list --object machine/mail-07",
	     "{\"object\":\"machine/mail-07\",\"verb\":\"event.list\"}");
	asks("machine hold unknown/x",
	     "{\"name\":\"unknown/x\",\"verb\":\"machine.hold\"}");
	asks("machine hold \xff", "NAME \"\xff\" is not UTF-8 text");
	asks("ls --pool \xff", "--pool is not UTF-8 text");
	asks("pool scale mail -- -5", "N is a number, not \"-5\"");
}

static void test_clusters(void)
{
	asks("cluster resize cluster/web --nodes 3 --memory 4G",
	     "{\"memory_mib\":4096,\"name\":\"web\",\"nodes\":3,"
	     "\"verb\":\"cluster.resize\"}");
	asks("cluster resize web --map web-01>hv02 --strategy live --wait -n",
	     "{\"dry_run\":true,\"mapping\":\"web-01>hv02\",\"name\":\"web\","
	     "\"strategy\":\"live\",\"verb\":\"cluster.resize\"}");
	asks("cluster resize web --memory much", "--memory wants a size such as "
	     "4G or 512M, not \"much\"");
	asks("node move web-01 --host hv02",
	     "{\"host\":\"hv02\",\"name\":\"web-01\",\"verb\":\"node.move\"}");
	asks("change cancel 12", "{\"change\":12,\"verb\":\"change.cancel\"}");
	asks("change cancel twelve", "ID is a number, not \"twelve\"");
	asks("rule replay decision/7",
	     "{\"decision\":7,\"verb\":\"rule.replay\"}");
	asks("whatif host-down host/hv03",
	     "{\"name\":\"hv03\",\"verb\":\"whatif.host_down\"}");
	asks("usage --by pool --user ann --rate-vcpu-hour 1",
	     "{\"by\":\"pool\",\"user\":\"ann\",\"verb\":\"usage\"}");
	asks("usage --nodes 3", "--nodes does not go with \"usage\"");
	asks("clustr list", "unknown noun \"clustr\". Did you mean \"cluster\"?");
}

static void test_forms(void)
{
	is_command("ls", "machine", "list");
	is_command("ps -qv", "session", "list");
	is_command("engine", "engine", "run");
	is_command("engine --config x", "engine", "run");
	is_command("engine stop", "engine", "stop");
	is_command("app list", "application", "list");
	is_command("--json pool --csv list", "pool", "list");
	is_command("-o name pool list", "pool", "list");
	is_command("-oname pool list", "pool", "list");
	is_command("connect mail --anything -x", "", "connect");
	is_command("-- pool list", "pool", "list");
}

static void test_refusals(void)
{
	asks("machine hold", "machine hold needs NAME: remuda machine hold "
			     "NAME...");
	asks("pool scale", "pool scale needs NAME: remuda pool scale NAME [N]");
	asks("pool scale a 1 2", "one word too many: \"2\"; the form is: "
				 "remuda pool scale NAME [N]");
	asks("machin list", "unknown noun \"machin\". Did you mean "
			    "\"machine\"?");
	asks("sitee", "unknown noun \"sitee\". Did you mean \"site\"?");
	asks("sl", "unknown noun \"sl\". Did you mean \"ls\"?");
	asks("machine delte x", "unknown verb of machine \"delte\". Did you "
				"mean \"delete\"?");
	asks("ls --qiuet", "unknown flag \"qiuet\". Did you mean \"quiet\"?");
	asks("ls -x", "unknown flag \"x\"; see: remuda help");
	asks("ls -qo", "-o wants a value: -o FORMAT");
	asks("ls --limit 3", "--limit does not go with \"machine list\"");
	asks("ps --limit 1000001",
	     "--limit wants a number from 0 to 1000000, not \"1000001\"");
	asks("ps --limit _", "--limit wants a number from 0 to 1000000, not "
			     "\"\"");
	asks("ps --limit -1", "--limit wants a number from 0 to 1000000, not "
			      "\"-1\"");
	asks("ps --timeout 0", "--timeout wants a time such as 30s, not \"0\"");
	asks("p\x1b[2Jool list", "unknown noun \"p\\x1b[2Jool\"; see: remuda "
				 "help");
	asks("__completex", "unknown noun \"__completex\"; see: remuda help");
}

/* A month as long as the clocks there say. */
static void test_month(void)
{
	static const char *const bad[] = { "", "2026", "2026-13", "2026-00",
					   "2026-1", "2026-011", "26-01",
					   "november", "2026/11", "2026-1x" };
	int64_t from, until;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	is_int(cli_month("2026-03", false, &from, &until), 0, "March in Berlin");
	is_int(until - from, 743ll * 3600000, "has an hour less");
	is_int(from, 1772319600000, "and begins at midnight there");
	is_int(cli_month("2026-10", false, &from, &until), 0, "October");
	is_int(until - from, 745ll * 3600000, "has an hour more");
	is_int(cli_month("2026-12", true, &from, &until), 0, "December by UTC");
	is_int(until - from, 744ll * 3600000, "has none of either");
	is_int(until, 1798761600000, "and ends with the year");
	is_int(cli_month("2028-02", true, &from, &until), 0, "a leap year's");
	is_int(until - from, 29ll * 86400000, "February");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(cli_month(bad[i], true, &from, &until), -1,
		       "\"%s\" is no month", bad[i]);
}

static void test_suggest(void)
{
	static const char *const words[] = { "list", "show", "scale", NULL };

	is_text(cli_suggest("lst", words), "list", "a letter missing");
	is_text(cli_suggest("lsit", words), "list", "two letters swapped");
	is_text(cli_suggest("sca", words), "scale", "a beginning");
	is_text(cli_suggest("lists", words), "list", "a plural");
	ok(!cli_suggest("x", words), "nothing near");
	ok(!cli_suggest("", words), "nothing for nothing");
	ok(!cli_suggest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			words), "nothing for a very long word");
}

int main(void)
{
	test_requests();
	test_clusters();
	test_forms();
	test_refusals();
	test_month();
	test_suggest();
	return tap_done();
}
