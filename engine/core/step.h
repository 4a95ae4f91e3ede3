/*
 * One step of the core: an event in, effects out (house.md 2).  The same
 * function runs in the engine, in the simulator and behind dry runs.
 */
#ifndef REMUDA_CORE_STEP_H
#define REMUDA_CORE_STEP_H

#include "engine/core/world.h"

/*
 * Steps the world by ev and appends what is to be done to fx.  Many events may
 * be stepped before the shell performs the effects of all of them: one turn.
 */
void engine_step(struct world *w, const struct event *ev, struct effects *fx);

/*
 * Checks the invariants of reliability.md that can be seen in the world, each
 * under its name.  Linear in the number of objects: the simulator calls it
 * after every step, the engine after adoption and once a minute.
 */
void world_check(const struct world *w);

extern const struct sm_table machine_table, session_table;

#endif
