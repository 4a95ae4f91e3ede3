/* Channel endpoints: the echo, stale bytes, frames, DEALLOCATE, CONFIRMED. */
#include "tests/unit/gateway_lab.h"

enum { BULK = 50 * 1024 * 1024, NONCE = 0x1234567890abcdef };

static struct lab lab;
static uint16_t door;
static struct lab_frame frame;

struct pair {
	int client, guest;	/* guest: the machine's side of the channel */
	uint64_t conn, session;
};

/* A request answered with a channel; ACCEPT has been read by the guest. */
static struct pair offer(uint64_t session, const void *stale, size_t stale_size,
			 int64_t deadline_ms)
{
	struct pair p = { .session = session };
	int ends[2];

	p.client = lab_dial(door);
	p.conn = lab_expect(&lab, WIRE_TYPE_session_request).session_request.conn;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		tap_bail("socketpair: %s", strerror(errno));
	p.guest = ends[0];
	lab_patience(p.guest);
	if (stale_size)
		lab_write(p.guest, stale, stale_size);
	lab_assign(&lab, (struct lab_assign){
		.conn = p.conn, .session = session, .machine = 5,
		.incarnation = 9, .nonce = NONCE + session,
		.endpoint = WIRE_ENDPOINT_CHANNEL, .fd = ends[1],
		.identity = WIRE_IDENTITY_AGENT, .deadline_ms = deadline_ms });
	memset(&frame, 0, sizeof(frame));
	lab_frame(p.guest, &frame);
	if (frame.h.type != NATIVE_ACCEPT)
		tap_bail("no ACCEPT for the guest");
	return p;
}

static struct pair open_pair(uint64_t session)
{
	struct pair p = offer(session, NULL, 0, 0);

	lab_put_pair(p.guest, NATIVE_ACCEPT, session, NONCE + session);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	return p;
}

/* The guest's part of the end. */
static void confirm(const struct pair *p)
{
	do {
		memset(&frame, 0, sizeof(frame));
		if (!lab_frame(p->guest, &frame))
			tap_bail("no DEALLOCATE for the guest");
	} while (frame.h.type == NATIVE_DATA);
	is_text(native_type_name(frame.h.type), "DEALLOCATE",
		"the guest is told of the end");
	is_int(lab_u64(&frame, NATIVE_TAG_SESSION), p->session, "of its session");
	is_int(lab_u64(&frame, NATIVE_TAG_NONCE), NONCE + p->session, "and nonce");
	lab_put_pair(p->guest, NATIVE_CONFIRMED, p->session, NONCE + p->session);
	is_int(lab_end(p->guest), 0, "then the channel is closed");
	close(p->guest);
}

static struct message ended(const struct pair *p)
{
	struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);

	is_int(m.session_ended.session, p->session, "that session ended");
	return m;
}

static void test_session(void)
{
	struct pair p = offer(300, NULL, 0, 0);
	struct message m;

	is_int(lab_u64(&frame, NATIVE_TAG_SESSION), 300, "ACCEPT has the session");
	is_int(lab_u64(&frame, NATIVE_TAG_NONCE), NONCE + 300, "the nonce");
	is_text(lab_text(&frame, NATIVE_TAG_USER), "anna", "the user");
	is_text(lab_text(&frame, NATIVE_TAG_APPLICATION), "mail", "application");
	is_int(lab_u64(&frame, NATIVE_TAG_INCARNATION), 9, "the incarnation");
	lab_says(p.client, "hello guest");
	ok(!lab_poll(p.guest, POLLIN, 50), "no user's byte before the echo");
	lab_put_pair(p.guest, NATIVE_ACCEPT, 300, NONCE + 300);
	m = lab_expect(&lab, WIRE_TYPE_session_accepted);
	is_int(m.incarnation, 9, "accepted in its epoch");
	lab_frame(p.guest, &frame);
	ok(frame.h.type == NATIVE_DATA && frame.h.length == 11 &&
	   !memcmp(frame.payload, "hello guest", 11), "now they come as DATA");
	lab_put_data(p.guest, "hello client", 12, 0);
	ok(lab_hears(p.client, "hello client"), "and back bare");
	shutdown(p.client, SHUT_WR);
	lab_frame(p.guest, &frame);
	ok(frame.h.type == NATIVE_DATA && frame.h.flags == NATIVE_END,
	   "the client's half-close is END");
	lab_put_data(p.guest, "late answer", 11, 0);
	ok(lab_hears(p.client, "late answer"), "answers still pass");
	lab_put_data(p.guest, NULL, 0, NATIVE_END);
	is_int(lab_end(p.client), 0, "the guest's END is a half-close");
	confirm(&p);
	m = ended(&p);
	is_int(m.session_ended.how, WIRE_END_CLOSED, "closed");
	is_int(m.session_ended.drained, 1, "and drained");
	is_int(m.session_ended.bytes_in, 11, "11 bytes in");
	is_int(m.session_ended.bytes_out, 23, "23 bytes out");
	close(p.client);
}

/* What an earlier session may have left in the port. */
static void test_stale(void)
{
	static uint8_t junk[100000];
	struct pair p;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i * 31);
	p = offer(310, junk, sizeof(junk), 0);
	lab_put_pair(p.guest, NATIVE_ACCEPT, 310, NONCE + 310);
	lab_put_data(p.guest, "clean", 5, 0);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	ok(lab_hears(p.client, "clean"), "100 KB of stale bytes are forgotten");
	close(p.client);
	lab_put_data(p.guest, NULL, 0, NATIVE_END);
	confirm(&p);
	ended(&p);

	/* A whole conversation of yesterday, echo, DATA and all. */
	struct native_builder b;
	native_begin(&b, NATIVE_ACCEPT, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, 311);
	native_put_u64(&b, NATIVE_TAG_NONCE, 42);
	n = native_finish(&b);
	memcpy(junk, b.bytes, n);
	native_put_header(junk + n, NATIVE_DATA, 0, 50);
	memcpy(junk + n + NATIVE_HEADER_SIZE, "somebody's mail", 15);
	p = offer(311, junk, n + NATIVE_HEADER_SIZE + 15, 300);
	ok(lab_quiet(&lab, 100), "an echo with another nonce is no accept");
	lab_put_pair(p.guest, NATIVE_ACCEPT, 311, NONCE + 310);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_failed);
	is_int(m.session_failed.touched, 1, "no accept in time: touched");
	is_int(m.session_failed.session, 311, "that session");
	is_int(lab_end(p.guest), 0, "the channel is closed");
	close(p.guest);
	ok(!lab_poll(p.client, POLLIN, 50), "the client waits for another");
	close(p.client);
	lab_expect(&lab, WIRE_TYPE_session_cancel);
}

/* The echo behind junk, cut in two at every byte. */
static void test_cut_echo(void)
{
	uint8_t bytes[100] = "previous user's words";
	struct native_builder b;
	size_t n = 21;
	unsigned bad = 0;

	for (size_t cut = 1; cut < n + 32; cut++) {
		uint64_t session = 2000 + cut;
		struct pair p = offer(session, NULL, 0, 0);

		native_begin(&b, NATIVE_ACCEPT, 0);
		native_put_u64(&b, NATIVE_TAG_SESSION, session);
		native_put_u64(&b, NATIVE_TAG_NONCE, NONCE + session);
		memcpy(bytes + n, b.bytes, native_finish(&b));
		lab_write(p.guest, bytes, cut);
		poll(NULL, 0, 1);
		lab_write(p.guest, bytes + cut, n + 32 - cut);
		lab_expect(&lab, WIRE_TYPE_session_accepted);
		lab_put_data(p.guest, "ok", 2, NATIVE_END);
		if (!lab_hears(p.client, "ok") || lab_end(p.client))
			bad++;
		close(p.client);
		do
			lab_frame(p.guest, &frame);
		while (frame.h.type == NATIVE_DATA);
		lab_put_pair(p.guest, NATIVE_CONFIRMED, session, NONCE + session);
		struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);
		bad += !m.session_ended.drained;
		close(p.guest);
	}
	is_int(bad, 0, "the echo is found at every cut");
}

static void test_refusal(void)
{
	struct pair p = offer(320, NULL, 0, 0);
	struct native_builder b;

	native_begin(&b, NATIVE_ERROR, 0);
	native_put_text(&b, NATIVE_TAG_CODE, "application");
	native_put_text(&b, NATIVE_TAG_TEXT, "no such program");
	native_put_u64(&b, NATIVE_TAG_SESSION, 320);
	native_put_u64(&b, NATIVE_TAG_NONCE, NONCE + 320);
	lab_put(p.guest, &b);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_failed);
	is_int(m.session_failed.touched, 1, "a guest that refuses");
	ok(slice_is(m.session_failed.text, "the machine refused: no such program"),
	   "says why");
	close(p.guest);
	close(p.client);
	lab_expect(&lab, WIRE_TYPE_session_cancel);
}

static void test_breaks(void)
{
	struct pair p = open_pair(330);
	struct message m;

	lab_reset(p.client);
	confirm(&p);
	m = ended(&p);
	is_int(m.session_ended.how, WIRE_END_LOST, "a client that resets");
	is_int(m.session_ended.drained, 1, "leaves a drained machine");

	p = open_pair(331);
	close(p.guest);
	m = ended(&p);
	is_int(m.session_ended.how, WIRE_END_MACHINE, "a channel that closes");
	is_int(m.session_ended.drained, 0, "is not drained");
	is_int(lab_end(p.client), ECONNRESET, "the client sees a break");
	close(p.client);

	p = open_pair(332);
	lab_says(p.guest, "\xff\xff\xff\xff\xff\xff\xff\xff garbage");
	m = ended(&p);
	is_int(m.session_ended.how, WIRE_END_MACHINE, "a guest without manners");
	close(p.guest);
	close(p.client);

	p = open_pair(333);
	lab_reset(p.client);
	m = ended(&p);
	is_int(m.session_ended.drained, 0, "no CONFIRMED in time: not drained");
	is_int(lab_end(p.guest) <= 0, 1, "and closed");
	close(p.guest);

	p = open_pair(335);
	lab_reset(p.client);
	lab_frame(p.guest, &frame);
	lab_put_pair(p.guest, NATIVE_CONFIRMED, 335, NONCE + 334);
	lab_put_pair(p.guest, NATIVE_CONFIRMED, 334, NONCE + 335);
	m = ended(&p);
	is_int(m.session_ended.drained, 0, "CONFIRMED of another session is none");
	close(p.guest);

	/* A user who writes what looks like the guest's CONFIRMED. */
	struct native_builder b;
	p = open_pair(334);
	native_begin(&b, NATIVE_CONFIRMED, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, 334);
	native_put_u64(&b, NATIVE_TAG_NONCE, NONCE + 334);
	size_t n = native_finish(&b);
	lab_reset(p.client);
	lab_frame(p.guest, &frame);
	lab_put_data(p.guest, b.bytes, n, 0);
	m = ended(&p);
	is_int(m.session_ended.drained, 0, "CONFIRMED inside DATA is none");
	close(p.guest);
}

static uint8_t stream_byte(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint8_t)(*state >> 33);
}

static void feed(int fd, bool framed, uint64_t seed)
{
	static uint8_t block[40000];

	for (size_t left = BULK; left;) {
		size_t n = left < sizeof(block) ? left : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = stream_byte(&seed);
		if (framed)
			lab_put_data(fd, block, n, left == n ? NATIVE_END : 0);
		else
			lab_write(fd, block, n);
		left -= n;
	}
	if (!framed)
		shutdown(fd, SHUT_WR);
}

static size_t check_bytes(const uint8_t *bytes, size_t n, uint64_t *seed)
{
	size_t good = 0;

	while (good < n && bytes[good] == stream_byte(seed))
		good++;
	return good;
}

static size_t check_frames(int fd, uint64_t seed)
{
	size_t total = 0;

	while (lab_frame(fd, &frame) && frame.h.type == NATIVE_DATA) {
		if (check_bytes(frame.payload, frame.h.length, &seed) !=
		    frame.h.length)
			break;
		total += frame.h.length;
		if (frame.h.flags & NATIVE_END)
			break;
	}
	return total;
}

static void test_bulk(void)
{
	struct pair p = open_pair(340);
	static uint8_t block[65536];
	uint64_t seed = 8;
	size_t total = 0;
	ssize_t n;
	int status;
	pid_t feeders[2], checker;

	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		feeders[i] = fork();
		if (feeders[i] == 0) {
			feed(i ? p.guest : p.client, i, 7 + (uint64_t)i);
			_exit(0);
		}
	}
	checker = fork();
	if (checker == 0)
		_exit(check_frames(p.guest, 7) == BULK ? 0 : 1);
	while ((n = recv(p.client, block, sizeof(block), 0)) > 0) {
		if (check_bytes(block, (size_t)n, &seed) != (size_t)n)
			break;
		total += (size_t)n;
	}
	is_int(total, BULK, "50 MB from the guest, byte for byte");
	waitpid(checker, &status, 0);
	is_int(status, 0, "50 MB to the guest, byte for byte");
	waitpid(feeders[0], &status, 0);
	waitpid(feeders[1], &status, 0);
	confirm(&p);
	struct message m = ended(&p);
	is_int(m.session_ended.bytes_in, BULK, "counted without frames, in");
	is_int(m.session_ended.bytes_out, BULK, "and out");
	close(p.client);
}

static void test_late(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		tap_bail("socketpair");
	lab_patience(ends[0]);
	lab_assign(&lab, (struct lab_assign){
		.conn = 999999, .session = 350, .machine = 5, .incarnation = 9,
		.nonce = 1, .endpoint = WIRE_ENDPOINT_CHANNEL, .fd = ends[1],
		.identity = WIRE_IDENTITY_AGENT });
	struct message m = lab_expect(&lab, WIRE_TYPE_session_failed);
	is_int(m.session_failed.touched, 0, "no such client: not touched");
	is_int(m.incarnation, 9, "in the machine's epoch");
	is_int(lab_end(ends[0]), 0, "nothing was written to the channel");
	close(ends[0]);
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ .drain_ms = 500 });
	lab_greet(&lab);
	door = lab_door(&lab, 31, "desk", WIRE_DOOR_DIRECT, WIRE_USER_FIXED,
			"anna", "mail");
	test_session();
	test_stale();
	test_cut_echo();
	test_refusal();
	test_breaks();
	test_bulk();
	test_late();
	lab_stop(&lab);
	return tap_done();
}
