/*
 * Ways: what a session's machine may reach of the resources (decisions.md 20).
 * A way is given to gateway 0 when the session is active and taken back before
 * its machine is cleaned: cleaning begins when gateway 0 has answered that
 * nothing is open any more (A1).  A machine with an address of its own is known
 * by it where the resource listens; any other has a virtio-serial port for each
 * resource.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

static const struct site_access *row_of(const struct resource *r,
					const char *user)
{
	for (size_t i = 0; i < r->spec.access_count; i++)
		if (strcmp(r->spec.access[i].user, user) == 0)
			return &r->spec.access[i];
	return NULL;
}

/* The user's own row counts first, then the rows of the user's groups, of
 * which a single no is a no, then everybody's. */
bool resource_allows(const struct world *w, const struct resource *r,
		     const char *user)
{
	const struct site_access *own = row_of(r, user), *rest = row_of(r, "*");
	const struct member *m = admit_member(w, user);
	bool named = false;

	if (own)
		return own->allowed;
	for (size_t i = 0; i < m->group_count; i++) {
		char name[SITE_NAME_SIZE + 1] = "@";
		const struct site_access *row;

		text_copy(name + 1, sizeof(name) - 1, m->groups[i]->name);
		row = row_of(r, name);
		if (row && !row->allowed)
			return false;
		named = named || row;
	}
	return named || (rest && rest->allowed);
}

static bool may_reach(const struct world *w, const struct session *s,
		      const struct resource *r)
{
	return r && resource_allows(w, r, s->row.user);
}

static bool is_active(const struct session *s)
{
	return s && s->row.state == SESSION_ACTIVE;
}

/* The address the machine comes from; false when it has none of its own. */
static bool own_address(const struct machine *m, const struct resource *r,
			char *out, size_t size)
{
	const struct site_application *a = &m->pool->application;

	return r->spec.listen_port && a->endpoint == ENDPOINT_TCP &&
	       a->host[0] &&
	       text_expand(slice_of(a->host),
			   PLANTED(A1_WRONG_ADDRESS) ? m->row.slot ^ 1 :
						       m->row.slot,
			   m->row.name, out, size);
}

static void want(struct world *w, struct session *s)
{
	if (!list_linked(&s->access_link))
		list_add_tail(&w->accessing, &s->access_link);
}

/* Added when there is none yet; NULL when there are too many. */
static struct way *way_of(struct session *s, struct slice resource)
{
	struct way *way;

	for (uint32_t i = 0; i < s->way_count; i++)
		if (slice_is(resource, s->ways[i].resource))
			return &s->ways[i];
	if (s->way_count == WORLD_RESOURCES_MAX)
		return NULL;
	way = &s->ways[s->way_count++];
	*way = (struct way){ .state = WAY_WANTED };
	text_copy_slice(way->resource, sizeof(way->resource), resource);
	return way;
}

void access_begin(struct world *w, struct machine *m, struct session *s)
{
	const struct site_names *names = &m->pool->application.resources;

	for (size_t i = 0; i < names->count; i++)
		way_of(s, slice_of(names->names[i]));
	if (s->way_count)
		want(w, s);
}

void access_end(struct session *s)
{
	list_remove(&s->access_link);
	memset(s->ways, 0, sizeof(s->ways));
	s->way_count = 0;
}

static struct effect *tell(struct world *w, struct effects *fx,
			   struct machine *m, struct session *s,
			   struct way *way)
{
	const struct resource *r = world_resource(w, slice_of(way->resource));
	struct effect *e = effects_add(fx, EFFECT_RESOURCE_PORT);

	CHECK("A1", PLANTED(A1_BEFORE_ACCEPT) ||
			    (is_active(s) && m->row.session == s->row.id &&
			     m->row.state == MACHINE_IN_SESSION),
	      "%s is let to %s without a session", m->row.name, way->resource);
	way->state = WAY_TOLD;
	way->call = 0;
	way->allowed = may_reach(w, s, r);
	m->ports = true;
	s->changed = w->turn;
	e->session = s->row.id;
	e->machine = m->row.id;
	e->incarnation = m->row.incarnation;
	e->resource = effects_text(fx, "%s", way->resource);
	e->ok = way->allowed;
	return e;
}

static void open_port(struct world *w, struct effects *fx, struct machine *m,
		      struct way *way, uint32_t index)
{
	struct call *c = call_new(w, CALL_KIND_WAY, m, m->host, 5000);
	struct effect *e = effects_add(fx, EFFECT_CHANNEL_OPEN);

	way->state = WAY_OPENING;
	way->call = c->id;
	c->index = index;
	e->machine = m->row.id;
	e->call = c->id;
	e->incarnation = m->row.built;
	e->text = effects_text(fx, "remuda.resource.%s", way->resource);
}

static void way_kick(struct world *w, struct effects *fx, struct machine *m,
		     struct session *s, uint32_t index)
{
	struct way *way = &s->ways[index];
	const struct resource *r = world_resource(w, slice_of(way->resource));
	char address[SITE_NAME_SIZE];

	if (way->state == WAY_OPENING && !map_get(&w->calls, way->call))
		way->state = WAY_WANTED;	/* forgotten with its host */
	if (way->state == WAY_HELD)
		tell(w, fx, m, s, way);
	if (way->state != WAY_WANTED || way->retry_ms > w->now_ms)
		return;
	if (!r) {
		way->state = WAY_NONE;
	} else if (own_address(m, r, address, sizeof(address))) {
		tell(w, fx, m, s, way)->text =
			effects_text(fx, "%s", address);
	} else {
		open_port(w, fx, m, way, index);
	}
}

void access_kick(struct world *w, struct effects *fx)
{
	if (!w->gateways[0].up)
		return;
	LIST_EACH(&w->accessing, it) {
		struct session *s = LIST_ENTRY(it, struct session, access_link);
		struct machine *m = world_machine(w, s->row.machine);
		bool done = true;

		for (uint32_t i = 0; i < s->way_count; i++) {
			way_kick(w, fx, m, s, i);
			done = done && (s->ways[i].state == WAY_TOLD ||
					s->ways[i].state == WAY_NONE);
		}
		if (done)
			list_remove(it);
	}
}

void access_on_opened(struct world *w, struct effects *fx,
		      const struct call *c, const struct event *ev)
{
	struct machine *m = world_machine(w, c->machine);
	struct session *s = m ? world_session(w, m->row.session) : NULL;
	struct way *way = s && c->index < s->way_count ? &s->ways[c->index] :
							 NULL;

	if (way && way->call == c->id && is_active(s) && w->gateways[0].up &&
	    ev->done.result == CALL_OK && ev->done.has_fd) {
		tell(w, fx, m, s, way)->call = c->id;
		return;
	}
	if (ev->done.has_fd)
		effects_add(fx, EFFECT_DROP_FD)->call = c->id;
	if (!way || way->call != c->id || !is_active(s))
		return;
	way->state = WAY_WANTED;
	way->call = 0;
	way->retry_ms = w->now_ms + 1000;
	if (way->failures++ == 0)	/* history hears of it once */
		world_event(w, fx, SEVERITY_WARN, false, "RESOURCE", "resource",
			    way->resource, "%s: its port could not be opened: %.*s",
			    m->row.name, (int)ev->done.text.length,
			    ev->done.text.ptr);
}

/* ---- the site's table, a new gateway, a new engine --------------------------- */

void access_refresh(struct world *w, struct effects *fx)
{
	if (!w->gateways[0].up || PLANTED(A1_TABLE_IGNORED))
		return;
	LIST_EACH(&w->live, it) {
		struct session *s = LIST_ENTRY(it, struct session, live_link);
		struct machine *m = world_machine(w, s->row.machine);

		for (uint32_t i = 0; is_active(s) && i < s->way_count; i++) {
			struct way *way = &s->ways[i];
			const struct resource *r =
				world_resource(w, slice_of(way->resource));

			if (way->state == WAY_NONE && r) {
				way->state = WAY_WANTED;
				want(w, s);
			} else if (way->state == WAY_TOLD &&
				   way->allowed != may_reach(w, s, r)) {
				tell(w, fx, m, s, way);
			}
		}
	}
}

/* lost: whatever it holds, of machines with a session. */
static void each_machine(struct world *w, bool lost)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			m->cutting = false;
			m->ports = lost && m->row.session;
		}
}

void access_on_lost(struct world *w)
{
	each_machine(w, true);
}

void access_on_gateway(struct world *w)
{
	each_machine(w, false);
	LIST_EACH(&w->live, it) {
		struct session *s = LIST_ENTRY(it, struct session, live_link);

		for (uint32_t i = 0; i < s->way_count; i++)
			if (s->ways[i].state != WAY_OPENING)
				s->ways[i].state = WAY_WANTED;
		if (is_active(s))
			access_begin(w, world_machine(w, s->row.machine), s);
	}
}

void access_on_held(struct world *w, struct effects *fx, const struct event *ev)
{
	struct machine *m = world_machine(w, ev->resource.machine);
	struct session *s = world_session(w, ev->resource.session);

	if (m && m->row.session == ev->resource.session &&
	    m->row.incarnation == ev->resource.incarnation) {
		struct way *way = s && !session_is_final(s) ?
					  way_of(s, ev->resource.resource) : NULL;

		/* One whose session is over is cut before it is cleaned.  That
		 * it was accepted may not be stored: its gateway says so. */
		m->ports = true;
		if (way)
			way->state = WAY_HELD;
		return;
	}
	struct effect *e = effects_add(fx, EFFECT_RESOURCE_CLOSE);

	e->session = ev->resource.session;
	e->machine = ev->resource.machine;
	e->incarnation = ev->resource.incarnation;
}

void access_check(const struct world *w, const struct session *s)
{
	for (uint32_t i = 0; w->gateways[0].up && i < s->way_count; i++) {
		const struct way *way = &s->ways[i];
		const struct resource *r =
			world_resource(w, slice_of(way->resource));

		CHECK("A1", way->state != WAY_TOLD ||
				    way->allowed == may_reach(w, s, r),
		      "%s is %s %s against the table", s->row.user,
		      way->allowed ? "let to" : "kept from", way->resource);
	}
}

/* ---- before cleaning -------------------------------------------------------------- */

bool access_cut(struct world *w, struct effects *fx, struct machine *m)
{
	if (w->gateways[0].reporting)
		return false;	/* it is just telling; adopt_on_ready kicks */
	if (PLANTED(S16_PORT_STAYS) || !m->ports)
		return true;
	if (!w->gateways[0].up || m->cutting)
		return false;	/* the answer kicks */
	struct effect *e = effects_add(fx, EFFECT_RESOURCE_CLOSE);

	e->session = m->row.session;
	e->machine = m->row.id;
	e->incarnation = m->row.incarnation;
	m->cutting = true;
	return PLANTED(A1_CUT_UNANSWERED);
}

void access_on_closed(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct machine *m = world_machine(w, ev->resource.machine);

	visits_drop_session(w, ev->resource.session);
	if (!m || !m->cutting || m->row.session != ev->resource.session ||
	    m->row.incarnation != ev->resource.incarnation)
		return;
	m->ports = m->cutting = false;
	if (m->row.state == MACHINE_CLEANING)
		machine_kick(w, fx, m);
}
