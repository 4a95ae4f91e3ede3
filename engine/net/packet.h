/*
 * The packets by which an address is asked for, announced and defended: ARP
 * (RFC 826, used as in RFC 5227) for IPv4, Neighbor Discovery (RFC 4861, 4862)
 * for IPv6.  Pure: bytes in, bytes out; what is above the link's own header,
 * as a SOCK_DGRAM packet socket has it.
 */
#ifndef REMUDA_NET_PACKET_H
#define REMUDA_NET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/network.h"

enum {
	PACKET_MAC = 6,
	PACKET_ARP = 28,
	PACKET_MAX = 72,	/* IPv6, advertisement, one option */
};

enum packet_kind {
	PACKET_CLAIM = 1,	/* its sender says that the address is his */
	PACKET_PROBE = 2,	/* its sender has it not and would like to */
};

struct packet_seen {
	enum packet_kind kind;
	struct address ip;
	uint8_t mac[PACKET_MAC];	/* the one who says so */
};

/*
 * All build into out and to, the link address to send to; mac is the sender's.
 * They return the length.  Probe: an ARP request from 0.0.0.0, or a
 * solicitation from ::.  Announcement: a gratuitous ARP request, or reply
 * where asked for; an unsolicited advertisement that overrides.
 */
size_t packet_probe(const struct address *ip, const uint8_t mac[PACKET_MAC],
		    uint8_t out[PACKET_MAX], uint8_t to[PACKET_MAC]);
size_t packet_announce(const struct address *ip, const uint8_t mac[PACKET_MAC],
		       bool reply, uint8_t out[PACKET_MAX],
		       uint8_t to[PACKET_MAC]);

/*
 * Reads an ARP packet (family 4) or an IPv6 packet (6) that came from that
 * link address.  False when it says nothing about an address, or is not what
 * the RFCs' receivers take.
 */
bool packet_read(uint8_t family, const uint8_t *bytes, size_t length,
		 const uint8_t from[PACKET_MAC], struct packet_seen *out);

/* The group whoever asks for ip speaks to: ff02::1:ffXX:XXXX. */
void packet_group(const struct address *ip, uint8_t group[16]);

/* "52:54:00:12:34:56" */
enum { PACKET_MAC_TEXT = 18 };
const char *packet_mac_text(const uint8_t mac[PACKET_MAC],
			    char out[PACKET_MAC_TEXT]);

#endif
