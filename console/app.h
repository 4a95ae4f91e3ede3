/*
 * The console: one terminal, one engine, a stack of views.  The process that
 * runs it is only a client of the control protocol; when it stops or stalls
 * nothing happens to engine, machines or sessions.
 */
#ifndef REMUDA_CONSOLE_APP_H
#define REMUDA_CONSOLE_APP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct console_options {
	const char *socket_path;	/* NULL: only control_fd */
	int control_fd;		/* socket inherited from starting the engine,
				 * owned from here on; -1 = none */
	bool embedded;		/* this program started the engine */
	bool read_only;
	bool ascii;		/* plain ASCII whatever the locale */
	bool no_color;
	const char *site_file;	/* to edit when no engine names it; or NULL */
	const char *settings_dir;	/* of console.lua, keys.lua; NULL = none */
	const char *memory;	/* file of what it remembers; NULL = none */
	const char *script;	/* file of keys and commands; NULL = a person */
	int64_t fixed_clock_ms;	/* wall clock that stands still; 0 = real */
	/* Starts a dead embedded engine again and returns a new control
	 * socket, or -1.  Called at most three times.  NULL = cannot. */
	int (*restart_engine)(void *arg);
	void *restart_arg;
	bool practice;		/* the engine's site goes with the console */
	bool tour;		/* begin with the tour */
};

/*
 * Runs until the person quits.  Returns the exit code: 0, 1 when a script
 * failed or the terminal went away, 2 when there is no terminal.  Needs
 * setlocale(LC_ALL, "") to have been called.
 */
int console_run(const struct console_options *options);

#endif
