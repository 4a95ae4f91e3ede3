/*
 * Calls to the QEMU guest agent inside a machine; each is the run function of
 * a job whose m holds the call.  They may return JOB_AGAIN.
 */
#ifndef REMUDA_HYPERVISOR_AGENT_H
#define REMUDA_HYPERVISOR_AGENT_H

#include "engine/hypervisor/agent_json.h"
#include "engine/hypervisor/queue.h"

enum {
	AGENT_PING_SECONDS = 1,
	AGENT_CALL_SECONDS = 5,		/* one command's answer */
	AGENT_LOOK_FIRST_MS = 4,	/* distances of guest-exec-status */
	AGENT_LOOK_LAST_MS = 50,
	AGENT_WRITE_MS = 30 * 1000,	/* a whole agent_write */
	AGENT_EXEC_MAX_MS = 24 * 3600 * 1000,
};

enum job_next agent_ping(struct job *job);
/*
 * OK: the command ended, `code` says how.  FAILED: it was never started.
 * UNKNOWN: the time ran out (it may still run) or the agent was lost.
 */
enum job_next agent_exec(struct job *job);
/*
 * Opens (truncating), sets the mode when it is not 0, writes, closes.  OK: all
 * of it was done.  FAILED: not; the file may be there, empty or in part.
 */
enum job_next agent_write(struct job *job);

/*
 * For calls made of several steps, about job->domain.  ask: takes command;
 * the malloc'd reply, or NULL with result and err.  start: a guest command into
 * job->number.  look: asks once for it; WIRE_OK with status->exited false: it
 * runs still.
 */
char *agent_ask(struct job *job, char *command, const char *what,
		enum wire_result *result, struct error *err);
enum wire_result agent_start(struct job *job, struct slice argv,
			     struct slice input, struct error *err);
enum wire_result agent_look(struct job *job, struct agent_status *status,
			    struct error *err);

#endif
