/* Listeners: the doors of the gateways, who comes in how, and who was refused. */
#include "console/view.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"

static void get_state(const struct list_context *context, const json_t *item,
		      struct field *out)
{
	const char *state = item_text(item, "state");

	(void)context;
	out->text = *state ? state : "-";
	out->glyph = true;
	out->role = strcmp(state, "open") == 0 || strcmp(state, "listening") == 0 ||
		    strcmp(state, "up") == 0 ? ROLE_FREE : ROLE_WARN;
}

/* A certificate that ends soon stands out. */
static void get_tls(const struct list_context *context, const json_t *item,
		    struct field *out)
{
	int64_t at_ms = item_time_ms(item, "tls_expires");
	int64_t days = (at_ms - context->now_ms) / 86400000;

	out->text = "-";
	if (!at_ms)
		return;
	out->has_number = true;
	out->number = at_ms;
	snprintf(out->buf, sizeof(out->buf), days < 0 ? "is over" :
		 "%lld days", (long long)days);
	out->text = out->buf;
	out->role = days < 0 ? ROLE_FAILED : days < 14 ? ROLE_WARN :
		    ROLE_NORMAL;
}

static const struct column columns[] = {
	{ "LISTENER", 12, 18, 0, .member = "name" },
	{ "STATE", 11, 0, 0, .get = get_state },
	{ "DOOR", 7, 0, 0, .member = "door" },
	{ "ADDRESS", 18, 34, 1, .member = "address" },
	{ "WHO", 10, 16, 3, .member = "user", .as = AS_LIST },
	{ "APPLICATIONS", 12, 26, 2, .member = "application", .as = AS_LIST },
	{ "TLS", 8, 0, 4, .get = get_tls },
	{ "OPENING", 7, 0, 6, true, .member = "unauthenticated",
	  .as = AS_NUMBER },
	{ "REFUSED", 7, 0, 5, true, .member = "refused", .as = AS_NUMBER },
	{ "AWAY", 5, 0, 7, true, .member = "turned_away", .as = AS_NUMBER },
};

static const struct columns table = COLUMNS(columns, 0);

static void listeners_open(struct view *v)
{
	view_open_list(v, 0, &table, TOPIC_LISTENER);
}

static json_t *listeners_ask(struct view *v, int slot)
{
	(void)v;
	(void)slot;
	return json_pack("{s:s}", "verb", "listener.list");
}

static void listeners_fill(struct view *v)
{
	view_fill_asked(v, 0, 0, NULL);
}

static void listeners_draw(struct view *v, struct grid *g, struct rect r)
{
	char title[64];

	snprintf(title, sizeof(title), "Listeners %zu", v->lists[0].count);
	view_pane_list(v, 0, g, r, title, "No doors yet: the site file says "
		       "where users come in.");
}

static const enum intent listeners_keys[] = {
	INTENT_BACK, INTENT_DESCRIBE, INTENT_EDIT, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_NONE,
};

const struct view_ops view_listeners = {
	.name = "listeners",
	.aliases = "listener doors",
	.title = "Listeners",
	.about = "The doors through which users come in, what each speaks, who it "
		 "lets in and for which applications. TLS says how long its "
		 "certificate is good; d describes one.",
	.lists = 1,
	.keys = listeners_keys,
	.open = listeners_open,
	.fill = listeners_fill,
	.draw = listeners_draw,
	.asks = 1,
	.ask = listeners_ask,
};
