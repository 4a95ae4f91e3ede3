/* Native frames: encoders against fixed bytes, decoders against garbage. */
#include "engine/wire/native.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/random.h"
#include "tests/tap.h"

static void test_headers(void)
{
	static const uint8_t want[] = { 0, 1, 2, 3, 7, 1, 0, 0 };
	uint8_t got[NATIVE_HEADER_SIZE];
	struct native_header h;

	native_put_header(got, NATIVE_DATA, NATIVE_END, 0x010203);
	ok(!memcmp(got, want, sizeof(want)), "a header is big-endian");
	is_int(native_get_header(got, &h), 0, "and reads back");
	is_int(h.length, 0x010203, "length");
	is_int(h.type, NATIVE_DATA, "type");
	is_int(h.flags, NATIVE_END, "flags");

	native_put_header(got, NATIVE_DATA, 0, NATIVE_PAYLOAD_MAX);
	is_int(native_get_header(got, &h), 0, "the largest DATA");
	native_put_header(got, NATIVE_DATA, 0, NATIVE_PAYLOAD_MAX + 1);
	is_int(native_get_header(got, &h), -1, "one more is none");
	native_put_header(got, NATIVE_HELLO, 0, NATIVE_CONTROL_MAX);
	is_int(native_get_header(got, &h), 0, "the largest control frame");
	native_put_header(got, NATIVE_HELLO, 0, NATIVE_CONTROL_MAX + 1);
	is_int(native_get_header(got, &h), -1, "one more is none");
	native_put_header(got, NATIVE_HELLO, 0, 0);
	got[7] = 1;
	is_int(native_get_header(got, &h), -1, "reserved bits must be zero");
	unsigned known = 0;
	for (int type = 0; type < 256; type++) {
		memset(got, 0, sizeof(got));
		got[4] = (uint8_t)type;
		known += native_get_header(got, &h) == 0;
	}
	is_int(known, 12, "twelve types are known, no more");
	is_text(native_type_name(NATIVE_CONFIRMED), "CONFIRMED", "by name");
	is_text(native_type_name(99), "unknown", "or not");
}

static void test_builder(void)
{
	static const uint8_t want[] = {
		0, 0, 0, 20, 2, 0, 0, 0,
		0, 4, 0, 4, 'm', 'a', 'i', 'l',
		0, 11, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2,
	};
	struct native_builder b;
	char text[5];
	uint64_t v = 0;
	const uint8_t *value;

	native_begin(&b, NATIVE_ALLOCATE, 0);
	native_put_text(&b, NATIVE_TAG_APPLICATION, "mail");
	native_put_u64(&b, NATIVE_TAG_COUNT, 258);
	size_t n = native_finish(&b);
	is_int(n, 28, "a frame of two TLVs");
	ok(!memcmp(b.bytes, want, 28), "byte for byte");
	const uint8_t *p = b.bytes + NATIVE_HEADER_SIZE;
	size_t length = n - NATIVE_HEADER_SIZE;
	is_int(native_get_text(p, length, NATIVE_TAG_APPLICATION, text, 5), 0,
	       "the text reads back");
	is_text(text, "mail", "as it was");
	is_int(native_get_text(p, length, NATIVE_TAG_APPLICATION, text, 4), -1,
	       "not into too little room");
	is_int(native_get_u64(p, length, NATIVE_TAG_COUNT, &v), 0, "the number");
	is_int(v, 258, "as it was");
	is_int(native_get_u64(p, length, NATIVE_TAG_APPLICATION, &v), -1,
	       "a text is no number");
	is_int(native_find(p, length, NATIVE_TAG_USER, &value), -1, "absent");
	ok(native_payload_valid(p, length), "well-formed");
	ok(native_payload_valid(p, 0), "so is nothing at all");
	unsigned bad = 0;
	for (size_t cut = 1; cut < length; cut++)
		bad += native_payload_valid(p, cut) && cut != 8;
	is_int(bad, 0, "every other cut is not");
}

static void test_refused(void)
{
	struct native_builder b;
	char text[100];
	static uint8_t big[NATIVE_CONTROL_MAX];

	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, NATIVE_TAG_VERSION, 1);
	native_put_u64(&b, NATIVE_TAG_VERSION, 1);
	size_t n = native_finish(&b);
	ok(!native_payload_valid(b.bytes + 8, n - 8), "a tag twice");
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, (enum native_tag)60000, 1);
	native_put_u64(&b, NATIVE_TAG_VERSION, 1);
	n = native_finish(&b);
	ok(native_payload_valid(b.bytes + 8, n - 8), "a tag of the future");
	native_put_u64(&b, (enum native_tag)60000, 1);
	n = native_finish(&b);
	ok(!native_payload_valid(b.bytes + 8, n - 8), "not twice either");
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_bytes(&b, NATIVE_TAG_USER, "an\0na", 5);
	n = native_finish(&b);
	is_int(native_get_text(b.bytes + 8, n - 8, NATIVE_TAG_USER, text, 100),
	       -1, "a text with NUL is none");
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_bytes(&b, NATIVE_TAG_SECRET, big, NATIVE_CONTROL_MAX - 4);
	is_int(native_finish(&b), NATIVE_HEADER_SIZE + NATIVE_CONTROL_MAX,
	       "a frame filled to the brim");
	native_put_bytes(&b, NATIVE_TAG_USER, "", 0);
	is_int(native_finish(&b), 0, "overflow is told at the end");
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_bytes(&b, NATIVE_TAG_SECRET, big, 70000);
	is_int(native_finish(&b), 0, "also one beyond 16 bits");
}

/* Decoders on noise: they may say no, they may not stray. */
static void test_noise(void)
{
	struct random r;
	uint8_t bytes[64];
	unsigned found = 0, valid = 0, headers = 0;

	random_seed(&r, 4);
	for (int round = 0; round < 200000; round++) {
		size_t n = random_below(&r, sizeof(bytes) + 1);
		const uint8_t *value = NULL;
		struct native_header h;
		uint64_t v;
		char text[16];

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(random_chance(&r, 60)
						     ? random_below(&r, 8)
						     : random_u64(&r));
		valid += native_payload_valid(bytes, n);
		int got = native_find(bytes, n, NATIVE_TAG_USER, &value);
		if (got >= 0 && (value < bytes || value + got > bytes + n))
			found++;
		native_get_u64(bytes, n, NATIVE_TAG_VERSION, &v);
		native_get_text(bytes, n, NATIVE_TAG_USER, text, sizeof(text));
		headers += n >= 8 && native_get_header(bytes, &h) == 0 &&
			   h.length > NATIVE_PAYLOAD_MAX;
	}
	is_int(found, 0, "no value lies outside its payload");
	is_int(headers, 0, "no header promises too much");
	ok(valid > 1000, "the noise was not all nonsense (%u)", valid);
}

int main(void)
{
	test_headers();
	test_builder();
	test_refused();
	test_noise();
	return tap_done();
}
