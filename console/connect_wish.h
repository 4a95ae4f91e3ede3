/*
 * What a client of the native protocol wants, where the gateway is, and the
 * password; its first words.  For `remuda connect`, `remuda allocate` and
 * remuda.allocate of Lua.
 */
#ifndef REMUDA_CONSOLE_CONNECT_WISH_H
#define REMUDA_CONSOLE_CONNECT_WISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/* Exit codes of console.md E.2. */
enum {
	EXIT_DONE = 0, EXIT_CUT = 1, EXIT_WRONG_USAGE = 2, EXIT_NOT_FOUND = 4,
	EXIT_UNREACHABLE = 5, EXIT_REFUSED = 6, EXIT_TIMED_OUT = 7,
};

struct connect_wish {
	const char *application, *socket, *to, *user, *request_id;
	const char *ticket;	/* shown instead of asking, or NULL */
	const char *site, *run_dir;	/* NULL = by environment */
	const char *password;	/* NULL = by descriptor or environment */
	bool allocate;		/* `remuda allocate`: tickets, no session */
	bool json;		/* tickets as one JSON document */
	uint32_t count;		/* tickets wanted */
	int64_t wait_ms;	/* -1: the listener's */
	int64_t extend_ms;	/* asked for at each warning, 0 = nothing */
	int password_fd;	/* -1: the environment */
	bool confirm, verbose, help;
};

/* One line on standard error, fit for a terminal. */
void connect_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *connect_usage(const struct connect_wish *w);
/* 0, or -1 when what is wrong was said on standard error. */
int connect_parse(struct connect_wish *w, int argc, char **argv);
/* A connected socket, or -1. */
int connect_dial(const struct connect_wish *w, struct error *err);
/*
 * HELLO and ALLOCATE, or CONNECT with a ticket, into out; their bytes, or -1.
 * They hold the password: cleanse out when it was sent.
 */
ssize_t connect_ask(const struct connect_wish *w, uint8_t *out, size_t size,
		    struct error *err);
/* The exit code of a refusal's code (engine/wire/native.h); accepted: after
 * the machine had accepted. */
int connect_exit_code(const char *code, bool accepted);

#endif
