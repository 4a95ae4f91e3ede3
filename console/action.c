/*
 * Actions: what the console can change, when it may not and why, and how much
 * it asks first.  Every change is a request of the control protocol and has
 * the form of a shell command, which is shown with its result.
 *
 * Asking (console.md C.5): nothing for what can be taken back, a dialog whose
 * default keeps for what takes something from somebody.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/keys.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* Why this object cannot be acted upon so; NULL when it can. */
typedef const char *action_why(const json_t *item);

static bool state_is(const json_t *item, const char *state)
{
	return strcmp(item_text(item, "state"), state) == 0;
}

static const char *why_removed(const json_t *pool)
{
	return item_bool(pool, "removed") ? "the pool is being removed" : NULL;
}

static const char *why_held(const json_t *machine)
{
	return state_is(machine, "held") ? "it is held already" :
	       strcmp(item_text(machine, "wish"), "hold") == 0 ?
	       "it will be held as soon as it is free" : NULL;
}

static const char *why_not_held(const json_t *machine)
{
	return state_is(machine, "held") || state_is(machine, "quarantined") ||
	       strcmp(item_text(machine, "wish"), "hold") == 0 ? NULL :
	       "it is not held";
}

static const char *why_gone(const json_t *machine)
{
	return state_is(machine, "gone") ? "it is gone" : NULL;
}

static const char *why_over(const json_t *session)
{
	return state_is(session, "closed") || state_is(session, "lost") ||
	       state_is(session, "failed") ? "it is over" : NULL;
}

static const char *why_waiting(const json_t *request)
{
	(void)request;
	return "it waits and has no session yet";
}

static const struct action {
	enum intent intent;
	enum topic topic;
	const char *label;
	const char *verb;	/* of the protocol */
	const char *shell;	/* the same as a command */
	action_why *why;
} actions[] = {
	{ INTENT_SCALE, TOPIC_POOLS, "Scale the pool ...", "pool.scale",
	  "pool scale", why_removed },
	{ INTENT_HOLD, TOPIC_MACHINES, "Hold the machine for debugging",
	  "machine.hold", "machine hold", why_held },
	{ INTENT_RELEASE, TOPIC_MACHINES, "Release it to its pool",
	  "machine.release", "machine release", why_not_held },
	{ INTENT_RESTART, TOPIC_MACHINES, "Restart: make it anew",
	  "machine.restart", "machine restart", why_gone },
	{ INTENT_END, TOPIC_MACHINES, "Delete the machine", "machine.delete",
	  "machine delete", why_gone },
	{ INTENT_END, TOPIC_SESSIONS, "End the session", "session.end",
	  "session end", why_over },
	{ INTENT_END, TOPIC_REQUESTS, "End the session", "session.end",
	  "session end", why_waiting },
};

enum { ACTION_COUNT = sizeof(actions) / sizeof(actions[0]) };

const char *action_refusal(const struct app *app)
{
	if (app->options->read_only)
		return "the console was started read-only";
	if (!app->link.up)
		return "the engine does not answer";
	if (app->read_only)
		return "the engine gives you the right to read only";
	return NULL;
}

/* ---- asking the engine ----------------------------------------------- */

void action_answer(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	const json_t *error = json_object_get(answer, "error");

	if (!answer) {
		app_message(app, true, "The engine went away before it "
			    "answered; look whether it was done: %s", shell);
	} else if (!item_bool(answer, "ok")) {
		const char *hint = item_text(error, "hint");

		app_message(app, true, "%s%s%s   [%s]",
			    item_text(error, "message"), *hint ? "; " : "",
			    hint, shell);
	} else {
		const char *text = item_text(answer, "text");

		app_message(app, false, "%s   [%s]", *text ? text : "done",
			    shell);
	}
}

static void send_change(struct app *app, json_t *request, const char *shell)
{
	struct error err = { "" };
	const char *refusal = action_refusal(app);

	if (refusal) {
		json_decref(request);
		app_message(app, true, "Not done: %s.   [%s]", refusal, shell);
		return;
	}
	app_message(app, false, "%s ...", shell);
	if (link_request(&app->link, request, shell, action_answer, app,
			 app->mono_ms, &err))
		app_message(app, true, "Not done: %s.   [%s]", err.text, shell);
}

/* The lines of a text answer, or the members of an item. */
static void on_text(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	const json_t *item = json_object_get(answer, "item");
	const char *key;
	json_t *value;

	if (!answer || !item_bool(answer, "ok") || !json_is_object(item)) {
		action_answer(app, shell, answer);
		return;
	}
	dialog_open(&app->dialog, DIALOG_TEXT, shell, NULL);
	json_object_foreach((json_t *)item, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
					JSON_SORT_KEYS);

		if (json_is_string(value))
			dialog_line(&app->dialog, "%-17s %s", key,
				    json_string_value(value));
		else
			dialog_line(&app->dialog, "%-17s %s", key,
				    text ? text : "");
		free(text);
	}
}

void action_question(struct app *app, json_t *request, const char *shell)
{
	struct error err = { "" };

	if (link_request(&app->link, request, shell, on_text, app,
			 app->mono_ms, &err))
		app_message(app, true, "%s   [%s]", err.text, shell);
}

static void on_confirmed(struct app *app, int choice)
{
	json_t *request = app->pending.request;

	app->pending.request = NULL;
	if (choice == 1 && request) {
		send_change(app, request, app->pending.shell);
		return;
	}
	json_decref(request);
	app_message(app, false, "Nothing was changed.");
}

/* ---- questions before a change --------------------------------------- */

/* Fills the dialog's lines with what the change takes away; returns false
 * when it takes nothing and needs no question. */
static bool explain_machine(struct app *app, const char *verb,
			    const char *name)
{
	const json_t *m = model_named(&app->model, TOPIC_MACHINES, name);
	const char *user = item_text(m, "user");
	bool delete = strcmp(verb, "machine.delete") == 0;
	bool used = item_int(m, "session", 0) > 0 || *user;

	if (!delete && !used)
		return false;
	dialog_open(&app->dialog, DIALOG_ASK, delete ? "Delete" : "Restart",
		    on_confirmed);
	dialog_line(&app->dialog, "%s machine/%s?",
		    delete ? "Delete" : "Restart", name);
	dialog_line(&app->dialog, "%s", "");
	dialog_line(&app->dialog, "   pool %s   state %s   host %s",
		    item_text(m, "pool"), item_text(m, "state"),
		    item_text(m, "host"));
	if (used)
		dialog_line(&app->dialog, "   %s works on it and is cut off.",
			    *user ? user : "Somebody");
	if (delete)
		dialog_line(&app->dialog,
			    "   Its pool makes another when it needs one.");
	dialog_buttons(&app->dialog, "Keep", delete ? "Delete" : "Restart");
	return true;
}

static bool explain_session(struct app *app, int64_t id)
{
	const json_t *s = model_find(&app->model, TOPIC_SESSIONS, (uint64_t)id);

	dialog_open(&app->dialog, DIALOG_ASK, "End the session", on_confirmed);
	dialog_line(&app->dialog, "End session/%" PRId64 "?", id);
	dialog_line(&app->dialog, "%s", "");
	if (s) {
		dialog_line(&app->dialog, "   %s on machine %s, from %s",
			    item_text(s, "user"), item_text(s, "machine"),
			    item_text(s, "peer"));
		dialog_line(&app->dialog,
			    "   The connection is cut and the machine cleaned.");
	}
	dialog_buttons(&app->dialog, "Keep", "End it");
	return true;
}

static bool explain_scale(struct app *app, const json_t *request)
{
	const char *name = item_text(request, "name");
	const json_t *pool = model_named(&app->model, TOPIC_POOLS, name);
	int64_t now = item_int(pool, "serve", 0);
	int64_t wanted = item_int(request, "serve", now);

	if (wanted >= now || item_bool(request, "dry_run"))
		return false;
	dialog_open(&app->dialog, DIALOG_ASK, "Scale down", on_confirmed);
	dialog_line(&app->dialog, "Scale pool/%s from %" PRId64 " to %" PRId64
		    "?", name, now, wanted);
	dialog_line(&app->dialog, "%s", "");
	dialog_line(&app->dialog, "   %" PRId64 " in use, %" PRId64 " ready now.",
		    item_int(pool, "in_use", 0), item_int(pool, "ready", 0));
	dialog_line(&app->dialog,
		    "   Machines in use leave when their sessions end.");
	dialog_buttons(&app->dialog, "Keep", "Scale down");
	return true;
}

static bool explain(struct app *app, const json_t *request)
{
	const char *verb = item_text(request, "verb");

	if (strcmp(verb, "machine.delete") == 0 ||
	    strcmp(verb, "machine.restart") == 0)
		return explain_machine(app, verb, item_text(request, "name"));
	if (strcmp(verb, "session.end") == 0)
		return explain_session(app, item_int(request, "session", 0));
	if (strcmp(verb, "pool.scale") == 0)
		return explain_scale(app, request);
	return false;
}

void action_change(struct app *app, json_t *request, const char *shell)
{
	const char *refusal = action_refusal(app);

	if (refusal || !explain(app, request)) {
		send_change(app, request, shell);
		return;
	}
	json_decref(app->pending.request);
	app->pending.request = request;
	TEXT_SET(app->pending.shell, shell);
}

/* ---- keys and the menu ----------------------------------------------- */

static void start(struct app *app, const struct action *action,
		  const json_t *item)
{
	char shell[160], label[96];
	const char *name = item_text(item, "name");

	if (action->intent == INTENT_SCALE) {
		TEXT_SET(app->prompt_name, name);
		snprintf(label, sizeof(label), "scale pool/%s (now %" PRId64
			 ") to: ", name, item_int(item, "serve", 0));
		prompt_open(&app->prompt, PROMPT_NUMBER, label, "");
		return;
	}
	if (action->topic == TOPIC_SESSIONS) {
		int64_t id = item_int(item, "id", 0);

		snprintf(shell, sizeof(shell), "remuda %s %" PRId64,
			 action->shell, id);
		action_change(app, json_pack("{s:s,s:I}", "verb", action->verb,
					     "session", (json_int_t)id), shell);
		return;
	}
	snprintf(shell, sizeof(shell), "remuda %s %s", action->shell, name);
	action_change(app, json_pack("{s:s,s:s}", "verb", action->verb, "name",
				     name), shell);
}

void action_number(struct app *app, const char *text)
{
	char shell[160];
	long long number;

	if (!*text) {
		app_message(app, false, "Nothing was changed.");
		return;
	}
	number = strtoll(text, NULL, 10);
	if (strlen(text) > 6) {
		app_message(app, true, "Not done: %s machines are too many; "
			    "write a number up to 999999.", text);
		return;
	}
	snprintf(shell, sizeof(shell), "remuda pool scale %s %lld",
		 app->prompt_name, number);
	action_change(app, json_pack("{s:s,s:s,s:I}", "verb", "pool.scale",
				     "name", app->prompt_name, "serve",
				     (json_int_t)number), shell);
}

/* The objects an action may mean: the one under the cursor, then the one
 * the view is about. */
static int candidates(struct app *app, json_t **items, enum topic *topics)
{
	struct view *v = app_view(app);
	int count = 0;
	enum topic topic;
	json_t *item = view_object(v, &topic);

	if (item && topic != TOPIC_EVENTS) {
		topics[count] = topic;
		items[count++] = item;
	}
	if (v->ops->detail && v->item && v->item != item) {
		topics[count] = v->ops->target;
		items[count++] = v->item;
	}
	return count;
}

bool action_intent(struct app *app, enum intent intent)
{
	enum topic topics[2];
	json_t *items[2];
	int count = candidates(app, items, topics);
	bool known = false;

	for (int i = 0; i < ACTION_COUNT; i++)
		known = known || actions[i].intent == intent;
	if (!known)
		return false;
	for (int c = 0; c < count; c++)
		for (int i = 0; i < ACTION_COUNT; i++) {
			const struct action *a = &actions[i];
			const char *why;

			if (a->intent != intent || a->topic != topics[c])
				continue;
			why = action_refusal(app);
			why = why ? why : a->why(items[c]);
			if (why)
				app_message(app, true, "Not now: %s.", why);
			else
				start(app, a, items[c]);
			return true;
		}
	app_message(app, true, "%s does nothing here; a shows what can be done.",
		    intent_table[intent].label);
	return true;
}

static void on_menu(struct app *app, int choice)
{
	if (choice >= 0)
		action_intent(app, app->menu[choice]);
}

void action_menu(struct app *app)
{
	enum topic topics[2];
	json_t *items[2];
	int count = candidates(app, items, topics), at = 0;
	char title[128] = "Actions";

	if (count) {
		const char *ref = item_text(items[0], "ref");

		if (*ref)
			snprintf(title, sizeof(title), "Actions on %s", ref);
		else
			snprintf(title, sizeof(title), "Actions on %s/%s",
				 topic_noun(topics[0]),
				 item_text(items[0], "name"));
	}
	dialog_open(&app->dialog, DIALOG_MENU, title, on_menu);
	for (int c = 0; c < count; c++)
		for (int i = 0; i < ACTION_COUNT; i++) {
			const struct action *a = &actions[i];
			const char *why = action_refusal(app);
			char key[8];
			bool taken = false;

			for (int j = 0; j < at; j++)
				taken = taken || app->menu[j] == a->intent;
			if (a->topic != topics[c] || taken)
				continue;
			why = why ? why : a->why(items[c]);
			keys_of(a->intent, false, key, sizeof(key));
			dialog_choice(&app->dialog, key[0], !why, a->label,
				      why);
			app->menu[at++] = a->intent;
		}
	if (at == 0)
		dialog_choice(&app->dialog, 0, false, "Nothing can be done here",
			      "go to a pool, a machine or a session");
}
