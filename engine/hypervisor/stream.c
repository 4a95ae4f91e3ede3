/*
 * See stream.h.  The pump runs in callbacks of libvirt's event loop, one
 * buffer per direction; a side that does not read stops the other side's
 * events.  Either side's end ends both.  struct stream is held by its two
 * callbacks: that of the descriptor gives its reference back when libvirt says
 * so, that of the stream in finish() (libvirt's remote driver, as of 9.0, never
 * calls a stream callback's free function).  Both run on the event thread only,
 * and so does finish() once the pump is started.
 */
#include "engine/hypervisor/stream.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

struct half {
	size_t start, length;
	char bytes[STREAM_BUFFER];
};

struct stream {
	struct list link;	/* in open_streams */
	pthread_mutex_t lock;
	atomic_int references;
	struct role *role;
	virStreamPtr st;	/* NULL once closing */
	int fd;			/* our end of the socketpair */
	int watch;		/* libvirt's handle for fd */
	struct half in;		/* guest to engine */
	struct half out;	/* engine to guest */
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list open_streams = { &open_streams, &open_streams };
static int open_count;

static void release(void *opaque)
{
	struct stream *s = opaque;

	if (atomic_fetch_sub(&s->references, 1) > 1)
		return;
	pthread_mutex_lock(&open_lock);
	list_remove(&s->link);
	open_count--;
	pthread_mutex_unlock(&open_lock);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void stream_cut_all(void)
{
	pthread_mutex_lock(&open_lock);
	/* The event thread sees the hang-up and does the rest. */
	LIST_EACH(&open_streams, it)
		shutdown(LIST_ENTRY(it, struct stream, link)->fd, SHUT_RDWR);
	pthread_mutex_unlock(&open_lock);
}

/* virStreamAbort asks the daemon and may hang: not on the event thread. */
struct abort_job {
	virStreamPtr st;
};

static enum job_next abort_stream(struct job *job)
{
	struct abort_job a;

	memcpy(&a, job->packet, sizeof(a));
	virStreamAbort(a.st);
	virStreamFree(a.st);
	return JOB_DONE;
}

void stream_close(struct role *role, virStreamPtr st)
{
	struct job *job = job_new(role, JOB_STREAM, abort_stream, true);
	struct abort_job a = { st };

	memcpy(job->packet, &a, sizeof(a));
	if (queue_add(&role->queue, job, QUEUE_JOBS_MAX))
		return;
	/* Ending or overrun: the connection's end will close it. */
	virStreamFree(st);
	job_free(job);
}

/* With the lock held, by somebody who holds a reference. */
static void finish(struct stream *s)
{
	virStreamPtr st = s->st;

	if (!st)
		return;
	s->st = NULL;
	shutdown(s->fd, SHUT_RDWR);
	virEventRemoveHandle(s->watch);
	virStreamEventRemoveCallback(st);
	stream_close(s->role, st);
	release(s);
}

/* Asks for exactly the events that can be served. */
static void update_events(struct stream *s)
{
	int stream_events = 0;
	int fd_events = VIR_EVENT_HANDLE_HANGUP | VIR_EVENT_HANDLE_ERROR;

	if (!s->st)
		return;
	if (s->in.length == 0)
		stream_events |= VIR_STREAM_EVENT_READABLE;
	else
		fd_events |= VIR_EVENT_HANDLE_WRITABLE;
	if (s->out.length == 0)
		fd_events |= VIR_EVENT_HANDLE_READABLE;
	else
		stream_events |= VIR_STREAM_EVENT_WRITABLE;
	virEventUpdateHandle(s->watch, fd_events);
	if (virStreamEventUpdateCallback(s->st, stream_events) < 0)
		finish(s);
}

static void flush_to_engine(struct stream *s)
{
	while (s->st && s->in.length > 0) {
		ssize_t n = send(s->fd, s->in.bytes + s->in.start, s->in.length,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			finish(s);
			return;
		}
		s->in.start += (size_t)n;
		s->in.length -= (size_t)n;
	}
}

static void flush_to_guest(struct stream *s)
{
	while (s->st && s->out.length > 0) {
		int n = virStreamSend(s->st, s->out.bytes + s->out.start,
				      s->out.length);

		if (n == -2)
			return;
		if (n <= 0) {
			finish(s);
			return;
		}
		s->out.start += (size_t)n;
		s->out.length -= (size_t)n;
	}
}

static void read_guest(struct stream *s)
{
	while (s->st && s->in.length == 0) {
		int n = virStreamRecv(s->st, s->in.bytes, sizeof(s->in.bytes));

		if (n == -2)
			return;
		if (n <= 0) {
			finish(s);
			return;
		}
		s->in.start = 0;
		s->in.length = (size_t)n;
		flush_to_engine(s);
	}
}

static void read_engine(struct stream *s)
{
	ssize_t n = 0;

	if (!s->st || s->out.length > 0)
		return;
	do
		n = recv(s->fd, s->out.bytes, sizeof(s->out.bytes), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(s);
		return;
	}
	s->out.start = 0;
	s->out.length = (size_t)n;
	flush_to_guest(s);
}

static void on_stream(virStreamPtr st, int events, void *opaque)
{
	struct stream *s = opaque;

	(void)st;
	atomic_fetch_add(&s->references, 1);
	pthread_mutex_lock(&s->lock);
	if (events & VIR_STREAM_EVENT_READABLE)
		read_guest(s);
	if (events & VIR_STREAM_EVENT_WRITABLE)
		flush_to_guest(s);
	if (s->st && (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)) &&
	    s->in.length == 0)
		finish(s);
	update_events(s);
	pthread_mutex_unlock(&s->lock);
	release(s);
}

static void on_fd(int watch, int fd, int events, void *opaque)
{
	struct stream *s = opaque;

	(void)watch;
	(void)fd;
	atomic_fetch_add(&s->references, 1);
	pthread_mutex_lock(&s->lock);
	if (events & VIR_EVENT_HANDLE_WRITABLE)
		flush_to_engine(s);
	if (events & VIR_EVENT_HANDLE_READABLE)
		read_engine(s);
	if (s->st && (events & (VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP)))
		finish(s);
	update_events(s);
	pthread_mutex_unlock(&s->lock);
	release(s);
}

/* The callbacks of both sides, each with its reference; the lock is held. */
static int watch_both(struct stream *s, struct error *err)
{
	atomic_fetch_add(&s->references, 2);
	s->watch = virEventAddHandle(s->fd, VIR_EVENT_HANDLE_READABLE |
						    VIR_EVENT_HANDLE_HANGUP |
						    VIR_EVENT_HANDLE_ERROR,
				     on_fd, s, release);
	if (s->watch < 0) {
		release(s);
		release(s);
		return error_set(err, "the stream's socket cannot be watched");
	}
	if (virStreamEventAddCallback(s->st, VIR_STREAM_EVENT_READABLE,
				      on_stream, s, NULL) == 0)
		return 0;
	virt_error(err, "the stream has no events");
	virEventRemoveHandle(s->watch);
	release(s);
	return -1;
}

/* Takes st and fd in every case.  0, or -1 with err. */
static int start_pump(struct role *role, virStreamPtr st, int fd,
		      struct error *err)
{
	struct stream *s = calloc(1, sizeof(*s));

	CHECK("", s, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	atomic_init(&s->references, 1);
	s->role = role;
	s->st = st;
	s->fd = fd;
	pthread_mutex_lock(&open_lock);
	list_add_tail(&open_streams, &s->link);
	open_count++;
	pthread_mutex_unlock(&open_lock);
	pthread_mutex_lock(&s->lock);
	int rc = watch_both(s, err);
	if (rc < 0) {
		s->st = NULL;
		virStreamAbort(st);
		virStreamFree(st);
	}
	pthread_mutex_unlock(&s->lock);
	release(s);
	return rc;
}

typedef int opener(virDomainPtr domain, const char *name, virStreamPtr st,
		   unsigned int flags);

/* An opened stream, or NULL with err; busy: somebody else has it open. */
static virStreamPtr open_one(struct job *job, opener *open_it, const char *name,
			     const char *what, bool *busy, struct error *err)
{
	virStreamPtr st = virStreamNew(virDomainGetConnect(job->domain),
				       VIR_STREAM_NONBLOCK);

	*busy = false;
	if (st && open_it(job->domain, name, st, 0) == 0)
		return st;
	*busy = virt_error_is(VIR_ERR_OPERATION_FAILED);
	virt_error(err, what);
	if (st)
		virStreamFree(st);
	return NULL;
}

/* Takes st.  The engine's end of the socketpair, or -1 with err. */
static int connect_stream(struct role *role, virStreamPtr st, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair) < 0) {
		error_errno(err, "no socket for the stream");
		virStreamAbort(st);
		virStreamFree(st);
		return -1;
	}
	if (start_pump(role, st, pair[0], err) < 0) {
		close(pair[1]);
		return -1;
	}
	return pair[1];
}

static enum job_next open_stream(struct job *job, opener *open_it,
				 const char *name, const char *what)
{
	struct error err = { "" };
	bool busy;

	pthread_mutex_lock(&open_lock);
	bool full = open_count >= STREAM_MAX;
	pthread_mutex_unlock(&open_lock);
	if (full)
		return answer(job, WIRE_FAILED, "too many consoles are open");
	virStreamPtr st = open_one(job, open_it, name, what, &busy, &err);
	/* Perhaps it is one of ours that is just being closed. */
	if (busy && role_now_ms() < job->arrived_ms + STREAM_BUSY_MS)
		return job_again(job, 10, 100);
	if (!st)
		return answer(job, WIRE_FAILED, err.text);
	int fd = connect_stream(job->role, st, &err);
	return fd < 0 ? answer(job, WIRE_FAILED, err.text) : answer_fd(job, fd);
}

enum job_next stream_open_channel(struct job *job, const char *name)
{
	return open_stream(job, virDomainOpenChannel, name,
			   "the channel cannot be opened");
}

enum job_next console_open(struct job *job)
{
	struct known_domain d;
	struct error err = { "" };
	enum wire_result result = ownership_find(job, job->m.console_open.uuid,
						 &d, &err);

	if (result != WIRE_OK)
		return answer(job, result, err.text);
	return open_stream(job, virDomainOpenConsole, NULL,
			   "the console cannot be opened");
}
