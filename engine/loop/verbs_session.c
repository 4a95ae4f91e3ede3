/*
 * Verbs about what happened and happens: session, request, event.  Live ones
 * are read from the world, history from the store.
 */
#include <stdio.h>
#include <string.h>

#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

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

static void make_query(const struct verb_call *a, struct db_query *q)
{
	*q = (struct db_query){
		.before_id = (uint64_t)verb_int(a, "before", 0),
		.limit = (uint32_t)verb_int(a, "limit", 100),
	};
	TEXT_SET(q->user, verb_text(a, "user"));
	TEXT_SET(q->machine, verb_text(a, "machine"));
	TEXT_SET(q->application, verb_text(a, "application"));
}

static void run_session_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;

	make_query(a, &q);
	if (verb_true(a, "history")) {
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

static void run_session_show(const struct verb_call *a)
{
	uint64_t id = (uint64_t)verb_int(a, "session", 0);
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
		verb_item(a, "session", json_incref(item));
	else
		verb_not_found(a, "session", number);
	json_decref(items);
}

static void run_session_extend(const struct verb_call *a)
{
	const char *text = verb_text(a, "for");
	struct error err;
	int64_t ms;

	if (text_parse_duration_ms(text, &ms, &err) < 0) {
		control_error(a->c, a->id, "usage", NULL,
			      "\"for\" wants a time such as 30m", NULL);
		return;
	}
	verb_command_for(a, COMMAND_SESSION_EXTEND, ms);
}

static void run_session_end(const struct verb_call *a)
{
	verb_command(a, COMMAND_SESSION_END);
}

static void run_request_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;

	make_query(a, &q);
	if (verb_true(a, "history")) {
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

static void run_event_list(const struct verb_call *a)
{
	const char *object = verb_text(a, "object");
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

const struct verb verbs_session[] = {
	{ "session.list", run_session_list, false,
	  "history user machine application limit before " },
	{ "session.show", run_session_show, false, "session " },
	{ "session.end", run_session_end, true, "session text " },
	{ "session.extend", run_session_extend, true, "session for " },
	{ "request.list", run_request_list, false,
	  "history user application limit before " },
	{ "event.list", run_event_list, false, "limit before object " },
	{ 0 },
};
