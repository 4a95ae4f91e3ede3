/*
 * Clusters and what is asked of them; see cluster.h.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/internal.h"

struct cluster *world_cluster(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->cluster_count; i++)
		if (slice_is(name, w->clusters[i]->spec.name))
			return w->clusters[i];
	return NULL;
}

struct rule *world_rule(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->rule_count; i++)
		if (slice_is(name, w->rules[i]->spec.name))
			return w->rules[i];
	return NULL;
}

void command_cluster(struct world *w, struct effects *fx, const struct event *ev)
{
	char text[ROW_TEXT_SIZE];

	(void)w;
	snprintf(text, sizeof(text), "there is no cluster, change, host or rule \"%.*s\"",
		 (int)ev->command.name.length, ev->command.name.ptr);
	command_reply(fx, ev, false, "not_found", text);
}
