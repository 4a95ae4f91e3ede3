/*
 * `remuda connect`: a session on standard input and output, over the native
 * protocol (engine/wire/native.h), so also an ssh ProxyCommand.
 */
#ifndef REMUDA_CONSOLE_CONNECT_H
#define REMUDA_CONSOLE_CONNECT_H

/* argv[0] is "connect".  Returns the exit code (console.md E.2): 0 done,
 * 1 cut short, 2 usage, 4 no such application, 5 no gateway, 6 refused,
 * 7 no machine in time. */
int connect_main(int argc, char **argv);

#endif
