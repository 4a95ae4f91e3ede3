/*
 * Events as lines: a list, then what happens from now on.  Following ends with
 * Ctrl-C, or when the engine is silent for longer than the time-out (it ticks
 * every second).  An event is printed once: by its id, which only grows.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "engine/base/error.h"

static const struct cli_view *view_of_event(void)
{
	return cli_noun("event")->view;
}

static json_int_t id_of(const json_t *item)
{
	return json_integer_value(json_object_get(item, "id"));
}

static int compare_ids(const void *a, const void *b)
{
	json_int_t x = id_of(*(json_t *const *)a);
	json_int_t y = id_of(*(json_t *const *)b);

	return x < y ? -1 : x > y;
}

/* A new array, oldest first. */
static json_t *oldest_first(const json_t *items)
{
	size_t count = json_array_size(items), i;
	json_t **order = calloc(count + 1, sizeof(*order));
	json_t *sorted = json_array(), *item;

	json_array_foreach(items, i, item)
		order[i] = item;
	qsort(order, count, sizeof(*order), compare_ids);
	for (i = 0; i < count; i++)
		json_array_append(sorted, order[i]);
	free(order);
	return sorted;
}

/* Prints those after *last, and moves it. */
static void print_new(const struct cli *cli, const json_t *items,
		      json_int_t *last, bool quietly)
{
	const char *object = cli->call.value[FLAG_OBJECT];
	json_t *sorted = oldest_first(items), *item;
	size_t i;

	json_array_foreach(sorted, i, item) {
		const char *about =
			json_string_value(json_object_get(item, "object"));

		if (id_of(item) <= *last)
			continue;
		*last = id_of(item);
		if (quietly || (object && (!about || strcmp(object, about))))
			continue;
		output_stream(&cli->output, view_of_event(), item);
	}
	json_decref(sorted);
}

/* The first full state is history: shown only to close the gap after a list
 * that ended with event *last (0 = there was none). */
static int follow(struct cli *cli, json_int_t last)
{
	json_t *request = json_pack("{s:s, s:[s]}", "verb", "subscribe",
				    "topics", "events");
	json_t *answer, *line;
	bool history = last == 0;
	struct error err = { "" };
	int code, got;

	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	json_decref(answer);
	while ((got = client_wait(&cli->client, &line, cli->timeout_ms,
				  &err)) > 0) {
		const char *topic =
			json_string_value(json_object_get(line, "topic"));

		if (topic && strcmp(topic, "events") == 0) {
			bool full =
				json_is_true(json_object_get(line, "full"));

			print_new(cli, json_object_get(line, "items"), &last,
				  full && history);
			history = false;
		}
		json_decref(line);
		if (ferror(stdout))
			return CLI_FAILED;
	}
	if (got == 0) {
		error_set(&err, "the engine is silent");
		cli->client.trouble = CLIENT_TIMEOUT;
	}
	return cli_fail_client(cli, &err);
}

static int check_follow(const struct cli *cli)
{
	if (cli->output.sort)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"--sort does not go with following: events "
				"come in their order");
	return CLI_DONE;
}

int cli_run_events(struct cli *cli)
{
	bool on = cli_has(cli, FLAG_FOLLOW);
	json_t *answer, *items, *request;
	struct error err = { "" };
	json_int_t last = 0;
	size_t shown;
	int code;

	if (on && (code = check_follow(cli)) != CLI_DONE)
		return code;
	if (!on && cli_has(cli, FLAG_ALL))
		return cli_run_history(cli);
	request = cli_request(&cli->call, 0, &err);
	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	items = oldest_first(json_object_get(answer, "items"));
	json_decref(answer);
	if (on)
		print_new(cli, items, &last, false);
	else if (output_list(&cli->output, view_of_event(), "event_list", items,
			     &shown, &err))
		code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	json_decref(items);
	return on ? follow(cli, last) : code;
}

int cli_run_watch(struct cli *cli)
{
	int code = check_follow(cli);

	return code == CLI_DONE ? follow(cli, 0) : code;
}
