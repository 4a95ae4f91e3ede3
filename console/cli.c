/*
 * The frame of every command: parse, connect, run, errors and exit codes.
 * One process, one command; nothing outlives cli_main.
 *
 * Data go to standard output, words about them to standard error.
 */
#include "console/cli.h"

#include <errno.h>
#include <jansson.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/control.h"

enum { DEFAULT_TIMEOUT_MS = 30000, MESSAGE_SIZE = 1024 };

/* Codes of the protocol and of this program; the exit code of each. */
static const struct {
	const char *name;
	enum cli_exit code;
} codes[] = {
	{ "failed", CLI_FAILED },	{ "usage", CLI_USAGE },
	{ "not_found", CLI_NOT_FOUND }, { "unreachable", CLI_UNREACHABLE },
	{ "read_only", CLI_NOT_ALLOWED }, { "timeout", CLI_TIMEOUT },
	{ "refused", CLI_FAILED },	{ "busy", CLI_FAILED },
	{ "interrupted", CLI_INTERRUPTED },
};

int cli_exit_of(const char *name)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].name, name) == 0)
			return (int)codes[i].code;
	return -1;
}

/* ---- words ---------------------------------------------------------------- */

static void print_error(const struct cli *cli, const char *code,
			const char *object, const char *message,
			const char *hint)
{
	char shown[MESSAGE_SIZE * 2];
	json_t *error;
	size_t length;
	char *line;

	if (cli_has(cli, FLAG_JSON)) {
		error = json_pack("{s:{s:s, s:s?, s:s, s:s?}}", "error", "code",
				  code, "object", object, "message", message,
				  "hint", hint);
		line = error ? control_print(error, &length) : NULL;
		if (line)
			fputs(line, stderr);
		free(line);
		json_decref(error);
		if (error)
			return;
	}
	text_display(shown, sizeof(shown), message, strlen(message));
	fprintf(stderr, "error: %s\n", shown);
	if (hint && *hint) {
		text_display(shown, sizeof(shown), hint, strlen(hint));
		fprintf(stderr, "  %s\n", shown);
	}
}

int cli_fail(const struct cli *cli, enum cli_exit code, const char *object,
	     const char *hint, const char *fmt, ...)
{
	const char *name = "failed";
	char message[MESSAGE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	for (size_t i = sizeof(codes) / sizeof(codes[0]); i-- > 0;)
		if (codes[i].code == code && strcmp(codes[i].name, "busy") &&
		    strcmp(codes[i].name, "refused"))
			name = codes[i].name;
	print_error(cli, name, object, message, hint);
	return (int)code;
}

int cli_fail_answer(const struct cli *cli, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message =
		json_string_value(json_object_get(error, "message"));

	if (!code)
		code = "failed";
	print_error(cli, code,
		    json_string_value(json_object_get(error, "object")),
		    message ? message : "the engine refused and said no more",
		    json_string_value(json_object_get(error, "hint")));
	return cli_exit_of(code) < 0 ? CLI_FAILED : cli_exit_of(code);
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
	char text[MESSAGE_SIZE], shown[MESSAGE_SIZE * 2];
	va_list ap;

	if (cli_has(cli, FLAG_QUIET))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_display(shown, sizeof(shown), text, strlen(text));
	fprintf(stderr, "%s\n", shown);
}

int cli_finish(const struct cli *cli, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	return errno == EPIPE ? CLI_FAILED :
	       cli_fail(cli, CLI_FAILED, NULL, NULL,
			"cannot write the output: %s", strerror(errno));
}

/* ---- the engine ------------------------------------------------------------ */

int cli_fail_client(const struct cli *cli, const struct error *err)
{
	switch (cli->client.trouble) {
	case CLIENT_TIMEOUT:
		return cli_fail(cli, CLI_TIMEOUT, NULL,
				"what was asked may still happen; wait longer "
				"with --timeout", "%s", err->text);
	case CLIENT_DENIED:
		return cli_fail(cli, CLI_NOT_ALLOWED, NULL,
				"members of group remuda may read, operators "
				"of the site may change",
				"no right to use the engine: %s", err->text);
	case CLIENT_UNREACHABLE:
		return cli_fail(cli, CLI_UNREACHABLE, NULL, NULL, "%s",
				err->text);
	case CLIENT_INTERRUPTED:
		return cli_fail(cli, CLI_INTERRUPTED, NULL, NULL, "%s",
				err->text);
	case CLIENT_FINE:
	case CLIENT_PROTOCOL:
		break;
	}
	return cli_fail(cli, CLI_FAILED, NULL, NULL, "%s", err->text);
}

int cli_connect(struct cli *cli)
{
	struct error err = { "" };

	if (cli->client.fd >= 0)
		return CLI_DONE;
	if (client_connect(&cli->client, cli->socket, cli->timeout_ms, &err)) {
		if (cli_has(cli, FLAG_VERBOSE))
			cli_note(cli, "%s", err.text);
		if (cli->client.trouble == CLIENT_UNREACHABLE)
			return cli_fail(cli, CLI_UNREACHABLE, NULL, NULL,
					"no engine answers at %s; start one "
					"with: remuda engine start",
					cli->socket);
		return cli_fail_client(cli, &err);
	}
	if (cli->client.api != CONTROL_API)
		cli_note(cli, "the engine speaks version %d of the control "
			 "protocol, this program %d: reading only",
			 cli->client.api, CONTROL_API);
	/* Refused here already (cli_parse); the engine keeps to it as well.  An
	 * older one cannot, and that is no reason not to read. */
	if (cli_has(cli, FLAG_READ_ONLY) &&
	    client_read_only(&cli->client, cli->timeout_ms, &err) &&
	    cli->client.trouble != CLIENT_FINE)
		return cli_fail_client(cli, &err);
	return CLI_DONE;
}

json_t *cli_ask(struct cli *cli, json_t *request, int *code)
{
	struct error err = { "" };
	json_t *answer;

	*code = cli_connect(cli);
	if (*code != CLI_DONE) {
		json_decref(request);
		return NULL;
	}
	const char *verb = json_string_value(json_object_get(request, "verb"));
	const struct cli_command *c = cli->call.command;

	if (cli_has(cli, FLAG_WHY) && c->changes && c->control &&
	    strcmp(verb, c->control) == 0)
		json_object_set_new(request, "why",
				    json_string(cli->call.value[FLAG_WHY]));
	if (cli_has(cli, FLAG_VERBOSE)) {
		size_t length;
		char *line = control_print(request, &length);

		fprintf(stderr, "%s <- %s", cli->socket, line ? line : "?\n");
		free(line);
	}
	answer = client_call(&cli->client, request, cli->timeout_ms, &err);
	if (!answer) {
		*code = cli_fail_client(cli, &err);
		return NULL;
	}
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	*code = cli_fail_answer(cli, answer);
	json_decref(answer);
	return NULL;
}

bool cli_can_ask(const struct cli *cli)
{
	return !cli_has(cli, FLAG_NO_INPUT) && !cli_has(cli, FLAG_JSON) &&
	       isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

struct cli_place cli_place(const struct cli *cli)
{
	const char *gateways = cli->call.value[FLAG_GATEWAYS];

	return (struct cli_place){
		.paths = &cli->paths,
		.socket = cli->socket_named ? cli->socket : NULL,
		.read_only = cli_has(cli, FLAG_READ_ONLY),
		.practice = cli_has(cli, FLAG_PRACTICE),
		.no_color = cli_has(cli, FLAG_NO_COLOR),
		.ascii = cli_has(cli, FLAG_ASCII),
		.utc = cli_has(cli, FLAG_UTC),
		.log_level = cli->call.value[FLAG_LOG_LEVEL],
		.log = cli->call.value[FLAG_LOG],
		.gateways = gateways ? (unsigned)strtoul(gateways, NULL, 10) : 0,
	};
}

/* ---- start ------------------------------------------------------------------ */

static bool terminal_is_plain(const struct cli *cli)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return cli_has(cli, FLAG_NO_COLOR) || (no_color && *no_color) ||
	       !term || !*term || strcmp(term, "dumb") == 0;
}

static int choose_output(struct cli *cli)
{
	struct cli_output *o = &cli->output;
	const char *format = cli->call.value[FLAG_OUTPUT];
	int given = cli_has(cli, FLAG_JSON) + cli_has(cli, FLAG_CSV) +
		    (format != NULL);
	struct winsize size;

	*o = (struct cli_output){
		.out = stdout,
		.sort = cli->call.value[FLAG_SORT],
		.filter = cli->call.value[FLAG_FILTER],
		.header = !cli_has(cli, FLAG_NO_HEADER),
		.utc = cli_has(cli, FLAG_UTC),
		.utf8 = true,
	};
	if (given > 1)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"--json, --csv and -o exclude each other");
	o->format = cli_has(cli, FLAG_JSON) ? FORMAT_JSON :
		    cli_has(cli, FLAG_CSV) ? FORMAT_CSV : FORMAT_TABLE;
	if (format) {
		o->format = strcmp(format, "name") == 0 ? FORMAT_NAME :
			    strcmp(format, "wide") == 0 ? FORMAT_WIDE :
							  FORMAT_COLUMNS;
		o->columns = format;
		if (!*format)
			return cli_fail(cli, CLI_USAGE, NULL, NULL,
					"-o wants name, wide or columns");
	}
	if (!isatty(STDOUT_FILENO))
		return CLI_DONE;
	o->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col
			   ? size.ws_col
			   : 80;
	o->bold = !terminal_is_plain(cli);
	o->utf8 = !cli_has(cli, FLAG_ASCII) &&
		  strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return CLI_DONE;
}

static int choose_place(struct cli *cli)
{
	const char *socket = cli->call.value[FLAG_SOCKET];
	const struct paths_wish wish = {
		.site = cli->call.value[FLAG_SITE],
		.config = cli->call.value[FLAG_CONFIG],
		.run_dir = cli->call.value[FLAG_RUN_DIR],
		.state_dir = cli->call.value[FLAG_STATE_DIR],
	};
	struct error err = { "" };

	if (paths_init(&cli->paths, &wish, &err))
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	if (!socket)
		socket = getenv("REMUDA_SOCKET");
	cli->socket_named = socket && *socket;
	if (!cli->socket_named)
		paths_client_socket(&cli->paths, cli->socket,
				    sizeof(cli->socket));
	else if (!text_copy(cli->socket, sizeof(cli->socket), socket) ||
		 paths_check_socket(socket, &err))
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "--socket: %s",
				err.text);
	cli->timeout_ms = DEFAULT_TIMEOUT_MS;
	if (cli_has(cli, FLAG_TIMEOUT))
		text_parse_duration_ms(cli->call.value[FLAG_TIMEOUT],
				       &cli->timeout_ms, NULL);
	return CLI_DONE;
}

static int run_console(struct cli *cli)
{
	struct cli_place place = cli_place(cli);
	bool nothing = !cli->socket_named && !place.practice &&
		       access(cli->socket, F_OK) &&
		       access(cli->paths.config, F_OK);

	/* At the first start it says what there is. */
	if (!nothing && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"the console needs a terminal; for commands "
				"see: remuda help");
	return cli->roles->console(&place);
}

static int run_call(struct cli *cli)
{
	const struct cli_command *c = cli->call.command;
	int code;

	if (cli_has(cli, FLAG_HELP) && (!c || !c->verbatim)) {
		if (c)
			cli_help_command(stdout, c);
		else if (cli->call.noun_help)
			cli_help_noun(stdout, cli->call.noun_help);
		else
			cli_help_all(stdout);
		return CLI_DONE;
	}
	if (cli_has(cli, FLAG_VERSION))
		return cli_run_version(cli);
	if (!c && cli->call.noun_help)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"%s needs a verb; see: remuda help %s",
				cli->call.noun_help, cli->call.noun_help);
	code = choose_place(cli);
	if (code != CLI_DONE)
		return code;
	if (!c)
		return run_console(cli);
	if (c->changes && cli_has(cli, FLAG_READ_ONLY) &&
	    !cli_has(cli, FLAG_DRY_RUN))
		return cli_fail(cli, CLI_NOT_ALLOWED, NULL, NULL,
				"%s%s%s changes something and --read-only "
				"forbids that", c->noun ? c->noun : "",
				c->noun ? " " : "", c->verb);
	if (c->changes && cli_has(cli, FLAG_DRY_RUN) && !cli_engine_plans(c))
		return cli_run_would(cli);
	return c->run(cli);
}

int cli_main(int argc, char **argv, const struct cli_roles *roles)
{
	struct cli cli = { .roles = roles, .argc = argc, .argv = argv };
	struct error err = { "" };
	int code;

	setlocale(LC_CTYPE, "");
	client_init(&cli.client);
	if (cli_parse(&cli.call, argc, argv, &err))
		code = cli_fail(&cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	else if ((code = choose_output(&cli)) == CLI_DONE)
		code = run_call(&cli);
	code = cli_finish(&cli, code);
	client_close(&cli.client);
	cli_call_fini(&cli.call);
	return code;
}

int cli_run_version(struct cli *cli)
{
	json_t *item = json_pack("{s:s, s:s, s:i}", "program", "remuda",
				 "version", REMUDA_VERSION, "control_api",
				 CONTROL_API);

	if (cli->output.format == FORMAT_JSON)
		output_document(stdout, "version", "item", item);
	else
		printf("remuda %s (control protocol %d)\n", REMUDA_VERSION,
		       CONTROL_API);
	json_decref(item);
	return CLI_DONE;
}

int cli_run_help(struct cli *cli)
{
	const char **words = cli->call.words;
	const struct cli_command *c = NULL;
	const struct cli_noun *noun;

	if (cli_has(cli, FLAG_MAN)) {
		if (cli->call.word_count && !strcmp(words[0], "console") &&
		    cli->roles->console_man)
			cli->roles->console_man(stdout);
		else
			cli_man_page(stdout);
		return CLI_DONE;
	}
	if (cli->call.word_count == 0) {
		cli_help_all(stdout);
		return CLI_DONE;
	}
	noun = cli_noun(words[0]);
	if (noun && cli->call.word_count == 1) {
		cli_help_noun(stdout, noun->name);
		return CLI_DONE;
	}
	c = noun ? cli_command(noun->name, words[1])
		 : cli_command(NULL, words[0]);
	if (c && !c->hidden) {
		cli_help_command(stdout, c);
		return CLI_DONE;
	}
	return cli_fail(cli, CLI_USAGE, NULL, NULL,
			"no help on \"%.60s\"; see: remuda help",
			words[cli->call.word_count - 1]);
}
