/*
 * A view: one screen of the console.  A view fills lists from the model and
 * draws cells; it never waits, never writes to the terminal, and asks the
 * engine for things only through actions.  One file per view, ending in its
 * struct view_ops.
 */
#ifndef REMUDA_CONSOLE_VIEW_H
#define REMUDA_CONSOLE_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "console/cells.h"
#include "console/intent.h"
#include "console/list.h"
#include "console/model.h"

struct app;
struct view;

enum { VIEW_LISTS_MAX = 5, VIEW_TARGET_SIZE = 96 };

struct view_ops {
	const char *name;	/* of `:` and of its intent */
	const char *aliases;	/* separated by blanks */
	const char *title;	/* in the breadcrumbs */
	const char *about;	/* what one sees here, for help; NULL = none */
	enum topic target;	/* kind of object a detail view is about */
	bool detail;		/* is about one object, view->target */
	int lists;		/* how many of view->lists it uses */
	const enum intent *keys;	/* for the key line, INTENT_NONE ends */
	void (*open)(struct view *v);
	/* Fills the lists from the model. */
	void (*fill)(struct view *v);
	void (*draw)(struct view *v, struct grid *g, struct rect body);
	/* Asked first; returns false for what the view does not do itself.
	 * This and the rest: NULL = none. */
	bool (*intent)(struct view *v, enum intent intent);
	void (*close)(struct view *v);	/* frees view->own */
	void (*search)(struct view *v, const char *text);	/* of a text */
	size_t (*below)(const struct view *v);	/* lines below a text */
	void (*go_time)(struct view *v, int64_t wall_ms);	/* b */
	/* A key before anything else sees it; false = it is not the view's. */
	bool (*key)(struct view *v, uint32_t key);
	bool (*paste)(struct view *v, uint32_t key);
	const char *(*status)(const struct view *v);	/* NULL = the usual */
	/* The last line in words, into out. */
	const char *(*words)(const struct view *v, bool wide, char *out,
			     size_t size);
	/* Of a key in the last line; NULL = the usual one. */
	const char *(*label)(const struct view *v, enum intent intent);
	bool (*full)(const struct view *v);	/* all but the last line */
	/* What the engine does not tell by itself: the request of each of the
	 * asks slots, NULL for one that asks nothing now.  Pages of history are
	 * all read, at most VIEW_ASK_PAGES_MAX, when it has a since_ms. */
	int asks;
	json_t *(*ask)(struct view *v, int slot);
	int ask_ms;		/* how often; 0 = VIEW_ASK_MS */
};

enum { VIEW_ASKS_MAX = 24, VIEW_ASK_MS = 5000, VIEW_ASK_PAGES_MAX = 20 };

/* The last answer to a slot's question. */
struct asked {
	json_t *items;		/* an array, or NULL: never answered */
	json_t *item;		/* of an answer with one object */
	json_t *parts;		/* an answer that is coming */
	json_t *request;	/* of the pages under way, or NULL */
	int pages;
	int64_t next_ms;	/* when it is asked again */
	bool asking, again;	/* again: at once after this answer */
	char trouble[160];	/* why there is no answer; "" = there is one */
};

struct view {
	const struct view_ops *ops;
	struct app *app;
	char target[VIEW_TARGET_SIZE];	/* name or id of a detail's object */
	json_t *item;		/* the detail's object, last known; may be NULL */
	struct list_view lists[VIEW_LISTS_MAX];
	enum topic topics[VIEW_LISTS_MAX];	/* of each list's objects */
	int focus;		/* list with the cursor */
	int tabs;		/* Tab walks through the lists */
	uint64_t seen;		/* model->changes when filled */
	int scroll;
	unsigned number;	/* of this view; its answers find it by that */
	struct asked asked[VIEW_ASKS_MAX];
	void *own;		/* what only this kind of view has */
};

extern const struct view_ops view_overview, view_pools, view_pool,
	view_machines, view_machine, view_sessions, view_session, view_hosts,
	view_host, view_events, view_users, view_user, view_apps,
	view_listeners, view_resources, view_audit, view_history,
	view_alarms, view_log, view_console, view_clusters, view_cluster,
	view_rules, view_usage, view_operations, view_set, view_keys,
	view_text;

/* All views, NULL at the end. */
extern const struct view_ops *const view_table[];

/* By name or alias; NULL. */
const struct view_ops *view_named(const char *name);
/* The detail view of a kind of object; NULL. */
const struct view_ops *view_of(enum topic topic);

struct view *view_new(struct app *app, const struct view_ops *ops,
		      const char *target);
void view_free(struct view *v);
/* Fills again when the model changed. */
void view_update(struct view *v);
bool view_intent(struct view *v, enum intent intent);
/* What kind of object a row of the focused list is. */
enum topic view_row_topic(const struct view *v, const json_t *item);
struct list_view *view_list(struct view *v);	/* focused; NULL = none */
/* What actions work on: the object under the cursor, else the detail's. */
json_t *view_object(struct view *v, enum topic *topic);
struct list_context view_context(const struct view *v);

struct columns;
/* Makes list i of those columns. */
void view_open_list(struct view *v, int i, const struct columns *columns,
		    enum topic topic);
/* Fills list i with every object of its topic for which wanted says yes. */
typedef bool view_wanted(const struct view *v, const json_t *item);
void view_fill(struct view *v, int i, view_wanted *wanted);
/* Pools, without those that are clusters. */
void view_fill_pools(struct view *v, int i);
/* Adds the waiting requests to list i between begin and end. */
void view_fill_sessions(struct view *v, int i, view_wanted *wanted);

/* The event's text has the word name, or name-NUMBER when numbered: "ben ->
 * mail-01 for mail" is about the machine and its pool too. */
bool view_event_names(const json_t *event, const char *name, bool numbered);

/* ---- asking the engine (view_ask.c) ------------------------------------ */

/* Asks what is due for the view on top; called by the loop. */
void view_ask(struct app *app);
/* The slot's question changed: ask again at once. */
void view_ask_again(struct view *v, int slot);
void view_ask_forget(struct view *v);	/* before it is freed */
/* Fills a list with a slot's items; those without a name or id count. */
void view_fill_asked(struct view *v, int list, int slot, view_wanted *wanted);
/* Why a slot has nothing to show, in words; NULL when it has. */
const char *view_ask_trouble(const struct view *v, int slot);

/* ---- describing an object (describe.c) -------------------------------- */

enum { FIELDS_MAX = 80 };

/* Names of the members, those everybody asks for first, then by alphabet;
 * returns how many, at most FIELDS_MAX. */
int view_field_names(const json_t *item, const char **names);
/* A member's value in words; "" for what is unknown. */
void view_value(const json_t *item, const char *name, char *out,
		size_t out_size);
struct pager;
/* Every member with what it means. */
void view_describe(struct pager *p, const char *noun, const json_t *item,
		   const struct model *m);

/* ---- drawing -------------------------------------------------------- */

/* Below this many columns the layout is the compact one: no boxes. */
enum { VIEW_WIDE_COLS = 100 };
bool view_wide(const struct grid *g);
/*
 * A pane with its title and, when set, a note at its foot; returns the inside.
 * Compact: a line of - below instead of a box, and the title only in bare
 * panes (titled).
 */
struct rect view_pane(struct grid *g, struct rect r, const char *title,
		      const char *foot);
/* A list in a pane; says which of the three empty states it is in. */
void view_pane_list(struct view *v, int i, struct grid *g, struct rect r,
		    const char *title, const char *empty);
/* "LABEL  value" and returns the cells used. */
int view_field(struct grid *g, int row, int col, int limit, const char *label,
	       const char *value);
/* Text over several lines; returns how many were used. */
int view_wrap(struct grid *g, struct rect r, enum role role, const char *text);
/* "[Machines 4]  Sessions 2  Events", the focused one in brackets. */
void view_tabs(struct view *v, struct grid *g, int row, int col, int cols,
	       const char *const *names);
/* The pool's bar: in use, starting, ready, bad, room. */
void view_pool_bar(struct grid *g, int row, int col, int width,
		   const json_t *pool);

/* The pane of sessions per hour (view_hours.c): 8 rows, 60 columns are good. */
void view_hours(struct grid *g, struct rect r, const struct model *m);

/* ---- columns (view_columns.c) ---------------------------------------- */

struct columns {
	const struct column *columns;
	int count, sort;
};

/* { COLUMNS(table, column it is sorted by) } */
#define COLUMNS(table, by) { table, sizeof(table) / sizeof(table[0]), by }

extern const struct columns columns_pools, columns_machines,
	columns_sessions, columns_hosts, columns_gateways, columns_events,
	columns_overview_sessions, columns_overview_hosts,
	columns_overview_clusters;

/* What decides a cluster's size, in four lines (view_clusters.c). */
void view_cluster_facts(struct view *v, struct grid *g, struct rect r,
			const json_t *cluster);

#endif
