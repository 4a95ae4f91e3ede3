/*
 * The connect door: HTTP/1.1 CONNECT (engine/wire/http_connect.h has the
 * request's rules).  One request a connection; 200 is written when the machine
 * has accepted.  Refusals are a status, a sentence as text/plain, and a close;
 * 407 names the schemes, 429 and 503 say when to try again.
 */
#include <stdio.h>
#include <string.h>

#include "engine/gateway/internal.h"
#include "engine/wire/http_connect.h"

enum { RETRY_S = 5 };

struct status {
	int number;
	const char *phrase;
};

static const struct status statuses[] = {
	{ 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 407, "Proxy Authentication Required" }, { 408, "Request Timeout" },
	{ 409, "Conflict" }, { 417, "Expectation Failed" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" }, { 0, "Error" },
};

/* Refusal codes of the engine; all others are 503: not now. */
static const struct {
	const char *code;
	int status;
} codes[] = {
	{ "not_authenticated", 407 }, { "not_allowed", 403 },
	{ "refused", 403 }, { "denied", 403 }, { "no_application", 404 },
	{ "limit", 429 }, { "throttled", 429 }, { "duplicate", 409 },
	{ "superseded", 409 }, { NULL, 503 },
};

static void answer(struct gateway *g, struct caller *c, int number,
		   struct slice text)
{
	const struct status *s = statuses;
	char said[512], bytes[1280], more[256] = "";

	while (s->number && s->number != number)
		s++;
	/* Foreign text (a machine's words, a user's name) is shown as it is
	 * everywhere else: without control characters. */
	text_display(said, sizeof(said), text.ptr, text.length);
	if (number == 407)
		snprintf(more, sizeof(more),
			 "Proxy-Authenticate: Basic realm=\"%s\", charset=\"UTF-8\"\r\n"
			 "Proxy-Authenticate: Bearer realm=\"%s\"\r\n",
			 c->listener->name, c->listener->name);
	else if (number == 405)
		TEXT_SET(more, "Allow: CONNECT\r\n");
	else if (number == 429 || number == 503)
		snprintf(more, sizeof(more), "Retry-After: %d\r\n", RETRY_S);
	int n = snprintf(bytes, sizeof(bytes),
			 "HTTP/1.1 %d %s\r\n%sContent-Type: text/plain; charset=utf-8\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
			 number, s->phrase, more, strlen(said) + 1, said);
	end_put_raw(g, &c->client, bytes, (size_t)n);
}

static void connect_refuse(struct gateway *g, struct caller *c, const char *code,
			   struct slice text)
{
	int i = 0;

	while (codes[i].code && strcmp(codes[i].code, code) != 0)
		i++;
	int status = codes[i].status;
	/* A request that never became one is the client's fault; a wait that
	 * became too long is not. */
	if (c->state == CALLER_OPENING && strcmp(code, "timeout") == 0)
		status = 408;
	/* Who is known by certificate or address need not try a password. */
	if (status == 407 && c->listener->user_source != WIRE_USER_PASSWORD)
		status = 403;
	answer(g, c, status, text);
}

static enum door_step turn_away(struct gateway *g, struct caller *c, int number,
				const char *why)
{
	c->listener->turned_away++;
	answer(g, c, number, slice_of(why));
	caller_linger(g, c);
	return DOOR_OVER;
}

/* n: the request's length, or what the parser said instead. */
static enum door_step take(struct gateway *g, struct caller *c,
			   const struct http_connect *h, int n)
{
	bool login = c->listener->user_source == WIRE_USER_PASSWORD;
	struct asking *a;

	if (n == 0)
		return DOOR_MORE;
	if (n < 0)
		return turn_away(g, c, h->status, h->why);
	end_consume(g, &c->client, (size_t)n);
	if (login && (!h->secret_length ||
		      (h->credentials == HTTP_BASIC && !h->user[0])))
		return turn_away(g, c, 407, "this proxy wants a user and a password, or a token");
	a = door_asking(c);
	TEXT_SET(a->application, h->application);
	if (!login)
		return DOOR_ASKED;
	TEXT_SET(a->user, h->user);
	memcpy(a->secret, h->secret, h->secret_length);
	a->secret_length = h->secret_length;
	return DOOR_ASKED;
}

static enum door_step connect_read(struct gateway *g, struct caller *c)
{
	struct chunk *in = c->client.in;
	struct http_connect h;
	int n = http_connect_parse(in->bytes + in->start, in->end - in->start, &h);
	enum door_step step = take(g, c, &h, n);

	explicit_bzero(&h, sizeof(h));
	return step;
}

static struct greeting *connect_greeting(const struct caller *c,
					 const struct message *assign)
{
	char bytes[128];
	int n = snprintf(bytes, sizeof(bytes),
			 "HTTP/1.1 200 Connection established\r\n"
			 "Remuda-Session: session/%llu\r\n\r\n",
			 (unsigned long long)caller_session(c));

	(void)assign;
	return door_greeting(bytes, (size_t)n);
}

const struct door door_connect = {
	.name = "connect",
	.alpn = "http/1.1",
	.read = connect_read,
	.wait = door_wait,
	.greeting = connect_greeting,
	.refuse = connect_refuse,
};
