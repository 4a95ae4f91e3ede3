/*
 * Verbs about resources, and whois: whose machine, or whose connection, is
 * that?  Answers come from the binding the engine made, and only while the
 * machine carries the user; what a guest claims is never asked.
 */
#include <arpa/inet.h>
#include <string.h>

#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

enum { CONNECTIONS_SHOWN = 100 };

/* ---- resources ------------------------------------------------------------- */

static void set_access(json_t *o, const struct resource *r)
{
	json_t *access = json_object();

	for (size_t i = 0; i < r->spec.access_count; i++)
		json_object_set_new(access, r->spec.access[i].user,
				    json_boolean(r->spec.access[i].allowed));
	json_object_set_new(o, "access", access);
}

static json_t *host_port(const char *ip, uint32_t port)
{
	return port ? json_sprintf(strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip,
				   port) : json_null();
}

static json_t *show_visit(const struct shell *sh, const struct visit *v)
{
	const struct machine *m = world_machine(&sh->world, v->machine);
	const struct session *s = visit_session(&sh->world, v);

	return json_pack("{s:s, s:s*, s:I, s:s, s:s, s:o}", "user",
			 s ? s->row.user : "", "machine",
			 m ? m->row.name : NULL, "session",
			 (json_int_t)v->session, "own", v->own, "peer", v->peer,
			 "since", show_time(v->opened_wall_ms));
}

static void set_connections(const struct shell *sh, json_t *o,
			    const struct resource *r)
{
	json_t *list = json_array();
	json_int_t open = 0;

	LIST_EACH(&sh->world.visit_list, it) {
		const struct visit *v = LIST_ENTRY(it, struct visit, link);

		if (strcmp(v->resource, r->spec.name) != 0)
			continue;
		if (open++ < CONNECTIONS_SHOWN)
			json_array_append_new(list, show_visit(sh, v));
	}
	json_object_set_new(o, "open", json_integer(open));
	json_object_set_new(o, "connections", list);
}

static void set_denials(json_t *o, const struct resource *r)
{
	json_t *list = json_array();

	for (int i = 0; i < DENIALS_KEPT && r->denials[i].wall_ms; i++) {
		const struct denial *d = &r->denials[i];

		json_array_append_new(list, json_pack(
			"{s:o, s:s, s:s, s:s, s:s}", "time",
			show_time(d->wall_ms), "user", d->user, "machine",
			d->machine, "peer", d->peer, "text", d->why));
	}
	json_object_set_new(o, "refused", json_integer((json_int_t)r->refused));
	json_object_set_new(o, "refusals", list);
}

static const char *identity_word(enum site_identity identity)
{
	return identity == IDENTITY_PROXY ? "proxy" :
	       identity == IDENTITY_IDENT ? "ident" : "none";
}

static json_t *show_resource(const struct shell *sh, const struct resource *r)
{
	const struct machine *m = world_machine(&sh->world, r->machine);
	const struct listener *l = listeners_inner(sh, DOOR_RESOURCE,
						   r->spec.name);
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(r->spec.name));
	json_object_set_new(o, "pool", r->spec.pool[0] ?
			    json_string(r->spec.pool) : json_null());
	json_object_set_new(o, "machine", m ? json_string(m->row.name) :
					      json_null());
	json_object_set_new(o, "address", r->spec.path[0] ?
			    json_sprintf("unix:%s", r->spec.path) :
			    host_port(r->spec.ip, r->spec.port));
	json_object_set_new(o, "identity",
			    json_string(identity_word(r->spec.identity)));
	json_object_set_new(o, "ident", host_port(r->spec.ident_ip,
						  r->spec.ident_port));
	json_object_set_new(o, "listen", host_port(r->spec.listen_ip,
						   r->spec.listen_port));
	json_object_set_new(o, "listen_state", l ? json_string(l->state) :
						   json_null());
	set_access(o, r);
	set_connections(sh, o, r);
	set_denials(o, r);
	return o;
}

static void run_resource_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.resource_count; i++)
		json_array_append_new(items,
				      show_resource(a->sh, &a->sh->world.resources[i]));
	control_items(a->c, a->id, "resource_list", items);
}

static void run_resource_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct resource *r = world_resource(&a->sh->world, slice_of(name));

	if (r)
		verb_item(a, "resource", show_resource(a->sh, r));
	else
		verb_not_found(a, "resource", name);
}

/* ---- whois ------------------------------------------------------------------- */

/* "10.0.7.3", "[::1]" and "::1" without their port, as inet_ntop writes them;
 * false when text is no such thing.  port: where one begins, or NULL. */
static bool host_of(const char *text, char *out, size_t size, const char **port)
{
	char copy[80], *end;
	unsigned char binary[16];
	const char *host = copy;

	*port = NULL;
	TEXT_SET(copy, text);
	if (copy[0] == '[' && (end = strchr(copy, ']'))) {
		*end = '\0';
		host++;
		*port = end[1] == ':' ? text + (end - copy) + 2 : NULL;
	} else if ((end = strchr(copy, ':')) && end == strrchr(copy, ':')) {
		*end = '\0';
		*port = text + (end - copy) + 1;
	}
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	return inet_pton(family, host, binary) == 1 &&
	       inet_ntop(family, binary, out, (socklen_t)size);
}

static const struct visit *visit_at(const struct world *w, const char *host,
				    const char *port)
{
	char name[VISIT_NAME_SIZE];

	snprintf(name, sizeof(name), strchr(host, ':') ? "[%s]:%.5s" : "%s:%.5s",
		 host, port);
	LIST_EACH(&w->visit_list, it) {
		const struct visit *v = LIST_ENTRY(it, struct visit, link);

		if (strcmp(v->own, name) == 0 || strcmp(v->peer, name) == 0)
			return v;
	}
	return NULL;
}

/* The one machine of that address; *several when it is no one's own. */
static const struct machine *machine_at(const struct world *w, const char *host,
					bool *several)
{
	const struct machine *found = NULL;

	*several = false;
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);
			char at[160], have[INET6_ADDRSTRLEN];
			const char *port;

			shell_machine_address(m, at, sizeof(at));
			if (!host_of(at, have, sizeof(have), &port) ||
			    strcmp(have, host) != 0)
				continue;
			*several = found != NULL;
			found = m;
		}
	return found;
}

static void answer(const struct verb_call *a, const struct machine *m,
		   const struct session *s, const struct visit *v)
{
	/* From the binding, and only while the machine carries the user. */
	bool bound = s && m->row.state == MACHINE_IN_SESSION;

	verb_item(a, "whois", json_pack("{s:s, s:s, s:I, s:s*, s:o, s:s*, s:o, s:s*}",
		"machine", m->row.name, "state",
		sm_name(&machine_table, m->row.state), "incarnation",
		(json_int_t)m->row.incarnation, "user",
		bound ? s->row.user : NULL, "session",
		bound ? json_integer((json_int_t)s->row.id) : json_null(),
		"application", bound ? s->row.application : NULL, "since",
		bound ? show_time(s->row.assigned_wall_ms) : json_null(),
		"resource", v ? v->resource : NULL));
}

static void whois_address(const struct verb_call *a, const char *text)
{
	const struct world *w = &a->sh->world;
	char host[INET6_ADDRSTRLEN];
	const char *port;
	bool several = false;

	if (!host_of(text, host, sizeof(host), &port)) {
		control_error(a->c, a->id, "usage", NULL,
			      "an address is 10.0.7.3 or 10.0.7.3:40312", NULL);
		return;
	}
	const struct visit *v = port ? visit_at(w, host, port) : NULL;
	/* What the gateway said before the service asked may not be read yet. */
	if (port && !v) {
		gateways_hear(a->sh, 0);
		v = visit_at(w, host, port);
	}
	const struct session *s = v ? visit_session(w, v) : NULL;
	if (s) {
		answer(a, world_machine(w, v->machine), s, v);
		return;
	}
	const struct machine *m = machine_at(w, host, &several);
	if (m && port) {	/* where the machine itself listens */
		char at[160];

		shell_machine_address(m, at, sizeof(at));
		if (strcmp(strrchr(at, ':') + 1, port) != 0)
			m = NULL;
	}
	if (several)
		control_error(a->c, a->id, "ambiguous", NULL,
			      "several machines have that address",
			      "ask for ADDRESS:PORT of a connection");
	else if (!m)
		control_error(a->c, a->id, "not_found", NULL, port ?
			      "no open connection to a resource has that address" :
			      "no machine has that address", NULL);
	else
		answer(a, m, world_session(w, m->row.session), NULL);
}

static void run_whois(const struct verb_call *a)
{
	const struct world *w = &a->sh->world;
	uint64_t id = (uint64_t)verb_int(a, "session", 0);
	const struct session *s = id ? world_session(w, id) : NULL;
	const struct machine *m = s ? world_machine(w, s->row.machine) : NULL;

	if (verb_text(a, "address")[0]) {
		whois_address(a, verb_text(a, "address"));
		return;
	}
	if (!id)
		m = world_machine_by_name(w, slice_of(verb_text(a, "name")));
	if (m && (!id || m->row.session == id))
		answer(a, m, world_session(w, m->row.session), NULL);
	else
		control_error(a->c, a->id, "not_found", NULL, id ?
			      "no machine carries that session" :
			      "no machine answers to that", NULL);
}

const struct verb verbs_resource[] = {
	{ "resource.list", run_resource_list, false, "" },
	{ "resource.show", run_resource_show, false, "name " },
	{ "whois", run_whois, false, "name session address " },
	{ .name = NULL },
};
