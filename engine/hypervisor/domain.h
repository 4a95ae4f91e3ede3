/*
 * The calls that make, end and list domains; each is the run function of a
 * job whose m holds the call.
 */
#ifndef REMUDA_HYPERVISOR_DOMAIN_H
#define REMUDA_HYPERVISOR_DOMAIN_H

#include "engine/hypervisor/queue.h"

/*
 * Domains are transient: nothing of them is defined after their end.  Creating
 * again what runs with the same incarnation is done (S7).  A domain of that
 * name or uuid that is not ours, or of another incarnation: refused.
 */
enum job_next domain_create(struct job *job);
/* Destroys only ours (S12); a domain that is not there is done. */
enum job_next domain_destroy(struct job *job);
/* What domain_destroy does, for calls that begin with it: WIRE_OK when no domain
 * of job->uuid is there (any more).  at_once: nothing of it is kept, not even
 * what its QEMU has not written yet. */
struct host_facts;
struct error;
enum wire_result domain_end(struct job *job, virConnectPtr conn,
			    const struct host_facts *facts, bool at_once,
			    struct error *err);
/* Ends that domain, whosever it is: the caller has looked.  WIRE_OK once none of
 * that uuid is there. */
enum wire_result domain_stop(virConnectPtr conn, const char *uuid,
			     virDomainPtr domain, struct error *err);
/* One domain_seen per domain of the host, ours and foreign. */
enum job_next domain_poll(struct job *job);

#endif
