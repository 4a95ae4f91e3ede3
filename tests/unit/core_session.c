/*
 * From a free machine to a session and back: assignment, accept hook and its
 * confirm, channels, the ends of a session, and the rungs of cleaning.
 */
#include <stdio.h>

#include "tests/unit/core_lab.h"

static void step_of_hook(struct lab *lab, enum hook_verb verb)
{
	struct machine *m = lab_machine(lab, "mail-01");
	uint64_t call = m->call;

	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_HOOK_STEP,
				      .step = { .call = call, .step = 1,
						.verb = verb } });
}

/* The guest's answer to this turn's AGENT_EXEC; NULL: what it was told. */
static void guest_says(struct lab *lab, const char *out, int64_t code)
{
	struct effect *e = lab_effect(lab, EFFECT_AGENT_EXEC);
	char line[100];

	if (!e)
		tap_bail("the guest was told nothing");
	text_copy_slice(line, sizeof(line), out ? slice_of(out) : e->input);
	uint64_t call = e->call;
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = call, .code = code,
						.out = slice_of(line) } });
}

static void with_hooks(struct lab *lab)
{
	lab_defaults(lab);
	lab->app.identity = IDENTITY_AGENT;
	lab->app.hooks = 1u << SITE_HOOK_ACCEPT | 1u << SITE_HOOK_CLEAN;
	lab->pool.recycle = RECYCLE_CLEAN;
	lab->wait_ms = 60000;
	lab_open(lab);
	lab_boot(lab);
	lab_request(lab, 1, "ann", "", NULL);
}

static void accept_it(struct lab *lab)
{
	step_of_hook(lab, VERB_CONFIRM);
	guest_says(lab, NULL, 0);
	lab_done(lab, 0xdead, CALL_OK, false);	/* something else between */
	struct machine *m = lab_machine(lab, "mail-01");
	uint64_t call = m->call;
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_HOOK_DONE,
				      .hook = { .call = call, .ok = true } });
}

static void test_save_before_send(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	ok(lab_effect(&lab, EFFECT_ASSIGN), "assigned in the turn of the request");
	struct session *s = world_session(&lab.w, 1);
	ok(s && list_linked(&s->save_link), "its row is saved by the same turn (S3)");
	struct machine *m = lab_machine(&lab, "mail-01");
	ok(list_linked(&m->late_link) && m->row.dirty,
	   "the machine is dirty at once (S5); its row follows");
	is_int(effect_phase(EFFECT_ASSIGN), PHASE_SEND, "a send comes after the save");
	is_int(s->row.incarnation, m->row.incarnation, "bound to the incarnation");
	is_text(lab_breaks((m->row.dirty = false, world_check(&lab.w))), "S5",
		"a user on a clean machine breaks S5");
	lab_close(&lab);
}

struct answer {
	const char *what, *out;
	int64_t code;
	bool right;
};

/* %s: session and nonce as the machine was told. */
static const struct answer answers[] = {
	{ "just what it was told", "%s", 0, true },
	{ "after other words, without newline", "hello\n1 1\n%s", 0, true },
	{ "with a carriage return", "%s\r\n", 0, true },
	{ "nothing", "", 0, false },
	{ "another session", "77 11255809\n", 0, false },
	{ "another nonce", "1 11255810\n", 0, false },
	{ "right, and then something", "%s\nbut\n", 0, false },
	{ "right, and failed", "%s", 1, false },
	{ "right, with a blank", "%s ", 0, false },
};

static void test_confirm(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct answer *a = &answers[i];
		char told[64], out[100];
		struct lab lab;

		with_hooks(&lab);
		step_of_hook(&lab, VERB_CONFIRM);
		struct effect *e = lab_effect(&lab, EFFECT_AGENT_EXEC);
		text_copy_slice(told, sizeof(told), e->input);
		told[strcspn(told, "\n")] = '\0';
		if (i == 0)
			is_text(told, "1 11255809",
				"the guest is told session and nonce");
		snprintf(out, sizeof(out), a->out[0] == '%' || strchr(a->out, '%') ?
						   a->out : "%.0s%s",
			 told, a->out);
		guest_says(&lab, out, a->code);
		is_int(lab_effect(&lab, EFFECT_STEP_RESULT)->ok, a->right,
		       "%s: the step", a->what);
		struct machine *m = lab_machine(&lab, "mail-01");
		uint64_t call = m->call;
		lab_end_turn(&lab);
		lab_step(&lab, (struct event){ .kind = EVENT_HOOK_DONE,
					       .hook = { .call = call, .ok = true } });
		is_int(lab_effect(&lab, EFFECT_ASSIGN) != NULL, a->right,
		       "%s: the hook that says yes", a->what);
		lab_close(&lab);
	}
}

static void test_hook_steps(void)
{
	struct lab lab;

	with_hooks(&lab);
	step_of_hook(&lab, VERB_EXEC);
	ok(lab_machine(&lab, "mail-01")->touched, "a command touches the machine");
	step_of_hook(&lab, VERB_EXEC);
	ok(!lab_effect(&lab, EFFECT_STEP_RESULT)->ok, "one step at a time");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_HOOK_STEP,
				       .step = { .call = 12345, .verb = VERB_EXEC } });
	is_int(lab_count(&lab, EFFECT_AGENT_EXEC), 0, "a hook nobody runs is not heard");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_RULES_LOST });
	is_text(refusal_of(&lab), "not_accepted", "a hook that dies refuses the client");
	is_text(lab_state(&lab, "mail-01"), "cleaning", "and dirties the machine");
	lab_close(&lab);
}

static void test_hook_deadline(void)
{
	struct lab lab;

	with_hooks(&lab);
	lab_wait(&lab, 6999);
	is_text(lab_state(&lab, "mail-01"), "reserved", "its deadline and a grace");
	lab_wait(&lab, 1);
	ok(lab_effect(&lab, EFFECT_HOOK_KILL), "a hook that hangs is killed");
	is_text(refusal_of(&lab), "not_accepted", "its client hears of it");
	lab_close(&lab);
}

static void end_it(struct lab *lab, enum session_end how, bool drained)
{
	lab_session(lab, EVENT_ENDED,
		    (struct event){ .session = { .how = how, .confirm = true,
						 .drained = drained,
						 .bytes_in = 10 } });
}

/* A whole round with every confirmation. */
static void test_clean(void)
{
	struct lab lab;

	with_hooks(&lab);
	accept_it(&lab);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	is_text(lab_state(&lab, "mail-01"), "in_session", "accepted");
	end_it(&lab, END_CLOSED, false);
	struct effect *run = lab_effect(&lab, EFFECT_HOOK_RUN);
	is_int(run ? run->hook : 0, HOOK_CLEAN, "the clean hook runs");
	is_int(run ? run->session : 0, 1, "for that session");
	step_of_hook(&lab, VERB_CONFIRM);
	guest_says(&lab, NULL, 0);
	ok(!lab_effect(&lab, EFFECT_CONFIRMED), "not before the hook is done");
	uint64_t call = lab_machine(&lab, "mail-01")->call;
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_HOOK_DONE,
				       .hook = { .call = call, .ok = true } });
	ok(lab_effect(&lab, EFFECT_CONFIRMED)->ok, "the client is told that it is clean");
	struct machine *m = lab_machine(&lab, "mail-01");
	is_text(lab_state(&lab, "mail-01"), "ready", "free again");
	is_int(m->row.incarnation, 1, "in the next incarnation");
	is_int(m->row.built, 0, "of the same domain");
	ok(!m->row.dirty && !m->row.session, "nothing is left of the user");
	lab_request(&lab, 2, "ann", "", NULL);
	is_int(world_session(&lab.w, 2)->row.incarnation, 1, "the next user's is another");
	lab_close(&lab);
}

static void test_clean_fails(void)
{
	struct lab lab;

	with_hooks(&lab);
	accept_it(&lab);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	end_it(&lab, END_CLOSED, false);
	lab_hook(&lab, true);	/* says yes, confirmed nothing */
	is_text(lab_state(&lab, "mail-01"), "cleaning", "a yes without confirm is none");
	ok(lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "the next rung: rebuild");
	ok(!lab_effect(&lab, EFFECT_CONFIRMED), "nothing is confirmed yet");
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_UNKNOWN);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "unknown is not destroyed (S5)");
	lab_wait(&lab, 2000);
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	is_text(lab_state(&lab, "mail-01"), "defined", "destroyed");
	ok(lab_effect(&lab, EFFECT_CONFIRMED)->ok, "and that is confirmed");
	lab_close(&lab);
}

/* Neither accept nor byte: the fast way, unless a hook was there. */
static void test_untouched(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.app.hooks = 1u << SITE_HOOK_CLEAN;
	lab.pool.recycle = RECYCLE_CLEAN;
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_session(&lab, EVENT_FAILED, (struct event){ 0 });
	is_text(lab_state(&lab, "mail-01"), "ready", "untouched: ready at once");
	is_int(lab_machine(&lab, "mail-01")->row.incarnation, 1, "the next incarnation all the same");
	is_text(refusal_of(&lab), "not_accepted", "the client is not left waiting");
	lab_request(&lab, 2, "ann", "", NULL);
	lab_session(&lab, EVENT_FAILED, (struct event){ .session.touched = true });
	is_text(lab_state(&lab, "mail-01"), "cleaning", "touched: the clean hook");
	lab_close(&lab);
	with_hooks(&lab);
	accept_it(&lab);
	lab_session(&lab, EVENT_FAILED, (struct event){ 0 });
	is_text(lab_state(&lab, "mail-01"), "cleaning", "an accept hook touched it before");
	lab_close(&lab);
}

static void test_channel(void)
{
	struct lab lab;

	for (int drained = 0; drained < 2; drained++) {
		lab_defaults(&lab);
		lab.app.endpoint = ENDPOINT_CHANNEL;
		lab.app.hooks = 1u << SITE_HOOK_CLEAN;
		lab.pool.recycle = drained ? RECYCLE_CLEAN : RECYCLE_NONE;
		lab_open(&lab);
		lab_boot(&lab);
		lab_request(&lab, 1, "ann", "", NULL);
		uint64_t fd = lab_effect(&lab, EFFECT_CHANNEL_OPEN)->call;
		ok(!lab_effect(&lab, EFFECT_ASSIGN), "first its channel");
		lab_answer(&lab, EFFECT_CHANNEL_OPEN, CALL_OK);
		is_int(lab_effect(&lab, EFFECT_ASSIGN)->call, (int64_t)fd,
		       "the descriptor goes with the session");
		lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
		end_it(&lab, END_LOST, drained);
		is_int(lab_effect(&lab, EFFECT_DOMAIN_DESTROY) != NULL, !drained,
		       "unread bytes in a port: only %s",
		       drained ? "the clean hook" : "the domain's end");
		lab_close(&lab);
	}
	lab_defaults(&lab);
	lab.app.endpoint = ENDPOINT_CHANNEL;
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	uint64_t call = lab_effect(&lab, EFFECT_CHANNEL_OPEN)->call;
	lab_wait(&lab, 5000);
	is_text(refusal_of(&lab), "not_accepted", "a channel that does not open");
	lab_done(&lab, call, CALL_OK, true);
	is_int(lab_effect(&lab, EFFECT_DROP_FD)->call, (int64_t)call,
	       "a descriptor that comes late is closed");
	lab_close(&lab);
}

/* No answer from the gateway: not clean before it has let go. */
static void test_give_up(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.recycle = RECYCLE_NONE;
	lab.polls = true;
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_wait(&lab, 15000);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "given up");
	is_int(lab_effect(&lab, EFFECT_STOP)->session, 1, "the gateway is told");
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "it may hold the machine still");
	struct event late = { .kind = EVENT_ACCEPTED,
			      .session = { .session = 1, .machine = 1 } };
	lab_end_turn(&lab);
	lab_step(&lab, late);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "a late accept changes nothing");
	late.kind = EVENT_ENDED;
	late.session.incarnation = 7;
	lab_end_turn(&lab);
	lab_step(&lab, late);
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "a message of another epoch is not heard (S6)");
	late.session.incarnation = 0;
	lab_end_turn(&lab);
	lab_step(&lab, late);
	ok(lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "it let go: rebuilt");
	is_int(world_session(&lab.w, 1)->row.state, SESSION_FAILED,
	       "and the session stays failed (S9)");
	lab_close(&lab);
}

static void test_machine_dies(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	lab_wait(&lab, HOST_POLL_MS);
	lab_answer(&lab, EFFECT_HOST_POLL, CALL_OK);	/* shows no domain */
	is_text(lab_state(&lab, "mail-01"), "cleaning", "its domain is gone");
	is_int(world_session(&lab.w, 1)->row.state, SESSION_LOST, "the session is lost");
	is_int(lab_effect(&lab, EFFECT_STOP)->session, 1, "its gateway is told");
	lab_close(&lab);
}

int main(void)
{
	test_save_before_send();
	test_confirm();
	test_hook_steps();
	test_hook_deadline();
	test_clean();
	test_clean_fails();
	test_untouched();
	test_channel();
	test_give_up();
	test_machine_dies();
	return tap_done();
}
