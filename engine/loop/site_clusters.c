/* Clusters and rules of the site's JSON; see site_read.h. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/schedule.h"
#include "engine/base/error.h"
#include "engine/base/network.h"
#include "engine/base/text.h"
#include "engine/loop/site_read.h"

enum { CALENDAR_MAX = 100, SHRINK_AFTER_MS = 300000 };

/* min <= size <= max of one of the three numbers. */
static void read_range(struct reader *r, const char *key, int64_t low,
		       int64_t high, int64_t out[3])
{
	char min[40], max[40];

	snprintf(min, sizeof(min), "min_%s", key);
	snprintf(max, sizeof(max), "max_%s", key);
	out[0] = read_count(r, min, low, high);
	out[2] = read_count(r, max, out[0], high);
	out[1] = read_count(r, key, out[0], out[2]);
}

/* vcpus and memory_mib were taken with the pool's: only their bounds here. */
static void read_sizes(struct reader *r, struct cluster_and_pool *both)
{
	struct site_cluster *c = &both->cluster;
	int64_t nodes[3] = { 0 };

	read_range(r, "nodes", 1, SITE_NODES_MAX, nodes);
	c->min.nodes = (uint32_t)nodes[0];
	c->size.nodes = (uint32_t)nodes[1];
	c->max.nodes = (uint32_t)nodes[2];
	c->size.vcpus = both->pool.vcpus;
	c->size.memory_mib = both->pool.memory_mib;
	c->min.vcpus = (uint32_t)read_count(r, "min_vcpus", 1, c->size.vcpus);
	c->max.vcpus = (uint32_t)read_count(r, "max_vcpus", c->size.vcpus, 256);
	c->min.memory_mib = (uint64_t)read_count(r, "min_memory_mib", 16,
						 (int64_t)c->size.memory_mib);
	c->max.memory_mib = (uint64_t)read_count(r, "max_memory_mib",
						 (int64_t)c->size.memory_mib,
						 4 << 20);
}

static bool is_loopback(const struct address *a)
{
	static const uint8_t own[16] = { [15] = 1 };

	return a->family == 4 ? a->bytes[0] == 127 :
				memcmp(a->bytes, own, 16) == 0;
}

static void read_vip(struct reader *r, struct site_cluster *c)
{
	struct address a;

	READ_TEXT(r, "ip", true, c->ip);
	a = network_address_parse(slice_of(c->ip));
	if (!a.family || (a.family == 4 && strchr(c->ip, ':')))
		read_bad(r, "ip: \"%s\" is not an address", c->ip);
	c->prefix = (uint32_t)read_count(r, "prefix", 0, a.family == 4 ? 32 : 128);
	READ_TEXT(r, "interface", false, c->interface);
	if (strpbrk(c->interface, " /:") ||
	    is_loopback(&a) != (*c->interface == '\0') ||
	    (is_loopback(&a) && c->prefix))
		read_bad(r, "its address and its interface do not fit");
	c->port = (uint32_t)read_count(r, "port", 1, 65535);
}

static void read_health(struct reader *r, struct site_health *h)
{
	struct reader in = read_inner(r, read_any(r, "health", true));

	READ_TEXT(&in, "request", false, h->request);
	READ_TEXT(&in, "expect", false, h->expect);
	h->interval_ms = read_count(&in, "interval_ms", 1, READ_DAY_MS);
	h->timeout_ms = read_count(&in, "timeout_ms", 1, READ_DAY_MS);
	h->fall = (uint32_t)read_count(&in, "fall", 1, 100);
	h->rise = (uint32_t)read_count(&in, "rise", 1, 100);
	if (*h->expect && !*h->request)
		read_bad(&in, "health expects an answer without a request");
	read_inner_end(r, &in);
}

static void read_entry(struct reader *r, const json_t *json,
		       const struct site_cluster *c, struct site_calendar *e)
{
	struct reader in = read_inner(r, json);
	bool every = json_object_get(json, "every") != NULL;
	struct schedule when = { 0 };
	struct error err = { "" };

	e->place = c->place;
	READ_TEXT(&in, every ? "every" : "on", true, e->text);
	if (!in.failed && (every ? schedule_parse_every(e->text, &when, &err) :
				   schedule_parse_on(e->text, &when, &err)) < 0)
		read_bad(&in, "calendar: %s", err.text);
	e->months = when.months;
	e->weekdays = when.weekdays;
	e->from_minute = when.from_minute;
	e->until_minute = when.until_minute;
	e->from_day = when.from_day;
	e->until_day = when.until_day;
	e->size.nodes = (uint32_t)read_count_or(&in, "nodes", c->min.nodes,
						c->max.nodes, 0);
	e->size.vcpus = (uint32_t)read_count_or(&in, "vcpus", c->min.vcpus,
						c->max.vcpus, 0);
	e->size.memory_mib = (uint64_t)read_count_or(
		&in, "memory_mib", (int64_t)c->min.memory_mib,
		(int64_t)c->max.memory_mib, 0);
	if (!e->size.nodes && !e->size.vcpus && !e->size.memory_mib)
		read_bad(&in, "a calendar entry changes nothing");
	read_inner_end(r, &in);
}

static void read_calendar(struct reader *r, struct site_cluster *c)
{
	const json_t *json = read_any(r, "calendar", true), *item;
	size_t i;

	if (!json)
		return;
	if (!json_is_array(json) || json_array_size(json) > CALENDAR_MAX) {
		read_bad(r, "calendar is not a list, or too long");
		return;
	}
	c->calendar = calloc(json_array_size(json) + 1, sizeof(*c->calendar));
	if (!c->calendar) {
		read_bad(r, "out of memory");
		return;
	}
	json_array_foreach(json, i, item) {
		read_entry(r, item, c, &c->calendar[i]);
		c->calendar_count = i + 1;
	}
}

/* How transactions reach its nodes, and get from an old one to a new one. */
static void read_service(struct reader *r, struct site_cluster *c)
{
	static const struct word balances[] = {
		{ "least-sessions", BALANCE_LEAST },
		{ "round-robin", BALANCE_ROUND_ROBIN },
		{ "first-free", BALANCE_FIRST_FREE }, { NULL, 0 },
	};
	static const struct word strategies[] = {
		{ "failover", STRATEGY_FAILOVER },
		{ "shutdown", STRATEGY_SHUTDOWN }, { "move", STRATEGY_MOVE },
		{ "live", STRATEGY_LIVE }, { NULL, 0 },
	};

	c->balance = (enum site_balance)read_word(r, "balance", balances);
	c->busy = (uint32_t)read_count(r, "busy", 1, SITE_LIMIT_MAX);
	c->replay = read_flag(r, "replay");
	c->wait_ms = read_count(r, "wait_ms", 0, READ_DAY_MS);
	c->drain_ms = read_count(r, "drain_ms", 0, READ_DAY_MS);
	read_health(r, &c->health);
	c->strategy = (enum site_strategy)read_word(r, "strategy", strategies);
	c->cool_up_ms = read_count(r, "cool_up_ms", 0, READ_DAY_MS);
	c->cool_down_ms = read_count(r, "cool_down_ms", 0, READ_DAY_MS);
}

int take_cluster(void *object, const json_t *json, struct error *err)
{
	struct cluster_and_pool *both = object;
	struct site_cluster *c = &both->cluster;
	struct site_pool *p = &both->pool;
	struct reader r = read_begin("cluster", json, c->name, &c->place,
				     text_is_name, err);

	read_machine(&r, p);
	TEXT_SET(c->application, p->application);
	read_sizes(&r, both);
	read_vip(&r, c);
	read_service(&r, c);
	read_calendar(&r, c);
	TEXT_SET(p->name, c->name);
	p->place = c->place;
	p->cluster = true;
	p->serve = c->size.nodes;
	p->max = c->max.nodes;
	p->recycle = RECYCLE_REBUILD;
	p->shrink_after_ms = SHRINK_AFTER_MS;
	return read_end(&r);
}

int take_rule(void *object, const json_t *json, struct error *err)
{
	struct site_rule *rule = object;
	struct reader r = read_begin("rule", json, rule->name, &rule->place,
				     text_is_name, err);

	READ_TEXT(&r, "cluster", false, rule->cluster);
	READ_TEXT(&r, "pool", false, rule->pool);
	if (!*rule->cluster == !*rule->pool)
		read_bad(&r, "needs one of cluster and pool");
	rule->every_ms = read_count(&r, "every_ms", 1, READ_DAY_MS);
	rule->deadline_ms = read_count(&r, "deadline_ms", 1, rule->every_ms);
	READ_TEXT(&r, "version", true, rule->version);
	return read_end(&r);
}
