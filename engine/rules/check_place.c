/*
 * Hosts, and where machines may be made: names of hosts, labels and sites lead
 * to hosts, and to one host at least all together.  See check.h.
 */
#include <stdio.h>
#include <string.h>

#include "engine/rules/check.h"
#include "engine/rules/site.h"

void check_host(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "host";
	const char *migrate = text_of(o, "migrate");

	(void)site;
	if (!has(o, "labels"))
		json_object_set_new(o, "labels", json_array());
	if (has(o, "migrate") && strncmp(migrate, "tcp://", 6) != 0 &&
	    strncmp(migrate, "rdma://", 7) != 0)
		FAULT(L, kind, o, "write migrate = \"tcp://10.0.0.2\": where other "
		      "hosts reach this one",
		      "migrate = \"%s\" is no URI for live migration", migrate);
}

/* Every label, or site, of any host; ends with NULL. */
static void gather(const json_t *site, const char *field,
		   const char *words[SITE_JSON_COUNT_MAX + 1])
{
	json_t *host, *label;
	size_t i, j, count = 0;

	json_array_foreach(json_object_get(site, "hosts"), i, host) {
		json_t *value = json_object_get(host, field);

		if (json_is_string(value) && count < SITE_JSON_COUNT_MAX)
			words[count++] = json_string_value(value);
		json_array_foreach(value, j, label)
			if (count < SITE_JSON_COUNT_MAX)
				words[count++] = json_string_value(label);
	}
	words[count] = NULL;
}

/* Each of the names must be what some host says in that field. */
static void need_words(lua_State *L, json_t *site, const char *kind, json_t *o,
		       const char *names, const char *field, const char *what)
{
	static const char *words[SITE_JSON_COUNT_MAX + 1];
	json_t *list = json_object_get(o, names), *name;
	char hint[128];
	size_t i;

	gather(site, field, words);
	json_array_foreach(list, i, name) {
		const char *text = json_string_value(name);
		size_t w = 0;

		while (words[w] && strcmp(words[w], text) != 0)
			w++;
		if (words[w])
			continue;
		sandbox_nearest(hint, sizeof(hint), text, words);
		if (!*hint)
			snprintf(hint, sizeof(hint), *what == 's' ?
				 "write site = \"%s\" in a host" :
				 "write labels = { \"%s\" } in a host", text);
		FAULT(L, kind, o, hint, "no host has the %s \"%s\"", what, text);
	}
}

static bool fits(const json_t *o, const json_t *host)
{
	json_t *label;
	size_t i;

	json_array_foreach(json_object_get(o, "labels"), i, label)
		if (!check_holds(json_object_get(host, "labels"),
				 json_string_value(label)))
			return false;
	return check_holds(json_object_get(o, "hosts"), text_of(host, "name")) &&
	       check_holds(json_object_get(o, "sites"), text_of(host, "site"));
}

/* The first host that fits: of the first site, then in the order written. */
static const json_t *first_fit(const json_t *site, const json_t *o)
{
	const json_t *sites = json_object_get(o, "sites");
	const json_t *names = json_object_get(o, "hosts");
	const json_t *hosts = json_object_get(site, "hosts");
	size_t rounds = json_is_array(sites) ? json_array_size(sites) : 1;
	size_t count = json_array_size(json_is_array(names) ? names : hosts);

	for (size_t s = 0; s < rounds; s++) {
		const char *wanted = json_string_value(json_array_get(sites, s));

		for (size_t h = 0; h < count; h++) {
			const json_t *host = json_array_get(hosts, h);
			size_t i;

			if (json_is_array(names))
				json_array_foreach(hosts, i, host)
					if (strcmp(text_of(host, "name"),
						   json_string_value(json_array_get(
							   names, h))) == 0)
						break;
			if (fits(o, host) && (!wanted || strcmp(
				    wanted, text_of(host, "site")) == 0))
				return host;
		}
	}
	return NULL;
}

/* With spread = "sites" a host without a site would stand nowhere. */
static void check_spread(lua_State *L, const json_t *site, const char *kind,
			 const json_t *o)
{
	json_t *host;
	size_t i;

	if (strcmp(text_of(o, "spread"), "sites") != 0)
		return;
	json_array_foreach(json_object_get(site, "hosts"), i, host)
		if (fits(o, host) && !has(host, "site"))
			FAULT(L, kind, o, "write site = \"NAME\" in the host",
			      "spread = \"sites\", but host \"%s\" has no site",
			      text_of(host, "name"));
}

/* hosts as a list or "*": host = "hv01" is a list of one. */
static void fill_hosts(lua_State *L, json_t *site, const char *kind, json_t *o)
{
	bool cluster = strcmp(kind, "cluster") == 0;
	json_t *first = json_array_get(json_object_get(site, "hosts"), 0);
	json_t *names, *name;
	size_t i;

	if (has(o, "host") && has(o, "hosts"))
		FAULT(L, kind, o, "leave one out",
		      "'host' and 'hosts' exclude each other");
	if (has(o, "host"))
		json_object_set_new(o, "hosts", json_pack("[O]",
				    json_object_get(o, "host")));
	else if (!has(o, "hosts"))
		json_object_set_new(o, "hosts", cluster ? json_string("*") :
				    json_pack("[O]", json_object_get(first, "name")));
	names = json_object_get(o, "hosts");
	if (json_is_array(names) && json_array_size(names) == 0)
		FAULT(L, kind, o, "write hosts = \"*\" for every host",
		      "the list of hosts is empty");
	json_array_foreach(names, i, name)
		check_need(L, site, kind, o, "hosts", "host",
			   json_string_value(name));
}

void check_placement(lua_State *L, json_t *site, const char *kind, json_t *o)
{
	const json_t *sites;

	fill_hosts(L, site, kind, o);
	if (!has(o, "labels"))
		json_object_set_new(o, "labels", json_array());
	if (!has(o, "sites"))
		json_object_set_new(o, "sites", json_string("*"));
	sites = json_object_get(o, "sites");
	if (json_is_array(sites) && json_array_size(sites) == 0)
		FAULT(L, kind, o, "leave it out for any site",
		      "the list of sites is empty");
	need_words(L, site, kind, o, "labels", "labels", "label");
	need_words(L, site, kind, o, "sites", "site", "site");
	const json_t *host = first_fit(site, o);
	if (!host)
		FAULT(L, kind, o, "its hosts, labels and sites must meet in one host "
		      "at least", "no host may have its machines");
	check_spread(L, site, kind, o);
	json_object_set(o, "host", json_object_get(host, "name"));
}
