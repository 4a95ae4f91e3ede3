/*
 * One address's ear and mouth on one interface: a packet socket that takes in
 * only what is said about that address, and the group whoever asks for an IPv6
 * address speaks to.  Needs CAP_NET_RAW to open.
 */
#ifndef REMUDA_NET_ETHER_H
#define REMUDA_NET_ETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/net/packet.h"

struct error;

struct ether {
	int fd;			/* readable: ether_hear; -1 = closed */
	int group_fd;		/* member of the group, -1 = none */
	int index;		/* of the interface */
	struct address ip;
};

#define ETHER_CLOSED ((struct ether){ .fd = -1, .group_fd = -1 })

int ether_open(struct ether *e, int index, const struct address *ip,
	       struct error *err);
void ether_close(struct ether *e);
/* The next that was said: true with out, false when there is no more. */
bool ether_hear(struct ether *e, struct packet_seen *out);
/* One packet of packet.h; an interface that is down loses it. */
void ether_say(struct ether *e, const uint8_t *bytes, size_t length,
	       const uint8_t to[PACKET_MAC]);

#endif
