/*
 * Is everybody served in turn?  Seen from outside: who stands in line is who
 * was told a place and neither served nor refused since; who is served is whose
 * session is saved.
 *
 *  - Of two users of one priority who wait for one application, none is
 *    served twice while the other is not served at all.
 *  - No priority is passed more often in a row than the line promises.
 */
#include <string.h>

#include "engine/sim/internal.h"

static int user_of(const char *name)
{
	for (int i = 0; i < USERS; i++)
		if (strcmp(site_user_name((uint32_t)i), name) == 0)
			return i;
	return 0;
}

static int application_of(const struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->site.application_count; i++)
		if (strcmp(s->site.applications[i].name, name) == 0)
			return (int)i;
	return 0;
}

void fair_forget(struct sim *s)
{
	memset(s->passes, 0, sizeof(s->passes));
	memset(s->rank_passes, 0, sizeof(s->rank_passes));
	s->lines_anew = true;
	s->site_ms = s->now_ms;
}

/* The engine is gone and with it its lines; the gateways ask anew. */
void fair_crash(struct sim *s)
{
	fair_forget(s);
	for (size_t i = 0; i < s->conns.count; i++)
		((struct conn *)s->conns.items[i])->stands = false;
}

/* A user (NULL: anybody) who wants several at once is passed while too few are free, and the
 * user's other requests with it. */
static bool wants_several(const struct sim *s, int a, const char *user)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *c = s->conns.items[i];

		if (c->stands && c->count > 1 &&
		    (!user || strcmp(c->user, user) == 0) &&
		    application_of(s, c->application) == a)
			return true;
	}
	return false;
}

/* Nobody of that user (or, with user < 0, of that priority) stands there. */
static bool none_stands(const struct sim *s, int a, int user, uint32_t rank)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *c = s->conns.items[i];

		if (c->stands && c->state == CONN_REQUESTED &&
		    application_of(s, c->application) == a &&
		    (user < 0 ? people_priority(s, c->user) == rank :
				user_of(c->user) == user) &&
		    !wants_several(s, a, c->user))
			return false;
	}
	return true;
}

/* The first of its user, or of its priority, counts from now on. */
static void begins_to_stand(struct sim *s, struct conn *c)
{
	int a = application_of(s, c->application), u = user_of(c->user);
	uint32_t rank = people_priority(s, c->user);

	if (c->stands)
		return;
	if (none_stands(s, a, u, 0))
		memset(s->passes[a][u], 0, sizeof(s->passes[a][u]));
	if (none_stands(s, a, -1, rank))
		s->rank_passes[a][rank] = 0;
	c->stands = true;
}

void fair_served(struct sim *s, const struct session_row *row)
{
	int a = application_of(s, row->application), x = user_of(row->user);
	uint32_t rank = people_priority(s, row->user);
	struct conn *served = tickets_conn(s, row);

	/* Of several machines for one request the first is its turn. */
	if (row->ticket[0] && served && served->granted > 1)
		return;
	if (served)
		served->stands = false;
	for (int y = 0; y < USERS; y++) {
		if (y == x || none_stands(s, a, y, 0) ||
		    people_priority(s, site_user_name((uint32_t)y)) != rank)
			continue;
		if (++s->passes[a][y][x] > 1)
			sim_broken(s, "L9", "%s has session/%llu, the second, while %s waits for %s",
				   row->user, (unsigned long long)row->id,
				   site_user_name((uint32_t)y),
				   row->application);
	}
	/* A turn given to one who wants several and cannot have them is lost. */
	for (uint32_t r = 0; r < rank && !wants_several(s, a, NULL); r++)
		if (!none_stands(s, a, -1, r) &&
		    ++s->rank_passes[a][r] > LINE_PASSED_MAX + SIM_RANKS)
			sim_broken(s, "L9", "priority %u was passed %u times in a row",
				   r, s->rank_passes[a][r]);
	memset(s->passes[a][x], 0, sizeof(s->passes[a][x]));
	s->rank_passes[a][rank] = 0;
}

/* Who stands after this commit. */
void fair_commit(struct sim *s)
{
	/* Whom the turn served before its site was counted behind it. */
	if (s->lines_anew)
		fair_forget(s);
	s->lines_anew = false;
	for (size_t i = 0; i < s->fx.count; i++) {
		const struct effect *e = &s->fx.items[i];
		struct conn *c;

		if (e->kind != EFFECT_WAITING && e->kind != EFFECT_REFUSE)
			continue;
		c = conn_by_id(s, e->gateway, e->conn);
		if (c && e->kind == EFFECT_WAITING)
			begins_to_stand(s, c);
		else if (c)
			c->stands = false;
	}
	/* One that came and was served in one turn. */
	LIST_EACH(&s->world.save_sessions, it) {
		const struct session_row *row =
			&LIST_ENTRY(it, struct session, save_link)->row;
		struct conn *c = tickets_conn(s, row);

		if (c && !sm_is_final(&session_table, row->state))
			c->stands = false;
	}
}
