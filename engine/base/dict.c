/* Texts to pointers; see dict.h.  Equal hashes share a chain. */
#include "engine/base/dict.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

struct entry {
	struct entry *next;
	void *value;
	char key[];
};

/* FNV-1a; never 0, which map.h does not take. */
static uint64_t hash(const char *key)
{
	uint64_t h = 14695981039346656037ull;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 1099511628211ull;
	return h ? h : 1;
}

static struct entry *find(struct entry *e, const char *key)
{
	while (e && strcmp(e->key, key) != 0)
		e = e->next;
	return e;
}

void dict_clear(struct dict *d)
{
	for (size_t i = 0; i < d->map.size; i++)
		for (struct entry *e = d->map.slots[i].key ?
					       d->map.slots[i].value : NULL; e;) {
			struct entry *next = e->next;

			free(e);
			e = next;
		}
	map_fini(&d->map);
	d->used = 0;
}

void dict_put(struct dict *d, const char *key, void *value)
{
	uint64_t h = hash(key);
	struct entry *first = map_get(&d->map, h), *e = find(first, key);
	size_t n = strlen(key) + 1;

	CHECK("", value);
	if (e) {
		e->value = value;
		return;
	}
	e = malloc(sizeof(*e) + n);
	CHECK("", e, "out of memory");
	*e = (struct entry){ .next = first, .value = value };
	memcpy(e->key, key, n);
	map_put(&d->map, h, e);
	d->used++;
}

void *dict_get(const struct dict *d, const char *key)
{
	const struct entry *e = find(map_get(&d->map, hash(key)), key);

	return e ? e->value : NULL;
}

void *dict_remove(struct dict *d, const char *key)
{
	uint64_t h = hash(key);
	struct entry *first = map_get(&d->map, h), *e = find(first, key);

	if (!e)
		return NULL;
	void *value = e->value;
	if (e != first) {
		struct entry *before = first;

		while (before->next != e)
			before = before->next;
		before->next = e->next;
	} else if (e->next) {
		map_put(&d->map, h, e->next);
	} else {
		map_remove(&d->map, h);
	}
	free(e);
	d->used--;
	return value;
}

void dict_each_value(const struct dict *d, void (*on_value)(void *value))
{
	for (size_t i = 0; i < d->map.size; i++)
		for (struct entry *e = d->map.slots[i].key ?
					       d->map.slots[i].value : NULL; e;
		     e = e->next)
			on_value(e->value);
}
