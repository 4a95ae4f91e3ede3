/*
 * Hooks of a machine's application, run by the rules role.  A hook asks for
 * steps; each becomes an act on the machine, its result goes back.  Only the
 * machine's open call is listened to (decisions.md 21), and an accept or a
 * clean counts only when a CONFIRM step came back with the session's number
 * and nonce: a hook that just returns proves nothing.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { GRACE_MS = 2000, STEP_MAX_MS = 600000 };

bool hook_defined(const struct machine *m, enum hook hook)
{
	return m->pool->application.hooks & 1u << hook;
}

static int64_t hook_deadline_ms(const struct machine *m, enum hook hook)
{
	const struct site_application *a = &m->pool->application;

	switch (hook) {
	case HOOK_PREPARE:
	case HOOK_START:
	case HOOK_STOP:
		return a->prepare_deadline_ms;
	case HOOK_HEALTH:
	case HOOK_READY:
		return a->ready_deadline_ms;
	case HOOK_ACCEPT:
		return a->accept_deadline_ms;
	case HOOK_CLEAN:
		return a->clean_deadline_ms;
	}
	return 0;
}

void hook_start(struct world *w, struct effects *fx, struct machine *m,
		enum hook hook)
{
	int64_t deadline = hook_deadline_ms(m, hook);
	struct effect *e = job_start(w, fx, m, JOB_HOOK, EFFECT_HOOK_RUN,
				     deadline + GRACE_MS);

	e->hook = hook;
	e->ms = deadline;
	e->session = m->row.session;
	e->incarnation = m->row.incarnation;
	m->hook = hook;
	m->confirmed = false;
	m->step = m->step_call = 0;
}

static struct machine *machine_of_hook(struct world *w, uint64_t call)
{
	struct call *c = map_get(&w->calls, call);
	struct machine *m = c && c->hook ? world_machine(w, c->machine) : NULL;

	return m && m->job == JOB_HOOK && m->call == call ? m : NULL;
}

static void answer(struct effects *fx, const struct machine *m, bool ok,
		   const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_STEP_RESULT);

	e->call = m->call;
	e->step = m->step;
	e->ok = ok;
	e->text = effects_text(fx, "%s", text);
}

/* "SESSION NONCE": what a guest must give back (decisions.md 21). */
static int confirm_line(const struct world *w, const struct machine *m,
			char *out, size_t size)
{
	const struct session *s = world_session(w, m->row.session);

	if (!s)
		return -1;
	return snprintf(out, size, "%llu %llu",
			(unsigned long long)s->row.id,
			(unsigned long long)s->row.nonce);
}

static struct effect *step_act(struct world *w, struct effects *fx,
			       struct machine *m, const struct event *ev,
			       enum effect_kind kind, int64_t ms)
{
	struct call *c = call_new(w, CALL_KIND_STEP, m, m->host, ms + GRACE_MS);
	struct effect *e = effects_add(fx, kind);

	m->step_call = c->id;
	e->machine = m->row.id;
	e->call = c->id;
	e->incarnation = m->row.built;
	e->ms = ms;
	e->argv = effects_copy(fx, ev->step.argv);
	e->input = effects_copy(fx, ev->step.input);
	e->path = effects_copy(fx, ev->step.path);
	e->mode = ev->step.mode;
	e->port = ev->step.port;
	return e;
}

void hook_on_step(struct world *w, struct effects *fx, const struct event *ev)
{
	struct machine *m = machine_of_hook(w, ev->step.call);
	int64_t ms = ev->step.ms;
	char line[64];

	if (!m)
		return;	/* the hook was given up; its kill is on the way */
	if (ms <= 0 || ms > STEP_MAX_MS)
		ms = hook_deadline_ms(m, m->hook);
	if (ev->step.verb == VERB_LOG) {
		world_event(w, fx, SEVERITY_INFO, false, "LOG", "machine", m->row.name,
			    "%.*s", (int)ev->step.path.length, ev->step.path.ptr);
		return;
	}
	m->step = ev->step.step;
	m->step_verb = ev->step.verb;
	if (m->step_call) {
		answer(fx, m, false, "two steps of one hook at once");
		return;
	}
	switch (ev->step.verb) {
	case VERB_EXEC:
		step_act(w, fx, m, ev, EFFECT_AGENT_EXEC, ms);
		if (m->row.session)
			m->touched = true;
		return;
	case VERB_CONFIRM:
		if (confirm_line(w, m, line, sizeof(line)) < 0) {
			answer(fx, m, false, "confirm works only in accept and clean");
			return;
		}
		m->touched = true;
		step_act(w, fx, m, ev, EFFECT_AGENT_EXEC, ms)->input =
			effects_text(fx, "%s\n", line);
		return;
	case VERB_WRITE:
		if (m->row.session)
			m->touched = true;
		step_act(w, fx, m, ev, EFFECT_AGENT_WRITE, ms);
		return;
	case VERB_TCP:
		step_act(w, fx, m, ev, EFFECT_TCP_PROBE, ms);
		return;
	case VERB_SLEEP:	/* the call's own deadline ends it */
		m->step_call = call_new(w, CALL_KIND_STEP, m, m->host, ms)->id;
		return;
	case VERB_LOG:
		break;
	}
	answer(fx, m, false, "unknown step");
}

/* The last line of a guest's output, without its newline. */
static struct slice last_line(struct slice out)
{
	while (out.length && (out.ptr[out.length - 1] == '\n' ||
			      out.ptr[out.length - 1] == '\r'))
		out.length--;
	const char *nl = out.length ? memrchr(out.ptr, '\n', out.length) : NULL;
	if (nl) {
		out.length -= (uint32_t)(nl + 1 - out.ptr);
		out.ptr = nl + 1;
	}
	return out;
}

void hook_on_step_done(struct world *w, struct effects *fx, struct machine *m,
		       const struct event *ev)
{
	struct effect *e = effects_add(fx, EFFECT_STEP_RESULT);
	bool ok = ev->done.result == CALL_OK;
	struct slice text = ev->done.text;
	char line[64];

	m->step_call = 0;
	if (m->step_verb == VERB_CONFIRM && ok) {
		ok = ev->done.code == 0 &&
		     confirm_line(w, m, line, sizeof(line)) > 0 &&
		     (slice_is(last_line(ev->done.out), line) ||
		      PLANTED(S4_ANY_NONCE));
		m->confirmed = m->confirmed || ok;
		if (!ok)
			text = ev->done.code ? ev->done.errout :
				SLICE("the guest did not give back the session and nonce");
	}
	e->call = m->call;
	e->step = m->step;
	e->ok = ok;
	e->code = ev->done.code;
	e->out = effects_copy(fx, ev->done.out);
	e->errout = effects_copy(fx, ev->done.errout);
	e->text = effects_copy(fx, text);
}

void hook_on_done(struct world *w, struct effects *fx, uint64_t call, bool ok,
		  struct slice text, bool lost)
{
	struct machine *m = machine_of_hook(w, call);
	char why[ROW_TEXT_SIZE];

	if (!m)
		return;
	text_copy_slice(why, sizeof(why), text);
	if (ok && !m->confirmed &&
	    ((m->hook == HOOK_ACCEPT && !PLANTED(S1_ACCEPT_UNPROVEN)) ||
	     m->hook == HOOK_CLEAN)) {
		ok = false;
		TEXT_SET(why, "the hook returned without machine:confirm of its session");
	}
	if (!why[0] && !ok)
		TEXT_SET(why, "the hook said no");
	/* A step still under way ends unheard; the machine is dirty or young. */
	machine_forget_calls(w, m);
	machine_on_job(w, fx, m, ok ? CALL_OK : lost ? CALL_UNKNOWN : CALL_FAILED,
		       why);
	machine_update_ready(w, m);
}

void hook_on_rules_lost(struct world *w, struct effects *fx)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (m->job == JOB_HOOK)
				hook_on_done(w, fx, m->call, false,
					     SLICE("the rules process died"), true);
		}
}
