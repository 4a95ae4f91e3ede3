/*
 * A gateway under test: gateway_run in a child, the engine played by the test
 * over a socketpair, clients and machines on real sockets of 127.0.0.1, guests
 * on socketpairs.  Every wait has a deadline; a missed one bails out.
 */
#ifndef REMUDA_TESTS_GATEWAY_LAB_H
#define REMUDA_TESTS_GATEWAY_LAB_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/gateway.h"
#include "engine/wire/message.h"
#include "engine/wire/native.h"
#include "tests/tap.h"

enum { LAB_WAIT_MS = 10000 };

static const char lab_key[] = "the key of the site under test";

struct lab {
	int engine;
	pid_t pid;
	uint64_t term;
	struct sockaddr_un rendezvous;
	socklen_t rendezvous_length;
	struct wire_buffer packet;
};

static inline int64_t lab_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until fd has events; false at the deadline. */
static inline bool lab_poll(int fd, short events, int64_t ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, (int)ms) > 0;
}

static inline void lab_patience(int fd)
{
	struct timeval t = { .tv_sec = LAB_WAIT_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static inline void lab_start(struct lab *lab, struct gateway_limits limits)
{
	static int number;
	int pair[2], knock, key;

	*lab = (struct lab){ .term = 1 };
	signal(SIGPIPE, SIG_IGN);
	lab->rendezvous.sun_family = AF_UNIX;
	/* An abstract name: nothing to clean up. */
	int n = snprintf(lab->rendezvous.sun_path + 1, 64,
			 "remuda-test-%d-%d", (int)getpid(), number++);
	lab->rendezvous_length = (socklen_t)(
		offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	knock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	key = wire_memfd(lab_key, strlen(lab_key), NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    bind(knock, (struct sockaddr *)&lab->rendezvous,
		 lab->rendezvous_length) < 0 ||
	    listen(knock, 8) < 0 || key < 0)
		tap_bail("lab: %s", strerror(errno));
	fflush(stdout);
	lab->pid = fork();
	if (lab->pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (lab->pid == 0) {
		struct gateway_options o = {
			.index = 3, .term = lab->term, .engine_fd = pair[1],
			.rendezvous_fd = knock, .key_fd = key,
			.limits = limits, .confine = true,
		};

		close(pair[0]);
		log_open("gateway", 2,
			 getenv("LAB_DEBUG") ? LOG_DEBUG : LOG_ERROR);
		exit(gateway_run(&o));
	}
	close(pair[1]);
	close(knock);
	close(key);
	lab->engine = pair[0];
}

/* The next message, whatever it is; false at the deadline or at the end. */
static inline bool lab_next(struct lab *lab, struct message *m, int64_t ms)
{
	struct error err;

	int got = wire_next(&lab->packet, m, &err);
	if (got)
		return got > 0;
	if (!lab_poll(lab->engine, POLLIN, ms))
		return false;
	got = wire_receive_first(lab->engine, &lab->packet, m, &err);
	if (got < 0 && ms == LAB_WAIT_MS)
		tap_note("engine: %s", err.text);
	return got > 0;
}

/* The next message but counts; bails out when it is of another type. */
static inline struct message lab_expect(struct lab *lab, uint16_t type)
{
	struct message m;

	do {
		if (!lab_next(lab, &m, LAB_WAIT_MS))
			tap_bail("no %s came", wire_type_name(type));
	} while ((m.type == WIRE_TYPE_session_bytes ||
		  m.type == WIRE_TYPE_gateway_build ||
		  m.type == WIRE_TYPE_gateway_door) && type != m.type);
	if (m.type != type)
		tap_bail("%s came where %s was expected",
			 wire_type_name(m.type), wire_type_name(type));
	return m;
}

/* Nothing but byte counts arrives for a while. */
static inline bool lab_quiet(struct lab *lab, int64_t ms)
{
	int64_t until = lab_now_ms() + ms;
	struct message m;

	for (int64_t left = ms; left > 0; left = until - lab_now_ms()) {
		if (!lab_next(lab, &m, left))
			continue;
		if (m.type == WIRE_TYPE_session_bytes ||
		    m.type == WIRE_TYPE_gateway_door)
			continue;
		tap_note("unexpected %s", wire_type_name(m.type));
		return false;
	}
	return true;
}

static inline void lab_send(struct lab *lab, struct message *m)
{
	struct error err;
	int sent;

	while ((sent = wire_send(lab->engine, m, &err)) == 0)
		if (!lab_poll(lab->engine, POLLOUT, LAB_WAIT_MS))
			tap_bail("the gateway does not read");
	if (sent < 0)
		tap_bail("%s", err.text);
}

static inline void lab_greet(struct lab *lab)
{
	struct message m = lab_expect(lab, WIRE_TYPE_gateway_hello);

	if (!m.gateway_hello.fresh || m.gateway_hello.index != 3)
		tap_bail("a wrong hello");
	lab_expect(lab, WIRE_TYPE_gateway_ready);
}

/* A listening socket on 127.0.0.1; its port. */
static inline int lab_listen(uint16_t *port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(in);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(fd, 512) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &length) < 0)
		tap_bail("listen: %s", strerror(errno));
	*port = ntohs(in.sin_port);
	return fd;
}

static inline int lab_dial(uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	lab_patience(fd);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		tap_bail("connect: %s", strerror(errno));
	return fd;
}

static inline int lab_accept(int listening)
{
	int fd;

	if (!lab_poll(listening, POLLIN, LAB_WAIT_MS))
		tap_bail("nobody connected");
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	lab_patience(fd);
	return fd;
}

/* Sends a gateway_listener with a copy of fd. */
static inline void lab_offer(struct lab *lab, uint64_t id, const char *name,
			     int fd, enum wire_door door,
			     enum wire_user_source source, const char *user,
			     const char *application)
{
	struct message m = {
		.type = WIRE_TYPE_gateway_listener,
		.fds = { fd, -1 }, .fd_count = fd >= 0,
		.gateway_listener = {
			.listener = id, .name = slice_of(name),
			.door = (uint8_t)door, .user_source = (uint8_t)source,
			.user = slice_of(user),
			.application = slice_of(application),
		},
	};

	lab_send(lab, &m);
}

/* A new tcp listener; its port. */
static inline uint16_t lab_door(struct lab *lab, uint64_t id, const char *name,
				enum wire_door door,
				enum wire_user_source source, const char *user,
				const char *application)
{
	uint16_t port = 0;
	int fd = lab_listen(&port);

	lab_offer(lab, id, name, fd, door, source, user, application);
	close(fd);
	return port;
}

struct lab_assign {
	uint64_t conn, session, machine, incarnation, nonce;
	enum wire_endpoint endpoint;
	enum wire_identity identity;
	uint16_t port;		/* tcp */
	int fd;			/* channel, unix; closed after sending */
	int64_t deadline_ms;	/* 0: plenty */
};

static inline void lab_assign(struct lab *lab, struct lab_assign a)
{
	char address[32];
	struct message m = {
		.type = WIRE_TYPE_session_assign,
		.incarnation = a.incarnation,
		.fds = { -1, -1 },
		.session_assign = {
			.conn = a.conn, .session = a.session,
			.machine = a.machine, .machine_name = SLICE("mail-07"),
			.endpoint = (uint8_t)a.endpoint,
			.identity = (uint8_t)a.identity, .nonce = a.nonce,
			.user = SLICE("anna"), .application = SLICE("mail"),
			.listener = SLICE("desk"),
			.accept_deadline_ms = a.deadline_ms ? a.deadline_ms
							    : 5000,
		},
	};

	snprintf(address, sizeof(address), "127.0.0.1:%u", a.port);
	if (a.endpoint == WIRE_ENDPOINT_TCP) {
		m.session_assign.address = slice_of(address);
	} else {
		m.fds[0] = a.fd;
		m.fd_count = 1;
	}
	lab_send(lab, &m);
	if (m.fd_count)
		close(a.fd);
}

/* Reads exactly n bytes. */
static inline bool lab_read(int fd, void *out, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = recv(fd, (char *)out + done, n - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

static inline bool lab_write(int fd, const void *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t put = send(fd, (const char *)bytes + done, n - done, 0);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		done += (size_t)put;
	}
	return true;
}

/* The text that comes next. */
static inline bool lab_hears(int fd, const char *text)
{
	char got[256] = "";

	return lab_read(fd, got, strlen(text)) && !strcmp(got, text);
}

static inline bool lab_says(int fd, const char *text)
{
	return lab_write(fd, text, strlen(text));
}

/* 0: end of file; an errno: reset; -1: bytes came. */
static inline int lab_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	return n < 0 ? errno : n > 0 ? -1 : 0;
}

static inline void lab_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

struct lab_frame {
	struct native_header h;
	uint8_t payload[NATIVE_PAYLOAD_MAX];
};

static inline bool lab_frame(int fd, struct lab_frame *f)
{
	uint8_t header[NATIVE_HEADER_SIZE];

	return lab_read(fd, header, sizeof(header)) &&
	       native_get_header(header, &f->h) == 0 &&
	       lab_read(fd, f->payload, f->h.length);
}

static inline void lab_put(int fd, struct native_builder *b)
{
	size_t n = native_finish(b);

	if (!n || !lab_write(fd, b->bytes, n))
		tap_note("frame not sent: %s", strerror(errno));
}

static inline uint64_t lab_u64(const struct lab_frame *f, enum native_tag tag)
{
	uint64_t v = 0;

	native_get_u64(f->payload, f->h.length, tag, &v);
	return v;
}

static inline const char *lab_text(const struct lab_frame *f,
				   enum native_tag tag)
{
	static char text[NATIVE_CONTROL_MAX];

	if (native_get_text(f->payload, f->h.length, tag, text,
			    sizeof(text)) < 0)
		return "(none)";
	return text;
}

static inline void lab_put_pair(int fd, enum native_type type,
				uint64_t session, uint64_t nonce)
{
	struct native_builder b;

	native_begin(&b, type, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, session);
	native_put_u64(&b, NATIVE_TAG_NONCE, nonce);
	lab_put(fd, &b);
}

static inline void lab_put_data(int fd, const void *bytes, size_t n,
				uint8_t flags)
{
	uint8_t header[NATIVE_HEADER_SIZE];

	native_put_header(header, NATIVE_DATA, flags, (uint32_t)n);
	lab_write(fd, header, sizeof(header));
	lab_write(fd, bytes, n);
}

/* Knocks with a proof made of key and term; the connection. */
static inline int lab_knock(struct lab *lab, uint64_t term, const char *key)
{
	uint8_t digest[32];
	char text[64], hex[65];
	unsigned length = sizeof(digest);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int n = snprintf(text, sizeof(text), "gateway-adopt 3 %llu",
			 (unsigned long long)term);

	HMAC(EVP_sha256(), key, (int)strlen(key), (uint8_t *)text, (size_t)n,
	     digest, &length);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	struct message m = {
		.type = WIRE_TYPE_gateway_adopt,
		.gateway_adopt = { .index = 3, .term = term,
				   .proof = slice_of(hex) },
	};
	if (connect(fd, (struct sockaddr *)&lab->rendezvous,
		    lab->rendezvous_length) < 0)
		tap_bail("rendezvous: %s", strerror(errno));
	wire_send(fd, &m, NULL);
	return fd;
}

/* Waits for the gateway's exit; its code, or -1. */
static inline int lab_wait_exit(struct lab *lab, int64_t ms)
{
	int64_t until = lab_now_ms() + ms;
	int status;

	while (waitpid(lab->pid, &status, WNOHANG) == 0) {
		if (lab_now_ms() > until)
			return -1;
		poll(NULL, 0, 5);
	}
	lab->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/* Stops the gateway and checks that it went of its own will. */
static inline void lab_stop(struct lab *lab)
{
	struct message m = { .type = WIRE_TYPE_gateway_stop };
	int code;

	lab_send(lab, &m);
	code = lab_wait_exit(lab, LAB_WAIT_MS);
	is_int(code, 0, "the gateway exits when told to stop");
	if (code == -1)
		kill(lab->pid, SIGKILL);
	close(lab->engine);
}

#endif
