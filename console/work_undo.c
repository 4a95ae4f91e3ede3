/*
 * Taking back: see work.h.  The inverse of a change is made from what the
 * console knows of the object before it; what has none (a machine deleted, a
 * session ended) cannot be taken back and never says so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/work.h"
#include "engine/base/text.h"

/* The other one of a pair of verbs. */
static const struct {
	const char *verb, *back, *shell;
} pairs[] = {
	{ "machine.hold", "machine.release", "machine release" },
	{ "pool.pause", "pool.resume", "pool resume" },
	{ "pool.resume", "pool.pause", "pool pause" },
	{ "cluster.pause", "cluster.resume", "cluster resume" },
	{ "cluster.resume", "cluster.pause", "cluster pause" },
	{ "rule.disable", "rule.enable", "rule enable" },
	{ "rule.enable", "rule.disable", "rule disable" },
	{ "host.drain", "host.undrain", "host undrain" },
	{ "user.disable", "user.enable", "user enable" },
	{ "user.enable", "user.disable", "user disable" },
};

/* The numbers that are asked for, as they are now. */
static json_t *unscale(struct app *app, const json_t *request, char *shell,
		       size_t size)
{
	static const char *const keys[] = { "serve", "spare", "max" };
	const char *name = item_text(request, "name");
	const json_t *pool = model_named(&app->model, TOPIC_POOLS, name);
	json_t *back;
	size_t used;

	if (!pool || item_bool(request, "dry_run"))
		return NULL;
	back = json_pack("{s:s,s:s}", "verb", "pool.scale", "name", name);
	used = (size_t)snprintf(shell, size, "remuda pool scale %s", name);
	for (size_t i = 0; i < 3; i++) {
		int64_t now = item_int(pool, keys[i], 0);

		if (!json_object_get(request, keys[i]))
			continue;
		json_object_set_new(back, keys[i], json_integer(now));
		if (used < size)
			used += (size_t)snprintf(shell + used, size - used,
						 " --%s %" PRId64, keys[i], now);
	}
	return back;
}

/* The size an operator had said, or none. */
static json_t *unresize(struct app *app, const json_t *request, char *shell,
			size_t size)
{
	static const char *const keys[] = { "nodes", "vcpus", "memory_mib" };
	const char *name = item_text(request, "name");
	const json_t *cluster = model_named(&app->model, TOPIC_CLUSTERS, name);
	const json_t *pin = json_object_get(cluster, "pin");
	json_t *back;

	if (!cluster || item_bool(request, "dry_run"))
		return NULL;
	if (!json_is_object(pin)) {
		snprintf(shell, size, "remuda cluster reset %s", name);
		return json_pack("{s:s,s:s}", "verb", "cluster.reset", "name",
				 name);
	}
	back = json_pack("{s:s,s:s}", "verb", "cluster.resize", "name", name);
	snprintf(shell, size, "remuda cluster resize %s --nodes %" PRId64, name,
		 item_int(pin, "nodes", 0));
	for (size_t i = 0; i < 3; i++)
		if (item_int(pin, keys[i], 0))
			json_object_set(back, keys[i],
					json_object_get(pin, keys[i]));
	return back;
}

json_t *work_inverse(struct app *app, const json_t *request, char *shell,
		     size_t shell_size)
{
	const char *verb = item_text(request, "verb");
	const char *name = item_text(request, "name");

	if (strcmp(verb, "pool.scale") == 0)
		return unscale(app, request, shell, shell_size);
	if (strcmp(verb, "cluster.resize") == 0)
		return unresize(app, request, shell, shell_size);
	if (item_bool(request, "end_sessions"))
		return NULL;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (strcmp(pairs[i].verb, verb) != 0)
			continue;
		snprintf(shell, shell_size, "remuda %s %s", pairs[i].shell,
			 name);
		return json_pack("{s:s,s:s}", "verb", pairs[i].back, "name",
				 name);
	}
	return NULL;
}

void work_remember(struct app *app, const struct work *w)
{
	struct work *back = NULL;

	for (size_t i = 0; i < w->count; i++) {
		const struct deed *d = &w->deeds[i];

		if (d->state != DEED_DONE || !d->undo)
			continue;
		if (!back)
			back = work_new(app);
		work_add(back, json_incref(d->undo), d->undo_shell, d->name, 0);
	}
	if (!back)
		return;	/* the one before it can still be taken back */
	work_free(app->undo.work);
	back->undoing = true;
	app->undo = (struct work_undo){
		.work = back, .until_ms = app->mono_ms + WORK_UNDO_MS };
	TEXT_SET(app->undo.what, w->deeds[0].shell);
}

int work_undo_seconds(const struct app *app)
{
	int64_t left = app->undo.work ? app->undo.until_ms - app->mono_ms : 0;

	return left > 0 ? (int)((left + 999) / 1000) : 0;
}

void work_take_back(struct app *app)
{
	struct work *back = app->undo.work;

	if (!work_undo_seconds(app)) {
		app_message(app, true, "Nothing to take back: only the last "
			    "change can be, for 60 s, and not what ended "
			    "something.");
		return;
	}
	app->undo.work = NULL;
	work_start(app, back);
}
