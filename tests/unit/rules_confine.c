/* The second wall: what a confined process tries ends it or is refused. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/rules/confine.h"
#include "tests/tap.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

static int try_open(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); }
static int try_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int try_exec(void) { return execl("/bin/true", "true", (char *)NULL); }
static int try_fork(void) { return fork(); }
static int try_kill(void) { return kill(getppid(), 0); }
static int try_unlink(void) { return unlink("/nowhere"); }
static int try_wait(void) { return waitpid(-1, NULL, WNOHANG) < 0 ? 0 : 1; }
static int try_nothing(void) { return 0; }

static int try_memory(void)
{
	void *p = mmap(NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 7 : 0;
}

static int try_core(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0 ? 7 : 0;
}

/* The wait status of a confined child that tries it. */
static int outcome(bool hook, int (*attempt)(void))
{
	pid_t parent = getpid(), pid = fork();
	int status = 0;

	if (pid == 0) {
		struct error err;

		if (confine_zygote(parent, &err) < 0 ||
		    (hook && confine_hook(parent, 1000, &err) < 0))
			_exit(99);
		int rc = attempt();
		_exit(rc < 0 ? 1 : rc);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void is_killed(bool hook, int (*attempt)(void), const char *what)
{
	int status = outcome(hook, attempt);

	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
	   "%s that %s is killed (status %x)", hook ? "a hook" : "a zygote", what,
	   (unsigned)status);
}

int main(void)
{
	if (SANITIZED) {
		tap_skip(1, "no filters in a build with a sanitizer");
		return tap_done();
	}
	is_int(outcome(false, try_nothing), 0, "a zygote that keeps still lives");
	is_int(outcome(true, try_nothing), 0, "so does a hook");
	for (int hook = 0; hook < 2; hook++) {
		is_killed(hook, try_open, "opens a file");
		is_killed(hook, try_socket, "makes a socket");
		is_killed(hook, try_exec, "starts a program");
		is_killed(hook, try_kill, "signals another process");
		is_killed(hook, try_unlink, "removes a file");
		is_int(WEXITSTATUS(outcome(hook, try_memory)), 7,
		       "2 GiB are refused");
	}
	is_int(WEXITSTATUS(outcome(false, try_core)), 7, "no core is left");
	is_int(outcome(false, try_wait), 0, "a zygote may wait for children");
	is_killed(true, try_wait, "waits for children");
	is_killed(true, try_fork, "forks");
	return tap_done();
}
