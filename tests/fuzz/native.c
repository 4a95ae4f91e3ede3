/*
 * Native frames: header and TLVs as a peer sends them, one frame an input.
 * A second, plain reading of the payload must find the same items, and a
 * payload counts as valid exactly when it is whole and names no tag twice.
 */
#include <string.h>

#include "engine/wire/native.h"
#include "tests/fuzz/fuzz.h"

struct item {
	int tag;
	size_t at, length;
};

enum { ITEMS_MAX = 3000 };

/* Count of items, or -1 when the payload ends inside one. */
static int list_items(const uint8_t *payload, size_t length, struct item *out)
{
	int count = 0;

	for (size_t at = 0; at < length;) {
		if (length - at < 4)
			return -1;
		struct item i = { payload[at] << 8 | payload[at + 1], at + 4,
				  (size_t)(payload[at + 2] << 8 | payload[at + 3]) };
		if (i.length > length - i.at)
			return -1;
		out[count++] = i;
		at = i.at + i.length;
	}
	return count;
}

static bool is_double(const struct item *items, int count)
{
	static int seen[1 << 16], round;
	bool twice = false;

	round++;
	for (int i = 0; i < count; i++) {
		twice |= seen[items[i].tag] == round;
		seen[items[i].tag] = round;
	}
	return twice;
}

static void read_tag(const uint8_t *payload, size_t length, enum native_tag tag,
		     const struct item *first)
{
	const uint8_t *value = NULL;
	char text[64];
	uint64_t number;
	int n = native_find(payload, length, tag, &value);
	bool clean = first && !memchr(payload + first->at, 0, first->length);

	FUZZ_CHECK(first ? n == (int)first->length && value == payload + first->at :
			   n == -1);
	FUZZ_CHECK((native_get_u64(payload, length, tag, &number) == 0) ==
		   (n == 8));
	bool fits = native_get_text(payload, length, tag, text,
				    sizeof(text)) == 0;
	FUZZ_CHECK(fits == (clean && first->length < sizeof(text)));
	if (fits)
		FUZZ_CHECK(strlen(text) == first->length &&
			   memcmp(text, value, first->length) == 0);
}

static void read_payload(const uint8_t *payload, size_t length)
{
	static struct item items[ITEMS_MAX];
	int count;

	if (length > NATIVE_CONTROL_MAX)
		return;
	count = list_items(payload, length, items);
	FUZZ_CHECK(native_payload_valid(payload, length) ==
		   (count >= 0 && !is_double(items, count)));
	for (int tag = 0; tag < 40; tag++) {
		const struct item *first = NULL;

		for (int i = 0; i < count && !first; i++)
			if (items[i].tag == tag)
				first = &items[i];
		read_tag(payload, length, (enum native_tag)tag, first);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t again[NATIVE_HEADER_SIZE];
	struct native_header h;

	if (length < NATIVE_HEADER_SIZE || native_get_header(bytes, &h) < 0)
		return 0;
	FUZZ_CHECK(strcmp(native_type_name(h.type), "unknown") != 0);
	FUZZ_CHECK(h.length <= (h.type == NATIVE_DATA ? NATIVE_PAYLOAD_MAX :
							NATIVE_CONTROL_MAX));
	native_put_header(again, (enum native_type)h.type, h.flags, h.length);
	FUZZ_CHECK(memcmp(again, bytes, sizeof(again)) == 0);
	read_payload(bytes + NATIVE_HEADER_SIZE, length - NATIVE_HEADER_SIZE);
	return 0;
}
