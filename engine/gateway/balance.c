/*
 * The choice of a node; see balance.h.
 *
 *     LEAST        fewest open; among equals they take turns, or a quiet
 *                  cluster would use its first node only
 *     ROUND_ROBIN  the next in turn
 *     FIRST_FREE   the first, in their order, that is not busy
 *
 * A doubted node (its last check failed, or a transaction did) is chosen only
 * when no other may have the transaction.
 */
#include "engine/gateway/balance.h"

void balance_add(struct balance_set *s, uint8_t bit)
{
	s->bits[bit / 64] |= 1ull << bit % 64;
}

void balance_remove(struct balance_set *s, uint8_t bit)
{
	s->bits[bit / 64] &= ~(1ull << bit % 64);
}

bool balance_has(const struct balance_set *s, uint8_t bit)
{
	return s->bits[bit / 64] >> bit % 64 & 1;
}

bool balance_empty(const struct balance_set *s)
{
	return !(s->bits[0] | s->bits[1]);
}

int balance_free_bit(const struct balance_set *s)
{
	for (int bit = 0; bit < BALANCE_NODES_MAX; bit++)
		if (!balance_has(s, (uint8_t)bit))
			return bit;
	return -1;
}

/* Is b to be preferred to a, of which b comes later in the round? */
static bool better(enum wire_balance how, const struct balance_node *a,
		   const struct balance_node *b)
{
	if (a->doubted != b->doubted)
		return a->doubted;
	return how == WIRE_BALANCE_LEAST && b->open < a->open;
}

int balance_choose(enum wire_balance how, uint32_t busy,
		   const struct balance_node *nodes, uint32_t count,
		   const struct balance_set *tried, uint32_t *turn)
{
	uint32_t first = how == WIRE_BALANCE_FIRST_FREE ? 0 : *turn;
	int found = -1;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (first + i) % count;
		const struct balance_node *n = &nodes[at];

		if (!n->serves || balance_has(tried, n->bit) ||
		    (how == WIRE_BALANCE_FIRST_FREE && n->open >= (busy ? busy : 1)))
			continue;
		if (found < 0 || better(how, &nodes[found], n))
			found = (int)at;
	}
	if (found >= 0)
		*turn = ((uint32_t)found + 1) % count;
	return found;
}
