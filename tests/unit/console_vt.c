/* What a guest writes on the terminal in a pane must not stop the console. */
#include "console/vt.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"

enum { ROWS = 3, COLS = 12, PATIENCE_S = 20 };

static void drop(void *arg, const char *bytes, size_t n)
{
	(void)arg;
	(void)bytes;
	(void)n;
}

/* The first line after the guest has written that, in pieces of `step`. */
static const char *line(const char *bytes, size_t step)
{
	static char text[COLS * 8];
	struct vt *v = vt_new(ROWS, COLS, drop, NULL);
	size_t n = strlen(bytes), used = 0;
	struct grid g;

	for (size_t at = 0; at < n; at += step)
		vt_write(v, bytes + at, n - at < step ? n - at : step);
	grid_init(&g, ROWS, COLS, false);
	vt_draw(v, &g, (struct rect){ 0, 0, ROWS, COLS }, 0);
	for (int i = 0; i < COLS; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s",
					 g.cells[i].text[0] ? g.cells[i].text : " ");
	while (used && text[used - 1] == ' ')
		text[--used] = '\0';
	grid_fini(&g);
	vt_free(v);
	return text;
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	alarm(PATIENCE_S);	/* it was for ever */
	is_text(line("\033[1bhello", 100), "hello", "REP of nothing is left out");
	is_text(line("\033[9\001b\033[\033[5bhello", 100), "hello", "whatever stands within it");
	is_text(line("\033[12bhello", 1), "hello", "or byte by byte");
	is_text(line("\033-[1bhello", 100), "hello", "or before it");
	is_text(line("\033\001\377[1bhello", 100), "hello", "or is no character at all");
	is_text(line("\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16mhello", 100), "hello",
		"sixteen arguments are read");
	is_text(line("\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;1;2;3;4;5;6;7;8;9;10mhello", 1),
		"hello", "a sequence with more of them is left out");
	is_text(line("\033[::::::::::::::::::::::::::::::::::::::[mhello", 100), "mhello",
		"also with colons");
	is_text(line("ab[b\033[1mb\033[0mb", 100), "ab[bbb", "a letter is a letter");
	is_text(line("\033[1\030b", 100), "b", "also after a sequence that was cancelled");
	is_text(line("\033[2;3Hx\033[1;1Hb", 1), "b", "other sequences are done");
	return tap_done();
}
