/*
 * Changes on their way: one or many requests of the control protocol that a
 * person asked for at once.  A work is asked about as a whole (ask.c), sent as
 * fast as the engine answers, and told in one message; F1 shows each outcome.
 * What failed stays marked in the list it came from.
 */
#ifndef REMUDA_CONSOLE_WORK_H
#define REMUDA_CONSOLE_WORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct view_ops;

enum { WORK_SHELL_SIZE = 192, WORK_UNDO_MS = 60000 };

enum deed_state { DEED_WAITS, DEED_SENT, DEED_DONE, DEED_FAILED };

/* One change of one object. */
struct deed {
	json_t *request;	/* owned */
	json_t *undo;		/* owned; what takes it back, or NULL */
	char shell[WORK_SHELL_SIZE];	/* the command that does the same */
	char undo_shell[WORK_SHELL_SIZE];
	char name[96];		/* of the object: "machine/mail-07" */
	uint64_t key;		/* its row, to take the mark off; 0 = none */
	enum deed_state state;
	char text[256];		/* what the engine said */
};

struct work {
	struct app *app;
	struct deed *deeds;
	size_t count, size;
	size_t sent, over, failed;
	/* Where the marks are: the view and its list. */
	const struct view_ops *ops;
	char target[96];
	int list;
	size_t hidden;		/* of the marked ones, by the filter */
	size_t skipped;		/* marked, but this cannot be done to them */
	char skipped_why[96];	/* the first reason */
	bool dry;		/* changes nothing: only tells what would be */
	bool undoing;		/* takes an earlier one back: no question */
	/* Instead of the message; owns the work then. */
	void (*done)(struct app *app, struct work *w);
};

struct work *work_new(struct app *app);
void work_free(struct work *w);
/* request: its reference is taken. */
void work_add(struct work *w, json_t *request, const char *shell,
	      const char *name, uint64_t key);
/* Asks if it must, then starts; takes the work.  Says why not when nothing can
 * be changed now. */
void work_offer(struct app *app, struct work *w);
/* Starts without asking; takes the work. */
void work_start(struct app *app, struct work *w);

/* The last work that can be taken back. */
struct work_undo {
	struct work *work;	/* of what takes it back; owned, NULL = none */
	char what[WORK_SHELL_SIZE];	/* the command that is taken back */
	int64_t until_ms;	/* on the console's clock */
};

/* What takes a request back, as things stand before it: a new reference and
 * its command, or NULL.  work_undo.c */
json_t *work_inverse(struct app *app, const json_t *request, char *shell,
		     size_t shell_size);
/* Keeps how to take it back; called when all of it is done. */
void work_remember(struct app *app, const struct work *w);
/* `u`. */
void work_take_back(struct app *app);
/* Seconds left to take something back, 0 = nothing to. */
int work_undo_seconds(const struct app *app);

/* ---- ask.c ----------------------------------------------------------- */

enum ask_level {
	ASK_NOT,		/* done at once */
	ASK_PLAIN,		/* a question whose default keeps */
	ASK_NAME,		/* and a name or number to be typed */
};

enum ask_level ask_level(struct app *app, const struct work *w);
/* Opens the question about app->pending. */
void ask_open(struct app *app);

#endif
