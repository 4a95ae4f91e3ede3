/*
 * Listening sockets.  They are created by the engine; here they are armed,
 * accepted from, and un-armed when there is no engine, no descriptor left.
 *
 * Un-armed means out of epoll: connections wait in the kernel's backlog and
 * cost nothing (a level-triggered listener without a free descriptor would
 * spin).  Options set on a listening TCP socket are inherited by what it
 * accepts, which saves system calls per connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"

enum {
	ACCEPTS_A_TURN = 64,
	STARVED_MS = 100,
};

static void on_connections(struct gateway *g, struct watch *w, uint32_t events);
static void on_timer(struct gateway *g, struct timer *t);

static bool may_accept(const struct gateway *g, const struct listener *l)
{
	/* Machines and services ask about sessions that go on without engine. */
	return ((link_up(g) && l->open) || l->inner) && !l->gone &&
	       (l->inner != WIRE_DOOR_CLUSTER || l->cluster) && !l->starved &&
	       (!l->tls || l->tls_context) &&
	       (l->door != &door_ssh || l->ssh_key) && !g->draining;
}

void listener_rearm(struct gateway *g, struct listener *l)
{
	bool want = may_accept(g, l);

	if (l->watch.fd < 0 || want == l->watch.armed)
		return;
	if (!want)
		watch_disarm(&g->poll, &l->watch);
	else if (watch_arm(&g->poll, &l->watch, EPOLLIN | EPOLLEXCLUSIVE) < 0)
		log_error("listener %s: %s", l->name, strerror(errno));
}

/* Doors of users, resources and clusters have names of their own; inner: 0 for
 * users. */
static struct listener *by_name(struct gateway *g, struct slice name,
				uint8_t inner)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (slice_is(name, l->name) && l->inner == inner)
			return l;
	}
	return NULL;
}

struct listener *listener_named(struct gateway *g, struct slice name)
{
	return by_name(g, name, 0);
}

void listener_forget_ssh_key(struct listener *l)
{
	if (l->ssh_key)
		explicit_bzero(l->ssh_key, strlen(l->ssh_key));
	free(l->ssh_key);
	l->ssh_key = NULL;
}

static void bury(struct gateway *g, struct grave *grave)
{
	(void)g;
	struct listener *l = POLL_OWNER(grave, struct listener, grave);

	SSL_CTX_free(l->tls_context);
	listener_forget_ssh_key(l);
	free(l->proxies);
	free(l);
}

void listener_unref(struct gateway *g, struct listener *l)
{
	if (--l->refs == 0 && l->gone)
		grave_add(&g->poll, &l->grave, bury);
}

/* Its waiting clients get a word; sessions that came through it go on. */
static void dismiss(struct gateway *g, struct listener *l)
{
	watch_close(&g->poll, &l->watch);
	poll_timer_stop(&g->poll, &l->timer);
	list_remove(&l->link);
	l->gone = true;
	l->refs++;
	LIST_EACH(&g->conns, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, link);

		if (c->listener == l && (c->state == CALLER_OPENING ||
					 (c->state == CALLER_REQUESTED &&
					  !c->requested)))
			caller_refuse(g, c, "closed", SLICE("this listener was closed"));
	}
	ssh_link_close_idle(g);
	listener_unref(g, l);
}

static void set_options(struct listener *l, int fd)
{
	static const int on = 1;
	socklen_t length = sizeof(l->bound);

	memset(&l->bound, 0, sizeof(l->bound));
	getsockname(fd, (struct sockaddr *)&l->bound, &length);
	l->tcp = l->bound.ss_family == AF_INET ||
		 l->bound.ss_family == AF_INET6;
	l->wildcard = l->bound.ss_family == AF_INET6
		? IN6_IS_ADDR_UNSPECIFIED(
			&((struct sockaddr_in6 *)&l->bound)->sin6_addr)
		: ((struct sockaddr_in *)&l->bound)->sin_addr.s_addr == 0;
	if (!l->tcp)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	flow_keepalive(fd);
}

/* Out of descriptors: wait, then look again. */
static void pause_door(struct gateway *g, struct listener *l)
{
	l->starved = true;
	listener_rearm(g, l);
	poll_timer_set(&g->poll, &l->timer, g->poll.now_ms + STARVED_MS);
}

/*
 * Room for one more.  Strangers, and clients of clusters that have said nothing,
 * make way for who comes; sessions and transactions do not.  Who comes to a
 * cluster needs no name: they never have all there is.
 */
static bool has_room(struct gateway *g, const struct listener *l)
{
	uint32_t most = g->conn_limit - g->conn_limit / 4;

	if (l->inner == WIRE_DOOR_CLUSTER && g->clusters.open >= most &&
	    !transaction_evict(g))
		return false;
	return g->conn_count < g->conn_limit || crowd_evict(g) ||
	       transaction_evict(g);
}

/* Accepts at most count connections; returns how many. */
static int accept_some(struct gateway *g, struct listener *l, int fd, int count)
{
	int done = 0;

	while (done < count) {
		struct sockaddr_storage peer;
		socklen_t length = sizeof(peer);

		if (!has_room(g, l)) {
			pause_door(g, l);
			break;
		}
		int client = accept4(fd, (struct sockaddr *)&peer, &length,
				     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0) {
			if (l->inner == WIRE_DOOR_RESOURCE)
				visitor_new(g, l, client, &peer);
			else if (l->inner == WIRE_DOOR_IDENT)
				ident_new(g, client, &peer);
			else if (l->inner == WIRE_DOOR_CLUSTER)
				transaction_new(g, l, client, &peer);
			else
				caller_new(g, l, client, &peer);
			done++;
			continue;
		}
		if (errno == EAGAIN)
			break;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_warn("listener %s: %s; connections wait", l->name,
				 strerror(errno));
			pause_door(g, l);
			break;
		}
		if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK ||
		    errno == EOPNOTSUPP) {
			log_error("listener %s: %s", l->name, strerror(errno));
			l->open = false;
			listener_rearm(g, l);
			break;
		}
	}
	return done;
}

static void on_connections(struct gateway *g, struct watch *w, uint32_t events)
{
	(void)events;
	accept_some(g, POLL_OWNER(w, struct listener, watch), w->fd,
		    ACCEPTS_A_TURN);
}

static void on_timer(struct gateway *g, struct timer *t)
{
	struct listener *l = POLL_OWNER(t, struct listener, timer);

	l->starved = false;
	listener_rearm(g, l);
}

/* Everybody the kernel has accepted on a socket that is to be closed. */
static void take_over(struct gateway *g, struct listener *l, int fd)
{
	while (accept_some(g, l, fd, ACCEPTS_A_TURN) == ACCEPTS_A_TURN)
		;
}

/*
 * Takes fd as the listening socket of l.  The engine holds the other end of
 * the same socket: of two in one SO_REUSEPORT group, connections would wait
 * for ever on the one that nobody accepts from.  What waits on the old socket
 * is accepted before that is closed.
 */
static void take_socket(struct gateway *g, struct listener *l, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		log_error("listener %s: %s", l->name, strerror(errno));
		close(fd);
		return;
	}
	if (l->watch.fd >= 0) {
		take_over(g, l, l->watch.fd);
		watch_close(&g->poll, &l->watch);
	}
	l->watch = (struct watch){ .fd = fd, .foreign = true,
				   .ready = on_connections };
	set_options(l, fd);
}

static struct listener *listener_new(struct gateway *g, struct slice name)
{
	struct listener *l = calloc(1, sizeof(*l));

	CHECK("", l, "out of memory");
	text_copy_slice(l->name, sizeof(l->name), name);
	l->watch.fd = -1;
	l->timer.fire = on_timer;
	list_add_tail(&g->listeners, &l->link);
	return l;
}

static bool sensible(const struct wire_gateway_listener *w)
{
	if (w->door == WIRE_DOOR_RESOURCE || w->door == WIRE_DOOR_IDENT ||
	    w->door == WIRE_DOOR_CLUSTER)
		return w->listener && w->name.length &&
		       w->name.length < NAME_MAX_BYTES &&
		       w->application.length < NAME_MAX_BYTES;
	return w->listener && w->name.length &&
	       w->name.length < NAME_MAX_BYTES && w->user.length < USER_MAX &&
	       w->application.length < NAME_MAX_BYTES && door_of(w->door) &&
	       w->opening_ms >= 0 && w->user_source >= WIRE_USER_FIXED &&
	       w->user_source <= WIRE_USER_KEY &&
	       !(w->door == WIRE_DOOR_DIRECT &&
		 w->user_source == WIRE_USER_PASSWORD);
}

/* The engine has checked them. */
static void take_proxies(struct listener *l, struct slice text)
{
	char copy[1024], *save = NULL;
	struct error err;

	free(l->proxies);
	l->proxies = calloc(16, sizeof(*l->proxies));
	CHECK("", l->proxies, "out of memory");
	l->proxy_count = 0;
	text_copy_slice(copy, sizeof(copy), text);
	for (char *w = strtok_r(copy, ",", &save); w && l->proxy_count < 16;
	     w = strtok_r(NULL, ",", &save)) {
		if (network_parse(w, &l->proxies[l->proxy_count], &err) == 0)
			l->proxy_count++;
		else
			log_error("listener %s: %s", l->name, err.text);
	}
}

void listener_report_all(struct gateway *g)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);
		/* Odd weights: a sum that stays is counts that stay. */
		uint64_t sum = 1 + l->opening + 1000003 * l->refused +
			       1000000007 * l->turned_away +
			       1000000000039 * l->evicted;
		struct message m = {
			.type = WIRE_TYPE_gateway_door,
			.gateway_door = {
				.listener = l->id, .opening = l->opening,
				.refused = l->refused,
				.turned_away = l->turned_away,
				.evicted = l->evicted,
			},
		};

		if (sum == l->told || !l->open || !link_up(g) || g->engine_full)
			continue;
		l->told = sum;
		engine_link_send(g, &m, false);
	}
}

void listener_on_message(struct gateway *g, struct message *m)
{
	const struct wire_gateway_listener *w = &m->gateway_listener;
	struct listener *l = by_name(g, w->name,
				     door_of(w->door) ? 0 : w->door);
	int fd = wire_take_fd(m, 0);

	if (g->draining) {	/* an engine that does not know it yet */
		if (fd >= 0)
			close(fd);
		return;
	}
	if (!sensible(w) || (fd < 0 && (!l || l->watch.fd < 0))) {
		log_error("listener %.*s: not a listener this gateway can serve",
			  (int)w->name.length, w->name.ptr);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (!l)
		l = listener_new(g, w->name);
	l->id = w->listener;
	l->door = door_of(w->door);
	l->inner = l->door ? 0 : w->door;
	l->opening_ms = w->opening_ms ? w->opening_ms : g->limits.opening_ms;
	l->per_source = w->per_source ? w->per_source : g->limits.per_source;
	l->user_source = w->user_source;
	text_copy_slice(l->user, sizeof(l->user), w->user);
	text_copy_slice(l->application, sizeof(l->application), w->application);
	l->tls = w->tls;
	l->told = 0;
	l->cluster = l->inner == WIRE_DOOR_CLUSTER ?
		cluster_named(g, w->application) : NULL;
	take_proxies(l, w->proxies);
	l->open = true;
	/* Who asked the last engine in vain is older than who comes now. */
	LIST_EACH(&g->conns, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, link);

		if (c->listener == l && c->state == CALLER_REQUESTED &&
		    !c->requested)
			caller_request(g, c);
	}
	ssh_link_ask_again(g, l);
	if (fd >= 0)
		take_socket(g, l, fd);
	listener_rearm(g, l);
}

void listener_on_unlisten(struct gateway *g, uint64_t id)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (l->open && l->id == id)
			dismiss(g, l);
	}
}

void listener_pause_all(struct gateway *g)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		l->open = false;
		listener_rearm(g, l);
	}
}

void listener_on_cluster(struct gateway *g, struct cluster *c, bool comes)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (l->inner != WIRE_DOOR_CLUSTER)
			continue;
		if (comes && !l->cluster)
			l->cluster = cluster_named(g, slice_of(l->application));
		else if (!comes && l->cluster == c)
			l->cluster = NULL;
		listener_rearm(g, l);
	}
}

bool listener_address(const struct listener *l, int fd,
		      struct sockaddr_storage *out)
{
	socklen_t length = sizeof(*out);

	*out = l->bound;
	return l->tcp && (!l->wildcard ||
			  getsockname(fd, (struct sockaddr *)out, &length) == 0);
}

void listener_close_stale(struct gateway *g)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (l->open)
			continue;
		log_warn("listener %s: the new engine does not have it", l->name);
		dismiss(g, l);
	}
	LIST_EACH(&g->conns, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, link);

		if (c->listener->gone && c->state == CALLER_REQUESTED &&
		    !c->requested)
			caller_refuse(g, c, "closed", SLICE("this listener was closed"));
	}
}

/* No new client; those who are here, or were accepted by the kernel, go on. */
void listener_stop_all(struct gateway *g)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (l->watch.fd < 0)
			continue;
		take_over(g, l, l->watch.fd);
		watch_close(&g->poll, &l->watch);
	}
}

void listener_close_all(struct gateway *g)
{
	LIST_EACH(&g->listeners, it) {
		struct listener *l = LIST_ENTRY(it, struct listener, link);

		if (!g->stopping && l->watch.fd >= 0)
			take_over(g, l, l->watch.fd);
		dismiss(g, l);
	}
}
