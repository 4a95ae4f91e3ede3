/*
 * The ledger: intervals of machines, and whose sessions lie in them (S10).
 *
 * Intervals come from the core with the commit of what opens or closes them.
 * What of them a session had is added once it is over, by the keeper between
 * turns and behind a mark (db_hours.c), so that a session costs its turn no
 * further write.  A machine's sessions follow each other, and so do their parts
 * of an interval: one never begins before the one entered last ends.
 *
 * Not guaranteed: after a clock that was set back while the engine ran, parts
 * of sessions may be cut short or missing.  That time then counts as nobody's;
 * no sum over machines changes.
 */
#include <inttypes.h>

#include "db/db_internal.h"

int db_save_ledger(struct db *db, const struct ledger_row *row,
		   struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_LEDGER, &db_ledger_table, row,
			  "it is closed, or of another machine, host or size "
			  "than the saved one (S10)", err))
		return error_wrap(err, "saving interval %" PRIu64 " of machine %s",
				  row->id, row->machine_name);
	return 0;
}

/* Enters [start, end) of a session in an interval that it lies in. */
static int add_share(struct db *db, int64_t ledger, struct db_statement *session,
		     int64_t start, int64_t end, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_ADD_SHARE, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, ledger);
	db_bind_int(st, 2, db_int(session, 0));
	db_bind_text(st, 3, db_text(session, 2));
	db_bind_int(st, 4, start);
	db_bind_int(st, 5, end - start);
	return db_batch_run(db, st, err);
}

/* id, machine, user_name, assigned_wall_ms, ended_wall_ms */
int db_bill_session(struct db *db, struct db_statement *session, int64_t upto,
		    struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_INTERVALS_BACK, err);
	int64_t start = db_int(session, 3), end = db_int(session, 4);
	int rc;

	(void)upto;
	if (!st)
		return -1;
	db_bind_int(st, 1, db_int(session, 1));
	db_bind_int(st, 2, end);
	db_bind_int(st, 3, db_int(session, 0));
	while ((rc = db_step(db, st, err)) == 1) {
		int64_t from = db_int(st, 1), until = db_int(st, 2);

		/* They do not overlap: before one that ends too early all do. */
		if (until <= start)
			break;
		if (from < db_int(st, 3))
			from = db_int(st, 3);
		if (from < start)
			from = start;
		if (until > end)
			until = end;
		if (from < until && add_share(db, db_int(st, 0), session, from,
					      until, err)) {
			rc = -1;
			break;
		}
	}
	sqlite3_reset(st->stmt);
	return rc < 0 ? -1 : 0;
}
