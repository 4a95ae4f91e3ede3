/*
 * Machines and sessions for subscribers, a part at a time: the next goes out
 * when the client has read the one before.  Told at once, 16,000 of each would
 * hold up the engine for 0.7 s and fill 15 MB of it for every console that is
 * opened, and again whenever the figures of all of them are new.
 *
 * What waits to be told is a row of ids: first those of a full state, then what
 * changed since.  A part shows the state of its own moment, so nothing old ever
 * follows something new; what is gone when its turn comes is left out.
 */
#include "engine/loop/walk.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/loop/show.h"
#include "engine/loop/subscribe.h"

static void put(struct walk *k, uint64_t id)
{
	if (k->count == k->size) {
		k->size = k->size ? k->size * 2 : 64;
		k->ids = realloc(k->ids, k->size * sizeof(*k->ids));
		CHECK("", k->ids, "out of memory");
	}
	k->ids[k->count++] = id;
}

/* Those that changed since that turn; 0 = all. */
static void put_machines(const struct world *w, struct walk *k, uint64_t since)
{
	for (size_t i = 0; i < w->pool_count; i++) {
		if (w->pools[i]->changed < since)
			continue;	/* a machine's change is its pool's too */
		LIST_EACH(&w->pools[i]->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			if (m->changed >= since)
				put(k, m->row.id);
		}
	}
}

/* The newest first: they are what a first screen shows. */
static void put_sessions(const struct world *w, struct walk *k, uint64_t since)
{
	for (struct list *it = w->live.prev; it != &w->live; it = it->prev) {
		const struct session *s =
			LIST_ENTRY(it, struct session, live_link);

		if (s->changed >= since)
			put(k, s->row.id);
	}
}

static void collect(struct control_client *c, enum walk_topic topic,
		    uint64_t since)
{
	const struct world *w = &c->control->shell->world;

	if (topic == WALK_MACHINES)
		put_machines(w, &c->walks[topic], since);
	else
		put_sessions(w, &c->walks[topic], since);
}

/* The item, or NULL when it is no more. */
static json_t *show(const struct shell *sh, enum walk_topic topic, uint64_t id)
{
	if (topic == WALK_MACHINES) {
		const struct machine *m = world_machine(&sh->world, id);

		return m ? show_machine(sh, m) : NULL;
	}
	const struct session *s = world_session(&sh->world, id);

	return s ? show_session(s) : NULL;
}

static void tell_part(struct control_client *c, enum walk_topic topic)
{
	struct walk *k = &c->walks[topic];
	const char *name = topic == WALK_MACHINES ? "machines" : "sessions";
	bool full = k->full, first = full && k->at == 0;
	size_t end = full ? k->full_count : k->count;
	json_t *items = json_array();

	while (k->at < end && json_array_size(items) < CONTROL_PART) {
		json_t *item = show(c->control->shell, topic, k->ids[k->at++]);

		if (item)
			json_array_append_new(items, item);
	}
	bool more = k->at < end;

	k->full = full && more;
	if (k->at == k->count)
		walk_end(k);
	if (full)
		subscription_send_part(c, name, first, more, items);
	else
		subscription_send_changes(c, name, items);
}

void walk_begin(struct control_client *c, enum walk_topic topic)
{
	struct walk *k = &c->walks[topic];

	walk_end(k);
	collect(c, topic, 0);
	k->full = true;
	k->full_count = k->count;
	tell_part(c, topic);
}

void walk_add(struct control_client *c, enum walk_topic topic)
{
	const struct world *w = &c->control->shell->world;
	struct walk *k = &c->walks[topic];
	size_t all = topic == WALK_MACHINES ? w->machines.used :
		     w->sessions.used;

	collect(c, topic, c->seen_turn);
	/* One who reads that slowly is told all of them, and each once. */
	if (k->count - k->at > 2 * all + CONTROL_PART) {
		bool full = k->full;

		walk_end(k);
		collect(c, topic, 0);
		k->full = full;
		k->full_count = full ? k->count : 0;
	}
	/* A few are told with the other topics of the flush, as one picture. */
	if (k->count && k->count <= CONTROL_PART && !k->full && !k->at)
		tell_part(c, topic);
	else if (!c->backlog)
		walk_go_on(c);
}

void walk_go_on(struct control_client *c)
{
	for (int topic = 0; topic < WALKS; topic++)
		if (c->walks[topic].count) {
			tell_part(c, (enum walk_topic)topic);
			return;
		}
}

void walk_end(struct walk *k)
{
	free(k->ids);
	*k = (struct walk){ 0 };
}
