/*
 * Users, groups, rules and limits of a seed's site, and what they mean: told
 * once more in the plainest way, to judge what the core's tables answer.
 */
#include <stdio.h>
#include <string.h>

#include "engine/sim/internal.h"

static const char *const user_names[USERS] = { "ann", "ben", "cleo", "dan",
					       "eve", "stranger" };

const char *site_user_name(uint32_t i)
{
	return user_names[i];
}

uint32_t site_draw_limit(struct sim *s)
{
	return sim_chance(s, 25) ? (uint32_t)sim_between(s, 1, 5) : 0;
}

static void draw_names(struct sim *s, struct site_names *n, unsigned percent,
		       const void *items, size_t count, size_t size)
{
	n->all = sim_chance(s, 40);
	for (size_t i = 0; !n->all && i < count; i++)
		if (sim_chance(s, percent))
			site_names_add(n, (const char *)items + i * size);
}

static void draw_users(struct sim *s, struct site_spec *site)
{
	site->user_count = USERS - 1;	/* the last is known to nobody */
	site->users = site_room(USERS, sizeof(*site->users));
	for (int i = 0; i < USERS - 1; i++) {
		struct site_user *u = &site->users[i];

		TEXT_SET(u->name, user_names[i]);
		u->uid = -1;
		u->applications_open = sim_chance(s, 50);
		u->applications.all = u->applications_open;
		if (!u->applications_open)
			draw_names(s, &u->applications, 60, site->applications,
				   site->application_count,
				   sizeof(*site->applications));
		u->limit = (uint32_t)sim_between(s, 1, 4);
		u->disabled = sim_chance(s, 5);
	}
}

static void draw_groups(struct sim *s, struct site_spec *site)
{
	site->group_count = (size_t)sim_between(s, 0, GROUPS);
	site->groups = site_room(GROUPS, sizeof(*site->groups));
	for (size_t i = 0; i < site->group_count; i++) {
		struct site_group *g = &site->groups[i];

		snprintf(g->name, sizeof(g->name), "group%zu", i);
		g->members.all = sim_chance(s, 15);
		for (int j = 0; !g->members.all && j < USERS; j++)
			if (sim_chance(s, 40))
				site_names_add(&g->members, user_names[j]);
		g->applications_open = sim_chance(s, 70);
		g->applications.all = g->applications_open;
		if (!g->applications_open)
			draw_names(s, &g->applications, 60, site->applications,
				   site->application_count,
				   sizeof(*site->applications));
		g->priority = (uint32_t)sim_between(s, 0, 2);
		g->limit = site_draw_limit(s);
	}
}

static void draw_rules(struct sim *s, struct site_spec *site)
{
	bool any = sim_chance(s, 40);

	site->allow_count = any ? (size_t)sim_between(s, 1, 3) : 0;
	site->allows = site_room(4, sizeof(*site->allows));
	for (size_t i = 0; i < site->allow_count; i++) {
		struct site_allow *a = &site->allows[i];

		snprintf(a->name, sizeof(a->name), "rule-%zu", i + 1);
		a->users.all = sim_chance(s, 50);
		for (int j = 0; !a->users.all && j < USERS; j++)
			if (sim_chance(s, 40))
				site_names_add(&a->users, user_names[j]);
		for (size_t j = 0; j < site->group_count; j++)
			if (sim_chance(s, 40))
				site_names_add(&a->groups, site->groups[j].name);
		draw_names(s, &a->applications, 60, site->applications,
			   site->application_count, sizeof(*site->applications));
		draw_names(s, &a->listeners, 60, site->listeners,
			   site->listener_count, sizeof(*site->listeners));
	}
}

void people_draw(struct sim *s, struct site_spec *site)
{
	draw_users(s, site);
	draw_groups(s, site);
	draw_rules(s, site);
}

/* ---- what they mean --------------------------------------------------------- */

static bool names_have(const struct site_names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->names[i], name) == 0)
			return true;
	return n->all;
}

bool people_in(const struct site_spec *site, const char *group,
	       const char *user)
{
	for (size_t i = 0; i < site->group_count; i++)
		if (strcmp(site->groups[i].name, group) == 0)
			return names_have(&site->groups[i].members, user);
	return false;
}

static bool is_disabled(const struct sim *s, const char *user)
{
	for (int i = 0; i < USERS; i++)
		if (strcmp(user_names[i], user) == 0)
			return s->disabled & 1u << i;
	return false;
}

static bool is_listed(const struct site_spec *site, const struct conn *c)
{
	bool any = false, found = false;

	for (size_t i = 0; i < site->user_count; i++) {
		const struct site_user *u = &site->users[i];

		if (strcmp(u->name, c->user) != 0 || u->applications_open)
			continue;
		any = true;
		found |= names_have(&u->applications, c->application);
	}
	for (size_t i = 0; i < site->group_count; i++) {
		const struct site_group *g = &site->groups[i];

		if (!names_have(&g->members, c->user) || g->applications_open)
			continue;
		any = true;
		found |= names_have(&g->applications, c->application);
	}
	return found || !any;
}

static bool a_rule_allows(const struct site_spec *site, const struct conn *c)
{
	for (size_t i = 0; i < site->allow_count; i++) {
		const struct site_allow *a = &site->allows[i];
		bool named = names_have(&a->users, c->user);

		for (size_t j = 0; j < site->group_count; j++)
			named |= names_have(&a->groups, site->groups[j].name) &&
				 names_have(&site->groups[j].members, c->user);
		if (named && names_have(&a->applications, c->application) &&
		    names_have(&a->listeners, c->listener))
			return true;
	}
	return site->allow_count == 0;
}

bool people_allow(const struct sim *s, const struct conn *c)
{
	bool offered = false;

	for (size_t i = 0; i < s->site.listener_count; i++)
		if (strcmp(s->site.listeners[i].name, c->listener) == 0)
			offered = names_have(&s->site.listeners[i].applications,
					     c->application);
	return c->authentic && offered && !is_disabled(s, c->user) &&
	       is_listed(&s->site, c) && a_rule_allows(&s->site, c);
}

uint32_t people_priority(const struct sim *s, const char *user)
{
	uint32_t best = 0;

	for (size_t i = 0; i < s->site.group_count; i++)
		if (names_have(&s->site.groups[i].members, user) &&
		    s->site.groups[i].priority > best)
			best = s->site.groups[i].priority;
	return best;
}

void people_command(struct sim *s, const struct event *ev)
{
	bool disable = ev->command.verb == COMMAND_USER_DISABLE;

	if (!disable && ev->command.verb != COMMAND_USER_ENABLE)
		return;
	/* The last is nobody to the engine: it cannot be disabled. */
	for (int i = 0; i < USERS - 1; i++) {
		if (!slice_is(ev->command.name, user_names[i]))
			continue;
		s->disabled &= ~(1u << i);
		s->disabled |= (uint32_t)disable << i;
	}
}

void people_restore(struct sim *s)
{
	s->disabled = 0;
	for (size_t i = 0; i < s->site.user_count; i++)
		s->disabled |= (uint32_t)s->site.users[i].disabled << i;
	for (size_t i = 0; i < s->store.override_count; i++)
		for (int j = 0; j < USERS; j++) {
			const struct override_row *o = &s->store.overrides[i];
			char key[80];

			snprintf(key, sizeof(key), "user/%s/disabled",
				 user_names[j]);
			if (strcmp(o->key, key) != 0)
				continue;
			s->disabled &= ~(1u << j);
			s->disabled |= (uint32_t)(o->value != 0) << j;
		}
}

/* ---- limits ---------------------------------------------------------------------- */

/* Live saved sessions that count towards an object of the site. */
static uint32_t live(const struct sim *s, const char *user,
		     const struct site_names *members, const char *application,
		     const char *listener)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->store.session_list.count; i++) {
		const struct session_row *r = s->store.session_list.items[i];

		n += !sm_is_final(&session_table, r->state) &&
		     (!user || strcmp(r->user, user) == 0) &&
		     (!members || names_have(members, r->user)) &&
		     (!application || strcmp(r->application, application) == 0) &&
		     (!listener || strcmp(r->listener, listener) == 0);
	}
	return n;
}

const char *people_over(const struct sim *s, const struct session_row *row)
{
	const struct site_spec *site = &s->site;

	for (size_t i = 0; i < site->user_count; i++)
		if (strcmp(site->users[i].name, row->user) == 0 &&
		    live(s, row->user, NULL, NULL, NULL) >= site->users[i].limit)
			return row->user;
	for (size_t i = 0; i < site->group_count; i++) {
		const struct site_group *g = &site->groups[i];

		if (g->limit && names_have(&g->members, row->user) &&
		    live(s, NULL, &g->members, NULL, NULL) >= g->limit)
			return g->name;
	}
	for (size_t i = 0; i < site->application_count; i++) {
		const struct site_application *a = &site->applications[i];

		if (a->limit && strcmp(a->name, row->application) == 0 &&
		    live(s, NULL, NULL, a->name, NULL) >= a->limit)
			return a->name;
	}
	for (size_t i = 0; i < site->listener_count; i++) {
		const struct site_listener *l = &site->listeners[i];

		if (l->limit && strcmp(l->name, row->listener) == 0 &&
		    live(s, NULL, NULL, NULL, l->name) >= l->limit)
			return l->name;
	}
	return NULL;
}
