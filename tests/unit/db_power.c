/*
 * Power loss and failing disks, in the manner of SQLite's own tests: a layer
 * under SQLite remembers what was written since the last sync of each file.
 * When the power goes, every unsynced 512-byte sector is on the disk or not as
 * chance will have it, and a deleted file may be back.
 *
 * For writes, truncations, syncs and deletions of a small engine's life: all
 * commits reported before are there, the rest is a prefix of what was done, the
 * audit finds nothing (S3, S21).  Then the same life with one sync or one write
 * failing: no further sync is tried.  Every third operation and every ninth
 * write are tried; POWER_PATTERNS=10 in the environment tries each operation,
 * with ten patterns of loss.
 */
#include <fcntl.h>

#include "tests/unit/db_turn.h"

enum { FILES_MAX = 16, TURNS = 8, SECTOR = 512, CHECKPOINT_PAGES = 16,
       STRIDE = 3 };

struct op {
	int64_t at;		/* -1: truncation to size */
	size_t size;
	unsigned char *bytes;
};

struct disk_file {
	char path[HELP_PATH];
	bool exists, ghost;	/* ghost: deleted, but not yet for sure */
	unsigned char *durable;
	size_t size;
	struct op *pending;
	size_t count, room;
};

static struct {
	struct disk_file files[FILES_MAX];
	int file_count;
	bool on;		/* remember and count; else pass through */
	bool off_power;
	int ops, cut_at;	/* the power goes at this op, 0 = never */
	int syncs, fail_sync_at;
	int writes, fail_write_at;
	bool failed;		/* that sync or write did fail */
	bool sync_failed;	/* in the engine that runs */
	int syncs_after_failure;
} disk;

static struct random rnd;
static sqlite3_vfs *below;

/* ---- the disk ---------------------------------------------------------------- */

static struct disk_file *file_at(const char *path)
{
	for (int i = 0; i < disk.file_count; i++)
		if (strcmp(disk.files[i].path, path) == 0)
			return &disk.files[i];
	if (disk.file_count == FILES_MAX)
		tap_bail("too many files");
	struct disk_file *f = &disk.files[disk.file_count++];
	snprintf(f->path, sizeof(f->path), "%s", path);
	return f;
}

static void forget_pending(struct disk_file *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->pending[i].bytes);
	f->count = 0;
}

static void resize(struct disk_file *f, size_t size)
{
	if (size > f->size) {
		f->durable = realloc(f->durable, size);
		if (!f->durable)
			tap_bail("out of memory");
		memset(f->durable + f->size, 0, size - f->size);
	}
	f->size = size;
}

static void apply(struct disk_file *f, const struct op *op, bool whole)
{
	if (op->at < 0) {
		if (whole || random_chance(&rnd, 50))
			resize(f, op->size);
		return;
	}
	for (size_t done = 0; done < op->size;) {
		size_t at = (size_t)op->at + done;
		size_t n = SECTOR - at % SECTOR;

		if (n > op->size - done)
			n = op->size - done;
		if (whole || random_chance(&rnd, 50)) {
			if (at + n > f->size)
				resize(f, at + n);
			memcpy(f->durable + at, op->bytes + done, n);
		}
		done += n;
	}
}

static void settle(struct disk_file *f, bool whole)
{
	/* Some losses take all or nothing: tails and heads of the list. */
	size_t keep = whole || random_chance(&rnd, 70) ?
			      f->count : random_below(&rnd, f->count + 1);

	for (size_t i = 0; i < keep; i++)
		apply(f, &f->pending[i], whole || random_chance(&rnd, 30));
	forget_pending(f);
}

static void remember(struct disk_file *f, int64_t at, const void *bytes,
		     size_t size)
{
	if (f->count == f->room) {
		f->room = f->room ? f->room * 2 : 16;
		f->pending = realloc(f->pending, f->room * sizeof(*f->pending));
		if (!f->pending)
			tap_bail("out of memory");
	}
	struct op *op = &f->pending[f->count++];
	*op = (struct op){ .at = at, .size = size };
	if (at >= 0) {
		op->bytes = malloc(size);
		if (!op->bytes)
			tap_bail("out of memory");
		memcpy(op->bytes, bytes, size);
	}
}

static void disk_reset(void)
{
	for (int i = 0; i < disk.file_count; i++) {
		forget_pending(&disk.files[i]);
		free(disk.files[i].pending);
		free(disk.files[i].durable);
	}
	memset(&disk, 0, sizeof(disk));
}

/* Counts an operation; true when the power is off. */
static bool no_power(void)
{
	if (++disk.ops == disk.cut_at)
		disk.off_power = true;
	return disk.off_power;
}

/* Puts on the real disk what the lost power left. */
static void restore_power(void)
{
	disk.on = false;
	for (int i = 0; i < disk.file_count; i++) {
		struct disk_file *f = &disk.files[i];
		bool back = f->exists ||
			    (f->ghost && random_chance(&rnd, 50));

		settle(f, false);
		(void)unlink(f->path);
		if (!back)
			continue;
		int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, f->durable, f->size) !=
				      (ssize_t)f->size)
			tap_bail("cannot write %s", f->path);
		close(fd);
	}
}

/* ---- the layer under SQLite ------------------------------------------------------ */

struct layer_file {
	sqlite3_file base;
	struct disk_file *disk;
	sqlite3_file *real;
	bool sync_folder;	/* with its first sync, as SQLite's own layer */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct layer_file *)file)->real;
}

static int layer_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int layer_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), out, n, at);
}

static int layer_write(sqlite3_file *file, const void *bytes, int n,
		       sqlite3_int64 at)
{
	struct disk_file *f = ((struct layer_file *)file)->disk;

	if (disk.on && f) {
		if (no_power())
			return SQLITE_IOERR_WRITE;
		if (++disk.writes == disk.fail_write_at) {
			disk.failed = true;
			return SQLITE_FULL;
		}
		remember(f, at, bytes, (size_t)n);
	}
	return real_of(file)->pMethods->xWrite(real_of(file), bytes, n, at);
}

static int layer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct disk_file *f = ((struct layer_file *)file)->disk;

	if (disk.on && f) {
		if (no_power())
			return SQLITE_IOERR_TRUNCATE;
		remember(f, -1, NULL, (size_t)size);
	}
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static bool wal_exists(void)
{
	for (int i = 0; i < disk.file_count; i++)
		if (disk.files[i].exists && strstr(disk.files[i].path, "-wal"))
			return true;
	return false;
}

static int layer_sync(sqlite3_file *file, int flags)
{
	struct disk_file *f = ((struct layer_file *)file)->disk;

	(void)flags;
	if (!disk.on || !f)
		return SQLITE_OK;
	if (no_power())
		return SQLITE_IOERR_FSYNC;
	if (disk.sync_failed)
		disk.syncs_after_failure++;
	if (++disk.syncs == disk.fail_sync_at) {
		disk.failed = true;
		/* A file that is being made has no WAL yet; it is rolled back
		 * to nothing, and that is synced: nothing there to lose. */
		disk.sync_failed = wal_exists();
		return SQLITE_IOERR_FSYNC;
	}
	settle(f, true);
	if (((struct layer_file *)file)->sync_folder)
		for (int i = 0; i < disk.file_count; i++)
			disk.files[i].ghost = false;
	((struct layer_file *)file)->sync_folder = false;
	return SQLITE_OK;
}

static int layer_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int layer_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int layer_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int layer_check_lock(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int layer_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int layer_sector_size(sqlite3_file *file)
{
	(void)file;
	return SECTOR;
}

static int layer_characteristics(sqlite3_file *file)
{
	(void)file;
	return 0;	/* promises nothing */
}

/* Version 1: no shared memory, so exclusive locking is the only way to WAL. */
static const sqlite3_io_methods layer_methods = {
	.iVersion = 1,
	.xClose = layer_close,
	.xRead = layer_read,
	.xWrite = layer_write,
	.xTruncate = layer_truncate,
	.xSync = layer_sync,
	.xFileSize = layer_file_size,
	.xLock = layer_lock,
	.xUnlock = layer_unlock,
	.xCheckReservedLock = layer_check_lock,
	.xFileControl = layer_control,
	.xSectorSize = layer_sector_size,
	.xDeviceCharacteristics = layer_characteristics,
};

static int layer_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file,
		      int flags, int *out_flags)
{
	struct layer_file *l = (struct layer_file *)file;

	(void)vfs;
	l->real = (sqlite3_file *)&l[1];
	l->disk = NULL;
	l->sync_folder = (flags & SQLITE_OPEN_CREATE) &&
			 (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
	if (disk.on && path) {
		l->disk = file_at(path);
		if (!l->disk->exists && access(path, F_OK)) {
			/* Made anew: whatever was there is really gone. */
			l->disk->ghost = false;
			resize(l->disk, 0);
		}
		l->disk->exists = true;
	}
	int rc = below->xOpen(below, path, l->real, flags, out_flags);
	l->base.pMethods = rc == SQLITE_OK ? &layer_methods : NULL;
	return rc;
}

static int layer_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
	(void)vfs;
	if (disk.on) {
		struct disk_file *f = file_at(path);

		if (no_power())
			return SQLITE_IOERR_DELETE;
		f->exists = false;
		f->ghost = !sync_folder;
	}
	return below->xDelete(below, path, 0);
}

static void layer_install(void)
{
	static sqlite3_vfs layer;

	below = sqlite3_vfs_find(NULL);
	layer = *below;
	layer.zName = "power";
	layer.szOsFile = (int)sizeof(struct layer_file) + below->szOsFile;
	layer.xOpen = layer_open;
	layer.xDelete = layer_delete;
	layer.pNext = NULL;
	if (sqlite3_vfs_register(&layer, 1))
		tap_bail("cannot register the layer");
}

/* ---- one life ------------------------------------------------------------------------ */

/* Two engines, one after the other; the last id whose commit was reported. */
static uint64_t live(const char *path)
{
	struct error err = { "" };
	uint64_t acked = 0, id = 1;

	for (int engine = 0; engine < 2; engine++) {
		struct db *db;

		disk.sync_failed = false;
		if (db_open(path, &db, &err))
			return acked;
		db->checkpoint_pages = CHECKPOINT_PAGES;
		for (int i = 0; i < TURNS; i++, id++) {
			if (db_begin(db, &err) || turn(db, id, &err) ||
			    db_save_counter(db, DB_COUNTER_SESSION, id + 1,
					    &err) ||
			    db_save_counter(db, DB_COUNTER_EVENT, id + 1,
					    &err) ||
			    db_save_counter(db, DB_COUNTER_MACHINE, 100, &err) ||
			    db_commit(db, &err)) {
				/* The engine exits here. */
				db_close(db);
				return acked;
			}
			acked = id;
		}
		db_close(db);
	}
	return acked;
}

struct verdict {
	int unopened, lost, wrong, unsound, unreported;
};

static void judge(const char *path, uint64_t acked, struct verdict *v)
{
	struct error err = { "" };
	struct seen seen;
	struct db *db;

	disk.on = false;
	if (db_open(path, &db, &err) || look(db, &seen, &err)) {
		if (!v->unopened++)
			tap_note("op %d: %s", disk.cut_at, err.text);
		return;
	}
	v->lost += seen.newest < acked;
	v->unreported += seen.newest > acked;
	v->wrong += seen.wrong != 0 || seen.count != seen.newest;
	if (db_audit(db, &err) && !v->unsound++)
		tap_note("op %d: %s", disk.cut_at, err.text);
	db_close(db);
}

/* ---- what is tried ------------------------------------------------------------------- */

/* A new file is made: most of that is SQL to be read, so it is tried by itself. */
static uint64_t make(const char *path)
{
	struct error err = { "" };
	struct db *db;

	if (db_open(path, &db, &err) == 0)
		db_close(db);
	return 0;
}

static struct {
	unsigned char bytes[1 << 20];
	size_t size;
} made;

static void keep_made(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, made.bytes, sizeof(made.bytes));

	if (n <= 0 || (size_t)n == sizeof(made.bytes))
		tap_bail("cannot keep %s", path);
	close(fd);
	made.size = (size_t)n;
}

/* The made file, on the disk for certain. */
static void put_made(const char *path)
{
	struct disk_file *f = file_at(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, made.bytes, made.size) != (ssize_t)made.size)
		tap_bail("cannot write %s", path);
	close(fd);
	resize(f, made.size);
	memcpy(f->durable, made.bytes, made.size);
	f->exists = true;
}

struct life {
	const char *name;
	uint64_t (*run)(const char *path);
	bool from_made;
	int ops, syncs, writes;		/* with power and a good disk */
};

static void begin(const struct life *life, const char *path)
{
	help_forget(path);
	disk_reset();
	if (life->from_made)
		put_made(path);
	disk.on = true;
}

static void count(struct life *life, uint64_t acked)
{
	char path[HELP_PATH];

	begin(life, help_path(path, "plain.db"));
	is_int(life->run(path), acked, "%s: with power all is saved",
	       life->name);
	life->ops = disk.ops;
	life->syncs = disk.syncs;
	life->writes = disk.writes;
	tap_note("%d operations, %d of them syncs, %d writes", life->ops,
		 life->syncs, life->writes);
}

/* How many patterns of loss for each operation; 0 = one, for some of them. */
static int patterns_wanted(void)
{
	const char *wanted = getenv("POWER_PATTERNS");

	return wanted && atoi(wanted) > 0 ? atoi(wanted) : 0;
}

static void report(const struct verdict *v, int cases, const struct life *life,
		   const char *what)
{
	ok(cases >= 10, "%s, %s: %d cases", life->name, what, cases);
	is_int(v->unopened, 0, "... the next engine opens the file");
	is_int(v->lost, 0, "... no reported commit is lost (S3)");
	is_int(v->wrong, 0, "... rows are whole and without gaps");
	is_int(v->unsound, 0, "... the audit finds nothing (S21)");
	tap_note("%d times a commit was there that nobody was told of",
		 v->unreported);
}

static void test_power(const struct life *life)
{
	int patterns = patterns_wanted(), stride = patterns ? 1 : STRIDE;
	struct verdict v = { 0 };
	char path[HELP_PATH];
	int cases = 0;

	help_path(path, "power.db");
	for (int cut = 1; cut <= life->ops; cut += stride)
		for (int pattern = 0; pattern < (patterns ? patterns : 1);
		     pattern++) {
			begin(life, path);
			disk.cut_at = cut;
			uint64_t acked = life->run(path);
			restore_power();
			judge(path, acked, &v);
			cases++;
		}
	report(&v, cases, life, "power lost");
}

static void test_failures(const struct life *life, bool sync)
{
	int n = sync ? life->syncs : life->writes;
	int stride = sync ? 1 : patterns_wanted() ? STRIDE : STRIDE * STRIDE;
	struct verdict v = { 0 };
	char path[HELP_PATH];
	int cases = 0, retried = 0, silent = 0;

	help_path(path, "failing.db");
	for (int at = 1; at <= n; at += stride) {
		begin(life, path);
		*(sync ? &disk.fail_sync_at : &disk.fail_write_at) = at;
		uint64_t acked = life->run(path);
		silent += !disk.failed;
		retried += disk.syncs_after_failure;
		judge(path, acked, &v);
		cases++;
	}
	report(&v, cases, life, sync ? "each sync failing once" :
				       "the disk full at a write");
	is_int(silent, 0, "... each failure did happen");
	if (sync)
		is_int(retried, 0, "... and the engine syncs nothing after it");
}

int main(void)
{
	struct life lives[] = {
		{ .name = "a file is made", .run = make },
		{ .name = "two engines", .run = live, .from_made = true },
	};
	const uint64_t acked[] = { 0, 2 * TURNS };
	char path[HELP_PATH];

	random_seed(&rnd, 1911);
	help_make_folder();
	layer_install();
	for (int i = 0; i < 2; i++) {
		count(&lives[i], acked[i]);
		if (i == 0)
			keep_made(help_path(path, "plain.db"));
		test_power(&lives[i]);
		test_failures(&lives[i], true);
		test_failures(&lives[i], false);
	}
	disk_reset();
	return tap_done();
}
