/* The engine dies; sessions go on; the next engine takes over. */
#include "tests/unit/gateway_lab.h"

enum { NONCE = 777 };

static struct lab lab;
static uint16_t door, machine_port;
static int machine_listen, door_listen, engine_fd;
static struct lab_frame frame;

static void lose_engine(void)
{
	close(lab.engine);
	lab.engine = -1;
}

/* The gateway closes a knock it does not like. */
static void expect_refused(int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	ok(poll(&p, 1, LAB_WAIT_MS) > 0 && recv(fd, &byte, 1, 0) <= 0, "%s",
	   what);
	close(fd);
}

static void test_proofs(void)
{
	int fd;

	expect_refused(lab_knock(&lab, 2, "another key"), "a wrong key");
	expect_refused(lab_knock(&lab, 1, lab_key), "the same term");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&lab.rendezvous,
		    lab.rendezvous_length) < 0)
		tap_bail("rendezvous");
	struct message m = { .type = WIRE_TYPE_gateway_stop };
	wire_send(fd, &m, NULL);
	expect_refused(fd, "an order without adoption");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	connect(fd, (struct sockaddr *)&lab.rendezvous, lab.rendezvous_length);
	send(fd, "nonsense", 8, MSG_NOSIGNAL);
	expect_refused(fd, "nonsense");
	/* A proof for one term is none for another. */
	struct message stolen = {
		.type = WIRE_TYPE_gateway_adopt,
		.gateway_adopt = { .index = 3, .term = 9 },
	};
	uint8_t digest[32];
	unsigned length = sizeof(digest);
	char hex[65];
	HMAC(EVP_sha256(), lab_key, (int)strlen(lab_key),
	     (const uint8_t *)"gateway-adopt 3 8", 17, digest, &length);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	stolen.gateway_adopt.proof = slice_of(hex);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	connect(fd, (struct sockaddr *)&lab.rendezvous, lab.rendezvous_length);
	wire_send(fd, &stolen, NULL);
	expect_refused(fd, "a proof of another term");
}

/* This engine has it in its store: no other needs to hear of it. */
static void stored(const struct message *record)
{
	struct message m = { .type = WIRE_TYPE_gateway_stored,
			     .gateway_stored = { record->request } };

	lab_send(&lab, &m);
}

struct flow {
	int client, machine;
	uint64_t conn;
};

static struct flow open_flow(uint64_t session)
{
	struct flow f = { .client = lab_dial(door) };

	f.conn = lab_expect(&lab, WIRE_TYPE_session_request).session_request.conn;
	lab_assign(&lab, (struct lab_assign){
		.conn = f.conn, .session = session, .machine = 7,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = machine_port });
	f.machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	return f;
}

/* What lives through the engines' deaths. */
static struct flow live, over, waiting, accepting;
static int accepting_guest, late;

static void begin_all(void)
{
	int ends[2];
	struct message m;

	live = open_flow(400);
	over = open_flow(401);
	waiting.client = lab_dial(door);
	m = lab_expect(&lab, WIRE_TYPE_session_request);
	waiting.conn = m.session_request.conn;
	/* A session on a channel whose echo has not come yet. */
	accepting.client = lab_dial(door);
	m = lab_expect(&lab, WIRE_TYPE_session_request);
	accepting.conn = m.session_request.conn;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		tap_bail("socketpair");
	accepting_guest = ends[0];
	lab_patience(accepting_guest);
	lab_assign(&lab, (struct lab_assign){
		.conn = accepting.conn, .session = 402, .machine = 8,
		.incarnation = 5, .nonce = NONCE, .fd = ends[1],
		.endpoint = WIRE_ENDPOINT_CHANNEL,
		.identity = WIRE_IDENTITY_AGENT, .deadline_ms = 60000 });
	lab_frame(accepting_guest, &frame);
	lab_says(live.client, "before");
	ok(lab_hears(live.machine, "before"), "bytes before");
}

static void test_alone(void)
{
	lose_engine();
	lab_says(live.client, " during");
	ok(lab_hears(live.machine, " during"), "bytes flow without an engine");
	lab_says(live.machine, "answer");
	ok(lab_hears(live.client, "answer"), "both ways");
	lab_says(over.client, "12345");
	ok(lab_hears(over.machine, "12345"), "a session works to its end");
	close(over.client);
	is_int(lab_end(over.machine), 0, "without an engine");
	close(over.machine);
	late = lab_dial(door);
}

static void test_report(void)
{
	uint64_t flowing = 0, silent = 0;
	struct message m;

	lab.engine = lab_knock(&lab, 5, lab_key);
	m = lab_expect(&lab, WIRE_TYPE_gateway_hello);
	is_int(m.gateway_hello.fresh, 0, "adopted by a right proof");
	is_int(m.gateway_hello.term, 5, "of a higher term");
	for (int i = 0; i < 2; i++) {
		m = lab_expect(&lab, WIRE_TYPE_gateway_session);
		if (!m.gateway_session.flowing) {
			silent = m.gateway_session.session;
			continue;
		}
		flowing = m.gateway_session.session;
		is_int(m.gateway_session.bytes_in, 13, "bytes in so far");
		is_int(m.gateway_session.bytes_out, 6, "and out");
		is_int(m.incarnation, 4, "and the epoch");
		is_int(m.gateway_session.conn, live.conn, "and conn");
	}
	is_int(flowing, 400, "the live session is reported");
	is_int(silent, 402, "and the one not yet accepted");
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.session, 401, "the ended session, before ready");
	is_int(m.session_ended.bytes_in, 5, "with its bytes");
	m = lab_expect(&lab, WIRE_TYPE_gateway_ready);
	is_int(m.gateway_ready.sessions, 2, "two sessions");
	is_int(m.gateway_ready.ended, 1, "one record");
	ok(lab_quiet(&lab, 200), "once, and nobody is let in unasked");
}

static void test_new_engine(void)
{
	struct message m;
	int machine;

	/* Another socket of the same address, another id. */
	lab_offer(&lab, 99, "desk", door_listen, WIRE_DOOR_DIRECT,
		  WIRE_USER_FIXED, "kiosk", "mail");
	m = lab_expect(&lab, WIRE_TYPE_session_request);
	is_int(m.session_request.conn, waiting.conn, "the waiting one asks again");
	is_int(m.session_request.listener, 99, "under the listener's new id");
	m = lab_expect(&lab, WIRE_TYPE_session_request);
	ok(m.session_request.conn > accepting.conn,
	   "who came without an engine is served now");
	lab_assign(&lab, (struct lab_assign){
		.conn = m.session_request.conn, .session = 410, .machine = 9,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.port = machine_port, .identity = WIRE_IDENTITY_NONE });
	machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	lab_says(late, "late");
	ok(lab_hears(machine, "late"), "by the new engine");
	lab_put_pair(accepting_guest, NATIVE_ACCEPT, 402, NONCE);
	m = lab_expect(&lab, WIRE_TYPE_session_accepted);
	is_int(m.session_accepted.session, 402, "an echo after the adoption");
	lab_says(live.client, " after");
	ok(lab_hears(live.machine, " after"), "and the live session lives");
	over.machine = machine;
}

/* A still newer engine replaces one that is there. */
static void test_replaced(void)
{
	struct message m;
	char byte;

	engine_fd = lab.engine;
	lab.engine = lab_knock(&lab, 6, lab_key);
	m = lab_expect(&lab, WIRE_TYPE_gateway_hello);
	is_int(m.gateway_hello.term, 6, "a third engine takes over");
	while (recv(engine_fd, &byte, 1, 0) > 0)
		;
	close(engine_fd);
	for (int i = 0; i < 3; i++)
		lab_expect(&lab, WIRE_TYPE_gateway_session);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.session, 401, "a record the engine before did not store");
	is_int(m.session_ended.bytes_in, 5, "is told again, as it was");
	stored(&m);
	m = lab_expect(&lab, WIRE_TYPE_gateway_ready);
	is_int(m.gateway_ready.ended, 1, "before the end of the report");
	m = (struct message){ .type = WIRE_TYPE_gateway_ping,
			      .gateway_ping = { 77 } };
	lab_send(&lab, &m);
	m = lab_expect(&lab, WIRE_TYPE_gateway_pong);
	is_int(m.gateway_pong.number, 77, "it says that it is there");
	engine_fd = lab.engine;
	lab.engine = lab_knock(&lab, 7, lab_key);
	lab_expect(&lab, WIRE_TYPE_gateway_hello);
	close(engine_fd);
	for (int i = 0; i < 3; i++)
		lab_expect(&lab, WIRE_TYPE_gateway_session);
	m = lab_expect(&lab, WIRE_TYPE_gateway_ready);
	is_int(m.gateway_ready.ended, 0, "one that is stored is not");
	expect_refused(lab_knock(&lab, 5, lab_key), "an older engine is refused");
	close(live.client);
	close(live.machine);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.session, 400, "the live session ends");
	is_int(m.session_ended.bytes_in, 19, "all its bytes counted");
	/* The third engine does not name the listener: it is closed. */
	is_int(lab_end(waiting.client), 0,
	       "a client of a listener that is gone is let go");
	close(late);
	close(over.machine);
	lab_expect(&lab, WIRE_TYPE_session_ended);
	close(accepting_guest);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	stored(&m);
	close(accepting.client);
	close(waiting.client);
}

/* A slow engine: everything queues and arrives in order, once. */
static void test_slow_engine(void)
{
	static uint64_t first = 5000;
	enum { MANY = 400 };
	static int clients[MANY], machines[MANY];
	unsigned wrong = 0;
	struct message m;

	lab_offer(&lab, 98, "desk", door_listen, WIRE_DOOR_DIRECT,
		  WIRE_USER_FIXED, "kiosk", "mail");
	live = open_flow(first + MANY);
	for (int i = 0; i < MANY; i++) {
		struct flow f = open_flow(first + (uint64_t)i);

		clients[i] = f.client;
		machines[i] = f.machine;
	}
	for (int i = 0; i < MANY; i++) {
		lab_says(clients[i], "x");
		shutdown(clients[i], SHUT_WR);
		lab_end(machines[i]);
		close(machines[i]);
	}
	/* Far more than the socket holds: the gateway must not wait for us. */
	lab_says(live.client, "still there?");
	ok(lab_hears(live.machine, "still there?"),
	   "an engine that does not read stalls nobody");
	for (int i = 0; i < MANY; i++) {
		m = lab_expect(&lab, WIRE_TYPE_session_ended);
		wrong += m.session_ended.session != first + (uint64_t)i;
		close(clients[i]);
	}
	is_int(wrong, 0, "%d ended sessions, in order, though nobody read", MANY);
	ok(lab_quiet(&lab, 100), "and nothing more");
	close(live.client);
	close(live.machine);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	stored(&m);
	first += 1000;
}

static void test_records_bound(void)
{
	struct flow f[12];
	unsigned records = 0;
	struct message m;

	for (int i = 0; i < 12; i++)
		f[i] = open_flow(7000 + (uint64_t)i);
	lose_engine();
	for (int i = 0; i < 12; i++) {
		close(f[i].client);
		lab_end(f[i].machine);
		close(f[i].machine);
	}
	lab.engine = lab_knock(&lab, 20, lab_key);
	lab_expect(&lab, WIRE_TYPE_gateway_hello);
	while (records < 10) {
		m = lab_expect(&lab, WIRE_TYPE_session_ended);
		records++;
	}
	stored(&m);
	m = lab_expect(&lab, WIRE_TYPE_gateway_ready);
	is_int(m.gateway_ready.ended, 10, "records are bounded");
	ok(lab_quiet(&lab, 100), "ten and no more");
}

static void test_drain(void)
{
	struct flow f;
	struct message m = { .type = WIRE_TYPE_gateway_drain };
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(door),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	lab_offer(&lab, 97, "desk", door_listen, WIRE_DOOR_DIRECT,
		  WIRE_USER_FIXED, "kiosk", "mail");
	f = open_flow(8000);
	close(door_listen);
	lab_send(&lab, &m);
	lab_says(f.client, "last");
	ok(lab_hears(f.machine, "last"), "a draining gateway finishes");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int64_t until = lab_now_ms() + 2000;
	int got;
	while ((got = connect(fd, (struct sockaddr *)&in, sizeof(in))) == 0 &&
	       lab_now_ms() < until) {
		close(fd);
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	ok(got < 0 && errno == ECONNREFUSED, "but lets nobody in");
	close(fd);
	close(f.client);
	close(f.machine);
	do {
		if (!lab_next(&lab, &m, LAB_WAIT_MS))
			break;
	} while (m.type != WIRE_TYPE_session_ended);
	is_int(m.session_ended.session, 8000, "the last session is told");
	ok(lab_wait_exit(&lab, 200) < 0, "it waits until that is stored");
	stored(&m);
	is_int(lab_wait_exit(&lab, LAB_WAIT_MS), 0, "then it exits");
	close(lab.engine);
}

static void test_orphan(void)
{
	lab_start(&lab, (struct gateway_limits){ .orphan_ms = 300 });
	lab_greet(&lab);
	lose_engine();
	int64_t from = lab_now_ms();
	is_int(lab_wait_exit(&lab, LAB_WAIT_MS), 0,
	       "without engine and session it exits");
	ok(lab_now_ms() - from >= 250, "after a while");
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ .stale_ms = 500,
						 .record_count = 10,
						 .drain_ms = 500 });
	lab_greet(&lab);
	machine_listen = lab_listen(&machine_port);
	door_listen = lab_listen(&door);
	lab_offer(&lab, 41, "desk", door_listen, WIRE_DOOR_DIRECT,
		  WIRE_USER_FIXED, "kiosk", "mail");
	test_slow_engine();	/* the one it began with */
	begin_all();
	test_alone();
	test_proofs();
	test_report();
	test_new_engine();
	test_replaced();
	test_slow_engine();	/* one that has adopted it */
	test_records_bound();
	test_drain();
	test_orphan();
	return tap_done();
}
