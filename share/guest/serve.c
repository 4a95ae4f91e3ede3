/*
 * `remuda-guest serve`: the loop that owns the ports, and its control socket.
 *
 * One process, one epoll, edge-triggered.  After any event everything is
 * pumped until nothing moves; an idle machine makes no system call at all.
 *
 * The control socket (run directory, `control`, root only) answers "status"
 * with "idle" or "session N USER", and "reset" with "idle" once any session
 * has been ended and the port is empty: the clean command uses it, so that a
 * host's going that was not seen cannot outlast a cleaning.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share/guest/session.h"

enum { ASKERS_MAX = 4, RESET_MS = 5000, ENDING_TICK_MS = 10 };

struct serve {
	struct session session;
	int epoll_fd, signal_fd, control_fd;
	int askers[ASKERS_MAX];	/* waiting for the end of a reset; -1 = free */
	bool stopping;
};

struct options {
	const char *port;
	const char *side_names[GUEST_SIDES_MAX], *side_ports[GUEST_SIDES_MAX];
	size_t side_count;
	const char *log;	/* NULL: stay in the foreground */
	int uid;
	char **argv;
};

static int usage(const char *why)
{
	guest_warn("serve: %s", why);
	guest_warn("usage: remuda-guest serve --port PORT [--uid N] "
		   "[--resource NAME=PORT]... [--daemon LOG] -- APP [ARG]...");
	return EXIT_USAGE;
}

static bool name_is_plain(const char *name)
{
	return *name && strlen(name) < GUEST_NAME_MAX && *name != '.' &&
	       !strchr(name, '/');
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "uid", required_argument, NULL, 'u' },
		{ "resource", required_argument, NULL, 'r' },
		{ "daemon", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	char *equals, *end;
	int c;

	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) >= 0) {
		switch (c) {
		case 'p':
			o->port = optarg;
			break;
		case 'd':
			o->log = optarg;
			break;
		case 'u':
			o->uid = (int)strtol(optarg, &end, 10);
			if (*end || end == optarg || o->uid < 0)
				return usage("--uid wants a number");
			break;
		case 'r':
			equals = strchr(optarg, '=');
			if (!equals || o->side_count == GUEST_SIDES_MAX)
				return usage("--resource wants NAME=PORT, at "
					     "most 8 times");
			*equals = '\0';
			if (!name_is_plain(optarg))
				return usage("a resource's name is short and "
					     "has no '/' nor leading '.'");
			o->side_names[o->side_count] = optarg;
			o->side_ports[o->side_count++] = equals + 1;
			break;
		default:
			return usage("unknown option");
		}
	}
	if (!o->port)
		return usage("--port is missing");
	if (optind == argc)
		return usage("the application is missing");
	o->argv = argv + optind;
	return 0;
}

static int make_directories(void)
{
	char path[GUEST_PATH_MAX];

	if (mkdir(guest_run_dir(), 0755) < 0 && errno != EEXIST) {
		guest_warn("%s: %s", guest_run_dir(), strerror(errno));
		return -1;
	}
	if (guest_run_path(path, "resource") < 0)
		return -1;
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		guest_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

static int open_all(struct serve *s, const struct options *o)
{
	char path[GUEST_PATH_MAX];
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->epoll_fd < 0 || s->signal_fd < 0 ||
	    link_watch(s->epoll_fd, s->signal_fd) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		guest_warn("serve: %s", strerror(errno));
		return -1;
	}
	if (make_directories() < 0 || guest_run_path(path, "control") < 0)
		return -1;
	s->control_fd = guest_listen(path, SOCK_SEQPACKET, 0600);
	if (s->control_fd < 0)
		return -1;
	if (link_watch(s->epoll_fd, s->control_fd) < 0) {
		guest_warn("serve: %s", strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < o->side_count; i++) {
		struct side *side = side_new(o->side_names[i], o->side_ports[i],
					     s->epoll_fd);

		if (!side)
			return -1;
		s->session.sides[s->session.side_count++] = side;
	}
	return session_init(&s->session, o->port, s->epoll_fd);
}

static void answer(const struct session *session, int fd)
{
	char text[GUEST_TEXT_MAX];

	if (session->phase == SESSION_IDLE || session->phase == SESSION_DEAF)
		snprintf(text, sizeof(text), "idle");
	else
		snprintf(text, sizeof(text), "session %llu %s",
			 (unsigned long long)session->id, session->user);
	/* An asker that has gone needs no answer. */
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void on_asker(struct serve *s, int fd, int64_t now_ms)
{
	struct timeval patience = { .tv_usec = 100000 };
	char command[16];
	ssize_t n;

	/* Only root connects here, and it sends before it waits. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, command, sizeof(command) - 1, 0);
	command[n > 0 ? n : 0] = '\0';
	if (!strcmp(command, "reset")) {
		session_reset(&s->session, now_ms);
		for (size_t i = 0; i < ASKERS_MAX; i++) {
			if (s->askers[i] < 0) {
				s->askers[i] = fd;
				return;
			}
		}
		close(fd);
	} else if (!strcmp(command, "status")) {
		answer(&s->session, fd);
	} else {
		close(fd);
	}
}

static void pump_control(struct serve *s, int64_t now_ms)
{
	int fd;

	while ((fd = accept4(s->control_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		on_asker(s, fd, now_ms);
	if (s->session.phase == SESSION_RUNNING ||
	    s->session.phase == SESSION_ENDING)
		return;
	for (size_t i = 0; i < ASKERS_MAX; i++) {
		if (s->askers[i] >= 0)
			answer(&s->session, s->askers[i]);
		s->askers[i] = -1;
	}
}

static void pump_signals(struct serve *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			s->stopping = true;
	}
	if (s->session.phase == SESSION_RUNNING)
		app_reap(&s->session.app);
}

static void pump_all(struct serve *s)
{
	int64_t now_ms = guest_now_ms();
	bool moved;

	pump_signals(s);
	if (s->stopping)
		session_reset(&s->session, now_ms);
	do {
		moved = session_pump(&s->session, now_ms);
		for (size_t i = 0; i < s->session.side_count; i++)
			moved |= side_pump(s->session.sides[i], s->epoll_fd,
					   now_ms);
	} while (moved);
	pump_control(s, now_ms);
}

/* How long to sleep: until an event, unless something is due. */
static int patience_ms(const struct serve *s)
{
	int64_t now_ms = guest_now_ms(), wait = -1;

	if (s->session.phase == SESSION_ENDING)
		wait = ENDING_TICK_MS;
	for (size_t i = 0; i < s->session.side_count; i++) {
		int64_t at = side_deadline(s->session.sides[i]);

		if (at < 0)
			continue;
		at = at > now_ms ? at - now_ms : 0;
		if (wait < 0 || at < wait)
			wait = at;
	}
	return (int)wait;
}

static int run(struct serve *s)
{
	struct epoll_event events[16];

	for (;;) {
		pump_all(s);
		if (s->stopping && s->session.phase != SESSION_RUNNING &&
		    s->session.phase != SESSION_ENDING)
			return 0;
		if (epoll_wait(s->epoll_fd, events, 16, patience_ms(s)) < 0 &&
		    errno != EINTR) {
			guest_warn("epoll: %s", strerror(errno));
			return 1;
		}
	}
}

/*
 * In the background, the parent's exit says that the ports are open; what went
 * wrong before that is on its stderr.  Returns the pipe to report on.
 */
static int go_background(void)
{
	int report[2];
	char ok;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		guest_warn("serve: %s", strerror(errno));
		return -1;
	}
	if (pid) {
		close(report[1]);
		exit(read(report[0], &ok, 1) == 1 ? 0 : 1);
	}
	close(report[0]);
	setsid();
	return report[1];
}

static int background_ready(int report, const char *log)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (null_fd < 0 || log_fd < 0) {
		guest_warn("%s: %s", log, strerror(errno));
		return -1;
	}
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	close(null_fd);
	close(log_fd);
	return write(report, "", 1) == 1 ? close(report) : -1;
}

int serve_main(int argc, char **argv)
{
	static struct serve s = { .askers = { -1, -1, -1, -1 } };
	struct options o = { .uid = -1 };
	int report = -1, code = parse(&o, argc, argv);

	if (code)
		return code;
	if (o.log && (report = go_background()) < 0)
		return 1;
	s.session.argv = o.argv;
	s.session.uid = o.uid;
	if (open_all(&s, &o) < 0)
		return 1;
	if (o.log && background_ready(report, o.log) < 0)
		return 1;
	code = run(&s);
	session_fini(&s.session);
	for (size_t i = 0; i < s.session.side_count; i++)
		side_free(s.session.sides[i]);
	return code;
}

int serve_ask(const char *command, char *out, size_t size)
{
	struct timeval patience = { .tv_sec = RESET_MS / 1000 };
	char path[GUEST_PATH_MAX];
	ssize_t n;
	int fd;

	if (guest_run_path(path, "control") < 0)
		return -1;
	fd = guest_connect(path, SOCK_SEQPACKET);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, command, strlen(command), MSG_NOSIGNAL) < 0 ||
	    (n = recv(fd, out, size - 1, 0)) <= 0) {
		guest_warn("the helper on this machine did not answer \"%s\"",
			   command);
		close(fd);
		return -1;
	}
	close(fd);
	out[n] = '\0';
	return 0;
}

int status_main(int argc, char **argv)
{
	char text[GUEST_TEXT_MAX];

	(void)argc;
	(void)argv;
	if (serve_ask("status", text, sizeof(text)) < 0)
		return 1;
	puts(text);
	return 0;
}
