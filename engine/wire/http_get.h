/*
 * A GET or HEAD request (RFC 9110, RFC 9112) of a client that is answered once
 * and then left: Prometheus, curl, a browser.
 *
 * Strict like http_connect.h: lines end with CR LF, a control character or a
 * field without a name is 400, as are a missing or second Host in HTTP/1.1 and
 * the announcement of a body.  Another method is 405, another version 505, more
 * than HTTP_GET_MAX bytes or HTTP_GET_FIELDS fields 431, a long target 404.
 *
 * Pure: no I/O, no allocation; the whole request is read again with each call.
 */
#ifndef REMUDA_WIRE_HTTP_GET_H
#define REMUDA_WIRE_HTTP_GET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_GET_MAX = 4096,	/* request line and fields */
	HTTP_GET_FIELDS = 64,
	HTTP_GET_PATH = 64,
};

struct http_get {
	bool head;			/* HEAD: the answer has no body */
	char path[HTTP_GET_PATH];	/* without a query; "" of a refusal */
	int status;			/* of a refusal */
};

/*
 * Reads a request at the start of in.  Returns its length, 0 when more bytes are
 * needed, -1 when it is refused.
 */
int http_get_parse(const uint8_t *in, size_t length, struct http_get *out);
/* "Not Found"; "" for a status that is not sent here. */
const char *http_reason(int status);

#endif
