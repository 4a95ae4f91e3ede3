/*
 * Requests for several machines: clients that want them, tickets that come,
 * are used, used twice, late, or never, also across a crash.  The judge: all of
 * a request's sessions are in one commit or none (S25); a session's ticket is
 * used by one connection, once (S17).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

/* What the gateway tells is the hash itself, cut and filled up again. */
enum { TOLD = 40 };

void tickets_draw_client(struct sim *s, struct conn *c)
{
	c->count = (uint32_t)sim_between(s, 1, SIM_COUNT_MAX);
}

void tickets_make(struct sim *s, struct conn *c, struct event *ev)
{
	static struct grant grants[SIM_COUNT_MAX];

	for (uint32_t i = 0; i < c->count; i++) {
		struct grant *g = &grants[i];

		memset(g->hash, '0', SITE_HASH_SIZE - 1);
		snprintf(g->ticket, sizeof(g->ticket), "%0*" PRIx64, TOLD,
			 ++s->next_hash);
		memcpy(g->hash, g->ticket, TOLD);
		g->nonce = random_u64(&s->random) | 1;
		TEXT_SET(c->tickets[i], g->hash);
	}
	ev->request.grants = grants;
	ev->request.count = c->count;
}

static void comes(struct sim *s, struct item *it)
{
	struct conn *first = s->conns.items[it->a], *c;

	c = conn_open(s, first->gateway);
	if (!c)
		return;
	c->listener = first->listener;
	c->user = first->user;
	c->application = first->application;
	c->authentic = c->allowed = true;
	TEXT_SET(c->claim, first->tickets[it->b]);
	conn_request(s, c);
}

void tickets_come(struct sim *s, struct conn *c, const struct order *o)
{
	uint64_t index = s->conns.count, which = 0;
	char told[TICKET_SIZE];

	while (s->conns.items[--index] != c)
		;
	text_copy_slice(told, sizeof(told), o->e.text);
	while (which + 1 < c->count &&
	       strncmp(c->tickets[which], told, TOLD) != 0)
		which++;
	if (!store_session(s, o->e.session))
		sim_broken(s, "S3", "a ticket for session/%llu, which has no row",
			   (unsigned long long)o->e.session);
	if (o->e.place == 0)
		c->state = CONN_GONE;	/* it has what it came for */
	if (!s->settling && sim_chance(s, 80))
		sim_at(s, s->now_ms + sim_between(s, 0, sim_chance(s, 20) ?
							  40000 : 5000),
		       comes, NULL, index, which);
	if (!s->settling && sim_chance(s, 20))
		sim_at(s, s->now_ms + sim_between(s, 0, 5000), comes, NULL,
		       index, which);
}

struct conn *tickets_conn(const struct sim *s, const struct session_row *row)
{
	if (!row->ticket[0])
		return row->gateway < GATEWAYS_MAX ?
			conn_by_id(s, row->gateway, row->conn) : NULL;
	for (size_t i = s->conns.count; i-- > 0;) {
		struct conn *c = s->conns.items[i];

		for (uint32_t j = 0; j < c->count; j++)
			if (strcmp(c->tickets[j], row->ticket) == 0)
				return c;
	}
	return NULL;
}

void tickets_session(struct sim *s, const struct session_row *old,
		     const struct session_row *row)
{
	struct conn *c = tickets_conn(s, row);

	if (!old) {
		if (row->ticket[0] && c)
			c->granted++;
		return;
	}
	if (old->conn == row->conn && old->gateway == row->gateway)
		return;
	if (row->lingers_wall_ms || old->lingers_wall_ms)
		return;	/* its user comes back: S26 looks at who he is */
	if (!old->ticket[0] && row->gateway >= GATEWAYS_MAX)
		return;	/* others joined it, its own connection is over */
	if (!old->ticket[0] || old->gateway < GATEWAYS_MAX || !c ||
	    strcmp(c->claim, old->ticket) != 0 || row->ticket[0])
		sim_broken(s, "S17", "session/%llu goes to a connection that did not bring its ticket, or not the first",
			   (unsigned long long)row->id);
}

void tickets_commit(struct sim *s)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		struct conn *c = s->conns.items[i];

		if (c->granted && c->granted != c->count)
			sim_broken(s, "S25", "a request for %u machines has %u",
				   c->count, c->granted);
		c->granted = 0;
	}
}
