/*
 * What a pool's rules are told of its past, against a plain count of the same
 * sessions; in a time zone that changes its clocks within those days.
 */
#include "engine/loop/rule_history.h"

#include <time.h>

#include "tests/unit/db_help.h"

enum { DAY_S = 86400, ROWS = 6000 };

static struct random rnd;
static int64_t begun[ROWS];	/* wall ms; each third in another pool */
static int rows;

static int64_t at(int year, int month, int day, int hour)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1,
			 .tm_mday = day, .tm_hour = hour, .tm_isdst = -1 };

	return (int64_t)mktime(&tm) * 1000;
}

static void add_session(struct db *db, int64_t wall_ms, const char *pool)
{
	struct error err = { "" };
	struct session_row s = help_session((uint64_t)rows + 1, (uint64_t)rows + 1, 1,
					    "ann");

	TEXT_SET(s.pool, pool);
	TEXT_SET(s.application, "a");
	s.assigned_wall_ms = wall_ms;
	s.ended_wall_ms = wall_ms + 1000;
	s.state = SESSION_CLOSED;
	if (db_save_session(db, &s, &err))
		tap_bail("%s", err.text);
	begun[rows++] = wall_ms;
}

static void count(struct db *db, int64_t now)
{
	struct error err = { "" };
	int more;

	do {
		help_begin(db);
		more = db_count_hours(db, now, &err);
		help_commit(db);
	} while (more > 0);
	is_int(more, 0, "all is counted %s", err.text);
}

/* Local days before today, 1 = yesterday. */
static int days_ago(int64_t wall_ms, int64_t now)
{
	time_t a = (time_t)(wall_ms / 1000), b = (time_t)(now / 1000);
	struct tm x, y;

	localtime_r(&a, &x);
	localtime_r(&b, &y);
	x.tm_hour = y.tm_hour = 12;
	x.tm_min = y.tm_min = x.tm_sec = y.tm_sec = 0;
	x.tm_isdst = y.tm_isdst = -1;
	return (int)((mktime(&y) - mktime(&x) + DAY_S / 2) / DAY_S);
}

static bool weekend(int64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	return tm.tm_wday == 0 || tm.tm_wday == 6;
}

static int differing(struct db *db, int64_t now, int days)
{
	uint64_t sum[24] = { 0 };
	uint32_t got[24] = { 0 };
	struct error err = { "" };
	int wrong = 0;

	for (int i = 0; i < rows; i += 3) {
		time_t t = (time_t)(begun[i] / 1000);
		struct tm tm;
		int ago = days_ago(begun[i], now);

		localtime_r(&t, &tm);
		if (ago >= 1 && ago <= 28 && weekend(begun[i]) == weekend(now))
			sum[tm.tm_hour]++;
	}
	if (history_hours(db, "mail", now, got, &err) != 1)
		tap_bail("no history: %s", err.text);
	for (int h = 0; h < 24; h++)
		wrong += got[h] != (sum[h] + (uint64_t)days / 2) / (uint64_t)days;
	tap_note("at 9: %u, at 12: %u, at 23: %u", got[9], got[12], got[23]);
	return wrong;
}

static void test_random(void)
{
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "random"));
	int64_t first = at(2026, 9, 20, 0), end = at(2026, 11, 27, 15);

	rows = 0;
	help_begin(db);
	for (int i = 0; i < ROWS; i++) {
		int64_t t = first + (int64_t)random_below(&rnd,
						(uint64_t)(end - first));

		/* Most in the morning, so that hours differ. */
		if (random_chance(&rnd, 40))
			t += at(2026, 9, 20, 9) - first - t % (24 * 3600000);
		add_session(db, t < first ? first : t, i % 3 ? "other" : "mail");
	}
	help_commit(db);
	count(db, end + 3600000);
	is_int(differing(db, at(2026, 11, 27, 14), 20), 0,
	       "a Friday: of 20 working days");
	is_int(differing(db, at(2026, 11, 21, 0), 8), 0, "a Saturday: of 8 days");
	/* Clocks went back on October 25. */
	is_int(differing(db, at(2026, 11, 2, 8), 20), 0,
	       "working days on both sides of the end of summer time");
	is_int(differing(db, at(2026, 11, 15, 23), 8), 0,
	       "weekends with the day of 25 hours");
	is_int(differing(db, at(2026, 10, 25, 12), 8), 0, "on that very day");
	db_close(db);
}

static void test_short(const char *name)
{
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, name));
	uint32_t got[24];
	struct error err;
	int64_t monday = at(2026, 11, 23, 9);

	rows = 0;
	is_int(history_hours(db, "mail", monday, got, &err), 0,
	       "nothing is known of a new pool");
	help_begin(db);
	for (int i = 0; i < 5; i++)
		add_session(db, monday + i * 1000, "mail");
	help_commit(db);
	count(db, monday + 7200000);
	is_int(history_hours(db, "mail", monday + 7200000, got, &err), 0,
	       "today does not count");
	is_int(history_hours(db, "mail", at(2026, 11, 25, 9), got, &err), 1,
	       "two days later it does");
	is_int(got[9], 3, "five sessions in two days");
	is_int(got[8] + got[10], 0, "in that hour alone");
	is_int(history_hours(db, "mail", at(2026, 11, 28, 9), got, &err), 0,
	       "no weekend is known yet");
	is_int(history_hours(db, "mail", at(2026, 12, 22, 9), got, &err), 0,
	       "it is forgotten after 28 days");
	is_int(history_hours(db, "mail", at(2026, 12, 21, 9), got, &err), 1,
	       "but not before");
	db_close(db);
}

int main(void)
{
	help_make_folder();
	random_seed(&rnd, 4711);
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	test_random();
	test_short("berlin");
	setenv("TZ", "<+0530>-5:30", 1);	/* hours begin in the middle of UTC's */
	tzset();
	test_short("kolkata");
	return tap_done();
}
