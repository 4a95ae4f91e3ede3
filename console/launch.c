/*
 * Starting an engine; see launch.h.  The program re-executes itself, so the
 * engine has the arguments it was started with in its command line and nothing
 * of its parent but the descriptors named here.
 */
#include "console/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "console/clock.h"
#include "console/paths.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/text.h"

enum {
	CONTROL_FD = 3,		/* of the engine, when embedded */
	READY_FD = 4,
	END_MS = 5000,
	LAST_WORDS = 4096,
};

extern char **environ;

static int spawn(const char *exe, char *const argv[], int log_fd,
		 int control_fd, int ready_fd, pid_t *pid, struct error *err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int failed;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID |
						POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_adddup2(&files, log_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, log_fd, STDERR_FILENO);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
					 O_RDONLY, 0);
	if (control_fd >= 0)
		posix_spawn_file_actions_adddup2(&files, control_fd,
						 CONTROL_FD);
	else
		posix_spawn_file_actions_addopen(&files, CONTROL_FD,
						 "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, ready_fd, READY_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, READY_FD + 1);
	failed = posix_spawn(pid, exe ? exe : "/proc/self/exe", &files, &attr,
			     argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	errno = failed;
	return failed ? error_errno(err, "cannot start the engine") : 0;
}

static int launch_logged(const struct launch *l, int log_fd, int ready_fd,
			 pid_t *pid, struct error *err)
{
	const struct paths *p = l->paths;
	char gateways[16];
	const char *argv[24] = {
		"remuda",	"role",	       "engine",
		"--site",	p->site,       "--config",
		p->config,	"--run-dir",   p->run_dir,
		"--state-dir",	p->state_dir,  "--ready-fd",
		"4",
	};
	int n = 13;

	snprintf(gateways, sizeof(gateways), "%u", l->gateways);
	if (l->log_level) {
		argv[n++] = "--log-level";
		argv[n++] = l->log_level;
	}
	if (l->gateways) {
		argv[n++] = "--gateways";
		argv[n++] = gateways;
	}
	if (l->control_fd >= 0) {
		argv[n++] = "--control-fd";
		argv[n++] = "3";
	} else {
		argv[n++] = "--headless";
	}
	return spawn(l->exe, (char *const *)argv, log_fd, l->control_fd,
		     ready_fd, pid, err);
}

/* Descriptors above the ones they become, so that none is overwritten by
 * another on the way. */
static int above(int *fd, struct error *err)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, READY_FD + 1);

	if (high < 0)
		return error_errno(err, "cannot start the engine");
	close(*fd);
	*fd = high;
	return 0;
}

int launch_log(const char *where, struct error *err)
{
	bool syslog = log_is_syslog(where);
	int fd = syslog ? log_syslog(where) :
			  open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		return error_errno(err, "cannot write the log %s", where);
	if (syslog)
		setenv(LOG_VARIABLE, where, 1);
	else
		unsetenv(LOG_VARIABLE);
	return fd;
}

int launch_engine(const struct launch *l, struct launched *out,
		  struct error *err)
{
	int log_fd, ready[2], result = -1;

	if (paths_make(l->paths, err))
		return -1;
	log_fd = launch_log(l->log ? l->log : l->paths->log, err);
	if (log_fd < 0)
		return -1;
	if (pipe2(ready, O_CLOEXEC)) {
		close(log_fd);
		return error_errno(err, "pipe");
	}
	if (above(&log_fd, err) == 0 && above(&ready[1], err) == 0)
		result = launch_logged(l, log_fd, ready[1], &out->pid, err);
	close(log_fd);
	close(ready[1]);
	if (result)
		close(ready[0]);
	else
		out->ready_fd = ready[0];
	return result;
}

/* The last line of the log: what an engine that ended had to say. */
static void last_words(const char *path, char *out, size_t out_size)
{
	char bytes[LAST_WORDS + 1], *line;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;

	text_copy(out, out_size, "it left no word");
	if (fd >= 0 && fstat(fd, &st) == 0)
		n = pread(fd, bytes, LAST_WORDS,
			  st.st_size > LAST_WORDS ? st.st_size - LAST_WORDS
						  : 0);
	if (fd >= 0)
		close(fd);
	while (n > 0 && bytes[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	bytes[n] = '\0';
	line = strrchr(bytes, '\n');
	line = line ? line + 1 : bytes;
	text_display(out, out_size, line, strlen(line));
}

/* Reads what the engine says of its start into text; the bytes, 0 at its end,
 * -1 when the time is up. */
static ssize_t read_ready(int fd, char *text, size_t size, int64_t timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	size_t used = 0;

	text[0] = 0;
	while (used + 1 < size && !strchr(text, '\n')) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - now_ms();
		ssize_t n;

		if (left_ms <= 0)
			return -1;
		if (poll(&p, 1, (int)left_ms) <= 0)
			continue;
		n = read(fd, text + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
		text[used] = 0;
	}
	text[strcspn(text, "\n")] = 0;
	return (ssize_t)used;
}

/* The exit status of a child that closed its ready pipe, so that it is ending:
 * it gets END_MS for that; 0 when it takes longer. */
static int ended(pid_t pid)
{
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int status = 0;

	if (p.fd < 0 || poll(&p, 1, END_MS) <= 0 ||
	    waitpid(pid, &status, WNOHANG) != pid)
		status = 0;
	if (p.fd >= 0)
		close(p.fd);
	return status;
}

int launch_wait(const struct launch *l, struct launched *launched,
		int64_t timeout_ms, struct error *err)
{
	char said[512], words[512];
	ssize_t n = read_ready(launched->ready_fd, said, sizeof(said),
			       timeout_ms);
	int status = 0;

	if (n < 0)
		return 1;
	if (strcmp(said, "ready") == 0)
		return 0;
	if (strncmp(said, "error: ", 7) == 0)
		return error_set(err, "the engine did not start: %s", said + 7);
	status = ended(launched->pid);
	last_words(l->paths->log, words, sizeof(words));
	if (WIFSIGNALED(status))
		return error_set(err, "the engine was ended by signal %d; the "
				 "last line of its log: %s", WTERMSIG(status),
				 words);
	return error_set(err, "the engine did not start: %s", words);
}
