/*
 * When machines' domains ran: a row from the making of a domain to its end,
 * written in the commit that saves the machine's change.  What is saved already
 * is known by heart, so that saving a machine costs nothing more as long as its
 * domain stays the same; a batch that was rolled back makes that be read anew.
 */
#include <string.h>

#include "db/db_internal.h"

static void *known(int64_t since_wall_ms)
{
	return (void *)(intptr_t)since_wall_ms;
}

/* Reads the runs that have no end. */
static int read_runs(struct db *db, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LIVE_RUNS, err);
	int rc;

	if (!st)
		return -1;
	map_fini(&db->runs);
	map_init(&db->runs);
	while ((rc = db_step(db, st, err)) == 1)
		map_put(&db->runs, (uint64_t)sqlite3_column_int64(st->stmt, 0),
			known(sqlite3_column_int64(st->stmt, 1)));
	if (rc == 0)
		db->runs_known = true;
	return rc;
}

static int end_run(struct db *db, uint64_t machine, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_END_RUN, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)machine);
	db_bind_int(st, 2, db->wall_ms);
	map_remove(&db->runs, machine);
	return db_batch_run(db, st, err);
}

int db_note_run(struct db *db, uint64_t machine, const char *pool,
		int64_t since_wall_ms, struct error *err)
{
	if (!db->runs_known && read_runs(db, err))
		return -1;
	void *was = map_get(&db->runs, machine);
	if (was == known(since_wall_ms))
		return 0;
	if (was && end_run(db, machine, err))
		return -1;
	if (!since_wall_ms)
		return 0;
	struct db_statement *st = db_batch_stmt(db, STMT_BEGIN_RUN, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)machine);
	db_bind_int(st, 2, since_wall_ms);
	db_bind_text(st, 3, pool);
	map_put(&db->runs, machine, known(since_wall_ms));
	return db_batch_run(db, st, err);
}

void db_clock(struct db *db, int64_t wall_ms)
{
	db->wall_ms = wall_ms;
}
