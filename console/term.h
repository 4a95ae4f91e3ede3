/*
 * The terminal: only term*.c know ncurses.  It takes a grid of cells
 * and gives keys.
 *
 * Whatever ends the process by a signal that can be caught - a crash, a
 * hangup, a kill - the terminal gets its modes, its screen and its cursor
 * back first, and the process then dies of that signal.
 */
#ifndef REMUDA_CONSOLE_TERM_H
#define REMUDA_CONSOLE_TERM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct grid;
struct term;

struct settings;

struct term_options {
	const struct settings *settings;	/* borrowed while opening */
	bool ascii, no_color;
	bool script;		/* no terminal: output goes nowhere */
	const char *last_words;	/* said after a crash; borrowed */
};

/* NULL with the reason, when there is no terminal to use. */
struct term *term_open(const struct term_options *options, struct error *err);
/* Puts the terminal back and prints the notes; NULL is allowed. */
void term_close(struct term *t);
void term_size(const struct term *t, int *rows, int *cols);
bool term_ascii(const struct term *t);
/* Takes over theme, background, glyphs, mouse, title and sync; everything is
 * drawn anew then. */
void term_set(struct term *t, const struct settings *settings);
/* What is known of it, for `:set` and the first start: "xterm, 256 colours". */
void term_describe(const struct term *t, char *out, size_t out_size);
/* The window's title, when the setting wants one. */
void term_title(struct term *t, const char *text);
void term_bell(struct term *t);

/* Where the mouse was, after a key KEYS_MOUSE. */
struct term_mouse {
	int row, col;
	enum { TERM_CLICK, TERM_WHEEL_UP, TERM_WHEEL_DOWN } kind;
};

struct term_mouse term_mouse(const struct term *t);
/* Takes over a new size; true when there was one. */
bool term_resized(struct term *t);
void term_force_size(struct term *t, int rows, int cols);
/* Shows the grid; writes nothing when it shows already.  whole draws all. */
void term_show(struct term *t, const struct grid *grid, bool whole);
/* The next key (keys.h), 0 when there is none now. */
uint32_t term_key(struct term *t);
/* Waits for a key, for fd (-1 = none; writable: also until it takes output),
 * a signal, or timeout_ms.  Returns -1 when the terminal went away. */
int term_wait(struct term *t, int fd, bool writable, int64_t timeout_ms);
/* Gives the terminal to another program (an editor) as it was before, with
 * Ctrl-C, Ctrl-\ and Ctrl-Z for that program; and takes it back. */
void term_leave(struct term *t);
void term_return(struct term *t);
enum { TERM_COPY_MAX = 70000 };
/* To the clipboard by OSC 52.  -1 when it is too much or the terminal is one
 * that would show it instead. */
int term_copy(struct term *t, const char *text, size_t length);
/* Stops the process as Ctrl-Z does, and comes back. */
void term_suspend(struct term *t);
/* True once after somebody else asked for a stop (SIGTSTP). */
bool term_stop_asked(struct term *t);
/* Puts the terminal back at once, from a failed check; safe anywhere. */
void term_put_back(void);
/* Said on standard error after the terminal was put back. */
void term_note(struct term *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
