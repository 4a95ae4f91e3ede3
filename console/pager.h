/*
 * Text in a pane: help, descriptions, logs.  Lines are kept as they are and cut
 * or wrapped when drawn; searching marks the line it found.  The text went
 * through text_display() line by line: nothing in it can reach the terminal raw.
 */
#ifndef REMUDA_CONSOLE_PAGER_H
#define REMUDA_CONSOLE_PAGER_H

#include <stdbool.h>
#include <stddef.h>

#include "console/cells.h"
#include "console/intent.h"

enum { PAGER_SEARCH_SIZE = 128, PAGER_BYTES_MAX = 4 << 20 };

struct pager {
	char *text;		/* lines, each ended by a NUL */
	size_t used, size;
	size_t *lines;		/* where each begins in text */
	size_t count, line_size;
	size_t top;		/* first line shown */
	size_t hit;		/* line the search stands on */
	bool found;
	int left;		/* cells cut off on the left */
	bool wrap;		/* long lines go on below instead */
	bool follow;		/* the end stays in sight */
	int page;		/* lines drawn last time */
	char search[PAGER_SEARCH_SIZE];
};

void pager_init(struct pager *p, bool wrap);
void pager_fini(struct pager *p);
/* Empties it. */
void pager_clear(struct pager *p);
/* Adds the lines of a text; beyond PAGER_BYTES_MAX the oldest go. */
void pager_add(struct pager *p, const char *text, size_t length);
void pager_printf(struct pager *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Moves; false when the intent is none of the pager's. */
bool pager_intent(struct pager *p, enum intent intent);
/* Goes to the first line from here on that has text; "" ends a search. */
void pager_find(struct pager *p, const char *text);
size_t pager_below(const struct pager *p);
void pager_draw(struct pager *p, struct grid *g, struct rect r);
/* A line as text, borrowed. */
const char *pager_line(const struct pager *p, size_t i);

#endif
