/* Requests: admission, refusals by code, keys, waiting in order, deadlines. */
#include "tests/unit/core_lab.h"

static void ask(struct lab *lab, uint64_t conn, const char *door,
		const char *application, const char *user, int64_t wait_ms)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = conn, .listener = slice_of(door),
			     .application = slice_of(application),
			     .user = slice_of(user), .wait_ms = wait_ms,
			     .nonce = 1 } });
}

static void test_admission(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.everybody = false;
	lab_open(&lab);
	lab_boot(&lab);
	ask(&lab, 1, "window", "mail", "ann", -1);
	is_text(refusal_of(&lab), "refused", "an unknown listener");
	ask(&lab, 2, "door", "mail", "", -1);
	is_text(refusal_of(&lab), "refused", "no user");
	ask(&lab, 3, "door", "mail", "ann", -1);
	is_text(refusal_of(&lab), "not_allowed", "a user without the right");
	ask(&lab, 4, "door", "chess", "somebody", -1);
	is_text(refusal_of(&lab), "no_application", "an unknown application");
	is_text(lab_state(&lab, "mail-01"), "ready", "nothing was reserved");
	is_int(lab_count(&lab, EFFECT_SAVE_REQUEST), 1, "a refusal is saved");
	ask(&lab, 5, "door", "mail", "somebody", -1);
	is_text(refusal_of(&lab), "not refused", "a user the site does not limit");
	is_text(lab_state(&lab, "mail-01"), "reserved", "has the machine");
	ask(&lab, 6, "door", "mail", "other", 0);
	is_text(refusal_of(&lab), "no_machine", "who would not wait");
	is_text(lab_breaks(ask(&lab, 0, "door", "mail", "x", 0)), "",
		"a request without its connection's number is a broken program");
	lab_close(&lab);
}

static void test_limit(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.limit = 1;
	lab.pool.serve = lab.pool.max = 2;
	lab_open(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	is_text(refusal_of(&lab), "not refused", "the first waits");
	lab_request(&lab, 2, "ann", "", NULL);
	is_text(refusal_of(&lab), "limit", "waiting counts: it will be a session");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 1 } });
	lab_request(&lab, 3, "ann", "", NULL);
	is_text(refusal_of(&lab), "not refused", "who left does not count");
	lab_close(&lab);
}

static void test_keys(void)
{
	struct lab lab;
	struct session_row prior;

	lab_defaults(&lab);
	lab.limit = 9;
	lab_open(&lab);
	lab_request(&lab, 1, "ann", "k1", NULL);
	is_int(lab.w.pools[0]->waiting_count, 1, "the first waits");
	lab_request(&lab, 2, "ann", "k1", NULL);
	is_text(refusal_of(&lab), "superseded", "the newer connection takes the place");
	is_int(lab_effect(&lab, EFFECT_REFUSE)->conn, 1, "of the older one");
	is_int(lab.w.waiting_count, 1, "one waits");
	lab_request(&lab, 3, "ben", "k1", NULL);
	is_int(lab.w.pools[0]->waiting_count, 2, "another user's key is another");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 3 } });
	lab_done(&lab, lab_machine(&lab, "mail-01")->call, CALL_OK, false);
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_OK);
	is_text(lab_state(&lab, "mail-01"), "reserved", "served");
	prior = world_session(&lab.w, 1)->row;
	lab_request(&lab, 4, "ann", "k1", NULL);
	is_text(refusal_of(&lab), "duplicate", "a live session of that key");
	is_int(lab_effect(&lab, EFFECT_REFUSE)->session, 1, "which it names");
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	lab_session(&lab, EVENT_ENDED, (struct event){
		.session.how = END_CLOSED });
	prior.state = SESSION_ACTIVE;
	lab_request(&lab, 6, "ann", "k1", &prior);
	is_text(refusal_of(&lab), "duplicate", "one the store remembers");
	ok(strstr(lab_effect(&lab, EFFECT_REFUSE)->text.ptr, "closed"),
	   "by its newest state");
	prior.state = SESSION_FAILED;
	prior.id = 77;
	lab_request(&lab, 7, "ann", "k1", &prior);
	is_text(refusal_of(&lab), "not refused", "one that failed took nothing");
	prior.state = SESSION_LOST;
	lab_request(&lab, 8, "ann", "k1", &prior);
	ok(strstr(lab_effect(&lab, EFFECT_REFUSE)->text.ptr, "session/77"),
	   "the refusal names the session");
	lab_close(&lab);
}

static void test_waiting(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	for (uint64_t conn = 1; conn <= 3; conn++) {
		char user[8] = "u0";

		user[1] = (char)('0' + conn);
		lab_request(&lab, conn, user, "", NULL);
		is_int(lab_effect(&lab, EFFECT_WAITING)->place, conn,
		       "place %d", (int)conn);
	}
	lab_done(&lab, lab_machine(&lab, "mail-01")->call, CALL_OK, false);
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_OK);
	struct effect *assign = lab_effect(&lab, EFFECT_ASSIGN);
	is_int(assign ? assign->conn : 0, 1, "the first is served first");
	is_int(lab_count(&lab, EFFECT_WAITING), 2, "the others move up");
	lab_wait(&lab, 9999);
	ok(!lab_effect(&lab, EFFECT_REFUSE), "within its time nobody is refused");
	lab_wait(&lab, 1);
	is_text(refusal_of(&lab), "timeout", "then those that wait are");
	is_int(lab_count(&lab, EFFECT_REFUSE), 2, "both of them");
	is_int(lab.w.pools[0]->waiting_count, 0, "nobody waits any more");
	is_int(lab.w.requests.used, 1, "and nothing is left of them");
	lab_close(&lab);
}

static void test_bound(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.wait_ms = 1000;
	lab_open(&lab);
	for (uint64_t conn = 1; conn <= QUEUE_MAX; conn++) {
		struct event ev = {
			.kind = EVENT_REQUEST,
			.now_ms = lab.now_ms,
			.request = { .conn = conn, .listener = SLICE("door"),
				     .application = SLICE("mail"),
				     .user = SLICE("x"), .wait_ms = -1,
				     .nonce = 1 } };

		engine_step(&lab.w, &ev, &lab.fx);
		lab_end_turn(&lab);
	}
	is_int(lab.w.pools[0]->waiting_count, QUEUE_MAX, "the queue fills");
	lab_request(&lab, QUEUE_MAX + 1, "x", "", NULL);
	is_text(refusal_of(&lab), "queue_full", "and has an end (S18)");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_GATEWAY_LOST });
	is_int(lab.w.pools[0]->waiting_count, 0, "they go with their gateway");
	lab_close(&lab);
}

static void test_repeat(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_request(&lab, 7, "ben", "", NULL);
	lab_request(&lab, 7, "ben", "", NULL);
	is_int(lab.w.pools[0]->waiting_count, 1, "a connection asks once");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_REFUSED,
		.request = { .conn = 8, .listener = SLICE("door"),
			     .user = SLICE("eve"),
			     .code = SLICE("not_authenticated"),
			     .text = SLICE("wrong password") } });
	is_text(refusal_of(&lab), "not_authenticated", "what the shell refused");
	is_int(lab_count(&lab, EFFECT_SAVE_REQUEST), 1, "stands in history");
	lab_close(&lab);
}

int main(void)
{
	test_admission();
	test_limit();
	test_keys();
	test_waiting();
	test_bound();
	test_repeat();
	return tap_done();
}
