/*
 * Gateway roles.  A gateway outlives its engine: at start each rendezvous
 * socket is tried first, and whoever answers is adopted with a proof of the
 * site key and our term; else a fresh one is started (decisions.md 5).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum {
	RESTART_MS = 200,
	SILENT_MS = 10000,	/* until a gateway has said what it holds */
	PING_MS = 3000,
	PINGS_MAX = 5,		/* unanswered in a row: it hangs */
};

static void gateway_start(struct gateway_role *g);

void gateways_send(struct shell *sh, uint32_t index, const struct message *m)
{
	if (index < sh->gateway_count && sh->gateways[index].linked)
		link_send(&sh->gateways[index].link, m);
}

void gateways_hear(struct shell *sh, uint32_t index)
{
	if (index < sh->gateway_count && sh->gateways[index].linked)
		link_hear(&sh->gateways[index].link);
}

static void on_hello(struct gateway_role *g, const struct message *m)
{
	struct event ev = { .kind = EVENT_GATEWAY_UP };

	g->pid = (pid_t)m->gateway_hello.pid;
	g->known = true;
	g->adopted = !m->gateway_hello.fresh;
	g->since_wall_ms = shell_wall_ms();
	ev.gateway.index = g->index;
	ev.gateway.fresh = m->gateway_hello.fresh;
	log_info("gateway %u %s, pid %d", g->index,
		 g->adopted ? "adopted" : "up", (int)g->pid);
	shell_step(g->shell, &ev);
}

/*
 * The process at the other end: our child, or who the kernel says listens at
 * the rendezvous socket (a gateway calls listen itself for just that).  0 when
 * that is no gateway: a process of ours is never ended by a stale number.
 */
static pid_t gateway_pid(const struct gateway_role *g)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char path[40], words[64] = "";

	if (g->child.running)
		return g->child.process.pid;
	if (getsockopt(g->link.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)peer.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, words, sizeof(words) - 1);
	if (fd >= 0)
		close(fd);
	const char *role = n > 0 ? memchr(words, '\0', (size_t)n) : NULL;
	static const char wanted[] = "role\0gateway";
	return role && (size_t)(words + n - role) > sizeof(wanted) &&
	       memcmp(role + 1, wanted, sizeof(wanted)) == 0 ? peer.pid : 0;
}

/* Its end of file says when it is gone; until then its sessions may live. */
static void gateway_kill(struct gateway_role *g, const char *why)
{
	pid_t pid = gateway_pid(g);

	log_error("gateway %u, pid %d: %s; ending it", g->index, (int)pid, why);
	TEXT_SET(g->why, why);
	if (pid > 0)
		kill(pid, SIGKILL);
}

/* A gateway never waits for anything but epoll: one that does not answer for
 * long has stopped or spins.  Counted, not timed: an engine that was stopped
 * itself finds the answers before it has asked often enough. */
static void on_ping(uv_timer_t *timer)
{
	struct gateway_role *g = timer->data;
	struct message m = { .type = WIRE_TYPE_gateway_ping,
			     .gateway_ping = { .number = ++g->pings } };
	char why[80];

	if (!g->linked || !g->known) {
		g->unanswered = 0;
		return;
	}
	if (g->unanswered >= PINGS_MAX) {
		snprintf(why, sizeof(why), "its gateway hung: no answer for %d s",
			 PING_MS * PINGS_MAX / 1000);
		gateway_kill(g, why);
		return;
	}
	g->unanswered++;
	link_send(&g->link, &m);
	link_push(&g->link);
}

/* What of its records is in this turn's commit (S10). */
static void note_record(struct gateway_role *g, const struct message *m)
{
	if (m->request)
		g->record = m->request;
}

void gateways_stored(struct shell *sh)
{
	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		struct gateway_role *g = &sh->gateways[i];
		struct message m = { .type = WIRE_TYPE_gateway_stored,
				     .gateway_stored = { g->record } };

		if (!g->linked || g->record == g->stored)
			continue;
		g->stored = g->record;
		link_send(&g->link, &m);
	}
}

static bool to_session_event(struct gateway_role *g, const struct message *m,
			     struct event *ev)
{
	ev->session.gateway = g->index;
	ev->session.incarnation = m->incarnation;
	switch (m->type) {
	case WIRE_TYPE_session_accepted:
		ev->kind = EVENT_ACCEPTED;
		ev->session.session = m->session_accepted.session;
		ev->session.machine = m->session_accepted.machine;
		ev->session.took_ms = m->session_accepted.took_ms;
		return true;
	case WIRE_TYPE_session_failed:
		note_record(g, m);
		ev->kind = EVENT_FAILED;
		ev->session.session = m->session_failed.session;
		ev->session.machine = m->session_failed.machine;
		ev->session.touched = m->session_failed.touched;
		ev->session.text = m->session_failed.text;
		return true;
	case WIRE_TYPE_session_ended:
		note_record(g, m);
		ev->kind = EVENT_ENDED;
		ev->session.session = m->session_ended.session;
		ev->session.machine = m->session_ended.machine;
		ev->session.how = (enum session_end)m->session_ended.how;
		ev->session.bytes_in = m->session_ended.bytes_in;
		ev->session.bytes_out = m->session_ended.bytes_out;
		ev->session.confirm = m->session_ended.confirm;
		ev->session.drained = m->session_ended.drained;
		ev->session.text = m->session_ended.text;
		return true;
	case WIRE_TYPE_session_bytes:
		ev->kind = EVENT_BYTES;
		ev->session.session = m->session_bytes.session;
		ev->session.bytes_in = m->session_bytes.bytes_in;
		ev->session.bytes_out = m->session_bytes.bytes_out;
		return true;
	case WIRE_TYPE_session_extend:
		ev->kind = EVENT_EXTEND;
		ev->session.session = m->session_extend.session;
		ev->session.machine = m->session_extend.machine;
		ev->session.took_ms = m->session_extend.ms;
		return true;
	}
	return false;
}

static bool to_resource_event(const struct message *m, struct event *ev)
{
	ev->resource.incarnation = m->incarnation;
	switch (m->type) {
	case WIRE_TYPE_resource_used:
		ev->kind = EVENT_RESOURCE_USED;
		ev->resource.session = m->resource_used.session;
		ev->resource.machine = m->resource_used.machine;
		ev->resource.resource = m->resource_used.resource;
		ev->resource.user = m->resource_used.user;
		ev->resource.allowed = m->resource_used.allowed;
		ev->resource.text = m->resource_used.text;
		ev->resource.exchange = m->resource_used.exchange;
		ev->resource.peer = m->resource_used.peer;
		return true;
	case WIRE_TYPE_resource_opened:
		ev->kind = EVENT_RESOURCE_OPENED;
		ev->resource.session = m->resource_opened.session;
		ev->resource.machine = m->resource_opened.machine;
		ev->resource.resource = m->resource_opened.resource;
		ev->resource.exchange = m->resource_opened.exchange;
		ev->resource.own = m->resource_opened.own;
		ev->resource.peer = m->resource_opened.peer;
		return true;
	case WIRE_TYPE_resource_closed:
		ev->kind = EVENT_RESOURCE_CLOSED;
		ev->resource.session = m->resource_closed.session;
		ev->resource.machine = m->resource_closed.machine;
		return true;
	case WIRE_TYPE_resource_held:
		ev->kind = EVENT_RESOURCE_HELD;
		ev->resource.session = m->resource_held.session;
		ev->resource.machine = m->resource_held.machine;
		ev->resource.resource = m->resource_held.resource;
		return true;
	}
	return false;
}

static void on_message(struct link *l, struct message *m)
{
	struct gateway_role *g = l->owner;
	struct shell *sh = g->shell;
	struct event ev = { 0 };

	if (m->type == WIRE_TYPE_gateway_hello) {
		on_hello(g, m);
		return;
	}
	switch (m->type) {
	case WIRE_TYPE_gateway_session:
		ev.kind = EVENT_GATEWAY_SESSION;
		ev.held.gateway = g->index;
		ev.held.session = m->gateway_session.session;
		ev.held.conn = m->gateway_session.conn;
		ev.held.machine = m->gateway_session.machine;
		ev.held.incarnation = m->incarnation;
		ev.held.flowing = m->gateway_session.flowing;
		ev.held.bytes_in = m->gateway_session.bytes_in;
		ev.held.bytes_out = m->gateway_session.bytes_out;
		ev.held.quiet_ms = m->gateway_session.quiet_ms;
		break;
	case WIRE_TYPE_gateway_build:
		g->build = m->gateway_build.build;
		g->draining = m->gateway_build.draining;
		return;
	case WIRE_TYPE_gateway_ready:
		g->ready = true;
		ev.kind = EVENT_GATEWAY_READY;
		ev.gateway.index = g->index;
		log_info("gateway %u holds %u sessions, %u ended meanwhile",
			 g->index, m->gateway_ready.sessions,
			 m->gateway_ready.ended);
		uv_timer_stop(&g->restart);
		if (g->draining)
			listeners_withdraw(sh, g->index);
		else
			listeners_tell(sh, g->index);
		break;
	case WIRE_TYPE_gateway_pong:
		g->unanswered = 0;
		return;
	case WIRE_TYPE_session_request:
		auth_request(sh, g->index, m);
		return;
	case WIRE_TYPE_ssh_login:
		auth_ssh_login(sh, g->index, m);
		return;
	case WIRE_TYPE_gateway_door:
		listeners_on_counts(sh, g->index, m);
		return;
	case WIRE_TYPE_session_claim:
		auth_claim(sh, g->index, m);
		return;
	case WIRE_TYPE_session_cancel:
		ev.kind = EVENT_CANCEL;
		ev.request.gateway = g->index;
		ev.request.conn = m->session_cancel.conn;
		break;
	case WIRE_TYPE_resource_target_lost:
		ev.kind = EVENT_RESOURCE_LOST;
		ev.resource.machine = m->resource_target_lost.machine;
		ev.resource.resource = m->resource_target_lost.resource;
		ev.resource.text = m->resource_target_lost.text;
		break;
	default:
		if (to_session_event(g, m, &ev) || to_resource_event(m, &ev) ||
		    clusters_to_event(g->index, m, &ev))
			break;
		log_warn("gateway %u: unexpected message %s", g->index,
			 wire_type_name(m->type));
		return;
	}
	shell_step(sh, &ev);
}

static void on_restart(uv_timer_t *timer)
{
	struct gateway_role *g = timer->data;

	if (g->retired)
		return;
	if (g->linked) {	/* said nothing since it was adopted or started */
		gateway_kill(g, "it does not report");
		link_close(&g->link);
		g->linked = false;
		/* The link's handle is free again only after this round. */
		uv_timer_start(&g->restart, on_restart, RESTART_MS, 0);
		return;
	}
	gateway_start(g);
}

/* One more than is wanted does not come back, and its index is free again. */
static void retire(struct gateway_role *g)
{
	struct shell *sh = g->shell;

	g->retired = true;
	while (sh->gateway_count > sh->gateway_wanted &&
	       sh->gateways[sh->gateway_count - 1].retired)
		sh->gateway_count--;
}

/* A drained gateway is gone as it was told: nobody was on it. */
static bool was_drained(struct gateway_role *g)
{
	struct shell *sh = g->shell;

	if (!g->draining || sh->world.gateways[g->index].sessions)
		return false;
	log_info("gateway %u, pid %d, has ended: drained", g->index, (int)g->pid);
	g->draining = g->known = g->ready = false;
	g->build = 0;
	g->pid = 0;
	if (g->index >= sh->gateway_wanted) {
		retire(g);
		return true;
	}
	listeners_open_for(sh, g->index);
	uv_timer_start(&g->restart, on_restart, 1, 0);
	return true;
}

static void on_close(struct link *l, const char *why)
{
	struct gateway_role *g = l->owner;
	struct event ev = { .kind = EVENT_GATEWAY_LOST };

	g->linked = false;
	if (g->shell->stopping || was_drained(g))
		return;
	log_error("gateway %u: %s", g->index, why);
	if (g->draining && g->index < g->shell->gateway_wanted)
		listeners_open_for(g->shell, g->index);
	g->draining = g->ready = false;
	g->build = 0;
	if (g->child.running)
		uv_process_kill(&g->child.process, SIGKILL);
	if (g->known) {
		ev.gateway.index = g->index;
		ev.gateway.text = slice_of(g->why);
		shell_step(g->shell, &ev);
	}
	g->known = false;
	g->pid = 0;
	uv_timer_start(&g->restart, on_restart, RESTART_MS, 0);
}

static void on_exit_role(struct child *c, int64_t status, int signal)
{
	struct gateway_role *g = c->owner;

	if (!g->shell->stopping)
		log_warn("gateway %u ended, status %lld signal %d", g->index,
			 (long long)status, signal);
}

static void rendezvous_address(const struct gateway_role *g,
			       struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "%s/gateway-%u.sock",
		 g->shell->o.run_dir, g->index);
}

static void link_up(struct gateway_role *g, int fd)
{
	link_open(g->shell, &g->link, fd);
	g->linked = true;
	g->record = g->stored = 0;
	g->unanswered = 0;
	g->why[0] = '\0';
	/* Until gateway_ready: a gateway that hangs is not waited for. */
	uv_timer_start(&g->restart, on_restart, SILENT_MS, 0);
}

/* Returns true when an older gateway answered its rendezvous socket. */
static bool adopt(struct gateway_role *g)
{
	struct shell *sh = g->shell;
	uint8_t mac[EVP_MAX_MD_SIZE];
	char text[64], proof[2 * EVP_MAX_MD_SIZE + 1];
	unsigned mac_size = 0;
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	rendezvous_address(g, &a);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	int n = snprintf(text, sizeof(text), "gateway-adopt %u %llu", g->index,
			 (unsigned long long)sh->world.term);
	HMAC(EVP_sha256(), sh->key, SHELL_KEY_SIZE, (uint8_t *)text, (size_t)n,
	     mac, &mac_size);
	for (unsigned i = 0; i < mac_size; i++)
		snprintf(proof + 2 * i, 3, "%02x", mac[i]);
	link_up(g, fd);
	struct message m = { .type = WIRE_TYPE_gateway_adopt,
			     .gateway_adopt = { .index = g->index,
						.term = sh->world.term,
						.proof = slice_of(proof) } };
	link_send(&g->link, &m);
	link_push(&g->link);	/* it comes alone */
	return true;
}

static int spawn(struct gateway_role *g, struct error *err)
{
	struct shell *sh = g->shell;
	char index[16], term[24];
	const char *args[] = { "gateway", "--engine-fd", "3",
			       "--rendezvous-fd", "4", "--key-fd", "5",
			       "--index", index, "--term", term, NULL };
	struct sockaddr_un a;
	int pair[2], meet, key, rc = -1;

	snprintf(index, sizeof(index), "%u", g->index);
	snprintf(term, sizeof(term), "%llu", (unsigned long long)sh->world.term);
	rendezvous_address(g, &a);
	unlink(a.sun_path);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "socketpair");
	meet = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	key = wire_memfd(sh->key, SHELL_KEY_SIZE, err);
	if (key >= 0 && meet >= 0)
		lseek(key, 0, SEEK_SET);
	mode_t mask = umask(0077);
	if (meet < 0 || bind(meet, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(meet, 8) < 0)
		error_errno(err, "socket %s", a.sun_path);
	else if (key >= 0)
		rc = child_start(sh, &g->child, args,
				 (int[]){ pair[1], meet, key }, 3, true, err);
	umask(mask);
	if (meet >= 0)
		close(meet);
	if (key >= 0)
		close(key);
	close(pair[1]);
	if (rc < 0)
		close(pair[0]);
	else
		link_up(g, pair[0]);
	return rc;
}

static void gateway_start(struct gateway_role *g)
{
	struct error err = { "" };

	if (g->child.running) {
		uv_timer_start(&g->restart, on_restart, 50, 0);
		return;
	}
	if (adopt(g))
		return;
	if (spawn(g, &err) < 0) {
		log_error("gateway %u: %s", g->index, err.text);
		uv_timer_start(&g->restart, on_restart, 1000, 0);
	}
}

static void gateway_open(struct shell *sh, uint32_t i)
{
	struct gateway_role *g = &sh->gateways[i];

	g->retired = g->draining = g->ready = false;
	if (!g->shell) {
		uv_timer_init(&sh->loop, &g->restart);
		uv_timer_init(&sh->loop, &g->ping);
	}
	g->shell = sh;
	g->index = i;
	g->link.fd = -1;
	g->link.owner = g->child.owner = g->restart.data = g->ping.data = g;
	g->link.on_message = on_message;
	g->link.on_close = on_close;
	g->link.gathers = true;
	g->child.on_exit = on_exit_role;
	uv_timer_start(&g->ping, on_ping, PING_MS, PING_MS);
	gateway_start(g);
}

void gateways_start(struct shell *sh)
{
	for (uint32_t i = 0; i < sh->gateway_count; i++)
		gateway_open(sh, i);
}

void gateways_add(struct shell *sh)
{
	uint32_t index = sh->gateway_count++;

	listeners_open_for(sh, index);
	gateway_open(sh, index);
}

void gateways_flush(struct shell *sh)
{
	for (uint32_t i = 0; i < sh->gateway_count; i++)
		if (sh->gateways[i].linked)
			link_push(&sh->gateways[i].link);
}

void gateways_stop(struct shell *sh)
{
	struct message m = { .type = WIRE_TYPE_gateway_stop };

	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		struct gateway_role *g = &sh->gateways[i];

		/* With sessions or serving nodes they go on alone until the
		 * next engine. */
		if (g->linked && !sh->world.gateways[i].sessions &&
		    (sh->closing || !clusters_serve_alone(sh)))
			link_send(&g->link, &m);
		link_push(&g->link);
		link_close(&g->link);
	}
}
