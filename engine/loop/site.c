/*
 * Decoding of a site; see site.h.
 *
 * Owner: the engine's shell, between bundle_done and the core.  Pure but for
 * memory.  Objects are read key by key (site_read.h), which refuses keys that
 * nobody knows; JSON_REJECT_DUPLICATES refuses doubled ones.
 */
#include "engine/loop/site.h"

#include <jansson.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/loop/site_read.h"

enum { VERSION = 1 };
static const int64_t CENTURY_MS = 36500ll * READ_DAY_MS;

static bool take_list(struct reader *r, const char *key, void **array,
		      size_t *count, size_t size,
		      int (*take)(void *, const json_t *, struct error *))
{
	const json_t *json = read_any(r, key, true), *item;
	size_t i;

	if (!json)
		return false;
	if (!json_is_array(json) || json_array_size(json) > SITE_COUNT_MAX) {
		read_bad(r, "%s is not a list, or too long", key);
		return false;
	}
	*array = calloc(json_array_size(json) + 1, size);
	if (!*array) {
		read_bad(r, "out of memory");
		return false;
	}
	json_array_foreach(json, i, item) {
		char *object = (char *)*array + i * size;

		*count = i + 1;	/* so that what it holds is freed */
		if (take(object, item, r->err) < 0) {
			r->failed = true;
			return false;
		}
		if (site_find(*array, i, size, object)) {
			read_bad(r, "\"%.63s\" is there twice", object);
			return false;
		}
	}
	return true;
}

/* An array belongs to out even when its reading fails half-way. */
#define LIST(r, out, list, count, take)                                        \
	do {                                                                   \
		void *array = NULL;                                            \
		take_list(r, #list, &array, &(out)->count,                     \
			  sizeof((out)->list[0]), take);                       \
		(out)->list = array;                                           \
	} while (0)

static int take_site(const json_t *root, struct site_spec *out,
		     struct error *err)
{
	struct site_place place;
	struct reader r = read_begin("site", root, out->name, &place,
				     text_is_name, err);

	int64_t version = read_count(&r, "version", 0, INT32_MAX);
	if (version != VERSION)
		read_bad(&r, "version %lld is not known", (long long)version);
	READ_TEXT(&r, "bundle", true, out->bundle);
	out->peers = read_flag(&r, "peers");
	out->history_ms = read_count(&r, "history_ms", 1, CENTURY_MS);
	out->history_events_ms =
		read_count(&r, "history_events_ms", 1, CENTURY_MS);
	out->history_audit_ms = read_count(&r, "history_audit_ms", 1, CENTURY_MS);
	out->history_hours_ms = read_count(&r, "history_hours_ms", 1, CENTURY_MS);
	LIST(&r, out, hosts, host_count, take_host);
	LIST(&r, out, applications, application_count, take_application);
	LIST(&r, out, pools, pool_count, take_pool);
	LIST(&r, out, listeners, listener_count, take_listener);
	LIST(&r, out, users, user_count, take_user);
	LIST(&r, out, groups, group_count, take_group);
	LIST(&r, out, allows, allow_count, take_allow);
	LIST(&r, out, resources, resource_count, take_resource);
	if (read_end(&r) < 0)
		return -1;
	for (size_t i = 0; i < out->application_count; i++)
		TEXT_SET(out->applications[i].version, out->bundle);
	return site_check_references(out, err);
}

int site_decode(const char *json, size_t length, struct site_spec *out,
		struct error *err)
{
	json_error_t je;
	json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &je);

	*out = (struct site_spec){ .name = "" };
	if (!root)
		return error_set(err, "site: line %d: %s", je.line, je.text);
	int rc = take_site(root, out, err);
	json_decref(root);
	if (rc < 0)
		site_spec_fini(out);
	return rc;
}
