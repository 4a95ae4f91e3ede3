/*
 * Changes and decisions as JSON (show.h), and a decision as a sentence: what was
 * decided, why, and what became of it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/loop/show.h"

enum { SENTENCE_SIZE = 600 };

#define SET(o, key, value) json_object_set_new_nocheck(o, key, value)

static const char *const kinds[CHANGE_KINDS] = {
	[CHANGE_RESIZE] = "resize", [CHANGE_REPLACE] = "replace",
	[CHANGE_MOVE] = "move",
};
static const char *const states[CHANGE_STATES] = {
	[CHANGE_RUNNING] = "running", [CHANGE_UNDOING] = "undoing",
	[CHANGE_DONE] = "done", [CHANGE_FAILED] = "failed",
	[CHANGE_CANCELLED] = "cancelled",
};
static const char *const outcomes[DECISION_OUTCOMES] = {
	[DECISION_KEPT] = "kept", [DECISION_CHANGED] = "changed",
	[DECISION_HELD_BACK] = "held_back", [DECISION_FAILED] = "failed",
	[DECISION_DRY] = "dry",
};

json_t *show_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *show_id(uint64_t id)
{
	return id ? show_number(id) : json_null();
}

json_t *show_size(uint32_t nodes, uint32_t vcpus, uint64_t memory_mib)
{
	return json_pack("{s:I, s:I, s:I}", "nodes", (json_int_t)nodes, "vcpus",
			 (json_int_t)vcpus, "memory_mib",
			 (json_int_t)memory_mib);
}

const struct change *show_find_change(const struct world *w, uint64_t id)
{
	LIST_EACH(&w->changes, it) {
		const struct change *ch = LIST_ENTRY(it, struct change, link);

		if (ch->row.id == id)
			return ch;
	}
	return NULL;
}

/* ---- changes ------------------------------------------------------------------- */

static json_t *steps_of(const struct change_row *row)
{
	json_t *list = json_array();
	bool over = row->state == CHANGE_DONE;

	for (int i = 0; i < STEP_END; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name",
			change_step_name((enum change_step)i), "state",
			over || i < row->step ? "done" :
			i == row->step && row->state == CHANGE_RUNNING ? "now" :
			i == row->step ? "stopped" : "open"));
	return list;
}

/* "payroll-01>payroll-03", ">payroll-04", "payroll-02>", "a=a". */
static json_t *pairs_of(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t n = strcspn(text, " "), at = strcspn(text, ">=");
		json_t *o = json_object();

		if (at >= n) {
			json_decref(o);
			break;
		}
		SET(o, "old", at ? json_stringn(text, at) : json_null());
		SET(o, "new", at + 1 < n ? json_stringn(text + at + 1, n - at - 1) :
					   json_null());
		SET(o, "stays", json_boolean(text[at] == '='));
		json_array_append_new(list, o);
		text += n + (text[n] == ' ');
	}
	return list;
}

/* ---- sentences ---------------------------------------------------------------- */

struct saying {
	char text[SENTENCE_SIZE];
	size_t used;
};

static void say(struct saying *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct saying *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->used, sizeof(l->text) - l->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->used += (size_t)n;
	if (l->used >= sizeof(l->text))
		l->used = sizeof(l->text) - 1;
}

/* "2 -> 3 nodes, 2 -> 4 vCPU" */
static void say_size(struct saying *l, const struct change_row *c)
{
	bool any = false;

	if (c->kind == CHANGE_REPLACE)
		say(l, "nodes made anew");
	else if (c->kind == CHANGE_MOVE)
		say(l, "nodes moved");
	any = c->kind != CHANGE_RESIZE;
	if (c->from_nodes != c->to_nodes) {
		say(l, "%s%u -> %u nodes", any ? ", " : "", c->from_nodes,
		    c->to_nodes);
		any = true;
	}
	if (c->from_vcpus != c->to_vcpus) {
		say(l, "%s%u -> %u vCPU", any ? ", " : "", c->from_vcpus,
		    c->to_vcpus);
		any = true;
	}
	if (c->from_memory_mib != c->to_memory_mib) {
		say(l, "%s%llu -> %llu MiB", any ? ", " : "",
		    (unsigned long long)c->from_memory_mib,
		    (unsigned long long)c->to_memory_mib);
		any = true;
	}
	if (!any)
		say(l, "the same size");
}

json_t *show_change(const struct change_row *row)
{
	bool over = row->ended_wall_ms != 0;
	struct saying what = { .used = 0 };
	json_t *o = json_object();

	say_size(&what, row);
	SET(o, "summary", show_text(what.text));
	SET(o, "id", show_number(row->id));
	SET(o, "ref", json_sprintf("change/%llu", (unsigned long long)row->id));
	SET(o, "cluster", show_text(row->cluster));
	SET(o, "kind", json_string(kinds[row->kind]));
	SET(o, "state", json_string(states[row->state]));
	SET(o, "step", json_string(change_step_name((enum change_step)row->step)));
	SET(o, "step_number", show_number((uint64_t)row->step + (row->step < STEP_END)));
	SET(o, "steps", steps_of(row));
	SET(o, "strategy", json_string(strategy_name(
				   (enum site_strategy)row->strategy)));
	SET(o, "decision", show_id(row->decision));
	SET(o, "from", show_size(row->from_nodes, row->from_vcpus,
			    row->from_memory_mib));
	SET(o, "to", show_size(row->to_nodes, row->to_vcpus, row->to_memory_mib));
	SET(o, "who", show_text(row->who));
	SET(o, "started", show_time(row->started_wall_ms));
	SET(o, "step_since", show_time(row->step_wall_ms));
	SET(o, "ended", show_time(row->ended_wall_ms));
	SET(o, "took_ms", over && row->ended_wall_ms >= row->started_wall_ms ?
	    json_integer(row->ended_wall_ms - row->started_wall_ms) :
	    json_null());
	SET(o, "pairs", pairs_of(row->pairs));
	SET(o, "text", show_text(row->text));
	SET(o, "cancellable", json_boolean(row->state == CHANGE_RUNNING &&
					   row->step < STEP_FREE));
	SET(o, "removed", json_boolean(over));
	return o;
}

/* ---- decisions ------------------------------------------------------------------- */

struct found_change {
	bool found;
	struct change_row row;
};

static void on_change(void *arg, const struct change_row *row)
{
	struct found_change *f = arg;

	f->row = *row;
	f->found = true;
}

/* From the world while it is under way, else from the store. */
static bool find_change(const struct shell *sh, uint64_t id,
			struct change_row *out)
{
	const struct change *live = id ? show_find_change(&sh->world, id) : NULL;
	struct db_query q = { .before_id = id + 1, .limit = 1, .scan = 1 };
	struct found_change f = { .found = false };
	struct error err;

	if (live)
		*out = live->row;
	if (!id || live)
		return live != NULL;
	if (db_query_changes(sh->db, &q, on_change, &f, &err) < 0 || !f.found ||
	    f.row.id != id)
		return false;
	*out = f.row;
	return true;
}


static void say_end(struct saying *l, const struct change_row *c)
{
	int64_t ms = c->ended_wall_ms - c->started_wall_ms;
	char took[24];

	if (ms >= 1000 && ms < 10000)
		snprintf(took, sizeof(took), "%d.%d s", (int)(ms / 1000),
			 (int)(ms / 100 % 10));
	else
		text_duration(took, sizeof(took), ms);
	say(l, "; change %llu ", (unsigned long long)c->id);
	if (!c->ended_wall_ms)
		say(l, "is %s at step %s", c->state == CHANGE_UNDOING ?
		    "being undone" : "under way",
		    change_step_name((enum change_step)c->step));
	else if (c->state == CHANGE_DONE)
		say(l, "done in %s", took);
	else
		say(l, "%s after %s%s%s", states[c->state], took,
		    c->text[0] ? ": " : "", c->text);
}

static void say_decision(struct saying *l, const struct decision_row *d,
			 const struct change_row *c)
{
	say(l, "%s: ", d->source);
	switch ((enum decision_outcome)d->outcome) {
	case DECISION_KEPT:
		say(l, "nothing to change");
		break;
	case DECISION_CHANGED:
		if (c)
			say_size(l, c);
		else
			say(l, "%s", d->wish);
		break;
	case DECISION_HELD_BACK:
		say(l, "wishes %s, held back", d->wish);
		break;
	case DECISION_FAILED:
		say(l, d->wish[0] ? "wishes %s, which failed" : "failed", d->wish);
		break;
	case DECISION_DRY:
		say(l, "would wish %s", d->wish);
		break;
	case DECISION_OUTCOMES:
		break;
	}
	if (d->text[0])
		say(l, ": %s", d->text);
	if (c)
		say_end(l, c);
}

/* "nodes=2 cpu=87" as an object of texts. */
static json_t *inputs_of(const char *text)
{
	json_t *o = json_object();

	while (*text) {
		size_t n = strcspn(text, " "), at = strcspn(text, "=");
		char key[ROW_NAME_SIZE];

		if (at && at < n && at < sizeof(key)) {
			memcpy(key, text, at);
			key[at] = '\0';
			json_object_set_new(o, key, json_stringn(text + at + 1,
								 n - at - 1));
		}
		text += n + (text[n] == ' ');
	}
	return o;
}

json_t *show_decision(const struct shell *sh, const struct decision_row *d)
{
	struct change_row change;
	bool has = find_change(sh, d->change, &change);
	struct saying l = { .used = 0 };
	json_t *o = json_object();

	say_decision(&l, d, has ? &change : NULL);
	SET(o, "id", show_id(d->id));
	SET(o, "ref", d->id ? json_sprintf("decision/%llu",
			(unsigned long long)d->id) : json_null());
	SET(o, "time", show_time(d->wall_ms));
	SET(o, "object", show_text(d->object));
	SET(o, "source", show_text(d->source));
	SET(o, "version", show_text(d->version));
	SET(o, "inputs", inputs_of(d->inputs));
	SET(o, "wish", show_text(d->wish));
	SET(o, "outcome", json_string(outcomes[d->outcome]));
	SET(o, "change", show_id(d->change));
	SET(o, "change_state", has ? json_string(states[change.state]) :
				     json_null());
	SET(o, "text", show_text(d->text));
	SET(o, "sentence", show_text(l.text));
	return o;
}
