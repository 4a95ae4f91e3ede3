/*
 * Events: what happened, the newest first.  While it follows, the cursor stays
 * on the newest; moving down stops that, f or g starts it again.  Going below
 * the last line brings older ones from the engine's history; b goes to a time.
 * The pane below has the whole text.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"
#include "engine/base/check.h"
#include "engine/base/error.h"

enum { PAGE = 250, OLDER_MAX = 5000 };

struct events {
	json_t *older;		/* items of the history, in no order */
	int64_t until_ms;	/* shows what was before this; 0 = up to now */
	int64_t before;		/* next page; 0 = the first one */
	bool asking, all;	/* all: there is nothing older */
};

static void events_open(struct view *v)
{
	struct events *e = calloc(1, sizeof(*e));

	CHECK("", e, "out of memory");
	e->older = json_array();
	v->own = e;
	list_view_init(&v->lists[0], columns_events.columns,
		       columns_events.count, columns_events.sort);
	v->topics[0] = TOPIC_EVENTS;
	v->lists[0].follow = true;
}

static void events_close(struct view *v)
{
	struct events *e = v->own;

	json_decref(e->older);
	free(e);
}

static bool before_time(const struct view *v, const json_t *event)
{
	const struct events *e = v->own;

	return !e->until_ms || item_time_ms(event, "time") < e->until_ms;
}

/* The model's and the older ones; none twice. */
static void events_fill(struct view *v)
{
	const struct model_set *set = &v->app->model.sets[TOPIC_EVENTS];
	const struct events *e = v->own;
	struct list_context context = view_context(v);
	const json_t *item;
	size_t i;

	list_view_begin(&v->lists[0]);
	for (i = 0; i < set->count; i++)
		if (before_time(v, set->entries[i].item))
			list_view_add(&v->lists[0], set->entries[i].key,
				      set->entries[i].item);
	json_array_foreach(e->older, i, item) {
		uint64_t key = (uint64_t)item_int(item, "id", 0);

		if (!model_find(&v->app->model, TOPIC_EVENTS, key))
			list_view_add(&v->lists[0], key, (json_t *)item);
	}
	list_view_end(&v->lists[0], &context);
}

/* ---- the engine's history -------------------------------------------- */

static struct view *events_view(struct app *app)
{
	for (int i = 0; i < app->depth; i++)
		if (app->stack[i]->ops == &view_events)
			return app->stack[i];
	return NULL;
}

static void on_page(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	struct view *v = events_view(app);
	struct events *e = v ? v->own : NULL;

	if (!e)
		return;
	if (!answer || !item_bool(answer, "ok")) {
		e->asking = false;
		action_answer(app, shell, answer);
		return;
	}
	json_array_extend(e->older, json_object_get(answer, "items"));
	if (item_bool(answer, "more"))
		return;
	e->asking = false;
	e->before = item_int(answer, "next", 0);
	e->all = e->before == 0 || json_array_size(e->older) > OLDER_MAX;
	events_fill(v);
	app_message(app, false, e->all ? "That is all there is." : "%s", "");
}

static int64_t oldest_id(const struct view *v)
{
	const struct list_view *l = &v->lists[0];
	int64_t oldest = 0;

	for (size_t i = 0; i < l->count; i++)
		if (!oldest || (int64_t)l->rows[i].key < oldest)
			oldest = (int64_t)l->rows[i].key;
	return oldest;
}

static void ask_older(struct view *v)
{
	struct events *e = v->own;
	struct app *app = v->app;
	struct error err = { "" };
	json_t *request;
	int64_t before = e->before ? e->before : oldest_id(v);

	if (e->asking || e->all || !app->link.up)
		return;
	request = json_pack("{s:s,s:i}", "verb", "event.list", "limit", PAGE);
	if (e->until_ms)
		json_object_set_new(request, "until_ms",
				    json_integer(e->until_ms));
	if (before)
		json_object_set_new(request, "before", json_integer(before));
	e->asking = link_request(&app->link, request, "remuda event list",
				 on_page, app, app->mono_ms, &err) == 0;
	app_message(app, !e->asking, "%s", e->asking ? "Older ones ..." :
		    err.text);
}

static void events_go(struct view *v, int64_t wall_ms)
{
	struct events *e = v->own;

	json_array_clear(e->older);
	e->until_ms = wall_ms >= v->app->wall_ms ? 0 : wall_ms;
	e->before = 0;
	e->all = false;
	v->lists[0].follow = e->until_ms == 0;
	v->lists[0].cursor = 0;
	v->lists[0].cursor_key = 0;
	events_fill(v);
	if (e->until_ms)
		ask_older(v);
}

/* ---- drawing --------------------------------------------------------- */

static void draw_event(struct grid *g, struct rect r, const json_t *e)
{
	int col = r.col + 1, end = r.col + r.cols;
	char text[64];

	format_date(text, sizeof(text), item_time_ms(e, "time"));
	col += view_field(g, r.row, col, end - col, "time", text);
	col += view_field(g, r.row, col, end - col, "kind",
			  item_text(e, "kind"));
	col += view_field(g, r.row, col, end - col, "severity",
			  item_text(e, "severity"));
	view_field(g, r.row, col, end - col, "object", item_text(e, "object"));
	view_wrap(g, (struct rect){ r.row + 1, r.col + 1, r.rows - 1,
				    r.cols - 2 }, ROLE_NORMAL,
		  item_text(e, "text"));
}

static void events_draw(struct view *v, struct grid *g, struct rect r)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	int below = r.rows > 14 ? (view_wide(g) ? 7 : 5) : 0;
	char title[96], when[32];
	const struct events *e = v->own;

	if (e->until_ms)
		snprintf(title, sizeof(title), "Events before %s - f goes on",
			 format_date(when, sizeof(when), e->until_ms));
	else
		snprintf(title, sizeof(title), "Events %zu%s",
			 v->lists[0].count, v->lists[0].follow ? " - FOLLOW" :
			 "");
	r.rows -= below;
	view_pane_list(v, 0, g, r, title, "Nothing happened yet.");
	if (!below || !item)
		return;
	snprintf(title, sizeof(title), "event/%" PRId64,
		 item_int(item, "id", 0));
	draw_event(g, view_pane(g, (struct rect){ r.row + r.rows, r.col, below,
						  r.cols }, title, NULL), item);
}

static bool events_intent(struct view *v, enum intent intent)
{
	struct list_view *l = &v->lists[0];
	struct events *e = v->own;
	bool down = intent == INTENT_DOWN || intent == INTENT_PAGE_DOWN ||
		    intent == INTENT_LAST;

	if (intent == INTENT_FOLLOW) {
		l->follow = !l->follow;
		if (l->follow && e->until_ms)
			events_go(v, v->app->wall_ms);
		if (l->follow)
			list_view_intent(l, INTENT_FIRST);
		return true;
	}
	if (down && l->shown_count && l->cursor + 1 == l->shown_count) {
		ask_older(v);
		return true;
	}
	return false;
}

/* Enter goes to the object the event is about. */
static const enum intent events_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_FOLLOW, INTENT_GO_TIME, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_events = {
	.name = "events",
	.aliases = "ev event",
	.title = "Events",
	.about = "What happened, the newest first; the pane below has the "
		 "whole text. Enter opens what it is about. Going below "
		 "the last line brings older ones, b goes to a time.",
	.lists = 1,
	.keys = events_keys,
	.open = events_open,
	.fill = events_fill,
	.draw = events_draw,
	.intent = events_intent,
	.close = events_close,
	.go_time = events_go,
};
