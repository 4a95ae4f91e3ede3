/*
 * Deadlines of the core: a binary heap ordered by (time, order of setting), so
 * that equal times fire in the order they were set, on every machine alike.
 * A timer is embedded in its owner; an unset timer is all zero.
 */
#ifndef REMUDA_CORE_TIMER_H
#define REMUDA_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t at_ms;
	uint64_t order;
	size_t position;	/* in the heap + 1; 0 = not set */
	int kind;		/* the owner's own */
};

struct timers {
	struct timer **heap;
	size_t count, size;
	uint64_t next_order;
};

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts);
/* Sets or moves. */
void timer_set(struct timers *ts, struct timer *t, int64_t at_ms);
void timer_stop(struct timers *ts, struct timer *t);
/* Removes and returns the first timer due at now_ms, or NULL. */
struct timer *timers_take_due(struct timers *ts, int64_t now_ms);
/* Time of the earliest, or INT64_MAX. */
int64_t timers_next_ms(const struct timers *ts);

static inline bool timer_is_set(const struct timer *t)
{
	return t->position != 0;
}

#endif
