/*
 * Retention: rows older than the site keeps are deleted, a hundred at a time,
 * between turns.  What is never deleted: sessions that live or whose machine is
 * not clean yet, what is not yet counted (db_hours.c), rows with a request id
 * younger than that is kept for (S7), changes under way, the last decision of
 * each object and source, open intervals of the ledger.
 *
 * A pass walks each table once by time, so that rows that have to stay are
 * looked at once a pass and not at every step.  The file does not shrink: its
 * free pages are used again; a backup is as small as its rows.
 */
#include <string.h>

#include "db/db_internal.h"

enum { STEP_ROWS = 100 };

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int delete_id(struct db *db, enum db_stmt_id id, int64_t row,
		     struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, id, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, row);
	return db_batch_run(db, st, err);
}

/*
 * The next rows by time that are older than before: their ids that may go, how
 * many were looked at.  Rows: id, time, has a request id, is needed.
 */
static int look(struct db *db, enum db_stmt_id id, int64_t before,
		const struct db_keep *keep, int64_t ids[STEP_ROWS], int *gone,
		struct error *err)
{
	struct db_statement *st = db_stmt(db, id, err);
	int rc, seen = 0;

	*gone = 0;
	if (!st)
		return -1;
	db_bind_int(st, 1, db->prune.after_ms);
	db_bind_int(st, 2, db->prune.after_id);
	db_bind_int(st, 3, before);
	db_bind_int(st, 4, STEP_ROWS);
	while ((rc = db_step(db, st, err)) == 1) {
		seen++;
		db->prune.after_id = db_int(st, 0);
		db->prune.after_ms = db_int(st, 1);
		if ((!db_int(st, 2) || db_int(st, 1) < keep->keys_before) &&
		    !db_int(st, 3))
			ids[(*gone)++] = db_int(st, 0);
	}
	return rc < 0 ? -1 : seen;
}

/* Steps return 1 = call again, 0 = the table is done, -1 = error. */
static int prune_sessions(struct db *db, const struct db_keep *keep,
			  struct error *err)
{
	int64_t ids[STEP_ROWS], started, ended, billed;
	int gone;

	if (db_counted(db, "started", &started, err) ||
	    db_counted(db, "ended", &ended, err) ||
	    db_counted(db, "billed", &billed, err))
		return -1;
	int seen = look(db, STMT_OLD_SESSIONS,
			earlier(earlier(keep->sessions_before, billed),
				earlier(started, ended)),
			keep, ids, &gone, err);
	if (seen < 0)
		return -1;
	for (int i = 0; i < gone; i++)
		if (delete_id(db, STMT_DELETE_REQUEST_OF, ids[i], err) ||
		    delete_id(db, STMT_DELETE_SESSION, ids[i], err))
			return -1;
	return seen == STEP_ROWS;
}

static int prune_requests(struct db *db, const struct db_keep *keep,
			  struct error *err)
{
	int64_t ids[STEP_ROWS], decided;
	int gone;

	if (db_counted(db, "decided", &decided, err))
		return -1;
	int seen = look(db, STMT_OLD_REQUESTS,
			earlier(keep->sessions_before, decided), keep, ids,
			&gone, err);
	if (seen < 0)
		return -1;
	for (int i = 0; i < gone; i++)
		if (delete_id(db, STMT_DELETE_REQUEST, ids[i], err))
			return -1;
	return seen == STEP_ROWS;
}

/* Tables of which every old row may go. */
static int prune_all(struct db *db, enum db_stmt_id id, int64_t before,
		     struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, id, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, before);
	db_bind_int(st, 2, STEP_ROWS);
	if (db_batch_run(db, st, err))
		return -1;
	return sqlite3_changes(db->handle) == STEP_ROWS;
}

static int prune_runs(struct db *db, const struct db_keep *keep,
		      struct error *err)
{
	int64_t ran;

	if (db_counted(db, "ran", &ran, err))
		return -1;
	return prune_all(db, STMT_PRUNE_RUNS,
			 earlier(keep->sessions_before, ran), err);
}

static int prune_events(struct db *db, const struct db_keep *keep,
			struct error *err)
{
	return prune_all(db, STMT_PRUNE_EVENTS, keep->events_before, err);
}

static int prune_hours(struct db *db, const struct db_keep *keep,
		       struct error *err)
{
	return prune_all(db, STMT_PRUNE_HOURS, keep->hours_before, err);
}

static int prune_waits(struct db *db, const struct db_keep *keep,
		       struct error *err)
{
	return prune_all(db, STMT_PRUNE_HOUR_WAITS, keep->hours_before, err);
}

static int prune_keys(struct db *db, const struct db_keep *keep,
		      struct error *err)
{
	return prune_all(db, STMT_PRUNE_KEYS, keep->keys_before, err);
}

static int prune_deeds(struct db *db, const struct db_keep *keep,
		       struct error *err)
{
	return prune_all(db, STMT_PRUNE_DEEDS, keep->audit_before, err);
}

static int prune_changes(struct db *db, const struct db_keep *keep,
			 struct error *err)
{
	return prune_all(db, STMT_PRUNE_CHANGES, keep->changes_before, err);
}

static int prune_decisions(struct db *db, const struct db_keep *keep,
			   struct error *err)
{
	return prune_all(db, STMT_PRUNE_DECISIONS, keep->changes_before, err);
}

static int prune_kept(struct db *db, const struct db_keep *keep,
		      struct error *err)
{
	return prune_all(db, STMT_PRUNE_KEPT, keep->kept_before, err);
}

static int prune_shares(struct db *db, const struct db_keep *keep,
			struct error *err)
{
	return prune_all(db, STMT_PRUNE_SHARES, keep->ledger_before, err);
}

static int prune_ledger(struct db *db, const struct db_keep *keep,
			struct error *err)
{
	return prune_all(db, STMT_PRUNE_LEDGER, keep->ledger_before, err);
}

static int (*const tables[])(struct db *db, const struct db_keep *keep,
			     struct error *err) = {
	prune_sessions, prune_requests, prune_runs, prune_events, prune_hours,
	prune_waits, prune_keys, prune_deeds, prune_changes, prune_decisions,
	prune_kept, prune_shares, prune_ledger,
};

int db_prune(struct db *db, const struct db_keep *keep, struct error *err)
{
	int rc = tables[db->prune.table](db, keep, err);

	if (rc)
		return rc;
	db->prune = (struct db_prune_at){ .table = db->prune.table + 1 };
	if (db->prune.table < sizeof(tables) / sizeof(tables[0]))
		return 1;
	db->prune.table = 0;
	return 0;
}
