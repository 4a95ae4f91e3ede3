/* Machines: all of them, of every pool. */
#include "console/view.h"

#include <stdio.h>

static void machines_open(struct view *v)
{
	list_view_init(&v->lists[0], columns_machines.columns,
		       columns_machines.count, columns_machines.sort);
	v->topics[0] = TOPIC_MACHINES;
}

static void machines_fill(struct view *v)
{
	view_fill(v, 0, NULL);
}

static void machines_draw(struct view *v, struct grid *g, struct rect body)
{
	char title[64];

	snprintf(title, sizeof(title), "Machines %zu", v->lists[0].count);
	view_pane_list(v, 0, g, body, title, "No machines yet.  A pool makes "
		       "them:  S on a pool says how many.");
}

static const enum intent machines_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_HOLD, INTENT_RESTART, INTENT_ACTIONS,
	INTENT_FILTER, INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_machines = {
	.name = "machines",
	.aliases = "vm machine",
	.title = "Machines",
	.about = "Every machine of every pool. Its state says what is true "
		 "now, NOTE why. Enter opens one, d describes it, c is its "
		 "console.",
	.lists = 1,
	.keys = machines_keys,
	.open = machines_open,
	.fill = machines_fill,
	.draw = machines_draw,
};
