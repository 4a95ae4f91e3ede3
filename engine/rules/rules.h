/*
 * The rules role: everything Lua.  It has one descriptor, the SOCK_SEQPACKET
 * socket to the engine, and opens no file; engine/wire/message.h declares what
 * passes (E > R and R > E).
 *
 * Processes: this one holds no Lua and never runs anything it could wait for;
 * one zygote per loaded site evaluates the site file once and then forks one
 * child per run of a hook or rule (decisions.md 6).  Each Lua process can be killed, and is,
 * by the wall clock: that costs exactly the hook it ran.
 *
 * What the engine can rely on:
 * - bundle_load is answered by one bundle_done or bundle_error with its hash,
 *   a load replaced by a newer one by bundle_error.  bundle_use puts the site
 *   of the last bundle_done into use, bundle_drop forgets it; until then the one
 *   before stays in use; hooks that run finish with their site.
 * - hook_run is answered by one hook_done or hook_lost with its call id, at
 *   the latest RULES_GRACE_MS after deadline_ms, which is counted from the
 *   arrival of hook_run and includes waiting for one of RULES_HOOKS_MAX places.
 * - rule_run is answered by one rule_done with its call id, as late at most.  The
 *   same site and inputs give the same answer.
 * - hook_step numbers count from 1 within a call; a step is asked for when the
 *   one before it has its result.  LOG gets no result.  A step_result that is
 *   not the answer to the open step is ignored.
 * - hook_done may come without any step (no such hook: ok, but for clean).
 *
 * step_result: ok = 0 with a text when a step did not happen.  EXEC: ok = 1
 * with code, out, errout.  CONFIRM, WRITE, SLEEP: ok = 1 when done.  TCP: ok = 1
 * when the port accepted.
 */
#ifndef REMUDA_RULES_RULES_H
#define REMUDA_RULES_RULES_H

enum {
	RULES_HOOKS_MAX = 64,		/* children of hooks and rules at once */
	RULES_EVALUATE_MS = 2000,	/* wall clock of a site file, without waiting for modules */
	RULES_GRACE_MS = 100,		/* to say where a late script stands */
	RULES_MEMORY = 16 << 20,	/* bytes of Lua, for the site and for a hook */
	RULES_TEXT_MAX = 1 << 20,	/* bytes of one Lua file */
	RULES_JSON_MAX = 8 << 20,
	RULES_MODULES_MAX = 200,
	RULES_LOGS_MAX = 500,		/* log lines of one hook run */
};

/* Runs until engine_fd is closed by the other side; returns the exit status. */
int rules_run(int engine_fd);

#endif
