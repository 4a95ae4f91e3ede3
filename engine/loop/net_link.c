/*
 * The net role: its process, and the virtual addresses it is to hold.  Started
 * by the first cluster whose address is outside 127.0.0.0/8; ends with the last.
 * Addresses inside are on every computer already: the core is told so.
 *
 * What may be on an interface stands in a file of the run directory before the
 * role is asked for it, until it is known to be gone: an address outlives the
 * engine, because gateways go on serving it, and also one whose cluster the
 * next engine no longer has must be taken away by somebody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum { RESTART_MS = 500, WAIT_MS = 50 };

/* An address that is held, is to be, or is to be let go. */
struct net_vip {
	struct net_vip *next;
	char name[SITE_NAME_SIZE];	/* of its cluster; of what is left over
					 * from one: the address, no cluster's name */
	char ip[SITE_ADDRESS_SIZE];
	char interface[SITE_INTERFACE_SIZE];
	uint32_t prefix;
	bool wanted;
	bool local;		/* needs no role */
	bool told;		/* the core was */
	bool held;
	bool stuck;		/* cannot be let go: text */
	uint64_t removal;	/* request of the last vip_remove, 0 = none */
	char text[ROW_TEXT_SIZE];
};

static void role_start(struct shell *sh);

static struct net_vip *find(const struct shell *sh, struct slice name)
{
	for (struct net_vip *v = sh->net.vips; v; v = v->next)
		if (slice_is(name, v->name))
			return v;
	return NULL;
}

/* ---- the file --------------------------------------------------------------- */

static void file_path(const struct shell *sh, const char *end, char *out,
		      size_t size)
{
	snprintf(out, size, "%s/addresses%s", sh->o.run_dir, end);
}

/* A loss of it costs no more than what it is for: it is said, and no error. */
static void save(const struct shell *sh)
{
	char path[1200], fresh[1200];
	bool some = false;

	file_path(sh, "", path, sizeof(path));
	file_path(sh, ".new", fresh, sizeof(fresh));
	FILE *f = fopen(fresh, "we");
	for (const struct net_vip *v = sh->net.vips; f && v; v = v->next) {
		if (v->local)
			continue;
		some = true;
		fprintf(f, "%s %s %u %s\n", v->name, v->ip, v->prefix,
			v->interface);
	}
	if (!f || fclose(f) != 0 ||
	    (some ? rename(fresh, path) : unlink(fresh)) != 0 ||
	    (!some && unlink(path) < 0 && errno != ENOENT))
		log_warn("%s: %s", path, strerror(errno));
}

static struct net_vip *vip_new(struct shell *sh, const char *name)
{
	struct net_vip *v = calloc(1, sizeof(*v));

	CHECK("", v, "out of memory");
	TEXT_SET(v->name, name);
	v->next = sh->net.vips;
	sh->net.vips = v;
	return v;
}

static void unlink_vip(struct shell *sh, struct net_vip *v)
{
	struct net_vip **at = &sh->net.vips;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	free(v);
}

/* What an engine before this one has left; once. */
static void load(struct shell *sh)
{
	char path[1200], line[256];
	struct net_vip v = { .held = true, .told = true };

	if (sh->net.loaded)
		return;
	sh->net.loaded = true;
	file_path(sh, "", path, sizeof(path));
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %47s %u %15s", v.name, v.ip, &v.prefix,
			   v.interface) != 4 ||
		    !network_address_parse(slice_of(v.ip)).family ||
		    find(sh, slice_of(v.name)))
			continue;
		struct net_vip *own = vip_new(sh, v.name);
		v.next = own->next;
		*own = v;
	}
	if (f)
		fclose(f);
}

/* ---- to the core --------------------------------------------------------------- */

static void forget(struct shell *sh, struct net_vip *v);

static void tell_core(struct shell *sh, const char *name, bool held,
		      const char *text)
{
	struct event ev = {
		.kind = EVENT_VIP,
		.vip = { slice_of(name), held, slice_of(text) },
	};

	shell_step(sh, &ev);
}

/* What came up within a turn, which is no time to tell. */
static void on_soon(uv_timer_t *timer)
{
	struct shell *sh = timer->data;

	for (struct net_vip *v = sh->net.vips, *next; v; v = next) {
		next = v->next;
		if (v->told)
			continue;
		v->told = true;
		tell_core(sh, v->name, v->held, v->text);
		if (v->local && !v->wanted)
			forget(sh, v);
	}
}

static void tell_soon(struct shell *sh, struct net_vip *v, bool held,
		      const char *text)
{
	v->held = held;
	v->told = false;
	TEXT_SET(v->text, text);
	uv_timer_start(&sh->net.soon, on_soon, 0, 0);
}

/* ---- to the role --------------------------------------------------------------- */

static void send_remove(struct shell *sh, struct net_vip *v)
{
	struct message m = { .type = WIRE_TYPE_vip_remove,
			     .request = ++sh->net.removals,
			     .vip_remove = { slice_of(v->name) } };

	v->removal = m.request;
	link_send(&sh->net.link, &m);
}

static void send_add(struct shell *sh, const struct net_vip *v)
{
	struct message m = {
		.type = WIRE_TYPE_vip_add,
		.vip_add = { slice_of(v->name), slice_of(v->ip), v->prefix,
			     slice_of(v->interface) },
	};

	link_send(&sh->net.link, &m);
}

/* To a role that knows nothing: it takes over what is there, then lets go. */
static void send_all(struct shell *sh)
{
	for (struct net_vip *v = sh->net.vips; v; v = v->next) {
		if (v->local)
			continue;
		send_add(sh, v);
		if (!v->wanted)
			send_remove(sh, v);
	}
}

static void let_go(struct shell *sh, struct net_vip *v)
{
	v->wanted = v->stuck = false;
	if (v->local)
		tell_soon(sh, v, false, "it is let go");
	else if (sh->net.ready)
		send_remove(sh, v);
	else
		role_start(sh);
}

/* The cluster has another address, or none: it goes under a name of its own. */
static void leave_over(struct shell *sh, struct net_vip *v)
{
	struct net_vip *before = find(sh, slice_of(v->ip));

	if (before)
		unlink_vip(sh, before);
	TEXT_SET(v->name, v->ip);
	v->wanted = false;
	v->told = true;
	if (sh->net.ready) {
		send_add(sh, v);
		send_remove(sh, v);
	} else {
		role_start(sh);
	}
}

static void forget(struct shell *sh, struct net_vip *v)
{
	bool some = false;

	unlink_vip(sh, v);
	save(sh);
	for (v = sh->net.vips; v; v = v->next)
		some |= !v->local;
	if (!some) {
		/* It ends with its socket. */
		sh->net.ready = false;
		link_close(&sh->net.link);
	}
	gc_on_net(sh);
}

static void on_removed(struct shell *sh, struct net_vip *v, bool gone)
{
	v->removal = 0;
	if (gone) {
		tell_core(sh, v->name, false, v->text);
		forget(sh, v);
		return;
	}
	log_error("%s cannot be taken off %s: %s", v->ip, v->interface, v->text);
	v->stuck = true;
	gc_on_net(sh);
}

static void on_state(struct shell *sh, const struct message *m)
{
	struct net_vip *v = find(sh, m->vip_state.name);

	/* The answer to a removal says nothing of what was asked for since. */
	if (!v || (m->request && m->request != v->removal))
		return;
	v->held = m->vip_state.held;
	text_copy_slice(v->text, sizeof(v->text), m->vip_state.text);
	if (m->request && !v->wanted)
		on_removed(sh, v, !v->held);
	else if (v->wanted && !m->request)
		tell_core(sh, v->name, v->held, v->text);
}

/* ---- the role ------------------------------------------------------------------- */

static void on_message(struct link *l, struct message *m)
{
	struct shell *sh = l->shell;

	if (m->type == WIRE_TYPE_role_ready) {
		sh->net.ready = true;
		send_all(sh);
	} else if (m->type == WIRE_TYPE_vip_state) {
		on_state(sh, m);
	} else {
		log_warn("net: unexpected message %s", wire_type_name(m->type));
	}
}

static void on_restart(uv_timer_t *timer)
{
	role_start(timer->data);
}

/* What was held still is: it does not depend on the role.  What was not will
 * not be before there is another. */
static void role_down(struct shell *sh, const char *why)
{
	char text[ROW_TEXT_SIZE];

	snprintf(text, sizeof(text), "the net role does not run, it is started again: %s",
		 why);
	log_warn("net role: %s", why);
	sh->net.ready = false;
	for (struct net_vip *v = sh->net.vips; v; v = v->next) {
		v->removal = 0;
		if (!v->local && v->wanted && !v->held)
			tell_soon(sh, v, false, text);
	}
	uv_timer_start(&sh->net.restart, on_restart, RESTART_MS, 0);
}

static void on_close(struct link *l, const char *why)
{
	struct shell *sh = l->shell;

	if (sh->net.child.running)
		uv_process_kill(&sh->net.child.process, SIGKILL);
	if (!sh->stopping)
		role_down(sh, why);
}

static void on_exit_role(struct child *c, int64_t status, int signal)
{
	const struct shell *sh = c->owner;

	if (!sh->stopping && (status || signal))
		log_warn("net role ended, status %lld signal %d",
			 (long long)status, signal);
}

static int spawn(struct shell *sh, struct error *err)
{
	static const char *const args[] = { "net", "--engine-fd", "3", NULL };
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "socketpair");
	rc = child_start(sh, &sh->net.child, args, &pair[1], 1, false, err);
	close(pair[1]);
	if (rc < 0)
		close(pair[0]);
	else
		link_open(sh, &sh->net.link, pair[0]);
	return rc;
}

/* Once is enough; where the last one is still on its way out, a little later. */
static void role_start(struct shell *sh)
{
	struct error err;
	bool some = false;

	for (const struct net_vip *v = sh->net.vips; v; v = v->next)
		some |= !v->local;
	if (!some || sh->net.link.fd >= 0)
		return;
	if (sh->net.child.running)
		uv_timer_start(&sh->net.restart, on_restart, WAIT_MS, 0);
	else if (spawn(sh, &err) < 0)
		role_down(sh, err.text);
}

void net_init(struct shell *sh)
{
	struct net_role *n = &sh->net;

	n->link.fd = -1;
	n->link.on_message = on_message;
	n->link.on_close = on_close;
	n->child.on_exit = on_exit_role;
	n->child.owner = sh;
	n->restart.data = n->soon.data = sh;
	uv_timer_init(&sh->loop, &n->restart);
	uv_timer_init(&sh->loop, &n->soon);
}

void net_stop(struct shell *sh)
{
	link_close(&sh->net.link);
}

/* ---- what is wanted ---------------------------------------------------------------- */

static bool is_local(const char *ip)
{
	static const struct address v6 = { .family = 6, .bytes = { [15] = 1 } };
	struct address a = network_address_parse(slice_of(ip));

	return (a.family == 4 && a.bytes[0] == 127) ||
	       network_address_same(&a, &v6);
}

static void hold(struct shell *sh, const struct site_cluster *c)
{
	struct net_vip *v = find(sh, slice_of(c->name));

	bool moves = v && strcmp(v->ip, c->ip) != 0;
	bool was_held = v && v->held;
	if (moves && !v->local) {
		leave_over(sh, v);
		v = NULL;
	}
	if (!v)
		v = vip_new(sh, c->name);
	v->held = was_held && !moves;
	v->told = true;
	TEXT_SET(v->ip, c->ip);
	TEXT_SET(v->interface, c->interface);
	v->prefix = c->prefix;
	v->local = is_local(c->ip);
	v->wanted = true;
	v->stuck = false;
	v->removal = 0;
	if (v->local) {
		tell_soon(sh, v, true, "");
		return;
	}
	if (moves && was_held)
		tell_soon(sh, v, false, "it moves to another address");
	save(sh);
	if (sh->net.ready)
		send_add(sh, v);
	else
		role_start(sh);
}

void net_act(struct shell *sh, const struct effect *e)
{
	const struct cluster *c = world_cluster(&sh->world, e->text);

	load(sh);
	struct net_vip *v = find(sh, e->text);
	if (e->ok && c)
		hold(sh, &c->spec);
	else if (!e->ok && v)
		let_go(sh, v);
}

static bool is_elsewhere(const struct net_vip *v, const struct site_cluster *c)
{
	return strcmp(v->ip, c->ip) != 0 || v->prefix != c->prefix ||
	       strcmp(v->interface, c->interface) != 0;
}

void net_sync(struct shell *sh)
{
	load(sh);
	for (struct net_vip *v = sh->net.vips, *next; v; v = next) {
		const struct cluster *c = world_cluster(&sh->world,
							slice_of(v->name));

		next = v->next;
		if (c && v->wanted && is_elsewhere(v, &c->spec))
			hold(sh, &c->spec);
		if (c || v->wanted || v->local || v->removal)
			continue;
		log_info("%s on %s is left over from %s: it is let go", v->ip,
			 v->interface, v->name);
		leave_over(sh, v);
	}
}

bool net_let_go(struct shell *sh, char *trouble, size_t size)
{
	bool done = true;

	for (struct net_vip *v = sh->net.vips; v; v = v->next) {
		if (v->wanted)
			let_go(sh, v);
		if (v->stuck)
			snprintf(trouble, size, "%s on %s: %.150s", v->ip,
				 v->interface, v->text);
		done = done && v->stuck;
	}
	return done;
}
