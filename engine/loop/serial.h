/*
 * Serial consoles of machines for control clients: many look, one types.  What
 * travels: engine/wire/control.h, machine.console.
 */
#ifndef REMUDA_LOOP_SERIAL_H
#define REMUDA_LOOP_SERIAL_H

#include "engine/loop/control.h"

enum { SERIAL_KEPT = 256 * 1024 };	/* last bytes of a stream */

struct serial_wish {
	json_int_t id;			/* of the request */
	const char *machine;
	bool watch;			/* without the keyboard */
	int64_t history;		/* so many kept bytes first */
};

/* Opens or joins; the answer comes when it is open. */
void serial_open(struct control_client *c, const struct serial_wish *wish);
void serial_input(struct control_client *c, json_t *o);
/* The client looks no more; the stream goes on. */
void serial_leave(struct control_client *c);

#endif
