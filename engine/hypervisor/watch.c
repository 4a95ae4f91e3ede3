/*
 * See watch.h.  A worker finds the process and opens the pidfd (with the
 * command line checked after the open: the pid cannot be reused under it), the
 * main thread polls it.
 */
#include "engine/hypervisor/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/role.h"

enum { KILL_WAIT_MS = 1000, REAP_WAIT_MS = 100 };

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct watch {
	struct list link;
	struct source source;	/* fd: the pidfd */
	char uuid[37];
	int pid;
};

void watch_init(struct watches *w)
{
	pthread_mutex_init(&w->lock, NULL);
	list_init(&w->fresh);
	list_init(&w->active);
	w->count = 0;
}

static void free_watch(struct watches *w, struct watch *watch)
{
	list_remove(&watch->link);
	close(watch->source.fd);
	free(watch);
	w->count--;
}

void watch_fini(struct role *role)
{
	struct watches *w = &role->watches;

	LIST_EACH(&w->fresh, it)
		free_watch(w, LIST_ENTRY(it, struct watch, link));
	LIST_EACH(&w->active, it)
		free_watch(w, LIST_ENTRY(it, struct watch, link));
	pthread_mutex_destroy(&w->lock);
}

/* Reads a small file; its length or -1. */
static ssize_t read_small(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	out[n > 0 ? n : 0] = '\0';
	return n;
}

static bool is_qemu_of(int pid, const char *uuid)
{
	char path[64], cmdline[16384];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	ssize_t n = read_small(path, cmdline, sizeof(cmdline));
	/* -uuid UUID, after the long list of earlier options. */
	return n > 0 && strstr(cmdline, "qemu") &&
	       memmem(cmdline, (size_t)n, uuid, strlen(uuid)) != NULL;
}

static int pid_from_file(const struct host_facts *facts, const char *name)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[512], text[32];

	if (!facts->session)
		snprintf(path, sizeof(path), "/run/libvirt/qemu/%s.pid", name);
	else if (runtime)
		snprintf(path, sizeof(path), "%s/libvirt/qemu/run/%s.pid",
			 runtime, name);
	else
		return 0;
	return read_small(path, text, sizeof(text)) > 0 ?
		       (int)strtol(text, NULL, 10) : 0;
}

/* The pid file is root's; the command lines are everybody's. */
static int pid_from_proc(const char *uuid)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int found = 0;

	while (dir && !found && (e = readdir(dir))) {
		int pid = (int)strtol(e->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && is_qemu_of(pid, uuid))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

static int open_checked(int pid, const char *uuid)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd >= 0 && !is_qemu_of(pid, uuid)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool watched(struct watches *w, int pid)
{
	struct list *const lists[] = { &w->fresh, &w->active };

	for (int i = 0; i < 2; i++)
		LIST_EACH(lists[i], it)
			if (LIST_ENTRY(it, struct watch, link)->pid == pid)
				return true;
	return false;
}

static bool add_watch(struct watches *w, int pid, int fd, const char *uuid)
{
	pthread_mutex_lock(&w->lock);
	bool twice = watched(w, pid), room = w->count < WATCH_MAX;
	if (!twice && room) {
		struct watch *watch = calloc(1, sizeof(*watch));

		CHECK("", watch, "out of memory");
		watch->pid = pid;
		watch->source.fd = fd;
		TEXT_SET(watch->uuid, uuid);
		list_add_tail(&w->fresh, &watch->link);
		w->count++;
		fd = -1;
	}
	pthread_mutex_unlock(&w->lock);
	if (fd >= 0)
		close(fd);
	return twice || room;
}

/* The pidfd of a domain's QEMU; -1 when it is not to be found here. */
static int find_process(const struct host_facts *facts, const char *uuid,
			const char *name, int *pid)
{
	if (facts->kind != HOST_QEMU || !facts->local)
		return -1;
	*pid = pid_from_file(facts, name);
	int fd = open_checked(*pid, uuid);
	if (fd < 0) {
		*pid = pid_from_proc(uuid);
		fd = open_checked(*pid, uuid);
	}
	return fd;
}

bool watch_kill(const struct host_facts *facts, const char *uuid,
		const char *name)
{
	int pid, fd = find_process(facts, uuid, name, &pid);
	struct pollfd end = { .fd = fd, .events = POLLIN };
	bool ended = fd >= 0 &&
		     syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0 &&
		     poll(&end, 1, KILL_WAIT_MS) == 1;

	/* While it is not reaped libvirt takes it for alive. */
	for (int i = 0; ended && i < REAP_WAIT_MS; i++)
		if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0)
			break;
		else
			poll(NULL, 0, 1);
	if (fd >= 0)
		close(fd);
	return ended;
}

bool watch_domain(struct role *role, const struct host_facts *facts,
		  const char *uuid, const char *name)
{
	int pid, fd;

	if (facts->kind != HOST_QEMU || !facts->local)
		return false;
	fd = find_process(facts, uuid, name, &pid);
	if (fd < 0 || !add_watch(&role->watches, pid, fd, uuid)) {
		log_warn("machine %s: its QEMU process cannot be watched; its end will be seen later",
			 name);
		return false;
	}
	role_wake(role);
	return true;
}

static void on_exit_of_qemu(struct role *role, struct source *source)
{
	struct watches *w = &role->watches;
	struct watch *watch = LIST_ENTRY(source, struct watch, source);
	siginfo_t info;

	/* Reaps it if it has become our child; else ECHILD, which is right. */
	waitid(P_PIDFD, (id_t)source->fd, &info, WEXITED | WNOHANG);
	/* One that went to another host has not stopped. */
	answer_hint(role, watch->uuid, moves_has(&role->moves, watch->uuid) ?
					       WIRE_HINT_OTHER : WIRE_HINT_STOPPED);
	role_remove_source(role, source);
	pthread_mutex_lock(&w->lock);
	free_watch(w, watch);
	pthread_mutex_unlock(&w->lock);
}

void watch_take_mail(struct role *role)
{
	struct watches *w = &role->watches;
	struct error err;

	pthread_mutex_lock(&w->lock);
	LIST_EACH(&w->fresh, it) {
		struct watch *watch = LIST_ENTRY(it, struct watch, link);

		list_remove(&watch->link);
		list_add_tail(&w->active, &watch->link);
		watch->source.ready = on_exit_of_qemu;
		if (role_add_source(role, &watch->source, EPOLLIN, &err) < 0) {
			log_warn("QEMU %d cannot be watched: %s", watch->pid,
				 err.text);
			free_watch(w, watch);
		}
	}
	pthread_mutex_unlock(&w->lock);
}

/*
 * Orphans are other programs in sessions of their own.  What libvirt runs in
 * this process (an ssh) is in our session, and the short-lived child through
 * which it starts a daemon still bears our name: libvirt waits for both.
 */
static bool is_orphan(int pid)
{
	char path[64], own[64], name[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	return getsid(pid) != getsid(0) &&
	       read_small(path, name, sizeof(name)) > 0 &&
	       read_small("/proc/self/comm", own, sizeof(own)) > 0 &&
	       strcmp(name, own) != 0;
}

void watch_reap(void)
{
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || !is_orphan(info.si_pid) ||
		    waitpid(info.si_pid, NULL, WNOHANG) < 0)
			return;
	}
}
