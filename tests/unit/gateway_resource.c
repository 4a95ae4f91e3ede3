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

/* Returns when the gateway has done all it was told before. */
static void settled(void)
{
	int fd = port(99, 99, "nobody", false);
	struct message m = { .type = WIRE_TYPE_resource_close,
			     .resource_close = { .machine = 99, .session = 99 } };

	lab_send(&lab, &m);
	if (lab_end(fd) != 0)
		tap_bail("a port that was closed lives");
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

static struct message used(uint64_t session)
{
	struct message m = lab_expect(&lab, WIRE_TYPE_resource_used);

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
	struct message c = { .type = WIRE_TYPE_resource_close,
			     .resource_close = { .machine = 24, .session = 74 } };
	lab_send(&lab, &c);
	is_int(lab_end(guest), 0, "the engine cuts it: the port closes");
	used(74);
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
	lab_reset(client);
	used(75);
	ok(true, "is cut first");
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.session, 75, "then the session's end is told");
	is_int(lab_end(guest), 0, "the port is closed");
	finish(target);
	close(guest);
	close(machine_end[0]);
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
	m = lab_expect(&lab, WIRE_TYPE_resource_target_lost);
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
	lab_stop(&lab);
	close(guest);
	return tap_done();
}
