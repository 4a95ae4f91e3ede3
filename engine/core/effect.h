/*
 * Effects: what the shell does after a turn, in the fixed order save, act,
 * send, show (ARCHITECTURE.md).  Objects to save are on the world's own lists;
 * everything else is a struct effect, appended in the order it was decided.
 *
 * Effects carry ids and what may change before the shell gets to them; names,
 * paths and settings are looked up by machine id in the same turn.
 */
#ifndef REMUDA_CORE_EFFECT_H
#define REMUDA_CORE_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"
#include "engine/core/event.h"
#include "engine/core/rows.h"

/* X(NAME, phase, what the shell does) */
#define EFFECTS(X)                                                             \
	X(SAVE_REQUEST, SAVE, "store row request")                            \
	X(SAVE_EVENT, SAVE, "store row event, unless transient")              \
	X(SAVE_OVERRIDE, SAVE, "store row override")                          \
	X(SAVE_VOLUME, SAVE, "store row volume")                              \
	X(DELETE_VOLUME, SAVE, "delete the row of the volume in text")        \
	X(DELETE_OVERRIDE, SAVE, "text: the key of an override that ended")   \
	X(SAVE_TOKEN, SAVE, "store row token")                                \
	X(DELETE_TOKEN, SAVE, "delete row token")                             \
	X(SAVE_JOIN, SAVE, "store row join")                                  \
	X(DELETE_JOIN, SAVE, "delete the join in session")                    \
	X(DELETE_MACHINE, SAVE, "delete the machine's row: it is gone")       \
	X(SAVE_CLUSTER, SAVE, "store row cluster")                            \
	X(SAVE_CHANGE, SAVE, "store row change")                              \
	X(SAVE_DECISION, SAVE, "store row decision")                          \
	X(SAVE_LEDGER, SAVE, "store row ledger")                              \
	X(HOST_POLL, ACT, "ask host for its domains; call, poll")             \
	X(HOST_RESTART, ACT, "kill the host's role: it does not answer")      \
	X(DOMAIN_CREATE, ACT, "machine, call, incarnation")                   \
	X(DOMAIN_DESTROY, ACT, "machine or uuid in text; call; ok: its image too") \
	X(DOMAIN_SAVE, ACT, "machine, call, incarnation")                     \
	X(DOMAIN_RESTORE, ACT, "machine, call; incarnation of the new domain") \
	X(BASE_LOOK, ACT, "call; look at the base of the pool in text")       \
	X(VOLUME_DELETE, ACT, "machine, call; row volume")                    \
	X(AGENT_PING, ACT, "machine, call")                                   \
	X(AGENT_EXEC, ACT, "machine, call; argv, input, ms")                  \
	X(AGENT_WRITE, ACT, "machine, call; path, input, mode")               \
	X(TCP_PROBE, ACT, "machine, call; port, ms")                          \
	X(CHANNEL_OPEN, ACT, "machine, call; text = channel name")            \
	X(DROP_FD, ACT, "close the descriptor kept under call")               \
	X(HOOK_RUN, ACT, "machine, session, call; hook, ms = deadline")       \
	X(HOOK_KILL, ACT, "call")                                             \
	X(STEP_RESULT, ACT, "call, step; ok, code, out, errout, text")        \
	X(DOMAIN_RESIZE, ACT, "machine, call: the vcpus and memory of its row") \
	X(DOMAIN_MIGRATE, ACT, "machine, call; host = where to")              \
	X(STATS_READ, ACT, "call, host: one event for each machine")          \
	X(RULE_RUN, ACT, "call; text = rule, input = inputs, ms = deadline")  \
	X(VIP, ACT, "text = cluster; ok: hold its address, else let it go")   \
	X(ASSIGN, SEND, "session to its gateway; fd under call, if any")      \
	X(REFUSE, SEND, "gateway, conn; code, text")                          \
	X(TICKET, SEND, "gateway, conn, session, machine; text, ms, place = to come") \
	X(WAITING, SEND, "gateway, conn; place, ms left")                     \
	X(STOP, SEND, "gateway, session; text; ms > 0: only if quiet so long") \
	X(NOTICE, SEND, "gateway, session; ms to its end, text")               \
	X(CONFIRMED, SEND, "gateway, session; ok, text")                      \
	X(RESOURCE_PORT, SEND, "session, machine; fd or address, resource, ok") \
	X(RESOURCE_CLOSE, SEND, "session, machine; answered by an event")     \
	X(RESOURCE_TARGET, SEND, "machine (0: outside) or not ok; resource")  \
	X(CLUSTER_SET, SEND, "gateway; text = cluster: how it balances")      \
	X(CLUSTER_DROP, SEND, "gateway; text = cluster")                      \
	X(NODE_SET, SEND, "gateway, machine, incarnation; code = node_state") \
	X(NODE_DROP, SEND, "gateway, machine, incarnation; text = why")       \
	X(REPLY, SHOW, "command token in call: ok, code, text")               \
	X(LOG, SHOW, "text to the log; transient: for debugging")

enum effect_phase { PHASE_SAVE, PHASE_ACT, PHASE_SEND, PHASE_SHOW };

enum effect_kind {
#define X(name, phase, help) EFFECT_##name,
	EFFECTS(X)
#undef X
	EFFECT_KINDS
};

struct effect {
	enum effect_kind kind;
	uint32_t gateway;
	uint64_t machine, session, call, conn, incarnation;
	uint64_t join;			/* of ASSIGN: as this one, not its own */
	uint64_t step;			/* of a hook, or a poll's number */
	enum hook hook;
	bool ok, transient;
	int64_t code, ms;
	uint32_t place, port, mode;
	struct slice host, resource;
	struct slice argv, input, path;	/* in: to the guest */
	struct slice out, errout;	/* back to a hook */
	struct slice word;		/* refusal code */
	struct slice text;
	union {
		struct request_row request;
		struct event_row event;
		struct override_row override;
		struct token_row token;
		struct join_row join;
		struct volume_row volume;
		struct cluster_row cluster;
		struct change_row change;
		struct decision_row decision;
		struct ledger_row ledger;
	} *row;				/* SAVE_*, VOLUME_DELETE */
};

/* A growing list with its own memory: every slice and row of an effect added
 * by effects_add lives until effects_clear. */
struct effects {
	struct effect *items;
	size_t count, size;
	struct effect_chunk *chunks;
};

void effects_init(struct effects *fx);
void effects_fini(struct effects *fx);
void effects_clear(struct effects *fx);
/* Appends a zeroed effect of that kind and returns it (valid until the next
 * add); the caller fills it in. */
struct effect *effects_add(struct effects *fx, enum effect_kind kind);
/* Copies bytes into the list's memory. */
struct slice effects_copy(struct effects *fx, struct slice s);
struct slice effects_text(struct effects *fx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void *effects_alloc(struct effects *fx, size_t size);

enum effect_phase effect_phase(enum effect_kind kind);
const char *effect_name(enum effect_kind kind);

#endif
