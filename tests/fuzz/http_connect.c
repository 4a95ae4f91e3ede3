/*
 * CONNECT requests: a beginning of a request is never one; what is refused
 * stays refused with the same status; what is taken has none of what the
 * grammar forbids, and its credentials are those that were sent.
 */
#include <string.h>
#include <strings.h>

#include "engine/base/text.h"
#include "engine/wire/http_connect.h"
#include "tests/fuzz/fuzz.h"

static bool begins(const char *line, size_t length, const char *name)
{
	size_t n = strlen(name);

	return length > n && line[n] == ':' && strncasecmp(line, name, n) == 0;
}

/* Read once more the plain way: lines of CR LF, no field that is forbidden. */
static void check_grammar(const char *in, size_t length, int minor)
{
	size_t at = 0, lines = 0, hosts = 0, logins = 0;

	while (at < length) {
		const char *line = in + at;
		const char *end = memmem(line, length - at, "\r\n", 2);

		FUZZ_CHECK(end);
		size_t n = (size_t)(end - line);
		for (size_t i = 0; i < n; i++)
			FUZZ_CHECK(line[i] == '\t' ||
				   ((unsigned char)line[i] >= ' ' && line[i] != 0x7f));
		if (lines > 0 && n > 0)
			FUZZ_CHECK(memchr(line, ':', n) && *line != ' ' &&
				   *line != '\t' && *line != ':');
		FUZZ_CHECK(n > 0 || at + 2 == length);
		FUZZ_CHECK(!begins(line, n, "Transfer-Encoding") &&
			   !begins(line, n, "Expect"));
		hosts += begins(line, n, "Host");
		logins += begins(line, n, "Proxy-Authorization");
		lines++;
		at += n + 2;
	}
	FUZZ_CHECK(length >= 4 && memcmp(in + length - 4, "\r\n\r\n", 4) == 0);
	FUZZ_CHECK(lines <= HTTP_CONNECT_FIELDS + 2 && logins <= 1);
	FUZZ_CHECK(hosts <= 1 && (hosts == 1 || minor == '0'));
}

static void put_base64(const uint8_t *in, size_t length, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < length; i += 3) {
		uint32_t word = (uint32_t)in[i] << 16;

		word |= i + 1 < length ? (uint32_t)in[i + 1] << 8 : 0;
		word |= i + 2 < length ? in[i + 2] : 0;
		for (int k = 0; k < 4; k++)
			*out++ = i + (size_t)k > length ? '=' :
				 digits[word >> (18 - 6 * k) & 63];
	}
	*out = '\0';
}

/* They stand in the request as they were taken. */
static void check_credentials(const char *in, size_t length,
			      const struct http_connect *c)
{
	uint8_t plain[sizeof(c->user) + sizeof(c->secret) + 1];
	char text[2 * sizeof(plain)];
	size_t n = strlen(c->user);

	switch (c->credentials) {
	case HTTP_NO_CREDENTIALS:
		FUZZ_CHECK(!n && !c->secret_length);
		return;
	case HTTP_BEARER:
		FUZZ_CHECK(!n && c->secret_length > 0);
		FUZZ_CHECK(memmem(in, length, c->secret, c->secret_length));
		return;
	case HTTP_BASIC:
		FUZZ_CHECK(!strchr(c->user, ':'));
		memcpy(plain, c->user, n);
		plain[n++] = ':';
		memcpy(plain + n, c->secret, c->secret_length);
		put_base64(plain, n + c->secret_length, text);
		FUZZ_CHECK(memmem(in, length, text, strlen(text)));
		return;
	}
	FUZZ_CHECK(!"credentials of the list");
}

static bool known_status(int status)
{
	return status == 400 || status == 404 || status == 405 ||
	       status == 417 || status == 431 || status == 505;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct http_connect whole, part;
	int n = http_connect_parse(bytes, length, &whole);

	FUZZ_CHECK(n >= -1 && n <= (int)length && n <= HTTP_CONNECT_MAX);
	FUZZ_CHECK(n != 0 || length < HTTP_CONNECT_MAX);
	if (n < 0)
		FUZZ_CHECK(known_status(whole.status) && whole.why && *whole.why);
	size_t known = n > 0 ? (size_t)n : length;
	FUZZ_EACH_PREFIX(cut, known) {
		int m = http_connect_parse(bytes, cut, &part);

		FUZZ_CHECK(m == 0 || (m < 0 && n < 0 && part.status == whole.status));
	}
	if (n <= 0)
		return 0;
	const char *in = (const char *)bytes;
	const char *eol = memmem(in, known, "\r\n", 2);
	FUZZ_CHECK(memcmp(in, "CONNECT ", 8) == 0 && eol);
	FUZZ_CHECK(text_is_name(whole.application));
	FUZZ_CHECK(strncasecmp(in + 8, whole.application,
			       strlen(whole.application)) == 0);
	check_grammar(in, known, eol[-1]);
	check_credentials(in, known, &whole);
	return 0;
}
