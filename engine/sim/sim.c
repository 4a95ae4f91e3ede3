/*
 * Virtual time: one heap of things to come, the engine's turns between them,
 * the two phases of a run.  Everything here is deterministic: equal times go
 * in the order of their scheduling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum {
	STEPS_DEFAULT = 3000,
	BOOT_MS = 1000000,		/* of the clock, when a run begins */
	SETTLE_MS = 700000,		/* bound of the second phase; a pool may wait
					 * 10 minutes before it shrinks */
	LOOK_MS = 1000,			/* between two looks at it */
	TURNS_AT_ONCE_MAX = 2000,	/* more at one instant: it spins */
};

/* The check handler has no argument. */
static struct {
	struct sim *sim;
	jmp_buf end;
} current;

void array_add(struct array *a, void *item)
{
	if (a->count == a->size) {
		a->size = a->size ? a->size * 2 : 16;
		a->items = realloc(a->items, a->size * sizeof(*a->items));
		CHECK("", a->items, "out of memory");
	}
	a->items[a->count++] = item;
}

void array_remove(struct array *a, size_t i)
{
	a->count--;
	memmove(&a->items[i], &a->items[i + 1],
		(a->count - i) * sizeof(*a->items));
}

void array_free(struct array *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->items[i]);
	free(a->items);
	*a = (struct array){ 0 };
}

int64_t sim_between(struct sim *s, int64_t low, int64_t high)
{
	return random_between(&s->random, low, high);
}

bool sim_chance(struct sim *s, unsigned percent)
{
	return random_chance(&s->random, percent);
}

/* What has no machine of its own meets every machine there is. */
static void count_everywhere(struct sim *s, uint64_t *row)
{
	row[MACHINE_STATES]++;
	for (size_t i = 0; s->running && i < s->world.pool_count; i++)
		for (int j = 0; j < MACHINE_STATES; j++)
			row[j] += s->world.pools[i]->counts[j];
}

void sim_count_fault(struct sim *s, enum sim_fault fault, uint64_t machine)
{
	const struct machine *m = s->running ? world_machine(&s->world, machine)
					     : NULL;
	uint64_t *row = s->result->coverage.faults[fault];

	if (m)
		row[m->row.state]++;
	else
		count_everywhere(s, row);
	trace_note(s, "fault %s%s%s", sim_fault_name(fault), m ? " on " : "",
		   m ? m->row.name : "");
}

bool sim_fault(struct sim *s, enum sim_fault fault, uint64_t machine)
{
	uint16_t permille = s->settling ? 0 : s->swarm.permille[fault];

	if (!permille || random_below(&s->random, 1000) >= permille)
		return false;
	sim_count_fault(s, fault, machine);
	return true;
}

/* ---- the heap ------------------------------------------------------------ */

static bool before(const struct item *a, const struct item *b)
{
	return a->at_ms < b->at_ms ||
	       (a->at_ms == b->at_ms && a->order < b->order);
}

static void swap(struct item *a, struct item *b)
{
	struct item t = *a;

	*a = *b;
	*b = t;
}

/* The item is borrowed until the next call. */
struct item *sim_at(struct sim *s, int64_t at_ms,
		    void (*run)(struct sim *, struct item *), void *arg,
		    uint64_t a, uint64_t b)
{
	if (s->heap_count == s->heap_size) {
		s->heap_size = s->heap_size ? s->heap_size * 2 : 256;
		s->heap = realloc(s->heap, s->heap_size * sizeof(*s->heap));
		CHECK("", s->heap, "out of memory");
	}
	size_t i = s->heap_count++;
	s->heap[i] = (struct item){ .at_ms = at_ms > s->now_ms ? at_ms : s->now_ms,
				    .order = s->next_order++,
				    .run = run, .arg = arg, .a = a, .b = b };
	for (; i && before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&s->heap[i], &s->heap[(i - 1) / 2]);
	return &s->heap[i];
}

static struct item heap_take(struct sim *s)
{
	struct item first = s->heap[0];

	s->heap[0] = s->heap[--s->heap_count];
	for (size_t i = 0;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < s->heap_count &&
		    before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (child >= s->heap_count || !before(&s->heap[child], &s->heap[i]))
			return first;
		swap(&s->heap[i], &s->heap[child]);
		i = child;
	}
}

/* ---- posts and orders ------------------------------------------------------ */

struct post *post_new(struct sim *s, enum event_kind kind)
{
	struct post *p = calloc(1, sizeof(*p));

	CHECK("", p, "out of memory");
	p->ev.kind = kind;
	p->term = s->term;
	return p;
}

static struct slice keep(char *bytes, uint32_t *used, struct slice text)
{
	char *at = bytes + *used;
	uint32_t n = text.length;

	if (n > POST_BYTES - *used)
		n = POST_BYTES - *used;
	if (n)
		memcpy(at, text.ptr, n);
	*used += n;
	return (struct slice){ at, n };
}

struct slice post_text(struct post *p, const char *text)
{
	return keep(p->bytes, &p->used, slice_of(text));
}

struct post *post_copy(const struct post *p)
{
	struct post *c = malloc(sizeof(*c));

	CHECK("", c, "out of memory");
	*c = *p;
	if (p->ev.kind != EVENT_CANCEL && p->ev.session.text.ptr)
		c->ev.session.text.ptr =
			c->bytes + (p->ev.session.text.ptr - p->bytes);
	return c;
}

static void post_arrives(struct sim *s, struct item *it)
{
	struct post *p = it->arg;

	if (!s->running || p->term != s->term)
		return;	/* nobody reads that socket any more */
	it->arg = NULL;
	array_add(&s->inbox, p);
	int64_t delay = sim_fault(s, SIM_SLOW_STORE, 0) ?
				sim_between(s, 5, 400) : sim_between(s, 0, 2);
	if (s->turn_ms > s->now_ms + delay)
		s->turn_ms = s->now_ms + delay;
}

void post_send(struct sim *s, struct post *p, int64_t *channel_ms,
	       int64_t delay_ms)
{
	int64_t at = s->now_ms + delay_ms;

	if (channel_ms && at < *channel_ms)
		at = *channel_ms;
	if (channel_ms)
		*channel_ms = at;
	p->term = s->term;
	sim_at(s, at, post_arrives, p, 0, 0);
}

struct order *order_new(struct sim *s, const struct effect *e)
{
	struct order *o = calloc(1, sizeof(*o));

	(void)s;
	CHECK("", o, "out of memory");
	o->e = *e;
	o->e.row = NULL;
	o->e.host = keep(o->bytes, &o->used, e->host);
	o->e.resource = keep(o->bytes, &o->used, e->resource);
	o->e.argv = keep(o->bytes, &o->used, e->argv);
	o->e.input = keep(o->bytes, &o->used, e->input);
	o->e.path = keep(o->bytes, &o->used, e->path);
	o->e.out = keep(o->bytes, &o->used, e->out);
	o->e.errout = keep(o->bytes, &o->used, e->errout);
	o->e.text = keep(o->bytes, &o->used, e->text);
	return o;
}

/* ---- a run ------------------------------------------------------------------ */

static void on_check(const char *name, const char *where, const char *text)
{
	struct sim_result *r = current.sim->result;

	r->failed = true;
	TEXT_SET(r->invariant, name[0] ? name : "check");
	TEXT_SET(r->where, where);
	TEXT_SET(r->text, text);
	longjmp(current.end, 1);
}

void sim_broken(struct sim *s, const char *invariant, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)s;
	on_check(invariant, "oracle", text);
	abort();
}

/* Lets happen what comes next. */
static void advance(struct sim *s)
{
	int64_t turn_ms = engine_turn_at(s);
	int64_t item_ms = s->heap_count ? s->heap[0].at_ms : INT64_MAX;
	int64_t next_ms = turn_ms < item_ms ? turn_ms : item_ms;

	CHECK("", next_ms < INT64_MAX, "nothing will ever happen again");
	if (next_ms > s->now_ms) {
		s->now_ms = next_ms;
		s->idle_turns = 0;
	}
	if (turn_ms <= item_ms) {
		if (++s->idle_turns > TURNS_AT_ONCE_MAX)
			sim_broken(s, "L7", "%d turns at one instant",
				   TURNS_AT_ONCE_MAX);
		engine_turn(s);
		return;
	}
	struct item it = heap_take(s);
	it.run(s, &it);
	free(it.arg);
}

static void thaw(struct sim *s)
{
	s->settling = true;
	s->settle_from_ms = s->now_ms;
	/* A role that hangs stays so: the core has to ask for its restart. */
	trace_note(s, "faults stop");
}

static void settle(struct sim *s)
{
	const char *name = "", *missing = "never looked";
	int64_t look_ms = s->now_ms;

	thaw(s);
	while (s->now_ms < s->settle_from_ms + SETTLE_MS) {
		advance(s);
		if (s->now_ms < look_ms)
			continue;
		missing = converge_missing(s, &name);
		if (!missing) {
			s->result->settled_ms = s->now_ms - s->settle_from_ms;
			return;
		}
		look_ms = s->now_ms + LOOK_MS;
	}
	sim_broken(s, name, "%d s after the last fault: %s", SETTLE_MS / 1000,
		   missing);
}

static void sim_fini(struct sim *s)
{
	/* After a broken check the world may be half changed: left behind. */
	if (!s->result->failed && s->running)
		world_fini(&s->world);
	effects_fini(&s->fx);
	for (size_t i = 0; i < s->heap_count; i++)
		free(s->heap[i].arg);
	free(s->heap);
	for (size_t i = 0; i < s->lanes.size; i++)
		if (s->lanes.slots[i].key) {
			array_free(s->lanes.slots[i].value);
			free(s->lanes.slots[i].value);
		}
	map_fini(&s->lanes);
	uptime_fini(s);
	map_fini(&s->fds);
	map_fini(&s->tokens);
	map_fini(&s->wanted);
	map_fini(&s->bound);
	map_fini(&s->accepted);
	map_fini(&s->stopped);
	map_fini(&s->closed);
	store_fini(&s->store);
	site_release(&s->site);
	array_free(&s->inbox);
	array_free(&s->lives);
	array_free(&s->files);
	array_free(&s->runs);
	array_free(&s->held);
	array_free(&s->conns);
	array_free(&s->nodes);
	map_fini(&s->were_up);
	array_free(&s->ports);
	array_free(&s->images);
	for (int i = 0; i < GATEWAYS_MAX; i++) {
		array_free(&s->gateways[i].records);
		array_free(&s->gateways[i].sent);
	}
}

void sim_run(const struct sim_options *o, struct sim_result *result)
{
	static struct sim s;	/* out of longjmp's reach */
	uint32_t steps = o->steps ? o->steps : STEPS_DEFAULT;

	*result = (struct sim_result){ .hash = 14695981039346656037ull };
	s = (struct sim){ .result = result, .trace = o->trace,
			  .now_ms = BOOT_MS, .turn_ms = INT64_MAX };
	current.sim = &s;
	check_set_handler(on_check);
	if (setjmp(current.end) == 0) {
		random_seed(&s.random, o->seed);
		effects_init(&s.fx);
		swarm_draw(&s);
		site_draw(&s);
		chaos_start(&s);
		nodes_start(&s);
		engine_start(&s);
		while (result->steps < steps)
			advance(&s);
		settle(&s);
	}
	check_set_handler(NULL);
	result->coverage.virtual_ms = (uint64_t)(s.now_ms - BOOT_MS);
	sim_fini(&s);
}
