/*
 * Statements made at run time: `remuda pool create` writes a statement of the
 * site language beside the site file's, so it is checked by the same words and
 * is the same pool.  They are rows of the store, and a module that is required
 * at the end of every site that is read; the site file never deletes them.
 */
#include "engine/loop/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { FIELDS_MAX = 40, TEXT_MAX = 32 * 1024 };

/* The line that brings them in. */
static const char line[] = "\nrequire \"" RUNTIME_MODULE "\"\n";

struct gather {
	const struct runtime_change *change;
	char *text;
	size_t used;
};

static void add_text(struct gather *g, const char *text)
{
	size_t n = strlen(text);

	g->text = realloc(g->text, g->used + n + 1);
	CHECK("", g->text, "out of memory");
	memcpy(g->text + g->used, text, n + 1);
	g->used += n;
}

static void on_object(void *arg, const struct db_object *o)
{
	struct gather *g = arg;

	if (strcmp(o->kind, g->change->kind) == 0 &&
	    strcmp(o->name, g->change->name) == 0)
		return;
	add_text(g, o->text);
}

char *runtime_text(struct shell *sh, const struct runtime_change *change)
{
	struct gather g = { .change = change };
	struct error err;

	if (db_load_objects(sh->db, on_object, &g, &err) < 0)
		shell_die(sh, "the store cannot be read: %s", err.text);
	if (change->text)
		add_text(&g, change->text);
	return g.text;
}

char *runtime_join(char *site, size_t *length, bool wanted)
{
	size_t n = sizeof(line) - 1;

	if (*length >= n && memcmp(site + *length - n, line, n) == 0)
		*length -= n;
	if (!wanted)
		return site;
	site = realloc(site, *length + n + 1);
	CHECK("", site, "out of memory");
	memcpy(site + *length, line, n + 1);
	*length += n;
	return site;
}

int runtime_save(struct shell *sh, const struct runtime_change *change,
		 const char *who, struct error *err)
{
	const struct db_object o = { .kind = change->kind, .name = change->name,
				     .text = change->text, .who = who,
				     .wall_ms = shell_wall_ms() };

	if (!change->kind[0])
		return 0;
	return change->text ? db_save_object(sh->db, &o, err) :
			      db_delete_object(sh->db, o.kind, o.name, err);
}

/* ---- verbs ---------------------------------------------------------------------- */

static bool is_field(const char *key)
{
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz_");

	return n > 0 && n < 32 && !key[n];
}

/* A value as Lua: numbers, truth and lists { "a" } of texts by their JSON. */
static bool put_value(char *out, size_t size, size_t *used, const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		*used += (size_t)snprintf(out + *used, size - *used, "%lld",
					  (long long)json_integer_value(value));
		return true;
	}
	if (json_is_boolean(value)) {
		*used += (size_t)snprintf(out + *used, size - *used, "%s",
					  json_is_true(value) ? "true" : "false");
		return true;
	}
	if (!text || strlen(text) > 4096)
		return false;
	out[(*used)++] = '"';
	for (; *text && *used + 8 < size; text++) {
		if (*text == '"' || *text == '\\')
			out[(*used)++] = '\\';
		if ((unsigned char)*text < ' ')
			*used += (size_t)snprintf(out + *used, size - *used,
						  "\\%03d", *text);
		else
			out[(*used)++] = *text;
	}
	out[(*used)++] = '"';
	return !*text;
}

/* `pool "NAME" { field = value, ... }`, malloc'd, or NULL with what is wrong. */
static char *statement(const char *name, json_t *fields, const char **why)
{
	char *out = malloc(TEXT_MAX);
	const char *key;
	json_t *value;
	size_t used;

	CHECK("", out, "out of memory");
	*why = "a field is a word of the site language with a text, number or truth value";
	used = (size_t)snprintf(out, TEXT_MAX, "pool \"%s\" {", name);
	json_object_foreach(fields, key, value) {
		if (!is_field(key) || used + 64 + json_string_length(value) * 4 >
					      TEXT_MAX) {
			free(out);
			return NULL;
		}
		used += (size_t)snprintf(out + used, TEXT_MAX - used, " %s = ",
					 key);
		if (!put_value(out, TEXT_MAX - 8, &used, value)) {
			free(out);
			return NULL;
		}
		out[used++] = ',';
	}
	snprintf(out + used, TEXT_MAX - used, " }\n");
	return out;
}

/* Loads the site in force with the change; takes its text. */
static void begin(const struct verb_call *a, enum load_purpose purpose,
		  const char *name, char *text, const char *said)
{
	struct site_load wish = { .purpose = purpose, .client = a->c->number,
				  .id = a->id, .change = { .text = text } };
	struct error err;

	TEXT_SET(wish.change.kind, "pool");
	TEXT_SET(wish.change.name, name);
	TEXT_SET(wish.who, a->c->who);
	snprintf(wish.said, sizeof(wish.said), "pool/%s %s", name, said);
	wish.from.text = strdup(a->sh->site_source.text);
	CHECK("", wish.from.text, "out of memory");
	wish.from.length = a->sh->site_source.length;
	if (site_load_begin(a->sh, &wish, &err) < 0)
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
}

void runtime_pool_create(const struct verb_call *a)
{
	const char *name = verb_text(a, "name"), *why;
	json_t *fields = json_object_get(a->request, "fields");
	const struct pool *p = world_pool(&a->sh->world, slice_of(name));
	char text[300];

	if (p && !p->removed) {
		snprintf(text, sizeof(text), "there is a pool \"%.63s\" already (%.200s:%u)",
			 name, p->spec.place.file, p->spec.place.line);
		control_error(a->c, a->id, "refused", NULL, text, NULL);
		return;
	}
	why = "a pool's name is small letters, digits and -, at most 63";
	char *lua = text_is_name(name) && json_is_object(fields) &&
				    json_object_size(fields) <= FIELDS_MAX ?
			    statement(name, fields, &why) : NULL;
	if (!lua)
		control_error(a->c, a->id, "usage", NULL, why, NULL);
	else
		begin(a, LOAD_RELOAD, name, lua, "created");
}

void runtime_pool_delete(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct pool *p = world_pool(&a->sh->world, slice_of(name));
	char text[300];

	if (!p || p->removed) {
		verb_not_found(a, "pool", name);
	} else if (strcmp(p->spec.place.file, RUNTIME_FILE) != 0) {
		snprintf(text, sizeof(text), "pool \"%.63s\" stands in %.100s:%u: take it out there, then remuda apply",
			 name, p->spec.place.file, p->spec.place.line);
		control_error(a->c, a->id, "refused", NULL, text, NULL);
	} else {
		begin(a, LOAD_APPLY, name, NULL,
		      "goes, its machines when they are free");
	}
}
