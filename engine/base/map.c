/* Open-addressing map; see map.h. */
#include "engine/base/map.h"

#include <stdlib.h>

#include "engine/base/check.h"

static size_t map_hash(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdULL;
	key ^= key >> 33;
	return (size_t)key;
}

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_fini(struct map *m)
{
	free(m->slots);
	map_init(m);
}

static size_t map_find(const struct map *m, uint64_t key)
{
	size_t mask = m->size - 1, i = map_hash(key) & mask;

	while (m->slots[i].key && m->slots[i].key != key)
		i = (i + 1) & mask;
	return i;
}

static void map_grow(struct map *m)
{
	struct map old = *m;

	m->size = old.size ? old.size * 2 : 16;
	m->slots = calloc(m->size, sizeof(*m->slots));
	CHECK("", m->slots, "out of memory");
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].key)
			m->slots[map_find(m, old.slots[i].key)] = old.slots[i];
	free(old.slots);
}

void map_put(struct map *m, uint64_t key, void *value)
{
	CHECK("", key != 0 && value);
	if ((m->used + 1) * 4 > m->size * 3)
		map_grow(m);
	size_t i = map_find(m, key);
	if (!m->slots[i].key)
		m->used++;
	m->slots[i] = (struct map_slot){ key, value };
}

void *map_get(const struct map *m, uint64_t key)
{
	if (!m->size || !key)
		return NULL;
	return m->slots[map_find(m, key)].value;
}

void *map_remove(struct map *m, uint64_t key)
{
	if (!m->size || !key)
		return NULL;
	size_t mask = m->size - 1, hole = map_find(m, key);
	void *value = m->slots[hole].value;

	if (!m->slots[hole].key)
		return NULL;
	m->used--;
	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		size_t home = map_hash(m->slots[i].key) & mask;

		/* Move back what would no longer be found across the hole. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_slot){ 0 };
	return value;
}
