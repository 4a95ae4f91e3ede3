/*
 * The model: see model.h.  Owned by the console process, filled by link.c,
 * read by views.  Wrong lines from an engine are skipped item by item: the
 * console must show what it can.
 */
#include "console/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/text.h"

static const struct {
	const char *name, *key, *noun;
} topics[TOPIC_COUNT] = {
#define TOPIC(id, name, key, noun) [TOPIC_##id] = { name, key, noun },
	TOPICS(TOPIC)
#undef TOPIC
};

const char *topic_noun(enum topic topic)
{
	static const char *const asked[] = { "", "user", "group", "token",
		"application", "listener", "resource", "audit",
		"alarm", "decision" };

	return topic < TOPIC_COUNT ? topics[topic].noun :
	       asked[topic - TOPIC_COUNT];
}

void model_init(struct model *m)
{
	*m = (struct model){ 0 };
	for (int i = 0; i < TOPIC_COUNT; i++)
		map_init(&m->sets[i].by_key);
}

static void set_clear(struct model_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		json_decref(set->entries[i].item);
	set->count = 0;
	map_fini(&set->by_key);
	map_init(&set->by_key);
	set->changes++;
}

void model_fini(struct model *m)
{
	for (int i = 0; i < TOPIC_COUNT; i++) {
		set_clear(&m->sets[i]);
		map_fini(&m->sets[i].by_key);
		free(m->sets[i].entries);
	}
	json_decref(m->site_item);
	*m = (struct model){ 0 };
}

void model_expect_full(struct model *m)
{
	m->full_begun = m->full_seen = 0;
	m->begun = m->complete = false;
}

void model_hello(struct model *m, const json_t *hello)
{
	json_t *safe = model_display_copy(hello);

	TEXT_SET(m->site, item_text(safe, "site"));
	TEXT_SET(m->version, item_text(safe, "version"));
	TEXT_SET(m->engine, item_text(safe, "engine"));
	m->rights_change = strcmp(item_text(safe, "rights"), "change") == 0;
	m->changes++;
	json_decref(safe);
}

enum { DISPLAY_MAX = 16384, DISPLAY_KEY_MAX = 128 };

static bool is_plain(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

/* Would its display copy be the same?  Nearly everything that an engine says:
 * it is asked for each of 10,000 machines before the first screen. */
static bool displays_itself(const json_t *value)
{
	size_t length = json_string_length(value);
	const char *key;
	json_t *member;

	if (json_is_string(value))
		return length <= DISPLAY_MAX &&
		       is_plain(json_string_value(value), length);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!displays_itself(json_array_get(value, i)))
			return false;
	json_object_foreach((json_t *)value, key, member) {
		length = strlen(key);
		if (length >= DISPLAY_KEY_MAX || !is_plain(key, length) ||
		    !displays_itself(member))
			return false;
	}
	return true;
}

static json_t *display_string(const char *text, size_t length)
{
	/* An escape is at most 8 bytes for one byte of input. */
	size_t size = (length > DISPLAY_MAX ? DISPLAY_MAX : length) * 4 + 16;
	char *out = malloc(size);

	CHECK("", out, "out of memory");
	text_display(out, size, text, length);
	json_t *copy = json_string(out);
	free(out);
	return copy ? copy : json_string("?");
}

json_t *model_display_copy(const json_t *value)
{
	json_t *copy;

	if (!value || displays_itself(value))
		return json_incref((json_t *)value);
	if (json_is_string(value))
		return display_string(json_string_value(value),
				      json_string_length(value));
	if (json_is_array(value)) {
		copy = json_array();
		for (size_t i = 0; i < json_array_size(value); i++)
			json_array_append_new(copy, model_display_copy(
						json_array_get(value, i)));
		return copy;
	}
	if (json_is_object(value)) {
		const char *key;
		json_t *member;

		copy = json_object();
		json_object_foreach((json_t *)value, key, member) {
			char safe[DISPLAY_KEY_MAX];

			text_display(safe, sizeof(safe), key, strlen(key));
			json_object_set_new(copy, safe,
					    model_display_copy(member));
		}
		return copy;
	}
	return json_incref((json_t *)value);
}

bool model_line(const char **text, char *out, size_t size)
{
	const char *end = strstr(*text, "\\x0a");
	size_t n = end ? (size_t)(end - *text) : strlen(*text), used = 0;

	if (**text == '\0')
		return false;
	for (size_t i = 0; i < n && used + 9 < size; i++) {
		if (strncmp(*text + i, "\\x09", 4) == 0) {
			do
				out[used++] = ' ';
			while (used % 8);
			i += 3;
		} else {
			out[used++] = (*text)[i];
		}
	}
	out[used] = '\0';
	*text += n + (end ? 4 : 0);
	return true;
}

/* FNV-1a: a key that survives a reconnect for objects known by name. */
uint64_t model_name_key(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash ? hash : 1;
}

/* 0 when the item has no usable key. */
static uint64_t item_key(enum topic topic, const json_t *item)
{
	const char *member = topics[topic].key;

	if (strcmp(member, "name") == 0) {
		const char *name = item_text(item, "name");

		return *name ? model_name_key(name) : 0;
	}
	/* Gateways count from 0, ids from 1; anything below is no key. */
	int64_t number = *member ? item_int(item, member, -1) + 1 :
			 item_int(item, "id", 0);

	return number > 0 ? (uint64_t)number : 0;
}

static void set_put(struct model_set *set, uint64_t key, json_t *item)
{
	size_t at = (size_t)(uintptr_t)map_get(&set->by_key, key);
	const char *name = json_string_value(json_object_get(item, "name"));

	set->changes++;
	if (at) {
		json_decref(set->entries[at - 1].item);
		set->entries[at - 1].item = item;
		set->entries[at - 1].name = name;
		return;
	}
	if (set->count == set->size) {
		set->size = set->size ? set->size * 2 : 64;
		set->entries = realloc(set->entries,
				       set->size * sizeof(*set->entries));
		CHECK("", set->entries, "out of memory");
	}
	set->entries[set->count++] = (struct entry){ key, item, name };
	map_put(&set->by_key, key, (void *)(uintptr_t)set->count);
}

static void set_remove(struct model_set *set, uint64_t key)
{
	size_t at = (size_t)(uintptr_t)map_remove(&set->by_key, key);

	if (!at)
		return;
	set->changes++;
	json_decref(set->entries[at - 1].item);
	set->count--;
	if (at - 1 != set->count) {
		set->entries[at - 1] = set->entries[set->count];
		map_put(&set->by_key, set->entries[at - 1].key,
			(void *)(uintptr_t)at);
	}
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->key;
	uint64_t y = ((const struct entry *)b)->key;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Drops the oldest events, a quarter at a time so that sorting is rare. */
static void trim_events(struct model_set *set)
{
	if (set->count <= MODEL_EVENTS_MAX * 5 / 4)
		return;
	qsort(set->entries, set->count, sizeof(*set->entries), newest_first);
	while (set->count > MODEL_EVENTS_MAX)
		json_decref(set->entries[--set->count].item);
	map_fini(&set->by_key);
	map_init(&set->by_key);
	for (size_t i = 0; i < set->count; i++)
		map_put(&set->by_key, set->entries[i].key,
			(void *)(uintptr_t)(i + 1));
}

void model_add_items(struct model *m, enum topic topic, const json_t *items)
{
	struct model_set *set = &m->sets[topic];

	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *raw = json_array_get(items, i);
		uint64_t key = item_key(topic, raw);

		if (key == 0 || !json_is_object(raw))
			continue;
		if (item_bool(raw, "removed"))
			set_remove(set, key);
		else
			set_put(set, key, model_display_copy(raw));
	}
	if (topic == TOPIC_EVENTS)
		trim_events(set);
	m->changes++;
}

/* More than that is a lie; sums and bars must not overflow. */
enum { HOUR_SESSIONS_MAX = 1000 * 1000 * 1000 };

void model_site(struct model *m, const json_t *item)
{
	json_t *safe = model_display_copy(item);
	const json_t *hours = json_object_get(item, "sessions_per_hour");

	/* An engine that has just started says hello before it knows this. */
	if (*item_text(safe, "site"))
		TEXT_SET(m->site, item_text(safe, "site"));
	json_decref(m->site_item);
	m->site_item = safe;
	if (json_array_size(hours) == MODEL_HOURS) {
		for (int i = 0; i < MODEL_HOURS; i++) {
			int64_t n = json_integer_value(
				json_array_get(hours, (size_t)i));

			m->per_hour[i] = n < 0 ? 0 :
				n > HOUR_SESSIONS_MAX ? HOUR_SESSIONS_MAX : n;
		}
		m->per_hour_known = true;
	}
	m->changes++;
}

enum { REQUIRED = (1u << MODEL_REQUIRED) - 1 };

/* A part of a full state says whether it is the last; older engines do not, and
 * changes do not. */
static void see_part(struct model *m, unsigned bit, const json_t *line)
{
	const json_t *more = json_object_get(line, "more");

	if (more ? json_is_false(more) : item_bool(line, "full"))
		m->full_seen |= bit;
	m->complete = (m->full_seen & REQUIRED) == REQUIRED;
	m->begun = m->complete || (m->site_item &&
			(m->full_begun & REQUIRED) == REQUIRED);
}

bool model_apply(struct model *m, const json_t *line)
{
	const char *name = item_text(line, "topic");
	const json_t *items = json_object_get(line, "items");

	m->time_ms = item_int(line, "time_ms", m->time_ms);
	if (strcmp(name, "site") == 0) {
		model_site(m, json_array_get(items, 0));
		return true;
	}
	for (int i = 0; i < TOPIC_COUNT; i++) {
		if (strcmp(topics[i].name, name) != 0)
			continue;
		if (item_bool(line, "full")) {
			set_clear(&m->sets[i]);
			m->full_begun |= 1u << i;
			m->full_seen &= ~(1u << i);
		}
		see_part(m, 1u << i, line);
		model_add_items(m, (enum topic)i, items);
		return true;
	}
	return false;
}

json_t *model_find(const struct model *m, enum topic topic, uint64_t key)
{
	const struct model_set *set = &m->sets[topic];
	size_t at = (size_t)(uintptr_t)map_get(&set->by_key, key);

	return key && at ? set->entries[at - 1].item : NULL;
}

json_t *model_named(const struct model *m, enum topic topic, const char *name)
{
	const struct model_set *set = &m->sets[topic];

	if (strcmp(topics[topic].key, "name") == 0)
		return *name ? model_find(m, topic, model_name_key(name)) : NULL;
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(item_text(set->entries[i].item, "name"), name) == 0)
			return set->entries[i].item;
	return NULL;
}

const char *item_text(const json_t *item, const char *member)
{
	const char *text = json_string_value(json_object_get(item, member));

	return text ? text : "";
}

int64_t item_int(const json_t *item, const char *member, int64_t fallback)
{
	const json_t *value = json_object_get(item, member);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool item_bool(const json_t *item, const char *member)
{
	return json_is_true(json_object_get(item, member));
}

int64_t item_time_ms(const json_t *item, const char *member)
{
	const char *text = item_text(item, member);
	struct tm tm = { 0 };
	int ms = 0, used = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
		   &used) != 6)
		return 0;
	if (text[used] == '.')
		sscanf(text + used + 1, "%3d", &ms);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

bool model_cluster_pool(const struct model *m, const json_t *pool)
{
	return m->sets[TOPIC_CLUSTERS].count &&
	       model_named(m, TOPIC_CLUSTERS, item_text(pool, "name"));
}

/* How many there are: what was told, or while that is a part, what the engine
 * counted. */
static int count_of(const struct model *m, enum topic topic)
{
	const json_t *counts = json_object_get(m->site_item, "counts");
	int told = (int)m->sets[topic].count;

	return m->full_seen & 1u << topic ? told :
	       (int)item_int(counts, topics[topic].name, told);
}

struct model_totals model_totals(const struct model *m)
{
	struct model_totals t = {
		.hosts = (int)m->sets[TOPIC_HOSTS].count,
		.machines = count_of(m, TOPIC_MACHINES),
		.sessions = count_of(m, TOPIC_SESSIONS),
	};
	const struct model_set *hosts = &m->sets[TOPIC_HOSTS];
	const struct model_set *pools = &m->sets[TOPIC_POOLS];
	const struct model_set *requests = &m->sets[TOPIC_REQUESTS];

	for (size_t i = 0; i < hosts->count; i++)
		t.hosts_up += strcmp(item_text(hosts->entries[i].item, "state"),
				     "up") == 0;
	for (size_t i = 0; i < requests->count; i++)
		t.waiting += strcmp(item_text(requests->entries[i].item,
					      "state"), "waiting") == 0;
	for (size_t i = 0; i < pools->count; i++) {
		const json_t *pool = pools->entries[i].item;

		if (model_cluster_pool(m, pool))
			continue;
		t.pools++;
		t.in_use += item_int(pool, "in_use", 0);
		t.ready += item_int(pool, "ready", 0);
		t.starting += item_int(pool, "starting", 0);
		t.bad += item_int(pool, "bad", 0);
	}
	return t;
}

bool model_machine_unknown(const struct model *m, const json_t *machine)
{
	const char *host = item_text(machine, "host");

	const json_t *item = model_named(m, TOPIC_HOSTS, host);

	/* The host's own word is newer: a host changes without its machines. */
	if (item)
		return strcmp(item_text(item, "state"), "up") != 0;
	return json_is_false(json_object_get(machine, "known"));
}
