/*
 * Backups of a live site: the store is copied in small steps between turns
 * (db/db_backup.h), then checked and made durable on a worker thread.  One at a
 * time.  And restore, which needs no loop: it runs where no engine does.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_backup.h"
#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/control.h"

enum { STEP_MS = 1 };

struct backup {
	struct shell *sh;
	uv_timer_t timer;
	uv_work_t work;
	struct db_backup *copy;
	uint64_t client;	/* who waits for it */
	int64_t id;
	uint64_t bytes;
	char path[1024];
	struct db_backup_note note;
	int rc;			/* of the seal */
	struct error err;
};

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void finish(struct backup *b, bool ok, const char *text)
{
	struct shell *sh = b->sh;

	control_answer(sh, b->client, b->id, ok, "failed", text);
	if (ok)
		log_info("%s", text);
	else
		log_error("%s", text);
	db_backup_end(b->copy);
	b->copy = NULL;
	sh->backup = NULL;
	uv_close((uv_handle_t *)&b->timer, on_closed);
}

static void seal(uv_work_t *work)
{
	struct backup *b = work->data;

	b->rc = db_backup_seal(b->path, &b->note, &b->err);
}

static void on_sealed(uv_work_t *work, int status)
{
	struct backup *b = work->data;
	char text[1600];

	(void)status;
	snprintf(text, sizeof(text), "%s: %" PRIu64 " bytes, with the site's texts "
		 "and its whole history%s; not in it: images and volumes of "
		 "machines%s", b->path, b->bytes,
		 b->note.key[0] ? ", with site.key" : "",
		 b->note.key[0] ? "" : ", and site.key (--with-key)");
	finish(b, b->rc == 0, b->rc == 0 ? text : b->err.text);
}

static void on_step(uv_timer_t *timer)
{
	struct backup *b = timer->data;
	int rc = db_backup_step(b->copy, &b->err);

	if (rc == 1)
		return;
	uv_timer_stop(timer);
	if (rc < 0) {
		finish(b, false, b->err.text);
		return;
	}
	b->bytes = db_backup_bytes(b->copy);
	b->note.wall_ms = shell_wall_ms();
	db_backup_end(b->copy);
	b->copy = NULL;
	b->work.data = b;
	uv_queue_work(&b->sh->loop, &b->work, seal, on_sealed);
}

static void take_key(const struct shell *sh, char out[2 * SHELL_KEY_SIZE + 1])
{
	for (int i = 0; i < SHELL_KEY_SIZE; i++)
		snprintf(out + 2 * i, 3, "%02x", sh->key[i]);
}

int backup_start(struct shell *sh, uint64_t client, int64_t id, const char *path,
		 bool with_key, struct error *err)
{
	struct backup *b;

	if (sh->backup)
		return error_set(err, "a backup to %s is being made",
				 sh->backup->path);
	if (path[0] != '/' || strlen(path) >= sizeof(b->path))
		return error_set(err, "a backup needs an absolute path");
	b = calloc(1, sizeof(*b));
	CHECK("", b, "out of memory");
	if (db_backup_start(sh->db, path, &b->copy, err) < 0) {
		free(b);
		return -1;
	}
	b->sh = sh;
	b->client = client;
	b->id = id;
	TEXT_SET(b->path, path);
	TEXT_SET(b->note.site, sh->world.spec.name);
	TEXT_SET(b->note.version, REMUDA_VERSION);
	gethostname(b->note.host, sizeof(b->note.host) - 1);
	if (with_key)
		take_key(sh, b->note.key);
	sh->backup = b;
	b->timer.data = b;
	uv_timer_init(&sh->loop, &b->timer);
	uv_timer_start(&b->timer, on_step, STEP_MS, STEP_MS);
	return 0;
}

void backup_stop(struct shell *sh)
{
	if (sh->backup)
		db_backup_end(sh->backup->copy);
	sh->backup = NULL;
}

/* ---- restore ------------------------------------------------------------------ */

/* A file that is not there yet; 1 when it is. */
static int write_new(const char *path, const void *bytes, size_t length,
		     mode_t mode, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      mode);
	int rc = 0;

	if (fd < 0)
		return errno == EEXIST ? 1 : error_errno(err, "cannot write %s",
							 path);
	if (write(fd, bytes, length) != (ssize_t)length || fsync(fd))
		rc = error_errno(err, "cannot write %s", path);
	close(fd);
	return rc;
}

static int restore_key(const struct engine_restore *o, const char *hex,
		       bool *other, struct error *err)
{
	uint8_t key[SHELL_KEY_SIZE], is[SHELL_KEY_SIZE];
	char path[1200];

	*other = false;
	if (strlen(hex) != 2 * SHELL_KEY_SIZE)
		return 0;
	for (int i = 0; i < SHELL_KEY_SIZE; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &key[i]) != 1)
			return error_set(err, "the backup's site key is damaged");
	snprintf(path, sizeof(path), "%s/site.key", o->state_dir);
	int rc = write_new(path, key, sizeof(key), 0600, err);
	if (rc != 1)
		return rc;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	*other = fd < 0 || read(fd, is, sizeof(is)) != (ssize_t)sizeof(is) ||
		 memcmp(key, is, sizeof(is)) != 0;
	if (fd >= 0)
		close(fd);
	return 0;
}

static void make_folders(const char *path)
{
	char folder[1400];

	TEXT_SET(folder, path);
	for (char *p = folder + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		(void)mkdir(folder, 0755);	/* the file's error says it */
	}
}

/* The site file and its modules, where there is no site file. */
static int restore_texts(const struct engine_restore *o, struct db *db,
			 unsigned *written, struct error *err)
{
	char path[1400];
	struct db_bundle b;
	struct slice name, body;
	size_t at = 0;
	int rc = db_load_bundle(db, "", &b, err);

	*written = 0;
	if (rc != 1)
		return rc < 0 ? -1 : 0;
	size_t length = strlen(b.source);
	rc = access(o->site_file, F_OK) == 0;
	for (bool first = true; rc == 0 && source_next(b.source, length, &at,
						       &name, &body); first = false) {
		int folder = (int)(strrchr(o->site_file, '/') - o->site_file);

		if (first)
			TEXT_SET(path, o->site_file);
		else
			snprintf(path, sizeof(path), "%.*s/%.*s.lua", folder,
				 o->site_file, (int)name.length, name.ptr);
		for (char *p = path + folder; !first && p < path + strlen(path) - 4;
		     p++)
			if (*p == '.')
				*p = '/';
		make_folders(path);
		rc = write_new(path, body.ptr, body.length, 0640, err);
		*written += rc == 0;
		rc = rc < 0 ? -1 : 0;
	}
	db_bundle_free(&b);
	return rc < 0 ? -1 : 0;
}

int engine_restore(const struct engine_restore *o, char *text, size_t size,
		   struct error *err)
{
	struct db_restored r;
	struct db *db;
	char path[1200];
	unsigned files = 0;
	bool other = false;

	snprintf(path, sizeof(path), "%s/remuda.db", o->state_dir);
	if (db_restore(o->backup, path, o->force, shell_wall_ms(), &r, err) < 0)
		return -1;
	if (restore_key(o, r.note.key, &other, err) < 0 ||
	    db_open(path, &db, err) < 0)
		return -1;
	int rc = restore_texts(o, db, &files, err);
	db_close(db);
	if (rc < 0)
		return -1;
	int n = snprintf(text, size, "site %s restored as it was on %s: %" PRIu64
		" sessions that lived then are lost, %" PRIu64
		" machines will be made anew", r.note.site, r.note.host, r.lost,
		r.machines);
	if (files && n < (int)size)
		n += snprintf(text + n, size - (size_t)n, "; %u site files written",
			      files);
	if (r.aside[0] && n < (int)size)
		n += snprintf(text + n, size - (size_t)n,
			      "; the store of before is %s", r.aside);
	if (n < (int)size && (!r.note.key[0] || other))
		snprintf(text + n, size - (size_t)n, "; %s: machines made with "
			 "another key are not known as ours", other ?
			 "the site.key that is here differs and stays" :
			 "site.key is not in the backup");
	return 0;
}
