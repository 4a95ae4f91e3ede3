/*
 * Verbs about the site and the engine: info, listener, application, resource,
 * gateway, engine, site, subscribe.
 */
#include <string.h>

#include "engine/loop/show.h"
#include "engine/loop/subscribe.h"
#include "engine/loop/verbs.h"

static void run_info(const struct verb_call *a)
{
	verb_item(a, "info", show_info(a->sh));
}

static void run_listener_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (const struct listener *l = a->sh->listeners; l; l = l->next)
		json_array_append_new(items, show_listener(a->sh, l));
	control_items(a->c, a->id, "listener_list", items);
}

static void run_application_list(const struct verb_call *a)
{
	const struct site_spec *spec = &a->sh->world.spec;
	json_t *items = json_array();

	for (size_t i = 0; i < spec->application_count; i++)
		json_array_append_new(items,
				      show_application(a->sh, &spec->applications[i]));
	control_items(a->c, a->id, "application_list", items);
}

static void run_resource_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.resource_count; i++)
		json_array_append_new(items,
				      show_resource(a->sh, &a->sh->world.resources[i]));
	control_items(a->c, a->id, "resource_list", items);
}

static void run_gateway_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (uint32_t i = 0; i < a->sh->gateway_count; i++)
		json_array_append_new(items, show_gateway(a->sh, i));
	control_items(a->c, a->id, "gateway_list", items);
}

static void run_engine_stop(const struct verb_call *a)
{
	const char *machines = verb_text(a, "machines");

	if (machines[0] && strcmp(machines, "stay") != 0) {
		control_error(a->c, a->id, "usage", NULL,
			      "machines can only \"stay\"; site.close destroys them first",
			      NULL);
		return;
	}
	control_send(a->c, json_pack("{s:I, s:b, s:s}", "id", a->id, "ok", 1,
				     "text", "engine stops; machines and sessions stay"));
	shell_stop(a->sh, 0);
}

static void run_site_close(const struct verb_call *a)
{
	a->sh->closing = true;
	verb_command(a, COMMAND_SITE_CLOSE);
}

static void run_site_reload(const struct verb_call *a)
{
	struct error err;

	if (!a->sh->rules.ready)
		control_error(a->c, a->id, "busy", NULL,
			      "the rules role is being restarted; try again", NULL);
	else if (rules_load_site(a->sh, &err) < 0)
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
	else
		a->sh->reload = (struct reload){ a->c->number, a->id };
}

static void run_subscribe(const struct verb_call *a)
{
	json_t *topics = json_object_get(a->request, "topics"), *name;
	unsigned wanted = topics ? 0 : subscription_all();
	size_t i;

	json_array_foreach(topics, i, name) {
		const char *text = json_string_value(name);
		unsigned bit = text ? subscription_topic(text) : 0;

		if (!bit) {
			control_error(a->c, a->id, "usage", NULL,
				      "an unknown topic", text);
			return;
		}
		wanted |= bit;
	}
	a->c->topics = wanted;
	a->c->full = true;
	control_send(a->c, json_pack("{s:I, s:b, s:s}", "id", a->id, "ok", 1,
				     "text", "subscribed"));
	subscription_flush(a->c);
}

const struct verb verbs_site[] = {
	{ "info", run_info, false, "" },
	{ "listener.list", run_listener_list, false, "" },
	{ "application.list", run_application_list, false, "" },
	{ "resource.list", run_resource_list, false, "" },
	{ "gateway.list", run_gateway_list, false, "" },
	{ "engine.stop", run_engine_stop, true, "machines " },
	{ "site.close", run_site_close, true, "" },
	{ "site.reload", run_site_reload, true, "" },
	{ "subscribe", run_subscribe, false, "topics " },
	{ 0 },
};
