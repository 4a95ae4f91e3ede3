/*
 * What machines use, as libvirt tells it once an interval for a whole host; kept
 * as a short history for rules, charts and the console.  Integers only: permille
 * of the machine's vcpus.
 */
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { STATS_DEADLINE_MS = 15000, STATS_MS = 10000 };

void usage_read(struct world *w, struct effects *fx, struct host *h)
{
	int64_t every = w->spec.stats_ms ? w->spec.stats_ms : STATS_MS;

	if (h->stats_call || h->state != HOST_UP ||
	    (h->stats_ms && w->now_ms - h->stats_ms < every))
		return;
	struct call *c = call_new(w, CALL_KIND_STATS, NULL, h, STATS_DEADLINE_MS);
	struct effect *e = effects_add(fx, EFFECT_STATS_READ);

	h->stats_call = e->call = c->id;
	h->stats_ms = w->now_ms;
	e->host = effects_text(fx, "%s", h->spec.name);
}

void usage_on_read(struct world *w, uint64_t call)
{
	for (size_t i = 0; i < w->host_count; i++)
		if (w->hosts[i]->stats_call == call)
			w->hosts[i]->stats_call = 0;
}

static void add_sample(struct usage *u, uint32_t permille)
{
	for (uint32_t i = STATS_KEPT - 1; i > 0; i--)
		u->cpu_permille[i] = u->cpu_permille[i - 1];
	u->cpu_permille[0] = (uint16_t)(permille > 1000 ? 1000 : permille);
	if (u->count < STATS_KEPT)
		u->count++;
}

void usage_on_stats(struct world *w, const struct event *ev)
{
	struct machine *m = world_machine(w, ev->stats.machine);

	if (!m || ev->stats.incarnation != m->row.built)
		return;
	if (!m->usage) {
		m->usage = calloc(1, sizeof(*m->usage));
		CHECK("", m->usage, "out of memory");
	}
	struct usage *u = m->usage;
	int64_t ms = ev->stats.at_ms - u->at_ms, cpu = ev->stats.cpu_ms - u->cpu_ms;
	uint32_t vcpus = m->row.vcpus ? m->row.vcpus : 1;

	/* Less than before: another QEMU, whose first look this is. */
	if (u->at_ms && ms > 0 && cpu >= 0)
		add_sample(u, (uint32_t)(cpu * 1000 / ms / vcpus));
	u->at_ms = ev->stats.at_ms;
	u->cpu_ms = ev->stats.cpu_ms;
	u->memory_mib = ev->stats.memory_mib;
	u->rss_mib = ev->stats.rss_mib;
	u->read_bytes = ev->stats.read_bytes;
	u->written_bytes = ev->stats.written_bytes;
	u->in_bytes = ev->stats.in_bytes;
	u->out_bytes = ev->stats.out_bytes;
	m->changed = m->pool->changed = m->host->changed = w->turn;
}

static uint32_t sample(const struct machine *m, uint32_t i)
{
	return m->usage && m->usage->count > i ? m->usage->cpu_permille[i] : 0;
}

struct cluster_use cluster_use(const struct cluster *c)
{
	struct cluster_use use = { 0 };
	uint32_t n = 0, count = 0;

	LIST_EACH(&c->pool->in_state[MACHINE_READY], it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, state_link);

		if (m->row.node != NODE_SERVING || !m->usage || !m->usage->count)
			continue;
		n++;
		count = m->usage->count > count ? m->usage->count : count;
		if (sample(m, 0) > use.busiest_permille)
			use.busiest_permille = sample(m, 0);
		for (uint32_t i = 0; i < USE_HISTORY; i++)
			use.history[i] += sample(m, i);
	}
	for (uint32_t i = 0; n && i < USE_HISTORY; i++)
		use.history[i] /= n;
	use.history_count = count < USE_HISTORY ? count : USE_HISTORY;
	use.cpu_permille = use.history[0];
	return use;
}
