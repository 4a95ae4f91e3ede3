/*
 * Rules: functions of the site that wish for sizes, run by the rules role, one
 * call at a time for each (spec 3.5).  A wish holds until the rule says otherwise;
 * a rule that fails leaves the last good one in force, is alarmed about once, and
 * after FAULTS_MAX faults in a row is not run again until an operator enables it
 * or the site brings another version.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/calendar.h"
#include "engine/core/internal.h"
#include "engine/core/policy.h"

enum { FAULTS_MAX = 3, FIRST_MS = 2000, ANSWER_MS = 5000 };

struct rule *world_rule(const struct world *w, struct slice name)
{
	for (size_t i = 0; i < w->rule_count; i++)
		if (slice_is(name, w->rules[i]->spec.name))
			return w->rules[i];
	return NULL;
}

bool rule_is_off(const struct rule *r)
{
	return r->disabled || r->failures >= FAULTS_MAX;
}

/* ---- inputs ---------------------------------------------------------------------------- */

struct words {
	char *out;
	size_t used, size;
};

static void word(struct words *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void word(struct words *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->used + 1 >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->out + t->used, t->size - t->used, fmt, ap);
	va_end(ap);
	/* A word that does not fit whole is left out. */
	if (n < 0 || (size_t)n >= t->size - t->used)
		t->out[t->used] = '\0';
	else
		t->used += (size_t)n;
}

static void time_words(const struct world *w, struct words *t)
{
	struct calendar_time at = calendar_local(w->wall_ms, w->offset_s);

	word(t, " year=%d month=%d day=%d weekday=%d hour=%d minute=%d", at.year,
	     at.month, at.mday, at.weekday + 1, at.minute / 60, at.minute % 60);
}

static void cluster_words(const struct world *w, struct rule *r,
			  const struct cluster *c, struct words *t)
{
	const struct site_cluster *s = &c->spec;
	struct cluster_counts now = cluster_counts(c);
	struct cluster_use use = cluster_use(c);
	int64_t ms = r->counted_ms ? w->now_ms - r->counted_ms : 0;
	uint64_t begun = now.transactions - r->counted.transactions;

	word(t, "cluster=%s nodes=%u vcpus=%u memory_mib=%llu serving=%u",
	     s->name, c->row.nodes, c->row.vcpus,
	     (unsigned long long)c->row.memory_mib, cluster_serving(c));
	word(t, " min_nodes=%u max_nodes=%u min_vcpus=%u max_vcpus=%u min_memory_mib=%llu max_memory_mib=%llu",
	     s->min.nodes, s->max.nodes, s->min.vcpus, s->max.vcpus,
	     (unsigned long long)s->min.memory_mib,
	     (unsigned long long)s->max.memory_mib);
	word(t, " cpu=%u cpu_max=%u open=%u waiting=%u rate=%llu",
	     use.cpu_permille / 10, use.busiest_permille / 10, now.open,
	     now.waiting, ms > 0 ? (unsigned long long)(begun * 60000 / (uint64_t)ms) : 0);
	word(t, " failed=%llu reset=%llu replayed=%llu",
	     (unsigned long long)(now.failed - r->counted.failed),
	     (unsigned long long)(now.reset - r->counted.reset),
	     (unsigned long long)(now.replayed - r->counted.replayed));
	time_words(w, t);
	word(t, " cpu_history=%u", use.history[0] / 10);
	for (uint32_t i = 1; i < use.history_count; i++)
		word(t, ",%u", use.history[i] / 10);
	r->counted = now;
	r->counted_ms = w->now_ms;
}

static void pool_words(const struct world *w, const struct pool *p,
		       struct words *t)
{
	word(t, "pool=%s serve=%u spare=%u max=%u min_serve=%u ready=%u busy=%u total=%u waiting=%u",
	     p->spec.name, p->serve, p->spare, p->max, p->spec.serve,
	     p->ready_count, pool_busy(p), pool_total(p), p->waiting_count);
	time_words(w, t);
}

/* ---- runs ------------------------------------------------------------------------------- */

void rule_run(struct world *w, struct effects *fx, struct rule *r, bool dry,
	      uint64_t reply)
{
	const struct cluster *c = world_cluster(w, slice_of(r->spec.cluster));
	const struct pool *p = world_pool(w, slice_of(r->spec.pool));
	struct words t = { .out = r->inputs, .size = sizeof(r->inputs) };

	if (c)
		cluster_words(w, r, c, &t);
	else if (p)
		pool_words(w, p, &t);
	struct call *call = call_new(w, CALL_KIND_RULE, NULL, NULL,
				     r->spec.deadline_ms + ANSWER_MS);
	struct effect *e = effects_add(fx, EFFECT_RULE_RUN);

	e->call = r->call = call->id;
	r->dry = dry;
	r->reply = reply;
	e->text = effects_text(fx, "%s", r->spec.name);
	e->input = effects_text(fx, "%s", r->inputs);
	e->ms = r->spec.deadline_ms;
}

static void arm(struct world *w, struct rule *r, int64_t in_ms)
{
	timer_set(&w->timers, &r->timer, w->now_ms + in_ms);
}

void rule_on_timer(struct world *w, struct effects *fx, struct rule *r)
{
	arm(w, r, r->spec.every_ms);
	if (!r->call && !rule_is_off(r))
		rule_run(w, fx, r, false, 0);
}

static struct rule *rule_of_call(struct world *w, uint64_t call)
{
	for (size_t i = 0; call && i < w->rule_count; i++)
		if (w->rules[i]->call == call)
			return w->rules[i];
	return NULL;
}

/* The rule's own bounds: a pool's are [serve of the site .. max]. */
static void apply_to_pool(struct world *w, struct rule *r)
{
	struct pool *p = world_pool(w, slice_of(r->spec.pool));

	if (!p || p->removed || !r->wished || r->disabled)
		return;
	if (r->serve >= 0 && !override_get(w, "pool", p->spec.name, "serve")) {
		uint32_t serve = (uint32_t)(r->serve > p->max ? p->max : r->serve);

		serve = serve < p->spec.serve ? p->spec.serve : serve;
		p->shrink_now = p->shrink_now || serve < p->serve;
		p->serve = serve;
	}
	if (r->spare >= 0 && !override_get(w, "pool", p->spec.name, "spare"))
		p->spare = (uint32_t)(r->spare > p->max ? p->max : r->spare);
	pool_unbalance(w, p);
}

static void say_wish(const struct rule *r, const struct event *ev, char *out,
		     size_t size)
{
	struct words t = { .out = out, .size = size };

	out[0] = '\0';
	if (ev->rule.size.nodes)
		word(&t, " nodes=%u", ev->rule.size.nodes);
	if (ev->rule.size.vcpus)
		word(&t, " vcpus=%u", ev->rule.size.vcpus);
	if (ev->rule.size.memory_mib)
		word(&t, " memory_mib=%llu",
		     (unsigned long long)ev->rule.size.memory_mib);
	if (ev->rule.serve >= 0)
		word(&t, " serve=%lld", (long long)ev->rule.serve);
	if (ev->rule.spare >= 0)
		word(&t, " spare=%lld", (long long)ev->rule.spare);
	if (out[0])
		memmove(out, out + 1, strlen(out));
	else
		snprintf(out, size, "nothing");
	(void)r;
}

static struct decision_row describe(const struct world *w, const struct rule *r,
				    const struct event *ev)
{
	struct decision_row d = { .wall_ms = w->wall_ms };

	snprintf(d.object, sizeof(d.object), "%s/%s",
		 r->spec.cluster[0] ? "cluster" : "pool",
		 r->spec.cluster[0] ? r->spec.cluster : r->spec.pool);
	snprintf(d.source, sizeof(d.source), "rule/%s", r->spec.name);
	TEXT_SET(d.version, r->spec.version);
	if (ev->rule.inputs.length)
		text_copy_slice(d.inputs, sizeof(d.inputs), ev->rule.inputs);
	else
		TEXT_SET(d.inputs, r->inputs);
	text_copy_slice(d.text, sizeof(d.text), ev->rule.text);
	if (ev->rule.ok)
		say_wish(r, ev, d.wish, sizeof(d.wish));
	return d;
}

static void answer(struct effects *fx, struct rule *r, bool ok, const char *code,
		   const char *text)
{
	struct event to = { .command.reply = r->reply };

	if (r->reply)
		command_reply(fx, &to, ok, code, text);
	r->reply = 0;
}

static void on_fault(struct world *w, struct effects *fx, struct rule *r,
		     struct decision_row *d)
{
	d->outcome = DECISION_FAILED;
	r->failures++;
	policy_save(w, fx, d);
	r->last = *d;
	if (r->failures == FAULTS_MAX)
		world_event(w, fx, SEVERITY_FAIL, false, "RULE", "rule",
			    r->spec.name,
			    "%d faults in a row, the last good wish stays; not run again until it is enabled: %.100s",
			    FAULTS_MAX, d->text);
}

static void on_wish(struct world *w, struct effects *fx, struct rule *r,
		    struct decision_row *d, const struct event *ev)
{
	bool news = strcmp(d->wish, r->last.wish) != 0 || r->failures;

	r->failures = 0;
	r->wished = true;
	r->wish = ev->rule.size;
	r->serve = ev->rule.serve;
	r->spare = ev->rule.spare;
	d->outcome = DECISION_KEPT;
	if (r->spec.pool[0]) {
		const struct pool *p = world_pool(w, slice_of(r->spec.pool));
		uint32_t serve = p ? p->serve : 0, spare = p ? p->spare : 0;

		apply_to_pool(w, r);
		if (p && (p->serve != serve || p->spare != spare)) {
			d->outcome = DECISION_CHANGED;
			world_event(w, fx, SEVERITY_INFO, false, "RULE", "pool",
				    p->spec.name,
				    "rule %s: serve %u -> %u, spare %u -> %u: %.100s",
				    r->spec.name, serve, p->serve, spare,
				    p->spare, d->text);
		}
		if (news || d->outcome == DECISION_CHANGED)
			policy_save(w, fx, d);
	}
	r->last = *d;
	if (r->spec.cluster[0]) {
		struct cluster *c = world_cluster(w, slice_of(r->spec.cluster));

		if (c)	/* which decides, and stores what was decided */
			pool_unbalance(w, c->pool);
	}
}

void rule_on_done(struct world *w, struct effects *fx, const struct event *ev)
{
	struct call *c = map_get(&w->calls, ev->rule.call);
	struct rule *r = rule_of_call(w, ev->rule.call);

	if (c && c->kind == CALL_KIND_RULE)
		call_free(w, c);
	if (!r)
		return;
	r->call = 0;
	struct decision_row d = describe(w, r, ev);
	if (r->dry) {
		char text[ROW_TEXT_SIZE * 2];

		d.outcome = DECISION_DRY;
		policy_save(w, fx, &d);
		snprintf(text, sizeof(text), "wishes %s%s%s", d.wish,
			 d.text[0] ? ": " : "", d.text);
		answer(fx, r, ev->rule.ok, ev->rule.ok ? "" : "failed",
		       ev->rule.ok ? text : d.text);
		return;
	}
	if (ev->rule.ok)
		on_wish(w, fx, r, &d, ev);
	else
		on_fault(w, fx, r, &d);
	answer(fx, r, ev->rule.ok, ev->rule.ok ? "" : "failed",
	       ev->rule.ok ? d.wish : d.text);
}

void rule_on_call_over(struct world *w, struct effects *fx, uint64_t call)
{
	struct event ev = { .kind = EVENT_RULE_DONE,
			    .rule = { .call = call, .serve = -1, .spare = -1,
				      .text = SLICE("no answer in time") } };

	rule_on_done(w, fx, &ev);
}

/* ---- the site ------------------------------------------------------------------------------ */

static void adopt(struct world *w, struct rule *r, const struct site_rule *spec)
{
	bool other = strcmp(r->spec.version, spec->version) != 0;

	r->spec = *spec;
	if (other)
		r->failures = 0;
	if (!timer_is_set(&r->timer))
		arm(w, r, spec->every_ms < FIRST_MS ? spec->every_ms : FIRST_MS);
}

void apply_rules(struct world *w, struct effects *fx)
{
	struct rule **old = w->rules;
	size_t old_count = w->rule_count;

	(void)fx;
	w->rules = calloc(w->spec.rule_count + 1, sizeof(*w->rules));
	CHECK("", w->rules, "out of memory");
	w->rule_count = 0;
	for (size_t i = 0; i < w->spec.rule_count; i++) {
		struct rule *r = NULL;

		for (size_t j = 0; j < old_count; j++)
			if (old[j] && strcmp(old[j]->spec.name,
					     w->spec.rules[i].name) == 0) {
				r = old[j];
				old[j] = NULL;
			}
		if (!r) {
			r = calloc(1, sizeof(*r));
			CHECK("", r, "out of memory");
			r->timer.kind = TIMER_RULE;
			r->serve = r->spare = -1;
		}
		w->rules[w->rule_count++] = r;
		r->disabled = override_value(w, "rule", w->spec.rules[i].name,
					     "disabled", 0);
		adopt(w, r, &w->spec.rules[i]);
		apply_to_pool(w, r);
	}
	for (size_t j = 0; j < old_count; j++)
		if (old[j]) {
			timer_stop(&w->timers, &old[j]->timer);
			free(old[j]);
		}
	free(old);
}

void rule_restore(struct world *w, const struct decision_row *d)
{
	for (size_t i = 0; i < w->rule_count; i++) {
		char source[ROW_NAME_SIZE + 16];

		snprintf(source, sizeof(source), "rule/%s", w->rules[i]->spec.name);
		if (strcmp(source, d->source) == 0 && d->id > w->rules[i]->last.id)
			w->rules[i]->last = *d;
	}
}

void rules_fini(struct world *w)
{
	for (size_t i = 0; i < w->rule_count; i++)
		free(w->rules[i]);
	free(w->rules);
}
