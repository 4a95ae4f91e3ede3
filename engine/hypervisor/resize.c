/*
 * See resize.h.  Steps, each looked at again until the guest has followed:
 *
 *     0 check, set the balloon -> 1 memory there, set the processors
 *       -> 2 processors there (a guest may be slow to let one go)
 *       -> 3 the guest uses them: some bring a new one up by themselves
 *
 * job->number and number2 keep the size before, to go back to.
 */
#include "engine/hypervisor/resize.h"

#include <inttypes.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

enum { BEGIN, MEMORY, PROCESSORS, IN_USE, LOOK_FIRST_MS = 10, LOOK_LAST_MS = 200 };

static enum wire_result refuse(struct error *err, const char *what,
			       uint64_t wish, uint64_t most)
{
	error_set(err, "%s: %" PRIu64 " are more than the %" PRIu64
		  " the machine was made for; a larger one is made by replacing it",
		  what, wish, most);
	return WIRE_FAILED;
}

/* Does it fit?  The size before into the job. */
static enum wire_result check(struct job *job, struct error *err)
{
	const struct wire_domain_resize *r = &job->m.domain_resize;
	virDomainInfo info;
	int most = virDomainGetVcpusFlags(job->domain, VIR_DOMAIN_AFFECT_LIVE |
						       VIR_DOMAIN_VCPU_MAXIMUM);

	if (most < 0 || virDomainGetInfo(job->domain, &info) < 0)
		return virt_error(err, "the machine does not tell its size"),
		       WIRE_FAILED;
	if (r->vcpus > (uint32_t)most)
		return refuse(err, "vcpus", r->vcpus, (uint64_t)most);
	if (r->memory_mib > info.maxMem / 1024)
		return refuse(err, "MiB of memory", r->memory_mib,
			      info.maxMem / 1024);
	job->number = info.nrVirtCpu;
	job->number2 = (int64_t)info.memory;
	return WIRE_OK;
}

static void next_step(struct job *job, int step)
{
	job->step = step;
	job->deadline_ms = role_now_ms() + RESIZE_MS;
	job->pause_ms = 0;
}

static enum wire_result set_memory(struct job *job, struct error *err)
{
	uint64_t mib = job->m.domain_resize.memory_mib;

	next_step(job, MEMORY);
	if (mib == 0 ||
	    virDomainSetMemoryFlags(job->domain, mib * 1024,
				    VIR_DOMAIN_AFFECT_LIVE) == 0)
		return WIRE_OK;
	return virt_error(err, "its memory cannot be changed");
}

/* Is it to have fewer processors, and is emulated? */
static bool keeps_processors(struct job *job)
{
	char *text, type[16] = "";
	struct error ignored;

	if (job->m.domain_resize.vcpus >= (uint32_t)job->number ||
	    !(text = virDomainGetXMLDesc(job->domain, 0)))
		return false;
	xmlDocPtr doc = xml_parse(slice_of(text), &ignored);
	free(text);
	if (doc)
		xml_get_attribute(xmlDocGetRootElement(doc), "type", type,
				  sizeof(type));
	xmlFreeDoc(doc);
	return strcmp(type, "qemu") == 0;
}

static enum wire_result set_vcpus(struct job *job, struct error *err)
{
	uint32_t vcpus = job->m.domain_resize.vcpus;

	next_step(job, PROCESSORS);
	/* Taking away: libvirt waits a little for the guest, then says so. */
	if (vcpus == 0 || vcpus == (uint32_t)job->number || keeps_processors(job) ||
	    virDomainSetVcpusFlags(job->domain, vcpus, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
	    (vcpus < (uint32_t)job->number &&
	     virt_error_is(VIR_ERR_OPERATION_TIMEOUT)))
		return WIRE_OK;
	return virt_error(err, "its processors cannot be changed");
}

/* 1: as large as asked for; 0: not yet; -1. */
static int look(struct job *job, struct error *err)
{
	const struct wire_domain_resize *r = &job->m.domain_resize;
	virDomainInfo info;

	if (virDomainGetInfo(job->domain, &info) < 0)
		return virt_error(err, "the machine does not tell its size"), -1;
	int64_t off = (int64_t)info.memory / 1024 - (int64_t)r->memory_mib;
	bool memory = r->memory_mib == 0 ||
		      (off <= RESIZE_SLACK_MIB && off >= -RESIZE_SLACK_MIB);
	bool vcpus = r->vcpus == 0 || info.nrVirtCpu == r->vcpus ||
		     job->step == MEMORY || keeps_processors(job);

	if (!memory)
		error_set(err, "the guest has %lu MiB and does not follow (has it a driver for virtio_balloon?)",
			  info.memory / 1024);
	else if (!vcpus)
		error_set(err, "the guest holds on to %u processors",
			  info.nrVirtCpu);
	return memory && vcpus;
}

/* The same of processors the guest uses; a guest without agent is believed,
 * unless its word is all there is. */
static int look_inside(struct job *job, struct error *err)
{
	int want = (int)job->m.domain_resize.vcpus;
	int have = virDomainGetVcpusFlags(job->domain, VIR_DOMAIN_VCPU_GUEST);

	if (have == want || (have < 0 && !keeps_processors(job)))
		return 1;
	if (have < 0)
		return virt_error(err, "no guest agent to take a processor away"), 0;
	error_set(err, "the guest uses %d processors, not %d", have, want);
	/* Not there for its kernel yet: an error, and asked again. */
	virDomainSetVcpusFlags(job->domain, (unsigned int)want,
			       VIR_DOMAIN_VCPU_GUEST);
	return 0;
}

/* Best effort: the answer says what is wrong, the next poll what is true. */
static enum job_next give_up(struct job *job, enum wire_result result,
			     const struct error *why)
{
	if (job->step >= PROCESSORS && job->m.domain_resize.vcpus)
		virDomainSetVcpusFlags(job->domain, (unsigned int)job->number,
				       VIR_DOMAIN_AFFECT_LIVE);
	if (job->step >= MEMORY && job->m.domain_resize.memory_mib)
		virDomainSetMemoryFlags(job->domain, (unsigned long)job->number2,
					VIR_DOMAIN_AFFECT_LIVE);
	return answer(job, result, why->text);
}

enum job_next domain_resize(struct job *job)
{
	struct error err = { "" };
	struct known_domain d;
	enum wire_result result = ownership_find(job, job->m.domain_resize.uuid,
						 &d, &err);
	int there = 0;

	if (result != WIRE_OK)
		return answer(job, job->step ? WIRE_UNKNOWN : result, err.text);
	if (job->step == BEGIN) {
		result = check(job, &err);
		if (result == WIRE_OK)
			result = set_memory(job, &err);
	} else {
		there = job->step == IN_USE ? look_inside(job, &err) :
					      look(job, &err);
		result = there < 0 ? WIRE_UNKNOWN : WIRE_OK;
	}
	if (result != WIRE_OK)
		return give_up(job, result, &err);
	if (there && job->step == MEMORY) {
		result = set_vcpus(job, &err);
		if (result != WIRE_OK)
			return give_up(job, result, &err);
	} else if (there && job->step == PROCESSORS && job->m.domain_resize.vcpus) {
		next_step(job, IN_USE);
		job->agent = true;
	} else if (there) {
		return answer(job, WIRE_OK, NULL);
	}
	if (role_now_ms() > job->deadline_ms)
		return give_up(job, WIRE_FAILED, &err);
	return job_again(job, LOOK_FIRST_MS, LOOK_LAST_MS);
}
