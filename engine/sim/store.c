/*
 * The store: committed rows and nothing else.  A turn's rows become visible
 * all at once in store_commit; a crash before it loses all of them, a crash
 * after it none.  Sessions stay for ever, so that the oracle can see one that
 * changes after its end.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum { COUNTER_BLOCK = 1000 };

const struct session_row *store_session(const struct sim *s, uint64_t id)
{
	return map_get(&s->store.sessions, id);
}

const struct join_row *store_join(const struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->store.joins.count; i++) {
		const struct join_row *row = s->store.joins.items[i];

		if (row->id == id)
			return row;
	}
	return NULL;
}

const struct machine_row *store_machine(const struct sim *s, uint64_t id)
{
	return map_get(&s->store.machines, id);
}

const struct session_row *store_find(const struct sim *s, struct slice user,
				     struct slice key)
{
	const struct array *list = &s->store.session_list;

	/* The newest: those before it failed. */
	for (size_t i = list->count; key.length && i-- > 0;) {
		const struct session_row *row = list->items[i];

		if (slice_is(key, row->request_key) && slice_is(user, row->user))
			return row;
	}
	return NULL;
}

static void save_session(struct sim *s, const struct session_row *row)
{
	struct session_row *kept = map_get(&s->store.sessions, row->id);

	oracle_session(s, kept, row);
	if (!kept) {
		fair_served(s, row);
		kept = malloc(sizeof(*kept));
		CHECK("", kept, "out of memory");
		map_put(&s->store.sessions, row->id, kept);
		array_add(&s->store.session_list, kept);
		map_put(&s->store.last, row->machine, kept);
		s->result->coverage.sessions++;
	}
	*kept = *row;
	trace_session(s, row);
}

static void save_machine(struct sim *s, const struct machine_row *row)
{
	struct machine_row *kept = map_get(&s->store.machines, row->id);

	oracle_machine(s, kept, row);
	if (!kept || (kept->state == MACHINE_SAVED && row->state == MACHINE_WAKING))
		oracle_placed(s, row);
	if (!kept) {
		kept = malloc(sizeof(*kept));
		CHECK("", kept, "out of memory");
		map_put(&s->store.machines, row->id, kept);
		array_add(&s->store.machine_list, kept);
	}
	*kept = *row;
	trace_machine(s, row);
}

static void delete_machine(struct sim *s, uint64_t id)
{
	struct array *list = &s->store.machine_list;

	map_remove(&s->store.machines, id);
	map_put(&s->store.deleted, id, s);
	for (size_t i = 0; i < s->store.volumes.count; i++) {
		const struct stored_volume *v = s->store.volumes.items[i];

		if (v->row.machine == id)
			sim_broken(s, "S11", "the machine of volume %s is gone",
				   v->row.name);
	}
	for (size_t i = 0; i < list->count; i++) {
		struct machine_row *row = list->items[i];

		if (row->id == id) {
			array_remove(list, i);
			free(row);
			return;
		}
	}
}

static void save_override(struct sim *s, const struct override_row *row)
{
	struct store *st = &s->store;

	for (size_t i = 0; i < st->override_count; i++)
		if (strcmp(st->overrides[i].key, row->key) == 0) {
			st->overrides[i] = *row;
			return;
		}
	CHECK("", st->override_count < sizeof(st->overrides) /
					       sizeof(st->overrides[0]));
	st->overrides[st->override_count++] = *row;
}

static struct stored_volume *stored_volume(const struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->store.volumes.count; i++) {
		struct stored_volume *v = s->store.volumes.items[i];

		if (strcmp(v->row.name, name) == 0)
			return v;
	}
	return NULL;
}

const struct volume_row *store_volume(const struct sim *s, const char *name)
{
	const struct stored_volume *v = stored_volume(s, name);

	return v ? &v->row : NULL;
}

int64_t store_volume_ms(const struct sim *s, const char *name)
{
	const struct stored_volume *v = stored_volume(s, name);

	return v ? v->first_ms : INT64_MAX;
}

static void save_volume(struct sim *s, const struct volume_row *row)
{
	struct stored_volume *v = stored_volume(s, row->name);

	if (!v) {
		v = calloc(1, sizeof(*v));
		CHECK("", v, "out of memory");
		v->first_ms = s->now_ms;
		array_add(&s->store.volumes, v);
	}
	v->row = *row;
}

static void delete_volume(struct sim *s, struct slice name)
{
	for (size_t i = 0; i < s->store.volumes.count; i++) {
		struct stored_volume *v = s->store.volumes.items[i];

		if (!slice_is(name, v->row.name))
			continue;
		oracle_volume_gone(s, &v->row);
		array_remove(&s->store.volumes, i);
		free(v);
		return;
	}
}

static void delete_override(struct sim *s, struct slice key)
{
	struct store *st = &s->store;

	for (size_t i = 0; i < st->override_count; i++)
		if (slice_is(key, st->overrides[i].key)) {
			st->overrides[i] = st->overrides[--st->override_count];
			return;
		}
	sim_broken(s, "S3", "override %.*s was never saved", (int)key.length,
		   key.ptr);
}

static void save_join(struct sim *s, const struct join_row *row)
{
	struct join_row *kept = malloc(sizeof(*kept));

	CHECK("", kept, "out of memory");
	if (!store_session(s, row->session) || store_join(s, row->id))
		sim_broken(s, "S3", "connection %llu joins session/%llu, which is not saved",
			   (unsigned long long)row->id,
			   (unsigned long long)row->session);
	*kept = *row;
	array_add(&s->store.joins, kept);
	s->result->coverage.joins++;
}

static void delete_join(struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->store.joins.count; i++) {
		struct join_row *row = s->store.joins.items[i];

		if (row->id != id)
			continue;
		array_remove(&s->store.joins, i);
		free(row);
		return;
	}
	sim_broken(s, "S3", "connection %llu was never saved",
		   (unsigned long long)id);
}

static void save_counters(struct sim *s)
{
	const struct world *w = &s->world;
	const uint64_t next[] = { w->next_machine, w->next_session,
				  w->next_request, w->next_event,
				  w->next_change, w->next_decision,
				  w->next_ledger };

	for (int i = 0; i < 7; i++)
		if (next[i] >= s->store.counters[i])
			s->store.counters[i] = next[i] + COUNTER_BLOCK;
}

static void save_ledger(struct sim *s, const struct ledger_row *row)
{
	struct ledger_row *kept = NULL;

	oracle_ledger(s, row);
	for (size_t i = 0; i < s->store.ledgers.count; i++)
		if (((struct ledger_row *)s->store.ledgers.items[i])->id == row->id)
			kept = s->store.ledgers.items[i];
	if (!kept) {
		kept = malloc(sizeof(*kept));
		CHECK("", kept, "out of memory");
		array_add(&s->store.ledgers, kept);
	}
	*kept = *row;
}

static void save_change(struct sim *s, const struct change_row *row)
{
	oracle_change(s, row);
	if (row->id >= s->store.change.id)
		s->store.change = *row;
}

void store_commit(struct sim *s)
{
	struct world *w = &s->world;

	save_counters(s);
	/* Sessions first: a machine's row is judged by its sessions' rows. */
	LIST_EACH(&w->save_sessions, it)
		save_session(s, &LIST_ENTRY(it, struct session, save_link)->row);
	LIST_EACH(&w->save_machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, save_link);

		if (m->row.state != MACHINE_GONE)
			save_machine(s, &m->row);
	}
	tickets_commit(s);
	fair_commit(s);
	for (size_t i = 0; i < s->fx.count; i++) {
		const struct effect *e = &s->fx.items[i];

		if (e->kind == EFFECT_SAVE_TOKEN)
			tokens_save(s, &e->row->token);
		else if (e->kind == EFFECT_DELETE_TOKEN)
			tokens_delete(s, &e->row->token);
		else if (e->kind == EFFECT_SAVE_JOIN)
			save_join(s, &e->row->join);
		else if (e->kind == EFFECT_DELETE_JOIN)
			delete_join(s, e->session);
		else if (e->kind == EFFECT_SAVE_OVERRIDE)
			save_override(s, &e->row->override);
		else if (e->kind == EFFECT_SAVE_VOLUME)
			save_volume(s, &e->row->volume);
		else if (e->kind == EFFECT_DELETE_VOLUME)
			delete_volume(s, e->text);
		else if (e->kind == EFFECT_DELETE_OVERRIDE)
			delete_override(s, e->text);
		else if (e->kind == EFFECT_DELETE_MACHINE)
			delete_machine(s, e->machine);
		else if (e->kind == EFFECT_SAVE_LEDGER)
			save_ledger(s, &e->row->ledger);
		else if (e->kind == EFFECT_SAVE_CLUSTER)
			s->store.cluster = e->row->cluster;
		else if (e->kind == EFFECT_SAVE_CHANGE)
			save_change(s, &e->row->change);
		else if (e->kind == EFFECT_SAVE_DECISION)
			s->store.decision = e->row->decision;
	}
}

void store_fini(struct store *st)
{
	map_fini(&st->machines);
	map_fini(&st->sessions);
	map_fini(&st->deleted);
	map_fini(&st->last);
	array_free(&st->session_list);
	array_free(&st->machine_list);
	array_free(&st->joins);
	array_free(&st->volumes);
	array_free(&st->ledgers);
}
