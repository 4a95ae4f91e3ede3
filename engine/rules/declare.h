/*
 * Statements of the site file.  declare_open gives a sandbox the functions
 * site, host, application, pool, cluster, rule, ...; they only record.
 * declare_finish checks everything and makes the JSON that engine/rules/site.h
 * describes.
 */
#ifndef REMUDA_RULES_DECLARE_H
#define REMUDA_RULES_DECLARE_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

struct sandbox;
struct field;
struct place;
struct statement;

/* Called in protected mode. */
int declare_open(lua_State *L);

/* The checked site; NULL with sb->failure.  hash: of the bundle.  The
 * application's hooks stay in sb for declare_push_hook. */
json_t *declare_finish(struct sandbox *sb, const char *hash, const char *file);

/* Pushes the function of an application's hook, or nil. */
void declare_push_hook(lua_State *L, const char *application,
		       const char *hook);
/* Pushes the function of a rule, or nil; pool: it is about a pool. */
void declare_push_rule(lua_State *L, const char *rule, bool *pool);

/* What a field's value was written in. */
struct field_owner {
	const char *title;	/* `pool "mail"` */
	const char *name;	/* "mail" */
	const struct place *place;
	json_t *out;		/* the object to fill */
};

/* Fills owner->out from the table at that index, by a statement's fields. */
void declare_fields(lua_State *L, int body, const struct statement *s,
		    const struct field_owner *owner);

/* field.c: checks the value on the stack's top and sets it in owner->out.
 * Pops it. */
void field_set(lua_State *L, const struct field_owner *owner,
	       const struct field *field);

/* cloud.c: the value of cloud_init, on the stack's top. */
void cloud_set(lua_State *L, const struct field_owner *owner);

/* check.c: what needs more than one statement; raises on the first fault. */
void check_site(lua_State *L, json_t *site);

#endif
