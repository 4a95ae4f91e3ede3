/*
 * Damaged files: 200 seeded cases of flipped bits, lost ends, sectors of zeros
 * and misplaced pages, in the file and in the WAL.  Each is refused with a
 * reason, or what it says about who had which machine is right; nothing ever
 * crashes.  (Free text and counts stand in no index and SQLite keeps no
 * checksum of pages: a flipped bit there can go unseen.)
 */
#include <fcntl.h>

#include "tests/unit/db_turn.h"

enum { DAMAGED = 200 };

static struct random rnd;

struct bytes {
	unsigned char *at;
	size_t size;
};

static struct bytes read_all(const char *path)
{
	struct bytes b = { calloc(1, 1 << 22), 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 && b.at ? read(fd, b.at, 1 << 22) : -1;

	if (n < 0)
		tap_bail("cannot read %s", path);
	close(fd);
	b.size = (size_t)n;
	return b;
}

static void write_all(const char *path, const struct bytes *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, b->at, b->size) != (ssize_t)b->size)
		tap_bail("cannot write %s", path);
	close(fd);
}

/* One of the things that happen to disks. */
static void damage(struct bytes *b)
{
	size_t at = random_below(&rnd, b->size);

	switch (random_below(&rnd, 6)) {
	case 0:		/* cut off */
		b->size = at;
		break;
	case 1:		/* a sector of zeros */
		at &= ~(size_t)511;
		memset(b->at + at, 0, b->size - at < 512 ? b->size - at : 512);
		break;
	case 2:		/* a page that belongs elsewhere */
		if (b->size >= 8192) {
			size_t pages = b->size / 4096;

			memcpy(b->at + random_below(&rnd, pages) * 4096,
			       b->at + random_below(&rnd, pages) * 4096, 4096);
		}
		break;
	case 3:		/* bits of the head */
		at = random_below(&rnd, b->size < 100 ? b->size : 100);
		/* fall through */
	default:	/* bits anywhere */
		for (uint64_t n = 1 + random_below(&rnd, 8); n; n--) {
			b->at[at] ^= (unsigned char)(1u << random_below(&rnd, 8));
			if (random_chance(&rnd, 50))
				at = random_below(&rnd, b->size);
		}
	}
}

static void on_machine_row(void *arg, const struct machine_row *row)
{
	*(uint64_t *)arg += row->id;
}

struct identity {
	uint64_t count, wrong, newest;
};

/* Who had which machine when: all of it stands in indexes. */
static void on_identity(void *arg, const struct session_row *row)
{
	struct identity *seen = arg;
	char user[ROW_USER_SIZE];

	if (!seen->count++)
		seen->newest = row->id;
	user_of(row->id, user, sizeof(user));
	seen->wrong += row->id != seen->newest - (seen->count - 1) ||
		       row->machine != 1 + row->id % MACHINES ||
		       row->incarnation != 1 + row->id / MACHINES ||
		       strcmp(row->user, user) != 0;
}

enum { REFUSED_BY_OPEN = 1, REFUSED_BY_AUDIT, SOUND, SOUND_BUT_OLDER, WRONG };

/* Opens, reads, audits and writes a damaged file; 0..4 as above. */
static int use_damaged(const char *path)
{
	struct db_query all = { .limit = UINT32_MAX };
	struct identity seen = { 0 };
	struct error err = { "" };
	uint64_t sum = 0;
	struct db *db;

	if (db_open(path, &db, &err))
		return err.text[0] ? REFUSED_BY_OPEN : WRONG;
	/* Whatever these say, they must come back. */
	int rc = db_load_machines(db, on_machine_row, &sum, &err) |
		 db_query_sessions(db, &all, on_identity, &seen, &err);
	if (db_audit(db, &err) || rc) {
		/* An engine may well go on and write. */
		if (db_begin(db, NULL) == 0) {
			(void)turn(db, 100000, NULL);
			(void)db_commit(db, NULL);
		}
		db_close(db);
		return err.text[0] ? REFUSED_BY_AUDIT : WRONG;
	}
	db_close(db);
	if (seen.wrong || seen.count != seen.newest)
		return WRONG;
	return seen.newest == 400 ? SOUND : SOUND_BUT_OLDER;
}

/* 400 sessions; killed leaves the last 200 of them in the WAL. */
static int make_killed(const char *path)
{
	struct error err;
	struct db *db;

	for (uint64_t id = 1; id <= 400; id++) {
		if (id % 200 == 1) {
			if (db_open(path, &db, &err))
				return 1;
			if (db_begin(db, &err) || help_counters(db) ||
			    db_commit(db, &err))
				return 2;
		}
		if (id % 10 == 1 && db_begin(db, &err))
			return 2;
		if (turn(db, id, &err))
			return 3;
		if (id % 10 == 0 && db_commit(db, &err))
			return 4;
		if (id == 200)
			db_close(db);
	}
	_exit(0);
}

static void damage_many(const char *name, const struct bytes *file,
			const struct bytes *wal, bool in_wal)
{
	int results[6] = { 0 }, crashes = 0;
	char path[HELP_PATH], wal_path[HELP_PATH + 8];

	help_path(path, "damaged.db");
	snprintf(wal_path, sizeof(wal_path), "%s-wal", path);
	for (int i = 0; i < DAMAGED / 2; i++) {
		const struct bytes *from = in_wal ? wal : file;
		struct bytes b = { malloc(from->size), from->size };

		if (!b.at)
			tap_bail("out of memory");
		memcpy(b.at, from->at, from->size);
		help_forget(path);
		damage(&b);
		write_all(path, in_wal ? file : &b);
		if (wal)
			write_all(wal_path, in_wal ? &b : wal);
		free(b.at);
		int rc = in_child(use_damaged, path);
		if (rc >= REFUSED_BY_OPEN && rc <= WRONG)
			results[rc]++;
		else
			crashes++, tap_note("case %d: %d", i, rc);
	}
	is_int(crashes, 0, "%s, %d cases: never a crash, never a hang", name,
	       DAMAGED / 2);
	is_int(results[WRONG], 0, "... refused with a reason, or sound");
	tap_note("refused by open %d, by the audit %d; sound %d, sound but "
		 "older %d", results[REFUSED_BY_OPEN],
		 results[REFUSED_BY_AUDIT], results[SOUND],
		 results[SOUND_BUT_OLDER]);
	ok(results[REFUSED_BY_OPEN] + results[REFUSED_BY_AUDIT] +
	   results[SOUND_BUT_OLDER] > 10, "... and the damage was real");
}

static void test_damage(void)
{
	char path[HELP_PATH], wal_path[HELP_PATH + 8];

	is_int(in_child(make_killed, help_path(path, "good.db")), 0,
	       "a killed engine leaves a file and a WAL");
	snprintf(wal_path, sizeof(wal_path), "%s-wal", path);
	struct bytes wal = read_all(wal_path);
	struct bytes half = read_all(path);
	is_int(in_child(use_damaged, path), SOUND, "which is recovered whole");
	struct bytes closed = read_all(path);

	damage_many("a closed file damaged", &closed, NULL, false);
	damage_many("the WAL damaged", &half, &wal, true);
	free(wal.at);
	free(half.at);
	free(closed.at);
}

int main(void)
{
	random_seed(&rnd, 1848);
	help_make_folder();
	test_damage();
	return tap_done();
}
