/*
 * Actions: what the console can change, and when it may not and why.  An action
 * is about the marked objects, else about the one under the cursor, else about
 * the one that the view shows.  It becomes a work (work.h): one request of the
 * control protocol for each object, with the command that does the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/keys.h"
#include "console/pager.h"
#include "console/work.h"
#include "engine/base/check.h"
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

static const char *why_disabled(const json_t *user)
{
	return state_is(user, "disabled") ? "the user is disabled" : NULL;
}

static const char *why_enabled(const json_t *user)
{
	return state_is(user, "disabled") ? NULL : "the user is enabled";
}

static const char *why_paused(const json_t *pool)
{
	return item_bool(pool, "paused") ? "it is paused" : NULL;
}

static const char *why_not_paused(const json_t *pool)
{
	return item_bool(pool, "paused") ? NULL : "it is not paused";
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
	{ INTENT_SWITCH, TOPIC_USER, "Disable: refuse from now on",
	  "user.disable", "user disable", why_disabled },
	{ INTENT_SWITCH, TOPIC_USER, "Enable: let in again", "user.enable",
	  "user enable", why_enabled },
	{ INTENT_SWITCH, TOPIC_POOLS, "Pause replacing outdated machines",
	  "pool.pause", "pool pause", why_paused },
	{ INTENT_SWITCH, TOPIC_POOLS, "Replace outdated machines again",
	  "pool.resume", "pool resume", why_not_paused },
	{ INTENT_ACK, TOPIC_ALARM, "Acknowledge: it is seen to", "alarm.ack",
	  "alarm ack", NULL },
	{ INTENT_END, TOPIC_TOKEN, "Delete the token", "token.delete",
	  "token delete", NULL },
};

enum { ACTION_COUNT = sizeof(actions) / sizeof(actions[0]) };

const char *action_refusal(const struct app *app)
{
	if (app->options->read_only)
		return "the console was started read-only";
	if (app->looks_only)
		return "the console only looks now; :read-only changes that";
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

/* A member and its value; text of several lines stands below its name. */
static void show_member(struct pager *p, const char *key, const json_t *value)
{
	const char *string = json_string_value(value);
	char *text;

	if (string && strchr(string, '\n')) {
		pager_printf(p, "%s", key);
		pager_add(p, string, strlen(string));
		return;
	}
	text = string ? NULL : json_dumps(value, JSON_ENCODE_ANY |
					  JSON_COMPACT | JSON_SORT_KEYS);
	pager_printf(p, "%-17s %s", key, string ? string : text ? text : "");
	free(text);
}

void action_show_item(struct app *app, const char *shell, const json_t *answer)
{
	const json_t *item = json_object_get(answer, "item");
	struct pager *p = view_text_show(app, shell);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)item, key, value)
		show_member(p, key, value);
}

/* The members of an item, each item of a list, or the sentence. */
static void on_text(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	const json_t *items = json_object_get(answer, "items"), *item;
	struct pager *p;
	size_t i;

	if (answer && item_bool(answer, "ok") &&
	    json_is_object(json_object_get(answer, "item"))) {
		action_show_item(app, shell, answer);
	} else if (answer && item_bool(answer, "ok") && json_is_array(items)) {
		p = view_text_show(app, shell);
		json_array_foreach(items, i, item) {
			char *text = json_dumps(item, JSON_COMPACT |
						JSON_SORT_KEYS);

			pager_printf(p, "%s", text ? text : "");
			free(text);
		}
		if (i == 0)
			pager_printf(p, "None.");
	} else {
		action_answer(app, shell, answer);
	}
}

void action_question(struct app *app, json_t *request, const char *shell)
{
	struct error err = { "" };

	if (link_request(&app->link, request, shell, on_text, app,
			 app->mono_ms, &err))
		app_message(app, true, "%s   [%s]", err.text, shell);
}

void action_change(struct app *app, json_t *request, const char *shell)
{
	struct work *w = work_new(app);
	const char *name = item_text(request, "name");
	char object[96];

	snprintf(object, sizeof(object), "%s", *name ? name : shell);
	work_add(w, request, shell, object, 0);
	work_offer(app, w);
}

/* ---- what an action is about ----------------------------------------- */

enum { OBJECTS_MAX = 20000 };

struct objects {
	json_t **items;		/* borrowed from list and view */
	enum topic *topics;
	uint64_t *keys;		/* of marked rows, else 0 */
	size_t count, size;
	size_t hidden;		/* marked, but not shown */
};

static void objects_add(struct objects *o, json_t *item, enum topic topic,
			uint64_t key)
{
	if (o->count == o->size) {
		o->size = o->size ? o->size * 2 : 8;
		o->items = realloc(o->items, o->size * sizeof(json_t *));
		o->topics = realloc(o->topics, o->size * sizeof(enum topic));
		o->keys = realloc(o->keys, o->size * sizeof(*o->keys));
		CHECK("", o->items && o->topics && o->keys, "out of memory");
	}
	o->items[o->count] = item;
	o->topics[o->count] = topic;
	o->keys[o->count++] = key;
}

static void objects_fini(struct objects *o)
{
	free(o->items);
	free(o->topics);
	free(o->keys);
}

static void marked_objects(struct app *app, struct objects *o)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);

	for (size_t i = 0; l && l->mark_count && i < l->count; i++)
		if (l->rows[i].marked && o->count < OBJECTS_MAX)
			objects_add(o, l->rows[i].item,
				    view_row_topic(v, l->rows[i].item),
				    l->rows[i].key);
	o->hidden = l && l->mark_count ? list_view_marked_hidden(l) : 0;
}

/* The one under the cursor, then the one that the view is about. */
static void near_objects(struct app *app, struct objects *o)
{
	struct view *v = app_view(app);
	enum topic topic;
	json_t *item = view_object(v, &topic);

	if (item && topic != TOPIC_EVENTS && topic != TOPIC_NONE)
		objects_add(o, item, topic, 0);
	if (v->ops->detail && v->item && v->item != item &&
	    v->ops->target != TOPIC_NONE)
		objects_add(o, v->item, v->ops->target, 0);
}

static bool action_for(enum intent intent, enum topic topic)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (actions[i].intent == intent && actions[i].topic == topic)
			return true;
	return false;
}

/* Of a pair such as disable and enable the one that can be done now; *why is
 * the reason when none can. */
static const struct action *action_on(enum intent intent, enum topic topic,
				      const json_t *item, const char **why)
{
	const struct action *first = NULL;

	*why = NULL;
	for (int i = 0; i < ACTION_COUNT; i++) {
		const struct action *a = &actions[i];
		const char *reason;

		if (a->intent != intent || a->topic != topic)
			continue;
		reason = a->why ? a->why(item) : NULL;
		if (!reason) {
			*why = NULL;
			return a;
		}
		if (!first)
			*why = reason;
		first = first ? first : a;
	}
	return first;
}

/* The objects that an intent is about: all marked ones it can be about, else
 * the nearest one.  Empty when there is none. */
static struct objects objects_for(struct app *app, enum intent intent)
{
	struct objects all = { 0 }, out = { 0 };

	marked_objects(app, &all);
	for (size_t i = 0; i < all.count; i++)
		if (action_for(intent, all.topics[i]))
			objects_add(&out, all.items[i], all.topics[i],
				    all.keys[i]);
	out.hidden = out.count ? all.hidden : 0;
	if (out.count == 0) {
		all.count = 0;
		near_objects(app, &all);
		for (size_t i = 0; i < all.count && out.count == 0; i++)
			if (action_for(intent, all.topics[i]))
				objects_add(&out, all.items[i], all.topics[i],
					    0);
	}
	objects_fini(&all);
	return out;
}

/* ---- starting one ---------------------------------------------------- */

/* The request for one object, with its command and how it is called. */
static void add_deed(struct work *w, const struct action *a,
		     const json_t *item, uint64_t key)
{
	char shell[WORK_SHELL_SIZE], object[96];
	const char *name = item_text(item, "name");
	json_t *request;

	if (!*name)	/* a token has an id only */
		name = item_text(item, "id");
	if (a->topic == TOPIC_SESSIONS || a->topic == TOPIC_ALARM) {
		int64_t id = item_int(item, "id", 0);
		bool alarm = a->topic == TOPIC_ALARM;

		snprintf(shell, sizeof(shell), "remuda %s %" PRId64, a->shell,
			 id);
		snprintf(object, sizeof(object), "%s/%" PRId64, alarm ?
			 "event" : "session", id);
		request = json_pack("{s:s,s:I}", "verb", a->verb, alarm ?
				    "event" : "session", (json_int_t)id);
	} else {
		snprintf(shell, sizeof(shell), "remuda %s %s", a->shell, name);
		snprintf(object, sizeof(object), "%s/%s", topic_noun(a->topic),
			 name);
		request = json_pack("{s:s,s:s}", "verb", a->verb, "name", name);
	}
	work_add(w, request, shell, object, key);
}

/* Those that can be acted upon; why tells about the first that cannot. */
static struct work *work_on(struct app *app, enum intent intent,
			    const struct objects *o, const char **why)
{
	struct work *w = work_new(app);

	*why = action_refusal(app);
	w->hidden = o->hidden;
	for (size_t i = 0; i < o->count && !*why; i++) {
		const char *reason;
		const struct action *a = action_on(intent, o->topics[i],
						   o->items[i], &reason);

		if (!reason) {
			add_deed(w, a, o->items[i], o->keys[i]);
			continue;
		}
		if (w->skipped++ == 0)
			TEXT_SET(w->skipped_why, reason);
	}
	if (w->count == 0 && !*why)
		*why = w->skipped ? w->skipped_why : "there is nothing to do";
	return w;
}

static void ask_number(struct app *app, struct work *w,
		       const struct objects *o)
{
	char label[128];

	work_free(app->scaling);
	app->scaling = w;
	if (w->count == 1)
		snprintf(label, sizeof(label), "scale %s (now %" PRId64
			 ") to: ", w->deeds[0].name,
			 item_int(o->items[0], "serve", 0));
	else
		snprintf(label, sizeof(label), "scale %zu pools to: ",
			 w->count);
	prompt_open(&app->prompt, PROMPT_NUMBER, label, "");
}

void action_number(struct app *app, const char *text)
{
	struct work *w = app->scaling;
	long long number = strtoll(text, NULL, 10);

	app->scaling = NULL;
	if (!w || !*text || strlen(text) > 6) {
		work_free(w);
		if (*text)
			app_message(app, true, "Not done: %s machines are too "
				    "many; write a number up to 999999.", text);
		else
			app_message(app, false, "Nothing was changed.");
		return;
	}
	for (size_t i = 0; i < w->count; i++) {
		struct deed *d = &w->deeds[i];
		size_t used = strlen(d->shell);

		json_object_set_new(d->request, "serve", json_integer(number));
		snprintf(d->shell + used, sizeof(d->shell) - used, " %lld",
			 number);
	}
	work_offer(app, w);
}

bool action_intent(struct app *app, enum intent intent)
{
	bool known = false;

	for (int i = 0; i < ACTION_COUNT; i++)
		known = known || actions[i].intent == intent;
	if (!known)
		return false;
	struct objects o = objects_for(app, intent);

	if (o.count == 0) {
		app_message(app, true, "%s does nothing here; a shows what can "
			    "be done.", intent_table[intent].label);
		return true;
	}
	const char *why;
	struct work *w = work_on(app, intent, &o, &why);

	if (why) {
		app_message(app, true, "Not now: %s.", why);
		work_free(w);
	} else if (intent == INTENT_SCALE) {
		ask_number(app, w, &o);
	} else {
		work_offer(app, w);
	}
	objects_fini(&o);
	return true;
}

/* ---- looking closer -------------------------------------------------- */

bool action_look(struct app *app, enum intent intent)
{
	struct view *v = app_view(app);
	enum topic topic = TOPIC_COUNT;
	json_t *item = view_object(v, &topic);
	char title[128];

	if (intent != INTENT_DESCRIBE && intent != INTENT_RAW)
		return false;
	if (!item || v->ops == &view_text) {
		app_message(app, false, "There is nothing here to describe.");
		return true;
	}
	const char *ref = item_text(item, "ref"), *name = item_text(item, "name");

	if (*ref)
		snprintf(title, sizeof(title), "%s", ref);
	else if (*name)
		snprintf(title, sizeof(title), "%s%s%s", topic_noun(topic),
			 topic != TOPIC_NONE ? "/" : "", name);
	else
		snprintf(title, sizeof(title), "%s/%" PRId64, topic_noun(topic),
			 item_int(item, "id", item_int(item, "index", 0)));
	item = json_incref(item);	/* the new view may fill lists anew */
	struct pager *p = view_text_show(app, title);

	if (intent == INTENT_RAW) {
		char *text = json_dumps(item, JSON_INDENT(2));

		pager_add(p, text ? text : "", text ? strlen(text) : 0);
		free(text);
	} else {
		view_describe(p, topic_noun(topic), item, &app->model);
	}
	json_decref(item);
	return true;
}

/* ---- the menu -------------------------------------------------------- */

static void on_menu(struct app *app, int choice)
{
	if (choice >= 0)
		action_intent(app, app->menu[choice]);
}

static void menu_title(struct app *app, const struct objects *o, bool marked,
		       char *title, size_t size)
{
	snprintf(title, size, "Actions");
	if (marked) {
		snprintf(title, size, "Actions on %zu marked", o->count);
	} else if (o->count) {
		const char *ref = item_text(o->items[0], "ref");

		if (*ref)
			snprintf(title, size, "Actions on %s", ref);
		else
			snprintf(title, size, "Actions on %s/%s",
				 topic_noun(o->topics[0]),
				 item_text(o->items[0], "name"));
	}
	(void)app;
}

/* Why the action cannot be taken on any of the marked ones, or on this one. */
static const char *menu_reason(struct app *app, const struct action *a,
			       const struct objects *o)
{
	const char *why = action_refusal(app), *first = NULL;

	for (size_t i = 0; i < o->count && !why; i++) {
		const char *reason;

		if (o->topics[i] != a->topic)
			continue;
		if (action_on(a->intent, a->topic, o->items[i], &reason) != a)
			return "";	/* its counterpart is what can be done */
		if (!reason)
			return NULL;
		first = first ? first : reason;
	}
	return why ? why : first;
}

static bool in_menu(const struct app *app, int count, enum intent intent)
{
	for (int i = 0; i < count; i++)
		if (app->menu[i] == intent)
			return true;
	return false;
}

static bool about(const struct objects *o, enum topic topic)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->topics[i] == topic)
			return true;
	return false;
}

void action_menu(struct app *app)
{
	struct objects o = { 0 };
	char title[128], key[8];
	int at = 0;

	marked_objects(app, &o);
	bool marked = o.count > 0;

	if (!marked)
		near_objects(app, &o);
	menu_title(app, &o, marked, title, sizeof(title));
	dialog_open(&app->dialog, DIALOG_MENU, title, on_menu);
	for (int i = 0; i < ACTION_COUNT; i++) {
		const struct action *a = &actions[i];
		const char *why;

		if (!about(&o, a->topic) || in_menu(app, at, a->intent))
			continue;
		why = menu_reason(app, a, &o);
		if (why && !*why)
			continue;
		keys_of(a->intent, false, key, sizeof(key));
		dialog_choice(&app->dialog, key[0], !why, a->label, why);
		app->menu[at++] = a->intent;
	}
	if (at == 0)
		dialog_choice(&app->dialog, 0, false, "Nothing can be done here",
			      "go to a pool, a machine or a session");
	objects_fini(&o);
}
