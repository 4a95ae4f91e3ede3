/*
 * What happens by itself: clients arrive, operators interfere, things die.
 * Once a virtual second each kind of trouble gets its chance.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum { CHAOS_MS = 1000, FOREIGN_MAX = 3 };

static void arrival(struct sim *s, struct item *it)
{
	(void)it;
	if (s->settling)
		return;
	if (s->running)
		conn_arrive(s);
	sim_at(s, s->now_ms + sim_between(s, 1, 2 * s->swarm.arrival_ms),
	       arrival, NULL, 0, 0);
}

/* ---- operators ------------------------------------------------------------- */

static void draw_scale(struct sim *s, struct post *p)
{
	const struct site_pool *pool =
		&s->site.pools[sim_between(s, 0, (int64_t)s->site.pool_count - 1)];

	p->ev.command.name = post_text(p, sim_chance(s, 5) ? "nowhere" :
							     pool->name);
	p->ev.command.serve = sim_between(s, -1, s->swarm.tiny ? 1 : 5);
	p->ev.command.spare = sim_between(s, -1, 2);
	p->ev.command.max = sim_chance(s, 50) ? -1 : sim_between(s, 0, 6);
	p->ev.command.dry_run = sim_chance(s, 20);
}

/* One of the newest: it may live. */
static void draw_session(struct sim *s, struct post *p)
{
	const struct array *sessions = &s->store.session_list;
	size_t n = sessions->count;

	if (!n)
		return;
	p->ev.command.session = ((const struct session_row *)sessions->items[
		n - 1 - (size_t)sim_between(s, 0, (int64_t)(n < 5 ? n : 5) - 1)])->id;
	if (p->ev.command.verb == COMMAND_SESSION_END)
		return;
	p->ev.command.ms = sim_between(s, 0, 20000);
	conns_extended(s, p->ev.command.session, p->ev.command.ms);
}

void operator_act(struct sim *s)
{
	const struct array *machines = &s->store.machine_list;
	struct post *p = post_new(s, EVENT_COMMAND);
	size_t n = machines->count;

	p->ev.command.verb = (enum command_verb)sim_between(
		s, COMMAND_POOL_SCALE, COMMAND_TOKEN_DELETE);
	if (sim_chance(s, 1))
		p->ev.command.verb = COMMAND_SITE_CLOSE;
	p->ev.command.reply = ++s->next_token;
	p->ev.command.who = post_text(p, "root");
	if (s->site.cluster_count && sim_chance(s, 30)) {
		nodes_operator(s, p);
		post_send(s, p, NULL, 0);
		return;
	}
	switch (p->ev.command.verb) {
	case COMMAND_POOL_SCALE:
		draw_scale(s, p);
		break;
	case COMMAND_POOL_RESET:
	case COMMAND_POOL_PAUSE:
	case COMMAND_POOL_RESUME:
		p->ev.command.name = post_text(p, s->site.pools[sim_between(
			s, 0, (int64_t)s->site.pool_count - 1)].name);
		break;
	case COMMAND_SESSION_EXTEND:
	case COMMAND_SESSION_END:
		draw_session(s, p);
		break;
	case COMMAND_USER_DISABLE:
	case COMMAND_USER_ENABLE:
		p->ev.command.name = post_text(p, site_user_name(
			(uint32_t)sim_between(s, 0, USERS - 1)));
		p->ev.command.end_sessions = sim_chance(s, 50);
		break;
	case COMMAND_TOKEN_CREATE:
	case COMMAND_TOKEN_DELETE:
		tokens_draw_command(s, p);
		break;
	case COMMAND_SITE_CLOSE:
	case COMMAND_CLUSTER_RESIZE:
	case COMMAND_CLUSTER_RESET:
	case COMMAND_CLUSTER_PAUSE:
	case COMMAND_CLUSTER_RESUME:
	case COMMAND_CLUSTER_REPLACE:
	case COMMAND_NODE_MOVE:
	case COMMAND_CHANGE_CANCEL:
	case COMMAND_HOST_DRAIN:
	case COMMAND_HOST_UNDRAIN:
	case COMMAND_HOST_FENCE:
	case COMMAND_RULE_RUN:
	case COMMAND_RULE_ENABLE:
	case COMMAND_RULE_DISABLE:
		break;
	case COMMAND_MACHINE_HOLD:
	case COMMAND_MACHINE_RELEASE:
	case COMMAND_MACHINE_RESTART:
	case COMMAND_MACHINE_DELETE:
		p->ev.command.name = post_text(p, n ?
			((const struct machine_row *)machines->items[
				sim_between(s, 0, (int64_t)n - 1)])->name :
			"nothing-01");
		break;
	}
	post_send(s, p, NULL, 0);
}

static void change_site(struct sim *s)
{
	size_t i = (size_t)sim_between(s, 0, (int64_t)s->site.pool_count - 1);
	struct site_pool *p = &s->site.pools[i];
	struct site_host *h = &s->site.hosts[sim_between(
		s, 0, (int64_t)s->site.host_count - 1)];

	if (p->cluster && !sim_chance(s, 20)) {
		nodes_change_site(s);
	} else if (!p->keep && sim_chance(s, 30)) {
		s->absent ^= 1u << i;
	} else if (p->cluster) {
		/* its size is the cluster's */
	} else if (!p->keep) {
		p->serve = (uint32_t)sim_between(s, 0, s->swarm.tiny ? 1 : 4);
		p->spare = (uint32_t)sim_between(s, 0, p->serve);
		p->max = p->serve + (uint32_t)sim_between(s, 0, 2);
		if (!p->max)
			p->max = 1;
	}
	if (sim_chance(s, 25))	/* made of something else; perhaps undone */
		snprintf(p->version, sizeof(p->version), "v%d",
			 (int)sim_between(s, 1, 3));
	if (!p->keep && p->saved && sim_chance(s, 30))
		p->saved = (uint32_t)sim_between(s, 0, 2);
	h->boot_parallel = (uint32_t)sim_between(s, 1, 4);
	if (!p->keep && !p->cluster && s->swarm.hosts > 1 && sim_chance(s, 10))
		TEXT_SET(p->host, h->name);	/* for machines to come */
	if (s->site.resource_count && sim_chance(s, 50))
		site_toggle_resource(s, p->application);
	if (s->site.resource_count && sim_chance(s, 50))
		s->site.resources[0].access[sim_between(s, 0, 3)].allowed ^= 1;
	post_send(s, post_new(s, EVENT_SITE), NULL, 0);
}

/* ---- trouble ------------------------------------------------------------------ */

static void guest_trouble(struct sim *s)
{
	struct life *l;

	if (!s->lives.count)
		return;
	l = s->lives.items[sim_between(s, 0, (int64_t)s->lives.count - 1)];
	if (!l->ours)
		return;
	if (sim_fault(s, SIM_GUEST_DIES, l->machine)) {
		uptime_crashed(s, l);
		life_end(s, l);
	} else if (sim_fault(s, SIM_GUEST_OFF, l->machine)) {
		uptime_crashed(s, l);
		l->state = DOMAIN_OFF;
		hint(s, l, HINT_STOPPED);
		conns_life_ended(s, l);
	} else if (l->state == DOMAIN_RUNNING &&
		   sim_fault(s, SIM_GUEST_PAUSED, l->machine)) {
		l->state = DOMAIN_PAUSED;
		hint(s, l, HINT_OTHER);
	}
}

static void host_trouble(struct sim *s)
{
	uint32_t i = (uint32_t)sim_between(s, 0, s->swarm.hosts - 1);
	struct sim_host *h = &s->hosts[i];
	struct life *l;
	char uuid[ROW_UUID_SIZE], name[ROW_NAME_SIZE];

	if (s->now_ms >= h->frozen_ms && sim_fault(s, SIM_HOST_FREEZE, 0))
		h->frozen_ms = s->now_ms + sim_between(s, 1000, 90000);
	if (h->up && sim_fault(s, SIM_HOST_STUCK, 0))
		h->stuck = true;
	if (h->up && sim_fault(s, SIM_HOST_DIES, 0))
		host_die(s, i);
	if (sim_fault(s, SIM_QEMU_UPGRADED, 0))
		h->qemu++;
	if (sim_fault(s, SIM_DISK_LOW, 0))
		h->low_ms = s->now_ms + sim_between(s, 1000, 60000);
	if (sim_fault(s, SIM_GHOST, 0)) {
		uint64_t id = 0xffff00000000 + ++s->next_ghost;

		world_uuid(&(struct world){ .site_key = 0x5177e001 }, id, uuid);
		snprintf(name, sizeof(name), "ghost-%llu",
			 (unsigned long long)s->next_ghost);
		l = life_new(s, i, id, uuid, name, true);
		l->incarnation = 3;
	}
}

static void role_trouble(struct sim *s)
{
	uint32_t i = (uint32_t)sim_between(s, 0, s->swarm.gateways - 1);
	struct sim_gateway *g = &s->gateways[i];
	struct post *p;

	if (s->gateways[0].linked && sim_chance(s, 2)) {
		p = post_new(s, EVENT_NOTICE);
		p->ev.notice.severity = SEVERITY_WARN;
		p->ev.notice.kind = post_text(p, "EXPIRY");
		p->ev.notice.noun = post_text(p, "listener");
		p->ev.notice.name = post_text(p, "front");
		p->ev.notice.text = post_text(p, "the certificate expires in 7 days");
		gateway_post(s, 0, p);
	}
	if (s->rules_up && sim_fault(s, SIM_RULES_DIE, 0))
		rules_die(s);
	if (g->alive && sim_fault(s, SIM_GATEWAY_DIES, 0))
		gateway_die(s, i);
	if (g->alive && s->now_ms >= g->stalled_ms &&
	    sim_fault(s, SIM_GATEWAY_STALL, 0))
		g->stalled_ms = s->now_ms +
				sim_between(s, 500, sim_chance(s, 80) ? 8000 :
								     60000);
	if (s->target_machine && s->gateways[0].linked &&
	    sim_fault(s, SIM_TARGET_LOST, s->target_machine)) {
		p = post_new(s, EVENT_RESOURCE_LOST);
		p->ev.resource.machine = s->target_machine;
		p->ev.resource.resource = post_text(p, s->target_resource);
		p->ev.resource.text = post_text(p, "closed");
		s->target_machine = 0;
		gateway_post(s, 0, p);
	}
}

/* Everything on this computer ends at once; far guests go on. */
static void reboot(struct sim *s)
{
	if (!s->running || !sim_fault(s, SIM_REBOOT, 0))
		return;
	engine_crash(s);
	for (uint32_t i = 0; i < s->swarm.gateways; i++)
		gateway_die(s, i);
	for (size_t i = 0; i < s->lives.count;) {
		struct life *l = s->lives.items[i];

		if (l->host % 2 == 0 && l->ours) {
			uptime_crashed(s, l);
			life_end(s, l);
		} else {
			i++;
		}
	}
	s->rebooted = true;
}

static void trouble(struct sim *s, struct item *it)
{
	(void)it;
	if (s->settling)
		return;
	for (int i = 0; i < 4; i++)
		resource_knock(s);
	guest_trouble(s);
	host_trouble(s);
	role_trouble(s);
	reboot(s);
	volumes_trouble(s);
	if (s->running && sim_fault(s, SIM_OPERATOR, 0))
		operator_act(s);
	if (s->running && sim_fault(s, SIM_SITE_CHANGE, 0))
		change_site(s);
	if (sim_fault(s, SIM_WALL_JUMP, 0))
		s->wall_offset_ms = sim_between(s, -900000000, 900000000);
	sim_at(s, s->now_ms + CHAOS_MS, trouble, NULL, 0, 0);
}

/* Domains of somebody else: one bears the name of a machine to come, one
 * claims to be a machine of ours without our signature. */
static void foreigners(struct sim *s)
{
	static const char *const uuids[FOREIGN_MAX] = {
		"6f0c1f6e-0000-4000-8000-000000000001",
		"6f0c1f6e-0000-4000-8000-000000000002",
		"6f0c1f6e-0000-4000-8000-000000000003",
	};

	for (uint32_t i = 0; i < FOREIGN_MAX; i++) {
		uint32_t host = (uint32_t)sim_between(s, 0, s->swarm.hosts - 1);

		if (i == 2 && (s->swarm.calm || s->swarm.tiny ||
			       !sim_chance(s, 10)))
			continue;
		life_new(s, host, i == 1 ? 1 : 77, uuids[i],
			 i == 2 ? "pool0-02" : i == 1 ? "old" : "other", false);
		s->foreign++;
	}
}

void chaos_start(struct sim *s)
{
	foreigners(s);
	sim_at(s, s->now_ms, arrival, NULL, 0, 0);
	sim_at(s, s->now_ms, trouble, NULL, 0, 0);
}
