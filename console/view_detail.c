/*
 * Details of one machine, session or host: every field the engine tells, and
 * the last events of the object.  Three views with one drawing: what differs
 * is the kind of object.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
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

static void draw_field(struct grid *g, struct rect r, const char *kind,
		       const json_t *item, const char *name)
{
	char text[512];
	struct state_look look;
	int used = 0;

	grid_text(g, r.row, r.col, 15, ROLE_OFF, name);
	view_value(item, name, text, sizeof(text));
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
	const char *names[FIELDS_MAX];
	const char *kind = topic_noun(v->ops->target);
	int count = view_field_names(v->item, names), half = (count + 1) / 2;
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
	.about = "One machine: all that is known of it, and what happened "
		 "to it, the newest first.",
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
	.about = "One session: who, on which machine, since when, how much "
		 "went through.",
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
	.about = "One host and its machines.",
	.target = TOPIC_HOSTS,
	.detail = true,
	.lists = 2,
	.keys = detail_keys,
	.open = detail_open,
	.fill = detail_fill,
	.draw = detail_draw,
};
