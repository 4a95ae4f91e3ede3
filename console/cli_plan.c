/*
 * `remuda plan` and `remuda apply`: what a site file would change, in a form
 * one reads before saying yes, and the change itself.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

static long long number(const json_t *item, const char *key)
{
	return json_integer_value(json_object_get(item, key));
}

/* Everything here came from a file somebody wrote: shown without control
 * characters. */
static void say(FILE *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(FILE *out, const char *fmt, ...)
{
	char text[1500], shown[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_display(shown, sizeof(shown), text, strlen(text));
	fprintf(out, "%s\n", shown);
}

/* A value as the site file would have it, cut to what reads. */
static void value_text(char *out, size_t size, const json_t *value)
{
	char *text;

	if (!value || json_is_null(value)) {
		text_copy(out, size, "(none)");
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	snprintf(out, size, "%.60s%s", text ? text : "?",
		 text && strlen(text) > 60 ? "..." : "");
	free(text);
}

static void print_change(FILE *out, const json_t *change)
{
	const json_t *field;
	char old[80], fresh[80];
	size_t i;

	say(out, "%s %s %s", text_of(change, "sign"), text_of(change, "kind"),
	    text_of(change, "name"));
	json_array_foreach(json_object_get(change, "fields"), i, field) {
		value_text(old, sizeof(old), json_object_get(field, "old"));
		value_text(fresh, sizeof(fresh), json_object_get(field, "new"));
		if (strcmp(text_of(field, "key"), "prepared") == 0)
			say(out, "    the prepare hook does something else");
		else
			say(out, "    %s: %s -> %s", text_of(field, "key"), old, fresh);
	}
}

static void print_machines(FILE *out, const json_t *pool)
{
	char line[300] = "";
	const struct {
		const char *key, *word;
	} parts[] = { { "create", "made" }, { "replace", "made anew" },
		      { "drain", "taken away" } };

	for (size_t i = 0; i < 3; i++) {
		long long n = number(pool, parts[i].key);
		size_t used = strlen(line);

		if (n)
			snprintf(line + used, sizeof(line) - used, "%s%lld %s",
				 used ? ", " : "", n, parts[i].word);
	}
	if (number(pool, "in_session") &&
	    (number(pool, "replace") || number(pool, "drain"))) {
		size_t used = strlen(line);

		snprintf(line + used, sizeof(line) - used,
			 "; %lld in session go when it ends",
			 number(pool, "in_session"));
	}
	say(out, "  pool/%s: of %lld machines: %s", text_of(pool, "name"),
	    number(pool, "machines"), line);
}

bool cli_print_plan(const json_t *item, FILE *out)
{
	const json_t *changes = json_object_get(item, "changes");
	const json_t *pools = json_object_get(item, "pools");
	const json_t *overrides = json_object_get(item, "overrides"), *one;
	bool same = strcmp(text_of(item, "version"), text_of(item, "in_force")) == 0;
	size_t i;

	if (same && !json_array_size(changes) && !json_array_size(pools)) {
		say(out, "site %s: nothing to change", text_of(item, "site"));
		return false;
	}
	say(out, "site %s: version %.12s -> %.12s", text_of(item, "site"),
	    text_of(item, "in_force"), text_of(item, "version"));
	json_array_foreach(changes, i, one)
		print_change(out, one);
	if (number(item, "more"))
		say(out, "  and %lld more objects", number(item, "more"));
	if (json_array_size(pools))
		say(out, "machines:");
	json_array_foreach(pools, i, one)
		print_machines(out, one);
	json_array_foreach(overrides, i, one)
		say(out, "  %s = %lld, set by %s, %s", text_of(one, "key"),
		    number(one, "value"), text_of(one, "who"),
		    json_is_true(json_object_get(one, "ends")) ?
			    "ends: the site file changes it" : "holds");
	return true;
}

/* The plan as the engine answers it, or NULL with the exit code. */
static json_t *ask_plan(struct cli *cli, int *code)
{
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err);

	if (!request) {
		*code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
		return NULL;
	}
	json_object_set_new(request, "verb", json_string("site.plan"));
	return cli_ask(cli, request, code);
}

int cli_run_plan(struct cli *cli)
{
	int code;
	json_t *answer = ask_plan(cli, &code);

	if (!answer)
		return code;
	const json_t *item = json_object_get(answer, "item");
	if (cli_has(cli, FLAG_JSON))
		output_document(stdout, "plan", "item", item);
	else if (cli_print_plan(item, stdout))
		cli_note(cli, "remuda apply does it");
	json_decref(answer);
	return cli_finish(cli, CLI_DONE);
}

static bool person_agrees(const json_t *item)
{
	char reply[16];

	fprintf(stderr, "apply it%s? [y/N] ",
		json_is_true(json_object_get(item, "destroys")) ?
			" (machines are destroyed or made anew)" : "");
	fflush(stderr);
	return fgets(reply, sizeof(reply), stdin) &&
	       (strcasecmp(reply, "y\n") == 0 || strcasecmp(reply, "yes\n") == 0);
}

int cli_run_apply(struct cli *cli)
{
	struct error err = { "" };
	int code;
	json_t *answer = ask_plan(cli, &code);

	if (!answer)
		return code;
	const json_t *item = json_object_get(answer, "item");
	bool needed = cli_has(cli, FLAG_JSON) || cli_has(cli, FLAG_QUIET) ||
		      cli_print_plan(item, stdout);
	fflush(stdout);
	if (!needed && cli_has(cli, FLAG_ERROR_UNCHANGED))
		code = CLI_UNCHANGED;
	if (!needed || cli_has(cli, FLAG_DRY_RUN))
		goto out;
	if (!cli_has(cli, FLAG_YES) && !cli_can_ask(cli)) {
		code = cli_fail(cli, CLI_USAGE, NULL, NULL,
				"nothing was changed; say --yes to apply it without being asked");
		goto out;
	}
	if (!cli_has(cli, FLAG_YES) && !person_agrees(item)) {
		code = cli_fail(cli, CLI_FAILED, NULL, NULL, "nothing was changed");
		goto out;
	}
	json_t *request = cli_request(&cli->call, 0, &err);
	json_object_set(request, "expect", json_object_get(item, "version"));
	json_object_del(request, "dry_run");
	json_t *done = cli_ask(cli, request, &code);
	if (done && cli_has(cli, FLAG_JSON))
		output_document(stdout, "plan", "item", item);
	else if (done)
		cli_note(cli, "applied; remuda site history lists what was in force");
	json_decref(done);
out:
	json_decref(answer);
	return cli_finish(cli, code);
}
