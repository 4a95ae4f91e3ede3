/*
 * Which requests join a session (decisions.md 16).  Where an application says
 * connections = "shared", a user has one machine of it: while he has a session
 * his further requests join it (join.c), and while his first request waits for
 * a machine, or that machine is made to accept, they wait for its session and
 * take no place in the line.  Requests for several machines at once never join.
 *
 * A share is what one user has of one application.  What may be joined is asked
 * of it whenever something of it has moved, at the end of the step; asking twice
 * does no harm.  When its session never comes the oldest of those that wait goes
 * its own way, and the others follow that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

bool share_is_shared(const struct world *w, const char *application)
{
	const struct site_application *a = dict_get(&w->applications, application);

	return a && a->shared;
}

static void moved(struct world *w, struct share *sh)
{
	if (!list_linked(&sh->moved_link))
		list_add_tail(&w->moved_shares, &sh->moved_link);
}

static void key_of(char out[sizeof(((struct share *)0)->key)], const char *user,
		   const char *application)
{
	snprintf(out, sizeof(((struct share *)0)->key), "%s\n%s", user,
		 application);
}

/* Those that stay empty go at the end of the step. */
static struct share *share_of(struct world *w, const char *user,
			      const char *application)
{
	char key[sizeof(((struct share *)0)->key)];

	key_of(key, user, application);
	struct share *sh = dict_get(&w->shares, key);
	if (sh)
		return sh;
	sh = calloc(1, sizeof(*sh));
	CHECK("", sh, "out of memory");
	TEXT_SET(sh->key, key);
	list_init(&sh->sessions);
	list_init(&sh->followers);
	list_add_tail(&w->share_list, &sh->link);
	dict_put(&w->shares, sh->key, sh);
	moved(w, sh);
	return sh;
}

void share_add(struct world *w, struct session *s)
{
	if (s->share || !share_is_shared(w, s->row.application))
		return;
	s->share = share_of(w, s->row.user, s->row.application);
	list_add_tail(&s->share->sessions, &s->share_link);
	moved(w, s->share);
}

void share_remove(struct world *w, struct session *s)
{
	share_note(w, s);
	list_remove(&s->share_link);
	s->share = NULL;
}

void share_note(struct world *w, struct session *s)
{
	if (s->share)
		moved(w, s->share);
}

/* ---- whom to join ------------------------------------------------------------ */

static bool may_be_joined(const struct session *s)
{
	return s->row.state == SESSION_ACTIVE && !s->away && !s->returning &&
	       !s->stopping && !s->row.ticket[0];
}

/* It will be, or its user will come back to it. */
static bool will_be(const struct session *s)
{
	return !s->row.ticket[0] && !s->stopping &&
	       (s->row.state == SESSION_ASSIGNED || s->returning || s->away);
}

static struct session *pick(const struct share *sh,
			    bool (*right)(const struct session *))
{
	LIST_EACH(&sh->sessions, it) {
		struct session *s = LIST_ENTRY(it, struct session, share_link);

		if (right(s))
			return s;
	}
	return NULL;
}

static struct session *to_join(const struct world *w, const struct share *sh)
{
	if (PLANTED(S28_ANYBODY_JOINS))
		LIST_EACH(&w->live, it) {
			struct session *s =
				LIST_ENTRY(it, struct session, live_link);

			if (s->share && may_be_joined(s))
				return s;
		}
	return PLANTED(S28_SECOND_MACHINE) ? NULL : pick(sh, may_be_joined);
}

static void join(struct world *w, struct effects *fx, struct session *s,
		 struct request *r)
{
	char text[ROW_TEXT_SIZE];

	if (s->join_count < JOINS_MAX) {
		join_begin(w, fx, s, r);
		return;
	}
	snprintf(text, sizeof(text),
		 "session/%llu on %s has %d further connections already; close one",
		 (unsigned long long)s->row.id, s->row.machine_name, JOINS_MAX);
	request_refuse(w, fx, r, "limit", text);
}

/* False: there is nothing to join and nobody to wait for. */
static bool served(struct world *w, struct effects *fx, struct share *sh,
		   struct request *r)
{
	struct session *s = linger_find(w, r);

	if (s) {
		linger_return(w, fx, s, r);
		return true;
	}
	s = to_join(w, sh);
	if (s) {
		join(w, fx, s, r);
		return true;
	}
	return pick(sh, will_be) || sh->first;
}

bool share_wants(struct world *w, const struct request *r)
{
	const struct share *sh;

	if (r->grants || !r->row.user[0] ||
	    !share_is_shared(w, r->row.application))
		return false;
	sh = share_of(w, r->row.user, r->row.application);
	return to_join(w, sh) || pick(sh, will_be) || sh->first;
}

void share_enter(struct world *w, struct effects *fx, struct request *r,
		 int64_t wait_ms)
{
	struct share *sh = share_of(w, r->row.user, r->row.application);
	struct session *s = to_join(w, sh);

	r->deadline_ms = w->now_ms + wait_ms;
	if (s) {
		join(w, fx, s, r);
		return;
	}
	r->share = sh;
	list_add_tail(&sh->followers, &r->follow_link);
	timer_set(&w->timers, &r->timer, r->deadline_ms);
}

void share_lead(struct world *w, struct request *r)
{
	if (r->grants || !share_is_shared(w, r->row.application))
		return;
	r->share = share_of(w, r->row.user, r->row.application);
	r->share->first = r;
}

bool share_follows(const struct request *r)
{
	return list_linked(&r->follow_link);
}

void share_leave(struct world *w, struct request *r)
{
	if (!r->share)
		return;
	moved(w, r->share);
	if (r->share->first == r)
		r->share->first = NULL;
	list_remove(&r->follow_link);
	r->share = NULL;
}

/* ---- when something has moved --------------------------------------------------- */

static void look(struct world *w, struct effects *fx, struct share *sh,
		 struct request *r)
{
	struct refusal no = { .session = 0 };

	/* The site may have changed since it came. */
	if (!request_is_entitled(w, r, &no)) {
		request_refuse(w, fx, r, no.code, no.text);
		return;
	}
	if (share_is_shared(w, r->row.application) && served(w, fx, sh, r))
		return;
	list_remove(&r->follow_link);
	timer_stop(&w->timers, &r->timer);
	r->share = NULL;
	request_alone(w, fx, r);
}

static void forget_empty(struct world *w, struct share *sh)
{
	if (!list_empty(&sh->sessions) || !list_empty(&sh->followers) || sh->first)
		return;
	dict_remove(&w->shares, sh->key);
	list_remove(&sh->link);
	list_remove(&sh->moved_link);
	free(sh);
}

void shares_kick(struct world *w, struct effects *fx)
{
	while (!list_empty(&w->moved_shares)) {
		struct share *sh = LIST_ENTRY(w->moved_shares.next, struct share,
					      moved_link);

		list_remove(&sh->moved_link);
		LIST_EACH(&sh->followers, it)
			look(w, fx, sh, LIST_ENTRY(it, struct request,
						   follow_link));
		forget_empty(w, sh);
	}
}

void shares_index(struct world *w)
{
	LIST_EACH(&w->share_list, it)
		moved(w, LIST_ENTRY(it, struct share, link));
	LIST_EACH(&w->live, it) {
		struct session *s = LIST_ENTRY(it, struct session, live_link);

		if (share_is_shared(w, s->row.application))
			share_add(w, s);
		else
			share_remove(w, s);
	}
}

/* ---- those that do not wait any more ---------------------------------------------- */

void shares_drop_gateway(struct world *w, struct effects *fx, uint32_t gateway)
{
	LIST_EACH(&w->share_list, it) {
		struct share *sh = LIST_ENTRY(it, struct share, link);

		LIST_EACH(&sh->followers, jt) {
			struct request *r =
				LIST_ENTRY(jt, struct request, follow_link);

			if (r->gateway == gateway)
				request_on_cancel(w, fx, gateway, r->conn);
		}
	}
}

void shares_drop_user(struct world *w, struct effects *fx, const char *user,
		      const char *code, const char *text)
{
	LIST_EACH(&w->share_list, it) {
		struct share *sh = LIST_ENTRY(it, struct share, link);

		LIST_EACH(&sh->followers, jt) {
			struct request *r =
				LIST_ENTRY(jt, struct request, follow_link);

			if (strcmp(r->row.user, user) == 0)
				request_refuse(w, fx, r, code, text);
		}
	}
}

void shares_fini(struct world *w)
{
	LIST_EACH(&w->share_list, it)
		free(LIST_ENTRY(it, struct share, link));
	dict_clear(&w->shares);
}
