/* Native frames: header and TLVs as a peer sends them, one frame an input. */
#include <string.h>

#include "engine/wire/native.h"
#include "tests/fuzz/fuzz.h"

static void read_payload(const uint8_t *payload, size_t length)
{
	bool valid = native_payload_valid(payload, length);
	char text[64];
	uint64_t number;

	for (int tag = 0; tag < 40; tag++) {
		const uint8_t *value = NULL;
		int n = native_find(payload, length, (enum native_tag)tag,
				    &value);

		FUZZ_CHECK(n < 0 || (value >= payload &&
				     value + n <= payload + length));
		if (native_get_u64(payload, length, (enum native_tag)tag,
				   &number) == 0)
			FUZZ_CHECK(n == 8);
		if (native_get_text(payload, length, (enum native_tag)tag, text,
				    sizeof(text)) == 0)
			FUZZ_CHECK(n >= 0 && strlen(text) == (size_t)n);
		if (n >= 0 && !valid)
			continue;	/* found before the fault */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t again[NATIVE_HEADER_SIZE];
	struct native_header h;

	if (length < NATIVE_HEADER_SIZE || native_get_header(bytes, &h) < 0)
		return 0;
	FUZZ_CHECK(native_type_name(h.type));
	FUZZ_CHECK(h.length <= NATIVE_PAYLOAD_MAX);
	native_put_header(again, (enum native_type)h.type, h.flags, h.length);
	FUZZ_CHECK(memcmp(again, bytes, sizeof(again)) == 0);
	read_payload(bytes + NATIVE_HEADER_SIZE, length - NATIVE_HEADER_SIZE);
	return 0;
}
