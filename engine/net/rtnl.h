/*
 * Interfaces and their addresses, by rtnetlink (libmnl).  The table of links is
 * kept true by notifications; addresses are asked for when they matter.
 */
#ifndef REMUDA_NET_RTNL_H
#define REMUDA_NET_RTNL_H

#include <linux/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/net/packet.h"

struct error;
struct mnl_socket;

/* Marks the addresses that Remuda made (IFA_PROTO, Linux 5.18): 'R'. */
enum { RTNL_MARK = 0x52 };

struct rtnl_link {
	int index;
	char name[IFNAMSIZ];
	uint8_t mac[PACKET_MAC];
	bool up;		/* somebody wants it up */
	bool running;		/* it has a carrier and can be used */
	bool asks;		/* Ethernet with ARP: addresses are asked for */
	bool port;		/* of a bridge or bond, which hears in its place */
	bool lent;		/* macvtap: its link address is a guest's */
	bool promotes;		/* net.ipv4.conf.IF.promote_secondaries */
	uint32_t drops;		/* times its carrier was lost */
};

/* Where an address stands on this host. */
struct rtnl_place {
	int index;		/* 0 = nowhere */
	uint32_t prefix;
	bool ours;		/* has the mark */
	bool secondary;		/* IPv4: another of its network came before */
	bool tentative;		/* IPv6: the kernel does not use it yet */
};

struct rtnl {
	struct mnl_socket *ask, *hear;
	uint32_t seq;
	struct rtnl_link *links;
	size_t link_count;
	bool links_changed;
	void (*on_address)(void *arg, const struct address *ip);
	void *arg;
};

int rtnl_open(struct rtnl *r, struct error *err);
void rtnl_close(struct rtnl *r);
/* Readable: rtnl_hear. */
int rtnl_fd(const struct rtnl *r);
/*
 * Takes in what has changed: on_address for each address that came or went
 * (NULL: any may have); true when a link did.  -1 when it cannot be known.
 */
int rtnl_hear(struct rtnl *r, struct error *err);

/* Borrowed until the next rtnl_hear; NULL when there is none. */
const struct rtnl_link *rtnl_link(const struct rtnl *r, const char *name);
const struct rtnl_link *rtnl_link_at(const struct rtnl *r, int index);
/* The link address of one of this host's interfaces, and of no guest? */
bool rtnl_is_own(const struct rtnl *r, const uint8_t mac[PACKET_MAC]);

/* The first place of the address for which `ours` is as asked (or any). */
enum rtnl_whose { RTNL_ANYBODY, RTNL_OURS, RTNL_FOREIGN };
int rtnl_find(struct rtnl *r, const struct address *ip, enum rtnl_whose whose,
	      struct rtnl_place *out, struct error *err);

/*
 * Puts it there, marked, and where it fits labelled IF:remuda; prefix 0 = the address alone, without a route.  IPv6
 * without duplicate detection of the kernel's, and deprecated: nothing that
 * does not ask for it gets it as its source (RFC 6724).  errno is kept.
 */
int rtnl_add(struct rtnl *r, int index, const struct address *ip,
	     uint32_t prefix, struct error *err);
/* Takes it away from there; other addresses of its network stay. */
int rtnl_remove(struct rtnl *r, const struct address *ip,
		const struct rtnl_place *at, struct error *err);

#endif
