/*
 * The command line: `remuda [flags] NOUN VERB [NAME...] [flags]`.
 *
 * One table (cli_table.c) holds every noun, verb, argument and flag with its
 * help, the control verb it becomes and how much asking it needs; the parser,
 * the help, the completion, the man page and the console's `:` line read it.
 */
#ifndef REMUDA_CONSOLE_CLI_H
#define REMUDA_CONSOLE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"

struct json_t;
struct error;
struct paths;
struct cli;
struct cli_view;

/* Exit codes; the man page prints this list. */
#define CLI_EXITS(X)                                                           \
	X(DONE, 0, "done, or already so")                                      \
	X(FAILED, 1, "failed or refused")                                      \
	X(USAGE, 2, "wrong usage, or it needs a terminal")                     \
	X(UNCHANGED, 3, "nothing changed (only with --error-unchanged)")       \
	X(NOT_FOUND, 4, "no such object")                                      \
	X(UNREACHABLE, 5, "no engine answers")                                 \
	X(NOT_ALLOWED, 6, "not allowed: read-only")                            \
	X(TIMEOUT, 7, "no answer in time; what was asked may still happen")    \
	X(PARTLY, 8, "failed for some of several names")                       \
	X(INTERRUPTED, 130, "interrupted (Ctrl-C)")

enum cli_exit {
#define X(name, code, help) CLI_##name = (code),
	CLI_EXITS(X)
#undef X
};

enum cli_value {
	VALUE_SWITCH,	/* takes no value */
	VALUE_TEXT,
	VALUE_NUMBER,	/* 0 to 1000000 */
	VALUE_DURATION,
	VALUE_TIME,	/* a moment; milliseconds since 1970 in the request */
	VALUE_MEMORY,	/* 4G, 512 MiB; MiB in the request */
};

/*
 * X(ID, long name, letter or 0, value's word or NULL, kind, global,
 *   argument of the request or NULL, help)
 * A flag means the same everywhere.  Global flags go with every command.
 */
#define CLI_FLAGS(X)                                                           \
	X(SOCKET, "socket", 0, "PATH", TEXT, true, NULL,                       \
	  "control socket of the engine (REMUDA_SOCKET)")                      \
	X(SITE, "site", 0, "NAME", TEXT, true, NULL,                           \
	  "site to work on (REMUDA_SITE)")                                     \
	X(CONFIG, "config", 0, "FILE", TEXT, true, NULL,                       \
	  "site file of an engine to start (REMUDA_CONFIG)")                   \
	X(RUN_DIR, "run-dir", 0, "DIR", TEXT, true, NULL,                      \
	  "folder of the sockets (REMUDA_RUN_DIR)")                            \
	X(STATE_DIR, "state-dir", 0, "DIR", TEXT, true, NULL,                  \
	  "folder of database and log (REMUDA_STATE_DIR)")                     \
	X(TIMEOUT, "timeout", 0, "TIME", DURATION, true, NULL,                 \
	  "how long to wait for the engine, 30s unless told")                  \
	X(READ_ONLY, "read-only", 'r', NULL, SWITCH, true, NULL,                 \
	  "refuse everything that changes something")                          \
	X(PRACTICE, "practice", 0, NULL, SWITCH, true, NULL,                   \
	  "the console on a practice site, where nothing is real")             \
	X(JSON, "json", 0, NULL, SWITCH, true, NULL,                           \
	  "one JSON document; errors as JSON too")                             \
	X(CSV, "csv", 0, NULL, SWITCH, true, NULL,                             \
	  "comma-separated values, raw numbers")                               \
	X(OUTPUT, "output", 'o', "FORMAT", TEXT, true, NULL,                   \
	  "name, wide, or columns: NAME,STATE")                                \
	X(NO_HEADER, "no-header", 0, NULL, SWITCH, true, NULL,                 \
	  "leave the header out")                                              \
	X(SORT, "sort", 0, "COLUMN", TEXT, true, NULL,                         \
	  "sort by a column; COLUMN- sorts downwards")                         \
	X(FILTER, "filter", 0, "EXPR", TEXT, true, NULL,                       \
	  "show what matches: word, !word, ~fuzzy, key=value")                 \
	X(UTC, "utc", 0, NULL, SWITCH, true, NULL,                             \
	  "times in UTC")                                                      \
	X(NO_COLOR, "no-color", 0, NULL, SWITCH, true, NULL,                   \
	  "no colour and no bold (NO_COLOR)")                                  \
	X(ASCII, "ascii", 0, NULL, SWITCH, true, NULL,                           \
	  "plain ASCII whatever the locale")                                   \
	X(DRY_RUN, "dry-run", 'n', NULL, SWITCH, true, "dry_run",              \
	  "only say what would happen")                                        \
	X(WAIT, "wait", 0, NULL, SWITCH, true, NULL,                           \
	  "return when what a change began is over, and fail if it fails")     \
	X(NO_WAIT, "no-wait", 0, NULL, SWITCH, true, NULL,                     \
	  "return when a change is ordered (as without it)")                   \
	X(ERROR_UNCHANGED, "error-unchanged", 0, NULL, SWITCH, true, NULL,     \
	  "exit code 3 when it was so already")                                \
	X(WHY, "why", 0, "TEXT", TEXT, true, NULL,                             \
	  "reason of a change, kept in the audit log")                         \
	X(YES, "yes", 'y', NULL, SWITCH, true, NULL,                           \
	  "do not ask")                                                        \
	X(CONFIRM, "confirm", 0, "NAME", TEXT, true, NULL,                     \
	  "do not ask about this one")                                         \
	X(NO_INPUT, "no-input", 0, NULL, SWITCH, true, NULL,                   \
	  "never ask: fail instead")                                           \
	X(QUIET, "quiet", 'q', NULL, SWITCH, true, NULL,                       \
	  "no words about success")                                            \
	X(VERBOSE, "verbose", 'v', NULL, SWITCH, true, NULL,                   \
	  "show what is asked of the engine")                                  \
	X(VERSION, "version", 0, NULL, SWITCH, true, NULL,                       \
	  "version of this program")                                           \
	X(HELP, "help", 'h', NULL, SWITCH, true, NULL,                         \
	  "help on this command")                                              \
	X(SERVE, "serve", 0, "N", NUMBER, false, "serve",                      \
	  "machines that are kept")                                            \
	X(SPARE, "spare", 0, "N", NUMBER, false, "spare",                      \
	  "machines that shall be free and ready")                             \
	X(MAX, "max", 0, "N", NUMBER, false, "max",                            \
	  "machines at most")                                                  \
	X(HISTORY, "history", 0, NULL, SWITCH, false, "history",               \
	  "also what is over")                                                 \
	X(FOR, "for", 0, "TIME", DURATION, false, "for",                       \
	  "how long it may take, or how much longer")                           \
	X(UNDO, "undo", 0, NULL, SWITCH, false, "undo",                        \
	  "the site that was in force before this one")                        \
	X(POOL, "pool", 0, "NAME", TEXT, false, "pool",                        \
	  "only of this pool")                                        \
	X(USER, "user", 0, "NAME", TEXT, false, "user",                        \
	  "only of this user")                                                 \
	X(MACHINE, "machine", 0, "NAME", TEXT, false, "machine",               \
	  "only on this machine")                                              \
	X(APP, "app", 0, "NAME", TEXT, false, "application",                   \
	  "only of this application")                                          \
	X(LISTENER, "listener", 0, "NAME", TEXT, false, "listener",            \
	  "only of this listener")                                             \
	X(ALL, "all", 0, NULL, SWITCH, false, NULL,                            \
	  "all there is of what is over, without limit")                       \
	X(SINCE, "since", 0, "TIME", TIME, false, "since_ms",                  \
	  "not before: 2h (ago), 2026-11-22, 2026-11-22T05:30")                \
	X(UNTIL, "until", 0, "TIME", TIME, false, "until_ms",                  \
	  "before this time")                                                  \
	X(SEARCH, "search", 0, "TEXT", TEXT, false, "search",                  \
	  "only with this text in the reason, whatever the case")              \
	X(STATE, "state", 0, "STATE", TEXT, false, "state",                    \
	  "only of this state: closed, lost, failed, refused ...")             \
	X(CODE, "code", 0, "CODE", TEXT, false, "code",                        \
	  "only refused with this code")                                       \
	X(SEVERITY, "severity", 0, "WORD", TEXT, false, "severity",            \
	  "info, warn or fail")                                                \
	X(KIND, "kind", 0, "KIND", TEXT, false, "kind",                        \
	  "only of this kind: CLEAN, FAIL, ADMIN ...")                         \
	X(WITH_KEY, "with-key", 0, NULL, SWITCH, false, "with_key",             \
	  "with site.key, by which machines are known as ours")                \
	X(FORCE, "force", 0, NULL, SWITCH, false, "force",                      \
	  "although users are on it; over what is there, which is kept")       \
	X(COMMAND, "command", 0, "VERB", TEXT, false, "command",               \
	  "only this command: pool.scale, session.end ...")                    \
	X(OUTCOME, "outcome", 0, "WORD", TEXT, false, "outcome",               \
	  "ok or failed")                                                      \
	X(OBJECT, "object", 0, "OBJECT", TEXT, false, "object",                \
	  "only about this object: machine/mail-07")                           \
	X(LIMIT, "limit", 0, "N", NUMBER, false, "limit",                      \
	  "this many, the newest")                                             \
	X(FOLLOW, "follow", 'f', NULL, SWITCH, false, NULL,                    \
	  "go on with what happens from now on")                               \
	X(ONCE, "once", 0, NULL, SWITCH, false, "once",                        \
	  "good for one session")                                              \
	X(END_SESSIONS, "end-sessions", 0, NULL, SWITCH, false, "end_sessions", \
	  "end the user's sessions too")                                       \
	X(TEXT, "text", 0, "TEXT", TEXT, false, "text",                        \
	  "reason, stored with the session")                                   \
	X(NODES, "nodes", 0, "N", NUMBER, false, "nodes",                      \
	  "nodes of the cluster")                                              \
	X(VCPUS, "vcpus", 0, "N", NUMBER, false, "vcpus",                      \
	  "vCPUs of each node")                                                \
	X(MEMORY, "memory", 0, "SIZE", MEMORY, false, "memory_mib",            \
	  "memory of each node: 4G, 512M")                                     \
	X(STRATEGY, "strategy", 0, "WORD", TEXT, false, "strategy",            \
	  "failover, shutdown, move or live; else the cluster's own")          \
	X(MAP, "map", 0, "A>C...", TEXT, false, "mapping",                     \
	  "who takes over from whom: \"payroll-01>payroll-03 payroll-02>hv02\"") \
	X(HOST, "host", 0, "NAME", TEXT, false, "host",                        \
	  "on this host, to this host")                                        \
	X(CLUSTER, "cluster", 0, "NAME", TEXT, false, "cluster",               \
	  "only of this cluster")                                              \
	X(SOURCE, "source", 0, "SOURCE", TEXT, false, "source",                \
	  "only decided by this: rule/load, calendar, operator/ops1")          \
	X(BY, "by", 0, "WORD", TEXT, false, "by",                              \
	  "user, application, pool, cluster, host or machine")                 \
	X(MONTH, "month", 0, "YYYY-MM", TEXT, false, NULL,                     \
	  "this month, by the local clock; with --utc by UTC")                 \
	X(FROM, "from", 0, "TIME", TIME, false, "from_ms",                     \
	  "from this time on: 7d (ago), 2026-11-22, 2026-11-22T05:30")         \
	X(RATE_VCPU, "rate-vcpu-hour", 0, "PRICE", TEXT, false, NULL,          \
	  "price of a vCPU for an hour: 0.012")                                \
	X(RATE_GIB, "rate-gib-hour", 0, "PRICE", TEXT, false, NULL,            \
	  "price of a GiB of memory for an hour")                              \
	X(LOG_LEVEL, "log-level", 0, "LEVEL", TEXT, false, NULL,               \
	  "error, warn, info or debug")                                        \
	X(LOG, "log", 0, "WHERE", TEXT, false, NULL,                           \
	  "syslog, or a file; a journal behind standard error is noticed")     \
	X(GATEWAYS, "gateways", 0, "N", NUMBER, false, NULL,                   \
	  "gateway processes; as many as cores unless told")                   \
	X(MAN, "man", 0, NULL, SWITCH, false, NULL,                            \
	  "print the man page")

enum cli_flag {
#define X(id, ...) FLAG_##id,
	CLI_FLAGS(X)
#undef X
	FLAG_COUNT
};

struct cli_flag_info {
	const char *name;
	char letter;
	const char *value;	/* word for its value, NULL for a switch */
	enum cli_value kind;
	bool global;
	const char *key;	/* argument of the request */
	const char *help;
};

/* More than 64 of them. */
typedef unsigned __int128 cli_flag_set;
#define FLAG_BIT(id) ((cli_flag_set)1 << FLAG_##id)
#define FLAG_IN(set, i) (((set) >> (i) & 1) != 0)

enum { CLI_ARGUMENTS = 3 };

struct cli_argument {
	const char *name;	/* "NAME"; NULL = no such argument */
	const char *noun;	/* whose names complete it, or NULL */
	const char *key;	/* argument of the request, or NULL */
	bool number;
	bool optional;
	bool many;		/* one or more; the last argument only */
};

/* How much asking a change needs (only what is above NONE asks). */
enum cli_confirm {
	CONFIRM_NONE,
	CONFIRM_IN_SESSION,	/* asks while someone is on the machine */
	CONFIRM_SHRINK,		/* asks when a cluster is to be smaller */
	CONFIRM_ALWAYS,
	CONFIRM_TYPED,		/* the name, typed or by --confirm; --yes is not enough */
};

struct cli_noun {
	const char *name, *alias;
	const char *help;
	const char *key;		/* what names one: "name", "id", "index" */
	const struct cli_view *view;	/* its columns, NULL when not listed */
};

struct cli_command {
	const char *noun;	/* NULL: the verb stands alone */
	const char *verb;
	const char *alias;	/* one word: "ls" is machine list */
	struct cli_argument arguments[CLI_ARGUMENTS];
	cli_flag_set flags;	/* FLAG_BITs beside the global ones, and
				 * DRY_RUN where it plans by itself */
	const char *control;	/* control verb, or NULL */
	const struct cli_view *view;	/* of its list; NULL: the noun's */
	bool changes;		/* refused by --read-only */
	bool verbatim;		/* words after it are passed on unread */
	bool tail;		/* words after its first argument are */
	bool hidden;		/* for programs: not in the help */
	enum cli_confirm confirm;
	int (*run)(struct cli *cli);	/* returns an enum cli_exit */
	const char *help;
};

extern const struct cli_flag_info cli_flags[FLAG_COUNT];
extern const struct cli_noun cli_nouns[];	/* ends with name == NULL */
extern const struct cli_command cli_commands[];	/* ends with verb == NULL */

const struct cli_noun *cli_noun(const char *word);
/* The command of noun (or NULL) and verb, aliases resolved; or NULL. */
const struct cli_command *cli_command(const char *noun, const char *verb);

/* A parsed command line.  All texts are borrowed from argv. */
struct cli_call {
	const struct cli_command *command;	/* NULL: no words at all */
	const char *noun_help;		/* `pool --help`: help on this noun */
	const char *value[FLAG_COUNT];	/* NULL = not given; "" for a switch */
	const char **words;		/* arguments, without noun and verb */
	int word_count;
};

/*
 * Parses argv[1..argc).  On failure, a sentence that names the word and what
 * may have been meant; what was understood before it is in call (so that an
 * error can obey --json).  Free with cli_call_fini in both cases.
 */
int cli_parse(struct cli_call *call, int argc, char **argv, struct error *err);
void cli_call_fini(struct cli_call *call);

/*
 * The request of a call for its i-th name (commands with `many` make one
 * request each); a new reference, or NULL with the reason.
 */
struct json_t *cli_request(const struct cli_call *call, int i,
			   struct error *err);

/* Its dry run is its own, or the engine's; others get cli_run_would. */
bool cli_engine_plans(const struct cli_command *c);

/* Milliseconds since 1970 of "2h" (ago), "2026-11-22" or "2026-11-22T05:30:12",
 * with Z in UTC; -1 = is none. */
int64_t cli_moment(const char *text, bool utc);
/* "2026-11": where it begins and ends, by the local clock or UTC; -1 = is none. */
int cli_month(const char *text, bool utc, int64_t *from_ms, int64_t *until_ms);

/* A plan (kind plan) as one reads it; returns whether there is anything to
 * apply. */
bool cli_print_plan(const struct json_t *item, FILE *out);

/* The best of candidates (NULL-terminated) near word, or NULL. */
const char *cli_suggest(const char *word, const char *const *candidates);

/* Other roles of the program, for the commands that start them. */
struct cli_place {
	const struct paths *paths;
	const char *socket;	/* control socket, or NULL: none was named */
	bool read_only, practice, no_color, ascii, utc;
	const char *log_level;	/* or NULL */
	const char *log;	/* "syslog", a file, or NULL: as usual */
	unsigned gateways;	/* 0 = not told */
};

struct cli_roles {
	int (*engine)(const struct cli_place *place);
	/* socket NULL: start an engine unless the site's one answers. */
	int (*console)(const struct cli_place *place);
	int (*connect)(int argc, char **argv);
	void (*console_man)(FILE *out);	/* remuda-console(1) */
	/* engine_restore, which brings SQLite: not every program has that. */
	int (*restore)(const struct engine_restore *o, char *text, size_t size,
		       struct error *err);
};

/* Runs a command line; returns the exit code. */
int cli_main(int argc, char **argv, const struct cli_roles *roles);

/* cli_help.c */
void cli_help_all(FILE *out);
void cli_help_noun(FILE *out, const char *noun);
void cli_help_command(FILE *out, const struct cli_command *command);
void cli_man_page(FILE *out);
/* "pool scale NAME [N]" into out. */
void cli_synopsis(char *out, size_t out_size,
		  const struct cli_command *command);

#endif
