/*
 * How fast the memory is: session rows per second for 1, 10, 100 and 1000 rows
 * per commit, each commit synced.  New rows and updates are timed apart; the
 * rows' own cost shows in the last lines, where the sync hardly counts.  Rows
 * with a request id ("keyed") stand in one index more.
 *
 *     build/tests/bench/commit [folder]      (default: $TMPDIR or /tmp)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "db/db.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { RUN_MS = 1000, USERS = 500 };

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void must(int rc, const struct error *err)
{
	if (rc) {
		fprintf(stderr, "commit: %s\n", err->text);
		exit(1);
	}
}

/* A new session on a machine of its own: what an allocation saves. */
static struct session_row session(uint64_t id, bool keyed)
{
	struct session_row s = {
		.id = id, .machine = id, .incarnation = 1, .nonce = id * 77,
		.gateway = 1, .conn = id, .state = SESSION_ASSIGNED,
		.requested_wall_ms = 1764000000000, .clean_ms = -1,
		.assigned_wall_ms = 1764000000000 + (int64_t)id,
	};

	snprintf(s.machine_name, sizeof(s.machine_name), "mail-%02" PRIu64,
		 id % 100);
	snprintf(s.user, sizeof(s.user), "user%03" PRIu64,
		 id * 7919 % USERS);
	if (keyed)
		snprintf(s.request_key, sizeof(s.request_key),
			 "0b6e9c9e-5f0a-4b7e-9a1f-%012" PRIu64, id);
	TEXT_SET(s.pool, "mail");
	TEXT_SET(s.application, "mail");
	TEXT_SET(s.listener, "front");
	TEXT_SET(s.peer, "192.0.2.17:49152");
	return s;
}

static void advance(struct session_row *s)
{
	s->state = SESSION_ACTIVE;
	s->accepted_wall_ms = s->assigned_wall_ms + 12;
	s->accept_ms = 12;
	s->bytes_in += 1000;
	s->bytes_out += 100000;
}

static void batch(struct db *db, struct session_row *rows, int count,
		  bool update)
{
	struct error err;

	must(db_begin(db, &err), &err);
	for (int i = 0; i < count; i++) {
		if (update)
			advance(&rows[i]);
		must(db_save_session(db, &rows[i], &err), &err);
	}
	must(db_commit(db, &err), &err);
}

static void measure(struct db *db, int per_commit, bool keyed, uint64_t *next)
{
	static struct session_row rows[1000];
	int64_t spent_us[2] = { 0, 0 };
	int64_t commits = 0;

	while (spent_us[0] + spent_us[1] < RUN_MS * 1000) {
		for (int i = 0; i < per_commit; i++)
			rows[i] = session((*next)++, keyed);
		int64_t t0 = now_us();
		batch(db, rows, per_commit, false);
		int64_t t1 = now_us();
		batch(db, rows, per_commit, true);
		spent_us[0] += t1 - t0;
		spent_us[1] += now_us() - t1;
		commits++;
	}
	for (int k = 0; k < 2; k++) {
		double us = (double)spent_us[k];

		printf("%4d rows/commit  %-11s %8.0f commits/s %9.0f rows/s "
		       "%8.2f us/row\n", per_commit,
		       k ? "updated" : keyed ? "new, keyed" : "new",
		       (double)commits * 1e6 / us,
		       (double)(commits * per_commit) * 1e6 / us,
		       us / (double)(commits * per_commit));
	}
}

/* What a start costs after an orderly end and after a crash. */
static void open_again(const char *path, struct db *db, uint64_t rows)
{
	struct error err;
	int64_t t0 = now_us();

	db_close(db);
	must(db_open(path, &db, &err), &err);
	int64_t orderly_us = now_us() - t0;
	db_close(db);
	pid_t child = fork();
	if (child == 0) {
		must(db_open(path, &db, &err), &err);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	t0 = now_us();
	must(db_open(path, &db, &err), &err);
	printf("%" PRIu64 " sessions: close and open %.1f ms, open after a "
	       "crash %.1f ms", rows, (double)orderly_us / 1000,
	       (double)(now_us() - t0) / 1000);
	t0 = now_us();
	/* Its sessions stand on machines that were never saved (S2). */
	if (db_audit(db, &err) == 0)
		fprintf(stderr, "commit: the audit found nothing\n");
	printf(", audit %.1f ms\n", (double)(now_us() - t0) / 1000);
	db_close(db);
}

int main(int argc, char **argv)
{
	static const int sizes[] = { 1, 10, 100, 1000 };
	const char *base = argc > 1 ? argv[1] : getenv("TMPDIR");
	char folder[4000], path[4096];
	struct db *db;
	struct error err;
	uint64_t next = 1;

	snprintf(folder, sizeof(folder), "%s/remuda-commit-XXXXXX",
		 base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	snprintf(path, sizeof(path), "%s/remuda.db", folder);
	must(db_open(path, &db, &err), &err);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(db, sizes[i], false, &next);
	measure(db, 1000, true, &next);
	open_again(path, db, next - 1);
	snprintf(path, sizeof(path), "rm -rf %s", folder);
	return system(path) ? 1 : 0;
}
