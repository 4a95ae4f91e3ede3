/*
 * The session on the machine's own port; states and reasons in session.c.
 * Owner: the loop of `serve`.
 */
#ifndef REMUDA_GUEST_SESSION_H
#define REMUDA_GUEST_SESSION_H

#include "share/guest/guest.h"

enum { GUEST_SIDES_MAX = 8 };

enum session_phase {
	SESSION_IDLE,		/* no user; looking for an ACCEPT */
	SESSION_RUNNING,	/* one user, one application */
	SESSION_ENDING,		/* its processes are being ended */
	SESSION_DEAF,		/* no user; nothing is believed */
};

/* What follows ENDING. */
enum session_after {
	AFTER_IDLE,	/* the port holds only a new host's bytes */
	AFTER_DRAIN,	/* empty the port */
	AFTER_CONFIRM,	/* empty the port, then CONFIRMED(session, nonce) */
	AFTER_DEAF,	/* empty the port and believe nothing until it closes */
};

struct session {
	/* Set once before session_init. */
	char *const *argv;	/* the application */
	int uid;		/* its user id, or -1: the helper's own */
	struct side *sides[GUEST_SIDES_MAX];
	size_t side_count;

	int epoll_fd;
	struct link port;
	enum session_phase phase;
	enum session_after after;
	struct app app;
	uint64_t id, nonce, incarnation;
	char user[GUEST_NAME_MAX];
	char application[GUEST_NAME_MAX];
	bool host_ended, app_ended;
	bool app_deaf;		/* it closed its input */
	char user_path[GUEST_PATH_MAX];
	char identity_path[GUEST_PATH_MAX];
};

int session_init(struct session *s, const char *port, int epoll_fd);
void session_fini(struct session *s);
/* Moves what can move; true when it should be called again at once. */
bool session_pump(struct session *s, int64_t now_ms);
/* Ends any session as if the host had gone, and empties the port. */
void session_reset(struct session *s, int64_t now_ms);

#endif
