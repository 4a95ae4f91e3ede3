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

#include "console/action.h"
#include "console/app_internal.h"
#include "console/keys.h"
#include "console/pager.h"
#include "console/work.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

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
	char *text, line[1000];

	if (string && strstr(string, "\\x0a")) {
		pager_printf(p, "%s", key);
		while (model_line(&string, line, sizeof(line)))
			pager_printf(p, "  %s", line);
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

void objects_fini(struct objects *o)
{
	free(o->items);
	free(o->topics);
	free(o->keys);
}

void objects_marked(struct app *app, struct objects *o)
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

void objects_near(struct app *app, struct objects *o)
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

/* The objects that an intent is about: all marked ones it can be about, else
 * the nearest one.  Empty when there is none. */
static struct objects objects_for(struct app *app, enum intent intent)
{
	struct objects all = { 0 }, out = { 0 };

	objects_marked(app, &all);
	for (size_t i = 0; i < all.count; i++)
		if (action_for(intent, all.topics[i]))
			objects_add(&out, all.items[i], all.topics[i],
				    all.keys[i]);
	out.hidden = out.count ? all.hidden : 0;
	if (out.count == 0) {
		all.count = 0;
		objects_near(app, &all);
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
	const char *number = a->topic == TOPIC_SESSIONS ? "session" :
			     a->topic == TOPIC_ALARM ? "event" :
			     a->topic == TOPIC_CHANGES ? "change" : NULL;

	if (number) {
		int64_t id = item_int(item, "id", 0);

		snprintf(shell, sizeof(shell), "remuda %s %" PRId64, a->shell,
			 id);
		snprintf(object, sizeof(object), "%s/%" PRId64, number, id);
		request = json_pack("{s:s,s:I}", "verb", a->verb, number,
				    (json_int_t)id);
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
	bool cluster = o->topics[0] == TOPIC_CLUSTERS;

	if (w->count == 1)
		snprintf(label, sizeof(label), "%s %s (now %" PRId64 "%s) to: ",
			 cluster ? "resize" : "scale", w->deeds[0].name,
			 item_int(o->items[0], cluster ? "nodes" : "serve", 0),
			 cluster ? " nodes" : "");
	else
		snprintf(label, sizeof(label), "scale %zu %s to: ", w->count,
			 cluster ? "clusters" : "pools");
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

		bool cluster = strcmp(item_text(d->request, "verb"),
				      "cluster.resize") == 0;

		json_object_set_new(d->request, cluster ? "nodes" : "serve",
				    json_integer(number));
		snprintf(d->shell + used, sizeof(d->shell) - used, cluster ?
			 " --nodes %lld" : " %lld", number);
	}
	work_offer(app, w);
}

void action_item(struct app *app, enum intent intent, enum topic topic,
		 json_t *item)
{
	struct objects o = { 0 };
	const char *why;
	struct work *w;

	objects_add(&o, item, topic, 0);
	w = work_on(app, intent, &o, &why);
	objects_fini(&o);
	if (!why) {
		work_offer(app, w);
		return;
	}
	app_message(app, true, "Not now: %s.", why);
	work_free(w);
}

bool action_intent(struct app *app, enum intent intent)
{
	if (!action_known(intent))
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
