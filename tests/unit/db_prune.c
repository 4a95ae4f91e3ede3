/*
 * Retention: what is old goes, in small steps; what lives, is unclean, is not
 * counted yet, or has a young request id stays; nothing points to what is gone.
 */
#include "tests/unit/db_help.h"

enum { ROWS = 1500, HOUR_MS = 3600 * 1000 };
static const int64_t DAY_MS = 86400000;
static const int64_t NOW = 1764000000000;

static struct random rnd;
static struct session_row sessions[ROWS];
static struct request_row requests[ROWS];

static void save(struct db *db)
{
	struct error err = { "" };
	int bad = 0;

	help_begin(db);
	for (uint64_t i = 0; i < ROWS; i++) {
		struct session_row *s = &sessions[i];
		struct request_row *q = &requests[i];
		struct event_row e = { .id = i + 1, .kind = "X" };
		int64_t at = NOW - (int64_t)random_below(&rnd, 100) * DAY_MS -
			     (int64_t)random_below(&rnd, (uint32_t)DAY_MS);
		bool unclean = random_chance(&rnd, 20);

		*s = help_session(i + 1, i + 1, 1, "ann");
		s->assigned_wall_ms = at;
		help_end(s, SESSION_CLOSED);
		if (random_chance(&rnd, 20)) {	/* it lives, long since */
			s->state = SESSION_ACTIVE;
			s->ended_wall_ms = 0;
			unclean = true;
		}
		if (random_chance(&rnd, 300))
			snprintf(s->request_key, sizeof(s->request_key),
				 "key %" PRIu64, i);
		*q = (struct request_row){
			.id = i + 1, .decided_wall_ms = at,
			.state = random_chance(&rnd, 500) ? REQUEST_ASSIGNED :
							    REQUEST_REFUSED };
		q->session = q->state == REQUEST_ASSIGNED ? s->id : 0;
		TEXT_SET(q->user, "ann");
		TEXT_SET(q->request_key, s->request_key);
		e.wall_ms = at;
		bad += db_save_session(db, s, &err) != 0;
		bad += db_save_request(db, q, &err) != 0;
		bad += db_save_event(db, &e, &err) != 0;
		if (unclean) {
			struct machine_row m = help_machine(i + 1, i + 1);

			m.state = s->ended_wall_ms ? MACHINE_CLEANING :
						     MACHINE_IN_SESSION;
			bad += db_save_machine(db, &m, &err) != 0;
			s->gateway = 999;	/* marks it for this test */
		}
	}
	bad += help_counters(db) != 0;
	help_commit(db);
	is_int(bad, 0, "%d rows of each kind %s", ROWS, err.text);
}

static void count(struct db *db, int64_t now)
{
	struct error err = { "" };
	int more;

	do {
		help_begin(db);
		more = db_count_hours(db, now, &err);
		help_commit(db);
	} while (more > 0);
	is_int(more, 0, "counted %s", err.text);
}

static int64_t get(struct db *db, const char *sql)
{
	struct error err;
	int64_t n = -1;

	if (db_get_int(db, sql, &n, &err))
		tap_note("%s", err.text);
	return n;
}

/* One pass; the most rows of sessions a step took away. */
static int64_t prune(struct db *db, const struct db_keep *keep)
{
	struct error err = { "" };
	int64_t most = 0, had = get(db, "SELECT count(*) FROM session");
	int more;

	do {
		help_begin(db);
		more = db_prune(db, keep, &err);
		help_commit(db);
		int64_t now = get(db, "SELECT count(*) FROM session");

		most = had - now > most ? had - now : most;
		had = now;
	} while (more > 0);
	is_int(more, 0, "a pass %s", err.text);
	return most;
}

static void seen_session(void *arg, const struct session_row *row)
{
	((bool *)arg)[row->id] = true;
}

static void seen_request(void *arg, const struct request_row *row)
{
	((bool *)arg)[row->id] = true;
}

/* Every row is there exactly when it has to be. */
static int wrong_rows(struct db *db, const struct db_keep *keep, int64_t counted)
{
	struct db_query all = { .limit = ROWS };
	struct error err;
	bool s_there[ROWS + 1] = { false }, q_there[ROWS + 1] = { false };
	int wrong = 0;

	if (db_query_sessions(db, &all, seen_session, s_there, &err) ||
	    db_query_requests(db, &all, seen_request, q_there, &err))
		tap_bail("%s", err.text);
	for (int i = 0; i < ROWS; i++) {
		const struct session_row *s = &sessions[i];
		const struct request_row *q = &requests[i];
		bool s_stay = s->gateway == 999 || !s->ended_wall_ms ||
			      s->ended_wall_ms >= keep->sessions_before ||
			      s->ended_wall_ms >= counted ||
			      (s->request_key[0] &&
			       s->ended_wall_ms >= keep->keys_before);
		bool q_stay = q->decided_wall_ms >= keep->sessions_before ||
			      q->decided_wall_ms >= counted ||
			      (q->request_key[0] &&
			       q->decided_wall_ms >= keep->keys_before);

		if (q->session && !s_stay)
			q_stay = false;
		wrong += s_stay != s_there[i + 1];
		wrong += q_stay != q_there[i + 1];
	}
	return wrong;
}

int main(void)
{
	char path[HELP_PATH];
	struct error err = { "" };
	struct db_keep keep = {
		.sessions_before = NOW - 5 * DAY_MS,
		.events_before = NOW - 50 * DAY_MS,
		.audit_before = NOW,
		.hours_before = NOW - 80 * DAY_MS,
		.keys_before = NOW - 30 * DAY_MS,
	};

	random_seed(&rnd, 5);
	help_make_folder();
	struct db *db = help_open(help_path(path, "prune.db"));
	save(db);
	prune(db, &keep);
	is_int(wrong_rows(db, &keep, 0), 0, "what is not counted stays");

	count(db, NOW - 60 * DAY_MS);
	prune(db, &keep);
	is_int(wrong_rows(db, &keep, NOW - 60 * DAY_MS - 10000), 0,
	       "only what is counted goes");
	count(db, NOW + HOUR_MS);
	int64_t total = get(db, "SELECT sum(sessions) FROM hour");
	int64_t most = prune(db, &keep);
	ok(most > 0 && most <= 100, "a step takes at most 100 (%d)", (int)most);
	is_int(wrong_rows(db, &keep, NOW), 0,
	       "live, unclean and young request ids stay, the rest goes");
	is_int(prune(db, &keep), 0, "another pass finds nothing");

	is_int(get(db, "SELECT count(*) FROM event WHERE wall_ms < "
		       "1764000000000 - 50 * 86400000"), 0, "old events are gone");
	ok(get(db, "SELECT count(*) FROM event") > ROWS / 3, "young ones stay");
	is_int(get(db, "SELECT count(*) FROM hour WHERE start_wall_ms < "
		       "1764000000000 - 80 * 86400000"), 0, "old hours are gone");
	int64_t left = get(db, "SELECT sum(sessions) FROM hour");
	int64_t rows = get(db, "SELECT count(*) FROM session");
	ok(left == total && left > rows + 300,
	   "counts outlive their rows: %d of %d", (int)left, (int)rows);
	struct session_row found;
	int keyed = -1;
	for (int i = 0; i < ROWS; i++)
		if (sessions[i].request_key[0] && sessions[i].ended_wall_ms &&
		    sessions[i].ended_wall_ms > NOW - 29 * DAY_MS &&
		    sessions[i].ended_wall_ms < NOW - 6 * DAY_MS)
			keyed = i;
	ok(keyed >= 0 &&
	   db_find_request(db, "ann", sessions[keyed].request_key, &found,
			   &err) == 0 && found.id == sessions[keyed].id,
	   "S7: a request id is known for 30 days, whatever is kept");
	is_int(db_audit(db, &err), 0, "audit: %s", err.text);

	/* Freed pages are used again: the file does not grow. */
	int64_t pages = get(db, "PRAGMA page_count");
	int64_t free_pages = get(db, "PRAGMA freelist_count");
	ok(free_pages > 10, "%d pages are free", (int)free_pages);
	help_begin(db);
	for (uint64_t i = 0; i < (uint64_t)free_pages * 6; i++) {
		struct event_row e = { .id = 50000 + i, .wall_ms = NOW };

		memset(e.text, 'x', sizeof(e.text) - 1);
		if (db_save_event(db, &e, &err))
			tap_bail("%s", err.text);
	}
	help_commit(db);
	is_int(get(db, "PRAGMA page_count"), pages, "the file did not grow");
	db_close(db);
	return tap_done();
}
