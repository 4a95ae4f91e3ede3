/* SOCKS 5 messages at every cut, and what is refused with which reply. */
#include "engine/wire/socks5.h"

#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"

union message {
	struct socks5_methods methods;
	struct socks5_login login;
	struct socks5_request request;
};

enum kind { METHODS, LOGIN, REQUEST };

/* A copy of exactly that length, so that a sanitizer sees reads beyond. */
static int parse(enum kind kind, const void *bytes, size_t n, union message *m)
{
	uint8_t *copy = malloc(n ? n : 1);
	int got = 0;

	if (!copy)
		tap_bail("out of memory");
	memcpy(copy, bytes, n);
	switch (kind) {
	case METHODS: got = socks5_methods_parse(copy, n, &m->methods); break;
	case LOGIN: got = socks5_login_parse(copy, n, &m->login); break;
	case REQUEST: got = socks5_request_parse(copy, n, &m->request); break;
	}
	free(copy);
	return got;
}

#define BYTES(text) (text), sizeof(text) - 1

static union message taken(enum kind kind, const char *bytes, size_t n,
			   const char *what)
{
	union message m;
	char more[1024];
	int early = 0;

	for (size_t cut = 0; cut < n; cut++)
		early += parse(kind, bytes, cut, &m) != 0;
	is_int(early, 0, "%s: more is wanted at every cut", what);
	memcpy(more, bytes, n);
	memset(more + n, 0xff, 8);
	is_int(parse(kind, more, n + 8, &m), (int)n, "%s: what follows is not read", what);
	is_int(parse(kind, bytes, n, &m), (int)n, "%s: whole", what);
	return m;
}

static void refused(enum kind kind, const char *bytes, size_t n, const char *what)
{
	union message m;

	is_int(parse(kind, bytes, n, &m), -1, "%s: refused", what);
	for (size_t cut = 0; cut < n; cut++)
		if (parse(kind, bytes, cut, &m) > 0)
			ok(false, "%s: taken at %zu", what, cut);
}

static void test_methods(void)
{
	char many[257] = { 5, (char)255 };
	union message m = taken(METHODS, BYTES("\5\1\0"), "no login");

	ok(m.methods.none && !m.methods.password, "only that");
	m = taken(METHODS, BYTES("\5\3\0\1\2"), "three ways");
	ok(m.methods.none && m.methods.password, "both known ones");
	m = taken(METHODS, BYTES("\5\0"), "no way at all");
	ok(!m.methods.none && !m.methods.password, "is none");
	many[256] = 2;
	memset(many + 2, 7, 254);
	m = taken(METHODS, many, sizeof(many), "255 ways");
	ok(!m.methods.none && m.methods.password, "the last one");
	refused(METHODS, BYTES("\4\1\0\7\x7f\0\0\1"), "SOCKS 4");
	refused(METHODS, BYTES("GET /"), "HTTP");
	refused(METHODS, BYTES("\0"), "a zero");
}

static void test_login(void)
{
	char longest[513] = { 1, (char)255 };
	union message m = taken(LOGIN, BYTES("\1\4anna\6remuda"), "a login");

	is_text(m.login.user, "anna", "the user");
	ok(m.login.secret_length == 6 && !memcmp(m.login.secret, "remuda", 6),
	   "the password");
	memset(longest + 2, 'u', 255);
	longest[257] = (char)255;
	memset(longest + 258, 'p', 255);
	m = taken(LOGIN, longest, sizeof(longest), "the longest");
	is_int(strlen(m.login.user), 255, "a user of 255 bytes");
	is_int(m.login.secret_length, 255, "a password of 255 bytes");
	refused(LOGIN, BYTES("\1\0\1p"), "no user");
	refused(LOGIN, BYTES("\1\1u\0"), "no password");
	refused(LOGIN, BYTES("\1\3a\0b\1p"), "a NUL in the user");
	refused(LOGIN, BYTES("\1\4a\0b"), "a NUL in a part of it");
	refused(LOGIN, BYTES("\5\1u\1p"), "another version");
}

static void reply(const char *bytes, size_t n, enum socks5_reply want,
		  const char *what)
{
	union message m = taken(REQUEST, bytes, n, what);

	is_int(m.request.reply, want, "%s: the reply", what);
}

static void test_request(void)
{
	union message m = taken(REQUEST, BYTES("\5\1\0\3\6Echo-2\0\7"), "a name");

	is_int(m.request.reply, SOCKS5_SUCCEEDED, "may go on");
	is_text(m.request.application, "echo-2", "in small letters");
	reply(BYTES("\5\2\0\3\4echo\0\7"), SOCKS5_NO_COMMAND, "BIND");
	reply(BYTES("\5\3\0\3\4echo\0\7"), SOCKS5_NO_COMMAND, "UDP");
	reply(BYTES("\5\1\0\1\x7f\0\0\1\0\7"), SOCKS5_NO_ADDRESS, "IPv4");
	reply(BYTES("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\7"), SOCKS5_NO_ADDRESS, "IPv6");
	reply(BYTES("\5\1\0\3\0\0\7"), SOCKS5_HOST_UNREACHABLE, "an empty name");
	reply(BYTES("\5\1\0\3\x9" "127.0.0.1\0\7"), SOCKS5_HOST_UNREACHABLE,
	      "an address as a name");
	reply(BYTES("\5\1\0\3\3a\0b\0\7"), SOCKS5_HOST_UNREACHABLE, "a NUL in the name");
	char wide[5 + 255 + 2] = { 5, 1, 0, 3, (char)255 };
	memset(wide + 5, 'a', 255);
	reply(wide, sizeof(wide), SOCKS5_HOST_UNREACHABLE, "a name of 255 bytes");
	is_int(parse(REQUEST, BYTES("\5\1\0\2x"), &m), 5, "another kind of address");
	is_int(m.request.reply, SOCKS5_NO_ADDRESS, "is answered at once");
	refused(REQUEST, BYTES("\4\1\0\3\4echo\0\7"), "another version");
	refused(REQUEST, BYTES("\5\1\1\3\4echo\0\7"), "the reserved byte");
}

int main(void)
{
	test_methods();
	test_login();
	test_request();
	return tap_done();
}
