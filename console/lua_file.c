/*
 * Lua files as data: see lua_file.h.  The one file of the console that knows
 * Lua; rules and hooks run elsewhere (engine/rules), with more care, because
 * what they read is not the person's own.
 */
#include "console/lua_file.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lualib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

enum { STEPS_MAX = 10 * 1000 * 1000, DEPTH_MAX = 6 };

static void on_count(lua_State *l, lua_Debug *d)
{
	(void)d;
	luaL_error(l, "it computes too long");
}

static int get_environment(lua_State *l)
{
	const char *value = getenv(luaL_checkstring(l, 1));

	if (value)
		lua_pushstring(l, value);
	else
		lua_pushnil(l);
	return 1;
}

static void open_language(lua_State *l)
{
	static const char *const gone[] = { "dofile", "loadfile", "load",
					    "require", "print" };

	luaL_requiref(l, "_G", luaopen_base, 1);
	luaL_requiref(l, "string", luaopen_string, 1);
	luaL_requiref(l, "table", luaopen_table, 1);
	luaL_requiref(l, "math", luaopen_math, 1);
	lua_settop(l, 0);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		lua_pushnil(l);
		lua_setglobal(l, gone[i]);
	}
	lua_newtable(l);
	lua_pushcfunction(l, get_environment);
	lua_setfield(l, -2, "getenv");
	lua_setglobal(l, "os");
}

static json_t *table_value(lua_State *l, int depth, struct error *err);

/* The value on top of the stack. */
static json_t *value_of(lua_State *l, int depth, struct error *err)
{
	size_t length;
	const char *text;

	switch (lua_type(l, -1)) {
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(l, -1));
	case LUA_TNUMBER:
		return lua_isinteger(l, -1) ?
		       json_integer(lua_tointeger(l, -1)) :
		       json_real(lua_tonumber(l, -1));
	case LUA_TSTRING:
		text = lua_tolstring(l, -1, &length);
		return json_stringn(text, length);
	case LUA_TTABLE:
		if (depth < DEPTH_MAX)
			return table_value(l, depth + 1, err);
		error_set(err, "tables in tables, too deep");
		return NULL;
	default:
		error_set(err, "a %s is no value here", luaL_typename(l, -1));
		return NULL;
	}
}

/* Keys that count from 1 become "1", "2": who wants a list looks for those. */
static json_t *table_value(lua_State *l, int depth, struct error *err)
{
	json_t *out = json_object();

	if (!lua_checkstack(l, 4))
		goto wrong;
	lua_pushnil(l);
	while (lua_next(l, -2)) {
		json_t *value = value_of(l, depth, err);
		const char *key;

		lua_pop(l, 1);
		lua_pushvalue(l, -1);	/* converting must not touch the key */
		key = lua_tostring(l, -1);
		if (!key || !value || json_object_set_new(out, key, value)) {
			if (!*err->text)
				error_set(err, "a key or a text is not UTF-8");
			lua_pop(l, 2);
			goto wrong;
		}
		lua_pop(l, 1);
	}
	return out;
wrong:
	json_decref(out);
	return NULL;
}

json_t *lua_file_read(const char *path, struct error *err)
{
	lua_State *l = luaL_newstate();
	json_t *out = NULL;
	struct error why = { "" };

	if (!l) {
		error_set(err, "%s: out of memory", path);
		return NULL;
	}
	open_language(l);
	lua_sethook(l, on_count, LUA_MASKCOUNT, STEPS_MAX);
	if (luaL_loadfilex(l, path, "t") || lua_pcall(l, 0, 1, 0))
		error_set(err, "%s", lua_tostring(l, -1));
	else if (!lua_istable(l, -1))
		error_set(err, "%s: it must end with  return { ... }", path);
	else if (!(out = table_value(l, 0, &why)))
		error_set(err, "%s: %s", path, why.text);
	lua_close(l);
	return out;
}
