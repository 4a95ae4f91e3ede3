/* Commands that read: list, show, whois, info. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

static const struct cli_view *view_of(const struct cli *cli)
{
	const struct cli_command *c = cli->call.command;

	return c->view ? c->view : cli_noun(c->noun)->view;
}

static void list_kind(char *out, size_t out_size, const struct cli_view *view)
{
	snprintf(out, out_size, "%s_list", view->noun);
}

/* Says which of the two it is: nothing there, or nothing that matches. */
static void note_empty(const struct cli *cli, const struct cli_view *view,
		       size_t all)
{
	if (cli->output.format == FORMAT_JSON || !isatty(STDERR_FILENO))
		return;
	if (all)
		cli_note(cli, "0 of %zu %s match \"%s\"", all, view->many,
			 cli->output.filter);
	else
		cli_note(cli, "no %s", view->many);
}

/* verb: another than the command's own, or NULL; confirm: NULL or what else
 * the person said is meant. */
static int ask_list(struct cli *cli, const char *verb, const char *confirm)
{
	const struct cli_view *view = view_of(cli);
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err), *answer, *items;
	char kind[64];
	size_t shown;
	int code;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	if (verb) {
		json_object_set_new(request, "verb", json_string(verb));
		json_object_del(request, "dry_run");
	}
	if (confirm)
		json_object_set_new(request, "confirm", json_string(confirm));
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	items = json_object_get(answer, "items");
	list_kind(kind, sizeof(kind), view);
	if (!json_is_array(items))
		code = cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine's answer holds no list");
	else if (output_list(&cli->output, view, kind, items, &shown, &err))
		code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	else if (shown == 0)
		note_empty(cli, view, json_array_size(items));
	json_decref(answer);
	return code;
}

int cli_run_list(struct cli *cli)
{
	return ask_list(cli, NULL, NULL);
}

/* Removes only what was asked for twice: by the command and by --yes. */
int cli_run_gc(struct cli *cli)
{
	bool remove = cli_has(cli, FLAG_YES) && !cli_has(cli, FLAG_DRY_RUN);

	return ask_list(cli, remove ? NULL : "gc.plan", NULL);
}

int cli_run_reclaim(struct cli *cli)
{
	if (!cli_has(cli, FLAG_YES) || cli_has(cli, FLAG_DRY_RUN))
		return ask_list(cli, "reclaim.plan", NULL);
	return ask_list(cli, NULL, cli->call.value[FLAG_CONFIRM]);
}

/* "machine/mail-07" of a machine is mail-07. */
static const char *without_noun(const char *word, const char *noun)
{
	size_t n = strlen(noun);

	return strncmp(word, noun, n) == 0 && word[n] == '/' ? word + n + 1
							     : word;
}

/* The request that brings the object called word, or a list with it in. */
static json_t *show_request(const struct cli *cli, const char *word,
			    bool decided)
{
	const struct cli_command *c = cli->call.command;
	const struct cli_noun *noun = cli_noun(c->noun);
	bool by_id = strcmp(noun->key, "id") == 0;
	char verb[64];

	if (c->control && by_id)
		return json_pack("{s:s, s:I}", "verb", c->control, c->noun,
				 (json_int_t)strtoll(word, NULL, 10));
	if (c->control)
		return json_pack("{s:s, s:s}", "verb", c->control, noun->key,
				 word);
	snprintf(verb, sizeof(verb), "%s.list", c->noun);
	if (strcmp(c->noun, "event") == 0)
		return json_pack("{s:s, s:I, s:i}", "verb", verb, "before",
				 (json_int_t)strtoll(word, NULL, 10) + 1,
				 "limit", 1);
	if (strcmp(c->noun, "request") == 0 && decided)
		return json_pack("{s:s, s:b, s:I, s:i}", "verb", verb, "history",
				 1, "before",
				 (json_int_t)strtoll(word, NULL, 10) + 1,
				 "limit", 1);
	return json_pack("{s:s}", "verb", verb);
}

static json_t *find_item(const json_t *items, const char *key,
			 const char *word)
{
	struct cli_column column = { .key = key };
	char text[256];
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		cell_raw(text, sizeof(text), &column, item);
		if (strcmp(text, word) == 0)
			return item;
	}
	return NULL;
}

/* A new reference to the object called word, or NULL with its error said. */
static json_t *fetch(struct cli *cli, const char *word, int *code)
{
	const char *noun = cli->call.command->noun;
	const char *key = cli_noun(noun)->key;
	json_t *answer, *item, *request;
	char object[128];

	word = without_noun(word, noun);
	snprintf(object, sizeof(object), "%s/%.100s", noun, word);
	if (strcmp(key, "name") != 0 &&
	    (!*word || strspn(word, "0123456789") != strlen(word) ||
	     strlen(word) > 18)) {
		*code = cli_fail(cli, CLI_USAGE, object, NULL,
				 "%s is a number, not \"%.60s\"",
				 key, word);
		return NULL;
	}
	request = show_request(cli, word, false);
	if (!request) {
		*code = cli_fail(cli, CLI_USAGE, NULL, NULL,
				 "\"%.60s\" is not UTF-8 text", word);
		return NULL;
	}
	answer = cli_ask(cli, request, code);
	if (!answer)
		return NULL;
	item = cli->call.command->control
		       ? json_object_get(answer, "item")
		       : find_item(json_object_get(answer, "items"), key,
				   word);
	json_incref(item);
	json_decref(answer);
	if (!item && strcmp(noun, "request") == 0) {	/* it waits no more? */
		answer = cli_ask(cli, show_request(cli, word, true), code);
		if (!answer)
			return NULL;
		item = find_item(json_object_get(answer, "items"), key, word);
		json_incref(item);
		json_decref(answer);
	}
	if (!item)
		*code = cli_fail(cli, CLI_NOT_FOUND, object, NULL,
				 "%s does not exist", object);
	return item;
}

int cli_run_show(struct cli *cli)
{
	const struct cli_view *view = view_of(cli);
	bool json = cli->output.format == FORMAT_JSON;
	int count = cli->call.word_count, failed = 0, last = CLI_DONE;
	json_t *items = json_array();
	char kind[64];
	json_t *item;
	size_t i;

	for (int k = 0; k < count; k++) {
		int code = CLI_DONE;

		item = fetch(cli, cli->call.words[k], &code);
		if (item) {
			json_array_append_new(items, item);
			continue;
		}
		failed++;
		last = code;
		if (code == CLI_UNREACHABLE || code == CLI_TIMEOUT)
			break;
	}
	list_kind(kind, sizeof(kind), view);
	if (json && count > 1)
		output_document(stdout, kind, "items", items);
	else
		json_array_foreach(items, i, item) {
			if (i && cli->output.format == FORMAT_TABLE)
				printf("\n");
			if (i)
				cli->output.header = false;
			output_item(&cli->output, view, view->noun, item);
		}
	json_decref(items);
	return failed && failed < count ? CLI_PARTLY : last;
}

/* ---- whois ------------------------------------------------------------------ */

static json_t *whois_request(const char *word)
{
	const char *session = without_noun(word, "session");

	if (*session && strlen(session) <= 18 &&
	    strspn(session, "0123456789") == strlen(session))
		return json_pack("{s:s, s:I}", "verb", "whois", "session",
				 (json_int_t)strtoll(session, NULL, 10));
	if (strchr(word, '.') || strchr(word, ':'))
		return json_pack("{s:s, s:s}", "verb", "whois", "address",
				 word);
	return json_pack("{s:s, s:s}", "verb", "whois", "name",
			 without_noun(word, "machine"));
}

int cli_run_whois(struct cli *cli)
{
	const char *word = cli->call.words[0], *kind;
	json_t *request = whois_request(word), *answer, *item;
	int code;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"\"%.60s\" is not UTF-8 text", word);
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	item = json_object_get(answer, "item");
	kind = json_string_value(json_object_get(answer, "kind"));
	if (json_is_object(item))
		output_item(&cli->output, NULL, kind ? kind : "whois", item);
	else
		code = cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine's answer holds no object");
	json_decref(answer);
	return code;
}

/* ---- info -------------------------------------------------------------------- */

/* What is known without an engine: where things are looked for. */
static json_t *local_info(const struct cli *cli)
{
	const struct paths *p = &cli->paths;

	return json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}",
			 "version", REMUDA_VERSION, "site", p->site, "paths",
			 "config", p->config, "run", p->run_dir, "state",
			 p->state_dir, "cache", p->cache_dir, "control",
			 cli->socket, "log", p->log, "settings",
			 p->settings_dir, "memory", p->memory);
}

/* The engine's paths, and those that only this program knows. */
static void add_paths(const struct cli *cli, json_t *item)
{
	json_t *local = local_info(cli);

	json_object_update_missing(json_object_get(item, "paths"),
				   json_object_get(local, "paths"));
	json_decref(local);
}

int cli_run_info(struct cli *cli)
{
	json_t *answer, *item;
	int code;

	answer = cli_ask(cli, json_pack("{s:s}", "verb", "info"), &code);
	if (!answer) {
		item = local_info(cli);
		output_item(&cli->output, NULL, "info", item);
		json_decref(item);
		return code;
	}
	item = json_object_get(answer, "item");
	add_paths(cli, item);
	if (json_is_object(item))
		output_item(&cli->output, NULL, "info", item);
	else
		code = cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine's answer holds no object");
	json_decref(answer);
	return code;
}
