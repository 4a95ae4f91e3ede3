/*
 * What a gateway may still do when strangers are let in: move bytes between the
 * sockets it has and those it opens to machines.  A forbidden system call
 * (open, execve, fork, ptrace, a netlink socket, memory that is code) ends the
 * process; the engine sees a gateway that is gone.
 */
#ifndef REMUDA_GATEWAY_CONFINE_H
#define REMUDA_GATEWAY_CONFINE_H

struct error;

/* For ever, for this process.  -1 and err when the kernel will not. */
int gateway_confine(struct error *err);

#endif
