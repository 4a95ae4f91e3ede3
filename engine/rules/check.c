/*
 * Checks over the whole site, after every statement is checked by itself:
 * references, counts that depend on each other, combinations that cannot work.
 * Also fills in the defaults that depend on something else.  See declare.h.
 *
 * Runs over the JSON, in the order of declaration, so the first fault of a
 * file is always the same one.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"
#include "engine/rules/check.h"
#include "engine/rules/declare.h"
#include "engine/rules/site.h"

static json_t *find(const json_t *site, const char *list, const char *name)
{
	json_t *array = json_object_get(site, list), *o;
	size_t i;

	json_array_foreach(array, i, o)
		if (strcmp(text_of(o, "name"), name) == 0)
			return o;
	return NULL;
}

bool check_holds(const json_t *names, const char *name)
{
	json_t *o;
	size_t i;

	if (json_is_string(names))
		return true;	/* "*" */
	json_array_foreach(names, i, o)
		if (strcmp(json_string_value(o), name) == 0)
			return true;
	return false;
}

json_t *check_need(lua_State *L, const json_t *site, const char *kind,
		   const json_t *o, const char *list, const char *what,
		   const char *name)
{
	static const char *words[SITE_JSON_COUNT_MAX + 1];
	json_t *found = find(site, list, name), *other;
	char hint[128];
	size_t i;

	if (found)
		return found;
	json_array_foreach(json_object_get(site, list), i, other)
		words[i] = text_of(other, "name");
	words[json_array_size(json_object_get(site, list))] = NULL;
	sandbox_nearest(hint, sizeof(hint), name, words);
	if (!*hint)
		snprintf(hint, sizeof(hint), "declare %s \"%s\" { ... }", what,
			 name);
	FAULT(L, kind, o, hint, "there is no %s \"%s\"", what, name);
	return NULL;
}

static void check_application(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "application";
	const char *identity = text_of(o, "identity");
	bool accept = check_holds(json_object_get(o, "hooks"), "accept");
	json_t *names = json_object_get(o, "resources"), *name;
	size_t i;

	if (!names)
		json_object_set_new(o, "resources", json_array());
	json_array_foreach(names, i, name)
		check_need(L, site, kind, o, "resources", "resource",
		     json_string_value(name));
	if (has(o, "warn_ms") && count_of(o, "warn_ms") >= count_of(o, "longest_ms"))
		FAULT(L, kind, o, "write longest = \"8 h\", or leave warn out",
		      "'warn' must be shorter than 'longest'");
	if (strcmp(text_of(o, "connections"), "shared") == 0 &&
	    strcmp(text_of(o, "endpoint"), "tcp") != 0)
		FAULT(L, kind, o, "write endpoint = \"tcp:PORT\", or leave "
		      "connections out", "connections = \"shared\" needs a tcp "
		      "endpoint: another takes one connection at a time");
	bool agent = strcmp(identity, "agent") == 0;
	if (agent && !accept)
		FAULT(L, kind, o, "write accept = function(machine, session) "
		      "... end", "identity = \"agent\" needs an accept hook");
	if (!agent && accept)
		FAULT(L, kind, o, "write identity = \"agent\", or leave accept "
		      "out", "the accept hook never runs with identity = \"%s\"",
		      identity);
	if (agent && !json_is_true(json_object_get(o, "agent")))
		FAULT(L, kind, o, "write agent = true", "identity = \"agent\" "
		      "needs the guest agent");
}

/* kernel and template say what boots; an image may go with either. */
static void check_source(lua_State *L, const char *kind, json_t *o)
{
	static const char *const whole[] = { "kernel", "template", "from" };
	const char *first = NULL;

	if (!has(o, "kernel") && !has(o, "template") && !has(o, "from") &&
	    !has(o, "image"))
		FAULT(L, kind, o, "write from = \"DOMAIN\", image = "
		      "\"FILE.qcow2\", kernel = \"PATH\" (with initrd and "
		      "cmdline) or template = \"FILE.xml\"",
		      "nothing says what its machines boot");
	for (int i = 0; i < 3; i++) {
		if (has(o, whole[i]) && first)
			FAULT(L, kind, o, "leave one out",
			      "'%s' and '%s' exclude each other", first,
			      whole[i]);
		if (has(o, whole[i]))
			first = whole[i];
	}
	if (has(o, "from") && has(o, "image"))
		FAULT(L, kind, o, "leave one out",
		      "'from' and 'image' exclude each other");
	if (!has(o, "kernel") && (has(o, "initrd") || has(o, "cmdline")))
		FAULT(L, kind, o, "write kernel = \"PATH\"",
		      "'%s' needs a 'kernel'",
		      has(o, "initrd") ? "initrd" : "cmdline");
}

/* What only disks made from something have. */
static void check_disk(lua_State *L, const char *kind, json_t *o)
{
	const char *what = json_is_true(json_object_get(o, "copy")) ? "copy" :
			   has(o, "disk_mib") ? "disk" :
			   has(o, "user_data") ? "cloud_init" : NULL;

	if (what && !has(o, "from") && !has(o, "image"))
		FAULT(L, kind, o, "write image = \"FILE.qcow2\" or from = "
		      "\"DOMAIN\", or leave it out",
		      "'%s' needs a disk of the machine's own", what);
	if (strchr(text_of(o, "from"), '/'))
		FAULT(L, kind, o, "for a file write image = \"PATH\"",
		      "from = \"%s\" is not the name of a domain",
		      text_of(o, "from"));
	/* A clone is as large as its original, unless told. */
	if (!has(o, "vcpus") && !has(o, "from"))
		json_object_set_new(o, "vcpus", json_integer(1));
	if (!has(o, "memory_mib") && !has(o, "from"))
		json_object_set_new(o, "memory_mib", json_integer(128));
}

void check_machine(lua_State *L, const char *kind, json_t *o)
{
	check_source(L, kind, o);
	check_disk(L, kind, o);
}

/* what: the field that makes the pool's machines have images, or NULL. */
static void check_images(lua_State *L, const json_t *app, json_t *o,
			 const char *what)
{
	static const char kind[] = "pool";

	if (!what)
		return;
	if (!json_is_true(json_object_get(app, "agent")))
		FAULT(L, kind, o, "write agent = true in the application, or recycle = \"rebuild\"",
		      "%s needs the guest agent: without it a restored machine keeps "
		      "the clock and the random numbers of its image", what);
	if (json_is_true(json_object_get(o, "keep")))
		FAULT(L, kind, o, "leave one out",
		      "%s and keep = true exclude each other: an image goes back "
		      "to what prepare left", what);
	if (has(o, "volume_mib"))
		FAULT(L, kind, o, "leave one out, or write recycle = \"rebuild\"",
		      "%s and volume exclude each other: a data volume is not part "
		      "of a machine's image", what);
}

static void check_recycle(lua_State *L, const json_t *site, json_t *o)
{
	static const char kind[] = "pool";
	const char *recycle = text_of(o, "recycle");
	const char *name = text_of(o, "application");
	const json_t *app = find(site, "applications", name);
	bool untrusted = json_is_true(json_object_get(o, "untrusted"));

	if (strcmp(recycle, "clean") == 0 &&
	    !check_holds(json_object_get(app, "hooks"), "clean"))
		FAULT(L, kind, o, "write one, or recycle = \"rebuild\"",
		      "recycle = \"clean\" needs a clean hook in application "
		      "\"%s\"", name);
	check_images(L, app, o, strcmp(recycle, "revert") == 0 ?
				"recycle = \"revert\"" :
				count_of(o, "saved") ? "saved" : NULL);
	if (untrusted && strcmp(recycle, "rebuild") != 0 &&
	    strcmp(recycle, "revert") != 0)
		FAULT(L, kind, o, "write recycle = \"revert\" or \"rebuild\"",
		      "untrusted = true with recycle = \"%s\": what an untrusted "
		      "user leaves behind cannot be cleaned", recycle);
}

static void check_pool(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "pool";

	check_need(L, site, kind, o, "applications", "application",
		   text_of(o, "application"));
	check_placement(L, site, kind, o);
	if (!has(o, "max"))
		json_object_set(o, "max", json_object_get(o, "serve"));
	if (count_of(o, "spare") > count_of(o, "serve"))
		FAULT(L, kind, o, "spare counts the free ones among serve",
		      "spare = %lld is more than serve = %lld",
		      count_of(o, "spare"), count_of(o, "serve"));
	if (count_of(o, "max") < count_of(o, "serve"))
		FAULT(L, kind, o, "write a larger max, or leave it out",
		      "max = %lld is less than serve = %lld",
		      count_of(o, "max"), count_of(o, "serve"));
	check_machine(L, kind, o);
	check_recycle(L, site, o);
}

static bool is_served(const json_t *site, const char *application)
{
	json_t *pool;
	size_t i;

	json_array_foreach(json_object_get(site, "pools"), i, pool)
		if (strcmp(text_of(pool, "application"), application) == 0)
			return true;
	return false;
}

/* The listener's applications as a list: `application = "mail"` is one. */
static void check_offered(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "listener";
	bool direct = strcmp(text_of(o, "door"), "direct") == 0;
	json_t *names, *name;
	size_t i;

	if (has(o, "application") == has(o, "applications"))
		FAULT(L, kind, o, direct ? "write application = \"NAME\"" :
		      "write applications = { \"NAME\" } or \"*\"",
		      "%s", has(o, "application") ?
		      "'application' and 'applications' exclude each other" :
		      "nothing says what it offers");
	if (has(o, "application")) {
		json_object_set_new(o, "applications",
				    json_pack("[s]", text_of(o, "application")));
		json_object_del(o, "application");
	}
	names = json_object_get(o, "applications");
	if (direct && (json_is_string(names) || json_array_size(names) != 1))
		FAULT(L, kind, o, "write application = \"NAME\", or door = "
		      "\"connect\"", "a direct door offers exactly one "
		      "application");
	if (json_is_array(names) && json_array_size(names) == 0)
		FAULT(L, kind, o, NULL, "the list of applications is empty");
	json_array_foreach(names, i, name) {
		const char *text = json_string_value(name);

		check_need(L, site, kind, o, "applications", "application", text);
		if (!is_served(site, text))
			FAULT(L, kind, o, "declare a pool with that application",
			      "no pool serves application \"%s\"", text);
	}
}

/* Who comes with ssh is known by a key, and by nothing else. */
static void check_ssh(lua_State *L, json_t *o)
{
	static const char kind[] = "listener";
	bool ssh = strcmp(text_of(o, "door"), "ssh") == 0;
	bool key = strcmp(text_of(o, "user_source"), "key") == 0;

	if (ssh && !key)
		FAULT(L, kind, o, "write user = \"key\", and ssh_keys = { ... } "
		      "for each user", "an ssh door knows its users by their keys");
	if (key && !ssh)
		FAULT(L, kind, o, "write door = \"ssh\"",
		      "user = \"key\" is for ssh doors");
	if (ssh && has(o, "tls"))
		FAULT(L, kind, o, "leave tls out", "ssh brings its own encryption");
	if (!ssh && has(o, "host_key"))
		FAULT(L, kind, o, "leave it out", "'host_key' is for ssh doors");
}

static void check_listener(lua_State *L, json_t *site, json_t *o, size_t index)
{
	static const char kind[] = "listener";
	bool direct = strcmp(text_of(o, "door"), "direct") == 0;
	const char *source = text_of(o, "user_source");
	json_t *list = json_object_get(site, "listeners"), *row;
	size_t i;

	if (strcmp(source, "peer") == 0 && !has(o, "path"))
		FAULT(L, kind, o, "write address = \"unix:PATH\"", "user = "
		      "\"peer\" works on unix sockets only");
	if (strcmp(source, "password") == 0 && direct)
		FAULT(L, kind, o, "write door = \"native\", or user = \"NAME\"",
		      "a direct door cannot ask for a password");
	if (strcmp(source, "certificate") == 0 &&
	    strcmp(text_of(json_object_get(o, "tls"), "client"), "required") != 0)
		FAULT(L, kind, o, "write tls = { certificate = ..., key = ..., "
		      "client_ca = ... }", "user = \"certificate\" needs TLS with "
		      "clients that must show one");
	check_ssh(L, o);
	if (has(o, "path") && (has(o, "proxy") || strcmp(source, "network") == 0))
		FAULT(L, kind, o, "write user = \"peer\", or an IP address",
		      "a unix socket has no networks");
	json_array_foreach(json_object_get(o, "networks"), i, row)
		check_need(L, site, kind, o, "users", "user", text_of(row, "user"));
	if (strcmp(source, "fixed") == 0)
		check_need(L, site, kind, o, "users", "user", text_of(o, "user"));
	check_offered(L, site, o);
	for (i = 0; i < index; i++) {
		json_t *other = json_array_get(list, i);

		if (strcmp(text_of(o, "path"), text_of(other, "path")) == 0 &&
		    strcmp(text_of(o, "ip"), text_of(other, "ip")) == 0 &&
		    count_of(o, "port") == count_of(other, "port"))
			FAULT(L, kind, o, "give it another address", "listener "
			      "\"%s\" at %s:%lld has the same address",
			      text_of(other, "name"), text_of(other, "file"),
			      count_of(other, "line"));
	}
}

/* What is not written about applications is open, and known to be. */
static void fill_applications(json_t *o)
{
	json_object_set_new(o, "applications_open",
			    json_boolean(!has(o, "applications")));
	if (!has(o, "applications"))
		json_object_set_new(o, "applications", json_string("*"));
}

static void check_user(lua_State *L, json_t *site, json_t *o, size_t index)
{
	static const char kind[] = "user";
	static const char *const unique[] = { "token", "uid", "login" };
	size_t i;

	fill_applications(o);
	json_t *names = json_object_get(o, "applications"), *name;
	if (json_is_array(names))
		json_array_foreach(names, i, name)
			check_need(L, site, kind, o, "applications", "application",
			     json_string_value(name));
	if (strcmp(text_of(o, "name"), "peer") == 0 ||
	    strcmp(text_of(o, "name"), "password") == 0 ||
	    strcmp(text_of(o, "name"), "certificate") == 0 ||
	    strcmp(text_of(o, "name"), "key") == 0)
		FAULT(L, kind, o, "give the user another name", "a listener's "
		      "user = \"%s\" has another meaning", text_of(o, "name"));
	for (i = 0; i < index; i++) {
		json_t *other = json_array_get(json_object_get(site, "users"), i);

		for (size_t u = 0; u < 3; u++) {
			json_t *mine = json_object_get(o, unique[u]);

			if (!mine || !json_equal(mine, json_object_get(
						 other, unique[u])))
				continue;
			FAULT(L, kind, o, NULL, "the same %s as user \"%s\" at "
			      "%s:%lld", u == 0 ? "token" : "uid",
			      text_of(other, "name"), text_of(other, "file"),
			      count_of(other, "line"));
		}
	}
}

/* With peers = true every login name is a user. */
static void need_users(lua_State *L, json_t *site, const char *kind, json_t *o,
		       const char *field)
{
	bool peers = json_is_true(json_object_get(site, "peers"));
	json_t *names = json_object_get(o, field), *name;
	size_t i;

	if (!peers && json_is_array(names))
		json_array_foreach(names, i, name)
			check_need(L, site, kind, o, "users", "user",
			     json_string_value(name));
}

static void need_all(lua_State *L, json_t *site, const char *kind, json_t *o,
		     const char *field, const char *what)
{
	json_t *names = json_object_get(o, field), *name;
	size_t i;

	if (json_is_array(names))
		json_array_foreach(names, i, name)
			check_need(L, site, kind, o, field, what,
			     json_string_value(name));
}

static void fill(json_t *o, const char *field, json_t *value)
{
	if (!has(o, field))
		json_object_set(o, field, value);
	json_decref(value);
}

static void check_group(lua_State *L, json_t *site, json_t *o)
{
	fill_applications(o);
	need_users(L, site, "group", o, "members");
	need_all(L, site, "group", o, "applications", "application");
}

static void check_allow(lua_State *L, json_t *site, json_t *o)
{
	/* With users or groups named, the other names nobody. */
	fill(o, "users", has(o, "groups") ? json_array() : json_string("*"));
	fill(o, "groups", json_array());
	fill(o, "applications", json_string("*"));
	fill(o, "listeners", json_string("*"));
	need_users(L, site, "allow", o, "users");
	need_all(L, site, "allow", o, "groups", "group");
	need_all(L, site, "allow", o, "applications", "application");
	need_all(L, site, "allow", o, "listeners", "listener");
}

/* Where it is served: by a pool that keeps its machines, or outside. */
static void check_place(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "resource";
	bool outside = has(o, "ip") || has(o, "path");
	json_t *pool;

	if (outside && has(o, "pool"))
		FAULT(L, kind, o, "leave one out",
		      "'pool' and 'address' exclude each other");
	if (!outside && !has(o, "pool"))
		FAULT(L, kind, o, "write pool = \"NAME\", or address = "
		      "\"127.0.0.1:5432\" for a service outside",
		      "nothing says where it is served");
	if (has(o, "path") && *text_of(o, "path") != '/')
		FAULT(L, kind, o, "write the whole path", "address = \"unix:%s\" "
		      "does not begin with /", text_of(o, "path"));
	if (outside)
		return;
	pool = check_need(L, site, kind, o, "pools", "pool", text_of(o, "pool"));
	if (!json_is_true(json_object_get(pool, "keep")))
		FAULT(L, kind, o, "write keep = true in the pool",
		      "pool \"%s\" does not keep its machines",
		      text_of(o, "pool"));
}

/* Ident is about tcp connections, and asked for at the address they come from. */
static void check_ident(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "resource";
	bool ident = strcmp(text_of(o, "identity"), "ident") == 0;
	bool tcp = has(o, "ip");
	json_t *served;
	size_t i;

	if (ident && !has(o, "ident_ip"))
		FAULT(L, kind, o, "write ident = \"127.0.0.1:113\": where the "
		      "service asks",
		      "identity = \"ident\" without an address to answer at");
	if (!ident && has(o, "ident_ip"))
		FAULT(L, kind, o, "write identity = \"ident\" too",
		      "'ident' is for identity = \"ident\"");
	if (!ident)
		return;
	json_array_foreach(json_object_get(site, "applications"), i, served)
		if (has(o, "pool") && !strcmp(text_of(served, "name"), text_of(
			    check_need(L, site, kind, o, "pools", "pool",
				 text_of(o, "pool")), "application")))
			tcp = strcmp(text_of(served, "endpoint"), "tcp") == 0;
	if (!tcp)
		FAULT(L, kind, o, "write identity = \"proxy\" or \"none\"",
		      "identity = \"ident\" is for services on tcp");
	if (tcp && has(o, "ip") && !strchr(text_of(o, "ip"), ':') !=
				   !strchr(text_of(o, "ident_ip"), ':'))
		FAULT(L, kind, o, "write both as IPv4 or both as IPv6",
		      "'ident' and 'address' are of different kinds");
}

static void check_resource(lua_State *L, json_t *site, json_t *o)
{
	static const char kind[] = "resource";
	bool peers = json_is_true(json_object_get(site, "peers"));
	json_t *row;
	size_t i;

	check_place(L, site, o);
	check_ident(L, site, o);
	json_array_foreach(json_object_get(o, "access"), i, row) {
		const char *user = text_of(row, "user");

		if (user[0] == '@')
			check_need(L, site, kind, o, "groups", "group", user + 1);
		/* With peers = true every login name is a user. */
		else if (!peers && strcmp(user, "*") != 0)
			check_need(L, site, kind, o, "users", "user", user);
	}
}

/* Is a resource this application may reach known to listen for addresses? */
static bool reaches_by_address(json_t *site, json_t *application)
{
	json_t *resources = json_object_get(site, "resources"), *r;
	size_t i;

	json_array_foreach(resources, i, r)
		if (has(r, "listen_ip") &&
		    check_holds(json_object_get(application, "resources"),
			       text_of(r, "name")))
			return true;
	return false;
}

/* The source address tells whose machine it is: no two may have the same. */
static void check_own_address(lua_State *L, json_t *taken, json_t *pool,
			      const char *pattern)
{
	static const char kind[] = "pool";
	char name[128], address[256];

	for (int64_t i = 1; i <= count_of(pool, "max"); i++) {
		const char *other;

		snprintf(name, sizeof(name), "%s-%02lld", text_of(pool, "name"),
			 (long long)i);
		text_expand(slice_of(pattern), (uint32_t)i, name, address,
			    sizeof(address));
		other = json_string_value(json_object_get(taken, address));
		if (strcmp(address, "10.0.2.15") == 0)
			FAULT(L, kind, pool, "give each machine an address of its "
			      "own, such as tcp:10.0.7.{index}:25", "10.0.2.15 is "
			      "every guest's address under user-mode networking; a "
			      "resource that listens cannot tell them apart");
		if (other)
			FAULT(L, kind, pool, "give each machine an address of its "
			      "own, such as tcp:10.0.7.{index}:25", "%s and %s "
			      "both have the address %s; a resource that listens "
			      "cannot tell them apart", other, name, address);
		json_object_set_new(taken, address, json_string(name));
	}
}

static void check_addresses(lua_State *L, json_t *site)
{
	json_t *pools = json_object_get(site, "pools"), *pool;
	json_t *taken = json_object();
	size_t i;

	/* Its bin is the site's: a fault leaves by longjmp. */
	json_object_set_new(site, "addresses", taken);
	json_array_foreach(pools, i, pool) {
		json_t *a = check_need(L, site, "pool", pool, "applications",
				 "application", text_of(pool, "application"));
		const char *pattern = text_of(a, "endpoint_host");

		if (*pattern && reaches_by_address(site, a))
			check_own_address(L, taken, pool, pattern);
	}
	json_object_del(site, "addresses");
}

static void check_all(lua_State *L, json_t *site, const char *list,
		      void (*check)(lua_State *, json_t *, json_t *))
{
	json_t *o;
	size_t i;

	json_array_foreach(json_object_get(site, list), i, o)
		check(L, site, o);
}

void check_site(lua_State *L, json_t *site)
{
	json_t *hosts = json_object_get(site, "hosts"), *o;
	size_t i;

	/* A site without a host statement runs where the engine runs. */
	if (json_array_size(hosts) == 0)
		json_array_append_new(hosts, json_pack(
			"{s:s,s:O,s:O,s:s,s:i}", "name", "local",
			"file", json_object_get(site, "file"),
			"line", json_object_get(site, "line"),
			"uri", "auto", "boot_parallel", 2));
	check_all(L, site, "hosts", check_host);
	check_all(L, site, "applications", check_application);
	check_all(L, site, "pools", check_pool);
	check_all(L, site, "clusters", check_cluster);
	check_all(L, site, "rules", check_rule);
	json_array_foreach(json_object_get(site, "users"), i, o)
		check_user(L, site, o, i);
	check_all(L, site, "groups", check_group);
	check_all(L, site, "allows", check_allow);
	check_all(L, site, "resources", check_resource);
	check_addresses(L, site);
	json_array_foreach(json_object_get(site, "listeners"), i, o)
		check_listener(L, site, o, i);
}
