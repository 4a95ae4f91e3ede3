/*
 * Users, groups and tokens: who may ask for machines, who shares a limit, which
 * secrets let somebody in.  Enter on a user: what she would get, on which door,
 * and which line of the site file says so.
 */
#include "console/view.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"

enum { USERS, GROUPS, TOKENS, LISTS };

static void get_user_state(const struct list_context *context,
			   const json_t *item, struct field *out)
{
	bool off = strcmp(item_text(item, "state"), "disabled") == 0;

	(void)context;
	out->text = off ? "disabled" : "enabled";
	out->role = off ? ROLE_OFF : ROLE_FREE;
	out->glyph = true;
}

static const struct column user_columns[] = {
	{ "USER", 12, 20, 0, .member = "name" },
	{ "STATE", 10, 0, 0, .get = get_user_state },
	{ "USE", 4, 0, 0, true, .member = "sessions", .as = AS_NUMBER },
	{ "WAIT", 4, 0, 2, true, .member = "waiting", .as = AS_NUMBER },
	{ "LIMIT", 5, 0, 2, true, .member = "limit", .as = AS_NUMBER },
	{ "PRIORITY", 8, 0, 4, true, .member = "priority", .as = AS_NUMBER },
	{ "GROUPS", 12, 24, 3, .member = "groups", .as = AS_LIST },
	{ "APPLICATIONS", 14, 30, 1, .member = "applications", .as = AS_LIST },
	{ "SAID IN", 12, 18, 5, .member = "place" },
};

static const struct column group_columns[] = {
	{ "GROUP", 12, 20, 0, .member = "name" },
	{ "PRIORITY", 8, 0, 2, true, .member = "priority", .as = AS_NUMBER },
	{ "USE", 4, 0, 0, true, .member = "sessions", .as = AS_NUMBER },
	{ "WAIT", 4, 0, 1, true, .member = "waiting", .as = AS_NUMBER },
	{ "LIMIT", 5, 0, 1, true, .member = "limit", .as = AS_NUMBER },
	{ "APPLICATIONS", 14, 26, 3, .member = "applications", .as = AS_LIST },
	{ "MEMBERS", 16, 40, 0, .member = "members", .as = AS_LIST },
	{ "SAID IN", 12, 18, 4, .member = "place" },
};

static const struct column token_columns[] = {
	{ "TOKEN", 10, 14, 0, .member = "id" },
	{ "USER", 12, 18, 0, .member = "user" },
	{ "STATE", 8, 0, 0, .member = "state" },
	{ "ONCE", 4, 0, 2, .member = "once", .as = AS_YES },
	{ "APPLICATION", 12, 16, 3, .member = "application" },
	{ "EXPIRES", 19, 0, 1, .member = "expires", .as = AS_STAMP },
	{ "USED", 19, 0, 4, .member = "used", .as = AS_STAMP },
	{ "MADE BY", 10, 16, 5, .member = "who" },
};

static const struct columns tables[LISTS] = {
	[USERS] = COLUMNS(user_columns, 0), [GROUPS] = COLUMNS(group_columns, 0),
	[TOKENS] = COLUMNS(token_columns, 1),
};

static void users_open(struct view *v)
{
	view_open_list(v, USERS, &tables[USERS], TOPIC_USER);
	view_open_list(v, GROUPS, &tables[GROUPS], TOPIC_GROUP);
	view_open_list(v, TOKENS, &tables[TOKENS], TOPIC_TOKEN);
	v->tabs = LISTS;
}

static json_t *users_ask(struct view *v, int slot)
{
	static const char *const verbs[LISTS] = { "user.list", "group.list",
						  "token.list" };

	(void)v;
	return json_pack("{s:s}", "verb", verbs[slot]);
}

static void users_fill(struct view *v)
{
	for (int i = 0; i < LISTS; i++)
		view_fill_asked(v, i, i, NULL);
}

static void users_draw(struct view *v, struct grid *g, struct rect r)
{
	static const char *const names[LISTS] = { "Users", "Groups", "Tokens" };
	static const char *const empty[LISTS] = {
		"No users yet: the site file names them, user \"anna\" { ... }",
		"No groups: the site file may name some.",
		"No tokens: :token create USER  makes one.",
	};

	view_tabs(v, g, r.row, r.col + 1, r.cols - 1, names);
	view_pane_list(v, v->focus, g, (struct rect){ r.row + 1, r.col,
						      r.rows - 1, r.cols },
		       names[v->focus], empty[v->focus]);
}

static const enum intent users_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_NEXT_TAB, INTENT_SWITCH, INTENT_END,
	INTENT_ACTIONS, INTENT_FILTER, INTENT_COMMAND, INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_users = {
	.name = "users",
	.aliases = "us user group groups token tokens access",
	.title = "Users",
	.about = "Who may ask for machines; in the tabs groups and tokens. Enter "
		 "on a user shows what she would get on each door, and which "
		 "line of the site file says so. o disables or enables one.",
	.lists = LISTS,
	.keys = users_keys,
	.open = users_open,
	.fill = users_fill,
	.draw = users_draw,
	.asks = LISTS,
	.ask = users_ask,
};
