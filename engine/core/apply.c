/*
 * The site file becomes the world: hosts, pools and resources are made,
 * changed or marked removed; what was saved is put back on the first apply.
 * Nothing is destroyed here: pools that left the file drain by themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"
#include "engine/core/plan.h"

static void *grow(void *array, size_t count, size_t size)
{
	array = realloc(array, (count + 1) * size);
	CHECK("", array, "out of memory");
	return array;
}

static struct host *host_new(struct world *w, const char *name)
{
	struct host *h = calloc(1, sizeof(*h));

	CHECK("", h, "out of memory");
	TEXT_SET(h->spec.name, name);
	h->spec.boot_parallel = 1;
	h->disk_mib = -1;
	h->removed = true;
	list_init(&h->machines);
	list_init(&h->boot_queue);
	h->timer.kind = TIMER_HOST;
	w->hosts = grow(w->hosts, w->host_count, sizeof(*w->hosts));
	w->hosts[w->host_count++] = h;
	return h;
}

static struct pool *pool_new(struct world *w, const char *name,
			     struct host *host)
{
	struct pool *p = calloc(1, sizeof(*p));

	CHECK("", p, "out of memory");
	TEXT_SET(p->spec.name, name);
	p->spec.recycle = RECYCLE_REBUILD;
	p->host = host;
	p->free_slot = 1;
	p->removed = true;
	list_init(&p->machines);
	for (int i = 0; i < MACHINE_STATES; i++)
		list_init(&p->in_state[i]);
	list_init(&p->ready);
	p->shrink_timer.kind = TIMER_POOL;
	p->base_timer.kind = TIMER_BASE;
	w->pools = grow(w->pools, w->pool_count, sizeof(*w->pools));
	w->pools[w->pool_count++] = p;
	return p;
}

/* The newest statement for a key wins: here it is the site file's. */
static void end_overrides(struct world *w, struct effects *fx,
			  const struct site_spec *site)
{
	for (size_t i = w->override_count; i-- > 0;)
		if (plan_ends_override(w, site, w->overrides[i].key))
			override_end(w, fx, i);
}

/* A size of a pool, as an operator has it or the site file. */
static uint32_t sized(const struct world *w, const char *pool, const char *what,
		      uint32_t value)
{
	return (uint32_t)override_value(w, "pool", pool, what, value);
}

static const struct site_application *
find_application(const struct site_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->application_count; i++)
		if (strcmp(spec->applications[i].name, name) == 0)
			return &spec->applications[i];
	return NULL;
}

static void apply_hosts(struct world *w)
{
	for (size_t i = 0; i < w->host_count; i++)
		w->hosts[i]->removed = true;
	for (size_t i = 0; i < w->spec.host_count; i++) {
		const struct site_host *spec = &w->spec.hosts[i];
		struct host *h = world_host(w, slice_of(spec->name));

		if (!h)
			h = host_new(w, spec->name);
		h->spec = *spec;
		h->removed = false;
		h->draining = !PLANTED(S3_DRAIN_FORGOTTEN) &&
			      override_value(w, "host", spec->name, "draining", 0);
		h->changed = w->turn;
	}
}

static void apply_pools(struct world *w)
{
	for (size_t i = 0; i < w->pool_count; i++) {
		w->pools[i]->removed = true;
		/* Its lists of names died with the spec that held them. */
		w->pools[i]->application.resources = (struct site_names){ 0 };
		w->pools[i]->spec.placement =
			(struct site_placement){ .hosts.all = true };
	}
	for (size_t i = 0; i < w->spec.pool_count; i++) {
		const struct site_pool *spec = &w->spec.pools[i];
		struct host *h = world_host(w, slice_of(spec->host));
		struct pool *p = world_pool(w, slice_of(spec->name));
		const struct site_application *a =
			find_application(&w->spec, spec->application);

		CHECK("", h && a, "pool %s: unchecked site", spec->name);
		CHECK("", a->resources.count <= WORLD_RESOURCES_MAX);
		if (!p)
			p = pool_new(w, spec->name, h);
		if (p->host != h || strcmp(p->spec.from, spec->from) != 0 ||
		    strcmp(p->spec.image, spec->image) != 0)
			base_forget(w, p);	/* known of another */
		p->spec = *spec;
		p->application = *a;
		p->removed = false;
		p->host = h;
		uint32_t serve = p->serve;
		p->serve = sized(w, spec->name, "serve", spec->serve);
		p->spare = sized(w, spec->name, "spare", spec->spare);
		p->max = sized(w, spec->name, "max", spec->max);
		p->shrink_now = p->shrink_now || p->serve < serve;
		p->roll_paused = override_value(w, "pool", spec->name,
						"paused", 0);
	}
	for (size_t i = 0; i < w->pool_count; i++)
		pool_unbalance(w, w->pools[i]);
}

static bool served_alike(const struct site_resource *a,
			 const struct site_resource *b)
{
	return strcmp(a->pool, b->pool) == 0 && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->ip, b->ip) == 0 && a->port == b->port &&
	       a->identity == b->identity &&
	       strcmp(a->ident_ip, b->ident_ip) == 0;
}

static void apply_resources(struct world *w)
{
	struct resource *old = w->resources;
	size_t old_count = w->resource_count;

	w->resources = calloc(w->spec.resource_count + 1, sizeof(*w->resources));
	CHECK("", w->resources, "out of memory");
	w->resource_count = w->spec.resource_count;
	for (size_t i = 0; i < w->resource_count; i++) {
		for (size_t j = 0; j < old_count; j++)
			if (strcmp(old[j].spec.name,
				   w->spec.resources[i].name) == 0)
				w->resources[i] = old[j];
		/* Served elsewhere, or otherwise: the gateway is told again. */
		if (!served_alike(&w->resources[i].spec, &w->spec.resources[i]))
			w->resources[i].told = false, w->resources[i].machine = 0;
		w->resources[i].spec = w->spec.resources[i];
	}
	free(old);
}

/* A machine's row may be as old as LATE_MS in its routine states only. */
static bool may_lag(const struct machine_row *row)
{
	return row->state == MACHINE_READY || row->state == MACHINE_RESERVED ||
	       row->state == MACHINE_IN_SESSION ||
	       (row->state == MACHINE_CLEANING && row->rung == RUNG_NONE);
}

/*
 * What a session's row says about its machine, whose own is saved late: it was
 * given away in that incarnation, and is clean again or is not (S5).
 */
static void catch_up(struct machine_row *row, const struct session_row *s)
{
	bool clean = s->cleaned_wall_ms != 0;

	if (s->incarnation < row->incarnation || !may_lag(row) ||
	    (clean ? PLANTED(S1_ROW_BELIEVED) : PLANTED(S2_SESSION_UNREAD)))
		return;
	/* Each incarnation that was not saved had one. */
	row->sessions += s->incarnation - row->incarnation + !row->session;
	row->incarnation = s->incarnation + clean;
	row->session = clean ? 0 : s->id;
	row->dirty = !clean;
	row->since_wall_ms = clean ? s->cleaned_wall_ms : s->assigned_wall_ms;
	if (clean)
		row->state = MACHINE_READY;
	else if (row->state != MACHINE_CLEANING)
		row->state = s->state == SESSION_ASSIGNED ? MACHINE_RESERVED :
							    MACHINE_IN_SESSION;
}

/* The saved machines as they were when the last commit was made. */
static struct machine_row *caught_up(const struct world_rows *rows)
{
	struct machine_row *list = calloc(rows->machine_count + 1, sizeof(*list));
	struct map by_id;

	CHECK("", list, "out of memory");
	map_init(&by_id);
	for (size_t i = 0; i < rows->machine_count; i++) {
		list[i] = rows->machines[i];
		map_put(&by_id, list[i].id, &list[i]);
	}
	for (size_t i = 0; i < rows->session_count; i++) {
		const struct session_row *s = &rows->sessions[i];
		struct machine_row *row = map_get(&by_id, s->machine);

		if (row)
			catch_up(row, s);
	}
	map_fini(&by_id);
	return list;
}

/* Puts a saved machine back, as dirty as the evidence allows (S5). */
static void restore_machine(struct world *w, struct effects *fx,
			    const struct machine_row *row)
{
	struct pool *p = world_pool(w, slice_of(row->pool));
	struct host *h = world_host(w, slice_of(row->host));

	if (!h)
		h = host_new(w, row->host);
	if (!p)
		p = pool_new(w, row->pool, h);
	struct machine *m = machine_new(w, row, p);
	m->created = row->state != MACHINE_DEFINED &&
		     row->state != MACHINE_SAVED && row->state != MACHINE_WAKING;
	m->agent_up = m->prepared = m->created;
	if (row->session) {
		m->bound_incarnation = row->incarnation;
		m->touched = m->ports = true;
	}
	(void)fx;
}

static void settle_machine(struct world *w, struct effects *fx,
			   struct machine *m)
{
	struct session *s = world_session(w, m->row.session);

	if (m->row.state == MACHINE_BOOTING || m->row.state == MACHINE_PREPARING)
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "the engine was restarted while it came up");
	else if (m->row.state == MACHINE_WAKING ||
		 (m->row.state == MACHINE_SAVING && m->row.image != IMAGE_MADE))
		machine_begin_clean(w, fx, m, clean_below(m),
				    "the engine was restarted in the middle of it");
	else if ((m->row.state == MACHINE_RESERVED ||
		  m->row.state == MACHINE_IN_SESSION) &&
		 (!s || session_is_final(s)))
		machine_begin_clean(w, fx, m, RUNG_REBUILD,
				    "found with a user and without a session");
	else
		machine_kick(w, fx, m);
}

/* Those that are live or whose machine is not clean since; true when it is. */
static bool restore_session(struct world *w, const struct session_row *row)
{
	struct machine *m = world_machine(w, row->machine);

	if (!m || (sm_is_final(&session_table, row->state) &&
		   m->row.session != row->id))
		return false;
	struct session *s = session_new(w, row);
	/* Perhaps its gateway has it, perhaps bytes went (S5). */
	s->told = !PLANTED(S4_RESTART_UNTOLD);
	s->held = row->gateway < WORLD_GATEWAYS_MAX;
	if (s->row.ticket[0])
		ticket_restore(w, m, s);
	if (s->row.lingers_wall_ms && !session_is_final(s))
		linger_resume(w, s);
	limit_resume(w, s);
	return true;
}

/* On this computer, by libvirt's URIs: no host between // and /. */
static bool host_is_local(const struct host *h)
{
	const char *uri = h->spec.uri;

	while (*uri && strncmp(uri, "//", 2) != 0)
		uri++;
	return !*uri || uri[2] == '/';
}

/*
 * After a restart of the computer no gateway is there any more, so no session
 * is; and no machine of a local host.  None of them is to blame.
 */
static void forget_before_boot(struct world *w, struct effects *fx,
			       const struct world_rows *rows)
{
	static const char why[] = "host lost: this computer was restarted";
	size_t sessions = 0, machines = 0;

	for (size_t i = 0; i < rows->session_count; i++) {
		struct session *s = world_session(w, rows->sessions[i].id);

		if (!s)
			continue;
		s->held = false;
		joins_forget(w, fx, s);
		if (session_is_final(s) || PLANTED(L9_REBOOT_UNSEEN))
			continue;
		session_finish(w, fx, s, SESSION_LOST, why);
		sessions++;
	}
	for (size_t i = 0; i < rows->machine_count; i++) {
		struct machine *m = world_machine(w, rows->machines[i].id);

		if (!host_is_local(m->host))
			continue;
		machines += m->created;
		if (machine_expects_domain(m)) {
			machine_died(w, fx, m, why, PLANTED(L9_REBOOT_BLAMED));
		} else if (m->row.state == MACHINE_CLEANING) {
			ledger_close(w, fx, m, true);
			m->created = m->seen = m->agent_up = m->prepared = false;
			m->row.rung = RUNG_REBUILD;
			machine_cancel_calls(w, fx, m);
		}
	}
	world_event(w, fx, SEVERITY_FAIL, false, "HOST", "site", w->spec.name,
		    "this computer was restarted: %zu sessions lost, %zu machines are made anew",
		    sessions, machines);
}

static void restore(struct world *w, struct effects *fx,
		    const struct world_rows *rows, bool rebooted)
{
	struct machine_row *machines = caught_up(rows);
	size_t sessions = 0;

	for (size_t i = 0; i < rows->machine_count; i++)
		restore_machine(w, fx, &machines[i]);
	free(machines);
	for (size_t i = 0; i < rows->volume_count; i++)
		volume_restore(w, &rows->volumes[i]);
	for (size_t i = 0; i < rows->session_count; i++)
		sessions += restore_session(w, &rows->sessions[i]);
	for (size_t i = 0; i < rows->join_count; i++)
		join_restore(w, fx, &rows->joins[i]);
	for (size_t i = 0; i < rows->ledger_count; i++)
		ledger_restore(w, fx, &rows->ledgers[i]);
	for (size_t i = 0; i < rows->cluster_count; i++)
		cluster_restore(w, fx, &rows->clusters[i]);
	for (size_t i = 0; i < rows->change_count; i++)
		change_restore(w, fx, &rows->changes[i]);
	for (size_t i = 0; i < rows->decision_count; i++)
		policy_restore(w, &rows->decisions[i]);
	if (rebooted)
		forget_before_boot(w, fx, rows);
	for (size_t i = 0; i < rows->machine_count; i++)
		settle_machine(w, fx, world_machine(w, rows->machines[i].id));
	for (size_t i = 0; i < w->pool_count; i++)
		pool_unbalance(w, w->pools[i]);
	effects_add(fx, EFFECT_LOG)->text = effects_text(
		fx, "adopted %zu machines and %zu sessions from the store",
		rows->machine_count, sessions);
}

void apply_site(struct world *w, struct effects *fx, struct site_spec *spec,
		const struct world_rows *rows, bool rebooted)
{
	struct site_spec old = w->spec;

	if (rows)
		tokens_restore(w, rows->tokens, rows->token_count);
	for (size_t i = 0; rows && i < rows->override_count; i++)
		override_put(w, &rows->overrides[i]);
	end_overrides(w, fx, spec);
	w->spec = *spec;
	*spec = (struct site_spec){ 0 };
	apply_hosts(w);
	apply_pools(w);
	apply_clusters(w, fx);
	apply_rules(w, fx);
	apply_resources(w);
	admit_index(w);
	shares_index(w);
	access_refresh(w, fx);
	queue_index(w, fx);
	site_spec_fini(&old);
	if (rows)
		restore(w, fx, rows, rebooted);
	clusters_begin(w, fx);
	for (size_t i = 0; i < w->pool_count; i++)
		roll_begin(w, fx, w->pools[i]);
	LIST_EACH(&w->live, it)	/* idle and warn may have changed */
		limit_arm(w, LIST_ENTRY(it, struct session, live_link));
	for (size_t i = 0; i < w->pool_count; i++) {
		/* Untrusted now, they may have to go. */
		LIST_EACH(&w->pools[i]->in_state[MACHINE_SAVED], it)
			machine_kick(w, fx, LIST_ENTRY(it, struct machine,
						       state_link));
		LIST_EACH(&w->pools[i]->in_state[MACHINE_READY], it)
			machine_update_ready(w, LIST_ENTRY(it, struct machine,
							   state_link));
	}
	w->has_spec = true;
	if (w->cluster_count && !timer_is_set(&w->minute_timer))
		policy_on_minute(w);
	world_event(w, fx, SEVERITY_INFO, false, "SITE", "site", w->spec.name,
		    "applied: %zu pools, %zu applications, %zu listeners",
		    w->spec.pool_count, w->spec.application_count,
		    w->spec.listener_count);
}
