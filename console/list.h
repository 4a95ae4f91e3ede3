/*
 * A list of objects in a pane: columns, order, filter, marks and a cursor that
 * sticks to the object, not to the line it happens to stand on.  Marks stick
 * to objects too and go with them.
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
#include <stdio.h>

#include "console/cells.h"
#include "console/field.h"
#include "console/intent.h"

struct model;

struct column {
	const char *title;	/* also its name in filters and for sorting */
	int width;		/* cells without the blank after it */
	int width_max;		/* takes spare cells up to here; 0 = width */
	int drop;		/* 0 stays; the highest number goes first */
	bool right;
	bool newest_first;	/* the order it starts with */
	const char *member;	/* of the item, when get is NULL */
	enum field_as as;
	const char *kind;	/* of its states */
	void (*get)(const struct list_context *context, const json_t *item,
		    struct field *out);
	/* Draws instead of the text; NULL for most. */
	void (*paint)(struct grid *g, int row, int col, int width,
		      const json_t *item);
};

struct list_row {
	uint64_t key;
	json_t *item;		/* owned */
	const char *name;	/* in the item, or NULL */
	bool shown;		/* passes the filter */
	bool marked;
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
	char search[LIST_FILTER_SIZE];	/* what n and N look for */
	uint64_t *marks;	/* keys, sorted */
	size_t mark_count, mark_size;
	uint8_t order[LIST_COLUMNS_MAX];	/* of the columns on the screen */
	unsigned hidden;	/* bit per column of the table */
	struct rect drawn;	/* its lines on the screen, for the mouse */
	int skip;		/* columns gone to the left; the first stays */
};

void list_view_init(struct list_view *l, const struct column *columns,
		    int count, int sort);
void list_view_fini(struct list_view *l);

/* Fill: begin, add every item (a reference is taken), end.  The cursor stays
 * on its object; if that is gone, on the line where it stood. */
void list_view_begin(struct list_view *l);
void list_view_add(struct list_view *l, uint64_t key, json_t *item);
/* The same for an item whose name (in it, or NULL) is at hand. */
void list_view_add_named(struct list_view *l, uint64_t key, json_t *item,
			 const char *name);
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
/* The shown line of that number; false when there is none. */
bool list_view_select_line(struct list_view *l, size_t line);
/* Borrowed; NULL when no line is shown. */
json_t *list_view_selected(const struct list_view *l);
/* Lines below the last one drawn. */
size_t list_view_below(const struct list_view *l);

/* To the next line that matches the words of the last filter or search, around
 * the end if need be; false when there is none. */
bool list_view_find(struct list_view *l, bool backwards,
		    const struct list_context *context);

/* ---- columns (list_draw.c) -------------------------------------------- */

/* One column to the left (-1) or right; the first one stays. */
bool list_view_sideways(struct list_view *l, int step);
/* "NAME|STATE|-HOST": all columns in their order, hidden ones with a dash. */
void list_view_columns(const struct list_view *l, char *out, size_t out_size);
/* The reverse: what it does not name comes behind; the first named one is
 * always shown.  Unknown names are ignored: tables change with versions. */
void list_view_set_columns(struct list_view *l, const char *text);

/* ---- marks (list_mark.c) --------------------------------------------- */

void list_view_mark(struct list_view *l, uint64_t key, bool on);
bool list_view_is_marked(const struct list_view *l, uint64_t key);
/* Space: the cursor's line changes, the cursor goes on. */
void list_view_mark_toggle(struct list_view *l);
/* Every line shown. */
void list_view_mark_shown(struct list_view *l);
void list_view_mark_none(struct list_view *l);
/* Lines shown that match the words of a filter; returns how many changed. */
size_t list_view_mark_matching(struct list_view *l, const char *filter, bool on,
			       const struct list_context *context);
/* Marked rows that the filter hides. */
size_t list_view_marked_hidden(const struct list_view *l);
/* Of the list itself after a fill: marks of objects that are gone go. */
void list_view_mark_refresh(struct list_view *l);

/* ---- drawing (list_draw.c) -------------------------------------------- */

/* Draws titles and lines into the rectangle and puts the terminal's cursor on
 * the selected line when focused.  Without titles when titles is false. */
void list_view_draw(struct list_view *l, struct grid *g, struct rect r,
		    const struct list_context *context, bool titles,
		    bool focused);
/* Every line that passes the filter, with all columns on the screen's list of
 * columns, as aligned text. */
void list_view_print(const struct list_view *l,
		     const struct list_context *context, FILE *out);
/* What a column says of an item. */
void list_view_field(const struct list_view *l, int column,
		     const struct list_context *context, const json_t *item,
		     struct field *out);
/* Does the item match the words of a filter? */
bool list_view_matches(const struct list_view *l, const char *filter,
		       const struct list_context *context, const json_t *item);
/* "1-10 of 48", into out; returns out. */
const char *list_view_position(const struct list_view *l, bool ascii,
			       char *out, size_t out_size);

#endif
