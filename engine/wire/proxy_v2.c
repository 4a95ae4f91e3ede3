/*
 * PROXY protocol version 2; see proxy_v2.h.
 *
 * The checksum covers the whole header with its own four bytes as zero; here
 * it is the first TLV, so the place to patch is known.
 */
#include "engine/wire/proxy_v2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/error.h"

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum {
	VERSION = 0x20,
	COMMAND_LOCAL = 0,
	COMMAND_PROXY = 1,
	FAMILY_UNSPEC = 0x00,
	FAMILY_TCP4 = 0x11,
	FAMILY_TCP6 = 0x21,
	TLV_HEADER = 3,
};

struct crc_table {
	uint32_t row[256];
};

uint32_t proxy_v2_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	static struct crc_table table;
	const uint8_t *p = bytes;

	if (!table.row[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t v = i;

			for (int bit = 0; bit < 8; bit++)
				v = v & 1 ? (v >> 1) ^ 0x82f63b78u : v >> 1;
			table.row[i] = v;
		}
	crc = ~crc;
	for (size_t i = 0; i < length; i++)
		crc = table.row[(crc ^ p[i]) & 0xff] ^ (crc >> 8);
	return ~crc;
}

struct header {
	uint8_t *at, *end;
	bool full;
};

static void put(struct header *h, const void *bytes, size_t length)
{
	if (h->full || (size_t)(h->end - h->at) < length) {
		h->full = true;
		return;
	}
	if (length)
		memcpy(h->at, bytes, length);
	h->at += length;
}

static void put_u16(struct header *h, size_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(h, b, sizeof(b));
}

static void put_tlv(struct header *h, uint8_t type, struct slice value)
{
	if (!value.length)
		return;
	if (value.length > UINT16_MAX) {
		h->full = true;
		return;
	}
	put(h, &type, 1);
	put_u16(h, value.length);
	put(h, value.ptr, value.length);
}

/* A v4 address as the one of a dual-stack socket. */
static bool mapped(const struct sockaddr *a, struct sockaddr_in *out)
{
	struct sockaddr_in6 in6;

	if (a->sa_family != AF_INET6)
		return false;
	memcpy(&in6, a, sizeof(in6));
	if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return false;
	*out = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = in6.sin6_port };
	memcpy(&out->sin_addr, &in6.sin6_addr.s6_addr[12], 4);
	return true;
}

static uint8_t put_addresses(struct header *h, const struct proxy_v2 *p)
{
	const struct sockaddr *s = p->source, *d = p->destination;
	struct sockaddr_in s4, d4;

	if (!s || !d || s->sa_family != d->sa_family)
		return FAMILY_UNSPEC;
	if (s->sa_family == AF_INET || (mapped(s, &s4) && mapped(d, &d4))) {
		if (s->sa_family == AF_INET) {
			memcpy(&s4, s, sizeof(s4));
			memcpy(&d4, d, sizeof(d4));
		}
		put(h, &s4.sin_addr, 4);
		put(h, &d4.sin_addr, 4);
		put(h, &s4.sin_port, 2);
		put(h, &d4.sin_port, 2);
		return FAMILY_TCP4;
	}
	if (s->sa_family == AF_INET6) {
		struct sockaddr_in6 s6, d6;

		memcpy(&s6, s, sizeof(s6));
		memcpy(&d6, d, sizeof(d6));
		put(h, &s6.sin6_addr, 16);
		put(h, &d6.sin6_addr, 16);
		put(h, &s6.sin6_port, 2);
		put(h, &d6.sin6_port, 2);
		return FAMILY_TCP6;
	}
	return FAMILY_UNSPEC;
}

size_t proxy_v2_encode(const struct proxy_v2 *p, uint8_t *out, size_t size)
{
	struct header h = { out, out + size, false };
	static const char zero[4];

	put(&h, signature, sizeof(signature));
	put(&h, zero, 4);
	if (h.full)
		return 0;
	out[12] = VERSION | (p->local ? COMMAND_LOCAL : COMMAND_PROXY);
	out[13] = put_addresses(&h, p);
	uint8_t *crc_at = h.at + TLV_HEADER;
	put_tlv(&h, PROXY_V2_CRC32C, (struct slice){ zero, 4 });
	put_tlv(&h, PROXY_V2_AUTHORITY, p->authority);
	put_tlv(&h, PROXY_V2_UNIQUE_ID, p->unique_id);
	put_tlv(&h, PROXY_V2_LISTENER, p->listener);
	put_tlv(&h, PROXY_V2_APPLICATION, p->application);
	put_tlv(&h, PROXY_V2_INCARNATION, p->incarnation);
	size_t length = (size_t)(h.at - out);
	if (h.full || length - PROXY_V2_PREFIX > UINT16_MAX)
		return 0;
	out[14] = (uint8_t)((length - PROXY_V2_PREFIX) >> 8);
	out[15] = (uint8_t)(length - PROXY_V2_PREFIX);
	uint32_t crc = htonl(proxy_v2_crc32c(0, out, length));
	memcpy(crc_at, &crc, 4);
	return length;
}

static size_t address_size(uint8_t family)
{
	switch (family) {
	case FAMILY_UNSPEC:
		return 0;
	case FAMILY_TCP4:
		return 12;
	case FAMILY_TCP6:
		return 36;
	}
	return SIZE_MAX;
}

static void take_addresses(const uint8_t *at, uint8_t family,
			   struct proxy_v2_info *info)
{
	size_t width = family == FAMILY_TCP4 ? 4 : 16;

	if (family == FAMILY_UNSPEC)
		return;
	info->family = family == FAMILY_TCP4 ? AF_INET : AF_INET6;
	memcpy(info->source, at, width);
	memcpy(info->destination, at + width, width);
	at += 2 * width;
	info->source_port = (uint16_t)(at[0] << 8 | at[1]);
	info->destination_port = (uint16_t)(at[2] << 8 | at[3]);
}

static bool crc_right(const uint8_t *in, size_t length, size_t crc_at)
{
	static const uint8_t zero[4];
	uint32_t want, got;

	memcpy(&want, in + crc_at, 4);
	got = proxy_v2_crc32c(0, in, crc_at);
	got = proxy_v2_crc32c(got, zero, 4);
	got = proxy_v2_crc32c(got, in + crc_at + 4, length - crc_at - 4);
	return ntohl(want) == got;
}

static int take_tlvs(const uint8_t *in, size_t at, size_t length,
		     struct proxy_v2_info *info, struct error *err)
{
	while (at < length) {
		if (length - at < TLV_HEADER)
			return error_set(err, "PROXY header: cut TLV");
		size_t n = (size_t)in[at + 1] << 8 | in[at + 2];
		uint8_t type = in[at];

		at += TLV_HEADER;
		if (length - at < n)
			return error_set(err, "PROXY header: TLV 0x%02x is longer"
					 " than the header", type);
		struct slice value = { (const char *)in + at, (uint32_t)n };
		if (type == PROXY_V2_AUTHORITY)
			info->authority = value;
		else if (type == PROXY_V2_UNIQUE_ID)
			info->unique_id = value;
		else if (type == PROXY_V2_LISTENER)
			info->listener = value;
		else if (type == PROXY_V2_APPLICATION)
			info->application = value;
		else if (type == PROXY_V2_INCARNATION)
			info->incarnation = value;
		else if (type == PROXY_V2_CRC32C) {
			if (n != 4 || !crc_right(in, length, at))
				return error_set(err, "PROXY header: wrong CRC32C");
			info->checked = true;
		}
		at += n;
	}
	return 0;
}

int proxy_v2_decode(const uint8_t *in, size_t length,
		    struct proxy_v2_info *info, struct error *err)
{
	size_t known = length < sizeof(signature) ? length : sizeof(signature);

	if (memcmp(in, signature, known))
		return error_set(err, "PROXY header: wrong signature");
	if (length < PROXY_V2_PREFIX)
		return 0;
	uint8_t command = in[12] & 0x0f, family = in[13];
	size_t total = PROXY_V2_PREFIX + ((size_t)in[14] << 8 | in[15]);
	size_t addresses = address_size(family);

	if ((in[12] & 0xf0) != VERSION || command > COMMAND_PROXY)
		return error_set(err, "PROXY header: version or command 0x%02x",
				 in[12]);
	if (addresses > total - PROXY_V2_PREFIX)
		return error_set(err, "PROXY header: family 0x%02x in %zu bytes",
				 family, total);
	if (length < total)
		return 0;
	*info = (struct proxy_v2_info){ .local = command == COMMAND_LOCAL,
					.family = AF_UNSPEC };
	take_addresses(in + PROXY_V2_PREFIX, family, info);
	if (take_tlvs(in, PROXY_V2_PREFIX + addresses, total, info, err) < 0)
		return -1;
	return (int)total;
}
