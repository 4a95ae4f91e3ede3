/*
 * What applying a site that was read would do: the difference for people, the
 * machines by the core's own choice (engine/core/plan.h).
 */
#ifndef REMUDA_LOOP_SITE_PLAN_H
#define REMUDA_LOOP_SITE_PLAN_H

#include <jansson.h>
#include <stdbool.h>

struct shell;
struct site_spec;

bool site_plan_destroys(const struct shell *sh, const struct site_spec *spec);
/* Answers who waits for the load with kind "plan" (engine/wire/control.h). */
void site_plan_answer(struct shell *sh, const struct site_spec *spec,
		      const json_t *json);

#endif
