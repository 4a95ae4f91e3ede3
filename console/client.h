/*
 * A client of the control protocol (engine/wire/control.h): connection, hello,
 * blocking question and answer for commands, and a reader that never blocks
 * for the console.
 *
 * The socket is always non-blocking; blocking calls wait in poll(2).  Not
 * thread-safe.  One client is one connection; after an error it is closed and
 * client_connect may be called again on it.
 */
#ifndef REMUDA_CONSOLE_CLIENT_H
#define REMUDA_CONSOLE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;
struct error;

/* Why the last call failed; commands turn it into their exit code. */
enum client_trouble {
	CLIENT_FINE,
	CLIENT_UNREACHABLE,	/* nobody listens, or the engine went away */
	CLIENT_DENIED,		/* the socket is there, but not for this user */
	CLIENT_TIMEOUT,
	CLIENT_PROTOCOL,	/* what came is no line of the protocol */
	CLIENT_INTERRUPTED,	/* *stop was set while it waited */
};

struct client {
	int fd;			/* -1 = closed */
	enum client_trouble trouble;
	int api;		/* of the engine's hello */
	struct json_t *hello;	/* NULL until it came */
	int64_t last_id;	/* of the requests sent */
	const volatile int *stop;	/* not 0 ends a wait; NULL = never */
	char *in;		/* bytes received, not yet a line */
	size_t in_used, in_size, in_scanned;
	char *out;		/* bytes not yet written */
	size_t out_used, out_size;
};

void client_init(struct client *c);
/* Closes and frees; also right on one that was never connected. */
void client_close(struct client *c);

/* Connects to the socket at path and reads the hello, within timeout_ms. */
int client_connect(struct client *c, const char *path, int64_t timeout_ms,
		   struct error *err);
/* The same on a socket inherited from the engine's start; owns fd. */
int client_adopt(struct client *c, int fd, int64_t timeout_ms,
		 struct error *err);

/* Promises to change nothing; the engine then refuses every change from here.
 * 0, or -1: an engine that does not know the promise keeps none. */
int client_read_only(struct client *c, int64_t timeout_ms, struct error *err);

/* The engine lets this client change things, and speaks its version. */
bool client_may_change(const struct client *c);

/*
 * Sends a request (an object with "verb"; its reference is taken and its id
 * set) and waits for the answer.  Returns a new reference to the whole answer,
 * {"ok":true...} or {"ok":false,"error":...}, or NULL with c->trouble set.
 * An answer in parts ("more":true on all but the last) comes back as one.
 * Lines of other kinds that arrive meanwhile are dropped.
 */
struct json_t *client_call(struct client *c, struct json_t *request,
			   int64_t timeout_ms, struct error *err);

/* ---- never blocking -------------------------------------------------- */

/*
 * Puts a message into the output and writes what the socket takes; its
 * reference is taken.  A request gets an id, which is returned (0 for a
 * message without "verb"); -1 on error.
 */
int64_t client_send(struct client *c, struct json_t *message,
		    struct error *err);
/* Writes more; 0, or -1 on error.  Poll for POLLOUT while client_unsent. */
int client_flush(struct client *c, struct error *err);
size_t client_unsent(const struct client *c);

/*
 * Takes the next whole line.  Returns 1 with a new reference in *line, 0 when
 * there is none now (poll c->fd for POLLIN, after a 0 only), -1 when the
 * connection is over or a line is bad.
 */
int client_receive(struct client *c, struct json_t **line, struct error *err);
/* As client_receive, but waits; 0 means timeout_ms went by. */
int client_wait(struct client *c, struct json_t **line, int64_t timeout_ms,
		struct error *err);

#endif
