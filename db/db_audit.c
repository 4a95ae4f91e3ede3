/*
 * The audit: is the file sound, and do its rows say things that can be true
 * together (reliability.md S1, S2, S4, S10, S21)?  Constraints make most violations
 * impossible to write; the audit reads the file as it is, whoever wrote it.
 *
 * It reads everything: for tests, backups and after trouble, not for a turn.
 */
#include <stdio.h>
#include <string.h>

#include "db/db_internal.h"

/* States in which a machine's row may be behind its sessions' (apply.c). */
#define ROUTINE "('ready', 'reserved', 'in_session', 'cleaning')"

/* Each gives a text about the first violation, or no row. */
static const struct {
	const char *invariant, *sql;
} audits[] = {
	{ "S1, one user per incarnation",
	  "SELECT 'machine ' || machine || ' incarnation ' || incarnation "
	  "FROM session GROUP BY machine, incarnation HAVING count(*) > 1" },
	{ "S2, one live session per machine",
	  "SELECT 'machine ' || machine FROM session WHERE ended_wall_ms = 0 "
	  "GROUP BY machine HAVING count(*) > 1" },
	{ "S2, a live session has its machine",
	  "SELECT 'session ' || s.id FROM session s WHERE s.ended_wall_ms = 0 "
	  "AND NOT EXISTS (SELECT 1 FROM machine m WHERE m.id = s.machine "
	  "AND m.incarnation <= s.incarnation AND m.state IN " ROUTINE ")" },
	{ "S2, a machine's session is on that machine",
	  "SELECT 'machine ' || m.name FROM machine m JOIN session s "
	  "ON s.id = m.session WHERE s.machine <> m.id" },
	{ "S2, a machine in session has a live session",
	  "SELECT 'machine ' || m.name FROM machine m "
	  "WHERE m.state IN ('reserved', 'in_session') AND NOT EXISTS "
	  "(SELECT 1 FROM session s WHERE s.id = m.session "
	  "AND (s.ended_wall_ms = 0 OR s.cleaned_wall_ms <> 0))" },
	{ "S4, a ready machine is clean and free",
	  "SELECT 'machine ' || name FROM machine WHERE state = 'ready' "
	  "AND (dirty <> 0 OR session IS NOT NULL)" },
	{ "S4, a saved machine is clean and has its image",
	  "SELECT 'machine ' || name FROM machine WHERE state = 'saved' "
	  "AND (dirty <> 0 OR session IS NOT NULL OR image <> 'made')" },
	{ "S6, no session is ahead of a machine that left the round",
	  "SELECT 'session ' || s.id FROM session s JOIN machine m "
	  "ON m.id = s.machine WHERE s.incarnation > m.incarnation "
	  "AND m.state NOT IN " ROUTINE },
	{ "S4, a machine is given on when it is clean",
	  "SELECT 'session ' || s.id FROM session s JOIN machine m "
	  "ON m.id = s.machine WHERE s.incarnation >= m.incarnation "
	  "AND s.cleaned_wall_ms = 0 AND EXISTS (SELECT 1 FROM session t "
	  "WHERE t.machine = m.id AND t.incarnation > s.incarnation)" },
	{ "S7, one session per request id",
	  "SELECT 'sessions of user ' || user_name FROM session "
	  "WHERE request_key <> '' AND state <> 'failed' "
	  "GROUP BY user_name, request_key HAVING count(*) > 1" },
	{ "S11, a machine without a domain has no volumes",
	  "SELECT 'volume ' || v.name FROM volume v JOIN machine m "
	  "ON m.id = v.machine WHERE m.state = 'defined'" },
	{ "S7, a request id knows its session",
	  "SELECT 'session ' || s.id FROM session s WHERE s.request_key <> '' "
	  "AND s.state <> 'failed' AND NOT EXISTS (SELECT 1 FROM request_key k "
	  "WHERE k.user_name = s.user_name AND k.request_key = s.request_key "
	  "AND k.session = s.id)" },
	{ "S28, a session that is joined was accepted",
	  "SELECT 'connection ' || j.id || ' of session ' || s.id "
	  "FROM joined j JOIN session s ON s.id = j.session "
	  "WHERE s.state IN ('assigned', 'failed')" },
	{ "one machine per slot",
	  "SELECT 'pool ' || pool || ' slot ' || slot FROM machine "
	  "WHERE state <> 'gone' GROUP BY pool, slot HAVING count(*) > 1" },
	{ "one machine per UUID",
	  "SELECT 'UUID ' || uuid FROM machine WHERE state <> 'gone' "
	  "AND uuid <> '' GROUP BY uuid HAVING count(*) > 1" },
	{ "no id above its counter",
	  "SELECT c.name || ' counter' FROM counter c WHERE c.next <= "
	  "CASE c.name WHEN 'machine' THEN "
	  "(SELECT coalesce(max(id), 0) FROM machine) "
	  "WHEN 'session' THEN (SELECT coalesce(max(id), 0) FROM "
	  "(SELECT id FROM session UNION ALL SELECT id FROM joined) AS both) "
	  "WHEN 'request' THEN (SELECT coalesce(max(id), 0) FROM request) "
	  "WHEN 'change' THEN (SELECT coalesce(max(id), 0) FROM change) "
	  "WHEN 'decision' THEN (SELECT coalesce(max(id), 0) FROM decision) "
	  "WHEN 'ledger' THEN (SELECT coalesce(max(id), 0) FROM ledger) "
	  "ELSE (SELECT coalesce(max(id), 0) FROM event) END" },
	{ "S10, an interval ends after it began, by its length at least",
	  "SELECT 'interval ' || id FROM ledger WHERE length_ms < 0 "
	  "OR (end_wall_ms <> 0 AND end_wall_ms < start_wall_ms + length_ms)" },
	{ "S10, a machine's intervals do not overlap",
	  "SELECT 'interval ' || id || ' of machine ' || machine FROM ("
	  "SELECT id, machine, start_wall_ms, lag(CASE WHEN end_wall_ms = 0 "
	  "THEN 9223372036854775807 ELSE start_wall_ms + length_ms END) "
	  "OVER (PARTITION BY machine ORDER BY start_wall_ms, id) AS over "
	  "FROM ledger) AS each WHERE over > start_wall_ms" },
	{ "S10, an open interval has its machine",
	  "SELECT 'interval ' || l.id || ' of machine ' || l.machine_name "
	  "FROM ledger l WHERE l.end_wall_ms = 0 AND NOT EXISTS "
	  "(SELECT 1 FROM machine m WHERE m.id = l.machine "
	  "AND m.state <> 'gone')" },
	{ "S10, a machine's interval is its own",
	  "SELECT 'machine ' || m.name FROM machine m WHERE m.ledger <> 0 "
	  "AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.id = m.ledger "
	  "AND l.machine = m.id)" },
	{ "S10, a session's part lies in its machine's interval",
	  "SELECT 'session ' || s.session FROM ledger_session s "
	  "JOIN ledger l ON l.id = s.ledger "
	  "WHERE s.start_wall_ms < l.start_wall_ms" },
	{ "one change of a cluster at a time",
	  "SELECT 'cluster ' || cluster FROM change WHERE ended_wall_ms = 0 "
	  "GROUP BY cluster HAVING count(*) > 1" },
	{ "seven counters and one engine",
	  "SELECT 'the rows of counter and engine' WHERE "
	  "(SELECT count(*) FROM counter) <> 7 OR "
	  "(SELECT count(*) FROM engine) <> 1" },
};

/* First row's first column; 1 = there is a row, 0 = none, -1 = error. */
static int first_text(struct db *db, const char *sql, char *out,
		      size_t out_size, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		snprintf(out, out_size, "%s", text ? text : "(no text)");
	} else if (rc != SQLITE_DONE) {
		db_fail(db, rc, err);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* Reads every row as the engine would: each value is one it writes. */
static int read_rows(struct db *db, struct error *err)
{
	static const struct {
		enum db_stmt_id id;
		const struct db_table *table;
	} all[] = {
		{ STMT_LOAD_MACHINES, &db_machine_table },
		{ STMT_ALL_SESSIONS, &db_session_table },
		{ STMT_ALL_REQUESTS, &db_request_table },
		{ STMT_ALL_EVENTS, &db_event_table },
		{ STMT_LOAD_OVERRIDES, &db_override_table },
		{ STMT_LOAD_TOKENS, &db_token_table },
		{ STMT_LOAD_JOINS, &db_join_table },
		{ STMT_LOAD_VOLUMES, &db_volume_table },
		{ STMT_LOAD_CLUSTERS, &db_cluster_table },
		{ STMT_ALL_CHANGES, &db_change_table },
		{ STMT_ALL_DECISIONS, &db_decision_table },
		{ STMT_ALL_LEDGERS, &db_ledger_table },
	};
	union {
		struct machine_row machine;
		struct session_row session;
		struct request_row request;
		struct event_row event;
		struct override_row override;
		struct token_row token;
		struct join_row join;
		struct volume_row volume;
		struct cluster_row cluster;
		struct change_row change;
		struct decision_row decision;
		struct ledger_row ledger;
	} row;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct db_statement *st = db_stmt(db, all[i].id, err);
		int rc = st ? 1 : -1;

		while (rc == 1)
			rc = db_next(db, st, all[i].table, &row, err);
		if (rc)
			return -1;
	}
	return 0;
}

int db_audit(struct db *db, struct error *err)
{
	char text[300];

	if (db_alive(db, err))
		return -1;
	int rc = first_text(db, "PRAGMA integrity_check(1)", text,
			    sizeof(text), err);
	if (rc < 0)
		return -1;
	if (strcmp(text, "ok") != 0)
		return error_set(err, "%s is damaged (%s): restore a backup",
				 db->path, text);
	rc = first_text(db, "PRAGMA foreign_key_check", text, sizeof(text), err);
	if (rc)
		return rc < 0 ? -1 : error_set(err, "%s: a row of table %s "
					       "points to a row that is not "
					       "there", db->path, text);
	if (db_check_schema(db, db_migrations, db_migration_count, err) ||
	    read_rows(db, err))
		return -1;
	for (size_t i = 0; i < sizeof(audits) / sizeof(audits[0]); i++) {
		rc = first_text(db, audits[i].sql, text, sizeof(text), err);
		if (rc)
			return rc < 0 ? -1 : error_set(err, "%s: %s does not "
						       "hold: %s", db->path,
						       audits[i].invariant,
						       text);
	}
	return 0;
}
