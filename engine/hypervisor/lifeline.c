/*
 * See lifeline.h.  Lines are opened in the STREAM lane and heard by libvirt's
 * event thread.  libvirt's callback gets a number and no pointer, so a line may
 * be freed under the lock by whoever is done with it.
 */
#include "engine/hypervisor/lifeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/base/log.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/stream.h"
#include "engine/hypervisor/virt.h"

struct lifeline {
	struct list link;
	uintptr_t number;
	struct role *role;
	char uuid[37];
	virStreamPtr st;
	size_t junk;
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list open_lines = { &open_lines, &open_lines };
static int open_count;
static uintptr_t numbers;

/* With the lock held; the stream becomes the caller's. */
static virStreamPtr forget(struct lifeline *line)
{
	virStreamPtr st = line->st;

	list_remove(&line->link);
	open_count--;
	free(line);
	return st;
}

void lifelines_drop(void)
{
	pthread_mutex_lock(&open_lock);
	LIST_EACH(&open_lines, it) {
		virStreamPtr st = forget(LIST_ENTRY(it, struct lifeline, link));

		virStreamEventRemoveCallback(st);
		virStreamFree(st);
	}
	pthread_mutex_unlock(&open_lock);
}

/* With the lock held. */
static struct lifeline *find(uintptr_t number)
{
	LIST_EACH(&open_lines, it) {
		struct lifeline *line = LIST_ENTRY(it, struct lifeline, link);

		if (line->number == number)
			return line;
	}
	return NULL;
}

/* The line is done with: tells of its end if that was one. */
static void end(uintptr_t number, virStreamPtr st, bool orderly)
{
	struct role *role = NULL;
	char uuid[37];

	pthread_mutex_lock(&open_lock);
	struct lifeline *line = find(number);
	if (line) {
		role = line->role;
		TEXT_SET(uuid, line->uuid);
		forget(line);
	}
	pthread_mutex_unlock(&open_lock);
	if (!role)
		return;
	virStreamEventRemoveCallback(st);
	stream_close(role, st);
	if (orderly)
		answer_hint(role, uuid, moves_has(&role->moves, uuid) ?
						WIRE_HINT_OTHER : WIRE_HINT_STOPPED);
}

static bool too_much(uintptr_t number, size_t bytes)
{
	pthread_mutex_lock(&open_lock);
	struct lifeline *line = find(number);
	bool much = line && (line->junk += bytes) > LIFELINE_JUNK_MAX;
	if (much)
		log_warn("%s: its guest talks on " LIFELINE_PORT "; its end will be seen later",
			 line->uuid);
	pthread_mutex_unlock(&open_lock);
	return much;
}

static void on_line(virStreamPtr st, int events, void *opaque)
{
	uintptr_t number = (uintptr_t)opaque;
	char bytes[4096];
	int n;

	while ((n = virStreamRecv(st, bytes, sizeof(bytes))) > 0)
		if (too_much(number, (size_t)n)) {
			end(number, st, false);
			return;
		}
	if (n == 0)
		end(number, st, true);
	else if (n != -2 || (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)))
		end(number, st, false);
}

/* Takes st. */
static int listen_on(struct job *job, virStreamPtr st, struct error *err)
{
	struct lifeline *line = calloc(1, sizeof(*line));

	CHECK("", line, "out of memory");
	pthread_mutex_lock(&open_lock);
	uintptr_t number = line->number = ++numbers;
	line->role = job->role;
	line->st = st;
	TEXT_SET(line->uuid, job->uuid);
	list_add_tail(&open_lines, &line->link);
	open_count++;
	pthread_mutex_unlock(&open_lock);
	if (virStreamEventAddCallback(st, VIR_STREAM_EVENT_READABLE |
						  VIR_STREAM_EVENT_HANGUP |
						  VIR_STREAM_EVENT_ERROR,
				      on_line, (void *)number, NULL) == 0)
		return 0;
	virt_error(err, "the stream has no events");
	pthread_mutex_lock(&open_lock);
	line = find(number);
	if (line)
		forget(line);
	pthread_mutex_unlock(&open_lock);
	if (line)
		virStreamFree(st);
	return -1;
}

/* In the STREAM lane; a line of an engine before this one is taken over. */
static enum job_next open_line(struct job *job)
{
	struct known_domain d;
	struct error err = { "" };

	if (ownership_find(job, slice_of(job->uuid), &d, &err) != WIRE_OK) {
		log_debug("no lifeline of %s: %s", job->uuid, err.text);
		return JOB_DONE;
	}
	virStreamPtr st = virStreamNew(virDomainGetConnect(job->domain),
				       VIR_STREAM_NONBLOCK);
	if (st && virDomainOpenChannel(job->domain, LIFELINE_PORT, st,
				       VIR_DOMAIN_CHANNEL_FORCE) == 0) {
		if (listen_on(job, st, &err) == 0)
			return JOB_DONE;
	} else {
		virt_error(&err, "cannot be opened");
		if (st)
			virStreamFree(st);
	}
	log_warn("machine %s: its lifeline: %s; its end will be seen later",
		 virDomainGetName(job->domain), err.text);
	return JOB_DONE;
}

static bool has_port(const struct known_domain *d)
{
	for (int i = 0; i < d->port_count; i++)
		if (strcmp(d->ports[i].name, LIFELINE_PORT) == 0)
			return true;
	return false;
}

void lifeline_want(struct role *role, const struct host_facts *facts,
		   const struct known_domain *d)
{
	moves_forget(&role->moves, d->uuid);
	if (facts->local || facts->kind != HOST_QEMU || !has_port(d))
		return;
	pthread_mutex_lock(&open_lock);
	bool room = open_count < LIFELINE_MAX;
	pthread_mutex_unlock(&open_lock);
	struct job *job = room ? job_new(role, JOB_STREAM, open_line, false) : NULL;
	if (!job)
		return;
	TEXT_SET(job->uuid, d->uuid);
	if (!queue_add(&role->queue, job, QUEUE_JOBS_MAX))
		job_free(job);
}
