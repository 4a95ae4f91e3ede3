/* Text in a pane: see pager.h.  Owned by the view that shows it. */
#include "console/pager.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/check.h"
#include "engine/base/text.h"

enum { TAB_CELLS = 8, SIDE_CELLS = 8, LINE_BYTES_MAX = 100 * 1024 };

void pager_init(struct pager *p, bool wrap)
{
	*p = (struct pager){ .wrap = wrap, .page = 1 };
}

void pager_fini(struct pager *p)
{
	free(p->text);
	free(p->lines);
	*p = (struct pager){ 0 };
}

void pager_clear(struct pager *p)
{
	p->used = p->count = p->top = 0;
	p->found = false;
}

const char *pager_line(const struct pager *p, size_t i)
{
	return i < p->count ? p->text + p->lines[i] : "";
}

/* The older half goes, so that a long log costs one move in many lines. */
static void forget(struct pager *p)
{
	size_t half = p->count / 2, bytes;

	if (half == 0)
		return;
	bytes = p->lines[half];
	memmove(p->text, p->text + bytes, p->used - bytes);
	p->used -= bytes;
	p->count -= half;
	for (size_t i = 0; i < p->count; i++)
		p->lines[i] = p->lines[i + half] - bytes;
	p->top = p->top > half ? p->top - half : 0;
	p->found = p->found && p->hit >= half;
	p->hit -= p->found ? half : 0;
}

static void add_line(struct pager *p, const char *line, size_t length)
{
	size_t need;
	char *at;

	if (length > LINE_BYTES_MAX)
		length = LINE_BYTES_MAX;
	need = length * 8 + 1;	/* every byte an escape or a tab */
	if (p->used + length > PAGER_BYTES_MAX)
		forget(p);
	if (p->used + need > p->size) {
		p->size = (p->used + need) * 2;
		p->text = realloc(p->text, p->size);
	}
	if (p->count == p->line_size) {
		p->line_size = p->line_size ? p->line_size * 2 : 64;
		p->lines = realloc(p->lines, p->line_size * sizeof(*p->lines));
	}
	CHECK("", p->text && p->lines, "out of memory");
	p->lines[p->count++] = p->used;
	at = p->text + p->used;
	for (size_t i = 0; i < length;) {
		const char *tab = memchr(line + i, '\t', length - i);
		size_t n = tab ? (size_t)(tab - line) - i : length - i;

		text_display(at, need - (size_t)(at - p->text - p->used),
			     line + i, n);
		at += strlen(at);
		i += n + 1;
		for (size_t col = (size_t)(at - p->text) - p->used; tab;) {
			*at++ = ' ';
			if (++col % TAB_CELLS == 0)
				break;
		}
	}
	*at = '\0';
	p->used = (size_t)(at - p->text) + 1;
}

void pager_add(struct pager *p, const char *text, size_t length)
{
	while (length > 0) {
		const char *end = memchr(text, '\n', length);
		size_t n = end ? (size_t)(end - text) : length;
		size_t shown = n > 0 && text[n - 1] == '\r' ? n - 1 : n;

		add_line(p, text, shown);
		n += end != NULL;
		text += n;
		length -= n;
	}
}

void pager_printf(struct pager *p, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n == 0)
		add_line(p, "", 0);
	else
		pager_add(p, line, strlen(line));
}

/* ---- moving ---------------------------------------------------------- */

size_t pager_below(const struct pager *p)
{
	size_t last = p->top + (size_t)p->page;

	return last < p->count ? p->count - last : 0;
}

static void move_to(struct pager *p, int64_t top)
{
	int64_t most = (int64_t)p->count - p->page;

	/* Wrapped lines need more rows: the last may go to the top. */
	if (p->wrap)
		most = (int64_t)p->count - 1;
	top = top > most ? most : top;
	p->top = top < 0 ? 0 : (size_t)top;
}

static const char *has(const char *line, const char *word)
{
	return *word ? strcasestr(line, word) : NULL;
}

/* The next hit after, or before, the line; around the ends. */
static bool find_from(struct pager *p, size_t from, bool backwards)
{
	for (size_t i = 0; i < p->count; i++) {
		size_t at = (from + (backwards ? p->count - i : i)) % p->count;

		if (!has(pager_line(p, at), p->search))
			continue;
		p->hit = at;
		p->found = true;
		p->follow = false;
		if (at < p->top || at >= p->top + (size_t)p->page)
			move_to(p, (int64_t)at - p->page / 3);
		return true;
	}
	p->found = false;
	return false;
}

void pager_find(struct pager *p, const char *text)
{
	TEXT_SET(p->search, text);
	if (!*text || p->count == 0)
		p->found = false;
	else
		find_from(p, p->top, false);
}

bool pager_intent(struct pager *p, enum intent intent)
{
	int64_t top = (int64_t)p->top;
	int step = p->page > 1 ? p->page - 1 : 1;

	if (intent == INTENT_SEARCH_NEXT || intent == INTENT_SEARCH_PREVIOUS) {
		bool back = intent == INTENT_SEARCH_PREVIOUS;

		if (p->count && *p->search)
			find_from(p, p->found ? (p->hit + (back ? p->count - 1 :
				  1)) % p->count : p->top, back);
		return true;
	}
	if (intent == INTENT_LEFT || intent == INTENT_RIGHT) {
		p->left += intent == INTENT_RIGHT ? SIDE_CELLS : -SIDE_CELLS;
		p->left = p->left < 0 || p->wrap ? 0 : p->left;
		return true;
	}
	if (intent == INTENT_FOLLOW) {
		p->follow = !p->follow;
		return true;
	}
	if (intent == INTENT_UP)
		top--;
	else if (intent == INTENT_DOWN)
		top++;
	else if (intent == INTENT_PAGE_UP)
		top -= step;
	else if (intent == INTENT_PAGE_DOWN)
		top += step;
	else if (intent == INTENT_FIRST)
		top = 0;
	else if (intent == INTENT_LAST)
		top = (int64_t)p->count;
	else
		return false;
	p->follow = intent == INTENT_LAST && !p->wrap ? p->follow : false;
	move_to(p, top);
	return true;
}

/* ---- drawing --------------------------------------------------------- */

/* The part of a line from cell left on. */
static const char *from_cell(const struct grid *g, const char *line, int left)
{
	char skipped[1024];

	if (left == 0)
		return line;
	text_clip(g->ascii, skipped, sizeof(skipped), line, left);
	return line + strlen(skipped);
}

/* Bytes of text that fit in cells, broken at a blank if there is one. */
static size_t wrap_at(const struct grid *g, const char *text, int cells)
{
	char line[1024], *blank;
	size_t n;

	text_clip(g->ascii, line, sizeof(line), text, cells);
	n = strlen(line);
	if (text[n] == '\0' || text[n] == ' ')
		return n;
	blank = strrchr(line, ' ');
	return blank && blank > line + strspn(line, " ") ?
	       (size_t)(blank - line) : n;
}

static void flag_hit(const struct pager *p, struct grid *g, int row,
		     struct rect r, const char *line)
{
	const char *at = has(line, p->search);
	char before[1024];

	if (!at)
		return;
	snprintf(before, sizeof(before), "%.*s", (int)(at - line), line);
	grid_flag(g, (struct rect){ row, r.col + text_cells(g->ascii, before),
				    1, (int)strlen(p->search) },
		  CELL_SELECTED);
}

static int draw_line(const struct pager *p, struct grid *g, int row,
		     struct rect r, size_t i)
{
	const char *line = pager_line(p, i);
	enum role role = p->found && p->hit == i ? ROLE_STRONG : ROLE_NORMAL;
	int used = 0;

	if (!p->wrap) {
		const char *part = from_cell(g, line, p->left);

		grid_text(g, row, r.col, r.cols, role, part);
		if (p->found && p->hit == i)
			flag_hit(p, g, row, r, part);
		return 1;
	}
	do {
		char part[1024];
		size_t n = wrap_at(g, line, r.cols);

		if (n == 0 && *line)
			break;	/* not even one character fits */
		snprintf(part, sizeof(part), "%.*s", (int)n, line);
		grid_text(g, row + used, r.col, r.cols, role, part);
		if (p->found && p->hit == i)
			flag_hit(p, g, row + used, r, part);
		used++;
		line += n;
		line += *line == ' ';
	} while (*line && row + used < r.row + r.rows);
	return used ? used : 1;
}

void pager_draw(struct pager *p, struct grid *g, struct rect r)
{
	int row = r.row;
	size_t i;

	if (r.rows < 1 || r.cols < 1)
		return;
	p->page = r.rows;
	if (p->follow)
		p->top = p->count > (size_t)r.rows ? p->count - (size_t)r.rows :
			 0;
	else if (!p->wrap)
		move_to(p, (int64_t)p->top);
	for (i = p->top; i < p->count && row < r.row + r.rows; i++) {
		if (p->found && p->hit == i)
			grid_cursor(g, row, r.col);
		row += draw_line(p, g, row, r, i);
	}
	if (p->wrap)
		p->page = (int)(i - p->top) > 0 ? (int)(i - p->top) : 1;
	if (!p->found)
		grid_cursor(g, r.row, r.col);
}
