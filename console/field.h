/*
 * What a column says of an item: a member, shown as what it is.  Columns that
 * need more have a function of their own.
 */
#ifndef REMUDA_CONSOLE_FIELD_H
#define REMUDA_CONSOLE_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/cells.h"

struct model;

enum field_as {
	AS_TEXT,
	AS_NUMBER,
	AS_TOOK,		/* milliseconds: "4.1 s" */
	AS_BYTES,
	AS_MIB,			/* "2.0G" */
	AS_STAMP,		/* a time: date and clock */
	AS_CLOCK,
	AS_SINCE,		/* a time: its age */
	AS_YES,			/* yes, no */
	AS_LIST,		/* an array, or the keys of an object */
	AS_STATE,		/* the word and glyph of its column's kind */
	AS_PERCENT,
};

/* text points into buf, the item or a constant; a number, when has_number, is
 * what sorting compares. */
struct field {
	const char *text;
	char buf[128];
	enum role role;
	bool glyph;		/* the role's glyph goes before the text */
	bool has_number;
	int64_t number;
};

/* What columns may look at beside the item. */
struct list_context {
	const struct model *model;
	int64_t now_ms;		/* wall clock for ages */
	bool ascii;
};

/* kind: of states ("machine"), else NULL. */
void field_get(enum field_as as, const char *member, const char *kind,
	       const struct list_context *context, const json_t *item,
	       struct field *out);
/* Age of the first time of the two that is known. */
void field_age(struct field *out, const struct list_context *context,
	       const json_t *item, const char *first, const char *second);

#endif
