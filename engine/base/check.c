/* The failing side of CHECK; see check.h. */
#include "engine/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static check_handler *handler;

void check_set_handler(check_handler *h)
{
	handler = h;
}

void check_fail(const char *name, const char *file, int line, const char *cond,
		const char *fmt, ...)
{
	char where[128], text[512];
	int used = snprintf(text, sizeof(text), "%s", cond);
	va_list ap;

	snprintf(where, sizeof(where), "%s:%d", file, line);
	if (fmt[0] && used > 0 && used < (int)sizeof(text) - 3) {
		text[used++] = ':';
		text[used++] = ' ';
		va_start(ap, fmt);
		vsnprintf(text + used, sizeof(text) - (size_t)used, fmt, ap);
		va_end(ap);
	}
	if (handler)
		handler(name, where, text);
	fprintf(stderr, "remuda: broken invariant %s at %s: %s\n", name, where,
		text);
	abort();
}
