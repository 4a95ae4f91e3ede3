/*
 * Site texts by the hash of their bytes, and which was in force when.  A text
 * is stored once however often it comes back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"

int db_save_bundle(struct db *db, const char *hash, const char *json,
		   const char *source, int64_t wall_ms, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_SAVE_BUNDLE, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, hash);
	db_bind_text(st, 2, json);
	db_bind_text(st, 3, source);
	db_bind_int(st, 4, wall_ms);
	if (db_batch_run(db, st, err))
		return error_wrap(err, "saving site %s", hash);
	return 0;
}

int db_save_site_version(struct db *db, const char *hash, const char *who,
			 int64_t wall_ms, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_SAVE_SITE_VERSION, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, hash);
	db_bind_text(st, 2, who);
	db_bind_int(st, 3, wall_ms);
	if (db_batch_run(db, st, err))
		return error_wrap(err, "saving that site %s is in force", hash);
	return 0;
}

static void copy_column(struct db_statement *st, int i, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(st->stmt, i);

	snprintf(out, size, "%s", text ? text : "");
}

static char *take_column(struct db_statement *st, int i)
{
	const char *text = (const char *)sqlite3_column_text(st->stmt, i);

	return text ? strdup(text) : NULL;
}

static void on_newest(void *arg, const struct db_site_version *v)
{
	memcpy(arg, v->hash, sizeof(v->hash));
}

static int load_first(struct db *db, struct db_statement *st,
		      struct db_bundle *out, struct error *err)
{
	copy_column(st, 0, out->hash, sizeof(out->hash));
	out->json = take_column(st, 1);
	out->source = take_column(st, 2);
	out->wall_ms = sqlite3_column_int64(st->stmt, 3);
	int rc = db_step(db, st, err);
	sqlite3_reset(st->stmt);
	if (rc == 0 && (!out->json || !out->source))
		return error_set(err, "out of memory reading site %s", out->hash);
	return rc < 0 ? -1 : rc + 1;
}

int db_load_bundle(struct db *db, const char *hash, struct db_bundle *out,
		   struct error *err)
{
	char newest[65] = "";

	*out = (struct db_bundle){ .wall_ms = 0 };
	if (!hash[0]) {
		if (db_query_site_versions(db, 1, on_newest, newest, err))
			return -1;
		if (!newest[0])
			return 0;
		hash = newest;
	}
	struct db_statement *st = db_stmt(db, STMT_LOAD_BUNDLES, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, hash);
	int rc = db_step(db, st, err);
	if (rc == 1)
		rc = load_first(db, st, out, err);
	if (rc != 1)
		db_bundle_free(out);
	return rc;
}

void db_bundle_free(struct db_bundle *b)
{
	free(b->json);
	free(b->source);
	*b = (struct db_bundle){ .wall_ms = 0 };
}

int db_query_site_versions(struct db *db, uint32_t limit,
			   void (*on_row)(void *, const struct db_site_version *),
			   void *arg, struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_SITE_VERSIONS, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, limit ? limit : 100);
	while ((rc = db_step(db, st, err)) == 1) {
		struct db_site_version v = {
			.id = (uint64_t)sqlite3_column_int64(st->stmt, 0),
			.wall_ms = sqlite3_column_int64(st->stmt, 3),
			.bytes = (uint64_t)sqlite3_column_int64(st->stmt, 4),
		};

		copy_column(st, 1, v.hash, sizeof(v.hash));
		copy_column(st, 2, v.who, sizeof(v.who));
		on_row(arg, &v);
	}
	return rc;
}
