/*
 * Gateways of an earlier build, after an upgrade: they go on carrying their
 * sessions, and give way for what is new.
 *
 *     old, with sessions --- drain: no new client, ends with its last ---> gone
 *         \--- index, and listening sockets of its own ---> a new process
 *
 * Nobody is drained before a gateway of this build listens.  Where all are old,
 * one more than the site wants is started for that time, and drained itself
 * when each of them has been replaced.  Gateway 0, where resources meet, is left
 * alone while anybody has a session and the site has resources.
 *
 * In the window between a drained gateway's last accept and its close, the kernel
 * may finish a connection that then is reset: its client has said nothing yet.
 */
#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum { RENEW_MS = 500 };

static bool is_old(const struct gateway_role *g)
{
	return g->ready && g->build != g->shell->build;
}

static bool is_fresh(const struct gateway_role *g)
{
	return g->ready && g->build == g->shell->build && !g->draining;
}

static size_t all_sessions(const struct shell *sh)
{
	size_t n = 0;

	for (uint32_t i = 0; i < sh->gateway_count; i++)
		n += sh->world.gateways[i].sessions;
	return n;
}

/* Gateway 0 serves the others' sessions as well. */
static bool may_drain(const struct shell *sh, const struct gateway_role *g)
{
	return g->index != 0 || !listeners_any_inner(sh) ||
	       all_sessions(sh) == 0;
}

static void drain(struct gateway_role *g)
{
	struct shell *sh = g->shell;
	const struct message m = { .type = WIRE_TYPE_gateway_drain };

	log_info("gateway %u, pid %d, is %s: drained, %u sessions end when they end",
		 g->index, (int)g->pid,
		 is_old(g) ? "of an earlier build" : "one more than is wanted",
		 sh->world.gateways[g->index].sessions);
	g->draining = true;
	/* First our own descriptors: else the sockets would go on listening. */
	listeners_withdraw(sh, g->index);
	gateways_send(sh, g->index, &m);
}

/* One more, of this build, until the others are replaced. */
static void start_helper(struct shell *sh)
{
	for (uint32_t i = sh->gateway_wanted; i < sh->gateway_count; i++)
		if (!sh->gateways[i].retired && !is_old(&sh->gateways[i]))
			return;		/* on its way */
	if (sh->gateway_count == WORLD_GATEWAYS_MAX)
		return;
	log_info("gateway %u is started for the time of the upgrade",
		 sh->gateway_count);
	gateways_add(sh);
}

/* How many are old; how many of this build listen; how many of those stay. */
struct census {
	uint32_t old, fresh, staying;
};

static struct census take_census(const struct shell *sh)
{
	struct census c = { 0, 0, 0 };

	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		c.old += is_old(&sh->gateways[i]);
		c.fresh += is_fresh(&sh->gateways[i]);
		c.staying += is_fresh(&sh->gateways[i]) &&
			     i < sh->gateway_wanted;
	}
	return c;
}

static void on_timer(uv_timer_t *timer)
{
	struct shell *sh = timer->data;
	const struct census c = take_census(sh);

	if (c.old && !c.fresh)
		start_helper(sh);
	for (uint32_t i = 0; i < sh->gateway_count; i++) {
		struct gateway_role *g = &sh->gateways[i];
		bool surplus = i >= sh->gateway_wanted && !c.old && c.staying;

		if (g->ready && !g->draining && may_drain(sh, g) &&
		    ((is_old(g) && c.fresh) || surplus))
			drain(g);
	}
}

void renew_start(struct shell *sh)
{
	sh->renew_timer.data = sh;
	uv_timer_init(&sh->loop, &sh->renew_timer);
	uv_timer_start(&sh->renew_timer, on_timer, RENEW_MS, RENEW_MS);
	uv_unref((uv_handle_t *)&sh->renew_timer);
}
