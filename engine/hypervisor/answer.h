/*
 * Messages to the engine, from any thread but the main one: when the engine
 * does not read, the sender waits.
 */
#ifndef REMUDA_HYPERVISOR_ANSWER_H
#define REMUDA_HYPERVISOR_ANSWER_H

#include "engine/hypervisor/queue.h"
#include "engine/wire/message.h"

struct role;

/* Sends m, waiting for room.  A closed engine loses the message: the main
 * thread sees the end of file and ends the process. */
void answer_send(struct role *role, const struct message *m);
/* call_done of a job's call, unless it was answered already (queue_abandon);
 * text may be NULL.  Returns JOB_DONE. */
enum job_next answer(struct job *job, enum wire_result result, const char *text);
/* The same with a descriptor, which is closed here. */
enum job_next answer_fd(struct job *job, int fd);
/* The same with a whole message. */
enum job_next answer_message(struct job *job, const struct message *m);
/* Queues a domain_hint; callable from every thread, never blocks.  When the
 * queue is full the hint is lost: hints may be (the poll is the truth). */
void answer_hint(struct role *role, const char *uuid, enum wire_hint kind);
/* The job that sends this call_done, not queued yet. */
struct job *answer_job(struct role *role, uint64_t request, uint64_t incarnation,
		       uint64_t machine, enum wire_result result,
		       const char *text);
/* Queues call_done for a call that got no job of its own; never blocks. */
void answer_later(struct role *role, uint64_t request, uint64_t incarnation,
		  uint64_t machine, enum wire_result result, const char *text);
/* The machine id in any E > H message about a machine, else 0. */
uint64_t answer_machine_of(const struct message *m);

#endif
