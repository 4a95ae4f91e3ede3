/*
 * What libvirt's capabilities say of a host: does it give each domain a
 * security label of its own (SELinux, AppArmor: then a guest that breaks out of
 * its QEMU meets a wall before the next one; DAC alone runs all QEMUs as one
 * user), and which processor it has (an image is restored on no other).
 */
#ifndef REMUDA_HYPERVISOR_LABELS_H
#define REMUDA_HYPERVISOR_LABELS_H

#include <libvirt/libvirt.h>

struct error;
struct host_facts;

/* Sets isolated, labels and cpu; -1 with err when libvirt does not say. */
int labels_read(virConnectPtr conn, struct host_facts *facts, struct error *err);

#endif
