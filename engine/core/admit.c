/* Who may have what; see admit.h. */
#include "engine/core/admit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

/* Decisions kept at once; more and all are forgotten. */
enum { REMEMBERED_MAX = 100000 };

static bool names_have(const struct site_names *names, const char *name)
{
	if (names->all)
		return true;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->names[i], name) == 0)
			return true;
	return false;
}

/* ---- members ------------------------------------------------------------- */

static void member_free(void *member)
{
	free(((struct member *)member)->groups);
	free(member);
}

static struct member *member_get(struct world *w, const char *name)
{
	struct member *m = dict_get(&w->members, name);

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	CHECK("", m, "out of memory");
	TEXT_SET(m->name, name);
	dict_put(&w->members, name, m);
	return m;
}

static void member_join(struct member *m, const struct site_group *g)
{
	m->groups = realloc(m->groups, (m->group_count + 1) * sizeof(*m->groups));
	CHECK("", m->groups, "out of memory");
	m->groups[m->group_count++] = g;
	if (g->priority > m->priority)
		m->priority = g->priority;
}

const struct member *admit_member(const struct world *w, const char *user)
{
	const struct member *m = dict_get(&w->members, user);

	return m ? m : &w->stranger;
}

/* Everybody's groups come first, in the order of the file. */
static void join_everybody(struct world *w, struct member *m)
{
	for (size_t i = 0; i < w->spec.group_count; i++)
		if (w->spec.groups[i].members.all)
			member_join(m, &w->spec.groups[i]);
}

static struct member *member_known(struct world *w, const char *name)
{
	bool fresh = !dict_get(&w->members, name);
	struct member *m = member_get(w, name);

	if (fresh)
		join_everybody(w, m);
	return m;
}

static void index_members(struct world *w)
{
	dict_each_value(&w->members, member_free);
	dict_clear(&w->members);
	free(w->stranger.groups);
	w->stranger = (struct member){ 0 };
	join_everybody(w, &w->stranger);
	for (size_t i = 0; i < w->spec.user_count; i++) {
		const struct site_user *u = &w->spec.users[i];
		struct member *m = member_known(w, u->name);

		m->site = u;
		m->disabled = u->disabled;
		if (u->token[0])
			dict_put(&w->user_tokens, u->token, (void *)u);
		if (u->login[0])
			dict_put(&w->logins, u->login, (void *)u);
		if (u->uid >= 0)
			map_put(&w->uids, (uint64_t)u->uid + 1, (void *)u);
	}
	for (size_t i = 0; i < w->spec.group_count; i++) {
		const struct site_group *g = &w->spec.groups[i];

		for (size_t j = 0; j < g->members.count; j++)
			member_join(member_known(w, g->members.names[j]), g);
	}
	for (size_t i = 0; i < w->override_count; i++) {
		const struct override_row *o = &w->overrides[i];
		size_t n = strlen(o->key);
		char name[ROW_USER_SIZE];

		if (strncmp(o->key, "user/", 5) != 0 || n < 14 ||
		    strcmp(o->key + n - 9, "/disabled") != 0 ||
		    n - 14 >= sizeof(name))
			continue;
		memcpy(name, o->key + 5, n - 14);
		name[n - 14] = '\0';
		member_known(w, name)->disabled = o->value != 0;
	}
}

void admit_set_disabled(struct world *w, const char *user, bool disabled)
{
	member_known(w, user)->disabled = disabled;
	admit_forget(w);
}

/* ---- counts -------------------------------------------------------------- */

static struct use *use_get(struct world *w, enum use_kind kind,
			   const char *name)
{
	struct use *u = dict_get(&w->uses[kind], name);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	CHECK("", u, "out of memory");
	dict_put(&w->uses[kind], name, u);
	return u;
}

static void use_add(struct world *w, enum use_kind kind, const char *name,
		    int sessions, int waiting)
{
	struct use *u = use_get(w, kind, name);

	u->sessions += (uint32_t)sessions;
	u->waiting += (uint32_t)waiting;
	CHECK("S16", u->sessions < UINT32_MAX / 2 && u->waiting < UINT32_MAX / 2,
	      "the count of %s went below nothing", name);
	if (!u->sessions && !u->waiting)
		free(dict_remove(&w->uses[kind], name));
}

void admit_count(struct world *w, const char *user, const char *application,
		 const char *listener, int sessions, int waiting)
{
	const struct member *m = admit_member(w, user);

	use_add(w, USE_USER, user, sessions, waiting);
	use_add(w, USE_APPLICATION, application, sessions, waiting);
	use_add(w, USE_LISTENER, listener, sessions, waiting);
	for (size_t i = 0; i < m->group_count; i++)
		use_add(w, USE_GROUP, m->groups[i]->name, sessions, waiting);
}

static void count_all(struct world *w)
{
	for (int k = 0; k < USE_KINDS; k++) {
		dict_each_value(&w->uses[k], free);
		dict_clear(&w->uses[k]);
	}
	LIST_EACH(&w->live, it) {
		const struct session_row *row =
			&LIST_ENTRY(it, struct session, live_link)->row;

		admit_count(w, row->user, row->application, row->listener, 1, 0);
	}
	LIST_EACH(&w->waiting, it) {
		const struct request *r =
			LIST_ENTRY(it, struct request, wait_link);

		admit_count(w, r->row.user, r->row.application, r->row.listener,
			    0, (int)r->count);
	}
}

static uint32_t use_of(const struct world *w, enum use_kind kind,
		       const char *name)
{
	const struct use *u = dict_get(&w->uses[kind], name);

	if (!u)
		return 0;
	/* Who waits will have a session without being asked again. */
	return PLANTED(S16_WAITING_UNCOUNTED) ? u->sessions :
						u->sessions + u->waiting;
}

size_t admit_limits(struct world *w, const char *user, const char *application,
		    const char *listener, struct limit out[], size_t max)
{
	const struct member *m = admit_member(w, user);
	const struct site_application *a = dict_get(&w->applications, application);
	const struct site_listener *l = world_listener(w, slice_of(listener));
	size_t n = 0;

	if (m->site && n < max)
		out[n++] = (struct limit){ "user", user,
					   use_of(w, USE_USER, user),
					   m->site->limit };
	for (size_t i = 0; i < m->group_count && n < max; i++)
		out[n++] = (struct limit){
			"group", m->groups[i]->name,
			use_of(w, USE_GROUP, m->groups[i]->name),
			PLANTED(S16_GROUP_UNLIMITED) ? 0 : m->groups[i]->limit };
	if (a && n < max)
		out[n++] = (struct limit){
			"application", a->name,
			use_of(w, USE_APPLICATION, a->name), a->limit };
	if (l && n < max)
		out[n++] = (struct limit){ "listener", l->name,
					   use_of(w, USE_LISTENER, l->name),
					   l->limit };
	return n;
}

bool admit_within_limits(struct world *w, const struct request *r,
			 struct refusal *no)
{
	static struct limit limits[LIMITS_MAX];
	size_t n = admit_limits(w, r->row.user, r->row.application,
				r->row.listener, limits, LIMITS_MAX);

	for (size_t i = 0; i < n; i++) {
		const struct limit *l = &limits[i];
		bool own = i == 0 && strcmp(l->kind, "user") == 0;

		if (!l->limit || l->used + r->count <= l->limit)
			continue;
		if (own)
			TEXT_SET(no->code, "limit");
		else
			snprintf(no->code, sizeof(no->code), "limit_%s", l->kind);
		if (r->count > 1) {
			snprintf(no->text, sizeof(no->text),
				 "%s %s has %u sessions or requests and this asks for %u, the limit is %u; ask for fewer",
				 l->kind, l->name, l->used, r->count, l->limit);
			return false;
		}
		snprintf(no->text, sizeof(no->text),
			 "%s %s has %u sessions or requests, the limit%s; %s",
			 l->kind, l->name, l->used,
			 l->used > l->limit ? " is lower now" : "",
			 own ? "end one first" : "try again when one has ended");
		return false;
	}
	return true;
}

/* ---- rules ---------------------------------------------------------------- */

static bool rule_names(const struct site_allow *a, const struct member *m,
		       const char *user)
{
	if (names_have(&a->users, user))
		return true;
	for (size_t i = 0; i < m->group_count; i++)
		if (names_have(&a->groups, m->groups[i]->name))
			return true;
	return false;
}

/* Whether the lists of the user and the groups hold it, and whose does. */
static bool is_listed(const struct member *m, const char *application,
		      struct decision *d)
{
	bool any = false;

	d->verdict = VERDICT_LISTED;
	if (m->site && !m->site->applications_open) {
		any = true;
		d->place = &m->site->place;
		d->statement = m->site->name;
		if (names_have(&m->site->applications, application))
			return true;
	}
	for (size_t i = 0; i < m->group_count; i++) {
		const struct site_group *g = m->groups[i];

		if (g->applications_open)
			continue;
		if (!any || names_have(&g->applications, application)) {
			d->place = &g->place;
			d->statement = g->name;
		}
		any = true;
		if (names_have(&g->applications, application))
			return true;
	}
	if (any)
		d->verdict = VERDICT_NOT_LISTED;
	else
		*d = (struct decision){ .verdict = VERDICT_OPEN };
	return !any;
}

static struct decision decide(struct world *w, const char *user,
			      const char *application, const char *listener)
{
	const struct site_listener *l = world_listener(w, slice_of(listener));
	const struct member *m = admit_member(w, user);
	struct decision d = { .verdict = VERDICT_NO_LISTENER };

	if (!l)
		return d;
	if (!names_have(&l->applications, application))
		return (struct decision){ VERDICT_NOT_OFFERED, &l->place, l->name };
	if (m->disabled && !PLANTED(S16_DISABLED_MAY))
		return (struct decision){ VERDICT_DISABLED,
					  m->site && m->site->disabled ?
						  &m->site->place : NULL,
					  m->name };
	if (!is_listed(m, application, &d) || !w->spec.allow_count)
		return d;
	for (size_t i = 0; i < w->spec.allow_count; i++) {
		const struct site_allow *a = &w->spec.allows[i];

		if (rule_names(a, m, user) &&
		    names_have(&a->applications, application) &&
		    names_have(&a->listeners, listener))
			return (struct decision){ VERDICT_RULE, &a->place, a->name };
	}
	return (struct decision){ .verdict = PLANTED(S16_RULES_IGNORED) ?
						     VERDICT_OPEN :
						     VERDICT_NO_RULE };
}

struct decision admit_decide(struct world *w, const char *user,
			     const char *application, const char *listener)
{
	char key[3 * ROW_NAME_SIZE];
	struct decision *kept;

	snprintf(key, sizeof(key), "%s\n%s\n%s", user, application, listener);
	kept = dict_get(&w->decisions, key);
	if (kept)
		return *kept;
	if (w->decisions.used >= REMEMBERED_MAX)
		admit_forget(w);
	kept = calloc(1, sizeof(*kept));
	CHECK("", kept, "out of memory");
	*kept = decide(w, user, application, listener);
	dict_put(&w->decisions, key, kept);
	return *kept;
}

void admit_forget(struct world *w)
{
	dict_each_value(&w->decisions, free);
	dict_clear(&w->decisions);
}

const char *verdict_code(enum verdict v)
{
	switch (v) {
	case VERDICT_RULE:
	case VERDICT_LISTED:
	case VERDICT_OPEN:
		return "";
	case VERDICT_NO_LISTENER:
		return "refused";
	case VERDICT_NOT_OFFERED:
		return "no_application";
	case VERDICT_DISABLED:
		return "disabled";
	case VERDICT_NOT_LISTED:
	case VERDICT_NO_RULE:
		return "not_allowed";
	}
	return "refused";
}

void verdict_text(enum verdict v, const char *user, const char *application,
		  const char *listener, char *out, size_t out_size)
{
	switch (v) {
	case VERDICT_RULE:
		snprintf(out, out_size, "a rule allows it");
		return;
	case VERDICT_LISTED:
		snprintf(out, out_size, "application %.63s is listed for the user",
			 application);
		return;
	case VERDICT_OPEN:
		snprintf(out, out_size, "nothing in the site restricts it");
		return;
	case VERDICT_NO_LISTENER:
		snprintf(out, out_size, "unknown listener or user");
		return;
	case VERDICT_NOT_OFFERED:
		snprintf(out, out_size,
			 "listener %.63s does not offer application \"%.63s\"",
			 listener, application);
		return;
	case VERDICT_DISABLED:
		snprintf(out, out_size, "user %.63s is disabled", user);
		return;
	case VERDICT_NOT_LISTED:
		snprintf(out, out_size, "user %.63s may not use application %.63s",
			 user, application);
		return;
	case VERDICT_NO_RULE:
		snprintf(out, out_size, "no rule lets user %.63s have application "
			 "%.63s on listener %.63s", user, application, listener);
		return;
	}
}

/* ---- the site ---------------------------------------------------------------- */

static void forget_index(struct world *w)
{
	dict_clear(&w->listeners);
	dict_clear(&w->applications);
	dict_clear(&w->user_tokens);
	dict_clear(&w->logins);
	map_fini(&w->uids);
	admit_forget(w);
}

void admit_index(struct world *w)
{
	forget_index(w);
	for (size_t i = 0; i < w->spec.listener_count; i++)
		dict_put(&w->listeners, w->spec.listeners[i].name,
			 &w->spec.listeners[i]);
	for (size_t i = 0; i < w->spec.application_count; i++)
		dict_put(&w->applications, w->spec.applications[i].name,
			 &w->spec.applications[i]);
	index_members(w);
	count_all(w);
}

void admit_fini(struct world *w)
{
	forget_index(w);
	dict_each_value(&w->members, member_free);
	dict_clear(&w->members);
	free(w->stranger.groups);
	for (int k = 0; k < USE_KINDS; k++) {
		dict_each_value(&w->uses[k], free);
		dict_clear(&w->uses[k]);
	}
}
