/*
 * Starts a process of the ssh role for each client of a gateway's ssh doors: a
 * gateway itself may start nothing (engine/gateway/confine.h).  It sees no
 * stranger's byte: it is given two sockets and a key, hands them on, and gives
 * back a descriptor of the process.  Ends with its gateway.
 */
#ifndef REMUDA_SSH_STARTER_H
#define REMUDA_SSH_STARTER_H

/* The descriptor becomes the role's; returns the process's exit code. */
int starter_run(int gateway_fd);

#endif
