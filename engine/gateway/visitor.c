/*
 * Visitors: machines that reach a resource by tcp (decisions.md 20).
 *
 * The engine binds a session's machine to the address it comes from; whoever
 * connects to a resource's door from that address is that session's user, and
 * who comes from any other is refused.  The network must pin the address to
 * the machine (README of the network, libvirt's clean-traffic filter): what
 * arrives here from an address is believed to come from the machine that has
 * it.  An address two machines are bound to at once tells nothing, so both are
 * refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/resource.h"

/* An IPv4 address seen through an IPv6 socket is that IPv4 address. */
static void unmap(struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const void *)a;
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return;
	four.sin_port = six->sin6_port;
	memcpy(&four.sin_addr, six->sin6_addr.s6_addr + 12, 4);
	memset(a, 0, sizeof(*a));
	memcpy(a, &four, sizeof(four));
}

static struct slice host_bytes(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return (struct slice){
			(const char *)&((const struct sockaddr_in *)a)->sin_addr, 4 };
	if (a->ss_family == AF_INET6)
		return (struct slice){
			(const char *)&((const struct sockaddr_in6 *)a)->sin6_addr,
			16 };
	return (struct slice){ NULL, 0 };
}

bool visitor_same_host(const struct sockaddr_storage *a,
		       const struct sockaddr_storage *b)
{
	struct slice x = host_bytes(a), y = host_bytes(b);

	return x.length && x.length == y.length &&
	       !memcmp(x.ptr, y.ptr, x.length);
}

uint16_t visitor_port(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET
		     ? ((const struct sockaddr_in *)a)->sin_port
		     : ((const struct sockaddr_in6 *)a)->sin6_port);
}

void visitor_name(char out[PEER_MAX], const struct sockaddr_storage *a)
{
	char host[INET6_ADDRSTRLEN];
	struct slice bytes = host_bytes(a);

	out[0] = '\0';
	if (bytes.length &&
	    inet_ntop(a->ss_family, bytes.ptr, host, sizeof(host)))
		snprintf(out, PEER_MAX, a->ss_family == AF_INET6 ? "[%s]:%u" :
			 "%s:%u", host, visitor_port(a));
}

static uint64_t hash(const struct sockaddr_storage *a)
{
	struct slice bytes = host_bytes(a);
	uint64_t h = 14695981039346656037ull;

	for (uint32_t i = 0; i < bytes.length; i++)
		h = (h ^ (unsigned char)bytes.ptr[i]) * 1099511628211ull;
	return h ? h : 1;
}

int visitor_bind(struct gateway *g, struct port *p, struct slice address)
{
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_in *in = (void *)&p->address;
	struct sockaddr_in6 *in6 = (void *)&p->address;

	text_copy_slice(host, sizeof(host), address);
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
	} else {
		errno = EINVAL;
		return -1;
	}
	unmap(&p->address);
	p->kind = PORT_ADDRESS;
	p->same = map_get(&g->guests, hash(&p->address));
	map_put(&g->guests, hash(&p->address), p);
	return 0;
}

static void unlist(struct gateway *g, struct port *p)
{
	uint64_t key = hash(&p->address);
	struct port *first = map_get(&g->guests, key);

	if (first == p) {
		map_remove(&g->guests, key);
		if (p->same)
			map_put(&g->guests, key, p->same);
		return;
	}
	while (first && first->same != p)
		first = first->same;
	if (first)
		first->same = p->same;
}

void visitor_unbind(struct gateway *g, struct port *p)
{
	if (p->kind == PORT_VISITOR && p->home)
		p->home->visitors--;
	p->home = NULL;
	if (p->kind != PORT_ADDRESS)
		return;
	unlist(g, p);
	/* Its visitors go with it: nothing of its session stays open. */
	while (p->visitors) {
		struct port *v = port_visitor_of(g, p);

		CHECK("", v, "visitors are counted wrong");
		v->failed = true;
		port_free(g, v);
	}
}

/* The binding of that address to a resource; NULL, and why, when none. */
static struct port *admit(struct gateway *g, const char *resource,
			  const struct sockaddr_storage *peer, const char **why)
{
	struct port *found = NULL;

	*why = "no session has a machine of this address";
	for (struct port *p = map_get(&g->guests, hash(peer)); p; p = p->same) {
		if (strcmp(p->resource, resource) ||
		    !visitor_same_host(&p->address, peer))
			continue;
		if (found && found->machine_id != p->machine_id) {
			*why = "several machines have this address";
			return NULL;
		}
		found = p;
	}
	return found;
}

static void refuse(struct gateway *g, const struct port *home,
		   const char *resource, const struct sockaddr_storage *peer,
		   const char *why)
{
	static const uint64_t none[2];
	struct port p = { .kind = PORT_VISITOR, .address = *peer };

	if (home) {
		p.machine_id = home->machine_id;
		p.session = home->session;
		p.incarnation = home->incarnation;
		TEXT_SET(p.user, home->user);
	}
	TEXT_SET(p.resource, resource);
	port_report(g, &p, 0, false, none, why);
}

static struct port *visitor_of(const struct port *home,
			       const struct sockaddr_storage *peer)
{
	struct port *p = calloc(1, sizeof(*p));

	CHECK("", p, "out of memory");
	p->kind = PORT_VISITOR;
	p->machine_id = home->machine_id;
	p->session = home->session;
	p->incarnation = home->incarnation;
	p->allowed = true;
	TEXT_SET(p->resource, home->resource);
	TEXT_SET(p->user, home->user);
	p->address = *peer;
	return p;
}

void visitor_new(struct gateway *g, struct listener *l, int fd,
		 const struct sockaddr_storage *from)
{
	struct sockaddr_storage peer = *from, door = { 0 };
	static const struct linger reset = { .l_onoff = 1 };
	socklen_t length = sizeof(door);
	const char *why = NULL;
	struct port *home, *p;

	unmap(&peer);
	home = admit(g, l->application, &peer, &why);
	if (home && !home->allowed)
		why = "denied by the access table";
	else if (home && home->visitors >= VISITORS_MAX)
		why = "too many connections of this machine";
	else if (home)
		why = NULL;
	if (why) {
		refuse(g, home, l->application, &peer, why);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		return;
	}
	p = visitor_of(home, &peer);
	getsockname(fd, (struct sockaddr *)&door, &length);
	unmap(&door);
	p->door = door;
	if (port_visit(g, p, fd) < 0) {
		log_error("resource %s: %s", p->resource, strerror(errno));
		free(p);
		return;
	}
	p->home = home;
	home->visitors++;
	exchange_begin(g, p);
	/* Not served now: said by a reset. */
	if (list_linked(&p->link) && !p->exchange)
		port_free(g, p);
}
