/*
 * store_audit DB: looks at the store of a stopped engine.  Prints "sound", or what
 * the audit says, then three numbers: intervals of the ledger, their length and
 * that of the runs of machines' domains, which are recorded apart from it
 * (db_runs.c), both of those that are over, in ms.
 */
#include <inttypes.h>
#include <stdio.h>

#include "db/db_internal.h"

int main(int argc, char **argv)
{
	struct error err = { "" };
	int64_t count = 0, ledger = 0, runs = 0;
	struct db *db;

	if (argc != 2 || db_open(argv[1], &db, &err)) {
		printf("%s\n", argc == 2 ? err.text : "store_audit DB");
		return 1;
	}
	if (db_audit(db, &err) ||
	    db_get_int(db, "SELECT count(*) FROM ledger WHERE end_wall_ms > 0",
		       &count, &err) ||
	    db_get_int(db, "SELECT coalesce(sum(length_ms), 0) FROM ledger "
		       "WHERE end_wall_ms > 0", &ledger, &err) ||
	    db_get_int(db, "SELECT coalesce(sum(until_wall_ms - since_wall_ms), 0) "
		       "FROM machine_run WHERE until_wall_ms > 0", &runs, &err)) {
		printf("%s\n", err.text);
		db_close(db);
		return 1;
	}
	printf("sound\n%" PRId64 " %" PRId64 " %" PRId64 "\n", count, ledger, runs);
	db_close(db);
	return 0;
}
