/*
 * See agent.h.  A command is one virDomainQemuAgentCommand at most
 * AGENT_CALL_SECONDS long; between looks at a running guest command the job
 * sleeps in the queue and holds no thread.
 */
#include "engine/hypervisor/agent.h"

#include <inttypes.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/hypervisor/agent_json.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

enum { WRITE_CHUNK = 32 * 1024 };

char *agent_ask(struct job *job, char *command, const char *what,
		enum wire_result *result, struct error *err)
{
	char *reply = NULL;

	*result = WIRE_FAILED;
	if (command) {
		reply = virDomainQemuAgentCommand(job->domain, command,
						  AGENT_CALL_SECONDS, 0);
		if (!reply)
			*result = virt_error(err, what);
	}
	free(command);
	return reply;
}

/* The first step of each call: the machine, and is there an agent at all? */
static enum wire_result find(struct job *job, struct slice uuid,
			     struct error *err)
{
	struct known_domain d;
	struct host_facts facts;
	enum wire_result result = ownership_find(job, uuid, &d, err);

	if (result == WIRE_OK && host_get_facts(&job->role->host, &facts) &&
	    facts.kind != HOST_QEMU) {
		error_set(err, "this host has no guest agent (it is no QEMU)");
		result = WIRE_FAILED;
	}
	return result;
}

enum job_next agent_ping(struct job *job)
{
	struct error err = { "" };
	enum wire_result result = find(job, job->m.agent_ping.uuid, &err);

	if (result == WIRE_OK) {
		char *reply = virDomainQemuAgentCommand(
			job->domain, "{\"execute\":\"guest-ping\"}",
			AGENT_PING_SECONDS, 0);

		if (!reply)
			result = virt_error(&err, "the guest agent does not answer");
		free(reply);
		/* A ping changes nothing: no answer is simply a no. */
		if (result == WIRE_UNKNOWN)
			result = WIRE_FAILED;
	}
	return answer(job, result, result == WIRE_OK ? NULL : err.text);
}

enum wire_result agent_start(struct job *job, struct slice argv,
			     struct slice input, struct error *err)
{
	enum wire_result result;
	char *reply = agent_ask(job, agent_exec_command(argv, input, err),
				"the command was not started", &result, err);

	if (!reply)
		return result;
	/* Started, but a reply without pid leaves nothing to ask for. */
	result = agent_read_pid(reply, &job->number, err) < 0 ? WIRE_UNKNOWN :
								WIRE_OK;
	free(reply);
	return result;
}

static enum wire_result start_exec(struct job *job, struct error *err)
{
	struct wire_agent_exec *call = &job->m.agent_exec;
	enum wire_result result = find(job, call->uuid, err);

	return result == WIRE_OK ? agent_start(job, call->argv, call->input, err) :
				   result;
}

static enum job_next answer_exec(struct job *job,
				 const struct agent_status *status)
{
	struct message m = {
		.type = WIRE_TYPE_call_done,
		.request = job->m.request,
		.incarnation = job->m.incarnation,
		.call_done = {
			.machine = job->m.agent_exec.machine,
			.result = WIRE_OK,
			.code = status->code,
			.out = { (const char *)status->out,
				 (uint32_t)status->out_length },
			.errout = { (const char *)status->errout,
				    (uint32_t)status->errout_length },
			.text = status->truncated ?
				SLICE("the command's output is truncated") :
				(struct slice){ 0 },
		},
	};

	return answer_message(job, &m);
}

enum wire_result agent_look(struct job *job, struct agent_status *status,
			    struct error *err)
{
	enum wire_result result;
	char *reply = agent_ask(job, agent_status_command(job->number, err),
			  "the running command was lost", &result, err);

	status->exited = false;
	/* An agent that is silent for a moment may come back: ask again. */
	if (!reply)
		return virt_error_is(VIR_ERR_AGENT_UNRESPONSIVE) ? WIRE_OK :
								   WIRE_UNKNOWN;
	result = agent_read_status(reply, status, err) < 0 ? WIRE_UNKNOWN :
							     WIRE_OK;
	free(reply);
	return result;
}

static enum job_next continue_exec(struct job *job)
{
	struct agent_status *status = malloc(sizeof(*status));
	struct error err = { "" };
	enum job_next next;

	if (!status)
		return answer(job, WIRE_UNKNOWN, "out of memory");
	enum wire_result result = find(job, job->m.agent_exec.uuid, &err);
	result = result == WIRE_OK ? agent_look(job, status, &err) : WIRE_UNKNOWN;
	if (result != WIRE_OK) {
		next = answer(job, result, err.text);
	} else if (status->exited) {
		next = answer_exec(job, status);
	} else if (role_now_ms() >= job->deadline_ms) {
		error_set(&err, "the command did not end within %" PRId64 " ms and may still run",
			  job->m.agent_exec.timeout_ms);
		next = answer(job, WIRE_UNKNOWN, err.text);
	} else {
		next = job_again(job, AGENT_LOOK_FIRST_MS, AGENT_LOOK_LAST_MS);
		if (job->due_ms > job->deadline_ms)
			job->due_ms = job->deadline_ms;
	}
	free(status);
	return next;
}

enum job_next agent_exec(struct job *job)
{
	int64_t timeout_ms = job->m.agent_exec.timeout_ms;
	struct error err = { "" };

	if (job->step == 1)
		return continue_exec(job);
	job->step = 1;
	if (timeout_ms < 1 || timeout_ms > AGENT_EXEC_MAX_MS)
		return answer(job, WIRE_FAILED,
			      "a command's time-out must be 1 ms to 24 h");
	job->deadline_ms = job->arrived_ms + timeout_ms;
	if (role_now_ms() >= job->deadline_ms)
		return answer(job, WIRE_FAILED,
			      "the command was not started: earlier calls took all its time");
	enum wire_result result = start_exec(job, &err);
	if (result != WIRE_OK)
		return answer(job, result, err.text);
	return job_again(job, AGENT_LOOK_FIRST_MS, AGENT_LOOK_LAST_MS);
}

static enum wire_result open_file(struct job *job, struct error *err)
{
	struct wire_agent_write *call = &job->m.agent_write;
	char path[AGENT_PATH_MAX];
	enum wire_result result;

	if (!text_copy_slice(path, sizeof(path), call->path) || path[0] != '/') {
		error_set(err, "the file needs an absolute path of at most %d bytes",
			  AGENT_PATH_MAX - 1);
		return WIRE_FAILED;
	}
	if (call->mode & ~07777u) {
		error_set(err, "a file mode is 0 to 7777 (octal)");
		return WIRE_FAILED;
	}
	result = find(job, call->uuid, err);
	if (result != WIRE_OK)
		return result;
	char *reply = agent_ask(job, agent_open_command(path, err),
			  "the file was not opened", &result, err);
	if (!reply)
		return result;
	result = agent_read_handle(reply, &job->number2, err) < 0 ? WIRE_FAILED :
								    WIRE_OK;
	free(reply);
	return result;
}

/* Before the content, so that nobody reads it who must not. */
static enum wire_result start_chmod(struct job *job, struct error *err)
{
	struct wire_agent_write *call = &job->m.agent_write;
	char argv[AGENT_PATH_MAX + 32];
	enum wire_result result;
	int n = snprintf(argv, sizeof(argv), "chmod%c%04o%c%.*s", 0, call->mode,
			 0, (int)call->path.length, call->path.ptr) + 1;
	char *reply = agent_ask(job, agent_exec_command((struct slice){ argv, (uint32_t)n },
						  (struct slice){ 0 }, err),
			  "the file's mode was not set", &result, err);

	if (!reply)
		return result;
	result = agent_read_pid(reply, &job->number, err) < 0 ? WIRE_FAILED :
								WIRE_OK;
	free(reply);
	return result;
}

/* WIRE_OK with *ended false: look again. */
static enum wire_result look_chmod(struct job *job, bool *ended,
				   struct error *err)
{
	struct agent_status *status = malloc(sizeof(*status));
	enum wire_result result = WIRE_FAILED;

	if (!status)
		return error_set(err, "out of memory"), WIRE_FAILED;
	status->exited = false;
	result = find(job, job->m.agent_write.uuid, err);
	if (result == WIRE_OK)
		result = agent_look(job, status, err);
	*ended = status->exited;
	if (result == WIRE_OK && status->exited && status->code != 0) {
		error_set(err, "chmod in the guest ended with %d: %.*s",
			  status->code, (int)status->errout_length,
			  (const char *)status->errout);
		result = WIRE_FAILED;
	}
	free(status);
	return result;
}

static enum wire_result write_bytes(struct job *job, struct error *err)
{
	struct slice left = job->m.agent_write.bytes;
	enum wire_result result = WIRE_OK;

	while (left.length > 0 && result == WIRE_OK) {
		struct slice chunk = { left.ptr, left.length < WRITE_CHUNK ?
						 left.length : WRITE_CHUNK };
		int64_t count = 0;
		char *reply = agent_ask(job, agent_write_command(job->number2, chunk, err),
				  "the file was not written", &result, err);

		if (!reply)
			return result;
		result = WIRE_OK;
		if (agent_read_count(reply, &count, err) < 0 || count < 1 ||
		    count > chunk.length) {
			error_set(err, "the file was not written: the disk is full?");
			result = WIRE_FAILED;
		}
		free(reply);
		left.ptr += count;
		left.length -= (uint32_t)count;
	}
	return result;
}

/* The close reports what was buffered; after an error it only tidies up. */
static enum wire_result close_file(struct job *job, struct error *err)
{
	enum wire_result result;
	char *reply = agent_ask(job, agent_close_command(job->number2, err),
			  "the file was not closed", &result, err);

	if (!reply)
		return result;
	free(reply);
	return WIRE_OK;
}

static enum job_next end_write(struct job *job, enum wire_result result,
			       struct error *err)
{
	struct error ignored;

	if (!job->domain)
		;	/* gone, and the open file with it */
	else if (job->step > 0 && result != WIRE_OK)
		close_file(job, &ignored);
	else if (job->step > 0)
		result = close_file(job, err);
	return answer(job, result, result == WIRE_OK ? NULL : err->text);
}

/* Steps: 0 open and start chmod, 1 wait for chmod, then write and close. */
enum job_next agent_write(struct job *job)
{
	struct error err = { "" };
	enum wire_result result;

	if (job->step == 0) {
		job->deadline_ms = role_now_ms() + AGENT_WRITE_MS;
		result = open_file(job, &err);
		if (result != WIRE_OK)
			return end_write(job, result, &err);
		job->step = 1;
		if (job->m.agent_write.mode) {
			result = start_chmod(job, &err);
			return result != WIRE_OK ? end_write(job, result, &err) :
				job_again(job, AGENT_LOOK_FIRST_MS,
					  AGENT_LOOK_LAST_MS);
		}
	} else {
		bool ended;

		result = look_chmod(job, &ended, &err);
		if (result == WIRE_OK && !ended && role_now_ms() > job->deadline_ms) {
			error_set(&err, "chmod in the guest does not end");
			result = WIRE_FAILED;
		}
		if (result != WIRE_OK)
			return end_write(job, result, &err);
		if (!ended)
			return job_again(job, AGENT_LOOK_FIRST_MS,
					 AGENT_LOOK_LAST_MS);
	}
	return end_write(job, write_bytes(job, &err), &err);
}
