/*
 * One user: "what would she get?"  Every application on every door, with yes or
 * no and the line of the site file that says so, as the engine itself decides
 * it (user.why); and the sessions she has now.
 */
#include "console/view.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"

enum { ACCESS, SESSIONS, LISTS };
/* Slots: the user, all applications, then user.why for each of them. */
enum { ASK_USER, ASK_APPS, ASK_WHY };

static void get_allowed(const struct list_context *context, const json_t *item,
			struct field *out)
{
	bool yes = item_bool(item, "allowed");

	(void)context;
	out->text = yes ? "yes" : "no";
	out->role = yes ? ROLE_FREE : ROLE_OFF;
	out->glyph = true;
}

static const struct column access_columns[] = {
	{ "APPLICATION", 12, 16, 0, .member = "application" },
	{ "DOOR", 12, 18, 0, .member = "listener" },
	{ "GETS IT", 7, 0, 0, .get = get_allowed },
	{ "LIMIT", 5, 0, 3, true, .member = "limit", .as = AS_NUMBER },
	{ "SAID IN", 14, 18, 1, .member = "place" },
	{ "BY", 10, 18, 2, .member = "statement" },
	{ "WHY", 16, 60, 0, .member = "text" },
};

static const struct columns access_table = COLUMNS(access_columns, 0);

static void user_open(struct view *v)
{
	view_open_list(v, ACCESS, &access_table, TOPIC_NONE);
	view_open_list(v, SESSIONS, &columns_sessions, TOPIC_SESSIONS);
	v->tabs = LISTS;
}

static json_t *user_ask(struct view *v, int slot)
{
	const json_t *app;

	if (slot == ASK_USER)
		return json_pack("{s:s,s:s}", "verb", "user.show", "name",
				 v->target);
	if (slot == ASK_APPS)
		return json_pack("{s:s}", "verb", "application.list");
	app = json_array_get(v->asked[ASK_APPS].items,
			     (size_t)(slot - ASK_WHY));
	return app ? json_pack("{s:s,s:s,s:s}", "verb", "user.why", "name",
			       v->target, "application",
			       item_text(app, "name")) : NULL;
}

static bool is_hers(const struct view *v, const json_t *session)
{
	return strcmp(item_text(session, "user"), v->target) == 0;
}

/* Answers about each application, joined; once the applications are known they
 * are asked about at once. */
static void user_fill(struct view *v)
{
	struct list_context context = view_context(v);
	struct list_view *l = &v->lists[ACCESS];
	uint64_t key = 0;
	size_t apps = json_array_size(v->asked[ASK_APPS].items), i;
	const json_t *item;

	list_view_begin(l);
	for (int slot = ASK_WHY; slot < VIEW_ASKS_MAX; slot++) {
		struct asked *a = &v->asked[slot];

		if ((size_t)(slot - ASK_WHY) < apps && !a->items && !a->asking)
			view_ask_again(v, slot);
		json_array_foreach(a->items, i, item)
			list_view_add(l, ++key, (json_t *)item);
	}
	list_view_end(l, &context);
	view_fill_sessions(v, SESSIONS, is_hers);
}

static void draw_facts(struct view *v, struct grid *g, struct rect r)
{
	static const char *const members[] = { "groups", "applications" };
	const json_t *u = v->item;
	int end = r.col + r.cols, col = r.col + 1;
	char text[64];

	if (!u) {
		grid_text(g, r.row, col, end - col, ROLE_OFF,
			  view_ask_trouble(v, ASK_USER) ?
			  view_ask_trouble(v, ASK_USER) : "");
		return;
	}
	col += view_field(g, r.row, col, end - col, "state",
			  item_text(u, "state"));
	for (int i = 0; i < 2; i++) {
		struct field f = { .text = "-" };

		field_get(AS_LIST, members[i], NULL, NULL, u, &f);
		col += view_field(g, r.row, col, end - col, members[i], f.text);
	}
	col = r.col + 1;
	snprintf(text, sizeof(text), "%lld of %lld", (long long)
		 item_int(u, "sessions", 0), (long long)item_int(u, "limit", 0));
	col += view_field(g, r.row + 1, col, end - col, "sessions", text);
	col += view_field(g, r.row + 1, col, end - col, "password",
			  item_bool(u, "password") ? "yes" : "no");
	col += view_field(g, r.row + 1, col, end - col, "said in",
			  item_text(u, "place"));
}

static void user_draw(struct view *v, struct grid *g, struct rect r)
{
	static const char *const names[LISTS] = { "Would get", "Sessions" };
	static const char *const empty[LISTS] = {
		"No door offers an application to anybody.",
		"Has no session now.",
	};
	bool wide = view_wide(g);
	struct rect facts = { r.row, r.col, wide ? 4 : 2, r.cols };
	char title[128];

	snprintf(title, sizeof(title), "user/%s", v->target);
	if (wide)
		facts = view_pane(g, facts, title, NULL);
	draw_facts(v, g, facts);
	r.row += wide ? 4 : 2;
	r.rows -= wide ? 4 : 2;
	view_tabs(v, g, r.row, r.col + 1, r.cols - 1, names);
	view_pane_list(v, v->focus, g, (struct rect){ r.row + 1, r.col,
						      r.rows - 1, r.cols },
		       v->focus == ACCESS ? "What this user would get" :
		       names[v->focus], empty[v->focus]);
}

static const enum intent user_keys[] = {
	INTENT_BACK, INTENT_NEXT_TAB, INTENT_SWITCH, INTENT_END, INTENT_ACTIONS,
	INTENT_FILTER, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_user = {
	.name = "user",
	.aliases = "",
	.title = "Users",
	.about = "What this user would get on each door, decided by the engine "
		 "as it would for a request, with the line of the site file "
		 "that says so. Tab shows the sessions of now.",
	.target = TOPIC_USER,
	.detail = true,
	.lists = LISTS,
	.keys = user_keys,
	.open = user_open,
	.fill = user_fill,
	.draw = user_draw,
	.asks = VIEW_ASKS_MAX,
	.ask = user_ask,
};
