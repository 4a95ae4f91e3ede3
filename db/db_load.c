/* What the engine reads at start, and the lookup of an earlier request. */
#include <stdio.h>
#include <string.h>

#include "db/db_internal.h"
#include "engine/base/text.h"

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

/* A text of the engine's one row. */
static int read_text(struct db *db, enum db_stmt_id id, char *out, size_t size,
		     struct error *err)
{
	struct db_statement *st = db_stmt(db, id, err);

	out[0] = '\0';
	if (!st)
		return -1;
	int rc = db_step(db, st, err);
	const char *text = rc == 1 ? (const char *)sqlite3_column_text(st->stmt, 0) :
				     NULL;
	snprintf(out, size, "%s", text ? text : "");
	sqlite3_reset(st->stmt);
	return rc < 0 ? -1 : 0;
}

static int save_text(struct db *db, enum db_stmt_id id, const char *text,
		     struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, id, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, text);
	return db_batch_run(db, st, err);
}

int db_boot(struct db *db, char out[64], struct error *err)
{
	return read_text(db, STMT_BOOT, out, 64, err);
}

int db_save_boot(struct db *db, const char *boot, struct error *err)
{
	return save_text(db, STMT_SAVE_BOOT, boot, err);
}

int db_store(struct db *db, char out[DB_STORE_SIZE], struct error *err)
{
	return read_text(db, STMT_STORE, out, DB_STORE_SIZE, err);
}

int db_save_store(struct db *db, const char *store, struct error *err)
{
	return save_text(db, STMT_SAVE_STORE, store, err);
}

int db_load_volumes(struct db *db,
		    void (*on_row)(void *, const struct volume_row *),
		    void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_VOLUMES, err);
	struct volume_row row;
	int rc = st ? 0 : -1;

	while (st && (rc = db_next(db, st, &db_volume_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_load_joins(struct db *db, void (*on_row)(void *, const struct join_row *),
		  void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_JOINS, err);
	struct join_row row;
	int rc = st ? 0 : -1;

	while (st && (rc = db_next(db, st, &db_join_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

int db_load_tokens(struct db *db,
		   void (*on_row)(void *, const struct token_row *),
		   void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_LOAD_TOKENS, err);
	struct token_row row;
	int rc = st ? 0 : -1;

	while (st && (rc = db_next(db, st, &db_token_table, &row, err)) == 1)
		on_row(arg, &row);
	return rc;
}

/* The session's row is gone, its request id is not. */
static int find_key(struct db *db, const char *user, const char *key,
		    struct session_row *out, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_FIND_KEY, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, user);
	db_bind_text(st, 2, key);
	int rc = db_step(db, st, err);
	if (rc != 1)
		return rc;
	out->id = (uint64_t)sqlite3_column_int64(st->stmt, 0);
	const char *machine = (const char *)sqlite3_column_text(st->stmt, 1);
	TEXT_SET(out->machine_name, machine ? machine : "");
	out->assigned_wall_ms = sqlite3_column_int64(st->stmt, 2);
	out->state = SESSION_CLOSED;
	TEXT_SET(out->user, user);
	TEXT_SET(out->request_key, key);
	return db_run(db, st, err);
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
	if (rc == 0)
		rc = find_key(db, user, key, out, err);
	return rc < 0 ? -1 : 0;
}
