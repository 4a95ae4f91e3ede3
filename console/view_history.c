/*
 * History: what was, as bars per hour, day or week, and below them each pool in
 * the bar under the cursor with what went wrong then.  The counts come from
 * history.hours; bars of days and weeks add hours up.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/app_internal.h"
#include "console/chart.h"
#include "console/format.h"
#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

enum { HOUR_MS = 3600 * 1000 };
enum { ZOOM_HOURS, ZOOM_DAYS, ZOOM_WEEKS, ZOOMS };
/* Slots: the bars, the events of one bar, then one for each pool. */
enum { ASK_BARS, ASK_EVENTS, ASK_POOLS, POOLS_MAX = VIEW_ASKS_MAX - ASK_POOLS };

static const struct {
	const char *name, *title;
	int bars, days;		/* days a bar, 0 = an hour */
} zooms[ZOOMS] = {
	{ "hour", "hour", 24, 0 }, { "day", "day", 28, 1 },
	{ "week", "week", 12, 7 },
};

enum measure { SESSIONS, WAIT, TROUBLE, IN_USE, MACHINES, BYTES, MEASURES };

static const char *const measures[MEASURES] = {
	"Sessions", "95% wait", "Failed", "In use", "Machine-hours", "Bytes",
};

struct history {
	int measure, zoom;
	int64_t end_ms;		/* of the last bar */
	int cursor;		/* bar */
	char pool[64];		/* bars of this one only, "" = all */
};

/* ---- time ------------------------------------------------------------ */

static int64_t local(int64_t ms, int days, bool week)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	if (week)	/* they begin on Monday */
		tm.tm_mday -= (tm.tm_wday + 6) % 7;
	tm.tm_mday += days;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000;
}

/* The end of the bar that holds the moment. */
static int64_t bar_end(int zoom, int64_t ms)
{
	if (zoom == ZOOM_HOURS)
		return ms - ms % HOUR_MS + HOUR_MS;
	return local(ms, zooms[zoom].days, zoom == ZOOM_WEEKS);
}

static int64_t bar_start(const struct history *h, int bar)
{
	int back = zooms[h->zoom].bars - bar;

	return h->zoom == ZOOM_HOURS ? h->end_ms - (int64_t)back * HOUR_MS :
	       local(h->end_ms, -back * zooms[h->zoom].days, false);
}

/* ---- numbers --------------------------------------------------------- */

static int64_t trouble_of(const json_t *hour)
{
	return item_int(hour, "lost", 0) + item_int(hour, "failed", 0) +
	       item_int(hour, "refused", 0);
}

/* An hour's part in a bar of length_ms. */
static int64_t value_of(enum measure m, const json_t *hour)
{
	switch (m) {
	case SESSIONS:
		return item_int(hour, "sessions", 0);
	case WAIT:
		return item_int(hour, "wait_p95_ms", 0);
	case TROUBLE:
		return trouble_of(hour);
	case IN_USE:
		return item_int(hour, "session_ms", 0);
	case MACHINES:
		return item_int(hour, "machine_ms", 0);
	case BYTES:
		return item_int(hour, "bytes_in", 0) +
		       item_int(hour, "bytes_out", 0);
	case MEASURES:
		break;
	}
	return 0;
}

/* The hours of [from, to) as one number: a sum, or the worst wait. */
static int64_t sum(enum measure m, const json_t *hours, int64_t from,
		   int64_t to)
{
	const json_t *hour;
	int64_t total = 0;
	size_t i;

	json_array_foreach(hours, i, hour) {
		int64_t at = item_time_ms(hour, "hour");
		int64_t value = value_of(m, hour);

		if (at < from || at >= to)
			continue;
		if (m == WAIT)
			total = value > total ? value : total;
		else
			total += value;
	}
	if (m == IN_USE)	/* the mean, in tenths */
		return to > from ? total * 10 / (to - from) : 0;
	return total;
}

static const char *in_words(enum measure m, char *out, size_t size,
			    int64_t value)
{
	switch (m) {
	case WAIT:
		return format_took(out, size, value);
	case MACHINES:
		snprintf(out, size, "%" PRId64 ".%" PRId64, value / HOUR_MS,
			 value % HOUR_MS * 10 / HOUR_MS);
		return out;
	case IN_USE:
		snprintf(out, size, "%" PRId64 ".%" PRId64, value / 10,
			 value % 10);
		return out;
	case BYTES:
		return format_bytes(out, size, value);
	case SESSIONS:
	case TROUBLE:
	case MEASURES:
		break;
	}
	snprintf(out, size, "%" PRId64, value);
	return out;
}

static const char *axis_wait(char *out, size_t size, int64_t value)
{
	return in_words(WAIT, out, size, value);
}

static const char *axis_use(char *out, size_t size, int64_t value)
{
	return in_words(IN_USE, out, size, value);
}

static const char *axis_machines(char *out, size_t size, int64_t value)
{
	return in_words(MACHINES, out, size, value);
}

static const char *axis_bytes(char *out, size_t size, int64_t value)
{
	return in_words(BYTES, out, size, value);
}

/* ---- the table ------------------------------------------------------- */

#define SHOWN(name, measure)                                                   \
	static void get_##name(const struct list_context *context,             \
			       const json_t *item, struct field *out)          \
	{                                                                      \
		(void)context;                                                 \
		out->has_number = true;                                        \
		out->number = item_int(item, #name, 0);                        \
		out->text = in_words(measure, out->buf, sizeof(out->buf),      \
				     out->number);                             \
	}

SHOWN(wait, WAIT)
SHOWN(in_use, IN_USE)
SHOWN(machines, MACHINES)
SHOWN(bytes, BYTES)

static void get_trouble(const struct list_context *context, const json_t *item,
			struct field *out)
{
	field_get(AS_NUMBER, "trouble", NULL, context, item, out);
	out->role = out->number > 0 ? ROLE_FAILED : ROLE_NORMAL;
}

static const struct column columns[] = {
	{ "POOL", 12, 20, 0, .member = "name" },
	{ "SESSIONS", 8, 0, 0, true, .member = "sessions", .as = AS_NUMBER },
	{ "95% WAIT", 8, 0, 0, true, .get = get_wait },
	{ "FAILED", 6, 0, 0, true, .get = get_trouble },
	{ "IN USE", 7, 0, 0, true, .get = get_in_use },
	{ "MACHINE-HOURS", 13, 0, 1, true, .get = get_machines },
	{ "BYTES", 6, 0, 2, true, .get = get_bytes },
};

static const struct columns table = COLUMNS(columns, 0);

static void history_open(struct view *v)
{
	struct history *h = calloc(1, sizeof(*h));

	CHECK("", h, "out of memory");
	v->own = h;
	h->end_ms = bar_end(h->zoom, v->app->wall_ms);
	h->cursor = zooms[h->zoom].bars - 1;
	view_open_list(v, 0, &table, TOPIC_POOLS);
}

static void history_close(struct view *v)
{
	free(v->own);
}

/* The pool of a slot; "" when there are not so many. */
static const char *pool_of(const struct view *v, int slot)
{
	const struct model_set *set = &v->app->model.sets[TOPIC_POOLS];
	size_t i = (size_t)(slot - ASK_POOLS);

	return i < set->count ? item_text(set->entries[i].item, "name") : "";
}

static json_t *history_ask(struct view *v, int slot)
{
	const struct history *h = v->own;
	int64_t from = bar_start(h, h->cursor);
	int64_t to = bar_start(h, h->cursor + 1);
	const char *pool = slot >= ASK_POOLS ? pool_of(v, slot) : h->pool;
	json_t *request;

	if (slot >= ASK_POOLS && !*pool)
		return NULL;
	if (slot == ASK_BARS) {
		from = bar_start(h, 0);
		to = h->end_ms;
	}
	request = json_pack("{s:s,s:I,s:I}", "verb", slot == ASK_EVENTS ?
			    "event.list" : "history.hours", "since_ms",
			    (json_int_t)from, "until_ms", (json_int_t)to);
	if (*pool)
		json_object_set_new(request, "pool", json_string(pool));
	return request;
}

static void history_fill(struct view *v)
{
	const struct history *h = v->own;
	struct list_context context = view_context(v);
	int64_t from = bar_start(h, h->cursor);
	int64_t to = bar_start(h, h->cursor + 1);

	list_view_begin(&v->lists[0]);
	for (int slot = ASK_POOLS; slot < VIEW_ASKS_MAX; slot++) {
		const char *pool = pool_of(v, slot);
		const json_t *hours = v->asked[slot].items;
		json_t *item;

		if (!*pool || !hours)
			continue;
		item = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "name", pool,
			"sessions", (json_int_t)sum(SESSIONS, hours, from, to),
			"wait", (json_int_t)sum(WAIT, hours, from, to),
			"trouble", (json_int_t)sum(TROUBLE, hours, from, to),
			"in_use", (json_int_t)sum(IN_USE, hours, from, to),
			"machines", (json_int_t)sum(MACHINES, hours, from, to),
			"bytes", (json_int_t)sum(BYTES, hours, from, to));
		list_view_add(&v->lists[0], model_name_key(pool), item);
		json_decref(item);
	}
	list_view_end(&v->lists[0], &context);
}

/* ---- drawing --------------------------------------------------------- */

static const char *format_bar(const struct history *h, int bar, char *out,
			      size_t size)
{
	static const char *const forms[ZOOMS] = { "%H", "%d", "%d %b" };
	time_t t = (time_t)(bar_start(h, bar) / 1000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, size, forms[h->zoom], &tm))
		out[0] = '\0';
	return out;
}

static void label(const void *arg, int bar, char *out, size_t size)
{
	format_bar(arg, bar, out, size);
}

static void draw_chart(struct view *v, struct grid *g, struct rect r)
{
	static const char *(*const axes[MEASURES])(char *, size_t, int64_t) = {
		[WAIT] = axis_wait, [IN_USE] = axis_use,
		[MACHINES] = axis_machines, [BYTES] = axis_bytes,
	};
	const struct history *h = v->own;
	struct chart c = { .count = zooms[h->zoom].bars, .label = label,
			   .arg = h, .axis = axes[h->measure] };
	const json_t *hours = v->asked[ASK_BARS].items;
	char text[160], when[32], value[32];
	int step;

	chart_fit(&c, r.cols - 2);
	for (int i = 0; i < c.count; i++)
		c.values[i] = sum((enum measure)h->measure, hours,
				  bar_start(h, i), bar_start(h, i + 1));
	if (!hours) {
		grid_text(g, r.row + 1, r.col + 2, r.cols - 3, ROLE_OFF,
			  view_ask_trouble(v, ASK_BARS));
		return;
	}
	r.rows -= 1;
	chart_draw(&c, g, (struct rect){ r.row, r.col + 1, r.rows, r.cols - 2 });
	step = c.bar_cells + c.gap;
	format_date(when, sizeof(when), bar_start(h, h->cursor));
	in_words((enum measure)h->measure, value, sizeof(value),
		 c.values[h->cursor]);
	snprintf(text, sizeof(text), "%s %.16s  %s %s", glyph(g->ascii,
		 GLYPH_UP), when, value, measures[h->measure]);
	int col = r.col + 1 + CHART_AXIS_CELLS + h->cursor * step;
	int width = text_cells(g->ascii, text);

	if (col + width < r.col + r.cols) {
		grid_text(g, r.row + r.rows, col, width, ROLE_STRONG, text);
	} else {	/* the sign stays under its bar */
		snprintf(text, sizeof(text), "%.16s  %s %s %s", when, value,
			 measures[h->measure], glyph(g->ascii, GLYPH_UP));
		grid_text(g, r.row + r.rows, col - width + 1, width,
			  ROLE_STRONG, text);
	}
}

/* The first lines of what went wrong then. */
static void draw_events(struct view *v, struct grid *g, struct rect r)
{
	const json_t *events = v->asked[ASK_EVENTS].items, *e;
	int used = 0, more = 0;
	char when[16];
	size_t i;

	json_array_foreach(events, i, e) {
		const char *severity = item_text(e, "severity");

		if (strcmp(severity, "info") == 0)
			continue;
		if (used >= r.rows) {
			more++;
			continue;
		}
		format_clock(when, sizeof(when), item_time_ms(e, "time"));
		grid_printf(g, r.row + used++, r.col + 1, r.cols - 2,
			    strcmp(severity, "fail") == 0 ? ROLE_FAILED :
			    ROLE_WARN, "%s %-20s %s", when,
			    item_text(e, "object"), item_text(e, "text"));
	}
	if (used == 0)
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF, events ?
			  "Nothing went wrong." : "Asking the engine ...");
	if (more)
		grid_printf(g, r.row + r.rows - 1, r.col + 1, r.cols - 2,
			    ROLE_OFF, "and %d more: Enter shows all", more + 1);
}

static void history_draw(struct view *v, struct grid *g, struct rect r)
{
	const struct history *h = v->own;
	int pools = (int)v->lists[0].count + (view_wide(g) ? 3 : 2);
	int events = r.rows > 20 ? (view_wide(g) ? 5 : 3) : 0;
	char title[128];
	int col = r.col + 1;

	for (int i = 0; i < MEASURES; i++)
		col += 2 + grid_printf(g, r.row, col, r.cols - col,
				       i == h->measure ? ROLE_STRONG :
				       ROLE_NORMAL, i == h->measure ? "[%s]" :
				       "%s", measures[i]);
	r.row++;
	r.rows--;
	pools = pools > r.rows / 3 ? r.rows / 3 : pools < 5 ? 5 : pools;
	snprintf(title, sizeof(title), "%s per %s - %s", measures[h->measure],
		 zooms[h->zoom].title, *h->pool ? h->pool : "all pools");
	draw_chart(v, g, view_pane(g, (struct rect){ r.row, r.col, r.rows -
				   pools - events, r.cols }, title,
				   view_wide(g) ? "< > bar  PgUp PgDn further  "
				   "+ - zoom  Space this pool" : NULL));
	r.row += r.rows - pools - events;
	format_date(title, sizeof(title), bar_start(h, h->cursor));
	view_pane_list(v, 0, g, (struct rect){ r.row, r.col, pools, r.cols },
		       title, "No pools.");
	if (events)
		draw_events(v, g, view_pane(g, (struct rect){ r.row + pools,
			    r.col, events, r.cols }, "What went wrong", NULL));
}

/* ---- keys ------------------------------------------------------------ */

static void ask_bar(struct view *v)
{
	for (int slot = ASK_EVENTS; slot < VIEW_ASKS_MAX; slot++)
		view_ask_again(v, slot);
	history_fill(v);
}

static void ask_window(struct view *v)
{
	view_ask_again(v, ASK_BARS);
	ask_bar(v);
}

/* The window's end moves so that it holds the moment; the cursor stands on it. */
static void history_go(struct view *v, int64_t wall_ms)
{
	struct history *h = v->own;
	int64_t now = bar_end(h->zoom, v->app->wall_ms);

	h->end_ms = bar_end(h->zoom, wall_ms);
	h->end_ms = h->end_ms > now ? now : h->end_ms;
	h->cursor = zooms[h->zoom].bars - 1;
	ask_window(v);
}

static void zoom(struct view *v, int step)
{
	struct history *h = v->own;
	int64_t at = bar_start(h, h->cursor);
	int to = h->zoom + step;

	if (to < 0 || to >= ZOOMS)
		return;
	h->zoom = to;
	history_go(v, at);
}

static void turn(struct view *v, int step)
{
	struct history *h = v->own;
	int to = h->cursor + step;

	if (to >= 0 && to < zooms[h->zoom].bars) {
		h->cursor = to;
		ask_bar(v);
	} else if (step < 0) {
		history_go(v, bar_start(h, 0) - 1);
	} else if (h->end_ms < v->app->wall_ms) {
		history_go(v, h->end_ms + 1);
	}
}

static void page(struct view *v, int step)
{
	struct history *h = v->own;
	int64_t span = h->end_ms - bar_start(h, 0);
	int cursor = h->cursor;

	history_go(v, h->end_ms - 1 + step * span);
	h->cursor = cursor;
	ask_bar(v);
}

static void open_events(struct view *v)
{
	struct app *app = v->app;
	int64_t until = bar_start(v->own, ((struct history *)v->own)->cursor + 1);

	app_show(app, &view_events, "");
	view_events.go_time(app_view(app), until);
}

static bool history_intent(struct view *v, enum intent intent)
{
	struct history *h = v->own;
	const json_t *item = list_view_selected(&v->lists[0]);

	if (intent == INTENT_LEFT || intent == INTENT_RIGHT) {
		turn(v, intent == INTENT_RIGHT ? 1 : -1);
	} else if (intent == INTENT_PAGE_UP || intent == INTENT_PAGE_DOWN) {
		page(v, intent == INTENT_PAGE_DOWN ? 1 : -1);
	} else if (intent == INTENT_MARK_MATCHING) {
		zoom(v, -1);
	} else if (intent == INTENT_LAST_VIEW) {
		zoom(v, 1);
	} else if (intent == INTENT_LAST) {
		history_go(v, v->app->wall_ms);
	} else if (intent == INTENT_NEXT_TAB || intent == INTENT_PREVIOUS_TAB) {
		h->measure = (h->measure + (intent == INTENT_NEXT_TAB ? 1 :
			      MEASURES - 1)) % MEASURES;
	} else if (intent == INTENT_MARK && item) {
		bool same = strcmp(h->pool, item_text(item, "name")) == 0;

		TEXT_SET(h->pool, same ? "" : item_text(item, "name"));
		view_ask_again(v, ASK_BARS);
	} else if (intent == INTENT_OPEN) {
		open_events(v);
	} else {
		return false;
	}
	return true;
}

static const enum intent history_keys[] = {
	INTENT_LEFT, INTENT_RIGHT, INTENT_OPEN, INTENT_BACK, INTENT_NEXT_TAB,
	INTENT_GO_TIME, INTENT_COMMAND, INTENT_WRITE, INTENT_NONE,
};

const struct view_ops view_history = {
	.name = "history",
	.aliases = "hi",
	.title = "History",
	.about = "What was, per hour, day or week. < and > go from bar to bar, PgUp "
		 "and PgDn further, + and - zoom, Tab takes another measure, "
		 "Space draws only the pool under the cursor, b goes to a time, "
		 "G to now. Enter shows the events before the end of the bar.",
	.lists = 1,
	.keys = history_keys,
	.open = history_open,
	.close = history_close,
	.fill = history_fill,
	.draw = history_draw,
	.intent = history_intent,
	.go_time = history_go,
	.asks = VIEW_ASKS_MAX,
	.ask = history_ask,
	.ask_ms = 30000,
};
