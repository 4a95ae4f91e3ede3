/*
 * The loop's floor: descriptors to callbacks, timers in a heap, and graves.
 *
 * A callback may close and free any object, also one whose event is still to
 * come in the same turn.  So nothing is freed within a turn: objects are laid
 * into graves and buried when all events of the turn were handled, and a
 * closed watch (fd -1) gets no more events.
 */
#ifndef REMUDA_GATEWAY_POLL_H
#define REMUDA_GATEWAY_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway;

struct watch {
	int fd;			/* -1: closed */
	bool foreign;		/* another process may hold the same socket */
	bool armed;
	void (*ready)(struct gateway *g, struct watch *w, uint32_t events);
};

struct timer {
	int64_t at_ms;
	uint32_t slot;		/* 0: not armed */
	void (*fire)(struct gateway *g, struct timer *t);
};

struct grave {
	struct grave *next;
	void (*bury)(struct gateway *g, struct grave *grave);
};

struct poll {
	int epoll_fd;
	int64_t now_ms;		/* CLOCK_BOOTTIME of this turn */
	struct timer **heap;	/* [1..used], earliest first */
	uint32_t used, size;
	struct grave *graves;
};

#define POLL_OWNER(ptr, type, member)                                          \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

int64_t poll_clock_ms(void);
int poll_init(struct poll *p);
void poll_fini(struct poll *p);
/* Frees what lies in graves; poll_turn does it after each turn. */
void poll_bury(struct gateway *g, struct poll *p);
/* One turn: waits at most until the next timer (not at all when busy). */
int poll_turn(struct gateway *g, struct poll *p, bool busy);

/* events: EPOLL*; returns -1 with errno. */
int watch_arm(struct poll *p, struct watch *w, uint32_t events);
void watch_disarm(struct poll *p, struct watch *w);
/* Closes the descriptor; a closed watch is left alone. */
void watch_close(struct poll *p, struct watch *w);

/* Arms or moves. */
void poll_timer_set(struct poll *p, struct timer *t, int64_t at_ms);
void poll_timer_stop(struct poll *p, struct timer *t);

void grave_add(struct poll *p, struct grave *grave,
	       void (*bury)(struct gateway *g, struct grave *grave));

#endif
