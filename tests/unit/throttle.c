/* Failed logins: who fails waits ever longer, nobody else waits at all. */
#include "engine/loop/throttle.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/tap.h"

static struct throttle *fresh(void)
{
	struct throttle *t = calloc(1, sizeof(*t));

	if (!t)
		tap_bail("out of memory");
	t->seed = 4711;
	return t;
}

static void test_pauses(void)
{
	struct throttle *t = fresh();
	int64_t now = 1000;

	for (int i = 0; i < THROTTLE_PAIR_FREE; i++)
		throttle_failed(t, "anna", "192.0.2.1:1000", now);
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1001", now), 0,
	       "some failures are free");
	throttle_failed(t, "anna", "192.0.2.1:1002", now);
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1003", now), 1000,
	       "then a second, from whatever port");
	throttle_failed(t, "anna", "192.0.2.1:1004", now += 1000);
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1", now), 2000, "then two");
	is_int(throttle_wait_ms(t, "anna", "192.0.2.2:1", now), 0,
	       "anna elsewhere does not wait");
	is_int(throttle_wait_ms(t, "ben", "192.0.2.1:1", now), 0,
	       "nor does another name from there");
	for (int i = 0; i < 30; i++)
		throttle_failed(t, "anna", "192.0.2.1:1", now);
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1", now), THROTTLE_MAX_MS,
	       "the pause has an end");
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1", now + THROTTLE_MAX_MS),
	       0, "and is over then");
	ok(throttle_wait_ms(t, "ben", "192.0.2.1:1", now) > 0,
	   "an address that fails so often waits with every name");
	throttle_right(t, "anna", "192.0.2.1:1");
	ok(throttle_wait_ms(t, "ben", "192.0.2.1:1", now) > 0,
	   "also when it knew one password");
	now += THROTTLE_FORGET_MS + THROTTLE_MAX_MS;
	throttle_failed(t, "anna", "192.0.2.1:1", now);
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1", now), 0,
	       "after a long time one failure is the first again");
	free(t);
}

static void test_right(void)
{
	struct throttle *t = fresh();

	for (int i = 0; i < THROTTLE_PAIR_FREE; i++)
		throttle_failed(t, "anna", "192.0.2.1:1", 1000);
	throttle_right(t, "anna", "192.0.2.1:1");
	throttle_failed(t, "anna", "192.0.2.1:1", 1000);
	is_int(throttle_wait_ms(t, "anna", "192.0.2.1:1", 1000), 0,
	       "a right password starts anew");
	free(t);
}

static void test_addresses(void)
{
	struct throttle *t = fresh();

	for (int i = 0; i < 5; i++)
		throttle_failed(t, "anna", "[2001:db8:1:2::7]:22", 1000);
	ok(throttle_wait_ms(t, "anna", "[2001:db8:1:2:ffff::1]:9", 1000) > 0,
	   "one /64 is one address");
	is_int(throttle_wait_ms(t, "anna", "[2001:db8:1:3::7]:22", 1000), 0,
	       "the next is another");
	for (int i = 0; i < 5; i++)
		throttle_failed(t, "anna", "unix uid 7 pid 100", 1000);
	ok(throttle_wait_ms(t, "anna", "unix uid 7 pid 101", 1000) > 0,
	   "a local user is one address");
	is_int(throttle_wait_ms(t, "anna", "unix uid 8 pid 100", 1000), 0,
	       "another is another");
	free(t);
}

static void test_alarm(void)
{
	struct throttle *t = fresh();
	int alarms = 0;

	for (int i = 0; i < 40; i++)
		alarms += throttle_failed(t, "anna", "192.0.2.1:1", 1000);
	is_int(alarms, 1, "one alarm for a name that fails so often");
	free(t);
}

/* A flood of names and addresses fills the table, not the memory, and does not
 * wash out those who wait longest. */
static void test_flood(void)
{
	struct throttle *t = fresh();
	char user[32], peer[32];

	for (int i = 0; i < 15; i++)
		throttle_failed(t, "anna", "192.0.2.1:1", 1000);
	for (int i = 0; i < 100000; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(peer, sizeof(peer), "10.%d.%d.%d:1", i >> 16,
			 i >> 8 & 255, i & 255);
		throttle_failed(t, user, peer, 1000);
	}
	ok(throttle_wait_ms(t, "anna", "192.0.2.1:9", 1000) > 0,
	   "who waits is not washed out");
	is_int(throttle_wait_ms(t, "zoe", "198.51.100.1:9", 1000), 0,
	       "who never failed does not wait");
	free(t);
}

int main(void)
{
	test_pauses();
	test_right();
	test_addresses();
	test_alarm();
	test_flood();
	return tap_done();
}
