/*
 * Packet sockets; see ether.h.  The kernel filters, so that a LAN's chatter
 * wakes nobody; the filter is coarse, packet_read and the comparison here
 * decide.  It stands before the socket is bound: nothing unfiltered is queued.
 */
#include "engine/net/ether.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"

#define LOAD_BYTE(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (at))
#define LOAD_WORD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), yes, no)
#define TAKE BPF_STMT(BPF_RET | BPF_K, 0xffff)
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int attach(int fd, struct sock_filter *code, size_t count)
{
	struct sock_fprog program = { .len = (unsigned short)count,
				      .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

/* Sent as the address, or a probe for it. */
static int filter_arp(int fd, const struct address *ip)
{
	struct sock_filter code[] = {
		LOAD_WORD(14),
		IS(word(ip->bytes), 3, 0),
		IS(0, 0, 3),
		LOAD_WORD(24),
		IS(word(ip->bytes), 0, 1),
		TAKE,
		DROP,
	};

	return attach(fd, code, sizeof(code) / sizeof(code[0]));
}

/* A solicitation or advertisement with the address's end in source or target. */
static int filter_nd(int fd, const struct address *ip)
{
	const uint32_t end = word(ip->bytes + 12);
	struct sock_filter code[] = {
		LOAD_BYTE(6),
		IS(58, 0, 8),
		LOAD_BYTE(40),
		IS(135, 1, 0),
		IS(136, 0, 5),
		LOAD_WORD(20),
		IS(end, 2, 0),
		LOAD_WORD(60),
		IS(end, 0, 1),
		TAKE,
		DROP,
	};

	return attach(fd, code, sizeof(code) / sizeof(code[0]));
}

/* By a member of the group, which the kernel tells the switches (MLD). */
static int join(struct ether *e)
{
	struct group_req want = { .gr_interface = (uint32_t)e->index };
	struct sockaddr_in6 *group = (struct sockaddr_in6 *)&want.gr_group;

	group->sin6_family = AF_INET6;
	packet_group(&e->ip, group->sin6_addr.s6_addr);
	e->group_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return e->group_fd < 0 ? -1 :
	       setsockopt(e->group_fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &want,
			  sizeof(want));
}

static uint16_t protocol(const struct ether *e)
{
	return htons(e->ip.family == 6 ? ETH_P_IPV6 : ETH_P_ARP);
}

int ether_open(struct ether *e, int index, const struct address *ip,
	       struct error *err)
{
	*e = ETHER_CLOSED;
	e->index = index;
	e->ip = *ip;
	e->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = protocol(e),
				  .sll_ifindex = index };
	if (e->fd < 0 ||
	    (ip->family == 6 ? filter_nd(e->fd, ip) : filter_arp(e->fd, ip)) < 0 ||
	    bind(e->fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		error_errno(err, "packet socket");
		ether_close(e);
		return -1;
	}
	if (ip->family == 6 && join(e) < 0) {
		error_errno(err, "the address's group");
		ether_close(e);
		return -1;
	}
	return 0;
}

void ether_close(struct ether *e)
{
	if (e->fd >= 0)
		close(e->fd);
	if (e->group_fd >= 0)
		close(e->group_fd);
	*e = ETHER_CLOSED;
}

bool ether_hear(struct ether *e, struct packet_seen *out)
{
	uint8_t bytes[1500];

	for (;;) {
		struct sockaddr_ll from = { 0 };
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(e->fd, bytes, sizeof(bytes), 0,
				     (struct sockaddr *)&from, &size);

		/* ENETDOWN is told once when the interface goes down. */
		if (n < 0 && (errno == ENETDOWN || errno == EINTR))
			continue;
		if (n < 0)
			return false;
		if (from.sll_pkttype != PACKET_OUTGOING &&
		    from.sll_halen == PACKET_MAC &&
		    packet_read(e->ip.family, bytes, (size_t)n, from.sll_addr,
				out) &&
		    network_address_same(&out->ip, &e->ip))
			return true;
	}
}

void ether_say(struct ether *e, const uint8_t *bytes, size_t length,
	       const uint8_t to[PACKET_MAC])
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = protocol(e),
				  .sll_ifindex = e->index,
				  .sll_halen = PACKET_MAC };

	memcpy(at.sll_addr, to, PACKET_MAC);
	if (e->fd >= 0 && sendto(e->fd, bytes, length, MSG_NOSIGNAL,
				 (struct sockaddr *)&at, sizeof(at)) < 0)
		log_debug("a packet was lost: %s", strerror(errno));
}
