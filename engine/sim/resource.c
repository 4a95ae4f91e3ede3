/*
 * Resources at gateway 0: the ways the engine gives, guests that knock, and the
 * judge's rule for them.  A1: a connection to a resource belongs to a live
 * session of that user on that very machine; no way is given before the session
 * is active, and none is left when its machine is somebody else's or nobody's.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

static unsigned long long ull(uint64_t n)
{
	return n;
}

static struct post *post_of(struct sim *s, enum event_kind kind,
			    const struct port *p)
{
	struct post *post = post_new(s, kind);

	post->ev.resource.session = p->session;
	post->ev.resource.machine = p->machine;
	post->ev.resource.incarnation = p->incarnation;
	post->ev.resource.resource = post_text(post, p->resource);
	post->ev.resource.user = post_text(post, p->user);
	post->ev.resource.peer = post_text(post, p->address);
	post->ev.resource.exchange = p->exchange;
	post->ev.resource.allowed = p->allowed;
	return post;
}

/* Its connection, if one is open, ends. */
static void hang_up(struct sim *s, struct port *p)
{
	struct post *post;

	if (!p->exchange)
		return;
	post = post_of(s, EVENT_RESOURCE_USED, p);
	post->durable = true;
	post->ev.resource.allowed = true;
	p->exchange = 0;
	gateway_post(s, 0, post);
}

static void port_end(struct sim *s, size_t i)
{
	struct port *p = s->ports.items[i];

	hang_up(s, p);
	array_remove(&s->ports, i);
	free(p);
}

void resource_ports_lost(struct sim *s, const struct life *l)
{
	for (size_t i = s->ports.count; i-- > 0;) {
		const struct port *p = s->ports.items[i];

		/* An address is bound whether anybody has it or not. */
		if (p->life == l->id && !p->address[0])
			port_end(s, i);
	}
}

static void port_new(struct sim *s, const struct order *o)
{
	const struct session_row *row = store_session(s, o->e.session);
	struct port *p;

	if (!o->life && !o->e.text.length)
		return;		/* a change of a way that ended meanwhile */
	if (!o->e.text.length && !life_by_id(s, o->life))
		return;		/* the descriptor reads end-of-file */
	p = calloc(1, sizeof(*p));
	CHECK("", p, "out of memory");
	p->session = o->e.session;
	p->machine = o->e.machine;
	p->incarnation = o->e.incarnation;
	p->life = o->life;
	p->allowed = o->e.ok;
	TEXT_SET(p->user, row ? row->user : "");
	text_copy_slice(p->resource, sizeof(p->resource), o->e.resource);
	text_copy_slice(p->address, sizeof(p->address), o->e.text);
	array_add(&s->ports, p);
}

void resource_port(struct sim *s, const struct order *o)
{
	for (size_t i = s->ports.count; i-- > 0;) {
		struct port *old = s->ports.items[i];

		if (old->machine != o->e.machine)
			continue;
		if (old->session != o->e.session)
			sim_broken(s, "S16", "machine %llu keeps a port of session/%llu in session/%llu",
				   ull(old->machine), ull(old->session),
				   ull(o->e.session));
		if (!slice_is(o->e.resource, old->resource))
			continue;
		if (o->life || o->e.text.length) {
			port_end(s, i);
			continue;
		}
		old->allowed = o->e.ok;
		if (!old->allowed)
			hang_up(s, old);
		return;
	}
	port_new(s, o);
}

void resource_close(struct sim *s, const struct order *o)
{
	struct post *p = post_new(s, EVENT_RESOURCE_CLOSED);

	for (size_t i = s->ports.count; i-- > 0;) {
		const struct port *port = s->ports.items[i];

		if (port->session == o->e.session)
			port_end(s, i);
	}
	p->ev.resource.session = o->e.session;
	p->ev.resource.machine = o->e.machine;
	p->ev.resource.incarnation = o->e.incarnation;
	gateway_post(s, 0, p);
}

void resource_report(struct sim *s)
{
	for (size_t i = 0; i < s->ports.count; i++) {
		struct port *p = s->ports.items[i];

		gateway_post(s, 0, post_of(s, EVENT_RESOURCE_HELD, p));
		if (p->exchange)
			gateway_post(s, 0, post_of(s, EVENT_RESOURCE_OPENED, p));
	}
}

/* ---- guests that knock ---------------------------------------------------------- */

/* The address a machine comes from, as the site's author thinks; or "". */
static void address_of(const struct sim *s, const struct machine_row *row,
		       char *out, size_t size)
{
	const struct site_pool *p = site_pool_of(s, row->pool);

	out[0] = '\0';
	for (size_t i = 0; p && i < s->site.application_count; i++) {
		const struct site_application *a = &s->site.applications[i];

		if (strcmp(a->name, p->application) == 0 &&
		    a->endpoint == ENDPOINT_TCP)
			text_expand(slice_of(a->host), row->slot, row->name,
				    out, size);
	}
}

static void judge(struct sim *s, const struct port *p, const struct life *l)
{
	const struct session_row *row = store_session(s, p->session);

	if (p->machine != l->machine)
		sim_broken(s, "A1", "%s reaches %s as machine %llu", l->name,
			   p->resource, ull(p->machine));
	if (!row || row->machine != p->machine ||
	    row->incarnation != p->incarnation || strcmp(row->user, p->user))
		sim_broken(s, "A1", "%s reaches %s as %s of session/%llu, which is not so",
			   l->name, p->resource, p->user, ull(p->session));
	if (row->cleaned_wall_ms)
		sim_broken(s, "A1", "%s reaches %s by session/%llu, after which it was cleaned",
			   l->name, p->resource, ull(p->session));
	for (size_t i = 0; i < s->store.session_list.count; i++) {
		const struct session_row *r = s->store.session_list.items[i];

		if (r->machine == l->machine && r->id > row->id)
			sim_broken(s, "A1", "%s reaches %s by session/%llu and has session/%llu",
				   l->name, p->resource, ull(row->id),
				   ull(r->id));
	}
}

static struct port *way_in(const struct sim *s, const struct life *l,
			   const char *address)
{
	for (size_t i = 0; i < s->ports.count; i++) {
		struct port *p = s->ports.items[i];

		if (p->address[0] ? strcmp(p->address, address) == 0 :
				    p->life == l->id)
			return p;
	}
	return NULL;
}

void resource_knock(struct sim *s)
{
	const struct sim_gateway *g = &s->gateways[0];
	const struct life *l = s->lives.count ? s->lives.items[sim_between(
		s, 0, (int64_t)s->lives.count - 1)] : NULL;
	const struct machine_row *row = l ? store_machine(s, l->machine) : NULL;
	char address[ROW_NAME_SIZE];
	struct port *p;

	if (!row || !l->ours || l->state != DOMAIN_RUNNING || !g->alive ||
	    s->now_ms < g->stalled_ms || !s->site.resource_count)
		return;
	address_of(s, row, address, sizeof(address));
	p = way_in(s, l, address);
	if (!p) {
		struct port stranger = { .allowed = false };

		TEXT_SET(stranger.resource, s->site.resources[0].name);
		TEXT_SET(stranger.address, address);
		gateway_post(s, 0, post_of(s, EVENT_RESOURCE_USED, &stranger));
		return;
	}
	judge(s, p, l);
	hang_up(s, p);
	if (p->allowed)
		p->exchange = ++s->next_exchange;
	gateway_post(s, 0, post_of(s, p->allowed ? EVENT_RESOURCE_OPENED :
						   EVENT_RESOURCE_USED, p));
}

/* ---- what the engine gives, as it leaves ------------------------------------------ */

static bool table_says(const struct sim *s, struct slice resource,
		       const char *user)
{
	const struct resource *r = world_resource(&s->world, resource);

	return r && resource_access(s, &r->spec, user);
}

/* It ended in the very turn the way was given: that is taken back at once. */
static bool taken_back(const struct sim *s, uint64_t session)
{
	for (size_t i = 0; i < s->fx.count; i++)
		if (s->fx.items[i].kind == EFFECT_RESOURCE_CLOSE &&
		    s->fx.items[i].session == session)
			return true;
	return false;
}

/* The site changed in that turn: what is said last counts. */
static bool said_again(const struct sim *s, const struct effect *e)
{
	for (size_t i = 0; i < s->fx.count; i++) {
		const struct effect *f = &s->fx.items[i];

		if (f > e && f->kind == e->kind && f->session == e->session &&
		    f->resource.length == e->resource.length &&
		    !memcmp(f->resource.ptr, e->resource.ptr, f->resource.length))
			return true;
	}
	return false;
}

void oracle_port(struct sim *s, const struct effect *e)
{
	const struct session_row *row = store_session(s, e->session);
	const struct machine_row *m = store_machine(s, e->machine);
	char address[ROW_NAME_SIZE];

	if (!s->gateways[e->gateway].linked)
		return;	/* it died in this very turn: nobody hears it */
	if (row && sm_is_final(&session_table, row->state) &&
	    taken_back(s, e->session))
		return;
	/* That it was accepted is stored late. */
	if (!row || !map_get(&s->accepted, row->id) ||
	    sm_is_final(&session_table, row->state) ||
	    row->machine != e->machine || row->incarnation != e->incarnation)
		sim_broken(s, "A1", "machine %llu is let to %.*s by session/%llu, which is not active there",
			   ull(e->machine), (int)e->resource.length,
			   e->resource.ptr, ull(e->session));
	if (!said_again(s, e) &&
	    e->ok != table_says(s, e->resource, row->user))
		sim_broken(s, "A1", "%s is %s %.*s against the table", row->user,
			   e->ok ? "let to" : "kept from",
			   (int)e->resource.length, e->resource.ptr);
	if (!e->text.length || !m)
		return;
	address_of(s, m, address, sizeof(address));
	if (!slice_is(e->text, address))
		sim_broken(s, "A1", "%s is known by %.*s and comes from %s",
			   m->name, (int)e->text.length, e->text.ptr, address);
}
