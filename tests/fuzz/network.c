/*
 * Networks and addresses as a site file and a gateway name them: what is read
 * holds its own base and is the same with and without a port; a base has no
 * bit behind its prefix.
 */
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/network.h"
#include "tests/fuzz/fuzz.h"

static void check_network(const char *text)
{
	struct network n;
	struct error err = { "" };

	if (network_parse(text, &n, &err) < 0) {
		FUZZ_CHECK(err.text[0]);
		return;
	}
	FUZZ_CHECK(n.base.family == 4 || n.base.family == 6);
	FUZZ_CHECK(n.bits <= (n.base.family == 4 ? 32 : 128));
	FUZZ_CHECK(network_holds(&n, &n.base) && network_same(&n, &n));
	for (int bit = n.bits; bit < (n.base.family == 4 ? 32 : 128); bit++)
		FUZZ_CHECK(!(n.base.bytes[bit / 8] >> (7 - bit % 8) & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char text[200], longer[220];

	if (length >= sizeof(text) || memchr(bytes, 0, length))
		return 0;
	memcpy(text, bytes, length);
	text[length] = '\0';
	check_network(text);
	struct address a = network_address_parse(slice_of(text));
	FUZZ_CHECK(a.family == 0 || a.family == 4 || a.family == 6);
	if (a.family)
		for (const char *at = text; *at; at++)
			FUZZ_CHECK(strchr("0123456789abcdefABCDEF.:[]", *at));
	if (a.family && !memchr(text, ':', length)) {
		snprintf(longer, sizeof(longer), "%s:4711", text);
		struct address b = network_address_parse(slice_of(longer));

		FUZZ_CHECK(memcmp(&a, &b, sizeof(a)) == 0);
	}
	return 0;
}
