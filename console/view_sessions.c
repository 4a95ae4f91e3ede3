/*
 * Sessions: who works on which machine now, and who waits.  The pane below
 * tells the rest about the line under the cursor.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"

static void sessions_open(struct view *v)
{
	list_view_init(&v->lists[0], columns_sessions.columns,
		       columns_sessions.count, columns_sessions.sort);
	v->topics[0] = TOPIC_SESSIONS;
}

static void sessions_fill(struct view *v)
{
	view_fill_sessions(v, 0, NULL);
}

static void draw_one(struct grid *g, struct rect r, const json_t *s)
{
	int col = r.col + 1, end = r.col + r.cols;
	char text[64];

	col += view_field(g, r.row, col, end - col, "user",
			  item_text(s, "user"));
	col += view_field(g, r.row, col, end - col, "from",
			  item_text(s, "peer"));
	col += view_field(g, r.row, col, end - col, "application",
			  item_text(s, "application"));
	view_field(g, r.row, col, end - col, "listener",
		   item_text(s, "listener"));
	if (r.rows < 2)
		return;
	col = r.col + 1;
	format_date(text, sizeof(text), item_time_ms(s, "requested"));
	col += view_field(g, r.row + 1, col, end - col, "requested", text);
	format_took(text, sizeof(text), item_int(s, "wait_ms", -1));
	col += view_field(g, r.row + 1, col, end - col, "waited", text);
	format_took(text, sizeof(text), item_int(s, "accept_ms", -1));
	col += view_field(g, r.row + 1, col, end - col, "accepted in", text);
	view_field(g, r.row + 1, col, end - col, "", item_text(s, "ref"));
	if (r.rows > 2 && *item_text(s, "text"))
		view_wrap(g, (struct rect){ r.row + 2, r.col + 1, r.rows - 2,
					    r.cols - 2 }, ROLE_CHANGING,
			  item_text(s, "text"));
}

static void sessions_draw(struct view *v, struct grid *g, struct rect r)
{
	struct model_totals t = model_totals(&v->app->model);
	const json_t *item = list_view_selected(&v->lists[0]);
	int below = r.rows > 14 ? (view_wide(g) ? 5 : 4) : 0;
	char title[96];

	snprintf(title, sizeof(title), "Sessions %d - waiting %d", t.sessions,
		 t.waiting);
	r.rows -= below;
	view_pane_list(v, 0, g, r, title, "Nobody works here now.  A session "
		       "appears when a user connects to a listener.");
	if (below && item) {
		const char *user = item_text(item, "user");

		draw_one(g, view_pane(g, (struct rect){ r.row + r.rows, r.col,
							below, r.cols },
				      *user ? user : "-", NULL), item);
	}
}

static const enum intent sessions_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_END, INTENT_ACTIONS, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_sessions = {
	.name = "sessions",
	.aliases = "ss session",
	.title = "Sessions",
	.about = "Who works on which machine now, and who waits for one. "
		 "Enter opens the session; x ends it, after a question.",
	.lists = 1,
	.keys = sessions_keys,
	.open = sessions_open,
	.fill = sessions_fill,
	.draw = sessions_draw,
};
