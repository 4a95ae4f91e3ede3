/*
 * The migrations, compiled into the program so that it needs no files of its
 * own to run.  Each file's text stands between two symbols, with a NUL at the
 * end.  Add a migration: write NNNN-name.sql, then a line in each of the two
 * lists below.  Released files are never edited.
 */
#include "db/db_internal.h"

#define EMBED(symbol, file)                                                    \
	__asm__(".pushsection .rodata\n"                                       \
		".global " #symbol "\n"                                        \
		".hidden " #symbol "\n"                                        \
		#symbol ":\n"                                                  \
		".incbin \"db/migrations/" file "\"\n"                         \
		".byte 0\n"                                                    \
		".popsection\n");                                              \
	extern const char symbol[] __attribute__((visibility("hidden")))

EMBED(db_sql_0001, "0001-first.sql");
EMBED(db_sql_0002, "0002-site-version.sql");
EMBED(db_sql_0003, "0003-session-limits.sql");
EMBED(db_sql_0004, "0004-hours.sql");
EMBED(db_sql_0005, "0005-machine-last.sql");
EMBED(db_sql_0006, "0006-machine-version.sql");
EMBED(db_sql_0007, "0007-boot.sql");
EMBED(db_sql_0008, "0008-volume.sql");
EMBED(db_sql_0009, "0009-session-checks.sql");
EMBED(db_sql_0010, "0010-image.sql");
EMBED(db_sql_0011, "0011-request-key.sql");
EMBED(db_sql_0012, "0012-token.sql");
EMBED(db_sql_0013, "0013-ticket.sql");
EMBED(db_sql_0014, "0014-site-object.sql");
EMBED(db_sql_0015, "0015-linger.sql");
EMBED(db_sql_0016, "0016-store.sql");
EMBED(db_sql_0017, "0017-audit.sql");
EMBED(db_sql_0018, "0018-cluster.sql");
EMBED(db_sql_0019, "0019-ledger.sql");
EMBED(db_sql_0020, "0020-joined.sql");

const struct db_migration db_migrations[] = {
	{ .version = 1, .name = "0001-first", .sql = db_sql_0001 },
	{ .version = 2, .name = "0002-site-version", .sql = db_sql_0002 },
	{ .version = 3, .name = "0003-session-limits", .sql = db_sql_0003 },
	{ .version = 4, .name = "0004-hours", .sql = db_sql_0004 },
	{ .version = 5, .name = "0005-machine-last", .sql = db_sql_0005 },
	{ .version = 6, .name = "0006-machine-version", .sql = db_sql_0006 },
	{ .version = 7, .name = "0007-boot", .sql = db_sql_0007 },
	{ .version = 8, .name = "0008-volume", .sql = db_sql_0008 },
	{ .version = 9, .name = "0009-session-checks", .sql = db_sql_0009 },
	{ .version = 10, .name = "0010-image", .sql = db_sql_0010 },
	{ .version = 11, .name = "0011-request-key", .sql = db_sql_0011 },
	{ .version = 12, .name = "0012-token", .sql = db_sql_0012 },
	{ .version = 13, .name = "0013-ticket", .sql = db_sql_0013 },
	{ .version = 14, .name = "0014-site-object", .sql = db_sql_0014 },
	{ .version = 15, .name = "0015-linger", .sql = db_sql_0015 },
	{ .version = 16, .name = "0016-store", .sql = db_sql_0016 },
	{ .version = 17, .name = "0017-audit", .sql = db_sql_0017 },
	{ .version = 18, .name = "0018-cluster", .sql = db_sql_0018 },
	{ .version = 19, .name = "0019-ledger", .sql = db_sql_0019 },
	{ .version = 20, .name = "0020-joined", .sql = db_sql_0020 },
};
const int db_migration_count =
	(int)(sizeof(db_migrations) / sizeof(db_migrations[0]));
