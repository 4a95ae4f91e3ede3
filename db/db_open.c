/*
 * Opening and closing the memory.
 *
 * One process, one connection: SQLite before 3.51.3 can corrupt a WAL file
 * that two connections write (reliability.md finding 6), and a second engine
 * on the same machines would be worse than that (S23).  Two locks see to it:
 * flock on FILE-lock, which also tells the loser who has it, and SQLite's own
 * exclusive locking, which keeps every other program out.  The flock is shared
 * with children until they exec; one that never does would keep it.
 *
 * Not guaranteed: protection against a file on a network file system whose
 * locks do not work, and detection of flipped bits in columns that stand in no
 * index (SQLite keeps no checksum of pages).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "db/db_internal.h"

enum {
	/* A predecessor that was just killed may take a moment to be gone. */
	LOCK_WAIT_MS = 500,
	LOCK_NAP_MS = 10,
	WAL_PAGES = 4000,			/* then checkpoint: 16 MiB */
	WAL_LIMIT_BYTES = 16 * 1024 * 1024,	/* kept after a large batch */
	CACHE_KIB = 16 * 1024,
	VALUE_LIMIT_BYTES = 64 * 1024 * 1024,
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int refuse_second(const struct db *db, int fd, struct error *err)
{
	char pid[16] = "";

	if (pread(fd, pid, sizeof(pid) - 1, 0) <= 0 || atol(pid) <= 0)
		return error_set(err, "another engine is using this database "
				 "(%s)", db->path);
	return error_set(err, "another engine (pid %ld) is using this database "
			 "(%s)", atol(pid), db->path);
}

int db_take_lock(struct db *db, struct error *err)
{
	char name[4096], pid[16];
	int64_t deadline_ms = now_ms() + LOCK_WAIT_MS;

	if ((size_t)snprintf(name, sizeof(name), "%s-lock", db->path) >=
	    sizeof(name))
		return error_set(err, "%s: the path is too long", db->path);
	db->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			   0600);
	if (db->lock_fd < 0)
		return error_errno(err, "cannot open %s", name);
	while (flock(db->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, "cannot lock %s", name);
		if (now_ms() >= deadline_ms)
			return refuse_second(db, db->lock_fd, err);
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_NAP_MS * 1000000 },
			  NULL);
	}
	/* For people and for the next one's message: the lock is what counts. */
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(db->lock_fd, 0) ||
	    pwrite(db->lock_fd, pid, strlen(pid), 0) != (ssize_t)strlen(pid))
		return error_errno(err, "cannot write %s", name);
	return 0;
}

/* Creates the file for its owner alone, whatever the umask is; SQLite gives
 * the WAL the same rights. */
static int create_file(const struct db *db, struct error *err)
{
	int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	int rc = -1;

	if (fd < 0)
		return error_errno(err, "cannot open %s", db->path);
	if (fstat(fd, &st))
		error_errno(err, "cannot look at %s", db->path);
	else if (!S_ISREG(st.st_mode))
		error_set(err, "%s is no regular file", db->path);
	else if ((st.st_mode & 0077) && fchmod(fd, 0600))
		error_errno(err, "cannot take others' rights from %s", db->path);
	else
		rc = 0;
	/* Before SQLite locks the file: closing drops a process's locks. */
	close(fd);
	return rc;
}

/* After every commit: notes how long the WAL is; db_begin acts on it. */
static int on_wal(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = arg;

	(void)handle;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static int configure(struct db *db, struct error *err)
{
	static const struct { int option, value; } switches[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
	};
	char pragmas[256];

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		int is = -1;

		sqlite3_db_config(db->handle, switches[i].option,
				  switches[i].value, &is);
		if (is != switches[i].value)
			return error_set(err, "SQLite %s lacks switch %d",
					 sqlite3_libversion(),
					 switches[i].option);
	}
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, VALUE_LIMIT_BYTES);
	sqlite3_busy_timeout(db->handle, LOCK_WAIT_MS);
	snprintf(pragmas, sizeof(pragmas),
		 "PRAGMA locking_mode = EXCLUSIVE; PRAGMA mmap_size = 0;"
		 "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;"
		 "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -%d;"
		 "PRAGMA journal_size_limit = %d",
		 CACHE_KIB, WAL_LIMIT_BYTES);
	/* Takes the place of SQLite's own checkpoints, which hide errors. */
	db->checkpoint_pages = WAL_PAGES;
	sqlite3_wal_hook(db->handle, on_wal, db);
	return db_exec(db, pragmas, err);
}

static int use_wal(struct db *db, struct error *err)
{
	char mode[16];

	if (db_get_text(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode),
			err))
		return -1;
	if (strcmp(mode, "wal") != 0)
		return error_set(err, "%s: this file system cannot hold a WAL "
				 "(journal mode stays %s): put the database on "
				 "a local disk", db->path, mode);
	return 0;
}

/*
 * After a crash: look at every page, then write what the WAL holds into the
 * file with a sync of its own.  Pages whose first sync failed may be marked
 * clean by the kernel, so an old sync must not be relied on.
 */
static int recover(struct db *db, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_CLOSED, err);
	char verdict[256];

	if (!st)
		return -1;
	int rc = db_step(db, st, err);
	int closed = rc == 1 ? sqlite3_column_int(st->stmt, 0) : 0;
	if (rc < 0)
		return -1;
	sqlite3_reset(st->stmt);
	if (closed)
		return 0;
	if (db_get_text(db, "PRAGMA quick_check(1)", verdict, sizeof(verdict),
			err))
		return -1;
	if (strcmp(verdict, "ok") != 0)
		return error_set(err, "%s is damaged (%s): restore a backup",
				 db->path, verdict);
	return db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}

static int take_term(struct db *db, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_TAKE_TERM, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, getpid());
	int rc = db_step(db, st, err);
	if (rc == 0)
		return error_set(err, "%s is damaged: it has no engine row: "
				 "restore a backup", db->path);
	if (rc < 0)
		return -1;
	db->term = (uint64_t)sqlite3_column_int64(st->stmt, 0);
	return db_run(db, st, err);
}

static int read_counters(struct db *db, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_COUNTERS, err);
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(db, st, err)) == 1) {
		const char *name = (const char *)sqlite3_column_text(st->stmt,
								     0);
		int64_t next = sqlite3_column_int64(st->stmt, 1);

		for (int i = 0; i < DB_COUNTERS; i++)
			if (name && strcmp(name, db_counter_names[i]) == 0 &&
			    next > (int64_t)db->next[i])
				db->next[i] = (uint64_t)next;
	}
	return rc;
}

/* Before SQLite's first use in this process: no statistics of its memory, which
 * cost a lock for every piece of it.  Later it is refused, and does not matter. */
static void spare_statistics(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_all(struct db *db, struct error *err)
{
	int version;

	spare_statistics();
	if (db_take_lock(db, err) || create_file(db, err))
		return -1;
	int rc = sqlite3_open_v2(db->path, &db->handle,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				 NULL);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, err);
	/* Nothing is written before it is known to be ours to write. */
	if (configure(db, err) ||
	    db_identify(db, db_migrations[db_migration_count - 1].version,
			&version, err) ||
	    use_wal(db, err))
		return -1;
	if (version > 0 && recover(db, err))
		return -1;
	if (db_migrate(db, db_migrations, db_migration_count, version, err) ||
	    db_check_schema(db, db_migrations, db_migration_count, err) ||
	    read_counters(db, err) || take_term(db, err))
		return -1;
	sqlite3_busy_timeout(db->handle, 0);
	return 0;
}

static void free_db(struct db *db)
{
	map_fini(&db->runs);
	db_stmts_close(db);
	sqlite3_close(db->handle);
	/* Last: it is what keeps the next engine waiting. */
	if (db->lock_fd >= 0)
		close(db->lock_fd);
	free(db->path);
	free(db);
}

int db_open(const char *path, struct db **out, struct error *err)
{
	struct db *db = calloc(1, sizeof(*db));

	*out = NULL;
	if (!db)
		return error_set(err, "database %s: out of memory", path);
	db->lock_fd = -1;
	db->path = strdup(path);
	if (!db->path) {
		free_db(db);
		return error_set(err, "database %s: out of memory", path);
	}
	if (open_all(db, err)) {
		/* An opening that failed leaves the file as it found it. */
		if (db->handle)
			sqlite3_db_config(db->handle,
					  SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
					  NULL);
		free_db(db);
		return -1;
	}
	*out = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	if (db->in_batch)
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	struct db_statement *st = db_stmt(db, STMT_SAY_CLOSED, NULL);
	if (st) {
		/* When this fails the next open checks the file, no more. */
		db_bind_int(st, 1, (int64_t)db->term);
		(void)db_run(db, st, NULL);
	}
	/* A file that failed is left alone: its WAL is what recovery reads. */
	if (db->dead)
		sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
				  1, NULL);
	free_db(db);
}

uint64_t db_term(const struct db *db)
{
	return db->term;
}

uint64_t db_counter(const struct db *db, enum db_counter counter)
{
	return db->next[counter];
}
