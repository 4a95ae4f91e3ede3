/*
 * Sessions of each of the last 24 hours as bars: what the site's day looks
 * like.  Hours are those of the clock (UTC), so the last bar is the running hour.
 */
#include "console/view.h"

#include <inttypes.h>

#include "console/theme.h"

enum {
	BAR_CELLS = 2,
	AXIS_COL = 5,		/* after "9999 " */
	EIGHTHS = 8,
};

/* The smallest of 1, 2, 4, 6, 8, 10, 20, 40 ... that is not below n. */
static int64_t round_top(int64_t n)
{
	for (int64_t step = 1;; step *= 10)
		for (int i = 1; i < 10; i = i == 1 ? 2 : i + 2)
			if (i * step >= n)
				return i * step;
}

static void draw_bar(struct grid *g, struct rect r, int64_t eighths)
{
	for (int up = 0; up < r.rows && eighths > 0; up++) {
		int part = eighths < EIGHTHS ? (int)eighths : EIGHTHS;
		enum glyph full = GLYPH_BAR_USED;

		grid_repeat(g, r.row + r.rows - 1 - up, r.col, r.cols,
			    ROLE_USED, glyph(g->ascii, part == EIGHTHS ? full :
					     (enum glyph)(GLYPH_EIGHTH_1 +
							  part - 1)));
		eighths -= part;
	}
}

static void draw_axis(struct grid *g, struct rect r, int64_t top, int64_t total)
{
	static const char *const marks[] = { "-24h", "-18h", "-12h", "-6h" };
	int base = r.row + r.rows - 1, bars = r.col + AXIS_COL + 1;

	for (int row = r.row; row < base; row++)
		grid_text(g, row, r.col + AXIS_COL, 1, ROLE_FRAME,
			  glyph(g->ascii, GLYPH_LINE_V));
	grid_printf(g, r.row, r.col, AXIS_COL, ROLE_OFF, "%4" PRId64, top);
	grid_printf(g, base - 1, r.col, AXIS_COL, ROLE_OFF, "%4d", 0);
	for (int i = 0; i < 4; i++)
		grid_text(g, base, bars + i * 6 * BAR_CELLS, 5, ROLE_OFF,
			  marks[i]);
	grid_printf(g, base, bars + MODEL_HOURS * BAR_CELLS - 3,
		    r.cols - AXIS_COL - MODEL_HOURS * BAR_CELLS + 2, ROLE_OFF,
		    "now  %" PRId64, total);
}

void view_hours(struct grid *g, struct rect r, const struct model *m)
{
	int64_t most = 0, total = 0, top;
	int rows;

	r = view_pane(g, r, "Sessions per hour", NULL);
	if (r.rows < 3 || r.cols < AXIS_COL + MODEL_HOURS * BAR_CELLS + 4)
		return;
	for (int i = 0; i < MODEL_HOURS; i++) {
		total += m->per_hour[i];
		most = m->per_hour[i] > most ? m->per_hour[i] : most;
	}
	if (total == 0) {
		grid_text(g, r.row + 1, r.col + 2, r.cols - 3, ROLE_OFF,
			  m->per_hour_known ? "None in the last 24 hours." :
			  "The engine has not counted them yet.");
		return;
	}
	top = round_top(most);
	rows = r.rows - 1;
	draw_axis(g, r, top, total);
	for (int i = 0; i < MODEL_HOURS; i++) {
		struct rect bar = { r.row, r.col + AXIS_COL + 1 + i * BAR_CELLS,
				    rows, BAR_CELLS };

		/* Rounded up: one session is seen. */
		draw_bar(g, bar, (m->per_hour[i] * rows * EIGHTHS + top - 1) /
			 top);
	}
}
