/*
 * History: lists that are long, newest first.  They are asked for page by page
 * and each page is printed before the next is asked for, so that neither this
 * program nor the engine ever holds more than one.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "engine/base/error.h"

enum { PAGE_ROWS = 250, ROWS_UNLESS_TOLD = 100 };

static const struct cli_view *view_of(const struct cli *cli)
{
	const struct cli_command *c = cli->call.command;

	return c->view ? c->view : cli_noun(c->noun)->view;
}

static int print_page(const struct cli *cli, struct output_pages *pages,
		      const json_t *answer, size_t *got)
{
	const json_t *items = json_object_get(answer, "items");
	struct error err = { "" };

	*got = json_array_size(items);
	if (!json_is_array(items))
		return cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine's answer holds no list");
	if (output_page(pages, items, &err))
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	return ferror(stdout) ? CLI_FAILED : CLI_DONE;
}

/* Pages until limit rows came (0 = all there are). */
static int run_pages(struct cli *cli, json_t *request, size_t limit)
{
	char kind[64];
	struct output_pages pages = { .output = &cli->output,
				      .view = view_of(cli), .kind = kind };
	size_t left = limit ? limit : PAGE_ROWS, got = 0;
	json_t *answer, *next = NULL;
	int code;

	snprintf(kind, sizeof(kind), "%s_list", pages.view->noun);
	do {
		json_object_set_new(request, "limit", json_integer((json_int_t)(
			left < PAGE_ROWS ? left : PAGE_ROWS)));
		answer = cli_ask(cli, json_copy(request), &code);
		if (!answer)
			return code;
		next = json_incref(json_object_get(answer, "next"));
		code = print_page(cli, &pages, answer, &got);
		json_decref(answer);
		if (next)
			json_object_set_new(request, "before", next);
		if (limit)
			left -= got < left ? got : left;
	} while (code == CLI_DONE && next && left);
	if (code != CLI_DONE)
		return code;
	output_pages_end(&pages);
	if (next)
		cli_note(cli, "there may be older ones: --limit N, or --all");
	else if (!pages.shown && cli->output.format != FORMAT_JSON)
		cli_note(cli, "no %s", pages.view->many);
	return CLI_DONE;
}

int cli_run_history(struct cli *cli)
{
	const char *limit = cli->call.value[FLAG_LIMIT];
	struct error err = { "" };
	json_t *request;
	int code;

	if (cli->output.sort)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"history comes newest first: --sort does not go "
				"with it");
	if (limit && cli_has(cli, FLAG_ALL))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"--limit and --all exclude each other");
	request = cli_request(&cli->call, 0, &err);
	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	if (strcmp(cli->call.command->control, "session.list") == 0 ||
	    strcmp(cli->call.command->control, "request.list") == 0)
		json_object_set_new(request, "history", json_true());
	code = run_pages(cli, request, cli_has(cli, FLAG_ALL) ? 0 :
				       limit && atol(limit) > 0 ?
					       (size_t)atol(limit) :
					       ROWS_UNLESS_TOLD);
	json_decref(request);
	return code;
}

/* Flags that only what is over can be searched by. */
static const enum cli_flag history_flags[] = {
	FLAG_HISTORY, FLAG_ALL, FLAG_SINCE, FLAG_UNTIL, FLAG_SEARCH,
	FLAG_STATE, FLAG_CODE,
};

int cli_run_now_or_history(struct cli *cli)
{
	for (size_t i = 0; i < sizeof(history_flags) / sizeof(history_flags[0]);
	     i++)
		if (cli_has(cli, history_flags[i]))
			return cli_run_history(cli);
	return cli_run_list(cli);
}
