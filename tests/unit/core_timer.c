/* The deadline heap against a plain list, with many operations. */
#include <stdlib.h>

#include "engine/base/random.h"
#include "engine/core/timer.h"
#include "tests/tap.h"

enum { TIMERS = 60, ROUNDS = 20000 };

static struct timer all[TIMERS];

/* The one that must come first: least time, then first set. */
static struct timer *first_of(void)
{
	struct timer *first = NULL;

	for (int i = 0; i < TIMERS; i++) {
		struct timer *t = &all[i];

		if (timer_is_set(t) &&
		    (!first || t->at_ms < first->at_ms ||
		     (t->at_ms == first->at_ms && t->order < first->order)))
			first = t;
	}
	return first;
}

static void test_order(void)
{
	struct timers ts;
	struct random r;
	int64_t now_ms = 0;
	int wrong = 0, taken = 0;

	timers_init(&ts);
	random_seed(&r, 1);
	for (int i = 0; i < ROUNDS; i++) {
		struct timer *t = &all[random_below(&r, TIMERS)];

		if (random_chance(&r, 60))	/* many equal times */
			timer_set(&ts, t, now_ms + random_between(&r, 0, 20));
		else
			timer_stop(&ts, t);
		if (random_chance(&r, 20))
			now_ms += random_between(&r, 0, 5);
		for (;;) {
			struct timer *want = first_of(), *got;

			wrong += timers_next_ms(&ts) !=
				 (want ? want->at_ms : INT64_MAX);
			if (want && want->at_ms > now_ms)
				want = NULL;
			got = timers_take_due(&ts, now_ms);
			wrong += got != want;
			if (!got)
				break;
			wrong += timer_is_set(got);
			taken++;
		}
	}
	is_int(wrong, 0, "the first is always the first (%d taken)", taken);
	ok(taken > ROUNDS / 10, "enough of them fired");
	timers_fini(&ts);
}

static void test_equal(void)
{
	struct timer a = { 0 }, b = { 0 }, c = { 0 };
	struct timers ts;

	timers_init(&ts);
	is_int(timers_next_ms(&ts), INT64_MAX, "none is never");
	ok(!timers_take_due(&ts, INT64_MAX), "and nothing is due");
	timer_set(&ts, &a, 5);
	timer_set(&ts, &b, 5);
	timer_set(&ts, &c, 5);
	timer_set(&ts, &a, 5);	/* set again: behind the others now */
	ok(!timers_take_due(&ts, 4), "not before its time");
	ok(timers_take_due(&ts, 5) == &b, "equal times in the order of setting");
	timer_stop(&ts, &c);
	timer_stop(&ts, &c);
	ok(timers_take_due(&ts, 5) == &a, "a stopped one does not fire");
	ok(!timers_take_due(&ts, 5), "nothing is left");
	timers_fini(&ts);
}

int main(void)
{
	test_order();
	test_equal();
	return tap_done();
}
