/*
 * Details of one machine, session or host: every field the engine tells, and
 * the last events of the object.  Three views with one drawing: what differs
 * is the kind of object.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"
#include "console/theme.h"
#include "engine/base/text.h"

enum { EVENTS, MACHINES };

static void detail_open(struct view *v)
{
	list_view_init(&v->lists[EVENTS], columns_events.columns,
		       columns_events.count, columns_events.sort);
	v->topics[EVENTS] = TOPIC_EVENTS;
	v->lists[EVENTS].follow = true;
	if (v->ops->lists > MACHINES) {
		list_view_init(&v->lists[MACHINES], columns_machines.columns,
			       columns_machines.count, columns_machines.sort);
		v->topics[MACHINES] = TOPIC_MACHINES;
		v->focus = MACHINES;
		v->tabs = 2;
	}
}

/* What its user and its machine did together while it lasted. */
static bool in_session(const json_t *session, const json_t *event)
{
	const char *object = item_text(event, "object");
	int64_t at_ms = item_time_ms(event, "time");
	int64_t ended_ms = item_time_ms(session, "ended");

	return strncmp(object, "user/", 5) == 0 &&
	       strcmp(object + 5, item_text(session, "user")) == 0 &&
	       view_event_names(event, item_text(session, "machine"), false) &&
	       at_ms >= item_time_ms(session, "requested") &&
	       (!ended_ms || at_ms <= ended_ms + 1000);
}

static bool about_object(const struct view *v, const json_t *event)
{
	const char *noun = topic_noun(v->ops->target);
	const char *object = item_text(event, "object");
	size_t length = strlen(noun);

	if (strncmp(object, noun, length) == 0 && object[length] == '/')
		return strcmp(object + length + 1, v->target) == 0;
	if (v->ops->target == TOPIC_MACHINES)
		return view_event_names(event, v->target, false);
	return v->ops->target == TOPIC_SESSIONS && in_session(v->item, event);
}

static bool on_host(const struct view *v, const json_t *machine)
{
	return strcmp(item_text(machine, "host"), v->target) == 0;
}

static void detail_fill(struct view *v)
{
	view_fill(v, EVENTS, about_object);
	if (v->ops->lists > MACHINES)
		view_fill(v, MACHINES, on_host);
}

/* A member's value in words; "" for what is unknown. */
static void value_text(const json_t *item, const char *name, char *out,
		       size_t out_size)
{
	const json_t *value = json_object_get(item, name);
	int64_t at_ms = item_time_ms(item, name);
	size_t length = strlen(name);

	out[0] = '\0';
	if (at_ms > 0) {
		format_date(out, out_size, at_ms);
	} else if (json_is_integer(value) && length > 3 &&
		   strcmp(name + length - 3, "_ms") == 0) {
		format_took(out, out_size, json_integer_value(value));
	} else if (json_is_string(value)) {
		text_copy(out, out_size, json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(out, out_size, "%" PRId64,
			 (int64_t)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		snprintf(out, out_size, "%s",
			 json_is_true(value) ? "yes" : "no");
	} else if (value && !json_is_null(value)) {
		char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS |
					JSON_ENCODE_ANY);

		text_copy(out, out_size, text ? text : "");
		free(text);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum { FIELDS_MAX = 64 };

/* Names of the members, those everybody asks for first, then by alphabet. */
static int field_names(const json_t *item, const char **names)
{
	static const char *const first[] = { "name", "state", "pool",
		"application", "user", "machine", "host", "session", "peer",
		"reason" };
	int count = 0, head;
	const char *key;
	json_t *value;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (json_object_get(item, first[i]))
			names[count++] = first[i];
	head = count;
	json_object_foreach((json_t *)item, key, value) {
		bool known = false;

		for (int i = 0; i < head; i++)
			known = known || strcmp(names[i], key) == 0;
		if (!known && count < FIELDS_MAX)
			names[count++] = key;
	}
	qsort(names + head, (size_t)(count - head), sizeof(*names),
	      compare_names);
	return count;
}

static void draw_field(struct grid *g, struct rect r, const char *kind,
		       const json_t *item, const char *name)
{
	char text[512];
	struct state_look look;
	int used = 0;

	grid_text(g, r.row, r.col, 15, ROLE_OFF, name);
	value_text(item, name, text, sizeof(text));
	if (strcmp(name, "state") != 0) {
		grid_text(g, r.row, r.col + 16, r.cols - 16, ROLE_NORMAL,
			  *text ? text : "-");
		return;
	}
	look = state_look(kind, text);
	used = grid_text(g, r.row, r.col + 16, r.cols - 16, look.role,
			 glyph(g->ascii, role_glyph(look.role)));
	grid_text(g, r.row, r.col + 17 + used, r.cols - 17 - used, look.role,
		  look.word);
}

/* Fields in two columns when there is room; returns rows used. */
static int draw_fields(struct view *v, struct grid *g, struct rect r)
{
	const char *names[FIELDS_MAX + 16];
	const char *kind = topic_noun(v->ops->target);
	int count = field_names(v->item, names), half = (count + 1) / 2;
	int width = r.cols / 2;

	for (int i = 0; i < count; i++) {
		int row = i % half, col = i / half;

		if (row < r.rows)
			draw_field(g, (struct rect){ r.row + row,
						     r.col + 1 + col * width,
						     1, width - 2 },
				   kind, v->item, names[i]);
	}
	return half;
}

static void detail_draw(struct view *v, struct grid *g, struct rect r)
{
	int fields = v->item ? (int)json_object_size(v->item) / 2 + 1 : 1;
	int frame = view_wide(g) ? 2 : 1, top = fields + frame;
	struct rect in;
	char title[160];

	if (top > r.rows - 6)
		top = r.rows > 10 ? r.rows - 6 : r.rows;
	snprintf(title, sizeof(title), "%s/%s", topic_noun(v->ops->target),
		 v->target);
	in = view_pane(g, (struct rect){ r.row, r.col, top, r.cols }, title,
		       NULL);
	if (v->item)
		draw_fields(v, g, in);
	else
		grid_printf(g, in.row, in.col + 1, in.cols - 1, ROLE_OFF,
			    "There is no %s now.", title);
	r.row += top;
	r.rows -= top;
	if (v->ops->lists > MACHINES) {
		int events = r.rows / 3;

		view_pane_list(v, MACHINES, g,
			       (struct rect){ r.row, r.col, r.rows - events,
					      r.cols }, "Machines",
			       "No machines here now.");
		r.row += r.rows - events;
		r.rows = events;
	}
	view_pane_list(v, EVENTS, g, r, "Events", "Nothing happened yet.");
}

static const enum intent detail_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_ACTIONS, INTENT_FILTER,
	INTENT_COMMAND, INTENT_SORT, INTENT_PAUSE, INTENT_NONE,
};

/* In a machine's or session's view actions are about it, not about events;
 * action.c asks view_object(), which must not give the event. */
const struct view_ops view_machine = {
	.name = "machine",
	.aliases = "",
	.title = "Machines",
	.target = TOPIC_MACHINES,
	.detail = true,
	.lists = 1,
	.keys = detail_keys,
	.open = detail_open,
	.fill = detail_fill,
	.draw = detail_draw,
};

const struct view_ops view_session = {
	.name = "session",
	.aliases = "",
	.title = "Sessions",
	.target = TOPIC_SESSIONS,
	.detail = true,
	.lists = 1,
	.keys = detail_keys,
	.open = detail_open,
	.fill = detail_fill,
	.draw = detail_draw,
};

const struct view_ops view_host = {
	.name = "host",
	.aliases = "",
	.title = "Hosts",
	.target = TOPIC_HOSTS,
	.detail = true,
	.lists = 2,
	.keys = detail_keys,
	.open = detail_open,
	.fill = detail_fill,
	.draw = detail_draw,
};
