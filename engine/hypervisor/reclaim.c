/* See reclaim.h. */
#include "engine/hypervisor/reclaim.h"

#include <libvirt/virterror.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/domain.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

static bool is_strange(enum wire_owner owner)
{
	return owner == WIRE_OWNER_EARLIER || owner == WIRE_OWNER_UNSIGNED;
}

/* -1 when libvirt does not say whose it is. */
static int tell(struct job *job, const struct host_facts *facts,
		virDomainPtr domain, struct error *err)
{
	struct known_domain d;
	struct error why = { "" };
	bool gone;

	if (ownership_read(job->role, facts, domain, &d, &gone, &why) != WIRE_OK)
		return gone ? 0 : error_set(err, "%s", why.text);
	if (!is_strange(d.owner))
		return 0;
	struct message m = {
		.type = WIRE_TYPE_mark_seen,
		.request = job->m.request,
		.mark_seen = {
			.uuid = slice_of(d.uuid),
			.name = slice_of(virDomainGetName(domain)),
			.state = d.id >= 0 ? WIRE_DOMAIN_RUNNING : WIRE_DOMAIN_OFF,
			.owner = (uint8_t)d.owner,
			.text = slice_of(why.text),
		},
	};
	answer_send(job->role, &m);
	return 0;
}

enum job_next reclaim_list(struct job *job)
{
	struct host_facts facts;
	struct error err = { "" };
	virDomainPtr *domains = NULL;
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	int rc = 0, count = virConnectListAllDomains(conn, &domains, 0);
	if (count < 0)
		virt_error(&err, "the host does not list its domains");
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = tell(job, &facts, domains[i], &err);
		virDomainFree(domains[i]);
	}
	free(domains);
	virConnectClose(conn);
	if (count < 0 || rc < 0)
		return answer(job, WIRE_FAILED, err.text);
	return answer(job, WIRE_OK, NULL);
}

static enum wire_result end_strange(struct job *job, virConnectPtr conn,
				    const struct host_facts *facts,
				    virDomainPtr domain, struct error *err)
{
	struct known_domain d;
	struct error why = { "" };
	bool gone;
	enum wire_result result = ownership_read(job->role, facts, domain, &d,
						 &gone, &why);

	if (result != WIRE_OK) {
		error_set(err, "%s", why.text);
		return gone ? WIRE_OK : WIRE_FAILED;
	}
	if (!is_strange(d.owner) || d.owner != job->m.domain_reclaim.owner) {
		error_set(err, "its mark is another by now: list again; nothing was touched");
		return WIRE_FAILED;
	}
	result = domain_stop(conn, job->uuid, domain, err);
	if (result == WIRE_OK)
		known_forget(&job->role->known, job->uuid);
	return result;
}

enum job_next reclaim_domain(struct job *job)
{
	struct host_facts facts;
	struct error err = { "" };
	enum wire_result result = WIRE_FAILED;
	virConnectPtr conn;

	if (!domain_is_uuid(job->uuid))
		return answer(job, WIRE_FAILED, "not a uuid in small letters");
	conn = host_take(job, &facts, &err);
	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	virDomainPtr domain = virDomainLookupByUUIDString(conn, job->uuid);
	if (domain)
		result = end_strange(job, conn, &facts, domain, &err);
	else if (virt_error_is(VIR_ERR_NO_DOMAIN))
		result = WIRE_OK;
	else
		virt_error(&err, "cannot look for the domain");
	if (domain)
		virDomainFree(domain);
	virConnectClose(conn);
	return answer(job, result, result == WIRE_OK ? NULL : err.text);
}
