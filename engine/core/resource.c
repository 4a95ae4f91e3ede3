/*
 * Resources: services that machines reach through the gateway, admitted by the
 * alternate user of their session (spec 2.9).  They are served by a machine of
 * a pool with keep = true or at an address outside; gateway 0 is where the ways
 * of machines (access.c) and the places that serve them meet.
 */
#include <string.h>

#include "engine/core/internal.h"

static struct machine *find_target(const struct world *w,
				   const struct resource *r)
{
	struct pool *p = r->spec.pool[0] ?
				 world_pool(w, slice_of(r->spec.pool)) : NULL;

	return p ? assign_choose(p) : NULL;
}

static struct effect *tell_target(struct world *w, struct effects *fx,
				  struct resource *r, const struct machine *m,
				  uint64_t fd_call)
{
	struct effect *e = effects_add(fx, EFFECT_RESOURCE_TARGET);

	r->machine = m ? m->row.id : 0;
	r->incarnation = m ? m->row.incarnation : 0;
	r->told = true;
	e->ok = m || r->spec.port || r->spec.path[0];
	e->resource = effects_text(fx, "%s", r->spec.name);
	e->machine = r->machine;
	e->incarnation = r->incarnation;
	e->call = fd_call;
	(void)w;
	return e;
}

/* A machine of an earlier engine's may turn out to be there still. */
static bool may_turn_up(const struct world *w, const struct resource *r)
{
	const struct pool *p = world_pool(w, slice_of(r->spec.pool));

	for (struct list *it = p ? p->machines.next : NULL;
	     p && it != &p->machines; it = it->next) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		if (m->row.state == MACHINE_READY && !m->seen)
			return true;
	}
	return false;
}

void resources_kick(struct world *w, struct effects *fx)
{
	for (size_t i = 0; i < w->resource_count && w->gateways[0].up; i++) {
		struct resource *r = &w->resources[i];
		struct machine *m = find_target(w, r);

		if (!r->spec.pool[0]) {
			if (!r->told)
				tell_target(w, fx, r, NULL, 0);
			continue;
		}
		/* What an earlier engine told it may be true no more. */
		if (!m && !r->told && !may_turn_up(w, r))
			tell_target(w, fx, r, NULL, 0);
		if (r->call || !m || r->retry_ms > w->now_ms ||
		    (r->machine == m->row.id &&
		     r->incarnation == m->row.incarnation))
			continue;
		if (m->pool->application.endpoint != ENDPOINT_CHANNEL) {
			tell_target(w, fx, r, m, 0);
			continue;
		}
		struct call *c = call_new(w, CALL_KIND_TARGET, m, m->host, 5000);
		struct effect *e = effects_add(fx, EFFECT_CHANNEL_OPEN);

		c->index = (uint32_t)i;
		r->call = c->id;
		e->machine = m->row.id;
		e->call = c->id;
		e->incarnation = m->row.built;
		e->text = SLICE("remuda.session");
	}
}

void resource_on_opened(struct world *w, struct effects *fx,
			const struct call *c, const struct event *ev)
{
	struct machine *m = world_machine(w, c->machine);

	for (size_t i = 0; i < w->resource_count; i++) {
		struct resource *r = &w->resources[i];

		if (r->call != c->id)
			continue;
		r->call = 0;
		if (ev->done.result == CALL_OK && ev->done.has_fd && m &&
		    strcmp(m->pool->spec.name, r->spec.pool) == 0) {
			r->failures = 0;
			tell_target(w, fx, r, m, c->id);
			return;
		}
		r->retry_ms = w->now_ms + 1000;
		/* Next time another machine, if there is one. */
		if (m && list_linked(&m->ready_link)) {
			list_remove(&m->ready_link);
			list_add_tail(&m->pool->ready, &m->ready_link);
		}
		if (r->failures++ == 0)	/* history hears of it once */
			world_event(w, fx, SEVERITY_WARN, false, "RESOURCE",
				    "resource", r->spec.name,
				    "its port could not be opened: %.*s",
				    (int)ev->done.text.length,
				    ev->done.text.ptr);
	}
	if (ev->done.has_fd)
		effects_add(fx, EFFECT_DROP_FD)->call = c->id;
}

void resource_on_lost(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct resource *r = world_resource(w, ev->resource.resource);

	if (!r || r->machine != ev->resource.machine)
		return;
	r->machine = 0;
	r->retry_ms = w->now_ms + 1000;
	world_event(w, fx, SEVERITY_WARN, false, "RESOURCE", "resource", r->spec.name,
		    "its channel broke: %.*s", (int)ev->resource.text.length,
		    ev->resource.text.ptr);
}

/* Its calls are being cancelled, or its domain is going. */
void resource_machine_lost(struct world *w, struct effects *fx,
			   const struct machine *m)
{
	for (size_t i = 0; i < w->resource_count; i++) {
		struct resource *r = &w->resources[i];

		if (!m->pool->spec.keep ||
		    strcmp(r->spec.pool, m->pool->spec.name) != 0)
			continue;
		r->call = 0;
		if (r->machine == m->row.id)
			tell_target(w, fx, r, NULL, 0);
	}
}

void resource_forget_targets(struct world *w)
{
	for (size_t i = 0; i < w->resource_count; i++)
		w->resources[i].machine = 0;
	/* Places outside are told again; of machines the pools decide. */
	for (size_t i = 0; i < w->resource_count; i++)
		if (!w->resources[i].spec.pool[0])
			w->resources[i].told = false;
}
