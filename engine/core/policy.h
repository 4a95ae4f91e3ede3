/*
 * Why a cluster or a pool has the size it has (spec 3.5).  A size comes in layers,
 * each over the one before: the site file, the calendar, rules, an operator.
 *
 * What a rule is told (its inputs), as one text of KEY=VALUE words, stored with
 * the decision so that it can be run again:
 *
 *     cluster=NAME          of a cluster
 *     nodes vcpus memory_mib          decided now; serving: nodes in rotation
 *     min_nodes max_nodes min_vcpus max_vcpus min_memory_mib max_memory_mib
 *     cpu cpu_max           percent of the nodes' vcpus, mean and busiest node, over the last look
 *     cpu_history           the mean of up to ten looks, newest first
 *     open waiting          transactions now
 *     rate                  transactions begun in a minute, since the last run
 *     failed reset replayed since the last run
 *     pool=NAME             of a pool
 *     serve spare max ready busy total waiting
 *     hour_sessions         of pools; added by the shell (rules_link.c)
 *     year month day weekday hour minute      local; weekday 1 = Monday
 */
#ifndef REMUDA_CORE_POLICY_H
#define REMUDA_CORE_POLICY_H

#include "engine/core/cluster.h"

/* The size a cluster should have, and whose word that is. */
struct policy_size {
	struct site_size size;
	char source[ROW_NAME_SIZE + 16];	/* "site", "calendar", "rule/load", "operator/ops1" */
	const struct rule *rule;		/* whose wish decides, or NULL */
};

/* Pure: looks and answers. */
struct policy_size policy_decide(const struct world *w, const struct cluster *c);
/* "3 nodes, 2 vCPU, 2048 MiB" of what differs from the other; for people. */
void policy_say(const struct site_size *size, char *out, size_t out_size);

#endif
