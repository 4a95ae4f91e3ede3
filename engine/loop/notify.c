/*
 * Words for the service manager, sd_notify(3): one datagram each to the socket
 * in NOTIFY_SOCKET.  Ready when the first site is applied; reloading between
 * SIGHUP and its outcome; a sign of life, as often as WATCHDOG_USEC wants two,
 * from a timer of the loop: an engine that hangs in a turn gives none and is
 * started again, which costs no session.
 *
 * Without a service manager nothing is sent.  The variables are taken away, so
 * that no role speaks for the engine.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum { STATUS_MS = 5000 };

static void say(struct shell *sh, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct shell *sh, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (sh->notify.fd < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A manager that does not read is no reason to wait. */
	if (send(sh->notify.fd, text, strlen(text),
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("the service manager was not told %s: %s", text,
			  strerror(errno));
}

/* Connected once: a path, or a name of the abstract kind after "@". */
static int open_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, path, length);
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					   length + (path[0] == '/'))) < 0) {
		log_warn("the service manager's socket %s: %s", path,
			 strerror(errno));
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Half of the manager's patience, or 0 when it has no watchdog on us. */
static int64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	int64_t ms = strtoll(usec, NULL, 10) / 2000;
	return ms < 1 ? 1 : ms;
}

static void tell_status(struct shell *sh)
{
	const struct world *w = &sh->world;
	char text[sizeof(sh->notify.status)];
	size_t sessions = 0;

	for (uint32_t i = 0; i < sh->gateway_count; i++)
		sessions += w->gateways[i].sessions;
	snprintf(text, sizeof(text), "site %s: %zu machines, %zu sessions%s",
		 w->spec.name, w->machines.used, sessions,
		 sh->site_error[0] ? "; the site file is not applied" : "");
	if (strcmp(text, sh->notify.status) == 0)
		return;
	TEXT_SET(sh->notify.status, text);
	say(sh, "STATUS=%s", text);
}

static void on_timer(uv_timer_t *timer)
{
	struct shell *sh = timer->data;

	if (sh->notify.watched)
		say(sh, "WATCHDOG=1");
	if (sh->started)
		tell_status(sh);
}

void notify_start(struct shell *sh)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int64_t ms = watchdog_ms();

	sh->notify.fd = path ? open_socket(path) : -1;
	sh->notify.watched = ms > 0;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (sh->notify.fd < 0)
		return;
	if (!ms || ms > STATUS_MS)
		ms = STATUS_MS;
	sh->notify.timer.data = sh;
	uv_timer_init(&sh->loop, &sh->notify.timer);
	uv_timer_start(&sh->notify.timer, on_timer, (uint64_t)ms, (uint64_t)ms);
	uv_unref((uv_handle_t *)&sh->notify.timer);
}

void notify_ready(struct shell *sh)
{
	if (sh->notify.fd < 0)
		return;
	say(sh, "READY=1");
	tell_status(sh);
}

void notify_reloading(struct shell *sh)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	say(sh, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	sh->notify.reloading = true;
}

void notify_turn(struct shell *sh)
{
	if (!sh->notify.reloading || sh->load.purpose != LOAD_NONE)
		return;
	sh->notify.reloading = false;
	notify_ready(sh);
}

void notify_stopping(struct shell *sh)
{
	say(sh, "STOPPING=1");
}

void notify_failed(struct shell *sh, const char *why)
{
	say(sh, "STATUS=%s", why);
}
