/*
 * The gateway process: start, loop, stop.  See gateway.h for what it is and
 * internal.h for its parts:
 *
 *     poll.c             epoll, timers, graves
 *     end.c relay.c      streams, frames and the bytes between two of them
 *     listener.c         listening sockets
 *     door.c crowd.c     strangers, until they have asked
 *     tls.c              OpenSSL under a client's bytes
 *     door_*.c native_door.c  what each protocol reads and says
 *     door_ssh.c starter.c  processes of ssh clients
 *     caller.c           a client from accept to close
 *     dial.c             connecting to the assigned machine, its accept
 *     flow.c             bytes flowing, and the ways that ends
 *     cluster.c health.c balance.c transaction.c  clusters: nodes and clients
 *     port.c visitor.c exchange.c target.c  machines asking for resources
 *     ident.c            services asking who is behind a connection
 *     link.c adopt.c     the engine, its death and its successor
 *     confine.c          what the process may do
 *
 * Single-threaded.  Nothing here waits but epoll_wait.  It reads no files,
 * knows no database and opens no socket but to addresses the engine named.
 */
#include "engine/gateway/gateway.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/build.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/confine.h"
#include "engine/gateway/internal.h"

enum {
	FD_RESERVE = 64 + 2 * SSH_LINKS_MAX,	/* engine, listeners, candidates, in flight */
	ORPHAN_ROUNDS = 60,	/* times orphan_ms with records and no session */
	STOP_MS = 1000,		/* for the last words to the engine */
	SLICE_NS = 300 * 1000,	/* of the processor, see ask_short_slices() */
};

static const struct gateway_limits default_limits = {
	.opening_ms = 10 * 1000,
	.half_close_ms = 5 * 60 * 1000,
	.machine_close_ms = 10 * 1000,
	.drain_ms = 5 * 1000,
	.confirm_ms = 5 * 60 * 1000,
	.orphan_ms = 60 * 1000,
	.stale_ms = 10 * 1000,
	.resource_accept_ms = 5 * 1000,
	.opening_count = 4096,
	.per_source = 256,
	.record_count = 65536,
};

static void on_second(struct gateway *g, struct timer *t)
{
	poll_timer_set(&g->poll, t, g->poll.now_ms + 1000);
	flow_tick(g, ++g->seconds);
	listener_report_all(g);
	cluster_table_tick(g, g->seconds);
}

/* With sessions or nodes that serve it stays; with records an hour, for an engine
 * that is repaired. */
static void on_orphan(struct gateway *g, struct timer *t)
{
	bool records = g->durable_queued && ++g->orphan_rounds < ORPHAN_ROUNDS;

	if (link_up(g))
		return;
	if (g->by_session.used || records || cluster_table_serve(g)) {
		poll_timer_set(&g->poll, t, g->poll.now_ms + g->limits.orphan_ms);
		return;
	}
	log_warn("no engine and no session: exiting");
	g->stopping = true;
}

static void on_stale(struct gateway *g, struct timer *t)
{
	(void)t;
	/* It died before it could name anything: the next one has its time. */
	if (!link_up(g))
		return;
	cluster_table_drop_stale(g);
	listener_close_stale(g);
}

static void drain(struct gateway *g)
{
	listener_stop_all(g);
	g->draining = true;
	log_info("draining: %u connections left", g->conn_count);
	ssh_link_close_idle(g);
}

/* Nobody is here any more, and the engine has every record. */
static bool is_drained(const struct gateway *g)
{
	return g->draining && !g->conn_count && list_empty(&g->queue) &&
	       list_empty(&g->sent);
}

static void report_closed(struct gateway *g, const struct message *m)
{
	struct message answer = {
		.type = WIRE_TYPE_resource_closed,
		.incarnation = m->incarnation,
		.resource_closed = { m->resource_close.machine,
				     m->resource_close.session },
	};

	engine_link_send(g, &answer, false);
}

void gateway_on_message(struct gateway *g, struct message *m)
{
	switch (m->type) {
	case WIRE_TYPE_gateway_listener:
		listener_on_message(g, m);
		return;
	case WIRE_TYPE_gateway_tls:
		tls_on_message(g, m);
		return;
	case WIRE_TYPE_gateway_unlisten:
		listener_on_unlisten(g, m->gateway_unlisten.listener);
		return;
	case WIRE_TYPE_gateway_ssh:
		ssh_link_on_key(g, m);
		return;
	case WIRE_TYPE_ssh_known:
		ssh_link_on_known(g, m);
		return;
	case WIRE_TYPE_session_assign:
		caller_on_assign(g, m);
		return;
	case WIRE_TYPE_session_refuse:
		caller_on_refuse(g, m);
		return;
	case WIRE_TYPE_session_ticket:
		caller_on_ticket(g, m);
		return;
	case WIRE_TYPE_session_waiting:
		caller_on_waiting(g, m);
		return;
	case WIRE_TYPE_session_stop:
		caller_on_stop(g, m);
		return;
	case WIRE_TYPE_session_notice:
		caller_on_notice(g, m);
		return;
	case WIRE_TYPE_session_confirmed:
		caller_on_confirmed(g, m);
		return;
	case WIRE_TYPE_resource_port:
		port_on_message(g, m);
		return;
	case WIRE_TYPE_resource_close:
		port_on_close(g, m->resource_close.machine,
			      m->resource_close.session);
		report_closed(g, m);
		return;
	case WIRE_TYPE_resource_target:
		target_on_message(g, m);
		return;
	case WIRE_TYPE_gateway_stored:
		link_on_stored(g, m->gateway_stored.record);
		return;
	case WIRE_TYPE_gateway_ping:
		engine_link_send(g, &(struct message){
			.type = WIRE_TYPE_gateway_pong,
			.gateway_pong = { m->gateway_ping.number } }, false);
		return;
	case WIRE_TYPE_gateway_drain:
		drain(g);
		return;
	case WIRE_TYPE_gateway_stop:
		g->stopping = true;
		return;
	}
	if (!cluster_table_on_message(g, m))
		log_error("message %s is not for a gateway",
			  wire_type_name(m->type));
}

/* How many clients fit: each may need a descriptor for its machine. */
static uint32_t client_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 256;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < 32)
		return 8;
	rlim_t all = r.rlim_cur, kept = FD_RESERVE + 2 * TUBES_MAX + all / 32;
	if (kept > all / 2)
		kept = all / 2;
	all = (all - kept) / 2;
	return all > 1000000 ? 1000000 : (uint32_t)all;
}

#define DEFAULT(field)                                                         \
	do {                                                                   \
		if (!g->limits.field)                                          \
			g->limits.field = default_limits.field;                \
	} while (0)

static struct gateway *gateway_new(const struct gateway_options *o)
{
	struct gateway *g = calloc(1, sizeof(*g));

	CHECK("", g, "out of memory");
	g->index = o->index;
	g->build = build_number();
	g->term = o->term;
	g->limits = o->limits;
	DEFAULT(opening_ms);
	DEFAULT(half_close_ms);
	DEFAULT(machine_close_ms);
	DEFAULT(drain_ms);
	DEFAULT(confirm_ms);
	DEFAULT(orphan_ms);
	DEFAULT(stale_ms);
	DEFAULT(resource_accept_ms);
	DEFAULT(opening_count);
	DEFAULT(per_source);
	DEFAULT(record_count);
	g->engine.fd = g->rendezvous.fd = g->starter.fd = -1;
	list_init(&g->queue);
	list_init(&g->sent);
	list_init(&g->candidates);
	list_init(&g->listeners);
	list_init(&g->conns);
	list_init(&g->ssh_links);
	list_init(&g->changed);
	list_init(&g->flowing);
	list_init(&g->run);
	list_init(&g->targets);
	list_init(&g->crowd.all);
	map_init(&g->crowd.sources);
	list_init(&g->askers);
	map_init(&g->guests);
	cluster_table_init(g);
	g->orphan.fire = on_orphan;
	g->stale.fire = on_stale;
	g->second.fire = on_second;
	g->conn_limit = client_limit();
	return g;
}

/* Last words: what is queued goes out if the engine still reads. */
static void say_goodbye(struct gateway *g)
{
	int64_t until = poll_clock_ms() + STOP_MS;

	while (link_up(g) && !list_empty(&g->queue)) {
		struct pollfd p = { .fd = g->engine.fd, .events = POLLOUT };
		int64_t left = until - poll_clock_ms();

		if (left <= 0 || poll(&p, 1, (int)left) <= 0 ||
		    p.revents & (POLLERR | POLLHUP))
			return;
		g->engine_full = false;
		link_flush(g);
	}
}

static void gateway_free(struct gateway *g)
{
	listener_close_all(g);
	LIST_EACH(&g->conns, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, link);

		if (c->state >= CALLER_DIALING && c->state <= CALLER_FLOWING) {
			c->accepted = false;	/* no time to drain */
			flow_over(g, c, WIRE_END_STOPPED,
				       "the gateway stops");
		}
		caller_close(g, c, true);
	}
	ssh_link_close_all(g);
	cluster_table_close_all(g);
	watch_close(&g->poll, &g->starter);
	target_close_all(g);
	map_fini(&g->guests);
	ident_close_all(g);
	say_goodbye(g);
	adopt_fini(g);
	engine_link_fini(g);
	poll_bury(g, &g->poll);
	while (g->free_conns) {
		struct caller *c = g->free_conns;

		g->free_conns = c->next_free;
		free(c);
	}
	cluster_table_fini(g);
	map_fini(&g->by_conn);
	map_fini(&g->by_session);
	map_fini(&g->crowd.sources);
	stores_fini(&g->stores);
	poll_fini(&g->poll);
	free(g);
}

/* Relays that had more to move than one pump allows. */
static void run_busy(struct gateway *g)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&g->run)) {
		struct list *it = g->run.next;

		list_remove(it);
		list_add_tail(&now, it);
	}
	while (!list_empty(&now))
		relay_pump(g, LIST_ENTRY(now.next, struct relay, run));
}

static int loop(struct gateway *g)
{
	while (!g->stopping) {
		link_flush(g);
		if (poll_turn(g, &g->poll, !list_empty(&g->run)) < 0) {
			log_error("epoll_wait: %s", strerror(errno));
			return 1;
		}
		run_busy(g);
		if (is_drained(g))
			break;
	}
	return 0;
}

/*
 * A gateway has little to do at a time, on a host whose guests may compute for
 * long.  Since Linux 6.12 a process with short slices begins sooner, for the same
 * share of the processor (sched_setattr(2)): beside three busy processes on two
 * cores, 64 bytes to and fro took 8.2 ms instead of 8.9 (p99).  Before that the
 * wish is ignored, and a refusal changes nothing else.
 */
static void ask_short_slices(void)
{
	struct sched_attr a;

	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0 ||
	    a.sched_policy != SCHED_NORMAL)
		return;
	a.sched_runtime = SLICE_NS;
	syscall(SYS_sched_setattr, 0, &a, 0);
}

/* What has to be there before, then the filter. */
static int prepare(struct gateway *g, const struct gateway_options *o)
{
	struct error err;

	ask_short_slices();
	if (o->starter && starter_open(g, &err) < 0) {
		log_error("%s", err.text);
		return -1;
	}
	if (o->confine && gateway_confine(&err) < 0) {
		log_error("this gateway cannot be confined: %s", err.text);
		return -1;
	}
	return adopt_init(g, o->rendezvous_fd, o->key_fd);
}

int gateway_run(const struct gateway_options *o)
{
	struct gateway *g = gateway_new(o);
	int code = 1;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);	/* the starter: nobody waits for it */
	if (poll_init(&g->poll) < 0) {
		log_error("epoll_create1: %s", strerror(errno));
		free(g);
		return 1;
	}
	if (prepare(g, o) == 0) {
		poll_timer_set(&g->poll, &g->second, g->poll.now_ms + 1000);
		engine_link_open(g, o->engine_fd, true);
		code = loop(g);
	}
	gateway_free(g);
	return code;
}
