/*
 * history_fill DB SESSIONS: puts that many ended sessions, with a request and
 * an event each, into the store of a stopped engine, an hour's worth of 500.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db/db.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

static int save(struct db *db, uint64_t id, int64_t at, struct error *err)
{
	struct session_row s = {
		.id = id, .machine = 1000000 + id, .nonce = id, .gateway = 0,
		.state = id % 7 ? SESSION_CLOSED : SESSION_LOST,
		.requested_wall_ms = at - 5, .assigned_wall_ms = at, .wait_ms = 5,
		.accepted_wall_ms = at + 1, .ended_wall_ms = at + 1000,
		.clean_ms = 3, .cleaned_wall_ms = at + 1003,
		.bytes_in = id, .bytes_out = 2 * id,
	};
	struct request_row q = {
		.id = id, .state = REQUEST_REFUSED, .requested_wall_ms = at,
		.decided_wall_ms = at, .code = "timeout",
	};
	struct event_row e = { .id = id, .wall_ms = at, .kind = "TEST",
			       .object = "pool/old", .text = "made" };

	snprintf(s.user, sizeof(s.user), "user%d", (int)(id % 10));
	snprintf(s.machine_name, sizeof(s.machine_name), "old-%d", (int)(id % 20));
	TEXT_SET(s.pool, "old");
	TEXT_SET(s.application, "echo");
	TEXT_SET(s.listener, "tcp");
	TEXT_SET(s.end_text, id % 7000 ? "" : "=cmd the Needle");
	TEXT_SET(q.user, s.user);
	TEXT_SET(q.application, "echo");
	TEXT_SET(q.text, "no machine came free");
	return db_save_session(db, &s, err) || db_save_request(db, &q, err) ||
	       db_save_event(db, &e, err);
}

int main(int argc, char **argv)
{
	struct error err = { "" };
	struct db *db = NULL;
	uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	int64_t now = (int64_t)time(NULL) * 1000;
	int rc = n ? db_open(argv[1], &db, &err) : -1;

	for (uint64_t i = 0; rc == 0 && i < n; i++) {
		uint64_t id = db_counter(db, DB_COUNTER_SESSION) + i;
		int64_t at = now - (int64_t)(n - i) * 7200 - 60000;

		if (i % 5000 == 0)
			rc = db_begin(db, &err);
		rc = rc || save(db, id, at, &err);
		for (int c = 0; i % 5000 == 0 && rc == 0 && c < DB_COUNTERS; c++)
			rc = db_save_counter(db, (enum db_counter)c, id + n + 1, &err);
		if (rc == 0 && (i % 5000 == 4999 || i == n - 1))
			rc = db_commit(db, &err);
	}
	if (rc)
		fprintf(stderr, "history_fill: %s\n", n ? err.text : "DB SESSIONS");
	db_close(db);
	return rc ? 1 : 0;
}
