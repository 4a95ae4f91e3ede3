/* What is read of clusters, rules and decisions in more than a table. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "console/cli_views.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { WHY_ROWS = 20 };

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

/* Texts may be anybody's: shown without control characters. */
static void print_line(const char *text)
{
	char shown[2000];

	text_display(shown, sizeof(shown), text, strlen(text));
	printf("%s\n", shown);
}

/* The request of the command line, answered; NULL with *code. */
static json_t *ask_words(struct cli *cli, int *code)
{
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err);

	if (request)
		return cli_ask(cli, request, code);
	*code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	return NULL;
}

/* ---- decisions -------------------------------------------------------------- */

/* "2026-11-28T14:03:10  rule/load: 2 -> 3 nodes: ..." */
static void print_decision(const struct cli *cli, const json_t *decision)
{
	struct cli_column time = { .key = "time", .cell = CELL_STAMP };
	char stamp[40], line[1200];

	cell_text(stamp, sizeof(stamp), &cli->output, &time, decision);
	char *t = strchr(stamp, 'T');
	if (t)
		*t = ' ';
	snprintf(line, sizeof(line), "%s  %s", stamp,
		 text_of(decision, "sentence"));
	print_line(line);
}

int cli_run_why(struct cli *cli)
{
	const json_t *items, *item;
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err), *answer;
	size_t i, shown;
	int code;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	if (!cli_has(cli, FLAG_LIMIT))
		json_object_set_new(request, "limit", json_integer(WHY_ROWS));
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	items = json_object_get(answer, "items");
	if (cli->output.format != FORMAT_TABLE) {
		if (output_list(&cli->output, &decision_view, "decision_list",
				items, &shown, &err))
			code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s",
					err.text);
	} else {
		json_array_foreach(items, i, item)
			print_decision(cli, item);
		if (!json_array_size(items))
			cli_note(cli, "nothing was decided about it yet");
	}
	json_decref(answer);
	return cli_finish(cli, code);
}

/* ---- clusters ----------------------------------------------------------------- */

static void print_size(const char *word, const json_t *size)
{
	if (json_is_object(size))
		printf("%-16s  %lld nodes of %lld vCPU and %lld MiB\n", word,
		       (long long)json_integer_value(json_object_get(size, "nodes")),
		       (long long)json_integer_value(json_object_get(size, "vcpus")),
		       (long long)json_integer_value(
			       json_object_get(size, "memory_mib")));
}

static void print_cell(const struct cli *cli, const char *word, const char *key,
		       enum cli_cell cell, const json_t *item)
{
	struct cli_column column = { .key = key, .cell = cell };
	char text[1024];

	cell_text(text, sizeof(text), &cli->output, &column, item);
	printf("%-16s  %s\n", word, text);
}

/* What is in no table, in the order one asks for it. */
static void print_cluster(const struct cli *cli, const json_t *c)
{
	static const struct { const char *word, *key; enum cli_cell cell; } rows[] = {
		{ "cluster", "name", CELL_TEXT }, { "state", "state", CELL_TEXT },
		{ "reason", "reason", CELL_TEXT },
		{ "address", "address", CELL_TEXT },
		{ "address held", "vip_held", CELL_TEXT },
		{ "application", "application", CELL_TEXT },
		{ "decided by", "source", CELL_TEXT },
		{ "paused", "paused", CELL_TEXT }, { "rules", "rules", CELL_TEXT },
		{ "balance", "balance", CELL_TEXT },
		{ "strategy", "strategy", CELL_TEXT },
		{ "replay", "replay", CELL_TEXT },
		{ "cpu", "cpu_permille", CELL_PERMILLE },
		{ "open", "open", CELL_TEXT }, { "waiting", "waiting", CELL_TEXT },
		{ "transactions", "transactions", CELL_TEXT },
		{ "replayed", "replayed", CELL_TEXT },
		{ "failed", "failed", CELL_TEXT }, { "reset", "reset", CELL_TEXT },
		{ "refused", "refused", CELL_TEXT },
		{ "bytes in", "bytes_in", CELL_BYTES },
		{ "bytes out", "bytes_out", CELL_BYTES },
		{ "origin", "origin", CELL_TEXT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print_cell(cli, rows[i].word, rows[i].key, rows[i].cell, c);
	print_size("wanted", c);
	print_size("site file", json_object_get(c, "site_size"));
	print_size("at least", json_object_get(c, "min"));
	print_size("at most", json_object_get(c, "max"));
	print_size("calendar", json_object_get(c, "calendar"));
	print_size("operator", json_object_get(c, "pin"));
}

static void print_change(const struct cli *cli, const json_t *change)
{
	const json_t *step;
	size_t i;

	printf("\nchange %lld: ", (long long)json_integer_value(
				     json_object_get(change, "id")));
	print_line(text_of(change, "summary"));
	json_array_foreach(json_object_get(change, "steps"), i, step)
		printf("  %zu %-10s %s\n", i + 1, text_of(step, "name"),
		       text_of(step, "state"));
	print_cell(cli, "  strategy", "strategy", CELL_TEXT, change);
	print_cell(cli, "  by", "who", CELL_TEXT, change);
	print_cell(cli, "  since", "started", CELL_STAMP, change);
	print_cell(cli, "  note", "text", CELL_TEXT, change);
}

int cli_run_cluster_show(struct cli *cli)
{
	int code;
	json_t *answer = ask_words(cli, &code);
	const json_t *item = json_object_get(answer, "item"), *part;
	struct error err = { "" };
	size_t shown;

	if (!answer)
		return code;
	if (cli->output.format != FORMAT_TABLE) {
		output_item(&cli->output, &cluster_view, "cluster", item);
		json_decref(answer);
		return cli_finish(cli, code);
	}
	print_cluster(cli, item);
	printf("\n");
	if (output_list(&cli->output, &node_view, "node_list",
			json_object_get(item, "node_list"), &shown, &err))
		code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	part = json_object_get(item, "change_now");
	if (json_is_object(part))
		print_change(cli, part);
	part = json_object_get(item, "decision");
	if (json_is_object(part)) {
		printf("\n");
		print_decision(cli, part);
	}
	json_decref(answer);
	return cli_finish(cli, code);
}

/* ---- rules ----------------------------------------------------------------------- */

int cli_run_rule_test(struct cli *cli)
{
	int code;
	json_t *answer, *item;
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err);

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	json_object_set_new(request, "dry_run", json_true());
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	if (cli->output.format == FORMAT_JSON) {
		item = json_pack("{s:O}", "text", json_object_get(answer, "text"));
		output_document(stdout, "rule_test", "item", item);
		json_decref(item);
	} else {
		print_line(text_of(answer, "text"));
	}
	json_decref(answer);
	return cli_finish(cli, code);
}

/* The same wish from the same inputs: the rule decides as it did. */
int cli_run_rule_replay(struct cli *cli)
{
	int code;
	json_t *answer = ask_words(cli, &code);
	const json_t *item = json_object_get(answer, "item");
	bool ok = json_is_true(json_object_get(item, "ok_now"));
	char line[1000];

	if (!answer)
		return code;
	if (cli->output.format == FORMAT_JSON) {
		output_document(stdout, "replay", "item", item);
		json_decref(answer);
		return cli_finish(cli, CLI_DONE);
	}
	print_decision(cli, item);
	snprintf(line, sizeof(line), "%s %s%s%s%s", ok ? "now wishes" : "now fails",
		 ok && !*text_of(item, "wish_now") ? "nothing" :
						     text_of(item, "wish_now"),
		 *text_of(item, "text_now") ? ": " : "",
		 text_of(item, "text_now"),
		 strcmp(text_of(item, "version"), text_of(item, "version_now")) ?
			 " (the rule has changed since)" : "");
	print_line(line);
	printf("%s\n", json_is_true(json_object_get(item, "same")) ?
			       "the same" : "another decision");
	json_decref(answer);
	return cli_finish(cli, CLI_DONE);
}

/* ---- what if ---------------------------------------------------------------------- */

int cli_run_whatif(struct cli *cli)
{
	int code;
	json_t *answer = ask_words(cli, &code), *sentence;
	const json_t *item = json_object_get(answer, "item");
	size_t i;

	if (!answer)
		return code;
	if (cli->output.format == FORMAT_JSON)
		output_document(stdout, "whatif", "item", item);
	else
		json_array_foreach(json_object_get(item, "sentences"), i, sentence)
			print_line(json_string_value(sentence));
	json_decref(answer);
	return cli_finish(cli, code);
}
