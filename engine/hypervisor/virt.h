/*
 * libvirt's errors in our terms.  Each call into libvirt is followed, in the
 * same thread, by one of these.
 */
#ifndef REMUDA_HYPERVISOR_VIRT_H
#define REMUDA_HYPERVISOR_VIRT_H

#include <stdbool.h>

#include "engine/wire/message.h"

struct error;

/*
 * Sets err to "what: libvirt's message" and says what is known about the call:
 * WIRE_FAILED when libvirt or the guest refused, WIRE_UNKNOWN when the
 * connection broke or the time ran out and it may still have happened.
 */
enum wire_result virt_error(struct error *err, const char *what);
/* Is libvirt's last error of this virErrorNumber? */
bool virt_error_is(int number);
/* Silences libvirt's own printing to standard error. */
void virt_quiet(void);

#endif
