/*
 * Times that come again, as the site file writes them: "Dec,May", "Mon-Fri
 * 08:00-18:00", "Jun-Aug Sat,Sun", "2026-12-24..2027-01-02".  Local time; days
 * are counted from 1970-01-01, which is day 0.  What holds when is the core's to
 * say (engine/core/calendar.h).
 */
#ifndef REMUDA_BASE_SCHEDULE_H
#define REMUDA_BASE_SCHEDULE_H

#include <stdint.h>

struct error;

enum { SCHEDULE_TEXT_SIZE = 256 };	/* an entry's text, with its NUL */

struct schedule {
	uint16_t months;	/* bit 1..12; 0 = every month */
	uint8_t weekdays;	/* bit 0 = Monday .. 6; 0 = every day */
	/* Minutes of the day, the second excluded; from > until: over midnight,
	 * and the day is the one it began on.  Both 0: all day. */
	uint16_t from_minute, until_minute;
	int32_t from_day, until_day;	/* both included; 0 = no such bound */
};

/*
 * [MONTHS] [WEEKDAYS] [HH:MM-HH:MM], separated by blanks, each at most once:
 * lists of names and of ranges, which may go over the end of the year or week.
 * 0, or -1 with an error that says what to write instead.
 */
int schedule_parse_every(const char *text, struct schedule *out,
			 struct error *err);
/* YYYY-MM-DD or YYYY-MM-DD..YYYY-MM-DD, then perhaps HH:MM-HH:MM. */
int schedule_parse_on(const char *text, struct schedule *out,
		      struct error *err);
/* Days from 1970-01-01 to a date of the Gregorian calendar, from year 1 on. */
int32_t schedule_day(int year, int month, int day);

#endif
