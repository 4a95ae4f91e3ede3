/* The texts of a site as one (see source.h).  Pure: no files, no store. */
#include "engine/loop/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

bool source_next(const char *text, size_t length, size_t *at,
		 struct slice *name, struct slice *body)
{
	const char *p = text + *at, *end = text + length;
	const char *line = *at < length ? memchr(p, '\n', (size_t)(end - p)) :
					  NULL;
	const char *blank = line ? memrchr(p, ' ', (size_t)(line - p)) : NULL;
	size_t size = 0;

	if (!blank || blank == p || blank + 1 == line || line - blank > 10)
		return false;
	for (const char *d = blank + 1; d < line; d++) {
		if (*d < '0' || *d > '9')
			return false;
		size = size * 10 + (size_t)(*d - '0');
	}
	if ((size_t)(end - line) < size + 2 || line[1 + size] != '\n')
		return false;
	*name = (struct slice){ p, (uint32_t)(blank - p) };
	*body = (struct slice){ line + 1, (uint32_t)size };
	*at = (size_t)(line + size + 2 - text);
	return true;
}

void source_add(struct source *s, const char *name, const char *text,
		size_t length)
{
	struct slice is, body;
	size_t at = 0, size;
	char head[300];

	while (source_next(s->text, s->length, &at, &is, &body))
		if (slice_is(is, name))
			return;
	int n = snprintf(head, sizeof(head), "%.255s %zu\n", name, length);
	size = s->length + (size_t)n + length + 2;
	s->text = realloc(s->text, size);
	CHECK("", s->text, "out of memory");
	memcpy(s->text + s->length, head, (size_t)n);
	memcpy(s->text + s->length + n, text, length);
	memcpy(s->text + size - 2, "\n", 2);
	s->length = size - 1;
}

void source_clear(struct source *s)
{
	free(s->text);
	*s = (struct source){ NULL, 0 };
}
