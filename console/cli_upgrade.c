/*
 * `remuda engine upgrade`: the engine of this program takes the place of the one
 * that runs, whatever program that is.  Machines and sessions stay: the new
 * engine adopts them, and drains gateways of an earlier build (loop/renew.c).
 *
 *     copy of the store -> old engine stops -> new engine starts -> adopted
 *                                         \-> it does not: the old one again
 *
 * An engine that is a unit's is restarted by systemd, in its unit.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "console/clock.h"
#include "console/launch.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum {
	BACKUP_MS = 3600 * 1000,
	START_MS = 60 * 1000,
	RENEW_MS = 600 * 1000,	/* --wait, unless told */
	LOOK_MS = 2000,
};

extern char **environ;

struct upgrade {
	pid_t pid;		/* of the old engine */
	char version[32];	/* its */
	char unit[128];		/* systemd's, or "" */
	char backup[PATHS_SIZE + 64];
	char exe[64];		/* the old program, though it was deleted; or "" */
	int exe_fd;
	unsigned gateways;
};

static bool is_true(const json_t *item, const char *key)
{
	return json_is_true(json_object_get(item, key));
}

static const char *hello_text(const struct cli *cli, const char *key)
{
	const char *text =
		json_string_value(json_object_get(cli->client.hello, key));

	return text ? text : "";
}

/* "0::/system.slice/remuda.service": the unit whose main process it is. */
static void find_unit(pid_t pid, char *unit, size_t size)
{
	char path[64], line[512] = "", *name;
	FILE *f;

	*unit = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		name = strrchr(line, '/');
		if (!name || strncmp(name, "/remuda", 7) != 0 ||
		    !strstr(line, "/system.slice/"))
			continue;
		if (strlen(name) > 8 &&
		    strcmp(name + strlen(name) - 8, ".service") == 0)
			text_copy(unit, size, name + 1);
	}
	fclose(f);
}

/* Kept open, so that it can be started again when its file is replaced. */
static void keep_old_program(struct upgrade *u)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)u->pid);
	u->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (u->exe_fd >= 0)
		snprintf(u->exe, sizeof(u->exe), "/proc/%d/fd/%d",
			 (int)getpid(), u->exe_fd);
}

static int look(struct cli *cli, struct upgrade *u)
{
	json_t *answer, *item;
	int code = cli_connect(cli);
	size_t i;

	if (code != CLI_DONE)
		return code;
	if (strcmp(hello_text(cli, "engine"), "embedded") == 0)
		return cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine belongs to a console: quit that one, and let the engine run on or start another");
	u->pid = (pid_t)json_integer_value(
		json_object_get(cli->client.hello, "pid"));
	TEXT_SET(u->version, hello_text(cli, "version"));
	find_unit(u->pid, u->unit, sizeof(u->unit));
	keep_old_program(u);
	answer = cli_ask(cli, json_pack("{s:s}", "verb", "gateway.list"), &code);
	if (!answer)
		return code;
	json_array_foreach(json_object_get(answer, "items"), i, item)
		u->gateways += !is_true(item, "temporary");
	json_decref(answer);
	return CLI_DONE;
}

/* A store that the new engine has brought forward is not the old one's any
 * more: a copy is. */
static int back_up(struct cli *cli, struct upgrade *u)
{
	struct timespec now;
	char stamp[32];
	struct tm tm;
	int64_t timeout_ms = cli->timeout_ms;
	json_t *answer;
	int code;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	snprintf(u->backup, sizeof(u->backup), "%s/before-upgrade-%s.%03uZ.db",
		 cli->paths.state_dir, stamp,
		 (unsigned)(now.tv_nsec / 1000000) % 1000);
	cli->timeout_ms = BACKUP_MS;
	answer = cli_ask(cli, json_pack("{s:s, s:s}", "verb", "backup", "path",
					u->backup), &code);
	cli->timeout_ms = timeout_ms;
	json_decref(answer);
	return code;
}

static int stop_old(struct cli *cli)
{
	struct error err = { "" };
	json_t *answer, *line;
	int code, got;

	answer = cli_ask(cli, json_pack("{s:s, s:s}", "verb", "engine.stop",
					"machines", "stay"), &code);
	json_decref(answer);
	if (!answer)
		return code;
	while ((got = client_wait(&cli->client, &line, cli->timeout_ms,
				  &err)) > 0)
		json_decref(line);
	client_close(&cli->client);
	return got < 0 ? CLI_DONE :
	       cli_fail(cli, CLI_TIMEOUT, NULL, NULL,
			"the old engine was told to stop and is still there");
}

/* 0 and its pid; -1 and why. */
static int start(struct cli *cli, const struct upgrade *u, const char *exe,
		 pid_t *pid, struct error *err)
{
	const struct launch launch = {
		.paths = &cli->paths, .control_fd = -1, .exe = exe,
		.gateways = u->gateways,
		.log_level = cli->call.value[FLAG_LOG_LEVEL],
	};
	struct launched engine;

	if (launch_engine(&launch, &engine, err))
		return -1;
	*pid = engine.pid;
	switch (launch_wait(&launch, &engine, START_MS, err)) {
	case 0:
		close(engine.ready_fd);
		return 0;
	case 1:
		error_set(err, "it does not answer in %d s", START_MS / 1000);
		kill(engine.pid, SIGTERM);
		break;
	}
	close(engine.ready_fd);
	return -1;
}

/* The new one did not start: as it was before, and told. */
static int go_back(struct cli *cli, const struct upgrade *u,
		   const struct error *why)
{
	struct error err = { "its program cannot be read" };
	char hint[PATHS_SIZE + 200];
	pid_t pid;

	if (*u->exe && start(cli, u, u->exe, &pid, &err) == 0)
		return cli_fail(cli, CLI_FAILED, "engine", NULL,
				"%s; the old engine runs again, pid %d", why->text,
				(int)pid);
	snprintf(hint, sizeof(hint), "machines and sessions stay; the store before the upgrade: %s",
		 u->backup);
	return cli_fail(cli, CLI_FAILED, "engine", hint,
			"%s; and the old one does not come back: %s", why->text,
			err.text);
}

static int restart_unit(struct cli *cli, const struct upgrade *u)
{
	char *argv[] = { "systemctl", "restart", (char *)u->unit, NULL };
	pid_t pid;
	int status = 0, rc = posix_spawnp(&pid, "systemctl", NULL, NULL, argv,
					  environ);

	client_close(&cli->client);
	if (rc)
		return cli_fail(cli, CLI_FAILED, NULL, NULL, "systemctl: %s",
				strerror(rc));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? CLI_DONE :
	       cli_fail(cli, CLI_FAILED, NULL, NULL,
			"systemctl restart %s failed; see: systemctl status %s",
			u->unit, u->unit);
}

static int replace(struct cli *cli, const struct upgrade *u)
{
	struct error err = { "" };
	pid_t pid;
	int code;

	if (*u->unit)
		return restart_unit(cli, u);
	code = stop_old(cli);
	if (code == CLI_DONE && start(cli, u, NULL, &pid, &err))
		code = go_back(cli, u, &err);
	return code;
}

static bool is_leaving(const json_t *gateway)
{
	return is_true(gateway, "outdated") || is_true(gateway, "draining");
}

static bool is_unsettled(const json_t *gateway)
{
	return is_leaving(gateway) || is_true(gateway, "temporary") ||
	       strcmp(json_string_value(json_object_get(gateway, "state")),
		      "up") != 0;
}

/* How many gateways are so; -1 with the exit code. */
static int count(struct cli *cli, bool (*is)(const json_t *), int *code)
{
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "gateway.list"),
				 code), *item;
	int n = answer ? 0 : -1;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, item)
		n += is(item);
	json_decref(answer);
	return n;
}

/* Until the last session on an old gateway has ended. */
static int wait_renewed(struct cli *cli)
{
	int64_t until_ms = now_ms() + (cli_has(cli, FLAG_TIMEOUT) ?
				       cli->timeout_ms : RENEW_MS);
	struct error err = { "" };
	json_t *line;
	int code, old = 1;

	json_decref(cli_ask(cli, json_pack("{s:s, s:[s]}", "verb", "subscribe",
					   "topics", "gateways"), &code));
	while (code == CLI_DONE && (old = count(cli, is_unsettled, &code)) > 0) {
		if (now_ms() >= until_ms)
			return cli_fail(cli, CLI_TIMEOUT, NULL,
					"they end with their last session",
					"%d gateways are not yet as they will be",
					old);
		if (client_wait(&cli->client, &line, LOOK_MS, &err) < 0)
			return cli_fail_client(cli, &err);
		json_decref(line);
	}
	return code;
}

static int report(struct cli *cli, const struct upgrade *u)
{
	char text[400];
	int code = cli_connect(cli), old;

	if (code != CLI_DONE)
		return code;
	if (cli_has(cli, FLAG_WAIT) &&
	    (code = wait_renewed(cli)) != CLI_DONE)
		return code;
	old = count(cli, is_leaving, &code);
	if (old < 0)
		return code;
	snprintf(text, sizeof(text), "engine upgraded: %s -> %s, pid %" JSON_INTEGER_FORMAT "; %d gateway%s carr%s sessions of before and end with them",
		 u->version, hello_text(cli, "version"),
		 json_integer_value(json_object_get(cli->client.hello, "pid")),
		 old, old == 1 ? "" : "s", old == 1 ? "ies" : "y");
	if (cli->output.format == FORMAT_JSON) {
		json_t *items = json_pack("[{s:s, s:b, s:s, s:s, s:i}]", "object",
					  "engine", "ok", 1, "text", text,
					  "backup", u->backup, "gateways_old", old);

		output_document(stdout, "change_list", "items", items);
		json_decref(items);
	} else if (!cli_has(cli, FLAG_QUIET)) {
		printf("%s\n", text);
		cli_note(cli, "the store before it: %s", u->backup);
	}
	return CLI_DONE;
}

int cli_run_engine_upgrade(struct cli *cli)
{
	struct upgrade u = { .exe_fd = -1 };
	int code = look(cli, &u);

	if (code == CLI_DONE)
		code = back_up(cli, &u);
	if (code == CLI_DONE)
		code = replace(cli, &u);
	if (code == CLI_DONE)
		code = report(cli, &u);
	if (u.exe_fd >= 0)
		close(u.exe_fd);
	return code;
}
