/*
 * The program: console, command or role, by its first words.
 *
 *     remuda                 the console, on a terminal
 *     remuda NOUN VERB ...   a command (cli.c)
 *     remuda role NAME ...   a process of an engine; started by the program
 *                            itself, descriptors passed as numbers
 *
 * The only file that knows every role; each brings its own libraries.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console/app.h"
#include "console/cli.h"
#include "console/client.h"
#include "console/connect.h"
#include "console/first.h"
#include "console/launch.h"
#include "console/man.h"
#include "console/paths.h"
#include "console/practice.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/core/step.h"
#include "engine/engine.h"
#include "engine/gateway/gateway.h"
#include "engine/hypervisor/hypervisor.h"
#include "engine/net/net.h"
#include "engine/rules/rules.h"
#include "engine/ssh/sshd.h"
#include "engine/ssh/starter.h"

/* Roles inherit the engine's level by it. */
#define LEVEL_VARIABLE "REMUDA_LOG_LEVEL"

enum { LOOK_MS = 1000 };

static enum log_level level_of(const char *name)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (int i = 0; name && i < 4; i++)
		if (strcmp(names[i], name) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

static void set_level(const char *name)
{
	if (name)
		setenv(LEVEL_VARIABLE, name, 1);
}

static int run_engine(const struct engine_options *o)
{
	log_open("engine", STDERR_FILENO, (enum log_level)o->log_level);
	return engine_run(o);
}

/* ---- roles: `remuda role NAME --option value ...` ------------------------- */

struct role_options {
	int argc;
	char **argv;
	bool wrong;
};

static const char *option(const struct role_options *o, const char *name)
{
	for (int i = 0; i < o->argc; i++)
		if (strcmp(o->argv[i], name) == 0)
			return i + 1 < o->argc ? o->argv[i + 1] : "";
	return NULL;
}

/* A number, or missing (< 0: it has to be there). */
static long long number(struct role_options *o, const char *name,
			long long missing)
{
	const char *text = option(o, name);
	char *end;
	long long n;

	if (!text && missing >= -1)
		return missing;
	errno = 0;
	n = text ? strtoll(text, &end, 10) : -1;
	if (!text || *end || end == text || n < 0 || errno) {
		fprintf(stderr, "error: role wants %s NUMBER\n", name);
		o->wrong = true;
		return -1;
	}
	return n;
}

enum { REQUIRED = -2, NONE = -1 };

/* An inherited descriptor: must be open, and is not inherited further. */
static int descriptor(struct role_options *o, const char *name, int missing)
{
	int fd = (int)number(o, name, missing);

	if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "error: %s %d: %s\n", name, fd,
			strerror(errno));
		o->wrong = true;
	}
	return fd;
}

static int role_engine(struct role_options *o)
{
	const struct paths_wish wish = {
		.site = option(o, "--site"),
		.config = option(o, "--config"),
		.run_dir = option(o, "--run-dir"),
		.state_dir = option(o, "--state-dir"),
	};
	struct engine_options e = {
		.control_fd = descriptor(o, "--control-fd", NONE),
		.ready_fd = descriptor(o, "--ready-fd", NONE),
		.headless = option(o, "--headless") != NULL,
		.gateways = (unsigned)number(o, "--gateways", 0),
		.log_level = level_of(getenv(LEVEL_VARIABLE)),
	};
	struct error err = { "" };
	struct paths paths;

	if (paths_init(&paths, &wish, &err)) {
		fprintf(stderr, "error: %s\n", err.text);
		return CLI_USAGE;
	}
	e.site_file = paths.config;
	e.state_dir = paths.state_dir;
	e.run_dir = paths.run_dir;
	e.scripts_dir = paths.scripts_dir;
	return o->wrong ? CLI_USAGE : run_engine(&e);
}

static int role_gateway(struct role_options *o)
{
	const struct gateway_options g = {
		.index = (uint32_t)number(o, "--index", REQUIRED),
		.term = (uint64_t)number(o, "--term", REQUIRED),
		.engine_fd = descriptor(o, "--engine-fd", REQUIRED),
		.rendezvous_fd = descriptor(o, "--rendezvous-fd", REQUIRED),
		.key_fd = descriptor(o, "--key-fd", REQUIRED),
		.confine = true,
		.starter = true,
	};

	return o->wrong ? CLI_USAGE : gateway_run(&g);
}

static int role_hypervisor(struct role_options *o)
{
	int fd = descriptor(o, "--engine-fd", REQUIRED);

	return o->wrong ? CLI_USAGE : hypervisor_run(fd);
}

static int role_rules(struct role_options *o)
{
	int fd = descriptor(o, "--engine-fd", REQUIRED);

	return o->wrong ? CLI_USAGE : rules_run(fd);
}

static int role_net(struct role_options *o)
{
	int fd = descriptor(o, "--engine-fd", REQUIRED);

	return o->wrong ? CLI_USAGE : net_run(fd);
}

static int role_ssh(struct role_options *o)
{
	const struct sshd_options s = {
		.client_fd = descriptor(o, "--client-fd", REQUIRED),
		.gateway_fd = descriptor(o, "--gateway-fd", REQUIRED),
		.key_fd = descriptor(o, "--key-fd", REQUIRED),
	};

	return o->wrong ? CLI_USAGE : sshd_run(&s);
}

static int role_ssh_starter(struct role_options *o)
{
	int fd = descriptor(o, "--gateway-fd", REQUIRED);

	return o->wrong ? CLI_USAGE : starter_run(fd);
}

/* `make docs`: the state tables as Graphviz. */
static int role_states(struct role_options *o)
{
	(void)o;
	sm_print_dot(&machine_table, stdout);
	sm_print_dot(&session_table, stdout);
	return 0;
}

static int run_role(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct role_options *o);
	} roles[] = {
		{ "engine", role_engine },
		{ "gateway", role_gateway },
		{ "hypervisor", role_hypervisor },
		{ "rules", role_rules },
		{ "net", role_net },
		{ "ssh", role_ssh },
		{ "ssh-starter", role_ssh_starter },
		{ "states", role_states },
	};
	struct role_options o = { .argc = argc - 1, .argv = argv + 1 };

	set_level(option(&o, "--log-level"));
	for (size_t i = 0; argc && i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i].name, argv[0]) != 0)
			continue;
		log_open(roles[i].name, STDERR_FILENO,
			 level_of(getenv(LEVEL_VARIABLE)));
		return roles[i].run(&o);
	}
	fprintf(stderr, "error: role is engine, gateway, hypervisor, rules or "
			"net; an engine starts it\n");
	return CLI_USAGE;
}

/* ---- what commands start ------------------------------------------------------ */

/* `remuda engine run`: the foreground, headless. */
static int start_engine(const struct cli_place *place)
{
	const struct engine_options o = {
		.site_file = place->paths->config,
		.state_dir = place->paths->state_dir,
		.run_dir = place->paths->run_dir,
		.scripts_dir = place->paths->scripts_dir,
		.control_fd = -1,
		.ready_fd = -1,
		.headless = true,
		.gateways = place->gateways,
		.log_level = level_of(place->log_level ? place->log_level
						       : getenv(LEVEL_VARIABLE)),
	};

	set_level(place->log_level);
	if (place->log) {
		struct error err;
		int fd = launch_log(place->log, &err);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
			fprintf(stderr, "error: %s\n", err.text);
			return CLI_FAILED;
		}
		close(fd);
	} else {
		unsetenv(LOG_VARIABLE);
	}
	return run_engine(&o);
}

struct embedded {
	const struct cli_place *place;
	pid_t pid;		/* of the engine this console started; 0 = none */
};

/* Starts an engine and returns the console's end of its control socket, or -1
 * with err.  An earlier engine of ours that ended is reaped. */
static int embed(struct embedded *e, struct error *err)
{
	struct launch launch = {
		.paths = e->place->paths,
		.log_level = e->place->log_level,
		.log = e->place->log,
		.gateways = e->place->gateways,
	};
	struct launched engine;
	int pair[2], result;

	if (e->pid > 0)
		waitpid(e->pid, NULL, WNOHANG);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return error_errno(err, "socketpair");
	launch.control_fd = pair[1];
	result = launch_engine(&launch, &engine, err);
	close(pair[1]);
	if (result) {
		close(pair[0]);
		return -1;
	}
	e->pid = engine.pid;
	/* Not ready in time is no reason to give up: the console shows that
	 * it waits.  An engine that ended is. */
	result = launch_wait(&launch, &engine, LOOK_MS * 10, err);
	close(engine.ready_fd);
	if (result < 0) {
		close(pair[0]);
		return -1;
	}
	return pair[0];
}

static int restart(void *arg)
{
	return embed(arg, NULL);
}

static bool engine_answers(const char *socket)
{
	struct client c;
	bool there;

	client_init(&c);
	there = client_connect(&c, socket, LOOK_MS, NULL) == 0 ||
		c.trouble == CLIENT_TIMEOUT;
	client_close(&c);
	return there;
}

/* Starts an engine for the console of o. */
static int run_embedded(struct console_options *o, struct embedded *embedded)
{
	const struct cli_place *place = embedded->place;
	struct error err = { "" };

	o->socket_path = place->paths->control_socket;
	o->site_file = place->paths->config;
	o->embedded = true;
	o->control_fd = embed(embedded, &err);
	o->restart_engine = restart;
	o->restart_arg = embedded;
	if (o->control_fd < 0) {
		fprintf(stderr, "error: %s\n  the log: %s\n", err.text,
			place->paths->log);
		return CLI_FAILED;
	}
	return console_run(o);
}

/* A site of which nothing is real, and all of it goes with the console. */
static int run_practice(struct console_options *o, const struct cli_place *place)
{
	struct practice practice;
	struct cli_place there = *place;
	struct embedded embedded = { .place = &there };
	struct error err = { "" };
	int code;

	if (practice_open(&practice, &err)) {
		fprintf(stderr, "error: %s\n", err.text);
		return CLI_FAILED;
	}
	there.paths = &practice.paths;
	o->practice = true;
	o->memory = NULL;	/* nothing is left of it */
	code = run_embedded(o, &embedded);
	if (practice_close(&practice, &err)) {
		fprintf(stderr, "error: %s\n", err.text);
		return CLI_FAILED;
	}
	return code;
}

/* Nothing is there yet: the person says what to do. */
static int run_first(struct console_options *o, const struct cli_place *place)
{
	const struct first_options first = { place->paths, place->ascii,
					     place->no_color };
	struct paths paths = *place->paths;
	struct cli_place there = *place;
	struct embedded embedded = { .place = &there };
	struct first_choice choice;

	if (first_ask(&first, &choice)) {
		first_print(place->paths, stderr);
		return CLI_USAGE;
	}
	o->ascii = choice.ascii;
	o->tour = choice.tour;
	there.paths = &paths;
	switch (choice.kind) {
	case FIRST_LEAVE:
		return 0;
	case FIRST_PRACTICE:
		return run_practice(o, place);
	case FIRST_ATTACH:
		o->socket_path = choice.text;
		return console_run(o);
	case FIRST_CONFIG:
		snprintf(paths.config, sizeof(paths.config), "%s", choice.text);
		break;
	case FIRST_SITE:
		break;
	}
	return run_embedded(o, &embedded);
}

/* The console: on the engine that was named, on the site's one when it
 * answers, else on one that this starts. */
static int start_console(const struct cli_place *place)
{
	const char *clock = getenv("REMUDA_CLOCK_MS");
	struct embedded embedded = { .place = place };
	char socket[PATHS_SIZE];
	struct console_options o = {
		.socket_path = place->socket,
		.control_fd = -1,
		.read_only = place->read_only,
		.ascii = place->ascii,
		.no_color = place->no_color,
		.site_file = place->paths->config,
		.settings_dir = place->paths->settings_dir,
		.memory = place->paths->memory,
		.script = getenv("REMUDA_SCRIPT"),
		.fixed_clock_ms = clock ? strtoll(clock, NULL, 10) : 0,
	};

	setlocale(LC_ALL, "");
	if (place->practice)
		return run_practice(&o, place);
	if (!o.socket_path)
		o.socket_path = paths_client_socket(place->paths, socket,
						    sizeof(socket));
	if (place->socket || engine_answers(o.socket_path))
		return console_run(&o);
	if (access(place->paths->config, R_OK) == 0)
		return run_embedded(&o, &embedded);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		first_print(place->paths, stderr);
		return CLI_USAGE;
	}
	return run_first(&o, place);
}

int main(int argc, char **argv)
{
	static const struct cli_roles roles = {
		.engine = start_engine,
		.console = start_console,
		.connect = connect_main,
		.console_man = man_console,
		.restore = engine_restore,
	};

	if (argc > 1 && strcmp(argv[1], "role") == 0)
		return run_role(argc - 2, argv + 2);
	return cli_main(argc, argv, &roles);
}
