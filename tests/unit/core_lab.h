/*
 * A small world for tests of the core: one host, one application, one pool,
 * one door, two users, and short words for what the outside says.  A test
 * steps events, looks at the effects of the turn, and ends the turn.
 */
#ifndef REMUDA_TESTS_CORE_LAB_H
#define REMUDA_TESTS_CORE_LAB_H

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"
#include "tests/tap.h"

struct lab {
	struct world w;
	struct effects fx;
	int64_t now_ms;
	struct site_application app;	/* change before lab_open */
	struct site_pool pool;
	uint32_t limit, boot_parallel;
	int64_t wait_ms;
	bool everybody;			/* users may use every application */
	bool polls;			/* lab_wait answers polls: all is there */
};

#define LAB_UNUSED __attribute__((unused))

/* 1 host "h", pool "mail" of application "mail", door "door", user "ann". */
LAB_UNUSED static void lab_defaults(struct lab *lab)
{
	*lab = (struct lab){ .now_ms = 1000, .limit = 2, .boot_parallel = 4,
			     .wait_ms = 10000, .everybody = true };
	TEXT_SET(lab->app.name, "mail");
	lab->app.endpoint = ENDPOINT_TCP;
	lab->app.identity = IDENTITY_PROXY;
	lab->app.agent = true;
	lab->app.prepare_deadline_ms = 5000;
	lab->app.ready_deadline_ms = 5000;
	lab->app.accept_deadline_ms = 5000;
	lab->app.clean_deadline_ms = 5000;
	TEXT_SET(lab->pool.name, "mail");
	TEXT_SET(lab->pool.application, "mail");
	TEXT_SET(lab->pool.host, "h");
	lab->pool.serve = lab->pool.max = 1;
	lab->pool.recycle = RECYCLE_REBUILD;
	lab->pool.boot_deadline_ms = 20000;
	lab->pool.shrink_after_ms = 5000;
}

LAB_UNUSED static void *lab_one(const void *item, size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		tap_bail("out of memory");
	memcpy(p, item, size);
	return p;
}

LAB_UNUSED static struct site_spec lab_site(const struct lab *lab)
{
	struct site_host host = { .name = "h",
				  .boot_parallel = lab->boot_parallel };
	struct site_listener door = { .name = "door", .wait_ms = lab->wait_ms,
				      .applications.all = true };
	struct site_user ann = { .name = "ann", .uid = -1, .limit = lab->limit,
				 .applications.all = lab->everybody };

	return (struct site_spec){
		.name = "lab",
		.hosts = lab_one(&host, sizeof(host)), .host_count = 1,
		.applications = lab_one(&lab->app, sizeof(lab->app)),
		.application_count = 1,
		.pools = lab_one(&lab->pool, sizeof(lab->pool)), .pool_count = 1,
		.listeners = lab_one(&door, sizeof(door)), .listener_count = 1,
		.users = lab_one(&ann, sizeof(ann)), .user_count = 1,
	};
}

LAB_UNUSED static void lab_step(struct lab *lab, struct event ev)
{
	ev.now_ms = lab->now_ms;
	ev.wall_ms = 1700000000000 + lab->now_ms;
	engine_step(&lab->w, &ev, &lab->fx);
	world_check(&lab->w);
}

LAB_UNUSED static void lab_end_turn(struct lab *lab)
{
	world_end_turn(&lab->w, &lab->fx);
}

/* The last effect of that kind in this turn, or NULL. */
LAB_UNUSED static struct effect *lab_effect(struct lab *lab,
					    enum effect_kind kind)
{
	for (size_t i = lab->fx.count; i-- > 0;)
		if (lab->fx.items[i].kind == kind)
			return &lab->fx.items[i];
	return NULL;
}

LAB_UNUSED static int lab_count(struct lab *lab, enum effect_kind kind)
{
	int n = 0;

	for (size_t i = 0; i < lab->fx.count; i++)
		n += lab->fx.items[i].kind == kind;
	return n;
}

/* Ends the turn and answers a call. */
LAB_UNUSED static void lab_done(struct lab *lab, uint64_t call,
				enum call_result result, bool fd)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = call, .result = result,
						.text = SLICE("said so"),
						.has_fd = fd } });
}

/* Answers the call of this turn's effect of that kind. */
LAB_UNUSED static void lab_answer(struct lab *lab, enum effect_kind kind,
				  enum call_result result)
{
	struct effect *e = lab_effect(lab, kind);

	if (!e)
		tap_bail("there is no %s to answer", effect_name(kind));
	lab_done(lab, e->call, result, kind == EFFECT_CHANNEL_OPEN);
}

/* The host says that every domain there ought to be is there. */
LAB_UNUSED static void lab_poll(struct lab *lab)
{
	struct host *h = lab->w.hosts[0];

	LIST_EACH(&h->machines, it) {
		const struct machine *m = LIST_ENTRY(it, struct machine, host_link);

		if (m->created)
			lab_step(lab, (struct event){
				.kind = EVENT_DOMAIN_SEEN,
				.domain = { .host = SLICE("h"), .poll = h->poll,
					    .machine = m->row.id, .ours = true,
					    .incarnation = m->row.built,
					    .uuid = slice_of(m->row.uuid),
					    .state = DOMAIN_RUNNING } });
	}
	lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
				      .done = { .call = h->poll_call } });
}

/* Time goes on to the given distance from now, deadlines on the way fire. */
LAB_UNUSED static void lab_wait(struct lab *lab, int64_t ms)
{
	int64_t until_ms = lab->now_ms + ms, next_ms;

	lab_end_turn(lab);
	while ((next_ms = world_next_deadline(&lab->w)) <= until_ms) {
		/* What happened on the way stays in sight: no end of turn. */
		if (next_ms > lab->now_ms)
			lab->now_ms = next_ms;
		lab_step(lab, (struct event){ .kind = EVENT_TICK });
		if (lab->polls && lab->w.hosts[0]->poll_call)
			lab_poll(lab);
	}
	lab->now_ms = until_ms;
}

LAB_UNUSED static void lab_hook(struct lab *lab, bool yes)
{
	struct effect *e = lab_effect(lab, EFFECT_HOOK_RUN);

	if (!e)
		tap_bail("no hook runs");
	uint64_t call = e->call;
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_HOOK_DONE,
				      .hook = { .call = call, .ok = yes } });
}

LAB_UNUSED static struct machine *lab_machine(struct lab *lab, const char *name)
{
	struct machine *m = world_machine_by_name(&lab->w, slice_of(name));

	if (!m)
		tap_bail("there is no machine %s", name);
	return m;
}

#define lab_state(lab, name)                                                   \
	sm_name(&machine_table, lab_machine(lab, name)->row.state)

/* Applies the site, with saved rows or without; the host comes up. */
LAB_UNUSED static void lab_open_with(struct lab *lab,
				     const struct world_rows *rows)
{
	struct site_spec spec = lab_site(lab);

	world_init(&lab->w, 0x1234, 1);
	effects_init(&lab->fx);
	lab_step(lab, (struct event){ .kind = EVENT_SITE,
				      .site = { .spec = &spec, .rows = rows } });
	lab_step(lab, (struct event){ .kind = EVENT_HOST_STATE,
				      .host = { .host = SLICE("h"), .up = true } });
}

LAB_UNUSED static void lab_gateway(struct lab *lab, uint32_t index, bool fresh)
{
	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_UP,
				      .gateway = { index, fresh } });
	lab_step(lab, (struct event){ .kind = EVENT_GATEWAY_READY,
				      .gateway = { .index = index } });
}

LAB_UNUSED static void lab_open(struct lab *lab)
{
	lab_open_with(lab, NULL);
	lab_gateway(lab, 0, true);
	lab_answer(lab, EFFECT_HOST_POLL, CALL_OK);
}

/* From the create in this turn to ready, where there are no hooks. */
LAB_UNUSED static void lab_boot(struct lab *lab)
{
	lab_answer(lab, EFFECT_DOMAIN_CREATE, CALL_OK);
	if (lab->app.agent)
		lab_answer(lab, EFFECT_AGENT_PING, CALL_OK);
	if (lab->app.hooks & 1u << SITE_HOOK_PREPARE)
		lab_hook(lab, true);
	if (lab->app.hooks & 1u << SITE_HOOK_READY)
		lab_hook(lab, true);
}

LAB_UNUSED static void lab_request(struct lab *lab, uint64_t conn,
				   const char *user, const char *key,
				   const struct session_row *prior)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = conn, .listener = SLICE("door"),
			     .application = SLICE("mail"),
			     .user = slice_of(user), .key = slice_of(key),
			     .wait_ms = -1, .nonce = 0xabc000 + conn,
			     .prior = prior } });
}

/* The code of this turn's refusal. */
LAB_UNUSED static const char *refusal_of(struct lab *lab)
{
	static char word[32];
	const struct effect *e = lab_effect(lab, EFFECT_REFUSE);

	text_copy_slice(word, sizeof(word), e ? e->word : SLICE("not refused"));
	return word;
}

/* What the gateway says of the session the ASSIGN of this turn was about. */
LAB_UNUSED static void lab_session(struct lab *lab, enum event_kind kind,
				   struct event ev)
{
	struct machine *m = lab_machine(lab, "mail-01");
	struct session *s = world_session(&lab->w, m->row.session);

	if (!s)
		tap_bail("%s has no session", m->row.name);
	ev.kind = kind;
	ev.session.session = s->row.id;
	ev.session.machine = s->row.machine;
	ev.session.incarnation = s->row.incarnation;
	ev.session.gateway = s->row.gateway;
	lab_end_turn(lab);
	lab_step(lab, ev);
}

LAB_UNUSED static void lab_close(struct lab *lab)
{
	world_fini(&lab->w);
	effects_fini(&lab->fx);
}

/* ---- checks that must fire ----------------------------------------------- */

static jmp_buf lab_jump;
static char lab_broken[32];

LAB_UNUSED static void lab_on_check(const char *name, const char *where,
				    const char *text)
{
	(void)where;
	(void)text;
	TEXT_SET(lab_broken, name);
	longjmp(lab_jump, 1);
}

/* Runs the statement; the name of the check it broke, or "none". */
#define lab_breaks(statement)                                                  \
	(TEXT_SET(lab_broken, "none"), check_set_handler(lab_on_check),        \
	 setjmp(lab_jump) == 0 ? (void)(statement) : (void)0,                  \
	 check_set_handler(NULL), lab_broken)

#endif
