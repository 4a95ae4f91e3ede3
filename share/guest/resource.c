/*
 * `remuda-guest resource NAME`: a resource on standard input and output.
 *
 * Reads nothing from standard input before the host accepted, so a refused
 * caller loses nothing.  End of input is a half-close; end of the resource's
 * answer closes standard output.  Exit 0 only when both directions ended as
 * they should; 6 when refused or cut short, with the reason on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "share/guest/guest.h"

struct caller {
	const char *name;
	struct link serve;
	bool accepted;
	bool input_ended;	/* END was queued */
	bool output_ended;	/* END was received */
};

static int refused(struct caller *c, const struct link_item *item)
{
	char code[GUEST_NAME_MAX], text[GUEST_TEXT_MAX];

	if (native_get_text(item->bytes, item->length, NATIVE_TAG_CODE, code,
			    sizeof(code)) < 0 ||
	    native_get_text(item->bytes, item->length, NATIVE_TAG_TEXT, text,
			    sizeof(text)) < 0)
		guest_warn("resource %s: refused without a reason", c->name);
	else
		guest_warn("resource %s: %s (%s)", c->name, text, code);
	return EXIT_REFUSED;
}

static int write_all(const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(STDOUT_FILENO, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			guest_warn("standard output: %s", strerror(errno));
			return -1;
		}
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Takes what serve sent; an exit code, or -1 to go on. */
static int take_frames(struct caller *c)
{
	for (;;) {
		struct link_item item = link_peek(&c->serve);

		switch (item.kind) {
		case LINK_NONE:
			return -1;
		case LINK_BROKEN:
			guest_warn("resource %s: the helper broke the protocol",
				   c->name);
			return EXIT_REFUSED;
		case LINK_CONTROL:
			if (item.type == NATIVE_ERROR)
				return refused(c, &item);
			c->accepted = item.type == NATIVE_ACCEPT;
			break;
		case LINK_DATA:
			if (write_all(item.bytes, item.length) < 0)
				return 1;
			if (item.end) {
				c->output_ended = true;
				close(STDOUT_FILENO);
			}
			break;
		}
		link_take(&c->serve, &item, item.length);
	}
}

/* One read of standard input into a frame; false when it failed. */
static bool take_input(struct caller *c)
{
	uint8_t *space = link_data_space(&c->serve);
	ssize_t n = read(STDIN_FILENO, space, LINK_CHUNK);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n < 0) {
		guest_warn("standard input: %s", strerror(errno));
		return false;
	}
	if (n > 0) {
		link_commit_data(&c->serve, (size_t)n);
		return true;
	}
	link_send_data(&c->serve, NULL, 0, true);
	c->input_ended = true;
	return true;
}

static int converse(struct caller *c)
{
	for (;;) {
		bool unsent = c->serve.out_start != c->serve.out_end;
		bool want_input = c->accepted && !c->input_ended &&
				  link_has_room(&c->serve, LINK_CHUNK);
		struct pollfd p[2] = {
			{ .fd = c->serve.fd,
			  .events = POLLIN | (unsent ? POLLOUT : 0) },
			{ .fd = want_input ? STDIN_FILENO : -1,
			  .events = POLLIN },
		};
		int code;

		if (c->output_ended && c->input_ended && !unsent)
			return 0;
		if (poll(p, 2, -1) < 0 && errno != EINTR) {
			guest_warn("poll: %s", strerror(errno));
			return 1;
		}
		link_fill(&c->serve);
		code = take_frames(c);
		if (code >= 0)
			return code;
		if (p[1].revents && !take_input(c))
			return 1;
		link_flush(&c->serve);
		if (c->serve.ended && !c->output_ended) {
			guest_warn("resource %s: connection lost", c->name);
			return EXIT_REFUSED;
		}
		if (c->serve.deaf && !(c->input_ended && c->output_ended)) {
			guest_warn("resource %s: connection closed before all "
				   "input was taken", c->name);
			return EXIT_REFUSED;
		}
	}
}

int resource_main(int argc, char **argv)
{
	struct caller c = { .name = argc == 2 ? argv[1] : NULL };
	char path[GUEST_PATH_MAX], tail[GUEST_PATH_MAX];
	int fd, epoll_fd, code;

	if (!c.name || strchr(c.name, '/')) {
		guest_warn("usage: remuda-guest resource NAME");
		return EXIT_USAGE;
	}
	snprintf(tail, sizeof(tail), "resource/%s", c.name);
	if (guest_run_path(path, tail) < 0)
		return EXIT_REFUSED;
	signal(SIGPIPE, SIG_IGN);
	fd = guest_connect(path, SOCK_STREAM);
	if (fd < 0)
		return EXIT_REFUSED;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	/* The link wants an epoll; two descriptors are polled here instead. */
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || link_adopt(&c.serve, fd, epoll_fd) < 0) {
		guest_warn("epoll: %s", strerror(errno));
		return 1;
	}
	close(epoll_fd);
	code = converse(&c);
	link_close(&c.serve);
	return code;
}
