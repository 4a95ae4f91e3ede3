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

/*
 * Filled when a person has to be asked about this name, empty otherwise.  An
 * object that cannot be shown needs no question: the change itself will say why.
 */
static int touched(struct cli *cli, const json_t *change, const char *object,
		   char *out, size_t out_size)
{
	int code;
	json_t *item = cli_show_of(cli, change, &code);

	cli_touched(out, out_size, cli->call.command, object, change, item);
	json_decref(item);
	return code;
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

/* "mail-07" of "machine/mail-07"; the site's name of "site". */
static const char *bare_name(const struct cli *cli, const char *object)
{
	const char *slash = strchr(object, '/');

	return slash ? slash + 1 : cli->paths.site;
}

bool cli_agreed(const struct cli *cli, const struct cli_command *c,
		const char *object)
{
	const char *named = cli->call.value[FLAG_CONFIRM];

	return (cli_has(cli, FLAG_YES) && c->confirm != CONFIRM_TYPED) ||
	       (named && (strcmp(named, object) == 0 ||
			  strcmp(named, bare_name(cli, object)) == 0));
}

/* CLI_DONE when the changes may be sent. */
static int confirm(struct cli *cli, json_t *changes)
{
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
		if (*line && !cli_agreed(cli, cli->call.command, object))
			json_array_append_new(questions, json_string(line));
	}
	if (code == CLI_DONE && json_array_size(questions))
		code = ask(cli, questions, bare_name(cli, object));
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

/* The same for a person, before and after a change. */
static bool is_unchanged(const json_t *before, const json_t *after)
{
	static const char *const keys[] = { "id", "serve", "spare", "max",
					    "paused", "wish", "state", "ends" };

	if (!before || !after)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *was = json_object_get(before, keys[i]);
		const json_t *is = json_object_get(after, keys[i]);

		if ((was || is) && !(was && is && json_equal(was, is)))
			return false;
	}
	return true;
}

/* One change, with what --wait and --error-unchanged add to it. */
static int send_one(struct cli *cli, json_t *change, const char *object,
		    json_t *results)
{
	bool compare = cli_has(cli, FLAG_ERROR_UNCHANGED);
	bool wait = cli_has(cli, FLAG_WAIT) && !cli_has(cli, FLAG_DRY_RUN);
	json_t *before = NULL, *after = NULL;
	int code = CLI_DONE;

	if (compare || wait)
		before = cli_show_of(cli, change, &code);
	if (code == CLI_DONE)
		code = send_change(cli, json_incref(change), object, results);
	if (code == CLI_DONE && compare) {
		after = cli_show_of(cli, change, &code);
		if (code == CLI_DONE && is_unchanged(before, after))
			code = CLI_UNCHANGED;
	}
	if (code == CLI_DONE && wait)
		code = cli_settle(cli, change, before);
	json_decref(before);
	json_decref(after);
	return code;
}

static int send_all(struct cli *cli, json_t *changes)
{
	int failed = 0, same = 0, first = CLI_DONE, code, count;
	json_t *results = json_array(), *change;
	char object[160];
	size_t i;

	count = (int)json_array_size(changes);
	json_array_foreach(changes, i, change) {
		object_name(object, sizeof(object), &cli->call, (int)i);
		code = send_one(cli, change, object, results);
		same += code == CLI_UNCHANGED;
		if (code == CLI_DONE || code == CLI_UNCHANGED)
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
	if (!failed && same == count && count)
		return CLI_UNCHANGED;
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

/* ---- a dry run of what the engine does not plan -------------------------- */

/* What the engine has of the object of a change, into *item: NULL when it has
 * nothing to show.  One that does not exist is an error. */
static int show_touched(struct cli *cli, const json_t *change, json_t **item)
{
	json_t *show = NULL, *answer;
	int code = CLI_DONE;

	*item = NULL;
	if (strcmp(cli->call.command->verb, "create") != 0)
		show = cli_show_request(change);
	if (!show)
		return CLI_DONE;
	answer = cli_ask(cli, show, &code);
	*item = json_incref(json_object_get(answer, "item"));
	json_decref(answer);
	return code;
}

static int say_would(struct cli *cli, const json_t *change, json_t *results)
{
	char object[160], text[400], shown[1024];
	json_t *item;
	int code = show_touched(cli, change, &item);

	if (code != CLI_DONE)
		return code;
	cli_object_of(object, sizeof(object), change);
	cli_would(text, sizeof(text), change, item);
	json_decref(item);
	json_array_append_new(results, json_pack(
		"{s:s, s:b, s:b, s:s}", "object", object, "ok", 1, "dry_run",
		1, "text", text));
	if (cli->output.format != FORMAT_JSON) {
		text_display(shown, sizeof(shown), text, strlen(text));
		printf("%s\n", shown);
	}
	return CLI_DONE;
}

int cli_run_would(struct cli *cli)
{
	const struct cli_command *c = cli->call.command;
	json_t *results = json_array(), *change;
	struct error err = { "" };
	int code = c->control ? cli_connect(cli) : CLI_DONE;

	for (int i = 0; i < name_count(&cli->call) && code == CLI_DONE; i++) {
		change = c->control ? cli_request(&cli->call, i, &err) :
				      json_pack("{s:s}", "verb", c->verb);
		if (change)
			code = say_would(cli, change, results);
		else
			code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s",
					err.text);
		json_decref(change);
	}
	if (code == CLI_DONE && cli->output.format == FORMAT_JSON)
		output_document(stdout, "change_list", "items", results);
	json_decref(results);
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
