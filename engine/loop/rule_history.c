/*
 * What a pool's rules are told of its past; see rule_history.h.
 *
 * The counts per hour are UTC's; an hour belongs to the local hour its middle is
 * in, so where local time is half an hour off, half of it is told an hour late.
 * Days are found by the C library from each hour's own time: the hours of a day
 * on which clocks were changed are where people's watches had them.
 */
#include "engine/loop/rule_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/base/schedule.h"
#include "engine/loop/shell.h"

enum { HOUR_MS = 3600 * 1000, SATURDAY = 5 };

struct sums {
	int32_t today;
	int32_t first;		/* day of which anything is known */
	uint64_t sessions[HISTORY_HOURS];
};

static int32_t local_day(int64_t wall_ms, int *hour)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	*hour = tm.tm_hour;
	return schedule_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static bool is_weekend(int32_t day)
{
	return (day + 3) % 7 >= SATURDAY;	/* day 0 was a Thursday */
}

static void add_hour(void *arg, const struct db_hour *row)
{
	struct sums *s = arg;
	int hour;
	int32_t day = local_day(row->start_wall_ms + HOUR_MS / 2, &hour);

	if (day >= s->today || day < s->today - HISTORY_DAYS)
		return;
	if (day < s->first)
		s->first = day;
	if (is_weekend(day) == is_weekend(s->today))
		s->sessions[hour] += row->sessions;
}

int history_hours(struct db *db, const char *pool, int64_t now_wall_ms,
		  uint32_t hours[HISTORY_HOURS], struct error *err)
{
	int64_t since = now_wall_ms - (HISTORY_DAYS + 2) * 24LL * HOUR_MS;
	struct db_hours_query q = { .since_wall_ms = since,
				    .before_wall_ms = now_wall_ms,
				    .limit = (HISTORY_DAYS + 3) * 24 };
	struct sums s = { .first = INT32_MAX };
	uint64_t days = 0;
	int hour;

	s.today = local_day(now_wall_ms, &hour);
	TEXT_SET(q.pool, pool);
	if (db_query_hours(db, &q, add_hour, &s, err) < 0)
		return -1;
	for (int32_t day = s.first; day < s.today; day++)
		days += is_weekend(day) == is_weekend(s.today);
	for (int i = 0; i < HISTORY_HOURS && days; i++)
		hours[i] = (uint32_t)((s.sessions[i] + days / 2) / days);
	return days > 0;
}

/* One pool's, as its rules get it. */
struct pool_history {
	struct pool_history *next;
	char pool[SITE_NAME_SIZE];
	int64_t until_ms;	/* boot time */
	char text[HISTORY_HOURS * 12];
};

static struct pool_history *history_of(struct shell *sh, const char *pool)
{
	struct pool_history *h = sh->rules.history;

	while (h && strcmp(h->pool, pool) != 0)
		h = h->next;
	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	CHECK("", h, "out of memory");
	TEXT_SET(h->pool, pool);
	h->next = sh->rules.history;
	sh->rules.history = h;
	return h;
}

const char *rule_history(struct shell *sh, const char *pool)
{
	struct pool_history *h = history_of(sh, pool);
	uint32_t hours[HISTORY_HOURS];
	int64_t now_ms = shell_now_ms();
	struct error err;
	size_t used = 0;

	if (now_ms < h->until_ms)
		return h->text;
	int rc = history_hours(sh->db, pool, shell_wall_ms(), hours, &err);
	h->text[0] = '\0';
	h->until_ms = now_ms + HOUR_MS;
	if (rc < 0)
		log_error("history of pool %s: %s", pool, err.text);
	for (int i = 0; rc == 1 && i < HISTORY_HOURS; i++)
		used += (size_t)snprintf(h->text + used, sizeof(h->text) - used,
					 "%s%u", i ? "," : "", hours[i]);
	return h->text;
}
