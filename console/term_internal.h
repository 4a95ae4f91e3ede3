/*
 * The terminal's own state, shared by term*.c.  Only they know ncurses.
 */
#ifndef REMUDA_CONSOLE_TERM_INTERNAL_H
#define REMUDA_CONSOLE_TERM_INTERNAL_H

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <signal.h>
#include <stdio.h>

#include "console/cells.h"
#include "console/term.h"
#include "console/term_signal.h"

enum {
	ESCAPE_MS = 25,
	PASTE_BEGIN_CODE = KEY_MAX + 10,
	PASTE_END_CODE,
	PAIR_OLD = ROLE_COUNT + 1,
	NOTES_SIZE = 64 * 1024,
};

struct term {
	SCREEN *screen;
	WINDOW *input;		/* a pad: reading from it draws nothing */
	FILE *out, *in;		/* of a script; NULL = the terminal's */
	bool script, ascii, paste;
	int colours;		/* 0 = none */
	bool light;
	int forced_rows, forced_cols;	/* by a script; 0 = not */
	struct grid shown;
	bool shown_valid;
	uint32_t pending_key;	/* read ahead after Esc */
	sigset_t old_mask;	/* before ours: to wait with */
	char restore[TERM_SIGNAL_RESTORE_MAX];	/* puts the terminal back */
	size_t restore_length;
	const char *last_words;
	char notes[NOTES_SIZE];
	size_t notes_used;
};

/* Bytes straight to the terminal, beside ncurses; nothing in a script. */
void term_write(struct term *t, const char *bytes, size_t length);
void term_say(struct term *t, const char *text);
/* What ncurses needs to know to read keys. */
void term_start_input(struct term *t);

#endif
