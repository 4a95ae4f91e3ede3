/*
 * Failed logins slow down those who fail (decisions.md 36), and nobody else.
 *
 * Two things are counted: a user name from one address, and an address whatever
 * the names.  After some failures each further one doubles a pause, up to
 * THROTTLE_MAX_MS; within it no password is even looked at.  A name alone is
 * never paused: somebody who fails elsewhere does not lock its user out.  Names
 * that nobody has are counted like others, so pauses tell nothing.
 *
 * The table has a fixed size; a full bucket forgets whoever would be free
 * again first.  IPv6 addresses count by their /64.
 */
#ifndef REMUDA_LOOP_THROTTLE_H
#define REMUDA_LOOP_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	THROTTLE_BUCKETS = 1024,
	THROTTLE_WAYS = 8,
	THROTTLE_PAIR_FREE = 3,		/* failures of a name from an address */
	THROTTLE_ADDRESS_FREE = 20,	/* failures of an address */
	THROTTLE_ALARM = 10,		/* failures of a name from an address */
	THROTTLE_ADDRESS_ALARM = 50,
	THROTTLE_FIRST_MS = 1000,
	THROTTLE_MAX_MS = 300000,
	THROTTLE_FORGET_MS = 900000,	/* without a failure */
};

struct throttle_entry {
	uint64_t key;			/* 0 = free */
	uint32_t failures;
	int64_t until_ms, last_ms;	/* boot time */
};

struct throttle {
	uint64_t seed;			/* random: buckets cannot be aimed at */
	struct throttle_entry entries[THROTTLE_BUCKETS][THROTTLE_WAYS];
};

/* Milliseconds the next try has to wait, 0 = none.  peer: "192.0.2.1:4711",
 * "[2001:db8::1]:22" or a unix peer's text. */
int64_t throttle_wait_ms(const struct throttle *t, const char *user,
			 const char *peer, int64_t now_ms);
/* A login failed.  True when it is one to raise an alarm for. */
bool throttle_failed(struct throttle *t, const char *user, const char *peer,
		     int64_t now_ms);
/* A login was right: the name is trusted from there again. */
void throttle_right(struct throttle *t, const char *user, const char *peer);

#endif
