/* The deadline heap; see timer.h. */
#include "engine/core/timer.h"

#include <stdlib.h>

#include "engine/base/check.h"

void timers_init(struct timers *ts)
{
	*ts = (struct timers){ 0 };
}

void timers_fini(struct timers *ts)
{
	free(ts->heap);
	timers_init(ts);
}

static bool before(const struct timer *a, const struct timer *b)
{
	return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

static void place(struct timers *ts, struct timer *t, size_t i)
{
	ts->heap[i] = t;
	t->position = i + 1;
}

static void sift_up(struct timers *ts, size_t i)
{
	struct timer *t = ts->heap[i];

	for (; i > 0 && before(t, ts->heap[(i - 1) / 2]); i = (i - 1) / 2)
		place(ts, ts->heap[(i - 1) / 2], i);
	place(ts, t, i);
}

static void sift_down(struct timers *ts, size_t i)
{
	struct timer *t = ts->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < ts->count &&
		    before(ts->heap[child + 1], ts->heap[child]))
			child++;
		if (child >= ts->count || !before(ts->heap[child], t))
			break;
		place(ts, ts->heap[child], i);
		i = child;
	}
	place(ts, t, i);
}

void timer_stop(struct timers *ts, struct timer *t)
{
	if (!t->position)
		return;
	size_t i = t->position - 1;
	CHECK("", i < ts->count && ts->heap[i] == t);
	t->position = 0;
	struct timer *last = ts->heap[--ts->count];
	if (last == t)
		return;
	place(ts, last, i);
	sift_up(ts, i);
	sift_down(ts, last->position - 1);
}

void timer_set(struct timers *ts, struct timer *t, int64_t at_ms)
{
	timer_stop(ts, t);
	if (ts->count == ts->size) {
		ts->size = ts->size ? ts->size * 2 : 64;
		ts->heap = realloc(ts->heap, ts->size * sizeof(*ts->heap));
		CHECK("", ts->heap, "out of memory");
	}
	t->at_ms = at_ms;
	t->order = ts->next_order++;
	place(ts, t, ts->count++);
	sift_up(ts, ts->count - 1);
}

struct timer *timers_take_due(struct timers *ts, int64_t now_ms)
{
	if (!ts->count || ts->heap[0]->at_ms > now_ms)
		return NULL;
	struct timer *t = ts->heap[0];
	timer_stop(ts, t);
	return t;
}

int64_t timers_next_ms(const struct timers *ts)
{
	return ts->count ? ts->heap[0]->at_ms : INT64_MAX;
}
