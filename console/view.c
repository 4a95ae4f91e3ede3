/*
 * What views share: life, filling from the model, panes.  See view.h.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

/* Requests share lists with sessions; their keys must not meet. */
enum { REQUEST_KEY_BIT = 62 };

const struct view_ops *const view_table[] = {
	&view_overview, &view_pools, &view_sessions, &view_hosts, &view_events,
	&view_machines, &view_pool, &view_machine, &view_session, &view_host,
	&view_users, &view_user, &view_apps, &view_listeners, &view_resources,
	&view_audit, &view_history, &view_alarms, &view_log, &view_console, &view_clusters, &view_cluster, &view_rules,
	&view_usage, &view_operations, &view_set, &view_keys, &view_text, NULL,
};

const struct view_ops *view_named(const char *name)
{
	size_t length = strlen(name);

	for (int i = 0; view_table[i] && length; i++) {
		const char *at = view_table[i]->aliases;

		if (view_table[i]->detail)
			continue;
		if (strcmp(view_table[i]->name, name) == 0)
			return view_table[i];
		while ((at = strstr(at, name)) != NULL) {
			if ((at == view_table[i]->aliases || at[-1] == ' ') &&
			    (at[length] == ' ' || at[length] == '\0'))
				return view_table[i];
			at++;
		}
	}
	return NULL;
}

const struct view_ops *view_of(enum topic topic)
{
	for (int i = 0; view_table[i] && topic != TOPIC_NONE; i++)
		if (view_table[i]->detail && view_table[i]->target == topic &&
		    view_table[i] != &view_console)
			return view_table[i];
	return NULL;
}

struct view *view_new(struct app *app, const struct view_ops *ops,
		      const char *target)
{
	struct view *v = calloc(1, sizeof(*v));

	CHECK("", v, "out of memory");
	v->ops = ops;
	v->app = app;
	v->number = ++app->views_made;
	TEXT_SET(v->target, target ? target : "");
	ops->open(v);
	for (int i = 0; i < ops->lists; i++)
		memory_recall(&app->memory, ops->name, i, &v->lists[i]);
	view_update(v);
	return v;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	for (int i = 0; i < v->ops->lists; i++)
		list_view_fini(&v->lists[i]);
	if (v->ops->close)
		v->ops->close(v);
	view_ask_forget(v);
	json_decref(v->item);
	free(v);
}

struct list_context view_context(const struct view *v)
{
	return (struct list_context){ .model = &v->app->model,
				      .now_ms = v->app->wall_ms,
				      .ascii = v->app->grid.ascii };
}

void view_update(struct view *v)
{
	const struct model *m = &v->app->model;
	json_t *item = NULL;

	if (v->seen == m->changes + 1)
		return;
	v->seen = m->changes + 1;
	if (v->ops->detail && (v->ops->target == TOPIC_SESSIONS))
		item = model_find(m, v->ops->target,
				  strtoull(v->target, NULL, 10));
	else if (v->ops->detail && v->ops->target < TOPIC_COUNT)
		item = model_named(m, v->ops->target, v->target);
	if (item) {	/* one that ended stays as it was last seen */
		json_decref(v->item);
		v->item = json_incref(item);
	}
	v->ops->fill(v);
}

struct list_view *view_list(struct view *v)
{
	return v->ops->lists ? &v->lists[v->focus] : NULL;
}

bool view_intent(struct view *v, enum intent intent)
{
	struct list_view *list = view_list(v);

	if (v->tabs > 1 && (intent == INTENT_NEXT_TAB ||
			    intent == INTENT_PREVIOUS_TAB)) {
		int step = intent == INTENT_NEXT_TAB ? 1 : v->tabs - 1;

		v->focus = (v->focus + step) % v->tabs;
		return true;
	}
	return list && list_view_intent(list, intent);
}

enum topic view_row_topic(const struct view *v, const json_t *item)
{
	enum topic topic = v->topics[v->focus];

	return topic == TOPIC_SESSIONS &&
	       strncmp(item_text(item, "ref"), "request/", 8) == 0 ?
	       TOPIC_REQUESTS : topic;
}

json_t *view_object(struct view *v, enum topic *topic)
{
	struct list_view *list = view_list(v);
	json_t *item = list ? list_view_selected(list) : NULL;

	if (item) {
		*topic = view_row_topic(v, item);
		return item;
	}
	*topic = v->ops->target;
	return v->ops->detail ? v->item : NULL;
}

void view_open_list(struct view *v, int i, const struct columns *columns,
		    enum topic topic)
{
	list_view_init(&v->lists[i], columns->columns, columns->count,
		       columns->sort);
	v->topics[i] = topic;
}

static void add_all(struct view *v, int i, enum topic topic, uint64_t bit,
		    view_wanted *wanted)
{
	const struct model_set *set = &v->app->model.sets[topic];

	for (size_t j = 0; j < set->count; j++)
		if (!wanted || wanted(v, set->entries[j].item))
			list_view_add_named(&v->lists[i],
					    set->entries[j].key | bit,
					    set->entries[j].item,
					    set->entries[j].name);
}

void view_fill(struct view *v, int i, view_wanted *wanted)
{
	struct list_context context = view_context(v);

	list_view_begin(&v->lists[i]);
	add_all(v, i, v->topics[i], 0, wanted);
	list_view_end(&v->lists[i], &context);
}

static bool no_cluster(const struct view *v, const json_t *item)
{
	return !model_cluster_pool(&v->app->model, item);
}

void view_fill_pools(struct view *v, int i)
{
	view_fill(v, i, no_cluster);
}

void view_fill_sessions(struct view *v, int i, view_wanted *wanted)
{
	struct list_context context = view_context(v);

	list_view_begin(&v->lists[i]);
	add_all(v, i, TOPIC_SESSIONS, 0, wanted);
	add_all(v, i, TOPIC_REQUESTS, 1ULL << REQUEST_KEY_BIT, wanted);
	list_view_end(&v->lists[i], &context);
}

static bool in_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

bool view_event_names(const json_t *event, const char *name, bool numbered)
{
	const char *text = item_text(event, "text"), *at = text;
	size_t length = strlen(name), digits;

	while (length && (at = strstr(at, name)) != NULL) {
		const char *end = at + length;
		bool begins = at == text || !in_word(at[-1]);

		digits = *end == '-' ? strspn(end + 1, "0123456789") : 0;
		if (numbered && digits)
			end += 1 + digits;
		if (begins && !in_word(*end) && (!numbered || digits))
			return true;
		at += length;
	}
	return false;
}

/* ---- drawing --------------------------------------------------------- */

bool view_wide(const struct grid *g)
{
	return g->cols >= VIEW_WIDE_COLS;
}

static struct rect box(struct grid *g, struct rect r, const char *title,
		       const char *foot)
{
	int bottom = r.row + r.rows - 1, right = r.col + r.cols - 1;

	grid_repeat(g, r.row, r.col, r.cols, ROLE_FRAME,
		    glyph(g->ascii, GLYPH_LINE_H));
	grid_repeat(g, bottom, r.col, r.cols, ROLE_FRAME,
		    glyph(g->ascii, GLYPH_LINE_H));
	for (int row = r.row + 1; row < bottom; row++) {
		grid_text(g, row, r.col, 1, ROLE_FRAME,
			  glyph(g->ascii, GLYPH_LINE_V));
		grid_text(g, row, right, 1, ROLE_FRAME,
			  glyph(g->ascii, GLYPH_LINE_V));
	}
	grid_text(g, r.row, r.col, 1, ROLE_FRAME,
		  glyph(g->ascii, GLYPH_CORNER_TL));
	grid_text(g, r.row, right, 1, ROLE_FRAME,
		  glyph(g->ascii, GLYPH_CORNER_TR));
	grid_text(g, bottom, r.col, 1, ROLE_FRAME,
		  glyph(g->ascii, GLYPH_CORNER_BL));
	grid_text(g, bottom, right, 1, ROLE_FRAME,
		  glyph(g->ascii, GLYPH_CORNER_BR));
	grid_printf(g, r.row, r.col + 2, r.cols - 4, ROLE_TITLE, " %s ", title);
	if (foot && *foot) {
		char text[128];

		snprintf(text, sizeof(text), " %s ", foot);
		grid_text_right(g, bottom, r.col + 2, r.cols - 4, ROLE_FRAME,
				text);
	}
	return (struct rect){ r.row + 1, r.col + 1, r.rows - 2, r.cols - 2 };
}

struct rect view_pane(struct grid *g, struct rect r, const char *title,
		      const char *foot)
{
	if (r.rows < 1 || r.cols < 4)
		return (struct rect){ 0 };
	if (view_wide(g) && r.rows > 2)
		return box(g, r, title, foot);
	grid_repeat(g, r.row, r.col, r.cols, ROLE_FRAME,
		    glyph(g->ascii, GLYPH_LINE_H));
	grid_printf(g, r.row, r.col + 2, r.cols - 4, ROLE_TITLE, " %s ", title);
	if (foot && *foot) {
		char text[128];

		snprintf(text, sizeof(text), " %s ", foot);
		grid_text_right(g, r.row, r.col + 2, r.cols - 4, ROLE_FRAME,
				text);
	}
	return (struct rect){ r.row + 1, r.col, r.rows - 1, r.cols };
}

/* Nothing exists, nothing matches, or nothing can be known. */
static void draw_empty(struct view *v, int i, struct grid *g, struct rect r,
		       const char *empty)
{
	struct list_view *l = &v->lists[i];
	const struct app *app = v->app;
	char text[256];

	if (l->count > 0)
		snprintf(text, sizeof(text),
			 "0 of %zu match \"/%s\".  Esc clears the filter.",
			 l->count, l->filter);
	else if (v->ops->ask && i < v->ops->asks && v->asked[i].request &&
		 view_ask_trouble(v, i))
		snprintf(text, sizeof(text), "%s", view_ask_trouble(v, i));
	else if (!app->model.complete)
		snprintf(text, sizeof(text), "%s",
			 app->link.up ? "The engine has not sent this yet." :
			 "Not known: the engine does not answer.  r tries now.");
	else
		snprintf(text, sizeof(text), "%s", empty);
	view_wrap(g, (struct rect){ r.row, r.col + 2, r.rows, r.cols - 3 },
		  ROLE_OFF, text);
}

void view_pane_list(struct view *v, int i, struct grid *g, struct rect r,
		    const char *title, const char *empty)
{
	struct list_view *l = &v->lists[i];
	struct list_context context = view_context(v);
	char foot[64];
	struct rect in;
	bool boxed = view_wide(g) && r.rows > 2;

	if (r.rows < 1)
		return;
	/* The note at the foot tells what the drawing is about to decide. */
	l->page = boxed ? r.rows - 3 : r.rows - 2;
	if (l->page < 1)
		l->page = 1;
	if (l->cursor < l->top)
		l->top = l->cursor;
	if (l->cursor >= l->top + (size_t)l->page)
		l->top = l->cursor - (size_t)l->page + 1;
	list_view_position(l, g->ascii, foot, sizeof(foot));
	in = view_pane(g, r, title, foot);
	if (l->shown_count == 0) {
		list_view_draw(l, g, in, &context, true, false);
		in.row += 2;
		in.rows -= 2;
		draw_empty(v, i, g, in, empty);
		return;
	}
	list_view_draw(l, g, in, &context, in.rows > 1, v->focus == i);
}

int view_field(struct grid *g, int row, int col, int limit, const char *label,
	       const char *value)
{
	int used = grid_text(g, row, col, limit, ROLE_OFF, label);

	used += grid_text(g, row, col + used, limit - used, ROLE_NORMAL, " ");
	used += grid_text(g, row, col + used, limit - used, ROLE_NORMAL,
			  *value ? value : "-");
	return used + 3;
}

int view_wrap(struct grid *g, struct rect r, enum role role, const char *text)
{
	int row = 0;

	while (*text && row < r.rows && r.cols > 0) {
		char line[1024];
		size_t n;

		text_clip(g->ascii, line, sizeof(line), text, r.cols);
		n = strlen(line);
		if (n == 0)
			break;	/* not even one character fits */
		if (text[n] && text[n] != ' ') {
			char *blank = strrchr(line, ' ');

			if (blank && blank > line)
				n = (size_t)(blank - line);
		}
		line[n] = '\0';
		grid_text(g, r.row + row++, r.col, r.cols, role, line);
		text += n;
		text += strspn(text, " ");
	}
	return row;
}

void view_tabs(struct view *v, struct grid *g, int row, int col, int cols,
	       const char *const *names)
{
	int end = col + cols;

	for (int i = 0; i < v->tabs; i++) {
		bool on = i == v->focus;

		col += grid_printf(g, row, col, end - col,
				   on ? ROLE_STRONG : ROLE_NORMAL,
				   on ? "[%s %zu]" : " %s %zu ", names[i],
				   v->lists[i].count);
		col += 2;
	}
	grid_text(g, row, col + 2, end - col - 2, ROLE_OFF, "Tab next");
}

void view_pool_bar(struct grid *g, int row, int col, int width,
		   const json_t *pool)
{
	static const struct {
		const char *member;
		enum glyph glyph;
		enum role role;
	} parts[] = {
		{ "in_use", GLYPH_BAR_USED, ROLE_USED },
		{ "starting", GLYPH_BAR_STARTING, ROLE_CHANGING },
		{ "ready", GLYPH_BAR_READY, ROLE_FREE },
		{ "bad", GLYPH_BAR_BAD, ROLE_FAILED },
	};
	int64_t whole = item_int(pool, "max", 0), sum = 0, total = 0;
	int at = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		total += item_int(pool, parts[i].member, 0);
	whole = total > whole ? total : whole;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int64_t n = item_int(pool, parts[i].member, 0);
		int end;

		sum += n;
		end = whole > 0 ? (int)((sum * width + whole / 2) / whole) : 0;
		if (n > 0 && end <= at)
			end = at + 1;	/* one machine is at least one cell */
		end = end > width ? width : end;
		if (n > 0 && end > at) {
			grid_repeat(g, row, col + at, end - at, parts[i].role,
				    glyph(g->ascii, parts[i].glyph));
			at = end;
		}
	}
	grid_repeat(g, row, col + at, width - at, ROLE_OFF,
		    glyph(g->ascii, GLYPH_BAR_ROOM));
}
