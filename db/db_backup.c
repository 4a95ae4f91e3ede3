/*
 * The copy of a live store: SQLite's online backup through the engine's own
 * connection, a mebibyte between two turns.  What turns write meanwhile on this
 * connection goes into both, so the copy is the store as it is at its end.  The
 * checks and the sync are left to a worker thread, on the finished file.
 */
#include "db/db_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/db_internal.h"

struct db_backup {
	struct db *db;
	sqlite3 *to;
	sqlite3_backup *copy;
	char *path;
	bool whole;
};

static int fail(const struct db_backup *b, int rc, const char *what,
		struct error *err)
{
	return error_set(err, "backup %s: %s: %s", b->path, what,
			 sqlite3_errstr(rc));
}

static int create(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      0600);

	if (fd < 0 && errno == EEXIST)
		return error_set(err, "%s exists: a backup overwrites nothing, "
				 "name another file", path);
	if (fd < 0)
		return error_errno(err, "cannot create %s", path);
	close(fd);
	return 0;
}

int db_backup_start(struct db *db, const char *path, struct db_backup **out,
		    struct error *err)
{
	struct db_backup *b;
	int rc;

	*out = NULL;
	if (db_alive(db, err) || create(path, err))
		return -1;
	b = calloc(1, sizeof(*b));
	if (!b || !(b->path = strdup(path))) {
		free(b);
		(void)unlink(path);
		return error_set(err, "backup %s: out of memory", path);
	}
	b->db = db;
	rc = sqlite3_open_v2(path, &b->to, SQLITE_OPEN_READWRITE |
			     SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)	/* made durable once, at the end */
		rc = sqlite3_exec(b->to, "PRAGMA synchronous = OFF;"
				  "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL,
				  NULL);
	if (rc == SQLITE_OK) {
		b->copy = sqlite3_backup_init(b->to, "main", db->handle, "main");
		rc = b->copy ? SQLITE_OK : sqlite3_errcode(b->to);
	}
	if (rc != SQLITE_OK) {
		fail(b, rc, "cannot begin", err);
		db_backup_end(b);
		return -1;
	}
	*out = b;
	return 0;
}

int db_backup_step(struct db_backup *b, struct error *err)
{
	int rc;

	if (db_alive(b->db, err))
		return -1;
	rc = sqlite3_backup_step(b->copy, DB_BACKUP_STEP_PAGES);
	if (rc == SQLITE_DONE) {
		b->whole = true;
		return 0;
	}
	return rc == SQLITE_OK ? 1 : fail(b, rc, "cannot copy", err);
}

uint64_t db_backup_bytes(const struct db_backup *b)
{
	int64_t pages = sqlite3_backup_pagecount(b->copy);

	return (uint64_t)pages * 4096;
}

void db_backup_end(struct db_backup *b)
{
	if (!b)
		return;
	if (b->copy)
		sqlite3_backup_finish(b->copy);
	sqlite3_close(b->to);
	if (!b->whole)
		(void)unlink(b->path);
	free(b->path);
	free(b);
}

/* ---- the seal --------------------------------------------------------------- */

static int run(sqlite3 *to, const char *sql, const char *path, struct error *err)
{
	return sqlite3_exec(to, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
		error_set(err, "backup %s: %s", path, sqlite3_errmsg(to));
}

static int write_note(sqlite3 *to, const char *path,
		      const struct db_backup_note *note, struct error *err)
{
	static const char sql[] = "INSERT INTO remuda_backup (site, version, "
		"host, wall_ms, site_key) VALUES ($1, $2, $3, $4, $5)";
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(to, sql, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, note->site, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, note->version, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 3, note->host, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 4, note->wall_ms);
		sqlite3_bind_text(st, 5, note->key, -1, SQLITE_STATIC);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 :
		error_set(err, "backup %s: %s", path, sqlite3_errmsg(to));
}

static int check_pages(sqlite3 *to, const char *path, struct error *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(to, "PRAGMA integrity_check(1)", -1, &st,
				    NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	const char *text = rc == SQLITE_ROW ?
			(const char *)sqlite3_column_text(st, 0) : NULL;
	bool sound = text && strcmp(text, "ok") == 0;
	if (!sound)
		error_set(err, "backup %s: the copy is not sound: %s", path,
			  text ? text : sqlite3_errmsg(to));
	sqlite3_finalize(st);
	return sound ? 0 : -1;
}

int db_backup_seal(const char *path, const struct db_backup_note *note,
		   struct error *err)
{
	sqlite3 *to = NULL;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE |
				 SQLITE_OPEN_NOMUTEX, NULL);

	rc = rc != SQLITE_OK ?
		     error_set(err, "backup %s: %s", path, sqlite3_errmsg(to)) :
		     0;
	/* One file: no WAL beside it. */
	if (rc == 0)
		rc = run(to, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = "
			 "FULL; CREATE TABLE remuda_backup (site TEXT, version "
			 "TEXT, host TEXT, wall_ms BIGINT, site_key TEXT)",
			 path, err);
	if (rc == 0)
		rc = check_pages(to, path, err) || write_note(to, path, note, err);
	sqlite3_close(to);
	/* Its own pages were written without a sync. */
	int fd = rc ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (rc == 0 && (fd < 0 || fsync(fd)))
		rc = error_errno(err, "backup %s", path);
	if (fd >= 0)
		close(fd);
	if (rc)
		(void)unlink(path);
	return rc ? -1 : 0;
}
