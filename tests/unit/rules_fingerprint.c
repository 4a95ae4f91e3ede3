/* Fingerprints of hooks: what changes them and what does not. */
#include "engine/rules/fingerprint.h"

#include <lauxlib.h>
#include <string.h>

#include "engine/rules/declare.h"
#include "engine/rules/sandbox.h"
#include "tests/tap.h"

/* The fingerprint of what the text returns, "error" when it does not run. */
static const char *of(const char *text)
{
	static char out[4][FINGERPRINT_SIZE];
	static int turn;
	char *mine = out[turn++ % 4];
	struct sandbox sb;

	if (!sandbox_init(&sb, 16 << 20))
		tap_bail("out of memory");
	sb.loading = true;
	lua_pushcfunction(sb.L, declare_open);
	if (sandbox_call(&sb, 0, 0) < 0)
		tap_bail("declare_open");
	memcpy(mine, "error", 6);
	if (sandbox_compile(&sb, text, strlen(text), "x.lua") == 0 &&
	    sandbox_call(&sb, 0, 1) == 0)
		fingerprint(sb.L, -1, mine);
	lua_close(sb.L);
	return mine;
}

static void same(const char *a, const char *b, const char *name)
{
	is_text(of(a), of(b), "the same: %s", name);
}

static void differ(const char *a, const char *b, const char *name)
{
	const char *x = of(a), *y = of(b);

	ok(strcmp(x, y) != 0 && strlen(x) == 32 && strlen(y) == 32,
	   "another one: %s", name);
}

int main(void)
{
	const char *plain = "return function(m) m:exec{ '/bin/a', 1 } end";

	same(plain, plain, "read twice");
	same(plain, "-- a comment\n\n\nreturn function(m)\n  m:exec{ '/bin/a', "
	     "1 } -- why\nend", "comments and lines");
	same(plain, "pool 'x' { serve = 3 }\nlocal y = 5\n"
	     "return function(m) m:exec{ '/bin/a', 1 } end",
	     "other statements of the site");
	differ(plain, "return function(m) m:exec{ '/bin/a', 2 } end",
	       "a constant");
	differ(plain, "return function(m) m:exec{ '/bin/b', 1 } end", "a text");
	differ("local v = '1' return function(m) m:log(v) end",
	       "local v = '2' return function(m) m:log(v) end", "an upvalue");
	differ("local v = 1 return function(m) m:log(v) end",
	       "local v = '1' return function(m) m:log(v) end", "its type");
	differ("local function h(m) m:log('1') end return function(m) h(m) end",
	       "local function h(m) m:log('2') end return function(m) h(m) end",
	       "a function it calls");
	differ("function help(m) m:log('1') end return function(m) help(m) end",
	       "function help(m) m:log('2') end return function(m) help(m) end",
	       "a global function of the site");
	same("local t = { a = 1, b = 2, c = 3, 7, 8 } return function() return t end",
	     "local t = { 7, 8, c = 3, b = 2, a = 1 } return function() return t end",
	     "a table in another order");
	differ("local t = { 7, 8 } return function() return t end",
	       "local t = { 8, 7 } return function() return t end",
	       "a list in another order");
	same("local t = {} t.t = t local function f() return t, f end return f",
	     "local t = {} t.t = t local function f() return t, f end return f",
	     "cycles end");
	ok(strcmp(of("local t = {} for i = 1, 1000 do t = { t } end return t"),
		  "error") != 0, "depth is bounded");
	return tap_done();
}
