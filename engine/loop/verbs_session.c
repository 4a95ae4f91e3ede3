/*
 * Verbs about what happened and happens: session, request, event, history.  Live ones
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

static bool is(const char *filter, const char *value)
{
	return !filter[0] || strcmp(filter, value) == 0;
}

static void run_session_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;
	int rc = 0;

	verb_query(a, &q);
	if (verb_true(a, "history"))
		rc = db_query_sessions(a->sh->db, &q, add_session, items, &err);
	else
		LIST_EACH(&a->sh->world.live, it) {
			const struct session *live =
				LIST_ENTRY(it, struct session, live_link);
			const struct session_row *r = &live->row;

			if (is(q.user, r->user) && is(q.pool, r->pool) &&
			    is(q.machine, r->machine_name) &&
			    is(q.application, r->application) &&
			    is(q.listener, r->listener))
				json_array_append_new(items, show_session(live));
		}
	verb_page(a, "session_list", rc, items, q.next, &err);
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
		json_array_append_new(items, show_session(s));
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

struct waiting {
	const struct verb_call *a;
	const struct db_query *q;
	json_t *items;
};

static bool add_place(void *arg, struct request *r, uint32_t place)
{
	struct waiting *x = arg;

	r->place = place;
	if (is(x->q->user, r->row.user) && is(x->q->state, "waiting") &&
	    is(x->q->application, r->row.application) &&
	    is(x->q->listener, r->row.listener))
		json_array_append_new(x->items, show_request(x->a->sh, r));
	return true;
}

/* Line by line, in the order in which they will be served. */
static void add_waiting(const struct verb_call *a, const struct db_query *q,
			json_t *items)
{
	const struct world *w = &a->sh->world;
	struct waiting x = { a, q, items };

	for (size_t i = 0; i < w->line_count; i++)
		line_walk(w->line_list[i], add_place, &x);
}

/* Those that wait now, and, asked for history, a page of those decided. */
static void run_request_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;
	int rc = 0;

	verb_query(a, &q);
	if (!q.before_id)
		add_waiting(a, &q, items);
	if (verb_true(a, "history"))
		rc = db_query_requests(a->sh->db, &q, add_request, items, &err);
	verb_page(a, "request_list", rc, items, q.next, &err);
}

static void run_queue_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;

	verb_query(a, &q);
	add_waiting(a, &q, items);
	control_items(a->c, a->id, "queue_list", items);
}

static void run_event_list(const struct verb_call *a)
{
	json_t *items = json_array();
	struct db_query q;
	struct error err;
	int rc;

	verb_query(a, &q);
	TEXT_SET(q.state, verb_text(a, "severity"));
	TEXT_SET(q.code, verb_text(a, "kind"));
	rc = db_query_events(a->sh->db, &q, add_event, items, &err);
	verb_page(a, "event_list", rc, items, q.next, &err);
}

static json_t *number_or_null(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static void add_hour(void *items, const struct db_hour *h)
{
	json_array_append_new(items, json_pack(
		"{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, "
		"s:I, s:I, s:I}",
		"hour", show_time(h->start_wall_ms),
		"sessions", (json_int_t)h->sessions,
		"closed", (json_int_t)h->closed, "lost", (json_int_t)h->lost,
		"failed", (json_int_t)h->failed,
		"refused", (json_int_t)h->refused,
		"cancelled", (json_int_t)h->cancelled,
		"waited", (json_int_t)h->waited,
		"wait_mean_ms", number_or_null(h->sessions ?
			h->wait_ms / (int64_t)h->sessions : -1),
		"wait_p50_ms", number_or_null(h->wait_p50_ms),
		"wait_p95_ms", number_or_null(h->wait_p95_ms),
		"bytes_in", (json_int_t)h->bytes_in,
		"bytes_out", (json_int_t)h->bytes_out,
		"session_ms", (json_int_t)h->session_ms,
		"machine_ms", (json_int_t)h->machine_ms));
}

static void run_history_hours(const struct verb_call *a)
{
	struct db_hours_query q = {
		.limit = verb_page_rows(a),
		.since_wall_ms = verb_int(a, "since_ms", 0),
		.before_wall_ms = verb_int(a, "before",
					   verb_int(a, "until_ms", 0)),
	};
	json_t *items = json_array();
	struct error err;

	TEXT_SET(q.pool, verb_text(a, "pool"));
	TEXT_SET(q.application, verb_text(a, "application"));
	int rc = db_query_hours(a->sh->db, &q, add_hour, items, &err);
	verb_page(a, "hour_list", rc, items, (uint64_t)q.next, &err);
}

static void add_deed(void *items, const struct db_deed *d)
{
	json_array_append_new(items, json_pack(
		"{s:I, s:o, s:s, s:I, s:I, s:s, s:s, s:s, s:b, s:s, s:s?, s:s}",
		"id", (json_int_t)d->id, "time", show_time(d->wall_ms), "who",
		d->who, "uid", (json_int_t)d->uid, "pid", (json_int_t)d->pid,
		"program", d->program, "command", d->verb, "arguments",
		d->arguments, "dry_run", d->dry_run, "outcome",
		d->code[0] ? "failed" : "ok", "code",
		d->code[0] ? d->code : NULL, "text", d->text));
}

static void run_audit_list(const struct verb_call *a)
{
	json_t *items;
	struct db_query q;
	struct error err;

	if (verb_refused(a))
		return;
	items = json_array();
	verb_query(a, &q);
	TEXT_SET(q.code, verb_text(a, "command"));
	TEXT_SET(q.state, verb_text(a, "outcome"));
	int rc = db_query_deeds(a->sh->db, &q, add_deed, items, &err);
	verb_page(a, "audit_list", rc, items, q.next, &err);
}

const struct verb verbs_session[] = {
	{ "session.list", run_session_list, false,
	  "history user machine application listener pool state search since_ms "
	  "until_ms limit before " },
	{ "session.show", run_session_show, false, "session " },
	{ "session.end", run_session_end, true, "session text " },
	{ "session.extend", run_session_extend, true, "session for " },
	{ "request.list", run_request_list, false,
	  "history user machine application listener pool state code search "
	  "since_ms until_ms limit before " },
	{ "queue.list", run_queue_list, false,
	  "user application listener " },
	{ "event.list", run_event_list, false,
	  "object pool machine user application listener severity kind search "
	  "since_ms until_ms limit before " },
	{ "audit.list", run_audit_list, false,
	  "user command outcome search since_ms until_ms limit before " },
	{ "history.hours", run_history_hours, false,
	  "pool application since_ms until_ms limit before " },
	{ 0 },
};
