/*
 * Reports of the ledger are right to the millisecond: by hand for a few, tick by
 * tick for many random ones, at the ends of months and where clocks change, while
 * sessions are entered and while the engine goes on.
 */
#include <time.h>

#include "db/db_usage.h"
#include "tests/unit/db_help.h"

#define HOUR_MS 3600000ll
static const int64_t T0 = 1764000000000;

static struct random rnd;

/* ---- reports ------------------------------------------------------------------- */

struct report {
	struct db_usage_row rows[200];
	size_t count;
	struct db_usage_row sum;
};

static void take_report(struct db_usage *u, struct report *out)
{
	const struct db_usage_row *rows = db_usage_rows(u, &out->count);

	out->sum = (struct db_usage_row){ .name = "all" };
	for (size_t i = 0; i < out->count && i < 200; i++) {
		out->rows[i] = rows[i];
		out->sum.machine_ms += rows[i].machine_ms;
		out->sum.vcpu_ms += rows[i].vcpu_ms;
		out->sum.mib_ms += rows[i].mib_ms;
		out->sum.session_ms += rows[i].session_ms;
		out->sum.estimated_ms += rows[i].estimated_ms;
		out->sum.open_ms += rows[i].open_ms;
	}
	db_usage_end(u);
}

static struct report ask(struct db *db, const struct db_usage_query *q)
{
	struct report r = { .count = 0 };
	struct error err = { "" };
	struct db_usage *u;
	int rc = db_usage_start(db, q, &u, &err);

	while (rc == 0 && (rc = db_usage_step(u, &err)) == 1)
		rc = 0;
	if (rc)
		tap_bail("%s", err.text);
	take_report(u, &r);
	return r;
}

static struct report ask_for(struct db *db, enum db_usage_by by, int64_t from,
			     int64_t until, int64_t now)
{
	return ask(db, &(struct db_usage_query){ .by = by, .from_wall_ms = from,
						 .until_wall_ms = until,
						 .now_wall_ms = now });
}

static struct db_usage_row find(const struct report *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->rows[i].name, name) == 0)
			return r->rows[i];
	return (struct db_usage_row){ .machine_ms = -1 };
}

/* ---- rows ------------------------------------------------------------------------ */

static uint64_t next_ledger = 1, next_session = 1;

static struct ledger_row interval(uint64_t machine, int64_t start, int64_t end,
				  uint32_t vcpus, uint64_t memory_mib)
{
	struct ledger_row l = {
		.id = next_ledger++, .machine = machine, .vcpus = vcpus,
		.memory_mib = memory_mib, .start_wall_ms = start,
		.end_wall_ms = end, .length_ms = end ? end - start : 0,
	};

	snprintf(l.machine_name, sizeof(l.machine_name), "mail-%02d",
		 (int)machine);
	TEXT_SET(l.pool, "mail");
	TEXT_SET(l.application, "post");
	TEXT_SET(l.host, "hv01");
	return l;
}

static void save_interval(struct db *db, const struct ledger_row *l)
{
	struct error err = { "" };

	if (db_save_ledger(db, l, &err))
		tap_bail("%s", err.text);
}

static void save_session(struct db *db, uint64_t machine, const char *user,
			 int64_t start, int64_t end, enum session_state state)
{
	uint64_t id = next_session++;
	struct session_row s = help_session(id, machine, id, user);
	struct error err = { "" };

	s.assigned_wall_ms = start;
	s.ended_wall_ms = end;
	s.state = state;
	if (db_save_session(db, &s, &err))
		tap_bail("%s", err.text);
}

/* Enters what is over by now; so many steps at most. */
static void enter(struct db *db, int64_t now, int steps)
{
	struct error err = { "" };
	int more = 1;

	while (more > 0 && steps-- > 0) {
		help_begin(db);
		more = db_count_hours(db, now, &err);
		help_commit(db);
	}
	if (more < 0)
		tap_bail("%s", err.text);
}

static struct db *fresh(const char *name)
{
	char path[HELP_PATH];

	help_forget(help_path(path, name));
	return help_open(path);
}

/* ---- by hand ------------------------------------------------------------------------ */

static void is_row(struct db_usage_row got, int64_t machine_ms, int64_t vcpu_ms,
		   int64_t mib_ms, int64_t session_ms, const char *what)
{
	is_int(got.machine_ms, machine_ms, "%s: machine time", what);
	is_int(got.vcpu_ms, vcpu_ms, "... vcpus");
	is_int(got.mib_ms, mib_ms, "... memory");
	is_int(got.session_ms, session_ms, "... sessions");
}

/*
 * mail-01, 2 vcpus and 1024 MiB from 0:00 to 4:00, 4 and 2048 from 4:00 on
 * (open); ann 0:30 to 1:30, bob 3:45 to 4:15, one that failed at 2:00.
 * mail-02, 1 vcpu and 512 MiB, 1:00 to 2:00.  Now is 6:00.
 */
static void save_hand(struct db *db)
{
	struct ledger_row a = interval(1, T0, T0 + 4 * HOUR_MS, 2, 1024);
	struct ledger_row b = interval(1, T0 + 4 * HOUR_MS, 0, 4, 2048);
	struct ledger_row c = interval(2, T0 + HOUR_MS, T0 + 2 * HOUR_MS, 1, 512);

	c.estimated = true;
	TEXT_SET(b.host, "hv02");
	help_begin(db);
	save_interval(db, &a);
	save_interval(db, &b);
	save_interval(db, &c);
	save_session(db, 1, "ann", T0 + HOUR_MS / 2, T0 + HOUR_MS * 3 / 2,
		     SESSION_CLOSED);
	save_session(db, 1, "bob", T0 + HOUR_MS * 15 / 4, T0 + HOUR_MS * 17 / 4,
		     SESSION_LOST);
	save_session(db, 2, "eve", T0 + HOUR_MS, T0 + 2 * HOUR_MS,
		     SESSION_FAILED);
	help_counters(db);
	help_commit(db);
}

static void check_hand(struct db *db, const char *when)
{
	const int64_t h = HOUR_MS, now = T0 + 6 * h;
	struct report r = ask_for(db, USAGE_BY_USER, T0, now, now);

	tap_note("%s", when);
	is_int(r.count, 3, "two users, and nobody");
	is_text(r.rows[2].name, USAGE_IDLE, "who comes last");
	is_row(find(&r, "ann"), h, 2 * h, 1024 * h, h, "ann");
	is_row(find(&r, "bob"), h / 2, h / 4 * 2 + h / 4 * 4,
	       h / 4 * 1024 + h / 4 * 2048, h / 2, "bob, over two sizes");
	is_row(r.sum, 7 * h, 4 * 2 * h + 2 * 4 * h + h,
	       4 * 1024 * h + 2 * 2048 * h + 512 * h, h * 3 / 2, "all");
	is_int(find(&r, USAGE_IDLE).estimated_ms, h, "what is estimated");
	is_int(r.sum.open_ms, 2 * h, "what goes on");

	/* Cut through ann's hour and bob's half. */
	r = ask_for(db, USAGE_BY_USER, T0 + h, T0 + 4 * h, now);
	is_row(find(&r, "ann"), h / 2, h, 512 * h, h / 2, "ann, cut");
	is_row(find(&r, "bob"), h / 4, h / 2, 256 * h, h / 4, "bob, cut");
	is_int(r.sum.machine_ms, 4 * h, "all, cut");
	r = ask_for(db, USAGE_BY_HOST, T0, now, now);
	is_row(find(&r, "hv01"), 5 * h, 9 * h, 4 * 1024 * h + 512 * h,
	       h + h / 4, "a host");
	r = ask_for(db, USAGE_BY_MACHINE, T0, T0 + 90 * h, now);
	is_row(find(&r, "mail-02"), h, h, 512 * h, 0, "a machine");
	is_int(r.sum.machine_ms, 7 * h, "the future has nothing");
	r = ask_for(db, USAGE_BY_CLUSTER, T0, now, now);
	is_int(r.count, 1, "no cluster");
	is_int(find(&r, USAGE_NO_CLUSTER).machine_ms, 7 * h, "only pools");
	struct db_usage_query q = { .by = USAGE_BY_MACHINE, .from_wall_ms = T0,
				    .until_wall_ms = now, .now_wall_ms = now,
				    .user = "bob" };
	r = ask(db, &q);
	is_int(r.count, 1, "where bob was");
	is_int(r.rows[0].machine_ms, h / 2, "... for half an hour");
	q = (struct db_usage_query){ .by = USAGE_BY_USER, .from_wall_ms = T0,
				     .until_wall_ms = now, .now_wall_ms = now,
				     .host = "hv02" };
	r = ask(db, &q);
	is_int(r.sum.machine_ms, 2 * h, "only of a host");
	is_int(find(&r, "bob").machine_ms, h / 4, "... and bob there");
	r = ask_for(db, USAGE_BY_USER, T0 - 9 * h, T0, now);
	is_int(r.count, 0, "before all of it: nothing");
}

static void test_hand(void)
{
	struct db *db = fresh("hand.db");

	save_hand(db);
	check_hand(db, "before anything is entered");
	enter(db, T0 + 6 * HOUR_MS, 100);
	check_hand(db, "after");
	help_begin(db);
	save_session(db, 1, "cid", T0 + 5 * HOUR_MS, 0, SESSION_ACTIVE);
	help_commit(db);
	struct report r = ask_for(db, USAGE_BY_USER, T0, T0 + 6 * HOUR_MS,
				  T0 + 6 * HOUR_MS);
	is_row(find(&r, "cid"), HOUR_MS, 4 * HOUR_MS, 2048ll * HOUR_MS, HOUR_MS,
	       "one that lives is counted up to now");
	is_int(r.sum.machine_ms, 7 * HOUR_MS, "and the sum is as it was");
	db_close(db);
}

/* ---- months -------------------------------------------------------------------------- */

static int64_t local(int year, int month)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1,
			 .tm_mday = 1, .tm_isdst = -1 };

	return (int64_t)mktime(&tm) * 1000;
}

/* A machine that ran all year: months are as long as the clocks there say. */
static void test_months(void)
{
	struct db *db = fresh("months.db");
	int64_t sum = 0, from, until;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	from = local(2026, 1);
	until = local(2027, 1);
	/* In intervals that end anywhere. */
	help_begin(db);
	for (int64_t at = from - HOUR_MS; at < until + HOUR_MS;) {
		int64_t end = at + 1 + (int64_t)random_below(&rnd, 900 * HOUR_MS);
		struct ledger_row l = interval(1, at, end, 3, 100);

		save_interval(db, &l);
		at = end;
	}
	help_counters(db);
	help_commit(db);
	for (int month = 1; month <= 12; month++) {
		static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
					    31, 30, 31 };
		int hours = days[month - 1] * 24 - (month == 3) + (month == 10);
		struct report r = ask_for(db, USAGE_BY_POOL, local(2026, month),
					  month == 12 ? until :
						local(2026, month + 1),
					  until + 900ll * HOUR_MS);

		is_int(r.sum.machine_ms, (int64_t)hours * HOUR_MS,
		       "month %d of 2026 in Berlin has %d hours", month, hours);
		is_int(r.sum.vcpu_ms, 3ll * hours * HOUR_MS, "... times 3");
		sum += r.sum.machine_ms;
	}
	is_int(sum, until - from, "the months are the year");
	db_close(db);
}

/* ---- tick by tick ------------------------------------------------------------------------ */

enum { MACHINES = 12, TICKS = 1500, INTERVALS = 2000 };
static const int64_t TICK_MS = 3607123;	/* an hour and something */

/* What each tick of each machine was: its interval, its user. */
static struct ledger_row intervals[INTERVALS];
static int interval_count;
static int at_tick[MACHINES][TICKS];	/* index of the interval, -1 = off */
static char user_at[MACHINES][TICKS][8];
static const char *const users[] = { "ann", "bob", "cid", "dan" };
static int now_tick;

static int64_t wall(int tick)
{
	return T0 + tick * TICK_MS;
}

static void make_intervals(int m)
{
	int t = (int)random_below(&rnd, 30);

	while (t < now_tick) {
		struct ledger_row *l = &intervals[interval_count];
		int end = t + 1 + (int)random_below(&rnd, 120);
		bool open = end >= now_tick;

		*l = interval((uint64_t)m + 1, wall(t), open ? 0 : wall(end),
			      1 + (uint32_t)random_below(&rnd, 8),
			      128 << random_below(&rnd, 8));
		l->cluster = m % 4 == 3;
		snprintf(l->pool, sizeof(l->pool), "p%d", m % 4);
		snprintf(l->application, sizeof(l->application), "a%d", m % 3);
		snprintf(l->host, sizeof(l->host), "hv%d",
			 (int)random_below(&rnd, 3));
		l->estimated = !open && random_chance(&rnd, 100);
		/* What the clock said at the end is not what counts. */
		if (!open)
			l->end_wall_ms += (int64_t)random_below(&rnd, 5000);
		for (int i = t; i < end && i < TICKS; i++)
			at_tick[m][i] = interval_count;
		interval_count++;
		t = end + (random_chance(&rnd, 300) ?
				   (int)random_below(&rnd, 40) : 0);
	}
}

/* Sessions follow each other; they span intervals, begin and end outside. */
static void make_sessions(struct db *db, int m)
{
	int t = (int)random_below(&rnd, 20);

	while (t < now_tick && m % 4 != 3) {
		const char *user = users[random_below(&rnd, 4)];
		int end = t + 1 + (int)random_below(&rnd, 25);
		bool failed = random_chance(&rnd, 100), live = end >= now_tick;

		save_session(db, (uint64_t)m + 1, user, wall(t),
			     live ? 0 : wall(end),
			     live ? SESSION_ACTIVE : failed ? SESSION_FAILED :
							      SESSION_CLOSED);
		for (int i = t; i < end && i < TICKS && (!failed || live); i++)
			snprintf(user_at[m][i], sizeof(user_at[m][i]), "%s",
				 user);
		t = end + (random_chance(&rnd, 500) ?
				   (int)random_below(&rnd, 30) : 0);
	}
}

static const char *plain_key(enum db_usage_by by, int m, int t)
{
	const struct ledger_row *l = &intervals[at_tick[m][t]];

	switch (by) {
	case USAGE_BY_USER:
		return user_at[m][t][0] ? user_at[m][t] :
		       l->cluster ? "(cluster)" : "(idle)";
	case USAGE_BY_APPLICATION:
		return l->application;
	case USAGE_BY_POOL:
		return l->pool;
	case USAGE_BY_CLUSTER:
		return l->cluster ? l->pool : "(pools)";
	case USAGE_BY_HOST:
		return l->host;
	case USAGE_BY_MACHINE:
		return l->machine_name;
	case USAGE_BYS:
		break;
	}
	return NULL;
}

static struct db_usage_row plain(enum db_usage_by by, const char *key, int from,
				 int until)
{
	struct db_usage_row r = { .machine_ms = 0 };

	for (int m = 0; m < MACHINES; m++)
		for (int t = from; t < until; t++) {
			if (at_tick[m][t] < 0 ||
			    strcmp(plain_key(by, m, t), key) != 0)
				continue;
			const struct ledger_row *l = &intervals[at_tick[m][t]];

			r.machine_ms += TICK_MS;
			r.vcpu_ms += l->vcpus * TICK_MS;
			r.mib_ms += (int64_t)l->memory_mib * TICK_MS;
			r.session_ms += user_at[m][t][0] ? TICK_MS : 0;
			r.estimated_ms += l->estimated ? TICK_MS : 0;
			r.open_ms += l->end_wall_ms ? 0 : TICK_MS;
		}
	return r;
}

static int compare_report(struct db *db, enum db_usage_by by, int from,
			  int until, struct report *r)
{
	int wrong = 0;

	*r = ask_for(db, by, wall(from), wall(until), wall(now_tick));
	if (until > now_tick)
		until = now_tick;
	for (size_t i = 0; i < r->count; i++) {
		struct db_usage_row want = plain(by, r->rows[i].name, from, until);

		TEXT_SET(want.name, r->rows[i].name);
		if (memcmp(&want, &r->rows[i], sizeof(want)) == 0)
			continue;
		if (!wrong++)
			tap_note("%s of %s: %lld, plainly %lld ms of machines",
				 want.name, db_usage_words[by],
				 (long long)r->rows[i].machine_ms,
				 (long long)want.machine_ms);
	}
	return wrong;
}

static void compare_all(struct db *db, const char *when)
{
	int wrong = 0, unequal = 0, parts = 0, reports = 0;
	struct report r, first, second;

	for (int k = 0; k < 12; k++) {
		int from = k ? (int)random_below(&rnd, TICKS - 1) : 0;
		int until = k ? from + 1 + (int)random_below(&rnd, (uint32_t)(
						TICKS - from)) : TICKS;
		int cut = from + (int)random_below(&rnd, (uint32_t)(until - from));
		struct db_usage_row want = { .machine_ms = -1 };

		for (int by = 0; by < USAGE_BYS; by++) {
			reports++;
			wrong += compare_report(db, by, from, until, &r);
			if (by == 0)
				want = r.sum;
			unequal += memcmp(&want, &r.sum, sizeof(want)) != 0;
			compare_report(db, by, from, cut, &first);
			compare_report(db, by, cut, until, &second);
			parts += first.sum.mib_ms + second.sum.mib_ms !=
				 r.sum.mib_ms;
		}
	}
	is_int(wrong, 0, "%s: every row of %d reports is what a search tick by "
	       "tick gives", when, reports);
	is_int(unequal, 0, "... their sums are the same by whatever they are");
	is_int(parts, 0, "... and what adjoining times add up to");
}

static void test_random(void)
{
	struct db *db = fresh("random.db");
	struct error err = { "" };

	now_tick = TICKS - 200;
	memset(at_tick, -1, sizeof(at_tick));
	help_begin(db);
	for (int m = 0; m < MACHINES; m++)
		make_intervals(m);
	for (int i = 0; i < interval_count; i++)
		save_interval(db, &intervals[i]);
	for (int m = 0; m < MACHINES; m++)
		make_sessions(db, m);
	help_counters(db);
	help_commit(db);
	tap_note("%d intervals, %d sessions", interval_count,
		 (int)next_session);
	compare_all(db, "nothing entered");
	enter(db, wall(TICKS / 2), 1000);
	compare_all(db, "half of it entered");
	/* A step that is rolled back, and one that is cut off. */
	help_begin(db);
	if (db_count_hours(db, wall(TICKS), &err) < 0)
		tap_bail("%s", err.text);
	char path[HELP_PATH];
	db_close(db);
	db = help_open(help_path(path, "random.db"));
	enter(db, wall(TICKS), 2);
	compare_all(db, "some more");
	enter(db, wall(now_tick), 1000);
	compare_all(db, "all entered");
	db_close(db);
}

/* ---- while the engine goes on ------------------------------------------------------------ */

static void test_meanwhile(void)
{
	struct db *db = fresh("meanwhile.db");
	int64_t now = T0 + 1000 * HOUR_MS;
	struct error err = { "" };
	struct db_usage_query q = { .by = USAGE_BY_USER, .from_wall_ms = T0,
				    .until_wall_ms = now + HOUR_MS,
				    .now_wall_ms = now };
	struct ledger_row l = interval(1, T0, 0, 2, 64);
	struct report before, r;
	struct db_usage *u;
	int64_t count;
	int steps = 1;

	help_begin(db);
	save_interval(db, &l);
	for (int i = 0; i < 3000; i++)
		save_session(db, 1, users[i % 4], T0 + i * 60000,
			     T0 + i * 60000 + 30000, SESSION_CLOSED);
	save_session(db, 1, "ann", now - HOUR_MS, 0, SESSION_ACTIVE);
	help_counters(db);
	help_commit(db);
	enter(db, T0 + 1500 * 60000, 100);
	before = ask(db, &q);
	is_int(find(&before, "ann").machine_ms, 750 * 30000 + HOUR_MS,
	       "a user's sessions, entered, over and alive");

	if (db_usage_start(db, &q, &u, &err) || db_usage_step(u, &err) != 1)
		tap_bail("%s", err.text);
	/* The session ends, so does the interval; another begins of each. */
	help_begin(db);
	save_session(db, 9, "eve", now + 5, 0, SESSION_ACTIVE);
	l.length_ms = now + 10 - T0;
	l.end_wall_ms = now + 10;
	save_interval(db, &l);
	l = interval(1, now + 10, 0, 2, 64);
	save_interval(db, &l);
	help_commit(db);
	enter(db, now + HOUR_MS, 100);
	if (db_get_int(db, "SELECT count(*) FROM ledger_session", &count, &err))
		tap_bail("%s", err.text);
	is_int(count, 1500, "no session is entered while a report is made");
	while (db_usage_step(u, &err) == 1)
		steps++;
	take_report(u, &r);
	ok(steps > 2, "a report of 3000 sessions takes %d steps", steps);
	is_int(memcmp(&r.sum, &before.sum, sizeof(r.sum)), 0,
	       "it shows the moment it began at");
	is_int(find(&r, "ann").machine_ms, find(&before, "ann").machine_ms,
	       "for each user");
	enter(db, now + HOUR_MS, 100);
	if (db_get_int(db, "SELECT count(*) FROM ledger_session", &count, &err))
		tap_bail("%s", err.text);
	is_int(count, 3000, "after it they are");
	db_usage_end(NULL);
	db_close(db);
}

static void test_too_much(void)
{
	struct db *db = fresh("much.db");
	struct ledger_row l = interval(1, 1, 0, 4000000000u, 1);
	struct error err = { "" };
	struct db_usage_query q = { .by = USAGE_BY_HOST, .from_wall_ms = 1,
				    .until_wall_ms = INT64_MAX,
				    .now_wall_ms = 1ll << 40 };
	struct db_usage *u;

	help_begin(db);
	save_interval(db, &l);
	help_commit(db);
	if (db_usage_start(db, &q, &u, &err))
		tap_bail("%s", err.text);
	is_int(db_usage_step(u, &err), -1, "a sum beyond 63 bits");
	ok(strstr(err.text, "ask for a shorter time"), "%s", err.text);
	db_usage_end(u);
	db_close(db);
}

/* Sessions stay until they are entered; the ledger goes only when asked to. */
static void test_retention(void)
{
	struct db *db = fresh("keep.db");
	int64_t now = T0 + 1000 * HOUR_MS;
	struct db_keep keep = { .sessions_before = now, .keys_before = now };
	struct ledger_row l = interval(1, T0, T0 + 9 * HOUR_MS, 2, 64);
	struct error err = { "" };
	struct report r;
	int more;

	help_begin(db);
	save_interval(db, &l);
	save_session(db, 1, "ann", T0, T0 + HOUR_MS, SESSION_CLOSED);
	help_counters(db);
	do
		more = db_prune(db, &keep, &err);
	while (more == 1);
	help_commit(db);
	r = ask_for(db, USAGE_BY_USER, T0, now, now);
	is_int(find(&r, "ann").machine_ms, HOUR_MS, "not entered: it stays");
	enter(db, now, 100);
	help_begin(db);
	do
		more = db_prune(db, &keep, &err);
	while (more == 1);
	help_commit(db);
	int64_t rows;
	if (db_get_int(db, "SELECT count(*) FROM session", &rows, &err))
		tap_bail("%s", err.text);
	is_int(rows, 0, "entered: its row may go");
	r = ask_for(db, USAGE_BY_USER, T0, now, now);
	is_int(find(&r, "ann").machine_ms, HOUR_MS, "and its time is kept");
	is_int(r.sum.machine_ms, 9 * HOUR_MS, "like all of it");
	keep.ledger_before = now;
	help_begin(db);
	do
		more = db_prune(db, &keep, &err);
	while (more == 1);
	help_commit(db);
	is_int(more, 0, "a site that keeps no ledger %s", err.text);
	r = ask_for(db, USAGE_BY_USER, T0, now, now);
	is_int(r.count, 0, "has none");
	is_int(db_audit(db, &err), 0, "and is sound %s", err.text);
	db_close(db);
}

int main(void)
{
	random_seed(&rnd, 473913);
	help_make_folder();
	test_hand();
	test_months();
	test_random();
	test_meanwhile();
	test_too_much();
	test_retention();
	return tap_done();
}
