/*
 * Dialogs: a question with buttons or with a word to type, a menu, and pages of
 * text such as help.  One is open at a time and takes every key.  In a question
 * Enter, Esc, n and q keep things as they are; y does what was asked.
 */
#ifndef REMUDA_CONSOLE_DIALOG_H
#define REMUDA_CONSOLE_DIALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "console/cells.h"

struct app;

enum dialog_kind {
	DIALOG_NONE,
	DIALOG_ASK,		/* two buttons */
	DIALOG_NAME,		/* a word must be typed to do it */
	DIALOG_MENU,
	DIALOG_TEXT,
};

enum {
	DIALOG_LINES_MAX = 256,
	DIALOG_LINE_SIZE = 160,
	DIALOG_CHOICES_MAX = 40,
	DIALOG_KEPT = -1,	/* nothing was chosen */
	DIALOG_DRY_RUN = -2,	/* d in a question */
	DIALOG_LIST = -3,	/* l in a question: all that it touches */
};

struct dialog_choice {
	char key;		/* chooses at once; 0 = none */
	char label[64];
	char note[128];		/* beside it: a reason when not enabled */
	bool enabled;
};

/* choice is an index, 1 for a typed word, or one of the negative numbers. */
typedef void dialog_done(struct app *app, int choice);

struct dialog {
	enum dialog_kind kind;
	char title[96];
	char lines[DIALOG_LINES_MAX][DIALOG_LINE_SIZE];
	int line_count;
	struct dialog_choice choices[DIALOG_CHOICES_MAX];
	int choice_count, at;
	int scroll, scroll_max;	/* text or menu that does not fit */
	bool dry;		/* a question that knows d and l */
	char label[64], word[96], typed[96];	/* DIALOG_NAME */
	/* Keys of a menu beside those that choose; true = taken. */
	bool (*key)(struct app *app, struct dialog *d, uint32_t key);
	const char *key_words;	/* what they do, for the last line */
	dialog_done *done;
};

void dialog_open(struct dialog *d, enum dialog_kind kind, const char *title,
		 dialog_done *done);
void dialog_line(struct dialog *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Returns the choice's index. */
int dialog_choice(struct dialog *d, char key, bool enabled, const char *label,
		  const char *note);
/* "Keep" and the action, key y; the default keeps. */
void dialog_buttons(struct dialog *d, const char *keep, const char *act);
/* The word that must be typed, and what stands before it: choice 1 then. */
void dialog_word(struct dialog *d, const char *label, const char *word);
/* May close the dialog and then call done, which may open the next. */
void dialog_key(struct dialog *d, struct app *app, uint32_t key);
void dialog_draw(struct dialog *d, struct grid *g);
/* For the last line of the screen. */
const char *dialog_keys(const struct dialog *d);

#endif
