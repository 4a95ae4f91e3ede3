/* Plans of a new site; see plan.h. */
#include "engine/core/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static const struct site_pool *find(const struct site_spec *site,
				    const char *name)
{
	for (size_t i = 0; i < site->pool_count; i++)
		if (strcmp(site->pools[i].name, name) == 0)
			return &site->pools[i];
	return NULL;
}

/* The site's own value of "pool/NAME/serve" and its like (keys are ours, see
 * command.c); -1 = there is no such pool. */
static int64_t site_value(const struct site_spec *site, const char *key)
{
	const char *name = key + strlen("pool/"), *what = strrchr(key, '/') + 1;
	char pool[SITE_NAME_SIZE];
	const struct site_pool *p;

	text_copy_slice(pool, sizeof(pool),
			(struct slice){ name, (uint32_t)(what - 1 - name) });
	if (strncmp(key, "pool/", 5) != 0 || !(p = find(site, pool)))
		return -1;
	return strcmp(what, "serve") == 0 ? p->serve :
	       strcmp(what, "spare") == 0 ? p->spare :
	       strcmp(what, "max") == 0	  ? p->max :
					    0;
}

bool plan_ends_override(const struct world *w, const struct site_spec *site,
			const char *key)
{
	int64_t now = site_value(&w->spec, key), then = site_value(site, key);

	return w->has_spec && now >= 0 && then >= 0 && now != then;
}

static uint32_t value_after(const struct world *w, const struct site_spec *site,
			    const char *pool, const char *what, uint32_t value)
{
	const struct override_row *o = override_get(w, "pool", pool, what);

	return o && !plan_ends_override(w, site, o->key) ? (uint32_t)o->value :
							   value;
}

/* p: its pool, as it would be. */
static bool would_be_outdated(const struct machine *m, const struct pool *p)
{
	return !placement_allows(p, m->host) ||
	       (m->row.version[0] && p->spec.version[0] &&
		strcmp(m->row.version, p->spec.version) != 0);
}

/* A rule that the new site has too has wished for the pool's size: it stays. */
static bool is_wished(const struct world *w, const struct site_spec *site,
		      const char *pool)
{
	for (size_t i = 0; i < w->rule_count; i++) {
		const struct rule *r = w->rules[i];

		if (!r->wished || r->disabled || strcmp(r->spec.pool, pool) != 0)
			continue;
		for (size_t j = 0; j < site->rule_count; j++)
			if (strcmp(site->rules[j].name, r->spec.name) == 0 &&
			    strcmp(site->rules[j].pool, pool) == 0)
				return true;
	}
	return false;
}

/* spec NULL: the pool is taken away. */
static void plan_pool(const struct world *w, const struct site_spec *site,
		      const struct pool *p, const struct site_pool *spec,
		      struct pool_plan *out)
{
	char why[ROW_TEXT_SIZE];

	TEXT_SET(out->name, spec ? spec->name : p->spec.name);
	if (!p || p->removed) {
		out->added = spec != NULL;
		out->create = spec ? value_after(w, site, spec->name, "serve",
						 spec->serve) : 0;
		return;
	}
	out->machines = pool_total(p);
	out->in_session = pool_busy(p);
	out->removed = !spec;
	if (!spec) {
		out->drain = out->machines;
		return;
	}
	struct pool copy = *p;
	copy.spec = *spec;
	copy.rolling = false;
	copy.serve = value_after(w, site, spec->name, "serve", spec->serve);
	copy.spare = value_after(w, site, spec->name, "spare", spec->spare);
	copy.max = value_after(w, site, spec->name, "max", spec->max);
	if (is_wished(w, site, spec->name)) {
		copy.serve = p->serve;
		copy.spare = p->spare;
	}
	/* How many nodes a cluster has is decided by policy.c, not by a plan.  What
	 * the pool is about to take away anyway is not the new site's doing. */
	int change = spec->cluster ? 0 : pool_decide(&copy, why, sizeof(why));
	int anyway = change < 0 ? pool_decide(p, why, sizeof(why)) : 0;
	out->create = change > 0 ? (uint32_t)change : 0;
	if (change < 0 && anyway < 0)
		change = change < anyway ? change - anyway : 0;
	out->drain = change < 0 ? (uint32_t)-change : 0;
	LIST_EACH(&p->machines, it)
		out->replace += would_be_outdated(
			LIST_ENTRY(it, struct machine, pool_link), &copy);
}

struct pool_plan *plan_pools(const struct world *w,
			     const struct site_spec *site, size_t *count)
{
	struct pool_plan *plans = calloc(site->pool_count + w->pool_count + 1,
					 sizeof(*plans));

	CHECK("", plans, "out of memory");
	*count = 0;
	for (size_t i = 0; i < site->pool_count; i++) {
		const struct site_pool *spec = &site->pools[i];

		plan_pool(w, site, world_pool(w, slice_of(spec->name)), spec,
			  &plans[(*count)++]);
	}
	for (size_t i = 0; i < w->pool_count; i++)
		if (!w->pools[i]->removed && !find(site, w->pools[i]->spec.name))
			plan_pool(w, site, w->pools[i], NULL,
				  &plans[(*count)++]);
	return plans;
}

bool plan_destroys(const struct pool_plan *plans, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (plans[i].drain || plans[i].replace)
			return true;
	return false;
}
