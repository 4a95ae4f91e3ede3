/* What the commands of cli_*.c share; nobody else includes this. */
#ifndef REMUDA_CONSOLE_CLI_RUN_H
#define REMUDA_CONSOLE_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "console/cli.h"
#include "console/cli_output.h"
#include "console/client.h"
#include "console/paths.h"

struct cli {
	struct cli_call call;
	const struct cli_roles *roles;
	struct paths paths;
	char socket[PATHS_SIZE];	/* where the engine should answer */
	bool socket_named;		/* by --socket or REMUDA_SOCKET */
	int64_t timeout_ms;
	struct client client;		/* connected by cli_connect */
	struct cli_output output;
	char **argv;
	int argc;
};

static inline bool cli_has(const struct cli *cli, enum cli_flag flag)
{
	return cli->call.value[flag] != NULL;
}

/* ---- cli.c: errors and the engine ------------------------------------ */

/* Prints an error (JSON with --json) and returns the code it was given. */
int cli_fail(const struct cli *cli, enum cli_exit code, const char *object,
	     const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Prints {"ok":false,...}'s error; returns its exit code. */
int cli_fail_answer(const struct cli *cli, const struct json_t *answer);
/* Connects once; CLI_DONE, or the exit code of the printed error. */
int cli_connect(struct cli *cli);
/* The error of a client call that returned NULL or -1. */
int cli_fail_client(const struct cli *cli, const struct error *err);
/* Connects, asks, and returns the answer when it is "ok"; otherwise prints
 * the error, sets *code and returns NULL.  Takes request. */
struct json_t *cli_ask(struct cli *cli, struct json_t *request, int *code);
/* The exit code of an error's code, or -1. */
int cli_exit_of(const char *code);
/* A note on standard error for a person; not with --quiet. */
void cli_note(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Flushes standard output; a full disk is an error, not a short file. */
int cli_finish(const struct cli *cli, int code);
/* May this run ask a person? */
bool cli_can_ask(const struct cli *cli);
struct cli_place cli_place(const struct cli *cli);

/* Was the change of this object agreed to, by --yes or --confirm? */
bool cli_agreed(const struct cli *cli, const struct cli_command *c,
		const char *object);

/* ---- cli_words.c: what a change is about ------------------------------- */

/* The command that becomes this control verb, or NULL. */
const struct cli_command *cli_command_for(const char *control);
/* "machine/mail-07", "session/12", "site": of a request. */
void cli_object_of(char *out, size_t out_size, const struct json_t *request);
/* The line of the question that has to be asked before the change, with what
 * the engine shows of the object (NULL: nothing); false when there is none. */
bool cli_touched(char *out, size_t out_size, const struct cli_command *c,
		 const char *object, const struct json_t *change,
		 const struct json_t *item);
/* "would delete machine/mail-07 (quarantined 9m, no session)" */
void cli_would(char *out, size_t out_size, const struct json_t *request,
	       const struct json_t *item);

/* ---- cli_settle.c: until a change is done ------------------------------- */

/* The question about a request's object; NULL when it has none to be shown. */
struct json_t *cli_show_request(const struct json_t *request);
/* What the engine shows of a request's object, a new reference; NULL when it
 * shows nothing (not found is one such), or with *code of the printed error. */
struct json_t *cli_show_of(struct cli *cli, const struct json_t *request,
			   int *code);
/* Is what the request began done?  before: the object before it; item: now. */
bool cli_settled(const struct json_t *request, const struct json_t *before,
		 const struct json_t *item);
/* Waits for that; the exit code. */
int cli_settle(struct cli *cli, const struct json_t *request,
	       const struct json_t *before);

/* ---- the commands, as the table names them ----------------------------- */

int cli_run_list(struct cli *cli);		/* cli_list.c */
int cli_run_gc(struct cli *cli);
int cli_run_reclaim(struct cli *cli);
int cli_run_show(struct cli *cli);
int cli_run_history(struct cli *cli);		/* cli_history.c */
int cli_run_now_or_history(struct cli *cli);
int cli_run_whois(struct cli *cli);
int cli_run_info(struct cli *cli);
int cli_run_query(struct cli *cli);		/* cli_query.c */
int cli_run_backup(struct cli *cli);		/* cli_backup.c */
int cli_run_restore(struct cli *cli);
int cli_run_site_show(struct cli *cli);		/* cli_site.c */
int cli_run_create(struct cli *cli);	/* cli_pool.c */
/* Its request, with the FIELD=VALUE words as "fields"; NULL with the reason. */
struct json_t *cli_create_request(const struct cli_call *call,
				  struct error *err);
int cli_run_plan(struct cli *cli);		/* cli_plan.c */
int cli_run_apply(struct cli *cli);
int cli_run_cluster_show(struct cli *cli);	/* cli_cluster.c */
int cli_run_why(struct cli *cli);
int cli_run_rule_test(struct cli *cli);
int cli_run_rule_replay(struct cli *cli);
int cli_run_whatif(struct cli *cli);
int cli_run_change_wait(struct cli *cli);	/* cli_wait.c */
/* Until that change is over; its exit code. */
int cli_wait_change(struct cli *cli, int64_t id);
int cli_run_usage(struct cli *cli);		/* cli_usage.c */
int cli_run_events(struct cli *cli);		/* cli_follow.c */
int cli_run_watch(struct cli *cli);
int cli_run_site_destroy(struct cli *cli);	/* cli_change.c */
int cli_run_change(struct cli *cli);		/* cli_change.c */
int cli_run_would(struct cli *cli);
int cli_run_token_create(struct cli *cli);
int cli_run_machine_console(struct cli *cli);	/* cli_serial.c */
int cli_run_machine_exec(struct cli *cli);	/* cli_exec.c */
int cli_run_run(struct cli *cli);		/* cli_script.c */
int cli_run_engine_run(struct cli *cli);	/* cli_engine.c */
int cli_run_engine_start(struct cli *cli);
int cli_run_engine_stop(struct cli *cli);
int cli_run_engine_status(struct cli *cli);
int cli_run_engine_upgrade(struct cli *cli);	/* cli_upgrade.c */
int cli_run_attach(struct cli *cli);
int cli_run_top(struct cli *cli);
int cli_run_connect(struct cli *cli);
int cli_run_help(struct cli *cli);		/* cli.c */
int cli_run_version(struct cli *cli);
int cli_run_completion(struct cli *cli);	/* complete.c */
int cli_run_complete(struct cli *cli);

#endif
