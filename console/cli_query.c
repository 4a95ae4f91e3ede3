/*
 * `remuda query VERB [KEY=VALUE...]`: the control protocol as it is, for what
 * has no command.  The engine says whether the verb changes something, so that
 * --read-only, --dry-run and the question before a change hold here too.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* JSON where it is JSON (5, true, {"a":1}), else the text as it stands. */
static json_t *value_of(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY |
						 JSON_REJECT_DUPLICATES, NULL);

	return value ? value : json_string(text);
}

static json_t *read_request(const struct cli *cli, struct error *err)
{
	json_t *request = json_pack("{s:s}", "verb", cli->call.words[0]);
	char key[64];

	for (int i = 1; request && i < cli->call.word_count; i++) {
		const char *word = cli->call.words[i];
		const char *equals = strchr(word, '=');

		if (!equals || equals == word ||
		    (size_t)(equals - word) >= sizeof(key)) {
			error_set(err, "\"%.60s\" is not KEY=VALUE", word);
			json_decref(request);
			return NULL;
		}
		text_copy_slice(key, sizeof(key), (struct slice){ word,
					(uint32_t)(equals - word) });
		if (json_object_set_new(request, key, value_of(equals + 1))) {
			error_set(err, "%s is not UTF-8 text", key);
			json_decref(request);
			return NULL;
		}
	}
	if (!request)
		error_set(err, "the verb is not UTF-8 text");
	return request;
}

static bool takes(const json_t *verb, const char *argument)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(verb, "arguments"), i, name)
		if (strcmp(json_string_value(name), argument) == 0)
			return true;
	return false;
}

/* What the engine says of the verb, a new reference; NULL with the exit code
 * when there is none. */
static json_t *known_verb(struct cli *cli, const char *name, int *code)
{
	json_t *answer = cli_ask(cli, json_pack("{s:s}", "verb", "verbs.list"),
				 code);
	const char **all, *near;
	json_t *verb = NULL, *item;
	size_t i, n = json_array_size(json_object_get(answer, "items"));

	if (!answer)
		return NULL;
	all = calloc(n + 1, sizeof(*all));
	json_array_foreach(json_object_get(answer, "items"), i, item) {
		all[i] = json_string_value(json_object_get(item, "verb"));
		if (all[i] && strcmp(all[i], name) == 0)
			verb = json_incref(item);
	}
	near = cli_suggest(name, all);
	if (!verb)
		*code = cli_fail(cli, CLI_USAGE, NULL, NULL,
				 "the engine has no verb \"%.60s\"%s%s%s", name,
				 near ? ". Did you mean \"" : "",
				 near ? near : "", near ? "\"?" : "");
	free(all);
	json_decref(answer);
	return verb;
}

/* A change: refused, asked about, planned, or CLI_DONE and to be sent. */
static int check_change(struct cli *cli, const json_t *verb, json_t *request,
			bool *planned)
{
	const char *name = cli->call.words[0];
	const struct cli_command *c = cli_command_for(name);
	char object[160], words[400];
	int code = CLI_DONE;

	if (cli_has(cli, FLAG_WHY))
		json_object_set_new(request, "why",
				    json_string(cli->call.value[FLAG_WHY]));
	if (cli_has(cli, FLAG_DRY_RUN) && takes(verb, "dry_run"))
		return json_object_set_new(request, "dry_run", json_true());
	if (cli_has(cli, FLAG_READ_ONLY) && !cli_has(cli, FLAG_DRY_RUN))
		return cli_fail(cli, CLI_NOT_ALLOWED, NULL, NULL,
				"%.60s changes something and --read-only forbids that",
				name);
	json_t *item = cli_show_of(cli, request, &code);

	cli_object_of(object, sizeof(object), request);
	if (code == CLI_DONE && cli_has(cli, FLAG_DRY_RUN)) {
		cli_would(words, sizeof(words), request, item);
		printf("%s\n", words);
		*planned = true;
	} else if (code == CLI_DONE && c && !cli_agreed(cli, c, object) &&
		   cli_touched(words, sizeof(words), c, object, request, item)) {
		code = cli_fail(cli, CLI_USAGE, object,
				"nothing was changed; say --yes to do it",
				"%s", words);
	}
	json_decref(item);
	return code;
}

int cli_run_query(struct cli *cli)
{
	struct error err = { "" };
	json_t *request = read_request(cli, &err), *verb, *answer;
	bool planned = false;
	int code;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	verb = known_verb(cli, cli->call.words[0], &code);
	if (verb && json_is_true(json_object_get(verb, "changes")))
		code = check_change(cli, verb, request, &planned);
	json_decref(verb);
	if (code != CLI_DONE || planned) {
		json_decref(request);
		return code;
	}
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	json_object_del(answer, "id");
	json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(answer);
	return CLI_DONE;
}
