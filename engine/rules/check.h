/*
 * What the checks over the whole site share (check*.c): reading the JSON that
 * the fields made, and refusing with the place of a statement.
 */
#ifndef REMUDA_RULES_CHECK_H
#define REMUDA_RULES_CHECK_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

#include "engine/base/text.h"
#include "engine/rules/sandbox.h"

/* "" when there is no such field. */
static inline const char *text_of(const json_t *o, const char *field)
{
	const char *text = json_string_value(json_object_get(o, field));

	return text ? text : "";
}

/* 0 when there is no such field. */
static inline long long count_of(const json_t *o, const char *field)
{
	return json_integer_value(json_object_get(o, field));
}

static inline bool has(const json_t *o, const char *field)
{
	return json_object_get(o, field) != NULL;
}

static inline struct place place_of(const json_t *o)
{
	struct place p = { .line = (int)count_of(o, "line") };

	TEXT_SET(p.file, text_of(o, "file"));
	return p;
}

/* Raises `KIND "NAME": TEXT` at the place of o. */
#define FAULT(L, kind, o, hint, fmt, ...)                                      \
	do {                                                                   \
		struct place fault_place = place_of(o);                        \
		sandbox_fail(L, &fault_place, hint, "%s \"%s\": " fmt, kind,   \
			     text_of(o, "name"), ##__VA_ARGS__);               \
	} while (0)

/* Is the name in the list, or is that "*"? */
bool check_holds(const json_t *names, const char *name);
/* The object of that name in a list of the site, or an error for o with the
 * nearest one. */
json_t *check_need(lua_State *L, const json_t *site, const char *kind,
		   const json_t *o, const char *list, const char *what,
		   const char *name);

/* check.c: of what machines are made; fills in vcpus and memory. */
void check_machine(lua_State *L, const char *kind, json_t *o);

/* check_place.c */
void check_host(lua_State *L, json_t *site, json_t *o);
/* Where machines may be made; fills in host, hosts, labels, sites. */
void check_placement(lua_State *L, json_t *site, const char *kind, json_t *o);

/* check_cluster.c; hosts, applications and pools are checked before. */
void check_cluster(lua_State *L, json_t *site, json_t *o);
void check_rule(lua_State *L, json_t *site, json_t *o);

#endif
