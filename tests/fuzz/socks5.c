/*
 * What a SOCKS 5 client says; the first byte tells which message is read.  A
 * beginning of a message is never one, what follows it changes nothing, and
 * what is taken is what RFC 1928 and 1929 say stands there.
 */
#include <string.h>
#include <strings.h>

#include "engine/base/text.h"
#include "engine/wire/socks5.h"
#include "tests/fuzz/fuzz.h"

union said {
	struct socks5_methods methods;
	struct socks5_login login;
	struct socks5_request request;
};

static int take(int kind, const uint8_t *in, size_t length, union said *out)
{
	memset(out, 0, sizeof(*out));
	return kind == 0 ? socks5_methods_parse(in, length, &out->methods) :
	       kind == 1 ? socks5_login_parse(in, length, &out->login) :
			   socks5_request_parse(in, length, &out->request);
}

static void check_methods(const uint8_t *in, int n, const union said *m)
{
	FUZZ_CHECK(in[0] == SOCKS5_VERSION && n == 2 + in[1]);
	FUZZ_CHECK(m->methods.none == !!memchr(in + 2, SOCKS5_NO_LOGIN, in[1]));
	FUZZ_CHECK(m->methods.password ==
		   !!memchr(in + 2, SOCKS5_PASSWORD, in[1]));
}

static void check_login(const uint8_t *in, int n, const union said *m)
{
	size_t user = in[1];

	FUZZ_CHECK(in[0] == SOCKS5_LOGIN_VERSION);
	FUZZ_CHECK(user > 0 && strlen(m->login.user) == user &&
		   memcmp(m->login.user, in + 2, user) == 0);
	FUZZ_CHECK(m->login.secret_length > 0 &&
		   m->login.secret_length == in[2 + user] &&
		   memcmp(m->login.secret, in + 3 + user, in[2 + user]) == 0);
	FUZZ_CHECK(n == (int)(3 + user + in[2 + user]));
}

static void check_request(const uint8_t *in, const union said *m)
{
	const char *application = m->request.application;

	FUZZ_CHECK(in[0] == SOCKS5_VERSION && in[2] == 0);
	FUZZ_CHECK((m->request.reply == SOCKS5_NO_COMMAND) ==
		   (in[1] != 1 && (in[3] == 1 || in[3] == 3 || in[3] == 4)));
	if (m->request.reply != SOCKS5_SUCCEEDED)
		return;
	/* CONNECT, to a name, and that is what was taken. */
	FUZZ_CHECK(in[1] == 1 && in[3] == 3 && text_is_name(application));
	FUZZ_CHECK(strlen(application) == in[4] &&
		   strncasecmp(application, (const char *)in + 5, in[4]) == 0);
}

/* An address of an unknown kind has no length: it is answered at once. */
static bool endless(int kind, const union said *m, const uint8_t *in)
{
	return kind == 2 && m->request.reply == SOCKS5_NO_ADDRESS &&
	       in[3] != 1 && in[3] != 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	union said whole, part;

	if (length < 1)
		return 0;
	int kind = bytes[0] % 3;
	const uint8_t *in = bytes + 1;
	int n = take(kind, in, --length, &whole);

	FUZZ_CHECK(n >= -1 && n <= (int)length);
	FUZZ_CHECK(n != 0 || length < SOCKS5_MESSAGE_MAX);
	size_t known = n > 0 ? (size_t)n : length;
	if (n > 0 && endless(kind, &whole, in))
		known = 4;
	FUZZ_EACH_PREFIX(cut, known) {
		int m = take(kind, in, cut, &part);

		FUZZ_CHECK(m == 0 || (m < 0 && n < 0));
	}
	if (n <= 0)
		return 0;
	FUZZ_CHECK(take(kind, in, known, &part) == (int)known &&
		   memcmp(&part, &whole, sizeof(whole)) == 0);
	if (kind == 0)
		check_methods(in, n, &whole);
	else if (kind == 1)
		check_login(in, n, &whole);
	else
		check_request(in, &whole);
	return 0;
}
