/*
 * Several machines for one request, all or none (spec 2.1, decisions.md 18).
 * Each of the sessions begins without a connection: it waits for whoever shows
 * its ticket, once, in TICKET_MS.  The world and the store know a ticket by its
 * SHA-256.  Nothing is said to a machine before its ticket is used, so one that
 * is not used costs no cleaning (S25: all of a request's sessions are saved by
 * one commit; S17: a ticket is used once).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static void await(struct world *w, struct machine *m)
{
	m->deadline_ms = w->now_ms + TICKET_MS;
	timer_set(&w->timers, &m->timer, m->deadline_ms);
}

static void tell(struct effects *fx, const struct request *r,
		 const struct session *s, uint32_t i)
{
	struct effect *e = effects_add(fx, EFFECT_TICKET);

	e->gateway = r->gateway;
	e->conn = r->conn;
	e->session = s->row.id;
	e->machine = s->row.machine;
	e->incarnation = s->row.incarnation;
	e->text = effects_text(fx, "%s", r->grants[i].ticket);
	e->ms = TICKET_MS;
	e->place = r->count - 1 - i;	/* that are still to come */
}

void ticket_grant(struct world *w, struct effects *fx, struct request *r)
{
	uint64_t first = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		struct machine *m = queue_machine(w, r);

		if (PLANTED(S25_SOME_ARE_ENOUGH) && !m)
			break;
		CHECK("S25", m, "a request for %u has %u", r->count, i);
		struct session *s = assign_session(w, fx, r, m,
						   r->grants[i].nonce,
						   r->grants[i].hash);
		r->tries++;
		s->untouched = true;
		dict_put(&w->tickets, s->row.ticket, s);
		await(w, m);
		tell(fx, r, s, i);
		first = first ? first : s->row.id;
	}
	request_granted(w, fx, r, first);
}

void ticket_restore(struct world *w, struct machine *m, struct session *s)
{
	/* Its use would have been saved before the machine heard of it. */
	s->told = s->held = false;
	s->untouched = true;
	if (session_is_final(s))
		return;
	dict_put(&w->tickets, s->row.ticket, s);
	await(w, m);
}

void ticket_forget(struct world *w, const struct session *s)
{
	if (s->row.ticket[0] && dict_get(&w->tickets, s->row.ticket) == s)
		dict_remove(&w->tickets, s->row.ticket);
}

static void refuse(struct world *w, struct effects *fx, const struct event *ev,
		   const char *text)
{
	struct effect *e = effects_add(fx, EFFECT_REFUSE);
	char peer[ROW_PEER_SIZE];

	e->gateway = ev->claim.gateway;
	e->conn = ev->claim.conn;
	e->word = SLICE("ticket");
	e->text = effects_text(fx, "%s", text);
	text_copy_slice(peer, sizeof(peer), ev->claim.peer);
	world_event(w, fx, SEVERITY_WARN, false, "REFUSE", "ticket", peer, "%s",
		    text);
}

void ticket_on_claim(struct world *w, struct effects *fx, const struct event *ev)
{
	char hash[SITE_HASH_SIZE], text[ROW_TEXT_SIZE];
	struct session *s;

	text_copy_slice(hash, sizeof(hash), ev->claim.hash);
	s = dict_get(&w->tickets, hash);
	if (!s) {
		refuse(w, fx, ev, "no session waits for this ticket: it was used, or its time is over");
		return;
	}
	if (!slice_is(ev->claim.listener, s->row.listener)) {
		snprintf(text, sizeof(text), "the ticket is for listener %s",
			 s->row.listener);
		refuse(w, fx, ev, text);
		return;
	}
	struct machine *m = world_machine(w, s->row.machine);
	CHECK("S2", m && m->row.session == s->row.id);
	if (!PLANTED(S17_TICKET_TWICE)) {
		ticket_forget(w, s);
		s->row.ticket[0] = '\0';
	}
	m->deadline_ms = 0;
	timer_stop(&w->timers, &m->timer);
	s->row.gateway = ev->claim.gateway;
	s->row.conn = ev->claim.conn;
	text_copy_slice(s->row.peer, sizeof(s->row.peer), ev->claim.peer);
	w->gateways[s->row.gateway].sessions++;
	w->gateways[s->row.gateway].changed = w->turn;
	s->assigned_ms = w->now_ms;
	s->untouched = false;
	world_save_session(w, s);
	assign_accept(w, fx, m, s);
}
