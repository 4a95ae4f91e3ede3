/*
 * A hash table from 64-bit keys to pointers (open addressing, linear probing,
 * backward-shift deletion).  Key 0 is not allowed: ids start at 1.  Iteration
 * order depends only on the history of operations, never on addresses, but
 * decisions must not use it: keep an ordered list beside it.
 */
#ifndef REMUDA_BASE_MAP_H
#define REMUDA_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t size;	/* power of two, or 0 */
	size_t used;
};

void map_init(struct map *m);
void map_fini(struct map *m);
/* Adds or replaces.  Aborts when memory is exhausted. */
void map_put(struct map *m, uint64_t key, void *value);
/* Returns the value or NULL. */
void *map_get(const struct map *m, uint64_t key);
/* Returns the removed value or NULL. */
void *map_remove(struct map *m, uint64_t key);

#endif
