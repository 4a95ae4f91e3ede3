/*
 * The last known state of the engine, as its `subscribe` lines told it
 * (engine/wire/control.h).  Objects are JSON items whose strings went through
 * text_display(): nothing a guest or a user wrote can reach the terminal raw.
 *
 * An item is never changed: news replace it.  So a view that holds a
 * reference (json_incref) keeps a picture of the moment, and pausing a screen
 * is not looking at new ones.
 */
#ifndef REMUDA_CONSOLE_MODEL_H
#define REMUDA_CONSOLE_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/map.h"

/* TOPIC(id, topic, key member, noun): key "" means an integer id. */
#define TOPICS(TOPIC)                                                          \
	TOPIC(POOLS, "pools", "name", "pool")                                  \
	TOPIC(MACHINES, "machines", "", "machine")                             \
	TOPIC(SESSIONS, "sessions", "", "session")                             \
	TOPIC(REQUESTS, "requests", "", "request")                             \
	TOPIC(HOSTS, "hosts", "name", "host")                                  \
	TOPIC(GATEWAYS, "gateways", "index", "gateway")                        \
	TOPIC(EVENTS, "events", "", "event")                                   \
	TOPIC(CLUSTERS, "clusters", "name", "cluster")                         \
	TOPIC(NODES, "nodes", "name", "node")                                  \
	TOPIC(CHANGES, "changes", "", "change")                                \
	TOPIC(RULES, "rules", "name", "rule")

enum topic {
#define TOPIC(id, name, key, noun) TOPIC_##id,
	TOPICS(TOPIC)
#undef TOPIC
	TOPIC_COUNT,
	TOPIC_NONE = TOPIC_COUNT,	/* of lists that are not the engine's */
	/* What the engine tells when it is asked (view_ask.c). */
	TOPIC_USER,
	TOPIC_GROUP,
	TOPIC_TOKEN,
	TOPIC_APPLICATION,
	TOPIC_LISTENER,
	TOPIC_RESOURCE,
	TOPIC_AUDIT,
	TOPIC_ALARM,
	TOPIC_DECISION,
};

enum {
	/* Those before it must have come before a state counts as whole; an
	 * older engine does not tell the rest. */
	MODEL_REQUIRED = TOPIC_CLUSTERS,
	MODEL_EVENTS_MAX = 2000,	/* the oldest go first */
	MODEL_HOURS = 24,
};

struct entry {
	uint64_t key;		/* stable for the object's life, never 0 */
	json_t *item;		/* owned */
	const char *name;	/* in the item, so that sorting need not look it up;
				 * NULL = it has none */
};

struct model_set {
	struct entry *entries;	/* in no order */
	size_t count, size;
	struct map by_key;	/* key -> index + 1 as a pointer */
	uint64_t changes;	/* grows with every change */
};

struct model {
	struct model_set sets[TOPIC_COUNT];
	char site[64], version[32], engine[16];	/* from hello */
	bool rights_change;
	/* Of one full state: enough for a first screen came (long topics begin,
	 * the others are whole, and counts are known), and all of it. */
	bool begun, complete;
	unsigned full_begun, full_seen;	/* bit per topic */
	uint64_t changes;
	int64_t time_ms;	/* engine's wall clock in its last line; 0 none */
	int64_t per_hour[MODEL_HOURS];	/* sessions, the oldest hour first */
	bool per_hour_known;
	json_t *site_item;	/* the answer to info, safe to show; or NULL */
};

void model_init(struct model *m);
void model_fini(struct model *m);
/* Before a new full state: what is known stays until it comes. */
void model_expect_full(struct model *m);
void model_hello(struct model *m, const json_t *hello);
/* A line with "topic".  Unknown topics are ignored: newer engines may talk
 * of more.  Returns true when something changed. */
bool model_apply(struct model *m, const json_t *line);
/* The item of the site topic, also the answer to `info`. */
void model_site(struct model *m, const json_t *item);
/* Adds items of a list answer (older events). */
void model_add_items(struct model *m, enum topic topic, const json_t *items);

/* "" for TOPIC_NONE. */
const char *topic_noun(enum topic topic);
/* A key that is the same for the same name, never 0. */
uint64_t model_name_key(const char *name);
/* Borrowed items; NULL when there is none. */
json_t *model_find(const struct model *m, enum topic topic, uint64_t key);
json_t *model_named(const struct model *m, enum topic topic, const char *name);

/* Members: "" or fallback when missing or null. */
const char *item_text(const json_t *item, const char *member);
int64_t item_int(const json_t *item, const char *member, int64_t fallback);
bool item_bool(const json_t *item, const char *member);
/* RFC 3339 UTC to milliseconds since 1970; 0 when missing or bad. */
int64_t item_time_ms(const json_t *item, const char *member);

struct model_totals {
	int hosts, hosts_up, pools, machines, sessions, waiting;
	int64_t in_use, ready, starting, bad;
};

/* The pool that a cluster's nodes are machines of: views of pools leave it out. */
bool model_cluster_pool(const struct model *m, const json_t *pool);

struct model_totals model_totals(const struct model *m);
/* The machine's host does not answer: its state is only the last known. */
bool model_machine_unknown(const struct model *m, const json_t *machine);

/* The value with every string and key made safe to show: a copy, or one more
 * reference to it when all of it is safe.  Not to be changed. */
json_t *model_display_copy(const json_t *value);

/* The next line of a text of several (a piece of a site file) as such a copy
 * has it, where the end of a line stands as \x0a; tabs become spaces.  *text goes
 * behind it; false at the end.  A line longer than out is cut. */
bool model_line(const char **text, char *out, size_t size);

#endif
