/*
 * The sockets of one port, each with SO_REUSEPORT, get its connections in turn.
 *
 * By itself Linux chooses by a hash of the addresses: of 256 connections one of
 * two sockets gets 112 and the other 144, and those of the fuller one wait longer.
 */
#ifndef REMUDA_BASE_SPREAD_H
#define REMUDA_BASE_SPREAD_H

#include <stdint.h>

#include "engine/base/error.h"

/*
 * For all sockets that listen at the address of fd, of which there are `sockets`
 * (at least 1); to be said again when there are more or fewer.  TCP over IPv4 or
 * IPv6.  -1 where the process may not (bpf(2): CAP_BPF) or Linux cannot: it goes
 * on by its hash then.  Source: socket(7), SO_ATTACH_REUSEPORT_EBPF.
 */
int spread_in_turn(int fd, uint32_t sockets, struct error *err);

#endif
