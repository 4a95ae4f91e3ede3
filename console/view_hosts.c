/* Hosts and gateways: two lists, Tab changes between them. */
#include "console/view.h"

#include <stdio.h>

static void hosts_open(struct view *v)
{
	list_view_init(&v->lists[0], columns_hosts.columns,
		       columns_hosts.count, columns_hosts.sort);
	list_view_init(&v->lists[1], columns_gateways.columns,
		       columns_gateways.count, columns_gateways.sort);
	v->topics[0] = TOPIC_HOSTS;
	v->topics[1] = TOPIC_GATEWAYS;
	v->tabs = 2;
}

static void hosts_fill(struct view *v)
{
	view_fill(v, 0, NULL);
	view_fill(v, 1, NULL);
}

static void hosts_draw(struct view *v, struct grid *g, struct rect r)
{
	int gateways = (int)v->lists[1].count + (view_wide(g) ? 3 : 2);
	char title[64];

	if (gateways > r.rows / 2)
		gateways = r.rows / 2;
	if (gateways < 4)
		gateways = 4;
	r.rows -= gateways;
	snprintf(title, sizeof(title), "Hosts %zu", v->lists[0].count);
	view_pane_list(v, 0, g, r, title,
		       "No hosts yet: a site file says where machines run.");
	snprintf(title, sizeof(title), "Gateways %zu", v->lists[1].count);
	view_pane_list(v, 1, g, (struct rect){ r.row + r.rows, r.col, gateways,
					       r.cols }, title,
		       "No gateway runs.");
}

static const enum intent hosts_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_NEXT_TAB, INTENT_ACTIONS,
	INTENT_FILTER, INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_hosts = {
	.name = "hosts",
	.aliases = "ho host gateways gw gateway",
	.title = "Hosts",
	.about = "Where machines run, and below the gateways that carry "
		 "the sessions. A host that does not answer is unknown, "
		 "not dead. Tab goes to the gateways.",
	.lists = 2,
	.keys = hosts_keys,
	.open = hosts_open,
	.fill = hosts_fill,
	.draw = hosts_draw,
};
