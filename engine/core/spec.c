/* The end of a site; see spec.h. */
#include "engine/core/spec.h"

#include <stdlib.h>

static void listener_fini(struct site_listener *l)
{
	free(l->applications.names);
	free(l->networks);
	free(l->proxies);
}

static void pool_fini(struct site_pool *p)
{
	free(p->placement.hosts.names);
	free(p->placement.labels.names);
	free(p->placement.sites.names);
}

void site_spec_fini(struct site_spec *spec)
{
	for (size_t i = 0; i < spec->host_count; i++)
		free(spec->hosts[i].labels.names);
	for (size_t i = 0; i < spec->application_count; i++)
		free(spec->applications[i].resources.names);
	for (size_t i = 0; i < spec->pool_count; i++)
		pool_fini(&spec->pools[i]);
	for (size_t i = 0; i < spec->listener_count; i++)
		listener_fini(&spec->listeners[i]);
	for (size_t i = 0; i < spec->user_count; i++) {
		free(spec->users[i].applications.names);
		free(spec->users[i].ssh_keys);
	}
	for (size_t i = 0; i < spec->group_count; i++) {
		free(spec->groups[i].members.names);
		free(spec->groups[i].applications.names);
	}
	for (size_t i = 0; i < spec->allow_count; i++) {
		free(spec->allows[i].users.names);
		free(spec->allows[i].groups.names);
		free(spec->allows[i].applications.names);
		free(spec->allows[i].listeners.names);
	}
	for (size_t i = 0; i < spec->resource_count; i++)
		free(spec->resources[i].access);
	for (size_t i = 0; i < spec->cluster_count; i++)
		free(spec->clusters[i].calendar);
	free(spec->hosts);
	free(spec->applications);
	free(spec->pools);
	free(spec->listeners);
	free(spec->users);
	free(spec->groups);
	free(spec->allows);
	free(spec->resources);
	free(spec->clusters);
	free(spec->rules);
	*spec = (struct site_spec){ 0 };
}
