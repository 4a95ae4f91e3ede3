/*
 * The engine's shell: everything around the pure core.  One thread, one libuv
 * loop.  Callbacks turn what happened into events and step the core at once;
 * when the loop has nothing more to read, the turn ends: one commit, then acts,
 * sends and shows in that order (house.md 2).  Nothing here waits for a role.
 */
#ifndef REMUDA_LOOP_SHELL_H
#define REMUDA_LOOP_SHELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "db/db.h"
#include "engine/base/error.h"
#include "engine/core/step.h"
#include "engine/engine.h"
#include "engine/loop/throttle.h"
#include "engine/loop/source.h"
#include "engine/wire/message.h"
#include "engine/wire/sshkey.h"

enum {
	SHELL_KEY_SIZE = 32,
};
/* Calls of the shell itself, not the core's, have this bit. */
#define SHELL_CALL_BIT (1ull << 63)

struct shell;

/* ---- link.c: one SEQPACKET connection to a role ----------------------- */

struct link_packet;
struct held_message;
struct pool_history;
struct link {
	struct shell *shell;
	int fd;				/* -1 = closed */
	uv_poll_t poll;
	struct link_packet *first, **last;	/* not sent yet */
	bool gathers;			/* until link_push: several to a packet */
	bool full;			/* the socket is: flushed when it is not */
	void (*on_message)(struct link *l, struct message *m);
	void (*on_close)(struct link *l, const char *why);
	void (*on_freed)(struct link *l);	/* the poll handle is gone */
	void *owner;
};

/* Takes fd. */
void link_open(struct shell *sh, struct link *l, int fd);
/* Queues when the socket is full, or the link gathers.  Descriptors stay the
 * caller's. */
/* Reads what has come, without waiting for the loop. */
void link_hear(struct link *l);
void link_send(struct link *l, const struct message *m);
void link_push(struct link *l);
void link_close(struct link *l);

/* ---- child.c: role processes --------------------------------------------- */

struct child {
	uv_process_t process;
	bool running;
	void (*on_exit)(struct child *c, int64_t status, int signal);
	void *owner;
};

/*
 * Starts `remuda role ARGS...` with fds[i] as descriptor 3 + i.  Detached
 * children outlive the engine.  fds stay the caller's.
 */
int child_start(struct shell *sh, struct child *c, const char *const args[],
		const int *fds, int fd_count, bool detached, struct error *err);

/* ---- roles ------------------------------------------------------------------- */

struct host_role {
	struct shell *shell;
	char host[SITE_NAME_SIZE];
	struct link link;
	struct child child;
	uv_timer_t restart;
	bool ready;
	/* What libvirt said of the host when it was last met. */
	char version[64], hostname[128];
	uint32_t cpus;
	uint64_t memory_mib;
	bool kvm, isolated, known;
	char labels[192];
	struct host_role *next;
};

struct gateway_role {
	struct shell *shell;
	uint32_t index;
	struct link link;
	struct child child;
	uv_timer_t restart;
	pid_t pid;
	bool adopted;
	bool linked;		/* link open */
	bool known;		/* said hello */
	bool ready;		/* its report is over */
	uint64_t build;		/* it runs; 0 = one that cannot say */
	bool draining;		/* gives way for another (renew.c) */
	bool retired;		/* one more than is wanted, and gone */
	int64_t since_wall_ms;
	uv_timer_t ping;
	uint64_t pings;
	uint32_t unanswered;	/* pings in a row */
	uint64_t record, stored;	/* newest stepped, newest acknowledged */
	char why[80];		/* it was ended by us */
};

struct rules_role {
	struct link link;
	struct child child;
	uv_timer_t restart;
	bool ready, loaded;
	struct held_message *held, **held_last;	/* hook_run till loaded */
	struct list runs;			/* of rules (rule_runs.c) */
	struct pool_history *history;		/* of pools with rules */
};

struct net_vip;
struct net_role {
	struct link link;
	struct child child;
	uv_timer_t restart, soon;
	bool ready;
	bool loaded;		/* what an engine before this one left */
	struct net_vip *vips;
	uint64_t removals;	/* asked for */
};

/* What gateways get of a listener's TLS files; bytes NULL: nothing. */
struct listener_keys {
	char *bytes;			/* certificate, key, client_ca */
	uint32_t length[SITE_TLS_FILES];
	int64_t expires_wall_ms;	/* the first certificate to end */
	char expires_file[SITE_PATH_SIZE];
	int warned;			/* steps told (keys.c) */
};

/* The host key of an ssh listener; text NULL: it has none. */
struct listener_ssh {
	char *text;			/* private, OpenSSH's form */
	char line[SSHKEY_LINE_MAX];	/* public */
};

/* What one gateway says of a listener (gateway_door). */
struct listener_counts {
	uint32_t opening;
	uint64_t refused, turned_away, evicted;
};

struct listener {
	struct listener *next;
	uint64_t id;
	char name[SITE_NAME_SIZE];
	struct site_listener spec;
	int fds[WORLD_GATEWAYS_MAX];	/* one each with SO_REUSEPORT, or shared */
	char state[96];			/* "listening", or why not */
	struct listener_keys keys;
	struct listener_ssh ssh;
	struct listener_counts counts[WORLD_GATEWAYS_MAX];
};

struct kept_fd {
	uint64_t call;
	int fd;
	struct kept_fd *next;
};

struct control;
struct metrics;

/* What metrics count as turns go by (metrics.c); since this engine began. */
enum { METRICS_BUCKETS = 12 };
struct metrics_counts {
	uint64_t next_session;		/* below: counted as begun */
	uint64_t begun, closed, lost, failed;	/* ends: when the machine is clean */
	uint64_t refused, cancelled;
	uint64_t waits[METRICS_BUCKETS];
	int64_t wait_ms;
	uint64_t cleaned;
	int64_t clean_ms;
	uint64_t events[3];		/* by severity */
	uint64_t changes[CHANGE_STATES];	/* that are over, by state */
	int64_t commit_us;
	uint64_t policy_rounds;		/* of all clusters, once a minute */
	int64_t policy_us, policy_last_us, policy_most_us;	/* processor time */
};

/* Housekeeping of the store. */
struct keeper {
	uv_timer_t timer;
	uv_timer_cb on_timer;
	int64_t next_pass_ms;	/* of deleting */
	bool short_of_room;	/* told so */
};

/* The service manager (notify.c); fd -1 = there is none. */
struct notify {
	int fd;
	uv_timer_t timer;
	bool watched;		/* it wants signs of life */
	bool reloading;		/* told so, and not yet ready again */
	char status[200];	/* told last */
};

/* Who waits for an outcome: client 0 = nobody. */
struct asker {
	uint64_t client;
	int64_t id;
	char who[ROW_USER_SIZE];
};

enum load_purpose {
	LOAD_NONE,
	LOAD_START,	/* the engine's first site */
	LOAD_AGAIN,	/* the site in force, for a rules role that was restarted */
	LOAD_RELOAD,	/* the site file, applied unless it destroys machines */
	LOAD_PLAN,	/* only to say what it would do */
	LOAD_APPLY,
};

/* A statement made at run time that comes or, text NULL, goes (runtime.c). */
struct runtime_change {
	char kind[32], name[SITE_NAME_SIZE];	/* kind "" = none */
	char *text;				/* owned */
};

/* A site being read (site_load.c), and who waits for the outcome: client 0 =
 * nobody; who is for the record, "" when the engine itself wants it. */
struct site_load {
	enum load_purpose purpose;
	char hash[SITE_HASH_SIZE];	/* of the site file's text */
	char version[SITE_HASH_SIZE];	/* of it and its modules */
	struct source source;		/* their texts, as they come */
	struct source from;		/* taken from here, not from files; owned */
	char expect[SITE_HASH_SIZE];	/* LOAD_APPLY: the version that was planned */
	struct runtime_change change;
	char *runtime;			/* the statements of run time; owned */
	char said[100];			/* the answer to success, "" = the usual */
	uint64_t client;
	int64_t id;
	char who[ROW_USER_SIZE];
};

struct shell {
	struct engine_options o;
	uv_loop_t loop;
	uv_check_t check;
	uv_prepare_t prepare;
	uv_timer_t timer;
	uv_signal_t sigterm, sigint, sighup;
	struct world world;
	struct effects fx;
	struct db *db;
	uint64_t reserved[DB_COUNTERS];	/* ids below are covered by the store */
	uint8_t key[SHELL_KEY_SIZE];
	char store[DB_STORE_SIZE];	/* db_store */
	char site_dir[1024], exe[1024];
	bool pending;			/* stepped, not yet committed */
	bool in_turn;
	bool stopping, started;
	bool closing;			/* stop when the last machine is gone */
	int exit_code;
	uint64_t site_turn;		/* the world's turn a site was applied in */
	uint64_t turns, commits, next_shell_call;
	uint64_t saved_turn;		/* the world's turn last made durable */
	int64_t started_ms;
	struct host_role *hosts;
	struct gateway_role gateways[WORLD_GATEWAYS_MAX];
	uint32_t gateway_count;		/* indices in use */
	uint32_t gateway_wanted;	/* more are there for a while only */
	uint64_t build;			/* build_number() */
	uv_timer_t renew_timer;
	struct rules_role rules;
	struct net_role net;
	struct listener *listeners;
	uint64_t next_listener;
	struct throttle throttle;	/* failed logins (auth.c) */
	struct map kept;		/* call id -> struct kept_fd */
	struct control *control;
	char boot[64];			/* of this computer; "" once it is saved */
	struct site_load load;
	struct source site_source;	/* of the site in force */
	struct json_t *site_json;
	struct asker destroy;		/* who waits for the site's end */
	struct gc *gc;			/* being looked for, or NULL */
	struct metrics *metrics;	/* listens, or NULL */
	char metrics_at[64];		/* "127.0.0.1:9090", or "" */
	char metrics_state[64];		/* "listening", or why not */
	struct metrics_counts counts;
	struct keeper keeper;
	struct notify notify;
	struct backup *backup;		/* being made, or NULL */
	struct pager *pager;		/* pager.c; NULL before the first event */
	uv_timer_t keys_timer;
	char site_error[600];		/* why the site file is not in force, or "" */
};

/* ---- turn.c -------------------------------------------------------------------- */

int64_t shell_now_ms(void);	/* CLOCK_BOOTTIME */
int64_t shell_wall_ms(void);
void shell_random(void *out, size_t size);
uint64_t shell_nonce(void);	/* random, never 0 */
/* SHA-256 of bytes as lower-case hex. */
/* Fills in site_pool.version of every pool (site_version.c). */
void site_version_set(const struct shell *sh, struct site_spec *spec);
void shell_hash(const void *bytes, size_t length, char out[SITE_HASH_SIZE]);
/* Stamps the event and steps the core. */
void shell_step(struct shell *sh, struct event *ev);
/* Ends the turn if one is pending. */
void shell_turn(struct shell *sh);
/* A broken store or environment: says why and ends the process. */
void shell_die(struct shell *sh, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void shell_stop(struct shell *sh, int exit_code);
void shell_keep_fd(struct shell *sh, uint64_t call, int fd);
int shell_take_fd(struct shell *sh, uint64_t call);	/* -1 = none */

/* ---- act.c: one effect to the roles ------------------------------------------------ */
void shell_perform(struct shell *sh, const struct effect *e);
/* "ip:port" of a machine with a tcp endpoint, else "". */
void shell_machine_address(const struct machine *m, char *out, size_t size);
/* MACHINE.BUILT.ram: its RAM image's file, as storage.h names volumes. */
void shell_image_name(const struct machine *m, char *out, size_t size);

/* A path of the site file: relative ones are relative to its folder. */
void shell_site_path(const struct shell *sh, const char *path, char *out,
		     size_t size);

/* ---- clusters.c: clusters and nodes, to the gateways and back ----------------------- */
void clusters_send(struct shell *sh, const struct effect *e);
/* False: not a message about them. */
bool clusters_to_event(uint32_t gateway, const struct message *m,
		       struct event *ev);
/* Is there a node that gateways can serve without an engine? */
bool clusters_serve_alone(const struct shell *sh);

/* ---- volumes.c ------------------------------------------------------------------------ */
/* What a machine's disks are made from; texts live until the next call. */
void volumes_describe(const struct shell *sh, const struct machine *m,
		      struct wire_domain_create *d);
/* The overlays a restore makes and drops; valid until the next message. */
void volumes_of_restore(const struct machine *m, struct wire_domain_restore *d);
void volumes_act(struct shell *sh, const struct effect *e);
void volumes_on_made(struct shell *sh, const struct wire_volume_made *v);

/* ---- gc.c: what is left over ------------------------------------------------------------- */
struct gc;
void gc_on_volume(struct shell *sh, const char *host, const struct message *m);
void gc_on_mark(struct shell *sh, const char *host, const struct message *m);
/* True when the call was one of its own. */
bool gc_on_done(struct shell *sh, const char *host, const struct message *m);
/* One more address is gone, or cannot go. */
void gc_on_net(struct shell *sh);
void gc_on_host_lost(struct shell *sh, const char *host);
/* The last machine of a site to be destroyed is gone. */
void gc_end_site(struct shell *sh);

/* ---- hosts.c, gateways.c, rules_link.c, listen.c, auth.c ----------------------------- */
void hosts_sync(struct shell *sh);	/* a role for each host of the site */
struct host_role *hosts_find(const struct shell *sh, const char *host);
void hosts_restart(struct shell *sh, const char *host);
void hosts_stop(struct shell *sh);

void gateways_start(struct shell *sh);
/* Reads at once what a gateway has said up to now. */
void gateways_hear(struct shell *sh, uint32_t index);
void gateways_send(struct shell *sh, uint32_t index, const struct message *m);
/* Sends what was gathered for them. */
void gateways_flush(struct shell *sh);
/* After a commit: tells each what of its records it may forget. */
void gateways_stored(struct shell *sh);
void gateways_stop(struct shell *sh);
/* One more, at the next index. */
void gateways_add(struct shell *sh);
void renew_start(struct shell *sh);	/* renew.c */

int rules_start(struct shell *sh, struct error *err);
/* Reads the site file anew; the result is an EVENT_SITE or site_error. */
void rules_send(struct shell *sh, const struct message *m);
/* Hooks run under the site last read, of that hash, from here on. */
void rules_use(struct shell *sh, const char *hash);

/* ---- rule_runs.c: EFFECT_RULE_RUN to EVENT_RULE_DONE ------------------------------- */
void rule_runs_act(struct shell *sh, const struct effect *e);
/* The role has its site: sends what waits. */
void rule_runs_send(struct shell *sh);
void rule_runs_done(struct shell *sh, const struct message *m);
/* The role died: those that were sent have failed. */
void rule_runs_lose(struct shell *sh);
/* ---- net_link.c: virtual addresses ------------------------------------------------- */
void net_init(struct shell *sh);
/* EFFECT_VIP: hold a cluster's address, or let it go.  An EVENT_VIP follows at
 * each change, never within the turn. */
void net_act(struct shell *sh, const struct effect *e);
/* A site was applied: moves what it has elsewhere, and lets go what an engine
 * before this one held for clusters that are no more. */
void net_sync(struct shell *sh);
/* Lets all go: true when nothing is left but what cannot go, with trouble. */
bool net_let_go(struct shell *sh, char *trouble, size_t size);
/* Its addresses stay: gateways serve them. */
void net_stop(struct shell *sh);

/* ---- site_load.c: reading a site, one at a time ------------------------------------ */
/* Takes wish->from.  -1 when it could not begin: then nobody is answered. */
int site_load_begin(struct shell *sh, const struct site_load *wish,
		    struct error *err);
/* The site that was in force before this one: 1, 0 = there is none, -1. */
int site_load_previous(struct shell *sh, struct db_bundle *b, struct error *err);
void site_load_need(struct shell *sh, const struct message *m);
void site_load_done(struct shell *sh, struct message *m);
void site_load_error(struct shell *sh, const struct message *m);
void site_load_role_ready(struct shell *sh);
void site_load_role_lost(struct shell *sh);

void rules_stop(struct shell *sh);
/* First good site: restores what was saved (turn.c's rows). */
void shell_apply_site(struct shell *sh, struct site_spec *spec);
void shell_site_applied(struct shell *sh);
/* Keeps the texts of the site about to be applied, durably. */
void shell_save_bundle(struct shell *sh, const struct site_load *load,
		       const char *json);

void listeners_sync(struct shell *sh);
/* Sockets for a gateway that has none; and away with them. */
void listeners_open_for(struct shell *sh, uint32_t gateway);
void listeners_withdraw(struct shell *sh, uint32_t gateway);
/* Does anything meet at gateway 0? */
bool listeners_any_inner(const struct shell *sh);
void listeners_tell(struct shell *sh, uint32_t gateway);
/* A door of a resource, by its name; NULL when it has none. */
const struct listener *listeners_inner(const struct shell *sh,
				       enum site_door door, const char *name);
const struct listener *listeners_by_id(const struct shell *sh, uint64_t id);

void listeners_on_counts(struct shell *sh, uint32_t gateway,
			 const struct message *m);

/* ---- keys.c: TLS files ------------------------------------------------------ */

/* Can every listener of spec have its TLS?  Changes nothing. */
int keys_check(const struct shell *sh, const struct site_spec *spec,
	       struct error *err);
/* Reads a listener's files; on an error it keeps what it has. */
void keys_load(struct shell *sh, struct listener *l);
/* Reads all files again and tells the gateways. */
void keys_reload(struct shell *sh);
void keys_tell(struct shell *sh, const struct listener *l, uint32_t gateway);
void keys_forget(struct listener *l);
/* Looks every hour for certificates that end. */
void keys_watch(struct shell *sh);

#define SSH_AUTHORITY "ssh_host_ca"

/* ---- ssh_keys.c: host keys, the host authority ------------------------------ */

/* As the keys_ functions of that name. */
int ssh_keys_check(const struct shell *sh, const struct site_listener *l,
		   struct error *err);
void ssh_keys_load(struct shell *sh, struct listener *l);
void ssh_keys_tell(struct shell *sh, const struct listener *l, uint32_t gateway);
void ssh_keys_forget(struct listener *l);
/* The private text of the site's own key of that file name in the state
 * directory, made when it is missing; freed by ssh_keys_free. */
char *ssh_keys_own(const struct shell *sh, const char *name, struct error *err);
void ssh_keys_free(char *text);
/* The certificate's line for a machine's host key, for that application. */
int ssh_keys_sign(const struct shell *sh, const char *public_line,
		  const char *application, const char *id,
		  char out[SSHKEY_CERT_MAX], struct error *err);

void keeper_start(struct shell *sh);

/* ---- notify.c: words for the service manager ------------------------------------- */
void notify_start(struct shell *sh);
void notify_ready(struct shell *sh);
void notify_reloading(struct shell *sh);
/* Each turn of the loop: ready again when the reload is over. */
void notify_turn(struct shell *sh);
void notify_stopping(struct shell *sh);
void notify_failed(struct shell *sh, const char *why);

/* Begins one; the client is answered at its end. */
int backup_start(struct shell *sh, uint64_t client, int64_t id, const char *path,
		 bool with_key, struct error *err);
/* One that is not whole is removed. */
void backup_stop(struct shell *sh);

void auth_request(struct shell *sh, uint32_t gateway, const struct message *m);
/* A ticket shown by a client. */
void auth_claim(struct shell *sh, uint32_t gateway, const struct message *m);
/* A client at an ssh door offers a key: answered at once, nothing is recorded. */
void auth_ssh_login(struct shell *sh, uint32_t gateway, const struct message *m);

/* ---- control.c, verbs.c, show.c ----------------------------------------------------------- */
int control_start(struct shell *sh, struct error *err);
void control_stop(struct shell *sh);
/* Answers a request of a client that may be gone meanwhile. */
void control_answer(struct shell *sh, uint64_t client, int64_t id, bool ok,
		    const char *code, const char *text);
void control_on_reply(struct shell *sh, const struct effect *e);
void control_on_event(struct shell *sh, const struct event_row *row);
/* Called at the end of each turn. */
void control_on_turn(struct shell *sh);
/* An answer to a call of the shell's own; false when it is not a guest_exec. */
bool guest_exec_done(struct shell *sh, const struct message *m);
/* A rule_done of a replay (verbs_rule.c); false: it is the core's. */
bool rule_replay_done(struct shell *sh, const struct message *m);
void rule_replays_lost(struct shell *sh);
void control_on_console(struct shell *sh, uint64_t call, bool ok, int fd,
			const char *text);
/* Sends a message to a host's role; false when it is down. */
bool hosts_send(struct shell *sh, const char *host, const struct message *m);

#endif
