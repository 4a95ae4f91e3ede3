/*
 * References of a decoded site: every name leads to something, and to
 * something that fits; see site.h.  The rules role checks the same with better
 * words (places, nearest names); this is the engine's own look at data from a
 * process that has run somebody's Lua.
 */
#include <string.h>

#include "engine/base/error.h"
#include "engine/loop/site.h"

/* Every object begins with its name, SITE_NAME_SIZE bytes. */
const void *site_find(const void *array, size_t count, size_t size,
		      const char *name)
{
	for (size_t i = 0; i < count; i++) {
		const char *object = (const char *)array + i * size;

		if (strcmp(object, name) == 0)
			return object;
	}
	return NULL;
}

#define FIND(spec, list, count, wanted)                                        \
	site_find((spec)->list, (spec)->count, sizeof((spec)->list[0]), (wanted))

static int missing(const char *kind, const char *name, const char *what,
		   const char *target, struct error *err)
{
	return error_set(err, "site: %s \"%s\": there is no %s \"%s\"", kind,
			 name, what, target);
}

static int check_names(const struct site_spec *s, const struct site_names *n,
		       const char *kind, const char *name, struct error *err)
{
	for (size_t i = 0; i < n->count; i++)
		if (!FIND(s, applications, application_count, n->names[i]))
			return missing(kind, name, "application", n->names[i],
				       err);
	return 0;
}

static int check_applications(const struct site_spec *s, struct error *err)
{
	for (size_t i = 0; i < s->application_count; i++) {
		const struct site_application *a = &s->applications[i];

		for (size_t j = 0; j < a->resources.count; j++)
			if (!FIND(s, resources, resource_count,
				  a->resources.names[j]))
				return missing("application", a->name,
					       "resource",
					       a->resources.names[j], err);
	}
	return 0;
}

static bool host_says(const struct site_host *h, const char *word, bool site)
{
	for (size_t i = 0; !site && i < h->labels.count; i++)
		if (strcmp(h->labels.names[i], word) == 0)
			return true;
	return site && strcmp(h->site, word) == 0;
}

/* Every label, or site, must be some host's. */
static int check_said(const struct site_spec *s, const struct site_pool *p,
		      bool site, struct error *err)
{
	const struct site_names *n = site ? &p->placement.sites :
					    &p->placement.labels;

	for (size_t i = 0; i < n->count; i++) {
		size_t h = 0;

		while (h < s->host_count &&
		       !host_says(&s->hosts[h], n->names[i], site))
			h++;
		if (h == s->host_count)
			return missing("pool", p->name, site ? "site" : "label",
				       n->names[i], err);
	}
	return 0;
}

static int check_placement(const struct site_spec *s, const struct site_pool *p,
			   struct error *err)
{
	const struct site_names *hosts = &p->placement.hosts;

	if (!FIND(s, hosts, host_count, p->host))
		return missing("pool", p->name, "host", p->host, err);
	for (size_t i = 0; i < hosts->count; i++)
		if (!FIND(s, hosts, host_count, hosts->names[i]))
			return missing("pool", p->name, "host", hosts->names[i],
				       err);
	if (check_said(s, p, false, err) < 0)
		return -1;
	return check_said(s, p, true, err);
}

static int check_clusters(const struct site_spec *s, struct error *err)
{
	static const uint32_t move = 1u << SITE_HOOK_START | 1u << SITE_HOOK_STOP;

	for (size_t i = 0; i < s->cluster_count; i++) {
		const struct site_cluster *c = &s->clusters[i];
		const struct site_application *a =	/* check_pools found it */
			FIND(s, applications, application_count, c->application);
		const struct site_pool *p = FIND(s, pools, pool_count, c->name);

		if (!p->cluster)
			return error_set(err, "site: cluster \"%s\": there is a "
					 "pool of that name", c->name);
		if (a->endpoint == ENDPOINT_CHANNEL ||
		    a->identity == IDENTITY_AGENT)
			return error_set(err, "site: cluster \"%s\": application "
					 "\"%s\" cannot serve it", c->name, a->name);
		if (c->strategy == STRATEGY_MOVE && (a->hooks & move) != move)
			return error_set(err, "site: cluster \"%s\": there are no "
					 "hooks start and stop", c->name);
	}
	return 0;
}

static int check_rules(const struct site_spec *s, struct error *err)
{
	for (size_t i = 0; i < s->rule_count; i++) {
		const struct site_rule *r = &s->rules[i];
		const struct site_pool *p = FIND(s, pools, pool_count, r->pool);

		if (*r->cluster &&
		    !FIND(s, clusters, cluster_count, r->cluster))
			return missing("rule", r->name, "cluster", r->cluster, err);
		if (*r->pool && (!p || p->cluster))
			return missing("rule", r->name, "pool", r->pool, err);
	}
	return 0;
}

static int check_pools(const struct site_spec *s, struct error *err)
{
	for (size_t i = 0; i < s->pool_count; i++) {
		const struct site_pool *p = &s->pools[i];
		const struct site_application *a =
			FIND(s, applications, application_count, p->application);

		if (!a)
			return missing("pool", p->name, "application",
				       p->application, err);
		if (check_placement(s, p, err) < 0)
			return -1;
		if (p->recycle == RECYCLE_CLEAN &&
		    !(a->hooks & 1u << SITE_HOOK_CLEAN))
			return error_set(err, "site: pool \"%s\": there is no "
					 "clean hook", p->name);
		if (p->untrusted && p->recycle != RECYCLE_REBUILD &&
		    p->recycle != RECYCLE_REVERT)
			return error_set(err, "site: pool \"%s\": untrusted "
					 "machines must be reverted or rebuilt",
					 p->name);
		if ((p->saved || p->recycle == RECYCLE_REVERT) &&
		    (!a->agent || p->keep || p->volume_mib))
			return error_set(err, "site: pool \"%s\": machines "
					 "with images need the agent, and "
					 "keep no volume", p->name);
	}
	return 0;
}

static int check_user_names(const struct site_spec *s,
			    const struct site_names *n, const char *kind,
			    const char *name, struct error *err)
{
	/* With peers every login name is a user. */
	for (size_t i = 0; i < n->count && !s->peers; i++)
		if (!FIND(s, users, user_count, n->names[i]))
			return missing(kind, name, "user", n->names[i], err);
	return 0;
}

static int check_access(const struct site_spec *s, struct error *err)
{
	for (size_t i = 0; i < s->group_count; i++) {
		const struct site_group *g = &s->groups[i];

		if (check_user_names(s, &g->members, "group", g->name, err) < 0 ||
		    check_names(s, &g->applications, "group", g->name, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->allow_count; i++) {
		const struct site_allow *a = &s->allows[i];

		if (check_user_names(s, &a->users, "allow", a->name, err) < 0 ||
		    check_names(s, &a->applications, "allow", a->name, err) < 0)
			return -1;
		for (size_t j = 0; j < a->groups.count; j++)
			if (!FIND(s, groups, group_count, a->groups.names[j]))
				return missing("allow", a->name, "group",
					       a->groups.names[j], err);
		for (size_t j = 0; j < a->listeners.count; j++)
			if (!FIND(s, listeners, listener_count,
				  a->listeners.names[j]))
				return missing("allow", a->name, "listener",
					       a->listeners.names[j], err);
	}
	return 0;
}

int site_check_references(const struct site_spec *s, struct error *err)
{
	if (check_applications(s, err) < 0 || check_pools(s, err) < 0 ||
	    check_clusters(s, err) < 0 || check_rules(s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct site_listener *l = &s->listeners[i];

		if (check_names(s, &l->applications, "listener", l->name, err) < 0)
			return -1;
		if (l->user_source == USER_FIXED &&
		    !FIND(s, users, user_count, l->user))
			return missing("listener", l->name, "user", l->user, err);
		for (size_t j = 0; j < l->network_count; j++)
			if (!FIND(s, users, user_count, l->networks[j].user))
				return missing("listener", l->name, "user",
					       l->networks[j].user, err);
	}
	for (size_t i = 0; i < s->user_count; i++)
		if (check_names(s, &s->users[i].applications, "user",
				s->users[i].name, err) < 0)
			return -1;
	if (check_access(s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->resource_count; i++) {
		const struct site_resource *r = &s->resources[i];
		const struct site_pool *p = FIND(s, pools, pool_count, r->pool);

		if (!*r->pool)
			continue;
		if (!p)
			return missing("resource", r->name, "pool", r->pool, err);
		if (!p->keep)
			return error_set(err, "site: resource \"%s\": pool "
					 "\"%s\" does not keep its machines",
					 r->name, p->name);
	}
	return 0;
}
