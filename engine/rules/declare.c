/*
 * Recording and finishing of site statements; see declare.h.
 *
 * Owner: the zygote while it evaluates.  `pool "mail"` records a statement
 * with its place and returns a function that takes the table of its fields, so
 * `pool "mail" { ... }` reads as one.  Nothing is checked at that time but what
 * needs the place: the order of statements in the file does not matter.
 *
 * The records live in the registry: a list of { kind, name, file, line, body }.
 * The JSON depends only on that list and on sorted keys, never on the order
 * of `pairs`.
 */
#include "engine/rules/declare.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"
#include "engine/rules/fingerprint.h"
#include "engine/rules/rules.h"
#include "engine/rules/sandbox.h"
#include "engine/rules/schema.h"
#include "engine/rules/site.h"

enum { R_KIND = 1, R_NAME, R_FILE, R_LINE, R_BODY };

static const char records_key, hooks_key;

static void record_place(lua_State *L, int record, struct place *p)
{
	record = lua_absindex(L, record);
	lua_rawgeti(L, record, R_FILE);
	text_copy(p->file, sizeof(p->file), lua_tostring(L, -1));
	lua_rawgeti(L, record, R_LINE);
	p->line = (int)lua_tointeger(L, -1);
	lua_pop(L, 2);
}

/* The second half of `pool "mail" { ... }`; upvalues: kind, name, record */
static int take_body(lua_State *L)
{
	const char *kind = lua_tostring(L, lua_upvalueindex(1));
	const char *name = lua_tostring(L, lua_upvalueindex(2));
	struct place p;

	record_place(L, lua_upvalueindex(3), &p);
	if (!lua_istable(L, 1))
		sandbox_fail(L, &p, NULL, "%s \"%.70s\": write %s \"%.70s\" "
			     "{ field = value, ... }", kind, name, kind, name);
	if (lua_rawgeti(L, lua_upvalueindex(3), R_BODY) != LUA_TNIL)
		sandbox_fail(L, NULL, NULL, "%s \"%.70s\" has its fields already",
			     kind, name);
	lua_pushvalue(L, 1);
	lua_rawseti(L, lua_upvalueindex(3), R_BODY);
	return 0;
}

static void refuse_double(lua_State *L, int records, const char *kind,
			  const char *name)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, records);

	for (lua_Integer i = 1; i <= count; i++) {
		struct place p;

		lua_rawgeti(L, records, i);
		lua_rawgeti(L, -1, R_KIND);
		lua_rawgeti(L, -2, R_NAME);
		bool same_kind = strcmp(lua_tostring(L, -2), kind) == 0;
		bool same_name = strcmp(lua_tostring(L, -1), name) == 0;
		lua_pop(L, 2);
		record_place(L, -1, &p);
		lua_pop(L, 1);
		if (same_kind && strcmp(kind, "site") == 0)
			sandbox_fail(L, NULL, NULL, "a second site statement; "
				     "the first is at %s:%d", p.file, p.line);
		if (same_kind && same_name)
			sandbox_fail(L, NULL, "give it another name",
				     "%s \"%s\" is already declared at %s:%d",
				     kind, name, p.file, p.line);
	}
}

/* Appends a record of that statement and name, placed at the caller's line;
 * leaves it on the stack. */
static void add_record(lua_State *L, const struct statement *s,
		       const char *name)
{
	struct place p = sandbox_place(L, 1);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &records_key);
	lua_createtable(L, R_BODY, 0);
	lua_pushstring(L, s->name);
	lua_rawseti(L, -2, R_KIND);
	lua_pushstring(L, name);
	lua_rawseti(L, -2, R_NAME);
	lua_pushstring(L, p.file);
	lua_rawseti(L, -2, R_FILE);
	lua_pushinteger(L, p.line);
	lua_rawseti(L, -2, R_LINE);
	lua_pushvalue(L, -1);
	lua_rawseti(L, -3, (lua_Integer)lua_rawlen(L, -3) + 1);
	lua_remove(L, -2);
}

/* `allow { ... }`: the whole statement at once, called rule-N. */
static int take_nameless(lua_State *L, const struct statement *s)
{
	char name[32];
	unsigned count = 1;

	if (!lua_istable(L, 1))
		sandbox_fail(L, NULL, NULL, "%s has no name: write %s "
			     "{ field = value, ... }", s->name, s->name);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &records_key);
	for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > 0; i--) {
		lua_rawgeti(L, -1, i);
		lua_rawgeti(L, -1, R_KIND);
		count += strcmp(lua_tostring(L, -1), s->name) == 0;
		lua_pop(L, 2);
	}
	snprintf(name, sizeof(name), "rule-%u", count);
	add_record(L, s, name);
	lua_pushvalue(L, 1);
	lua_rawseti(L, -2, R_BODY);
	return 0;
}

/* The first half; upvalue 1: struct statement */
static int take_name(lua_State *L)
{
	const struct statement *s = lua_touserdata(L, lua_upvalueindex(1));

	if (!sandbox_of(L)->loading)
		sandbox_fail(L, NULL, NULL, "'%s' is a statement of the site "
			     "file; a hook cannot declare", s->name);
	if (s->later)
		sandbox_fail(L, NULL, s->later,
			     "'%s' is not in this version yet", s->name);
	if (s->nameless)
		return take_nameless(L, s);
	if (lua_type(L, 1) != LUA_TSTRING)
		sandbox_fail(L, NULL, NULL, "%s needs a name first: write %s "
			     "\"NAME\" { ... }", s->name, s->name);
	const char *name = lua_tostring(L, 1);
	if (strlen(name) != lua_rawlen(L, 1) ||
	    !(s->user_name ? text_is_user(name) : text_is_name(name))) {
		char shown[80];

		text_display(shown, sizeof(shown), name, lua_rawlen(L, 1));
		sandbox_fail(L, NULL, s->user_name ?
			     "write letters, digits and _ . @ -, at most 63" :
			     "write small letters, digits and -, at most 63",
			     "\"%s\" cannot be the name of a %s", shown,
			     s->name);
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &records_key);
	int records = lua_gettop(L);
	refuse_double(L, records, s->name, name);
	add_record(L, s, name);
	lua_pushstring(L, s->name);
	lua_pushvalue(L, 1);
	lua_rotate(L, -3, 2);
	lua_pushcclosure(L, take_body, 3);
	return 1;
}

int declare_open(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &records_key);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
	for (const struct statement *s = schema_statements; s->name; s++) {
		lua_pushlightuserdata(L, (void *)s);
		lua_pushcclosure(L, take_name, 1);
		lua_setglobal(L, s->name);
	}
	return 0;
}

static const struct statement *statement_get(const char *name)
{
	const struct statement *s = schema_statements;

	while (s->name && strcmp(s->name, name) != 0)
		s++;
	return s;
}

static const struct field *field_get(const struct statement *s,
				     const char *name)
{
	const struct field *f = s->fields;

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	return f->name ? f : NULL;
}

/* "its fields: a, b, c", as far as they fit. */
static void list_words(char *out, size_t size, const char *const *words)
{
	static const char more[] = ", ...: see remuda-site(5)";
	size_t used = 0;

	for (size_t i = 0; words[i]; i++) {
		bool fits = used + strlen(words[i]) + sizeof(more) + 16 < size;

		used += (size_t)snprintf(out + used, size - used, "%s%s",
					 !fits ? "" : i ? ", " : "its fields: ",
					 fits ? words[i] : more);
		if (!fits)
			break;
	}
}

/* Refuses the first (in byte order) key of the body that is no field. */
static void refuse_unknown(lua_State *L, int body, const struct statement *s,
			   const struct field_owner *owner)
{
	const char *worst = NULL, *words[64];
	char hint[256];
	size_t n = 0;

	for (lua_pushnil(L); lua_next(L, body); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			sandbox_fail(L, owner->place, NULL,
				     "%s: every value needs a field: write "
				     "field = value", owner->title);
		const char *key = lua_tostring(L, -2);
		if (!field_get(s, key) && (!worst || strcmp(key, worst) < 0))
			worst = key;
	}
	if (!worst)
		return;
	for (const struct field *f = s->fields; f->name && n < 63; f++)
		if (f->type != FIELD_LATER)
			words[n++] = f->name;
	words[n] = NULL;
	sandbox_nearest(hint, sizeof(hint), worst, words);
	if (!*hint)
		list_words(hint, sizeof(hint), words);
	char shown[80];
	text_display(shown, sizeof(shown), worst, strlen(worst));
	sandbox_fail(L, owner->place, hint, "%s: '%s' is not a field of a %s",
		     owner->title, shown, s->name);
}

/* Sets the fingerprint of the function on top. */
static void put_fingerprint(lua_State *L, const struct field_owner *owner,
			    const char *key)
{
	char sum[FINGERPRINT_SIZE];

	fingerprint(L, -1, sum);
	json_object_set_new(owner->out, key, json_string(sum));
}

/* Keeps a function, on top, for the runs to come. */
static void keep_function(lua_State *L, const struct field_owner *owner,
			  const char *word, const char *shape)
{
	if (!lua_isfunction(L, -1))
		sandbox_fail(L, owner->place, NULL,
			     "%s: '%s' must be a function, not a %s; write %s = %s",
			     owner->title, word, luaL_typename(L, -1), word,
			     shape);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
	lua_pushfstring(L, "%s %s", owner->name, word);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

static void keep_hook(lua_State *L, const struct field_owner *owner,
		      const char *hook)
{
	keep_function(L, owner, hook, "function(machine) ... end");
	if (strcmp(hook, "prepare") == 0)
		put_fingerprint(L, owner, "prepared");
	lua_pop(L, 1);
	json_array_append_new(json_object_get(owner->out, "hooks"),
			      json_string(hook));
}

/* Beside the function: what it is about, for it decides what it may wish. */
static void keep_scale(lua_State *L, const struct field_owner *owner)
{
	keep_function(L, owner, "scale", "function(now) ... end");
	put_fingerprint(L, owner, "version");
	lua_pop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
	lua_pushfstring(L, "%s pool", owner->name);
	lua_pushboolean(L, json_object_get(owner->out, "pool") != NULL);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* No hook has the name "scale" or "pool": rules and applications do not meet. */
void declare_push_rule(lua_State *L, const char *rule, bool *pool)
{
	declare_push_hook(L, rule, "pool");
	*pool = lua_toboolean(L, -1);
	lua_pop(L, 1);
	declare_push_hook(L, rule, "scale");
}

void declare_push_hook(lua_State *L, const char *application, const char *hook)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
	lua_pushfstring(L, "%s %s", application, hook);
	lua_rawget(L, -2);
	lua_remove(L, -2);
}

/* Pushes the default of a field as it would be written. */
static bool push_preset(lua_State *L, const struct field *f)
{
	if (f->type == FIELD_TABLE) {
		lua_newtable(L);	/* of defaults */
		return true;
	}
	if (!f->preset)
		return false;
	if (f->type == FIELD_FLAG)
		lua_pushboolean(L, strcmp(f->preset, "true") == 0);
	else if (f->type == FIELD_COUNT)
		lua_stringtonumber(L, f->preset);
	else
		lua_pushstring(L, f->preset);
	return true;
}

void declare_fields(lua_State *L, int body, const struct statement *s,
		    const struct field_owner *owner)
{
	refuse_unknown(L, body, s, owner);
	for (const struct field *f = s->fields; f->name; f++) {
		lua_pushstring(L, f->name);
		if (lua_rawget(L, body) == LUA_TNIL) {
			lua_pop(L, 1);
			if (f->required)
				sandbox_fail(L, owner->place, NULL,
					     "%s needs the field '%s'",
					     owner->title, f->name);
			if (!push_preset(L, f))
				continue;
		}
		if (f->type == FIELD_HOOK)
			keep_hook(L, owner, f->name);
		else if (f->type == FIELD_SCALE)
			keep_scale(L, owner);
		else
			field_set(L, owner, f);
	}
}

/* One record, on the stack's top, into the site object. */
static void finish_record(lua_State *L, json_t *site)
{
	int record = lua_gettop(L);
	struct place p;
	char title[128];

	record_place(L, record, &p);
	lua_rawgeti(L, record, R_KIND);
	lua_rawgeti(L, record, R_NAME);
	const struct statement *s = statement_get(lua_tostring(L, -2));
	const char *name = lua_tostring(L, -1);
	snprintf(title, sizeof(title), "%s \"%s\"", s->name, name);
	json_t *out = site;
	if (s->list) {
		json_t *list = json_object_get(site, s->list);

		out = json_object();
		json_array_append_new(list, out);
		if (json_array_size(list) > SITE_JSON_COUNT_MAX)
			sandbox_fail(L, &p, NULL, "%s: more than %d of them",
				     title, SITE_JSON_COUNT_MAX);
	}
	json_object_set_new(out, "name", json_string(name));
	json_object_set_new(out, "file", json_string(p.file));
	json_object_set_new(out, "line", json_integer(p.line));
	if (strcmp(s->name, "application") == 0) {
		json_object_set_new(out, "hooks", json_array());
		json_object_set_new(out, "prepared", json_string(""));
	}
	struct field_owner owner = { title, name, &p, out };
	if (lua_rawgeti(L, record, R_BODY) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	declare_fields(L, lua_gettop(L), s, &owner);
	lua_settop(L, record);
}

struct finish {
	json_t *site;
	const char *file;
};

/* Protected; argument: struct finish */
static int finish_all(lua_State *L)
{
	struct finish *f = lua_touserdata(L, 1);

	for (const struct statement *s = schema_statements; s->name; s++)
		if (s->list)
			json_object_set_new(f->site, s->list, json_array());
	lua_rawgetp(L, LUA_REGISTRYINDEX, &records_key);
	lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, 2, i);
		finish_record(L, f->site);
		lua_pop(L, 1);
	}
	if (!json_object_get(f->site, "name")) {
		struct place p = { .line = 1 };

		text_copy(p.file, sizeof(p.file), f->file);
		sandbox_fail(L, &p, "begin with site \"NAME\" { }",
			     "there is no site statement");
	}
	check_site(L, f->site);
	return 0;
}

json_t *declare_finish(struct sandbox *sb, const char *hash, const char *file)
{
	struct finish f = { .site = json_object(), .file = file };

	json_object_set_new(f.site, "version", json_integer(SITE_JSON_VERSION));
	json_object_set_new(f.site, "bundle", json_string(hash));
	lua_pushcfunction(sb->L, finish_all);
	lua_pushlightuserdata(sb->L, &f);
	if (sandbox_call(sb, 1, 0) == 0)
		return f.site;
	json_decref(f.site);
	return NULL;
}
