/*
 * Runs of rules (spec 3.5): EFFECT_RULE_RUN to the rules role, its answer to
 * EVENT_RULE_DONE with the inputs the rule was run with, so that a decision can
 * be stored with them and run again.  Inputs are kept here by call, because the
 * answer does not bring them.
 *
 * Every run ends: with the role's answer, or when the role dies.  What comes while
 * the role has no site waits for it, like hooks do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/rule_history.h"
#include "engine/loop/shell.h"

struct rule_run {
	struct list link;	/* rules_role.runs, in the order they came */
	uint64_t call;
	bool sent;
	int64_t ms;
	char rule[SITE_NAME_SIZE];
	char inputs[ROW_PATH_SIZE];
};

static void send_run(struct shell *sh, struct rule_run *r)
{
	struct message m = { .type = WIRE_TYPE_rule_run, .request = r->call };

	m.rule_run = (struct wire_rule_run){ .name = slice_of(r->rule),
					     .inputs = slice_of(r->inputs),
					     .deadline_ms = r->ms };
	link_send(&sh->rules.link, &m);
	r->sent = true;
}

/* For a pool's rule: what its hours were like.  All of it or nothing. */
static void add_history(struct shell *sh, struct rule_run *r)
{
	const struct rule *rule = world_rule(&sh->world, slice_of(r->rule));
	size_t used = strlen(r->inputs);
	char words[ROW_PATH_SIZE];

	if (!rule || !rule->spec.pool[0])
		return;
	const char *hours = rule_history(sh, rule->spec.pool);
	if (!*hours)
		return;
	snprintf(words, sizeof(words), "%shour_sessions=%s", used ? " " : "",
		 hours);
	if (used + strlen(words) < sizeof(r->inputs))
		memcpy(r->inputs + used, words, strlen(words) + 1);
	else
		log_warn("rule %s: its inputs leave no room for hour_sessions",
			 r->rule);
}

void rule_runs_act(struct shell *sh, const struct effect *e)
{
	struct rule_run *r = calloc(1, sizeof(*r));

	CHECK("", r, "out of memory");
	r->call = e->call;
	r->ms = e->ms;
	text_copy_slice(r->rule, sizeof(r->rule), e->text);
	text_copy_slice(r->inputs, sizeof(r->inputs), e->input);
	add_history(sh, r);
	list_add_tail(&sh->rules.runs, &r->link);
	if (sh->rules.loaded)
		send_run(sh, r);
}

void rule_runs_send(struct shell *sh)
{
	LIST_EACH(&sh->rules.runs, it) {
		struct rule_run *r = LIST_ENTRY(it, struct rule_run, link);

		if (!r->sent)
			send_run(sh, r);
	}
}

/* Steps the outcome; the run is over. */
static void end_run(struct shell *sh, struct rule_run *r,
		    const struct wire_rule_done *d)
{
	char text[ROW_TEXT_SIZE];
	struct event ev = {
		.kind = EVENT_RULE_DONE,
		.rule = { .call = r->call, .ok = d->ok,
			  .size = { d->nodes, d->vcpus, d->memory_mib },
			  .serve = d->serve, .spare = d->spare,
			  .inputs = slice_of(r->inputs) },
	};

	/* A process that has run somebody's Lua wrote it. */
	text_display(text, sizeof(text), d->text.ptr ? d->text.ptr : "",
		     d->text.length);
	ev.rule.text = slice_of(text);
	list_remove(&r->link);
	shell_step(sh, &ev);
	free(r);
}

void rule_runs_done(struct shell *sh, const struct message *m)
{
	LIST_EACH(&sh->rules.runs, it) {
		struct rule_run *r = LIST_ENTRY(it, struct rule_run, link);

		if (r->call == m->request && r->sent) {
			end_run(sh, r, &m->rule_done);
			return;
		}
	}
	log_warn("rules: an answer to call %llu, which is not open",
		 (unsigned long long)m->request);
}

void rule_runs_lose(struct shell *sh)
{
	const struct wire_rule_done lost = { .serve = -1, .spare = -1,
					     .text = SLICE("the rules role died") };

	LIST_EACH(&sh->rules.runs, it) {
		struct rule_run *r = LIST_ENTRY(it, struct rule_run, link);

		if (r->sent)
			end_run(sh, r, &lost);
	}
}
