/*
 * The gateway role: client sockets on one side, machines on the other, bytes
 * between them, and the access of machines to resources.  One process, one
 * loop; it is told what to do by the engine over one SEQPACKET socket
 * (engine/wire/message.h) and goes on relaying when that engine dies, until a
 * new one adopts it over the rendezvous socket (decisions.md 4, 5).
 */
#ifndef REMUDA_GATEWAY_GATEWAY_H
#define REMUDA_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

/* Zero in a limit means its default. */
struct gateway_limits {
	int64_t opening_ms;	/* from accept to a whole request */
	int64_t half_close_ms;	/* client ended, no byte moves (decision 15) */
	int64_t machine_close_ms; /* machine ended, client sends nothing */
	int64_t drain_ms;	/* channel: DEALLOCATE to CONFIRMED */
	int64_t confirm_ms;	/* client's CONFIRM to the engine's answer */
	int64_t orphan_ms;	/* without engine and session: exit */
	int64_t stale_ms;	/* after adoption: listener not named again */
	int64_t resource_accept_ms; /* resource target's echo or connect */
	uint32_t opening_count;	/* unauthenticated connections at once */
	uint32_t per_source;	/* of them from one source (crowd.h) */
	uint32_t record_count;	/* end-of-session records without engine */
};

/* All descriptors become the gateway's.  rendezvous_fd: listening SEQPACKET
 * unix socket; key_fd: the site key's bytes, at most 4096. */
struct gateway_options {
	uint32_t index;
	uint64_t term;
	int engine_fd;
	int rendezvous_fd;
	int key_fd;
	struct gateway_limits limits;
	bool confine;		/* confine.h, before the first stranger */
	bool starter;		/* of ssh processes: `remuda role ssh-starter` */
};

/* Runs until told to stop; returns the process's exit code. */
int gateway_run(const struct gateway_options *o);

#endif
