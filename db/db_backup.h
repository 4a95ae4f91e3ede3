/*
 * Backups: a copy of a live store in small steps, and a store made from one.
 * A backup is one file, a database of its own: the store as it was when the
 * copy ended, and a table that says what it is.
 */
#ifndef REMUDA_DB_BACKUP_H
#define REMUDA_DB_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct error;
struct db_backup;

enum { DB_BACKUP_STEP_PAGES = 256 };	/* 1 MiB */

/* What a backup says about itself. */
struct db_backup_note {
	char site[64], version[32], host[64];
	int64_t wall_ms;
	char key[65];		/* the site key in hex, or "" */
};

/* Creates the file (0600), which must not exist.  The copy ends with db. */
int db_backup_start(struct db *db, const char *path, struct db_backup **out,
		    struct error *err);
/* Copies more, between turns: 1 = more waits, 0 = all is copied, -1 = error. */
int db_backup_step(struct db_backup *b, struct error *err);
uint64_t db_backup_bytes(const struct db_backup *b);
/* Ends it; a file that was not copied whole is removed. */
void db_backup_end(struct db_backup *b);
/*
 * Seals a whole copy: checks every page, writes the note, makes the file
 * durable.  For a worker thread: touches no struct db.  Removes the file when
 * it fails.
 */
int db_backup_seal(const char *path, const struct db_backup_note *note,
		   struct error *err);

struct db_restored {
	struct db_backup_note note;
	char aside[1100];	/* where the store of before is now, or "" */
	uint64_t lost;		/* sessions that lived when the backup was made */
	uint64_t machines;
};
/*
 * Makes the store at path from a backup: no engine may use it.  Ids and
 * incarnations jump far ahead, sessions that lived are lost, every machine is
 * dirty and will be made anew.  An existing store is refused, or kept aside
 * with force.  Until the last step, a rename, path is as it was.
 */
int db_restore(const char *backup, const char *path, bool force,
	       int64_t wall_ms, struct db_restored *out, struct error *err);

#endif
