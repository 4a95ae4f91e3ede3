/*
 * What a session costs in writes, and what a restart finds out without the
 * writes that were saved: a machine's row may be behind its sessions' rows.
 */
#include "tests/unit/core_lab.h"

static int length(const struct list *head)
{
	int n = 0;

	LIST_EACH(head, it)
		n++;
	return n;
}

/* A pool whose machines keep nothing of a user, with one machine ready. */
static void stateless(struct lab *lab)
{
	lab_defaults(lab);
	lab->pool.recycle = RECYCLE_NONE;
	lab->app.agent = false;
	lab->polls = true;
	lab_open(lab);
	lab_boot(lab);
}

static void test_writes(void)
{
	struct lab lab;

	stateless(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	is_int(length(&lab.w.save_sessions), 1, "assigned: the session is saved");
	is_int(length(&lab.w.save_machines), 0, "the machine is not");
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	is_int(length(&lab.w.save_sessions), 0, "accepted: nothing is saved at once");
	is_int(length(&lab.w.late_sessions), 1, "... but soon");
	lab_session(&lab, EVENT_ENDED, (struct event){ .session = { .how = END_CLOSED } });
	struct session *s = LIST_ENTRY(lab.w.save_sessions.next, struct session,
				       save_link);
	is_int(length(&lab.w.save_sessions), 1, "ended: the session is saved once");
	ok(s->row.ended_wall_ms && s->row.cleaned_wall_ms, "with its end and its clean");
	is_int(length(&lab.w.save_machines), 0, "the machine is not");
	is_text(lab_state(&lab, "mail-01"), "ready", "which is ready again");
	lab_wait(&lab, 999);
	is_int(length(&lab.w.save_machines), 0, "for almost a second");
	lab_wait(&lab, 1);
	is_int(length(&lab.w.save_machines), 1, "then it is");
	lab_end_turn(&lab);
	is_int(length(&lab.w.late_machines) + length(&lab.w.late_sessions), 0,
	       "and nothing is left to be saved late");
	lab_close(&lab);
}

/* Whatever a session's row does not tell is saved in its own turn. */
static void test_at_once(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	lab_session(&lab, EVENT_ENDED, (struct event){ .session = { .how = END_CLOSED } });
	is_text(lab_state(&lab, "mail-01"), "cleaning", "a machine to be rebuilt");
	is_int(length(&lab.w.save_machines), 1, "is saved as that at once");
	is_int(length(&lab.w.late_machines), 0, "and not again later");
	lab_close(&lab);

	stateless(&lab);
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_COMMAND, .command = {
			.verb = COMMAND_MACHINE_HOLD, .name = SLICE("mail-01"),
			.serve = -1, .spare = -1, .max = -1 } });
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_COMMAND, .command = {
			.verb = COMMAND_MACHINE_RELEASE, .name = SLICE("mail-01"),
			.serve = -1, .spare = -1, .max = -1 } });
	is_text(lab_state(&lab, "mail-01"), "ready", "released, nobody was on it");
	is_int(length(&lab.w.save_machines), 1, "no session tells of that clean: saved");
	lab_close(&lab);
}

static struct machine_row machine(enum machine_state state, uint64_t session)
{
	struct machine_row row = { .id = 5, .slot = 1, .incarnation = 3,
				   .built = 2, .state = state, .session = session,
				   .dirty = state != MACHINE_READY,
				   .rung = RUNG_NONE, .wish = WISH_RUN };

	TEXT_SET(row.name, "mail-01");
	TEXT_SET(row.pool, "mail");
	TEXT_SET(row.host, "h");
	world_uuid(&(struct world){ .site_key = 0x1234 }, row.id, row.uuid);
	return row;
}

static struct session_row session(uint64_t id, uint64_t incarnation,
				  enum session_state state, bool clean)
{
	struct session_row row = { .id = id, .machine = 5, .nonce = 77,
				   .incarnation = incarnation, .conn = id,
				   .state = state, .clean_ms = -1 };

	if (state != SESSION_ASSIGNED && state != SESSION_ACTIVE)
		row.ended_wall_ms = 1;
	if (clean)
		row.cleaned_wall_ms = 2;
	TEXT_SET(row.machine_name, "mail-01");
	TEXT_SET(row.user, "ann");
	TEXT_SET(row.application, "mail");
	return row;
}

struct found {
	const char *what, *state;
	struct machine_row machine;
	struct session_row sessions[3];
	uint64_t incarnation, session;
};

static void test_restart(void)
{
	const struct found found[] = {
		{ "given away since", "reserved", machine(MACHINE_READY, 0),
		  { session(9, 3, SESSION_ASSIGNED, false) }, 3, 9 },
		{ "accepted since", "in_session", machine(MACHINE_READY, 0),
		  { session(9, 3, SESSION_ACTIVE, false) }, 3, 9 },
		{ "one round further", "ready", machine(MACHINE_RESERVED, 9),
		  { session(9, 3, SESSION_CLOSED, true) }, 4, 0 },
		{ "three rounds further", "ready", machine(MACHINE_READY, 0),
		  { session(9, 3, SESSION_CLOSED, true),
		    session(11, 4, SESSION_LOST, true),
		    session(12, 5, SESSION_CLOSED, true) }, 6, 0 },
		{ "rounds further and given away", "reserved",
		  machine(MACHINE_IN_SESSION, 9),
		  { session(9, 3, SESSION_CLOSED, true),
		    session(11, 4, SESSION_CLOSED, true),
		    session(12, 5, SESSION_ASSIGNED, false) }, 5, 12 },
		{ "not cleaned after its last", "cleaning",
		  machine(MACHINE_READY, 0),
		  { session(9, 3, SESSION_CLOSED, true),
		    session(11, 4, SESSION_CLOSED, false) }, 4, 11 },
		{ "out of the round, cleaned or not", "quarantined",
		  machine(MACHINE_QUARANTINED, 0),
		  { session(9, 3, SESSION_CLOSED, false) }, 3, 0 },
		{ "ahead of an older session", "ready", machine(MACHINE_READY, 0),
		  { session(9, 2, SESSION_CLOSED, true) }, 3, 0 },
	};
	struct lab lab;

	lab_defaults(&lab);
	lab.app.agent = false;
	lab.pool.recycle = RECYCLE_NONE;
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		const struct found *f = &found[i];
		struct world_rows rows = { .machines = &f->machine,
					   .machine_count = 1,
					   .sessions = f->sessions };

		while (rows.session_count < 3 && f->sessions[rows.session_count].id)
			rows.session_count++;
		lab_open_with(&lab, &rows);
		struct machine *m = lab_machine(&lab, "mail-01");
		is_text(lab_state(&lab, "mail-01"), f->state, "%s: its state", f->what);
		is_int(m->row.incarnation, f->incarnation, "... its incarnation");
		is_int(m->row.session, f->session, "... its session");
		is_int(lab.w.sessions.used, f->session != 0, "... and no other");
		lab_close(&lab);
	}
}

int main(void)
{
	test_writes();
	test_at_once();
	test_restart();
	return tap_done();
}
