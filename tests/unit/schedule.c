/* Calendar entries: what is read of them, when that holds, and every way of writing one
 * wrongly. */
#include "engine/base/schedule.h"

#include <string.h>
#include <time.h>

#include "engine/base/error.h"
#include "engine/core/calendar.h"
#include "tests/tap.h"

static struct schedule parse(const char *text, bool every)
{
	struct schedule s;
	struct error err = { "" };

	if ((every ? schedule_parse_every(text, &s, &err) :
		     schedule_parse_on(text, &s, &err)) < 0)
		tap_bail("%s: %s", text, err.text);
	return s;
}

static void is_span(const char *text, uint16_t months, uint8_t weekdays,
		    uint16_t from, uint16_t until)
{
	struct schedule s = parse(text, true);

	ok(s.months == months && s.weekdays == weekdays &&
	   s.from_minute == from && s.until_minute == until && !s.from_day &&
	   !s.until_day, "\"%s\": months %#x weekdays %#x %u-%u", text, s.months,
	   s.weekdays, s.from_minute, s.until_minute);
}

static void test_every(void)
{
	is_span("Dec,May", 1 << 12 | 1 << 5, 0, 0, 0);
	is_span("Jan", 1 << 1, 0, 0, 0);
	is_span("Jun-Aug", 7 << 6, 0, 0, 0);
	is_span("Nov-Feb", 3 << 11 | 3 << 1, 0, 0, 0);
	is_span("Jan-Dec", 0x1ffe, 0, 0, 0);
	is_span("Mar-Mar", 1 << 3, 0, 0, 0);
	is_span("Jan,Mar-Apr,Dec", 1 << 1 | 3 << 3 | 1 << 12, 0, 0, 0);
	is_span("Mon-Fri", 0, 0x1f, 0, 0);
	is_span("Sat,Sun", 0, 0x60, 0, 0);
	is_span("Sat-Mon", 0, 0x61, 0, 0);
	is_span("Mon-Fri 08:00-18:00", 0, 0x1f, 480, 1080);
	is_span("Jun-Aug Sat,Sun", 7 << 6, 0x60, 0, 0);
	is_span("Fri 22:00-06:00", 0, 0x10, 1320, 360);
	is_span("22:00-24:00 Sun Dec", 1 << 12, 0x40, 1320, 1440);
	is_span("00:00-24:00", 0, 0, 0, 0);
	is_span("00:00-00:01", 0, 0, 0, 1);
	is_span("23:59-00:00", 0, 0, 1439, 0);
}

/* Every day from 1970 to 2400 against the C library. */
static void test_days(void)
{
	int wrong = 0, days = 0;

	for (time_t t = 0; t < (time_t)157000 * 86400; t += 86400, days++) {
		struct tm tm;

		gmtime_r(&t, &tm);
		wrong += schedule_day(tm.tm_year + 1900, tm.tm_mon + 1,
				      tm.tm_mday) != t / 86400;
	}
	is_int(wrong, 0, "%d days are as in gmtime", days);
}

/* Days since 1970-01-01 of the first and last day. */
static void is_days(const char *text, int from, int until, uint16_t from_minute,
		    uint16_t until_minute)
{
	struct schedule s = parse(text, false);

	ok(s.from_day == from && s.until_day == until &&
	   s.from_minute == from_minute && s.until_minute == until_minute &&
	   !s.months && !s.weekdays, "\"%s\": days %d-%d %u-%u", text, s.from_day,
	   s.until_day, s.from_minute, s.until_minute);
}

static void test_on(void)
{
	is_days("2000-01-01", 10957, 10957, 0, 0);
	is_days("2026-12-24", 20811, 20811, 0, 0);
	is_days("2026-12-24..2027-01-02", 20811, 20820, 0, 0);
	is_days("2028-02-29..2028-03-01", 21243, 21244, 0, 0);
	is_days("2100-02-28..2100-03-01", 47540, 47541, 0, 0);
	is_days("2026-12-31 22:00-04:00", 20818, 20818, 1320, 240);
	is_days("2026-12-24..2026-12-26 08:00-24:00", 20811, 20813, 480, 1440);
	is_days("9999-12-31", 2932896, 2932896, 0, 0);
}

/* What the core makes of it, at YYYY-MM-DD HH:MM. */
static void holds(const char *text, bool every, int year, int month, int day,
		  int minute, bool want)
{
	struct schedule s = parse(text, every);
	struct site_calendar e = { .months = s.months, .weekdays = s.weekdays,
				   .from_minute = s.from_minute,
				   .until_minute = s.until_minute,
				   .from_day = s.from_day, .until_day = s.until_day };
	struct calendar_time t = calendar_local(
		schedule_day(year, month, day) * 86400000ll + minute * 60000, 0);

	ok(calendar_holds(&e, &t) == want,
	   "\"%s\" %s on %d-%02d-%02d at %02d:%02d", text,
	   want ? "holds" : "does not hold", year, month, day, minute / 60,
	   minute % 60);
}

static void test_holds(void)
{
	/* 2026-11-27 is a Friday. */
	holds("Mon-Fri 08:00-18:00", true, 2026, 11, 27, 480, true);
	holds("Mon-Fri 08:00-18:00", true, 2026, 11, 27, 479, false);
	holds("Mon-Fri 08:00-18:00", true, 2026, 11, 27, 1079, true);
	holds("Mon-Fri 08:00-18:00", true, 2026, 11, 27, 1080, false);
	holds("Mon-Fri 08:00-18:00", true, 2026, 11, 28, 600, false);
	/* Over midnight the day is the one it began on. */
	holds("Fri 22:00-06:00", true, 2026, 11, 27, 1320, true);
	holds("Fri 22:00-06:00", true, 2026, 11, 28, 359, true);
	holds("Fri 22:00-06:00", true, 2026, 11, 28, 360, false);
	holds("Fri 22:00-06:00", true, 2026, 11, 28, 1320, false);
	holds("Fri 22:00-06:00", true, 2026, 11, 27, 0, false);
	holds("Dec 22:00-06:00", true, 2027, 1, 1, 300, true);
	holds("Dec 22:00-06:00", true, 2026, 12, 1, 300, false);
	holds("23:59-00:00", true, 2026, 11, 27, 1439, true);
	holds("23:59-00:00", true, 2026, 11, 28, 0, false);
	holds("22:00-24:00", true, 2026, 11, 27, 1439, true);
	holds("Nov-Feb", true, 2027, 2, 28, 1439, true);
	holds("Nov-Feb", true, 2027, 3, 1, 0, false);
	holds("Jun-Aug Sat,Sun", true, 2026, 8, 30, 0, true);
	holds("Jun-Aug Sat,Sun", true, 2026, 8, 31, 0, false);
	holds("Jun-Aug Sat,Sun", true, 2026, 9, 5, 0, false);
	holds("2026-12-24", false, 2026, 12, 24, 0, true);
	holds("2026-12-24", false, 2026, 12, 24, 1439, true);
	holds("2026-12-24", false, 2026, 12, 23, 1439, false);
	holds("2026-12-24", false, 2027, 12, 24, 0, false);
	holds("2026-12-24..2027-01-02", false, 2027, 1, 2, 1439, true);
	holds("2026-12-24..2027-01-02", false, 2027, 1, 3, 0, false);
	holds("2028-02-29", false, 2028, 2, 29, 720, true);
	holds("2028-02-29", false, 2028, 3, 1, 0, false);
	holds("2026-12-31 22:00-04:00", false, 2027, 1, 1, 239, true);
	holds("2026-12-31 22:00-04:00", false, 2026, 12, 31, 239, false);
	holds("2026-12-24..2026-12-26 08:00-12:00", false, 2026, 12, 25, 700, true);
}

static void bad(const char *text, bool every, const char *want)
{
	struct schedule s;
	struct error err = { "" };

	is_int(every ? schedule_parse_every(text, &s, &err) :
		       schedule_parse_on(text, &s, &err), -1,
	       "\"%s\" is refused", text);
	is_text(err.text, want, "  in words");
}

#define NAMES " is no month, weekday or time: write Jan to Dec, Mon to Sun, 08:00-18:00"
#define CLOCK " is no time of day: write 00:00 to 24:00"
#define BLANKS "words are separated by one blank"

static void test_every_refused(void)
{
	bad("", true, BLANKS);
	bad(" Mon", true, BLANKS);
	bad("Mon ", true, BLANKS);
	bad("Mon  08:00-09:00", true, BLANKS);
	bad("Dez", true, "\"Dez\"" NAMES);
	bad("mon", true, "\"mon\"" NAMES);
	bad("Monday", true, "\"Monday\"" NAMES);
	bad("Dec,Mon", true, "\"Mon\"" NAMES);
	bad("Mon-Dec", true, "\"Dec\"" NAMES);
	bad("Dec-", true, "\"\"" NAMES);
	bad("-Dec", true, "\"\"" NAMES);
	bad("Dec-Jan-Feb", true, "\"Jan-Feb\"" NAMES);
	bad("Dec,", true, "a name is missing after the last comma");
	bad("Dec,,Jan", true, "\"\"" NAMES);
	bad("Dec Jan", true, "months are given twice: write a second entry");
	bad("Mon Tue", true, "weekdays are given twice: write a second entry");
	bad("08:00-09:00 10:00-11:00", true,
	    "hours are given twice: write a second entry");
	bad("08:00", true, "\"08:00\" is no time: write 08:00-18:00");
	bad("8:00-18:00", true, "\"8:00\"" CLOCK);
	bad("08:00-25:00", true, "\"25:00\"" CLOCK);
	bad("08:60-09:00", true, "\"08:60\"" CLOCK);
	bad("08:00-24:01", true, "\"24:01\"" CLOCK);
	bad("08:00-09:00-10:00", true, "\"09:00-10:00\"" CLOCK);
	bad("08:00-08:00", true,
	    "\"08:00-08:00\" ends where it begins: for the whole day leave it out");
	bad("24:00-08:00", true,
	    "\"24:00-08:00\" begins at the end of a day: write 00:00");
	bad("2026-12-24", true, "\"2026\"" CLOCK);
}

static void test_on_refused(void)
{
	char longest[300];

	bad("2026-02-29", false, "there is no 2026-02-29");
	bad("2100-02-29", false, "there is no 2100-02-29");
	bad("2026-04-31", false, "there is no 2026-04-31");
	bad("2026-00-10", false, "there is no 2026-00-10");
	bad("2026-04-00", false, "there is no 2026-04-00");
	bad("2026-13-01", false, "there is no 2026-13-01");
	bad("1999-01-01", false, "\"1999-01-01\" is no date: write 2026-12-24");
	bad("24.12.2026", false, "\"24.12.2026\" is no date: write 2026-12-24");
	bad("2026-12-24..", false, "\"\" is no date: write 2026-12-24");
	bad("2026-12-24..2026-12-23", false,
	    "\"2026-12-24..2026-12-23\" ends before it begins");
	bad("2026-12-24...2026-12-26", false,
	    "\".2026-12-26\" is no date: write 2026-12-24");
	bad("2026-12-24 Mon", false, "\"Mon\" is no time: write 08:00-18:00");
	bad("2026-12-24 08:00-09:00 x", false,
	    "\"x\" is too much: write a date or two, then perhaps hours");
	bad("Dec", false, "\"Dec\" is no date: write 2026-12-24");
	bad("", false, BLANKS);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	bad(longest, false, "it is longer than 255 characters");
}

int main(void)
{
	test_days();
	test_every();
	test_on();
	test_holds();
	test_every_refused();
	test_on_refused();
	return tap_done();
}
