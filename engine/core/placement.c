/*
 * On which host a machine is made (spec 3.7).  placement_choose is pure: it looks
 * at the world and answers.  First what a host must have (its name, labels and
 * site are allowed, it answers, nobody drains it, there is room), then what is
 * better: enough room on its disk, for spread over sites the site with fewest machines of the pool, the
 * site named earlier, the host with fewest machines of the pool, the host that
 * is used least, the one declared first.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/internal.h"

static bool names_have(const struct site_names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->names[i], name) == 0)
			return true;
	return n->all;
}

bool placement_applies(const struct pool *p)
{
	return p->spec.placement.hosts.all || p->spec.placement.hosts.count;
}

bool placement_allows(const struct pool *p, const struct host *h)
{
	const struct site_placement *want = &p->spec.placement;

	if (!placement_applies(p))
		return strcmp(p->spec.host, h->spec.name) == 0;
	if (!names_have(&want->hosts, h->spec.name))
		return false;
	for (size_t i = 0; i < want->labels.count; i++)
		if (!names_have(&h->spec.labels, want->labels.names[i]))
			return false;
	return want->sites.all || !want->sites.count ||
	       names_have(&want->sites, h->spec.site);
}

/* It has a domain, will have one, or may still have one. */
bool placement_counts(enum machine_state state)
{
	return state != MACHINE_GONE && state != MACHINE_SAVED;
}

void placement_eased(struct world *w)
{
	for (size_t i = 0; i < w->pool_count; i++)
		if (w->pools[i]->lacks_room)
			pool_unbalance(w, w->pools[i]);
}

void placement_used(const struct host *h, uint32_t *vcpus, uint64_t *memory_mib)
{
	*vcpus = 0;
	*memory_mib = 0;
	LIST_EACH(&h->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, host_link);

		if (!placement_counts(m->row.state))
			continue;
		*vcpus += m->row.vcpus;
		*memory_mib += m->row.memory_mib;
	}
}

uint64_t placement_memory(const struct host *h)
{
	return h->spec.memory_mib ? h->spec.memory_mib : h->memory_mib;
}

/* What a machine that is to go takes of that host. */
static void give_back(const struct host *h, const struct machine *leave,
		      uint32_t *vcpus, uint64_t *memory_mib)
{
	if (!leave || leave->host != h || !placement_counts(leave->row.state))
		return;
	*vcpus -= leave->row.vcpus;
	*memory_mib -= leave->row.memory_mib;
}

bool placement_fits(const struct host *h, uint32_t vcpus, uint64_t memory_mib,
		    const struct machine *leave)
{
	uint32_t used_vcpus;
	uint64_t used_mib, all_mib = placement_memory(h);

	placement_used(h, &used_vcpus, &used_mib);
	give_back(h, leave, &used_vcpus, &used_mib);
	if (PLANTED(S11_OVERFULL))
		return true;
	return (!h->spec.vcpus || used_vcpus + vcpus <= h->spec.vcpus) &&
	       (!all_mib || used_mib + memory_mib <= all_mib);
}

bool placement_lets_wake(const struct machine *m)
{
	return !placement_applies(m->pool) ||
	       placement_fits(m->host, m->row.vcpus, m->row.memory_mib, NULL);
}

/* With that much more in use the others could still take what the fullest has. */
static bool keeps_reserve(const struct world *w, uint64_t memory_mib)
{
	uint64_t all = 0, used = 0, largest = 0;

	for (size_t i = 0; i < w->host_count; i++) {
		const struct host *h = w->hosts[i];
		uint32_t vcpus;
		uint64_t mib;

		if (h->removed || h->state != HOST_UP || !placement_memory(h))
			continue;
		placement_used(h, &vcpus, &mib);
		used += mib;
		all += placement_memory(h);
		if (placement_memory(h) > largest)
			largest = placement_memory(h);
	}
	return used + memory_mib <= all - largest;
}

/* Smaller is better, the first number that differs decides. */
struct merit {
	uint32_t disk_short, same_site, site, same_host, used, order;
};

static uint32_t machines_of(const struct pool *p, const struct host *h,
			    const struct machine *leave)
{
	uint32_t n = 0;

	LIST_EACH(&p->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		n += m->host == h && m != leave && m->row.wish == WISH_RUN &&
		     m->row.state != MACHINE_RETIRING;
	}
	return n;
}

static uint32_t site_order(const struct pool *p, const struct host *h)
{
	const struct site_names *sites = &p->spec.placement.sites;
	uint32_t i = 0;

	while (i < sites->count && strcmp(sites->names[i], h->spec.site) != 0)
		i++;
	return i;
}

static struct merit merit_of(const struct world *w, const struct pool *p,
			   const struct host *h, uint32_t order,
			   const struct machine *leave)
{
	enum site_spread spread = p->spec.placement.spread;
	struct merit r = { .disk_short = h->disk_short,
			   .site = site_order(p, h), .order = order };
	uint64_t mib, all = placement_memory(h);
	uint32_t vcpus;

	for (size_t i = 0; spread == SPREAD_SITES && i < w->host_count; i++)
		if (strcmp(w->hosts[i]->spec.site, h->spec.site) == 0)
			r.same_site += machines_of(p, w->hosts[i], leave);
	if (spread == SPREAD_HOSTS || spread == SPREAD_SITES)
		r.same_host = machines_of(p, h, leave);
	placement_used(h, &vcpus, &mib);
	give_back(h, leave, &vcpus, &mib);
	r.used = all ? (uint32_t)(mib * 1000 / all) : vcpus;
	return r;
}

static bool is_better(const struct merit *a, const struct merit *b)
{
	/* Where all are short the machine waits for room on the best. */
	if (a->disk_short != b->disk_short)
		return a->disk_short < b->disk_short;
	if (a->same_site != b->same_site)
		return a->same_site < b->same_site;
	if (a->site != b->site)
		return a->site < b->site;
	if (a->same_host != b->same_host)
		return a->same_host < b->same_host;
	if (a->used != b->used)
		return a->used < b->used;
	return a->order < b->order;
}

/* How many candidates fell to which reason, for people. */
struct shortfall {
	uint32_t allowed, silent, draining, open, full;
};

static void say_why(const struct shortfall *s, uint32_t vcpus,
		    uint64_t memory_mib, char *why, size_t why_size)
{
	char open[64] = "";

	if (s->open)
		snprintf(open, sizeof(open), "%u do not isolate machines, ",
			 s->open);
	if (!s->allowed)
		snprintf(why, why_size, "no host has the name, labels and site it asks for");
	else
		snprintf(why, why_size,
			 "no room for %u vCPU and %llu MiB: of %u hosts %u do not answer, %u are drained, %s%u are full",
			 vcpus, (unsigned long long)memory_mib, s->allowed,
			 s->silent, s->draining, open, s->full);
}

struct host *placement_choose(const struct world *w, const struct pool *p,
			      uint32_t vcpus, uint64_t memory_mib,
			      const struct machine *leave, const struct host *but,
			      char *why, size_t why_size)
{
	struct shortfall s = { 0 };
	struct host *best = NULL;
	struct merit best_merit = { 0 };

	for (size_t i = 0; i < w->host_count; i++) {
		struct host *h = w->hosts[i];

		if (h->removed || !placement_allows(p, h))
			continue;
		s.allowed++;
		s.silent += h->state == HOST_NOT_ANSWERING;
		s.draining += h->draining && h->state != HOST_NOT_ANSWERING;
		if (h->state == HOST_NOT_ANSWERING || h->draining || h == but)
			continue;
		if (p->spec.untrusted && !host_isolates(h)) {
			s.open++;
			continue;
		}
		if (!placement_fits(h, vcpus, memory_mib, leave)) {
			s.full++;
			continue;
		}
		struct merit r = merit_of(w, p, h, (uint32_t)i, leave);
		if (!best || is_better(&r, &best_merit)) {
			best = h;
			best_merit = r;
		}
	}
	if (!best) {
		say_why(&s, vcpus, memory_mib, why, why_size);
	} else if (w->spec.reserve && !leave && !keeps_reserve(w, memory_mib)) {
		snprintf(why, why_size,
			 "%llu MiB more would leave no room for the loss of a host (site: reserve)",
			 (unsigned long long)memory_mib);
		return NULL;
	}
	return best;
}
