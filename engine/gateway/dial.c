/*
 * From a named machine to an accepting one.
 *
 * tcp and unix endpoints: accept is the weak form, "connected and the PROXY
 * header handed to the kernel" (decisions.md 19); with identity NONE it is
 * "connected".  channel endpoints: ACCEPT(session, nonce) is sent and the
 * guest must echo exactly that pair.  The stream may begin with bytes of an
 * earlier session; all before the echo is forgotten, bounded in bytes and
 * time.  The nonce is fresh, so no earlier session can have left the echo.
 *
 * Failing here is not the end of the request: the engine hears whether the
 * machine was touched and names another or refuses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/gateway/internal.h"
#include "engine/wire/proxy_v2.h"

enum {
	SKIP_MAX = 4 * 1024 * 1024,	/* stale bytes before an echo */
	/* Kept while looking: an ERROR of the guest stands before its pair. */
	CARRY = NATIVE_HEADER_SIZE + NATIVE_CONTROL_MAX,
};

static void accepted(struct gateway *g, struct caller *c)
{
	struct message m = {
		.type = WIRE_TYPE_session_accepted,
		.incarnation = c->incarnation,
		.session_accepted = {
			.session = c->session, .machine = c->machine_id,
			.took_ms = g->poll.now_ms - c->assigned_ms,
		},
	};

	poll_timer_stop(&g->poll, &c->timer);
	c->accepted = true;
	caller_forget_asking(c);
	engine_link_send(g, &m, false);
	flow_start(g, c);
}

void dial_failed(struct gateway *g, struct caller *c, bool touched,
		    const char *text)
{
	struct message m = {
		.type = WIRE_TYPE_session_failed,
		.incarnation = c->incarnation,
		.session_failed = {
			.session = c->session, .machine = c->machine_id,
			.touched = touched, .text = slice_of(text),
		},
	};

	poll_timer_stop(&g->poll, &c->timer);
	end_close(g, &c->machine, true);
	map_remove(&g->by_session, c->session);
	c->session = 0;
	free(c->greeting);
	c->greeting = NULL;
	caller_move(c, CALLER_REQUESTED);
	engine_link_send(g, &m, true);
	/* What the client did meanwhile counts now. */
	c->client.watch.ready(g, &c->client.watch, 0);
}

socklen_t dial_parse(struct slice text, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;
	char copy[64], *colon, *end, *host = copy;

	memset(out, 0, sizeof(*out));
	if (!text_copy_slice(copy, sizeof(copy), text))
		return 0;
	colon = strrchr(copy, ':');
	if (!colon)
		return 0;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port == 0 || port > 65535)
		return 0;
	*colon = '\0';
	if (*host == '[' && colon > copy && colon[-1] == ']') {
		host++;
		colon[-1] = '\0';
	}
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return sizeof(*in6);
	}
	return 0;
}

socklen_t dial_parse_unix(struct slice path, struct sockaddr_storage *out)
{
	struct sockaddr_un *un = (void *)out;

	memset(out, 0, sizeof(*out));
	if (!path.length || !text_copy_slice(un->sun_path,
					     sizeof(un->sun_path), path))
		return 0;
	un->sun_family = AF_UNIX;
	return sizeof(*un);
}

void dial_any_port(struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		((struct sockaddr_in *)a)->sin_port = 0;
	else if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_port = 0;
}

int dial_connect_from(const struct sockaddr_storage *from, socklen_t from_length,
		      const struct sockaddr_storage *to, socklen_t length,
		      bool *done)
{
	static const int on = 1;
	int fd = socket(to->ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (to->ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (from_length) {
		/* The port is chosen at connect, when the pair is known. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
			   sizeof(on));
		if (bind(fd, (const struct sockaddr *)from, from_length) < 0)
			goto fail;
	}
	*done = connect(fd, (const struct sockaddr *)to, length) == 0;
	if (*done || errno == EINPROGRESS)
		return fd;
fail:;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

int dial_connect(const struct sockaddr_storage *to, socklen_t length, bool *done)
{
	return dial_connect_from(NULL, 0, to, length, done);
}

static size_t proxy_header(const struct caller *c,
			   const struct wire_session_assign *a, uint8_t *out)
{
	struct sockaddr_storage own;
	char id[32], incarnation[24];
	struct proxy_v2 p = {
		.authority = a->user, .listener = a->listener,
		.application = a->application,
	};

	snprintf(id, sizeof(id), "session/%llu",
		 (unsigned long long)caller_session(c));
	snprintf(incarnation, sizeof(incarnation), "%llu",
		 (unsigned long long)c->incarnation);
	p.unique_id = slice_of(id);
	p.incarnation = slice_of(incarnation);
	if (listener_address(c->listener, c->client.watch.fd, &own)) {
		p.source = (const struct sockaddr *)&c->peer;
		p.destination = (const struct sockaddr *)&own;
	}
	return proxy_v2_encode(&p, out, PROXY_V2_MAX);
}

/* The header goes out, or waits for the connect; then the session flows. */
static void dialed(struct gateway *g, struct caller *c, bool connected,
		   const struct wire_session_assign *a)
{
	uint8_t header[PROXY_V2_MAX];
	size_t n = 0;

	if (a->identity == WIRE_IDENTITY_PROXY) {
		n = proxy_header(c, a, header);
		if (!n) {
			dial_failed(g, c, false, "the PROXY header is too long");
			return;
		}
	}
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + a->accept_deadline_ms);
	/* Writing also tells whether a connect in progress has succeeded: on
	 * one host and often on one wire it has. */
	if (n && !end_put_raw(g, &c->machine, header, n))
		c->machine.out_dead = true;
	if (c->machine.out_dead) {
		dial_failed(g, c, connected, strerror(c->machine.out_error));
		return;
	}
	c->touched = connected;
	if (end_idle(&c->machine) && (connected || n)) {
		c->touched = true;
		accepted(g, c);
	}
}

static void open_tcp(struct gateway *g, struct caller *c,
		     const struct wire_session_assign *a)
{
	struct sockaddr_storage to;
	socklen_t length = dial_parse(a->address, &to);
	bool connected = false;
	int fd;

	caller_move(c, CALLER_DIALING);
	if (!length) {
		dial_failed(g, c, false, "its address is not IP:PORT");
		return;
	}
	fd = dial_connect(&to, length, &connected);
	if (fd < 0 || end_open(g, &c->machine, fd, false, false,
			       dial_ready) < 0) {
		dial_failed(g, c, false, strerror(errno));
		return;
	}
	c->machine.tcp = true;
	dialed(g, c, connected, a);
}

static void open_stream(struct gateway *g, struct caller *c, int fd,
			const struct wire_session_assign *a)
{
	caller_move(c, CALLER_DIALING);
	if (end_open(g, &c->machine, fd, false, true, dial_ready) < 0) {
		dial_failed(g, c, false, strerror(errno));
		return;
	}
	dialed(g, c, true, a);
}

static void open_channel(struct gateway *g, struct caller *c, int fd,
			 const struct wire_session_assign *a)
{
	struct native_builder b;
	char user[USER_MAX], application[NAME_MAX_BYTES];

	caller_move(c, CALLER_ACCEPTING);
	if (end_open(g, &c->machine, fd, true, true, dial_ready) < 0) {
		dial_failed(g, c, false, strerror(errno));
		return;
	}
	if (!text_copy_slice(user, sizeof(user), a->user) ||
	    !text_copy_slice(application, sizeof(application),
			     a->application)) {
		dial_failed(g, c, false, "user or application is too long");
		return;
	}
	native_begin(&b, NATIVE_ACCEPT, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, c->session);
	native_put_u64(&b, NATIVE_TAG_NONCE, c->nonce);
	native_put_text(&b, NATIVE_TAG_USER, user);
	native_put_text(&b, NATIVE_TAG_APPLICATION, application);
	native_put_u64(&b, NATIVE_TAG_INCARNATION, c->incarnation);
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + a->accept_deadline_ms);
	c->touched = true;
	if (!end_put_frame(g, &c->machine, &b) || c->machine.out_dead)
		dial_failed(g, c, true, "the channel is closed");
}

void dial_open(struct gateway *g, struct caller *c, struct message *m)
{
	const struct wire_session_assign *a = &m->session_assign;
	int fd;

	if (a->endpoint == WIRE_ENDPOINT_TCP) {
		open_tcp(g, c, a);
		return;
	}
	fd = wire_take_fd(m, 0);
	if (fd < 0) {
		caller_move(c, CALLER_DIALING);
		dial_failed(g, c, false, "no descriptor came with it");
	} else if (a->endpoint == WIRE_ENDPOINT_UNIX) {
		open_stream(g, c, fd, a);
	} else {
		open_channel(g, c, fd, a);
	}
}

/* The guest's ERROR that ends with the pair at `pair`; its text. */
static void refusal_text(const uint8_t *buffer, const uint8_t *pair, char *text,
			 size_t text_size)
{
	struct native_header h;
	const uint8_t *end = pair + PAIR_SIZE;

	snprintf(text, text_size, "the machine refused");
	if (pair - buffer < NATIVE_HEADER_SIZE)
		return;
	for (const uint8_t *at = pair - NATIVE_HEADER_SIZE; at >= buffer; at--) {
		const uint8_t *payload = at + NATIVE_HEADER_SIZE;
		char said[128];

		if (native_get_header(at, &h) < 0 || h.type != NATIVE_ERROR ||
		    payload + h.length != end)
			continue;
		if (native_get_text(payload, h.length, NATIVE_TAG_TEXT, said,
				    sizeof(said)) == 0)
			snprintf(text, text_size, "the machine refused: %s", said);
		return;
	}
}

/* Looks for the pair in what was read. */
static enum accept_result look(struct gateway *g, struct end *e, size_t have,
			       const uint8_t pair[PAIR_SIZE], char *text,
			       size_t text_size)
{
	uint8_t *buffer = g->stores.scratch;
	uint8_t header[NATIVE_HEADER_SIZE];
	uint8_t *at = memmem(buffer, have, pair, PAIR_SIZE);

	if (!at)
		return ACCEPT_MORE;
	native_put_header(header, NATIVE_ACCEPT, 0, PAIR_SIZE);
	if (at - buffer < NATIVE_HEADER_SIZE ||
	    memcmp(at - NATIVE_HEADER_SIZE, header, NATIVE_HEADER_SIZE)) {
		refusal_text(buffer, at, text, text_size);
		return ACCEPT_REFUSED;
	}
	end_keep(g, e, at + PAIR_SIZE,
		 have - (size_t)(at + PAIR_SIZE - buffer));
	e->in_fresh = true;
	return ACCEPT_ECHOED;
}

enum accept_result dial_hunt(struct gateway *g, struct end *e,
				uint64_t session, uint64_t nonce,
				size_t *skipped, char *text, size_t text_size)
{
	uint8_t pair[PAIR_SIZE], *buffer = g->stores.scratch;

	end_pair(pair, session, nonce);
	while (e->readable) {
		size_t have = 0, drop;

		if (e->in) {
			have = e->in->end - e->in->start;
			memcpy(buffer, e->in->bytes + e->in->start, have);
			end_consume(g, e, have);
		}
		ssize_t n = recv(e->watch.fd, buffer + have,
				 END_READ_MAX - have, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			e->readable = false;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			snprintf(text, text_size, "the channel closed");
			return ACCEPT_BROKEN;
		}
		have += n > 0 ? (size_t)n : 0;
		enum accept_result r = look(g, e, have, pair, text, text_size);
		if (r != ACCEPT_MORE)
			return r;
		drop = have > CARRY ? have - CARRY : 0;
		*skipped += drop;
		end_keep(g, e, buffer + drop, have - drop);
		if (*skipped > SKIP_MAX) {
			snprintf(text, text_size,
				 "the machine sends without accepting");
			return ACCEPT_BROKEN;
		}
	}
	return ACCEPT_MORE;
}

static void await_echo(struct gateway *g, struct caller *c)
{
	char text[200];

	end_flush(g, &c->machine);
	switch (dial_hunt(g, &c->machine, c->session, c->nonce, &c->skipped,
			     text, sizeof(text))) {
	case ACCEPT_MORE:
		break;
	case ACCEPT_ECHOED:
		accepted(g, c);
		break;
	case ACCEPT_REFUSED:
	case ACCEPT_BROKEN:
		dial_failed(g, c, true, text);
		break;
	}
}

int dial_outcome(struct gateway *g, struct end *e, uint32_t events)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return DIAL_PENDING;
	if (events & (EPOLLERR | EPOLLHUP))
		getsockopt(e->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		return error;
	if (!end_flush(g, e))
		return DIAL_PENDING;
	return e->out_dead ? e->out_error : 0;
}

static void await_connect(struct gateway *g, struct caller *c, uint32_t events)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	if (events & (EPOLLERR | EPOLLHUP))
		getsockopt(c->machine.watch.fd, SOL_SOCKET, SO_ERROR, &error,
			   &length);
	if (!error) {
		c->touched = true;
		if (!end_flush(g, &c->machine))
			return;
		error = c->machine.out_dead ? c->machine.out_error : 0;
	}
	if (error)
		dial_failed(g, c, c->touched, strerror(error));
	else
		accepted(g, c);
}

void dial_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct caller *c = POLL_OWNER(w, struct caller, machine.watch);

	end_note(&c->machine, events);
	switch ((enum caller_state)c->state) {
	case CALLER_DIALING:
		await_connect(g, c, events);
		break;
	case CALLER_ACCEPTING:
		await_echo(g, c);
		break;
	case CALLER_DRAINING:
		end_flush(g, &c->machine);
		relay_pump(g, &c->relay);
		break;
	case CALLER_FLOWING:
		relay_pump(g, &c->relay);
		break;
	case CALLER_OPENING:
	case CALLER_REQUESTED:
	case CALLER_CONFIRMING:
	case CALLER_LINGERING:
	case CALLER_GONE:
	case CALLER_STATES:
		break;
	}
}
