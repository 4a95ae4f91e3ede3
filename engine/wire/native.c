/*
 * Native frames: encoding and decoding; see native.h.
 *
 * Linked into the gateway, into `remuda connect` and, statically, into the
 * helper inside guests: libc only, no allocation, no I/O, no global state.
 * Every decoder takes bytes of a stranger and may be called on any garbage.
 */
#include "engine/wire/native.h"

#include <string.h>

enum { TLV_HEADER_SIZE = 4 };

static void put_be(uint8_t *out, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		out[i] = (uint8_t)(v >> 8 * (width - 1 - i));
}

static uint64_t get_be(const uint8_t *in, size_t width)
{
	uint64_t v = 0;

	for (size_t i = 0; i < width; i++)
		v = v << 8 | in[i];
	return v;
}

const char *native_type_name(uint8_t type)
{
	switch (type) {
#define X(name, code, help)                                                    \
	case code:                                                             \
		return #name;
		NATIVE_FRAMES(X)
#undef X
	}
	return "unknown";
}

static bool type_known(uint8_t type)
{
	switch (type) {
#define X(name, code, help) case code:
		NATIVE_FRAMES(X)
#undef X
		return true;
	}
	return false;
}

void native_put_header(uint8_t out[NATIVE_HEADER_SIZE], enum native_type type,
		       uint8_t flags, uint32_t length)
{
	put_be(out, length, 4);
	out[4] = (uint8_t)type;
	out[5] = flags;
	out[6] = out[7] = 0;
}

int native_get_header(const uint8_t in[NATIVE_HEADER_SIZE],
		      struct native_header *h)
{
	h->length = (uint32_t)get_be(in, 4);
	h->type = in[4];
	h->flags = in[5];
	if (!type_known(h->type) || in[6] || in[7])
		return -1;
	if (h->length > (h->type == NATIVE_DATA ? (uint32_t)NATIVE_PAYLOAD_MAX
						: (uint32_t)NATIVE_CONTROL_MAX))
		return -1;
	return 0;
}

void native_begin(struct native_builder *b, enum native_type type,
		  uint8_t flags)
{
	native_put_header(b->bytes, type, flags, 0);
	b->length = NATIVE_HEADER_SIZE;
	b->overflow = false;
}

void native_put_bytes(struct native_builder *b, enum native_tag tag,
		      const void *bytes, size_t length)
{
	if (b->overflow || length > UINT16_MAX ||
	    sizeof(b->bytes) - b->length < TLV_HEADER_SIZE + length) {
		b->overflow = true;
		return;
	}
	put_be(b->bytes + b->length, (uint64_t)tag, 2);
	put_be(b->bytes + b->length + 2, length, 2);
	if (length)
		memcpy(b->bytes + b->length + TLV_HEADER_SIZE, bytes, length);
	b->length += TLV_HEADER_SIZE + length;
}

void native_put_u64(struct native_builder *b, enum native_tag tag, uint64_t v)
{
	uint8_t bytes[8];

	put_be(bytes, v, 8);
	native_put_bytes(b, tag, bytes, sizeof(bytes));
}

void native_put_text(struct native_builder *b, enum native_tag tag,
		     const char *text)
{
	native_put_bytes(b, tag, text, strlen(text));
}

size_t native_finish(struct native_builder *b)
{
	if (b->overflow)
		return 0;
	put_be(b->bytes, b->length - NATIVE_HEADER_SIZE, 4);
	return b->length;
}

/*
 * Steps over the TLV at *at.  Returns 1 with its tag and value, 0 at the end,
 * -1 when the rest is no TLV.
 */
static int next_tlv(const uint8_t *payload, size_t length, size_t *at,
		    uint16_t *tag, const uint8_t **value, size_t *value_length)
{
	size_t left = length - *at;

	if (left == 0)
		return 0;
	if (left < TLV_HEADER_SIZE)
		return -1;
	size_t n = (size_t)get_be(payload + *at + 2, 2);
	if (left - TLV_HEADER_SIZE < n)
		return -1;
	*tag = (uint16_t)get_be(payload + *at, 2);
	*value = payload + *at + TLV_HEADER_SIZE;
	*value_length = n;
	*at += TLV_HEADER_SIZE + n;
	return 1;
}

int native_find(const uint8_t *payload, size_t length, enum native_tag tag,
		const uint8_t **value)
{
	const uint8_t *found = NULL, *v;
	size_t at = 0, found_length = 0, n;
	uint16_t t;
	int more;

	while ((more = next_tlv(payload, length, &at, &t, &v, &n)) > 0)
		if (t == tag && !found) {
			found = v;
			found_length = n;
		}
	if (more < 0 || !found)
		return -1;
	*value = found;
	return (int)found_length;
}

int native_get_u64(const uint8_t *payload, size_t length, enum native_tag tag,
		   uint64_t *v)
{
	const uint8_t *value;

	if (native_find(payload, length, tag, &value) != 8)
		return -1;
	*v = get_be(value, 8);
	return 0;
}

int native_get_text(const uint8_t *payload, size_t length, enum native_tag tag,
		    char *out, size_t out_size)
{
	const uint8_t *value;
	int n = native_find(payload, length, tag, &value);

	if (n < 0 || (size_t)n >= out_size || (n && memchr(value, 0, (size_t)n)))
		return -1;
	memcpy(out, value, (size_t)n);
	out[n] = '\0';
	return 0;
}

bool native_payload_valid(const uint8_t *payload, size_t length)
{
	uint64_t known = 0;
	uint8_t seen[(UINT16_MAX + 1) / 8];
	bool seen_used = false;
	size_t at = 0, n;
	uint16_t tag;
	const uint8_t *v;
	int more;

	while ((more = next_tlv(payload, length, &at, &tag, &v, &n)) > 0) {
		if (tag < 64) {
			if (known >> tag & 1)
				return false;
			known |= (uint64_t)1 << tag;
			continue;
		}
		/* Tags of a later version: allowed, but not twice either. */
		if (!seen_used)
			memset(seen, 0, sizeof(seen));
		seen_used = true;
		if (seen[tag / 8] >> tag % 8 & 1)
			return false;
		seen[tag / 8] |= (uint8_t)(1 << tag % 8);
	}
	return more == 0;
}
