/*
 * Questions of views: some things the engine tells only when asked (users,
 * applications, history, usage).  The view on top asks every few seconds; an
 * answer finds its view by number, and is dropped when that is gone.  What was
 * known stays until a new answer came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/view.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

struct errand {
	struct app *app;
	unsigned view;
	int slot;
};

static void on_answer(void *arg, const char *shell, const json_t *answer);

static struct view *view_numbered(struct app *app, unsigned number)
{
	for (int i = 0; i < app->depth; i++)
		if (app->stack[i]->number == number)
			return app->stack[i];
	return NULL;
}

/* The next page of history is asked for at once; true when it is. */
static bool ask_page(struct errand *e, struct asked *a, const json_t *answer)
{
	int64_t next = item_int(answer, "next", 0);
	struct error err;

	if (!next || !json_object_get(a->request, "since_ms") ||
	    ++a->pages >= VIEW_ASK_PAGES_MAX)
		return false;
	json_object_set_new(a->request, "before", json_integer(next));
	return link_request(&e->app->link, json_deep_copy(a->request), "",
			    on_answer, e, e->app->mono_ms, &err) == 0;
}

/* True when all of it is there. */
static bool take(struct view *v, struct errand *e, struct asked *a,
		 const json_t *answer)
{
	json_t *items = json_object_get(answer, "items");
	json_t *item = json_object_get(answer, "item");

	if (!a->parts)
		a->parts = json_array();
	json_array_extend(a->parts, items);
	if (item_bool(answer, "more") || ask_page(e, a, answer))
		return false;
	json_decref(a->items);
	a->items = a->parts;
	a->parts = NULL;
	json_decref(a->item);
	a->item = json_incref(item);
	a->trouble[0] = '\0';
	if (v->ops->detail && v->ops->target > TOPIC_NONE && item &&
	    a == &v->asked[0]) {
		json_decref(v->item);
		v->item = json_incref(item);
	}
	return true;
}

static void on_answer(void *arg, const char *shell, const json_t *answer)
{
	struct errand *e = arg;
	struct view *v = view_numbered(e->app, e->view);
	struct asked *a = v ? &v->asked[e->slot] : NULL;
	bool over = !item_bool(answer, "more");

	(void)shell;
	if (a && answer && item_bool(answer, "ok")) {
		over = take(v, e, a, answer);
	} else if (a) {
		const json_t *error = json_object_get(answer, "error");

		json_decref(a->parts);
		a->parts = NULL;
		TEXT_SET(a->trouble, answer ? item_text(error, "message") :
			 "the engine went away");
	}
	if (!over && answer)
		return;		/* the next part comes with this errand */
	if (a) {
		a->asking = false;
		if (a->again)
			a->next_ms = 0;
		v->seen = 0;
		view_update(v);
		e->app->dirty = true;
	}
	free(e);
}

static void ask_slot(struct app *app, struct view *v, int slot)
{
	struct asked *a = &v->asked[slot];
	json_t *request = v->ops->ask(v, slot);
	struct errand *e;
	struct error err = { "" };

	a->next_ms = app->mono_ms + (v->ops->ask_ms ? v->ops->ask_ms :
				     VIEW_ASK_MS);
	a->again = false;
	a->pages = 0;
	json_decref(a->request);
	a->request = NULL;
	if (!request)
		return;
	a->request = json_deep_copy(request);
	e = malloc(sizeof(*e));
	CHECK("", e, "out of memory");
	*e = (struct errand){ app, v->number, slot };
	a->asking = true;
	if (link_request(&app->link, request, "", on_answer, e, app->mono_ms,
			 &err)) {
		a->asking = false;
		TEXT_SET(a->trouble, err.text);
		free(e);
	}
}

void view_ask(struct app *app)
{
	struct view *v = app_view(app);

	if (!v->ops->ask || app->holding)
		return;
	for (int i = 0; i < v->ops->asks && link_room(&app->link); i++)
		if (!v->asked[i].asking && app->mono_ms >= v->asked[i].next_ms)
			ask_slot(app, v, i);
}

void view_ask_again(struct view *v, int slot)
{
	v->asked[slot].next_ms = 0;
	v->asked[slot].again = v->asked[slot].asking;
	v->app->dirty = true;
}

void view_ask_forget(struct view *v)
{
	for (int i = 0; i < VIEW_ASKS_MAX; i++) {
		json_decref(v->asked[i].items);
		json_decref(v->asked[i].item);
		json_decref(v->asked[i].parts);
		json_decref(v->asked[i].request);
	}
}

/* What it is known by: a number, else its name, else its place. */
static uint64_t key_of(const json_t *item, size_t place)
{
	int64_t id = item_int(item, "id", 0);
	const char *name = item_text(item, "name");

	return id > 0 ? (uint64_t)id : *name ? model_name_key(name) :
	       (uint64_t)place + 1;
}

void view_fill_asked(struct view *v, int list, int slot, view_wanted *wanted)
{
	struct list_context context = view_context(v);
	const json_t *item;
	size_t i;

	list_view_begin(&v->lists[list]);
	json_array_foreach(v->asked[slot].items, i, item)
		if (!wanted || wanted(v, item))
			list_view_add(&v->lists[list], key_of(item, i),
				      (json_t *)item);
	list_view_end(&v->lists[list], &context);
}

const char *view_ask_trouble(const struct view *v, int slot)
{
	const struct asked *a = &v->asked[slot];

	if (*a->trouble)
		return a->trouble;
	if (!v->app->link.up && !a->items)
		return "Not known: the engine does not answer.  r tries now.";
	return a->items ? NULL : "Asking the engine ...";
}
