/* PROXY v2: the checksum's published vectors, headers both ways, damage. */
#include "engine/wire/proxy_v2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/error.h"
#include "tests/tap.h"

static uint8_t header[PROXY_V2_MAX];

static struct sockaddr_in in4(const char *ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &in.sin_addr);
	return in;
}

static struct sockaddr_in6 in6(const char *ip, uint16_t port)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };

	inet_pton(AF_INET6, ip, &in.sin6_addr);
	return in;
}

static struct proxy_v2 session(const void *source, const void *destination)
{
	return (struct proxy_v2){
		.source = source, .destination = destination,
		.authority = SLICE("anna"), .unique_id = SLICE("session/4711"),
		.listener = SLICE("desk"), .application = SLICE("mail"),
		.incarnation = SLICE("12"),
	};
}

/* RFC 3720, appendix B.4. */
static void test_crc(void)
{
	uint8_t bytes[32] = { 0 };

	is_int(proxy_v2_crc32c(0, bytes, 32), 0x8a9136aa, "32 zeros");
	memset(bytes, 0xff, 32);
	is_int(proxy_v2_crc32c(0, bytes, 32), 0x62a8ab43, "32 ones");
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	is_int(proxy_v2_crc32c(0, bytes, 32), 0x46dd794e, "0 to 31");
	is_int(proxy_v2_crc32c(proxy_v2_crc32c(0, bytes, 10), bytes + 10, 22),
	       0x46dd794e, "in two parts");
	is_int(proxy_v2_crc32c(0, "123456789", 9), 0xe3069283, "123456789");
}

static void test_ipv4(void)
{
	static const uint8_t start[] = {
		'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n',
		0x21, 0x11, 0, 60, 127, 0, 0, 2, 10, 0, 0, 1,
		0x30, 0x39, 0, 25, 0x03, 0, 4,
	};
	struct sockaddr_in a = in4("127.0.0.2", 12345), b = in4("10.0.0.1", 25);
	struct proxy_v2 p = session(&a, &b);
	struct proxy_v2_info info;
	struct error err;
	size_t n = proxy_v2_encode(&p, header, sizeof(header));

	is_int(n, 16 + 60, "a header for IPv4");
	ok(!memcmp(header, start, sizeof(start)), "starts as the protocol says");
	is_int(proxy_v2_decode(header, n, &info, &err), (int)n, "and reads back");
	ok(info.checked && !info.local, "checked, not LOCAL");
	is_int(info.family, AF_INET, "IPv4");
	is_int(info.source_port, 12345, "source port");
	is_int(info.destination_port, 25, "destination port");
	ok(!memcmp(info.source, &a.sin_addr, 4), "source");
	ok(!memcmp(info.destination, &b.sin_addr, 4), "destination");
	ok(slice_is(info.authority, "anna"), "user");
	ok(slice_is(info.unique_id, "session/4711"), "session");
	ok(slice_is(info.listener, "desk"), "listener");
	ok(slice_is(info.application, "mail"), "application");
	ok(slice_is(info.incarnation, "12"), "incarnation");
	unsigned early = 0, missed = 0;
	for (size_t cut = 0; cut < n; cut++)
		early += proxy_v2_decode(header, cut, &info, &err) != 0;
	is_int(early, 0, "a part of it asks for more");
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			header[i] ^= (uint8_t)(1 << bit);
			int got = proxy_v2_decode(header, n, &info, &err);
			/* A longer length asks for more bytes. */
			missed += got > 0 && info.checked;
			header[i] ^= (uint8_t)(1 << bit);
		}
	is_int(missed, 0, "no flipped bit passes the checksum");
}

static void test_others(void)
{
	struct sockaddr_in6 a = in6("fe80::1", 5), b = in6("fe80::2", 6);
	struct sockaddr_in6 ma = in6("::ffff:10.1.2.3", 7),
			    mb = in6("::ffff:10.1.2.4", 8);
	struct sockaddr un = { .sa_family = AF_UNIX };
	struct proxy_v2 p = session(&a, &b);
	struct proxy_v2_info info;
	struct error err;
	size_t n = proxy_v2_encode(&p, header, sizeof(header));

	is_int(proxy_v2_decode(header, n, &info, &err), (int)n, "IPv6");
	is_int(info.family, AF_INET6, "as such");
	ok(!memcmp(info.destination, &b.sin6_addr, 16), "its address");
	is_int(info.destination_port, 6, "and port");
	p = session(&ma, &mb);
	n = proxy_v2_encode(&p, header, sizeof(header));
	proxy_v2_decode(header, n, &info, &err);
	is_int(info.family, AF_INET, "IPv4 on a dual-stack socket is IPv4");
	ok(!memcmp(info.source, "\x0a\x01\x02\x03", 4), "its address");
	p = session(&un, &un);
	n = proxy_v2_encode(&p, header, sizeof(header));
	is_int(proxy_v2_decode(header, n, &info, &err), (int)n, "a unix client");
	is_int(header[13], 0, "is AF_UNSPEC");
	ok(slice_is(info.authority, "anna") && info.checked, "with its user");
	p = (struct proxy_v2){ .local = true };
	n = proxy_v2_encode(&p, header, sizeof(header));
	is_int(proxy_v2_decode(header, n, &info, &err), (int)n, "a check");
	ok(info.local && !info.authority.length, "is LOCAL and nobody");
	p = session(NULL, NULL);
	is_int(proxy_v2_encode(&p, header, 40), 0, "too little room");
	is_int(proxy_v2_decode((const uint8_t *)"GET / HTTP", 10, &info, &err),
	       -1, "HTTP is none");
	is_text(err.text, "PROXY header: wrong signature", "and that is said");
}

int main(void)
{
	test_crc();
	test_ipv4();
	test_others();
	return tap_done();
}
