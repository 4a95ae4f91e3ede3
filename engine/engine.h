/*
 * The engine: the one header of engine/ that the console includes.
 */
#ifndef REMUDA_ENGINE_H
#define REMUDA_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#define REMUDA_VERSION "0.1"

/* All paths absolute; the directories exist (console/paths.h makes them). */
struct engine_options {
	const char *site_file;
	const char *state_dir;		/* remuda.db, site.key, volumes/ */
	const char *run_dir;		/* control.sock, gateway-N.sock */
	const char *scripts_dir;	/* where require looks second; or NULL */
	int control_fd;			/* console's socketpair, or -1 */
	int ready_fd;			/* gets "ready\n" or "error: ...\n", or -1 */
	bool headless;
	unsigned gateways;		/* 0 = as many as cores */
	int log_level;			/* enum log_level */
};

/* Runs until stopped; returns the process's exit code (console.md E.2). */
int engine_run(const struct engine_options *o);

/* Makes the store of a site from a backup; no engine may run. */
struct engine_restore {
	const char *backup;
	const char *site_file;		/* written when it does not exist */
	const char *state_dir;
	bool force;			/* keep a store that is there aside */
};
struct error;
/* 0 with a sentence for people in text, or -1. */
int engine_restore(const struct engine_restore *o, char *text, size_t size,
		   struct error *err);

#endif
