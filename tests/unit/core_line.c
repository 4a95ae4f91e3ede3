/*
 * The order of service: users take turns, their own oldest first; priorities
 * with a bound; requests for several machines; places as they will be; a
 * machine that does not accept; refill in the same turn.
 */
#include "engine/core/admit.h"
#include "tests/unit/core_lab.h"

/* Requests in one line, named by their user and number: "a1 b1 a2". */
enum { REQUESTS = 64 };
static struct request pool_of_requests[REQUESTS];
static size_t made;

static struct request *stand(struct line *l, const char *name, uint32_t rank,
			     uint32_t count)
{
	struct request *r = &pool_of_requests[made++];

	*r = (struct request){ .count = count };
	snprintf(r->row.user, sizeof(r->row.user), "%.*s",
		 (int)strcspn(name, "0123456789"), name);
	TEXT_SET(r->row.request_key, name);
	line_add(l, r, rank, false);
	return r;
}

struct order {
	char text[400];
	uint32_t places;
};

static bool note(void *arg, struct request *r, uint32_t place)
{
	struct order *o = arg;
	size_t n = strlen(o->text);

	snprintf(o->text + n, sizeof(o->text) - n, "%s%s", n ? " " : "",
		 r->row.request_key);
	o->places += place == o->places + 1;
	return true;
}

static const char *walk(struct line *l)
{
	static struct order o;

	o = (struct order){ .places = 0 };
	line_walk(l, note, &o);
	is_int(o.places, l->count, "every request has its place");
	return o.text;
}

/* Serves all, one machine at a time, and says in which order. */
static const char *drain(struct line *l)
{
	static struct order o;
	struct request *r;

	o = (struct order){ .places = 0 };
	while ((r = line_next(l, 1))) {
		line_serve(l, r);
		note(&o, r, 0);
	}
	return o.text;
}

static struct line *fresh(void)
{
	made = 0;
	return line_new("mail");
}

static void test_turns(void)
{
	static const char want[] = "a1 b1 c1 a2 b2 a3 a4 a5";
	struct line *l = fresh();

	for (int i = 1; i <= 5; i++)
		stand(l, (char[]){ 'a', (char)('0' + i), 0 }, 0, 1);
	stand(l, "b1", 0, 1);
	stand(l, "b2", 0, 1);
	stand(l, "c1", 0, 1);
	is_text(walk(l), want, "users take turns, each oldest first");
	is_text(drain(l), want, "and are served so");
	is_int(l->count, 0, "nobody is left");
	stand(l, "a1", 0, 1);
	stand(l, "a2", 0, 1);
	stand(l, "b1", 0, 1);
	line_serve(l, line_next(l, 1));
	stand(l, "c1", 0, 1);
	is_text(walk(l), "b1 a2 c1", "who was served goes behind who waited");
	line_remove(l, line_next(l, 1));
	is_text(walk(l), "a2 c1", "one who leaves makes room");
	struct request *again = line_next(l, 1);
	line_serve(l, again);
	stand(l, "a3", 0, 1);
	line_add(l, again, 0, true);
	is_text(drain(l), "c1 a2 a3", "one that comes back is its user's first");
	line_free(l);
}

static void test_priorities(void)
{
	struct line *l = fresh();
	struct order o = { .places = 0 };
	char want[400] = "";

	for (int i = 1; i <= 20; i++) {
		char name[8];

		snprintf(name, sizeof(name), "h%d", i);
		stand(l, name, 2, 1);
	}
	for (int i = 1; i <= 3; i++)
		stand(l, (char[]){ 'l', (char)('0' + i), 0 }, 0, 1);
	for (int i = 1; i <= 20; i++) {
		size_t n = strlen(want);

		snprintf(want + n, sizeof(want) - n, "%sh%d%s", n ? " " : "", i,
			 i == LINE_PASSED_MAX ? " l1" :
			 i == 2 * LINE_PASSED_MAX ? " l2" : "");
	}
	strcat(want, " l3");
	line_walk(l, note, &o);
	is_text(o.text, want, "a higher priority first, a lower after eight");
	is_text(drain(l), want, "in service as in the places that were told");
	stand(l, "l1", 0, 1);
	stand(l, "m1", 1, 1);
	stand(l, "h1", 2, 1);
	is_text(drain(l), "h1 m1 l1", "three priorities");
	line_free(l);
}

static void test_counts(void)
{
	struct line *l = fresh();
	struct request *big;
	struct order o = { .places = 0 };

	big = stand(l, "big1", 0, 3);
	for (int i = 1; i <= 12; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%d", i);
		stand(l, name, 0, 1);
	}
	ok(!line_next(l, 0), "nothing free is nobody's turn");
	for (int i = 0; i < 12; i++) {
		struct request *r = line_next(l, 2);

		if (!r)
			break;
		line_serve(l, r);
		note(&o, r, 0);
	}
	is_text(o.text, "s1 s2 s3 s4 s5 s6 s7 s8",
		"eight that need less go before one that needs more");
	ok(!line_next(l, 2), "then what is free is kept for it");
	ok(line_next(l, 3) == big, "until it has all");
	line_serve(l, big);
	is_text(drain(l), "s9 s10 s11 s12", "and the others go on");
	line_free(l);
}

/* ---- the same in a world ----------------------------------------------------- */

static void ask(struct lab *lab, uint64_t conn, const char *user, int64_t wait)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = conn, .listener = SLICE("door"),
			     .application = SLICE("mail"),
			     .user = slice_of(user), .wait_ms = wait,
			     .nonce = conn, .more_nonces = { conn, conn } } });
}

static struct effect *waiting_of(struct lab *lab, uint64_t conn)
{
	for (size_t i = 0; i < lab->fx.count; i++)
		if (lab->fx.items[i].kind == EFFECT_WAITING &&
		    lab->fx.items[i].conn == conn)
			return &lab->fx.items[i];
	return NULL;
}

static void test_places(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.limit = 1000;
	lab_open(&lab);
	ask(&lab, 1, "ann", -1);
	ask(&lab, 2, "ann", -1);
	ask(&lab, 3, "ben", -1);
	is_int(waiting_of(&lab, 3)->place, 2, "ben is second");
	is_int(waiting_of(&lab, 2)->place, 3, "ann's second request hears it");
	ok(!waiting_of(&lab, 1), "who stays where it was hears nothing");
	for (uint64_t conn = 4; conn <= 150; conn++)
		ask(&lab, conn, "ann", -1);
	ask(&lab, 151, "cleo", -1);
	is_int(lab_count(&lab, EFFECT_WAITING), 0, "a long line is not told at once");
	lab_wait(&lab, 200);
	is_int(waiting_of(&lab, 151)->place, 3, "but soon");
	is_int(waiting_of(&lab, 150)->place, 151, "to everybody");
	lab_close(&lab);
}

static void test_refill(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.serve = lab.pool.spare = 1;
	lab.pool.max = 3;
	lab_open(&lab);
	lab_boot(&lab);
	ask(&lab, 1, "ben", -1);
	ok(lab_effect(&lab, EFFECT_ASSIGN), "a machine is given");
	ok(lab_effect(&lab, EFFECT_DOMAIN_CREATE),
	   "and the create of the next is in the same turn's acts");
	ask(&lab, 2, "cleo", -1);
	ask(&lab, 3, "dan", -1);
	is_int(lab.w.pools[0]->counts[MACHINE_BOOTING], 2,
	       "those that wait make it grow on the event, up to max");
	lab_close(&lab);
}

/* One boot slot, two pools: whose pool somebody waits for boots first. */
static void test_warm_up(void)
{
	struct lab lab;
	struct site_spec s;

	lab_defaults(&lab);
	lab.boot_parallel = 1;
	lab.pool.serve = lab.pool.max = 2;
	lab_open(&lab);
	s = lab_site(&lab);
	s.pools = realloc(s.pools, 2 * sizeof(*s.pools));
	s.applications = realloc(s.applications, 2 * sizeof(*s.applications));
	s.pools[1] = s.pools[0];
	TEXT_SET(s.pools[1].name, "chess");
	TEXT_SET(s.pools[1].application, "chess");
	s.applications[1] = s.applications[0];
	TEXT_SET(s.applications[1].name, "chess");
	s.pool_count = s.application_count = 2;
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_SITE, .site = { .spec = &s } });
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = 9, .listener = SLICE("door"), .nonce = 1,
			     .application = SLICE("chess"), .user = SLICE("ben"),
			     .wait_ms = -1 } });
	is_text(lab_state(&lab, "mail-01"), "booting", "one boots already");
	lab_done(&lab, lab_machine(&lab, "mail-01")->call, CALL_OK, false);
	lab_answer(&lab, EFFECT_AGENT_PING, CALL_OK);
	is_text(lab_state(&lab, "chess-01"), "booting",
		"the one that is waited for is next");
	is_text(lab_state(&lab, "mail-02"), "defined", "before what only warms up");
	lab_close(&lab);
}

/* ---- a machine that does not accept --------------------------------------------- */

static void refused_by(struct lab *lab, const char *machine)
{
	struct machine *m = lab_machine(lab, machine);
	struct session *s = world_session(&lab->w, m->row.session);

	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_FAILED,
		.session = { .session = s->row.id, .machine = s->row.machine,
			     .incarnation = s->row.incarnation,
			     .text = SLICE("connection refused") } });
}

static void test_again(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.pool.serve = lab.pool.max = 4;
	lab.app.agent = false;
	lab_open(&lab);
	for (int i = 1; i <= 4; i++)
		lab_done(&lab, lab_machine(&lab, (char[]){ 'm', 'a', 'i', 'l',
				'-', '0', (char)('0' + i), 0 })->call, CALL_OK,
			 false);
	ask(&lab, 1, "ann", -1);
	is_int(lab_effect(&lab, EFFECT_ASSIGN)->session, 1, "the first machine");
	refused_by(&lab, "mail-01");
	ok(!lab_effect(&lab, EFFECT_REFUSE), "its refusal is not the client's");
	is_int(lab_effect(&lab, EFFECT_ASSIGN)->session, 2,
	       "another machine is tried at once");
	is_int(lab_effect(&lab, EFFECT_ASSIGN)->conn, 1, "for the same client");
	is_int(world_session(&lab.w, 1)->row.state, SESSION_FAILED,
	       "the first session failed");
	refused_by(&lab, "mail-02");
	is_int(lab_effect(&lab, EFFECT_ASSIGN)->session, 3, "and a third");
	refused_by(&lab, "mail-03");
	ok(!lab_effect(&lab, EFFECT_ASSIGN), "but no fourth");
	is_text(refusal_of(&lab), "not_accepted", "then the client hears it");
	is_int(lab.w.requests.used, 0, "and nothing is left of the request");
	is_text(lab_state(&lab, "mail-04"), "ready", "the fourth is free");

	ask(&lab, 2, "ann", -1);
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 2 } });
	refused_by(&lab, "mail-04");
	ok(!lab_effect(&lab, EFFECT_ASSIGN), "who has gone gets no other");
	is_int(lab.w.waiting_count, 0, "and does not wait");
	lab_close(&lab);
}

static void test_again_later(void)
{
	struct lab lab;

	lab_defaults(&lab);
	lab.app.agent = false;
	lab.app.identity = IDENTITY_AGENT;
	lab.app.hooks = 1u << SITE_HOOK_ACCEPT;
	lab_open(&lab);
	lab_done(&lab, lab_machine(&lab, "mail-01")->call, CALL_OK, false);
	ask(&lab, 1, "ann", -1);
	lab_hook(&lab, false);
	ok(!lab_effect(&lab, EFFECT_REFUSE), "a hook that says no is not the end");
	is_int(lab.w.waiting_count, 1, "the request waits");
	is_int(waiting_of(&lab, 1)->place, 1, "and is told so");
	lab_wait(&lab, 20000);
	is_text(refusal_of(&lab), "timeout", "within its wait limit only");
	ask(&lab, 2, "ann", 0);
	is_text(refusal_of(&lab), "no_machine", "one that would not wait at all");
	lab_close(&lab);
}

int main(void)
{
	test_turns();
	test_priorities();
	test_counts();
	test_places();
	test_refill();
	test_warm_up();
	test_again();
	test_again_later();
	return tap_done();
}
