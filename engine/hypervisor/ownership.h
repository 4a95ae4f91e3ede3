/*
 * Whose domain is it?  Remuda acts only on domains that carry its signed mark
 * (S12), and never for an incarnation older than the mark's (S6).  Of any
 * other domain nothing is read but name, uuid, state and mark.
 */
#ifndef REMUDA_HYPERVISOR_OWNERSHIP_H
#define REMUDA_HYPERVISOR_OWNERSHIP_H

#include <libvirt/libvirt.h>

#include "engine/hypervisor/known.h"
#include "engine/wire/message.h"

struct error;
struct host_facts;
struct job;
struct role;

/*
 * Reads and checks the domain's mark (always from libvirt) into out and into
 * the cache; for a running domain of ours also its ports, and its process is
 * watched.  WIRE_OK: out tells, out->ours may be false with the reason in err.
 * Otherwise libvirt did not answer, or the domain is gone (gone set).
 */
enum wire_result ownership_read(struct role *role,
				const struct host_facts *facts,
				virDomainPtr domain, struct known_domain *out,
				bool *gone, struct error *err);
/*
 * Whose one of a list's domains is, from the cache if that can be: 1, with d;
 * 0, it is gone by now; -1 with err, libvirt does not say.
 */
int ownership_identify(struct role *role, const struct host_facts *facts,
		       virDomainPtr domain, struct known_domain *d,
		       struct error *err);
/*
 * For a call about a machine: finds its running domain into job->domain, for
 * this run of the job, and checks that it is ours and the call's incarnation not
 * older.  The cache spares asking twice.
 */
enum wire_result ownership_find(struct job *job, struct slice uuid,
				struct known_domain *out, struct error *err);
/* WIRE_FAILED with err when the call's incarnation is older than the mark's.
 * A call without incarnation (0) is not fenced. */
enum wire_result ownership_fence(const struct known_domain *d,
				 uint64_t incarnation, struct error *err);

#endif
