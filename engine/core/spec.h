/*
 * The site as it is declared: what the site file says, checked, with every
 * default filled in and every reference known to resolve.  Plain data: arrays
 * in the order of their declaration, durations in ms, memory in MiB.
 *
 * engine/loop/site.c makes it from the JSON of the rules role (site_decode);
 * whoever holds a struct site_spec owns all
 * its arrays.  A NULL array has count 0.  Paths are as written: relative ones
 * are relative to the folder of the site file.
 */
#ifndef REMUDA_CORE_SPEC_H
#define REMUDA_CORE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/network.h"

enum {
	SITE_NAME_SIZE = 64,		/* text_is_name, with its NUL */
	SITE_PATH_SIZE = 1024,
	SITE_KEYS_MAX = 16,		/* ssh keys of a user */
	SITE_SOCKET_SIZE = 108,		/* sun_path, with its NUL */
	SITE_CMDLINE_SIZE = 2048,
	SITE_URI_SIZE = 256,
	SITE_PASSWORD_SIZE = 256,	/* a crypt(3) hash */
	SITE_VERSION_SIZE = 33,		/* hex, of what machines are made of */
	SITE_HASH_SIZE = 65,		/* hex SHA-256 */
	SITE_FILE_SIZE = 256,
	SITE_PRIORITY_MAX = 9,
	SITE_LIMIT_MAX = 1000000,
	SITE_DOMAIN_SIZE = 256,		/* name of a libvirt domain */
	SITE_USER_DATA_SIZE = 16384,	/* as clouds have it */
	SITE_META_DATA_SIZE = 2048,
	SITE_COUNT_MAX = 1000,		/* objects of one kind, names in a list */
	SITE_MACHINES_MAX = 10000,	/* of one pool */
	SITE_NODES_MAX = 64,		/* of one cluster */
	SITE_ADDRESS_SIZE = 48,		/* text of an IP address */
	SITE_INTERFACE_SIZE = 16,	/* IFNAMSIZ */
	SITE_HEALTH_SIZE = 256,		/* what a check says and expects */
};

#define SITE_DURATION_MAX_MS (30ll * 86400 * 1000)

/* Values equal those of engine/wire/message.h where it has the same enum. */
enum site_endpoint {
	ENDPOINT_CHANNEL = 1,	/* framed virtio-serial port (decisions.md 17) */
	ENDPOINT_TCP = 2,
	ENDPOINT_UNIX = 3,
};
enum site_identity {
	IDENTITY_NONE = 1,
	IDENTITY_PROXY = 2,
	IDENTITY_AGENT = 3,	/* applications only: the accept hook */
	IDENTITY_IDENT = 4,	/* resources only: RFC 1413 */
};
enum site_recycle {
	RECYCLE_CLEAN = 1,	/* the clean hook, confirmed */
	RECYCLE_REBUILD = 2,
	RECYCLE_NONE = 3,	/* the machine keeps nothing of a user */
	RECYCLE_REVERT = 4,	/* back to its image of after prepare */
};
enum site_door {
	DOOR_DIRECT = 1,
	DOOR_NATIVE = 2,
	DOOR_CONNECT = 3,
	DOOR_SOCKS5 = 4,
	DOOR_SSH = 5,
	/* Never in a site_spec: the shell opens them for its resources. */
	DOOR_RESOURCE = 20,	/* resource.listen */
	DOOR_IDENT = 21,	/* resource.ident */
	DOOR_CLUSTER = 22,	/* cluster.vip */
};
enum site_user_source {
	USER_FIXED = 1,
	USER_PEER = 2,
	USER_PASSWORD = 3,
	USER_CERTIFICATE = 4,	/* of a TLS client */
	USER_NETWORK = 5,	/* by source address */
	USER_KEY = 6,		/* of an ssh client */
};
enum site_hook {	/* bits of site_application.hooks: 1 << SITE_HOOK_x */
	SITE_HOOK_PREPARE = 1,
	SITE_HOOK_READY = 2,
	SITE_HOOK_ACCEPT = 3,
	SITE_HOOK_CLEAN = 4,
	SITE_HOOK_START = 5,	/* the application, by strategy move */
	SITE_HOOK_STOP = 6,
	SITE_HOOK_HEALTH = 7,	/* of a cluster's node, in the guest */
};
/* How a cluster's transactions are spread (spec 3.2). */
enum site_balance {
	BALANCE_LEAST = 1,	/* fewest open transactions */
	BALANCE_ROUND_ROBIN = 2,
	BALANCE_FIRST_FREE = 3,	/* the first with fewer than `busy` */
};
/* How transactions get from an old node to a new one (spec 3.6). */
enum site_strategy {
	STRATEGY_FAILOVER = 1,	/* drain the old, switch */
	STRATEGY_SHUTDOWN = 2,	/* end the old; the cluster fails over */
	STRATEGY_MOVE = 3,	/* stop the application there, start it here */
	STRATEGY_LIVE = 4,	/* migrate, or add and take away while it runs */
};
enum site_spread { SPREAD_NONE = 1, SPREAD_HOSTS = 2, SPREAD_SITES = 3 };

/* Where a statement stands, for messages: "site.lua", 12. */
struct site_place {
	char file[SITE_FILE_SIZE];
	uint32_t line;
};

/* A list of names; all = "*", then names is empty. */
struct site_names {
	bool all;
	char (*names)[SITE_NAME_SIZE];
	size_t count;
};

struct site_host {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	char uri[SITE_URI_SIZE];	/* libvirt URI or "auto" */
	uint32_t boot_parallel;		/* machines booting at once, 1..64 */
	char site[SITE_NAME_SIZE];	/* where it stands; "" = unsaid */
	struct site_names labels;	/* never "all" */
	/* What machines may use of it together; 0: vcpus without a bound, memory
	 * as libvirt says it has. */
	uint32_t vcpus;
	uint64_t memory_mib;
	char migrate[SITE_URI_SIZE];	/* live migration comes in here; "" = default */
};

/* Where machines may be made (core/placement.c). */
struct site_placement {
	struct site_names hosts;	/* candidates; all = every host */
	struct site_names labels;	/* a host must have each; never "all" */
	struct site_names sites;	/* in order of preference; all = any */
	enum site_spread spread;	/* machines of one pool keep apart */
};

struct site_application {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	char version[SITE_HASH_SIZE];	/* hash of the bundle it came with */
	enum site_endpoint endpoint;
	/*
	 * TCP: host is empty (the machine's own address) or a pattern of an
	 * address; UNIX: path is a pattern of a socket path on the machine's
	 * host.  Patterns hold {index} and {machine}.
	 */
	char host[SITE_NAME_SIZE];
	uint32_t port;
	char path[SITE_SOCKET_SIZE];
	enum site_identity identity;
	bool shared;			/* connections = "shared" (core/share.c) */
	bool agent;			/* machines run the guest agent */
	struct site_names resources;	/* never "all" */
	uint32_t hooks;			/* 1 << enum site_hook */
	char prepared[SITE_VERSION_SIZE];	/* fingerprint of the prepare hook */
	int64_t prepare_deadline_ms;
	int64_t ready_deadline_ms;
	int64_t accept_deadline_ms;
	int64_t clean_deadline_ms;
	uint32_t limit;			/* sessions and waiting at once; 0 = none */
	/* Limits of a session (core/limit.c); 0 = none. */
	int64_t idle_ms;		/* without a byte either way */
	int64_t longest_ms;		/* from its accept */
	int64_t warn_ms;		/* before the end by longest */
	int64_t half_close_ms;		/* without a byte, one side closed */
	int64_t linger_ms;		/* after a lost connection */
};

struct site_pool {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	char application[SITE_NAME_SIZE];
	char host[SITE_NAME_SIZE];	/* the first candidate */
	struct site_placement placement;
	bool cluster;			/* its machines are nodes of the cluster of
					 * this name: serve, spare, max, saved, vcpus and
					 * memory are the cluster's business */
	uint32_t serve, spare, max;	/* spare <= serve <= max */
	/* One of kernel (initrd and cmdline optional), template, from, image; in cmdline
	 * and in the template's text {index} and {machine} are filled in. */
	char kernel[SITE_PATH_SIZE];
	char initrd[SITE_PATH_SIZE];
	char cmdline[SITE_CMDLINE_SIZE];
	char template_path[SITE_PATH_SIZE];
	char from[SITE_DOMAIN_SIZE];	/* an operator's domain, cloned */
	char image[SITE_PATH_SIZE];	/* a disk image, cloned */
	bool copy;			/* full copies instead of overlays */
	uint64_t disk_mib;		/* the disk is grown to this, 0 = not */
	/* cloud-init, with from and image: "" = none.  meta_data: lines beside
	 * those we write (instance-id, local-hostname). */
	char user_data[SITE_USER_DATA_SIZE];
	char meta_data[SITE_META_DATA_SIZE];
	char network_config[SITE_META_DATA_SIZE];
	uint32_t vcpus;			/* 1..256; 0 with from: as there */
	uint64_t memory_mib;		/* 0 with from: as there */
	uint64_t volume_mib;		/* 0: no data disk */
	enum site_recycle recycle;
	uint32_t saved;			/* kept on disk beside those that run */
	bool keep;			/* machines outlive sessions and keep their volume */
	bool untrusted;
	int64_t boot_deadline_ms;
	int64_t shrink_after_ms;
	/* Of what its machines are made: another one makes those that are there
	 * outdated (site_version_set); "" = never. */
	char version[SITE_VERSION_SIZE];
};

enum { SITE_TLS_CERTIFICATE, SITE_TLS_KEY, SITE_TLS_CLIENT_CA, SITE_TLS_FILES };
struct site_tls {
	/* PEM files as written; without certificate: no TLS. */
	char file[SITE_TLS_FILES][SITE_PATH_SIZE];
	bool client_required;	/* else asked for one, where there is a client_ca */
};

struct site_network {
	struct network network;
	char text[SITE_NAME_SIZE];	/* as written */
	char user[SITE_NAME_SIZE];	/* empty: a load balancer's */
};

struct site_listener {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	enum site_door door;
	char path[SITE_SOCKET_SIZE];	/* unix socket, or empty */
	char ip[SITE_NAME_SIZE];	/* "127.0.0.1", "::1" without brackets */
	uint32_t port;
	enum site_user_source user_source;
	char user[SITE_NAME_SIZE];	/* FIXED: an existing user */
	struct site_network *networks;	/* NETWORK: the longest that holds wins */
	size_t network_count;
	struct site_tls tls;
	char ssh_key[SITE_PATH_SIZE];	/* SSH: file of its key; empty: ours */
	struct site_network *proxies;	/* who must begin with a PROXY header */
	size_t proxy_count;
	/* DIRECT: exactly one.  Others: one or more, or all. */
	struct site_names applications;
	int64_t wait_ms;		/* longest wait for a machine, 0 = none */
	uint32_t limit;			/* sessions and waiting at once; 0 = none */
	int64_t opening_ms;		/* from accept to a complete request */
	uint32_t opening_per_source;	/* without one, from one source at once */
	int64_t extend_ms;		/* users may extend a session, in all */
};

struct site_user {
	char name[SITE_NAME_SIZE];	/* [A-Za-z0-9_][A-Za-z0-9._@-]* */
	struct site_place place;
	char password[SITE_PASSWORD_SIZE];	/* crypt(3) hash, or empty */
	char token[SITE_HASH_SIZE];	/* hex SHA-256 of a token, or empty */
	char *ssh_keys;			/* "TYPE BASE64\n" each, or NULL */
	int64_t uid;			/* for peer credentials, -1 = none */
	char login[SITE_NAME_SIZE];	/* login name instead of uid, or empty */
	struct site_names applications;
	bool applications_open;		/* none were written: groups may name some */
	uint32_t limit;			/* sessions and waiting at once */
	bool disabled;
};

struct site_group {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	struct site_names members;	/* users */
	struct site_names applications;
	bool applications_open;		/* none were written */
	uint32_t priority;		/* 0..9; higher is served first */
	uint32_t limit;			/* of all members together; 0 = none */
};

/* Who may have what where.  Users and groups both open: everybody. */
struct site_allow {
	char name[SITE_NAME_SIZE];	/* "rule-3", in the order of the file */
	struct site_place place;
	struct site_names users, groups, applications, listeners;
};

struct site_access {
	char user[SITE_NAME_SIZE];	/* "*" = everybody not named */
	bool allowed;
};

struct site_resource {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	/* Served by a pool with keep = true, or at an address outside: a path
	 * of a socket, or ip and port. */
	char pool[SITE_NAME_SIZE];
	char path[SITE_SOCKET_SIZE];
	char ip[SITE_NAME_SIZE];
	uint32_t port;
	/* Where machines with an address of their own come in; port 0: nowhere. */
	char listen_ip[SITE_NAME_SIZE];
	uint32_t listen_port;
	enum site_identity identity;	/* PROXY, NONE or IDENT */
	/* IDENT: where Remuda answers, and the address it comes from. */
	char ident_ip[SITE_NAME_SIZE];
	uint32_t ident_port;
	struct site_access *access;	/* sorted by user, byte order */
	size_t access_count;
};

/* A cluster's size; in a calendar entry or a wish 0 = as it is otherwise. */
struct site_size {
	uint32_t nodes, vcpus;
	uint64_t memory_mib;
};

/* A time at which a cluster has another size; the last that holds wins. */
struct site_calendar {
	struct site_place place;
	char text[SITE_FILE_SIZE];	/* as written, for people */
	uint16_t months;		/* bit 1..12; 0 = every month */
	uint8_t weekdays;		/* bit 0 = Monday .. 6; 0 = every day */
	/* Minutes of the local day, the second excluded; from > until: over
	 * midnight, and the day is the one it began on.  Both 0: all day. */
	uint16_t from_minute, until_minute;
	/* Local days since 1970-01-01, both included; 0 = no such bound. */
	int32_t from_day, until_day;
	struct site_size size;
};

struct site_health {
	char request[SITE_HEALTH_SIZE];	/* "" = a connection is enough */
	char expect[SITE_HEALTH_SIZE];	/* the answer contains it */
	int64_t interval_ms, timeout_ms;
	uint32_t fall, rise;		/* checks in a row */
};

struct site_cluster {
	char name[SITE_NAME_SIZE];	/* also its pool's */
	struct site_place place;
	char application[SITE_NAME_SIZE];	/* with a tcp or unix endpoint */
	char ip[SITE_ADDRESS_SIZE];	/* the virtual address */
	uint32_t prefix;		/* its network's length; 0 = the address alone */
	char interface[SITE_INTERFACE_SIZE];	/* "" = inside 127.0.0.0/8 */
	uint32_t port;
	struct site_size size, min, max;	/* min <= size <= max, none 0 */
	enum site_balance balance;
	uint32_t busy;			/* FIRST_FREE: transactions of a busy node */
	bool replay;			/* repeating a request does no harm */
	int64_t wait_ms;		/* of a transaction for a node */
	int64_t drain_ms;		/* of a leaving node for its transactions */
	struct site_health health;
	enum site_strategy strategy;
	int64_t cool_up_ms, cool_down_ms;	/* after a change, for rules */
	struct site_calendar *calendar;	/* in order of the file */
	size_t calendar_count;
};

/* A function that wishes for sizes (spec 3.5); of a cluster or a pool. */
struct site_rule {
	char name[SITE_NAME_SIZE];
	struct site_place place;
	char cluster[SITE_NAME_SIZE];	/* one of these is empty */
	char pool[SITE_NAME_SIZE];
	int64_t every_ms;		/* between two runs */
	int64_t deadline_ms;		/* of one run */
	char version[SITE_VERSION_SIZE];	/* fingerprint of the function */
};

struct site_spec {
	char name[SITE_NAME_SIZE];
	char bundle[SITE_HASH_SIZE];	/* hash given with bundle_load */
	bool peers;	/* any local uid is the user of its login name */
	/* How long rows are kept: sessions and requests; events; counts; audit. */
	int64_t history_ms, history_events_ms, history_hours_ms, history_audit_ms;
	uint64_t disk_reserve_mib;	/* no machine is made on less; 0 = none */
	char alarm[SITE_PATH_SIZE];	/* program told of events, or "" */

	struct site_host *hosts;
	size_t host_count;
	struct site_application *applications;
	size_t application_count;
	struct site_pool *pools;
	size_t pool_count;
	struct site_listener *listeners;
	size_t listener_count;
	struct site_user *users;
	size_t user_count;
	struct site_group *groups;
	size_t group_count;
	struct site_allow *allows;
	size_t allow_count;
	struct site_resource *resources;
	size_t resource_count;
	struct site_cluster *clusters;
	size_t cluster_count;
	struct site_rule *rules;
	size_t rule_count;
	bool reserve;	/* room is kept for the loss of the largest host */
	/* Where metrics are told (Prometheus text); port 0 = nowhere. */
	char metrics_ip[SITE_ADDRESS_SIZE];
	uint32_t metrics_port;
	int64_t stats_ms;	/* between two looks at machines' use */
};

/* Frees all arrays and leaves an empty site. */
void site_spec_fini(struct site_spec *spec);

#endif
