/*
 * Lists on the screen and as text: which columns, how wide, each line.  See
 * list.h.  Columns go by their drop number when the window is narrow; going
 * right shows them again beside the first one.
 */
#include "console/list.h"

#include <ctype.h>
#include <string.h>

#include "console/theme.h"

/* ---- columns --------------------------------------------------------- */

void list_view_columns(const struct list_view *l, char *out, size_t out_size)
{
	size_t used = 0;

	out[0] = '\0';
	for (int i = 0; i < l->column_count && used < out_size; i++) {
		int at = l->order[i], n;

		n = snprintf(out + used, out_size - used, "%s%s%s",
			     i ? "|" : "", l->hidden >> at & 1 ? "-" : "",
			     l->columns[at].title);
		used += n > 0 ? (size_t)n : 0;
	}
}

/* The column of that title, or -1. */
static int column_titled(const struct list_view *l, const char *title,
			 size_t length)
{
	for (int i = 0; i < l->column_count; i++)
		if (strlen(l->columns[i].title) == length &&
		    strncmp(l->columns[i].title, title, length) == 0)
			return i;
	return -1;
}

void list_view_set_columns(struct list_view *l, const char *text)
{
	unsigned named = 0;
	int count = 0;

	l->hidden = 0;
	l->skip = 0;
	while (*text) {
		bool hide = *text == '-';
		size_t n = strcspn(text += hide, "|");
		int at = column_titled(l, text, n);

		text += n + (text[n] == '|');
		if (at < 0 || named >> at & 1)
			continue;
		named |= 1u << at;
		l->order[count++] = (uint8_t)at;
		l->hidden |= (unsigned)(hide && count > 1) << at;
	}
	for (int i = 0; i < l->column_count; i++)
		if (!(named >> i & 1))
			l->order[count++] = (uint8_t)i;
}

/* The columns on the screen, left to right; returns how many. */
static int visible(const struct list_view *l, int *out)
{
	int count = 0, skip = l->skip;

	for (int i = 0; i < l->column_count; i++) {
		int at = l->order[i];

		if (l->hidden >> at & 1)
			continue;
		if (count > 0 && skip > 0)
			skip--;
		else
			out[count++] = at;
	}
	return count;
}

bool list_view_sideways(struct list_view *l, int step)
{
	int columns[LIST_COLUMNS_MAX], skip = l->skip;

	l->skip = 0;
	int count = visible(l, columns);

	skip += step;
	skip = skip > count - 2 ? count - 2 : skip;
	l->skip = skip < 0 ? 0 : skip;
	return true;
}

/* ---- drawing --------------------------------------------------------- */

/* Decides the width of every column of the table for cols cells; 0 = left out. */
static void layout(const struct list_view *l, const int *columns, int count,
		   int cols, int *widths)
{
	int used = -1;

	memset(widths, 0, LIST_COLUMNS_MAX * sizeof(*widths));
	for (int i = 0; i < count; i++) {
		widths[columns[i]] = l->columns[columns[i]].width;
		used += widths[columns[i]] + 1;
	}
	/* Who went right wants those columns: what does not fit is cut there. */
	while (used > cols && l->skip == 0) {
		int worst = -1;

		for (int i = 0; i < count; i++) {
			int at = columns[i];

			if (widths[at] && l->columns[at].drop && (worst < 0 ||
			    l->columns[at].drop > l->columns[worst].drop))
				worst = at;
		}
		if (worst < 0)
			return;	/* what is left is clipped */
		used -= widths[worst] + 1;
		widths[worst] = 0;
	}
	/* Spare cells go to the columns that can use them, leftmost first. */
	for (bool grown = true; grown && used < cols;) {
		grown = false;
		for (int i = 0; i < count && used < cols; i++) {
			int at = columns[i];

			if (widths[at] && widths[at] < l->columns[at].width_max) {
				widths[at]++;
				used++;
				grown = true;
			}
		}
	}
}

/* What is drawn of a list: its columns and their widths. */
struct plan {
	int columns[LIST_COLUMNS_MAX];
	int count;
	int widths[LIST_COLUMNS_MAX];	/* by the table's index */
};

static void plan_make(const struct list_view *l, int cols, struct plan *p)
{
	p->count = visible(l, p->columns);
	layout(l, p->columns, p->count, cols, p->widths);
}

/* The blanks between are drawn like the titles: no change of colour for each. */
static void draw_titles(const struct list_view *l, struct grid *g,
			struct rect r, const struct plan *p)
{
	int col = r.col, done = r.col;

	for (int i = 0; i < p->count; i++) {
		const struct column *c = &l->columns[p->columns[i]];
		int room = r.col + r.cols - col, all = p->widths[p->columns[i]];
		int width = all < room ? all : room, at = col;
		int cells = text_cells(g->ascii, c->title);

		if (all == 0 || width <= 0)
			continue;
		if (c->right && cells < width)
			at += width - cells;
		grid_repeat(g, r.row, done, at - done, ROLE_HEADER, " ");
		done = at + grid_text(g, r.row, at, col + width - at,
				      ROLE_HEADER, c->title);
		col += all + 1;
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

static void draw_fields(const struct list_view *l, struct grid *g,
			struct rect r, const struct list_context *context,
			const struct plan *p, const json_t *item, int *word)
{
	int col = r.col;

	for (int i = 0; i < p->count; i++) {
		const struct column *c = &l->columns[p->columns[i]];
		int room = r.col + r.cols - col, all = p->widths[p->columns[i]];
		int width = all < room ? all : room, at;
		struct field f;

		if (all == 0 || width <= 0)
			continue;
		if (c->paint) {
			c->paint(g, r.row, col, width, item);
		} else {
			list_view_field(l, p->columns[i], context, item, &f);
			at = draw_field(g, r.row, col, width, c, &f);
			if (*word < 0)
				*word = at;
		}
		col += all + 1;
	}
}

static void draw_row(struct list_view *l, struct grid *g, struct rect r,
		     const struct list_context *context, const struct plan *p,
		     size_t index, bool focused)
{
	const struct list_row *row = &l->rows[l->shown[index]];
	bool selected = index == l->cursor && focused;
	struct rect whole = { r.row, r.col - 2, 1, r.cols + 2 };
	int word = -1;

	if (selected)
		grid_text(g, r.row, r.col - 2, 1, ROLE_NORMAL,
			  glyph(g->ascii, GLYPH_CURSOR));
	if (row->marked)
		grid_text(g, r.row, r.col - 1, 1, ROLE_STRONG,
			  glyph(g->ascii, GLYPH_MARK));
	draw_fields(l, g, r, context, p, row->item, &word);
	if (row->marked)
		grid_flag(g, whole, CELL_MARKED);
	if (selected) {
		grid_flag(g, whole, CELL_SELECTED);
		grid_cursor(g, r.row, word >= 0 ? word : r.col);
	}
}

void list_view_draw(struct list_view *l, struct grid *g, struct rect r,
		    const struct list_context *context, bool titles,
		    bool focused)
{
	struct plan plan;

	r.col += 2;	/* the cursor's glyph and a blank */
	r.cols -= 2;
	if (r.rows < 1 || r.cols < 1)
		return;
	plan_make(l, r.cols, &plan);
	if (titles) {
		draw_titles(l, g, r, &plan);
		r.row++;
		r.rows--;
	}
	l->page = r.rows < 1 ? 1 : r.rows;
	l->drawn = (struct rect){ r.row, r.col - 2, r.rows, r.cols + 2 };
	if (l->cursor < l->top)
		l->top = l->cursor;
	if (l->cursor >= l->top + (size_t)l->page)
		l->top = l->cursor - (size_t)l->page + 1;
	if (l->top + (size_t)l->page > l->shown_count)
		l->top = l->shown_count > (size_t)l->page ?
			 l->shown_count - (size_t)l->page : 0;
	for (int i = 0; i < r.rows && l->top + (size_t)i < l->shown_count; i++)
		draw_row(l, g, (struct rect){ r.row + i, r.col, 1, r.cols },
			 context, &plan, l->top + (size_t)i, focused);
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

/* ---- as text --------------------------------------------------------- */

/* Text in width cells, or all of it when width is 0. */
static void print_cell(FILE *out, const char *text, int width, bool right)
{
	int blanks = width - text_cells(false, text);

	if (right)
		fprintf(out, "%*s%s", blanks > 0 ? blanks : 0, "", text);
	else
		fprintf(out, "%s%*s", text, blanks > 0 ? blanks : 0, "");
}

void list_view_print(const struct list_view *l,
		     const struct list_context *context, FILE *out)
{
	struct list_view all = *l;	/* from the first column on */
	int columns[LIST_COLUMNS_MAX], widths[LIST_COLUMNS_MAX], count;
	struct field f;

	all.skip = 0;
	count = visible(&all, columns);
	for (int i = 0; i < count; i++) {
		widths[i] = text_cells(false, l->columns[columns[i]].title);
		for (size_t row = 0; row < l->shown_count; row++) {
			list_view_field(l, columns[i], context,
					l->rows[l->shown[row]].item, &f);
			int cells = text_cells(false, f.text);

			widths[i] = cells > widths[i] ? cells : widths[i];
		}
	}
	for (size_t row = 0; row <= l->shown_count; row++) {
		for (int i = 0; i < count; i++) {
			const struct column *c = &l->columns[columns[i]];

			f = (struct field){ .text = c->title };
			if (row > 0)
				list_view_field(l, columns[i], context,
						l->rows[l->shown[row - 1]].item,
						&f);
			print_cell(out, f.text, i == count - 1 && !c->right ?
				   0 : widths[i], c->right);
			fputs(i == count - 1 ? "\n" : "  ", out);
		}
	}
}
