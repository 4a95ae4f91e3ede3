/*
 * A table from texts to pointers, over map.h: what has a name is found in a
 * time that does not depend on how many there are.  Keys are copied.  Values
 * are the caller's.  There is no iteration: keep an ordered list beside it.
 */
#ifndef REMUDA_BASE_DICT_H
#define REMUDA_BASE_DICT_H

#include "engine/base/map.h"

struct dict {
	struct map map;		/* hash -> chain of entries */
	size_t used;
};

/* Forgets everything; dict_each_value first when values are to be freed. */
void dict_clear(struct dict *d);
/* Adds or replaces.  Aborts when memory is exhausted. */
void dict_put(struct dict *d, const char *key, void *value);
/* Returns the value or NULL. */
void *dict_get(const struct dict *d, const char *key);
/* Returns the removed value or NULL. */
void *dict_remove(struct dict *d, const char *key);
/* Hands out every value, in no order that may decide anything. */
void dict_each_value(const struct dict *d, void (*on_value)(void *value));

#endif
