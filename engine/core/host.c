/*
 * Hosts: whether they answer, and what a poll shows to be true.  Events of
 * libvirt are hints that ask for a poll; only a poll begun after a machine's
 * create ended may say that its domain is gone.  A host that does not answer
 * is unknown, not dead: its sessions go on, its machines are not offered.
 */
#include <stdio.h>

#include "engine/core/internal.h"

static void host_set(struct world *w, struct effects *fx, struct host *h,
		     enum host_state state, struct slice text)
{
	static const char *const names[] = { "connecting", "up", "not answering" };
	bool changed = h->state != (int)state;

	text_copy_slice(h->text, sizeof(h->text), text);
	h->changed = w->turn;
	/* Nodes there may count as lost by now. */
	LIST_EACH(&h->machines, it)
		if (state == HOST_NOT_ANSWERING &&
		    LIST_ENTRY(it, struct machine, host_link)->node)
			pool_unbalance(w, LIST_ENTRY(it, struct machine,
						     host_link)->pool);
	if (!changed)
		return;
	h->silent_ms = state == HOST_NOT_ANSWERING ? w->now_ms : 0;
	h->state = (int)state;
	h->since_wall_ms = w->wall_ms;
	world_event(w, fx, state == HOST_UP ? SEVERITY_INFO : SEVERITY_WARN,
		    false, "HOST", "host", h->spec.name, "%s%s%s", names[state],
		    h->text[0] ? ": " : "", h->text);
	if (state == HOST_UP)
		placement_eased(w);
	LIST_EACH(&h->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, host_link);

		m->changed = m->pool->changed = w->turn;	/* how sure we are of it */
		machine_update_ready(w, m);
		if (state == HOST_UP)
			machine_kick(w, fx, m);
		pool_unbalance(w, m->pool);
	}
}

void host_poll(struct world *w, struct effects *fx, struct host *h)
{
	if (h->poll_call) {
		h->poll_again = true;
		return;
	}
	struct call *c = call_new(w, CALL_KIND_POLL, NULL, h, HOST_RESTART_MS);
	struct effect *e = effects_add(fx, EFFECT_HOST_POLL);

	h->poll_call = c->id;
	h->poll_sent_ms = w->now_ms;
	h->poll_again = false;
	e->call = c->id;
	e->step = ++h->poll;
	e->host = effects_text(fx, "%s", h->spec.name);
	timer_set(&w->timers, &h->timer, w->now_ms + HOST_ANSWER_MS);
}

void host_on_state(struct world *w, struct effects *fx, const struct event *ev)
{
	struct host *h = world_host(w, ev->host.host);

	if (!h)
		return;
	if (!ev->host.up) {
		host_set(w, fx, h, HOST_NOT_ANSWERING, ev->host.text);
		return;
	}
	h->kvm = ev->host.kvm;
	h->isolated = ev->host.isolated;
	h->cpus = ev->host.cpus;
	h->memory_mib = ev->host.memory_mib;
	text_copy_slice(h->labels, sizeof(h->labels), ev->host.labels);
	h->known = true;
	placement_eased(w);
	for (size_t i = 0; i < w->pool_count; i++)
		if (w->pools[i]->host == h)
			pool_unbalance(w, w->pools[i]);
	LIST_EACH(&h->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, host_link);

		machine_update_ready(w, m);
		if (m->row.state == MACHINE_DEFINED)
			machine_kick(w, fx, m);
	}
	/* Up counts from the first poll: only then is known what runs. */
	text_copy_slice(h->version, sizeof(h->version), ev->host.text);
	host_poll(w, fx, h);
}

void host_on_timer(struct world *w, struct effects *fx, struct host *h)
{
	char text[64];

	if (!h->poll_call) {
		host_poll(w, fx, h);
		return;
	}
	snprintf(text, sizeof(text), "no answer for %lld s",
		 (long long)(w->now_ms - h->poll_sent_ms) / 1000);
	host_set(w, fx, h, HOST_NOT_ANSWERING, slice_of(text));
	timer_set(&w->timers, &h->timer, w->now_ms + HOST_ANSWER_MS);
}

/* The outcome of every call under way is unknown now. */
void host_on_lost(struct world *w, struct effects *fx, struct host *h)
{
	host_set(w, fx, h, HOST_NOT_ANSWERING,
		 SLICE("its hypervisor process died; restarting it"));
	h->poll_call = 0;
	h->polled = false;
	timer_stop(&w->timers, &h->timer);
	LIST_EACH(&h->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, host_link);

		/* Answered calls leave the list; each answer may end others. */
		for (bool again = true; again;) {
			again = false;
			LIST_EACH(&m->calls, ct) {
				struct call *c =
					LIST_ENTRY(ct, struct call, machine_link);
				struct event ev = { .kind = EVENT_CALL_DONE };

				if (c->hook)
					continue;
				ev.done.call = c->id;
				ev.done.result = CALL_UNKNOWN;
				ev.done.text = SLICE("the hypervisor process died");
				call_on_done(w, fx, &ev);
				again = true;
				break;
			}
		}
	}
	for (size_t i = 0; i < w->calls.size; i++) {
		struct call *c = w->calls.slots[i].key ?
					 w->calls.slots[i].value : NULL;

		if (c && c->host == h && !c->machine) {
			call_free(w, c);
			i = (size_t)-1;	/* slots moved */
		}
	}
	/* Also what the ends above asked of it. */
	h->poll_call = h->stats_call = 0;
	h->poll_again = false;
	base_on_host_lost(w, h);
}

static void destroy_orphan(struct world *w, struct effects *fx, struct host *h,
			   const struct event *ev)
{
	struct call *c = call_new(w, CALL_KIND_ORPHAN, NULL, h, 60000);
	struct effect *e = effects_add(fx, EFFECT_DOMAIN_DESTROY);

	e->call = c->id;
	e->incarnation = ev->domain.incarnation;
	e->host = effects_text(fx, "%s", h->spec.name);
	e->text = effects_copy(fx, ev->domain.uuid);
	e->resource = effects_copy(fx, ev->domain.name);
	world_event(w, fx, SEVERITY_WARN, false, "ORPHAN", "host", h->spec.name,
		    "domain %.*s is ours and no machine's; destroying it",
		    (int)ev->domain.name.length, ev->domain.name.ptr);
}

/* A machine's domain on a host that is not its own: it is on its way there, or
 * was left behind when it went. */
static void seen_elsewhere(struct world *w, struct effects *fx, struct host *h,
			   struct machine *m, const struct event *ev)
{
	if (m->going == h) {
		m->arrived = ev->domain.state == DOMAIN_RUNNING;
		return;
	}
	/* A poll that began before it went may still show it. */
	if (!m->going && h->poll_sent_ms > m->moved_ms &&
	    !PLANTED(S12_TWIN_STAYS))
		destroy_orphan(w, fx, h, ev);
}

/* A migration of unknown outcome: the host it went to has been asked since. */
static void settle_arrivals(struct world *w, struct effects *fx, struct host *h)
{
	for (size_t i = 0; i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);
			bool arrived = m->arrived;

			if (m->going != h || m->job == JOB_MIGRATE)
				continue;
			m->arrived = false;
			change_on_live(w, fx, m, JOB_MIGRATE,
				       arrived ? CALL_OK : CALL_FAILED,
				       "the migration was lost; it is still where it was");
		}
}

void host_on_seen(struct world *w, struct effects *fx, const struct event *ev)
{
	struct host *h = world_host(w, ev->domain.host);
	struct machine *m = world_machine(w, ev->domain.machine);

	if (!h || (!ev->domain.ours && !PLANTED(S12_FOREIGN_IS_OURS)) ||
	    ev->domain.poll != h->poll)
		return;
	if (m && !slice_is(ev->domain.uuid, m->row.uuid))
		m = NULL;
	if (!m && PLANTED(S12_ORPHAN_STAYS))
		return;
	if (m && m->host != h) {
		seen_elsewhere(w, fx, h, m, ev);
		return;
	}
	if (!m) {
		destroy_orphan(w, fx, h, ev);
		return;
	}
	/* A domain of an earlier life is not this machine's: not seen. */
	if (ev->domain.incarnation != m->row.built ||
	    ev->domain.state == DOMAIN_OFF)
		return;
	m->seen_poll = ev->domain.poll;
	if (m->node && h->poll_sent_ms > m->hint_ms)
		node_set_ended(w, m, false);
	bool paused = ev->domain.state == DOMAIN_PAUSED;
	if (paused && !m->paused)
		world_event(w, fx, SEVERITY_WARN, false, "PAUSED", "machine",
			    m->row.name,
			    "its domain is paused (a disk error?); not offered until it runs");
	m->paused = paused;
}

static bool poll_speaks_of(const struct host *h, const struct machine *m)
{
	return machine_expects_domain(m) && h->poll > m->trust_poll && !m->going;
}

/* The first poll since we met the host shows none of our machines: it was
 * restarted, and none of them is to blame. */
static bool host_lost_all(const struct host *h)
{
	bool expected = false;

	LIST_EACH(&h->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, host_link);

		if (!poll_speaks_of(h, m))
			continue;
		expected = true;
		if (m->seen_poll == h->poll)
			return false;
	}
	return expected && !h->polled;
}

bool host_isolates(const struct host *h)
{
	return (h->known && h->kvm && h->isolated) || PLANTED(A4_NOT_ISOLATED);
}

bool host_is_full(const struct world *w, const struct host *h, char *why,
		  size_t why_size)
{
	if (!h->disk_short)
		return false;
	snprintf(why, why_size,
		 "host %s has %lld MiB left for disks, its reserve is %llu MiB: no machine is made there",
		 h->spec.name, (long long)h->disk_mib,
		 (unsigned long long)w->spec.disk_reserve_mib);
	return true;
}

/*
 * Room for disks and RAM images (decisions.md 36).  Below the reserve nothing
 * new boots, and what runs goes on: it may need the rest.  An eighth more than
 * the reserve must be free again, else every boot would be the last one.
 */
static void host_set_room(struct world *w, struct effects *fx, struct host *h,
			  int64_t disk_mib)
{
	uint64_t reserve = w->spec.disk_reserve_mib;
	bool was = h->disk_short;
	char why[ROW_TEXT_SIZE];

	h->disk_mib = disk_mib;
	if (disk_mib >= 0)
		h->disk_short = (uint64_t)disk_mib < reserve + (was ? reserve / 8 : 0);
	if (h->disk_short == was)
		return;
	if (host_is_full(w, h, why, sizeof(why)))
		world_event(w, fx, SEVERITY_FAIL, false, "DISK", "host",
			    h->spec.name, "%s", why);
	else
		world_event(w, fx, SEVERITY_INFO, false, "DISK", "host",
			    h->spec.name, "%lld MiB are free again for disks",
			    (long long)disk_mib);
	for (size_t i = 0; i < w->pool_count; i++)
		if (w->pools[i]->host == h)
			pool_unbalance(w, w->pools[i]);
}

void host_on_poll_done(struct world *w, struct effects *fx, struct host *h,
		       const struct event *ev)
{
	h->poll_call = 0;
	timer_set(&w->timers, &h->timer, w->now_ms + HOST_POLL_MS);
	if (ev->done.result != CALL_OK) {
		host_set(w, fx, h, HOST_NOT_ANSWERING, ev->done.text);
		return;
	}
	host_set_room(w, fx, h, ev->done.code);
	bool lost = host_lost_all(h);
	if (lost)
		world_event(w, fx, SEVERITY_FAIL, false, "HOST", "host",
			    h->spec.name,
			    "host lost: it came back without any of its machines");
	LIST_EACH(&h->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, host_link);

		if (m->row.state == MACHINE_SAVED && m->seen_poll == h->poll &&
		    h->poll > m->trust_poll)
			machine_begin_clean(w, fx, m, clean_below(m),
					    "a domain of it runs, though it is saved");
		if (m->node && m->node->down)
			pool_unbalance(w, m->pool);	/* perhaps for too long */
		/* Nobody waits for its end any more: this is where it is seen. */
		if (m->row.state == MACHINE_QUARANTINED &&
		    m->seen_poll != h->poll && h->poll > m->trust_poll)
			ledger_close(w, fx, m, true);
		if (!poll_speaks_of(h, m))
			continue;
		if (m->seen_poll == h->poll) {
			m->seen = !m->paused;
			machine_update_ready(w, m);
		} else {
			machine_died(w, fx, m,
				     lost ? "host lost" : "its domain is gone",
				     !lost);
		}
	}
	settle_arrivals(w, fx, h);
	h->polled = true;
	host_set(w, fx, h, HOST_UP, slice_of(h->version));
	usage_read(w, fx, h);
	if (h->poll_again)
		host_poll(w, fx, h);
}

void host_on_hint(struct world *w, struct effects *fx, const struct event *ev)
{
	struct host *h = world_host(w, ev->hint.host);
	struct machine *m = world_machine_by_uuid(w, ev->hint.uuid);

	if (!h || !m || (m->host != h && m->going != h))
		return;
	switch (ev->hint.hint) {
	case HINT_STOPPED:
		if (m->node) {
			m->hint_ms = w->now_ms;
			node_set_ended(w, m, !PLANTED(S14_HINT_UNHEARD));
		}
		host_poll(w, fx, h);
		return;
	case HINT_AGENT_UP:
		if (m->row.state == MACHINE_BOOTING && m->job == JOB_NONE) {
			m->retry_ms = 0;
			machine_kick(w, fx, m);
		}
		return;
	case HINT_STARTED:
	case HINT_AGENT_DOWN:
	case HINT_OTHER:
		return;
	}
}
