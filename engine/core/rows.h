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
	char end_text[ROW_TEXT_SIZE];
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
