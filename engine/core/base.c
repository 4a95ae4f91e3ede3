/*
 * What the machines of a pool are made from: a domain or an image of the
 * operator's (spec 1.2a).  It is looked at before a machine boots from it and
 * then every BASE_LOOK_MS: while it cannot be used no machine boots and the
 * pool says why; when it changes under the machines made on it, that is an
 * alarm: their overlays hold only what differs from what is no longer there.
 */
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

enum {
	LOOK_DEADLINE_MS = 30000,
	BASE_NVRAM = 256,	/* in a look's code, beside the number of disks */
};

bool base_has(const struct pool *p)
{
	return p->spec.from[0] || p->spec.image[0];
}

static void kick_waiting(struct world *w, struct effects *fx, struct pool *p)
{
	LIST_EACH(&p->machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, pool_link);

		if (m->row.state == MACHINE_DEFINED)
			machine_kick(w, fx, m);
	}
}

void base_look(struct world *w, struct effects *fx, struct pool *p)
{
	if (!base_has(p))	/* nor is there anything to wait for */
		kick_waiting(w, fx, p);
	if (!base_has(p) || p->base_call)
		return;
	if (p->host->state != HOST_UP) {
		timer_set(&w->timers, &p->base_timer, w->now_ms + BASE_RETRY_MS);
		return;
	}
	struct call *c = call_new(w, CALL_KIND_BASE, NULL, p->host,
				  LOOK_DEADLINE_MS);
	struct effect *e = effects_add(fx, EFFECT_BASE_LOOK);

	p->base_call = c->id;
	timer_stop(&w->timers, &p->base_timer);
	e->call = c->id;
	e->host = effects_text(fx, "%s", p->host->spec.name);
	e->text = effects_text(fx, "%s", p->spec.name);
}

bool base_is_usable(struct world *w, struct effects *fx, struct pool *p)
{
	bool watched = timer_is_set(&p->base_timer) || p->base_call;

	if (!base_has(p) || (watched && p->base == BASE_USABLE))
		return true;
	if (p->base == BASE_USABLE || !timer_is_set(&p->base_timer))
		base_look(w, fx, p);
	return false;
}

/* Machines that wait for a boot slot wait for it no longer. */
static void keep_from_booting(struct pool *p)
{
	LIST_EACH(&p->machines, it)
		list_remove(&LIST_ENTRY(it, struct machine, pool_link)->boot_link);
}

static void set_unusable(struct world *w, struct effects *fx, struct pool *p,
			 const char *why)
{
	if (p->base != BASE_UNUSABLE || strcmp(p->base_text, why) != 0)
		world_event(w, fx, SEVERITY_FAIL, false, "BASE", "pool",
			    p->spec.name, "%s", why);
	p->base = BASE_UNUSABLE;
	TEXT_SET(p->base_text, why);
	keep_from_booting(p);
}

/* Machines whose disks lie on what is no longer there. */
static uint32_t count_torn(const struct pool *p)
{
	uint32_t n = 0;

	LIST_EACH(&p->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);
		bool torn = false;

		LIST_EACH(&m->volumes, jt) {
			const struct volume_row *v =
				&LIST_ENTRY(jt, struct volume, machine_link)->row;

			torn = torn || (v->base[0] &&
					strcmp(v->base, p->base_stamp) != 0);
		}
		n += torn;
	}
	return n;
}

static void set_usable(struct world *w, struct effects *fx, struct pool *p,
		       const struct event *ev)
{
	p->base = BASE_USABLE;
	p->base_text[0] = '\0';
	p->base_disks = (uint32_t)ev->done.code & (BASE_NVRAM - 1);
	p->base_nvram = ev->done.code & BASE_NVRAM;
	text_copy_slice(p->base_stamp, sizeof(p->base_stamp), ev->done.out);
	uint32_t torn = p->spec.copy ? 0 : count_torn(p);
	if (torn && strcmp(p->base_alarm, p->base_stamp) != 0) {
		TEXT_SET(p->base_alarm, p->base_stamp);
		world_event(w, fx, SEVERITY_FAIL, false, "BASE", "pool",
			    p->spec.name,
			    "%s changed under %u machines made from it: their disks are damaged; restart them",
			    p->spec.from[0] ? p->spec.from : p->spec.image, torn);
	}
	kick_waiting(w, fx, p);
}

void base_on_looked(struct world *w, struct effects *fx, uint64_t call,
		    const struct event *ev)
{
	struct pool *p = NULL;
	char why[ROW_TEXT_SIZE];

	for (size_t i = 0; i < w->pool_count; i++)
		if (w->pools[i]->base_call == call)
			p = w->pools[i];
	if (!p)
		return;
	p->base_call = 0;
	p->changed = w->turn;
	if (ev->done.result == CALL_OK) {
		set_usable(w, fx, p, ev);
	} else {
		text_copy_slice(why, sizeof(why), ev->done.text);
		set_unusable(w, fx, p, why);
	}
	pool_unbalance(w, p);
	if (!list_empty(&p->machines))
		timer_set(&w->timers, &p->base_timer, w->now_ms +
			  (p->base == BASE_USABLE ? BASE_LOOK_MS :
						    BASE_RETRY_MS));
}

void base_on_host_lost(struct world *w, const struct host *h)
{
	for (size_t i = 0; i < w->pool_count; i++) {
		struct pool *p = w->pools[i];

		if (p->host != h || !p->base_call)
			continue;
		/* Its machines may be elsewhere, and not be kicked when that
		 * host is back. */
		p->base_call = 0;
		timer_set(&w->timers, &p->base_timer, w->now_ms + BASE_RETRY_MS);
	}
}

void base_forget(struct world *w, struct pool *p)
{
	struct call *c = p->base_call ? map_get(&w->calls, p->base_call) : NULL;

	if (c)
		call_free(w, c);
	timer_stop(&w->timers, &p->base_timer);
	p->base_call = 0;
	p->base = BASE_UNKNOWN;
	p->base_text[0] = '\0';
	keep_from_booting(p);
	if (!list_empty(&p->machines))	/* some may wait to be made from it */
		timer_set(&w->timers, &p->base_timer, w->now_ms);
}

void base_intend(struct world *w, struct effects *fx, struct machine *m)
{
	const struct pool *p = m->pool;

	CHECK("S4", list_empty(&m->volumes),
	      "%s boots with volumes of an earlier life", m->row.name);
	if (!base_has(p))
		return;
	CHECK("", p->base == BASE_USABLE, "%s boots from nothing", m->row.name);
	for (uint32_t i = 1; i <= p->base_disks; i++)
		volume_intend(w, fx, m, VOLUME_DISK, i, p->base_stamp);
	if (p->base_nvram)
		volume_intend(w, fx, m, VOLUME_NVRAM, 0, p->base_stamp);
	if (p->spec.user_data[0])
		volume_intend(w, fx, m, VOLUME_SEED, 0, "");
}
