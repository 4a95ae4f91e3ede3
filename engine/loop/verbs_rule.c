/*
 * Verbs about rules and decisions: what decided about a size, when and why.
 *
 * A replay runs the rule of today with the inputs of a stored decision and
 * compares what it wishes.  It is a call of the shell's own: the core does not
 * hear of it, so nothing can come of it.  A wish is compared number by number,
 * as it is and as the bounds in the inputs cut it; what the rule says nothing
 * about came from elsewhere then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

/* ---- rules ------------------------------------------------------------------------ */

static void run_rule_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.rule_count; i++)
		json_array_append_new(items, show_rule(a->sh,
						       a->sh->world.rules[i]));
	control_items(a->c, a->id, "rule_list", items);
}

static void run_rule_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct rule *r = world_rule(&a->sh->world, slice_of(name));

	if (r)
		verb_item(a, "rule", show_rule(a->sh, r));
	else
		verb_not_found(a, "rule", name);
}

static void run_rule_run(const struct verb_call *a)
{
	verb_command(a, COMMAND_RULE_RUN);
}

static void run_rule_enable(const struct verb_call *a)
{
	verb_command(a, COMMAND_RULE_ENABLE);
}

static void run_rule_disable(const struct verb_call *a)
{
	verb_command(a, COMMAND_RULE_DISABLE);
}

/* ---- decisions ---------------------------------------------------------------------- */

struct decisions {
	const struct shell *sh;
	json_t *items;
	struct decision_row last;
};

static void add_decision(void *arg, const struct decision_row *row)
{
	struct decisions *d = arg;

	json_array_append_new(d->items, show_decision(d->sh, row));
	d->last = *row;
}

static void send_decisions(const struct verb_call *a, struct db_query *q)
{
	struct decisions d = { .sh = a->sh, .items = json_array() };
	struct error err;
	int rc = db_query_decisions(a->sh->db, q, add_decision, &d, &err);

	verb_page(a, "decision_list", rc, d.items, q->next, &err);
}

static void run_decision_list(const struct verb_call *a)
{
	struct db_query q;

	verb_query(a, &q);
	send_decisions(a, &q);
}

static void run_cluster_why(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	struct db_query q;

	if (!world_cluster(&a->sh->world, slice_of(name))) {
		verb_not_found(a, "cluster", name);
		return;
	}
	verb_query(a, &q);
	snprintf(q.object, sizeof(q.object), "cluster/%.63s", name);
	send_decisions(a, &q);
}

/* Its last run first, which is not stored when it changed nothing. */
static void run_rule_why(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct rule *r = world_rule(&a->sh->world, slice_of(name));
	struct decisions d = { .sh = a->sh };
	struct db_query q;
	struct error err;

	if (!r) {
		verb_not_found(a, "rule", name);
		return;
	}
	d.items = json_array();
	verb_query(a, &q);
	snprintf(q.source, sizeof(q.source), "rule/%.63s", name);
	if (!q.before_id && r->last.source[0] && !r->last.id)
		add_decision(&d, &r->last);
	int rc = db_query_decisions(a->sh->db, &q, add_decision, &d, &err);
	verb_page(a, "decision_list", rc, d.items, q.next, &err);
}

static bool find_decision(const struct verb_call *a, struct decision_row *out)
{
	uint64_t id = (uint64_t)verb_int(a, "decision", 0);
	struct db_query q = { .before_id = id + 1, .limit = 1, .scan = 1 };
	struct decisions d = { .sh = a->sh, .items = json_array() };
	struct error err;
	char number[32];

	if (id && db_query_decisions(a->sh->db, &q, add_decision, &d, &err) < 0)
		d.last.id = 0;
	json_decref(d.items);
	*out = d.last;
	if (id && d.last.id == id)
		return true;
	snprintf(number, sizeof(number), "%" PRIu64, id);
	verb_not_found(a, "decision", number);
	return false;
}

static void run_decision_show(const struct verb_call *a)
{
	struct decision_row d;

	if (find_decision(a, &d))
		verb_item(a, "decision", show_decision(a->sh, &d));
}

/* ---- replay ----------------------------------------------------------------------------- */

struct replay {
	struct list link;		/* control.replays */
	uint64_t call;
	uint64_t client;
	json_int_t id;
	struct decision_row decision;
	char version[SITE_VERSION_SIZE];	/* of the rule now */
};

static void run_rule_replay(const struct verb_call *a)
{
	struct message m = { .type = WIRE_TYPE_rule_run };
	const struct rule *r;
	struct decision_row d;

	if (!find_decision(a, &d))
		return;
	r = strncmp(d.source, "rule/", 5) == 0 ?
		    world_rule(&a->sh->world, slice_of(d.source + 5)) : NULL;
	if (!r) {
		control_error(a->c, a->id, "refused", NULL,
			      strncmp(d.source, "rule/", 5) == 0 ?
				      "the site has no such rule any more" :
				      "no rule decided that", NULL);
		return;
	}
	if (!a->sh->rules.loaded) {
		control_error(a->c, a->id, "busy", NULL,
			      "the rules role is being started: ask again", NULL);
		return;
	}
	struct replay *p = calloc(1, sizeof(*p));
	CHECK("", p, "out of memory");
	*p = (struct replay){ .call = a->sh->next_shell_call++,
			      .client = a->c->number, .id = a->id,
			      .decision = d };
	TEXT_SET(p->version, r->spec.version);
	list_add_tail(&a->c->control->replays, &p->link);
	m.request = p->call;
	m.rule_run.name = slice_of(r->spec.name);
	m.rule_run.inputs = slice_of(p->decision.inputs);
	m.rule_run.deadline_ms = r->spec.deadline_ms;
	rules_send(a->sh, &m);
}

/* The number behind KEY= in words, or -1. */
static int64_t number_of(const char *words, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = words; (p = strstr(p, key)); p += n)
		if ((p == words || p[-1] == ' ') && p[n] == '=')
			return strtoll(p + n + 1, NULL, 10);
	return -1;
}

/* As the bounds stored with the inputs cut it. */
static int64_t clamped(const char *inputs, const char *key, int64_t n)
{
	char name[32];
	int64_t bound;

	snprintf(name, sizeof(name), "min_%s", key);
	bound = number_of(inputs, name);
	if (bound >= 0 && n < bound)
		n = bound;
	snprintf(name, sizeof(name), "max_%s", key);
	bound = number_of(inputs, name);
	return bound >= 0 && n > bound ? bound : n;
}

/* Appends KEY=n to the wish; whether the stored wish says the same. */
static bool add_wish(const struct decision_row *d, const char *key, int64_t n,
		     bool said, char *wish, size_t size)
{
	size_t used = strlen(wish);
	int64_t was = number_of(d->wish, key);

	if (!said)
		return true;
	snprintf(wish + used, size - used, "%s%s=%" PRId64, used ? " " : "", key,
		 n);
	return was == n || was == clamped(d->inputs, key, n);
}

static void answer_replay(struct shell *sh, const struct replay *p, bool ok,
			  const struct wire_rule_done *r)
{
	struct control_client *c = control_client_of(sh->control, p->client);
	const struct decision_row *d = &p->decision;
	char wish[ROW_NAME_SIZE] = "", text[ROW_TEXT_SIZE];
	bool same = ok == (d->outcome != DECISION_FAILED);

	if (!c)
		return;
	/* A process that has run somebody's Lua wrote it. */
	text_display(text, sizeof(text), r->text.ptr ? r->text.ptr : "",
		     r->text.length);
	if (ok) {
		same &= add_wish(d, "nodes", r->nodes, r->nodes, wish, sizeof(wish));
		same &= add_wish(d, "vcpus", r->vcpus, r->vcpus, wish, sizeof(wish));
		same &= add_wish(d, "memory_mib", (int64_t)r->memory_mib,
				 r->memory_mib, wish, sizeof(wish));
		same &= add_wish(d, "serve", r->serve, r->serve >= 0, wish,
				 sizeof(wish));
		same &= add_wish(d, "spare", r->spare, r->spare >= 0, wish,
				 sizeof(wish));
	}
	json_t *o = show_decision(sh, d);
	json_object_set_new(o, "wish_now", show_text(wish));
	json_object_set_new(o, "text_now", show_text(text));
	json_object_set_new(o, "ok_now", json_boolean(ok));
	json_object_set_new(o, "version_now", show_text(p->version));
	json_object_set_new(o, "same", json_boolean(same));
	control_send(c, json_pack("{s:I, s:b, s:s, s:o}", "id", p->id, "ok", 1,
				  "kind", "replay", "item", o));
}

bool rule_replay_done(struct shell *sh, const struct message *m)
{
	if (!(m->request & SHELL_CALL_BIT))
		return false;
	LIST_EACH(&sh->control->replays, it) {
		struct replay *p = LIST_ENTRY(it, struct replay, link);

		if (p->call != m->request)
			continue;
		answer_replay(sh, p, m->rule_done.ok, &m->rule_done);
		list_remove(&p->link);
		free(p);
		break;
	}
	return true;
}

void rule_replays_lost(struct shell *sh)
{
	struct list *all = &sh->control->replays;

	while (!list_empty(all)) {
		struct replay *p = LIST_ENTRY(all->next, struct replay, link);

		control_answer(sh, p->client, p->id, false, "failed",
			       "the rules role died while it ran the rule");
		list_remove(&p->link);
		free(p);
	}
}

const struct verb verbs_rule[] = {
	{ "rule.list", run_rule_list, false, "" },
	{ "rule.show", run_rule_show, false, "name " },
	{ "rule.why", run_rule_why, false,
	  "name state search since_ms until_ms limit before " },
	{ "rule.run", run_rule_run, true, "name dry_run " },
	{ "rule.replay", run_rule_replay, false, "decision " },
	{ "rule.enable", run_rule_enable, true, "name dry_run " },
	{ "rule.disable", run_rule_disable, true, "name dry_run " },
	{ "cluster.why", run_cluster_why, false,
	  "name state search since_ms until_ms limit before " },
	{ "decision.list", run_decision_list, false,
	  "object source state search since_ms until_ms limit before " },
	{ "decision.show", run_decision_show, false, "decision " },
	{ .name = NULL },
};
