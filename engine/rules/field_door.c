/*
 * Values of a listener's fields: where its user comes from, its TLS, the load
 * balancers before it; see declare.h.  JSON: engine/rules/site.h.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/network.h"
#include "engine/rules/declare.h"
#include "engine/rules/field.h"
#include "engine/rules/sandbox.h"
#include "engine/rules/schema.h"
#include "engine/wire/sshkey.h"

enum { NETWORKS_MAX = 64, PROXIES_MAX = 16, KEYS_MAX = 16 };

/* Raises unless text is a network, and none that is in seen[0..count). */
static void take_network(lua_State *L, const struct field_owner *o,
			 const struct field *f, const char *text,
			 struct network *seen, size_t count, size_t max)
{
	struct error err;

	if (count == max)
		sandbox_fail(L, o->place, NULL, "%s: '%s' holds more than %zu "
			     "networks", o->title, f->name, max);
	if (network_parse(text, &seen[count], &err) < 0)
		sandbox_fail(L, o->place, NULL, "%s: '%s': %s", o->title,
			     f->name, err.text);
	for (size_t i = 0; i < count; i++)
		if (network_same(&seen[i], &seen[count]))
			sandbox_fail(L, o->place, NULL, "%s: '%s' names the "
				     "network \"%s\" twice", o->title, f->name,
				     text);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of the table on the top in byte order: Lua's own order differs from
 * run to run.  False when one is no text or there are more than max. */
static bool sorted_keys(lua_State *L, const char **keys, size_t max, size_t *count)
{
	*count = 0;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || *count == max) {
			lua_pop(L, 2);
			return false;
		}
		keys[(*count)++] = lua_tostring(L, -2);
	}
	qsort(keys, *count, sizeof(keys[0]), compare_words);
	return true;
}

/* { ["127.0.0.0/8"] = "kiosk" }; sorted. */
static void set_networks(lua_State *L, const struct field_owner *o,
			 const struct field *f)
{
	static const char want[] = "a table such as { [\"10.1.0.0/16\"] = "
				   "\"kiosk\" }";
	struct network seen[NETWORKS_MAX];
	const char *keys[NETWORKS_MAX];
	json_t *list = json_array();
	size_t count;

	json_object_set_new(o->out, "user_source", json_string("network"));
	json_object_set_new(o->out, "networks", list);
	if (!sorted_keys(L, keys, NETWORKS_MAX, &count) || !count)
		field_wrong(L, o, f, want);
	for (size_t i = 0; i < count; i++) {
		lua_getfield(L, -1, keys[i]);
		const char *user = field_plain_text(L, 63);

		if (!user || !text_is_user(user))
			field_wrong(L, o, f, want);
		take_network(L, o, f, keys[i], seen, i, NETWORKS_MAX);
		json_array_append_new(list, json_pack("{s:s,s:s}", "network",
						      keys[i], "user", user));
		lua_pop(L, 1);
	}
}

void field_set_source(lua_State *L, const struct field_owner *o,
		      const struct field *f)
{
	const char *text = field_plain_text(L, 63);
	bool word = text && (strcmp(text, "peer") == 0 ||
			     strcmp(text, "password") == 0 ||
			     strcmp(text, "certificate") == 0 ||
			     strcmp(text, "key") == 0);

	if (lua_istable(L, -1)) {
		set_networks(L, o, f);
		return;
	}
	if (!text || !text_is_user(text))
		field_wrong(L, o, f, "\"peer\", \"password\", \"certificate\", "
			    "\"key\", the name of a user, or a table of networks");
	json_object_set_new(o->out, "user_source",
			    json_string(word ? text : "fixed"));
	if (!word)
		json_object_set_new(o->out, "user", json_string(text));
}

void field_set_proxies(lua_State *L, const struct field_owner *o,
		       const struct field *f)
{
	static const char want[] = "a list of networks such as "
				   "{ \"127.0.0.0/8\" }";
	struct network seen[PROXIES_MAX];
	json_t *list = json_array();
	size_t count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0, all = 0;

	json_object_set_new(o->out, f->name, list);
	if (!count)
		field_wrong(L, o, f, want);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		all++;
	if (all != count)
		field_wrong(L, o, f, want);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		const char *text = field_plain_text(L, 63);

		if (!text)
			field_wrong(L, o, f, want);
		take_network(L, o, f, text, seen, i, PROXIES_MAX);
		json_array_append_new(list, json_string(text));
		lua_pop(L, 1);
	}
}

static const char *const tls_words[] = { "certificate", "key", "client_ca",
					 "client", NULL };

static void check_tls_word(lua_State *L, const struct field_owner *o,
			   const char *word)
{
	char hint[128];

	for (int i = 0; tls_words[i]; i++)
		if (strcmp(word, tls_words[i]) == 0)
			return;
	sandbox_nearest(hint, sizeof(hint), word, tls_words);
	sandbox_fail(L, o->place, *hint ? hint : NULL, "%s: 'tls' has no field "
		     "'%.40s'", o->title, word);
}

/* { certificate = "a.pem", key = "a.key", client_ca = "ca.pem",
 *   client = "required" } */
void field_set_tls(lua_State *L, const struct field_owner *o,
		   const struct field *f)
{
	static const char want[] = "a table such as { certificate = "
				   "\"gateway.pem\", key = \"gateway.key\" }";
	const char *client, *keys[16];
	json_t *tls = json_object();
	size_t count;

	json_object_set_new(o->out, f->name, tls);
	if (!lua_istable(L, -1) || !sorted_keys(L, keys, 16, &count))
		field_wrong(L, o, f, want);
	for (size_t i = 0; i < count; i++) {
		check_tls_word(L, o, keys[i]);
		lua_getfield(L, -1, keys[i]);
		const char *text = field_plain_text(L, 1023);
		json_t *value = text ? json_string(text) : NULL;
		if (!value)
			sandbox_fail(L, o->place, NULL, "%s: '%s' of 'tls' must "
				     "be a text of 1 to 1023 printable "
				     "characters", o->title, keys[i]);
		json_object_set_new(tls, keys[i], value);
		lua_pop(L, 1);
	}
	if (!json_object_get(tls, "certificate") || !json_object_get(tls, "key"))
		sandbox_fail(L, o->place, NULL, "%s: 'tls' needs both "
			     "certificate = \"FILE\" and key = \"FILE\"",
			     o->title);
	bool ca = json_object_get(tls, "client_ca") != NULL;
	if (!json_object_get(tls, "client"))
		json_object_set_new(tls, "client",
				    json_string(ca ? "required" : "none"));
	client = json_string_value(json_object_get(tls, "client"));
	if (strcmp(client, "none") != 0 && strcmp(client, "optional") != 0 &&
	    strcmp(client, "required") != 0)
		sandbox_fail(L, o->place, NULL, "%s: 'client' of 'tls' must be "
			     "\"required\", \"optional\" or \"none\", not "
			     "\"%.40s\"", o->title, client);
	if (ca != (strcmp(client, "none") != 0))
		sandbox_fail(L, o->place, ca ? "leave client_ca out" :
			     "write client_ca = \"FILE\"", "%s: client = \"%s\" "
			     "%s a client_ca", o->title, client,
			     ca ? "does not use" : "needs");
}

/* Public keys as in authorized_keys; kept without their comments. */
void field_set_keys(lua_State *L, const struct field_owner *o,
		    const struct field *f)
{
	static const char want[] = "a list of public keys such as "
				   "{ \"ssh-ed25519 AAAA...\" }";
	json_t *list = json_array();
	size_t count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0, all = 0;

	json_object_set_new(o->out, f->name, list);
	if (!count || count > KEYS_MAX)
		field_wrong(L, o, f, want);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		all++;
	if (all != count)
		field_wrong(L, o, f, want);
	for (size_t i = 0; i < count; i++) {
		char line[SSHKEY_LINE_MAX];
		struct error err;

		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		const char *text = field_plain_text(L, 2 * SSHKEY_LINE_MAX);

		if (!text)
			field_wrong(L, o, f, want);
		if (sshkey_parse(text, line, &err) < 0)
			sandbox_fail(L, o->place, "write the line of its .pub file",
				     "%s: '%s', key %zu: %s", o->title, f->name,
				     i + 1, err.text);
		json_array_append_new(list, json_string(line));
		lua_pop(L, 1);
	}
}
