/*
 * Finds a verb of the control protocol and checks its arguments and rights
 * (see verbs.h); the verbs themselves stand in verbs_NOUN.c.
 */
#include "engine/loop/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

const char *verb_text(const struct verb_call *a, const char *name)
{
	const char *s = json_string_value(json_object_get(a->request, name));

	return s ? s : "";
}

int64_t verb_int(const struct verb_call *a, const char *name, int64_t absent)
{
	json_t *v = json_object_get(a->request, name);

	return json_is_integer(v) ? json_integer_value(v) : absent;
}

bool verb_true(const struct verb_call *a, const char *name)
{
	return json_is_true(json_object_get(a->request, name));
}

void verb_item(const struct verb_call *a, const char *kind, json_t *item)
{
	control_send(a->c, json_pack("{s:I, s:b, s:s, s:o}", "id", a->id, "ok",
				     1, "kind", kind, "item", item));
}

void verb_not_found(const struct verb_call *a, const char *kind,
		    const char *name)
{
	char object[160], text[220];

	snprintf(object, sizeof(object), "%s/%.100s", kind, name);
	snprintf(text, sizeof(text), "there is no %s \"%.100s\"", kind, name);
	control_error(a->c, a->id, "not_found", object, text, NULL);
}

void verb_command(const struct verb_call *a, enum command_verb verb)
{
	verb_command_for(a, verb, 0);
}

static void command(const struct verb_call *a, struct event *ev,
		    const char *token)
{
	struct control *ctl = a->c->control;
	struct reply *r = calloc(1, sizeof(*r));

	CHECK("", r, "out of memory");
	*r = (struct reply){ .client = a->c->number, .id = a->id };
	TEXT_SET(r->token, token);
	map_put(&ctl->replies, ++ctl->next_reply, r);
	ev->kind = EVENT_COMMAND;
	ev->command.reply = ctl->next_reply;
	ev->command.name = slice_of(verb_text(a, "name"));
	ev->command.who = slice_of(a->c->who);
	if (!ev->command.session)
		ev->command.session = (uint64_t)verb_int(a, "session", 0);
	ev->command.serve = verb_int(a, "serve", -1);
	ev->command.spare = verb_int(a, "spare", -1);
	ev->command.max = verb_int(a, "max", -1);
	ev->command.dry_run = verb_true(a, "dry_run");
	ev->command.end_sessions = verb_true(a, "end_sessions");
	ev->command.once = verb_true(a, "once");
	ev->command.application = slice_of(verb_text(a, "application"));
	shell_step(a->sh, ev);
}

void verb_command_for(const struct verb_call *a, enum command_verb verb,
		      int64_t ms)
{
	struct event ev = { .command = { .verb = verb, .ms = ms } };

	command(a, &ev, "");
}

void verb_step(const struct verb_call *a, struct event *ev)
{
	command(a, ev, "");
}

void verb_command_token(const struct verb_call *a, int64_t ms,
			const char *hash, const char *token)
{
	struct event ev = { .command = { .verb = COMMAND_TOKEN_CREATE, .ms = ms,
					 .hash = slice_of(hash) } };

	command(a, &ev, token);
}

bool verb_refused(const struct verb_call *a)
{
	if (!a->c->may_change)
		control_error(a->c, a->id, "read_only", NULL,
			      "only the site's owner and root may see this", NULL);
	return !a->c->may_change;
}

/* A page of history: so many rows given, so many looked at, at most.  Longer
 * ones are asked for page by page, and other work goes on between them. */
enum { PAGE_ROWS = 250, PAGE_SCAN = 1000 };

uint32_t verb_page_rows(const struct verb_call *a)
{
	int64_t limit = verb_int(a, "limit", 100);

	return limit < 1 ? 1 : limit > PAGE_ROWS ? PAGE_ROWS : (uint32_t)limit;
}

void verb_query(const struct verb_call *a, struct db_query *q)
{
	*q = (struct db_query){
		.before_id = (uint64_t)verb_int(a, "before", 0),
		.limit = verb_page_rows(a), .scan = PAGE_SCAN,
		.since_wall_ms = verb_int(a, "since_ms", 0),
		.until_wall_ms = verb_int(a, "until_ms", 0),
	};
	TEXT_SET(q->user, verb_text(a, "user"));
	TEXT_SET(q->machine, verb_text(a, "machine"));
	TEXT_SET(q->application, verb_text(a, "application"));
	TEXT_SET(q->listener, verb_text(a, "listener"));
	TEXT_SET(q->pool, verb_text(a, "pool"));
	TEXT_SET(q->state, verb_text(a, "state"));
	TEXT_SET(q->code, verb_text(a, "code"));
	TEXT_SET(q->text, verb_text(a, "search"));
	TEXT_SET(q->object, verb_text(a, "object"));
	TEXT_SET(q->source, verb_text(a, "source"));
	TEXT_SET(q->cluster, verb_text(a, "cluster"));
}

void verb_page(const struct verb_call *a, const char *kind, int rc,
	       json_t *items, uint64_t next, const struct error *err)
{
	if (rc == 0) {
		control_page(a->c, a->id, kind, items, next);
		return;
	}
	json_decref(items);
	control_error(a->c, a->id, "failed", NULL, err->text, NULL);
}

/* Every change may say why: the audit log keeps it among the arguments. */
static bool is_common(const struct verb *v, const char *key)
{
	return strcmp(key, "id") == 0 || strcmp(key, "verb") == 0 ||
	       (v->changes && strcmp(key, "why") == 0);
}

static bool arguments_known(const struct verb_call *a, const struct verb *v)
{
	const char *key;
	json_t *value;
	char word[80];

	json_object_foreach(a->request, key, value) {
		snprintf(word, sizeof(word), "%.70s ", key);
		const char *at = strstr(v->args, word);

		if (is_common(v, key) ||
		    (at && (at == v->args || at[-1] == ' ')))
			continue;
		snprintf(word, sizeof(word), "unknown argument \"%.50s\"", key);
		control_error(a->c, a->id, "usage", NULL, word, NULL);
		return false;
	}
	return true;
}

/* A promise of the client that the engine keeps for it: a console that only
 * looks cannot change anything by mistake. */
static void run_read_only(const struct verb_call *a)
{
	a->c->reads_only = json_object_get(a->request, "on") == NULL ||
			  verb_true(a, "on");
	control_send(a->c, json_pack("{s:I, s:b, s:s}", "id", a->id, "ok", 1,
				     "text", a->c->reads_only ?
				     "this connection only reads" :
				     "this connection may change things"));
}

static void run_verbs_list(const struct verb_call *a);

static const struct verb verbs_self[] = {
	{ "read_only", run_read_only, false, "on " },
	{ "verbs.list", run_verbs_list, false, "" },
	{ 0 },
};

static const struct verb *const tables[] = {
	verbs_pool, verbs_session, verbs_site, verbs_user, verbs_token,
	verbs_resource, verbs_gc, verbs_cluster, verbs_rule, verbs_usage,
	verbs_alarm, verbs_self,
};

/* A plan wants the rights of a change, since it reads the site, and is none. */
static bool is_change(const struct verb *v)
{
	return v->changes && strcmp(v->name, "site.plan") != 0;
}

/* So that a script can plan with verbs that are younger than itself. */
static void run_verbs_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct verb *v = tables[i]; v->name; v++) {
			json_t *arguments = json_array();

			for (const char *p = v->args; *p;
			     p += strcspn(p, " ") + 1)
				json_array_append_new(arguments,
					json_stringn(p, strcspn(p, " ")));
			if (v->changes)
				json_array_append_new(arguments,
						      json_string("why"));
			json_array_append_new(items, json_pack(
				"{s:s, s:b, s:o}", "verb", v->name, "changes",
				is_change(v), "arguments", arguments));
		}
	control_items(a->c, a->id, "verb_list", items);
}

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct verb *v = tables[i]; v->name; v++)
			if (strcmp(v->name, name) == 0)
				return v;
	return NULL;
}

/* A plan and a dry run want the rights of a change, and are none. */
static bool changes_nothing(const struct verb_call *a)
{
	return strcmp(a->verb, "site.plan") == 0 || verb_true(a, "dry_run");
}

void verbs_run(struct control_client *c, json_int_t id, const char *verb,
	       json_t *request)
{
	struct verb_call a = { c, c->control->shell, id, verb, request };
	const struct verb *v = find(verb);
	char text[120];

	if (!v) {
		snprintf(text, sizeof(text), "unknown verb \"%.60s\"", verb);
		control_error(c, id, "usage", NULL, text, NULL);
		return;
	}
	if (!arguments_known(&a, v))
		return;
	if (v->changes)
		audit_open(c, id, verb, request);
	if (v->changes && !c->may_change)
		control_error(c, id, "read_only", NULL,
			      "only the site's owner and root may change things",
			      NULL);
	else if (v->changes && c->reads_only && !changes_nothing(&a))
		control_error(c, id, "read_only", NULL,
			      "this connection asked to be read-only",
			      "read_only with on=false ends that");
	else
		v->run(&a);
}
