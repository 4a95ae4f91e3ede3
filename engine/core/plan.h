/*
 * What a new site would do to machines, before it is applied (spec 1.1): the
 * same choices as apply_site's, made on copies.  Changes nothing.
 */
#ifndef REMUDA_CORE_PLAN_H
#define REMUDA_CORE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/core/spec.h"

struct world;

struct pool_plan {
	char name[SITE_NAME_SIZE];
	bool added, removed;
	uint32_t machines;	/* there are now */
	uint32_t in_session;	/* of them */
	uint32_t create;	/* more are made */
	uint32_t drain;		/* are taken away, those in session at its end */
	uint32_t replace;	/* are made anew, those in session at its end */
};

/* One per pool of either site, in the order of the new one, then the removed.
 * *count of them; the caller frees. */
struct pool_plan *plan_pools(const struct world *w,
			     const struct site_spec *site, size_t *count);
/* Does any machine go or be replaced? */
bool plan_destroys(const struct pool_plan *plans, size_t count);
/* Does the site file change what an override is about?  Then it ends. */
bool plan_ends_override(const struct world *w, const struct site_spec *site,
			const char *key);

#endif
