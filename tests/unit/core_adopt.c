/*
 * After an engine's death: what its rows say, what the gateway reports, what a
 * poll shows; unknown is dirty.  And hosts, orphans and resources, which are
 * found again the same way.
 */
#include "tests/unit/core_lab.h"

static struct machine_row saved_machine(enum machine_state state, bool dirty)
{
	struct machine_row row = { .id = 5, .slot = 1, .incarnation = 3,
				   .built = 2, .state = state, .dirty = dirty,
				   .wish = WISH_RUN };

	TEXT_SET(row.name, "mail-01");
	TEXT_SET(row.pool, "mail");
	TEXT_SET(row.host, "h");
	world_uuid(&(struct world){ .site_key = 0x1234 }, row.id, row.uuid);
	return row;
}

static struct session_row saved_session(enum session_state state)
{
	struct session_row row = { .id = 9, .machine = 5, .incarnation = 3,
				   .nonce = 77, .gateway = 1, .conn = 4,
				   .state = state };

	TEXT_SET(row.machine_name, "mail-01");
	TEXT_SET(row.user, "ann");
	TEXT_SET(row.application, "mail");
	TEXT_SET(row.request_key, "k");
	return row;
}

/* Opens the lab on one machine and, unless its state is < 0, its session. */
static void reopen(struct lab *lab, enum machine_state state, bool dirty,
		   int session_state)
{
	struct machine_row m = saved_machine(state, dirty);
	struct session_row s = saved_session((enum session_state)session_state);
	struct world_rows rows = { .machines = &m, .machine_count = 1,
				   .sessions = &s,
				   .session_count = session_state >= 0 };

	if (session_state >= 0)
		m.session = s.id;
	lab_open_with(lab, &rows);
	lab->w.next_machine = 100;
	lab->w.next_session = 100;
}

static void poll_shows(struct lab *lab, uint64_t incarnation,
		       enum domain_state state)
{
	uint64_t call = lab_effect(lab, EFFECT_HOST_POLL)->call;
	struct machine *m = lab_machine(lab, "mail-01");

	lab_end_turn(lab);
	if (state)
		lab_step(lab, (struct event){
			.kind = EVENT_DOMAIN_SEEN,
			.domain = { .host = SLICE("h"), .poll = 1, .machine = 5,
				    .incarnation = incarnation, .ours = true,
				    .uuid = slice_of(m->row.uuid),
				    .state = state } });
	lab_done(lab, call, CALL_OK, false);
}

static void test_ready(void)
{
	struct lab lab;

	lab_defaults(&lab);
	reopen(&lab, MACHINE_READY, false, -1);
	is_int(lab.w.pools[0]->ready_count, 0, "a saved ready is not offered unseen");
	poll_shows(&lab, 2, DOMAIN_RUNNING);
	is_int(lab.w.pools[0]->ready_count, 1, "seen by a poll it is");
	lab_close(&lab);
	reopen(&lab, MACHINE_READY, false, -1);
	poll_shows(&lab, 0, (enum domain_state)0);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "not there: made anew");
	lab_close(&lab);
	reopen(&lab, MACHINE_READY, false, -1);
	poll_shows(&lab, 1, DOMAIN_RUNNING);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "a domain of an earlier life is not it");
	lab_close(&lab);
	reopen(&lab, MACHINE_READY, false, -1);
	poll_shows(&lab, 2, DOMAIN_OFF);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "switched off is not running");
	lab_close(&lab);
}

static void test_young(void)
{
	static const enum machine_state young[] = { MACHINE_BOOTING,
						    MACHINE_PREPARING };
	struct lab lab;

	lab_defaults(&lab);
	for (int i = 0; i < 2; i++) {
		reopen(&lab, young[i], false, -1);
		is_text(lab_state(&lab, "mail-01"), "cleaning",
			"one found %s counts as dirty (S5)",
			sm_name(&machine_table, young[i]));
		lab_close(&lab);
	}
	reopen(&lab, MACHINE_IN_SESSION, true, -1);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "a user without a session too");
	lab_close(&lab);
}

static void held(struct lab *lab, uint64_t incarnation, bool flowing)
{
	lab_step(lab, (struct event){
		.kind = EVENT_GATEWAY_SESSION,
		.held = { .gateway = 1, .conn = 4, .session = 9, .machine = 5,
			  .incarnation = incarnation, .flowing = flowing,
			  .bytes_in = 1234 } });
}

static void up(struct lab *lab, uint32_t gateway)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_UP,
				      .gateway = { .index = gateway } });
}

static void is_ready(struct lab *lab, uint32_t gateway)
{
	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_READY,
				      .gateway = { .index = gateway } });
}

static int state_of_session(struct lab *lab)
{
	return world_session(&lab->w, 9)->row.state;
}

static void test_gateway(void)
{
	struct lab lab;

	lab_defaults(&lab);
	reopen(&lab, MACHINE_RESERVED, true, SESSION_ASSIGNED);
	up(&lab, 1);
	held(&lab, 3, true);
	is_ready(&lab, 1);
	is_int(state_of_session(&lab), SESSION_ACTIVE, "what flows was accepted");
	is_int(world_session(&lab.w, 9)->row.bytes_in, 1234, "its bytes are adopted");
	is_text(lab_state(&lab, "mail-01"), "in_session", "and its machine");
	lab_close(&lab);

	reopen(&lab, MACHINE_RESERVED, true, SESSION_ASSIGNED);
	lab.polls = true;
	up(&lab, 1);
	held(&lab, 3, false);
	is_ready(&lab, 1);
	is_int(state_of_session(&lab), SESSION_ASSIGNED, "held, not accepted yet");
	lab_wait(&lab, 15000);
	is_int(state_of_session(&lab), SESSION_FAILED, "has its deadline again");
	lab_close(&lab);

	reopen(&lab, MACHINE_IN_SESSION, true, SESSION_ACTIVE);
	up(&lab, 1);
	held(&lab, 2, true);
	is_int(lab_effect(&lab, EFFECT_STOP)->session, 9, "another epoch is stopped (S6)");
	is_ready(&lab, 1);
	is_int(state_of_session(&lab), SESSION_LOST, "and ours is lost");
	lab_close(&lab);

	reopen(&lab, MACHINE_IN_SESSION, true, SESSION_ACTIVE);
	up(&lab, 0);
	is_ready(&lab, 0);
	is_int(state_of_session(&lab), SESSION_ACTIVE, "another gateway's silence means nothing");
	up(&lab, 1);
	is_ready(&lab, 1);
	is_int(state_of_session(&lab), SESSION_LOST, "its own gateway's does");
	is_text(lab_state(&lab, "mail-01"), "cleaning", "its machine is dirty");
	lab_close(&lab);
}

/* A session that had ended: cleaning waits until its gateway has reported. */
static void test_ended_before(void)
{
	struct lab lab;

	lab_defaults(&lab);
	reopen(&lab, MACHINE_CLEANING, true, SESSION_CLOSED);
	lab_machine(&lab, "mail-01")->row.rung = RUNG_REBUILD;
	poll_shows(&lab, 2, DOMAIN_RUNNING);
	up(&lab, 0);
	is_ready(&lab, 0);
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "its gateway may hold it");
	up(&lab, 1);
	held(&lab, 3, true);
	is_ready(&lab, 1);
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "it does");
	ok(lab_effect(&lab, EFFECT_STOP), "and is told to stop");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_ENDED,
				       .session = { .gateway = 1, .session = 9,
						    .machine = 5,
						    .incarnation = 3 } });
	ok(lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "now it is cleaned");
	lab_close(&lab);
}

static void seen(struct lab *lab, uint64_t machine, const char *uuid, bool ours)
{
	lab_step(lab, (struct event){
		.kind = EVENT_DOMAIN_SEEN,
		.domain = { .host = SLICE("h"), .poll = lab->w.hosts[0]->poll,
			    .machine = machine, .uuid = slice_of(uuid),
			    .name = SLICE("d"), .state = DOMAIN_RUNNING,
			    .ours = ours } });
}

static void test_orphans(void)
{
	struct lab lab;
	char uuid[ROW_UUID_SIZE];

	lab_defaults(&lab);
	lab.pool.serve = 0;
	lab_open(&lab);
	lab_wait(&lab, HOST_POLL_MS);
	world_uuid(&lab.w, 4711, uuid);
	seen(&lab, 4711, uuid, false);
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "what is not ours stays (S12)");
	seen(&lab, 4711, uuid, true);
	struct effect *e = lab_effect(&lab, EFFECT_DOMAIN_DESTROY);
	ok(e && slice_is(e->text, uuid), "ours without a machine is destroyed");
	ok(world_machine_by_uuid(&lab.w, slice_of(uuid)) == NULL, "by its uuid alone");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_DOMAIN_SEEN,
		.domain = { .host = SLICE("h"), .poll = 99, .machine = 4711,
			    .uuid = slice_of(uuid), .ours = true } });
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "an answer to another poll is not heard");
	lab_close(&lab);
}

static void test_host(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_boot(&lab);
	lab_wait(&lab, HOST_POLL_MS + HOST_ANSWER_MS);
	is_int(lab.w.hosts[0]->state, HOST_NOT_ANSWERING, "a poll without answer");
	is_int(lab.w.pools[0]->ready_count, 0, "its machines are not offered");
	is_text(lab_state(&lab, "mail-01"), "ready", "and not given up either");
	lab_wait(&lab, HOST_RESTART_MS - HOST_ANSWER_MS);
	ok(lab_effect(&lab, EFFECT_HOST_RESTART), "a role that hangs is restarted");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_HOST_LOST,
				       .host = { .host = SLICE("h") } });
	lab_step(&lab, (struct event){ .kind = EVENT_HOST_STATE,
				       .host = { .host = SLICE("h"), .up = true } });
	is_int(lab.w.hosts[0]->state, HOST_NOT_ANSWERING, "up counts from the first poll");
	lab_poll(&lab);
	is_int(lab.w.hosts[0]->state, HOST_UP, "up");
	is_int(lab.w.pools[0]->ready_count, 1, "offered again");
	lab_close(&lab);
}

int main(void)
{
	test_ready();
	test_young();
	test_gateway();
	test_ended_before();
	test_orphans();
	test_host();
	return tap_done();
}
