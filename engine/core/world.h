/*
 * The world: everything the engine knows and decides about.  Pure: it is
 * changed by engine_step (step.h) and by nothing else, reads no clock, no
 * file, no random number, and lives in one thread.
 *
 * Relations between objects are ids, but for pool and host of a machine: those
 * live as long as any machine of theirs.  Objects found by id are borrowed for
 * the turn; world_end_turn frees what has ended.
 */
#ifndef REMUDA_CORE_WORLD_H
#define REMUDA_CORE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/dict.h"
#include "engine/base/list.h"
#include "engine/base/map.h"
#include "engine/base/sm.h"
#include "engine/core/cluster.h"
#include "engine/core/effect.h"
#include "engine/core/event.h"
#include "engine/core/line.h"
#include "engine/core/rows.h"
#include "engine/core/spec.h"
#include "engine/core/timer.h"

enum {
	WORLD_RESOURCES_MAX = 8,	/* of one application */
	WORLD_GATEWAYS_MAX = 64,
	QUEUE_MAX = 10000,		/* waiting requests of one application (S18) */
	FAILURES_MAX = 3,		/* in a row: quarantine */
	HOST_POLL_MS = 5000,
	HOST_ANSWER_MS = 6000,		/* a poll older than this: not answering */
	HOST_RESTART_MS = 60000,	/* not answering so long: restart the role */
	PING_INTERVAL_MS = 250,
	READY_INTERVAL_MS = 500,	/* between two tries of a ready hook */
	BASE_LOOK_MS = 30000,		/* between two looks at a pool's base */
	BASE_RETRY_MS = 5000,		/* while it cannot be used */
	HEALTHY_MS = 60000,		/* ready so long: earlier failures forgotten */
	GATEWAY_GRACE_MS = 10000,	/* over the machine's own time to accept */
	LATE_MS = 1000,			/* what is saved late is saved within this */
};

/* What timers belong to. */
enum timer_kind { TIMER_MACHINE = 1, TIMER_CALL, TIMER_REQUEST, TIMER_HOST,
		  TIMER_LINE, TIMER_POOL, TIMER_LATE, TIMER_SESSION, TIMER_BASE,
		  TIMER_NODE, TIMER_JOIN, TIMER_CHANGE, TIMER_RULE, TIMER_MINUTE };

enum host_state { HOST_CONNECTING, HOST_UP, HOST_NOT_ANSWERING };

struct host {
	struct site_host spec;
	int state;		/* enum host_state */
	bool removed;		/* no longer in the site file */
	char text[ROW_TEXT_SIZE];
	char version[ROW_TEXT_SIZE];	/* what runs there, when last met */
	int64_t since_wall_ms;
	uint64_t poll;		/* number of the newest poll sent */
	uint64_t poll_call;	/* outstanding, 0 = none */
	int64_t poll_sent_ms;
	bool poll_again;	/* a hint came while one was out */
	bool polled;		/* one poll has been answered */
	/* What it said of itself when last met (known): see pool_refuses. */
	bool known, kvm, isolated;
	char labels[ROW_TEXT_SIZE];
	int64_t disk_mib;	/* free where its volumes lie; -1 = not known */
	bool disk_short;	/* that is below the site's reserve */
	uint32_t booting;	/* machines in BOOTING and PREPARING */
	/* As libvirt says; 0 = not known yet. */
	uint32_t cpus;
	uint64_t memory_mib;
	bool draining;		/* an operator's: no machine is made there */
	int64_t silent_ms;	/* boot time since it does not answer */
	uint64_t stats_call;	/* outstanding, 0 = none */
	int64_t stats_ms;	/* of the last answer, 0 = none */
	struct list machines;
	struct list boot_queue;	/* machines that wait for a boot slot */
	struct timer timer;
	uint64_t changed;	/* turn of the last change, for shows */
};

enum base_state { BASE_UNKNOWN, BASE_USABLE, BASE_UNUSABLE };

struct pool {
	struct site_pool spec;
	struct site_application application;
	struct host *host;
	bool removed, closing;
	uint32_t serve, spare, max;	/* spec with overrides */
	struct list machines;		/* in order of slot */
	struct list in_state[MACHINE_STATES];	/* longest in it first */
	struct map slots;		/* slot -> machine */
	uint32_t free_slot;		/* no lower slot is free */
	struct list ready;		/* machines free to be assigned */
	uint32_t ready_count;
	struct line *line;		/* whom it serves, NULL = nobody */
	uint32_t waiting_count;		/* machines wanted by those at home here */
	uint32_t counts[MACHINE_STATES];
	uint32_t leaving;		/* of them on their way out */
	bool rolling;			/* some machines are outdated */
	bool roll_paused;		/* by an operator */
	uint32_t outdated, outdated_ready;	/* as of the last balance */
	bool lacks_room;		/* the last balance found no host with room */
	bool unbalanced;		/* on the world's list to balance */
	struct list balance_link;
	bool shrink_now;		/* an operator asked: do not wait */
	struct timer shrink_timer;
	char reason[ROW_TEXT_SIZE];	/* why it is short, or "" */
	/* What its machines are made from (base.c), when it has one. */
	enum base_state base;
	uint32_t base_disks;
	bool base_nvram;
	char base_stamp[ROW_STAMP_SIZE];
	char base_alarm[ROW_STAMP_SIZE];	/* the stamp last alarmed about */
	char base_text[ROW_TEXT_SIZE];	/* why it cannot be used, or "" */
	uint64_t base_call;		/* the look under way, 0 = none */
	struct timer base_timer;	/* the next look */
	int64_t boot_ms;		/* of the last machine that came up */
	int64_t wake_ms;		/* of the last one that was woken */
	uint64_t changed;
};

/* What is being done to a machine right now: at most one thing. */
enum job {
	JOB_NONE,
	JOB_CREATE,
	JOB_DESTROY,
	JOB_PING,
	JOB_HOOK,	/* which one: machine.hook */
	JOB_OPEN,	/* channels for a session */
	JOB_VOLUME,	/* delete the last of machine.volumes */
	JOB_SAVE,
	JOB_RESTORE,
	JOB_RESIZE,	/* of a running domain (change.c) */
	JOB_MIGRATE,
};

struct machine {
	struct machine_row row;
	struct pool *pool;
	struct host *host;
	struct node *node;	/* of a cluster's pool, else NULL */
	struct host *going;	/* JOB_MIGRATE, or what became of it is unknown */
	bool arrived;		/* a poll of that host has shown it */
	int64_t moved_ms;	/* boot time it last changed its host */
	int64_t hint_ms;	/* boot time of the last hint that it ended */
	struct usage *usage;	/* NULL until something was read */
	struct ledger_row *ledger;	/* its open interval, or NULL */
	int64_t ledger_ms;	/* boot time from which on it is not counted yet */
	struct list pool_link, state_link, host_link, ready_link, boot_link,
		save_link, late_link, gone_link;
	enum job job;
	uint64_t call;		/* of the job */
	struct list calls;	/* all outstanding, also of steps and opens */
	struct list volumes;	/* in the order they were intended */
	enum hook hook;		/* while JOB_HOOK */
	uint64_t step;		/* last step of that hook, 0 = none */
	uint64_t step_call;	/* the act behind it, 0 = none */
	enum hook_verb step_verb;
	bool confirmed;		/* a CONFIRM step of this hook came back right */
	uint32_t opens;		/* channels still to open */
	uint32_t evidence;	/* of the last restore or destroy: enum evidence */
	bool created;		/* its domain was made or found running */
	bool agent_up;
	bool prepared;		/* prepare hook done in this life */
	bool seen;		/* a poll or a create has shown it running */
	bool paused;		/* the last poll that saw it saw it paused */
	bool touched;		/* the guest learned of the session's user */
	bool covered;		/* its session's row tells when it is clean */
	bool ports;		/* gateway 0 may hold ways of it to resources */
	bool cutting;		/* gateway 0 was told to cut them */
	uint64_t bound_incarnation;	/* the last that had a user (S1) */
	uint64_t seen_poll;
	uint64_t trust_poll;	/* polls up to this one say nothing of it */
	int64_t retry_ms;	/* not before, boot time; 0 = at once */
	int64_t state_ms;	/* boot time the state was entered */
	int64_t job_ms;		/* boot time the job began */
	int64_t deadline_ms;	/* of boot or prepare, 0 = none */
	struct timer timer;
	uint64_t changed;
};

enum call_kind {
	CALL_KIND_JOB,		/* create, destroy, ping, hook */
	CALL_KIND_STEP,		/* an act for a hook's step */
	CALL_KIND_OPEN,		/* session channel */
	CALL_KIND_WAY,		/* port of the session's way `index` */
	CALL_KIND_POLL,
	CALL_KIND_ORPHAN,	/* destroy of a domain without a machine */
	CALL_KIND_TARGET,	/* channel of a resource's own machine */
	CALL_KIND_BASE,		/* a look at what a pool's machines are made from */
	CALL_KIND_STATS,	/* use of a host's machines */
	CALL_KIND_RULE,		/* a rule's wish */
};

struct call {
	uint64_t id;
	enum call_kind kind;
	uint64_t machine;	/* 0 for polls and orphans */
	struct host *host;
	uint32_t index;
	struct list machine_link;
	struct timer timer;
	bool hook;		/* outstanding at the rules role */
};

struct volume {
	struct volume_row row;
	bool fresh;		/* SESSION: of the restore under way or the last */
	struct list machine_link;
};

enum way_state {
	WAY_WANTED,
	WAY_OPENING,	/* its port, by call */
	WAY_TOLD,	/* gateway 0 has it */
	WAY_HELD,	/* from an engine before; to be told of it once more */
	WAY_NONE,	/* the site has no such resource now */
};

/* A session's way to one resource (access.c). */
struct way {
	char resource[SITE_NAME_SIZE];	/* the site may change meanwhile */
	enum way_state state;
	bool allowed;			/* as told */
	uint64_t call;
	int64_t retry_ms;
	uint32_t failures;
};

/* A further connection of a session (join.c). */
struct join {
	struct join_row row;
	struct list link;	/* session.joins */
	struct list all_link;	/* world.join_list */
	uint64_t in, out;	/* bytes */
	struct timer timer;	/* until the machine accepted it */
	bool reported;		/* the adopted gateway holds it */
};

/* What a user has of an application with shared connections (share.c). */
struct share {
	struct list sessions;	/* live, oldest first */
	struct list followers;	/* requests that wait to join one, in order */
	struct request *first;	/* takes a machine for all of them, or NULL */
	struct list link, moved_link;
	char key[ROW_USER_SIZE + ROW_NAME_SIZE];
};

struct session {
	struct session_row row;
	struct list live_link, save_link, late_link, done_link;
	uint64_t port_fd;	/* call that brought its channel, 0 = none */
	struct list access_link;	/* ways are not all told */
	struct way ways[WORLD_RESOURCES_MAX];
	uint32_t way_count;	/* 0 until it is active */
	struct request *request;	/* until the machine accepted */
	bool told;		/* ASSIGN went to the gateway */
	bool reported;		/* the adopted gateway holds it */
	bool confirm;		/* the client waits for CONFIRMED */
	bool drained;		/* the guest helper confirmed its port empty */
	bool untouched;		/* no accept, no byte reached the machine */
	bool held;		/* its gateway may still hold it */
	int64_t assigned_ms;
	/* Limits (limit.c), boot time. */
	struct timer timer;
	int64_t moved_ms;	/* a byte was last known to move */
	int64_t ends_ms;	/* by its longest time; 0 = never */
	int64_t asked_ms;	/* its gateway was last told to end it */
	bool warned;		/* of ends_ms */
	bool stopping;		/* its end is decided: stop_text */
	/* Linger (linger.c). */
	struct list away_link;
	bool away;		/* has no connection, keeps its machine */
	bool returning;		/* has one that the machine has not accepted */
	int64_t away_ms, lingers_ms;	/* since, until; boot time */
	uint64_t nonce;		/* of the present connection's accept */
	/* Further connections.  Its own is gone when row.gateway is none. */
	struct list joins;
	uint32_t join_count;
	struct share *share;	/* of a shared application, or NULL */
	struct list share_link;
	uint64_t own_in, own_out;	/* bytes of its own connection */
	/* Of its last connection, which waits for CONFIRMED. */
	uint32_t end_gateway;
	uint64_t end_id;
	char stop_text[64];
	uint64_t changed;
};

struct request {
	struct request_row row;
	struct line *line;	/* of its application; set while it waits */
	struct pool *home;	/* while it waits: grows for it */
	struct pool *pool;	/* whose machine it gets, or its home to be */
	uint32_t gateway;
	uint64_t conn;
	uint64_t nonces[ASSIGN_TRIES];
	uint32_t tries;		/* machines it was given */
	uint32_t count;		/* machines it wants at once */
	struct grant *grants;	/* as many, or NULL: one on its connection */
	uint64_t session;	/* that is to accept, 0 = none */
	bool waited, gone;	/* the client went away */
	struct share *share;	/* it is the first of, or follows; or NULL */
	struct list follow_link;
	char token[SITE_HASH_SIZE];	/* it came with, or "" */
	int64_t requested_ms, deadline_ms;
	struct list wait_link;	/* all that wait, in order of entering */
	struct list seat_link;	/* line.h */
	struct seat *seat;	/* NULL: does not wait */
	uint32_t passed;	/* wanted more than was free while it was its turn */
	uint32_t place, told_place;
	struct timer timer;
	uint64_t changed;
};

struct gateway {
	bool up;		/* connected and its report is complete */
	bool reporting;		/* between UP and READY */
	bool fresh;		/* a new process, as it said with UP */
	uint32_t sessions;
	int64_t since_wall_ms;
	uint64_t changed;
};

enum { DENIALS_KEPT = 5, VISIT_NAME_SIZE = 64 };

/* Who was refused by a resource; user and machine may be empty. */
struct denial {
	int64_t wall_ms;	/* 0: no refusal */
	char user[ROW_USER_SIZE], machine[ROW_NAME_SIZE];
	char peer[VISIT_NAME_SIZE], why[ROW_NAME_SIZE * 2];
};

/* An open connection of a machine to a resource (visit.c). */
struct visit {
	struct list link;
	uint64_t id, session, machine, incarnation;
	char resource[SITE_NAME_SIZE];
	char own[VISIT_NAME_SIZE];	/* "ip:port" the service sees, or "" */
	char peer[VISIT_NAME_SIZE];	/* the machine's, or "" */
	int64_t opened_wall_ms;
};

/* A resource and where it is served. */
struct resource {
	struct site_resource spec;
	uint64_t refused;
	struct denial denials[DENIALS_KEPT];	/* newest first */
	uint64_t machine;	/* of the target sent to the gateway, 0 = none */
	uint64_t incarnation;
	uint64_t call;		/* opening its channel */
	int64_t retry_ms;
	bool told;		/* this engine told gateway 0 where it is */
	uint32_t failures;	/* to open it, in a row */
};

/* Live sessions and waiting requests of one name, for limits. */
enum use_kind { USE_USER, USE_APPLICATION, USE_LISTENER, USE_GROUP, USE_KINDS };
struct use {
	uint32_t sessions, waiting;
};

struct token {
	struct token_row row;
	struct list link;
	int64_t expires_ms;	/* boot time, INT64_MAX = never */
	uint64_t held;		/* by this request, 0 = none; once only */
};

/* A user as the site and the operators have it (admit.h). */
struct member {
	char name[ROW_USER_SIZE];
	const struct site_user *site;	/* NULL: known by other means */
	bool disabled;
	uint32_t priority;		/* the highest of the groups */
	const struct site_group **groups;
	size_t group_count;
};

struct world {
	uint64_t site_key;	/* part of every machine's uuid */
	uint64_t term;		/* of this engine */
	struct site_spec spec;
	bool has_spec;
	bool log_routine;	/* the daily round is logged too, for debugging */
	int64_t now_ms, wall_ms;
	uint64_t turn;

	struct host **hosts;
	size_t host_count;
	struct pool **pools;
	size_t pool_count;
	struct resource *resources;
	size_t resource_count;
	struct cluster **clusters;
	size_t cluster_count;
	struct rule **rules;
	size_t rule_count;
	struct list changes;	/* not final, oldest first */
	struct timer minute_timer;	/* the calendar is looked at */
	uint64_t policy_rounds;		/* times it was, with every cluster */
	int32_t offset_s;	/* of local time, as of this step */
	struct gateway gateways[WORLD_GATEWAYS_MAX];

	struct map machines, sessions, requests, calls, conns;
	/* By name, made anew when a site is applied. */
	struct dict listeners, applications, members;
	/* Users of the site by what proves them. */
	struct dict user_tokens, logins;
	struct map uids;		/* uid + 1 */
	struct member stranger;		/* whom neither site nor operator names */
	struct dict uses[USE_KINDS];	/* name -> struct use */
	struct dict decisions;		/* admit.c's memory */
	struct dict tokens;		/* hash -> struct token */
	struct list token_list;		/* oldest first */
	uint32_t token_count;
	struct list live;	/* sessions not final, oldest first */
	struct map joins;	/* id -> struct join */
	struct list join_list;	/* oldest first */
	struct dict shares;	/* "user application" -> struct share */
	struct list share_list, moved_shares;	/* moved: to be looked at */
	struct list away;	/* those of them without a connection */
	struct list waiting;	/* requests, in order of entering */
	uint32_t waiting_count;
	struct dict lines;	/* application -> line */
	struct line **line_list;
	size_t line_count;
	struct list moved_lines;	/* places are to be told */
	struct dict keys;	/* "user key" -> request */
	struct dict tickets;	/* hash -> session nobody has come for */
	struct dict turn_keys;	/* the same -> session of this turn */
	struct list accessing;	/* sessions with ways to tell of */
	struct map visits;
	struct list visit_list;	/* oldest first */
	struct timers timers;

	struct list balance;	/* pools whose sizing must be looked at */
	struct list save_machines, save_sessions;	/* the SAVE phase's lists */
	struct list late_machines, late_sessions;
	struct timer late_timer;
	struct list gone;	/* machines to free at the end of the turn */
	struct list done;	/* sessions to free once saved */

	struct override_row *overrides;
	size_t override_count;

	uint64_t next_machine, next_session, next_request, next_event, next_call;
	uint64_t next_change, next_decision, next_ledger;
};

/* The next ids come from the store (db_counter); site_key from the site. */
void world_init(struct world *w, uint64_t site_key, uint64_t term);
void world_fini(struct world *w);

/* Lookups: borrowed, NULL when there is none. */
struct machine *world_machine(const struct world *w, uint64_t id);
struct machine *world_machine_by_name(const struct world *w, struct slice name);
struct machine *world_machine_by_uuid(const struct world *w, struct slice uuid);
struct session *world_session(const struct world *w, uint64_t id);
struct pool *world_pool(const struct world *w, struct slice name);
struct host *world_host(const struct world *w, struct slice name);
struct resource *world_resource(const struct world *w, struct slice name);
/* The live session a visit belongs to by the binding, or NULL. */
const struct session *visit_session(const struct world *w,
				    const struct visit *v);
const struct site_listener *world_listener(const struct world *w,
					   struct slice name);
const struct site_user *world_user(const struct world *w, const char *name);

/* Time of the next EVENT_TICK the core wants, or INT64_MAX. */
int64_t world_next_deadline(const struct world *w);

/* Machines of a pool that are not gone. */
uint32_t pool_total(const struct pool *p);

/* Called by the shell after the effects were performed: empties the save
 * lists, frees ended objects, clears fx. */
void world_end_turn(struct world *w, struct effects *fx);

/* Marks for saving and showing. */
void world_save_machine(struct world *w, struct machine *m);
void world_save_session(struct world *w, struct session *s);
/*
 * The same within LATE_MS, for what a restart finds out without it: a session
 * was accepted (its gateway says so), a machine's round of reserved, in session
 * and clean again (its sessions' rows say so, apply.c).  A short session costs
 * two writes so: its assignment and its end.
 */
void world_save_machine_late(struct world *w, struct machine *m);
void world_save_session_late(struct world *w, struct session *s);
/* The time is up: all that was to be saved late is saved in this turn. */
void world_save_late(struct world *w);

/* A line of history about an object: "machine", "mail-07".  transient ones are shown and
 * not stored: their facts stand in the session's row already. */
void world_event(struct world *w, struct effects *fx, enum severity severity,
		 bool transient, const char *kind, const char *noun,
		 const char *name, const char *fmt, ...)
	__attribute__((format(printf, 8, 9)));

/* Key of a connection in w->conns: gateway and conn in one number. */
uint64_t world_conn_key(uint32_t gateway, uint64_t conn);

/* Copies a row's uuid text for a machine id. */
void world_uuid(const struct world *w, uint64_t machine, char out[ROW_UUID_SIZE]);

#endif
