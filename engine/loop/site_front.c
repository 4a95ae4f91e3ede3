/* Listeners, users and resources of the site's JSON; see site_read.h. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/loop/site_read.h"
#include "engine/wire/sshkey.h"

static void read_address(struct reader *r, struct site_listener *l)
{
	unsigned char binary[16];

	READ_TEXT(r, "path", false, l->path);
	if (*l->path)
		return;
	READ_TEXT(r, "ip", true, l->ip);
	l->port = (uint32_t)read_count(r, "port", 1, 65535);
	if (inet_pton(AF_INET, l->ip, binary) != 1 &&
	    inet_pton(AF_INET6, l->ip, binary) != 1)
		read_bad(r, "ip: \"%.45s\" is not an address", l->ip);
}

static void read_tls(struct reader *r, struct site_listener *l)
{
	static const char *const keys[] = { "certificate", "key", "client_ca" };
	static const struct word clients[] = {
		{ "required", 1 }, { "optional", 2 }, { "none", 3 }, { NULL, 0 },
	};
	const json_t *json = read_any(r, "tls", false);
	struct reader in = { .kind = "tls of listener", .json = json,
			     .err = r->err, .name = r->name, .file = r->file,
			     .line = r->line };

	if (!json)
		return;
	int client = read_word(&in, "client", clients);
	for (int i = 0; i < SITE_TLS_FILES; i++)
		if (i != SITE_TLS_CLIENT_CA || client != 3)
			READ_TEXT(&in, keys[i], true, l->tls.file[i]);
	l->tls.client_required = client == 1;
	if (read_end(&in) < 0)
		r->failed = true;
}

/* ["10.0.0.0/8"] or [{"network": "10.0.0.0/8", "user": "lab"}] */
static void read_networks(struct reader *r, const char *key, bool users,
			  struct site_network **out, size_t *count)
{
	const json_t *json = read_any(r, key, true), *item;
	size_t n = json_array_size(json), i;

	if (!json)
		return;
	if (n < 1 || n > SITE_COUNT_MAX ||
	    !(*out = calloc(n, sizeof(**out)))) {
		read_bad(r, "%s is no list of networks", key);
		return;
	}
	json_array_foreach(json, i, item) {
		const char *text = json_string_value(item), *user = "";
		struct site_network *at = &(*out)[i];
		struct error err;

		if (json_is_object(item) && json_object_size(item) == 2) {
			text = json_string_value(json_object_get(item, "network"));
			user = json_string_value(json_object_get(item, "user"));
		}
		if (!text || !user || users != text_is_user(user) ||
		    network_parse(text, &at->network, &err) < 0) {
			read_bad(r, "%s has a bad entry", key);
			return;
		}
		TEXT_SET(at->text, text);
		TEXT_SET(at->user, user);
		*count = i + 1;
	}
}

int take_listener(void *object, const json_t *json, struct error *err)
{
	static const struct word doors[] = {
		{ "direct", DOOR_DIRECT }, { "native", DOOR_NATIVE },
		{ "connect", DOOR_CONNECT }, { "socks5", DOOR_SOCKS5 },
		{ "ssh", DOOR_SSH }, { NULL, 0 },
	};
	static const struct word sources[] = {
		{ "fixed", USER_FIXED }, { "peer", USER_PEER },
		{ "password", USER_PASSWORD },
		{ "certificate", USER_CERTIFICATE },
		{ "network", USER_NETWORK }, { "key", USER_KEY }, { NULL, 0 },
	};
	struct site_listener *l = object;
	struct reader r = read_begin("listener", json, l->name, &l->place,
				     text_is_name, err);

	l->door = (enum site_door)read_word(&r, "door", doors);
	read_address(&r, l);
	l->user_source =
		(enum site_user_source)read_word(&r, "user_source", sources);
	if (l->user_source == USER_FIXED)
		READ_TEXT(&r, "user", true, l->user);
	if (l->user_source == USER_NETWORK)
		read_networks(&r, "networks", true, &l->networks, &l->network_count);
	if (json_object_get(json, "proxy"))
		read_networks(&r, "proxy", false, &l->proxies, &l->proxy_count);
	read_tls(&r, l);
	READ_TEXT(&r, "host_key", false, l->ssh_key);
	read_names(&r, "applications", true, &l->applications);
	l->wait_ms = read_count(&r, "wait_ms", 0, READ_DAY_MS);
	l->limit = (uint32_t)read_count(&r, "limit", 0, SITE_LIMIT_MAX);
	l->opening_ms = read_count(&r, "opening_deadline_ms", 1, READ_DAY_MS);
	l->opening_per_source =
		(uint32_t)read_count(&r, "opening_per_source", 1, 65535);
	l->extend_ms = read_count_or(&r, "extend_ms", 1, SITE_DURATION_MAX_MS, 0);
	if (l->door == DOOR_DIRECT && (l->applications.count != 1 ||
				       l->user_source == USER_PASSWORD))
		read_bad(&r, "cannot be a direct door");
	if (l->user_source == USER_CERTIFICATE && !l->tls.client_required)
		read_bad(&r, "has users by certificate and asks for none");
	if ((l->door == DOOR_SSH) != (l->user_source == USER_KEY) ||
	    (l->door == DOOR_SSH ? l->tls.file[0][0] : l->ssh_key[0]))
		read_bad(&r, "does not fit an ssh door");
	if (l->user_source == USER_PEER && !*l->path)
		read_bad(&r, "has peers without a unix socket");
	return read_end(&r);
}

/* ["ssh-ed25519 AAAA"] to lines. */
static void read_ssh_keys(struct reader *r, struct site_user *u)
{
	const json_t *json = read_any(r, "ssh_keys", false), *item;
	char line[SSHKEY_LINE_MAX];
	size_t i, used = 0, count = json_array_size(json);
	struct error err;

	if (!json)
		return;
	u->ssh_keys = count < 1 || count > SITE_KEYS_MAX ? NULL :
		      calloc(count, SSHKEY_LINE_MAX);
	if (!u->ssh_keys) {
		read_bad(r, "ssh_keys is no list of keys");
		return;
	}
	json_array_foreach(json, i, item) {
		const char *text = json_string_value(item);

		if (!text || sshkey_parse(text, line, &err) < 0) {
			read_bad(r, "ssh_keys holds what is no public key");
			return;
		}
		used += (size_t)snprintf(u->ssh_keys + used,
					 count * SSHKEY_LINE_MAX - used,
					 "%s\n", line);
	}
}

int take_user(void *object, const json_t *json, struct error *err)
{
	struct site_user *u = object;
	struct reader r = read_begin("user", json, u->name, &u->place,
				     text_is_user, err);

	READ_TEXT(&r, "password", false, u->password);
	READ_TEXT(&r, "token", false, u->token);
	READ_TEXT(&r, "login", false, u->login);
	read_ssh_keys(&r, u);
	u->uid = read_count_or(&r, "uid", -1, (int64_t)UINT32_MAX - 1, -1);
	read_names(&r, "applications", true, &u->applications);
	u->applications_open = read_flag(&r, "applications_open");
	u->limit = (uint32_t)read_count(&r, "limit", 1, 100000);
	u->disabled = read_flag(&r, "disabled");
	if (*u->login && (u->uid >= 0 || !text_is_user(u->login)))
		read_bad(&r, "login is bad, or there is a uid as well");
	if (*u->token && strspn(u->token, "0123456789abcdef") != 64)
		read_bad(&r, "token is not a SHA-256 in hex");
	return read_end(&r);
}

int take_group(void *object, const json_t *json, struct error *err)
{
	struct site_group *g = object;
	struct reader r = read_begin("group", json, g->name, &g->place,
				     text_is_name, err);

	read_names(&r, "members", true, &g->members);
	read_names(&r, "applications", true, &g->applications);
	g->applications_open = read_flag(&r, "applications_open");
	g->priority = (uint32_t)read_count(&r, "priority", 0, SITE_PRIORITY_MAX);
	g->limit = (uint32_t)read_count(&r, "limit", 0, SITE_LIMIT_MAX);
	return read_end(&r);
}

int take_allow(void *object, const json_t *json, struct error *err)
{
	struct site_allow *a = object;
	struct reader r = read_begin("allow", json, a->name, &a->place,
				     text_is_name, err);

	read_names(&r, "users", true, &a->users);
	read_names(&r, "groups", false, &a->groups);
	read_names(&r, "applications", true, &a->applications);
	read_names(&r, "listeners", true, &a->listeners);
	return read_end(&r);
}

static void read_access(struct reader *r, struct site_resource *out)
{
	const json_t *json = read_any(r, "access", true);
	size_t rows = json_array_size(json);

	if (!json)
		return;
	if (!json_is_array(json) || rows > SITE_COUNT_MAX) {
		read_bad(r, "access is not a table, or too long");
		return;
	}
	out->access = calloc(rows + 1, sizeof(out->access[0]));
	if (!out->access)
		read_bad(r, "out of memory");
	for (size_t i = 0; i < rows && !r->failed; i++) {
		struct site_access *a = &out->access[out->access_count++];
		const char *user;
		int allowed;

		if (json_unpack(json_array_get(json, i), "{s:s,s:b!}", "user",
				&user, "allowed", &allowed) < 0 ||
		    (strcmp(user, "*") != 0 && !text_is_user(user) &&
		     (user[0] != '@' || !text_is_name(user + 1))) ||
		    !TEXT_SET(a->user, user)) {
			read_bad(r, "access has a bad row");
			return;
		}
		a->allowed = allowed;
		if (i && strcmp(a[-1].user, a->user) >= 0)
			read_bad(r, "access is out of order");
	}
}

/* Both or neither; out has SITE_NAME_SIZE bytes. */
static void read_host_port(struct reader *r, const char *ip_key,
			   const char *port_key, char *out, uint32_t *port)
{
	unsigned char binary[16];

	read_text(r, ip_key, false, out, SITE_NAME_SIZE);
	if (!*out)
		return;
	*port = (uint32_t)read_count(r, port_key, 1, 65535);
	if (inet_pton(AF_INET, out, binary) != 1 &&
	    inet_pton(AF_INET6, out, binary) != 1)
		read_bad(r, "%s: \"%.45s\" is not an address", ip_key, out);
}

int take_resource(void *object, const json_t *json, struct error *err)
{
	static const struct word identities[] = {
		{ "none", IDENTITY_NONE }, { "proxy", IDENTITY_PROXY },
		{ "ident", IDENTITY_IDENT }, { NULL, 0 },
	};
	struct site_resource *out = object;
	struct reader r = read_begin("resource", json, out->name, &out->place,
				     text_is_name, err);

	READ_TEXT(&r, "pool", false, out->pool);
	READ_TEXT(&r, "path", false, out->path);
	read_host_port(&r, "ip", "port", out->ip, &out->port);
	read_host_port(&r, "listen_ip", "listen_port", out->listen_ip,
		       &out->listen_port);
	read_host_port(&r, "ident_ip", "ident_port", out->ident_ip,
		       &out->ident_port);
	if (!*out->pool + !*out->path + !*out->ip != 2)
		read_bad(&r, "is served in no place, or in several");
	out->identity =
		(enum site_identity)read_word(&r, "identity", identities);
	if ((out->identity == IDENTITY_IDENT) != (out->ident_port != 0) ||
	    (out->ident_port && *out->path))
		read_bad(&r, "ident does not fit");
	read_access(&r, out);
	return read_end(&r);
}
