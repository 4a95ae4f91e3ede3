/*
 * Packets of several role messages: each that comes out encodes to the bytes
 * it stood in, they stand one behind the other from the first byte on, and
 * after one that is none nothing comes.
 */
#include <string.h>

#include "engine/base/error.h"
#include "engine/wire/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct wire_buffer buf;
	static uint8_t again[WIRE_PACKET_MAX];
	struct error err = { "" };
	struct message m, alone;
	size_t at = 0;
	int rc;

	if (length > WIRE_PACKET_MAX)
		return 0;
	memcpy(buf.bytes, bytes, length);
	buf.at = 0;
	buf.length = length;
	while ((rc = wire_next(&buf, &m, &err)) > 0) {
		int n = wire_encode(&m, again, &err);

		FUZZ_CHECK(n > 0 && buf.at == at + (size_t)n && buf.at <= length);
		FUZZ_CHECK(memcmp(again, bytes + at, (size_t)n) == 0);
		FUZZ_CHECK(m.fd_count == 0);
		FUZZ_CHECK(wire_decode(bytes + at, (size_t)n, &alone, &err) == 0);
		at = buf.at;
	}
	if (rc == 0)
		FUZZ_CHECK(at == length);
	else
		FUZZ_CHECK(err.text[0] && buf.at == length &&
			   wire_next(&buf, &m, &err) == 0);
	return 0;
}
