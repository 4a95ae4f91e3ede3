/*
 * Connections to the engine for Lua: one call at a time, or lines as they
 * come.  A connection is a userdata; its end is the collector's at the latest.
 */
#include <jansson.h>
#include <string.h>

#include "console/client.h"
#include "console/lua_internal.h"
#include "console/paths.h"
#include "engine/base/error.h"

#define CLIENT_TYPE "remuda.client"

static struct client *check_client(lua_State *L)
{
	return luaL_checkudata(L, 1, CLIENT_TYPE);
}

static int fail_client(lua_State *L, const struct client *c,
		       const struct error *err)
{
	switch (c->trouble) {
	case CLIENT_TIMEOUT:
		return lua_fail(L, "timeout", err->text);
	case CLIENT_DENIED:
		return lua_fail(L, "read_only", err->text);
	case CLIENT_UNREACHABLE:
		return lua_fail(L, "unreachable", err->text);
	case CLIENT_INTERRUPTED:
		return lua_fail(L, "interrupted", err->text);
	case CLIENT_FINE:
	case CLIENT_PROTOCOL:
		break;
	}
	return lua_fail(L, "failed", err->text);
}

/* (socket or nil, site or nil, run_dir or nil, timeout_ms) -> client */
static int client_open(lua_State *L)
{
	const char *socket = luaL_optstring(L, 1, NULL);
	const struct paths_wish wish = {
		.site = luaL_optstring(L, 2, NULL),
		.run_dir = luaL_optstring(L, 3, NULL),
	};
	lua_Integer timeout_ms = luaL_checkinteger(L, 4);
	struct error err = { "" }, why = { "" };
	char found[PATHS_SIZE];
	struct paths paths;
	struct client *c;

	if (!socket && paths_init(&paths, &wish, &err))
		return lua_fail(L, "usage", err.text);
	if (!socket)
		socket = paths_client_socket(&paths, found, sizeof(found));
	c = lua_newuserdatauv(L, sizeof(*c), 0);
	client_init(c);
	c->stop = &lua_interrupted;
	luaL_setmetatable(L, CLIENT_TYPE);
	if (client_connect(c, socket, timeout_ms, &why) == 0)
		return 1;
	if (c->trouble != CLIENT_UNREACHABLE)
		return fail_client(L, c, &why);
	error_set(&err, "no engine answers at %s; start one with: remuda "
		  "engine start", socket);
	return lua_fail(L, "unreachable", err.text);
}

/* client:call(request, timeout_ms) -> answer */
static int client_ask(lua_State *L)
{
	struct client *c = check_client(L);
	lua_Integer timeout_ms = luaL_checkinteger(L, 3);
	struct error err = { "" };
	json_t *request = lua_to_json(L, 2, &err), *answer;

	if (!request)
		return lua_fail(L, "usage", err.text);
	c->trouble = CLIENT_FINE;
	answer = client_call(c, request, timeout_ms, &err);
	if (!answer)
		return fail_client(L, c, &err);
	if (json_is_true(json_object_get(answer, "ok"))) {
		lua_push_json(L, answer);
		json_decref(answer);
		return 1;
	}
	lua_fail_json(L, json_object_get(answer, "error"));
	json_decref(answer);
	return 2;
}

/* client:next(timeout_ms) -> line, or false when the time went by */
static int client_next(lua_State *L)
{
	struct client *c = check_client(L);
	lua_Integer timeout_ms = luaL_checkinteger(L, 2);
	struct error err = { "" };
	json_t *line;
	int got = client_wait(c, &line, timeout_ms, &err);

	if (got < 0)
		return fail_client(L, c, &err);
	if (got == 0) {
		lua_pushboolean(L, 0);
		return 1;
	}
	lua_push_json(L, line);
	json_decref(line);
	return 1;
}

/* client:alive(): is the engine still at the other end?  Lines that came
 * meanwhile are nobody's. */
static int client_alive(lua_State *L)
{
	struct client *c = check_client(L);
	json_t *line;
	int got = c->fd < 0 ? -1 : 1;

	while (got > 0 && (got = client_receive(c, &line, NULL)) > 0)
		json_decref(line);
	lua_pushboolean(L, got == 0);
	return 1;
}

static int client_hello(lua_State *L)
{
	lua_push_json(L, check_client(L)->hello);
	return 1;
}

static int client_end(lua_State *L)
{
	client_close(check_client(L));
	return 0;
}

void lua_open_client(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "call", client_ask },	  { "next", client_next },
		{ "alive", client_alive }, { "hello", client_hello },
		{ "close", client_end },  { "__gc", client_end },
		{ "__close", client_end }, { NULL, NULL },
	};

	luaL_newmetatable(L, CLIENT_TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	lua_pushcfunction(L, client_open);
	lua_setfield(L, -2, "open");
}
