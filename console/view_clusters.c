/*
 * Clusters: machines that serve one address.  The pane below tells what decides
 * the size of the one under the cursor and what is being changed.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cluster.h"
#include "console/format.h"
#include "console/theme.h"

static void get_nodes(const struct list_context *context, const json_t *item,
		      struct field *out)
{
	(void)context;
	out->has_number = true;
	out->number = item_int(item, "serving", 0);
	snprintf(out->buf, sizeof(out->buf), "%" PRId64 "/%" PRId64,
		 out->number, item_int(item, "nodes", 0));
	out->text = out->buf;
}

static void get_change(const struct list_context *context, const json_t *item,
		       struct field *out)
{
	const json_t *change = cluster_change(context->model,
					      item_text(item, "name"));
	const char *state = item_text(change, "state");

	out->text = "";
	if (strcmp(state, "running") == 0 || strcmp(state, "undoing") == 0) {
		out->text = change_words(out->buf, sizeof(out->buf), change);
		out->role = ROLE_CHANGING;
	} else if (*item_text(item, "reason")) {
		out->text = item_text(item, "reason");
	}
}

static const struct column columns[] = {
	{ "CLUSTER", 10, 16, 0, .member = "name" },
	{ "STATE", 10, 0, 0, .member = "state", .as = AS_STATE,
	  .kind = "cluster" },
	{ "ADDRESS", 16, 22, 1, .member = "address" },
	{ "NODES", 5, 0, 0, true, .get = get_nodes },
	{ "VCPU", 4, 0, 3, true, .member = "vcpus", .as = AS_NUMBER },
	{ "MEM", 6, 0, 2, true, .member = "memory_mib", .as = AS_MIB },
	{ "CPU", 4, 0, 1, true, .member = "cpu_percent", .as = AS_PERCENT },
	{ "OPEN", 5, 0, 3, true, .member = "open", .as = AS_NUMBER },
	{ "SAID BY", 12, 16, 4, .member = "source" },
	{ "CHANGE", 16, 60, 0, .get = get_change },
};

/* For the overview: what there is room for. */
static const struct column small[] = {
	{ "CLUSTER", 10, 14, 0, .member = "name" },
	{ "STATE", 10, 0, 0, .member = "state", .as = AS_STATE,
	  .kind = "cluster" },
	{ "NODES", 5, 0, 0, true, .get = get_nodes },
	{ "CHANGE", 12, 40, 0, .get = get_change },
};

static const struct columns table = COLUMNS(columns, 0);
const struct columns columns_overview_clusters = COLUMNS(small, 0);

static void clusters_open(struct view *v)
{
	view_open_list(v, 0, &table, TOPIC_CLUSTERS);
}

static void clusters_fill(struct view *v)
{
	view_fill(v, 0, NULL);
}

void view_cluster_facts(struct view *v, struct grid *g, struct rect r,
			const json_t *c)
{
	const json_t *pin = json_object_get(c, "pin");
	const json_t *calendar = json_object_get(c, "calendar");
	const json_t *decision = json_object_get(c, "decision");
	char text[192], size[64];
	int col = r.col + 1, end = r.col + r.cols;

	(void)v;
	cluster_size(size, sizeof(size), c);
	snprintf(text, sizeof(text), "%s, said by %s", size,
		 item_text(c, "source"));
	col += view_field(g, r.row, col, end - col, "size", text);
	cluster_size(size, sizeof(size), json_object_get(c, "site_size"));
	col += view_field(g, r.row, col, end - col, "site file", size);
	if (item_bool(c, "paused"))
		grid_text(g, r.row, col, end - col, ROLE_WARN,
			  "paused: rules and calendar change nothing");
	if (r.rows < 2)
		return;
	col = r.col + 1;
	if (json_is_object(pin)) {
		cluster_size(size, sizeof(size), pin);
		snprintf(text, sizeof(text), "%s by %s", size,
			 item_text(pin, "who"));
		col += view_field(g, r.row + 1, col, end - col, "operator",
				  text);
	}
	col += view_field(g, r.row + 1, col, end - col, "calendar",
			  json_is_object(calendar) ? item_text(calendar,
			  "text") : "nothing now");
	col += view_field(g, r.row + 1, col, end - col, "balance",
			  item_text(c, "balance"));
	col += view_field(g, r.row + 1, col, end - col, "address",
			  item_bool(c, "vip_held") ? "held" :
			  item_text(c, "vip_text"));
	if (r.rows < 3)
		return;
	snprintf(text, sizeof(text), "%" PRId64 " answered, %" PRId64
		 " replayed, %" PRId64 " failed, %" PRId64 " reset, %" PRId64
		 " refused", item_int(c, "answered", 0), item_int(c, "replayed",
		 0), item_int(c, "failed", 0), item_int(c, "reset", 0),
		 item_int(c, "refused", 0));
	view_field(g, r.row + 2, r.col + 1, r.cols - 2, "transactions", text);
	if (r.rows > 3)
		view_field(g, r.row + 3, r.col + 1, r.cols - 2, "last",
			   item_text(decision, "sentence"));
}

static void clusters_draw(struct view *v, struct grid *g, struct rect r)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	int below = r.rows > 14 ? (view_wide(g) ? 6 : 5) : 0;
	char title[96];

	snprintf(title, sizeof(title), "Clusters %zu", v->lists[0].count);
	r.rows -= below;
	view_pane_list(v, 0, g, r, title, "No clusters: the site file makes them, "
		       "cluster \"payroll\" { ... }, or  :cluster create");
	if (!below || !item)
		return;
	view_cluster_facts(v, g, view_pane(g, (struct rect){ r.row + r.rows,
			   r.col, below, r.cols }, item_text(item, "name"),
			   NULL), item);
}

static const enum intent clusters_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_SCALE, INTENT_SWITCH, INTENT_ACTIONS,
	INTENT_FILTER, INTENT_COMMAND, INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_clusters = {
	.name = "clusters",
	.aliases = "cl cluster",
	.title = "Clusters",
	.about = "Machines that serve one address together. NODES is how many serve "
		 "of how many are wanted, SAID BY who wants it so: the site "
		 "file, its calendar, a rule, an operator. Enter shows the nodes "
		 "and the change under way; S gives another size.",
	.lists = 1,
	.keys = clusters_keys,
	.open = clusters_open,
	.fill = clusters_fill,
	.draw = clusters_draw,
};
