/* Audit: who told the engine to change what, and what came of it. */
#include "console/view.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"

static void get_outcome(const struct list_context *context, const json_t *item,
			struct field *out)
{
	bool ok = strcmp(item_text(item, "outcome"), "ok") == 0;

	(void)context;
	out->text = item_text(item, "outcome");
	out->role = ok ? ROLE_NORMAL : ROLE_FAILED;
}

static const struct column columns[] = {
	{ "TIME", 19, 0, 0, .newest_first = true, .member = "time",
	  .as = AS_STAMP },
	{ "WHO", 8, 14, 0, .member = "who" },
	{ "COMMAND", 16, 20, 0, .member = "command" },
	{ "OUTCOME", 8, 0, 0, .get = get_outcome },
	{ "ARGUMENTS", 20, 60, 1, .member = "arguments" },
	{ "TEXT", 16, 60, 2, .member = "text" },
	{ "PROGRAM", 8, 14, 3, .member = "program" },
	{ "PID", 7, 0, 4, true, .member = "pid", .as = AS_NUMBER },
};

static const struct columns table = COLUMNS(columns, 0);

static void audit_open(struct view *v)
{
	view_open_list(v, 0, &table, TOPIC_AUDIT);
}

static json_t *audit_ask(struct view *v, int slot)
{
	(void)v;
	(void)slot;
	return json_pack("{s:s,s:i}", "verb", "audit.list", "limit", 250);
}

static void audit_fill(struct view *v)
{
	view_fill_asked(v, 0, 0, NULL);
}

static void audit_draw(struct view *v, struct grid *g, struct rect r)
{
	view_pane_list(v, 0, g, r, "Commands that change something",
		       "Nobody changed anything yet.");
}

static const enum intent audit_keys[] = {
	INTENT_BACK, INTENT_DESCRIBE, INTENT_FILTER, INTENT_COMMAND, INTENT_SORT,
	INTENT_WRITE, INTENT_NONE,
};

const struct view_ops view_audit = {
	.name = "audit",
	.aliases = "",
	.title = "Audit",
	.about = "Who told the engine to change what, when, and what came of it, "
		 "the newest first. Only for who may change things.",
	.lists = 1,
	.keys = audit_keys,
	.open = audit_open,
	.fill = audit_fill,
	.draw = audit_draw,
	.asks = 1,
	.ask = audit_ask,
};
