/*
 * History for people: pages newest first, and counts per hour.
 *
 * Every query walks an index that ends at its limit.  "Since" is first turned
 * into the lowest id it can mean: ids and wall time almost always run
 * together, but a clock may have been set back, so the time is compared too.
 */
#include <stdio.h>
#include <string.h>

#include "db/db_internal.h"

enum { ROWS_DEFAULT = 100, HOUR_MS = 3600 * 1000 };

/* Lowest id not before a time; INT64_MAX when there is none. */
static int first_since(struct db *db, enum db_stmt_id id, int64_t wall_ms,
		       int64_t *first, struct error *err)
{
	*first = 0;
	if (wall_ms <= 0)
		return 0;
	struct db_statement *st = db_stmt(db, id, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, wall_ms);
	if (db_step(db, st, err) != 1)
		return -1;
	*first = sqlite3_column_type(st->stmt, 0) == SQLITE_NULL ?
			 INT64_MAX : sqlite3_column_int64(st->stmt, 0);
	return db_run(db, st, err);
}

/* The statement for a page with $1 to $3 bound, or NULL. */
static struct db_statement *page(struct db *db, const struct db_query *q,
				 enum db_stmt_id id, enum db_stmt_id since,
				 struct error *err)
{
	int64_t first;

	if (first_since(db, since, q->since_wall_ms, &first, err))
		return NULL;
	struct db_statement *st = db_stmt(db, id, err);
	if (!st)
		return NULL;
	db_bind_int(st, 1, q->before_id ? (int64_t)q->before_id : INT64_MAX);
	db_bind_int(st, 2, first);
	db_bind_int(st, 3, q->since_wall_ms > 0 ? q->since_wall_ms : INT64_MIN);
	return st;
}

static void bind_filters(struct db_statement *st, const struct db_query *q)
{
	db_bind_text(st, 4, q->user);
	db_bind_text(st, 5, q->machine);
	db_bind_text(st, 6, q->application);
	db_bind_int(st, 7, q->limit ? q->limit : ROWS_DEFAULT);
}

int db_query_sessions(struct db *db, const struct db_query *q,
		      void (*on_row)(void *, const struct session_row *),
		      void *arg, struct error *err)
{
	enum db_stmt_id id = q->machine[0] ? STMT_SESSIONS_OF_MACHINE :
			     q->user[0]	   ? STMT_SESSIONS_OF_USER :
					     STMT_SESSIONS;
	struct db_statement *st = page(db, q, id, STMT_SESSIONS_SINCE, err);
	struct session_row row;
	int rc;

	if (!st)
		return -1;
	bind_filters(st, q);
	while ((rc = db_next(db, st, &db_session_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_query_requests(struct db *db, const struct db_query *q,
		      void (*on_row)(void *, const struct request_row *),
		      void *arg, struct error *err)
{
	enum db_stmt_id id = q->machine[0] ? STMT_REQUESTS_OF_MACHINE :
			     q->user[0]	   ? STMT_REQUESTS_OF_USER :
					     STMT_REQUESTS;
	struct db_statement *st = page(db, q, id, STMT_REQUESTS_SINCE, err);
	struct request_row row;
	int rc;

	if (!st)
		return -1;
	bind_filters(st, q);
	while ((rc = db_next(db, st, &db_request_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

/*
 * An event has one object, so filters mean: events of machine/M, or of user/U,
 * or of application/A, whichever is given, in this order.
 */
static bool event_object(const struct db_query *q, char *out, size_t out_size)
{
	const char *kind = q->machine[0] ? "machine" :
			   q->user[0]	 ? "user" : "application";
	const char *name = q->machine[0] ? q->machine :
			   q->user[0]	 ? q->user : q->application;

	snprintf(out, out_size, "%s/%s", kind, name);
	return name[0] != '\0';
}

int db_query_events(struct db *db, const struct db_query *q,
		    void (*on_row)(void *, const struct event_row *),
		    void *arg, struct error *err)
{
	char object[ROW_NAME_SIZE + 16];
	bool of_object = event_object(q, object, sizeof(object));
	struct db_statement *st =
		page(db, q, of_object ? STMT_EVENTS_OF_OBJECT : STMT_EVENTS,
		     STMT_EVENTS_SINCE, err);
	struct event_row row;
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 4, q->limit ? q->limit : ROWS_DEFAULT);
	if (of_object)
		db_bind_text(st, 5, object);
	while ((rc = db_next(db, st, &db_event_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_count_sessions(struct db *db, const char *pool, int64_t now_wall_ms,
		      uint32_t hours, uint64_t *counts, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_COUNT_HOURS, err);
	int rc;

	memset(counts, 0, hours * sizeof(*counts));
	if (!st)
		return -1;
	db_bind_int(st, 1, now_wall_ms - (int64_t)hours * HOUR_MS);
	db_bind_int(st, 2, now_wall_ms);
	db_bind_text(st, 3, pool ? pool : "");
	while ((rc = db_step(db, st, err)) == 1) {
		int64_t hour = sqlite3_column_int64(st->stmt, 0);

		if (hour >= 0 && hour < (int64_t)hours)
			counts[hour] =
				(uint64_t)sqlite3_column_int64(st->stmt, 1);
	}
	return rc;
}
