/*
 * host_poll: the truth about the host, in one bulk call that does not wait for
 * domains that hang, plus one call for the mark of each domain not known yet.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/domain.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/room.h"
#include "engine/hypervisor/virt.h"

static enum wire_domain_state state_of(int state)
{
	switch ((virDomainState)state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN:	/* still on its way down */
	case VIR_DOMAIN_NOSTATE:
		return WIRE_DOMAIN_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return WIRE_DOMAIN_PAUSED;
	case VIR_DOMAIN_SHUTOFF:
	case VIR_DOMAIN_CRASHED:
#ifdef VIR_ENUM_SENTINELS
	case VIR_DOMAIN_LAST:
#endif
		break;
	}
	return WIRE_DOMAIN_OFF;
}

static int send_seen(struct job *job, const struct host_facts *facts,
		     virDomainPtr domain, int state, struct error *err)
{
	struct known_domain d;
	int there = ownership_identify(job->role, facts, domain, &d, err);

	if (there <= 0)
		return there;
	struct message m = {
		.type = WIRE_TYPE_domain_seen,
		.request = job->m.request,
		.incarnation = d.ours ? d.incarnation : 0,
		.domain_seen = {
			.poll = job->m.host_poll.poll,
			.machine = d.ours ? d.machine : 0,
			.uuid = slice_of(d.uuid),
			.name = slice_of(virDomainGetName(domain)),
			.state = (uint8_t)state_of(state),
			.owner = d.ours ? WIRE_OWNER_OURS : WIRE_OWNER_FOREIGN,
		},
	};
	/* Given up meanwhile: this poll is over for the engine. */
	if (atomic_load(&job->answered))
		return -1;
	answer_send(job->role, &m);
	return 0;
}

static int state_in(const virDomainStatsRecord *record)
{
	int state = VIR_DOMAIN_NOSTATE;

	virTypedParamsGetInt(record->params, record->nparams, "state.state",
			     &state);
	return state;
}

static int poll_stats(struct job *job, virConnectPtr conn,
		      const struct host_facts *facts, struct error *err)
{
	virDomainStatsRecordPtr *records = NULL;
	int rc = 0, count = virConnectGetAllDomainStats(
		conn, VIR_DOMAIN_STATS_STATE, &records,
		facts->kind == HOST_QEMU ?
			VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT : 0);

	if (count < 0)
		return virt_error(err, "the host does not list its domains"), -1;
	for (int i = 0; i < count && rc == 0; i++)
		rc = send_seen(job, facts, records[i]->dom,
			       state_in(records[i]), err);
	virDomainStatsRecordListFree(records);
	return rc;
}

/* For drivers without bulk statistics. */
static int poll_list(struct job *job, virConnectPtr conn,
		     const struct host_facts *facts, struct error *err)
{
	virDomainPtr *domains = NULL;
	int rc = 0, count = virConnectListAllDomains(conn, &domains, 0);

	if (count < 0)
		return virt_error(err, "the host does not list its domains"), -1;
	for (int i = 0; i < count; i++) {
		int state, reason;

		if (rc == 0 &&
		    virDomainGetState(domains[i], &state, &reason, 0) == 0)
			rc = send_seen(job, facts, domains[i], state, err);
		virDomainFree(domains[i]);
	}
	free(domains);
	return rc;
}

enum job_next domain_poll(struct job *job)
{
	int64_t start_ms = role_now_ms();
	struct host_facts facts;
	struct error err = { "" };
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	virResetLastError();
	int rc = poll_stats(job, conn, &facts, &err);
	if (rc < 0 && virt_error_is(VIR_ERR_NO_SUPPORT))
		rc = poll_list(job, conn, &facts, &err);
	int64_t disk_mib = rc < 0 ? -1 : room_left_mib(conn, &facts,
						       &job->role->host.site);
	virConnectClose(conn);
	if (rc < 0)
		return answer(job, WIRE_UNKNOWN, err.text);
	known_prune(&job->role->known, start_ms);
	struct message m = {
		.type = WIRE_TYPE_call_done,
		.request = job->m.request,
		.call_done = { .result = WIRE_OK, .code = disk_mib },
	};
	return answer_message(job, &m);
}
