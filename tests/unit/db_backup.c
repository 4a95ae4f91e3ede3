/*
 * Backups of a store that is written to all the while, and stores made from
 * them: what is in it, what is true no more, what is refused, what is left when
 * something fails.
 */
#include "db/db_backup.h"
#include "tests/unit/db_help.h"

static const int64_t NOW = 1764000000000;

static int64_t get(const char *path, const char *sql)
{
	sqlite3 *h = NULL;
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(h);
	return n;
}

static void tamper(const char *path, const char *sql)
{
	sqlite3 *h = NULL;

	if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL) ||
	    sqlite3_exec(h, sql, NULL, NULL, NULL))
		tap_bail("%s: %s", sql, sqlite3_errmsg(h));
	sqlite3_close(h);
}

static uint64_t next_session = 1;

/* A turn: a session ends, another begins. */
static void turn(struct db *db, uint64_t machine)
{
	struct session_row s = help_session(next_session, machine, next_session,
					    "ann");
	struct machine_row m = help_machine(machine, next_session);
	struct error err = { "" };

	m.incarnation = next_session;
	next_session++;
	help_begin(db);
	if (db_save_session(db, &s, &err) || db_save_machine(db, &m, &err))
		tap_bail("%s", err.text);
	help_end(&s, SESSION_CLOSED);
	m.session = 0;
	m.dirty = false;
	m.incarnation++;
	m.state = MACHINE_READY;
	s.clean_ms = 1;
	s.cleaned_wall_ms = s.ended_wall_ms;
	if (machine != 1 && (db_save_session(db, &s, &err) ||
			     db_save_machine(db, &m, &err)))
		tap_bail("%s", err.text);
	help_commit(db);
}

static void test_live(struct db *db, const char *to)
{
	struct db_backup_note note = { .site = "lab", .version = "0.1",
				       .host = "here", .wall_ms = NOW };
	struct error err = { "" };
	struct token_row token = { .user = "ann", .who = "root" };
	struct db_backup *b;
	int more, steps = 0;

	memset(token.hash, 'a', 64);
	help_begin(db);
	if (db_save_token(db, &token, &err))
		tap_bail("%s", err.text);
	help_commit(db);

	is_int(db_backup_start(db, to, &b, &err), 0, "begins %s", err.text);
	do {
		more = db_backup_step(b, &err);
		turn(db, 2 + (uint64_t)(steps++ % 5));
	} while (more == 1);
	is_int(more, 0, "copied in %d steps, with a turn after each %s", steps,
	       err.text);
	ok(steps > 3, "in small steps");
	ok(db_backup_bytes(b) > 1 << 20, "%d bytes", (int)db_backup_bytes(b));
	uint64_t at = next_session - 1;	/* the last turn came after it */
	db_backup_end(b);
	turn(db, 3);
	is_int(get(to, "SELECT count(*) FROM remuda_backup"), -1,
	       "not sealed: it does not say that it is a backup");
	is_int(db_backup_seal(to, &note, &err), 0, "sealed %s", err.text);
	int64_t has = get(to, "SELECT max(id) FROM session");
	ok(has == (int64_t)at || has == (int64_t)at - 1,
	   "it is the store as it was at its end: %d of %d", (int)has, (int)at);
	is_int(get(to, "SELECT count(*) FROM session"), has, "every session");
	ok(access(to, F_OK) == 0, "one file");
	char wal[HELP_PATH + 8];
	snprintf(wal, sizeof(wal), "%s-wal", to);
	ok(access(wal, F_OK) != 0, "without a WAL");
	is_int(db_audit(db, &err), 0, "the live store is sound %s", err.text);
	is_int(db_backup_start(db, to, &b, &err), -1, "it is not overwritten");
	ok(strstr(err.text, "exists: a backup overwrites nothing"), "%s", err.text);
}

static void test_unfinished(struct db *db)
{
	char to[HELP_PATH], path[HELP_PATH];
	struct db_restored r;
	struct error err = { "" };
	struct db_backup *b;

	help_path(to, "half.bak");
	if (db_backup_start(db, to, &b, &err) || db_backup_step(b, &err) != 1)
		tap_bail("%s", err.text);
	fflush(stdout);
	db_backup_end(b);
	ok(access(to, F_OK) != 0, "what is not whole is removed");
	/* An engine killed after the copy and before the seal. */
	if (db_backup_start(db, to, &b, &err))
		tap_bail("%s", err.text);
	while (db_backup_step(b, &err) == 1)
		;
	db_backup_end(b);
	is_int(db_restore(to, help_path(path, "from-half.db"), false, NOW, &r,
			  &err), -1, "an unsealed copy is no backup");
	ok(strstr(err.text, "is no backup of Remuda, or one that was not "
		  "finished"), "%s", err.text);
	ok(access(path, F_OK) != 0, "nothing was made of it");
	(void)unlink(to);
}

static void test_restore(const char *from)
{
	char path[HELP_PATH];
	struct db_restored r;
	struct error err = { "" };
	int64_t last = get(from, "SELECT max(id) FROM session");
	int64_t machines = get(from, "SELECT count(*) FROM machine");
	int64_t term = get(from, "SELECT term FROM engine");

	help_path(path, "restored.db");
	is_int(db_restore(from, path, false, NOW, &r, &err), 0, "restored %s",
	       err.text);
	is_text(r.note.site, "lab", "it says of which site");
	is_int(r.lost, 1, "a session lived then");
	is_int(r.machines, machines, "machines");
	is_text(r.aside, "", "nothing was there");
	struct db *db = help_open(path);
	is_int(db_audit(db, &err), 0, "audit: %s", err.text);
	ok(db_counter(db, DB_COUNTER_SESSION) > (uint64_t)last + 1000000,
	   "ids jump ahead");
	ok(db_term(db) > (uint64_t)term + 1000, "and so does the term");
	db_close(db);
	is_int(get(path, "SELECT count(*) FROM session WHERE state = 'lost' AND "
		   "end_text = 'the store was restored from a backup'"), 1,
	       "who was on a machine is recorded as lost");
	is_int(get(path, "SELECT count(*) FROM machine WHERE dirty = 1 AND "
		   "state = 'cleaning' AND rung = 'rebuild' AND session IS NULL "
		   "AND incarnation > 1000000000"), machines,
	       "no machine is believed to be clean");
	is_int(get(path, "SELECT count(*) FROM session"), last, "history is there");
	is_int(get(from, "SELECT count(*) FROM token"), 1, "a token was made");
	is_int(get(path, "SELECT count(*) FROM token"), 0,
	       "it may have been spent since: it is void");

	/* Over an existing one. */
	db = help_open(path);
	help_begin(db);
	struct event_row e = { .id = 70000, .wall_ms = NOW, .kind = "X" };
	if (db_save_event(db, &e, &err))
		tap_bail("%s", err.text);
	help_commit(db);
	is_int(db_restore(from, path, true, NOW, &r, &err), -1,
	       "not while an engine has it");
	ok(strstr(err.text, "is using this database"), "%s", err.text);
	db_close(db);
	is_int(db_restore(from, path, false, NOW, &r, &err), -1,
	       "not over a store");
	ok(strstr(err.text, "--force"), "%s", err.text);
	is_int(get(path, "SELECT count(*) FROM event WHERE id = 70000"), 1,
	       "which is as it was");
	is_int(db_restore(from, path, true, NOW + 5000, &r, &err), 0,
	       "unless told %s", err.text);
	is_int(get(path, "SELECT count(*) FROM event WHERE id = 70000"), 0,
	       "then it is the backup");
	is_int(get(r.aside, "SELECT count(*) FROM event WHERE id = 70000"), 1,
	       "and the other is aside");
}

static void test_refused(const char *from)
{
	char path[HELP_PATH], bad[HELP_PATH];
	struct db_restored r;
	struct error err = { "" };

	help_path(path, "never.db");
	help_path(bad, "bad.bak");
	struct { const char *sql, *says; } cases[] = {
		{ "PRAGMA user_version = 7777", "was written by a newer Remuda" },
		{ "PRAGMA application_id = 5", "is a database of another program" },
		{ "DELETE FROM remuda_backup", "is no backup of Remuda" },
		{ "CREATE TABLE more (x TEXT)", "its tables are not those" },
		{ "PRAGMA ignore_check_constraints = 1; "
		  "UPDATE machine SET state = 'happy'", "CHECK constraint" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *in = fopen(from, "r"), *out = fopen(bad, "w");
		char bytes[65536];
		size_t n;

		while (in && out && (n = fread(bytes, 1, sizeof(bytes), in)) > 0)
			if (fwrite(bytes, 1, n, out) != n)
				tap_bail("write");
		if (!in || !out || fclose(out))
			tap_bail("copy");
		fclose(in);
		tamper(bad, cases[i].sql);
		is_int(db_restore(bad, path, false, NOW, &r, &err), -1,
		       "refused: %s", cases[i].sql);
		ok(strstr(err.text, cases[i].says), "%s", err.text);
		ok(access(path, F_OK) != 0, "and nothing was made");
	}
	is_int(db_restore("/nonexistent/x", path, false, NOW, &r, &err), -1,
	       "no such file");
	ok(strstr(err.text, "cannot read /nonexistent/x"), "%s", err.text);
}

int main(void)
{
	char path[HELP_PATH], to[HELP_PATH];
	struct error err = { "" };

	help_make_folder();
	struct db *db = help_open(help_path(path, "live.db"));
	help_begin(db);
	is_int(help_counters(db), 0, "counters");
	for (uint64_t i = 1; i < 30000; i++) {	/* some mebibytes */
		struct event_row e = { .id = i, .wall_ms = NOW, .kind = "X" };

		memset(e.text, 'x', 120);
		if (db_save_event(db, &e, &err))
			tap_bail("%s", err.text);
	}
	help_commit(db);
	turn(db, 1);	/* whose session lives */
	test_live(db, help_path(to, "one.bak"));
	test_unfinished(db);
	db_close(db);
	test_restore(to);
	test_refused(to);
	return tap_done();
}
