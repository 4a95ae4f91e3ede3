/*
 * Connections from this guest to resources, one at a time per port.
 *
 *     remuda-guest resource NAME  <-- unix socket -->  serve  <-- port --> host
 *
 * Both legs speak native frames.  On the port a connection is CONNECT(nonce),
 * then ACCEPT or ERROR, then DATA in both directions; it is over when both
 * directions carried END, or when one side says DEALLOCATE and the other
 * CONFIRMED.  The local leg has ACCEPT or ERROR, then DATA; closing it before
 * both ENDs is the client's way of giving up.
 *
 *            client            ACCEPT             both ENDs
 *     IDLE ---------> ASKING ---------> OPEN ------------------> CLOSING
 *      ^                |                | \ ERROR, host gone ----^  |
 *      |                `-- gave up -----'                           |
 *      |                       v                                     |
 *      `---- CONFIRMED ---- ABORTING          client took the rest --'
 *
 * WAITING is IDLE with a client and no host yet: the gateway may be just
 * coming back.  The next client waits in the listen queue all the while.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "share/guest/guest.h"

enum { HOST_WAIT_MS = 5000, CLOSING_MS = 10000 };

enum side_phase {
	SIDE_IDLE,	/* no client */
	SIDE_WAITING,	/* client, no host; until deadline */
	SIDE_ASKING,	/* CONNECT sent */
	SIDE_OPEN,	/* bytes flow */
	SIDE_ABORTING,	/* no client; DEALLOCATE sent */
	SIDE_CLOSING,	/* nothing more from the host; until deadline */
};

struct side {
	char name[GUEST_NAME_MAX];
	enum side_phase phase;
	struct link port, client;
	int listen_fd;
	uint64_t nonce;
	int64_t deadline_ms;	/* WAITING, CLOSING; else -1 */
	bool host_ended, client_ended;
	bool broken;		/* port: nothing is believed until it closes */
};

struct side *side_new(const char *name, const char *port, int epoll_fd)
{
	struct side *s = calloc(1, sizeof(*s));
	char path[GUEST_PATH_MAX], tail[GUEST_NAME_MAX + 16];

	if (!s) {
		guest_warn("out of memory");
		return NULL;
	}
	s->deadline_ms = -1;
	s->client = (struct link){ .fd = -1, .listen_fd = -1 };
	s->port = (struct link){ .fd = -1, .listen_fd = -1 };
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(tail, sizeof(tail), "resource/%s", name);
	s->listen_fd = -1;
	if (guest_run_path(path, tail) < 0)
		goto fail;
	s->listen_fd = guest_listen(path, SOCK_STREAM, 0666);
	if (s->listen_fd < 0 || link_open(&s->port, port, epoll_fd) < 0 ||
	    link_watch(epoll_fd, s->listen_fd) < 0)
		goto fail;
	return s;
fail:
	side_free(s);
	return NULL;
}

void side_free(struct side *s)
{
	if (!s)
		return;
	link_close(&s->port);
	link_close(&s->client);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	free(s);
}

int64_t side_deadline(const struct side *s)
{
	return s->deadline_ms;
}

static void drop_client(struct side *s)
{
	link_close(&s->client);
	s->deadline_ms = -1;
	s->phase = SIDE_IDLE;
}

static void send_nonce(struct side *s, enum native_type type)
{
	struct native_builder b;

	native_begin(&b, type, 0);
	if (type == NATIVE_CONNECT)
		native_put_text(&b, NATIVE_TAG_RESOURCE, s->name);
	native_put_u64(&b, NATIVE_TAG_NONCE, s->nonce);
	if (!link_send(&s->port, &b))
		s->broken = true;
}

/* The client is told why; it keeps what it already got. */
static void refuse_client(struct side *s, const char *code, const char *text,
			  int64_t now_ms)
{
	struct native_builder b;

	native_begin(&b, NATIVE_ERROR, 0);
	native_put_text(&b, NATIVE_TAG_CODE, code);
	native_put_text(&b, NATIVE_TAG_TEXT, text);
	if (!link_send(&s->client, &b))
		s->client.deaf = true;
	s->phase = SIDE_CLOSING;
	s->deadline_ms = now_ms + CLOSING_MS;
}

static void give_up(struct side *s)
{
	drop_client(s);
	send_nonce(s, NATIVE_DEALLOCATE);
	s->phase = SIDE_ABORTING;
}

static void ask(struct side *s)
{
	s->nonce = guest_random();
	s->host_ended = s->client_ended = false;
	s->deadline_ms = -1;
	send_nonce(s, NATIVE_CONNECT);
	s->phase = SIDE_ASKING;
}

static bool await_client(struct side *s, int epoll_fd, int64_t now_ms)
{
	int fd = accept4(s->listen_fd, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	if (link_adopt(&s->client, fd, epoll_fd) < 0) {
		close(fd);
		return true;
	}
	if (s->port.present && !s->broken) {
		ask(s);
	} else {
		s->phase = SIDE_WAITING;
		s->deadline_ms = now_ms + HOST_WAIT_MS;
	}
	return true;
}

static bool same_nonce(const struct side *s, const struct link_item *item)
{
	uint64_t nonce;

	return !native_get_u64(item->bytes, item->length, NATIVE_TAG_NONCE,
			       &nonce) && nonce == s->nonce;
}

static void on_refused(struct side *s, const struct link_item *item,
		       int64_t now_ms)
{
	char code[GUEST_NAME_MAX], text[GUEST_TEXT_MAX];

	if (native_get_text(item->bytes, item->length, NATIVE_TAG_CODE, code,
			    sizeof(code)) < 0)
		snprintf(code, sizeof(code), "refused");
	if (native_get_text(item->bytes, item->length, NATIVE_TAG_TEXT, text,
			    sizeof(text)) < 0)
		snprintf(text, sizeof(text), "the gateway gave no reason");
	refuse_client(s, code, text, now_ms);
}

static void on_accepted(struct side *s)
{
	struct native_builder b;

	native_begin(&b, NATIVE_ACCEPT, 0);
	if (link_send(&s->client, &b))
		s->phase = SIDE_OPEN;
	else
		give_up(s);
}

/* A control frame of the host's; frames of other connections are ignored. */
static void on_control(struct side *s, const struct link_item *item,
		       int64_t now_ms)
{
	if (!same_nonce(s, item))
		return;
	switch (item->type) {
	case NATIVE_ACCEPT:
		if (s->phase == SIDE_ASKING)
			on_accepted(s);
		break;
	case NATIVE_ERROR:
		if (s->phase == SIDE_ASKING || s->phase == SIDE_OPEN)
			on_refused(s, item, now_ms);
		else if (s->phase == SIDE_ABORTING)
			s->phase = SIDE_IDLE;
		break;
	case NATIVE_CONFIRMED:
		if (s->phase == SIDE_ABORTING)
			s->phase = SIDE_IDLE;
		break;
	case NATIVE_DEALLOCATE:
		if (s->phase == SIDE_ASKING || s->phase == SIDE_OPEN)
			refuse_client(s, "ended", "the host ended the connection",
				      now_ms);
		send_nonce(s, NATIVE_CONFIRMED);
		break;
	default:
		s->broken = true;
	}
}

/* Passes data on to the other leg; false when that leg has no room. */
static bool pass(struct link *to, const struct link_item *item, bool open,
		 size_t *taken)
{
	*taken = item->length < LINK_CHUNK ? item->length : LINK_CHUNK;
	if (!open)
		return true;
	if (!link_has_room(to, *taken))
		return false;
	link_send_data(to, item->bytes, *taken,
		       item->end && *taken == item->length);
	return true;
}

static void maybe_over(struct side *s, int64_t now_ms)
{
	if (s->phase == SIDE_OPEN && s->host_ended && s->client_ended) {
		s->phase = SIDE_CLOSING;
		s->deadline_ms = now_ms + CLOSING_MS;
	}
}

static bool pump_port(struct side *s, int64_t now_ms)
{
	bool moved = link_fill(&s->port);

	while (!s->broken) {
		struct link_item item = link_peek(&s->port);
		size_t n = 0;

		if (item.kind == LINK_NONE)
			break;
		if (item.kind == LINK_BROKEN) {
			s->broken = true;
			break;
		}
		if (item.kind == LINK_DATA) {
			if (!pass(&s->client, &item, s->phase == SIDE_OPEN, &n))
				break;
			if (s->phase == SIDE_OPEN && item.end &&
			    n == item.length)
				s->host_ended = true;
		} else {
			on_control(s, &item, now_ms);
		}
		link_take(&s->port, &item, n);
		maybe_over(s, now_ms);
		moved = true;
	}
	if (!s->broken)
		return moved;
	if (s->phase == SIDE_ASKING || s->phase == SIDE_OPEN)
		refuse_client(s, "protocol", "the host broke the protocol",
			      now_ms);
	else if (s->phase == SIDE_ABORTING)
		s->phase = SIDE_IDLE;
	if (s->port.in_start != s->port.in_end)
		moved = true;
	s->port.in_start = s->port.in_end = 0;
	return moved;
}

static bool pump_client(struct side *s, int64_t now_ms)
{
	bool moved = link_fill(&s->client);
	struct link_item item = { .kind = LINK_NONE };
	size_t n;

	while (s->phase == SIDE_OPEN) {
		item = link_peek(&s->client);
		if (item.kind != LINK_DATA || s->client_ended)
			break;
		if (!pass(&s->port, &item, true, &n))
			return moved;
		if (item.end && n == item.length)
			s->client_ended = true;
		link_take(&s->client, &item, n);
		moved = true;
	}
	maybe_over(s, now_ms);
	if (s->phase != SIDE_OPEN && s->phase != SIDE_ASKING)
		return moved;
	/* It closed too early, writes cannot reach it, or it talks nonsense. */
	if (s->client.deaf || (s->client.ended && !s->client_ended) ||
	    (s->phase == SIDE_OPEN && item.kind != LINK_NONE)) {
		give_up(s);
		moved = true;
	}
	return moved;
}

static bool closing_done(const struct side *s, int64_t now_ms)
{
	return s->client.deaf || s->client.out_start == s->client.out_end ||
	       now_ms >= s->deadline_ms;
}

static bool pump_host(struct side *s, int epoll_fd, int64_t now_ms)
{
	switch (link_check(&s->port, epoll_fd)) {
	case LINK_GONE:
		s->broken = false;
		if (s->phase == SIDE_ASKING || s->phase == SIDE_OPEN)
			refuse_client(s, "lost", "the connection to the host "
				      "was lost", now_ms);
		else if (s->phase == SIDE_ABORTING)
			s->phase = SIDE_IDLE;
		return true;
	case LINK_ARRIVED:
		return true;
	case LINK_SAME:
		break;
	}
	return false;
}

bool side_pump(struct side *s, int epoll_fd, int64_t now_ms)
{
	bool moved = pump_host(s, epoll_fd, now_ms);

	if (s->phase == SIDE_IDLE)
		moved |= await_client(s, epoll_fd, now_ms);
	if (s->phase == SIDE_WAITING) {
		link_fill(&s->client);
		if (s->client.ended) {
			drop_client(s);
		} else if (s->port.present && !s->broken) {
			ask(s);
		} else if (now_ms >= s->deadline_ms) {
			refuse_client(s, "unreachable", "no gateway is connected "
				      "to this machine", now_ms);
		}
		moved |= s->phase != SIDE_WAITING;
	}
	moved |= pump_port(s, now_ms);
	if (s->phase == SIDE_ASKING || s->phase == SIDE_OPEN)
		moved |= pump_client(s, now_ms);
	moved |= link_flush(&s->port);
	moved |= link_flush(&s->client);
	if (s->phase == SIDE_CLOSING && closing_done(s, now_ms)) {
		drop_client(s);
		moved = true;
	}
	return moved;
}

void side_cut(struct side *s)
{
	int fd;

	if (s->phase == SIDE_ASKING || s->phase == SIDE_OPEN)
		give_up(s);
	else if (s->phase == SIDE_WAITING || s->phase == SIDE_CLOSING)
		drop_client(s);
	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}
