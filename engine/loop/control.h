/*
 * The control socket's server side: clients, their lines, their subscriptions.
 * verbs.c answers requests; nothing here changes the world but through events.
 */
#ifndef REMUDA_LOOP_CONTROL_H
#define REMUDA_LOOP_CONTROL_H

#include <jansson.h>

#include "engine/loop/shell.h"

enum {
	CONTROL_CLIENTS_MAX = 256,	/* of each socket */
	CONTROL_BACKLOG_MAX = 16 << 20,	/* bytes a client may leave unread */
	CONTROL_EVENTS = 200,		/* recent events kept for subscribers */
	CONTROL_PART = 100,		/* items in one line: even of hostile text
					 * they stay under CONTROL_LINE_MAX */
	CONTROL_FLUSH_MS = 200,
	CONTROL_RULES = 64,		/* more of them are told at each flush */
};

/* Topics that may hold many thousands. */
enum walk_topic { WALK_SESSIONS, WALK_MACHINES, WALKS };

struct walk {
	uint64_t *ids;		/* to be told, from at on; owned */
	size_t count, size, at;
	bool full;		/* those before full_count are a full state's */
	size_t full_count;
};

struct control_client {
	struct control *control;
	struct list link;
	uv_pipe_t pipe;
	uint64_t number;
	bool may_change, closing;
	bool whois_only;		/* came by whois.sock */
	bool reads_only;		/* asked to be refused changes */
	char who[ROW_USER_SIZE];
	uint32_t uid, pid;		/* of the peer */
	char *line;			/* received, not yet whole */
	size_t used, size, backlog;
	unsigned topics;		/* subscribed, bits */
	bool full;			/* next flush sends everything */
	struct walk walks[WALKS];	/* what is still to be sent */
	uint64_t seen_turn;		/* changes up to here were sent */
	uint64_t seen_event;
	uint64_t seen_rules[CONTROL_RULES];	/* how they were, in short */
	int64_t said_ms;		/* last line of any kind */
	struct serial *console;		/* looked at, or NULL */
	bool console_wait;		/* until it is open */
	bool console_watches;		/* does not want the keyboard */
	int64_t console_request;
	size_t console_history;		/* so many kept bytes first */
};

struct control {
	struct shell *shell;
	uv_pipe_t server, whois_server;
	uv_timer_t flush;
	struct list clients;
	uint64_t next_client;
	struct list deeds;		/* of audit.c */
	struct list serials;		/* of serial.c */
	struct map replies;		/* token -> struct reply */
	uint64_t next_reply;
	struct map execs;		/* shell call -> struct reply */
	struct list replays;		/* of verbs_rule.c */
	uint32_t reports;		/* of usage, under way */
	struct event_row events[CONTROL_EVENTS];
	uint64_t event_count;
	/* Final sessions and requests of the last turns, for subscribers. */
	json_t *ended_sessions, *ended_requests, *gone_machines, *gone_nodes;
	json_t *saved_changes;		/* as of each save, the last is true */
	json_t *acks;			/* of alarms, that wait to be durable */
};

/* Who waits for the outcome of an EVENT_COMMAND. */
struct reply {
	uint64_t client;
	json_int_t id;
	char token[64];			/* told with a yes, or "" */
	uint64_t change;		/* that began by it, told likewise; 0 = none */
};

/* The client of that number, NULL when it is gone. */
struct control_client *control_client_of(struct control *ctl, uint64_t number);
/* Takes the reference. */
void control_send(struct control_client *c, json_t *o);
void control_error(struct control_client *c, json_int_t id, const char *code,
		   const char *object, const char *message, const char *hint);
/* Sends items (reference taken) in parts as one answer; next is where the page
 * after this one begins, 0 = there is none. */
void control_page(struct control_client *c, json_int_t id, const char *kind,
		  json_t *items, uint64_t next);
/* The same without pages. */
void control_items(struct control_client *c, json_int_t id, const char *kind,
		   json_t *items);
/* ---- audit.c ---- */
/* A command that may change something; closed by its answer. */
void audit_open(struct control_client *c, json_int_t id, const char *verb,
		const json_t *request);
/* In the batch of the turn: what the core answered, if that was a command. */
int audit_save_reply(struct shell *sh, const struct effect *e,
		     struct error *err);
/* Outside of a turn: closes a deed that is open, else does nothing. */
void audit_close(struct shell *sh, uint64_t client, int64_t id, bool ok,
		 const char *code, const char *text);
void audit_answered(struct control_client *c, const json_t *answer);

/* ---- verbs_alarm.c ---- */
/* A durable event: whoever acknowledged by it is answered. */
void alarm_on_event(struct shell *sh, const struct event_row *row);

void verbs_run(struct control_client *c, json_int_t id, const char *verb,
	       json_t *request);
void subscription_flush(struct control_client *c);

#endif
