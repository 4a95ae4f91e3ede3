/*
 * A frame on the terminal: what changed of the grid, cell by cell to ncurses,
 * and from there in one write.  ncurses 6.4 flushes before every move of the
 * cursor, which shows frames in dozens of pieces and wakes the terminal for
 * each.  So its descriptor is a file in memory while it draws; what is in it
 * then goes to the terminal at once.  A handler of a fatal signal has the
 * terminal by another descriptor (term_signal.c) and cannot miss it meanwhile.
 */
#include "console/term_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

#include "engine/base/check.h"

enum { RUN_CELLS = 128 };	/* put at once */

/* ---- in one write ---------------------------------------------------- */

void term_frame_open(struct term *t)
{
	int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	/* Without a second descriptor, or memory, frames come in pieces. */
	t->tty_fd = copy < 0 ? STDOUT_FILENO : copy;
	t->frame_fd = copy < 0 || t->script ? -1 :
		      memfd_create("frame", MFD_CLOEXEC);
}

void term_frame_close(struct term *t)
{
	if (t->frame_fd >= 0)
		close(t->frame_fd);
	if (t->tty_fd > STDERR_FILENO)
		close(t->tty_fd);
	free(t->frame);
}

/* False: what is drawn goes to the terminal as it comes. */
static bool frame_begin(struct term *t)
{
	return t->frame_fd >= 0 && lseek(t->frame_fd, 0, SEEK_SET) == 0 &&
	       dup2(t->frame_fd, STDOUT_FILENO) >= 0;
}

/* The drawn bytes; NULL when they cannot be read back. */
static const char *take_frame(struct term *t, size_t length)
{
	if (length > t->frame_size) {
		t->frame_size = length * 2;
		t->frame = realloc(t->frame, t->frame_size);
		CHECK("", t->frame, "out of memory");
	}
	return pread(t->frame_fd, t->frame, length, 0) == (ssize_t)length ?
	       t->frame : NULL;
}

static void frame_end(struct term *t)
{
	off_t length = lseek(t->frame_fd, 0, SEEK_CUR);
	const char *bytes = length > 0 ? take_frame(t, (size_t)length) : NULL;

	while (dup2(t->tty_fd, STDOUT_FILENO) < 0 && errno == EINTR)
		;
	if (bytes)
		term_write(t, bytes, (size_t)length);
	else if (length > 0)
		clearok(curscr, TRUE);	/* the next frame draws it all */
}

/* ---- cells ----------------------------------------------------------- */

/* A piece of a frame at (row, col), as its ASCII sign; 0 = none. */
static char line_at(const struct grid *g, int row, int col)
{
	const struct cell *c = grid_cell(g, row, col);

	return c && c->role == ROLE_FRAME && strchr("-|+", c->text[0]) &&
	       c->text[1] == '\0' ? c->text[0] : 0;
}

/* The terminal's own line for it; which corner shows in what is beside it. */
static chtype line_of(const struct grid *g, int row, int col)
{
	char sign = line_at(g, row, col);
	bool right = line_at(g, row, col + 1) == '-';
	char under = line_at(g, row + 1, col);

	if (sign == '-')
		return ACS_HLINE;
	if (sign == '|')
		return ACS_VLINE;
	if (under == '|')
		return right ? ACS_ULCORNER : ACS_URCORNER;
	return right ? ACS_LLCORNER : ACS_LRCORNER;
}

static attr_t attrs_of(const struct style *s)
{
	return (s->attrs & STYLE_BOLD ? A_BOLD : 0) |
	       (s->attrs & STYLE_DIM ? A_DIM : 0) |
	       (s->attrs & STYLE_UNDERLINE ? A_UNDERLINE : 0) |
	       (s->attrs & STYLE_REVERSE ? A_REVERSE : 0);
}

static void look_of(const struct term *t, const struct cell *c, attr_t *attrs,
		    short *pair)
{
	struct style s = theme_style((enum role)c->role, c->flags, &t->look);

	*attrs = attrs_of(&s);
	*pair = 0;
	if (c->colour && t->look.colours && t->look.theme != THEME_MONO) {
		*pair = (short)(PAIR_GUEST + (c->colour - 1) % 8);
		*attrs |= c->colour > 8 ? A_BOLD : 0;
	} else if (s.colour >= 0)
		*pair = c->flags & CELL_OLD ? PAIR_OLD : (short)(c->role + 1);
}

static void make_cell(const struct term *t, const struct cell *c, cchar_t *out)
{
	wchar_t wide[8] = L" ";
	attr_t attrs;
	short pair;

	if ((c->text[0] & 0x80) == 0 && c->text[1] == '\0')
		wide[0] = c->text[0] ? (wchar_t)c->text[0] : L' ';
	else if (mbstowcs(wide, c->text, 7) == (size_t)-1)
		wcscpy(wide, L"?");
	look_of(t, c, &attrs, &pair);
	setcchar(out, wide, attrs, pair, NULL);
}

/* The row's signs, each once however many cells it has. */
static void put_row(const struct term *t, const struct grid *grid, int row)
{
	const struct cell *cells = grid_cell(grid, row, 0), *before = NULL;
	cchar_t run[RUN_CELLS];

	for (int col = 0; col < grid->cols;) {
		int from = col, n = 0;

		if (!cells[col].width) {	/* of the sign before it */
			col++;
			continue;
		}
		for (; col < grid->cols && n < RUN_CELLS; col++) {
			if (!cells[col].width)
				continue;
			if (n > 0 && memcmp(before, &cells[col],
					    sizeof(*before)) == 0)
				run[n] = run[n - 1];
			else
				make_cell(t, &cells[col], &run[n]);
			before = &cells[col];
			n++;
		}
		mvadd_wchnstr(row, from, run, n);
	}
}

/* Over the frame's ASCII signs the terminal's own lines. */
static void put_lines(const struct term *t, const struct grid *grid, int row)
{
	attr_t attrs;
	short pair;

	for (int col = 0; col < grid->cols; col++) {
		if (!line_at(grid, row, col))
			continue;
		look_of(t, grid_cell(grid, row, col), &attrs, &pair);
		mvaddch(row, col, line_of(grid, row, col) | attrs |
			COLOR_PAIR(pair));
	}
}

static bool same_size(const struct term *t, const struct grid *grid)
{
	return t->shown_valid && t->shown.rows == grid->rows &&
	       t->shown.cols == grid->cols;
}

void term_show(struct term *t, const struct grid *grid, bool whole)
{
	size_t line = (size_t)grid->cols * sizeof(struct cell);
	bool changed = whole;

	if (!same_size(t, grid)) {
		grid_fini(&t->shown);
		grid_init(&t->shown, grid->rows, grid->cols, grid->ascii);
		changed = true;
		t->shown_valid = false;
		erase();
	}
	for (int row = 0; row < grid->rows; row++) {
		const struct cell *want = grid_cell(grid, row, 0);
		struct cell *have = grid_cell(&t->shown, row, 0);

		if (t->shown_valid && !whole && memcmp(want, have, line) == 0)
			continue;
		put_row(t, grid, row);
		if (t->acs)
			put_lines(t, grid, row);
		memcpy(have, want, line);
		changed = true;
	}
	changed = changed || t->shown.cursor_row != grid->cursor_row ||
		  t->shown.cursor_col != grid->cursor_col;
	t->shown_valid = true;
	if (!changed)
		return;
	t->shown.cursor_row = grid->cursor_row;
	t->shown.cursor_col = grid->cursor_col;
	if (whole)
		clearok(curscr, TRUE);
	move(grid->cursor_row, grid->cursor_col);
	wnoutrefresh(stdscr);
	bool framed = frame_begin(t);

	/* Around what doupdate() writes and flushes; nothing waits in it now. */
	if (t->sync)
		term_say(t, "\033[?2026h");
	doupdate();
	if (t->sync)
		term_say(t, "\033[?2026l");
	if (framed)
		frame_end(t);
}
