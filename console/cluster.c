/* Clusters' sizes, changes and columns: see cluster.h. */
#include "console/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/format.h"
#include "console/theme.h"

/* ---- columns --------------------------------------------------------- */

static void get_machine_word(const struct list_context *context,
			     const json_t *item, struct field *out)
{
	struct state_look look = state_look("machine", item_text(item, "state"));

	(void)context;
	out->text = look.word;
}

static void get_role(const struct list_context *context, const json_t *item,
		     struct field *out)
{
	const char *role = item_text(item, "role");
	const char *partner = item_text(item, "partner");

	(void)context;
	out->text = "-";
	if (!*role)
		return;
	snprintf(out->buf, sizeof(out->buf), "%s%s%s", role, *partner ?
		 strcmp(role, "old") == 0 ? ", to " : ", for " : "", partner);
	out->text = out->buf;
}

static const struct column node_columns[] = {
	{ "NODE", 12, 18, 0, .member = "name" },
	{ "PART", 10, 0, 0, .member = "part", .as = AS_STATE, .kind = "node" },
	{ "MACHINE", 9, 0, 2, .get = get_machine_word },
	{ "HOST", 6, 10, 0, .member = "host" },
	{ "SITE", 6, 10, 5, .member = "site" },
	{ "OPEN", 5, 0, 1, true, .member = "open", .as = AS_NUMBER },
	{ "SERVED", 7, 0, 3, true, .member = "transactions", .as = AS_NUMBER },
	{ "FAILED", 6, 0, 4, true, .member = "failed", .as = AS_NUMBER },
	{ "CPU", 4, 0, 1, true, .member = "cpu_percent", .as = AS_PERCENT },
	{ "VCPU", 4, 0, 5, true, .member = "vcpus", .as = AS_NUMBER },
	{ "MEM", 6, 0, 2, true, .member = "memory_mib", .as = AS_MIB },
	{ "ADDRESS", 15, 21, 6, .member = "address" },
	{ "CHANGE", 10, 18, 7, .get = get_role },
	{ "NOTE", 8, 40, 8, .member = "text" },
};

static void get_step(const struct list_context *context, const json_t *item,
		     struct field *out)
{
	(void)context;
	out->text = change_words(out->buf, sizeof(out->buf), item);
}

static void get_to(const struct list_context *context, const json_t *item,
		   struct field *out)
{
	(void)context;
	out->text = cluster_size(out->buf, sizeof(out->buf),
				 json_object_get(item, "to"));
}

static const struct column change_columns[] = {
	{ "CHANGE", 10, 0, 0, .newest_first = true, .member = "ref" },
	{ "STATE", 11, 0, 0, .member = "state", .as = AS_STATE,
	  .kind = "change" },
	{ "CLUSTER", 10, 14, 1, .member = "cluster" },
	{ "KIND", 8, 0, 4, .member = "kind" },
	{ "TO", 14, 26, 2, .get = get_to },
	{ "STARTED", 8, 0, 2, true, .member = "started", .as = AS_CLOCK },
	{ "TOOK", 7, 0, 3, true, .member = "took_ms", .as = AS_TOOK },
	{ "BY", 10, 18, 5, .member = "who" },
	{ "STEP", 18, 44, 0, .get = get_step },
};

static const struct column decision_columns[] = {
	{ "TIME", 8, 0, 0, .newest_first = true, .member = "time",
	  .as = AS_CLOCK },
	{ "OUTCOME", 11, 0, 0, .member = "outcome", .as = AS_STATE,
	  .kind = "decision" },
	{ "BY", 12, 18, 1, .member = "source" },
	{ "OBJECT", 14, 18, 2, .member = "object" },
	{ "DECISION", 24, 200, 0, .member = "sentence" },
};

const struct columns columns_nodes = COLUMNS(node_columns, 0);
const struct columns columns_changes = COLUMNS(change_columns, 0);
const struct columns columns_decisions = COLUMNS(decision_columns, 0);

/* ---- words ----------------------------------------------------------- */

const char *cluster_size(char *out, size_t size, const json_t *item)
{
	int64_t nodes = item_int(item, "nodes", 0);
	int64_t vcpus = item_int(item, "vcpus", 0);
	int64_t mib = item_int(item, "memory_mib", 0);
	struct field f = { .text = "" };
	int used = 0;

	out[0] = '\0';
	if (nodes)
		used = snprintf(out, size, "%" PRId64 " node%s", nodes,
				nodes == 1 ? "" : "s");
	if (vcpus && used < (int)size)
		used += snprintf(out + used, size - (size_t)used,
				 "%s%" PRId64 " vCPU", used ? ", " : "", vcpus);
	if (mib && used < (int)size) {
		field_get(AS_MIB, "memory_mib", NULL, NULL, item, &f);
		snprintf(out + used, size - (size_t)used, "%s%s", used ? ", " :
			 "", f.text);
	}
	return out;
}

static bool is_running(const json_t *change)
{
	const char *state = item_text(change, "state");

	return strcmp(state, "running") == 0 || strcmp(state, "undoing") == 0;
}

json_t *cluster_change(const struct model *m, const char *cluster)
{
	const struct model_set *set = &m->sets[TOPIC_CHANGES];
	json_t *best = NULL;

	for (size_t i = 0; i < set->count; i++) {
		json_t *c = set->entries[i].item;

		if (strcmp(item_text(c, "cluster"), cluster) != 0)
			continue;
		if (!best || is_running(c) > is_running(best) ||
		    (is_running(c) == is_running(best) &&
		     item_int(c, "id", 0) > item_int(best, "id", 0)))
			best = c;
	}
	return best;
}

const char *change_words(char *out, size_t size, const json_t *change)
{
	size_t steps = json_array_size(json_object_get(change, "steps"));

	out[0] = '\0';
	if (change && is_running(change))
		snprintf(out, size, "%" PRId64 "/%zu %s", item_int(change,
			 "step_number", 0), steps, item_text(change, "step"));
	else if (change)
		snprintf(out, size, "%s", item_text(change, "text"));
	return out;
}

/* ---- the pane -------------------------------------------------------- */

static void draw_steps(struct grid *g, struct rect r, const json_t *change)
{
	const json_t *steps = json_object_get(change, "steps"), *step;
	size_t i, count = json_array_size(steps);
	/* The step of now stays in sight in a small pane. */
	int now = (int)item_int(change, "step_number", 1);
	int first = (int)count > r.rows && now > r.rows / 2 ?
		    now - r.rows / 2 - 1 : 0;

	if (first + r.rows > (int)count)
		first = (int)count - r.rows > 0 ? (int)count - r.rows : 0;
	json_array_foreach(steps, i, step) {
		const char *state = item_text(step, "state");
		struct state_look look = state_look("step", state);
		int row = (int)i - first;

		if (row < 0 || row >= r.rows)
			continue;
		grid_printf(g, r.row + row, r.col, r.cols, look.role,
			    "%2zu %s", i + 1, glyph(g->ascii,
			    role_glyph(look.role)));
		grid_text(g, r.row + row, r.col + 5, r.cols - 5,
			  strcmp(state, "now") == 0 ? ROLE_STRONG :
			  ROLE_NORMAL, item_text(step, "name"));
	}
}

void change_draw(struct grid *g, struct rect r, const json_t *change,
		 int64_t now_ms)
{
	char text[256], from[64], to[64], age[24];
	int64_t began = item_time_ms(change, "started");
	struct state_look look;
	int row;

	if (!change) {
		grid_text(g, r.row, r.col + 1, r.cols - 2, ROLE_OFF,
			  "Nothing was changed yet.");
		return;
	}
	look = state_look("change", item_text(change, "state"));
	cluster_size(from, sizeof(from), json_object_get(change, "from"));
	cluster_size(to, sizeof(to), json_object_get(change, "to"));
	snprintf(text, sizeof(text), "%s, %s: %s %s %s",
		 item_text(change, "kind"), item_text(change, "strategy"), from,
		 glyph(g->ascii, GLYPH_ARROW), to);
	row = r.row + view_wrap(g, (struct rect){ r.row, r.col + 1, 2,
						  r.cols - 2 }, ROLE_NORMAL,
				text);
	grid_printf(g, row++, r.col + 1, r.cols - 2, look.role, "%s %s",
		    glyph(g->ascii, role_glyph(look.role)), look.word);
	int foot = 3, steps = r.row + r.rows - row - foot;

	if (steps > 0)
		draw_steps(g, (struct rect){ row, r.col, steps, r.cols },
			   change);
	row = r.row + r.rows - foot;
	view_wrap(g, (struct rect){ row, r.col + 1, 2, r.cols - 2 },
		  look.role == ROLE_FAILED ? ROLE_FAILED : ROLE_NORMAL,
		  item_text(change, "text"));
	if (is_running(change))
		format_age(age, sizeof(age), began ? now_ms - began : -1);
	else
		format_took(age, sizeof(age), item_int(change, "took_ms", -1));
	grid_printf(g, row + 2, r.col + 1, r.cols - 2, ROLE_OFF, "by %s, %s%s",
		    item_text(change, "who"), age,
		    item_bool(change, "cancellable") ? "   x cancels and undoes it" :
		    "");
}
