/*
 * A virtual address's life; see vip.h.
 *
 * The kernel's tables are the truth and its notifications are hints: each step
 * looks at them again.  The kernel itself answers ARP and solicitations for an
 * address from the moment it is on the interface, so putting it there is what
 * must wait until nobody has objected, and while the link has no carrier it is
 * taken off: nobody can be heard to object, and when the carrier is back the
 * kernel would answer before we had asked.
 */
#include "engine/net/vip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/net/claim.h"

/*
 * RFC 5227 asks for 3 probes 1 to 2 s apart; a service that fails over cannot
 * wait that long, and on the links of a machine room an answer takes
 * milliseconds.
 */
enum {
	PROBES = 3,
	PROBE_MS = 200,
	PROBE_WAIT_MS = 200,	/* at most, so that two do not ask in step */
	ANNOUNCES = 3,
	ANNOUNCE_MS = 1000,
	RETRY_MS = 1000,	/* at least; twice that at most */
	HANDOVER_MS = 200,	/* of another engine on this host */
	HANDOVERS = 5,		/* that nobody needs to hear of */
	DEFEND_MS = 10000,	/* RFC 5227 DEFEND_INTERVAL */
	CALM_MS = 30000,	/* without an accusation it is over */
	PLACES_MAX = 16,	/* of one address on one host */
};

static uint32_t random_below(uint32_t limit)
{
	uint32_t r;

	CHECK("", getrandom(&r, sizeof(r), 0) == sizeof(r), "getrandom");
	return r % limit;
}

/* ---- what the engine is told ---------------------------------------------------- */

void vip_tell(struct net *n, const struct vip *v)
{
	LIST_EACH(&v->names, it)
		if (v->told)
			net_tell(n, LIST_ENTRY(it, struct vip_name, link)->name,
				 v->told_held, v->text, 0);
}

void vip_say(struct net *n, struct vip *v, bool held, const char *fmt, ...)
{
	char text[VIP_TEXT_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (v->told && v->told_held == held && strcmp(v->text, text) == 0)
		return;
	v->told = true;
	v->told_held = held;
	TEXT_SET(v->text, text);
	log_info("%s on %s: %s%s%s", v->text_ip, v->interface,
		 held ? "held" : "not held", *text ? ": " : "", text);
	vip_tell(n, v);
}

void vip_say_unable(struct net *n, struct vip *v)
{
	vip_say(n, v, false,
		"%s takes CAP_NET_ADMIN and CAP_NET_RAW: run the engine as root, or give its unit AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW; 127.x.x.x takes none",
		v->text_ip);
}

/* ---- ears ------------------------------------------------------------------------- */

static int open_ears(struct net *n, struct vip *v, int index)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = v };
	struct error err;

	ether_close(&v->ether);
	if (ether_open(&v->ether, index, &v->ip, &err) < 0 ||
	    epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, v->ether.fd, &ev) < 0) {
		vip_say(n, v, false, "%s cannot be listened to: %s", v->interface,
			v->ether.fd < 0 ? err.text : strerror(errno));
		ether_close(&v->ether);
		return -1;
	}
	return 0;
}

/* ---- states ------------------------------------------------------------------------- */

int vip_take_off(struct net *n, struct vip *v, struct error *err)
{
	struct rtnl_place at;

	if (v->claim_fd < 0)
		v->claim_fd = claim_open(&v->ip, NULL);
	for (int i = 0; v->claim_fd >= 0 && i < PLACES_MAX; i++) {
		if (rtnl_find(&n->rtnl, &v->ip, RTNL_OURS, &at, err) < 0)
			return -1;
		if (!at.index)
			return 0;
		if (rtnl_remove(&n->rtnl, &v->ip, &at, err) < 0)
			return -1;
	}
	return 0;
}

static void enter_away(struct net *n, struct vip *v, const char *why)
{
	struct error err = { "" };

	ether_close(&v->ether);
	v->state = VIP_AWAY;
	v->deadline_ms = INT64_MAX;
	if (vip_take_off(n, v, &err) < 0)
		log_error("%s is still on %s: %s", v->text_ip, v->interface,
			  err.text);
	vip_say(n, v, false, "interface %s %s", v->interface, why);
}

/* Asked again at that time; two who wait for each other do not meet again. */
static void enter_taken(struct vip *v, int64_t after_ms)
{
	ether_close(&v->ether);
	v->state = VIP_TAKEN;
	v->deadline_ms = net_now_ms() + after_ms;
}

static int64_t retry_ms(void)
{
	return RETRY_MS + random_below(RETRY_MS);
}

static void announce(struct vip *v)
{
	uint8_t out[PACKET_MAX], to[PACKET_MAC];
	size_t length = packet_announce(&v->ip, v->mac, false, out, to);

	ether_say(&v->ether, out, length, to);
	if (v->ip.family == 6)
		return;
	/* Some listen to replies only. */
	length = packet_announce(&v->ip, v->mac, true, out, to);
	ether_say(&v->ether, out, length, to);
}

static void held_deadline(struct vip *v)
{
	int64_t calm_ms = v->accused_ms ? v->accused_ms + CALM_MS : INT64_MAX;

	v->deadline_ms = v->announces ? v->announce_ms : INT64_MAX;
	if (calm_ms < v->deadline_ms)
		v->deadline_ms = calm_ms;
}

/* From now on, with the link's address of now; nothing where nobody listens. */
static void announce_all(struct vip *v, const struct rtnl_link *l)
{
	memcpy(v->mac, l->mac, PACKET_MAC);
	v->drops = l->drops;
	v->announces = l->asks ? ANNOUNCES : 0;
	v->announce_ms = net_now_ms();
	held_deadline(v);
}

static void enter_held(struct net *n, struct vip *v, const struct rtnl_link *l)
{
	if (l->asks && v->ether.fd < 0 && open_ears(n, v, l->index) < 0) {
		enter_taken(v, retry_ms());
		return;
	}
	v->ether.index = l->index;
	v->state = VIP_HELD;
	v->accused_ms = v->defended_ms = v->named_ms = 0;
	announce_all(v, l);
	vip_say(n, v, true, "%s", "");
}

static void say_refused(struct net *n, struct vip *v, const char *why)
{
	if (errno == EPERM)
		vip_say_unable(n, v);
	else if (errno == EACCES)
		vip_say(n, v, false, "IPv6 is off on %s: sysctl net.ipv6.conf.%s.disable_ipv6=0",
			v->interface, v->interface);
	else
		vip_say(n, v, false, "%s cannot be put on %s: %s", v->text_ip,
			v->interface, why);
}

/* Nobody objected. */
static void put_on(struct net *n, struct vip *v, const struct rtnl_link *l)
{
	struct rtnl_place at = { 0 };
	struct error err;

	if (rtnl_find(&n->rtnl, &v->ip, RTNL_ANYBODY, &at, &err) == 0 &&
	    at.index) {
		vip_begin(n, v);	/* somebody put it on this host meanwhile */
		return;
	}
	if (rtnl_add(&n->rtnl, l->index, &v->ip, v->prefix, &err) < 0) {
		say_refused(n, v, err.text);
		enter_taken(v, retry_ms());
		return;
	}
	/* Before 5.18 it would be nobody's after our end, and never go. */
	if (rtnl_find(&n->rtnl, &v->ip, RTNL_ANYBODY, &at, &err) == 0 &&
	    at.index == l->index && !at.ours) {
		rtnl_remove(&n->rtnl, &v->ip, &at, &err);
		vip_say(n, v, false, "this kernel does not keep who put an address on an interface: Linux 5.18 or later does");
		enter_taken(v, retry_ms());
		return;
	}
	enter_held(n, v, l);
}

static void say_foreign(struct net *n, struct vip *v, const struct rtnl_place *at)
{
	const struct rtnl_link *l = rtnl_link_at(&n->rtnl, at->index);
	const char *where = l ? l->name : "another interface";

	vip_say(n, v, false,
		"%s is on %s already, and not by Remuda: ip address delete %s/%u dev %s, or choose another vip",
		v->text_ip, where, v->text_ip, at->prefix, where);
}

static const char *unusable(const struct rtnl_link *l)
{
	if (!l)
		return "is not there; the address is taken when it comes";
	if (l->port)
		return "is a port of another: name that one, its bridge or bond";
	if (!l->up)
		return "is down: ip link set it up";
	if (!l->running)
		return "has no carrier: look at its cable, or a bridge's ports";
	return NULL;
}

static void ask(struct net *n, struct vip *v, const struct rtnl_link *l)
{
	if (open_ears(n, v, l->index) < 0) {
		enter_taken(v, retry_ms());
		return;
	}
	v->state = VIP_ASKING;
	v->probes = 0;
	v->deadline_ms = net_now_ms() + random_below(PROBE_WAIT_MS);
}

/* What an engine before us left stays where it is wanted, and goes elsewhere. */
static void begin_usable(struct net *n, struct vip *v, const struct rtnl_link *l)
{
	uint32_t prefix = v->prefix ? v->prefix : v->ip.family == 6 ? 128 : 32;
	struct rtnl_place ours, foreign;
	struct error err = { "" };

	if (rtnl_find(&n->rtnl, &v->ip, RTNL_OURS, &ours, &err) < 0 ||
	    rtnl_find(&n->rtnl, &v->ip, RTNL_FOREIGN, &foreign, &err) < 0) {
		vip_say(n, v, false, "%s", err.text);
		enter_taken(v, retry_ms());
		return;
	}
	if (ours.index == l->index && ours.prefix == prefix) {
		enter_held(n, v, l);
		return;
	}
	if (ours.index && vip_take_off(n, v, &err) < 0)
		vip_say(n, v, false, "%s cannot be moved: %s", v->text_ip, err.text);
	else if (foreign.index)
		say_foreign(n, v, &foreign);
	else if (l->asks && ours.index != l->index) {
		ask(n, v, l);
		return;
	} else {
		/* Nobody to ask; or it was there, with another prefix. */
		put_on(n, v, l);
		return;
	}
	enter_taken(v, retry_ms());
}

void vip_begin(struct net *n, struct vip *v)
{
	const struct rtnl_link *l = rtnl_link(&n->rtnl, v->interface);
	const char *why = unusable(l);
	struct error err = { "" };

	if (why) {
		enter_away(n, v, why);
		return;
	}
	if (v->claim_fd < 0)
		v->claim_fd = claim_open(&v->ip, &err);
	if (v->claim_fd >= 0) {
		v->handovers = 0;
		begin_usable(n, v, l);
		return;
	}
	/* The role of an engine that just died needs a moment to end. */
	if (++v->handovers > HANDOVERS)
		vip_say(n, v, false, "%s", err.text);
	enter_taken(v, HANDOVER_MS);
}

/* ---- what happens to it ----------------------------------------------------------------- */

static void probe(struct net *n, struct vip *v)
{
	const struct rtnl_link *l = rtnl_link(&n->rtnl, v->interface);
	uint8_t out[PACKET_MAX], to[PACKET_MAC];

	if (unusable(l) || l->index != v->ether.index) {
		vip_begin(n, v);
		return;
	}
	if (v->probes == PROBES) {
		put_on(n, v, l);
		return;
	}
	size_t length = packet_probe(&v->ip, l->mac, out, to);
	ether_say(&v->ether, out, length, to);
	v->probes++;
	v->deadline_ms = net_now_ms() + PROBE_MS;
}

static void hold_on(struct net *n, struct vip *v)
{
	int64_t now_ms = net_now_ms();

	if (v->announces && now_ms >= v->announce_ms) {
		announce(v);
		v->announces--;
		v->announce_ms = now_ms + ANNOUNCE_MS;
	}
	if (v->accused_ms && now_ms >= v->accused_ms + CALM_MS) {
		v->accused_ms = v->named_ms = 0;
		vip_say(n, v, true, "%s", "");
	}
	held_deadline(v);
}

void vip_on_time(struct net *n, struct vip *v)
{
	switch (v->state) {
	case VIP_AWAY:
		v->deadline_ms = INT64_MAX;
		return;
	case VIP_ASKING:
		probe(n, v);
		return;
	case VIP_TAKEN:
		vip_begin(n, v);
		return;
	case VIP_HELD:
		hold_on(n, v);
		return;
	}
}

/* One more who says that he has it: told by name once in a while, however many
 * he makes up. */
static void accuse(struct net *n, struct vip *v, const uint8_t *mac)
{
	char text[PACKET_MAC_TEXT];
	int64_t now_ms = net_now_ms();

	if (!v->defended_ms || now_ms - v->defended_ms >= DEFEND_MS) {
		v->defended_ms = now_ms;
		announce(v);
	}
	v->accused_ms = now_ms;
	if (!v->named_ms || now_ms - v->named_ms >= DEFEND_MS) {
		v->named_ms = now_ms;
		vip_say(n, v, true,
			"%s says on %s that it has %s too: it is kept and defended; find that machine and take the address from it",
			packet_mac_text(mac, text), v->interface, v->text_ip);
	}
	held_deadline(v);
}

void vip_on_packets(struct net *n, struct vip *v)
{
	char text[PACKET_MAC_TEXT];
	struct packet_seen p;

	while (v->ether.fd >= 0 && ether_hear(&v->ether, &p)) {
		if (rtnl_is_own(&n->rtnl, p.mac))
			continue;
		if (v->state == VIP_HELD && p.kind == PACKET_CLAIM)
			accuse(n, v, p.mac);
		if (v->state != VIP_ASKING)
			continue;
		vip_say(n, v, false, p.kind == PACKET_CLAIM ?
			"%s is taken: %s on %s has it; take it from that machine, or give the cluster another vip (it is asked again every few seconds)" :
			"%s is not free: %s on %s asks for it as well",
			v->text_ip, packet_mac_text(p.mac, text), v->interface);
		enter_taken(v, retry_ms());
	}
}

void vip_on_links(struct net *n, struct vip *v)
{
	const struct rtnl_link *l = rtnl_link(&n->rtnl, v->interface);

	if (!n->able)
		return;
	if (v->state == VIP_AWAY ? !unusable(l) : unusable(l) != NULL) {
		vip_begin(n, v);
		return;
	}
	if (v->state == VIP_AWAY)
		vip_say(n, v, false, "interface %s %s", v->interface, unusable(l));
	if (v->state != VIP_HELD)
		return;
	if (l->index != v->ether.index) {
		vip_say(n, v, false, "interface %s is another one now: the address is put there",
			v->interface);
		vip_begin(n, v);
	} else if (l->drops != v->drops || memcmp(l->mac, v->mac, PACKET_MAC)) {
		/* Neighbours may have forgotten it, or remember another. */
		announce_all(v, l);
	}
}

void vip_on_address(struct net *n, struct vip *v)
{
	struct rtnl_place at;
	struct error err;

	if (v->state == VIP_TAKEN)
		v->deadline_ms = net_now_ms();
	if (v->state != VIP_HELD ||
	    rtnl_find(&n->rtnl, &v->ip, RTNL_OURS, &at, &err) < 0 ||
	    at.index == v->ether.index)
		return;
	vip_say(n, v, false, "somebody removed %s from %s: it is put back",
		v->text_ip, v->interface);
	vip_begin(n, v);
}
