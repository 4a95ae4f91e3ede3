/*
 * A Lua file that returns a table, as data: console.lua and keys.lua.  It is
 * the person's own, so it may compute; it has the language and os.getenv, and
 * ends when it computes too long.  Strings, numbers, booleans and tables of them
 * come out, functions do not.
 */
#ifndef REMUDA_CONSOLE_LUA_FILE_H
#define REMUDA_CONSOLE_LUA_FILE_H

struct error;
struct json_t;

/* A new reference to an object; NULL with the reason, which begins with file
 * and line. */
struct json_t *lua_file_read(const char *path, struct error *err);

#endif
