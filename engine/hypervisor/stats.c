/*
 * See stats.h.  stats_read runs on the HOST lane beside the poll and never asks
 * QEMU; stats_look on the STATS lane may be held up.  Both make a new table of
 * samples out of the last one, so nothing that is known gets lost; the table
 * changes hands under the lock.
 */
#include "engine/hypervisor/stats.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

enum {
	LOOK_FIRST_MS = 1,	/* distances of looks at the look */
	LOOK_LAST_MS = 20,
	GROUPS = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL |
		 VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_BALLOON |
		 VIR_DOMAIN_STATS_BLOCK | VIR_DOMAIN_STATS_INTERFACE,
};

struct table {
	struct stats_sample *samples;
	size_t count, room;
};

void stats_init(struct stats *s)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
}

void stats_fini(struct stats *s)
{
	free(s->last);
	pthread_mutex_destroy(&s->lock);
}

static int64_t boot_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int compare(const void *a, const void *b)
{
	const struct stats_sample *x = a, *y = b;

	return strcmp(x->uuid, y->uuid);
}

/* A sample of this domain, with what was last known of the same life. */
static struct stats_sample *add_sample(struct stats *s, struct table *t,
				       const struct known_domain *d)
{
	struct stats_sample *out, *old, key;

	CHECK("", t->count < t->room, "more domains than counted");
	out = &t->samples[t->count++];
	TEXT_SET(key.uuid, d->uuid);
	pthread_mutex_lock(&s->lock);
	old = s->count ? bsearch(&key, s->last, s->count, sizeof(key), compare) :
			 NULL;
	*out = old && old->incarnation == d->incarnation ? *old :
		       (struct stats_sample){ .incarnation = d->incarnation };
	pthread_mutex_unlock(&s->lock);
	TEXT_SET(out->uuid, d->uuid);
	out->machine = d->machine;
	out->at_ms = boot_ms();
	return out;
}

/* Takes the table; what is in it is the last known from now on. */
static void keep(struct stats *s, struct table *t, bool looked)
{
	if (t->count)
		qsort(t->samples, t->count, sizeof(*t->samples), compare);
	pthread_mutex_lock(&s->lock);
	free(s->last);
	s->last = t->samples;
	s->count = t->count;
	if (looked)
		s->looks++;
	pthread_mutex_unlock(&s->lock);
}

static void grow_cpu(struct stats_sample *out, unsigned long long ns)
{
	int64_t ms = (int64_t)(ns / 1000000);

	if (ms > out->cpu_ms)
		out->cpu_ms = ms;
}

/* What libvirt knows without asking QEMU. */
static void read_info(virDomainPtr domain, struct stats_sample *out)
{
	virDomainInfo info;

	if (virDomainGetInfo(domain, &info) < 0)
		return;
	grow_cpu(out, info.cpuTime);
	out->vcpus = info.nrVirtCpu;
	out->memory_mib = info.memory / 1024;
}

/* The sum of PREFIX.0.FIELD, PREFIX.1.FIELD ...; false when none is there. */
static bool read_sum(const virDomainStatsRecord *r, const char *prefix,
		     const char *field, uint64_t *out)
{
	unsigned long long value, sum = 0;
	unsigned int count = 0;
	bool any = false;
	char name[64];

	snprintf(name, sizeof(name), "%s.count", prefix);
	if (virTypedParamsGetUInt(r->params, r->nparams, name, &count) != 1)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s.%u.%s", prefix, i, field);
		if (virTypedParamsGetULLong(r->params, r->nparams, name,
					    &value) == 1) {
			sum += value;
			any = true;
		}
	}
	if (any)
		*out = sum;
	return any;
}

static void read_record(const virDomainStatsRecord *r, struct stats_sample *out)
{
	unsigned long long value;
	unsigned int vcpus;

	if (virTypedParamsGetULLong(r->params, r->nparams, "cpu.time", &value) == 1)
		grow_cpu(out, value);
	if (virTypedParamsGetUInt(r->params, r->nparams, "vcpu.current", &vcpus) == 1)
		out->vcpus = vcpus;
	if (virTypedParamsGetULLong(r->params, r->nparams, "balloon.current",
				    &value) == 1)
		out->memory_mib = value / 1024;
	if (virTypedParamsGetULLong(r->params, r->nparams, "balloon.rss", &value) == 1)
		out->rss_mib = value / 1024;
	read_sum(r, "block", "rd.bytes", &out->read_bytes);
	read_sum(r, "block", "wr.bytes", &out->written_bytes);
	read_sum(r, "net", "rx.bytes", &out->in_bytes);
	read_sum(r, "net", "tx.bytes", &out->out_bytes);
}

static struct table new_table(int count)
{
	struct table t = { .room = (size_t)count };

	t.samples = calloc(t.room + 1, sizeof(*t.samples));
	CHECK("", t.samples, "out of memory");
	return t;
}

/* 1: ours, in d; 0: not ours or gone; -1: unknown. */
static int is_ours(struct job *job, const struct host_facts *facts,
		   virDomainPtr domain, struct known_domain *d, struct error *err)
{
	int there = ownership_identify(job->role, facts, domain, d, err);

	return there <= 0 ? there : d->ours && d->id >= 0;
}

/* All that is known; may be held up by a frozen QEMU. */
static int look_deep(struct job *job, virConnectPtr conn,
		     const struct host_facts *facts, struct table *t,
		     struct error *err)
{
	virDomainStatsRecordPtr *records = NULL;
	struct known_domain d;
	int rc = 0, count = virConnectGetAllDomainStats(
		conn, GROUPS, &records,
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
			VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);

	if (count < 0)
		return virt_error(err, "the host does not tell its domains' use"), -1;
	*t = new_table(count);
	for (int i = 0; i < count && rc >= 0; i++) {
		rc = is_ours(job, facts, records[i]->dom, &d, err);
		if (rc > 0)
			read_record(records[i],
				    add_sample(&job->role->stats, t, &d));
	}
	virDomainStatsRecordListFree(records);
	return rc < 0 ? -1 : 0;
}

/* What needs no QEMU: also for drivers without bulk statistics. */
static int look_light(struct job *job, virConnectPtr conn,
		      const struct host_facts *facts, struct table *t,
		      struct error *err)
{
	virDomainPtr *domains = NULL;
	struct known_domain d;
	int rc = 0, count = virConnectListAllDomains(
		conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (count < 0)
		return virt_error(err, "the host does not list its domains"), -1;
	*t = new_table(count);
	for (int i = 0; i < count; i++) {
		if (rc >= 0)
			rc = is_ours(job, facts, domains[i], &d, err);
		if (rc > 0)
			read_info(domains[i], add_sample(&job->role->stats, t, &d));
		virDomainFree(domains[i]);
	}
	free(domains);
	return rc < 0 ? -1 : 0;
}

/* On a thread of its own; nobody waits for its answer. */
static enum job_next stats_look(struct job *job)
{
	struct stats *s = &job->role->stats;
	struct error err = { "" };
	struct table t = { 0 };
	struct host_facts facts;
	virConnectPtr conn = host_take(job, &facts, &err);

	int rc = !conn ? -1 : facts.kind == HOST_QEMU ?
			 look_deep(job, conn, &facts, &t, &err) :
			 look_light(job, conn, &facts, &t, &err);
	if (conn)
		virConnectClose(conn);
	if (rc < 0)
		log_debug("statistics: %s", err.text);
	pthread_mutex_lock(&s->lock);
	/* A look of a connection that is gone may end late. */
	bool mine = conn && s->generation == facts.generation;
	if (mine || !conn)
		s->looking = false;
	pthread_mutex_unlock(&s->lock);
	if (rc == 0 && mine)
		keep(s, &t, true);
	else
		free(t.samples);
	return JOB_DONE;
}

static enum job_next tell(struct job *job)
{
	struct stats *s = &job->role->stats;

	pthread_mutex_lock(&s->lock);
	size_t count = s->count;
	struct stats_sample *copy = calloc(count + 1, sizeof(*copy));
	CHECK("", copy, "out of memory");
	if (count)
		memcpy(copy, s->last, count * sizeof(*copy));
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < count; i++) {
		const struct stats_sample *o = &copy[i];
		struct message m = {
			.type = WIRE_TYPE_domain_stats,
			.request = job->m.request,
			.incarnation = o->incarnation,
			.domain_stats = {
				o->machine, slice_of(o->uuid), o->at_ms,
				o->cpu_ms, o->vcpus, o->memory_mib, o->rss_mib,
				o->read_bytes, o->written_bytes, o->in_bytes,
				o->out_bytes },
		};

		if (!atomic_load(&job->answered))
			answer_send(job->role, &m);
	}
	free(copy);
	return answer(job, WIRE_OK, NULL);
}

/* Begins a look unless one is under way on this connection. */
static void begin(struct job *job, const struct host_facts *facts)
{
	struct stats *s = &job->role->stats;

	pthread_mutex_lock(&s->lock);
	job->number = (int64_t)s->looks;
	bool mine = !s->looking || s->generation != facts->generation;
	if (mine) {
		s->looking = true;
		s->generation = facts->generation;
		s->since_ms = role_now_ms();
	}
	/* One that is held up is not waited for again. */
	job->deadline_ms = s->since_ms + STATS_WAIT_MS;
	pthread_mutex_unlock(&s->lock);
	if (!mine)
		return;
	struct job *look = job_new(job->role, JOB_STATS, stats_look, false);
	if (queue_add(&job->role->queue, look, QUEUE_JOBS_MAX))
		return;
	job_free(look);
	pthread_mutex_lock(&s->lock);
	s->looking = false;
	pthread_mutex_unlock(&s->lock);
}

/* Step 0 begins a look, step 1 waits for it. */
enum job_next stats_read(struct job *job)
{
	struct stats *s = &job->role->stats;
	struct error err = { "" };
	struct host_facts facts;
	struct table t = { 0 };
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	if (job->step == 0)
		begin(job, &facts);
	job->step = 1;
	pthread_mutex_lock(&s->lock);
	bool ended = s->looks != (uint64_t)job->number, looking = s->looking;
	pthread_mutex_unlock(&s->lock);
	int rc = 0;
	if (!ended && (!looking || role_now_ms() >= job->deadline_ms)) {
		rc = look_light(job, conn, &facts, &t, &err);
		if (rc == 0)
			keep(s, &t, false);
		else
			free(t.samples);
		ended = true;
	}
	virConnectClose(conn);
	if (rc < 0)
		return answer(job, WIRE_UNKNOWN, err.text);
	return ended ? tell(job) : job_again(job, LOOK_FIRST_MS, LOOK_LAST_MS);
}
