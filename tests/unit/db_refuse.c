/*
 * What the store refuses: every constraint fires on a planted violation, names
 * itself, and takes the whole batch with it.
 */
#include "tests/unit/db_help.h"

static void on_machine(void *arg, const struct machine_row *row)
{
	(void)row;
	++*(int *)arg;
}

/* What one wrong row says, and that its whole batch is refused. */
static void refused(struct db *db, int rc, const struct error *err,
		    const char *want, const char *what)
{
	struct error commit = { "" };

	is_int(rc, -1, "%s is refused", what);
	if (!ok(strstr(err->text, want) != NULL, "... naming %s", want))
		tap_note("%s", err->text);
	is_int(db_commit(db, &commit), -1, "... and so is the batch");
	ok(strstr(commit.text, want) != NULL, "... for that reason");
	help_begin(db);
}

static void refuse_session(struct db *db, struct session_row s,
			   const char *want, const char *what)
{
	struct session_row before = help_session(99, 99, 1, "zoe"), out;
	struct error err = { "" };

	TEXT_SET(before.request_key, "beside");
	if (db_save_session(db, &before, &err))
		tap_bail("%s", err.text);
	int rc = db_save_session(db, &s, &err);
	refused(db, rc, &err, want, what);
	if (db_find_request(db, "zoe", "beside", &out, &err))
		tap_bail("%s", err.text);
	is_int(out.id, 0, "... with the rows beside it");
}

static void refuse_machine(struct db *db, struct machine_row m,
			   const char *want, const char *what)
{
	struct error err = { "" };
	int rc = db_save_machine(db, &m, &err);

	refused(db, rc, &err, want, what);
}

/* Fields that can be wrong in a row by itself. */
static void refuse_fields(struct db *db)
{
	struct session_row s;

	s = help_session(3, 3, 1, "ann");
	s.ended_wall_ms = 5;
	refuse_session(db, s, "session_ended", "an end of a live session");
	s = help_session(3, 3, 1, "ann");
	s.state = SESSION_FAILED;
	refuse_session(db, s, "session_ended", "a final state without end");
	s = help_session(3, 3, 1, "");
	refuse_session(db, s, "length(user_name)", "a session of nobody");
	s = help_session(3, 0, 1, "ann");
	refuse_session(db, s, "machine >= 1", "a session on no machine");
	s = help_session(0, 3, 1, "ann");
	refuse_session(db, s, "id >= 1", "id 0");
	s = help_session(3, 3, 1, "ann");
	s.bytes_in = UINT64_MAX;
	refuse_session(db, s, "bytes_in >= 0", "a number above 63 bits");
	s = help_session(3, 3, 1, "ann");
	s.wait_ms = -1;
	refuse_session(db, s, "wait_ms >= 0", "a wait below 0");
	s = help_session(3, 3, 1, "ann");
	s.state = SESSION_STATES;
	refuse_session(db, s, "session.state: 5 has no name", "an unknown state");
}

static void test_session_constraints(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "refuse-s.db"));
	struct session_row live = help_session(1, 1, 1, "ann");
	struct session_row ended = help_session(2, 2, 1, "ann");
	struct session_row s;

	TEXT_SET(live.request_key, "r1");
	help_end(&ended, SESSION_CLOSED);
	help_begin(db);
	if (db_save_session(db, &live, &err) ||
	    db_save_session(db, &ended, &err) || help_counters(db))
		tap_bail("%s", err.text);
	help_commit(db);
	help_begin(db);

	refuse_session(db, help_session(3, 1, 2, "bob"), "session.machine",
		       "a second live session on a machine (S2)");
	refuse_session(db, help_session(3, 2, 1, "bob"), "in this incarnation",
		       "a second user on an incarnation (S1)");
	s = help_session(3, 3, 1, "ann");
	TEXT_SET(s.request_key, "r1");
	refuse_session(db, s, "session.request_key",
		       "a second session for a request id (S7)");
	s = help_session(4, 4, 1, "cid");
	TEXT_SET(s.request_key, "r2");
	is_int(db_save_session(db, &s, &err), 0, "an id is taken");
	help_end(&s, SESSION_FAILED);
	is_int(db_save_session(db, &s, &err), 0, "its session fails");
	s = help_session(5, 5, 1, "cid");
	TEXT_SET(s.request_key, "r2");
	is_int(db_save_session(db, &s, &err), 0, "and gives the id to another");
	s = help_session(6, 6, 1, "cid");
	TEXT_SET(s.request_key, "r2");
	refuse_session(db, s, "session.request_key", "but not to a third");
	s = ended;
	s.state = SESSION_ACTIVE;
	s.ended_wall_ms = 0;
	refuse_session(db, s, "ended (S9)", "life after the end");
	s = ended;
	s.state = SESSION_LOST;
	refuse_session(db, s, "ended (S9)", "another end");
	s = live;
	s.state = SESSION_ACTIVE;
	TEXT_SET(s.user, "bob");
	refuse_session(db, s, "user differ", "another user in the session");
	s = live;
	s.incarnation = 2;
	refuse_session(db, s, "incarnation", "another incarnation");
	s = live;
	s.machine = 7;
	refuse_session(db, s, "machine", "another machine");
	s = live;
	s.nonce++;
	refuse_session(db, s, "nonce", "another nonce");
	refuse_fields(db);
	help_commit(db);
	is_int(db_audit(db, &err), -1, "live sessions without machines");
	ok(strstr(err.text, "S2, a live session has its machine") != NULL,
	   "... are found by the audit");
	db_close(db);
}

static void test_machine_constraints(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "refuse-m.db"));
	struct machine_row one = help_machine(1, 0), m;
	struct session_row s = help_session(5, 2, 1, "ann");
	struct machine_row two = help_machine(2, 5);

	one.incarnation = 4;
	help_begin(db);
	if (db_save_machine(db, &one, &err) || db_save_machine(db, &two, &err) ||
	    db_save_session(db, &s, &err) || help_counters(db))
		tap_bail("%s", err.text);
	help_commit(db);
	help_begin(db);
	m = one;
	m.incarnation = 3;
	refuse_machine(db, m, "goes back (S6)", "an incarnation that goes back");
	m = one;
	TEXT_SET(m.name, "mail-99");
	refuse_machine(db, m, "name, pool or slot", "another name");
	m = one;
	m.dirty = true;
	refuse_machine(db, m, "machine_ready_is_clean", "dirty and ready (S4)");
	m = help_machine(3, 0);
	TEXT_SET(m.name, "mail-01");
	refuse_machine(db, m, "machine.name", "two machines of one name");
	m = help_machine(3, 5);
	refuse_machine(db, m, "machine.session", "two machines of one session");
	m = help_machine(3, 0);
	m.slot = 0;
	refuse_machine(db, m, "slot BETWEEN", "slot 0");
	m = help_machine(3, 0);
	m.state = MACHINE_STATES;
	refuse_machine(db, m, "machine.state: 14 has no name", "unknown state");
	m = help_machine(3, 0);
	m.wish = -1;
	refuse_machine(db, m, "machine.wish", "unknown wish");
	m = help_machine(3, 0);
	m.rung = 4;
	refuse_machine(db, m, "machine.rung", "unknown rung");
	m = help_machine(3, 0);
	m.boot_ms = -1;
	refuse_machine(db, m, "boot_ms >= 0", "a boot that took less than 0");
	m = help_machine(3, 0);
	TEXT_SET(m.name, "");
	refuse_machine(db, m, "length(name)", "a machine without a name");

	/* The name of one that is gone is free in the same batch. */
	one.state = MACHINE_GONE;
	m = help_machine(3, 0);
	TEXT_SET(m.name, "mail-01");
	m.slot = 1;
	is_int(db_save_machine(db, &one, &err) | db_save_machine(db, &m, &err),
	       0, "a slot is used again once its machine is gone");
	help_commit(db);
	is_int(db_audit(db, &err), 0, "audit: %s", err.text);
	db_close(db);
}

static void test_other_constraints(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "refuse-o.db"));
	struct request_row q = { .id = 1, .state = REQUEST_REFUSED }, r = q;
	struct event_row e = { .id = 1, .severity = 3 };
	struct machine_row m = help_machine(1, 77);
	int rc;

	help_begin(db);
	r.state = REQUEST_WAITING;
	rc = db_save_request(db, &r, &err);
	refused(db, rc, &err, "state IN", "a request that still waits");
	r = q;
	r.session = 4;
	rc = db_save_request(db, &r, &err);
	refused(db, rc, &err, "request_assigned", "a refusal with a session");
	r = q;
	r.state = REQUEST_ASSIGNED;
	rc = db_save_request(db, &r, &err);
	refused(db, rc, &err, "request_assigned", "assigned to no session");
	rc = db_save_event(db, &e, &err);
	refused(db, rc, &err, "event.severity", "an unknown severity");
	rc = db_save_override(db, &(struct override_row){ .value = 1 }, &err);
	refused(db, rc, &err, "length(key)", "an override of nothing");
	help_commit(db);

	help_begin(db);
	is_int(db_save_machine(db, &m, &err), 0,
	       "a link to a session is looked at by the commit");
	is_int(db_commit(db, &err), -1, "a session that is not there is refused");
	ok(strstr(err.text, "FOREIGN KEY") != NULL, "... by its foreign key");
	is_int(db_begin(db, &err), -1, "after a failed commit nothing goes on");
	db_close(db);
	db = help_open(path);
	int rows = 0;
	is_int(db_load_machines(db, on_machine, &rows, &err), 0, "reopened");
	is_int(rows, 0, "and nothing of that batch is there");
	db_close(db);
}

int main(void)
{
	help_make_folder();
	test_session_constraints();
	test_machine_constraints();
	test_other_constraints();
	return tap_done();
}
