/*
 * Rows of volumes: every field comes back as it was saved, one that is made
 * stays the file it is, and none is without its machine (S11).
 */
#include "tests/unit/db_help.h"

enum { VOLUMES = 500 };

struct collect {
	struct volume_row rows[VOLUMES + 1];
	size_t count;
};

static struct random rnd;

static void on_volume(void *arg, const struct volume_row *row)
{
	struct collect *c = arg;

	if (c->count <= VOLUMES)
		c->rows[c->count++] = *row;
}

/* Half of them are made, the others intended; loaded in order of intent. */
static void fill_volume(struct volume_row *v, size_t i)
{
	help_fill(&rnd, &db_volume_table, v);
	memset(v->name, 0, sizeof(v->name));
	snprintf(v->name, sizeof(v->name), "'%03zu\xf0\x9f\x90\xb4.qcow2", i);
	v->machine = 1 + i % 3;
	v->kind = (int)(i % VOLUME_KINDS);
	v->intended_wall_ms = (int64_t)i;
	if (i % 2 == 0)
		return;
	v->inode = 0;
	memset(v->key, 0, sizeof(v->key));
}

static void test_volumes(void)
{
	static struct volume_row want[VOLUMES];
	static struct collect got = { .count = 0 };
	struct error err = { "" };
	char path[HELP_PATH];
	struct db *db = help_open(help_path(path, "volumes.db"));
	int bad = 0, differ = 0;

	help_begin(db);
	help_counters(db);
	for (uint64_t id = 1; id <= 3; id++) {
		struct machine_row m = help_machine(id, 0);

		bad += db_save_machine(db, &m, &err) != 0;
	}
	for (size_t i = 0; i < VOLUMES; i++) {
		fill_volume(&want[i], i);
		bad += db_save_volume(db, &want[i], &err) != 0;
	}
	help_commit(db);
	is_int(bad, 0, "%d volumes are saved: %s", VOLUMES, err.text);
	help_begin(db);
	want[1].inode = 77;
	TEXT_SET(want[1].key, "/images/it");
	is_int(db_save_volume(db, &want[1], &err) |
	       db_delete_volume(db, want[2].name, &err), 0,
	       "one that was intended is made, one is deleted: %s", err.text);
	help_commit(db);
	db_close(db);
	db = help_open(path);
	is_int(db_load_volumes(db, on_volume, &got, &err), 0, "volumes load");
	is_int(got.count, VOLUMES - 1, "all but the one deleted");
	for (size_t i = 0, at = 0; i < VOLUMES && at < got.count; i++) {
		if (i == 2)
			continue;
		const char *column = help_differ(&db_volume_table,
						 &got.rows[at++], &want[i]);

		if (column && differ++ < 3)
			tap_note("volume %zu differs in %s", i, column);
	}
	is_int(differ, 0, "every field of every volume is as it was");
	is_int(db_audit(db, &err), 0, "audit: %s", err.text);
	db_close(db);
}

/* Refused at the latest by the commit (S11). */
static void refused_volume(struct db *db, const struct volume_row *v,
			   const char *what)
{
	struct error err = { "" };

	help_begin(db);
	ok(db_save_volume(db, v, &err) != 0 || db_commit(db, &err) != 0,
	   "%s: %s", what, err.text);
	db_close(db);
}

static void test_volume_refused(void)
{
	static const char *const what[] = {
		"a volume without its machine", "one that is made as another file",
		"one that is made as another machine's",
	};
	struct error err = { "" };
	char path[HELP_PATH], name[32];
	struct volume_row v;

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "refused-%d.db", i);
		struct db *db = help_open(help_path(path, name));

		fill_volume(&v, 0);
		help_begin(db);
		help_counters(db);
		for (uint64_t id = 1; i > 0 && id <= 3; id++) {
			struct machine_row m = help_machine(id, 0);

			if (db_save_machine(db, &m, &err) != 0)
				tap_bail("%s", err.text);
		}
		if (i > 0 && db_save_volume(db, &v, &err) != 0)
			tap_bail("%s", err.text);
		help_commit(db);
		if (i == 1)
			v.inode = v.inode == 1 ? 2 : 1;
		else if (i == 2)
			v.machine = 2;
		refused_volume(db, &v, what[i]);
	}
}

int main(void)
{
	random_seed(&rnd, 20261122);
	help_make_folder();
	test_volumes();
	test_volume_refused();
	return tap_done();
}
