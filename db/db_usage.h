/*
 * Reports from the ledger: who used how much, exactly (spec 3.8).
 *
 * An interval of the ledger lies at its start and is as long as its length; an
 * open one goes on until now.  A report counts the part of each that lies in
 * [from, until), so reports of adjoining times add up to the one of both.  Time
 * of a machine without a session is nobody's: the row USAGE_IDLE, and
 * USAGE_CLUSTER for nodes of clusters, which have no sessions.  So the sums over
 * users, machines, pools, applications, hosts and clusters are the same number.
 *
 * A report is made in steps between turns and shows one moment: that of its
 * start.  While one is under way no session is entered in the ledger.
 */
#ifndef REMUDA_DB_USAGE_H
#define REMUDA_DB_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/core/rows.h"

struct db;
struct error;

enum db_usage_by {
	USAGE_BY_USER,
	USAGE_BY_APPLICATION,
	USAGE_BY_POOL,
	USAGE_BY_CLUSTER,
	USAGE_BY_HOST,
	USAGE_BY_MACHINE,
	USAGE_BYS
};
extern const char *const db_usage_words[USAGE_BYS];	/* "user" ... */

/* Names no user, cluster or machine can have. */
#define USAGE_IDLE "(idle)"
#define USAGE_CLUSTER "(cluster)"
#define USAGE_NO_CLUSTER "(pools)"

enum { USAGE_STEP_ROWS = 500 };

struct db_usage_query {
	enum db_usage_by by;
	int64_t from_wall_ms, until_wall_ms;
	int64_t now_wall_ms;
	/* "" = all; cluster: the nodes of this one. */
	char user[ROW_USER_SIZE], application[ROW_NAME_SIZE];
	char pool[ROW_NAME_SIZE], host[ROW_NAME_SIZE];
	char machine[ROW_NAME_SIZE], cluster[ROW_NAME_SIZE];
};

struct db_usage_row {
	char name[ROW_NAME_SIZE];
	int64_t machine_ms;	/* machines ran, together */
	int64_t vcpu_ms;	/* the same, times their vcpus */
	int64_t mib_ms;		/* times their memory */
	int64_t session_ms;	/* of it with a session */
	int64_t estimated_ms;	/* of it in intervals nobody saw the end of */
	int64_t open_ms;	/* of it in intervals that go on */
};

struct db_usage;

/* now_wall_ms bounds until. */
int db_usage_start(struct db *db, const struct db_usage_query *q,
		   struct db_usage **out, struct error *err);
/* 1 = call again, 0 = the report is made, -1 = error. */
int db_usage_step(struct db_usage *u, struct error *err);
/* By name, USAGE_* last; the report's.  Only when it is made. */
const struct db_usage_row *db_usage_rows(struct db_usage *u, size_t *count);
/* At any time; takes NULL. */
void db_usage_end(struct db_usage *u);

#endif
