/*
 * History for people: pages newest first.
 *
 * A page walks the primary key, or the index of the one filter that has one,
 * and looks at the other filters here, so that it can stop after a number of
 * rows.  "Since" and "until" are first turned into ids: ids and wall time
 * almost always run together.  A clock that was set back breaks that by what it
 * was set back, so ids are taken that much wider, and the time is compared too.
 */
#include <stdio.h>
#include <string.h>

#include "db/db_internal.h"

enum { ROWS_DEFAULT = 100, HOUR_MS = 3600 * 1000, CLOCK_BACK_MS = 26 * HOUR_MS };

/* What is to be walked. */
struct walk {
	enum db_stmt_id plain, since, until;
	enum db_stmt_id indexed;	/* used when key is not NULL */
	const char *key;
	const struct db_table *table;
	int64_t (*time)(const void *row);
	/* Beyond key and time: 1 = wanted, 0 = not, -1 = error. */
	int (*fits)(struct db *db, const struct db_query *q, const void *row,
		    struct error *err);
	void *arg;
};

/* The id a statement gives for a time, or absent. */
static int id_at(struct db *db, enum db_stmt_id id, int64_t wall_ms,
		 int64_t *at, struct error *err)
{
	struct db_statement *st = db_stmt(db, id, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, wall_ms);
	int rc = db_step(db, st, err);
	if (rc == 1) {
		*at = sqlite3_column_int64(st->stmt, 0);
		sqlite3_reset(st->stmt);
	}
	return rc < 0 ? -1 : 0;
}

static bool in_time(const struct db_query *q, int64_t wall_ms)
{
	return wall_ms >= q->since_wall_ms &&
	       (!q->until_wall_ms || wall_ms < q->until_wall_ms);
}

/* Steps through a page; on_row gets what fits.  row is the caller's. */
static int walk_page(struct db *db, struct db_query *q, const struct walk *w,
		     void *row, void (*give)(const struct walk *, const void *),
		     struct error *err)
{
	uint32_t limit = q->limit ? q->limit : ROWS_DEFAULT;
	uint32_t seen = 0, given = 0;
	int64_t before = q->before_id ? (int64_t)q->before_id : INT64_MAX;
	int64_t first = 0, last = INT64_MAX;
	uint64_t id = 0;
	int rc, fits;

	q->next = 0;
	if (q->since_wall_ms > 0 &&
	    id_at(db, w->since, q->since_wall_ms - CLOCK_BACK_MS, &first, err))
		return -1;
	if (q->until_wall_ms > 0 &&
	    id_at(db, w->until, q->until_wall_ms + CLOCK_BACK_MS, &last, err))
		return -1;
	struct db_statement *st = db_stmt(db, w->key ? w->indexed : w->plain, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, before < last ? before : last);
	db_bind_int(st, 2, first);
	db_bind_int(st, 3, q->scan ? (int64_t)q->scan : INT64_MAX);
	if (w->key)
		db_bind_text(st, 4, w->key);
	while ((rc = db_next(db, st, w->table, row, err)) == 1) {
		memcpy(&id, row, sizeof(id));	/* every row begins with it */
		seen++;
		fits = in_time(q, w->time(row)) ? w->fits(db, q, row, err) : 0;
		if (fits == 1)
			give(w, row);
		given += fits == 1;
		if (fits < 0 || given == limit) {
			sqlite3_reset(st->stmt);
			rc = fits < 0 ? -1 : 0;
			break;
		}
	}
	if (rc == 0 && seen && (given == limit || seen == q->scan))
		q->next = id > 1 ? id : 0;
	return rc;
}

static bool is(const char *filter, const char *value)
{
	return !filter[0] || strcmp(filter, value) == 0;
}

static bool is_word(const char *filter, enum db_kind kind, int value)
{
	const char *word = filter[0] ? db_word(kind, value) : "";

	return word && is(filter, word);
}

static bool has(const char *filter, const char *text)
{
	return !filter[0] || strcasestr(text, filter) != NULL;
}

/* ---- sessions ------------------------------------------------------------ */

struct give_session {
	void (*on_row)(void *, const struct session_row *);
	void *arg;
};

static void give_session(const struct walk *w, const void *row)
{
	const struct give_session *g = w->arg;

	g->on_row(g->arg, row);
}

static int64_t session_time(const void *row)
{
	return ((const struct session_row *)row)->assigned_wall_ms;
}

static int session_fits(struct db *db, const struct db_query *q,
			const void *row, struct error *err)
{
	const struct session_row *s = row;

	(void)db;
	(void)err;
	return is(q->user, s->user) && is(q->machine, s->machine_name) &&
	       is(q->application, s->application) &&
	       is(q->listener, s->listener) && is(q->pool, s->pool) &&
	       is_word(q->state, DB_SESSION_STATE, s->state) &&
	       has(q->text, s->end_text);
}

int db_query_sessions(struct db *db, struct db_query *q,
		      void (*on_row)(void *, const struct session_row *),
		      void *arg, struct error *err)
{
	struct give_session g = { on_row, arg };
	struct session_row row;
	const struct walk w = {
		.plain = STMT_SESSIONS, .since = STMT_SESSIONS_SINCE,
		.until = STMT_SESSIONS_UNTIL, .table = &db_session_table,
		.indexed = q->machine[0] ? STMT_SESSIONS_OF_MACHINE :
					   STMT_SESSIONS_OF_USER,
		.key = q->machine[0] ? q->machine : q->user[0] ? q->user : NULL,
		.time = session_time, .fits = session_fits, .arg = &g,
	};

	return walk_page(db, q, &w, &row, give_session, err);
}

/* ---- requests ------------------------------------------------------------- */

struct give_request {
	void (*on_row)(void *, const struct request_row *);
	void *arg;
};

static void give_request(const struct walk *w, const void *row)
{
	const struct give_request *g = w->arg;

	g->on_row(g->arg, row);
}

static int64_t request_time(const void *row)
{
	return ((const struct request_row *)row)->decided_wall_ms;
}

/* Whether the session a request became is on that machine, of that pool. */
static int place_fits(struct db *db, const struct db_query *q, uint64_t session,
		      struct error *err)
{
	struct db_statement *st;
	int rc;

	if (!q->machine[0] && !q->pool[0])
		return 1;
	if (!session)
		return 0;
	st = db_stmt(db, STMT_SESSION_PLACE, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)session);
	rc = db_step(db, st, err);
	if (rc == 1) {
		const char *machine = (const char *)sqlite3_column_text(st->stmt, 0);
		const char *pool = (const char *)sqlite3_column_text(st->stmt, 1);

		rc = machine && pool && is(q->machine, machine) &&
		     is(q->pool, pool);
		sqlite3_reset(st->stmt);
	}
	return rc;
}

static int request_fits(struct db *db, const struct db_query *q,
			const void *row, struct error *err)
{
	const struct request_row *r = row;

	if (!is(q->user, r->user) || !is(q->application, r->application) ||
	    !is(q->listener, r->listener) || !is(q->code, r->code) ||
	    !is_word(q->state, DB_REQUEST_STATE, r->state) ||
	    !has(q->text, r->text))
		return 0;
	return place_fits(db, q, r->session, err);
}

int db_query_requests(struct db *db, struct db_query *q,
		      void (*on_row)(void *, const struct request_row *),
		      void *arg, struct error *err)
{
	struct give_request g = { on_row, arg };
	struct request_row row;
	const struct walk w = {
		.plain = STMT_REQUESTS, .since = STMT_REQUESTS_SINCE,
		.until = STMT_REQUESTS_UNTIL, .table = &db_request_table,
		.indexed = STMT_REQUESTS_OF_USER,
		.key = q->user[0] ? q->user : NULL, .time = request_time,
		.fits = request_fits, .arg = &g,
	};

	return walk_page(db, q, &w, &row, give_request, err);
}

/* ---- events ------------------------------------------------------------------ */

struct give_event {
	void (*on_row)(void *, const struct event_row *);
	void *arg;
};

static void give_event(const struct walk *w, const void *row)
{
	const struct give_event *g = w->arg;

	g->on_row(g->arg, row);
}

static int64_t event_time(const void *row)
{
	return ((const struct event_row *)row)->wall_ms;
}

static int event_fits(struct db *db, const struct db_query *q, const void *row,
		      struct error *err)
{
	const struct event_row *e = row;

	(void)db;
	(void)err;
	return is_word(q->state, DB_SEVERITY, e->severity) &&
	       is(q->code, e->kind) && has(q->text, e->text);
}

/*
 * An event has one object, so filters mean: events of this object, or of
 * machine/M, pool/P, user/U, application/A, listener/L, whichever is given, in
 * this order.
 */
static bool event_object(const struct db_query *q, char *out, size_t out_size)
{
	const struct { const char *kind, *name; } objects[] = {
		{ "machine", q->machine }, { "pool", q->pool },
		{ "user", q->user }, { "application", q->application },
		{ "listener", q->listener },
	};

	if (q->object[0]) {
		snprintf(out, out_size, "%s", q->object);
		return true;
	}
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (objects[i].name[0]) {
			snprintf(out, out_size, "%s/%s", objects[i].kind,
				 objects[i].name);
			return true;
		}
	return false;
}

int db_query_events(struct db *db, struct db_query *q,
		    void (*on_row)(void *, const struct event_row *),
		    void *arg, struct error *err)
{
	char object[ROW_NAME_SIZE + 32];
	bool of_object = event_object(q, object, sizeof(object));
	struct give_event g = { on_row, arg };
	struct event_row row;
	const struct walk w = {
		.plain = STMT_EVENTS, .since = STMT_EVENTS_SINCE,
		.until = STMT_EVENTS_UNTIL, .table = &db_event_table,
		.indexed = STMT_EVENTS_OF_OBJECT,
		.key = of_object ? object : NULL, .time = event_time,
		.fits = event_fits, .arg = &g,
	};

	return walk_page(db, q, &w, &row, give_event, err);
}

/* ---- changes ----------------------------------------------------------------- */

struct give_change {
	void (*on_row)(void *, const struct change_row *);
	void *arg;
};

static void give_change(const struct walk *w, const void *row)
{
	const struct give_change *g = w->arg;

	g->on_row(g->arg, row);
}

static int64_t change_time(const void *row)
{
	return ((const struct change_row *)row)->started_wall_ms;
}

static int change_fits(struct db *db, const struct db_query *q, const void *row,
		       struct error *err)
{
	const struct change_row *c = row;

	(void)db;
	(void)err;
	return is(q->user, c->who) && has(q->text, c->text) &&
	       is_word(q->state, DB_CHANGE_STATE, c->state);
}

int db_query_changes(struct db *db, struct db_query *q,
		     void (*on_row)(void *, const struct change_row *),
		     void *arg, struct error *err)
{
	struct give_change g = { on_row, arg };
	struct change_row row;
	const struct walk w = {
		.plain = STMT_CHANGES, .since = STMT_CHANGES_SINCE,
		.until = STMT_CHANGES_UNTIL, .table = &db_change_table,
		.indexed = STMT_CHANGES_OF_CLUSTER,
		.key = q->cluster[0] ? q->cluster : NULL, .time = change_time,
		.fits = change_fits, .arg = &g,
	};

	return walk_page(db, q, &w, &row, give_change, err);
}

/* ---- decisions ----------------------------------------------------------------- */

struct give_decision {
	void (*on_row)(void *, const struct decision_row *);
	void *arg;
};

static void give_decision(const struct walk *w, const void *row)
{
	const struct give_decision *g = w->arg;

	g->on_row(g->arg, row);
}

static int64_t decision_time(const void *row)
{
	return ((const struct decision_row *)row)->wall_ms;
}

static int decision_fits(struct db *db, const struct db_query *q,
			 const void *row, struct error *err)
{
	const struct decision_row *d = row;

	(void)db;
	(void)err;
	return is(q->source, d->source) && is(q->object, d->object) &&
	       has(q->text, d->text) && is_word(q->state, DB_OUTCOME, d->outcome);
}

int db_query_decisions(struct db *db, struct db_query *q,
		       void (*on_row)(void *, const struct decision_row *),
		       void *arg, struct error *err)
{
	struct give_decision g = { on_row, arg };
	struct decision_row row;
	const struct walk w = {
		.plain = STMT_DECISIONS, .since = STMT_DECISIONS_SINCE,
		.until = STMT_DECISIONS_UNTIL, .table = &db_decision_table,
		.indexed = q->source[0] ? STMT_DECISIONS_OF_SOURCE :
					  STMT_DECISIONS_OF_OBJECT,
		.key = q->source[0] ? q->source : q->object[0] ? q->object : NULL,
		.time = decision_time, .fits = decision_fits, .arg = &g,
	};

	return walk_page(db, q, &w, &row, give_decision, err);
}
