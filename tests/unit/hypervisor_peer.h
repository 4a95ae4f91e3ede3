/*
 * The engine's side of the hypervisor role, for its tests: starts the role in
 * a child process and speaks its messages.  Every wait has a deadline.
 */
#ifndef REMUDA_TESTS_HYPERVISOR_PEER_H
#define REMUDA_TESTS_HYPERVISOR_PEER_H

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/hypervisor.h"
#include "engine/wire/message.h"
#include "tests/tap.h"

enum { PEER_EVENTS = 512, PEER_STATS = 64 };

static const char peer_key[] = "0123456789abcdef0123456789abcdef";

/* A received call_done; texts copied, fd owned or -1. */
struct peer_done {
	uint64_t request;
	uint64_t machine, incarnation;
	int result;
	int64_t code;
	uint32_t evidence;
	char out[32 * 1024], errout[32 * 1024], text[1024];
	size_t out_length, errout_length;
	int fd;
};

struct peer_seen {
	uint64_t poll, machine, incarnation;
	char uuid[40], name[64];
	int state, owner;
};

struct peer_hint {
	char uuid[40];
	int kind;
	int64_t at_us;
};

struct peer {
	int fd;
	pid_t pid;
	uint64_t requests;
	struct wire_buffer buf;
	int ready;
	int states;			/* host_state messages so far */
	struct wire_host_state state;	/* the last; texts below */
	char uri[256], version[128], text[1024];
	int done_count, seen_count, hint_count;
	struct peer_done *done[64];
	struct peer_seen seen[PEER_EVENTS];
	struct peer_hint hints[PEER_EVENTS];
	int stats_count;
	struct wire_domain_stats stats[PEER_STATS];	/* without uuid */
};

static inline int64_t peer_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* As another user when uid is not 0 (with that one group). */
static inline void peer_start_as(struct peer *p, uid_t uid, gid_t gid)
{
	int pair[2];

	memset(p, 0, sizeof(*p));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair) < 0)
		tap_bail("socketpair: %s", strerror(errno));
	fflush(stdout);
	p->pid = fork();
	if (p->pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (p->pid == 0) {
		close(pair[0]);
		if (uid && (setgroups(1, &gid) < 0 || setgid(gid) < 0 ||
			    setuid(uid) < 0))
			_exit(2);
		log_open("hypervisor", 2, getenv("REMUDA_TEST_LOG") ? LOG_DEBUG :
								      LOG_ERROR);
		exit(hypervisor_run(pair[1]));
	}
	close(pair[1]);
	p->fd = pair[0];
}

static inline void peer_start(struct peer *p)
{
	peer_start_as(p, 0, 0);
}

static inline void peer_keep_done(struct peer *p, struct message *m)
{
	struct peer_done *d = calloc(1, sizeof(*d));

	if (!d || p->done_count == 64)
		tap_bail("too many answers nobody waits for");
	d->request = m->request;
	d->incarnation = m->incarnation;
	d->machine = m->call_done.machine;
	d->result = m->call_done.result;
	d->code = m->call_done.code;
	d->evidence = m->call_done.evidence;
	d->out_length = m->call_done.out.length;
	d->errout_length = m->call_done.errout.length;
	text_copy_slice(d->out, sizeof(d->out), m->call_done.out);
	text_copy_slice(d->errout, sizeof(d->errout), m->call_done.errout);
	text_copy_slice(d->text, sizeof(d->text), m->call_done.text);
	d->fd = wire_take_fd(m, 0);
	p->done[p->done_count++] = d;
}

static inline void peer_keep(struct peer *p, struct message *m)
{
	struct peer_seen *seen;
	struct peer_hint *hint;

	switch (m->type) {
	case WIRE_TYPE_role_ready:
		p->ready++;
		break;
	case WIRE_TYPE_host_state:
		p->states++;
		p->state = m->host_state;
		text_copy_slice(p->uri, sizeof(p->uri), m->host_state.uri);
		text_copy_slice(p->version, sizeof(p->version),
				m->host_state.version);
		text_copy_slice(p->text, sizeof(p->text), m->host_state.text);
		break;
	case WIRE_TYPE_call_done:
		peer_keep_done(p, m);
		break;
	case WIRE_TYPE_domain_seen:
		if (p->seen_count == PEER_EVENTS)
			tap_bail("too many domains");
		seen = &p->seen[p->seen_count++];
		seen->poll = m->domain_seen.poll;
		seen->machine = m->domain_seen.machine;
		seen->incarnation = m->incarnation;
		seen->state = m->domain_seen.state;
		seen->owner = m->domain_seen.owner;
		text_copy_slice(seen->uuid, sizeof(seen->uuid),
				m->domain_seen.uuid);
		text_copy_slice(seen->name, sizeof(seen->name),
				m->domain_seen.name);
		break;
	case WIRE_TYPE_domain_hint:
		hint = &p->hints[p->hint_count++ % PEER_EVENTS];
		hint->kind = m->domain_hint.kind;
		hint->at_us = peer_now_us();
		text_copy_slice(hint->uuid, sizeof(hint->uuid),
				m->domain_hint.uuid);
		break;
	case WIRE_TYPE_domain_stats:
		if (p->stats_count == PEER_STATS)
			tap_bail("too many statistics");
		p->stats[p->stats_count] = m->domain_stats;
		p->stats[p->stats_count++].uuid = SLICE("");
		break;
	default:
		tap_bail("unexpected message %s", wire_type_name(m->type));
	}
}

/* Takes in messages until one came or the deadline; false at the deadline. */
static inline bool peer_pump(struct peer *p, int64_t deadline_us)
{
	struct message m;
	struct error err;
	int rc;

	while ((rc = wire_receive(p->fd, &p->buf, &m, &err)) == 0) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
		int64_t left_ms = (deadline_us - peer_now_us()) / 1000;

		if (left_ms <= 0)
			return false;
		poll(&pfd, 1, (int)left_ms);
	}
	if (rc < 0) {
		int status = -1;

		waitpid(p->pid, &status, 0);
		tap_bail("the role is gone: %s (exit status 0x%x)", err.text,
			 (unsigned int)status);
	}
	peer_keep(p, &m);
	wire_close_fds(&m);
	return true;
}

/* Sends a call; returns its request id. */
static inline uint64_t peer_send(struct peer *p, struct message *m)
{
	struct error err;

	m->request = ++p->requests;
	if (wire_send(p->fd, m, &err) != 1)
		tap_bail("send: %s", err.text);
	return m->request;
}

/* The answer to a call, malloc'd; bails out after ms. */
static inline struct peer_done *peer_wait(struct peer *p, uint64_t request,
					  int64_t ms)
{
	int64_t deadline_us = peer_now_us() + ms * 1000;

	for (;;) {
		for (int i = 0; i < p->done_count; i++) {
			struct peer_done *d = p->done[i];

			if (d->request == request) {
				p->done[i] = p->done[--p->done_count];
				return d;
			}
		}
		if (!peer_pump(p, deadline_us))
			tap_bail("no answer to call %llu within %lld ms",
				 (unsigned long long)request, (long long)ms);
	}
}

static inline struct peer_done *peer_call(struct peer *p, struct message *m,
					  int64_t ms)
{
	return peer_wait(p, peer_send(p, m), ms);
}

/* Calls and returns the result only. */
static inline int peer_result(struct peer *p, struct message *m, int64_t ms)
{
	struct peer_done *d = peer_call(p, m, ms);
	int result = d->result;

	if (d->fd >= 0)
		close(d->fd);
	if (d->text[0])
		tap_note("%s: %s", wire_type_name(m->type), d->text);
	free(d);
	return result;
}

static inline struct peer_done *peer_open_host(struct peer *p, const char *uri,
					       int64_t ms)
{
	struct message m = {
		.type = WIRE_TYPE_host_open,
		.host_open = { .uri = slice_of(uri), .site = SLICE("lab"),
			       .key = slice_of(peer_key),
			       .storage = slice_of(getenv("LAB_STORAGE")) },
	};

	return peer_call(p, &m, ms);
}

/* Polls; p->seen has the result. */
static inline int peer_poll(struct peer *p, int64_t ms)
{
	struct message m = { .type = WIRE_TYPE_host_poll };

	p->seen_count = 0;
	m.host_poll.poll = p->requests + 1;
	return peer_result(p, &m, ms);
}

static inline const struct peer_seen *peer_find(const struct peer *p,
						const char *name)
{
	for (int i = 0; i < p->seen_count; i++)
		if (strcmp(p->seen[i].name, name) == 0)
			return &p->seen[i];
	return NULL;
}

/* Waits for a hint of that kind since hint number `from`; NULL when none. */
static inline const struct peer_hint *peer_wait_hint(struct peer *p, int from,
						     const char *uuid, int kind,
						     int64_t ms)
{
	int64_t deadline_us = peer_now_us() + ms * 1000;

	do {
		for (int i = from; i < p->hint_count; i++) {
			struct peer_hint *h = &p->hints[i % PEER_EVENTS];

			if (h->kind == kind && strcmp(h->uuid, uuid) == 0)
				return h;
		}
	} while (peer_pump(p, deadline_us));
	return NULL;
}

/* Closes the socket and waits for the role's end; its wait status. */
static inline int peer_stop(struct peer *p)
{
	int status = -1;

	close(p->fd);
	for (int i = 0; i < p->done_count; i++) {
		if (p->done[i]->fd >= 0)
			close(p->done[i]->fd);
		free(p->done[i]);
	}
	waitpid(p->pid, &status, 0);
	return status;
}

#endif
