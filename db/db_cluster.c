/*
 * Clusters, the changes made to them and the decisions behind those: saved by
 * the turn, loaded at start.  History of them is read by db_query.c.
 */
#include <inttypes.h>

#include "db/db_internal.h"

int db_save_cluster(struct db *db, const struct cluster_row *row,
		    struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_CLUSTER, &db_cluster_table, row, NULL,
			  err))
		return error_wrap(err, "saving cluster %s", row->name);
	return 0;
}

int db_save_change(struct db *db, const struct change_row *row,
		   struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_CHANGE, &db_change_table, row,
			  "it is over, or another cluster's", err))
		return error_wrap(err, "saving change/%" PRIu64, row->id);
	return 0;
}

int db_save_decision(struct db *db, const struct decision_row *row,
		     struct error *err)
{
	if (db_batch_save(db, STMT_SAVE_DECISION, &db_decision_table, row,
			  "it is about another object, or from another source",
			  err))
		return error_wrap(err, "saving decision/%" PRIu64, row->id);
	return 0;
}

#define LOAD(name, stmt)                                                       \
	int db_load_##name##s(struct db *db,                                   \
			      void (*on_row)(void *,                           \
					     const struct name##_row *),       \
			      void *arg, struct error *err)                    \
	{                                                                      \
		struct db_statement *st = db_stmt(db, stmt, err);              \
		struct name##_row row;                                         \
		int rc = st ? 0 : -1;                                          \
                                                                               \
		while (st && (rc = db_next(db, st, &db_##name##_table, &row,   \
					   err)) == 1)                         \
			on_row(arg, &row);                                     \
		return rc;                                                     \
	}
LOAD(cluster, STMT_LOAD_CLUSTERS)
LOAD(change, STMT_LOAD_CHANGES)
LOAD(ledger, STMT_LOAD_LEDGERS)

int db_load_decisions(struct db *db,
		      void (*on_row)(void *, const struct decision_row *),
		      void *arg, struct error *err)
{
	struct decision_row row = { .id = 0 };
	int rc;

	do {
		struct db_statement *st = db_stmt(db, STMT_NEXT_LAST_DECISION,
						  err);
		struct decision_row at = row;

		if (!st)
			return -1;
		db_bind_text(st, 1, at.object);
		db_bind_text(st, 2, at.source);
		rc = db_next(db, st, &db_decision_table, &row, err);
		sqlite3_reset(st->stmt);
		if (rc == 1)
			on_row(arg, &row);
	} while (rc == 1);
	return rc;
}
