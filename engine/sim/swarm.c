/*
 * What a seed draws before anything happens: which faults, how often, how
 * large a site, how busy its clients.  One seed in ten is without faults
 * (bugs that every retry hides), one in ten has one machine of everything.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

/* The most a fault is drawn in a thousand chances: of a call, a hook, an
 * accept, a turn (CRASH_*), or a second of virtual time. */
static const uint16_t most[SIM_FAULTS] = {
	[SIM_CALL_FAIL] = 150, [SIM_CALL_LOST] = 100, [SIM_CALL_UNKNOWN] = 100,
	[SIM_CALL_LATE] = 100, [SIM_CREATE_SLOW] = 300, [SIM_HINT_LOST] = 1000,
	[SIM_HINT_TWICE] = 300, [SIM_POLL_FAIL] = 200, [SIM_HOST_FREEZE] = 60,
	[SIM_HOST_STUCK] = 15, [SIM_HOST_DIES] = 40, [SIM_GUEST_DIES] = 150,
	[SIM_GUEST_OFF] = 60, [SIM_GUEST_PAUSED] = 60, [SIM_SAID_TWICE] = 300, [SIM_AGENT_SLOW] = 300, [SIM_AGENT_NEVER] = 200,
	[SIM_EXEC_FAIL] = 200, [SIM_EXEC_HANG] = 150, [SIM_CONFIRM_WRONG] = 250,
	[SIM_IMAGE_DAMAGED] = 150, [SIM_RESTORE_DEAD] = 150,
	[SIM_RESTORE_UNPROVEN] = 150, [SIM_QEMU_UPGRADED] = 30,
	[SIM_CONFIRM_STALE] = 250, [SIM_CHANNEL_FAIL] = 200,
	[SIM_HOOK_LOST] = 150, [SIM_HOOK_HANG] = 100, [SIM_HOOK_LIES] = 200,
	[SIM_HOOK_TWICE] = 100, [SIM_READY_NO] = 500, [SIM_RULES_DIE] = 40,
	[SIM_GATEWAY_DIES] = 40, [SIM_GATEWAY_STALL] = 60,
	[SIM_ACCEPT_FAIL] = 200, [SIM_ACCEPT_NEVER] = 100,
	[SIM_ACCEPT_LATE] = 150, [SIM_UNDRAINED] = 300,
	[SIM_SESSION_LOST] = 300, [SIM_CLIENT_LEAVES] = 200,
	[SIM_CLIENT_REPEATS] = 500, [SIM_CRASH_STEP] = 12,
	[SIM_CRASH_COMMIT] = 12, [SIM_CRASH_ACT] = 12, [SIM_REBOOT] = 15, [SIM_TARGET_LOST] = 60,
	[SIM_WALL_JUMP] = 30, [SIM_SLOW_STORE] = 400, [SIM_OPERATOR] = 300,
	[SIM_SITE_CHANGE] = 200, [SIM_GHOST] = 60,
	[SIM_VOLUME_FAIL] = 150, [SIM_FILE_REPLACED] = 100,
	[SIM_BASE_BUSY] = 40, [SIM_BASE_CHANGED] = 60, [SIM_DISK_LOW] = 60,
	[SIM_MIGRATE_TWIN] = 300, [SIM_NODE_ILL] = 60, [SIM_RULE_FAILS] = 300, [SIM_RULE_SILENT] = 100,
};

const char *sim_fault_name(enum sim_fault fault)
{
	static const char *const names[SIM_FAULTS] = {
#define X(name, help) [SIM_##name] = #name,
		SIM_FAULTS_LIST(X)
#undef X
	};

	return names[fault];
}

void swarm_draw(struct sim *s)
{
	static const uint16_t share[] = { 100, 300, 1000 };
	struct swarm *sw = &s->swarm;

	sw->calm = sim_chance(s, 10);
	sw->tiny = sim_chance(s, 10);
	for (int f = 0; f < SIM_FAULTS; f++) {
		bool on = sim_chance(s, 45);
		uint16_t part = share[sim_between(s, 0, 2)];

		if (!sw->calm && on)
			sw->permille[f] = (uint16_t)((most[f] * part + 999) / 1000);
	}
	/* Few seeds migrate at all: there it must be likely. */
	if (!sw->calm)
		sw->permille[SIM_MIGRATE_TWIN] = 500;
	sw->hosts = sw->tiny ? 1 : (uint32_t)sim_between(s, 1, HOSTS_MAX);
	sw->gateways = (uint32_t)sim_between(s, 1, GATEWAYS_MAX);
	sw->arrival_ms = sim_between(s, 50, 1000);
	sw->arrival_ms *= sim_between(s, 1, 4);	/* calls in a fixed order */
	/* Hooks have deadlines of 2 s: slow messages are a fault of their own. */
	sw->latency_ms = sim_chance(s, 50) ? 2 : sim_between(s, 5, 200);
	if (sw->calm && sw->latency_ms > 20)
		sw->latency_ms = 20;
	sw->records_first = sim_chance(s, 50);
	sw->hold_hooks = sim_chance(s, 50) || sw->calm;
}

/* ---- the site ------------------------------------------------------------- */

void site_names_add(struct site_names *n, const char *name)
{
	n->names = realloc(n->names, (n->count + 1) * sizeof(*n->names));
	CHECK("", n->names, "out of memory");
	TEXT_SET(n->names[n->count], name);
	n->count++;
}

static struct site_names names_copy(const struct site_names *from)
{
	struct site_names to = { .all = from->all };

	for (size_t i = 0; i < from->count; i++)
		site_names_add(&to, from->names[i]);
	return to;
}

static void *array_copy(const void *items, size_t count, size_t size)
{
	void *copy = count ? malloc(count * size) : NULL;

	CHECK("", copy || !count, "out of memory");
	if (count)
		memcpy(copy, items, count * size);
	return copy;
}

/* The pools the operator has taken out are left out. */
static void drop_absent(struct site_spec *c, uint32_t absent)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->pool_count; i++) {
		if (!(absent & 1u << i)) {
			c->pools[kept++] = c->pools[i];
			continue;
		}
		free(c->pools[i].placement.hosts.names);
		if (!c->pools[i].cluster)
			continue;
		free(c->clusters[0].calendar);
		c->cluster_count = c->rule_count = 0;
	}
	c->pool_count = kept;
}

struct site_spec site_copy(const struct site_spec *site, uint32_t absent)
{
	struct site_spec c = *site;

#define COPY(list, n) c.list = array_copy(site->list, site->n, sizeof(*c.list))
	COPY(hosts, host_count);
	COPY(applications, application_count);
	COPY(pools, pool_count);
	COPY(listeners, listener_count);
	COPY(users, user_count);
	COPY(groups, group_count);
	COPY(allows, allow_count);
	COPY(resources, resource_count);
	COPY(clusters, cluster_count);
	COPY(rules, rule_count);
#undef COPY
	for (size_t i = 0; i < c.cluster_count; i++)
		c.clusters[i].calendar =
			array_copy(site->clusters[i].calendar,
				   site->clusters[i].calendar_count,
				   sizeof(*c.clusters[i].calendar));
	for (size_t i = 0; i < c.application_count; i++)
		c.applications[i].resources =
			names_copy(&site->applications[i].resources);
	for (size_t i = 0; i < c.listener_count; i++)
		c.listeners[i].applications =
			names_copy(&site->listeners[i].applications);
	for (size_t i = 0; i < c.user_count; i++)
		c.users[i].applications = names_copy(&site->users[i].applications);
	for (size_t i = 0; i < c.group_count; i++) {
		c.groups[i].members = names_copy(&site->groups[i].members);
		c.groups[i].applications =
			names_copy(&site->groups[i].applications);
	}
	for (size_t i = 0; i < c.allow_count; i++) {
		const struct site_allow *a = &site->allows[i];

		c.allows[i].users = names_copy(&a->users);
		c.allows[i].groups = names_copy(&a->groups);
		c.allows[i].applications = names_copy(&a->applications);
		c.allows[i].listeners = names_copy(&a->listeners);
	}
	for (size_t i = 0; i < c.resource_count; i++)
		c.resources[i].access =
			array_copy(site->resources[i].access,
				   site->resources[i].access_count,
				   sizeof(*c.resources[i].access));
	for (size_t i = 0; i < c.pool_count; i++)
		c.pools[i].placement.hosts =
			names_copy(&site->pools[i].placement.hosts);
	drop_absent(&c, absent);
	return c;
}

uint32_t version_of(const struct site_pool *p)
{
	unsigned n = 0;

	sscanf(p->version, "v%u", &n);
	return n;
}

void site_release(struct site_spec *site)
{
	site_spec_fini(site);
}

void *site_room(size_t count, size_t size)
{
	void *p = calloc(count, size);

	CHECK("", p, "out of memory");
	return p;
}

static void draw_application(struct sim *s, struct site_application *a, int i,
			     bool resource)
{
	snprintf(a->name, sizeof(a->name), "app%d", i);
	a->endpoint = sim_chance(s, 50) ? ENDPOINT_CHANNEL : ENDPOINT_TCP;
	a->port = 80;
	if (a->endpoint == ENDPOINT_TCP)
		TEXT_SET(a->host, "10.9.{index}.{machine}");
	a->identity = (enum site_identity)sim_between(s, IDENTITY_NONE,
						      IDENTITY_AGENT);
	a->agent = a->identity == IDENTITY_AGENT || sim_chance(s, 70);
	if (sim_chance(s, 60))
		a->hooks |= 1u << SITE_HOOK_READY;
	if (a->agent && sim_chance(s, 60))
		a->hooks |= 1u << SITE_HOOK_PREPARE;
	if (a->agent && sim_chance(s, 80))
		a->hooks |= 1u << SITE_HOOK_CLEAN;
	if (a->identity == IDENTITY_AGENT)
		a->hooks |= 1u << SITE_HOOK_ACCEPT;
	if (resource && sim_chance(s, 50))
		site_names_add(&a->resources, "store");
	a->prepare_deadline_ms = sim_between(s, 3, 20) * 1000;
	a->ready_deadline_ms = sim_between(s, 5, 20) * 1000;
	a->accept_deadline_ms = sim_between(s, 2, 5) * 1000;
	a->clean_deadline_ms = sim_between(s, 2, 10) * 1000;
	a->limit = site_draw_limit(s);
	a->half_close_ms = 300000;
	if (sim_chance(s, 50))
		a->linger_ms = sim_between(s, 2, 60) * 1000;
	if (sim_chance(s, 30))
		a->idle_ms = sim_between(s, 5, 30) * 1000;
	if (sim_chance(s, 40)) {
		a->longest_ms = sim_between(s, 5, 60) * 1000;
		a->warn_ms = sim_chance(s, 50) ? a->longest_ms / 2 : 0;
	}
	a->shared = a->endpoint == ENDPOINT_TCP && sim_chance(s, 40);
}

static void draw_pool(struct sim *s, struct site_pool *p, int i,
		      const struct site_application *a)
{
	bool tiny = s->swarm.tiny;

	snprintf(p->name, sizeof(p->name), "pool%d", i);
	TEXT_SET(p->application, a->name);
	TEXT_SET(p->host, s->hosts[sim_between(s, 0, s->swarm.hosts - 1)].name);
	if (sim_chance(s, 50))
		p->placement.hosts.all = true;
	else
		site_names_add(&p->placement.hosts, p->host);
	p->placement.spread = (enum site_spread)sim_between(s, SPREAD_NONE,
							    SPREAD_SITES);
	p->serve = tiny ? 1 : (uint32_t)sim_between(s, 0, 4);
	p->spare = tiny ? 0 : (uint32_t)sim_between(s, 0, p->serve);
	p->max = tiny ? 1 : p->serve + (uint32_t)sim_between(s, 0, 3);
	if (!p->max)
		p->max = 1;
	p->recycle = a->hooks & 1u << SITE_HOOK_CLEAN && sim_chance(s, 70) ?
			     RECYCLE_CLEAN :
		     sim_chance(s, 70) ? RECYCLE_REBUILD : RECYCLE_NONE;
	if (a->agent && sim_chance(s, 40))
		p->recycle = RECYCLE_REVERT;
	if (a->agent && sim_chance(s, 35))
		p->saved = tiny ? 1 : (uint32_t)sim_between(s, 1, 3);
	p->untrusted = (p->recycle == RECYCLE_REVERT ||
			p->recycle == RECYCLE_REBUILD) && sim_chance(s, 20);
	p->boot_deadline_ms = sim_between(s, 8, 30) * 1000;
	p->shrink_after_ms = sim_between(s, 2, 20) * 1000;
	if (sim_chance(s, 40)) {
		TEXT_SET(p->from, "debian");
		TEXT_SET(p->user_data, sim_chance(s, 30) ? "#cloud-config" : "");
	}
	p->vcpus = 1;
	p->memory_mib = 128;
	TEXT_SET(p->version, "v1");
}

static void draw_listeners(struct sim *s, struct site_spec *site)
{
	site->listener_count = LISTENERS_MAX;
	site->listeners = site_room(LISTENERS_MAX, sizeof(*site->listeners));
	for (int i = 0; i < LISTENERS_MAX; i++) {
		struct site_listener *l = &site->listeners[i];

		snprintf(l->name, sizeof(l->name), "door%d", i);
		l->door = i == 0 ? DOOR_DIRECT : DOOR_NATIVE;
		l->user_source = USER_PASSWORD;
		l->applications.all = i == 1;
		for (size_t j = 0; j < site->application_count; j++)
			if (i == 0 ? j == 0 : i == 2 && sim_chance(s, 60))
				site_names_add(&l->applications,
					  site->applications[j].name);
		l->wait_ms = sim_chance(s, 20) ? 0 :
						 sim_between(s, 1, 30) * 1000;
		l->limit = site_draw_limit(s);
		l->extend_ms = sim_chance(s, 50) ? sim_between(s, 1, 30) * 1000 : 0;
	}
}

bool resource_access(const struct sim *s, const struct site_resource *r,
		     const char *user)
{
	bool rest = false, yes = false, no = false;

	for (size_t i = 0; i < r->access_count; i++) {
		const struct site_access *a = &r->access[i];

		if (strcmp(a->user, user) == 0)
			return a->allowed;
		rest = rest || (a->user[0] == '*' && a->allowed);
		if (a->user[0] == '@' && people_in(&s->world.spec, a->user + 1,
						   user))
			*(a->allowed ? &yes : &no) = true;
	}
	return !no && (yes || rest);
}

/* A pool that outlives sessions and serves the others through gateway 0. */
static void draw_resource(struct sim *s, struct site_spec *site)
{
	static const char *const rows[] = { "*", "@group0", "@group1", "ben" };
	struct site_application *a =
		&site->applications[site->application_count++];
	struct site_pool *p = &site->pools[site->pool_count++];

	draw_application(s, a, 9, false);
	TEXT_SET(a->name, "files");
	draw_pool(s, p, 9, a);
	TEXT_SET(p->name, "files");
	p->keep = true;
	p->untrusted = false;
	p->saved = 0;
	if (p->recycle == RECYCLE_REVERT)
		p->recycle = RECYCLE_REBUILD;
	p->serve = p->max = 1;
	p->spare = 0;
	site->resource_count = 1;
	site->resources = site_room(1, sizeof(*site->resources));
	struct site_resource *r = &site->resources[0];
	TEXT_SET(r->name, "store");
	if (sim_chance(s, 70))
		TEXT_SET(r->pool, p->name);
	else
		TEXT_SET(r->ip, "192.0.2.1"), r->port = 5432;
	if (sim_chance(s, 60))
		r->listen_port = 5432;
	r->identity = r->port ? IDENTITY_IDENT : IDENTITY_PROXY;
	r->access_count = 4;
	r->access = site_room(4, sizeof(*r->access));
	for (int i = 0; i < 4; i++) {
		TEXT_SET(r->access[i].user, rows[i]);
		r->access[i].allowed = sim_chance(s, 50);
	}
}

void site_draw(struct sim *s)
{
	struct site_spec *site = &s->site;
	bool resource = sim_chance(s, 60);
	int n = s->swarm.tiny ? 1 : (int)sim_between(s, 1, APPLICATIONS_MAX - 2);

	TEXT_SET(site->name, "sim");
	site->disk_reserve_mib = ROOM_RESERVE_MIB;
	site->host_count = s->swarm.hosts;
	site->hosts = site_room(HOSTS_MAX, sizeof(*site->hosts));
	for (uint32_t i = 0; i < s->swarm.hosts; i++) {
		snprintf(s->hosts[i].name, sizeof(s->hosts[i].name), "host%u", i);
		TEXT_SET(site->hosts[i].name, s->hosts[i].name);
		TEXT_SET(site->hosts[i].uri, i % 2 ? "qemu+ssh://far/system" :
						     "auto");
		/* Now and then too little for all that is wanted. */
		if (sim_chance(s, 40))
			site->hosts[i].memory_mib = 128 * (uint64_t)sim_between(s, 2, 12);
		s->hosts[i].isolated = sim_chance(s, 70);
		site->hosts[i].boot_parallel =
			s->swarm.tiny ? 1 : (uint32_t)sim_between(s, 1, 4);
	}
	site->applications = site_room(APPLICATIONS_MAX, sizeof(*site->applications));
	site->pools = site_room(POOLS_MAX, sizeof(*site->pools));
	for (int i = 0; i < n; i++) {
		draw_application(s, &site->applications[i], i, resource);
		draw_pool(s, &site->pools[i], i, &site->applications[i]);
	}
	site->application_count = site->pool_count = (size_t)n;
	if (!s->swarm.tiny && sim_chance(s, 30))
		draw_pool(s, &site->pools[site->pool_count++], n,
			  &site->applications[0]);
	if (resource)
		draw_resource(s, site);
	nodes_draw_site(s);
	draw_listeners(s, site);
	people_draw(s, site);
}

void site_toggle_resource(struct sim *s, const char *application)
{
	for (size_t i = 0; i < s->site.application_count; i++) {
		struct site_application *a = &s->site.applications[i];

		if (strcmp(a->name, application) != 0 ||
		    strcmp(a->name, "files") == 0)
			continue;
		if (!a->resources.count) {
			site_names_add(&a->resources, s->site.resources[0].name);
			continue;
		}
		free(a->resources.names);
		a->resources = (struct site_names){ 0 };
	}
}

int64_t site_extend_ms(const struct sim *s, const char *listener)
{
	for (size_t i = 0; i < s->site.listener_count; i++)
		if (strcmp(s->site.listeners[i].name, listener) == 0)
			return s->site.listeners[i].extend_ms;
	return 0;
}

const struct site_pool *site_pool_of(const struct sim *s, const char *pool)
{
	for (size_t i = 0; i < s->site.pool_count; i++)
		if (strcmp(s->site.pools[i].name, pool) == 0)
			return &s->site.pools[i];
	return NULL;
}
