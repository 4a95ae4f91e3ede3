/* The native door: the verbs, every cut of every frame, and bad manners. */
#include "tests/unit/gateway_lab.h"

static struct lab lab;
static uint16_t door, machine_port;
static int machine_listen;
static struct lab_frame frame;

/* HELLO and ALLOCATE of an honest client, one after the other. */
static size_t opening(uint8_t *out, const char *user, const char *secret,
		      const char *application)
{
	struct native_builder b;
	size_t n, total;

	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, NATIVE_TAG_VERSION, NATIVE_VERSION);
	native_put_text(&b, NATIVE_TAG_USER, user);
	if (secret)
		native_put_text(&b, NATIVE_TAG_SECRET, secret);
	total = native_finish(&b);
	memcpy(out, b.bytes, total);
	native_begin(&b, NATIVE_ALLOCATE, 0);
	native_put_text(&b, NATIVE_TAG_APPLICATION, application);
	native_put_u64(&b, NATIVE_TAG_WAIT_MS, 30000);
	native_put_text(&b, NATIVE_TAG_REQUEST_ID, "job-17");
	native_put_u64(&b, NATIVE_TAG_COUNT, 1);
	n = native_finish(&b);
	memcpy(out + total, b.bytes, n);
	return total + n;
}

static void expect_frame(int fd, enum native_type type, const char *what)
{
	memset(&frame, 0, sizeof(frame));
	if (!lab_frame(fd, &frame))
		tap_note("no frame: %s", strerror(errno));
	is_text(native_type_name(frame.h.type), native_type_name((uint8_t)type),
		"%s", what);
}

static void expect_error(int fd, const char *code, const char *what)
{
	expect_frame(fd, NATIVE_ERROR, what);
	is_text(lab_text(&frame, NATIVE_TAG_CODE), code, "with that code");
	is_int(lab_end(fd), 0, "then the end, no reset");
	close(fd);
}

/* A session up to the machine's accept. */
static uint64_t ask(int client)
{
	uint8_t bytes[1024];
	size_t n = opening(bytes, "anna", "secret", "mail");

	lab_write(client, bytes, n);
	return lab_expect(&lab, WIRE_TYPE_session_request).session_request.conn;
}

static int connect_session(int client, uint64_t session)
{
	int machine;

	lab_assign(&lab, (struct lab_assign){
		.conn = ask(client), .session = session, .machine = 7,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = machine_port });
	machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	expect_frame(client, NATIVE_HELLO, "HELLO");
	expect_frame(client, NATIVE_ALLOCATED, "ALLOCATED");
	expect_frame(client, NATIVE_ACCEPT, "ACCEPT");
	return machine;
}

static uint64_t test_asking(int client)
{
	uint8_t bytes[1024];
	size_t n = opening(bytes, "anna", "secret", "mail");

	lab_write(client, bytes, n);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	uint64_t conn = m.session_request.conn;
	ok(slice_is(m.session_request.user, "anna"), "the user asked");
	ok(slice_is(m.session_request.secret, "secret"), "with a password");
	is_int(m.session_request.user_source, WIRE_USER_PASSWORD, "as such");
	ok(slice_is(m.session_request.application, "mail"), "for mail");
	ok(slice_is(m.session_request.request_id, "job-17"), "request id");
	is_int(m.session_request.wait_ms, 30000, "wait limit");
	is_int(m.session_request.count, 1, "one machine");
	expect_frame(client, NATIVE_HELLO, "HELLO is answered");
	is_int(lab_u64(&frame, NATIVE_TAG_VERSION), 1, "with the version");
	struct message w = { .type = WIRE_TYPE_session_waiting,
			     .session_waiting = { .conn = conn, .place = 2,
						  .left_ms = 29000 } };
	lab_send(&lab, &w);
	expect_frame(client, NATIVE_WAITING, "WAITING");
	is_int(lab_u64(&frame, NATIVE_TAG_PLACE), 2, "second in the queue");
	is_int(lab_u64(&frame, NATIVE_TAG_WAIT_MS), 29000, "until then");
	return conn;
}

/* What the engine says of the session's time, and what its user may ask. */
static void test_limits(void)
{
	int client = lab_dial(door), machine = connect_session(client, 990);
	struct native_builder b;
	struct message m;

	m = (struct message){ .type = WIRE_TYPE_session_notice,
			      .session_notice = { 990, 60000, SLICE("soon") } };
	lab_send(&lab, &m);
	expect_frame(client, NATIVE_NOTICE, "the client is warned");
	is_int(lab_u64(&frame, NATIVE_TAG_WAIT_MS), 60000, "of its end");
	is_text(lab_text(&frame, NATIVE_TAG_TEXT), "soon", "in words");
	native_begin(&b, NATIVE_EXTEND, 0);
	native_put_u64(&b, NATIVE_TAG_WAIT_MS, 90000);
	lab_put(client, &b);
	m = lab_expect(&lab, WIRE_TYPE_session_extend);
	is_int(m.session_extend.ms, 90000, "and may ask for more");
	is_int(m.session_extend.session, 990, "for its own session");
	lab_put_data(client, "x", 1, 0);
	ok(lab_hears(machine, "x"), "bytes go on behind it");
	m = (struct message){ .type = WIRE_TYPE_session_stop,
			      .session_stop = { 990, 600000, SLICE("idle") } };
	lab_send(&lab, &m);
	m = lab_expect(&lab, WIRE_TYPE_session_bytes);
	is_int(m.session_bytes.bytes_in, 1, "one that moved is not idle");
	lab_put_data(client, "y", 1, 0);
	ok(lab_hears(machine, "y"), "and goes on");
	m = (struct message){ .type = WIRE_TYPE_session_stop,
			      .session_stop = { 990, 0, SLICE("over") } };
	lab_send(&lab, &m);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.how, WIRE_END_STOPPED, "one that is over is not asked");
	expect_error(client, "stopped", "the client hears why");
	close(machine);
}

static void test_talking(int client, int machine)
{
	lab_put_data(client, "question", 8, NATIVE_END);
	ok(lab_hears(machine, "question"), "DATA reaches the machine bare");
	is_int(lab_end(machine), 0, "END as a half-close");
	lab_says(machine, "answer");
	expect_frame(client, NATIVE_DATA, "the answer is DATA");
	ok(frame.h.length == 6 && !memcmp(frame.payload, "answer", 6), "whole");
	close(machine);
	expect_frame(client, NATIVE_DATA, "its end");
	is_int(frame.h.flags, NATIVE_END, "is END");
	ok(lab_quiet(&lab, 100), "the session waits for DEALLOCATE");
}

static void test_verbs(void)
{
	int client = lab_dial(door), machine;
	uint64_t conn = test_asking(client);
	struct native_builder b;
	struct message m;

	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = 200, .machine = 7, .incarnation = 4,
		.endpoint = WIRE_ENDPOINT_TCP, .identity = WIRE_IDENTITY_NONE,
		.port = machine_port });
	machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	expect_frame(client, NATIVE_ALLOCATED, "ALLOCATED");
	is_int(lab_u64(&frame, NATIVE_TAG_SESSION), 200, "session");
	is_text(lab_text(&frame, NATIVE_TAG_MACHINE), "mail-07", "machine");
	is_int(lab_u64(&frame, NATIVE_TAG_INCARNATION), 4, "incarnation");
	is_text(lab_text(&frame, NATIVE_TAG_USER), "anna", "user");
	is_text(lab_text(&frame, NATIVE_TAG_APPLICATION), "mail", "application");
	expect_frame(client, NATIVE_ACCEPT, "ACCEPT");
	test_talking(client, machine);
	native_begin(&b, NATIVE_DEALLOCATE, NATIVE_CONFIRM);
	lab_put(client, &b);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.how, WIRE_END_CLOSED, "DEALLOCATE closes");
	is_int(m.session_ended.confirm, 1, "the client waits for clean");
	is_int(m.session_ended.bytes_in, 8, "8 bytes in");
	is_int(m.session_ended.bytes_out, 6, "6 bytes out");
	ok(!lab_poll(client, POLLIN, 100), "nothing is confirmed yet");
	struct message c = { .type = WIRE_TYPE_session_confirmed,
			     .session_confirmed = { .session = 200, .ok = 1 } };
	lab_send(&lab, &c);
	expect_frame(client, NATIVE_CONFIRMED, "CONFIRMED");
	is_int(lab_u64(&frame, NATIVE_TAG_SESSION), 200, "of that session");
	is_int(lab_end(client), 0, "and the end");
	close(client);
}

static void test_not_clean(void)
{
	struct native_builder b;
	int client = lab_dial(door), machine = connect_session(client, 205);

	native_begin(&b, NATIVE_DEALLOCATE, NATIVE_CONFIRM);
	lab_put(client, &b);
	is_int(lab_end(machine), 0, "DEALLOCATE closes the machine's side");
	lab_expect(&lab, WIRE_TYPE_session_ended);
	struct message c = { .type = WIRE_TYPE_session_confirmed,
			     .session_confirmed = {
				     .session = 205,
				     .text = SLICE("clean failed") } };
	lab_send(&lab, &c);
	expect_error(client, "unconfirmed", "a failed clean is told");
	close(machine);
}

/* Every frame of the client cut in two at every byte. */
static void test_cuts(void)
{
	uint8_t script[2048], *at = script;
	struct native_builder b;
	size_t total, opened;
	unsigned bad = 0;

	opened = opening(at, "anna", "secret", "mail");
	at += opened;
	native_put_header(at, NATIVE_DATA, 0, 5);
	memcpy(at + NATIVE_HEADER_SIZE, "split", 5);
	at += NATIVE_HEADER_SIZE + 5;
	native_put_header(at, NATIVE_DATA, NATIVE_END, 4);
	memcpy(at + NATIVE_HEADER_SIZE, "tail", 4);
	at += NATIVE_HEADER_SIZE + 4;
	native_begin(&b, NATIVE_DEALLOCATE, 0);
	memcpy(at, b.bytes, native_finish(&b));
	at += native_finish(&b);
	total = (size_t)(at - script);
	for (size_t cut = 1; cut < total; cut++) {
		int client = lab_dial(door), machine;
		char got[10] = "";

		lab_write(client, script, cut < opened ? cut : opened);
		if (cut < opened) {
			/* Let the first part arrive alone. */
			poll(NULL, 0, 1);
			lab_write(client, script + cut, opened - cut);
		}
		struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
		if (cut > opened) {
			lab_write(client, script + opened, cut - opened);
			poll(NULL, 0, 1);
		}
		lab_assign(&lab, (struct lab_assign){
			.conn = m.session_request.conn, .session = 1000 + cut,
			.machine = 7, .incarnation = 4,
			.endpoint = WIRE_ENDPOINT_TCP, .port = machine_port,
			.identity = WIRE_IDENTITY_NONE });
		machine = lab_accept(machine_listen);
		lab_expect(&lab, WIRE_TYPE_session_accepted);
		lab_write(client, script + (cut > opened ? cut : opened),
			  total - (cut > opened ? cut : opened));
		if (!lab_read(machine, got, 9) || strcmp(got, "splittail") ||
		    lab_end(machine) != 0)
			bad++;
		m = lab_expect(&lab, WIRE_TYPE_session_ended);
		if (m.session_ended.how != WIRE_END_CLOSED ||
		    m.session_ended.bytes_in != 9)
			bad++;
		close(machine);
		close(client);
	}
	is_int(bad, 0, "%zu cuts of a whole conversation change nothing",
	       total - 1);
}

/* Raw bytes as the first thing said. */
static void expect_protocol_error(const void *bytes, size_t n, const char *what)
{
	int client = lab_dial(door);

	lab_write(client, bytes, n);
	expect_error(client, "protocol", what);
}

static void test_manners(void)
{
	uint8_t bytes[1024];
	struct native_builder b;
	size_t n;
	int client;

	expect_protocol_error("GET / HTTP/1.1\r\n\r\n", 18, "HTTP is no frame");
	native_put_header(bytes, NATIVE_HELLO, 0, NATIVE_CONTROL_MAX + 1);
	expect_protocol_error(bytes, NATIVE_HEADER_SIZE, "an oversized HELLO");
	native_put_header(bytes, NATIVE_DATA, 0, 100);
	expect_protocol_error(bytes, NATIVE_HEADER_SIZE, "DATA before HELLO");
	native_begin(&b, NATIVE_ALLOCATE, 0);
	n = native_finish(&b);
	expect_protocol_error(b.bytes, n, "ALLOCATE before HELLO");
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, NATIVE_TAG_VERSION, 1);
	native_put_u64(&b, NATIVE_TAG_VERSION, 1);
	n = native_finish(&b);
	expect_protocol_error(b.bytes, n, "a tag twice");

	client = lab_dial(door);
	lab_write(client, bytes, opening(bytes, "anna", NULL, "mail"));
	expect_frame(client, NATIVE_HELLO, "a listener with passwords");
	expect_error(client, "denied", "wants one");
	client = lab_dial(door);
	lab_write(client, bytes, opening(bytes, "anna", "x", "../mail"));
	expect_frame(client, NATIVE_HELLO, "a strange application");
	expect_error(client, "no_application", "is refused here");
	ok(lab_quiet(&lab, 50), "none of them reached the engine");
}

static void test_early_data(void)
{
	int client = lab_dial(door), machine;
	uint64_t conn = ask(client);
	struct native_builder b;

	lab_put_data(client, "too early", 9, 0);
	ok(lab_quiet(&lab, 50), "DATA before the accept waits");
	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = 210, .machine = 7, .incarnation = 4,
		.endpoint = WIRE_ENDPOINT_TCP, .identity = WIRE_IDENTITY_NONE,
		.port = machine_port });
	machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	ok(lab_hears(machine, "too early"), "and goes to the right machine");
	close(client);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.how, WIRE_END_LOST,
	       "closing without DEALLOCATE is lost");
	close(machine);

	client = lab_dial(door);
	conn = ask(client);
	native_begin(&b, NATIVE_DEALLOCATE, 0);
	lab_put(client, &b);
	m = lab_expect(&lab, WIRE_TYPE_session_cancel);
	is_int(m.session_cancel.conn, conn, "DEALLOCATE while waiting cancels");
	close(client);

	client = lab_dial(door);
	conn = ask(client);
	close(client);
	m = lab_expect(&lab, WIRE_TYPE_session_cancel);
	is_int(m.session_cancel.conn, conn, "so does closing");
}

static void test_engine_words(void)
{
	int client = lab_dial(door), machine;
	struct message no = {
		.type = WIRE_TYPE_session_refuse,
		.session_refuse = { .conn = ask(client),
				    .code = SLICE("denied"),
				    .text = SLICE("not for anna") },
	};

	lab_send(&lab, &no);
	expect_frame(client, NATIVE_HELLO, "a refusal by the engine");
	expect_error(client, "denied", "arrives as ERROR");

	client = lab_dial(door);
	machine = connect_session(client, 220);
	struct message stop = { .type = WIRE_TYPE_session_stop,
				.session_stop = { .session = 220,
						  .text = SLICE("night") } };
	lab_send(&lab, &stop);
	is_int(lab_expect(&lab, WIRE_TYPE_session_ended).session_ended.how,
	       WIRE_END_STOPPED, "a stopped session");
	expect_error(client, "stopped", "is told to the client");
	close(machine);

	client = lab_dial(door);
	machine = connect_session(client, 221);
	lab_reset(machine);
	is_int(lab_expect(&lab, WIRE_TYPE_session_ended).session_ended.how,
	       WIRE_END_MACHINE, "a broken machine");
	expect_error(client, "machine_lost", "too");
}

/* One byte at a time is as slow as silence: the deadline is for the whole. */
static void test_slow(void)
{
	uint8_t bytes[1024];
	size_t n = opening(bytes, "anna", "secret", "mail"), i = 0;
	int client = lab_dial(door), silent = lab_dial(door);
	int64_t from = lab_now_ms();

	while (i < n && !lab_poll(client, POLLIN, 20) &&
	       lab_now_ms() - from < 5000)
		lab_write(client, bytes + i++, 1);
	int64_t took = lab_now_ms() - from;
	ok(i < n, "a dripping client is not heard out");
	ok(took >= 400 && took < 1500, "but turned away at the deadline");
	expect_frame(client, NATIVE_ERROR, "with a word");
	is_text(lab_text(&frame, NATIVE_TAG_CODE), "timeout", "timeout");
	close(client);
	expect_error(silent, "timeout", "so is a silent one");
	ok(lab_quiet(&lab, 20), "the engine saw neither");
}

static void test_full_door(void)
{
	int crowd[12], client;

	for (int i = 0; i < 12; i++)
		crowd[i] = lab_dial(door);
	client = lab_dial(door);
	/* Eight strangers fill the door; they go at their deadline. */
	ask(client);
	ok(true, "an honest client gets through a crowd");
	lab_reset(client);
	lab_expect(&lab, WIRE_TYPE_session_cancel);
	for (int i = 0; i < 12; i++)
		close(crowd[i]);
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ .opening_ms = 500,
						 .opening_count = 8 });
	lab_greet(&lab);
	machine_listen = lab_listen(&machine_port);
	door = lab_door(&lab, 21, "front", WIRE_DOOR_NATIVE, WIRE_USER_PASSWORD,
			"", "");
	test_verbs();
	test_limits();
	test_not_clean();
	test_cuts();
	test_manners();
	test_early_data();
	test_engine_words();
	test_slow();
	test_full_door();
	lab_stop(&lab);
	return tap_done();
}
