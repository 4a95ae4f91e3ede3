/*
 * Every statement the program runs on rows, as constant text.  SQL that a
 * second store can run: $1 placeholders, ON CONFLICT, RETURNING, no functions
 * of one store.  Included by db_stmt.c alone.
 *
 * SESSION_LIST stands for session's columns in the order of its fields, and so
 * on (db_fields.h).
 */
#ifndef REMUDA_DB_SQL_H
#define REMUDA_DB_SQL_H

#include "db/db_fields.h"
#include "db/db_internal.h"

#define COMMA_COLUMN(n, column, field, kind) ", " #column
#define COMMA_VALUE(n, column, field, kind) ", $" #n
#define SET_FIRST(n, column, field, kind) #column " = excluded." #column
#define SET_NEXT(n, column, field, kind) ", " #column " = excluded." #column

#define LIST(key, ROW) key ROW##_FIXED(COMMA_COLUMN)                           \
	ROW##_CHANGING(COMMA_COLUMN, COMMA_COLUMN)
/* more, value: a column that is written once and is no field of the row. */
#define SAVE_AND(table, key, ROW, more, value)                                 \
	"INSERT INTO " table " (" LIST(key, ROW) more ") VALUES ($1"           \
	ROW##_FIXED(COMMA_VALUE) ROW##_CHANGING(COMMA_VALUE, COMMA_VALUE)      \
	value ") ON CONFLICT (" key ") DO UPDATE SET "                         \
	ROW##_CHANGING(SET_FIRST, SET_NEXT)
#define SAVE(table, key, ROW) SAVE_AND(table, key, ROW, "", "")

#define BOUND_FIRST(n, column, field, kind) #column " = $" #n
#define BOUND_NEXT(n, column, field, kind) ", " #column " = $" #n
#define UPDATE(table, ROW)                                                     \
	"UPDATE " table " SET " ROW##_CHANGING(BOUND_FIRST, BOUND_NEXT)        \
	" WHERE id = $1 "

#define PLUS(table, column) column " = " table "." column " + excluded." column

#define MACHINE_LIST LIST("id", MACHINE)
#define SESSION_LIST LIST("id", SESSION)
#define REQUEST_LIST LIST("id", REQUEST)
#define EVENT_LIST LIST("id", EVENT)
#define DEED_LIST LIST("id", DEED)
#define OVERRIDE_LIST LIST("key", OVERRIDE)
#define TOKEN_LIST LIST("hash", TOKEN)
#define JOIN_LIST LIST("id", JOIN)
#define VOLUME_LIST LIST("name", VOLUME)
#define CLUSTER_LIST LIST("name", CLUSTER)
#define CHANGE_LIST LIST("id", CHANGE)
#define DECISION_LIST LIST("id", DECISION)
#define LEDGER_LIST LIST("id", LEDGER)

/*
 * History pages: $1 before this id, $2 not before this id, $3 rows at most, $4
 * what the index is by.  Every other filter is db_query.c's: it sees each row
 * that was looked at, and so knows how many were.
 */
#define PAGE_OF(list, table, index)                                            \
	"SELECT " list " FROM " table " WHERE id < $1 AND id >= $2 " index     \
	"ORDER BY id DESC LIMIT $3"
/* An id from which on all are later than $1, and one up to which all are
 * earlier; db_query.c makes up for clocks. */
#define BEFORE_TIME(table, time)                                               \
	"SELECT id FROM " table " WHERE " time " < $1 "                        \
	"ORDER BY " time " DESC LIMIT 1"
#define AFTER_TIME(table, time)                                                \
	"SELECT id FROM " table " WHERE " time " > $1 "                        \
	"ORDER BY " time " LIMIT 1"
/* Of decision d: its object and source have a later one. */
#define OLDER_THAN_LAST                                                        \
	"EXISTS (SELECT 1 FROM decision n WHERE n.object = d.object "          \
	"AND n.source = d.source AND n.id > d.id) "

static const char *const sql_texts[STMTS] = {
	[STMT_BEGIN] = "BEGIN",
	[STMT_COMMIT] = "COMMIT",
	[STMT_ROLLBACK] = "ROLLBACK",
	[STMT_GUARD] = "UPDATE engine SET turn = turn + 1 "
		       "WHERE id = 1 AND term = $1",
	[STMT_CLOSED] = "SELECT closed FROM engine WHERE id = 1",
	[STMT_TAKE_TERM] = "UPDATE engine SET term = term + 1, pid = $1, "
			   "closed = 0 WHERE id = 1 RETURNING term",
	[STMT_SAY_CLOSED] = "UPDATE engine SET closed = 1 "
			    "WHERE id = 1 AND term = $1",
	[STMT_BOOT] = "SELECT boot FROM engine WHERE id = 1",
	[STMT_SAVE_BOOT] = "UPDATE engine SET boot = $1 WHERE id = 1",
	[STMT_STORE] = "SELECT store FROM engine WHERE id = 1",
	[STMT_SAVE_STORE] = "UPDATE engine SET store = $1 WHERE id = 1",
	/* Rows never stand above their counter; were one to, its id must not
	 * be given out again all the same. */
	[STMT_COUNTERS] =
		"SELECT name, next FROM counter "
		"UNION ALL SELECT 'machine', coalesce(max(id), 0) + 1 FROM machine "
		"UNION ALL SELECT 'session', coalesce(max(id), 0) + 1 FROM session "
		"UNION ALL SELECT 'request', coalesce(max(id), 0) + 1 FROM request "
		"UNION ALL SELECT 'event', coalesce(max(id), 0) + 1 FROM event "
		"UNION ALL SELECT 'change', coalesce(max(id), 0) + 1 FROM change "
		"UNION ALL SELECT 'decision', coalesce(max(id), 0) + 1 "
		"FROM decision "
		"UNION ALL SELECT 'ledger', coalesce(max(id), 0) + 1 FROM ledger",

	/* What a machine is never changes; incarnations never go back (S6). */
	[STMT_SAVE_MACHINE] =
		SAVE("machine", "id", MACHINE)
		" WHERE machine.name = excluded.name "
		"AND machine.pool = excluded.pool "
		"AND machine.slot = excluded.slot "
		"AND machine.incarnation <= excluded.incarnation",
	[STMT_UPDATE_MACHINE] =
		UPDATE("machine", MACHINE)
		"AND name = $2 AND pool = $3 AND slot = $4 "
		"AND incarnation <= $7",
	[STMT_DELETE_MACHINE] = "DELETE FROM machine WHERE id = $1",
	/* A session stays with its machine and user, and its end is final (S9). */
	[STMT_SAVE_SESSION] =
		SAVE_AND("session", "id", SESSION, ", prev",
			 ", coalesce((SELECT l.session FROM machine_last l "
			 "WHERE l.name = $5 AND l.session <> $1), 0)")
		" WHERE session.machine = excluded.machine "
		"AND session.incarnation = excluded.incarnation "
		"AND session.nonce = excluded.nonce "
		"AND session.user_name = excluded.user_name "
		"AND (session.ended_wall_ms = 0 OR "
		"session.state = excluded.state)",
	/* An incarnation is given to one user, once (S1): a machine's next
	 * session has a higher one, a name's next machine a higher id. */
	[STMT_SAVE_LAST] =
		"INSERT INTO machine_last (name, machine, incarnation, session) "
		"VALUES ($5, $2, $3, $1) ON CONFLICT (name) DO UPDATE "
		"SET machine = excluded.machine, "
		"incarnation = excluded.incarnation, "
		"session = excluded.session "
		"WHERE machine_last.session = excluded.session "
		"OR machine_last.machine < excluded.machine "
		"OR (machine_last.machine = excluded.machine "
		"AND machine_last.incarnation < excluded.incarnation)",
	[STMT_UPDATE_SESSION] =
		UPDATE("session", SESSION)
		"AND machine = $2 AND incarnation = $3 AND nonce = $4 "
		"AND user_name = $7 AND (ended_wall_ms = 0 OR state = $14)",
	[STMT_SAVE_REQUEST] = SAVE("request", "id", REQUEST),
	[STMT_SAVE_EVENT] = SAVE("event", "id", EVENT),
	[STMT_SAVE_OVERRIDE] = SAVE("site_override", "key", OVERRIDE),
	/* Used is used (S17). */
	[STMT_SAVE_TOKEN] =
		SAVE("token", "hash", TOKEN)
		" WHERE token.used_wall_ms = 0 "
		"OR token.used_wall_ms = excluded.used_wall_ms",
	[STMT_DELETE_TOKEN] = "DELETE FROM token WHERE hash = $1",
	[STMT_LOAD_TOKENS] =
		"SELECT " TOKEN_LIST " FROM token ORDER BY created_wall_ms, hash",
	[STMT_SAVE_JOIN] = SAVE("joined", "id", JOIN),
	[STMT_DELETE_JOIN] = "DELETE FROM joined WHERE id = $1",
	[STMT_LOAD_JOINS] = "SELECT " JOIN_LIST " FROM joined ORDER BY id",
	[STMT_SAVE_CLUSTER] = SAVE("cluster", "name", CLUSTER),
	[STMT_SAVE_CHANGE] =
		SAVE("change", "id", CHANGE)
		" WHERE change.cluster = excluded.cluster "
		"AND (change.ended_wall_ms = 0 "
		"OR change.state = excluded.state)",
	[STMT_SAVE_DECISION] =
		SAVE("decision", "id", DECISION)
		" WHERE decision.object = excluded.object "
		"AND decision.source = excluded.source",
	/* S10: an interval begins where the machine's one before it ended, at
	 * the earliest, and ends with its length, at the earliest. */
	[STMT_SAVE_LEDGER] =
		"INSERT INTO ledger (" LEDGER_LIST ") SELECT $1, $2, $3, $4, $5, "
		"$6, $7, $8, $9, begun, CASE WHEN $11 = 0 THEN 0 "
		"WHEN $11 < begun + $12 THEN begun + $12 ELSE $11 END, $12, "
		"CASE WHEN begun > $10 THEN 1 ELSE $13 END FROM ("
		"SELECT CASE WHEN over > $10 THEN over ELSE $10 END AS begun "
		"FROM (SELECT coalesce((SELECT p.start_wall_ms + p.length_ms "
		"FROM ledger p WHERE p.machine = $2 AND p.id <> $1 "
		"ORDER BY p.start_wall_ms DESC, p.id DESC LIMIT 1), 0) AS over"
		") AS last) AS interval_start WHERE 1 = 1 "
		"ON CONFLICT (id) DO UPDATE SET "
		"end_wall_ms = CASE WHEN excluded.end_wall_ms = 0 THEN 0 "
		"WHEN excluded.end_wall_ms < "
		"ledger.start_wall_ms + excluded.length_ms "
		"THEN ledger.start_wall_ms + excluded.length_ms "
		"ELSE excluded.end_wall_ms END, length_ms = excluded.length_ms, "
		"estimated = CASE WHEN ledger.estimated = 1 THEN 1 "
		"ELSE excluded.estimated END "
		"WHERE (ledger.end_wall_ms = 0 "
		"OR (ledger.end_wall_ms = excluded.end_wall_ms "
		"AND ledger.length_ms = excluded.length_ms)) "
		"AND ledger.machine = excluded.machine "
		"AND ledger.host = excluded.host "
		"AND ledger.vcpus = excluded.vcpus "
		"AND ledger.memory_mib = excluded.memory_mib",
	[STMT_DELETE_OVERRIDE] = "DELETE FROM site_override WHERE key = $1",
	[STMT_SAVE_OBJECT] =
		"INSERT INTO site_object (kind, name, text, who, wall_ms) "
		"VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, name) DO "
		"UPDATE SET text = excluded.text, who = excluded.who, "
		"wall_ms = excluded.wall_ms",
	[STMT_DELETE_OBJECT] =
		"DELETE FROM site_object WHERE kind = $1 AND name = $2",
	[STMT_LOAD_OBJECTS] =
		"SELECT kind, name, text, who, wall_ms FROM site_object "
		"ORDER BY kind, name",
	/* A volume is its machine's, and one that is made stays what it is. */
	[STMT_SAVE_VOLUME] =
		SAVE("volume", "name", VOLUME)
		" WHERE volume.machine = excluded.machine "
		"AND volume.kind = excluded.kind "
		"AND (volume.inode = 0 OR volume.inode = excluded.inode)",
	[STMT_DELETE_VOLUME] = "DELETE FROM volume WHERE name = $1",
	[STMT_SAVE_COUNTER] =
		"INSERT INTO counter (name, next) VALUES ($1, $2) "
		"ON CONFLICT (name) DO UPDATE SET next = excluded.next "
		"WHERE counter.next < excluded.next",
	[STMT_SAVE_BUNDLE] =
		"INSERT INTO bundle (hash, json, source, wall_ms) "
		"VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING",
	[STMT_SAVE_SITE_VERSION] =
		"INSERT INTO site_version (id, hash, who, wall_ms) "
		"SELECT coalesce(max(id), 0) + 1, $1, $2, $3 FROM site_version "
		"HAVING coalesce((SELECT v.hash FROM site_version v "
		"ORDER BY v.id DESC LIMIT 1), '') <> $1",
	/* By the start of the hash: two rows say that it is not enough. */
	[STMT_LOAD_BUNDLES] =
		"SELECT hash, json, source, wall_ms FROM bundle "
		"WHERE hash >= $1 AND hash < $1 || 'g' ORDER BY hash LIMIT 2",
	[STMT_SITE_VERSIONS] =
		"SELECT v.id, v.hash, v.who, v.wall_ms, length(b.source) "
		"FROM site_version v JOIN bundle b ON b.hash = v.hash "
		"ORDER BY v.id DESC LIMIT $1",

	[STMT_LOAD_MACHINES] =
		"SELECT " MACHINE_LIST " FROM machine ORDER BY id",
	/* A machine names the session it is in or is being cleaned after; its
	 * row may be older than its last sessions (engine/core/apply.c). */
	[STMT_LOAD_SESSIONS] =
		"SELECT " SESSION_LIST " FROM session WHERE id IN ("
		"SELECT s.id FROM session s WHERE s.ended_wall_ms = 0 "
		"UNION SELECT m.session FROM machine m "
		"WHERE m.session IS NOT NULL "
		"UNION SELECT l.session FROM machine_last l JOIN machine o "
		"ON o.id = l.machine WHERE l.incarnation >= o.incarnation) "
		"ORDER BY id",
	[STMT_LOAD_OVERRIDES] =
		"SELECT " OVERRIDE_LIST " FROM site_override ORDER BY key",
	/* Overlays after what they lie on. */
	[STMT_LOAD_VOLUMES] =
		"SELECT " VOLUME_LIST " FROM volume ORDER BY intended_wall_ms, name",
	[STMT_LOAD_CLUSTERS] = "SELECT " CLUSTER_LIST " FROM cluster ORDER BY name",
	[STMT_LOAD_CHANGES] = "SELECT " CHANGE_LIST " FROM change "
			      "WHERE ended_wall_ms = 0 ORDER BY id",
	[STMT_LOAD_LEDGERS] = "SELECT " LEDGER_LIST " FROM ledger "
			      "WHERE end_wall_ms = 0 ORDER BY id",
	/* From one object and source to the next, each by the index. */
	[STMT_NEXT_LAST_DECISION] =
		"SELECT " DECISION_LIST " FROM decision "
		"WHERE (object, source) > ($1, $2) "
		"ORDER BY object, source, id DESC LIMIT 1",
	[STMT_FIND_REQUEST] =
		"SELECT " SESSION_LIST " FROM session WHERE id = ("
		"SELECT k.session FROM request_key k WHERE k.user_name = $1 "
		"AND k.request_key = $2)",
	[STMT_FIND_KEY] =
		"SELECT session, machine_name, taken_wall_ms FROM request_key "
		"WHERE user_name = $1 AND request_key = $2",
	/* Only a failed session gives its id to another (S7). */
	[STMT_SAVE_KEY] =
		"INSERT INTO request_key (user_name, request_key, session, "
		"machine_name, taken_wall_ms) VALUES ($7, $10, $1, $5, $12) "
		"ON CONFLICT (user_name, request_key) DO UPDATE SET "
		"session = excluded.session, "
		"machine_name = excluded.machine_name, "
		"taken_wall_ms = excluded.taken_wall_ms "
		"WHERE request_key.session = excluded.session OR EXISTS ("
		"SELECT 1 FROM session s WHERE s.id = request_key.session "
		"AND s.state = 'failed')",
	/* While its session's row stands, the id is taken there as well. */
	[STMT_PRUNE_KEYS] =
		"DELETE FROM request_key WHERE (user_name, request_key) IN "
		"(SELECT k.user_name, k.request_key FROM request_key k "
		"WHERE k.taken_wall_ms < $1 AND NOT EXISTS "
		"(SELECT 1 FROM session s WHERE s.id = k.session) "
		"ORDER BY k.taken_wall_ms LIMIT $2)",

	[STMT_SESSIONS] = PAGE_OF(SESSION_LIST, "session", ""),
	[STMT_SESSIONS_OF_USER] =
		PAGE_OF(SESSION_LIST, "session", "AND user_name = $4 "),
	/* Newest first, following prev from where the page before ended, and
	 * no further than the page: sorted, all would be followed first. */
	[STMT_SESSIONS_OF_MACHINE] =
		"WITH RECURSIVE chain (at, before) AS (SELECT c.id, c.prev "
		"FROM session c WHERE c.id = coalesce("
		"(SELECT p.prev FROM session p "
		"WHERE p.id = $1 AND p.machine_name = $4), "
		"(SELECT l.session FROM machine_last l WHERE l.name = $4)) "
		"UNION ALL SELECT c.id, c.prev FROM chain "
		"JOIN session c ON c.id = before WHERE before >= $2) "
		"SELECT " SESSION_LIST " FROM chain JOIN session ON id = at "
		"WHERE id < $1 AND id >= $2 LIMIT $3",
	[STMT_SESSIONS_SINCE] = BEFORE_TIME("session", "assigned_wall_ms"),
	[STMT_SESSIONS_UNTIL] = AFTER_TIME("session", "assigned_wall_ms"),
	[STMT_REQUESTS] = PAGE_OF(REQUEST_LIST, "request", ""),
	[STMT_REQUESTS_OF_USER] =
		PAGE_OF(REQUEST_LIST, "request", "AND user_name = $4 "),
	[STMT_REQUESTS_SINCE] = BEFORE_TIME("request", "decided_wall_ms"),
	[STMT_REQUESTS_UNTIL] = AFTER_TIME("request", "decided_wall_ms"),
	/* A request has no machine; the session it became has. */
	[STMT_SESSION_PLACE] =
		"SELECT machine_name, pool FROM session WHERE id = $1",
	[STMT_EVENTS] = PAGE_OF(EVENT_LIST, "event", ""),
	[STMT_EVENTS_OF_OBJECT] =
		PAGE_OF(EVENT_LIST, "event", "AND object = $4 "),
	[STMT_EVENTS_SINCE] = BEFORE_TIME("event", "wall_ms"),
	[STMT_EVENTS_UNTIL] = AFTER_TIME("event", "wall_ms"),
	[STMT_CHANGES] = PAGE_OF(CHANGE_LIST, "change", ""),
	[STMT_CHANGES_OF_CLUSTER] =
		PAGE_OF(CHANGE_LIST, "change", "AND cluster = $4 "),
	[STMT_CHANGES_SINCE] = BEFORE_TIME("change", "started_wall_ms"),
	[STMT_CHANGES_UNTIL] = AFTER_TIME("change", "started_wall_ms"),
	[STMT_DECISIONS] = PAGE_OF(DECISION_LIST, "decision", ""),
	[STMT_DECISIONS_OF_OBJECT] =
		PAGE_OF(DECISION_LIST, "decision", "AND object = $4 "),
	[STMT_DECISIONS_OF_SOURCE] =
		PAGE_OF(DECISION_LIST, "decision", "AND source = $4 "),
	[STMT_DECISIONS_SINCE] = BEFORE_TIME("decision", "wall_ms"),
	[STMT_DECISIONS_UNTIL] = AFTER_TIME("decision", "wall_ms"),
	/* From the hour $1 on: those counted, and those after the mark $2. */
	[STMT_COUNT_HOURS] =
		"SELECT start_wall_ms, sum(sessions) FROM hour "
		"WHERE start_wall_ms >= $1 AND ($3 = '' OR pool = $3) "
		"GROUP BY 1 UNION ALL "
		"SELECT assigned_wall_ms, 1 FROM session "
		"WHERE assigned_wall_ms >= $1 AND assigned_wall_ms > $2 "
		"AND ($3 = '' OR pool = $3)",

	[STMT_LIVE_RUNS] = "SELECT machine, since_wall_ms FROM machine_run "
			   "WHERE until_wall_ms = 0",
	[STMT_BEGIN_RUN] =
		"INSERT INTO machine_run (machine, since_wall_ms, "
		"until_wall_ms, pool) VALUES ($1, $2, 0, $3) "
		"ON CONFLICT (machine, since_wall_ms) DO NOTHING",
	/* An end is never before the beginning, whatever clocks say. */
	[STMT_END_RUN] =
		"UPDATE machine_run SET until_wall_ms = CASE "
		"WHEN since_wall_ms > $2 THEN since_wall_ms ELSE $2 END "
		"WHERE machine = $1 AND until_wall_ms = 0",
	[STMT_COUNTED] = "SELECT upto_wall_ms FROM counted WHERE name = $1",
	[STMT_MOVE_COUNTED] =
		"UPDATE counted SET upto_wall_ms = $2 WHERE name = $1",
	[STMT_ADD_HOUR] =
		"INSERT INTO hour (start_wall_ms, pool, application, sessions, "
		"closed, lost, failed, refused, cancelled, waited, wait_ms, "
		"bytes_in, bytes_out, session_ms, machine_ms) VALUES ($1, $2, "
		"$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "
		"ON CONFLICT (start_wall_ms, pool, application) DO UPDATE SET "
		PLUS("hour", "sessions") ", " PLUS("hour", "closed") ", "
		PLUS("hour", "lost") ", " PLUS("hour", "failed") ", "
		PLUS("hour", "refused") ", " PLUS("hour", "cancelled") ", "
		PLUS("hour", "waited") ", " PLUS("hour", "wait_ms") ", "
		PLUS("hour", "bytes_in") ", " PLUS("hour", "bytes_out") ", "
		PLUS("hour", "session_ms") ", " PLUS("hour", "machine_ms"),
	[STMT_ADD_HOUR_WAIT] =
		"INSERT INTO hour_wait (start_wall_ms, pool, application, "
		"at_most_ms, waits) VALUES ($1, $2, $3, $4, 1) "
		"ON CONFLICT (start_wall_ms, pool, application, at_most_ms) "
		"DO UPDATE SET " PLUS("hour_wait", "waits"),
	/* A step of counting: $1 mark, $2 its rows but one. */
	[STMT_STARTED_END] =
		"SELECT assigned_wall_ms FROM session "
		"WHERE assigned_wall_ms > $1 "
		"ORDER BY assigned_wall_ms LIMIT 1 OFFSET $2",
	[STMT_STARTED] =
		"SELECT assigned_wall_ms, pool, application, wait_ms "
		"FROM session WHERE assigned_wall_ms > $1 "
		"AND assigned_wall_ms <= $2",
	[STMT_ENDED_END] =
		"SELECT ended_wall_ms FROM session WHERE ended_wall_ms > 0 "
		"AND ended_wall_ms > $1 ORDER BY ended_wall_ms LIMIT 1 OFFSET $2",
	[STMT_ENDED] =
		"SELECT ended_wall_ms, pool, application, assigned_wall_ms, "
		"state, bytes_in, bytes_out FROM session "
		"WHERE ended_wall_ms > 0 AND ended_wall_ms > $1 "
		"AND ended_wall_ms <= $2",
	[STMT_DECIDED_END] =
		"SELECT decided_wall_ms FROM request "
		"WHERE decided_wall_ms > $1 "
		"ORDER BY decided_wall_ms LIMIT 1 OFFSET $2",
	[STMT_DECIDED] =
		"SELECT decided_wall_ms, application, state FROM request "
		"WHERE decided_wall_ms > $1 AND decided_wall_ms <= $2",
	/* Runs last: a step ends at the next hour after the mark, or after the
	 * first run when nothing ran at the mark.  $2 is not needed. */
	[STMT_RAN_END] =
		"SELECT (CASE WHEN EXISTS (SELECT 1 FROM machine_run "
		"WHERE since_wall_ms <= $1 AND until_wall_ms = 0) OR EXISTS "
		"(SELECT 1 FROM machine_run WHERE since_wall_ms <= $1 "
		"AND until_wall_ms > $1) THEN $1 "
		"ELSE (SELECT min(since_wall_ms) FROM machine_run "
		"WHERE since_wall_ms > $1) END / 3600000 + 1) * 3600000 "
		"WHERE $2 = $2",
	[STMT_RAN] =
		"SELECT since_wall_ms, until_wall_ms, pool, $1 FROM machine_run "
		"WHERE until_wall_ms = 0 AND since_wall_ms < $2 UNION ALL "
		"SELECT since_wall_ms, until_wall_ms, pool, $1 FROM machine_run "
		"WHERE until_wall_ms > $1 AND since_wall_ms < $2",
	/* A failed session had no user on its machine. */
	[STMT_BILLABLE] =
		"SELECT id, machine, user_name, assigned_wall_ms, ended_wall_ms "
		"FROM session WHERE ended_wall_ms > 0 AND ended_wall_ms > $1 "
		"AND ended_wall_ms <= $2 AND state <> 'failed' "
		"ORDER BY ended_wall_ms, id",
	/* Intervals of machine $1 that began before $2, the last first; where the
	 * part entered last in each ends, but for session $3's own. */
	[STMT_INTERVALS_BACK] =
		"SELECT l.id, l.start_wall_ms, CASE WHEN l.end_wall_ms = 0 THEN $2 "
		"ELSE l.start_wall_ms + l.length_ms END, "
		"coalesce((SELECT p.start_wall_ms + p.length_ms "
		"FROM ledger_session p WHERE p.ledger = l.id "
		"AND p.session <> $3 ORDER BY p.session DESC LIMIT 1), 0) "
		"FROM ledger l WHERE l.machine = $1 AND l.start_wall_ms < $2 "
		"ORDER BY l.start_wall_ms DESC, l.id DESC",
	[STMT_ADD_SHARE] =
		"INSERT INTO ledger_session (ledger, session, user_name, "
		"start_wall_ms, length_ms) VALUES ($1, $2, $3, $4, $5) "
		"ON CONFLICT (ledger, session) DO NOTHING",
	/* Closed after ($1, $2), in that order; in two halves, each found by the
	 * index, however many closed at the same time (SQLite looks a pair up by
	 * its first half). */
	[STMT_USAGE_CLOSED] =
		"SELECT " LEDGER_LIST " FROM ledger "
		"WHERE end_wall_ms = $1 AND id > $2 AND end_wall_ms > 0 "
		"UNION ALL SELECT " LEDGER_LIST " FROM ledger "
		"WHERE end_wall_ms > $1 ORDER BY end_wall_ms, id LIMIT $3",
	[STMT_USAGE_SHARES] =
		"SELECT session, user_name, start_wall_ms, length_ms "
		"FROM ledger_session WHERE ledger = $1 AND session > $2 "
		"ORDER BY session LIMIT $3",
	/* Sessions that are not entered in the ledger yet. */
	[STMT_USAGE_PENDING] =
		"SELECT machine, user_name, assigned_wall_ms, ended_wall_ms "
		"FROM session WHERE ended_wall_ms = 0 UNION ALL "
		"SELECT machine, user_name, assigned_wall_ms, ended_wall_ms "
		"FROM session WHERE ended_wall_ms > 0 AND ended_wall_ms > $1 "
		"AND state <> 'failed'",
	[STMT_HOURS] =
		"SELECT start_wall_ms, sum(sessions), sum(closed), sum(lost), "
		"sum(failed), sum(refused), sum(cancelled), sum(waited), "
		"sum(wait_ms), sum(bytes_in), sum(bytes_out), sum(session_ms), "
		"sum(machine_ms) FROM hour WHERE start_wall_ms >= $1 "
		"AND start_wall_ms < $2 AND ($3 = '' OR pool = $3) "
		"AND ($4 = '' OR application = $4) "
		"GROUP BY start_wall_ms ORDER BY start_wall_ms DESC LIMIT $5",
	/* The next id; $1 is what the row has, 0. */
	[STMT_SAVE_DEED] =
		"INSERT INTO audit (" DEED_LIST ") SELECT coalesce(max(id), 0) "
		"+ 1 + $1" DEED_CHANGING(COMMA_VALUE, COMMA_VALUE) " FROM audit",
	[STMT_DEEDS] = "SELECT " DEED_LIST " FROM audit WHERE id < $1 "
		       "ORDER BY id DESC LIMIT $2",
	[STMT_PRUNE_DEEDS] =
		"DELETE FROM audit WHERE id IN (SELECT id FROM audit "
		"WHERE wall_ms < $1 ORDER BY wall_ms LIMIT $2)",
	/* By time after ($1, $2) and before $3, $4 of them. */
	[STMT_OLD_SESSIONS] =
		"SELECT id, ended_wall_ms, request_key <> '', EXISTS "
		"(SELECT 1 FROM machine m WHERE m.session = session.id "
		"OR (m.id = session.machine "
		"AND m.incarnation <= session.incarnation)) "
		"FROM session WHERE ended_wall_ms > 0 "
		"AND (ended_wall_ms, id) > ($1, $2) AND ended_wall_ms < $3 "
		"ORDER BY ended_wall_ms, id LIMIT $4",
	[STMT_OLD_REQUESTS] =
		"SELECT id, decided_wall_ms, request_key <> '', 0 FROM request "
		"WHERE (decided_wall_ms, id) > ($1, $2) "
		"AND decided_wall_ms < $3 ORDER BY decided_wall_ms, id LIMIT $4",
	[STMT_DELETE_SESSION] = "DELETE FROM session WHERE id = $1",
	[STMT_DELETE_REQUEST] = "DELETE FROM request WHERE id = $1",
	[STMT_DELETE_REQUEST_OF] = "DELETE FROM request WHERE session = $1",
	[STMT_PRUNE_RUNS] =
		"DELETE FROM machine_run WHERE (machine, since_wall_ms) IN "
		"(SELECT machine, since_wall_ms FROM machine_run "
		"WHERE until_wall_ms > 0 AND until_wall_ms < $1 "
		"ORDER BY until_wall_ms LIMIT $2)",
	[STMT_PRUNE_EVENTS] =
		"DELETE FROM event WHERE id IN (SELECT id FROM event "
		"WHERE wall_ms < $1 ORDER BY wall_ms LIMIT $2)",
	[STMT_PRUNE_HOURS] =
		"DELETE FROM hour WHERE (start_wall_ms, pool, application) IN "
		"(SELECT start_wall_ms, pool, application FROM hour "
		"WHERE start_wall_ms < $1 ORDER BY start_wall_ms LIMIT $2)",
	[STMT_PRUNE_HOUR_WAITS] =
		"DELETE FROM hour_wait WHERE "
		"(start_wall_ms, pool, application, at_most_ms) IN "
		"(SELECT start_wall_ms, pool, application, at_most_ms "
		"FROM hour_wait WHERE start_wall_ms < $1 "
		"ORDER BY start_wall_ms LIMIT $2)",
	[STMT_PRUNE_CHANGES] =
		"DELETE FROM change WHERE id IN (SELECT id FROM change "
		"WHERE ended_wall_ms > 0 AND ended_wall_ms < $1 "
		"ORDER BY ended_wall_ms LIMIT $2)",
	[STMT_PRUNE_DECISIONS] =
		"DELETE FROM decision WHERE id IN (SELECT d.id FROM decision d "
		"WHERE d.wall_ms < $1 AND " OLDER_THAN_LAST
		"ORDER BY d.wall_ms LIMIT $2)",
	[STMT_PRUNE_KEPT] =
		"DELETE FROM decision WHERE id IN (SELECT d.id FROM decision d "
		"WHERE d.outcome = 'kept' AND d.wall_ms < $1 "
		"AND " OLDER_THAN_LAST "ORDER BY d.wall_ms LIMIT $2)",
	/* An interval goes once its sessions' parts are gone. */
	[STMT_PRUNE_SHARES] =
		"DELETE FROM ledger_session WHERE (ledger, session) IN "
		"(SELECT s.ledger, s.session FROM ledger l "
		"JOIN ledger_session s ON s.ledger = l.id "
		"WHERE l.end_wall_ms > 0 AND l.end_wall_ms < $1 LIMIT $2)",
	[STMT_PRUNE_LEDGER] =
		"DELETE FROM ledger WHERE id IN (SELECT l.id FROM ledger l "
		"WHERE l.end_wall_ms > 0 AND l.end_wall_ms < $1 "
		"AND NOT EXISTS (SELECT 1 FROM ledger_session s "
		"WHERE s.ledger = l.id) ORDER BY l.end_wall_ms LIMIT $2)",
	[STMT_HOUR_WAITS] =
		"SELECT at_most_ms, sum(waits) FROM hour_wait "
		"WHERE start_wall_ms = $1 AND ($2 = '' OR pool = $2) "
		"AND ($3 = '' OR application = $3) "
		"GROUP BY at_most_ms ORDER BY at_most_ms",

	[STMT_ALL_SESSIONS] =
		"SELECT " SESSION_LIST " FROM session ORDER BY id",
	[STMT_ALL_REQUESTS] =
		"SELECT " REQUEST_LIST " FROM request ORDER BY id",
	[STMT_ALL_EVENTS] = "SELECT " EVENT_LIST " FROM event ORDER BY id",
	[STMT_ALL_CHANGES] = "SELECT " CHANGE_LIST " FROM change ORDER BY id",
	[STMT_ALL_DECISIONS] =
		"SELECT " DECISION_LIST " FROM decision ORDER BY id",
	[STMT_ALL_LEDGERS] = "SELECT " LEDGER_LIST " FROM ledger ORDER BY id",
};

#endif
