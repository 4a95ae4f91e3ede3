/*
 * Several machines for one request: all in one turn or none, each by a ticket
 * that works once and for a time; nothing of it is lost by a restart.
 */
#include "tests/unit/core_lab.h"

static struct grant grants[4];

static const char *hash(int i)
{
	static char text[SITE_HASH_SIZE];

	memset(text, 'a' + i, sizeof(text) - 1);
	return text;
}

static void ask(struct lab *lab, uint64_t conn, const char *user,
		uint32_t count, int64_t wait_ms, const char *key)
{
	for (int i = 0; i < 4; i++) {
		grants[i].nonce = conn * 10 + (uint64_t)i;
		snprintf(grants[i].ticket, sizeof(grants[i].ticket), "ticket-%d", i);
		TEXT_SET(grants[i].hash, hash(i));
	}
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = conn, .listener = SLICE("door"),
			     .application = SLICE("mail"), .nonce = conn,
			     .user = slice_of(user), .wait_ms = wait_ms,
			     .key = slice_of(key),
			     .grants = count ? grants : NULL, .count = count } });
}

static void claim(struct lab *lab, uint64_t conn, int i, const char *door)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_CLAIM,
		.claim = { .conn = conn, .listener = slice_of(door),
			   .peer = SLICE("192.0.2.1:1"),
			   .hash = slice_of(hash(i)) } });
}

static void open_lab(struct lab *lab, uint32_t machines)
{
	lab_defaults(lab);
	lab->limit = 9;
	lab->boot_parallel = 8;
	lab->app.agent = false;
	lab->pool.serve = lab->pool.max = machines;
	lab->pool.recycle = RECYCLE_CLEAN;
	lab->app.hooks = 1u << SITE_HOOK_CLEAN;
	lab_open(lab);
}

static void boot(struct lab *lab, int i)
{
	char name[16];

	snprintf(name, sizeof(name), "mail-%02d", i);
	lab_done(lab, lab_machine(lab, name)->call, CALL_OK, false);
}

static void test_all(void)
{
	struct lab lab;

	open_lab(&lab, 3);
	for (int i = 1; i <= 3; i++)
		boot(&lab, i);
	ask(&lab, 1, "ann", 3, -1, "job");
	is_int(lab_count(&lab, EFFECT_TICKET), 3, "three tickets in one turn");
	is_int(lab_effect(&lab, EFFECT_TICKET)->place, 0, "the last is the last");
	is_int(lab_count(&lab, EFFECT_ASSIGN), 0, "no machine hears of it");
	is_int(lab.w.requests.used, 0, "the request is done");
	is_text(world_session(&lab.w, 1)->row.request_key, "job",
		"the first has the request id");
	is_text(world_session(&lab.w, 2)->row.request_key, "", "the others none");
	claim(&lab, 3, 1, "window");
	is_text(refusal_of(&lab), "ticket", "at another door it is not good");
	claim(&lab, 4, 1, "door");
	const struct effect *assign = lab_effect(&lab, EFFECT_ASSIGN);
	is_int(assign ? assign->session : 0, 2, "used, it is the second session");
	is_int(assign ? assign->conn : 0, 4, "for the connection that came");
	is_text(world_session(&lab.w, 2)->row.ticket, "", "its row says so");
	claim(&lab, 5, 1, "door");
	is_text(refusal_of(&lab), "ticket", "a second time it is not");
	lab.polls = true;
	lab_wait(&lab, TICKET_MS);
	is_int(world_session(&lab.w, 2)->row.state, SESSION_FAILED,
	       "who did not accept is given up");
	is_text(lab_state(&lab, "mail-01"), "ready",
		"who was not come for is free, without a hook");
	is_int(lab_machine(&lab, "mail-01")->row.incarnation, 1, "in a new life");
	claim(&lab, 6, 0, "door");
	is_text(refusal_of(&lab), "ticket", "and its ticket is over");
	lab_close(&lab);
}

static void test_none(void)
{
	struct lab lab;

	open_lab(&lab, 3);
	boot(&lab, 1);
	boot(&lab, 2);
	ask(&lab, 1, "ann", 3, 0, "");
	is_text(refusal_of(&lab), "no_machine", "two are not three");
	is_text(lab_state(&lab, "mail-01"), "ready", "and none is taken");
	ask(&lab, 2, "ann", 4, -1, "");
	is_text(refusal_of(&lab), "count", "a pool of three never has four");
	lab.w.spec.users[0].limit = 2;
	ask(&lab, 3, "ann", 3, -1, "");
	is_text(refusal_of(&lab), "limit", "the limit is for all of them");
	lab.w.spec.users[0].limit = 9;
	ask(&lab, 4, "ann", 3, -1, "");
	is_int(lab.w.pools[0]->waiting_count, 3, "it waits for three");
	ask(&lab, 5, "ben", 0, -1, "");
	ok(lab_effect(&lab, EFFECT_ASSIGN), "who needs less goes before it");
	boot(&lab, 3);
	is_int(lab_count(&lab, EFFECT_TICKET), 0, "two are free again: still none");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 4 } });
	is_int(lab.w.waiting_count, 0, "until it leaves");
	lab_close(&lab);
}

static void test_restart(void)
{
	struct lab lab;
	struct machine_row machine = { .id = 1, .slot = 1, .incarnation = 3,
				       .state = MACHINE_RESERVED, .session = 7,
				       .dirty = true };
	struct session_row session = { .id = 7, .machine = 1, .incarnation = 3,
				       .state = SESSION_ASSIGNED, .nonce = 5,
				       .gateway = WORLD_GATEWAYS_MAX };
	struct world_rows rows = { .machines = &machine, .machine_count = 1,
				   .sessions = &session, .session_count = 1 };

	TEXT_SET(machine.name, "mail-01");
	TEXT_SET(machine.pool, "mail");
	TEXT_SET(machine.host, "h");
	TEXT_SET(session.machine_name, "mail-01");
	TEXT_SET(session.user, "ann");
	TEXT_SET(session.application, "mail");
	TEXT_SET(session.listener, "door");
	TEXT_SET(session.ticket, hash(2));
	lab_defaults(&lab);
	lab.app.agent = false;
	lab_open_with(&lab, &rows);
	lab_gateway(&lab, 0, true);
	is_int(world_session(&lab.w, 7)->row.state, SESSION_ASSIGNED,
	       "no gateway holds it and it is not lost");
	claim(&lab, 9, 2, "door");
	ok(lab_effect(&lab, EFFECT_ASSIGN), "its ticket is still good");
	lab_close(&lab);
}

int main(void)
{
	test_all();
	test_none();
	test_restart();
	return tap_done();
}
