/*
 * channel_open: a stream to a machine's virtio-serial port (run function of a
 * job on the LOCAL lane).
 *
 * QEMU serves one client of a port at a time: a second connect(2) succeeds and
 * is served only when the first has closed.  The caller opens a port once.
 */
#ifndef REMUDA_HYPERVISOR_CHANNEL_H
#define REMUDA_HYPERVISOR_CHANNEL_H

#include "engine/hypervisor/queue.h"

enum { CHANNEL_CONNECT_MS = 2000 };

enum job_next channel_open(struct job *job);

#endif
