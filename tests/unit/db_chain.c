/*
 * The chain of a machine's sessions: what stands for S1 in the store, what
 * history by machine follows, and what a restart reads of machines whose own
 * rows are behind.
 */
#include "tests/unit/db_help.h"

static void save(struct db *db, const struct session_row *s)
{
	struct error err;

	if (db_save_session(db, s, &err))
		tap_bail("%s", err.text);
}

/* Session id on the machine of that number, which is called mail-01. */
static struct session_row session(uint64_t id, uint64_t machine,
				  uint64_t incarnation, bool ended)
{
	struct session_row s = help_session(id, machine, incarnation, "ann");

	TEXT_SET(s.machine_name, "mail-01");
	if (ended)
		help_end(&s, SESSION_CLOSED);
	return s;
}

static void add_id(void *arg, const struct session_row *row)
{
	size_t used = strlen(arg);

	snprintf((char *)arg + used, 100 - used, "%s%d", used ? " " : "",
		 (int)row->id);
}

static const char *history(struct db *db, uint64_t before, uint32_t limit)
{
	static char ids[100];
	struct db_query q = { .before_id = before, .limit = limit };
	struct error err;

	TEXT_SET(q.machine, "mail-01");
	ids[0] = '\0';
	if (db_query_sessions(db, &q, add_id, ids, &err))
		tap_bail("%s", err.text);
	return ids;
}

static void test_chain(void)
{
	struct session_row s, other = help_session(4, 2, 1, "ben");
	char path[HELP_PATH];
	struct error err;
	struct db *db = help_open(help_path(path, "chain.db"));

	help_begin(db);
	s = session(1, 1, 1, true);
	save(db, &s);
	s = session(3, 1, 2, false);
	save(db, &s);
	save(db, &s);	/* again, before it has ended */
	help_end(&s, SESSION_CLOSED);
	save(db, &s);
	save(db, &other);
	/* Came and went within a turn: its first row is its last. */
	s = session(6, 1, 5, true);
	save(db, &s);
	/* The name's next machine begins anew. */
	s = session(7, 9, 0, false);
	save(db, &s);
	if (help_counters(db))
		tap_bail("counters");
	help_commit(db);
	is_text(history(db, 0, 10), "7 6 3 1", "a name's sessions, newest first");
	is_text(history(db, 7, 2), "6 3", "a page of them");
	is_text(history(db, 3, 2), "1", "the next, from where that ended");
	is_text(history(db, 5, 2), "3 1", "a page from between");
	if (db_exec(db, "DELETE FROM session WHERE id = 3", &err))
		tap_bail("%s", err.text);
	is_text(history(db, 0, 10), "7 6", "where old ones are gone it ends");

	static const struct { uint64_t machine, incarnation; const char *what; } bad[] = {
		{ 9, 0, "the incarnation of the last one" },
		{ 1, 9, "a machine that came before" },
	};
	for (size_t i = 0; i < 2; i++) {
		help_begin(db);
		s = session(7, 9, 0, true);
		save(db, &s);
		s = session(8, bad[i].machine, bad[i].incarnation, false);
		is_int(db_save_session(db, &s, &err), -1, "S1: %s", bad[i].what);
		ok(strstr(err.text, "(S1)") != NULL, "... is refused as that");
		is_int(db_commit(db, &err), -1, "... with its batch");
	}
	db_close(db);
}

static void test_restart(void)
{
	struct machine_row m = help_machine(1, 0);
	char path[HELP_PATH], ids[100] = "";
	struct error err;
	struct db *db = help_open(help_path(path, "lag.db"));

	help_begin(db);
	for (uint64_t i = 1; i <= 5; i++) {
		struct session_row s = session(i, 1, i, true);

		s.cleaned_wall_ms = s.ended_wall_ms;
		save(db, &s);
	}
	m.incarnation = 3;
	if (db_save_machine(db, &m, &err) || help_counters(db))
		tap_bail("%s", err.text);
	help_commit(db);
	if (db_load_live_sessions(db, add_id, ids, &err))
		tap_bail("%s", err.text);
	is_text(ids, "5", "of a machine whose row is behind, its last session");
	is_int(db_audit(db, &err), 0, "which is sound: %s", err.text);
	help_begin(db);
	m.incarnation = 6;
	if (db_save_machine(db, &m, &err))
		tap_bail("%s", err.text);
	help_commit(db);
	ids[0] = '\0';
	if (db_load_live_sessions(db, add_id, ids, &err))
		tap_bail("%s", err.text);
	is_text(ids, "", "of one whose row is not, none");
	db_close(db);
}

/* A file of the schema before gets its chain. */
static void test_migration(void)
{
	struct db old = { .path = ":memory:", .lock_fd = -1 };
	int64_t n = 0;
	int at = 0;
	struct error err;

	while (strcmp(db_migrations[at].name + 5, "machine-last") != 0)
		at++;
	if (sqlite3_open(":memory:", &old.handle) ||
	    db_migrate(&old, db_migrations, at, 0, &err) ||
	    db_exec(&old,
		"WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL "
		"SELECT id + 1 FROM n WHERE id < 40) "
		"INSERT INTO session (id, machine, incarnation, nonce, "
		"machine_name, pool, user_name, application, listener, "
		"request_key, requested_wall_ms, assigned_wall_ms, wait_ms, "
		"state, peer, gateway, conn, accepted_wall_ms, ended_wall_ms, "
		"accept_ms, clean_ms, cleaned_wall_ms, bytes_in, bytes_out, "
		"end_text) SELECT id, 1 + id % 4, id / 4, id, 'mail-0' || "
		"(id % 4), 'mail', 'ann', '', '', '', 1, 1, 0, 'closed', '', 0, "
		"id, 0, 2, 0, 0, 0, 0, 0, '' FROM n", &err) ||
	    db_migrate(&old, db_migrations, db_migration_count,
		       db_migrations[at - 1].version, &err))
		tap_bail("%s", err.text);
	db_get_int(&old, "SELECT count(*) FROM session WHERE prev = "
			 "CASE WHEN id > 4 THEN id - 4 ELSE 0 END", &n, &err);
	is_int(n, 40, "each old session names the one before it");
	db_get_int(&old, "SELECT count(*) FROM machine_last WHERE session > 36 "
			 "AND incarnation = session / 4 "
			 "AND machine = 1 + session % 4", &n, &err);
	is_int(n, 4, "and each machine its last");
	sqlite3_close(old.handle);
}

int main(void)
{
	help_make_folder();
	test_chain();
	test_restart();
	test_migration();
	return tap_done();
}
