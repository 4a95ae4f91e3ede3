/*
 * See events.h.  The callbacks run on the event thread and only queue a hint.
 * Callback ids belong to one connection; there is only one at a time, and the
 * connector thread alone registers and unregisters.
 */
#include "engine/hypervisor/events.h"

#include <libvirt/virterror.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

static int lifecycle_id = -1, agent_id = -1;

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event,
			int detail, void *opaque)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	/* One that went to another host has not stopped. */
	bool moved = event == VIR_DOMAIN_EVENT_STOPPED &&
		     detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED;
	enum wire_hint kind = event == VIR_DOMAIN_EVENT_STARTED ?
				      WIRE_HINT_STARTED :
			      event == VIR_DOMAIN_EVENT_STOPPED && !moved ?
				      WIRE_HINT_STOPPED : WIRE_HINT_OTHER;

	(void)conn;
	if (virDomainGetUUIDString(domain, uuid) == 0)
		answer_hint(opaque, uuid, kind);
	return 0;
}

static void on_agent(virConnectPtr conn, virDomainPtr domain, int state,
		     int reason, void *opaque)
{
	char uuid[VIR_UUID_STRING_BUFLEN];

	(void)conn;
	(void)reason;
	if (virDomainGetUUIDString(domain, uuid) == 0)
		answer_hint(opaque, uuid,
			    state == VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED ?
				    WIRE_HINT_AGENT_UP : WIRE_HINT_AGENT_DOWN);
}

int events_register(struct role *role, virConnectPtr conn, struct error *err)
{
	lifecycle_id = virConnectDomainEventRegisterAny(
		conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), role, NULL);
	if (lifecycle_id < 0 && !virt_error_is(VIR_ERR_NO_SUPPORT))
		return virt_error(err, "cannot listen to events"), -1;
	agent_id = virConnectDomainEventRegisterAny(
		conn, NULL, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_agent), role, NULL);
	if (agent_id < 0 && !virt_error_is(VIR_ERR_NO_SUPPORT))
		return virt_error(err, "cannot listen to agent events"), -1;
	return 0;
}

void events_unregister(virConnectPtr conn)
{
	if (lifecycle_id >= 0)
		virConnectDomainEventDeregisterAny(conn, lifecycle_id);
	if (agent_id >= 0)
		virConnectDomainEventDeregisterAny(conn, agent_id);
	lifecycle_id = agent_id = -1;
}
