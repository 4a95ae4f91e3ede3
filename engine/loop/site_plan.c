/* Plans as answers of the control protocol; see site_plan.h. */
#include "engine/loop/site_plan.h"

#include <stdlib.h>
#include <string.h>

#include "engine/core/plan.h"
#include "engine/loop/control.h"
#include "engine/loop/site_diff.h"

enum { CHANGES_MAX = 200 };	/* objects told of in one plan */

bool site_plan_destroys(const struct shell *sh, const struct site_spec *spec)
{
	size_t count;
	struct pool_plan *plans = plan_pools(&sh->world, spec, &count);
	bool destroys = plan_destroys(plans, count);

	free(plans);
	return destroys;
}

static json_t *pools(const struct pool_plan *plans, size_t count)
{
	json_t *items = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct pool_plan *p = &plans[i];

		if (p->create || p->drain || p->replace)
			json_array_append_new(items, json_pack(
				"{s:s, s:i, s:i, s:i, s:i, s:i}", "name", p->name,
				"machines", (int)p->machines, "in_session",
				(int)p->in_session, "create", (int)p->create,
				"drain", (int)p->drain, "replace",
				(int)p->replace));
	}
	return items;
}

static json_t *overrides(const struct shell *sh, const struct site_spec *spec)
{
	json_t *items = json_array();

	for (size_t i = 0; i < sh->world.override_count; i++) {
		const struct override_row *o = &sh->world.overrides[i];

		json_array_append_new(items, json_pack("{s:s, s:I, s:s, s:b}",
			"key", o->key, "value", (json_int_t)o->value, "who",
			o->who, "ends",
			plan_ends_override(&sh->world, spec, o->key)));
	}
	return items;
}

void site_plan_answer(struct shell *sh, const struct site_spec *spec,
		      const json_t *json)
{
	struct control_client *c =
		control_client_of(sh->control, sh->load.client);
	size_t count;

	if (!c)
		return;
	struct pool_plan *plans = plan_pools(&sh->world, spec, &count);
	json_t *changes = site_diff(sh->site_json, json);
	size_t more = json_array_size(changes) > CHANGES_MAX ?
			      json_array_size(changes) - CHANGES_MAX : 0;
	while (json_array_size(changes) > CHANGES_MAX)
		json_array_remove(changes, json_array_size(changes) - 1);
	control_send(c, json_pack(
		"{s:I, s:b, s:s, s:{s:s, s:s, s:s, s:b, s:o, s:I, s:o, s:o}}",
		"id", (json_int_t)sh->load.id, "ok", 1, "kind", "plan", "item",
		"site", spec->name, "version", spec->bundle, "in_force",
		sh->world.spec.bundle, "destroys",
		plan_destroys(plans, count), "changes", changes, "more",
		(json_int_t)more, "pools", pools(plans, count), "overrides",
		overrides(sh, spec)));
	free(plans);
}
