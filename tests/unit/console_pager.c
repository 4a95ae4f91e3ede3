/* Text in a pane: lines, hostile bytes, search, wrapping, a bound on memory. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/pager.h"
#include "tests/tap.h"

static const char *row(struct pager *p, int row, int rows, int cols)
{
	static char line[512];
	struct grid g;

	grid_init(&g, rows, cols, true);
	pager_draw(p, &g, (struct rect){ 0, 0, rows, cols });
	grid_line(&g, row, line, sizeof(line));
	grid_fini(&g);
	return line;
}

static void test_lines(void)
{
	struct pager p;
	static const char text[] = "one\r\n\ttwo\x1b[2J\xff\n\nfour\n";

	pager_init(&p, false);
	pager_add(&p, text, sizeof(text) - 1);
	is_int(p.count, 4, "four lines, the end of the last is no fifth");
	is_text(pager_line(&p, 0), "one", "a carriage return is no text");
	is_text(pager_line(&p, 1), "        two\\x1b[2J\\xff",
		"tabs are blanks, what could do harm is shown");
	is_text(pager_line(&p, 2), "", "an empty one");
	is_text(pager_line(&p, 9), "", "none");
	pager_printf(&p, "%s", "");
	is_int(p.count, 5, "one empty line more");
	is_text(row(&p, 1, 2, 12), "        two\\", "cut at the edge");
	pager_intent(&p, INTENT_RIGHT);
	is_text(row(&p, 1, 2, 12), "two\\x1b[2J\\x", "and seen from the side");
	pager_intent(&p, INTENT_LAST);
	is_text(row(&p, 1, 2, 12), "", "the end");
	pager_fini(&p);
}

static void test_search(void)
{
	struct pager p;

	pager_init(&p, false);
	for (int i = 0; i < 100; i++)
		pager_printf(&p, "line %d %s", i, i % 10 == 3 ? "HERE" : "");
	row(&p, 0, 10, 40);
	pager_find(&p, "here");
	ok(p.found && p.hit == 3, "the first hit, any case");
	pager_intent(&p, INTENT_SEARCH_NEXT);
	is_int(p.hit, 13, "the next");
	row(&p, 0, 10, 40);
	ok(p.hit >= p.top && p.hit < p.top + 10, "is in sight");
	pager_intent(&p, INTENT_SEARCH_PREVIOUS);
	pager_intent(&p, INTENT_SEARCH_PREVIOUS);
	is_int(p.hit, 93, "back around the end");
	pager_find(&p, "nowhere");
	ok(!p.found, "what is not there is not found");
	pager_find(&p, "");
	pager_intent(&p, INTENT_SEARCH_NEXT);
	ok(!p.found, "and nothing is looked for then");
	pager_fini(&p);
}

static void test_wrap(void)
{
	struct pager p;

	pager_init(&p, true);
	pager_printf(&p, "some words that do not fit in ten cells");
	is_text(row(&p, 0, 5, 10), "some words", "broken at blanks");
	is_text(row(&p, 1, 5, 10), "that do", "without them");
	pager_clear(&p);
	pager_printf(&p, "abcdefghijklmnopqrstuvwxyz");
	is_text(row(&p, 1, 5, 10), "klmnopqrst", "or where it must");
	pager_clear(&p);
	is_text(row(&p, 0, 1, 1), "", "nothing in one cell");
	row(&p, 0, 1, 1);
	pager_fini(&p);
}

static void test_bounds(void)
{
	struct pager p;
	char *big = malloc(200 * 1024);

	memset(big, 'A', 200 * 1024);
	pager_init(&p, false);
	pager_printf(&p, "first");
	p.follow = true;
	for (int i = 0; i < 100; i++)
		pager_add(&p, big, 200 * 1024);
	ok(p.used <= PAGER_BYTES_MAX + 200 * 1024, "old lines make room: %zu bytes",
	   p.used);
	ok(strcmp(pager_line(&p, 0), "first") != 0, "the oldest first");
	is_text(row(&p, 0, 1, 5), "AAAAA", "a line of 200,000 is drawn");
	free(big);
	pager_fini(&p);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	test_lines();
	test_search();
	test_wrap();
	test_bounds();
	return tap_done();
}
