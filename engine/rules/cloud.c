/*
 * cloud_init = { user_data = TEXT, network_config = TEXT, meta = { KEY = TEXT } }
 * of a pool: texts of many lines, kept as they are.  meta becomes lines of
 * YAML, each value in double quotes as JSON has them, sorted by key.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rules/declare.h"
#include "engine/rules/sandbox.h"
#include "engine/rules/schema.h"

enum { USER_DATA_MAX = 16383, OTHER_MAX = 2047, META_MAX = 32 };

static const char want[] = "write cloud_init = { user_data = [[#cloud-config\n"
			   "...]], meta = { KEY = \"TEXT\" } }";

/* The text on the top, of any characters but NUL. */
static const char *long_text(lua_State *L, const struct field_owner *o,
			     const char *name, size_t max)
{
	size_t length = 0;
	const char *text = lua_type(L, -1) == LUA_TSTRING ?
				   lua_tolstring(L, -1, &length) : NULL;
	json_t *value = text && strlen(text) == length ? json_string(text) : NULL;

	json_decref(value);
	if (!value || !length || length > max)
		sandbox_fail(L, o->place, want, "%s: 'cloud_init.%s' must be a text in UTF-8 of 1 to %zu bytes",
			     o->title, name, max);
	return text;
}

static bool key_ok(const char *key)
{
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n < 64 && !key[n] && strcmp(key, "instance-id") != 0 &&
	       strcmp(key, "local-hostname") != 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_line(lua_State *L, const struct field_owner *o, char *lines,
		     const char *key)
{
	size_t used = strlen(lines);
	json_t *value = json_string(lua_tostring(L, -1));
	char *quoted = json_dumps(value, JSON_ENCODE_ANY);
	int n = snprintf(lines + used, OTHER_MAX + 1 - used, "%s: %s\n", key,
			 quoted ? quoted : "");

	free(quoted);
	json_decref(value);
	if (n < 0 || used + (size_t)n > OTHER_MAX)
		sandbox_fail(L, o->place, NULL, "%s: 'cloud_init.meta' has more than %d bytes",
			     o->title, OTHER_MAX);
}

static void set_meta(lua_State *L, const struct field_owner *o)
{
	const char *keys[META_MAX];
	char lines[OTHER_MAX + 1] = "";
	size_t count = 0;

	if (!lua_istable(L, -1))
		sandbox_fail(L, o->place, want, "%s: 'cloud_init.meta' must be a table, not a %s",
			     o->title, luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ?
					  lua_tostring(L, -2) : "";

		if (count == META_MAX || !key_ok(key))
			sandbox_fail(L, o->place, "keys have letters, digits, _ and -; instance-id and local-hostname are written by Remuda",
				     "%s: 'cloud_init.meta' has a key that cannot be used, or more than %d",
				     o->title, META_MAX);
		long_text(L, o, "meta", OTHER_MAX);
		keys[count++] = key;
	}
	qsort(keys, count, sizeof(keys[0]), compare_keys);
	for (size_t i = 0; i < count; i++) {
		lua_getfield(L, -1, keys[i]);
		add_line(L, o, lines, keys[i]);
		lua_pop(L, 1);
	}
	if (count)
		json_object_set_new(o->out, "meta_data", json_string(lines));
}

void cloud_set(lua_State *L, const struct field_owner *o)
{
	if (!lua_istable(L, -1))
		sandbox_fail(L, o->place, want, "%s: 'cloud_init' must be a table, not a %s",
			     o->title, luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ?
					  lua_tostring(L, -2) : "";

		if (strcmp(key, "user_data") == 0)
			json_object_set_new(o->out, key, json_string(
				long_text(L, o, key, USER_DATA_MAX)));
		else if (strcmp(key, "network_config") == 0)
			json_object_set_new(o->out, key, json_string(
				long_text(L, o, key, OTHER_MAX)));
		else if (strcmp(key, "meta") == 0)
			set_meta(L, o);
		else
			sandbox_fail(L, o->place, want, "%s: 'cloud_init' has an unknown field",
				     o->title);
	}
	if (!json_object_get(o->out, "user_data"))
		sandbox_fail(L, o->place, want, "%s: 'cloud_init' needs user_data",
			     o->title);
}
