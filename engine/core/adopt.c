/*
 * Adoption: after a restart the engine believes its rows, then what really
 * flows.  A gateway that outlived an engine reports the sessions it holds;
 * those of its sessions it does not hold are over.  A fresh gateway holds
 * none.  Unknown counts as dirty (S5), never as dead or free.
 */
#include <stdio.h>

#include "engine/core/internal.h"

static void lose_sessions(struct world *w, struct effects *fx,
			  uint32_t gateway, bool unreported_only,
			  const char *why)
{
	joins_lose(w, fx, gateway, unreported_only, why);
	LIST_EACH(&w->live, it) {
		struct session *s = LIST_ENTRY(it, struct session, live_link);

		if (s->row.gateway != gateway ||
		    (unreported_only && s->reported))
			continue;
		s->held = false;
		share_note(w, s);
		if (join_goes_on(w, fx, s, false))
			continue;
		if (s->away || linger_begin(w, fx, s, why))
			continue;
		/* Told or not, served or not: what it came to is unknown. */
		session_finish(w, fx, s, SESSION_LOST, why);
	}
	/* Those we gave up and it never answered about. */
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct session *s = world_session(
				w, LIST_ENTRY(it, struct machine,
					      pool_link)->row.session);

			if (s && s->held && session_is_final(s) &&
			    s->row.gateway == gateway &&
			    !(unreported_only && s->reported))
				session_let_go(w, fx, s);
		}
}

void adopt_on_up(struct world *w, struct effects *fx, const struct event *ev)
{
	struct gateway *g = &w->gateways[ev->gateway.index];

	g->up = false;
	g->reporting = true;
	g->fresh = ev->gateway.fresh;
	g->since_wall_ms = w->wall_ms;
	g->changed = w->turn;
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct session *s = world_session(
				w, LIST_ENTRY(it, struct machine,
					      pool_link)->row.session);

			if (s && s->row.gateway == ev->gateway.index)
				s->reported = false;
		}
	joins_on_report(w, ev->gateway.index);
	if (ev->gateway.index == 0) {
		visits_clear(w);
		access_on_gateway(w);
	}
	if (ev->gateway.fresh) {
		queue_drop_gateway(w, fx, ev->gateway.index);
		lose_sessions(w, fx, ev->gateway.index, false,
			      "its gateway died");
		if (ev->gateway.index == 0)
			resource_forget_targets(w);
	}
}

static void adopt_session(struct world *w, struct effects *fx,
			  const struct event *ev, struct session *s)
{
	s->told = true;
	s->row.conn = ev->held.conn;
	s->own_in = ev->held.bytes_in;
	s->own_out = ev->held.bytes_out;
	session_count_bytes(s);
	s->changed = w->turn;
	if (s->away)
		linger_adopted(w, s);
	limit_moved(w, s, ev->held.quiet_ms);
	if (s->row.state != SESSION_ASSIGNED && !s->returning)
		return;
	if (ev->held.flowing) {
		struct event accepted = {
			.kind = EVENT_ACCEPTED,
			.session = { .gateway = ev->held.gateway,
				     .session = s->row.id,
				     .machine = s->row.machine,
				     .incarnation = s->row.incarnation },
		};

		session_on_accepted(w, fx, &accepted);
	} else {
		assign_await(w, world_machine(w, s->row.machine));
	}
}

void adopt_on_session(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	struct session *s = world_session(w, ev->held.session);
	struct effect *e;

	if (join_on_held(w, fx, ev))
		return;
	if (s && s->row.gateway == ev->held.gateway &&
	    s->row.machine == ev->held.machine &&
	    s->row.incarnation == ev->held.incarnation) {
		s->reported = s->held = true;
		if (!session_is_final(s)) {
			adopt_session(w, fx, ev, s);
			return;
		}
	}
	e = effects_add(fx, EFFECT_STOP);
	e->gateway = ev->held.gateway;
	e->session = ev->held.session;
	e->text = SLICE("the engine does not know this session");
}

void adopt_on_ready(struct world *w, struct effects *fx, uint32_t gateway)
{
	struct gateway *g = &w->gateways[gateway];

	lose_sessions(w, fx, gateway, true,
		      "its gateway does not hold it after the restart");
	g->up = true;
	g->reporting = false;
	g->changed = w->turn;
	for (size_t i = 0; gateway == 0 && i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (m->row.state == MACHINE_CLEANING)
				machine_kick(w, fx, m);
		}
	if (gateway == 0)
		access_refresh(w, fx);
	clusters_on_gateway(w, fx, gateway, g->fresh);
}

void adopt_on_lost(struct world *w, struct effects *fx, const struct event *ev)
{
	uint32_t gateway = ev->gateway.index;
	struct gateway *g = &w->gateways[gateway];
	char why[ROW_TEXT_SIZE];

	text_copy_slice(why, sizeof(why), ev->gateway.text.length ?
			ev->gateway.text : SLICE("its gateway died"));

	g->up = g->reporting = false;
	g->changed = w->turn;
	queue_drop_gateway(w, fx, gateway);
	lose_sessions(w, fx, gateway, false, why);
	clusters_on_gateway_lost(w, fx, gateway);
	if (gateway == 0) {
		resource_forget_targets(w);
		access_on_lost(w);
		visits_clear(w);
	}
	char number[16];
	snprintf(number, sizeof(number), "%u", gateway);
	world_event(w, fx, SEVERITY_FAIL, false, "GATEWAY", "gateway", number,
		    "%s; its sessions are lost", why);
}
