/*
 * The ssh role: one client of an ssh door, one process.  libssh speaks with the
 * client; the gateway is asked about every key and every channel over a
 * SEQPACKET socket (engine/wire/message.h, block S) and relays what goes in and
 * out of the channels.  Nothing is decided here, nothing is read from disk, and
 * a client that breaks in finds one socket to the gateway.
 *
 *     ssh -J GATEWAY APPLICATION       direct-tcpip to a host of that name
 *     ssh -L 8080:APPLICATION:80 ...   the same; the port means nothing
 */
#ifndef REMUDA_SSH_SSHD_H
#define REMUDA_SSH_SSHD_H

/* All descriptors become the role's.  key_fd: memfd with the host key. */
struct sshd_options {
	int client_fd;
	int gateway_fd;
	int key_fd;
};

/* Serves the client until it is gone; returns the process's exit code. */
int sshd_run(const struct sshd_options *o);

#endif
