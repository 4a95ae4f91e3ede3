/*
 * Actions on objects, between action.c, action_table.c and action_menu.c: the
 * table of what can be done, and the objects that an action is about.
 */
#ifndef CONSOLE_ACTION_H
#define CONSOLE_ACTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/intent.h"
#include "console/model.h"

struct app;

struct action {
	enum intent intent;
	enum topic topic;
	const char *label;
	const char *verb;	/* of the protocol */
	const char *shell;	/* the same as a command */
	/* Why this object cannot be acted upon so, NULL when it can. */
	const char *(*why)(const json_t *item);
};

/* The i-th; NULL behind the last. */
const struct action *action_at(int i);
/* The intent is an action on something; on a kind of object. */
bool action_known(enum intent intent);
bool action_for(enum intent intent, enum topic topic);
/* Of a pair such as disable and enable the one that can be done now; *why is
 * the reason when none can, else NULL. */
const struct action *action_on(enum intent intent, enum topic topic,
			       const json_t *item, const char **why);

struct objects {
	json_t **items;		/* borrowed from list and view */
	enum topic *topics;
	uint64_t *keys;		/* of marked rows, else 0 */
	size_t count, size;
	size_t hidden;		/* marked, but not shown */
};

/* Add to o the marked ones; the one under the cursor, then the one that the view
 * is about. */
void objects_marked(struct app *app, struct objects *o);
void objects_near(struct app *app, struct objects *o);
void objects_fini(struct objects *o);

#endif
