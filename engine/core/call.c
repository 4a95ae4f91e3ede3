/*
 * Calls: acts on their way to a role.  Every call has a deadline; one that
 * passes it, or whose role died, ended with unknown outcome.  Answers to calls
 * the core has forgotten are dropped with the descriptor they bring.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

struct call *call_new(struct world *w, enum call_kind kind, struct machine *m,
		      struct host *host, int64_t deadline_ms)
{
	struct call *c = calloc(1, sizeof(*c));

	CHECK("", c, "out of memory");
	c->id = w->next_call++;
	c->kind = kind;
	c->machine = m ? m->row.id : 0;
	c->host = host;
	c->timer.kind = TIMER_CALL;
	timer_set(&w->timers, &c->timer, w->now_ms + deadline_ms);
	if (m)
		list_add_tail(&m->calls, &c->machine_link);
	map_put(&w->calls, c->id, c);
	return c;
}

void call_free(struct world *w, struct call *c)
{
	timer_stop(&w->timers, &c->timer);
	list_remove(&c->machine_link);
	map_remove(&w->calls, c->id);
	free(c);
}

struct effect *job_start(struct world *w, struct effects *fx,
			 struct machine *m, enum job job, enum effect_kind act,
			 int64_t timeout_ms)
{
	CHECK("", m->job == JOB_NONE, "%s has two jobs", m->row.name);
	struct call *c = call_new(w, CALL_KIND_JOB, m, m->host, timeout_ms);
	struct effect *e = effects_add(fx, act);

	c->hook = job == JOB_HOOK;
	m->job = job;
	m->call = c->id;
	m->job_ms = w->now_ms;
	m->changed = w->turn;
	machine_update_ready(w, m);
	e->machine = m->row.id;
	e->call = c->id;
	e->incarnation = m->row.built;
	return e;
}

static void job_done(struct world *w, struct effects *fx, struct machine *m,
		     const struct event *ev)
{
	char text[ROW_TEXT_SIZE];

	text_copy_slice(text, sizeof(text), ev->done.text);
	if (m->job == JOB_VOLUME)
		volume_on_deleted(fx, m, ev->done.result);
	if (m->job == JOB_SAVE)
		text_copy_slice(m->row.image_key, sizeof(m->row.image_key),
				ev->done.out);
	m->evidence = m->job == JOB_RESTORE || m->job == JOB_DESTROY ?
		      ev->done.evidence : 0;
	/* A restore that failed may have ended the domain before, or not. */
	if (m->evidence & EVIDENCE_WAS_OVER ||
	    (m->job == JOB_RESTORE && ev->done.result != CALL_OK))
		ledger_doubt(fx, m);
	enum job job = m->job;
	m->job = JOB_NONE;
	m->call = 0;
	if (job == JOB_MIGRATE || job == JOB_RESIZE)
		change_on_live(w, fx, m, job, ev->done.result, text);
	else
		machine_on_job(w, fx, m, ev->done.result, text);
	machine_update_ready(w, m);
}

void call_on_done(struct world *w, struct effects *fx, const struct event *ev)
{
	struct call *found = map_get(&w->calls, ev->done.call);

	if (!found) {
		if (ev->done.has_fd && !PLANTED(FD_LATE_ANSWER))
			effects_add(fx, EFFECT_DROP_FD)->call = ev->done.call;
		return;
	}
	struct call c = *found;
	struct machine *m = world_machine(w, c.machine);
	call_free(w, found);
	switch (c.kind) {
	case CALL_KIND_JOB:
		CHECK("", m && m->call == c.id);
		job_done(w, fx, m, ev);
		break;
	case CALL_KIND_STEP:
		CHECK("", m && m->step_call == c.id);
		hook_on_step_done(w, fx, m, ev);
		break;
	case CALL_KIND_OPEN:
		CHECK("", m);
		assign_on_opened(w, fx, m, &c, ev);
		return;	/* took the descriptor, or dropped it */
	case CALL_KIND_WAY:
		access_on_opened(w, fx, &c, ev);
		return;
	case CALL_KIND_TARGET:
		resource_on_opened(w, fx, &c, ev);
		return;
	case CALL_KIND_POLL:
		host_on_poll_done(w, fx, c.host, ev);
		break;
	case CALL_KIND_BASE:
		base_on_looked(w, fx, c.id, ev);
		break;
	case CALL_KIND_STATS:
		usage_on_read(w, c.id);
		break;
	case CALL_KIND_RULE:
		rule_on_call_over(w, fx, c.id);
		break;
	case CALL_KIND_ORPHAN:
		break;	/* the next poll asks again if it is still there */
	}
	if (ev->done.has_fd)
		effects_add(fx, EFFECT_DROP_FD)->call = ev->done.call;
}

void call_on_timer(struct world *w, struct effects *fx, struct call *c)
{
	struct event ev = {
		.kind = EVENT_CALL_DONE,
		.now_ms = w->now_ms,
		.wall_ms = w->wall_ms,
		.done = { .call = c->id, .result = CALL_UNKNOWN,
			  .text = SLICE("no answer in time") },
	};

	if (c->hook) {
		effects_add(fx, EFFECT_HOOK_KILL)->call = c->id;
		hook_on_done(w, fx, c->id, false,
			     SLICE("the hook did not return in time"), true);
		return;
	}
	const struct machine *m = world_machine(w, c->machine);
	if (c->kind == CALL_KIND_STEP && m->step_verb == VERB_SLEEP)
		ev.done.result = CALL_OK;
	/* The role gives up on libvirt long before: it hangs itself. */
	if (c->kind == CALL_KIND_POLL && !PLANTED(L5_ROLE_HANGS))
		effects_add(fx, EFFECT_HOST_RESTART)->host =
			effects_text(fx, "%s", c->host->spec.name);
	call_on_done(w, fx, &ev);
}
