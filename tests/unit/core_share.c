/*
 * Shared connections: a user's further connections join his session, wait for
 * one that begins, and the last to go ends it (S28).
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/core_lab.h"

static struct session *the_session(struct lab *lab)
{
	return world_session(&lab->w, lab_machine(lab, "mail-01")->row.session);
}

static void open_shared(struct lab *lab)
{
	lab->app.shared = true;
	lab->app.endpoint = ENDPOINT_TCP;
	lab->pool.recycle = RECYCLE_NONE;
	lab->polls = true;
	lab_open(lab);
	lab_gateway(lab, 1, true);
	lab_boot(lab);
}

static void begin(struct lab *lab)
{
	lab_defaults(lab);
	open_shared(lab);
}

/* ann has a session on connection 1. */
static void ann_works(struct lab *lab)
{
	begin(lab);
	lab_request(lab, 1, "ann", "", NULL);
	lab_session(lab, EVENT_ACCEPTED, (struct event){ 0 });
}

/* What gateway 0 says of a joined connection. */
static void lab_join(struct lab *lab, enum event_kind kind, uint64_t join,
		     struct event ev)
{
	struct session *s = the_session(lab);

	ev.kind = kind;
	ev.session.session = join;
	ev.session.machine = s->row.machine;
	ev.session.incarnation = s->row.incarnation;
	lab_end_turn(lab);
	lab_step(lab, ev);
}

/* ann's connection joins; its number at the gateway. */
static uint64_t join(struct lab *lab, uint64_t conn)
{
	lab_request(lab, conn, "ann", "", NULL);
	struct effect *e = lab_effect(lab, EFFECT_ASSIGN);
	uint64_t id = e ? e->join : 0;

	if (!id)
		tap_bail("connection %d does not join", (int)conn);
	lab_join(lab, EVENT_ACCEPTED, id, (struct event){ 0 });
	return id;
}

static void test_join(void)
{
	struct lab lab;

	ann_works(&lab);
	struct session *s = the_session(&lab);
	lab_request(&lab, 2, "ann", "", NULL);
	struct effect *e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(e && e->session == s->row.id && e->join && e->join != s->row.id &&
		   e->conn == 2 && e->machine == s->row.machine,
	   "a second connection is on the same session and machine");
	ok(lab_effect(&lab, EFFECT_SAVE_JOIN), "and saved in that turn");
	ok(!lab_effect(&lab, EFFECT_HOOK_RUN), "nothing is accepted again");
	is_int(s->row.connections, 2, "the session counts it");
	is_int(lab.w.gateways[0].sessions, 2, "and so does its gateway");
	uint64_t id = e->join;
	lab_request(&lab, 3, "ben", "", NULL);
	e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(!e || e->session != s->row.id, "another user does not join");
	lab_session(&lab, EVENT_BYTES, (struct event){
		.session = { .bytes_in = 10, .bytes_out = 1 } });
	lab_join(&lab, EVENT_BYTES, id, (struct event){
		.session = { .bytes_in = 5, .bytes_out = 2 } });
	is_int(s->row.bytes_in, 15, "bytes of both count");
	lab_session(&lab, EVENT_ENDED, (struct event){
		.session = { .how = END_CLOSED, .bytes_in = 11 } });
	is_int(s->row.state, SESSION_ACTIVE, "the first to close ends nothing");
	is_int(s->row.gateway, WORLD_GATEWAYS_MAX, "its own connection is over");
	is_text(lab_breaks(world_check(&lab.w)), "none", "and all is well");
	lab_join(&lab, EVENT_ENDED, id, (struct event){
		.session = { .how = END_CLOSED, .bytes_in = 7, .confirm = true } });
	is_int(s->row.state, SESSION_CLOSED, "the last one ends it");
	is_int(s->row.bytes_in, 18, "with the bytes of both");
	ok(lab_effect(&lab, EFFECT_DELETE_JOIN), "nothing of it stays saved");
	e = lab_effect(&lab, EFFECT_CONFIRMED);
	ok(e && e->session == id && e->ok, "and hears that the machine is clean");
	lab_close(&lab);
}

static void test_waits(void)
{
	struct lab lab;

	begin(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	struct session *s = the_session(&lab);
	lab_request(&lab, 2, "ann", "", NULL);
	ok(!lab_effect(&lab, EFFECT_ASSIGN) && !lab_effect(&lab, EFFECT_WAITING) &&
		   !lab.w.waiting_count,
	   "while the machine accepts a second one waits, and in no line");
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	struct effect *e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(e && e->conn == 2 && e->session == s->row.id, "then it joins");
	lab_request(&lab, 3, "ben", "", NULL);
	lab_request(&lab, 4, "ben", "", NULL);
	is_int(lab.w.waiting_count, 1, "one place in the line for both of ben's");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 3 } });
	is_int(lab.w.waiting_count, 1, "the first goes: the second stands in the line");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 4 } });
	is_int(lab.w.waiting_count, 0, "until it goes too");
	is_int(lab.w.shares.used, 1, "nothing is remembered of him");
	lab_close(&lab);
}

static void test_not_accepted(void)
{
	struct lab lab;

	ann_works(&lab);
	struct session *s = the_session(&lab);
	lab_request(&lab, 2, "ann", "", NULL);
	uint64_t id = lab_effect(&lab, EFFECT_ASSIGN)->join;
	lab_join(&lab, EVENT_FAILED, id, (struct event){
		.session = { .text = SLICE("refused") } });
	is_text(refusal_of(&lab), "not_accepted", "its client hears so");
	is_int(s->row.state, SESSION_ACTIVE, "its session goes on");
	lab_request(&lab, 3, "ann", "", NULL);
	id = lab_effect(&lab, EFFECT_ASSIGN)->join;
	lab_wait(&lab, lab.app.accept_deadline_ms + GATEWAY_GRACE_MS);
	struct effect *e = lab_effect(&lab, EFFECT_STOP);
	ok(e && e->session == id, "a gateway that says nothing is told to end it");
	lab_close(&lab);
}

static void test_operator(void)
{
	struct lab lab;

	ann_works(&lab);
	struct session *s = the_session(&lab);
	uint64_t id = join(&lab, 2);
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_COMMAND,
		.command = { .verb = COMMAND_SESSION_END, .reply = 9,
			     .who = SLICE("ops"), .session = s->row.id } });
	is_int(lab_count(&lab, EFFECT_STOP), 2, "all of its connections are ended");
	lab_request(&lab, 3, "ann", "", NULL);
	ok(!lab_effect(&lab, EFFECT_ASSIGN) && lab.w.waiting_count == 1,
	   "nobody joins what is being ended");
	lab_join(&lab, EVENT_ENDED, id, (struct event){
		.session = { .how = END_STOPPED } });
	is_int(s->row.state, SESSION_ACTIVE, "it is over with the last");
	lab_session(&lab, EVENT_ENDED, (struct event){
		.session = { .how = END_STOPPED } });
	is_int(s->row.state, SESSION_CLOSED, "which this was");
	lab_close(&lab);
}

static void test_gateway(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.app.linger_ms = 60000;
	open_shared(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	struct session *s = the_session(&lab);
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .gateway = 1, .conn = 1, .listener = SLICE("door"),
			     .application = SLICE("mail"), .user = SLICE("ann"),
			     .wait_ms = -1, .nonce = 7 } });
	ok(lab_effect(&lab, EFFECT_ASSIGN)->join, "she joins at another gateway");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_GATEWAY_LOST });
	ok(s->row.state == SESSION_ACTIVE && !s->away,
	   "the gateway of the first dies: the session goes on");
	is_text(lab_breaks(world_check(&lab.w)), "none", "as it should");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_GATEWAY_LOST,
				       .gateway = { .index = 1 } });
	ok(s->away && s->row.state == SESSION_ACTIVE, "without any it lingers");
	lab_gateway(&lab, 0, true);
	lab_request(&lab, 5, "ann", "another key", NULL);
	struct effect *e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(e && e->session == s->row.id && !e->join && s->returning,
	   "and whoever of hers comes first has it again");
	lab_request(&lab, 6, "ann", "", NULL);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(e && e->join && e->conn == 6, "others join once the machine has accepted");
	lab_close(&lab);
}

/* The saved rows as an engine that starts finds them. */
static void test_restart(void)
{
	struct lab lab;
	struct machine_row machine;
	struct session_row session;
	struct join_row row;

	ann_works(&lab);
	join(&lab, 2);
	machine = lab_machine(&lab, "mail-01")->row;
	session = the_session(&lab)->row;
	row = LIST_ENTRY(the_session(&lab)->joins.next, struct join, link)->row;
	lab_close(&lab);
	lab_open_with(&lab, &(struct world_rows){
		.machines = &machine, .machine_count = 1,
		.sessions = &session, .session_count = 1,
		.joins = &row, .join_count = 1 });
	struct session *s = the_session(&lab);
	is_int(s->join_count, 1, "a restarted engine knows who joined");
	lab_step(&lab, (struct event){ .kind = EVENT_GATEWAY_UP });
	lab_step(&lab, (struct event){
		.kind = EVENT_GATEWAY_SESSION,
		.held = { .conn = 2, .session = row.id, .machine = machine.id,
			  .incarnation = session.incarnation, .flowing = true,
			  .bytes_in = 40 } });
	ok(!lab_effect(&lab, EFFECT_STOP), "and what its gateway holds stays");
	lab_step(&lab, (struct event){ .kind = EVENT_GATEWAY_READY });
	ok(s->row.state == SESSION_ACTIVE && s->row.gateway == WORLD_GATEWAYS_MAX,
	   "what it does not hold is over");
	is_int(s->row.bytes_in, 40, "bytes are those that were told");
	lab_close(&lab);
}

int main(void)
{
	test_join();
	test_waits();
	test_not_accepted();
	test_operator();
	test_gateway();
	test_restart();
	return tap_done();
}
