/* The table of the site language; see schema.h.  Pure data. */
#include "engine/rules/schema.h"

#include <stddef.h>

enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR };

#define TEXT(field, bytes) { .name = field, .type = FIELD_TEXT, .max = (bytes) }
#define NAME(field) { .name = field, .type = FIELD_NAME, .required = true }
#define HOOK(field) { .name = field, .type = FIELD_HOOK }
#define FLAG(field, value)                                                     \
	{ .name = field, .type = FIELD_FLAG, .preset = value }
#define COUNT(field, low, high, value)                                         \
	{ .name = field, .type = FIELD_COUNT, .min = (low), .max = (high),     \
	  .preset = value }
#define DURATION(field, low, high, value)                                      \
	{ .name = field, .type = FIELD_DURATION, .min = (low), .max = (high),  \
	  .preset = value }
#define MEMORY(field, low, high, value)                                        \
	{ .name = field, .type = FIELD_MEMORY, .min = (low), .max = (high),    \
	  .preset = value }
#define WORD(field, list, value)                                               \
	{ .name = field, .type = FIELD_WORD, .words = list, .preset = value }
/* Sessions and waiting requests at once; 0 = none. */
#define LIMIT(field) COUNT(field, 0, 1000000, "0")
/* One or a list of names, or "*". */
#define NAMES_ALL(field) { .name = field, .type = FIELD_NAMES_ALL }
#define LATER(field, instead)                                                  \
	{ .name = field, .type = FIELD_LATER, .words = instead }

static const struct field site_fields[] = {
	FLAG("peers", "false"),
	DURATION("history", DAY, 36500LL * DAY, "400 days"),
	DURATION("history_events", DAY, 36500LL * DAY, "400 days"),
	DURATION("history_audit", DAY, 36500LL * DAY, "400 days"),
	{ .name = "alarm", .type = FIELD_TEXT, .max = 1023 },
	MEMORY("disk_reserve", 0, 1 << 30, "512 MiB"),
	DURATION("history_hours", DAY, 36500LL * DAY, "3650 days"),
	FLAG("reserve", "false"),
	{ .name = "metrics", .type = FIELD_ADDRESS, .words = "metrics_" },
	DURATION("stats", SECOND, HOUR, "10 s"),
	{ .name = NULL },
};

static const struct field host_fields[] = {
	{ .name = "uri", .type = FIELD_TEXT, .max = 255, .preset = "auto" },
	COUNT("boot_parallel", 1, 64, "2"),
	{ .name = "site", .type = FIELD_NAME },
	{ .name = "labels", .type = FIELD_NAMES },
	COUNT("vcpus", 1, 100000, NULL),	/* default: without a bound */
	MEMORY("memory", 16, 1 << 26, NULL),	/* default: as libvirt says */
	TEXT("migrate", 255),
	{ .name = NULL },
};

static const struct field application_fields[] = {
	{ .name = "endpoint", .type = FIELD_ENDPOINT, .required = true },
	WORD("identity", "proxy|agent|none", "proxy"),
	FLAG("agent", "true"),
	{ .name = "resources", .type = FIELD_NAMES },
	HOOK("prepare"),
	HOOK("ready"),
	HOOK("accept"),
	HOOK("clean"),
	HOOK("start"),
	HOOK("stop"),
	HOOK("health"),
	DURATION("prepare_deadline", SECOND, HOUR, "60 s"),
	DURATION("ready_deadline", SECOND, HOUR, "60 s"),
	DURATION("accept_deadline", SECOND / 10, HOUR, "10 s"),
	DURATION("clean_deadline", SECOND / 10, HOUR, "20 s"),
	LIMIT("limit"),
	DURATION("idle", 5 * SECOND, 30LL * DAY, NULL),
	DURATION("longest", SECOND, 30LL * DAY, NULL),
	DURATION("warn", SECOND, DAY, NULL),
	DURATION("linger", SECOND, DAY, NULL),
	DURATION("half_close_limit", SECOND, DAY, "5 min"),
	LATER("replay", "write it in the cluster"),
	WORD("connections", "one|shared", "one"),
	{ .name = NULL },
};

/* Of what a machine is made: the same for pools and clusters. */
#define MACHINE_FIELDS                                                         \
	TEXT("kernel", 1023),                                                  \
	TEXT("initrd", 1023),                                                  \
	TEXT("cmdline", 2047),                                                 \
	TEXT("template", 1023),                                                \
	TEXT("from", 255),                                                     \
	TEXT("image", 1023),                                                   \
	FLAG("copy", "false"),                                                 \
	MEMORY("disk", 1, 16 << 20, NULL),                                     \
	{ .name = "cloud_init", .type = FIELD_CLOUD },                         \
	COUNT("vcpus", 1, 256, NULL),	/* default: 1, or as in from */        \
	MEMORY("memory", 16, 4 << 20, NULL),	/* 128 MiB, or as in from */   \
	MEMORY("volume", 1, 16 << 20, NULL),                                   \
	DURATION("boot_deadline", SECOND, HOUR, "60 s")

/* Where a machine may be made. */
#define PLACEMENT_FIELDS(apart)                                                \
	NAMES_ALL("hosts"),	/* default: a pool's host, all of a cluster's */ \
	{ .name = "labels", .type = FIELD_NAMES },                             \
	NAMES_ALL("sites"),	/* in order of preference; default: any */     \
	WORD("spread", "none|hosts|sites", apart)

static const struct field pool_fields[] = {
	NAME("application"),
	{ .name = "serve", .type = FIELD_COUNT, .max = 10000, .required = true },
	COUNT("spare", 0, 10000, "0"),
	COUNT("max", 0, 10000, NULL),		/* default: serve */
	{ .name = "host", .type = FIELD_NAME },	/* default: the first */
	PLACEMENT_FIELDS("none"),
	MACHINE_FIELDS,
	WORD("recycle", "clean|revert|rebuild|none", "rebuild"),
	COUNT("saved", 0, 1000, "0"),
	FLAG("keep", "false"),
	FLAG("untrusted", "false"),
	DURATION("shrink_after", SECOND, 30LL * DAY, "5 min"),
	{ .name = NULL },
};

static const struct field listener_fields[] = {
	{ .name = "door", .type = FIELD_WORD, .required = true,
	  .words = "direct|native|connect|socks5|ssh" },
	{ .name = "address", .type = FIELD_ADDRESS, .required = true },
	{ .name = "user", .type = FIELD_SOURCE, .required = true },
	{ .name = "application", .type = FIELD_NAME },
	NAMES_ALL("applications"),
	DURATION("wait", 0, DAY, "30 s"),
	LIMIT("limit"),
	DURATION("opening_deadline", SECOND / 10, 300 * SECOND, "10 s"),
	COUNT("opening_per_source", 1, 65535, "256"),
	DURATION("extend", SECOND, 30LL * DAY, NULL),	/* sessions, by users */
	{ .name = "tls", .type = FIELD_TLS },
	{ .name = "proxy", .type = FIELD_PROXIES },
	TEXT("host_key", 1023),
	{ .name = NULL },
};

static const struct field user_fields[] = {
	{ .name = "password", .type = FIELD_PASSWORD },
	{ .name = "token", .type = FIELD_TOKEN },
	{ .name = "uid", .type = FIELD_UID },
	NAMES_ALL("applications"),
	COUNT("limit", 1, 100000, "10"),
	FLAG("disabled", "false"),
	{ .name = "ssh_keys", .type = FIELD_KEYS },
	{ .name = NULL },
};

static const struct field group_fields[] = {
	{ .name = "members", .type = FIELD_USERS, .required = true },
	COUNT("priority", 0, 9, "0"),
	LIMIT("limit"),
	NAMES_ALL("applications"),
	{ .name = NULL },
};

static const struct field allow_fields[] = {
	{ .name = "users", .type = FIELD_USERS },
	{ .name = "groups", .type = FIELD_NAMES },
	NAMES_ALL("applications"),
	NAMES_ALL("listeners"),
	{ .name = NULL },
};

static const struct field resource_fields[] = {
	{ .name = "pool", .type = FIELD_NAME },
	{ .name = "address", .type = FIELD_ADDRESS },
	/* words: what stands before "ip" and "port" in the JSON. */
	{ .name = "listen", .type = FIELD_ADDRESS, .words = "listen_" },
	{ .name = "ident", .type = FIELD_ADDRESS, .words = "ident_" },
	{ .name = "access", .type = FIELD_ACCESS, .required = true },
	WORD("identity", "proxy|none|ident", "proxy"),
	{ .name = NULL },
};

static const struct field health_fields[] = {
	{ .name = "request", .type = FIELD_BYTES, .max = 255 },
	{ .name = "expect", .type = FIELD_BYTES, .max = 255 },
	DURATION("interval", SECOND / 10, HOUR, "1 s"),
	DURATION("timeout", SECOND / 10, HOUR, "1 s"),
	COUNT("fall", 1, 100, "2"),
	COUNT("rise", 1, 100, "1"),
	{ .name = NULL },
};
static const struct statement health = {
	.name = "health check", .fields = health_fields };

static const struct field calendar_fields[] = {
	TEXT("every", 255),
	TEXT("on", 255),
	COUNT("nodes", 1, 64, NULL),
	COUNT("vcpus", 1, 256, NULL),
	MEMORY("memory", 16, 4 << 20, NULL),
	{ .name = NULL },
};
static const struct statement calendar = {
	.name = "calendar entry", .fields = calendar_fields };

static const struct field cluster_fields[] = {
	NAME("application"),
	{ .name = "vip", .type = FIELD_VIP, .required = true },
	TEXT("interface", 15),
	{ .name = "port", .type = FIELD_COUNT, .min = 1, .max = 65535,
	  .required = true },
	{ .name = "nodes", .type = FIELD_COUNT, .min = 1, .max = 64,
	  .required = true },
	/* Bounds of a size; default: the size itself. */
	COUNT("min_nodes", 1, 64, NULL),
	COUNT("max_nodes", 1, 64, NULL),
	COUNT("min_vcpus", 1, 256, NULL),
	COUNT("max_vcpus", 1, 256, NULL),
	MEMORY("min_memory", 16, 4 << 20, NULL),
	MEMORY("max_memory", 16, 4 << 20, NULL),
	MACHINE_FIELDS,
	PLACEMENT_FIELDS("hosts"),
	WORD("balance", "least-sessions|round-robin|first-free",
	     "least-sessions"),
	COUNT("busy", 1, 1000000, NULL),	/* default: 1; first-free only */
	FLAG("replay", "false"),
	DURATION("wait", 0, DAY, "5 s"),
	DURATION("drain", 0, DAY, "30 s"),
	{ .name = "health", .type = FIELD_TABLE, .inner = &health },
	WORD("strategy", "failover|shutdown|move|live", "failover"),
	DURATION("cool_up", 0, DAY, "1 min"),
	DURATION("cool_down", 0, DAY, "10 min"),
	{ .name = "calendar", .type = FIELD_ENTRIES, .inner = &calendar },
	{ .name = NULL },
};

static const struct field rule_fields[] = {
	{ .name = "cluster", .type = FIELD_NAME },
	{ .name = "pool", .type = FIELD_NAME },
	DURATION("every", SECOND, DAY, "30 s"),
	DURATION("deadline", SECOND / 10, 10 * SECOND, "1 s"),
	{ .name = "scale", .type = FIELD_SCALE, .required = true },
	{ .name = NULL },
};

const struct statement schema_statements[] = {
	{ .name = "site", .fields = site_fields },
	{ .name = "host", .list = "hosts", .fields = host_fields },
	{ .name = "application", .list = "applications",
	  .fields = application_fields },
	{ .name = "pool", .list = "pools", .fields = pool_fields },
	{ .name = "listener", .list = "listeners", .fields = listener_fields },
	{ .name = "user", .list = "users", .fields = user_fields,
	  .user_name = true },
	{ .name = "group", .list = "groups", .fields = group_fields },
	{ .name = "allow", .list = "allows", .fields = allow_fields,
	  .nameless = true },
	{ .name = "resource", .list = "resources", .fields = resource_fields },
	{ .name = "cluster", .list = "clusters", .fields = cluster_fields },
	{ .name = "rule", .list = "rules", .fields = rule_fields },
	{ .name = NULL },
};

const char *const schema_hooks[8] = {
	NULL, "prepare", "ready", "accept", "clean", "start", "stop", "health",
};
