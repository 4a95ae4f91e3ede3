/*
 * Values of a cluster's fields: its virtual address, and tables within a
 * statement, which have fields like the statement itself; see declare.h.
 */
#include <arpa/inet.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rules/declare.h"
#include "engine/rules/field.h"
#include "engine/rules/sandbox.h"
#include "engine/rules/schema.h"

enum { ENTRIES_MAX = 100 };

/* "24" of "10.0.0.50/24": 1 to max, 0 for anything else. */
static long prefix_of(const char *text, long max)
{
	char *end;
	long n = *text >= '1' && *text <= '9' ? strtol(text, &end, 10) : 0;

	return n > 0 && n <= max && !*end ? n : 0;
}

/* Nobody, a group, of one link only, or IPv4 in IPv6's clothes. */
static bool is_special(int family, const unsigned char *b)
{
	static const unsigned char zero[16], mapped[12] = { [10] = 0xff, 0xff };

	if (family == AF_INET)
		return b[0] == 0 || b[0] >= 224;
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
	       memcmp(b, zero, 16) == 0 || memcmp(b, mapped, 12) == 0;
}

/* Behind the prefix there is a host: not the network itself, for IPv4 not
 * everybody in it. */
static bool is_host(int family, const unsigned char *b, long prefix)
{
	int bits = family == AF_INET ? 32 : 128;
	bool zero = true, ones = true;

	for (long i = prefix; i < bits; i++) {
		bool one = b[i / 8] >> (7 - i % 8) & 1;

		zero = zero && !one;
		ones = ones && one;
	}
	if (prefix >= bits - 1)
		return true;
	return !zero && (family == AF_INET6 || !ones);
}

/* As inet_ntop writes it, so that the same address is the same text. */
void field_set_vip(lua_State *L, const struct field_owner *o,
		   const struct field *f)
{
	static const char want[] = "the address of a host such as \"127.0.0.50\", "
				   "\"10.0.0.50/24\" or \"fd00::50/64\"";
	const char *text = field_plain_text(L, 63);
	char copy[64], ip[INET6_ADDRSTRLEN];
	unsigned char b[16];
	long prefix = 0;

	snprintf(copy, sizeof(copy), "%s", text ? text : "");
	char *slash = strchr(copy, '/');
	int family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	int bits = family == AF_INET ? 32 : 128;
	if (slash) {
		*slash = '\0';
		prefix = prefix_of(slash + 1, bits);
	}
	if ((slash && !prefix) || inet_pton(family, copy, b) != 1 ||
	    is_special(family, b) || (prefix && !is_host(family, b, prefix)))
		field_wrong(L, o, f, want);
	inet_ntop(family, b, ip, sizeof(ip));
	json_object_set_new(o->out, "ip", json_string(ip));
	json_object_set_new(o->out, "prefix", json_integer(prefix));
}

/* One table's fields into out, which is o's already. */
static void set_inner(lua_State *L, const struct field_owner *o,
		      const struct field *f, const char *title, json_t *out)
{
	struct field_owner inner = { .title = title, .name = o->name,
				     .place = o->place, .out = out };

	if (!lua_istable(L, -1))
		sandbox_fail(L, o->place, NULL, "%s must be a table { field = value, "
			     "... }, not a %s", title, luaL_typename(L, -1));
	luaL_checkstack(L, 8, NULL);
	declare_fields(L, lua_gettop(L), f->inner, &inner);
}

void field_set_table(lua_State *L, const struct field_owner *o,
		     const struct field *f)
{
	json_t *out = json_object();
	char title[160];

	json_object_set_new(o->out, f->name, out);
	snprintf(title, sizeof(title), "%s, %s", o->title, f->name);
	set_inner(L, o, f, title, out);
}

void field_set_entries(lua_State *L, const struct field_owner *o,
		       const struct field *f)
{
	size_t count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0, all = 0;
	json_t *list = json_array();
	char title[160];

	json_object_set_new(o->out, f->name, list);
	if (!lua_istable(L, -1))
		field_wrong(L, o, f, "a list of tables { { field = value, ... }, ... }");
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		all++;
	if (all != count || count > ENTRIES_MAX)
		sandbox_fail(L, o->place, NULL, "%s: '%s' must be a list of at most %d "
			     "tables { { field = value, ... }, ... }", o->title,
			     f->name, ENTRIES_MAX);
	for (size_t i = 1; i <= count; i++) {
		json_t *out = json_object();

		json_array_append_new(list, out);
		snprintf(title, sizeof(title), "%s, %s %zu", o->title,
			 f->inner->name, i);
		lua_rawgeti(L, -1, (lua_Integer)i);
		set_inner(L, o, f, title, out);
		lua_pop(L, 1);
	}
}
