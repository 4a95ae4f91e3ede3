/* The choice of a node (engine/gateway/balance.h). */
#include "engine/gateway/balance.h"

#include "tests/tap.h"

enum { NODES = 4 };

static struct balance_node nodes[NODES];
static struct balance_set none;
static uint32_t turn;

static void reset(void)
{
	for (uint8_t i = 0; i < NODES; i++)
		nodes[i] = (struct balance_node){ .serves = true, .bit = i };
	turn = 0;
}

/* Chooses and opens a transaction there. */
static int choose(enum wire_balance how, uint32_t busy,
		  const struct balance_set *tried)
{
	int n = balance_choose(how, busy, nodes, NODES, tried, &turn);

	if (n >= 0)
		nodes[n].open++;
	return n;
}

static void test_sets(void)
{
	struct balance_set s = { { 0 } };

	ok(balance_empty(&s), "a new set is empty");
	balance_add(&s, 0);
	balance_add(&s, 100);
	ok(balance_has(&s, 100) && !balance_has(&s, 36), "bits of both halves");
	is_int(balance_free_bit(&s), 1, "the lowest that is free");
	balance_remove(&s, 0);
	ok(!balance_empty(&s), "one is left");
	balance_remove(&s, 100);
	ok(balance_empty(&s), "then none");
	for (int i = 0; i < BALANCE_NODES_MAX; i++)
		balance_add(&s, (uint8_t)i);
	is_int(balance_free_bit(&s), -1, "a full set has no free bit");
}

static void test_round_robin(void)
{
	reset();
	for (int i = 0; i < 2 * NODES; i++)
		is_int(choose(WIRE_BALANCE_ROUND_ROBIN, 0, &none), i % NODES,
		       "each in turn");
	nodes[1].serves = false;
	is_int(choose(WIRE_BALANCE_ROUND_ROBIN, 0, &none), 0, "the first");
	is_int(choose(WIRE_BALANCE_ROUND_ROBIN, 0, &none), 2,
	       "one that does not serve is passed over");
}

static void test_least(void)
{
	reset();
	nodes[0].open = 3;
	nodes[1].open = nodes[2].open = 1;
	nodes[3].open = 2;
	is_int(choose(WIRE_BALANCE_LEAST, 0, &none), 1, "fewest open");
	is_int(choose(WIRE_BALANCE_LEAST, 0, &none), 2, "then the next of them");
	is_int(choose(WIRE_BALANCE_LEAST, 0, &none), 3, "then the third");
	reset();
	int seen[NODES] = { 0 };
	for (int i = 0; i < NODES; i++) {
		int n = choose(WIRE_BALANCE_LEAST, 0, &none);

		seen[n]++;
		nodes[n].open = 0;	/* over at once */
	}
	for (int i = 0; i < NODES; i++)
		is_int(seen[i], 1, "equals take turns");
}

static void test_first_free(void)
{
	reset();
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 2, &none), 0, "the first");
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 2, &none), 0, "till it is busy");
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 2, &none), 1, "then the second");
	nodes[0].open = 1;
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 2, &none), 0,
	       "the first again as soon as it is free");
	for (int i = 0; i < NODES; i++)
		nodes[i].open = 2;
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 2, &none), -1, "all are busy");
	nodes[2].open = 0;
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 0, &none), 2,
	       "a limit of 0 counts as 1");
}

static void test_tried_and_doubted(void)
{
	struct balance_set tried = { { 0 } };

	reset();
	balance_add(&tried, 0);
	balance_add(&tried, 2);
	is_int(choose(WIRE_BALANCE_LEAST, 0, &tried), 1, "not one it has tried");
	nodes[1].doubted = true;
	nodes[3].open = 50;
	is_int(choose(WIRE_BALANCE_LEAST, 0, &tried), 3,
	       "a doubted one only when there is no other");
	nodes[3].serves = false;
	is_int(choose(WIRE_BALANCE_LEAST, 0, &tried), 1, "as now");
	balance_add(&tried, 1);
	is_int(choose(WIRE_BALANCE_LEAST, 0, &tried), -1, "all were tried");
	is_int(balance_choose(WIRE_BALANCE_LEAST, 0, nodes, 0, &none, &turn), -1,
	       "a cluster without nodes");
	reset();
	nodes[0].doubted = true;
	is_int(choose(WIRE_BALANCE_ROUND_ROBIN, 0, &none), 1,
	       "in turn, too, doubt comes last");
	is_int(choose(WIRE_BALANCE_FIRST_FREE, 9, &none), 1, "and first free");
}

int main(void)
{
	test_sets();
	test_round_robin();
	test_least();
	test_first_free();
	test_tried_and_doubted();
	return tap_done();
}
