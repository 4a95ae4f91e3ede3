/*
 * ARP and Neighbor Discovery: packets that Linux 6.18 sent, packets we build,
 * and all that a receiver must not believe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/net/packet.h"
#include "tests/tap.h"

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t wire_mac[6] = { 2, 0, 0, 0, 0, 9 };

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		const char byte[3] = { hex[2 * i], hex[2 * i + 1] };

		out[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return n;
}

static void reads(const char *what, uint8_t family, const char *hex, int kind,
		  const char *ip, const char *from)
{
	struct address want = network_address_parse(slice_of(ip));
	struct packet_seen seen = { 0 };
	uint8_t bytes[200];
	char text[PACKET_MAC_TEXT];
	size_t n = unhex(hex, bytes);

	ok(packet_read(family, bytes, n, wire_mac, &seen), "%s is read", what);
	is_int(seen.kind, kind, "%s: its kind", what);
	ok(network_address_same(&seen.ip, &want), "%s: about %s", what, ip);
	is_text(packet_mac_text(seen.mac, text), from, "%s: said by", what);
	memset(bytes + n, 0xaa, sizeof(bytes) - n);
	ok(packet_read(family, bytes, sizeof(bytes), wire_mac, &seen),
	   "%s: padded to a frame's least length", what);
	for (size_t cut = 0; cut < n; cut++)
		if (packet_read(family, bytes, cut, wire_mac, &seen))
			ok(false, "%s: %zu of its %zu bytes are read", what, cut, n);
	ok(!packet_read((uint8_t)(10 - family), bytes, n, wire_mac, &seen),
	   "%s: is not of the other family", what);
}

#define DAD                                                                    \
	"6000000000203aff00000000000000000000000000000000ff02000000000000"     \
	"00000001ff0000508700942100000000fd770000000000000000000000000050"     \
	"0e01a96c3880f878"
#define QUESTION                                                               \
	"6000000000203afffd770000000000000000000000000002ff02000000000000"     \
	"00000001ff00005087007c0b00000000fd770000000000000000000000000050"     \
	"0101020000000002"
#define ANSWER                                                                 \
	"6000000000203afffd770000000000000000000000000050fd77000000000000"     \
	"000000000000000288001a9960000000fd770000000000000000000000000050"     \
	"0201020000000001"
#define ARP_QUESTION "00010800060400010200000000020a4d00020000000000000a4d0032"
#define ARP_ANSWER "00010800060400020200000000010a4d00320200000000020a4d0002"

static void test_linux(void)
{
	reads("a duplicate detection", 6, DAD, PACKET_PROBE, "fd77::50",
	      "02:00:00:00:00:09");
	reads("a solicitation", 6, QUESTION, PACKET_CLAIM, "fd77::2",
	      "02:00:00:00:00:02");
	reads("an advertisement", 6, ANSWER, PACKET_CLAIM, "fd77::50",
	      "02:00:00:00:00:01");
	reads("an ARP request", 4, ARP_QUESTION, PACKET_CLAIM, "10.77.0.2",
	      "02:00:00:00:00:02");
	reads("an ARP reply", 4, ARP_ANSWER, PACKET_CLAIM, "10.77.0.50",
	      "02:00:00:00:00:01");
}

/* Writes the checksum that fits, so that only what was changed is wrong. */
static void fix_checksum(uint8_t *p)
{
	size_t length = (size_t)p[4] << 8 | p[5];
	uint32_t sum = (uint32_t)length + 58;

	p[42] = p[43] = 0;
	for (size_t i = 8; i < 40 + length; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	p[42] = (uint8_t)(~sum >> 8);
	p[43] = (uint8_t)~sum;
}

static void refused(const char *what, uint8_t family, const char *hex, size_t at,
		    uint8_t value, bool fixed)
{
	struct packet_seen seen;
	uint8_t bytes[200] = { 0 };
	size_t n = unhex(hex, bytes);

	bytes[at] = value;
	if (fixed)
		fix_checksum(bytes);
	ok(!packet_read(family, bytes, n, wire_mac, &seen), "%s is refused", what);
}

static void test_hostile(void)
{
	refused("a hop limit of 254", 6, ANSWER, 7, 254, true);
	refused("a wrong checksum", 6, ANSWER, 43, 0x9a, false);
	refused("another protocol", 6, ANSWER, 6, 17, true);
	refused("IPv7", 6, ANSWER, 0, 0x70, true);
	refused("an echo request", 6, ANSWER, 40, 128, true);
	refused("a code", 6, ANSWER, 41, 1, true);
	refused("a group as target", 6, ANSWER, 48, 0xff, true);
	refused("a group as sender", 6, ANSWER, 8, 0xff, true);
	refused("a solicited answer to a group", 6, ANSWER, 24, 0xff, true);
	refused("an option of no length", 6, ANSWER, 65, 0, true);
	refused("an option that is longer than the packet", 6, ANSWER, 65, 2, true);
	refused("a payload that is longer than the packet", 6, ANSWER, 5, 33, false);
	refused("duplicate detection to a host", 6, DAD, 24, 0xfd, true);
	refused("duplicate detection with a link address", 6, DAD, 64, 1, true);
	refused("an answer of nobody", 6, DAD, 40, 136, true);
	refused("ARP for another link", 4, ARP_ANSWER, 1, 6, false);
	refused("ARP for another network", 4, ARP_ANSWER, 2, 0x86, false);
	refused("ARP with a long link address", 4, ARP_ANSWER, 4, 8, false);
	refused("ARP with a long address", 4, ARP_ANSWER, 5, 16, false);
	refused("reverse ARP", 4, ARP_ANSWER, 7, 3, false);
	refused("an ARP operation of two bytes", 4, ARP_ANSWER, 6, 1, false);
}

static void is_hex(const uint8_t *bytes, size_t length, const char *want,
		   const char *what)
{
	char hex[2 * PACKET_MAX + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	is_text(hex, want, "%s", what);
}

static void test_built(void)
{
	struct address ip4 = network_address_parse(SLICE("10.77.0.50"));
	struct address ip6 = network_address_parse(SLICE("fd77::1:2:50"));
	uint8_t out[PACKET_MAX], to[PACKET_MAC], group[16];
	struct packet_seen seen;

	is_hex(out, packet_probe(&ip4, mac, out, to),
	       "0001080006040001" "020000000001" "00000000" "000000000000" "0a4d0032",
	       "an ARP probe");
	is_hex(to, 6, "ffffffffffff", "goes to everybody");
	ok(packet_read(4, out, PACKET_ARP, wire_mac, &seen) &&
	   seen.kind == PACKET_PROBE && network_address_same(&seen.ip, &ip4),
	   "and reads as one");
	is_hex(out, packet_announce(&ip4, mac, false, out, to),
	       "0001080006040001" "020000000001" "0a4d0032" "000000000000" "0a4d0032",
	       "a gratuitous request");
	is_hex(out, packet_announce(&ip4, mac, true, out, to),
	       "0001080006040002" "020000000001" "0a4d0032" "ffffffffffff" "0a4d0032",
	       "a gratuitous reply");
	is_hex(to, 6, "ffffffffffff", "goes to everybody");
	ok(packet_read(4, out, PACKET_ARP, wire_mac, &seen) &&
	   seen.kind == PACKET_CLAIM && memcmp(seen.mac, mac, 6) == 0,
	   "and is a claim");

	packet_group(&ip6, group);
	is_hex(group, 16, "ff0200000000000000000001ff020050", "the group of an address");
	size_t n = packet_probe(&ip6, mac, out, to);
	is_int(n, 64, "a solicitation's length");
	is_hex(to, 6, "3333ff020050", "it goes to the group");
	ok(packet_read(6, out, n, mac, &seen) && seen.kind == PACKET_PROBE &&
	   network_address_same(&seen.ip, &ip6) && memcmp(seen.mac, mac, 6) == 0,
	   "and reads as a probe");
	n = packet_announce(&ip6, mac, false, out, to);
	is_int(n, 72, "an advertisement's length");
	is_hex(to, 6, "333300000001", "it goes to all nodes");
	is_hex(out + 44, 4, "20000000", "it overrides, and answers nobody");
	ok(packet_read(6, out, n, wire_mac, &seen) && seen.kind == PACKET_CLAIM &&
	   network_address_same(&seen.ip, &ip6) && memcmp(seen.mac, mac, 6) == 0,
	   "and reads as a claim, by its option");
	uint8_t sums[2] = { out[42], out[43] };
	fix_checksum(out);
	ok(sums[0] == out[42] && sums[1] == out[43], "its checksum is right");
}

int main(void)
{
	test_linux();
	test_hostile();
	test_built();
	return tap_done();
}
