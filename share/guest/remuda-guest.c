/*
 * remuda-guest: Remuda's side of things inside a guest.  One small static
 * program; nothing else has to be installed for a machine whose endpoint is a
 * channel.
 *
 *     serve     owns the machine's ports; runs the application per session
 *     resource  a resource (another machine's service) on stdin and stdout
 *     accept    records the alternate user, confirms the session
 *     baseline  records what belongs to the prepared machine
 *     clean     removes what does not, looks again, confirms the session
 *     status    says whether a session is running
 *     resume    sets clock and random numbers right after a restore
 *
 * Called by another name (a link such as /usr/lib/remuda/clean) it is that
 * subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "share/guest/guest.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{ "serve", serve_main },
	{ "resource", resource_main },
	{ "accept", accept_main },
	{ "baseline", baseline_main },
	{ "clean", clean_main },
	{ "status", status_main },
	{ "resume", resume_main },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const struct command *command;

	if (argc < 1)
		return EXIT_USAGE;
	command = find(base ? base + 1 : argv[0]);
	if (command)
		return command->run(argc, argv);
	command = argc > 1 ? find(argv[1]) : NULL;
	if (command)
		return command->run(argc - 1, argv + 1);
	guest_warn("usage: remuda-guest serve|resource|accept|baseline|clean|"
		   "status|resume ...");
	return EXIT_USAGE;
}
