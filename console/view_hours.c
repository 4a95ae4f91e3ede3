/*
 * Sessions of each of the last 24 hours as bars: what the site's day looks
 * like.  Hours are those of the clock (UTC), so the last bar is the running hour.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>

#include "console/chart.h"

enum { BAR_CELLS = 2 };

static void label(const void *arg, int bar, char *out, size_t size)
{
	int64_t total = *(const int64_t *)arg;

	if (bar % 6 == 0)
		snprintf(out, size, "-%dh", MODEL_HOURS - bar);
	else if (bar == MODEL_HOURS - 2)
		snprintf(out, size, "now  %" PRId64, total);
}

void view_hours(struct grid *g, struct rect r, const struct model *m)
{
	int64_t total = 0;
	struct chart c = { .count = MODEL_HOURS, .bar_cells = BAR_CELLS,
			   .cursor = -1, .label = label, .arg = &total };

	r = view_pane(g, r, "Sessions per hour", NULL);
	if (r.rows < 3 ||
	    r.cols < CHART_AXIS_CELLS + MODEL_HOURS * BAR_CELLS + 4)
		return;
	for (int i = 0; i < MODEL_HOURS; i++) {
		c.values[i] = m->per_hour[i];
		total += m->per_hour[i];
	}
	if (total == 0)
		grid_text(g, r.row + 1, r.col + 2, r.cols - 3, ROLE_OFF,
			  m->per_hour_known ? "None in the last 24 hours." :
			  "The engine has not counted them yet.");
	else
		chart_draw(&c, g, r);
}
