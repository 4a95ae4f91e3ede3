/*
 * Metrics in Prometheus' text format (0.0.4) for who asks at the site's address:
 * GET /metrics, answered once, then closed.  The engine's counters begin with the
 * engine; those of clusters with the cluster.
 */
#ifndef REMUDA_LOOP_METRICS_H
#define REMUDA_LOOP_METRICS_H

#include "engine/loop/shell.h"

/* The waits' classes; le as it is printed, whatever the locale. */
extern const struct metrics_bucket {
	int64_t at_most_ms;
	const char *le;
} metrics_buckets[METRICS_BUCKETS];

/* Listens where the site in force says, if anywhere. */
void metrics_sync(struct shell *sh);
/* Within a turn, before the world forgets what ended. */
void metrics_on_turn(struct shell *sh);
/* All of it, malloc'd; *length without NUL (metrics_text.c). */
char *metrics_text(const struct shell *sh, size_t *length);

#endif
