/* The end of a site; see spec.h. */
#include "engine/core/spec.h"

#include <stdlib.h>

static void listener_fini(struct site_listener *l)
{
	free(l->applications.names);
	free(l->networks);
	free(l->proxies);
}

void site_spec_fini(struct site_spec *spec)
{
	for (size_t i = 0; i < spec->application_count; i++)
		free(spec->applications[i].resources.names);
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
	free(spec->hosts);
	free(spec->applications);
	free(spec->pools);
	free(spec->listeners);
	free(spec->users);
	free(spec->groups);
	free(spec->allows);
	free(spec->resources);
	*spec = (struct site_spec){ 0 };
}
