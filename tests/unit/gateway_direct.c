/* The direct door and tcp machines: identity, half-close, resets, refusal. */
#include "tests/unit/gateway_lab.h"

#include <sys/resource.h>

#include "engine/wire/proxy_v2.h"

enum { BULK = 50 * 1024 * 1024 };

static struct lab lab;
static uint16_t door, machine_port;
static int machine_listen;

/* A client and a machine with a session between them. */
struct pair {
	int client, machine;
	uint64_t conn, session;
};

static struct message request(int *client)
{
	*client = lab_dial(door);
	return lab_expect(&lab, WIRE_TYPE_session_request);
}

static struct pair open_pair(uint64_t session)
{
	struct pair p = { .session = session };

	p.conn = request(&p.client).session_request.conn;
	lab_assign(&lab, (struct lab_assign){
		.conn = p.conn, .session = session, .machine = 7,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = machine_port });
	p.machine = lab_accept(machine_listen);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_accepted);
	if (m.session_accepted.session != session || m.incarnation != 4)
		tap_bail("a wrong session was accepted");
	return p;
}

static struct message ended(uint64_t session)
{
	struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);

	is_int(m.session_ended.session, session, "that session ended");
	is_int(m.incarnation, 4, "with its machine's incarnation");
	return m;
}

static void test_identity(void)
{
	struct proxy_v2_info info;
	uint8_t header[PROXY_V2_MAX];
	struct sockaddr_in own;
	socklen_t length = sizeof(own);
	int client;
	struct message m = request(&client);

	ok(slice_is(m.session_request.user, "kiosk"), "the listener's user");
	ok(slice_is(m.session_request.application, "mail"), "its application");
	is_int(m.session_request.listener, 11, "its id");
	is_int(m.session_request.wait_ms, -1, "no wait limit of its own");
	lab_says(client, "hello");
	lab_assign(&lab, (struct lab_assign){
		.conn = m.session_request.conn, .session = 4711, .machine = 7,
		.incarnation = 12, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_PROXY, .port = machine_port });
	int machine = lab_accept(machine_listen);
	m = lab_expect(&lab, WIRE_TYPE_session_accepted);
	is_int(m.session_accepted.machine, 7, "accepted by machine 7");
	is_int(m.incarnation, 12, "of incarnation 12");
	ok(lab_read(machine, header, PROXY_V2_PREFIX), "a PROXY header comes");
	size_t rest = (size_t)header[14] << 8 | header[15];
	ok(lab_read(machine, header + PROXY_V2_PREFIX, rest), "whole");
	struct error err = { "" };
	is_int(proxy_v2_decode(header, PROXY_V2_PREFIX + rest, &info, &err),
	       (int)(PROXY_V2_PREFIX + rest), "it is well-formed");
	ok(info.checked, "its CRC32C is right");
	ok(slice_is(info.authority, "anna"), "AUTHORITY is the user");
	ok(slice_is(info.unique_id, "session/4711"), "UNIQUE_ID the session");
	ok(slice_is(info.listener, "desk"), "0xE0 the listener");
	ok(slice_is(info.application, "mail"), "0xE1 the application");
	ok(slice_is(info.incarnation, "12"), "0xE2 the incarnation");
	getsockname(client, (struct sockaddr *)&own, &length);
	is_int(info.source_port, ntohs(own.sin_port), "the client's port");
	is_int(info.destination_port, door, "the door's port");
	ok(lab_hears(machine, "hello"), "then the client's bytes");
	close(client);
	close(machine);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.bytes_in, 5, "5 bytes in, without the header");
}

static void test_half_close(void)
{
	struct pair p = open_pair(100);
	struct message m;

	lab_says(p.client, "question");
	shutdown(p.client, SHUT_WR);
	ok(lab_hears(p.machine, "question"), "a question with its end");
	is_int(lab_end(p.machine), 0, "the end is passed on");
	lab_says(p.machine, "an answer after it");
	ok(lab_hears(p.client, "an answer after it"), "is answered all the same");
	close(p.machine);
	is_int(lab_end(p.client), 0, "the answer's end too");
	m = ended(100);
	is_int(m.session_ended.how, WIRE_END_CLOSED, "closed");
	is_int(m.session_ended.bytes_in, 8, "8 bytes in");
	is_int(m.session_ended.bytes_out, 18, "18 bytes out");
	close(p.client);

	p = open_pair(101);
	lab_says(p.machine, "banner");
	shutdown(p.machine, SHUT_WR);
	ok(lab_hears(p.client, "banner"), "a machine that only speaks");
	is_int(lab_end(p.client), 0, "ends its side");
	lab_says(p.client, "still sending");
	ok(lab_hears(p.machine, "still sending"), "the client may go on");
	close(p.client);
	is_int(lab_end(p.machine), 0, "until it closes too");
	m = ended(101);
	is_int(m.session_ended.how, WIRE_END_CLOSED, "closed");
	close(p.machine);

	p = open_pair(102);
	lab_says(p.machine, "bye");
	close(p.machine);
	ok(lab_hears(p.client, "bye"), "a machine that closes first");
	is_int(lab_end(p.client), 0, "is seen by the client");
	m = ended(102);
	is_int(m.session_ended.how, WIRE_END_CLOSED,
	       "the session is closed though the client stays");
	close(p.client);
}

/* Sends pseudo-random bytes on one end, checks them on the other. */
static uint64_t stream_byte(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void feed(int fd, uint64_t seed, size_t total)
{
	static uint8_t block[1 << 16];

	while (total) {
		size_t n = total < sizeof(block) ? total : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = (uint8_t)stream_byte(&seed);
		if (!lab_write(fd, block, n))
			break;
		total -= n;
	}
	shutdown(fd, SHUT_WR);
}

static size_t check(int fd, uint64_t seed)
{
	static uint8_t block[1 << 16];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			if (block[i] != (uint8_t)stream_byte(&seed))
				return total;
	return total;
}

static void test_bulk(void)
{
	struct pair p = open_pair(110);
	pid_t feeders[2];

	for (int i = 0; i < 2; i++) {
		fflush(stdout);
		feeders[i] = fork();
		if (feeders[i] == 0) {
			feed(i ? p.machine : p.client, 77 + (uint64_t)i, BULK);
			_exit(0);
		}
	}
	fflush(stdout);
	pid_t checker = fork();
	if (checker == 0)
		_exit(check(p.machine, 77) == BULK ? 0 : 1);
	is_int(check(p.client, 78), BULK, "50 MB out, byte for byte");
	int status;
	waitpid(checker, &status, 0);
	is_int(status, 0, "50 MB in at the same time, byte for byte");
	waitpid(feeders[0], &status, 0);
	waitpid(feeders[1], &status, 0);
	struct message m = ended(110);
	is_int(m.session_ended.bytes_in, BULK, "counted exactly, in");
	is_int(m.session_ended.bytes_out, BULK, "and out");
	is_int(m.session_ended.how, WIRE_END_CLOSED, "and closed");
	close(p.client);
	close(p.machine);
}

static void test_resets(void)
{
	struct pair p = open_pair(120);
	struct message m;

	lab_says(p.client, "x");
	ok(lab_hears(p.machine, "x"), "a session");
	lab_reset(p.client);
	is_int(lab_end(p.machine), ECONNRESET, "a client's reset is passed on");
	m = ended(120);
	is_int(m.session_ended.how, WIRE_END_LOST, "and means lost");
	close(p.machine);

	p = open_pair(121);
	lab_says(p.machine, "part of an answer");
	ok(lab_hears(p.client, "part of an answer"), "another session");
	lab_reset(p.machine);
	is_int(lab_end(p.client), ECONNRESET, "a machine's reset is passed on");
	m = ended(121);
	is_int(m.session_ended.how, WIRE_END_MACHINE, "and is the machine's");
	close(p.client);

	p = open_pair(122);
	struct message stop = { .type = WIRE_TYPE_session_stop,
				.session_stop = { .session = 122,
						  .text = SLICE("enough") } };
	lab_send(&lab, &stop);
	m = ended(122);
	is_int(m.session_ended.how, WIRE_END_STOPPED, "the engine stops one");
	ok(slice_is(m.session_ended.text, "enough"), "with its reason");
	is_int(lab_end(p.client), ECONNRESET, "the client is cut");
	is_int(lab_end(p.machine), ECONNRESET, "and the machine");
	close(p.client);
	close(p.machine);
}

static void test_refusals(void)
{
	int client;
	struct message m = request(&client);
	struct message no = {
		.type = WIRE_TYPE_session_refuse,
		.session_refuse = { .conn = m.session_request.conn,
				    .code = SLICE("denied"),
				    .text = SLICE("no") },
	};

	lab_says(client, "unread question");
	lab_send(&lab, &no);
	is_int(lab_end(client), 0, "a refused client sees an end, not a reset");
	close(client);

	m = request(&client);
	uint64_t conn = m.session_request.conn;
	lab_reset(client);
	m = lab_expect(&lab, WIRE_TYPE_session_cancel);
	is_int(m.session_cancel.conn, conn, "a client that leaves is cancelled");
	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = 130, .machine = 7, .incarnation = 4,
		.endpoint = WIRE_ENDPOINT_TCP, .port = machine_port,
		.identity = WIRE_IDENTITY_NONE });
	m = lab_expect(&lab, WIRE_TYPE_session_failed);
	is_int(m.session_failed.session, 130, "its machine comes too late");
	is_int(m.session_failed.touched, 0, "and was not touched");

	m = request(&client);
	conn = m.session_request.conn;
	close(client);
	m = lab_expect(&lab, WIRE_TYPE_session_cancel);
	is_int(m.session_cancel.conn, conn, "so is one that closes in silence");
}

static void test_second_machine(void)
{
	uint16_t nobody = 0;
	int fd = lab_listen(&nobody), client;
	struct message m = request(&client);
	uint64_t conn = m.session_request.conn;

	close(fd);
	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = 140, .machine = 8, .incarnation = 2,
		.endpoint = WIRE_ENDPOINT_TCP, .port = nobody,
		.identity = WIRE_IDENTITY_PROXY });
	m = lab_expect(&lab, WIRE_TYPE_session_failed);
	is_int(m.session_failed.session, 140, "nobody listens there");
	is_int(m.session_failed.touched, 0, "so nothing was touched");
	is_int(m.incarnation, 2, "told with the incarnation");
	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = 141, .machine = 7, .incarnation = 4,
		.endpoint = WIRE_ENDPOINT_TCP, .port = machine_port,
		.identity = WIRE_IDENTITY_NONE });
	fd = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	lab_says(client, "second try");
	ok(lab_hears(fd, "second try"), "the same client gets another machine");
	close(client);
	close(fd);
	ended(141);
}

/* A unix door with peer credentials and a machine on a unix socket. */
static void test_unix(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int n = snprintf(un.sun_path + 1, 64, "remuda-door-%d", (int)getpid());
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				       1 + (size_t)n);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];
	struct proxy_v2_info info = { .family = 99 };
	uint8_t header[PROXY_V2_MAX];
	struct error err;

	bind(fd, (struct sockaddr *)&un, length);
	listen(fd, 8);
	lab_offer(&lab, 12, "local", fd, WIRE_DOOR_DIRECT, WIRE_USER_PEER, "",
		  "mail");
	close(fd);
	lab_patience(client);
	is_int(connect(client, (struct sockaddr *)&un, length), 0,
	       "a unix door");
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	is_int(m.session_request.uid, (int64_t)getuid(), "knows its peer");
	is_int(m.session_request.user_source, WIRE_USER_PEER, "and says so");
	ok(!m.session_request.user.length, "without a name");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		tap_bail("socketpair");
	lab_patience(pair[0]);
	lab_assign(&lab, (struct lab_assign){
		.conn = m.session_request.conn, .session = 150, .machine = 9,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_UNIX, .fd = pair[1],
		.identity = WIRE_IDENTITY_PROXY });
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	lab_read(pair[0], header, PROXY_V2_PREFIX);
	size_t rest = (size_t)header[14] << 8 | header[15];
	lab_read(pair[0], header + PROXY_V2_PREFIX, rest);
	proxy_v2_decode(header, PROXY_V2_PREFIX + rest, &info, &err);
	is_int(info.family, AF_UNSPEC, "a unix client has no address");
	ok(slice_is(info.authority, "anna"), "but a user");
	lab_says(client, "over unix");
	ok(lab_hears(pair[0], "over unix"), "bytes flow");
	close(pair[0]);
	is_int(lab_end(client), 0, "and end");
	close(client);
	is_int(ended(150).session_ended.how, WIRE_END_CLOSED, "closed");
}

static void test_descriptors(void)
{
	struct rlimit old, low = { .rlim_cur = 3, .rlim_max = 3 };
	int client;

	prlimit(lab.pid, RLIMIT_NOFILE, NULL, &old);
	low.rlim_max = old.rlim_max;
	prlimit(lab.pid, RLIMIT_NOFILE, &low, NULL);
	client = lab_dial(door);
	ok(lab_quiet(&lab, 400), "without descriptors nobody is accepted");
	clock_t before[2];
	struct timespec t;
	clockid_t id;
	clock_getcpuclockid(lab.pid, &id);
	clock_gettime(id, &t);
	before[0] = t.tv_sec * 1000000 + t.tv_nsec / 1000;
	lab_quiet(&lab, 500);
	clock_gettime(id, &t);
	before[1] = t.tv_sec * 1000000 + t.tv_nsec / 1000;
	ok(before[1] - before[0] < 25000, "nor is the processor kept busy");
	prlimit(lab.pid, RLIMIT_NOFILE, &old, NULL);
	int64_t from = lab_now_ms();
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	ok(lab_now_ms() - from < 1000, "with descriptors again, soon");
	is_int(m.session_request.listener, 11, "it is served");
	lab_reset(client);
	lab_expect(&lab, WIRE_TYPE_session_cancel);
}

/* Counts come about once a second, however busy the session is. */
static void test_counts(void)
{
	struct pair p = open_pair(170);
	int64_t until = lab_now_ms() + 2500;
	unsigned told = 0, said = 0;
	uint64_t last = 0;
	struct message m;

	while (lab_now_ms() < until) {
		lab_says(p.client, "x");
		said++;
		if (lab_next(&lab, &m, 20) &&
		    m.type == WIRE_TYPE_session_bytes) {
			told++;
			last = m.session_bytes.bytes_in;
			is_int(m.session_bytes.session, 170, "counts of it");
		}
	}
	ok(told >= 1 && told <= 3, "told %u times in 2.5 s", told);
	ok(last > 0 && last <= said, "as they were");
	close(p.client);
	close(p.machine);
	is_int(ended(170).session_ended.bytes_in, said, "and exact at the end");
}

static void test_half_close_limit(void)
{
	struct pair p = open_pair(160);

	shutdown(p.client, SHUT_WR);
	is_int(lab_end(p.machine), 0, "a client that will say no more");
	struct message m = ended(160);
	is_int(m.session_ended.how, WIRE_END_CLOSED,
	       "and a machine that does not answer: ended by the limit");
	close(p.client);
	close(p.machine);
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ .half_close_ms = 700,
						 .machine_close_ms = 400 });
	lab_greet(&lab);
	machine_listen = lab_listen(&machine_port);
	door = lab_door(&lab, 11, "desk", WIRE_DOOR_DIRECT, WIRE_USER_FIXED,
			"kiosk", "mail");
	test_identity();
	test_half_close();
	test_bulk();
	test_resets();
	test_refusals();
	test_second_machine();
	test_unix();
	test_descriptors();
	test_counts();
	test_half_close_limit();
	lab_stop(&lab);
	return tap_done();
}
