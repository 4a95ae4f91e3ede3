/*
 * The site language for clusters, placement and rules: a full site becomes a
 * struct site_spec with every default filled in; every kind of mistake is
 * refused at its place.
 */
#include "engine/loop/site.h"
#include "tests/unit/rules_harness.h"

static const char full[] =
	"site \"demo\" { reserve = true, metrics = \"127.0.0.1:9090\", stats = \"5 s\" }\n"
	"host \"hv01\" { uri = \"qemu+tcp://10.0.0.1/system\", site = \"north\",\n"
	"    labels = { \"ssd\", \"fast\" }, vcpus = 16, memory = \"64 GiB\",\n"
	"    migrate = \"tcp://10.0.0.1\" }\n"
	"host \"hv02\" { site = \"south\", labels = { \"ssd\" } }\n"
	"host \"hv03\" {}\n"
	"application \"payroll\" { endpoint = \"tcp:10.0.7.{index}:80\",\n"
	"    start = function(m) end, stop = function(m) end,\n"
	"    health = function(m) return true end }\n"
	"application \"web\" { endpoint = \"unix:/run/web/{machine}.sock\", identity = \"none\" }\n"
	"cluster \"payroll\" { application = \"payroll\", vip = \"10.0.0.50/24\",\n"	/* 11 */
	"    interface = \"br0\", port = 80, nodes = 2, max_nodes = 8, min_nodes = 1,\n"
	"    vcpus = 2, max_vcpus = 8, memory = \"2 GiB\", min_memory = \"1 GiB\",\n"
	"    max_memory = \"8 GiB\", kernel = \"k\", initrd = \"i\", cmdline = \"n{index}\",\n"
	"    volume = \"64 MiB\", boot_deadline = \"2 min\", hosts = { \"hv02\", \"hv01\" },\n"
	"    labels = { \"ssd\" }, sites = { \"north\", \"south\" }, spread = \"sites\",\n"
	"    balance = \"first-free\", busy = 3, replay = true, wait = \"2 s\",\n"
	"    drain = \"1 min\", strategy = \"move\", cool_up = 0, cool_down = \"5 min\",\n"
	"    health = { request = \"GET / HTTP/1.0\\r\\n\\r\\n\", expect = \"200 OK\",\n"
	"        interval = \"500 ms\", timeout = 2, fall = 3, rise = 4 },\n"
	"    calendar = {\n"
	"        { every = \"Dec,May\", vcpus = 4, memory = \"4 GiB\" },\n"
	"        { every = \"Mon-Fri 08:00-18:00\", nodes = 4 },\n"
	"        { every = \"Fri 22:00-06:00\", nodes = 3 },\n"
	"        { on = \"2026-12-24..2027-01-02\", nodes = 1 } } }\n"
	"cluster \"web\" { application = \"web\", vip = \"127.0.0.50\", port = 8080,\n"	/* 26 */
	"    nodes = 1, image = \"web.qcow2\" }\n"
	"cluster \"six\" { application = \"web\", vip = \"0::01\", port = 8080,\n"
	"    nodes = 1, from = \"debian\", vcpus = 1, memory = 512 }\n"
	"application \"mail\" { endpoint = \"channel\" }\n"
	"pool \"mail\" { application = \"mail\", serve = 3, kernel = \"k\",\n"
	"    hosts = \"*\", labels = { \"ssd\" }, sites = \"south\", spread = \"hosts\" }\n"
	"pool \"old\" { application = \"mail\", serve = 3, kernel = \"k\", host = \"hv03\" }\n"
	"rule \"load\" { cluster = \"payroll\", every = \"1 min\", deadline = \"200 ms\",\n"
	"    scale = function(now) return { nodes = now.nodes + 1 } end }\n"
	"rule \"spare\" { pool = \"mail\", scale = function() end }\n";

static void check_hosts(const struct site_spec *s)
{
	const struct site_host *h = s->hosts;

	ok(s->reserve, "room for the largest host is kept");
	is_text(s->metrics_ip, "127.0.0.1", "metrics");
	is_int(s->metrics_port, 9090, "at that port");
	is_int(s->stats_ms, 5000, "use is looked at every 5 s");
	is_int(s->host_count, 3, "three hosts");
	is_text(h[0].site, "north", "a host's site");
	is_int(h[0].labels.count, 2, "two labels");
	is_text(h[0].labels.names[1], "fast", "as written");
	is_int(h[0].vcpus, 16, "its vcpus");
	is_int(h[0].memory_mib, 65536, "its memory");
	is_text(h[0].migrate, "tcp://10.0.0.1", "where migrations come in");
	ok(!*h[2].site && !h[2].labels.count && !h[2].vcpus && !h[2].memory_mib &&
	   !*h[2].migrate, "nothing of it is said of the third");
}

static void check_payroll(const struct site_spec *s)
{
	const struct site_cluster *c = &s->clusters[0];

	is_text(c->name, "payroll", "a cluster");
	is_int(c->place.line, 11, "its line");
	is_text(c->application, "payroll", "application");
	is_text(c->ip, "10.0.0.50", "address");
	is_int(c->prefix, 24, "its network");
	is_text(c->interface, "br0", "interface");
	is_int(c->port, 80, "port");
	ok(c->min.nodes == 1 && c->size.nodes == 2 && c->max.nodes == 8, "nodes");
	ok(c->min.vcpus == 2 && c->size.vcpus == 2 && c->max.vcpus == 8, "vcpus");
	ok(c->min.memory_mib == 1024 && c->size.memory_mib == 2048 &&
	   c->max.memory_mib == 8192, "memory");
	is_int(c->balance, BALANCE_FIRST_FREE, "balance");
	is_int(c->busy, 3, "busy");
	ok(c->replay, "replay");
	is_int(c->wait_ms, 2000, "wait");
	is_int(c->drain_ms, 60000, "drain");
	is_text(c->health.request, "GET / HTTP/1.0\r\n\r\n", "a request with its lines");
	is_text(c->health.expect, "200 OK", "and what is expected");
	ok(c->health.interval_ms == 500 && c->health.timeout_ms == 2000 &&
	   c->health.fall == 3 && c->health.rise == 4, "how it is checked");
	is_int(c->strategy, STRATEGY_MOVE, "strategy");
	ok(c->cool_up_ms == 0 && c->cool_down_ms == 300000, "cool-downs");
	is_int(c->calendar_count, 4, "four calendar entries");
	const struct site_calendar *e = c->calendar;
	is_text(e[0].text, "Dec,May", "the text of one");
	is_int(e[0].months, 1 << 12 | 1 << 5, "its months");
	ok(e[0].size.vcpus == 4 && e[0].size.memory_mib == 4096 &&
	   e[0].size.nodes == 0, "its size");
	ok(e[1].weekdays == 0x1f && e[1].from_minute == 480 &&
	   e[1].until_minute == 1080, "working hours");
	ok(e[2].from_minute == 1320 && e[2].until_minute == 360, "a night");
	is_int(e[3].until_day - e[3].from_day, 9, "ten days");
	is_int(e[3].place.line, 11, "placed at the cluster");
}

static void check_defaults(const struct site_spec *s)
{
	const struct site_cluster *c = &s->clusters[1];

	is_int(s->cluster_count, 3, "three clusters");
	is_text(c->ip, "127.0.0.50", "an address of this host");
	ok(c->prefix == 0 && !*c->interface, "needs no interface");
	ok(c->min.nodes == 1 && c->max.nodes == 1 && c->size.vcpus == 1 &&
	   c->max.vcpus == 1 && c->size.memory_mib == 128 &&
	   c->min.memory_mib == 128, "bounds are the size itself");
	is_int(c->balance, BALANCE_LEAST, "least sessions");
	is_int(c->busy, 1, "busy");
	is_int(c->wait_ms, 5000, "wait");
	is_int(c->drain_ms, 30000, "drain");
	ok(!*c->health.request && !*c->health.expect &&
	   c->health.interval_ms == 1000 && c->health.timeout_ms == 1000 &&
	   c->health.fall == 2 && c->health.rise == 1, "a connection is enough");
	is_int(c->strategy, STRATEGY_FAILOVER, "strategy");
	ok(c->cool_up_ms == 60000 && c->cool_down_ms == 600000, "cool-downs");
	is_int(c->calendar_count, 0, "no calendar");
	is_text(s->clusters[2].ip, "::1", "IPv6, in its usual form");
}

static void check_pools(const struct site_spec *s)
{
	const struct site_pool *p = s->pools;

	is_int(s->pool_count, 5, "two pools and those of the clusters");
	ok(!p[0].cluster && p[0].placement.hosts.all &&
	   p[0].placement.spread == SPREAD_HOSTS, "a pool on any host");
	is_text(p[0].placement.labels.names[0], "ssd", "with a label");
	is_text(p[0].placement.sites.names[0], "south", "of a site");
	is_text(p[0].host, "hv02", "the first that may have it");
	is_text(p[1].host, "hv03", "a pool on one host");
	is_text(p[1].placement.hosts.names[0], "hv03", "and no other");
	ok(p[1].placement.sites.all && p[1].placement.spread == SPREAD_NONE,
	   "wherever that stands");
	is_text(p[2].name, "payroll", "a cluster's pool has its name");
	ok(p[2].cluster && p[2].serve == 2 && p[2].spare == 0 && p[2].max == 8 &&
	   p[2].recycle == RECYCLE_REBUILD && p[2].vcpus == 2 &&
	   p[2].memory_mib == 2048 && p[2].volume_mib == 64 &&
	   p[2].boot_deadline_ms == 120000 && !p[2].keep && !p[2].saved,
	   "and its size");
	is_text(p[2].application, "payroll", "application");
	is_text(p[2].cmdline, "n{index}", "what its machines boot");
	is_text(p[2].host, "hv01", "the first site's host comes first");
	is_int(p[2].placement.hosts.count, 2, "of two");
	is_text(p[2].placement.hosts.names[0], "hv02", "in the order written");
	is_text(p[2].placement.sites.names[0], "north", "sites too");
	is_int(p[2].placement.spread, SPREAD_SITES, "apart");
	ok(p[3].placement.hosts.all && p[3].placement.spread == SPREAD_HOSTS,
	   "a cluster is on any host, apart");
	is_text(p[4].from, "debian", "another is from a domain");
}

static void test_full(struct role *r)
{
	struct outcome o = role_evaluate(r, full, NULL);
	struct site_spec s;
	struct error err = { "" };

	if (!ok(o.done, "a full site loads"))
		tap_bail("%s:%u: %s; %s", o.file, o.line, o.text, o.hint);
	if (!ok(site_decode(o.json, o.length, &s, &err) == 0, "and is decoded"))
		tap_bail("%s", err.text);
	check_hosts(&s);
	check_payroll(&s);
	check_defaults(&s);
	check_pools(&s);
	is_int(s.applications[0].hooks, 1 << SITE_HOOK_START | 1 << SITE_HOOK_STOP |
	       1 << SITE_HOOK_HEALTH, "the hooks of a cluster's application");
	is_int(s.rule_count, 2, "two rules");
	is_text(s.rules[0].cluster, "payroll", "one for a cluster");
	ok(s.rules[0].every_ms == 60000 && s.rules[0].deadline_ms == 200,
	   "with its times");
	is_int(strlen(s.rules[0].version), 32, "and its fingerprint");
	is_text(s.rules[1].pool, "mail", "one for a pool");
	ok(s.rules[1].every_ms == 30000 && s.rules[1].deadline_ms == 1000,
	   "times by default");
	ok(strcmp(s.rules[0].version, s.rules[1].version) != 0,
	   "another function has another");
	site_spec_fini(&s);
	free(o.json);
}

#define SITE "site \"s\"\n"
#define APP "application \"a\" { endpoint = \"tcp:10.0.7.{index}:80\" }\n"
#define CLUSTER "cluster \"c\" { application = \"a\", vip = \"127.0.0.9\", port = 80, " \
	"nodes = 2, kernel = \"k\""
#define VIP(address) "cluster \"c\" { application = \"a\", port = 80, nodes = 1, kernel " \
	"= \"k\", vip = \"" address "\""
#define BAD_VIP(address) \
	{ SITE APP VIP(address) " }\n", "site.lua", 3, "cluster \"c\": 'vip' must be the " \
	  "address of a host such as \"127.0.0.50\", \"10.0.0.50/24\" or " \
	  "\"fd00::50/64\", not \"" address "\"", "" }
#define HOSTS "host \"h1\" { site = \"north\", labels = { \"ssd\" } }\nhost \"h2\" {}\n"
#define POOL "pool \"p\" { application = \"a\", serve = 1, kernel = \"k\""
#define ENTRY(text) CLUSTER ", calendar = { { on = \"2026-12-24\", nodes = 2 }, {" text "} } }\n"
#define RULE "rule \"r\" { scale = function(now) end"

static const struct mistake mistakes[] = {
	/* hosts, site */
	{ SITE "host \"h\" { site = \"North\" }\n", "site.lua", 2, "host \"h\": 'site' "
	  "must be a name: small letters, digits and -, not \"North\"", "" },
	{ SITE "host \"h\" { vcpus = 0 }\n", "site.lua", 2, "host \"h\": 'vcpus' must "
	  "be a whole number from 1 to 100000, not 0", "" },
	{ SITE "host \"h\" { memory = \"1 MiB\" }\n", "site.lua", 2, "host \"h\": "
	  "'memory' must be an amount from 16 MiB to 67108864 MiB, for example "
	  "\"128 MiB\", not \"1 MiB\"", "" },
	{ SITE "host \"h\" { migrate = \"10.0.0.2\" }\n", "site.lua", 2, "host \"h\": "
	  "migrate = \"10.0.0.2\" is no URI for live migration", "write migrate = "
	  "\"tcp://10.0.0.2\": where other hosts reach this one" },
	{ SITE "host \"h\" { labels = { \"a\", \"a\" } }\n", "site.lua", 2,
	  "host \"h\": 'labels' names \"a\" twice", "" },
	{ "site \"s\" { metrics = \"unix:/x\" }\n", "site.lua", 1, "site \"s\": "
	  "'metrics' must be an IP address and a port such as \"10.0.7.1:5432\", not "
	  "\"unix:/x\"", "" },
	{ "site \"s\" { reserve = 1 }\n", "site.lua", 1,
	  "site \"s\": 'reserve' must be true or false, not 1", "" },
	/* placement */
	{ SITE HOSTS APP POOL ", host = \"h1\", hosts = \"*\" }\n", "site.lua", 5,
	  "pool \"p\": 'host' and 'hosts' exclude each other", "leave one out" },
	{ SITE HOSTS APP POOL ", hosts = { \"h1\", \"h3\" } }\n", "site.lua", 5,
	  "pool \"p\": there is no host \"h3\"", "did you mean 'h1'?" },
	{ SITE HOSTS APP POOL ", hosts = {} }\n", "site.lua", 5,
	  "pool \"p\": the list of hosts is empty",
	  "write hosts = \"*\" for every host" },
	{ SITE HOSTS APP POOL ", labels = { \"sdd\" } }\n", "site.lua", 5,
	  "pool \"p\": no host has the label \"sdd\"", "did you mean 'ssd'?" },
	{ SITE HOSTS APP POOL ", labels = { \"gpu\" } }\n", "site.lua", 5,
	  "pool \"p\": no host has the label \"gpu\"",
	  "write labels = { \"gpu\" } in a host" },
	{ SITE HOSTS APP POOL ", sites = { \"north\", \"west\" } }\n", "site.lua", 5,
	  "pool \"p\": no host has the site \"west\"",
	  "write site = \"west\" in a host" },
	{ SITE HOSTS APP POOL ", sites = {} }\n", "site.lua", 5,
	  "pool \"p\": the list of sites is empty", "leave it out for any site" },
	{ SITE HOSTS APP POOL ", host = \"h2\", labels = { \"ssd\" } }\n", "site.lua", 5,
	  "pool \"p\": no host may have its machines",
	  "its hosts, labels and sites must meet in one host at least" },
	{ SITE HOSTS APP CLUSTER ", spread = \"sites\" }\n", "site.lua", 5,
	  "cluster \"c\": spread = \"sites\", but host \"h2\" has no site",
	  "write site = \"NAME\" in the host" },
	{ SITE HOSTS APP CLUSTER ", spread = \"rooms\" }\n", "site.lua", 5,
	  "cluster \"c\": 'spread' must be \"none\" or \"hosts\" or \"sites\", not "
	  "\"rooms\"", "" },
	{ SITE HOSTS APP CLUSTER ", host = \"h1\" }\n", "site.lua", 5,
	  "cluster \"c\": 'host' is not a field of a cluster",
	  "did you mean 'hosts'?" },
	/* the cluster itself */
	{ SITE "cluster \"c\" {}\n", "site.lua", 2,
	  "cluster \"c\" needs the field 'application'", "" },
	{ SITE "cluster \"c\" { application = \"a\" }\n", "site.lua", 2,
	  "cluster \"c\" needs the field 'vip'", "" },
	{ SITE CLUSTER " }\n", "site.lua", 2, "cluster \"c\": there is no application "
	  "\"a\"", "declare application \"a\" { ... }" },
	{ SITE APP POOL " }\ncluster \"p\" { application = \"a\", vip = \"127.0.0.9\", "
	  "port = 1, nodes = 1, kernel = \"k\" }\n", "site.lua", 4, "cluster \"p\": "
	  "there is a pool of that name at site.lua:3", "give it another name" },
	{ SITE APP CLUSTER " }\n\n" CLUSTER " }\n", "site.lua", 5,
	  "cluster \"c\" is already declared at site.lua:3", "give it another name" },
	{ SITE "application \"a\" { endpoint = \"channel\" }\n" CLUSTER " }\n",
	  "site.lua", 3, "cluster \"c\": application \"a\" has endpoint = \"channel\": a "
	  "cluster's nodes are reached by tcp or a unix socket",
	  "write endpoint = \"tcp:10.0.7.{index}:80\" there" },
	{ SITE "application \"a\" { endpoint = \"tcp:10.0.7.5:80\" }\n" CLUSTER " }\n",
	  "site.lua", 3, "cluster \"c\": all nodes would be at 10.0.7.5: application "
	  "\"a\" has one address for all machines",
	  "write endpoint = \"tcp:10.0.7.{index}:80\" there" },
	{ SITE "application \"a\" { endpoint = \"unix:/run/x.sock\" }\n" CLUSTER " }\n",
	  "site.lua", 3, "cluster \"c\": all nodes would be at /run/x.sock: application "
	  "\"a\" has one address for all machines",
	  "write endpoint = \"unix:/PATH/{machine}\" there" },
	{ SITE "application \"a\" { endpoint = \"tcp:80\", identity = \"agent\", accept = "
	  "function() end }\n" CLUSTER " }\n", "site.lua", 3, "cluster \"c\": application "
	  "\"a\" has identity = \"agent\": a node serves many clients at once and accepts "
	  "none of them by a hook", "write identity = \"proxy\" or \"none\" there" },
	{ SITE APP POOL " }\n" CLUSTER " }\n", "site.lua", 4, "cluster \"c\": its nodes would be "
	  "where machines of pool \"p\" are, at 10.0.7.{index}:80",
	  "give it an application with other addresses, such as tcp:10.0.8.{index}:80" },
	{ SITE APP CLUSTER " }\ncluster \"d\" { application = \"a\", vip = \"127.0.0.8\", "
	  "port = 80, nodes = 1, kernel = \"k\" }\n", "site.lua", 4, "cluster \"d\": its nodes "
	  "would be where machines of cluster \"c\" are, at 10.0.7.{index}:80",
	  "give it an application with other addresses, such as tcp:10.0.8.{index}:80" },
	{ SITE APP CLUSTER ", strategy = \"move\" }\n", "site.lua", 3, "cluster \"c\": "
	  "strategy = \"move\" needs the hook 'start' in application \"a\"",
	  "write it, or another strategy" },
	{ SITE APP CLUSTER ", strategy = \"jump\" }\n", "site.lua", 3, "cluster \"c\": "
	  "'strategy' must be \"failover\" or \"shutdown\" or \"move\" or \"live\", not "
	  "\"jump\"", "" },
	{ SITE APP CLUSTER ", recycle = \"clean\" }\n", "site.lua", 3,
	  "cluster \"c\": 'recycle' is not a field of a cluster",
	  "its fields: application, vip, interface, port, nodes, min_nodes, max_nodes, "
	  "min_vcpus, max_vcpus, min_memory, max_memory, kernel, initrd, cmdline, "
	  "template, from, image, copy, disk, cloud_init, vcpus, memory, volume, "
	  "...: see remuda-site(5)" },
	{ SITE APP "cluster \"c\" { application = \"a\", vip = \"127.0.0.9\", port = 80, "
	  "nodes = 2 }\n", "site.lua", 3, "cluster \"c\": nothing says what its machines "
	  "boot", "write from = \"DOMAIN\", image = \"FILE.qcow2\", kernel = \"PATH\" "
	  "(with initrd and cmdline) or template = \"FILE.xml\"" },
	{ SITE APP CLUSTER ", from = \"d\" }\n", "site.lua", 3,
	  "cluster \"c\": 'kernel' and 'from' exclude each other", "leave one out" },
	{ SITE APP "cluster \"c\" { application = \"a\", vip = \"127.0.0.9\", port = 80, "
	  "nodes = 2, from = \"d\", vcpus = 2 }\n", "site.lua", 3, "cluster \"c\": nothing "
	  "says how large a node from a domain is: 'memory' is missing",
	  "write vcpus = 2, memory = \"2 GiB\"" },
	{ SITE APP CLUSTER ", min_nodes = 3 }\n", "site.lua", 3,
	  "cluster \"c\": min_nodes = 3 is more than nodes = 2",
	  "write a smaller one, or leave it out" },
	{ SITE APP CLUSTER ", memory = \"1 GiB\", max_memory = \"512 MiB\" }\n",
	  "site.lua", 3, "cluster \"c\": max_memory = 512 is less than memory = 1024",
	  "write a larger one, or leave it out" },
	{ SITE APP CLUSTER ", max_nodes = 65 }\n", "site.lua", 3, "cluster \"c\": "
	  "'max_nodes' must be a whole number from 1 to 64, not 65", "" },
	{ SITE APP CLUSTER ", busy = 2 }\n", "site.lua", 3, "cluster \"c\": 'busy' says "
	  "when the first free node is passed over",
	  "write balance = \"first-free\", or leave it out" },
	/* addresses */
	BAD_VIP("10.0.0.0/24"), BAD_VIP("10.0.0.255/24"), BAD_VIP("10.0.0.5/33"),
	BAD_VIP("10.0.0.5/0"), BAD_VIP("10.0.0.5/"), BAD_VIP("10.0.0"),
	BAD_VIP("224.0.0.1"), BAD_VIP("0.0.0.0"), BAD_VIP("::"), BAD_VIP("ff02::1"),
	BAD_VIP("fe80::1/64"), BAD_VIP("fd00::/64"), BAD_VIP("::ffff:10.0.0.5"),
	BAD_VIP("10.0.0.5:80"), BAD_VIP("payroll"),
	{ SITE APP VIP("10.0.0.5/24") " }\n", "site.lua", 3,
	  "cluster \"c\": the vip 10.0.0.5 needs an interface",
	  "write interface = \"br0\": where the address is put" },
	{ SITE APP VIP("fd00::5/64") " }\n", "site.lua", 3,
	  "cluster \"c\": the vip fd00::5 needs an interface",
	  "write interface = \"br0\": where the address is put" },
	{ SITE APP VIP("127.0.0.5") ", interface = \"lo\" }\n", "site.lua", 3,
	  "cluster \"c\": the vip 127.0.0.5 is this host's own: it has no interface",
	  "leave it out" },
	{ SITE APP VIP("127.0.0.5/8") " }\n", "site.lua", 3,
	  "cluster \"c\": the vip 127.0.0.5/8 is this host's own: it has no network",
	  "leave it out" },
	{ SITE APP VIP("10.0.0.5") ", interface = \"br 0\" }\n", "site.lua", 3,
	  "cluster \"c\": \"br 0\" cannot be the name of an interface", "" },
	{ SITE APP CLUSTER " }\ncluster \"d\" { application = \"a\", vip = \"127.0.0.9\", "
	  "port = 80, nodes = 1, kernel = \"k\" }\n", "site.lua", 4, "cluster \"d\": "
	  "cluster \"c\" at site.lua:3 has the same address",
	  "give it another address or port" },
	{ SITE APP CLUSTER " }\nuser \"u\" {}\n" POOL " }\nlistener \"l\" { door = "
	  "\"direct\", address = \"127.0.0.9:80\", user = \"u\", application = \"a\" }\n",
	  "site.lua", 3, "cluster \"c\": listener \"l\" at site.lua:6 has the same address",
	  "give it another address or port" },
	/* health and calendar */
	{ SITE APP CLUSTER ", health = \"GET /\" }\n", "site.lua", 3,
	  "cluster \"c\", health must be a table { field = value, ... }, not a string", "" },
	{ SITE APP CLUSTER ", health = { fal = 2 } }\n", "site.lua", 3,
	  "cluster \"c\", health: 'fal' is not a field of a health check",
	  "did you mean 'fall'?" },
	{ SITE APP CLUSTER ", health = { fall = 0 } }\n", "site.lua", 3, "cluster \"c\", "
	  "health: 'fall' must be a whole number from 1 to 100, not 0", "" },
	{ SITE APP CLUSTER ", health = { request = \"a\\0b\" } }\n", "site.lua", 3,
	  "cluster \"c\", health: 'request' must be a text in UTF-8 of 1 to 255 bytes, not "
	  "\"a\\x00b\"", "" },
	{ SITE APP CLUSTER ", health = { expect = \"ok\" } }\n", "site.lua", 3, "cluster "
	  "\"c\": health.expect without a request: without one a connection is enough",
	  "write request = \"...\" too, or leave it out" },
	{ SITE APP CLUSTER ", calendar = { every = \"Dec\", nodes = 1 } }\n", "site.lua", 3,
	  "cluster \"c\": 'calendar' must be a list of at most 100 tables { { field = value, "
	  "... }, ... }", "" },
	{ SITE APP CLUSTER ", calendar = { \"Dec\" } }\n", "site.lua", 3, "cluster \"c\", "
	  "calendar entry 1 must be a table { field = value, ... }, not a string", "" },
	{ SITE APP ENTRY("every = \"Dec\", node = 2"), "site.lua", 3, "cluster \"c\", "
	  "calendar entry 2: 'node' is not a field of a calendar entry",
	  "did you mean 'nodes'?" },
	{ SITE APP ENTRY("nodes = 2"), "site.lua", 3, "cluster \"c\": calendar entry 2: "
	  "nothing says when it holds",
	  "write every = \"Mon-Fri 08:00-18:00\", or on = \"2026-12-24\"" },
	{ SITE APP ENTRY("every = \"Dec\", on = \"2026-12-24\", nodes = 2"), "site.lua", 3,
	  "cluster \"c\": calendar entry 2: 'every' and 'on' exclude each other",
	  "write every = \"Mon-Fri 08:00-18:00\", or on = \"2026-12-24\"" },
	{ SITE APP ENTRY("every = \"Dec\""), "site.lua", 3, "cluster \"c\": calendar entry "
	  "2 changes nothing", "write nodes, vcpus or memory" },
	{ SITE APP ENTRY("every = \"Dec\", nodes = 3"), "site.lua", 3, "cluster \"c\": "
	  "calendar entry 2: nodes = 3 is more than max_nodes = 2",
	  "write max_nodes = 3 in the cluster" },
	{ SITE APP ENTRY("every = \"Dec\", memory = \"64 MiB\""), "site.lua", 3, "cluster "
	  "\"c\": calendar entry 2: memory = 64 is less than min_memory = 128",
	  "write min_memory = 64 in the cluster" },
	{ SITE APP ENTRY("every = \"Dez,Mai\", nodes = 2"), "site.lua", 3, "cluster \"c\": "
	  "calendar entry 2, every = \"Dez,Mai\": \"Dez\" is no month, weekday or time: write "
	  "Jan to Dec, Mon to Sun, 08:00-18:00", "" },
	{ SITE APP ENTRY("on = \"2026-02-29\", nodes = 2"), "site.lua", 3, "cluster \"c\": "
	  "calendar entry 2, on = \"2026-02-29\": there is no 2026-02-29", "" },
	/* rules */
	{ SITE "rule \"r\" {}\n", "site.lua", 2, "rule \"r\" needs the field 'scale'", "" },
	{ SITE "rule \"r\" { scale = 3 }\n", "site.lua", 2, "rule \"r\": 'scale' must be a "
	  "function, not a number; write scale = function(now) ... end", "" },
	{ SITE RULE " }\n", "site.lua", 2, "rule \"r\": nothing says what it is about",
	  "write cluster = \"NAME\" or pool = \"NAME\"" },
	{ SITE APP CLUSTER " }\n" RULE ", cluster = \"c\", pool = \"p\" }\n", "site.lua", 4,
	  "rule \"r\": 'cluster' and 'pool' exclude each other",
	  "write cluster = \"NAME\" or pool = \"NAME\"" },
	{ SITE APP CLUSTER " }\n" RULE ", cluster = \"x\" }\n", "site.lua", 4,
	  "rule \"r\": there is no cluster \"x\"", "did you mean 'c'?" },
	{ SITE APP CLUSTER " }\n" RULE ", pool = \"c\" }\n", "site.lua", 4,
	  "rule \"r\": there is no pool \"c\"", "declare pool \"c\" { ... }" },
	{ SITE APP CLUSTER " }\n" RULE ", cluster = \"c\", every = \"2 s\", deadline = "
	  "\"3 s\" }\n", "site.lua", 4, "rule \"r\": its deadline is longer than the time "
	  "between two runs", "write a shorter deadline" },
	{ SITE "rule \"r\" { cluster = \"c\", scales = 1 }\n", "site.lua", 2,
	  "rule \"r\": 'scales' is not a field of a rule", "did you mean 'scale'?" },
	{ SITE "application \"a\" { endpoint = \"tcp:80\", health = 1 }\n", "site.lua", 2,
	  "application \"a\": 'health' must be a function, not a number; write health = "
	  "function(machine) ... end", "" },
};

int main(void)
{
	struct role r;

	role_start(&r);
	test_full(&r);
	role_mistakes(&r, mistakes, sizeof(mistakes) / sizeof(mistakes[0]), NULL);
	is_int(role_stop(&r), 0, "the role ends with the engine");
	return tap_done();
}
