/*
 * Alarms: what went wrong and nobody has seen to, one line a thing.  A says that
 * it is seen to; Enter goes to what it is about.
 */
#include "console/view.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"
#include "console/theme.h"

static void get_severity(const struct list_context *context,
			 const json_t *item, struct field *out)
{
	bool fail = strcmp(item_text(item, "severity"), "fail") == 0;

	(void)context;
	out->text = fail ? "failed" : "warn";
	out->role = fail ? ROLE_FAILED : ROLE_WARN;
	out->glyph = true;
	out->has_number = true;
	out->number = fail;
}

static const struct column columns[] = {
	{ "OBJECT", 18, 26, 0, .member = "object" },
	{ "STATE", 9, 0, 0, .get = get_severity },
	{ "SINCE", 5, 0, 0, true, .member = "first", .as = AS_SINCE },
	{ "LAST", 8, 0, 1, .newest_first = true, .member = "time",
	  .as = AS_CLOCK },
	{ "TIMES", 5, 0, 2, true, .member = "count", .as = AS_NUMBER },
	{ "KIND", 8, 10, 3, .member = "kind" },
	{ "TEXT", 20, 200, 0, .member = "text" },
};

static const struct columns table = COLUMNS(columns, 3);

static void alarms_open(struct view *v)
{
	view_open_list(v, 0, &table, TOPIC_ALARM);
}

static void alarms_fill(struct view *v)
{
	const json_t *items = v->app->alarms.items, *item;
	struct list_context context = view_context(v);
	size_t i;

	list_view_begin(&v->lists[0]);
	json_array_foreach(items, i, item)
		list_view_add(&v->lists[0], (uint64_t)item_int(item, "id", 1),
			      (json_t *)item);
	list_view_end(&v->lists[0], &context);
}

static void draw_one(struct grid *g, struct rect r, const json_t *alarm)
{
	int col = r.col + 1, end = r.col + r.cols;
	char text[64];

	format_date(text, sizeof(text), item_time_ms(alarm, "first"));
	col += view_field(g, r.row, col, end - col, "since", text);
	format_date(text, sizeof(text), item_time_ms(alarm, "time"));
	col += view_field(g, r.row, col, end - col, "last", text);
	snprintf(text, sizeof(text), "%lld", (long long)
		 item_int(alarm, "count", 1));
	view_field(g, r.row, col, end - col, "times", text);
	view_wrap(g, (struct rect){ r.row + 1, r.col + 1, r.rows - 1,
				    r.cols - 2 }, ROLE_NORMAL,
		  item_text(alarm, "text"));
}

static void alarms_draw(struct view *v, struct grid *g, struct rect r)
{
	const json_t *item = list_view_selected(&v->lists[0]);
	int below = r.rows > 14 ? (view_wide(g) ? 6 : 4) : 0;
	char title[96];

	snprintf(title, sizeof(title), "Alarms %zu", v->lists[0].count);
	r.rows -= below;
	view_pane_list(v, 0, g, r, title, v->app->alarms.unknown ?
		       "This engine does not tell alarms; 6 shows events." :
		       v->app->alarms.items ? "Nothing needs attention." :
		       "Asking the engine ...");
	if (!below || !item)
		return;
	draw_one(g, view_pane(g, (struct rect){ r.row + r.rows, r.col, below,
						r.cols },
			      item_text(item, "object"), NULL), item);
}

static bool alarms_intent(struct view *v, enum intent intent)
{
	const json_t *item = list_view_selected(&v->lists[0]);

	if (intent != INTENT_OPEN || !item)
		return false;
	app_open_ref(v->app, item_text(item, "object"));
	return true;
}

static const enum intent alarms_keys[] = {
	INTENT_OPEN, INTENT_ACK, INTENT_BACK, INTENT_MARK, INTENT_DESCRIBE,
	INTENT_FILTER, INTENT_COMMAND, INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_alarms = {
	.name = "alarms",
	.aliases = "alarm",
	.title = "Alarms",
	.about = "What went wrong and nobody has seen to yet, one line a thing. It "
		 "goes when somebody acknowledges it with A, or when the same "
		 "thing went well. Enter opens what it is about.",
	.lists = 1,
	.keys = alarms_keys,
	.open = alarms_open,
	.fill = alarms_fill,
	.draw = alarms_draw,
	.intent = alarms_intent,
};
