/*
 * The columns of every list, and which of them a narrow terminal loses first.
 * A line of cli_table.c names the view that its answer is shown in.
 */
#include "console/cli_views.h"

/* Columns: title, key, cell, where, rank (highest is dropped first). */
#define COLUMN(head, from, what, on, order, ...)                               \
	{ .title = (head), .key = (from), .cell = CELL_##what, .where = (on),  \
	  .rank = (order), __VA_ARGS__ }
#define NUMBER .right = true
#define FLEXIBLE .flexible = true

static const struct cli_column host_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("MACHINES", "machines", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("CPUS", "cpus", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("MEMORY-MIB", "memory_mib", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("USED-VCPUS", "used_vcpus", TEXT, ON_WIDE | ON_CSV, 5, NUMBER),
	COLUMN("ROOM-VCPUS", "room_vcpus", TEXT, ON_WIDE | ON_CSV, 6, NUMBER),
	COLUMN("USED-MIB", "used_mib", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("ROOM-MIB", "room_mib", TEXT, ON_WIDE | ON_CSV, 6, NUMBER),
	COLUMN("DISK-MIB", "disk_mib", TEXT, ON_WIDE | ON_CSV, 6, NUMBER),
	COLUMN("SITE", "site", TEXT, ON_ALL, 6),
	COLUMN("LABELS", "host_labels", TEXT, ON_WIDE | ON_CSV, 8),
	COLUMN("DRAINED", "draining", TEXT, ON_ALL, 5),
	COLUMN("KVM", "kvm", TEXT, ON_ALL, 5),
	COLUMN("VERSION", "version", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("HOSTNAME", "hostname", TEXT, ON_WIDE | ON_CSV, 8),
	COLUMN("SINCE", "since", SINCE, ON_ALL, 6),
	COLUMN("URI", "uri", TEXT, ON_ALL, 7),
	COLUMN("NOTE", "text", TEXT, ON_ALL, 2, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column pool_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("APP", "application", TEXT, ON_ALL, 6),
	COLUMN("SIZE", "total", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("USE", "in_use", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("READY", "ready", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("SAVED", "saved", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("START", "starting", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("BAD", "bad", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("MIN-MAX", "serve|max", RANGE, ON_TABLE | ON_WIDE, 5),
	COLUMN("SERVE", "serve", TEXT, ON_CSV, 8, NUMBER),
	COLUMN("MAX", "max", TEXT, ON_CSV, 8, NUMBER),
	COLUMN("WAIT", "waiting", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("OLD", "outdated", TEXT, ON_WIDE | ON_CSV, 7, NUMBER),
	COLUMN("SPARE", "spare", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("HOST", "host", TEXT, ON_WIDE | ON_CSV, 9),
	COLUMN("CLEAN", "recycle", TEXT, ON_WIDE | ON_CSV, 9),
	COLUMN("ENDPOINT", "endpoint", TEXT, ON_WIDE | ON_CSV, 9),
	COLUMN("IDENTITY", "identity", TEXT, ON_WIDE | ON_CSV, 9),
	COLUMN("NOTE", "reason", TEXT, ON_WIDE | ON_CSV, 7, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column machine_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("POOL", "pool", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("HOST", "host", TEXT, ON_ALL, 5),
	COLUMN("SESSION", "session", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("USER", "user", TEXT, ON_ALL, 1),
	COLUMN("SINCE", "since", SINCE, ON_ALL, 4),
	COLUMN("WISH", "wish", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("DIRTY", "dirty", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("RUNG", "rung", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("INCARNATION", "incarnation", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("SESSIONS", "sessions", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("BOOT", "boot_ms", MS, ON_WIDE | ON_CSV, 9, NUMBER),
	COLUMN("PREPARE", "prepare_ms", MS, ON_WIDE | ON_CSV, 9, NUMBER),
	COLUMN("CLEAN", "clean_ms", MS, ON_WIDE | ON_CSV, 9, NUMBER),
	COLUMN("REASON", "reason", TEXT, ON_CSV, 9),
	COLUMN("NOTE", "reason", NOTE, ON_TABLE | ON_WIDE, 2, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column session_columns[] = {
	COLUMN("ID", "id", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("USER", "user", TEXT, ON_ALL, 0),
	COLUMN("APP", "application", TEXT, ON_ALL, 4),
	COLUMN("MACHINE", "machine", TEXT, ON_ALL, 1),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("SINCE", "accepted|assigned|requested", SINCE,
	       ON_TABLE | ON_WIDE, 3),
	COLUMN("REQUESTED", "requested", STAMP, ON_CSV, 9),
	COLUMN("ASSIGNED", "assigned", STAMP, ON_CSV, 9),
	COLUMN("ACCEPTED", "accepted", STAMP, ON_CSV, 9),
	COLUMN("ENDED", "ended", STAMP, ON_WIDE | ON_CSV, 9),
	COLUMN("ENDS", "ends", STAMP, ON_WIDE | ON_CSV, 9),
	COLUMN("LINGERS", "lingers", STAMP, ON_WIDE | ON_CSV, 9),
	COLUMN("WAIT", "wait_ms", MS, ON_ALL, 6, NUMBER),
	COLUMN("ACCEPT", "accept_ms", MS, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("CLEAN", "clean_ms", MS, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("IN", "bytes_in", BYTES, ON_ALL, 5, NUMBER),
	COLUMN("OUT", "bytes_out", BYTES, ON_ALL, 5, NUMBER),
	COLUMN("CONNS", "connections", TEXT, ON_WIDE | ON_CSV, 9, NUMBER),
	COLUMN("FROM", "peer", TEXT, ON_ALL, 7, FLEXIBLE),
	COLUMN("LISTENER", "listener", TEXT, ON_WIDE | ON_CSV, 8),
	COLUMN("END", "end_text", TEXT, ON_WIDE | ON_CSV, 8),
	{ .title = NULL },
};

static const struct cli_column listener_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("DOOR", "door", TEXT, ON_ALL, 3),
	COLUMN("ADDRESS", "address", TEXT, ON_ALL, 1, FLEXIBLE),
	COLUMN("USER", "user", TEXT, ON_ALL, 4),
	COLUMN("APP", "application", TEXT, ON_ALL, 2),
	COLUMN("TLS", "tls_expires", STAMP, ON_ALL, 5),
	COLUMN("UNAUTH", "unauthenticated", TEXT, ON_ALL, 6, NUMBER),
	COLUMN("REFUSED", "refused", TEXT, ON_ALL, 6, NUMBER),
	COLUMN("AWAY", "turned_away", TEXT, ON_ALL, 7, NUMBER),
	COLUMN("EVICTED", "evicted", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	{ .title = NULL },
};

static const struct cli_column gateway_columns[] = {
	COLUMN("INDEX", "index", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("PID", "pid", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("SESSIONS", "sessions", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("ADOPTED", "adopted", TEXT, ON_ALL, 3),
	COLUMN("OLD", "outdated", TEXT, ON_ALL, 4),
	COLUMN("DRAINING", "draining", TEXT, ON_WIDE | ON_CSV, 4),
	COLUMN("TEMPORARY", "temporary", TEXT, ON_WIDE | ON_CSV, 4),
	{ .title = NULL },
};

static const struct cli_column resource_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("POOL", "pool", TEXT, ON_ALL, 4),
	COLUMN("MACHINE", "machine", TEXT, ON_ALL, 3),
	COLUMN("ADDRESS", "address", TEXT, ON_ALL, 3),
	COLUMN("LISTEN", "listen", TEXT, ON_ALL, 4),
	COLUMN("IDENTITY", "identity", TEXT, ON_ALL, 2),
	COLUMN("OPEN", "open", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("REFUSED", "refused", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("ACCESS", "access", TEXT, ON_ALL, 5, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column application_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("POOLS", "pools", TEXT, ON_ALL, 1),
	COLUMN("ENDPOINT", "endpoint", TEXT, ON_ALL, 2),
	COLUMN("IDENTITY", "identity", TEXT, ON_ALL, 3),
	COLUMN("RESOURCES", "resources", TEXT, ON_ALL, 4),
	COLUMN("HOOKS", "hooks", TEXT, ON_ALL, 5, FLEXIBLE),
	COLUMN("VERSION", "version", TEXT, ON_WIDE | ON_CSV, 6),
	{ .title = NULL },
};

static const struct cli_column request_columns[] = {
	COLUMN("ID", "id", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("USER", "user", TEXT, ON_ALL, 0),
	COLUMN("APP", "application", TEXT, ON_ALL, 3),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("PLACE", "place", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("WAIT", "wait_ms", MS, ON_ALL, 4, NUMBER),
	COLUMN("REQUESTED", "requested", SINCE, ON_ALL, 5),
	COLUMN("DEADLINE", "deadline", SINCE, ON_ALL, 5),
	COLUMN("LISTENER", "listener", TEXT, ON_WIDE | ON_CSV, 8),
	COLUMN("FROM", "peer", TEXT, ON_ALL, 7),
	COLUMN("CODE", "code", TEXT, ON_ALL, 6),
	COLUMN("TEXT", "text", TEXT, ON_ALL, 1, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column queue_columns[] = {
	COLUMN("APP", "application", TEXT, ON_ALL, 0),
	COLUMN("PLACE", "place", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("USER", "user", TEXT, ON_ALL, 0),
	COLUMN("PRIORITY", "priority", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("WANTS", "machines", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("WAIT", "wait_ms", MS, ON_ALL, 1, NUMBER),
	COLUMN("DEADLINE", "deadline", SINCE, ON_ALL, 2),
	COLUMN("ID", "id", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("LISTENER", "listener", TEXT, ON_ALL, 5),
	COLUMN("FROM", "peer", TEXT, ON_ALL, 4, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column user_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("STATE", "state", TEXT, ON_ALL, 1),
	COLUMN("GROUPS", "groups", TEXT, ON_ALL, 3),
	COLUMN("APPS", "applications", TEXT, ON_ALL, 4, FLEXIBLE),
	COLUMN("USE", "sessions", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("WAIT", "waiting", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("LIMIT", "limit", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("PRIORITY", "priority", TEXT, ON_ALL, 5, NUMBER),
	COLUMN("PASSWORD", "password", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("TOKEN", "token", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("UID", "uid", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("PLACE", "place", TEXT, ON_WIDE | ON_CSV, 7),
	{ .title = NULL },
};

static const struct cli_column token_columns[] = {
	COLUMN("ID", "id", TEXT, ON_ALL, 0),
	COLUMN("USER", "user", TEXT, ON_ALL, 0),
	COLUMN("STATE", "state", TEXT, ON_ALL, 1),
	COLUMN("ONCE", "once", TEXT, ON_ALL, 3),
	COLUMN("APP", "application", TEXT, ON_ALL, 2),
	COLUMN("EXPIRES", "expires", SINCE, ON_ALL, 2),
	COLUMN("USED", "used", SINCE, ON_ALL, 4),
	COLUMN("CREATED", "created", SINCE, ON_WIDE | ON_CSV, 5),
	COLUMN("BY", "who", TEXT, ON_ALL, 5, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column group_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("PRIORITY", "priority", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("USE", "sessions", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("WAIT", "waiting", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("LIMIT", "limit", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("APPS", "applications", TEXT, ON_ALL, 4),
	COLUMN("MEMBERS", "members", TEXT, ON_ALL, 3, FLEXIBLE),
	COLUMN("PLACE", "place", TEXT, ON_WIDE | ON_CSV, 5),
	{ .title = NULL },
};

static const struct cli_column why_columns[] = {
	COLUMN("USER", "user", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("APP", "application", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("LISTENER", "listener", TEXT, ON_ALL, 0),
	COLUMN("ALLOWED", "allowed", TEXT, ON_ALL, 0),
	COLUMN("CODE", "code", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("PLACE", "place", TEXT, ON_ALL, 0),
	COLUMN("BY", "statement", TEXT, ON_ALL, 2),
	COLUMN("PRIORITY", "priority", TEXT, ON_WIDE | ON_CSV, 5, NUMBER),
	COLUMN("LIMIT", "limit", TEXT, ON_ALL, 3),
	COLUMN("WHY", "text", TEXT, ON_ALL, 1, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column event_columns[] = {
	COLUMN("ID", "id", TEXT, ON_WIDE | ON_CSV, 6, NUMBER),
	COLUMN("TIME", "time", STAMP, ON_ALL, 2),
	COLUMN("SEVERITY", "severity", TEXT, ON_WIDE | ON_CSV, 5),
	COLUMN("KIND", "kind", TEXT, ON_ALL, 3),
	COLUMN("OBJECT", "object", TEXT, ON_ALL, 1),
	COLUMN("TEXT", "text", TEXT, ON_ALL, 0, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column alarm_columns[] = {
	COLUMN("ID", "id", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("SINCE", "first", SINCE, ON_ALL, 2),
	COLUMN("LAST", "time", STAMP, ON_ALL, 3),
	COLUMN("SEVERITY", "severity", TEXT, ON_ALL, 1),
	COLUMN("TIMES", "count", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("OBJECT", "object", TEXT, ON_ALL, 0),
	COLUMN("KIND", "kind", TEXT, ON_WIDE | ON_CSV, 5),
	COLUMN("TEXT", "text", TEXT, ON_ALL, 0, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column audit_columns[] = {
	COLUMN("ID", "id", TEXT, ON_WIDE | ON_CSV, 6, NUMBER),
	COLUMN("TIME", "time", STAMP, ON_ALL, 0),
	COLUMN("WHO", "who", TEXT, ON_ALL, 0),
	COLUMN("UID", "uid", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("PID", "pid", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("PROGRAM", "program", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("COMMAND", "command", TEXT, ON_ALL, 0),
	COLUMN("ARGUMENTS", "arguments", TEXT, ON_ALL, 3, FLEXIBLE),
	COLUMN("DRY", "dry_run", TEXT, ON_WIDE | ON_CSV, 5),
	COLUMN("OUTCOME", "outcome", TEXT, ON_ALL, 1),
	COLUMN("CODE", "code", TEXT, ON_WIDE | ON_CSV, 5),
	COLUMN("TEXT", "text", TEXT, ON_WIDE | ON_CSV, 4),
	{ .title = NULL },
};

static const struct cli_column hour_columns[] = {
	COLUMN("HOUR", "hour", STAMP, ON_ALL, 0),
	COLUMN("SESSIONS", "sessions", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("CLOSED", "closed", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("LOST", "lost", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("FAILED", "failed", TEXT, ON_ALL, 3, NUMBER),
	COLUMN("REFUSED", "refused", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("CANCELLED", "cancelled", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("WAITED", "waited", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("WAIT", "wait_mean_ms", MS, ON_ALL, 4, NUMBER),
	COLUMN("WAIT50", "wait_p50_ms", MS, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("WAIT95", "wait_p95_ms", MS, ON_ALL, 4, NUMBER),
	COLUMN("IN", "bytes_in", BYTES, ON_ALL, 5, NUMBER),
	COLUMN("OUT", "bytes_out", BYTES, ON_ALL, 5, NUMBER),
	COLUMN("USE", "session_ms", MS, ON_ALL, 6, NUMBER),
	COLUMN("MACHINES", "machine_ms", MS, ON_ALL, 6, NUMBER),
	{ .title = NULL },
};

static const struct cli_column site_version_columns[] = {
	COLUMN("VERSION", "version", TEXT, ON_ALL, 0),
	COLUMN("SINCE", "time", STAMP, ON_ALL, 0),
	COLUMN("WHO", "who", TEXT, ON_ALL, 1),
	COLUMN("BYTES", "bytes", TEXT, ON_ALL, 2, NUMBER),
	{ .title = NULL },
};

static const struct cli_column leftover_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("KIND", "kind", TEXT, ON_ALL, 1),
	COLUMN("HOST", "host", TEXT, ON_ALL, 1),
	COLUMN("BYTES", "bytes", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("RESULT", "result", TEXT, ON_ALL, 0),
	COLUMN("PATH", "path", TEXT, ON_ALL, 3),
	{ .title = NULL },
};

static const struct cli_column cluster_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("SERVE", "serving", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("WANT", "nodes", TEXT, ON_ALL, 1, NUMBER),
	COLUMN("VCPUS", "vcpus", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("MEMORY-MIB", "memory_mib", TEXT, ON_ALL, 5, NUMBER),
	COLUMN("ADDRESS", "address", TEXT, ON_ALL, 2),
	COLUMN("CPU", "cpu_permille", PERMILLE, ON_ALL, 3, NUMBER),
	COLUMN("OPEN", "open", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("WAIT", "waiting", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("TRANSACTIONS", "transactions", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("REPLAYED", "replayed", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("FAILED", "failed", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("RESET", "reset", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("REFUSED", "refused", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("IN", "bytes_in", BYTES, ON_WIDE | ON_CSV, 9, NUMBER),
	COLUMN("OUT", "bytes_out", BYTES, ON_WIDE | ON_CSV, 9, NUMBER),
	COLUMN("CHANGE", "change", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("PAUSED", "paused", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("BY", "source", TEXT, ON_ALL, 6),
	COLUMN("NOTE", "reason|vip_text", TEXT, ON_ALL, 1, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column node_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("CLUSTER", "cluster", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("PART", "part", TEXT, ON_ALL, 0),
	COLUMN("UP", "up", TEXT, ON_ALL, 0),
	COLUMN("STATE", "state", TEXT, ON_ALL, 3),
	COLUMN("HOST", "host", TEXT, ON_ALL, 2),
	COLUMN("SITE", "site", TEXT, ON_ALL, 6),
	COLUMN("ADDRESS", "address", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("VCPUS", "vcpus", TEXT, ON_ALL, 5, NUMBER),
	COLUMN("MEMORY-MIB", "memory_mib", TEXT, ON_ALL, 5, NUMBER),
	COLUMN("CPU", "cpu_permille", PERMILLE, ON_ALL, 4, NUMBER),
	COLUMN("OPEN", "open", TEXT, ON_ALL, 2, NUMBER),
	COLUMN("TRANSACTIONS", "transactions", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("FAILED", "failed", TEXT, ON_WIDE | ON_CSV, 8, NUMBER),
	COLUMN("SINCE", "since", SINCE, ON_ALL, 6),
	COLUMN("CHANGE", "change", TEXT, ON_WIDE | ON_CSV, 7, NUMBER),
	COLUMN("ROLE", "role", TEXT, ON_ALL, 5),
	COLUMN("PARTNER", "partner", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("NOTE", "text", TEXT, ON_ALL, 1, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column change_columns[] = {
	COLUMN("ID", "id", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("CLUSTER", "cluster", TEXT, ON_ALL, 0),
	COLUMN("KIND", "kind", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("WHAT", "summary", TEXT, ON_ALL, 1),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("STEP", "step", TEXT, ON_ALL, 2),
	COLUMN("STRATEGY", "strategy", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("STARTED", "started", STAMP, ON_ALL, 3),
	COLUMN("ENDED", "ended", STAMP, ON_WIDE | ON_CSV, 8),
	COLUMN("TOOK", "took_ms", MS, ON_ALL, 4, NUMBER),
	COLUMN("WHO", "who", TEXT, ON_ALL, 3),
	COLUMN("NOTE", "text", TEXT, ON_ALL, 2, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column rule_columns[] = {
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),
	COLUMN("OBJECT", "object", TEXT, ON_ALL, 1),
	COLUMN("STATE", "state", TEXT, ON_ALL, 0),
	COLUMN("FAILURES", "failures", TEXT, ON_ALL, 4, NUMBER),
	COLUMN("EVERY", "every_ms", MS, ON_ALL, 4, NUMBER),
	COLUMN("NEXT", "next", SINCE, ON_ALL, 5),
	COLUMN("LAST", "last_time", SINCE, ON_ALL, 3),
	COLUMN("ORIGIN", "origin", TEXT, ON_WIDE | ON_CSV, 7),
	COLUMN("DECISION", "last_sentence", TEXT, ON_ALL, 2, FLEXIBLE),
	{ .title = NULL },
};

static const struct cli_column decision_columns[] = {
	COLUMN("ID", "id", TEXT, ON_ALL, 0, NUMBER),
	COLUMN("TIME", "time", STAMP, ON_ALL, 0),
	COLUMN("OBJECT", "object", TEXT, ON_ALL, 1),
	COLUMN("SOURCE", "source", TEXT, ON_WIDE | ON_CSV, 5),
	COLUMN("OUTCOME", "outcome", TEXT, ON_ALL, 3),
	COLUMN("WISH", "wish", TEXT, ON_WIDE | ON_CSV, 6),
	COLUMN("CHANGE", "change", TEXT, ON_WIDE | ON_CSV, 6, NUMBER),
	COLUMN("CHANGE-STATE", "change_state", TEXT, ON_CSV, 7),
	COLUMN("VERSION", "version", TEXT, ON_CSV, 8),
	COLUMN("INPUTS", "inputs", TEXT, ON_CSV, 8),
	COLUMN("TEXT", "text", TEXT, ON_CSV, 6),
	COLUMN("DECISION", "sentence", TEXT, ON_ALL, 2, FLEXIBLE),
	{ .title = NULL },
};

/* Hours for people, seconds to the millisecond for programs. */
#define USAGE_COLUMNS                                                          \
	COLUMN("NAME", "name", TEXT, ON_ALL, 0),                               \
	COLUMN("BY", "by", TEXT, ON_CSV, 9),                                   \
	COLUMN("FROM", "from", STAMP, ON_CSV, 9),                              \
	COLUMN("UNTIL", "until", STAMP, ON_CSV, 9),                            \
	COLUMN("MACHINE-HOURS", "machine_hours", TEXT, ON_TABLE | ON_WIDE, 1,  \
	       NUMBER),                                                        \
	COLUMN("VCPU-HOURS", "vcpu_hours", TEXT, ON_TABLE | ON_WIDE, 2, NUMBER), \
	COLUMN("GIB-HOURS", "gib_hours", TEXT, ON_TABLE | ON_WIDE, 2, NUMBER),  \
	COLUMN("SESSION-HOURS", "session_hours", TEXT, ON_TABLE | ON_WIDE, 3,  \
	       NUMBER),                                                        \
	COLUMN("ESTIMATED", "estimated_hours", TEXT, ON_TABLE | ON_WIDE, 5,    \
	       NUMBER),                                                        \
	COLUMN("MACHINE-SECONDS", "machine_seconds", TEXT, ON_CSV, 9, NUMBER), \
	COLUMN("VCPU-SECONDS", "vcpu_seconds", TEXT, ON_CSV, 9, NUMBER),       \
	COLUMN("MIB-SECONDS", "mib_seconds", TEXT, ON_CSV, 9, NUMBER),         \
	COLUMN("SESSION-SECONDS", "session_seconds", TEXT, ON_CSV, 9, NUMBER), \
	COLUMN("ESTIMATED-SECONDS", "estimated_seconds", TEXT, ON_CSV, 9,      \
	       NUMBER),                                                        \
	COLUMN("OPEN-SECONDS", "open_seconds", TEXT, ON_CSV, 9, NUMBER)
static const struct cli_column usage_columns[] = {
	USAGE_COLUMNS,
	{ .title = NULL },
};
static const struct cli_column usage_cost_columns[] = {
	USAGE_COLUMNS,
	COLUMN("COST", "cost", TEXT, ON_ALL, 0, NUMBER),
	{ .title = NULL },
};

#define VIEW(one, by)                                                          \
	const struct cli_view one##_view = {                            \
		.columns = one##_columns, .noun = #one, .key = (by),           \
		.many = #one "s",                                              \
	}
VIEW(host, "name");
VIEW(pool, "name");
VIEW(machine, "name");
VIEW(session, "id");
VIEW(listener, "name");
VIEW(gateway, "index");
VIEW(resource, "name");
VIEW(application, "name");
VIEW(request, "id");
VIEW(event, "id");
VIEW(alarm, "id");
const struct cli_view audit_view = {
	.columns = audit_columns, .noun = "audit", .key = "id",
	.many = "commands",
};
const struct cli_view hour_view = {
	.columns = hour_columns, .noun = "hour", .key = "hour", .many = "hours",
};
const struct cli_view site_version_view = {
	.columns = site_version_columns, .noun = "site_version",
	.key = "version", .many = "versions",
};
const struct cli_view leftover_view = {
	.columns = leftover_columns, .noun = "leftover",
	.key = "name", .many = "leftovers",
};
VIEW(queue, "place");
VIEW(user, "name");
VIEW(group, "name");
VIEW(token, "id");
VIEW(why, "listener");
VIEW(cluster, "name");
VIEW(node, "name");
VIEW(change, "id");
VIEW(rule, "name");
VIEW(decision, "id");
const struct cli_view usage_view = {
	.columns = usage_columns, .noun = "usage", .key = "name",
	.many = "usage",
};
const struct cli_view usage_cost_view = {
	.columns = usage_cost_columns, .noun = "usage", .key = "name",
	.many = "usage",
};
