/* See known.h.  One mutex, held only for copies. */
#include "engine/hypervisor/known.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/hypervisor/role.h"

struct known_node {
	struct list link;
	struct known_domain d;
};

void known_init(struct known *k)
{
	pthread_mutex_init(&k->lock, NULL);
	for (int i = 0; i < KNOWN_BUCKETS; i++)
		list_init(&k->buckets[i]);
	k->count = 0;
}

void known_fini(struct known *k)
{
	known_prune(k, INT64_MAX);
	pthread_mutex_destroy(&k->lock);
}

static struct list *bucket(struct known *k, const char *uuid)
{
	uint32_t hash = 2166136261u;

	for (; *uuid; uuid++)
		hash = (hash ^ (uint8_t)*uuid) * 16777619u;
	return &k->buckets[hash % KNOWN_BUCKETS];
}

static struct known_node *find(struct known *k, const char *uuid)
{
	struct list *head = bucket(k, uuid);

	LIST_EACH(head, it) {
		struct known_node *n = LIST_ENTRY(it, struct known_node, link);

		if (strcmp(n->d.uuid, uuid) == 0)
			return n;
	}
	return NULL;
}

static void drop(struct known *k, struct known_node *n)
{
	list_remove(&n->link);
	free(n);
	k->count--;
}

bool known_get(struct known *k, const char *uuid, struct known_domain *out)
{
	pthread_mutex_lock(&k->lock);
	struct known_node *n = find(k, uuid);
	if (n)
		*out = n->d;
	pthread_mutex_unlock(&k->lock);
	return n != NULL;
}

bool known_get_current(struct known *k, const char *uuid, int id,
		       uint64_t generation, struct known_domain *out)
{
	return known_get(k, uuid, out) && out->id == id &&
	       out->generation == generation;
}

void known_put(struct known *k, const struct known_domain *d)
{
	pthread_mutex_lock(&k->lock);
	struct known_node *n = find(k, d->uuid);
	if (!n && k->count < KNOWN_MAX) {
		n = calloc(1, sizeof(*n));
		CHECK("", n, "out of memory");
		list_add_tail(bucket(k, d->uuid), &n->link);
		k->count++;
	}
	if (n) {
		n->d = *d;
		n->d.touched_ms = role_now_ms();
	}
	pthread_mutex_unlock(&k->lock);
}

void known_forget(struct known *k, const char *uuid)
{
	pthread_mutex_lock(&k->lock);
	struct known_node *n = find(k, uuid);
	if (n)
		drop(k, n);
	pthread_mutex_unlock(&k->lock);
}

void known_touch(struct known *k, const char *uuid)
{
	pthread_mutex_lock(&k->lock);
	struct known_node *n = find(k, uuid);
	if (n)
		n->d.touched_ms = role_now_ms();
	pthread_mutex_unlock(&k->lock);
}

void known_prune(struct known *k, int64_t before_ms)
{
	pthread_mutex_lock(&k->lock);
	for (int i = 0; i < KNOWN_BUCKETS; i++) {
		LIST_EACH(&k->buckets[i], it) {
			struct known_node *n =
				LIST_ENTRY(it, struct known_node, link);

			if (n->d.touched_ms < before_ms)
				drop(k, n);
		}
	}
	pthread_mutex_unlock(&k->lock);
}
