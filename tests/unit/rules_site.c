/*
 * The site language: a full site with modules becomes the documented JSON and
 * a struct site_spec; every kind of mistake is refused at its place.
 */
#include <jansson.h>

#include "engine/loop/site.h"
#include "tests/unit/rules_harness.h"

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKxd"

static const char full[] =
	"site \"demo\" { peers = true, history = \"90 days\" }\n"
	"local mail = require \"applications.mail\"\n"
	"host \"here\" { uri = \"qemu:///system\", boot_parallel = 3 }\n"
	"application \"mail\" (mail)\n"
	"application \"files\" {\n"
	"    endpoint = \"channel\", identity = \"none\",\n"
	"}\n"
	"pool \"mail\" {\n"
	"    application = \"mail\", serve = 15, spare = 3, max = 20,\n"
	"    kernel = \"boot/vmlinuz\", initrd = \"boot/mail.img\",\n"
	"    cmdline = \"console=ttyS0 quiet\", vcpus = 2, memory = \"1 GiB\",\n"
	"    recycle = \"clean\", saved = 2, boot_deadline = \"2 min\",\n"
	"}\n"
	"pool \"files\" {\n"
	"    application = \"files\", serve = 1, template = \"files.xml\",\n"
	"    keep = true, volume = \"64 MiB\", recycle = \"none\",\n"
	"}\n"
	"listener \"kiosk\" { door = \"direct\", address = \"127.0.0.1:7070\",\n"
	"    user = \"kiosk\", application = \"mail\", wait = 5 }\n"
	"listener \"local\" { door = \"native\", address = \"unix:local.sock\",\n"
	"    user = \"peer\", applications = \"*\" }\n"
	"listener \"web\" { door = \"connect\", address = \"127.0.0.1:3128\",\n"
	"    user = \"password\", applications = \"*\", opening_deadline = \"5 s\",\n"
	"    opening_per_source = 8 }\n"
	"listener \"socks\" { door = \"socks5\", address = \"127.0.0.1:1080\",\n"
	"    applications = { \"mail\" }, proxy = { \"10.0.0.9\", \"::1\" },\n"
	"    user = { [\"127.0.0.0/8\"] = \"kiosk\", [\"10.1.0.0/16\"] = \"anna\" } }\n"
	"listener \"tls\" { door = \"direct\", address = \"127.0.0.1:7443\",\n"
	"    user = \"certificate\", application = \"mail\", tls = {\n"
	"    certificate = \"tls/gw.pem\", key = \"tls/gw.key\", client_ca = \"ca.pem\" } }\n"
	"listener \"six\" { door = \"native\", address = \"[::1]:7071\",\n"
	"    user = \"password\", applications = { \"mail\", \"files\" } }\n"
	"listener \"jump\" { door = \"ssh\", address = \"127.0.0.1:22\", user = \"key\",\n"
	"    host_key = \"ssh_host\", applications = \"*\" }\n"
	"user \"kiosk\" { limit = 100, ssh_keys = { \"ssh-ed25519 " KEY " a b\" } }\n"
	"user \"anna\" { password = \"$y$j9T$abc$def\", uid = 1000,\n"
	"    applications = { \"mail\" } }\n"
	"user \"ben@example.org\" { uid = \"ben\", token = (\"0123456789abcdef\"):rep(4) }\n"
	"resource \"files\" { pool = \"files\", access = { anna = true,\n"
	"    [\"*\"] = false, zoe = true, ben = false, carl = true } }\n"
	"group \"students\" { members = { \"anna\", \"carl\" }, priority = 2,\n"
	"    limit = 30, applications = { \"files\" } }\n"
	"group \"all\" { members = \"*\" }\n"
	"allow { users = { \"anna\" }, groups = { \"all\" },\n"
	"    applications = \"mail\", listeners = { \"kiosk\", \"six\" } }\n"
	"allow { groups = { \"students\" } }\n"
	"allow { }\n"
	"resource \"db\" { address = \"[::1]:5432\", listen = \"10.0.7.254:5432\",\n"
	"    identity = \"ident\", ident = \"[::1]:113\",\n"
	"    access = { [\"@students\"] = true } }\n"
	"resource \"web\" { address = \"unix:/run/web.sock\", identity = \"none\",\n"
	"    access = { \"anna\" } }\n";

static const struct module_text modules[] = {
	{ "applications.mail", "scripts/applications/mail.lua",
	  "local port = require \"lib.port\"\n"
	  "return {\n"
	  "  endpoint = port.endpoint(25), identity = \"agent\",\n"
	  "  resources = { \"files\" },\n"
	  "  prepare = function(machine) end,\n"
	  "  accept = function(machine, session) end,\n"
	  "  clean = function(machine, session) end,\n"
	  "  accept_deadline = \"1500 ms\",\n"
	  "  idle = \"10 min\", longest = \"8 h\", warn = \"5 min\",\n"
	  "  linger = \"2 min\", connections = \"shared\",\n"
	  "  half_close_limit = \"1 min\",\n"
	  "}\n" },
	{ "lib.port", "scripts/lib/port.lua",
	  "local M = {}\n"
	  "function M.endpoint(n) return \"tcp:10.0.7.{index}:\" .. n end\n"
	  "return M\n" },
	{ "bad.syntax", "scripts/bad/syntax.lua", "local x = 1\n\nif then\n" },
	{ "bad.error", "scripts/bad/error.lua",
	  "local x\nlocal function f()\n  return x.y\nend\nf()\n" },
	{ "bad.self", "scripts/bad/self.lua", "require \"bad.other\"\n" },
	{ "bad.other", "scripts/bad/other.lua", "\nrequire \"bad.self\"\n" },
	{ "bad.statement", "scripts/bad/statement.lua",
	  "host \"x\" {}\n\nhost \"y\" { urii = \"auto\" }\n" },
	{ NULL, NULL, NULL },
};

static void test_full(struct role *r)
{
	struct outcome o = role_evaluate(r, full, modules);
	struct site_spec s;
	struct error err = { "" };

	if (!ok(o.done, "a full site loads"))
		tap_bail("%s:%u: %s", o.file, o.line, o.text);
	if (!ok(site_decode(o.json, o.length, &s, &err) == 0, "and is decoded"))
		tap_bail("%s", err.text);
	is_text(s.name, "demo", "site name");
	is_text(s.bundle, "h1", "hash of the bundle");
	ok(s.peers, "peers");
	is_int(s.history_ms, 90 * 86400000ll, "how long sessions are kept");
	is_int(s.history_events_ms, 400 * 86400000ll, "events by default");
	is_int(s.host_count, 1, "one host");
	is_text(s.hosts[0].uri, "qemu:///system", "its uri");
	is_int(s.hosts[0].boot_parallel, 3, "its boots");
	is_int(s.application_count, 2, "two applications");
	const struct site_application *a = &s.applications[0];
	is_text(a->place.file, "site.lua", "file of the application");
	is_int(a->place.line, 4, "line of the application");
	is_text(a->version, "h1", "version of the application");
	is_int(a->endpoint, ENDPOINT_TCP, "tcp endpoint");
	is_text(a->host, "10.0.7.{index}", "its address");
	is_int(a->port, 25, "its port");
	is_int(a->identity, IDENTITY_AGENT, "identity");
	ok(a->agent, "agent by default");
	is_int(a->hooks, 1 << SITE_HOOK_PREPARE | 1 << SITE_HOOK_ACCEPT |
	       1 << SITE_HOOK_CLEAN, "hooks that exist");
	is_int(a->resources.count, 1, "one resource");
	is_text(a->resources.names[0], "files", "its name");
	is_int(a->accept_deadline_ms, 1500, "accept deadline as written");
	is_int(a->idle_ms, 600000, "idle");
	is_int(a->longest_ms, 8 * 3600000, "longest");
	is_int(a->warn_ms, 300000, "warning");
	is_int(a->linger_ms, 120000, "linger");
	ok(a->shared && !s.applications[1].shared, "connections are shared where it says so");
	is_int(a->half_close_ms, 60000, "half-close limit");
	is_int(s.applications[1].idle_ms + s.applications[1].longest_ms, 0,
	       "no limits unless asked for");
	is_int(s.applications[1].half_close_ms, 300000, "but for a half-close");
	is_int(a->prepare_deadline_ms, 60000, "prepare deadline by default");
	is_int(s.applications[1].endpoint, ENDPOINT_CHANNEL, "channel");
	is_int(s.pool_count, 2, "two pools");
	const struct site_pool *p = &s.pools[0];
	is_int(p->place.line, 8, "line of the pool");
	is_int(p->serve, 15, "serve");
	is_int(p->spare, 3, "spare");
	is_int(p->max, 20, "max");
	is_text(p->host, "here", "the only host by default");
	is_text(p->kernel, "boot/vmlinuz", "kernel");
	is_text(p->cmdline, "console=ttyS0 quiet", "cmdline");
	is_int(p->memory_mib, 1024, "memory");
	is_int(p->recycle, RECYCLE_CLEAN, "recycle");
	is_int(p->saved, 2, "saved");
	is_int(p->boot_deadline_ms, 120000, "boot deadline");
	is_int(p->shrink_after_ms, 300000, "shrink_after by default");
	is_int(s.pools[1].max, 1, "max is serve by default");
	is_int(s.pools[1].volume_mib, 64, "volume");
	ok(s.pools[1].keep && !s.pools[0].keep, "keep");
	is_text(s.pools[1].template_path, "files.xml", "template");
	is_int(s.listener_count, 7, "seven listeners");
	is_int(s.listeners[2].door, DOOR_CONNECT, "an HTTP proxy");
	is_int(s.listeners[2].opening_ms, 5000, "its patience");
	is_int(s.listeners[2].opening_per_source, 8, "with so many of one source");
	is_int(s.listeners[3].door, DOOR_SOCKS5, "a SOCKS proxy");
	const struct site_listener *l = &s.listeners[3];
	is_int(l->user_source, USER_NETWORK, "users by network");
	is_int(l->network_count, 2, "two of them");
	is_text(l->networks[0].text, "10.1.0.0/16", "in order");
	is_text(l->networks[0].user, "anna", "with their users");
	is_int(l->networks[0].network.bits, 16, "and width");
	is_int(l->proxy_count, 2, "two load balancers");
	is_text(l->proxies[1].text, "::1", "as written");
	is_int(l[1].user_source, USER_CERTIFICATE, "users by certificate");
	is_text(l[1].tls.file[SITE_TLS_KEY], "tls/gw.key", "the key's file");
	is_text(l[1].tls.file[SITE_TLS_CLIENT_CA], "ca.pem", "who signs clients");
	ok(l[1].tls.client_required && !l->tls.file[0][0], "required by default");
	is_int(s.listeners[3].opening_ms, 10000, "patience by default");
	is_int(s.listeners[3].opening_per_source, 256, "and room for one source");
	is_int(s.listeners[0].door, DOOR_DIRECT, "direct door");
	is_int(s.listeners[0].user_source, USER_FIXED, "fixed user");
	is_text(s.listeners[0].user, "kiosk", "its name");
	is_text(s.listeners[0].ip, "127.0.0.1", "its address");
	is_int(s.listeners[0].wait_ms, 5000, "wait in bare seconds");
	is_text(s.listeners[0].applications.names[0], "mail", "one application");
	is_text(s.listeners[1].path, "local.sock", "unix address");
	ok(s.listeners[1].applications.all, "all applications");
	is_text(s.listeners[5].ip, "::1", "IPv6 address");
	is_int(s.listeners[5].port, 7071, "and port");
	is_int(s.listeners[5].applications.count, 2, "two applications");
	is_text(s.listeners[6].ssh_key, "ssh_host", "a host key");
	ok(s.listeners[6].door == DOOR_SSH && s.listeners[6].user_source == USER_KEY,
	   "users by key");
	is_text(s.users[0].ssh_keys, "ssh-ed25519 " KEY "\n", "a key without its comment");
	is_int(s.user_count, 3, "three users");
	is_int(s.users[0].limit, 100, "limit");
	is_int(s.users[0].uid, -1, "no uid");
	ok(s.users[0].applications.all, "all applications by default");
	is_int(s.users[1].uid, 1000, "uid");
	is_text(s.users[1].password, "$y$j9T$abc$def", "password hash");
	is_text(s.users[2].login, "ben", "login name");
	is_int(strlen(s.users[2].token), 64, "token");
	ok(s.users[0].applications_open && !s.users[1].applications_open,
	   "it is known whose applications were written");
	is_int(s.group_count, 2, "two groups");
	is_int(s.groups[0].members.count, 2, "members");
	is_int(s.groups[0].priority, 2, "priority");
	is_int(s.groups[0].limit, 30, "limit");
	is_text(s.groups[0].applications.names[0], "files", "application");
	ok(s.groups[1].members.all && s.groups[1].applications_open &&
	   !s.groups[1].limit, "a group of everybody, without limit");
	is_int(s.allow_count, 3, "three rules");
	is_text(s.allows[0].name, "rule-1", "named in order");
	is_int(s.allows[0].place.line, 44, "placed");
	is_text(s.allows[0].users.names[0], "anna", "users");
	is_text(s.allows[0].groups.names[0], "all", "groups");
	is_text(s.allows[0].applications.names[0], "mail", "one application");
	is_int(s.allows[0].listeners.count, 2, "listeners");
	ok(!s.allows[1].users.all && s.allows[1].applications.all &&
	   s.allows[1].listeners.all, "with a group named, only its members");
	ok(s.allows[2].users.all, "with nobody named, everybody");
	is_int(s.resource_count, 3, "three resources");
	is_text(s.resources[1].ip, "::1", "one is outside");
	is_int(s.resources[1].port, 5432, "its port");
	is_text(s.resources[1].listen_ip, "10.0.7.254", "listens for machines");
	is_int(s.resources[1].listen_port, 5432, "there");
	is_int(s.resources[1].identity, IDENTITY_IDENT, "the service asks");
	is_int(s.resources[1].ident_port, 113, "at that port");
	is_text(s.resources[1].access[0].user, "@students", "a group has access");
	is_text(s.resources[2].path, "/run/web.sock", "another on a socket");
	is_int(s.resources[0].access_count, 5, "five rows of access");
	is_text(s.resources[0].access[0].user, "*", "sorted: first");
	ok(!s.resources[0].access[0].allowed, "nobody else");
	is_text(s.resources[0].access[4].user, "zoe", "sorted: last");
	site_spec_fini(&s);
	site_spec_fini(&s);
	is_int(s.pool_count, 0, "fini empties and may come twice");

	/* A new role is a new Lua seed: `pairs` has another order. */
	int same = 0;
	for (int i = 0; i < 8; i++) {
		struct role other;

		role_start(&other);
		struct outcome again = role_evaluate(&other, full, modules);
		same += again.done && strcmp(again.json, o.json) == 0;
		free(again.json);
		role_stop(&other);
	}
	is_int(same, 8, "eight other processes give the same bytes");
	free(o.json);
}

#define SITE "site \"s\"\n"
#define APP "application \"a\" { endpoint = \"tcp:25\" }\n"
#define POOL "pool \"p\" { application = \"a\", serve = 2, kernel = \"k\" "
#define FROM "pool \"p\" { application = \"a\", serve = 2, from = \""
#define CLOUD "write cloud_init = { user_data = [[#cloud-config\n...]], meta = { " \
	"KEY = \"TEXT\" } }"
#define OUTSIDE "resource \"r\" { address = \"127.0.0.1:5432\""
#define LISTEN ", listen = \"10.0.7.254:5432\", access = {} }\n"
#define USERS "user \"u\" {}\n"
#define DOOR "listener \"l\" { door = \"direct\", address = \"127.0.0.1:1\", "

static const struct mistake mistakes[] = {
	/* Lua itself */
	{ "site \"s\"\nlocal x = = 1\n", "site.lua", 2,
	  "unexpected symbol near '='", "" },
	{ "site \"s\"\nerror(\"my own words\")\n", "site.lua", 2, "my own words", "" },
	{ "site \"s\"\nlocal function f() error(\"caller\", 2) end\n\nf()\n",
	  "site.lua", 4, "caller", "" },
	{ "site \"s\"\nerror({})\n", "site.lua", 2, "error with a table value", "" },
	{ "local t\n\nt.x = 1\n", "site.lua", 3,
	  "attempt to index a nil value (local 't')", "" },
	{ SITE "pol \"mail\" {}\n", "site.lua", 2, "'pol' is not defined",
	  "did you mean 'pool'?" },
	{ SITE "print(1)\n", "site.lua", 2, "'print' is not available here",
	  "use machine:log(text) in a hook" },
	{ SITE "os.execute(\"x\")\n", "site.lua", 2, "'os' is not available here",
	  "rules have no processes; use machine:exec in a hook" },
	{ SITE "io.open(\"x\")\n", "site.lua", 2, "'io' is not available here",
	  "rules have no files; use machine:write or machine:exec in a hook" },
	{ SITE "local nap = sleep\n", "site.lua", 2, "'sleep' is not available here",
	  "call it in a hook" },
	{ SITE "setmetatable({}, { __gc = function() end })\n", "site.lua", 2,
	  "setmetatable: __gc is not allowed", "do it at the end of the hook" },
	{ SITE "string.dump(function() end)\n", "site.lua", 2,
	  "attempt to call a nil value (field 'dump')", "" },
	{ SITE "assert(load(\"\\27Lua\", \"x\", \"b\"))\n", "site.lua", 2,
	  "attempt to load a binary chunk (mode is 't')", "" },
	{ SITE "local t = {} for i = 1, 1e9 do t[i] = (\"x\"):rep(1e5) .. i end\n",
	  "site.lua", 0, "not enough memory: Lua may use 16 MiB here", "" },
	{ SITE "local s = (\"x\"):rep(1e9)\n", "site.lua", 0,
	  "not enough memory: Lua may use 16 MiB here", "" },
	{ SITE "local s = pcall(pool, \"UPPER\")\n", "site.lua", 2,
	  "\"UPPER\" cannot be the name of a pool",
	  "write small letters, digits and -, at most 63" },
	/* modules */
	{ SITE "\nrequire \"applications.none\"\n", "site.lua", 3,
	  "module 'applications.none' was not found",
	  "put applications/none.lua beside the site file or in the scripts folder" },
	{ SITE "require \"../etc/passwd\"\n", "site.lua", 2,
	  "require needs the name of a module",
	  "write for example require \"applications.mail\"" },
	{ SITE "require \"bad.syntax\"\n", "scripts/bad/syntax.lua", 3,
	  "unexpected symbol near 'then'", "" },
	{ SITE "require \"bad.error\"\n", "scripts/bad/error.lua", 3,
	  "attempt to index a nil value (upvalue 'x')", "" },
	{ SITE "require \"bad.self\"\n", "scripts/bad/other.lua", 2,
	  "module 'bad.self' requires itself", "" },
	{ SITE "require \"bad.statement\"\n", "scripts/bad/statement.lua", 3,
	  "host \"y\": 'urii' is not a field of a host", "did you mean 'uri'?" },
	/* statements */
	{ "host \"h\" {}\n", "site.lua", 1, "there is no site statement",
	  "begin with site \"NAME\" { }" },
	{ "", "site.lua", 1, "there is no site statement",
	  "begin with site \"NAME\" { }" },
	{ SITE "\nsite \"t\"\n", "site.lua", 3,
	  "a second site statement; the first is at site.lua:1", "" },
	{ SITE "host { uri = \"auto\" }\n", "site.lua", 2,
	  "host needs a name first: write host \"NAME\" { ... }", "" },
	{ SITE "host \"Big\" {}\n", "site.lua", 2,
	  "\"Big\" cannot be the name of a host",
	  "write small letters, digits and -, at most 63" },
	{ SITE "user \"a b\" {}\n", "site.lua", 2,
	  "\"a b\" cannot be the name of a user",
	  "write letters, digits and _ . @ -, at most 63" },
	{ SITE "host \"h\" \"x\"\n", "site.lua", 2,
	  "host \"h\": write host \"h\" { field = value, ... }", "" },
	{ SITE "host \"h\" {}\n\nhost \"h\" {}\n", "site.lua", 4,
	  "host \"h\" is already declared at site.lua:2", "give it another name" },
	{ SITE "host \"h\" { \"auto\" }\n", "site.lua", 2,
	  "host \"h\": every value needs a field: write field = value", "" },
	{ SITE APP "\npool \"p\" {\n sreve = 2,\n zzz = 1 }\n", "site.lua", 4,
	  "pool \"p\": 'sreve' is not a field of a pool", "did you mean 'serve'?" },
	{ SITE "host \"h\" { colour = 1 }\n", "site.lua", 2,
	  "host \"h\": 'colour' is not a field of a host",
	  "its fields: uri, boot_parallel, site, labels, vcpus, memory, migrate" },
	{ SITE "application \"a\" {}\n", "site.lua", 2,
	  "application \"a\" needs the field 'endpoint'", "" },
	{ SITE "listener \"l\" { door = \"direct\", address = \"127.0.0.1:1\" }\n",
	  "site.lua", 2, "listener \"l\" needs the field 'user'", "" },
	/* values */
	{ SITE APP "pool \"p\" { application = \"a\", serve = \"15\" }\n", "site.lua",
	  3, "pool \"p\": 'serve' must be a whole number from 0 to 10000, not "
	  "\"15\"", "" },
	{ SITE APP "pool \"p\" { application = \"a\", serve = 1.5 }\n", "site.lua",
	  3, "pool \"p\": 'serve' must be a whole number from 0 to 10000, not 1.5",
	  "" },
	{ SITE APP "pool \"p\" { application = \"a\", serve = 10001 }\n", "site.lua",
	  3, "pool \"p\": 'serve' must be a whole number from 0 to 10000, not 10001",
	  "" },
	{ SITE APP POOL ", memory = \"lots\" }\n", "site.lua", 3,
	  "pool \"p\": 'memory' must be an amount from 16 MiB to 4194304 MiB, "
	  "for example \"128 MiB\", not \"lots\"", "" },
	{ "site \"s\" { history = \"1 h\" }\n", "site.lua", 1,
	  "site \"s\": 'history' must be a time from 1d to 36500d, for example "
	  "\"30 s\", not \"1 h\"", "" },
	{ SITE APP POOL ", boot_deadline = \"1 d\" }\n", "site.lua", 3,
	  "pool \"p\": 'boot_deadline' must be a time from 1000 ms to 60 min, for "
	  "example \"30 s\", not \"1 d\"", "" },
	{ SITE "application \"a\" { endpoint = \"tcp:25\", idle = \"1 s\" }\n",
	  "site.lua", 2, "application \"a\": 'idle' must be a time from 5000 ms "
	  "to 30d, for example \"30 s\", not \"1 s\"", "" },
	{ SITE "application \"a\" { endpoint = \"tcp:25\", warn = \"1 min\" }\n",
	  "site.lua", 2, "application \"a\": 'warn' must be shorter than "
	  "'longest'", "write longest = \"8 h\", or leave warn out" },
	{ SITE "application \"a\" { endpoint = \"tcp:25\", longest = \"1 min\", "
	  "warn = \"2 min\" }\n", "site.lua", 2, "application \"a\": 'warn' must be "
	  "shorter than 'longest'", "write longest = \"8 h\", or leave warn out" },
	{ SITE APP POOL ", keep = 1 }\n", "site.lua", 3,
	  "pool \"p\": 'keep' must be true or false, not 1", "" },
	{ SITE APP POOL ", recycle = \"wash\" }\n", "site.lua", 3,
	  "pool \"p\": 'recycle' must be \"clean\" or \"revert\" or \"rebuild\" or "
	  "\"none\", not \"wash\"", "" },
	{ SITE APP POOL ", saved = 1001 }\n", "site.lua", 3,
	  "pool \"p\": 'saved' must be a whole number from 0 to 1000, not 1001",
	  "" },
	{ SITE APP POOL ", recycle = \"revert\", keep = true }\n", "site.lua", 3,
	  "pool \"p\": recycle = \"revert\" and keep = true exclude each other: an "
	  "image goes back to what prepare left", "leave one out" },
	{ SITE APP POOL ", saved = 1, volume = \"8 MiB\" }\n", "site.lua", 3,
	  "pool \"p\": saved and volume exclude each other: a data volume is not "
	  "part of a machine's image",
	  "leave one out, or write recycle = \"rebuild\"" },
	{ SITE "application \"a\" { endpoint = \"channel\", agent = false }\n"
	  POOL ", recycle = \"revert\" }\n", "site.lua", 3,
	  "pool \"p\": recycle = \"revert\" needs the guest agent: without it a "
	  "restored machine keeps the clock and the random numbers of its image",
	  "write agent = true in the application, or recycle = \"rebuild\"" },
	{ SITE APP POOL ", saved = 3, keep = true }\n", "site.lua", 3,
	  "pool \"p\": saved and keep = true exclude each other: an image goes "
	  "back to what prepare left", "leave one out" },
	/* machines from what operators have */
	{ SITE APP FROM "d12\", image = \"x.qcow2\" }\n", "site.lua", 3,
	  "pool \"p\": 'from' and 'image' exclude each other", "leave one out" },
	{ SITE APP FROM "d12\", kernel = \"k\" }\n", "site.lua", 3,
	  "pool \"p\": 'kernel' and 'from' exclude each other", "leave one out" },
	{ SITE APP FROM "/images/d12.qcow2\" }\n", "site.lua", 3,
	  "pool \"p\": from = \"/images/d12.qcow2\" is not the name of a domain",
	  "for a file write image = \"PATH\"" },
	{ SITE APP POOL ", copy = true }\n", "site.lua", 3,
	  "pool \"p\": 'copy' needs a disk of the machine's own",
	  "write image = \"FILE.qcow2\" or from = \"DOMAIN\", or leave it out" },
	{ SITE APP POOL ", disk = \"1 GiB\" }\n", "site.lua", 3,
	  "pool \"p\": 'disk' needs a disk of the machine's own",
	  "write image = \"FILE.qcow2\" or from = \"DOMAIN\", or leave it out" },
	{ SITE APP FROM "d12\", disk = 0 }\n", "site.lua", 3,
	  "pool \"p\": 'disk' must be an amount from 1 MiB to 16777216 MiB, "
	  "for example \"128 MiB\", not 0", "" },
	{ SITE APP FROM "d12\", cloud_init = \"x\" }\n", "site.lua", 3,
	  "pool \"p\": 'cloud_init' must be a table, not a string", CLOUD },
	{ SITE APP FROM "d12\", cloud_init = {} }\n", "site.lua", 3,
	  "pool \"p\": 'cloud_init' needs user_data", CLOUD },
	{ SITE APP FROM "d12\", cloud_init = { user = \"x\" } }\n", "site.lua", 3,
	  "pool \"p\": 'cloud_init' has an unknown field", CLOUD },
	{ SITE APP FROM "d12\", cloud_init = { user_data = \"a\\0b\" } }\n",
	  "site.lua", 3, "pool \"p\": 'cloud_init.user_data' must be a text in "
	  "UTF-8 of 1 to 16383 bytes", CLOUD },
	{ SITE APP FROM "d12\", cloud_init = { user_data = \"x\", meta = { "
	  "[\"instance-id\"] = \"x\" } } }\n", "site.lua", 3,
	  "pool \"p\": 'cloud_init.meta' has a key that cannot be used, or more "
	  "than 32", "keys have letters, digits, _ and -; instance-id and "
	  "local-hostname are written by Remuda" },
	{ SITE "application \"a\" { endpoint = \"tcp:99999\" }\n", "site.lua", 2,
	  "application \"a\": 'endpoint' must be \"channel\", \"tcp:25\", "
	  "\"tcp:10.0.7.{index}:25\" or \"unix:/PATH\", not \"tcp:99999\"", "" },
	{ SITE "application \"a\" { endpoint = \"tcp:10.0.{n}:1\" }\n", "site.lua", 2,
	  "application \"a\": 'endpoint' must be \"channel\", \"tcp:25\", "
	  "\"tcp:10.0.7.{index}:25\" or \"unix:/PATH\", not \"tcp:10.0.{n}:1\"",
	  "" },
	{ SITE "application \"a\" { endpoint = \"tcp:1\\xff:1\" }\n", "site.lua", 2,
	  "application \"a\": 'endpoint' must be \"channel\", \"tcp:25\", "
	  "\"tcp:10.0.7.{index}:25\" or \"unix:/PATH\", not \"tcp:1\\xff:1\"", "" },
	{ SITE "application \"a\" { endpoint = \"vsock:1\" }\n", "site.lua", 2,
	  "application \"a\": endpoint = \"vsock:1\" is not in this version yet",
	  "use \"channel\"" },
	{ SITE "application \"a\" { endpoint = \"channel\", connections = \"shared\" }\n",
	  "site.lua", 2, "application \"a\": connections = \"shared\" needs a tcp "
	  "endpoint: another takes one connection at a time",
	  "write endpoint = \"tcp:PORT\", or leave connections out" },
	{ SITE "application \"a\" { endpoint = \"tcp:1\", connections = \"many\" }\n",
	  "site.lua", 2, "application \"a\": 'connections' must be \"one\" or "
	  "\"shared\", not \"many\"", "" },
	{ SITE "application \"a\" { endpoint = \"channel\", prepare = \"x\" }\n",
	  "site.lua", 2, "application \"a\": 'prepare' must be a function, not a "
	  "string; write prepare = function(machine) ... end", "" },
	{ SITE "user \"u\" { password = \"secret\" }\n", "site.lua", 2,
	  "user \"u\": 'password' must be a crypt(3) hash such as \"$y$...\", never "
	  "the password itself", "mkpasswd -m yescrypt makes one" },
	{ SITE "user \"u\" { token = \"abc\" }\n", "site.lua", 2,
	  "user \"u\": 'token' must be the SHA-256 of the token, 64 digits of "
	  "0-9a-f", "printf %s TOKEN | sha256sum makes it" },
	{ SITE "user \"u\" { applications = { 1 } }\n", "site.lua", 2,
	  "user \"u\": 'applications' must be a list of names such as { \"mail\" }, "
	  "or \"*\", not 1", "" },
	{ SITE "user \"u\" { uid = -1 }\n", "site.lua", 2,
	  "user \"u\": 'uid' must be a user number or a login name, not -1", "" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\", application = \"a\", "
	  "wait = {} }\n", "site.lua", 5, "listener \"l\": 'wait' must be a time "
	  "from 0 ms to 1d, for example \"30 s\", not a table", "" },
	{ SITE "listener \"l\" { door = \"direct\", user = \"u\", address = "
	  "\"localhost:80\" }\n", "site.lua", 2, "listener \"l\": 'address' must be "
	  "an IP address and a port such as \"127.0.0.1:7070\" or \"[::1]:7070\", "
	  "or \"unix:PATH\", not \"localhost:80\"", "" },
	/* the whole */
	{ SITE APP "\npool \"p\" { application = \"aa\", serve = 1 }\n", "site.lua", 4,
	  "pool \"p\": there is no application \"aa\"", "did you mean 'a'?" },
	{ SITE APP POOL ", host = \"hv\" }\n", "site.lua", 3,
	  "pool \"p\": there is no host \"hv\"", "declare host \"hv\" { ... }" },
	{ SITE APP POOL ", spare = 3 }\n", "site.lua", 3,
	  "pool \"p\": spare = 3 is more than serve = 2",
	  "spare counts the free ones among serve" },
	{ SITE APP POOL ", max = 1 }\n", "site.lua", 3,
	  "pool \"p\": max = 1 is less than serve = 2",
	  "write a larger max, or leave it out" },
	{ SITE APP "pool \"p\" { application = \"a\", serve = 1 }\n", "site.lua", 3,
	  "pool \"p\": nothing says what its machines boot",
	  "write from = \"DOMAIN\", image = \"FILE.qcow2\", kernel = \"PATH\" (with initrd and cmdline) or template = "
	  "\"FILE.xml\"" },
	{ SITE APP POOL ", template = \"t\" }\n", "site.lua", 3,
	  "pool \"p\": 'kernel' and 'template' exclude each other",
	  "leave one out" },
	{ SITE APP POOL ", recycle = \"clean\" }\n", "site.lua", 3,
	  "pool \"p\": recycle = \"clean\" needs a clean hook in application \"a\"",
	  "write one, or recycle = \"rebuild\"" },
	{ SITE APP POOL ", recycle = \"none\", untrusted = true }\n", "site.lua", 3,
	  "pool \"p\": untrusted = true with recycle = \"none\": what an untrusted "
	  "user leaves behind cannot be cleaned",
	  "write recycle = \"revert\" or \"rebuild\"" },
	{ SITE "application \"a\" { endpoint = \"channel\", identity = \"agent\" }\n",
	  "site.lua", 2,
	  "application \"a\": identity = \"agent\" needs an accept hook",
	  "write accept = function(machine, session) ... end" },
	{ SITE "application \"a\" { endpoint = \"channel\", resources = { \"r\" } }\n",
	  "site.lua", 2, "application \"a\": there is no resource \"r\"",
	  "declare resource \"r\" { ... }" },
	{ SITE APP POOL "}\n" DOOR "user = \"pasword\", application = \"a\" }\n"
	  "user \"password1\" {}\n", "site.lua", 4,
	  "listener \"l\": there is no user \"pasword\"",
	  "did you mean 'password1'?" },
	{ SITE APP POOL "}\n" DOOR "user = \"password\", application = \"a\" }\n",
	  "site.lua", 4,
	  "listener \"l\": a direct door cannot ask for a password",
	  "write door = \"native\", or user = \"NAME\"" },
	{ SITE APP POOL "}\n" DOOR "user = \"peer\", application = \"a\" }\n",
	  "site.lua", 4, "listener \"l\": user = \"peer\" works on unix sockets only",
	  "write address = \"unix:PATH\"" },
	{ SITE USERS APP DOOR "user = \"u\", application = \"a\" }\n", "site.lua", 4,
	  "listener \"l\": no pool serves application \"a\"",
	  "declare a pool with that application" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\" }\n", "site.lua", 5,
	  "listener \"l\": nothing says what it offers",
	  "write application = \"NAME\"" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\", applications = \"*\" }\n",
	  "site.lua", 5, "listener \"l\": a direct door offers exactly one "
	  "application", "write application = \"NAME\", or door = \"connect\"" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\", application = \"a\" }\n"
	  "listener \"m\" { door = \"direct\", address = \"127.0.0.1:1\", user = "
	  "\"u\", application = \"a\" }\n", "site.lua", 6,
	  "listener \"m\": listener \"l\" at site.lua:5 has the same address",
	  "give it another address" },
	{ SITE "user \"u\" { uid = 5 }\nuser \"v\" { uid = 5 }\n", "site.lua", 3,
	  "user \"v\": the same uid as user \"u\" at site.lua:2", "" },
	{ SITE APP POOL "}\nresource \"r\" { pool = \"p\", access = {} }\n",
	  "site.lua", 4, "resource \"r\": pool \"p\" does not keep its machines",
	  "write keep = true in the pool" },
	{ SITE APP POOL ", keep = true }\nresource \"r\" { pool = \"p\", access = "
	  "{ \"nobody\" } }\n", "site.lua", 4,
	  "resource \"r\": there is no user \"nobody\"",
	  "declare user \"nobody\" { ... }" },
	{ SITE "group \"g\" {}\n", "site.lua", 2,
	  "group \"g\" needs the field 'members'", "" },
	{ SITE "group \"g\" { members = { \"x\" } }\n", "site.lua", 2,
	  "group \"g\": there is no user \"x\"", "declare user \"x\" { ... }" },
	{ SITE "group \"g\" { members = { \"a b\" } }\n", "site.lua", 2,
	  "group \"g\": 'members' must be a list of users such as { \"anna\" }, "
	  "or \"*\", not \"a b\"", "" },
	{ SITE "group \"g\" { members = \"*\", priority = 10 }\n", "site.lua", 2,
	  "group \"g\": 'priority' must be a whole number from 0 to 9, not 10",
	  "" },
	{ SITE "allow \"all\"\n", "site.lua", 2,
	  "allow has no name: write allow { field = value, ... }", "" },
	{ SITE "allow { user = \"anna\" }\n", "site.lua", 2,
	  "allow \"rule-1\": 'user' is not a field of a allow",
	  "did you mean 'users'?" },
	{ SITE "allow {}\n\nallow { groups = { \"g\" } }\n", "site.lua", 4,
	  "allow \"rule-2\": there is no group \"g\"",
	  "declare group \"g\" { ... }" },
	{ SITE "allow { listeners = { \"l\" } }\n", "site.lua", 2,
	  "allow \"rule-1\": there is no listener \"l\"",
	  "declare listener \"l\" { ... }" },
	{ SITE "resource \"r\" { pool = \"p\", access = { u = 1 } }\n", "site.lua", 2,
	  "resource \"r\": 'access' must be a table such as { anna = true, "
	  "[\"@students\"] = true, [\"*\"] = false } or { \"anna\", \"ben\" }, "
	  "not 1", "" },
	{ SITE "resource \"r\" { access = {} }\n", "site.lua", 2,
	  "resource \"r\": nothing says where it is served", "write pool = "
	  "\"NAME\", or address = \"127.0.0.1:5432\" for a service outside" },
	{ SITE APP POOL ", keep = true }\nresource \"r\" { pool = \"p\", address = "
	  "\"127.0.0.1:1\", access = {} }\n", "site.lua", 4, "resource \"r\": 'pool' "
	  "and 'address' exclude each other", "leave one out" },
	{ SITE "resource \"r\" { address = \"unix:x.sock\", access = {} }\n",
	  "site.lua", 2, "resource \"r\": address = \"unix:x.sock\" does not begin "
	  "with /", "write the whole path" },
	{ SITE OUTSIDE ", listen = \"unix:/x\", access = {} }\n", "site.lua", 2,
	  "resource \"r\": 'listen' must be an IP address and a port such as "
	  "\"10.0.7.1:5432\", not \"unix:/x\"", "" },
	{ SITE OUTSIDE ", identity = \"ident\", access = {} }\n", "site.lua", 2,
	  "resource \"r\": identity = \"ident\" without an address to answer at",
	  "write ident = \"127.0.0.1:113\": where the service asks" },
	{ SITE OUTSIDE ", ident = \"127.0.0.1:113\", access = {} }\n", "site.lua", 2,
	  "resource \"r\": 'ident' is for identity = \"ident\"",
	  "write identity = \"ident\" too" },
	{ SITE "resource \"r\" { address = \"unix:/x\", identity = \"ident\", ident = "
	  "\"127.0.0.1:113\", access = {} }\n", "site.lua", 2, "resource \"r\": "
	  "identity = \"ident\" is for services on tcp",
	  "write identity = \"proxy\" or \"none\"" },
	{ SITE OUTSIDE ", identity = \"ident\", ident = \"[::1]:113\", access = {} }\n",
	  "site.lua", 2, "resource \"r\": 'ident' and 'address' are of different "
	  "kinds", "write both as IPv4 or both as IPv6" },
	{ SITE OUTSIDE ", access = { [\"@g\"] = true } }\n", "site.lua", 2,
	  "resource \"r\": there is no group \"g\"", "declare group \"g\" { ... }" },
	{ SITE OUTSIDE LISTEN "application \"a\" { endpoint = \"tcp:10.0.7.5:25\", "
	  "resources = { \"r\" } }\npool \"p\" { application = \"a\", serve = 1, max = "
	  "2, kernel = \"k\" }\n", "site.lua", 4, "pool \"p\": p-01 and p-02 both have "
	  "the address 10.0.7.5; a resource that listens cannot tell them apart",
	  "give each machine an address of its own, such as tcp:10.0.7.{index}:25" },
	{ SITE OUTSIDE LISTEN "application \"a\" { endpoint = \"tcp:10.0.2.15:25\", "
	  "resources = { \"r\" } }\npool \"p\" { application = \"a\", serve = 1, "
	  "kernel = \"k\" }\n", "site.lua", 4, "pool \"p\": 10.0.2.15 is every "
	  "guest's address under user-mode networking; a resource that listens "
	  "cannot tell them apart",
	  "give each machine an address of its own, such as tcp:10.0.7.{index}:25" },
};

static void test_bytecode(struct role *r)
{
	static const char code[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n";

	role_load(r, "h1", code, sizeof(code));
	struct outcome o = role_outcome(r, NULL);
	ok(!o.done, "compiled Lua is refused");
	is_text(o.text, "this is compiled Lua; only Lua text is accepted", "text");
}

/* Every one ends within 3 s, and the next site loads. */
static void test_endless(struct role *r)
{
	static const struct {
		const char *lua;
		uint32_t line;
	} endless[] = {
		{ "site \"s\"\n\nwhile true do end\n", 3 },
		{ "while true do\n pcall(error)\nend\n", 0 },
		{ "while true do pcall(function() while true do end end) end", 0 },
		{ "string.find((\"a\"):rep(30), (\"a?\"):rep(30) .. (\"a\"):rep(30))", 0 },
		{ "coroutine.wrap(function() while true do end end)()", 0 },
		{ "xpcall(error, function() while true do end end)", 0 },
		{ "local t = setmetatable({}, { __index = function() while true do end "
		  "end })\nreturn t.x", 0 },
	};

	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		struct outcome o = role_evaluate(r, endless[i].lua, NULL);

		ok(!o.done && o.took_ms < 3000, "an endless site file is refused "
		   "after %lld ms", (long long)o.took_ms);
		is_text(o.text, "the site file did not finish within 2 s", "text");
		if (endless[i].line)
			is_int(o.line, endless[i].line, "line");
	}
	struct outcome o = role_evaluate(r, "site \"s\"\n", NULL);
	ok(o.done, "the next site loads");
	free(o.json);
}

static const char one_module[] = "site \"s\"\nrequire \"lib.port\"\n";

/* The engine may be slow with a module; that is not the site's fault. */
static void test_slow_module(struct role *r)
{
	struct message m;
	int64_t start = test_now_ms();

	role_load(r, "h1", one_module, strlen(one_module));
	role_next(r, &m, 2000);
	is_int(m.type, WIRE_TYPE_bundle_need, "a module is needed");
	ok(role_is_quiet(r, RULES_EVALUATE_MS + 500), "the clock stands still");
	role_give_module(r, &m, modules);
	struct outcome o = role_outcome(r, modules);
	ok(o.done, "and the site loads after %lld ms",
	   (long long)(test_now_ms() - start));
	free(o.json);
}

static void test_replaced(struct role *r)
{
	struct message m;

	role_load(r, "h1", one_module, strlen(one_module));
	role_next(r, &m, 2000);
	role_load(r, "h2", "site \"t\"\n", 9);
	role_next(r, &m, 2000);
	is_int(m.type, WIRE_TYPE_bundle_error, "the first load is answered");
	ok(slice_is(m.bundle_error.hash, "h1"), "with its hash");
	struct outcome o = role_outcome(r, NULL);
	ok(o.done && strstr(o.json, "\"h2\""), "the second is evaluated");
	free(o.json);
}

int main(void)
{
	struct role r;

	role_start(&r);
	test_full(&r);
	role_mistakes(&r, mistakes, sizeof(mistakes) / sizeof(mistakes[0]),
		      modules);
	test_bytecode(&r);
	test_slow_module(&r);
	test_replaced(&r);
	test_endless(&r);
	is_int(role_stop(&r), 0, "the role ends with the engine");
	return tap_done();
}
