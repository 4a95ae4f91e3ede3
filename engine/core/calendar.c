/*
 * The calendar (spec 3.5): which entries hold at a moment of local time.  Pure
 * arithmetic on days and minutes; the offset of local time comes with each event,
 * so daylight saving is the shell's knowledge and a leap day is a day.
 */
#include "engine/core/calendar.h"

enum { DAY_MINUTES = 24 * 60 };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Proleptic Gregorian calendar, days since 1970-01-01; years begin in March here,
 * so that the leap day is a year's last.
 */
void calendar_date(int64_t day, int *year, int *month, int *mday)
{
	int64_t z = day + 719468;	/* since 0000-03-01 */
	int64_t era = floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

int64_t calendar_day(int year, int month, int mday)
{
	int64_t y = year - (month <= 2);
	int64_t era = floor_div(y, 400);
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + mday - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

struct calendar_time calendar_local(int64_t wall_ms, int32_t offset_s)
{
	int64_t minutes = floor_div(wall_ms + offset_s * 1000ll, 60000);
	struct calendar_time t;

	t.day = floor_div(minutes, DAY_MINUTES);
	t.minute = (int)(minutes - t.day * DAY_MINUTES);
	t.weekday = (int)(((t.day + 3) % 7 + 7) % 7);	/* 1970-01-01: Thursday */
	calendar_date(t.day, &t.year, &t.month, &t.mday);
	return t;
}

/* Does the entry name that day (with its weekday and month)? */
static bool names_day(const struct site_calendar *e, int64_t day)
{
	int year, month, mday, weekday = (int)(((day + 3) % 7 + 7) % 7);

	calendar_date(day, &year, &month, &mday);
	return (!e->months || e->months & 1u << month) &&
	       (!e->weekdays || e->weekdays & 1u << weekday) &&
	       (!e->from_day || day >= e->from_day) &&
	       (!e->until_day || day <= e->until_day);
}

bool calendar_holds(const struct site_calendar *e,
		    const struct calendar_time *t)
{
	if (!e->from_minute && !e->until_minute)
		return names_day(e, t->day);
	if (e->from_minute < e->until_minute)
		return names_day(e, t->day) && t->minute >= e->from_minute &&
		       t->minute < e->until_minute;
	/* Over midnight: the evening of its day, the morning after it. */
	return (names_day(e, t->day) && t->minute >= e->from_minute) ||
	       (names_day(e, t->day - 1) && t->minute < e->until_minute);
}

const struct site_calendar *calendar_size(const struct site_cluster *c,
					  const struct calendar_time *t,
					  struct site_size *size)
{
	const struct site_calendar *last = NULL;

	*size = (struct site_size){ 0 };
	for (size_t i = 0; i < c->calendar_count; i++) {
		const struct site_calendar *e = &c->calendar[i];

		if (!calendar_holds(e, t))
			continue;
		last = e;
		if (e->size.nodes)
			size->nodes = e->size.nodes;
		if (e->size.vcpus)
			size->vcpus = e->size.vcpus;
		if (e->size.memory_mib)
			size->memory_mib = e->size.memory_mib;
	}
	return last;
}
