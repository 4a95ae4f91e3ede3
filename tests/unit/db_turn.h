/*
 * A small engine for tests of crashes: every row is a function of its id, so
 * what is found afterwards can be told from what was saved.
 */
#ifndef REMUDA_TESTS_UNIT_DB_TURN_H
#define REMUDA_TESTS_UNIT_DB_TURN_H

#include <sys/wait.h>

#include "tests/unit/db_help.h"

enum { MACHINES = 8 };

static inline void user_of(uint64_t id, char *out, size_t out_size)
{
	snprintf(out, out_size, "user '%" PRIu64 "'", id * 2654435761u % 1000);
}

/*
 * One turn: the session before last on this machine's row ends, a new one
 * begins.  Session id is on machine 1 + id % MACHINES.
 */
static inline int turn(struct db *db, uint64_t id, struct error *err)
{
	uint64_t machine = 1 + id % MACHINES, old = id - MACHINES;
	uint64_t incarnation = 1 + id / MACHINES;
	struct machine_row m = help_machine(machine, id);
	struct session_row s;
	struct event_row e = { .id = id, .wall_ms = (int64_t)id };
	char user[ROW_USER_SIZE];

	if (id > MACHINES) {
		user_of(old, user, sizeof(user));
		s = help_session(old, machine, incarnation - 1, user);
		help_end(&s, SESSION_CLOSED);
		s.cleaned_wall_ms = s.ended_wall_ms + 1;
		snprintf(s.end_text, sizeof(s.end_text), "%0150" PRIu64, old);
		if (db_save_session(db, &s, err))
			return -1;
	}
	user_of(id, user, sizeof(user));
	s = help_session(id, machine, incarnation, user);
	m.incarnation = incarnation;
	snprintf(e.text, sizeof(e.text), "%0180" PRIu64, id);
	return db_save_machine(db, &m, err) || db_save_session(db, &s, err) ||
	       db_save_event(db, &e, err) ? -1 : 0;
}

struct seen {
	uint64_t count, newest, wrong;
};

/* Sessions come newest first: ids without a gap, each as turn() made it. */
static inline void on_session(void *arg, const struct session_row *row)
{
	struct seen *seen = arg;
	char user[ROW_USER_SIZE], end[ROW_TEXT_SIZE] = "";

	if (!seen->count++)
		seen->newest = row->id;
	bool live = row->id + MACHINES > seen->newest;
	user_of(row->id, user, sizeof(user));
	if (!live)
		snprintf(end, sizeof(end), "%0150" PRIu64, row->id);
	seen->wrong += row->id != seen->newest - (seen->count - 1) ||
		       row->machine != 1 + row->id % MACHINES ||
		       row->incarnation != 1 + row->id / MACHINES ||
		       strcmp(row->user, user) || strcmp(row->end_text, end) ||
		       row->state != (live ? SESSION_ASSIGNED : SESSION_CLOSED);
}

static inline int look(struct db *db, struct seen *seen, struct error *err)
{
	struct db_query all = { .limit = UINT32_MAX };

	*seen = (struct seen){ 0 };
	return db_query_sessions(db, &all, on_session, seen, err);
}

/* Runs a function in a child; its result, or 256 + the signal that ended it. */
static inline int in_child(int (*run)(const char *path), const char *path)
{
	int status = -1;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		_exit(run(path));
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   256 + WTERMSIG(status);
}

#endif
