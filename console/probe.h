/*
 * What a terminal says about itself when asked (console.md C.6): its background
 * (OSC 11) and whether it draws signs of ambiguous width in two cells (two
 * cursor reports around one of them).  Pure: bytes in, answers out; term_probe.c
 * asks and waits.
 */
#ifndef REMUDA_CONSOLE_PROBE_H
#define REMUDA_CONSOLE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum probe_background { PROBE_UNKNOWN, PROBE_DARK, PROBE_LIGHT };

struct probe {
	bool ask_background, ask_width;
	enum probe_background background;
	int cells;		/* that the sign took; 0 = not known */
	int reports;		/* cursor reports so far */
	int row, col;		/* of the first one */
};

enum { PROBE_QUERY_MAX = 64, PROBE_ANSWER_MAX = 512 };

/* What to write; returns its length. */
size_t probe_query(const struct probe *p, char out[PROBE_QUERY_MAX]);

/*
 * Reads all bytes that came since the query (always from the first on).  What
 * is no answer - keys typed meanwhile - goes to rest (of the same size), an
 * answer that is not whole yet stays out of both.  Returns true when everything
 * that was asked is answered.
 */
bool probe_read(struct probe *p, const char *bytes, size_t length, char *rest,
		size_t *rest_length);

#endif
