/*
 * JSON to Lua and back.  Integers stay integers; a list is a table with keys 1
 * to n, an empty one is told from an empty object by a metatable with "__list",
 * which decoding and remuda.array set.  A Lua text that is no UTF-8 is an error and
 * not changed silently.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "console/lua_internal.h"
#include "engine/base/error.h"
#include "engine/wire/control.h"

#define ARRAY_MARK "remuda.array"

enum { DEPTH_MAX = 64 };

void lua_push_array_mark(lua_State *L)
{
	if (!luaL_newmetatable(L, ARRAY_MARK))
		return;
	lua_pushboolean(L, 1);
	lua_setfield(L, -2, "__list");
}

static void push_list(lua_State *L, const json_t *list)
{
	size_t i;
	json_t *member;

	lua_createtable(L, (int)json_array_size(list), 0);
	json_array_foreach(list, i, member) {
		if (json_is_null(member))
			lua_pushboolean(L, 0);
		else
			lua_push_json(L, member);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_push_array_mark(L);
	lua_setmetatable(L, -2);
}

void lua_push_json(lua_State *L, const json_t *value)
{
	const char *key;
	json_t *member;

	luaL_checkstack(L, 8, "JSON");
	if (!value) {
		lua_pushnil(L);
		return;
	}
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		lua_createtable(L, 0, (int)json_object_size(value));
		json_object_foreach((json_t *)value, key, member) {
			lua_push_json(L, member);
			lua_setfield(L, -2, key);
		}
		return;
	case JSON_ARRAY:
		push_list(L, value);
		return;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(value),
				json_string_length(value));
		return;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(value));
		return;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(value));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(value));
		return;
	case JSON_NULL:
		lua_pushnil(L);
		return;
	}
}

static json_t *to_json(lua_State *L, int index, int depth, struct error *err);

static bool is_list(lua_State *L, int index)
{
	if (lua_rawlen(L, index) > 0)
		return true;
	if (luaL_getmetafield(L, index, "__list") == LUA_TNIL)
		return false;
	lua_pop(L, 1);
	return true;
}

static json_t *list_to_json(lua_State *L, int index, int depth,
			    struct error *err)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, index);
	json_t *list = json_array();

	for (lua_Integer i = 1; i <= count; i++) {
		json_t *member;

		lua_rawgeti(L, index, i);
		member = to_json(L, lua_gettop(L), depth + 1, err);
		lua_pop(L, 1);
		if (!member) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, member);
	}
	return list;
}

/* The key of next() at -2, without changing it in place. */
static int put_member(lua_State *L, json_t *object, int depth,
		      struct error *err)
{
	json_t *member;
	const char *key;

	if (lua_type(L, -2) != LUA_TSTRING)
		return error_set(err, "a key of a table is a %s: only texts, or 1 to n, can be JSON",
				 luaL_typename(L, -2));
	key = lua_tostring(L, -2);
	member = to_json(L, lua_gettop(L), depth + 1, err);
	if (!member)
		return -1;
	if (json_object_set_new(object, key, member))
		return error_set(err, "a key is not UTF-8 text");
	return 0;
}

static json_t *object_to_json(lua_State *L, int index, int depth,
			      struct error *err)
{
	json_t *object = json_object();

	lua_pushnil(L);
	while (lua_next(L, index)) {
		int rc = put_member(L, object, depth, err);

		lua_pop(L, 1);
		if (rc == 0)
			continue;
		lua_pop(L, 1);
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *number_to_json(lua_State *L, int index, struct error *err)
{
	lua_Number n = lua_tonumber(L, index);

	if (lua_isinteger(L, index))
		return json_integer(lua_tointeger(L, index));
	if (!isfinite(n)) {
		error_set(err, "a number that is not finite cannot be JSON");
		return NULL;
	}
	return json_real(n);
}

static json_t *to_json(lua_State *L, int index, int depth, struct error *err)
{
	size_t length;
	const char *text;
	json_t *value;

	if (depth > DEPTH_MAX) {
		error_set(err, "a table is nested deeper than %d, or in itself",
			  DEPTH_MAX);
		return NULL;
	}
	luaL_checkstack(L, 8, "JSON");
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		return json_null();
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(L, index));
	case LUA_TNUMBER:
		return number_to_json(L, index, err);
	case LUA_TSTRING:
		text = lua_tolstring(L, index, &length);
		value = json_stringn(text, length);
		if (!value)
			error_set(err, "a text is not UTF-8");
		return value;
	case LUA_TTABLE:
		return is_list(L, index)
			       ? list_to_json(L, index, depth, err)
			       : object_to_json(L, index, depth, err);
	}
	error_set(err, "a %s cannot be JSON", luaL_typename(L, index));
	return NULL;
}

json_t *lua_to_json(lua_State *L, int index, struct error *err)
{
	return to_json(L, lua_absindex(L, index), 0, err);
}

int lua_json_encode(lua_State *L)
{
	size_t flags = lua_toboolean(L, 2) ? JSON_INDENT(2) : JSON_COMPACT;
	struct error err = { "" };
	json_t *value = lua_to_json(L, 1, &err);
	char *text;

	if (!value)
		return lua_fail(L, "usage", err.text);
	text = json_dumps(value, flags | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	json_decref(value);
	if (!text)
		return lua_fail(L, "failed", "out of memory");
	lua_pushstring(L, text);
	free(text);
	return 1;
}

int lua_json_decode(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	json_error_t why;
	json_t *value = json_loadb(text, length,
				   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
				   &why);

	if (!value) {
		lua_pushfstring(L, "line %d: %s", why.line, why.text);
		return lua_fail(L, "usage", lua_tostring(L, -1));
	}
	lua_push_json(L, value);
	json_decref(value);
	return 1;
}

int lua_bytes(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	luaL_Buffer out;
	char *bytes = luaL_buffinitsize(L, &out, length + 1);
	ssize_t count = control_text_to_bytes(bytes, text, length);

	if (count < 0)
		return lua_fail(L, "failed", "the engine's answer is not the bytes of a guest");
	luaL_pushresultsize(&out, (size_t)count);
	return 1;
}
