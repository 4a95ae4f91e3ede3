/* Topics of a subscription as bits; see subscribe.c. */
#ifndef REMUDA_LOOP_SUBSCRIBE_H
#define REMUDA_LOOP_SUBSCRIBE_H

unsigned subscription_topic(const char *name);
unsigned subscription_all(void);

#endif
