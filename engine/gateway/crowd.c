/* Strangers at the doors; see crowd.h. */
#include "engine/gateway/crowd.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/gateway/internal.h"

struct source {
	uint64_t key;
	uint32_t count;
	struct list same;	/* struct opening, oldest first */
};

/* IPv4: the address; IPv6: its /64; local: the uid.  Never 0: an IPv6 /64 of
 * zeros holds only loopback and mapped addresses. */
static uint64_t key_of(const struct caller *c)
{
	static const uint64_t four = 0x0000ffffull << 32, local = 0xffffffffull << 32;
	const struct sockaddr_in *in = (const void *)&c->peer;
	const struct sockaddr_in6 *in6 = (const void *)&c->peer;
	uint64_t key = 0;

	if (c->peer.ss_family == AF_INET)
		return four | ntohl(in->sin_addr.s_addr);
	if (c->peer.ss_family != AF_INET6)
		return local | c->peer_uid;
	bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
	for (int i = 0; i < (mapped ? 4 : 8); i++)
		key = key << 8 | in6->sin6_addr.s6_addr[mapped ? 12 + i : i];
	return mapped ? four | key : key ? key : 1;
}

static void evict(struct gateway *g, struct opening *o)
{
	o->caller->listener->evicted++;
	caller_close(g, o->caller, true);
}

bool crowd_evict(struct gateway *g)
{
	if (list_empty(&g->crowd.all))
		return false;
	evict(g, LIST_ENTRY(g->crowd.all.next, struct opening, all));
	return true;
}

void crowd_file(struct gateway *g, struct caller *c)
{
	struct opening *o = c->opening;
	uint64_t key = key_of(c);
	struct source *s = map_get(&g->crowd.sources, key);

	if (!s) {
		s = calloc(1, sizeof(*s));
		CHECK("", s, "out of memory");
		s->key = key;
		list_init(&s->same);
		map_put(&g->crowd.sources, key, s);
	}
	o->source = s;
	s->count++;
	list_add_tail(&s->same, &o->same);
	/* It is the newest itself, so it stays and s with it. */
	while (s->count > c->listener->per_source)
		evict(g, LIST_ENTRY(s->same.next, struct opening, same));
}

void crowd_enter(struct gateway *g, struct caller *c, bool source_known)
{
	struct opening *o = calloc(1, sizeof(*o));

	CHECK("", o, "out of memory");
	while (g->crowd.count >= g->limits.opening_count && crowd_evict(g))
		;
	o->caller = c;
	c->opening = o;
	c->listener->opening++;
	g->crowd.count++;
	list_add_tail(&g->crowd.all, &o->all);
	if (source_known)
		crowd_file(g, c);
}

void crowd_leave(struct gateway *g, struct caller *c)
{
	struct opening *o = c->opening;
	struct source *s;

	if (!o)
		return;
	s = o->source;
	list_remove(&o->all);
	list_remove(&o->same);
	g->crowd.count--;
	c->listener->opening--;
	c->opening = NULL;
	free(o);
	if (s && --s->count == 0) {
		map_remove(&g->crowd.sources, s->key);
		free(s);
	}
}
