/*
 * Prepared statements: kept per connection, bound by name, stepped with every
 * result looked at.  What SQLite says is sorted here into the three kinds of
 * trouble:
 *
 *  - a row breaks a constraint: the batch is refused, the file is sound;
 *  - the file cannot be read or written (full, I/O error, damaged, taken over
 *    by another engine): the connection is dead for ever, because a failed
 *    sync must not be tried again (reliability.md finding 12);
 *  - the file holds values this program never writes: damaged, as above.
 */
#include <stdio.h>
#include <string.h>

#include "db/db_sql.h"
#include "engine/base/check.h"

static const char *advice(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return "the disk is full: make room and start again";
	case SQLITE_IOERR:
		return "the disk does not write or read: look at the kernel's "
		       "log, then start again";
	case SQLITE_CORRUPT:
		return "the file is damaged: restore a backup";
	case SQLITE_NOTADB:
		return "this is no database of Remuda, or its head is damaged: "
		       "restore a backup";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another program has it open (sqlite3, a backup?): end "
		       "that and start again";
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return "look at its owner and rights, and those of its folder";
	default:
		return NULL;
	}
}

int db_fail(struct db *db, int rc, struct error *err)
{
	const char *what = sqlite3_errmsg(db->handle);
	const char *hint = advice(rc);
	struct error text;

	if (db->dead)
		return db_alive(db, err);
	error_set(&text, "database %s: %s (sqlite %d)%s%s", db->path, what,
		  sqlite3_extended_errcode(db->handle), hint ? "; " : "",
		  hint ? hint : "");
	if ((rc & 0xff) == SQLITE_CONSTRAINT) {
		if (!db->batch_failed)
			db->why = text;
		db->batch_failed = true;
	} else {
		db->why = text;
		db->dead = true;
	}
	return error_set(err, "%s", text.text);
}

int db_alive(const struct db *db, struct error *err)
{
	if (db->dead)
		return error_set(err, "%s", db->why.text);
	return 0;
}

int db_exec(struct db *db, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err);
}

/* Runs sql up to its first row and hands the statement out, NULL on error. */
static sqlite3_stmt *first_row(struct db *db, const char *sql,
			       struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return stmt;
	if (rc == SQLITE_DONE)
		error_set(err, "database %s: no answer to %s", db->path, sql);
	else
		db_fail(db, rc, err);
	sqlite3_finalize(stmt);
	return NULL;
}

/* To the statement's end: a change of journal mode, say, commits only there. */
static int finish(struct db *db, sqlite3_stmt *stmt, struct error *err)
{
	int rc;

	do
		rc = sqlite3_step(stmt);
	while (rc == SQLITE_ROW);
	int result = rc == SQLITE_DONE ? 0 : db_fail(db, rc, err);
	sqlite3_finalize(stmt);
	return result;
}

int db_get_int(struct db *db, const char *sql, int64_t *value,
	       struct error *err)
{
	sqlite3_stmt *stmt = first_row(db, sql, err);

	if (!stmt)
		return -1;
	*value = sqlite3_column_int64(stmt, 0);
	return finish(db, stmt, err);
}

int db_get_text(struct db *db, const char *sql, char *out, size_t out_size,
		struct error *err)
{
	sqlite3_stmt *stmt = first_row(db, sql, err);

	if (!stmt)
		return -1;
	const char *text = (const char *)sqlite3_column_text(stmt, 0);
	snprintf(out, out_size, "%s", text ? text : "");
	return finish(db, stmt, err);
}

/* `$1` is a name to SQLite; its place is looked up once. */
static void map_params(struct db_statement *st)
{
	for (int n = 1; n <= DB_PARAMS_MAX; n++) {
		char name[16];

		snprintf(name, sizeof(name), "$%d", n);
		st->index[n] = (uint8_t)sqlite3_bind_parameter_index(st->stmt,
								     name);
	}
}

struct db_statement *db_stmt(struct db *db, enum db_stmt_id id,
			     struct error *err)
{
	struct db_statement *st = &db->stmts[id];

	if (db_alive(db, err))
		return NULL;
	if (!st->stmt) {
		int rc = sqlite3_prepare_v3(db->handle, sql_texts[id], -1,
					    SQLITE_PREPARE_PERSISTENT,
					    &st->stmt, NULL);

		if (rc != SQLITE_OK) {
			db_fail(db, rc, err);
			return NULL;
		}
		map_params(st);
	}
	st->rc = SQLITE_OK;
	return st;
}

static void note(struct db_statement *st, int rc)
{
	if (rc != SQLITE_OK && st->rc == SQLITE_OK)
		st->rc = rc;
}

void db_bind_int(struct db_statement *st, int n, int64_t value)
{
	note(st, sqlite3_bind_int64(st->stmt, st->index[n], value));
}

void db_bind_text(struct db_statement *st, int n, const char *text)
{
	note(st, sqlite3_bind_text(st->stmt, st->index[n], text, -1,
				   SQLITE_STATIC));
}

static int bind_field(struct db_statement *st, int index,
		      const struct db_field *f, const char *at)
{
	switch ((enum db_kind)f->kind) {
	case DB_U64:
	case DB_BITS:
	case DB_I64:
		return sqlite3_bind_int64(st->stmt, index,
					  *(const int64_t *)(const void *)at);
	case DB_LINK: {
		int64_t id = *(const int64_t *)(const void *)at;

		return id ? sqlite3_bind_int64(st->stmt, index, id) :
			    sqlite3_bind_null(st->stmt, index);
	}
	case DB_U32:
		return sqlite3_bind_int64(st->stmt, index,
					  *(const uint32_t *)(const void *)at);
	case DB_BOOL:
		return sqlite3_bind_int64(st->stmt, index,
					  *(const bool *)(const void *)at);
	case DB_TEXT: {
		size_t length = strnlen(at, f->size);

		CHECK("", length < f->size, "%s has no end", f->column);
		return sqlite3_bind_text(st->stmt, index, at, (int)length,
					 SQLITE_STATIC);
	}
	case DB_MACHINE_STATE:
	case DB_MACHINE_WISH:
	case DB_RUNG:
	case DB_MACHINE_IMAGE:
	case DB_SESSION_STATE:
	case DB_REQUEST_STATE:
	case DB_VOLUME_KIND:
	case DB_NODE_STATE:
	case DB_CHANGE_KIND:
	case DB_CHANGE_STATE:
	case DB_CHANGE_STEP:
	case DB_STRATEGY:
	case DB_OUTCOME:
	case DB_SEVERITY: {
		const char *word = db_word(f->kind,
					   *(const int *)(const void *)at);

		return word ? sqlite3_bind_text(st->stmt, index, word, -1,
						SQLITE_STATIC) :
			      SQLITE_RANGE;
	}
	case DB_KINDS:
		break;
	}
	return SQLITE_MISUSE;
}

int db_bind_row(struct db *db, struct db_statement *st,
		const struct db_table *table, const void *row,
		struct error *err)
{
	for (int i = 0; i < table->count; i++) {
		const struct db_field *f = &table->fields[i];
		const char *at = (const char *)row + f->offset;
		int rc = st->index[i + 1] ?
				 bind_field(st, st->index[i + 1], f, at) :
				 SQLITE_OK;

		if (rc == SQLITE_RANGE) {
			error_set(&db->why, "%s.%s: %d has no name",
				  table->name, f->column,
				  *(const int *)(const void *)at);
			db->batch_failed = true;
			return error_set(err, "%s", db->why.text);
		}
		note(st, rc);
	}
	return 0;
}

int db_step(struct db *db, struct db_statement *st, struct error *err)
{
	int rc = st->rc == SQLITE_OK ? sqlite3_step(st->stmt) : st->rc;

	if (rc == SQLITE_ROW)
		return 1;
	/* The message is gone once the statement is reset. */
	int result = rc == SQLITE_DONE ? 0 : db_fail(db, rc, err);
	sqlite3_reset(st->stmt);
	return result;
}

int db_run(struct db *db, struct db_statement *st, struct error *err)
{
	int rc = db_step(db, st, err);

	CHECK("", rc != 1, "%s gives rows", sqlite3_sql(st->stmt));
	return rc;
}

static bool read_text(sqlite3_stmt *stmt, int i, char *out, size_t out_size)
{
	if (sqlite3_column_type(stmt, i) != SQLITE_TEXT)
		return false;
	const char *text = (const char *)sqlite3_column_text(stmt, i);
	size_t length = (size_t)sqlite3_column_bytes(stmt, i);
	if (!text || length >= out_size || memchr(text, '\0', length))
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

static bool read_int(sqlite3_stmt *stmt, int i, int64_t low, int64_t high,
		     int64_t *value)
{
	if (sqlite3_column_type(stmt, i) != SQLITE_INTEGER)
		return false;
	*value = sqlite3_column_int64(stmt, i);
	return *value >= low && *value <= high;
}

static bool read_field(sqlite3_stmt *stmt, int i, const struct db_field *f,
		       char *at)
{
	int64_t v;
	char word[32];

	switch ((enum db_kind)f->kind) {
	case DB_LINK:
		if (sqlite3_column_type(stmt, i) == SQLITE_NULL) {
			memset(at, 0, f->size);
			return true;
		}
		if (!read_int(stmt, i, 1, INT64_MAX, &v))
			return false;
		memcpy(at, &v, sizeof(v));
		return true;
	case DB_U64:
		if (!read_int(stmt, i, 0, INT64_MAX, &v))
			return false;
		memcpy(at, &v, sizeof(v));
		return true;
	case DB_BITS:
	case DB_I64:
		if (!read_int(stmt, i, INT64_MIN, INT64_MAX, &v))
			return false;
		memcpy(at, &v, sizeof(v));
		return true;
	case DB_U32:
		if (!read_int(stmt, i, 0, UINT32_MAX, &v))
			return false;
		memcpy(at, &(uint32_t){ (uint32_t)v }, sizeof(uint32_t));
		return true;
	case DB_BOOL:
		if (!read_int(stmt, i, 0, 1, &v))
			return false;
		memcpy(at, &(bool){ v == 1 }, sizeof(bool));
		return true;
	case DB_TEXT:
		return read_text(stmt, i, at, f->size);
	case DB_MACHINE_STATE:
	case DB_MACHINE_WISH:
	case DB_RUNG:
	case DB_MACHINE_IMAGE:
	case DB_SESSION_STATE:
	case DB_REQUEST_STATE:
	case DB_SEVERITY:
	case DB_VOLUME_KIND:
	case DB_NODE_STATE:
	case DB_CHANGE_KIND:
	case DB_CHANGE_STATE:
	case DB_CHANGE_STEP:
	case DB_STRATEGY:
	case DB_OUTCOME:
		v = read_text(stmt, i, word, sizeof(word)) ?
			    db_word_value(f->kind, word) : -1;
		memcpy(at, &(int){ (int)v }, sizeof(int));
		return v >= 0;
	case DB_KINDS:
		break;
	}
	return false;
}

int db_next(struct db *db, struct db_statement *st,
	    const struct db_table *table, void *row, struct error *err)
{
	int rc = db_step(db, st, err);

	if (rc != 1)
		return rc;
	memset(row, 0, table->row_size);
	for (int i = 0; i < table->count; i++) {
		const struct db_field *f = &table->fields[i];

		if (read_field(st->stmt, i, f, (char *)row + f->offset))
			continue;
		sqlite3_reset(st->stmt);
		db->dead = true;
		error_set(&db->why, "database %s: table %s holds a %s that no "
			  "Remuda writes; the file is damaged: restore a "
			  "backup", db->path, table->name, f->column);
		return error_set(err, "%s", db->why.text);
	}
	return 1;
}

void db_stmts_close(struct db *db)
{
	for (int i = 0; i < STMTS; i++) {
		sqlite3_finalize(db->stmts[i].stmt);
		db->stmts[i].stmt = NULL;
	}
}
