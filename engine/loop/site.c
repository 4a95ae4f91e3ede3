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

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/network.h"
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

/* Clusters and the pools of their nodes, which follow the site's own. */
static void take_clusters(struct reader *r, struct site_spec *out)
{
	struct cluster_and_pool *read = NULL;
	void *array = NULL;
	size_t count = 0;

	take_list(r, "clusters", &array, &count, sizeof(*read), take_cluster);
	read = array;
	struct site_pool *pools = realloc(out->pools, (out->pool_count + count + 1) *
							      sizeof(*pools));
	out->clusters = calloc(count + 1, sizeof(*out->clusters));
	CHECK("", pools && out->clusters, "out of memory");
	out->pools = pools;
	/* Of one that failed too: what it holds is freed with the site. */
	for (size_t i = 0; i < count; i++) {
		out->clusters[out->cluster_count++] = read[i].cluster;
		out->pools[out->pool_count++] = read[i].pool;
	}
	free(read);
}

static void take_metrics(struct reader *r, struct site_spec *out)
{
	out->reserve = read_flag(r, "reserve");
	out->stats_ms = read_count(r, "stats_ms", 1, READ_DAY_MS);
	READ_TEXT(r, "metrics_ip", false, out->metrics_ip);
	out->metrics_port = (uint32_t)read_count_or(r, "metrics_port", 1, 65535, 0);
	if (*out->metrics_ip ? !out->metrics_port ||
	    !network_address_parse(slice_of(out->metrics_ip)).family :
	    out->metrics_port != 0)
		read_bad(r, "metrics_ip and metrics_port are no address");
}

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
	READ_TEXT(&r, "alarm", false, out->alarm);
	out->disk_reserve_mib = (uint64_t)read_count(&r, "disk_reserve_mib", 0, 1 << 30);
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
	take_clusters(&r, out);
	LIST(&r, out, rules, rule_count, take_rule);
	take_metrics(&r, out);
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
