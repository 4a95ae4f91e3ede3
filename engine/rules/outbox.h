/*
 * Messages to the engine, in order, kept while its socket is full.  The role
 * stops reading from hooks as long as anything waits, so the queue is bounded
 * by what the role itself says: one message per hook or bundle.
 */
#ifndef REMUDA_RULES_OUTBOX_H
#define REMUDA_RULES_OUTBOX_H

#include <stdbool.h>

#include "engine/base/list.h"

struct error;
struct message;

struct outbox {
	int fd;			/* non-blocking, the caller's */
	struct list waiting;	/* struct packet */
};

void outbox_init(struct outbox *o, int fd);
void outbox_fini(struct outbox *o);
/* Sends or keeps; a descriptor of m stays the caller's (it is duplicated). */
int outbox_send(struct outbox *o, const struct message *m, struct error *err);
/* Sends what waits, until the socket is full again. */
int outbox_flush(struct outbox *o, struct error *err);
bool outbox_is_full(const struct outbox *o);

#endif
