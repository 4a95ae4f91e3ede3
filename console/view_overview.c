/*
 * Overview: pools with their bars, hosts and gateways, clusters with the changes
 * on them, sessions, sessions per hour where there is room, the latest events.
 * Tab walks through the panes; Enter opens what the cursor is on.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/theme.h"

enum { POOLS, HOSTS, SESSIONS, EVENTS, CLUSTERS, LISTS };
enum { HOURS_ROWS = 8, EVENTS_LEAST = 7 };

static void overview_open(struct view *v)
{
	static const struct {
		const struct columns *columns;
		enum topic topic;
	} lists[LISTS] = {
		[POOLS] = { &columns_pools, TOPIC_POOLS },
		[HOSTS] = { &columns_overview_hosts, TOPIC_HOSTS },
		[CLUSTERS] = { &columns_overview_clusters, TOPIC_CLUSTERS },
		[SESSIONS] = { &columns_overview_sessions, TOPIC_SESSIONS },
		[EVENTS] = { &columns_events, TOPIC_EVENTS },
	};

	for (int i = 0; i < LISTS; i++) {
		const struct columns *c = lists[i].columns;

		list_view_init(&v->lists[i], c->columns, c->count, c->sort);
		v->topics[i] = lists[i].topic;
	}
	v->lists[SESSIONS].inverted = false;	/* the newest first */
	v->lists[SESSIONS].follow = true;
	v->lists[EVENTS].follow = true;
	v->tabs = LISTS;
}

static void overview_fill(struct view *v)
{
	view_fill_pools(v, POOLS);
	view_fill(v, HOSTS, NULL);
	view_fill(v, CLUSTERS, NULL);
	view_fill_sessions(v, SESSIONS, NULL);
	view_fill(v, EVENTS, NULL);
}

static void draw_totals(struct view *v, struct grid *g, struct rect r)
{
	struct model_totals t = model_totals(&v->app->model);
	bool a = g->ascii;

	grid_printf(g, r.row, r.col + 2, r.cols - 2, ROLE_OFF,
		    "%s %" PRId64 " in use   %s %" PRId64 " starting   "
		    "%s %" PRId64 " ready   %s %" PRId64 " bad   %s room",
		    glyph(a, GLYPH_BAR_USED), t.in_use,
		    glyph(a, GLYPH_BAR_STARTING), t.starting,
		    glyph(a, GLYPH_BAR_READY), t.ready,
		    glyph(a, GLYPH_BAR_BAD), t.bad, glyph(a, GLYPH_BAR_ROOM));
}

/* "gateways: 0 up 3 sessions, ..." on one line. */
static void draw_gateways(struct view *v, struct grid *g, struct rect r)
{
	const struct model_set *set = &v->app->model.sets[TOPIC_GATEWAYS];
	int col = r.col + 2, end = r.col + r.cols;

	if (set->count == 0)
		return;
	col += grid_text(g, r.row, col, end - col, ROLE_OFF, "gateways  ");
	/* In the order of their index, whatever order they came in. */
	for (uint64_t key = 1, found = 0; found < set->count && key < 1024;
	     key++) {
		const json_t *item = model_find(&v->app->model, TOPIC_GATEWAYS,
						key);
		struct state_look look;

		if (!item)
			continue;
		found++;
		look = state_look("gateway", item_text(item, "state"));
		col += grid_printf(g, r.row, col, end - col, look.role,
				   "%" PRId64 " %s %s", item_int(item, "index",
								 0),
				   glyph(g->ascii, role_glyph(look.role)),
				   look.word);
		col += grid_printf(g, r.row, col, end - col, ROLE_NORMAL,
				   " %" PRId64 " sess   ",
				   item_int(item, "sessions", 0));
	}
}

/* The compact one says what the bars mean; the wide one has a line for it. */
static void pools_title(const struct view *v, const struct grid *g, char *out,
			size_t size)
{
	bool a = g->ascii;
	size_t count = v->lists[POOLS].count;

	if (view_wide(g))
		snprintf(out, size, "Pools %zu", count);
	else
		snprintf(out, size, "Pools %zu  %s use %s start %s ready %s bad",
			 count, glyph(a, GLYPH_BAR_USED),
			 glyph(a, GLYPH_BAR_STARTING),
			 glyph(a, GLYPH_BAR_READY), glyph(a, GLYPH_BAR_BAD));
}

static int clamp(int value, int low, int high)
{
	return value > high ? high : value < low ? low : value;
}

static void sessions_title(const struct view *v, char *out, size_t size)
{
	struct model_totals t = model_totals(&v->app->model);

	snprintf(out, size, "Sessions %d", t.sessions);
	if (t.waiting)
		snprintf(out, size, "Sessions %d - waiting %d", t.sessions,
			 t.waiting);
}

static void draw_hosts(struct view *v, struct grid *g, struct rect r)
{
	char title[64];

	snprintf(title, sizeof(title), "Hosts %zu %s Gateways %zu",
		 v->lists[HOSTS].count, glyph(g->ascii, GLYPH_DOT),
		 v->app->model.sets[TOPIC_GATEWAYS].count);
	if (view_wide(g) && r.rows > 4) {
		view_pane_list(v, HOSTS, g, r, title, "No hosts yet.");
		draw_gateways(v, g, (struct rect){ r.row + r.rows - 2,
						   r.col + 1, 1, r.cols - 2 });
		return;
	}
	r.rows--;
	view_pane_list(v, HOSTS, g, r, title, "No hosts yet.");
	draw_gateways(v, g, (struct rect){ r.row + r.rows, r.col, 1, r.cols });
}

/* "clusters  db o serving   files ~ changing ..." where a list has no room. */
static void draw_clusters(struct view *v, struct grid *g, struct rect r)
{
	const struct list_view *l = &v->lists[CLUSTERS];
	int col = r.col + 2, end = r.col + r.cols;

	col += grid_text(g, r.row, col, end - col, ROLE_OFF, "clusters  ");
	for (size_t i = 0; i < l->count && col < end; i++) {
		const json_t *item = l->rows[i].item;
		struct state_look look = state_look("cluster",
						    item_text(item, "state"));

		col += grid_printf(g, r.row, col, end - col, ROLE_NORMAL,
				   "%s ", item_text(item, "name"));
		col += grid_printf(g, r.row, col, end - col, look.role,
				   "%s %s", glyph(g->ascii,
						  role_glyph(look.role)),
				   look.word);
		col += grid_printf(g, r.row, col, end - col, ROLE_NORMAL,
				   " %" PRId64 "/%" PRId64 "   ",
				   item_int(item, "serving", 0),
				   item_int(item, "nodes", 0));
	}
}

static void draw_sessions(struct view *v, struct grid *g, struct rect r)
{
	char title[96];

	sessions_title(v, title, sizeof(title));
	view_pane_list(v, SESSIONS, g, r, title, "Nobody works here now.");
}

/* Hosts and, from a height on, sessions per hour at the left; clusters, when
 * there are some, and sessions at the right.  Returns the rows used. */
static int draw_middle(struct view *v, struct grid *g, struct rect r, int hosts)
{
	int left = r.cols * 11 / 20;
	bool hours = r.rows - hosts >= HOURS_ROWS + EVENTS_LEAST;
	struct rect right = { r.row, r.col + left, hosts, r.cols - left };
	char title[64];

	draw_hosts(v, g, (struct rect){ r.row, r.col, hosts, left });
	if (hours)
		view_hours(g, (struct rect){ r.row + hosts, r.col, HOURS_ROWS,
					     left }, &v->app->model);
	if (v->tabs == LISTS) {
		snprintf(title, sizeof(title), "Clusters %zu",
			 v->lists[CLUSTERS].count);
		view_pane_list(v, CLUSTERS, g, right, title, "");
		right.row += hosts;
		right.rows = 0;
	}
	right.rows += hours ? HOURS_ROWS : 0;
	draw_sessions(v, g, right);
	return hosts + (hours ? HOURS_ROWS : 0);
}

/* Room for a pane of clusters beside the hosts: only when sessions have theirs
 * beside the hours. */
static void settle_tabs(struct view *v, const struct grid *g, int rows)
{
	bool pane = v->lists[CLUSTERS].count && view_wide(g) &&
		    rows >= HOURS_ROWS + EVENTS_LEAST;

	v->tabs = pane ? LISTS : CLUSTERS;
	if (v->focus >= v->tabs)
		v->focus = 0;
}

static void overview_draw(struct view *v, struct grid *g, struct rect r)
{
	bool wide = view_wide(g);
	int frame = wide ? 2 : 0;
	int pools = clamp((int)v->lists[POOLS].count, 2, r.rows / 3);
	int hosts = clamp((int)v->lists[HOSTS].count, 3, r.rows / 4);
	struct rect part = { r.row, r.col, pools + 2 + frame, r.cols };
	char title[96];

	hosts += 3 + !!frame;
	settle_tabs(v, g, r.rows - part.rows - hosts);
	pools_title(v, g, title, sizeof(title));
	view_pane_list(v, POOLS, g, part, title,
		       "No pools yet: a site file says what there is, and  "
		       ":site reload  reads it.");
	if (wide && v->lists[POOLS].count)
		draw_totals(v, g, (struct rect){ part.row + part.rows - 2,
						 part.col + 1, 1,
						 part.cols - 2 });
	part.row += part.rows;
	part.rows = r.row + r.rows - part.row;
	if (wide) {
		part.row += draw_middle(v, g, part, hosts);
	} else {
		draw_hosts(v, g, (struct rect){ part.row, part.col, hosts,
						part.cols });
		part.row += hosts;
		if (v->lists[CLUSTERS].count)
			draw_clusters(v, g, (struct rect){ part.row++, part.col,
							   1, part.cols });
		part.rows = (r.row + r.rows - part.row) / 2;
		draw_sessions(v, g, part);
		part.row += part.rows;
	}
	part.rows = r.row + r.rows - part.row;
	view_pane_list(v, EVENTS, g, part, "Latest events",
		       "Nothing happened yet.");
}

static const enum intent overview_keys[] = {
	INTENT_OPEN, INTENT_NEXT_TAB, INTENT_ACTIONS, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_overview = {
	.name = "overview",
	.aliases = "ov",
	.title = "Overview",
	.about = "The whole site at a glance: pools with their bars, "
		 "hosts, clusters, who works now, what happened. Tab goes from pane "
		 "to pane, Enter opens what the cursor is on.",
	.lists = LISTS,
	.keys = overview_keys,
	.open = overview_open,
	.fill = overview_fill,
	.draw = overview_draw,
};
