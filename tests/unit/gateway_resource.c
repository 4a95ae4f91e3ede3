/* Machines asking for resources: the binding decides, one exchange at a time. */
#include "tests/unit/gateway_lab.h"

#include "engine/wire/proxy_v2.h"

static struct lab lab;
static struct lab_frame frame;

/* Gives the gateway one side of a stream; the other is the guest's. */
static int give(struct message *m)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		tap_bail("socketpair: %s", strerror(errno));
	m->fds[0] = ends[1];
	m->fd_count = 1;
	lab_send(&lab, m);
	close(ends[1]);
	lab_patience(ends[0]);
	return ends[0];
}

static int port(uint64_t machine, uint64_t session, const char *user,
		bool allowed)
{
	struct message m = {
		.type = WIRE_TYPE_resource_port, .incarnation = 6,
		.resource_port = { .machine = machine, .session = session,
				   .resource = SLICE("files"),
				   .user = slice_of(user), .allowed = allowed },
	};

	return give(&m);
}

static int channel_target(uint64_t machine)
{
	struct message m = {
		.type = WIRE_TYPE_resource_target, .incarnation = 2,
		.resource_target = { .resource = SLICE("files"),
				     .machine = machine,
				     .endpoint = WIRE_ENDPOINT_CHANNEL,
				     .identity = WIRE_IDENTITY_AGENT },
	};

	return give(&m);
}

static void ask(int guest, const char *resource, uint64_t nonce)
{
	struct native_builder b;

	native_begin(&b, NATIVE_CONNECT, 0);
	native_put_text(&b, NATIVE_TAG_RESOURCE, resource);
	native_put_u64(&b, NATIVE_TAG_NONCE, nonce);
	lab_put(guest, &b);
}

static void expect_frame(int fd, enum native_type type, const char *what)
{
	memset(&frame, 0, sizeof(frame));
	if (!lab_frame(fd, &frame))
		tap_note("no frame: %s", strerror(errno));
	is_text(native_type_name(frame.h.type), native_type_name((uint8_t)type),
		"%s", what);
}

static void expect_data(int fd, const char *text)
{
	expect_frame(fd, NATIVE_DATA, "DATA");
	ok(frame.h.length == strlen(text) &&
	   !memcmp(frame.payload, text, strlen(text)), "\"%s\"", text);
}

/* What the engine hears, but for what opened. */
static struct message heard(uint16_t type)
{
	struct message m;

	do {
		if (!lab_next(&lab, &m, LAB_WAIT_MS))
			tap_bail("no %s came", wire_type_name(type));
	} while (m.type == WIRE_TYPE_resource_opened && type != m.type);
	if (m.type != type)
		tap_bail("%s came where %s was expected",
			 wire_type_name(m.type), wire_type_name(type));
	return m;
}

static void close_session(uint64_t machine, uint64_t session)
{
	struct message m = {
		.type = WIRE_TYPE_resource_close, .incarnation = 6,
		.resource_close = { .machine = machine, .session = session } };

	lab_send(&lab, &m);
}

/* Returns when the gateway has done all it was told before. */
static void settled(void)
{
	int fd = port(99, 99, "nobody", false);

	close_session(99, 99);
	if (lab_end(fd) != 0)
		tap_bail("a port that was closed lives");
	heard(WIRE_TYPE_resource_closed);
	close(fd);
}

/* The target's side of an exchange: who is it for?  Echoes. */
static void serve(int target, const char *user)
{
	expect_frame(target, NATIVE_ACCEPT, "the target is asked");
	is_text(lab_text(&frame, NATIVE_TAG_USER), user, "on behalf of the user");
	lab_put_pair(target, NATIVE_ACCEPT, lab_u64(&frame, NATIVE_TAG_SESSION),
		     lab_u64(&frame, NATIVE_TAG_NONCE));
}

static void finish(int target)
{
	expect_frame(target, NATIVE_DEALLOCATE, "the target is released");
	lab_put_pair(target, NATIVE_CONFIRMED,
		     lab_u64(&frame, NATIVE_TAG_SESSION),
		     lab_u64(&frame, NATIVE_TAG_NONCE));
}

static void is_closed(uint64_t session)
{
	struct message m = heard(WIRE_TYPE_resource_closed);

	is_int(m.resource_closed.session, session, "all of session %d is closed",
	       (int)session);
	is_int(m.incarnation, 6, "in its epoch");
}

static struct message used(uint64_t session)
{
	struct message m = heard(WIRE_TYPE_resource_used);

	is_int(m.resource_used.session, session, "reported for session %d",
	       (int)session);
	return m;
}

static void test_exchange(int guest, int target)
{
	struct message m;

	ask(guest, "files", 501);
	expect_frame(target, NATIVE_ACCEPT, "the target is asked");
	uint64_t id = lab_u64(&frame, NATIVE_TAG_SESSION);
	uint64_t nonce = lab_u64(&frame, NATIVE_TAG_NONCE);
	ok(id >> 63, "under a number no session has");
	is_text(lab_text(&frame, NATIVE_TAG_USER), "anna", "for the bound user");
	is_text(lab_text(&frame, NATIVE_TAG_APPLICATION), "files", "resource");
	lab_put_data(guest, "early", 5, 0);
	ok(!lab_poll(guest, POLLIN, 50), "no accept for the guest before the echo");
	lab_put_pair(target, NATIVE_ACCEPT, id, nonce + 1);
	ok(!lab_poll(guest, POLLIN, 50), "nor by a wrong nonce");
	lab_put_pair(target, NATIVE_ACCEPT, id, nonce);
	expect_frame(guest, NATIVE_ACCEPT, "then ACCEPT");
	is_int(lab_u64(&frame, NATIVE_TAG_NONCE), 501, "with the guest's nonce");
	expect_data(target, "early");
	lab_put_data(guest, "get", 3, NATIVE_END);
	expect_data(target, "get");
	expect_frame(target, NATIVE_DATA, "END");
	is_int(frame.h.flags, NATIVE_END, "of the question");
	lab_put_data(target, "contents", 8, NATIVE_END);
	expect_data(guest, "contents");
	expect_frame(guest, NATIVE_DATA, "END");
	is_int(frame.h.flags, NATIVE_END, "of the answer");
	finish(target);
	m = used(71);
	ok(slice_is(m.resource_used.user, "anna"), "by anna");
	ok(slice_is(m.resource_used.resource, "files"), "files");
	is_int(m.resource_used.allowed, 1, "allowed");
	is_int(m.resource_used.bytes_in, 8, "8 bytes asked");
	is_int(m.resource_used.bytes_out, 8, "8 bytes answered");
	is_int(m.incarnation, 6, "in the machine's epoch");
}

static void test_denied(void)
{
	int guest = port(22, 72, "mallory", false);
	struct message m;

	ask(guest, "files", 502);
	expect_frame(guest, NATIVE_ERROR, "a user without access");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "denied", "is denied");
	is_int(lab_u64(&frame, NATIVE_TAG_NONCE), 502, "for that connection");
	m = used(72);
	is_int(m.resource_used.allowed, 0, "as such");
	ask(guest, "printers", 503);
	expect_frame(guest, NATIVE_ERROR, "another resource on this port");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "no_resource", "is none");
	close(guest);
}

/* Two machines ask at once; the second waits, also for the abort. */
static void test_queue(int guest, int target)
{
	int other = port(23, 73, "bert", true);
	struct native_builder b;
	struct message m;

	ask(guest, "files", 510);
	serve(target, "anna");
	expect_frame(guest, NATIVE_ACCEPT, "the first is served");
	ask(other, "files", 520);
	ok(!lab_poll(other, POLLIN, 50), "the second waits");
	lab_put_data(guest, "partial", 7, 0);
	expect_data(target, "partial");
	native_begin(&b, NATIVE_DEALLOCATE, 0);
	native_put_u64(&b, NATIVE_TAG_NONCE, 510);
	lab_put(guest, &b);
	expect_frame(guest, NATIVE_CONFIRMED, "the first gives up");
	is_int(lab_u64(&frame, NATIVE_TAG_NONCE), 510, "its nonce");
	m = used(71);
	is_int(m.resource_used.bytes_in, 7, "7 bytes");
	expect_frame(target, NATIVE_DEALLOCATE, "the target cleans");
	uint64_t id = lab_u64(&frame, NATIVE_TAG_SESSION);
	uint64_t nonce = lab_u64(&frame, NATIVE_TAG_NONCE);
	lab_put_data(target, "anna's answer", 13, 0);
	ok(!lab_poll(target, POLLIN, 50), "the second waits for that, too");
	lab_put_pair(target, NATIVE_CONFIRMED, id, nonce);
	serve(target, "bert");
	expect_frame(other, NATIVE_ACCEPT, "then it is served");
	lab_put_data(target, "for bert", 8, NATIVE_END);
	expect_data(other, "for bert");
	expect_frame(other, NATIVE_DATA, "its own bytes only");
	lab_put_data(other, "", 0, NATIVE_END);
	expect_frame(target, NATIVE_DATA, "END");
	finish(target);
	used(73);
	close(other);
}

/* Whatever an earlier session left in the port. */
static void test_garbage(int target)
{
	int guest = port(24, 74, "carl", true);

	lab_says(guest, "half a frame of somebody\x01\x02");
	lab_put_data(guest, "old data", 8, 0);
	ask(guest, "files", 530);
	serve(target, "carl");
	expect_frame(guest, NATIVE_ACCEPT, "a CONNECT behind garbage is found");
	close_session(24, 74);
	is_int(lab_end(guest), 0, "the engine cuts it: the port closes");
	used(74);
	is_closed(74);
	finish(target);
	close(guest);
}

/* A session's end cuts its resources before it is told. */
static void test_session_end(int target)
{
	int machine_end[2], guest, client;
	uint16_t door = lab_door(&lab, 61, "desk", WIRE_DOOR_DIRECT,
				 WIRE_USER_FIXED, "dora", "mail");
	struct message m;

	client = lab_dial(door);
	m = lab_expect(&lab, WIRE_TYPE_session_request);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, machine_end) < 0)
		tap_bail("socketpair");
	lab_patience(machine_end[0]);
	lab_assign(&lab, (struct lab_assign){
		.conn = m.session_request.conn, .session = 75, .machine = 25,
		.incarnation = 6, .endpoint = WIRE_ENDPOINT_UNIX,
		.fd = machine_end[1], .identity = WIRE_IDENTITY_NONE });
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	guest = port(25, 75, "dora", true);
	ask(guest, "files", 540);
	serve(target, "dora");
	expect_frame(guest, NATIVE_ACCEPT, "a resource within a session");
	close(client);
	close(machine_end[0]);
	used(75);
	ok(true, "is cut first");
	m = heard(WIRE_TYPE_session_ended);
	is_int(m.session_ended.session, 75, "then the session's end is told");
	is_int(lab_end(guest), 0, "the port is closed");
	finish(target);
	close(guest);
}

static void test_lost_target(int guest, int target)
{
	struct message m;

	ask(guest, "files", 550);
	serve(target, "anna");
	expect_frame(guest, NATIVE_ACCEPT, "a target that serves");
	close(target);
	expect_frame(guest, NATIVE_ERROR, "and dies");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "lost", "is told");
	used(71);
	m = heard(WIRE_TYPE_resource_target_lost);
	is_int(m.resource_target_lost.machine, 30, "and reported");
	is_int(m.incarnation, 2, "in its epoch");
	ask(guest, "files", 551);
	expect_frame(guest, NATIVE_ERROR, "until there is another");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "unavailable", "unavailable");
	used(71);
}

static void test_tcp(int guest)
{
	uint16_t number = 0;
	int listening = lab_listen(&number), fd;
	struct proxy_v2_info info;
	struct error err;
	uint8_t header[PROXY_V2_MAX];
	char address[32];
	struct message m = {
		.type = WIRE_TYPE_resource_target, .incarnation = 2,
		.resource_target = { .resource = SLICE("files"), .machine = 31,
				     .endpoint = WIRE_ENDPOINT_TCP,
				     .identity = WIRE_IDENTITY_PROXY },
	};

	snprintf(address, sizeof(address), "127.0.0.1:%u", number);
	m.resource_target.address = slice_of(address);
	lab_send(&lab, &m);
	settled();
	ask(guest, "files", 560);
	fd = lab_accept(listening);
	expect_frame(guest, NATIVE_ACCEPT, "a tcp target");
	lab_read(fd, header, PROXY_V2_PREFIX);
	size_t rest = (size_t)header[14] << 8 | header[15];
	lab_read(fd, header + PROXY_V2_PREFIX, rest);
	is_int(proxy_v2_decode(header, PROXY_V2_PREFIX + rest, &info, &err),
	       (int)(PROXY_V2_PREFIX + rest), "gets a PROXY header");
	ok(slice_is(info.authority, "anna"), "with the user of the binding");
	ok(slice_is(info.unique_id, "session/71"), "and his session");
	ok(slice_is(info.application, "files"), "for the resource");
	lab_put_data(guest, "query", 5, NATIVE_END);
	ok(lab_hears(fd, "query"), "bytes");
	is_int(lab_end(fd), 0, "END");
	lab_says(fd, "rows");
	close(fd);
	expect_data(guest, "rows");
	expect_frame(guest, NATIVE_DATA, "END");
	m = used(71);
	is_int(m.resource_used.bytes_out, 4, "4 bytes");
	close(listening);
	ask(guest, "files", 561);
	expect_frame(guest, NATIVE_ERROR, "nobody listens there any more");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "unavailable", "unavailable");
	used(71);
}

static void test_silent_target(int guest)
{
	int target = channel_target(33);

	settled();
	ask(guest, "files", 570);
	expect_frame(target, NATIVE_ACCEPT, "a target without an answer");
	expect_frame(guest, NATIVE_ERROR, "costs the guest some time");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "lost", "lost");
	heard(WIRE_TYPE_resource_opened);
	/* Its order against the report is the gateway's own affair. */
	struct message a, b;
	if (!lab_next(&lab, &a, LAB_WAIT_MS))
		tap_bail("no report");
	uint16_t first = a.type;
	if (!lab_next(&lab, &b, LAB_WAIT_MS))
		tap_bail("no second report");
	ok((first == WIRE_TYPE_resource_target_lost &&
	    b.type == WIRE_TYPE_resource_used) ||
	   (first == WIRE_TYPE_resource_used &&
	    b.type == WIRE_TYPE_resource_target_lost), "and is reported lost");
	is_int(lab_end(target), 0, "its channel is closed");
	close(target);
}

/* ---- machines with an address ------------------------------------------------ */

static void address(uint64_t machine, uint64_t session, const char *user,
		    bool allowed, const char *ip)
{
	struct message m = {
		.type = WIRE_TYPE_resource_port, .incarnation = 6,
		.resource_port = { .machine = machine, .session = session,
				   .resource = SLICE("db"),
				   .user = slice_of(user), .allowed = allowed,
				   .address = slice_of(ip) },
	};

	lab_send(&lab, &m);
}

/* A connection from an address of 127.0.0.0/8 to a port of 127.0.0.1. */
static int come_from(const char *ip, uint16_t number)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(number),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, ip, &from.sin_addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		tap_bail("%s: %s", ip, strerror(errno));
	lab_patience(fd);
	return fd;
}

static uint16_t port_of_fd(int fd, bool peer)
{
	struct sockaddr_in in;
	socklen_t length = sizeof(in);

	if (peer)
		getpeername(fd, (struct sockaddr *)&in, &length);
	else
		getsockname(fd, (struct sockaddr *)&in, &length);
	return ntohs(in.sin_port);
}

/* What the ident service says about a pair of ports, asked from an address. */
static void ident_says(uint16_t door, const char *from, uint16_t own,
		       uint16_t other, const char *want, const char *what)
{
	char query[40], answer[200] = "", expected[200];
	int fd = come_from(from, door);
	size_t used = 0;
	ssize_t n;

	snprintf(query, sizeof(query), "%u , %u\r\n", own, other);
	lab_says(fd, query);
	while ((n = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0)
		used += (size_t)n;
	snprintf(expected, sizeof(expected), "%u , %u : %s\r\n", own, other,
		 want);
	is_text(answer, expected, "%s", what);
	close(fd);
}

static void refused(int fd, uint64_t session, const char *why)
{
	char byte;

	ok(recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET, "it is reset");
	close(fd);
	struct message m = used(session);
	is_int(m.resource_used.allowed, 0, "reported as refused");
	is_int(m.resource_used.exchange, 0, "none began");
	ok(slice_is(m.resource_used.text, why), "%s", why);
	ok(!strncmp(m.resource_used.peer.ptr, "127.0.", 6), "with its address");
}

static void expect_open(uint64_t session, const char *own_ip, struct message *m)
{
	*m = heard(WIRE_TYPE_resource_opened);
	is_int(m->resource_opened.session, session, "opened by session %d",
	       (int)session);
	ok(!strncmp(m->resource_opened.own.ptr, own_ip, strlen(own_ip)),
	   "from our side's address");
}

static void test_address(uint16_t door, uint16_t ident, int serving,
			 uint16_t served)
{
	struct message m;
	int guest, fd, stranger;
	char byte;

	stranger = come_from("127.0.9.9", door);
	refused(stranger, 0, "no session has a machine of this address");
	address(51, 91, "anna", true, "127.0.9.1");
	settled();
	guest = come_from("127.0.9.1", door);
	expect_open(91, "127.0.0.1:", &m);
	uint64_t exchange = m.resource_opened.exchange;
	fd = lab_accept(serving);
	is_int(m.resource_opened.machine, 51, "on its machine");
	lab_says(guest, "select");
	ok(lab_hears(fd, "select"), "bytes flow");
	uint16_t own = port_of_fd(fd, true);
	ident_says(ident, "127.0.0.1", own, served, "USERID : UNIX : anna",
		   "ident knows whose connection it is");
	ident_says(ident, "127.0.0.1", own, (uint16_t)(served + 1),
		   "ERROR : NO-USER", "of exactly that pair of ports");
	ident_says(ident, "127.0.0.1", port_of_fd(guest, false), door,
		   "ERROR : NO-USER", "not of the guest's own connection");
	ident_says(ident, "127.0.0.2", own, served, "ERROR : NO-USER",
		   "and tells the host that serves, nobody else");
	int second = come_from("127.0.9.1", door), other = lab_accept(serving);
	expect_open(91, "127.0.0.1:", &m);
	lab_says(second, "cancel");
	ok(lab_hears(other, "cancel"), "a second connection beside it");
	close(second);
	ok(lab_end(other) == 0, "ends by itself");
	close(other);
	m = used(91);
	ok(m.resource_used.exchange != exchange, "the second is told of");
	address(52, 92, "mallory", false, "127.0.9.2");
	settled();
	stranger = come_from("127.0.9.2", door);
	refused(stranger, 92, "denied by the access table");
	address(53, 93, "bert", true, "127.0.9.1");
	settled();
	stranger = come_from("127.0.9.1", door);
	refused(stranger, 0, "several machines have this address");
	close_session(53, 93);
	is_closed(93);
	/* The end of the session: cut, told, refused from then on. */
	close_session(51, 91);
	ok(recv(guest, &byte, 1, 0) < 0, "the connection is reset");
	ok(recv(fd, &byte, 1, 0) <= 0, "the service's side, too");
	m = used(91);
	is_int(m.resource_used.exchange, exchange, "its end is told");
	is_int(m.resource_used.bytes_in, 6, "with its bytes");
	is_closed(91);
	ident_says(ident, "127.0.0.1", own, served, "ERROR : NO-USER",
		   "ident has forgotten it");
	stranger = come_from("127.0.9.1", door);
	refused(stranger, 0, "no session has a machine of this address");
	close(guest);
	close(fd);
}

/* The site's table changes under an open connection. */
static void test_table(uint16_t door, int serving)
{
	int guest, fd;
	char byte;
	struct message m;

	address(54, 94, "carl", true, "127.0.9.4");
	settled();
	guest = come_from("127.0.9.4", door);
	fd = lab_accept(serving);
	expect_open(94, "127.0.0.1:", &m);
	address(54, 94, "carl", false, "");
	ok(recv(guest, &byte, 1, 0) < 0, "a user who may no more is cut");
	used(94);
	close(fd);
	close(guest);
	guest = come_from("127.0.9.4", door);
	refused(guest, 94, "denied by the access table");
	address(54, 94, "carl", true, "");
	settled();
	guest = come_from("127.0.9.4", door);
	fd = lab_accept(serving);
	ok(lab_read(fd, &byte, 0), "and let in again");
	close(guest);
	ok(lab_end(fd) == 0, "ends");
	close(fd);
	used(94);
}

static void test_bad_asker(uint16_t ident)
{
	int fd = come_from("127.0.0.1", ident);

	lab_says(fd, "who are you\r\n");
	is_int(lab_end(fd), 0, "what is no query gets no answer");
	close(fd);
	fd = come_from("127.0.0.1", ident);
	for (int i = 0; i < 100; i++)
		send(fd, "9", 1, MSG_NOSIGNAL);
	ok(lab_end(fd) != -1, "an endless one is cut");
	close(fd);
}

static void test_machines_by_address(void)
{
	uint16_t door, ident, served = 0;
	int serving = lab_listen(&served);
	char place[32];
	struct message m = {
		.type = WIRE_TYPE_resource_target,
		.resource_target = { .resource = SLICE("db"),
				     .endpoint = WIRE_ENDPOINT_TCP,
				     .identity = WIRE_IDENTITY_IDENT,
				     .source = SLICE("127.0.0.1") },
	};

	snprintf(place, sizeof(place), "127.0.0.1:%u", served);
	m.resource_target.address = slice_of(place);
	door = lab_door(&lab, 81, "db", WIRE_DOOR_RESOURCE, WIRE_USER_FIXED, "",
			"db");
	ident = lab_door(&lab, 82, "ident", WIRE_DOOR_IDENT, WIRE_USER_FIXED, "",
			 "");
	lab_send(&lab, &m);
	settled();
	test_address(door, ident, serving, served);
	test_table(door, serving);
	test_bad_asker(ident);
	close(serving);
}

int main(void)
{
	int guest, target;

	lab_start(&lab, (struct gateway_limits){ .resource_accept_ms = 300,
						 .drain_ms = 1000 });
	lab_greet(&lab);
	target = channel_target(30);
	guest = port(21, 71, "anna", true);
	test_exchange(guest, target);
	test_denied();
	test_queue(guest, target);
	test_garbage(target);
	test_session_end(target);
	test_lost_target(guest, target);
	test_tcp(guest);
	test_silent_target(guest);
	test_machines_by_address();
	lab_stop(&lab);
	close(guest);
	return tap_done();
}
