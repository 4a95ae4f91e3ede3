/*
 * A tunnel: one direct-tcpip channel and the stream to the gateway behind it.
 * Asked for, then refused or open, then closed.  What the client sent and the
 * stream did not take is one block; the rest waits in libssh within the
 * channel's window.
 */
#ifndef REMUDA_SSH_TUNNEL_H
#define REMUDA_SSH_TUNNEL_H

#include <libssh/libssh.h>
#include <libssh/server.h>
#include <poll.h>
#include <stdbool.h>

#include "engine/base/list.h"

enum { TUNNELS_MAX = 64, TUNNEL_BLOCK = 32 * 1024 };

struct tunnel {
	struct list link;
	ssh_message open;	/* until answered */
	ssh_channel channel;	/* once open */
	int fd;
	short events;		/* what poll(2) said */
	bool in_ended;		/* the client's end was passed on */
	bool out_ended;		/* the machine's was */
	bool only;		/* see refuse in tunnel.c */
	size_t held, held_at;
	char block[TUNNEL_BLOCK];
};

/* Asks the gateway; takes m.  *first: no channel was there before. */
void tunnel_open(ssh_session session, struct list *tunnels, int gateway_fd,
		 ssh_message m, bool first);
/* What poll has to watch. */
short tunnel_wants(const struct tunnel *t, ssh_session session);
/* Moves what can be moved; false: it is over and freed. */
bool tunnel_pump(struct tunnel *t, ssh_session session);
/* The client is gone: what it sent goes on to the machine, then the end. */
void tunnel_close(struct tunnel *t);

#endif
