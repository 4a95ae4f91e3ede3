/*
 * The texts of a site as one: the site file and the modules it required, each
 * as "NAME LENGTH\n", its bytes, "\n".  This is what the store keeps of a
 * bundle, so that an earlier site can be shown, compared and loaded again.  The
 * first is the site file, under its file's name; the others stand under the
 * name they were required by ("applications.mail").
 */
#ifndef REMUDA_LOOP_SOURCE_H
#define REMUDA_LOOP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/text.h"

struct source {
	char *text;	/* NUL-terminated, owned; NULL when empty */
	size_t length;
};

/* A module that is there already stays as it is. */
void source_add(struct source *s, const char *name, const char *text,
		size_t length);
void source_clear(struct source *s);
/*
 * Walks the texts: *at is 0 at first.  False at the end, and at what no
 * source_add wrote.  The slices are borrowed from text.
 */
bool source_next(const char *text, size_t length, size_t *at,
		 struct slice *name, struct slice *body);

#endif
