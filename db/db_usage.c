/*
 * Reports from the ledger (db_usage.h).
 *
 * Intervals are walked by their end: those that are open, as they stood when the
 * report began, then the closed ones from `from` on.  One that closes meanwhile
 * is known from the first walk; one that begins meanwhile begins after now.  The
 * parts of an interval that sessions had are read in pages, then those of sessions
 * not entered yet, which were all read at the start.  What is left is nobody's.
 *
 * A step looks at USAGE_STEP_ROWS rows, wherever that leaves off.
 */
#include "db/db_usage.h"

#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"
#include "engine/base/check.h"
#include "engine/base/dict.h"
#include "engine/base/text.h"

/* A session whose parts of intervals are not in the ledger yet. */
struct pending {
	uint64_t machine;
	int64_t start, end;	/* end 0 = it lives */
	char user[ROW_USER_SIZE];
};

struct db_usage {
	struct db *db;
	struct db_usage_query q;
	struct ledger_row *open;
	size_t open_count, open_at;
	struct map open_ids;
	struct pending *pending;	/* by machine and start */
	size_t pending_count;
	int64_t after_end, after_id;	/* of the closed ones */
	/* The interval being looked at. */
	bool inside;
	struct ledger_row now;
	int64_t end;			/* where it ends */
	int64_t session;		/* parts up to this one are counted */
	int64_t upto;			/* and end here */
	int64_t left;			/* of it, in the report and not counted */
	struct dict names;
	struct db_usage_row **list, *rows;
	size_t count;
};

const char *const db_usage_words[USAGE_BYS] = {
	[USAGE_BY_USER] = "user", [USAGE_BY_APPLICATION] = "application",
	[USAGE_BY_POOL] = "pool", [USAGE_BY_CLUSTER] = "cluster",
	[USAGE_BY_HOST] = "host", [USAGE_BY_MACHINE] = "machine",
};

/* Room for one more in a list that doubles. */
static void *grown(void *list, size_t count, size_t size)
{
	if ((count & (count - 1)) == 0)
		list = realloc(list, (count ? count * 2 : 1) * size);
	CHECK("", list, "out of memory");
	return list;
}

/* ---- sums ------------------------------------------------------------------ */

static struct db_usage_row *row_of(struct db_usage *u, const char *name)
{
	struct db_usage_row *row = dict_get(&u->names, name);

	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	CHECK("", row, "out of memory");
	TEXT_SET(row->name, name);
	dict_put(&u->names, name, row);
	u->list = grown(u->list, u->count, sizeof(*u->list));
	u->list[u->count++] = row;
	return row;
}

/* user NULL: nobody. */
static const char *key_of(const struct db_usage *u, const char *user)
{
	const struct ledger_row *l = &u->now;

	switch (u->q.by) {
	case USAGE_BY_USER:
		return user ? user : l->cluster ? USAGE_CLUSTER : USAGE_IDLE;
	case USAGE_BY_APPLICATION:
		return l->application;
	case USAGE_BY_POOL:
		return l->pool;
	case USAGE_BY_CLUSTER:
		return l->cluster ? l->pool : USAGE_NO_CLUSTER;
	case USAGE_BY_HOST:
		return l->host;
	case USAGE_BY_MACHINE:
		return l->machine_name;
	case USAGE_BYS:
		break;
	}
	return "";
}

/* sum += ms * times; false when that is more than a number holds. */
static bool add_product(int64_t *sum, int64_t ms, uint64_t times)
{
	int64_t product;

	return !__builtin_mul_overflow(ms, times, &product) &&
	       !__builtin_add_overflow(*sum, product, sum);
}

/* So long of the interval was that user's. */
static int add(struct db_usage *u, const char *user, int64_t ms,
	       struct error *err)
{
	const struct ledger_row *l = &u->now;
	struct db_usage_row *row;

	if (ms <= 0 || (u->q.user[0] && (!user || strcmp(u->q.user, user) != 0)))
		return 0;
	row = row_of(u, key_of(u, user));
	if (!add_product(&row->machine_ms, ms, 1) ||
	    !add_product(&row->vcpu_ms, ms, l->vcpus) ||
	    !add_product(&row->mib_ms, ms, l->memory_mib) ||
	    !add_product(&row->session_ms, ms, user != NULL) ||
	    !add_product(&row->estimated_ms, ms, l->estimated) ||
	    !add_product(&row->open_ms, ms, l->end_wall_ms == 0))
		return error_set(err, "that is more than one report can add up: "
				 "ask for a shorter time");
	return 0;
}

/* ---- one interval --------------------------------------------------------------- */

static int64_t within(const struct db_usage *u, int64_t start, int64_t end)
{
	if (start < u->q.from_wall_ms)
		start = u->q.from_wall_ms;
	if (end > u->q.until_wall_ms)
		end = u->q.until_wall_ms;
	return end > start ? end - start : 0;
}

static bool is(const char *filter, const char *value)
{
	return !filter[0] || strcmp(filter, value) == 0;
}

static bool fits(const struct db_usage_query *q, const struct ledger_row *l)
{
	return is(q->application, l->application) && is(q->pool, l->pool) &&
	       is(q->host, l->host) && is(q->machine, l->machine_name) &&
	       (!q->cluster[0] || (l->cluster && is(q->cluster, l->pool)));
}

/* Begins with u->now, if any of it is in the report. */
static void enter(struct db_usage *u)
{
	const struct ledger_row *l = &u->now;

	u->end = l->start_wall_ms + l->length_ms;
	if (!l->end_wall_ms && u->end < u->q.now_wall_ms)
		u->end = u->q.now_wall_ms;
	u->left = within(u, l->start_wall_ms, u->end);
	u->inside = u->left > 0 && fits(&u->q, l);
	u->session = 0;
	u->upto = l->start_wall_ms;
}

/* The part [start, end) of a session, as far as it lies in the interval and
 * after those before it. */
static int add_session(struct db_usage *u, const char *user, int64_t start,
		       int64_t end, struct error *err)
{
	int64_t ms;

	if (start < u->upto)
		start = u->upto;
	if (end > u->end)
		end = u->end;
	if (start >= end)
		return 0;
	u->upto = end;
	ms = within(u, start, end);
	u->left -= ms;
	return add(u, user, ms, err);
}

static size_t first_pending(const struct db_usage *u, uint64_t machine)
{
	size_t low = 0, high = u->pending_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (u->pending[middle].machine < machine)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* After the entered sessions: the others, and what is nobody's. */
static int leave(struct db_usage *u, struct error *err)
{
	for (size_t i = first_pending(u, u->now.machine);
	     i < u->pending_count && u->pending[i].machine == u->now.machine;
	     i++) {
		const struct pending *p = &u->pending[i];

		if (add_session(u, p->user, p->start,
				p->end ? p->end : u->q.now_wall_ms, err))
			return -1;
	}
	u->inside = false;
	return add(u, NULL, u->left, err);
}

/* A page of its sessions; takes from *budget what was looked at. */
static int add_page(struct db_usage *u, int *budget, struct error *err)
{
	struct db_statement *st = db_stmt(u->db, STMT_USAGE_SHARES, err);
	int rc, asked = *budget, got = 0;

	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)u->now.id);
	db_bind_int(st, 2, u->session);
	db_bind_int(st, 3, asked);
	while ((rc = db_step(u->db, st, err)) == 1) {
		got++;
		u->session = db_int(st, 0);
		if (add_session(u, db_text(st, 1), db_int(st, 2),
				db_int(st, 2) + db_int(st, 3), err)) {
			sqlite3_reset(st->stmt);
			return -1;
		}
	}
	*budget -= got;
	if (rc == 0 && got < asked)
		rc = leave(u, err);
	return rc;
}

/* ---- all of them -------------------------------------------------------------- */

/* The next interval into u->now: 1, 0 = there is none, -1. */
static int next(struct db_usage *u, struct error *err)
{
	if (u->open_at < u->open_count) {
		u->now = u->open[u->open_at++];
		return 1;
	}
	struct db_statement *st = db_stmt(u->db, STMT_USAGE_CLOSED, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, u->after_end);
	db_bind_int(st, 2, u->after_id);
	db_bind_int(st, 3, 1);
	int rc = db_next(u->db, st, &db_ledger_table, &u->now, err);
	sqlite3_reset(st->stmt);
	if (rc == 1) {
		u->after_end = u->now.end_wall_ms;
		u->after_id = (int64_t)u->now.id;
	}
	return rc;
}

int db_usage_step(struct db_usage *u, struct error *err)
{
	int budget = USAGE_STEP_ROWS, rc;

	while (budget > 0) {
		if (u->inside) {
			if (add_page(u, &budget, err))
				return -1;
			continue;
		}
		rc = next(u, err);
		if (rc != 1)
			return rc;
		budget--;
		if (!u->now.end_wall_ms || !map_get(&u->open_ids, u->now.id))
			enter(u);
	}
	return 1;
}

/* ---- begin and end --------------------------------------------------------------- */

static void on_open(void *arg, const struct ledger_row *row)
{
	struct db_usage *u = arg;

	u->open = grown(u->open, u->open_count, sizeof(*u->open));
	u->open[u->open_count++] = *row;
	map_put(&u->open_ids, row->id, u);
}

static int by_machine(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;

	if (x->machine != y->machine)
		return x->machine < y->machine ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int read_pending(struct db_usage *u, struct error *err)
{
	int64_t billed;
	int rc;

	if (db_counted(u->db, "billed", &billed, err))
		return -1;
	struct db_statement *st = db_stmt(u->db, STMT_USAGE_PENDING, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, billed);
	while ((rc = db_step(u->db, st, err)) == 1) {
		struct pending *p;

		u->pending = grown(u->pending, u->pending_count, sizeof(*p));
		p = &u->pending[u->pending_count++];
		*p = (struct pending){ .machine = (uint64_t)db_int(st, 0),
				       .start = db_int(st, 2),
				       .end = db_int(st, 3) };
		TEXT_SET(p->user, db_text(st, 1));
	}
	if (u->pending_count)
		qsort(u->pending, u->pending_count, sizeof(*u->pending),
		      by_machine);
	return rc;
}

int db_usage_start(struct db *db, const struct db_usage_query *q,
		   struct db_usage **out, struct error *err)
{
	struct db_usage *u = calloc(1, sizeof(*u));

	CHECK("", u, "out of memory");
	u->db = db;
	u->q = *q;
	if (u->q.until_wall_ms > u->q.now_wall_ms)
		u->q.until_wall_ms = u->q.now_wall_ms;
	/* None ends earlier than start and length say (STMT_SAVE_LEDGER). */
	u->after_end = q->from_wall_ms > 0 ? q->from_wall_ms : 0;
	u->after_id = INT64_MAX;
	map_init(&u->open_ids);
	db->reports++;
	if (db_load_ledgers(db, on_open, u, err) || read_pending(u, err)) {
		db_usage_end(u);
		return -1;
	}
	*out = u;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct db_usage_row *x = a, *y = b;
	int special = (x->name[0] == '(') - (y->name[0] == '(');

	return special ? special : strcmp(x->name, y->name);
}

const struct db_usage_row *db_usage_rows(struct db_usage *u, size_t *count)
{
	if (!u->rows && u->count) {
		u->rows = calloc(u->count, sizeof(*u->rows));
		CHECK("", u->rows, "out of memory");
		for (size_t i = 0; i < u->count; i++)
			u->rows[i] = *u->list[i];
		qsort(u->rows, u->count, sizeof(*u->rows), by_name);
	}
	*count = u->count;
	return u->rows;
}

void db_usage_end(struct db_usage *u)
{
	if (!u)
		return;
	u->db->reports--;
	for (size_t i = 0; i < u->count; i++)
		free(u->list[i]);
	dict_clear(&u->names);
	map_fini(&u->open_ids);
	free(u->open);
	free(u->pending);
	free(u->list);
	free(u->rows);
	free(u);
}
