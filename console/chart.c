/* Charts: see chart.h. */
#include "console/chart.h"

#include <inttypes.h>
#include <stdio.h>

#include "console/theme.h"

enum { EIGHTHS = 8 };

int64_t chart_top(int64_t n)
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

static void draw_axis(const struct chart *c, struct grid *g, struct rect r,
		      int64_t top)
{
	int rows = r.rows - 1, col = r.col + CHART_AXIS_CELLS - 1;

	for (int i = 0; i < rows; i++) {
		bool number = i == 0 || i == rows - 1 ||
			      (rows >= 9 && i == rows / 2);
		int64_t value = i == rows - 1 ? 0 : top * (rows - i) / rows;
		char text[24];

		grid_text(g, r.row + i, col, 1, ROLE_FRAME,
			  glyph(g->ascii, GLYPH_LINE_V));
		if (!number)
			continue;
		if (c->axis)
			c->axis(text, sizeof(text), value);
		else
			snprintf(text, sizeof(text), "%" PRId64, value);
		grid_text_right(g, r.row + i, r.col, CHART_AXIS_CELLS - 2,
				ROLE_OFF, text);
	}
}

void chart_draw(const struct chart *c, struct grid *g, struct rect r)
{
	int rows = r.rows - 1, step = c->bar_cells + c->gap, free_from = 0;
	int64_t most = 1, top;

	if (rows < 2 || r.cols < CHART_AXIS_CELLS + step)
		return;
	for (int i = 0; i < c->count; i++)
		most = c->values[i] > most ? c->values[i] : most;
	top = chart_top(most);
	draw_axis(c, g, r, top);
	for (int i = 0; i < c->count; i++) {
		struct rect bar = { r.row, r.col + CHART_AXIS_CELLS + i * step,
				    rows, c->bar_cells };
		char label[24] = "";
		/* A huge value must not overflow on its way to eighths. */
		int64_t value = c->values[i] < 0 ? 0 : c->values[i];
		int64_t eighths = top > INT64_MAX / (rows * EIGHTHS) ?
			value / (top / (rows * EIGHTHS)) :
			(value * rows * EIGHTHS + top - 1) / top;

		draw_bar(g, bar, eighths);
		if (c->label)
			c->label(c->arg, i, label, sizeof(label));
		if (!*label || bar.col < free_from)
			continue;
		free_from = bar.col + 1 +
			    grid_text(g, r.row + rows, bar.col,
				      r.col + r.cols - bar.col, ROLE_OFF,
				      label);
	}
}

void chart_fit(struct chart *c, int cols)
{
	int room = (cols - CHART_AXIS_CELLS) / (c->count ? c->count : 1);

	c->gap = room > 1;
	c->bar_cells = room - c->gap;
	c->bar_cells = c->bar_cells > 6 ? 6 : c->bar_cells < 1 ? 1 :
		       c->bar_cells;
}

void chart_spark(struct grid *g, int row, int col, int cells,
		 const int64_t *values, int count)
{
	int64_t most = 1;
	int first = count > cells ? count - cells : 0;

	for (int i = first; i < count; i++)
		most = values[i] > most ? values[i] : most;
	for (int i = first; i < count; i++) {
		int64_t part = values[i] < 0 ? 0 :
			       (values[i] * EIGHTHS + most - 1) / most;

		if (part == 0)
			continue;
		grid_text(g, row, col + i - first, 1, ROLE_USED,
			  part >= EIGHTHS ? glyph(g->ascii, GLYPH_BAR_USED) :
			  glyph(g->ascii, (enum glyph)(GLYPH_EIGHTH_1 + part -
						       1)));
	}
}
