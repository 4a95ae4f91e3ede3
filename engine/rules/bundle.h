/*
 * A loaded site with the process that holds it: the bundle's files (memfds,
 * kept so that a dead zygote can be made again without the engine) and the
 * zygote's pid and socket.  Used by rules.c only, in the role's first process.
 */
#ifndef REMUDA_RULES_BUNDLE_H
#define REMUDA_RULES_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/rules/rules.h"
#include "engine/rules/sandbox.h"

struct error;

struct module {
	char name[132];
	char file[PLACE_FILE_SIZE];
	int fd;		/* -1: there is no such module */
};

enum bundle_state {
	BUNDLE_DOWN,		/* no process; pid and fd are -1 */
	BUNDLE_EVALUATING,
	BUNDLE_READY,
};

struct bundle {
	char hash[128];
	char file[PLACE_FILE_SIZE];
	int text_fd;
	struct module modules[RULES_MODULES_MAX];
	int module_count;

	enum bundle_state state;
	pid_t pid;
	int fd;
	int runs;		/* hooks in children of this zygote */
	bool known;		/* the engine has had bundle_done */
	bool late;		/* SIGUSR1 was sent */
	char need[132];		/* module asked of the engine, or "" */
	int64_t deadline_ms;	/* of the evaluation; INT64_MAX: stopped */
	int64_t left_ms;	/* of it, while the engine brings a module */
};

/* Takes text_fd.  NULL when there is no memory. */
struct bundle *bundle_new(const char *hash, const char *file, int text_fd);
/* Ends the process too. */
void bundle_free(struct bundle *b);

/* Forks the zygote, which begins to evaluate. */
int bundle_start(struct bundle *b, int64_t now_ms, struct error *err);
/* Kills and reaps the zygote (its children die with it). */
void bundle_stop(struct bundle *b);
/* Asks a late evaluation where it stands. */
void bundle_nudge(struct bundle *b);

/* Keeps a module's answer; takes fd (-1: not found). */
void bundle_add_module(struct bundle *b, const char *name, const char *file,
		       int fd);
const struct module *bundle_module(const struct bundle *b, const char *name);

#endif
