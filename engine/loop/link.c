/*
 * Links: SEQPACKET sockets to the roles on the loop.  Messages that find the
 * socket full wait in order, their descriptors duplicated; so do those to a
 * gateway until the loop has read all there is, to share a packet.  A role that stops
 * reading costs memory until its supervisor kills it, never the engine's time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

struct link_packet {
	struct link_packet *next;
	int length, fd_count;
	int fds[WIRE_FDS_MAX];
	uint8_t bytes[];
};

enum { MESSAGES_A_TURN = 512, PACKET_MESSAGES = 64 };

static void link_on_poll(uv_poll_t *poll, int status, int events);

static void link_want(struct link *l)
{
	uv_poll_start(&l->poll, UV_READABLE | (l->full ? UV_WRITABLE : 0),
		      link_on_poll);
}

void link_open(struct shell *sh, struct link *l, int fd)
{
	l->shell = sh;
	l->fd = fd;
	l->first = NULL;
	l->last = &l->first;
	l->full = false;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	int room = 1 << 20;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	int rc = uv_poll_init(&sh->loop, &l->poll, fd);
	CHECK("", rc == 0, "uv_poll_init: %s", uv_strerror(rc));
	l->poll.data = l;
	link_want(l);
}

static void drop_packets(struct link *l)
{
	while (l->first) {
		struct link_packet *p = l->first;

		l->first = p->next;
		for (int i = 0; i < p->fd_count; i++)
			close(p->fds[i]);
		free(p);
	}
	l->last = &l->first;
}

static void link_on_freed(uv_handle_t *handle)
{
	struct link *l = handle->data;

	if (l->on_freed)
		l->on_freed(l);
}

void link_close(struct link *l)
{
	if (l->fd < 0)
		return;
	uv_poll_stop(&l->poll);
	close(l->fd);
	l->fd = -1;
	drop_packets(l);
	uv_close((uv_handle_t *)&l->poll, link_on_freed);
}

static void link_queue(struct link *l, const struct message *m)
{
	static struct wire_buffer buf;
	struct error err;
	int length = wire_encode(m, buf.bytes, &err);

	CHECK("", length > 0, "%s", err.text);
	struct link_packet *p = malloc(sizeof(*p) + (size_t)length);
	CHECK("", p, "out of memory");
	*p = (struct link_packet){ .length = length };
	memcpy(p->bytes, buf.bytes, (size_t)length);
	for (int i = 0; i < m->fd_count; i++) {
		int fd = fcntl(m->fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd >= 0)
			p->fds[p->fd_count++] = fd;
	}
	*l->last = p;
	l->last = &p->next;
}

void link_send(struct link *l, const struct message *m)
{
	struct error err;
	int rc = 0;

	if (l->fd < 0)
		return;
	if (!l->first && !l->gathers)
		rc = wire_send(l->fd, m, &err);
	if (rc < 0) {
		/* Its end of file is read in this or the next round. */
		log_debug("link: %s", err.text);
		return;
	}
	if (rc > 0)
		return;
	link_queue(l, m);
	if (!l->gathers && !l->full) {
		l->full = true;
		link_want(l);
	}
}

static void add_descriptors(struct msghdr *msg, const struct link_packet *p,
			    void *control)
{
	size_t size = sizeof(int) * (size_t)p->fd_count;
	struct cmsghdr *c;

	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(size);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), p->fds, size);
}

static void drop_first(struct link *l)
{
	struct link_packet *p = l->first;

	l->first = p->next;
	if (!l->first)
		l->last = &l->first;
	for (int i = 0; i < p->fd_count; i++)
		close(p->fds[i]);
	free(p);
}

/* One packet of what is queued first; false when the socket is full. */
static bool send_packet(struct link *l)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control = { 0 };
	struct iovec iov[PACKET_MESSAGES];
	struct msghdr msg = { .msg_iov = iov };
	size_t count = 0, length = 0;

	for (struct link_packet *p = l->first; p; p = p->next) {
		length += (size_t)p->length;
		if (count && (!l->gathers || p->fd_count ||
			      count == PACKET_MESSAGES ||
			      length > WIRE_PACKET_MAX))
			break;
		iov[count++] = (struct iovec){ p->bytes, (size_t)p->length };
		if (p->fd_count) {
			add_descriptors(&msg, p, control.bytes);
			break;
		}
	}
	msg.msg_iovlen = count;
	if (sendmsg(l->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    (errno == EAGAIN || errno == ENOBUFS || errno == EINTR))
		return false;
	while (count--)
		drop_first(l);
	return true;
}

void link_push(struct link *l)
{
	bool full = false;

	if (l->fd < 0)
		return;
	while (l->first && !full)
		full = !send_packet(l);
	if (full != l->full) {
		l->full = full;
		link_want(l);
	}
}

static void link_on_poll(uv_poll_t *poll, int status, int events)
{
	static struct wire_buffer buf;
	struct link *l = poll->data;
	struct error err = { "poll failed" };
	struct message m;
	int rc = status < 0 ? -1 : 1;

	if (events & UV_WRITABLE)
		link_push(l);
	buf.at = buf.length = 0;
	for (int i = 0; rc > 0 && l->fd >= 0; i++) {
		rc = wire_next(&buf, &m, &err);
		if (rc == 0 && i >= MESSAGES_A_TURN)
			break;
		if (rc == 0)
			rc = wire_receive_first(l->fd, &buf, &m, &err);
		if (rc > 0) {
			l->on_message(l, &m);
			wire_close_fds(&m);
		}
	}
	if (rc < 0 && l->fd >= 0) {
		link_close(l);
		l->on_close(l, err.text);
	}
}

void link_hear(struct link *l)
{
	if (l->fd >= 0)
		link_on_poll(&l->poll, 0, 0);
}
