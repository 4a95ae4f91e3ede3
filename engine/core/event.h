/*
 * Events: everything that may change the core's mind.  Each carries the boot
 * time it is stepped at (decisions) and the wall time (rows, people); random
 * values enter as fields.  Texts and bytes are borrowed for the step.
 */
#ifndef REMUDA_CORE_EVENT_H
#define REMUDA_CORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/text.h"
#include "engine/core/rows.h"
#include "engine/core/spec.h"

enum event_kind {
	EVENT_TICK,		/* a deadline of world_next_deadline passed */
	EVENT_SITE,		/* a checked site file is to be applied */
	EVENT_COMMAND,		/* an operator's wish; answered by EFFECT_REPLY */
	EVENT_HOST_STATE,	/* the hypervisor role says how its host is */
	EVENT_HOST_LOST,	/* the role died: outcomes of its calls unknown */
	EVENT_CALL_DONE,	/* answer to an act */
	EVENT_DOMAIN_SEEN,	/* one domain of a poll */
	EVENT_VOLUME_MADE,	/* a volume that was intended is there */
	EVENT_DOMAIN_HINT,	/* libvirt or a pidfd says something changed */
	EVENT_HOOK_STEP,	/* a running hook wants something done */
	EVENT_HOOK_DONE,
	EVENT_HOOK_LOST,
	EVENT_RULES_LOST,	/* the rules role died with all its hooks */
	EVENT_GATEWAY_UP,
	EVENT_GATEWAY_SESSION,	/* an adopted gateway holds this session */
	EVENT_GATEWAY_READY,	/* end of that list */
	EVENT_GATEWAY_LOST,	/* the gateway died with its connections */
	EVENT_REQUEST,		/* an authenticated user asks for an application */
	EVENT_REFUSED,		/* authentication failed: history only */
	EVENT_CLAIM,		/* somebody shows a ticket */
	EVENT_CANCEL,		/* the client of a waiting request went away */
	EVENT_ACCEPTED,
	EVENT_FAILED,		/* the machine did not accept */
	EVENT_ENDED,
	EVENT_BYTES,
	EVENT_EXTEND,		/* the user asks for more time */
	EVENT_RESOURCE_USED,	/* a connection ended, or was refused */
	EVENT_RESOURCE_LOST,	/* where it is served: its channel broke */
	EVENT_RESOURCE_OPENED,
	EVENT_RESOURCE_CLOSED,	/* answer to EFFECT_RESOURCE_CLOSE */
	EVENT_RESOURCE_HELD,	/* an adopted gateway has this way */
	EVENT_NOTICE,		/* something an operator should know */
	EVENT_NODE_STATE,	/* what a gateway's checks say of a node */
	EVENT_NODE_COUNT,	/* its transactions at one gateway */
	EVENT_NODE_CUT,		/* what one gateway cut of them when it had drained */
	EVENT_CLUSTER_COUNT,	/* a cluster's, at one gateway */
	EVENT_STATS,		/* what one machine uses */
	EVENT_RULE_DONE,	/* a rule wishes, or failed */
	EVENT_VIP,		/* the net role has or has not the address */
	EVENT_KINDS
};

/* Machines a request is given one after the other until one accepts. */
enum { ASSIGN_TRIES = 3 };

/* What a session with a ticket needs: fresh random, for one session each. */
enum { TICKET_SIZE = 48, COUNT_MAX = 100, TICKET_MS = 30000 };
struct grant {
	uint64_t nonce;
	char ticket[TICKET_SIZE];	/* told to the client */
	char hash[65];			/* its SHA-256 in hex */
};

enum call_result { CALL_OK, CALL_FAILED, CALL_UNKNOWN };
/* What a restore proved, or a destroy found; equals enum wire_evidence. */
enum evidence {
	EVIDENCE_OLD_ENDED = 1,
	EVIDENCE_OLD_UNLINKED = 2,
	EVIDENCE_NEW_OVERLAY = 4,
	EVIDENCE_NEW_PROCESS = 8,
	EVIDENCE_ALL = 15,
	EVIDENCE_WAS_OVER = 16,	/* the domain had ended by itself */
};
enum domain_state { DOMAIN_RUNNING = 1, DOMAIN_PAUSED, DOMAIN_OFF };
enum domain_hint { HINT_STARTED = 1, HINT_STOPPED, HINT_AGENT_UP,
		   HINT_AGENT_DOWN, HINT_OTHER };
enum hook { HOOK_PREPARE = 1, HOOK_READY, HOOK_ACCEPT, HOOK_CLEAN, HOOK_START,
	    HOOK_STOP, HOOK_HEALTH };
enum hook_verb { VERB_EXEC = 1, VERB_CONFIRM, VERB_WRITE, VERB_TCP, VERB_SLEEP,
		 VERB_LOG };
enum session_end { END_CLOSED = 1, END_LOST, END_MACHINE, END_STOPPED };

enum command_verb {
	COMMAND_POOL_SCALE,	/* name, serve/spare/max or -1 */
	COMMAND_POOL_RESET,	/* name: what the site file says holds again */
	COMMAND_POOL_PAUSE,	/* name: replace no outdated machines for now */
	COMMAND_POOL_RESUME,
	COMMAND_MACHINE_HOLD,	/* name */
	COMMAND_MACHINE_RELEASE,
	COMMAND_MACHINE_RESTART,
	COMMAND_MACHINE_DELETE,	/* its pool makes another if it wants one */
	COMMAND_SESSION_END,	/* session */
	COMMAND_SESSION_EXTEND,	/* session, ms */
	COMMAND_USER_DISABLE,	/* name, end_sessions */
	COMMAND_USER_ENABLE,	/* name */
	COMMAND_TOKEN_CREATE,	/* name, application, hash, once, ms or 0 */
	COMMAND_TOKEN_DELETE,	/* name: the first digits of its hash */
	COMMAND_SITE_CLOSE,	/* retire every machine; nothing new begins */
	COMMAND_CLUSTER_RESIZE,	/* name, size, strategy, mapping; dry_run */
	COMMAND_CLUSTER_RESET,	/* name: calendar and rules decide again */
	COMMAND_CLUSTER_PAUSE,	/* name: calendar and rules change nothing */
	COMMAND_CLUSTER_RESUME,
	COMMAND_CLUSTER_REPLACE,	/* name: all nodes anew, at their size */
	COMMAND_NODE_MOVE,	/* name of the machine, host, strategy */
	COMMAND_CHANGE_CANCEL,	/* session: the change's id */
	COMMAND_HOST_DRAIN,	/* name: its nodes elsewhere, no machine made there */
	COMMAND_HOST_UNDRAIN,
	COMMAND_HOST_FENCE,	/* name: an operator knows that it is off */
	COMMAND_RULE_RUN,	/* name; dry_run: only say what it wishes */
	COMMAND_RULE_ENABLE,	/* name */
	COMMAND_RULE_DISABLE,
};

/* What a gateway, or all together, did for a cluster since it began. */
struct cluster_counts {
	uint64_t transactions;	/* that began */
	uint64_t answered;	/* ended in order */
	uint64_t replayed;	/* sent to another node once more */
	uint64_t failed;	/* ended before the first byte of an answer */
	uint64_t reset;		/* cut within an answer */
	uint64_t refused;	/* no node within the wait */
	uint64_t bytes_in, bytes_out;
	uint32_t open, waiting;	/* now */
};

/* Everything the store holds at start (borrowed for the step). */
struct world_rows {
	const struct machine_row *machines;
	size_t machine_count;
	/* In order of id: the live, those machines name, and those of a machine's
	 * incarnation on, which tell what its row, saved late, does not. */
	const struct session_row *sessions;
	size_t session_count;
	const struct join_row *joins;		/* in order of id */
	size_t join_count;
	const struct override_row *overrides;
	size_t override_count;
	const struct volume_row *volumes;
	size_t volume_count;
	const struct token_row *tokens;
	size_t token_count;
	const struct cluster_row *clusters;
	size_t cluster_count;
	const struct change_row *changes;	/* that are not final */
	size_t change_count;
	const struct decision_row *decisions;	/* the last of each object and source */
	size_t decision_count;
	const struct ledger_row *ledgers;	/* that are open */
	size_t ledger_count;
};

struct event {
	enum event_kind kind;
	int64_t now_ms;		/* CLOCK_BOOTTIME */
	int64_t wall_ms;
	int32_t offset_s;	/* local time is so far east of UTC then */
	union {
		struct {
			struct site_spec *spec;	/* the core takes its parts */
			/* What was saved, with the first one; else NULL. */
			const struct world_rows *rows;
			/* This computer was restarted since they were saved. */
			bool rebooted;
		} site;
		struct {
			enum command_verb verb;
			uint64_t reply;		/* token for EFFECT_REPLY */
			struct slice name;
			struct slice who;
			uint64_t session;
			int64_t serve, spare, max;
			int64_t ms;
			bool dry_run, end_sessions, once;
			struct slice application, hash;
			struct site_size size;	/* CLUSTER_RESIZE; 0 = as it is */
			int strategy;		/* enum site_strategy, 0 = the cluster's */
			struct slice mapping;	/* "a>c b>d", or empty */
			struct slice host;	/* NODE_MOVE, or empty */
		} command;
		struct {
			struct slice host;
			bool up;
			/* While up: what untrusted machines ask for. */
			bool kvm, isolated;
			uint32_t cpus;
			uint64_t memory_mib;
			struct slice labels;	/* who labels, or why nobody */
			struct slice text;
		} host;
		struct {
			uint64_t call;
			enum call_result result;
			int64_t code;
			struct slice out, errout, text;
			uint32_t evidence;	/* of a restore or a destroy */
			bool has_fd;	/* kept by the shell under the call id */
		} done;
		struct {
			struct slice host;
			uint64_t poll, machine, incarnation;
			struct slice uuid, name;
			enum domain_state state;
			bool ours;
		} domain;
		struct {
			uint64_t machine, inode;
			struct slice name, key;
		} volume;
		struct {
			struct slice host, uuid;
			enum domain_hint hint;
		} hint;
		struct {
			uint64_t call, step;
			enum hook_verb verb;
			struct slice argv, input, path;
			uint32_t mode, port;
			int64_t ms;
		} step;
		struct {
			uint64_t call;
			bool ok;
			struct slice text;
		} hook;
		struct {
			uint32_t index;
			bool fresh;
			struct slice text;	/* LOST: why, or empty */
		} gateway;
		struct {
			uint32_t gateway;
			uint64_t conn, session, machine, incarnation;
			bool flowing;
			uint64_t bytes_in, bytes_out;
			int64_t quiet_ms;	/* since a byte last moved */
		} held;
		struct {
			uint32_t gateway;
			uint64_t conn;
			struct slice listener, application, user, peer, key;
			struct slice token;	/* hash of the one shown, or empty */
			/* Machines wanted at once, each told by a ticket; NULL
			 * and 0: one, on this connection. */
			const struct grant *grants;
			uint32_t count;
			int64_t wait_ms;	/* < 0: the listener's own */
			uint64_t nonce;		/* fresh random, never 0 */
			/* For further machines should one not accept. */
			uint64_t more_nonces[ASSIGN_TRIES - 1];
			/* Stored session of the same user and key, or NULL. */
			const struct session_row *prior;
			/* EVENT_REFUSED */
			struct slice code, text;
			struct slice alarm;	/* said aloud as well, or empty */
			bool quiet;		/* one of many: told, not stored */
		} request;
		struct {
			uint32_t gateway;
			uint64_t conn;
			struct slice listener, peer, hash;
		} claim;
		struct {
			uint32_t gateway;
			uint64_t session, machine, incarnation;
			int64_t took_ms;	/* EXTEND: so much more */
			bool touched, confirm, drained;
			enum session_end how;
			uint64_t bytes_in, bytes_out;
			struct slice text;
		} session;
		struct {
			uint64_t session, machine, incarnation;
			uint64_t exchange;	/* 0: none began */
			struct slice resource, user, text;
			struct slice own, peer;	/* "ip:port" or empty */
			bool allowed;
		} resource;
		struct {
			enum severity severity;
			struct slice kind;	/* "EXPIRY" */
			struct slice noun, name;	/* what it is about */
			struct slice text;
		} notice;
		struct {
			uint32_t gateway;
			uint64_t machine, incarnation;
			bool up;
			uint32_t open;		/* transactions there now */
			uint64_t transactions, failed;	/* since it was told of it */
			uint32_t cut;		/* NODE_CUT */
			struct slice text;	/* why it is not up */
		} node;
		struct {
			uint32_t gateway;
			struct slice cluster;
			struct cluster_counts counts;
		} count;
		struct {
			uint64_t machine, incarnation;
			int64_t at_ms;		/* boot time it was read */
			int64_t cpu_ms;		/* used since its domain began */
			uint64_t memory_mib;	/* the guest has now */
			uint64_t rss_mib;	/* QEMU holds of the host's */
			uint64_t read_bytes, written_bytes, in_bytes, out_bytes;
		} stats;
		struct {
			uint64_t call;
			bool ok;
			struct site_size size;	/* 0 = no wish */
			int64_t serve, spare;	/* of a pool; -1 = no wish */
			struct slice inputs;	/* it was run with */
			struct slice text;	/* its reason, or what went wrong */
		} rule;
		struct {
			struct slice cluster;
			bool held;
			struct slice text;
		} vip;
	};
};

const char *event_name(enum event_kind kind);

#endif
