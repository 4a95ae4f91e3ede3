/*
 * Field tables of the rows, and the words under which enums are stored: people
 * and audit queries read the file, so a state is 'ready', not 3.
 */
#include "db/db_fields.h"

#include <string.h>

#include "db/db_internal.h"

#define FIELD(row, n, column, field, kind)                                     \
	{ #column, offsetof(struct row, field),                                \
	  sizeof(((struct row *)0)->field), kind },
#define MACHINE(...) FIELD(machine_row, __VA_ARGS__)
#define SESSION(...) FIELD(session_row, __VA_ARGS__)
#define REQUEST(...) FIELD(request_row, __VA_ARGS__)
#define EVENT(...) FIELD(event_row, __VA_ARGS__)
#define VOLUME(...) FIELD(volume_row, __VA_ARGS__)
#define DEED(...) FIELD(db_deed, __VA_ARGS__)
#define OVERRIDE(...) FIELD(override_row, __VA_ARGS__)
#define TOKEN(...) FIELD(token_row, __VA_ARGS__)
#define JOIN(...) FIELD(join_row, __VA_ARGS__)
#define CLUSTER(...) FIELD(cluster_row, __VA_ARGS__)
#define CHANGE(...) FIELD(change_row, __VA_ARGS__)
#define DECISION(...) FIELD(decision_row, __VA_ARGS__)
#define LEDGER(...) FIELD(ledger_row, __VA_ARGS__)

static const struct db_field machine_fields[] = {
	MACHINE(1, id, id, DB_U64)
	MACHINE_FIXED(MACHINE)
	MACHINE_CHANGING(MACHINE, MACHINE)
};
static const struct db_field session_fields[] = {
	SESSION(1, id, id, DB_U64)
	SESSION_FIXED(SESSION)
	SESSION_CHANGING(SESSION, SESSION)
};
static const struct db_field request_fields[] = {
	REQUEST(1, id, id, DB_U64)
	REQUEST_FIXED(REQUEST)
	REQUEST_CHANGING(REQUEST, REQUEST)
};
static const struct db_field event_fields[] = {
	EVENT(1, id, id, DB_U64)
	EVENT_FIXED(EVENT)
	EVENT_CHANGING(EVENT, EVENT)
};
static const struct db_field volume_fields[] = {
	VOLUME(1, name, name, DB_TEXT)
	VOLUME_FIXED(VOLUME)
	VOLUME_CHANGING(VOLUME, VOLUME)
};
static const struct db_field token_fields[] = {
	TOKEN(1, hash, hash, DB_TEXT)
	TOKEN_FIXED(TOKEN)
	TOKEN_CHANGING(TOKEN, TOKEN)
};
static const struct db_field join_fields[] = {
	JOIN(1, id, id, DB_U64)
	JOIN_FIXED(JOIN)
	JOIN_CHANGING(JOIN, JOIN)
};
static const struct db_field deed_fields[] = {
	DEED(1, id, id, DB_U64)
	DEED_FIXED(DEED)
	DEED_CHANGING(DEED, DEED)
};
static const struct db_field override_fields[] = {
	OVERRIDE(1, key, key, DB_TEXT)
	OVERRIDE_FIXED(OVERRIDE)
	OVERRIDE_CHANGING(OVERRIDE, OVERRIDE)
};
static const struct db_field cluster_fields[] = {
	CLUSTER(1, name, name, DB_TEXT)
	CLUSTER_FIXED(CLUSTER)
	CLUSTER_CHANGING(CLUSTER, CLUSTER)
};
static const struct db_field change_fields[] = {
	CHANGE(1, id, id, DB_U64)
	CHANGE_FIXED(CHANGE)
	CHANGE_CHANGING(CHANGE, CHANGE)
};
static const struct db_field decision_fields[] = {
	DECISION(1, id, id, DB_U64)
	DECISION_FIXED(DECISION)
	DECISION_CHANGING(DECISION, DECISION)
};
static const struct db_field ledger_fields[] = {
	LEDGER(1, id, id, DB_U64)
	LEDGER_FIXED(LEDGER)
	LEDGER_CHANGING(LEDGER, LEDGER)
};

#define TABLE(table, row, list)                                                \
	{ .name = table, .fields = list,                                       \
	  .count = sizeof(list) / sizeof(list[0]),                             \
	  .row_size = sizeof(struct row) }

const struct db_table db_machine_table =
	TABLE("machine", machine_row, machine_fields);
const struct db_table db_session_table =
	TABLE("session", session_row, session_fields);
const struct db_table db_request_table =
	TABLE("request", request_row, request_fields);
const struct db_table db_event_table = TABLE("event", event_row, event_fields);
const struct db_table db_volume_table =
	TABLE("volume", volume_row, volume_fields);
const struct db_table db_token_table =
	TABLE("token", token_row, token_fields);
const struct db_table db_join_table =
	TABLE("joined", join_row, join_fields);
const struct db_table db_deed_table = TABLE("audit", db_deed, deed_fields);
const struct db_table db_override_table =
	TABLE("site_override", override_row, override_fields);
const struct db_table db_cluster_table =
	TABLE("cluster", cluster_row, cluster_fields);
const struct db_table db_change_table =
	TABLE("change", change_row, change_fields);
const struct db_table db_decision_table =
	TABLE("decision", decision_row, decision_fields);
const struct db_table db_ledger_table =
	TABLE("ledger", ledger_row, ledger_fields);

const char *const db_counter_names[DB_COUNTERS] = {
	[DB_COUNTER_MACHINE] = "machine",
	[DB_COUNTER_SESSION] = "session",
	[DB_COUNTER_REQUEST] = "request",
	[DB_COUNTER_EVENT] = "event",
	[DB_COUNTER_CHANGE] = "change",
	[DB_COUNTER_DECISION] = "decision",
	[DB_COUNTER_LEDGER] = "ledger",
};

static const char *const machine_state_words[] = {
	[MACHINE_DEFINED] = "defined",
	[MACHINE_BOOTING] = "booting",
	[MACHINE_PREPARING] = "preparing",
	[MACHINE_READY] = "ready",
	[MACHINE_SAVING] = "saving",
	[MACHINE_SAVED] = "saved",
	[MACHINE_WAKING] = "waking",
	[MACHINE_RESERVED] = "reserved",
	[MACHINE_IN_SESSION] = "in_session",
	[MACHINE_CLEANING] = "cleaning",
	[MACHINE_HELD] = "held",
	[MACHINE_QUARANTINED] = "quarantined",
	[MACHINE_RETIRING] = "retiring",
	[MACHINE_GONE] = "gone",
};
static const char *const machine_wish_words[] = {
	[WISH_RUN] = "run",
	[WISH_HOLD] = "hold",
	[WISH_RETIRE] = "retire",
};
static const char *const image_words[] = {
	[IMAGE_NONE] = "none",
	[IMAGE_DOUBT] = "doubt",
	[IMAGE_MADE] = "made",
};
static const char *const rung_words[] = {
	[RUNG_CLEAN] = "clean",
	[RUNG_REVERT] = "revert",
	[RUNG_REBUILD] = "rebuild",
	[RUNG_NONE] = "none",
};
static const char *const session_state_words[] = {
	[SESSION_ASSIGNED] = "assigned",
	[SESSION_ACTIVE] = "active",
	[SESSION_CLOSED] = "closed",
	[SESSION_LOST] = "lost",
	[SESSION_FAILED] = "failed",
};
static const char *const request_state_words[] = {
	[REQUEST_WAITING] = "waiting",
	[REQUEST_ASSIGNED] = "assigned",
	[REQUEST_REFUSED] = "refused",
	[REQUEST_CANCELLED] = "cancelled",
};
static const char *const severity_words[] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARN] = "warn",
	[SEVERITY_FAIL] = "fail",
};

static const char *const volume_kind_words[] = {
	[VOLUME_DISK] = "disk",
	[VOLUME_SEED] = "seed",
	[VOLUME_NVRAM] = "nvram",
	[VOLUME_SESSION] = "session",
	[VOLUME_RAM] = "ram",
};
static const char *const node_state_words[] = {
	[NODE_NONE] = "none",
	[NODE_CHECKED] = "checked",
	[NODE_SERVING] = "serving",
	[NODE_DRAINING] = "draining",
};
static const char *const change_kind_words[] = {
	[CHANGE_RESIZE] = "resize",
	[CHANGE_REPLACE] = "replace",
	[CHANGE_MOVE] = "move",
};
static const char *const change_state_words[] = {
	[CHANGE_RUNNING] = "running",
	[CHANGE_UNDOING] = "undoing",
	[CHANGE_DONE] = "done",
	[CHANGE_FAILED] = "failed",
	[CHANGE_CANCELLED] = "cancelled",
};
static const char *const change_step_words[] = {
	[STEP_PLACE] = "place",
	[STEP_CREATE] = "create",
	[STEP_CHECK] = "check",
	[STEP_JOIN] = "join",
	[STEP_TRANSFER] = "transfer",
	[STEP_VERIFY] = "verify",
	[STEP_FREE] = "free",
	[STEP_END] = "end",
};
/* In the order of enum site_strategy, which begins at 1. */
static const char *const strategy_words[] = {
	"none", "failover", "shutdown", "move", "live",
};
static const char *const outcome_words[] = {
	[DECISION_KEPT] = "kept",
	[DECISION_CHANGED] = "changed",
	[DECISION_HELD_BACK] = "held_back",
	[DECISION_FAILED] = "failed",
	[DECISION_DRY] = "dry",
};

#define WORDS(list) { list, sizeof(list) / sizeof(list[0]) }
static const struct {
	const char *const *words;
	int count;
} word_lists[DB_KINDS] = {
	[DB_MACHINE_STATE] = WORDS(machine_state_words),
	[DB_MACHINE_WISH] = WORDS(machine_wish_words),
	[DB_MACHINE_IMAGE] = WORDS(image_words),
	[DB_RUNG] = WORDS(rung_words),
	[DB_SESSION_STATE] = WORDS(session_state_words),
	[DB_REQUEST_STATE] = WORDS(request_state_words),
	[DB_SEVERITY] = WORDS(severity_words),
	[DB_VOLUME_KIND] = WORDS(volume_kind_words),
	[DB_NODE_STATE] = WORDS(node_state_words),
	[DB_CHANGE_KIND] = WORDS(change_kind_words),
	[DB_CHANGE_STATE] = WORDS(change_state_words),
	[DB_CHANGE_STEP] = WORDS(change_step_words),
	[DB_STRATEGY] = WORDS(strategy_words),
	[DB_OUTCOME] = WORDS(outcome_words),
};
_Static_assert(sizeof(machine_state_words) ==
	       MACHINE_STATES * sizeof(char *), "a word for every state");
_Static_assert(sizeof(session_state_words) ==
	       SESSION_STATES * sizeof(char *), "a word for every state");
_Static_assert(sizeof(volume_kind_words) ==
	       VOLUME_KINDS * sizeof(char *), "a word for every kind");
_Static_assert(sizeof(node_state_words) ==
	       NODE_STATES * sizeof(char *), "a word for every state");
_Static_assert(sizeof(change_state_words) ==
	       CHANGE_STATES * sizeof(char *), "a word for every state");
_Static_assert(sizeof(change_kind_words) ==
	       CHANGE_KINDS * sizeof(char *), "a word for every kind");
_Static_assert(sizeof(change_step_words) ==
	       CHANGE_STEPS * sizeof(char *), "a word for every step");
_Static_assert(sizeof(outcome_words) ==
	       DECISION_OUTCOMES * sizeof(char *), "a word for every outcome");
_Static_assert(sizeof(request_state_words) ==
	       REQUEST_STATES * sizeof(char *), "a word for every state");

const char *db_word(enum db_kind kind, int value)
{
	if (value < 0 || value >= word_lists[kind].count)
		return NULL;
	return word_lists[kind].words[value];
}

int db_word_value(enum db_kind kind, const char *word)
{
	for (int i = 0; i < word_lists[kind].count; i++)
		if (strcmp(word_lists[kind].words[i], word) == 0)
			return i;
	return -1;
}
