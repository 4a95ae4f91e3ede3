/*
 * Keys: every action by its name, the keys it has and had, and who else wants
 * one of them.  keys.lua changes them by these names.
 */
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/keys.h"
#include "console/view.h"

static void get_keys(const struct list_context *context, const json_t *item,
		     struct field *out)
{
	const char *text = item_text(item, "keys");

	(void)context;
	out->text = *text ? text : "none";
	if (strcmp(text, item_text(item, "built_in")) != 0)
		out->role = ROLE_STRONG;
}

static void get_conflict(const struct list_context *context,
			 const json_t *item, struct field *out)
{
	(void)context;
	out->text = item_text(item, "conflict");
	out->role = ROLE_WARN;
}

static const struct column columns[] = {
	{ "ACTION", 16, 18, 0, .member = "name" },
	{ "KEYS", 12, 16, 0, .get = get_keys },
	{ "DOES", 20, 26, 0, .member = "help" },
	{ "CONFLICT", 22, 44, 0, .get = get_conflict },
	{ "BUILT IN", 12, 16, 1, .member = "built_in" },
};

static void keys_open(struct view *v)
{
	list_view_init(&v->lists[0], columns,
		       sizeof(columns) / sizeof(columns[0]), 0);
	v->topics[0] = TOPIC_NONE;
}

/* "F12 is cancel's": the first key that an earlier action gets instead, or that
 * it takes from a later one. */
static void conflict_text(enum intent intent, char *out, size_t size)
{
	const char *key = keys_list(intent);
	size_t length;

	out[0] = '\0';
	for (; (key = keys_next(key, &length)) != NULL; key += length) {
		uint32_t code = keys_parse(key, length);
		enum intent other = keys_conflict(intent, code);

		if (other == INTENT_NONE)
			continue;
		if (keys_intent(code) == intent)
			snprintf(out, size, "%.*s: %s does not get it",
				 (int)length, key, intent_table[other].name);
		else
			snprintf(out, size, "%.*s goes to %s", (int)length, key,
				 intent_table[keys_intent(code)].name);
		return;
	}
}

static void keys_fill(struct view *v)
{
	struct list_context context = view_context(v);

	list_view_begin(&v->lists[0]);
	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++) {
		char conflict[96];

		conflict_text((enum intent)i, conflict, sizeof(conflict));
		json_t *item = json_pack("{s:s,s:s,s:s,s:s,s:s}", "name",
			intent_table[i].name, "keys", keys_list((enum intent)i),
			"built_in", intent_table[i].keys, "help",
			intent_table[i].help, "conflict", conflict);

		list_view_add(&v->lists[0], (uint64_t)i, item);
		json_decref(item);
	}
	list_view_end(&v->lists[0], &context);
}

static void keys_draw(struct view *v, struct grid *g, struct rect r)
{
	int conflicts = 0;
	char title[96];

	for (size_t i = 0; i < v->lists[0].count; i++)
		conflicts += *item_text(v->lists[0].rows[i].item, "conflict")
			     != '\0';
	snprintf(title, sizeof(title), "Keys - %d in conflict - keys.lua changes "
		 "them by name", conflicts);
	view_pane_list(v, 0, g, r, title, "");
}

/* Enter says how to do it without a key. */
static bool keys_intent_here(struct view *v, enum intent intent)
{
	uint64_t key = v->lists[0].cursor_key;

	if (intent != INTENT_OPEN || key == 0)
		return false;
	app_message(v->app, false, ":%s  does it, whatever its key.",
		    intent_table[key].name);
	return true;
}

static const enum intent keys_keys[] = {
	INTENT_BACK, INTENT_FILTER, INTENT_SORT, INTENT_COMMAND, INTENT_WRITE,
	INTENT_NONE,
};

const struct view_ops view_keys = {
	.name = "keys",
	.aliases = "",
	.title = "Keys",
	.about = "Every action by its name, its keys, and which key two of "
		 "them want. keys.lua gives others: return { scale = "
		 "\"A-s\", delete = false }",
	.lists = 1,
	.keys = keys_keys,
	.open = keys_open,
	.fill = keys_fill,
	.draw = keys_draw,
	.intent = keys_intent_here,
};
