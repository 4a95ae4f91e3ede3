/*
 * Fingerprints of functions; see fingerprint.h.
 *
 * Owner: the zygote while it evaluates.  Two FNV-1a sums with different starts
 * make 128 bits: enough against chance; nobody gains by a collision, the site
 * file is the operator's own.  Values are walked depth first, tables in the
 * order of their sorted keys; what was met before counts as its number, so
 * cycles end.  Functions of C are of the program and count as themselves.
 */
#include "engine/rules/fingerprint.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 100 };

struct sum {
	lua_State *L;
	uint64_t a, b;
	int seen;		/* stack index: value -> its number */
	lua_Integer met;
};

static void add(struct sum *s, const void *bytes, size_t length)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < length; i++) {
		s->a = (s->a ^ p[i]) * 0x100000001b3ULL;
		s->b = (s->b ^ p[i]) * 0x100000001b3ULL;
	}
}

static void add_word(struct sum *s, const char *word)
{
	add(s, word, strlen(word) + 1);
}

struct dump {
	unsigned char *bytes;
	size_t length;
};

static int keep_dump(lua_State *L, const void *bytes, size_t length, void *arg)
{
	struct dump *d = arg;
	unsigned char *grown = realloc(d->bytes, d->length + length);

	(void)L;
	if (!grown)
		return 1;
	d->bytes = grown;
	memcpy(grown + d->length, bytes, length);
	d->length += length;
	return 0;
}

/*
 * Lua 5.4's dump of a stripped function still says at which lines it and those
 * inside it begin and end.  A cursor walks the dump and adds all the rest.
 */
struct cursor {
	struct sum *s;
	const unsigned char *at, *end;
	bool bad;
};

static void take(struct cursor *c, size_t length)
{
	if (c->bad || length > (size_t)(c->end - c->at)) {
		c->bad = true;
		return;
	}
	add(c->s, c->at, length);
	c->at += length;
}

/* Seven bits a byte, the highest first; the last byte has its top bit set. */
static size_t number(struct cursor *c)
{
	size_t n = 0;

	while (!c->bad && c->at < c->end) {
		unsigned char b = *c->at++;

		n = n << 7 | (b & 0x7f);
		if (b & 0x80)
			return n;
	}
	c->bad = true;
	return 0;
}

static size_t take_number(struct cursor *c)
{
	size_t n = number(c);

	add(c->s, &n, sizeof(n));
	return n;
}

static void take_text(struct cursor *c)
{
	size_t n = take_number(c);	/* 0: none, else its length + 1 */

	take(c, n ? n - 1 : 0);
}

static void take_constants(struct cursor *c)
{
	for (size_t n = take_number(c); n > 0 && !c->bad; n--) {
		unsigned char type = c->at < c->end ? *c->at : 0xff;

		take(c, 1);
		switch (type & 0x0f) {
		case LUA_TNIL:
		case LUA_TBOOLEAN:
			break;
		case LUA_TNUMBER:
			take(c, 8);
			break;
		case LUA_TSTRING:
			take_text(c);
			break;
		default:
			c->bad = true;
		}
	}
}

static void take_proto(struct cursor *c)
{
	take_text(c);			/* source: none */
	number(c);			/* first line */
	number(c);			/* last line */
	take(c, 3);			/* parameters, varargs, stack */
	size_t n = take_number(c);
	take(c, n > SIZE_MAX / 4 ? SIZE_MAX : 4 * n);	/* code */
	take_constants(c);
	n = take_number(c);
	take(c, n > SIZE_MAX / 3 ? SIZE_MAX : 3 * n);	/* upvalues */
	for (n = take_number(c); n > 0 && !c->bad; n--)
		take_proto(c);
	for (int i = 0; i < 4; i++)	/* lines and names: none */
		if (take_number(c))
			c->bad = true;
}

/* The code of the Lua function on top. */
static void add_code(struct sum *s)
{
	enum { HEADER = 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1 };
	struct dump d = { NULL, 0 };
	struct sum before = *s;

	if (lua_dump(s->L, keep_dump, &d, 1) != 0 || d.length <= HEADER) {
		free(d.bytes);
		luaL_error(s->L, "out of memory");
	} else {
		struct cursor c = { .s = s, .at = d.bytes + HEADER,
				    .end = d.bytes + d.length };

		take_proto(&c);
		/* Another Lua's dump: then lines count too. */
		if (c.bad || c.at != c.end) {
			*s = before;
			add(s, d.bytes, d.length);
		}
	}
	free(d.bytes);
}

/* True when the value on top was met before; then its number is added. */
static bool met_before(struct sum *s)
{
	lua_State *L = s->L;

	lua_pushvalue(L, -1);
	lua_rawget(L, s->seen);
	lua_Integer number = lua_tointeger(L, -1);
	lua_pop(L, 1);
	if (number) {
		add(s, &number, sizeof(number));
		return true;
	}
	lua_pushvalue(L, -1);
	lua_pushinteger(L, ++s->met);
	lua_rawset(L, s->seen);
	return false;
}

static void walk(struct sum *s, int depth);

/* A function on top. */
static void walk_function(struct sum *s, int depth)
{
	lua_State *L = s->L;

	if (lua_iscfunction(L, -1)) {
		add_word(s, "C");
		return;
	}
	add_code(s);
	for (int i = 1; lua_getupvalue(L, -1, i); i++) {
		walk(s, depth + 1);
		lua_pop(L, 1);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A table on top: the list part in order, then keys of text, sorted.  Keys of
 * other kinds are counted only. */
static void walk_table(struct sum *s, int depth)
{
	lua_State *L = s->L;
	int table = lua_gettop(L);
	size_t count = 0, other = 0, length = lua_rawlen(L, table);

	for (size_t i = 1; i <= length; i++) {
		lua_rawgeti(L, table, (lua_Integer)i);
		walk(s, depth + 1);
		lua_pop(L, 1);
	}
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		count += lua_type(L, -2) == LUA_TSTRING;
		other += lua_type(L, -2) != LUA_TSTRING;
	}
	/* Lua's memory: freed when this raises. */
	const char **keys = lua_newuserdatauv(L, (count + 1) * sizeof(*keys), 0);
	size_t n = 0;
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			keys[n++] = lua_tostring(L, -2);
	qsort(keys, n, sizeof(*keys), by_text);
	add(s, &other, sizeof(other));
	for (size_t i = 0; i < n; i++) {
		add_word(s, keys[i]);
		lua_pushstring(L, keys[i]);
		lua_rawget(L, table);
		walk(s, depth + 1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* The value on top; leaves the stack as it was. */
static void walk(struct sum *s, int depth)
{
	lua_State *L = s->L;
	int type = lua_type(L, -1);
	const char *text;
	size_t length;

	add_word(s, lua_typename(L, type));
	if (depth > DEPTH_MAX)
		return;
	luaL_checkstack(L, 8, "a value is nested too deeply");
	if (type == LUA_TFUNCTION || type == LUA_TTABLE) {
		if (met_before(s))
			return;
		if (type == LUA_TFUNCTION)
			walk_function(s, depth);
		else
			walk_table(s, depth);
	} else if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		lua_pushvalue(L, -1);
		text = lua_tolstring(L, -1, &length);
		add(s, text, length);
		add_word(s, "");
		lua_pop(L, 1);
	} else if (type == LUA_TBOOLEAN) {
		add_word(s, lua_toboolean(L, -1) ? "1" : "0");
	}
}

void fingerprint(lua_State *L, int index, char out[FINGERPRINT_SIZE])
{
	struct sum s = { .L = L, .a = 0xcbf29ce484222325ULL,
			 .b = 0x6c62272e07bb0142ULL };

	index = lua_absindex(L, index);
	lua_newtable(L);
	s.seen = lua_gettop(L);
	lua_pushvalue(L, index);
	walk(&s, 0);
	lua_pop(L, 2);
	snprintf(out, FINGERPRINT_SIZE, "%016llx%016llx",
		 (unsigned long long)s.a, (unsigned long long)s.b);
}
