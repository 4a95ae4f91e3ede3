/* Tunnels; see tunnel.h.  Nothing here waits. */
#include "engine/ssh/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/wire/message.h"

/* OpenSSH's -W, and so its -J, says this of itself (channels.c). */
static const char stdio_address[] = "127.0.0.1";
enum { STDIO_PORT = 65535 };

/*
 * libssh cannot put words into a channel's refusal.  A client that came for
 * this one channel is told as it is sent away; others get the refusal and the
 * words as a debug message (ssh -v).
 */
static void refuse(struct tunnel *t, ssh_session session, const char *text)
{
	char said[256];

	text_display(said, sizeof(said), text, strlen(text));
	log_debug("refused: %s", said);
	if (t->only) {
		ssh_session_set_disconnect_message(session, said);
		ssh_disconnect(session);
		return;
	}
	ssh_send_debug(session, said, 1);
	ssh_message_reply_default(t->open);
}

void tunnel_close(struct tunnel *t)
{
	if (t->fd >= 0 && t->channel && t->held > t->held_at)
		log_debug("%zu bytes of the client are lost", t->held - t->held_at);
	if (t->fd >= 0)
		close(t->fd);
	if (t->open)
		ssh_message_free(t->open);
	if (t->channel)
		ssh_channel_free(t->channel);
	list_remove(&t->link);
	free(t);
}

/* The gateway gets one end of a new pair. */
static int ask(struct tunnel *t, int gateway_fd, const char *application,
	       struct error *err)
{
	struct message m = { .type = WIRE_TYPE_ssh_open, .fd_count = 1,
			     .ssh_open = { slice_of(application) } };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return error_errno(err, "socketpair");
	m.fds[0] = pair[1];
	int rc = wire_send(gateway_fd, &m, err);
	close(pair[1]);
	if (rc > 0) {
		t->fd = pair[0];
		return 0;
	}
	close(pair[0]);
	return rc < 0 ? -1 : error_set(err, "the gateway is busy");
}

void tunnel_open(ssh_session session, struct list *tunnels, int gateway_fd,
		 ssh_message m, bool first)
{
	const char *host = ssh_message_channel_request_open_destination(m);
	const char *from = ssh_message_channel_request_open_originator(m);
	struct tunnel *t = calloc(1, sizeof(*t));
	struct error err = { "" };
	size_t count = 0;

	CHECK("", t, "out of memory");
	LIST_EACH(tunnels, it)
		count++;
	t->fd = -1;
	t->open = m;
	t->only = first && from && strcmp(from, stdio_address) == 0 &&
		  ssh_message_channel_request_open_originator_port(m) == STDIO_PORT;
	list_add_tail(tunnels, &t->link);
	if (!host || !text_is_name(host))
		error_set(&err, "\"%.60s\" is not the name of an application", host ? host : "");
	else if (count >= TUNNELS_MAX)
		error_set(&err, "this connection has %d channels already", TUNNELS_MAX);
	else if (ask(t, gateway_fd, host, &err) == 0)
		return;
	refuse(t, session, err.text);
	tunnel_close(t);
}

static bool may_write(const struct tunnel *t, ssh_session session)
{
	return !t->out_ended && !(ssh_get_poll_flags(session) & SSH_WRITE_PENDING) &&
	       ssh_channel_window_size(t->channel) > 0;
}

short tunnel_wants(const struct tunnel *t, ssh_session session)
{
	if (!t->channel)
		return POLLIN;
	return (short)((may_write(t, session) ? POLLIN : 0) |
		       (t->held ? POLLOUT : 0));
}

/* The gateway's first byte, and with a refusal its sentence. */
static bool answer(struct tunnel *t, ssh_session session)
{
	char text[512] = "";
	ssize_t n = recv(t->fd, text, 1, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n == 1 && text[0] == SSH_OPENED) {
		t->channel = ssh_message_channel_request_open_reply_accept(t->open);
		ssh_message_free(t->open);
		t->open = NULL;
		return t->channel != NULL;
	}
	/* It came in one piece: a socket pair keeps together what fits. */
	n = n == 1 ? recv(t->fd, text, sizeof(text) - 1, 0) : -1;
	text[n > 0 ? n : 0] = '\0';
	refuse(t, session, n > 0 ? text : "the gateway ended this request");
	return false;
}

static void to_client(struct tunnel *t, ssh_session session)
{
	while (may_write(t, session)) {
		char block[TUNNEL_BLOCK];
		uint32_t window = ssh_channel_window_size(t->channel);
		ssize_t n = recv(t->fd, block, window < sizeof(block) ? window :
				 sizeof(block), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			t->out_ended = true;
			ssh_channel_send_eof(t->channel);
			return;
		}
		if (ssh_channel_write(t->channel, block, (uint32_t)n) != n)
			return;	/* the session broke; the loop sees it */
	}
}

/* The stream took all of the block. */
static bool empty(struct tunnel *t)
{
	while (t->held_at < t->held) {
		ssize_t n = send(t->fd, t->block + t->held_at,
				 t->held - t->held_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0)	/* nobody reads: the gateway closed */
			break;
		t->held_at += (size_t)n;
	}
	t->held = t->held_at = 0;
	return true;
}

static void to_machine(struct tunnel *t)
{
	while (!t->in_ended && empty(t)) {
		int n = ssh_channel_read_nonblocking(t->channel, t->block,
						     sizeof(t->block), 0);

		if (n > 0) {
			t->held = (size_t)n;
			continue;
		}
		if (n == 0 && !ssh_channel_is_eof(t->channel) &&
		    !ssh_channel_is_closed(t->channel))
			return;
		t->in_ended = true;
		shutdown(t->fd, SHUT_WR);
	}
}

bool tunnel_pump(struct tunnel *t, ssh_session session)
{
	short events = t->events;

	t->events = 0;
	if (!t->channel) {
		if ((events & (POLLIN | POLLHUP)) && !answer(t, session)) {
			tunnel_close(t);
			return false;
		}
		return true;
	}
	to_machine(t);
	if (events & (POLLIN | POLLHUP))
		to_client(t, session);
	/* HUP: the gateway closed both ways, not only its own. */
	bool over = t->out_ended && (t->in_ended || events & POLLHUP);
	if (!over && !(t->in_ended && ssh_channel_is_closed(t->channel)))
		return true;
	ssh_channel_close(t->channel);
	tunnel_close(t);
	return false;
}
