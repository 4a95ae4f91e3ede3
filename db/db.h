/*
 * The memory: one SQLite file, one writer, this process (decisions.md 7a;
 * reliability.md findings 6, 12).  WAL, synchronous=FULL, exclusive locking.
 *
 * Writes are collected between db_begin and db_commit: one commit per turn of
 * the engine for all requests that wait.  A failed commit is final: the caller
 * must exit without having told anybody anything (S3); nothing is retried.
 *
 * All functions return 0 or -1 with err set unless said otherwise.
 */
#ifndef REMUDA_DB_H
#define REMUDA_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/core/rows.h"

struct db;
struct error;

/* Counters of ids (decisions.md 8): never reused, high-water mark saved in
 * blocks so that a crash skips numbers and never repeats one. */
enum db_counter {
	DB_COUNTER_MACHINE,
	DB_COUNTER_SESSION,
	DB_COUNTER_REQUEST,
	DB_COUNTER_EVENT,
	DB_COUNTER_CHANGE,
	DB_COUNTER_DECISION,
	DB_COUNTER_LEDGER,
	DB_COUNTERS
};
enum { DB_COUNTER_BLOCK = 1000, DB_STORE_SIZE = 33 };

/*
 * Opens or creates the file (mode 0600), applies migrations, takes the
 * exclusive lock and raises the term by one, durably.  Fails with a clear text
 * when another engine holds it, when it was written by a newer version, when
 * it is damaged.
 */
int db_open(const char *path, struct db **out, struct error *err);
void db_close(struct db *db);
/* The engine's term: 1 for the first open, +1 for each. */
uint64_t db_term(const struct db *db);
/* First free id of a counter at open. */
uint64_t db_counter(const struct db *db, enum db_counter counter);

/* The start of the computer (boot id) that the rows speak of, "" = unknown. */
int db_boot(struct db *db, char out[64], struct error *err);
/* In the batch that brings the rows up to this start. */
int db_save_boot(struct db *db, const char *boot, struct error *err);

/* The store's own name, as domains carry it in their marks; "" = none. */
int db_store(struct db *db, char out[DB_STORE_SIZE], struct error *err);
int db_save_store(struct db *db, const char *store, struct error *err);

/* A turn's batch.  begin runs the guard (our term is still the newest). */
int db_begin(struct db *db, struct error *err);
int db_commit(struct db *db, struct error *err);
/* Insert or update by id.  Only between begin and commit. */
int db_save_machine(struct db *db, const struct machine_row *row,
		    struct error *err);
int db_delete_machine(struct db *db, uint64_t id, struct error *err);
int db_save_session(struct db *db, const struct session_row *row,
		    struct error *err);
int db_save_request(struct db *db, const struct request_row *row,
		    struct error *err);
int db_save_event(struct db *db, const struct event_row *row,
		  struct error *err);
int db_save_override(struct db *db, const struct override_row *row,
		     struct error *err);
int db_delete_override(struct db *db, const char *key, struct error *err);
/* Its machine's row must be there; the row of a machine goes after these. */
int db_save_volume(struct db *db, const struct volume_row *row,
		   struct error *err);
int db_delete_volume(struct db *db, const char *name, struct error *err);
int db_save_token(struct db *db, const struct token_row *row,
		  struct error *err);
int db_delete_token(struct db *db, const char *hash, struct error *err);
/* Its session's row must be there. */
int db_save_join(struct db *db, const struct join_row *row, struct error *err);
int db_delete_join(struct db *db, uint64_t id, struct error *err);
int db_save_cluster(struct db *db, const struct cluster_row *row,
		    struct error *err);
/* A change that is over stays as it ended. */
int db_save_change(struct db *db, const struct change_row *row,
		   struct error *err);
int db_save_decision(struct db *db, const struct decision_row *row,
		     struct error *err);
/*
 * S10.  What an interval is of is written once, and a closed one is never
 * changed.  A machine's intervals never overlap, whatever is done to the clock:
 * one that would begin before the last is over begins where that ends, and is
 * marked estimated; none ends before its start and its length.
 */
int db_save_ledger(struct db *db, const struct ledger_row *row,
		   struct error *err);
/* Raises a counter's saved high-water mark to at least next. */
int db_save_counter(struct db *db, enum db_counter counter, uint64_t next,
		    struct error *err);
/* Site texts by hash (decisions.md 6); source as in engine/loop/source.h.  A
 * hash that is there already is left as it is. */
int db_save_bundle(struct db *db, const char *hash, const char *json,
		   const char *source, int64_t wall_ms, struct error *err);
/* That this bundle is in force from now on; nothing when it was so before. */
int db_save_site_version(struct db *db, const char *hash, const char *who,
			 int64_t wall_ms, struct error *err);

struct db_bundle {
	char hash[65];
	int64_t wall_ms;	/* when it was first stored */
	char *json, *source;	/* owned */
};
/*
 * The bundle whose hash begins with this ("" = the one in force).  1 = found,
 * 0 = there is none, 2 = several begin so (out is empty then), -1 = error.
 */
int db_load_bundle(struct db *db, const char *hash, struct db_bundle *out,
		   struct error *err);
void db_bundle_free(struct db_bundle *b);

/* A statement made at run time: text is a piece of the site language. */
struct db_object {
	const char *kind, *name, *text, *who;
	int64_t wall_ms;
};
int db_save_object(struct db *db, const struct db_object *o, struct error *err);
int db_delete_object(struct db *db, const char *kind, const char *name,
		     struct error *err);
/* In order of kind and name; the texts live for the callback. */
int db_load_objects(struct db *db, void (*on_row)(void *, const struct db_object *),
		    void *arg, struct error *err);

struct db_site_version {
	uint64_t id;
	char hash[65], who[ROW_USER_SIZE];
	int64_t wall_ms;	/* from when on it was in force */
	uint64_t bytes;		/* of its texts */
};
/* Newest first. */
int db_query_site_versions(struct db *db, uint32_t limit,
			   void (*on_row)(void *, const struct db_site_version *),
			   void *arg, struct error *err);

/* Loading at start: the callback gets each row in order of id; it copies. */
int db_load_machines(struct db *db, void (*on_row)(void *, const struct machine_row *),
		     void *arg, struct error *err);
/* Sessions that are not final, and final ones whose machine is not clean yet. */
int db_load_live_sessions(struct db *db, void (*on_row)(void *, const struct session_row *),
			  void *arg, struct error *err);
int db_load_overrides(struct db *db, void (*on_row)(void *, const struct override_row *),
		      void *arg, struct error *err);
/* In the order they were intended. */
int db_load_volumes(struct db *db, void (*on_row)(void *, const struct volume_row *),
		    void *arg, struct error *err);
int db_load_tokens(struct db *db, void (*on_row)(void *, const struct token_row *),
		   void *arg, struct error *err);
int db_load_joins(struct db *db, void (*on_row)(void *, const struct join_row *),
		  void *arg, struct error *err);
int db_load_clusters(struct db *db, void (*on_row)(void *, const struct cluster_row *),
		     void *arg, struct error *err);
/* Changes that are not over. */
int db_load_changes(struct db *db, void (*on_row)(void *, const struct change_row *),
		    void *arg, struct error *err);
/* The last of each object and source, in that order. */
int db_load_decisions(struct db *db, void (*on_row)(void *, const struct decision_row *),
		      void *arg, struct error *err);
/* Intervals that are open. */
int db_load_ledgers(struct db *db, void (*on_row)(void *, const struct ledger_row *),
		    void *arg, struct error *err);
/* Session of an earlier request with this key by this user, or id 0 (S7).  Of
 * one whose row is gone: id, machine_name, assigned_wall_ms, state closed. */
int db_find_request(struct db *db, const char *user, const char *key,
		    struct session_row *out, struct error *err);

/*
 * History, newest first, in pages: a page looks at no more than scan rows, so
 * that no search holds a turn up, however rare what it looks for.  next says
 * where the following page begins.  Times are those of a session's assignment,
 * a request's decision, an event; they may be off by what clocks were set back,
 * up to 26 hours, and the search still finds all.
 */
struct db_query {
	uint64_t before_id;		/* 0 = from the newest */
	uint32_t limit;			/* rows given at most, 0 = 100 */
	uint32_t scan;			/* rows looked at at most, 0 = all */
	char user[ROW_USER_SIZE];	/* "" = any, likewise below */
	char machine[ROW_NAME_SIZE];
	char application[ROW_NAME_SIZE];
	char listener[ROW_NAME_SIZE];	/* of sessions and requests */
	char pool[ROW_NAME_SIZE];
	char state[16];			/* or an event's severity */
	char code[32];			/* of requests; an event's kind */
	char text[ROW_NAME_SIZE];	/* in the reason, whatever the case */
	char object[ROW_NAME_SIZE + 16];	/* of events: "machine/mail-07", and of
					 * decisions: "cluster/payroll" */
	char source[ROW_NAME_SIZE + 16];	/* of decisions: "rule/load" */
	char cluster[ROW_NAME_SIZE];	/* of changes */
	int64_t since_wall_ms;		/* 0 = all */
	int64_t until_wall_ms;		/* 0 = all; rows at it are left out */
	uint64_t next;			/* out: before_id of the next page, or 0 */
};
int db_query_sessions(struct db *db, struct db_query *q,
		      void (*on_row)(void *, const struct session_row *),
		      void *arg, struct error *err);
int db_query_requests(struct db *db, struct db_query *q,
		      void (*on_row)(void *, const struct request_row *),
		      void *arg, struct error *err);
int db_query_events(struct db *db, struct db_query *q,
		    void (*on_row)(void *, const struct event_row *),
		    void *arg, struct error *err);
/* By their start; user = who, state. */
int db_query_changes(struct db *db, struct db_query *q,
		     void (*on_row)(void *, const struct change_row *),
		     void *arg, struct error *err);
/* state = the outcome. */
int db_query_decisions(struct db *db, struct db_query *q,
		       void (*on_row)(void *, const struct decision_row *),
		       void *arg, struct error *err);
/*
 * Counts per hour (UTC).  db_count_hours counts what is new, a few hundred rows
 * at most, in the open batch: 1 = more waits, 0 = all is counted, -1 = error.
 * Likewise it enters sessions that are over in the ledger, but not while a
 * report is made (db_usage.h).
 */
int db_count_hours(struct db *db, int64_t now_wall_ms, struct error *err);
struct db_hour {
	int64_t start_wall_ms;
	uint64_t sessions;		/* that began */
	uint64_t closed, lost, failed;	/* that ended so */
	uint64_t refused, cancelled;	/* requests; they have no pool */
	uint64_t waited;		/* sessions whose users had to wait */
	int64_t wait_ms;		/* of all sessions that began, together */
	/* So long at most did 50 and 95 of 100 wait; -1 = no session. */
	int64_t wait_p50_ms, wait_p95_ms;
	uint64_t bytes_in, bytes_out;	/* of sessions that ended */
	int64_t session_ms;		/* of sessions that have ended by now */
	int64_t machine_ms;		/* machines' domains ran, together */
};
struct db_hours_query {
	int64_t since_wall_ms;		/* 0 = all */
	int64_t before_wall_ms;		/* 0 = all; hours that begin before */
	uint32_t limit;			/* 0 = 100 */
	char pool[ROW_NAME_SIZE], application[ROW_NAME_SIZE];	/* "" = all */
	int64_t next;			/* out: before of the next page, or 0 */
};
/* Newest first; hours in which nothing was counted are left out. */
int db_query_hours(struct db *db, struct db_hours_query *q,
		   void (*on_row)(void *, const struct db_hour *), void *arg,
		   struct error *err);
/* A command of an operator, and what came of it. */
struct db_deed {
	uint64_t id;			/* given when it is saved; 0 before */
	int64_t wall_ms;		/* when it was given */
	char who[ROW_USER_SIZE];
	uint32_t uid, pid;
	char program[32], verb[32];
	char arguments[400];		/* JSON, cut */
	bool dry_run;
	char code[32];			/* "" = done */
	char text[ROW_TEXT_SIZE];
};
int db_save_deed(struct db *db, const struct db_deed *row, struct error *err);
/* Newest first; user = who, code = verb, state "ok" or "failed". */
int db_query_deeds(struct db *db, struct db_query *q,
		   void (*on_row)(void *, const struct db_deed *), void *arg,
		   struct error *err);
/* What is older than these wall times is deleted. */
struct db_keep {
	int64_t sessions_before;	/* by end; requests by decision */
	int64_t events_before;
	int64_t hours_before;
	int64_t audit_before;
	int64_t changes_before;		/* by end, and decisions but the last ones */
	int64_t kept_before;		/* decisions that changed nothing */
	int64_t ledger_before;		/* closed intervals by end; 0 = none */
	int64_t keys_before;		/* rows with a request id: this too; the
					 * ids themselves by when they were taken */
};
/* A step of a pass, in the open batch: 1 = call again, 0 = the pass is done,
 * -1 = error. */
int db_prune(struct db *db, const struct db_keep *keep, struct error *err);
/* The wall time of the changes that will be saved. */
void db_clock(struct db *db, int64_t wall_ms);
/* Sessions started per hour (UTC), the last being now's; counts[0] oldest. */
int db_count_sessions(struct db *db, const char *pool, int64_t now_wall_ms,
		      uint32_t hours, uint64_t *counts, struct error *err);
/* integrity_check, foreign_key_check and the audit queries (S2, S21): 0 when
 * all are sound, else -1 naming the first that is not. */
int db_audit(struct db *db, struct error *err);

#endif
