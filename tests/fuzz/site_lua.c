/*
 * The site file's text: it is a site, and then the engine's reader takes the
 * JSON made of it; or it is refused with a place and a text.  A count hook
 * stands in for the role's clock.
 */
#include <jansson.h>
#include <lauxlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/loop/site.h"
#include "engine/rules/declare.h"
#include "engine/rules/sandbox.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 100000, MEMORY_MAX = 16 << 20 };

static int no_module(struct sandbox *sb, const char *name, char **text,
		     size_t *length, char *file, size_t file_size)
{
	(void)sb, (void)name, (void)text, (void)length, (void)file,
		(void)file_size;
	return 0;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	luaL_error(L, "too long");
}

static json_t *evaluate(struct sandbox *sb, const char *text, size_t length)
{
	sb->module = no_module;
	sb->loading = true;
	lua_pushcfunction(sb->L, declare_open);
	FUZZ_CHECK(sandbox_call(sb, 0, 0) == 0);
	lua_sethook(sb->L, on_count, LUA_MASKCOUNT, STEPS_MAX);
	if (sandbox_compile(sb, text, length, "site.lua") < 0 ||
	    sandbox_call(sb, 0, 0) < 0)
		return NULL;
	return declare_finish(sb, "abc", "site.lua");
}

/* Patterns backtrack without bound inside one call: the role's clock ends
 * that, a hook cannot. */
static bool has_patterns(const uint8_t *bytes, size_t length)
{
	static const char *const words[] = { "find", "match", "gsub", "rep" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(bytes, length, words[i], strlen(words[i])))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct sandbox sb;

	if (has_patterns(bytes, length))
		return 0;
	FUZZ_CHECK(sandbox_init(&sb, MEMORY_MAX));
	json_t *site = evaluate(&sb, (const char *)bytes, length);
	if (site) {
		struct site_spec spec;
		struct error err = { "" };
		char *text = json_dumps(site, JSON_COMPACT);

		FUZZ_CHECK(text);
		if (site_decode(text, strlen(text), &spec, &err) < 0) {
			fprintf(stderr, "%s\n%s\n", err.text, text);
			abort();
		}
		site_spec_fini(&spec);
		free(text);
		json_decref(site);
	} else {
		FUZZ_CHECK(sb.failure.set && sb.failure.text[0]);
	}
	lua_close(sb.L);
	return 0;
}
