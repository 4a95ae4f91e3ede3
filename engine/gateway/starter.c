/*
 * The gateway's end of its starter (engine/ssh/starter.h): asks for processes of
 * ssh clients and gets their pidfds.  Started before the gateway confines
 * itself; never waited for, and believed in nothing but that a process is there.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"

extern char **environ;

static void on_message(struct gateway *g, struct watch *w, uint32_t events)
{
	struct message m;
	struct error err;
	int rc;

	(void)events;
	while (w->fd >= 0 && (rc = wire_receive(w->fd, &g->packet, &m, &err)) != 0) {
		if (rc < 0) {
			log_error("the starter of ssh processes is gone: ssh doors let nobody in");
			watch_close(&g->poll, w);
			return;
		}
		if (m.type == WIRE_TYPE_ssh_started)
			ssh_link_on_started(g, &m);
		wire_close_fds(&m);
	}
}

static int spawn(int fd, struct error *err)
{
	char number[16];
	char *argv[] = { "remuda", "role", "ssh-starter", "--gateway-fd", number, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", fd);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, fd);
	int rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return rc ? error_set(err, "start of the ssh starter: %s", strerror(rc)) : 0;
}

int starter_open(struct gateway *g, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return error_errno(err, "socketpair");
	g->starter = (struct watch){ .fd = pair[0], .ready = on_message };
	int rc = watch_arm(&g->poll, &g->starter, EPOLLIN) < 0 ?
		 error_errno(err, "epoll") : spawn(pair[1], err);
	close(pair[1]);
	if (rc < 0)
		watch_close(&g->poll, &g->starter);
	return rc;
}

int starter_ask(struct gateway *g, uint64_t number, const char *key, int client,
		int control, struct error *err)
{
	struct message m = {
		.type = WIRE_TYPE_ssh_start,
		.ssh_start = { .number = number, .key = slice_of(key) },
		.fd_count = 2,
		.fds = { client, control },
	};

	if (g->starter.fd < 0)
		return error_set(err, "the starter of ssh processes is gone");
	int rc = wire_send(g->starter.fd, &m, err);
	return rc > 0 ? 0 : rc < 0 ? -1 : error_set(err, "too many ssh clients at once");
}
