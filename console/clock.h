/* The monotonic clock of commands and clients: for deadlines, not for people. */
#ifndef REMUDA_CONSOLE_CLOCK_H
#define REMUDA_CONSOLE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
