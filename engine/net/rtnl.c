/*
 * rtnetlink; see rtnl.h.
 *
 * Two sockets: one asks and waits for the kernel's answer, which comes at once;
 * one hears notifications.  When notifications were lost (ENOBUFS) the links
 * are read anew and every address counts as changed.
 */
#include "engine/net/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "engine/base/check.h"
#include "engine/base/error.h"

enum { ANSWER_S = 5, BUFFER = 32 * 1024 };

/* ---- links ------------------------------------------------------------------ */

static struct rtnl_link *link_slot(struct rtnl *r, int index)
{
	for (size_t i = 0; i < r->link_count; i++)
		if (r->links[i].index == index)
			return &r->links[i];
	return NULL;
}

static void link_forget(struct rtnl *r, int index)
{
	struct rtnl_link *l = link_slot(r, index);

	if (l)
		*l = r->links[--r->link_count];
	r->links_changed = true;
}

static struct rtnl_link *link_new(struct rtnl *r)
{
	size_t n = r->link_count++;

	if ((n & (n - 1)) == 0)
		r->links = reallocarray(r->links, n ? n * 2 : 1,
					sizeof(*r->links));
	CHECK("", r->links, "out of memory");
	return &r->links[n];
}

/* IFLA_AF_SPEC: a nest for each family, with the settings of IPv4 as an array. */
static bool promotes(const struct nlattr *spec)
{
	const struct nlattr *family, *part;

	mnl_attr_for_each_nested(family, spec) {
		if (mnl_attr_get_type(family) != AF_INET)
			continue;
		mnl_attr_for_each_nested(part, family) {
			const uint32_t *value = mnl_attr_get_payload(part);

			if (mnl_attr_get_type(part) == IFLA_INET_CONF &&
			    mnl_attr_get_payload_len(part) >=
			    IPV4_DEVCONF_PROMOTE_SECONDARIES * sizeof(*value))
				return value[IPV4_DEVCONF_PROMOTE_SECONDARIES - 1];
		}
	}
	return false;
}

static void link_kind(struct rtnl_link *l, const struct nlattr *info)
{
	const struct nlattr *part;

	mnl_attr_for_each_nested(part, info) {
		const char *kind = mnl_attr_get_payload(part);
		struct slice s = { kind, (uint32_t)strnlen(kind,
					mnl_attr_get_payload_len(part)) };

		/* One of a VRF is no port: it hears for itself. */
		if (mnl_attr_get_type(part) == IFLA_INFO_SLAVE_KIND)
			l->port = !slice_is(s, "vrf");
		if (mnl_attr_get_type(part) == IFLA_INFO_KIND)
			l->lent = slice_is(s, "macvtap");
	}
}

static void link_attribute(struct rtnl_link *l, const struct nlattr *attr)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		text_copy(l->name, sizeof(l->name), mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == PACKET_MAC)
			memcpy(l->mac, mnl_attr_get_payload(attr), PACKET_MAC);
		break;
	case IFLA_CARRIER_DOWN_COUNT:
		l->drops = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINKINFO:
		link_kind(l, attr);
		break;
	case IFLA_AF_SPEC:
		l->promotes = promotes(attr);
		break;
	}
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	struct rtnl *r = arg;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct rtnl_link l = { .index = info->ifi_index };
	const struct nlattr *attr;

	/* A bridge's news of its ports has the same type and another family. */
	if (info->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	if (h->nlmsg_type == RTM_DELLINK) {
		link_forget(r, info->ifi_index);
		return MNL_CB_OK;
	}
	mnl_attr_for_each(attr, h, sizeof(*info))
		link_attribute(&l, attr);
	l.up = info->ifi_flags & IFF_UP;
	l.running = info->ifi_flags & IFF_RUNNING;
	l.asks = info->ifi_type == ARPHRD_ETHER &&
		 !(info->ifi_flags & (IFF_NOARP | IFF_LOOPBACK));
	struct rtnl_link *slot = link_slot(r, l.index);
	*(slot ? slot : link_new(r)) = l;
	r->links_changed = true;
	return MNL_CB_OK;
}

const struct rtnl_link *rtnl_link(const struct rtnl *r, const char *name)
{
	for (size_t i = 0; i < r->link_count; i++)
		if (strcmp(r->links[i].name, name) == 0)
			return &r->links[i];
	return NULL;
}

const struct rtnl_link *rtnl_link_at(const struct rtnl *r, int index)
{
	return link_slot((struct rtnl *)r, index);
}

bool rtnl_is_own(const struct rtnl *r, const uint8_t mac[PACKET_MAC])
{
	static const uint8_t none[PACKET_MAC];

	for (size_t i = 0; i < r->link_count; i++)
		if (!r->links[i].lent &&
		    memcmp(r->links[i].mac, mac, PACKET_MAC) == 0)
			return memcmp(mac, none, PACKET_MAC) != 0;
	return false;
}

/* ---- asking -------------------------------------------------------------------- */

/* Sends and takes in the whole answer; each part goes to take. */
static int ask(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t take, void *arg)
{
	unsigned port = mnl_socket_get_portid(r->ask);
	char buf[BUFFER];
	int rc = MNL_CB_OK;

	h->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->ask, h, h->nlmsg_len) < 0)
		return -1;
	while (rc > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(r->ask, buf, sizeof(buf));

		if (n < 0)
			return -1;
		rc = mnl_cb_run(buf, (size_t)n, h->nlmsg_seq, port, take, arg);
		/* The rest of an answer that was given up. */
		if (rc < 0 && (errno == EPROTO || errno == ESRCH))
			rc = MNL_CB_OK;
	}
	return rc;
}

static int read_links(struct rtnl *r)
{
	char buf[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	int rc;
	do {
		r->link_count = 0;
		free(r->links);
		r->links = NULL;
		rc = ask(r, h, on_link, r);
	} while (rc < 0 && errno == EINTR);	/* it changed meanwhile */
	return rc;
}

/* ---- addresses ------------------------------------------------------------------- */

struct found {
	struct address ip;
	struct rtnl_place at;
};

static void address_attribute(struct found *f, const struct nlattr *attr)
{
	uint32_t flags;

	switch (mnl_attr_get_type(attr)) {
	case IFA_LOCAL:
	case IFA_ADDRESS:
		/* On a point-to-point link IFA_ADDRESS is the other end. */
		if (mnl_attr_get_type(attr) == IFA_LOCAL ||
		    !f->ip.family) {
			uint16_t n = mnl_attr_get_payload_len(attr);

			f->ip.family = n == 4 ? 4 : n == 16 ? 6 : 0;
			memcpy(f->ip.bytes, mnl_attr_get_payload(attr),
			       f->ip.family ? n : 0);
		}
		break;
	case IFA_PROTO:
		f->at.ours = mnl_attr_get_u8(attr) == RTNL_MARK;
		break;
	case IFA_FLAGS:
		/* The same bit in IPv4 and IPv6, for different things. */
		flags = mnl_attr_get_u32(attr);
		f->at.secondary = flags & IFA_F_SECONDARY;
		f->at.tentative = flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED);
		break;
	}
}

static struct found address_of(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
	struct found f = { .at = { .index = (int)info->ifa_index,
				   .prefix = info->ifa_prefixlen } };
	const struct nlattr *attr, *local = NULL;

	mnl_attr_for_each(attr, h, sizeof(*info)) {
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local = attr;
		address_attribute(&f, attr);
	}
	if (local)
		address_attribute(&f, local);
	return f;
}

struct search {
	const struct address *ip;
	enum rtnl_whose whose;
	struct rtnl_place found;
	/* How many addresses live by that one (see rtnl_remove). */
	const struct rtnl_place *primary;
	size_t dependents;
};

static bool same_network(const struct address *a, const struct address *b,
			 uint32_t prefix)
{
	uint32_t x, y, mask = prefix ? htonl(~0u << (32 - prefix)) : 0;

	memcpy(&x, a->bytes, 4);
	memcpy(&y, b->bytes, 4);
	return ((x ^ y) & mask) == 0;
}

static int on_address(const struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;
	struct found f = address_of(h);

	if (s->primary) {
		s->dependents += f.ip.family == 4 && f.at.secondary &&
				 f.at.index == s->primary->index &&
				 f.at.prefix == s->primary->prefix &&
				 same_network(&f.ip, s->ip, f.at.prefix);
		return MNL_CB_OK;
	}
	if (!s->found.index && network_address_same(&f.ip, s->ip) &&
	    (s->whose == RTNL_ANYBODY || (s->whose == RTNL_OURS) == f.at.ours))
		s->found = f.at;
	return MNL_CB_OK;
}

static int search(struct rtnl *r, struct search *s, struct error *err)
{
	char buf[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *info;

	h->nlmsg_type = RTM_GETADDR;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifa_family = s->ip->family == 6 ? AF_INET6 : AF_INET;
	int rc;
	do {
		s->found = (struct rtnl_place){ 0 };
		s->dependents = 0;
		rc = ask(r, h, on_address, s);
	} while (rc < 0 && errno == EINTR);	/* they changed meanwhile */
	return rc < 0 ? error_errno(err, "this host's addresses") : 0;
}

int rtnl_find(struct rtnl *r, const struct address *ip, enum rtnl_whose whose,
	      struct rtnl_place *out, struct error *err)
{
	struct search s = { .ip = ip, .whose = whose };
	int rc = search(r, &s, err);

	*out = s.found;
	return rc;
}

static struct nlmsghdr *address_message(char *buf, uint16_t type, int index,
					const struct address *ip,
					uint32_t prefix)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	const size_t size = ip->family == 6 ? 16 : 4;
	struct ifaddrmsg *info;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifa_family = ip->family == 6 ? AF_INET6 : AF_INET;
	info->ifa_prefixlen = (uint8_t)prefix;
	info->ifa_index = (uint32_t)index;
	mnl_attr_put(h, IFA_LOCAL, size, ip->bytes);
	mnl_attr_put(h, IFA_ADDRESS, size, ip->bytes);
	return h;
}

int rtnl_add(struct rtnl *r, int index, const struct address *ip,
	     uint32_t prefix, struct error *err)
{
	const struct ifa_cacheinfo deprecated = { .ifa_prefered = 0,
						  .ifa_valid = UINT32_MAX };
	const struct rtnl_link *l = rtnl_link_at(r, index);
	char buf[MNL_NLMSG_HDRLEN + 256], label[IFNAMSIZ + 8] = "";
	struct nlmsghdr *h;

	h = address_message(buf, RTM_NEWADDR, index, ip,
			    prefix ? prefix : ip->family == 6 ? 128 : 32);
	h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_u8(h, IFA_PROTO, RTNL_MARK);
	mnl_attr_put_u32(h, IFA_FLAGS, (prefix ? 0 : IFA_F_NOPREFIXROUTE) |
				       (ip->family == 6 ? IFA_F_NODAD : 0));
	if (ip->family == 6)
		mnl_attr_put(h, IFA_CACHEINFO, sizeof(deprecated), &deprecated);
	/* For people; Debian 12's ip(8) does not show the mark. */
	snprintf(label, sizeof(label), "%s:remuda", l ? l->name : "");
	if (ip->family == 4 && l && strlen(label) < IFNAMSIZ)
		mnl_attr_put_strz(h, IFA_LABEL, label);
	return ask(r, h, NULL, NULL) < 0 ? error_errno(err, "RTM_NEWADDR") : 0;
}

static int set_promotes(struct rtnl *r, int index, bool on)
{
	char buf[MNL_NLMSG_HDRLEN + 128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;

	h->nlmsg_type = RTM_SETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_index = index;
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(h, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(h, IFLA_INET_CONF);
	mnl_attr_put_u32(h, IPV4_DEVCONF_PROMOTE_SECONDARIES, on);
	mnl_attr_nest_end(h, conf);
	mnl_attr_nest_end(h, family);
	mnl_attr_nest_end(h, spec);
	return ask(r, h, NULL, NULL);
}

/*
 * Removing the first IPv4 address of a network takes with it those that came
 * later (secondaries), unless the interface promotes them.  Somebody's own
 * address may be among them: then it promotes for this once.
 */
int rtnl_remove(struct rtnl *r, const struct address *ip,
		const struct rtnl_place *at, struct error *err)
{
	struct search s = { .ip = ip, .primary = at };
	char buf[MNL_NLMSG_HDRLEN + 128];
	bool promote = false;

	if (ip->family == 4 && !at->secondary) {
		if (search(r, &s, err) < 0)
			return -1;
		const struct rtnl_link *l = rtnl_link_at(r, at->index);
		promote = s.dependents && !(l && l->promotes);
		if (promote && set_promotes(r, at->index, true) < 0)
			return error_errno(err, "promote_secondaries");
	}
	int rc = ask(r, address_message(buf, RTM_DELADDR, at->index, ip,
					at->prefix), NULL, NULL);
	int why = errno;
	if (promote)
		set_promotes(r, at->index, false);
	errno = why;
	/* Somebody else was faster. */
	if (rc < 0 && errno != EADDRNOTAVAIL && errno != ENODEV)
		return error_errno(err, "RTM_DELADDR");
	return 0;
}

/* ---- hearing ------------------------------------------------------------------------ */

static int on_news(const struct nlmsghdr *h, void *arg)
{
	struct rtnl *r = arg;
	struct found f;

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return on_link(h, r);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		f = address_of(h);
		r->on_address(r->arg, &f.ip);
		break;
	}
	return MNL_CB_OK;
}

int rtnl_hear(struct rtnl *r, struct error *err)
{
	char buf[BUFFER];
	ssize_t n;

	r->links_changed = false;
	while ((n = mnl_socket_recvfrom(r->hear, buf, sizeof(buf))) > 0)
		mnl_cb_run(buf, (size_t)n, 0, 0, on_news, r);
	if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) {
		/* Some were lost.  What is left in the queue is older than what
		 * is read now, and must not be taken for newer. */
		do
			n = mnl_socket_recvfrom(r->hear, buf, sizeof(buf));
		while (n > 0 || errno == ENOBUFS || errno == ENOSPC);
		if (read_links(r) < 0)
			return error_errno(err, "this host's interfaces");
		r->on_address(r->arg, NULL);
		return 1;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return error_errno(err, "rtnetlink");
	return r->links_changed;
}

int rtnl_open(struct rtnl *r, struct error *err)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };

	r->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	r->hear = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!r->ask || !r->hear ||
	    mnl_socket_bind(r->ask, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_bind(r->hear, RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
				     RTMGRP_IPV6_IFADDR, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(r->ask), SOL_SOCKET, SO_RCVTIMEO,
		       &patience, sizeof(patience)) < 0 ||
	    read_links(r) < 0) {
		error_errno(err, "rtnetlink");
		rtnl_close(r);
		return -1;
	}
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (r->ask)
		mnl_socket_close(r->ask);
	if (r->hear)
		mnl_socket_close(r->hear);
	free(r->links);
	*r = (struct rtnl){ 0 };
}

int rtnl_fd(const struct rtnl *r)
{
	return mnl_socket_get_fd(r->hear);
}
