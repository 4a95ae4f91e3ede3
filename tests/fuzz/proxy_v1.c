/*
 * PROXY v1 lines: a beginning of a line is never one, what is refused stays
 * so, and a line made of what was taken reads the same (for IPv4, which has
 * one printed form, it is the same line).
 */
#include <arpa/inet.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/wire/proxy_v1.h"
#include "engine/wire/proxy_v2.h"
#include "tests/fuzz/fuzz.h"

static void check_line(const uint8_t *in, int n,
		       const struct proxy_v2_info *info)
{
	char source[64], destination[64], line[256];
	struct proxy_v2_info again;
	struct error err = { "" };
	int family = info->family;

	FUZZ_CHECK(n >= 2 && in[n - 2] == '\r' && in[n - 1] == '\n');
	FUZZ_CHECK(!memchr(in, '\0', (size_t)n) &&
		   !memchr(in, '\n', (size_t)n - 1) &&
		   !memchr(in, '\r', (size_t)n - 2));
	if (family == AF_UNSPEC) {
		FUZZ_CHECK(n >= 15 && memcmp(in, "PROXY UNKNOWN", 13) == 0 &&
			   (in[13] == ' ' || in[13] == '\r'));
		return;
	}
	FUZZ_CHECK(family == AF_INET || family == AF_INET6);
	FUZZ_CHECK(inet_ntop(family, info->source, source, sizeof(source)) &&
		   inet_ntop(family, info->destination, destination,
			     sizeof(destination)));
	int m = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n",
			 family == AF_INET ? '4' : '6', source, destination,
			 info->source_port, info->destination_port);
	if (family == AF_INET)
		FUZZ_CHECK(m == n && memcmp(line, in, (size_t)n) == 0);
	FUZZ_CHECK(proxy_v1_decode((uint8_t *)line, (size_t)m, &again, &err) == m);
	FUZZ_CHECK(memcmp(&again, info, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct proxy_v2_info info, part;
	struct error err = { "" };
	int n = proxy_v1_decode(bytes, length, &info, &err);

	FUZZ_CHECK(n >= -1 && n <= (int)length && n <= PROXY_V1_MAX);
	FUZZ_CHECK(n != 0 || length < PROXY_V1_MAX);
	FUZZ_CHECK(n >= 0 || err.text[0]);
	FUZZ_EACH_PREFIX(cut, n > 0 ? (size_t)n : length) {
		int m = proxy_v1_decode(bytes, cut, &part, &err);

		FUZZ_CHECK(m == 0 || (m < 0 && n < 0));
	}
	if (n > 0)
		check_line(bytes, n, &info);
	return 0;
}
