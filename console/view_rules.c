/*
 * Rules: functions that wish for sizes, with the last decision and why.  The left
 * pane has what went in and what came of it, as it was stored at the decision; the
 * right one the lines of the site file it is written in.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cluster.h"
#include "console/format.h"
#include "console/pager.h"
#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { ASK_SITE, ASK_WHY, ASKS };	/* neither is a list's */

struct rules {
	char name[96];		/* of the rule the decisions are of */
	int older;		/* decision shown, 0 = the last */
};

static void get_last(const struct list_context *context, const json_t *item,
		     struct field *out)
{
	field_get(AS_CLOCK, "time", NULL, context, json_object_get(item, "last"),
		  out);
}

static void get_decision(const struct list_context *context,
			 const json_t *item, struct field *out)
{
	const json_t *last = json_object_get(item, "last");

	(void)context;
	out->text = *item_text(last, "sentence") ? item_text(last, "sentence") :
		    "not run yet";
	if (strcmp(item_text(last, "outcome"), "failed") == 0)
		out->role = ROLE_FAILED;
}

static void get_every(const struct list_context *context, const json_t *item,
		      struct field *out)
{
	(void)context;
	out->has_number = true;
	out->number = item_int(item, "every_ms", 0);
	out->text = format_took(out->buf, sizeof(out->buf), out->number);
}

static const struct column columns[] = {
	{ "RULE", 12, 20, 0, .member = "name" },
	{ "STATE", 9, 0, 0, .member = "state", .as = AS_STATE, .kind = "rule" },
	{ "OF", 14, 20, 1, .member = "object" },
	{ "EVERY", 7, 0, 3, true, .get = get_every },
	{ "ERR", 3, 0, 2, true, .member = "failures", .as = AS_NUMBER },
	{ "LAST", 8, 0, 1, .get = get_last },
	{ "LAST DECISION", 20, 120, 0, .get = get_decision },
};

static const struct columns table = COLUMNS(columns, 0);

static void rules_open(struct view *v)
{
	v->own = calloc(1, sizeof(struct rules));
	CHECK("", v->own, "out of memory");
	view_open_list(v, 0, &table, TOPIC_RULES);
}

static void rules_close(struct view *v)
{
	free(v->own);
}

/* Another rule under the cursor: its decisions. */
static void follow_cursor(struct view *v)
{
	struct rules *own = v->own;
	const char *name = item_text(list_view_selected(&v->lists[0]), "name");

	if (strcmp(own->name, name) == 0)
		return;
	TEXT_SET(own->name, name);
	own->older = 0;
	json_decref(v->asked[ASK_WHY].items);
	v->asked[ASK_WHY].items = NULL;
	view_ask_again(v, ASK_WHY);
}

static void rules_fill(struct view *v)
{
	view_fill(v, 0, NULL);
	follow_cursor(v);
}

static json_t *rules_ask(struct view *v, int slot)
{
	const struct rules *own = v->own;

	if (slot == ASK_SITE)
		return action_refusal(v->app) ? NULL :
		       json_pack("{s:s}", "verb", "site.show");
	return *own->name ? json_pack("{s:s,s:s}", "verb", "rule.why", "name",
				      own->name) : NULL;
}

/* The decision that the panes are about. */
static const json_t *decision(const struct view *v)
{
	const struct rules *own = v->own;
	const json_t *items = v->asked[ASK_WHY].items;
	const json_t *one = json_array_get(items, (size_t)own->older);

	return one ? one : json_object_get(list_view_selected(&v->lists[0]),
					   "last");
}

/* ---- why ------------------------------------------------------------- */

static int draw_inputs(struct grid *g, struct rect r, const json_t *inputs)
{
	const char *key;
	json_t *value;
	int row = 0;

	json_object_foreach((json_t *)inputs, key, value) {
		char *text;

		if (row >= r.rows)
			break;
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		grid_text(g, r.row + row, r.col + 1, 26, ROLE_OFF, key);
		grid_text(g, r.row + row, r.col + 28, r.cols - 29, ROLE_NORMAL,
			  text ? text : "");
		free(text);
		row++;
	}
	return row;
}

static void draw_why(struct view *v, struct grid *g, struct rect r)
{
	const json_t *d = decision(v);
	struct state_look look;
	char when[32], text[300];
	int used;

	if (!d || !json_is_object(d)) {
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			  "It has not decided anything yet; t tries it.");
		return;
	}
	look = state_look("decision", item_text(d, "outcome"));
	format_date(when, sizeof(when), item_time_ms(d, "time"));
	grid_printf(g, r.row, r.col + 1, r.cols - 2, look.role, "%s  %s", when,
		    look.word);
	used = 1 + view_wrap(g, (struct rect){ r.row + 1, r.col + 1, 3,
					       r.cols - 2 }, ROLE_STRONG,
			     item_text(d, "sentence"));
	if (used + 2 >= r.rows)
		return;
	grid_text(g, r.row + used + 1, r.col + 1, r.cols - 2, ROLE_HEADER,
		  "went in");
	used += 2;
	used += draw_inputs(g, (struct rect){ r.row + used, r.col,
					      r.rows - used - 2, r.cols },
			    json_object_get(d, "inputs"));
	snprintf(text, sizeof(text), "wish %.80s%s%.160s", item_text(d, "wish"),
		 *item_text(d, "text") ? ": " : "", item_text(d, "text"));
	if (used < r.rows)
		view_wrap(g, (struct rect){ r.row + used, r.col + 1,
					    r.rows - used, r.cols - 2 },
			  ROLE_NORMAL, text);
}

/* ---- source ---------------------------------------------------------- */

/* The text of a file of the site in force; NULL when it is not known. */
static const char *piece(const struct view *v, const char *file, size_t length)
{
	const json_t *pieces = json_object_get(v->asked[ASK_SITE].item,
					       "pieces"), *one;
	size_t i;

	json_array_foreach(pieces, i, one) {
		const char *name = item_text(one, "file");

		if (strlen(name) == length && strncmp(name, file, length) == 0)
			return item_text(one, "text");
	}
	return NULL;
}

static void draw_source(struct view *v, struct grid *g, struct rect r,
			const char *origin)
{
	const char *colon = strrchr(origin, ':');
	int line = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
	const char *text = colon ? piece(v, origin, (size_t)(colon - origin)) :
			   NULL;
	int at = 1, row = 0;
	char shown[512];

	if (!text) {
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			  action_refusal(v->app) ? "Only who may change things "
			  "sees the site's text." : "Asking the engine ...");
		return;
	}
	for (; row < r.rows && model_line(&text, shown, sizeof(shown)); at++) {
		if (at < line)
			continue;
		grid_printf(g, r.row + row, r.col + 1, 5, ROLE_OFF, "%4d", at);
		grid_text(g, r.row + row++, r.col + 6, r.cols - 7,
			  at == line ? ROLE_STRONG : ROLE_NORMAL, shown);
	}
}

static void rules_draw(struct view *v, struct grid *g, struct rect r)
{
	const struct rules *own = v->own;
	const json_t *item = list_view_selected(&v->lists[0]);
	int list = (int)v->lists[0].count + (view_wide(g) ? 3 : 2);
	int left = view_wide(g) ? r.cols / 2 : r.cols;
	char title[160];

	follow_cursor(v);
	list = list > r.rows / 2 ? r.rows / 2 : list < 5 ? 5 : list;
	snprintf(title, sizeof(title), "Rules %zu", v->lists[0].count);
	view_pane_list(v, 0, g, (struct rect){ r.row, r.col, list, r.cols },
		       title, "No rules: the site file gives clusters and pools "
		       "some, scale = { ... }");
	r.row += list;
	r.rows -= list;
	if (!item)
		return;
	snprintf(title, sizeof(title), own->older ? "Why: %d before the last of "
		 "%s" : "Why: the last decision%.0d of %s", own->older,
		 item_text(item, "name"));
	draw_why(v, g, view_pane(g, (struct rect){ r.row, r.col, r.rows, left },
				 title, "[ older  ] newer"));
	if (left < r.cols)
		draw_source(v, g, view_pane(g, (struct rect){ r.row,
			    r.col + left, r.rows, r.cols - left },
			    item_text(item, "origin"), NULL),
			    item_text(item, "origin"));
}

/* ---- keys ------------------------------------------------------------ */

static void on_replay(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;

	if (answer && item_bool(answer, "ok") &&
	    json_is_object(json_object_get(answer, "item")))
		action_show_item(app, shell, answer);
	else
		action_answer(app, shell, answer);
}

static void ask(struct view *v, json_t *request, const char *shell)
{
	struct app *app = v->app;
	struct error err = { "" };

	if (link_request(&app->link, request, shell, on_replay, app,
			 app->mono_ms, &err))
		app_message(app, true, "%s", err.text);
}

static bool rules_intent(struct view *v, enum intent intent)
{
	struct rules *own = v->own;
	const char *name = item_text(list_view_selected(&v->lists[0]), "name");
	int64_t id = item_int(decision(v), "id", 0);
	size_t known = json_array_size(v->asked[ASK_WHY].items);
	char shell[128];

	if (intent == INTENT_OLDER || intent == INTENT_NEWER) {
		own->older += intent == INTENT_OLDER ? 1 : -1;
		if (own->older >= (int)known)
			own->older = known ? (int)known - 1 : 0;
		own->older = own->older < 0 ? 0 : own->older;
		return true;
	}
	if (intent == INTENT_TREE && *name) {
		snprintf(shell, sizeof(shell), "remuda rule run %s --dry-run",
			 name);
		ask(v, json_pack("{s:s,s:s,s:b}", "verb", "rule.run", "name",
				 name, "dry_run", 1), shell);
		return true;
	}
	if (intent == INTENT_REPLAY) {
		snprintf(shell, sizeof(shell), "remuda rule replay %" PRId64, id);
		if (id)
			ask(v, json_pack("{s:s,s:I}", "verb", "rule.replay",
					 "decision", (json_int_t)id), shell);
		else
			app_message(v->app, false, "This decision was not "
				    "stored: it changed nothing.");
		return true;
	}
	return false;
}

static const char *rules_label(const struct view *v, enum intent intent)
{
	(void)v;
	return intent == INTENT_TREE ? "Dry run" : NULL;
}

static const enum intent rules_keys[] = {
	INTENT_TREE, INTENT_REPLAY, INTENT_SWITCH, INTENT_EDIT, INTENT_OLDER,
	INTENT_NEWER, INTENT_BACK, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_rules = {
	.name = "rules",
	.aliases = "ru rule",
	.title = "Rules",
	.about = "Functions of the site that wish for sizes. The panes show why: "
		 "what went into the decision, what came of it, and the lines of "
		 "the site file. t runs one and changes nothing, T runs today's "
		 "rule on the inputs of then, o switches one off or on.",
	.lists = 1,
	.keys = rules_keys,
	.open = rules_open,
	.close = rules_close,
	.fill = rules_fill,
	.draw = rules_draw,
	.intent = rules_intent,
	.label = rules_label,
	.asks = ASKS,
	.ask = rules_ask,
};
