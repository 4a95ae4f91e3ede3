/*
 * The ledger against a book of its own (S10): how long each domain was known to
 * run, from the recorded result of its create (or restore) to its observed end,
 * turn by turn.  The lengths of a machine's intervals must be that sum to the
 * millisecond, whatever is resized, moved, saved or rebuilt in between; and an
 * interval in which its domain ended by itself must be marked as estimated.
 *
 * Over a restart of the engine only wall times are left, which are set here at
 * random: such a stretch is not counted.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

/* One stretch of a machine, or none. */
struct uptime {
	int64_t begun_ms;	/* 0 = its domain is not known to run */
	int64_t ledger_ms;	/* of the stretch's intervals that are closed */
	int64_t open_ms;	/* since when one is open; 0 = none */
	bool over;		/* the stretch, with this turn */
	bool crashed;		/* its domain ended by itself */
	bool owed;		/* an interval of it was closed without that mark */
	bool cut;		/* not to be counted */
};

static struct uptime *of_machine(struct sim *s, uint64_t machine)
{
	struct uptime *u = map_get(&s->uptimes, machine);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	CHECK("", u, "out of memory");
	map_put(&s->uptimes, machine, u);
	return u;
}

void uptime_crashed(struct sim *s, const struct life *l)
{
	struct uptime *u = of_machine(s, l->machine);
	const struct machine *m = world_machine(&s->world, l->machine);

	/* Not what a migration left behind. */
	u->crashed |= l->ours && u->open_ms && m &&
		strcmp(m->host->spec.name, s->hosts[l->host].name) == 0;
}

/* An interval is saved: opened, or closed. */
void uptime_ledger(struct sim *s, const struct ledger_row *row)
{
	struct uptime *u = of_machine(s, row->machine);

	if (!row->end_wall_ms) {
		u->open_ms = u->open_ms ? u->open_ms : s->now_ms;
		return;
	}
	u->owed = u->crashed && !row->estimated;
	if (row->estimated)
		s->result->coverage.estimated++;
	u->cut = u->cut || row->estimated;
	u->crashed = u->owed;
	u->ledger_ms += row->length_ms;
	u->open_ms = 0;
}

enum job uptime_job(const struct sim *s, const struct event *ev,
		    uint64_t *machine)
{
	const struct call *c = ev->kind == EVENT_CALL_DONE ?
		map_get(&s->world.calls, ev->done.call) : NULL;
	const struct machine *m = c && c->kind == CALL_KIND_JOB &&
		ev->done.result == CALL_OK ?
		world_machine(&s->world, c->machine) : NULL;

	*machine = m ? m->row.id : 0;
	return m ? m->job : JOB_NONE;
}

void uptime_done(struct sim *s, enum job job, uint64_t machine)
{
	struct uptime *u = of_machine(s, machine);
	const struct machine *m = world_machine(&s->world, machine);

	/* One that was restored without evidence never ran for anybody. */
	if ((job == JOB_CREATE || (job == JOB_RESTORE && m && m->created)) &&
	    !u->begun_ms)
		u->begun_ms = s->now_ms;
	if (job == JOB_DESTROY || job == JOB_SAVE)
		u->over = true;
}

static void look(struct sim *s, const struct machine *m)
{
	struct uptime *u = of_machine(s, m->row.id);
	int64_t ledger_ms = u->ledger_ms + (u->open_ms ? s->now_ms - u->open_ms : 0);

	if (u->begun_ms && !u->cut && ledger_ms != s->now_ms - u->begun_ms)
		sim_broken(s, "S10", "%s ran for %lld ms, its intervals say %lld",
			   m->row.name, (long long)(s->now_ms - u->begun_ms),
			   (long long)ledger_ms);
	/* One that goes on at once, with another size or place, bears it then. */
	if (u->owed && !u->open_ms)
		sim_broken(s, "S10", "%s crashed, and its interval is not marked",
			   m->row.name);
	u->owed = false;
	if (!u->over)
		return;
	if (u->begun_ms && !u->cut) {
		s->result->coverage.uptimes++;
		s->result->coverage.uptime_ms += (uint64_t)ledger_ms;
	}
	*u = (struct uptime){ .open_ms = u->open_ms };
}

void uptime_turn(struct sim *s)
{
	LIST_EACH(&s->world.gone, it)
		look(s, LIST_ENTRY(it, struct machine, gone_link));
	for (size_t i = 0; i < s->world.pool_count; i++)
		LIST_EACH(&s->world.pools[i]->machines, it)
			look(s, LIST_ENTRY(it, struct machine, pool_link));
}

void uptime_restart(struct sim *s)
{
	for (size_t i = 0; i < s->store.machine_list.count; i++) {
		const struct machine_row *row = s->store.machine_list.items[i];

		of_machine(s, row->id)->cut = true;
	}
}

void uptime_fini(struct sim *s)
{
	for (size_t i = 0; i < s->uptimes.size; i++)
		free(s->uptimes.slots[i].value);
	map_fini(&s->uptimes);
}
