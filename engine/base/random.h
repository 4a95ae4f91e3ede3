/*
 * Seeded random numbers (xoshiro256**, public domain algorithm by Blackman and
 * Vigna) for the simulator and for tests: the same seed gives the same numbers
 * on every machine.  Never for secrets: those enter as event fields.
 */
#ifndef REMUDA_BASE_RANDOM_H
#define REMUDA_BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t s[4];
};

void random_seed(struct random *r, uint64_t seed);
uint64_t random_u64(struct random *r);
/* Uniform in [0, n); n > 0. */
uint64_t random_below(struct random *r, uint64_t n);
/* Uniform in [low, high]. */
int64_t random_between(struct random *r, int64_t low, int64_t high);
/* True with probability percent/100. */
bool random_chance(struct random *r, unsigned percent);

#endif
