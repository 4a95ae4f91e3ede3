/*
 * The native client: standard input and output on one machine.
 *
 * Owner: a process of its own, one poll loop.  Standard input is read only
 * after the machine accepted, so a refused caller loses nothing.  Its end is a
 * half-close; the program ends when the machine has ended its side and
 * everything was written.  The streams may be shared with other programs, so
 * they are never made non-blocking: a pipe that polls as writable takes
 * PIPE_BUF bytes without blocking, and no more are written at once.
 *
 * Passwords come from REMUDA_PASSWORD or a descriptor, never from argv, which
 * everybody on the host can read.
 */
#include "console/connect.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "console/cli_output.h"
#include "console/connect_wish.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/native.h"

enum {
	CHUNK = 64 * 1024,
	IN_SIZE = NATIVE_HEADER_SIZE + NATIVE_PAYLOAD_MAX,
	OUT_SIZE = NATIVE_HEADER_SIZE + CHUNK + 256,
	CLOSE_MS = 10 * 60 * 1000,	/* patience for CONFIRMED */
};

struct session {
	const struct connect_wish *wish;
	int fd;
	uint8_t in[IN_SIZE];	/* from the gateway; frames */
	size_t in_start, in_end;
	uint8_t out[OUT_SIZE];	/* to the gateway */
	size_t out_start, out_end;
	uint32_t data_left;	/* of the DATA frame at in_start */
	bool data_end;
	bool asked_more;	/* EXTEND was sent, its NOTICE is to come */
	bool accepted, input_ended, output_ended, leaving, heard;
	bool regular;		/* standard output never blocks */
	int64_t asked_us;
	json_t *tickets;	/* allocate --json */
	int code;		/* exit code once decided, else -1 */
};

static int64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool queue_frame(struct session *s, struct native_builder *b)
{
	size_t n = native_finish(b);

	if (!n || OUT_SIZE - s->out_end < n)
		return false;
	memcpy(s->out + s->out_end, b->bytes, n);
	s->out_end += n;
	return true;
}

static int ask(struct session *s, struct error *err)
{
	ssize_t n = connect_ask(s->wish, s->out, OUT_SIZE, err);

	if (n < 0)
		return -1;
	s->out_end = (size_t)n;
	s->asked_us = clock_us();
	return 0;
}

static const char *text_of(const uint8_t *p, size_t n, enum native_tag tag,
			   char *out, size_t size)
{
	if (native_get_text(p, n, tag, out, size) < 0)
		text_copy(out, size, "?");
	return out;
}

static void on_error(struct session *s, const uint8_t *p, size_t n)
{
	char code[64], text[512];

	text_of(p, n, NATIVE_TAG_CODE, code, sizeof(code));
	text_of(p, n, NATIVE_TAG_TEXT, text, sizeof(text));
	connect_say("%s (%s)", text, code);
	s->code = connect_exit_code(code, s->accepted);
}

/* One of the tickets; the last ends the conversation. */
static void on_ticket(struct session *s, const uint8_t *p, size_t n)
{
	char ticket[128], machine[128];
	uint64_t session = 0, left = 0;

	native_get_u64(p, n, NATIVE_TAG_SESSION, &session);
	native_get_u64(p, n, NATIVE_TAG_COUNT, &left);
	text_of(p, n, NATIVE_TAG_TICKET, ticket, sizeof(ticket));
	text_of(p, n, NATIVE_TAG_MACHINE, machine, sizeof(machine));
	if (s->wish->json)
		json_array_append_new(s->tickets, json_pack("{s:s, s:I, s:s}",
			"ticket", ticket, "session", (json_int_t)session,
			"machine", machine));
	else
		printf("%s session/%llu %s\n", ticket,
		       (unsigned long long)session, machine);
	if (left)
		return;
	if (s->wish->json)
		output_document(stdout, "ticket_list", "items",
				json_incref(s->tickets));
	s->code = fflush(stdout) == 0 ? EXIT_DONE : EXIT_CUT;
}

static void on_allocated(struct session *s, const uint8_t *p, size_t n)
{
	char machine[128], user[256];
	uint64_t session = 0;

	if (!s->wish->verbose)
		return;
	native_get_u64(p, n, NATIVE_TAG_SESSION, &session);
	connect_say("session/%llu on %s as %s after %.1f ms", (unsigned long long)session,
	    text_of(p, n, NATIVE_TAG_MACHINE, machine, sizeof(machine)),
	    text_of(p, n, NATIVE_TAG_USER, user, sizeof(user)),
	    (double)(clock_us() - s->asked_us) / 1000);
}

static void on_waiting(struct session *s, const uint8_t *p, size_t n)
{
	uint64_t place = 0, left = 0;
	char duration[16];

	if (!s->wish->verbose)
		return;
	native_get_u64(p, n, NATIVE_TAG_PLACE, &place);
	native_get_u64(p, n, NATIVE_TAG_WAIT_MS, &left);
	connect_say("waiting for a machine, place %llu, at most %s",
	    (unsigned long long)place,
	    text_duration(duration, sizeof(duration), (int64_t)left));
}

/* The end is near, or the answer to a wish for more time. */
static void on_notice(struct session *s, const uint8_t *p, size_t n)
{
	struct native_builder b;
	uint64_t left = 0;
	char text[256], duration[16];

	text_of(p, n, NATIVE_TAG_TEXT, text, sizeof(text));
	native_get_u64(p, n, NATIVE_TAG_WAIT_MS, &left);
	connect_say("%s (%s left)", text,
	    text_duration(duration, sizeof(duration), (int64_t)left));
	if (s->wish->extend_ms <= 0 || s->asked_more) {
		s->asked_more = false;
		return;
	}
	native_begin(&b, NATIVE_EXTEND, 0);
	native_put_u64(&b, NATIVE_TAG_WAIT_MS, (uint64_t)s->wish->extend_ms);
	s->asked_more = queue_frame(s, &b);
}

static void on_control(struct session *s, const struct native_header *h,
		       const uint8_t *p)
{
	switch ((enum native_type)h->type) {
	case NATIVE_HELLO:
		return;
	case NATIVE_WAITING:
		on_waiting(s, p, h->length);
		return;
	case NATIVE_ALLOCATED:
		if (s->wish->allocate)
			on_ticket(s, p, h->length);
		else
			on_allocated(s, p, h->length);
		return;
	case NATIVE_ACCEPT:
		s->accepted = true;
		return;
	case NATIVE_ERROR:
		on_error(s, p, h->length);
		return;
	case NATIVE_CONFIRMED:
		if (s->wish->verbose)
			connect_say("the machine is clean");
		s->code = EXIT_DONE;
		return;
	case NATIVE_NOTICE:
		on_notice(s, p, h->length);
		return;
	case NATIVE_EXTEND:
	case NATIVE_ALLOCATE:
	case NATIVE_CONNECT:
	case NATIVE_DATA:
	case NATIVE_DEALLOCATE:
		break;
	}
	connect_say("the gateway sent an unexpected %s", native_type_name(h->type));
	s->code = EXIT_CUT;
}

/* Steps over what is no user's byte at the front of `in`. */
static void take_frames(struct session *s)
{
	struct native_header h;

	while (!s->data_left && s->code < 0) {
		const uint8_t *at = s->in + s->in_start;
		size_t have = s->in_end - s->in_start;

		if (s->data_end) {
			s->data_end = false;
			s->output_ended = true;
		}
		if (have < NATIVE_HEADER_SIZE)
			return;
		if (native_get_header(at, &h) < 0) {
			connect_say("what answers there is not a gateway");
			s->code = EXIT_CUT;
			return;
		}
		if (h.type == NATIVE_DATA) {
			s->in_start += NATIVE_HEADER_SIZE;
			s->data_left = h.length;
			s->data_end = h.flags & NATIVE_END;
			if (h.length && !s->heard && s->wish->verbose)
				connect_say("first byte after %.1f ms",
				    (double)(clock_us() - s->asked_us) / 1000);
			s->heard |= h.length > 0;
			continue;
		}
		if (have < NATIVE_HEADER_SIZE + h.length)
			return;
		s->in_start += NATIVE_HEADER_SIZE + h.length;
		on_control(s, &h, at + NATIVE_HEADER_SIZE);
	}
}

static void read_gateway(struct session *s)
{
	if (s->in_start) {
		memmove(s->in, s->in + s->in_start, s->in_end - s->in_start);
		s->in_end -= s->in_start;
		s->in_start = 0;
	}
	ssize_t n = recv(s->fd, s->in + s->in_end, IN_SIZE - s->in_end,
			 MSG_DONTWAIT);
	if (n > 0) {
		s->in_end += (size_t)n;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (s->leaving && !s->wish->confirm) {
		s->code = EXIT_DONE;
		return;
	}
	connect_say("the gateway closed the connection%s%s", n < 0 ? ": " : "",
	    n < 0 ? strerror(errno) : "");
	s->code = s->accepted ? EXIT_CUT : EXIT_UNREACHABLE;
}

static void write_gateway(struct session *s)
{
	ssize_t n = send(s->fd, s->out + s->out_start, s->out_end - s->out_start,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		s->out_start += (size_t)n;
	/* A broken connection is told by reading, after its last words. */
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		s->out_start = s->out_end;
	if (s->out_start == s->out_end)
		s->out_start = s->out_end = 0;
}

static void read_input(struct session *s)
{
	uint8_t *frame = s->out + s->out_end;
	ssize_t n = read(STDIN_FILENO, frame + NATIVE_HEADER_SIZE, CHUNK);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		connect_say("standard input: %s", strerror(errno));
	if (n <= 0) {
		s->input_ended = true;
		n = 0;
	}
	native_put_header(frame, NATIVE_DATA, n ? 0 : NATIVE_END, (uint32_t)n);
	s->out_end += NATIVE_HEADER_SIZE + (size_t)n;
}

static void write_output(struct session *s)
{
	size_t n = s->in_end - s->in_start;

	if (n > s->data_left)
		n = s->data_left;
	if (n > PIPE_BUF && !s->regular)
		n = PIPE_BUF;
	ssize_t put = write(STDOUT_FILENO, s->in + s->in_start, n);
	if (put < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (put < 0) {
		connect_say("standard output: %s", strerror(errno));
		s->code = EXIT_CUT;
		return;
	}
	s->in_start += (size_t)put;
	s->data_left -= (uint32_t)put;
}

/* The machine has said all; nobody listens to more. */
static void leave(struct session *s)
{
	struct native_builder b;

	native_begin(&b, NATIVE_DEALLOCATE,
		     s->wish->confirm ? NATIVE_CONFIRM : 0);
	queue_frame(s, &b);
	s->leaving = true;
}

static int converse(struct session *s)
{
	while (s->code < 0) {
		bool sending = s->out_end > s->out_start;
		bool output = s->data_left && s->in_end > s->in_start;
		bool input = s->accepted && !s->input_ended && !s->leaving &&
			     !sending;
		struct pollfd p[3] = {
			{ .fd = s->fd, .events = (short)(
				(output ? 0 : POLLIN) | (sending ? POLLOUT : 0)) },
			{ .fd = input ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = output ? STDOUT_FILENO : -1, .events = POLLOUT },
		};
		int n = poll(p, 3, s->leaving ? CLOSE_MS : -1);

		if (n < 0 && errno != EINTR) {
			connect_say("poll: %s", strerror(errno));
			return EXIT_CUT;
		}
		if (n == 0) {
			connect_say("no word from the gateway");
			return EXIT_TIMED_OUT;
		}
		if (sending && p[0].revents)
			write_gateway(s);
		if (!output && p[0].revents & (POLLIN | POLLHUP | POLLERR))
			read_gateway(s);
		if (p[1].revents)
			read_input(s);
		if (p[2].revents)
			write_output(s);
		take_frames(s);
		if (s->output_ended && !s->leaving && s->code < 0 &&
		    s->out_end == s->out_start)
			leave(s);
	}
	return s->code;
}

int connect_main(int argc, char **argv)
{
	static struct session s;
	struct connect_wish w = { .wait_ms = -1, .password_fd = -1 };
	struct error err = { "" };
	struct stat st;

	w.allocate = strcmp(argv[0], "allocate") == 0;
	if (connect_parse(&w, argc, argv) < 0)
		return EXIT_WRONG_USAGE;
	if (w.help) {
		fputs(connect_usage(&w), stdout);
		return EXIT_DONE;
	}
	signal(SIGPIPE, SIG_IGN);
	s.wish = &w;
	s.tickets = json_array();
	s.code = -1;
	s.regular = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	s.fd = connect_dial(&w, &err);
	if (s.fd < 0) {
		connect_say("%s", err.text);
		return EXIT_UNREACHABLE;
	}
	int code = EXIT_WRONG_USAGE;
	if (ask(&s, &err) < 0)
		connect_say("%s", err.text);
	else
		code = converse(&s);
	explicit_bzero(s.out, sizeof(s.out));
	json_decref(s.tickets);
	close(s.fd);
	return code;
}
