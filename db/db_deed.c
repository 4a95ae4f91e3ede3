/* The audit log: deeds of operators, appended and read (db.h). */
#include <string.h>

#include "db/db_internal.h"

int db_save_deed(struct db *db, const struct db_deed *row, struct error *err)
{
	struct db_statement *st = db_batch_stmt(db, STMT_SAVE_DEED, err);

	if (!st || db_bind_row(db, st, &db_deed_table, row, err) ||
	    db_batch_run(db, st, err))
		return error_wrap(err, "saving what %s did", row->who);
	return 0;
}

static bool is(const char *filter, const char *value)
{
	return !filter[0] || strcmp(filter, value) == 0;
}

static bool fits(const struct db_query *q, const struct db_deed *d)
{
	return is(q->user, d->who) && is(q->code, d->verb) &&
	       (!q->state[0] || (strcmp(q->state, "failed") == 0) == !!d->code[0]) &&
	       (!q->text[0] || strcasestr(d->arguments, q->text) ||
		strcasestr(d->text, q->text)) &&
	       d->wall_ms >= q->since_wall_ms &&
	       (!q->until_wall_ms || d->wall_ms < q->until_wall_ms);
}

int db_query_deeds(struct db *db, struct db_query *q,
		   void (*on_row)(void *, const struct db_deed *), void *arg,
		   struct error *err)
{
	struct db_statement *st = db_stmt(db, STMT_DEEDS, err);
	uint32_t limit = q->limit ? q->limit : 100, seen = 0, given = 0;
	struct db_deed d = { .id = 0 };
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, q->before_id ? (int64_t)q->before_id : INT64_MAX);
	db_bind_int(st, 2, q->scan ? (int64_t)q->scan : INT64_MAX);
	while ((rc = db_next(db, st, &db_deed_table, &d, err)) == 1) {
		seen++;
		if (!fits(q, &d))
			continue;
		on_row(arg, &d);
		if (++given == limit) {
			sqlite3_reset(st->stmt);
			rc = 0;
			break;
		}
	}
	q->next = rc == 0 && seen && (given == limit || seen == q->scan) &&
		  d.id > 1 ? d.id : 0;
	return rc;
}
