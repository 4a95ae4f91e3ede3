/* See ownership.h.  Runs on worker threads. */
#include "engine/hypervisor/ownership.h"

#include <inttypes.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/lifeline.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

enum {
	/* How long libvirt waits for a guest agent to find its voice; its own
	 * default of 5 s would keep a thread that long for a guest without. */
	AGENT_SYNC_SECONDS = 2,
};

static enum wire_result read_mark(struct role *role, virDomainPtr domain,
				  struct known_domain *out, bool *gone,
				  struct error *err)
{
	struct metadata mark;
	char *xml = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
					 METADATA_URI, 0);

	*gone = !xml && virt_error_is(VIR_ERR_NO_DOMAIN);
	if (!xml && virt_error_is(VIR_ERR_NO_DOMAIN_METADATA)) {
		error_set(err, "it carries no mark of Remuda");
		return WIRE_OK;
	}
	if (!xml)
		return virt_error(err, "cannot read whose domain it is");
	out->owner = metadata_owner(xml, &role->host.site, out->uuid, &mark, err);
	out->ours = out->owner == WIRE_OWNER_OURS;
	if (out->ours) {
		out->machine = mark.machine;
		out->incarnation = mark.incarnation;
	}
	free(xml);
	return WIRE_OK;
}

static void read_details(struct role *role, const struct host_facts *facts,
			 virDomainPtr domain, struct known_domain *out)
{
	struct error err;
	char *xml = virDomainGetXMLDesc(domain, 0);

	if (!xml)
		return;
	int count = domain_xml_read_ports(xml, out->ports, &err);
	free(xml);
	if (count < 0)
		log_warn("machine %s: its ports cannot be read: %s",
			 virDomainGetName(domain), err.text);
	out->port_count = count > 0 ? count : 0;
	out->detailed = true;
	/* Not there in older daemons; then libvirt's own 5 s hold. */
	virDomainAgentSetResponseTimeout(domain, AGENT_SYNC_SECONDS, 0);
	watch_domain(role, facts, out->uuid, virDomainGetName(domain));
	lifeline_want(role, facts, out);
	migrate_end_strange(role, domain, out->uuid);
}

enum wire_result ownership_read(struct role *role,
				const struct host_facts *facts,
				virDomainPtr domain, struct known_domain *out,
				bool *gone, struct error *err)
{
	struct known_domain before;

	*gone = false;
	*out = (struct known_domain){ .generation = facts->generation };
	if (virDomainGetUUIDString(domain, out->uuid) < 0)
		return virt_error(err, "domain without uuid");
	unsigned int id = virDomainGetID(domain);
	out->id = id == (unsigned int)-1 ? -1 : (int)id;
	enum wire_result result = read_mark(role, domain, out, gone, err);
	if (*gone)
		known_forget(&role->known, out->uuid);
	if (result != WIRE_OK)
		return result;
	if (known_get_current(&role->known, out->uuid, out->id,
			      out->generation, &before) && before.detailed) {
		out->detailed = true;
		out->port_count = before.port_count;
		memcpy(out->ports, before.ports, sizeof(out->ports));
	} else if (out->ours && out->id >= 0 && facts->kind == HOST_QEMU) {
		read_details(role, facts, domain, out);
	}
	known_put(&role->known, out);
	return WIRE_OK;
}

int ownership_identify(struct role *role, const struct host_facts *facts,
		       virDomainPtr domain, struct known_domain *d,
		       struct error *err)
{
	unsigned int id = virDomainGetID(domain);
	char uuid[VIR_UUID_STRING_BUFLEN];
	bool gone;

	if (virDomainGetUUIDString(domain, uuid) < 0)
		return virt_error(err, "domain without uuid"), -1;
	/* Without an id (not running) the mark may change: read it again. */
	if (id != (unsigned int)-1 &&
	    known_get_current(&role->known, uuid, (int)id, facts->generation, d)) {
		known_touch(&role->known, uuid);
		return 1;
	}
	if (ownership_read(role, facts, domain, d, &gone, err) == WIRE_OK)
		return 1;
	/* Not knowing whose it is must not pass for "foreign". */
	return gone ? 0 : -1;
}

enum wire_result ownership_fence(const struct known_domain *d,
				 uint64_t incarnation, struct error *err)
{
	if (incarnation == 0 || incarnation >= d->incarnation)
		return WIRE_OK;
	error_set(err, "stale: the domain is of incarnation %" PRIu64
		  ", the call of %" PRIu64, d->incarnation, incarnation);
	return WIRE_FAILED;
}

static enum wire_result check(struct job *job, const struct host_facts *facts,
			      struct known_domain *out, struct error *err)
{
	unsigned int id = virDomainGetID(job->domain);
	enum wire_result result;
	bool gone;

	if (id == (unsigned int)-1) {
		error_set(err, "the machine is not running");
		return WIRE_FAILED;
	}
	if (!known_get_current(&job->role->known, job->uuid, (int)id,
			       facts->generation, out)) {
		result = ownership_read(job->role, facts, job->domain, out,
					&gone, err);
		if (result != WIRE_OK)
			return gone ? WIRE_FAILED : result;
	}
	if (!out->ours) {
		error_set(err, "not ours: a domain of this uuid exists that Remuda did not create");
		return WIRE_FAILED;
	}
	return ownership_fence(out, job->m.incarnation, err);
}

enum wire_result ownership_find(struct job *job, struct slice uuid,
				struct known_domain *out, struct error *err)
{
	struct host_facts facts;
	virConnectPtr conn;

	/* job->uuid is the message's, unless that was too long. */
	if (!slice_is(uuid, job->uuid) || !domain_is_uuid(job->uuid)) {
		error_set(err, "not a uuid in small letters");
		return WIRE_FAILED;
	}
	conn = host_take(job, &facts, err);
	if (!conn)
		return WIRE_FAILED;
	if (job->domain)	/* of an earlier look in this run */
		virDomainFree(job->domain);
	job->domain = virDomainLookupByUUIDString(conn, job->uuid);
	/* Before the close, which forgets libvirt's error. */
	if (!job->domain && virt_error_is(VIR_ERR_NO_DOMAIN))
		error_set(err, "the machine is not running");
	else if (!job->domain)
		virt_error(err, "cannot find the machine");
	virConnectClose(conn);
	/* Nothing was done yet, whatever became of the question. */
	if (!job->domain)
		return WIRE_FAILED;
	return check(job, &facts, out, err);
}
