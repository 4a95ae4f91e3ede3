/*
 * Listening sockets.  The engine makes them (it may have the rights) and every
 * gateway gets one of its own: SO_REUSEPORT for TCP, the same socket for unix.
 * The engine keeps its descriptor, so a restarted gateway finds the backlog.
 * Connections go to them in turn (engine/base/spread.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/base/spread.h"
#include "engine/loop/shell.h"

enum { BACKLOG = 4096 };

static int listen_unix(struct shell *sh, const char *path, struct error *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = path[0] == '/' ?
		snprintf(a.sun_path, sizeof(a.sun_path), "%s", path) :
		snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", sh->o.run_dir,
			 path);

	if (n >= (int)sizeof(a.sun_path)) {
		error_set(err, "the socket path is longer than %zu bytes",
			  sizeof(a.sun_path) - 1);
		goto fail;
	}
	unlink(a.sun_path);
	/* Anybody may connect: who it is says the kernel (peer credentials). */
	mode_t mask = umask(0);
	int rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (fd < 0 || rc < 0 || listen(fd, BACKLOG) < 0) {
		error_errno(err, "%s", a.sun_path);
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A virtual address may come to this computer later (the net role). */
static void bind_freely(const struct site_listener *l, int fd, bool is_six)
{
	static const int on = 1;

	if (l->door == DOOR_CLUSTER && strncmp(l->ip, "127.", 4) != 0)
		setsockopt(fd, is_six ? IPPROTO_IPV6 : IPPROTO_IP,
			   is_six ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on));
}

static int listen_tcp(const struct site_listener *l, struct error *err)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)l->port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)l->port) };
	bool is_six = strchr(l->ip, ':') != NULL;
	int on = 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	bind_freely(l, fd, is_six);
	if (inet_pton(is_six ? AF_INET6 : AF_INET, l->ip,
		      is_six ? (void *)&six.sin6_addr :
			       (void *)&four.sin_addr) != 1) {
		error_set(err, "\"%s\" is no numeric address", l->ip);
	} else if (bind(fd, is_six ? (struct sockaddr *)&six :
				     (struct sockaddr *)&four,
			is_six ? sizeof(six) : sizeof(four)) < 0 ||
		   listen(fd, BACKLOG) < 0) {
		error_errno(err, "%s:%u", l->ip, l->port);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

static bool same_address(const struct site_listener *a,
			 const struct site_listener *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->ip, b->ip) == 0 &&
	       a->port == b->port;
}

/* Machines come in and services ask where resources meet: at gateway 0. */
static uint32_t gateways_of(const struct shell *sh, const struct listener *l)
{
	return l->spec.door == DOOR_RESOURCE || l->spec.door == DOOR_IDENT ?
	       1 : sh->gateway_count;
}

/* A socket of the listener for one more gateway: a path has one for all. */
static int socket_for(struct shell *sh, const struct listener *l,
		      struct error *err)
{
	if (!l->spec.path[0])
		return listen_tcp(&l->spec, err);
	for (uint32_t i = 0; i < WORLD_GATEWAYS_MAX; i++)
		if (l->fds[i] >= 0)
			return dup(l->fds[i]);
	return listen_unix(sh, l->spec.path, err);
}

static void open_for(struct shell *sh, struct listener *l, uint32_t gateway)
{
	struct error err = { "" };

	if (gateway >= gateways_of(sh, l) || l->fds[gateway] >= 0 ||
	    sh->gateways[gateway].draining)
		return;
	l->fds[gateway] = socket_for(sh, l, &err);
	if (l->fds[gateway] >= 0)
		return;
	TEXT_SET(l->state, err.text);
	log_error("listener %s: %s", l->name, err.text);
	if (sh->o.ready_fd >= 0)	/* at start a busy port is fatal */
		shell_die(sh, "listener %s: %s", l->name, err.text);
}

/* To be said whenever there are more or fewer sockets. */
static void spread(const struct listener *l)
{
	struct error err;
	uint32_t sockets = 0;
	int fd = -1;

	for (uint32_t i = 0; i < WORLD_GATEWAYS_MAX; i++)
		if (l->fds[i] >= 0) {
			sockets++;
			fd = l->fds[i];
		}
	if (sockets > 1 && !l->spec.path[0] &&
	    spread_in_turn(fd, sockets, &err) < 0)
		log_info("listener %s: which gateway gets a connection is left to the kernel's hash: %s",
			 l->name, err.text);
}

static void listener_open(struct shell *sh, struct listener *l)
{
	TEXT_SET(l->state, "listening");
	for (uint32_t i = 0; i < WORLD_GATEWAYS_MAX; i++)
		l->fds[i] = -1;
	for (uint32_t i = 0; i < gateways_of(sh, l); i++)
		open_for(sh, l, i);
	spread(l);
}

void listeners_open_for(struct shell *sh, uint32_t gateway)
{
	for (struct listener *l = sh->listeners; l; l = l->next) {
		open_for(sh, l, gateway);
		spread(l);
	}
}

void listeners_withdraw(struct shell *sh, uint32_t gateway)
{
	for (struct listener *l = sh->listeners; l; l = l->next) {
		if (l->fds[gateway] >= 0)
			close(l->fds[gateway]);
		l->fds[gateway] = -1;
		spread(l);
		l->counts[gateway] = (struct listener_counts){ 0 };
	}
}

bool listeners_any_inner(const struct shell *sh)
{
	for (const struct listener *l = sh->listeners; l; l = l->next)
		if (l->spec.door >= DOOR_RESOURCE)
			return true;
	return sh->world.spec.resource_count > 0;
}

static void listener_close(struct shell *sh, struct listener *l)
{
	struct message m = { .type = WIRE_TYPE_gateway_unlisten };

	m.gateway_unlisten.listener = l->id;
	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		gateways_send(sh, i, &m);
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	}
}

static void tell(struct shell *sh, const struct listener *l, uint32_t gateway)
{
	struct message m = { .type = WIRE_TYPE_gateway_listener };
	char proxies[1024] = "";
	size_t n = 0;

	for (size_t i = 0; i < l->spec.proxy_count; i++)
		n += (size_t)snprintf(proxies + n, sizeof(proxies) - n, "%s%s",
				      i ? "," : "", l->spec.proxies[i].text);
	if (l->fds[gateway] < 0)
		return;
	m.fds[0] = l->fds[gateway];
	m.fd_count = 1;
	m.gateway_listener = (struct wire_gateway_listener){
		.listener = l->id,
		.name = slice_of(l->name),
		.door = (uint8_t)l->spec.door,
		.user_source = (uint8_t)l->spec.user_source,
		.user = slice_of(l->spec.user),
		.application = slice_of(
			l->spec.door == DOOR_RESOURCE ||
			l->spec.door == DOOR_CLUSTER ? l->name :
			l->spec.applications.count == 1 ?
			l->spec.applications.names[0] : ""),
		.opening_ms = l->spec.opening_ms,
		.per_source = l->spec.opening_per_source,
		.tls = l->spec.tls.file[0][0] != '\0',
		.proxies = slice_of(proxies),
	};
	gateways_send(sh, gateway, &m);
	keys_tell(sh, l, gateway);
}

void listeners_on_counts(struct shell *sh, uint32_t gateway,
			 const struct message *m)
{
	const struct wire_gateway_door *d = &m->gateway_door;

	for (struct listener *l = sh->listeners; l; l = l->next)
		if (l->id == d->listener)
			l->counts[gateway] = (struct listener_counts){
				.opening = d->opening, .refused = d->refused,
				.turned_away = d->turned_away,
				.evicted = d->evicted,
			};
}

void listeners_tell(struct shell *sh, uint32_t gateway)
{
	for (const struct listener *l = sh->listeners; l; l = l->next)
		tell(sh, l, gateway);
}

const struct listener *listeners_by_id(const struct shell *sh, uint64_t id)
{
	for (const struct listener *l = sh->listeners; l; l = l->next)
		if (l->id == id)
			return l;
	return NULL;
}

const struct listener *listeners_inner(const struct shell *sh,
				       enum site_door door, const char *name)
{
	for (const struct listener *l = sh->listeners; l; l = l->next)
		if (l->spec.door == door && strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

static void sync_one(struct shell *sh, struct listener **old,
		     const struct site_listener *want)
{
	struct listener **found = old, **at = &sh->listeners;

	while (*found && (strcmp((*found)->name, want->name) != 0 ||
			  (*found)->spec.door != want->door ||
			  !same_address(&(*found)->spec, want)))
		found = &(*found)->next;
	struct listener *l = *found;
	if (l) {
		*found = l->next;
		l->spec = *want;
	} else {
		l = calloc(1, sizeof(*l));
		CHECK("", l, "out of memory");
		l->id = ++sh->next_listener;
		TEXT_SET(l->name, want->name);
		l->spec = *want;
		listener_open(sh, l);
	}
	keys_load(sh, l);
	while (*at)
		at = &(*at)->next;
	l->next = NULL;
	*at = l;
	for (uint32_t g = 0; g < gateways_of(sh, l); g++)
		if (sh->gateways[g].known)
			tell(sh, l, g);
}

/* The doors of a resource: where machines come in, where the service asks. */
static void sync_resource(struct shell *sh, struct listener **old,
			  const struct site_resource *r)
{
	struct site_listener want = { .door = DOOR_RESOURCE,
				      .user_source = USER_FIXED,
				      .port = r->listen_port };

	TEXT_SET(want.name, r->name);
	TEXT_SET(want.ip, r->listen_ip);
	if (want.port)
		sync_one(sh, old, &want);
	want = (struct site_listener){ .door = DOOR_IDENT,
				       .user_source = USER_FIXED,
				       .port = r->ident_port };
	TEXT_SET(want.ip, r->ident_ip);
	snprintf(want.name, sizeof(want.name), "%.50s:%u", r->ident_ip,
		 r->ident_port);
	if (want.port && !listeners_inner(sh, DOOR_IDENT, want.name))
		sync_one(sh, old, &want);
}

static void sync_cluster(struct shell *sh, struct listener **old,
			 const struct site_cluster *c)
{
	struct site_listener want = { .door = DOOR_CLUSTER,
				      .user_source = USER_FIXED,
				      .port = c->port };

	TEXT_SET(want.name, c->name);
	TEXT_SET(want.ip, c->ip);
	sync_one(sh, old, &want);
}

void listeners_sync(struct shell *sh)
{
	const struct site_spec *spec = &sh->world.spec;
	struct listener *old = sh->listeners;

	sh->listeners = NULL;
	for (size_t i = 0; i < spec->listener_count; i++)
		sync_one(sh, &old, &spec->listeners[i]);
	for (size_t i = 0; i < spec->resource_count; i++)
		sync_resource(sh, &old, &spec->resources[i]);
	for (size_t i = 0; i < spec->cluster_count; i++)
		sync_cluster(sh, &old, &spec->clusters[i]);
	while (old) {
		struct listener *next = old->next;

		listener_close(sh, old);
		keys_forget(old);
		free(old);
		old = next;
	}
}
