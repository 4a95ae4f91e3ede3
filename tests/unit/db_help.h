/*
 * What the tests of the store share: a folder of their own, rows whose every
 * field is filled, and collectors for callbacks.
 */
#ifndef REMUDA_TESTS_UNIT_DB_HELP_H
#define REMUDA_TESTS_UNIT_DB_HELP_H

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "engine/base/random.h"
#include "engine/base/text.h"
#include "tests/tap.h"

enum { HELP_PATH = 512 };

static char help_folder[HELP_PATH - 64];

static inline void help_remove_folder(void)
{
	DIR *d = opendir(help_folder);
	struct dirent *e;
	char path[2 * HELP_PATH];

	if (!d)
		return;
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", help_folder, e->d_name);
		(void)unlink(path);
	}
	closedir(d);
	(void)rmdir(help_folder);
}

/* A fresh folder, gone at exit. */
static inline void help_make_folder(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(help_folder, sizeof(help_folder), "%s/remuda-db-XXXXXX",
		 base ? base : "/tmp");
	if (!mkdtemp(help_folder))
		tap_bail("cannot make %s", help_folder);
	atexit(help_remove_folder);
}

static inline const char *help_path(char out[HELP_PATH], const char *name)
{
	snprintf(out, HELP_PATH, "%s/%s", help_folder, name);
	return out;
}

static inline void help_forget(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-lock",
					    "-journal" };
	char name[HELP_PATH + 16];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

static inline struct db *help_open(const char *path)
{
	struct error err = { "" };
	struct db *db;

	if (db_open(path, &db, &err))
		tap_bail("db_open: %s", err.text);
	return db;
}

static inline void help_begin(struct db *db)
{
	struct error err = { "" };

	if (db_begin(db, &err))
		tap_bail("db_begin: %s", err.text);
}

static inline void help_commit(struct db *db)
{
	struct error err = { "" };

	if (db_commit(db, &err))
		tap_bail("db_commit: %s", err.text);
}

/* Raises all counters by a block above what tests use; 0 or -1. */
static inline int help_counters(struct db *db)
{
	int rc = 0;

	for (int i = 0; i < DB_COUNTERS; i++)
		rc |= db_save_counter(db, i, 100000, NULL);
	return rc;
}

/* A plain live session of machine `machine` and its reserved machine. */
static inline struct session_row help_session(uint64_t id, uint64_t machine,
					      uint64_t incarnation,
					      const char *user)
{
	struct session_row s = {
		.id = id, .machine = machine, .incarnation = incarnation,
		.nonce = id ^ 0xfeedfacecafebeef, .gateway = 1, .conn = id,
		.state = SESSION_ASSIGNED, .clean_ms = -1,
		.requested_wall_ms = 1764000000000 + (int64_t)id * 1000,
		.assigned_wall_ms = 1764000000000 + (int64_t)id * 1000,
	};

	snprintf(s.machine_name, sizeof(s.machine_name), "mail-%02" PRIu64,
		 machine);
	TEXT_SET(s.pool, "mail");
	TEXT_SET(s.application, "mail");
	TEXT_SET(s.listener, "front");
	TEXT_SET(s.user, user);
	return s;
}

static inline struct machine_row help_machine(uint64_t id, uint64_t session)
{
	struct machine_row m = {
		.id = id, .slot = (uint32_t)id, .incarnation = 1, .built = 1,
		.state = session ? MACHINE_RESERVED : MACHINE_READY,
		.dirty = session != 0, .session = session,
		.since_wall_ms = 1764000000000,
	};

	snprintf(m.name, sizeof(m.name), "mail-%02" PRIu64, id);
	snprintf(m.uuid, sizeof(m.uuid),
		 "00000000-0000-8000-8000-%012" PRIx64, id);
	TEXT_SET(m.pool, "mail");
	TEXT_SET(m.host, "here");
	return m;
}

static inline void help_end(struct session_row *s, enum session_state state)
{
	s->state = state;
	s->ended_wall_ms = s->assigned_wall_ms + 5000;
}

/* Appends one code point as UTF-8; false when it does not fit. */
static inline bool help_add_char(char *out, size_t out_size, size_t *used,
				 uint32_t c)
{
	char b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (*used + n >= out_size)
		return false;
	if (n == 1) {
		b[0] = (char)c;
	} else {
		static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

		for (size_t i = n - 1; i > 0; i--, c >>= 6)
			b[i] = (char)(0x80 | (c & 0x3f));
		b[0] = (char)(lead[n] | c);
	}
	memcpy(out + *used, b, n);
	*used += n;
	return true;
}

/* A string of 1 to size-1 bytes that has broken somebody's program before. */
static inline void help_nasty(struct random *r, char *out, size_t out_size)
{
	static const char *const classics[] = {
		"'", "\"", "''", "\\", "'; DROP TABLE session; --", "$1", "?1",
		":x", "@x", "%s%n", "NULL", "null", "0", "-1", "1e999", "x'00'",
		"\n", "\r\n", "\t", "\x1b[31m", "\x7f", "a b", " ", "/*", "--",
		"mail-07", "../../etc/passwd", "\xc2\x9b", "\xe2\x80\xae",
		"\xef\xbb\xbf", "\xf3\xa0\x81\x81", "\xf0\x9f\x90\xb4",
		"e\xcc\x81\xcc\x82\xcc\x83", "\xef\xbf\xbf",
	};
	size_t used = 0;

	memset(out, 0, out_size);
	switch (random_below(r, 3)) {
	case 0:
		(void)text_copy(out, out_size,
				classics[random_below(r, sizeof(classics) /
						      sizeof(classics[0]))]);
		break;
	case 1:	/* as long as it gets */
		memset(out, 'a' + (int)random_below(r, 26), out_size - 1);
		break;
	default: {	/* any code points */
		size_t want = 1 + random_below(r, out_size - 1);

		while (used < want) {
			uint32_t c = (uint32_t)random_between(
				r, 1, random_chance(r, 50) ? 0x7f : 0x10ffff);

			if (c >= 0xd800 && c <= 0xdfff)
				continue;
			if (!help_add_char(out, out_size, &used, c))
				break;
		}
	}
	}
	/* Truncation may have cut a character in two: take its start away. */
	if (!out[0])
		out[0] = 'x';
}

/* Fills every field of a row, within what its constraints allow for one field
 * alone; links stay 0. */
static inline void help_fill(struct random *r, const struct db_table *table,
			     void *row)
{
	static const int words[DB_KINDS] = {
		[DB_MACHINE_STATE] = MACHINE_STATES, [DB_MACHINE_WISH] = 3,
		[DB_RUNG] = 4, [DB_MACHINE_IMAGE] = 3, [DB_SESSION_STATE] = SESSION_STATES,
		[DB_REQUEST_STATE] = REQUEST_STATES, [DB_SEVERITY] = 3,
		[DB_VOLUME_KIND] = VOLUME_KINDS, [DB_NODE_STATE] = NODE_STATES,
		[DB_CHANGE_KIND] = CHANGE_KINDS,
		[DB_CHANGE_STATE] = CHANGE_STATES,
		[DB_CHANGE_STEP] = CHANGE_STEPS, [DB_STRATEGY] = 5,
		[DB_OUTCOME] = DECISION_OUTCOMES,
	};

	memset(row, 0, table->row_size);
	for (int i = 0; i < table->count; i++) {
		const struct db_field *f = &table->fields[i];
		char *at = (char *)row + f->offset;
		uint64_t any = random_u64(r);

		switch ((enum db_kind)f->kind) {
		case DB_LINK:
			break;
		case DB_U64:
		case DB_I64:
			any >>= 1 + random_below(r, 62);
			any += 1;
			memcpy(at, &any, sizeof(any));
			break;
		case DB_BITS:
			memcpy(at, &any, sizeof(any));
			break;
		case DB_U32:
			any |= 1;
			memcpy(at, &(uint32_t){ (uint32_t)any },
			       sizeof(uint32_t));
			break;
		case DB_BOOL:
			memcpy(at, &(bool){ any & 1 }, sizeof(bool));
			break;
		case DB_TEXT:
			help_nasty(r, at, f->size);
			break;
		default:
			memcpy(at, &(int){ (int)(any %
					   (uint64_t)words[f->kind]) },
			       sizeof(int));
		}
	}
}

/* Column of the first field in which two rows differ, or NULL. */
static inline const char *help_differ(const struct db_table *table,
				      const void *a, const void *b)
{
	for (int i = 0; i < table->count; i++) {
		const struct db_field *f = &table->fields[i];

		if (memcmp((const char *)a + f->offset,
			   (const char *)b + f->offset, f->size))
			return f->column;
	}
	return NULL;
}

#endif
