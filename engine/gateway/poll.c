/*
 * Watches, timers, graves; see poll.h.  Owner: the gateway's one loop.
 *
 * Timers are a binary heap: a deadline is set for almost every connection and
 * nearly always stopped before it is due, which costs a heap O(log n) moves of
 * a pointer, and the next wake-up time is exact.
 */
#include "engine/gateway/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"

enum { EVENTS_A_TURN = 256 };

int64_t poll_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int poll_init(struct poll *p)
{
	*p = (struct poll){ .now_ms = poll_clock_ms() };
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return p->epoll_fd < 0 ? -1 : 0;
}

void poll_bury(struct gateway *g, struct poll *p)
{
	while (p->graves) {
		struct grave *grave = p->graves;

		p->graves = grave->next;
		grave->bury(g, grave);
	}
}

void poll_fini(struct poll *p)
{
	close(p->epoll_fd);
	free(p->heap);
	*p = (struct poll){ .epoll_fd = -1 };
}

static void fire_due(struct gateway *g, struct poll *p)
{
	while (p->used && p->heap[1]->at_ms <= p->now_ms) {
		struct timer *t = p->heap[1];

		poll_timer_stop(p, t);
		t->fire(g, t);
	}
}

static int patience_ms(const struct poll *p, bool busy)
{
	if (busy)
		return 0;
	if (!p->used)
		return -1;
	int64_t left = p->heap[1]->at_ms - p->now_ms;
	if (left <= 0)
		return 0;
	return left > 60000 ? 60000 : (int)left;
}

int poll_turn(struct gateway *g, struct poll *p, bool busy)
{
	struct epoll_event events[EVENTS_A_TURN];
	int n = epoll_wait(p->epoll_fd, events, EVENTS_A_TURN,
			   patience_ms(p, busy));

	if (n < 0 && errno != EINTR)
		return -1;
	p->now_ms = poll_clock_ms();
	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		if (w->fd >= 0 && w->armed)
			w->ready(g, w, events[i].events);
	}
	fire_due(g, p);
	poll_bury(g, p);
	return 0;
}

int watch_arm(struct poll *p, struct watch *w, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };

	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, w->fd, &event) < 0)
		return -1;
	w->armed = true;
	return 0;
}

void watch_disarm(struct poll *p, struct watch *w)
{
	if (!w->armed)
		return;
	w->armed = false;
	epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
}

void watch_close(struct poll *p, struct watch *w)
{
	if (w->fd < 0)
		return;
	/* close() takes a socket out of epoll only with its last reference. */
	if (w->foreign)
		watch_disarm(p, w);
	close(w->fd);
	w->fd = -1;
	w->armed = false;
}

static void heap_place(struct poll *p, uint32_t slot, struct timer *t)
{
	p->heap[slot] = t;
	t->slot = slot;
}

static void heap_up(struct poll *p, struct timer *t)
{
	uint32_t slot = t->slot;

	while (slot > 1 && p->heap[slot / 2]->at_ms > t->at_ms) {
		heap_place(p, slot, p->heap[slot / 2]);
		slot /= 2;
	}
	heap_place(p, slot, t);
}

static void heap_down(struct poll *p, struct timer *t)
{
	uint32_t slot = t->slot, child;

	while ((child = slot * 2) <= p->used) {
		if (child < p->used &&
		    p->heap[child + 1]->at_ms < p->heap[child]->at_ms)
			child++;
		if (p->heap[child]->at_ms >= t->at_ms)
			break;
		heap_place(p, slot, p->heap[child]);
		slot = child;
	}
	heap_place(p, slot, t);
}

void poll_timer_set(struct poll *p, struct timer *t, int64_t at_ms)
{
	int64_t was = t->at_ms;

	t->at_ms = at_ms;
	if (t->slot) {
		if (at_ms < was)
			heap_up(p, t);
		else
			heap_down(p, t);
		return;
	}
	if (p->used + 2 > p->size) {
		p->size = p->size ? p->size * 2 : 256;
		p->heap = realloc(p->heap, p->size * sizeof(*p->heap));
		CHECK("", p->heap, "out of memory");
	}
	t->slot = ++p->used;
	heap_up(p, t);
}

void poll_timer_stop(struct poll *p, struct timer *t)
{
	uint32_t slot = t->slot;

	if (!slot)
		return;
	t->slot = 0;
	struct timer *last = p->heap[p->used--];
	if (last == t)
		return;
	last->slot = slot;
	p->heap[slot] = last;
	heap_up(p, last);
	heap_down(p, last);
}

void grave_add(struct poll *p, struct grave *grave,
	       void (*bury)(struct gateway *g, struct grave *grave))
{
	grave->bury = bury;
	grave->next = p->graves;
	p->graves = grave;
}
