/*
 * The metrics themselves: a family after the other, each with its help and type
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, text format
 * 0.0.4).  Base units: seconds and bytes; what only grows ends in _total.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/loop/metrics.h"

static void family(FILE *out, const char *name, const char *type,
		   const char *help)
{
	fprintf(out, "# HELP remuda_%s %s\n# TYPE remuda_%s %s\n", name, help,
		name, type);
}

/* A value of a label: backslash, quote and newline are escaped. */
static void put_label(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			putc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else
			putc(*value, out);
	}
}

/* remuda_NAME{label="value"}; label NULL: none. */
static void begin(FILE *out, const char *name, const char *label,
		  const char *value)
{
	fprintf(out, "remuda_%s", name);
	if (!label)
		return;
	fprintf(out, "{%s=\"", label);
	put_label(out, value);
	fputs("\"}", out);
}

static void sample(FILE *out, const char *name, const char *label,
		   const char *value, uint64_t n)
{
	begin(out, name, label, value);
	fprintf(out, " %" PRIu64 "\n", n);
}

static void seconds(FILE *out, const char *name, const char *label,
		    const char *value, int64_t us)
{
	begin(out, name, label, value);
	fprintf(out, " %" PRId64 ".%06d\n", us / 1000000, (int)(us % 1000000));
}

/* A family of one sample. */
static void single(FILE *out, const char *name, const char *type,
		   const char *help, uint64_t n)
{
	family(out, name, type, help);
	sample(out, name, NULL, NULL, n);
}

/* ---- engine ---------------------------------------------------------------------- */

static void put_engine(FILE *out, const struct shell *sh)
{
	static const char *const severities[] = { "info", "warn", "fail" };

	family(out, "info", "gauge", "Version and site of this engine.");
	fputs("remuda_info{version=\"" REMUDA_VERSION "\",site=\"", out);
	put_label(out, sh->world.spec.name);
	fputs("\"} 1\n", out);
	family(out, "start_time_seconds", "gauge", "When this engine began.");
	seconds(out, "start_time_seconds", NULL, NULL,
		(shell_wall_ms() - shell_now_ms() + sh->started_ms) * 1000);
	single(out, "turns_total", "counter", "Turns of the engine.", sh->turns);
	single(out, "commits_total", "counter", "Commits of the store.",
	       sh->commits);
	family(out, "commit_seconds_total", "counter", "Time spent on them.");
	seconds(out, "commit_seconds_total", NULL, NULL, sh->counts.commit_us);
	single(out, "policy_rounds_total", "counter",
	       "Looks at the size of every cluster, one a minute.",
	       sh->counts.policy_rounds);
	family(out, "policy_seconds_total", "counter",
	       "Processor time spent on them.");
	seconds(out, "policy_seconds_total", NULL, NULL, sh->counts.policy_us);
	family(out, "events_total", "counter", "Events stored, by severity.");
	for (int i = 0; i < 3; i++)
		sample(out, "events_total", "severity", severities[i],
		       sh->counts.events[i]);
}

static void put_gateways(FILE *out, const struct shell *sh)
{
	char index[16];

	family(out, "gateway_up", "gauge", "1: it works for this engine.");
	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		snprintf(index, sizeof(index), "%u", i);
		sample(out, "gateway_up", "gateway", index,
		       sh->world.gateways[i].up);
	}
	family(out, "gateway_sessions", "gauge", "Sessions it carries.");
	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		snprintf(index, sizeof(index), "%u", i);
		sample(out, "gateway_sessions", "gateway", index,
		       sh->world.gateways[i].sessions);
	}
}

/* ---- pools and sessions ------------------------------------------------------------- */

#define EACH_POOL(p)                                                           \
	for (size_t i_ = 0; i_ < sh->world.pool_count; i_++)                   \
		for (const struct pool *p = sh->world.pools[i_]; p; p = NULL)

static uint64_t pool_ready(const struct pool *p)
{
	return p->ready_count;
}

static uint64_t pool_serve(const struct pool *p)
{
	return p->serve;
}

static uint64_t pool_most(const struct pool *p)
{
	return p->max;
}

static uint64_t pool_waiting(const struct pool *p)
{
	return p->waiting_count;
}

static uint64_t pool_old(const struct pool *p)
{
	return p->rolling ? p->outdated : 0;
}

static void put_pools(FILE *out, const struct shell *sh)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct pool *p);
	} gauges[] = {
		{ "pool_ready", "Machines that are free and ready.", pool_ready },
		{ "pool_serve", "Machines it keeps.", pool_serve },
		{ "pool_max", "Machines it may have.", pool_most },
		{ "pool_waiting", "Machines wanted by who waits.", pool_waiting },
		{ "pool_outdated", "Machines of an earlier version.", pool_old },
	};

	family(out, "pool_machines", "gauge", "Machines, by state.");
	EACH_POOL(p)
		for (int s = 0; s < MACHINE_GONE; s++) {
			fputs("remuda_pool_machines{pool=\"", out);
			put_label(out, p->spec.name);
			fprintf(out, "\",state=\"%s\"} %u\n",
				sm_name(&machine_table, s), p->counts[s]);
		}
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		family(out, gauges[i].name, "gauge", gauges[i].help);
		EACH_POOL(p)
			sample(out, gauges[i].name, "pool", p->spec.name,
			       gauges[i].of(p));
	}
}

static void put_waits(FILE *out, const struct metrics_counts *n)
{
	uint64_t sum = 0;

	family(out, "session_wait_seconds", "histogram",
	       "Waits of sessions for their machine.");
	for (int i = 0; i < METRICS_BUCKETS; i++) {
		sum += n->waits[i];
		sample(out, "session_wait_seconds_bucket", "le",
		       metrics_buckets[i].le, sum);
	}
	seconds(out, "session_wait_seconds_sum", NULL, NULL, n->wait_ms * 1000);
	sample(out, "session_wait_seconds_count", NULL, NULL, sum);
}

static void put_sessions(FILE *out, const struct shell *sh)
{
	const struct metrics_counts *n = &sh->counts;
	uint64_t live = 0, away = 0;

	LIST_EACH(&sh->world.live, it)
		live++;
	LIST_EACH(&sh->world.away, it)
		away++;
	single(out, "sessions", "gauge", "Sessions that live.", live);
	single(out, "sessions_lingering", "gauge",
	       "Of them, without a connection.", away);
	single(out, "requests_waiting", "gauge", "Requests that wait.",
	       sh->world.waiting_count);
	single(out, "sessions_begun_total", "counter", "Sessions assigned.",
	       n->begun);
	family(out, "sessions_ended_total", "counter",
	       "Sessions that are over and whose machines are done with, by end.");
	sample(out, "sessions_ended_total", "end", "closed", n->closed);
	sample(out, "sessions_ended_total", "end", "lost", n->lost);
	sample(out, "sessions_ended_total", "end", "failed", n->failed);
	family(out, "requests_ended_total", "counter",
	       "Requests that got no machine.");
	sample(out, "requests_ended_total", "end", "refused", n->refused);
	sample(out, "requests_ended_total", "end", "cancelled", n->cancelled);
	single(out, "cleanings_total", "counter",
	       "Machines confirmed clean after a session.", n->cleaned);
	family(out, "cleaning_seconds_total", "counter", "Time that took.");
	seconds(out, "cleaning_seconds_total", NULL, NULL, n->clean_ms * 1000);
	put_waits(out, n);
}

/* ---- hosts --------------------------------------------------------------------------- */

static uint64_t host_up(const struct host *h)
{
	return h->state == HOST_UP;
}

static uint64_t host_draining(const struct host *h)
{
	return h->draining;
}

static uint64_t host_machines(const struct host *h)
{
	uint64_t n = 0;

	LIST_EACH(&h->machines, it)
		n++;
	return n;
}

static uint64_t host_vcpus(const struct host *h)
{
	uint64_t mib;
	uint32_t vcpus;

	placement_used(h, &vcpus, &mib);
	return vcpus;
}

static uint64_t host_memory(const struct host *h)
{
	uint64_t mib;
	uint32_t vcpus;

	placement_used(h, &vcpus, &mib);
	return mib << 20;
}

static uint64_t host_room(const struct host *h)
{
	return placement_memory(h) << 20;
}

static void put_hosts(FILE *out, const struct shell *sh)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct host *h);
	} gauges[] = {
		{ "host_up", "1: its libvirt answers.", host_up },
		{ "host_draining", "1: no machine is made there.", host_draining },
		{ "host_machines", "Machines there.", host_machines },
		{ "host_used_vcpus", "vCPUs of them.", host_vcpus },
		{ "host_used_memory_bytes", "Memory of them.", host_memory },
		{ "host_room_memory_bytes",
		  "Memory they may have together; 0: not known.", host_room },
	};

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		family(out, gauges[i].name, "gauge", gauges[i].help);
		for (size_t k = 0; k < sh->world.host_count; k++)
			if (!sh->world.hosts[k]->removed)
				sample(out, gauges[i].name, "host",
				       sh->world.hosts[k]->spec.name,
				       gauges[i].of(sh->world.hosts[k]));
	}
}

/* ---- clusters ---------------------------------------------------------------------------- */

static void put_cluster_counts(FILE *out, const struct shell *sh)
{
	static const struct {
		const char *name, *type, *help;
		size_t at;
		bool wide;
	} rows[] = {
#define COUNT(field, name, help) { name, "counter", help,                      \
		offsetof(struct cluster_counts, field), true }
		COUNT(transactions, "cluster_transactions_total",
		      "Transactions that began."),
		COUNT(answered, "cluster_answered_total", "Ended in order."),
		COUNT(replayed, "cluster_replayed_total",
		      "Sent to another node once more."),
		COUNT(failed, "cluster_failed_total",
		      "Ended before the first byte of an answer."),
		COUNT(reset, "cluster_reset_total", "Cut within an answer."),
		COUNT(refused, "cluster_refused_total",
		      "No node was there within the wait."),
		COUNT(bytes_in, "cluster_received_bytes_total", "From clients."),
		COUNT(bytes_out, "cluster_sent_bytes_total", "To clients."),
#undef COUNT
		{ "cluster_open", "gauge", "Transactions now.",
		  offsetof(struct cluster_counts, open), false },
		{ "cluster_waiting", "gauge", "Of them, waiting for a node.",
		  offsetof(struct cluster_counts, waiting), false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		family(out, rows[i].name, rows[i].type, rows[i].help);
		for (size_t k = 0; k < sh->world.cluster_count; k++) {
			const struct cluster *c = sh->world.clusters[k];
			struct cluster_counts n = cluster_counts(c);
			const char *at = (const char *)&n + rows[i].at;
			uint64_t v = rows[i].wide ?
					     *(const uint64_t *)(const void *)at :
					     *(const uint32_t *)(const void *)at;

			sample(out, rows[i].name, "cluster", c->spec.name, v);
		}
	}
}

static uint64_t cluster_wanted(const struct cluster *c)
{
	return c->row.nodes;
}

static uint64_t cluster_up(const struct cluster *c)
{
	return cluster_serving(c);
}

static uint64_t cluster_changing(const struct cluster *c)
{
	return c->change != NULL;
}

static uint64_t cluster_vip(const struct cluster *c)
{
	return c->vip_held;
}

static void put_clusters(FILE *out, const struct shell *sh)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct cluster *c);
	} gauges[] = {
		{ "cluster_nodes", "Nodes it is to have.", cluster_wanted },
		{ "cluster_nodes_serving", "Nodes in rotation and well.",
		  cluster_up },
		{ "cluster_changing", "1: a change is under way.",
		  cluster_changing },
		{ "cluster_address_held", "1: its address is held.", cluster_vip },
	};
	static const char *const ends[] = { "done", "failed", "cancelled" };

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		family(out, gauges[i].name, "gauge", gauges[i].help);
		for (size_t k = 0; k < sh->world.cluster_count; k++)
			sample(out, gauges[i].name, "cluster",
			       sh->world.clusters[k]->spec.name,
			       gauges[i].of(sh->world.clusters[k]));
	}
	put_cluster_counts(out, sh);
	family(out, "changes_total", "counter", "Changes that are over, by end.");
	for (int i = 0; i < 3; i++)
		sample(out, "changes_total", "end", ends[i],
		       sh->counts.changes[CHANGE_DONE + i]);
}

char *metrics_text(const struct shell *sh, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	CHECK("", out, "out of memory");
	put_engine(out, sh);
	put_gateways(out, sh);
	put_hosts(out, sh);
	put_pools(out, sh);
	put_sessions(out, sh);
	put_clusters(out, sh);
	fclose(out);
	return text;
}
