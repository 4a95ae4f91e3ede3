/*
 * Fair order; see line.h.  A seat is a user's place at the table of one
 * priority; the turn goes round the table.  line_walk plays the turns to come
 * on copies of the tables, so that a place that is told is the place that is.
 */
#include "engine/core/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { LOOK_AHEAD = 32 };	/* requests looked at behind one that must wait */

struct line *line_new(const char *application)
{
	struct line *l = calloc(1, sizeof(*l));

	CHECK("", l, "out of memory");
	TEXT_SET(l->application, application);
	l->timer.kind = TIMER_LINE;
	l->told_ms = INT64_MIN / 2;
	for (int i = 0; i < LINE_RANKS; i++)
		list_init(&l->ranks[i].seats);
	return l;
}

void line_free(struct line *l)
{
	CHECK("", l->count == 0 && !timer_is_set(&l->timer));
	list_remove(&l->moved_link);
	dict_clear(&l->seats);
	free(l->pools);
	free(l);
}

static void seat_name(char out[ROW_USER_SIZE + 8], uint32_t rank,
		      const char *user)
{
	snprintf(out, ROW_USER_SIZE + 8, "%u %s", rank, user);
}

static struct seat *seat_get(struct line *l, uint32_t rank, const char *user)
{
	char name[ROW_USER_SIZE + 8];
	struct seat *s;

	seat_name(name, rank, user);
	s = dict_get(&l->seats, name);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	CHECK("", s, "out of memory");
	s->rank = rank;
	TEXT_SET(s->user, user);
	list_init(&s->requests);
	list_add_tail(&l->ranks[rank].seats, &s->link);
	l->ranks[rank].seat_count++;
	dict_put(&l->seats, name, s);
	return s;
}

void line_add(struct line *l, struct request *r, uint32_t rank, bool first)
{
	CHECK("", !r->seat && rank < LINE_RANKS);
	r->seat = seat_get(l, PLANTED(L9_NO_TURNS) ? 0 : rank,
			   PLANTED(L9_NO_TURNS) ? "all" : r->row.user);
	r->passed = r->place = 0;
	if (first)
		list_add_head(&r->seat->requests, &r->seat_link);
	else
		list_add_tail(&r->seat->requests, &r->seat_link);
	l->count++;
}

void line_remove(struct line *l, struct request *r)
{
	struct seat *s = r->seat;
	struct rank *rank = &l->ranks[s->rank];
	char name[ROW_USER_SIZE + 8];

	list_remove(&r->seat_link);
	r->seat = NULL;
	l->count--;
	if (!list_empty(&s->requests))
		return;
	seat_name(name, s->rank, s->user);
	dict_remove(&l->seats, name);
	list_remove(&s->link);
	free(s);
	if (--rank->seat_count == 0)
		rank->passed = 0;
}

void line_serve(struct line *l, struct request *r)
{
	struct seat *s = r->seat;
	uint32_t served = s->rank;

	l->ranks[served].passed = 0;
	for (uint32_t i = 0; i < served; i++)
		if (l->ranks[i].seat_count)
			l->ranks[i].passed++;
	list_remove(&s->link);
	list_add_tail(&l->ranks[served].seats, &s->link);
	line_remove(l, r);
}

/* ---- whose turn it is ------------------------------------------------------- */

/* The table to serve from: the highest, or the one passed most often. */
static int choose_rank(const uint32_t seats[LINE_RANKS],
		       const uint32_t passed[LINE_RANKS])
{
	int best = -1, due = -1;

	for (int i = LINE_RANKS; i-- > 0;) {
		if (!seats[i])
			continue;
		if (best < 0)
			best = i;
		else if (passed[i] >= LINE_PASSED_MAX &&
			 (due < 0 || passed[i] > passed[due]))
			due = i;
	}
	return due >= 0 && !PLANTED(L9_NO_AGEING) ? due : best;
}

/* A table as line_walk plays it: a ring of seats and their next requests. */
struct table {
	struct turn {
		const struct seat *seat;
		struct list *next;
	} *turns;
	uint32_t first, left, size;
};

static struct table table_of(const struct rank *rank)
{
	struct table t = { .size = rank->seat_count };

	if (!t.size)
		return t;
	t.turns = calloc(t.size, sizeof(*t.turns));
	CHECK("", t.turns, "out of memory");
	LIST_EACH(&rank->seats, it) {
		const struct seat *s = LIST_ENTRY(it, struct seat, link);

		t.turns[t.left++] = (struct turn){ s, s->requests.next };
	}
	return t;
}

/* The next request of a table; its user goes behind the others. */
static struct request *table_take(struct table *t)
{
	struct turn turn = t->turns[t->first];
	struct request *r = LIST_ENTRY(turn.next, struct request, seat_link);

	turn.next = turn.next->next;
	t->first = (t->first + 1) % t->size;
	if (turn.next == &turn.seat->requests)
		t->left--;
	else
		t->turns[(t->first + t->left - 1) % t->size] = turn;
	return r;
}

void line_walk(const struct line *l,
	       bool (*visit)(void *arg, struct request *r, uint32_t place),
	       void *arg)
{
	struct table tables[LINE_RANKS];
	uint32_t seats[LINE_RANKS], passed[LINE_RANKS], place = 0;
	int rank;

	for (int i = 0; i < LINE_RANKS; i++) {
		tables[i] = table_of(&l->ranks[i]);
		seats[i] = tables[i].left;
		passed[i] = l->ranks[i].passed;
	}
	while ((rank = choose_rank(seats, passed)) >= 0) {
		struct request *r = table_take(&tables[rank]);

		seats[rank] = tables[rank].left;
		passed[rank] = 0;
		for (int i = 0; i < rank; i++)
			passed[i] += seats[i] != 0;
		if (!visit(arg, r, ++place))
			break;
	}
	for (int i = 0; i < LINE_RANKS; i++)
		free(tables[i].turns);
}

struct choice {
	uint32_t machines_free;
	struct request *skipped[LOOK_AHEAD];
	uint32_t skipped_count;
	struct request *found;
};

static bool look(void *arg, struct request *r, uint32_t place)
{
	struct choice *c = arg;

	(void)place;
	if (r->count <= c->machines_free) {
		c->found = r;
		return false;
	}
	if (r->passed >= LINE_PASSED_MAX)
		return false;	/* what is free is kept for it */
	c->skipped[c->skipped_count++] = r;
	return c->skipped_count < LOOK_AHEAD;
}

static struct request *first_in_turn(const struct line *l)
{
	uint32_t seats[LINE_RANKS], passed[LINE_RANKS];

	for (int i = 0; i < LINE_RANKS; i++) {
		seats[i] = l->ranks[i].seat_count;
		passed[i] = l->ranks[i].passed;
	}
	const struct rank *rank = &l->ranks[choose_rank(seats, passed)];
	const struct seat *s = LIST_ENTRY(rank->seats.next, struct seat, link);
	return LIST_ENTRY(s->requests.next, struct request, seat_link);
}

struct request *line_next(struct line *l, uint32_t machines_free)
{
	struct choice c = { .machines_free = machines_free };
	struct request *first;

	if (!l->count || !machines_free)
		return NULL;
	first = first_in_turn(l);
	if (first->count <= machines_free)
		return first;
	line_walk(l, look, &c);
	for (uint32_t i = 0; c.found && i < c.skipped_count; i++)
		c.skipped[i]->passed++;
	return c.found;
}
