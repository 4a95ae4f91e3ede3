/*
 * What the converters of fields share (field*.c).  A converter
 * reads the value on the stack's top, leaves it there, and raises on a bad one.
 */
#ifndef REMUDA_RULES_FIELD_H
#define REMUDA_RULES_FIELD_H

#include <lua.h>
#include <stddef.h>

struct field;
struct field_owner;

/* Raises `pool "mail": 'serve' must be WANT, not GOT`. */
_Noreturn void field_wrong(lua_State *L, const struct field_owner *o,
			   const struct field *f, const char *want);
/* The string on the top, printable UTF-8 and at most max bytes; else NULL. */
const char *field_plain_text(lua_State *L, size_t max);

void field_set_source(lua_State *L, const struct field_owner *o,
		      const struct field *f);
void field_set_proxies(lua_State *L, const struct field_owner *o,
		       const struct field *f);
void field_set_keys(lua_State *L, const struct field_owner *o,
		    const struct field *f);
void field_set_tls(lua_State *L, const struct field_owner *o,
		   const struct field *f);
void field_set_vip(lua_State *L, const struct field_owner *o,
		   const struct field *f);
void field_set_table(lua_State *L, const struct field_owner *o,
		     const struct field *f);
void field_set_entries(lua_State *L, const struct field_owner *o,
		       const struct field *f);

#endif
