/*
 * Which node of a cluster gets the next transaction (spec 3.2).  Pure: nodes as
 * they are go in, a place among them comes out.
 *
 * A gateway knows its own transactions only, so `open` and `busy` are those of
 * one gateway.
 */
#ifndef REMUDA_GATEWAY_BALANCE_H
#define REMUDA_GATEWAY_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/wire/message.h"

enum { BALANCE_NODES_MAX = 128 };	/* 64, and as many that take over */

/* Nodes by their bit: those a transaction has tried. */
struct balance_set {
	uint64_t bits[BALANCE_NODES_MAX / 64];
};

struct balance_node {
	bool serves;		/* is well and takes new transactions */
	bool doubted;		/* something failed there: others first */
	uint8_t bit;		/* its own in a struct balance_set */
	uint32_t open;		/* transactions there now */
};

void balance_add(struct balance_set *s, uint8_t bit);
void balance_remove(struct balance_set *s, uint8_t bit);
bool balance_has(const struct balance_set *s, uint8_t bit);
bool balance_empty(const struct balance_set *s);
/* The lowest bit that is not in the set, or -1. */
int balance_free_bit(const struct balance_set *s);

/*
 * The node for a transaction that has tried `tried`, or -1 when none may have
 * it now.  turn: where the next round goes on, kept by the caller; busy: that
 * many transactions make a node busy (FIRST_FREE; at least 1).
 */
int balance_choose(enum wire_balance how, uint32_t busy,
		   const struct balance_node *nodes, uint32_t count,
		   const struct balance_set *tried, uint32_t *turn);

#endif
