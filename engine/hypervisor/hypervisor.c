/*
 * The role's main thread: receives calls, turns each into a job, and polls
 * what needs no libvirt (QEMU processes, probes).  It never calls libvirt and
 * never blocks: answers, too, are sent by workers.
 *
 *   main thread      engine_fd, pidfds, probes, timers
 *   queue threads    blocking libvirt calls and every answer (queue.h)
 *   connector        opens and closes the connections (host.h)
 *   event thread     libvirt's event loop: keepalive, events, streams
 */
#include "engine/hypervisor/hypervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/agent.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/channel.h"
#include "engine/hypervisor/clone.h"
#include "engine/hypervisor/domain.h"
#include "engine/hypervisor/image.h"
#include "engine/hypervisor/reclaim.h"
#include "engine/hypervisor/resize.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/stream.h"

enum { STOP_WAIT_MS = 300 };

int64_t role_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void role_wake(struct role *role)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then it is awake anyway. */
	if (write(role->wake_fd, &one, sizeof(one)) < 0)
		return;
}

int role_add_source(struct role *role, struct source *source, uint32_t events,
		    struct error *err)
{
	struct epoll_event event = { .events = events,
				     .data = { .ptr = source } };

	if (epoll_ctl(role->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
		return error_errno(err, "epoll");
	return 0;
}

void role_remove_source(struct role *role, struct source *source)
{
	epoll_ctl(role->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/* What each call is; host_open and tcp_probe go their own ways. */
static const struct call {
	uint16_t type;
	enum job_lane lane;
	bool agent;
	enum job_next (*run)(struct job *job);
} calls[] = {
	{ WIRE_TYPE_domain_create, JOB_DOMAIN, false, domain_create },
	{ WIRE_TYPE_domain_destroy, JOB_DOMAIN, false, domain_destroy },
	{ WIRE_TYPE_domain_resize, JOB_DOMAIN, false, domain_resize },
	{ WIRE_TYPE_domain_migrate, JOB_MOVE, false, domain_migrate },
	{ WIRE_TYPE_domain_save, JOB_DOMAIN, true, domain_save },
	{ WIRE_TYPE_domain_restore, JOB_DOMAIN, false, domain_restore },
	{ WIRE_TYPE_agent_ping, JOB_DOMAIN, true, agent_ping },
	{ WIRE_TYPE_agent_exec, JOB_DOMAIN, true, agent_exec },
	{ WIRE_TYPE_agent_write, JOB_DOMAIN, true, agent_write },
	{ WIRE_TYPE_channel_open, JOB_LOCAL, false, channel_open },
	{ WIRE_TYPE_console_open, JOB_STREAM, false, console_open },
	{ WIRE_TYPE_volume_delete, JOB_DOMAIN, false, clone_delete },
	{ WIRE_TYPE_volume_list, JOB_DOMAIN, false, clone_list },
	{ WIRE_TYPE_pool_remove, JOB_DOMAIN, false, clone_remove_pool },
	{ WIRE_TYPE_mark_list, JOB_DOMAIN, false, reclaim_list },
	{ WIRE_TYPE_domain_reclaim, JOB_DOMAIN, false, reclaim_domain },
	{ WIRE_TYPE_base_look, JOB_DOMAIN, false, clone_look },
	{ WIRE_TYPE_host_poll, JOB_HOST, false, domain_poll },
	{ WIRE_TYPE_stats_read, JOB_HOST, false, stats_read },
};

static struct slice uuid_of(const struct message *m)
{
	switch (m->type) {
	case WIRE_TYPE_domain_create:
		return m->domain_create.uuid;
	case WIRE_TYPE_domain_destroy:
		return m->domain_destroy.uuid;
	case WIRE_TYPE_domain_resize:
		return m->domain_resize.uuid;
	case WIRE_TYPE_domain_migrate:
		return m->domain_migrate.uuid;
	case WIRE_TYPE_domain_save:
		return m->domain_save.uuid;
	case WIRE_TYPE_domain_restore:
		return m->domain_restore.uuid;
	case WIRE_TYPE_volume_delete:
		return m->volume_delete.uuid;
	case WIRE_TYPE_domain_reclaim:
		return m->domain_reclaim.uuid;
	case WIRE_TYPE_agent_ping:
		return m->agent_ping.uuid;
	case WIRE_TYPE_agent_exec:
		return m->agent_exec.uuid;
	case WIRE_TYPE_agent_write:
		return m->agent_write.uuid;
	case WIRE_TYPE_channel_open:
		return m->channel_open.uuid;
	case WIRE_TYPE_console_open:
		return m->console_open.uuid;
	}
	return (struct slice){ 0 };
}

static void refuse(struct role *role, struct job *job, const char *text)
{
	answer_later(role, job->m.request, job->m.incarnation,
		     answer_machine_of(&job->m), WIRE_FAILED, text);
	job_free(job);
}

static void queue_call(struct role *role, const struct call *call,
		       struct job *job)
{
	job->lane = call->lane;
	job->agent = call->agent;
	job->run = call->run;
	/* Too long a text is cut here and refused as no uuid by the call. */
	text_copy_slice(job->uuid, sizeof(job->uuid), uuid_of(&job->m));
	if (!queue_add(&role->queue, job, QUEUE_CALLS_MAX))
		refuse(role, job, "too many calls wait for this host");
}

/* Takes the job. */
static void dispatch(struct role *role, struct job *job)
{
	if (job->m.type == WIRE_TYPE_host_open) {
		host_open(role, job);
		return;
	}
	if (job->m.type == WIRE_TYPE_tcp_probe) {
		probe_start(role, job);
		return;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].type == job->m.type) {
			queue_call(role, &calls[i], job);
			return;
		}
	}
	log_error("the engine sent a %s, which is not for this role",
		  wire_type_name(job->m.type));
	job_free(job);
}

/* Everything there is to read; false at the end of file. */
static bool receive(struct role *role)
{
	struct error err;

	for (int i = 0; i < 64; i++) {
		struct job *job = job_new(role, JOB_DOMAIN, NULL, true);
		int rc = wire_receive(role->engine_fd,
				      (struct wire_buffer *)job->packet,
				      &job->m, &err);

		if (rc > 0) {
			dispatch(role, job);
			continue;
		}
		job_free(job);
		if (rc < 0)
			log_info("ends: %s", err.text);
		return rc == 0;
	}
	return true;
}

static int timeout_until(int64_t now_ms, int64_t at_ms)
{
	return at_ms <= now_ms ? 0 : (int)(at_ms - now_ms);
}

/* Empties an eventfd or signalfd, whose content does not matter. */
static void drain(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void serve(struct role *role)
{
	struct source engine = { .fd = role->engine_fd };
	struct source wake = { .fd = role->wake_fd };
	struct source child = { .fd = role->child_fd };
	int64_t sweep_ms = role_now_ms() + WATCH_SWEEP_MS;
	struct epoll_event events[64];
	struct error err;

	if (role_add_source(role, &engine, EPOLLIN, &err) < 0 ||
	    role_add_source(role, &wake, EPOLLIN, &err) < 0 ||
	    role_add_source(role, &child, EPOLLIN, &err) < 0) {
		log_error("cannot poll: %s", err.text);
		return;
	}
	for (;;) {
		int64_t now_ms = role_now_ms();
		int64_t next_ms = probe_expire(role, now_ms);

		if (now_ms >= sweep_ms) {
			watch_reap();
			sweep_ms = now_ms + WATCH_SWEEP_MS;
		}
		next_ms = next_ms < sweep_ms ? next_ms : sweep_ms;
		int n = epoll_wait(role->epoll_fd, events, 64,
				   timeout_until(now_ms, next_ms));
		if (n < 0 && errno != EINTR)
			return;
		for (int i = 0; i < n; i++) {
			struct source *source = events[i].data.ptr;

			if (source == &engine) {
				if (!receive(role))
					return;
			} else if (source == &wake) {
				drain(role->wake_fd);
				watch_take_mail(role);
			} else if (source == &child) {
				drain(role->child_fd);
				watch_reap();
			} else {
				source->ready(role, source);
			}
		}
	}
}

/* SIGCHLD is blocked in every thread and read here. */
static int open_descriptors(struct role *role, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	role->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	role->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	role->child_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (role->epoll_fd < 0 || role->wake_fd < 0 || role->child_fd < 0)
		return error_errno(err, "epoll");
	return 0;
}

static int start(struct role *role, struct error *err)
{
	pthread_mutex_init(&role->send_lock, NULL);
	queue_init(&role->queue);
	known_init(&role->known);
	watch_init(&role->watches);
	probe_init(&role->probes);
	stats_init(&role->stats);
	moves_init(&role->moves);
	if (open_descriptors(role, err) < 0 || host_init(&role->host, err) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		log_warn("not a child subreaper: %s", strerror(errno));
	if (queue_start(&role->queue, err) < 0)
		return -1;
	return host_start(role, err);
}

static void stop(struct role *role, int status)
{
	/* A thread that hangs in libvirt cannot be ended: the process is. */
	bool idle = queue_stop(&role->queue, STOP_WAIT_MS);

	if (!host_stop(&role->host, STOP_WAIT_MS) || !idle)
		_exit(status);
	probe_fini(role);
	watch_fini(role);
	known_fini(&role->known);
	stats_fini(&role->stats);
	moves_fini(&role->moves);
	host_fini(&role->host);
	queue_fini(&role->queue);
	pthread_mutex_destroy(&role->send_lock);
	close(role->epoll_fd);
	close(role->wake_fd);
	close(role->child_fd);
	free(role);
}

int hypervisor_run(int engine_fd)
{
	struct role *role = calloc(1, sizeof(*role));
	struct error err = { "" };

	CHECK("", role, "out of memory");
	role->engine_fd = engine_fd;
	if (start(role, &err) < 0) {
		log_error("the hypervisor role does not start: %s", err.text);
		_exit(1);
	}
	struct message ready = {
		.type = WIRE_TYPE_role_ready,
		.role_ready = { .pid = (uint32_t)getpid() },
	};
	answer_send(role, &ready);
	serve(role);
	stop(role, 0);
	return 0;
}
