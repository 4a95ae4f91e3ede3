/* What the engine reads at start, and the lookup of an earlier request. */
#include <string.h>

#include "db/db_internal.h"

int db_load_machines(struct db *db,
		     void (*on_row)(void *, const struct machine_row *),
		     void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_MACHINES, err);
	struct machine_row row;
	int rc = st ? 0 : -1;

	while (st && (rc = db_next(db, st, &db_machine_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_load_live_sessions(struct db *db,
			  void (*on_row)(void *, const struct session_row *),
			  void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_SESSIONS, err);
	struct session_row row;
	int rc = st ? 0 : -1;

	while (st && (rc = db_next(db, st, &db_session_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_load_overrides(struct db *db,
		      void (*on_row)(void *, const struct override_row *),
		      void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_OVERRIDES, err);
	struct override_row row;
	int rc = st ? 0 : -1;

	while (st && (rc = db_next(db, st, &db_override_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_find_request(struct db *db, const char *user, const char *key,
		    struct session_row *out, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_FIND_REQUEST, err);

	memset(out, 0, sizeof(*out));
	if (!st)
		return -1;
	db_bind_text(st, 1, user);
	db_bind_text(st, 2, key);
	int rc = db_next(db, st, &db_session_table, out, err);
	sqlite3_reset(st->stmt);
	return rc < 0 ? -1 : 0;
}
