/* PROXY v1 lines: every cut, and what is none. */
#include "engine/wire/proxy_v1.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/error.h"
#include "engine/wire/proxy_v2.h"
#include "tests/tap.h"

static int parse(const char *text, size_t n, struct proxy_v2_info *info)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct error err = { "" };

	memcpy(copy, text, n);
	int got = proxy_v1_decode(copy, n, info, &err);
	if (got < 0 && !err.text[0])
		ok(false, "refused without a word");
	free(copy);
	return got;
}

static struct proxy_v2_info taken(const char *line, const char *what)
{
	struct proxy_v2_info info;
	size_t n = strlen(line);
	char more[300];
	int early = 0;

	for (size_t cut = 0; cut < n; cut++)
		early += parse(line, cut, &info) != 0;
	is_int(early, 0, "%s: more is wanted at every cut", what);
	memcpy(more, line, n);
	memset(more + n, 'x', 150);
	is_int(parse(more, n + 150, &info), (int)n, "%s: what follows is not read", what);
	return info;
}

static void refused(const char *line, size_t n, const char *what)
{
	struct proxy_v2_info info;

	is_int(parse(line, n, &info), -1, "%s", what);
}

#define BAD(text, what) refused((text), sizeof(text) - 1, (what))

int main(void)
{
	struct proxy_v2_info i = taken("PROXY TCP4 10.1.0.7 10.0.0.1 56324 443\r\n", "TCP4");
	char longest[120];

	is_int(i.family, AF_INET, "IPv4");
	ok(!memcmp(i.source, "\x0a\1\0\7", 4), "its source");
	is_int(i.source_port, 56324, "its port");
	is_int(i.destination_port, 443, "the other port");
	i = taken("PROXY TCP6 2001:db8::7 ::1 1 0\r\n", "TCP6");
	is_int(i.family, AF_INET6, "IPv6");
	is_int(i.source[15], 7, "its source");
	i = taken("PROXY UNKNOWN\r\n", "UNKNOWN");
	is_int(i.family, AF_UNSPEC, "nothing known");
	i = taken("PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", "UNKNOWN and more");
	is_int(i.family, AF_UNSPEC, "is not read");
	BAD("GET / HTTP/1.1\r\n", "HTTP");
	BAD("proxy", "small letters");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 56324 443\n", "a bare LF");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 56324\r\n", "a word missing");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 56324 443 1\r\n", "a word too many");
	BAD("PROXY TCP4  10.1.0.7 10.0.0.1 56324 443\r\n", "two spaces");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 56324 443 \r\n", "a space behind");
	BAD("PROXY TCP4 ::1 ::1 1 1\r\n", "another family's address");
	BAD("PROXY TCP6 10.1.0.7 10.0.0.1 1 1\r\n", "the other way");
	BAD("PROXY TCP4 10.1.0.007 10.0.0.1 1 1\r\n", "zeros before an address");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 01 1\r\n", "zeros before a port");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 65536 1\r\n", "a port beyond");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 -1 1\r\n", "a negative port");
	BAD("PROXY TCP4 10.1.0.7 10.0.0.1 1\r 1\r\n", "a CR inside");
	BAD("PROXY TCP4 10.1\0.0.7 10.0.0.1 1 1\r\n", "a NUL");
	BAD("PROXY UDP4 10.1.0.7 10.0.0.1 1 1\r\n", "UDP");
	BAD("PROXY \r\n", "nothing");
	BAD("PROXY UNKNOWNX\r\n", "a word like it");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "PROXY UNKNOWN ", 14);
	is_int(parse(longest, PROXY_V1_MAX - 1, &i), 0, "106 bytes may become a line");
	refused(longest, PROXY_V1_MAX, "107 without an end do not");
	memcpy(longest + PROXY_V1_MAX - 2, "\r\n", 2);
	is_int(parse(longest, PROXY_V1_MAX, &i), PROXY_V1_MAX, "107 with one do");
	return tap_done();
}
