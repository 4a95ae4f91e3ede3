/*
 * Visits: the open connections of machines to resources, as gateway 0 tells of
 * them, for whois and for people; and who was refused last.  Nothing is decided
 * by them: a visit's session is looked up in the binding each time it is shown.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum { VISITS_MAX = 65536, DENIAL_AGAIN_MS = 60000 };

static void visit_free(struct world *w, struct visit *v)
{
	map_remove(&w->visits, v->id);
	list_remove(&v->link);
	free(v);
}

void visits_clear(struct world *w)
{
	while (!list_empty(&w->visit_list))
		visit_free(w, LIST_ENTRY(w->visit_list.next, struct visit, link));
}

void visits_drop_session(struct world *w, uint64_t session)
{
	LIST_EACH(&w->visit_list, it) {
		struct visit *v = LIST_ENTRY(it, struct visit, link);

		if (v->session == session)
			visit_free(w, v);
	}
}

const struct session *visit_session(const struct world *w,
				    const struct visit *v)
{
	const struct session *s = world_session(w, v->session);

	return s && s->row.state == SESSION_ACTIVE &&
	       s->row.machine == v->machine &&
	       s->row.incarnation == v->incarnation ? s : NULL;
}

void visit_on_opened(struct world *w, const struct event *ev)
{
	struct visit *v = map_get(&w->visits, ev->resource.exchange);

	if (!ev->resource.exchange || (!v && w->visits.used >= VISITS_MAX))
		return;
	if (!v) {
		v = calloc(1, sizeof(*v));
		CHECK("", v, "out of memory");
		v->id = ev->resource.exchange;
		v->opened_wall_ms = w->wall_ms;
		map_put(&w->visits, v->id, v);
		list_add_tail(&w->visit_list, &v->link);
	}
	v->session = ev->resource.session;
	v->machine = ev->resource.machine;
	v->incarnation = ev->resource.incarnation;
	text_copy_slice(v->resource, sizeof(v->resource), ev->resource.resource);
	text_copy_slice(v->own, sizeof(v->own), ev->resource.own);
	text_copy_slice(v->peer, sizeof(v->peer), ev->resource.peer);
	if (!visit_session(w, v))	/* it is being cut */
		visit_free(w, v);
}

static bool same_denial(const struct denial *a, const struct denial *b)
{
	return strcmp(a->user, b->user) == 0 &&
	       strcmp(a->machine, b->machine) == 0 &&
	       strcmp(a->why, b->why) == 0 &&
	       (a->machine[0] || strcmp(a->peer, b->peer) == 0);
}

/* Guests can ask as often as they like: history hears of the same refusal
 * once a minute. */
static void refused(struct world *w, struct effects *fx,
		    const struct event *ev)
{
	struct resource *r = world_resource(w, ev->resource.resource);
	const struct machine *m = world_machine(w, ev->resource.machine);
	struct denial new = { .wall_ms = w->wall_ms };
	char *port;

	if (!r)
		return;
	text_copy_slice(new.user, sizeof(new.user), ev->resource.user);
	text_copy_slice(new.peer, sizeof(new.peer), ev->resource.peer);
	text_copy_slice(new.why, sizeof(new.why), ev->resource.text);
	TEXT_SET(new.machine, m ? m->row.name : "");
	port = strrchr(new.peer, ':');
	if (port)	/* another port is the same caller */
		*port = '\0';
	r->refused++;
	for (int i = 0; i < DENIALS_KEPT; i++)
		if (r->denials[i].wall_ms &&
		    same_denial(&r->denials[i], &new) &&
		    new.wall_ms - r->denials[i].wall_ms < DENIAL_AGAIN_MS)
			return;
	memmove(r->denials + 1, r->denials,
		(DENIALS_KEPT - 1) * sizeof(new));
	r->denials[0] = new;
	world_event(w, fx, SEVERITY_WARN, false, "RESOURCE", "resource",
		    r->spec.name, "refused to %s%s%s: %s",
		    new.user[0] ? new.user : new.peer,
		    new.machine[0] ? " on " : "", new.machine, new.why);
}

void visit_on_used(struct world *w, struct effects *fx, const struct event *ev)
{
	struct visit *v = map_get(&w->visits, ev->resource.exchange ?
						      ev->resource.exchange : 1);

	if (v && v->id == ev->resource.exchange)
		visit_free(w, v);
	if (!ev->resource.allowed)
		refused(w, fx, ev);
}
