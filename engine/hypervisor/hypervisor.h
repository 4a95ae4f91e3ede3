/*
 * The hypervisor role: one process per libvirt connection, which alone calls
 * libvirt (owner of libvirt and libxml2; jansson for agent replies, OpenSSL
 * for the signature of the ownership metadata).
 *
 * libvirt calls can hang without bound (a stopped daemon, a stopped QEMU), so
 * the engine may kill this process at any time: machines go on, and the next
 * process finds them by host_poll.  It keeps no state of its own on disk.
 *
 * It speaks the E > H and H > E messages of engine/wire/message.h on a
 * SOCK_SEQPACKET socket.  Every call is answered by exactly one call_done;
 * host_open is answered by host_state as well, and host_state comes again at
 * each change.
 */
#ifndef REMUDA_HYPERVISOR_HYPERVISOR_H
#define REMUDA_HYPERVISOR_HYPERVISOR_H

/*
 * Serves engine_fd until its end of file.  Returns the exit status; when a
 * libvirt call still hangs then it does not return but ends the process.
 * Environment: REMUDA_FORCE_TCG set and not empty: never use KVM.
 */
int hypervisor_run(int engine_fd);

#endif
