/* What a pool's rules are told of its past; see rule_history.c. */
#ifndef REMUDA_LOOP_RULE_HISTORY_H
#define REMUDA_LOOP_RULE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct db;
struct error;
struct shell;

enum { HISTORY_DAYS = 28, HISTORY_HOURS = 24 };

/*
 * Sessions of a pool begun in each hour of a local day, on average of the days of
 * today's kind (Monday to Friday, or Saturday and Sunday) among the last
 * HISTORY_DAYS; today does not count, nor do days before the first of which
 * anything is known.  1, 0 = no such day, -1 = error.
 */
int history_hours(struct db *db, const char *pool, int64_t now_wall_ms,
		  uint32_t hours[HISTORY_HOURS], struct error *err);

/* "0,0,3,..." for the pool, "" when nothing is known; kept for an hour, valid
 * until the next call. */
const char *rule_history(struct shell *sh, const char *pool);

#endif
