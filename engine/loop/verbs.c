/*
 * The verbs of the control protocol.  Lists read the world or the store;
 * changes become one EVENT_COMMAND, answered when its turn is durable.  Every
 * verb declares its arguments: an unknown one is an error, not ignored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/loop/control.h"
#include "engine/loop/show.h"
#include "engine/loop/subscribe.h"

struct call_args {
	struct control_client *c;
	struct shell *sh;
	json_int_t id;
	const char *verb;
	json_t *request;
};

static const char *arg_text(const struct call_args *a, const char *name)
{
	const char *s = json_string_value(json_object_get(a->request, name));

	return s ? s : "";
}

static int64_t arg_int(const struct call_args *a, const char *name,
		       int64_t absent)
{
	json_t *v = json_object_get(a->request, name);

	return json_is_integer(v) ? json_integer_value(v) : absent;
}

static bool arg_true(const struct call_args *a, const char *name)
{
	return json_is_true(json_object_get(a->request, name));
}

static void answer_item(const struct call_args *a, const char *kind, json_t *item)
{
	control_send(a->c, json_pack("{s:I, s:b, s:s, s:o}", "id", a->id, "ok",
				     1, "kind", kind, "item", item));
}

static void not_found(const struct call_args *a, const char *kind,
		      const char *name)
{
	char object[160], text[220];

	snprintf(object, sizeof(object), "%s/%.100s", kind, name);
	snprintf(text, sizeof(text), "there is no %s \"%.100s\"", kind, name);
	control_error(a->c, a->id, "not_found", object, text, NULL);
}

static void run_info(const struct call_args *a)
{
	answer_item(a, "info", show_info(a->sh));
}

static void run_host_list(const struct call_args *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.host_count; i++)
		json_array_append_new(items, show_host(a->sh, a->sh->world.hosts[i]));
	control_items(a->c, a->id, "host_list", items);
}

static void run_host_show(const struct call_args *a)
{
	const char *name = arg_text(a, "name");
	const struct host *h = world_host(&a->sh->world, slice_of(name));

	if (h)
		answer_item(a, "host", show_host(a->sh, h));
	else
		not_found(a, "host", name);
}

static void run_pool_list(const struct call_args *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.pool_count; i++)
		json_array_append_new(items, show_pool(a->sh, a->sh->world.pools[i]));
	control_items(a->c, a->id, "pool_list", items);
}

static void run_pool_show(const struct call_args *a)
{
	const char *name = arg_text(a, "name");
	const struct pool *p = world_pool(&a->sh->world, slice_of(name));

	if (p)
		answer_item(a, "pool", show_pool(a->sh, p));
	else
		not_found(a, "pool", name);
}

static void run_machine_list(const struct call_args *a)
{
	const char *pool = arg_text(a, "pool");
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.pool_count; i++) {
		const struct pool *p = a->sh->world.pools[i];

		if (pool[0] && strcmp(pool, p->spec.name) != 0)
			continue;
		LIST_EACH(&p->machines, it)
			json_array_append_new(items, show_machine(a->sh,
				LIST_ENTRY(it, struct machine, pool_link)));
	}
	control_items(a->c, a->id, "machine_list", items);
}

static void run_machine_show(const struct call_args *a)
{
	const char *name = arg_text(a, "name");
	const struct machine *m = world_machine_by_name(&a->sh->world,
							slice_of(name));

	if (m)
		answer_item(a, "machine", show_machine(a->sh, m));
	else
		not_found(a, "machine", name);
}

static void add_session(void *items, const struct session_row *row)
{
	json_array_append_new(items, show_session_row(row));
}

static void add_request(void *items, const struct request_row *row)
{
	json_array_append_new(items, show_request_row(row, 0, 0));
}

static void add_event(void *items, const struct event_row *row)
{
	json_array_append_new(items, show_event(row));
}

static void make_query(const struct call_args *a, struct db_query *q)
{
	*q = (struct db_query){
		.before_id = (uint64_t)arg_int(a, "before", 0),
		.limit = (uint32_t)arg_int(a, "limit", 100),
	};
	TEXT_SET(q->user, arg_text(a, "user"));
	TEXT_SET(q->machine, arg_text(a, "machine"));
	TEXT_SET(q->application, arg_text(a, "application"));
}

static void run_session_list(const struct call_args *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;

	make_query(a, &q);
	if (arg_true(a, "history")) {
		if (db_query_sessions(a->sh->db, &q, add_session, items, &err) < 0) {
			json_decref(items);
			control_error(a->c, a->id, "failed", NULL, err.text, NULL);
			return;
		}
	} else {
		LIST_EACH(&a->sh->world.live, it) {
			const struct session_row *r =
				&LIST_ENTRY(it, struct session, live_link)->row;

			if ((!q.user[0] || strcmp(q.user, r->user) == 0) &&
			    (!q.machine[0] ||
			     strcmp(q.machine, r->machine_name) == 0) &&
			    (!q.application[0] ||
			     strcmp(q.application, r->application) == 0))
				add_session(items, r);
		}
	}
	control_items(a->c, a->id, "session_list", items);
}

static void run_session_show(const struct call_args *a)
{
	uint64_t id = (uint64_t)arg_int(a, "session", 0);
	const struct session *s = world_session(&a->sh->world, id);
	struct db_query q = { .before_id = id + 1, .limit = 1 };
	json_t *items = json_array();
	struct error err;
	char number[32];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	if (s)
		add_session(items, &s->row);
	else if (db_query_sessions(a->sh->db, &q, add_session, items, &err) < 0)
		json_array_clear(items);
	json_t *item = json_array_get(items, 0);
	if (item && (uint64_t)json_integer_value(json_object_get(item, "id")) == id)
		answer_item(a, "session", json_incref(item));
	else
		not_found(a, "session", number);
	json_decref(items);
}

static void run_request_list(const struct call_args *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;

	make_query(a, &q);
	if (arg_true(a, "history")) {
		if (db_query_requests(a->sh->db, &q, add_request, items, &err) < 0) {
			json_decref(items);
			control_error(a->c, a->id, "failed", NULL, err.text, NULL);
			return;
		}
	}
	for (size_t i = 0; i < a->sh->world.pool_count; i++)
		LIST_EACH(&a->sh->world.pools[i]->waiting, it)
			json_array_append_new(items, show_request(a->sh,
				LIST_ENTRY(it, struct request, wait_link)));
	control_items(a->c, a->id, "request_list", items);
}

static void run_event_list(const struct call_args *a)
{
	const char *object = arg_text(a, "object");
	json_t *items = json_array();
	struct db_query q;
	struct error err;

	make_query(a, &q);
	TEXT_SET(q.machine, object);
	if (db_query_events(a->sh->db, &q, add_event, items, &err) < 0) {
		json_decref(items);
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
		return;
	}
	control_items(a->c, a->id, "event_list", items);
}

static void run_listener_list(const struct call_args *a)
{
	json_t *items = json_array();

	for (const struct listener *l = a->sh->listeners; l; l = l->next)
		json_array_append_new(items, show_listener(a->sh, l));
	control_items(a->c, a->id, "listener_list", items);
}

static void run_application_list(const struct call_args *a)
{
	const struct site_spec *spec = &a->sh->world.spec;
	json_t *items = json_array();

	for (size_t i = 0; i < spec->application_count; i++)
		json_array_append_new(items,
				      show_application(a->sh, &spec->applications[i]));
	control_items(a->c, a->id, "application_list", items);
}

static void run_resource_list(const struct call_args *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.resource_count; i++)
		json_array_append_new(items,
				      show_resource(a->sh, &a->sh->world.resources[i]));
	control_items(a->c, a->id, "resource_list", items);
}

static void run_gateway_list(const struct call_args *a)
{
	json_t *items = json_array();

	for (uint32_t i = 0; i < a->sh->gateway_count; i++)
		json_array_append_new(items, show_gateway(a->sh, i));
	control_items(a->c, a->id, "gateway_list", items);
}

static void run_command(const struct call_args *a, enum command_verb verb)
{
	struct control *ctl = a->c->control;
	struct event ev = { .kind = EVENT_COMMAND };
	struct reply *r = calloc(1, sizeof(*r));

	CHECK("", r, "out of memory");
	*r = (struct reply){ .client = a->c->number, .id = a->id };
	map_put(&ctl->replies, ++ctl->next_reply, r);
	ev.command.verb = verb;
	ev.command.reply = ctl->next_reply;
	ev.command.name = slice_of(arg_text(a, "name"));
	ev.command.who = slice_of(a->c->who);
	ev.command.session = (uint64_t)arg_int(a, "session", 0);
	ev.command.serve = arg_int(a, "serve", -1);
	ev.command.spare = arg_int(a, "spare", -1);
	ev.command.max = arg_int(a, "max", -1);
	ev.command.dry_run = arg_true(a, "dry_run");
	shell_step(a->sh, &ev);
}

static void run_pool_scale(const struct call_args *a)
{
	run_command(a, COMMAND_POOL_SCALE);
}

static void run_machine_hold(const struct call_args *a)
{
	run_command(a, COMMAND_MACHINE_HOLD);
}

static void run_machine_release(const struct call_args *a)
{
	run_command(a, COMMAND_MACHINE_RELEASE);
}

static void run_machine_restart(const struct call_args *a)
{
	run_command(a, COMMAND_MACHINE_RESTART);
}

static void run_machine_delete(const struct call_args *a)
{
	run_command(a, COMMAND_MACHINE_DELETE);
}

static void run_session_end(const struct call_args *a)
{
	run_command(a, COMMAND_SESSION_END);
}

static void run_site_close(const struct call_args *a)
{
	a->sh->closing = true;
	run_command(a, COMMAND_SITE_CLOSE);
}

static void run_engine_stop(const struct call_args *a)
{
	const char *machines = arg_text(a, "machines");

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

static void run_site_reload(const struct call_args *a)
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

static const struct machine *find_whois(const struct call_args *a)
{
	const struct world *w = &a->sh->world;
	uint64_t id = (uint64_t)arg_int(a, "session", 0);
	const struct session *s = world_session(w, id);

	if (id)
		return s ? world_machine(w, s->row.machine) : NULL;
	/* An address: which machine's pattern gives it. */
	const char *address = arg_text(a, "address");
	for (size_t i = 0; address[0] && i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);
			char at[160];

			shell_machine_address(m, at, sizeof(at));
			size_t n = strcspn(at, ":");
			if (at[0] && (strcmp(at, address) == 0 ||
				      (strlen(address) == n &&
				       strncmp(at, address, n) == 0)))
				return m;
		}
	return world_machine_by_name(w, slice_of(arg_text(a, "name")));
}

static void run_whois(const struct call_args *a)
{
	const struct machine *m = find_whois(a);
	const struct session *s =
		m ? world_session(&a->sh->world, m->row.session) : NULL;

	if (!m) {
		control_error(a->c, a->id, "not_found", NULL,
			      "no machine answers to that", NULL);
		return;
	}
	/* From the binding, and only while the machine carries the user. */
	bool bound = s && m->row.state == MACHINE_IN_SESSION;
	answer_item(a, "whois", json_pack("{s:s, s:s, s:I, s:s*, s:o, s:s*}",
		"machine", m->row.name, "state",
		sm_name(&machine_table, m->row.state), "incarnation",
		(json_int_t)m->row.incarnation, "user",
		bound ? s->row.user : NULL, "session",
		bound ? json_integer((json_int_t)s->row.id) : json_null(),
		"application", bound ? s->row.application : NULL));
}

static void run_subscribe(const struct call_args *a)
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

static void run_machine_console(const struct call_args *a)
{
	serial_open(a->c, a->id, arg_text(a, "name"));
}

static const struct verb {
	const char *name;
	void (*run)(const struct call_args *a);
	bool changes;
	const char *args;	/* allowed, each followed by a blank */
} verbs[] = {
	{ "info", run_info, false, "" },
	{ "host.list", run_host_list, false, "" },
	{ "host.show", run_host_show, false, "name " },
	{ "pool.list", run_pool_list, false, "" },
	{ "pool.show", run_pool_show, false, "name " },
	{ "pool.scale", run_pool_scale, true, "name serve spare max dry_run " },
	{ "machine.list", run_machine_list, false, "pool " },
	{ "machine.show", run_machine_show, false, "name " },
	{ "machine.hold", run_machine_hold, true, "name " },
	{ "machine.release", run_machine_release, true, "name " },
	{ "machine.restart", run_machine_restart, true, "name " },
	{ "machine.delete", run_machine_delete, true, "name " },
	{ "machine.console", run_machine_console, true, "name " },
	{ "session.list", run_session_list, false,
	  "history user machine application limit before " },
	{ "session.show", run_session_show, false, "session " },
	{ "session.end", run_session_end, true, "session text " },
	{ "request.list", run_request_list, false,
	  "history user application limit before " },
	{ "event.list", run_event_list, false, "limit before object " },
	{ "listener.list", run_listener_list, false, "" },
	{ "application.list", run_application_list, false, "" },
	{ "resource.list", run_resource_list, false, "" },
	{ "gateway.list", run_gateway_list, false, "" },
	{ "whois", run_whois, false, "name session address " },
	{ "engine.stop", run_engine_stop, true, "machines " },
	{ "site.close", run_site_close, true, "" },
	{ "site.reload", run_site_reload, true, "" },
	{ "subscribe", run_subscribe, false, "topics " },
};

static bool arguments_known(const struct call_args *a, const struct verb *v)
{
	const char *key;
	json_t *value;
	char word[80];

	json_object_foreach(a->request, key, value) {
		snprintf(word, sizeof(word), "%.70s ", key);
		const char *at = strstr(v->args, word);

		if (strcmp(key, "id") == 0 || strcmp(key, "verb") == 0 ||
		    (at && (at == v->args || at[-1] == ' ')))
			continue;
		snprintf(word, sizeof(word), "unknown argument \"%.50s\"", key);
		control_error(a->c, a->id, "usage", NULL, word, NULL);
		return false;
	}
	return true;
}

void verbs_run(struct control_client *c, json_int_t id, const char *verb,
	       json_t *request)
{
	struct call_args a = { c, c->control->shell, id, verb, request };
	char text[120];

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(v->name, verb) != 0)
			continue;
		if (!arguments_known(&a, v))
			return;
		if (v->changes && !c->may_change)
			control_error(c, id, "read_only", NULL,
				      "only the site's owner and root may change things",
				      NULL);
		else
			v->run(&a);
		return;
	}
	snprintf(text, sizeof(text), "unknown verb \"%.60s\"", verb);
	control_error(c, id, "usage", NULL, text, NULL);
}
