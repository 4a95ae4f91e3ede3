/*
 * The rules role: one run per hook, its steps one after the other, each
 * waiting for its result.  A run may die, hang, say no, say yes against the
 * evidence, or ask for two things at once; the role may die with all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum { RULES_RESTART_MS = 500 };

static struct hook_run *run_of(const struct sim *s, uint64_t call, size_t *at)
{
	for (size_t i = 0; i < s->runs.count; i++) {
		struct hook_run *r = s->runs.items[i];

		if (r->call == call) {
			*at = i;
			return r;
		}
	}
	return NULL;
}

static void run_end(struct sim *s, uint64_t call)
{
	size_t at;
	struct hook_run *r = run_of(s, call, &at);

	if (r) {
		array_remove(&s->runs, at);
		free(r);
	}
}

static void say(struct sim *s, uint64_t call, enum event_kind kind, bool ok,
		const char *text)
{
	struct post *p = post_new(s, kind);

	p->ev.hook.call = call;
	p->ev.hook.ok = ok;
	p->ev.hook.text = post_text(p, text);
	post_send(s, p, &s->rules_out_ms, sim_between(s, 0, s->swarm.latency_ms));
	run_end(s, call);
}

static void draw_steps(struct sim *s, struct hook_run *r)
{
	enum hook_verb *v = r->verbs;

	if (sim_chance(s, 10))
		v[r->steps++] = VERB_LOG;
	if (sim_chance(s, 10))
		v[r->steps++] = VERB_SLEEP;
	switch (r->hook) {
	case HOOK_START:
	case HOOK_STOP:
	case HOOK_HEALTH:
	case HOOK_PREPARE:
		for (int64_t n = sim_between(s, 0, 2); n; n--)
			v[r->steps++] = sim_chance(s, 70) ? VERB_EXEC : VERB_WRITE;
		break;
	case HOOK_READY:
		if (sim_chance(s, 60))
			v[r->steps++] = VERB_TCP;
		r->said_no = sim_fault(s, SIM_READY_NO, r->machine);
		break;
	case HOOK_ACCEPT:
		if (sim_chance(s, 30))
			v[r->steps++] = VERB_EXEC;
		v[r->steps++] = VERB_CONFIRM;
		break;
	case HOOK_CLEAN:
		if (sim_chance(s, 40))
			v[r->steps++] = VERB_EXEC;
		v[r->steps++] = VERB_CONFIRM;
		break;
	}
	if (sim_fault(s, SIM_HOOK_LIES, r->machine)) {
		r->lies = true;
		if (sim_chance(s, 50))	/* forgets its confirm altogether */
			r->steps = r->steps ? r->steps - 1 : 0;
	}
}

static void send_step(struct sim *s, struct hook_run *r, enum hook_verb verb)
{
	struct post *p = post_new(s, EVENT_HOOK_STEP);
	char word[40];

	p->ev.step.call = r->call;
	p->ev.step.step = r->next;
	p->ev.step.verb = verb;
	p->ev.step.ms = verb == VERB_SLEEP ? sim_between(s, 1, 500) :
			sim_chance(s, 50) ? 0 : sim_between(s, 500, 5000);
	if (r->hook == HOOK_ACCEPT && verb == VERB_EXEC)
		snprintf(word, sizeof(word), "for %llu",
			 (unsigned long long)r->session);
	else
		snprintf(word, sizeof(word), "%s",
			 verb != VERB_CONFIRM ? "true" :
			 r->hook == HOOK_CLEAN ? "clean" : "accept");
	p->ev.step.argv = post_text(p, word);
	p->ev.step.path = post_text(p, "/run/a");
	p->ev.step.port = 80;
	post_send(s, p, &s->rules_out_ms, sim_between(s, 0, s->swarm.latency_ms));
}

/* Goes on until the run waits, hangs or ends. */
static void run_on(struct sim *s, struct hook_run *r)
{
	for (;;) {
		if (sim_fault(s, SIM_HOOK_HANG, r->machine)) {
			r->waiting = false;	/* deaf: results change nothing */
			r->next = UINT32_MAX;
			return;
		}
		if (sim_fault(s, SIM_HOOK_LOST, r->machine)) {
			say(s, r->call, EVENT_HOOK_LOST, false, "killed");
			return;
		}
		if (r->next >= r->steps) {
			say(s, r->call, EVENT_HOOK_DONE, r->lies || !r->said_no,
			    r->said_no ? "not yet" : "");
			return;
		}
		enum hook_verb verb = r->verbs[r->next++];
		send_step(s, r, verb);
		if (verb == VERB_LOG)
			continue;
		if (sim_fault(s, SIM_HOOK_TWICE, r->machine))
			send_step(s, r, VERB_EXEC);
		r->waiting = true;
		return;
	}
}

static void deadline(struct sim *s, struct item *it)
{
	size_t at;

	if (it->b == s->rules_epoch && run_of(s, it->a, &at))
		say(s, it->a, EVENT_HOOK_LOST, false, "deadline of the hook");
}

static void run_start(struct sim *s, const struct order *o)
{
	struct hook_run *r = calloc(1, sizeof(*r));

	CHECK("", r, "out of memory");
	*r = (struct hook_run){ .call = o->e.call, .machine = o->e.machine,
				.session = o->e.session, .hook = o->e.hook };
	draw_steps(s, r);
	array_add(&s->runs, r);
	/* Now and then the role does not keep its own deadline. */
	if (s->settling || sim_chance(s, 80))
		sim_at(s, s->now_ms + o->e.ms, deadline, NULL, r->call,
		       s->rules_epoch);
	run_on(s, r);
}

static void arrives(struct sim *s, struct item *it)
{
	struct order *o = it->arg;
	struct hook_run *r;
	size_t at;

	if (o->epoch != s->rules_epoch)
		return;
	if (o->e.kind == EFFECT_HOOK_RUN) {
		run_start(s, o);
		return;
	}
	r = run_of(s, o->e.call, &at);
	if (!r)
		return;
	if (o->e.kind == EFFECT_HOOK_KILL) {
		run_end(s, o->e.call);
	} else if (r->waiting && o->e.step == r->next) {
		r->waiting = false;
		if (o->e.ok || r->lies)
			run_on(s, r);
		else
			say(s, r->call, EVENT_HOOK_DONE, false, "a step failed");
	}
}

static void deliver(struct sim *s, struct order *o)
{
	int64_t at = s->now_ms + sim_between(s, 0, s->swarm.latency_ms);

	if (at < s->rules_in_ms)
		at = s->rules_in_ms;
	s->rules_in_ms = at;
	o->epoch = s->rules_epoch;
	sim_at(s, at, arrives, o, 0, 0);
}

static void is_up(struct sim *s, struct item *it)
{
	if (it->a != s->rules_epoch || !s->running)
		return;
	s->rules_up = true;
	for (size_t i = 0; i < s->held.count; i++)
		deliver(s, s->held.items[i]);
	s->held.count = 0;
}

void rules_start(struct sim *s)
{
	s->rules_epoch++;
	sim_at(s, s->now_ms + sim_between(s, 20, 300), is_up, NULL,
	       s->rules_epoch, 0);
}

static void restarts(struct sim *s, struct item *it)
{
	if (it->a == s->rules_epoch && s->running)
		rules_start(s);
}

void rules_die(struct sim *s)
{
	s->rules_epoch++;
	s->rules_up = false;
	array_free(&s->runs);
	array_free(&s->held);
	if (!s->running)
		return;
	post_send(s, post_new(s, EVENT_RULES_LOST), &s->rules_out_ms, 1);
	sim_at(s, s->now_ms + RULES_RESTART_MS, restarts, NULL, s->rules_epoch,
	       0);
}

void rules_order(struct sim *s, struct order *o)
{
	if (s->rules_up)
		deliver(s, o);
	else if (o->e.kind == EFFECT_HOOK_RUN && s->swarm.hold_hooks)
		array_add(&s->held, o);
	else
		free(o);
}
