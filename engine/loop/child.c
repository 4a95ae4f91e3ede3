/* Role processes: the same program, re-executed with its role as argument. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/loop/shell.h"

static void on_exit_cb(uv_process_t *process, int64_t status, int signal)
{
	struct child *c = process->data;

	c->running = false;
	uv_close((uv_handle_t *)process, NULL);
	if (c->on_exit)
		c->on_exit(c, status, signal);
}

int child_start(struct shell *sh, struct child *c, const char *const args[],
		const int *fds, int fd_count, bool detached, struct error *err)
{
	const char *argv[24] = { sh->exe, "role" };
	uv_stdio_container_t stdio[8] = {
		[0] = { .flags = UV_IGNORE },
		[1] = { .flags = UV_INHERIT_FD, .data.fd = 2 },
		[2] = { .flags = UV_INHERIT_FD, .data.fd = 2 },
	};
	int argc = 2;

	for (int i = 0; args[i] && argc < 23; i++)
		argv[argc++] = args[i];
	for (int i = 0; i < fd_count; i++)
		stdio[3 + i] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD,
						       .data.fd = fds[i] };
	uv_process_options_t options = {
		.file = sh->exe,
		.args = (char **)argv,
		.exit_cb = on_exit_cb,
		.stdio = stdio,
		.stdio_count = 3 + fd_count,
		.flags = detached ? UV_PROCESS_DETACHED : 0,
	};
	memset(&c->process, 0, sizeof(c->process));
	c->process.data = c;
	int rc = uv_spawn(&sh->loop, &c->process, &options);
	if (rc < 0) {
		uv_close((uv_handle_t *)&c->process, NULL);
		return error_set(err, "start of the %s role: %s", args[0],
				 uv_strerror(rc));
	}
	c->running = true;
	/* A gateway must not keep a stopping engine from ending. */
	if (detached)
		uv_unref((uv_handle_t *)&c->process);
	log_info("role %s started, pid %d", args[0], c->process.pid);
	return 0;
}
