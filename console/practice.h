/*
 * The practice site: a place to try everything in, of which nothing is real.
 * libvirt's test driver plays the hosts, and a process of the console's plays the
 * machines' services and sixty users who come and go; the engine, its gateways and
 * the console are the ones of any site.  It lives in one folder, which goes with it.
 */
#ifndef REMUDA_CONSOLE_PRACTICE_H
#define REMUDA_CONSOLE_PRACTICE_H

#include <sys/types.h>

#include "console/paths.h"

struct error;

struct practice {
	struct paths paths;	/* of the site, in its folder */
	char dir[128];
	pid_t pid;		/* of the process that plays; a child */
	int life;		/* closed: it ends the site and its folder */
};

/*
 * Makes the folder and the site file, and starts the process that plays; the
 * engine is the caller's to start.  To be called before there are threads or a
 * terminal.  Whatever becomes of the caller, the site ends with it.
 */
int practice_open(struct practice *p, struct error *err);
/* Ends the site: machines, engine, folder.  0 when it is all gone, else -1 and
 * what is left. */
int practice_close(struct practice *p, struct error *err);

#endif
