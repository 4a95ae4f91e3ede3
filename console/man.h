/* remuda-console(1), from the tables of keys and views. */
#ifndef REMUDA_CONSOLE_MAN_H
#define REMUDA_CONSOLE_MAN_H

#include <stdio.h>

void man_console(FILE *out);

#endif
