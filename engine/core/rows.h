/*
 * Rows: what the core has saved and finds again after a crash.  The core's
 * objects embed their row; db/ stores and loads rows and nothing else, so what
 * is durable is exactly what stands in this file.
 *
 * Wall times are milliseconds since 1970 UTC (0 = not yet) and are for people,
 * the ledger and the calendar; decisions use boot time, which is never saved.
 */
#ifndef REMUDA_CORE_ROWS_H
#define REMUDA_CORE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ROW_NAME_SIZE = 64,	/* names, with NUL */
	ROW_USER_SIZE = 64,
	ROW_VERSION_SIZE = 33,
	ROW_UUID_SIZE = 37,
	ROW_KEY_SIZE = 80,	/* request ids */
	ROW_TEXT_SIZE = 200,	/* reasons, for people */
	ROW_PEER_SIZE = 64,
	ROW_VOLUME_SIZE = 128,	/* name of a volume */
	ROW_PATH_SIZE = 1024,
	ROW_STAMP_SIZE = 64,
	ROW_IMAGE_SIZE = 128,	/* what an image is bound to, for people */
	ROW_PAIRS_SIZE = 4096,
};

/* decisions.md 10.  The table with edges and meanings is in machine.c. */
enum machine_state {
	MACHINE_DEFINED,
	MACHINE_BOOTING,
	MACHINE_PREPARING,
	MACHINE_READY,
	MACHINE_SAVING,
	MACHINE_SAVED,
	MACHINE_WAKING,
	MACHINE_RESERVED,
	MACHINE_IN_SESSION,
	MACHINE_CLEANING,
	MACHINE_HELD,
	MACHINE_QUARANTINED,
	MACHINE_RETIRING,
	MACHINE_GONE,
	MACHINE_STATES
};

/* What is wanted of a machine, beside what is true (its state). */
enum machine_wish {
	WISH_RUN,
	WISH_HOLD,	/* out of the pool for debugging, after its session */
	WISH_RETIRE,	/* drain, then destroy */
};

/* How a machine becomes clean; rows name the rung being climbed. */
enum rung { RUNG_CLEAN, RUNG_REVERT, RUNG_REBUILD, RUNG_NONE };

/* A machine's part in its cluster (node.c). */
enum node_state {
	NODE_NONE,	/* not a node, or not yet */
	NODE_CHECKED,	/* gateways look at its health, no transaction goes there */
	NODE_SERVING,
	NODE_DRAINING,	/* no new transactions */
	NODE_STATES
};

/* A machine's image on disk (image.c). */
enum machine_image {
	IMAGE_NONE,
	IMAGE_DOUBT,	/* files of it may be there; never to be restored */
	IMAGE_MADE,
};

struct machine_row {
	uint64_t id;
	char name[ROW_NAME_SIZE];	/* pool and slot: mail-07 */
	char pool[ROW_NAME_SIZE];
	char host[ROW_NAME_SIZE];
	char uuid[ROW_UUID_SIZE];	/* stable for the slot */
	uint32_t slot;			/* from 1, unique in the pool */
	uint64_t incarnation;		/* grows with each cleaning and waking */
	/* The incarnation its domain was made at; one ahead of incarnation from
	 * the order to restore an image until that is proven. */
	uint64_t built;
	int state;			/* enum machine_state */
	int wish;			/* enum machine_wish */
	int rung;			/* while cleaning: enum rung */
	bool dirty;
	uint64_t session;		/* live or being cleaned after; 0 = none */
	uint32_t failures;		/* in a row */
	char reason[ROW_TEXT_SIZE];	/* why it is in this state */
	int64_t since_wall_ms;		/* in this state */
	int64_t created_wall_ms;	/* our recorded create result; 0 = off */
	int64_t boot_ms;		/* create to agent, last time */
	int64_t prepare_ms;
	int64_t clean_ms;
	uint64_t sessions;		/* served so far */
	/* Of what its domain was made: site_pool.version then; "" = unknown. */
	char version[ROW_VERSION_SIZE];
	int image;			/* enum machine_image, of that domain */
	uint64_t image_built;		/* built of the domain it was made of */
	char image_key[ROW_IMAGE_SIZE];	/* QEMU, machine type, processor */
	/* What its domain has, and the next one gets. */
	uint32_t vcpus;
	uint64_t memory_mib;
	int node;			/* enum node_state */
	uint64_t change;		/* that made it or takes it away; 0 = none */
	uint64_t ledger;		/* id of its open interval, 0 = none */
};

enum volume_kind {
	VOLUME_DISK,		/* of the machine's build, on the pool's base */
	VOLUME_SEED,		/* cloud-init data */
	VOLUME_NVRAM,		/* its firmware's variables */
	VOLUME_SESSION,		/* overlay of one incarnation on a DISK */
	VOLUME_RAM,		/* RAM image */
	VOLUME_KINDS
};

/*
 * A file of ours in the storage pool of a host.  Saved before it is made, with
 * inode 0 and no key; deleted only by what its row says, and the row goes
 * after the file (decisions.md 28).
 */
struct volume_row {
	char name[ROW_VOLUME_SIZE];	/* unique in the site: volume.c */
	uint64_t machine;
	char host[ROW_NAME_SIZE];
	char pool[ROW_NAME_SIZE + 16];	/* libvirt's: remuda-SITE */
	int kind;			/* enum volume_kind */
	char key[ROW_PATH_SIZE];	/* libvirt's: its path */
	uint64_t inode;			/* 0: intended, perhaps not made */
	char base[ROW_STAMP_SIZE];	/* stamp of what it was made from */
	int64_t intended_wall_ms;
};

enum session_state {
	SESSION_ASSIGNED,	/* durable; the machine has not accepted yet */
	SESSION_ACTIVE,		/* accepted, bytes may flow */
	SESSION_CLOSED,		/* final: ended in order */
	SESSION_LOST,		/* final: client, machine or gateway vanished */
	SESSION_FAILED,		/* final: the machine never accepted */
	SESSION_STATES
};

struct session_row {
	uint64_t id;
	uint64_t machine;
	uint64_t incarnation;		/* (machine, incarnation) is the epoch */
	uint64_t nonce;
	char machine_name[ROW_NAME_SIZE];
	char pool[ROW_NAME_SIZE];
	char user[ROW_USER_SIZE];	/* = the alternate user */
	char application[ROW_NAME_SIZE];
	char listener[ROW_NAME_SIZE];
	char peer[ROW_PEER_SIZE];	/* where the client is */
	char request_key[ROW_KEY_SIZE];	/* client's request id, or "" */
	char ticket[65];		/* hash of the one not used yet, or "" */
	uint32_t gateway;
	uint64_t conn;			/* of that gateway */
	int state;			/* enum session_state */
	int64_t requested_wall_ms;
	int64_t assigned_wall_ms;
	int64_t accepted_wall_ms;
	int64_t ended_wall_ms;
	int64_t wait_ms;		/* request to assign */
	int64_t accept_ms;		/* assign to accept */
	int64_t clean_ms;		/* end to confirmed clean; -1 = not clean */
	int64_t cleaned_wall_ms;
	uint64_t bytes_in;		/* client to machine, in all */
	uint64_t bytes_out;
	int64_t ends_wall_ms;		/* by its longest time; 0 = never */
	int64_t extended_ms;		/* taken by the user himself so far */
	int64_t lingers_wall_ms;	/* without a connection until; 0 = has one */
	uint64_t past_in, past_out;	/* bytes of connections before this */
	uint32_t connections;		/* it has had so far, with those it has */
	char end_text[ROW_TEXT_SIZE];
};

/*
 * A further connection of a session (join.c).  Gateways know it as a session of
 * its own: its id is of the same counter.  The row goes with the connection;
 * what that moved is in its session's past_in and past_out then.
 */
struct join_row {
	uint64_t id;
	uint64_t session;
	uint32_t gateway;
	uint64_t conn;			/* of that gateway */
	char listener[ROW_NAME_SIZE];
	char peer[ROW_PEER_SIZE];
	int64_t joined_wall_ms;
};

enum request_state {
	REQUEST_WAITING,
	REQUEST_ASSIGNED,	/* final: became session */
	REQUEST_REFUSED,	/* final */
	REQUEST_CANCELLED,	/* final: the client went away */
	REQUEST_STATES
};

/* Saved when final and it waited, was refused or cancelled. */
struct request_row {
	uint64_t id;
	char user[ROW_USER_SIZE];
	char application[ROW_NAME_SIZE];
	char listener[ROW_NAME_SIZE];
	char peer[ROW_PEER_SIZE];
	char request_key[ROW_KEY_SIZE];
	int state;
	uint64_t session;		/* when assigned */
	int64_t requested_wall_ms;
	int64_t decided_wall_ms;
	int64_t wait_ms;
	char code[32];			/* refusal code, closed list in queue.c */
	char text[ROW_TEXT_SIZE];
};

enum severity { SEVERITY_INFO, SEVERITY_WARN, SEVERITY_FAIL };

/* One line of history, with its reason. */
struct event_row {
	uint64_t id;
	int64_t wall_ms;
	int severity;
	char kind[16];			/* "ASSIGN", "CLEAN", "FAIL" ... */
	char object[ROW_NAME_SIZE + 16];	/* "machine/mail-07" */
	char text[ROW_TEXT_SIZE];
};

/* A run-time change over the site file (decisions.md 27). */
struct override_row {
	char key[ROW_NAME_SIZE * 2];	/* "pool/mail/serve" */
	int64_t value;
	char who[ROW_USER_SIZE];
	int64_t wall_ms;
};

/* What a cluster is to have now: decided, durable, and kept over a restart. */
struct cluster_row {
	char name[ROW_NAME_SIZE];
	uint32_t nodes, vcpus;
	uint64_t memory_mib;
	/* The operator's own, over calendar and rules; 0 = not said. */
	uint32_t pin_nodes, pin_vcpus;
	uint64_t pin_memory_mib;
	char pin_who[ROW_USER_SIZE];
	int64_t pin_wall_ms;
	bool paused;			/* rules and calendar change nothing */
	int64_t grown_wall_ms, shrunk_wall_ms;	/* last changes, for cool-downs */
	/* Transactions since the cluster began (spec 3.3). */
	uint64_t transactions, replayed, failed, reset;
};

enum change_kind { CHANGE_RESIZE, CHANGE_REPLACE, CHANGE_MOVE, CHANGE_KINDS };
enum change_state {
	CHANGE_RUNNING,
	CHANGE_UNDOING,		/* a step failed, or it was cancelled */
	CHANGE_DONE,		/* final */
	CHANGE_FAILED,		/* final: everything is as before */
	CHANGE_CANCELLED,	/* final: likewise */
	CHANGE_STATES
};
/* Steps of one change, in order; each pair of nodes goes through them. */
enum change_step {
	STEP_PLACE,	/* a host for each new node */
	STEP_CREATE,	/* domains made, booted, prepared */
	STEP_CHECK,	/* healthy by the gateways' checks */
	STEP_JOIN,	/* in rotation */
	STEP_TRANSFER,	/* transactions leave the old by the strategy */
	STEP_VERIFY,	/* the new still are healthy and serve */
	STEP_FREE,	/* the old are destroyed; the ledger has both */
	STEP_END,
	CHANGE_STEPS
};

enum { CHANGE_PAIRS_MAX = 64 };

/* One operation on a cluster's nodes (change.c). */
struct change_row {
	uint64_t id;
	char cluster[ROW_NAME_SIZE];
	int kind;			/* enum change_kind */
	int state;			/* enum change_state */
	int step;			/* enum change_step */
	int strategy;			/* enum site_strategy */
	uint64_t decision;		/* why: its row */
	uint32_t from_nodes, from_vcpus, to_nodes, to_vcpus;
	uint64_t from_memory_mib, to_memory_mib;
	char who[ROW_USER_SIZE];	/* operator, "rule NAME", "calendar", "engine" */
	int64_t started_wall_ms, step_wall_ms, ended_wall_ms;
	/* Who takes over from whom: "payroll-01>payroll-03 >payroll-04 payroll-02>";
	 * "payroll-01=payroll-01": it stays and is changed. */
	char pairs[ROW_PAIRS_SIZE];
	char text[ROW_TEXT_SIZE];	/* what it waits for, or how it ended */
};

enum decision_outcome {
	DECISION_KEPT,		/* nothing to change */
	DECISION_CHANGED,	/* change says which */
	DECISION_HELD_BACK,	/* cool-down, limit, a change under way: text says */
	DECISION_FAILED,	/* the rule did not answer, or wished nonsense */
	DECISION_DRY,		/* asked for without doing it */
	DECISION_OUTCOMES
};

/* Why a cluster or a pool has the size it has: stored, never computed again. */
struct decision_row {
	uint64_t id;
	int64_t wall_ms;
	char object[ROW_NAME_SIZE + 16];	/* "cluster/payroll", "pool/mail" */
	char source[ROW_NAME_SIZE + 16];	/* "rule/load", "calendar", "operator/ops1" */
	char version[ROW_VERSION_SIZE];	/* of the rule's function */
	char inputs[ROW_PATH_SIZE];	/* "nodes=2 cpu=87 ...": see policy.h */
	char wish[ROW_NAME_SIZE];	/* "nodes=3" */
	int outcome;			/* enum decision_outcome */
	uint64_t change;		/* 0 = none */
	char text[ROW_TEXT_SIZE];	/* the reason, for people */
};

/* An interval in which a machine's domain had that size on that host (S10). */
struct ledger_row {
	uint64_t id;
	uint64_t machine;
	char machine_name[ROW_NAME_SIZE];
	char pool[ROW_NAME_SIZE];	/* also the cluster's name, when cluster */
	char application[ROW_NAME_SIZE];
	char host[ROW_NAME_SIZE];
	bool cluster;
	uint32_t vcpus;
	uint64_t memory_mib;
	int64_t start_wall_ms;		/* our recorded create result */
	int64_t end_wall_ms;		/* observed end; 0 = still open */
	/* Its length on the boot clock, or what wall times say after a restart. */
	int64_t length_ms;
	bool estimated;			/* nobody saw its end when it was */
};

/* A token made while the engine runs.  A spent one stays spent. */
struct token_row {
	char hash[65];			/* SHA-256 in hex; its first digits name it */
	char user[ROW_USER_SIZE];
	char application[ROW_NAME_SIZE];	/* "" = every one the user may have */
	bool once;
	char who[ROW_USER_SIZE];	/* made it */
	int64_t created_wall_ms;
	int64_t expires_wall_ms;	/* 0 = never */
	int64_t used_wall_ms;		/* once: its session was saved */
};

#endif
