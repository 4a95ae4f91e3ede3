/*
 * The judge.  It believes nothing the core says of itself: it sees the rows
 * that were committed, the acts and messages that left, and the fakes' own
 * truth (which domain lives, what a user left in it).  Names are those of the
 * invariants; FD is the ledger of descriptors, REPLY that of commands.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

static unsigned long long ull(uint64_t n)
{
	return n;
}

/* The user's part of what is in the domain; pools of recycle "none" declare
 * that their machines keep nothing, but the port is ours to answer for. */
static uint64_t residue(const struct sim *s, const struct life *l,
			const char *pool)
{
	const struct site_pool *p = site_pool_of(s, pool);

	if (l->port)
		return l->port;
	return p && p->recycle == RECYCLE_NONE ? 0 : l->residue;
}

static void new_session(struct sim *s, const struct session_row *row)
{
	const struct life *l = life_of_machine(s, row->machine);
	struct conn *c = tickets_conn(s, row);
	const struct session_row *tried;
	const char *over;

	if (!c || !c->allowed || strcmp(c->user, row->user) != 0 ||
	    strcmp(c->application, row->application) != 0)
		sim_broken(s, "S16", "session/%llu of %s for %s was not allowed",
			   ull(row->id), row->user, row->application);
	tried = row->ticket[0] ? NULL : store_session(s, c->tried);
	if (row->ticket[0])
		c->tries = 0;
	if ((tried && tried->state != SESSION_FAILED) ||
	    ++c->tries > ASSIGN_TRIES)
		sim_broken(s, "S7", "connection %llu has session/%llu after %u others, the last session/%llu",
			   ull(c->id), ull(row->id), c->tries - 1, ull(c->tried));
	tokens_spent(s, c, row);
	c->tried = row->id;
	if (l && residue(s, l, row->pool) && residue(s, l, row->pool) != row->id)
		sim_broken(s, "S4", "%s is given to session/%llu with what session/%llu left",
			   row->machine_name, ull(row->id),
			   ull(residue(s, l, row->pool)));
	if (l && l->unproven)
		sim_broken(s, "S4", "%s is given to session/%llu, restored without proof",
			   row->machine_name, ull(row->id));
	for (size_t i = 0; i < s->store.session_list.count; i++) {
		const struct session_row *r = s->store.session_list.items[i];
		bool final = sm_is_final(&session_table, r->state);

		if (r->machine == row->machine &&
		    r->incarnation == row->incarnation)
			sim_broken(s, "S1", "%s has session/%llu and session/%llu in incarnation %llu",
				   row->machine_name, ull(r->id), ull(row->id),
				   ull(row->incarnation));
		if (r->machine == row->machine && !final)
			sim_broken(s, "S2", "%s has two live sessions",
				   row->machine_name);
		if (row->request_key[0] && r->state != SESSION_FAILED &&
		    strcmp(r->request_key, row->request_key) == 0 &&
		    strcmp(r->user, row->user) == 0)
			sim_broken(s, "S7", "request %s of %s took session/%llu and session/%llu",
				   row->request_key, row->user, ull(r->id),
				   ull(row->id));
	}
	if ((over = people_over(s, row)))
		sim_broken(s, "S16", "session/%llu is one more than the limit of %s",
			   ull(row->id), over);
}

/* Whoever comes back while his session waits for him gets that one (S26). */
static void came_back(struct sim *s, const struct session_row *row)
{
	LIST_EACH(&s->world.live, it) {
		const struct session *e = LIST_ENTRY(it, struct session, live_link);

		if (row->ticket[0] || e->row.id == row->id || !e->away || e->held ||
		    e->away_ms >= s->now_ms || row->wait_ms ||
		    strcmp(e->row.user, row->user) != 0 ||
		    strcmp(e->row.application, row->application) != 0 ||
		    strcmp(e->row.request_key, row->request_key) != 0)
			continue;
		sim_broken(s, "S26", "%s gets session/%llu while session/%llu waits for him",
			   row->user, ull(row->id), ull(e->row.id));
	}
}

/* A second machine for somebody whose session can be joined (S28).  Who waited
 * or had a machine that did not accept was on his way before that was so. */
static void stays_one(struct sim *s, const struct session_row *row)
{
	const struct conn *c = tickets_conn(s, row);

	LIST_EACH(&s->world.live, it) {
		const struct session *e = LIST_ENTRY(it, struct session, live_link);

		if (row->ticket[0] || row->wait_ms || (c && c->tries > 1) ||
		    e->row.id == row->id || !e->share || e->away || e->returning ||
		    e->stopping || e->row.state != SESSION_ACTIVE ||
		    e->row.ticket[0] || e->row.accepted_wall_ms >= row->assigned_wall_ms ||
		    strcmp(e->row.user, row->user) != 0 ||
		    strcmp(e->row.application, row->application) != 0)
			continue;
		sim_broken(s, "S28", "%s gets session/%llu beside session/%llu, which he could join",
			   row->user, ull(row->id), ull(e->row.id));
	}
}

/* Ended in order, and somebody's bytes flow on (S28). */
static void ends_last(struct sim *s, const struct session_row *row)
{
	for (size_t i = 0; i < s->conns.count; i++) {
		const struct conn *c = s->conns.items[i];

		if (c->state == CONN_FLOWING && conn_session(c) == row->id)
			sim_broken(s, "S28", "session/%llu is %s, its connection %llu at gateway %u is not",
				   ull(row->id), sm_name(&session_table, row->state),
				   ull(c->id), c->gateway);
	}
}

void oracle_session(struct sim *s, const struct session_row *old,
		    const struct session_row *row)
{
	tickets_session(s, old, row);
	if (s->swarm.calm && row->state == SESSION_FAILED && !row->ticket[0])
		sim_broken(s, "CALM", "session/%llu failed without any fault: %s",
			   ull(row->id), row->end_text);
	if (!old) {
		new_session(s, row);
		came_back(s, row);
		stays_one(s, row);
		return;
	}
	if (row->state == SESSION_CLOSED && old->state != row->state)
		ends_last(s, row);
	if (sm_is_final(&session_table, old->state) && old->state != row->state)
		sim_broken(s, "S9", "session/%llu went from %s to %s",
			   ull(row->id), sm_name(&session_table, old->state),
			   sm_name(&session_table, row->state));
	/* Its gateway, of the same life, has told how it ended (S10). */
	uint64_t closed = (uintptr_t)map_get(&s->closed, row->id);
	if (closed && row->state == SESSION_LOST && s->swarm.records_first &&
	    row->gateway < GATEWAYS_MAX &&
	    s->gateways[row->gateway].epoch + 1 == closed &&
	    strstr(row->end_text, "does not hold it"))
		sim_broken(s, "S10", "session/%llu ended in order at gateway %u and is recorded as lost",
			   ull(row->id), row->gateway);
	if (old->machine != row->machine || old->nonce != row->nonce ||
	    old->incarnation != row->incarnation ||
	    strcmp(old->user, row->user) != 0)
		sim_broken(s, "S9", "session/%llu became another", ull(row->id));
}

/* Without faults nothing fails and nothing clean is thrown away. */
static void oracle_calm(struct sim *s, const struct machine_row *old,
			const struct machine_row *row)
{
	const struct site_pool *p = site_pool_of(s, row->pool);

	if (!s->swarm.calm)
		return;
	if (row->failures)
		sim_broken(s, "CALM", "%s failed without any fault: %s",
			   row->name, row->reason);
	bool outdated = p && (strcmp(p->version, row->version) != 0 ||
			      strcmp(p->host, row->host) != 0);

	if (old && row->state == MACHINE_DEFINED && p && !outdated &&
	    p->recycle != RECYCLE_REBUILD)
		sim_broken(s, "CALM", "%s was made anew without any fault: %s",
			   row->name, row->reason);
}

/* R2: a roll takes few machines at a time, and none while somebody waits. */
static void oracle_roll(struct sim *s, const struct machine_row *old,
			const struct machine_row *row)
{
	const struct pool *p = world_pool(&s->world, slice_of(row->pool));

	if (!old || old->state != MACHINE_READY || !p ||
	    row->state != MACHINE_CLEANING ||
	    strcmp(row->reason, "of an earlier version") != 0)
		return;
	if (s->roll.at_ms != s->now_ms || strcmp(s->roll.pool, row->pool) != 0) {
		s->roll.at_ms = s->now_ms;
		s->roll.count = 0;
		TEXT_SET(s->roll.pool, row->pool);
	}
	uint32_t most = pool_total(p) / 4 > 1 ? pool_total(p) / 4 : 1;
	if (++s->roll.count > most)
		sim_broken(s, "R2", "%u of %u machines of %s are replaced at once",
			   s->roll.count, pool_total(p), row->pool);
}

void oracle_machine(struct sim *s, const struct machine_row *old,
		    const struct machine_row *row)
{
	const struct session_row *held = store_session(s, row->session);
	const struct life *l = life_by_uuid(s, row->uuid);

	if (map_get(&s->store.deleted, row->id))
		sim_broken(s, "S9", "%s came back from gone", row->name);
	if (old && row->incarnation < old->incarnation)
		sim_broken(s, "S6", "%s went back to incarnation %llu",
			   row->name, ull(row->incarnation));
	if (row->session && !held)
		sim_broken(s, "S3", "%s has session/%llu, which was never saved",
			   row->name, ull(row->session));
	if (!row->dirty && held)
		sim_broken(s, "S5", "%s is saved as clean with session/%llu",
			   row->name, ull(row->session));
	oracle_calm(s, old, row);
	oracle_roll(s, old, row);
	if (row->dirty || !l || !l->ours || !residue(s, l, row->pool))
		return;
	sim_broken(s, row->state == MACHINE_READY ? "S4" : "S5",
		   "%s is saved as clean (%s) with what session/%llu left",
		   row->name, sm_name(&machine_table, row->state),
		   ull(residue(s, l, row->pool)));
}

/*
 * R3: on a host whose storage is known to be short nothing is made.  What was
 * ordered in the turn that heard of it may have been decided before.
 */
void oracle_room(struct sim *s, const struct event *ev)
{
	for (uint32_t i = 0; i < s->swarm.hosts; i++) {
		struct sim_host *h = &s->hosts[i];

		if (h->room_call != ev->done.call || ev->done.result != CALL_OK ||
		    !map_get(&s->world.calls, ev->done.call))
			continue;
		h->low_now = h->disk_mib < ROOM_RESERVE_MIB;
		h->low = h->low && h->low_now;
	}
}

void oracle_room_turn(struct sim *s)
{
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		s->hosts[i].low = s->hosts[i].low_now;
}

void oracle_room_forget(struct sim *s)
{
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		s->hosts[i].low = s->hosts[i].low_now = false;
}

static void check_room(struct sim *s, const struct effect *e)
{
	const struct machine_row *row = store_machine(s, e->machine);

	for (uint32_t i = 0; row && i < s->swarm.hosts; i++)
		if (strcmp(s->hosts[i].name, row->host) == 0 && s->hosts[i].low)
			sim_broken(s, "R3", "%s is made on %s, whose storage is short",
				   row->name, row->host);
}

void oracle_act(struct sim *s, const struct effect *e)
{
	const struct session_row *row = store_session(s, e->session);

	if (e->kind == EFFECT_HOOK_RUN && e->hook == HOOK_ACCEPT && !row)
		sim_broken(s, "S3", "the accept hook of session/%llu runs before its row is saved",
			   ull(e->session));
	if (e->kind == EFFECT_DOMAIN_CREATE)
		check_room(s, e);
	if (e->machine && e->kind != EFFECT_DOMAIN_DESTROY &&
	    effect_phase(e->kind) == PHASE_ACT && !store_machine(s, e->machine))
		sim_broken(s, "S3", "%s for machine %llu, which has no row",
			   effect_name(e->kind), ull(e->machine));
}

/* Only who may have it joins a session, and it is one that can be shared. */
static void check_join(struct sim *s, const struct effect *e,
		       const struct session_row *row, const struct conn *c)
{
	const struct join_row *join = store_join(s, e->join);

	if (!e->join || !row)
		return;
	if (c && (!c->allowed || strcmp(c->application, row->application) != 0))
		sim_broken(s, "S28", "%s, who may not have it, joins session/%llu",
			   c->user, ull(row->id));
	if (join && (join->session != e->session || join->gateway != e->gateway ||
		     join->conn != e->conn))
		sim_broken(s, "S3", "connection %llu is not saved as it is told",
			   ull(e->join));
}

void oracle_assign(struct sim *s, const struct effect *e)
{
	const struct session_row *row = store_session(s, e->session);
	const struct life *l = life_of_machine(s, e->machine);
	const struct machine *m = world_machine(&s->world, e->machine);
	uint64_t key = e->machine << 24 ^ e->incarnation;
	uint64_t *bound = map_get(&s->bound, key);

	const struct conn *c = conn_by_id(s, e->gateway, e->conn);

	if (c && row && strcmp(c->user, row->user) != 0)
		sim_broken(s, e->join ? "S28" : "S26", "session/%llu of %s is given to %s",
			   ull(row->id), row->user, c->user);
	check_join(s, e, row, c);
	/* A return may come after the stop of an engine that died with it. */
	if (map_get(&s->stopped, e->session) && !map_get(&s->accepted, e->session))
		sim_broken(s, "S9", "session/%llu is assigned after it was stopped",
			   ull(e->session));
	if (!row || row->machine != e->machine ||
	    row->incarnation != e->incarnation)
		sim_broken(s, "S3", "ASSIGN of session/%llu, which is not saved so",
			   ull(e->session));
	if (bound && bound != (void *)row)
		sim_broken(s, "S1", "machine %llu is told of a second user in incarnation %llu",
			   ull(e->machine), ull(e->incarnation));
	map_put(&s->bound, key, (void *)row);
	if (l && residue(s, l, row->pool) && residue(s, l, row->pool) != row->id)
		sim_broken(s, "S4", "ASSIGN of %s to session/%llu with what session/%llu left",
			   row->machine_name, ull(row->id),
			   ull(residue(s, l, row->pool)));
	if (l && m && m->pool->application.identity == IDENTITY_AGENT &&
	    l->carries != row->id && l->incarnation == m->row.built)
		sim_broken(s, "S1", "%s carries session/%llu and is given to session/%llu",
			   row->machine_name, ull(l->carries), ull(row->id));
}

void oracle_destroy(struct sim *s, const struct order *o, const struct life *l)
{
	const struct machine_row *row = store_machine(s, l->machine);

	if (!l->ours)
		sim_broken(s, "S12", "%s is not ours and was destroyed", l->name);
	if (!o->e.machine && row && strcmp(row->uuid, l->uuid) == 0 &&
	    strcmp(row->host, s->hosts[l->host].name) == 0)
		sim_broken(s, "S12", "%s has a machine and was destroyed as an orphan",
			   l->name);
}

void oracle_make(struct sim *s, const struct order *o, const char *name)
{
	const struct volume_row *row = store_volume(s, name);

	if (!row || row->machine != o->e.machine)
		sim_broken(s, "S3", "%s is made before its row is saved", name);
}

void oracle_unlink(struct sim *s, const struct order *o,
		   const struct sim_file *f)
{
	const struct life *l = life_of_machine(s, f->machine);

	if (f->foreign)
		sim_broken(s, "S12", "the file %s is not ours and was deleted",
			   f->name);
	if (l && f->machine == o->e.machine && l->host == f->host &&
	    l->state == DOMAIN_RUNNING)
		sim_broken(s, "S5", "%s is deleted under its running domain",
			   f->name);
}

void oracle_volume_gone(struct sim *s, const struct volume_row *row)
{
	for (size_t i = 0; i < s->files.count; i++) {
		const struct sim_file *f = s->files.items[i];

		if (!f->foreign && strcmp(f->name, row->name) == 0)
			sim_broken(s, "S11", "the row of %s goes, its file stays",
				   f->name);
	}
}

void oracle_save(struct sim *s, const struct life *l)
{
	if (l->used || l->residue)
		sim_broken(s, "S4", "an image of %s is made after it had a user",
			   l->name);
}

void oracle_isolated(struct sim *s, const struct order *o)
{
	if (o->untrusted && !s->hosts[o->host].isolated)
		sim_broken(s, "A4", "untrusted %s runs on %s, which isolates nothing",
			   o->name, s->hosts[o->host].name);
}

void oracle_restore(struct sim *s, const struct order *o,
		    const struct image *im)
{
	oracle_isolated(s, o);
	if (im->residue)
		sim_broken(s, "S4", "%s is restored with what session/%llu left",
			   o->name, ull(im->residue));
	if (volumes_disks(s, im->machine) > o->volume_count)
		sim_broken(s, "S4", "%s is restored on %d new overlays for %d disks",
			   o->name, o->volume_count,
			   volumes_disks(s, im->machine));
	if (!is_version(im, o->version))
		sim_broken(s, "S6", "%s is restored from an image of version %u, wanted is %u",
			   o->name, im->version, o->version);
}

void oracle_touch(struct sim *s, const struct life *l, uint64_t session)
{
	const struct session_row *row = store_session(s, session);

	if (!row)
		sim_broken(s, "S3", "session/%llu, which has no row, reaches %s",
			   ull(session), l->name);
	if (row->machine != l->machine)
		sim_broken(s, "S6", "session/%llu reaches %s, not its machine",
			   ull(session), l->name);
	if (residue(s, l, row->pool) && residue(s, l, row->pool) != session)
		sim_broken(s, "S4", "session/%llu reaches %s, where session/%llu left something",
			   ull(session), l->name,
			   ull(residue(s, l, row->pool)));
}

void oracle_restart(struct sim *s)
{
	for (size_t i = 0; i < s->store.session_list.count; i++) {
		const struct session_row *row = s->store.session_list.items[i];
		const struct machine *m = world_machine(&s->world, row->machine);

		if (m && (row->incarnation > m->row.incarnation ||
			  (row->incarnation == m->row.incarnation &&
			   !m->row.dirty)))
			sim_broken(s, "S1", "%s comes back at incarnation %llu, which session/%llu has had",
				   row->machine_name, ull(m->row.incarnation),
				   ull(row->id));
		if (m && s->rebooted && m->row.failures >
		    store_machine(s, row->machine)->failures)
			sim_broken(s, "L9", "%s is blamed for the computer's restart",
				   row->machine_name);
		if (sm_is_final(&session_table, row->state))
			continue;
		const struct session *se = world_session(&s->world, row->id);
		if (s->rebooted && se &&
		    !sm_is_final(&session_table, se->row.state))
			sim_broken(s, "L9", "session/%llu goes on after the computer's restart",
				   ull(row->id));
		if (!world_session(&s->world, row->id))
			sim_broken(s, "S3", "live session/%llu was lost by the restart",
				   ull(row->id));
		if (!m || !m->row.dirty)
			sim_broken(s, "S5", "the machine of live session/%llu came back clean",
				   ull(row->id));
	}
}

void oracle_fd_in(struct sim *s, uint64_t call, uint64_t life)
{
	if (map_get(&s->fds, call))
		sim_broken(s, "FD", "call %llu brought two descriptors",
			   ull(call));
	map_put(&s->fds, call, (void *)(uintptr_t)life);
}

uint64_t oracle_fd_out(struct sim *s, uint64_t call, const char *what)
{
	void *life = map_remove(&s->fds, call);

	if (!life)
		sim_broken(s, "FD", "%s uses the descriptor of call %llu, which is not there",
			   what, ull(call));
	return (uint64_t)(uintptr_t)life;
}
