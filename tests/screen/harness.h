/*
 * A terminal and an engine for pty tests, in one process and one thread: the
 * console runs on a pseudo terminal whose bytes go into libvterm, and talks
 * to a fake engine that the same loop plays.
 *
 * Between the two stands a small shell-like process (session leader, waits
 * for the console, tells when it stops or ends), so that Ctrl-Z works as it
 * does for a person.  Everything waits for conditions with a deadline.
 */
#ifndef REMUDA_TESTS_SCREEN_HARNESS_H
#define REMUDA_TESTS_SCREEN_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

#include "tests/tap.h"

enum { ENGINE_CLIENTS_MAX = 8, HARNESS_LIMIT_MS = 10000 };

/* ---- the engine ------------------------------------------------------ */

struct fake_client {
	int fd;			/* -1 = free */
	char in[65536];
	size_t used;
	bool subscribed;
};

struct fake_engine {
	/* Answers a line of a client itself; false = as always. */
	bool (*answer)(struct fake_engine *e, struct fake_client *c,
		       const char *line);
	char path[108];
	int listener;		/* -1 = no engine */
	struct fake_client clients[ENGINE_CLIENTS_MAX];
	char *state;		/* lines sent to a subscriber, owned */
	const char *hello;
	int connects, requests, ticks;
	bool mute;		/* answers nothing but subscriptions */
	int64_t tick_ms, next_tick_ms;	/* 0 = no ticks */
	char last_request[512];
};

/* ---- the terminal and what runs on it --------------------------------- */

struct harness {
	struct fake_engine engine;
	int master, slave;
	int report;		/* from the leader: 'P'id 'S'topped 'E'nded */
	int command;		/* to it: 'C'ontinue */
	pid_t leader, console;
	bool stopped, ended;
	int status;		/* of the console once it ended */
	VTerm *vt;
	VTermScreen *screen;
	int rows, cols;
	bool alternate, cursor_visible, titled;
	const char *background;	/* answer to OSC 11, NULL = none */
	const char *width;	/* answers to cursor reports, NULL = its own */
	uint64_t bytes;		/* written by the console */
	char *log;		/* all of them */
	size_t log_used, log_size;
	bool stalled;		/* nobody reads the terminal */
	struct termios before;
};

static inline int64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void engine_start(struct fake_engine *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	unlink(e->path);
	e->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", e->path);
	if (e->listener < 0 || bind(e->listener, (struct sockaddr *)&address,
				    sizeof(address)) ||
	    listen(e->listener, 8))
		tap_bail("fake engine at %s: %s", e->path, strerror(errno));
}

static inline void engine_stop(struct fake_engine *e)
{
	if (e->listener >= 0)
		close(e->listener);
	e->listener = -1;
	unlink(e->path);
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++) {
		if (e->clients[i].fd >= 0)
			close(e->clients[i].fd);
		e->clients[i] = (struct fake_client){ .fd = -1 };
	}
}

/* The engine dies and another is there at once. */
static inline void engine_replace(struct fake_engine *e)
{
	struct fake_client old[ENGINE_CLIENTS_MAX];

	memcpy(old, e->clients, sizeof(old));
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++)
		e->clients[i] = (struct fake_client){ .fd = -1 };
	if (e->listener >= 0)
		close(e->listener);
	engine_start(e);
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++)
		if (old[i].fd >= 0)
			close(old[i].fd);
}

/* Sends everything or gives the client up. */
static inline void engine_send(struct fake_client *c, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = send(c->fd, text, left, MSG_NOSIGNAL);

		if (n <= 0) {
			close(c->fd);
			c->fd = -1;
			return;
		}
		text += n;
		left -= (size_t)n;
	}
}

/* To everybody who subscribed. */
static inline void engine_tell(struct fake_engine *e, const char *line)
{
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++)
		if (e->clients[i].fd >= 0 && e->clients[i].subscribed)
			engine_send(&e->clients[i], line);
}

static inline void engine_line(struct fake_engine *e, struct fake_client *c,
			       const char *line)
{
	const char *id = strstr(line, "\"id\":");
	char answer[256];

	if (e->answer && e->answer(e, c, line))
		return;
	snprintf(answer, sizeof(answer),
		 "{\"id\":%d,\"ok\":true,\"text\":\"done\"}\n",
		 id ? atoi(id + 5) : 0);
	if (!e->mute || strstr(line, "\"subscribe\""))
		engine_send(c, answer);
	if (strstr(line, "\"subscribe\"")) {
		c->subscribed = true;
		engine_send(c, e->state);
	} else if (!strstr(line, ".list\"")) {	/* what changes something */
		e->requests++;
		snprintf(e->last_request, sizeof(e->last_request), "%s", line);
	}
}

static inline void engine_read(struct fake_engine *e, struct fake_client *c)
{
	ssize_t n = read(c->fd, c->in + c->used, sizeof(c->in) - c->used - 1);
	char *end;

	if (n <= 0) {
		close(c->fd);
		*c = (struct fake_client){ .fd = -1 };
		return;
	}
	c->used += (size_t)n;
	c->in[c->used] = '\0';
	while (c->fd >= 0 && (end = strchr(c->in, '\n')) != NULL) {
		*end = '\0';
		engine_line(e, c, c->in);
		c->used -= (size_t)(end + 1 - c->in);
		memmove(c->in, end + 1, c->used + 1);
	}
}

static inline void engine_accept(struct fake_engine *e)
{
	int fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; fd >= 0 && i < ENGINE_CLIENTS_MAX; i++)
		if (e->clients[i].fd < 0) {
			e->clients[i] = (struct fake_client){ .fd = fd };
			e->connects++;
			engine_send(&e->clients[i], e->hello);
			return;
		}
	if (fd >= 0)
		close(fd);
}

/* ---- the terminal ---------------------------------------------------- */

static inline int on_property(VTermProp property, VTermValue *value,
			      void *data)
{
	struct harness *h = data;

	if (property == VTERM_PROP_ALTSCREEN)
		h->alternate = value->boolean;
	if (property == VTERM_PROP_CURSORVISIBLE)
		h->cursor_visible = value->boolean;
	if (property == VTERM_PROP_TITLE)
		h->titled = true;
	return 1;
}

static inline void open_screen(struct harness *h, int rows, int cols)
{
	static const VTermScreenCallbacks callbacks = {
		.settermprop = on_property,
	};

	h->vt = vterm_new(rows, cols);
	vterm_set_utf8(h->vt, 1);
	h->screen = vterm_obtain_screen(h->vt);
	vterm_screen_enable_altscreen(h->screen, 1);
	vterm_screen_set_callbacks(h->screen, &callbacks, h);
	vterm_screen_reset(h->screen, 1);
	h->cursor_visible = true;
	h->rows = rows;
	h->cols = cols;
}

/* The session leader: runs the console in a group of its own, in front. */
static inline void lead(struct harness *h, char **argv, int report,
			int command)
{
	char note[32];
	pid_t pid;
	int status;

	setsid();
	ioctl(h->slave, TIOCSCTTY, 0);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		tcsetpgrp(h->slave, getpid());
		signal(SIGTTOU, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		dup2(h->slave, 0);
		dup2(h->slave, 1);
		dup2(h->slave, 2);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		execv(argv[0], argv);
		_exit(127);
	}
	snprintf(note, sizeof(note), "P%d\n", (int)pid);
	if (write(report, note, strlen(note)) < 0)
		_exit(1);
	while (waitpid(pid, &status, WUNTRACED) == pid) {
		char c;

		snprintf(note, sizeof(note), "%c%d\n",
			 WIFSTOPPED(status) ? 'S' : 'E', status);
		tcsetpgrp(h->slave, getpgrp());
		if (write(report, note, strlen(note)) < 0)
			_exit(1);
		if (!WIFSTOPPED(status) || read(command, &c, 1) != 1)
			break;
		tcsetpgrp(h->slave, pid);
		kill(-pid, SIGCONT);
	}
	_exit(0);
}

static inline void on_report(struct harness *h)
{
	char buf[64] = "", *line;
	ssize_t n = read(h->report, buf, sizeof(buf) - 1);

	if (n <= 0) {
		close(h->report);
		h->report = -1;
		return;
	}
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n")) {
		if (*line == 'P')
			h->console = atoi(line + 1);
		if (*line == 'S')
			h->stopped = true;
		if (*line == 'E') {
			h->ended = true;
			h->status = atoi(line + 1);
		}
	}
}

static inline void on_output(struct harness *h)
{
	char buf[8192];
	ssize_t n = read(h->master, buf, sizeof(buf));
	size_t answer;

	if (n <= 0)
		return;
	h->bytes += (uint64_t)n;
	if (h->log_used + (size_t)n > h->log_size) {
		h->log_size = (h->log_used + (size_t)n) * 2;
		h->log = realloc(h->log, h->log_size);
		if (!h->log)
			tap_bail("out of memory");
	}
	memcpy(h->log + h->log_used, buf, (size_t)n);
	h->log_used += (size_t)n;
	vterm_input_write(h->vt, buf, (size_t)n);
	if (h->background && memmem(buf, (size_t)n, "\033]11;?", 6) &&
	    write(h->master, h->background, strlen(h->background)) < 0)
		tap_note("terminal answer was not taken");
	if (h->width && memmem(buf, (size_t)n, "\033[6n", 4)) {
		vterm_output_read(h->vt, buf, sizeof(buf));
		if (write(h->master, h->width, strlen(h->width)) < 0)
			tap_note("terminal answer was not taken");
	}
	answer = vterm_output_read(h->vt, buf, sizeof(buf));
	if (answer && write(h->master, buf, answer) < 0)
		tap_note("terminal answer was not taken");
}

/* One round of everything, at most wait_ms. */
static inline void pump(struct harness *h, int wait_ms)
{
	struct fake_engine *e = &h->engine;
	struct pollfd fds[3 + ENGINE_CLIENTS_MAX] = {
		{ .fd = h->stalled ? -1 : h->master, .events = POLLIN },
		{ .fd = h->report, .events = POLLIN },
		{ .fd = e->listener, .events = POLLIN },
	};

	if (e->tick_ms && real_ms() >= e->next_tick_ms) {
		engine_tell(e, "{\"topic\":\"tick\",\"time_ms\":1}\n");
		e->ticks++;
		e->next_tick_ms = real_ms() + e->tick_ms;
	}
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++)
		fds[3 + i] = (struct pollfd){ .fd = e->clients[i].fd,
					      .events = POLLIN };
	if (poll(fds, 3 + ENGINE_CLIENTS_MAX, wait_ms) <= 0)
		return;
	if (fds[0].revents & POLLIN)
		on_output(h);
	if (fds[1].revents)
		on_report(h);
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++)
		if (fds[3 + i].revents && e->clients[i].fd >= 0)
			engine_read(e, &e->clients[i]);
	if (fds[2].revents & POLLIN)
		engine_accept(e);
}

static inline void start(struct harness *h, int rows, int cols, char **argv)
{
	struct winsize size = { .ws_row = (unsigned short)rows,
				.ws_col = (unsigned short)cols };
	int report[2], command[2];

	if (openpty(&h->master, &h->slave, NULL, NULL, &size) ||
	    pipe(report) || pipe(command))
		tap_bail("openpty: %s", strerror(errno));
	tcgetattr(h->slave, &h->before);
	open_screen(h, rows, cols);
	fflush(stdout);
	h->leader = fork();
	if (h->leader == 0) {
		close(h->master);
		lead(h, argv, report[1], command[0]);
	}
	close(report[1]);
	close(command[0]);
	h->report = report[0];
	h->command = command[1];
	while (!h->console && !h->ended)
		pump(h, 100);
}

/* Ends what still runs and frees; the engine stays. */
static inline void finish(struct harness *h)
{
	if (!h->ended && h->console)
		kill(h->console, SIGKILL);
	if (h->command >= 0)
		close(h->command);
	waitpid(h->leader, NULL, 0);
	close(h->master);
	close(h->slave);
	if (h->report >= 0)
		close(h->report);
	vterm_free(h->vt);
	free(h->log);
	struct fake_engine engine = h->engine;

	*h = (struct harness){ .engine = engine };
}

static inline void type(struct harness *h, const char *keys)
{
	size_t left = strlen(keys);

	while (left > 0) {
		ssize_t n = write(h->master, keys, left);

		if (n < 0)
			tap_bail("typing: %s", strerror(errno));
		keys += n;
		left -= (size_t)n;
		pump(h, 0);
	}
}

/* The text of a screen line, without trailing blanks. */
static inline const char *screen_line(struct harness *h, int row)
{
	static char out[4096];
	size_t used = 0, end = 0;

	for (int col = 0; col < h->cols && used + 32 < sizeof(out);) {
		VTermScreenCell cell;

		vterm_screen_get_cell(h->screen, (VTermPos){ row, col }, &cell);
		if (cell.chars[0] == 0) {
			out[used++] = ' ';
			col++;
			continue;
		}
		for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i];
		     i++) {
			uint32_t c = cell.chars[i];

			if (c < 0x80) {
				out[used++] = (char)c;
			} else if (c < 0x800) {
				out[used++] = (char)(0xc0 | c >> 6);
				out[used++] = (char)(0x80 | (c & 0x3f));
			} else {
				out[used++] = (char)(0xe0 | c >> 12);
				out[used++] = (char)(0x80 | (c >> 6 & 0x3f));
				out[used++] = (char)(0x80 | (c & 0x3f));
			}
		}
		if (cell.chars[0] != ' ')
			end = used;
		col += cell.width > 1 ? cell.width : 1;
	}
	out[end] = '\0';
	return out;
}

static inline bool shows(struct harness *h, const char *text)
{
	for (int row = 0; row < h->rows; row++)
		if (strstr(screen_line(h, row), text))
			return true;
	return false;
}

static inline void dump(struct harness *h)
{
	for (int row = 0; row < h->rows; row++)
		tap_note("|%s", screen_line(h, row));
}

/* Waits until the screen shows text; one test line. */
static inline bool sees(struct harness *h, const char *text, const char *what)
{
	int64_t limit = real_ms() + HARNESS_LIMIT_MS;

	while (!shows(h, text) && real_ms() < limit && !h->ended)
		pump(h, 20);
	if (!ok(shows(h, text), "%s", what)) {
		dump(h);
		return false;
	}
	return true;
}

static inline bool sees_not(struct harness *h, const char *text,
			    const char *what)
{
	int64_t limit = real_ms() + HARNESS_LIMIT_MS;

	while (shows(h, text) && real_ms() < limit && !h->ended)
		pump(h, 20);
	return ok(!shows(h, text), "%s", what);
}

/* Waits until cond holds; gives whether it does. */
#define UNTIL(h, cond)                                                         \
	({                                                                     \
		int64_t until_limit = real_ms() + HARNESS_LIMIT_MS;            \
		while (!(cond) && real_ms() < until_limit)                     \
			pump(h, 20);                                           \
		(cond);                                                        \
	})

/* Ticks the engine sends while the console writes nothing more: the sign that
 * it is done with what it was asked. */
static inline void settle(struct harness *h)
{
	int64_t limit = real_ms() + HARNESS_LIMIT_MS;
	uint64_t bytes;
	int ticks;

	do {
		bytes = h->bytes;
		ticks = h->engine.ticks;
		while (h->engine.ticks < ticks + 4 && real_ms() < limit)
			pump(h, 10);
	} while (bytes != h->bytes && real_ms() < limit);
}

static inline void resize(struct harness *h, int rows, int cols)
{
	struct winsize size = { .ws_row = (unsigned short)rows,
				.ws_col = (unsigned short)cols };

	vterm_set_size(h->vt, rows, cols);
	h->rows = rows;
	h->cols = cols;
	ioctl(h->master, TIOCSWINSZ, &size);	/* sends SIGWINCH */
}

/* The terminal is as it was before the console started. */
static inline bool terminal_is_back(struct harness *h)
{
	struct termios now;

	while (real_ms() && poll(&(struct pollfd){ .fd = h->master,
				 .events = POLLIN }, 1, 0) > 0)
		on_output(h);
	tcgetattr(h->slave, &now);
	if (now.c_lflag != h->before.c_lflag ||
	    now.c_iflag != h->before.c_iflag ||
	    now.c_oflag != h->before.c_oflag)
		tap_note("modes: l %x/%x i %x/%x o %x/%x", now.c_lflag,
			 h->before.c_lflag, now.c_iflag, h->before.c_iflag,
			 now.c_oflag, h->before.c_oflag);
	if (h->alternate)
		tap_note("still on the alternate screen");
	if (!h->cursor_visible)
		tap_note("the cursor is hidden");
	return now.c_lflag == h->before.c_lflag &&
	       now.c_iflag == h->before.c_iflag &&
	       now.c_oflag == h->before.c_oflag && !h->alternate &&
	       h->cursor_visible;
}

/* The last of two byte strings in the log: which came later? */
static inline bool last_is(struct harness *h, const char *wanted,
			   const char *other)
{
	void *a = NULL, *b = NULL, *at = h->log;
	size_t left = h->log_used;

	while ((at = memmem(at, left, wanted, strlen(wanted))) != NULL) {
		a = at;
		at = (char *)at + 1;
		left = h->log_used - (size_t)((char *)at - h->log);
	}
	at = h->log;
	left = h->log_used;
	while ((at = memmem(at, left, other, strlen(other))) != NULL) {
		b = at;
		at = (char *)at + 1;
		left = h->log_used - (size_t)((char *)at - h->log);
	}
	return a && (!b || a > b);
}

/* What stands before the first console of a test: a known terminal and locale,
 * and where the engine will listen. */
static inline void harness_begin(struct harness *h, const char *dir)
{
	if (!setlocale(LC_ALL, "C.UTF-8"))
		tap_bail("locale: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	setenv("TERM", "xterm-256color", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("NO_COLOR");
	unsetenv("LINES");
	unsetenv("COLUMNS");
	snprintf(h->engine.path, sizeof(h->engine.path), "%s/engine.sock", dir);
	for (int i = 0; i < ENGINE_CLIENTS_MAX; i++)
		h->engine.clients[i].fd = -1;
}

#endif
