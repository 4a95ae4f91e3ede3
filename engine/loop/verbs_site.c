/*
 * Verbs about the site and the engine: info, listener, application, gateway,
 * engine, site, subscribe.
 */
#include <string.h>

#include "engine/loop/show.h"
#include "engine/loop/subscribe.h"
#include "engine/loop/verbs.h"

static void run_info(const struct verb_call *a)
{
	verb_item(a, "info", show_info(a->sh));
}

static void run_listener_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (const struct listener *l = a->sh->listeners; l; l = l->next)
		if (l->spec.door < DOOR_RESOURCE)
			json_array_append_new(items, show_listener(a->sh, l));
	control_items(a->c, a->id, "listener_list", items);
}

static void run_application_list(const struct verb_call *a)
{
	const struct site_spec *spec = &a->sh->world.spec;
	json_t *items = json_array();

	for (size_t i = 0; i < spec->application_count; i++)
		json_array_append_new(items,
				      show_application(a->sh, &spec->applications[i]));
	control_items(a->c, a->id, "application_list", items);
}

static void run_gateway_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (uint32_t i = 0; i < a->sh->gateway_count; i++)
		json_array_append_new(items, show_gateway(a->sh, i));
	control_items(a->c, a->id, "gateway_list", items);
}

static void run_engine_stop(const struct verb_call *a)
{
	const char *machines = verb_text(a, "machines");

	if (machines[0] && strcmp(machines, "stay") != 0) {
		control_error(a->c, a->id, "usage", NULL,
			      "machines can only \"stay\"; site.close destroys them first",
			      NULL);
		return;
	}
	control_send(a->c, json_pack("{s:I, s:b, s:s}", "id", a->id, "ok", 1,
				     "text", "engine stops; machines and sessions stay"));
	shell_stop(a->sh, 0);
}

static void run_site_close(const struct verb_call *a)
{
	a->sh->closing = true;
	verb_command(a, COMMAND_SITE_CLOSE);
}

/* Begins a load for this client; version "" = the site file. */
static void load(const struct verb_call *a, enum load_purpose purpose)
{
	struct site_load wish = { .purpose = purpose, .client = a->c->number,
				  .id = a->id };
	const char *version = verb_text(a, "version");
	struct error err = { "" };
	struct db_bundle b = { .source = NULL };
	int rc = 1;

	TEXT_SET(wish.who, a->c->who);
	TEXT_SET(wish.expect, verb_text(a, "expect"));
	if (verb_true(a, "undo"))
		rc = site_load_previous(a->sh, &b, &err);
	else if (*version)
		rc = db_load_bundle(a->sh->db, version, &b, &err);
	if (rc != 1) {
		control_error(a->c, a->id, rc < 0 ? "failed" : "not_found", NULL,
			      rc < 0 ? err.text :
			      rc == 2 ? "several versions begin so; write more of it" :
			      *version ? "there is no such version: remuda site history" :
					 "there is no earlier version", NULL);
		return;
	}
	if (b.source)
		wish.from = (struct source){ b.source, strlen(b.source) };
	b.source = NULL;
	db_bundle_free(&b);
	if (site_load_begin(a->sh, &wish, &err) < 0)
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
}

static void run_site_reload(const struct verb_call *a)
{
	load(a, LOAD_RELOAD);
}

static void run_site_plan(const struct verb_call *a)
{
	load(a, LOAD_PLAN);
}

static void run_site_apply(const struct verb_call *a)
{
	load(a, LOAD_APPLY);
}

/* A line of the answer holds CONTROL_PART items, each byte of which may
 * become six: pieces of this size keep it under CONTROL_LINE_MAX. */
enum { PIECE = 1500 };

/* Cuts a text into items, never within a character. */
static void add_pieces(json_t *items, struct slice name, struct slice body)
{
	while (body.length) {
		uint32_t n = body.length < PIECE ? body.length : PIECE;

		while (n > PIECE - 4 && n < body.length &&
		       ((unsigned char)body.ptr[n] & 0xc0) == 0x80)
			n--;
		json_t *text = json_stringn(body.ptr, n);

		if (!text) {	/* not UTF-8: each byte as a character */
			char wide[2 * PIECE];
			size_t used = 0;

			for (uint32_t i = 0; i < n; i++) {
				unsigned char c = (unsigned char)body.ptr[i];

				if (c >= 0x80)
					wide[used++] = (char)(0xc0 | c >> 6);
				wide[used++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
			}
			text = json_stringn(wide, used);
		}
		json_array_append_new(items, json_pack("{s:s%, s:o}", "file",
			name.ptr, (size_t)name.length, "text", text));
		body.ptr += n;
		body.length -= n;
	}
}

/* The line of known_hosts that makes every machine's host key known. */
static void run_site_ssh_ca(const struct verb_call *a)
{
	const struct site_spec *spec = &a->sh->world.spec;
	char line[SSHKEY_LINE_MAX];
	struct error err;
	char *key = ssh_keys_own(a->sh, SSH_AUTHORITY, &err);
	json_t *names = json_string("");

	if (!key || sshkey_public_of(key, strlen(key), line, &err) < 0) {
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
	} else {
		for (size_t i = 0; i < spec->application_count; i++) {
			json_t *longer = json_sprintf("%s%s%s",
				json_string_value(names), i ? "," : "",
				spec->applications[i].name);

			json_decref(names);
			names = longer;
		}
		control_send(a->c, json_pack("{s:I, s:b, s:o}", "id", a->id, "ok", 1,
			"text", json_sprintf("@cert-authority %s %s",
				json_string_value(names), line)));
	}
	json_decref(names);
	ssh_keys_free(key);
}

static void run_site_show(const struct verb_call *a)
{
	const char *hash = verb_text(a, "version");
	struct slice name, body;
	struct db_bundle b;
	struct error err;
	size_t at = 0;

	if (verb_refused(a))
		return;
	int rc = db_load_bundle(a->sh->db, hash, &b, &err);

	if (rc < 0)
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
	else if (rc == 2)
		control_error(a->c, a->id, "refused", NULL,
			      "several versions begin so", "give more of the hash");
	else if (rc == 0)
		verb_not_found(a, "site", hash[0] ? hash : a->sh->world.spec.name);
	if (rc != 1)
		return;
	json_t *items = json_array();
	size_t length = strlen(b.source);
	while (source_next(b.source, length, &at, &name, &body))
		add_pieces(items, name, body);
	db_bundle_free(&b);
	control_items(a->c, a->id, "site_text", items);
}

static void add_version(void *items, const struct db_site_version *v)
{
	json_array_append_new(items, json_pack(
		"{s:I, s:s, s:s, s:o, s:I}", "id", (json_int_t)v->id, "version",
		v->hash, "who", v->who, "time", show_time(v->wall_ms), "bytes",
		(json_int_t)v->bytes));
}

static void run_backup(const struct verb_call *a)
{
	struct error err;

	if (backup_start(a->sh, a->c->number, a->id, verb_text(a, "path"),
			 verb_true(a, "with_key"), &err) < 0)
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
}

static void run_site_history(const struct verb_call *a)
{
	json_t *items = json_array();
	struct error err;

	if (db_query_site_versions(a->sh->db, (uint32_t)verb_int(a, "limit", 100),
				   add_version, items, &err) < 0) {
		json_decref(items);
		control_error(a->c, a->id, "failed", NULL, err.text, NULL);
		return;
	}
	control_items(a->c, a->id, "site_history", items);
}

static void run_subscribe(const struct verb_call *a)
{
	json_t *topics = json_object_get(a->request, "topics"), *name;
	unsigned wanted = topics ? 0 : subscription_all();
	size_t i;

	json_array_foreach(topics, i, name) {
		const char *text = json_string_value(name);
		unsigned bit = text ? subscription_topic(text) : 0;

		if (!bit) {
			control_error(a->c, a->id, "usage", NULL,
				      "an unknown topic", text);
			return;
		}
		wanted |= bit;
	}
	a->c->topics = wanted;
	a->c->full = true;
	control_send(a->c, json_pack("{s:I, s:b, s:s}", "id", a->id, "ok", 1,
				     "text", "subscribed"));
	subscription_flush(a->c);
}

const struct verb verbs_site[] = {
	{ "info", run_info, false, "" },
	{ "listener.list", run_listener_list, false, "" },
	{ "application.list", run_application_list, false, "" },
	{ "gateway.list", run_gateway_list, false, "" },
	{ "engine.stop", run_engine_stop, true, "machines " },
	{ "site.close", run_site_close, true, "" },
	{ "site.reload", run_site_reload, true, "" },
	{ "site.ssh_ca", run_site_ssh_ca, false, "" },
	{ "site.plan", run_site_plan, true, "version undo " },
	{ "site.apply", run_site_apply, true, "version undo expect " },
	/* Site files hold hashes of passwords: not for everybody who may read. */
	{ "site.show", run_site_show, false, "version " },
	{ "backup", run_backup, true, "path with_key " },
	{ "site.history", run_site_history, false, "limit " },
	{ "subscribe", run_subscribe, false, "topics " },
	{ 0 },
};
