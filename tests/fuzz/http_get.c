/*
 * GET requests: a beginning of one is never one; what is refused stays refused
 * with the same status; what is taken is a GET or HEAD of a path, with one Host,
 * no control character and no body.
 */
#include <string.h>
#include <strings.h>

#include "engine/wire/http_get.h"
#include "tests/fuzz/fuzz.h"

/* Read once more the plain way. */
static void check_grammar(const char *in, size_t length)
{
	size_t lines = 0, hosts = 0;
	char minor = '0';

	for (size_t at = 0; at < length;) {
		const char *line = in + at;
		const char *end = memmem(line, length - at, "\r\n", 2);

		FUZZ_CHECK(end);
		size_t n = (size_t)(end - line);
		for (size_t i = 0; i < n; i++)
			FUZZ_CHECK(line[i] == '\t' ||
				   ((unsigned char)line[i] >= ' ' && line[i] != 0x7f));
		FUZZ_CHECK(n > 0 || at + 2 == length);
		if (lines == 0)
			minor = line[n - 1];
		if (lines > 0 && n > 0)
			FUZZ_CHECK(memchr(line, ':', n) && *line != ' ' &&
				   *line != '\t' && *line != ':');
		FUZZ_CHECK(n < 18 || strncasecmp(line, "Transfer-Encoding:", 18));
		hosts += n >= 5 && strncasecmp(line, "Host:", 5) == 0;
		lines++;
		at += n + 2;
	}
	FUZZ_CHECK(length >= 4 && memcmp(in + length - 4, "\r\n\r\n", 4) == 0);
	FUZZ_CHECK(lines <= HTTP_GET_FIELDS + 2);
	FUZZ_CHECK(hosts <= 1 && (hosts == 1 || minor == '0'));
}

static bool known_status(int status)
{
	return status == 400 || status == 404 || status == 405 ||
	       status == 431 || status == 505;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct http_get whole, part;
	int n = http_get_parse(bytes, length, &whole);

	FUZZ_CHECK(n >= -1 && n <= (int)length && n <= HTTP_GET_MAX);
	FUZZ_CHECK(n != 0 || length < HTTP_GET_MAX);
	if (n < 0)
		FUZZ_CHECK(known_status(whole.status) && !whole.path[0]);
	size_t known = n > 0 ? (size_t)n : length;
	FUZZ_EACH_PREFIX(cut, known) {
		int m = http_get_parse(bytes, cut, &part);

		FUZZ_CHECK(m == 0 || (m < 0 && n < 0 && part.status == whole.status));
	}
	if (n <= 0)
		return 0;
	FUZZ_CHECK(memcmp(bytes, whole.head ? "HEAD " : "GET ",
			  whole.head ? 5 : 4) == 0);
	FUZZ_CHECK(whole.path[0] == '/' && !strpbrk(whole.path, "? \r\n"));
	FUZZ_CHECK(memmem(bytes, known, whole.path, strlen(whole.path)));
	check_grammar((const char *)bytes, known);
	return 0;
}
