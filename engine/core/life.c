/*
 * What a machine does next.  machine_kick compares what is wanted (row.wish),
 * what is true (row.state) and what is being done (job), and starts at most
 * one job; machine_on_job hears how it ended.  Everything is level-triggered:
 * kicking twice does no harm.
 */
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

/* The next moment something must be looked at: a retry or a deadline. */
void machine_arm(struct world *w, struct machine *m)
{
	int64_t at = INT64_MAX;

	if (m->retry_ms > w->now_ms)
		at = m->retry_ms;
	if (m->deadline_ms && m->deadline_ms < at)
		at = m->deadline_ms;
	if (at == INT64_MAX)
		timer_stop(&w->timers, &m->timer);
	else
		timer_set(&w->timers, &m->timer, at);
}

void machine_on_timer(struct world *w, struct effects *fx, struct machine *m)
{
	char text[16];

	if (!m->deadline_ms || w->now_ms < m->deadline_ms) {
		machine_kick(w, fx, m);
		return;
	}
	text_duration(text, sizeof(text), w->now_ms - m->state_ms);
	if (m->row.state == MACHINE_BOOTING) {
		char why[80];

		snprintf(why, sizeof(why), "%s within %s of its start",
			 m->created ? "the guest agent did not answer" :
				      "the domain was not created", text);
		machine_fail(w, fx, m, why);
	} else if (m->row.state == MACHINE_PREPARING) {
		machine_fail(w, fx, m, "the ready hook did not agree in time");
	} else if (m->row.state == MACHINE_RESERVED) {
		session_give_up(w, fx, m);
	} else if (m->row.state == MACHINE_IN_SESSION) {
		linger_give_up(w, fx, world_session(w, m->row.session));
	}
}

static void kick_defined(struct world *w, struct effects *fx, struct machine *m)
{
	bool refused = m->host->known && !machine_is_isolated(m);

	if (m->row.wish == WISH_RETIRE || refused) {
		machine_move(w, fx, m, MACHINE_RETIRING, "not needed any more");
		machine_kick(w, fx, m);
		return;
	}
	/* Where the host is not known yet, host_on_state kicks again. */
	if (machine_is_isolated(m) && base_is_usable(w, fx, m->pool) &&
	    !list_linked(&m->boot_link))
		list_add_tail(&m->host->boot_queue, &m->boot_link);
	pool_unbalance(w, m->pool);
}

/* A boot slot is ours. */
static void start_boot(struct world *w, struct effects *fx, struct machine *m)
{
	machine_move(w, fx, m, MACHINE_BOOTING, "starting on %s",
		     m->host->spec.name);
	machine_check_isolated(m);
	m->created = m->agent_up = m->prepared = m->seen = m->touched = false;
	m->row.built = m->row.incarnation;
	TEXT_SET(m->row.version, m->pool->spec.version);
	m->row.created_wall_ms = w->wall_ms;
	base_intend(w, fx, m);
	m->deadline_ms = w->now_ms + m->pool->spec.boot_deadline_ms;
	job_start(w, fx, m, JOB_CREATE, EFFECT_DOMAIN_CREATE,
		  m->pool->spec.boot_deadline_ms + 5000);
	machine_arm(w, m);
}

/* Who waits for a machine comes before warm-up; else first in, first out. */
static struct machine *next_to_boot(const struct world *w, const struct host *h)
{
	for (size_t i = 0; i < w->pool_count; i++) {
		const struct pool *p = w->pools[i];

		if (!p->waiting_count)
			continue;
		LIST_EACH(&p->in_state[MACHINE_DEFINED], it) {
			struct machine *m =
				LIST_ENTRY(it, struct machine, state_link);

			if (m->host == h && list_linked(&m->boot_link))
				return m;
		}
	}
	return LIST_ENTRY(h->boot_queue.next, struct machine, boot_link);
}

void host_kick_waiting(struct world *w, struct effects *fx, struct host *h)
{
	char why[ROW_TEXT_SIZE];

	if (host_is_full(w, h, why, sizeof(why)) && !PLANTED(R3_FULL_BOOTS))
		return;
	while (h->state == HOST_UP && h->polled && !list_empty(&h->boot_queue) &&
	       h->booting < h->spec.boot_parallel) {
		struct machine *m = next_to_boot(w, h);

		list_remove(&m->boot_link);
		/* Its pool or its host may have changed while it waited. */
		if (machine_is_isolated(m))
			start_boot(w, fx, m);
		else
			machine_kick(w, fx, m);
	}
}

static void kick_booting(struct world *w, struct effects *fx, struct machine *m)
{
	if (!m->created) {
		machine_arm(w, m);
		return;
	}
	if (m->pool->application.agent && !m->agent_up) {
		job_start(w, fx, m, JOB_PING, EFFECT_AGENT_PING, 5000);
		machine_arm(w, m);
		return;
	}
	m->row.boot_ms = w->now_ms - m->state_ms;
	m->pool->boot_ms = m->row.boot_ms;
	machine_move(w, fx, m, MACHINE_PREPARING, "%s",
		     m->pool->application.agent ? "agent answered" :
						  "domain runs");
	machine_kick(w, fx, m);
}

static void prepared(struct world *w, struct effects *fx, struct machine *m)
{
	m->row.prepare_ms = w->now_ms - m->state_ms;
	world_event(w, fx, SEVERITY_INFO, false, "READY", "machine", m->row.name,
		    "booted in %lld ms, prepared in %lld ms",
		    (long long)m->row.boot_ms, (long long)m->row.prepare_ms);
	if (image_wanted(m)) {
		image_save(w, fx, m);
		return;
	}
	machine_move(w, fx, m, MACHINE_READY, "prepared");
	if (!PLANTED(L2_WISH_FORGOTTEN))
		machine_kick(w, fx, m);
}

static void kick_preparing(struct world *w, struct effects *fx,
			   struct machine *m)
{
	if (!m->prepared && hook_defined(m, HOOK_PREPARE)) {
		hook_start(w, fx, m, HOOK_PREPARE);
		return;
	}
	m->prepared = true;
	if (hook_defined(m, HOOK_READY)) {
		if (!m->deadline_ms)
			m->deadline_ms = w->now_ms +
				m->pool->application.ready_deadline_ms;
		hook_start(w, fx, m, HOOK_READY);
		machine_arm(w, m);
		return;
	}
	prepared(w, fx, m);
}

static void kick_ready(struct world *w, struct effects *fx, struct machine *m)
{
	if (m->row.wish == WISH_RUN || m->going)
		return;
	if (m->node && m->row.node != NODE_NONE) {
		pool_unbalance(w, m->pool);	/* leaves its cluster first */
		return;
	}
	machine_cancel_calls(w, fx, m);
	resource_machine_lost(w, fx, m);
	if (m->row.wish == WISH_HOLD)
		machine_move(w, fx, m, MACHINE_HELD, "held by an operator");
	else
		machine_move(w, fx, m, MACHINE_RETIRING, "not needed any more");
	machine_kick(w, fx, m);
}

static void kick_parked(struct world *w, struct effects *fx, struct machine *m)
{
	if (m->row.wish == WISH_RETIRE) {
		machine_move(w, fx, m, MACHINE_RETIRING, "taken away");
		machine_kick(w, fx, m);
	} else if (m->row.state == MACHINE_HELD && m->row.wish == WISH_RUN) {
		machine_begin_clean(w, fx, m, clean_first_rung(m),
				    "put back into the pool");
	}
}

void machine_kick(struct world *w, struct effects *fx, struct machine *m)
{
	if (m->job != JOB_NONE)
		return;
	if (m->retry_ms > w->now_ms) {
		machine_arm(w, m);
		return;
	}
	switch ((enum machine_state)m->row.state) {
	case MACHINE_DEFINED:
		kick_defined(w, fx, m);
		return;
	case MACHINE_BOOTING:
		kick_booting(w, fx, m);
		return;
	case MACHINE_PREPARING:
		kick_preparing(w, fx, m);
		return;
	case MACHINE_READY:
		kick_ready(w, fx, m);
		return;
	case MACHINE_CLEANING:
		clean_kick(w, fx, m);
		return;
	case MACHINE_HELD:
	case MACHINE_QUARANTINED:
		kick_parked(w, fx, m);
		return;
	case MACHINE_RETIRING:
		if (m->host->state == HOST_UP)
			job_start(w, fx, m, JOB_DESTROY, EFFECT_DOMAIN_DESTROY,
				  60000)->ok = true;
		return;
	case MACHINE_SAVING:
	case MACHINE_SAVED:
	case MACHINE_WAKING:
		image_kick(w, fx, m);
		return;
	case MACHINE_RESERVED:
	case MACHINE_IN_SESSION:
	case MACHINE_GONE:
	case MACHINE_STATES:
		return;
	}
}

static void created(struct world *w, struct effects *fx, struct machine *m)
{
	m->created = m->seen = true;
	if (m->node)
		m->node->ended = m->node->started = m->node->sick = false;
	ledger_open(w, fx, m);
	/* A poll on its way was asked before: its silence proves nothing. */
	m->trust_poll = m->host->poll;
	machine_kick(w, fx, m);
}

static void on_prepare_hook(struct world *w, struct effects *fx,
			    struct machine *m, enum call_result result,
			    const char *text)
{
	char why[ROW_TEXT_SIZE];

	if (m->hook == HOOK_PREPARE && result != CALL_OK) {
		snprintf(why, sizeof(why), "prepare: %s", text);
		machine_fail(w, fx, m, why);
	} else if (m->hook == HOOK_PREPARE) {
		m->prepared = true;
		machine_kick(w, fx, m);
	} else if (result != CALL_OK) {
		TEXT_SET(m->row.reason, text);
		m->retry_ms = w->now_ms + READY_INTERVAL_MS;
		machine_arm(w, m);
	} else {
		prepared(w, fx, m);
	}
}

void machine_on_job(struct world *w, struct effects *fx, struct machine *m,
		    enum call_result result, const char *text)
{
	switch ((enum machine_state)m->row.state) {
	case MACHINE_BOOTING:
		if (!m->created && result == CALL_OK) {
			created(w, fx, m);
		} else if (!m->created) {
			machine_fail(w, fx, m, text);
		} else {
			m->agent_up = result == CALL_OK;
			if (!m->agent_up)
				m->retry_ms = w->now_ms + PING_INTERVAL_MS;
			machine_kick(w, fx, m);
		}
		return;
	case MACHINE_PREPARING:
		on_prepare_hook(w, fx, m, result, text);
		return;
	case MACHINE_RESERVED:
		assign_on_job(w, fx, m, result, text);
		return;
	case MACHINE_CLEANING:
		clean_on_job(w, fx, m, result, text);
		return;
	case MACHINE_SAVING:
	case MACHINE_WAKING:
		image_on_job(w, fx, m, result, text);
		return;
	case MACHINE_RETIRING:
		if (result == CALL_OK)
			ledger_close(w, fx, m, false);
		if (result == CALL_OK && volumes_delete(w, fx, m)) {
			return;
		} else if (result == CALL_OK) {
			machine_move(w, fx, m, MACHINE_GONE, "destroyed");
		} else {
			m->row.failures++;
			TEXT_SET(m->row.reason, text);
			world_save_machine(w, m);
			m->retry_ms = w->now_ms + 5000;
			machine_arm(w, m);
		}
		return;
	case MACHINE_READY:
		CHECK("", m->node, "%s has a job in state ready", m->row.name);
		node_on_job(w, fx, m, result, text);
		return;
	case MACHINE_DEFINED:
	case MACHINE_SAVED:
	case MACHINE_IN_SESSION:
	case MACHINE_HELD:
	case MACHINE_QUARANTINED:
	case MACHINE_GONE:
	case MACHINE_STATES:
		CHECK("", false, "%s has a job in state %s", m->row.name,
		      sm_name(&machine_table, m->row.state));
	}
}
