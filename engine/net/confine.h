/*
 * What the net role keeps of its rights: CAP_NET_ADMIN and CAP_NET_RAW, and the
 * system calls it makes from then on.  No file can be opened, no program
 * started, no process signalled.
 */
#ifndef REMUDA_NET_CONFINE_H
#define REMUDA_NET_CONFINE_H

#include <stdbool.h>

struct error;

/* Has this process both? */
bool confine_can(void);
/* From here on nothing else, for good.  Works without any rights too. */
int confine_net(struct error *err);

#endif
