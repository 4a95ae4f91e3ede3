/* See virt.h. */
#include "engine/hypervisor/virt.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stddef.h>
#include <string.h>

#include "engine/base/error.h"

enum {
	/* VIR_ERR_AGENT_COMMAND_TIMEOUT of newer libvirt: the agent was there
	 * but did not answer the command in time. */
	AGENT_COMMAND_TIMEOUT = 112,
};

static bool may_have_happened(const virError *e)
{
	/* Anything the RPC layer itself says: the daemon may have acted. */
	if (e->domain == VIR_FROM_RPC || e->code == VIR_ERR_RPC ||
	    e->code == VIR_ERR_OPERATION_TIMEOUT ||
	    e->code == VIR_ERR_AGENT_UNSYNCED ||
	    e->code == AGENT_COMMAND_TIMEOUT)
		return true;
	/*
	 * One code for an agent that is not there (checked before the command
	 * is sent) and for one that stopped answering.
	 */
	return e->code == VIR_ERR_AGENT_UNRESPONSIVE &&
	       !(e->message && strstr(e->message, "not connected"));
}

/* QEMU's complaint stands at the end, behind its whole command line. */
static const char *essence(const char *message)
{
	const char *last = NULL;

	for (const char *p = message; (p = strstr(p, "}: ")); p += 3)
		last = p + 3;
	return last && *last ? last : message;
}

enum wire_result virt_error(struct error *err, const char *what)
{
	const virError *e = virGetLastError();

	if (!e || e->code == VIR_ERR_OK) {
		error_set(err, "%s: libvirt gave no reason", what);
		return WIRE_UNKNOWN;
	}
	error_set(err, "%s: %s", what,
		  e->message ? essence(e->message) : "no reason given");
	return may_have_happened(e) ? WIRE_UNKNOWN : WIRE_FAILED;
}

bool virt_error_is(int number)
{
	const virError *e = virGetLastError();

	return e && e->code == number;
}

static void ignore_error(void *opaque, virErrorPtr error)
{
	(void)opaque;
	(void)error;
}

void virt_quiet(void)
{
	/* Every call's error is read by its caller and told to the engine. */
	virSetErrorFunc(NULL, ignore_error);
}
