/*
 * The grammar: nouns with their columns, commands with their arguments.  What
 * is not in this file cannot be typed; what is in it works.  Used by every
 * command, by the console's `:` line, and printed by help, completion and man
 * page.
 */
#include "console/cli.h"
#include "console/cli_output.h"
#include "console/cli_run.h"
#include "console/cli_views.h"

const struct cli_flag_info cli_flags[FLAG_COUNT] = {
#define X(id, flag, short_name, word, type, everywhere, argument, text)        \
	[FLAG_##id] = { .name = (flag), .letter = (short_name),                \
			.value = (word), .kind = VALUE_##type,                 \
			.global = (everywhere), .key = (argument),             \
			.help = (text) },
	CLI_FLAGS(X)
#undef X
};

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
	{ "alarm", NULL, "what went wrong and nobody has seen to", "id",
	  &alarm_view },
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
	{ "cluster", NULL, "machines that serve one virtual address", "name",
	  &cluster_view },
	{ "node", NULL, "machines of the clusters", "name", &node_view },
	{ "change", NULL, "operations on a cluster's nodes", "id",
	  &change_view },
	{ "rule", NULL, "functions that wish for sizes", "name", &rule_view },
	{ "decision", NULL, "why clusters and pools have their size", "id",
	  &decision_view },
	{ "whatif", NULL, "what would happen", NULL, NULL },
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

#define HOST(what, asks, allowed, words)                                       \
	{ .noun = "host", .verb = (what),                                      \
	  .arguments = { { .name = "NAME", .noun = "host", .key = "name" } },  \
	  .flags = FLAG_BIT(DRY_RUN) | (allowed), .control = "host." what,     \
	  .changes = true, .confirm = (asks), .run = cli_run_change,           \
	  .help = (words) }
#define CLUSTER(what, asks, allowed, words)                                    \
	{ .noun = "cluster", .verb = (what),                                   \
	  .arguments = { { .name = "NAME", .noun = "cluster",                  \
			   .key = "name" } },                                  \
	  .flags = FLAG_BIT(DRY_RUN) | (allowed), .control = "cluster." what,  \
	  .changes = true, .confirm = (asks), .run = cli_run_change,           \
	  .help = (words) }
#define RULE(what, words)                                                      \
	{ .noun = "rule", .verb = (what),                                      \
	  .arguments = { { .name = "NAME", .noun = "rule", .key = "name",      \
			   .many = true } },                                   \
	  .flags = FLAG_BIT(DRY_RUN), .control = "rule." what,                 \
	  .changes = true, .run = cli_run_change, .help = (words) }
#define WHY(what, words)                                                       \
	{ .noun = (what), .verb = "why",                                       \
	  .arguments = { { .name = "NAME", .noun = (what), .key = "name" } },  \
	  .flags = FLAG_BIT(STATE) | FLAG_BIT(SEARCH) | FLAG_BIT(SINCE) |      \
		   FLAG_BIT(UNTIL) | FLAG_BIT(LIMIT),                          \
	  .control = what ".why", .view = &decision_view, .run = cli_run_why,  \
	  .help = (words) }
/* How a change goes about it. */
#define CHANGE_HOW                                                             \
	(FLAG_BIT(STRATEGY) | FLAG_BIT(MAP) | FLAG_BIT(WAIT) | FLAG_BIT(DRY_RUN))
#define CHANGE_SEARCH                                                          \
	(FLAG_BIT(STATE) | FLAG_BIT(SEARCH) | FLAG_BIT(SINCE) |                \
	 FLAG_BIT(UNTIL) | FLAG_BIT(LIMIT) | FLAG_BIT(ALL))

const struct cli_command cli_commands[] = {
	LIST("host", 0, "list the hosts"),
	SHOW("host", "NAME", "host.show", "everything about a host"),
	HOST("drain", CONFIRM_ALWAYS, FLAG_BIT(STRATEGY),
	     "make no machine there, and move the clusters' nodes elsewhere"),
	HOST("undrain", CONFIRM_NONE, 0, "make machines there again"),
	HOST("fence", CONFIRM_TYPED, 0,
	     "you know that a host that does not answer is off: what was there is dead"),
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
	  .run = cli_run_create,
	  .help = "a pool beside the site file's, in its words: create mail application=mail serve=3 from=debian" },
	{ .noun = "pool", .verb = "delete",
	  .arguments = { { .name = "NAME", .noun = "pool", .key = "name" } },
	  .control = "pool.delete", .changes = true,
	  .confirm = CONFIRM_ALWAYS, .run = cli_run_change,
	  .help = "take away a pool that was created so, with its machines" },
	{ .noun = "cluster", .verb = "create",
	  .arguments = { { .name = "NAME", .key = "name" },
			 { .name = "FIELD=VALUE", .many = true } },
	  .control = "cluster.create", .changes = true, .run = cli_run_create,
	  .help = "a cluster beside the site file's, in its words: create web application=web vip=127.0.0.50 port=80 nodes=2 image=web.qcow2; lists and tables as JSON" },
	{ .noun = "cluster", .verb = "delete",
	  .arguments = { { .name = "NAME", .noun = "cluster", .key = "name" } },
	  .control = "cluster.delete", .changes = true,
	  .confirm = CONFIRM_ALWAYS, .run = cli_run_change,
	  .help = "take away a cluster that was created so, with its machines" },
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
	LIST("alarm", 0, "list what warns or failed and is not seen to"),
	{ .noun = "alarm", .verb = "ack",
	  .arguments = { { .name = "ID", .noun = "alarm", .key = "event",
			   .number = true, .many = true } },
	  .control = "alarm.ack", .changes = true, .run = cli_run_change,
	  .help = "say that an alarm is seen to" },
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
	LIST("cluster", 0, "list the clusters"),
	{ .noun = "cluster", .verb = "show",
	  .arguments = { { .name = "NAME", .noun = "cluster",
			   .key = "name" } },
	  .control = "cluster.show", .run = cli_run_cluster_show,
	  .help = "a cluster, its nodes, the change under way and the last decision" },
	CLUSTER("resize", CONFIRM_SHRINK,
		CHANGE_HOW | FLAG_BIT(NODES) | FLAG_BIT(VCPUS) | FLAG_BIT(MEMORY),
		"give a cluster another size; it holds until reset"),
	CLUSTER("reset", CONFIRM_NONE, 0,
		"site file, calendar and rules decide its size again"),
	CLUSTER("pause", CONFIRM_NONE, 0,
		"calendar and rules change nothing for now"),
	CLUSTER("resume", CONFIRM_NONE, 0, "calendar and rules decide again"),
	CLUSTER("replace", CONFIRM_ALWAYS, CHANGE_HOW,
		"make all its nodes anew, while it serves"),
	WHY("cluster", "why it has the size it has, the newest first"),
	LIST("node", FLAG_BIT(CLUSTER), "list the nodes of the clusters"),
	SHOW("node", "NAME", "node.show", "everything about a node"),
	{ .noun = "node", .verb = "move",
	  .arguments = { { .name = "MACHINE", .noun = "node",
			   .key = "name" } },
	  .flags = FLAG_BIT(HOST) | FLAG_BIT(STRATEGY) | FLAG_BIT(WAIT) |
		   FLAG_BIT(DRY_RUN),
	  .control = "node.move", .changes = true, .run = cli_run_change,
	  .help = "a node to another host, by failover or --strategy live" },
	{ .noun = "change", .verb = "list",
	  .flags = CHANGE_SEARCH | FLAG_BIT(CLUSTER) | FLAG_BIT(USER),
	  .control = "change.list", .run = cli_run_history,
	  .help = "changes of clusters, newest first" },
	SHOW("change", "ID", "change.show", "everything about a change"),
	{ .noun = "change", .verb = "cancel",
	  .arguments = { { .name = "ID", .noun = "change", .key = "change",
			   .number = true } },
	  .flags = FLAG_BIT(WAIT) | FLAG_BIT(DRY_RUN),
	  .control = "change.cancel", .changes = true,
	  .confirm = CONFIRM_ALWAYS, .run = cli_run_change,
	  .help = "undo a change that is under way" },
	{ .noun = "change", .verb = "wait",
	  .arguments = { { .name = "ID", .noun = "change", .key = "change",
			   .number = true } },
	  .control = "change.show", .run = cli_run_change_wait,
	  .help = "until a change is over; fails if it does" },
	LIST("rule", 0, "list the rules"),
	SHOW("rule", "NAME", "rule.show", "everything about a rule"),
	WHY("rule", "what it decided and why, the newest first"),
	{ .noun = "rule", .verb = "test",
	  .arguments = { { .name = "NAME", .noun = "rule", .key = "name" } },
	  .control = "rule.run", .changes = true, .run = cli_run_rule_test,
	  .help = "what it would wish now; nothing comes of it" },
	{ .noun = "rule", .verb = "replay",
	  .arguments = { { .name = "DECISION", .noun = "decision",
			   .key = "decision", .number = true } },
	  .control = "rule.replay", .run = cli_run_rule_replay,
	  .help = "the rule of today with the inputs of a decision of then" },
	RULE("run", "run it now"),
	RULE("enable", "run a rule again that was switched off, or failed"),
	RULE("disable", "do not run it; its wish does not count"),
	{ .noun = "decision", .verb = "list",
	  .flags = CHANGE_SEARCH | FLAG_BIT(OBJECT) | FLAG_BIT(SOURCE),
	  .control = "decision.list", .run = cli_run_history,
	  .help = "why clusters and pools got their sizes, newest first" },
	SHOW("decision", "ID", "decision.show",
	     "everything about a decision, with its inputs"),
	{ .noun = "whatif", .verb = "host-down",
	  .arguments = { { .name = "HOST", .noun = "host", .key = "name" } },
	  .control = "whatif.host_down", .run = cli_run_whatif,
	  .help = "what would happen if a host were gone now; nothing is done" },
	{ .verb = "usage",
	  .flags = FLAG_BIT(BY) | FLAG_BIT(MONTH) | FLAG_BIT(FROM) |
		   FLAG_BIT(UNTIL) | FLAG_BIT(USER) | FLAG_BIT(APP) |
		   FLAG_BIT(POOL) | FLAG_BIT(HOST) | FLAG_BIT(MACHINE) |
		   FLAG_BIT(CLUSTER) | FLAG_BIT(RATE_VCPU) | FLAG_BIT(RATE_GIB),
	  .control = "usage", .view = &usage_view, .run = cli_run_usage,
	  .help = "who used how much: machine, vCPU, memory and session time of the ledger; this month unless told" },
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
	  .flags = FLAG_BIT(LOG_LEVEL) | FLAG_BIT(LOG) | FLAG_BIT(GATEWAYS),
	  .run = cli_run_engine_run,
	  .help = "be the engine, in the foreground, log on standard error" },
	{ .noun = "engine", .verb = "start",
	  .flags = FLAG_BIT(LOG_LEVEL) | FLAG_BIT(LOG) | FLAG_BIT(GATEWAYS),
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
