/*
 * Rows: every field comes back as it was saved, and queries give what a plain
 * search through the rows would give.
 */
#include "tests/unit/db_help.h"

enum { ROUNDS = 3000 };

static struct random rnd;

struct collect {
	char *rows;
	size_t row_size, count, size;
};

static void add_row(struct collect *c, const void *row)
{
	if (c->count == c->size) {
		c->size = c->size ? c->size * 2 : 64;
		c->rows = realloc(c->rows, c->size * c->row_size);
		if (!c->rows)
			tap_bail("out of memory");
	}
	memcpy(c->rows + c->count++ * c->row_size, row, c->row_size);
}

static void on_machine(void *arg, const struct machine_row *row)
{
	add_row(arg, row);
}

static void on_session(void *arg, const struct session_row *row)
{
	add_row(arg, row);
}

static void on_request(void *arg, const struct request_row *row)
{
	add_row(arg, row);
}

static void on_event(void *arg, const struct event_row *row)
{
	add_row(arg, row);
}

static void on_override(void *arg, const struct override_row *row)
{
	add_row(arg, row);
}

/* ---- round trips ------------------------------------------------------------ */

static struct machine_row *machines;
static struct session_row *sessions;
static struct request_row *requests;
static struct event_row *events;
static struct override_row *overrides;

/* Random rows, made consistent where one field speaks of another. */
static void make_rows(void)
{
	machines = calloc(ROUNDS, sizeof(*machines));
	sessions = calloc(ROUNDS, sizeof(*sessions));
	requests = calloc(ROUNDS, sizeof(*requests));
	events = calloc(ROUNDS, sizeof(*events));
	overrides = calloc(ROUNDS, sizeof(*overrides));
	if (!machines || !sessions || !requests || !events || !overrides)
		tap_bail("out of memory");
	for (size_t i = 0; i < ROUNDS; i++) {
		struct machine_row *m = &machines[i];
		struct session_row *s = &sessions[i];
		struct request_row *q = &requests[i];

		help_fill(&rnd, &db_machine_table, m);
		help_fill(&rnd, &db_session_table, s);
		help_fill(&rnd, &db_request_table, q);
		help_fill(&rnd, &db_event_table, &events[i]);
		help_fill(&rnd, &db_override_table, &overrides[i]);
		m->id = s->id = q->id = events[i].id = i + 1;
		memset(m->name, 0, sizeof(m->name));
		snprintf(m->name, sizeof(m->name), "%.40s %zu",
			 i % 2 ? "name" : "'", i);
		m->session = random_chance(&rnd, 50) ? s->id : 0;
		if (m->state == MACHINE_READY)
			m->dirty = false;
		if (s->state == SESSION_ASSIGNED || s->state == SESSION_ACTIVE)
			s->ended_wall_ms = 0;
		s->machine = m->id;
		memset(s->request_key, 0, sizeof(s->request_key));
		snprintf(s->request_key, sizeof(s->request_key),
			 "'%zu\xf0\x9f\x90\xb4", i);
		memset(s->ticket, i % 2 ? 'a' : '\0', sizeof(s->ticket));
		s->ticket[sizeof(s->ticket) - 1] = '\0';
		if (q->state == REQUEST_WAITING)
			q->state = REQUEST_ASSIGNED;
		q->session = q->state == REQUEST_ASSIGNED ? s->id : 0;
		memset(overrides[i].key, 0, sizeof(overrides[i].key));
		snprintf(overrides[i].key, sizeof(overrides[i].key),
			 "\"%05zu", i);
	}
}

static void save_rows(struct db *db)
{
	struct error err = { "" };
	int bad = 0;

	for (size_t i = 0; i < ROUNDS; i++) {
		if (i % 100 == 0)
			help_begin(db);
		bad += db_save_machine(db, &machines[i], &err) != 0;
		bad += db_save_session(db, &sessions[i], &err) != 0;
		bad += db_save_request(db, &requests[i], &err) != 0;
		bad += db_save_event(db, &events[i], &err) != 0;
		bad += db_save_override(db, &overrides[i], &err) != 0;
		if (bad) {
			tap_note("%s", err.text);
			break;
		}
		if (i % 100 == 99)
			help_commit(db);
	}
	is_int(bad, 0, "%d rows of each kind are saved", ROUNDS);
}

static void compare(const char *what, const struct db_table *table,
		    struct collect *got, const void *want, bool newest_first)
{
	int differ = 0;

	is_int(got->count, ROUNDS, "all %ss come back", what);
	for (size_t i = 0; i < got->count && i < ROUNDS; i++) {
		size_t at = newest_first ? ROUNDS - 1 - i : i;
		const char *column = help_differ(
			table, got->rows + i * got->row_size,
			(const char *)want + at * table->row_size);

		if (column && differ++ < 3)
			tap_note("%s %zu differs in %s", what, at, column);
	}
	is_int(differ, 0, "every field of every %s is as it was", what);
	free(got->rows);
}

static void test_round_trip(void)
{
	struct db_query all = { .limit = ROUNDS + 10 };
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "round.db"));

	make_rows();
	save_rows(db);
	db_close(db);
	db = help_open(path);

	struct collect m = { .row_size = sizeof(struct machine_row) };
	is_int(db_load_machines(db, on_machine, &m, &err), 0, "machines load");
	compare("machine", &db_machine_table, &m, machines, false);

	struct collect s = { .row_size = sizeof(struct session_row) };
	is_int(db_query_sessions(db, &all, on_session, &s, &err), 0,
	       "sessions load");
	compare("session", &db_session_table, &s, sessions, true);

	struct collect q = { .row_size = sizeof(struct request_row) };
	is_int(db_query_requests(db, &all, on_request, &q, &err), 0,
	       "requests load");
	compare("request", &db_request_table, &q, requests, true);

	struct collect e = { .row_size = sizeof(struct event_row) };
	is_int(db_query_events(db, &all, on_event, &e, &err), 0, "events load");
	compare("event", &db_event_table, &e, events, true);

	struct collect o = { .row_size = sizeof(struct override_row) };
	is_int(db_load_overrides(db, on_override, &o, &err), 0,
	       "overrides load");
	compare("override", &db_override_table, &o, overrides, false);

	int found = 0;
	for (size_t i = 0; i < ROUNDS; i++) {
		struct session_row row;

		if (db_find_request(db, sessions[i].user,
				    sessions[i].request_key, &row, &err) == 0)
			found += row.id == sessions[i].id;
	}
	is_int(found, ROUNDS, "every session is found by its request id");
	db_close(db);
}

/* ---- updates, deletes, loading -------------------------------------------------- */

static void test_changes(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "changes.db"));
	struct session_row s = help_session(1, 1, 1, "ann"), out;
	struct machine_row m = help_machine(1, 1);

	TEXT_SET(s.request_key, "r1");
	help_begin(db);
	is_int(help_counters(db), 0, "counters are raised");
	is_int(db_save_machine(db, &m, &err) | db_save_session(db, &s, &err), 0,
	       "a machine may name a session saved after it");
	help_commit(db);
	help_begin(db);
	s.state = SESSION_ACTIVE;
	s.accepted_wall_ms = s.assigned_wall_ms + 3;
	s.accept_ms = 3;
	s.bytes_in = 11;
	s.bytes_out = 22;
	m.state = MACHINE_IN_SESSION;
	is_int(db_save_machine(db, &m, &err) | db_save_session(db, &s, &err), 0,
	       "rows are updated");
	help_commit(db);
	is_int(db_find_request(db, "ann", "r1", &out, &err), 0, "found");
	ok(!help_differ(&db_session_table, &s, &out), "with every change");
	is_int(db_find_request(db, "bob", "r1", &out, &err), 0,
	       "another user's key");
	is_int(out.id, 0, "gives nothing");
	is_int(db_find_request(db, "ann", "", &out, &err) | (int)out.id, 0,
	       "no key gives nothing");
	struct db_keep keep = { .keys_before = INT64_MAX };
	int steps = 0;
	do {
		help_begin(db);
		steps = db_prune(db, &keep, &err);
		help_commit(db);
	} while (steps == 1);
	is_int(db_find_request(db, "ann", "r1", &out, &err) | !out.id, 0,
	       "an id is not forgotten while its session's row stands");
	is_int(db_exec(db, "BEGIN; UPDATE machine SET session = NULL; "
		       "DELETE FROM session WHERE id = 1", &err), 0,
	       "without its row");
	is_int(db_find_request(db, "ann", "r1", &out, &err) | !out.id, 0,
	       "the id is known");
	is_int(out.state, SESSION_CLOSED, "as one that is over");
	is_text(out.machine_name, s.machine_name, "on that machine");
	is_int(db_exec(db, "ROLLBACK", &err), 0, "back again");

	struct collect c = { .row_size = sizeof(struct session_row) };
	is_int(db_load_live_sessions(db, on_session, &c, &err), 0, "load");
	is_int(c.count, 1, "an active session is live");
	help_begin(db);
	help_end(&s, SESSION_CLOSED);
	m.state = MACHINE_CLEANING;
	is_int(db_save_machine(db, &m, &err) | db_save_session(db, &s, &err), 0,
	       "the session ends");
	help_commit(db);
	c.count = 0;
	is_int(db_load_live_sessions(db, on_session, &c, &err), 0, "load");
	is_int(c.count, 1, "an ended session loads until its machine is clean");
	help_begin(db);
	m.state = MACHINE_READY;
	m.dirty = false;
	m.session = 0;
	m.incarnation++;
	s.clean_ms = 77;
	s.cleaned_wall_ms = s.ended_wall_ms + 77;
	is_int(db_save_machine(db, &m, &err) | db_save_session(db, &s, &err), 0,
	       "the machine is clean");
	help_commit(db);
	c.count = 0;
	is_int(db_load_live_sessions(db, on_session, &c, &err), 0, "load");
	is_int(c.count, 0, "then it is history");
	free(c.rows);
	is_int(db_audit(db, &err), 0, "audit: %s", err.text);
	db_close(db);
}

static void test_deletes(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "deletes.db"));
	struct machine_row m = help_machine(1, 0);
	struct override_row o = { .value = 4, .wall_ms = 9 };
	TEXT_SET(o.key, "pool/mail/serve");
	TEXT_SET(o.who, "root");
	help_begin(db);
	is_int(help_counters(db) | db_save_machine(db, &m, &err), 0,
	       "a machine");
	help_commit(db);
	help_begin(db);
	is_int(db_save_override(db, &o, &err) | db_delete_machine(db, 1, &err) |
	       db_save_bundle(db, "abc", "{}", "site.lua", 5, &err) |
	       db_save_bundle(db, "abc", "{}", "site.lua", 6, &err), 0,
	       "override, delete, bundle twice");
	help_commit(db);
	struct collect gone = { .row_size = sizeof(struct machine_row) };
	is_int(db_load_machines(db, on_machine, &gone, &err), 0, "load");
	is_int(gone.count, 0, "a deleted machine is gone");
	help_begin(db);
	is_int(db_delete_override(db, o.key, &err), 0, "delete override");
	help_commit(db);
	struct collect none = { .row_size = sizeof(struct override_row) };
	is_int(db_load_overrides(db, on_override, &none, &err), 0, "load");
	is_int(none.count, 0, "a deleted override is gone");
	is_int(db_audit(db, &err), 0, "audit: %s", err.text);
	db_close(db);
}

/* ---- queries against a plain search --------------------------------------------------- */

enum { HISTORY = 2000, QUERIES = 400 };
static const int64_t T0 = 1764000000000;

static void make_history(struct db *db)
{
	struct error err = { "" };
	int64_t wall_ms = T0;

	help_begin(db);
	for (uint64_t i = 0; i < HISTORY; i++) {
		struct session_row *s = &sessions[i];
		struct request_row *q = &requests[i];
		struct event_row *e = &events[i];

		wall_ms += (int64_t)random_below(&rnd, 60000);
		if (i == HISTORY / 2)	/* somebody sets the clock back */
			wall_ms -= 6 * 3600 * 1000;
		*s = help_session(i + 1, 1 + i % 40, 1 + i / 40, "");
		snprintf(s->user, sizeof(s->user), "u%d",
			 (int)random_below(&rnd, 5));
		snprintf(s->application, sizeof(s->application), "a%d",
			 (int)random_below(&rnd, 3));
		snprintf(s->pool, sizeof(s->pool), "p%d", (int)(i % 2));
		s->assigned_wall_ms = wall_ms;
		help_end(s, random_chance(&rnd, 50) ? SESSION_CLOSED :
						      SESSION_LOST);
		TEXT_SET(s->end_text, random_chance(&rnd, 30) ? "The Gateway died" : "");
		*q = (struct request_row){
			.id = i + 1, .decided_wall_ms = wall_ms,
			.state = random_chance(&rnd, 50) ? REQUEST_ASSIGNED :
							   REQUEST_REFUSED };
		q->session = q->state == REQUEST_ASSIGNED ? s->id : 0;
		TEXT_SET(q->user, s->user);
		TEXT_SET(q->application, s->application);
		TEXT_SET(q->code, random_chance(&rnd, 30) ? "timeout" : "");
		TEXT_SET(q->text, random_chance(&rnd, 30) ? "no GATEWAY" : "");
		*e = (struct event_row){ .id = i + 1, .wall_ms = wall_ms };
		e->severity = (int)random_below(&rnd, 3);
		TEXT_SET(e->kind, random_chance(&rnd, 50) ? "timeout" : "CLEAN");
		TEXT_SET(e->text, random_chance(&rnd, 30) ? "gateway 3" : "");
		snprintf(e->object, sizeof(e->object), "%s/%s",
			 i % 2 ? "machine" : "user",
			 i % 2 ? s->machine_name : s->user);
		if (db_save_session(db, s, &err) ||
		    db_save_request(db, q, &err) || db_save_event(db, e, &err))
			tap_bail("%s", err.text);
	}
	help_commit(db);
}

static bool one_of(const char *filter, const char *value)
{
	return !filter[0] || strcmp(filter, value) == 0;
}

static bool in_time(const struct db_query *q, int64_t wall_ms)
{
	return wall_ms >= q->since_wall_ms &&
	       (!q->until_wall_ms || wall_ms < q->until_wall_ms);
}

static bool says(const struct db_query *q, const char *text)
{
	return !q->text[0] || strcasestr(text, q->text);
}

static bool session_fits(const struct db_query *q, size_t i)
{
	return one_of(q->user, sessions[i].user) &&
	       one_of(q->machine, sessions[i].machine_name) &&
	       one_of(q->application, sessions[i].application) &&
	       one_of(q->pool, sessions[i].pool) &&
	       one_of(q->state, sessions[i].state == SESSION_CLOSED ? "closed" :
								      "lost") &&
	       says(q, sessions[i].end_text) &&
	       in_time(q, sessions[i].assigned_wall_ms);
}

static bool request_fits(const struct db_query *q, size_t i)
{
	return one_of(q->user, requests[i].user) &&
	       one_of(q->application, requests[i].application) &&
	       (!q->machine[0] ||
		(requests[i].session &&
		 one_of(q->machine, sessions[i].machine_name))) &&
	       (!q->pool[0] || (requests[i].session &&
				one_of(q->pool, sessions[i].pool))) &&
	       one_of(q->state, requests[i].state == REQUEST_REFUSED ? "refused" :
								       "assigned") &&
	       one_of(q->code, requests[i].code) && says(q, requests[i].text) &&
	       in_time(q, requests[i].decided_wall_ms);
}

static bool event_fits(const struct db_query *q, size_t i)
{
	char object[100];

	if (q->machine[0])
		snprintf(object, sizeof(object), "machine/%s", q->machine);
	else if (q->pool[0])
		snprintf(object, sizeof(object), "pool/%s", q->pool);
	else if (q->user[0])
		snprintf(object, sizeof(object), "user/%s", q->user);
	else if (q->application[0])
		snprintf(object, sizeof(object), "application/%s",
			 q->application);
	else
		object[0] = '\0';
	return one_of(object, events[i].object) && !q->state[0] &&
	       one_of(q->code, events[i].kind) && says(q, events[i].text) &&
	       in_time(q, events[i].wall_ms);
}

/* The ids got are exactly those a search from the newest finds. */
static bool same_ids(const struct db_query *q, const struct collect *got,
		     bool (*fits)(const struct db_query *, size_t))
{
	size_t n = 0, limit = q->limit ? q->limit : 100;
	uint64_t from = q->before_id ? q->before_id : HISTORY + 1;

	for (uint64_t id = from - 1; id > 0 && n < limit; id--) {
		uint64_t is;

		if (id > HISTORY || !fits(q, id - 1))
			continue;
		if (n >= got->count)
			return false;
		memcpy(&is, got->rows + n * got->row_size, sizeof(is));
		if (is != id)
			return false;
		n++;
	}
	return n == got->count;
}

static struct db_query random_query(void)
{
	struct db_query q = { .limit = (uint32_t)random_below(&rnd, 30) };

	if (random_chance(&rnd, 30))
		snprintf(q.user, sizeof(q.user), "u%d",
			 (int)random_below(&rnd, 6));
	if (random_chance(&rnd, 30))
		snprintf(q.machine, sizeof(q.machine), "mail-%02d",
			 (int)random_below(&rnd, 42));
	if (random_chance(&rnd, 30))
		snprintf(q.application, sizeof(q.application), "a%d",
			 (int)random_below(&rnd, 4));
	if (random_chance(&rnd, 40))
		q.before_id = 1 + random_below(&rnd, HISTORY + 50);
	if (random_chance(&rnd, 40))
		q.since_wall_ms = random_between(&rnd, T0 - 1000,
						 T0 + HISTORY * 30000ll);
	if (random_chance(&rnd, 20))
		TEXT_SET(q.text, "gateway");
	if (random_chance(&rnd, 20))
		TEXT_SET(q.pool, random_chance(&rnd, 50) ? "p0" : "p1");
	if (random_chance(&rnd, 20))
		TEXT_SET(q.code, "timeout");
	if (random_chance(&rnd, 20))
		q.until_wall_ms = random_between(&rnd, T0 - 1000,
						 T0 + HISTORY * 30000ll);
	if (random_chance(&rnd, 20))
		TEXT_SET(q.state, random_chance(&rnd, 50) ? "lost" : "refused");
	return q;
}

/* The whole search in pages that look at few rows each gives the same. */
static bool same_in_pages(struct db *db, struct db_query q)
{
	struct collect got = { .row_size = sizeof(struct session_row) };
	struct error err = { "" };
	uint32_t most = 0;

	q.limit = 40;
	q.scan = 1 + (uint32_t)random_below(&rnd, 200);
	do {
		size_t had = got.count;

		if (db_query_sessions(db, &q, on_session, &got, &err))
			tap_bail("%s", err.text);
		most = got.count - had > most ? (uint32_t)(got.count - had) : most;
		if (q.next && q.before_id && q.next >= q.before_id)
			tap_bail("a page leads nowhere");
		q.before_id = q.next;
	} while (q.next);
	q.limit = HISTORY;
	bool same = most <= 40 && same_ids(&q, &got, session_fits);
	free(got.rows);
	return same;
}

static void test_counts(struct db *db)
{
	static const char *const pools[] = { "p0", "p1", "", "nowhere" };
	struct error err = { "" };
	int wrong = 0;

	for (int round = 0; round < 40; round++) {
		uint32_t hours = 1 + (uint32_t)random_below(&rnd, 48);
		int64_t now = T0 + (int64_t)random_below(&rnd, HISTORY * 30000ll);
		const char *pool = pools[round % 4];
		uint64_t got[48], want[48] = { 0 };

		/* On the edge of an hour in every other round. */
		if (round % 2)
			now = sessions[random_below(&rnd, HISTORY)]
				      .assigned_wall_ms;
		if (db_count_sessions(db, pool, now, hours, got, &err))
			tap_bail("%s", err.text);
		for (size_t i = 0; i < HISTORY; i++) {
			int64_t ago = now / 3600000 -
				      sessions[i].assigned_wall_ms / 3600000;

			if (ago >= 0 && ago < hours &&
			    one_of(pool, sessions[i].pool))
				want[hours - 1 - ago]++;
		}
		wrong += memcmp(got, want, hours * sizeof(got[0])) != 0;
	}
	is_int(wrong, 0, "counts per hour are those of a plain search");
}

static void test_queries(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "query.db"));
	struct collect s = { .row_size = sizeof(struct session_row) };
	struct collect r = { .row_size = sizeof(struct request_row) };
	struct collect e = { .row_size = sizeof(struct event_row) };
	int wrong = 0;
	size_t rows = 0;

	make_history(db);
	for (int i = 0; i < QUERIES; i++) {
		struct db_query q = random_query();

		s.count = r.count = e.count = 0;
		if (db_query_sessions(db, &q, on_session, &s, &err) ||
		    db_query_requests(db, &q, on_request, &r, &err) ||
		    db_query_events(db, &q, on_event, &e, &err))
			tap_bail("%s", err.text);
		bool same = same_ids(&q, &s, session_fits) &&
			    same_ids(&q, &r, request_fits) &&
			    same_ids(&q, &e, event_fits);
		if (!same && wrong++ < 3)
			tap_note("limit %u before %" PRIu64 " user '%s' machine "
				 "'%s' application '%s' since %" PRId64,
				 q.limit, q.before_id, q.user, q.machine,
				 q.application, q.since_wall_ms);
		rows += s.count + r.count + e.count;
	}
	is_int(wrong, 0, "%d random queries give what a plain search gives",
	       QUERIES);
	wrong = 0;
	for (int i = 0; i < QUERIES / 4; i++) {
		struct db_query q = random_query();

		q.before_id = 0;
		wrong += !same_in_pages(db, q);
	}
	is_int(wrong, 0, "and so do searches page by page");
	ok(rows > QUERIES, "... and they gave %zu rows", rows);

	struct db_query page = { .limit = 17 };
	uint64_t expect = HISTORY;
	do {
		s.count = 0;
		if (db_query_sessions(db, &page, on_session, &s, &err))
			tap_bail("%s", err.text);
		for (size_t i = 0; i < s.count; i++)
			memcpy(&page.before_id, s.rows + i * s.row_size, 8),
				expect -= page.before_id == expect;
	} while (s.count);
	is_int(expect, 0, "paging by before_id sees every row once");
	test_counts(db);
	free(s.rows);
	free(r.rows);
	free(e.rows);
	db_close(db);
}

/* Pages and lookups must not read a whole table: the plan says SEARCH, or SCAN
 * in order of id. */
static void test_plans(void)
{
	static const enum db_stmt_id searches[] = {
		STMT_FIND_REQUEST, STMT_SESSIONS, STMT_SESSIONS_OF_USER,
		STMT_SESSIONS_OF_MACHINE, STMT_SESSIONS_SINCE, STMT_REQUESTS,
		STMT_REQUESTS_OF_USER, STMT_REQUESTS_SINCE, STMT_EVENTS,
		STMT_EVENTS_OF_OBJECT, STMT_EVENTS_SINCE, STMT_COUNT_HOURS,
		STMT_UPDATE_SESSION, STMT_UPDATE_MACHINE, STMT_GUARD,
	};
	struct error err = { "" };
	char path[HELP_PATH], sql[8192];
	struct db *db = help_open(help_path(path, "plan.db"));

	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		struct db_statement *st = db_stmt(db, searches[i], &err);
		sqlite3_stmt *plan;
		int scans = 0, lines = 0;

		if (!st)
			tap_bail("%s", err.text);
		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
			 sqlite3_sql(st->stmt));
		if (sqlite3_prepare_v2(db->handle, sql, -1, &plan, NULL))
			tap_bail("%s", sqlite3_errmsg(db->handle));
		while (sqlite3_step(plan) == SQLITE_ROW) {
			const char *line =
				(const char *)sqlite3_column_text(plan, 3);

			lines++;
			/* A chain is as long as it was made: read on demand. */
			if ((strncmp(line, "SCAN", 4) == 0 &&
			     strcmp(line, "SCAN chain") != 0) ||
			    strstr(line, "FOR ORDER BY")) {
				scans++;
				tap_note("%s", line);
			}
		}
		sqlite3_finalize(plan);
		ok(lines > 0 && scans == 0, "%.60s ... walks an index",
		   sqlite3_sql(st->stmt));
	}
	db_close(db);
}

int main(void)
{
	random_seed(&rnd, 20261122);
	help_make_folder();
	test_round_trip();
	test_changes();
	test_deletes();
	test_queries();
	test_plans();
	free(machines);
	free(sessions);
	free(requests);
	free(events);
	free(overrides);
	return tap_done();
}
