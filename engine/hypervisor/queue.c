/*
 * Lanes, threads and delayed jobs; see queue.h.  One mutex for all lanes: jobs
 * are few and the work is elsewhere.
 */
#include "engine/hypervisor/queue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/role.h"

struct job *job_new(struct role *role, enum job_lane lane,
		    enum job_next (*run)(struct job *job), bool with_packet)
{
	/* Not calloc: a packet's 64 KiB are touched only as far as used. */
	struct job *job = malloc(sizeof(*job) +
				 (with_packet ? WIRE_PACKET_MAX : 0));

	CHECK("", job, "out of memory");
	memset(job, 0, sizeof(*job));
	job->role = role;
	job->run = run;
	job->lane = lane;
	job->arrived_ms = job->due_ms = role_now_ms();
	return job;
}

static void drop_domain(struct job *job)
{
	if (job->domain)
		virDomainFree(job->domain);
	job->domain = NULL;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	wire_close_fds(&job->m);
	drop_domain(job);
	free(job);
}

enum job_next job_again(struct job *job, int64_t first_ms, int64_t last_ms)
{
	int64_t grown = job->pause_ms + (job->pause_ms + 3) / 4;

	job->pause_ms = grown < first_ms ? first_ms :
			grown > last_ms ? last_ms : grown;
	job->due_ms = role_now_ms() + job->pause_ms;
	return JOB_AGAIN;
}

void queue_init(struct queue *q)
{
	static const struct {
		int threads, first_line;
	} lanes[JOB_LANES] = {
		[JOB_STREAM] = { 1, HOST_LINE_EVENTS },
		[JOB_HOST] = { 1, 1 },
		[JOB_STATS] = { 1, 2 },
		[JOB_MOVE] = { 1, 3 },
		[JOB_DOMAIN] = { 4, 4 },
		[JOB_LOCAL] = { 2, QUEUE_NO_LINE },
	};
	pthread_condattr_t attr;

	memset(q, 0, sizeof(*q));
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (int i = 0; i < JOB_LANES; i++) {
		list_init(&q->lanes[i].jobs);
		pthread_cond_init(&q->lanes[i].changed, &attr);
		q->lanes[i].thread_count = lanes[i].threads;
		q->lanes[i].first_line = lanes[i].first_line;
	}
	pthread_condattr_destroy(&attr);
}

static void insert(struct queue *q, struct job *job)
{
	struct lane *lane = &q->lanes[job->lane];
	struct list *after = lane->jobs.prev;

	while (after != &lane->jobs &&
	       LIST_ENTRY(after, struct job, link)->due_ms > job->due_ms)
		after = after->prev;
	list_add_head(after, &job->link);
	pthread_cond_broadcast(&lane->changed);
}

bool queue_add(struct queue *q, struct job *job, int limit)
{
	pthread_mutex_lock(&q->lock);
	bool taken = !q->stopping && q->jobs < limit;
	if (taken) {
		q->jobs++;
		insert(q, job);
	}
	pthread_mutex_unlock(&q->lock);
	return taken;
}

static bool may_run(const struct lane *lane, const struct job *job)
{
	int agents = 0;

	for (int i = 0; i < lane->thread_count; i++) {
		const struct job *other = lane->running[i];

		if (!other)
			continue;
		if (job->uuid[0] && strcmp(other->uuid, job->uuid) == 0)
			return false;
		agents += other->agent;
	}
	return !job->agent || agents < QUEUE_AGENT_MAX;
}

/* The first job that may run now, or NULL and the time of the next one. */
static struct job *first_ready(struct lane *lane, int64_t *next_ms)
{
	int64_t now_ms = role_now_ms();

	*next_ms = INT64_MAX;
	LIST_EACH(&lane->jobs, it) {
		struct job *job = LIST_ENTRY(it, struct job, link);

		if (job->due_ms > now_ms) {
			*next_ms = job->due_ms;
			return NULL;
		}
		if (may_run(lane, job))
			return job;
	}
	return NULL;
}

static void wait_until(struct queue *q, struct lane *lane, int64_t until_ms)
{
	struct timespec ts = { until_ms / 1000, until_ms % 1000 * 1000000 };

	if (until_ms == INT64_MAX)
		pthread_cond_wait(&lane->changed, &q->lock);
	else
		pthread_cond_timedwait(&lane->changed, &q->lock, &ts);
}

/*
 * Called and returns with the lock held; without it while the job runs.
 * Returns false when the thread was given up meanwhile: its place is another's.
 */
static bool run_one(struct queue *q, struct lane *lane, int slot,
		    uint32_t epoch, struct job *job)
{
	list_remove(&job->link);
	lane->running[slot] = job;
	job->started_ms = role_now_ms();
	job->line = lane->first_line < 0 ? QUEUE_NO_LINE : lane->first_line + slot;
	pthread_mutex_unlock(&q->lock);
	enum job_next next = job->run(job);
	drop_domain(job);
	pthread_mutex_lock(&q->lock);
	bool in_charge = lane->epochs[slot] == epoch;
	if (in_charge)
		lane->running[slot] = NULL;
	/* The domain or an agent place is free again. */
	pthread_cond_broadcast(&lane->changed);
	if (next == JOB_AGAIN && in_charge && !q->stopping) {
		insert(q, job);
		return true;
	}
	q->jobs--;
	pthread_mutex_unlock(&q->lock);
	job_free(job);
	pthread_mutex_lock(&q->lock);
	return in_charge;
}

struct thread_start {
	struct queue *q;
	struct lane *lane;
	int slot;
	uint32_t epoch;
};

static void *thread_main(void *opaque)
{
	struct thread_start start = *(struct thread_start *)opaque;
	struct queue *q = start.q;
	bool in_charge = true;

	free(opaque);
	pthread_mutex_lock(&q->lock);
	while (in_charge && !q->stopping) {
		int64_t next_ms;
		struct job *job = first_ready(start.lane, &next_ms);

		if (job)
			in_charge = run_one(q, start.lane, start.slot,
					    start.epoch, job);
		else
			wait_until(q, start.lane, next_ms);
	}
	/* A thread given up may come back while the queue stops. */
	if (start.lane->epochs[start.slot] == start.epoch)
		start.lane->ended++;
	else
		q->abandoned--;
	pthread_cond_broadcast(&start.lane->changed);
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* With the lock held, or before there are threads. */
static int start_thread(struct queue *q, struct lane *lane, int slot,
			struct error *err)
{
	struct thread_start *start = malloc(sizeof(*start));

	CHECK("", start, "out of memory");
	*start = (struct thread_start){ q, lane, slot, lane->epochs[slot] };
	int rc = pthread_create(&lane->threads[slot], NULL, thread_main, start);
	if (rc == 0)
		return 0;
	free(start);
	return error_set(err, "cannot start a thread: %s", strerror(rc));
}

int queue_start(struct queue *q, struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	for (int i = 0; i < JOB_LANES && rc == 0; i++) {
		struct lane *lane = &q->lanes[i];

		while (rc == 0 && lane->started < lane->thread_count) {
			rc = start_thread(q, lane, lane->started, err);
			lane->started += rc == 0;
		}
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/* Answers for a job whose thread hangs; its data do not change meanwhile. */
static void answer_for(struct queue *q, struct job *job)
{
	if (!job->m.type || atomic_exchange(&job->answered, true))
		return;
	struct job *late = answer_job(job->role, job->m.request,
				      job->m.incarnation,
				      answer_machine_of(&job->m), WIRE_UNKNOWN,
				      "the connection to the host was lost in mid call");
	q->jobs++;
	insert(q, late);
}

/* Gives up the thread of that place, which hangs in its job.  The job stays
 * the thread's, to be freed if it ever returns. */
static void replace_thread(struct queue *q, struct lane *lane, int slot)
{
	struct error err = { "more threads hang than may" };

	log_warn("a %s hangs in libvirt: its thread is given up",
		 lane->running[slot]->m.type ?
			 wire_type_name(lane->running[slot]->m.type) : "close");
	answer_for(q, lane->running[slot]);
	pthread_detach(lane->threads[slot]);
	lane->epochs[slot]++;
	lane->running[slot] = NULL;
	q->abandoned++;
	if (q->abandoned <= QUEUE_ABANDONED_MAX &&
	    start_thread(q, lane, slot, &err) == 0)
		return;
	log_error("this process ends: %s", err.text);
	_exit(1);
}

static bool hangs(const struct lane *lane, int slot, int64_t before_ms)
{
	return lane->running[slot] &&
	       lane->running[slot]->started_ms <= before_ms;
}

static int count_hanging(const struct lane *lane, int64_t before_ms)
{
	int count = 0;

	for (int slot = 0; slot < lane->thread_count; slot++)
		count += hangs(lane, slot, before_ms);
	return count;
}

void queue_abandon(struct queue *q, int64_t grace_ms)
{
	int64_t before_ms = role_now_ms(), until_ms = before_ms + grace_ms;

	pthread_mutex_lock(&q->lock);
	for (int i = 0; i < JOB_LANES; i++) {
		struct lane *lane = &q->lanes[i];

		if (lane->first_line < 0)
			continue;
		while (role_now_ms() < until_ms &&
		       count_hanging(lane, before_ms) > 0)
			wait_until(q, lane, until_ms);
		for (int slot = 0; slot < lane->thread_count && !q->stopping;
		     slot++)
			if (hangs(lane, slot, before_ms))
				replace_thread(q, lane, slot);
	}
	pthread_mutex_unlock(&q->lock);
}

static void drop_waiting(struct queue *q)
{
	for (int i = 0; i < JOB_LANES; i++) {
		LIST_EACH(&q->lanes[i].jobs, it) {
			list_remove(it);
			job_free(LIST_ENTRY(it, struct job, link));
			q->jobs--;
		}
	}
}

bool queue_stop(struct queue *q, int64_t wait_ms)
{
	int64_t until_ms = role_now_ms() + wait_ms;
	bool all = true;

	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	for (int i = 0; i < JOB_LANES; i++)
		pthread_cond_broadcast(&q->lanes[i].changed);
	for (int i = 0; i < JOB_LANES; i++) {
		struct lane *lane = &q->lanes[i];

		while (lane->ended < lane->started && role_now_ms() < until_ms)
			wait_until(q, lane, until_ms);
		all = all && lane->ended == lane->started;
	}
	all = all && q->abandoned == 0;
	pthread_mutex_unlock(&q->lock);
	if (!all)
		return false;
	for (int i = 0; i < JOB_LANES; i++)
		for (int t = 0; t < q->lanes[i].started; t++)
			pthread_join(q->lanes[i].threads[t], NULL);
	drop_waiting(q);
	return true;
}

void queue_fini(struct queue *q)
{
	for (int i = 0; i < JOB_LANES; i++)
		pthread_cond_destroy(&q->lanes[i].changed);
	pthread_mutex_destroy(&q->lock);
}
