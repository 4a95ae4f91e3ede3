/*
 * From layers to a decision; see policy.h.  policy_decide is the pure choice;
 * policy_kick compares it with what the cluster has, keeps cool-downs, and starts
 * the change.  A decision is stored with its inputs, reason and outcome the moment
 * it is taken.  S15: a rule only wishes; bounds, cool-downs and the change under
 * way are looked at here.
 */
#include "engine/core/policy.h"

#include <stdio.h>
#include <string.h>

#include "engine/core/calendar.h"
#include "engine/core/internal.h"

enum { RETRY_MS = 2 * 60 * 1000 };	/* after a change that failed */

static uint32_t clamp32(uint32_t v, uint32_t low, uint32_t high)
{
	return v < low ? low : v > high ? high : v;
}

static uint64_t clamp64(uint64_t v, uint64_t low, uint64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static struct site_size clamp(const struct site_cluster *s, struct site_size size)
{
	return (struct site_size){
		.nodes = clamp32(size.nodes, s->min.nodes, s->max.nodes),
		.vcpus = clamp32(size.vcpus, s->min.vcpus, s->max.vcpus),
		.memory_mib = clamp64(size.memory_mib, s->min.memory_mib,
				      s->max.memory_mib),
	};
}

static bool same_size(const struct site_size *a, const struct site_size *b)
{
	return a->nodes == b->nodes && a->vcpus == b->vcpus &&
	       a->memory_mib == b->memory_mib;
}

/* Lays what is said (not 0) over what is there; true when that changed it. */
static bool lay(struct site_size *under, const struct site_size *over)
{
	struct site_size before = *under;

	if (over->nodes)
		under->nodes = over->nodes;
	if (over->vcpus)
		under->vcpus = over->vcpus;
	if (over->memory_mib)
		under->memory_mib = over->memory_mib;
	return !same_size(&before, under);
}

struct policy_size policy_decide(const struct world *w, const struct cluster *c)
{
	const struct cluster_row *row = &c->row;
	struct policy_size p = { .size = c->spec.size, .source = "site" };
	struct site_size pin = { row->pin_nodes, row->pin_vcpus,
				 row->pin_memory_mib };
	struct site_size now = { row->nodes, row->vcpus, row->memory_mib };

	if (row->paused)
		p.size = now;
	else if (lay(&p.size, &c->calendar))
		TEXT_SET(p.source, "calendar");
	for (size_t i = 0; !row->paused && i < w->rule_count; i++) {
		const struct rule *r = w->rules[i];
		struct site_size wish = p.size;

		if (strcmp(r->spec.cluster, c->spec.name) != 0 || r->disabled)
			continue;
		/* It has not spoken since the engine began: what it last had holds. */
		lay(&wish, r->wished ? &r->wish : &now);
		if (!PLANTED(S15_RULE_UNBOUND))
			wish = clamp(&c->spec, wish);
		if (same_size(&wish, &p.size))
			continue;
		p.size = wish;
		p.rule = r;
		snprintf(p.source, sizeof(p.source), "rule/%s", r->spec.name);
	}
	if (lay(&p.size, &pin)) {
		p.rule = NULL;
		snprintf(p.source, sizeof(p.source), "operator/%s", row->pin_who);
	}
	return p;
}

void policy_say(const struct site_size *size, char *out, size_t out_size)
{
	snprintf(out, out_size, "nodes=%u vcpus=%u memory_mib=%llu", size->nodes,
		 size->vcpus, (unsigned long long)size->memory_mib);
}

/* ---- decisions ---------------------------------------------------------------------- */

void policy_save(struct world *w, struct effects *fx, struct decision_row *d)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_DECISION);

	if (!d->id)
		d->id = w->next_decision++;
	d->wall_ms = w->wall_ms;
	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->decision = *d;
}

/* What the calendar was asked with, in the same words as a rule's inputs. */
static void time_inputs(const struct world *w, char *out, size_t size)
{
	struct calendar_time t = calendar_local(w->wall_ms, w->offset_s);

	snprintf(out, size, "year=%d month=%d day=%d weekday=%d hour=%d minute=%d",
		 t.year, t.month, t.mday, t.weekday + 1, t.minute / 60,
		 t.minute % 60);
}

static struct decision_row describe(const struct world *w,
				    const struct cluster *c,
				    const struct policy_size *p)
{
	struct decision_row d = { 0 };

	snprintf(d.object, sizeof(d.object), "cluster/%s", c->spec.name);
	TEXT_SET(d.source, p->source);
	policy_say(&p->size, d.wish, sizeof(d.wish));
	if (p->rule) {
		TEXT_SET(d.version, p->rule->spec.version);
		TEXT_SET(d.inputs, p->rule->last.inputs);
		TEXT_SET(d.text, p->rule->last.text);
	} else {
		time_inputs(w, d.inputs, sizeof(d.inputs));
	}
	if (strcmp(p->source, "calendar") == 0 && c->entry)
		snprintf(d.text, sizeof(d.text), "\"%.150s\" holds", c->entry->text);
	else if (!p->rule && c->row.pin_who[0] &&
		 strncmp(p->source, "operator/", 9) == 0)
		snprintf(d.text, sizeof(d.text), "%s asked for it", c->row.pin_who);
	else if (!p->rule)
		snprintf(d.text, sizeof(d.text), "%s", c->calendar_ended[0] ?
			 c->calendar_ended : "as the site file says");
	return d;
}

static bool grows(const struct site_size *from, const struct site_size *to)
{
	return to->nodes > from->nodes || to->vcpus > from->vcpus ||
	       to->memory_mib > from->memory_mib;
}

/* A rule's wish waits for its cool-down; true with why. */
static bool is_held_back(const struct world *w, const struct cluster *c,
			 const struct site_size *to, char *why, size_t why_size)
{
	struct site_size now = { c->row.nodes, c->row.vcpus, c->row.memory_mib };
	bool up = grows(&now, to);
	int64_t cool = up ? c->spec.cool_up_ms : c->spec.cool_down_ms;
	int64_t since = up ? c->grown_ms :
			c->shrunk_ms > c->grown_ms ? c->shrunk_ms : c->grown_ms;
	char left[16];

	if (!since || w->now_ms - since >= cool)
		return false;
	snprintf(why, why_size, "cool-down %s: %s left", up ? "up" : "down",
		 text_duration(left, sizeof(left), cool - (w->now_ms - since)));
	return true;
}

static void remember(struct world *w, struct effects *fx, struct cluster *c,
		     struct decision_row *d)
{
	/* The same, held back or failed again, is said once. */
	if (c->last.id && d->outcome != DECISION_CHANGED &&
	    c->last.outcome == d->outcome &&
	    strcmp(c->last.wish, d->wish) == 0 &&
	    strcmp(c->last.source, d->source) == 0)
		return;
	policy_save(w, fx, d);
	c->last = *d;
	c->changed = w->turn;
}

static bool has_outdated(const struct cluster *c)
{
	LIST_EACH(&c->pool->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		if (cluster_is_member(m) && machine_is_outdated(m))
			return true;
	}
	return false;
}

/* One that is drained, has nodes of it, and another host has room for one. */
static const struct host *host_to_leave(const struct world *w,
					const struct cluster *c)
{
	char why[ROW_TEXT_SIZE];

	LIST_EACH(&c->pool->machines, it) {
		const struct machine *m =
			LIST_ENTRY(it, struct machine, pool_link);

		if (m->host->draining && cluster_is_member(m))
			return placement_choose(w, c->pool, m->row.vcpus,
						m->row.memory_mib, NULL, m->host,
						why, sizeof(why)) ? m->host : NULL;
	}
	return NULL;
}

static void decide(struct world *w, struct effects *fx, struct cluster *c,
		   const struct policy_size *p, enum change_kind kind,
		   const struct host *leave)
{
	struct decision_row d = describe(w, c, p);
	char why[ROW_TEXT_SIZE];
	struct change_wish wish = {
		.kind = kind, .size = p->size, .who = p->source,
		.outdated_only = kind == CHANGE_REPLACE, .leave = leave,
		.strategy = c->pin_strategy,
		.mapping = slice_of(c->pin_mapping),
	};

	if (leave)
		snprintf(d.text, sizeof(d.text), "host %s is drained",
			 leave->spec.name);
	if (kind == CHANGE_REPLACE) {
		TEXT_SET(d.text, "nodes of an earlier version are replaced");
		/* A machine that stays would stay of that version. */
		if (c->spec.strategy == STRATEGY_LIVE)
			wish.strategy = STRATEGY_FAILOVER;
	}
	if (p->rule && kind == CHANGE_RESIZE &&
	    is_held_back(w, c, &p->size, why, sizeof(why))) {
		d.outcome = DECISION_HELD_BACK;
		TEXT_SET(d.text, why);
		remember(w, fx, c, &d);
		return;
	}
	d.id = wish.decision = w->next_decision++;
	struct change *ch = change_start(w, fx, c, &wish, why, sizeof(why));
	d.outcome = ch ? DECISION_CHANGED : DECISION_FAILED;
	if (ch)
		d.change = ch->row.id;
	else
		TEXT_SET(d.text, why);
	if (!ch)
		c->retry_ms = w->now_ms + RETRY_MS;
	c->pin_strategy = 0;
	c->pin_mapping[0] = '\0';
	remember(w, fx, c, &d);
	if (ch)
		change_kick(w, fx, ch);
}

/* The operator's word moves them, whosever their size is. */
static void leave(struct world *w, struct effects *fx, struct cluster *c,
		  const struct host *h)
{
	const struct override_row *o =
		override_get(w, "host", h->spec.name, "draining");
	struct policy_size p = { .size = { c->row.nodes, c->row.vcpus,
					   c->row.memory_mib } };

	snprintf(p.source, sizeof(p.source), "operator/%s", o ? o->who : "");
	decide(w, fx, c, &p, CHANGE_MOVE, h);
}

void policy_look(struct world *w, struct cluster *c)
{
	struct calendar_time t = calendar_local(w->wall_ms, w->offset_s);
	const struct site_calendar *before = c->entry;

	c->entry = calendar_size(&c->spec, &t, &c->calendar);
	if (before && !c->entry)
		snprintf(c->calendar_ended, sizeof(c->calendar_ended),
			 "\"%.120s\" holds no longer", before->text);
	else if (c->entry)
		c->calendar_ended[0] = '\0';
}

void policy_kick(struct world *w, struct effects *fx, struct cluster *c)
{
	struct site_size now = { c->row.nodes, c->row.vcpus, c->row.memory_mib };
	const struct host *h;

	policy_look(w, c);
	if (c->change || w->now_ms < c->retry_ms)
		return;
	struct policy_size p = policy_decide(w, c);
	if (!same_size(&p.size, &now))
		decide(w, fx, c, &p, CHANGE_RESIZE, NULL);
	else if (has_outdated(c))
		decide(w, fx, c, &p, CHANGE_REPLACE, NULL);
	else if ((h = host_to_leave(w, c)))
		leave(w, fx, c, h);
}

void policy_changed(struct world *w, struct effects *fx, struct cluster *c,
		    const struct change_row *row)
{
	struct site_size from = { row->from_nodes, row->from_vcpus,
				  row->from_memory_mib };
	struct site_size to = { row->to_nodes, row->to_vcpus, row->to_memory_mib };

	if (row->state != CHANGE_DONE) {
		c->retry_ms = w->now_ms + RETRY_MS;
		/* What an operator asked for and cannot have is not asked again. */
		if (row->kind == CHANGE_RESIZE &&
		    strncmp(row->who, "operator/", 9) == 0) {
			c->row.pin_nodes = c->row.pin_vcpus = 0;
			c->row.pin_memory_mib = 0;
			c->row.pin_who[0] = '\0';
			c->retry_ms = 0;
		}
	} else if (grows(&from, &to)) {
		c->grown_ms = w->now_ms;
		c->row.grown_wall_ms = w->wall_ms;
	} else if (!same_size(&from, &to)) {
		c->shrunk_ms = w->now_ms;
		c->row.shrunk_wall_ms = w->wall_ms;
	}
	cluster_save(w, fx, c);
}

/* The boot clock of a saved wall time: never in the future. */
static int64_t boot_of(const struct world *w, int64_t wall_ms)
{
	int64_t ago = w->wall_ms - wall_ms;

	return !wall_ms ? 0 : ago > 0 && ago < w->now_ms ? w->now_ms - ago : 1;
}

void policy_restore_cluster(const struct world *w, struct cluster *c)
{
	c->grown_ms = boot_of(w, c->row.grown_wall_ms);
	c->shrunk_ms = boot_of(w, c->row.shrunk_wall_ms);
}

void policy_restore(struct world *w, const struct decision_row *d)
{
	struct slice name = slice_of(d->object);

	for (size_t i = 0; i < w->cluster_count; i++) {
		char object[ROW_NAME_SIZE + 16];

		snprintf(object, sizeof(object), "cluster/%s",
			 w->clusters[i]->spec.name);
		if (slice_is(name, object) && d->id > w->clusters[i]->last.id)
			w->clusters[i]->last = *d;
	}
	rule_restore(w, d);
}

void policy_on_minute(struct world *w)
{
	timer_set(&w->timers, &w->minute_timer,
		  w->now_ms + 60000 - (w->wall_ms % 60000 + 60000) % 60000 + 1);
	w->policy_rounds++;
	for (size_t i = 0; i < w->cluster_count; i++)
		pool_unbalance(w, w->clusters[i]->pool);
}
