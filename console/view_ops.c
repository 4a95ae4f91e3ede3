/* Operations: changes of clusters, those under way and those that are over. */
#include "console/view.h"

#include <stdio.h>

#include "console/app_internal.h"
#include "console/cluster.h"

static void ops_open(struct view *v)
{
	view_open_list(v, 0, &columns_changes, TOPIC_CHANGES);
}

static json_t *ops_ask(struct view *v, int slot)
{
	(void)v;
	(void)slot;
	return json_pack("{s:s,s:i}", "verb", "change.list", "limit", 200);
}

/* What the engine tells is newer than what it was asked. */
void view_fill_changes(struct view *v, int list, int slot, view_wanted *wanted)
{
	const struct model_set *set = &v->app->model.sets[TOPIC_CHANGES];
	struct list_context context = view_context(v);
	struct list_view *l = &v->lists[list];
	const json_t *item;
	size_t i;

	list_view_begin(l);
	for (i = 0; i < set->count; i++)
		if (!wanted || wanted(v, set->entries[i].item))
			list_view_add(l, set->entries[i].key,
				      set->entries[i].item);
	json_array_foreach(v->asked[slot].items, i, item) {
		uint64_t key = (uint64_t)item_int(item, "id", 0);

		if (!model_find(&v->app->model, TOPIC_CHANGES, key) &&
		    (!wanted || wanted(v, item)))
			list_view_add(l, key, (json_t *)item);
	}
	list_view_end(l, &context);
}

static void ops_fill(struct view *v)
{
	view_fill_changes(v, 0, 0, NULL);
}

static void ops_draw(struct view *v, struct grid *g, struct rect r)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	int below = r.rows > 18 ? r.rows / 2 : 0;

	r.rows -= below;
	view_pane_list(v, 0, g, r, "Operations", "No cluster was changed yet.");
	if (below && item)
		change_draw(g, view_pane(g, (struct rect){ r.row + r.rows, r.col,
							   below, r.cols },
					 item_text(item, "ref"), NULL), item,
			    v->app->wall_ms);
}

/* Enter: the cluster it is about. */
static bool ops_intent(struct view *v, enum intent intent)
{
	const json_t *item = list_view_selected(&v->lists[0]);

	if (intent != INTENT_OPEN || !item)
		return false;
	app_show(v->app, &view_cluster, item_text(item, "cluster"));
	return true;
}

static const enum intent ops_keys[] = {
	INTENT_OPEN, INTENT_END, INTENT_BACK, INTENT_DESCRIBE, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_operations = {
	.name = "ops",
	.aliases = "operations changes change",
	.title = "Operations",
	.about = "Changes of clusters with their steps: those under way and those "
		 "that are over. x cancels one that can be, and undoes it; it "
		 "goes on whether anybody looks or not. Enter opens its cluster.",
	.lists = 1,
	.keys = ops_keys,
	.open = ops_open,
	.fill = ops_fill,
	.draw = ops_draw,
	.intent = ops_intent,
	.asks = 1,
	.ask = ops_ask,
};
