/*
 * A lost connection: its session keeps its machine, its user finds it again,
 * nobody else does, and after a while it is over (S26).
 */
#include <stdio.h>

#include "tests/unit/core_lab.h"

static struct session *the_session(struct lab *lab)
{
	return world_session(&lab->w, lab_machine(lab, "mail-01")->row.session);
}

static void lose(struct lab *lab, uint64_t in, bool drained)
{
	lab_session(lab, EVENT_ENDED, (struct event){
		.session = { .how = END_LOST, .bytes_in = in, .drained = drained,
			     .text = SLICE("reset") } });
}

/* ann worked on mail-01 and lost her connection. */
static void away_with(struct lab *lab, const char *key)
{
	lab->app.linger_ms = 60000;
	lab->pool.recycle = RECYCLE_NONE;
	lab->polls = true;
	lab_open(lab);
	lab_boot(lab);
	lab_request(lab, 1, "ann", key, NULL);
	lab_session(lab, EVENT_ACCEPTED, (struct event){ 0 });
	lose(lab, 100, true);
}

static void away(struct lab *lab)
{
	lab_defaults(lab);
	away_with(lab, "");
}

static void test_return(void)
{
	struct lab lab;

	away(&lab);
	struct session *s = the_session(&lab);
	uint64_t id = s->row.id, incarnation = s->row.incarnation;
	is_text(lab_state(&lab, "mail-01"), "in_session", "its machine stays");
	ok(s->row.lingers_wall_ms, "and the row says until when");
	is_int(lab.w.gateways[0].sessions, 0, "it is at no gateway");
	lab_request(&lab, 2, "ann", "", NULL);
	struct effect *e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(e && e->session == id && e->conn == 2 && e->incarnation == incarnation,
	   "she gets the same session on the same machine");
	ok(!lab_effect(&lab, EFFECT_HOOK_RUN), "with nothing run between");
	is_int(s->nonce, 0xabc002, "a nonce of its own for this accept");
	is_int(s->row.nonce, 0xabc001, "the session's stays what its hooks saw");
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	is_int(s->row.lingers_wall_ms, 0, "then it does not linger any more");
	lab_session(&lab, EVENT_BYTES, (struct event){
		.session = { .bytes_in = 7 } });
	is_int(s->row.bytes_in, 107, "the bytes of both connections count");
	lab_wait(&lab, 120000);
	is_text(lab_state(&lab, "mail-01"), "in_session", "no deadline is left");
	lab_session(&lab, EVENT_ENDED, (struct event){
		.session = { .how = END_CLOSED, .bytes_in = 8, .drained = true } });
	is_text(lab_state(&lab, "mail-01"), "ready", "closing in order ends it");
	lab_close(&lab);
}

static void test_others(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.limit = 9;
	away_with(&lab, "");
	lab_request(&lab, 2, "bob", "", NULL);
	ok(!lab_effect(&lab, EFFECT_ASSIGN), "another user does not get it");
	lab_request(&lab, 3, "ann", "job-1", NULL);
	ok(!lab_effect(&lab, EFFECT_ASSIGN), "nor a request id of its own");
	lab_close(&lab);

	lab_defaults(&lab);
	lab.limit = 1;
	away_with(&lab, "job-1");
	lab_request(&lab, 2, "ann", "", NULL);
	is_text(refusal_of(&lab), "limit", "without the id it is another request");
	lab_request(&lab, 3, "ann", "job-1", &the_session(&lab)->row);
	ok(lab_effect(&lab, EFFECT_ASSIGN) != NULL,
	   "with it she is back, at her limit and all");
	lab_close(&lab);
}

static void test_over(void)
{
	struct lab lab;

	away(&lab);
	struct session_row *row = &the_session(&lab)->row;
	lab_wait(&lab, 59999);
	is_text(lab_state(&lab, "mail-01"), "in_session", "until the last moment");
	lab_wait(&lab, 1);
	is_int(row->state, SESSION_LOST, "then it is lost");
	is_text(row->end_text, "reset; nobody came back in 60 s", "with both reasons");
	is_text(lab_state(&lab, "mail-01"), "ready", "and its machine clean");
	lab_close(&lab);

	away(&lab);
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_COMMAND,
		.command = { .verb = COMMAND_SESSION_END, .who = SLICE("root"),
			     .session = the_session(&lab)->row.id } });
	is_text(lab_state(&lab, "mail-01"), "ready", "an operator ends it at once");
	ok(!lab_effect(&lab, EFFECT_REFUSE), "with no word to a connection that is gone");
	lab_close(&lab);

	lab_defaults(&lab);
	lab.app.longest_ms = 20000;
	away_with(&lab, "");
	row = &the_session(&lab)->row;
	lab_wait(&lab, 20000);
	is_int(row->state, SESSION_CLOSED, "limits count while it lingers");
	lab_close(&lab);
}

/* She comes back, and the machine does not take her. */
static void test_return_fails(void)
{
	struct lab lab;

	away(&lab);
	lab_wait(&lab, 50000);
	lab_request(&lab, 2, "ann", "", NULL);
	lab_session(&lab, EVENT_FAILED, (struct event){
		.session = { .text = SLICE("refused") } });
	is_text(refusal_of(&lab), "not_accepted", "she hears why");
	ok(the_session(&lab)->away, "and may try again");
	lab_request(&lab, 3, "ann", "", NULL);
	ok(lab_effect(&lab, EFFECT_ASSIGN) != NULL, "which she does");
	lab_wait(&lab, 15000);	/* accept deadline and grace */
	ok(lab_effect(&lab, EFFECT_STOP) != NULL, "a gateway that does not answer");
	ok(lab_machine(&lab, "mail-01")->row.state == MACHINE_CLEANING ||
	   the_session(&lab)->held, "is waited for before anybody else");
	lab_close(&lab);
}

static void test_channel(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.app.endpoint = ENDPOINT_CHANNEL;
	lab.app.linger_ms = 60000;
	lab.pool.recycle = RECYCLE_NONE;
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_answer(&lab, EFFECT_CHANNEL_OPEN, CALL_OK);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	lose(&lab, 1, true);
	lab_request(&lab, 2, "ann", "", NULL);
	is_int(lab_count(&lab, EFFECT_CHANNEL_OPEN), 1, "its channel is opened anew");
	lab_answer(&lab, EFFECT_CHANNEL_OPEN, CALL_FAILED);
	is_text(refusal_of(&lab), "not_accepted", "which may fail");
	is_int(lab_count(&lab, EFFECT_DROP_FD), 1, "and keeps no descriptor");
	lab_request(&lab, 3, "ann", "", NULL);
	lab_answer(&lab, EFFECT_CHANNEL_OPEN, CALL_OK);
	struct effect *e = lab_effect(&lab, EFFECT_ASSIGN);
	ok(e && e->call, "or bring the descriptor to her gateway");
	lab_close(&lab);
}

static struct world_rows rows_of(struct lab *lab, struct machine_row *m,
				 struct session_row *s)
{
	*m = lab_machine(lab, "mail-01")->row;
	*s = the_session(lab)->row;
	return (struct world_rows){ .machines = m, .machine_count = 1,
				    .sessions = s, .session_count = 1 };
}

static void test_restart(void)
{
	struct lab lab, next;
	struct machine_row m;
	struct session_row s;

	away(&lab);
	struct world_rows rows = rows_of(&lab, &m, &s);
	lab_defaults(&next);
	next.app = lab.app;
	next.pool = lab.pool;
	next.polls = true;
	next.now_ms = lab.now_ms + 20000;
	lab_open_with(&next, &rows);
	lab_gateway(&next, 0, false);
	is_text(lab_state(&next, "mail-01"), "in_session", "it lingers over a restart");
	lab_wait(&next, 5000);
	lab_request(&next, 2, "ann", "", NULL);
	ok(lab_effect(&next, EFFECT_ASSIGN) != NULL, "and she is back");
	rows = rows_of(&next, &m, &s);
	lab_close(&next);
	/* The engine dies again before the accept; the gateway has it. */
	lab_open_with(&next, &rows);
	lab_step(&next, (struct event){ .kind = EVENT_GATEWAY_UP });
	lab_step(&next, (struct event){ .kind = EVENT_GATEWAY_SESSION,
		.held = { .conn = 2, .session = s.id, .machine = s.machine,
			  .incarnation = s.incarnation, .flowing = true,
			  .bytes_in = 5 } });
	lab_step(&next, (struct event){ .kind = EVENT_GATEWAY_READY });
	ok(!the_session(&next)->row.lingers_wall_ms, "her return is known by her gateway");
	is_int(the_session(&next)->row.bytes_in, 105, "with all her bytes");
	lab_end_turn(&next);
	lab_step(&next, (struct event){ .kind = EVENT_GATEWAY_LOST });
	ok(the_session(&next)->away, "a gateway's death is a lost connection");
	lab_gateway(&next, 0, true);
	lab_wait(&next, 60000);
	lab_wait(&next, 1000);	/* resource ports are closed first */
	is_text(lab_state(&next, "mail-01"), "ready", "that ends like another");
	lab_close(&next);
	lab_close(&lab);
}

static void test_machine_dies(void)
{
	struct lab lab;

	away(&lab);
	struct host *h = lab.w.hosts[0];
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_DOMAIN_HINT,
		.hint = { .host = SLICE("h"), .hint = HINT_STOPPED,
			  .uuid = slice_of(lab_machine(&lab, "mail-01")->row.uuid) } });
	lab_step(&lab, (struct event){ .kind = EVENT_CALL_DONE,
				       .done = { .call = h->poll_call } });
	ok(list_empty(&lab.w.away) && list_empty(&lab.w.live),
	   "without its machine there is nothing to come back to");
	lab_close(&lab);
}

int main(void)
{
	test_return();
	test_others();
	test_over();
	test_return_fails();
	test_channel();
	test_restart();
	test_machine_dies();
	return tap_done();
}
