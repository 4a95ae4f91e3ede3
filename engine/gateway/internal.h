/*
 * What the gateway's files share: the process's state and who reacts to what.
 * Not for other modules; they include gateway.h.
 */
#ifndef REMUDA_GATEWAY_INTERNAL_H
#define REMUDA_GATEWAY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/base/list.h"
#include "engine/base/map.h"
#include "engine/base/network.h"
#include "engine/base/text.h"
#include "engine/gateway/crowd.h"
#include "engine/gateway/door.h"
#include "engine/gateway/end.h"
#include "engine/gateway/gateway.h"
#include "engine/gateway/poll.h"
#include "engine/gateway/relay.h"
#include "engine/gateway/ssh_link.h"
#include "engine/gateway/tls.h"
#include "engine/wire/message.h"

enum {
	NAME_MAX_BYTES = 64,	/* listeners, applications, resources */
	USER_MAX = 256,
	SECRET_MAX = 1024,
	REQUEST_ID_MAX = 128,
	TICKET_MAX = 64,
	KEY_MAX = 4096,
	CANDIDATES_MAX = 8,
};

/* ---- listener.c: front doors ----------------------------------------- */

struct listener {
	struct grave grave;
	struct watch watch;
	struct list link;		/* gateway.listeners; off when gone */
	uint64_t id;			/* the present engine's */
	char name[NAME_MAX_BYTES];
	const struct door *door;	/* NULL: */
	uint8_t inner;			/* WIRE_DOOR_RESOURCE, _IDENT, _CLUSTER */
	struct cluster *cluster;	/* of a _CLUSTER; NULL: not known (yet) */
	enum wire_user_source user_source;
	char user[USER_MAX];
	char application[NAME_MAX_BYTES];
	bool tcp;
	bool open;			/* the present engine named it */
	bool starved;			/* out of descriptors: timer re-arms */
	bool wildcard;			/* bound to any address */
	bool gone;			/* closed for good; conns may remain */
	struct sockaddr_storage bound;
	int64_t opening_ms;		/* from accept to a whole request */
	uint32_t per_source;		/* of them from one source at once */
	bool tls;			/* closed until tls_context is there */
	bool tls_told;
	struct ssl_ctx_st *tls_context;
	uint32_t opening;		/* callers of it in the crowd */
	/* Since the gateway began: said no by the engine; by the door, before
	 * a request was whole; made room for others. */
	uint64_t refused, turned_away, evicted;
	uint64_t told;			/* their sum when the engine was told */
	char *ssh_key;			/* closed until it is there */
	struct network *proxies;
	size_t proxy_count;
	uint32_t refs;			/* conns that name it */
	struct timer timer;
};

void listener_on_message(struct gateway *g, struct message *m);
void listener_on_unlisten(struct gateway *g, uint64_t id);
/* The engine is gone: connections wait in the kernel. */
void listener_pause_all(struct gateway *g);
/* Draining or ending: takes what has arrived (drain), then closes. */
void listener_stop_all(struct gateway *g);
void listener_close_all(struct gateway *g);
/* The listener of that name, or NULL. */
struct listener *listener_named(struct gateway *g, struct slice name);
/* Something changed that decides whether it accepts. */
/* Once a second: what the engine does not know yet. */
void listener_report_all(struct gateway *g);
void listener_forget_ssh_key(struct listener *l);
void listener_rearm(struct gateway *g, struct listener *l);
void listener_unref(struct gateway *g, struct listener *l);
/* Some seconds after an adoption: what nobody named again is closed. */
void listener_close_stale(struct gateway *g);
/* The address of ours a client (fd) of it came to; false: it has none. */
bool listener_address(const struct listener *l, int fd,
		      struct sockaddr_storage *out);
/* A cluster came or goes: its doors accept, or wait for it. */
void listener_on_cluster(struct gateway *g, struct cluster *c, bool comes);

/* ---- caller.c: a client's connection --------------------------------- */

enum caller_state {
	CALLER_OPENING, CALLER_REQUESTED, CALLER_DIALING, CALLER_ACCEPTING, CALLER_FLOWING,
	CALLER_DRAINING, CALLER_CONFIRMING, CALLER_LINGERING, CALLER_GONE, CALLER_STATES
};

/* What a client asked for; kept until the engine has answered. */
struct asking {
	char application[NAME_MAX_BYTES];
	char user[USER_MAX];
	char request_id[REQUEST_ID_MAX];
	int64_t wait_ms;
	uint32_t count;
	bool tickets;		/* count machines, by tickets */
	char ticket[TICKET_MAX];	/* CONNECT: shown instead of asking */
	uint32_t secret_length;
	uint8_t secret[SECRET_MAX];
};

/* Bytes to write once the machine accepted. */
struct greeting {
	size_t length;
	uint8_t bytes[];
};

struct caller {
	struct grave grave;
	struct caller *next_free;
	struct list link;		/* gateway.conns */
	struct list changed;		/* gateway.changed */
	struct list flowing;		/* gateway.flowing */
	uint64_t id;
	int state;			/* enum caller_state */
	const struct door *door;
	struct listener *listener;
	struct opening *opening;	/* until it has asked */
	struct ssh_link *ssh;		/* it came by, or NULL */
	struct list of_ssh;		/* its channels */
	struct end client, machine;
	struct relay relay;
	struct timer timer;
	int64_t opened_ms, assigned_ms;
	struct sockaddr_storage peer;	/* unix: family only */
	uint32_t peer_uid;
	int32_t peer_pid;
	struct asking *asking;		/* until answered; direct has none */
	bool requested;			/* the present engine has the request */
	bool client_fin;		/* raw: closed, said nothing */
	uint64_t taken;			/* refused: the session its id has */
	/* The session, 0 when there is none. */
	uint64_t session, machine_id, incarnation, nonce;
	uint64_t of;			/* the one it shares with others, or 0 */
	enum wire_endpoint endpoint;
	bool accepted;
	bool touched;			/* a byte may have reached the machine */
	bool hardened;			/* keepalive set on the machine's side */
	bool deallocated, confirm;	/* native: client said so */
	bool drained;
	int64_t half_close_ms;
	uint64_t reported;		/* sum of bytes the engine knows */
	enum wire_end how;
	size_t skipped;			/* bytes before the echo */
	struct greeting *greeting;	/* for when the machine accepted */
	char why[160];
};

/* The session as machine and client know it. */
static inline uint64_t caller_session(const struct caller *c)
{
	return c->of ? c->of : c->session;
}
const char *caller_name(char out[32], const struct caller *c);
void caller_move(struct caller *c, enum caller_state to);
/* A client that came through l; takes fd. */
void caller_new(struct gateway *g, struct listener *l, int fd,
	      const struct sockaddr_storage *peer);
/* The same without a word to the door: no state, no peer; NULL when it cannot
 * be watched. */
struct caller *caller_make(struct gateway *g, struct listener *l, int fd);
/* Asks the engine for a machine, again after an adoption. */
void caller_request(struct gateway *g, struct caller *c);
void caller_on_assign(struct gateway *g, struct message *m);
void caller_on_refuse(struct gateway *g, const struct message *m);
/* One of the tickets it asked for; the last ends its connection. */
void caller_on_ticket(struct gateway *g, const struct message *m);
void caller_on_waiting(struct gateway *g, const struct message *m);
void caller_on_stop(struct gateway *g, const struct message *m);
void caller_on_notice(struct gateway *g, const struct message *m);
void caller_on_confirmed(struct gateway *g, const struct message *m);
/* The client went away before it had a session. */
void caller_cancel(struct gateway *g, struct caller *c);
/* Tells the client why where its door can, closes without a reset. */
void caller_refuse(struct gateway *g, struct caller *c, const char *code,
		 struct slice text);
void caller_linger(struct gateway *g, struct caller *c);
/* Its session has ended here, or never was. */
void caller_forget_session(struct gateway *g, const struct caller *c);
void caller_close(struct gateway *g, struct caller *c, bool abort);
void caller_forget_asking(struct caller *c);
/* Answers by state to what its one timer means. */
void caller_timer(struct gateway *g, struct timer *t);

/* ---- dial.c: the way to the machine, until it accepted --------------- */

void dial_open(struct gateway *g, struct caller *c, struct message *m);
void dial_ready(struct gateway *g, struct watch *w, uint32_t events);
/* The machine did not accept: back to waiting for the engine's word. */
void dial_failed(struct gateway *g, struct caller *c, bool touched,
		    const char *text);
/* "1.2.3.4:25" or "[::1]:25"; length of the address, 0 when it is none. */
socklen_t dial_parse(struct slice text, struct sockaddr_storage *out);
/* Starts a connect; a descriptor, with *done when it is already there. */
int dial_connect(const struct sockaddr_storage *to, socklen_t length,
		 bool *done);
/* The same from an address of ours (length 0: any). */
int dial_connect_from(const struct sockaddr_storage *from, socklen_t from_length,
		      const struct sockaddr_storage *to, socklen_t length,
		      bool *done);
socklen_t dial_parse_unix(struct slice path, struct sockaddr_storage *out);
void dial_any_port(struct sockaddr_storage *a);
/* What epoll says of a connect under way: DIAL_PENDING, 0 when it stands and
 * all that was put before is written, or an errno. */
enum { DIAL_PENDING = -1 };
int dial_outcome(struct gateway *g, struct end *e, uint32_t events);

enum accept_result { ACCEPT_MORE, ACCEPT_ECHOED, ACCEPT_REFUSED, ACCEPT_BROKEN };
/* Reads a channel up to the echo of (session, nonce); forgets what is before.
 * text: why, when refused or broken. */
enum accept_result dial_hunt(struct gateway *g, struct end *e,
				uint64_t session, uint64_t nonce,
				size_t *skipped, char *text, size_t text_size);

/* ---- flow.c: flowing, and how it ends -------------------------------- */

void flow_start(struct gateway *g, struct caller *c);
void flow_over(struct gateway *g, struct caller *c, enum wire_end how,
		    const char *text);
/* Half-close and drain deadlines. */
void flow_timer(struct gateway *g, struct caller *c);
void flow_report(struct gateway *g, const struct caller *c);
/* Tells the engine its byte counts, if it listens. */
void flow_tell_bytes(struct gateway *g, struct caller *c);
/* Once a second: byte counts, keepalive, dead peers. */
void flow_tick(struct gateway *g, int64_t second);
void flow_keepalive(int fd);
/* True when the peer of a TCP end has been silent too long; to be asked every
 * FLOW_SWEEPS seconds. */
enum { FLOW_SWEEPS = 5 };
bool flow_silent(const struct gateway *g, struct end *e);

/* ---- native_door.c: frames before and after the flow ----------------- */

/* Control frames while the session flows or drains (relay_ops.frame). */
bool native_door_frame(struct gateway *g, struct relay *r, int from,
		  const struct native_header *h, const uint8_t *payload);
void native_door_error(struct gateway *g, struct end *e, const char *code,
		  struct slice text, const uint64_t *nonce);

/* ---- link.c, adopt.c: the engine ------------------------------------- */

/* durable: kept for the next engine when this one goes. */
void engine_link_send(struct gateway *g, const struct message *m, bool durable);
void link_flush(struct gateway *g);
/* The engine has them: records up to that number. */
void link_on_stored(struct gateway *g, uint64_t record);
void engine_link_open(struct gateway *g, int fd, bool fresh);
void link_ready(struct gateway *g, struct watch *w, uint32_t events);
void link_lost(struct gateway *g, const char *why);
bool link_up(const struct gateway *g);
void engine_link_fini(struct gateway *g);
int adopt_init(struct gateway *g, int rendezvous_fd, int key_fd);
void adopt_fini(struct gateway *g);

/* ---- target.c, port.c, visitor.c, ident.c: machines asking for resources -- */

void port_on_message(struct gateway *g, struct message *m);
void port_on_close(struct gateway *g, uint64_t machine, uint64_t session);
void target_on_message(struct gateway *g, struct message *m);
void port_close_all(struct gateway *g);
void port_report_all(struct gateway *g);
/* A connection at a door of a resource, or of the ident service; takes fd. */
void visitor_new(struct gateway *g, struct listener *l, int fd,
		 const struct sockaddr_storage *peer);
void ident_new(struct gateway *g, int fd, const struct sockaddr_storage *peer);
void ident_close_all(struct gateway *g);
void target_close_all(struct gateway *g);

/* ---- cluster.c, transaction.c: clusters, their nodes, their clients ------ */

struct cluster;
struct transaction;

/* What a gateway has of clusters (cluster.h). */
struct clusters {
	struct list all;		/* struct cluster */
	uint32_t count;
	struct map nodes;		/* machine -> struct node */
	uint32_t open;			/* clients of all of them */
	struct list leaving;		/* clients that are in none any more */
	struct list silent;		/* clients that said nothing, oldest first */
	struct transaction *unused;
};

void cluster_table_init(struct gateway *g);
/* False: not a message about them. */
bool cluster_table_on_message(struct gateway *g, const struct message *m);
struct cluster *cluster_named(struct gateway *g, struct slice name);
/* Is there a node left for whose sake a gateway without engine stays? */
bool cluster_table_serve(const struct gateway *g);
/* Once a second: counts, dead peers, what the engine does not know yet. */
void cluster_table_tick(struct gateway *g, int64_t second);
/* The engine is gone; the next one names again what it knows, and what it does
 * not name is dropped some seconds later. */
void cluster_table_forget_engine(struct gateway *g);
void cluster_table_drop_stale(struct gateway *g);
void cluster_table_close_all(struct gateway *g);
/* After the last grave. */
void cluster_table_fini(struct gateway *g);
/* A client that came through a cluster's listener; takes fd. */
void transaction_new(struct gateway *g, struct listener *l, int fd,
		     const struct sockaddr_storage *peer);
/* Cuts the oldest client that has said nothing for a second; false: none has. */
bool transaction_evict(struct gateway *g);

/* ---- gateway.c ------------------------------------------------------- */

void gateway_on_message(struct gateway *g, struct message *m);

struct gateway {
	struct poll poll;
	struct gateway_limits limits;
	uint32_t index;
	uint64_t term;
	uint8_t key[KEY_MAX];
	size_t key_length;
	bool stopping, draining;
	/* engine */
	struct watch engine;		/* fd -1: none */
	bool engine_full;		/* wait for EPOLLOUT */
	struct list queue;		/* struct parcel */
	struct list sent;		/* records the engine has not stored yet */
	uint64_t next_record;
	uint32_t queued, durable_queued;
	uint64_t records_lost;
	struct watch rendezvous;
	struct list candidates;
	uint32_t candidate_count;
	struct timer orphan, stale;
	uint32_t orphan_rounds;
	/* clients */
	struct list listeners;
	struct list conns;
	uint32_t conn_count, conn_limit;
	struct map by_conn, by_session;
	struct crowd crowd;
	struct list changed, flowing;
	struct list run;		/* struct relay */
	uint64_t next_conn;
	struct caller *free_conns;
	struct list ssh_links;
	uint32_t ssh_link_count;
	uint64_t ssh_link_number;	/* of the last one */
	uint64_t build;			/* build_number() */
	struct watch starter;		/* of their processes */
	struct timer second;
	int64_t seconds;
	/* resources */
	struct map seats;		/* machine -> its ports (port.c) */
	struct list targets;
	struct map guests;		/* hash of address -> ports (visitor.c) */
	struct list askers;		/* ident.c */
	uint32_t asker_count;
	uint64_t next_exchange;
	struct clusters clusters;
	struct stores stores;
	struct wire_buffer packet;
};

#endif
