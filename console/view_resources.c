/*
 * Resources: services that machines reach through the gateways, with who they
 * are for.  The pane below has the open connections of the one under the cursor
 * and whom it refused last.
 */
#include "console/view.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"

enum { ASK_LIST, ASK_ONE, ASKS };

static const struct column columns[] = {
	{ "RESOURCE", 12, 18, 0, .member = "name" },
	{ "POOL", 10, 14, 2, .member = "pool" },
	{ "MACHINE", 12, 16, 1, .member = "machine" },
	{ "ADDRESS", 14, 22, 2, .member = "address" },
	{ "IDENTITY", 8, 0, 3, .member = "identity" },
	{ "LISTEN", 12, 20, 4, .member = "listen" },
	{ "OPEN", 4, 0, 0, true, .member = "open", .as = AS_NUMBER },
	{ "REFUSED", 7, 0, 0, true, .member = "refused", .as = AS_NUMBER },
	{ "FOR", 14, 40, 5, .member = "access", .as = AS_LIST },
};

static const struct columns table = COLUMNS(columns, 0);

static void resources_open(struct view *v)
{
	view_open_list(v, 0, &table, TOPIC_RESOURCE);
}

static json_t *resources_ask(struct view *v, int slot)
{
	const json_t *item = list_view_selected(&v->lists[0]);

	if (slot == ASK_LIST)
		return json_pack("{s:s}", "verb", "resource.list");
	return item ? json_pack("{s:s,s:s}", "verb", "resource.show", "name",
				item_text(item, "name")) : NULL;
}

static void resources_fill(struct view *v)
{
	bool first = v->lists[0].count == 0;

	view_fill_asked(v, 0, ASK_LIST, NULL);
	if (first && v->lists[0].count && !v->asked[ASK_ONE].item)
		view_ask_again(v, ASK_ONE);
}

static int draw_visits(struct grid *g, struct rect r, const json_t *visits)
{
	const json_t *one;
	size_t i;

	json_array_foreach(visits, i, one) {
		if ((int)i >= r.rows)
			break;
		grid_printf(g, r.row + (int)i, r.col + 1, r.cols - 2,
			    ROLE_NORMAL, "open     %-14s %-14s session/%-8lld %s",
			    item_text(one, "user"), item_text(one, "machine"),
			    (long long)item_int(one, "session", 0),
			    item_text(one, "peer"));
	}
	return (int)i;
}

static void draw_one(struct grid *g, struct rect r, const json_t *resource)
{
	const json_t *refusals = json_object_get(resource, "refusals"), *one;
	int used = draw_visits(g, r, json_object_get(resource, "connections"));
	char when[16];
	size_t i;

	json_array_foreach(refusals, i, one) {
		if (used >= r.rows)
			return;
		format_clock(when, sizeof(when), item_time_ms(one, "time"));
		grid_printf(g, r.row + used++, r.col + 1, r.cols - 2, ROLE_WARN,
			    "refused  %-14s %-14s %s  %s",
			    item_text(one, "user"), item_text(one, "machine"),
			    when, item_text(one, "text"));
	}
	if (used == 0)
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			  "Nobody is connected, nobody was refused.");
}

static void resources_draw(struct view *v, struct grid *g, struct rect r)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	const json_t *one = v->asked[ASK_ONE].item;
	int below = r.rows > 12 ? r.rows / 3 : 0;
	char title[128];

	snprintf(title, sizeof(title), "Resources %zu", v->lists[0].count);
	r.rows -= below;
	view_pane_list(v, 0, g, r, title, "No resources: services for machines "
		       "stand in the site file, resource \"files\" { ... }");
	if (!below || !item)
		return;
	snprintf(title, sizeof(title), "resource/%s", item_text(item, "name"));
	r = view_pane(g, (struct rect){ r.row + r.rows, r.col, below, r.cols },
		      title, NULL);
	if (one && strcmp(item_text(one, "name"), item_text(item, "name")) == 0)
		draw_one(g, r, one);
}

/* Another line: ask about that one now. */
static bool resources_intent(struct view *v, enum intent intent)
{
	bool moved = list_view_intent(&v->lists[0], intent);

	if (moved)
		view_ask_again(v, ASK_ONE);
	return moved;
}

static const enum intent resources_keys[] = {
	INTENT_BACK, INTENT_DESCRIBE, INTENT_FILTER, INTENT_COMMAND, INTENT_SORT,
	INTENT_NONE,
};

const struct view_ops view_resources = {
	.name = "resources",
	.aliases = "resource",
	.title = "Resources",
	.about = "Services that machines reach through the gateways, as the user "
		 "they carry. The pane below has the open connections of the one "
		 "under the cursor and whom it refused last.",
	.lists = 1,
	.keys = resources_keys,
	.open = resources_open,
	.fill = resources_fill,
	.draw = resources_draw,
	.intent = resources_intent,
	.asks = ASKS,
	.ask = resources_ask,
};
