/*
 * Clusters: machines of one pool that serve one virtual address together
 * (spec 3).  What is wanted (row.nodes, row.vcpus, row.memory_mib), what is true
 * (the pool's machines and their node states) and what is being done (the
 * change) are three separate things, as with machines.
 *
 *     policy.c     why it is to have another size: calendar, rules, operator
 *     change.c     the operation that gives it that size, step by step
 *     node.c       one machine's part: checked, serving, draining
 *     placement.c  on which host a machine is made
 *     cluster.c    the cluster itself: its nodes' number, its address, counts
 */
#ifndef REMUDA_CORE_CLUSTER_H
#define REMUDA_CORE_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/list.h"
#include "engine/core/event.h"
#include "engine/core/rows.h"
#include "engine/core/spec.h"
#include "engine/core/timer.h"

struct world;
struct pool;
struct host;
struct machine;

enum {
	CLUSTER_GATEWAYS_MAX = 64,	/* WORLD_GATEWAYS_MAX */
	STATS_KEPT = 60,		/* samples of a machine's or host's use */
	NODE_TEXT_SIZE = 96,
};

/* Use of a machine over time; sample 0 is the newest. */
struct usage {
	int64_t at_ms;			/* boot time of the newest, 0 = none */
	int64_t cpu_ms;			/* as read then */
	uint64_t memory_mib, rss_mib, read_bytes, written_bytes, in_bytes,
		out_bytes;		/* as read then */
	uint16_t cpu_permille[STATS_KEPT];	/* of one vcpu = 1000 */
	uint32_t count;
};

/* What one gateway says of a node. */
struct node_view {
	bool told;		/* it was told of this incarnation, as `node` */
	bool known, up;		/* it has said so since */
	int node;		/* enum node_state as told */
	uint32_t open;
	uint64_t transactions, failed;
	char text[NODE_TEXT_SIZE];
};

/* A machine's part in its cluster; its state stands in the machine's row. */
struct node {
	struct machine *machine;
	bool up;		/* every gateway there is says so, one at least */
	bool down;		/* one says that it is not well, */
	int64_t down_ms;	/* since that boot time */
	bool ended;		/* its domain is said to have ended: not to be used
				 * until a poll has shown the opposite */
	bool lost;		/* its host does not answer, nor does it: replaced */
	bool checked;		/* it was up since it became ready */
	bool found_draining;	/* so it was when this engine began */
	bool started;		/* its start hook, if any, is done */
	bool sick;		/* its health hook says so */
	bool last_good;		/* the hook's last word, in_a_row times */
	uint32_t in_a_row;
	uint32_t open;		/* transactions there, over all gateways */
	int64_t since_ms;	/* boot time of the last change of row.node */
	struct timer timer;	/* draining: until then; else the next health hook */
	struct node_view views[CLUSTER_GATEWAYS_MAX];
	char sick_text[NODE_TEXT_SIZE];
	char text[NODE_TEXT_SIZE];	/* why it is not up, or "" */
};

/* Who takes over from whom: 0 = nobody (growth), nobody new (shrink).  Both the
 * same: the machine stays and changes (strategy live). */
struct pair {
	uint64_t old, new;
	bool wants_new;
	uint32_t slot;			/* of the new one, 0 = any */
	char host[SITE_NAME_SIZE];	/* where the new one is made or goes, "" = any */
	char from[SITE_NAME_SIZE];	/* where the old one was */
	bool stopped;			/* its application, by strategy move */
	uint32_t vcpus;			/* live: before its size changed, 0 = it has not */
	uint64_t memory_mib;
};

/* What change_start is asked for. */
struct change_wish {
	enum change_kind kind;
	struct site_size size;		/* whole: nothing is 0 */
	enum site_strategy strategy;	/* 0 = the cluster's */
	const char *who;
	uint64_t decision;
	struct slice mapping;		/* "a>c b>d", or empty */
	struct machine *machine;	/* MOVE: that one, */
	const struct host *leave;	/* or all that are there */
	const struct host *host;	/* where to; NULL = by placement */
	bool outdated_only;		/* REPLACE */
	bool dry_run;
};

struct change {
	struct change_row row;
	struct cluster *cluster;
	struct pair pairs[CHANGE_PAIRS_MAX];
	uint32_t pair_count;
	int64_t step_ms;		/* boot time the step began */
	bool cancelled;			/* it is undone because somebody said so */
	struct timer timer;		/* its deadline */
	struct list link;		/* world.changes */
};

/* A rule and what it last said. */
struct rule {
	struct site_rule spec;
	bool disabled;			/* by an operator */
	uint32_t failures;		/* in a row */
	uint64_t call;			/* under way, 0 = none */
	bool dry;			/* that one was asked for with dry_run */
	uint64_t reply;			/* whom to answer, 0 = nobody */
	bool wished;			/* wish holds: the last good decision */
	struct site_size wish;
	int64_t serve, spare;
	struct decision_row last;	/* id 0 = none yet */
	char inputs[ROW_PATH_SIZE];	/* of the run under way */
	struct cluster_counts counted;	/* as of the last run's inputs, */
	int64_t counted_ms;		/* at that boot time */
	struct timer timer;
};

struct cluster {
	struct site_cluster spec;
	struct cluster_row row;
	struct pool *pool;
	bool removed;
	struct change *change;		/* running or being undone, or NULL */
	struct change_row over;		/* the last that ended, id 0 = none */
	struct site_size calendar;	/* what it says now; 0 = nothing */
	const struct site_calendar *entry;	/* that says so, or NULL */
	struct decision_row last;	/* newest of any source */
	/* Of gateways that are there, as they said last; past: of those before. */
	struct cluster_counts by_gateway[CLUSTER_GATEWAYS_MAX];
	struct cluster_counts past;
	bool told[CLUSTER_GATEWAYS_MAX];
	bool vip_wanted, vip_held;
	bool vip_moves;			/* its next loss is asked for */
	char vip_text[ROW_TEXT_SIZE];	/* why it is not held, or "" */
	char reason[ROW_TEXT_SIZE];	/* why it is not as wanted, or "" */
	int64_t retry_ms;		/* after a failed change: not before */
	int64_t grown_ms, shrunk_ms;	/* boot times of the last changes, 0 = none */
	char calendar_ended[ROW_TEXT_SIZE];	/* the entry that held last, or "" */
	/* How an operator wants the pinned size brought about, once. */
	enum site_strategy pin_strategy;
	char pin_mapping[ROW_PAIRS_SIZE];
	uint64_t changed;		/* turn of the last change, for shows */
};

/* Lookups: borrowed, NULL when there is none. */
struct cluster *world_cluster(const struct world *w, struct slice name);
struct rule *world_rule(const struct world *w, struct slice name);
/* The cluster a machine is, or is to be, a node of. */
struct cluster *machine_cluster(const struct world *w, const struct machine *m);
/* Sums over gateways. */
struct cluster_counts cluster_counts(const struct cluster *c);
/* Nodes that serve now. */
uint32_t cluster_serving(const struct cluster *c);

enum { USE_HISTORY = 10 };
/* Of its serving nodes: permille of their vcpus. */
struct cluster_use {
	uint32_t cpu_permille, busiest_permille;
	uint32_t history[USE_HISTORY], history_count;	/* the mean, newest first */
};
struct cluster_use cluster_use(const struct cluster *c);
/* "failover"; "place". */
const char *strategy_name(enum site_strategy strategy);
const char *change_step_name(enum change_step step);

/* ---- placement.c --------------------------------------------------------- */

/*
 * The host for one more machine of that size, or NULL with why.  leave: a
 * machine whose room counts as free (it is to be replaced), or NULL; but: a
 * host that is not to be chosen, or NULL.  Pure.
 */
struct host *placement_choose(const struct world *w, const struct pool *p,
			      uint32_t vcpus, uint64_t memory_mib,
			      const struct machine *leave, const struct host *but,
			      char *why, size_t why_size);
/* Is there room on that host, without what `leave` (or NULL) takes? */
bool placement_fits(const struct host *h, uint32_t vcpus, uint64_t memory_mib,
		    const struct machine *leave);
/* Does the pool say where its machines may be?  A site file's always does; else
 * its host is taken, full or not. */
bool placement_applies(const struct pool *p);
/* A saved machine takes no memory: is there room for it to run again? */
bool placement_lets_wake(const struct machine *m);
/* Does a machine in that state count as using its host? */
bool placement_counts(enum machine_state state);
/* A host has more room than before: pools that lack it look again. */
void placement_eased(struct world *w);
/* May the pool's machines be there at all (names, labels, site)? */
bool placement_allows(const struct pool *p, const struct host *h);
/* What machines on a host use together, and what they may use; 0 = not known. */
void placement_used(const struct host *h, uint32_t *vcpus, uint64_t *memory_mib);
uint64_t placement_memory(const struct host *h);

/* ---- whatif.c -------------------------------------------------------------- */

/* What would happen if that host were gone now, one sentence a call; the same
 * choices as node.c's and cluster.c's, on copies.  Changes nothing. */
void whatif_host_down(const struct world *w, const struct host *h,
		      void (*say)(void *, const char *sentence), void *arg);

#endif
