/*
 * Starting an engine from a command or from the console: a process of its own
 * session, its log appended to the site's engine.log.
 */
#ifndef REMUDA_CONSOLE_LAUNCH_H
#define REMUDA_CONSOLE_LAUNCH_H

#include <stdint.h>
#include <sys/types.h>

struct paths;
struct error;

struct launch {
	const struct paths *paths;
	int control_fd;		/* a socket the engine serves as an embedded
				 * console's; -1 = headless.  The caller's. */
	const char *log_level;	/* NULL = the engine's default */
	const char *log;	/* "syslog" or a file; NULL = the site's engine.log */
	unsigned gateways;	/* 0 = the engine's default */
	const char *exe;	/* another program than this one, or NULL */
};

struct launched {
	pid_t pid;		/* a child: reap it */
	int ready_fd;		/* says when it is up; close it */
};

/* Makes the site's folders and starts `remuda role engine`, which is not up
 * yet when this returns. */
int launch_engine(const struct launch *l, struct launched *out,
		  struct error *err);

/* A descriptor for the log at that place, or -1.  Children of this process
 * know by its environment what it is. */
int launch_log(const char *where, struct error *err);

/*
 * Waits until the engine says that it is up.  0; -1 when it ended first or
 * could not start (its reason is in err); 1 when timeout_ms went by.
 */
int launch_wait(const struct launch *l, struct launched *launched,
		int64_t timeout_ms, struct error *err);

#endif
