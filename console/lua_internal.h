/*
 * The Lua side of the command line: what `remuda run` offers a script and
 * remuda.so a Lua of its own.  C does what needs C (sockets, JSON, the grammar,
 * tables); the Lua of console/lua, compiled in, is the API of remuda-lua(3).
 *
 * Functions of this module that can fail return nil and an error table
 * {code, message, object, hint}; the Lua side raises it.  The codes are those of
 * the control protocol, "unreachable", "timeout", and those of refusals of the
 * gateway (engine/wire/native.h).
 */
#ifndef REMUDA_CONSOLE_LUA_INTERNAL_H
#define REMUDA_CONSOLE_LUA_INTERNAL_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct json_t;
struct error;
struct cli;

/* What `remuda run` was told; all zero for a Lua of its own. */
struct lua_wish {
	const struct cli *cli;	/* flags for output, or NULL */
	const char *socket;	/* control socket, or NULL: found by environment */
	const char *site, *run_dir;
	long long timeout_ms;	/* 0 = the default */
	bool dry_run, read_only, yes, verbose;
};

/* Pushes the module's table. */
void lua_module_push(lua_State *L, const struct lua_wish *wish);
/* The exit code of the error at index, where {code=...} or a text. */
int lua_module_exit_code(lua_State *L, int index);

/* Set by the signal handler of `remuda run`: whatever waits returns. */
extern volatile int lua_interrupted;

/* nil and the error table; returns 2. */
int lua_fail(lua_State *L, const char *code, const char *message);
/* The same from the error of an answer, {"code":...,"message":...}. */
int lua_fail_json(lua_State *L, const struct json_t *error);

/* ---- lua_json.c ------------------------------------------------------- */

/* Pushes the value; null inside an object is left out, inside a list false. */
void lua_push_json(lua_State *L, const struct json_t *value);
/* A new reference to the value at index, or NULL with err. */
struct json_t *lua_to_json(lua_State *L, int index, struct error *err);
/* remuda.array marks {} as a list: pushes the metatable that says so. */
void lua_push_array_mark(lua_State *L);
int lua_json_encode(lua_State *L);	/* (value, pretty) -> text */
int lua_json_decode(lua_State *L);	/* (text) -> value */
int lua_bytes(lua_State *L);		/* guest's bytes out of their text */

/* ---- the rest, a function that adds to the table on the top of the stack */

void lua_open_client(lua_State *L);	/* lua_client.c */
void lua_open_stream(lua_State *L);	/* lua_stream.c */
void lua_open_grammar(lua_State *L);	/* lua_grammar.c */
void lua_open_output(lua_State *L);	/* lua_output.c */

#endif
