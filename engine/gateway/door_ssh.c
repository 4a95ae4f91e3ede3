/*
 * The ssh door; see ssh_link.h.  Owner: the gateway's loop, but for the
 * process of each client: that one parses what strangers send, and is believed
 * in nothing but that a signature was right.  It dies with its link.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"
#include "engine/wire/sshkey.h"

struct ssh_link {
	struct grave grave;
	struct list link;		/* gateway.ssh_links */
	struct watch watch;		/* the process's messages */
	uint64_t number;
	int pidfd;			/* -1 until the starter has told */
	struct listener *listener;
	struct caller *stranger;	/* until its key is known */
	struct list callers;		/* of its channels */
	struct sockaddr_storage peer;
	uint32_t peer_uid;
	int32_t peer_pid;
	bool asked;			/* the engine is to answer */
	bool proven;
	bool known;
	bool over;			/* the client took its leave */
	char user[USER_MAX];
	uint32_t key_length;
	uint8_t key[SECRET_MAX];
};

_Static_assert((int)SSHKEY_TEXT_MAX <= (int)SECRET_MAX, "a key is a secret of a request");

static void bury(struct gateway *g, struct grave *grave)
{
	struct ssh_link *s = POLL_OWNER(grave, struct ssh_link, grave);

	listener_unref(g, s->listener);
	free(s);
}

/* Its process ends whatever it does; what it carried is lost unless the client
 * took its leave. */
static void link_close(struct gateway *g, struct ssh_link *s)
{
	if (s->watch.fd < 0)
		return;
	watch_close(&g->poll, &s->watch);
	if (s->pidfd >= 0) {
		pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
		close(s->pidfd);
		s->pidfd = -1;
	}
	list_remove(&s->link);
	g->ssh_link_count--;
	LIST_EACH(&s->callers, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, of_ssh);

		list_remove(&c->of_ssh);
		c->ssh = NULL;
		if (s->over)
			continue;
		c->client.error = ECONNRESET;
		c->client.watch.ready(g, &c->client.watch, EPOLLIN | EPOLLHUP | EPOLLRDHUP);
	}
	if (s->stranger) {
		struct caller *c = s->stranger;

		s->stranger = NULL;
		c->ssh = NULL;
		caller_close(g, c, true);
	}
	grave_add(&g->poll, &s->grave, bury);
}

static void close_if_idle(struct gateway *g, struct ssh_link *s)
{
	if ((g->draining || s->listener->gone) && list_empty(&s->callers))
		link_close(g, s);
}

void ssh_link_leave(struct gateway *g, struct caller *c)
{
	struct ssh_link *s = c->ssh;

	c->ssh = NULL;
	if (s->stranger == c) {
		s->stranger = NULL;
		if (!s->known)
			link_close(g, s);
		return;
	}
	list_remove(&c->of_ssh);
	close_if_idle(g, s);
}

void ssh_link_close_idle(struct gateway *g)
{
	LIST_EACH(&g->ssh_links, it)
		close_if_idle(g, LIST_ENTRY(it, struct ssh_link, link));
}

void ssh_link_close_all(struct gateway *g)
{
	LIST_EACH(&g->ssh_links, it)
		link_close(g, LIST_ENTRY(it, struct ssh_link, link));
}

/* ---- login ------------------------------------------------------------------- */

static void ask_engine(struct gateway *g, const struct ssh_link *s)
{
	struct message m = {
		.type = WIRE_TYPE_ssh_login,
		.ssh_login = { .conn = s->stranger->id,
			       .listener = s->listener->id,
			       .user = slice_of(s->user),
			       .key = { (const char *)s->key, s->key_length } },
	};

	if (link_up(g) && s->listener->open)
		engine_link_send(g, &m, false);
}

void ssh_link_ask_again(struct gateway *g, struct listener *l)
{
	LIST_EACH(&g->ssh_links, it) {
		struct ssh_link *s = LIST_ENTRY(it, struct ssh_link, link);

		if (s->listener == l && s->stranger && s->asked)
			ask_engine(g, s);
	}
}

static int tell(struct ssh_link *s, const struct message *m)
{
	struct error err;

	/* It holds a few answers at most: one that does not read is broken. */
	return wire_send(s->watch.fd, m, &err) > 0 ? 0 : -1;
}

void ssh_link_on_known(struct gateway *g, const struct message *m)
{
	struct caller *c = map_get(&g->by_conn, m->ssh_known.conn);
	struct ssh_link *s = c ? c->ssh : NULL;
	struct message answer = {
		.type = WIRE_TYPE_ssh_answer,
		.ssh_answer = { .ok = m->ssh_known.ok, .text = m->ssh_known.text },
	};

	if (!s || s->stranger != c || !s->asked)
		return;
	s->asked = false;
	s->known = m->ssh_known.ok && s->proven;
	if (tell(s, &answer) < 0)
		link_close(g, s);
	else if (s->known)
		caller_close(g, c, false);	/* the process has the socket */
}

static bool take_offer(struct gateway *g, struct ssh_link *s,
		       const struct wire_ssh_offer *o)
{
	if (!s->stranger || s->known || s->asked || !o->user.length ||
	    o->user.length >= USER_MAX || o->key.length > SECRET_MAX)
		return false;
	text_copy_slice(s->user, sizeof(s->user), o->user);
	memcpy(s->key, o->key.ptr, o->key.length);
	s->key_length = o->key.length;
	s->proven = o->proven;
	s->asked = true;
	ask_engine(g, s);
	return true;
}

/* ---- channels ------------------------------------------------------------------ */

static void fill_asking(struct caller *c, const struct ssh_link *s,
			struct slice application)
{
	struct asking *a = door_asking(c);

	text_copy_slice(a->application, sizeof(a->application), application);
	TEXT_SET(a->user, s->user);
	memcpy(a->secret, s->key, s->key_length);
	a->secret_length = s->key_length;
}

static bool take_channel(struct gateway *g, struct ssh_link *s, struct message *m)
{
	struct slice application = m->ssh_open.application;
	int fd = wire_take_fd(m, 0);
	struct caller *c = NULL;

	if (fd < 0 || !s->known || application.length >= NAME_MAX_BYTES) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (g->conn_count < g->conn_limit)
		c = caller_make(g, s->listener, fd);
	else
		close(fd);	/* it says that the gateway ended it */
	if (!c)
		return true;
	c->client.tcp = false;
	c->peer = s->peer;
	c->peer_uid = s->peer_uid;
	c->peer_pid = s->peer_pid;
	c->ssh = s;
	list_add_tail(&s->callers, &c->of_ssh);
	fill_asking(c, s, application);
	c->state = CALLER_REQUESTED;
	if (s->listener->gone) {
		caller_refuse(g, c, "closed", SLICE("this listener was closed"));
		return true;
	}
	caller_request(g, c);
	c->door->wait(g, c);
	return true;
}

/* Went away without a key that is known: the last one it tried is recorded as
 * a request refused. */
static void record_stranger(struct gateway *g, struct ssh_link *s)
{
	struct caller *c = s->stranger;

	s->stranger = NULL;
	c->ssh = NULL;
	fill_asking(c, s, (struct slice){ "", 0 });
	poll_timer_stop(&g->poll, &c->timer);
	crowd_leave(g, c);
	caller_move(c, CALLER_REQUESTED);
	caller_request(g, c);
}

static void on_message(struct gateway *g, struct watch *w, uint32_t events)
{
	struct ssh_link *s = POLL_OWNER(w, struct ssh_link, watch);
	struct message m;
	struct error err;
	bool right = true;
	int rc;

	(void)events;
	while (right && w->fd >= 0 &&
	       (rc = wire_receive(w->fd, &g->packet, &m, &err)) != 0) {
		if (rc < 0) {
			if (s->stranger && s->user[0] && link_up(g))
				record_stranger(g, s);
			link_close(g, s);
			return;
		}
		switch (m.type) {
		case WIRE_TYPE_ssh_offer:
			right = take_offer(g, s, &m.ssh_offer);
			break;
		case WIRE_TYPE_ssh_open:
			right = take_channel(g, s, &m);
			break;
		case WIRE_TYPE_ssh_over:
			s->over = true;
			break;
		default:
			right = false;
		}
		wire_close_fds(&m);
	}
	if (right || w->fd < 0)
		return;
	log_error("listener %s: its ssh process said what it may not say", s->listener->name);
	link_close(g, s);
}

/* ---- start ---------------------------------------------------------------------- */

static struct ssh_link *link_numbered(struct gateway *g, uint64_t number)
{
	LIST_EACH(&g->ssh_links, it) {
		struct ssh_link *s = LIST_ENTRY(it, struct ssh_link, link);

		if (s->number == number)
			return s;
	}
	return NULL;
}

/* A link that is gone meanwhile wants no process any more. */
void ssh_link_on_started(struct gateway *g, struct message *m)
{
	struct ssh_link *s = link_numbered(g, m->ssh_started.number);
	int pidfd = m->ssh_started.ok ? wire_take_fd(m, 0) : -1;

	if (s && pidfd >= 0) {
		s->pidfd = pidfd;
		return;
	}
	if (pidfd >= 0) {
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		close(pidfd);
	} else if (s) {
		log_warn("listener %s: %.*s", s->listener->name,
			 (int)m->ssh_started.text.length, m->ssh_started.text.ptr);
		s->listener->turned_away++;
		link_close(g, s);
	}
}

static int link_open(struct gateway *g, struct caller *c, struct error *err)
{
	struct ssh_link *s = calloc(1, sizeof(*s));
	int pair[2];

	CHECK("", s, "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		free(s);
		return error_errno(err, "socketpair");
	}
	s->watch = (struct watch){ .fd = pair[0], .ready = on_message };
	s->pidfd = -1;
	s->number = ++g->ssh_link_number;
	int rc = watch_arm(&g->poll, &s->watch, EPOLLIN) < 0 ?
		 error_errno(err, "epoll") :
		 starter_ask(g, s->number, c->listener->ssh_key,
			     c->client.watch.fd, pair[1], err);
	close(pair[1]);
	if (rc < 0) {
		watch_close(&g->poll, &s->watch);
		free(s);
		return -1;
	}
	s->listener = c->listener;
	s->listener->refs++;
	s->peer = c->peer;
	s->peer_uid = c->peer_uid;
	s->peer_pid = c->peer_pid;
	s->stranger = c;
	c->ssh = s;
	list_init(&s->callers);
	list_add_tail(&g->ssh_links, &s->link);
	g->ssh_link_count++;
	/* From here on the process reads it. */
	watch_disarm(&g->poll, &c->client.watch);
	return 0;
}

/* Who says nothing costs no process (RFC 4253 4.2: both sides begin). */
static void ssh_pump(struct gateway *g, struct caller *c)
{
	static const char begins[4] = "SSH-";
	char head[4];
	struct error err = { "" };

	if (c->ssh)
		return;
	ssize_t n = recv(c->client.watch.fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		caller_cancel(g, c);
		return;
	}
	if (memcmp(head, begins, (size_t)n) != 0)
		error_set(&err, "that is not ssh");
	else if (n < (ssize_t)sizeof(head))
		return;
	else if (g->ssh_link_count >= SSH_LINKS_MAX)
		error_set(&err, "%d ssh clients are here already", SSH_LINKS_MAX);
	else if (link_open(g, c, &err) == 0)
		return;
	c->listener->turned_away++;
	log_warn("listener %s: %s", c->listener->name, err.text);
	caller_close(g, c, false);
}

static enum door_step no_read(struct gateway *g, struct caller *c)
{
	(void)g;
	(void)c;
	return DOOR_MORE;
}

void ssh_link_on_key(struct gateway *g, struct message *m)
{
	struct listener *l = listener_named(g, m->gateway_ssh.name);
	int fd = wire_take_fd(m, 0);
	struct error err;
	size_t length;

	if (l && l->door == &door_ssh && fd >= 0) {
		char *text = wire_read_memfd(fd, SSHKEY_PRIVATE_MAX, &length, &err);

		if (text) {
			listener_forget_ssh_key(l);
			l->ssh_key = text;
			listener_rearm(g, l);
		} else {
			log_error("listener %s: %s", l->name, err.text);
		}
	}
	if (fd >= 0)
		close(fd);
}

static struct greeting *ssh_greeting(const struct caller *c,
				     const struct message *assign)
{
	static const char opened = SSH_OPENED;

	(void)c;
	(void)assign;
	return door_greeting(&opened, 1);
}

static void ssh_refuse(struct gateway *g, struct caller *c, const char *code,
		       struct slice text)
{
	char bytes[256] = { SSH_REFUSED };

	(void)code;
	if (c->client.tcp || c->opening || !c->ssh)	/* a stranger: libssh has told it */
		return;
	text_copy_slice(bytes + 1, sizeof(bytes) - 1, text);
	end_put_raw(g, &c->client, bytes, strlen(bytes));
}

const struct door door_ssh = {
	.name = "ssh",
	.pump = ssh_pump,
	.read = no_read,
	.wait = door_wait,
	.greeting = ssh_greeting,
	.refuse = ssh_refuse,
};
