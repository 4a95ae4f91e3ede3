/*
 * Cells, tables at every width, filters and sorting.  Times are fixed and old,
 * the zone is UTC, so that texts do not depend on today.
 */
#include "console/cli_output.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/cli.h"
#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/base/text.h"
#include "tests/tap.h"

static struct cli_output plain = { .utf8 = true, .header = true };

static const struct cli_view *view_of(const char *noun)
{
	return cli_noun(noun)->view;
}

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, JSON_ALLOW_NUL, NULL);

	if (!value)
		tap_bail("fixture: %s", text);
	return value;
}

static void cell_is(enum cli_cell cell, const char *value, const char *want)
{
	struct cli_column column = { .key = "a|b", .cell = cell };
	char text[256];
	json_t *item = json_pack("{s:o}", "b",
				 json_loads(value, JSON_DECODE_ANY, NULL));

	cell_text(text, sizeof(text), &plain, &column, item);
	is_text(text, want, "cell of %s", value);
	json_decref(item);
}

static void test_cells(void)
{
	cell_is(CELL_TEXT, "\"mail\"", "mail");
	cell_is(CELL_TEXT, "7", "7");
	cell_is(CELL_TEXT, "null", "-");
	cell_is(CELL_TEXT, "\"\"", "-");
	cell_is(CELL_TEXT, "true", "yes");
	cell_is(CELL_TEXT, "[\"a\",2,\"c\"]", "a,2,c");
	cell_is(CELL_TEXT, "{\"x\":[1]}", "{\"x\":[1]}");
	cell_is(CELL_TEXT, "\"a\\u001b[2Jb\\u202e\"", "a\\x1b[2Jb\\u202e");
	cell_is(CELL_MS, "12", "12ms");
	cell_is(CELL_MS, "0", "0ms");
	cell_is(CELL_MS, "4120", "4.1s");
	cell_is(CELL_MS, "\"soon\"", "soon");
	cell_is(CELL_BYTES, "812", "812");
	cell_is(CELL_SINCE, "\"2020-01-02T03:04:05.678Z\"", "2020-01-02");
	cell_is(CELL_STAMP, "\"2020-01-02T03:04:05.678Z\"",
		"2020-01-02T03:04:05");
	cell_is(CELL_SINCE, "\"yesterday\"", "yesterday");
	cell_is(CELL_SINCE, "null", "-");
}

static void test_times(void)
{
	is_int(cell_parse_time("1970-01-01T00:00:01Z"), 1000, "a second");
	is_int(cell_parse_time("2026-11-22T05:42:05.123Z"), 1795326125123LL,
	       "with milliseconds");
	is_int(cell_parse_time("2026-11-22T05:42:05.123456Z"),
	       1795326125123LL, "finer is cut");
	is_int(cell_parse_time("2026-11-22T05:42:05"), -1, "no zone");
	is_int(cell_parse_time("2026-11-22T05:42:05+01:00"), -1,
	       "another zone");
	is_int(cell_parse_time("2026-11-22"), -1, "a date");
	is_int(cell_parse_time(""), -1, "nothing");
}

static void cut_is(const char *text, int width, bool utf8, const char *want)
{
	char cell[64];

	text_copy(cell, sizeof(cell), text);
	cell_cut(cell, width, utf8);
	is_text(cell, want, "\"%s\" in %d columns", text, width);
	ok(cell_width(cell) <= width || cell_width(text) <= width,
	   "not wider than that");
}

static void test_widths(void)
{
	is_int(cell_width("abc"), 3, "letters");
	is_int(cell_width("j\xc3\xb6rg"), 4, "an umlaut");
	is_int(cell_width("e\xcc\x81"), 1, "a combining mark");
	is_int(cell_width("\xe6\x97\xa5\xe6\x9c\xac"), 4, "two wide ones");
	is_int(cell_width(""), 0, "nothing");
	cut_is("abcdef", 6, true, "abcdef");
	cut_is("abcdef", 5, true, "abcd\xe2\x80\xa6");
	cut_is("abcdef", 5, false, "abcd~");
	cut_is("abcdef", 1, false, "~");
	cut_is("\xe6\x97\xa5\xe6\x9c\xac", 3, true, "\xe6\x97\xa5\xe2\x80\xa6");
	cut_is("\xe6\x97\xa5\xe6\x9c\xac", 2, true, "\xe2\x80\xa6");
}

static void test_ascii_terminal(void)
{
	struct cli_output ascii = { .utf8 = false };
	struct cli_column column = { .key = "a" };
	json_t *item = json_pack("{s:s}", "a",
				 "j\xc3\xb6rg \xe6\x97\xa5 \xf0\x9f\x90\xb4");
	char text[64];

	cell_text(text, sizeof(text), &ascii, &column, item);
	is_text(text, "j\\u00f6rg \\u65e5 \\u1f434",
		"a terminal without UTF-8 gets escapes");
	json_decref(item);
}

/* ---- tables ---------------------------------------------------------------- */

static char *table(const struct cli_output *like, const char *noun,
		   const json_t *items)
{
	struct cli_output o = *like;
	struct error err = { "" };
	char *text = NULL;
	size_t length, shown;

	o.out = open_memstream(&text, &length);
	if (output_list(&o, view_of(noun), "x_list", items, &shown, &err))
		fprintf(o.out, "error: %s", err.text);
	fclose(o.out);
	return text;
}

static json_t *random_text(struct random *r)
{
	static const char *const pieces[] = {
		"a", "mail", "-", " ", "\xc3\xa4", "\xe6\x97\xa5", "e\xcc\x81",
		"\x1b[1m", "\n", "\xe2\x80\xae", "12345678901234567890",
		"\xf0\x9f\x90\xb4",
	};
	const uint64_t count = sizeof(pieces) / sizeof(*pieces);
	char text[512] = "", *end = text;
	uint64_t n = random_below(r, random_chance(r, 10) ? 20 : 4);

	while (n-- > 0)
		end = stpcpy(end, pieces[random_below(r, count)]);
	return json_string(text);
}

static json_t *random_items(struct random *r, const struct cli_view *view)
{
	json_t *items = json_array();

	for (uint64_t n = random_below(r, 5); n > 0; n--) {
		json_t *item = json_object();

		for (const struct cli_column *c = view->columns; c->title; c++) {
			char key[64];

			text_copy(key, sizeof(key), c->key);
			key[strcspn(key, "|")] = '\0';
			json_object_set_new(item, key,
					    random_chance(r, 20)
						    ? json_null()
					    : random_chance(r, 30)
						    ? json_integer((json_int_t)
								   random_u64(r))
						    : random_text(r));
		}
		json_array_append_new(items, item);
	}
	return items;
}

static int widest_line(char *text, size_t *lines)
{
	int most = 0;

	*lines = 0;
	for (char *line; (line = strsep(&text, "\n")) && *line;) {
		int w = cell_width(line);

		most = w > most ? w : most;
		++*lines;
	}
	return most;
}

/* Whatever comes, at every width from 24 on no line is too long, no row is
 * lost and nothing foul leaves. */
static void test_fits(void)
{
	struct random r;
	int too_wide = 0, lost = 0, foul = 0, rounds = 0;

	random_seed(&r, 20261122);
	for (const struct cli_noun *n = cli_nouns; n->name; n++) {
		for (int width = n->view ? 24 : 999; width <= 160; width += 8) {
			struct cli_output o = { .utf8 = true, .header = true,
						.width = width };
			json_t *items = random_items(&r, n->view);
			char *text = table(&o, n->name, items);
			size_t lines;

			for (char *p = text; *p; p++)
				foul += (*p > 0 && *p < ' ' && *p != '\n') ||
					*p == 0x7f;
			foul += strstr(text, "\xe2\x80\xae") != NULL;
			too_wide += widest_line(text, &lines) > width;
			lost += lines != json_array_size(items) + 1;
			rounds++;
			free(text);
			json_decref(items);
		}
	}
	ok(rounds >= 180, "%d tables drawn", rounds);
	is_int(too_wide, 0, "too wide");
	is_int(lost, 0, "with a line too few or too many");
	is_int(foul, 0, "foul characters");
}

static void test_empty(void)
{
	json_t *none = json_array();
	struct cli_output o = plain;
	char *text = table(&o, "pool", none);

	is_text(text, "NAME  APP  SIZE  USE  READY  SAVED  START  BAD  MIN-MAX  "
		      "WAIT\n", "the header of nothing");
	free(text);
	o.header = false;
	text = table(&o, "pool", none);
	is_text(text, "", "nothing of nothing");
	free(text);
	json_decref(none);
}

static void names_are(const struct cli_output *like, const json_t *items,
		      const char *want, const char *what)
{
	struct cli_output o = *like;
	char *text;

	o.format = FORMAT_NAME;
	text = table(&o, "machine", items);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	is_text(text, want, "%s", what);
	free(text);
}

static void test_sort(void)
{
	json_t *items = load(
		"[{\"name\":\"b\",\"session\":9,\"host\":\"h10\"},"
		"{\"name\":\"a\",\"session\":null,\"host\":\"h9\"},"
		"{\"name\":\"d\",\"session\":10,\"host\":\"h9\"},"
		"{\"name\":\"c\",\"host\":\"h10\"}]");
	struct cli_output o = plain;

	names_are(&o, items, "machine/b machine/a machine/d machine/c ",
		  "as they came");
	o.sort = "session";
	names_are(&o, items, "machine/b machine/d machine/a machine/c ",
		  "numbers as numbers, unknown last");
	o.sort = "SESSION-";
	names_are(&o, items, "machine/d machine/b machine/a machine/c ",
		  "downwards, unknown last again");
	o.sort = "host";
	names_are(&o, items, "machine/a machine/d machine/b machine/c ",
		  "numbers in names, equal rows keep their order");
	o.sort = "-";
	names_are(&o, items, "error: no column \"\"; see the header of -o wide",
		  "no column");
	json_decref(items);
}

static void filter_is(const char *expr, bool want)
{
	json_t *item = load("{\"name\":\"mail-07\",\"state\":\"in_session\","
			    "\"user\":\"Alice\",\"pool\":\"mail\","
			    "\"sessions\":12,\"uuid\":\"abc\","
			    "\"reason\":\"boot = slow\"}");

	is_int(filter_match(expr, view_of("machine"), item), want,
	       "filter \"%s\"", expr);
	json_decref(item);
}

static void test_filter(void)
{
	filter_is("", true);
	filter_is("  ", true);
	filter_is("mail", true);
	filter_is("ALICE", true);
	filter_is("mail alice", true);
	filter_is("mail bob", false);
	filter_is("!bob", true);
	filter_is("!alice", false);
	filter_is("~ml07", true);
	filter_is("~70", false);
	filter_is("!~zz", true);
	filter_is("state=in_session", true);
	filter_is("STATE=IN_*", true);
	filter_is("state=in", false);
	filter_is("pool=mail", true);
	filter_is("pool=mai?", true);
	filter_is("!pool=mail", false);
	filter_is("uuid=abc", true);
	filter_is("sessions=12", true);
	filter_is("nothing=", false);
	filter_is("nothing=x", false);
	filter_is("!nothing=x", true);
	filter_is("=", true);
	filter_is("=x", false);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	test_cells();
	test_times();
	test_widths();
	test_ascii_terminal();
	test_fits();
	test_empty();
	test_sort();
	test_filter();
	return tap_done();
}
