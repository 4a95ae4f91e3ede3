/* The site language: what a listener may not say. */
#include "tests/unit/rules_harness.h"

#define SITE "site \"s\"\n"
#define APP "application \"a\" { endpoint = \"tcp:25\" }\n"
#define POOL "pool \"p\" { application = \"a\", serve = 2, kernel = \"k\" "
#define USERS "user \"u\" {}\n"
#define SSH "listener \"l\" { door = \"ssh\", address = \"127.0.0.1:1\", "
#define KEY_TEXT "AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKxd"
#define KEY "ssh-ed25519 " KEY_TEXT
#define DOOR "listener \"l\" { door = \"direct\", address = \"127.0.0.1:1\", "

static const struct mistake mistakes[] = {
	{ SITE DOOR "user = 7 }\n", "site.lua", 2, "listener \"l\": 'user' must be "
	  "\"peer\", \"password\", \"certificate\", \"key\", the name of a user, or "
	  "a table of networks, not 7", "" },
	{ SITE DOOR "user = {} }\n", "site.lua", 2, "listener \"l\": 'user' must be "
	  "a table such as { [\"10.1.0.0/16\"] = \"kiosk\" }, not a table", "" },
	{ SITE DOOR "user = { \"kiosk\" } }\n", "site.lua", 2, "listener \"l\": "
	  "'user' must be a table such as { [\"10.1.0.0/16\"] = \"kiosk\" }, not "
	  "a table", "" },
	{ SITE DOOR "user = { [\"10.1.0.0/8\"] = \"kiosk\" } }\n", "site.lua", 2,
	  "listener \"l\": 'user': \"10.1.0.0/8\" has bits behind its /8: write the "
	  "network's first address", "" },
	{ SITE DOOR "user = { [\"lan\"] = \"kiosk\" } }\n", "site.lua", 2,
	  "listener \"l\": 'user': \"lan\" is no network such as \"10.1.0.0/16\" or "
	  "\"2001:db8::/32\"", "" },
	{ SITE DOOR "user = \"u\", proxy = {} }\n", "site.lua", 2, "listener \"l\": "
	  "'proxy' must be a list of networks such as { \"127.0.0.0/8\" }, not a "
	  "table", "" },
	{ SITE DOOR "user = \"u\", proxy = { \"::1\", \"::1/128\" } }\n", "site.lua", 2,
	  "listener \"l\": 'proxy' names the network \"::1/128\" twice", "" },
	{ SITE DOOR "user = \"u\", tls = \"a.pem\" }\n", "site.lua", 2, "listener "
	  "\"l\": 'tls' must be a table such as { certificate = \"gateway.pem\", key "
	  "= \"gateway.key\" }, not \"a.pem\"", "" },
	{ SITE DOOR "user = \"u\", tls = { certificate = \"a.pem\" } }\n", "site.lua", 2,
	  "listener \"l\": 'tls' needs both certificate = \"FILE\" and key = "
	  "\"FILE\"", "" },
	{ SITE DOOR "user = \"u\", tls = { cert = \"a.pem\" } }\n", "site.lua", 2,
	  "listener \"l\": 'tls' has no field 'cert'", "" },
	{ SITE DOOR "user = \"u\", tls = { certificate = \"a\", key = \"b\", client = "
	  "\"required\" } }\n", "site.lua", 2, "listener \"l\": client = \"required\" "
	  "needs a client_ca", "write client_ca = \"FILE\"" },
	{ SITE DOOR "user = \"u\", tls = { certificate = \"a\", key = \"b\", client = "
	  "\"maybe\" } }\n", "site.lua", 2, "listener \"l\": 'client' of 'tls' must be "
	  "\"required\", \"optional\" or \"none\", not \"maybe\"", "" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"certificate\", application = \"a\" "
	  "}\n", "site.lua", 5, "listener \"l\": user = \"certificate\" needs TLS with "
	  "clients that must show one", "write tls = { certificate = ..., key = ..., "
	  "client_ca = ... }" },
	{ SITE USERS APP POOL "}\n" DOOR "user = { [\"::1\"] = \"nobody\" }, "
	  "application = \"a\" }\n", "site.lua", 5, "listener \"l\": there is no user "
	  "\"nobody\"", "declare user \"nobody\" { ... }" },
	{ SITE USERS APP POOL "}\n" SSH "user = \"u\", application = \"a\" }\n",
	  "site.lua", 5, "listener \"l\": an ssh door knows its users by their keys",
	  "write user = \"key\", and ssh_keys = { ... } for each user" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"key\", application = \"a\" }\n",
	  "site.lua", 5, "listener \"l\": user = \"key\" is for ssh doors",
	  "write door = \"ssh\"" },
	{ SITE USERS APP POOL "}\n" SSH "user = \"key\", application = \"a\", tls = { "
	  "certificate = \"a\", key = \"b\" } }\n", "site.lua", 5, "listener \"l\": ssh "
	  "brings its own encryption", "leave tls out" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\", application = \"a\", host_key "
	  "= \"b\" }\n", "site.lua", 5, "listener \"l\": 'host_key' is for ssh doors",
	  "leave it out" },
	{ SITE "user \"u\" { ssh_keys = \"ssh-ed25519 AAAA\" }\n", "site.lua", 2,
	  "user \"u\": 'ssh_keys' must be a list of public keys such as { "
	  "\"ssh-ed25519 AAAA...\" }, not \"ssh-ed25519 AAAA\"", "" },
	{ SITE "user \"u\" { ssh_keys = { \"" KEY "\", \"ssh-ed25519 AAAA\" } }\n",
	  "site.lua", 2, "user \"u\": 'ssh_keys', key 2: that is no public key",
	  "write the line of its .pub file" },
	{ SITE "user \"u\" { ssh_keys = { \"ssh-rsa " KEY_TEXT "\" } }\n", "site.lua", 2,
	  "user \"u\": 'ssh_keys', key 1: the key in it is of type "
	  "ssh-ed25519", "write the line of its .pub file" },
	{ SITE "user \"key\" { }\n", "site.lua", 2, "user \"key\": a listener's user = "
	  "\"key\" has another meaning", "give the user another name" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\", application = \"a\", "
	  "opening_deadline = \"10 min\" }\n", "site.lua", 5, "listener \"l\": "
	  "'opening_deadline' must be a time from 100 ms to 5 min, for example "
	  "\"30 s\", not \"10 min\"", "" },
	{ SITE USERS APP POOL "}\n" DOOR "user = \"u\", application = \"a\", "
	  "opening_per_source = 0 }\n", "site.lua", 5, "listener \"l\": "
	  "'opening_per_source' must be a whole number from 1 to 65535, not 0", "" },
};

int main(void)
{
	struct role r;

	role_start(&r);
	role_mistakes(&r, mistakes, sizeof(mistakes) / sizeof(mistakes[0]), NULL);
	is_int(role_stop(&r), 0, "the role ends with the engine");
	return tap_done();
}
