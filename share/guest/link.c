/*
 * A link: native frames over a virtio-serial port or a unix socket.
 *
 * Owner: the loop of `serve`.  All descriptors are non-blocking and
 * edge-triggered: after any event the loop pumps every link until nothing
 * moves, so no readiness is remembered here.
 *
 * A virtio-serial port is opened once and outlives the host's connections.
 * The kernel wakes its waiters when the host opens or closes its side, but a
 * level-triggered poll would report POLLHUP without end while no host is
 * there; edge-triggered, an idle machine sleeps.  Bytes a host left unread
 * stay in the port after it has gone, so link_check empties the port whenever
 * it sees a host go: better to lose the first bytes of a host that came back
 * in the same instant than to read one user's bytes as another's.  A host that
 * hears no ACCEPT repeats its own.
 *
 * Not guaranteed: a host that goes and comes back while the guest does not
 * run is not seen to have gone.  Its frames then continue the old stream, no
 * ACCEPT is echoed, and it will not offer the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "share/guest/guest.h"

int link_watch(int epoll_fd, int fd)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int link_init(struct link *l)
{
	*l = (struct link){ .fd = -1, .listen_fd = -1 };
	l->in = malloc(LINK_IN_SIZE);
	l->out = malloc(LINK_OUT_SIZE);
	if (!l->in || !l->out) {
		guest_warn("out of memory");
		link_close(l);
		return -1;
	}
	return 0;
}

int link_open(struct link *l, const char *where, int epoll_fd)
{
	int fd;

	if (link_init(l) < 0)
		return -1;
	if (!strncmp(where, "unix:", 5)) {
		fd = l->listen_fd = guest_listen(where + 5, SOCK_STREAM, 0600);
		if (fd < 0)
			goto fail;
	} else {
		fd = l->fd = open(where, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		l->device = true;
		if (fd < 0) {
			guest_warn("port %s: %s", where, strerror(errno));
			goto fail;
		}
	}
	if (link_watch(epoll_fd, fd) < 0) {
		guest_warn("port %s: %s", where, strerror(errno));
		goto fail;
	}
	return 0;
fail:
	link_close(l);
	return -1;
}

int link_adopt(struct link *l, int fd, int epoll_fd)
{
	if (link_init(l) < 0)
		return -1;
	if (link_watch(epoll_fd, fd) < 0) {
		guest_warn("epoll: %s", strerror(errno));
		link_close(l);
		return -1;
	}
	l->fd = fd;
	l->present = true;
	return 0;
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->listen_fd >= 0)
		close(l->listen_fd);
	free(l->in);
	free(l->out);
	*l = (struct link){ .fd = -1, .listen_fd = -1 };
}

static void forget(struct link *l)
{
	l->in_start = l->in_end = 0;
	l->out_start = l->out_end = 0;
	l->in_data = l->data_end = false;
	l->data_left = 0;
	l->ended = l->deaf = false;
}

static enum link_change host_gone(struct link *l)
{
	if (l->device) {
		link_drain(l);
	} else {
		close(l->fd);
		l->fd = -1;
	}
	forget(l);
	l->present = false;
	return LINK_GONE;
}

static enum link_change await_host(struct link *l, int epoll_fd)
{
	l->fd = accept4(l->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (l->fd < 0)
		return LINK_SAME;
	if (link_watch(epoll_fd, l->fd) < 0)
		return host_gone(l);
	l->present = true;
	return LINK_ARRIVED;
}

enum link_change link_check(struct link *l, int epoll_fd)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	bool there;

	if (l->fd < 0)
		return await_host(l, epoll_fd);
	there = poll(&p, 1, 0) <= 0 || !(p.revents & POLLHUP);
	if (l->present && (!there || l->ended))
		return host_gone(l);
	if (!l->present && there) {
		l->present = true;
		return LINK_ARRIVED;
	}
	return LINK_SAME;
}

/* One read; true when there may be more. */
static bool read_once(struct link *l, bool *moved)
{
	ssize_t n;

	if (l->in_start == l->in_end) {
		l->in_start = l->in_end = 0;
	} else if (l->in_end == LINK_IN_SIZE && l->in_start > 0) {
		memmove(l->in, l->in + l->in_start, l->in_end - l->in_start);
		l->in_end -= l->in_start;
		l->in_start = 0;
	}
	if (l->in_end == LINK_IN_SIZE)
		return false;
	do {
		n = read(l->fd, l->in + l->in_end, LINK_IN_SIZE - l->in_end);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		l->in_end += (size_t)n;
		*moved = true;
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	/* A port without a host reads as end-of-file: only link_check tells. */
	if (!l->device || l->present)
		*moved = l->ended = true;
	return false;
}

bool link_fill(struct link *l)
{
	bool moved = false;

	if (l->fd < 0 || l->ended)
		return false;
	/* A port gives a page at a time; many make one write onward. */
	while (read_once(l, &moved))
		;
	return moved;
}

bool link_flush(struct link *l)
{
	size_t left = l->out_end - l->out_start;
	ssize_t n;

	if (l->fd < 0 || !left || !l->present)
		return false;
	if (l->device) {
		n = write(l->fd, l->out + l->out_start, left);
	} else {
		n = send(l->fd, l->out + l->out_start, left, MSG_NOSIGNAL);
	}
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR || l->device)
			return false;
		/* The peer closed: what is queued can reach nobody. */
		l->out_start = l->out_end = 0;
		l->deaf = true;
		return true;
	}
	l->out_start += (size_t)n;
	if (l->out_start == l->out_end)
		l->out_start = l->out_end = 0;
	return n > 0;
}

void link_drain(struct link *l)
{
	ssize_t n;

	do {
		n = read(l->fd, l->in, LINK_IN_SIZE);
	} while (n > 0 || (n < 0 && errno == EINTR));
	l->in_start = l->in_end = 0;
	l->in_data = l->data_end = false;
	l->data_left = 0;
}

static struct link_item peek_data(struct link *l)
{
	size_t have = l->in_end - l->in_start;
	struct link_item item = { .kind = LINK_DATA };

	item.bytes = l->in + l->in_start;
	item.length = have < l->data_left ? have : l->data_left;
	item.end = l->data_end && item.length == l->data_left;
	if (!item.length && !item.end)
		item.kind = LINK_NONE;
	return item;
}

struct link_item link_peek(struct link *l)
{
	struct link_item item = { .kind = LINK_NONE };
	struct native_header h;

	while (!l->in_data) {
		if (l->in_end - l->in_start < NATIVE_HEADER_SIZE)
			return item;
		item.kind = LINK_BROKEN;
		if (native_get_header(l->in + l->in_start, &h) < 0)
			return item;
		if (h.type != NATIVE_DATA) {
			item.type = h.type;
			item.length = h.length;
			item.bytes = l->in + l->in_start + NATIVE_HEADER_SIZE;
			if (l->in_end - l->in_start <
			    NATIVE_HEADER_SIZE + (size_t)h.length) {
				item.kind = LINK_NONE;
			} else if (native_payload_valid(item.bytes, h.length)) {
				item.kind = LINK_CONTROL;
			}
			return item;
		}
		l->in_start += NATIVE_HEADER_SIZE;
		l->data_left = h.length;
		l->data_end = h.flags & NATIVE_END;
		l->in_data = h.length || l->data_end;
		item.kind = LINK_NONE;
	}
	return peek_data(l);
}

void link_take(struct link *l, const struct link_item *item, size_t n)
{
	if (item->kind == LINK_CONTROL) {
		l->in_start += NATIVE_HEADER_SIZE + item->length;
		return;
	}
	l->in_start += n;
	l->data_left -= (uint32_t)n;
	if (!l->data_left)
		l->in_data = false;
}

static bool is_accept(const uint8_t *payload, size_t length)
{
	char text[GUEST_NAME_MAX];
	uint64_t v;

	return native_payload_valid(payload, length) &&
	       !native_get_u64(payload, length, NATIVE_TAG_SESSION, &v) &&
	       !native_get_u64(payload, length, NATIVE_TAG_NONCE, &v) &&
	       !native_get_text(payload, length, NATIVE_TAG_USER, text,
				sizeof(text)) &&
	       !native_get_text(payload, length, NATIVE_TAG_APPLICATION, text,
				sizeof(text));
}

struct link_item link_hunt(struct link *l)
{
	struct link_item item = { .kind = LINK_NONE };
	size_t keep = l->in_end, at;
	struct native_header h;

	for (at = l->in_start; at < l->in_end; at++) {
		const uint8_t *p = l->in + at;

		if (l->in_end - at < NATIVE_HEADER_SIZE) {
			keep = at < keep ? at : keep;
			break;
		}
		if (native_get_header(p, &h) < 0 || h.type != NATIVE_ACCEPT ||
		    h.flags)
			continue;
		if (l->in_end - at < NATIVE_HEADER_SIZE + (size_t)h.length) {
			keep = at < keep ? at : keep;
			continue;
		}
		if (is_accept(p + NATIVE_HEADER_SIZE, h.length)) {
			l->in_start = at;
			return link_peek(l);
		}
	}
	l->in_start = keep;
	return item;
}

bool link_has_room(const struct link *l, size_t payload)
{
	return LINK_OUT_SIZE - (l->out_end - l->out_start) >=
	       NATIVE_HEADER_SIZE + payload + LINK_RESERVE;
}

static void make_room(struct link *l, size_t need)
{
	if (LINK_OUT_SIZE - l->out_end >= need || !l->out_start)
		return;
	memmove(l->out, l->out + l->out_start, l->out_end - l->out_start);
	l->out_end -= l->out_start;
	l->out_start = 0;
}

bool link_send(struct link *l, struct native_builder *b)
{
	size_t n = native_finish(b);

	make_room(l, n);
	if (!n || LINK_OUT_SIZE - l->out_end < n)
		return false;
	memcpy(l->out + l->out_end, b->bytes, n);
	l->out_end += n;
	return true;
}

void link_send_data(struct link *l, const void *bytes, size_t n, bool end)
{
	make_room(l, NATIVE_HEADER_SIZE + n);
	native_put_header(l->out + l->out_end, NATIVE_DATA,
			  end ? NATIVE_END : 0, (uint32_t)n);
	l->out_end += NATIVE_HEADER_SIZE;
	if (n)
		memcpy(l->out + l->out_end, bytes, n);
	l->out_end += n;
}

uint8_t *link_data_space(struct link *l)
{
	make_room(l, NATIVE_HEADER_SIZE + LINK_CHUNK);
	return l->out + l->out_end + NATIVE_HEADER_SIZE;
}

void link_commit_data(struct link *l, size_t n)
{
	native_put_header(l->out + l->out_end, NATIVE_DATA, 0, (uint32_t)n);
	l->out_end += NATIVE_HEADER_SIZE + n;
}
