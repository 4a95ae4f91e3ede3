/* `pool create NAME FIELD=VALUE...`, `cluster create` likewise: the words of the site
 * file, one by one. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* 15 is a number, true a truth value, [...] and {...} are JSON, everything else a
 * text.  NULL: JSON that is none. */
static json_t *value_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (*text == '[' || *text == '{')
		return json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (digits && !text[digits] && digits < 10)
		return json_integer(strtoll(text, NULL, 10));
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(*text == 't');
	return json_string(text);
}

static int add_field(json_t *fields, const char *word, struct error *err)
{
	const char *equals = strchr(word, '=');
	char key[64];

	if (!equals || equals == word || equals - word >= (int)sizeof(key))
		return error_set(err, "\"%.60s\" is not FIELD=VALUE", word);
	text_copy_slice(key, sizeof(key), (struct slice){ word,
				(uint32_t)(equals - word) });
	if (json_object_get(fields, key))
		return error_set(err, "%s is given twice", key);
	if (json_object_set_new(fields, key, value_of(equals + 1)))
		return error_set(err, "%s is neither UTF-8 text nor JSON", key);
	return 0;
}

json_t *cli_create_request(const struct cli_call *call, struct error *err)
{
	static const struct { enum cli_flag flag; const char *key; } sizes[] = {
		{ FLAG_SERVE, "serve" }, { FLAG_SPARE, "spare" },
		{ FLAG_MAX, "max" },
	};
	json_t *fields = json_object();
	int rc = 0;

	for (int i = 1; i < call->word_count && rc == 0; i++)
		rc = add_field(fields, call->words[i], err);
	for (size_t i = 0; i < 3; i++)
		if (call->value[sizes[i].flag])
			json_object_set_new(fields, sizes[i].key,
				value_of(call->value[sizes[i].flag]));
	if (rc < 0) {
		json_decref(fields);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:o}", "verb", call->command->control,
			 "name", call->words[0], "fields", fields);
}

int cli_run_create(struct cli *cli)
{
	struct error err = { "" };
	json_t *request = cli_create_request(&cli->call, &err), *answer;
	int code;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	if (cli_has(cli, FLAG_JSON))
		output_document(stdout, "change", "item", answer);
	else
		cli_note(cli, "%s", json_string_value(
				 json_object_get(answer, "text")));
	json_decref(answer);
	return cli_finish(cli, CLI_DONE);
}
