/*
 * What would happen if a host were gone now (spec 3.7): the choices of placement
 * and of node.c, asked without doing anything.  Room that replacements would take
 * is counted as they are placed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

struct saying {
	void (*say)(void *, const char *);
	void *arg;
};

static void say(const struct saying *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct saying *s, const char *fmt, ...)
{
	char text[ROW_TEXT_SIZE * 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->say(s->arg, text);
}

/* A cluster: its nodes there, and where each would be made anew. */
static void cluster_without(struct world *w, const struct cluster *c,
			    struct host *h, const struct saying *s)
{
	uint32_t here = 0, all = 0, placed = 0;
	bool disk = c->pool->spec.keep || c->pool->spec.volume_mib;
	char why[ROW_TEXT_SIZE] = "", hosts[ROW_TEXT_SIZE] = "";
	struct machine ghosts[CHANGE_PAIRS_MAX];

	LIST_EACH(&c->pool->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		if (!cluster_is_member(m))
			continue;
		all++;
		here += m->host == h;
	}
	if (!here)
		return;
	for (; !disk && placed < here && placed < CHANGE_PAIRS_MAX; placed++) {
		struct host *to = placement_choose(w, c->pool, c->row.vcpus,
						   c->row.memory_mib, NULL, h,
						   why, sizeof(why));
		if (!to)
			break;
		/* Takes its room for those after it. */
		struct machine *g = &ghosts[placed];
		*g = (struct machine){ .row = { .vcpus = c->row.vcpus,
						.memory_mib = c->row.memory_mib,
						.state = MACHINE_DEFINED },
				       .pool = c->pool, .host = to };
		list_add_tail(&to->machines, &g->host_link);
		size_t used = strlen(hosts);
		snprintf(hosts + used, sizeof(hosts) - used, "%s%s",
			 used ? ", " : "", to->spec.name);
	}
	for (uint32_t i = 0; i < placed; i++)
		list_remove(&ghosts[i].host_link);
	say(s, "cluster %s: %u of %u nodes would be lost, %u would go on serving%s",
	    c->spec.name, here, all, all - here,
	    here == all ? ": its address would answer nobody until the first is back" : "");
	if (disk)
		say(s, "cluster %s: its nodes own disks, so they stay occupied until an operator fences host %s",
		    c->spec.name, h->spec.name);
	else if (placed)
		say(s, "cluster %s: %u would be made at once on %s", c->spec.name,
		    placed, hosts);
	if (!disk && placed < here)
		say(s, "cluster %s: %u would stay short: %s", c->spec.name,
		    here - placed, why);
}

static void pool_without(const struct world *w, const struct pool *p,
			 const struct host *h, const struct saying *s)
{
	uint32_t machines = 0, sessions = 0, elsewhere = 0;

	LIST_EACH(&p->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		elsewhere += m->host != h && m->row.wish == WISH_RUN;
		if (m->host != h)
			continue;
		machines++;
		sessions += m->row.state == MACHINE_IN_SESSION ||
			    m->row.state == MACHINE_RESERVED;
	}
	if (!machines)
		return;
	bool only_here = true;
	for (size_t i = 0; i < w->host_count; i++)
		if (w->hosts[i] != h && !w->hosts[i]->removed &&
		    placement_allows(p, w->hosts[i]))
			only_here = false;
	say(s, "pool %s: %u machines and %u sessions are there, %u machines elsewhere%s",
	    p->spec.name, machines, sessions, elsewhere,
	    only_here ? "; it may be on no other host, so its users would wait until the host is back" :
			"; new ones would be made elsewhere once the host is fenced");
}

void whatif_host_down(const struct world *world, const struct host *host,
		      void (*sentence)(void *, const char *), void *arg)
{
	const struct saying s = { sentence, arg };
	/* The lists of a host are borrowed for the question and given back. */
	struct world *w = (struct world *)world;
	struct host *h = (struct host *)host;
	uint32_t vcpus;
	uint64_t mib;

	placement_used(h, &vcpus, &mib);
	say(&s, "host %s%s%s has machines of %u vCPU and %llu MiB", h->spec.name,
	    h->spec.site[0] ? " of site " : "", h->spec.site, vcpus,
	    (unsigned long long)mib);
	for (size_t i = 0; i < w->cluster_count; i++)
		cluster_without(w, w->clusters[i], h, &s);
	for (size_t i = 0; i < w->pool_count; i++)
		if (!w->pools[i]->spec.cluster)
			pool_without(w, w->pools[i], h, &s);
}
