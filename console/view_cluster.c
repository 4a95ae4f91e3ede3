/*
 * One cluster: its topology, the change under way step by step, and in tabs its
 * nodes, its changes, why it has its size, and what happened.  t draws the
 * topology as a tree; so it is when boxes have no room.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cluster.h"
#include "console/format.h"
#include "console/theme.h"
#include "engine/base/check.h"

enum { NODES, CHANGES, WHY, EVENTS, LISTS };
/* Slots are those of the lists. */
enum { ASK_CHANGES = CHANGES, ASK_WHY = WHY, ASKS };
enum { BOX_COLS = 24, BOX_COLS_LEAST = 19, BOX_ROWS = 6 };

struct cluster_view {
	bool tree;
};

static void cluster_open(struct view *v)
{
	struct cluster_view *own = calloc(1, sizeof(*own));

	CHECK("", own, "out of memory");
	v->own = own;
	view_open_list(v, NODES, &columns_nodes, TOPIC_NODES);
	view_open_list(v, CHANGES, &columns_changes, TOPIC_CHANGES);
	view_open_list(v, WHY, &columns_decisions, TOPIC_DECISION);
	view_open_list(v, EVENTS, &columns_events, TOPIC_EVENTS);
	v->lists[EVENTS].follow = true;
	v->tabs = LISTS;
}

static void cluster_close(struct view *v)
{
	free(v->own);
}

static bool is_its(const struct view *v, const json_t *item)
{
	return strcmp(item_text(item, "cluster"), v->target) == 0;
}

static bool about_it(const struct view *v, const json_t *event)
{
	const char *object = item_text(event, "object");

	return (strncmp(object, "cluster/", 8) == 0 &&
		strcmp(object + 8, v->target) == 0) ||
	       view_event_names(event, v->target, true) ||
	       view_event_names(event, v->target, false);
}

static void cluster_fill(struct view *v)
{
	view_fill(v, NODES, is_its);
	view_fill_changes(v, CHANGES, ASK_CHANGES, is_its);
	view_fill_asked(v, WHY, ASK_WHY, NULL);
	view_fill(v, EVENTS, about_it);
}

static json_t *cluster_ask(struct view *v, int slot)
{
	if (slot == ASK_CHANGES)
		return json_pack("{s:s,s:s}", "verb", "change.list", "cluster",
				 v->target);
	return slot == ASK_WHY ? json_pack("{s:s,s:s}", "verb", "cluster.why",
					   "name", v->target) : NULL;
}

/* ---- topology -------------------------------------------------------- */

/* A line of a node's box. */
static void box_line(struct grid *g, struct rect r, int i, enum role role,
		     const char *text)
{
	grid_text(g, r.row + i, r.col + 2, r.cols - 4, role, text);
}

static void draw_frame(struct grid *g, struct rect r)
{
	bool a = g->ascii;

	for (int i = 0; i < 2; i++) {
		int row = i ? r.row + r.rows - 1 : r.row;

		grid_repeat(g, row, r.col, r.cols, ROLE_FRAME,
			    glyph(a, GLYPH_LINE_H));
		grid_text(g, row, r.col, 1, ROLE_FRAME,
			  glyph(a, i ? GLYPH_CORNER_BL : GLYPH_CORNER_TL));
		grid_text(g, row, r.col + r.cols - 1, 1, ROLE_FRAME,
			  glyph(a, i ? GLYPH_CORNER_BR : GLYPH_CORNER_TR));
	}
	for (int i = 1; i < r.rows - 1; i++) {
		grid_text(g, r.row + i, r.col, 1, ROLE_FRAME,
			  glyph(a, GLYPH_LINE_V));
		grid_text(g, r.row + i, r.col + r.cols - 1, 1, ROLE_FRAME,
			  glyph(a, GLYPH_LINE_V));
	}
}

static void draw_box(struct grid *g, struct rect r, const json_t *n)
{
	struct state_look look = state_look("node", item_text(n, "part"));
	int64_t cpu = item_int(n, "cpu_percent", -1);
	char text[96], size[48];
	const char *role = item_text(n, "role");

	draw_frame(g, r);
	snprintf(text, sizeof(text), "%s %s", glyph(g->ascii,
		 role_glyph(look.role)), look.word);
	box_line(g, r, 0, look.role, text);
	snprintf(text, sizeof(text), "%s  on %s%s", item_text(n, "name"),
		 item_text(n, "host"), strcmp(role, "new") == 0 ? " NEW" : "");
	box_line(g, r, 1, ROLE_STRONG, text);
	cluster_size(size, sizeof(size), n);
	box_line(g, r, 2, ROLE_NORMAL, size);
	if (cpu >= 0)
		snprintf(text, sizeof(text), "cpu %3" PRId64 "%%  %" PRId64
			 " open", cpu, item_int(n, "open", 0));
	else
		snprintf(text, sizeof(text), "cpu ?     %" PRId64 " open",
			 item_int(n, "open", 0));
	box_line(g, r, 3, ROLE_NORMAL, text);
	if (*item_text(n, "text"))
		box_line(g, r, 4, ROLE_WARN, item_text(n, "text"));
	else
		box_line(g, r, 4, ROLE_OFF, item_text(n, "site"));
}

/* As wide as there is room for; 0 = boxes have none. */
static int box_cols(int cols, int count)
{
	int each = count > 0 ? (cols - count - 1) / count : 0;

	return each < BOX_COLS_LEAST ? 0 : each > BOX_COLS ? BOX_COLS : each;
}

static void draw_boxes(struct view *v, struct grid *g, struct rect r, int count)
{
	struct list_view *l = &v->lists[NODES];
	int box = box_cols(r.cols, count);
	int gap = (r.cols - count * box) / (count + 1);
	int middle = r.col + r.cols / 2;
	const json_t *c = v->item;
	char text[96];

	snprintf(text, sizeof(text), "%s  %s", item_text(c, "address"),
		 item_bool(c, "vip_held") ? "held" : item_text(c, "vip_text"));
	grid_text(g, r.row, middle - 3, 7, ROLE_NORMAL, "clients");
	grid_text(g, r.row + 1, middle, 1, ROLE_FRAME,
		  glyph(g->ascii, GLYPH_LINE_V));
	grid_text(g, r.row + 2, middle - (int)strlen(text) / 2, r.cols,
		  ROLE_STRONG, text);
	int first = r.col + gap + box / 2;
	int last = first + (count - 1) * (box + gap);

	grid_repeat(g, r.row + 3, first, last - first + 1, ROLE_FRAME,
		    glyph(g->ascii, GLYPH_LINE_H));
	for (int i = 0; i < count; i++) {
		int col = r.col + gap + i * (box + gap);

		grid_text(g, r.row + 3, col + box / 2, 1, ROLE_FRAME,
			  glyph(g->ascii, count == 1 ? GLYPH_LINE_V : i == 0 ?
				GLYPH_CORNER_TL : i == count - 1 ?
				GLYPH_CORNER_TR : GLYPH_LINE_H));
		draw_box(g, (struct rect){ r.row + 4, col, BOX_ROWS, box },
			 l->rows[l->shown[i]].item);
	}
}

static void draw_tree(struct view *v, struct grid *g, struct rect r)
{
	struct list_view *l = &v->lists[NODES];
	const json_t *c = v->item;
	int row = r.row;

	grid_printf(g, row++, r.col + 1, r.cols - 2, ROLE_STRONG, "%s  %s",
		    item_text(c, "address"), item_bool(c, "vip_held") ? "held" :
		    item_text(c, "vip_text"));
	for (size_t i = 0; i < l->shown_count && row < r.row + r.rows; i++) {
		const json_t *n = l->rows[l->shown[i]].item;
		struct state_look look = state_look("node", item_text(n,
								      "part"));
		int col = r.col + 1;

		col += grid_printf(g, row, col, 4, ROLE_FRAME, "%s%s ",
				   glyph(g->ascii, i + 1 == l->shown_count ?
					 GLYPH_CORNER_BL : GLYPH_LINE_V),
				   glyph(g->ascii, GLYPH_LINE_H));
		col += grid_printf(g, row, col, r.col + r.cols - col, look.role,
				   "%s %-9s", glyph(g->ascii,
				   role_glyph(look.role)), look.word);
		grid_printf(g, row++, col, r.col + r.cols - col - 1,
			    ROLE_NORMAL, " %s  %s  %s", item_text(n, "name"),
			    item_text(n, "host"), item_text(n, "text"));
	}
}

static void draw_topology(struct view *v, struct grid *g, struct rect r)
{
	const struct cluster_view *own = v->own;
	int count = (int)v->lists[NODES].shown_count;

	if (!v->item)
		grid_printf(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			    "There is no cluster/%s now.", v->target);
	else if (!own->tree && count > 0 && r.rows >= 4 + BOX_ROWS &&
		 box_cols(r.cols, count))
		draw_boxes(v, g, r, count);
	else
		draw_tree(v, g, r);
}

/* ---- the whole ------------------------------------------------------- */

static void draw_change(struct view *v, struct grid *g, struct rect r)
{
	const json_t *change = cluster_change(&v->app->model, v->target);
	char title[64] = "Change";

	if (!change)	/* the last one that is over, the newest first */
		change = json_array_get(v->asked[ASK_CHANGES].items, 0);
	if (change)
		snprintf(title, sizeof(title), "%s", item_text(change, "ref"));
	change_draw(g, view_pane(g, r, title, NULL), change, v->app->wall_ms);
}

static void cluster_draw(struct view *v, struct grid *g, struct rect r)
{
	static const char *const names[LISTS] = { "Nodes", "Changes", "Why",
						  "Events" };
	static const char *const empty[LISTS] = {
		"No nodes now.", "Nothing was changed yet.",
		"Nothing decided about its size yet.", "Nothing happened yet.",
	};
	bool wide = view_wide(g);
	int top = wide ? 15 : r.rows / 2, facts = wide ? 6 : 0;
	int left = r.cols * (wide ? 56 : 48) / 100;

	if (top > r.rows - 6)
		top = r.rows - 6 > 4 ? r.rows - 6 : 4;
	draw_topology(v, g, view_pane(g, (struct rect){ r.row, r.col, top,
							left },
				      v->target, "t tree"));
	draw_change(v, g, (struct rect){ r.row, r.col + left, top,
					 r.cols - left });
	r.row += top;
	r.rows -= top;
	if (facts && r.rows > facts + 8) {
		if (v->item)
			view_cluster_facts(v, g, view_pane(g, (struct rect){
				r.row, r.col, facts, r.cols }, "Size", NULL),
				v->item);
		r.row += facts;
		r.rows -= facts;
	}
	view_tabs(v, g, r.row, r.col + 1, r.cols - 1, names);
	view_pane_list(v, v->focus, g, (struct rect){ r.row + 1, r.col,
						      r.rows - 1, r.cols },
		       names[v->focus], empty[v->focus]);
}

static bool cluster_intent(struct view *v, enum intent intent)
{
	struct cluster_view *own = v->own;
	enum topic topic;
	const json_t *item = view_object(v, &topic);

	if (intent == INTENT_TREE) {
		own->tree = !own->tree;
		return true;
	}
	if (intent == INTENT_END && topic != TOPIC_CHANGES) {
		json_t *change = cluster_change(&v->app->model, v->target);

		if (!change)
			return false;
		action_item(v->app, INTENT_END, TOPIC_CHANGES, change);
		return true;
	}
	if (intent == INTENT_OPEN && item && topic == TOPIC_NODES) {
		app_show(v->app, &view_machine, item_text(item, "name"));
		return true;
	}
	return false;
}

static const enum intent cluster_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_NEXT_TAB, INTENT_SCALE, INTENT_END,
	INTENT_TREE, INTENT_ACTIONS, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_cluster = {
	.name = "cluster",
	.aliases = "",
	.title = "Clusters",
	.about = "One cluster: who serves its address, the change under way step by "
		 "step, what decides its size. Tabs: nodes, changes, why it has "
		 "its size, events. S gives another size, x cancels the change, "
		 "e edits the site file with its calendar, t draws a tree.",
	.target = TOPIC_CLUSTERS,
	.detail = true,
	.lists = LISTS,
	.keys = cluster_keys,
	.open = cluster_open,
	.close = cluster_close,
	.fill = cluster_fill,
	.draw = cluster_draw,
	.intent = cluster_intent,
	.asks = ASKS,
	.ask = cluster_ask,
};
