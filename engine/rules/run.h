/*
 * Runs of hooks and rules: from hook_run to hook_done or hook_lost, from rule_run
 * to rule_done.  A run waits for one of RULES_HOOKS_MAX places, then for its
 * child, then for the child's answer.
 * Used by rules.c only.
 */
#ifndef REMUDA_RULES_RUN_H
#define REMUDA_RULES_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/list.h"

struct bundle;
struct message;
struct outbox;

enum run_state {
	RUN_QUEUED,	/* packet holds its hook_run or rule_run */
	RUN_STARTING,	/* the zygote was asked for a child */
	RUN_RUNNING,	/* pidfd is the child's */
	RUN_LATE,	/* past the deadline, asked where it stands */
};

struct run {
	struct list node;
	enum run_state state;
	uint64_t call, incarnation;
	uint64_t serial;	/* between role and zygote; never used twice */
	bool rule;
	char title[96];		/* "prepare of mail-01", "rule load" */
	int64_t deadline_ms;	/* on the role's clock */
	int64_t limit_ms;	/* as the engine gave it */
	uint8_t *packet;
	size_t length;
	struct bundle *bundle;	/* from STARTING on */
	int fd, pidfd;		/* -1: none */
	uint64_t steps;		/* of the last hook_step */
	uint64_t open;		/* the step that waits for its result, or 0 */
	char what[128];		/* that step for people: "exec /bin/x" */
	int logs;
};

/* Copies a hook_run or rule_run; NULL when there is no memory. */
struct run *run_new(const struct message *m, int64_t now_ms);
/* Kills the child if there is one. */
void run_free(struct run *r);

/* Asks the bundle's zygote for the child; -1: it cannot. */
int run_start(struct run *r, struct bundle *b);
/*
 * Reads what the child sent and passes it on.  Returns false when the run has
 * had its answer and is over.
 */
bool run_receive(struct run *r, struct outbox *out);
/* The engine's step_result; ignored unless it answers the open step. */
void run_result(struct run *r, const struct message *m);
/* At the deadline; returns false when the run is over. */
bool run_late(struct run *r, struct outbox *out);
/* Answers hook_lost, or rule_done that is not ok: "TITLE TEXT". */
void run_lose(const struct run *r, struct outbox *out, const char *text);

#endif
