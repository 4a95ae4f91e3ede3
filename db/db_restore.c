/*
 * A store made from a backup (db_backup.h).  The copy is prepared under another
 * name, whole and durable, and then renamed.
 *
 * The world went on after the backup was made: ids were given out, machines
 * were cleaned and given away, sessions ended.  So ids and incarnations jump
 * further than that can have been, and nothing about a machine is believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_backup.h"
#include "db/db_internal.h"

enum { NAME_SIZE = 1100 };

/* ---- the backup --------------------------------------------------------------- */

static int column_text(sqlite3_stmt *st, int i, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(st, i);

	return snprintf(out, size, "%s", text ? text : "") < (int)size ? 0 : -1;
}

static int read_note(struct db *from, struct db_backup_note *note,
		     struct error *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(from->handle, "SELECT site, version, host, "
				    "wall_ms, site_key FROM remuda_backup", -1,
				    &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		note->wall_ms = sqlite3_column_int64(st, 3);
		rc = column_text(st, 0, note->site, sizeof(note->site)) ||
		     column_text(st, 1, note->version, sizeof(note->version)) ||
		     column_text(st, 2, note->host, sizeof(note->host)) ||
		     column_text(st, 4, note->key, sizeof(note->key)) ?
			     SQLITE_ERROR : SQLITE_ROW;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 :
		error_set(err, "%s is no backup of Remuda, or one that was not "
			  "finished", from->path);
}

static int check_backup(const char *backup, struct db_backup_note *note,
			struct error *err)
{
	struct db from = { .path = (char *)backup, .lock_fd = -1 };
	int version, rc = sqlite3_open_v2(backup, &from.handle,
			SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	char verdict[256];

	if (access(backup, R_OK))
		rc = error_errno(err, "cannot read %s", backup);
	else if (rc != SQLITE_OK)
		rc = db_fail(&from, rc, err);
	else if (db_identify(&from, db_migrations[db_migration_count - 1].version,
			     &version, err) ||
		 read_note(&from, note, err) ||
		 db_get_text(&from, "PRAGMA integrity_check(1)", verdict,
			     sizeof(verdict), err))
		rc = -1;
	else if (strcmp(verdict, "ok") != 0)
		rc = error_set(err, "%s is damaged (%s)", backup, verdict);
	sqlite3_close(from.handle);
	return rc ? -1 : 0;
}

static int copy_bytes(int from, int to)
{
	char bytes[1 << 16];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < n;) {
			ssize_t w = write(to, bytes + at, (size_t)(n - at));

			if (w < 0)
				return -1;
			at += w;
		}
	return n < 0 || fsync(to) ? -1 : 0;
}

static int copy_file(const char *from, const char *to, struct error *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC |
				     O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = in < 0 || out < 0 || copy_bytes(in, out) ?
			 error_errno(err, "cannot copy %s to %s", from, to) : 0;

	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return rc;
}

/* ---- what is true no more --------------------------------------------------------- */

/* Each once, in one commit.  JUMP is beyond what any site hands out between two
 * backups, and 63 bits have room for billions of them. */
#define JUMP "1000000000"
/* $1: now; $2: when the backup was made. */
static const char *const changes[] = {
	"UPDATE engine SET term = term + 1000000, boot = '', closed = 1",
	"UPDATE counter SET next = next + " JUMP,
	"UPDATE session SET state = 'lost', ended_wall_ms = $1, "
	"end_text = 'the store was restored from a backup' "
	"WHERE ended_wall_ms = 0",
	"UPDATE machine SET state = 'cleaning', rung = 'rebuild', dirty = 1, "
	"session = NULL, incarnation = incarnation + " JUMP ", failures = 0, "
	"reason = 'the store was restored from a backup', "
	"since_wall_ms = $1, created_wall_ms = 0, node = 'none', change_id = 0, "
	"ledger = 0 WHERE state <> 'gone'",
	/* How long they went on after the backup, nobody knows. */
	"UPDATE ledger SET estimated = 1, length_ms = CASE "
	"WHEN start_wall_ms + length_ms > $2 THEN length_ms "
	"ELSE $2 - start_wall_ms END, end_wall_ms = CASE "
	"WHEN start_wall_ms + length_ms > $2 THEN start_wall_ms + length_ms "
	"ELSE $2 END WHERE end_wall_ms = 0",
	"UPDATE change SET state = 'failed', ended_wall_ms = $1, "
	"text = 'the store was restored from a backup' "
	"WHERE ended_wall_ms = 0",
	/* Some were spent or deleted since: none of them counts. */
	"DELETE FROM token",
	"DELETE FROM joined",
	"UPDATE machine_run SET until_wall_ms = since_wall_ms "
	"WHERE until_wall_ms = 0",
	/* Spent since, or given to somebody who must not have them any more. */
	"DELETE FROM token",
	"UPDATE session SET ticket = '' WHERE ticket <> ''",
};

static int change(struct db *db, const char *sql, int64_t wall_ms,
		  int64_t backup_wall_ms, struct error *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);
	int now = rc == SQLITE_OK ? sqlite3_bind_parameter_index(st, "$1") : 0;
	int then = rc == SQLITE_OK ? sqlite3_bind_parameter_index(st, "$2") : 0;

	if (now)
		sqlite3_bind_int64(st, now, wall_ms);
	if (then)
		sqlite3_bind_int64(st, then, backup_wall_ms);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	int result = rc == SQLITE_DONE ? 0 : db_fail(db, rc, err);
	sqlite3_finalize(st);
	return result;
}

static int make_true(struct db *db, int64_t wall_ms, struct db_restored *out,
		     struct error *err)
{
	int64_t lost, machines;

	if (db_get_int(db, "SELECT count(*) FROM session WHERE ended_wall_ms = 0",
		       &lost, err) ||
	    db_get_int(db, "SELECT count(*) FROM machine WHERE state <> 'gone'",
		       &machines, err) ||
	    db_exec(db, "BEGIN IMMEDIATE", err))
		return -1;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (change(db, changes[i], wall_ms, out->note.wall_ms, err))
			return -1;
	out->lost = (uint64_t)lost;
	out->machines = (uint64_t)machines;
	return db_exec(db, "COMMIT", err);
}

/* Brings a copy of a backup up to this program and to what is true. */
static int prepare(const char *path, int64_t wall_ms, struct db_restored *out,
		   struct error *err)
{
	sqlite3 *handle = NULL;
	struct db *db;
	int rc = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE |
				 SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(handle, "DROP TABLE remuda_backup", NULL, NULL,
				  NULL);
	if (rc != SQLITE_OK)
		error_set(err, "%s: %s", path, sqlite3_errmsg(handle));
	sqlite3_close(handle);
	if (rc != SQLITE_OK || db_open(path, &db, err))
		return -1;
	rc = make_true(db, wall_ms, out, err) || db_audit(db, err) ||
	     db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
	db_close(db);
	return rc ? -1 : 0;
}

/* ---- names ------------------------------------------------------------------------- */

static const char *const ends[] = { "", "-wal", "-shm", "-journal" };

static int move_aside(const char *path, int64_t wall_ms, char *aside,
		      struct error *err)
{
	char from[NAME_SIZE + 16], to[NAME_SIZE + 16];

	if (snprintf(aside, NAME_SIZE, "%s.before-%" PRId64, path,
		     wall_ms / 1000) >= NAME_SIZE)
		return error_set(err, "%s: the path is too long", path);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", path, ends[i]);
		snprintf(to, sizeof(to), "%s%s", aside, ends[i]);
		if (rename(from, to) && errno != ENOENT)
			return error_errno(err, "cannot move %s to %s", from, to);
	}
	return 0;
}

static int sync_folder(const char *path, struct error *err)
{
	char folder[NAME_SIZE];

	snprintf(folder, sizeof(folder), "%s", path);
	const char *name = dirname(folder);
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? error_errno(err, "folder %s", name) : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static void remove_work(const char *work)
{
	static const char *const all[] = { "", "-wal", "-shm", "-journal",
					   "-lock" };
	char name[NAME_SIZE + 32];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", work, all[i]);
		(void)unlink(name);
	}
}

/* With the lock of path held. */
static int restore_locked(const char *backup, const char *path, bool force,
			  int64_t wall_ms, struct db_restored *out,
			  struct error *err)
{
	char work[NAME_SIZE];
	bool exists = access(path, F_OK) == 0;

	if (exists && !force)
		return error_set(err, "%s exists: restore over it with --force, "
				 "which keeps it aside", path);
	if (snprintf(work, sizeof(work), "%s.new", path) >= (int)sizeof(work))
		return error_set(err, "%s: the path is too long", path);
	remove_work(work);
	int rc = check_backup(backup, &out->note, err) ||
		 copy_file(backup, work, err) ||
		 prepare(work, wall_ms, out, err) ||
		 (exists && move_aside(path, wall_ms, out->aside, err));
	if (rc == 0 && rename(work, path))
		rc = error_errno(err, "cannot rename %s", work);
	remove_work(work);
	return rc || sync_folder(path, err) ? -1 : 0;
}

int db_restore(const char *backup, const char *path, bool force,
	       int64_t wall_ms, struct db_restored *out, struct error *err)
{
	struct db lock = { .path = (char *)path, .lock_fd = -1 };
	int rc;

	*out = (struct db_restored){ .lost = 0 };
	rc = db_take_lock(&lock, err);
	if (rc == 0)
		rc = restore_locked(backup, path, force, wall_ms, out, err);
	if (lock.lock_fd >= 0)
		close(lock.lock_fd);
	return rc ? -1 : 0;
}
