/*
 * One virtual address of this host: asked for, held, announced, defended.  It
 * may have several names: clusters that share it, on different ports.
 *
 *     away ----> asking ----> held
 *       ^  \      |  ^          |
 *       |   \     v  |          |
 *       |    `-> taken          |
 *       `---------------------- '   the interface or its carrier is lost
 *
 *     away    there is no interface to have it on
 *     asking  probes are out (RFC 5227 2.1, RFC 4862 5.4); nobody said no yet
 *     taken   somebody else has it, on the link or on this host; asked again
 *     held    it is on the interface
 *
 * Who has it first keeps it.  Nobody answers for an address before he has asked
 * for it, also after his link was down; and who holds it does not give way to
 * one who only says so: he defends it once in 10 s (RFC 5227 2.4 c) and tells.
 */
#ifndef REMUDA_NET_VIP_H
#define REMUDA_NET_VIP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/net/ether.h"
#include "engine/net/rtnl.h"
#include "engine/wire/message.h"

enum {
	VIP_NAME_SIZE = 64,
	VIP_TEXT_SIZE = 200,	/* what the core keeps (ROW_TEXT_SIZE) */
};

struct net {
	int engine_fd, epoll_fd;
	struct rtnl rtnl;
	struct list vips;
	bool able;			/* has the rights */
	bool ended;			/* the engine's socket */
	bool behind;			/* something could not be told: it was full */
	struct wire_buffer buf;
};

enum vip_state { VIP_AWAY, VIP_ASKING, VIP_TAKEN, VIP_HELD };

struct vip_name {
	struct list link;
	char name[VIP_NAME_SIZE];
};

struct vip {
	struct list link;		/* net.vips */
	struct list names;		/* never empty */
	struct address ip;
	char text_ip[46];		/* INET6_ADDRSTRLEN */
	uint32_t prefix;		/* 0 = alone */
	char interface[IFNAMSIZ];
	enum vip_state state;
	struct ether ether;
	int claim_fd;			/* claim.h, -1 = none */
	int64_t deadline_ms;		/* vip_on_time; INT64_MAX = never */
	uint32_t probes;		/* asking: sent */
	uint32_t handovers;		/* waits for another engine's role, in a row */
	/* Held: */
	uint32_t announces;		/* to be sent yet */
	int64_t announce_ms;
	uint8_t mac[PACKET_MAC];	/* announced */
	uint32_t drops;			/* of the link's carrier, when announced */
	int64_t defended_ms;		/* 0 = never */
	int64_t accused_ms;		/* somebody else said he has it; 0 = none */
	int64_t named_ms;		/* he was told to the engine */
	/* Last told to the engine. */
	bool told, told_held;
	char text[VIP_TEXT_SIZE];
};

int64_t net_now_ms(void);
/* To the engine; request: of the message that is answered, or 0. */
void net_tell(struct net *n, const char *name, bool held, const char *text,
	      uint64_t request);

/* ---- wish.c ------------------------------------------------------------------- */
void vip_add(struct net *n, const struct wire_vip_add *want);
/* The last name takes the address away.  Answered with request. */
void vip_remove(struct net *n, const char *name, uint64_t request);

/* ---- vip.c --------------------------------------------------------------------- */
/* Begins to hold it, from whatever state. */
void vip_begin(struct net *n, struct vip *v);
/* Takes it off wherever we, or an engine before us, have put it; unless another
 * engine of this host has it. */
int vip_take_off(struct net *n, struct vip *v, struct error *err);
/* Tells the engine, under all names; nothing where nothing changed. */
void vip_say(struct net *n, struct vip *v, bool held, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void vip_say_unable(struct net *n, struct vip *v);
/* Says once more how it stands. */
void vip_tell(struct net *n, const struct vip *v);
/* Its time has come, somebody spoke of it, a link changed, its address may
 * have come or gone. */
void vip_on_time(struct net *n, struct vip *v);
void vip_on_packets(struct net *n, struct vip *v);
void vip_on_links(struct net *n, struct vip *v);
void vip_on_address(struct net *n, struct vip *v);

#endif
