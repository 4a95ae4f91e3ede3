/* Reading one object of the site's JSON; see site_read.h. */
#include "engine/loop/site_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

int read_bad(struct reader *r, const char *fmt, ...)
{
	char what[200];
	va_list args;

	if (r->failed)
		return -1;
	r->failed = true;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (!r->file)
		return error_set(r->err, "site: %s \"%.63s\": %s", r->kind,
				 r->name ? r->name : "", what);
	return error_set(r->err, "%.200s:%lld: %s \"%.63s\": %s", r->file,
			 r->line, r->kind, r->name ? r->name : "", what);
}

const json_t *read_any(struct reader *r, const char *key, bool required)
{
	const json_t *value = json_object_get(r->json, key);

	if (r->failed)
		return NULL;
	if (value)
		r->taken++;
	else if (required)
		read_bad(r, "%s is missing", key);
	return value;
}

static const char *read_string(struct reader *r, const char *key, bool required)
{
	const json_t *value = read_any(r, key, required);

	if (value && !json_is_string(value)) {
		read_bad(r, "%s is not a text", key);
		return NULL;
	}
	return json_string_value(value);
}

void read_text(struct reader *r, const char *key, bool required, char *out,
	       size_t size)
{
	const char *text = read_string(r, key, required);

	if (text && required && !*text)
		read_bad(r, "%s is empty", key);
	else if (!text_copy(out, size, text ? text : ""))
		read_bad(r, "%s is longer than %zu bytes", key, size - 1);
}

int64_t read_count_or(struct reader *r, const char *key, int64_t low,
		      int64_t high, int64_t preset)
{
	const json_t *value = read_any(r, key, false);

	if (!value)
		return preset;
	json_int_t n = json_integer_value(value);
	if (!json_is_integer(value))
		read_bad(r, "%s is not a whole number", key);
	else if (n < low || n > high)
		read_bad(r, "%s: %lld is not in %lld..%lld", key, (long long)n,
			 (long long)low, (long long)high);
	return n;
}

int64_t read_count(struct reader *r, const char *key, int64_t low, int64_t high)
{
	if (!r->failed && !json_object_get(r->json, key))
		read_bad(r, "%s is missing", key);
	return read_count_or(r, key, low, high, low);
}

bool read_flag(struct reader *r, const char *key)
{
	const json_t *value = read_any(r, key, true);

	if (value && !json_is_boolean(value))
		read_bad(r, "%s is neither true nor false", key);
	return json_is_true(value);
}

int read_word(struct reader *r, const char *key, const struct word *words)
{
	const char *text = read_string(r, key, true);

	for (; text && words->text; words++)
		if (strcmp(words->text, text) == 0)
			return words->value;
	if (text)
		read_bad(r, "%s: \"%.30s\" is not known", key, text);
	return 0;
}

void read_names(struct reader *r, const char *key, bool all,
		struct site_names *out)
{
	const json_t *json = read_any(r, key, true), *item;
	size_t i;

	if (!json)
		return;
	if (all && json_is_string(json) &&
	    strcmp(json_string_value(json), "*") == 0) {
		out->all = true;
		return;
	}
	if (!json_is_array(json) || json_array_size(json) > SITE_COUNT_MAX) {
		read_bad(r, "%s is not a list of names, or too long", key);
		return;
	}
	if (json_array_size(json) == 0)
		return;
	out->names = calloc(json_array_size(json), sizeof(out->names[0]));
	if (!out->names) {
		read_bad(r, "out of memory");
		return;
	}
	json_array_foreach(json, i, item) {
		const char *name = json_string_value(item);

		if (!name || !text_is_user(name)) {
			read_bad(r, "%s has a bad name in its list", key);
			return;
		}
		TEXT_SET(out->names[out->count++], name);
	}
}

struct reader read_begin(const char *kind, const json_t *json, char *name_out,
			 struct site_place *place,
			 bool (*is_name)(const char *), struct error *err)
{
	struct reader r = { .kind = kind, .json = json, .err = err };

	if (!json_is_object(json)) {
		read_bad(&r, "is not an object");
		return r;
	}
	r.name = read_string(&r, "name", true);
	const char *file = read_string(&r, "file", true);
	r.line = read_count(&r, "line", 0, INT32_MAX);
	r.file = file;
	if (!r.failed && (!is_name(r.name) ||
			  !text_copy(name_out, SITE_NAME_SIZE, r.name)))
		read_bad(&r, "is not a name");
	if (!r.failed && !TEXT_SET(place->file, file))
		read_bad(&r, "has no place");
	place->line = (uint32_t)r.line;
	return r;
}

int read_end(struct reader *r)
{
	if (!r->failed && r->taken != json_object_size(r->json))
		read_bad(r, "has %zu keys that are not known",
			 json_object_size(r->json) - r->taken);
	return r->failed ? -1 : 0;
}

struct reader read_inner(struct reader *r, const json_t *json)
{
	struct reader inner = *r;

	inner.json = json;
	inner.taken = 0;
	if (!r->failed && !json_is_object(json))
		read_bad(&inner, "an object within it is none");
	return inner;
}

void read_inner_end(struct reader *r, struct reader *inner)
{
	r->failed = read_end(inner) < 0;
}
