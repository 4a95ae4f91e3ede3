/* Long topics of a subscription, told in parts; see walk.c. */
#ifndef REMUDA_LOOP_WALK_H
#define REMUDA_LOOP_WALK_H

#include "engine/loop/control.h"

/* Begins anew with the full state and sends its first part. */
void walk_begin(struct control_client *c, enum walk_topic topic);
/* What changed since c->seen_turn is to be told. */
void walk_add(struct control_client *c, enum walk_topic topic);
/* The client has read everything: sends the next part, if there is one. */
void walk_go_on(struct control_client *c);
/* Forgets what was to be told. */
void walk_end(struct walk *k);

#endif
