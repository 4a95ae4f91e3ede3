/*
 * The zygote process; see zygote.h.
 *
 * Owner: forked by rules.c, dies with it (PR_SET_PDEATHSIG) or when its socket
 * closes.  It runs Lua only while it evaluates; afterwards it only forks, so
 * every hook starts from the same state and leaves nothing behind.
 *
 * Not guaranteed: that the evaluation ends.  The role counts the time, sends
 * SIGUSR1 for a last word about the line, then SIGKILL.
 */
#include "engine/rules/zygote.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/rules/confine.h"
#include "engine/rules/declare.h"
#include "engine/rules/hook.h"
#include "engine/rules/rule.h"
#include "engine/rules/rules.h"
#include "engine/rules/sandbox.h"
#include "engine/wire/message.h"

static struct {
	int fd;		/* to the role, or a child's own socket */
	const char *hash;
	struct sandbox sandbox;
	struct wire_buffer buffer;
} zygote;

/* Waits for the next message; ends the process when the role is gone. */
static void next_message(struct message *m)
{
	struct error err;

	for (;;) {
		struct pollfd p = { .fd = zygote.fd, .events = POLLIN };
		int rc;

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;	/* children: the role sees their end by itself */
		poll(&p, 1, -1);
		rc = wire_receive(zygote.fd, &zygote.buffer, m, &err);
		if (rc < 0)
			_exit(0);
		if (rc > 0)
			return;
	}
}

static void tell(const struct message *m)
{
	struct error err;

	if (wire_send(zygote.fd, m, &err) != 1)
		_exit(1);
}

static void tell_error(const struct failure *f)
{
	struct message m = { .type = WIRE_TYPE_bundle_error };

	m.bundle_error = (struct wire_bundle_error){
		.hash = slice_of(zygote.hash),
		.file = slice_of(f->place.file),
		.line = (uint32_t)f->place.line,
		.text = slice_of(f->text),
		.hint = slice_of(f->hint),
	};
	tell(&m);
}

/* sandbox.module: asks the engine, by way of the role. */
static int bring_module(struct sandbox *sb, const char *name, char **text,
			size_t *length, char *file, size_t file_size)
{
	struct message m = { .type = WIRE_TYPE_bundle_need };
	struct error err;

	(void)sb;
	m.bundle_need.name = slice_of(name);
	tell(&m);
	do {
		next_message(&m);
		if (m.type != WIRE_TYPE_bundle_module)
			wire_close_fds(&m);
	} while (m.type != WIRE_TYPE_bundle_module ||
		 !slice_is(m.bundle_module.name, name));
	int fd = wire_take_fd(&m, 0);
	wire_close_fds(&m);
	if (fd < 0)
		return 0;
	text_copy_slice(file, file_size, m.bundle_module.file);
	*text = wire_read_memfd(fd, RULES_TEXT_MAX, length, &err);
	close(fd);
	return *text ? 1 : -1;
}

/* The count hook a signal has set: says where Lua stands, then ends. */
static void on_late(lua_State *L, lua_Debug *ar)
{
	struct place p = sandbox_place(L, 0);

	(void)ar;
	if (zygote.sandbox.loading) {
		struct failure f = { .set = true, .place = p };

		snprintf(f.text, sizeof(f.text), "the site file did not finish "
			 "within %d s", RULES_EVALUATE_MS / 1000);
		TEXT_SET(f.hint, "it stood at this line: a loop without an end?");
		tell_error(&f);
	} else {
		hook_report_late(zygote.fd, &p);
	}
	_exit(1);
}

/* lua_sethook may be called from a signal handler. */
static void on_signal(int signal)
{
	(void)signal;
	lua_sethook(zygote.sandbox.L, on_late,
		    LUA_MASKCOUNT | LUA_MASKLINE | LUA_MASKCALL, 1);
}

static json_t *evaluate(struct sandbox *sb, const char *file, int text_fd)
{
	struct error err;
	size_t length;
	char *text = wire_read_memfd(text_fd, RULES_TEXT_MAX, &length, &err);

	close(text_fd);
	if (!text) {
		sb->failure = (struct failure){ .set = true };
		TEXT_SET(sb->failure.place.file, file);
		TEXT_SET(sb->failure.text, err.text);
		return NULL;
	}
	sb->module = bring_module;
	sb->loading = true;
	lua_pushcfunction(sb->L, declare_open);
	if (sandbox_call(sb, 0, 0) < 0)
		return NULL;
	int rc = sandbox_compile(sb, text, length, file);
	free(text);
	if (rc < 0 || sandbox_call(sb, 0, 0) < 0)
		return NULL;
	return declare_finish(sb, zygote.hash, file);
}

static int send_site(json_t *site, struct error *err)
{
	struct message m = { .type = WIRE_TYPE_bundle_done };
	char *text = json_dumps(site, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;

	json_decref(site);
	if (!text || length > RULES_JSON_MAX) {
		free(text);
		return error_set(err, "the site is larger than %d bytes",
				 RULES_JSON_MAX);
	}
	m.bundle_done.hash = slice_of(zygote.hash);
	m.fds[0] = wire_memfd(text, length, err);
	free(text);
	if (m.fds[0] < 0)
		return -1;
	m.fd_count = 1;
	tell(&m);
	close(m.fds[0]);
	return 0;
}

/* The child's side of a run. */
_Noreturn static void run_child(int fd, pid_t parent, const struct message *m)
{
	bool rule = m->type == WIRE_TYPE_rule_run;
	struct error err;

	close(zygote.fd);
	zygote.fd = fd;
	if (confine_hook(parent, rule ? m->rule_run.deadline_ms :
					m->hook_run.deadline_ms, &err) < 0)
		_exit(1);
	if (rule)
		rule_run_child(&zygote.sandbox, fd, m);
	else
		hook_run_child(&zygote.sandbox, fd, m);
	_exit(0);
}

static void start_run(struct message *m)
{
	struct message reply = { .type = WIRE_TYPE_role_ready,
				 .request = m->request };
	int fd = wire_take_fd(m, 0);
	pid_t self = getpid(), pid = fd < 0 ? -1 : fork();

	if (pid == 0)
		run_child(fd, self, m);
	int saved = errno;
	if (fd >= 0)
		close(fd);
	/* The child cannot be reaped before next_message: the pid is its own. */
	int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		char text[96];

		if (pid < 0)
			errno = saved;
		snprintf(text, sizeof(text), "fork: %s", strerror(errno));
		reply.type = WIRE_TYPE_hook_lost;
		reply.hook_lost.text = slice_of(text);
		tell(&reply);
		return;
	}
	reply.role_ready.pid = (uint32_t)pid;
	reply.fds[0] = pidfd;
	reply.fd_count = 1;
	tell(&reply);
	close(pidfd);
}

_Noreturn static void give_up(const char *file, const char *text)
{
	struct failure f = { .set = true };

	TEXT_SET(f.place.file, file);
	TEXT_SET(f.text, text);
	tell_error(&f);
	_exit(1);
}

_Noreturn void zygote_main(int fd, pid_t parent, const char *hash,
			   const char *file, int text_fd)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };
	struct error err;
	struct message m;

	zygote.fd = fd;
	zygote.hash = hash;
	signal(SIGCHLD, SIG_DFL);
	/* Else jansson opens /dev/urandom.  Keys here are the schema's. */
	json_object_seed(1);
	if (confine_zygote(parent, &err) < 0)
		give_up(file, err.text);
	if (!sandbox_init(&zygote.sandbox, RULES_MEMORY))
		give_up(file, "out of memory");
	if (sigaction(SIGUSR1, &action, NULL) < 0)
		give_up(file, strerror(errno));
	json_t *site = evaluate(&zygote.sandbox, file, text_fd);
	if (!site) {
		if (!*zygote.sandbox.failure.place.file)
			TEXT_SET(zygote.sandbox.failure.place.file, file);
		tell_error(&zygote.sandbox.failure);
		_exit(1);
	}
	if (send_site(site, &err) < 0)
		give_up(file, err.text);
	for (;;) {
		next_message(&m);
		if (m.type == WIRE_TYPE_hook_run || m.type == WIRE_TYPE_rule_run)
			start_run(&m);
		wire_close_fds(&m);
	}
}
