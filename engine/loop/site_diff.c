/* What differs between two sites; see site_diff.h. */
#include "engine/loop/site_diff.h"

#include <stdbool.h>
#include <string.h>

static bool is_place(const char *key)
{
	return strcmp(key, "file") == 0 || strcmp(key, "line") == 0 ||
	       strcmp(key, "name") == 0;
}

static json_t *shown(const char *key, const json_t *value)
{
	if (!value)
		return json_null();
	if (strcmp(key, "password") == 0 || strstr(key, "token") ||
	    strstr(key, "secret"))
		return json_string("(secret)");
	return json_incref((json_t *)value);
}

static void add_field(json_t *fields, const char *key, const json_t *old,
		      const json_t *fresh)
{
	json_array_append_new(fields, json_pack("{s:s, s:o, s:o}", "key", key,
						"old", shown(key, old), "new",
						shown(key, fresh)));
}

/* The keys whose values differ. */
static json_t *fields_of(const json_t *old, const json_t *fresh)
{
	json_t *fields = json_array();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)old, key, value) {
		const json_t *now = json_object_get(fresh, key);

		if (!is_place(key) && !json_equal(value, now))
			add_field(fields, key, value, now);
	}
	json_object_foreach((json_t *)fresh, key, value)
		if (!is_place(key) && !json_object_get(old, key))
			add_field(fields, key, NULL, value);
	return fields;
}

static const json_t *find(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (strcmp(json_string_value(json_object_get(item, "name")),
			   name) == 0)
			return item;
	return NULL;
}

static void add(json_t *out, const char *sign, const char *kind,
		const json_t *object, json_t *fields)
{
	json_array_append_new(out, json_pack("{s:s, s:s, s:O, s:o}", "sign",
		sign, "kind", kind, "name", json_object_get(object, "name"),
		"fields", fields));
}

/* "pools" -> "pool", "listeners" -> "listener". */
static void diff_list(json_t *out, const char *list, const json_t *old,
		      const json_t *fresh)
{
	char kind[32] = "";
	const json_t *item;
	size_t i, n = strlen(list);

	memcpy(kind, list, n < sizeof(kind) ? n - 1 : sizeof(kind) - 1);
	json_array_foreach(fresh, i, item) {
		const json_t *was = find(old, json_string_value(
						 json_object_get(item, "name")));
		json_t *fields = was ? fields_of(was, item) : json_array();

		if (!was)
			add(out, "+", kind, item, fields);
		else if (json_array_size(fields))
			add(out, "~", kind, item, fields);
		else
			json_decref(fields);
	}
	json_array_foreach(old, i, item)
		if (!find(fresh, json_string_value(json_object_get(item, "name"))))
			add(out, "-", kind, item, json_array());
}

json_t *site_diff(const json_t *old, const json_t *fresh)
{
	json_t *out = json_array(), *fields = json_array();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)fresh, key, value) {
		const json_t *was = json_object_get(old, key);

		if (json_is_array(value))
			diff_list(out, key, was, value);
		else if (strcmp(key, "bundle") != 0 && !is_place(key) && old &&
			 !json_equal(value, was))
			add_field(fields, key, was, value);
	}
	if (json_array_size(fields))
		add(out, "~", "site", fresh, fields);
	else
		json_decref(fields);
	return out;
}
