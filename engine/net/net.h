/*
 * The net role: puts clusters' virtual addresses on interfaces and announces
 * them (spec 3.1).  The only process with CAP_NET_ADMIN and CAP_NET_RAW.  Its
 * messages: vip_add, vip_remove, vip_state (engine/wire/message.h).
 */
#ifndef REMUDA_NET_NET_H
#define REMUDA_NET_NET_H

/*
 * Runs until the engine's socket ends; returns the exit status.  Addresses
 * that were not removed by the engine stay: gateways go on serving them, and
 * the next engine's net role takes them over.
 */
int net_run(int engine_fd);

#endif
