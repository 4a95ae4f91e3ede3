/* The connect and socks5 doors: requests in every cut, early data, answers in
 * each protocol, and the crowd before them. */
#include "tests/unit/gateway_lab.h"

static struct lab lab;
static uint16_t proxy, open_proxy, socks, open_socks, machine_port;
static int machine_listen;

#define HEAD "CONNECT mail:25 HTTP/1.1\r\nHost: mail:25\r\n"
#define ANNA "Proxy-Authorization: Basic YW5uYTpyZW11ZGE=\r\n"
#define OPEN "HTTP/1.1 200 Connection established\r\nRemuda-Session: session/"

static void drip(int fd, const char *bytes, size_t n)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	for (size_t i = 0; i < n; i++)
		lab_write(fd, bytes + i, 1);
}

static struct message requested(const char *user, const char *secret)
{
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);

	ok(slice_is(m.session_request.application, "mail"), "mail is asked for");
	ok(slice_is(m.session_request.user, user), "by %s", user);
	ok(slice_is(m.session_request.secret, secret), "with that secret");
	is_int(m.session_request.wait_ms, -1, "waiting as the listener says");
	return m;
}

static int assign(uint64_t conn, uint64_t session)
{
	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = session, .machine = 7,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = machine_port });
	int machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	return machine;
}

static void finish(int client, int machine, uint64_t bytes_in)
{
	lab_says(machine, "answer");
	ok(lab_hears(client, "answer"), "the answer comes back");
	shutdown(client, SHUT_WR);
	is_int(lab_end(machine), 0, "a half-close reaches the machine");
	close(machine);
	is_int(lab_end(client), 0, "its close reaches the client");
	close(client);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.how, WIRE_END_CLOSED, "an orderly end");
	is_int(m.session_ended.bytes_in, bytes_in, "early data is counted");
}

static void refuse(uint64_t conn, const char *code, const char *text)
{
	struct message m = { .type = WIRE_TYPE_session_refuse,
			     .session_refuse = { .conn = conn,
						 .code = slice_of(code),
						 .text = slice_of(text) } };

	lab_send(&lab, &m);
}

/* All that comes until the end, which must be no reset. */
static const char *answer(int fd)
{
	static char text[2048];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	is_int(got, 0, "then the end, no reset");
	text[n] = '\0';
	close(fd);
	return text;
}

static void has(const char *text, const char *part)
{
	char shown[80];

	text_display(shown, sizeof(shown), part, strlen(part));
	if (!ok(strstr(text, part) != NULL, "it says %s", shown))
		tap_note("%s", text);
}

static void test_connect(void)
{
	static const char request[] = HEAD ANNA "\r\nquestion";
	int client = lab_dial(proxy);

	drip(client, request, sizeof(request) - 1);
	struct message m = requested("anna", "remuda");
	is_int(m.session_request.user_source, WIRE_USER_PASSWORD, "by password");
	ok(!lab_poll(client, POLLIN, 50), "no 200 before the machine accepted");
	int machine = assign(m.session_request.conn, 301);
	ok(lab_hears(client, OPEN "301\r\n\r\n"), "then 200");
	ok(lab_hears(machine, "question"), "early data reaches the machine");
	finish(client, machine, 8);

	client = lab_dial(proxy);
	lab_says(client, HEAD "Proxy-Authorization: Bearer abc-123\r\n\r\n");
	m = requested("", "abc-123");
	refuse(m.session_request.conn, "not_authenticated", "that is no token");
	has(answer(client), "HTTP/1.1 407 ");

	client = lab_dial(open_proxy);
	lab_says(client, HEAD ANNA "\r\n");
	m = requested("kiosk", "");
	machine = assign(m.session_request.conn, 302);
	ok(lab_hears(client, OPEN "302\r\n\r\n"), "a fixed user needs no login");
	finish(client, machine, 0);
}

static void test_connect_refused(void)
{
	static const struct { const char *code; int status; const char *more; } said[] = {
		{ "not_allowed", 403, "" }, { "no_application", 404, "" },
		{ "limit", 429, "Retry-After: 5\r\n" },
		{ "timeout", 503, "Retry-After: 5\r\n" },
		{ "queue_full", 503, "Retry-After: 5\r\n" },
		{ "not_authenticated", 407, "Proxy-Authenticate: Basic realm=\"web\", "
		  "charset=\"UTF-8\"\r\nProxy-Authenticate: Bearer realm=\"web\"\r\n" },
		{ "never heard of", 503, "" },
	};
	char want[32];

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		int client = lab_dial(proxy);

		lab_says(client, HEAD ANNA "\r\n");
		struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
		refuse(m.session_request.conn, said[i].code, "a sentence\r\nX: y");
		const char *text = answer(client);
		snprintf(want, sizeof(want), "HTTP/1.1 %d ", said[i].status);
		has(text, want);
		has(text, said[i].more);
		has(text, "\r\nConnection: close\r\n\r\na sentence\\x0d\\x0aX: y\n");
	}
	int client = lab_dial(proxy);
	lab_says(client, HEAD "\r\n");
	const char *text = answer(client);
	has(text, "HTTP/1.1 407 ");
	has(text, "this proxy wants a user and a password, or a token\n");
	client = lab_dial(proxy);
	lab_says(client, "GET / HTTP/1.1\r\nHost: mail\r\n\r\n");
	text = answer(client);
	has(text, "HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n");
	client = lab_dial(proxy);
	lab_says(client, "CONNECT mail:25 HTTP/1.1\nHost: mail\n\n");
	has(answer(client), "HTTP/1.1 400 Bad Request\r\n");
	client = lab_dial(proxy);
	has(answer(client), "HTTP/1.1 408 Request Timeout\r\n");
	ok(lab_quiet(&lab, 20), "the engine heard of none of these");
}

/* A machine that fails is not the end of a request. */
static void test_connect_again(void)
{
	int client = lab_dial(open_proxy);

	lab_says(client, HEAD "\r\nquestion");
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	uint64_t conn = m.session_request.conn;
	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = 311, .machine = 7, .incarnation = 4,
		.endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = 1 });
	m = lab_expect(&lab, WIRE_TYPE_session_failed);
	is_int(m.session_failed.touched, 0, "a machine that is not there");
	int machine = assign(conn, 312);
	ok(lab_hears(client, OPEN "312\r\n\r\n"), "the next one answers");
	ok(lab_hears(machine, "question"), "and gets what the client said");
	finish(client, machine, 8);

	client = lab_dial(open_proxy);
	lab_says(client, HEAD "\r\n");
	m = lab_expect(&lab, WIRE_TYPE_session_request);
	lab_reset(client);
	is_int(lab_expect(&lab, WIRE_TYPE_session_cancel).session_cancel.conn,
	       m.session_request.conn, "a client that leaves the queue is cancelled");
}

#define SOCKS_REQUEST "\5\1\0\3\4MAIL\0\31"

static void hears_bytes(int fd, const char *bytes, size_t n, const char *what)
{
	char got[64];

	ok(lab_read(fd, got, n) && !memcmp(got, bytes, n), "%s", what);
}

static void test_socks(void)
{
	static const char login[] = "\1\4anna\6remuda";
	static const char request[] = SOCKS_REQUEST "question";
	static const char opened[] = "\5\0\0\1\0\0\0\0\0\0";
	int client = lab_dial(socks);

	drip(client, "\5\2\0\2", 4);
	hears_bytes(client, "\5\2", 2, "a password is wanted");
	drip(client, login, sizeof(login) - 1);
	hears_bytes(client, "\1\0", 2, "and taken");
	drip(client, request, sizeof(request) - 1);
	struct message m = requested("anna", "remuda");
	ok(!lab_poll(client, POLLIN, 50), "no reply before the machine accepted");
	int machine = assign(m.session_request.conn, 321);
	hears_bytes(client, opened, 10, "then success");
	ok(lab_hears(machine, "question"), "early data reaches the machine");
	finish(client, machine, 8);

	/* All at once, without login. */
	client = lab_dial(open_socks);
	lab_write(client, "\5\1\0" SOCKS_REQUEST "question", 3 + 11 + 8);
	m = requested("kiosk", "");
	hears_bytes(client, "\5\0", 2, "no login is wanted");
	machine = assign(m.session_request.conn, 322);
	hears_bytes(client, opened, 10, "success");
	ok(lab_hears(machine, "question"), "early data");
	finish(client, machine, 8);
}

static void socks_says(uint16_t door, const char *bytes, size_t n,
		       const char *want, size_t want_n, const char *what)
{
	int client = lab_dial(door);
	char got[32];

	lab_write(client, bytes, n);
	ok(lab_read(client, got, want_n) && !memcmp(got, want, want_n), "%s", what);
	is_int(lab_end(client), 0, "then the end, no reset");
	close(client);
}

static void test_socks_refused(void)
{
	static const struct { const char *code; char reply; } said[] = {
		{ "not_authenticated", 2 }, { "not_allowed", 2 }, { "limit", 2 },
		{ "no_application", 4 }, { "timeout", 6 }, { "queue_full", 5 },
		{ "never heard of", 1 },
	};
	char want[10] = { 5, 0, 0, 1 };

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		int client = lab_dial(open_socks);

		lab_write(client, "\5\1\0" SOCKS_REQUEST, 14);
		struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
		refuse(m.session_request.conn, said[i].code, "a sentence");
		want[1] = said[i].reply;
		hears_bytes(client, "\5\0", 2, "the method");
		hears_bytes(client, want, 10, said[i].code);
		is_int(lab_end(client), 0, "then the end, no reset");
		close(client);
	}
	socks_says(socks, "\5\1\0", 3, "\5\xff", 2, "no login is not enough");
	socks_says(open_socks, "\5\1\2", 3, "\5\xff", 2, "a password nobody wants");
	socks_says(open_socks, "\5\1\0\5\1\0\1\x7f\0\0\1\0\31", 13,
		   "\5\0\5\x8\0\1\0\0\0\0\0\0", 12, "an address");
	socks_says(open_socks, "\5\1\0\5\2\0\3\4mail\0\31", 14,
		   "\5\0\5\x7\0\1\0\0\0\0\0\0", 12, "BIND");
	socks_says(socks, "\5\1\2\1\0", 5, "\5\2\1\1", 4, "an empty user");
	socks_says(socks, "\4\1\0\31\0\0\0\1\0", 9, "", 0, "SOCKS 4");
	socks_says(open_socks, "", 0, "", 0, "silence");
	ok(lab_quiet(&lab, 20), "the engine heard of none of these");
}

/* Full for one source or for all: who came first goes first. */
static void test_crowd(void)
{
	int crowd[24], gone = 0, client;

	for (int i = 0; i < 24; i++)
		crowd[i] = lab_dial(open_proxy);
	for (int i = 0; i < 24; i++)
		lab_says(crowd[i], "CONNECT ");
	client = lab_dial(open_proxy);
	lab_says(client, HEAD "\r\n");
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	ok(true, "an honest client of the same source gets through");
	for (int i = 0; i < 12; i++)
		gone += lab_end(crowd[i]) >= 0;	/* a write may have met the reset */
	is_int(gone, 12, "the oldest had to go");
	ok(!lab_poll(crowd[23], POLLIN, 0), "the newest may stay until its deadline");
	for (int i = 0; i < 24; i++)
		close(crowd[i]);
	lab_reset(client);
	is_int(lab_expect(&lab, WIRE_TYPE_session_cancel).session_cancel.conn,
	       m.session_request.conn, "the honest one leaves");
}

static uint16_t offer(uint64_t id, const char *name, enum wire_door door,
		      const char *user, int64_t opening_ms)
{
	uint16_t port = 0;
	int fd = lab_listen(&port);
	struct message m = {
		.type = WIRE_TYPE_gateway_listener, .fds = { fd, -1 },
		.fd_count = 1,
		.gateway_listener = {
			.listener = id, .name = slice_of(name),
			.door = (uint8_t)door, .user = slice_of(user),
			.user_source = (uint8_t)(*user ? WIRE_USER_FIXED :
						 WIRE_USER_PASSWORD),
			.opening_ms = opening_ms, .per_source = 12,
		},
	};

	lab_send(&lab, &m);
	close(fd);
	return port;
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ .opening_ms = 500 });
	lab_greet(&lab);
	machine_listen = lab_listen(&machine_port);
	proxy = offer(81, "web", WIRE_DOOR_CONNECT, "", 600);
	open_proxy = offer(82, "kiosk", WIRE_DOOR_CONNECT, "kiosk", 30000);
	socks = offer(83, "socks", WIRE_DOOR_SOCKS5, "", 600);
	open_socks = offer(84, "socks-kiosk", WIRE_DOOR_SOCKS5, "kiosk", 0);
	test_connect();
	test_connect_refused();
	test_connect_again();
	test_socks();
	test_socks_refused();
	test_crowd();
	lab_stop(&lab);
	return tap_done();
}
