/*
 * One value of an object as text: raw for CSV and sorting, short for people.
 * Pure but for the clock's zone and a C.UTF-8 locale of its own, with which
 * widths come out alike whatever locale the caller lives in.
 */
#include "console/cli_output.h"

#include <inttypes.h>
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "console/format.h"
#include "engine/base/text.h"

enum { RAW_SIZE = 1024, DAY_MS = 86400000 };

const json_t *cell_value(const json_t *item, const char *key)
{
	char one[64];

	while (*key) {
		size_t n = strcspn(key, "|");
		const json_t *value;

		text_copy_slice(one, sizeof(one),
				(struct slice){ key, (uint32_t)n });
		value = json_object_get(item, one);
		if (value && !json_is_null(value))
			return value;
		key += n + (key[n] == '|');
	}
	return NULL;
}

static void scalar_text(char *out, size_t out_size, const json_t *value)
{
	char *dump;

	switch (json_typeof(value)) {
	case JSON_STRING:
		text_copy(out, out_size, json_string_value(value));
		return;
	case JSON_INTEGER:
		snprintf(out, out_size, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		return;
	case JSON_NULL:
		text_copy(out, out_size, "");
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		text_copy(out, out_size, json_is_true(value) ? "yes" : "no");
		return;
	case JSON_REAL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		text_copy(out, out_size, dump ? dump : "?");
		free(dump);
		return;
	}
}

static void value_text(char *out, size_t out_size, const json_t *value)
{
	size_t used = 0, i;
	json_t *member;

	*out = '\0';
	if (!value)
		return;
	if (!json_is_array(value)) {
		scalar_text(out, out_size, value);
		return;
	}
	json_array_foreach(value, i, member) {
		if (i && used + 1 < out_size)
			out[used++] = ',';
		scalar_text(out + used, out_size - used, member);
		used += strlen(out + used);
	}
}

void cell_raw(char *out, size_t out_size, const struct cli_column *column,
	      const json_t *item)
{
	value_text(out, out_size, cell_value(item, column->key));
}

long long cell_parse_time(const char *text)
{
	struct tm tm = { 0 };
	int ms = 0, n = 0;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!rest)
		return -1;
	if (*rest == '.' && sscanf(rest, ".%3d%n", &ms, &n) == 1)
		rest += n;
	rest += strspn(rest, "0123456789");
	if (strcmp(rest, "Z") != 0)
		return -1;
	return (long long)timegm(&tm) * 1000 + ms;
}

static void time_text(char *out, size_t out_size, const char *raw, bool utc,
		      bool stamp)
{
	long long ms = cell_parse_time(raw), age_ms;
	struct timespec now;
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	const char *fmt;

	if (ms < 0) {
		text_copy(out, out_size, raw);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	age_ms = (long long)now.tv_sec * 1000 - ms;
	if (age_ms < 0)
		age_ms = -age_ms;	/* deadlines */
	fmt = stamp ? "%Y-%m-%dT%H:%M:%S" : age_ms < DAY_MS ? "%H:%M:%S"
							    : "%Y-%m-%d";
	if (utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	size_t n = strftime(out, out_size - 1, fmt, &tm);
	if (utc && n && (stamp || age_ms < DAY_MS)) {
		out[n] = 'Z';
		out[n + 1] = '\0';
	}
}

/* No blanks inside: a column is a word. */
static void duration_text(char *out, size_t out_size, int64_t ms)
{
	if (ms < 1000)
		snprintf(out, out_size, "%" PRId64 "ms", ms);
	else if (ms < 10000)
		snprintf(out, out_size, "%" PRId64 ".%" PRId64 "s", ms / 1000,
			 ms / 100 % 10);
	else
		format_age(out, out_size, ms);
}

static void range_text(char *out, size_t out_size,
		       const struct cli_column *column, const json_t *item)
{
	char low[32], high[32], key[64];
	char *bar;

	text_copy(key, sizeof(key), column->key);
	bar = strchr(key, '|');
	*bar = '\0';
	value_text(low, sizeof(low), cell_value(item, key));
	value_text(high, sizeof(high), cell_value(item, bar + 1));
	if (*low || *high)
		snprintf(out, out_size, "%s-%s", *low ? low : "?",
			 *high ? high : "?");
}

/* "wish hold; create: why": what the state alone does not say. */
static void note_text(char *out, size_t out_size, const json_t *item)
{
	const char *wish = json_string_value(json_object_get(item, "wish"));
	const char *job = json_string_value(json_object_get(item, "job"));
	const char *why = json_string_value(json_object_get(item, "reason"));

	if (wish && strcmp(wish, "run") == 0)
		wish = NULL;
	snprintf(out, out_size, "%s%s%s%s%s%s", wish ? "wish " : "",
		 wish ? wish : "", wish && (job || why) ? "; " : "",
		 job ? job : "", job && why && *why ? ": " : "",
		 why ? why : "");
}

/* For a terminal that shows no UTF-8. */
static void escape_utf8(char *text, size_t size)
{
	char out[RAW_SIZE];
	size_t used = 0;

	for (const unsigned char *s = (const unsigned char *)text;
	     *s && used + 12 < sizeof(out);) {
		unsigned cp = *s++;

		if (cp < 0x80) {
			out[used++] = (char)cp;
			continue;
		}
		cp &= cp >= 0xf0 ? 0x07 : cp >= 0xe0 ? 0x0f : 0x1f;
		while ((*s & 0xc0) == 0x80)
			cp = cp << 6 | (*s++ & 0x3f);
		used += (size_t)snprintf(out + used, 12, "\\u%04x", cp);
	}
	out[used] = '\0';
	text_copy(text, size, out);
}

void cell_text(char *out, size_t out_size, const struct cli_output *o,
	       const struct cli_column *column, const json_t *item)
{
	const json_t *value = cell_value(item, column->key);
	char raw[RAW_SIZE] = "";

	cell_raw(raw, sizeof(raw), column, item);
	switch (column->cell) {
	case CELL_TEXT:
		break;
	case CELL_SINCE:
	case CELL_STAMP:
		if (json_is_string(value))
			time_text(raw, sizeof(raw), json_string_value(value),
				  o->utc, column->cell == CELL_STAMP);
		break;
	case CELL_MS:
		if (json_is_integer(value))
			duration_text(raw, sizeof(raw),
				      json_integer_value(value));
		break;
	case CELL_BYTES:
		if (json_is_integer(value))
			format_bytes(raw, sizeof(raw),
				     json_integer_value(value));
		break;
	case CELL_RANGE:
		range_text(raw, sizeof(raw), column, item);
		break;
	case CELL_PERMILLE:
		if (json_is_integer(value))
			snprintf(raw, sizeof(raw), "%d.%d%%",
				 (int)(json_integer_value(value) / 10),
				 (int)(json_integer_value(value) % 10));
		break;
	case CELL_NOTE:
		note_text(raw, sizeof(raw), item);
		break;
	}
	text_display(out, out_size, *raw ? raw : "-", *raw ? strlen(raw) : 1);
	if (!o->utf8)
		escape_utf8(out, out_size);
}

/* Width and length of the character at text; invalid bytes cannot come here. */
static int next_width(const char *text, size_t *length)
{
	static locale_t utf8;
	mbstate_t state = { 0 };
	locale_t before;
	wchar_t wide;
	int width;

	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8 || (unsigned char)*text < 0x80) {
		*length = 1;
		return ((unsigned char)*text & 0xc0) != 0x80;
	}
	before = uselocale(utf8);
	*length = mbrtowc(&wide, text, strlen(text), &state);
	if (*length == 0 || *length > 4) {
		*length = 1;
		width = 1;
	} else {
		width = wcwidth(wide);
	}
	uselocale(before);
	return width < 0 ? 1 : width;
}

int cell_width(const char *text)
{
	int width = 0;
	size_t n;

	for (; *text; text += n)
		width += next_width(text, &n);
	return width;
}

void cell_cut(char *text, int width, bool utf8)
{
	const char *mark = utf8 ? "\xe2\x80\xa6" : "~";
	int used = 0;
	char *at = text;
	size_t n;

	if (width < 1 || cell_width(text) <= width)
		return;
	while (*at) {
		int w = next_width(at, &n);

		if (used + w > width - 1)
			break;
		used += w;
		at += n;
	}
	/* What is cut off is at least one character; the mark may be longer
	 * than it by two bytes, for which every cell has room (CELL_SIZE). */
	memcpy(at, mark, strlen(mark) + 1);
}
