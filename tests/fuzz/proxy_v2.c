/*
 * PROXY v2 headers: what decodes lies inside the input, a beginning of a
 * header is never one, a checksum that was right covers every byte, and what
 * was taken, encoded again, reads the same.
 */
#include <netinet/in.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/wire/proxy_v2.h"
#include "tests/fuzz/fuzz.h"

enum { SLICES = 5 };

static void slices_of(const struct proxy_v2_info *i, struct slice out[SLICES])
{
	out[0] = i->authority;
	out[1] = i->unique_id;
	out[2] = i->listener;
	out[3] = i->application;
	out[4] = i->incarnation;
}

/* An IPv4 address mapped into IPv6 is written as IPv4. */
static bool is_mapped(const uint8_t *address)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, prefix, sizeof(prefix)) == 0;
}

static void check_again(const struct proxy_v2_info *info)
{
	static uint8_t header[1 << 17];
	struct proxy_v2 p = { .local = info->local,
		.authority = info->authority, .unique_id = info->unique_id,
		.listener = info->listener, .application = info->application,
		.incarnation = info->incarnation };
	struct sockaddr_in four[2] = { { .sin_family = AF_INET },
				       { .sin_family = AF_INET } };
	struct sockaddr_in6 six[2] = { { .sin6_family = AF_INET6 },
				       { .sin6_family = AF_INET6 } };
	struct proxy_v2_info again;
	struct error err = { "" };
	struct slice before[SLICES], after[SLICES];

	if (info->family == AF_INET) {
		memcpy(&four[0].sin_addr, info->source, 4);
		memcpy(&four[1].sin_addr, info->destination, 4);
		four[0].sin_port = htons(info->source_port);
		four[1].sin_port = htons(info->destination_port);
		p.source = (struct sockaddr *)&four[0];
		p.destination = (struct sockaddr *)&four[1];
	} else if (info->family == AF_INET6) {
		if (is_mapped(info->source) || is_mapped(info->destination))
			return;
		memcpy(&six[0].sin6_addr, info->source, 16);
		memcpy(&six[1].sin6_addr, info->destination, 16);
		six[0].sin6_port = htons(info->source_port);
		six[1].sin6_port = htons(info->destination_port);
		p.source = (struct sockaddr *)&six[0];
		p.destination = (struct sockaddr *)&six[1];
	}
	size_t n = proxy_v2_encode(&p, header, sizeof(header));
	if (!n)		/* with a checksum it is longer than a header can be */
		return;
	FUZZ_CHECK(proxy_v2_decode(header, n, &again, &err) == (int)n);
	FUZZ_CHECK(again.checked && again.local == info->local &&
		   again.family == info->family &&
		   again.source_port == info->source_port &&
		   again.destination_port == info->destination_port &&
		   memcmp(again.source, info->source, 16) == 0 &&
		   memcmp(again.destination, info->destination, 16) == 0);
	slices_of(info, before);
	slices_of(&again, after);
	for (int i = 0; i < SLICES; i++)
		FUZZ_CHECK(after[i].length == before[i].length &&
			   (!after[i].length ||
			    memcmp(after[i].ptr, before[i].ptr,
				   after[i].length) == 0));
}

/* One bit of it turned is another header or none, never a checked one. */
static void check_sum(const uint8_t *in, int n)
{
	struct proxy_v2_info info;
	struct error err = { "" };
	uint8_t *copy = malloc((size_t)n);

	FUZZ_CHECK(copy);
	memcpy(copy, in, (size_t)n);
	for (int i = 12; i < n && i < 300; i++) {
		copy[i] ^= 1;
		if (proxy_v2_decode(copy, (size_t)n, &info, &err) == n)
			FUZZ_CHECK(!info.checked);
		copy[i] ^= 1;
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct proxy_v2_info info, part;
	struct error err = { "" };
	int n = proxy_v2_decode(bytes, length, &info, &err);
	struct slice texts[SLICES];

	FUZZ_CHECK(n >= -1 && n <= (int)length);
	FUZZ_CHECK(n >= 0 || err.text[0]);
	FUZZ_EACH_PREFIX(cut, n > 0 ? (size_t)n : length) {
		int m = proxy_v2_decode(bytes, cut, &part, &err);

		FUZZ_CHECK(m == 0 || (m < 0 && n < 0));
	}
	if (n <= 0)
		return 0;
	slices_of(&info, texts);
	for (int i = 0; i < SLICES; i++)
		FUZZ_CHECK(texts[i].length == 0 ||
			   ((const uint8_t *)texts[i].ptr >= bytes &&
			    (const uint8_t *)texts[i].ptr + texts[i].length <=
				    bytes + n));
	check_again(&info);
	if (info.checked)
		check_sum(bytes, n);
	return 0;
}
