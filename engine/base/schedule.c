/*
 * Calendar entries; see schedule.h.  Pure.  The rules role parses an entry to
 * say what is wrong with it, the engine parses it again because it believes
 * nothing of a process that has run somebody's Lua.
 */
#include "engine/base/schedule.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

enum { DAY_MINUTES = 24 * 60 };

static const char *const month_names[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};
static const char *const weekday_names[] = {
	"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
};

/* The place of a name in a list, or -1. */
static int name_index(const char *const *names, int count, const char *word,
		      size_t length)
{
	for (int i = 0; i < count; i++)
		if (length == 3 && memcmp(names[i], word, 3) == 0)
			return i;
	return -1;
}

static int bad_name(const char *word, size_t length, struct error *err)
{
	return error_set(err, "\"%.*s\" is no month, weekday or time: write Jan to "
			 "Dec, Mon to Sun, 08:00-18:00", (int)length, word);
}

/* One word of names: "Dec,May", "Mon-Fri,Sun".  bits: of the word's kind. */
static int parse_names(const char *word, const char *const *names, int count,
		       uint32_t *bits, struct error *err)
{
	while (*word) {
		size_t length = strcspn(word, ",");
		const char *dash = memchr(word, '-', length);
		size_t first = dash ? (size_t)(dash - word) : length;
		int from = name_index(names, count, word, first), to = from;

		if (dash)
			to = name_index(names, count, dash + 1, length - first - 1);
		if (from < 0)
			return bad_name(word, first, err);
		if (to < 0)
			return bad_name(dash + 1, length - first - 1, err);
		for (int i = from;; i = (i + 1) % count) {
			*bits |= 1u << i;
			if (i == to)
				break;
		}
		word += length;
		if (*word == ',' && !*++word)
			return error_set(err, "a name is missing after the last comma");
	}
	return 0;
}

/* HH:MM, from 00:00 to 24:00; false for anything else. */
static bool parse_minute(const char *text, size_t length, uint16_t *minute)
{
	static const char shape[] = "dd:dd";

	if (length != 5)
		return false;
	for (size_t i = 0; i < 5; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' :
				      text[i] != shape[i])
			return false;
	int hours = (text[0] - '0') * 10 + text[1] - '0';
	int minutes = (text[3] - '0') * 10 + text[4] - '0';
	*minute = (uint16_t)(hours * 60 + minutes);
	return minutes < 60 && *minute <= DAY_MINUTES;
}

static int parse_hours(const char *word, struct schedule *out,
		       struct error *err)
{
	const char *dash = strchr(word, '-');
	size_t first = dash ? (size_t)(dash - word) : strlen(word);

	if (!dash)
		return error_set(err, "\"%s\" is no time: write 08:00-18:00", word);
	if (!parse_minute(word, first, &out->from_minute))
		return error_set(err, "\"%.*s\" is no time of day: write 00:00 to "
				 "24:00", (int)first, word);
	if (!parse_minute(dash + 1, strlen(dash + 1), &out->until_minute))
		return error_set(err, "\"%s\" is no time of day: write 00:00 to 24:00",
				 dash + 1);
	if (out->from_minute == DAY_MINUTES)
		return error_set(err, "\"%s\" begins at the end of a day: write 00:00",
				 word);
	if (out->from_minute == out->until_minute)
		return error_set(err, "\"%s\" ends where it begins: for the whole day "
				 "leave it out", word);
	if (out->from_minute == 0 && out->until_minute == DAY_MINUTES)
		out->until_minute = 0;
	return 0;
}

/* Splits at single blanks; false at the end.  *at is moved, NULs are written. */
static bool next_word(char **at, char **word)
{
	*word = *at;
	if (!*at)
		return false;
	char *blank = strchr(*at, ' ');
	if (blank)
		*blank++ = '\0';
	*at = blank;
	return true;
}

static int copy_entry(const char *text, char copy[SCHEDULE_TEXT_SIZE],
		      struct error *err)
{
	size_t length = strlen(text);

	if (length >= SCHEDULE_TEXT_SIZE)
		return error_set(err, "it is longer than %d characters",
				 SCHEDULE_TEXT_SIZE - 1);
	if (!length || text[0] == ' ' || text[length - 1] == ' ' ||
	    strstr(text, "  "))
		return error_set(err, "words are separated by one blank");
	memcpy(copy, text, length + 1);
	return 0;
}

int schedule_parse_every(const char *text, struct schedule *out,
			 struct error *err)
{
	char copy[SCHEDULE_TEXT_SIZE], *at = copy, *word;
	uint32_t months = 0, weekdays = 0;
	bool hours = false;

	*out = (struct schedule){ 0 };
	if (copy_entry(text, copy, err) < 0)
		return -1;
	while (next_word(&at, &word)) {
		size_t first = strcspn(word, ",-");
		bool month = name_index(month_names, 12, word, first) >= 0;
		bool weekday = name_index(weekday_names, 7, word, first) >= 0;
		bool time = *word >= '0' && *word <= '9';

		if (!month && !weekday && !time)
			return bad_name(word, first, err);
		if (month ? months != 0 : weekday ? weekdays != 0 : hours)
			return error_set(err, "%s are given twice: write a second "
					 "entry", month ? "months" : weekday ?
					 "weekdays" : "hours");
		hours = hours || time;
		if (month ? parse_names(word, month_names, 12, &months, err) :
		    weekday ? parse_names(word, weekday_names, 7, &weekdays, err) :
			      parse_hours(word, out, err))
			return -1;
	}
	out->months = (uint16_t)(months << 1);	/* January is bit 1 */
	out->weekdays = (uint8_t)weekdays;
	return 0;
}

/*
 * Years are counted from March, so that the leap day is a year's last.  timegm(3)
 * reads the file of the time zone, which the process that runs Lua may not.
 */
int32_t schedule_day(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int since_march = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return 365 * y + y / 4 - y / 100 + y / 400 + since_march - 719468;
}

static int month_days(int year, int month)
{
	int next = month == 12 ? schedule_day(year + 1, 1, 1) :
				 schedule_day(year, month + 1, 1);

	return next - schedule_day(year, month, 1);
}

static int parse_date(const char *text, size_t length, int32_t *day,
		      struct error *err)
{
	static const char shape[] = "dddd-dd-dd";
	int part[3] = { 0, 0, 0 }, p = 0;
	bool good = length == 10;

	for (size_t i = 0; good && i < 10; i++) {
		good = shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' :
					 text[i] == shape[i];
		if (shape[i] == 'd')
			part[p] = part[p] * 10 + text[i] - '0';
		else
			p++;
	}
	if (!good || part[0] < 2000)
		return error_set(err, "\"%.*s\" is no date: write 2026-12-24",
				 (int)length, text);
	if (part[1] < 1 || part[1] > 12 || part[2] < 1 ||
	    part[2] > month_days(part[0], part[1]))
		return error_set(err, "there is no %.*s", (int)length, text);
	*day = schedule_day(part[0], part[1], part[2]);
	return 0;
}

int schedule_parse_on(const char *text, struct schedule *out,
		      struct error *err)
{
	char copy[SCHEDULE_TEXT_SIZE], *at = copy, *word;

	*out = (struct schedule){ 0 };
	if (copy_entry(text, copy, err) < 0 || !next_word(&at, &word))
		return -1;
	const char *dots = strstr(word, "..");
	size_t first = dots ? (size_t)(dots - word) : strlen(word);
	if (parse_date(word, first, &out->from_day, err) < 0)
		return -1;
	out->until_day = out->from_day;
	if (dots && parse_date(dots + 2, strlen(dots + 2), &out->until_day, err) < 0)
		return -1;
	if (out->until_day < out->from_day)
		return error_set(err, "\"%s\" ends before it begins", word);
	if (next_word(&at, &word) && parse_hours(word, out, err) < 0)
		return -1;
	return at ? error_set(err, "\"%s\" is too much: write a date or two, then "
			      "perhaps hours", at) : 0;
}
