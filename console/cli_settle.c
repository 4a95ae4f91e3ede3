/*
 * --wait: until what a change began is done, where that is no change of a
 * cluster with a number of its own (cli_wait.c).  Whether it is done is a pure
 * function of the request, of the object before it and of the object now; the
 * object is looked at again whenever the engine tells of its kind.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/cli_run.h"
#include "console/clock.h"
#include "console/format.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { WAIT_MS = 600000, LOOK_MS = 2000 };

static json_int_t number(const json_t *item, const char *key)
{
	return json_integer_value(json_object_get(item, key));
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; word && *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

/* As many machines as the pool wants to have, and none on its way. */
static bool pool_settled(const char *verb, const json_t *item)
{
	json_int_t wanted = number(item, "in_use") + number(item, "waiting") +
			    number(item, "spare");
	json_int_t total = number(item, "total");

	if (strcmp(verb, "delete") == 0)
		return !item;
	if (!item)
		return false;
	if (strcmp(verb, "resume") == 0 && number(item, "outdated"))
		return false;
	if (wanted < number(item, "serve"))
		wanted = number(item, "serve");
	if (wanted > number(item, "max"))
		wanted = number(item, "max");
	return number(item, "starting") == 0 &&
	       (total == wanted || (total > wanted && number(item, "bad")));
}

static bool machine_settled(const char *verb, const json_t *before,
			    const json_t *item)
{
	static const char *const lives[] = { "ready", "saved", "reserved",
					     "in_session", NULL };
	const char *state = text_of(item, "state");

	if (strcmp(verb, "delete") == 0)	/* the name may be another's now */
		return !item || !strcmp(state, "gone") ||
		       number(item, "id") != number(before, "id");
	if (strcmp(verb, "hold") == 0)
		return !strcmp(state, "held");
	if (strcmp(verb, "release") == 0 || strcmp(verb, "restart") == 0)
		return is_one_of(state, lives);
	return true;
}

/* Over, and its machine clean: a session that failed may never have had one. */
static bool session_settled(const char *verb, const json_t *item)
{
	static const char *const final[] = { "closed", "lost", NULL };

	if (strcmp(verb, "end") != 0 || !strcmp(text_of(item, "state"), "failed"))
		return true;
	return is_one_of(text_of(item, "state"), final) &&
	       json_is_string(json_object_get(item, "cleaned"));
}

bool cli_settled(const json_t *request, const json_t *before,
		 const json_t *item)
{
	const char *control = text_of(request, "verb");
	const char *verb = strchr(control, '.');

	verb = verb ? verb + 1 : "";
	if (strncmp(control, "pool.", 5) == 0)
		return pool_settled(verb, item);
	if (strncmp(control, "machine.", 8) == 0)
		return machine_settled(verb, before, item);
	if (strncmp(control, "session.", 8) == 0)
		return session_settled(verb, item);
	if (strcmp(control, "user.disable") == 0 &&
	    json_object_get(request, "end_sessions"))
		return number(item, "sessions") == 0;
	return true;
}

json_t *cli_show_request(const json_t *request)
{
	const char *control = text_of(request, "verb");
	const struct cli_command *c = cli_command_for(control);
	const char *key = c && c->arguments[0].key ? c->arguments[0].key : "name";
	json_t *name = json_object_get(request, key);
	char verb[64];

	snprintf(verb, sizeof(verb), "%.*s.show", (int)strcspn(control, "."),
		 control);
	c = cli_command_for(verb);
	if (!c || !name || c->run == cli_run_site_show)
		return NULL;
	return json_pack("{s:s, s:O}", "verb", verb, key, name);
}

json_t *cli_show_of(struct cli *cli, const json_t *request, int *code)
{
	json_t *show = cli_show_request(request), *answer, *item;
	struct error err = { "" };

	*code = CLI_DONE;
	if (!show)
		return NULL;
	answer = client_call(&cli->client, show, cli->timeout_ms, &err);
	if (!answer) {
		*code = cli_fail_client(cli, &err);
		return NULL;
	}
	item = json_incref(json_object_get(answer, "item"));
	json_decref(answer);
	return item;
}

/* A second connection tells that something has changed. */
static int open_ear(struct cli *cli, struct client *ear, const json_t *request)
{
	char topic[64];
	const char *control = text_of(request, "verb");
	struct error err = { "" };
	json_t *answer = NULL;

	client_init(ear);
	snprintf(topic, sizeof(topic), "%.*ss", (int)strcspn(control, "."),
		 control);
	if (strcmp(topic, "users") == 0)
		text_copy(topic, sizeof(topic), "sessions");
	if (client_connect(ear, cli->socket, cli->timeout_ms, &err) == 0)
		answer = client_call(ear, json_pack("{s:s, s:[s]}", "verb",
						    "subscribe", "topics",
						    topic),
				     cli->timeout_ms, &err);
	json_decref(answer);
	if (answer)
		return CLI_DONE;
	cli->client.trouble = ear->trouble;
	return cli_fail_client(cli, &err);
}

static int wait_settled(struct cli *cli, struct client *ear,
			const json_t *request, const json_t *before,
			int64_t deadline_ms)
{
	struct error err = { "" };
	json_t *item, *line;
	int code;

	for (;;) {
		item = cli_show_of(cli, request, &code);
		bool done = code == CLI_DONE && cli_settled(request, before,
							    item);

		json_decref(item);
		if (done || code != CLI_DONE)
			return code;
		int64_t left_ms = deadline_ms - now_ms();

		if (left_ms <= 0)
			return CLI_TIMEOUT;
		if (client_wait(ear, &line, left_ms < LOOK_MS ? left_ms : LOOK_MS,
				&err) < 0) {
			cli->client.trouble = ear->trouble;
			return cli_fail_client(cli, &err);
		}
		json_decref(line);
	}
}

int cli_settle(struct cli *cli, const json_t *request, const json_t *before)
{
	int64_t began_ms = now_ms();
	int64_t most_ms = cli_has(cli, FLAG_TIMEOUT) ? cli->timeout_ms : WAIT_MS;
	char object[160], took[24];
	struct client ear;
	int code = open_ear(cli, &ear, request);

	cli_object_of(object, sizeof(object), request);
	if (code == CLI_DONE) {
		code = wait_settled(cli, &ear, request, before,
				    began_ms + most_ms);
		if (code == CLI_TIMEOUT)
			cli_fail(cli, CLI_TIMEOUT, object,
				 "it goes on; --timeout says how long to wait",
				 "%s: not done in time", object);
	}
	client_close(&ear);
	if (code == CLI_DONE)
		cli_note(cli, "%s done in %s", object,
			 format_took(took, sizeof(took), now_ms() - began_ms));
	return code;
}
