/*
 * What kind of file this is, and how it becomes one of the newest version.
 *
 * The version is SQLite's user_version, the mark "this is ours" its
 * application_id.  A migration and its version number are one transaction: a
 * crash in the middle leaves the old version, whole.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"

int db_identify(struct db *db, int newest, int *version, struct error *err)
{
	int64_t schema, mark, objects;

	if (db_get_int(db, "PRAGMA user_version", &schema, err) ||
	    db_get_int(db, "PRAGMA application_id", &mark, err) ||
	    db_get_int(db, "SELECT count(*) FROM sqlite_schema", &objects, err))
		return -1;
	if (schema == 0 && mark == 0 && objects == 0) {
		*version = 0;
		return 0;
	}
	if (mark != DB_APPLICATION_ID || schema < 1)
		return error_set(err, "%s is a database of another program: "
				 "give Remuda a file of its own", db->path);
	if (schema > newest)
		return error_set(err, "%s was written by a newer Remuda "
				 "(schema %" PRId64 ", this program knows %d): "
				 "use that version or restore a backup",
				 db->path, schema, newest);
	*version = (int)schema;
	return 0;
}

/* All statements of a migration's text. */
static int run_text(struct db *db, const char *sql, struct error *err)
{
	while (*sql) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, &sql);

		/* No statement: only blanks and comments were left. */
		if (rc == SQLITE_OK && stmt)
			rc = sqlite3_step(stmt);
		if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
			db_fail(db, rc, err);
			sqlite3_finalize(stmt);
			return -1;
		}
		sqlite3_finalize(stmt);
	}
	return 0;
}

/* Links between rows are looked at whole: a migration may make a table anew,
 * which is not possible while each change is watched. */
static int check_links(struct db *db, struct error *err)
{
	int64_t broken;

	if (db_get_int(db, "SELECT count(*) FROM pragma_foreign_key_check",
		       &broken, err))
		return -1;
	return broken ? error_set(err, "%" PRId64 " rows point to rows that "
				       "are not there", broken) : 0;
}

static int migrate_one(struct db *db, const struct db_migration *m,
		       struct error *err)
{
	char marks[96];

	/* Pragmas take no placeholders; both values are our own numbers. */
	snprintf(marks, sizeof(marks),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 DB_APPLICATION_ID, m->version);
	if (db_exec(db, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE", err) ||
	    run_text(db, m->sql, err) || check_links(db, err) ||
	    db_exec(db, marks, err) ||
	    db_exec(db, "COMMIT; PRAGMA foreign_keys = ON", err)) {
		/* Fails when SQLite has rolled back by itself: just as well. */
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
		db->dead = true;
		return error_wrap(err, "migration %s", m->name);
	}
	return 0;
}

int db_migrate(struct db *db, const struct db_migration *list, int count,
	       int version, struct error *err)
{
	for (int i = 0; i < count; i++)
		if (list[i].version > version &&
		    migrate_one(db, &list[i], err))
			return -1;
	return 0;
}

static const char schema_sql[] =
	"SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
	"ORDER BY type, name";

static bool same_column(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
	const char *x = (const char *)sqlite3_column_text(a, i);
	const char *y = (const char *)sqlite3_column_text(b, i);

	return x && y && strcmp(x, y) == 0;
}

/* Steps both lists side by side: 0 = same, -1 = different or unreadable. */
static int compare_schemas(struct db *db, struct db *model, struct error *err)
{
	sqlite3_stmt *a = NULL, *b = NULL;
	int rc = sqlite3_prepare_v2(db->handle, schema_sql, -1, &a, NULL);
	int model_rc = sqlite3_prepare_v2(model->handle, schema_sql, -1, &b,
					  NULL);
	bool same = rc == SQLITE_OK && model_rc == SQLITE_OK;

	while (same) {
		rc = sqlite3_step(a);
		model_rc = sqlite3_step(b);
		same = rc == model_rc;
		if (rc != SQLITE_ROW)
			break;
		for (int i = 0; same && i < 3; i++)
			same = same_column(a, b, i);
	}
	if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		db_fail(db, rc, err);
	else if (!same)
		error_set(err, "%s: its tables are not those of Remuda's "
			  "schema; the file was changed or is damaged: restore "
			  "a backup", db->path);
	sqlite3_finalize(a);
	sqlite3_finalize(b);
	return same ? 0 : -1;
}

int db_check_schema(struct db *db, const struct db_migration *list, int count,
		    struct error *err)
{
	struct db model = { .path = ":memory:", .lock_fd = -1 };
	int rc = sqlite3_open_v2(":memory:", &model.handle,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				 SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK)
		db_fail(&model, rc, err);
	int result = rc == SQLITE_OK &&
		     db_migrate(&model, list, count, 0, err) == 0 ?
			     compare_schemas(db, &model, err) : -1;
	sqlite3_close(model.handle);
	return result;
}
