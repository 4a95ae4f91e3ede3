/*
 * A fingerprint of a Lua function with everything it can reach: its code
 * without line numbers, its upvalues, the globals the site made.  Two site
 * files whose functions do the same in the same words have the same one, so a
 * changed comment, or another statement, does not make machines outdated.
 */
#ifndef REMUDA_RULES_FINGERPRINT_H
#define REMUDA_RULES_FINGERPRINT_H

#include <lua.h>

enum { FINGERPRINT_SIZE = 33 };	/* hex and NUL */

/* Of the value at that index.  Called in protected mode (needs memory). */
void fingerprint(lua_State *L, int index, char out[FINGERPRINT_SIZE]);

#endif
