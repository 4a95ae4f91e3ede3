/*
 * Clusters, changes and decisions in the store, and the ledger's intervals: every
 * field comes back, what must not be written is refused, history is found and
 * goes when it is old, and a restore ends what nobody knows the end of.
 */
#include "db/db_backup.h"
#include "engine/core/spec.h"
#include "tests/unit/db_help.h"

enum { ROUNDS = 500 };
static const int64_t NOW = 1764000000000, DAY_MS = 86400000;

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

static void on_cluster(void *arg, const struct cluster_row *row)
{
	add_row(arg, row);
}

static void on_change(void *arg, const struct change_row *row)
{
	add_row(arg, row);
}

static void on_decision(void *arg, const struct decision_row *row)
{
	add_row(arg, row);
}

static void on_ledger(void *arg, const struct ledger_row *row)
{
	add_row(arg, row);
}

static int64_t get(struct db *db, const char *sql)
{
	struct error err = { "" };
	int64_t n = -1;

	if (db_get_int(db, sql, &n, &err))
		tap_bail("%s: %s", sql, err.text);
	return n;
}

/* ---- round trips ------------------------------------------------------------ */

static struct cluster_row clusters[ROUNDS];
static struct change_row changes[ROUNDS];
static struct decision_row decisions[ROUNDS];
static struct ledger_row ledgers[ROUNDS];

static void make_rows(void)
{
	for (uint64_t i = 0; i < ROUNDS; i++) {
		struct change_row *c = &changes[i];
		struct ledger_row *l = &ledgers[i];

		help_fill(&rnd, &db_cluster_table, &clusters[i]);
		help_fill(&rnd, &db_change_table, c);
		help_fill(&rnd, &db_decision_table, &decisions[i]);
		help_fill(&rnd, &db_ledger_table, l);
		memset(clusters[i].name, 0, sizeof(clusters[i].name));
		snprintf(clusters[i].name, sizeof(clusters[i].name), "'%05d",
			 (int)i);
		c->id = decisions[i].id = l->id = l->machine = i + 1;
		memset(c->cluster, 0, sizeof(c->cluster));
		snprintf(c->cluster, sizeof(c->cluster), "\"%05d", (int)i);
		if (c->state == CHANGE_RUNNING || c->state == CHANGE_UNDOING)
			c->ended_wall_ms = 0;
		l->start_wall_ms = 1 + (int64_t)random_below(&rnd, 1u << 30);
		l->length_ms = (int64_t)random_below(&rnd, 1u << 30);
		l->end_wall_ms = random_chance(&rnd, 50) ? 0 :
			l->start_wall_ms + l->length_ms +
			(int64_t)random_below(&rnd, 9);
	}
}

static void save_rows(struct db *db)
{
	struct error err = { "" };
	int bad = 0;

	help_begin(db);
	for (int i = 0; i < ROUNDS; i++)
		bad += db_save_cluster(db, &clusters[i], &err) ||
		       db_save_change(db, &changes[i], &err) ||
		       db_save_decision(db, &decisions[i], &err) ||
		       db_save_ledger(db, &ledgers[i], &err);
	bad += help_counters(db) != 0;
	help_commit(db);
	is_int(bad, 0, "%d rows of each kind are saved %s", ROUNDS, err.text);
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
	struct collect c = { .row_size = sizeof(struct cluster_row) };
	struct collect h = { .row_size = sizeof(struct change_row) };
	struct collect d = { .row_size = sizeof(struct decision_row) };
	struct collect l = { .row_size = sizeof(struct ledger_row) };
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "round.db"));
	size_t open = 0;

	make_rows();
	save_rows(db);
	db_close(db);
	db = help_open(path);
	is_int(db_load_clusters(db, on_cluster, &c, &err), 0, "clusters load");
	compare("cluster", &db_cluster_table, &c, clusters, false);
	is_int(db_query_changes(db, &all, on_change, &h, &err), 0,
	       "changes load");
	compare("change", &db_change_table, &h, changes, true);
	is_int(db_query_decisions(db, &all, on_decision, &d, &err), 0,
	       "decisions load");
	compare("decision", &db_decision_table, &d, decisions, true);
	is_int(db_load_ledgers(db, on_ledger, &l, &err), 0, "intervals load");
	for (int i = 0; i < ROUNDS; i++) {
		if (ledgers[i].end_wall_ms)
			continue;
		if (open < l.count && help_differ(&db_ledger_table,
					l.rows + open * l.row_size, &ledgers[i]))
			tap_note("interval %d differs", i);
		else
			open++;
	}
	is_int(open, l.count, "the open ones, every field as it was");
	is_int(get(db, "SELECT count(*) FROM ledger"), ROUNDS, "all are kept");
	free(l.rows);
	/* No machines are there: what the audit must say of open intervals. */
	is_int(db_audit(db, &err), -1, "the audit");
	ok(strstr(err.text, "S10, an open interval has its machine"), "%s",
	   err.text);
	db_close(db);
}

/* ---- machines ------------------------------------------------------------------ */

static void test_machine(void)
{
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "machine.db"));
	struct machine_row m = help_machine(1, 0);
	static const char whole[] =
		"SELECT count(*) FROM machine WHERE vcpus = 4 AND "
		"memory_mib = 3000000000000 AND node = 'draining' "
		"AND change_id = 12 AND ledger = 77";

	m.vcpus = 4;
	m.memory_mib = 3000000000000;
	m.node = NODE_DRAINING;
	m.change = 12;
	m.ledger = 77;
	help_begin(db);
	is_int(db_save_machine(db, &m, &err), 0, "a node is saved %s", err.text);
	help_commit(db);
	is_int(get(db, whole), 1, "with its size, part, change and interval");
	m.node = NODE_STATES;
	help_begin(db);
	is_int(db_save_machine(db, &m, &err), -1, "no such part");
	ok(strstr(err.text, "machine.node: 4 has no name"), "%s", err.text);
	db_close(db);
}

/* ---- changes and decisions ------------------------------------------------------- */

static struct change_row a_change(uint64_t id, const char *cluster)
{
	struct change_row c = {
		.id = id, .started_wall_ms = NOW + (int64_t)id * 1000,
		.strategy = STRATEGY_FAILOVER, .from_nodes = 2, .to_nodes = 3,
	};

	TEXT_SET(c.cluster, cluster);
	TEXT_SET(c.who, "rule load");
	TEXT_SET(c.pairs, ">payroll-03");
	return c;
}

static void refused(struct db *db, int rc, const struct error *err,
		    const char *want, const char *what)
{
	struct error commit = { "" };

	is_int(rc, -1, "%s is refused", what);
	if (!ok(strstr(err->text, want) != NULL, "... naming %s", want))
		tap_note("%s", err->text);
	is_int(db_commit(db, &commit), -1, "... and so is the batch");
	help_begin(db);
}

static void test_changes(void)
{
	struct db_query q = { .cluster = "payroll" };
	struct collect got = { .row_size = sizeof(struct change_row) };
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "change.db"));
	struct change_row c = a_change(1, "payroll"), other = a_change(2, "payroll");

	help_begin(db);
	is_int(db_save_change(db, &c, &err), 0, "a change begins %s", err.text);
	help_commit(db);
	help_begin(db);
	int rc = db_save_change(db, &other, &err);
	refused(db, rc, &err, "change.cluster", "a second at the same time");
	c.step = STEP_JOIN;
	c.state = CHANGE_UNDOING;
	rc = db_save_change(db, &c, &err);
	is_int(rc, 0, "it goes on %s", err.text);
	c.state = CHANGE_DONE;
	rc = db_save_change(db, &c, &err);
	refused(db, rc, &err, "change_ended", "an end without its time");
	c.ended_wall_ms = NOW + 9000;
	is_int(db_save_change(db, &c, &err), 0, "it ends");
	is_int(db_save_change(db, &other, &err), 0, "the next may begin");
	help_commit(db);
	help_begin(db);
	c.state = CHANGE_FAILED;
	rc = db_save_change(db, &c, &err);
	refused(db, rc, &err, "it is over", "another end");
	other = a_change(3, "shop");
	is_int(db_save_change(db, &other, &err), 0, "another cluster's");
	help_commit(db);

	is_int(db_query_changes(db, &q, on_change, &got, &err), 0, "by cluster");
	is_int(got.count, 2, "its own");
	got.count = 0;
	TEXT_SET(q.state, "done");
	is_int(db_query_changes(db, &q, on_change, &got, &err), 0, "by state");
	is_int(got.count, 1, "the one that is done");
	is_int(((struct change_row *)got.rows)->id, 1, "... is 1");
	got.count = 0;
	is_int(db_load_changes(db, on_change, &got, &err), 0, "loading");
	is_int(got.count, 2, "those that are not over");
	free(got.rows);
	db_close(db);
}

static struct decision_row a_decision(uint64_t id, int64_t wall_ms,
				      const char *object, const char *source,
				      int outcome)
{
	struct decision_row d = { .id = id, .wall_ms = wall_ms,
				  .outcome = outcome };

	TEXT_SET(d.object, object);
	TEXT_SET(d.source, source);
	TEXT_SET(d.inputs, "nodes=2 cpu=87");
	TEXT_SET(d.wish, "nodes=3");
	snprintf(d.text, sizeof(d.text), "because %d", (int)id);
	return d;
}

static void save_decision(struct db *db, struct decision_row d)
{
	struct error err = { "" };

	if (db_save_decision(db, &d, &err))
		tap_bail("%s", err.text);
}

static void prune(struct db *db, const struct db_keep *keep)
{
	struct error err = { "" };
	int more;

	do {
		help_begin(db);
		more = db_count_hours(db, NOW, &err);
		if (more == 0)
			more = db_prune(db, keep, &err);
		help_commit(db);
	} while (more > 0);
	is_int(more, 0, "old rows are deleted %s", err.text);
}

static void test_decisions(void)
{
	struct db_query q = { .object = "cluster/payroll" };
	struct collect got = { .row_size = sizeof(struct decision_row) };
	struct db_keep keep = { .changes_before = NOW - 90 * DAY_MS,
				.kept_before = NOW - 7 * DAY_MS };
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "decision.db"));
	static const char *const objects[] = { "cluster/payroll", "pool/mail" };
	static const char *const sources[] = { "calendar", "rule/load" };
	uint64_t id = 0;

	help_begin(db);
	for (int day = 100; day > 0; day--)
		for (int k = 0; k < 4; k++) {
			id++;
			save_decision(db, a_decision(id, NOW - day * DAY_MS,
				objects[k / 2], sources[k % 2],
				day % 10 ? DECISION_KEPT : DECISION_CHANGED));
		}
	save_decision(db, a_decision(++id, NOW - 200 * DAY_MS, objects[0],
				     "operator/ops1", DECISION_CHANGED));
	help_counters(db);
	help_commit(db);

	is_int(db_load_decisions(db, on_decision, &got, &err), 0, "loading");
	is_int(got.count, 5, "the last of each object and source");
	const struct decision_row *d = (void *)got.rows;
	is_text(d[0].source, "calendar", "in order");
	is_int(d[0].id, 397, "... the newest");
	is_text(d[1].source, "operator/ops1", "the operator's");
	is_int(d[4].id, 400, "... and the last");
	got.count = 0;
	is_int(db_query_decisions(db, &q, on_decision, &got, &err), 0,
	       "of an object");
	is_int(got.count, 100, "a page");
	is_int(q.next, 202, "there are more");
	q = (struct db_query){ .source = "rule/load", .object = "pool/mail",
			       .limit = 300 };
	TEXT_SET(q.state, "changed");
	got.count = 0;
	is_int(db_query_decisions(db, &q, on_decision, &got, &err), 0,
	       "of a rule, that changed something");
	is_int(got.count, 10, "one in ten of a hundred");
	free(got.rows);

	prune(db, &keep);
	is_int(get(db, "SELECT count(*) FROM decision WHERE outcome = 'kept' "
		   "AND wall_ms < 1764000000000 - 604800000"), 0,
	       "what changed nothing goes after a week");
	is_int(get(db, "SELECT count(*) FROM decision WHERE outcome = 'changed'"),
	       9 * 4 + 1, "what changed something after 90 days");
	is_int(get(db, "SELECT count(*) FROM decision WHERE source = "
		   "'operator/ops1'"), 1, "the last of its source stays");
	db_close(db);
}

/* ---- the ledger ---------------------------------------------------------------------- */

static struct ledger_row an_interval(uint64_t id, uint64_t machine,
				     int64_t start)
{
	struct ledger_row l = { .id = id, .machine = machine, .vcpus = 2,
				.memory_mib = 1024, .start_wall_ms = start };

	snprintf(l.machine_name, sizeof(l.machine_name), "mail-%02d",
		 (int)machine);
	TEXT_SET(l.pool, "mail");
	TEXT_SET(l.application, "mail");
	TEXT_SET(l.host, "hv01");
	return l;
}

static void test_closed(struct db *db)
{
	struct ledger_row l = an_interval(1, 1, NOW), other;
	struct error err = { "" };
	int rc;

	help_begin(db);
	is_int(db_save_ledger(db, &l, &err), 0, "an interval opens %s", err.text);
	l.length_ms = 60000;
	is_int(db_save_ledger(db, &l, &err), 0, "its length is kept up");
	help_commit(db);
	help_begin(db);
	other = an_interval(2, 1, NOW + 5);
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "ledger.machine", "a second open one");
	other = l;
	other.vcpus = 3;
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "(S10)", "another size");
	other = l;
	TEXT_SET(other.host, "hv02");
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "(S10)", "another host");
	other = l;
	other.machine = 9;
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "(S10)", "another machine");
	l.end_wall_ms = NOW + 100000;
	l.length_ms = 100000;
	is_int(db_save_ledger(db, &l, &err), 0, "it closes");
	help_commit(db);
	help_begin(db);
	is_int(db_save_ledger(db, &l, &err), 0, "saying so again is no error");
	other = l;
	other.length_ms++;
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "it is closed", "another length of a closed one");
	other = l;
	other.end_wall_ms = 0;
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "it is closed", "opening it again");
	other = an_interval(3, 2, 0);
	rc = db_save_ledger(db, &other, &err);
	refused(db, rc, &err, "start_wall_ms >= 1", "no start at all");
	other = an_interval(2, 1, NOW);
	rc = db_save_ledger(db, &other, &err);
	is_int(rc, 0, "a start before the end of the last");
	help_commit(db);
}

/* Clocks are set back and forward; intervals stay one after the other. */
static void test_clock(struct db *db)
{
	struct error err = { "" };
	int bad = 0, shifted = 0;
	int64_t wall = NOW, before = 0, sum = 0;

	help_begin(db);
	for (uint64_t id = 100; id < 600; id++) {
		uint64_t machine = 50 + id % 7;
		struct ledger_row l = an_interval(id, machine, wall);

		l.estimated = random_chance(&rnd, 5);
		bad += db_save_ledger(db, &l, &err) != 0;
		l.length_ms = (int64_t)random_below(&rnd, 5000);
		wall += l.length_ms;
		if (random_chance(&rnd, 300)) {
			shifted++;
			wall += (int64_t)random_below(&rnd, 2000000) - 1000000;
		}
		l.end_wall_ms = wall;
		bad += db_save_ledger(db, &l, &err) != 0;
		sum += l.length_ms;
		before += l.estimated;
	}
	help_counters(db);
	help_commit(db);
	is_int(bad, 0, "500 intervals under a clock that was set %d times %s",
	       shifted, err.text);
	is_int(get(db, "SELECT sum(length_ms) FROM ledger WHERE id >= 100"), sum,
	       "no length is changed by it");
	ok(get(db, "SELECT sum(estimated) FROM ledger WHERE id >= 100") > before,
	   "those that begin later than said are marked");
	is_int(get(db, "SELECT count(*) FROM ledger WHERE end_wall_ms < "
		   "start_wall_ms + length_ms AND end_wall_ms > 0"), 0,
	       "none ends before its length");
}

static void test_ledger(void)
{
	struct machine_row m = help_machine(1, 0);
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "ledger.db"));

	test_closed(db);
	test_clock(db);
	help_begin(db);
	m.ledger = 2;
	if (db_save_machine(db, &m, &err))
		tap_bail("%s", err.text);
	help_commit(db);
	is_int(db_audit(db, &err), 0, "the audit finds them sound %s", err.text);
	db_close(db);
}

/* What the audit finds in a file that somebody else wrote. */
static void test_audit(void)
{
	static const struct { const char *sql, *want; } cases[] = {
		{ "UPDATE ledger SET length_ms = 70000 WHERE id = 1",
		  "S10, an interval ends after it began" },
		{ "UPDATE ledger SET start_wall_ms = start_wall_ms - 1 "
		  "WHERE id = 2", "S10, a machine's intervals do not overlap" },
		{ "DELETE FROM machine", "S10, an open interval has its machine" },
		{ "UPDATE machine SET ledger = 99",
		  "S10, a machine's interval is its own" },
		{ "INSERT INTO ledger_session VALUES (2, 5, 'ann', 5, 10)",
		  "S10, a session's part lies" },
		{ "UPDATE counter SET next = 2 WHERE name = 'ledger'",
		  "no id above its counter" },
		{ "PRAGMA ignore_check_constraints = 1; "
		  "UPDATE ledger SET estimated = 2", "damaged" },
		{ "UPDATE ledger SET estimated = 1", NULL },
	};
	struct error err = { "" };
	char path[HELP_PATH];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ledger_row l = an_interval(1, 1, NOW);
		struct machine_row m = help_machine(1, 0);
		sqlite3 *h = NULL;

		help_forget(help_path(path, "audit.db"));
		struct db *db = help_open(path);
		l.length_ms = 60000;
		l.end_wall_ms = NOW + 60000;
		m.ledger = 2;
		help_begin(db);
		int bad = db_save_ledger(db, &l, &err);
		l = an_interval(2, 1, NOW + 60000);
		bad |= db_save_ledger(db, &l, &err) |
		       db_save_machine(db, &m, &err) | help_counters(db);
		help_commit(db);
		is_int(bad | db_audit(db, &err), 0, "sound before %s", err.text);
		db_close(db);
		if (sqlite3_open(path, &h) ||
		    sqlite3_exec(h, cases[i].sql, NULL, NULL, NULL))
			tap_bail("%s: %s", cases[i].sql, sqlite3_errmsg(h));
		sqlite3_close(h);
		db = help_open(path);
		err.text[0] = '\0';
		is_int(db_audit(db, &err), cases[i].want ? -1 : 0, "%s",
		       cases[i].sql);
		if (!ok(!cases[i].want || strstr(err.text, cases[i].want),
			"... %s", cases[i].want ? cases[i].want : "is no matter"))
			tap_note("%s", err.text);
		db_close(db);
	}
}

/* ---- backup and restore ---------------------------------------------------------------- */

static void test_restore(void)
{
	struct db_backup_note note = { .site = "lab", .wall_ms = NOW + 3600000 };
	struct ledger_row l = an_interval(1, 1, NOW), late = an_interval(2, 2, NOW);
	struct machine_row m = help_machine(1, 0), n = help_machine(2, 0);
	struct change_row c = a_change(1, "payroll");
	struct cluster_row k = { .name = "payroll", .nodes = 3, .pin_nodes = 3 };
	struct error err = { "" };
	struct db_restored r;
	struct db_backup *b;
	char path[HELP_PATH], to[HELP_PATH], from[HELP_PATH];
	struct db *db = help_open(help_path(path, "live.db"));

	m.ledger = 1;
	m.node = NODE_SERVING;
	m.change = 1;
	n.ledger = 2;
	late.length_ms = 7200000;	/* the clock was set back since */
	help_begin(db);
	int bad = db_save_ledger(db, &l, &err) | db_save_ledger(db, &late, &err) |
		  db_save_machine(db, &m, &err) | db_save_machine(db, &n, &err) |
		  db_save_change(db, &c, &err) | db_save_cluster(db, &k, &err) |
		  help_counters(db);
	save_decision(db, a_decision(1, NOW, "cluster/payroll", "operator/ops1",
				     DECISION_CHANGED));
	help_commit(db);
	help_path(from, "live.bak");
	if (bad || db_backup_start(db, from, &b, &err))
		tap_bail("%s", err.text);
	while (db_backup_step(b, &err) == 1)
		;
	db_backup_end(b);
	db_close(db);
	if (db_backup_seal(from, &note, &err))
		tap_bail("%s", err.text);
	is_int(db_restore(from, help_path(to, "new.db"), false, NOW + DAY_MS, &r,
			  &err), 0, "restored %s", err.text);
	db = help_open(to);
	is_int(db_audit(db, &err), 0, "and sound %s", err.text);
	is_int(get(db, "SELECT count(*) FROM ledger WHERE estimated = 1 AND "
		   "end_wall_ms = 1764003600000 AND length_ms = 3600000"), 1,
	       "an open interval ends with the backup, as an estimate");
	is_int(get(db, "SELECT count(*) FROM ledger WHERE estimated = 1 AND "
		   "end_wall_ms = 1764007200000 AND length_ms = 7200000"), 1,
	       "one that is longer keeps its length");
	is_int(get(db, "SELECT count(*) FROM machine WHERE ledger = 0 AND "
		   "node = 'none' AND change_id = 0"), 2,
	       "machines have none, and no part in a cluster");
	is_int(get(db, "SELECT count(*) FROM change WHERE state = 'failed' AND "
		   "ended_wall_ms > 0"), 1, "what was under way has failed");
	is_int(get(db, "SELECT pin_nodes FROM cluster"), 3,
	       "what is wanted of clusters holds");
	is_int(get(db, "SELECT count(*) FROM decision"), 1, "decisions are there");
	ok(db_counter(db, DB_COUNTER_LEDGER) > 1000000, "ids jump ahead");
	db_close(db);
}

int main(void)
{
	random_seed(&rnd, 20261128);
	help_make_folder();
	test_round_trip();
	test_machine();
	test_changes();
	test_decisions();
	test_ledger();
	test_audit();
	test_restore();
	return tap_done();
}
