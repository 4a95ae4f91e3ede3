/*
 * The grammar: nouns with their columns, commands with their arguments.  What
 * is not in this file cannot be typed; what is in it works.  Used by every
 * command, by the console's `:` line, and printed by help, completion and man
 * page.
 */
#include "console/cli.h"
#include "console/cli_output.h"
#include "console/cli_run.h"

const struct cli_flag_info cli_flags[FLAG_COUNT] = {
#define X(id, flag, short_name, word, type, everywhere, argument, text)        \
	[FLAG_##id] = { .name = (flag), .letter = (short_name),                \
			.value = (word), .kind = VALUE_##type,                 \
			.global = (everywhere), .key = (argument),             \
			.help = (text) },
	CLI_FLAGS(X)
#undef X
};

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

#define VIEW(one, by)                                                          \
	static const struct cli_view one##_view = {                            \
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
static const struct cli_view audit_view = {
	.columns = audit_columns, .noun = "audit", .key = "id",
	.many = "commands",
};
static const struct cli_view hour_view = {
	.columns = hour_columns, .noun = "hour", .key = "hour", .many = "hours",
};
static const struct cli_view site_version_view = {
	.columns = site_version_columns, .noun = "site_version",
	.key = "version", .many = "versions",
};
static const struct cli_view leftover_view = {
	.columns = leftover_columns, .noun = "leftover",
	.key = "name", .many = "leftovers",
};
VIEW(queue, "place");
VIEW(user, "name");
VIEW(group, "name");
VIEW(token, "id");
VIEW(why, "listener");

const struct cli_noun cli_nouns[] = {
	{ "host", NULL, "libvirt hosts that run the machines", "name",
	  &host_view },
	{ "pool", NULL, "pools of like machines", "name", &pool_view },
	{ "machine", NULL, "virtual machines of the pools", "name",
	  &machine_view },
	{ "session", NULL, "users on machines, now and in history", "id",
	  &session_view },
	{ "request", NULL, "who waits for a machine, and who was refused",
	  "id", &request_view },
	{ "event", NULL, "what happened, with the reason", "id", &event_view },
	{ "history", NULL, "what is over: sessions, and counts per hour", NULL,
	  NULL },
	{ "audit", NULL, "who told the engine to change what", NULL, NULL },
	{ "gateway", NULL, "processes that carry the sessions", "index",
	  &gateway_view },
	{ "listener", NULL, "doors of the gateways", "name", &listener_view },
	{ "resource", NULL, "services that machines may reach", "name",
	  &resource_view },
	{ "application", "app", "what machines are prepared for", "name",
	  &application_view },
	{ "queue", NULL, "who waits, in the order of service", "place",
	  &queue_view },
	{ "user", NULL, "who may ask for machines", "name", &user_view },
	{ "group", NULL, "users with a priority and a limit in common", "name",
	  &group_view },
	{ "token", NULL, "secrets that let a user in", "id", &token_view },
	{ "engine", NULL, "the program behind it all", NULL, NULL },
	{ "site", NULL, "the site file", NULL, NULL },
	{ .name = NULL },
};

/* What sessions and requests of the past are searched by. */
#define SESSION_SEARCH                                                         \
	(FLAG_BIT(USER) | FLAG_BIT(MACHINE) | FLAG_BIT(APP) | FLAG_BIT(POOL) |  \
	 FLAG_BIT(LISTENER) | FLAG_BIT(STATE) | FLAG_BIT(SEARCH) |              \
	 FLAG_BIT(SINCE) | FLAG_BIT(UNTIL) | FLAG_BIT(LIMIT) | FLAG_BIT(ALL))
#define LIST(what, allowed, words, ...)                                        \
	{ .noun = (what), .verb = "list", .flags = (allowed),                  \
	  .control = what ".list", .run = cli_run_list, .help = (words),       \
	  __VA_ARGS__ }
#define SHOW(what, word, from, words)                                          \
	{ .noun = (what), .verb = "show",                                      \
	  .arguments = { { .name = (word), .noun = (what), .many = true } },   \
	  .control = (from), .run = cli_run_show, .help = (words) }
#define MACHINE(what, asks, words)                                             \
	{ .noun = "machine", .verb = (what),                                   \
	  .arguments = { { .name = "NAME", .noun = "machine", .key = "name",   \
			   .many = true } },                                   \
	  .control = "machine." what, .changes = true, .confirm = (asks),      \
	  .run = cli_run_change, .help = (words) }

#define POOL(what, words)                                                      \
	{ .noun = "pool", .verb = (what),                                      \
	  .arguments = { { .name = "NAME", .noun = "pool", .key = "name",      \
			   .many = true } },                                   \
	  .control = "pool." what, .changes = true, .run = cli_run_change,     \
	  .help = (words) }

const struct cli_command cli_commands[] = {
	LIST("host", 0, "list the hosts"),
	SHOW("host", "NAME", "host.show", "everything about a host"),
	LIST("pool", 0, "list the pools with their machines counted"),
	SHOW("pool", "NAME", "pool.show", "everything about a pool"),
	{ .noun = "pool", .verb = "scale",
	  .arguments = { { .name = "NAME", .noun = "pool", .key = "name" },
			 { .name = "N", .key = "serve", .number = true,
			   .optional = true } },
	  .flags = FLAG_BIT(SERVE) | FLAG_BIT(SPARE) | FLAG_BIT(MAX) |
		   FLAG_BIT(DRY_RUN),
	  .control = "pool.scale", .changes = true, .run = cli_run_change,
	  .help = "change how many machines a pool keeps" },
	{ .noun = "pool", .verb = "create",
	  .arguments = { { .name = "NAME", .key = "name" },
			 { .name = "FIELD=VALUE", .many = true } },
	  .flags = FLAG_BIT(SERVE) | FLAG_BIT(SPARE) | FLAG_BIT(MAX),
	  .control = "pool.create", .changes = true,
	  .run = cli_run_pool_create,
	  .help = "a pool beside the site file's, in its words: create mail application=mail serve=3 from=debian" },
	{ .noun = "pool", .verb = "delete",
	  .arguments = { { .name = "NAME", .noun = "pool", .key = "name" } },
	  .control = "pool.delete", .changes = true,
	  .confirm = CONFIRM_ALWAYS, .run = cli_run_change,
	  .help = "take away a pool that was created so, with its machines" },
	POOL("reset", "what the site file says of a pool holds again"),
	POOL("pause", "replace no machines of an earlier version for now"),
	POOL("resume", "replace machines of an earlier version again"),
	LIST("machine", FLAG_BIT(POOL), "list the machines", .alias = "ls"),
	SHOW("machine", "NAME", "machine.show", "everything about a machine"),
	MACHINE("hold", CONFIRM_NONE,
		"take a machine out of its pool, after its session"),
	MACHINE("release", CONFIRM_NONE,
		"put a held machine back, cleaned"),
	MACHINE("restart", CONFIRM_IN_SESSION,
		"make a machine anew"),
	MACHINE("delete", CONFIRM_IN_SESSION,
		"destroy a machine; its pool may make another"),
	{ .noun = "machine", .verb = "exec",
	  .arguments = { { .name = "NAME", .noun = "machine",
			   .key = "name" },
			 { .name = "WORD", .many = true } },
	  .flags = FLAG_BIT(FOR), .control = "machine.exec", .changes = true,
	  .run = cli_run_machine_exec,
	  .help = "a command in a held machine: exec NAME -- ls /; its exit code" },
	{ .noun = "machine", .verb = "console",
	  .arguments = { { .name = "NAME", .noun = "machine",
			   .key = "name" } },
	  .control = "machine.console", .changes = true,
	  .run = cli_run_machine_console,
	  .help = "the serial console; leave with Ctrl-] or ~." },
	{ .noun = "session", .verb = "list", .alias = "ps",
	  .flags = SESSION_SEARCH | FLAG_BIT(HISTORY),
	  .control = "session.list", .run = cli_run_now_or_history,
	  .help = "list the sessions; --history or --all: what is over too" },
	SHOW("session", "ID", "session.show", "everything about a session"),
	{ .noun = "session", .verb = "end",
	  .arguments = { { .name = "ID", .noun = "session", .key = "session",
			   .number = true, .many = true } },
	  .flags = FLAG_BIT(TEXT), .control = "session.end", .changes = true,
	  .confirm = CONFIRM_ALWAYS, .run = cli_run_change,
	  .help = "end a session; its machine is cleaned" },
	{ .noun = "session", .verb = "extend",
	  .arguments = { { .name = "ID", .noun = "session", .key = "session",
			   .number = true, .many = true } },
	  .flags = FLAG_BIT(FOR), .control = "session.extend",
	  .changes = true, .run = cli_run_change,
	  .help = "put off the end of a session with a longest time" },
	{ .noun = "request", .verb = "list",
	  .flags = SESSION_SEARCH | FLAG_BIT(HISTORY) | FLAG_BIT(CODE),
	  .control = "request.list", .run = cli_run_now_or_history,
	  .help = "list who waits; --history or --all: who was refused too" },
	{ .noun = "history", .verb = "sessions", .alias = "history",
	  .flags = SESSION_SEARCH, .control = "session.list",
	  .view = &session_view, .run = cli_run_history,
	  .help = "sessions, those that are over too, newest first" },
	{ .noun = "audit", .verb = "list",
	  .flags = FLAG_BIT(USER) | FLAG_BIT(COMMAND) | FLAG_BIT(OUTCOME) |
		   FLAG_BIT(SEARCH) | FLAG_BIT(SINCE) | FLAG_BIT(UNTIL) |
		   FLAG_BIT(LIMIT) | FLAG_BIT(ALL),
	  .control = "audit.list", .view = &audit_view, .run = cli_run_history,
	  .help = "commands that change something, with their outcome" },
	{ .noun = "history", .verb = "hours",
	  .flags = FLAG_BIT(POOL) | FLAG_BIT(APP) | FLAG_BIT(SINCE) |
		   FLAG_BIT(UNTIL) | FLAG_BIT(LIMIT) | FLAG_BIT(ALL),
	  .control = "history.hours", .view = &hour_view,
	  .run = cli_run_history,
	  .help = "sessions, refusals, waits, bytes and machines' time per hour" },
	SHOW("request", "ID", NULL, "everything about a request"),
	{ .noun = "event", .verb = "list",
	  .flags = FLAG_BIT(LIMIT) | FLAG_BIT(OBJECT) | FLAG_BIT(FOLLOW) |
		   FLAG_BIT(POOL) | FLAG_BIT(MACHINE) | FLAG_BIT(USER) |
		   FLAG_BIT(APP) | FLAG_BIT(LISTENER) | FLAG_BIT(SEVERITY) |
		   FLAG_BIT(KIND) | FLAG_BIT(SEARCH) | FLAG_BIT(SINCE) |
		   FLAG_BIT(UNTIL) | FLAG_BIT(ALL),
	  .control = "event.list", .run = cli_run_events,
	  .help = "list what happened, oldest first; --all: newest first" },
	SHOW("event", "ID", NULL, "everything about an event"),
	LIST("gateway", 0, "list the gateway processes"),
	SHOW("gateway", "INDEX", NULL, "everything about a gateway"),
	LIST("listener", 0, "list the doors"),
	SHOW("listener", "NAME", NULL, "everything about a door"),
	LIST("resource", 0, "list the resources"),
	SHOW("resource", "NAME", "resource.show",
	     "a resource with its open connections and last refusals"),
	LIST("application", 0, "list the applications"),
	SHOW("application", "NAME", NULL, "everything about an application"),
	LIST("queue", FLAG_BIT(USER) | FLAG_BIT(APP),
	     "list who waits, in the order in which they will be served"),
	LIST("user", 0, "list the users"),
	SHOW("user", "NAME", "user.show", "everything about a user"),
	{ .noun = "user", .verb = "why",
	  .arguments = { { .name = "NAME", .noun = "user", .key = "name" },
			 { .name = "APP", .noun = "application",
			   .key = "application" },
			 { .name = "LISTENER", .noun = "listener",
			   .key = "listener", .optional = true } },
	  .control = "user.why", .view = &why_view, .run = cli_run_list,
	  .help = "what a user would get on each door, and which line says so" },
	{ .noun = "user", .verb = "disable",
	  .arguments = { { .name = "NAME", .noun = "user", .key = "name",
			   .many = true } },
	  .flags = FLAG_BIT(END_SESSIONS), .control = "user.disable",
	  .changes = true, .run = cli_run_change,
	  .help = "refuse a user from now on" },
	{ .noun = "user", .verb = "enable",
	  .arguments = { { .name = "NAME", .noun = "user", .key = "name",
			   .many = true } },
	  .control = "user.enable", .changes = true, .run = cli_run_change,
	  .help = "let a disabled user in again" },
	LIST("group", 0, "list the groups of users"),
	SHOW("group", "NAME", NULL, "everything about a group"),
	LIST("token", FLAG_BIT(USER), "list the tokens made here"),
	{ .noun = "token", .verb = "create",
	  .arguments = { { .name = "USER", .noun = "user", .key = "name" } },
	  .flags = FLAG_BIT(ONCE) | FLAG_BIT(FOR) | FLAG_BIT(APP),
	  .control = "token.create", .changes = true,
	  .run = cli_run_token_create,
	  .help = "make a token for a user and print it, this once" },
	{ .noun = "token", .verb = "delete",
	  .arguments = { { .name = "ID", .noun = "token", .key = "name",
			   .many = true } },
	  .control = "token.delete", .changes = true, .run = cli_run_change,
	  .help = "a token lets nobody in any more" },
	{ .noun = "engine", .verb = "run", .alias = "engine",
	  .flags = FLAG_BIT(LOG_LEVEL) | FLAG_BIT(GATEWAYS),
	  .run = cli_run_engine_run,
	  .help = "be the engine, in the foreground, log on standard error" },
	{ .noun = "engine", .verb = "start", .flags = FLAG_BIT(LOG_LEVEL) | FLAG_BIT(GATEWAYS),
	  .run = cli_run_engine_start,
	  .help = "start an engine in the background" },
	{ .noun = "engine", .verb = "stop", .control = "engine.stop",
	  .changes = true, .run = cli_run_engine_stop,
	  .help = "stop the engine; machines and sessions stay" },
	{ .noun = "engine", .verb = "upgrade", .control = "engine.stop",
	  .changes = true, .run = cli_run_engine_upgrade,
	  .help = "this program's engine in the place of the one that runs; sessions stay; --wait: until no gateway is old" },
	{ .noun = "engine", .verb = "status", .control = "info",
	  .run = cli_run_engine_status, .help = "is an engine there?" },
	{ .noun = "site", .verb = "reload", .control = "site.reload",
	  .changes = true, .run = cli_run_change,
	  .help = "apply the site file, unless that destroys machines" },
	{ .noun = "site", .verb = "show",
	  .arguments = { { .name = "VERSION", .key = "version",
			   .optional = true } },
	  .control = "site.show", .run = cli_run_site_show,
	  .help = "the texts of the site in force, or of an earlier version" },
	{ .noun = "site", .verb = "ssh-ca", .control = "site.ssh_ca",
	  .run = cli_run_change,
	  .help = "the line of known_hosts that makes all machines' ssh host keys known" },
	{ .noun = "site", .verb = "history", .flags = FLAG_BIT(LIMIT),
	  .control = "site.history", .view = &site_version_view,
	  .run = cli_run_list, .help = "which site was in force from when on" },
	{ .noun = "site", .verb = "close", .control = "site.close",
	  .changes = true, .confirm = CONFIRM_ALWAYS, .run = cli_run_change,
	  .help = "destroy all machines, then stop the engine" },
	{ .noun = "site", .verb = "destroy", .control = "site.destroy",
	  .changes = true, .confirm = CONFIRM_ALWAYS, .flags = FLAG_BIT(FORCE),
	  .run = cli_run_site_destroy,
	  .help = "destroy all machines and every file of theirs, then stop the engine" },
	{ .verb = "backup", .arguments = { { .name = "FILE" } },
	  .flags = FLAG_BIT(WITH_KEY), .control = "backup", .changes = true,
	  .run = cli_run_backup,
	  .help = "the site's store into one file, while it works" },
	{ .verb = "restore", .arguments = { { .name = "FILE" } },
	  .flags = FLAG_BIT(FORCE), .run = cli_run_restore, .changes = true,
	  .help = "the site's store from a backup; its engine must not run" },
	{ .verb = "gc", .flags = FLAG_BIT(DRY_RUN), .control = "gc.run",
	  .changes = true, .view = &leftover_view, .run = cli_run_gc,
	  .help = "show what is left over of machines that are gone; --yes removes it" },
	{ .verb = "reclaim", .flags = FLAG_BIT(DRY_RUN), .control = "reclaim.run",
	  .changes = true, .view = &leftover_view, .run = cli_run_reclaim,
	  .help = "show domains of a lost database or key; --yes destroys those that"
		  " the site's key signed, --confirm SITE the others too" },
	{ .verb = "run",
	  .arguments = { { .name = "FILE" },
			 { .name = "ARG", .optional = true, .many = true } },
	  .tail = true, .run = cli_run_run,
	  .help = "a Lua script on the engine, see remuda-lua(3); --dry-run only plans" },
	{ .verb = "attach",
	  .arguments = { { .name = "SOCKET", .optional = true } },
	  .run = cli_run_attach,
	  .help = "the console on an engine that runs" },
	{ .verb = "top", .run = cli_run_top,
	  .help = "the console, on its overview" },
	{ .verb = "connect",
	  .arguments = { { .name = "APP", .noun = "application" } },
	  .verbatim = true, .run = cli_run_connect,
	  .help = "a session on standard input and output; `connect --help`" },
	{ .verb = "plan",
	  .arguments = { { .name = "VERSION", .key = "version",
			   .optional = true } },
	  .flags = FLAG_BIT(UNDO), .control = "site.plan",
	  .run = cli_run_plan,
	  .help = "what the site file would change, if it were applied" },
	{ .verb = "apply",
	  .arguments = { { .name = "VERSION", .key = "version",
			   .optional = true } },
	  .flags = FLAG_BIT(UNDO) | FLAG_BIT(DRY_RUN), .control = "site.apply",
	  .changes = true, .run = cli_run_apply,
	  .help = "shows the plan, asks, and applies the site file" },
	{ .verb = "allocate",
	  .arguments = { { .name = "APP", .noun = "application" } },
	  .verbatim = true, .run = cli_run_connect,
	  .help = "several machines at once, by tickets; `allocate --help`" },
	{ .verb = "whois",
	  .arguments = { { .name = "MACHINE|SESSION|ADDRESS",
			   .noun = "machine" } },
	  .control = "whois", .run = cli_run_whois,
	  .help = "whose machine is that?" },
	{ .verb = "watch", .control = "subscribe", .run = cli_run_watch,
	  .help = "events as they happen, a line each" },
	{ .verb = "info", .control = "info", .run = cli_run_info,
	  .help = "versions, paths and counts of engine and site" },
	{ .verb = "query",
	  .arguments = { { .name = "VERB" },
			 { .name = "KEY=VALUE", .optional = true,
			   .many = true } },
	  .run = cli_run_query,
	  .help = "any verb of the control protocol, and its answer as it is; query verbs.list" },
	{ .verb = "version", .run = cli_run_version,
	  .help = "version of this program" },
	{ .verb = "help",
	  .arguments = { { .name = "WORD", .optional = true, .many = true } },
	  .flags = FLAG_BIT(MAN), .run = cli_run_help,
	  .help = "this help, or help on a noun or command" },
	{ .verb = "completion",
	  .arguments = { { .name = "SHELL" } }, .run = cli_run_completion,
	  .help = "completion script for bash, zsh or fish" },
	{ .verb = "__complete", .verbatim = true, .hidden = true,
	  .run = cli_run_complete, .help = "candidates for a word" },
	{ .verb = NULL },
};
