/* Pools: every pool with its bar; Enter opens one. */
#include "console/view.h"

#include <stdio.h>

static void pools_open(struct view *v)
{
	list_view_init(&v->lists[0], columns_pools.columns,
		       columns_pools.count, columns_pools.sort);
	v->topics[0] = TOPIC_POOLS;
}

static void pools_fill(struct view *v)
{
	view_fill_pools(v, 0);
}

static void pools_draw(struct view *v, struct grid *g, struct rect body)
{
	char title[64];

	snprintf(title, sizeof(title), "Pools %zu", v->lists[0].count);
	view_pane_list(v, 0, g, body, title, "No pools yet: a site file says "
		       "what there is, and  :site reload  reads it.");
}

static const enum intent pools_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_SCALE, INTENT_ACTIONS, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_pools = {
	.name = "pools",
	.aliases = "po pool",
	.title = "Pools",
	.about = "Each line is a pool: like machines that are kept ready. "
		 "USE works, RDY waits for a user, STA is on its way, BAD "
		 "needs somebody. Enter opens one.",
	.lists = 1,
	.keys = pools_keys,
	.open = pools_open,
	.fill = pools_fill,
	.draw = pools_draw,
};
