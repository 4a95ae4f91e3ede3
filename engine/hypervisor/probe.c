/* See probe.h.  Everything here runs on the main thread. */
#include "engine/hypervisor/probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/role.h"

struct probe {
	struct list link;
	struct source source;
	struct job *job;
	char address[96];
	int64_t timeout_ms, deadline_ms;
};

void probe_init(struct probes *p)
{
	list_init(&p->active);
	p->count = 0;
}

static void free_probe(struct role *role, struct probe *probe)
{
	list_remove(&probe->link);
	role->probes.count--;
	if (probe->source.fd >= 0)
		close(probe->source.fd);
	job_free(probe->job);
	free(probe);
}

void probe_fini(struct role *role)
{
	LIST_EACH(&role->probes.active, it)
		free_probe(role, LIST_ENTRY(it, struct probe, link));
}

static void answer_probe(struct role *role, const struct job *job,
			 enum wire_result result, const char *text)
{
	answer_later(role, job->m.request, job->m.incarnation,
		     answer_machine_of(&job->m), result, text);
}

/* error is an errno value, 0 when connected. */
static void finish(struct role *role, struct probe *probe, int error)
{
	char text[256] = "";

	if (error == ETIMEDOUT)
		snprintf(text, sizeof(text), "%s: no answer within %lld ms",
			 probe->address, (long long)probe->timeout_ms);
	else if (error)
		snprintf(text, sizeof(text), "%s: %s", probe->address,
			 strerror(error));
	answer_probe(role, probe->job, error ? WIRE_FAILED : WIRE_OK, text);
	free_probe(role, probe);
}

static void on_connected(struct role *role, struct source *source)
{
	struct probe *probe = LIST_ENTRY(source, struct probe, source);
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	role_remove_source(role, source);
	finish(role, probe, error);
}

/* "ip:port" or "[ip]:port"; names are not resolved: that could block. */
static int parse_address(const char *address, struct addrinfo **out,
			 struct error *err)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	char host[96];
	const char *colon = strrchr(address, ':');
	struct slice ip = { address, colon ? (uint32_t)(colon - address) : 0 };

	if (ip.length > 2 && ip.ptr[0] == '[' && colon[-1] == ']')
		ip = (struct slice){ ip.ptr + 1, ip.length - 2 };
	text_copy_slice(host, sizeof(host), ip);
	if (!host[0] || getaddrinfo(host, colon + 1, &hints, out) != 0)
		return error_set(err, "\"%s\" is not an address of the form ip:port",
				 address);
	return 0;
}

static int start_connect(struct role *role, struct probe *probe)
{
	struct addrinfo *to;
	struct error err;

	if (parse_address(probe->address, &to, &err) < 0) {
		answer_probe(role, probe->job, WIRE_FAILED, err.text);
		free_probe(role, probe);
		return -1;
	}
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);
	int rc = fd < 0 ? -1 : connect(fd, to->ai_addr, to->ai_addrlen);
	int error = rc < 0 ? errno : 0;
	freeaddrinfo(to);
	probe->source.fd = fd;
	if (error == EINPROGRESS)
		return 0;
	finish(role, probe, error);
	return -1;
}

void probe_start(struct role *role, struct job *job)
{
	struct wire_tcp_probe *call = &job->m.tcp_probe;
	struct error err;

	if (role->probes.count >= PROBE_MAX) {
		answer_probe(role, job, WIRE_FAILED,
			     "too many addresses are being tried at once");
		job_free(job);
		return;
	}
	struct probe *probe = calloc(1, sizeof(*probe));
	CHECK("", probe, "out of memory");
	probe->job = job;
	probe->source = (struct source){ .fd = -1, .ready = on_connected };
	probe->timeout_ms = call->timeout_ms < 1 ? 1 :
			    call->timeout_ms > PROBE_TIMEOUT_MAX_MS ?
				    PROBE_TIMEOUT_MAX_MS : call->timeout_ms;
	probe->deadline_ms = role_now_ms() + probe->timeout_ms;
	text_copy_slice(probe->address, sizeof(probe->address), call->address);
	list_add_tail(&role->probes.active, &probe->link);
	role->probes.count++;
	if (start_connect(role, probe) < 0)
		return;
	if (role_add_source(role, &probe->source, EPOLLOUT, &err) < 0)
		finish(role, probe, ENOSPC);
}

int64_t probe_expire(struct role *role, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;

	LIST_EACH(&role->probes.active, it) {
		struct probe *probe = LIST_ENTRY(it, struct probe, link);

		if (probe->deadline_ms > now_ms) {
			if (probe->deadline_ms < next_ms)
				next_ms = probe->deadline_ms;
			continue;
		}
		role_remove_source(role, &probe->source);
		finish(role, probe, ETIMEDOUT);
	}
	return next_ms;
}
