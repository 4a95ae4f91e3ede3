/*
 * Verbs about people: user, group, and what a user would get.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/admit.h"
#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

static json_t *names(const struct site_names *n)
{
	json_t *a = json_array();

	if (n->all)
		json_array_append_new(a, json_string("*"));
	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(a, json_string(n->names[i]));
	return a;
}

static json_t *place_text(const struct site_place *p)
{
	return p ? json_sprintf("%s:%u", p->file, p->line) : json_null();
}

static json_t *count_or_null(uint32_t n)
{
	return n ? json_integer(n) : json_null();
}

static uint32_t used(const struct world *w, enum use_kind kind,
		     const char *name, bool waiting)
{
	const struct use *u = dict_get(&w->uses[kind], name);

	return !u ? 0 : waiting ? u->waiting : u->sessions;
}

static json_t *groups_of(const struct member *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->group_count; i++)
		json_array_append_new(a, json_string(m->groups[i]->name));
	return a;
}

static json_t *show_user(const struct world *w, const struct site_user *u)
{
	const struct member *m = admit_member(w, u->name);

	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:o}",
		"name", u->name, "state", m->disabled ? "disabled" : "enabled",
		"groups", groups_of(m), "applications", names(&u->applications),
		"limit", (json_int_t)u->limit,
		"sessions", (json_int_t)used(w, USE_USER, u->name, false),
		"waiting", (json_int_t)used(w, USE_USER, u->name, true),
		"priority", (json_int_t)m->priority,
		"password", u->password[0] != '\0', "token", u->token[0] != '\0',
		"uid", u->uid >= 0 ? json_integer(u->uid) :
		       u->login[0] ? json_string(u->login) : json_null(),
		"place", place_text(&u->place));
}

static json_t *show_group(const struct world *w, const struct site_group *g)
{
	return json_pack("{s:s, s:o, s:o, s:I, s:o, s:I, s:I, s:o}",
		"name", g->name, "members", names(&g->members),
		"applications", names(&g->applications),
		"priority", (json_int_t)g->priority,
		"limit", count_or_null(g->limit),
		"sessions", (json_int_t)used(w, USE_GROUP, g->name, false),
		"waiting", (json_int_t)used(w, USE_GROUP, g->name, true),
		"place", place_text(&g->place));
}

static void run_user_list(const struct verb_call *a)
{
	const struct world *w = &a->sh->world;
	json_t *items = json_array();

	for (size_t i = 0; i < w->spec.user_count; i++)
		json_array_append_new(items, show_user(w, &w->spec.users[i]));
	control_items(a->c, a->id, "user_list", items);
}

static void run_user_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct site_user *u = world_user(&a->sh->world, name);

	if (u)
		verb_item(a, "user", show_user(&a->sh->world, u));
	else
		verb_not_found(a, "user", name);
}

static void run_group_list(const struct verb_call *a)
{
	const struct world *w = &a->sh->world;
	json_t *items = json_array();

	for (size_t i = 0; i < w->spec.group_count; i++)
		json_array_append_new(items, show_group(w, &w->spec.groups[i]));
	control_items(a->c, a->id, "group_list", items);
}

/* The tightest of the limits: the one that refuses first. */
static const struct limit *tightest(const struct limit *l, size_t n)
{
	const struct limit *best = NULL;

	for (size_t i = 0; i < n; i++) {
		uint32_t left = l[i].used < l[i].limit ? l[i].limit - l[i].used : 0;

		if (l[i].limit &&
		    (!best || left < (best->used < best->limit ?
					      best->limit - best->used : 0)))
			best = &l[i];
	}
	return best;
}

/* What the user would get on one listener, by the code that would decide. */
static json_t *why(const struct verb_call *a, const char *user,
		   const char *application, const char *listener)
{
	static struct limit limits[LIMITS_MAX];
	struct world *w = &a->sh->world;
	struct decision d = admit_decide(w, user, application, listener);
	size_t n = admit_limits(w, user, application, listener, limits,
				LIMITS_MAX);
	const struct limit *l = tightest(limits, n);
	char text[ROW_TEXT_SIZE];

	verdict_text(d.verdict, user, application, listener, text, sizeof(text));
	bool full = l && l->used >= l->limit;
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:o, s:s*, s:I, s:o, s:o}",
		"user", user, "application", application, "listener", listener,
		"allowed", (int)verdict_allows(d.verdict),
		"code", verdict_code(d.verdict), "text", text,
		"place", place_text(d.place), "statement", d.statement,
		"priority", (json_int_t)admit_member(w, user)->priority,
		"groups", groups_of(admit_member(w, user)),
		"limit", l ? json_sprintf("%s %s: %u of %u%s", l->kind, l->name,
					  l->used, l->limit,
					  full ? ", full now" : "") :
			     json_null());
}

static void run_user_why(const struct verb_call *a)
{
	struct world *w = &a->sh->world;
	const char *user = verb_text(a, "name");
	const char *application = verb_text(a, "application");
	const char *listener = verb_text(a, "listener");

	if (!text_is_user(user) ||
	    (!world_user(w, user) && !w->spec.peers)) {
		verb_not_found(a, "user", user);
		return;
	}
	if (!dict_get(&w->applications, application)) {
		verb_not_found(a, "application", application);
		return;
	}
	if (listener[0] && !world_listener(w, slice_of(listener))) {
		verb_not_found(a, "listener", listener);
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < w->spec.listener_count; i++)
		if (!listener[0] ||
		    strcmp(listener, w->spec.listeners[i].name) == 0)
			json_array_append_new(items, why(a, user, application,
						w->spec.listeners[i].name));
	control_items(a->c, a->id, "why_list", items);
}

static void run_user_disable(const struct verb_call *a)
{
	verb_command(a, COMMAND_USER_DISABLE);
}

static void run_user_enable(const struct verb_call *a)
{
	verb_command(a, COMMAND_USER_ENABLE);
}

const struct verb verbs_user[] = {
	{ "user.list", run_user_list, false, "" },
	{ "user.show", run_user_show, false, "name " },
	{ "user.why", run_user_why, false, "name application listener " },
	{ "user.disable", run_user_disable, true, "name end_sessions " },
	{ "user.enable", run_user_enable, true, "name " },
	{ "group.list", run_group_list, false, "" },
	{ 0 },
};
