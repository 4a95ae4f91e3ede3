/*
 * Crashes and full disks.
 *
 * kill -9 proves that a commit reaches the kernel, not the disk: what power
 * loss leaves is in db_power.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/db_turn.h"

enum { KILLS = 200 };

static struct random rnd;

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- kill -9 ------------------------------------------------------------ */

/* Turns from first on; reports each id once its commit has returned. */
static void run_engine(const char *path, uint64_t first, int out)
{
	struct error err = { "" };
	struct random mine;
	uint64_t id = first;
	struct db *db;

	random_seed(&mine, first);
	if (db_open(path, &db, &err))
		goto trouble;
	for (;;) {
		uint64_t n = 1 + random_below(&mine, 5);

		if (db_begin(db, &err))
			goto trouble;
		for (; n; n--, id++)
			if (turn(db, id, &err))
				goto trouble;
		if (db_save_counter(db, DB_COUNTER_SESSION, id + 1000, &err) ||
		    db_save_counter(db, DB_COUNTER_EVENT, id + 1000, &err) ||
		    db_save_counter(db, DB_COUNTER_MACHINE, 1000, &err) ||
		    db_commit(db, &err))
			goto trouble;
		id--;
		if (write(out, &id, sizeof(id)) != sizeof(id))
			_exit(0);
		id++;
	}
trouble:
	fprintf(stderr, "%s\n", err.text);
	_exit(1);
}

/* Lets a child engine run for a random while; the last id it reported. */
static uint64_t run_and_kill(const char *path, uint64_t first)
{
	uint64_t acked = 0, id, want = random_below(&rnd, 12);
	int64_t until_us = 0;
	int fds[2];

	if (pipe(fds))
		tap_bail("pipe: %s", strerror(errno));
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		close(fds[0]);
		run_engine(path, first, fds[1]);
	}
	close(fds[1]);
	/* A random number of commits, then a random moment within the next. */
	while (want-- && read(fds[0], &id, sizeof(id)) == sizeof(id))
		acked = id;
	until_us = now_us() + (int64_t)random_below(&rnd, 1500);
	while (now_us() < until_us)
		;
	kill(child, SIGKILL);
	while (read(fds[0], &id, sizeof(id)) == sizeof(id))
		acked = id;
	close(fds[0]);
	waitpid(child, NULL, 0);
	return acked;
}

static void test_kills(void)
{
	char path[HELP_PATH];
	struct error err = { "" };
	struct seen seen = { 0 };
	int lost = 0, wrong = 0, unsound = 0, unacked = 0;
	uint64_t acked_ever = 0;

	help_path(path, "kill.db");
	for (int i = 0; i < KILLS; i++) {
		uint64_t acked = run_and_kill(path, seen.newest + 1);
		struct db *db;

		if (acked)
			acked_ever = acked;
		if (db_open(path, &db, &err))
			tap_bail("after %d kills: %s", i + 1, err.text);
		if (look(db, &seen, &err))
			tap_bail("after %d kills: %s", i + 1, err.text);
		lost += seen.newest < acked_ever || seen.count != seen.newest;
		unacked += seen.newest > acked_ever;
		wrong += seen.wrong != 0;
		if (db_audit(db, &err)) {
			tap_note("%s", err.text);
			unsound++;
		}
		/* Half of the time the next engine finds an unclean file. */
		if (random_chance(&rnd, 50)) {
			db_close(db);
			continue;
		}
		fflush(stdout);
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
		db_close(db);
	}
	is_int(lost, 0, "%d kill -9: every reported commit is there (S3)", KILLS);
	is_int(wrong, 0, "... whole, with every field");
	is_int(unsound, 0, "... and the audit finds nothing (S21)");
	ok(seen.newest > KILLS * 5, "... over %" PRIu64 " sessions, %d times "
	   "with a commit that was not yet reported", seen.newest, unacked);
}

/* ---- no room -------------------------------------------------------------------------- */

static int limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &limit);
}

/* Turns with a commit each until one fails; the id that failed, 0 = other
 * trouble than a commit's. */
static uint64_t fill(struct db *db, struct error *err)
{
	for (uint64_t id = 1; id < 100000; id++) {
		if (db_begin(db, err) || turn(db, id, err) ||
		    db_save_counter(db, DB_COUNTER_SESSION, id + 1, err) ||
		    db_save_counter(db, DB_COUNTER_EVENT, id + 1, err) ||
		    db_save_counter(db, DB_COUNTER_MACHINE, 100, err))
			return 0;
		if (db_commit(db, err))
			return id;
	}
	return 0;
}

/* Commits until one fails; then nothing may work, and nothing of it show.
 * ballast is a file to empty for room, -1: the limit of files is the wall. */
static int fill_until_failure(const char *path, int ballast, const char *want)
{
	struct error err = { "" };
	struct seen seen;
	struct db *db;

	if (db_open(path, &db, &err))
		return 10;
	if (ballast < 0 && limit_files(300000))
		return 11;
	uint64_t id = fill(db, &err);
	if (!id || !strstr(err.text, want)) {
		fprintf(stderr, "# %s\n", err.text);
		return 12;
	}
	if (db_begin(db, &err) != -1 || db_commit(db, &err) != -1 ||
	    db_save_session(db, &(struct session_row){ 0 }, &err) != -1 ||
	    look(db, &seen, &err) != -1 || db_audit(db, &err) != -1 ||
	    db_load_machines(db, NULL, NULL, &err) != -1)
		return 13;
	if (!strstr(err.text, want))
		return 14;
	db_close(db);
	/* Room again. */
	if (ballast < 0 ? limit_files(RLIM_INFINITY) : ftruncate(ballast, 0))
		return 15;
	if (db_open(path, &db, &err) || look(db, &seen, &err))
		return 16;
	if (seen.wrong || seen.newest != id - 1 || seen.count != id - 1)
		return 17;
	if (db_audit(db, &err))
		return 18;
	help_begin(db);
	if (turn(db, id, &err))
		return 19;
	help_commit(db);
	db_close(db);
	return 0;
}

static int limited(const char *path)
{
	return fill_until_failure(path, -1, "sqlite");
}

/* A tmpfs of its own, with a file that is taken away to make room. */
static int on_full_tmpfs(const char *path)
{
	char folder[HELP_PATH], name[HELP_PATH + 16];
	static char block[1024 * 1024];

	help_path(folder, "tmpfs");
	if (mkdir(folder, 0700) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=2m"))
		return 1;
	snprintf(name, sizeof(name), "%s/ballast", folder);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block))
		return 2;
	snprintf(name, sizeof(name), "%s/%s", folder, path);
	int rc = fill_until_failure(name, fd, "the disk is full: make room");
	umount2(folder, MNT_DETACH);
	return rc;
}

static void test_no_room(void)
{
	char path[HELP_PATH];

	is_int(in_child(limited, help_path(path, "limit.db")), 0,
	       "a file-size limit: the commit fails, nothing goes on, nothing "
	       "of it is there, and with room it goes on");
	int rc = in_child(on_full_tmpfs, "full.db");
	if (rc == 1)
		tap_skip(1, "no rights to mount a tmpfs");
	else
		is_int(rc, 0, "a full disk: likewise, and it is named");
	rmdir(help_path(path, "tmpfs"));
}

int main(void)
{
	random_seed(&rnd, 1848);
	help_make_folder();
	test_kills();
	test_no_room();
	return tap_done();
}
