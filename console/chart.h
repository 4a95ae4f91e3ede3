/*
 * Numbers as bars and as a line of eighths.  Heights are rounded up: one is
 * seen.  Pure drawing into cells.
 */
#ifndef REMUDA_CONSOLE_CHART_H
#define REMUDA_CONSOLE_CHART_H

#include <stdbool.h>
#include <stdint.h>

#include "console/cells.h"

enum { CHART_BARS_MAX = 64, CHART_AXIS_CELLS = 8 };

struct chart {
	int64_t values[CHART_BARS_MAX];	/* -1 = not known */
	int count;
	int bar_cells, gap;
	int cursor;		/* bar marked below, -1 = none */
	/* The number at the axis; NULL = as it is. */
	const char *(*axis)(char *out, size_t size, int64_t value);
	/* What stands under a bar; "" for nothing. */
	void (*label)(const void *arg, int bar, char *out, size_t size);
	const void *arg;
};

/* The smallest of 1, 2, 4, 6, 8, 10, 20, 40 ... that is not below n. */
int64_t chart_top(int64_t n);
/* Axis, bars, a line of labels. */
void chart_draw(const struct chart *c, struct grid *g, struct rect r);
/* How many cells a bar gets in a pane of that width; gap with it. */
void chart_fit(struct chart *c, int cols);
/* One cell a value, newest right; -1 leaves a blank. */
void chart_spark(struct grid *g, int row, int col, int cells,
		 const int64_t *values, int count);

#endif
