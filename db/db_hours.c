/*
 * Counts per hour, and the pace of the ledger's entries of sessions (db_ledger.c).
 * Rows are added up once each, in the order of their time,
 * from where a mark stands; the counts and the mark move in one commit, so a
 * crash counts nothing twice and forgets nothing.  A step takes a few hundred
 * rows at most: it runs between turns.
 *
 * What a session brought is counted in the hour of its end, that it began in
 * the hour of its assignment, the time it took in all hours it lasted.
 *
 * Not guaranteed: rows with times before the mark are not counted.  The mark
 * stays LAG_MS behind the clock; a clock that is set back further loses them.
 */
#include <string.h>

#include "db/db_internal.h"

enum {
	HOUR_MS = 3600 * 1000,
	STEP_ROWS = 300,	/* then the next turn; more when of one ms */
	LAG_MS = 10 * 1000,
	LONGEST_HOURS = 24 * 1000,	/* of one session */
};

/* Upper ends of the classes of waits; the last takes everything. */
static const int64_t wait_classes[] = {
	0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700,
	1000, 1500, 2000, 3000, 5000, 7000, 10000, 15000, 20000, 30000, 45000,
	60000, 90000, 120000, 180000, 300000, 600000, 1200000, 1800000, 3600000,
	7200000, 21600000, 86400000, INT64_MAX,
};

static int64_t wait_class(int64_t wait_ms)
{
	size_t i = 0;

	while (wait_classes[i] < wait_ms)
		i++;
	return wait_classes[i];
}

static int64_t hour_of(int64_t wall_ms)
{
	return wall_ms - wall_ms % HOUR_MS;
}

/* ---- adding ---------------------------------------------------------------- */

static int add(struct db *db, const struct db_hour *h, const char *pool,
	       const char *application, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_ADD_HOUR, err);
	const int64_t values[] = {
		(int64_t)h->sessions, (int64_t)h->closed, (int64_t)h->lost,
		(int64_t)h->failed, (int64_t)h->refused, (int64_t)h->cancelled,
		(int64_t)h->waited, h->wait_ms, (int64_t)h->bytes_in,
		(int64_t)h->bytes_out, h->session_ms, h->machine_ms,
	};

	if (!st)
		return -1;
	db_bind_int(st, 1, h->start_wall_ms);
	db_bind_text(st, 2, pool);
	db_bind_text(st, 3, application);
	for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
		db_bind_int(st, 4 + i, values[i]);
	return db_batch_run(db, st, err);
}

static int add_wait(struct db *db, int64_t hour, const char *pool,
		    const char *application, int64_t wait_ms, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_ADD_HOUR_WAIT, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, hour);
	db_bind_text(st, 2, pool);
	db_bind_text(st, 3, application);
	db_bind_int(st, 4, wait_class(wait_ms));
	return db_batch_run(db, st, err);
}

/* assigned_wall_ms, pool, application, wait_ms */
static int add_start(struct db *db, struct db_statement *st, int64_t upto,
		     struct error *err)
{
	int64_t wait_ms = db_int(st, 3);
	struct db_hour h = { .start_wall_ms = hour_of(db_int(st, 0)),
			     .sessions = 1, .waited = wait_ms > 0,
			     .wait_ms = wait_ms };

	(void)upto;
	if (add(db, &h, db_text(st, 1), db_text(st, 2), err))
		return -1;
	return add_wait(db, h.start_wall_ms, db_text(st, 1), db_text(st, 2),
			wait_ms, err);
}

/* Adds the part of [since, until) that lies in each hour. */
static int add_span(struct db *db, int64_t since, int64_t until, bool machine,
		    const char *pool, const char *application,
		    struct error *err)
{
	if (until - since > (int64_t)LONGEST_HOURS * HOUR_MS)
		since = until - (int64_t)LONGEST_HOURS * HOUR_MS;
	while (since < until) {
		struct db_hour h = { .start_wall_ms = hour_of(since) };
		int64_t end = h.start_wall_ms + HOUR_MS;
		int64_t ms = (end < until ? end : until) - since;

		*(machine ? &h.machine_ms : &h.session_ms) = ms;
		if (add(db, &h, pool, application, err))
			return -1;
		since += ms;
	}
	return 0;
}

/* ended_wall_ms, pool, application, assigned_wall_ms, state, bytes in, out */
static int add_end(struct db *db, struct db_statement *st, int64_t upto,
		   struct error *err)
{
	int64_t ended = db_int(st, 0);
	int state = db_word_value(DB_SESSION_STATE, db_text(st, 4));
	struct db_hour h = {
		.start_wall_ms = hour_of(ended),
		.closed = state == SESSION_CLOSED, .lost = state == SESSION_LOST,
		.failed = state == SESSION_FAILED,
		.bytes_in = (uint64_t)db_int(st, 5),
		.bytes_out = (uint64_t)db_int(st, 6),
	};

	(void)upto;
	if (add(db, &h, db_text(st, 1), db_text(st, 2), err))
		return -1;
	return add_span(db, db_int(st, 3), ended, false, db_text(st, 1),
			db_text(st, 2), err);
}

/* decided_wall_ms, application, state */
static int add_decision(struct db *db, struct db_statement *st, int64_t upto,
			struct error *err)
{
	int state = db_word_value(DB_REQUEST_STATE, db_text(st, 2));
	struct db_hour h = { .start_wall_ms = hour_of(db_int(st, 0)),
			     .refused = state == REQUEST_REFUSED,
			     .cancelled = state == REQUEST_CANCELLED };

	(void)upto;
	if (state == REQUEST_ASSIGNED)
		return 0;
	return add(db, &h, "", db_text(st, 1), err);
}

/* since, until (0 = runs), pool, the mark */
static int add_run(struct db *db, struct db_statement *st, int64_t upto,
		   struct error *err)
{
	int64_t since = db_int(st, 0), until = db_int(st, 1);
	int64_t mark = db_int(st, 3);

	if (since < mark)
		since = mark;
	if (!until || until > upto)
		until = upto;
	return add_span(db, since, until, true, db_text(st, 2), "", err);
}

/* ---- steps ------------------------------------------------------------------- */

static const struct counting {
	const char *name;
	/* $1 mark, $2 rows to skip: where a step of this many rows ends. */
	enum db_stmt_id end;
	enum db_stmt_id rows;	/* $1 mark, $2 up to which */
	int (*add)(struct db *db, struct db_statement *st, int64_t upto,
		   struct error *err);
} countings[] = {
	{ "started", STMT_STARTED_END, STMT_STARTED, add_start },
	{ "ended", STMT_ENDED_END, STMT_ENDED, add_end },
	{ "decided", STMT_DECIDED_END, STMT_DECIDED, add_decision },
	{ "ran", STMT_RAN_END, STMT_RAN, add_run },
	{ "billed", STMT_ENDED_END, STMT_BILLABLE, db_bill_session },
};

int db_counted(struct db *db, const char *name, int64_t *mark,
	       struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_COUNTED, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, name);
	int rc = db_step(db, st, err);
	if (rc == 1)
		*mark = db_int(st, 0);
	sqlite3_reset(st->stmt);
	if (rc == 0)
		return error_set(err, "%s: nothing says up to when \"%s\" is "
				 "counted; the file is damaged: restore a backup",
				 db->path, name);
	return rc < 0 ? -1 : 0;
}

static int move_mark(struct db *db, const char *name, int64_t upto,
		     struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_MOVE_COUNTED, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, name);
	db_bind_int(st, 2, upto);
	return db_batch_run(db, st, err);
}

/* Up to when this step counts: *full when more waits. */
static int step_end(struct db *db, const struct counting *c, int64_t mark,
		    int64_t *upto, bool *full, struct error *err)
{
	struct db_statement *st = db_stmt(db, c->end, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, mark);
	db_bind_int(st, 2, STEP_ROWS - 1);
	int rc = db_step(db, st, err);
	*full = false;
	if (rc == 1 && sqlite3_column_type(st->stmt, 0) != SQLITE_NULL &&
	    db_int(st, 0) < *upto) {
		*upto = db_int(st, 0);
		*full = true;
	}
	sqlite3_reset(st->stmt);
	return rc < 0 ? -1 : 0;
}

/* 1 = a step was made and more waits, 0 = all is counted, -1 = error. */
static int count_step(struct db *db, const struct counting *c, int64_t now,
		      struct error *err)
{
	int64_t mark, upto = now - LAG_MS;
	bool full;
	int rc, n = 0;

	if (db_counted(db, c->name, &mark, err) || upto <= mark)
		return upto <= mark ? 0 : -1;
	if (step_end(db, c, mark, &upto, &full, err))
		return -1;
	struct db_statement *st = db_stmt(db, c->rows, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, mark);
	db_bind_int(st, 2, upto);
	while ((rc = db_step(db, st, err)) == 1) {
		n++;
		if (c->add(db, st, upto, err)) {
			sqlite3_reset(st->stmt);
			return -1;
		}
	}
	if (rc < 0)
		return -1;
	/* An idle site moves its marks once a minute, not at every look. */
	if (!n && !full && upto - mark < 60000 && mark)
		return 0;
	return move_mark(db, c->name, upto, err) ? -1 : full;
}

int db_count_hours(struct db *db, int64_t now_wall_ms, struct error *err)
{
	int more = 0;

	for (size_t i = 0; i < sizeof(countings) / sizeof(countings[0]); i++) {
		/* A report of usage must not see sessions move. */
		bool held = db->reports && countings[i].add == db_bill_session;
		int rc = held ? 0 : count_step(db, &countings[i], now_wall_ms,
					       err);

		if (rc < 0)
			return -1;
		more |= rc;
	}
	return more;
}

/* ---- reading ------------------------------------------------------------------- */

/* The least class that holds so many of 100 sessions of an hour. */
static int read_waits(struct db *db, const struct db_hours_query *q,
		      struct db_hour *h, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_HOUR_WAITS, err);
	uint64_t sum = 0;
	int rc;

	if (!st)
		return -1;
	h->wait_p50_ms = h->wait_p95_ms = -1;
	db_bind_int(st, 1, h->start_wall_ms);
	db_bind_text(st, 2, q->pool);
	db_bind_text(st, 3, q->application);
	while ((rc = db_step(db, st, err)) == 1) {
		int64_t at_most = db_int(st, 0);

		sum += (uint64_t)db_int(st, 1);
		if (h->wait_p50_ms < 0 && sum * 100 >= h->sessions * 50)
			h->wait_p50_ms = at_most;
		if (h->wait_p95_ms < 0 && sum * 100 >= h->sessions * 95)
			h->wait_p95_ms = at_most;
	}
	return rc;
}

int db_query_hours(struct db *db, struct db_hours_query *q,
		   void (*on_row)(void *, const struct db_hour *), void *arg,
		   struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_HOURS, err);
	uint32_t limit = q->limit ? q->limit : 100, n = 0;
	int rc;

	if (!st)
		return -1;
	q->next = 0;
	db_bind_int(st, 1, q->since_wall_ms);
	db_bind_int(st, 2, q->before_wall_ms ? q->before_wall_ms : INT64_MAX);
	db_bind_text(st, 3, q->pool);
	db_bind_text(st, 4, q->application);
	db_bind_int(st, 5, limit);
	while ((rc = db_step(db, st, err)) == 1) {
		struct db_hour h = {
			.start_wall_ms = db_int(st, 0),
			.sessions = (uint64_t)db_int(st, 1),
			.closed = (uint64_t)db_int(st, 2),
			.lost = (uint64_t)db_int(st, 3),
			.failed = (uint64_t)db_int(st, 4),
			.refused = (uint64_t)db_int(st, 5),
			.cancelled = (uint64_t)db_int(st, 6),
			.waited = (uint64_t)db_int(st, 7),
			.wait_ms = db_int(st, 8),
			.bytes_in = (uint64_t)db_int(st, 9),
			.bytes_out = (uint64_t)db_int(st, 10),
			.session_ms = db_int(st, 11),
			.machine_ms = db_int(st, 12),
		};

		if (read_waits(db, q, &h, err)) {
			sqlite3_reset(st->stmt);
			return -1;
		}
		on_row(arg, &h);
		if (++n == limit)
			q->next = h.start_wall_ms;
	}
	return rc;
}

/* Those counted, and those after the mark: with both none is missing. */
int db_count_sessions(struct db *db, const char *pool, int64_t now_wall_ms,
		      uint32_t hours, uint64_t *counts, struct error *err)
{
	int64_t first = hour_of(now_wall_ms) - (int64_t)(hours - 1) * HOUR_MS;
	struct db_statement *st = db_stmt(db, STMT_COUNT_HOURS, err);
	int64_t mark;
	int rc;

	memset(counts, 0, hours * sizeof(*counts));
	if (!st || db_counted(db, "started", &mark, err))
		return -1;
	db_bind_int(st, 1, first);
	db_bind_int(st, 2, mark);
	db_bind_text(st, 3, pool ? pool : "");
	while ((rc = db_step(db, st, err)) == 1) {
		int64_t hour = (db_int(st, 0) - first) / HOUR_MS;

		if (db_int(st, 0) >= first && hour < (int64_t)hours)
			counts[hour] += (uint64_t)db_int(st, 1);
	}
	return rc;
}
