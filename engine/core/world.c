/* Lookups, marks and the end of a turn; see world.h. */
#include "engine/core/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

void world_init(struct world *w, uint64_t site_key, uint64_t term)
{
	*w = (struct world){ .site_key = site_key, .term = term };
	w->next_machine = w->next_session = w->next_request = w->next_event = 1;
	/* Calls of different terms never meet: answers may outlive an engine. */
	w->next_call = term << 32 | 1;
	w->next_change = w->next_decision = w->next_ledger = 1;
	list_init(&w->changes);
	w->minute_timer.kind = TIMER_MINUTE;
	list_init(&w->live);
	list_init(&w->away);
	list_init(&w->accessing);
	list_init(&w->visit_list);
	list_init(&w->waiting);
	list_init(&w->moved_lines);
	list_init(&w->token_list);
	list_init(&w->balance);
	map_init(&w->joins);
	list_init(&w->join_list);
	list_init(&w->share_list);
	list_init(&w->moved_shares);
	list_init(&w->save_machines);
	list_init(&w->save_sessions);
	list_init(&w->late_machines);
	list_init(&w->late_sessions);
	w->late_timer.kind = TIMER_LATE;
	list_init(&w->gone);
	list_init(&w->done);
}

/* What a machine has for itself. */
static void machine_fini(struct world *w, struct machine *m)
{
	volumes_free(m);
	node_free(w, m->node);
	ledger_free(m);
	free(m->usage);
}

static void fini_machines(struct world *w)
{
	for (size_t i = 0; i < w->machines.size; i++)
		if (w->machines.slots[i].key)
			machine_fini(w, w->machines.slots[i].value);
}

static void free_values(struct map *map)
{
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].key)
			free(map->slots[i].value);
	map_fini(map);
}

static void free_requests(struct map *requests)
{
	for (size_t i = 0; i < requests->size; i++)
		if (requests->slots[i].key)
			free(((struct request *)requests->slots[i].value)->grants);
	free_values(requests);
}

void world_fini(struct world *w)
{
	fini_machines(w);
	clusters_fini(w);
	rules_fini(w);
	queue_clear(w);
	tokens_fini(w);
	joins_fini(w);
	shares_fini(w);
	dict_clear(&w->keys);
	dict_clear(&w->turn_keys);
	dict_clear(&w->tickets);
	free_values(&w->machines);
	free_values(&w->sessions);
	free_requests(&w->requests);
	free_values(&w->calls);
	admit_fini(w);
	free_values(&w->visits);
	map_fini(&w->conns);
	for (size_t i = 0; i < w->host_count; i++)
		free(w->hosts[i]);
	for (size_t i = 0; i < w->pool_count; i++)
		pool_free(w->pools[i]);
	free(w->hosts);
	free(w->pools);
	free(w->resources);
	free(w->overrides);
	timers_fini(&w->timers);
	site_spec_fini(&w->spec);
	*w = (struct world){ 0 };
}

struct machine *world_machine(const struct world *w, uint64_t id)
{
	return map_get(&w->machines, id);
}

struct session *world_session(const struct world *w, uint64_t id)
{
	return map_get(&w->sessions, id);
}

struct machine *world_machine_by_name(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (slice_is(name, m->row.name))
				return m;
		}
	return NULL;
}

/* The last 12 hex digits of a uuid of ours are the machine's id. */
struct machine *world_machine_by_uuid(const struct world *w, struct slice uuid)
{
	char text[ROW_UUID_SIZE];

	if (uuid.length != ROW_UUID_SIZE - 1)
		return NULL;
	text_copy_slice(text, sizeof(text), uuid);
	struct machine *m = world_machine(w, strtoull(text + 24, NULL, 16));
	return m && strcmp(m->row.uuid, text) == 0 ? m : NULL;
}

void world_uuid(const struct world *w, uint64_t machine, char out[ROW_UUID_SIZE])
{
	/* Version 8 (RFC 9562: custom): site key, then the machine's id. */
	snprintf(out, ROW_UUID_SIZE,
		 "%08" PRIx64 "-%04" PRIx64 "-8%03" PRIx64 "-%04" PRIx64
		 "-%012" PRIx64,
		 w->site_key >> 32, w->site_key >> 16 & 0xffff,
		 w->site_key >> 4 & 0xfff, 0x8000 | (w->site_key & 0xf),
		 machine & 0xffffffffffff);
}

struct pool *world_pool(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->pool_count; i++)
		if (slice_is(name, w->pools[i]->spec.name))
			return w->pools[i];
	return NULL;
}

struct host *world_host(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->host_count; i++)
		if (slice_is(name, w->hosts[i]->spec.name))
			return w->hosts[i];
	return NULL;
}

struct resource *world_resource(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->resource_count; i++)
		if (slice_is(name, w->resources[i].spec.name))
			return &w->resources[i];
	return NULL;
}

const struct site_listener *world_listener(const struct world *w,
					   struct slice name)
{
	char text[SITE_NAME_SIZE];

	return text_copy_slice(text, sizeof(text), name) ?
		       dict_get(&w->listeners, text) : NULL;
}

const struct site_user *world_user(const struct world *w, const char *name)
{
	return admit_member(w, name)->site;
}

int64_t world_next_deadline(const struct world *w)
{
	return timers_next_ms(&w->timers);
}

uint64_t world_conn_key(uint32_t gateway, uint64_t conn)
{
	CHECK("", conn && conn < 1ull << 56 && gateway < WORLD_GATEWAYS_MAX);
	return (uint64_t)gateway << 56 | conn;
}

static void show_machine_change(struct world *w, struct machine *m)
{
	m->changed = w->turn;
	m->pool->changed = w->turn;
	m->host->changed = w->turn;
}

void world_save_machine(struct world *w, struct machine *m)
{
	show_machine_change(w, m);
	list_remove(&m->late_link);
	if (!list_linked(&m->save_link))
		list_add_tail(&w->save_machines, &m->save_link);
}

void world_save_session(struct world *w, struct session *s)
{
	s->changed = w->turn;
	list_remove(&s->late_link);
	if (!list_linked(&s->save_link))
		list_add_tail(&w->save_sessions, &s->save_link);
}

static void add_late(struct world *w, struct list *late, struct list *save_link,
		     struct list *late_link)
{
	if (list_linked(save_link) || list_linked(late_link))
		return;
	list_add_tail(late, late_link);
	if (!w->late_timer.position)
		timer_set(&w->timers, &w->late_timer, w->now_ms + LATE_MS);
}

void world_save_machine_late(struct world *w, struct machine *m)
{
	show_machine_change(w, m);
	add_late(w, &w->late_machines, &m->save_link, &m->late_link);
}

void world_save_session_late(struct world *w, struct session *s)
{
	s->changed = w->turn;
	add_late(w, &w->late_sessions, &s->save_link, &s->late_link);
}

void world_save_late(struct world *w)
{
	LIST_EACH(&w->late_sessions, it)
		world_save_session(w, LIST_ENTRY(it, struct session, late_link));
	LIST_EACH(&w->late_machines, it)
		world_save_machine(w, LIST_ENTRY(it, struct machine, late_link));
}

void world_event(struct world *w, struct effects *fx, enum severity severity,
		 bool transient, const char *kind, const char *noun,
		 const char *name, const char *fmt, ...)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_EVENT);
	struct event_row *row = effects_alloc(fx, sizeof(*e->row));
	va_list ap;

	*row = (struct event_row){ .id = w->next_event++,
				   .wall_ms = w->wall_ms,
				   .severity = severity };
	TEXT_SET(row->kind, kind);
	snprintf(row->object, sizeof(row->object), "%s/%s", noun, name);
	va_start(ap, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, ap);
	va_end(ap);
	e->transient = transient;
	e->row = (void *)row;
}

static void free_machine(struct world *w, struct machine *m)
{
	CHECK("", m->row.state == MACHINE_GONE && list_empty(&m->calls));
	timer_stop(&w->timers, &m->timer);
	pool_remove(m->pool, m);
	list_remove(&m->host_link);
	list_remove(&m->gone_link);
	list_remove(&m->save_link);
	list_remove(&m->late_link);
	map_remove(&w->machines, m->row.id);
	machine_fini(w, m);
	free(m);
}

static void free_session(struct world *w, struct session *s)
{
	timer_stop(&w->timers, &s->timer);
	list_remove(&s->done_link);
	list_remove(&s->save_link);
	list_remove(&s->late_link);
	map_remove(&w->sessions, s->row.id);
	free(s);
}

void world_end_turn(struct world *w, struct effects *fx)
{
	LIST_EACH(&w->save_machines, it)
		list_remove(it);
	LIST_EACH(&w->save_sessions, it)
		list_remove(it);
	LIST_EACH(&w->gone, it)
		free_machine(w, LIST_ENTRY(it, struct machine, gone_link));
	LIST_EACH(&w->done, it)
		free_session(w, LIST_ENTRY(it, struct session, done_link));
	if (w->turn_keys.used)
		dict_clear(&w->turn_keys);
	pools_forget_empty(w);
	effects_clear(fx);
	w->turn++;
}
