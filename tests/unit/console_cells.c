/* Cells: clipping by width, wide characters, marks, hostile bytes, roles. */
#include <locale.h>
#include <string.h>

#include "console/cells.h"
#include "console/theme.h"
#include "tests/tap.h"

static const char *line(const struct grid *g, int row)
{
	static char out[4096];

	grid_line(g, row, out, sizeof(out));
	return out;
}

static void test_clip(void)
{
	struct grid g;

	grid_init(&g, 3, 10, false);
	is_int(grid_text(&g, 0, 8, 99, ROLE_NORMAL, "abcdef"), 2,
	       "text is clipped at the right edge");
	is_text(line(&g, 0), "        ab", "only what fits was written");
	is_int(grid_text(&g, 0, 0, 3, ROLE_NORMAL, "abcdef"), 3, "and at limit");
	is_int(grid_text(&g, 7, 0, 3, ROLE_NORMAL, "x"), 0,
	       "a row outside takes nothing");
	is_int(grid_text(&g, 1, -1, 3, ROLE_NORMAL, "x"), 0,
	       "nor does a column outside");
	grid_text_right(&g, 1, 2, 6, ROLE_NORMAL, "abc");
	is_text(line(&g, 1), "     abc", "right-aligned");
	grid_text_right(&g, 2, 2, 3, ROLE_NORMAL, "abcdef");
	is_text(line(&g, 2), "  abc", "right-aligned and too long: clipped");
	grid_fini(&g);
}

static void test_wide(void)
{
	struct grid g;

	grid_init(&g, 2, 10, false);
	is_int(grid_text(&g, 0, 0, 5, ROLE_NORMAL, "山田太"), 5,
	       "the third wide character does not fit in 5 cells");
	is_text(line(&g, 0), "山田", "and a blank stands in its place");
	is_int(grid_cell(&g, 0, 0)->width, 2, "left half is 2 wide");
	is_int(grid_cell(&g, 0, 1)->width, 0, "right half is 0 wide");
	grid_text(&g, 0, 1, 1, ROLE_NORMAL, "x");
	is_text(line(&g, 0), " x田", "writing on a right half blanks the left");
	grid_text(&g, 0, 2, 1, ROLE_NORMAL, "y");
	is_text(line(&g, 0), " xy", "writing on a left half blanks the right");
	grid_text(&g, 1, 3, 2, ROLE_NORMAL, "山");
	grid_text(&g, 1, 2, 2, ROLE_NORMAL, "田");
	is_text(line(&g, 1), "  田", "a wide one over half of a wide one");
	is_int(grid_cell(&g, 1, 4)->width, 1, "leaves a whole blank");
	is_int(text_cells(false, "a山e\xcc\x81"), 4,
	       "width counts cells, not bytes or marks");
	grid_fini(&g);
}

static void test_odd_text(void)
{
	struct grid g;
	char out[32];

	grid_init(&g, 4, 12, false);
	is_int(grid_text(&g, 0, 0, 12, ROLE_NORMAL, "e\xcc\x81x"), 2,
	       "a combining mark takes no cell");
	is_text(line(&g, 0), "e\xcc\x81x", "and stays with its letter");
	grid_text(&g, 1, 0, 12, ROLE_NORMAL, "a\xff\xc3_\x1b[31m");
	is_text(line(&g, 1), "a??_?[31m", "bad bytes and controls become ?");
	grid_text(&g, 2, 0, 12, ROLE_NORMAL, "a\xe5\xb1");
	is_text(line(&g, 2), "a??", "a character cut off ends safely");
	text_clip(false, out, sizeof(out), "ab山田", 5);
	is_text(out, "ab山", "text_clip stops before half a character");
	text_clip(false, out, 4, "ab山田", 5);
	is_text(out, "ab", "and before the end of the buffer");
	grid_fini(&g);
	grid_init(&g, 1, 12, true);
	is_int(grid_text(&g, 0, 0, 12, ROLE_NORMAL, "a山b"), 3,
	       "in ASCII a wide character is one ?");
	is_text(line(&g, 0), "a?b", "as seen");
	grid_fini(&g);
}

static void test_roles(void)
{
	const struct look none = { .accent = -1 };
	const struct look many = { .colours = 256, .accent = -1 };
	struct grid g;
	char out[64];

	grid_init(&g, 1, 6, false);
	grid_text(&g, 0, 0, 2, ROLE_USED, "ab");
	grid_text(&g, 0, 2, 2, ROLE_FAILED, "cd");
	grid_flag(&g, (struct rect){ 0, 1, 1, 2 }, CELL_SELECTED);
	grid_line_roles(&g, 0, out, sizeof(out));
	is_text(out, "uUXx..", "roles as letters, the selected as capitals");
	grid_fini(&g);
	ok(theme_style(ROLE_FAILED, 0, &none).attrs & STYLE_REVERSE,
	   "without colours a failure is reverse");
	is_int(theme_style(ROLE_FAILED, 0, &none).colour, -1,
	       "and has no colour");
	is_int(theme_style(ROLE_USED, CELL_OLD, &many).colour, 245,
	       "old data is grey");
	for (int i = 0; i < GLYPH_COUNT; i++) {
		const char *plain = glyph(true, (enum glyph)i);

		if (strlen(plain) != 1 || plain[0] < 0x20 || plain[0] > 0x7e ||
		    text_cells(false, glyph(false, (enum glyph)i)) != 1)
			ok(false, "glyph %d is one cell in both", i);
	}
	ok(true, "every glyph was looked at");
}

int main(void)
{
	if (!setlocale(LC_ALL, "C.UTF-8"))
		tap_bail("no locale C.UTF-8");
	test_clip();
	test_wide();
	test_odd_text();
	test_roles();
	return tap_done();
}
