/*
 * The first start (console.md C.8): no site file, no engine.  Says what there is on
 * this computer, what would be written where, and asks what to do.  Nothing is
 * written before a choice; q leaves no trace.
 */
#ifndef REMUDA_CONSOLE_FIRST_H
#define REMUDA_CONSOLE_FIRST_H

#include <stdbool.h>
#include <stdio.h>

struct paths;

enum first_kind {
	FIRST_LEAVE,
	FIRST_PRACTICE,		/* a site of which nothing is real */
	FIRST_SITE,		/* a site file was written to paths->config */
	FIRST_ATTACH,		/* text: the socket of an engine */
	FIRST_CONFIG,		/* text: a site file */
};

struct first_choice {
	enum first_kind kind;
	bool tour;		/* begin with the tour */
	bool ascii;		/* the person said that signs look wrong */
	char text[1024];
};

struct first_options {
	const struct paths *paths;
	bool ascii, no_color;
};

/* Asks on the terminal.  0, or -1 when there is none: then first_print. */
int first_ask(const struct first_options *options, struct first_choice *out);
/* The same as text, with the commands that do it. */
void first_print(const struct paths *paths, FILE *out);

/* ---- first_look.c ------------------------------------------------------ */

enum { FIRST_SOCKETS_MAX = 8 };

/* What there is on this computer. */
struct first_found {
	char libvirt[160];	/* a sentence */
	bool libvirt_there;
	char kvm[96];
	char memory[48];	/* "23 GiB free", "" = not known */
	char sockets[FIRST_SOCKETS_MAX][128];	/* of engines that answer */
	int socket_count;
};

void first_look(const struct paths *paths, struct first_found *out);

#endif
