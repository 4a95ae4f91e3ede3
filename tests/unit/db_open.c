/*
 * Opening: who may, which files are taken, what a migration leaves behind when
 * it dies half way, and that ids are never given out twice.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/db_help.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Runs constant SQL on a closed file, as anybody with sqlite3 could. */
static void tamper(const char *path, const char *sql)
{
	sqlite3 *h;
	char *why = NULL;

	if (sqlite3_open(path, &h) || sqlite3_exec(h, sql, NULL, NULL, &why))
		tap_bail("%s: %s", sql, why ? why : sqlite3_errmsg(h));
	sqlite3_close(h);
}

static void refuses(const char *path, const char *want, const char *what)
{
	struct error err = { "" };
	struct db *db = NULL;

	is_int(db_open(path, &db, &err), -1, "%s: refused", what);
	if (!ok(strstr(err.text, want) != NULL, "... with \"%s\"", want))
		tap_note("%s", err.text);
	ok(db == NULL, "... and no handle");
	db_close(db);
}

static bool same_file(const char *path, char *bytes, size_t *size, bool first)
{
	static char now[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof(now));

	if (fd >= 0)
		close(fd);
	if (n < 0)
		tap_bail("cannot read %s", path);
	if (first) {
		memcpy(bytes, now, (size_t)n);
		*size = (size_t)n;
		return true;
	}
	return (size_t)n == *size && memcmp(bytes, now, *size) == 0;
}

static void test_first(void)
{
	char path[HELP_PATH], name[HELP_PATH + 16];
	mode_t mask = umask(0);
	struct db *db = help_open(help_path(path, "first.db"));
	struct stat st;
	static const char *const files[] = { "", "-wal", "-lock" };

	umask(mask);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, files[i]);
		is_int(stat(name, &st), 0, "%s is there", name);
		is_int(st.st_mode & 0777, 0600, "... for its owner alone");
	}
	is_int(db_term(db), 1, "the first term is 1");
	for (int i = 0; i < DB_COUNTERS; i++)
		is_int(db_counter(db, i), 1, "ids of %ss begin at 1",
		       db_counter_names[i]);
	is_int(db_audit(db, NULL), 0, "an empty memory is sound");
	db_close(db);
	is_int(chmod(path, 0644), 0, "rights given to others");
	db = help_open(path);
	stat(path, &st);
	is_int(st.st_mode & 0777, 0600, "... are taken back");
	is_int(db_term(db), 2, "every open raises the term");
	db_close(db);
	db_close(NULL);
}

static void test_pragmas(void)
{
	const struct { const char *sql; int64_t want; } pragmas[] = {
		{ "PRAGMA synchronous", 2 },	{ "PRAGMA foreign_keys", 1 },
		{ "PRAGMA trusted_schema", 0 }, { "PRAGMA mmap_size", 0 },
		{ "PRAGMA cell_size_check", 1 },
		{ "PRAGMA user_version", db_migration_count },
		{ "PRAGMA application_id", DB_APPLICATION_ID },
		{ "PRAGMA journal_size_limit", 16 * 1024 * 1024 },
	};
	char path[HELP_PATH], text[32];
	struct db *db = help_open(help_path(path, "pragma.db"));
	struct error err = { "" };
	int64_t value;

	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
		if (db_get_int(db, pragmas[i].sql, &value, &err))
			/* mmap_size answers nothing where mmap is compiled out */
			value = strstr(pragmas[i].sql, "mmap") ? 0 : -1;
		is_int(value, pragmas[i].want, "%s", pragmas[i].sql);
	}
	is_int(db_get_text(db, "PRAGMA journal_mode", text, sizeof(text), &err),
	       0, "journal_mode");
	is_text(text, "wal", "... is WAL");
	is_int(db_get_text(db, "PRAGMA locking_mode", text, sizeof(text), &err),
	       0, "locking_mode");
	is_text(text, "exclusive", "... is exclusive");
	is_int(sqlite3_exec(db->handle, "PRAGMA writable_schema = ON; "
			    "DELETE FROM sqlite_schema", NULL, NULL, NULL),
	       SQLITE_ERROR, "the schema cannot be written");
	db_close(db);
}

/* S23: the second engine is out within a second and says who is in. */
static void test_second(void)
{
	char path[HELP_PATH], want[64];
	struct db *db = help_open(help_path(path, "second.db"));
	int64_t t0 = now_ms();

	snprintf(want, sizeof(want), "another engine (pid %ld) is using this "
		 "database", (long)getpid());
	refuses(path, want, "a second open in this process");
	ok(now_ms() - t0 < 1000, "... within a second (%d ms)",
	   (int)(now_ms() - t0));
	t0 = now_ms();
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct error err = { "" };
		struct db *mine;
		int rc = db_open(path, &mine, &err);

		_exit(rc == -1 && strstr(err.text, want) ? 0 : 1);
	}
	int status;
	waitpid(child, &status, 0);
	is_int(status, 0, "a second engine is refused with the pid of the first");
	ok(now_ms() - t0 < 1000, "... within a second");
	sqlite3 *h;
	sqlite3_open(path, &h);
	is_int(sqlite3_exec(h, "SELECT * FROM session", NULL, NULL, NULL),
	       SQLITE_BUSY, "another program cannot even read");
	sqlite3_close(h);
	is_int(db_audit(db, NULL), 0, "the first is not disturbed");
	db_close(db);
	db = help_open(path);
	ok(db != NULL, "once it is closed the next may");
	db_close(db);
}

/* Without our lock file, SQLite's own lock keeps others out; and a program
 * that has the file open keeps us out. */
static void test_other_program(void)
{
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "shell.db"));
	sqlite3 *h;

	db_close(db);
	sqlite3_open(path, &h);
	if (sqlite3_exec(h, "BEGIN IMMEDIATE; SELECT * FROM session", NULL,
			 NULL, NULL))
		tap_bail("%s", sqlite3_errmsg(h));
	int64_t t0 = now_ms();
	refuses(path, "another program has it open", "a shell in a transaction");
	ok(now_ms() - t0 < 1000, "... within a second");
	sqlite3_close(h);
	db = help_open(path);
	db_close(db);
}

static void test_guard(void)
{
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "guard.db"));
	struct error err = { "" };

	help_begin(db);
	help_commit(db);
	/* What a store for several engines would see: a newer term. */
	if (sqlite3_exec(db->handle, "UPDATE engine SET term = term + 1", NULL,
			 NULL, NULL))
		tap_bail("%s", sqlite3_errmsg(db->handle));
	is_int(db_begin(db, &err), -1, "an engine of an old term may not write");
	ok(strstr(err.text, "another engine has taken over") != NULL,
	   "... and is told so");
	err.text[0] = '\0';
	is_int(db_begin(db, &err), -1, "... for ever");
	ok(strstr(err.text, "taken over") != NULL, "... with the same reason");
	is_int(db_load_machines(db, NULL, NULL, &err), -1, "nor read");
	db_close(db);
}

static void test_foreign_files(void)
{
	static char bytes[1 << 20];
	char path[HELP_PATH], text[200];
	size_t size;
	struct db *db = help_open(help_path(path, "newer.db"));

	db_close(db);
	tamper(path, "PRAGMA user_version = 7777");
	same_file(path, bytes, &size, true);
	snprintf(text, sizeof(text), "was written by a newer Remuda (schema 7777, "
		 "this program knows %d): use that version or restore a backup",
		 db_migration_count);
	refuses(path, text, "a newer schema");
	ok(same_file(path, bytes, &size, false), "... and not touched");

	help_path(path, "other.db");
	tamper(path, "CREATE TABLE recipes (name TEXT)");
	same_file(path, bytes, &size, true);
	refuses(path, "database of another program", "somebody else's database");
	ok(same_file(path, bytes, &size, false), "... and not touched");

	help_path(path, "text.db");
	FILE *f = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "this is a letter, line %d\n", i);
	fclose(f);
	refuses(path, "no database of Remuda", "a text file");

	refuses(help_path(path, "no/such/folder.db"), "No such file",
		"a folder that is not there");
	refuses(help_folder, "", "a folder");
	{
		char lock[HELP_PATH + 8];

		snprintf(lock, sizeof(lock), "%s-lock", help_folder);
		unlink(lock);
	}

	db = help_open(help_path(path, "changed.db"));
	db_close(db);
	tamper(path, "DROP INDEX session_live_on_machine");
	refuses(path, "its tables are not those", "a constraint taken away");
	db = help_open(help_path(path, "trigger.db"));
	db_close(db);
	tamper(path, "CREATE TRIGGER t AFTER INSERT ON event BEGIN "
	       "DELETE FROM session; END");
	refuses(path, "its tables are not those", "a trigger put in");
	db = help_open(help_path(path, "noengine.db"));
	db_close(db);
	tamper(path, "DELETE FROM engine");
	refuses(path, "damaged", "a file without its engine row");
}

/* ---- values this program never writes ------------------------------------------- */

static void on_machine(void *arg, const struct machine_row *row)
{
	(void)row;
	++*(int *)arg;
}

static void test_hostile_values(void)
{
	static const char *const changes[] = {
		"UPDATE machine SET state = 'asleep'",
		"UPDATE machine SET name = printf('%.200c', 'x')",
		"UPDATE machine SET slot = 'one'",
		"UPDATE machine SET slot = 99999999999",
		"UPDATE machine SET incarnation = -4",
		"UPDATE machine SET incarnation = 1.5",
		"UPDATE machine SET reason = x'00ff'",
		"UPDATE machine SET host = char(104, 0, 105)",
		"UPDATE machine SET dirty = 2",
		"UPDATE machine SET session = -1",
	};
	char path[HELP_PATH], sql[256];
	struct error err;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct machine_row m = help_machine(1, 0);
		struct db *db;
		int rows = 0;

		help_forget(help_path(path, "hostile.db"));
		db = help_open(path);
		help_begin(db);
		if (db_save_machine(db, &m, &err) || help_counters(db))
			tap_bail("%s", err.text);
		help_commit(db);
		db_close(db);
		snprintf(sql, sizeof(sql), "PRAGMA ignore_check_constraints = "
			 "ON; %s", changes[i]);
		tamper(path, sql);
		db = help_open(path);
		is_int(db_audit(db, &err), -1, "%s: refused by the audit",
		       changes[i]);
		is_int(db_load_machines(db, on_machine, &rows, &err), -1,
		       "... and by load");
		ok(strstr(err.text, "damaged") && rows == 0,
		   "... as damage, and no row is given");
		db_close(db);
		/* Unclean now: what quick_check can see, open refuses. */
		if (db_open(path, &db, &err) == 0) {
			is_int(db_load_machines(db, on_machine, &rows, &err),
			       -1, "... and by load again");
			db_close(db);
		} else {
			ok(strstr(err.text, "damaged") != NULL,
			   "... and then by open");
		}
	}
}

/* What the audit finds in rows that each alone are possible. */
static void test_audit(void)
{
	static const struct { const char *sql, *want; } cases[] = {
		{ "UPDATE machine SET session = NULL WHERE id = 2",
		  "a machine in session has a live session" },
		{ "UPDATE machine SET state = 'held' WHERE id = 2",
		  "a live session has its machine" },
		{ "CREATE TEMP TABLE later AS SELECT * FROM session; "
		  "UPDATE session SET state = 'lost', ended_wall_ms = 5, "
		  "cleaned_wall_ms = 0; UPDATE later SET id = id + 1, "
		  "incarnation = incarnation + 1; "
		  "INSERT INTO session SELECT * FROM later; "
		  "UPDATE machine SET session = NULL, state = 'cleaning'",
		  "a machine is given on when it is clean" },
		{ "UPDATE machine SET incarnation = 9 WHERE id = 2",
		  "a live session has its machine" },
		{ "DELETE FROM machine WHERE id = 2",
		  "a live session has its machine" },
		{ "UPDATE session SET state = 'lost', ended_wall_ms = 5",
		  "a machine in session has a live session" },
		{ "UPDATE machine SET state = 'ready', dirty = 0 WHERE id = 2",
		  "a ready machine is clean and free" },
		{ "UPDATE session SET state = 'lost', ended_wall_ms = 5, "
		  "machine = 1; UPDATE machine SET state = 'cleaning'",
		  "a machine's session is on that machine" },
		{ "UPDATE session SET state = 'lost', ended_wall_ms = 5, "
		  "incarnation = 8; UPDATE machine SET state = 'held'",
		  "no session is ahead of a machine that left the round" },
		{ "UPDATE machine SET slot = 1", "one machine per slot" },
		{ "UPDATE machine SET uuid = 'x'", "one machine per UUID" },
		{ "UPDATE counter SET next = 5 WHERE name = 'session'",
		  "no id above its counter" },
		{ "DELETE FROM counter WHERE name = 'event'", "seven counters" },
		{ "PRAGMA foreign_keys = OFF; DELETE FROM session",
		  "points to a row that is not there" },
		{ "UPDATE event SET wall_ms = 1", NULL },
	};
	char path[HELP_PATH];
	struct error err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine_row one = help_machine(1, 0);
		struct machine_row two = help_machine(2, 5);
		struct session_row s = help_session(5, 2, 1, "ann");
		struct db *db;

		help_forget(help_path(path, "audit.db"));
		db = help_open(path);
		help_begin(db);
		if (db_save_machine(db, &one, &err) ||
		    db_save_machine(db, &two, &err) ||
		    db_save_session(db, &s, &err) || help_counters(db))
			tap_bail("%s", err.text);
		help_commit(db);
		is_int(db_audit(db, &err), 0, "sound before");
		db_close(db);
		tamper(path, cases[i].sql);
		db = help_open(path);
		err.text[0] = '\0';
		is_int(db_audit(db, &err), cases[i].want ? -1 : 0, "%s",
		       cases[i].sql);
		if (!ok(!cases[i].want || strstr(err.text, cases[i].want),
			"... %s", cases[i].want ? cases[i].want : "is no matter"))
			tap_note("%s", err.text);
		db_close(db);
	}
}

/* ---- migrations ----------------------------------------------------------------------- */

static void die(sqlite3_context *context, int n, sqlite3_value **values)
{
	(void)context;
	(void)n;
	(void)values;
	kill(getpid(), SIGKILL);
}

static const char second_sql[] =
	"-- a comment\n"
	"CREATE TABLE later (id INTEGER PRIMARY KEY, note TEXT);\n"
	"INSERT INTO later (id, note) VALUES (1, 'one; two');\n"
	"ALTER TABLE event ADD COLUMN extra BIGINT;\n"
	"SELECT die();\n"
	"INSERT INTO later (id, note) VALUES (2, 'three');\n";
static const char broken_sql[] =
	"CREATE TABLE later (id INTEGER PRIMARY KEY);\n"
	"INSERT INTO nowhere (id) VALUES (1);\n";

static int count_objects(struct db *db, const char *sql)
{
	int64_t n = -1;

	(void)db_get_int(db, sql, &n, NULL);
	return (int)n;
}

static void test_migration(void)
{
	const int was = db_migration_count, next = was + 1;
	struct db_migration *list = calloc((size_t)next, sizeof(*list));
	char path[HELP_PATH];
	struct error err = { "" };
	struct db *db = help_open(help_path(path, "migrate.db"));
	int status, version;

	if (!list)
		tap_bail("out of memory");
	memcpy(list, db_migrations, (size_t)was * sizeof(*list));
	list[was] = (struct db_migration){ next, "next-second", second_sql };
	db_close(db);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		db = help_open(path);
		sqlite3_create_function(db->handle, "die", 0,
					SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
					die, NULL, NULL);
		(void)db_migrate(db, list, next, was, &err);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "an engine is killed in the middle of a migration");
	db = help_open(path);
	is_int(db_identify(db, was, &version, &err) ? -1 : version, was,
	       "the file is of the old version");
	is_int(count_objects(db, "SELECT count(*) FROM sqlite_schema "
			     "WHERE name = 'later'"), 0,
	       "... with nothing of the new one");
	is_int(db_audit(db, &err), 0, "... and sound");

	list[was] = (struct db_migration){ next, "next-broken", broken_sql };
	is_int(db_migrate(db, list, next, was, &err), -1, "a migration that fails");
	ok(strstr(err.text, "migration next-broken") &&
	   strstr(err.text, "nowhere"), "... is named with its reason");
	db_close(db);
	db = help_open(path);
	is_int(db_audit(db, &err), 0, "... and leaves the old version");

	list[was] = (struct db_migration){ next, "next-good",
		"CREATE TABLE later (id INTEGER PRIMARY KEY);  -- end" };
	is_int(db_migrate(db, list, next, was, &err), 0, "a good one: %s", err.text);
	is_int(db_identify(db, next, &version, &err) ? -1 : version, next,
	       "brings the new version");
	is_int(db_check_schema(db, list, next, &err), 0, "... and its tables");
	is_int(db_check_schema(db, list, was, &err), -1,
	       "... which are not the old ones");
	db_close(db);
	refuses(path, "was written by a newer Remuda", "the program before it");
	free(list);
}

/* ---- ids --------------------------------------------------------------------------------- */

enum { KILLS = 20, TAKEN = 2500 };

/* Takes ids as an engine does: the mark is durable before an id is used. */
static void take_ids(const char *path, int out)
{
	struct db *db = help_open(path);
	uint64_t next = db_counter(db, DB_COUNTER_SESSION), mark = next;

	for (;;) {
		if (next == mark) {
			mark += DB_COUNTER_BLOCK;
			help_begin(db);
			if (db_save_counter(db, DB_COUNTER_SESSION, mark, NULL))
				_exit(1);
			help_commit(db);
		}
		if (write(out, &next, sizeof(next)) != sizeof(next))
			_exit(2);
		next++;
	}
}

static void test_counters(void)
{
	char path[HELP_PATH];
	struct random rnd;
	uint64_t last = 0, id;
	int repeated = 0, taken = 0;
	struct db *db;

	random_seed(&rnd, 4711);
	help_path(path, "counter.db");
	for (int i = 0; i < KILLS; i++) {
		int fds[2];
		uint64_t want = 1 + random_below(&rnd, TAKEN);

		if (pipe(fds))
			tap_bail("pipe");
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			close(fds[0]);
			take_ids(path, fds[1]);
		}
		close(fds[1]);
		for (uint64_t n = 0; read(fds[0], &id, sizeof(id)) == sizeof(id);
		     n++) {
			if (n == want)
				kill(child, SIGKILL);
			repeated += id <= last;
			last = id;
			taken++;
		}
		close(fds[0]);
		waitpid(child, NULL, 0);
	}
	is_int(repeated, 0, "no id is given out twice over %d kill -9", KILLS);
	ok(taken > KILLS * 100, "... of %d taken", taken);
	db = help_open(path);
	ok(db_counter(db, DB_COUNTER_SESSION) > last, "nor by the next engine");
	is_int(db_term(db), KILLS + 1, "each of them had a term");
	uint64_t mark = db_counter(db, DB_COUNTER_SESSION);
	help_begin(db);
	is_int(db_save_counter(db, DB_COUNTER_SESSION, 1, NULL), 0,
	       "a lower mark is no error");
	help_commit(db);
	db_close(db);
	db = help_open(path);
	is_int(db_counter(db, DB_COUNTER_SESSION), mark, "... and lowers nothing");
	db_close(db);
}

int main(void)
{
	help_make_folder();
	test_first();
	test_pragmas();
	test_second();
	test_other_program();
	test_guard();
	test_foreign_files();
	test_hostile_values();
	test_audit();
	test_migration();
	test_counters();
	return tap_done();
}
