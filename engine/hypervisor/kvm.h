/*
 * Is KVM usable?  libvirt's domain capabilities say whether QEMU can open the
 * device; for a host of this machine the device itself is asked as well,
 * because partial KVM implementations (some nested ones) open and then offer
 * guests a processor on which no current kernel starts.
 */
#ifndef REMUDA_HYPERVISOR_KVM_H
#define REMUDA_HYPERVISOR_KVM_H

#include <libvirt/libvirt.h>
#include <stdbool.h>

struct error;

/* False with the reason in why. */
bool kvm_usable(virConnectPtr conn, bool local, struct error *why);

#endif
