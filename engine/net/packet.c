/*
 * ARP and Neighbor Discovery, as far as one address needs them; see packet.h.
 *
 * An ARP packet is read by its payload alone: the sender's address in it is
 * what neighbours put into their tables.  Of IPv6 only solicitations and
 * advertisements are read, and only those that a receiver must accept (RFC
 * 4861 7.1): hop limit 255 proves that the sender is on the link.
 */
#include "engine/net/packet.h"

#include <stdio.h>
#include <string.h>

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	IP6_HEADER = 40,
	ND_HEADER = 24,		/* type to target */
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
	ND_SOURCE_LINK = 1,	/* options, 8 bytes each with a MAC */
	ND_TARGET_LINK = 2,
	ICMP6 = 58,
	NA_SOLICITED = 0x40,
	NA_OVERRIDE = 0x20,
};

static const uint8_t everybody[PACKET_MAC] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
static const uint8_t group_prefix[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };
static const uint8_t nowhere[16];

void packet_group(const struct address *ip, uint8_t group[16])
{
	memcpy(group, group_prefix, sizeof(group_prefix));
	memcpy(group + 13, ip->bytes + 13, 3);
}

const char *packet_mac_text(const uint8_t mac[PACKET_MAC],
			    char out[PACKET_MAC_TEXT])
{
	snprintf(out, PACKET_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
	return out;
}

/* ---- ARP ------------------------------------------------------------------- */

static const uint8_t arp_ethernet[6] = { 0, 1, 8, 0, PACKET_MAC, 4 };

static size_t arp_build(uint8_t operation, const uint8_t *mac,
			const uint8_t *sender, const uint8_t *target,
			uint8_t *out, uint8_t *to)
{
	memset(out, 0, PACKET_ARP);
	memcpy(out, arp_ethernet, sizeof(arp_ethernet));
	out[7] = operation;
	memcpy(out + 8, mac, PACKET_MAC);
	memcpy(out + 14, sender, 4);
	if (operation == ARP_REPLY)
		memcpy(out + 18, everybody, PACKET_MAC);
	memcpy(out + 24, target, 4);
	memcpy(to, everybody, PACKET_MAC);
	return PACKET_ARP;
}

static bool arp_read(const uint8_t *p, size_t length, struct packet_seen *out)
{
	if (length < PACKET_ARP ||
	    memcmp(p, arp_ethernet, sizeof(arp_ethernet)) != 0 || p[6] != 0 ||
	    (p[7] != ARP_REQUEST && p[7] != ARP_REPLY))
		return false;
	bool unnamed = memcmp(p + 14, nowhere, 4) == 0;
	if (unnamed && p[7] != ARP_REQUEST)
		return false;
	*out = (struct packet_seen){
		.kind = unnamed ? PACKET_PROBE : PACKET_CLAIM,
		.ip = { .family = 4 },
	};
	memcpy(out->ip.bytes, p + (unnamed ? 24 : 14), 4);
	memcpy(out->mac, p + 8, PACKET_MAC);
	return true;
}

/* ---- Neighbor Discovery ------------------------------------------------------ */

static uint32_t add_words(uint32_t sum, const uint8_t *p, size_t length)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return length & 1 ? sum + ((uint32_t)p[length - 1] << 8) : sum;
}

/* Of an ICMPv6 message and its pseudo header (RFC 8200 8.1): 0 over one whose
 * checksum is right, else what belongs into that field when it is 0. */
static uint16_t checksum(const uint8_t *packet, size_t payload)
{
	uint32_t sum = add_words(0, packet + 8, 32);

	sum += (uint32_t)payload + ICMP6;
	sum = add_words(sum, packet + IP6_HEADER, payload);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t nd_finish(uint8_t *out, size_t payload, uint8_t *to)
{
	out[0] = 0x60;
	out[5] = (uint8_t)payload;
	out[6] = ICMP6;
	out[7] = 255;
	uint16_t sum = checksum(out, payload);
	out[IP6_HEADER + 2] = (uint8_t)(sum >> 8);
	out[IP6_HEADER + 3] = (uint8_t)sum;
	/* RFC 2464 7: a group's link address. */
	to[0] = to[1] = 0x33;
	memcpy(to + 2, out + 24 + 12, 4);
	return IP6_HEADER + payload;
}

static size_t nd_solicit(const struct address *ip, uint8_t *out, uint8_t *to)
{
	memset(out, 0, PACKET_MAX);
	packet_group(ip, out + 24);
	out[IP6_HEADER] = ND_SOLICIT;
	memcpy(out + IP6_HEADER + 8, ip->bytes, 16);
	return nd_finish(out, ND_HEADER, to);
}

static size_t nd_advertise(const struct address *ip, const uint8_t *mac,
			   uint8_t *out, uint8_t *to)
{
	uint8_t *nd = out + IP6_HEADER;

	memset(out, 0, PACKET_MAX);
	memcpy(out + 8, ip->bytes, 16);
	memcpy(out + 24, all_nodes, 16);
	nd[0] = ND_ADVERT;
	nd[4] = NA_OVERRIDE;
	memcpy(nd + 8, ip->bytes, 16);
	nd[ND_HEADER] = ND_TARGET_LINK;
	nd[ND_HEADER + 1] = 1;
	memcpy(nd + ND_HEADER + 2, mac, PACKET_MAC);
	return nd_finish(out, ND_HEADER + 8, to);
}

/* Walks the options; *link is that of the wanted kind, or NULL.  False when
 * they are not whole. */
static bool nd_options(const uint8_t *p, size_t length, uint8_t wanted,
		       const uint8_t **link)
{
	*link = NULL;
	while (length) {
		size_t size = length >= 2 ? (size_t)p[1] * 8 : 0;

		if (!size || size > length)
			return false;
		if (p[0] == wanted && size == 8)
			*link = p + 2;
		p += size;
		length -= size;
	}
	return true;
}

/* The ICMPv6 part of a packet that is one of ours to read, else 0. */
static size_t nd_payload(const uint8_t *p, size_t length)
{
	if (length < IP6_HEADER + ND_HEADER || p[0] >> 4 != 6 || p[6] != ICMP6 ||
	    p[7] != 255)
		return 0;
	size_t payload = (size_t)p[4] << 8 | p[5];
	if (payload < ND_HEADER || payload > length - IP6_HEADER ||
	    checksum(p, payload) != 0)
		return 0;
	return payload;
}

static bool nd_read(const uint8_t *p, size_t length, const uint8_t *from,
		    struct packet_seen *out)
{
	size_t payload = nd_payload(p, length);
	const uint8_t *source = p + 8, *to = p + 24, *nd = p + IP6_HEADER;
	const uint8_t *target = nd + 8, *said = target, *link;

	if (!payload || (nd[0] != ND_SOLICIT && nd[0] != ND_ADVERT) ||
	    nd[1] != 0 || target[0] == 0xff || source[0] == 0xff)
		return false;
	bool solicits = nd[0] == ND_SOLICIT;
	if (!nd_options(nd + ND_HEADER, payload - ND_HEADER,
			solicits ? ND_SOURCE_LINK : ND_TARGET_LINK, &link))
		return false;
	bool unnamed = memcmp(source, nowhere, 16) == 0;
	if (solicits && unnamed &&
	    (link || memcmp(to, group_prefix, sizeof(group_prefix)) != 0))
		return false;
	if (!solicits && (unnamed || (to[0] == 0xff && nd[4] & NA_SOLICITED)))
		return false;
	/* Who asks for another's address says his own. */
	if (solicits && !unnamed)
		said = source;
	*out = (struct packet_seen){
		.kind = solicits && unnamed ? PACKET_PROBE : PACKET_CLAIM,
		.ip = { .family = 6 },
	};
	memcpy(out->ip.bytes, said, 16);
	memcpy(out->mac, link ? link : from, PACKET_MAC);
	return true;
}

/* ---- both ---------------------------------------------------------------------- */

size_t packet_probe(const struct address *ip, const uint8_t mac[PACKET_MAC],
		    uint8_t out[PACKET_MAX], uint8_t to[PACKET_MAC])
{
	if (ip->family == 6)
		return nd_solicit(ip, out, to);
	return arp_build(ARP_REQUEST, mac, nowhere, ip->bytes, out, to);
}

size_t packet_announce(const struct address *ip, const uint8_t mac[PACKET_MAC],
		       bool reply, uint8_t out[PACKET_MAX],
		       uint8_t to[PACKET_MAC])
{
	if (ip->family == 6)
		return nd_advertise(ip, mac, out, to);
	return arp_build(reply ? ARP_REPLY : ARP_REQUEST, mac, ip->bytes,
			 ip->bytes, out, to);
}

bool packet_read(uint8_t family, const uint8_t *bytes, size_t length,
		 const uint8_t from[PACKET_MAC], struct packet_seen *out)
{
	return family == 6 ? nd_read(bytes, length, from, out) :
			     arp_read(bytes, length, out);
}
