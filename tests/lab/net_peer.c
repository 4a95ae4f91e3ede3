/*
 * The net role, driven as the engine does and seen as its neighbours see it;
 * started by vip.t, which made the hosts.  Everything is done with an IPv4 and
 * with an IPv6 address.
 */
#include "tests/lab/net_peer.h"

#include "engine/net/rtnl.h"

struct kind {
	const char *name, *ip;
	uint32_t prefix;
	const char *show;	/* ip address show, the arguments that find it */
};

static const struct kind v4 = { "IPv4", "10.77.0.50", 24, "to 10.77.0.50" };
static const struct kind v6 = { "IPv6", "fd77::50", 64, "to fd77::50" };

static struct peer *const a = &peers[0], *const b = &peers[1];

static struct address address_of(const struct kind *k)
{
	return network_address_parse(slice_of(k->ip));
}

static bool is_on(const char *host, const struct kind *k, const char *interface)
{
	return says("ip -n %s -o address show dev %s %s 2>/dev/null | grep -q .",
		    host, interface, k->show);
}

/* By netlink: Debian 12's ip(8) does not show the mark. */
static bool is_marked(const char *host, const struct kind *k)
{
	struct address ip = address_of(k);
	struct rtnl r = { 0 };
	struct rtnl_place at = { 0 };
	struct error err = { "" };

	leave();
	enter(host);
	if (rtnl_open(&r, &err) < 0 ||
	    rtnl_find(&r, &ip, RTNL_OURS, &at, &err) < 0)
		tap_bail("%s", err.text);
	rtnl_close(&r);
	leave();
	return at.index && at.prefix == k->prefix;
}

/* A tcp socket on a host, bound to the address or connected to it; -1. */
static int tcp(const char *host, const struct kind *k, bool listens)
{
	struct address ip = address_of(k);
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(80) };
	const struct sockaddr *at = k == &v4 ? (struct sockaddr *)&in4 :
					       (struct sockaddr *)&in6;
	socklen_t size = k == &v4 ? sizeof(in4) : sizeof(in6);
	int one = 1;

	memcpy(&in4.sin_addr, ip.bytes, 4);
	memcpy(&in6.sin6_addr, ip.bytes, 16);
	leave();
	enter(host);
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	int rc = listens ? bind(fd, at, size) || listen(fd, 4) :
			   connect(fd, at, size);
	leave();
	if (rc) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool can_bind(const char *host, const struct kind *k)
{
	int fd = tcp(host, k, true);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool arrives(int fd, const char *text)
{
	char in[32] = "";
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && read(fd, in, sizeof(in) - 1) > 0 &&
	       strcmp(in, text) == 0;
}

/* Whom `near` takes for the address. */
static bool near_believes(const struct kind *k, int host)
{
	return says("ip -n near neighbour show %s dev eth0 | grep -q 02:00:00:00:00:0%d",
		    k->ip, host);
}

static bool has(const struct peer *p, bool held, const char *text)
{
	return p->states && p->held == held && strstr(p->text, text);
}

/* The host said something itself, to all. */
static bool announced(int host)
{
	return oracle.announced[host] > 0;
}

/* Three times; of IPv4 as request and as reply. */
static bool announced_all(const struct kind *k)
{
	return oracle.announced[1] >= (k == &v4 ? 6 : 3);
}

static void forget_announcements(void)
{
	memset(oracle.announced, 0, sizeof(oracle.announced));
}

static void say_as(const struct kind *k, const char *host, uint8_t number)
{
	struct address ip = address_of(k);
	uint8_t mac[6] = { 2, [5] = number }, out[PACKET_MAX], to[6];
	int fd = packet_socket(host, 0);
	size_t length = packet_announce(&ip, mac, false, out, to);

	send_packet(fd, ip.family, out, length, to);
	close(fd);
}

/* ---- one after another; each begins with a role a and no address --------------- */

static void test_take(const struct kind *k)
{
	int64_t start_ms = now_ms();

	run("ip -n near neighbour replace %s lladdr 02:00:00:00:00:03 dev eth0 nud stale",
	    k->ip);
	role_add(a, "web", k->ip, k->prefix, "eth0");
	bool held = UNTIL(has(a, true, "")), bound = held && can_bind("host", k);
	ok(held, "%s: the address is held (%s)", k->name, a->text);
	tap_note("after %lld ms", (long long)(now_ms() - start_ms));
	is_text(a->text, "", "%s: and there is nothing to say about it", k->name);
	is_text(a->name, "web", "%s: by its name", k->name);
	ok(is_on("host", k, "eth0") && is_marked("host", k),
	   "%s: it is on the interface, marked", k->name);
	if (k == &v4)
		ok(says("ip -n host -o address show label eth0:remuda | grep -q 10.77.0.50/24"),
		   "and seen as ours");
	else
		ok(says("ip -n host -o address show deprecated | grep -q fd77::50/64"),
		   "and nobody's source by chance");
	ok(bound, "%s: a gateway can listen on it at once", k->name);
	ok(UNTIL(oracle.last == 1u << 1), "%s: its host answers for it", k->name);
	ok(UNTIL(announced(1)), "%s: neighbours are told without asking", k->name);
	ok(UNTIL(near_believes(k, 1)), "%s: one that knew another host forgets him",
	   k->name);
	ok(UNTIL(announced_all(k)), "%s: three times", k->name);
	int states = a->states;
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(a->states > states) && has(a, true, ""),
	   "%s: asked for again it is there", k->name);
	ok(says("test $(ip -n host -o address show %s | wc -l) = 1", k->show),
	   "%s: once", k->name);
}

static void test_remove(const struct kind *k)
{
	role_remove(a, "web", 77);
	ok(UNTIL(a->answered == 77), "%s: a removal is answered (%s)", k->name, a->text);
	ok(!a->held, "%s: it is let go", k->name);
	ok(!is_on("host", k, "eth0"), "%s: it is not on the interface", k->name);
	int requests = oracle.requests;
	ok(UNTIL(oracle.requests > requests + 5) && !oracle.last,
	   "%s: nobody answers for it", k->name);
}

static void test_conflict(const struct kind *k)
{
	if (!UNTIL(announced_all(k)))
		tap_bail("not announced");
	forget_announcements();
	run("ip -n near neighbour replace %s lladdr 02:00:00:00:00:01 dev eth0 nud stale",
	    k->ip);
	say_as(k, "other", 3);
	ok(UNTIL(has(a, true, "02:00:00:00:00:03")),
	   "%s: another who says that he has it is named: %s", k->name, a->text);
	ok(UNTIL(announced(1)), "%s: the address is defended", k->name);
	ok(UNTIL(near_believes(k, 1)), "%s: neighbours believe the holder", k->name);
	int defences = oracle.announced[1], states = a->states;
	for (int i = 0; i < 50; i++)
		say_as(k, "other", 3);
	ok(UNTIL(oracle.announced[3] > 50), "%s: he says it 50 times", k->name);
	pump_for(300);
	is_int(oracle.announced[1], defences, "%s: that is no second defence (RFC 5227)",
	       k->name);
	is_int(a->states, states, "%s: nor a second report", k->name);
	say_as(k, "near", 1);
	pump_for(50);
	is_int(a->states, states, "%s: and our own words are none", k->name);
}

static void test_removed_by_somebody(const struct kind *k)
{
	forget_announcements();
	run("ip -n host address del %s/%u dev eth0", k->ip, k->prefix);
	ok(UNTIL(has(a, false, "somebody removed")),
	   "%s: removed by somebody: %s", k->name, a->text);
	ok(UNTIL(has(a, true, "")) && is_on("host", k, "eth0"),
	   "%s: it is put back", k->name);
	ok(UNTIL(announced(1)), "%s: and announced", k->name);
}

static void test_link(const struct kind *k)
{
	run("ip -n host link set eth0 down");
	ok(UNTIL(has(a, false, "is down")), "%s: down: %s", k->name, a->text);
	ok(!is_on("host", k, "eth0"), "%s: then it is taken off", k->name);
	forget_announcements();
	run("ip -n host link set eth0 up");
	/* The kernel dropped it with the interface. */
	run("ip -n host address replace fd77::1/64 dev eth0 nodad");
	ok(UNTIL(has(a, true, "")) && is_on("host", k, "eth0"),
	   "%s: up: held again", k->name);
	ok(UNTIL(announced(1)), "%s: and announced", k->name);
	forget_announcements();
	run("ip -n host link set eth0 address 02:00:00:00:00:00");
	ok(UNTIL(announced(0)), "%s: a new link address is announced", k->name);
	run("ip -n host link set eth0 address 02:00:00:00:00:01");
	ok(UNTIL(announced(1)), "%s: each time", k->name);
}

/* Its cable is out and in again, under a connection. */
static void test_connection(const struct kind *k)
{
	int door = tcp("host", k, true), client = tcp("near", k, false);
	int server = accept4(door, NULL, NULL, SOCK_CLOEXEC);

	ok(server >= 0, "%s: a client connects to the address", k->name);
	run("ip link set to-host down");
	ok(UNTIL(has(a, false, "no carrier")), "%s: no carrier", k->name);
	ok(write(client, "from client", 11) == 11 &&
	   write(server, "from server", 11) == 11, "%s: both write", k->name);
	run("ip link set to-host up");
	ok(UNTIL(has(a, true, "")), "%s: held again", k->name);
	ok(UNTIL(arrives(server, "from client")) &&
	   UNTIL(arrives(client, "from server")), "%s: what they wrote arrives", k->name);
	int again = tcp("near", k, false);
	ok(again >= 0, "%s: the door stands open for the next", k->name);
	close(again);
	close(client);
	close(server);
	close(door);
}

/* Its cable is out; meanwhile another host takes the address. */
static void test_carrier(const struct kind *k)
{
	run("ip link set to-host down");
	ok(UNTIL(has(a, false, "no carrier")), "%s: no carrier: %s", k->name, a->text);
	ok(!is_on("host", k, "eth0"), "%s: it is taken off", k->name);
	run("ip -n other address add %s/%u dev eth0 %s", k->ip, k->prefix,
	    k == &v6 ? "nodad" : "");
	ok(UNTIL(oracle.last == 1u << 3), "%s: another host has taken it", k->name);
	oracle.doubles = 0;
	run("ip link set to-host up");
	ok(UNTIL(has(a, false, "02:00:00:00:00:03 on eth0 has it")),
	   "%s: when the carrier is back it is not taken: %s", k->name, a->text);
	ok(!is_on("host", k, "eth0"), "%s: nor put on", k->name);
	run("ip -n other address del %s/%u dev eth0", k->ip, k->prefix);
	ok(UNTIL(has(a, true, "")) && UNTIL(oracle.last == 1u << 1),
	   "%s: when the other lets it go it is taken", k->name);
	is_int(oracle.doubles, 0, "%s: no question had two answers", k->name);
}

/* The engine dies, the role dies: gateways go on serving the address. */
static void test_adopted(const struct kind *k)
{
	ok(UNTIL(oracle.last == 1u << 1), "%s: its host answers", k->name);
	oracle.unanswered = 0;
	int requests = oracle.requests;
	role_end(a, SIGKILL);
	pump_for(200);
	ok(is_on("host", k, "eth0"), "%s: a killed role leaves it", k->name);
	role_start(a, "host", 0);
	forget_announcements();
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, true, "")), "%s: the next one takes it over (%s)", k->name,
	   a->text);
	ok(UNTIL(announced(1)), "%s: and announces it", k->name);
	int status = role_end(a, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "%s: when the engine's socket ends the role does", k->name);
	ok(is_on("host", k, "eth0"), "%s: and leaves it too", k->name);
	role_start(a, "host", 0);
	forget_announcements();
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, true, "")), "%s: for the next", k->name);
	ok(UNTIL(oracle.requests > requests + 20), "%s: meanwhile it was asked for",
	   k->name);
	is_int(oracle.unanswered, 0, "%s: and each time answered", k->name);
}

/* Of another site on the same host. */
static void test_two_engines(const struct kind *k)
{
	role_start(b, "host", 0);
	role_add(b, "mine", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(b, false, "another engine")), "%s: a second engine: %s", k->name,
	   b->text);
	role_remove(b, "mine", 5);
	ok(UNTIL(b->answered == 5) && is_on("host", k, "eth0"),
	   "%s: its removal is not ours", k->name);
	role_add(b, "mine", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(b, false, "another engine")), "%s: it waits", k->name);
	role_remove(a, "web", 6);
	ok(UNTIL(has(b, true, "")), "%s: until ours lets it go", k->name);
	role_remove(b, "mine", 7);
	ok(UNTIL(b->answered == 7) && !is_on("host", k, "eth0"), "%s: and lets it go",
	   k->name);
	role_end(b, 0);
}

static void test_foreign(const struct kind *k)
{
	run("ip -n host address add %s/%u dev lo", k->ip, k == &v6 ? 128 : 32);
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, false, "not by Remuda")), "%s: %s", k->name, a->text);
	ok(!is_on("host", k, "eth0"), "%s: it is not put there twice", k->name);
	role_remove(a, "web", 8);
	ok(UNTIL(a->answered == 8) && is_on("host", k, "lo"),
	   "%s: what is not ours is not removed", k->name);
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, false, "not by Remuda")), "%s: asked for again", k->name);
	run("ip -n host address del %s/%u dev lo", k->ip, k == &v6 ? 128 : 32);
	ok(UNTIL(has(a, true, "")), "%s: when it is gone ours comes", k->name);
	role_remove(a, "web", 9);
	ok(UNTIL(a->answered == 9), "%s: and goes", k->name);
}

/* Another host has it from the beginning. */
static void test_duplicate(const struct kind *k)
{
	run("ip -n other address add %s/%u dev eth0 %s", k->ip, k->prefix,
	    k == &v6 ? "nodad" : "");
	oracle.doubles = 0;
	forget_announcements();
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, false, "02:00:00:00:00:03")), "%s: %s", k->name, a->text);
	/* Asked again, refused again, and the engine does not hear it twice. */
	int states = a->states;
	pump_for(5000);
	is_int(a->states, states, "%s: it stays so", k->name);
	ok(!is_on("host", k, "eth0") && !announced(1) && !oracle.doubles,
	   "%s: neither put on nor announced", k->name);
	role_remove(a, "web", 10);
	ok(UNTIL(a->answered == 10), "%s: removed", k->name);
	run("ip -n other address del %s/%u dev eth0", k->ip, k->prefix);
}

/* Interfaces nobody answers on; several names; another interface. */
static void test_names(const struct kind *k)
{
	role_add(a, "web", k->ip, 0, "vip0");
	ok(UNTIL(has(a, false, "is not there")), "%s: %s", k->name, a->text);
	run("ip -n host link add vip0 type veth peer name vip1 && "
	    "ip -n host link set vip0 arp off && ip -n host link set vip1 up");
	ok(UNTIL(has(a, false, "is down")), "%s: %s", k->name, a->text);
	run("ip -n host link set vip0 up");
	ok(UNTIL(has(a, true, "")), "%s: when the interface comes it is held", k->name);
	ok(says("ip -n host -o address show dev vip0 %s | grep -q '/%d .*noprefixroute'",
		k->show, k == &v6 ? 128 : 32), "%s: alone, without a route", k->name);
	role_add(a, "mail", k->ip, 0, "vip0");
	ok(UNTIL(has(a, true, "") && strcmp(a->name, "mail") == 0),
	   "%s: a second cluster has the same", k->name);
	role_remove(a, "web", 11);
	ok(UNTIL(a->answered == 11) && is_on("host", k, "vip0"),
	   "%s: it stays for the second", k->name);
	role_add(a, "mail", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, false, "moves")) && UNTIL(has(a, true, "")),
	   "%s: it moves to another interface", k->name);
	ok(is_on("host", k, "eth0") && !is_on("host", k, "vip0"),
	   "%s: and is on that one alone", k->name);
	run("ip -n host link del vip0");
	role_remove(a, "mail", 12);
	ok(UNTIL(a->answered == 12) && !is_on("host", k, "eth0"),
	   "%s: the last takes it away", k->name);
}

/* Two hosts for one address: begun at once, and each without its cable. */
static void test_two_hosts(const struct kind *k)
{
	int64_t start_ms = now_ms();

	oracle.doubles = 0;
	role_start(b, "other", 0);
	role_add(a, "web", k->ip, k->prefix, "eth0");
	role_add(b, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, true, "") || has(b, true, "")), "%s: one of two has it", k->name);
	tap_note("after %lld ms", (long long)(now_ms() - start_ms));
	struct peer *holder = a->held ? a : b, *waits = a->held ? b : a;
	const char *cable = holder == a ? "to-host" : "to-other";
	ok(UNTIL(has(waits, false, "has it")), "%s: the other waits: %s", k->name,
	   waits->text);
	run("ip link set %s down", cable);
	start_ms = now_ms();
	ok(UNTIL(has(waits, true, "")), "%s: it takes over when the holder is cut off",
	   k->name);
	tap_note("after %lld ms", (long long)(now_ms() - start_ms));
	run("ip link set %s up", cable);
	ok(UNTIL(has(holder, false, "has it")), "%s: who is back waits", k->name);
	kill(waits->pid, SIGSTOP);
	pump_for(3000);
	ok(!holder->held, "%s: also while the other's role does nothing", k->name);
	kill(waits->pid, SIGCONT);
	role_remove(waits, "web", 13);
	ok(UNTIL(has(holder, true, "")), "%s: until it is let go", k->name);
	ok(UNTIL(oracle.last != 0), "%s: and answers", k->name);
	is_int(oracle.doubles, 0, "%s: in %d questions no two answers", k->name,
	       oracle.requests);
	role_remove(holder, "web", 14);
	ok(UNTIL(holder->answered == 14), "%s: let go", k->name);
	role_end(b, 0);
}

/* Notices of the kernel are lost while the role does not read. */
static void test_flood(const struct kind *k)
{
	role_add(a, "web", k->ip, k->prefix, "eth0");
	ok(UNTIL(has(a, true, "")), "%s: held", k->name);
	kill(a->pid, SIGSTOP);
	run("for i in $(seq 1 2000); do echo address add 10.99.0.1/32 dev lo; "
	    "echo address del 10.99.0.1/32 dev lo; done | ip -n host -b -");
	run("ip -n host address del %s/%u dev eth0", k->ip, k->prefix);
	int states = a->states;
	kill(a->pid, SIGCONT);
	ok(UNTIL(a->states >= states + 2 && has(a, true, "")) && is_on("host", k, "eth0"),
	   "%s: a removal whose notice was lost is seen", k->name);
	role_remove(a, "web", 15);
	ok(UNTIL(a->answered == 15), "%s: let go", k->name);
}

/* ---- once ---------------------------------------------------------------------- */

/* What comes to a port its bridge hears. */
static void test_port(void)
{
	run("ip -n host link add vip0 type veth peer name vip1 && "
	    "ip -n host link add br9 type bridge && ip -n host link set vip0 master br9 && "
	    "ip -n host link set vip1 up && ip -n host link set vip0 up");
	role_add(a, "web", "10.78.0.50", 24, "vip0");
	ok(UNTIL(has(a, false, "a port of another")), "%s", a->text);
	run("ip -n host link set vip0 nomaster");
	ok(UNTIL(has(a, true, "")), "one that is none any more is taken");
	run("ip -n host link set vip0 master br9");
	ok(UNTIL(has(a, false, "a port of another")), "and not while it is one");
	ok(!says("ip -n host -o address show to 10.78.0.50 | grep -q ."), "nor on it");
	role_remove(a, "web", 50);
	ok(UNTIL(a->answered == 50), "let go");
	run("ip -n host link del vip0 && ip -n host link del br9");
}

/* A guest's card on this host: what it says is not said by this host. */
static void test_lent(void)
{
	uint8_t mac[6] = { 2, [5] = 3 };
	struct rtnl r = { 0 };
	struct error err = { "" };

	if (!says("ip -n host link add link eth0 name tap9 address 02:00:00:00:00:03 type macvtap mode bridge 2>/dev/null")) {
		tap_skip(2, "this kernel has no macvtap");
		return;
	}
	leave();
	enter("host");
	if (rtnl_open(&r, &err) < 0)
		tap_bail("%s", err.text);
	leave();
	ok(!rtnl_is_own(&r, mac), "a guest's link address is not the host's");
	mac[5] = 1;
	ok(rtnl_is_own(&r, mac), "the host's is");
	rtnl_close(&r);
	run("ip -n host link del tap9");
}

/* The first address of a network takes the later ones with it when it goes. */
static void test_neighbours_of_its_network(void)
{
	run("ip -n host link add vip0 type veth peer name vip1 && "
	    "ip -n host link set vip1 up && ip -n host link set vip0 up");
	role_add(a, "web", "10.78.0.50", 24, "vip0");
	ok(UNTIL(has(a, true, "")), "the first address of a network");
	run("ip -n host address add 10.78.0.7/24 dev vip0");
	run("ip -n host address add 10.78.0.8/24 dev vip0");
	role_remove(a, "web", 20);
	ok(UNTIL(a->answered == 20), "goes (%s)", a->text);
	ok(says("test $(ip -n host -o -4 address show dev vip0 | grep -c -e 10.78.0.7 -e 10.78.0.8) = 2"),
	   "and those that came later stay");
	ok(says("ip netns exec host grep -qx 0 /proc/sys/net/ipv4/conf/vip0/promote_secondaries"),
	   "without another setting for good");
	run("ip -n host link del vip0");
}

static void test_wrong(void)
{
	role_add(a, "web", "ten", 24, "eth0");
	ok(UNTIL(has(a, false, "no address")), "no address: %s", a->text);
	role_add(a, "web", "10.77.0.50", 24, "a-name-that-is-far-too-long");
	ok(UNTIL(has(a, false, "no name of an interface")), "no interface");
	role_remove(a, "never", 30);
	ok(UNTIL(a->answered == 30) && !a->held, "the removal of nothing is done");
	run("ip netns exec host sh -c 'echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'");
	role_add(a, "web", "fd77::50", 64, "eth0");
	ok(UNTIL(has(a, false, "IPv6 is off")), "%s", a->text);
	run("ip netns exec host sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'");
	ok(UNTIL(has(a, true, "")), "when it is on the address is taken");
	role_remove(a, "web", 31);
	ok(UNTIL(a->answered == 31), "let go");
}

static void test_rights(void)
{
	static struct peer *p = &peers[1];

	ok(says("grep -qx 'CapEff:\t0000000000003000' /proc/%d/status", a->pid) &&
	   says("grep -qx 'CapPrm:\t0000000000003000' /proc/%d/status", a->pid),
	   "two capabilities are kept");
	ok(says("grep -qx 'NoNewPrivs:\t1' /proc/%d/status", a->pid), "no new ones come");
	ok(says("grep -qx 'Seccomp:\t2' /proc/%d/status", a->pid), "system calls are filtered");
	role_start(p, "host", 65534);
	role_add(p, "web", "10.77.0.50", 24, "eth0");
	ok(UNTIL(has(p, false, "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW")),
	   "without rights: %s", p->text);
	role_remove(p, "web", 40);
	ok(UNTIL(p->answered == 40), "it can be let go");
	is_int(role_end(p, 0), 0, "and ends");
}

int main(void)
{
	const struct kind *const kinds[] = { &v4, &v6 };

	if (!getenv("REMUDA_LAB"))
		tap_bail("run tests/lab/vip.t: it sets the stage");
	leave();
	role_start(a, "host", 0);
	ok(UNTIL(a->ready), "the role is ready");
	for (int i = 0; i < 2; i++) {
		const struct kind *k = kinds[i];
		struct address ip = address_of(k);

		oracle_start(&ip);
		test_take(k);
		test_remove(k);
		test_take(k);
		test_removed_by_somebody(k);
		test_link(k);
		test_connection(k);
		test_carrier(k);
		test_adopted(k);
		test_conflict(k);
		test_two_engines(k);
		test_foreign(k);
		test_duplicate(k);
		test_names(k);
		test_two_hosts(k);
		test_flood(k);
	}
	test_neighbours_of_its_network();
	test_port();
	test_lent();
	test_wrong();
	test_rights();
	is_int(role_end(a, 0), 0, "the role ends with its engine");
	return tap_done();
}
