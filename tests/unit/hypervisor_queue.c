/*
 * The hypervisor role's queue: one call at a time per domain, a thread left
 * for other domains when guests hang, delayed jobs, limits, stopping.  Jobs
 * here wait on a gate instead of on libvirt.
 */
#include "engine/hypervisor/queue.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/error.h"
#include "engine/hypervisor/role.h"
#include "tests/tap.h"

/* What the jobs did, under one lock. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;		/* the gate */
	int waiting;		/* jobs at the gate */
	int agents;		/* of them agent calls */
	int done;
	int order[64];
	char uuids[32][40];	/* of the jobs at the gate */
	int twice;		/* times one domain was there twice */
} stage = { .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER };

static struct queue queue;

static void reset(bool open)
{
	pthread_mutex_lock(&stage.lock);
	stage.open = open;
	stage.done = stage.twice = 0;
	pthread_mutex_unlock(&stage.lock);
}

static void open_gate(void)
{
	pthread_mutex_lock(&stage.lock);
	stage.open = true;
	pthread_cond_broadcast(&stage.changed);
	pthread_mutex_unlock(&stage.lock);
}

/* Waits up to 5 s for a count; returns what it is then. */
static int wait_count(const int *count, int want)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	pthread_mutex_lock(&stage.lock);
	while (*count != want && rc == 0)
		rc = pthread_cond_timedwait(&stage.changed, &stage.lock, &until);
	int have = *count;
	pthread_mutex_unlock(&stage.lock);
	return have;
}

static enum job_next at_gate(struct job *job)
{
	pthread_mutex_lock(&stage.lock);
	for (int i = 0; i < 32 && job->uuid[0]; i++)
		stage.twice += strcmp(stage.uuids[i], job->uuid) == 0;
	int slot = 0;
	while (slot < 31 && stage.uuids[slot][0])
		slot++;
	TEXT_SET(stage.uuids[slot], job->uuid);
	stage.waiting++;
	stage.agents += job->agent;
	pthread_cond_broadcast(&stage.changed);
	while (!stage.open)
		pthread_cond_wait(&stage.changed, &stage.lock);
	stage.waiting--;
	stage.agents -= job->agent;
	stage.uuids[slot][0] = '\0';
	if (stage.done < 64)
		stage.order[stage.done] = (int)job->number;
	stage.done++;
	pthread_cond_broadcast(&stage.changed);
	pthread_mutex_unlock(&stage.lock);
	return JOB_DONE;
}

static struct job *new_job(enum job_lane lane, const char *uuid, bool agent,
			   int number)
{
	struct job *job = job_new(NULL, lane, at_gate, false);

	TEXT_SET(job->uuid, uuid);
	job->agent = agent;
	job->number = number;
	return job;
}

static void add(struct job *job)
{
	if (!queue_add(&queue, job, QUEUE_CALLS_MAX))
		tap_bail("the queue is full");
}

static void test_one_per_domain(void)
{
	reset(false);
	for (int i = 0; i < 3; i++)
		add(new_job(JOB_DOMAIN, "a", false, i));
	add(new_job(JOB_DOMAIN, "b", false, 10));
	is_int(wait_count(&stage.waiting, 2), 2,
	       "two domains run, the further calls of one wait");
	add(new_job(JOB_LOCAL, "a", false, 11));
	add(new_job(JOB_HOST, "", false, 12));
	is_int(wait_count(&stage.waiting, 4), 4, "other lanes go on");
	open_gate();
	is_int(wait_count(&stage.done, 6), 6, "all are done");
	int last = -1;
	bool ordered = true;
	for (int i = 0; i < 6; i++) {
		if (stage.order[i] >= 10)
			continue;
		ordered = ordered && stage.order[i] > last;
		last = stage.order[i];
	}
	ok(ordered, "one domain's calls in the order they came");
}

static void test_agents(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	reset(false);
	for (int i = 0; i < 6; i++)
		add(new_job(JOB_DOMAIN, names[i], true, i));
	is_int(wait_count(&stage.agents, QUEUE_AGENT_MAX), QUEUE_AGENT_MAX,
	       "guests that hang take three threads");
	add(new_job(JOB_DOMAIN, "g", false, 7));
	is_int(wait_count(&stage.waiting, QUEUE_AGENT_MAX + 1),
	       QUEUE_AGENT_MAX + 1, "the fourth serves a create or destroy");
	open_gate();
	is_int(wait_count(&stage.done, 7), 7, "all are done");
}

static enum job_next again(struct job *job)
{
	if (job->step++ < 5)
		return job_again(job, 2, 10);
	return at_gate(job);
}

static void test_delayed(void)
{
	int64_t now_ms = role_now_ms();

	reset(true);
	for (int i = 0; i < 5; i++) {
		struct job *job = new_job(JOB_HOST, "", false, i);

		job->due_ms = now_ms + 100 - 20 * i;
		add(job);
	}
	struct job *job = new_job(JOB_HOST, "", false, 99);
	add(job);
	is_int(wait_count(&stage.done, 6), 6, "delayed jobs run");
	ok(stage.order[0] == 99 && stage.order[1] == 4 && stage.order[5] == 0,
	   "in the order of their times");
	ok(role_now_ms() - now_ms >= 100, "and not before");
	reset(true);
	job = new_job(JOB_DOMAIN, "a", false, 1);
	job->run = again;
	now_ms = role_now_ms();
	add(job);
	is_int(wait_count(&stage.done, 1), 1, "a job that looks again ends");
	ok(role_now_ms() - now_ms >= 2 + 3 + 4 + 5 + 7, "after its pauses");
}

static void test_no_twins(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };

	reset(true);
	for (int i = 0; i < 2000; i++)
		add(new_job(JOB_DOMAIN, names[i % 5], i % 3 == 0, i));
	is_int(wait_count(&stage.done, 2000), 2000, "2000 calls are done");
	is_int(stage.twice, 0, "never two of one domain at once");
}

static void test_abandon(void)
{
	static const char *const names[] = { "a", "b", "c", "d" };

	reset(false);
	for (int i = 0; i < 4; i++)
		add(new_job(JOB_DOMAIN, names[i], false, i));
	add(new_job(JOB_HOST, "", false, 4));
	is_int(wait_count(&stage.waiting, 5), 5, "every thread hangs");
	for (int i = 0; i < 4; i++)
		add(new_job(JOB_DOMAIN, names[i], false, 10 + i));
	queue_abandon(&queue, 20);
	is_int(wait_count(&stage.waiting, 9), 9,
	       "given up, they are replaced, and their domains free");
	pthread_mutex_lock(&queue.lock);
	is_int(queue.abandoned, 5, "five threads are remembered");
	pthread_mutex_unlock(&queue.lock);
	open_gate();
	is_int(wait_count(&stage.done, 9), 9, "all jobs return");
	reset(true);
	for (int i = 0; i < 100; i++)
		add(new_job(JOB_DOMAIN, names[i % 4], false, i));
	is_int(wait_count(&stage.done, 100), 100, "the new threads go on");
	queue_abandon(&queue, 1000);
	int64_t until_ms = role_now_ms() + 5000;
	int left = 1;
	while (left > 0 && role_now_ms() < until_ms) {
		pthread_mutex_lock(&queue.lock);
		left = queue.abandoned;
		pthread_mutex_unlock(&queue.lock);
		sched_yield();
	}
	is_int(left, 0, "the old ones have ended, and no other was given up");
}

static void test_limit_and_stop(void)
{
	int taken = 0;

	reset(false);
	for (int i = 0; i < QUEUE_CALLS_MAX + 10; i++) {
		struct job *job = new_job(JOB_HOST, "", false, i);

		if (queue_add(&queue, job, QUEUE_CALLS_MAX))
			taken++;
		else
			job_free(job);
	}
	is_int(taken, QUEUE_CALLS_MAX, "a full queue takes no more");
	struct job *refusal = new_job(JOB_LOCAL, "", false, 1);
	ok(queue_add(&queue, refusal, QUEUE_JOBS_MAX), "but for refusals");
	is_int(wait_count(&stage.waiting, 2), 2, "two run");
	ok(!queue_stop(&queue, 50), "a queue with calls that hang does not stop");
	open_gate();
	ok(queue_stop(&queue, 5000), "it does when they return");
	struct job *late = new_job(JOB_HOST, "", false, 1);
	ok(!queue_add(&queue, late, QUEUE_CALLS_MAX), "and takes nothing then");
	job_free(late);
	is_int(queue.jobs, 0, "what waited is dropped");
	queue_fini(&queue);
}

int main(void)
{
	struct error err;

	queue_init(&queue);
	if (queue_start(&queue, &err) < 0)
		tap_bail("%s", err.text);
	test_one_per_domain();
	test_agents();
	test_delayed();
	test_no_twins();
	test_abandon();
	test_limit_and_stop();
	return tap_done();
}
