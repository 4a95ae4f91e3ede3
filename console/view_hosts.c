/*
 * Hosts and gateways: two lists, Tab changes between them.  The panes below are
 * about the host under the cursor: what it carries, and what the engine says would
 * happen were it gone now (whatif.host_down), asked again when the cursor moves.
 */
#include "console/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

enum { ASK_WHATIF, ASKS };
enum { GROUPS_MAX = 32 };

struct group {
	char name[48];		/* of a pool or a cluster, may be cut */
	bool cluster;
	int machines, used, ready;
};

struct hosts {
	char name[96];		/* of the host that whatif is of */
	int group_count;
	struct group groups[GROUPS_MAX];
};

static void hosts_open(struct view *v)
{
	v->own = calloc(1, sizeof(struct hosts));
	CHECK("", v->own, "out of memory");
	list_view_init(&v->lists[0], columns_hosts.columns,
		       columns_hosts.count, columns_hosts.sort);
	list_view_init(&v->lists[1], columns_gateways.columns,
		       columns_gateways.count, columns_gateways.sort);
	v->topics[0] = TOPIC_HOSTS;
	v->topics[1] = TOPIC_GATEWAYS;
	v->tabs = 2;
}

static void hosts_close(struct view *v)
{
	free(v->own);
}

static struct group *group_of(struct hosts *own, const char *name, bool cluster)
{
	for (int i = 0; i < own->group_count; i++)
		if (strncmp(own->groups[i].name, name,
			    sizeof(own->groups[i].name) - 1) == 0 &&
		    own->groups[i].cluster == cluster)
			return &own->groups[i];
	if (own->group_count == GROUPS_MAX)
		return NULL;
	struct group *group = &own->groups[own->group_count++];

	*group = (struct group){ .cluster = cluster };
	TEXT_SET(group->name, name);
	return group;
}

static void count_one(struct hosts *own, const json_t *item, bool cluster)
{
	const char *state = item_text(item, "state");
	struct group *group;

	if (strcmp(item_text(item, "host"), own->name) != 0)
		return;
	group = group_of(own, item_text(item, cluster ? "cluster" : "pool"),
			 cluster);
	if (!group)
		return;
	group->machines++;
	group->used += strcmp(state, "in_session") == 0 ||
		       (cluster && item_int(item, "open", 0) > 0);
	group->ready += strcmp(state, "ready") == 0;
}

/* What runs on the host under the cursor, by pool and cluster. */
static void count_groups(struct view *v)
{
	const struct model_set *machines = &v->app->model.sets[TOPIC_MACHINES];
	const struct model_set *nodes = &v->app->model.sets[TOPIC_NODES];
	struct hosts *own = v->own;

	own->group_count = 0;
	for (size_t i = 0; i < machines->count; i++)
		if (*item_text(machines->entries[i].item, "pool"))
			count_one(own, machines->entries[i].item, false);
	for (size_t i = 0; i < nodes->count; i++)
		count_one(own, nodes->entries[i].item, true);
}

static void follow_cursor(struct view *v, bool changed)
{
	struct hosts *own = v->own;
	const char *name = item_text(list_view_selected(&v->lists[0]), "name");

	if (strcmp(own->name, name) != 0) {
		TEXT_SET(own->name, name);
		json_decref(v->asked[ASK_WHATIF].item);
		v->asked[ASK_WHATIF].item = NULL;
		view_ask_again(v, ASK_WHATIF);
		changed = true;
	}
	if (changed)
		count_groups(v);
}

static void hosts_fill(struct view *v)
{
	view_fill(v, 0, NULL);
	view_fill(v, 1, NULL);
	follow_cursor(v, true);
}

static json_t *hosts_ask(struct view *v, int slot)
{
	const struct hosts *own = v->own;

	(void)slot;
	return *own->name ? json_pack("{s:s,s:s}", "verb", "whatif.host_down",
				      "name", own->name) : NULL;
}

/* ---- drawing --------------------------------------------------------- */

static void draw_groups(struct view *v, struct grid *g, struct rect r)
{
	const struct hosts *own = v->own;

	if (own->group_count == 0)
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			  "Nothing runs on it.");
	else
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_HEADER,
			  "POOL OR CLUSTER       VMS  USE  RDY");
	for (int i = 0; i < own->group_count && i + 1 < r.rows; i++) {
		const struct group *group = &own->groups[i];
		char name[24];

		text_clip(g->ascii, name, sizeof(name), group->name, 20);
		grid_text(g, r.row + 1 + i, r.col + 1, 20,
			  group->cluster ? ROLE_STRONG : ROLE_NORMAL, name);
		grid_printf(g, r.row + 1 + i, r.col + 22, r.cols - 23,
			    ROLE_NORMAL, "%4d %4d %4d", group->machines,
			    group->used, group->ready);
	}
}

static void draw_whatif(struct view *v, struct grid *g, struct rect r)
{
	const struct asked *a = &v->asked[ASK_WHATIF];
	const json_t *list = json_object_get(a->item, "sentences"), *one;
	size_t i;
	int row = 0;

	if (!a->item) {
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			  *a->trouble ? a->trouble : "Asking the engine ...");
		return;
	}
	if (json_array_size(list) == 0)
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_FREE,
			  "Nothing: it can go.");
	json_array_foreach(list, i, one) {
		const char *text = json_string_value(one);

		if (!text || row >= r.rows)
			continue;
		grid_text(g, r.row + row, r.col + 1, 1, ROLE_OFF,
			  glyph(g->ascii, GLYPH_DOT));
		row += view_wrap(g, (struct rect){ r.row + row, r.col + 3,
				 r.rows - row, r.cols - 4 }, ROLE_NORMAL, text);
	}
}

static void draw_below(struct view *v, struct grid *g, struct rect r)
{
	const struct hosts *own = v->own;
	int left = view_wide(g) ? 40 : 0;
	char title[128];

	if (left) {
		snprintf(title, sizeof(title), "On %s", own->name);
		draw_groups(v, g, view_pane(g, (struct rect){ r.row, r.col,
					    r.rows, left }, title,
					    "Enter machines"));
	}
	snprintf(title, sizeof(title), "If %s were gone now", own->name);
	draw_whatif(v, g, view_pane(g, (struct rect){ r.row, r.col + left,
				    r.rows, r.cols - left }, title, NULL));
}

static void hosts_draw(struct view *v, struct grid *g, struct rect r)
{
	const struct hosts *own = v->own;
	int frame = view_wide(g) ? 3 : 2, below = r.rows / 3;
	int gateways = (int)v->lists[1].count + frame;
	int hosts = (int)v->lists[0].count + frame;
	char title[64];

	follow_cursor(v, false);
	gateways = gateways > r.rows / 4 ? r.rows / 4 : gateways;
	gateways = gateways < 4 ? 4 : gateways;
	if (!*own->name || r.rows < 15)
		below = 0;
	else if (hosts + gateways + below < r.rows)
		below = r.rows - hosts - gateways;
	below = below > 16 ? 16 : below;
	r.rows -= gateways + below;
	snprintf(title, sizeof(title), "Hosts %zu", v->lists[0].count);
	view_pane_list(v, 0, g, r, title,
		       "No hosts yet: a site file says where machines run.");
	r.row += r.rows;
	if (below)
		draw_below(v, g, (struct rect){ r.row, r.col, below, r.cols });
	snprintf(title, sizeof(title), "Gateways %zu", v->lists[1].count);
	view_pane_list(v, 1, g, (struct rect){ r.row + below, r.col, gateways,
					       r.cols }, title,
		       "No gateway runs.");
}

static const enum intent hosts_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_NEXT_TAB, INTENT_DRAIN, INTENT_ACTIONS,
	INTENT_FILTER, INTENT_COMMAND, INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_hosts = {
	.name = "hosts",
	.aliases = "ho host gateways gw gateway",
	.title = "Hosts",
	.about = "Where machines run: VCPU and MEMORY are what the machines "
		 "there were given, of what may be given. Below it what would "
		 "happen were the host gone now, and the gateways that carry "
		 "the sessions. A host that does not answer is unknown, not "
		 "dead. D drains a host, Tab goes to the gateways.",
	.lists = 2,
	.asks = ASKS,
	.keys = hosts_keys,
	.open = hosts_open,
	.close = hosts_close,
	.fill = hosts_fill,
	.ask = hosts_ask,
	.draw = hosts_draw,
};
