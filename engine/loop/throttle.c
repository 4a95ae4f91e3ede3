/* Who fails has to wait; see throttle.h. */
#include "engine/loop/throttle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"

/* The address without its port; IPv6 by the network its owner commands. */
static void address_of(const char *peer, char out[80])
{
	struct in6_addr six;
	char *colon;

	text_copy(out, 80, peer[0] == '[' ? peer + 1 : peer);
	if (peer[0] == '[') {
		out[strcspn(out, "]")] = '\0';
		if (inet_pton(AF_INET6, out, &six) != 1)
			return;
		memset(&six.s6_addr[8], 0, 8);
		inet_ntop(AF_INET6, &six, out, 80);
		return;
	}
	/* A unix peer: the user, whatever its process. */
	if (strncmp(out, "unix ", 5) == 0) {
		colon = strstr(out, " pid ");
		if (colon)
			*colon = '\0';
		return;
	}
	colon = strrchr(out, ':');
	if (colon)
		*colon = '\0';
}

static uint64_t mix(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211ull;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 32;
}

/* user NULL: the address alone. */
static uint64_t key_of(const struct throttle *t, const char *user,
		       const char *peer)
{
	char address[80];

	address_of(peer, address);
	uint64_t h = mix(t->seed ^ 14695981039346656037ull, address);
	if (user)
		h = mix(h * 31 + 1, user);
	return h ? h : 1;
}

static struct throttle_entry *find(const struct throttle *t, uint64_t key)
{
	const struct throttle_entry *bucket = t->entries[key % THROTTLE_BUCKETS];

	for (int i = 0; i < THROTTLE_WAYS; i++)
		if (bucket[i].key == key)
			return (struct throttle_entry *)&bucket[i];
	return NULL;
}

static int64_t left(const struct throttle *t, uint64_t key, int64_t now_ms)
{
	const struct throttle_entry *e = find(t, key);

	return e && e->until_ms > now_ms ? e->until_ms - now_ms : 0;
}

int64_t throttle_wait_ms(const struct throttle *t, const char *user,
			 const char *peer, int64_t now_ms)
{
	int64_t pair = left(t, key_of(t, user, peer), now_ms);
	int64_t address = left(t, key_of(t, NULL, peer), now_ms);

	return pair > address ? pair : address;
}

/* The entry of a key; the least interesting one makes room. */
static struct throttle_entry *take(struct throttle *t, uint64_t key,
				   int64_t now_ms)
{
	struct throttle_entry *bucket = t->entries[key % THROTTLE_BUCKETS];
	struct throttle_entry *e = find(t, key), *oldest = &bucket[0];

	for (int i = 1; !e && i < THROTTLE_WAYS; i++) {
		int64_t a = bucket[i].until_ms, b = oldest->until_ms;

		if (a < b || (a == b && bucket[i].last_ms < oldest->last_ms))
			oldest = &bucket[i];
	}
	if (!e || now_ms - e->last_ms > THROTTLE_FORGET_MS) {
		e = e ? e : oldest;
		*e = (struct throttle_entry){ .key = key };
	}
	return e;
}

/* One more failure; its number. */
static uint32_t fail(struct throttle *t, uint64_t key, uint32_t free_tries,
		     int64_t now_ms)
{
	struct throttle_entry *e = take(t, key, now_ms);

	e->failures++;
	e->last_ms = now_ms;
	if (e->failures > free_tries) {
		uint32_t over = e->failures - free_tries - 1;
		int64_t pause = (int64_t)THROTTLE_FIRST_MS << (over < 16 ? over : 16);

		e->until_ms = now_ms +
			(pause < THROTTLE_MAX_MS ? pause : THROTTLE_MAX_MS);
	}
	return e->failures;
}

bool throttle_failed(struct throttle *t, const char *user, const char *peer,
		     int64_t now_ms)
{
	uint32_t pair = fail(t, key_of(t, user, peer), THROTTLE_PAIR_FREE, now_ms);
	uint32_t address = fail(t, key_of(t, NULL, peer), THROTTLE_ADDRESS_FREE,
				now_ms);

	return pair == THROTTLE_ALARM || address == THROTTLE_ADDRESS_ALARM;
}

void throttle_right(struct throttle *t, const char *user, const char *peer)
{
	struct throttle_entry *e = find(t, key_of(t, user, peer));

	/* The address stays counted: its owner may know one password. */
	if (e)
		*e = (struct throttle_entry){ 0 };
}
