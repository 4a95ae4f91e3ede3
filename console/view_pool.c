/*
 * Pool detail: what the pool is and has and why it has that size, and tabs with
 * its machines, its sessions, what rules and operators said of its size, and what
 * happened.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cluster.h"
#include "console/format.h"
#include "console/theme.h"

enum { MACHINES, SESSIONS, EVENTS, WHY, LISTS };
enum { ASK_WHY = WHY, ASKS };	/* slots are those of the lists */

static void pool_open(struct view *v)
{
	static const struct columns *const columns[LISTS] = {
		&columns_machines, &columns_sessions, &columns_events,
		&columns_decisions,
	};

	for (int i = 0; i < LISTS; i++)
		list_view_init(&v->lists[i], columns[i]->columns,
			       columns[i]->count, columns[i]->sort);
	v->topics[MACHINES] = TOPIC_MACHINES;
	v->topics[SESSIONS] = TOPIC_SESSIONS;
	v->topics[EVENTS] = TOPIC_EVENTS;
	v->topics[WHY] = TOPIC_DECISION;
	v->lists[EVENTS].follow = true;
	v->tabs = LISTS;
}

static bool in_pool(const struct view *v, const json_t *item)
{
	return strcmp(item_text(item, "pool"), v->target) == 0;
}

/* Requests have no pool yet: those of its application may get one here. */
static bool for_pool(const struct view *v, const json_t *item)
{
	const char *application = item_text(v->item, "application");

	if (strncmp(item_text(item, "ref"), "request/", 8) == 0)
		return *application &&
		       strcmp(item_text(item, "application"), application) == 0;
	return in_pool(v, item);
}

/* About the pool, or about or with a machine that has a name of the pool. */
static bool about_pool(const struct view *v, const json_t *item)
{
	const char *object = item_text(item, "object");
	size_t length = strlen(v->target);

	if (strncmp(object, "pool/", 5) == 0)
		return strcmp(object + 5, v->target) == 0;
	if (strncmp(object, "machine/", 8) != 0)
		return view_event_names(item, v->target, true);
	return strncmp(object + 8, v->target, length) == 0 &&
	       object[8 + length] == '-' &&
	       strspn(object + 9 + length, "0123456789") ==
	       strlen(object + 9 + length);
}

static void pool_fill(struct view *v)
{
	view_fill(v, MACHINES, in_pool);
	view_fill_sessions(v, SESSIONS, for_pool);
	view_fill(v, EVENTS, about_pool);
	view_fill_asked(v, WHY, ASK_WHY, NULL);
}

static json_t *pool_ask(struct view *v, int slot)
{
	char object[VIEW_TARGET_SIZE + 8];

	if (slot != ASK_WHY)
		return NULL;
	snprintf(object, sizeof(object), "pool/%s", v->target);
	return json_pack("{s:s,s:s}", "verb", "decision.list", "object", object);
}

static int number(struct grid *g, int row, int col, int limit,
		  const char *label, const json_t *item, const char *member)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, item_int(item, member, 0));
	return view_field(g, row, col, limit, label, text);
}

/* What asks for its size: serve, or more than that. */
static void size_words(const json_t *p, char *out, size_t size)
{
	int64_t serve = item_int(p, "serve", 0), max = item_int(p, "max", 0);
	int64_t use = item_int(p, "in_use", 0), spare = item_int(p, "spare", 0);
	int64_t wait = item_int(p, "waiting", 0), need = use + spare + wait;

	if (need <= serve)
		snprintf(out, size, "%" PRId64 " wanted: serve says so, %" PRId64
			 " in use and %" PRId64 " spare need no more", serve,
			 use, spare);
	else
		snprintf(out, size, "%" PRId64 " wanted: %" PRId64 " in use + %"
			 PRId64 " spare + %" PRId64 " waiting are more than "
			 "serve %" PRId64 "%s", need < max ? need : max, use,
			 spare, wait, serve, need > max ? "; max is reached" :
			 "");
}

/* Four lines about the pool; row counts down what does not fit. */
static void draw_facts(struct view *v, struct grid *g, struct rect r)
{
	const json_t *p = v->item;
	int end = r.col + r.cols, bar = r.cols / 2, col = r.col + 1;
	char text[64], tier[64] = "", why[160];

	col += view_field(g, r.row, col, end - col, "application",
			  item_text(p, "application"));
	col += view_field(g, r.row, col, end - col, "host",
			  item_text(p, "host"));
	snprintf(text, sizeof(text), "%" PRId64 " vCPU %" PRId64 " MiB",
		 item_int(p, "vcpus", 0), item_int(p, "memory_mib", 0));
	col += view_field(g, r.row, col, end - col, "machine", text);
	view_field(g, r.row, col, end - col, "endpoint",
		   item_text(p, "endpoint"));

	view_pool_bar(g, r.row + 1, r.col + 1, bar, p);
	if (item_int(p, "saved", 0) || item_int(p, "saved_wanted", 0))
		snprintf(tier, sizeof(tier), "  %" PRId64 " of %" PRId64 " saved",
			 item_int(p, "saved", 0), item_int(p, "saved_wanted", 0));
	grid_printf(g, r.row + 1, r.col + bar + 3, end - r.col - bar - 3,
		    ROLE_NORMAL, "%" PRId64 " in use  %" PRId64 " ready%s  %"
		    PRId64 " starting  %" PRId64 " bad", item_int(p, "in_use",
		    0), item_int(p, "ready", 0), tier,
		    item_int(p, "starting", 0), item_int(p, "bad", 0));

	col = r.col + 1;
	col += number(g, r.row + 2, col, end - col, "serve", p, "serve");
	col += number(g, r.row + 2, col, end - col, "spare", p, "spare");
	col += number(g, r.row + 2, col, end - col, "max", p, "max");
	col += number(g, r.row + 2, col, end - col, "waiting", p, "waiting");
	col += view_field(g, r.row + 2, col, end - col, "keep",
			  item_bool(p, "keep") ? "yes" : "no");
	col += view_field(g, r.row + 2, col, end - col, "recycle",
			  item_text(p, "recycle"));
	format_took(text, sizeof(text), item_int(p, "boot_ms", -1));
	col += view_field(g, r.row + 2, col, end - col, "boot", text);
	view_field(g, r.row + 2, col, end - col, "identity",
		   item_text(p, "identity"));
	if (r.rows < 4)
		return;
	size_words(p, why, sizeof(why));
	view_field(g, r.row + 3, r.col + 1, r.cols - 1, "why",
		   *item_text(p, "reason") ? item_text(p, "reason") : why);
}

static void pool_draw(struct view *v, struct grid *g, struct rect r)
{
	static const char *const names[LISTS] = { "Machines", "Sessions",
						  "Events", "Why" };
	static const char *const empty[LISTS] = {
		"No machines in this pool now.",
		"Nobody works in this pool now.",
		"Nothing happened to this pool yet.",
		"No rule has wished for a size of it.",
	};
	bool wide = view_wide(g);
	struct rect facts = { r.row, r.col, wide ? 6 : 4, r.cols };

	if (wide)
		facts = view_pane(g, facts, v->target, NULL);
	if (v->item)
		draw_facts(v, g, facts);
	else
		grid_printf(g, facts.row, facts.col + 1, facts.cols - 1,
			    ROLE_OFF, "There is no pool/%s now.", v->target);
	r.row += wide ? 6 : 4;
	r.rows -= wide ? 6 : 4;
	view_tabs(v, g, r.row, r.col + 1, r.cols - 1, names);
	view_pane_list(v, v->focus, g, (struct rect){ r.row + 1, r.col,
						      r.rows - 1, r.cols },
		       names[v->focus], empty[v->focus]);
}

static const enum intent pool_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_NEXT_TAB, INTENT_SCALE,
	INTENT_ACTIONS, INTENT_FILTER, INTENT_COMMAND, INTENT_SORT,
	INTENT_PAUSE, INTENT_NONE,
};

const struct view_ops view_pool = {
	.name = "pool",
	.aliases = "",
	.title = "Pools",
	.about = "One pool: its settings and numbers above, then its "
		 "machines, sessions, events and what rules said of its size "
		 "in tabs. why tells what asks for its size or stands in the "
		 "way, NOTE the same of a machine.",
	.target = TOPIC_POOLS,
	.detail = true,
	.lists = LISTS,
	.keys = pool_keys,
	.open = pool_open,
	.fill = pool_fill,
	.draw = pool_draw,
	.asks = ASKS,
	.ask = pool_ask,
};
