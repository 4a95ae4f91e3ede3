/* Sizing: pool_decide as a table, then a pool that grows and shrinks. */
#include "engine/core/plan.h"
#include "tests/unit/core_lab.h"

struct row {
	const char *what;
	uint32_t serve, spare, max;
	uint32_t booting, ready, busy, cleaning, held, quarantined, retiring;
	uint32_t waiting;
	int want;
};

static const struct row rows[] = {
	{ "empty, serve 2", .serve = 2, .max = 4, .want = 2 },
	{ "what boots counts", .serve = 2, .max = 4, .booting = 2, .want = 0 },
	{ "what is cleaned counts", .serve = 2, .max = 4, .ready = 1,
	  .cleaning = 1, .want = 0 },
	{ "busy ones need spare beside them", .serve = 2, .spare = 1, .max = 4,
	  .busy = 2, .want = 1 },
	{ "spare is within serve when idle", .serve = 3, .spare = 2, .max = 5,
	  .ready = 3, .want = 0 },
	{ "each that waits wants one", .serve = 1, .max = 5, .busy = 1,
	  .waiting = 3, .want = 3 },
	{ "never above max", .serve = 1, .max = 3, .busy = 1, .waiting = 9,
	  .want = 2 },
	{ "parked ones take room", .serve = 2, .max = 3, .held = 2,
	  .want = 1 },
	{ "and are not alive", .serve = 2, .max = 4, .quarantined = 1,
	  .ready = 1, .want = 1 },
	{ "a retiring one takes room until it is gone", .serve = 2, .max = 2,
	  .retiring = 1, .ready = 1, .want = 0 },
	{ "too many", .serve = 1, .max = 4, .ready = 3, .want = -2 },
	{ "too many, but busy", .serve = 1, .max = 4, .busy = 3, .want = 0 },
	{ "serve 0", .serve = 0, .max = 2, .want = 0 },
	{ "serve 0, one waits", .serve = 0, .max = 2, .waiting = 1, .want = 1 },
};

static void test_decide(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct pool p = { .serve = r->serve, .spare = r->spare,
				  .max = r->max, .waiting_count = r->waiting };
		char why[ROW_TEXT_SIZE];

		list_init(&p.machines);
		p.counts[MACHINE_BOOTING] = r->booting;
		p.counts[MACHINE_READY] = r->ready;
		p.counts[MACHINE_IN_SESSION] = r->busy;
		p.counts[MACHINE_CLEANING] = r->cleaning;
		p.counts[MACHINE_HELD] = r->held;
		p.counts[MACHINE_QUARANTINED] = r->quarantined;
		p.counts[MACHINE_RETIRING] = r->retiring;
		is_int(pool_decide(&p, why, sizeof(why)), r->want, "%s: %s",
		       r->what, why);
		ok(r->want == 0 || why[0], "%s: says why", r->what);
		p.removed = true;
		ok(pool_decide(&p, why, sizeof(why)) <= 0,
		   "%s: removed, makes none", r->what);
	}
}

static void scale(struct lab *lab, int64_t serve, int64_t spare, int64_t max,
		  bool dry)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_COMMAND,
				      .command = { .verb = COMMAND_POOL_SCALE,
						   .reply = 1,
						   .name = SLICE("mail"),
						   .who = SLICE("root"),
						   .serve = serve, .spare = spare,
						   .max = max, .dry_run = dry } });
}

/* The host's next poll says so much room. */
static void room(struct lab *lab, int64_t mib)
{
	struct host *h = lab->w.hosts[0];

	lab_wait(lab, 6000);
	if (!h->poll_call)
		tap_bail("no poll is out");
	lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = h->poll_call, .code = mib } });
}

static const char *alarm_of(const struct lab *lab)
{
	for (size_t i = 0; i < lab->fx.count; i++) {
		const struct effect *e = &lab->fx.items[i];

		if (e->kind == EFFECT_SAVE_EVENT && strcmp(e->row->event.kind, "DISK") == 0)
			return e->row->event.text;
	}
	return "";
}

static void test_room(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.serve = 0;
	lab.pool.max = 3;
	lab_open(&lab);
	lab.polls = false;
	lab.w.spec.disk_reserve_mib = 1024;
	room(&lab, 1024);
	is_text(alarm_of(&lab), "", "as much as the reserve: no word");
	room(&lab, 1023);
	is_text(alarm_of(&lab), "host h has 1023 MiB left for disks, its reserve is 1024 MiB: no machine is made there",
		"less: an alarm");
	room(&lab, 10);
	is_text(alarm_of(&lab), "", "once");
	scale(&lab, 1, -1, -1, false);
	is_text(lab_state(&lab, "mail-01"), "defined", "a machine that is wanted does not boot");
	is_text(lab.w.pools[0]->reason, "host h has 10 MiB left for disks, its reserve is 1024 MiB: no machine is made there",
		"and the pool says why");
	room(&lab, -1);
	is_text(lab_state(&lab, "mail-01"), "defined", "not knowing changes nothing");
	room(&lab, 1024 + 127);
	is_text(lab_state(&lab, "mail-01"), "defined", "nor does a little more than the reserve");
	room(&lab, 1024 + 128);
	is_text(alarm_of(&lab), "1152 MiB are free again for disks", "an eighth more ends it");
	is_text(lab_state(&lab, "mail-01"), "booting", "and the machine boots");
	lab.w.spec.disk_reserve_mib = 0;
	room(&lab, 0);
	is_text(alarm_of(&lab), "", "no reserve, no watch");
	lab_close(&lab);
}

static void test_scale(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_boot(&lab);
	struct pool *p = lab.w.pools[0];
	scale(&lab, 3, -1, 4, true);
	ok(lab_effect(&lab, EFFECT_REPLY)->ok, "a dry run is answered");
	is_int(p->serve, 1, "and changes nothing");
	is_int(lab_count(&lab, EFFECT_SAVE_OVERRIDE), 0, "and saves nothing");
	scale(&lab, 3, -1, 4, false);
	is_int(pool_total(p), 3, "two more are made");
	is_int(lab_count(&lab, EFFECT_SAVE_OVERRIDE), 2, "serve and max are saved");
	scale(&lab, 3, 2, 1, false);
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "serve above max is refused");
	is_int(p->max, 4, "and nothing changed");
	scale(&lab, 5, -1, -1, false);
	is_int(p->max, 5, "a wish above the bound moves the bound");
	scale(&lab, 1, 0, -1, false);
	is_int(pool_alive(p), 1, "an operator's shrink does not wait");
	is_int(p->counts[MACHINE_READY], 1, "what is ready stays longest");
	is_text(lab_breaks(pools_balance(&lab.w, &lab.fx)), "none",
		"balancing again does no harm");
	is_int(pool_alive(p), 1, "and changes nothing");
	lab_close(&lab);
}

/* Machines that a site with this serve would take away. */
static uint32_t drained(struct lab *lab, uint32_t serve)
{
	struct site_spec spec = lab_site(lab);
	struct pool_plan *plans;
	uint32_t drain;
	size_t count;

	spec.pools[0].serve = serve;
	plans = plan_pools(&lab->w, &spec, &count);
	drain = count == 1 ? plans[0].drain : UINT32_MAX;
	free(plans);
	return drain;
}

/* A burst's machines stay for shrink_after, then the pool falls back. */
static void test_burst(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.max = 2;
	lab_open(&lab);
	lab_boot(&lab);
	lab_request(&lab, 1, "ann", "", NULL);
	lab_session(&lab, EVENT_ACCEPTED, (struct event){ 0 });
	lab_request(&lab, 2, "ann", "", NULL);
	is_int(pool_total(lab.w.pools[0]), 2, "who waits makes the pool grow");
	lab_boot(&lab);
	is_text(lab_state(&lab, "mail-02"), "reserved", "and is served");
	struct machine *m = lab_machine(&lab, "mail-02");
	struct event ended = { .kind = EVENT_ENDED,
		.session = { .session = m->row.session, .machine = m->row.id,
			     .incarnation = m->row.incarnation,
			     .how = END_CLOSED } };
	lab_end_turn(&lab);
	lab_step(&lab, ended);
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	lab_boot(&lab);
	lab_session(&lab, EVENT_ENDED, (struct event){ .session.how = END_CLOSED });
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	lab_boot(&lab);
	is_int(lab.w.pools[0]->ready_count, 2, "both are free again");
	is_int(pool_alive(lab.w.pools[0]), 2, "the burst's machine stays a while");
	is_int(drained(&lab, lab.pool.serve), 0, "the same site takes none away");
	is_int(drained(&lab, 0), 1, "one that serves none takes what would stay");
	lab_wait(&lab, 5001);
	is_int(pool_alive(lab.w.pools[0]), 1, "not for ever");
	lab_close(&lab);
}

static void test_removed(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab_open(&lab);
	lab_boot(&lab);
	struct site_spec spec = lab_site(&lab);
	spec.pool_count = 0;
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_SITE,
				       .site = { .spec = &spec } });
	is_text(lab_state(&lab, "mail-01"), "retiring", "a pool that left the site drains");
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	lab_end_turn(&lab);
	is_int(lab.w.pool_count, 0, "and is forgotten when it is empty");
	lab_close(&lab);
}

int main(void)
{
	test_decide();
	test_room();
	test_scale();
	test_burst();
	test_removed();
	return tap_done();
}
