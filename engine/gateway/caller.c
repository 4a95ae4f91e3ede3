/*
 * A client's connection, from accept to close.
 *
 *     OPENING     a stranger: its request is awaited (door.c)
 *     REQUESTED   the engine is to name a machine
 *     DIALING     connecting to a tcp or unix endpoint, writing its header
 *     ACCEPTING   channel: ACCEPT was sent, its echo is awaited
 *     FLOWING     bytes flow; the only state in which a client's byte is read
 *                 for a machine (S16)
 *     DRAINING    channel: DEALLOCATE was sent, CONFIRMED is awaited
 *     CONFIRMING  native: the session is over, the engine is cleaning
 *     LINGERING   only the client is left: it is read until it closes, because
 *                 closing on unread bytes would reset the last ones it got
 *
 * A session is held from DIALING to DRAINING and ends in one session_ended or
 * session_failed.  Each connection has one timer; its meaning is its state's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/base/sm.h"
#include "engine/gateway/internal.h"

enum {
	LINGER_MS = 3000,
};

#define AFTER_REQUEST                                                          \
	(SM_TO(CALLER_CONFIRMING) | SM_TO(CALLER_LINGERING) | SM_TO(CALLER_GONE))

static const struct sm_state caller_states[CALLER_STATES] = {
	[CALLER_OPENING] = { "opening",
			   SM_TO(CALLER_REQUESTED) | SM_TO(CALLER_LINGERING) |
				   SM_TO(CALLER_GONE),
			   SM_INITIAL, "the client has not asked yet" },
	[CALLER_REQUESTED] = { "requested",
			     SM_TO(CALLER_DIALING) | SM_TO(CALLER_ACCEPTING) |
				     SM_TO(CALLER_LINGERING) | SM_TO(CALLER_GONE),
			     SM_INITIAL, "the engine decides; no machine" },
	[CALLER_DIALING] = { "dialing",
			   SM_TO(CALLER_REQUESTED) | SM_TO(CALLER_FLOWING) |
				   AFTER_REQUEST,
			   0, "a machine is assigned, no user's byte sent" },
	[CALLER_ACCEPTING] = { "accepting",
			     SM_TO(CALLER_REQUESTED) | SM_TO(CALLER_FLOWING) |
				     AFTER_REQUEST,
			     0, "the machine knows the user, no byte sent" },
	[CALLER_FLOWING] = { "flowing", SM_TO(CALLER_DRAINING) | AFTER_REQUEST, 0,
			   "the machine accepted" },
	[CALLER_DRAINING] = { "draining", AFTER_REQUEST, 0,
			    "no more bytes; the channel is being emptied" },
	[CALLER_CONFIRMING] = { "confirming",
			      SM_TO(CALLER_LINGERING) | SM_TO(CALLER_GONE), 0,
			      "session reported; the client waits for clean" },
	[CALLER_LINGERING] = { "lingering", SM_TO(CALLER_GONE), 0,
			     "nothing but a client that has yet to close" },
	[CALLER_GONE] = { "gone", 0, SM_FINAL, "freed at the end of the turn" },
};

static const struct sm_table caller_table = { "connection", caller_states,
					    CALLER_STATES };

const char *caller_name(char out[32], const struct caller *c)
{
	snprintf(out, 32, "conn/%llu", (unsigned long long)c->id);
	return out;
}

void caller_move(struct caller *c, enum caller_state to)
{
	char name[32] = "";

	if (log_level() >= LOG_DEBUG)
		caller_name(name, c);
	log_debug("%s: %s -> %s", name, caller_states[c->state].name,
		  caller_states[to].name);
	sm_move(&caller_table, &c->state, to, name);
}

void caller_forget_asking(struct caller *c)
{
	if (!c->asking)
		return;
	explicit_bzero(c->asking, sizeof(*c->asking));
	free(c->asking);
	c->asking = NULL;
}

static void bury(struct gateway *g, struct grave *grave)
{
	struct caller *c = POLL_OWNER(grave, struct caller, grave);

	memset(c, 0, sizeof(*c));
	c->next_free = g->free_conns;
	g->free_conns = c;
}

static struct caller *conn_take(struct gateway *g)
{
	struct caller *c = g->free_conns;

	if (!c) {
		c = calloc(1, sizeof(*c));
		CHECK("", c, "out of memory");
		return c;
	}
	g->free_conns = c->next_free;
	c->next_free = NULL;
	return c;
}

void caller_forget_session(struct gateway *g, const struct caller *c)
{
	/* Its user may have come back to it on another connection. */
	if (c->session && map_get(&g->by_session, c->session) == c)
		map_remove(&g->by_session, c->session);
}

void caller_close(struct gateway *g, struct caller *c, bool abort)
{
	if (c->state == CALLER_GONE)
		return;
	caller_move(c, CALLER_GONE);
	relay_stop(&c->relay);
	end_close(g, &c->client, abort);
	end_close(g, &c->machine, true);
	poll_timer_stop(&g->poll, &c->timer);
	caller_forget_asking(c);
	free(c->greeting);
	c->greeting = NULL;
	crowd_leave(g, c);
	if (c->ssh)
		ssh_link_leave(g, c);
	list_remove(&c->link);
	list_remove(&c->changed);
	list_remove(&c->flowing);
	map_remove(&g->by_conn, c->id);
	caller_forget_session(g, c);
	g->conn_count--;
	listener_unref(g, c->listener);
	grave_add(&g->poll, &c->grave, bury);
}

void caller_linger(struct gateway *g, struct caller *c)
{
	if (c->state != CALLER_LINGERING) {
		caller_move(c, CALLER_LINGERING);
		poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + LINGER_MS);
	}
	if (end_linger(g, &c->client))
		caller_close(g, c, false);
}

void caller_cancel(struct gateway *g, struct caller *c)
{
	struct message m = { .type = WIRE_TYPE_session_cancel,
			     .session_cancel = { .conn = c->id } };

	if (c->requested)
		engine_link_send(g, &m, false);
	caller_close(g, c, false);
}

static void client_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct caller *c = POLL_OWNER(w, struct caller, client.watch);

	end_note(&c->client, events);
	end_note_error(&c->client, events);
	switch ((enum caller_state)c->state) {
	case CALLER_OPENING:
		door_pump(g, c);
		break;
	case CALLER_REQUESTED:
		c->door->wait(g, c);
		break;
	case CALLER_DIALING:
	case CALLER_ACCEPTING:
	case CALLER_DRAINING:
		end_flush(g, &c->client);
		break;
	case CALLER_FLOWING:
		relay_pump(g, &c->relay);
		break;
	case CALLER_CONFIRMING:
		if (c->client.hangup)
			caller_close(g, c, false);
		break;
	case CALLER_LINGERING:
		caller_linger(g, c);
		break;
	case CALLER_GONE:
	case CALLER_STATES:
		break;
	}
}

static void note_peer(struct caller *c, const struct sockaddr_storage *peer)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);

	if (c->listener->tcp) {
		c->peer = *peer;
		return;
	}
	c->peer.ss_family = AF_UNIX;
	/* Unknown is nobody, never root. */
	c->peer_uid = UINT32_MAX;
	if (getsockopt(c->client.watch.fd, SOL_SOCKET, SO_PEERCRED, &cred,
		       &length) == 0) {
		c->peer_uid = cred.uid;
		c->peer_pid = cred.pid;
	}
}

struct caller *caller_make(struct gateway *g, struct listener *l, int fd)
{
	struct caller *c = conn_take(g);

	if (end_open(g, &c->client, fd, l->door->framed, false,
		     client_ready) < 0) {
		log_error("listener %s: %s", l->name, strerror(errno));
		bury(g, &c->grave);
		return NULL;
	}
	c->client.tcp = l->tcp;
	c->machine.watch.fd = -1;
	c->id = ++g->next_conn;
	c->listener = l;
	c->door = l->door;
	c->timer.fire = caller_timer;
	c->opened_ms = g->poll.now_ms;
	l->refs++;
	g->conn_count++;
	list_add_tail(&g->conns, &c->link);
	map_put(&g->by_conn, c->id, c);
	return c;
}

void caller_new(struct gateway *g, struct listener *l, int fd,
	      const struct sockaddr_storage *peer)
{
	struct caller *c = caller_make(g, l, fd);

	if (!c)
		return;
	note_peer(c, peer);
	door_open(g, c);
}

static void peer_text(const struct caller *c, char *out, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *in = (const void *)&c->peer;
	const struct sockaddr_in6 *in6 = (const void *)&c->peer;

	switch (c->peer.ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
		snprintf(out, size, "%s:%u", address, ntohs(in->sin_port));
		return;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		snprintf(out, size, "[%s]:%u", address, ntohs(in6->sin6_port));
		return;
	}
	snprintf(out, size, "unix uid %u pid %d", c->peer_uid, c->peer_pid);
}

/* Shows the ticket a client came with. */
static void claim(struct gateway *g, struct caller *c, const char *peer)
{
	struct message m = {
		.type = WIRE_TYPE_session_claim,
		.session_claim = { .conn = c->id, .listener = c->listener->id,
				   .ticket = slice_of(c->asking->ticket),
				   .peer = slice_of(peer) },
	};

	c->requested = true;
	engine_link_send(g, &m, false);
}

void caller_request(struct gateway *g, struct caller *c)
{
	struct listener *l = c->listener;
	struct asking *a = c->asking;
	char peer[80];
	struct message m = {
		.type = WIRE_TYPE_session_request,
		.session_request = {
			.conn = c->id, .listener = l->id,
			.application = slice_of(a && a->application[0] ?
						a->application : l->application),
			.user_source = (uint8_t)l->user_source,
			.wait_ms = a ? a->wait_ms : -1,
			.request_id = slice_of(a ? a->request_id : ""),
			.count = a ? a->count : 1,
			.tickets = a && a->tickets,
		},
	};

	if (!link_up(g) || !l->open)
		return;
	peer_text(c, peer, sizeof(peer));
	if (a && a->ticket[0]) {
		claim(g, c, peer);
		return;
	}
	m.session_request.peer = slice_of(peer);
	switch (l->user_source) {
	case WIRE_USER_FIXED:
		m.session_request.user = slice_of(l->user);
		break;
	case WIRE_USER_PEER:
		m.session_request.uid = c->peer_uid;
		/* A wish only: the engine decides who may speak for whom. */
		m.session_request.user = slice_of(a ? a->user : "");
		break;
	case WIRE_USER_CERTIFICATE:
		m.session_request.user = slice_of(a ? a->user : "");
		break;
	case WIRE_USER_NETWORK:
		break;
	case WIRE_USER_KEY:
	case WIRE_USER_PASSWORD:
		/* Without one it came before the listener wanted one. */
		if (!a)
			break;
		m.session_request.user = slice_of(a->user);
		m.session_request.secret = (struct slice){
			(const char *)a->secret, a->secret_length };
		break;
	}
	c->requested = true;
	engine_link_send(g, &m, false);
}

/* The machine of a connection that does not want it any more. */
static void decline(struct gateway *g, const struct message *m)
{
	struct message no = {
		.type = WIRE_TYPE_session_failed,
		.incarnation = m->incarnation,
		.session_failed = {
			.session = m->session_assign.session,
			.machine = m->session_assign.machine,
			.text = SLICE("the client has gone"),
		},
	};

	engine_link_send(g, &no, true);
}

void caller_on_assign(struct gateway *g, struct message *m)
{
	const struct wire_session_assign *a = &m->session_assign;
	struct caller *c = map_get(&g->by_conn, a->conn);

	if (!a->session || map_get(&g->by_session, a->session)) {
		log_error("session/%llu was assigned twice",
			  (unsigned long long)a->session);
		return;
	}
	if (!c || c->state != CALLER_REQUESTED) {
		decline(g, m);
		return;
	}
	poll_timer_stop(&g->poll, &c->timer);
	c->session = a->session;
	c->of = m->request;
	c->machine_id = a->machine;
	c->incarnation = m->incarnation;
	c->nonce = a->nonce;
	c->endpoint = a->endpoint;
	c->assigned_ms = g->poll.now_ms;
	c->half_close_ms = a->half_close_ms > 0 ? a->half_close_ms :
						  g->limits.half_close_ms;
	c->accepted = c->drained = c->touched = false;
	c->skipped = 0;
	map_put(&g->by_session, c->session, c);
	if (c->door->greeting)
		c->greeting = c->door->greeting(c, m);
	dial_open(g, c, m);
}

void caller_refuse(struct gateway *g, struct caller *c, const char *code,
		 struct slice text)
{
	/* Bytes of a raw protocol cannot be followed by a refusal. */
	if (c->door->refuse && (c->client.framed || !c->accepted))
		c->door->refuse(g, c, code, text);
	caller_linger(g, c);
}

void caller_on_refuse(struct gateway *g, const struct message *m)
{
	struct caller *c = map_get(&g->by_conn, m->session_refuse.conn);
	char code[NAME_MAX_BYTES];

	if (!c || c->state != CALLER_REQUESTED)
		return;
	text_copy_slice(code, sizeof(code), m->session_refuse.code);
	c->listener->refused++;
	c->taken = m->session_refuse.session;
	caller_refuse(g, c, code, m->session_refuse.text);
}

void caller_on_ticket(struct gateway *g, const struct message *m)
{
	struct caller *c = map_get(&g->by_conn, m->session_ticket.conn);

	/* A client that has gone lets its tickets run out. */
	if (!c || c->state != CALLER_REQUESTED || !c->door->ticket)
		return;
	c->door->ticket(g, c, m);
	if (m->session_ticket.left == 0)
		caller_linger(g, c);
}

void caller_on_waiting(struct gateway *g, const struct message *m)
{
	const struct wire_session_waiting *w = &m->session_waiting;
	struct caller *c = map_get(&g->by_conn, w->conn);

	if (c && c->state == CALLER_REQUESTED && c->door->waiting)
		c->door->waiting(g, c, w);
}

void caller_on_stop(struct gateway *g, const struct message *m)
{
	struct caller *c = map_get(&g->by_session, m->session_stop.session);
	char text[160];

	if (!c || c->state < CALLER_DIALING || c->state > CALLER_FLOWING)
		return;
	if (c->state == CALLER_FLOWING &&
	    g->poll.now_ms - c->relay.moved_ms < m->session_stop.quiet_ms) {
		flow_tell_bytes(g, c);
		return;
	}
	text_copy_slice(text, sizeof(text), m->session_stop.text);
	flow_over(g, c, WIRE_END_STOPPED, text);
}

void caller_on_notice(struct gateway *g, const struct message *m)
{
	const struct wire_session_notice *n = &m->session_notice;
	struct caller *c = map_get(&g->by_session, n->session);
	struct native_builder b;
	char text[160];

	if (!c || c->state != CALLER_FLOWING || !c->client.framed)
		return;
	text_copy_slice(text, sizeof(text), n->text);
	native_begin(&b, NATIVE_NOTICE, 0);
	native_put_u64(&b, NATIVE_TAG_WAIT_MS,
		       n->left_ms > 0 ? (uint64_t)n->left_ms : 0);
	native_put_text(&b, NATIVE_TAG_TEXT, text);
	/* A client that reads nothing misses it. */
	end_put_frame(g, &c->client, &b);
}

void caller_on_confirmed(struct gateway *g, const struct message *m)
{
	const struct wire_session_confirmed *w = &m->session_confirmed;
	struct caller *c = map_get(&g->by_session, w->session);
	struct native_builder b;

	if (!c || c->state != CALLER_CONFIRMING)
		return;
	if (!w->ok) {
		caller_refuse(g, c, "unconfirmed", w->text);
		return;
	}
	native_begin(&b, NATIVE_CONFIRMED, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, caller_session(c));
	end_put_frame(g, &c->client, &b);
	caller_linger(g, c);
}

void caller_timer(struct gateway *g, struct timer *t)
{
	struct caller *c = POLL_OWNER(t, struct caller, timer);

	switch ((enum caller_state)c->state) {
	case CALLER_OPENING:
		door_timer(g, c);
		break;
	case CALLER_REQUESTED:
		caller_cancel(g, c);
		break;
	case CALLER_DIALING:
		dial_failed(g, c, c->touched,
			       "the machine did not answer in time");
		break;
	case CALLER_ACCEPTING:
		dial_failed(g, c, true, "no accept in time");
		break;
	case CALLER_FLOWING:
	case CALLER_DRAINING:
		flow_timer(g, c);
		break;
	case CALLER_CONFIRMING:
		caller_refuse(g, c, "unconfirmed",
			    SLICE("no word that the machine is clean"));
		break;
	case CALLER_LINGERING:
		caller_close(g, c, true);
		break;
	case CALLER_GONE:
	case CALLER_STATES:
		break;
	}
}
