/* Networks and addresses. */
#include "engine/base/network.h"

#include <string.h>

#include "engine/base/error.h"
#include "tests/tap.h"

static void bad(const char *text, const char *part)
{
	struct network n;
	struct error err = { "" };

	is_int(network_parse(text, &n, &err), -1, "\"%s\" is refused", text);
	ok(strstr(err.text, part) != NULL, "with words: %s", err.text);
}

static void holds(const char *net, const char *address, bool want)
{
	struct network n;
	struct error err = { "" };
	struct address a = network_address_parse(slice_of(address));

	if (network_parse(net, &n, &err) < 0)
		tap_bail("%s", err.text);
	ok(network_holds(&n, &a) == want, "%s %s %s", net,
	   want ? "holds" : "does not hold", address);
}

int main(void)
{
	struct network a, b;
	struct error err;

	holds("10.1.0.0/16", "10.1.255.7:4711", true);
	holds("10.1.0.0/16", "10.2.0.0", false);
	holds("10.2.0.0/15", "10.1.3.4", false);
	holds("10.0.0.0/15", "10.1.3.4", true);
	holds("0.0.0.0/0", "192.0.2.1:1", true);
	holds("0.0.0.0/0", "[2001:db8::1]:1", false);
	holds("::/0", "[2001:db8::1]:1", true);
	holds("::/0", "[::ffff:192.0.2.1]:1", false);
	holds("192.0.2.1", "[::ffff:192.0.2.1]:1", true);
	holds("192.0.2.1", "192.0.2.2", false);
	holds("2001:db8::/33", "2001:db8:7fff::1", true);
	holds("2001:db8::/33", "[2001:db8:8000::1]:9", false);
	holds("::1", "::1", true);
	holds("0.0.0.0/0", "unix uid 0 pid 1", false);
	holds("0.0.0.0/0", "", false);
	holds("0.0.0.0/0", "192.0.2.1:", false);
	holds("0.0.0.0/0", "192.0.2.1:1x", false);
	holds("0.0.0.0/0", "[192.0.2.1]:1", false);
	holds("::/0", "[2001:db8::1]", true);
	holds("::/0", "[2001:db8::1]x", false);
	holds("::/0", "[2001:db8::1", false);
	bad("10.1.0.0/33", "is no network");
	bad("10.1.0.0/", "is no network");
	bad("10.1.0.0/-1", "is no network");
	bad("10.1.0.0/8x", "is no network");
	bad("10.1.0/8", "is no network");
	bad("::/129", "is no network");
	bad("", "is no network");
	bad("host/8", "is no network");
	bad("10.1.0.0/8", "bits behind its /8");
	bad("2001:db8::1/64", "bits behind its /64");
	ok(network_parse("::ffff:10.0.0.1", &a, &err) == 0 &&
	   network_parse("10.0.0.1/32", &b, &err) == 0 && network_same(&a, &b),
	   "a mapped address is the IPv4 address");
	return tap_done();
}
