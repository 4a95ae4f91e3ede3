/*
 * Verbs that look further: the ledger's reports, and what would happen if a host
 * were gone.  A report is made in steps, one a round of the loop, so that turns go
 * on between them whatever is asked for; the answer comes at its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_usage.h"
#include "engine/base/check.h"
#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

enum { REPORTS_MAX = 4, STEP_MS = 1 };

/* ---- usage ------------------------------------------------------------------------ */

struct report {
	struct shell *sh;
	uv_timer_t timer;
	struct db_usage *usage;
	struct db_usage_query q;
	uint64_t client;
	json_int_t id;
};

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static json_t *item_of(const struct report *r, const struct db_usage_row *row)
{
	return json_pack(
		"{s:o, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
		show_text(row->name), "by", db_usage_words[r->q.by], "from",
		show_time(r->q.from_wall_ms), "until",
		show_time(r->q.until_wall_ms), "machine_ms",
		(json_int_t)row->machine_ms, "vcpu_ms",
		(json_int_t)row->vcpu_ms, "mib_ms", (json_int_t)row->mib_ms,
		"session_ms", (json_int_t)row->session_ms, "estimated_ms",
		(json_int_t)row->estimated_ms, "open_ms",
		(json_int_t)row->open_ms);
}

static void answer(struct report *r)
{
	struct control_client *c = control_client_of(r->sh->control, r->client);
	const struct db_usage_row *rows;
	json_t *items;
	size_t count;

	if (!c)
		return;
	items = json_array();
	rows = db_usage_rows(r->usage, &count);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, item_of(r, &rows[i]));
	control_items(c, r->id, "usage_list", items);
}

static void on_step(uv_timer_t *timer)
{
	struct report *r = timer->data;
	struct error err;
	int rc = db_usage_step(r->usage, &err);

	if (rc == 1)
		return;
	if (rc == 0)
		answer(r);
	else
		control_answer(r->sh, r->client, r->id, false, "failed", err.text);
	db_usage_end(r->usage);
	r->sh->control->reports--;
	uv_close((uv_handle_t *)timer, on_closed);
}

/* What is asked for; false with the reason. */
static bool read_query(const struct verb_call *a, struct db_usage_query *q,
		       char why[80])
{
	const char *by = verb_text(a, "by");
	int i = 0;

	while (i < USAGE_BYS && strcmp(db_usage_words[i], by[0] ? by : "user") != 0)
		i++;
	*q = (struct db_usage_query){
		.by = (enum db_usage_by)i, .now_wall_ms = shell_wall_ms(),
		.from_wall_ms = verb_int(a, "from_ms", -1),
		.until_wall_ms = verb_int(a, "until_ms", -1),
	};
	TEXT_SET(q->user, verb_text(a, "user"));
	TEXT_SET(q->application, verb_text(a, "application"));
	TEXT_SET(q->pool, verb_text(a, "pool"));
	TEXT_SET(q->host, verb_text(a, "host"));
	TEXT_SET(q->machine, verb_text(a, "machine"));
	TEXT_SET(q->cluster, verb_text(a, "cluster"));
	if (i == USAGE_BYS)
		snprintf(why, 80, "\"by\" is user, application, pool, cluster, host or machine");
	else if (q->from_wall_ms < 0 || q->until_wall_ms <= q->from_wall_ms)
		snprintf(why, 80, "\"from_ms\" and \"until_ms\" say a time that is not empty");
	else
		return true;
	return false;
}

static void run_usage(const struct verb_call *a)
{
	struct control *ctl = a->c->control;
	struct db_usage_query q;
	struct error err;
	char why[80];

	if (!read_query(a, &q, why)) {
		control_error(a->c, a->id, "usage", NULL, why, NULL);
		return;
	}
	if (ctl->reports == REPORTS_MAX) {
		control_error(a->c, a->id, "busy", NULL,
			      "other reports are being made: ask again", NULL);
		return;
	}
	struct report *r = calloc(1, sizeof(*r));
	CHECK("", r, "out of memory");
	*r = (struct report){ .sh = a->sh, .q = q, .client = a->c->number,
			      .id = a->id };
	if (db_usage_start(a->sh->db, &q, &r->usage, &err) < 0) {
		free(r);
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
		return;
	}
	ctl->reports++;
	r->timer.data = r;
	uv_timer_init(&a->sh->loop, &r->timer);
	uv_timer_start(&r->timer, on_step, 0, STEP_MS);
}

/* ---- what if ------------------------------------------------------------------------- */

static void add_sentence(void *list, const char *sentence)
{
	json_array_append_new(list, show_text(sentence));
}

static void run_host_down(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct host *h = world_host(&a->sh->world, slice_of(name));
	json_t *list;

	if (!h) {
		verb_not_found(a, "host", name);
		return;
	}
	list = json_array();
	whatif_host_down(&a->sh->world, h, add_sentence, list);
	verb_item(a, "whatif", json_pack("{s:o, s:o}", "host", show_text(name),
					 "sentences", list));
}

const struct verb verbs_usage[] = {
	{ "usage", run_usage, false,
	  "by from_ms until_ms user application pool host machine cluster " },
	{ "whatif.host_down", run_host_down, false, "name " },
	{ .name = NULL },
};
