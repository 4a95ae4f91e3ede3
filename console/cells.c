/*
 * Cells: see cells.h.  Owned by the console process; no locale but wcwidth(),
 * which is right for UTF-8 locales and never asked for an ASCII grid.
 *
 * Invariant: a cell of width 2 is followed by one of width 0, and a cell of
 * width 0 follows one of width 2.  Every write keeps it by blanking the other
 * half of what it cuts.
 */
#include "console/cells.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "engine/base/check.h"

char role_letter(enum role role)
{
	static const char letters[ROLE_COUNT] = {
#define ROLE(id, letter) [ROLE_##id] = letter,
		ROLES(ROLE)
#undef ROLE
	};

	return letters[role];
}

static void cell_blank(struct cell *c)
{
	*c = (struct cell){ .text = " ", .width = 1 };
}

void grid_init(struct grid *g, int rows, int cols, bool ascii)
{
	*g = (struct grid){ .rows = rows < 1 ? 1 : rows,
			    .cols = cols < 1 ? 1 : cols, .ascii = ascii };
	g->cells = calloc((size_t)g->rows * (size_t)g->cols,
			  sizeof(*g->cells));
	CHECK("", g->cells, "out of memory");
	grid_clear(g);
}

void grid_fini(struct grid *g)
{
	free(g->cells);
	*g = (struct grid){ 0 };
}

void grid_clear(struct grid *g)
{
	for (int i = 0; i < g->rows * g->cols; i++)
		cell_blank(&g->cells[i]);
	g->cursor_row = g->rows - 1;
	g->cursor_col = 0;
}

struct cell *grid_cell(const struct grid *g, int row, int col)
{
	if (row < 0 || row >= g->rows || col < 0 || col >= g->cols)
		return NULL;
	return &g->cells[row * g->cols + col];
}

/* The next code point; invalid bytes give '?' one by one. */
static const char *utf8_next(const char *text, uint32_t *cp)
{
	const unsigned char *s = (const unsigned char *)text;
	int more = s[0] < 0x80 ? 0 : s[0] < 0xc2 ? -1 : s[0] < 0xe0 ? 1 :
		   s[0] < 0xf0 ? 2 : s[0] < 0xf5 ? 3 : -1;

	*cp = more <= 0 ? s[0] : s[0] & (0x3fu >> more);
	for (int i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			more = -1;
			break;
		}
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (more < 0) {
		*cp = '?';
		return text + 1;
	}
	return text + 1 + more;
}

/* Width of a code point and what to print for it. */
static int cp_width(bool ascii, uint32_t cp, bool *replace)
{
	int width = 1;

	*replace = cp < 0x20 || cp == 0x7f || (ascii && cp >= 0x80);
	if (!*replace && cp >= 0x80)
		width = wcwidth((wchar_t)cp);
	if (width < 0) {
		*replace = true;
		width = 1;
	}
	return width;
}

/* Makes room for a write of the cell: its other half becomes a blank. */
static void cell_cut(struct grid *g, int row, int col)
{
	struct cell *c = grid_cell(g, row, col);
	struct cell *left = grid_cell(g, row, col - 1);
	struct cell *right = grid_cell(g, row, col + 1);

	if (c->width == 0 && left)
		cell_blank(left);
	if (c->width == 2 && right)
		cell_blank(right);
}

static void cell_put(struct grid *g, int row, int col, int width,
		     enum role role, const char *bytes, size_t length)
{
	for (int i = 0; i < width; i++)
		cell_cut(g, row, col + i);
	struct cell *c = grid_cell(g, row, col);

	*c = (struct cell){ .width = (uint8_t)width, .role = (uint8_t)role };
	memcpy(c->text, bytes, length < CELL_TEXT_SIZE - 1 ?
			       length : CELL_TEXT_SIZE - 1);
	if (width == 2)
		c[1] = (struct cell){ .role = (uint8_t)role };
}

/* A combining mark joins the cell before it if there is room. */
static void cell_join(struct cell *c, const char *bytes, size_t length)
{
	size_t used = c ? strlen(c->text) : 0;

	if (used && used + length < CELL_TEXT_SIZE)
		memcpy(c->text + used, bytes, length);
}

int grid_text(struct grid *g, int row, int col, int limit, enum role role,
	      const char *text)
{
	int end = col + limit > g->cols ? g->cols : col + limit;
	int at = col;
	struct cell *last = NULL;

	if (row < 0 || row >= g->rows || col < 0)
		return 0;
	while (*text && at < end) {
		uint32_t cp;
		bool replace;
		const char *next = utf8_next(text, &cp);
		int width = cp_width(g->ascii, cp, &replace);
		bool valid = cp != '?' || *text == '?';

		if (width == 0) {
			cell_join(last, text, (size_t)(next - text));
		} else if (at + width > end) {
			cell_put(g, row, at, 1, role, " ", 1);
			at++;
		} else {
			bool plain = replace || !valid;

			cell_put(g, row, at, width, role, plain ? "?" : text,
				 plain ? 1 : (size_t)(next - text));
			last = grid_cell(g, row, at);
			at += width;
		}
		text = next;
	}
	return at - col;
}

int grid_printf(struct grid *g, int row, int col, int limit, enum role role,
		const char *fmt, ...)
{
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return grid_text(g, row, col, limit, role, buf);
}

void grid_text_right(struct grid *g, int row, int col, int width,
		     enum role role, const char *text)
{
	int used = text_cells(g->ascii, text);

	grid_text(g, row, used < width ? col + width - used : col,
		  used < width ? used : width, role, text);
}

void grid_repeat(struct grid *g, int row, int col, int count, enum role role,
		 const char *text)
{
	for (int i = 0; i < count; i++)
		grid_text(g, row, col + i, 1, role, text);
}

void grid_blank(struct grid *g, struct rect r)
{
	for (int i = 0; i < r.rows; i++)
		grid_repeat(g, r.row + i, r.col, r.cols, ROLE_NORMAL, " ");
}

void grid_flag(struct grid *g, struct rect r, enum cell_flag flag)
{
	for (int i = 0; i < r.rows; i++)
		for (int j = 0; j < r.cols; j++) {
			struct cell *c = grid_cell(g, r.row + i, r.col + j);

			if (c)
				c->flags |= (uint8_t)flag;
		}
}

void grid_cursor(struct grid *g, int row, int col)
{
	if (grid_cell(g, row, col)) {
		g->cursor_row = row;
		g->cursor_col = col;
	}
}

int text_cells(bool ascii, const char *text)
{
	int cells = 0;

	while (*text) {
		uint32_t cp;
		bool replace;

		text = utf8_next(text, &cp);
		cells += cp_width(ascii, cp, &replace);
	}
	return cells;
}

void text_clip(bool ascii, char *out, size_t out_size, const char *text,
	       int cells)
{
	size_t used = 0;

	while (*text) {
		uint32_t cp;
		bool replace;
		const char *next = utf8_next(text, &cp);
		size_t length = (size_t)(next - text);

		cells -= cp_width(ascii, cp, &replace);
		if (cells < 0 || used + length + 1 > out_size)
			break;
		memcpy(out + used, text, length);
		used += length;
		text = next;
	}
	out[used] = '\0';
}

void grid_line(const struct grid *g, int row, char *out, size_t out_size)
{
	size_t used = 0, end = 0;

	for (int col = 0; col < g->cols; col++) {
		const struct cell *c = grid_cell(g, row, col);
		size_t n = strlen(c->text);

		if (used + n + 1 > out_size)
			break;
		memcpy(out + used, c->text, n);
		used += n;
		if (strcmp(c->text, " ") != 0)
			end = used;
	}
	out[end] = '\0';
}

void grid_line_roles(const struct grid *g, int row, char *out, size_t out_size)
{
	size_t used = 0;

	for (int col = 0; col < g->cols && used + 1 < out_size; col++) {
		const struct cell *c = grid_cell(g, row, col);
		char letter = role_letter((enum role)c->role);

		if (c->flags & CELL_SELECTED)
			letter = letter >= 'a' && letter <= 'z' ?
				 (char)(letter - 32) : '#';
		else if (c->flags & CELL_OLD)
			letter = '_';
		out[used++] = letter;
	}
	out[used] = '\0';
}
