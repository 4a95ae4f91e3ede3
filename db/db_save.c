/*
 * A turn's batch: everything the engine decided in one turn becomes durable
 * with one commit, or none of it does.
 *
 * The first statement of a batch is the guard: it changes the engine's row
 * only while our term is the newest, so an engine that was taken over cannot
 * write (and on a store for several engines the row serialises them).  A batch
 * without changes is rolled back and costs no sync.
 */
#include <inttypes.h>
#include <string.h>

#include "db/db_internal.h"
#include "engine/base/check.h"

static int run(struct db *db, enum db_stmt_id id, struct error *err)
{
	struct db_statement *st = db_stmt(db, id, err);

	return st ? db_run(db, st, err) : -1;
}

static void roll_back(struct db *db)
{
	/* SQLite has already done so after some errors: nothing to add then. */
	if (!sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	db->in_batch = false;
	db->runs_known = false;
}

/*
 * Moves the WAL into the file when it has become long.  Not left to SQLite,
 * which would do it after a commit, not tell when a sync fails, and try that
 * sync again with the next one.
 */
static int checkpoint(struct db *db, struct error *err)
{
	int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL,
					   SQLITE_CHECKPOINT_PASSIVE, NULL,
					   NULL);

	db->wal_pages = 0;
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err);
}

int db_begin(struct db *db, struct error *err)
{
	if (db_alive(db, err))
		return -1;
	CHECK("", !db->in_batch, "a batch is open");
	if (db->wal_pages >= db->checkpoint_pages && checkpoint(db, err))
		return -1;
	struct db_statement *guard = db_stmt(db, STMT_GUARD, err);

	if (!guard || run(db, STMT_BEGIN, err))
		return -1;
	db->in_batch = true;
	db->batch_failed = false;
	db->saved = 0;
	db_bind_int(guard, 1, (int64_t)db->term);
	if (db_run(db, guard, err)) {
		roll_back(db);
		return -1;
	}
	if (sqlite3_changes(db->handle) != 1) {
		roll_back(db);
		db->dead = true;
		error_set(&db->why, "database %s: another engine has taken over "
			  "(term %" PRIu64 " is not the newest)", db->path,
			  db->term);
		return error_set(err, "%s", db->why.text);
	}
	return 0;
}

int db_commit(struct db *db, struct error *err)
{
	if (db->dead && db->in_batch)
		roll_back(db);
	if (db_alive(db, err))
		return -1;
	CHECK("", db->in_batch, "no batch is open");
	if (db->batch_failed) {
		roll_back(db);
		return error_set(err, "nothing of this turn was saved: %s",
				 db->why.text);
	}
	if (db->saved == 0) {
		roll_back(db);
		return 0;
	}
	if (run(db, STMT_COMMIT, err)) {
		/* Also a broken link between rows, found only here: the caller
		 * has to exit, so nothing more may be written. */
		db->dead = true;
		roll_back(db);
		return -1;
	}
	db->in_batch = false;
	return 0;
}

struct db_statement *db_batch_stmt(struct db *db, enum db_stmt_id id,
				   struct error *err)
{
	if (db_alive(db, err))
		return NULL;
	CHECK("", db->in_batch, "saving outside of a batch");
	return db_stmt(db, id, err);
}

/* Runs an upsert that may find its condition unmet. */
static int save(struct db *db, struct db_statement *st, const char *unmet,
		struct error *err)
{
	if (db_run(db, st, err))
		return -1;
	db->saved++;
	if (unmet && sqlite3_changes(db->handle) == 0) {
		error_set(&db->why, "%s", unmet);
		db->batch_failed = true;
		return error_set(err, "%s", unmet);
	}
	return 0;
}

int db_batch_save(struct db *db, enum db_stmt_id id,
		  const struct db_table *table, const void *row,
		  const char *unmet, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, id, err);

	if (!st || db_bind_row(db, st, table, row, err))
		return -1;
	return save(db, st, unmet, err);
}

/*
 * Changes a row that is probably there already: an UPDATE costs 5 us where
 * the way over INSERT ... ON CONFLICT costs 9.  An UPDATE that finds nothing,
 * because the row is new or the condition is unmet, leaves it to the caller's
 * upsert.
 */
static int update_known(struct db *db, enum db_stmt_id update,
			const struct db_table *table, const void *row,
			bool *known, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, update, err);

	if (!st || db_bind_row(db, st, table, row, err) ||
	    db_run(db, st, err))
		return -1;
	*known = sqlite3_changes(db->handle) != 0;
	db->saved += *known;
	return 0;
}

int db_batch_run(struct db *db, struct db_statement *st, struct error *err)
{
	return save(db, st, NULL, err);
}

int db_save_machine(struct db *db, const struct machine_row *row,
		    struct error *err)
{
	bool known;

	if (update_known(db, STMT_UPDATE_MACHINE, &db_machine_table, row, &known,
			 err) ||
	    (!known &&
	     db_batch_save(db, STMT_SAVE_MACHINE, &db_machine_table, row,
		      "its name, pool or slot differ from the saved ones, or "
		      "its incarnation goes back (S6)", err)))
		return error_wrap(err, "saving machine %s (%" PRIu64 ")",
				  row->name, row->id);
	return db_note_run(db, row->id, row->pool, row->created_wall_ms, err);
}

int db_delete_machine(struct db *db, uint64_t id, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_DELETE_MACHINE, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)id);
	if (save(db, st, NULL, err))
		return error_wrap(err, "deleting machine %" PRIu64, id);
	return db_note_run(db, id, "", 0, err);
}

/* A new session is its machine's last, and comes after the one that was. */
static int add_session(struct db *db, const struct session_row *row,
		       struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_SESSION, &db_session_table, row,
		     "it has ended (S9), or its machine, incarnation, nonce or "
		     "user differ from the saved ones", err))
		return -1;
	return db_batch_save(db, STMT_SAVE_LAST, &db_session_table, row,
			"its machine had a session in this incarnation or "
			"after it (S1)", err);
}

int db_save_session(struct db *db, const struct session_row *row,
		    struct error *err)
{
	bool known = false;
	int rc = 0;

	if (row->state != SESSION_ASSIGNED)
		rc = update_known(db, STMT_UPDATE_SESSION, &db_session_table,
				  row, &known, err);
	if (rc == 0 && !known)
		rc = add_session(db, row, err);
	/* A session may begin and end in one turn: its end takes the id too. */
	if (rc == 0 && row->request_key[0])
		rc = db_batch_save(db, STMT_SAVE_KEY, &db_session_table, row,
			      row->state == SESSION_ASSIGNED ?
				      "its request id has another session (S7)" :
				      NULL, err);
	if (rc)
		return error_wrap(err, "saving session/%" PRIu64, row->id);
	return 0;
}

int db_save_request(struct db *db, const struct request_row *row,
		    struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_REQUEST, &db_request_table, row, NULL, err))
		return error_wrap(err, "saving request/%" PRIu64, row->id);
	return 0;
}

int db_save_event(struct db *db, const struct event_row *row,
		  struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_EVENT, &db_event_table, row, NULL, err))
		return error_wrap(err, "saving event/%" PRIu64, row->id);
	return 0;
}

int db_save_override(struct db *db, const struct override_row *row,
		     struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_OVERRIDE, &db_override_table, row, NULL,
		     err))
		return error_wrap(err, "saving override %s", row->key);
	return 0;
}

static int delete_named(struct db *db, enum db_stmt_id id, const char *what,
			const char *name, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, id, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, name);
	if (save(db, st, NULL, err))
		return error_wrap(err, "deleting %s %s", what, name);
	return 0;
}

int db_delete_override(struct db *db, const char *key, struct error *err)
{
	return delete_named(db, STMT_DELETE_OVERRIDE, "override", key, err);
}

int db_save_volume(struct db *db, const struct volume_row *row,
		   struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_VOLUME, &db_volume_table, row,
		     "it is another machine's, or another file than the saved one",
		     err))
		return error_wrap(err, "saving volume %s", row->name);
	return 0;
}

int db_delete_volume(struct db *db, const char *name, struct error *err)
{
	return delete_named(db, STMT_DELETE_VOLUME, "volume", name, err);
}

int db_save_token(struct db *db, const struct token_row *row,
		  struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_TOKEN, &db_token_table, row,
		     "it was used before (S17)", err))
		return error_wrap(err, "saving token %.12s", row->hash);
	return 0;
}

int db_delete_token(struct db *db, const char *hash, struct error *err)
{
	return delete_named(db, STMT_DELETE_TOKEN, "token", hash, err);
}

int db_save_join(struct db *db, const struct join_row *row, struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_JOIN, &db_join_table, row, NULL, err))
		return error_wrap(err, "saving a connection of session/%" PRIu64,
				  row->session);
	return 0;
}

int db_delete_join(struct db *db, uint64_t id, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_DELETE_JOIN, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)id);
	if (save(db, st, NULL, err))
		return error_wrap(err, "deleting connection %" PRIu64, id);
	return 0;
}

int db_save_counter(struct db *db, enum db_counter counter, uint64_t next,
		    struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_SAVE_COUNTER, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, db_counter_names[counter]);
	db_bind_int(st, 2, (int64_t)next);
	if (save(db, st, NULL, err))
		return error_wrap(err, "saving counter %s",
				  db_counter_names[counter]);
	return 0;
}
