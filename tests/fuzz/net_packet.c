/*
 * ARP and Neighbor Discovery: the first byte says which, and whether to make its
 * checksum right; the rest is a packet as it comes from anybody on the link.  What is believed stands in the packet,
 * and what a receiver must not believe is read here once more, by other words.
 */
#include <string.h>

#include "engine/net/packet.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t from[PACKET_MAC] = { 2, 1, 2, 3, 4, 5 };

static void check_arp(const uint8_t *p, size_t length,
		      const struct packet_seen *seen)
{
	uint32_t sender;

	FUZZ_CHECK(length >= 28);
	memcpy(&sender, p + 14, 4);
	FUZZ_CHECK(p[0] == 0 && p[1] == 1 && p[2] == 8 && p[3] == 0 &&
		   p[4] == 6 && p[5] == 4 && p[6] == 0);
	FUZZ_CHECK(p[7] == 1 || (p[7] == 2 && sender != 0));
	FUZZ_CHECK(seen->ip.family == 4 && memcmp(seen->mac, p + 8, 6) == 0);
	FUZZ_CHECK((seen->kind == PACKET_PROBE) == (sender == 0));
	FUZZ_CHECK(memcmp(seen->ip.bytes, sender ? p + 14 : p + 24, 4) == 0);
}

static void check_nd(const uint8_t *p, size_t length,
		     const struct packet_seen *seen)
{
	static const uint8_t nobody[16];
	bool unnamed, link = false;

	FUZZ_CHECK(length >= 64);
	size_t end = 40 + ((size_t)p[4] << 8 | p[5]);
	FUZZ_CHECK(end >= 64 && end <= length);
	FUZZ_CHECK(p[0] >> 4 == 6 && p[6] == 58 && p[7] == 255 && p[41] == 0);
	FUZZ_CHECK(p[40] == 135 || p[40] == 136);
	FUZZ_CHECK(p[8] != 0xff && p[48] != 0xff);
	unnamed = memcmp(p + 8, nobody, 16) == 0;
	FUZZ_CHECK((seen->kind == PACKET_PROBE) == (p[40] == 135 && unnamed));
	FUZZ_CHECK(!unnamed || p[40] == 135);
	FUZZ_CHECK(memcmp(seen->ip.bytes, p[40] == 135 && !unnamed ? p + 8 :
			  p + 48, 16) == 0);
	for (size_t at = 64; at < end; at += (size_t)p[at + 1] * 8) {
		FUZZ_CHECK(at + 2 <= end && p[at + 1] &&
			   at + (size_t)p[at + 1] * 8 <= end);
		if (p[at] == (p[40] == 135 ? 1 : 2) && p[at + 1] == 1 &&
		    memcmp(seen->mac, p + at + 2, 6) == 0)
			link = true;
	}
	FUZZ_CHECK(link || memcmp(seen->mac, from, 6) == 0);
}

/* What we say of an address is understood, whatever address it is. */
static void check_ours(const struct address *ip)
{
	uint8_t out[PACKET_MAX], to[PACKET_MAC];
	struct packet_seen seen;
	size_t n = packet_announce(ip, from, false, out, to);

	FUZZ_CHECK(n <= PACKET_MAX && to[0] & 1);
	FUZZ_CHECK(packet_read(ip->family, out, n, to, &seen));
	FUZZ_CHECK(seen.kind == PACKET_CLAIM &&
		   network_address_same(&seen.ip, ip) &&
		   memcmp(seen.mac, from, 6) == 0);
	n = packet_probe(ip, from, out, to);
	FUZZ_CHECK(packet_read(ip->family, out, n, from, &seen));
	FUZZ_CHECK(seen.kind == PACKET_PROBE && network_address_same(&seen.ip, ip));
}

/* Nothing would be read otherwise: few find a sum by chance. */
static void fix_checksum(uint8_t *p, size_t length)
{
	size_t payload = length < 44 ? 0 : (size_t)p[4] << 8 | p[5];
	uint32_t sum = (uint32_t)payload + 58;

	if (payload < 4 || payload > length - 40)
		return;
	p[42] = p[43] = 0;
	for (size_t i = 8; i < 40 + payload; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	p[42] = (uint8_t)(~sum >> 8);
	p[43] = (uint8_t)~sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const uint8_t nobody[16];
	struct packet_seen seen = { 0 };

	if (length < 1 || length > 2000)
		return 0;
	uint8_t family = bytes[0] & 1 ? 6 : 4;
	/* A copy of exactly that size, so that ASan sees one byte too many. */
	uint8_t *packet = calloc(1, length - 1 ? length - 1 : 1);
	FUZZ_CHECK(packet);
	memcpy(packet, bytes + 1, length - 1);
	if (bytes[0] & 2)
		fix_checksum(packet, length - 1);
	bool read = packet_read(family, packet, length - 1, from, &seen);
	if (read && family == 4)
		check_arp(packet, length - 1, &seen);
	else if (read)
		check_nd(packet, length - 1, &seen);
	free(packet);
	if (!read)
		return 0;
	/* Of 0.0.0.0 and :: nothing can be said. */
	if (memcmp(seen.ip.bytes, nobody, 16) != 0)
		check_ours(&seen.ip);
	return 0;
}
