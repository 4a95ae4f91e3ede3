/*
 * See channel.h.  The path of the port's unix socket is usually known from the
 * domain's creation, so no libvirt call is made; else the job moves to the
 * DOMAIN lane and asks.  A socket that this user may not open (the system
 * daemon's are root's) is reached through a libvirt stream instead, opened in
 * the STREAM lane.
 */
#include "engine/hypervisor/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/stream.h"

static enum job_next move_to_lane(struct job *job, enum job_lane lane)
{
	job->lane = lane;
	job->due_ms = role_now_ms();
	return JOB_AGAIN;
}

static const struct domain_port *find_port(const struct known_domain *d,
					   struct slice name)
{
	for (int i = 0; i < d->port_count; i++)
		if (slice_is(name, d->ports[i].name))
			return &d->ports[i];
	return NULL;
}

/* A connected descriptor, or -1 with errno. */
static int connect_port(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	text_copy(to.sun_path, sizeof(to.sun_path), path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static enum job_next open_port(struct job *job, const struct known_domain *d)
{
	struct wire_channel_open *call = &job->m.channel_open;
	const struct domain_port *port = find_port(d, call->channel);
	struct error err;

	if (!port) {
		error_set(&err, "the machine has no channel \"%.*s\"",
			  (int)call->channel.length, call->channel.ptr);
		return answer(job, WIRE_FAILED, err.text);
	}
	int fd = connect_port(port->path);
	if (fd >= 0)
		return answer_fd(job, fd);
	if (errno == EACCES || errno == EPERM) {
		job->step = 2;
		return move_to_lane(job, JOB_STREAM);
	}
	/* The listen queue is full: others wait for the port as well. */
	if (errno == EAGAIN && role_now_ms() < job->deadline_ms)
		return job_again(job, 5, 20);
	error_errno(&err, "channel %s at %s", port->name, port->path);
	return answer(job, WIRE_FAILED, err.text);
}

/* Does the cache still hold?  Also while the host does not answer. */
static bool cached(struct job *job, struct known_domain *d)
{
	struct host_facts facts;

	return known_get(&job->role->known, job->uuid, d) && d->ours &&
	       d->detailed &&
	       (!host_get_facts(&job->role->host, &facts) ||
		facts.generation == d->generation);
}

static enum job_next open_by_stream(struct job *job)
{
	struct known_domain d;
	struct error err = { "" };
	char name[DOMAIN_CHANNEL_NAME_MAX];
	enum wire_result result = ownership_find(job, job->m.channel_open.uuid,
						 &d, &err);

	if (result != WIRE_OK)
		return answer(job, result, err.text);
	text_copy_slice(name, sizeof(name), job->m.channel_open.channel);
	return stream_open_channel(job, name);
}

/* Steps: 0 first look, 1 libvirt asked or not needed, 2 by a stream. */
enum job_next channel_open(struct job *job)
{
	struct known_domain d;
	struct host_facts facts;
	struct error err = { "" };
	enum wire_result result = WIRE_OK;

	if (job->step == 2)
		return open_by_stream(job);
	if (job->deadline_ms == 0)
		job->deadline_ms = role_now_ms() + CHANNEL_CONNECT_MS;
	if (host_get_facts(&job->role->host, &facts) && !facts.local)
		return answer(job, WIRE_FAILED,
			      "channels of machines on a remote host cannot be opened; use a tcp endpoint there");
	if (cached(job, &d)) {
		result = ownership_fence(&d, job->m.incarnation, &err);
	} else if (job->lane == JOB_LOCAL) {
		return move_to_lane(job, JOB_DOMAIN);
	} else {
		result = ownership_find(job, job->m.channel_open.uuid, &d, &err);
	}
	if (result != WIRE_OK)
		return answer(job, result, err.text);
	job->step = 1;
	return open_port(job, &d);
}
