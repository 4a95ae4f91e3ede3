/*
 * How long a session may last: idle, longest, warned, extended by operator and
 * user, over a restart of the engine.
 */
#include "tests/unit/core_lab.h"

static struct session *the_session(struct lab *lab)
{
	return world_session(&lab->w, lab_machine(lab, "mail-01")->row.session);
}

/* ann works on mail-01. */
static void begin(struct lab *lab)
{
	lab_open(lab);
	lab_boot(lab);
	lab_request(lab, 1, "ann", "", NULL);
	lab_session(lab, EVENT_ACCEPTED, (struct event){ 0 });
}

static void with_limits(struct lab *lab, int64_t idle_ms, int64_t longest_ms,
			int64_t warn_ms)
{
	lab_defaults(lab);
	lab->app.idle_ms = idle_ms;
	lab->app.longest_ms = longest_ms;
	lab->app.warn_ms = warn_ms;
	lab->polls = true;
	begin(lab);
}

static void bytes(struct lab *lab, uint64_t in)
{
	lab_session(lab, EVENT_BYTES, (struct event){
		.session = { .bytes_in = in } });
}

static void command(struct lab *lab, enum command_verb verb, int64_t ms)
{
	uint64_t session = the_session(lab)->row.id;

	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_COMMAND,
		.command = { .verb = verb, .who = SLICE("root"), .reply = 7,
			     .session = session, .ms = ms } });
}

static void user_extends(struct lab *lab, int64_t ms)
{
	lab_session(lab, EVENT_EXTEND, (struct event){
		.session = { .took_ms = ms } });
}

static void test_none(void)
{
	struct lab lab;

	with_limits(&lab, 0, 0, 0);
	lab_wait(&lab, 3600 * 1000);
	ok(!lab_effect(&lab, EFFECT_STOP), "no limit: nobody is ended");
	command(&lab, COMMAND_SESSION_EXTEND, 1000);
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "... or extended");
	lab_close(&lab);
}

static void test_idle(void)
{
	struct lab lab;

	with_limits(&lab, 10000, 0, 0);
	lab_wait(&lab, 9000);
	bytes(&lab, 5);
	lab_wait(&lab, 9999);
	ok(!lab_effect(&lab, EFFECT_STOP), "a byte counts anew");
	lab_wait(&lab, 1);
	struct effect *e = lab_effect(&lab, EFFECT_STOP);
	ok(e && e->ms == 10000, "idle: the gateway is asked to end it if quiet");
	bytes(&lab, 6);	/* it was not */
	lab_wait(&lab, 9000);
	ok(!lab_effect(&lab, EFFECT_STOP), "one that moved goes on");
	lab_wait(&lab, 1000);
	is_int(lab_count(&lab, EFFECT_STOP), 1, "until it is idle");
	lab_session(&lab, EVENT_ENDED, (struct event){
		.session = { .how = END_STOPPED, .text = SLICE("idle for 10 s") } });
	is_text(lab_state(&lab, "mail-01"), "cleaning", "then it is cleaned");
	lab_close(&lab);
}

static void test_longest(void)
{
	struct lab lab;

	with_limits(&lab, 0, 60000, 10000);
	struct session *s = the_session(&lab);
	is_int(s->row.ends_wall_ms, s->row.accepted_wall_ms + 60000,
	       "the end is in the row");
	lab_wait(&lab, 49999);
	ok(!lab_effect(&lab, EFFECT_NOTICE), "no warning yet");
	lab_wait(&lab, 1);
	is_int(lab_effect(&lab, EFFECT_NOTICE)->ms, 10000, "warned in time");
	lab_wait(&lab, 9999);
	is_int(lab_count(&lab, EFFECT_NOTICE), 0, "... once");
	ok(!lab_effect(&lab, EFFECT_STOP), "not ended before its time");
	lab_wait(&lab, 1);
	struct effect *e = lab_effect(&lab, EFFECT_STOP);
	ok(e && e->ms == 0, "ended when it is over, quiet or not");
	lab_close(&lab);
}

static void test_extend(void)
{
	struct lab lab;

	with_limits(&lab, 0, 60000, 10000);
	lab_wait(&lab, 50000);
	command(&lab, COMMAND_SESSION_EXTEND, 30000);
	ok(lab_effect(&lab, EFFECT_REPLY)->ok, "an operator extends it");
	is_int(lab_effect(&lab, EFFECT_NOTICE)->ms, 40000, "its client is told");
	lab_wait(&lab, 30000);
	is_int(lab_count(&lab, EFFECT_NOTICE), 1, "warned again");
	ok(!lab_effect(&lab, EFFECT_STOP), "and it goes on");
	command(&lab, COMMAND_SESSION_EXTEND, 31ll * 86400 * 1000);
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "not by more than 30 days");
	user_extends(&lab, 5000);
	is_int(the_session(&lab)->row.extended_ms, 0,
	       "a user may not where the listener does not say so");
	ok(lab_effect(&lab, EFFECT_NOTICE) != NULL, "and hears why");
	lab.w.spec.listeners[0].extend_ms = 20000;
	user_extends(&lab, 15000);
	user_extends(&lab, 15000);
	is_int(the_session(&lab)->row.extended_ms, 20000,
	       "a user takes what the listener allows in all");
	lab_wait(&lab, 29999);
	ok(!lab_effect(&lab, EFFECT_STOP), "which counts");
	lab_wait(&lab, 1);
	ok(lab_effect(&lab, EFFECT_STOP) != NULL, "and then it ends");
	command(&lab, COMMAND_SESSION_EXTEND, 1000);
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "one being ended is not extended");
	lab_close(&lab);
}

/* What the store holds of the lab's world. */
static struct world_rows rows_of(struct lab *lab, struct machine_row *m,
				 struct session_row *s)
{
	*m = lab_machine(lab, "mail-01")->row;
	*s = the_session(lab)->row;
	return (struct world_rows){ .machines = m, .machine_count = 1,
				    .sessions = s, .session_count = 1 };
}

static void adopt(struct lab *lab, int64_t quiet_ms)
{
	const struct session *s = the_session(lab);

	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_UP });
	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_SESSION,
		.held = { .conn = s->row.conn, .session = s->row.id,
			  .machine = s->row.machine, .flowing = true,
			  .incarnation = s->row.incarnation,
			  .quiet_ms = quiet_ms } });
	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_READY });
}

static void test_restart(void)
{
	struct lab lab, next;
	struct machine_row m;
	struct session_row s;

	with_limits(&lab, 20000, 60000, 0);
	lab_wait(&lab, 15000);
	struct world_rows rows = rows_of(&lab, &m, &s);
	lab_defaults(&next);
	next.app = lab.app;
	next.polls = true;
	next.now_ms = lab.now_ms + 2000;
	lab_open_with(&next, &rows);
	lab_wait(&next, 500);
	ok(!lab_effect(&next, EFFECT_STOP), "its gateway is not there yet");
	adopt(&next, 17500);
	lab_wait(&next, 2499);
	ok(!lab_effect(&next, EFFECT_STOP), "the quiet time before counts");
	lab_wait(&next, 1);
	ok(lab_effect(&next, EFFECT_STOP) != NULL, "idle over a restart");
	bytes(&next, 1);
	lab_wait(&next, 10000);
	bytes(&next, 2);
	lab_wait(&next, 15000);
	bytes(&next, 3);
	lab_wait(&next, 14999);
	ok(!lab_effect(&next, EFFECT_STOP), "longest is counted from the accept");
	lab_wait(&next, 1);
	ok(lab_effect(&next, EFFECT_STOP) && !lab_effect(&next, EFFECT_STOP)->ms,
	   "... over the restart");
	lab_close(&next);

	/* The wall clock was set back by a day meanwhile. */
	s.ends_wall_ms += 86400 * 1000;
	s.accepted_wall_ms += 86400 * 1000;
	lab_defaults(&next);
	next.app.longest_ms = 60000;
	next.polls = true;
	next.now_ms = lab.now_ms;
	lab_open_with(&next, &rows);
	adopt(&next, 0);
	lab_wait(&next, 60000);
	ok(lab_effect(&next, EFFECT_STOP) != NULL,
	   "a clock set back gives nobody more than the whole");
	lab_close(&next);
	lab_close(&lab);
}

/* Its end is due while no gateway can be told. */
static void test_gateway_away(void)
{
	struct lab lab;
	struct machine_row m;
	struct session_row s;

	with_limits(&lab, 0, 10000, 0);
	struct world_rows rows = rows_of(&lab, &m, &s);
	struct lab next;
	lab_defaults(&next);
	next.polls = true;
	next.now_ms = lab.now_ms + 30000;
	lab_open_with(&next, &rows);
	lab_wait(&next, 5000);
	ok(!lab_effect(&next, EFFECT_STOP), "nobody to tell");
	adopt(&next, 0);
	lab_wait(&next, 2000);
	is_int(lab_count(&next, EFFECT_STOP), 1, "told when it is back");
	lab_wait(&next, 60000);
	is_int(lab_count(&next, EFFECT_STOP), 0, "once");
	lab_close(&next);
	lab_close(&lab);
}

int main(void)
{
	test_none();
	test_idle();
	test_longest();
	test_extend();
	test_restart();
	test_gateway_away();
	return tap_done();
}
