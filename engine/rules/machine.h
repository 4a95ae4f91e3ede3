/*
 * The API of hooks: the table `machine`, the table `session` and sleep().  Every
 * method is a step of the engine: hook_step out, step_result back.
 */
#ifndef REMUDA_RULES_MACHINE_H
#define REMUDA_RULES_MACHINE_H

#include <lua.h>
#include <stddef.h>

#include "engine/base/text.h"

struct wire_hook_run;

/* Defines sleep() and pushes the machine; steps go out on fd. */
void machine_push(lua_State *L, int fd, const struct wire_hook_run *h);
/* Pushes the session of the hook, or nil. */
void machine_push_session(lua_State *L, const struct wire_hook_run *h);

/* Foreign text for one line of an error: visible, without line ends. */
const char *machine_shown(char *out, size_t out_size, struct slice s);

#endif
