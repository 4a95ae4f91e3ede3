/* The world as JSON; see show.h.  Unknown is null, never a guess. */
#include "engine/loop/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"

const char *show_time_text(int64_t wall_ms, char out[SHOW_TIME_SIZE])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	size_t n = strftime(out, SHOW_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, SHOW_TIME_SIZE - n, ".%03dZ", (int)(wall_ms % 1000));
	return out;
}

json_t *show_time(int64_t wall_ms)
{
	char text[SHOW_TIME_SIZE];

	return wall_ms ? json_string(show_time_text(wall_ms, text)) : json_null();
}

const char *show_severity(int severity)
{
	static const char *const severities[] = { "info", "warn", "fail" };

	return severities[severity];
}

json_t *show_text(const char *s)
{
	json_t *j = s[0] ? json_string(s) : json_null();
	char shown[1024];

	if (j)
		return j;
	text_display(shown, sizeof(shown), s, strlen(s));
	return json_string(shown);
}

static json_t *ref(const char *kind, uint64_t id)
{
	return json_sprintf("%s/%llu", kind, (unsigned long long)id);
}

static json_t *duration(int64_t ms)
{
	return ms > 0 ? json_integer(ms) : json_null();
}

#define SET(o, key, value) json_object_set_new_nocheck(o, key, value)

/* What machines there use, and what they may. */
static void set_room(json_t *o, const struct host *h)
{
	uint64_t mib, all_mib = placement_memory(h);
	uint32_t vcpus;

	placement_used(h, &vcpus, &mib);
	SET(o, "used_vcpus", json_integer(vcpus));
	SET(o, "used_mib", json_integer((json_int_t)mib));
	SET(o, "room_vcpus", h->spec.vcpus ? json_integer(h->spec.vcpus) :
					     json_null());
	SET(o, "room_mib", all_mib ? json_integer((json_int_t)all_mib) :
				     json_null());
	SET(o, "site", show_text(h->spec.site));
	SET(o, "host_labels", show_names(&h->spec.labels));
	SET(o, "draining", json_boolean(h->draining));
}

json_t *show_host(const struct shell *sh, const struct host *h)
{
	static const char *const states[] = { "connecting", "up", "not_answering" };
	json_t *o = json_object();
	const struct host_role *r = hosts_find(sh, h->spec.name);
	json_int_t machines = 0;

	LIST_EACH(&h->machines, it)
		machines++;
	SET(o, "name", show_text(h->spec.name));
	SET(o, "uri", show_text(h->spec.uri));
	SET(o, "state", json_string(states[h->state]));
	SET(o, "text", show_text(h->text));
	SET(o, "machines", json_integer(machines));
	SET(o, "booting", json_integer(h->booting));
	set_room(o, h);
	SET(o, "disk_mib", h->disk_mib < 0 ? json_null() : json_integer(h->disk_mib));
	if (r && r->known) {
		SET(o, "version", show_text(r->version));
		SET(o, "hostname", show_text(r->hostname));
		SET(o, "cpus", json_integer(r->cpus));
		SET(o, "memory_mib", json_integer((json_int_t)r->memory_mib));
		SET(o, "kvm", json_boolean(r->kvm));
		SET(o, "isolated", json_boolean(r->isolated));
		SET(o, "labels", show_text(r->labels));
	}
	SET(o, "since", show_time(h->since_wall_ms));
	SET(o, "removed", json_boolean(h->removed && !machines));
	return o;
}

static const char *const recycles[] = { "", "clean", "rebuild", "none",
					 "revert" };
static const char *const endpoints[] = { "", "channel", "tcp", "unix" };
static const char *const identities[] = { "", "none", "proxy", "agent" };
static const char *const hooks[HOOK_HEALTH + 1] = {
	[HOOK_PREPARE] = "prepare", [HOOK_READY] = "ready",
	[HOOK_ACCEPT] = "accept", [HOOK_CLEAN] = "clean",
	[HOOK_START] = "start", [HOOK_STOP] = "stop", [HOOK_HEALTH] = "health",
};
static const char *const jobs[JOB_MIGRATE + 1] = {
	[JOB_NONE] = "", [JOB_CREATE] = "create", [JOB_DESTROY] = "destroy",
	[JOB_PING] = "ping", [JOB_OPEN] = "open", [JOB_VOLUME] = "volume",
	[JOB_SAVE] = "save", [JOB_RESTORE] = "restore", [JOB_RESIZE] = "resize",
	[JOB_MIGRATE] = "migrate",
};

json_t *show_pool(const struct shell *sh, const struct pool *p)
{
	json_t *o = json_object(), *counts = json_object();
	const uint32_t *n = p->counts;

	(void)sh;
	for (int s = 0; s < MACHINE_STATES; s++)
		if (n[s])
			SET(counts, sm_name(&machine_table, s),
			    json_integer(n[s]));
	SET(o, "name", show_text(p->spec.name));
	SET(o, "application", show_text(p->spec.application));
	SET(o, "host", show_text(p->host->spec.name));
	SET(o, "serve", json_integer(p->serve));
	SET(o, "spare", json_integer(p->spare));
	SET(o, "max", json_integer(p->max));
	SET(o, "keep", json_boolean(p->spec.keep));
	SET(o, "recycle", json_string(recycles[p->spec.recycle]));
	SET(o, "endpoint", p->application.endpoint == ENDPOINT_TCP ?
		json_sprintf("tcp:%s%s%u", p->application.host,
			     p->application.host[0] ? ":" : "",
			     p->application.port) :
		json_string(endpoints[p->application.endpoint]));
	SET(o, "identity", json_string(identities[p->application.identity]));
	SET(o, "counts", counts);
	SET(o, "in_use", json_integer(n[MACHINE_RESERVED] + n[MACHINE_IN_SESSION]));
	SET(o, "ready", json_integer(p->ready_count));
	SET(o, "starting", json_integer(n[MACHINE_DEFINED] + n[MACHINE_BOOTING] +
					n[MACHINE_PREPARING] + n[MACHINE_CLEANING] +
					n[MACHINE_SAVING] + n[MACHINE_WAKING]));
	SET(o, "saved", json_integer(n[MACHINE_SAVED]));
	SET(o, "saved_wanted", json_integer(p->spec.saved));
	SET(o, "bad", json_integer(n[MACHINE_QUARANTINED] + n[MACHINE_HELD] +
				   n[MACHINE_RETIRING]));
	SET(o, "waiting", json_integer(p->waiting_count));
	SET(o, "origin", json_sprintf("%s:%u", p->spec.place.file,
				      p->spec.place.line));
	SET(o, "outdated", json_integer(p->rolling ? p->outdated : 0));
	SET(o, "paused", json_boolean(p->roll_paused));
	SET(o, "total", json_integer(pool_total(p)));
	SET(o, "vcpus", json_integer(p->spec.vcpus));
	SET(o, "memory_mib", json_integer((json_int_t)p->spec.memory_mib));
	SET(o, "boot_ms", duration(p->boot_ms));
	SET(o, "wake_ms", duration(p->wake_ms));
	SET(o, "untrusted", json_boolean(p->spec.untrusted));
	SET(o, "reason", show_text(p->reason));
	SET(o, "removed", json_boolean(p->removed && list_empty(&p->machines)));
	return o;
}

json_t *show_machine(const struct shell *sh, const struct machine *m)
{
	static const char *const wishes[] = { "run", "hold", "retire" };
	static const char *const rungs[] = { "clean", "revert", "rebuild",
					     "none" };
	const struct session *s = world_session(&sh->world, m->row.session);
	json_t *o = json_object();

	SET(o, "id", json_integer((json_int_t)m->row.id));
	SET(o, "ref", json_sprintf("machine/%s", m->row.name));
	SET(o, "name", show_text(m->row.name));
	SET(o, "pool", show_text(m->row.pool));
	SET(o, "host", show_text(m->row.host));
	SET(o, "state", json_string(sm_name(&machine_table, m->row.state)));
	SET(o, "wish", json_string(wishes[m->row.wish]));
	SET(o, "dirty", json_boolean(m->row.dirty));
	SET(o, "known", json_boolean(m->host->state == HOST_UP));
	SET(o, "incarnation", json_integer((json_int_t)m->row.incarnation));
	SET(o, "session", m->row.session ?
		json_integer((json_int_t)m->row.session) : json_null());
	SET(o, "user", s ? show_text(s->row.user) : json_null());
	SET(o, "reason", show_text(m->row.reason));
	SET(o, "since", show_time(m->row.since_wall_ms));
	SET(o, "job", show_text(m->job == JOB_HOOK ? hooks[m->hook] : jobs[m->job]));
	SET(o, "rung", m->row.state == MACHINE_CLEANING ?
		json_string(rungs[m->row.rung]) : json_null());
	SET(o, "image", m->row.image == IMAGE_MADE ? show_text(m->row.image_key) :
						     json_null());
	SET(o, "boot_ms", duration(m->row.boot_ms));
	SET(o, "prepare_ms", duration(m->row.prepare_ms));
	SET(o, "clean_ms", duration(m->row.clean_ms));
	SET(o, "sessions", json_integer((json_int_t)m->row.sessions));
	SET(o, "failures", json_integer(m->row.failures));
	SET(o, "uuid", show_text(m->row.uuid));
	SET(o, "removed", json_boolean(m->row.state == MACHINE_GONE));
	return o;
}

json_t *show_session_row(const struct session_row *r)
{
	json_t *o = json_object();

	SET(o, "id", json_integer((json_int_t)r->id));
	SET(o, "ref", ref("session", r->id));
	SET(o, "state", json_string(r->lingers_wall_ms ? "lingering" :
				    sm_name(&session_table, r->state)));
	SET(o, "user", show_text(r->user));
	SET(o, "application", show_text(r->application));
	SET(o, "listener", show_text(r->listener));
	SET(o, "peer", show_text(r->peer));
	SET(o, "machine", show_text(r->machine_name));
	SET(o, "incarnation", json_integer((json_int_t)r->incarnation));
	SET(o, "pool", show_text(r->pool));
	SET(o, "gateway", r->gateway < WORLD_GATEWAYS_MAX ?
			  json_integer(r->gateway) : json_null());
	SET(o, "requested", show_time(r->requested_wall_ms));
	SET(o, "assigned", show_time(r->assigned_wall_ms));
	SET(o, "accepted", show_time(r->accepted_wall_ms));
	SET(o, "ended", show_time(r->ended_wall_ms));
	SET(o, "cleaned", show_time(r->cleaned_wall_ms));
	SET(o, "ends", show_time(r->ends_wall_ms));
	SET(o, "lingers", show_time(r->lingers_wall_ms));
	SET(o, "wait_ms", json_integer(r->wait_ms));
	SET(o, "accept_ms", r->accepted_wall_ms ? json_integer(r->accept_ms) :
						  json_null());
	SET(o, "clean_ms", r->cleaned_wall_ms ? json_integer(r->clean_ms) :
						json_null());
	SET(o, "connections", json_integer(r->connections));
	SET(o, "bytes_in", json_integer((json_int_t)r->bytes_in));
	SET(o, "bytes_out", json_integer((json_int_t)r->bytes_out));
	SET(o, "end_text", show_text(r->end_text));
	SET(o, "request_key", show_text(r->request_key));
	SET(o, "removed", json_boolean(sm_is_final(&session_table, r->state)));
	return o;
}

json_t *show_session(const struct session *s)
{
	static const char *const states[] = {
		[WAY_WANTED] = "opening", [WAY_OPENING] = "opening",
		[WAY_TOLD] = "allowed", [WAY_HELD] = "opening",
		[WAY_NONE] = "not in the site",
	};
	json_t *o = show_session_row(&s->row), *resources = json_array();
	bool own = !s->away && s->row.gateway < WORLD_GATEWAYS_MAX;

	SET(o, "open", json_integer(
		sm_is_final(&session_table, s->row.state) ? 0 :
		s->join_count + own));

	for (uint32_t i = 0; i < s->way_count; i++) {
		const struct way *way = &s->ways[i];
		bool denied = way->state == WAY_TOLD && !way->allowed;

		json_array_append_new(resources, json_sprintf(
			"%s (%s)", way->resource,
			denied ? "denied" : states[way->state]));
	}
	if (s->way_count)
		SET(o, "resources", json_incref(resources));
	json_decref(resources);
	return o;
}

json_t *show_request_row(const struct request_row *r, uint32_t place,
			 int64_t deadline_wall_ms)
{
	static const char *const states[] = { "waiting", "assigned", "refused",
					      "cancelled" };
	json_t *o = json_object();

	SET(o, "id", json_integer((json_int_t)r->id));
	SET(o, "ref", ref("request", r->id));
	SET(o, "user", show_text(r->user));
	SET(o, "application", show_text(r->application));
	SET(o, "listener", show_text(r->listener));
	SET(o, "peer", show_text(r->peer));
	SET(o, "state", json_string(states[r->state]));
	SET(o, "place", place ? json_integer(place) : json_null());
	SET(o, "requested", show_time(r->requested_wall_ms));
	SET(o, "deadline", show_time(deadline_wall_ms));
	SET(o, "wait_ms", json_integer(r->wait_ms));
	SET(o, "code", show_text(r->code));
	SET(o, "text", show_text(r->text));
	SET(o, "session", r->session ? json_integer((json_int_t)r->session) :
				       json_null());
	SET(o, "removed", json_boolean(r->state != REQUEST_WAITING));
	return o;
}

json_t *show_request(const struct shell *sh, const struct request *r)
{
	struct request_row row = r->row;
	json_t *o;

	row.wait_ms = sh->world.now_ms - r->requested_ms;
	o = show_request_row(&row, r->place, sh->world.wall_ms +
			     r->deadline_ms - sh->world.now_ms);
	SET(o, "machines", json_integer(r->count));
	SET(o, "priority", json_integer(r->seat ? r->seat->rank : 0));
	return o;
}

json_t *show_names(const struct site_names *n)
{
	json_t *a = json_array();

	if (n->all)
		json_array_append_new(a, json_string("*"));
	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(a, show_text(n->names[i]));
	return a;
}

static json_t *networks(const struct site_listener *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->network_count; i++)
		SET(o, l->networks[i].text, json_string(l->networks[i].user));
	return o;
}

json_t *show_listener(const struct shell *sh, const struct listener *l)
{
	static const char *const doors[] = {
		[DOOR_DIRECT] = "direct", [DOOR_NATIVE] = "native",
		[DOOR_CONNECT] = "connect", [DOOR_SOCKS5] = "socks5",
		[DOOR_SSH] = "ssh",
	};
	static const char *const sources[] = {
		[USER_PEER] = "peer", [USER_PASSWORD] = "password",
		[USER_CERTIFICATE] = "certificate", [USER_KEY] = "key",
	};
	struct listener_counts sum = { 0 };
	json_t *o = json_object();

	SET(o, "name", show_text(l->name));
	SET(o, "door", json_string(doors[l->spec.door]));
	if (l->spec.path[0])
		SET(o, "address", json_sprintf("unix:%s%s%s",
			l->spec.path[0] == '/' ? "" : sh->o.run_dir,
			l->spec.path[0] == '/' ? "" : "/", l->spec.path));
	else
		SET(o, "address", json_sprintf("%s:%u", l->spec.ip, l->spec.port));
	SET(o, "user", l->spec.user_source == USER_NETWORK ? networks(&l->spec) :
		l->spec.user_source == USER_FIXED ? show_text(l->spec.user) :
		json_string(sources[l->spec.user_source]));
	SET(o, "application", show_names(&l->spec.applications));
	for (uint32_t g = 0; g < sh->gateway_count; g++) {
		sum.opening += l->counts[g].opening;
		sum.refused += l->counts[g].refused;
		sum.turned_away += l->counts[g].turned_away;
		sum.evicted += l->counts[g].evicted;
	}
	SET(o, "tls", json_boolean(l->keys.bytes != NULL));
	SET(o, "tls_expires", l->keys.bytes ?
	    show_time(l->keys.expires_wall_ms) : json_null());
	if (l->ssh.text)
		SET(o, "host_key", show_text(l->ssh.line));
	SET(o, "unauthenticated", json_integer(sum.opening));
	SET(o, "refused", json_integer((json_int_t)sum.refused));
	SET(o, "turned_away", json_integer((json_int_t)sum.turned_away));
	SET(o, "evicted", json_integer((json_int_t)sum.evicted));
	SET(o, "state", show_text(l->state));
	return o;
}

json_t *show_gateway(const struct shell *sh, uint32_t index)
{
	const struct gateway_role *g = &sh->gateways[index];
	const struct gateway *w = &sh->world.gateways[index];
	json_t *o = json_object();

	SET(o, "index", json_integer(index));
	SET(o, "pid", g->pid ? json_integer(g->pid) : json_null());
	SET(o, "state", json_string(w->up ? "up" : g->linked ? "starting" : "gone"));
	SET(o, "sessions", json_integer(w->sessions));
	SET(o, "adopted", json_boolean(g->adopted));
	SET(o, "outdated", json_boolean(g->ready && g->build != sh->build));
	SET(o, "draining", json_boolean(g->draining));
	SET(o, "temporary", json_boolean(index >= sh->gateway_wanted));
	SET(o, "since", show_time(g->since_wall_ms));
	return o;
}

json_t *show_event(const struct event_row *row)
{
	json_t *o = json_object();

	SET(o, "id", json_integer((json_int_t)row->id));
	SET(o, "time", show_time(row->wall_ms));
	SET(o, "severity", json_string(show_severity(row->severity)));
	SET(o, "kind", show_text(row->kind));
	SET(o, "object", show_text(row->object));
	SET(o, "text", show_text(row->text));
	return o;
}

json_t *show_application(const struct shell *sh,
			 const struct site_application *a)
{
	json_t *o = json_object(), *list = json_array(), *pools = json_array();

	for (int h = HOOK_PREPARE; h <= HOOK_HEALTH; h++)
		if (a->hooks & 1u << h)
			json_array_append_new(list, json_string(hooks[h]));
	for (size_t i = 0; i < sh->world.pool_count; i++)
		if (strcmp(sh->world.pools[i]->spec.application, a->name) == 0)
			json_array_append_new(pools,
				show_text(sh->world.pools[i]->spec.name));
	SET(o, "name", show_text(a->name));
	SET(o, "pools", pools);
	SET(o, "endpoint", json_string(endpoints[a->endpoint]));
	SET(o, "identity", json_string(identities[a->identity]));
	SET(o, "connections", json_string(a->shared ? "shared" : "one"));
	SET(o, "resources", show_names(&a->resources));
	SET(o, "hooks", list);
	SET(o, "version", show_text(a->version));
	return o;
}

/* Of the last 24 hours, the oldest first. */
static json_t *sessions_per_hour(const struct shell *sh)
{
	uint64_t counts[24];
	json_t *a = json_array();
	struct error err;

	if (db_count_sessions(sh->db, "", shell_wall_ms(), 24, counts, &err) < 0) {
		json_decref(a);
		return json_null();
	}
	for (int i = 0; i < 24; i++)
		json_array_append_new(a, json_integer((json_int_t)counts[i]));
	return a;
}

/* What it costs to look at every cluster. */
static json_t *policy_cost(const struct metrics_counts *c)
{
	return json_pack("{s:I, s:I, s:I}", "rounds",
			 (json_int_t)c->policy_rounds, "last_us",
			 (json_int_t)c->policy_last_us, "most_us",
			 (json_int_t)c->policy_most_us);
}

json_t *show_info(const struct shell *sh)
{
	const struct world *w = &sh->world;
	json_t *o = json_object(), *paths = json_object(), *counts = json_object();

	SET(paths, "site_file", show_text(sh->o.site_file));
	SET(paths, "state", show_text(sh->o.state_dir));
	SET(paths, "run", show_text(sh->o.run_dir));
	SET(counts, "pools", json_integer((json_int_t)w->pool_count));
	SET(counts, "machines", json_integer((json_int_t)w->machines.used));
	json_int_t live = 0;
	LIST_EACH(&w->live, it)
		live++;
	SET(counts, "sessions", json_integer(live));
	SET(counts, "waiting", json_integer(w->waiting_count));
	SET(o, "version", json_string(REMUDA_VERSION));
	SET(o, "site", show_text(w->spec.name));
	SET(o, "site_error", show_text(sh->site_error));
	SET(o, "paths", paths);
	SET(o, "pid", json_integer(getpid()));
	SET(o, "uptime_ms", json_integer(shell_now_ms() - sh->started_ms));
	SET(o, "term", json_integer((json_int_t)w->term));
	SET(o, "turns", json_integer((json_int_t)sh->turns));
	SET(o, "commits", json_integer((json_int_t)sh->commits));
	SET(o, "counts", counts);
	SET(o, "policy", policy_cost(&sh->counts));
	SET(o, "metrics", sh->metrics_at[0] ?
	    json_sprintf("%s (%s)", sh->metrics_at, sh->metrics_state) :
	    json_null());
	SET(o, "sessions_per_hour", sessions_per_hour(sh));
	return o;
}
