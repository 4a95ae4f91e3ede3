/*
 * The line of those who wait for one application, in the order in which they
 * will be served (spec 2.4).
 *
 *  - One user's requests are served oldest first.
 *  - Users of one priority take turns: who was served goes behind the others.
 *  - A higher priority is served before a lower one, but no priority is passed
 *    more than LINE_PASSED_MAX times in a row: then it is its turn once.
 *  - A request for several machines takes them all at once or none.  While too
 *    few are free, at most LINE_PASSED_MAX others that need less go before it;
 *    after that what becomes free is kept for it, until it has them all or its
 *    deadline comes.
 *
 * So nobody waits for ever behind others: with P priorities and U users of the
 * same one, the first request of a user is served after at most
 * U * P * (LINE_PASSED_MAX + 1) others.
 */
#ifndef REMUDA_CORE_LINE_H
#define REMUDA_CORE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/dict.h"
#include "engine/base/list.h"
#include "engine/core/rows.h"
#include "engine/core/spec.h"
#include "engine/core/timer.h"

enum { LINE_PASSED_MAX = 8, LINE_RANKS = SITE_PRIORITY_MAX + 1 };

struct pool;
struct request;

/* What one user waits for at one priority. */
struct seat {
	struct list link;		/* rank.seats, next in turn first */
	struct list requests;		/* oldest first */
	uint32_t rank;
	char user[ROW_USER_SIZE];
};

struct rank {
	struct list seats;
	uint32_t seat_count;
	uint32_t passed;	/* times in a row a higher one was served */
};

struct line {
	char application[ROW_NAME_SIZE];
	struct pool **pools;		/* that serve it, in the site's order */
	size_t pool_count;
	struct rank ranks[LINE_RANKS];
	struct dict seats;		/* "rank user" -> seat */
	uint32_t count;			/* requests */
	bool moved;			/* places are to be told */
	struct list moved_link;
	struct timer timer;
	int64_t told_ms;		/* places were told */
};

struct line *line_new(const char *application);
/* Nobody may stand in it. */
void line_free(struct line *l);
/* At the end of the user's own requests, or before them all. */
void line_add(struct line *l, struct request *r, uint32_t rank, bool first);
void line_remove(struct line *l, struct request *r);
/* Removes it as served: others were passed, its user goes behind. */
void line_serve(struct line *l, struct request *r);
/* Whose turn it is with that many machines free; NULL: nobody's yet.  Those
 * it goes before are marked as passed. */
struct request *line_next(struct line *l, uint32_t machines_free);
/* Calls visit with each request in the order of service, places from 1, until
 * it returns false. */
void line_walk(const struct line *l,
	       bool (*visit)(void *arg, struct request *r, uint32_t place),
	       void *arg);

#endif
