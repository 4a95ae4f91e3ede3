/*
 * Statements made at run time: `remuda pool create`, `cluster create` write a statement of the
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

static void put_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		if ((unsigned char)*text < ' ')
			fprintf(out, "\\%03d", *text);
		else
			putc(*text, out);
	}
	putc('"', out);
}

/* A value as Lua: numbers, truth, texts, lists and tables of such. */
static bool put_value(FILE *out, const json_t *value)
{
	const char *text = json_string_value(value), *key;
	json_t *item;
	size_t i;

	if (text) {
		put_text(out, text);
	} else if (json_is_integer(value)) {
		fprintf(out, "%lld", (long long)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		fprintf(out, "%s", json_is_true(value) ? "true" : "false");
	} else if (json_is_array(value)) {
		fputs("{ ", out);
		json_array_foreach(value, i, item) {
			if (!put_value(out, item))
				return false;
			fputs(", ", out);
		}
		putc('}', out);
	} else if (json_is_object(value)) {
		fputs("{ ", out);
		json_object_foreach((json_t *)value, key, item) {
			if (!is_field(key))
				return false;
			fprintf(out, "%s = ", key);
			if (!put_value(out, item))
				return false;
			fputs(", ", out);
		}
		putc('}', out);
	} else {
		return false;
	}
	return true;
}

/* `pool "NAME" { field = value, ... }`, malloc'd, or NULL with what is wrong. */
static char *statement(const char *kind, const char *name, json_t *fields,
		       const char **why)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	CHECK("", out, "out of memory");
	*why = "a field is a word of the site language with a text, a number, a truth value, or a list or table of such";
	fprintf(out, "%s \"%s\" ", kind, name);
	bool good = put_value(out, fields);
	putc('\n', out);
	fclose(out);
	CHECK("", text, "out of memory");
	if (good && length < TEXT_MAX)
		return text;
	if (good)
		*why = "its fields are too long";
	free(text);
	return NULL;
}

/* Loads the site in force with the change; takes its text. */
static void begin(const struct verb_call *a, enum load_purpose purpose,
		  const char *kind, const char *name, char *text,
		  const char *said)
{
	struct site_load wish = { .purpose = purpose, .client = a->c->number,
				  .id = a->id, .change = { .text = text } };
	struct error err;

	TEXT_SET(wish.change.kind, kind);
	TEXT_SET(wish.change.name, name);
	TEXT_SET(wish.who, a->c->who);
	snprintf(wish.said, sizeof(wish.said), "%s/%s %s", kind, name, said);
	wish.from.text = strdup(a->sh->site_source.text);
	CHECK("", wish.from.text, "out of memory");
	wish.from.length = a->sh->site_source.length;
	if (site_load_begin(a->sh, &wish, &err) < 0)
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
}

static const char *kind_of(const struct pool *p)
{
	return p->spec.cluster ? "cluster" : "pool";
}

static void create(const struct verb_call *a, const char *kind)
{
	const char *name = verb_text(a, "name"), *why;
	json_t *fields = json_object_get(a->request, "fields");
	const struct pool *p = world_pool(&a->sh->world, slice_of(name));
	char text[300], *lua = NULL;

	if (p && !p->removed) {
		snprintf(text, sizeof(text), "there is a %s \"%.63s\" already (%.200s:%u)",
			 kind_of(p), name, p->spec.place.file, p->spec.place.line);
		control_error(a->c, a->id, "refused", NULL, text, NULL);
		return;
	}
	snprintf(text, sizeof(text), "a %s's name is small letters, digits and -, at most 63",
		 kind);
	why = text;
	if (text_is_name(name) && json_is_object(fields) &&
	    json_object_size(fields) <= FIELDS_MAX)
		lua = statement(kind, name, fields, &why);
	if (!lua)
		control_error(a->c, a->id, "usage", NULL, why, NULL);
	else
		begin(a, LOAD_RELOAD, kind, name, lua, "created");
}

static void delete(const struct verb_call *a, const char *kind)
{
	const char *name = verb_text(a, "name");
	const struct pool *p = world_pool(&a->sh->world, slice_of(name));
	char text[300];

	if (!p || p->removed || strcmp(kind_of(p), kind) != 0) {
		verb_not_found(a, kind, name);
	} else if (strcmp(p->spec.place.file, RUNTIME_FILE) != 0) {
		snprintf(text, sizeof(text), "%s \"%.63s\" stands in %.100s:%u: take it out there, then remuda apply",
			 kind, name, p->spec.place.file, p->spec.place.line);
		control_error(a->c, a->id, "refused", NULL, text, NULL);
	} else {
		begin(a, LOAD_APPLY, kind, name, NULL,
		      "goes, its machines when they are free");
	}
}

void runtime_pool_create(const struct verb_call *a)
{
	create(a, "pool");
}

void runtime_pool_delete(const struct verb_call *a)
{
	delete(a, "pool");
}

void runtime_cluster_create(const struct verb_call *a)
{
	create(a, "cluster");
}

void runtime_cluster_delete(const struct verb_call *a)
{
	delete(a, "cluster");
}
