/* See ident.h.  Pure: no I/O. */
#include "engine/wire/ident.h"

#include <stdio.h>
#include <string.h>

static void skip_blanks(struct slice *s)
{
	while (s->length && (*s->ptr == ' ' || *s->ptr == '\t')) {
		s->ptr++;
		s->length--;
	}
}

/* One to five digits, 1..65535. */
static int take_port(struct slice *s, uint16_t *port)
{
	uint32_t n = 0, digits = 0;

	skip_blanks(s);
	while (s->length && *s->ptr >= '0' && *s->ptr <= '9' && digits < 6) {
		n = n * 10 + (uint32_t)(*s->ptr - '0');
		s->ptr++;
		s->length--;
		digits++;
	}
	if (!digits || digits > 5 || n == 0 || n > 65535)
		return -1;
	*port = (uint16_t)n;
	skip_blanks(s);
	return 0;
}

int ident_parse(struct slice line, uint16_t *own, uint16_t *other)
{
	if (take_port(&line, own) < 0 || !line.length || *line.ptr != ',')
		return -1;
	line.ptr++;
	line.length--;
	return take_port(&line, other) < 0 || line.length ? -1 : 0;
}

size_t ident_answer(char *out, size_t size, uint16_t own, uint16_t other,
		    const char *user)
{
	int n;

	if (!user)
		n = snprintf(out, size, "%u , %u : ERROR : NO-USER\r\n", own,
			     other);
	else if (!*user || strpbrk(user, ":\r\n \t"))
		return 0;
	else
		n = snprintf(out, size, "%u , %u : USERID : UNIX : %s\r\n", own,
			     other, user);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
