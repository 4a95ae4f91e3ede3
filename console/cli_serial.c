/*
 * `machine console`: the terminal and a machine's serial line, byte for byte.
 * The machine's output is shown as it is, that is the point; so the terminal
 * is put in order on every way out: leaving, end of the line, errors, and any
 * signal that ends or stops this process.
 *
 * The handlers call only async-signal-safe functions on a state that is set
 * before they are installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/wire/control.h"

enum {
	KEY_LEAVE = 0x1d,	/* Ctrl-] */
	UNSENT_STOP = 64 * 1024,	/* then the keyboard waits */
	CHUNK = 4096,
};

/* End of synchronised drawing, all mouse modes, bracketed paste, application
 * keys and keypad, main screen, character set, attributes, wrap, cursor shown;
 * scroll region and origin last: both move the cursor, so it goes to the last
 * line. */
static const char reset_bytes[] =
	"\033[?2026l\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l"
	"\033[?1l\033>\033[?1047l\033(B\017\033[0m\033[?7h\033[?25h"
	"\033[r\033[?6l\033[999;1H\r\n";

static const int fatal_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV,
				     SIGBUS, SIGFPE, SIGILL, SIGABRT };
enum { FATAL_COUNT = sizeof(fatal_signals) / sizeof(fatal_signals[0]) };

static struct {
	struct termios saved, raw;
	volatile sig_atomic_t active;
} terminal;

static void write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && (errno == EINTR))
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, 1000);
			continue;
		}
		if (n < 0)
			return;	/* the terminal is gone */
		bytes += n;
		length -= (size_t)n;
	}
}

static void terminal_restore(void)
{
	if (!terminal.active)
		return;
	terminal.active = 0;
	/* One try: a terminal that takes nothing must not keep us here. */
	if (write(STDOUT_FILENO, reset_bytes, sizeof(reset_bytes) - 1) < 0)
		errno = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
}

static void on_fatal(int number)
{
	terminal_restore();
	signal(number, SIG_DFL);
	raise(number);
}

/* Stop like any program, with the terminal in order, and come back raw. */
static void on_stop(int number)
{
	int before = errno;
	bool was_active = terminal.active;
	sigset_t set;

	terminal_restore();
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	signal(number, on_stop);
	if (was_active && tcsetattr(STDIN_FILENO, TCSANOW, &terminal.raw) == 0)
		terminal.active = 1;
	errno = before;
}

static int terminal_raw(struct error *err)
{
	struct sigaction action = { .sa_handler = on_fatal };

	if (tcgetattr(STDIN_FILENO, &terminal.saved))
		return error_errno(err, "terminal");
	terminal.raw = terminal.saved;
	cfmakeraw(&terminal.raw);
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < FATAL_COUNT; i++)
		sigaction(fatal_signals[i], &action, NULL);
	signal(SIGTSTP, on_stop);
	signal(SIGPIPE, SIG_IGN);
	atexit(terminal_restore);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.raw))
		return error_errno(err, "terminal");
	terminal.active = 1;
	return 0;
}

/* ---- what passes ------------------------------------------------------------ */

struct serial {
	struct cli *cli;
	const char *name;
	bool line_start;	/* ~. counts only there */
	bool tilde;
	bool left;
	char ended[256];	/* why, when the other side ended it */
};

/* Bytes as text of one code point per byte. */
static json_t *bytes_text(const char *bytes, size_t length)
{
	char text[2 * CHUNK];
	size_t used = control_bytes_to_text(text, bytes, length);

	return json_stringn(text, used);
}

/* The reverse; false for a code point that is no byte. */
static bool show_text(const json_t *data)
{
	size_t length = json_string_length(data);
	char *bytes = malloc(length + 1);

	if (!bytes)
		abort();
	ssize_t n = control_text_to_bytes(bytes, json_string_value(data), length);
	if (n > 0)
		write_all(STDOUT_FILENO, bytes, (size_t)n);
	free(bytes);
	if (n < 0)
		return false;
	return true;
}

/* Takes the leave keys out; returns how many bytes go to the machine. */
static size_t filter_keys(struct serial *s, const char *in, size_t length,
			  char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < length && !s->left; i++) {
		char c = in[i];

		if (c == KEY_LEAVE) {
			s->left = true;
			break;
		}
		if (s->tilde) {
			s->tilde = false;
			if (c == '.') {
				s->left = true;
				break;
			}
			if (c != '~')
				out[used++] = '~';
		} else if (s->line_start && c == '~') {
			s->tilde = true;
			continue;
		}
		out[used++] = c;
		s->line_start = c == '\r' || c == '\n';
	}
	return used;
}

static int send_bytes(struct serial *s, const char *bytes, size_t length,
		      struct error *err)
{
	json_t *message;

	if (length == 0)
		return 0;
	message = json_pack("{s:s, s:o}", "console", s->name, "data",
			    bytes_text(bytes, length));
	return client_send(&s->cli->client, message, err) < 0 ? -1 : 0;
}

static int from_keyboard(struct serial *s, struct error *err)
{
	char in[CHUNK / 2], out[CHUNK];
	ssize_t n = read(STDIN_FILENO, in, sizeof(in));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		s->left = true;	/* the terminal is gone */
		return 0;
	}
	return send_bytes(s, out, filter_keys(s, in, (size_t)n, out), err);
}

static int from_engine(struct serial *s, struct error *err)
{
	json_t *line;
	int got;

	while ((got = client_receive(&s->cli->client, &line, err)) > 0) {
		json_t *data = json_object_get(line, "data");
		const char *name =
			json_string_value(json_object_get(line, "console"));
		const char *why =
			json_string_value(json_object_get(line, "text"));
		bool ours = name && strcmp(name, s->name) == 0;

		if (ours && json_is_true(json_object_get(line, "closed")))
			snprintf(s->ended, sizeof(s->ended), "%s",
				 why ? why : "no reason was given");
		else if (ours && json_is_string(data) && !show_text(data))
			error_set(err, "what came is not bytes");
		json_decref(line);
		if (*s->ended)
			return 0;
		if (*err->text)
			return -1;
	}
	return got;
}

static int pass_through(struct serial *s, struct error *err)
{
	struct client *client = &s->cli->client;

	/* What came right behind the answer is in the buffer already. */
	while (from_engine(s, err) == 0 && !s->left && !*s->ended) {
		struct pollfd p[2] = {
			{ .fd = client->fd, .events = POLLIN },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};

		if (client_unsent(client))
			p[0].events |= POLLOUT;
		if (client_unsent(client) > UNSENT_STOP)
			p[1].fd = -1;
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_errno(err, "poll");
		}
		if ((p[0].revents & POLLOUT) && client_flush(client, err))
			return -1;
		if (p[1].revents && from_keyboard(s, err))
			return -1;
	}
	return *err->text ? -1 : 0;
}

/* Tells the engine, so that another may have the line. */
static void say_close(struct serial *s)
{
	json_t *close_line = json_pack("{s:s, s:b}", "console", s->name,
				       "close", 1);
	struct error err;

	if (client_send(&s->cli->client, close_line, &err) < 0)
		return;	/* gone: then the line is free too */
}

int cli_run_machine_console(struct cli *cli)
{
	struct serial s = { .cli = cli, .line_start = true };
	struct error err = { "" };
	json_t *request, *answer;
	int code, result;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"machine console needs a terminal");
	request = cli_request(&cli->call, 0, &err);
	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	s.name = strchr(cli->call.words[0], '/');
	s.name = s.name ? s.name + 1 : cli->call.words[0];
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	json_decref(answer);
	cli_note(cli, "console of %s; leave with Ctrl-] or, after Enter, ~.",
		 s.name);
	if (terminal_raw(&err))
		return cli_fail(cli, CLI_FAILED, NULL, NULL, "%s", err.text);
	result = pass_through(&s, &err);
	terminal_restore();
	if (s.left)
		say_close(&s);
	if (result)
		return cli_fail_client(cli, &err);
	if (*s.ended)
		return cli_fail(cli, CLI_FAILED, NULL, NULL,
				"console of %s ended: %s", s.name, s.ended);
	cli_note(cli, "left the console of %s", s.name);
	return CLI_DONE;
}
