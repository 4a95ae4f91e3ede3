/*
 * Declared state machines: one table per kind of machine, one mover that
 * asserts the edge.  The table is documentation, check and diagram at once
 * (`make docs` prints it).
 */
#ifndef REMUDA_BASE_SM_H
#define REMUDA_BASE_SM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum sm_flag {
	SM_INITIAL = 1,
	SM_FINAL = 2,	/* absorbing: no edge leaves (reliability.md S9) */
};

struct sm_state {
	const char *name;
	uint32_t allowed;	/* bit mask of the next states */
	uint32_t flags;
	const char *holds;	/* what is true in this state, for people */
};

struct sm_table {
	const char *kind;	/* "machine" */
	const struct sm_state *states;
	int count;
};

#define SM_TO(state) (1u << (state))

const char *sm_name(const struct sm_table *t, int state);
/* Returns the state of that name or -1. */
int sm_by_name(const struct sm_table *t, const char *name);
bool sm_may_move(const struct sm_table *t, int from, int to);
bool sm_is_final(const struct sm_table *t, int state);
/* Asserts the edge under the given invariant name and stores the new state. */
void sm_move(const struct sm_table *t, int *state, int to, const char *object);
/* Prints the table as a Graphviz digraph. */
void sm_print_dot(const struct sm_table *t, FILE *out);

#endif
