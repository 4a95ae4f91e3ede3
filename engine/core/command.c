/*
 * Operator commands: events like any other, answered in one sentence.  What a
 * command would do is found by the same functions that do it; a dry run stops
 * before the first change.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/internal.h"

void command_reply(struct effects *fx, const struct event *ev, bool ok,
		   const char *code, const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_REPLY);

	e->call = ev->command.reply;
	e->ok = ok;
	e->word = effects_text(fx, "%s", code);
	e->text = effects_text(fx, "%s", text);
}

void command_done(struct world *w, struct effects *fx, const struct event *ev,
		  const char *noun, const char *name, const char *text)
{
	world_event(w, fx, SEVERITY_INFO, false, "ADMIN", noun, name, "%.*s: %s",
		    (int)ev->command.who.length, ev->command.who.ptr, text);
	command_reply(fx, ev, true, "", text);
}

/* The pool a command names; NULL when there is none, which is answered. */
static struct pool *named_pool(struct world *w, struct effects *fx,
			       const struct event *ev)
{
	struct pool *p = world_pool(w, ev->command.name);
	char text[ROW_TEXT_SIZE];

	if (p && !p->removed)
		return p;
	snprintf(text, sizeof(text), "there is no pool \"%.*s\"",
		 (int)ev->command.name.length, ev->command.name.ptr);
	command_reply(fx, ev, false, "not_found", text);
	return NULL;
}

static void pool_scale(struct world *w, struct effects *fx,
		       const struct event *ev)
{
	struct pool *p = named_pool(w, fx, ev);
	char text[ROW_TEXT_SIZE];

	if (!p)
		return;
	int64_t serve = ev->command.serve < 0 ? p->serve : ev->command.serve;
	int64_t spare = ev->command.spare < 0 ? p->spare : ev->command.spare;
	int64_t max = ev->command.max < 0 ? p->max : ev->command.max;
	/* A wish above the bound moves the bound with it, unless both are given. */
	if (ev->command.max < 0 && serve > max)
		max = serve;
	if (serve > max || spare > max || max > SITE_MACHINES_MAX || max < 1) {
		snprintf(text, sizeof(text),
			 "serve %lld and spare %lld must not exceed max %lld (1 to %d)",
			 (long long)serve, (long long)spare, (long long)max,
			 SITE_MACHINES_MAX);
		command_reply(fx, ev, false, "refused", text);
		return;
	}
	uint32_t was_serve = p->serve, was_spare = p->spare, was_max = p->max;
	char why[ROW_TEXT_SIZE];
	p->serve = (uint32_t)serve;
	p->spare = (uint32_t)spare;
	p->max = (uint32_t)max;
	int change = pool_decide(p, why, sizeof(why));
	snprintf(text, sizeof(text),
		 "pool/%s serve %u -> %u, spare %u -> %u, max %u -> %u: %s%d machine%s",
		 p->spec.name, was_serve, p->serve, was_spare, p->spare,
		 was_max, p->max, change > 0 ? "+" : "", change,
		 change == 1 || change == -1 ? "" : "s");
	if (ev->command.dry_run) {
		p->serve = was_serve;
		p->spare = was_spare;
		p->max = was_max;
		command_reply(fx, ev, true, "", text);
		return;
	}
	if (p->serve != was_serve)
		override_say(w, fx, ev, "pool", p->spec.name, "serve", p->serve);
	if (p->spare != was_spare)
		override_say(w, fx, ev, "pool", p->spec.name, "spare", p->spare);
	if (p->max != was_max)
		override_say(w, fx, ev, "pool", p->spec.name, "max", p->max);
	p->shrink_now = true;
	pool_unbalance(w, p);
	command_done(w, fx, ev, "pool", p->spec.name, text);
}

/* The pool's overrides end; sizes are the site file's again. */
static void pool_reset(struct world *w, struct effects *fx,
		       const struct event *ev)
{
	struct pool *p = named_pool(w, fx, ev);
	char text[ROW_TEXT_SIZE], prefix[ROW_NAME_SIZE * 2];
	unsigned ended = 0;

	if (!p)
		return;
	int n = snprintf(prefix, sizeof(prefix), "pool/%.63s/", p->spec.name);
	for (size_t i = w->override_count; i-- > 0;)
		if (strncmp(w->overrides[i].key, prefix, (size_t)n) == 0) {
			override_end(w, fx, i);
			ended++;
		}
	p->serve = p->spec.serve;
	p->spare = p->spec.spare;
	p->max = p->spec.max;
	p->roll_paused = false;
	p->shrink_now = true;
	pool_unbalance(w, p);
	snprintf(text, sizeof(text),
		 "pool/%s is as the site file has it: serve %u, spare %u, max %u (%u setting%s ended)",
		 p->spec.name, p->serve, p->spare, p->max, ended,
		 ended == 1 ? "" : "s");
	command_done(w, fx, ev, "pool", p->spec.name, text);
}

/* Pauses or resumes the replacing of outdated machines. */
static void pool_pause(struct world *w, struct effects *fx,
		       const struct event *ev)
{
	bool pause = ev->command.verb == COMMAND_POOL_PAUSE;
	struct pool *p = named_pool(w, fx, ev);
	char text[ROW_TEXT_SIZE];

	if (!p)
		return;
	p->roll_paused = pause;
	override_say(w, fx, ev, "pool", p->spec.name, "paused", pause);
	snprintf(text, sizeof(text), "pool/%s %s: %u outdated machine%s",
		 p->spec.name, pause ? "keeps what it has" : "replaces again",
		 p->outdated, p->outdated == 1 ? "" : "s");
	pool_unbalance(w, p);
	command_done(w, fx, ev, "pool", p->spec.name, text);
}

static bool in_session(const struct machine *m)
{
	return m->row.state == MACHINE_RESERVED ||
	       m->row.state == MACHINE_IN_SESSION;
}

static void hold(struct world *w, struct effects *fx, struct machine *m,
		 char *text, size_t size)
{
	machine_want(m, WISH_HOLD);
	machine_update_ready(w, m);
	snprintf(text, size, "machine/%s %s", m->row.name,
		 in_session(m) ? "will be held when its session has ended" :
				 "held");
	machine_kick(w, fx, m);
}

static void release(struct world *w, struct effects *fx, struct machine *m,
		    char *text, size_t size)
{
	machine_want(m, WISH_RUN);
	snprintf(text, size, "machine/%s goes back to its pool%s", m->row.name,
		 m->row.state == MACHINE_HELD ? ", through cleaning" : "");
	if (m->row.state == MACHINE_QUARANTINED) {
		m->row.failures = 0;
		machine_begin_clean(w, fx, m, RUNG_REBUILD, "released from quarantine");
	} else {
		machine_update_ready(w, m);
		machine_kick(w, fx, m);
	}
}

static void restart(struct world *w, struct effects *fx, struct machine *m,
		    char *text, size_t size)
{
	struct session *s = world_session(w, m->row.session);

	snprintf(text, size, "machine/%s will be destroyed and made anew",
		 m->row.name);
	m->row.failures = 0;
	image_doubt(m);
	if (s && !session_is_final(s)) {
		session_dismiss(fx, s, "stopped",
				"the operator restarts the machine");
		m->created = false;	/* forces the rebuild rung */
		session_finish(w, fx, s, SESSION_LOST,
			       "the operator restarted the machine");
	} else if (m->row.state == MACHINE_CLEANING) {
		m->row.rung = RUNG_REBUILD;
		machine_cancel_calls(w, fx, m);
		m->retry_ms = 0;
		machine_kick(w, fx, m);
	} else if (m->row.state != MACHINE_DEFINED) {
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "restarted by the operator");
	}
}

static void delete(struct world *w, struct effects *fx, struct machine *m,
		   char *text, size_t size)
{
	snprintf(text, size, "machine/%s %s", m->row.name,
		 in_session(m) ? "will be taken away when its session has ended" :
				 "is taken away");
	machine_retire(w, fx, m);
}

static void machine_command(struct world *w, struct effects *fx,
			    const struct event *ev)
{
	struct machine *m = world_machine_by_name(w, ev->command.name);
	char text[ROW_TEXT_SIZE] = "";

	if (!m || m->row.state == MACHINE_RETIRING ||
	    m->row.state == MACHINE_GONE) {
		snprintf(text, sizeof(text), "there is no machine \"%.*s\"",
			 (int)ev->command.name.length, ev->command.name.ptr);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	switch (ev->command.verb) {
	case COMMAND_MACHINE_HOLD:
		hold(w, fx, m, text, sizeof(text));
		break;
	case COMMAND_MACHINE_RELEASE:
		release(w, fx, m, text, sizeof(text));
		break;
	case COMMAND_MACHINE_RESTART:
		restart(w, fx, m, text, sizeof(text));
		break;
	case COMMAND_MACHINE_DELETE:
		delete(w, fx, m, text, sizeof(text));
		break;
	case COMMAND_POOL_SCALE:
	case COMMAND_POOL_RESET:
	case COMMAND_POOL_PAUSE:
	case COMMAND_POOL_RESUME:
	case COMMAND_SESSION_END:
	case COMMAND_USER_DISABLE:
	case COMMAND_TOKEN_CREATE:
	case COMMAND_TOKEN_DELETE:
	case COMMAND_USER_ENABLE:
	case COMMAND_SESSION_EXTEND:
	case COMMAND_SITE_CLOSE:
	case COMMAND_CLUSTER_RESIZE:
	case COMMAND_CLUSTER_RESET:
	case COMMAND_CLUSTER_PAUSE:
	case COMMAND_CLUSTER_RESUME:
	case COMMAND_CLUSTER_REPLACE:
	case COMMAND_NODE_MOVE:
	case COMMAND_CHANGE_CANCEL:
	case COMMAND_HOST_DRAIN:
	case COMMAND_HOST_UNDRAIN:
	case COMMAND_HOST_FENCE:
	case COMMAND_RULE_RUN:
	case COMMAND_RULE_ENABLE:
	case COMMAND_RULE_DISABLE:
		break;
	}
	world_save_machine(w, m);
	pool_unbalance(w, m->pool);
	command_done(w, fx, ev, "machine", m->row.name, text);
}

static void session_end(struct world *w, struct effects *fx,
			const struct event *ev)
{
	struct session *s = world_session(w, ev->command.session);
	char text[ROW_TEXT_SIZE];

	if (!s || session_is_final(s)) {
		snprintf(text, sizeof(text), "there is no live session/%llu",
			 (unsigned long long)ev->command.session);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	session_end_now(w, fx, s, "ended by the operator");
	snprintf(text, sizeof(text), "session/%llu of %s on %s is being ended",
		 (unsigned long long)s->row.id, s->row.user,
		 s->row.machine_name);
	command_done(w, fx, ev, "user", s->row.user, text);
}

static void session_extend(struct world *w, struct effects *fx,
			   const struct event *ev)
{
	struct session *s = world_session(w, ev->command.session);
	char text[ROW_TEXT_SIZE], by[16], left[16];

	if (!s || session_is_final(s)) {
		snprintf(text, sizeof(text), "there is no live session/%llu",
			 (unsigned long long)ev->command.session);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	const char *no = limit_extend(w, fx, s, ev->command.ms);
	if (no) {
		snprintf(text, sizeof(text), "session/%llu %s",
			 (unsigned long long)s->row.id, no);
		command_reply(fx, ev, false, "refused", text);
		return;
	}
	snprintf(text, sizeof(text), "session/%llu of %s on %s has %s more, %s left",
		 (unsigned long long)s->row.id, s->row.user,
		 s->row.machine_name,
		 text_duration(by, sizeof(by), ev->command.ms),
		 text_duration(left, sizeof(left), s->ends_ms - w->now_ms));
	command_done(w, fx, ev, "user", s->row.user, text);
}

static void site_close(struct world *w, struct effects *fx,
		       const struct event *ev)
{
	size_t machines = 0;
	char text[ROW_TEXT_SIZE];

	for (size_t i = 0; i < w->pool_count; i++) {
		w->pools[i]->closing = true;
		pool_unbalance(w, w->pools[i]);
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (m->row.state == MACHINE_RETIRING ||
			    m->row.state == MACHINE_GONE)
				continue;
			machines++;
			machine_retire(w, fx, m);
		}
	}
	snprintf(text, sizeof(text),
		 "the site closes: %zu machines go, those in session when it has ended",
		 machines);
	world_event(w, fx, SEVERITY_WARN, false, "ADMIN", "site", w->spec.name,
		    "%.*s: %s", (int)ev->command.who.length,
		    ev->command.who.ptr, text);
	command_reply(fx, ev, true, "", text);
}

void command_on_event(struct world *w, struct effects *fx, const struct event *ev)
{
	switch (ev->command.verb) {
	case COMMAND_POOL_SCALE:
		pool_scale(w, fx, ev);
		return;
	case COMMAND_POOL_RESET:
		pool_reset(w, fx, ev);
		return;
	case COMMAND_POOL_PAUSE:
	case COMMAND_POOL_RESUME:
		pool_pause(w, fx, ev);
		return;
	case COMMAND_SESSION_END:
		session_end(w, fx, ev);
		return;
	case COMMAND_SESSION_EXTEND:
		session_extend(w, fx, ev);
		return;
	case COMMAND_SITE_CLOSE:
		site_close(w, fx, ev);
		return;
	case COMMAND_USER_DISABLE:
	case COMMAND_USER_ENABLE:
		command_user(w, fx, ev);
		return;
	case COMMAND_TOKEN_CREATE:
	case COMMAND_TOKEN_DELETE:
		command_token(w, fx, ev);
		return;
	case COMMAND_CLUSTER_RESIZE:
	case COMMAND_CLUSTER_RESET:
	case COMMAND_CLUSTER_PAUSE:
	case COMMAND_CLUSTER_RESUME:
	case COMMAND_CLUSTER_REPLACE:
	case COMMAND_NODE_MOVE:
	case COMMAND_CHANGE_CANCEL:
	case COMMAND_HOST_DRAIN:
	case COMMAND_HOST_UNDRAIN:
	case COMMAND_HOST_FENCE:
	case COMMAND_RULE_RUN:
	case COMMAND_RULE_ENABLE:
	case COMMAND_RULE_DISABLE:
		command_cluster(w, fx, ev);
		return;
	case COMMAND_MACHINE_HOLD:
	case COMMAND_MACHINE_RELEASE:
	case COMMAND_MACHINE_RESTART:
	case COMMAND_MACHINE_DELETE:
		machine_command(w, fx, ev);
		return;
	}
}
