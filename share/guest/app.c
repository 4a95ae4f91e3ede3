/*
 * The application's processes: one group per session, and every descendant.
 *
 * `serve` is a child subreaper, so whatever the application starts, in its own
 * process group or not, as root or not, daemon or not, ends up as a child of
 * this process and can be found, killed and reaped.  app_gone() is true only
 * when no child is left and, if the session has a user id of its own, nothing
 * runs under that id.
 *
 * Not guaranteed: a root application can kill this helper.  The host then sees
 * the port close, and the clean command finds a dead helper.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "share/guest/guest.h"

enum { TERM_GRACE_MS = 150 };

static void set_number(const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	setenv(name, text, 1);
}

/* In the child: never returns.  Writes errno to report when exec fails. */
static void become_app(const struct app_start *how, int fd, int report)
{
	sigset_t none;
	int code;

	setsid();
	/* With its helper gone nobody could end it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	setenv("REMUDA_USER", how->user, 1);
	setenv("REMUDA_APPLICATION", how->application, 1);
	set_number("REMUDA_SESSION", how->session);
	set_number("REMUDA_INCARNATION", how->incarnation);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (how->uid >= 0 && (setgroups(0, NULL) < 0 ||
			      setgid((gid_t)how->uid) < 0 ||
			      setuid((uid_t)how->uid) < 0))
		goto fail;
	/* Changing the user id cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(how->argv[0], how->argv);
fail:
	code = errno;
	if (write(report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

int app_start(struct app *a, const struct app_start *how, char *why,
	      size_t why_size)
{
	int pair[2] = { -1, -1 }, report[2] = { -1, -1 };
	int code = 0, pid = -1;

	*a = (struct app){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    pipe2(report, O_CLOEXEC) < 0)
		goto fail;
	pid = fork();
	if (pid < 0)
		goto fail;
	if (!pid)
		become_app(how, pair[1], report[1]);
	close(pair[1]);
	close(report[1]);
	/* End-of-file here means that exec succeeded. */
	if (read(report[0], &code, sizeof(code)) != sizeof(code))
		code = 0;
	close(report[0]);
	a->pid = pid;
	if (!code) {
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
		a->fd = pair[0];
		a->leader_alive = true;
		return 0;
	}
	close(pair[0]);
	snprintf(why, why_size, "cannot start %s: %s", how->argv[0],
		 strerror(code));
	return -1;
fail:
	snprintf(why, why_size, "cannot start %s: %s", how->argv[0],
		 strerror(errno));
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		if (report[i] >= 0)
			close(report[i]);
	}
	return -1;
}

void app_stop(struct app *a, int64_t now_ms)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	/* A dead leader's number may by now be somebody else's. */
	if (a->leader_alive)
		kill(-a->pid, SIGTERM);
	a->kill_at_ms = now_ms + TERM_GRACE_MS;
}

/* Sends KILL to every child; orphans become children and are met next time. */
static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int self = getpid();

	if (!proc) {
		guest_warn("/proc: %s", strerror(errno));
		return;
	}
	while ((entry = readdir(proc))) {
		char path[64], stat[512], *after;
		int pid = (int)strtol(entry->d_name, NULL, 10), parent;

		if (pid <= 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (guest_read_file(path, stat, sizeof(stat)) < 0)
			continue;
		/* The name in parentheses may hold anything, even ')'. */
		after = strrchr(stat, ')');
		if (after && sscanf(after, ") %*c %d", &parent) == 1 &&
		    parent == self)
			kill(pid, SIGKILL);
	}
	closedir(proc);
}

/*
 * Kills all processes of uid at one stroke, which outruns one that forks.  The
 * signal is sent from a process of that user, as only kill(-1) is atomic.
 */
static void kill_user(int uid)
{
	int pid = fork();

	if (!pid) {
		if (setgid((gid_t)uid) < 0 || setuid((uid_t)uid) < 0)
			_exit(1);
		kill(-1, SIGKILL);
		_exit(0);
	}
	if (pid < 0) {
		guest_warn("fork: %s", strerror(errno));
		return;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

bool app_reap(struct app *a)
{
	int pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		if (pid == a->pid)
			a->leader_alive = false;
	}
	return pid < 0 && errno == ECHILD;
}

bool app_gone(struct app *a, int uid, int64_t now_ms)
{
	if (app_reap(a)) {
		if (uid > 0 && a->pid)
			kill_user(uid);
		a->pid = 0;
		return true;
	}
	/* The grace is the application's; what it left behind gets none. */
	if (!a->leader_alive || now_ms >= a->kill_at_ms) {
		if (a->leader_alive)
			kill(-a->pid, SIGKILL);
		kill_children();
		a->kill_at_ms = now_ms + 10;
	}
	return false;
}
