/*
 * List views: see list.h.  Rows are kept sorted whole and filtered by index,
 * so typing in a filter never sorts again.  Sorting reads every item once; a
 * key press moves only numbers and draws only the visible lines.
 */
#include "console/list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

void list_view_init(struct list_view *l, const struct column *columns,
		    int count, int sort)
{
	*l = (struct list_view){ .columns = columns, .column_count = count,
				 .sort = sort, .page = 1,
				 .inverted = columns[sort].newest_first };
}

static void drop_rows(struct list_view *l)
{
	for (size_t i = 0; i < l->count; i++)
		json_decref(l->rows[i].item);
	l->count = 0;
}

void list_view_fini(struct list_view *l)
{
	drop_rows(l);
	free(l->rows);
	free(l->shown);
	*l = (struct list_view){ 0 };
}

void list_view_begin(struct list_view *l)
{
	drop_rows(l);
}

void list_view_add(struct list_view *l, uint64_t key, json_t *item)
{
	if (l->count == l->size) {
		l->size = l->size ? l->size * 2 : 64;
		l->rows = realloc(l->rows, l->size * sizeof(*l->rows));
		l->shown = realloc(l->shown, l->size * sizeof(*l->shown));
		CHECK("", l->rows && l->shown, "out of memory");
	}
	l->rows[l->count++] = (struct list_row){ key, json_incref(item), true };
}

static void field_of(const struct list_view *l, int column,
		     const struct list_context *context, const json_t *item,
		     struct field *out)
{
	*out = (struct field){ .text = "" };
	l->columns[column].get(context, item, out);
}

/* ---- filter ---------------------------------------------------------- */

static bool contains(const char *text, const char *word, size_t length)
{
	for (; strlen(text) >= length; text++)
		if (strncasecmp(text, word, length) == 0)
			return true;
	return length == 0;
}

/* The letters of word, in order, with anything between them. */
static bool resembles(const char *text, const char *word, size_t length)
{
	size_t at = 0;

	for (; *text && at < length; text++)
		at += tolower((unsigned char)*text) ==
		      tolower((unsigned char)word[at]);
	return at == length;
}

static bool word_matches(const struct list_view *l,
			 const struct list_context *context,
			 const json_t *item, const char *word, size_t length)
{
	const char *equals = memchr(word, '=', length);
	size_t name = equals ? (size_t)(equals - word) : 0;
	bool fuzzy = length > 1 && *word == '~';

	for (int i = 0; i < l->column_count; i++) {
		struct field f;
		const char *value = equals ? equals + 1 : word + fuzzy;
		size_t n = length - (size_t)(value - word);

		if (equals && (strlen(l->columns[i].title) != name ||
			       strncasecmp(l->columns[i].title, word, name)))
			continue;
		field_of(l, i, context, item, &f);
		if (fuzzy ? resembles(f.text, value, n) :
		    contains(f.text, value, n))
			return true;
	}
	return false;
}

static bool filter_matches(const struct list_view *l,
			   const struct list_context *context,
			   const json_t *item)
{
	const char *word = l->filter;

	for (;;) {
		word += strspn(word, " ");
		size_t length = strcspn(word, " ");

		if (length == 0)
			return true;
		bool not = *word == '!';

		if (length > not && word_matches(l, context, item, word + not,
						 length - not) == not)
			return false;
		word += length;
	}
}

/* ---- order ----------------------------------------------------------- */

struct sort_key {
	struct field field;
	struct list_row row;
};

static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = *(struct sort_key *const *)a;
	const struct sort_key *y = *(struct sort_key *const *)b;
	int order;

	if (x->field.has_number && y->field.has_number)
		order = x->field.number < y->field.number ? -1 :
			x->field.number > y->field.number;
	else
		order = strverscmp(x->field.text, y->field.text);
	return order ? order : x->row.key < y->row.key ? -1 : 1;
}

static void sort_rows(struct list_view *l, const struct list_context *context)
{
	struct sort_key *keys = malloc((l->count + 1) * sizeof(*keys));
	struct sort_key **order = malloc((l->count + 1) * sizeof(struct sort_key *));

	CHECK("", keys && order, "out of memory");
	for (size_t i = 0; i < l->count; i++) {
		field_of(l, l->sort, context, l->rows[i].item, &keys[i].field);
		keys[i].row = l->rows[i];
		order[i] = &keys[i];
	}
	qsort(order, l->count, sizeof(struct sort_key *), compare_keys);
	for (size_t i = 0; i < l->count; i++)
		l->rows[l->inverted ? l->count - 1 - i : i] = order[i]->row;
	free(order);
	free(keys);
}

/* Shown rows anew; the cursor finds its object again or keeps its line. */
static void refilter(struct list_view *l, const struct list_context *context)
{
	bool found = false;

	l->shown_count = 0;
	for (size_t i = 0; i < l->count; i++) {
		l->rows[i].shown = filter_matches(l, context, l->rows[i].item);
		if (!l->rows[i].shown)
			continue;
		if (l->rows[i].key == l->cursor_key && l->cursor_key &&
		    !l->follow) {
			l->cursor = l->shown_count;
			found = true;
		}
		l->shown[l->shown_count++] = i;
	}
	if (l->follow)
		l->cursor = 0;
	if (l->cursor >= l->shown_count)
		l->cursor = l->shown_count ? l->shown_count - 1 : 0;
	/* An empty list keeps the key: the object may come back. */
	if (!found && l->shown_count)
		l->cursor_key = l->rows[l->shown[l->cursor]].key;
}

void list_view_end(struct list_view *l, const struct list_context *context)
{
	sort_rows(l, context);
	refilter(l, context);
}

void list_view_set_filter(struct list_view *l, const char *filter,
			  const struct list_context *context)
{
	TEXT_SET(l->filter, filter);
	refilter(l, context);
}

void list_view_sort(struct list_view *l, int column, bool inverted,
		    const struct list_context *context)
{
	l->sort = column;
	l->inverted = inverted;
	sort_rows(l, context);
	refilter(l, context);
}

/* ---- cursor ---------------------------------------------------------- */

static void move_to(struct list_view *l, int64_t at)
{
	if (at >= (int64_t)l->shown_count)
		at = (int64_t)l->shown_count - 1;
	if (at < 0)
		at = 0;
	l->cursor = (size_t)at;
	if (l->shown_count)
		l->cursor_key = l->rows[l->shown[at]].key;
}

bool list_view_intent(struct list_view *l, enum intent intent)
{
	int64_t at = (int64_t)l->cursor;
	int step = l->page > 1 ? l->page - 1 : 1;

	if (intent == INTENT_UP)
		at--;
	else if (intent == INTENT_DOWN)
		at++;
	else if (intent == INTENT_PAGE_UP)
		at -= step;
	else if (intent == INTENT_PAGE_DOWN)
		at += step;
	else if (intent == INTENT_FIRST)
		at = 0;
	else if (intent == INTENT_LAST)
		at = (int64_t)l->shown_count - 1;
	else
		return false;
	if (at > 0)
		l->follow = false;
	move_to(l, at);
	return true;
}

bool list_view_select(struct list_view *l, uint64_t key)
{
	for (size_t i = 0; i < l->shown_count; i++)
		if (l->rows[l->shown[i]].key == key) {
			move_to(l, (int64_t)i);
			return true;
		}
	return false;
}

json_t *list_view_selected(const struct list_view *l)
{
	return l->cursor < l->shown_count ?
	       l->rows[l->shown[l->cursor]].item : NULL;
}

size_t list_view_below(const struct list_view *l)
{
	size_t last = l->top + (size_t)l->page;

	return last < l->shown_count ? l->shown_count - last : 0;
}

/* ---- drawing --------------------------------------------------------- */

/* Decides the width of every column for cols cells; 0 = left out. */
static void layout(const struct list_view *l, int cols, int *widths)
{
	int used = 0;

	for (int i = 0; i < l->column_count; i++) {
		widths[i] = l->columns[i].width;
		used += widths[i] + 1;
	}
	used--;
	while (used > cols) {
		int worst = -1;

		for (int i = 0; i < l->column_count; i++)
			if (widths[i] && l->columns[i].drop &&
			    (worst < 0 ||
			     l->columns[i].drop > l->columns[worst].drop))
				worst = i;
		if (worst < 0)
			return;	/* what is left is clipped */
		used -= widths[worst] + 1;
		widths[worst] = 0;
	}
	/* Spare cells go to the columns that can use them, leftmost first. */
	for (bool grown = true; grown && used < cols;) {
		grown = false;
		for (int i = 0; i < l->column_count && used < cols; i++)
			if (widths[i] && widths[i] < l->columns[i].width_max) {
				widths[i]++;
				used++;
				grown = true;
			}
	}
}

static void draw_titles(const struct list_view *l, struct grid *g,
			struct rect r, const int *widths)
{
	int col = r.col;

	for (int i = 0; i < l->column_count; i++) {
		const char *title = l->columns[i].title;
		int room = r.col + r.cols - col;
		int width = widths[i] < room ? widths[i] : room;

		if (widths[i] == 0 || width <= 0)
			continue;
		if (l->columns[i].right)
			grid_text_right(g, r.row, col, width, ROLE_HEADER,
					title);
		else
			grid_text(g, r.row, col, width, ROLE_HEADER, title);
		col += widths[i] + 1;
	}
}

/* Returns the column where the state word stands, or -1. */
static int draw_field(struct grid *g, int row, int col, int width,
		      const struct column *column, const struct field *f)
{
	char upper[64];
	const char *text = f->text;
	int used = 0;

	if (f->glyph) {
		used = grid_text(g, row, col, width, f->role,
				 glyph(g->ascii, role_glyph(f->role)));
		used += grid_text(g, row, col + used, width - used, f->role,
				  " ");
	}
	if (f->glyph && g->ascii && f->role == ROLE_FAILED) {
		size_t n = 0;

		for (; text[n] && n < sizeof(upper) - 1; n++)
			upper[n] = (char)toupper((unsigned char)text[n]);
		upper[n] = '\0';
		text = upper;
	}
	if (column->right && !f->glyph)
		grid_text_right(g, row, col, width, f->role, text);
	else
		grid_text(g, row, col + used, width - used, f->role, text);
	return f->glyph ? col + used : -1;
}

static void draw_row(struct list_view *l, struct grid *g, struct rect r,
		     const struct list_context *context, const int *widths,
		     size_t index, bool focused)
{
	const json_t *item = l->rows[l->shown[index]].item;
	bool selected = index == l->cursor;
	int col = r.col, word = -1;

	if (selected && focused)
		grid_text(g, r.row, r.col - 2, 1, ROLE_NORMAL,
			  glyph(g->ascii, GLYPH_CURSOR));
	for (int i = 0; i < l->column_count; i++) {
		int room = r.col + r.cols - col, at;
		int width = widths[i] < room ? widths[i] : room;
		struct field f;

		if (widths[i] == 0 || width <= 0)
			continue;
		if (l->columns[i].paint) {
			l->columns[i].paint(g, r.row, col, width, item);
		} else {
			field_of(l, i, context, item, &f);
			at = draw_field(g, r.row, col, width, &l->columns[i],
					&f);
			if (word < 0)
				word = at;
		}
		col += widths[i] + 1;
	}
	if (selected && focused) {
		grid_flag(g, (struct rect){ r.row, r.col - 2, 1, r.cols + 2 },
			  CELL_SELECTED);
		grid_cursor(g, r.row, word >= 0 ? word : r.col);
	}
}

void list_view_draw(struct list_view *l, struct grid *g, struct rect r,
		    const struct list_context *context, bool titles,
		    bool focused)
{
	int widths[LIST_COLUMNS_MAX];

	CHECK("", l->column_count <= LIST_COLUMNS_MAX);
	r.col += 2;	/* the cursor's glyph and a blank */
	r.cols -= 2;
	if (r.rows < 1 || r.cols < 1)
		return;
	layout(l, r.cols, widths);
	if (titles) {
		draw_titles(l, g, r, widths);
		r.row++;
		r.rows--;
	}
	l->page = r.rows < 1 ? 1 : r.rows;
	if (l->cursor < l->top)
		l->top = l->cursor;
	if (l->cursor >= l->top + (size_t)l->page)
		l->top = l->cursor - (size_t)l->page + 1;
	if (l->top + (size_t)l->page > l->shown_count)
		l->top = l->shown_count > (size_t)l->page ?
			 l->shown_count - (size_t)l->page : 0;
	for (int i = 0; i < r.rows && l->top + (size_t)i < l->shown_count; i++)
		draw_row(l, g, (struct rect){ r.row + i, r.col, 1, r.cols },
			 context, widths, l->top + (size_t)i, focused);
}

const char *list_view_position(const struct list_view *l, bool ascii,
			       char *out, size_t out_size)
{
	size_t below = list_view_below(l);
	size_t last = l->shown_count - below;

	if (l->shown_count == 0) {
		snprintf(out, out_size, "0 of %zu", l->count);
		return out;
	}
	snprintf(out, out_size, "%zu-%zu of %zu%s%s%s", l->top + 1, last,
		 l->count, below ? "  " : "",
		 below ? glyph(ascii, GLYPH_DOWN) : "", below ? " more" : "");
	return out;
}
