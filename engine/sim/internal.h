/*
 * What the simulator's files share; nobody outside includes this.
 *
 * Everything that happens later is an item on one heap, ordered by virtual
 * time and then by order of scheduling.  Roles and engine talk as in the
 * product: orders go out to a role, posts come in to the engine, each channel
 * first in, first out, and a role that dies loses what it had not done.
 */
#ifndef REMUDA_SIM_INTERNAL_H
#define REMUDA_SIM_INTERNAL_H

#include <stddef.h>

#include "engine/base/map.h"
#include "engine/base/random.h"
#include "engine/core/step.h"
#include "engine/sim/sim.h"

enum {
	HOSTS_MAX = 3,
	GATEWAYS_MAX = 3,
	ROOM_RESERVE_MIB = 1024,
	USERS = 6,
	GROUPS = 3,
	SIM_COUNT_MAX = 3,
	SIM_RANKS = 3,		/* priorities 0..2 */
	APPLICATIONS_MAX = 5,
	POOLS_MAX = 7,
	LISTENERS_MAX = 3,
	HOOK_STEPS_MAX = 6,
	POST_BYTES = 400,
	ORDER_VOLUMES_MAX = 4,
	ORDER_DROPS_MAX = 24,
};

/* A growing array of pointers in the order they were added. */
struct array {
	void **items;
	size_t count, size;
};
void array_add(struct array *a, void *item);
void array_remove(struct array *a, size_t i);
void array_free(struct array *a);	/* with its items */

/* ---- sim.c: time -------------------------------------------------------- */

struct sim;
struct item {
	int64_t at_ms;
	uint64_t order;
	/* arg is freed afterwards unless run takes it (sets it NULL). */
	void (*run)(struct sim *s, struct item *it);
	void *arg;
	uint64_t a, b;
};

/* An event on its way to the engine, with the bytes its slices point to. */
struct post {
	struct event ev;
	uint64_t term;
	bool durable;		/* a gateway keeps it for the next engine */
	uint32_t gateway;
	uint64_t record;	/* of that gateway's process, 0 = none */
	uint32_t used;
	char bytes[POST_BYTES];
};

/* An effect on its way to a role, with its bytes and what the shell looks up. */
struct order {
	struct effect e;
	uint64_t epoch;		/* of the role it was sent to */
	uint32_t host;
	char uuid[ROW_UUID_SIZE], name[ROW_NAME_SIZE];
	bool channel, agent_identity, has_resources, untrusted;
	int64_t longest_ms, idle_ms, linger_ms;
	/* What the site and the machine's row said when it was sent. */
	uint32_t version;
	char image_key[16];
	uint64_t image_built;
	bool image;
	uint64_t nonce;
	uint64_t life;		/* the descriptor leads to */
	bool has_base;
	int volume_count;	/* to make with a domain */
	char volumes[ORDER_VOLUMES_MAX][ROW_VOLUME_SIZE];
	struct volume_row drops[ORDER_DROPS_MAX];
	int drop_count;
	struct volume_row volume;	/* to delete */
	int64_t due_ms;
	uint32_t used;
	char bytes[POST_BYTES];
};

struct life {			/* of a domain: from its start to its end */
	uint64_t id;
	uint32_t host;
	uint64_t machine, incarnation;
	char uuid[ROW_UUID_SIZE], name[ROW_NAME_SIZE];
	bool ours;
	enum domain_state state;
	int64_t agent_ms;	/* when its agent is up; INT64_MAX: never */
	uint32_t version;	/* of what it was built from */
	bool used;		/* a user's bytes went in, cleaned up or not */
	bool unproven;		/* restored, and the proof is not whole */
	/* Sessions whose user left something; 0 = nothing. */
	uint64_t residue;	/* in the guest */
	uint64_t port;		/* in its session port */
	uint64_t carries;	/* whose identity the guest has taken */
	/* The last CONFIRM it was shown, and the last of another session. */
	uint64_t told_session, told_nonce, old_session, old_nonce;
};

struct sim_file {		/* in the storage pool of a host */
	char name[ROW_VOLUME_SIZE];
	uint32_t host;
	uint64_t machine, inode;
	int64_t born_ms;
	bool foreign;
};

struct image {			/* of a machine, on its host's disk */
	uint64_t machine, built;
	char uuid[ROW_UUID_SIZE];
	uint32_t version;
	char key[16];
	uint64_t residue;
	bool damaged;
};

struct sim_host {
	char name[ROW_NAME_SIZE];
	bool isolated;		/* KVM and labels */
	unsigned qemu;		/* its version */
	bool up, stuck;
	uint64_t epoch;
	int64_t frozen_ms;	/* until */
	int64_t out_ms;		/* last arrival at the engine */
	int64_t low_ms;		/* its storage is nearly full until then */
	uint64_t room_call;	/* the poll that was answered last ... */
	int64_t disk_mib;	/* ... with that */
	bool low;		/* what the engine has heard of it */
	bool low_now;		/* the same, heard in this turn */
};

struct hook_run {
	uint64_t call, machine, session;
	enum hook hook;
	enum hook_verb verbs[HOOK_STEPS_MAX];
	uint32_t steps, next;
	bool waiting, lies, said_no;
};

enum conn_state { CONN_REQUESTED, CONN_ACCEPTING, CONN_FLOWING, CONN_DRAINING,
		  CONN_CONFIRMING, CONN_GONE };

struct conn {
	uint64_t id;
	uint32_t gateway;
	enum conn_state state;
	const char *listener, *user, *application;
	char key[16];
	char token[SITE_HASH_SIZE];
	uint32_t count;		/* machines it wants by tickets, 0 = one here */
	char tickets[SIM_COUNT_MAX][SITE_HASH_SIZE];	/* made for it, hashes */
	uint32_t granted;	/* sessions of it in this commit */
	char claim[SITE_HASH_SIZE];	/* it shows this ticket */
	int64_t wait_ms;
	bool authentic, allowed, requested, cut;
	bool stands;		/* in line, as it was told (fair.c) */
	uint32_t tries;		/* sessions it was given */
	uint64_t tried;		/* the last of them */
	int64_t since_ms;
	/* Its session, 0 = none. */
	uint64_t session, machine, incarnation, life;
	uint64_t of;		/* the session it joined, 0 = its own */
	bool channel, accepted, touched, confirm;
	/* Stays until it is told to go: busily, or without another byte. */
	bool stays, silent;
	int64_t longest_ms, idle_ms, linger_ms, moved_ms;
	int64_t ends_ms;	/* not later by its limits; 0 = no limit */
	enum session_end how;
	uint64_t bytes_in, bytes_out;
};

struct port {			/* a machine's way to a resource at gateway 0 */
	uint64_t session, machine, incarnation;
	uint64_t life;		/* its stream leads to, when address is empty */
	uint64_t exchange;	/* its open connection, 0 = none */
	char resource[ROW_NAME_SIZE], user[ROW_USER_SIZE];
	char address[ROW_NAME_SIZE];
	bool allowed;
};

struct sim_gateway {
	bool alive, linked;
	uint64_t epoch;		/* of its process */
	uint64_t start;		/* attempts to start or adopt it */
	uint64_t transactions;
	uint64_t links;		/* times an engine was linked to it */
	uint64_t next_conn;
	int64_t in_ms, out_ms, stalled_ms;
	struct array records;	/* posts kept for the next engine */
	struct array sent;	/* copies of those the engine has not stored */
	uint64_t next_record;
	uint64_t stepped;	/* newest record of the engine's present turn */
};

struct swarm {
	uint16_t permille[SIM_FAULTS];
	bool calm, tiny;
	uint32_t hosts, gateways;
	int64_t arrival_ms;	/* mean between two clients */
	int64_t latency_ms;	/* most of one message */
	bool records_first;	/* gateways send records before ready */
	bool hold_hooks;	/* the shell keeps hook_run for a dead role */
};

/* A committed row and when it was first. */
struct stored_volume {
	struct volume_row row;
	int64_t first_ms;
};

struct sim_node {		/* what a gateway holds of a cluster's node */
	uint32_t gateway, open;
	uint64_t machine, incarnation;
	uint64_t link;		/* of its gateway to an engine: named since */
	int part;		/* enum node_state */
	bool up, told, told_up;
	int64_t ill_ms, drained_ms;	/* until */
	int64_t cut_ms;		/* drained or not */
};

struct store {
	struct array ledgers;		/* struct ledger_row, by first save */
	struct cluster_row cluster;	/* name "" = none */
	struct change_row change;	/* the newest, id 0 = none */
	struct decision_row decision;
	struct array volumes;	/* struct stored_volume */
	struct map machines, sessions, deleted;
	struct map last;		/* machine -> its newest session */
	struct array session_list, machine_list;	/* rows, by first save */
	struct array joins;		/* struct join_row, by first save */
	struct token_row tokens[64];
	size_t token_count;
	struct override_row overrides[64];
	size_t override_count;
	uint64_t counters[7];
};

struct sim {
	struct random random;	/* of everything but the clients' */
	struct swarm swarm;
	bool settling;		/* second phase */
	int64_t now_ms, wall_offset_ms;
	uint64_t next_hash;
	uint64_t next_order, next_life, next_key, next_token, next_ghost;
	struct item *heap;
	size_t heap_count, heap_size;
	uint64_t idle_turns;	/* at the same instant */

	/* The engine. */
	bool running;
	bool rebooted;		/* since the engine that died last */
	struct world world;
	struct effects fx;
	uint64_t term;
	struct array inbox;
	int64_t turn_ms;	/* INT64_MAX: no turn due */
	struct map fds;		/* call -> life: descriptors the engine holds */
	struct map tokens;	/* commands without reply */
	struct store store;

	struct site_spec site;	/* as the operator wrote it last */
	uint32_t disabled;	/* bits: users, by the engine's last word */
	uint32_t absent;	/* bits: pools taken out of it */
	struct sim_host hosts[HOSTS_MAX];
	struct array lives, images;
	struct map wanted;	/* call of a create or restore -> 1 + version */
	struct map lanes;	/* machine -> struct lane: its calls, in order */
	struct map uptimes;	/* machine -> struct uptime (uptime.c) */
	uint32_t foreign;	/* domains that must survive */
	struct array files;
	uint32_t foreign_files;	/* that must survive */
	uint64_t next_inode, base_changes;
	int64_t base_busy_ms;	/* the operator's domain runs until then */

	bool rules_up;
	uint64_t rules_epoch;
	int64_t rules_in_ms, rules_out_ms;
	struct array runs, held;

	/* fair.c: times [x] was served since [y] was, who stands in line. */
	uint32_t passes[APPLICATIONS_MAX][USERS][USERS];
	uint32_t rank_passes[APPLICATIONS_MAX][SIM_RANKS];
	int64_t site_ms;	/* a site was last applied */
	bool lines_anew;	/* a site was applied in this turn */
	struct sim_gateway gateways[GATEWAYS_MAX];
	struct array nodes;	/* struct sim_node */
	struct map were_up;	/* machine and incarnation: a gateway found it well */
	bool vip_held;
	struct array conns, ports;
	char target_resource[ROW_NAME_SIZE];
	uint64_t target_machine, next_exchange;
	bool target_known;	/* gateway 0 can reach the resource */

	struct map bound;	/* hash of (machine, incarnation) -> session */
	struct map accepted;	/* sessions a machine accepted */
	struct map stopped;	/* sessions that were sent a STOP */
	struct map closed;	/* sessions whose gateway saw them end in order */
	/* Machines replaced for their version at this instant, of this pool. */
	struct {
		int64_t at_ms;
		char pool[ROW_NAME_SIZE];
		uint32_t count;
	} roll;
	int64_t settle_from_ms;
	FILE *trace;
	struct sim_result *result;
};

int64_t sim_between(struct sim *s, int64_t low, int64_t high);
bool sim_chance(struct sim *s, unsigned percent);
struct item *sim_at(struct sim *s, int64_t at_ms,
		    void (*run)(struct sim *, struct item *), void *arg,
		    uint64_t a, uint64_t b);
/* Draws a fault; counts it with the state of the machine (0 = none). */
bool sim_fault(struct sim *s, enum sim_fault fault, uint64_t machine);
void sim_count_fault(struct sim *s, enum sim_fault fault, uint64_t machine);
/* A broken rule: ends the run under that name. */
void sim_broken(struct sim *s, const char *invariant, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

struct post *post_new(struct sim *s, enum event_kind kind);
struct slice post_text(struct post *p, const char *text);
/* The copy's slices point into the copy; only kinds of a session's life. */
struct post *post_copy(const struct post *p);
/* Hands the post to the engine after a delay, behind *channel_ms. */
void post_send(struct sim *s, struct post *p, int64_t *channel_ms,
	       int64_t delay_ms);
struct order *order_new(struct sim *s, const struct effect *e);

/* ---- swarm.c: what a seed draws, and the site ------------------------------ */
void swarm_draw(struct sim *s);
void site_draw(struct sim *s);
struct site_spec site_copy(const struct site_spec *site, uint32_t absent);
/* The application begins, or ends, to reach the site's resource. */
void site_toggle_resource(struct sim *s, const char *application);
void site_names_add(struct site_names *n, const char *name);
void *site_room(size_t count, size_t size);
/* What users may take of a listener's, operators aside. */
int64_t site_extend_ms(const struct sim *s, const char *listener);
bool resource_access(const struct sim *s, const struct site_resource *r,
		     const char *user);
/* Its version as a number; 0 = unknown. */
uint32_t version_of(const struct site_pool *p);
void site_release(struct site_spec *site);
const struct site_pool *site_pool_of(const struct sim *s, const char *pool);

/* ---- people.c: users, groups, rules, and what they mean ---------------------- */
const char *site_user_name(uint32_t i);
uint32_t site_draw_limit(struct sim *s);
void people_draw(struct sim *s, struct site_spec *site);
bool people_in(const struct site_spec *site, const char *group,
	       const char *user);
bool people_allow(const struct sim *s, const struct conn *c);
/* An operator's word reached the engine; a crash leaves what was stored. */
void people_command(struct sim *s, const struct event *ev);
void people_restore(struct sim *s);
uint32_t people_priority(const struct sim *s, const char *user);
/* The limit that one more session like this would break, or NULL. */
const char *people_over(const struct sim *s, const struct session_row *row);

/* ---- shell.c: the engine's turn -------------------------------------------- */
void engine_start(struct sim *s);
void engine_crash(struct sim *s);
void engine_turn(struct sim *s);
/* Time of the next turn, INT64_MAX = none. */
int64_t engine_turn_at(const struct sim *s);

/* ---- store.c ------------------------------------------------------------------ */
void store_commit(struct sim *s);
void store_fini(struct store *st);
const struct session_row *store_session(const struct sim *s, uint64_t id);
const struct join_row *store_join(const struct sim *s, uint64_t id);
const struct machine_row *store_machine(const struct sim *s, uint64_t id);
const struct session_row *store_find(const struct sim *s, struct slice user,
				     struct slice key);

const struct volume_row *store_volume(const struct sim *s, const char *name);
/* When its row was first committed; INT64_MAX without one. */
int64_t store_volume_ms(const struct sim *s, const char *name);

/* ---- hypervisor.c, guest.c ------------------------------------------------------ */
void host_start(struct sim *s, uint32_t host);
void host_die(struct sim *s, uint32_t host);
void host_order(struct sim *s, struct order *o);
struct life *life_new(struct sim *s, uint32_t host, uint64_t machine,
		      const char *uuid, const char *name, bool ours);
struct life *life_by_uuid(const struct sim *s, const char *uuid);
/* On that host: a migration may have left another elsewhere. */
struct life *life_on(const struct sim *s, const char *uuid, uint32_t host);
struct life *life_by_id(const struct sim *s, uint64_t id);
/* The running or switched off domain of a machine. */
struct life *life_of_machine(const struct sim *s, uint64_t machine);
void life_end(struct sim *s, struct life *l);
void hint(struct sim *s, const struct life *l, enum domain_hint kind);

struct guest_answer {
	enum call_result result;
	int64_t code;
	char out[80];
	const char *text;
	bool silent;
	uint32_t evidence;
};
void guest_exec(struct sim *s, struct life *l, const struct order *o,
		struct guest_answer *a);

/* ---- volumes.c ------------------------------------------------------------------- */
void volumes_of_order(struct order *o, const struct effect *e,
		      const struct machine *m);
/* Makes the files of a domain; NULL, or why it cannot (some may be there). */
const char *volumes_make(struct sim *s, const struct order *o);
void volume_delete(struct sim *s, const struct order *o);
void volumes_drop(struct sim *s, const struct order *o);
/* Disks of a machine's build that are there. */
int volumes_disks(const struct sim *s, uint64_t machine);
enum call_result base_answer(struct sim *s, struct guest_answer *a);
void volumes_trouble(struct sim *s);
const char *volumes_missing(const struct sim *s);
/* ---- disk.c -------------------------------------------------------------------------- */
struct image *disk_of(const struct sim *s, const char *uuid, uint64_t built);
void disk_delete(struct sim *s, const char *uuid, uint64_t built);
bool is_version(const struct image *im, uint32_t wanted);
/* Both return why not, or NULL. */
const char *disk_save(struct sim *s, const struct order *o,
		       struct guest_answer *a);
const char *disk_restore(struct sim *s, const struct order *o,
			  struct guest_answer *a);

/* ---- rules.c ---------------------------------------------------------------------- */
void rules_start(struct sim *s);
void rules_die(struct sim *s);
void rules_order(struct sim *s, struct order *o);

/* ---- gateway.c, conn.c -------------------------------------------------------------- */
void gateway_start(struct sim *s, uint32_t gateway);	/* adopt or spawn */
void gateway_die(struct sim *s, uint32_t gateway);
/* The engine has committed what it has stepped. */
void gateways_stored(struct sim *s);
void gateway_unlink(struct sim *s, uint32_t gateway);	/* its engine died */
void gateway_order(struct sim *s, struct order *o);
void gateway_post(struct sim *s, uint32_t gateway, struct post *p);
struct conn *conn_of_session(const struct sim *s, uint32_t gateway,
			     uint64_t session);
/* The session whose connection it is, its own or one it joined. */
uint64_t conn_session(const struct conn *c);
struct conn *conn_by_id(const struct sim *s, uint32_t gateway, uint64_t id);
void conn_arrive(struct sim *s);
void conn_request(struct sim *s, struct conn *c);
/* A further connection at a gateway; NULL when it is not there. */
struct conn *conn_open(struct sim *s, uint32_t gateway);
void conn_assign(struct sim *s, const struct order *o);
/* The engine wants it ended if no byte has moved for quiet_ms. */
void conn_stop(struct sim *s, struct conn *c, int64_t quiet_ms);
void conn_refuse(struct sim *s, struct conn *c);
void conn_finish(struct sim *s, struct conn *c, enum session_end how);
/* It was cut off; its client may come back. */
void conn_cut(struct sim *s, struct conn *c);
/* An operator gives the session more time, perhaps. */
void conns_extended(struct sim *s, uint64_t session, int64_t ms);
/* The machine's side of every connection to that domain breaks. */
void conns_life_ended(struct sim *s, const struct life *l);

/* ---- resource.c: ways to resources at gateway 0 --------------------------------------- */
void resource_port(struct sim *s, const struct order *o);
void resource_close(struct sim *s, const struct order *o);
void resource_report(struct sim *s);
void resource_ports_lost(struct sim *s, const struct life *l);
/* Some guest asks for the resource. */
void resource_knock(struct sim *s);
void oracle_port(struct sim *s, const struct effect *e);

/* ---- nodes.c: clusters --------------------------------------------------------------------- */
void nodes_draw_site(struct sim *s);
void nodes_change_site(struct sim *s);
void nodes_start(struct sim *s);
/* NODE_SET or NODE_DROP has come to its gateway. */
void nodes_order(struct sim *s, const struct order *o);
void nodes_gateway_died(struct sim *s, uint32_t gateway);
void nodes_gateway_linked(struct sim *s, uint32_t gateway);
void nodes_rule_run(struct sim *s, const struct effect *e);
void nodes_stats(struct sim *s, const struct effect *e);
void nodes_vip(struct sim *s, const struct effect *e);
/* Why not, or NULL. */
const char *nodes_migrate(struct sim *s, const struct order *o);
void nodes_operator(struct sim *s, struct post *p);

/* ---- oracle_nodes.c -------------------------------------------------------------------------- */
void oracle_node(struct sim *s, const struct effect *e);
void oracle_drain(struct sim *s, const struct machine *m);
void oracle_hint(struct sim *s, uint64_t machine);
void oracle_words(struct sim *s);
void oracle_ledger(struct sim *s, const struct ledger_row *row);
void oracle_placed(struct sim *s, const struct machine_row *row);
void oracle_change(struct sim *s, const struct change_row *row);
const char *nodes_missing(const struct sim *s, const char **name);

/* ---- chaos.c: what happens by itself ---------------------------------------------------- */
void chaos_start(struct sim *s);
void operator_act(struct sim *s);

/* ---- oracle.c ------------------------------------------------------------------------------ */
void oracle_session(struct sim *s, const struct session_row *old,
		    const struct session_row *row);
void oracle_machine(struct sim *s, const struct machine_row *old,
		    const struct machine_row *row);
void oracle_act(struct sim *s, const struct effect *e);
/* An answer the engine is about to hear; the end of its turn; its death. */
void oracle_room(struct sim *s, const struct event *ev);
void oracle_room_turn(struct sim *s);
void oracle_room_forget(struct sim *s);
void oracle_assign(struct sim *s, const struct effect *e);
void oracle_destroy(struct sim *s, const struct order *o, const struct life *l);
/* A file is about to be made, or deleted. */
void oracle_make(struct sim *s, const struct order *o, const char *name);
void oracle_unlink(struct sim *s, const struct order *o,
		   const struct sim_file *f);
/* A volume's row goes. */
void oracle_volume_gone(struct sim *s, const struct volume_row *row);
void oracle_save(struct sim *s, const struct life *l);
void oracle_restore(struct sim *s, const struct order *o,
		    const struct image *im);
/* A domain of that order is about to run. */
void oracle_isolated(struct sim *s, const struct order *o);
/* A user's bytes are about to enter that domain. */
void oracle_touch(struct sim *s, const struct life *l, uint64_t session);
void oracle_restart(struct sim *s);
void oracle_fd_in(struct sim *s, uint64_t call, uint64_t life);
/* Returns the life the descriptor leads to. */
uint64_t oracle_fd_out(struct sim *s, uint64_t call, const char *what);

/* ---- uptime.c: what machines ran, beside the ledger ----------------------------------------- */
void uptime_crashed(struct sim *s, const struct life *l);
void uptime_ledger(struct sim *s, const struct ledger_row *row);
/* The job whose good result is about to be stepped, and its machine; then it has
 * been. */
enum job uptime_job(const struct sim *s, const struct event *ev,
		    uint64_t *machine);
void uptime_done(struct sim *s, enum job job, uint64_t machine);
void uptime_turn(struct sim *s);
void uptime_restart(struct sim *s);
void uptime_fini(struct sim *s);

/* ---- tokens.c: tokens made while the engine runs ------------------------------------------- */
void tokens_draw_command(struct sim *s, struct post *p);
void tokens_draw_client(struct sim *s, struct conn *c);
void tokens_save(struct sim *s, const struct token_row *row);
void tokens_delete(struct sim *s, const struct token_row *row);
/* A session is being saved: was its token good for it? */
void tokens_spent(struct sim *s, const struct conn *c,
		  const struct session_row *row);

/* ---- tickets.c: several machines for one request --------------------------------------------- */
void tickets_draw_client(struct sim *s, struct conn *c);
/* The shell makes them for a request. */
void tickets_make(struct sim *s, struct conn *c, struct event *ev);
/* A ticket has come to a client; perhaps somebody will use it. */
void tickets_come(struct sim *s, struct conn *c, const struct order *o);
/* The connection whose request a session with a ticket is of, or its own. */
struct conn *tickets_conn(const struct sim *s, const struct session_row *row);
void tickets_session(struct sim *s, const struct session_row *old,
		     const struct session_row *row);
void tickets_commit(struct sim *s);

/* ---- fair.c: the order of service ------------------------------------------------------------- */
void fair_served(struct sim *s, const struct session_row *row);
void fair_commit(struct sim *s);
void fair_crash(struct sim *s);
/* Lines are made anew with the site: turns begin again. */
void fair_forget(struct sim *s);

/* ---- converge.c --------------------------------------------------------------------------------- */
/* NULL when everything is at rest, else what is not; *name its invariant. */
const char *converge_missing(struct sim *s, const char **name);

/* ---- trace.c --------------------------------------------------------------------------------------- */
void trace_event(struct sim *s, const struct event *ev);
void trace_effect(struct sim *s, const struct effect *e);
void trace_machine(struct sim *s, const struct machine_row *row);
void trace_session(struct sim *s, const struct session_row *row);
void trace_note(struct sim *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
