/*
 * Signals and the terminal's modes, without ncurses.  From arm to disarm every
 * signal that ends the process first puts the terminal back: prepared bytes,
 * saved modes.  SIGWINCH and SIGTSTP only set a flag and stay blocked except
 * while term_wait() waits, so that none is missed between look and wait.
 *
 * One terminal per process.
 */
#ifndef REMUDA_CONSOLE_TERM_SIGNAL_H
#define REMUDA_CONSOLE_TERM_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Remembers the modes of fd (nothing when it is no terminal) and installs the
 * handlers; *before is the signal mask to wait with. */
void term_signal_install(int fd, bool terminal, sigset_t *before);
void term_signal_remove(const sigset_t *before);
enum { TERM_SIGNAL_RESTORE_MAX = 256 };

/* What to write when the process is ended, copied; last_words is borrowed. */
void term_signal_arm(const char *restore, size_t length,
		     const char *last_words);
void term_signal_disarm(void);
/* Sets the remembered modes, when output has drained. */
void term_signal_modes_back(void);
/* Take a flag: true once after each signal. */
bool term_signal_resized(void);
bool term_signal_stop_asked(void);
/* A flag is set. */
bool term_signal_pending(void);
/* As if SIGWINCH had come. */
void term_signal_resize(void);
/* While another program has the terminal its keys' signals are its own: this
 * process ignores SIGINT and SIGQUIT and stops together with it. */
void term_signal_lend(bool on);
/* Stops the process as Ctrl-Z does; returns when it goes on.  Only between
 * lend(true) and lend(false). */
void term_signal_stop(void);

#endif
