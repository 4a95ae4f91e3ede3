/*
 * See starter.h.  One process beside each gateway, from before the gateway
 * confines itself.  Its children are reaped when they end; until then their
 * pidfds mean them and no other.
 */
#include "engine/ssh/starter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/wire/message.h"

extern char **environ;

/* The same program in its ssh role.  It inherits its descriptors under their
 * numbers: dup2 to itself only takes close-on-exec off. */
static int spawn(const int fds[3], pid_t *pid, struct error *err)
{
	char numbers[3][16];
	char *argv[] = { "remuda", "role", "ssh", "--client-fd", numbers[0],
			 "--gateway-fd", numbers[1], "--key-fd", numbers[2], NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 3; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d", fds[i]);
		posix_spawn_file_actions_adddup2(&actions, fds[i], fds[i]);
	}
	int rc = posix_spawn(pid, "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return rc ? error_set(err, "start of the ssh role: %s", strerror(rc)) : 0;
}

/* The process's pidfd, or -1. */
static int start(const struct message *m, struct error *err)
{
	const struct slice key = m->ssh_start.key;
	int fds[3] = { m->fds[0], m->fds[1],
		       wire_memfd(key.ptr, key.length, err) };
	pid_t pid;

	if (fds[2] < 0)
		return -1;
	int rc = spawn(fds, &pid, err);

	close(fds[2]);
	if (rc < 0)
		return -1;
	int pidfd = pidfd_open(pid, 0);	/* not reaped before we do it */
	return pidfd < 0 ? error_errno(err, "pidfd of an ssh process") : pidfd;
}

static int answer(int gateway_fd, uint64_t number, int pidfd,
		  const struct error *why)
{
	struct message m = {
		.type = WIRE_TYPE_ssh_started,
		.ssh_started = { .number = number, .ok = pidfd >= 0,
				 .text = slice_of(why->text) },
		.fd_count = pidfd >= 0,
		.fds = { pidfd, -1 },
	};
	struct error err;

	/* Blocking, or full: it holds an answer for each client it may have. */
	return wire_send(gateway_fd, &m, &err) > 0 ? 0 : -1;
}

static int on_message(int gateway_fd, struct wire_buffer *packet)
{
	struct error err = { "" };
	struct message m;
	int rc = wire_receive(gateway_fd, packet, &m, &err);

	if (rc <= 0)
		return rc;
	if (m.type != WIRE_TYPE_ssh_start || m.fd_count != 2) {
		log_error("the gateway sent %s", wire_type_name(m.type));
		wire_close_fds(&m);
		return -1;
	}
	int pidfd = start(&m, &err);

	rc = answer(gateway_fd, m.ssh_start.number, pidfd, &err);
	if (pidfd >= 0)
		close(pidfd);
	wire_close_fds(&m);
	return rc;
}

static void on_child(int signum)
{
	(void)signum;	/* ends the wait */
}

int starter_run(int gateway_fd)
{
	struct wire_buffer *packet = calloc(1, sizeof(*packet));
	struct sigaction child = { .sa_handler = on_child };
	struct pollfd p = { .fd = gateway_fd, .events = POLLIN };
	sigset_t blocked, open;

	CHECK("", packet, "out of memory");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	sigaction(SIGCHLD, &child, NULL);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (ppoll(&p, 1, NULL, &open) > 0 &&
		    on_message(gateway_fd, packet) < 0)
			break;
	}
	free(packet);
	return 0;
}
