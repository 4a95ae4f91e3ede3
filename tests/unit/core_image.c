/*
 * Machines on disk: saved after prepare, restored for each session, woken when
 * those that run do not suffice; and the ladder below a session.
 */
#include "tests/unit/core_lab.h"

static void answer_save(struct lab *lab)
{
	struct effect *e = lab_effect(lab, EFFECT_DOMAIN_SAVE);
	uint64_t call = e ? e->call : 0;

	if (!e)
		tap_bail("nothing is saved");
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = call,
						.out = SLICE("QEMU 1") } });
}

static void answer_restore(struct lab *lab, enum call_result result,
			   uint32_t evidence)
{
	struct effect *e = lab_effect(lab, EFFECT_DOMAIN_RESTORE);
	uint64_t call = e ? e->call : 0;

	if (!e)
		tap_bail("nothing is restored");
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = call, .result = result,
						.evidence = evidence,
						.text = SLICE("said so") } });
}

static void revert_lab(struct lab *lab)
{
	lab_defaults(lab);
	lab->pool.recycle = RECYCLE_REVERT;
	lab_open(lab);
	lab_boot(lab);
}

static void test_build(void)
{
	struct lab lab;

	revert_lab(&lab);
	const struct machine *m = lab_machine(&lab, "mail-01");
	is_text(lab_state(&lab, "mail-01"), "saving", "prepared, it goes to disk");
	is_int(m->row.image, IMAGE_DOUBT, "where something may be from now on");
	answer_save(&lab);
	is_text(lab_state(&lab, "mail-01"), "waking", "and is restored once, before anybody uses it");
	is_text(m->row.image_key, "QEMU 1", "its maker is remembered");
	is_int(m->row.incarnation, 0, "its life is the old one");
	is_int(m->row.built, 1, "the domain to come is of the next");
	ok(list_linked(&m->save_link), "which is saved before the order goes out");
	answer_restore(&lab, CALL_OK, EVIDENCE_ALL);
	is_text(lab_state(&lab, "mail-01"), "ready", "woken, it is offered");
	is_int(m->row.incarnation, 1, "in that life");
	lab_close(&lab);
}

static void end_session(struct lab *lab)
{
	lab_request(lab, 1, "ann", "", NULL);
	lab_session(lab, EVENT_ACCEPTED, (struct event){ 0 });
	lab_session(lab, EVENT_ENDED, (struct event){
			    .session = { .how = END_CLOSED } });
}

static void test_revert(void)
{
	struct lab lab;

	revert_lab(&lab);
	answer_save(&lab);
	answer_restore(&lab, CALL_OK, EVIDENCE_ALL);
	end_session(&lab);
	const struct machine *m = lab_machine(&lab, "mail-01");
	is_text(lab_state(&lab, "mail-01"), "cleaning", "after a session it is dirty");
	is_int(m->row.rung, RUNG_REVERT, "and reverted");
	ok(!lab_effect(&lab, EFFECT_DOMAIN_DESTROY), "with one call");
	answer_restore(&lab, CALL_OK, EVIDENCE_ALL & ~EVIDENCE_NEW_OVERLAY);
	is_int(m->row.rung, RUNG_REBUILD, "one piece of evidence short is no revert");
	is_text(lab_state(&lab, "mail-01"), "cleaning", "it is not offered");
	struct effect *e = lab_effect(&lab, EFFECT_DOMAIN_DESTROY);
	ok(e && e->ok && e->incarnation == 2, "its domain goes, of whichever life, and its image");
	lab_answer(&lab, EFFECT_DOMAIN_DESTROY, CALL_OK);
	is_int(m->row.image, IMAGE_NONE, "the image is forgotten");
	ok(m->row.incarnation > 2, "the life that never was is not given again");
	lab_close(&lab);
}

static void test_woken_for_a_request(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.recycle = RECYCLE_REVERT;
	lab.pool.serve = 0;
	lab.pool.saved = 1;
	lab_open(&lab);
	lab_boot(&lab);
	answer_save(&lab);
	is_text(lab_state(&lab, "mail-01"), "saved", "one is kept on disk");
	ok(!lab_effect(&lab, EFFECT_DOMAIN_RESTORE), "and sleeps while nobody asks");
	lab_request(&lab, 1, "ann", "", NULL);
	is_text(lab_state(&lab, "mail-01"), "waking", "a request wakes it in the same turn");
	ok(lab_effect(&lab, EFFECT_DOMAIN_CREATE), "and its place is filled by a boot");
	answer_restore(&lab, CALL_UNKNOWN, 0);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "an unknown outcome is no machine");
	is_int(lab_machine(&lab, "mail-01")->row.failures, 1, "it counts as its failure");
	lab_close(&lab);
}

static void apply(struct lab *lab)
{
	struct site_spec site;

	lab_end_turn(lab);
	site = lab_site(lab);
	lab_step(lab, (struct event){ .kind = EVENT_SITE, .site.spec = &site });
}

/* Seed 511: it can never be woken, and it counted as one of those wanted. */
static void test_paused_roll(void)
{
	struct lab lab;

	lab_defaults(&lab);
	TEXT_SET(lab.pool.version, "v1");
	lab.pool.recycle = RECYCLE_REVERT;
	lab.pool.serve = 0;
	lab.pool.saved = 1;
	lab_open(&lab);
	lab_boot(&lab);
	answer_save(&lab);
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_COMMAND,
				       .command = { .verb = COMMAND_POOL_PAUSE, .reply = 1,
						    .name = SLICE("mail"), .who = SLICE("root") } });
	TEXT_SET(lab.pool.version, "v2");
	apply(&lab);
	is_text(lab_state(&lab, "mail-01"), "saved", "of an earlier version, its roll paused: it stays on disk");
	lab.pool.serve = 1;
	lab.pool.saved = 0;
	apply(&lab);
	is_text(lab_state(&lab, "mail-01"), "cleaning", "but not in the place of one that is to run");
	lab_close(&lab);
}

static void test_untrusted(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.recycle = RECYCLE_REVERT;
	lab.pool.untrusted = true;
	lab_open(&lab);
	ok(!lab_effect(&lab, EFFECT_DOMAIN_CREATE), "untrusted machines are not made where nothing isolates them");
	ok(strstr(lab.w.pools[0]->reason, "KVM and a security label"),
	   "the pool says why: %s", lab.w.pools[0]->reason);
	lab_request(&lab, 1, "ann", "", NULL);
	struct effect *e = lab_effect(&lab, EFFECT_REFUSE);
	ok(e && memmem(e->text.ptr, e->text.length, "KVM", 3), "and so hears who asks");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_HOST_STATE,
				       .host = { .host = SLICE("h"), .up = true,
						 .kvm = true, .isolated = true,
						 .labels = SLICE("apparmor") } });
	ok(lab_effect(&lab, EFFECT_DOMAIN_CREATE) || lab_count(&lab, EFFECT_HOST_POLL),
	   "where both are given the pool comes up");
	is_int(pool_total(lab.w.pools[0]), 1, "with its machine");
	lab_close(&lab);
}

int main(void)
{
	test_build();
	test_revert();
	test_woken_for_a_request();
	test_paused_roll();
	test_untrusted();
	return tap_done();
}
