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
#define SAVE(table, key, ROW)                                                  \
	"INSERT INTO " table " (" LIST(key, ROW) ") VALUES ($1"                \
	ROW##_FIXED(COMMA_VALUE) ROW##_CHANGING(COMMA_VALUE, COMMA_VALUE)      \
	") ON CONFLICT (" key ") DO UPDATE SET "                               \
	ROW##_CHANGING(SET_FIRST, SET_NEXT)

#define BOUND_FIRST(n, column, field, kind) #column " = $" #n
#define BOUND_NEXT(n, column, field, kind) ", " #column " = $" #n
#define UPDATE(table, ROW)                                                     \
	"UPDATE " table " SET " ROW##_CHANGING(BOUND_FIRST, BOUND_NEXT)        \
	" WHERE id = $1 "

#define MACHINE_LIST LIST("id", MACHINE)
#define SESSION_LIST LIST("id", SESSION)
#define REQUEST_LIST LIST("id", REQUEST)
#define EVENT_LIST LIST("id", EVENT)
#define OVERRIDE_LIST LIST("key", OVERRIDE)

/*
 * History pages: $1 before this id, $2 not before this id, $3 since, $4 user,
 * $5 machine, $6 application, $7 rows at most.  The filter that has an index
 * is bare in the variant for it; the others are optional.  The plus keeps the
 * index by time out: rows are wanted in order of id.
 */
#define PAGE "ORDER BY id DESC LIMIT $7"
#define SESSION_PAGE                                                           \
	"SELECT " SESSION_LIST " FROM session WHERE id < $1 AND id >= $2 "     \
	"AND +assigned_wall_ms >= $3 AND ($6 = '' OR application = $6) "
#define REQUEST_PAGE                                                           \
	"SELECT " REQUEST_LIST " FROM request WHERE id < $1 AND id >= $2 "     \
	"AND +decided_wall_ms >= $3 AND ($6 = '' OR application = $6) "
#define EVENT_PAGE                                                             \
	"SELECT " EVENT_LIST " FROM event WHERE id < $1 AND id >= $2 "         \
	"AND +wall_ms >= $3 "

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
	/* Rows never stand above their counter; were one to, its id must not
	 * be given out again all the same. */
	[STMT_COUNTERS] =
		"SELECT name, next FROM counter "
		"UNION ALL SELECT 'machine', coalesce(max(id), 0) + 1 FROM machine "
		"UNION ALL SELECT 'session', coalesce(max(id), 0) + 1 FROM session "
		"UNION ALL SELECT 'request', coalesce(max(id), 0) + 1 FROM request "
		"UNION ALL SELECT 'event', coalesce(max(id), 0) + 1 FROM event",

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
		SAVE("session", "id", SESSION)
		" WHERE session.machine = excluded.machine "
		"AND session.incarnation = excluded.incarnation "
		"AND session.nonce = excluded.nonce "
		"AND session.user_name = excluded.user_name "
		"AND (session.ended_wall_ms = 0 OR "
		"session.state = excluded.state)",
	[STMT_UPDATE_SESSION] =
		UPDATE("session", SESSION)
		"AND machine = $2 AND incarnation = $3 AND nonce = $4 "
		"AND user_name = $7 AND (ended_wall_ms = 0 OR state = $14)",
	[STMT_SAVE_REQUEST] = SAVE("request", "id", REQUEST),
	[STMT_SAVE_EVENT] = SAVE("event", "id", EVENT),
	[STMT_SAVE_OVERRIDE] = SAVE("site_override", "key", OVERRIDE),
	[STMT_DELETE_OVERRIDE] = "DELETE FROM site_override WHERE key = $1",
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
		"UNION SELECT n.id FROM machine o JOIN session n "
		"ON n.machine = o.id AND n.incarnation >= o.incarnation) "
		"ORDER BY id",
	[STMT_LOAD_OVERRIDES] =
		"SELECT " OVERRIDE_LIST " FROM site_override ORDER BY key",
	[STMT_FIND_REQUEST] =
		"SELECT " SESSION_LIST " FROM session WHERE user_name = $1 "
		"AND request_key = $2 AND request_key <> ''",

	[STMT_SESSIONS] = SESSION_PAGE
		"AND ($4 = '' OR user_name = $4) "
		"AND ($5 = '' OR machine_name = $5) " PAGE,
	[STMT_SESSIONS_OF_USER] = SESSION_PAGE
		"AND user_name = $4 AND ($5 = '' OR machine_name = $5) " PAGE,
	[STMT_SESSIONS_OF_MACHINE] = SESSION_PAGE
		"AND ($4 = '' OR user_name = $4) AND machine_name = $5 " PAGE,
	[STMT_SESSIONS_SINCE] =
		"SELECT min(+id) FROM session WHERE assigned_wall_ms >= $1",
	[STMT_REQUESTS] = REQUEST_PAGE
		"AND ($4 = '' OR user_name = $4) AND $5 = '' " PAGE,
	[STMT_REQUESTS_OF_USER] = REQUEST_PAGE
		"AND user_name = $4 AND $5 = '' " PAGE,
	/* A request has no machine; the session it became has. */
	[STMT_REQUESTS_OF_MACHINE] = REQUEST_PAGE
		"AND ($4 = '' OR user_name = $4) "
		"AND session IN (SELECT s.id FROM session s "
		"WHERE s.machine_name = $5) " PAGE,
	[STMT_REQUESTS_SINCE] =
		"SELECT min(+id) FROM request WHERE decided_wall_ms >= $1",
	[STMT_EVENTS] = EVENT_PAGE "ORDER BY id DESC LIMIT $4",
	[STMT_EVENTS_OF_OBJECT] = EVENT_PAGE "AND object = $5 "
		"ORDER BY id DESC LIMIT $4",
	[STMT_EVENTS_SINCE] =
		"SELECT min(+id) FROM event WHERE wall_ms >= $1",
	/* Hours end at whole hours before $2: ($1, $2], $3 pool or ''. */
	[STMT_COUNT_HOURS] =
		"SELECT (assigned_wall_ms - $1 - 1) / 3600000, count(*) "
		"FROM session WHERE assigned_wall_ms > $1 "
		"AND assigned_wall_ms <= $2 AND ($3 = '' OR pool = $3) "
		"GROUP BY 1",

	[STMT_ALL_SESSIONS] =
		"SELECT " SESSION_LIST " FROM session ORDER BY id",
	[STMT_ALL_REQUESTS] =
		"SELECT " REQUEST_LIST " FROM request ORDER BY id",
	[STMT_ALL_EVENTS] = "SELECT " EVENT_LIST " FROM event ORDER BY id",
};

#endif
