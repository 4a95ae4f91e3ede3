/*
 * The ssh door: for each client a process of the ssh role (engine/ssh/sshd.h)
 * that has the client's socket, and a link to it.  Until its key is known the
 * client is a caller in the crowd like every stranger; from then on the link
 * stands for it, and each of its channels is a caller with a session of its own.
 *
 *     accept -> "SSH-" -> process -> ssh_offer -> engine -> ssh_answer
 *            -> ssh_open + stream -> engine -> SSH_OPENED, bytes
 */
#ifndef REMUDA_GATEWAY_SSH_LINK_H
#define REMUDA_GATEWAY_SSH_LINK_H

#include "engine/wire/message.h"

struct gateway;
struct caller;
struct listener;

enum { SSH_LINKS_MAX = 256 };	/* processes of one gateway */

/* The host key of a listener; takes the memfd. */
void ssh_link_on_key(struct gateway *g, struct message *m);
/* The engine knows a key, or does not. */
void ssh_link_on_known(struct gateway *g, const struct message *m);
/* A new engine: what was asked in vain is asked again. */
void ssh_link_ask_again(struct gateway *g, struct listener *l);
/* The starter's answer. */
void ssh_link_on_started(struct gateway *g, struct message *m);
/* A caller with c->ssh is closing. */
void ssh_link_leave(struct gateway *g, struct caller *c);
/* A listener was dismissed, or the gateway drains: who has no session goes. */
void ssh_link_close_idle(struct gateway *g);
void ssh_link_close_all(struct gateway *g);

/* ---- starter.c ---- */
struct error;
/* Once, before the gateway is confined. */
int starter_open(struct gateway *g, struct error *err);
/* A process for a client; ssh_link_on_started follows. */
int starter_ask(struct gateway *g, uint64_t number, const char *key, int client,
		int control, struct error *err);

#endif
