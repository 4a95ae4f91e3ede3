/*
 * The session on the machine's own port: one user on this machine at a time.
 *
 *          ACCEPT                DEALLOCATE, host gone, reset
 *     IDLE --------> RUNNING -------------------------------> ENDING
 *      ^ ^              |  frames make no sense                 | |
 *      | `----- DEAF <--'  (kills the application too) <--------' |
 *      |   host gone                                              |
 *      `------ no process left, port empty, CONFIRMED if asked ---'
 *
 * Nothing reaches an application before a complete ACCEPT, and no ACCEPT is
 * looked for while an earlier session's application lives.  In IDLE the bytes
 * before an ACCEPT are skipped; that is safe because whoever leaves RUNNING
 * empties the port first, so no user's bytes can pose as an ACCEPT.  After a
 * broken frame the stream cannot be trusted to hold frames at all, so nothing
 * is believed until the host has gone.
 *
 * Back-pressure: the port is read only as fast as the application takes its
 * bytes.  A host that wants to end a session whose application has stopped
 * reading closes its side, which is seen without reading.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "share/guest/session.h"

int session_init(struct session *s, const char *port, int epoll_fd)
{
	s->epoll_fd = epoll_fd;
	s->app.fd = -1;
	if (guest_run_path(s->user_path, "user") < 0 ||
	    guest_run_path(s->identity_path, "identity") < 0)
		return -1;
	unlink(s->user_path);
	return link_open(&s->port, port, epoll_fd);
}

void session_fini(struct session *s)
{
	if (s->phase != SESSION_IDLE)
		unlink(s->user_path);
	link_close(&s->port);
}

static void send_pair(struct session *s, enum native_type type)
{
	struct native_builder b;

	native_begin(&b, type, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, s->id);
	native_put_u64(&b, NATIVE_TAG_NONCE, s->nonce);
	if (!link_send(&s->port, &b))
		guest_warn("session/%llu: the host does not read",
			   (unsigned long long)s->id);
}

static void send_error(struct session *s, const char *code, const char *text)
{
	struct native_builder b;

	guest_warn("session/%llu: %s (%s)", (unsigned long long)s->id, text,
		   code);
	native_begin(&b, NATIVE_ERROR, 0);
	native_put_text(&b, NATIVE_TAG_CODE, code);
	native_put_text(&b, NATIVE_TAG_TEXT, text);
	native_put_u64(&b, NATIVE_TAG_SESSION, s->id);
	native_put_u64(&b, NATIVE_TAG_NONCE, s->nonce);
	if (!link_send(&s->port, &b))
		guest_warn("the host does not read");
}

/* RUNNING is left here and nowhere else. */
static void session_end(struct session *s, enum session_after after,
			int64_t now_ms)
{
	if (s->phase == SESSION_RUNNING)
		app_stop(&s->app, now_ms);
	s->phase = SESSION_ENDING;
	s->after = after;
	for (size_t i = 0; i < s->side_count; i++)
		side_cut(s->sides[i]);
}

static void session_protocol(struct session *s, const char *text,
			     int64_t now_ms)
{
	send_error(s, "protocol", text);
	session_end(s, AFTER_DEAF, now_ms);
}

void session_reset(struct session *s, int64_t now_ms)
{
	switch (s->phase) {
	case SESSION_RUNNING:
		send_error(s, "ended", "the machine is being cleaned");
		session_end(s, AFTER_DRAIN, now_ms);
		break;
	case SESSION_ENDING:
		break;
	case SESSION_IDLE:
	case SESSION_DEAF:
		if (s->port.fd >= 0)
			link_drain(&s->port);
		s->phase = SESSION_IDLE;
	}
}

static bool text_is_plain(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

/*
 * When the agent was told an identity first (remuda-guest accept), the port
 * must speak of the same session.
 */
static bool identity_agrees(const struct session *s)
{
	char text[GUEST_TEXT_MAX];
	unsigned long long id;

	if (guest_read_file(s->identity_path, text, sizeof(text)) < 0)
		return true;
	return sscanf(text, "%llu ", &id) == 1 && id == s->id;
}

static void session_begin(struct session *s, const struct link_item *item,
			  int64_t now_ms)
{
	const uint8_t *p = item->bytes;
	char user_line[GUEST_NAME_MAX + 2], why[GUEST_TEXT_MAX] = "";
	struct app_start how = {
		.argv = s->argv, .uid = s->uid, .user = s->user,
		.application = s->application,
	};

	s->host_ended = s->app_ended = s->app_deaf = false;
	s->incarnation = 0;
	if (native_get_u64(p, item->length, NATIVE_TAG_SESSION, &s->id) < 0 ||
	    native_get_u64(p, item->length, NATIVE_TAG_NONCE, &s->nonce) < 0 ||
	    native_get_text(p, item->length, NATIVE_TAG_USER, s->user,
			    sizeof(s->user)) < 0 ||
	    native_get_text(p, item->length, NATIVE_TAG_APPLICATION,
			    s->application, sizeof(s->application)) < 0 ||
	    !text_is_plain(s->user) || !text_is_plain(s->application)) {
		session_protocol(s, "ACCEPT without session, nonce, user and "
				 "application", now_ms);
		return;
	}
	(void)native_get_u64(p, item->length, NATIVE_TAG_INCARNATION,
			     &s->incarnation);
	how.session = s->id;
	how.incarnation = s->incarnation;
	snprintf(user_line, sizeof(user_line), "%s\n", s->user);
	if (!identity_agrees(s)) {
		snprintf(why, sizeof(why), "the machine carries the identity "
			 "of another session");
	} else if (guest_write_file(s->user_path, user_line) < 0) {
		snprintf(why, sizeof(why), "cannot record the user");
	} else if (app_start(&s->app, &how, why, sizeof(why)) == 0) {
		s->phase = SESSION_RUNNING;
		send_pair(s, NATIVE_ACCEPT);
		link_watch(s->epoll_fd, s->app.fd);
		return;
	}
	send_error(s, "application", why);
	session_end(s, AFTER_DEAF, now_ms);
}

/*
 * An ACCEPT at a frame's boundary, so not inside user bytes.  The same again:
 * the host repeated it, its first having been slow.  Another: a new host, and
 * the old one's going was not seen; it stays in the link until IDLE.  Returns
 * whether it was the same.
 */
static bool on_accept(struct session *s, const struct link_item *item,
		      int64_t now_ms)
{
	uint64_t id, nonce;

	if (!native_get_u64(item->bytes, item->length, NATIVE_TAG_SESSION,
			    &id) &&
	    !native_get_u64(item->bytes, item->length, NATIVE_TAG_NONCE,
			    &nonce) && id == s->id && nonce == s->nonce)
		return true;
	s->port.out_start = s->port.out_end = 0;
	session_end(s, AFTER_IDLE, now_ms);
	return false;
}

static void on_control(struct session *s, const struct link_item *item,
		       int64_t now_ms)
{
	uint64_t id, nonce;

	if (item->type != NATIVE_DEALLOCATE) {
		session_protocol(s, "unexpected frame", now_ms);
		return;
	}
	if (native_get_u64(item->bytes, item->length, NATIVE_TAG_SESSION,
			   &id) < 0 ||
	    native_get_u64(item->bytes, item->length, NATIVE_TAG_NONCE,
			   &nonce) < 0 || id != s->id || nonce != s->nonce) {
		session_protocol(s, "DEALLOCATE of another session", now_ms);
		return;
	}
	session_end(s, AFTER_CONFIRM, now_ms);
}

/* Passes bytes to the application; how many it took, or -1 for later. */
static ssize_t feed_app(struct session *s, const struct link_item *item)
{
	ssize_t n;

	if (!item->length || s->app_deaf)
		return (ssize_t)item->length;
	do {
		n = send(s->app.fd, item->bytes, item->length, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -1;
	if (n < 0) {
		/* It closed its input: what it did not want is dropped. */
		s->app_deaf = true;
		return (ssize_t)item->length;
	}
	return n;
}

static bool take_frames(struct session *s, int64_t now_ms)
{
	bool moved = false;

	while (s->phase == SESSION_RUNNING) {
		struct link_item item = link_peek(&s->port);
		ssize_t n = 0;

		if (item.kind == LINK_NONE)
			break;
		moved = true;
		if (item.kind == LINK_BROKEN) {
			session_protocol(s, "malformed frame", now_ms);
			break;
		}
		if (item.kind == LINK_CONTROL && item.type == NATIVE_ACCEPT) {
			if (!on_accept(s, &item, now_ms))
				break;
		} else if (item.kind == LINK_CONTROL) {
			on_control(s, &item, now_ms);
		} else if (s->host_ended) {
			session_protocol(s, "DATA after END", now_ms);
			break;
		} else {
			n = feed_app(s, &item);
			if (n < 0)
				return false;
			if (item.end && (size_t)n == item.length) {
				s->host_ended = true;
				shutdown(s->app.fd, SHUT_WR);
			}
		}
		link_take(&s->port, &item, (size_t)n);
	}
	return moved;
}

static bool take_output(struct session *s)
{
	ssize_t n;

	if (s->phase != SESSION_RUNNING || s->app_ended ||
	    !link_has_room(&s->port, LINK_CHUNK))
		return false;
	n = read(s->app.fd, link_data_space(&s->port), LINK_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0) {
		link_commit_data(&s->port, (size_t)n);
		return true;
	}
	/* End-of-file, or a reset because it left input unread. */
	s->app_ended = true;
	link_send_data(&s->port, NULL, 0, true);
	return true;
}

static bool pump_ending(struct session *s, int64_t now_ms)
{
	if (!app_gone(&s->app, s->uid, now_ms))
		return false;
	unlink(s->user_path);
	/* Unread bytes of this session; the host sends none after ending it. */
	if (s->after != AFTER_IDLE && s->port.fd >= 0)
		link_drain(&s->port);
	s->phase = s->after == AFTER_DEAF ? SESSION_DEAF : SESSION_IDLE;
	if (s->after == AFTER_CONFIRM)
		send_pair(s, NATIVE_CONFIRMED);
	return true;
}

static bool pump_host(struct session *s, int64_t now_ms)
{
	switch (link_check(&s->port, s->epoll_fd)) {
	case LINK_SAME:
		return false;
	case LINK_ARRIVED:
		return true;
	case LINK_GONE:
		break;
	}
	if (s->phase == SESSION_RUNNING)
		session_end(s, AFTER_IDLE, now_ms);
	else if (s->phase == SESSION_ENDING)
		s->after = AFTER_IDLE;
	else
		s->phase = SESSION_IDLE;
	return true;
}

bool session_pump(struct session *s, int64_t now_ms)
{
	bool moved = pump_host(s, now_ms);
	struct link_item item;

	switch (s->phase) {
	case SESSION_IDLE:
		moved |= link_fill(&s->port);
		item = link_hunt(&s->port);
		if (item.kind == LINK_CONTROL) {
			session_begin(s, &item, now_ms);
			link_take(&s->port, &item, 0);
			moved = true;
		}
		break;
	case SESSION_RUNNING:
		moved |= link_fill(&s->port);
		moved |= take_frames(s, now_ms);
		moved |= take_output(s);
		break;
	case SESSION_ENDING:
		/* What a new host says meanwhile waits in the port. */
		moved |= pump_ending(s, now_ms);
		break;
	case SESSION_DEAF:
		moved |= link_fill(&s->port);
		s->port.in_start = s->port.in_end = 0;
		break;
	}
	return moved | link_flush(&s->port);
}
