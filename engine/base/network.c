/* Networks; see network.h. */
#include "engine/base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

static struct address of_v6(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address a = { .family = 6 };

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		a.family = 4;
		memcpy(a.bytes, bytes + 12, 4);
	} else {
		memcpy(a.bytes, bytes, 16);
	}
	return a;
}

static struct address plain(const char *text)
{
	struct address a = { .family = 4 };
	uint8_t six[16];

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		return a;
	if (inet_pton(AF_INET6, text, six) == 1)
		return of_v6(six);
	return (struct address){ 0 };
}

struct address network_address_of(const struct sockaddr *a)
{
	struct address out = { .family = 4 };

	if (a->sa_family == AF_INET) {
		memcpy(out.bytes, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
		return out;
	}
	if (a->sa_family == AF_INET6)
		return of_v6(((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr);
	return (struct address){ 0 };
}

/* ":4711", or nothing. */
static bool is_port(const char *text)
{
	return !*text || (*text == ':' && text[1] &&
			  !text[1 + strspn(text + 1, "0123456789")]);
}

struct address network_address_parse(struct slice text)
{
	static const struct address none;
	char copy[64], *end;

	if (!text_copy_slice(copy, sizeof(copy), text))
		return none;
	if (copy[0] == '[') {
		end = strchr(copy, ']');
		if (!end || !is_port(end + 1))
			return none;
		*end = '\0';
		return strchr(copy, ':') ? plain(copy + 1) : none;
	}
	end = strchr(copy, ':');
	if (end && !strchr(end + 1, ':')) {
		if (!is_port(end))
			return none;
		*end = '\0';
	}
	return plain(copy);
}

int network_parse(const char *text, struct network *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	char base[64], *end;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	text_copy_slice(base, sizeof(base), (struct slice){ text, (uint32_t)n });
	out->base = plain(base);
	unsigned long width = out->base.family == 4 ? 32 : 128;
	unsigned long bits = width;
	if (slash) {
		bits = slash[1] >= '0' && slash[1] <= '9' ?
		       strtoul(slash + 1, &end, 10) : 999;
		if (bits > width || *end)
			bits = 999;
	}
	if (!out->base.family || n >= sizeof(base) || bits == 999)
		return error_set(err, "\"%.60s\" is no network such as \"10.1.0.0/16\" or \"2001:db8::/32\"",
				 text);
	out->bits = (uint8_t)bits;
	for (unsigned long i = bits; i < width; i++)
		if (out->base.bytes[i / 8] & (0x80 >> i % 8))
			return error_set(err, "\"%.60s\" has bits behind its /%lu: write the network's first address",
					 text, bits);
	return 0;
}

bool network_holds(const struct network *n, const struct address *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (a->family == 0 || n->base.family != a->family ||
	    memcmp(n->base.bytes, a->bytes, whole) != 0)
		return false;
	return !rest || ((n->base.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

bool network_address_same(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

bool network_same(const struct network *a, const struct network *b)
{
	return a->bits == b->bits && network_address_same(&a->base, &b->base);
}
