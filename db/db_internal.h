/*
 * What the files of db/ tell each other; nobody outside includes this (tests
 * of db/ do).  The only header of the tree that includes sqlite3.h.
 *
 * A connection belongs to one thread.  Statements are prepared at first use
 * and kept.  Every function here that returns int returns 0 or -1 with err
 * set, unless said otherwise.
 */
#ifndef REMUDA_DB_INTERNAL_H
#define REMUDA_DB_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"
#include "engine/base/error.h"
#include "engine/base/map.h"

/* ---- db_fields.c: rows as tables of fields ------------------------------ */
enum db_kind {
	DB_U64,		/* 0 .. 2^63 - 1 */
	DB_BITS,	/* any 64 bits, stored as a signed number */
	DB_LINK,	/* id of another row; 0 is stored as NULL */
	DB_U32,
	DB_I64,
	DB_BOOL,
	DB_TEXT,
	/* An int whose values are stored as words. */
	DB_MACHINE_STATE,
	DB_MACHINE_WISH,
	DB_RUNG,
	DB_MACHINE_IMAGE,
	DB_SESSION_STATE,
	DB_REQUEST_STATE,
	DB_SEVERITY,
	DB_VOLUME_KIND,
	DB_NODE_STATE,
	DB_CHANGE_KIND,
	DB_CHANGE_STATE,
	DB_CHANGE_STEP,
	DB_STRATEGY,
	DB_OUTCOME,
	DB_KINDS
};

struct db_field {
	const char *column;
	uint16_t offset, size;
	uint8_t kind;
};

struct db_table {
	const char *name;
	const struct db_field *fields;	/* in the order of $1, $2 ... */
	int count;
	size_t row_size;
};

extern const struct db_table db_machine_table, db_session_table,
	db_deed_table, db_request_table, db_event_table, db_override_table,
	db_token_table,
	db_join_table,
	db_volume_table, db_cluster_table, db_change_table, db_decision_table,
	db_ledger_table;

/* The word for a value, or NULL; the value of a word, or -1. */
const char *db_word(enum db_kind kind, int value);
int db_word_value(enum db_kind kind, const char *word);

/* ---- db_stmt.c: prepared statements -------------------------------------- */
enum db_stmt_id {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_GUARD,
	STMT_CLOSED,
	STMT_TAKE_TERM,
	STMT_SAY_CLOSED,
	STMT_BOOT,
	STMT_SAVE_BOOT,
	STMT_STORE,
	STMT_SAVE_STORE,
	STMT_COUNTERS,
	STMT_SAVE_MACHINE,
	STMT_UPDATE_MACHINE,
	STMT_DELETE_MACHINE,
	STMT_SAVE_SESSION,
	STMT_SAVE_LAST,
	STMT_UPDATE_SESSION,
	STMT_SAVE_REQUEST,
	STMT_SAVE_EVENT,
	STMT_SAVE_OVERRIDE,
	STMT_SAVE_TOKEN,
	STMT_DELETE_TOKEN,
	STMT_LOAD_TOKENS,
	STMT_SAVE_JOIN,
	STMT_DELETE_JOIN,
	STMT_LOAD_JOINS,
	STMT_SAVE_CLUSTER,
	STMT_SAVE_CHANGE,
	STMT_SAVE_DECISION,
	STMT_SAVE_LEDGER,
	STMT_DELETE_OVERRIDE,
	STMT_SAVE_OBJECT,
	STMT_DELETE_OBJECT,
	STMT_LOAD_OBJECTS,
	STMT_SAVE_VOLUME,
	STMT_DELETE_VOLUME,
	STMT_SAVE_COUNTER,
	STMT_SAVE_BUNDLE,
	STMT_SAVE_SITE_VERSION,
	STMT_LOAD_BUNDLES,
	STMT_SITE_VERSIONS,
	STMT_LOAD_MACHINES,
	STMT_LOAD_SESSIONS,
	STMT_LOAD_OVERRIDES,
	STMT_LOAD_VOLUMES,
	STMT_LOAD_CLUSTERS,
	STMT_LOAD_CHANGES,
	STMT_LOAD_LEDGERS,
	STMT_NEXT_LAST_DECISION,
	STMT_FIND_REQUEST,
	STMT_FIND_KEY,
	STMT_SAVE_KEY,
	STMT_PRUNE_KEYS,
	STMT_SESSIONS,
	STMT_SESSIONS_OF_USER,
	STMT_SESSIONS_OF_MACHINE,
	STMT_SESSIONS_SINCE,
	STMT_SESSIONS_UNTIL,
	STMT_REQUESTS,
	STMT_REQUESTS_OF_USER,
	STMT_REQUESTS_SINCE,
	STMT_REQUESTS_UNTIL,
	STMT_SESSION_PLACE,
	STMT_EVENTS,
	STMT_EVENTS_OF_OBJECT,
	STMT_EVENTS_SINCE,
	STMT_EVENTS_UNTIL,
	STMT_CHANGES,
	STMT_CHANGES_OF_CLUSTER,
	STMT_CHANGES_SINCE,
	STMT_CHANGES_UNTIL,
	STMT_DECISIONS,
	STMT_DECISIONS_OF_OBJECT,
	STMT_DECISIONS_OF_SOURCE,
	STMT_DECISIONS_SINCE,
	STMT_DECISIONS_UNTIL,
	STMT_COUNT_HOURS,
	STMT_LIVE_RUNS,
	STMT_BEGIN_RUN,
	STMT_END_RUN,
	STMT_COUNTED,
	STMT_MOVE_COUNTED,
	STMT_ADD_HOUR,
	STMT_ADD_HOUR_WAIT,
	STMT_STARTED_END,
	STMT_STARTED,
	STMT_ENDED_END,
	STMT_ENDED,
	STMT_DECIDED_END,
	STMT_DECIDED,
	STMT_RAN_END,
	STMT_RAN,
	STMT_BILLABLE,
	STMT_INTERVALS_BACK,
	STMT_ADD_SHARE,
	STMT_USAGE_CLOSED,
	STMT_USAGE_SHARES,
	STMT_USAGE_PENDING,
	STMT_HOURS,
	STMT_HOUR_WAITS,
	STMT_SAVE_DEED,
	STMT_DEEDS,
	STMT_PRUNE_DEEDS,
	STMT_OLD_SESSIONS,
	STMT_OLD_REQUESTS,
	STMT_DELETE_SESSION,
	STMT_DELETE_REQUEST,
	STMT_DELETE_REQUEST_OF,
	STMT_PRUNE_RUNS,
	STMT_PRUNE_EVENTS,
	STMT_PRUNE_HOURS,
	STMT_PRUNE_HOUR_WAITS,
	STMT_PRUNE_CHANGES,
	STMT_PRUNE_DECISIONS,
	STMT_PRUNE_KEPT,
	STMT_PRUNE_SHARES,
	STMT_PRUNE_LEDGER,
	STMT_ALL_SESSIONS,
	STMT_ALL_REQUESTS,
	STMT_ALL_EVENTS,
	STMT_ALL_CHANGES,
	STMT_ALL_DECISIONS,
	STMT_ALL_LEDGERS,
	STMTS
};
enum { DB_PARAMS_MAX = 32 };

struct db_statement {
	sqlite3_stmt *stmt;
	int rc;				/* first failed bind, SQLITE_OK */
	uint8_t index[DB_PARAMS_MAX + 1];	/* of $1 ...; 0 = not in it */
};

/* How far a pass of db_prune has come. */
struct db_prune_at {
	unsigned table;
	int64_t after_ms, after_id;
};

struct db {
	sqlite3 *handle;
	char *path;
	int lock_fd;
	uint64_t term;
	uint64_t next[DB_COUNTERS];
	bool in_batch;
	uint32_t saved;			/* changes in this batch */
	bool batch_failed;		/* a row was refused: commit will be */
	bool dead;			/* the file can no longer be trusted */
	struct error why;		/* of dead or batch_failed */
	int wal_pages;			/* in the WAL after the last commit */
	int checkpoint_pages;		/* checkpoint when there are as many */
	struct db_prune_at prune;
	int64_t wall_ms;		/* of the turn being saved */
	struct map runs;		/* machine -> since when its domain runs */
	bool runs_known;		/* else read again */
	uint32_t reports;		/* of usage under way: no session is billed */
	struct db_statement stmts[STMTS];
};

extern const char *const db_counter_names[DB_COUNTERS];

/* Borrowed; NULL with err set when it cannot be prepared. */
struct db_statement *db_stmt(struct db *db, enum db_stmt_id id,
			     struct error *err);
/* Binds $n.  Failures are remembered and reported by db_step or db_run.
 * Texts are borrowed until then. */
void db_bind_int(struct db_statement *st, int n, int64_t value);
void db_bind_text(struct db_statement *st, int n, const char *text);
/* Binds the fields of a row to $1 ..., as far as the statement has them. */
int db_bind_row(struct db *db, struct db_statement *st,
		const struct db_table *table, const void *row,
		struct error *err);
/* One step: 1 = a row, 0 = done, -1 = error; reset unless a row is there. */
int db_step(struct db *db, struct db_statement *st, struct error *err);
/* Steps a statement that gives no rows to its end. */
int db_run(struct db *db, struct db_statement *st, struct error *err);
/* The same for a SELECT of all columns of a table: fills in row when it
 * returns 1; -1 also when the file holds what this program never writes. */
int db_next(struct db *db, struct db_statement *st,
	    const struct db_table *table, void *row, struct error *err);
void db_stmts_close(struct db *db);
/* Columns of the row it stands on; NULL is 0 and "". */
static inline int64_t db_int(struct db_statement *st, int i)
{
	return sqlite3_column_int64(st->stmt, i);
}
static inline const char *db_text(struct db_statement *st, int i)
{
	const char *text = (const char *)sqlite3_column_text(st->stmt, i);

	return text ? text : "";
}

/* ---- db_open.c ------------------------------------------------------------- */
/* flock on FILE-lock into lock_fd, held until that is closed. */
int db_take_lock(struct db *db, struct error *err);

/* ---- db_save.c: the open batch ------------------------------------------- */
/* A statement that changes something; only between begin and commit. */
struct db_statement *db_batch_stmt(struct db *db, enum db_stmt_id id,
				   struct error *err);
/* Runs it; the batch has something to commit then. */
int db_batch_run(struct db *db, struct db_statement *st, struct error *err);

/* Saves a row; unmet: why when its statement's condition was not met, or NULL
 * when that is no error. */
int db_batch_save(struct db *db, enum db_stmt_id id,
		  const struct db_table *table, const void *row,
		  const char *unmet, struct error *err);

/* ---- db_hours.c ---------------------------------------------------------- */
/* Up to when all of a kind is counted: a name of table counted. */
int db_counted(struct db *db, const char *name, int64_t *upto,
	       struct error *err);

/* ---- db_ledger.c --------------------------------------------------------- */
/* A session that ended (STMT_BILLABLE): its parts of its machine's intervals. */
int db_bill_session(struct db *db, struct db_statement *st, int64_t upto,
		    struct error *err);

/* ---- db_runs.c ------------------------------------------------------------ */
/* A machine is saved: its domain runs since then (0 = it has none). */
int db_note_run(struct db *db, uint64_t machine, const char *pool,
		int64_t since_wall_ms, struct error *err);

/* SQLite's last error as a sentence with what to do next; returns -1.  Errors
 * of the file, not of a row, make the connection dead. */
int db_fail(struct db *db, int rc, struct error *err);
/* 0, or -1 with the reason when the connection is dead. */
int db_alive(const struct db *db, struct error *err);
/* Runs constant SQL without results, for pragmas. */
int db_exec(struct db *db, const char *sql, struct error *err);
/* First column of the first row of constant SQL, as a number or as text. */
int db_get_int(struct db *db, const char *sql, int64_t *value,
	       struct error *err);
int db_get_text(struct db *db, const char *sql, char *out, size_t out_size,
		struct error *err);

/* ---- db_migrate.c, migrations.c ------------------------------------------- */
struct db_migration {
	int version;
	const char *name;
	const char *sql;
};
extern const struct db_migration db_migrations[];
extern const int db_migration_count;

enum { DB_APPLICATION_ID = 0x524d4441 };	/* "RMDA" */

/* The schema's version, 0 for an empty file; refuses files of other programs
 * and of newer versions.  Changes nothing. */
int db_identify(struct db *db, int newest, int *version, struct error *err);
/* Brings the file from version to the newest in the list, each step in a
 * transaction of its own. */
int db_migrate(struct db *db, const struct db_migration *list, int count,
	       int version, struct error *err);
/* The tables and constraints are letter by letter those of the migrations. */
int db_check_schema(struct db *db, const struct db_migration *list, int count,
		    struct error *err);

#endif
