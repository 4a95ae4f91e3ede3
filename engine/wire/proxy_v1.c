/* PROXY protocol version 1; see proxy_v1.h. */
#include "engine/wire/proxy_v1.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/error.h"
#include "engine/wire/proxy_v2.h"

static const char start[] = "PROXY ";

enum { WORDS = 5 };	/* TCP4, two addresses, two ports */

/* Cuts a line at single spaces; false when there are not just five words. */
static bool cut(char *line, char *words[WORDS])
{
	int n = 0;

	for (char *at = line; at && n < WORDS; n++) {
		words[n] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = '\0';
		if (!words[n][0] || (n == WORDS - 1 && at))
			return false;
	}
	return n == WORDS;
}

/* 0 to 65535, decimal, without leading zeros. */
static bool take_port(const char *text, uint16_t *out)
{
	unsigned long port = 0;
	size_t n = strlen(text);

	if (n < 1 || n > 5 || (n > 1 && text[0] == '0') ||
	    strspn(text, "0123456789") != n)
		return false;
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (unsigned long)(text[i] - '0');
	*out = (uint16_t)port;
	return port <= 65535;
}

static bool take_line(char *line, struct proxy_v2_info *info)
{
	char *words[WORDS];

	if (strcmp(line, "UNKNOWN") == 0 || strncmp(line, "UNKNOWN ", 8) == 0)
		return true;
	if (!cut(line, words))
		return false;
	bool six = strcmp(words[0], "TCP6") == 0;
	int family = six ? AF_INET6 : AF_INET;
	if ((!six && strcmp(words[0], "TCP4") != 0) ||
	    inet_pton(family, words[1], info->source) != 1 ||
	    inet_pton(family, words[2], info->destination) != 1 ||
	    !take_port(words[3], &info->source_port) ||
	    !take_port(words[4], &info->destination_port))
		return false;
	info->family = (uint8_t)family;
	return true;
}

int proxy_v1_decode(const uint8_t *in, size_t length,
		    struct proxy_v2_info *info, struct error *err)
{
	char line[PROXY_V1_MAX + 1];
	size_t known = length < sizeof(start) - 1 ? length : sizeof(start) - 1;
	size_t look = length < PROXY_V1_MAX ? length : PROXY_V1_MAX;
	const uint8_t *end = length ? memchr(in, '\n', look) : NULL;

	*info = (struct proxy_v2_info){ .family = AF_UNSPEC };
	if (known && memcmp(in, start, known))
		return error_set(err, "PROXY header: wrong signature");
	if (!end && length < PROXY_V1_MAX)
		return memchr(in, '\0', length) ?
		       error_set(err, "PROXY header: a NUL") : 0;
	size_t n = end ? (size_t)(end - in) + 1 : 0;
	if (n < sizeof(start) + 1 || in[n - 2] != '\r' || memchr(in, '\0', n) ||
	    memchr(in, '\r', n - 2))
		return error_set(err, "PROXY header: not one line with CR LF");
	memcpy(line, in + sizeof(start) - 1, n - sizeof(start) - 1);
	line[n - sizeof(start) - 1] = '\0';
	if (!take_line(line, info))
		return error_set(err, "PROXY header: not TCP4, TCP6 or UNKNOWN with two addresses and ports");
	return (int)n;
}
