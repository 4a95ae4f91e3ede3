/*
 * Which program this process runs: two processes with the same number run the
 * same file.  An upgrade puts another one there, even of the same version.
 */
#ifndef REMUDA_BASE_BUILD_H
#define REMUDA_BASE_BUILD_H

#include <stdint.h>

/* Of /proc/self/exe as it was when the process was started; never 0. */
uint64_t build_number(void);

#endif
