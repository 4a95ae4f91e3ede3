/*
 * The Lua sandbox; see sandbox.h.
 *
 * Owner: the zygote and its children (rules.h).  Taken away: everything that
 * reaches outside (io, os, package, debug, dofile, loadfile, print), bytecode
 * (string.dump, load of anything but text: flipped bytes crash Lua 5.4),
 * __gc (runs where no hook looks), collectgarbage, random numbers (children
 * would share a seed).  Reading an undefined global is an error with the
 * nearest name, because a misspelt statement must not be a silent nil.
 *
 * Not guaranteed: that Lua stops.  Patterns, pcall loops and message handlers
 * escape every count hook, so time is the parent's matter.
 */
#include "engine/rules/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/text.h"
#include "engine/rules/rules.h"

/* The error value of a failure that sb->failure already tells. */
static const char failure_mark;

static const struct {
	const char *name, *hint;
} taken[] = {
	{ "io", "rules have no files; use machine:write or machine:exec in a hook" },
	{ "os", "rules have no processes; use machine:exec in a hook" },
	{ "print", "use machine:log(text) in a hook" },
	{ "debug", NULL },
	{ "package", "use require \"folder.module\"" },
	{ "dofile", "use require \"folder.module\"" },
	{ "loadfile", "use require \"folder.module\"" },
	{ "collectgarbage", NULL },
	{ "warn", "use machine:log(text) in a hook" },
	{ "log", "use machine:log(text) in a hook" },
	{ "sleep", "call it in a hook" },
};

static void *count_alloc(void *arg, void *ptr, size_t old_size, size_t size)
{
	struct sandbox *sb = arg;

	if (!ptr)
		old_size = 0;	/* then it is a type tag */
	if (size == 0) {
		free(ptr);
		sb->used -= old_size;
		return NULL;
	}
	if (size > old_size && size - old_size > sb->limit - sb->used)
		return NULL;
	void *fresh = realloc(ptr, size);
	if (!fresh)
		return NULL;
	sb->used += size - old_size;
	return fresh;
}

struct sandbox *sandbox_of(lua_State *L)
{
	struct sandbox *sb;

	memcpy(&sb, lua_getextraspace(L), sizeof(sb));
	return sb;
}

static void source_file(const lua_Debug *ar, struct place *p)
{
	const char *file = ar->source;

	if (*file == '@' || *file == '=')
		file++;
	text_copy(p->file, sizeof(p->file), file);
	p->line = ar->currentline;
}

struct place sandbox_place(lua_State *L, int level)
{
	struct place p = { .line = 0 };
	lua_Debug ar;

	for (; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0)
			continue;
		source_file(&ar, &p);
		break;
	}
	return p;
}

_Noreturn void sandbox_fail(lua_State *L, const struct place *place,
			    const char *hint, const char *fmt, ...)
{
	struct sandbox *sb = sandbox_of(L);
	struct failure f = { .set = true };
	va_list ap;

	f.place = place ? *place : sandbox_place(L, 1);
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	text_copy(f.hint, sizeof(f.hint), hint ? hint : "");
	if (sb->loading) {
		if (!sb->failure.set)
			sb->failure = f;
		sandbox_raise(L);
	}
	lua_pushfstring(L, "%s:%d: %s%s%s", f.place.file, f.place.line, f.text,
			*f.hint ? "; " : "", f.hint);
	lua_error(L);
	abort();
}

_Noreturn void sandbox_raise(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&failure_mark);
	lua_error(L);
	abort();
}

/* Strips "NAME:LINE: " from the text when it is there; returns the rest. */
static const char *without_place(const char *text, const char *name, int line)
{
	char prefix[PLACE_FILE_SIZE + 32];
	int n = snprintf(prefix, sizeof(prefix), "%s:%d: ", name, line);

	if (n < 0 || (size_t)n >= sizeof(prefix) ||
	    strncmp(text, prefix, (size_t)n) != 0)
		return NULL;
	return text + n;
}

/*
 * The message handler: finds the place while the stack still stands.  The
 * level whose position the text begins with wins (error(text, 2) names its
 * caller), else the innermost Lua line.
 */
static int on_error(lua_State *L)
{
	struct sandbox *sb = sandbox_of(L);
	struct failure f = { .set = true };
	const char *text = lua_tostring(L, 1);
	lua_Debug ar;

	if (lua_islightuserdata(L, 1) &&
	    lua_touserdata(L, 1) == (const void *)&failure_mark)
		return 1;
	if (!text)
		text = lua_pushfstring(L, "error with a %s value",
				       luaL_typename(L, 1));
	f.place = sandbox_place(L, 1);
	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		struct place p;
		const char *rest;

		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0)
			continue;
		source_file(&ar, &p);
		rest = without_place(text, ar.short_src, ar.currentline);
		if (!rest)
			rest = without_place(text, p.file, p.line);
		if (!rest)
			continue;
		f.place = p;
		text = rest;
		break;
	}
	text_copy(f.text, sizeof(f.text), text);
	if (!sb->failure.set || !sb->loading)
		sb->failure = f;
	return 1;
}

int sandbox_call(struct sandbox *sb, int nargs, int nresults)
{
	lua_State *L = sb->L;
	int base = lua_gettop(L) - nargs;

	lua_pushcfunction(L, on_error);
	lua_insert(L, base);
	int status = lua_pcall(L, nargs, nresults, base);
	lua_remove(L, base);
	if (status == LUA_OK && !(sb->loading && sb->failure.set))
		return 0;
	if (status == LUA_ERRMEM && !sb->failure.set) {
		sb->failure.set = true;
		snprintf(sb->failure.text, sizeof(sb->failure.text),
			 "not enough memory: Lua may use %zu MiB here",
			 sb->limit >> 20);
	} else if (status == LUA_ERRERR && !sb->failure.set) {
		sb->failure.set = true;
		TEXT_SET(sb->failure.text, "an error inside an error handler");
	}
	return -1;
}

void sandbox_describe(const struct sandbox *sb, char *out, size_t out_size)
{
	const struct failure *f = &sb->failure;

	if (f->place.line > 0)
		snprintf(out, out_size, "%s:%d: %s", f->place.file,
			 f->place.line, f->text);
	else
		snprintf(out, out_size, "%s", f->text);
}

int sandbox_compile(struct sandbox *sb, const char *text, size_t length,
		    const char *file)
{
	char chunk[PLACE_FILE_SIZE + 1];

	snprintf(chunk, sizeof(chunk), "@%s", file);
	int status = luaL_loadbufferx(sb->L, text, length, chunk, "t");
	if (status == LUA_OK)
		return 0;
	/* "short name:LINE: text near 'x'" */
	const char *message = lua_tostring(sb->L, -1), *colon = message;
	struct failure f = { .set = true };

	TEXT_SET(f.place.file, file);
	while (colon && (colon = strchr(colon, ':'))) {
		char *end;
		long line = strtol(++colon, &end, 10);

		if (end == colon || strncmp(end, ": ", 2) != 0)
			continue;
		f.place.line = (int)line;
		message = end + 2;
		break;
	}
	if (length && *text == LUA_SIGNATURE[0])
		message = "this is compiled Lua; only Lua text is accepted";
	TEXT_SET(f.text, status == LUA_ERRMEM ? "not enough memory" : message);
	if (!sb->failure.set)
		sb->failure = f;
	lua_pop(sb->L, 1);
	return -1;
}

static size_t word_distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b);

	if (n >= 64 || strlen(a) >= 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

void sandbox_nearest(char *out, size_t out_size, const char *word,
		     const char *const *words)
{
	const char *best = NULL;
	size_t least = strlen(word) / 3 + 2;	/* farther is no likeness */

	for (; *words; words++) {
		size_t d = word_distance(word, *words);

		if (d < least) {
			least = d;
			best = *words;
		}
	}
	*out = '\0';
	if (best)
		snprintf(out, out_size, "did you mean '%s'?", best);
}

enum { NEAREST_MAX = 128 };

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The string keys of the table at index, sorted; words of Lua's. */
static void table_words(lua_State *L, int index,
			const char *words[NEAREST_MAX + 1])
{
	size_t n = 0;

	index = lua_absindex(L, index);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING && n < NEAREST_MAX)
			words[n++] = lua_tostring(L, -1);
	}
	qsort(words, n, sizeof(words[0]), compare_words);
	words[n] = NULL;
}

/* upvalue 1: title, "" for the globals */
static int strict_index(lua_State *L)
{
	const char *title = lua_tostring(L, lua_upvalueindex(1));
	const char *words[NEAREST_MAX + 1];
	char hint[128];

	if (lua_type(L, 2) != LUA_TSTRING) {
		lua_pushnil(L);
		return 1;
	}
	const char *word = lua_tostring(L, 2);
	for (size_t i = 0; !*title && i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(word, taken[i].name) == 0)
			sandbox_fail(L, NULL, taken[i].hint,
				     "'%s' is not available here", word);
	table_words(L, 1, words);
	sandbox_nearest(hint, sizeof(hint), word, words);
	if (*title)
		sandbox_fail(L, NULL, hint, "%s has no '%.60s'", title, word);
	sandbox_fail(L, NULL, hint, "'%.60s' is not defined", word);
}

static int strict_newindex(lua_State *L)
{
	const char *title = lua_tostring(L, lua_upvalueindex(1));

	sandbox_fail(L, NULL, NULL, "%s cannot be changed", title);
}

void sandbox_strict(lua_State *L, const char *title)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, title);
	lua_pushcclosure(L, strict_index, 1);
	lua_setfield(L, -2, "__index");
	if (*title) {
		lua_pushstring(L, title);
		lua_pushcclosure(L, strict_newindex, 1);
		lua_setfield(L, -2, "__newindex");
	}
	lua_pushliteral(L, "locked");
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

/* load with mode "t"; upvalue 1: Lua's own */
static int text_load(lua_State *L)
{
	if (lua_gettop(L) < 3)
		lua_settop(L, 3);
	lua_pushliteral(L, "t");
	lua_replace(L, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* setmetatable without finalisers; upvalue 1: Lua's own */
static int safe_setmetatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			sandbox_fail(L, NULL, "do it at the end of the hook",
				     "setmetatable: __gc is not allowed");
		lua_pop(L, 1);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static void wrap_global(lua_State *L, const char *name, lua_CFunction f)
{
	lua_getglobal(L, name);
	lua_pushcclosure(L, f, 1);
	lua_setglobal(L, name);
}

static void drop(lua_State *L, int index, const char *name)
{
	index = lua_absindex(L, index);
	lua_pushnil(L);
	lua_setfield(L, index, name);
}

static int open_libraries(lua_State *L)
{
	static const luaL_Reg libraries[] = {
		{ LUA_GNAME, luaopen_base }, { LUA_TABLIBNAME, luaopen_table },
		{ LUA_STRLIBNAME, luaopen_string },
		{ LUA_MATHLIBNAME, luaopen_math },
		{ LUA_UTF8LIBNAME, luaopen_utf8 },
		{ LUA_COLIBNAME, luaopen_coroutine },
	};

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
		lua_pop(L, 1);
	}
	/* luaL_requiref keeps a table of loaded libraries: nobody needs it. */
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_getglobal(L, LUA_STRLIBNAME);
	drop(L, -1, "dump");
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushliteral(L, "locked");
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 3);
	lua_getglobal(L, LUA_MATHLIBNAME);
	drop(L, -1, "random");
	drop(L, -1, "randomseed");
	lua_pop(L, 1);
	lua_pushglobaltable(L);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		drop(L, -1, taken[i].name);
	sandbox_strict(L, "");
	lua_pop(L, 1);
	wrap_global(L, "load", text_load);
	wrap_global(L, "setmetatable", safe_setmetatable);
	sandbox_open_require(L);
	sandbox_open_pairs(L);
	return 0;
}

bool sandbox_init(struct sandbox *sb, size_t limit)
{
	sb->used = 0;
	sb->limit = limit;
	sb->failure.set = false;
	sb->module_count = 0;
	sb->L = lua_newstate(count_alloc, sb);
	if (!sb->L)
		return false;
	memcpy(lua_getextraspace(sb->L), &sb, sizeof(sb));
	lua_pushcfunction(sb->L, open_libraries);
	return lua_pcall(sb->L, 0, 0, 0) == LUA_OK;
}
