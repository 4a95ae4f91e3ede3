/* State tables; see sm.h. */
#include "engine/base/sm.h"

#include <string.h>

#include "engine/base/check.h"

const char *sm_name(const struct sm_table *t, int state)
{
	CHECK("", state >= 0 && state < t->count);
	return t->states[state].name;
}

int sm_by_name(const struct sm_table *t, const char *name)
{
	for (int i = 0; i < t->count; i++)
		if (strcmp(t->states[i].name, name) == 0)
			return i;
	return -1;
}

bool sm_may_move(const struct sm_table *t, int from, int to)
{
	CHECK("", from >= 0 && from < t->count && to >= 0 && to < t->count);
	return t->states[from].allowed & SM_TO(to);
}

bool sm_is_final(const struct sm_table *t, int state)
{
	CHECK("", state >= 0 && state < t->count);
	return t->states[state].flags & SM_FINAL;
}

void sm_move(const struct sm_table *t, int *state, int to, const char *object)
{
	CHECK("S9", sm_may_move(t, *state, to), "%s %s: %s -> %s is no edge",
	      t->kind, object, sm_name(t, *state), sm_name(t, to));
	*state = to;
}

void sm_print_dot(const struct sm_table *t, FILE *out)
{
	fprintf(out, "digraph %s {\n\trankdir=LR;\n", t->kind);
	for (int i = 0; i < t->count; i++) {
		fprintf(out, "\t%s [shape=%s];\n", t->states[i].name,
			t->states[i].flags & SM_FINAL ? "doublecircle" : "box");
		for (int j = 0; j < t->count; j++)
			if (t->states[i].allowed & SM_TO(j))
				fprintf(out, "\t%s -> %s;\n", t->states[i].name,
					t->states[j].name);
	}
	fprintf(out, "}\n");
}
