/*
 * Local time and the calendar entries that hold at it (spec 3.5).  Pure.
 */
#ifndef REMUDA_CORE_CALENDAR_H
#define REMUDA_CORE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/core/spec.h"

struct calendar_time {
	int64_t day;		/* local days since 1970-01-01 */
	int minute;		/* of that day, 0..1439 */
	int weekday;		/* 0 = Monday */
	int year, month, mday;	/* month 1..12 */
};

/* wall_ms: since 1970 UTC; offset_s: local time is so far east of it. */
struct calendar_time calendar_local(int64_t wall_ms, int32_t offset_s);
void calendar_date(int64_t day, int *year, int *month, int *mday);
int64_t calendar_day(int year, int month, int mday);

bool calendar_holds(const struct site_calendar *e,
		    const struct calendar_time *t);
/* The size the entries that hold give together, later ones over earlier (0 = not
 * said), and the last of them, or NULL. */
const struct site_calendar *calendar_size(const struct site_cluster *c,
					  const struct calendar_time *t,
					  struct site_size *size);

#endif
