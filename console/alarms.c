/*
 * The open alarms: asked for when the engine is there, again when an event says
 * that something went wrong or well, and once a minute.  An engine that does not
 * know them is asked no more.
 */
#include <string.h>

#include "console/app_internal.h"
#include "engine/base/error.h"

enum { ALARMS_SOON_MS = 2000, ALARMS_LATE_MS = 60000 };

static void on_alarms(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	struct alarms *a = &app->alarms;

	(void)shell;
	if (!answer || !item_bool(answer, "ok")) {
		a->asking = false;
		a->unknown = answer != NULL;
		json_decref(a->parts);
		a->parts = NULL;
		return;
	}
	if (!a->parts)
		a->parts = json_array();
	json_array_extend(a->parts, json_object_get(answer, "items"));
	if (item_bool(answer, "more"))
		return;
	a->asking = false;
	json_decref(a->items);
	a->items = a->parts;
	a->parts = NULL;
	app->model.changes++;	/* the view of them is filled anew */
	app->dirty = true;
}

void alarms_ask(struct app *app)
{
	struct alarms *a = &app->alarms;
	uint64_t events = app->model.sets[TOPIC_EVENTS].changes;
	struct error err;

	if (app->link.connects != a->connects) {
		*a = (struct alarms){ .connects = app->link.connects,
				      .items = a->items };
		a->events = events + 1;	/* so that it is asked */
	}
	if (!app->link.up || a->asking || a->unknown ||
	    app->mono_ms < a->next_ms ||
	    (events == a->events && app->mono_ms < a->next_ms + ALARMS_LATE_MS))
		return;
	a->events = events;
	a->next_ms = app->mono_ms + ALARMS_SOON_MS;
	a->asking = link_request(&app->link, json_pack("{s:s}", "verb",
				 "alarm.list"), "", on_alarms, app,
				 app->mono_ms, &err) == 0;
}

void alarms_fini(struct alarms *a)
{
	json_decref(a->items);
	json_decref(a->parts);
}
