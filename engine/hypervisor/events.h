/*
 * libvirt's own events, passed on as hints: they come late or not at all
 * (a QEMU that dies while the daemon is down gives none).
 */
#ifndef REMUDA_HYPERVISOR_EVENTS_H
#define REMUDA_HYPERVISOR_EVENTS_H

#include <libvirt/libvirt.h>

struct error;
struct role;

/* For each new connection.  Drivers without an event are taken as they are. */
int events_register(struct role *role, virConnectPtr conn, struct error *err);
void events_unregister(virConnectPtr conn);

#endif
