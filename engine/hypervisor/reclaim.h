/*
 * Domains that name this site and that its engine does not know: those of an
 * earlier store (a lost database), and those that this site's key has not
 * signed (a lost key, or another site of the same name).  The other calls treat
 * both as anybody's; these two are an operator's.  Block; worker threads only.
 */
#ifndef REMUDA_HYPERVISOR_RECLAIM_H
#define REMUDA_HYPERVISOR_RECLAIM_H

#include "engine/hypervisor/queue.h"

/* One mark_seen for each such domain. */
enum job_next reclaim_list(struct job *job);
/* Ends one whose mark, read once more, is of the kind the call names. */
enum job_next reclaim_domain(struct job *job);

#endif
