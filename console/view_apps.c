/*
 * Applications: what machines are prepared for, which pools serve them, and how
 * a user gets one: the doors with the command for each.
 */
#include "console/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"

enum { ASK_APPS, ASK_LISTENERS, ASKS };

static void add_pools(const struct list_context *context, const json_t *item,
		      const char *member, struct field *out)
{
	const json_t *pools = json_object_get(item, "pools"), *name;
	size_t i;

	out->number = 0;
	json_array_foreach(pools, i, name)
		out->number += item_int(model_named(context->model, TOPIC_POOLS,
						    json_string_value(name)),
					member, 0);
	out->has_number = true;
	snprintf(out->buf, sizeof(out->buf), "%lld", (long long)out->number);
	out->text = out->buf;
}

static void get_ready(const struct list_context *context, const json_t *item,
		      struct field *out)
{
	add_pools(context, item, "ready", out);
}

static void get_use(const struct list_context *context, const json_t *item,
		    struct field *out)
{
	add_pools(context, item, "in_use", out);
}

static const struct column columns[] = {
	{ "APPLICATION", 13, 20, 0, .member = "name" },
	{ "POOLS", 12, 24, 0, .member = "pools", .as = AS_LIST },
	{ "USE", 4, 0, 0, true, .get = get_use },
	{ "RDY", 4, 0, 0, true, .get = get_ready },
	{ "ENDPOINT", 8, 12, 1, .member = "endpoint" },
	{ "IDENTITY", 8, 0, 2, .member = "identity" },
	{ "RESOURCES", 12, 20, 3, .member = "resources", .as = AS_LIST },
	{ "HOOKS", 14, 28, 4, .member = "hooks", .as = AS_LIST },
	{ "VERSION", 8, 14, 5, .member = "version" },
};

static const struct columns table = COLUMNS(columns, 0);

static void apps_open(struct view *v)
{
	view_open_list(v, 0, &table, TOPIC_APPLICATION);
}

static json_t *apps_ask(struct view *v, int slot)
{
	(void)v;
	return json_pack("{s:s}", "verb", slot == ASK_APPS ?
			 "application.list" : "listener.list");
}

static void apps_fill(struct view *v)
{
	view_fill_asked(v, 0, ASK_APPS, NULL);
}

/* ---- how to get one -------------------------------------------------- */

static bool offers(const json_t *listener, const char *app)
{
	const json_t *apps = json_object_get(listener, "application"), *one;
	const char *only = json_string_value(apps);
	size_t i;

	if (only)
		return strcmp(only, app) == 0 || strcmp(only, "*") == 0;
	json_array_foreach(apps, i, one) {
		const char *name = json_string_value(one);

		if (name && (strcmp(name, app) == 0 || strcmp(name, "*") == 0))
			return true;
	}
	return false;
}

/* What one types at a workstation to come in by this door. */
static void recipe(const json_t *listener, const char *app, char *out,
		   size_t size)
{
	const char *door = item_text(listener, "door");
	const char *address = item_text(listener, "address");
	const char *colon = strrchr(address, ':');
	int host = colon ? (int)(colon - address) : (int)strlen(address);
	const char *port = colon ? colon + 1 : "";
	bool here = strncmp(address, "unix:", 5) == 0;

	if (strcmp(door, "native") == 0 && here)
		snprintf(out, size, "here:  remuda connect --socket %s %s",
			 address + 5, app);
	else if (strcmp(door, "native") == 0)
		snprintf(out, size, "remuda connect --to %s %s", address, app);
	else if (here && strcmp(door, "direct") != 0)
		snprintf(out, size, "programs on this computer: %s", address);
	else if (strcmp(door, "direct") == 0)
		snprintf(out, size, "any program, to %s", address);
	else if (strcmp(door, "connect") == 0)
		snprintf(out, size, "curl -p -x http%s://USER@%s http://%s/",
			 item_bool(listener, "tls") ? "s" : "", address, app);
	else if (strcmp(door, "socks5") == 0)
		snprintf(out, size, "curl -x socks5h://USER@%s http://%s/",
			 address, app);
	else if (strcmp(door, "ssh") == 0)
		snprintf(out, size, "ssh -J USER@%.*s:%s %s", host, address,
			 port, app);
	else
		snprintf(out, size, "%s", address);
}

static void draw_doors(struct view *v, struct grid *g, struct rect r,
		       const json_t *app)
{
	const char *name = item_text(app, "name");
	const json_t *listener;
	int row = r.row;
	size_t i;

	json_array_foreach(v->asked[ASK_LISTENERS].items, i, listener) {
		char how[256];

		if (!offers(listener, name) || row >= r.row + r.rows)
			continue;
		recipe(listener, name, how, sizeof(how));
		grid_printf(g, row, r.col + 1, 26, ROLE_OFF, "%-14s %s",
			    item_text(listener, "name"),
			    item_text(listener, "door"));
		grid_text(g, row++, r.col + 28, r.cols - 29, ROLE_NORMAL, how);
	}
	if (row == r.row)
		grid_text(g, row, r.col + 1, r.cols - 2, ROLE_OFF,
			  v->asked[ASK_LISTENERS].items ?
			  "No door offers it: a listener of the site file has "
			  "to name it." : "");
}

static void apps_draw(struct view *v, struct grid *g, struct rect r)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	int below = r.rows > 14 ? r.rows / 3 : 0;
	char title[128];

	snprintf(title, sizeof(title), "Applications %zu", v->lists[0].count);
	r.rows -= below;
	view_pane_list(v, 0, g, r, title, "No applications yet: the site file "
		       "says what machines are prepared for.");
	if (!below || !item)
		return;
	snprintf(title, sizeof(title), "How a workstation gets %s",
		 item_text(item, "name"));
	draw_doors(v, g, view_pane(g, (struct rect){ r.row + r.rows, r.col,
						     below, r.cols }, title,
				   NULL), item);
}

/* Enter: the pool that serves it, or the pools when there are several. */
static bool apps_intent(struct view *v, enum intent intent)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	const json_t *pools = json_object_get(item, "pools");
	const char *name = json_string_value(json_array_get(pools, 0));

	if (intent != INTENT_OPEN || !item)
		return false;
	if (!name)
		app_message(v->app, false, "No pool serves it.");
	else if (json_array_size(pools) == 1)
		app_show(v->app, &view_pool, name);
	else
		app_show(v->app, &view_pools, "");
	return true;
}

static const enum intent apps_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_EDIT, INTENT_FILTER, INTENT_COMMAND,
	INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_apps = {
	.name = "apps",
	.aliases = "app application applications",
	.title = "Applications",
	.about = "What machines are prepared for. The pane below has the doors of "
		 "the one under the cursor and what to type at a workstation "
		 "for each. Enter goes to the pool that serves it.",
	.lists = 1,
	.keys = apps_keys,
	.open = apps_open,
	.fill = apps_fill,
	.draw = apps_draw,
	.intent = apps_intent,
	.asks = ASKS,
	.ask = apps_ask,
};
