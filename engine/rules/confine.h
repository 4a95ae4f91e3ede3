/*
 * Limits of the processes that run Lua: rlimits and seccomp.  Lua's sandbox is
 * the first wall, this is the second: a broken interpreter can compute, talk
 * on the socket it has, and end.
 */
#ifndef REMUDA_RULES_CONFINE_H
#define REMUDA_RULES_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

struct error;

/* The zygote: may fork and talk; dies with the process of that pid. */
int confine_zygote(pid_t parent, struct error *err);
/* A hook's child, after confine_zygote: only talk. */
int confine_hook(pid_t parent, int64_t deadline_ms, struct error *err);

#endif
