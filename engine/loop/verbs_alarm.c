/*
 * Alarms: what went wrong and nobody has seen to yet.  They are not stored: an
 * alarm is a group of events of one object and kind that warn or failed, open
 * until somebody acknowledges it or the same thing goes well.  Both are events
 * too, so every operator and the next engine see the same alarms.
 *
 * Looked at are the last EVENTS_SCAN events; what is older than those and still
 * open shows in its object's state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

enum { PAGE = 1000, EVENTS_SCAN = 5000, ALARMS_MAX = 500 };

#define KIND_ACK "ACK"

struct alarms {
	json_t *open;		/* "object kind" -> alarm */
	json_t *closed;		/* "object kind" and "object" -> true */
	json_t *items;		/* the same alarms, newest first */
	uint64_t last_id;
};

static bool is_closed(const struct alarms *a, const struct event_row *row,
		      const char *key)
{
	return json_object_get(a->closed, key) ||
	       json_object_get(a->closed, row->object);
}

static void count(json_t *alarm, const struct event_row *row)
{
	json_t *n = json_object_get(alarm, "count");

	json_object_set_new(alarm, "count",
			    json_integer(json_integer_value(n) + 1));
	json_object_set_new(alarm, "first", show_time(row->wall_ms));
	if (row->severity == SEVERITY_FAIL)
		json_object_set_new(alarm, "severity", json_string("fail"));
}

/* Newest first: the first word about a thing is the last that was said. */
static void look(void *arg, const struct event_row *row)
{
	struct alarms *a = arg;
	bool machine = strncmp(row->object, "machine/", 8) == 0;
	char key[sizeof(row->object) + sizeof(row->kind) + 2];

	a->last_id = row->id;
	snprintf(key, sizeof(key), "%s %s", row->object, row->kind);
	if (strcmp(row->kind, KIND_ACK) == 0 ||
	    (machine && strcmp(row->kind, "READY") == 0)) {
		json_object_set_new(a->closed, row->object, json_true());
	} else if (row->severity == SEVERITY_INFO) {
		json_object_set_new(a->closed, key, json_true());
	} else if (!is_closed(a, row, key)) {
		json_t *alarm = json_object_get(a->open, key);

		if (!alarm && json_array_size(a->items) < ALARMS_MAX) {
			alarm = show_event(row);
			json_object_set_new(alarm, "count", json_integer(0));
			json_object_set_new(a->open, key, alarm);
			json_array_append(a->items, alarm);
		}
		if (alarm)
			count(alarm, row);
	}
}

static void run_alarm_list(const struct verb_call *a)
{
	struct alarms all = { .open = json_object(), .closed = json_object(),
			      .items = json_array() };
	struct db_query q = { .limit = PAGE };
	struct error err = { "" };
	int rc = 0;

	for (int seen = 0; seen < EVENTS_SCAN && rc == 0; seen += PAGE) {
		all.last_id = 0;
		rc = db_query_events(a->sh->db, &q, look, &all, &err);
		q.before_id = all.last_id;
		if (!all.last_id)
			break;
	}
	json_decref(all.open);
	json_decref(all.closed);
	if (rc == 0) {
		control_items(a->c, a->id, "alarm_list", all.items);
		return;
	}
	json_decref(all.items);
	control_error(a->c, a->id, "failed", NULL, err.text, NULL);
}

/* ---- acknowledging ----------------------------------------------------- */

struct found {
	uint64_t id;
	struct event_row row;	/* id 0 = none */
};

static void find(void *arg, const struct event_row *row)
{
	struct found *f = arg;

	if (row->id == f->id)
		f->row = *row;
}

/* Answered when the event that says so is durable: alarm_on_event(). */
static void run_alarm_ack(const struct verb_call *a)
{
	struct found f = { .id = (uint64_t)verb_int(a, "event", 0) };
	struct db_query q = { .before_id = f.id + 1, .limit = 1 };
	struct event ev = { .kind = EVENT_NOTICE };
	struct error err = { "" };
	char name[32], text[ROW_TEXT_SIZE];
	const char *slash;

	snprintf(name, sizeof(name), "%" PRIu64, f.id);
	if (db_query_events(a->sh->db, &q, find, &f, &err) < 0) {
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
		return;
	}
	slash = strchr(f.row.object, '/');
	if (!f.row.id || !slash) {
		verb_not_found(a, "event", name);
		return;
	}
	snprintf(text, sizeof(text), "%s acknowledged by %s", f.row.kind,
		 a->c->who);
	ev.notice.severity = SEVERITY_INFO;
	ev.notice.kind = SLICE(KIND_ACK);
	ev.notice.noun = (struct slice){ f.row.object,
					 (uint32_t)(slash - f.row.object) };
	ev.notice.name = slice_of(slash + 1);
	ev.notice.text = slice_of(text);
	json_array_append_new(a->c->control->acks, json_pack(
		"{s:I, s:I, s:s}", "client", (json_int_t)a->c->number, "id",
		(json_int_t)a->id, "object", f.row.object));
	shell_step(a->sh, &ev);
}

void alarm_on_event(struct shell *sh, const struct event_row *row)
{
	json_t *acks = sh->control->acks, *ack;
	size_t i;

	if (strcmp(row->kind, KIND_ACK) != 0)
		return;
	json_array_foreach(acks, i, ack) {
		const char *object =
			json_string_value(json_object_get(ack, "object"));
		struct control_client *c = control_client_of(sh->control,
			(uint64_t)json_integer_value(json_object_get(ack,
								"client")));

		if (strcmp(object, row->object) != 0)
			continue;
		if (c)
			control_send(c, json_pack("{s:O, s:b, s:o}", "id",
				json_object_get(ack, "id"), "ok", 1, "text",
				json_sprintf("%s: %s", row->object, row->text)));
		json_array_remove(acks, i);
		return;
	}
}

const struct verb verbs_alarm[] = {
	{ "alarm.list", run_alarm_list, false, "" },
	{ "alarm.ack", run_alarm_ack, true, "event " },
	{ 0 },
};
