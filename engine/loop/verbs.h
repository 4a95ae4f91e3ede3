/*
 * The verbs of the control protocol, one table per file verbs_NOUN.c.  Lists
 * read the world or the store; changes become one EVENT_COMMAND, answered when
 * its turn is durable.  Every verb declares its arguments: an unknown one is an
 * error, not ignored.  What each takes and answers: engine/wire/control.h.
 */
#ifndef REMUDA_LOOP_VERBS_H
#define REMUDA_LOOP_VERBS_H

#include "engine/loop/control.h"

struct verb_call {
	struct control_client *c;
	struct shell *sh;
	json_int_t id;
	const char *verb;
	json_t *request;	/* borrowed */
};

struct verb {
	const char *name;	/* NULL ends a table */
	void (*run)(const struct verb_call *a);
	bool changes;
	const char *args;	/* allowed, each followed by a blank */
};

extern const struct verb verbs_pool[], verbs_session[], verbs_site[],
	verbs_user[], verbs_token[], verbs_resource[], verbs_gc[],
	verbs_alarm[], verbs_cluster[], verbs_rule[], verbs_usage[];

/* An argument, or "", or absent, or false. */
const char *verb_text(const struct verb_call *a, const char *name);
int64_t verb_int(const struct verb_call *a, const char *name, int64_t absent);
bool verb_true(const struct verb_call *a, const char *name);
/* Answers with one object; takes the reference. */
void verb_item(const struct verb_call *a, const char *kind, json_t *item);
void verb_not_found(const struct verb_call *a, const char *kind,
		    const char *name);
/* guest_exec.c: machine.exec. */
void guest_exec_run(const struct verb_call *a);
/* True, and refused, for a reader: for what holds secrets. */
bool verb_refused(const struct verb_call *a);
/* Steps an EVENT_COMMAND of this verb with the arguments of the request. */
void verb_command(const struct verb_call *a, enum command_verb verb);
void verb_command_for(const struct verb_call *a, enum command_verb verb,
		      int64_t ms);

/* The argument strategy, 0 when it is not there; false: it is none, which is
 * answered (verbs_cluster.c). */
bool verb_strategy(const struct verb_call *a, int *strategy);
/* The same for an event whose further fields are filled in. */
void verb_step(const struct verb_call *a, struct event *ev);

/* ---- pages of history ---- */
uint32_t verb_page_rows(const struct verb_call *a);
void verb_query(const struct verb_call *a, struct db_query *q);
/* Answers with a page, or with the error of the query; takes items. */
void verb_page(const struct verb_call *a, const char *kind, int rc,
	       json_t *items, uint64_t next, const struct error *err);

/* COMMAND_TOKEN_CREATE; its answer, if it is yes, brings the token. */
void verb_command_token(const struct verb_call *a, int64_t ms,
			const char *hash, const char *token);

#endif
