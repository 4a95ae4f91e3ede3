/* Sending to the engine; see answer.h. */
#include "engine/hypervisor/answer.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/role.h"

void answer_send(struct role *role, const struct message *m)
{
	struct error err;
	int rc;

	pthread_mutex_lock(&role->send_lock);
	while ((rc = wire_send(role->engine_fd, m, &err)) == 0) {
		struct pollfd p = { .fd = role->engine_fd, .events = POLLOUT };

		poll(&p, 1, 1000);
	}
	pthread_mutex_unlock(&role->send_lock);
	if (rc < 0)
		log_debug("message lost: %s", err.text);
}

uint64_t answer_machine_of(const struct message *m)
{
	switch (m->type) {
	case WIRE_TYPE_domain_create:
		return m->domain_create.machine;
	case WIRE_TYPE_domain_destroy:
		return m->domain_destroy.machine;
	case WIRE_TYPE_domain_resize:
		return m->domain_resize.machine;
	case WIRE_TYPE_domain_migrate:
		return m->domain_migrate.machine;
	case WIRE_TYPE_domain_save:
		return m->domain_save.machine;
	case WIRE_TYPE_domain_restore:
		return m->domain_restore.machine;
	case WIRE_TYPE_volume_delete:
		return m->volume_delete.machine;
	case WIRE_TYPE_agent_ping:
		return m->agent_ping.machine;
	case WIRE_TYPE_agent_exec:
		return m->agent_exec.machine;
	case WIRE_TYPE_agent_write:
		return m->agent_write.machine;
	case WIRE_TYPE_channel_open:
		return m->channel_open.machine;
	case WIRE_TYPE_console_open:
		return m->console_open.machine;
	case WIRE_TYPE_tcp_probe:
		return m->tcp_probe.machine;
	}
	return 0;
}

static struct message done_message(const struct job *job,
				   enum wire_result result, const char *text)
{
	return (struct message){
		.type = WIRE_TYPE_call_done,
		.request = job->m.request,
		.incarnation = job->m.incarnation,
		.call_done = {
			.machine = answer_machine_of(&job->m),
			.result = (uint8_t)result,
			.evidence = result == WIRE_OK ? job->evidence :
				    job->evidence & WIRE_WAS_OVER,
			.text = slice_of(text),
		},
	};
}

enum job_next answer_message(struct job *job, const struct message *m)
{
	if (!atomic_exchange(&job->answered, true))
		answer_send(job->role, m);
	return JOB_DONE;
}

enum job_next answer(struct job *job, enum wire_result result, const char *text)
{
	struct message m = done_message(job, result, text);

	return answer_message(job, &m);
}

enum job_next answer_fd(struct job *job, int fd)
{
	struct message m = done_message(job, WIRE_OK, NULL);

	m.fds[0] = fd;
	m.fd_count = 1;
	answer_message(job, &m);
	close(fd);
	return JOB_DONE;
}

static enum job_next send_hint(struct job *job)
{
	struct message m = {
		.type = WIRE_TYPE_domain_hint,
		.domain_hint = { slice_of(job->uuid), (uint8_t)job->number },
	};

	answer_send(job->role, &m);
	return JOB_DONE;
}

void answer_hint(struct role *role, const char *uuid, enum wire_hint kind)
{
	struct job *job = job_new(role, JOB_LOCAL, send_hint, false);

	/* The uuid also keeps two hints of one domain in order. */
	TEXT_SET(job->uuid, uuid);
	job->number = kind;
	if (!queue_add(&role->queue, job, QUEUE_JOBS_MAX))
		job_free(job);
}

static enum job_next send_later(struct job *job)
{
	answer_send(job->role, &job->m);
	return JOB_DONE;
}

struct job *answer_job(struct role *role, uint64_t request, uint64_t incarnation,
		       uint64_t machine, enum wire_result result,
		       const char *text)
{
	struct job *job = job_new(role, JOB_LOCAL, send_later, true);
	char *copy = (char *)job->packet;

	text_copy(copy, WIRE_PACKET_MAX, text ? text : "");
	job->m = (struct message){
		.type = WIRE_TYPE_call_done,
		.request = request,
		.incarnation = incarnation,
		.call_done = { .machine = machine, .result = (uint8_t)result,
			       .text = slice_of(copy) },
	};
	return job;
}

void answer_later(struct role *role, uint64_t request, uint64_t incarnation,
		  uint64_t machine, enum wire_result result, const char *text)
{
	struct job *job = answer_job(role, request, incarnation, machine,
				     result, text);

	if (queue_add(&role->queue, job, QUEUE_JOBS_MAX))
		return;
	/* A full queue means thousands of calls: refusing is all that is left. */
	log_warn("answer to call %llu lost: too many calls wait",
		 (unsigned long long)request);
	job_free(job);
}
