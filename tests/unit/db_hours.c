/*
 * Counts per hour are what a plain search through the rows gives: each row
 * once, whatever the steps, rollbacks and engines killed between them.
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/db_help.h"

enum { ROWS = 3000, HOURS = 9, MACHINES = 12, HOUR_MS = 3600 * 1000 };
static const int64_t T0 = 1764000000000 / HOUR_MS * HOUR_MS;

static struct random rnd;
static struct session_row sessions[ROWS];
static struct request_row requests[ROWS];
struct span { int64_t since, until; int pool; };
static struct span runs[MACHINES * HOURS];
static int run_count;

static int64_t some_time(void)
{
	return T0 + 1 + (int64_t)random_below(&rnd, HOURS * HOUR_MS - 2);
}

static const char *pool_name(int pool)
{
	return pool ? "p1" : "p0";
}

static void make_session(struct session_row *s, uint64_t id)
{
	/* Some in the same millisecond: a step must not cut between them. */
	int64_t at = random_chance(&rnd, 50) ? T0 + 1800000 : some_time();

	*s = help_session(id, id, 1, "ann");
	TEXT_SET(s->pool, pool_name((int)random_below(&rnd, 2)));
	TEXT_SET(s->application, random_chance(&rnd, 50) ? "a" : "b");
	s->assigned_wall_ms = at;
	s->wait_ms = random_chance(&rnd, 50) ? 0 :
					       (int64_t)random_below(&rnd, 90000);
	s->bytes_in = random_below(&rnd, 1000);
	s->bytes_out = random_below(&rnd, 1000000);
	if (random_chance(&rnd, 10)) {
		s->state = SESSION_ACTIVE;
		return;
	}
	s->state = SESSION_CLOSED + (int)random_below(&rnd, 3);
	s->ended_wall_ms = at + 1 + (int64_t)random_below(&rnd, 3 * HOUR_MS);
}

static void save_history(struct db *db)
{
	struct error err = { "" };
	int bad = 0;

	help_begin(db);
	for (uint64_t i = 0; i < ROWS; i++) {
		struct request_row *q = &requests[i];

		make_session(&sessions[i], i + 1);
		*q = (struct request_row){
			.id = i + 1, .decided_wall_ms = some_time(),
			.state = REQUEST_ASSIGNED + (int)random_below(&rnd, 3) };
		q->session = q->state == REQUEST_ASSIGNED ? i + 1 : 0;
		TEXT_SET(q->user, "ann");
		TEXT_SET(q->application, random_chance(&rnd, 50) ? "a" : "b");
		bad += db_save_session(db, &sessions[i], &err) != 0;
		bad += db_save_request(db, q, &err) != 0;
	}
	help_commit(db);
	is_int(bad, 0, "%d sessions and requests %s", ROWS, err.text);
}

/* Machines are made, made anew and taken away, in the order of time. */
static void save_runs(struct db *db)
{
	struct error err = { "" };
	int64_t now = T0 + 1;
	struct machine_row m[MACHINES];
	int bad = 0, of[MACHINES];

	memset(m, 0, sizeof(m));
	while (run_count < MACHINES * HOURS - MACHINES &&
	       (now += (int64_t)random_below(&rnd, 600000)) <
		       T0 + (HOURS - 1) * HOUR_MS) {
		int i = (int)random_below(&rnd, MACHINES);
		bool was = m[i].created_wall_ms != 0;

		if (was)
			runs[of[i]].until = now;
		if (!m[i].id) {
			m[i] = help_machine((uint64_t)(i + 1), 0);
			TEXT_SET(m[i].pool, pool_name(i % 2));
			m[i].state = MACHINE_BOOTING;
		}
		m[i].created_wall_ms = was && random_chance(&rnd, 50) ? 0 : now;
		if (m[i].created_wall_ms) {
			of[i] = run_count;
			runs[run_count++] = (struct span){ now, 0, i % 2 };
		}
		db_clock(db, now);
		help_begin(db);
		bad += db_save_machine(db, &m[i], &err) != 0;
		/* Saved twice in a turn: still one run. */
		bad += db_save_machine(db, &m[i], &err) != 0;
		if (random_chance(&rnd, 20) && m[i].created_wall_ms) {
			bad += db_delete_machine(db, m[i].id, &err) != 0;
			runs[of[i]].until = now;
			m[i].created_wall_ms = 0;
		}
		help_commit(db);
	}
	is_int(bad, 0, "%d runs of %d machines %s", run_count, MACHINES, err.text);
}

/* ---- the plain search ------------------------------------------------------ */

static int64_t overlap(int64_t since, int64_t until, int64_t hour)
{
	int64_t end = hour + HOUR_MS;

	since = since > hour ? since : hour;
	until = until < end ? until : end;
	return until > since ? until - since : 0;
}

static bool in(int64_t at, int64_t hour, int64_t upto)
{
	return at > 0 && at <= upto && at >= hour && at < hour + HOUR_MS;
}

static struct db_hour plain(int64_t hour, int64_t upto, const char *pool,
			    const char *app)
{
	struct db_hour h = { .start_wall_ms = hour };

	for (int i = 0; i < ROWS; i++) {
		const struct session_row *s = &sessions[i];
		const struct request_row *q = &requests[i];

		if (!*pool && (!*app || strcmp(app, q->application) == 0) &&
		    in(q->decided_wall_ms, hour, upto)) {
			h.refused += q->state == REQUEST_REFUSED;
			h.cancelled += q->state == REQUEST_CANCELLED;
		}
		if ((*pool && strcmp(pool, s->pool) != 0) ||
		    (*app && strcmp(app, s->application) != 0))
			continue;
		if (in(s->assigned_wall_ms, hour, upto)) {
			h.sessions++;
			h.waited += s->wait_ms > 0;
			h.wait_ms += s->wait_ms;
		}
		if (s->ended_wall_ms && s->ended_wall_ms <= upto)
			h.session_ms += overlap(s->assigned_wall_ms,
						s->ended_wall_ms, hour);
		if (!in(s->ended_wall_ms, hour, upto))
			continue;
		h.closed += s->state == SESSION_CLOSED;
		h.lost += s->state == SESSION_LOST;
		h.failed += s->state == SESSION_FAILED;
		h.bytes_in += s->bytes_in;
		h.bytes_out += s->bytes_out;
	}
	for (int i = 0; i < run_count && !*app; i++)
		if (!*pool || strcmp(pool, pool_name(runs[i].pool)) == 0)
			h.machine_ms += overlap(
				runs[i].since,
				runs[i].until && runs[i].until < upto ?
					runs[i].until : upto, hour);
	return h;
}

struct got {
	struct db_hour hours[4 * HOURS];
	int count;
};

static void on_hour(void *arg, const struct db_hour *h)
{
	struct got *g = arg;

	if (g->count < 4 * HOURS)
		g->hours[g->count++] = *h;
}

static int differing(struct db *db, int64_t upto, const char *pool,
		     const char *app)
{
	struct db_hours_query q = { .limit = 1 };	/* a page each */
	struct got g = { .count = 0 };
	struct error err = { "" };
	int wrong = 0, at = 0;

	TEXT_SET(q.pool, pool);
	TEXT_SET(q.application, app);
	do {
		if (db_query_hours(db, &q, on_hour, &g, &err))
			tap_bail("%s", err.text);
		q.before_wall_ms = q.next;
	} while (q.next);
	for (int64_t hour = T0 + 20 * HOUR_MS; hour >= T0;
	     hour -= HOUR_MS) {
		struct db_hour h = plain(hour, upto, pool, app), none = { 0 };

		none.start_wall_ms = hour;
		if (memcmp(&h, &none, sizeof(h)) == 0)
			continue;
		if (at < g.count) {
			h.wait_p50_ms = g.hours[at].wait_p50_ms;
			h.wait_p95_ms = g.hours[at].wait_p95_ms;
		}
		if (at >= g.count ||
		    memcmp(&h, &g.hours[at], sizeof(h)) != 0)
			wrong++;
		at++;
	}
	return wrong + (at != g.count);
}

static void compare(struct db *db, int64_t upto, const char *when)
{
	is_int(differing(db, upto, "", ""), 0, "%s: all hours", when);
	is_int(differing(db, upto, "p1", ""), 0, "%s: a pool's", when);
	is_int(differing(db, upto, "", "b"), 0, "%s: an application's", when);
	is_int(differing(db, upto, "p0", "a"), 0, "%s: both", when);
}

/* ---- counting ------------------------------------------------------------------ */

/* Steps until all is counted; some are rolled back, some engines die. */
static void count(struct db **db, const char *path, int64_t now)
{
	struct error err = { "" };
	int more, steps = 0, undone = 0, died = 0;

	do {
		help_begin(*db);
		more = db_count_hours(*db, now, &err);
		if (more < 0)
			tap_bail("%s", err.text);
		if (random_chance(&rnd, 25)) {
			/* Closing with the batch open rolls it back. */
			db_close(*db);
			*db = help_open(path);
			undone++;
			more = 1;
			continue;
		}
		help_commit(*db);
		steps++;
		if (random_chance(&rnd, 20)) {
			db_close(*db);
			fflush(stdout);
			pid_t child = fork();
			if (child == 0) {
				struct db *other = help_open(path);

				help_begin(other);
				(void)db_count_hours(other, now, &err);
				if (random_chance(&rnd, 50))
					help_commit(other);
				kill(getpid(), SIGKILL);
			}
			waitpid(child, NULL, 0);
			*db = help_open(path);
			died++;
			more = 1;
		}
	} while (more);
	tap_note("%d steps, %d undone, %d engines killed", steps, undone, died);
}

static void test_waits(struct db *db)
{
	struct db_hours_query q = { .limit = 4 * HOURS };
	struct got g = { .count = 0 };
	struct error err = { "" };
	int wrong = 0;

	if (db_query_hours(db, &q, on_hour, &g, &err))
		tap_bail("%s", err.text);
	for (int i = 0; i < g.count; i++) {
		const struct db_hour *h = &g.hours[i];
		uint64_t below[2] = { 0 }, n = 0;

		for (int k = 0; k < ROWS; k++) {
			if (!in(sessions[k].assigned_wall_ms, h->start_wall_ms,
				INT64_MAX))
				continue;
			n++;
			below[0] += sessions[k].wait_ms <= h->wait_p50_ms;
			below[1] += sessions[k].wait_ms <= h->wait_p95_ms;
		}
		if (n == 0)
			wrong += h->wait_p50_ms != -1 || h->wait_p95_ms != -1;
		else
			wrong += below[0] * 100 < n * 50 ||
				 below[1] * 100 < n * 95 ||
				 h->wait_p50_ms > h->wait_p95_ms ||
				 h->wait_p95_ms > 90000;
	}
	is_int(wrong, 0, "so many waited at most so long, in each of %d hours",
	       g.count);
}

int main(void)
{
	char path[HELP_PATH];
	struct error err = { "" };
	int64_t half = T0 + HOURS * HOUR_MS / 2 + 777;
	uint64_t counts[HOURS];
	int wrong = 0;

	random_seed(&rnd, 11);
	help_make_folder();
	struct db *db = help_open(help_path(path, "hours.db"));
	help_begin(db);
	is_int(help_counters(db), 0, "counters");
	help_commit(db);
	save_history(db);
	save_runs(db);
	count(&db, path, half);
	compare(db, half - 10000, "half of the time");
	count(&db, path, T0 + 20 * HOUR_MS);
	for (int i = 0; i < run_count; i++)
		if (!runs[i].until)
			runs[i].until = T0 + 20 * HOUR_MS - 10000;
	compare(db, T0 + 20 * HOUR_MS - 10000, "all of it");
	test_waits(db);
	/* A second look adds nothing but what machines ran on. */
	help_begin(db);
	is_int(db_count_hours(db, T0 + 20 * HOUR_MS, &err), 0, "nothing is left");
	help_commit(db);
	compare(db, T0 + 20 * HOUR_MS - 10000, "looked at again");

	if (db_count_sessions(db, "", T0 + (HOURS - 1) * HOUR_MS + 5, HOURS,
			      counts, &err))
		tap_bail("%s", err.text);
	for (int i = 0; i < HOURS; i++)
		wrong += counts[i] != plain(T0 + i * HOUR_MS, INT64_MAX, "",
					    "").sessions;
	is_int(wrong, 0, "sessions per hour");
	db_close(db);
	return tap_done();
}
