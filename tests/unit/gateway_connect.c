/* `remuda connect` against a real gateway: bytes, ends, words, exit codes. */
#include "tests/unit/gateway_lab.h"

#include <fcntl.h>

#include "console/connect.h"

static struct lab lab;
static uint16_t door, machine_port;
static int machine_listen;

struct run {
	pid_t pid;
	int in, out, words;	/* our ends of its streams */
};

/* Starts `connect WORDS... --to DOOR`. */
static struct run start(const char *const words[])
{
	int in[2], out[2], said[2];
	char to[32];
	struct run r;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(said, O_CLOEXEC) < 0)
		tap_bail("pipe: %s", strerror(errno));
	snprintf(to, sizeof(to), "127.0.0.1:%u", door);
	fflush(stdout);
	r.pid = fork();
	if (r.pid == 0) {
		char *argv[16] = { (char *)"connect" };
		int n = 1;

		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(said[1], 2);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		argv[n++] = (char *)"--to";
		argv[n++] = to;
		for (int i = 0; words[i]; i++)
			argv[n++] = (char *)(uintptr_t)words[i];
		exit(connect_main(n, argv));
	}
	close(in[0]);
	close(out[1]);
	close(said[1]);
	r.in = in[1];
	r.out = out[0];
	r.words = said[0];
	return r;
}

/* Reads a stream to its end into a static text. */
static const char *rest(int fd)
{
	static char text[4][4096];
	static int turn;
	char *out = text[turn++ % 4];
	size_t n = 0;
	ssize_t got;

	while (n < 4095 && lab_poll(fd, POLLIN, LAB_WAIT_MS) &&
	       (got = read(fd, out + n, 4095 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	return out;
}

static int code(struct run *r)
{
	int status;

	close(r->out);
	close(r->words);
	waitpid(r->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int give_machine(uint64_t conn, uint64_t session)
{
	int machine;

	lab_assign(&lab, (struct lab_assign){
		.conn = conn, .session = session, .machine = 7,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = machine_port });
	machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	return machine;
}

static uint64_t asked(void)
{
	return lab_expect(&lab, WIRE_TYPE_session_request).session_request.conn;
}

static void test_session(void)
{
	static const char *const words[] = { "mail", "--user", "anna",
		"--wait", "20s", "--request-id", "r-1", "--confirm", "-v", NULL };
	struct run r;

	setenv("REMUDA_PASSWORD", "open sesame", 1);
	r = start(words);
	unsetenv("REMUDA_PASSWORD");
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	ok(slice_is(m.session_request.user, "anna"), "the user");
	ok(slice_is(m.session_request.secret, "open sesame"), "the password");
	is_int(m.session_request.wait_ms, 20000, "the wait");
	ok(slice_is(m.session_request.request_id, "r-1"), "the request id");
	struct message w = { .type = WIRE_TYPE_session_waiting,
			     .session_waiting = {
				     .conn = m.session_request.conn, .place = 3,
				     .left_ms = 20000 } };
	lab_send(&lab, &w);
	int machine = give_machine(m.session_request.conn, 900);
	is_int(write(r.in, "hello\n", 6), 6, "input");
	ok(lab_hears(machine, "hello\n"), "reaches the machine");
	close(r.in);
	is_int(lab_end(machine), 0, "its end is a half-close");
	lab_says(machine, "and goodbye\n");
	close(machine);
	is_text(rest(r.out), "and goodbye\n", "the answer is standard output");
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.how, WIRE_END_CLOSED, "closed");
	is_int(m.session_ended.confirm, 1, "it waits for clean");
	is_int(m.session_ended.bytes_out, 12, "bytes");
	struct message c = { .type = WIRE_TYPE_session_confirmed,
			     .session_confirmed = { .session = 900, .ok = 1 } };
	lab_send(&lab, &c);
	const char *said = rest(r.words);
	ok(strstr(said, "waiting for a machine, place 3, at most 20 s"),
	   "-v says the place");
	ok(strstr(said, "session/900 on mail-07 as anna after "), "the session");
	ok(strstr(said, "first byte after "), "the first byte's time");
	ok(strstr(said, "the machine is clean"), "and clean");
	is_int(code(&r), 0, "exit 0");
}

static void test_ends(void)
{
	static const char *const words[] = { "mail", "--user", "anna",
					     "--password-fd", "0", NULL };
	struct run r = start(words);

	/* The password is all of the descriptor; nothing is left to send. */
	is_int(write(r.in, "from a file\n", 12), 12, "a password by descriptor");
	close(r.in);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);
	ok(slice_is(m.session_request.secret, "from a file"), "without newline");
	int machine = give_machine(m.session_request.conn, 901);
	lab_says(machine, "half an answ");
	ok(lab_poll(r.out, POLLIN, LAB_WAIT_MS), "an answer begins");
	lab_reset(machine);
	m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.how, WIRE_END_MACHINE, "a machine that breaks");
	ok(strstr(rest(r.words), "(machine_lost)"), "is told");
	is_int(code(&r), 1, "exit 1");
}

static void refuse(const char *why, const char *text, int want)
{
	static const char *const words[] = { "mail", "--user", "anna", NULL };
	struct run r;
	char expected[256];

	setenv("REMUDA_PASSWORD", "x", 1);
	r = start(words);
	unsetenv("REMUDA_PASSWORD");
	struct message no = {
		.type = WIRE_TYPE_session_refuse,
		.session_refuse = { .conn = asked(), .code = slice_of(why),
				    .text = slice_of(text) },
	};
	lab_send(&lab, &no);
	snprintf(expected, sizeof(expected), "connect: %s (%s)\n", text, why);
	is_text(rest(r.words), expected, "the words of %s", why);
	close(r.in);
	is_int(code(&r), want, "exit %d", want);
}

static void test_usage(void)
{
	static const struct {
		const char *words[4];
		int code;
	} cases[] = {
		{ { NULL }, 2 },
		{ { "mail", "backup", NULL }, 2 },
		{ { "mail", "--wait", "soon", NULL }, 2 },
		{ { "mail", "--password-fd", "x", NULL }, 2 },
		{ { "mail", "--socket", "/nowhere", NULL }, 2 },
		{ { "mail", "--unknown", NULL }, 2 },
		{ { "--help", NULL }, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run r = start(cases[i].words);

		close(r.in);
		rest(r.words);
		is_int(code(&r), cases[i].code, "usage case %zu", i);
	}
}

static void test_unreachable(void)
{
	static const char *const words[] = { "mail", NULL };
	uint16_t real = door, nobody = 0;
	struct run r;

	close(lab_listen(&nobody));
	door = nobody;
	r = start(words);
	close(r.in);
	ok(strstr(rest(r.words), "Connection refused"), "nobody there: said");
	is_int(code(&r), 5, "exit 5");
	door = real;
}

/* Both directions at once, more than any buffer, over pipes. */
static void test_bulk(void)
{
	enum { TOTAL = 20 * 1024 * 1024 };
	static const char *const words[] = { "mail", "--user", "anna", NULL };
	static uint8_t block[65536];
	struct run r;
	pid_t feeder, echo;
	size_t got = 0, bad = 0;
	ssize_t n;

	setenv("REMUDA_PASSWORD", "x", 1);
	r = start(words);
	unsetenv("REMUDA_PASSWORD");
	int machine = give_machine(asked(), 910);
	fflush(stdout);
	echo = fork();
	if (echo == 0) {
		close(r.in);
		while ((n = recv(machine, block, sizeof(block), 0)) > 0)
			if (!lab_write(machine, block, (size_t)n))
				_exit(1);
		_exit(0);
	}
	close(machine);
	feeder = fork();
	if (feeder == 0) {
		for (size_t at = 0; at < TOTAL; at += sizeof(block)) {
			for (size_t i = 0; i < sizeof(block); i++)
				block[i] = (uint8_t)((at + i) * 2654435761u >> 13);
			for (size_t put = 0; put < sizeof(block);) {
				n = write(r.in, block + put, sizeof(block) - put);
				if (n < 0)
					_exit(1);
				put += (size_t)n;
			}
		}
		_exit(0);
	}
	close(r.in);
	while (lab_poll(r.out, POLLIN, LAB_WAIT_MS) &&
	       (n = read(r.out, block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < n; i++, got++)
			bad += block[i] != (uint8_t)(got * 2654435761u >> 13);
	is_int(got, TOTAL, "20 MB there and back through pipes");
	is_int(bad, 0, "unchanged");
	waitpid(feeder, NULL, 0);
	waitpid(echo, NULL, 0);
	lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(code(&r), 0, "exit 0");
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ 0 });
	lab_greet(&lab);
	machine_listen = lab_listen(&machine_port);
	door = lab_door(&lab, 91, "front", WIRE_DOOR_NATIVE, WIRE_USER_PASSWORD,
			"", "");
	test_session();
	test_ends();
	refuse("no_application", "listener front does not offer \"mail\"", 4);
	refuse("not_allowed", "user anna may not use mail", 6);
	refuse("not_authenticated", "wrong password", 6);
	refuse("timeout", "no machine became free", 7);
	test_usage();
	test_unreachable();
	test_bulk();
	lab_stop(&lab);
	return tap_done();
}
