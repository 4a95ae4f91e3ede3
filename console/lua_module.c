/*
 * The module's entrance: luaopen_remuda for a Lua that required it, and
 * lua_module_push for `remuda run`.  The parts of the API that are Lua are
 * compiled in, so that both halves are always of one version.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "console/cli_run.h"
#include "console/connect_wish.h"
#include "console/lua_internal.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#define EMBED(symbol, file)                                                    \
	__asm__(".pushsection .rodata\n"                                       \
		".global " #symbol "\n"                                        \
		".hidden " #symbol "\n"                                        \
		#symbol ":\n"                                                  \
		".incbin \"console/lua/" file "\"\n"                           \
		".byte 0\n"                                                    \
		".popsection\n");                                              \
	extern const char symbol[] __attribute__((visibility("hidden")))

EMBED(remuda_lua_ask, "ask.lua");
EMBED(remuda_lua_objects, "objects.lua");
EMBED(remuda_lua_verbs, "verbs.lua");
EMBED(remuda_lua_wait, "wait.lua");
EMBED(remuda_lua_time, "time.lua");
EMBED(remuda_lua_session, "session.lua");
EMBED(remuda_lua_output, "output.lua");

/* In this order: each finds what those before it left in S. */
static const char *const parts[] = {
	remuda_lua_ask,	 remuda_lua_objects, remuda_lua_verbs, remuda_lua_wait,
	remuda_lua_time, remuda_lua_session, remuda_lua_output,
};

/* As they are called in errors and tracebacks. */
#define CHUNK "=remuda"

volatile int lua_interrupted;

int lua_fail(lua_State *L, const char *code, const char *message)
{
	lua_pushnil(L);
	lua_createtable(L, 0, 2);
	lua_pushstring(L, code);
	lua_setfield(L, -2, "code");
	lua_pushstring(L, message);
	lua_setfield(L, -2, "message");
	return 2;
}

int lua_fail_json(lua_State *L, const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message =
		json_string_value(json_object_get(error, "message"));

	lua_fail(L, code ? code : "failed",
		 message ? message : "the engine refused and said no more");
	for (const char *const *key = (const char *const[]){ "object", "hint",
							     NULL };
	     *key; key++) {
		lua_push_json(L, json_object_get(error, *key));
		lua_setfield(L, -2, *key);
	}
	return 2;
}

/* Puts where the script stands into the error table at 1. */
static void add_place(lua_State *L)
{
	lua_Debug ar;

	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0 || strcmp(ar.source, CHUNK) == 0)
			continue;
		lua_pushstring(L, ar.short_src);
		lua_setfield(L, 1, "script");
		lua_pushinteger(L, ar.currentline);
		lua_setfield(L, 1, "line");
		return;
	}
}

/* raise{code=, message=}: as an error of the line that called the API */
static int raise_error(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	add_place(L);
	return lua_error(L);
}

/* sleep(ms): returns earlier when a signal came */
static int sleep_ms(lua_State *L)
{
	lua_Integer ms = luaL_checkinteger(L, 1);

	if (!lua_interrupted)
		poll(NULL, 0, ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms);
	if (lua_interrupted)
		return lua_fail(L, "interrupted", "interrupted");
	lua_pushboolean(L, 1);
	return 1;
}

/* Milliseconds of a clock that nobody sets. */
static int now_ms(lua_State *L)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	lua_pushinteger(L, (lua_Integer)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
	return 1;
}

/* Milliseconds since 1970. */
static int wall_ms(lua_State *L)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	lua_pushinteger(L, (lua_Integer)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
	return 1;
}

/* "30 s" or a number of seconds -> milliseconds */
static int duration(lua_State *L)
{
	struct error err = { "" };
	int64_t ms;

	if (lua_type(L, 1) == LUA_TNUMBER) {
		lua_pushinteger(L, (lua_Integer)(lua_tonumber(L, 1) * 1000));
		return 1;
	}
	if (text_parse_duration_ms(luaL_checkstring(L, 1), &ms, &err) < 0)
		return lua_fail(L, "usage", err.text);
	lua_pushinteger(L, ms);
	return 1;
}

int lua_module_exit_code(lua_State *L, int index)
{
	const char *code;
	int exit_code;

	if (!lua_istable(L, index))
		return CLI_FAILED;
	lua_getfield(L, index, "code");
	code = lua_tostring(L, -1);
	exit_code = code ? cli_exit_of(code) : CLI_FAILED;
	if (exit_code < 0)
		exit_code = connect_exit_code(code, !strcmp(code, "lost") ||
							    !strcmp(code, "stopped") ||
							    !strcmp(code, "machine_lost"));
	lua_pop(L, 1);
	return exit_code;
}

static int exit_code_of(lua_State *L)
{
	lua_pushinteger(L, lua_module_exit_code(L, 1));
	return 1;
}

static void push_core(lua_State *L, const struct lua_wish *wish)
{
	static const luaL_Reg functions[] = {
		{ "raise", raise_error },    { "sleep", sleep_ms },
		{ "now_ms", now_ms },	     { "duration_ms", duration },
		{ "wall_ms", wall_ms },
		{ "json", lua_json_encode }, { "json_decode", lua_json_decode },
		{ "bytes", lua_bytes },	     { "exit_code", exit_code_of },
		{ NULL, NULL },
	};

	lua_pushlightuserdata(L, (void *)wish->cli);
	lua_setfield(L, LUA_REGISTRYINDEX, "remuda.cli");
	luaL_newlib(L, functions);
	lua_open_client(L);
	lua_open_stream(L);
	lua_open_grammar(L);
	lua_open_output(L);
	lua_push_array_mark(L);
	lua_setfield(L, -2, "array_mark");
}

static void push_wish(lua_State *L, const struct lua_wish *wish)
{
	const struct {
		const char *key, *text;
	} texts[] = { { "socket", wish->socket }, { "site", wish->site },
		      { "run_dir", wish->run_dir } };
	const struct {
		const char *key;
		bool on;
	} switches[] = { { "dry_run", wish->dry_run },
			 { "read_only", wish->read_only },
			 { "yes", wish->yes }, { "verbose", wish->verbose },
			 { "json", wish->cli && wish->cli->output.format ==
							FORMAT_JSON } };

	lua_createtable(L, 0, 8);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		lua_pushstring(L, texts[i].text);
		lua_setfield(L, -2, texts[i].key);
	}
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		lua_pushboolean(L, switches[i].on);
		lua_setfield(L, -2, switches[i].key);
	}
	if (wish->timeout_ms) {
		lua_pushinteger(L, wish->timeout_ms);
		lua_setfield(L, -2, "timeout_ms");
	}
}

void lua_module_push(lua_State *L, const struct lua_wish *wish)
{
	lua_createtable(L, 0, 16);	/* S */
	push_core(L, wish);
	lua_getfield(L, -1, "grammar");
	lua_call(L, 0, 1);
	lua_setfield(L, -3, "grammar");
	lua_setfield(L, -2, "core");
	push_wish(L, wish);
	lua_setfield(L, -2, "wish");
	lua_createtable(L, 0, 64);
	lua_pushstring(L, REMUDA_VERSION);
	lua_setfield(L, -2, "version");
	lua_pushboolean(L, wish->dry_run);
	lua_setfield(L, -2, "dry_run");
	lua_setfield(L, -2, "remuda");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (luaL_loadbufferx(L, parts[i], strlen(parts[i]), CHUNK, "t"))
			lua_error(L);
		lua_pushvalue(L, -2);
		lua_call(L, 1, 0);
	}
	lua_getfield(L, -1, "remuda");
	lua_remove(L, -2);
}

int luaopen_remuda(lua_State *L);

__attribute__((visibility("default"))) int luaopen_remuda(lua_State *L)
{
	lua_module_push(L, &(struct lua_wish){ .cli = NULL });
	return 1;
}
