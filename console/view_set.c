/*
 * Settings: what they are, where they come from and what else they may be.
 * Enter takes the next choice at once; `:set NAME VALUE` says one, `:set save`
 * writes console.lua.
 */
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/settings.h"
#include "console/term.h"
#include "console/view.h"

static const char *const origins[] = {
	[SETTING_BUILT_IN] = "built in", [SETTING_FILE] = "console.lua",
	[SETTING_SITE] = "its site", [SETTING_FLAG] = "option",
	[SETTING_SAID] = "said now",
};

static void get_value(const struct list_context *context, const json_t *item,
		      struct field *out)
{
	const char *text = item_text(item, "value");

	(void)context;
	out->text = *text ? text : "-";
	if (strcmp(item_text(item, "from"), "built in") != 0)
		out->role = ROLE_STRONG;
}

static const struct column columns[] = {
	{ "NAME", 10, 12, 0, .member = "name" },
	{ "VALUE", 10, 14, 0, .get = get_value },
	{ "FROM", 11, 12, 2, .member = "from" },
	{ "WHAT", 44, 70, 0, .member = "help" },
	{ "CHOICES", 22, 50, 1, .member = "choices" },
};

static void set_open(struct view *v)
{
	list_view_init(&v->lists[0], columns,
		       sizeof(columns) / sizeof(columns[0]), 0);
	v->topics[0] = TOPIC_NONE;
}

static void set_fill(struct view *v)
{
	const struct settings *s = &v->app->settings;
	struct list_context context = view_context(v);

	list_view_begin(&v->lists[0]);
	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct setting_info *info = &setting_table[i];
		json_t *item = json_pack("{s:s,s:s,s:s,s:s,s:s}", "name",
			info->name, "value", s->value[i], "from",
			origins[s->origin[i]], "choices", info->choices,
			"help", info->help);

		list_view_add(&v->lists[0], (uint64_t)i + 1, item);
		json_decref(item);
	}
	list_view_end(&v->lists[0], &context);
}

static bool set_intent(struct view *v, enum intent intent)
{
	struct list_view *l = &v->lists[0];
	struct app *app = v->app;

	if (intent != INTENT_OPEN || l->cursor_key == 0)
		return false;
	enum setting setting = (enum setting)(l->cursor_key - 1);

	if (!*setting_table[setting].choices) {
		app_message(app, false, ":set %s VALUE  says another.",
			    setting_table[setting].name);
		return true;
	}
	settings_next(&app->settings, setting);
	app_settings_changed(app);
	return true;
}

static void set_draw(struct view *v, struct grid *g, struct rect r)
{
	char text[160];
	struct rect in;

	r.rows -= view_wide(g) ? 5 : 4;
	view_pane_list(v, 0, g, r, "Settings", "");
	r.row += r.rows;
	r.rows = view_wide(g) ? 5 : 4;
	in = view_pane(g, r, "This terminal", NULL);
	in.col++;
	term_describe(v->app->term, text, sizeof(text));
	grid_text(g, in.row, in.col, in.cols - 1, ROLE_NORMAL, text);
	grid_printf(g, in.row + 1, in.col, in.cols - 1, ROLE_NORMAL, "file %s",
		    *v->app->settings.path ? v->app->settings.path : "none");
	grid_text(g, in.row + 2, in.col, in.cols - 1, ROLE_OFF,
		  "Enter takes the next choice; :set save  writes the file.");
}

static const enum intent set_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_FILTER, INTENT_COMMAND, INTENT_SORT,
	INTENT_NONE,
};

const struct view_ops view_set = {
	.name = "set",
	.aliases = "settings",
	.title = "Settings",
	.about = "How this console looks and works. Enter takes the next "
		 "choice at once; :set NAME VALUE says one; :set save "
		 "writes console.lua.",
	.lists = 1,
	.keys = set_keys,
	.open = set_open,
	.fill = set_fill,
	.draw = set_draw,
	.intent = set_intent,
};
