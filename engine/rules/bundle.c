/*
 * Zygote processes seen from the role; see bundle.h.
 *
 * A zygote is this process's own child and reaped here only, so its pid cannot
 * be another's when it is killed.
 */
#include "engine/rules/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/rules/zygote.h"

struct bundle *bundle_new(const char *hash, const char *file, int text_fd)
{
	struct bundle *b = calloc(1, sizeof(*b));

	if (!b) {
		close(text_fd);
		return NULL;
	}
	TEXT_SET(b->hash, hash);
	TEXT_SET(b->file, file);
	b->text_fd = text_fd;
	b->state = BUNDLE_DOWN;
	b->pid = -1;
	b->fd = -1;
	return b;
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	bundle_stop(b);
	close(b->text_fd);
	for (int i = 0; i < b->module_count; i++)
		if (b->modules[i].fd >= 0)
			close(b->modules[i].fd);
	free(b);
}

/* Closes every descriptor from 3 up but two. */
static void close_others(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, UINT_MAX, 0);
}

int bundle_start(struct bundle *b, int64_t now_ms, struct error *err)
{
	int pair[2];
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "socketpair");
	pid_t pid = fork();
	if (pid < 0) {
		error_errno(err, "fork of the zygote");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (pid == 0) {
		close_others(pair[1], b->text_fd);
		zygote_main(pair[1], parent, b->hash, b->file, b->text_fd);
	}
	close(pair[1]);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	b->fd = pair[0];
	b->pid = pid;
	b->state = BUNDLE_EVALUATING;
	b->late = false;
	b->need[0] = '\0';
	b->deadline_ms = now_ms + RULES_EVALUATE_MS;
	return 0;
}

void bundle_stop(struct bundle *b)
{
	if (b->state == BUNDLE_DOWN)
		return;
	kill(b->pid, SIGKILL);
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(b->fd);
	b->fd = -1;
	b->pid = -1;
	b->state = BUNDLE_DOWN;
}

void bundle_nudge(struct bundle *b)
{
	b->late = true;
	b->deadline_ms += RULES_GRACE_MS;
	kill(b->pid, SIGUSR1);
}

void bundle_add_module(struct bundle *b, const char *name, const char *file,
		       int fd)
{
	if (b->module_count == RULES_MODULES_MAX) {
		if (fd >= 0)
			close(fd);
		return;
	}
	struct module *m = &b->modules[b->module_count++];
	TEXT_SET(m->name, name);
	TEXT_SET(m->file, file);
	m->fd = fd;
}

const struct module *bundle_module(const struct bundle *b, const char *name)
{
	for (int i = 0; i < b->module_count; i++)
		if (strcmp(b->modules[i].name, name) == 0)
			return &b->modules[i];
	return NULL;
}
