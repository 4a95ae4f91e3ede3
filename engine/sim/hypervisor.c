/*
 * Hypervisor roles and the domains behind them.  A reference model: what a
 * call did and what its answer says are drawn separately, so that every
 * outcome may stay unknown.  Calls about one domain are carried out in the
 * order they were sent, also across a role's death, as libvirt's lock on a
 * domain has it; what a dead role had not begun never happens.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum { ROLE_RESTART_MS = 500 };

struct life *life_by_id(const struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->lives.count; i++) {
		struct life *l = s->lives.items[i];

		if (l->id == id)
			return l;
	}
	return NULL;
}

struct life *life_by_uuid(const struct sim *s, const char *uuid)
{
	for (size_t i = 0; i < s->lives.count; i++) {
		struct life *l = s->lives.items[i];

		if (strcmp(l->uuid, uuid) == 0)
			return l;
	}
	return NULL;
}

struct life *life_of_machine(const struct sim *s, uint64_t machine)
{
	for (size_t i = 0; i < s->lives.count; i++) {
		struct life *l = s->lives.items[i];

		if (l->ours && l->machine == machine)
			return l;
	}
	return NULL;
}

void hint(struct sim *s, const struct life *l, enum domain_hint kind)
{
	struct sim_host *h = &s->hosts[l->host];
	int times = sim_fault(s, SIM_HINT_LOST, l->machine) ? 0 :
		    sim_fault(s, SIM_HINT_TWICE, l->machine) ? 2 : 1;

	for (; s->running && h->up && times; times--) {
		struct post *p = post_new(s, EVENT_DOMAIN_HINT);

		p->ev.hint.host = post_text(p, h->name);
		p->ev.hint.uuid = post_text(p, l->uuid);
		p->ev.hint.hint = kind;
		/* Noticed late, so not in line with the answers. */
		post_send(s, p, NULL, sim_between(s, 0, 1500));
	}
}

static void agent_comes_up(struct sim *s, struct item *it)
{
	const struct life *l = life_by_id(s, it->a);

	if (l && l->state == DOMAIN_RUNNING)
		hint(s, l, HINT_AGENT_UP);
}

struct life *life_new(struct sim *s, uint32_t host, uint64_t machine,
		      const char *uuid, const char *name, bool ours)
{
	struct life *l = calloc(1, sizeof(*l));

	CHECK("", l, "out of memory");
	l->id = ++s->next_life;
	l->host = host;
	l->machine = machine;
	l->ours = ours;
	l->state = DOMAIN_RUNNING;
	TEXT_SET(l->uuid, uuid);
	TEXT_SET(l->name, name);
	l->agent_ms = s->now_ms + sim_between(s, 300, 4000);
	if (sim_fault(s, SIM_AGENT_NEVER, machine))
		l->agent_ms = INT64_MAX;
	else if (sim_fault(s, SIM_AGENT_SLOW, machine))
		l->agent_ms += sim_between(s, 4000, 40000);
	array_add(&s->lives, l);
	if (l->agent_ms < INT64_MAX && ours)
		sim_at(s, l->agent_ms, agent_comes_up, NULL, l->id, 0);
	return l;
}

void life_end(struct sim *s, struct life *l)
{
	hint(s, l, HINT_STOPPED);
	conns_life_ended(s, l);
	for (size_t i = 0; i < s->lives.count; i++)
		if (s->lives.items[i] == l)
			array_remove(&s->lives, i);
	free(l);
}

/* ---- the role ------------------------------------------------------------ */

static void says_up(struct sim *s, struct item *it)
{
	struct sim_host *h = &s->hosts[it->a];
	struct post *p;

	if (h->epoch != it->b || !s->running)
		return;
	p = post_new(s, EVENT_HOST_STATE);
	h->up = true;
	p->ev.host.host = post_text(p, h->name);
	p->ev.host.up = !sim_fault(s, SIM_POLL_FAIL, 0);
	p->ev.host.kvm = p->ev.host.isolated = h->isolated;
	p->ev.host.labels = post_text(p, h->isolated ? "apparmor" : "no label");
	p->ev.host.text = post_text(p, p->ev.host.up ? "simulated" :
						       "no connection yet");
	if (!p->ev.host.up)
		sim_at(s, s->now_ms + 2000, says_up, NULL, it->a, it->b);
	post_send(s, p, &h->out_ms, 1);
}

static void starts(struct sim *s, struct item *it)
{
	if (s->hosts[it->a].epoch == it->b && s->running)
		host_start(s, (uint32_t)it->a);
}

void host_start(struct sim *s, uint32_t host)
{
	struct sim_host *h = &s->hosts[host];

	h->epoch++;
	h->stuck = false;
	sim_at(s, s->now_ms + sim_between(s, 20, 500), says_up, NULL, host,
	       h->epoch);
}

void host_die(struct sim *s, uint32_t host)
{
	struct sim_host *h = &s->hosts[host];
	struct post *p;

	h->epoch++;
	h->up = h->stuck = false;
	if (!s->running)
		return;
	p = post_new(s, EVENT_HOST_LOST);
	p->ev.host.host = post_text(p, h->name);
	post_send(s, p, &h->out_ms, 1);
	sim_at(s, h->out_ms + ROLE_RESTART_MS, starts, NULL, host, h->epoch);
}

/* ---- answers --------------------------------------------------------------- */

static void late_answer(struct sim *s, struct item *it)
{
	struct sim_host *h = &s->hosts[it->a];

	if (h->epoch != it->b || !s->running)
		return;
	post_send(s, it->arg, &h->out_ms, 1);
	it->arg = NULL;
}

static void answer(struct sim *s, const struct order *o,
		   const struct guest_answer *a, uint64_t fd_life)
{
	struct sim_host *h = &s->hosts[o->host];
	uint64_t m = o->e.machine;
	struct post *p;

	/* The role or the whole engine it answers to is gone. */
	if (o->epoch != h->epoch || !s->running || a->silent ||
	    sim_fault(s, SIM_CALL_LOST, m))
		return;
	p = post_new(s, EVENT_CALL_DONE);
	p->ev.done.call = o->e.call;
	p->ev.done.result = a->result;
	p->ev.done.code = a->code;
	p->ev.done.evidence = a->evidence;
	p->ev.done.out = post_text(p, a->out);
	p->ev.done.text = post_text(p, a->text);
	if (sim_fault(s, SIM_CALL_UNKNOWN, m)) {
		p->ev.done.result = CALL_UNKNOWN;
		fd_life = 0;
	}
	p->ev.done.has_fd = fd_life != 0;
	if (fd_life)	/* travels in `code`, which such calls do not use */
		p->ev.done.code = (int64_t)fd_life;
	if (sim_fault(s, SIM_CALL_LATE, m)) {
		int64_t at = s->now_ms + sim_between(s, 1000, 90000);

		sim_at(s, at, late_answer, p, o->host, h->epoch);
		return;
	}
	post_send(s, p, &h->out_ms, sim_between(s, 0, s->swarm.latency_ms));
}

static void answer_plain(struct sim *s, const struct order *o,
			 enum call_result result, const char *text)
{
	struct guest_answer a = { .result = result, .text = text };

	answer(s, o, &a, 0);
}

/* ---- calls ----------------------------------------------------------------- */

static void run_poll(struct sim *s, const struct order *o)
{
	struct sim_host *h = &s->hosts[o->host];

	if (o->epoch != h->epoch || !s->running)
		return;
	if (sim_fault(s, SIM_POLL_FAIL, 0)) {
		answer_plain(s, o, CALL_FAILED, "libvirt said no");
		return;
	}
	for (size_t i = 0; i < s->lives.count; i++) {
		const struct life *l = s->lives.items[i];
		struct post *p;

		if (l->host != o->host)
			continue;
		p = post_new(s, EVENT_DOMAIN_SEEN);
		p->ev.domain.host = post_text(p, h->name);
		p->ev.domain.poll = o->e.step;
		p->ev.domain.machine = l->machine;
		p->ev.domain.incarnation = l->incarnation;
		p->ev.domain.uuid = post_text(p, l->uuid);
		p->ev.domain.name = post_text(p, l->name);
		p->ev.domain.state = l->state;
		p->ev.domain.ours = l->ours;
		post_send(s, p, &h->out_ms, 0);
	}
	bool low = s->now_ms < h->low_ms && !s->settling;
	struct guest_answer a = { .result = CALL_OK, .text = "" };

	a.code = low ? ROOM_RESERVE_MIB - 1 : 4 * ROOM_RESERVE_MIB;
	h->room_call = o->e.call;
	h->disk_mib = a.code;
	answer(s, o, &a, 0);
}

static void run_create(struct sim *s, const struct order *o)
{
	for (size_t i = 0; i < s->lives.count; i++) {
		const struct life *l = s->lives.items[i];

		if (l->host == o->host && (strcmp(l->uuid, o->uuid) == 0 ||
					   strcmp(l->name, o->name) == 0)) {
			answer_plain(s, o, CALL_FAILED, "domain exists");
			return;
		}
	}
	const char *why = volumes_make(s, o);
	if (why) {
		answer_plain(s, o, CALL_FAILED, why);
		return;
	}
	oracle_isolated(s, o);
	struct life *l = life_new(s, o->host, o->e.machine, o->uuid, o->name,
				  true);
	l->incarnation = o->e.incarnation;
	l->version = o->version;
	hint(s, l, HINT_STARTED);
	answer_plain(s, o, CALL_OK, "");
}

struct life *life_on(const struct sim *s, const char *uuid, uint32_t host)
{
	for (size_t i = 0; i < s->lives.count; i++) {
		struct life *l = s->lives.items[i];

		if (l->host == host && strcmp(l->uuid, uuid) == 0)
			return l;
	}
	return NULL;
}

static void run_destroy(struct sim *s, const struct order *o)
{
	struct life *l = life_on(s, o->uuid, o->host);
	struct guest_answer a = { .result = CALL_OK, .text = "" };

	if (!l || l->state == DOMAIN_OFF)
		a.evidence = EVIDENCE_WAS_OVER;
	if (l) {
		oracle_destroy(s, o, l);
		life_end(s, l);
	}
	if (o->e.ok && o->image)
		disk_delete(s, o->uuid, o->image_built);
	answer(s, o, &a, 0);
}

static void run_volume_delete(struct sim *s, const struct order *o)
{
	volume_delete(s, o);
	answer_plain(s, o, CALL_OK, "");
}

static void run_base_look(struct sim *s, const struct order *o)
{
	struct guest_answer a = { .text = "" };

	a.result = base_answer(s, &a);
	answer(s, o, &a, 0);
}

/* What needs the machine's own domain, running, of the right epoch. */
static void run_in_guest(struct sim *s, const struct order *o)
{
	struct life *l = life_by_uuid(s, o->uuid);
	struct guest_answer a = { .text = "" };

	if (!l || l->state != DOMAIN_RUNNING ||
	    l->incarnation != o->e.incarnation) {
		answer_plain(s, o, CALL_FAILED, "no such domain running");
		return;
	}
	if (o->e.kind == EFFECT_CHANNEL_OPEN) {
		if (sim_fault(s, SIM_CHANNEL_FAIL, l->machine))
			answer_plain(s, o, CALL_FAILED, "channel is busy");
		else
			answer(s, o, &a, l->id);
		return;
	}
	if (s->now_ms < l->agent_ms) {
		answer_plain(s, o, CALL_FAILED, "guest agent is not connected");
		return;
	}
	if (o->e.kind == EFFECT_AGENT_EXEC)
		guest_exec(s, l, o, &a);
	answer(s, o, &a, 0);
}

static void run_image(struct sim *s, const struct order *o)
{
	struct guest_answer a = { .text = "" };
	const char *no = o->e.kind == EFFECT_DOMAIN_SAVE ?
				 disk_save(s, o, &a) : disk_restore(s, o, &a);

	if (no) {
		a.result = CALL_FAILED;
		a.text = no;
		a.evidence &= EVIDENCE_WAS_OVER;
	}
	answer(s, o, &a, 0);
}

static void run_live(struct sim *s, const struct order *o)
{
	const char *no = o->e.kind == EFFECT_DOMAIN_MIGRATE ?
				 nodes_migrate(s, o) :
			 life_by_uuid(s, o->uuid) ? NULL : "no such domain";

	answer_plain(s, o, no ? CALL_FAILED : CALL_OK, no ? no : "");
}

static void carry_out(struct sim *s, const struct order *o)
{
	const struct sim_host *h = &s->hosts[o->host];

	if (o->epoch != h->epoch && sim_chance(s, 50))
		return;	/* the role died before it began */
	if (h->stuck && o->epoch == h->epoch)
		return;
	if (o->e.kind == EFFECT_HOST_POLL)
		run_poll(s, o);
	else if (sim_fault(s, SIM_CALL_FAIL, o->e.machine))
		answer_plain(s, o, CALL_FAILED, "simulated failure");
	else if (o->e.kind == EFFECT_DOMAIN_CREATE)
		run_create(s, o);
	else if (o->e.kind == EFFECT_DOMAIN_DESTROY)
		run_destroy(s, o);
	else if (o->e.kind == EFFECT_VOLUME_DELETE)
		run_volume_delete(s, o);
	else if (o->e.kind == EFFECT_BASE_LOOK)
		run_base_look(s, o);
	else if (o->e.kind == EFFECT_DOMAIN_SAVE ||
		 o->e.kind == EFFECT_DOMAIN_RESTORE)
		run_image(s, o);
	else if (o->e.kind == EFFECT_DOMAIN_RESIZE ||
		 o->e.kind == EFFECT_DOMAIN_MIGRATE)
		run_live(s, o);
	else
		run_in_guest(s, o);
}

static void poll_due(struct sim *s, struct item *it)
{
	struct order *o = it->arg;

	if (s->now_ms >= s->hosts[o->host].frozen_ms) {
		carry_out(s, o);
		return;
	}
	it->arg = NULL;
	sim_at(s, s->hosts[o->host].frozen_ms, poll_due, o, 0, 0);
}

static void lane_due(struct sim *s, struct item *it)
{
	struct array *lane = map_get(&s->lanes, it->a);
	struct order *o = lane->items[0];

	if (s->now_ms < s->hosts[o->host].frozen_ms) {
		sim_at(s, s->hosts[o->host].frozen_ms, lane_due, NULL, it->a, 0);
		return;
	}
	array_remove(lane, 0);
	carry_out(s, o);
	free(o);
	if (lane->count)
		sim_at(s, ((struct order *)lane->items[0])->due_ms, lane_due,
		       NULL, it->a, 0);
}

static int64_t work_ms(struct sim *s, const struct order *o)
{
	if (o->e.kind == EFFECT_DOMAIN_CREATE)
		return sim_fault(s, SIM_CREATE_SLOW, o->e.machine) ?
			       sim_between(s, 3000, 40000) :
			       sim_between(s, 100, 600);
	if (o->e.kind == EFFECT_DOMAIN_DESTROY ||
	    o->e.kind == EFFECT_VOLUME_DELETE)
		return sim_between(s, 10, 500);
	if (o->e.kind == EFFECT_DOMAIN_SAVE)
		return sim_between(s, 300, 2000);
	if (o->e.kind == EFFECT_DOMAIN_RESTORE)
		return sim_between(s, 200, 900);
	return sim_between(s, 1, 30);
}

static struct array *lane_of(struct sim *s, uint64_t machine)
{
	struct array *lane = map_get(&s->lanes, machine);

	if (!lane) {
		lane = calloc(1, sizeof(*lane));
		CHECK("", lane, "out of memory");
		map_put(&s->lanes, machine, lane);
	}
	return lane;
}

void host_order(struct sim *s, struct order *o)
{
	struct sim_host *h = &s->hosts[o->host];
	const struct life *l = life_by_uuid(s, o->uuid);
	uint64_t m = o->e.machine ? o->e.machine : l ? l->machine : 1ull << 50;
	struct array *lane;

	if (o->e.kind == EFFECT_HOST_RESTART && h->up)
		host_die(s, o->host);
	if (o->e.kind == EFFECT_HOST_RESTART || !h->up) {
		free(o);	/* not sent: the call's own deadline will tell */
		return;
	}
	o->epoch = h->epoch;
	o->due_ms = s->now_ms + sim_between(s, 0, s->swarm.latency_ms);
	if (o->e.kind == EFFECT_HOST_POLL) {
		sim_at(s, o->due_ms, poll_due, o, 0, 0);
		return;
	}
	o->due_ms += work_ms(s, o);
	lane = lane_of(s, m);
	array_add(lane, o);
	if (lane->count == 1)
		sim_at(s, o->due_ms, lane_due, NULL, m, 0);
}
