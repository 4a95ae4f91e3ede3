/*
 * Machines made from what operators have: a domain of theirs, at rest, or a
 * disk image (spec 1.2a, decisions.md 28).
 */
#ifndef REMUDA_HYPERVISOR_CLONE_H
#define REMUDA_HYPERVISOR_CLONE_H

#include "engine/hypervisor/domain_xml.h"
#include "engine/hypervisor/queue.h"
#include "engine/hypervisor/storage.h"

struct host_facts;

/*
 * Makes the volumes of a machine, telling the engine of each (volume_made), and
 * fills spec: template (from a domain; malloc'd, clone_free), disks, seed.
 * What was made stays after a failure: its rows name it.
 */
enum wire_result clone_make(struct job *job, virConnectPtr conn,
			    const struct host_facts *facts,
			    struct domain_spec *spec, struct error *err);
void clone_free(struct domain_spec *spec);

/* The next name of a comma-separated list; false at its end. */
bool clone_next_name(struct slice *list, char out[STORAGE_NAME_MAX]);
/* Tells the engine of a volume that is there now (volume_made). */
void clone_tell_made(struct job *job, uint64_t machine,
		     const struct storage_volume *v);

/* Answers whether machines can be made: code, how many volumes (disks, and 256
 * for the firmware's variables), out: a stamp that changes with the files. */
enum job_next clone_look(struct job *job);
/* Done when no file of that key and inode is there; storage.h. */
enum job_next clone_delete(struct job *job);
/* One volume_seen for each file of the pool. */
enum job_next clone_list(struct job *job);
/* Done when the pool was empty and is no more. */
enum job_next clone_remove_pool(struct job *job);

#endif
