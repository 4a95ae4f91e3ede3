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
	uint64_t seen_turn;		/* changes up to here were sent */
	uint64_t seen_event;
	int64_t said_ms;		/* last line of any kind */
	uint64_t console_call;		/* being opened, or 0 */
	int64_t console_request;
	char console_name[ROW_NAME_SIZE];
	struct console_stream *console;
};

struct control {
	struct shell *shell;
	uv_pipe_t server, whois_server;
	uv_timer_t flush;
	struct list clients;
	uint64_t next_client;
	struct list deeds;		/* of audit.c */
	struct map replies;		/* token -> struct reply */
	uint64_t next_reply;
	struct map execs;		/* shell call -> struct reply */
	struct event_row events[CONTROL_EVENTS];
	uint64_t event_count;
	/* Final sessions and requests of the last turns, for subscribers. */
	json_t *ended_sessions, *ended_requests, *gone_machines;
};

/* Who waits for the outcome of an EVENT_COMMAND. */
struct reply {
	uint64_t client;
	json_int_t id;
	char token[64];			/* told with a yes, or "" */
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

void verbs_run(struct control_client *c, json_int_t id, const char *verb,
	       json_t *request);
void subscription_flush(struct control_client *c);
void serial_open(struct control_client *c, json_int_t id, const char *machine);
void serial_input(struct control_client *c, json_t *o);
void serial_free(struct control_client *c);

#endif
