/* Role messages: what decodes, encodes again to the same bytes. */
#include <string.h>

#include "engine/base/error.h"
#include "engine/wire/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static uint8_t again[WIRE_PACKET_MAX];
	struct message m = { .type = 0 };
	struct error err = { "" };

	if (length > WIRE_PACKET_MAX)
		return 0;
	if (wire_decode(bytes, length, &m, &err) < 0) {
		FUZZ_CHECK(err.text[0]);
		return 0;
	}
	int n = wire_encode(&m, again, &err);
	FUZZ_CHECK(n == (int)length && memcmp(again, bytes, length) == 0);
	return 0;
}
