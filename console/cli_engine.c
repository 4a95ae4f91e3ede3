/* Commands about engines: run, start, stop, status, attach, connect. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "console/launch.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { START_DEADLINE_MS = 10000, LOOK_MS = 1000 };

static int check_level(const struct cli *cli)
{
	static const char *const levels[] = { "error", "warn", "info", "debug",
					      NULL };
	const char *level = cli->call.value[FLAG_LOG_LEVEL];

	for (int i = 0; level && levels[i]; i++)
		if (strcmp(level, levels[i]) == 0)
			return CLI_DONE;
	if (!level)
		return CLI_DONE;
	return cli_fail(cli, CLI_USAGE, NULL, NULL,
			"--log-level is error, warn, info or debug, not "
			"\"%.40s\"", level);
}

/* An engine's socket follows from its run folder. */
static int check_no_socket(const struct cli *cli)
{
	if (!cli_has(cli, FLAG_SOCKET))
		return CLI_DONE;
	return cli_fail(cli, CLI_USAGE, NULL, NULL,
			"--socket is where to ask; say with --run-dir where an "
			"engine shall answer");
}

static int check_site_file(const struct cli *cli)
{
	if (access(cli->paths.config, R_OK) == 0)
		return CLI_DONE;
	return cli_fail(cli, CLI_FAILED, NULL,
			"write one there, or name another: --config FILE",
			"cannot read the site file %s: %m", cli->paths.config);
}

/* The pid of an engine that answers on the site's socket, or 0. */
static json_int_t running(const struct cli *cli)
{
	struct client c;
	json_int_t pid = 0;

	client_init(&c);
	if (client_connect(&c, cli->paths.control_socket, LOOK_MS, NULL) == 0)
		pid = json_integer_value(json_object_get(c.hello, "pid"));
	client_close(&c);
	return pid;
}

int cli_run_engine_run(struct cli *cli)
{
	struct cli_place place = cli_place(cli);
	struct error err = { "" };
	int code = check_level(cli);

	if (code == CLI_DONE)
		code = check_no_socket(cli);
	if (code == CLI_DONE)
		code = check_site_file(cli);
	if (code != CLI_DONE)
		return code;
	if (paths_make(&cli->paths, &err))
		return cli_fail(cli, CLI_FAILED, NULL, NULL, "%s", err.text);
	return cli->roles->engine(&place);
}

static int started(const struct cli *cli, json_int_t pid, bool already)
{
	json_t *item;

	if (cli->output.format == FORMAT_JSON) {
		item = json_pack("{s:I, s:s, s:s, s:b}", "pid", pid, "site",
				 cli->paths.site, "socket",
				 cli->paths.control_socket, "already",
				 already);
		output_document(stdout, "engine", "item", item);
		json_decref(item);
	} else if (!cli_has(cli, FLAG_QUIET)) {
		printf("engine %s, pid %" JSON_INTEGER_FORMAT "\n",
		       already ? "runs already" : "started", pid);
	}
	return CLI_DONE;
}

int cli_run_engine_start(struct cli *cli)
{
	struct error err = { "" };
	int code = check_level(cli);
	json_int_t already;
	struct cli_place place = cli_place(cli);
	const struct launch launch = { .paths = &cli->paths, .control_fd = -1,
				       .log_level = place.log_level,
				       .log = place.log,
				       .gateways = place.gateways };
	struct launched engine;
	char hint[PATHS_SIZE + 16];

	if (code == CLI_DONE)
		code = check_no_socket(cli);
	if (code != CLI_DONE)
		return code;
	already = running(cli);
	if (already)
		return started(cli, already, true);
	code = check_site_file(cli);
	if (code != CLI_DONE)
		return code;
	if (launch_engine(&launch, &engine, &err))
		return cli_fail(cli, CLI_FAILED, NULL, NULL, "%s", err.text);
	switch (launch_wait(&launch, &engine, START_DEADLINE_MS, &err)) {
	case 0:
		return started(cli, engine.pid, false);
	case 1:
		return cli_fail(cli, CLI_TIMEOUT, NULL, NULL,
				"engine %d was started and does not answer yet;"
				" see %s", (int)engine.pid, cli->paths.log);
	}
	snprintf(hint, sizeof(hint), "the log: %s", cli->paths.log);
	return cli_fail(cli, CLI_FAILED, NULL, hint, "%s", err.text);
}

/* Waits until the engine has closed its side: then it is really gone. */
static int wait_for_end(struct cli *cli)
{
	struct error err = { "" };
	json_t *line;
	int got;

	while ((got = client_wait(&cli->client, &line, cli->timeout_ms,
				  &err)) > 0)
		json_decref(line);
	if (got == 0)
		return cli_fail(cli, CLI_TIMEOUT, NULL, NULL,
				"the engine was told to stop and is still "
				"there");
	return CLI_DONE;
}

int cli_run_engine_stop(struct cli *cli)
{
	json_t *answer;
	const char *text;
	char shown[1024];
	int code;

	answer = cli_ask(cli, json_pack("{s:s, s:s}", "verb", "engine.stop",
					"machines", "stay"), &code);
	if (!answer)
		return code;
	code = wait_for_end(cli);
	text = json_string_value(json_object_get(answer, "text"));
	if (!text)
		text = "engine stopped; machines and sessions stay";
	if (code == CLI_DONE && cli->output.format == FORMAT_JSON) {
		json_t *items = json_pack("[{s:s, s:b, s:s}]", "object",
					  "engine", "ok", 1, "text", text);

		output_document(stdout, "change_list", "items", items);
		json_decref(items);
	} else if (code == CLI_DONE && !cli_has(cli, FLAG_QUIET)) {
		text_display(shown, sizeof(shown), text, strlen(text));
		printf("%s\n", shown);
	}
	json_decref(answer);
	return code;
}

static void put_hello(json_t *item, const struct cli *cli, const char *key)
{
	json_object_set(item, key, json_object_get(cli->client.hello, key));
}

int cli_run_engine_status(struct cli *cli)
{
	static const char *const keys[] = { "site", "pid", "engine", "version",
					    "rights" };
	json_t *answer, *item;
	int code;

	answer = cli_ask(cli, json_pack("{s:s}", "verb", "info"), &code);
	if (!answer)
		return code;
	item = json_pack("{s:s}", "socket", cli->socket);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		put_hello(item, cli, keys[i]);
	json_object_set(item, "uptime_ms",
			json_object_get(json_object_get(answer, "item"),
					"uptime_ms"));
	if (cli->output.format == FORMAT_JSON || !cli_has(cli, FLAG_QUIET))
		output_item(&cli->output, NULL, "engine", item);
	json_decref(item);
	json_decref(answer);
	return CLI_DONE;
}

int cli_run_attach(struct cli *cli)
{
	struct error err = { "" };
	struct cli_place place;

	if (cli->call.word_count) {
		if (paths_check_socket(cli->call.words[0], &err))
			return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s",
					err.text);
		text_copy(cli->socket, sizeof(cli->socket),
			  cli->call.words[0]);
	}
	cli->socket_named = true;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"the console needs a terminal");
	if (access(cli->socket, F_OK))
		return cli_connect(cli);	/* says that nobody is there */
	place = cli_place(cli);
	return cli->roles->console(&place);
}

/* As without any word; for fingers that know other tops. */
int cli_run_top(struct cli *cli)
{
	struct cli_place place = cli_place(cli);

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"the console needs a terminal");
	return cli->roles->console(&place);
}

static void export_flag(const struct cli *cli, enum cli_flag flag,
			const char *variable)
{
	if (cli_has(cli, flag))
		setenv(variable, cli->call.value[flag], 1);
}

/* Words after `connect` are its own; flags before it reach it as environment,
 * where its paths_init finds them. */
int cli_run_connect(struct cli *cli)
{
	int at = cli->argc - cli->call.word_count - 1;

	export_flag(cli, FLAG_SITE, "REMUDA_SITE");
	export_flag(cli, FLAG_RUN_DIR, "REMUDA_RUN_DIR");
	export_flag(cli, FLAG_STATE_DIR, "REMUDA_STATE_DIR");
	return cli->roles->connect(cli->call.word_count + 1, cli->argv + at);
}
