/* HTTP CONNECT requests: what is taken, what is refused and with which words,
 * at every cut. */
#include "engine/wire/http_connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"

#define LINE "CONNECT echo:7 HTTP/1.1\r\n"
#define HOST "Host: echo:7\r\n"
#define AUTH "Proxy-Authorization: "

/* A copy of exactly that length, so that a sanitizer sees reads beyond. */
static int parse(const char *text, size_t length, struct http_connect *out)
{
	uint8_t *copy = malloc(length ? length : 1);
	int got;

	if (!copy)
		tap_bail("out of memory");
	memcpy(copy, text, length);
	got = http_connect_parse(copy, length, out);
	free(copy);
	return got;
}

/* Whole at its length, never before, and untouched by what follows. */
static void accepted(const char *text, const char *application, const char *what)
{
	struct http_connect c;
	size_t n = strlen(text);
	char more[16384];
	int early = 0;

	for (size_t cut = 0; cut < n; cut++)
		early += parse(text, cut, &c) != 0;
	is_int(early, 0, "%s: no prefix is a request or refused", what);
	is_int(parse(text, n, &c), (int)n, "%s: the whole is", what);
	is_text(c.application, application, "%s: the application", what);
	snprintf(more, sizeof(more), "%s%s", text, "\n\x01 early data\r\n\r\n");
	is_int(parse(more, strlen(more), &c), (int)n, "%s: early data is not read", what);
}

static void refused_bytes(const char *text, size_t n, int status, const char *what)
{
	struct http_connect c;
	int got = parse(text, n, &c), later = 0;

	is_int(got, -1, "%s: refused", what);
	is_int(c.status, status, "%s: with %d", what, status);
	ok(c.why && strlen(c.why) > 10, "%s: and a sentence", what);
	/* Each shorter piece is refused alike or wants more, never taken. */
	for (size_t cut = 0; cut < n; cut++) {
		got = parse(text, cut, &c);
		later += got > 0 || (got < 0 && c.status != status);
	}
	is_int(later, 0, "%s: and no piece of it is taken", what);
}

static void refused(const char *text, int status, const char *what)
{
	refused_bytes(text, strlen(text), status, what);
}

static void test_accepted(void)
{
	accepted(LINE HOST "\r\n", "echo", "plain");
	accepted("CONNECT echo HTTP/1.0\r\n\r\n", "echo", "HTTP/1.0 without Host");
	accepted("CONNECT Echo-2:65535 HTTP/1.1\r\nhOsT: \t x\t \r\n\r\n", "echo-2",
		 "small letters");
	accepted(LINE HOST "X:\r\nY: \xc3\xa4\ta:b\r\nX: again\r\n\r\n", "echo",
		 "fields that nobody knows");
	accepted(LINE HOST "Content-Length: 0\r\n\r\n", "echo", "an empty body");
	accepted(LINE HOST AUTH "Digest x=\"y\"\r\n\r\n", "echo",
		 "a scheme that nobody knows");
}

static void test_refused(void)
{
	refused("GET http://echo/ HTTP/1.1\r\nHost: echo\r\n\r\n", 405, "GET");
	refused("connect echo:7 HTTP/1.1\r\n" HOST "\r\n", 405, "small letters");
	refused("CONNECT echo:7 HTTP/2.0\r\n\r\n", 505, "HTTP/2");
	refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405, "HTTP/2's preface");
	refused("CONNECT echo:7 HTTP/1.2\r\n\r\n", 505, "HTTP/1.2");
	refused("CONNECT echo:7\r\n\r\n", 400, "no version");
	refused("CONNECT  echo:7 HTTP/1.1\r\n\r\n", 400, "two spaces");
	refused("CONNECT echo:7 HTTP/1.1 \r\n\r\n", 400, "a space behind");
	refused(" CONNECT echo:7 HTTP/1.1\r\n\r\n", 400, "a space before");
	refused("\r\n" LINE HOST "\r\n", 400, "an empty line before");
	refused("CONNECT\techo:7 HTTP/1.1\r\n\r\n", 400, "a tab");
	refused("\x16\x03\x01\x02\x01", 400, "a TLS hello");
	refused("CONNECT 10.0.0.1:7 HTTP/1.1\r\n" HOST "\r\n", 404, "an address");
	refused("CONNECT [::1]:7 HTTP/1.1\r\n" HOST "\r\n", 404, "an IPv6 address");
	refused("CONNECT user@echo:7 HTTP/1.1\r\n" HOST "\r\n", 404, "userinfo");
	refused("CONNECT echo: HTTP/1.1\r\n" HOST "\r\n", 400, "an empty port");
	refused("CONNECT echo:0 HTTP/1.1\r\n" HOST "\r\n", 400, "port 0");
	refused("CONNECT echo:65536 HTTP/1.1\r\n" HOST "\r\n", 400, "port 65536");
	refused("CONNECT echo:7777777777777 HTTP/1.1\r\n" HOST "\r\n", 400, "a long port");
	refused("CONNECT echo:7:7 HTTP/1.1\r\n" HOST "\r\n", 400, "two ports");
	refused("CONNECT :7 HTTP/1.1\r\n" HOST "\r\n", 400, "no name");
	refused(LINE "\r\n", 400, "no Host in HTTP/1.1");
	refused(LINE HOST HOST "\r\n", 400, "two Hosts");
	refused(LINE "Host : echo\r\n\r\n", 400, "a space before the colon");
	refused(LINE HOST "X: a\r\n b\r\n\r\n", 400, "a folded line");
	refused(LINE HOST ": b\r\n\r\n", 400, "a field without a name");
	refused(LINE HOST "X\r\n\r\n", 400, "a line without a colon");
	refused(LINE HOST "X\x80: b\r\n\r\n", 400, "a name beyond ASCII");
	refused("CONNECT echo:7 HTTP/1.1\n" HOST "\r\n", 400, "a bare LF");
	refused(LINE HOST "X: a\rb\r\n\r\n", 400, "a bare CR");
	refused_bytes(LINE HOST "X: a\0b\r\n\r\n", sizeof(LINE HOST "X: a\0b\r\n\r\n") - 1,
		      400, "a NUL");
	refused(LINE HOST "X: \x7f\r\n\r\n", 400, "a DEL");
	refused(LINE HOST "Content-Length: 5\r\n\r\n", 400, "a body");
	refused(LINE HOST "Content-Length: 00\r\n\r\n", 400, "a length of another form");
	refused(LINE HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400,
		"two lengths");
	refused(LINE HOST "transfer-encoding: chunked\r\n\r\n", 400, "chunks");
	refused(LINE HOST "Expect: 100-continue\r\n\r\n", 417, "Expect");
}

static void authorized(const char *value, enum http_credentials kind,
		       const char *user, const char *secret)
{
	struct http_connect c;
	char text[8192], got[1025] = "";
	int n = snprintf(text, sizeof(text), LINE HOST AUTH "%s\r\n\r\n", value);

	is_int(parse(text, (size_t)n, &c), n, "%.40s: taken", value);
	is_int(c.credentials, kind, "as what it is");
	is_text(c.user, user, "the user");
	memcpy(got, c.secret, c.secret_length);
	is_text(got, secret, "the secret");
}

static void test_credentials(void)
{
	char text[4096], line[4200];

	authorized("Basic YW5uYTpyZW11ZGE=", HTTP_BASIC, "anna", "remuda");
	authorized("bAsIc   YW5uYTpwOnE=", HTTP_BASIC, "anna", "p:q");
	authorized("Basic YTo=", HTTP_BASIC, "a", "");
	authorized("Bearer abc-._~+/123==", HTTP_BEARER, "", "abc-._~+/123==");
	authorized("Negotiate abc", HTTP_NO_CREDENTIALS, "", "");
	refused(LINE HOST AUTH "Basic YW5uYQ==\r\n\r\n", 400, "no colon");
	refused(LINE HOST AUTH "Basic YW5uYTpyZW11ZGE\r\n\r\n", 400, "no padding");
	refused(LINE HOST AUTH "Basic YTp=YTph\r\n\r\n", 400, "padding inside");
	refused(LINE HOST AUTH "Basic YTp=\r\n\r\n", 400, "unused bits");
	refused(LINE HOST AUTH "Basic YW5u YTpy\r\n\r\n", 400, "a space inside");
	refused(LINE HOST AUTH "Basic ====\r\n\r\n", 400, "only padding");
	refused(LINE HOST AUTH "Basic\r\n\r\n", 400, "nothing");
	refused(LINE HOST AUTH "Basic YTpiAGM=\r\n\r\n", 400, "a NUL inside");
	refused(LINE HOST AUTH "Bearer \r\n\r\n", 400, "no token");
	refused(LINE HOST AUTH "Bearer a b\r\n\r\n", 400, "two tokens");
	refused(LINE HOST AUTH "Bearer ==\r\n\r\n", 400, "an empty token");
	refused(LINE HOST AUTH "Bearer a\r\n" AUTH "Bearer a\r\n\r\n", 400, "two");
	memset(text, 'a', sizeof(text));
	snprintf(line, sizeof(line), LINE HOST AUTH "Bearer %.1025s\r\n\r\n", text);
	refused(line, 400, "a token of 1025 bytes");
	memset(text, 'Y', sizeof(text));
	snprintf(line, sizeof(line), LINE HOST AUTH "Basic %.2000s\r\n\r\n", text);
	refused(line, 400, "a password that is too long");
}

/* A request of exactly n bytes. */
static void fill(char *out, size_t n)
{
	size_t head = (size_t)sprintf(out, LINE HOST "X: ");

	memset(out + head, 'x', n - head - 4);
	memcpy(out + n - 4, "\r\n\r\n", 5);
}

static void test_bounds(void)
{
	static char text[HTTP_CONNECT_MAX + 64];
	struct http_connect c;

	fill(text, HTTP_CONNECT_MAX);
	is_int(parse(text, HTTP_CONNECT_MAX - 1, &c), 0, "8191 of 8192 bytes wait");
	is_int(parse(text, HTTP_CONNECT_MAX, &c), HTTP_CONNECT_MAX, "8192 are taken");
	fill(text, HTTP_CONNECT_MAX + 1);
	is_int(parse(text, HTTP_CONNECT_MAX + 1, &c), -1, "8193 are not");
	is_int(c.status, 431, "431");
	is_int(parse(text, HTTP_CONNECT_MAX, &c), -1, "nor are 8192 without an end");
	for (int fields = HTTP_CONNECT_FIELDS; fields <= HTTP_CONNECT_FIELDS + 1; fields++) {
		int n = sprintf(text, LINE HOST);

		for (int i = 1; i < fields; i++)
			n += sprintf(text + n, "a: b\r\n");
		n += sprintf(text + n, "\r\n");
		is_int(parse(text, (size_t)n, &c),
		       fields == HTTP_CONNECT_FIELDS ? n : -1, "%d fields", fields);
	}
	is_int(c.status, 431, "431");
	snprintf(text, sizeof(text), "CONNECT %064d:7 HTTP/1.1\r\n" HOST "\r\n", 1);
	is_int(parse(text, strlen(text), &c), -1, "a name of 64 bytes");
	is_int(c.status, 404, "is nobody's");
}

int main(void)
{
	test_accepted();
	test_refused();
	test_credentials();
	test_bounds();
	return tap_done();
}
