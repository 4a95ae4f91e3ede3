/* Rolling change: roll_decide as a table, then a pool whose site changes. */
#include "tests/unit/core_lab.h"

struct row {
	const char *what;
	uint32_t spare, max, ready, busy, making, waiting;
	bool paused;
	uint32_t want;
};

static const struct row rows[] = {
	{ "one at a time of four", .max = 4, .ready = 4, .want = 1 },
	{ "a quarter of eight", .max = 8, .ready = 8, .want = 2 },
	{ "what is being made counts", .max = 8, .ready = 7, .making = 1,
	  .want = 1 },
	{ "and a full batch waits", .max = 8, .ready = 6, .making = 2 },
	{ "spare ones stay", .spare = 2, .max = 9, .ready = 2, .busy = 5 },
	{ "those above spare go", .spare = 2, .max = 9, .ready = 3, .busy = 5,
	  .want = 1 },
	{ "at max spare gives way, one by one", .spare = 1, .max = 1,
	  .ready = 1, .want = 1 },
	{ "but not two", .spare = 2, .max = 2, .ready = 1, .making = 1 },
	{ "who waits comes first", .max = 4, .ready = 4, .waiting = 1 },
	{ "paused", .max = 4, .ready = 4, .paused = true },
	{ "nothing is free", .max = 4, .busy = 4 },
};

static void test_decide(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct pool p = { .rolling = true, .roll_paused = r->paused,
				  .spare = r->spare, .max = r->max,
				  .ready_count = r->ready,
				  .waiting_count = r->waiting };

		p.counts[MACHINE_READY] = r->ready;
		p.counts[MACHINE_IN_SESSION] = r->busy;
		p.counts[MACHINE_BOOTING] = r->making;
		is_int(roll_decide(&p), r->want, "%s", r->what);
		p.rolling = false;
		is_int(roll_decide(&p), 0, "%s: nothing without a roll", r->what);
	}
}

/* The site again, its pool made of something else. */
static void apply(struct lab *lab, const char *version)
{
	struct site_spec site;

	lab_end_turn(lab);
	TEXT_SET(lab->pool.version, version);
	site = lab_site(lab);
	lab_step(lab, (struct event){ .kind = EVENT_SITE,
				      .site.spec = &site });
}

/* The pool's one machine comes up, whatever state it is in. */
static void come_up(struct lab *lab)
{
	if (lab_effect(lab, EFFECT_DOMAIN_DESTROY))
		lab_answer(lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	lab_answer(lab, EFFECT_DOMAIN_CREATE, CALL_OK);
	lab_answer(lab, EFFECT_AGENT_PING, CALL_OK);
}

static void command(struct lab *lab, enum command_verb verb)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_COMMAND,
				      .command = { .verb = verb, .reply = 1,
						   .name = SLICE("mail"),
						   .who = SLICE("root") } });
}

static void test_roll(void)
{
	struct lab lab;

	lab_defaults(&lab);
	TEXT_SET(lab.pool.version, "v1");
	lab_open(&lab);
	come_up(&lab);
	is_text(lab_state(&lab, "mail-01"), "ready", "made");
	is_text(lab_machine(&lab, "mail-01")->row.version, "v1",
		"its row says of what");
	apply(&lab, "v1");
	is_text(lab_state(&lab, "mail-01"), "ready", "the same site: it stays");
	command(&lab, COMMAND_POOL_PAUSE);
	apply(&lab, "v2");
	is_text(lab_state(&lab, "mail-01"), "ready", "paused: it stays");
	ok(lab.w.pools[0]->outdated == 1, "and is counted as outdated");
	apply(&lab, "v1");
	ok(!lab.w.pools[0]->rolling, "undone before it began: nothing to do");
	apply(&lab, "v2");
	command(&lab, COMMAND_POOL_RESUME);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "resumed: it goes");
	come_up(&lab);
	is_text(lab_state(&lab, "mail-01"), "ready", "and comes back");
	is_text(lab_machine(&lab, "mail-01")->row.version, "v2", "of the new version");
	ok(!lab.w.pools[0]->rolling, "which ends the roll");
	world_fini(&lab.w);
	effects_fini(&lab.fx);
}

int main(void)
{
	test_decide();
	test_roll();
	return tap_done();
}
