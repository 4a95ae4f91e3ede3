/* The life of one machine: its table, booting, failing, an operator's wishes. */
#include "tests/unit/core_lab.h"

static void test_table(const struct sm_table *t)
{
	uint32_t reached = 0;

	for (int i = 0; i < t->count; i++) {
		const struct sm_state *s = &t->states[i];

		ok(s->name && s->holds, "%s state %d has a name and a meaning",
		   t->kind, i);
		is_int(sm_by_name(t, s->name), i, "%s %s is found by name",
		       t->kind, s->name);
		ok(!(s->flags & SM_FINAL) == (s->allowed != 0),
		   "%s %s: final exactly when no edge leaves", t->kind, s->name);
		reached |= s->allowed;
		if (s->flags & SM_INITIAL)
			reached |= SM_TO(i);
	}
	is_int(reached, (1ll << t->count) - 1, "every %s state has a way in",
	       t->kind);
	is_int(sm_by_name(t, "nonsense"), -1, "no %s state of another name",
	       t->kind);
}

static void test_mover(void)
{
	int state = MACHINE_DEFINED;

	sm_move(&machine_table, &state, MACHINE_BOOTING, "m");
	is_int(state, MACHINE_BOOTING, "an edge is gone along");
	is_text(lab_breaks(sm_move(&machine_table, &state, MACHINE_READY, "m")),
		"S9", "what is no edge breaks S9");
	is_int(state, MACHINE_BOOTING, "and changes nothing");
	state = MACHINE_GONE;
	for (int to = 0; to < MACHINE_STATES; to++)
		ok(!sm_may_move(&machine_table, state, to), "gone stays gone (%d)",
		   to);
	ok(!sm_may_move(&machine_table, MACHINE_IN_SESSION, MACHINE_READY),
	   "no way from a session to ready but through cleaning");
}

static void test_boot(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.app.hooks = 1u << SITE_HOOK_PREPARE | 1u << SITE_HOOK_READY;
	lab_open(&lab);
	is_text(lab_state(&lab, "mail-01"), "booting", "created at once");
	lab_answer(&lab, EFFECT_DOMAIN_CREATE, CALL_OK);
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_FAILED);
	ok(!lab_effect(&lab, EFFECT_AGENT_PING), "a deaf agent is not asked at once");
	lab_wait(&lab, PING_INTERVAL_MS);
	ok(lab_effect(&lab, EFFECT_AGENT_PING), "but after its interval");
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_OK);
	is_text(lab_state(&lab, "mail-01"), "preparing", "its agent answered");
	lab_hook(&lab, true);
	lab_hook(&lab, false);
	is_text(lab_state(&lab, "mail-01"), "preparing", "ready said no");
	lab_wait(&lab, READY_INTERVAL_MS);
	lab_hook(&lab, true);
	is_text(lab_state(&lab, "mail-01"), "ready", "ready said yes");
	is_int(lab.w.pools[0]->ready_count, 1, "it is offered");
	lab_close(&lab);
}

/* Boot fails: destroy, pause, again, a longer pause, again, quarantine. */
static void test_quarantine(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	for (int i = 1; i < FAILURES_MAX; i++) {
		lab_answer(&lab, EFFECT_DOMAIN_CREATE, CALL_FAILED);
		is_text(lab_state(&lab, "mail-01"), "cleaning", "failure %d", i);
		lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
		is_text(lab_state(&lab, "mail-01"), "defined", "destroyed");
		lab_wait(&lab, (1000ll << i) - 1);
		ok(!lab_effect(&lab, EFFECT_DOMAIN_CREATE), "it pauses");
		lab_wait(&lab, 1);
		ok(lab_effect(&lab, EFFECT_DOMAIN_CREATE), "for %lld ms",
		   1000ll << i);
	}
	lab_answer(&lab, EFFECT_DOMAIN_CREATE, CALL_UNKNOWN);
	is_text(lab_state(&lab, "mail-01"), "quarantined", "the third time");
	ok(lab_machine(&lab, "mail-01")->row.dirty, "it counts as dirty");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_COMMAND,
				       .command = { .verb = COMMAND_MACHINE_RELEASE,
						    .reply = 9,
						    .name = SLICE("mail-01") } });
	is_int(lab_effect(&lab, EFFECT_REPLY)->call, 9, "a command is answered");
	is_text(lab_state(&lab, "mail-01"), "cleaning", "released: through cleaning");
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	lab_boot(&lab);
	is_text(lab_state(&lab, "mail-01"), "ready", "and back");
	lab_close(&lab);
}

static void test_boot_deadline(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_answer(&lab, EFFECT_DOMAIN_CREATE, CALL_OK);
	lab_wait(&lab, 19999);
	is_text(lab_state(&lab, "mail-01"), "booting", "within its deadline");
	lab_wait(&lab, 1);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "an agent that never answers");
	lab_close(&lab);
}

static void test_boot_slots(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.boot_parallel = 2;
	lab.pool.serve = lab.pool.max = 3;
	lab_open(&lab);
	is_int(lab.w.hosts[0]->booting, 2, "no more boot than the host allows");
	is_text(lab_state(&lab, "mail-03"), "defined", "the third waits");
	lab_boot(&lab);
	is_text(lab_state(&lab, "mail-03"), "booting", "a slot went free");
	lab_close(&lab);
}

static void command(struct lab *lab, enum command_verb verb)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_COMMAND,
				      .command = { .verb = verb, .reply = 1,
						   .name = SLICE("mail-01") } });
}

static void test_wishes(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.serve = lab.pool.max = 1;
	lab_open(&lab);
	command(&lab, COMMAND_MACHINE_HOLD);
	is_text(lab_state(&lab, "mail-01"), "booting", "held while it boots");
	lab_step(&lab, (struct event){ .kind = EVENT_DOMAIN_HINT,
				       .hint = { .host = SLICE("h") } });
	struct machine *m = lab_machine(&lab, "mail-01");
	lab_done(&lab, m->call, CALL_OK, false);
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_OK);
	is_text(lab_state(&lab, "mail-01"), "held", "it goes where it was wished");
	command(&lab, COMMAND_MACHINE_RELEASE);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "back through cleaning");
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	lab_boot(&lab);
	is_text(lab_state(&lab, "mail-01"), "ready", "ready again");
	is_int(lab_machine(&lab, "mail-01")->row.incarnation, 1, "in a new incarnation");
	command(&lab, COMMAND_MACHINE_DELETE);
	is_text(lab_state(&lab, "mail-01"), "retiring", "taken away");
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_FAILED);
	is_text(lab_state(&lab, "mail-01"), "retiring", "destroy failed");
	lab_wait(&lab, 5000);
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	is_int(lab_effect(&lab, EFFECT_DELETE_MACHINE)->machine, 1, "its row goes");
	lab_end_turn(&lab);
	ok(!world_machine(&lab.w, 1), "and it is gone");
	is_int(lab_machine(&lab, "mail-02")->row.id, 2, "its pool made another");
	lab_close(&lab);
}

/* Silence of a poll that was asked before the create proves nothing. */
static void test_poll_is_truth(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	uint64_t create = lab_effect(&lab, EFFECT_DOMAIN_CREATE)->call;
	lab_wait(&lab, HOST_POLL_MS);
	uint64_t poll = lab_effect(&lab, EFFECT_HOST_POLL)->call;
	lab_done(&lab, create, CALL_OK, false);
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_OK);
	lab_done(&lab, poll, CALL_OK, false);
	is_text(lab_state(&lab, "mail-01"), "ready", "an old poll does not count");
	lab_wait(&lab, HOST_POLL_MS);
	lab_answer(&lab, EFFECT_HOST_POLL, CALL_OK);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "a new one does: it is gone");
	lab_close(&lab);
}

int main(void)
{
	test_table(&machine_table);
	test_table(&session_table);
	test_mover();
	test_boot();
	test_quarantine();
	test_boot_deadline();
	test_boot_slots();
	test_wishes();
	test_poll_is_truth();
	return tap_done();
}
