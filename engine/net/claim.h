/*
 * One net role of a host at a time has an address, whatever site it is of: a
 * unix socket in the abstract namespace, named after the address, which belongs
 * to the network namespace and ends with its process.
 */
#ifndef REMUDA_NET_CLAIM_H
#define REMUDA_NET_CLAIM_H

#include "engine/base/network.h"

struct error;

/* The descriptor that stands for the claim, or -1 with who has it. */
int claim_open(const struct address *ip, struct error *err);

#endif
