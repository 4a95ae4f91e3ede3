/*
 * pairs() of the sandbox: keys in an order that is always the same, truth values,
 * numbers, then texts; see sandbox.h.
 *
 * Lua's own order comes from a seed made of addresses and the clock: a rule that
 * walks a table would wish one thing today and another thing after a restart, from
 * the same inputs.  The keys are those there are when the loop begins; one whose
 * value has gone meanwhile is left out.
 *
 * Not guaranteed: an order of keys that are tables or functions, nor of next().
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rules/sandbox.h"

struct key {
	int type;
	lua_Number number;
	const char *text;
	size_t length;
	lua_Integer place;	/* in the list of keys as Lua gave them */
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	size_t shorter = x->length < y->length ? x->length : y->length;
	int by_text;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	by_text = shorter ? memcmp(x->text, y->text, shorter) : 0;
	if (by_text || x->length != y->length)
		return by_text ? by_text : x->length < y->length ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

/* Pushes the list of the keys of the table at 1, sorted. */
static void push_keys(lua_State *L)
{
	lua_Integer count = 0;

	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, 1); count++) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_rawseti(L, 2, count + 1);
	}
	/* Lua's memory: freed when this raises. */
	struct key *keys = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof(*keys), 0);
	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, 2, i + 1);
		keys[i] = (struct key){ .type = lua_type(L, -1), .place = i + 1 };
		if (keys[i].type == LUA_TNUMBER)
			keys[i].number = lua_tonumber(L, -1);
		else if (keys[i].type == LUA_TBOOLEAN)
			keys[i].number = lua_toboolean(L, -1);
		else if (keys[i].type == LUA_TSTRING)
			keys[i].text = lua_tolstring(L, -1, &keys[i].length);
		lua_pop(L, 1);
	}
	qsort(keys, (size_t)count, sizeof(*keys), compare_keys);
	lua_createtable(L, (int)count, 0);
	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, 2, keys[i].place);
		lua_rawseti(L, -2, i + 1);
	}
}

/* upvalues: the table, its keys, how many were given */
static int next_pair(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));

	lua_settop(L, 0);
	while (lua_rawgeti(L, lua_upvalueindex(2), ++at) != LUA_TNIL) {
		lua_pushvalue(L, -1);
		if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
			lua_pushinteger(L, at);
			lua_replace(L, lua_upvalueindex(3));
			return 2;
		}
		lua_settop(L, 0);
	}
	return 1;	/* nil */
}

static int ordered_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	push_keys(L);
	lua_pushvalue(L, 1);
	lua_insert(L, -2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, next_pair, 3);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

void sandbox_open_pairs(lua_State *L)
{
	lua_pushcfunction(L, ordered_pairs);
	lua_setglobal(L, "pairs");
}
