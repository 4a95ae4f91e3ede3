/*
 * The socks5 door (RFC 1928, RFC 1929; engine/wire/socks5.h has the messages).
 *
 *     client                      gateway
 *     methods                     the one: password where the listener's user
 *                                 is "password", else none
 *     user, password              success, always: see below
 *     CONNECT name                a reply, and with success the bytes
 *
 * Whether a password is right depends on the throttle and is recorded with the
 * application asked for, so it is checked with the request: a wrong one is
 * answered by reply 2, "not allowed by ruleset", like an application that the
 * user may not have.  SOCKS has no place for words.
 */
#include <string.h>

#include "engine/gateway/internal.h"
#include "engine/wire/socks5.h"

enum step { STEP_METHODS, STEP_LOGIN, STEP_REQUEST };

/* Refusal codes of the engine; all others are a general failure. */
static const struct {
	const char *code;
	enum socks5_reply reply;
} codes[] = {
	{ "not_authenticated", SOCKS5_NOT_ALLOWED },
	{ "not_allowed", SOCKS5_NOT_ALLOWED }, { "refused", SOCKS5_NOT_ALLOWED },
	{ "denied", SOCKS5_NOT_ALLOWED }, { "limit", SOCKS5_NOT_ALLOWED },
	{ "throttled", SOCKS5_NOT_ALLOWED },
	{ "no_application", SOCKS5_HOST_UNREACHABLE },
	{ "timeout", SOCKS5_TTL_EXPIRED }, { "no_machine", SOCKS5_REFUSED },
	{ "queue_full", SOCKS5_REFUSED }, { NULL, SOCKS5_FAILURE },
};

/* Reply with the address 0.0.0.0:0: there is none to tell. */
static void put_reply(uint8_t out[10], enum socks5_reply reply)
{
	memset(out, 0, 10);
	out[0] = SOCKS5_VERSION;
	out[1] = (uint8_t)reply;
	out[3] = 1;
}

static void answer(struct gateway *g, struct caller *c, enum socks5_reply reply)
{
	uint8_t bytes[10];

	put_reply(bytes, reply);
	end_put_raw(g, &c->client, bytes, sizeof(bytes));
}

static void socks5_refuse(struct gateway *g, struct caller *c, const char *code,
			  struct slice text)
{
	int i = 0;

	(void)text;
	/* Before its request there is no reply that a client would expect. */
	if (c->state == CALLER_OPENING)
		return;
	while (codes[i].code && strcmp(codes[i].code, code) != 0)
		i++;
	answer(g, c, codes[i].reply);
}

static enum door_step turn_away(struct gateway *g, struct caller *c)
{
	c->listener->turned_away++;
	caller_linger(g, c);
	return DOOR_OVER;
}

static int take_methods(struct gateway *g, struct caller *c, const uint8_t *in,
			size_t length)
{
	bool login = c->listener->user_source == WIRE_USER_PASSWORD;
	struct socks5_methods m;
	int n = socks5_methods_parse(in, length, &m);
	bool good = login ? m.password : m.none;
	uint8_t bytes[2] = { SOCKS5_VERSION,
			     !good ? SOCKS5_NO_METHOD :
			     login ? SOCKS5_PASSWORD : SOCKS5_NO_LOGIN };

	if (n <= 0)
		return n;
	end_put_raw(g, &c->client, bytes, sizeof(bytes));
	c->opening->step = login ? STEP_LOGIN : STEP_REQUEST;
	return good ? n : -1;
}

static int take_login(struct gateway *g, struct caller *c, const uint8_t *in,
		      size_t length)
{
	static const uint8_t right[2] = { SOCKS5_LOGIN_VERSION, 0 };
	static const uint8_t wrong[2] = { SOCKS5_LOGIN_VERSION, 1 };
	struct socks5_login l;
	int n = socks5_login_parse(in, length, &l);

	if (n == 0)
		return 0;
	end_put_raw(g, &c->client, n < 0 ? wrong : right, 2);
	if (n > 0) {
		struct asking *a = door_asking(c);

		TEXT_SET(a->user, l.user);
		memcpy(a->secret, l.secret, l.secret_length);
		a->secret_length = l.secret_length;
		c->opening->step = STEP_REQUEST;
	}
	explicit_bzero(&l, sizeof(l));
	return n;
}

static int take_request(struct gateway *g, struct caller *c, const uint8_t *in,
			size_t length)
{
	struct socks5_request r;
	int n = socks5_request_parse(in, length, &r);

	if (n <= 0)
		return n;
	if (r.reply != SOCKS5_SUCCEEDED) {
		answer(g, c, r.reply);
		return -1;
	}
	TEXT_SET(door_asking(c)->application, r.application);
	return n;
}

static enum door_step socks5_read(struct gateway *g, struct caller *c)
{
	struct chunk *in = c->client.in;
	const uint8_t *bytes = in->bytes + in->start;
	size_t length = in->end - in->start;
	enum step step = c->opening->step;
	int n = -1;

	switch (step) {
	case STEP_METHODS: n = take_methods(g, c, bytes, length); break;
	case STEP_LOGIN: n = take_login(g, c, bytes, length); break;
	case STEP_REQUEST: n = take_request(g, c, bytes, length); break;
	}
	if (n == 0)
		return DOOR_MORE;
	if (n < 0)
		return turn_away(g, c);
	end_consume(g, &c->client, (size_t)n);
	return step == STEP_REQUEST ? DOOR_ASKED : DOOR_AGAIN;
}

static struct greeting *socks5_greeting(const struct caller *c,
					const struct message *assign)
{
	uint8_t bytes[10];

	(void)c;
	(void)assign;
	put_reply(bytes, SOCKS5_SUCCEEDED);
	return door_greeting(bytes, sizeof(bytes));
}

const struct door door_socks5 = {
	.name = "socks5",
	.read = socks5_read,
	.wait = door_wait,
	.greeting = socks5_greeting,
	.refuse = socks5_refuse,
};
