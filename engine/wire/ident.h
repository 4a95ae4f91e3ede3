/*
 * The Identification Protocol (RFC 1413), the server's half: one line with a
 * pair of ports in, one line with a user or an error out.
 */
#ifndef REMUDA_WIRE_IDENT_H
#define REMUDA_WIRE_IDENT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"

enum {
	IDENT_QUERY_MAX = 64,		/* bytes of a line, with its end */
	IDENT_ANSWER_MAX = 128 + 256,
};

/* The query's ports: own is the one on the answering host, other the asker's.
 * line is without CR LF.  0, or -1 when it is no query. */
int ident_parse(struct slice line, uint16_t *own, uint16_t *other);
/* The answer with its CR LF; user NULL: nobody's connection (NO-USER).  Bytes
 * written, 0 when it does not fit in size or the user's name holds what the
 * protocol cannot carry. */
size_t ident_answer(char *out, size_t size, uint16_t own, uint16_t other,
		    const char *user);

#endif
