/*
 * A list of objects in a pane: columns, order, filter and a cursor that
 * sticks to the object, not to the line it happens to stand on.
 *
 * The list holds references to the items it was filled with (model.h), so it
 * shows that moment until it is filled again; paused screens rely on it.
 */
#ifndef REMUDA_CONSOLE_LIST_H
#define REMUDA_CONSOLE_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/cells.h"
#include "console/intent.h"

struct model;

/* What a column says of an item.  text points into buf, the item or a
 * constant; a number, when has_number, is what sorting compares. */
struct field {
	const char *text;
	char buf[64];
	enum role role;
	bool glyph;		/* the role's glyph goes before the text */
	bool has_number;
	int64_t number;
};

/* What columns may look at beside the item. */
struct list_context {
	const struct model *model;
	int64_t now_ms;		/* wall clock for ages */
	bool ascii;
};

struct column {
	const char *title;	/* also its name in filters and for sorting */
	int width;		/* cells without the blank after it */
	int width_max;		/* takes spare cells up to here; 0 = width */
	int drop;		/* 0 stays; the highest number goes first */
	bool right;
	bool newest_first;	/* the order it starts with */
	void (*get)(const struct list_context *context, const json_t *item,
		    struct field *out);
	/* Draws instead of the text; NULL for most. */
	void (*paint)(struct grid *g, int row, int col, int width,
		      const json_t *item);
};

struct list_row {
	uint64_t key;
	json_t *item;		/* owned */
	bool shown;		/* passes the filter */
};

enum { LIST_FILTER_SIZE = 128, LIST_COLUMNS_MAX = 16 };

struct list_view {
	const struct column *columns;	/* const table of the view */
	int column_count;
	struct list_row *rows;	/* all of them, in order */
	size_t count, size;
	size_t *shown;		/* indexes of rows that pass the filter */
	size_t shown_count;
	size_t cursor;		/* index into shown */
	size_t top;		/* first line drawn */
	uint64_t cursor_key;	/* 0 = nothing chosen yet */
	int sort;		/* column */
	bool inverted;
	bool follow;		/* the cursor stays on the first line */
	int page;		/* lines drawn last time */
	char filter[LIST_FILTER_SIZE];
};

void list_view_init(struct list_view *l, const struct column *columns,
		    int count, int sort);
void list_view_fini(struct list_view *l);

/* Fill: begin, add every item (a reference is taken), end.  The cursor stays
 * on its object; if that is gone, on the line where it stood. */
void list_view_begin(struct list_view *l);
void list_view_add(struct list_view *l, uint64_t key, json_t *item);
void list_view_end(struct list_view *l, const struct list_context *context);

/* Words that must all match: text anywhere, column=text, !word for not,
 * ~word for its letters in that order. */
void list_view_set_filter(struct list_view *l, const char *filter,
			  const struct list_context *context);
void list_view_sort(struct list_view *l, int column, bool inverted,
		    const struct list_context *context);
/* Moves the cursor; false when the intent is none of the list's. */
bool list_view_intent(struct list_view *l, enum intent intent);
bool list_view_select(struct list_view *l, uint64_t key);
/* Borrowed; NULL when no line is shown. */
json_t *list_view_selected(const struct list_view *l);
/* Lines below the last one drawn. */
size_t list_view_below(const struct list_view *l);

/* Draws titles and lines into the rectangle and puts the terminal's cursor on
 * the selected line when focused.  Without titles when titles is false. */
void list_view_draw(struct list_view *l, struct grid *g, struct rect r,
		    const struct list_context *context, bool titles,
		    bool focused);
/* "1-10 of 48", into out; returns out. */
const char *list_view_position(const struct list_view *l, bool ascii,
			       char *out, size_t out_size);

#endif
