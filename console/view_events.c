/*
 * Events: what happened, the newest first.  While it follows, the cursor stays
 * on the newest; moving down stops that, f or g starts it again.  The pane
 * below has the whole text.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"

static void events_open(struct view *v)
{
	list_view_init(&v->lists[0], columns_events.columns,
		       columns_events.count, columns_events.sort);
	v->topics[0] = TOPIC_EVENTS;
	v->lists[0].follow = true;
}

static void events_fill(struct view *v)
{
	view_fill(v, 0, NULL);
}

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
	char title[96];

	snprintf(title, sizeof(title), "Events %zu%s", v->lists[0].count,
		 v->lists[0].follow ? " - FOLLOW" : "");
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

	if (intent == INTENT_FOLLOW) {
		l->follow = !l->follow;
		if (l->follow)
			list_view_intent(l, INTENT_FIRST);
		return true;
	}
	return false;
}

/* Enter goes to the object the event is about. */
static const enum intent events_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_FOLLOW, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_events = {
	.name = "events",
	.aliases = "ev event",
	.title = "Events",
	.lists = 1,
	.keys = events_keys,
	.open = events_open,
	.fill = events_fill,
	.draw = events_draw,
	.intent = events_intent,
};
