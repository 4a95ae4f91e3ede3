/*
 * The request of an HTTP CONNECT proxy (RFC 9110 9.3.6, RFC 9112): the name
 * asked for is the application, its port is read and ignored.
 *
 * Strict, since everything here comes from a stranger.  Lines end with CRLF;
 * a bare LF or CR, a NUL or another control character, a folded line, a space
 * before a colon or a missing Host in HTTP/1.1 is 400, as are a second Host,
 * Proxy-Authorization, Content-Length, Transfer-Encoding or Expect and any
 * announcement of a body.  Expect is 417, another method 405, another version 505, more than
 * HTTP_CONNECT_MAX bytes or HTTP_CONNECT_FIELDS fields 431, a name that no
 * application can have (an address, for example) 404.
 *
 * Pure: no I/O, no allocation; the whole request is read again with each call.
 */
#ifndef REMUDA_WIRE_HTTP_CONNECT_H
#define REMUDA_WIRE_HTTP_CONNECT_H

#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_CONNECT_MAX = 8192,	/* request line and fields */
	HTTP_CONNECT_FIELDS = 64,
};

enum http_credentials {
	HTTP_NO_CREDENTIALS,
	HTTP_BASIC,		/* RFC 7617: user and secret */
	HTTP_BEARER,		/* RFC 6750: secret alone */
};

struct http_connect {
	char application[64];	/* small letters */
	enum http_credentials credentials;
	char user[256];
	uint8_t secret[1024];	/* to be wiped by the caller */
	uint32_t secret_length;
	int status;		/* of a refusal */
	const char *why;	/* a sentence for a person */
};

/*
 * Reads a request at the start of in.  Returns its length, 0 when more bytes
 * are needed, -1 when it is refused: status and why say how.
 */
int http_connect_parse(const uint8_t *in, size_t length,
		       struct http_connect *out);

#endif
