/*
 * The second phase: without faults and without new clients everything must
 * come to rest.  What is still missing is said in one sentence under the name
 * of its liveness rule; the rules are stated in terms of the fakes' truth
 * where there is one.
 */
#include <stdio.h>
#include <string.h>

#include "engine/sim/internal.h"

static char text[400];

static const char *roles_missing(const struct sim *s)
{
	if (!s->running || !s->rules_up)
		return s->running ? "the rules role is down" : "the engine is down";
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		if (!s->hosts[i].up || s->hosts[i].stuck)
			return "a hypervisor role is down or hangs";
	for (size_t i = 0; i < s->world.host_count; i++)
		if (s->world.hosts[i]->state != HOST_UP)
			return "a host that answers does not count as up";
	for (uint32_t i = 0; i < s->swarm.gateways; i++)
		if (!s->gateways[i].linked || !s->world.gateways[i].up)
			return "a gateway is down";
	return NULL;
}

static const char *sessions_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *c = s->conns.items[i];

		if (c->state == CONN_GONE)
			continue;
		snprintf(text, sizeof(text),
			 "the client of connection %llu at gateway %u is in state %d for %lld s",
			 (unsigned long long)c->id, c->gateway, (int)c->state,
			 (long long)(s->now_ms - c->since_ms) / 1000);
		return text;
	}
	LIST_EACH(&s->world.live, it) {
		const struct session *e = LIST_ENTRY(it, struct session,
						     live_link);

		snprintf(text, sizeof(text), "session/%llu is %s, nobody holds it",
			 (unsigned long long)e->row.id,
			 sm_name(&session_table, e->row.state));
		return text;
	}
	for (size_t i = 0; i < s->store.session_list.count; i++) {
		const struct session_row *r = s->store.session_list.items[i];

		if (sm_is_final(&session_table, r->state))
			continue;
		snprintf(text, sizeof(text), "session/%llu is saved as %s",
			 (unsigned long long)r->id,
			 sm_name(&session_table, r->state));
		return text;
	}
	return s->world.requests.used ? "a request waits past its deadline" :
					NULL;
}

static const char *machine_missing(const struct sim *s, const struct machine *m)
{
	const struct image *im;

	switch ((enum machine_state)m->row.state) {
	case MACHINE_READY:
		if (m->row.wish != WISH_RUN)
			break;
		return NULL;
	case MACHINE_SAVED:
		im = disk_of(s, m->row.uuid, m->row.image_built);
		if (m->row.wish != WISH_RUN || !im ||
		    (!is_version(im, version_of(&m->pool->spec)) &&
		     !m->pool->roll_paused))
			break;
		return NULL;
	case MACHINE_HELD:
		if (m->row.wish != WISH_HOLD)
			break;
		return NULL;
	case MACHINE_QUARANTINED:
		if (m->row.wish == WISH_RETIRE)
			break;
		return NULL;
	default:
		break;
	}
	snprintf(text, sizeof(text), "machine %s is %s, wish %d, job %d (%s)",
		 m->row.name, sm_name(&machine_table, m->row.state),
		 m->row.wish, (int)m->job, m->row.reason);
	return text;
}

static const char *machines_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->world.pool_count; i++)
		LIST_EACH(&s->world.pools[i]->machines, it) {
			const char *no = machine_missing(
				s, LIST_ENTRY(it, struct machine, pool_link));

			if (no)
				return no;
		}
	return NULL;
}

static bool is_isolated(const struct sim *s, const struct host *h)
{
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		if (strcmp(s->hosts[i].name, h->spec.name) == 0)
			return s->hosts[i].isolated;
	return false;
}

/* Its hosts can take no more of its machines. */
static bool is_without_room(const struct sim *s, const struct pool *p)
{
	char why[ROW_TEXT_SIZE];

	return !placement_choose(&s->world, p, p->spec.vcpus, p->spec.memory_mib,
				 NULL, NULL, why, sizeof(why));
}

static const char *pools_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->world.pool_count; i++) {
		const struct pool *p = s->world.pools[i];
		uint32_t parked = p->counts[MACHINE_HELD] +
				  p->counts[MACHINE_QUARANTINED];
		uint32_t ready = p->counts[MACHINE_READY];
		uint32_t saved = p->counts[MACHINE_SAVED], cold = p->spec.saved;
		uint32_t want = p->serve > p->spare ? p->serve : p->spare;

		if (want > p->max)
			want = p->max;
		if (p->spec.cluster)
			continue;	/* oracle_nodes.c */
		if (p->removed || p->closing ||
		    (p->spec.untrusted && !is_isolated(s, p->host)))
			want = cold = 0;
		if (ready == want && saved == cold)
			continue;
		/* What is saved where it is full cannot be woken either. */
		if (ready <= want && is_without_room(s, p))
			continue;
		if (ready <= want && saved <= cold &&
		    ready + saved + parked >= p->max + p->spec.saved)
			continue;
		snprintf(text, sizeof(text),
			 "pool %s has %u ready, %u saved and %u parked, wants %u and %u (max %u)",
			 p->spec.name, ready, saved, parked, want, cold, p->max);
		return text;
	}
	return NULL;
}

/* The store's word against the operator's site, not against the core's. */
static const char *versions_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->store.machine_list.count; i++) {
		const struct machine_row *r = s->store.machine_list.items[i];
		const struct site_pool *spec = site_pool_of(s, r->pool);
		const struct pool *p = world_pool(&s->world, slice_of(r->pool));

		if (!spec || !p || p->removed || p->closing || p->roll_paused ||
		    r->state != MACHINE_READY ||
		    strcmp(r->version, spec->version) == 0 ||
		    /* A node is replaced by one that is there before it goes. */
		    (p->spec.cluster && is_without_room(s, p)))
			continue;
		snprintf(text, sizeof(text), "machine %s is of version %s, its pool of %s",
			 r->name, r->version, spec->version);
		return text;
	}
	return NULL;
}

static const char *calls_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->world.calls.size; i++) {
		const struct call *c = s->world.calls.slots[i].key ?
				s->world.calls.slots[i].value : NULL;

		if (c && (!timer_is_set(&c->timer) ||
			  c->timer.at_ms < s->now_ms)) {
			snprintf(text, sizeof(text),
				 "call of kind %d is past its deadline",
				 (int)c->kind);
			return text;
		}
	}
	return NULL;
}

static const char *domains_missing(const struct sim *s)
{
	uint32_t foreign = 0;

	for (size_t i = 0; i < s->lives.count; i++) {
		const struct life *l = s->lives.items[i];
		const struct machine *m = world_machine(&s->world, l->machine);

		foreign += !l->ours;
		if (l->ours && m && m->node &&
		    strcmp(m->host->spec.name, s->hosts[l->host].name) != 0) {
			snprintf(text, sizeof(text), "domain %s runs on %s, its machine is on %s",
				 l->name, s->hosts[l->host].name,
				 m->host->spec.name);
			return text;
		}
		if (l->ours && m && m->row.state == MACHINE_SAVED) {
			snprintf(text, sizeof(text), "domain %s runs, its machine is saved",
				 l->name);
			return text;
		}
		if (!l->ours || (m && strcmp(m->row.uuid, l->uuid) == 0 &&
				 (l->incarnation == m->row.built ||
				  m->row.state == MACHINE_QUARANTINED)))
			continue;
		snprintf(text, sizeof(text), "domain %s is ours and nobody's",
			 l->name);
		return text;
	}
	return foreign == s->foreign ? NULL : "a foreign domain is gone";
}

static const char *images_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->images.count; i++) {
		const struct image *im = s->images.items[i];
		const struct machine *m = world_machine(&s->world, im->machine);

		if (m && strcmp(m->row.uuid, im->uuid) == 0 &&
		    m->row.image != IMAGE_NONE && m->row.image_built == im->built)
			continue;
		snprintf(text, sizeof(text), "an image of machine %llu (%llu) is nobody's",
			 (unsigned long long)im->machine,
			 (unsigned long long)im->built);
		return text;
	}
	return NULL;
}

/* A machine that is paused is ready for all the engine knows. */
static bool has_running(const struct sim *s, const struct pool *p)
{
	LIST_EACH(&p->ready, it) {
		const struct life *l = life_of_machine(
			s, LIST_ENTRY(it, struct machine, ready_link)->row.id);

		if (l && l->state == DOMAIN_RUNNING)
			return true;
	}
	return false;
}

static const char *resources_missing(const struct sim *s)
{
	for (size_t i = 0; i < s->world.resource_count; i++) {
		const struct resource *r = &s->world.resources[i];
		const struct pool *p = world_pool(&s->world,
						  slice_of(r->spec.pool));

		if (!r->spec.pool[0]) {
			if (!s->target_known)
				return "a resource is outside and gateway 0 does not know";
			continue;
		}
		if (p && has_running(s, p) && !s->target_machine)
			return "a resource has a machine and gateway 0 no target";
		const struct machine *m =
			world_machine(&s->world, s->target_machine);
		if (s->target_machine && s->target_machine != r->machine &&
		    (r->machine || !m || m->pool != p))
			return "gateway 0 has a target the engine does not mean";
		if (s->target_machine &&
		    !life_of_machine(s, s->target_machine))
			return "gateway 0 has a target without a domain";
	}
	return NULL;
}

const char *converge_missing(struct sim *s, const char **name)
{
	const char *no;

	*name = "L5";
	if ((no = roles_missing(s)))
		return no;
	*name = "L1";
	if ((no = sessions_missing(s)))
		return no;
	*name = "S12";
	if ((no = domains_missing(s)))
		return no;
	*name = "S11";
	if ((no = volumes_missing(s)) || (no = images_missing(s)))
		return no;
	*name = "L2";
	if ((no = machines_missing(s)))
		return no;
	*name = "L3";
	if ((no = pools_missing(s)) || (no = resources_missing(s)))
		return no;
	if ((no = nodes_missing(s, name)))
		return no;
	*name = "R1";
	if ((no = versions_missing(s)))
		return no;
	*name = "L4";
	if ((no = calls_missing(s)))
		return no;
	*name = "S16";
	if (s->ports.count)
		return "gateway 0 has a resource port without a session";
	*name = "FD";
	if (s->fds.used)
		return "the engine keeps a descriptor nobody will use";
	return NULL;
}
