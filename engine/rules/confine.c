/*
 * rlimits and seccomp filters; see confine.h.
 *
 * Owner: the zygote and its children, each for itself, before any Lua.  A
 * forbidden system call ends the process: the parent sees a lost hook.  The
 * filters are left out of builds with a sanitizer, whose runtime needs more.
 *
 * Not guaranteed: RLIMIT_NPROC means nothing to root; the filter is what
 * forbids a hook to fork.
 */
#include "engine/rules/confine.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/error.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
	ADDRESS_SPACE = 1 << 30,	/* Lua's own count is the real limit */
	HOOK_FDS = 16,
};

static const int hook_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(mmap), SCMP_SYS(munmap),
	SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(brk), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(close), SCMP_SYS(clock_gettime),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(getrandom), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* What the zygote needs beyond that, most of it for its children. */
static const int zygote_calls[] = {
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(wait4), SCMP_SYS(pidfd_open), SCMP_SYS(memfd_create),
	SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(pread64), SCMP_SYS(getppid), SCMP_SYS(prctl),
	SCMP_SYS(seccomp), SCMP_SYS(setrlimit), SCMP_SYS(prlimit64),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int install(bool zygote, struct error *err)
{
	if (SANITIZED)
		return 0;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return error_set(err, "seccomp: out of memory");
	int rc = allow(filter, hook_calls,
		       sizeof(hook_calls) / sizeof(hook_calls[0]));
	if (rc == 0 && zygote)
		rc = allow(filter, zygote_calls,
			   sizeof(zygote_calls) / sizeof(zygote_calls[0]));
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc < 0) {
		errno = -rc;
		return error_errno(err, "seccomp");
	}
	return 0;
}

static int limit(int resource, rlim_t value, struct error *err)
{
	struct rlimit now;

	/* Without CAP_SYS_RESOURCE a hard limit cannot rise: keep a lower one. */
	if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
	    now.rlim_max < value)
		value = now.rlim_max;
	now = (struct rlimit){ value, value };
	if (setrlimit(resource, &now) < 0)
		return error_errno(err, "rlimit %d", resource);
	return 0;
}

static int die_with(pid_t parent, struct error *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_errno(err, "prctl");
	if (getppid() != parent)
		return error_set(err, "the parent is gone");
	return 0;
}

int confine_zygote(pid_t parent, struct error *err)
{
	if (die_with(parent, err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(err, "prctl");
	if (limit(RLIMIT_CORE, 0, err) < 0)
		return -1;
	if (!SANITIZED && limit(RLIMIT_AS, ADDRESS_SPACE, err) < 0)
		return -1;
	return install(true, err);
}

int confine_hook(pid_t parent, int64_t deadline_ms, struct error *err)
{
	rlim_t cpu_s = (rlim_t)(deadline_ms / 1000 + 2);

	if (die_with(parent, err) < 0)
		return -1;
	/*
	 * Not the zygote's: a process may pass a descriptor only while its
	 * user has fewer than this many on their way (unix(7)).
	 */
	if (limit(RLIMIT_NOFILE, HOOK_FDS, err) < 0 ||
	    limit(RLIMIT_CPU, cpu_s, err) < 0 ||
	    limit(RLIMIT_FSIZE, 0, err) < 0)
		return -1;
	return install(false, err);
}
