/*
 * Machines on disk: RAM saved right after prepare, restored as often as wanted
 * (spec 1.5, 1.6; decisions.md 29).  An image fits one machine (its uuid) and
 * one maker: QEMU's version, the machine type and, with KVM, the processor.
 *
 * Disk and RAM agree after a restore because the domain ends with the save, what
 * it wrote becomes read-only backing, and each restore gets an overlay nobody
 * has written to (tests/lab/revert_proof.t).  What was only in the guest's
 * page cache is in the RAM: no freeze is needed.
 */
#ifndef REMUDA_HYPERVISOR_IMAGE_H
#define REMUDA_HYPERVISOR_IMAGE_H

#include "engine/hypervisor/queue.h"

enum {
	IMAGE_KEY_SIZE = 128,
	IMAGE_SYNC_MS = 10 * 1000,	/* for the guest's sync before a save */
	IMAGE_RESUME_MS = 15 * 1000,	/* for the guest to come back to life */
};

/*
 * OK: no domain is left, the image is durable.  FAILED: the domain runs on.
 * UNKNOWN: neither is sure.
 */
enum job_next domain_save(struct job *job);
/*
 * OK: the restored domain runs under the call's incarnation, its agent
 * answered, its clock is set and its random generator reseeded.  FAILED: it may
 * run all the same, or nothing does: destroy the domain to be sure.
 */
enum job_next domain_restore(struct job *job);

struct role;
struct host_facts;
/* Done when the file is not there; the domain has ended before. */
enum wire_result image_delete(const struct role *role,
			      const struct host_facts *facts, struct slice name,
			      struct error *err);

/* resume.c: the guest's part of a restore, steps RESUME_* of job->step. */
enum { RESUME_FIRST = 1, RESUME_LAST = 9 };
/* WIRE_OK with *done: the guest is itself again.  Not done: run again. */
enum wire_result image_resume(struct job *job, bool *done, struct error *err);

#endif
