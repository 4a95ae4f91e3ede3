/* Topics of a subscription as bits; see subscribe.c. */
#ifndef REMUDA_LOOP_SUBSCRIBE_H
#define REMUDA_LOOP_SUBSCRIBE_H

#include <jansson.h>
#include <stdbool.h>

struct control_client;

unsigned subscription_topic(const char *name);
unsigned subscription_all(void);
/* A line of changes, or of a full state; takes the reference. */
void subscription_send_changes(struct control_client *c, const char *topic,
			       json_t *items);
void subscription_send_part(struct control_client *c, const char *topic,
			    bool full, bool more, json_t *items);

#endif
