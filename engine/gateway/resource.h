/*
 * Machines asking for resources (decisions.md 20).  A port is a machine's way
 * to one resource for the time of one session: its virtio-serial port, or the
 * address it comes from; a target is where the resource is served; an exchange
 * is one connection of a port's guest to the target.
 *
 * Who asks is known from the port's binding, which the engine made; nothing a
 * guest says about a user is believed or even read.
 */
#ifndef REMUDA_GATEWAY_RESOURCE_H
#define REMUDA_GATEWAY_RESOURCE_H

#include "engine/gateway/internal.h"

enum {
	PEER_MAX = 64,		/* "[address]:port" */
	VISITORS_MAX = 256,	/* connections of one address to one resource */
};

struct exchange;

enum port_kind {
	PORT_CHANNEL,		/* framed, one exchange after the other */
	PORT_ADDRESS,		/* no stream: lets visitors in */
	PORT_VISITOR,		/* one tcp connection from a PORT_ADDRESS */
};

struct port {
	struct grave grave;
	struct list link;		/* the ports of that machine */
	enum port_kind kind;
	struct end end;			/* raw: VISITOR; closed: ADDRESS */
	uint64_t machine_id, session, incarnation;
	char resource[NAME_MAX_BYTES];
	char user[USER_MAX];
	bool allowed;
	bool pumping;
	uint64_t nonce;			/* of the guest's open CONNECT */
	struct exchange *exchange;
	size_t skipped;			/* bytes that made no sense */
	struct sockaddr_storage address; /* ADDRESS; VISITOR: with its port */
	struct sockaddr_storage door;	/* VISITOR: where it came in */
	struct port *same;		/* ADDRESS: next of the same hash */
	struct port *home;		/* VISITOR: its ADDRESS */
	uint32_t visitors;		/* ADDRESS */
	bool failed;			/* VISITOR: ends by a reset */
};

struct target {
	struct grave grave;
	struct list link;		/* gateway.targets */
	char resource[NAME_MAX_BYTES];
	uint64_t machine_id, incarnation;
	enum wire_endpoint endpoint;
	enum wire_identity identity;
	struct sockaddr_storage address, source;
	socklen_t address_length, source_length;
	struct end end;			/* channel */
	struct exchange *current;	/* channel: one at a time */
	struct list exchanges;		/* tcp, unix: all of them */
	struct list waiting;		/* channel: in order of asking */
};

enum exchange_state {
	EXCHANGE_WAITING,	/* for its turn on the channel */
	EXCHANGE_DIALING,	/* connect */
	EXCHANGE_ACCEPTING,	/* channel: the target's echo */
	EXCHANGE_FLOWING,
	EXCHANGE_DRAINING,	/* channel: the target's CONFIRMED; no port */
	EXCHANGE_GONE,
	EXCHANGE_STATES
};

struct exchange {
	struct grave grave;
	struct list link;		/* target.waiting or target.exchanges */
	int state;			/* enum exchange_state */
	struct port *port;		/* NULL once the guest's part is over */
	struct target *target;
	uint64_t id, nonce;		/* the pair on the target's channel */
	struct end dialed;		/* tcp, unix */
	struct sockaddr_storage own;	/* our side of dialed */
	struct end *serving;		/* &dialed or &target->end */
	struct relay relay;
	struct timer timer;
	size_t skipped;
	bool aborted;			/* the guest gave up */
	bool cut;			/* not by an orderly end */
	bool drained;
	char why[160];
};

/* port.c */
void port_pump(struct gateway *g, struct port *p);
void port_accepted(struct gateway *g, struct port *p);
/* The guest's part of an exchange is over: ready for the next CONNECT. */
void port_release(struct gateway *g, struct port *p);
void port_error(struct gateway *g, struct port *p, const char *code,
		const char *text);
void port_confirm(struct gateway *g, struct port *p, uint64_t nonce);
void port_free(struct gateway *g, struct port *p);
/* One of the visitors a PORT_ADDRESS let in, or NULL. */
struct port *port_visitor_of(struct gateway *g, const struct port *home);
/* A visitor's stream: takes its seat beside its machine's ports; -1: errno. */
int port_visit(struct gateway *g, struct port *p, int fd);
/* exchange: 0 when none began. */
void port_report(struct gateway *g, const struct port *p, uint64_t exchange,
		 bool allowed, const uint64_t bytes[2], const char *text);

/* visitor.c */
/* The address may be that of only one port (ADDRESS); 0, or -1 with a log. */
int visitor_bind(struct gateway *g, struct port *p, struct slice address);
void visitor_unbind(struct gateway *g, struct port *p);
/* "1.2.3.4:25", "[::1]:25" or "". */
void visitor_name(char out[PEER_MAX], const struct sockaddr_storage *a);
/* Same host; the ports are not compared. */
bool visitor_same_host(const struct sockaddr_storage *a,
		       const struct sockaddr_storage *b);
uint16_t visitor_port(const struct sockaddr_storage *a);

/* exchange.c */
/* An allowed CONNECT: finds, queues or dials; may answer at once. */
void exchange_begin(struct gateway *g, struct port *p);
/* Ends it; code NULL: orderly or the guest's own wish, else ERROR(code, text)
 * goes to the guest.  The guest's port is free afterwards. */
void exchange_end(struct gateway *g, struct exchange *x, const char *code,
		  const char *text);
void exchange_move(struct exchange *x, enum exchange_state to);
/* Connects to a tcp or unix target. */
void exchange_dial(struct gateway *g, struct exchange *x);
/* The target has accepted. */
void exchange_flow(struct gateway *g, struct exchange *x);
void exchange_free(struct gateway *g, struct exchange *x);
/* Tells the engine that it is open. */
void exchange_announce(struct gateway *g, const struct exchange *x);

/* target.c */
struct target *target_find(struct gateway *g, const char *resource);
/* Gives the channel to the first that waits, if it is free. */
void target_next(struct gateway *g, struct target *t);
/* The channel cannot be trusted, or is closed. */
void target_lost(struct gateway *g, struct target *t, const char *why);

#endif
