/*
 * A rule from its inputs to its wish; see rule.h.
 *
 * Owner: the child of the zygote that runs this one rule.  The inputs are the
 * engine's words "nodes=2 cpu=87 cpu_history=80,82,90 cluster=payroll": whole
 * numbers become Lua's, lists with commas arrays (also of one, by a last comma, or
 * when the name ends in _history), everything else is a text.  What comes back is checked field by field; a wish that
 * is not understood whole is no wish.
 */
#include "engine/rules/rule.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/rules/declare.h"
#include "engine/rules/rules.h"
#include "engine/rules/sandbox.h"
#include "engine/wire/message.h"

enum { TEXT_BYTES_MAX = 199 };	/* of a reason */

static struct {
	int fd;
	struct place function;	/* where it is written */
	bool pool;		/* it is about a pool, else a cluster */
} run;

static void answer(struct message *m)
{
	struct error err;

	m->type = WIRE_TYPE_rule_done;
	if (wire_send(run.fd, m, &err) != 1)
		_exit(1);
}

static void answer_failed(const char *text)
{
	struct message m = { .rule_done = { .serve = -1, .spare = -1,
					    .text = slice_of(text) } };

	answer(&m);
}

/* ---- inputs ---------------------------------------------------------------- */

/* A whole number of at most 18 digits, or else the text itself. */
static void push_value(lua_State *L, const char *text, size_t length)
{
	size_t sign = length && *text == '-', digits = 0;

	while (sign + digits < length && text[sign + digits] >= '0' &&
	       text[sign + digits] <= '9')
		digits++;
	if (digits && sign + digits == length && digits <= 18)
		lua_pushinteger(L, strtoll(text, NULL, 10));
	else
		lua_pushlstring(L, text, length);
}

static void push_list(lua_State *L, const char *text, size_t length)
{
	const char *end = text + length;

	lua_newtable(L);
	for (lua_Integer i = 1; text < end; i++) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		size_t n = (size_t)((comma ? comma : end) - text);

		push_value(L, text, n);
		lua_rawseti(L, -2, i);
		text += n + 1;
	}
}

static bool is_history(const char *name, size_t length)
{
	return length > 8 && memcmp(name + length - 8, "_history", 8) == 0;
}

/* Pushes the table of the words. */
static void push_inputs(lua_State *L, struct slice inputs)
{
	const char *at = inputs.ptr, *end = at + inputs.length;

	lua_newtable(L);
	while (at < end) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		size_t n = (size_t)((blank ? blank : end) - at);
		const char *equals = memchr(at, '=', n);

		if (n && (!equals || equals == at))
			sandbox_fail(L, &run.function, NULL, "its inputs cannot be "
				     "read: \"%.*s\"", n > 60 ? 60 : (int)n, at);
		if (n) {
			const char *value = equals + 1;
			size_t length = (size_t)(at + n - value);
			size_t name = (size_t)(equals - at);

			lua_pushlstring(L, at, name);
			if (memchr(value, ',', length) || is_history(at, name))
				push_list(L, value, length);
			else
				push_value(L, value, length);
			lua_rawset(L, -3);
		}
		at += n + 1;
	}
}

/* ---- wishes ---------------------------------------------------------------- */

static const struct wish {
	const char *name;
	int64_t low, high;
	bool pool;	/* of a pool's rule, else of a cluster's */
} wishes[] = {
	{ "nodes", 1, 64, false }, { "vcpus", 1, 256, false },
	{ "memory", 16, 4 << 20, false }, { "serve", 0, 10000, true },
	{ "spare", 0, 10000, true },
};
enum { WISHES = sizeof(wishes) / sizeof(wishes[0]) };

/* What was written, for a refusal. */
static const char *shown(lua_State *L, char *out, size_t size)
{
	size_t length;
	char text[64];

	if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER) {
		snprintf(out, size, "a %s", luaL_typename(L, -1));
		return out;
	}
	bool number = lua_type(L, -1) == LUA_TNUMBER;
	lua_pushvalue(L, -1);
	const char *value = lua_tolstring(L, -1, &length);
	text_display(text, sizeof(text), value, length);
	lua_pop(L, 1);
	snprintf(out, size, number ? "%s" : "\"%s\"", text);
	return out;
}

/* The number on top. */
static int64_t take_number(lua_State *L, const struct wish *w)
{
	bool memory = strcmp(w->name, "memory") == 0;
	int whole = 0;
	int64_t n = 0;
	char got[80];

	if (lua_type(L, -1) == LUA_TNUMBER)
		n = lua_tointegerx(L, -1, &whole);
	else if (memory && lua_type(L, -1) == LUA_TSTRING &&
		 strlen(lua_tostring(L, -1)) == lua_rawlen(L, -1))
		whole = text_parse_memory_mib(lua_tostring(L, -1), &n, NULL) == 0;
	if (!whole || n < w->low || n > w->high)
		sandbox_fail(L, &run.function, memory ? "a text such as \"2 GiB\" is "
			     "good too" : NULL, "it wishes %s = %s: write a whole "
			     "number from %lld to %lld%s", w->name,
			     shown(L, got, sizeof(got)), (long long)w->low,
			     (long long)w->high, memory ? " MiB" : "");
	return n;
}

/* Refuses what no wish is called. */
static void refuse_keys(lua_State *L)
{
	static const char *const words[] = { "nodes", "vcpus", "memory", "serve",
					     "spare", "why", NULL };
	const char *worst = NULL;
	char hint[128], word[64];

	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			sandbox_fail(L, &run.function, "write { nodes = 3, why = \"...\" }",
				     "it returned a list");
		const char *key = lua_tostring(L, -2);
		size_t i = 0;

		while (words[i] && strcmp(words[i], key) != 0)
			i++;
		/* The first in byte order: Lua's own differs from run to run. */
		if (!words[i] && (!worst || strcmp(key, worst) < 0))
			worst = key;
	}
	if (!worst)
		return;
	sandbox_nearest(hint, sizeof(hint), worst, words);
	text_display(word, sizeof(word), worst, strlen(worst));
	sandbox_fail(L, &run.function, hint, "nothing can be wished by the name '%s'",
		     word);
}

static void take_wishes(lua_State *L, int64_t out[WISHES])
{
	for (int i = 0; i < WISHES; i++) {
		const struct wish *w = &wishes[i];

		lua_pushstring(L, w->name);
		if (lua_rawget(L, 1) != LUA_TNIL) {
			if (w->pool != run.pool)
				sandbox_fail(L, &run.function, run.pool ?
					     "wish serve and spare" :
					     "wish nodes, vcpus and memory",
					     "it wishes '%s', which a %s has not",
					     w->name, run.pool ? "pool" : "cluster");
			out[i] = take_number(L, w);
		}
		lua_pop(L, 1);
	}
}

/* The one result: nil, or a table of wishes. */
static int judge(lua_State *L)
{
	int64_t n[WISHES] = { 0, 0, 0, -1, -1 };
	char why[TEXT_BYTES_MAX + 1] = "";
	struct message m = { .rule_done = { .ok = 1 } };

	if (!lua_isnil(L, 1)) {
		if (!lua_istable(L, 1))
			sandbox_fail(L, &run.function, "write return { nodes = 3, why = "
				     "\"...\" }, or return nil for no wish",
				     "it returned a %s", luaL_typename(L, 1));
		refuse_keys(L);
		take_wishes(L, n);
		lua_pushliteral(L, "why");
		int type = lua_rawget(L, 1);
		if (type != LUA_TNIL && type != LUA_TSTRING)
			sandbox_fail(L, &run.function, NULL, "'why' must be a text, not "
				     "a %s", luaL_typename(L, -1));
		if (type == LUA_TSTRING)
			text_display(why, sizeof(why), lua_tostring(L, -1),
				     lua_rawlen(L, -1));
	}
	m.rule_done = (struct wire_rule_done){
		.ok = 1, .nodes = (uint32_t)n[0], .vcpus = (uint32_t)n[1],
		.memory_mib = (uint64_t)n[2], .serve = n[3], .spare = n[4],
		.text = slice_of(why) };
	answer(&m);
	return 0;
}

/* Protected; argument: struct wire_rule_run */
static int run_protected(lua_State *L)
{
	const struct wire_rule_run *r = lua_touserdata(L, 1);
	char name[64], text[128];
	lua_Debug ar;

	text_copy_slice(name, sizeof(name), r->name);
	declare_push_rule(L, name, &run.pool);
	if (lua_isnil(L, -1)) {
		snprintf(text, sizeof(text), "there is no rule \"%s\"", name);
		answer_failed(text);
		return 0;
	}
	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &ar);
	text_copy(run.function.file, sizeof(run.function.file), ar.source + 1);
	run.function.line = ar.linedefined;
	push_inputs(L, r->inputs);
	lua_call(L, 1, 1);
	lua_pushcfunction(L, judge);
	lua_insert(L, -2);
	lua_call(L, 1, 0);
	return 0;
}

void rule_run_child(struct sandbox *sb, int fd, const struct message *m)
{
	char text[1200];

	run.fd = fd;
	sb->loading = false;
	sb->failure.set = false;
	sb->limit = sb->used + RULES_MEMORY;
	lua_settop(sb->L, 0);
	lua_pushcfunction(sb->L, run_protected);
	lua_pushlightuserdata(sb->L, (void *)&m->rule_run);
	if (sandbox_call(sb, 1, 0) == 0)
		return;
	sandbox_describe(sb, text, sizeof(text));
	answer_failed(text);
}
