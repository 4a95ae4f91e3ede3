/*
 * Commands that change something: ask when the table says so, send one request
 * per name, report each.  Nothing is sent before every question is answered.
 * Several names: all are tried, exit code 8 when some failed.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/control.h"

enum { QUESTION_SIZE = 256, QUESTIONS_SHOWN = 10 };

static int name_count(const struct cli_call *call)
{
	bool many = call->command->arguments[0].many;

	return many ? call->word_count : 1;
}

/* "machine/mail-07", "pool/mail", "site". */
static void object_name(char *out, size_t out_size,
			const struct cli_call *call, int i)
{
	const char *noun = call->command->noun, *word, *slash;

	if (!call->command->arguments[0].name) {
		text_copy(out, out_size, noun);
		return;
	}
	word = call->words[i];
	slash = strchr(word, '/');
	snprintf(out, out_size, "%s/%.100s", noun, slash ? slash + 1 : word);
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "?";
}

static long long number_of(const json_t *item, const char *key)
{
	return (long long)json_integer_value(json_object_get(item, key));
}

/* The change makes the cluster smaller in something it names. */
static bool shrinks(const json_t *change, const json_t *item)
{
	static const char *const keys[] = { "nodes", "vcpus", "memory_mib" };

	for (size_t i = 0; i < 3; i++)
		if (json_object_get(change, keys[i]) &&
		    number_of(change, keys[i]) < number_of(item, keys[i]))
			return true;
	return false;
}

/* What would be touched, as a line for the question. */
static void describe(const char *noun, const char *object, const json_t *item,
		     char *out, size_t out_size)
{
	if (strcmp(noun, "pool") == 0)
		snprintf(out, out_size, "%s: %lld machines, %lld in session",
			 object, number_of(item, "total"),
			 number_of(item, "in_use"));
	else if (strcmp(noun, "cluster") == 0)
		snprintf(out, out_size, "%s: %lld nodes serve, %lld transactions "
			 "are open", object, number_of(item, "serving"),
			 number_of(item, "open"));
	else if (strcmp(noun, "host") == 0)
		snprintf(out, out_size, "%s: %lld machines are there, it is %s",
			 object, number_of(item, "machines"),
			 text_of(item, "state"));
	else if (strcmp(noun, "change") == 0)
		snprintf(out, out_size, "%s: %s of cluster %s, at step %s",
			 object, text_of(item, "summary"),
			 text_of(item, "cluster"), text_of(item, "step"));
	else
		snprintf(out, out_size, "%s: user %s on %s, %s", object,
			 text_of(item, "user"), text_of(item, "machine"),
			 text_of(item, "state"));
}

/*
 * Filled when a person has to be asked about this name, empty otherwise.  An
 * object that cannot be shown needs no question: the change itself will say why.
 */
static int touched(struct cli *cli, const json_t *change, const char *object,
		   char *out, size_t out_size)
{
	const struct cli_command *c = cli->call.command;
	const char *key = c->arguments[0].key;
	json_t *answer, *item, *session;
	struct error err = { "" };
	char verb[64], id[64];
	struct cli_column column = { .key = "session" };

	snprintf(verb, sizeof(verb), "%s.show", c->noun);
	json_t *request = json_pack("{s:s}", "verb", verb);
	if (key)
		json_object_set(request, key, json_object_get(change, key));
	answer = client_call(&cli->client, request, cli->timeout_ms, &err);
	if (!answer)
		return cli_fail_client(cli, &err);
	item = json_object_get(answer, "item");
	session = json_object_get(item, "session");
	*out = '\0';
	if (item && (c->confirm >= CONFIRM_ALWAYS ||
		     (c->confirm == CONFIRM_SHRINK && shrinks(change, item)))) {
		describe(c->noun, object, item, out, out_size);
	} else if (c->confirm == CONFIRM_IN_SESSION && session &&
		   !json_is_null(session)) {
		cell_raw(id, sizeof(id), &column, item);
		snprintf(out, out_size, "%s: user %s is on it, session %s",
			 object, text_of(item, "user"), id);
	}
	json_decref(answer);
	return CLI_DONE;
}

static int ask_person(const struct cli *cli, json_t *questions)
{
	size_t count = json_array_size(questions), i;
	char shown[QUESTION_SIZE * 2], reply[16];
	json_t *line;

	json_array_foreach(questions, i, line) {
		const char *text = json_string_value(line);

		if (i == QUESTIONS_SHOWN) {
			fprintf(stderr, "and %zu more\n", count - i);
			break;
		}
		text_display(shown, sizeof(shown), text, strlen(text));
		fprintf(stderr, "%s\n", shown);
	}
	fprintf(stderr, "%s %s? [y/N] ", cli->call.command->verb,
		count > 1 ? "them" : "it");
	fflush(stderr);
	if (fgets(reply, sizeof(reply), stdin) &&
	    (strcasecmp(reply, "y\n") == 0 || strcasecmp(reply, "yes\n") == 0))
		return CLI_DONE;
	return cli_fail(cli, CLI_FAILED, NULL, NULL, "nothing was changed");
}

/* The name is to be typed: a yes is given too easily. */
static int ask_name(const struct cli *cli, const char *line, const char *bare)
{
	char shown[QUESTION_SIZE * 2], reply[160];

	text_display(shown, sizeof(shown), line, strlen(line));
	fprintf(stderr, "%s\n%s it? Type its name: ", shown,
		cli->call.command->verb);
	fflush(stderr);
	if (fgets(reply, sizeof(reply), stdin)) {
		reply[strcspn(reply, "\n")] = '\0';
		if (strcmp(reply, bare) == 0)
			return CLI_DONE;
	}
	return cli_fail(cli, CLI_FAILED, NULL, NULL, "nothing was changed");
}

/* Asks about all of them at once. */
static int ask(const struct cli *cli, json_t *questions, const char *bare)
{
	const char *first = json_string_value(json_array_get(questions, 0));
	bool typed = cli->call.command->confirm == CONFIRM_TYPED;

	if (cli_can_ask(cli))
		return typed ? ask_name(cli, first, bare) :
			       ask_person(cli, questions);
	if (typed)
		return cli_fail(cli, CLI_USAGE, NULL, "nothing was changed; name "
				"it again to do it: --confirm NAME", "%s", first);
	return cli_fail(cli, CLI_USAGE, NULL, "nothing was changed; say --yes to "
			"do it without being asked", "%s", first);
}

/* CLI_DONE when the changes may be sent. */
static int confirm(struct cli *cli, json_t *changes)
{
	const char *named = cli->call.value[FLAG_CONFIRM], *bare;
	json_t *questions, *change;
	char object[160], line[QUESTION_SIZE];
	enum cli_confirm asks = cli->call.command->confirm;
	int code = cli_connect(cli);
	size_t i;

	if (code != CLI_DONE || asks == CONFIRM_NONE ||
	    cli_has(cli, FLAG_DRY_RUN) ||
	    (cli_has(cli, FLAG_YES) && asks != CONFIRM_TYPED))
		return code;
	questions = json_array();
	json_array_foreach(changes, i, change) {
		object_name(object, sizeof(object), &cli->call, (int)i);
		code = touched(cli, change, object, line, sizeof(line));
		if (code != CLI_DONE)
			break;
		bare = strchr(object, '/') + 1;
		if (*line && !(named && (strcmp(named, object) == 0 ||
					 strcmp(named, bare) == 0)))
			json_array_append_new(questions, json_string(line));
	}
	if (code == CLI_DONE && json_array_size(questions))
		code = ask(cli, questions, strchr(object, '/') + 1);
	json_decref(questions);
	return code;
}

/* Sends one change; keeps its result for the JSON document. */
static int send_change(struct cli *cli, json_t *change, const char *object,
		       json_t *results)
{
	char shown[1024];
	const char *text;
	json_t *answer;
	int code;

	answer = cli_ask(cli, change, &code);
	if (!answer) {
		json_array_append_new(results,
				      json_pack("{s:s, s:b, s:i}", "object",
						object, "ok", 0, "exit",
						code));
		return code;
	}
	text = json_string_value(json_object_get(answer, "text"));
	if (!text)
		text = object;
	json_array_append_new(results,
			      json_pack("{s:s, s:b, s:s}", "object", object,
					"ok", 1, "text", text));
	if (cli->output.format != FORMAT_JSON && !cli_has(cli, FLAG_QUIET)) {
		text_display(shown, sizeof(shown), text, strlen(text));
		printf("%s\n", shown);
		fflush(stdout);
	}
	int64_t change_id = json_integer_value(json_object_get(answer, "change"));
	json_decref(answer);
	return change_id && cli_has(cli, FLAG_WAIT) ?
		       cli_wait_change(cli, change_id) : CLI_DONE;
}

static int check_resize(const struct cli *cli)
{
	if (strcmp(cli->call.command->control, "cluster.resize") != 0 ||
	    cli_has(cli, FLAG_NODES) || cli_has(cli, FLAG_VCPUS) ||
	    cli_has(cli, FLAG_MEMORY))
		return CLI_DONE;
	return cli_fail(cli, CLI_USAGE, NULL, NULL,
			"resize to what? Give --nodes N, --vcpus N or "
			"--memory SIZE");
}

static int check_scale(const struct cli *cli)
{
	if (strcmp(cli->call.command->control, "pool.scale") != 0 ||
	    cli->call.word_count > 1 || cli_has(cli, FLAG_SERVE) ||
	    cli_has(cli, FLAG_SPARE) || cli_has(cli, FLAG_MAX))
		return CLI_DONE;
	return cli_fail(cli, CLI_USAGE, NULL, NULL,
			"scale to what? Give N, --serve N, --spare N or "
			"--max N");
}

static int send_all(struct cli *cli, json_t *changes)
{
	int failed = 0, first = CLI_DONE, code, count;
	json_t *results = json_array(), *change;
	char object[160];
	size_t i;

	count = (int)json_array_size(changes);
	json_array_foreach(changes, i, change) {
		object_name(object, sizeof(object), &cli->call, (int)i);
		code = send_change(cli, json_incref(change), object, results);
		if (code == CLI_DONE)
			continue;
		if (!failed++)
			first = code;
		if (code == CLI_UNREACHABLE || code == CLI_TIMEOUT) {
			failed = count - (int)i + failed - 1;
			break;
		}
	}
	if (cli->output.format == FORMAT_JSON)
		output_document(stdout, "change_list", "items", results);
	json_decref(results);
	return failed && failed < count ? CLI_PARTLY : first;
}

int cli_run_change(struct cli *cli)
{
	json_t *changes = json_array();
	struct error err = { "" };
	int code = check_scale(cli);

	if (code == CLI_DONE)
		code = check_resize(cli);
	for (int i = 0; i < name_count(&cli->call) && code == CLI_DONE; i++) {
		json_t *change = cli_request(&cli->call, i, &err);

		if (change)
			json_array_append_new(changes, change);
		else
			code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s",
					err.text);
	}
	if (code == CLI_DONE)
		code = confirm(cli, changes);
	if (code == CLI_DONE && cli->client.api != CONTROL_API &&
	    !cli_has(cli, FLAG_DRY_RUN))
		code = cli_fail(cli, CLI_NOT_ALLOWED, NULL, NULL,
				"the engine is of another version: nothing is "
				"changed through it");
	if (code == CLI_DONE)
		code = send_all(cli, changes);
	json_decref(changes);
	return code;
}

/* Answered when the last file is gone. */
int cli_run_site_destroy(struct cli *cli)
{
	if (!cli_has(cli, FLAG_TIMEOUT))
		cli->timeout_ms = 600000;
	return cli_run_change(cli);
}

/* The token alone on standard output, for scripts; the words beside it. */
int cli_run_token_create(struct cli *cli)
{
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err), *answer, *item;
	const char *token, *text;
	int code;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	token = json_string_value(json_object_get(answer, "token"));
	text = json_string_value(json_object_get(answer, "text"));
	if (!token || !text) {
		code = cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine's answer holds no token");
	} else if (cli->output.format == FORMAT_JSON) {
		item = json_pack("{s:s, s:s}", "token", token, "text", text);
		output_document(stdout, "token", "item", item);
		json_decref(item);
	} else {
		printf("%s\n", token);
		cli_note(cli, "%s", text);
	}
	json_decref(answer);
	return code;
}
