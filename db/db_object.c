/* Statements made at run time: rows of site_object, each a piece of Lua. */
#include <stdio.h>

#include "db/db_internal.h"

int db_save_object(struct db *db, const struct db_object *o, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_SAVE_OBJECT, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, o->kind);
	db_bind_text(st, 2, o->name);
	db_bind_text(st, 3, o->text);
	db_bind_text(st, 4, o->who);
	db_bind_int(st, 5, o->wall_ms);
	if (db_batch_run(db, st, err))
		return error_wrap(err, "saving %s %s", o->kind, o->name);
	return 0;
}

int db_delete_object(struct db *db, const char *kind, const char *name,
		     struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_DELETE_OBJECT, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, kind);
	db_bind_text(st, 2, name);
	if (db_batch_run(db, st, err))
		return error_wrap(err, "deleting %s %s", kind, name);
	return 0;
}

static const char *column(struct db_statement *st, int i)
{
	const char *text = (const char *)sqlite3_column_text(st->stmt, i);

	return text ? text : "";
}

int db_load_objects(struct db *db, void (*on_row)(void *, const struct db_object *),
		    void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_OBJECTS, err);
	int rc = -1;

	while (st && (rc = db_step(db, st, err)) == 1) {
		const struct db_object o = {
			.kind = column(st, 0), .name = column(st, 1),
			.text = column(st, 2), .who = column(st, 3),
			.wall_ms = sqlite3_column_int64(st->stmt, 4),
		};

		on_row(arg, &o);
	}
	return rc;
}
