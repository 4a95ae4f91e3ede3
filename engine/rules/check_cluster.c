/*
 * Clusters and rules: what needs more than one field or statement.  See
 * check.h.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/schedule.h"
#include "engine/base/error.h"
#include "engine/rules/check.h"

/* One of the three numbers of a size, as the JSON has them. */
static const struct range {
	const char *name;	/* as written */
	const char *key, *min, *max;
} ranges[] = {
	{ "nodes", "nodes", "min_nodes", "max_nodes" },
	{ "vcpus", "vcpus", "min_vcpus", "max_vcpus" },
	{ "memory", "memory_mib", "min_memory_mib", "max_memory_mib" },
};
enum { RANGES = sizeof(ranges) / sizeof(ranges[0]) };

static const char kind[] = "cluster";

static bool is_loopback(const char *ip)
{
	return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0;
}

static void check_vip(lua_State *L, json_t *o)
{
	const char *ip = text_of(o, "ip"), *interface = text_of(o, "interface");

	if (!is_loopback(ip) && !*interface)
		FAULT(L, kind, o, "write interface = \"br0\": where the address is "
		      "put", "the vip %s needs an interface", ip);
	if (is_loopback(ip) && *interface)
		FAULT(L, kind, o, "leave it out",
		      "the vip %s is this host's own: it has no interface", ip);
	if (is_loopback(ip) && count_of(o, "prefix"))
		FAULT(L, kind, o, "leave it out", "the vip %s/%lld is this host's "
		      "own: it has no network", ip, count_of(o, "prefix"));
	/* dev_valid_name of the kernel. */
	if (strpbrk(interface, " /:") || strcmp(interface, ".") == 0 ||
	    strcmp(interface, "..") == 0)
		FAULT(L, kind, o, NULL, "\"%s\" cannot be the name of an interface",
		      interface);
}

/* Nothing else may be at its address. */
static void check_port(lua_State *L, const json_t *site, const json_t *o)
{
	static const char *const lists[] = { "clusters", "listeners" };
	json_t *other;
	size_t i;

	for (int l = 0; l < 2; l++)
		json_array_foreach(json_object_get(site, lists[l]), i, other) {
			if (other == o)
				break;
			if (strcmp(text_of(o, "ip"), text_of(other, "ip")) == 0 &&
			    count_of(o, "port") == count_of(other, "port"))
				FAULT(L, kind, o, "give it another address or port",
				      "%.*s \"%s\" at %s:%lld has the same address",
				      (int)strlen(lists[l]) - 1, lists[l],
				      text_of(other, "name"),
				      text_of(other, "file"),
				      count_of(other, "line"));
		}
}

/* A cluster and a pool of one name would have machines of one name. */
static void check_name(lua_State *L, const json_t *site, const json_t *o)
{
	json_t *pool;
	size_t i;

	json_array_foreach(json_object_get(site, "pools"), i, pool)
		if (strcmp(text_of(pool, "name"), text_of(o, "name")) == 0)
			FAULT(L, kind, o, "give it another name",
			      "there is a pool of that name at %s:%lld",
			      text_of(pool, "file"), count_of(pool, "line"));
}

/* Transactions are relayed to nodes at addresses of their own. */
static void check_endpoint(lua_State *L, const json_t *app, const json_t *o)
{
	bool tcp = strcmp(text_of(app, "endpoint"), "tcp") == 0;
	const char *where = text_of(app, tcp ? "endpoint_host" : "endpoint_path");
	const char *name = text_of(app, "name");

	if (strcmp(text_of(app, "endpoint"), "channel") == 0)
		FAULT(L, kind, o, "write endpoint = \"tcp:10.0.7.{index}:80\" there",
		      "application \"%s\" has endpoint = \"channel\": a cluster's "
		      "nodes are reached by tcp or a unix socket", name);
	if (*where && !strstr(where, "{index}") && !strstr(where, "{machine}"))
		FAULT(L, kind, o, tcp ? "write endpoint = \"tcp:10.0.7.{index}:80\" "
		      "there" : "write endpoint = \"unix:/PATH/{machine}\" there",
		      "all nodes would be at %s: application \"%s\" has one address "
		      "for all machines", where, name);
	if (strcmp(text_of(app, "identity"), "agent") == 0)
		FAULT(L, kind, o, "write identity = \"proxy\" or \"none\" there",
		      "application \"%s\" has identity = \"agent\": a node serves "
		      "many clients at once and accepts none of them by a hook",
		      name);
}

/* A transaction must not reach another's machine: nobody else's may be where the
 * nodes are. */
static void check_apart(lua_State *L, json_t *site, json_t *app, const json_t *o)
{
	static const char *const lists[] = { "clusters", "pools" };
	const char *host = text_of(app, "endpoint_host");
	json_t *other;
	size_t i;

	for (int l = 0; l < 2 && *host && !strstr(host, "{machine}"); l++)
		json_array_foreach(json_object_get(site, lists[l]), i, other) {
			json_t *its = check_need(L, site, "cluster", other,
						 "applications", "application",
						 text_of(other, "application"));

			if (other == o)
				break;
			if (strcmp(text_of(its, "endpoint_host"), host) == 0 &&
			    count_of(its, "endpoint_port") ==
				    count_of(app, "endpoint_port"))
				FAULT(L, kind, o, "give it an application with other "
				      "addresses, such as tcp:10.0.8.{index}:80",
				      "its nodes would be where machines of %.*s "
				      "\"%s\" are, at %s:%lld",
				      (int)strlen(lists[l]) - 1, lists[l],
				      text_of(other, "name"), host,
				      count_of(app, "endpoint_port"));
		}
}

static void check_strategy(lua_State *L, const json_t *app, const json_t *o)
{
	static const char *const hooks[] = { "start", "stop" };

	if (strcmp(text_of(o, "strategy"), "move") != 0)
		return;
	for (int i = 0; i < 2; i++)
		if (!check_holds(json_object_get(app, "hooks"), hooks[i]))
			FAULT(L, kind, o, "write it, or another strategy",
			      "strategy = \"move\" needs the hook '%s' in "
			      "application \"%s\"", hooks[i],
			      text_of(app, "name"));
}

/* min <= size <= max; bounds that are not written are the size. */
static void check_sizes(lua_State *L, json_t *o)
{
	for (int i = 0; i < RANGES; i++) {
		const struct range *r = &ranges[i];
		json_t *size = json_object_get(o, r->key);

		if (!size)
			FAULT(L, kind, o, "write vcpus = 2, memory = \"2 GiB\"",
			      "nothing says how large a node from a domain is: '%s' "
			      "is missing", r->name);
		if (!has(o, r->min))
			json_object_set(o, r->min, size);
		if (!has(o, r->max))
			json_object_set(o, r->max, size);
		if (count_of(o, r->min) > count_of(o, r->key))
			FAULT(L, kind, o, "write a smaller one, or leave it out",
			      "min_%s = %lld is more than %s = %lld", r->name,
			      count_of(o, r->min), r->name, count_of(o, r->key));
		if (count_of(o, r->max) < count_of(o, r->key))
			FAULT(L, kind, o, "write a larger one, or leave it out",
			      "max_%s = %lld is less than %s = %lld", r->name,
			      count_of(o, r->max), r->name, count_of(o, r->key));
	}
}

static void check_health(lua_State *L, const json_t *o)
{
	const json_t *health = json_object_get(o, "health");

	if (has(health, "expect") && !has(health, "request"))
		FAULT(L, kind, o, "write request = \"...\" too, or leave it out",
		      "health.expect without a request: without one a connection "
		      "is enough");
}

/* The sizes of an entry, and what to write for one that is out of bounds. */
static void check_entry_size(lua_State *L, const json_t *o, const json_t *e,
			     size_t number)
{
	bool any = false;

	for (int i = 0; i < RANGES; i++) {
		const struct range *r = &ranges[i];
		long long n = count_of(e, r->key);
		bool low = n < count_of(o, r->min);
		char hint[80];

		if (!has(e, r->key))
			continue;
		any = true;
		snprintf(hint, sizeof(hint), "write %s_%s = %lld in the cluster",
			 low ? "min" : "max", r->name, n);
		if (low || n > count_of(o, r->max))
			FAULT(L, kind, o, hint, "calendar entry %zu: %s = %lld is %s "
			      "than %s_%s = %lld", number, r->name, n,
			      low ? "less" : "more", low ? "min" : "max",
			      r->name, count_of(o, low ? r->min : r->max));
	}
	if (!any)
		FAULT(L, kind, o, "write nodes, vcpus or memory",
		      "calendar entry %zu changes nothing", number);
}

static void check_calendar(lua_State *L, json_t *o)
{
	json_t *list = json_object_get(o, "calendar"), *e;
	struct schedule when;
	struct error err;
	size_t i;

	if (!list)
		json_object_set_new(o, "calendar", json_array());
	json_array_foreach(list, i, e) {
		const char *word = has(e, "every") ? "every" : "on";
		const char *text = text_of(e, word);

		if (has(e, "every") == has(e, "on"))
			FAULT(L, kind, o, "write every = \"Mon-Fri 08:00-18:00\", or on "
			      "= \"2026-12-24\"", "calendar entry %zu: %s", i + 1,
			      has(e, "on") ? "'every' and 'on' exclude each other" :
					     "nothing says when it holds");
		if (has(e, "every") ? schedule_parse_every(text, &when, &err) :
				      schedule_parse_on(text, &when, &err))
			FAULT(L, kind, o, NULL, "calendar entry %zu, %s = \"%s\": %s",
			      i + 1, word, text, err.text);
		check_entry_size(L, o, e, i + 1);
	}
}

static void check_balance(lua_State *L, json_t *o)
{
	bool first_free = strcmp(text_of(o, "balance"), "first-free") == 0;

	if (has(o, "busy") && !first_free)
		FAULT(L, kind, o, "write balance = \"first-free\", or leave it out",
		      "'busy' says when the first free node is passed over");
	if (!has(o, "busy"))
		json_object_set_new(o, "busy", json_integer(1));
}

void check_cluster(lua_State *L, json_t *site, json_t *o)
{
	json_t *app = check_need(L, site, kind, o, "applications", "application",
				 text_of(o, "application"));

	check_name(L, site, o);
	check_vip(L, o);
	check_port(L, site, o);
	check_endpoint(L, app, o);
	check_apart(L, site, app, o);
	check_strategy(L, app, o);
	check_placement(L, site, kind, o);
	check_machine(L, kind, o);
	check_sizes(L, o);
	check_balance(L, o);
	check_health(L, o);
	check_calendar(L, o);
}

void check_rule(lua_State *L, json_t *site, json_t *o)
{
	static const char rule[] = "rule";

	if (has(o, "cluster") == has(o, "pool"))
		FAULT(L, rule, o, "write cluster = \"NAME\" or pool = \"NAME\"", "%s",
		      has(o, "pool") ? "'cluster' and 'pool' exclude each other" :
				       "nothing says what it is about");
	if (has(o, "cluster"))
		check_need(L, site, rule, o, "clusters", "cluster",
			   text_of(o, "cluster"));
	else
		check_need(L, site, rule, o, "pools", "pool", text_of(o, "pool"));
	if (count_of(o, "deadline_ms") > count_of(o, "every_ms"))
		FAULT(L, rule, o, "write a shorter deadline",
		      "its deadline is longer than the time between two runs");
}
