/*
 * Usage: the ledger of a month, by user, application, pool, cluster, host or
 * machine.  The engine adds it up to the millisecond; here it is read.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/app_internal.h"
#include "engine/base/check.h"

enum { HOUR_MS = 3600 * 1000 };

static const char *const by[] = { "user", "application", "pool", "cluster",
				  "host", "machine" };
enum { BY_COUNT = sizeof(by) / sizeof(by[0]) };

struct usage {
	int by;
	int month;		/* back from this one */
};

/* Milliseconds as hours with a tenth; mib_ms as GiB-hours. */
static void hours(struct field *out, const json_t *item, const char *member,
		  int64_t unit)
{
	int64_t tenths;

	out->has_number = true;
	out->number = item_int(item, member, 0);
	tenths = out->number / unit * 10 / HOUR_MS +
		 out->number % unit * 10 / unit / HOUR_MS;
	if (unit == 1)
		tenths = out->number * 10 / HOUR_MS;
	snprintf(out->buf, sizeof(out->buf), "%" PRId64 ".%" PRId64, tenths / 10,
		 tenths % 10);
	out->text = out->buf;
}

#define HOURS(name, member, unit)                                              \
	static void get_##name(const struct list_context *context,             \
			       const json_t *item, struct field *out)          \
	{                                                                      \
		(void)context;                                                 \
		hours(out, item, member, unit);                                \
	}

HOURS(machine, "machine_ms", 1)
HOURS(vcpu, "vcpu_ms", 1)
HOURS(gib, "mib_ms", 1024)
HOURS(session, "session_ms", 1)
HOURS(estimated, "estimated_ms", 1)

static const struct column columns[] = {
	{ "NAME", 16, 28, 0, .member = "name" },
	{ "MACHINE-HOURS", 13, 0, 0, true, .newest_first = true,
	  .get = get_machine },
	{ "VCPU-HOURS", 10, 0, 0, true, .newest_first = true, .get = get_vcpu },
	{ "GIB-HOURS", 10, 0, 1, true, .newest_first = true, .get = get_gib },
	{ "SESSION-HOURS", 13, 0, 1, true, .newest_first = true,
	  .get = get_session },
	{ "ESTIMATED", 9, 0, 2, true, .newest_first = true,
	  .get = get_estimated },
};

static const struct columns table = COLUMNS(columns, 1);

static void usage_open(struct view *v)
{
	v->own = calloc(1, sizeof(struct usage));
	CHECK("", v->own, "out of memory");
	view_open_list(v, 0, &table, TOPIC_NONE);
}

static void usage_close(struct view *v)
{
	free(v->own);
}

/* Where the month begins, by the local clock. */
static int64_t month_start(const struct view *v, int back)
{
	time_t t = (time_t)(v->app->wall_ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	tm = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon - back,
			  .tm_mday = 1, .tm_isdst = -1 };
	return (int64_t)mktime(&tm) * 1000;
}

static json_t *usage_ask(struct view *v, int slot)
{
	const struct usage *u = v->own;

	(void)slot;
	return json_pack("{s:s,s:s,s:I,s:I}", "verb", "usage", "by", by[u->by],
			 "from_ms", (json_int_t)month_start(v, u->month),
			 "until_ms", (json_int_t)month_start(v, u->month - 1));
}

static void usage_fill(struct view *v)
{
	view_fill_asked(v, 0, 0, NULL);
}

static void usage_draw(struct view *v, struct grid *g, struct rect r)
{
	const struct usage *u = v->own;
	time_t t = (time_t)(month_start(v, u->month) / 1000);
	char month[32] = "", title[96];
	int col = r.col + 1;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(month, sizeof(month), "%Y-%m", &tm);
	for (int i = 0; i < BY_COUNT; i++)
		col += 2 + grid_printf(g, r.row, col, r.cols - col, i == u->by ?
				       ROLE_STRONG : ROLE_NORMAL, i == u->by ?
				       "[%s]" : "%s", by[i]);
	r.row++;
	r.rows -= 3;
	snprintf(title, sizeof(title), "Usage by %s in %s", by[u->by], month);
	view_pane_list(v, 0, g, r, title, "Nothing was used in this month.");
	grid_printf(g, r.row + r.rows, r.col + 1, r.cols - 2, ROLE_OFF,
		    "In a shell: remuda usage --by %s --month %s --csv", by[u->by],
		    month);
	grid_text(g, r.row + r.rows + 1, r.col + 1, r.cols - 2, ROLE_OFF,
		  "ESTIMATED: in the sums, of times when no engine looked.");
}

static bool usage_intent(struct view *v, enum intent intent)
{
	struct usage *u = v->own;

	if (intent == INTENT_LEFT || intent == INTENT_PAGE_UP)
		u->month++;
	else if (intent == INTENT_RIGHT || intent == INTENT_PAGE_DOWN)
		u->month -= u->month > 0;
	else if (intent == INTENT_NEXT_TAB)
		u->by = (u->by + 1) % BY_COUNT;
	else if (intent == INTENT_PREVIOUS_TAB)
		u->by = (u->by + BY_COUNT - 1) % BY_COUNT;
	else
		return false;
	json_decref(v->asked[0].items);
	v->asked[0].items = NULL;
	view_ask_again(v, 0);
	usage_fill(v);
	return true;
}

static const char *usage_label(const struct view *v, enum intent intent)
{
	(void)v;
	return intent == INTENT_LEFT ? "Month before" :
	       intent == INTENT_RIGHT ? "Month after" : NULL;
}

static const enum intent usage_keys[] = {
	INTENT_LEFT, INTENT_RIGHT, INTENT_NEXT_TAB, INTENT_SORT, INTENT_WRITE,
	INTENT_BACK, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_usage = {
	.name = "usage",
	.aliases = "ledger",
	.title = "Usage",
	.about = "Who used how much in a month, the most first. < and > go from "
		 "month to month, Tab adds up by another kind, s sorts, w writes "
		 "a file. (idle) is what nobody used, (cluster) what clusters "
		 "did.",
	.lists = 1,
	.keys = usage_keys,
	.open = usage_open,
	.close = usage_close,
	.fill = usage_fill,
	.draw = usage_draw,
	.intent = usage_intent,
	.label = usage_label,
	.asks = 1,
	.ask = usage_ask,
	.ask_ms = 60000,
};
