/*
 * domain_resize: another size for a running machine, within what its domain
 * was made with.  The run function of a job; it may return JOB_AGAIN.
 */
#ifndef REMUDA_HYPERVISOR_RESIZE_H
#define REMUDA_HYPERVISOR_RESIZE_H

#include "engine/hypervisor/queue.h"

enum {
	RESIZE_MS = 30 * 1000,		/* of the guest, for each of both */
	RESIZE_SLACK_MIB = 1,		/* a balloon goes by pages */
};

/*
 * Memory first, then processors.  OK: libvirt says the machine has both, and
 * its guest uses the processors, if it has an agent to ask.  Of an emulated
 * machine no processor is taken away: QEMU (7.2) does it, but never tells
 * libvirt, which then believes in one that is not there, and a migration would
 * end the machine.  There it is enough that the guest uses no more of them.
 * FAILED: it does not fit, or the guest did not follow; what had been changed is
 * set back.
 */
enum job_next domain_resize(struct job *job);

#endif
