/*
 * The invariants of reliability.md that can be read off the world, each under
 * its name.  S9 is checked by the mover of every state table, S16 and S1 at
 * the moment of assignment, S3 by the shell, which commits before it sends,
 * S12 by the hypervisor role at the domain itself.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"
#include "engine/core/step.h"

/* Whoever is in session has a connection, or lingers. */
static void check_connections(const struct session *s)
{
	uint32_t n = 0;

	LIST_EACH(&s->joins, it)
		n += LIST_ENTRY(it, struct join, link)->row.session == s->row.id;
	CHECK("S28", n == s->join_count &&
			     (!n || (s->row.state == SESSION_ACTIVE && !s->away &&
				     !s->returning)),
	      "session/%llu: %u joined it", (unsigned long long)s->row.id, n);
	CHECK("S28", n || s->away || s->row.ticket[0] ||
			     s->row.gateway < WORLD_GATEWAYS_MAX,
	      "session/%llu goes on and has no connection",
	      (unsigned long long)s->row.id);
}

static void check_sessions(const struct world *w)
{
	LIST_EACH(&w->live, it) {
		const struct session *s =
			LIST_ENTRY(it, struct session, live_link);
		const struct machine *m = world_machine(w, s->row.machine);

		CHECK("S9", !session_is_final(s), "session/%llu is live and final",
		      (unsigned long long)s->row.id);
		CHECK("S2", m && m->row.session == s->row.id,
		      "session/%llu holds %s, which does not know it",
		      (unsigned long long)s->row.id, s->row.machine_name);
		CHECK("S2", m->row.state == MACHINE_RESERVED ||
				    m->row.state == MACHINE_IN_SESSION,
		      "session/%llu is on %s in state %s",
		      (unsigned long long)s->row.id, m->row.name,
		      sm_name(&machine_table, m->row.state));
		CHECK("S1", s->row.incarnation == m->row.incarnation);
		access_check(w, s);
		CHECK("S26", s->away == list_linked(&s->away_link) &&
				     (s->away || s->returning) ==
					     (s->row.lingers_wall_ms != 0) &&
				     !(s->away && s->returning),
		      "session/%llu: lingering and connected",
		      (unsigned long long)s->row.id);
		check_connections(s);
		for (struct list *jt = it->next; jt != &w->live; jt = jt->next) {
			const struct session *t =
				LIST_ENTRY(jt, struct session, live_link);

			CHECK("S7", !s->row.request_key[0] ||
					    strcmp(s->row.request_key,
						   t->row.request_key) ||
					    strcmp(s->row.user, t->row.user),
			      "request %s of %s holds two machines",
			      s->row.request_key, s->row.user);
		}
	}
}

static void check_pool(const struct world *w, const struct pool *p)
{
	uint32_t counts[MACHINE_STATES] = { 0 }, ready = 0, slot = 0, leaving = 0;

	LIST_EACH(&p->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		machine_check(w, m);
		CHECK("", m->row.slot > slot, "%s: slots out of order",
		      m->row.name);
		slot = m->row.slot;
		CHECK("", map_get(&p->slots, slot) == m && list_linked(&m->state_link));
		leaving += machine_is_leaving(m);
		counts[m->row.state]++;
		ready += list_linked(&m->ready_link);
		CHECK("S4", list_linked(&m->ready_link) == machine_is_free(m),
		      "%s is %s free", m->row.name,
		      machine_is_free(m) ? "not on the list and" : "offered, not");
		CHECK("", (m->job == JOB_NONE) == (m->call == 0 && !m->opens),
		      "%s: job %d with call %llu", m->row.name, (int)m->job,
		      (unsigned long long)m->call);
	}
	CHECK("", memcmp(counts, p->counts, sizeof(counts)) == 0,
	      "counts of pool %s", p->spec.name);
	CHECK("", ready == p->ready_count && leaving == p->leaving,
	      "pool %s: %u ready, %u leaving", p->spec.name, ready, leaving);
	CHECK("S18", p->waiting_count <= QUEUE_MAX);
}

void world_check(const struct world *w)
{
	check_sessions(w);
	for (size_t i = 0; i < w->pool_count; i++)
		check_pool(w, w->pools[i]);
	for (size_t i = 0; i < w->host_count; i++) {
		const struct host *h = w->hosts[i];
		uint32_t booting = 0;

		LIST_EACH(&h->machines, it) {
			int state = LIST_ENTRY(it, struct machine,
					       host_link)->row.state;

			booting += state == MACHINE_BOOTING ||
				   state == MACHINE_PREPARING;
		}
		CHECK("", booting == h->booting, "boot slots of %s",
		      h->spec.name);
	}
}
