/*
 * A session while bytes flow, and the ways it ends (decisions.md 15):
 *
 *     CLOSED   both directions ended, or the machine ended and the client had
 *              its time to follow, or DEALLOCATE, or nothing moved for long
 *              after the client's half-close
 *     LOST     the client's side broke: reset, time-out, native without
 *              DEALLOCATE
 *     MACHINE  the machine's side broke
 *     STOPPED  the engine said so
 *
 * A FIN does not tell a half-close from a close.  So the machine's FIN is
 * passed on like the client's, and a client that sends nothing for a while
 * after it loses the machine.
 *
 * Dead peers: keepalive finds those on quiet connections.  On busy ones
 * TCP_USER_TIMEOUT would also kill a peer that has merely stopped reading (it
 * counts zero-window probes that are answered), so the gateway looks at
 * TCP_INFO itself: something is outstanding and no acknowledgement of any kind
 * has come for a while.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/log.h"
#include "engine/gateway/internal.h"

enum {
	KEEP_IDLE_S = 10, KEEP_INTERVAL_S = 5, KEEP_COUNT = 3,
	SILENT_MS = 20000,
};

static void settle(struct gateway *g, struct relay *r);

static const struct relay_ops flow_ops = { .frame = native_door_frame,
					      .settle = settle };

void flow_keepalive(int fd)
{
	static const int on = 1, idle = KEEP_IDLE_S, count = KEEP_COUNT,
			 interval = KEEP_INTERVAL_S;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

void flow_start(struct gateway *g, struct caller *c)
{
	struct greeting *greeting = c->greeting;

	caller_move(c, CALLER_FLOWING);
	c->greeting = NULL;
	if (greeting && !end_put_raw(g, &c->client, greeting->bytes,
				     greeting->length))
		c->client.error = ETIMEDOUT;
	free(greeting);
	relay_start(g, &c->relay, &c->client, &c->machine, &flow_ops);
	list_add_tail(&g->flowing, &c->flowing);
	/* The client may have spoken long ago; epoll will not say it again. */
	relay_feed(g, &c->relay, 0);
	c->client.in_fresh = c->client.in != NULL;
	relay_pump(g, &c->relay);
}

void flow_report(struct gateway *g, const struct caller *c)
{
	struct message m = {
		.type = WIRE_TYPE_gateway_session,
		.incarnation = c->incarnation,
		.gateway_session = {
			.session = c->session, .conn = c->id,
			.machine = c->machine_id, .flowing = c->accepted,
			.bytes_in = c->relay.bytes[0],
			.bytes_out = c->relay.bytes[1],
			.quiet_ms = c->accepted ?
				g->poll.now_ms - c->relay.moved_ms : 0,
		},
	};

	engine_link_send(g, &m, false);
}

static void tell_ended(struct gateway *g, struct caller *c)
{
	struct message m = {
		.type = WIRE_TYPE_session_ended,
		.incarnation = c->incarnation,
		.session_ended = {
			.session = c->session, .machine = c->machine_id,
			.how = (uint8_t)c->how,
			.bytes_in = c->relay.bytes[0],
			.bytes_out = c->relay.bytes[1],
			.confirm = c->confirm, .drained = c->drained,
			.text = slice_of(c->why),
		},
	};

	engine_link_send(g, &m, true);
}

static const char *end_code(const struct caller *c)
{
	switch (c->how) {
	case WIRE_END_STOPPED:
		return "stopped";
	case WIRE_END_MACHINE:
		return "machine_lost";
	case WIRE_END_LOST:
	case WIRE_END_CLOSED:
		break;
	}
	return "protocol";
}

/* The session is reported; what remains is to let the client go. */
static void dismiss_client(struct gateway *g, struct caller *c)
{
	struct end *e = &c->client;

	if (e->watch.fd < 0 || e->out_dead) {
		caller_close(g, c, true);
	} else if (!e->framed && c->how != WIRE_END_CLOSED) {
		/* Cut short: the client must not take it for a close. */
		caller_close(g, c, true);
	} else if (c->confirm && !e->hangup) {
		caller_move(c, CALLER_CONFIRMING);
		poll_timer_set(&g->poll, &c->timer,
			  g->poll.now_ms + g->limits.confirm_ms);
	} else if (c->how != WIRE_END_CLOSED && e->error && e->error != EPROTO) {
		caller_close(g, c, true);
	} else if (c->how != WIRE_END_CLOSED) {
		caller_refuse(g, c, end_code(c), slice_of(c->why));
	} else {
		caller_linger(g, c);
	}
}

/* Nothing of the session is left at the machine that we could do. */
static void over(struct gateway *g, struct caller *c)
{
	relay_stop(&c->relay);
	poll_timer_stop(&g->poll, &c->timer);
	end_close(g, &c->machine, c->how != WIRE_END_CLOSED);
	list_remove(&c->changed);
	/* Resources are cut before anybody can start cleaning; a session that
	 * was lost may linger, one that is shared may go on elsewhere, and the
	 * engine says when it does not. */
	if (c->how != WIRE_END_LOST && !c->of)
		port_on_close(g, c->machine_id, c->session);
	tell_ended(g, c);
	if (!c->confirm)
		caller_forget_session(g, c);
	dismiss_client(g, c);
}

/* A client that is cut or has closed need not wait for the guest. */
static bool client_may_go(const struct caller *c)
{
	const struct end *e = &c->client;

	if (e->framed)
		return c->how == WIRE_END_LOST && e->error != EPROTO;
	return c->how != WIRE_END_CLOSED || e->in_ended;
}

static void begin_drain(struct gateway *g, struct caller *c)
{
	caller_move(c, CALLER_DRAINING);
	c->relay.way[0] = RELAY_OFF;
	c->relay.way[1] = RELAY_DROP;
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + g->limits.drain_ms);
	if (client_may_go(c))
		end_close(g, &c->client, c->how != WIRE_END_CLOSED);
	end_flush(g, &c->machine);
	if (!end_put_pair(g, &c->machine, NATIVE_DEALLOCATE, c->session,
			  c->nonce) || c->machine.out_dead) {
		over(g, c);
		return;
	}
	relay_pump(g, &c->relay);
}

void flow_over(struct gateway *g, struct caller *c, enum wire_end how,
		    const char *text)
{
	struct end *m = &c->machine;

	c->how = how;
	TEXT_SET(c->why, text);
	if (how != WIRE_END_CLOSED)
		c->confirm = false;
	list_remove(&c->flowing);
	poll_timer_stop(&g->poll, &c->timer);
	if (c->accepted && m->framed && !m->error && !m->out_dead)
		begin_drain(g, c);
	else
		over(g, c);
}

static void note_bytes(struct gateway *g, struct caller *c)
{
	uint64_t sum = c->relay.bytes[0] + c->relay.bytes[1];

	if (sum == c->reported || list_linked(&c->changed))
		return;
	list_add_tail(&g->changed, &c->changed);
}

/* When the session ends if no byte moves until then. */
static int64_t quiet_deadline(const struct gateway *g, const struct caller *c)
{
	int64_t limit = c->half_close_ms;

	if (c->machine.error || c->deallocated)
		limit = g->limits.drain_ms;
	else if (c->machine.in_ended && end_idle(&c->client))
		limit = g->limits.machine_close_ms;
	return c->relay.moved_ms + limit;
}

/* Both directions have ended and all was written. */
static bool all_done(const struct caller *c)
{
	const struct end *client = &c->client, *machine = &c->machine;

	return client->in_ended && machine->in_ended &&
	       (client->out_ended || client->out_dead) &&
	       (machine->out_ended || machine->out_dead) &&
	       end_idle(client) && end_idle(machine);
}

static const char *machine_trouble(const struct caller *c)
{
	if (c->machine.error == EPROTO)
		return "the machine broke the protocol";
	if (c->machine.error == EPIPE)
		return "the machine closed its channel";
	return c->why[0] ? c->why : strerror(c->machine.error);
}

static void settle_client_error(struct gateway *g, struct caller *c)
{
	const struct end *e = &c->client;

	/* A native or TLS client that has all there is may just close. */
	if (e->error == EPIPE && c->machine.in_ended && e->out_ended &&
	    end_idle(e))
		flow_over(g, c, WIRE_END_CLOSED, "");
	else if (e->error == EPROTO)
		flow_over(g, c, WIRE_END_LOST,
			       "the client broke the protocol");
	else if (e->error == EPIPE)
		flow_over(g, c, WIRE_END_LOST,
			  e->framed ? "the client closed without DEALLOCATE" :
				      "the client closed without close_notify");
	else
		flow_over(g, c, WIRE_END_LOST, strerror(e->error));
}

static void settle_flow(struct gateway *g, struct caller *c)
{
	struct end *client = &c->client, *machine = &c->machine;

	if (client->error) {
		settle_client_error(g, c);
	} else if (client->out_dead) {
		flow_over(g, c, WIRE_END_LOST, strerror(client->out_error));
	} else if (machine->error && end_idle(client)) {
		flow_over(g, c, WIRE_END_MACHINE, machine_trouble(c));
	} else if (c->deallocated && end_idle(machine)) {
		flow_over(g, c, WIRE_END_CLOSED, "");
	} else if (machine->in_ended && machine->out_dead && end_idle(client)) {
		/* The machine closed both ways; the client's rest is dropped. */
		flow_over(g, c, WIRE_END_CLOSED, "");
	} else if (all_done(c) && !client->framed) {
		flow_over(g, c, WIRE_END_CLOSED, "");
	} else if (client->in_ended || machine->in_ended || machine->error ||
		   c->deallocated) {
		int64_t due = quiet_deadline(g, c);

		if (!c->timer.slot || due < c->timer.at_ms)
			poll_timer_set(&g->poll, &c->timer, due);
	}
}

static void settle(struct gateway *g, struct relay *r)
{
	struct caller *c = POLL_OWNER(r, struct caller, relay);

	if (c->state == CALLER_DRAINING) {
		if (c->drained || c->machine.error || c->machine.out_dead)
			over(g, c);
		return;
	}
	note_bytes(g, c);
	settle_flow(g, c);
}

void flow_timer(struct gateway *g, struct caller *c)
{
	int64_t due;

	if (c->state == CALLER_DRAINING) {
		log_warn("session/%llu: the machine did not confirm its end",
			 (unsigned long long)c->session);
		over(g, c);
		return;
	}
	due = quiet_deadline(g, c);
	if (due > g->poll.now_ms)
		poll_timer_set(&g->poll, &c->timer, due);
	else if (c->machine.error)
		flow_over(g, c, WIRE_END_MACHINE, machine_trouble(c));
	else
		flow_over(g, c, WIRE_END_CLOSED,
			       "nothing moved after one side had ended");
}

bool flow_silent(const struct gateway *g, struct end *e)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (!e->tcp || getsockopt(e->watch.fd, IPPROTO_TCP, TCP_INFO, &info,
				  &length) < 0)
		return false;
	if ((!info.tcpi_unacked && !info.tcpi_probes) ||
	    info.tcpi_last_ack_recv < FLOW_SWEEPS * 1000) {
		e->silent_ms = 0;
		return false;
	}
	if (!e->silent_ms)
		e->silent_ms = g->poll.now_ms;
	return g->poll.now_ms - e->silent_ms >= SILENT_MS;
}

static void sweep(struct gateway *g, struct caller *c)
{
	if (!c->hardened && c->machine.tcp)
		flow_keepalive(c->machine.watch.fd);
	c->hardened = true;
	if (flow_silent(g, &c->client)) {
		flow_over(g, c, WIRE_END_LOST, "the client is silent");
	} else if (flow_silent(g, &c->machine)) {
		flow_over(g, c, WIRE_END_MACHINE, "the machine is silent");
	}
}

void flow_tell_bytes(struct gateway *g, struct caller *c)
{
	struct message m = {
		.type = WIRE_TYPE_session_bytes,
		.incarnation = c->incarnation,
		.session_bytes = { .session = c->session,
				   .bytes_in = c->relay.bytes[0],
				   .bytes_out = c->relay.bytes[1] },
	};

	list_remove(&c->changed);
	c->reported = c->relay.bytes[0] + c->relay.bytes[1];
	engine_link_send(g, &m, false);
}

void flow_tick(struct gateway *g, int64_t second)
{
	LIST_EACH(&g->changed, it) {
		/* A slow engine gets the newest counts later, not all. */
		if (!link_up(g) || g->engine_full)
			break;
		flow_tell_bytes(g, LIST_ENTRY(it, struct caller, changed));
	}
	LIST_EACH(&g->flowing, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, flowing);

		if ((int64_t)(c->id % FLOW_SWEEPS) == second % FLOW_SWEEPS)
			sweep(g, c);
	}
}
