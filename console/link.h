/*
 * The console's conversation with the engine: hello, subscription, requests
 * and their answers, and coming back after the line was lost.  client.h moves
 * the lines; this knows what they mean.
 *
 * Times are milliseconds of the caller's monotonic clock.  A lost engine is
 * tried again after 1, 2, 4 ... 30 s, or at once on link_retry().
 */
#ifndef REMUDA_CONSOLE_LINK_H
#define REMUDA_CONSOLE_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "console/client.h"

struct error;
struct model;

/* Called once per request; answer is NULL when the engine was lost first.
 * Borrowed. */
typedef void link_answer(void *arg, const char *shell, const json_t *answer);

enum { LINK_PENDING_MAX = 32, LINK_RETRY_MAX_MS = 30000 };

struct link_pending {
	int64_t id;		/* 0 = free */
	int64_t sent_ms;
	link_answer *answer;
	void *arg;
	char shell[192];	/* the command that does the same */
};

struct link {
	struct client client;
	struct model *model;
	const char *path;	/* borrowed; NULL = only an inherited socket */
	bool up;
	bool ever_up;
	unsigned connects;	/* grows with every hello */
	int tries;		/* since it was lost */
	int64_t lost_ms;	/* when it was lost */
	int64_t next_try_ms;	/* INT64_MAX = never by itself */
	int64_t last_line_ms;	/* anything from the engine */
	char trouble[256];	/* why it is down */
	/* Lines of a machine's console, raw; NULL = they are dropped. */
	void (*console)(void *arg, const json_t *line);
	void *console_arg;
	struct link_pending pending[LINK_PENDING_MAX];
};

enum link_news {
	LINK_NEWS_MODEL = 1,	/* the model changed */
	LINK_NEWS_LOST = 2,
	LINK_NEWS_BACK = 4,
	LINK_NEWS_ANSWER = 8,
	LINK_NEWS_MORE = 16,	/* lines are left: step again at once */
};

void link_init(struct link *l, struct model *model, const char *path,
	       int64_t now_ms);
void console_link_fini(struct link *l);
/* Takes an inherited socket (owned from here on).  0 or -1; the link is then
 * down and will try its path. */
int link_adopt(struct link *l, int fd, int64_t now_ms);
/* Connects when it is time, reads what is there, calls answers.  Returns
 * enum link_news bits. */
unsigned link_step(struct link *l, int64_t now_ms);
void link_retry(struct link *l, int64_t now_ms);
/* Sends a request; its reference is taken.  shell is for the answer. */
int link_request(struct link *l, json_t *request, const char *shell,
		 link_answer *answer, void *arg, int64_t now_ms,
		 struct error *err);
/* Can take another request. */
bool link_room(const struct link *l);
/* Requests without answer, and since when the oldest waits (0 = none). */
int link_waiting(const struct link *l, int64_t *oldest_ms);
/* When link_step has something to do without input; INT64_MAX = never. */
int64_t link_deadline_ms(const struct link *l);

#endif
