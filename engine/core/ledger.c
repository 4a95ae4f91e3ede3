/*
 * The ledger: who used how much, exactly (spec 3.8, S10).  An interval begins
 * with the recorded result of a create and ends with the observed end of the
 * domain, or when its size or place changes, where the next begins at the same
 * moment.  Lengths are of the boot clock, so a wall clock that is set does not
 * change them; over a restart of the engine only wall times are left.
 *
 * estimated: nobody saw the end when it was; the interval ends when it was
 * noticed, at most one poll later, or by a destroy that found nothing to end.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static void save(struct effects *fx, const struct ledger_row *row)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_LEDGER);

	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->ledger = *row;
}

void ledger_open(struct world *w, struct effects *fx, struct machine *m)
{
	struct ledger_row *row;

	CHECK("S10", !m->ledger, "%s has two open intervals", m->row.name);
	row = calloc(1, sizeof(*row));
	CHECK("", row, "out of memory");
	row->id = w->next_ledger++;
	row->machine = m->row.id;
	TEXT_SET(row->machine_name, m->row.name);
	TEXT_SET(row->pool, m->pool->spec.name);
	TEXT_SET(row->application, m->pool->spec.application);
	TEXT_SET(row->host, m->host->spec.name);
	row->cluster = m->pool->spec.cluster;
	row->vcpus = m->row.vcpus;
	row->memory_mib = m->row.memory_mib;
	row->start_wall_ms = w->wall_ms;
	m->ledger = row;
	m->ledger_ms = w->now_ms;
	m->row.ledger = row->id;
	save(fx, row);
	world_save_machine(w, m);
}

void ledger_close(struct world *w, struct effects *fx, struct machine *m,
		  bool estimated)
{
	struct ledger_row *row = m->ledger;

	if (!row)
		return;
	row->length_ms += w->now_ms - m->ledger_ms;
	row->end_wall_ms = w->wall_ms > row->start_wall_ms ? w->wall_ms :
							     row->start_wall_ms;
	row->estimated = row->estimated || estimated;
	CHECK("S10", row->length_ms >= 0, "an interval of %s ends before it begins",
	      m->row.name);
	save(fx, row);
	if (PLANTED(S10_CLOSED_CHANGES))
		save(fx, row);
	free(row);
	m->ledger = NULL;
	m->row.ledger = 0;
	world_save_machine(w, m);
}

void ledger_change(struct world *w, struct effects *fx, struct machine *m)
{
	if (!m->ledger)
		return;
	ledger_close(w, fx, m, m->node && m->node->ended);
	ledger_open(w, fx, m);
}

void ledger_doubt(struct effects *fx, struct machine *m)
{
	if (!m->ledger || m->ledger->estimated || PLANTED(S10_CRASH_UNMARKED))
		return;
	m->ledger->estimated = true;
	save(fx, m->ledger);
}

void ledger_restore(struct world *w, struct effects *fx,
		    const struct ledger_row *row)
{
	struct machine *m = world_machine(w, row->machine);

	if (m && !m->ledger && m->row.ledger == row->id && m->created) {
		m->ledger = malloc(sizeof(*m->ledger));
		CHECK("", m->ledger, "out of memory");
		*m->ledger = *row;
		/* So long has it been open; from here on the boot clock counts. */
		m->ledger->length_ms = w->wall_ms > row->start_wall_ms ?
					       w->wall_ms - row->start_wall_ms : 0;
		m->ledger_ms = w->now_ms;
		/* A restore was under way, and nobody heard what came of it. */
		if (m->row.built != m->row.incarnation)
			ledger_doubt(fx, m);
		return;
	}
	/* Its machine has no domain: it ended while nobody looked. */
	struct ledger_row ended = *row;
	ended.end_wall_ms = w->wall_ms > row->start_wall_ms ? w->wall_ms :
							      row->start_wall_ms;
	ended.length_ms = ended.end_wall_ms - ended.start_wall_ms;
	ended.estimated = true;
	save(fx, &ended);
	if (m && m->row.ledger == row->id) {
		m->row.ledger = 0;
		world_save_machine(w, m);
	}
}

void ledger_free(struct machine *m)
{
	free(m->ledger);
	m->ledger = NULL;
}
