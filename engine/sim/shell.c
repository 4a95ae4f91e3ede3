/*
 * The engine's shell: collects posts, steps the core, commits, acts and sends
 * in the order of ARCHITECTURE.md.  The engine may die before the commit,
 * between commit and act, and between any two acts or sends; what it had not
 * committed never happened, what it had not sent nobody hears.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/planted.h"
#include "engine/sim/internal.h"

enum { RESTART_LOW_MS = 100, RESTART_HIGH_MS = 3000, WALL_BASE_MS = 1000000000 };

/* The site may change again before the turn's acts are performed. */
static void note_wanted(struct sim *s, const struct effect *e)
{
	const struct machine *m = world_machine(&s->world, e->machine);

	if (m && (e->kind == EFFECT_DOMAIN_CREATE ||
		  e->kind == EFFECT_DOMAIN_RESTORE))
		map_put(&s->wanted, e->call, (void *)(uintptr_t)(
				1 + version_of(&m->pool->spec)));
}

static uint32_t wanted_version(struct sim *s, const struct effect *e)
{
	return (uint32_t)(uintptr_t)map_get(&s->wanted, e->call) - 1;
}

static void step(struct sim *s, struct event *ev)
{
	size_t from = s->fx.count;
	struct sim_coverage *c = &s->result->coverage;

	ev->now_ms = s->now_ms;
	ev->wall_ms = WALL_BASE_MS + s->now_ms + s->wall_offset_ms;
	trace_event(s, ev);
	engine_step(&s->world, ev, &s->fx);
	s->result->steps++;
	c->events[ev->kind]++;
	for (size_t i = from; i < s->fx.count; i++) {
		c->effects[s->fx.items[i].kind]++;
		trace_effect(s, &s->fx.items[i]);
		note_wanted(s, &s->fx.items[i]);
	}
	world_check(&s->world);
}

/* ---- start and end -------------------------------------------------------- */

static void restart(struct sim *s, struct item *it)
{
	(void)it;
	engine_start(s);
}

void engine_crash(struct sim *s)
{
	trace_note(s, "the engine dies");
	s->result->coverage.crashes++;
	s->running = false;
	fair_crash(s);
	uptime_restart(s);
	s->turn_ms = INT64_MAX;
	world_fini(&s->world);
	effects_clear(&s->fx);
	array_free(&s->inbox);
	/* Its descriptors and commands end with the process. */
	map_fini(&s->fds);
	map_fini(&s->tokens);
	map_fini(&s->wanted);
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		host_die(s, i);
	rules_die(s);
	for (uint32_t i = 0; i < s->swarm.gateways; i++)
		gateway_unlink(s, i);
	sim_at(s, s->now_ms + sim_between(s, RESTART_LOW_MS, RESTART_HIGH_MS),
	       restart, NULL, 0, 0);
}

static struct session_row *live_sessions(const struct sim *s, size_t *count)
{
	const struct array *list = &s->store.session_list;
	struct session_row *rows = calloc(list->count + 1, sizeof(*rows));

	CHECK("", rows, "out of memory");
	*count = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct session_row *row = list->items[i];
		const struct machine_row *m = store_machine(s, row->machine);

		if (!sm_is_final(&session_table, row->state) ||
		    (m && (m->session == row->id ||
			   (row->incarnation >= m->incarnation &&
			    map_get(&s->store.last, m->id) == row))))
			rows[(*count)++] = *row;
	}
	return rows;
}

static int by_id(const void *a, const void *b)
{
	const struct machine_row *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct ledger_row *open_ledgers(const struct sim *s, size_t *count)
{
	const struct array *list = &s->store.ledgers;
	struct ledger_row *rows = calloc(list->count + 1, sizeof(*rows));

	CHECK("", rows, "out of memory");
	*count = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct ledger_row *row = list->items[i];

		if (!row->end_wall_ms)
			rows[(*count)++] = *row;
	}
	return rows;
}

static void apply_first_site(struct sim *s)
{
	struct site_spec spec = site_copy(&s->site, s->absent);
	const struct array *list = &s->store.machine_list;
	struct machine_row *machines = calloc(list->count + 1, sizeof(*machines));
	struct world_rows rows = { .machines = machines,
				   .machine_count = list->count,
				   .overrides = s->store.overrides,
				   .override_count = s->store.override_count };
	struct session_row *sessions = live_sessions(s, &rows.session_count);
	struct event ev = { .kind = EVENT_SITE,
			    .site = { .spec = &spec, .rows = &rows,
				      .rebooted = s->rebooted } };

	struct volume_row *volumes = calloc(s->store.volumes.count + 1,
					    sizeof(*volumes));
	CHECK("", machines && volumes, "out of memory");
	for (size_t i = 0; i < s->store.volumes.count; i++)
		volumes[i] = ((struct stored_volume *)
				      s->store.volumes.items[i])->row;
	rows.volumes = volumes;
	rows.volume_count = s->store.volumes.count;
	struct join_row *joins = calloc(s->store.joins.count + 1, sizeof(*joins));
	CHECK("", joins, "out of memory");
	for (size_t i = 0; i < s->store.joins.count; i++)
		joins[i] = *(struct join_row *)s->store.joins.items[i];
	rows.joins = joins;
	rows.join_count = s->store.joins.count;
	struct ledger_row *ledgers = open_ledgers(s, &rows.ledger_count);
	rows.ledgers = ledgers;
	rows.clusters = &s->store.cluster;
	rows.cluster_count = s->store.cluster.name[0] != '\0';
	rows.changes = &s->store.change;
	rows.change_count = s->store.change.id && !s->store.change.ended_wall_ms;
	rows.decisions = &s->store.decision;
	rows.decision_count = s->store.decision.id != 0;
	rows.tokens = s->store.tokens;
	rows.token_count = s->store.token_count;
	for (size_t i = 0; i < list->count; i++)
		machines[i] = *(struct machine_row *)list->items[i];
	qsort(machines, list->count, sizeof(*machines), by_id);
	rows.sessions = sessions;
	step(s, &ev);
	free(machines);
	free(sessions);
	free(volumes);
	free(joins);
	free(ledgers);
	s->turn_ms = s->now_ms;
}

void engine_start(struct sim *s)
{
	struct world *w = &s->world;

	s->term++;
	trace_note(s, "engine of term %llu", (unsigned long long)s->term);
	world_init(w, 0x5177e000 | 1, s->term);
	for (int i = 0; i < 7; i++)
		if (!s->store.counters[i])
			s->store.counters[i] = 1;
	w->next_machine = s->store.counters[0];
	w->next_session = s->store.counters[1];
	w->next_request = s->store.counters[2];
	w->next_event = s->store.counters[3];
	w->next_change = s->store.counters[4];
	w->next_decision = s->store.counters[5];
	w->next_ledger = s->store.counters[6];
	s->running = true;
	people_restore(s);
	apply_first_site(s);
	oracle_restart(s);
	oracle_room_forget(s);
	s->rebooted = false;
	rules_start(s);
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		host_start(s, i);
	for (uint32_t i = 0; i < s->swarm.gateways; i++)
		gateway_start(s, i);
}

/* ---- a turn ------------------------------------------------------------------ */

int64_t engine_turn_at(const struct sim *s)
{
	if (!s->running)
		return INT64_MAX;
	int64_t deadline_ms = world_next_deadline(&s->world);
	return deadline_ms < s->turn_ms ? deadline_ms : s->turn_ms;
}

/* What the shell adds to a request: a fresh nonce, an earlier session. */
static void complete_request(struct sim *s, struct event *ev)
{
	static struct session_row prior;
	const struct session_row *found =
		store_find(s, ev->request.user, ev->request.key);
	struct conn *c = conn_by_id(s, ev->request.gateway, ev->request.conn);

	ev->request.nonce = random_u64(&s->random) | 1;
	for (int i = 0; i < ASSIGN_TRIES - 1; i++)
		ev->request.more_nonces[i] = random_u64(&s->random) | 1;
	if (found) {
		prior = *found;
		ev->request.prior = &prior;
	}
	if (c)
		c->allowed = people_allow(s, c);
	if (c && c->count)
		tickets_make(s, c, ev);
}

static void step_post(struct sim *s, struct post *p)
{
	struct site_spec spec;
	uint64_t machine;

	if (p->ev.kind == EVENT_REQUEST)
		complete_request(s, &p->ev);
	if (p->record)
		s->gateways[p->gateway].stepped = p->record;
	if (p->ev.kind == EVENT_SITE) {
		fair_forget(s);
		spec = site_copy(&s->site, s->absent);
		p->ev.site.spec = &spec;
	}
	if (p->ev.kind == EVENT_CALL_DONE && p->ev.done.has_fd)
		oracle_fd_in(s, p->ev.done.call, (uint64_t)p->ev.done.code);
	if (p->ev.kind == EVENT_CALL_DONE)
		oracle_room(s, &p->ev);
	if (p->ev.kind == EVENT_COMMAND)
		people_command(s, &p->ev);
	if (p->ev.kind == EVENT_COMMAND)
		map_put(&s->tokens, p->ev.command.reply, s);
	enum job job = uptime_job(s, &p->ev, &machine);
	step(s, &p->ev);
	if (job != JOB_NONE)
		uptime_done(s, job, machine);
	if (p->ev.kind == EVENT_DOMAIN_HINT && p->ev.hint.hint == HINT_STOPPED) {
		const struct machine *m =
			world_machine_by_uuid(&s->world, p->ev.hint.uuid);

		if (m && slice_is(p->ev.hint.host, m->host->spec.name))
			oracle_hint(s, m->row.id);
	}
}

static void step_all(struct sim *s)
{
	struct array posts = s->inbox;

	s->inbox = (struct array){ 0 };
	for (size_t i = 0; i < posts.count; i++)
		step_post(s, posts.items[i]);
	array_free(&posts);
	if (world_next_deadline(&s->world) <= s->now_ms) {
		struct event tick = { .kind = EVENT_TICK };

		step(s, &tick);
	}
}

static struct order *order_of(struct sim *s, const struct effect *e)
{
	const struct machine *m = world_machine(&s->world, e->machine);
	const struct session *se = world_session(&s->world, e->session);
	struct order *o = order_new(s, e);

	if (m) {
		const struct site_application *a = &m->pool->application;

		TEXT_SET(o->uuid, m->row.uuid);
		TEXT_SET(o->name, m->row.name);
		o->channel = a->endpoint == ENDPOINT_CHANNEL;
		o->agent_identity = a->identity == IDENTITY_AGENT;
		o->has_resources = a->resources.count > 0;
		o->longest_ms = a->longest_ms;
		o->idle_ms = a->idle_ms;
		o->linger_ms = a->linger_ms;
		o->untrusted = m->pool->spec.untrusted;
		o->version = wanted_version(s, e);
		TEXT_SET(o->image_key, m->row.image_key);
		o->image_built = m->row.image_built;
		o->image = m->row.image != IMAGE_NONE;
	} else {
		text_copy_slice(o->uuid, sizeof(o->uuid), e->text);
	}
	volumes_of_order(o, e, m);
	if (se)
		o->nonce = se->row.nonce;
	for (uint32_t i = 0; i < s->swarm.hosts; i++)
		if (m ? strcmp(m->host->spec.name, s->hosts[i].name) == 0 :
			slice_is(e->host, s->hosts[i].name))
			o->host = i;
	return o;
}

static void perform(struct sim *s, const struct effect *e)
{
	struct order *o = order_of(s, e);
	const struct session *se;

	oracle_act(s, e);
	switch (e->kind) {
	case EFFECT_STATS_READ:	/* its own answer never comes */
		nodes_stats(s, e);
		break;
	case EFFECT_HOST_POLL:
	case EFFECT_HOST_RESTART:
	case EFFECT_DOMAIN_CREATE:
	case EFFECT_DOMAIN_DESTROY:
	case EFFECT_BASE_LOOK:
	case EFFECT_VOLUME_DELETE:
	case EFFECT_DOMAIN_SAVE:
	case EFFECT_DOMAIN_RESTORE:
	case EFFECT_AGENT_PING:
	case EFFECT_AGENT_EXEC:
	case EFFECT_AGENT_WRITE:
	case EFFECT_TCP_PROBE:
	case EFFECT_CHANNEL_OPEN:
	case EFFECT_DOMAIN_RESIZE:
	case EFFECT_DOMAIN_MIGRATE:
		host_order(s, o);
		return;
	case EFFECT_RULE_RUN:
		nodes_rule_run(s, e);
		break;
	case EFFECT_VIP:
		nodes_vip(s, e);
		break;
	case EFFECT_NODE_SET:
	case EFFECT_NODE_DROP:
		oracle_node(s, e);
		/* fall through */
	case EFFECT_CLUSTER_SET:
	case EFFECT_CLUSTER_DROP:
		gateway_order(s, o);
		return;
	case EFFECT_HOOK_RUN:
	case EFFECT_HOOK_KILL:
	case EFFECT_STEP_RESULT:
		rules_order(s, o);
		return;
	case EFFECT_DROP_FD:
		oracle_fd_out(s, e->call, "DROP_FD");
		break;
	case EFFECT_ASSIGN:
		oracle_assign(s, e);
		/* fall through */
	case EFFECT_RESOURCE_PORT:
		if (e->kind == EFFECT_RESOURCE_PORT)
			oracle_port(s, e);
		/* fall through */
	case EFFECT_RESOURCE_TARGET:
		if (e->call)
			o->life = oracle_fd_out(s, e->call,
						effect_name(e->kind));
		/* fall through */
	case EFFECT_TICKET:
	case EFFECT_REFUSE:
	case EFFECT_NOTICE:
	case EFFECT_WAITING:
	case EFFECT_CONFIRMED:
	case EFFECT_RESOURCE_CLOSE:
		gateway_order(s, o);
		return;
	case EFFECT_STOP:
		/* A return given up in time may be tried again. */
		se = world_session(&s->world, e->session);
		if (!e->ms && !(se && se->away))
			map_put(&s->stopped, e->session, s);
		gateway_order(s, o);
		return;
	case EFFECT_SAVE_CLUSTER:
	case EFFECT_SAVE_CHANGE:
	case EFFECT_SAVE_DECISION:
	case EFFECT_SAVE_LEDGER:
	case EFFECT_SAVE_REQUEST:
	case EFFECT_SAVE_EVENT:
	case EFFECT_SAVE_OVERRIDE:
	case EFFECT_SAVE_TOKEN:
	case EFFECT_SAVE_JOIN:
	case EFFECT_DELETE_JOIN:
	case EFFECT_DELETE_TOKEN:
	case EFFECT_SAVE_VOLUME:
	case EFFECT_DELETE_VOLUME:
	case EFFECT_DELETE_OVERRIDE:
	case EFFECT_DELETE_MACHINE:
	case EFFECT_REPLY:
	case EFFECT_LOG:
	case EFFECT_KINDS:
		CHECK("", false, "%s is no act", effect_name(e->kind));
	}
	free(o);
}

static void show(struct sim *s)
{
	oracle_words(s);
	for (size_t i = 0; i < s->fx.count; i++) {
		const struct effect *e = &s->fx.items[i];

		if (e->kind == EFFECT_REPLY && !map_remove(&s->tokens, e->call))
			sim_broken(s, "REPLY", "a command answered twice");
	}
	if (s->tokens.used)
		sim_broken(s, "REPLY", "a command without answer");
}

static bool act_and_send(struct sim *s)
{
	for (int phase = PHASE_ACT; phase <= PHASE_SEND; phase++)
		for (size_t i = 0; i < s->fx.count; i++) {
			if (effect_phase(s->fx.items[i].kind) !=
			    (enum effect_phase)phase)
				continue;
			if (sim_fault(s, SIM_CRASH_ACT, 0))
				return false;
			perform(s, &s->fx.items[i]);
		}
	return true;
}

static void note_states(struct sim *s)
{
	for (size_t i = 0; i < s->world.pool_count; i++)
		for (int j = 0; j < MACHINE_STATES; j++)
			s->result->coverage.states[j] +=
				s->world.pools[i]->counts[j] > 0;
}

void engine_turn(struct sim *s)
{
	s->turn_ms = INT64_MAX;
	step_all(s);
	if (sim_fault(s, SIM_CRASH_STEP, 0)) {
		engine_crash(s);
		return;
	}
	if (PLANTED(S3_SEND_FIRST))
		act_and_send(s);
	store_commit(s);
	if (sim_fault(s, SIM_CRASH_COMMIT, 0) ||
	    (!PLANTED(S3_SEND_FIRST) && !act_and_send(s))) {
		engine_crash(s);
		return;
	}
	oracle_room_turn(s);
	gateways_stored(s);
	show(s);
	note_states(s);
	uptime_turn(s);
	world_end_turn(&s->world, &s->fx);
}
