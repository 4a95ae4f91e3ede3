/*
 * Client side of the control protocol; see client.h.  The engine is trusted no
 * further than the protocol says: lines are capped, parsed strictly, and what
 * is shown of them goes through text_display by whoever shows it.
 */
#include "console/client.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "console/clock.h"
#include "console/paths.h"
#include "engine/base/error.h"
#include "engine/wire/control.h"

enum {
	READ_STEP = 16 * 1024,
	UNSENT_MAX = 4 * 1024 * 1024,
};

void client_init(struct client *c)
{
	*c = (struct client){ .fd = -1 };
}

static void drop_connection(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->in_used = c->in_scanned = c->out_used = 0;
}

void client_close(struct client *c)
{
	const volatile int *stop = c->stop;

	drop_connection(c);
	json_decref(c->hello);
	free(c->in);
	free(c->out);
	client_init(c);
	c->stop = stop;
}

/* Ends the connection; the caller returns what this returns. */
static int lost(struct client *c, enum client_trouble trouble)
{
	c->trouble = trouble;
	drop_connection(c);
	return -1;
}

static int take_hello(struct client *c, int64_t timeout_ms, struct error *err)
{
	json_t *line;
	int got = client_wait(c, &line, timeout_ms, err);
	const char *hello;

	if (got < 0)
		return -1;
	if (got == 0) {
		error_set(err, "the engine is there but does not answer");
		return lost(c, CLIENT_TIMEOUT);
	}
	hello = json_string_value(json_object_get(line, "hello"));
	if (!hello || strcmp(hello, "remuda") != 0) {
		json_decref(line);
		error_set(err, "what listens there is not a Remuda engine");
		return lost(c, CLIENT_PROTOCOL);
	}
	json_decref(c->hello);
	c->hello = line;
	c->api = (int)json_integer_value(json_object_get(line, "api"));
	return 0;
}

int client_adopt(struct client *c, int fd, int64_t timeout_ms,
		 struct error *err)
{
	drop_connection(c);
	c->trouble = CLIENT_FINE;
	c->fd = fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)) {
		error_errno(err, "control connection");
		return lost(c, CLIENT_UNREACHABLE);
	}
	return take_hello(c, timeout_ms, err);
}

int client_connect(struct client *c, const char *path, int64_t timeout_ms,
		   struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* connect(2) on a unix socket waits while the backlog is full. */
	struct timeval limit = { .tv_sec = timeout_ms / 1000,
				 .tv_usec = timeout_ms % 1000 * 1000 + 1 };
	int64_t began_ms = now_ms();
	int fd;

	drop_connection(c);
	c->trouble = CLIENT_UNREACHABLE;
	if (paths_check_socket(path, err))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, "socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		if (errno == EAGAIN)
			c->trouble = CLIENT_TIMEOUT;
		if (errno == EACCES || errno == EPERM)
			c->trouble = CLIENT_DENIED;
		error_errno(err, "%s", path);
		close(fd);
		return -1;
	}
	timeout_ms -= now_ms() - began_ms;
	return client_adopt(c, fd, timeout_ms > 1 ? timeout_ms : 1, err);
}

bool client_may_change(const struct client *c)
{
	const char *rights =
		json_string_value(json_object_get(c->hello, "rights"));

	return c->api == CONTROL_API && rights && strcmp(rights, "change") == 0;
}

static void reserve(char **buffer, size_t *size, size_t need)
{
	if (need <= *size)
		return;
	*size = need * 2;
	*buffer = realloc(*buffer, *size);
	if (!*buffer)
		abort();
}

size_t client_unsent(const struct client *c)
{
	return c->out_used;
}

int client_flush(struct client *c, struct error *err)
{
	size_t sent = 0;

	if (c->fd < 0)
		return error_set(err, "no connection to the engine");
	while (sent < c->out_used) {
		ssize_t n = send(c->fd, c->out + sent, c->out_used - sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			error_errno(err, "the engine went away");
			return lost(c, CLIENT_UNREACHABLE);
		}
		sent += (size_t)n;
	}
	memmove(c->out, c->out + sent, c->out_used - sent);
	c->out_used -= sent;
	return 0;
}

int64_t client_send(struct client *c, json_t *message, struct error *err)
{
	int64_t id = 0;
	size_t length;
	char *line;

	if (json_object_get(message, "verb")) {
		id = ++c->last_id;
		json_object_set_new(message, "id", json_integer(id));
	}
	line = control_print(message, &length);
	json_decref(message);
	if (!line)
		return error_errno(err, "request");
	if (length > CONTROL_LINE_MAX) {
		free(line);
		return error_set(err, "a request of %zu bytes is too long",
				 length);
	}
	if (c->out_used + length > UNSENT_MAX) {
		free(line);
		error_set(err, "the engine does not read what is sent to it");
		return lost(c, CLIENT_TIMEOUT);
	}
	reserve(&c->out, &c->out_size, c->out_used + length);
	memcpy(c->out + c->out_used, line, length);
	c->out_used += length;
	free(line);
	return client_flush(c, err) ? -1 : id;
}

/* The first whole line in the buffer: 1, 0 or -1 as client_receive. */
static int buffered_line(struct client *c, json_t **line, struct error *err)
{
	char *end = c->in_used > c->in_scanned
			    ? memchr(c->in + c->in_scanned, '\n',
				     c->in_used - c->in_scanned)
			    : NULL;
	size_t length;

	c->in_scanned = c->in_used;
	if (!end) {
		if (c->in_used <= CONTROL_LINE_MAX)
			return 0;
		error_set(err, "the engine sent a line of more than %d bytes",
			  CONTROL_LINE_MAX);
		return lost(c, CLIENT_PROTOCOL);
	}
	length = (size_t)(end - c->in);
	*line = control_parse(c->in, length, err);
	c->in_used -= length + 1;
	memmove(c->in, end + 1, c->in_used);
	c->in_scanned = 0;
	if (*line)
		return 1;
	error_wrap(err, "bad line from the engine");
	return lost(c, CLIENT_PROTOCOL);
}

int client_receive(struct client *c, json_t **line, struct error *err)
{
	int got;

	*line = NULL;
	if (c->fd < 0)
		return error_set(err, "no connection to the engine");
	while ((got = buffered_line(c, line, err)) == 0) {
		ssize_t n;

		reserve(&c->in, &c->in_size, c->in_used + READ_STEP);
		n = recv(c->fd, c->in + c->in_used, READ_STEP, 0);
		if (n > 0) {
			c->in_used += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n == 0)
			error_set(err, "the engine closed the connection");
		else
			error_errno(err, "the engine went away");
		return lost(c, CLIENT_UNREACHABLE);
	}
	return got;
}

int client_wait(struct client *c, json_t **line, int64_t timeout_ms,
		struct error *err)
{
	int64_t deadline_ms = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - now_ms();
		int got = client_receive(c, line, err);

		if (got)
			return got;
		if (c->stop && *c->stop) {
			error_set(err, "interrupted");
			return lost(c, CLIENT_INTERRUPTED);
		}
		if (left_ms <= 0)
			return 0;
		if (client_unsent(c))
			p.events |= POLLOUT;
		if (poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms) < 0 &&
		    errno != EINTR) {
			error_errno(err, "poll");
			return lost(c, CLIENT_UNREACHABLE);
		}
		if ((p.revents & POLLOUT) && client_flush(c, err))
			return -1;
	}
}

/* Puts the items of an earlier part in front of those of this one. */
static void join_parts(json_t *answer, json_t *earlier)
{
	json_t *all = json_copy(json_object_get(earlier, "items"));

	json_array_extend(all, json_object_get(answer, "items"));
	json_object_set_new(answer, "items", all);
	json_decref(earlier);
}

json_t *client_call(struct client *c, json_t *request, int64_t timeout_ms,
		    struct error *err)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int64_t id = client_send(c, request, err);
	json_t *parts = NULL, *line;

	while (id > 0) {
		int got = client_wait(c, &line, deadline_ms - now_ms(), err);

		if (got == 0) {
			error_set(err, "no answer from the engine in time");
			c->trouble = CLIENT_TIMEOUT;
		}
		if (got <= 0)
			break;
		if (json_integer_value(json_object_get(line, "id")) != id) {
			json_decref(line);
			continue;
		}
		if (!json_is_boolean(json_object_get(line, "ok"))) {
			json_decref(line);
			error_set(err, "answer without \"ok\" from the engine");
			lost(c, CLIENT_PROTOCOL);
			break;
		}
		if (json_is_array(json_object_get(parts, "items")) &&
		    json_is_array(json_object_get(line, "items")))
			join_parts(line, parts);
		else
			json_decref(parts);
		parts = line;
		if (!json_is_true(json_object_get(line, "more")))
			return line;
		json_object_del(line, "more");
	}
	if (id > 0 && c->trouble == CLIENT_FINE)
		c->trouble = CLIENT_UNREACHABLE;
	json_decref(parts);
	return NULL;
}

int client_read_only(struct client *c, int64_t timeout_ms, struct error *err)
{
	json_t *answer = client_call(c, json_pack("{s:s, s:b}", "verb",
						  "read_only", "on", 1),
				     timeout_ms, err);
	bool promised = json_is_true(json_object_get(answer, "ok"));

	if (answer && !promised)
		error_set(err, "the engine does not know read-only connections");
	json_decref(answer);
	return promised ? 0 : -1;
}
