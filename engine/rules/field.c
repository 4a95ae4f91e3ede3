/*
 * Values of fields: one converter per type, from the Lua value on the stack's
 * top to the JSON of engine/rules/site.h; see declare.h.
 *
 * Every refusal says what to write instead and shows what was written.
 */
#include <arpa/inet.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/rules/declare.h"
#include "engine/rules/field.h"
#include "engine/rules/sandbox.h"
#include "engine/rules/schema.h"
#include "engine/rules/site.h"

enum { SOCKET_PATH_MAX = 107 };	/* sun_path without its NUL */

/* Raises "pool "mail": 'serve' must be WANT, not GOT". */
void field_wrong(lua_State *L, const struct field_owner *o,
		 const struct field *f, const char *want)
{
	char got[80];

	if (lua_type(L, -1) == LUA_TSTRING) {
		size_t length;
		const char *text = lua_tolstring(L, -1, &length);

		char shown[72];

		text_display(shown, sizeof(shown), text, length);
		snprintf(got, sizeof(got), "\"%s\"", shown);
	} else if (lua_isnumber(L, -1)) {
		snprintf(got, sizeof(got), "%s", lua_tostring(L, -1));
	} else if (lua_isboolean(L, -1)) {
		TEXT_SET(got, lua_toboolean(L, -1) ? "true" : "false");
	} else {
		snprintf(got, sizeof(got), "a %s", luaL_typename(L, -1));
	}
	sandbox_fail(L, o->place, NULL, "%s: '%s' must be %s, not %s", o->title,
		     f->name, want, got);
}

/* JSON holds UTF-8 only. */
static bool is_utf8(const char *text)
{
	json_t *value = json_string(text);

	json_decref(value);
	return value != NULL;
}

/* The string on the top, without NUL and at most max bytes; else NULL. */
const char *field_plain_text(lua_State *L, size_t max)
{
	size_t length;

	if (lua_type(L, -1) != LUA_TSTRING)
		return NULL;
	const char *text = lua_tolstring(L, -1, &length);
	if (length == 0 || length > max || strlen(text) != length)
		return NULL;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return NULL;
	return is_utf8(text) ? text : NULL;
}

static void put_text(const struct field_owner *o, const char *name,
		     const char *text)
{
	json_object_set_new(o->out, name, json_string(text));
}

static void set_text(lua_State *L, const struct field_owner *o,
		     const struct field *f)
{
	const char *text = field_plain_text(L, (size_t)f->max);
	char want[96];

	snprintf(want, sizeof(want), "a text of 1 to %lld printable characters",
		 (long long)f->max);
	if (!text)
		field_wrong(L, o, f, want);
	put_text(o, f->name, text);
}

/* Any characters but NUL: what goes over a connection. */
static void set_bytes(lua_State *L, const struct field_owner *o,
		      const struct field *f)
{
	size_t length = 0;
	const char *text = lua_type(L, -1) == LUA_TSTRING ?
				   lua_tolstring(L, -1, &length) : "";
	json_t *value = length && length <= (size_t)f->max &&
			strlen(text) == length ? json_string(text) : NULL;
	char want[96];

	snprintf(want, sizeof(want), "a text in UTF-8 of 1 to %lld bytes",
		 (long long)f->max);
	if (!value)
		field_wrong(L, o, f, want);
	json_object_set_new(o->out, f->name, value);
}

static void set_name(lua_State *L, const struct field_owner *o,
		     const struct field *f)
{
	const char *text = field_plain_text(L, 63);

	if (!text || !text_is_name(text))
		field_wrong(L, o, f, "a name: small letters, digits and -");
	put_text(o, f->name, text);
}

static void set_word(lua_State *L, const struct field_owner *o,
		     const struct field *f)
{
	const char *text = field_plain_text(L, 63);
	char words[128], want[192], *save = NULL;
	size_t used = 0;

	TEXT_SET(words, f->words);
	*want = '\0';
	for (char *w = strtok_r(words, "|", &save); w;
	     w = strtok_r(NULL, "|", &save)) {
		bool later = *w == '!';

		if (text && strcmp(w + later, text) == 0) {
			if (later)
				break;
			put_text(o, f->name, text);
			return;
		}
		if (!later)
			used += (size_t)snprintf(want + used, sizeof(want) - used,
						 "%s\"%s\"", used ? " or " : "", w);
	}
	char later[64];
	snprintf(later, sizeof(later), "!%s", text ? text : "");
	if (text && strstr(f->words, later)) {
		char hint[256];

		snprintf(hint, sizeof(hint), "write %s", want);
		sandbox_fail(L, o->place, hint, "%s: %s = \"%s\" is not in this "
			     "version yet", o->title, f->name, text);
	}
	field_wrong(L, o, f, want);
}

static void set_flag(lua_State *L, const struct field_owner *o,
		     const struct field *f)
{
	if (!lua_isboolean(L, -1))
		field_wrong(L, o, f, "true or false");
	json_object_set_new(o->out, f->name, json_boolean(lua_toboolean(L, -1)));
}

static void set_count(lua_State *L, const struct field_owner *o,
		      const struct field *f)
{
	int whole = 0;
	lua_Integer n = lua_type(L, -1) == LUA_TNUMBER ?
			lua_tointegerx(L, -1, &whole) : 0;
	char want[96];

	snprintf(want, sizeof(want), "a whole number from %lld to %lld",
		 (long long)f->min, (long long)f->max);
	if (!whole || n < f->min || n > f->max)
		field_wrong(L, o, f, want);
	json_object_set_new(o->out, f->name, json_integer(n));
}

/* Durations and memory: a text with a unit, or a bare number. */
static void set_quantity(lua_State *L, const struct field_owner *o,
			 const struct field *f)
{
	bool time = f->type == FIELD_DURATION;
	int64_t n = -1;
	char json[64], want[128], low[24], high[24];
	int bad = -1;

	if (lua_type(L, -1) == LUA_TSTRING && field_plain_text(L, 32)) {
		const char *text = lua_tostring(L, -1);

		bad = time ? text_parse_duration_ms(text, &n, NULL) :
			     text_parse_memory_mib(text, &n, NULL);
	} else if (lua_type(L, -1) == LUA_TNUMBER) {
		int whole;
		lua_Integer bare = lua_tointegerx(L, -1, &whole);

		bad = !whole || bare < 0 || bare > INT64_MAX / 2000;
		n = bad ? -1 : time ? bare * 1000 : bare;
	}
	if (time)
		snprintf(want, sizeof(want), "a time from %s to %s, for example "
			 "\"30 s\"", text_duration(low, sizeof(low), f->min),
			 text_duration(high, sizeof(high), f->max));
	else
		snprintf(want, sizeof(want), "an amount from %lld MiB to %lld "
			 "MiB, for example \"128 MiB\"", (long long)f->min,
			 (long long)f->max);
	if (bad || n < f->min || n > f->max)
		field_wrong(L, o, f, want);
	snprintf(json, sizeof(json), "%s_%s", f->name, time ? "ms" : "mib");
	json_object_set_new(o->out, json, json_integer(n));
}

/* { "a", "b" }, or one "a" or "*" where all are allowed. */
static void set_names(lua_State *L, const struct field_owner *o,
		      const struct field *f)
{
	bool users = f->type == FIELD_USERS;
	bool all = f->type == FIELD_NAMES_ALL || users;
	bool (*is_name)(const char *) = users ? text_is_user : text_is_name;
	const char *want = users ? "a list of users such as { \"anna\" }, or \"*\"" :
			   all ? "a list of names such as { \"mail\" }, or \"*\"" :
				 "a list of names such as { \"files\" }";
	json_t *list = json_array();
	size_t count = 0;

	json_object_set_new(o->out, f->name, list);
	if (all && lua_type(L, -1) == LUA_TSTRING) {
		const char *one = field_plain_text(L, 63);

		if (!one || (strcmp(one, "*") != 0 && !is_name(one)))
			field_wrong(L, o, f, want);
		if (strcmp(one, "*") == 0)
			put_text(o, f->name, one);
		else
			json_array_append_new(list, json_string(one));
		return;
	}
	if (!lua_istable(L, -1))
		field_wrong(L, o, f, want);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		count++;
	if (count != lua_rawlen(L, -1) || count > SITE_JSON_COUNT_MAX)
		field_wrong(L, o, f, want);
	for (size_t i = 1; i <= count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i);
		const char *name = field_plain_text(L, 63);

		if (!name || !is_name(name))
			field_wrong(L, o, f, want);
		for (size_t j = 0; j < json_array_size(list); j++)
			if (strcmp(json_string_value(json_array_get(list, j)),
				   name) == 0)
				sandbox_fail(L, o->place, NULL, "%s: '%s' "
					     "names \"%s\" twice", o->title,
					     f->name, name);
		json_array_append_new(list, json_string(name));
		lua_pop(L, 1);
	}
}

/* Only {index} and {machine} are filled in. */
static bool pattern_ok(const char *text)
{
	while ((text = strpbrk(text, "{}"))) {
		size_t n = strncmp(text, "{index}", 7) == 0 ? 7 :
			   strncmp(text, "{machine}", 9) == 0 ? 9 : 0;

		if (!n)
			return false;
		text += n;
	}
	return true;
}

static long port_of(const char *text)
{
	char *end;
	long port = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;

	return port > 0 && port <= 65535 && !*end ? port : 0;
}

/* "tcp:25" or "tcp:HOST:25" after the "tcp:". */
static bool tcp_endpoint(const struct field_owner *o, char *rest)
{
	char *colon = strrchr(rest, ':'), *host = colon ? rest : "";
	long port = port_of(colon ? colon + 1 : rest);

	if (colon)
		*colon = '\0';
	size_t n = strlen(host);
	if (n && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		host++;
	} else if (strchr(host, ':')) {
		return false;
	}
	if (!port || (colon && !*host) || strlen(host) > 63 || !pattern_ok(host) ||
	    strpbrk(host, " /"))
		return false;
	put_text(o, "endpoint", "tcp");
	put_text(o, "endpoint_host", host);
	json_object_set_new(o->out, "endpoint_port", json_integer(port));
	return true;
}

static void set_endpoint(lua_State *L, const struct field_owner *o,
			 const struct field *f)
{
	const char *text = field_plain_text(L, 200);
	char copy[256];

	TEXT_SET(copy, text ? text : "");
	if (strcmp(copy, "channel") == 0)
		put_text(o, f->name, "channel");
	else if (strncmp(copy, "vsock:", 6) == 0)
		sandbox_fail(L, o->place, "use \"channel\"", "%s: endpoint = "
			     "\"%s\" is not in this version yet", o->title, copy);
	else if (strncmp(copy, "unix:/", 6) == 0 && pattern_ok(copy + 5) &&
		 strlen(copy + 5) <= SOCKET_PATH_MAX) {
		put_text(o, f->name, "unix");
		put_text(o, "endpoint_path", copy + 5);
	} else if (strncmp(copy, "tcp:", 4) != 0 || !tcp_endpoint(o, copy + 4))
		field_wrong(L, o, f, "\"channel\", \"tcp:25\", "
		      "\"tcp:10.0.7.{index}:25\" or \"unix:/PATH\"");
}

static void set_address(lua_State *L, const struct field_owner *o,
			const struct field *f)
{
	const char *text = field_plain_text(L, 200), *before = f->words ? f->words : "";
	char copy[256], *ip = copy, ip_key[32], port_key[32];
	unsigned char binary[16];

	snprintf(ip_key, sizeof(ip_key), "%sip", before);
	snprintf(port_key, sizeof(port_key), "%sport", before);
	TEXT_SET(copy, text ? text : "");
	if (!f->words && strncmp(copy, "unix:", 5) == 0 && copy[5]) {
		if (strlen(copy + 5) > SOCKET_PATH_MAX)
			sandbox_fail(L, o->place, "use a shorter path", "%s: the "
				     "socket path has %zu characters, %d fit",
				     o->title, strlen(copy + 5), SOCKET_PATH_MAX);
		put_text(o, "path", copy + 5);
		return;
	}
	char *colon = strrchr(copy, ':');
	long port = colon ? port_of(colon + 1) : 0;
	bool good = port != 0;
	if (colon)
		*colon = '\0';
	size_t n = strlen(ip);
	if (good && ip[0] == '[' && ip[n - 1] == ']') {
		ip[n - 1] = '\0';
		good = inet_pton(AF_INET6, ++ip, binary) == 1;
	} else if (good) {
		good = inet_pton(AF_INET, ip, binary) == 1;
	}
	if (!good)
		field_wrong(L, o, f, f->words ? "an IP address and a port such as "
		      "\"10.0.7.1:5432\"" : "an IP address and a port such as "
		      "\"127.0.0.1:7070\" or \"[::1]:7070\", or \"unix:PATH\"");
	put_text(o, ip_key, ip);
	json_object_set_new(o->out, port_key, json_integer(port));
}

static void set_password(lua_State *L, const struct field_owner *o,
			 const struct field *f)
{
	const char *text = field_plain_text(L, 255);

	/* Never shown: it may be the password itself. */
	if (!text || text[0] != '$' || !strchr(text + 1, '$') ||
	    strpbrk(text, " :*!"))
		sandbox_fail(L, o->place, "mkpasswd -m yescrypt makes one",
			     "%s: '%s' must be a crypt(3) hash such as "
			     "\"$y$...\", never the password itself", o->title,
			     f->name);
	put_text(o, f->name, text);
}

static void set_token(lua_State *L, const struct field_owner *o,
		      const struct field *f)
{
	const char *text = field_plain_text(L, 64);

	if (!text || strspn(text, "0123456789abcdef") != 64)
		sandbox_fail(L, o->place, "printf %s TOKEN | sha256sum makes it",
			     "%s: '%s' must be the SHA-256 of the token, 64 "
			     "digits of 0-9a-f", o->title, f->name);
	put_text(o, f->name, text);
}

static void set_uid(lua_State *L, const struct field_owner *o,
		    const struct field *f)
{
	int whole = 0;
	lua_Integer n = lua_type(L, -1) == LUA_TNUMBER ?
			lua_tointegerx(L, -1, &whole) : -1;
	const char *text = field_plain_text(L, 63);

	if (text && text_is_user(text))
		put_text(o, "login", text);
	else if (whole && n >= 0 && n < UINT32_MAX)
		json_object_set_new(o->out, "uid", json_integer(n));
	else
		field_wrong(L, o, f, "a user number or a login name");
}

static int compare_access(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "user")),
		      json_string_value(json_object_get(*y, "user")));
}

static void add_access(lua_State *L, const struct field_owner *o, json_t **rows,
		       size_t *count, const char *user, bool allowed)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(json_string_value(json_object_get(rows[i], "user")),
			   user) == 0)
			sandbox_fail(L, o->place, NULL, "%s: 'access' names "
				     "\"%s\" twice", o->title, user);
	rows[(*count)++] = json_pack("{s:s,s:b}", "user", user, "allowed",
				     (int)allowed);
}

/* { anna = true, ["*"] = false } or { "anna", "ben" }; sorted. */
static void set_access(lua_State *L, const struct field_owner *o,
		       const struct field *f)
{
	static const char want[] = "a table such as { anna = true, "
				   "[\"@students\"] = true, [\"*\"] = false } "
				   "or { \"anna\", \"ben\" }";
	static json_t *rows[SITE_JSON_COUNT_MAX];
	json_t *list = json_array();
	size_t count = 0;

	if (!lua_istable(L, -1))
		field_wrong(L, o, f, want);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		bool named = lua_type(L, -2) == LUA_TSTRING;
		bool allowed = named ? lua_toboolean(L, -1) : true;

		if (count == SITE_JSON_COUNT_MAX ||
		    (named && !lua_isboolean(L, -1)))
			field_wrong(L, o, f, want);
		lua_pushvalue(L, named ? -2 : -1);
		const char *user = field_plain_text(L, 63);
		if (!user || (strcmp(user, "*") != 0 && !text_is_user(user) &&
			      (user[0] != '@' || !text_is_name(user + 1))))
			field_wrong(L, o, f, want);
		add_access(L, o, rows, &count, user, allowed);
		lua_pop(L, 1);
	}
	qsort(rows, count, sizeof(rows[0]), compare_access);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, rows[i]);
	json_object_set_new(o->out, f->name, list);
}

void field_set(lua_State *L, const struct field_owner *o, const struct field *f)
{
	switch (f->type) {
	case FIELD_NAME: set_name(L, o, f); break;
	case FIELD_TEXT: set_text(L, o, f); break;
	case FIELD_BYTES: set_bytes(L, o, f); break;
	case FIELD_WORD: set_word(L, o, f); break;
	case FIELD_FLAG: set_flag(L, o, f); break;
	case FIELD_COUNT: set_count(L, o, f); break;
	case FIELD_DURATION:
	case FIELD_MEMORY: set_quantity(L, o, f); break;
	case FIELD_NAMES:
	case FIELD_NAMES_ALL:
	case FIELD_USERS: set_names(L, o, f); break;
	case FIELD_ENDPOINT: set_endpoint(L, o, f); break;
	case FIELD_ADDRESS: set_address(L, o, f); break;
	case FIELD_SOURCE: field_set_source(L, o, f); break;
	case FIELD_TLS: field_set_tls(L, o, f); break;
	case FIELD_PROXIES: field_set_proxies(L, o, f); break;
	case FIELD_KEYS: field_set_keys(L, o, f); break;
	case FIELD_PASSWORD: set_password(L, o, f); break;
	case FIELD_TOKEN: set_token(L, o, f); break;
	case FIELD_UID: set_uid(L, o, f); break;
	case FIELD_ACCESS: set_access(L, o, f); break;
	case FIELD_CLOUD: cloud_set(L, o); break;
	case FIELD_VIP: field_set_vip(L, o, f); break;
	case FIELD_TABLE: field_set_table(L, o, f); break;
	case FIELD_ENTRIES: field_set_entries(L, o, f); break;
	case FIELD_HOOK:
	case FIELD_SCALE: break;	/* declare.c keeps functions */
	case FIELD_LATER:
		sandbox_fail(L, o->place, f->words, "%s: '%s' is not in this "
			     "version yet", o->title, f->name);
	}
	lua_pop(L, 1);
}
