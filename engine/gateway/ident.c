/*
 * Ident: a service asks who is behind a connection of ours (decisions.md 20,
 * RFC 1413).  Answered for exactly the open connections to resources with
 * identity "ident", and only to the host that serves them: every other pair of
 * ports is nobody's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/resource.h"
#include "engine/wire/ident.h"

enum { ASKERS_MAX = 256, ASKER_MS = 10000 };

struct asker {
	struct grave grave;
	struct list link;		/* gateway.askers */
	struct watch watch;
	struct timer timer;
	struct sockaddr_storage own, peer;
	uint32_t used;
	char line[IDENT_QUERY_MAX];
};

static void bury(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct asker, grave));
}

static void asker_close(struct gateway *g, struct asker *a)
{
	poll_timer_stop(&g->poll, &a->timer);
	watch_close(&g->poll, &a->watch);
	list_remove(&a->link);
	g->asker_count--;
	grave_add(&g->poll, &a->grave, bury);
}

static void asker_late(struct gateway *g, struct timer *t)
{
	asker_close(g, POLL_OWNER(t, struct asker, timer));
}

/* The user of the connection between those two ports, or NULL. */
static const char *user_of(struct gateway *g, const struct asker *a,
			   uint16_t own, uint16_t other)
{
	LIST_EACH(&g->targets, it) {
		struct target *t = LIST_ENTRY(it, struct target, link);

		if (t->identity != WIRE_IDENTITY_IDENT ||
		    !visitor_same_host(&t->address, &a->peer) ||
		    visitor_port(&t->address) != other)
			continue;
		LIST_EACH(&t->exchanges, jt) {
			struct exchange *x =
				LIST_ENTRY(jt, struct exchange, link);

			if (x->port && visitor_same_host(&x->own, &a->own) &&
			    visitor_port(&x->own) == own)
				return x->port->user;
		}
	}
	return NULL;
}

static void answer(struct gateway *g, struct asker *a, uint32_t length)
{
	char out[IDENT_ANSWER_MAX];
	uint16_t own = 0, other = 0;
	size_t n = 0;

	if (length && a->line[length - 1] == '\r')
		length--;
	if (ident_parse((struct slice){ a->line, length }, &own, &other) == 0)
		n = ident_answer(out, sizeof(out), own, other,
				 user_of(g, a, own, other));
	/* A fresh socket takes one line; whoever does not read it loses it. */
	if (n && send(a->watch.fd, out, n, MSG_NOSIGNAL | MSG_DONTWAIT) !=
			 (ssize_t)n)
		log_warn("ident: an answer was not taken: %s", strerror(errno));
}

static void on_bytes(struct gateway *g, struct watch *w, uint32_t events)
{
	struct asker *a = POLL_OWNER(w, struct asker, watch);

	(void)events;
	for (;;) {
		ssize_t n = recv(w->fd, a->line + a->used,
				 sizeof(a->line) - a->used, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		char *end = memchr(a->line + a->used, '\n', (size_t)n);
		a->used += (uint32_t)n;
		if (end)
			answer(g, a, (uint32_t)(end - a->line));
		if (end || a->used == sizeof(a->line))
			break;
	}
	asker_close(g, a);
}

void ident_new(struct gateway *g, int fd, const struct sockaddr_storage *peer)
{
	struct asker *a;
	socklen_t length = sizeof(a->own);

	if (g->asker_count >= ASKERS_MAX) {
		close(fd);
		return;
	}
	a = calloc(1, sizeof(*a));
	CHECK("", a, "out of memory");
	a->peer = *peer;
	a->watch = (struct watch){ .fd = fd, .ready = on_bytes };
	a->timer.fire = asker_late;
	list_add_tail(&g->askers, &a->link);
	g->asker_count++;
	if (getsockname(fd, (struct sockaddr *)&a->own, &length) < 0 ||
	    watch_arm(&g->poll, &a->watch, EPOLLIN | EPOLLRDHUP) < 0) {
		asker_close(g, a);
		return;
	}
	poll_timer_set(&g->poll, &a->timer, g->poll.now_ms + ASKER_MS);
}

void ident_close_all(struct gateway *g)
{
	LIST_EACH(&g->askers, it)
		asker_close(g, LIST_ENTRY(it, struct asker, link));
}
