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
#include "console/theme.h"

struct probe;

enum {
	PASTE_BEGIN_CODE = KEY_MAX + 10,
	PASTE_END_CODE,
	PAIR_OLD = ROLE_COUNT + 1,
	PAIR_GUEST,		/* eight of them */
	NOTES_SIZE = 64 * 1024,
};

struct term {
	SCREEN *screen;
	WINDOW *input;		/* a pad: reading from it draws nothing */
	FILE *out, *in;		/* of a script; NULL = the terminal's */
	bool script, ascii, paste;
	bool acs;		/* lines from the terminal's other characters */
	bool mouse, sync, title;
	bool modern;		/* knows OSC and private modes, as xterm does */
	bool ascii_forced;	/* by an option, the locale or the terminal */
	bool wide_signs;	/* it draws signs in two cells */
	bool asked_light;	/* what it said of its background */
	bool colour_wanted;
	struct look look;
	struct term_mouse mouse_event;
	char title_text[96];
	int forced_rows, forced_cols;	/* by a script; 0 = not */
	struct grid shown;
	bool shown_valid;
	int tty_fd, frame_fd;	/* the terminal; where frames are drawn, or -1 */
	char *frame;
	size_t frame_size;
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
/* What term_show needs (term_frame.c). */
void term_frame_open(struct term *t);
void term_frame_close(struct term *t);
/* What ncurses needs to know to read keys. */
void term_start_input(struct term *t, int escape_ms);
/* Reports of the mouse, or none. */
void term_start_mouse(struct term *t, bool on);
/* Fills in the answers, those that come in time. */
void term_probe(struct term *t, struct probe *p);

#endif
