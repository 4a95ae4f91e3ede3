/*
 * Waiting for a change of a cluster: it is asked for once, then its topic tells.
 * The subscription begins with all changes under way, so one that is not among
 * them has ended meanwhile and is asked for again.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "console/clock.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { SILENT_MS = 15000 };	/* the engine ticks every second */

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

static bool is_over(const json_t *change)
{
	return json_is_true(json_object_get(change, "removed"));
}

/* A new reference to the change, or NULL with the error said. */
static json_t *ask_for(struct cli *cli, int64_t id, int *code)
{
	json_t *answer = cli_ask(cli, json_pack("{s:s, s:I}", "verb",
						"change.show", "change",
						(json_int_t)id), code);
	json_t *item = json_incref(json_object_get(answer, "item"));

	json_decref(answer);
	return item;
}

static void say_step(const struct cli *cli, const json_t *change)
{
	if (isatty(STDERR_FILENO))
		cli_note(cli, "%s: %s (%lld of 7)%s%s", text_of(change, "ref"),
			 text_of(change, "step"),
			 (long long)json_integer_value(
				 json_object_get(change, "step_number")),
			 *text_of(change, "text") ? ": " : "",
			 text_of(change, "text"));
}

/* The change among a line's items, or NULL; borrowed. */
static json_t *among(const json_t *line, int64_t id)
{
	json_t *item, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(line, "items"), i, item)
		if (json_integer_value(json_object_get(item, "id")) == id)
			found = item;	/* the last of several is true */
	return found;
}

/* What comes of it, as its lines tell: a new reference, or NULL with *code; over
 * by *code CLI_TIMEOUT when it takes too long. */
static json_t *follow(struct cli *cli, int64_t id, int64_t until_ms, int *code)
{
	json_t *line, *change = NULL;
	struct error err = { "" };
	char step[32] = "";
	int got = 1;

	json_decref(cli_ask(cli, json_pack("{s:s, s:[s]}", "verb", "subscribe",
					   "topics", "changes"), code));
	while (*code == CLI_DONE && !change && now_ms() < until_ms &&
	       (got = client_wait(&cli->client, &line, SILENT_MS, &err)) > 0) {
		bool ours = strcmp(text_of(line, "topic"), "changes") == 0;
		json_t *item = ours ? among(line, id) : NULL;

		if (item && !is_over(item) &&
		    strcmp(step, text_of(item, "step")) != 0) {
			TEXT_SET(step, text_of(item, "step"));
			say_step(cli, item);
		}
		if (item && is_over(item))
			change = json_incref(item);
		else if (ours && !item && json_is_true(json_object_get(line, "full")))
			change = ask_for(cli, id, code);
		json_decref(line);
	}
	if (got == 0)
		error_set(&err, "the engine is silent");
	if (got <= 0)
		*code = cli_fail_client(cli, &err);
	else if (!change && *code == CLI_DONE)
		*code = cli_fail(cli, CLI_TIMEOUT, NULL, NULL, "change/%lld goes "
				 "on; to wait again: remuda change wait %lld",
				 (long long)id, (long long)id);
	return change;
}

static int report(struct cli *cli, const json_t *change)
{
	bool done = strcmp(text_of(change, "state"), "done") == 0;
	struct cli_column took = { .key = "took_ms", .cell = CELL_MS };
	char how_long[32];

	cell_text(how_long, sizeof(how_long), &cli->output, &took, change);
	if (!done)
		return cli_fail(cli, CLI_FAILED, text_of(change, "ref"), NULL,
				"%s %s after %s%s%s", text_of(change, "ref"),
				text_of(change, "state"), how_long,
				*text_of(change, "text") ? ": " : "",
				text_of(change, "text"));
	if (cli->output.format != FORMAT_JSON && !cli_has(cli, FLAG_QUIET))
		printf("%s done in %s\n", text_of(change, "ref"), how_long);
	return CLI_DONE;
}

int cli_wait_change(struct cli *cli, int64_t id)
{
	/* A change has deadlines of its own: only --timeout gives it up. */
	int64_t until_ms = cli_has(cli, FLAG_TIMEOUT) ?
				   now_ms() + cli->timeout_ms : INT64_MAX;
	int code = CLI_DONE;
	json_t *change = ask_for(cli, id, &code);

	if (change && !is_over(change)) {
		json_decref(change);
		change = follow(cli, id, until_ms, &code);
	}
	if (change && code == CLI_DONE)
		code = report(cli, change);
	json_decref(change);
	return code;
}

int cli_run_change_wait(struct cli *cli)
{
	const char *word = cli->call.words[0];

	if (strncmp(word, "change/", 7) == 0)
		word += 7;
	if (!*word || strlen(word) > 18 ||
	    strspn(word, "0123456789") != strlen(word))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"ID is a number, not \"%.60s\"", word);
	int code = cli_wait_change(cli, strtoll(word, NULL, 10));
	if (code == CLI_DONE && cli->output.format == FORMAT_JSON) {
		json_t *change = ask_for(cli, strtoll(word, NULL, 10), &code);

		output_document(stdout, "change", "item", change);
		json_decref(change);
	}
	return code;
}
