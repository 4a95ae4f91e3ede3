/*
 * The screen as an array of cells.  Views draw here and know nothing of
 * terminals: a cell is one character, its width and the role its text plays.
 * theme.c says how a role looks, term.c puts cells on the terminal.
 *
 * All columns and widths are terminal cells, never bytes.  Text is UTF-8 that
 * went through text_display(); bytes that are not UTF-8 become "?".
 */
#ifndef REMUDA_CONSOLE_CELLS_H
#define REMUDA_CONSOLE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ROLE(id, letter): the letter stands for the role in saved displays. */
#define ROLES(ROLE)                                                            \
	ROLE(NORMAL, '.')	/* text */                                     \
	ROLE(HEADER, 'h')	/* lines 1 and 2, column titles */             \
	ROLE(TITLE, 't')	/* title of a pane */                          \
	ROLE(FRAME, 'f')	/* lines between panes */                      \
	ROLE(STRONG, 'b')	/* names that need attention */                \
	ROLE(USED, 'u')		/* used by someone */                          \
	ROLE(FREE, 'r')		/* ready, up, ok */                            \
	ROLE(CHANGING, 'c')	/* on its way */                               \
	ROLE(LEAVING, 'l')	/* draining, held */                           \
	ROLE(WARN, 'w')		/* attention */                                \
	ROLE(FAILED, 'x')	/* failed */                                   \
	ROLE(OFF, 'o')		/* off, ended, secondary text */               \
	ROLE(UNKNOWN, '?')	/* not known now */                            \
	ROLE(STATUS, 'S')	/* the status word */                          \
	ROLE(KEY, 'k')		/* a key in the key line */                    \
	ROLE(INPUT, 'i')	/* text being typed */                        \
	ROLE(ACCENT, 'a')	/* the site's word in line 1 */

enum role {
#define ROLE(id, letter) ROLE_##id,
	ROLES(ROLE)
#undef ROLE
	ROLE_COUNT
};

char role_letter(enum role role);

enum cell_flag {
	CELL_SELECTED = 1,	/* the cursor's row, the default button */
	CELL_OLD = 2,		/* last known, not live */
	CELL_MARKED = 4,	/* bold, whatever its role */
};

enum { CELL_TEXT_SIZE = 13 };	/* one character and two marks, with NUL */

struct cell {
	char text[CELL_TEXT_SIZE];
	uint8_t width;	/* 1, 2; 0 is the right half of the cell before */
	uint8_t role;
	uint8_t flags;
	uint8_t colour;	/* 1 to 16 of a guest's sixteen, 0 = the role's */
};

struct rect {
	int row, col, rows, cols;
};

struct grid {
	int rows, cols;
	bool ascii;		/* draw only ASCII */
	struct cell *cells;
	int cursor_row, cursor_col;
};

/* Sizes below 1 become 1.  Memory that cannot be had ends the program. */
void grid_init(struct grid *g, int rows, int cols, bool ascii);
void grid_fini(struct grid *g);
void grid_clear(struct grid *g);
/* Borrowed; NULL outside. */
struct cell *grid_cell(const struct grid *g, int row, int col);

/*
 * Writes text from (row, col) on, at most limit cells, clipped at the grid.
 * A wide character that does not fit becomes a blank.  Returns cells used.
 */
int grid_text(struct grid *g, int row, int col, int limit, enum role role,
	      const char *text);
int grid_printf(struct grid *g, int row, int col, int limit, enum role role,
		const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Right-aligned in the cells col .. col + width - 1. */
void grid_text_right(struct grid *g, int row, int col, int width,
		     enum role role, const char *text);
/* Fills count cells with one single-cell character. */
void grid_repeat(struct grid *g, int row, int col, int count, enum role role,
		 const char *text);
void grid_blank(struct grid *g, struct rect r);
void grid_flag(struct grid *g, struct rect r, enum cell_flag flag);
/* Where the terminal's cursor stands: the thing a reader should hear. */
void grid_cursor(struct grid *g, int row, int col);

/* Cells that the text takes. */
int text_cells(bool ascii, const char *text);
/* Copies the part of text that fits in cells, with a NUL. */
void text_clip(bool ascii, char *out, size_t out_size, const char *text,
	       int cells);

/* One line of the grid as text without trailing blanks; out >= cols * 14. */
void grid_line(const struct grid *g, int row, char *out, size_t out_size);
/* One letter a cell: roles, selected cells as capitals or '#'. */
void grid_line_roles(const struct grid *g, int row, char *out, size_t out_size);

#endif
