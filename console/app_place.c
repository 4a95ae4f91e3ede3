/*
 * Where one has been: `[` goes back and `]` on again through the views that
 * were looked at, `-` to the last one.  A place keeps the object under the
 * cursor and the filter, so that coming back is coming back.
 */
#include <string.h>

#include "console/app_internal.h"
#include "engine/base/text.h"

struct place app_place(struct app *app)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct place p = { .ops = v->ops, .focus = v->focus };

	TEXT_SET(p.target, v->target);
	if (l) {
		p.cursor_key = l->cursor_key;
		TEXT_SET(p.filter, l->filter);
	}
	return p;
}

static bool same_view(const struct place *a, const struct place *b)
{
	return a->ops == b->ops && strcmp(a->target, b->target) == 0;
}

/* A page of text is made once: it cannot be gone back to. */
static bool can_return(const struct place *p)
{
	return p->ops && p->ops != &view_text;
}

void app_place_seen(struct app *app)
{
	struct place now = app_place(app);

	if (!can_return(&now))
		return;
	if (app->place_count && same_view(&app->places[app->place_at], &now)) {
		app->places[app->place_at] = now;
		return;
	}
	/* What lay ahead is another way now. */
	if (app->place_count)
		app->place_count = app->place_at + 1;
	if (app->place_count == APP_PLACES_MAX) {
		memmove(app->places, app->places + 1,
			sizeof(app->places) - sizeof(app->places[0]));
		app->place_count--;
	}
	app->place_at = app->place_count++;
	app->places[app->place_at] = now;
}

static void go_to(struct app *app, const struct place *to)
{
	struct place p = *to;	/* showing a view may move it */
	struct view *v;
	struct list_view *l;

	app_show(app, p.ops, p.target);
	v = app_view(app);
	if (v->ops != p.ops || p.focus >= (v->ops->lists ? v->ops->lists : 1))
		return;
	v->focus = p.focus;
	l = view_list(v);
	if (l) {
		struct list_context context = view_context(v);

		l->cursor_key = p.cursor_key;
		list_view_set_filter(l, p.filter, &context);
	}
}

void app_place_step(struct app *app, int step)
{
	int at = app->place_at + step;

	if (at < 0 || at >= app->place_count) {
		app_message(app, false, step < 0 ? "There is no earlier view." :
			    "There is no later view.");
		return;
	}
	app->places[app->place_at] = app_place(app);
	/* app_show notes where it goes: first stand there. */
	app->place_at = at;
	go_to(app, &app->places[at]);
}

void app_place_last(struct app *app)
{
	if (can_return(&app->last))
		go_to(app, &app->last);
}
