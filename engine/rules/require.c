/*
 * require "folder.module" of the sandbox; see sandbox.h.
 *
 * Owner: the zygote while it evaluates.  Modules come from the engine by way of
 * sandbox.module; each is run once and its value kept.  Hooks get what was
 * loaded with the site file and nothing more, so a bundle is complete.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/text.h"
#include "engine/rules/rules.h"
#include "engine/rules/sandbox.h"

static const char modules_key, loading_mark;

static bool module_name_ok(const char *name)
{
	bool start = true;
	size_t n = 0;

	for (; name[n]; n++) {
		char c = name[n];
		bool word = (c >= 'a' && c <= 'z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-';

		if (!word && (c != '.' || start))
			return false;
		start = c == '.';
	}
	return !start && n <= 128;
}

static void load_module(lua_State *L, struct sandbox *sb, const char *name)
{
	char *text = NULL, path[PLACE_FILE_SIZE], file[PLACE_FILE_SIZE];
	size_t length = 0;

	if (++sb->module_count > RULES_MODULES_MAX)
		sandbox_fail(L, NULL, NULL, "more than %d modules",
			     RULES_MODULES_MAX);
	text_copy(path, sizeof(path), name);
	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	int found = sb->module(sb, name, &text, &length, file, sizeof(file));
	if (found <= 0) {
		char hint[PLACE_FILE_SIZE + 64];

		snprintf(hint, sizeof(hint), "put %s.lua beside the site file "
			 "or in the scripts folder", path);
		sandbox_fail(L, NULL, hint, "module '%s' was not found", name);
	}
	int bad = sandbox_compile(sb, text, length, file);
	free(text);
	if (bad)
		sandbox_raise(L);
}

/* require "folder.name": each module runs once */
static int sandbox_require(lua_State *L)
{
	struct sandbox *sb = sandbox_of(L);

	if (lua_type(L, 1) != LUA_TSTRING || lua_rawlen(L, 1) > 128 ||
	    !module_name_ok(lua_tostring(L, 1)))
		sandbox_fail(L, NULL, "write for example "
			     "require \"applications.mail\"",
			     "require needs the name of a module");
	const char *name = lua_tostring(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
	lua_pushvalue(L, 1);
	lua_rawget(L, -2);
	if (lua_islightuserdata(L, -1) &&
	    lua_touserdata(L, -1) == (const void *)&loading_mark)
		sandbox_fail(L, NULL, NULL, "module '%s' requires itself", name);
	if (!lua_isnil(L, -1))
		return 1;
	lua_pop(L, 1);
	if (!sb->loading)
		sandbox_fail(L, NULL, "write it at the top of the file",
			     "require \"%s\" must run when the site file "
			     "loads, not in a hook", name);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, (void *)&loading_mark);
	lua_rawset(L, -3);
	load_module(L, sb, name);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, 1);
	}
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, -4);
	return 1;
}

void sandbox_open_require(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &modules_key);
	lua_pushcfunction(L, sandbox_require);
	lua_setglobal(L, "require");
}
