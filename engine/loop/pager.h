/* Events told to the site's alarm program; see pager.c for how it is run. */
#ifndef REMUDA_LOOP_PAGER_H
#define REMUDA_LOOP_PAGER_H

struct error;
struct event_row;
struct shell;
struct site_spec;

/* A durable event.  Returns at once; failures are in the log. */
void pager_on_event(struct shell *sh, const struct event_row *ev);
/* Is the site's program one that can be run?  True without one: 0, else -1. */
int pager_check(const struct site_spec *spec, struct error *err);

#endif
